"""Packages with functions, as an installer leaves them, and a task whose query calls some."""

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

from jobplane.schemas.records.packages import Package
from jobplane.schemas.records.sources import Sink, Source
from jobplane.schemas.records.state import Phase
from jobplane.schemas.records.tasks import Task
from jobplane.sql.functions import BUILT_IN, FunctionCatalogue
from jobplane.sql.packages import package_function

OWNER = Package("mine", "1.2")


def with_functions(
    *calls: Callable[..., Any], owner: Package = OWNER, beside: FunctionCatalogue = BUILT_IN
) -> FunctionCatalogue:
    """A catalogue with typed functions as those of a package."""
    return beside.with_packages(package_function(call, call.__name__.upper(), owner) for call in calls)


def install(folder: Path, name: str, version: str, source: str, **functions: str) -> None:
    """`functions` are entry points: `shout="exclaim:shout"`. The module is called as the package."""
    (folder / f"{name}.py").write_text(dedent(source))
    metadata = folder / f"{name}-{version}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    lines = [f"{function} = {value}" for function, value in functions.items()]
    (metadata / "entry_points.txt").write_text("\n".join(["[jobplane.functions]", *lines, ""]))


def task(query: str, *packages: Package) -> Task:
    return Task(
        *("u", "j", 0, 1, 0, 0, 1, True, False, Phase.WAITING, 0),
        statement=f"CREATE JOB j AS INSERT INTO out {query}",
        options={},
        sources=(Source("s", "id", (0,)),),
        sink=Sink("out", "id-out", 1),
        restore=None,
        snapshots=(),
        packages=packages,
    )
