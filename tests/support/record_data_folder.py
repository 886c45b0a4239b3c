"""Records the data folder of a control plane, for the tests of upgrades.

`python -m tests.support.record_data_folder NAME` is run with the version that is recorded, whose name `NAME` is. The
folder becomes `tests/data_folders/NAME.tar.xz`, what is expected of it `tests/data_folders/NAME.json`.
"""

import json
import sys
import tarfile
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource

from jobplane.controlplane.client.client import Client
from jobplane.controlplane.embedded.broker import Broker
from tests.support.data_folder_jobs import (
    BRIEF,
    CREATED,
    END,
    INSTANT,
    JOBS,
    LATER,
    MAPPINGS,
    ROUNDS,
    SOURCES,
    STOPPED,
    Job,
    good,
    rough,
)
from tests.support.data_folders import FOLDER, PREFIX, install_package
from tests.support.system import System, jobplane, system, until


def records_of(number: int) -> dict[str, list[tuple[str, str]]]:
    """Of a round: by source the keys and values."""
    return {name: [(f"k{n}", value(n)) for n in range(*ROUNDS[number])] for name, (_, value) in SOURCES.items()}


def produce(plane: System, number: int) -> None:
    for name, records in records_of(number).items():
        plane.produce(
            plane.name(name),
            [(key.encode(), value.encode("latin-1" if name == "avro" else "utf-8")) for key, value in records],
            timestamp=INSTANT + number * 60_000,
        )


def statement(job: Job, names: dict[str, str]) -> str:
    into = sink_of(job) if job.name == "typed" else f'"{names[job.name]}"'
    options = f"OPTIONS ({job.options}) " if job.options else ""
    return f"CREATE JOB {job.name} {options}AS INSERT INTO {into} {job.columns} {job.query}".format_map(
        {**names, "name": job.name}
    )


def keep_for_ever(plane: System, topic: str) -> None:
    """What is recorded today is to be there in years."""
    entry = ConfigEntry("retention.ms", "-1", incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource("TOPIC", topic, incremental_configs=[entry])
    plane.admin.incremental_alter_configs([resource])[resource].result(10)


def written(plane: System, job: Job, count: int = 0) -> list[str]:
    """What is in the sink of a job, once these are so many records."""
    topic, encoding = plane.name(sink_of(job)), "latin-1" if job.name == "to_avro" else "utf-8"
    values = plane.await_values(topic, count) if count else plane.values(topic)
    return sorted((value or b"").decode(encoding) for value in values)


def sink_of(job: Job) -> str:
    return "to_csv" if job.name == "typed" else job.name


def settle(plane: System, jobs: Iterable[Job], last: int) -> None:
    """Waits until each job has written what it must of the records before `last`, and compares."""
    wrong = []
    for job in jobs:
        expected = sorted(job.values(last))
        found = written(plane, job, len(expected))
        if job.repeats:
            found = sorted(set(found))
        wrong += [f"{job.name}: {pair}" for pair in zip(found, expected, strict=False) if pair[0] != pair[1]][:2]
    assert not wrong, "\n".join(wrong)


def create_topics(plane: System) -> dict[str, str]:
    """By what the table of jobs calls them."""
    for name in ("dead-letters", "reports"):
        keep_for_ever(plane, f"{PREFIX}{name}")
    names = {name: plane.topic(name, partitions, retention_ms="-1") for name, (partitions, _) in SOURCES.items()}
    sinks = [*(job.name for job in (*JOBS, *LATER, BRIEF)), "to_csv"]
    return names | {name: plane.topic(name, 2, retention_ms="-1") for name in sinks if name not in names}


def create_jobs(plane: System, names: dict[str, str]) -> None:
    """With mappings, snapshots, and statements that are refused or change nothing."""
    for text in MAPPINGS:
        plane.done(text.format_map(names))
    plane.done(statement(BRIEF, names))
    settle(plane, [BRIEF], CREATED)
    plane.done("CREATE SNAPSHOT early FOR JOB brief")
    plane.done("DROP JOB brief WITH SNAPSHOT last")
    for job in JOBS:
        (plane.sql if meets_a_bad_record(job) else plane.done)(statement(job, names))
    plane.done("DROP MAPPING unused")
    plane.done(
        """CREATE OR REPLACE MAPPING from_avro EXTERNAL NAME "{avro}" (other BIGINT) TYPE Kafka""".format_map(names)
    )
    plane.done("CREATE SNAPSHOT early FOR JOB mirror")  # `again` has pinned the first one
    plane.sql("DROP JOB nobody")
    plane.sql("CREATE JOB mirror AS INSERT INTO nowhere SELECT * FROM nothing")
    plane.sql("ALTER JOB both RESUME")
    Client(plane.settings).emit("DROP JOB IF EXISTS never", "an id")


def meets_a_bad_record(job: Job) -> bool:
    return job.name in ("halfway", "failed")


def process(plane: System) -> None:
    """Records before and after a change of options."""
    jobs = [job for job in JOBS if not meets_a_bad_record(job)]
    settle(plane, jobs, CREATED)
    plane.done("ALTER JOB widened SUSPEND")
    plane.done("ALTER JOB widened OPTIONS (parallelism '3') RESUME")
    produce(plane, 2)
    settle(plane, jobs, STOPPED)
    assert jobplane(plane, "deadletters", "retry", "letters").returncode in (0, 1)


def come_to_rest(plane: System) -> None:
    """Some jobs are suspended, the others run; the last snapshots are taken."""
    plane.done("CREATE SNAPSHOT monday FOR JOB mirror")
    plane.done("ALTER JOB parts RESTART")
    for job in JOBS:
        if job.status == "SUSPENDED" and not meets_a_bad_record(job):
            plane.done(f"ALTER JOB {job.name} SUSPEND")
    plane.done("ALTER JOB narrowed OPTIONS (parallelism '1')")
    plane.done("ALTER JOB skips OPTIONS (snapshotIntervalMillis '200', metricsEnabled 'false')")
    plane.done("CREATE SNAPSHOT tuesday FOR JOB functions")
    plane.done("CREATE SNAPSHOT wednesday FOR JOB functions")
    plane.done("DROP SNAPSHOT wednesday")
    expected = {job.name: job.status for job in JOBS}
    until(lambda: {name: plane.jobs()[name]["status"] for name in expected} == expected, 30, "all is as it shall be")


def fill(plane: System) -> None:
    """The life of the control plane, until its workers have stopped."""
    worker = plane.worker()
    names = create_topics(plane)
    for number in (0, 1):
        produce(plane, number)
    create_jobs(plane, names)
    process(plane)
    come_to_rest(plane)
    worker.stop()
    produce(plane, 3)
    Client(plane.settings).emit("ALTER JOB big RESUME", "judged later")


def stable(row: dict[str, Any]) -> dict[str, Any]:
    """Without what depends on the time at which is asked."""
    return {name: value for name, value in row.items() if name not in {"age", "lag", "rate", "behind"}}


def answers(plane: System) -> dict[str, Any]:
    """What the version that is recorded says of it."""
    asked = ["SHOW JOBS", "SHOW SNAPSHOTS", "SHOW MAPPINGS", "DESCRIBE SNAPSHOT monday"]
    asked += [f"DESCRIBE MAPPING {name}" for name in ("typed", "lines", "to_csv", "from_avro")]
    asked += [
        f"SHOW HISTORY FOR JOB {name}" for name in ("mirror", "functions", "narrowed", "bounded", "failed", "brief")
    ]
    asked += [f"SHOW CREATE JOB {job.name}" for job in JOBS if job.status in ("RUNNING", "SUSPENDED")]
    return {text: [stable(row) for row in plane.rows(text)] for text in asked}


def manifest(plane: System, said: dict[str, Any]) -> dict[str, Any]:
    names = {name: plane.name(name) for name in (*SOURCES, *(job.name for job in (*JOBS, *LATER)))}

    def entry(job: Job, goes_on: str) -> dict[str, Any]:
        return {
            "status": job.status,
            "goes_on": goes_on,
            "after": job.after,
            "sink": plane.name(sink_of(job)),
            "encoding": "latin-1" if job.name == "to_avro" else "utf-8",
            "repeats": job.repeats,
            "values": sorted(job.values() if job.status != "FAILED" else written(plane, job)),
        }

    return {
        "produce": {
            plane.name(name): {"encoding": "latin-1" if name == "avro" else "utf-8", "records": records}
            for name, records in records_of(len(ROUNDS) - 1).items()
        },
        "timestamp": INSTANT + (len(ROUNDS) - 1) * 60_000,
        "jobs": {job.name: entry(job, job.goes_on.format(name=job.name)) for job in JOBS},
        "new_jobs": {job.name: entry(job, statement(job, names)) for job in LATER},
        "letters": sorted(rough(n) for n in (*range(END), *range(STOPPED)) if not good(n)),
        "answers": said,
    }


def record(name: str) -> None:
    with tempfile.TemporaryDirectory(prefix="jobplane-") as folder:
        data, site = Path(folder, "data"), Path(folder, "site")
        install_package(site)
        environment = {"PYTHONPATH": str(site)}
        with (
            Broker(data / "kafka") as broker,
            system(broker.bootstrap, PREFIX, Path(folder), environment=environment) as plane,
        ):
            fill(plane)
            expected = manifest(plane, answers(plane))
        with tarfile.open(FOLDER / f"{name}.tar.xz", "w:xz", preset=9) as archive:
            for file in sorted((data / "kafka" / "topics").rglob("*")):
                archive.add(file, file.relative_to(data), recursive=False)
    (FOLDER / f"{name}.json").write_text(json.dumps(expected, indent=0, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    record(sys.argv[1])
