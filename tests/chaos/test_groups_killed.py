"""Hosts and workers with groups are killed: each window and session is written once, and all sums are exact."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobplane.processors.protocol.steps import Step
from tests.support.broker import KafkaBroker
from tests.support.orders import Orders, sessions_in, totals_in
from tests.support.system import System, system, until

OFTEN = "snapshotIntervalMillis '20', stateIntervalMillis '200'"


@pytest.fixture(scope="module")
def plane(broker: KafkaBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    folder = tmp_path_factory.mktemp("sessions")
    environment = {"JOBPLANE_HOST_MODULE": "tests.support.killing_host", "KILL_FOLDER": str(folder)}
    with system(broker.bootstrap, "sessions.", folder, hosts=1, environment=environment) as made:
        made.worker()
        yield made


@pytest.mark.parametrize(
    ("step", "times"), [(Step.REPLAY, 1), (Step.EMIT, 6), (Step.SAVE, 3), (Step.COMMIT, 6)], ids=str
)
def test_sessions_are_written_once(plane: System, step: Step, times: int) -> None:
    name = f"kill_{step}_{times}_sessions"
    orders, sink, late_ones = Orders(plane, name), plane.topic(f"{name}-out"), plane.topic(f"{name}-late")
    plane.done(
        f"""CREATE JOB {name} OPTIONS (parallelism '1', {OFTEN}, deadLetterTopic '{late_ones}')
            AS {orders.sessions(sink)}"""
    )
    for _ in range(10):
        orders.send(60)
    plane.done(f"ALTER JOB {name} RESTART")

    plane.await_kill(name, lambda: orders.send(60))
    orders.close()
    late = orders.check_sessions(sink)
    plane.done(f"DROP JOB {name}")
    assert orders.check_sessions(sink) == late == len(plane.read(late_ones))


def test_sessions_go_through_a_snapshot_into_a_bounded_job(plane: System) -> None:
    """They are open in the snapshot; the host dies before it and in the new job."""
    name = f"kill_{Step.SAVE}_2_again"
    orders, sink, other = Orders(plane, "again"), plane.topic("again-out"), plane.topic("again-too")
    options = f"parallelism '1', onLate 'skip', {OFTEN}"
    plane.done(f"CREATE JOB {name} OPTIONS ({options}) AS {orders.sessions(sink)}")

    plane.await_kill(name, lambda: orders.send(60))
    plane.done(f"ALTER JOB {name} SUSPEND")
    plane.done(f"CREATE SNAPSHOT halfway FOR JOB {name}")
    before = plane.read(sink)
    plane.done(f"DROP JOB {name}")
    orders.send(500)
    bounded = f"kill_{Step.COMMIT}_1_bounded"
    plane.sql(
        f"""CREATE JOB {bounded} OPTIONS ({options}, stopAt 'latest', initialSnapshotName 'halfway')
            AS {orders.sessions(other)}"""
    )
    until((plane.folder / bounded).exists, 30, "the host was killed")
    until(lambda: plane.jobs()[bounded]["status"] == "COMPLETED", 60, "the job is complete")
    expected, late = orders.expected_sessions()
    assert late > 0
    assert sessions_in([*before, *plane.read(other)]) == expected
    plane.done("DROP SNAPSHOT halfway")


def test_tasks_move_between_workers_that_are_killed(broker: KafkaBroker, prefix: str, tmp_path: Path) -> None:
    """Windows and sessions by the key in three tasks, totals of all partitions in one."""
    with system(broker.bootstrap, prefix, tmp_path, hosts=1) as plane:
        plane.worker()
        plane.worker()
        orders = Orders(plane, "moving", 3)
        queries = {"minutes": orders.windows, "visits": orders.sessions, "sums": orders.totals}
        sinks = {job: plane.topic(f"{job}-out") for job in queries}
        for job, query in queries.items():
            plane.done(f"CREATE JOB {job} OPTIONS (onLate 'skip', stateIntervalMillis '500') AS {query(sinks[job])}")
        assert [plane.jobs()[job]["tasks"] for job in queries] == [3, 3, 1]
        for _ in range(3):
            orders.send(300)
            victim = plane.workers.pop(0)
            victim.signal_all(signal.SIGKILL)
            orders.send(300)
            victim.process.wait(20)
            plane.worker()
        for pid in plane.workers[0].host_pids():
            os.kill(pid, signal.SIGKILL)
        orders.send(300)
        orders.close()
        assert orders.check(sinks["minutes"]) > 0
        assert orders.check_sessions(sinks["visits"]) > 0
        orders.check_changes(sinks["sums"])
        assert {job["status"] for job in plane.jobs().values()} == {"RUNNING"}


@pytest.mark.parametrize(
    ("step", "times"), [(Step.SAVE, 9), (Step.FLUSH, 9), (Step.COMMIT, 9), (Step.REPORT, 2)], ids=str
)
def test_snapshots_come_and_go_while_the_host_dies(plane: System, step: Step, times: int) -> None:
    """The chunks of those that are gone are deleted, and the last one is whole."""
    name = f"kill_{step}_{times}_kept"
    orders, sink, other = Orders(plane, name), plane.topic(f"{name}-out"), plane.topic(f"{name}-too")
    options = f"parallelism '2', onLate 'skip', {OFTEN}"
    plane.done(f"CREATE JOB {name} OPTIONS ({options}) AS {orders.windows(sink)}")
    made = 0

    def is_killed_while_snapshots_are_made() -> bool:
        nonlocal made
        orders.send(100)
        plane.done(f"CREATE SNAPSHOT {name}{made % 3} FOR JOB {name}")
        plane.sql(f"DROP SNAPSHOT IF EXISTS {name}{(made + 1) % 3}")
        made += 1
        return (plane.folder / name).exists() and made > 5

    until(is_killed_while_snapshots_are_made, 90, "the host was killed")
    last = f"{name}{(made - 1) % 3}"
    before = totals_in(plane.read(sink))
    for i in range(3):
        if f"{name}{i}" != last:
            plane.sql(f"DROP SNAPSHOT IF EXISTS {name}{i}")
    orders.send(1_000)
    plane.done(f"ALTER JOB {name} RESTART")
    plane.done(f"CREATE JOB {name}_2 OPTIONS ({options}, initialSnapshotName '{last}') AS {orders.windows(other)}")
    orders.close()
    orders.check(sink)
    totals, _ = orders.expected()
    until(lambda: totals.keys() <= before.keys() | totals_in(plane.read(other)).keys(), 60, "all windows")
    assert (before | totals_in(plane.read(other))).items() <= totals.items()
    plane.done(f"DROP SNAPSHOT {last}")
    uid = plane.about(f"DESCRIBE JOB {name}")["uid"]

    def chunks() -> int:
        newest = {one.key(): one.value() for one in plane.read(f"{plane.prefix}job.{uid}.state")}
        return sum(value is not None for value in newest.values())

    until(lambda: chunks() <= orders.partitions, 30, "only the chunks of the last window are left")
    for job in (name, f"{name}_2"):
        plane.done(f"DROP JOB {job}")
