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
"""Characters of a refusal; what it quotes of the statement may be longer."""


class JobplaneError(Exception):
    """The root. `message` says what was wrong and what to do next.

    It can always be written and shown: what a text cannot hold, or a terminal would obey, stands there as `\\x1b`.
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
    """A statement that is not carried out. `place` is where in its text; of a long message the middle is left out."""

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
    """A statement may have at most 64 KiB, and what follows from it 900,000 bytes: topics, schemas and mappings."""

    code = "statement-too-large"


class NestedTooDeep(Refused):
    """Parentheses and brackets may be nested at most 40 deep, and values in each other at most 100."""

    code = "nested-too-deep"


class NotUtf8(Refused):
    """The record on the command log is not UTF-8 text."""

    code = "not-utf8"


class BadEnvelope(Refused):
    """The record or one of its headers is none of the forms a command may have."""

    code = "bad-envelope"


class SelectNotAllowed(Refused):
    """A job writes to a topic: CREATE JOB … AS SELECT has nobody to return rows to."""

    code = "select-not-allowed"


class InsertNeedsJob(Refused):
    """An INSERT runs as long as its job; without CREATE JOB it would have no name to stop it by."""

    code = "insert-needs-job"


class ReadStatement(Refused):
    """SHOW and DESCRIBE read: the client answers them from the topics; the command log takes what changes something."""

    code = "read-statement"


class UnknownOption(Refused):
    """No option has this name."""

    code = "unknown-option"


class RepeatedOption(Refused):
    """An option was given twice."""

    code = "repeated-option"


class BadOptionValue(Refused):
    """The option does not take this value."""

    code = "bad-option-value"


class NotSupported(Refused):
    """The language knows this, this version does not run it."""

    code = "not-supported"


class TypeMismatch(Refused):
    """An operator was given operands that no record could satisfy."""

    code = "type-mismatch"


class ColumnMismatch(Refused):
    """The columns of the query do not fit the columns they are written to."""

    code = "column-mismatch"


class UnknownColumn(Refused):
    """The source is mapped, and its mapping declares no column of this name."""

    code = "unknown-column"


class UnknownFunction(Refused):
    """No function of the language has this name."""

    code = "unknown-function"


class UnknownType(Refused):
    """No type has this name."""

    code = "unknown-type"


class BadMapping(Refused):
    """The columns of a mapping contradict each other, or a path leads nowhere."""

    code = "bad-mapping"


class SchemaNotFound(Refused):
    """The schema registry holds no schema for a topic in Avro."""

    code = "schema-not-found"


class SchemaIncompatible(Refused):
    """The schema registry does not take the schema that a job would write by."""

    code = "schema-incompatible"


class NoRegistry(Refused):
    """A topic or command in Avro comes without its schema, and no schema registry is configured."""

    code = "no-registry"
    blame = Blame.OPERATOR


class RegistryRefused(Refused):
    """The schema registry does not let the workers in, or is not one: its settings must be changed first."""

    code = "registry-refused"
    blame = Blame.OPERATOR


class TopicNotFound(Refused):
    """The source or target topic does not exist, or no topic can have this name."""

    code = "topic-not-found"
    exit_code = ExitCode.NOT_FOUND


class TopicExists(Refused):
    """A topic has this name."""

    code = "topic-exists"


class TopicRefused(Refused):
    """Kafka does not make a topic of this name, or with these partitions, replicas or settings."""

    code = "topic-refused"


class BadLine(Refused):
    """A line that is to be a record of a topic does not have the form that the flags say."""

    code = "bad-line"


class PartitionNotFound(Refused):
    """The topic has fewer partitions."""

    code = "partition-not-found"
    exit_code = ExitCode.NOT_FOUND


class NotAuthorized(Refused):
    """Kafka does not let the workers see a topic: an ACL must allow it first."""

    code = "not-authorized"
    blame = Blame.OPERATOR


class TopicReserved(Refused):
    """Topics that begin with the control plane's prefix are its own."""

    code = "topic-reserved"


class SinkIsSource(Refused):
    """A job that reads what it writes never ends growing."""

    code = "sink-is-source"


class JobExists(Refused):
    """A live job has this name."""

    code = "job-exists"


class CommandNotFound(Refused):
    """The command log holds no command at this offset."""

    code = "command-not-found"
    exit_code = ExitCode.NOT_FOUND


class JobDropping(Refused):
    """The job of this name has ended but for a snapshot of it; the name is free when the snapshot is closed."""

    code = "job-dropping"
    again = True


class JobNotFound(Refused):
    """No live job has this name."""

    code = "job-not-found"
    exit_code = ExitCode.NOT_FOUND


class JobNotRunning(Refused):
    """The command needs a job that is meant to run."""

    code = "job-not-running"


class JobNotSuspended(Refused):
    """The command needs a job that is suspended."""

    code = "job-not-suspended"


class OptionNotAlterable(Refused):
    """The option is decided at CREATE JOB: what the job has written rests on it."""

    code = "option-not-alterable"


class MappingExists(Refused):
    """A mapping has this name."""

    code = "mapping-exists"


class MappingNotFound(Refused):
    """No mapping has this name."""

    code = "mapping-not-found"
    exit_code = ExitCode.NOT_FOUND


class MappingInUse(Refused):
    """Live jobs read or write through the mapping."""

    code = "mapping-in-use"


class NoCheckpoints(Refused):
    """A job with processingGuarantee 'none' keeps no checkpoints, so there is nothing to copy."""

    code = "no-checkpoints"


class SnapshotNotFound(Refused):
    """No snapshot has this name."""

    code = "snapshot-not-found"
    exit_code = ExitCode.NOT_FOUND


class SnapshotMismatch(Refused):
    """The topics read are not those of the snapshot, or one was recreated, lost partitions, or lost the offsets."""

    code = "snapshot-mismatch"


class DeadLetterNotFound(Refused):
    """The job has no dead letter at this place."""

    code = "dead-letter-not-found"
    exit_code = ExitCode.NOT_FOUND


class OffsetNotFound(Refused):
    """The log of events does not reach the offset or instant that AS OF names, or a topic ends before the offset."""

    code = "offset-not-found"
    exit_code = ExitCode.NOT_FOUND


class CommandIdReused(Refused):
    """A command id is known with another text."""

    code = "command-id-reused"


class FactsUnavailable(Refused):
    """Kafka or the schema registry did not tell in time what the verdict depends on; send it with a new command id."""

    code = "facts-unavailable"
    again = True
    blame = Blame.KAFKA


class InternalError(Refused):
    """A fault of jobplane itself, not of the statement. The log has more under the reference in the message."""

    code = "internal-error"
    exit_code = ExitCode.FAILED
    blame = Blame.JOBPLANE


def refusal_exit(code: str) -> int:
    """The exit code of a refusal; of one that this version does not know it is that of any refusal."""
    return (BY_CODE.get(code) or Refused).exit_code
