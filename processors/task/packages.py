"""Whether the packages whose functions a task's query calls are here, as they were where its job was created."""

from importlib.metadata import PackageNotFoundError, version

from jobplane.processors.pipeline import Pipeline
from jobplane.schemas.errors import Refused
from jobplane.schemas.failures import FunctionMissing
from jobplane.schemas.records.packages import Package
from jobplane.schemas.records.tasks import Task
from jobplane.sql.codegen.compile import Step
from jobplane.sql.functions import NOT_OFFERED
from jobplane.sql.packages import called_functions, called_packages
from jobplane.sql.syntax.parser import parse_job


def step_here(task: Task, pipeline: Pipeline, worker: str) -> tuple[Step, str]:
    """The compiled query, and what is to be said of other versions than the job was created with.

    Raises FunctionMissing.
    """
    if not task.packages:
        return pipeline.step, ""
    parsed = parse_job(task.statement)
    here = {one.name: one for one in called_packages(parsed.insert)}
    wanted = {one.name: one for one in task.packages}
    for one in task.packages:
        if one.name not in here:
            raise _missing(one, worker, _why(one, called_functions(parsed.insert)))
    for name in sorted(here.keys() - wanted.keys()):
        why = f"package {here[name]} has functions of these names there"
        raise _missing(task.packages[0], worker, why)
    try:
        step = pipeline.step
    except Refused as refused:
        one = next((one for one in task.packages if here[one.name] != one), task.packages[0])
        raise _missing(one, worker, f"with {here[one.name]} there: {refused.message}") from refused
    others = [f"{here[one.name]} here, job was created with {one.version}" for one in task.packages]
    said = [text for one, text in zip(task.packages, others, strict=True) if here[one.name] != one]
    return step, "; ".join(said)


def _missing(package: Package, worker: str, why: str) -> FunctionMissing:
    return FunctionMissing(
        f"the query calls functions of package {package}, which worker {worker} does not have: {why}; "
        f"install {package} there, start the worker again, then RESUME"
    )


def _why(package: Package, called: tuple[str, ...]) -> str:
    refused = [NOT_OFFERED[name] for name in called if name in NOT_OFFERED]
    if refused:
        return "; ".join(refused)
    try:
        there = Package(package.name, version(package.name))
    except PackageNotFoundError:
        return "it is not installed there"
    return f"{there} is installed there, but did not offer what the query calls when the worker started"
