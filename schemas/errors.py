"""Every error a person or a program can meet, as one tree.

    JobplaneError
    ├── Refused          a statement that is not carried out; has a place in its text
    ├── JobFailure       what stops a job; has the place of the record, where there is one (schemas/failures.py)
    └── SetupError       what keeps a process from starting or reaching Kafka (schemas/setup_errors.py)

Each concrete class is one stable `code`. Its docstring is its documentation; it says with which exit code the command
line ends, and who can fix what is wrong. A new error is one class, and nothing else.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

from jobplane.schemas.blame import Blame, ExitCode
from jobplane.schemas.shown import to_printable


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a statement's text; line and column count from 1."""

    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.line}:{self.column}"


STATEMENT_START = Place(1, 1)
BY_CODE: "dict[str, type[JobplaneError]]" = {}
"""Every class with a code; those of a module once it is imported."""
LONGEST_MESSAGE = 1_000
"""Characters of a refusal's message; the part of the statement that it quotes may be longer."""


class JobplaneError(Exception):
    """The root. `message` says what was wrong and what to do next.

    The message can always be written and shown: control characters and half surrogate pairs are escaped, as in
    `\\x1b`.
    """

    code: ClassVar[str]
    again: ClassVar[bool] = False
    """Whether the same may succeed at another time, although nobody has changed anything."""
    exit_code: ClassVar[ExitCode] = ExitCode.FAILED
    """What the command line ends with."""
    blame: ClassVar[Blame]
    """Who can fix it."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "code" in vars(cls):
            BY_CODE[cls.code] = cls

    def __init__(self, message: str) -> None:
        self.message = to_printable(message)
        super().__init__(self.message)


class Refused(JobplaneError):
    """A statement that is not carried out. `place` is where in its text; a long message loses its middle."""

    exit_code = ExitCode.REFUSED
    blame = Blame.USER

    def __init__(self, message: str, place: Place = STATEMENT_START) -> None:
        half = LONGEST_MESSAGE // 2
        super().__init__(message if len(message) <= LONGEST_MESSAGE else f"{message[:half]} … {message[-half:]}")
        self.place = place


class BadSyntax(Refused):
    """The text is not a statement of the language."""

    code = "syntax"


class StatementTooLarge(Refused):
    """A statement has more than 64 KiB, or its topics, schemas and mappings have more than 900,000 bytes together."""

    code = "statement-too-large"


class NestedTooDeep(Refused):
    """Parentheses and brackets are nested more than 40 deep, or types and values more than 100 deep."""

    code = "nested-too-deep"


class NotUtf8(Refused):
    """The record on the command log is not UTF-8 text."""

    code = "not-utf8"


class BadEnvelope(Refused):
    """The record, or one of its headers, does not have a form that a command may have."""

    code = "bad-envelope"


class SelectNotAllowed(Refused):
    """A job writes to a topic, so CREATE JOB … AS SELECT has no place to return rows to."""

    code = "select-not-allowed"


class InsertNeedsJob(Refused):
    """An INSERT runs until its job is stopped; without CREATE JOB there is no job name to stop it by."""

    code = "insert-needs-job"


class ReadStatement(Refused):
    """SHOW, DESCRIBE and EXPLAIN change nothing: the client answers them, and the command log does not take them."""

    code = "read-statement"


class UnknownOption(Refused):
    """There is no option of this name."""

    code = "unknown-option"


class RepeatedOption(Refused):
    """An option is given twice."""

    code = "repeated-option"


class BadOptionValue(Refused):
    """The option does not take this value."""

    code = "bad-option-value"


class NotSupported(Refused):
    """This is part of the language, but this version does not run it."""

    code = "not-supported"


class TypeMismatch(Refused):
    """The types do not fit: no record could have a value that the operator or function takes."""

    code = "type-mismatch"


class ColumnMismatch(Refused):
    """The columns of the query do not match the columns that they are written to."""

    code = "column-mismatch"


class UnknownColumn(Refused):
    """The mapping of the source does not declare a column of this name."""

    code = "unknown-column"


class UnknownFunction(Refused):
    """There is no function of this name."""

    code = "unknown-function"


class UnknownType(Refused):
    """There is no type of this name."""

    code = "unknown-type"


class BadMapping(Refused):
    """The columns of a mapping contradict each other, or a path is not valid."""

    code = "bad-mapping"


class SchemaNotFound(Refused):
    """The schema registry has no schema for a topic in Avro."""

    code = "schema-not-found"


class SchemaIncompatible(Refused):
    """The schema registry does not accept the schema that a job would write with."""

    code = "schema-incompatible"


class NoRegistry(Refused):
    """A topic or command in Avro comes without its schema, and no schema registry is configured."""

    code = "no-registry"
    blame = Blame.OPERATOR


class RegistryRefused(Refused):
    """The schema registry refuses the workers, or its address is not that of a schema registry: fix the settings."""

    code = "registry-refused"
    blame = Blame.OPERATOR


class TopicNotFound(Refused):
    """The source or target topic does not exist, or no topic can have this name."""

    code = "topic-not-found"
    exit_code = ExitCode.NOT_FOUND


class TopicExists(Refused):
    """A topic of this name exists already."""

    code = "topic-exists"


class TopicRefused(Refused):
    """Kafka refuses to create a topic of this name, or with these partitions, replicas or settings."""

    code = "topic-refused"


class BadLine(Refused):
    """A line of the input does not have the form that the flags ask for."""

    code = "bad-line"


class PartitionNotFound(Refused):
    """The topic does not have a partition of this number."""

    code = "partition-not-found"
    exit_code = ExitCode.NOT_FOUND


class NotAuthorized(Refused):
    """Kafka does not let the workers read the description of a topic: an ACL must allow it first."""

    code = "not-authorized"
    blame = Blame.OPERATOR


class TopicReserved(Refused):
    """Topics whose names begin with the control plane's prefix are reserved."""

    code = "topic-reserved"


class SinkIsSource(Refused):
    """A job may not read the topic that it writes to: its output would never end."""

    code = "sink-is-source"


class JobExists(Refused):
    """A live job of this name exists already."""

    code = "job-exists"


class CommandNotFound(Refused):
    """The command log has no command at this offset."""

    code = "command-not-found"
    exit_code = ExitCode.NOT_FOUND


class JobDropping(Refused):
    """The job of this name is being dropped with a snapshot; the name is free once the snapshot is complete."""

    code = "job-dropping"
    again = True


class JobNotFound(Refused):
    """There is no live job of this name."""

    code = "job-not-found"
    exit_code = ExitCode.NOT_FOUND


class JobNotRunning(Refused):
    """The command needs a job that has not been suspended."""

    code = "job-not-running"


class JobNotSuspended(Refused):
    """The command needs a job that is suspended."""

    code = "job-not-suspended"


class OptionNotAlterable(Refused):
    """The option cannot be changed after CREATE JOB: what the job has written depends on it."""

    code = "option-not-alterable"


class MappingExists(Refused):
    """A mapping of this name exists already."""

    code = "mapping-exists"


class MappingNotFound(Refused):
    """There is no mapping of this name."""

    code = "mapping-not-found"
    exit_code = ExitCode.NOT_FOUND


class MappingInUse(Refused):
    """Live jobs use the mapping."""

    code = "mapping-in-use"


class NoCheckpoints(Refused):
    """A job with processingGuarantee 'none' keeps no checkpoints, so a snapshot has nothing to copy."""

    code = "no-checkpoints"


class SnapshotNotFound(Refused):
    """There is no snapshot of this name."""

    code = "snapshot-not-found"
    exit_code = ExitCode.NOT_FOUND


class SnapshotMismatch(Refused):
    """The query reads other topics than the snapshot, or a topic was recreated, or lost partitions or offsets."""

    code = "snapshot-mismatch"


class DeadLetterNotFound(Refused):
    """The job has no dead letter at this place."""

    code = "dead-letter-not-found"
    exit_code = ExitCode.NOT_FOUND


class OffsetNotFound(Refused):
    """The events do not reach the offset or instant that AS OF names, or a topic ends before the offset."""

    code = "offset-not-found"
    exit_code = ExitCode.NOT_FOUND


class CommandIdReused(Refused):
    """A command with this id but another text was sent before."""

    code = "command-id-reused"


class EarlierRefused(Refused):
    """The command that this one names in `after` was refused, or there is none with that id before this one."""

    code = "earlier-refused"


class FactsUnavailable(Refused):
    """Kafka or the schema registry did not answer in time; send the statement again with a new command id."""

    code = "facts-unavailable"
    again = True
    blame = Blame.KAFKA


class InternalError(Refused):
    """A fault of jobplane, not of the statement. The worker's log has more under the reference in the message."""

    code = "internal-error"
    exit_code = ExitCode.FAILED
    blame = Blame.JOBPLANE


def refusal_exit(code: str) -> int:
    """The exit code of a refusal; of one that this version does not know it is that of any refusal."""
    return (BY_CODE.get(code) or Refused).exit_code
