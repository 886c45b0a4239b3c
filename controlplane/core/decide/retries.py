"""A retry: it reads the dead letters of a job with the query, sources and sink of that job."""

from jobplane.controlplane.core.facts import Facts, letters_topic, require_live_job
from jobplane.controlplane.core.state import State
from jobplane.processors.old_jobs import plan_of
from jobplane.schemas.errors import BadOptionValue, Place
from jobplane.schemas.records.plans import RecordedPlan, keeps_state
from jobplane.schemas.records.sources import DeadLetterSource, Sink, Source
from jobplane.sql.syntax import statements
from jobplane.sql.syntax.parser import parse_job

RETRY_OF = "retryOf"
_FORBIDDEN_OPTIONS = frozenset({"startFrom", "stopAt", "initialSnapshotName"})


def resolve_retry(
    state: State, create: statements.CreateJob, name: str, facts: Facts, prefix: str, place: Place
) -> tuple[tuple[Source, ...], tuple[Sink, ...], RecordedPlan]:
    """The sources of the job, each with its dead letters that no retry has read; sinks and plan are the job's.

    Raises JobNotFound, or BadOptionValue if the query is not the job's, or an option says where to begin.
    """
    for option in create.options:
        if option.name.text in _FORBIDDEN_OPTIONS:
            message = f"a retry begins where the previous retry ended; leave {option.name} out"
            raise BadOptionValue(message, option.value_place)
    job = require_live_job(state, statements.Name(name, place))
    if create.inserts != parse_job(job.statement).inserts:
        raise BadOptionValue(f"a retry of '{name}' must have the query of that job; see SHOW CREATE JOB", place)
    if keeps_state(job.plan):
        raise BadOptionValue(
            f"the query of '{name}' has groups: a retry would make groups of its own of the records, not add them to "
            "those of the job",
            place,
        )
    topic = letters_topic(job, prefix)
    held = facts.topic(topic, place)
    read = [one for one in job.claimed if one.topic_id == held.topic_id]
    claimed = {at.partition: at.offset for one in read for at in one.offsets}
    start = tuple(max(claimed.get(p, 0), first) for p, first in enumerate(held.earliest))
    sources = tuple(
        Source(
            topic,
            held.topic_id,
            start,
            held.latest,
            source.mapping,
            DeadLetterSource(job.name, job.uid, source.topic, len(source.start)),
        )
        for source in job.sources
    )
    return sources, job.sinks, plan_of(job, facts.functions)
