"""The subject of a statement, which is a job, a snapshot or a mapping, and the line that reports its outcome. Pure."""

from dataclasses import dataclass
from typing import assert_never

from jobplane.schemas.names import quote_name
from jobplane.schemas.records.state import Answer
from jobplane.schemas.shown import to_one_line
from jobplane.sql.syntax import statements


@dataclass(frozen=True, slots=True)
class Subject:
    """`kind` is job, snapshot or mapping; `job` is the job of a snapshot, if the statement names it."""

    kind: str
    name: str
    job: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {quote_name(self.name)}" + (f" of job {quote_name(self.job)}" if self.job else "")


def subject_of(statement: statements.Statement) -> Subject | None:
    """None for a statement that changes nothing."""
    match statement:
        case statements.CreateJob(name=job) | statements.AlterJob(name=job) | statements.DropJob(name=job):
            return Subject("job", job.text)
        case statements.CreateSnapshot(snapshot=snapshot, job=job):
            return Subject("snapshot", snapshot.text, job.text)
        case statements.DropSnapshot(snapshot=snapshot):
            return Subject("snapshot", snapshot.text)
        case statements.CreateMapping(name=mapping) | statements.DropMapping(name=mapping):
            return Subject("mapping", mapping.text)
        case (
            statements.Show()
            | statements.ShowCreate()
            | statements.ShowHistory()
            | statements.Describe()
            | statements.Explain()
        ):
            return None
        case never:
            assert_never(never)


def outcome_line(reply: Answer, subject: Subject | None, status: str) -> str:
    """Verdict, kind, name and, of a job, its status: `accepted job big RUNNING`; then what the decider says of it."""
    if subject is None and reply.name:  # the command's text is not there any more
        subject = Subject("job", reply.name)
    words = [reply.verdict]
    if subject is not None:
        words.append(str(subject))
        words += [status] if subject.kind == "job" and status else []
    return to_one_line(" ".join(words) + (f": {reply.message}" if reply.message else ""))
