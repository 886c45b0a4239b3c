"""The steps of a task, in the order that must not change, and how a task ends."""

from enum import StrEnum


class Step(StrEnum):
    """What a task does next. A test may kill the process at each step, which means before the step is done.

    The steps from POLL on are repeated; BEGIN opens a transaction, and FLUSH to REPORT end it. LOAD, REPLAY, EMIT and
    SAVE are steps of a task with groups: the first two once, before its first transaction, the others before FLUSH.
    With the guarantee 'atLeastOnce' FLUSH waits for the output, and the transaction has the checkpoint and the offsets
    only; with 'none' there is no transaction, and CHECKPOINT to COMMIT are left out.
    """

    FENCE = "fence"
    """Look up how to fence, then `init_transactions`: another process that runs the task can write no more."""
    READ = "read"
    """Read the task record, then the checkpoint."""
    ASSIGN = "assign"
    """Assign the consumer at the offsets of the checkpoint."""
    LOAD = "load"
    """Fetch the chunks that hold the groups."""
    REPLAY = "replay"
    """Read the records between the chunks and the checkpoint again, without output."""
    POLL = "poll"
    """Fetch a batch of records."""
    BEGIN = "begin"
    """Begin the transaction."""
    EVALUATE = "evaluate"
    """Evaluate the query for each record, and produce the output."""
    ADVANCE = "advance"
    """Move the positions behind the records that were read."""
    EMIT = "emit"
    """Produce the rows of windows that have closed, and of groups that have changed."""
    SAVE = "save"
    """Produce the chunks of groups that have changed, if that is due, and wait until their offsets are known."""
    FLUSH = "flush"
    """Produce the checkpoint, and wait until all records are acknowledged: then the checkpoint's offset is known."""
    SEND_OFFSETS = "send_offsets"
    """Send the offsets to the transaction, with a pointer to the checkpoint."""
    CONFIRM = "confirm"
    """Ask the broker whether the topics are still those of the job."""
    COMMIT = "commit"
    """Commit the transaction."""
    REPORT = "report"
    """Report what waited for the commit: that the task is running, and copies for snapshots."""


WAITS_FOR_KAFKA = frozenset(
    {
        Step.FENCE,
        Step.READ,
        Step.ASSIGN,
        Step.LOAD,
        Step.REPLAY,
        Step.SAVE,
        Step.FLUSH,
        Step.SEND_OFFSETS,
        Step.CONFIRM,
        Step.COMMIT,
        Step.REPORT,
    }
)
"""Steps that wait for Kafka: librdkafka does not always keep to the time it is given for a call."""


class TaskEnd(StrEnum):
    """How the run of a task ended."""

    STOPPED = "stopped"
    """The task record says that the task stops."""
    FAILED = "failed"
    """The job cannot continue, and the decider received the reason."""
    COMPLETED = "completed"
    """A bounded job has read everything."""
    GONE = "gone"
    """The task record is gone, or has another generation."""
    FENCED = "fenced"
    """Another process may run the task."""
    RELEASED = "released"
    """The worker has asked the task to end."""
    DORMANT = "dormant"
    """There is nothing to read: the task rests in its host, which runs it again when there is. It has not ended."""
    CRASHED = "crashed"
    """The runner raised an exception that it does not handle."""
