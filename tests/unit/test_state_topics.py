"""The state of a job's groups is deleted when nobody needs it: neither the job, nor a snapshot, nor a job restored."""

from collections.abc import Iterable

from jobplane.controlplane.core.state_topics import ClosedStates
from jobplane.schemas.records.events import Event
from jobplane.schemas.records.offsets import PartitionOffset, SourceOffsets
from jobplane.schemas.records.reports import Report, ReportKind
from jobplane.schemas.records.snapshots import SnapshotPart
from tests.support.plane import Plane, topic

GROUPS = "AS INSERT INTO out SELECT user, COUNT(*) AS n FROM src GROUP BY user"


class Watched:
    """A plane, and the jobs whose states were found to be needed no more."""

    def __init__(self) -> None:
        self.plane = Plane({"src": topic(1), "out": topic(1)})
        self.closed = ClosedStates(self.plane.state, ())

    def command(self, sql: str) -> set[str]:
        return self._released(self.plane.command(sql))

    def command_offset(self, sql: str) -> int:
        self.command(sql)
        return self.plane.commands - 1

    def kept(self, job: str) -> tuple[int, ...]:
        """The versions of the job's snapshots that its newest tasks know of."""
        return next(one.kept for one in self.plane.state.jobs.values() if one.name == job)

    def report(self, said: ReportKind, job: str) -> set[str]:
        """The released states, as names of jobs."""
        held = next(one for one in self.plane.state.jobs.values() if one.name == job and not one.closed)
        request = held.pending[0].request if held.pending else None
        offsets = (SourceOffsets("src", held.sources[0].topic_id, (PartitionOffset(0, 40),)),)
        part = SnapshotPart(0, "key", 7, "digest", offsets) if said is ReportKind.SNAPSHOTTED else None
        attempt = held.tasks[0].attempt + (said is ReportKind.RUNNING)
        report = Report(held.uid, 0, held.generation, attempt, said, "w", snapshot=request, part=part)
        return self._released(self.plane.report(report))

    def _released(self, events: Iterable[Event]) -> set[str]:
        events = [*events]
        if not ClosedStates.may_release(events):
            return set()
        return {self.plane.state.jobs[uid].name for uid in self.closed.released(self.plane.state, events)}

    def end(self, job: str) -> set[str]:
        return self.command(f"DROP JOB {job}") | self.report(ReportKind.STOPPED, job)

    def snapshot(self, name: str, job: str) -> set[str]:
        return self.command(f"CREATE SNAPSHOT {name} FOR JOB {job}") | self.report(ReportKind.SNAPSHOTTED, job)


def test_a_state_goes_with_its_job() -> None:
    watched = Watched()
    watched.command(f"CREATE JOB a {GROUPS}")
    watched.command("CREATE JOB plain AS INSERT INTO out SELECT * FROM src")
    assert watched.report(ReportKind.RUNNING, "a") == set()
    assert watched.end("plain") == set(), "it had none"
    assert watched.end("a") == {"a"}


def test_a_state_stays_for_a_snapshot_and_for_a_job_that_is_restored() -> None:
    watched = Watched()
    watched.command(f"CREATE JOB a {GROUPS}")
    watched.report(ReportKind.RUNNING, "a")
    assert watched.snapshot("one", "a") == set()
    assert watched.end("a") == set()
    assert watched.command(f"CREATE JOB b OPTIONS (initialSnapshotName 'one') {GROUPS}") == set()
    assert watched.command("DROP SNAPSHOT one") == set(), "b needs it still"
    assert watched.report(ReportKind.RUNNING, "b") == {"a"}
    assert watched.end("b") == {"b"}


def test_a_snapshot_that_is_replaced_releases_a_state() -> None:
    watched = Watched()
    for job in ("a", "b"):
        watched.command(f"CREATE JOB {job} {GROUPS}")
        watched.report(ReportKind.RUNNING, job)
    watched.snapshot("one", "a")
    assert watched.end("a") == set()
    assert watched.snapshot("one", "b") == {"a"}


def test_what_was_not_deleted_is_found_at_the_next_start() -> None:
    watched = Watched()
    watched.command(f"CREATE JOB a {GROUPS}")
    watched.report(ReportKind.RUNNING, "a")
    watched.end("a")
    (job,) = watched.plane.state.jobs.values()
    assert ClosedStates(watched.plane.state, [job.uid]).released(watched.plane.state) == {job.uid}


def test_a_job_that_never_starts_holds_only_the_state_it_is_created_from() -> None:
    watched = Watched()
    for job in ("a", "b"):
        watched.command(f"CREATE JOB {job} {GROUPS}")
        watched.report(ReportKind.RUNNING, job)
    watched.snapshot("one", "a")
    watched.command(f"CREATE JOB c OPTIONS (initialSnapshotName 'one') {GROUPS}")
    assert watched.end("b") == {"b"}
    watched.command("DROP SNAPSHOT one")
    assert watched.end("a") == set()
    assert watched.end("c") == {"a", "c"}


def test_a_snapshot_of_a_job_that_has_not_started_holds_what_that_is_created_from() -> None:
    """Its parts are copies of those that the job has not begun with yet."""
    watched = Watched()
    watched.command(f"CREATE JOB a {GROUPS}")
    watched.report(ReportKind.RUNNING, "a")
    watched.snapshot("one", "a")
    (version,) = watched.kept("a")
    watched.command(f"CREATE JOB b OPTIONS (initialSnapshotName 'one') {GROUPS}")
    watched.snapshot("two", "b")
    watched.report(ReportKind.RUNNING, "b")
    watched.command("DROP SNAPSHOT one")
    assert watched.kept("a") == (version,)
    assert watched.end("a") == set()
    watched.command(f"CREATE JOB c OPTIONS (initialSnapshotName 'two') {GROUPS}")
    watched.command("DROP SNAPSHOT two")
    assert watched.report(ReportKind.RUNNING, "c") == {"a"}


def test_tasks_know_which_versions_of_snapshots_there_are() -> None:
    watched = Watched()
    watched.command(f"CREATE JOB a {GROUPS}")
    watched.report(ReportKind.RUNNING, "a")
    first = watched.command_offset("CREATE SNAPSHOT one FOR JOB a")
    assert watched.kept("a") == (first,), "it is under way"
    watched.report(ReportKind.SNAPSHOTTED, "a")
    second = watched.command_offset("CREATE SNAPSHOT two FOR JOB a")
    watched.report(ReportKind.SNAPSHOTTED, "a")
    assert watched.kept("a") == (first, second)
    third = watched.command_offset("CREATE OR REPLACE SNAPSHOT one FOR JOB a")
    assert watched.kept("a") == (first, second, third), "the older one is there until the newer is complete"
    watched.report(ReportKind.SNAPSHOTTED, "a")
    assert watched.kept("a") == (second, third)
    watched.command(f"CREATE JOB b OPTIONS (initialSnapshotName 'two') {GROUPS}")
    watched.command("DROP SNAPSHOT two")
    assert watched.kept("a") == (second, third), "b has not begun with it"
    watched.report(ReportKind.RUNNING, "b")
    assert watched.kept("a") == (third,)
    watched.command("DROP SNAPSHOT one")
    (task,) = (one for one in watched.plane.tasks.values() if one.job == "a")
    assert (task.asked, task.kept) == (third, ())


def test_snapshots_of_jobs_without_groups_change_no_task() -> None:
    watched = Watched()
    watched.command("CREATE JOB plain AS INSERT INTO out SELECT * FROM src")
    watched.report(ReportKind.RUNNING, "plain")
    watched.snapshot("one", "plain")
    assert watched.kept("plain") == ()


def test_a_topic_of_a_job_that_nobody_knows_is_deleted() -> None:
    plane = Watched().plane
    assert ClosedStates(plane.state, ["0a1b2c3d-7"]).released(plane.state) == {"0a1b2c3d-7"}
