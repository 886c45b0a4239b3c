"""Functions that installed packages offer under the entry points `jobplane.functions`, made functions of the language.

A class is an aggregate.

What is wrong with a function, or with its package, keeps that function out and nothing else: the catalogue has the
reason, and a query that calls the function is refused with it. Packages are looked at once in a process, at its start
or with its first statement.
"""

import logging
import sys
import threading
from collections.abc import Iterable
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from itertools import groupby

from jobplane.schemas.records.packages import Package
from jobplane.sql.functions import BUILT_IN, FunctionCatalogue
from jobplane.sql.functions.aggregates.aggregate import Aggregate
from jobplane.sql.functions.guarded import describe_exception
from jobplane.sql.functions.signature import Function
from jobplane.sql.packages import is_free_name, package_aggregate, package_function

LOG = logging.getLogger("jobplane.functions")
GROUP = "jobplane.functions"
_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class Offer:
    """One entry point: a function's name in SQL, and where it is."""

    name: str
    package: Package
    entry: EntryPoint

    def __str__(self) -> str:
        return f"function {self.name} of package {self.package} ({self.entry.value})"


@dataclass(frozen=True, slots=True)
class OfferedFunctions:
    """The functions and aggregates of all packages, and by name why others are none."""

    functions: tuple[Function, ...]
    refused: dict[str, str]
    aggregates: tuple[Aggregate, ...] = ()


def load() -> FunctionCatalogue:
    """The functions of the language and of all packages, as they were at the first call in this process."""
    with _lock:
        return _catalogue()


@cache
def _catalogue() -> FunctionCatalogue:
    here = found()
    return BUILT_IN.with_packages(here.functions, here.refused, here.aggregates)


def load_and_tell() -> FunctionCatalogue:
    """`load`, with what is not offered in the log."""
    catalogue = load()
    for reason in catalogue.not_offered.values():
        LOG.warning("%s", reason)
    return catalogue


def found() -> OfferedFunctions:
    """What the packages on Python's path offer now. What they print while they are imported is no output of ours."""
    try:
        entries = entry_points(group=GROUP)
    except Exception as error:  # noqa: BLE001  # of any package's metadata, damaged in whatever way
        LOG.warning("no functions of packages: their metadata cannot be read: %s", describe_exception(error))
        return OfferedFunctions((), {})
    offers = sorted(map(_offer, entries), key=lambda one: (one.name, one.package.name))
    functions, aggregates, refused = list[Function](), list[Aggregate](), dict[str, str]()
    with redirect_stdout(sys.stderr):
        for name, several in groupby(offers, lambda one: one.name):
            try:
                made = _function(list(several))
            except TypeError as reason:
                refused[name] = str(reason)
                continue
            if isinstance(made, Aggregate):
                aggregates.append(made)
            else:
                functions.append(made)
    return OfferedFunctions(tuple(functions), refused, tuple(aggregates))


def _offer(entry: EntryPoint) -> Offer:
    owner = entry.dist
    name, version = (owner.name, owner.version) if owner else ("", "")
    return Offer(entry.name.upper(), Package(name or "unknown", version or "unknown"), entry)


def _function(offers: list[Offer]) -> Function | Aggregate:
    """Raises TypeError with what people are told."""
    first, *others = offers
    if others:
        raise TypeError(_not_offered(first, f"{_listed(others)} has the same name; uninstall all but one"))
    if not is_free_name(first.name):
        raise TypeError(_not_offered(first, "the language has that name itself, or has no such names"))
    try:
        made = first.entry.load()
        make = package_aggregate if isinstance(made, type) else package_function
        return make(made, first.name, first.package)
    except (Exception, SystemExit) as error:
        reason = str(error) if type(error) is TypeError else describe_exception(error)
        raise TypeError(_not_offered(first, reason)) from error


def _not_offered(offer: Offer, reason: str) -> str:
    return f"{offer} is not offered: {reason}"


def _listed(offers: Iterable[Offer]) -> str:
    return " and ".join(str(one) for one in offers)
