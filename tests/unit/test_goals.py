"""When a statement has had its effect, and when it cannot have it any more."""

from jobplane.controlplane.core.goals import Goal, Proof, goal_of, is_left_at_rest, rest_remark
from jobplane.controlplane.core.outcome import answer_of
from jobplane.schemas.records.events import Event
from jobplane.schemas.records.failure import Failure
from jobplane.schemas.records.reports import Report, ReportKind
from jobplane.schemas.records.snapshots import SnapshotPart
from jobplane.sql.syntax.parser import parse
from tests.support.plane import Plane, topic

CREATE = "CREATE JOB a OPTIONS (parallelism '1') AS INSERT INTO out SELECT * FROM src"


def plane() -> Plane:
    return Plane({"src": topic(2), "out": topic(2)})


def aim(sql: str, events: list[Event]) -> Goal:
    reply = answer_of(events[0], "a")
    assert reply is not None
    found = goal_of(parse(sql), reply)
    assert found is not None
    found.at(getattr(events[0].body, "status", ""))
    for event in events[1:]:
        found.see(event)
    return found


def said(world: Plane, word: ReportKind, **details: object) -> list[Event]:
    job = next(reversed(world.state.jobs.values()))
    attempt = job.tasks[0].attempt + (word is ReportKind.RUNNING)
    return world.report(Report(job.uid, 0, job.generation, attempt, word, "w", **details))  # type: ignore[arg-type]


def see(goal: Goal, events: list[Event]) -> Goal:
    for event in events:
        goal.see(event)
    return goal


def test_create_waits_until_running() -> None:
    world = plane()
    found = aim(CREATE, world.command(CREATE))
    assert not found.over
    assert see(found, said(world, ReportKind.RUNNING)).reached


def test_create_ends_with_the_cause_when_the_job_fails() -> None:
    world = plane()
    found = aim(CREATE, world.command(CREATE))
    see(found, said(world, ReportKind.FAILED, failure=Failure("DATA_LOST", "gone")))
    assert found.over
    assert not found.reached
    assert "DATA_LOST: gone" in found.failure


def test_drop_waits_for_the_end_and_suspend_for_rest() -> None:
    world = plane()
    world.command(CREATE)
    said(world, ReportKind.RUNNING)
    found = aim("ALTER JOB a SUSPEND", world.command("ALTER JOB a SUSPEND"))
    assert not found.over
    assert see(found, said(world, ReportKind.STOPPED)).reached
    assert aim("DROP JOB a", world.command("DROP JOB a")).reached


def test_a_snapshot_is_awaited_until_it_is_closed() -> None:
    world = plane()
    world.command(CREATE)
    said(world, ReportKind.RUNNING)
    found = aim("CREATE SNAPSHOT s FOR JOB a", world.command("CREATE SNAPSHOT s FOR JOB a"))
    assert not found.over
    request = next(iter(world.tasks.values())).snapshots[0]
    part = SnapshotPart(0, "k", 0, "d", ())
    assert see(found, said(world, ReportKind.SNAPSHOTTED, snapshot=request, part=part)).reached


def test_a_drop_with_snapshot_is_over_when_the_job_is_closed_or_the_snapshot_failed() -> None:
    for word, reached in ((ReportKind.SNAPSHOTTED, True), (ReportKind.SNAPSHOT_FAILED, False)):
        world = plane()
        world.command(CREATE)
        said(world, ReportKind.RUNNING)
        found = aim("DROP JOB a WITH SNAPSHOT s", world.command("DROP JOB a WITH SNAPSHOT s"))
        request = next(iter(world.tasks.values())).snapshots[0]
        details = {"snapshot": request, "part": SnapshotPart(0, "k", 0, "d", ()), "failure": Failure("X", "no")}
        see(found, said(world, word, **details))
        assert not found.reached
        see(found, said(world, ReportKind.STOPPED))
        assert found.over
        assert found.reached is reached


def test_a_repeat_about_another_job_changes_nothing() -> None:
    world = plane()
    found = aim(CREATE, world.command(CREATE))
    other = world.command("CREATE JOB b AS INSERT INTO out SELECT * FROM src")
    assert not see(found, other).over


BAD = Failure("BAD_RECORD", "not JSON", "src-0@3")


def suspended(world: Plane) -> None:
    """A job whose only task ran, and then failed at a record."""
    world.command(CREATE)
    said(world, ReportKind.RUNNING)
    said(world, ReportKind.FAILED, failure=BAD)


def test_a_job_that_runs_again_may_meet_what_stopped_it() -> None:
    for resume in ("ALTER JOB a RESUME", "ALTER JOB a OPTIONS (metricsEnabled 'false') RESUME"):
        world = plane()
        suspended(world)
        found = aim(resume, world.command(resume))
        assert see(found, said(world, ReportKind.RUNNING)).wants_proof
        see(found, said(world, ReportKind.FAILED, failure=BAD))
        assert (found.over, found.reached, found.failure) == (True, False, str(BAD))


def test_a_job_that_someone_suspends_has_nothing_more_to_prove() -> None:
    world = plane()
    suspended(world)
    found = aim("ALTER JOB a RESUME", world.command("ALTER JOB a RESUME"))
    see(found, said(world, ReportKind.RUNNING))
    see(found, world.command("ALTER JOB a SUSPEND"))
    assert (found.wants_proof, found.over, found.reached) == (False, True, True)


def test_what_was_unchanged_has_nothing_to_prove() -> None:
    world = plane()
    world.command(CREATE)
    said(world, ReportKind.RUNNING)
    assert not aim("ALTER JOB a RESUME", world.command("ALTER JOB a RESUME")).proves


def test_a_suspended_job_that_exists_is_left_at_rest() -> None:
    world = plane()
    suspended(world)
    again = CREATE.replace("JOB a", "JOB IF NOT EXISTS a")
    event = world.command(again)[0]
    reply = answer_of(event, "a")
    assert reply is not None
    assert is_left_at_rest(parse(again), reply, "SUSPENDED")
    assert not is_left_at_rest(parse(again), reply, "STARTING")
    assert rest_remark(next(iter(world.state.jobs.values()))) == (
        "job 'a' is SUSPENDED (BAD_RECORD: not JSON (src-0@3)) and stays so; to run it: ALTER JOB a RESUME"
    )


def test_a_drop_that_was_undone_is_a_failure() -> None:
    world = plane()
    world.command(CREATE)
    said(world, ReportKind.RUNNING)
    first = world.command("DROP JOB a WITH SNAPSHOT s")
    found = aim("DROP JOB IF EXISTS a", world.command("DROP JOB IF EXISTS a"))
    request = next(iter(world.tasks.values())).snapshots[0]
    see(found, said(world, ReportKind.SNAPSHOT_FAILED, snapshot=request, failure=Failure("SNAPSHOT_LOST", "gone")))
    see(found, said(world, ReportKind.STOPPED))
    assert first
    assert (found.over, found.failure) == (True, "the drop was undone: SUSPENDED")


def test_create_may_wait_for_the_first_records() -> None:
    world = plane()
    event = world.command(CREATE)[0]
    reply = answer_of(event, "a")
    assert reply is not None
    for first_records, proof in ((True, Proof.FIRST_RECORDS), (False, Proof.NONE)):
        found = goal_of(parse(CREATE), reply, first_records=first_records)
        assert found is not None
        assert found.proves is proof


def test_a_repeated_command_looks_back_at_its_job() -> None:
    for happens, reached, failure in (
        (lambda world: said(world, ReportKind.RUNNING), True, ""),
        (lambda world: said(world, ReportKind.FAILED, failure=BAD), False, str(BAD)),
        (lambda world: [said(world, ReportKind.RUNNING), world.command("ALTER JOB a SUSPEND")], True, ""),
        (
            lambda world: [
                said(world, ReportKind.RUNNING),
                world.command("DROP JOB a"),
                said(world, ReportKind.STOPPED),
            ],
            False,
            "the job has ended: CANCELLED",
        ),
    ):
        world = plane()
        found = aim(CREATE, world.command(CREATE))
        happens(world)
        found.look_back(next(iter(world.state.jobs.values())))
        assert (found.reached, found.failure) == (reached, failure)


def test_a_repeated_command_of_a_job_that_was_forgotten_is_done() -> None:
    found = aim(CREATE, plane().command(CREATE))
    found.look_back(None)
    assert found.reached


def test_a_job_that_completes_is_awaited_to_its_end() -> None:
    world = plane()
    create = CREATE.replace("parallelism '1'", "parallelism '1', stopAt 'latest'")
    found = aim(create, world.command(create))
    see(found, said(world, ReportKind.RUNNING))
    world.command("CREATE SNAPSHOT s FOR JOB a")
    see(found, said(world, ReportKind.COMPLETED))
    before = (found.status, found.over)
    found.at("COMPLETED", closed=True)
    assert (before, found.over, found.reached) == (("COMPLETING", False), True, True)
