"""Sixty jobs created in a row: all run, none is ever suspended, and who looks meanwhile sees no error."""

import json
from collections import Counter
from pathlib import Path

import pytest
from confluent_kafka import Producer

from jobplane.schemas.records.events import TaskFailed
from tests.support.broker import KafkaBroker
from tests.support.system import System, system, until

TOPICS = 5
RECORDS = 12


def create(plane: System, jobs: int) -> dict[str, str]:
    """Sends the statements at once; returns each job's sink."""
    sources = [plane.topic(f"many-in-{i}", 4) for i in range(TOPICS)]
    sinks = [plane.topic(f"many-out-{i}", 4) for i in range(TOPICS)]
    for source in sources:
        plane.produce(source, [(b"%d" % i, json.dumps({"id": i}).encode()) for i in range(RECORDS)])
    producer = Producer({"bootstrap.servers": plane.bootstrap})
    made = {}
    for i in range(jobs):
        sink = made[f"many{i}"] = sinks[i % TOPICS]
        statement = f'CREATE JOB many{i} AS INSERT INTO "{sink}" SELECT id FROM "{sources[i // TOPICS % TOPICS]}"'
        producer.produce(f"{plane.prefix}commands", statement.encode())
    assert producer.flush(30) == 0
    return made


def statuses(plane: System) -> Counter[str]:
    return Counter(job["status"] for name, job in plane.jobs().items() if name.startswith("many"))


def failures(plane: System) -> list[str]:
    return [str(event.body.failure) for event in plane.events() if isinstance(event.body, TaskFailed)]


def check_output(plane: System, sinks: dict[str, str]) -> None:
    """Every job has written every record of its source once."""
    for sink, jobs in Counter(sinks.values()).items():
        plane.await_values(sink, jobs * RECORDS)
        found = Counter(json.loads(value or b"")["id"] for value in plane.values(sink))
        assert found == dict.fromkeys(range(RECORDS), jobs)


@pytest.mark.parametrize("jobs", [60])
def test_many_jobs_created_in_a_row(broker: KafkaBroker, prefix: str, tmp_path: Path, jobs: int) -> None:
    with system(broker.bootstrap, prefix, tmp_path) as plane:
        plane.worker()
        sinks = create(plane, jobs)
        until(lambda: statuses(plane) == {"RUNNING": jobs}, 120, "all jobs run")
        assert not failures(plane)
        check_output(plane, sinks)
