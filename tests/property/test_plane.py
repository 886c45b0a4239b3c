"""What must hold of the control plane whatever is said to it, in whatever order."""

from collections.abc import Iterator
from importlib import import_module

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobplane.controlplane.core.evolve import fold
from jobplane.controlplane.core.reconcile import tasks_of
from jobplane.controlplane.core.state import State
from jobplane.controlplane.core.transitions import next_status
from jobplane.controlplane.topics import COMMANDS, TASK_PARTITIONS
from jobplane.schemas.records.events import Event, Outcome, TaskSnapshotted
from jobplane.schemas.records.failure import Failure
from jobplane.schemas.records.offsets import PartitionOffset, SourceOffsets
from jobplane.schemas.records.reports import Report, ReportKind
from jobplane.schemas.records.snapshots import SnapshotPart
from jobplane.schemas.records.sources import sources_by_topic
from jobplane.schemas.records.state import TASK_ENDED, Phase, Status, Target
from jobplane.schemas.wire.codec import decode, decode_record, encode
from tests.support.plane import Plane, topic

NAMES = st.sampled_from(["a", "b", "c"])
STATEMENTS = st.one_of(
    st.builds("CREATE JOB {} AS INSERT INTO out SELECT * FROM src".format, NAMES),
    st.builds(
        "CREATE JOB IF NOT EXISTS {} OPTIONS (parallelism '2') AS INSERT INTO out SELECT id FROM src".format, NAMES
    ),
    st.builds(
        "CREATE JOB {} OPTIONS (initialSnapshotName '{}') AS INSERT INTO out SELECT * FROM src".format, NAMES, NAMES
    ),
    st.builds("CREATE JOB {} OPTIONS (suspendOnFailure 'false') AS INSERT INTO out SELECT * FROM src".format, NAMES),
    st.builds("ALTER JOB {} {}".format, NAMES, st.sampled_from(["SUSPEND", "RESUME", "RESTART"])),
    st.builds("CREATE JOB {} OPTIONS (stopAt 'latest') AS INSERT INTO out SELECT * FROM src".format, NAMES),
    st.builds(
        "ALTER JOB {} OPTIONS (parallelism '{}', metricsEnabled 'false'){}".format,
        *(NAMES, st.integers(1, 4), st.sampled_from(["", " RESUME"])),
    ),
    st.builds("CREATE OR REPLACE MAPPING {} EXTERNAL NAME src (id BIGINT) TYPE Kafka".format, NAMES),
    st.builds("CREATE JOB {} AS INSERT INTO out SELECT id FROM {}".format, NAMES, NAMES),
    st.builds(
        "CREATE JOB {} AS INSERT INTO out SELECT id FROM {} UNION ALL SELECT id FROM src".format,
        *(NAMES, st.one_of(NAMES, st.just("more"))),
    ),
    st.builds("DROP MAPPING {}".format, NAMES),
    st.builds("DROP JOB {}".format, NAMES),
    st.builds("DROP JOB IF EXISTS {} WITH SNAPSHOT {}".format, NAMES, NAMES),
    st.builds("CREATE SNAPSHOT {} FOR JOB {}".format, NAMES, NAMES),
    st.builds("DROP SNAPSHOT {}".format, NAMES),
    st.text(max_size=20),
)
COMMANDS_SAID = st.tuples(st.just("command"), STATEMENTS, st.sampled_from(["", "", "", "id-1", "id-2"]))
REPORTS_SAID = st.tuples(st.sampled_from(list(ReportKind)), st.integers(0, 40), st.integers(0, 3), st.integers(-1, 1))
SAID = st.lists(st.one_of(COMMANDS_SAID, REPORTS_SAID, REPORTS_SAID), max_size=60)


@pytest.fixture(autouse=True, scope="module")
def strict_reports() -> Iterator[None]:
    """Unforeseen transitions are faults for reports too, so that `play` finds them."""
    with pytest.MonkeyPatch.context() as patch:
        for module in ("reports", "drop_job"):
            patch.setattr(import_module(f"jobplane.controlplane.core.decide.{module}"), "reported_status", next_status)
        yield


def play(said: list[tuple[object, ...]]) -> Plane:
    plane = Plane({"src": topic(4), "out": topic(4), "more": topic(2)})
    for one in said:
        if one[0] == "command":
            outcomes = [event for event in plane.command(str(one[1]), str(one[2])) if isinstance(event.body, Outcome)]
            assert len(outcomes) == 1, "a command has exactly one outcome"
        elif plane.tasks:
            plane.report(report(plane, *one))  # type: ignore[arg-type]
    assert not plane.faults, "judging met a fault, perhaps an unforeseen transition"
    return plane


def report(plane: Plane, said: ReportKind, which: int, attempts: int, generations: int) -> Report:
    """A report of some present task, perhaps of an older generation or attempt."""
    task = list(plane.tasks.values())[which % len(plane.tasks)]
    snapshot = task.snapshots[0] if task.snapshots else None
    held = tuple(
        SourceOffsets(one.topic, one.topic_id, (PartitionOffset(task.task, which),) if one.start[task.task :] else ())
        for one in sources_by_topic(task.sources).values()
    )
    part = SnapshotPart(task.task, f"{snapshot}/{task.key}", which, "digest", held)
    failure = Failure("BAD_RECORD", "bad", "src-0@1")
    return Report(
        task.uid,
        task.task,
        task.generation + generations,
        task.attempt + attempts - 1,
        said,
        "w",
        failure,
        snapshot,
        part,
    )


@given(SAID, st.data())
def test_any_prefix_and_the_rest_give_the_live_state(said: list[tuple[object, ...]], data: st.DataObject) -> None:
    plane = play(said)
    cut = data.draw(st.integers(0, len(plane.events)))
    state = State()
    for event in plane.events[:cut]:
        fold(state, event)
    restored = State(data.draw(st.permutations(list(state.records().items()))))
    assert restored == state
    for event in plane.events[max(0, cut - 3) :]:  # events folded before change nothing
        fold(restored, decode(encode(event), Event))
    assert restored == plane.state
    assert restored.names == plane.state.names
    assert restored.load == plane.state.load
    assert list(restored.answers) == list(plane.state.answers)


@given(SAID)
def test_what_is_written_follows_from_the_state(said: list[tuple[object, ...]]) -> None:
    plane = play(said)
    wanted = {key: task for job in plane.state.jobs.values() for key, task in tasks_of(job).items()}
    assert plane.tasks == wanted
    for key, record in plane.state.records().items():
        assert decode_record(encode(record)) == record, key
    assert [event.seq for event in plane.events] == list(range(1, len(plane.events) + 1))
    load = [0] * TASK_PARTITIONS
    for job in plane.state.jobs.values():
        for task in job.tasks:
            load[task.partition] += not job.closed
    assert plane.state.load == load


@given(SAID)
def test_two_jobs_of_one_name_never_run_at_once(said: list[tuple[object, ...]]) -> None:
    plane = play(said)
    with_tasks = [job.name for job in plane.state.jobs.values() if tasks_of(job)]
    assert len(with_tasks) == len(set(with_tasks))
    for job in plane.state.jobs.values():
        assert not job.waits_for or not plane.state.jobs[job.waits_for].closed


@given(SAID)
def test_every_job_is_in_a_status_its_target_allows(said: list[tuple[object, ...]]) -> None:
    plane = play(said)
    allowed = {
        Target.RUN: {Status.NOT_RUNNING, Status.STARTING, Status.RUNNING},
        Target.SUSPEND: {Status.SUSPENDING, Status.SUSPENDED, Status.SUSPENDED_EXPORTING_SNAPSHOT},
        Target.END: {Status.CANCELLING, Status.COMPLETING, Status.CANCELLED, Status.COMPLETED, Status.FAILED},
    }
    for job in plane.state.jobs.values():
        assert job.status in allowed[job.target]
        stopped = all(task.phase in TASK_ENDED for task in job.tasks)
        if job.closed:
            assert job.status in (Status.CANCELLED, Status.COMPLETED, Status.FAILED)
        elif job.target is Target.SUSPEND:
            assert stopped == (job.status in (Status.SUSPENDED, Status.SUSPENDED_EXPORTING_SNAPSHOT))
        if job.status is Status.RUNNING:
            assert all(task.phase in (Phase.RUNNING, Phase.COMPLETED) for task in job.tasks)


@given(SAID)
def test_snapshot_records_go_only_when_nobody_needs_them(said: list[tuple[object, ...]]) -> None:
    plane = play(said)
    gone = {write.key for write in plane.writes if write.topic == "snapshots"}
    came = {event.body.part.key for event in plane.events if isinstance(event.body, TaskSnapshotted)}
    awaited = {part.key for job in plane.state.jobs.values() for one in job.pending for part in one.parts}
    needed = {part.key for snapshot in plane.state.snapshots.values() for part in snapshot.parts}
    needed |= {part.key for job in plane.state.jobs.values() if job.restore for part in job.restore.parts}
    assert came - gone == needed | awaited


@given(st.lists(st.binary(max_size=40), max_size=10))
@settings(max_examples=50)
def test_poison_is_refused_and_the_log_goes_on(values: list[bytes]) -> None:
    plane = Plane({"src": topic(1), "out": topic(1)})
    for value in values:
        plane.command(value)
    plane.command("CREATE JOB good AS INSERT INTO out SELECT * FROM src")
    assert plane.state.live_job("good") is not None
    assert plane.state.position.commands == len(values) + 1
    assert all(event.cause.topic == COMMANDS for event in plane.events)
