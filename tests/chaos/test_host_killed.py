"""SIGKILL of the task host before each step: the output is the input, each record once."""

import json
import os
import signal
from collections import Counter
from collections.abc import Iterator

import pytest

from jobplane.processors.protocol.steps import Step
from tests.support.broker import KafkaBroker
from tests.support.orders import Orders
from tests.support.system import System, Worker, jobplane, system, until

RECORDS = 2000


@pytest.fixture(scope="module")
def plane(broker: KafkaBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    folder = tmp_path_factory.mktemp("killed")
    environment = {"JOBPLANE_HOST_MODULE": "tests.support.killing_host", "KILL_FOLDER": str(folder)}
    with system(broker.bootstrap, "killed.", folder, hosts=1, environment=environment) as made:
        made.worker()
        yield made


ONCE = [Step.FENCE, Step.READ, Step.ASSIGN, Step.FLUSH, Step.COMMIT]
LATER = [
    *(Step.POLL, Step.EVALUATE, Step.ADVANCE, Step.FLUSH),
    *(Step.SEND_OFFSETS, Step.CONFIRM, Step.COMMIT, Step.REPORT),
]
GROUPS = [
    *((Step.LOAD, 1), (Step.REPLAY, 1), (Step.EMIT, 1), (Step.EMIT, 6), (Step.SAVE, 1), (Step.SAVE, 3)),
    *(
        (Step.EVALUATE, 6),
        (Step.ADVANCE, 6),
        (Step.FLUSH, 6),
        (Step.SEND_OFFSETS, 6),
        (Step.COMMIT, 6),
        (Step.REPORT, 6),
    ),
]
"""The steps of a task with groups: its own, and those of any task between which its state may be lost."""
STEPS = [*((step, 1) for step in ONCE), (Step.BEGIN, 2), *((step, 3) for step in LATER)]

QUIET = [Step.FENCE, Step.READ, Step.BEGIN, Step.FLUSH, Step.SEND_OFFSETS, Step.COMMIT, Step.REPORT]
"""The steps of a task that starts without input."""
SPARSE = [Step.POLL, Step.CONFIRM, Step.EVALUATE, Step.BEGIN, Step.FLUSH, Step.SEND_OFFSETS, Step.COMMIT, Step.REPORT]
"""The steps of a task that moves a few records without clients of its own."""


def test_every_step_is_killed_at() -> None:
    assert {step for step, _ in (*STEPS, *GROUPS)} == set(Step)


@pytest.mark.parametrize(("step", "times"), STEPS, ids=str)
def test_killed_before_a_step(plane: System, step: Step, times: int) -> None:
    name = f"kill_{step}_{times}"
    source, sink = plane.topic(f"{name}-in"), plane.topic(f"{name}-out", 3)
    values = [json.dumps({"id": i, "amount": i % 10}).encode() for i in range(RECORDS)]
    half = RECORDS // 2
    plane.produce(source, [(b"%d" % (i % 50), value) for i, value in enumerate(values[:half])])
    plane.sql(
        f"""CREATE JOB {name} OPTIONS (snapshotIntervalMillis '20', parallelism '1')
            AS INSERT INTO "{sink}" SELECT id, amount FROM "{source}" WHERE amount >= 2"""
    )
    for at in range(half, RECORDS, 50):
        plane.produce(source, [(b"%d" % (i % 50), values[i]) for i in range(at, at + 50)])
    until((plane.folder / name).exists, 30, "the host was killed")
    expected = Counter(i for i in range(RECORDS) if i % 10 >= 2)
    found = plane.await_values(sink, sum(expected.values()))
    plane.done(f"DROP JOB {name}")
    found = plane.values(sink)
    assert Counter(json.loads(value or b"")["id"] for value in found) == expected


@pytest.mark.parametrize(("step", "times"), STEPS, ids=str)
def test_a_copy_of_whole_batches_killed_before_a_step(plane: System, step: Step, times: int) -> None:
    """Each partition of the sink is the source's, in its order."""
    name = f"kill_{step}_{times}_copy"
    source, sink = plane.topic(f"{name}-in", 2), plane.topic(f"{name}-out", 2)
    values = [b"%d" % i for i in range(RECORDS)]
    plane.produce(source, [(b"%d" % (i % 50), value) for i, value in enumerate(values[:1000])])
    plane.sql(
        f"""CREATE JOB {name} OPTIONS (snapshotIntervalMillis '20', parallelism '1')
            AS INSERT INTO "{sink}" SELECT * FROM "{source}" """
    )
    for at in range(1000, RECORDS, 50):
        plane.produce(source, [(b"%d" % (i % 50), values[i]) for i in range(at, at + 50)])
    until((plane.folder / name).exists, 30, "the host was killed")
    plane.await_values(sink, RECORDS)
    plane.done(f"DROP JOB {name}")

    def by_partition(topic: str) -> list[list[bytes | None]]:
        found = plane.read(topic)
        return [[one.value() for one in found if one.partition() == partition] for partition in range(2)]

    assert by_partition(sink) == by_partition(source)


@pytest.mark.parametrize("step", [Step.POLL, Step.ADVANCE, Step.SEND_OFFSETS, Step.COMMIT], ids=str)
def test_jobs_that_share_a_fetch_killed_before_a_step_of_one(plane: System, step: Step) -> None:
    """Both begin when records come, at the same place."""
    name, beside = f"kill_{step}_5_shared", f"beside_{step}_5"
    source, sinks = plane.topic(f"{name}-in", 1), {job: plane.topic(f"{job}-out", 1) for job in (name, beside)}
    for job, sink in sinks.items():
        plane.done(f"""CREATE JOB {job} OPTIONS (snapshotIntervalMillis '20', parallelism '1')
                       AS INSERT INTO "{sink}" SELECT id FROM "{source}" """)
    sent = list[bytes]()

    def is_killed_while_records_come() -> bool:
        more = [b'{"id":%d}' % i for i in range(len(sent), len(sent) + 200)]
        plane.produce(source, [(None, value) for value in more])
        sent.extend(more)
        return (plane.folder / name).exists()

    until(is_killed_while_records_come, 30, "the host was killed")
    for job, sink in sinks.items():
        plane.await_values(sink, len(sent))
        plane.done(f"DROP JOB {job}")
        assert Counter(plane.values(sink)) == Counter(sent)


@pytest.mark.parametrize(("step", "times"), GROUPS, ids=str)
def test_windows_are_written_once_too(plane: System, step: Step, times: int) -> None:
    """The sums are exact, and so are late records: each is a dead letter, once."""
    name = f"kill_{step}_{times}_groups"
    orders, sink, late_ones = Orders(plane, name), plane.topic(f"{name}-out"), plane.topic(f"{name}-late")
    plane.done(
        f"""CREATE JOB {name} OPTIONS (parallelism '1', snapshotIntervalMillis '20', stateIntervalMillis '200',
            deadLetterTopic '{late_ones}') AS {orders.windows(sink)}"""
    )
    for _ in range(10):
        orders.send(60)
    plane.done(f"ALTER JOB {name} RESTART")

    plane.await_kill(name, lambda: orders.send(60))
    orders.close()
    late = orders.check(sink)
    plane.done(f"DROP JOB {name}")
    assert orders.check(sink) == late == len(plane.read(late_ones))


def test_windows_may_be_written_again_where_output_is_not_in_the_transaction(plane: System) -> None:
    """With the same sums: each row that is written again is the row that was written before."""
    name = f"kill_{Step.COMMIT}_6_loose"
    orders, sink = Orders(plane, name), plane.topic(f"{name}-out")
    plane.done(
        f"""CREATE JOB {name} OPTIONS (processingGuarantee 'atLeastOnce', parallelism '1', onLate 'skip',
            snapshotIntervalMillis '20', stateIntervalMillis '200') AS {orders.windows(sink)}"""
    )

    plane.await_kill(name, lambda: orders.send(60))
    orders.close()
    totals, _ = orders.expected()

    def rows() -> set[tuple[str, str, int, int]]:
        found = [json.loads(value or b"") for value in plane.values(sink)]
        return {(row["who"], row["since"], row["orders"], row["total"]) for row in found}

    expected = {(*key, *total) for key, total in totals.items()}
    until(lambda: rows() >= expected, 60, "every window is written")
    assert rows() == expected
    plane.done(f"DROP JOB {name}")


@pytest.mark.parametrize(
    ("step", "times"),
    [(Step.BEGIN, 2), (Step.ADVANCE, 3), (Step.FLUSH, 2), (Step.SEND_OFFSETS, 3), (Step.COMMIT, 3), (Step.REPORT, 3)],
    ids=str,
)
def test_dead_letters_are_written_once_too(plane: System, step: Step, times: int) -> None:
    """Every seventh record is bad: it is in the dead letters, and there once, as the others are in the sink."""
    name = f"kill_{step}_{times}_letters"
    source, sink, own = plane.topic(f"{name}-in"), plane.topic(f"{name}-out", 3), plane.topic(f"{name}-bad", 2)
    values = [b"bad %d" % i if i % 7 == 0 else b'{"id": %d}' % i for i in range(RECORDS)]
    half = RECORDS // 2
    plane.produce(source, [(b"%d" % (i % 50), value) for i, value in enumerate(values[:half])])
    plane.sql(
        f"""CREATE JOB {name} OPTIONS (snapshotIntervalMillis '20', parallelism '1', onError 'deadLetter',
            deadLetterTopic '{own}') AS INSERT INTO "{sink}" SELECT id FROM "{source}" """
    )
    for at in range(half, RECORDS, 50):
        plane.produce(source, [(b"%d" % (i % 50), values[i]) for i in range(at, at + 50)])
    until((plane.folder / name).exists, 30, "the host was killed")
    bad = [value for value in values if value.startswith(b"bad")]
    plane.await_values(sink, RECORDS - len(bad))
    plane.await_values(own, len(bad))
    plane.done(f"DROP JOB {name}")
    assert Counter(plane.values(own)) == Counter(bad)
    assert Counter(json.loads(value or b"")["id"] for value in plane.values(sink)) == Counter(
        i for i in range(RECORDS) if i % 7
    )


@pytest.mark.parametrize(
    ("step", "times"), [(Step.ADVANCE, 1), (Step.SEND_OFFSETS, 2), (Step.COMMIT, 2), (Step.REPORT, 2)], ids=str
)
def test_a_letter_is_retried_once_too(plane: System, step: Step, times: int) -> None:
    """All fail again: each is a dead letter once more, and those are what the next retry reads."""
    name = f"again_{step}_{times}"
    source, sink, own = plane.topic(f"{name}-in"), plane.topic(f"{name}-out", 3), plane.topic(f"{name}-bad", 2)
    bad = [b"bad %d" % i for i in range(300)]
    plane.produce(source, [(value, value) for value in bad])
    plane.done(
        f"""CREATE JOB {name} OPTIONS (snapshotIntervalMillis '20', parallelism '1', onError 'deadLetter',
            deadLetterTopic '{own}') AS INSERT INTO "{sink}" SELECT id FROM "{source}" """
    )
    plane.await_values(own, len(bad))
    for retry in (1, 2):
        told = json.loads(jobplane(plane, "deadletters", "retry", name, "-o", "json").stdout)
        assert (told["retried"], told["failed_again"]) == (len(bad), len(bad))
        assert Counter(plane.values(own)) == Counter(bad * (retry + 1))
    assert (plane.folder / f"{name}.retry").exists(), "the host was killed"
    plane.done(f"DROP JOB {name}")


@pytest.mark.parametrize(("guarantee", "step"), [("atLeastOnce", Step.SEND_OFFSETS), ("none", Step.REPORT)])
def test_what_the_weaker_guarantees_promise(plane: System, guarantee: str, step: Step) -> None:
    """Killed after its output is flushed and before its offsets are committed: records repeat, none is lost."""
    name = f"kill_{step}_2_{guarantee.lower()}"
    source, sink = plane.topic(f"{name}-in"), plane.topic(f"{name}-out", 3)
    values = [b'{"id": %d}' % i for i in range(RECORDS)]
    plane.produce(source, [(b"%d" % (i % 50), value) for i, value in enumerate(values[:1000])])
    plane.sql(
        f"""CREATE JOB {name} OPTIONS (processingGuarantee '{guarantee}', parallelism '1')
            AS INSERT INTO "{sink}" SELECT * FROM "{source}" """
    )
    until((plane.folder / name).exists, 30, "the host was killed")
    plane.produce(source, [(b"%d" % (i % 50), value) for i, value in enumerate(values[1000:])])
    found = until(
        lambda: held if set(held := plane.values(sink)) >= set(values) else None, 60, "every record is in the sink"
    )
    assert set(found) == set(values)
    assert len(found) > len(values), "what was flushed and not committed is written again"
    plane.done(f"DROP JOB {name}")


@pytest.mark.parametrize("step", QUIET, ids=str)
def test_killed_while_tasks_without_input_start(plane: System, step: Step) -> None:
    """Each of four tasks has its first checkpoint once it rests, and reads each record once when it wakes."""
    name = f"kill_{step}_2_quiet"
    source, sink = plane.topic(f"{name}-in", 4), plane.topic(f"{name}-out", 4)
    plane.done(f'CREATE JOB {name} AS INSERT INTO "{sink}" SELECT id FROM "{source}"')
    until((plane.folder / name).exists, 30, "the host was killed")
    until(lambda: statuses_of(plane, name) == {"DORMANT"}, 60, "all tasks rest")
    plane.produce(source, [(b"%d" % (i % 50), b'{"id": %d}' % i) for i in range(RECORDS)])
    plane.await_values(sink, RECORDS)
    plane.done(f"DROP JOB {name}")
    assert Counter(json.loads(value or b"")["id"] for value in plane.values(sink)) == Counter(range(RECORDS))


@pytest.mark.parametrize("step", SPARSE, ids=str)
def test_killed_while_a_dormant_task_moves_a_few_records(plane: System, step: Step) -> None:
    name = f"kill_{step}_3_sparse"
    source, sink = plane.topic(f"{name}-in", 2), plane.topic(f"{name}-out", 3)
    plane.done(f'CREATE JOB {name} OPTIONS (parallelism \'1\') AS INSERT INTO "{sink}" SELECT id FROM "{source}"')
    sent = 0
    while not (plane.folder / name).exists():
        assert sent < 10, "the host was not killed"
        plane.produce(source, [(b"%d" % i, b'{"id": %d}' % i) for i in range(sent, sent + 1)])
        sent += 1
        plane.await_values(sink, sent)
    plane.produce(source, [(b"%d" % i, b'{"id": %d}' % i) for i in range(sent, 20)])
    plane.await_values(sink, 20)
    plane.done(f"DROP JOB {name}")
    assert Counter(json.loads(value or b"")["id"] for value in plane.values(sink)) == Counter(range(20))


def statuses_of(plane: System, job: str) -> set[str]:
    return {row["status"] for row in plane.rows(f"DESCRIBE JOB {job}")}


@pytest.mark.parametrize("step", [Step.SEND_OFFSETS, Step.REPORT], ids=str)
def test_a_bounded_job_ends_where_it_was_to_end(plane: System, step: Step) -> None:
    name = f"kill_{step}_2_bounded"
    source, sink = plane.topic(f"{name}-in", 2), plane.topic(f"{name}-out", 2)
    values = [b"%d" % i for i in range(RECORDS)]
    plane.produce(source, [(value, value) for value in values])
    plane.sql(
        f"""CREATE JOB {name} OPTIONS (stopAt 'latest', snapshotIntervalMillis '20')
            AS INSERT INTO "{sink}" SELECT * FROM "{source}" """
    )
    plane.produce(source, [(b"later", b"later")] * 100)
    until((plane.folder / name).exists, 30, "the host was killed")
    until(lambda: plane.jobs()[name]["status"] == "COMPLETED", 60, "the job is complete")
    assert Counter(plane.values(sink)) == Counter(values)


@pytest.mark.parametrize(("step", "times"), [(Step.ASSIGN, 1), (Step.SEND_OFFSETS, 3), (Step.COMMIT, 2)], ids=str)
def test_killed_with_two_sources(plane: System, step: Step, times: int) -> None:
    """The positions of both are committed with the output, and taken up together."""
    name, count = f"kill_{step}_{times}_union", 3 * RECORDS
    large, small, sink = plane.topic(f"{name}-large", 4), plane.topic(f"{name}-small"), plane.topic(f"{name}-out", 3)

    def send(first: int, end: int) -> None:
        for at in range(first, end, 100):
            values = [(b"%d" % (i % 50), b'{"id": %d}' % i) for i in range(at, at + 100)]
            plane.produce(large, values[:60])
            plane.produce(small, values[60:])

    send(0, count - RECORDS)  # more than tasks move without clients of their own
    plane.sql(
        f"""CREATE JOB {name} OPTIONS (snapshotIntervalMillis '20', parallelism '3')
            AS INSERT INTO "{sink}" SELECT id FROM "{large}" UNION ALL SELECT id FROM "{small}" """
    )
    send(count - RECORDS, count)
    until((plane.folder / name).exists, 30, "the host was killed")
    plane.await_values(sink, count)
    plane.done(f"DROP JOB {name}")
    assert Counter(json.loads(value or b"")["id"] for value in plane.values(sink)) == Counter(range(count))


def test_a_host_killed_while_the_split_changes(plane: System) -> None:
    """The new layout goes on from the old one's checkpoints, however often it has to begin."""
    source, sink = plane.topic("split-in", 4), plane.topic("split-out", 4)
    plane.done(
        f"""CREATE JOB split OPTIONS (parallelism '4', snapshotIntervalMillis '20')
            AS INSERT INTO "{sink}" SELECT * FROM "{source}" """
    )
    sent: list[bytes] = []

    def send(count: int) -> None:
        values = [b"%d" % i for i in range(len(sent), len(sent) + count)]
        plane.produce(source, [(value, value) for value in values])
        sent.extend(values)

    for parallelism in (2, 3):
        send(2000)
        plane.sql("ALTER JOB split SUSPEND", timeout=0.1)
        plane.sql(f"ALTER JOB split OPTIONS (parallelism '{parallelism}') RESUME", timeout=0.1)
        for pid in plane.workers[0].host_pids():
            os.kill(pid, signal.SIGKILL)
        send(2000)
        until(
            lambda tasks=parallelism: (
                (plane.jobs()["split"]["status"], plane.jobs()["split"]["tasks"])  # type: ignore[misc]
                == ("RUNNING", tasks)
            ),
            60,
            "the job runs in its new split",
        )
    plane.await_values(sink, len(sent))
    plane.done("DROP JOB split")
    assert Counter(plane.values(sink)) == Counter(sent)


def hosts_of(worker: Worker, job: str) -> list[int]:
    return [host["pid"] for host in worker.json("/api/hosts") if any(task["job"] == job for task in host["tasks"])]


def kill_hosts_of(worker: Worker, job: str) -> None:
    pids = until(lambda: hosts_of(worker, job), 40, "the job has hosts")
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    until(lambda: not set(pids) & set(hosts_of(worker, job)), 20, "the worker noticed")


def given_up(plane: System, worker: Worker, job: str) -> bool:
    """Whether a job is suspended; waits until it is, or has a host."""

    def suspended() -> bool:
        return bool(plane.jobs()[job]["status"] == "SUSPENDED")

    until(lambda: hosts_of(worker, job) or suspended(), 60, "the job is given up, or has a host")
    return suspended()


def test_who_dies_alone_again_and_again_is_given_up(plane: System) -> None:
    """Its first two deaths prove nothing, others were there; then it dies three times alone. Its neighbour goes on.

    A slow machine may show it in a host that others have too: such a death proves nothing either.
    """
    source, sink, other = plane.topic("deadly-in"), plane.topic("deadly-out"), plane.topic("calm-out")
    plane.done(f'CREATE JOB calm AS INSERT INTO "{other}" SELECT * FROM "{source}"')
    for marker in plane.folder.glob("kill_*"):
        marker.unlink()
    options = "OPTIONS (parallelism '1')"
    plane.sql(f'CREATE JOB deadly {options} AS INSERT INTO "{sink}" SELECT * FROM "{source}"')
    worker = plane.workers[0]
    kills = 0
    while kills < 12 and not given_up(plane, worker, "deadly"):
        kill_hosts_of(worker, "deadly")
        kills += 1
    assert plane.jobs()["deadly"]["status"] == "SUSPENDED"
    assert kills >= 5
    failure = plane.jobs()["deadly"]["failure"]
    assert failure.startswith("HOST_DIED")
    assert "died 3 times in a row without a record committed between, the last time by signal 9" in failure
    assert plane.jobs()["calm"]["status"] == "RUNNING"
    plane.produce(source, [(b"k", b"v")])
    assert plane.await_values(other, 1) == [b"v"]
    plane.done("DROP JOB deadly")
    plane.done("DROP JOB calm")


def test_deaths_between_which_records_are_committed_suspend_nobody(plane: System) -> None:
    source, sink = plane.topic("tough-in"), plane.topic("tough-out")
    plane.done(f'CREATE JOB tough AS INSERT INTO "{sink}" SELECT * FROM "{source}"')
    worker, values = plane.workers[0], [b"%d" % i for i in range(120)]
    for at in range(0, 120, 20):
        plane.produce(source, [(b"%d" % (i % 5), values[i]) for i in range(at, at + 20)])
        plane.await_values(sink, at + 20)
        kill_hosts_of(worker, "tough")
    plane.await_values(sink, 120)
    until(
        lambda: any("its host has died" in (row["trouble"] or "") for row in plane.rows("DESCRIBE JOB tough")),
        30,
        "DESCRIBE counts the deaths",
    )
    assert plane.jobs()["tough"]["status"] == "RUNNING"
    assert Counter(plane.values(sink)) == Counter(values)
    assert 'jobplane_task_host_deaths_total{job="tough"' in worker.get("/metrics")[1]
    plane.done("DROP JOB tough")
