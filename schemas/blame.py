"""What each error class says besides its code: who can fix it, and the exit code of the command line."""

from enum import IntEnum, StrEnum


class ExitCode(IntEnum):
    """The exit codes of the command line, besides 0."""

    FAILED = 1
    USAGE = 2
    NOT_FOUND = 3
    REFUSED = 4
    UNREACHABLE = 5
    TIMED_OUT = 124
    INTERRUPTED = 130


class Blame(StrEnum):
    """Who can fix what an error is about."""

    USER = "user"
    """Whoever wrote the statement, or typed the command."""
    PRODUCER = "producer"
    """Whoever wrote the record, or whoever wrote the query that cannot read it."""
    OPERATOR = "operator"
    """Whoever runs workers, topics, ACLs and settings."""
    KAFKA = "Kafka"
    """Nobody here: Kafka or the schema registry must answer again."""
    JOBPLANE = "jobplane"
    """It is a fault of jobplane: report it."""
