"""What was: the state after any event, and the rows of a job's life."""

from jobplane.controlplane.core.evolve import fold, job_name
from jobplane.controlplane.core.state import State
from jobplane.controlplane.log import history
from jobplane.controlplane.log.events_topic import Entry
from jobplane.controlplane.log.history import HISTORY_COLUMNS, JobHistory, entries_until, fold_entries
from jobplane.schemas.records.failure import Failure
from jobplane.schemas.records.reports import Report, ReportKind
from jobplane.schemas.wire.codec import encode
from tests.support.plane import Plane, topic

CREATE = "CREATE JOB {} AS INSERT INTO out SELECT * FROM src"


def lived() -> tuple[Plane, list[Entry]]:
    """A job that fails, is resumed and dropped, another beside it, and a second life of the name."""
    plane = Plane({"src": topic(1), "out": topic(1)})
    plane.command(CREATE.format("a"), "first")
    plane.command(CREATE.format("b"))
    task = next(task for task in plane.tasks.values() if task.job == "a")
    plane.report(Report(task.uid, 0, 1, 1, ReportKind.RUNNING, "w1"))
    plane.report(Report(task.uid, 0, 1, 1, ReportKind.FAILED, "w1", Failure("BAD_RECORD", "no", "src-0@7")))
    plane.command(CREATE.format("a"), "first")
    plane.command("ALTER JOB a RESUME")
    plane.command("DROP JOB a")
    plane.report(Report(task.uid, 0, 2, 2, ReportKind.STOPPED, "w1"))
    plane.command(CREATE.format("a"))
    return plane, entries(plane)


def entries(plane: Plane) -> list[Entry]:
    """The events as in a log where each was a transaction of its own; their keys are the names of their jobs."""
    state, found = State(), []
    for at, event in enumerate(plane.events):
        found.append(Entry(2 * at, event.time + at, job_name(state, event), event))
        fold(state, event)
    return found


def told(job: str, events: list[Entry]) -> list[history.Row]:
    story = JobHistory(job)
    for entry in events:
        if story.may_concern(entry.job.encode(), encode(entry.event)):
            story.add(entry)
    return story.rows


def test_the_state_after_each_event_is_what_it_was() -> None:
    _, events = lived()
    state = State()
    for at, entry in enumerate(events):
        fold(state, entry.event)
        assert fold_entries(events[: at + 1]) == fold_entries(entries_until(events, entry.time)) == state
    assert fold_entries(entries_until(events, events[0].time - 1)) == State()
    assert fold_entries(entries_until(events, None)) == state


def test_a_time_is_the_place_before_the_first_later_event() -> None:
    _, events = lived()
    events[3] = Entry(events[3].offset, events[3].time + 10_000, events[3].job, events[3].event)
    assert list(entries_until(events, events[4].time)) == events[:3]


def test_a_name_has_the_rows_of_all_its_jobs() -> None:
    plane, events = lived()
    rows = told("a", events)
    assert [(row["event"], row["status"], row["generation"]) for row in rows] == [
        ("JobCreated", "NOT_RUNNING", 1),
        ("TaskStarted", "RUNNING", 1),
        ("TaskFailed", "SUSPENDED", 1),
        ("CommandRepeated", "SUSPENDED", 1),
        ("JobResumed", "NOT_RUNNING", 2),
        ("JobDropped", "CANCELLING", 2),
        ("TaskStopped", "CANCELLING", 2),
        ("JobClosed", "CANCELLED", 2),
        ("JobCreated", "NOT_RUNNING", 1),
    ]
    assert all(tuple(row) == HISTORY_COLUMNS for row in rows)
    assert [row["offset"] for row in rows] == sorted({row["offset"] for row in rows})
    assert len({row["uid"] for row in rows}) == 2
    assert rows[2]["detail"] == "task 0: BAD_RECORD: no (src-0@7)"
    assert (rows[0]["command_id"], rows[1]["command_id"], rows[4]["command_id"]) == ("first", "", "c-3")
    assert [plane.events[row["offset"] // 2].seq for row in rows] == [row["offset"] // 2 + 1 for row in rows]


def test_a_uid_has_its_own_rows_only() -> None:
    _, events = lived()
    uid = told("a", events)[0]["uid"]
    assert told(uid, events) == told("a", events)[:-1]
    assert told("nobody", events) == []
