"""Functions of packages, for the length of a test."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jobplane.schemas.records.packages import Package
from jobplane.sql.functions import FUNCTIONS
from jobplane.sql.packages import package_function
from tests.support.packages import OWNER


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on Python's path; what was imported from it is forgotten at the end."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.fixture
def language(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes typed functions those of a package, for the length of a test."""

    def add(*calls: Callable[..., Any], owner: Package = OWNER) -> None:
        for call in calls:
            name = call.__name__.upper()
            monkeypatch.setitem(FUNCTIONS, name, [package_function(call, name, owner)])

    return add
