"""Checks that the packages whose functions a query calls are installed here, as they were when its job was created."""

from importlib.metadata import PackageNotFoundError, version

from jobplane.processors.old_jobs import functions_of_text
from jobplane.processors.pipeline import Pipeline
from jobplane.schemas.errors import Refused
from jobplane.schemas.failures import FunctionMissing
from jobplane.schemas.records.packages import Package
from jobplane.schemas.records.plans import keeps_state
from jobplane.schemas.records.tasks import Task
from jobplane.sql.functions import FunctionCatalogue
from jobplane.sql.operations.operation import UnknownOperation
from jobplane.sql.packages import calls_of_packages, packages_of


def compile_here(task: Task, pipeline: Pipeline, worker: str) -> str:
    """Compiles the query; returns what is to be said of other versions than the job was created with.

    Raises FunctionMissing, PlanUnreadable.
    """
    compile_query = pipeline.compiled_groups if keeps_state(task.plan) else lambda: pipeline.step
    if not task.packages:
        compile_query()
        return ""
    names, wanted = _needed(task, pipeline)
    here = {one.name: one for one in packages_of(names, pipeline.functions)}
    for one in wanted:
        if one.name not in here:
            raise _missing(one, worker, _why(one, names, pipeline.functions))
    for name in sorted(here.keys() - {one.name for one in wanted}):
        why = f"package {here[name]} has functions of these names there"
        raise _missing(task.packages[0], worker, why)
    try:
        compile_query()
    except (Refused, UnknownOperation) as reason:
        one = next((one for one in wanted if here[one.name] != one), task.packages[0])
        said = reason.message if isinstance(reason, Refused) else str(reason)
        raise _missing(one, worker, f"with {here[one.name]} there: {said}") from reason
    others = [f"{here[one.name]} here, job was created with {one.version}" for one in wanted]
    return "; ".join(text for one, text in zip(wanted, others, strict=True) if here[one.name] != one)


def _needed(task: Task, pipeline: Pipeline) -> tuple[tuple[str, ...], tuple[Package, ...]]:
    """The names of the functions called, and the packages they must be of; a text does not tell which are whose."""
    if task.plan is None:
        return functions_of_text(task.statement), task.packages
    calls = calls_of_packages(pipeline.read_plan())
    owners = {package for _, package in calls}
    return tuple(name for name, _ in calls), tuple(one for one in task.packages if one.name in owners)


def _missing(package: Package, worker: str, why: str) -> FunctionMissing:
    return FunctionMissing(
        f"the query calls functions of package {package}, which worker {worker} does not have: {why}; "
        f"install {package} there, start the worker again, then RESUME"
    )


def _why(package: Package, called: tuple[str, ...], functions: FunctionCatalogue) -> str:
    refused = [functions.not_offered[name] for name in called if name in functions.not_offered]
    if refused:
        return "; ".join(refused)
    try:
        there = Package(package.name, version(package.name))
    except PackageNotFoundError:
        return "it is not installed there"
    return f"{there} is installed there, but did not offer what the query calls when the worker started"
