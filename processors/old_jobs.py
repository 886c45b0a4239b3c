"""Plans of jobs that were created before plans were recorded.

The one place where a host reads the text of a query. Jobs of this and later versions bring their plans.
"""

from collections.abc import Iterable

from jobplane.schemas.records.plans import RecordedPlan
from jobplane.schemas.records.sources import Sink, Source, mappings_by_name
from jobplane.schemas.records.state import Job
from jobplane.schemas.records.tasks import Task
from jobplane.sql.functions import BUILT_IN, FunctionCatalogue
from jobplane.sql.packages import called_functions
from jobplane.sql.plan.inserts import plan_inserts
from jobplane.sql.plan.recording import record
from jobplane.sql.syntax.parser import parse_job


def plan_of(job: Job | Task, functions: FunctionCatalogue = BUILT_IN) -> RecordedPlan:
    """The plan of a job, or of the job of a task. Raises what `plan` raises."""
    return job.plan or plan_of_text(job.statement, job.sources, job.sinks, functions)


def plan_of_text(
    statement: str, sources: Iterable[Source], sinks: Iterable[Sink], functions: FunctionCatalogue = BUILT_IN
) -> RecordedPlan:
    """The plan of a CREATE JOB in its canonical form, as this version judges it. Raises what `plan` raises."""
    read, written = mappings_by_name(sources), mappings_by_name(sinks)
    return record(plan_inserts(parse_job(statement).inserts, read, written, functions, judged_before=True))


def functions_of_text(statement: str) -> tuple[str, ...]:
    """The names of all functions in the query of a CREATE JOB, each once."""
    return called_functions(parse_job(statement).inserts)
