"""Golden sessions: what is said to the control plane, and what it decides, as text a reviewer can read.

A session is blocks of input, `----`, output. An input is a statement, or a line that begins with `!`:
`! running a`, `! stopped a/1`, `! completed a`, `! failed a/0 BAD_RECORD …`, `! snapshotted a s`,
`! topic name partitions [id]`,
`! id x1 STATEMENT` (a command id), `! after x1 x2 STATEMENT` (refused if x1 was), `! kafka silent`,
`! registry there` (or `silent`, `none`), `! subject name SCHEMA`. A name means the oldest job of that
name whose end is still open. UPDATE_GOLDEN=1 rewrites the outputs.
"""

import os
from pathlib import Path

import pytest

from jobplane.controlplane.core.outcome import answer_of
from jobplane.schemas.records.events import CommandRefused, CommandUnchanged, Event
from jobplane.schemas.records.failure import Failure
from jobplane.schemas.records.offsets import PartitionOffset, SourceOffsets
from jobplane.schemas.records.reports import Report, ReportKind
from jobplane.schemas.records.snapshots import SnapshotPart, SnapshotRequest
from jobplane.schemas.records.sources import sources_by_topic
from jobplane.schemas.records.state import Job
from tests.support.plane import Plane, topic
from tests.support.subjects import Subjects

FOLDER = Path(__file__).parent / "sessions"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.txt")), ids=lambda path: path.stem)
def test_session(path: Path) -> None:
    text = path.read_text()
    played = play(text)
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(played)
    assert played == text


def play(text: str) -> str:
    plane = Plane({name: topic(4, topic_id=f"id-{name}") for name in ("src", "out", "other")})
    blocks = []
    for block in text.strip().split("\n\n"):
        said = block.partition("\n----")[0]
        lines = list(shown(plane, tell(plane, said)))
        blocks.append("\n".join([said, "----", *lines]))
    return "\n\n".join(blocks) + "\n"


def shown(plane: Plane, events: list[Event]) -> list[str]:
    statuses = " ".join(f"{name} {status}" for name, status in plane.statuses().items())
    lines = [line(event) for event in events] or ["nothing"]
    return [f"{lines[0]:<50}  {statuses}".rstrip(), *lines[1:]]


def line(event: Event) -> str:
    body = event.body
    reply = answer_of(event, "")
    notices = "".join(f" [{notice}]" for notice in getattr(body, "notices", ()))
    match body:
        case CommandRefused():
            return f"refused {body.code} {body.line}:{body.column}"
        case CommandUnchanged():
            return "unchanged" + notices
    name = type(body).__name__
    if reply is not None and name == "CommandRepeated":
        return f"repeated {reply.verdict} of offset {reply.offset}"
    detail = [str(getattr(body, part)) for part in ("task", "generation") if hasattr(body, part)]
    status = [str(body.status)] if hasattr(body, "status") else []
    return " ".join([name, *detail, *status]) + notices


def tell(plane: Plane, said: str) -> list[Event]:
    if not said.startswith("!"):
        return plane.command(said)
    word, *rest = said.removeprefix("!").split()
    match word:
        case "topic":
            plane.topics[rest[0]] = topic(int(rest[1]), topic_id=rest[2] if rest[2:] else f"id-{rest[0]}")
            return []
        case "kafka":
            plane.unavailable = "describe_topics took more than 5.0 s" if rest == ["silent"] else ""
            return []
        case "registry":
            plane.registry = (plane.registry or Subjects()) if rest != ["none"] else None
            if plane.registry is not None:
                plane.registry.silent = rest == ["silent"]
            return []
        case "subject" if plane.registry is not None:
            plane.registry.register(rest[0], " ".join(rest[1:]))
            return []
        case "id":
            return plane.command(" ".join(rest[1:]), rest[0])
        case "after":
            return plane.command(" ".join(rest[2:]), rest[1], after=rest[0])
    who, *details = rest
    name, _, index = who.partition("/")
    job = next(job for job in plane.state.jobs.values() if job.name == name and not job.closed)
    events = []
    for task in [int(index)] if index else range(len(job.tasks)):
        known = plane.state.jobs[job.uid].tasks[task]
        attempt = known.attempt + (word == "running")
        request = next((p.request for p in job.pending if details and p.request.name == details[0]), None)
        events += plane.report(report(ReportKind(word), job, task, attempt, request, details))
    return events


def report(
    said: ReportKind, job: Job, task: int, attempt: int, request: SnapshotRequest | None, details: list[str]
) -> Report:
    failure = (
        Failure(details[0], " ".join(details[1:])) if said in (ReportKind.FAILED, ReportKind.SNAPSHOT_FAILED) else None
    )
    part = None
    if said is ReportKind.SNAPSHOTTED:
        held = tuple(
            SourceOffsets(one.topic, one.topic_id, (PartitionOffset(task, 40 + task),) if one.start[task:] else ())
            for one in sources_by_topic(job.sources).values()
        )
        part = SnapshotPart(task, f"{details[0]}/{task}", task, f"digest{task}", held)
    if said is ReportKind.SNAPSHOT_FAILED:
        failure = Failure("SNAPSHOT_LOST", "no")
    return Report(job.uid, task, job.generation, attempt, said, "w", failure, request, part)
