"""Packages with functions, as an installer leaves them, and a task whose query calls some."""

import tomllib
from collections.abc import Callable
from pathlib import Path
from runpy import run_path
from textwrap import dedent
from typing import Any

from jobplane.schemas.records.packages import Package
from jobplane.schemas.records.sources import Sink, Source
from jobplane.schemas.records.state import Phase
from jobplane.schemas.records.tasks import Task
from jobplane.sql.functions import BUILT_IN, FunctionCatalogue
from jobplane.sql.packages import package_aggregate, package_function

OWNER = Package("mine", "1.2")


def _example_functions() -> FunctionCatalogue:
    """Those of docs/examples/functions, as its project declares them."""
    folder = Path(__file__).parents[2] / "docs" / "examples" / "functions"
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    names, package = project["entry-points"]["jobplane.functions"], Package(project["name"], project["version"])
    module = run_path(str(folder / f"{package.name}.py"))
    offered = {name.upper(): module[entry.partition(":")[2]] for name, entry in names.items()}
    classes = {name: one for name, one in offered.items() if isinstance(one, type)}
    functions = [package_function(one, name, package) for name, one in offered.items() if name not in classes]
    return BUILT_IN.with_packages(
        functions, aggregates=[package_aggregate(one, name, package) for name, one in classes.items()]
    )


EXAMPLE_FUNCTIONS = _example_functions()


def with_aggregate(offered: type, name: str = "", owner: Package = OWNER) -> FunctionCatalogue:
    """A catalogue with a class as an aggregate of a package."""
    made = package_aggregate(offered, name or offered.__name__.upper(), owner)
    return BUILT_IN.with_packages((), aggregates=[made])


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
