"""What a retry reads and writes: the dead letters of a job through its own query, sources and sink."""

from controlplane.evolve import State
from controlplane.lookup import Facts, live
from controlplane.topics import DEAD_LETTERS
from controlplane.translate import create_of
from schemas.errors import BadOptionValue, Place
from schemas.options import JobOptions
from schemas.state import Job
from schemas.values import Letters, Sink, Source
from sql import nodes

RETRY_OF = "retryOf"


def letters_topic(job: Job, prefix: str) -> str:
    """Where a job's dead letters lie."""
    return JobOptions.of(job.options).dead_letter_topic or f"{prefix}{DEAD_LETTERS}"


def retried(
    state: State, create: nodes.CreateJob, name: str, facts: Facts, prefix: str, place: Place
) -> tuple[tuple[Source, ...], Sink]:
    """The sources of the job, each with its dead letters that no retry has read; the sink is the job's.

    Raises JobNotFound, or BadOptionValue where the query is another than the job's.
    """
    job = live(state, nodes.Name(name, place))
    if create.insert != create_of(job.statement).insert:
        raise BadOptionValue(f"a retry of '{name}' has the query of that job; see SHOW CREATE JOB", place)
    topic = letters_topic(job, prefix)
    held = facts.topic(topic, place)
    begun = (*job.retried, *held.earliest[len(job.retried) :])
    start = tuple(max(read, first) for read, first in zip(begun, held.earliest, strict=False))
    sources = tuple(
        Source(topic, held.topic_id, start, held.latest, source.mapping, Letters(job.name, job.uid, source.topic))
        for source in job.sources
    )
    return sources, job.sink
