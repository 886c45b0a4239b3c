"""Plans of jobs that were created before plans were recorded.

The one place where a host reads the text of a query. Jobs of this and later versions bring their plans.
"""

from collections.abc import Iterable

from jobplane.schemas.records.plans import RecordedPlan
from jobplane.schemas.records.sources import Sink, Source
from jobplane.schemas.records.state import Job
from jobplane.schemas.records.tasks import Task
from jobplane.sql.functions import BUILT_IN, FunctionCatalogue
from jobplane.sql.packages import called_functions
from jobplane.sql.plan.plan import plan
from jobplane.sql.plan.recording import record
from jobplane.sql.syntax.parser import parse_job


def plan_of(job: Job | Task, functions: FunctionCatalogue = BUILT_IN) -> RecordedPlan:
    """The plan of a job, or of the job of a task. Raises what `plan` raises."""
    return job.plan or plan_of_text(job.statement, job.sources, job.sink, functions)


def plan_of_text(
    statement: str, sources: Iterable[Source], sink: Sink, functions: FunctionCatalogue = BUILT_IN
) -> RecordedPlan:
    """The plan of a CREATE JOB in its canonical form, as this version judges it. Raises what `plan` raises."""
    insert = parse_job(statement).insert
    mappings = {source.name: source.mapping for source in sources if source.mapping}
    return record(plan(insert, mappings, sink.mapping, functions, judged_before=True))


def functions_of_text(statement: str) -> tuple[str, ...]:
    """The names of all functions in the query of a CREATE JOB, each once."""
    return called_functions(parse_job(statement).insert)
