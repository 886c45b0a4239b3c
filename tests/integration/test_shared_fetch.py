"""Tasks that read the same partition in one host share its fetch; each record still has its effect once in each job."""

import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from confluent_kafka import Producer

from tests.support.broker import KafkaBroker
from tests.support.system import System, Worker, system, until

BATCH, BATCHES = 500, 80
SLOW = ", ".join(f"REGEXP_REPLACE(pad, '[a-{c}]+', '{i}') AS r{i}" for i, c in enumerate("bcdefghi"))


def record(number: int) -> bytes:
    """Each 997th is none that a query can read."""
    return b"bad" if number % 997 == 0 else b'{"id": %d, "pad": "%b"}' % (number, b"abcdefghi" * 5)


GOOD = Counter(i for i in range(BATCH * BATCHES) if i % 997)
BAD = BATCH * BATCHES - len(GOOD)


@contextmanager
def feeding(plane: System, topic: str) -> Iterator[threading.Event]:
    """Half of the batches are transactions, and between them are some that are aborted. Ends once all are written."""
    half = threading.Event()

    def feed() -> None:
        producer = Producer({"bootstrap.servers": plane.bootstrap, "transactional.id": f"{topic}-feed"})
        producer.init_transactions(10)
        for batch in range(BATCHES):
            rows = [record(i) for i in range(batch * BATCH, (batch + 1) * BATCH)]
            if batch % 2:
                plane.produce(topic, ((None, row) for row in rows))
            else:
                for aborted in (True, False):
                    producer.begin_transaction()
                    for row in rows[:10] if aborted else rows:
                        producer.produce(topic, row)
                    (producer.abort_transaction if aborted else producer.commit_transaction)(10)
            if batch == BATCHES // 2:
                half.set()

    thread = threading.Thread(target=feed)
    thread.start()
    try:
        yield half
    finally:
        thread.join()


def counted(worker: Worker, counter: str) -> dict[str, int]:
    """A counter of each job's only task."""
    return {task["job"]: task.get(counter, 0) for task in worker.tasks}


def test_jobs_of_one_topic_share_its_fetch_and_write_each_record_once(
    broker: KafkaBroker, prefix: str, tmp_path: Path
) -> None:
    """One job is slow, one writes dead letters, one is suspended meanwhile, and one comes when half is written."""
    with system(broker.bootstrap, prefix, tmp_path, hosts=1) as plane:
        worker = plane.worker()
        source, letters = plane.topic("in", 1), plane.topic("bad", 1)
        sinks = {name: plane.topic(name, 1) for name in ("plain", "quick", "slow", "letters", "paused", "late")}

        def create(name: str, more: str = "", columns: str = "id") -> None:
            options = more or "onError 'skip'"
            interval = 1000 if name == "plain" else 50
            plane.done(f"""CREATE JOB {name} OPTIONS (snapshotIntervalMillis '{interval}', {options})
                           AS INSERT INTO "{sinks[name]}" SELECT {columns} FROM "{source}" """)

        for name in ("plain", "quick", "paused"):
            create(name)
        create("slow", columns=f"id, {SLOW}")
        create("letters", f"onError 'deadLetter', deadLetterTopic '{letters}'")
        with feeding(plane, source) as half:
            until(lambda: counted(worker, "records_shared").get("paused"), 60, "the fetch is shared")
            plane.done("ALTER JOB paused SUSPEND")
            assert half.wait(60)
            create("late")
            plane.done("ALTER JOB paused RESUME")
        for name, sink in sinks.items():
            found = Counter(json.loads(value or b"")["id"] for value in plane.await_values(sink, len(GOOD), 120))
            assert found == GOOD, name
        assert Counter(plane.await_values(letters, BAD)) == {b"bad": BAD}
        until(lambda: counted(worker, "lag") == dict.fromkeys(sinks, 0), 30, "no task is behind, markers included")

        def late_shares() -> bool:
            plane.produce(source, [(None, b'{"id": -1}')] * 100)
            return counted(worker, "records_shared").get("late", 0) > 0

        until(late_shares, 60, "the job that came late shares too")
        shared = counted(worker, "records_shared")
        assert all(shared[name] for name in ("plain", "quick", "letters")), shared
