"""Jobs that share a host share its interpreter: one that has little to do commits as often as those that are busy."""

from pathlib import Path

from tests.support.broker import KafkaBroker
from tests.support.system import Worker, repeated, system, until

RECORDS = 200_000
BUSY = ("busy0", "busy1", "busy2")
QUERY = "SELECT UPPER(user) AS user, id * 2 AS twice, SUBSTRING(user, 2, 3) AS part FROM"


def counted(worker: Worker, counter: str) -> dict[str, int]:
    """A counter of each job's only task."""
    return {task["job"]: task.get(counter, 0) for task in worker.tasks}


def test_a_light_job_commits_as_often_as_busy_ones_of_its_host(
    broker: KafkaBroker, prefix: str, tmp_path: Path
) -> None:
    with system(broker.bootstrap, prefix, tmp_path, hosts=1) as plane:
        worker = plane.worker()
        full, little, sink = plane.topic("full", 1), plane.topic("little", 1), plane.topic("out", 1)
        plane.produce(full, ((None, b'{"id": %d, "user": "u%d"}' % (i, i % 997)) for i in range(RECORDS)))
        options = "OPTIONS (snapshotIntervalMillis '100')"
        plane.done(f'CREATE JOB light {options} AS INSERT INTO "{sink}" SELECT id FROM "{little}"')
        with repeated(lambda: plane.produce(little, [(None, b'{"id": 1}')]), 0.02):
            until(lambda: counted(worker, "records_committed").get("light"), 30, "the light job commits")
            before = counted(worker, "transactions_committed")["light"]
            for name in BUSY:
                plane.done(f'CREATE JOB {name} {options} AS INSERT INTO "{sink}" {QUERY} "{full}"')

            def busy_are_done() -> bool:
                done = counted(worker, "records_committed")
                return all(done.get(name, 0) >= RECORDS for name in BUSY)

            until(busy_are_done, 120, "the busy jobs have read everything")
            commits = counted(worker, "transactions_committed")
    of_busy = max(commits[name] for name in BUSY)
    assert of_busy > 3, "the busy jobs were not busy for long enough to tell"
    assert commits["light"] - before >= of_busy // 2, commits
