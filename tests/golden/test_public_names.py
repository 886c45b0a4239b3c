"""What `jobplane` exports: each name with its signatures stands in `public_names.txt`. UPDATE_GOLDEN=1 rewrites it.

A change of that file is a change for everyone whose programs use the client.
"""

import inspect
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import pytest

import jobplane
from jobplane.controlplane.client.async_client import AsyncDryRun
from jobplane.controlplane.query.dry_run import DryRun, Tryable

FILE = Path(__file__).with_name("public_names.txt")
NOT_IN_ASYNC = {
    "notices_of",  # what other parts of jobplane call of a dry run
    "tail",  # AsyncClient.events reads it, a batch at a time
    "sources_and_sinks",
}
NOT_A_PARAMETER = {
    "alive",  # a call of asyncio is cancelled instead
}
PAIRS = [(jobplane.Client, jobplane.AsyncClient), (DryRun, AsyncDryRun)]


def public_methods(kind: type) -> dict[str, Callable[..., Any]]:
    return {name: one for name, one in inspect.getmembers(kind, inspect.isfunction) if not name.startswith("_")}


def parameters(call: Callable[..., Any]) -> list[tuple[str, str, str, str]]:
    """Name, kind, type and default of each parameter."""
    return [
        (one.name, one.kind.description, type_text(one.annotation), default_text(one.default))
        for one in inspect.signature(call).parameters.values()
        if one.name not in NOT_A_PARAMETER
    ]


def type_text(annotation: Any) -> str:
    """A type without the modules of its parts, which may change."""
    text = re.sub(r"[\w.]+\.(?=\w)", "", inspect.formatannotation(annotation)).replace("'", "")
    return text.replace("Tryable", " | ".join(one.__name__ for one in get_args(Tryable)))


def default_text(default: Any) -> str:
    return "…" if inspect.isfunction(default) else repr(default)


def signature_text(call: Callable[..., Any]) -> str:
    signature = inspect.signature(call)
    shown, keywords = [], False
    for one in signature.parameters.values():
        if one.kind is inspect.Parameter.KEYWORD_ONLY and not keywords:
            shown.append("*")
            keywords = True
        if one.name != "self":
            default = "" if one.default is inspect.Parameter.empty else f" = {default_text(one.default)}"
            shown.append(f"{one.name}: {type_text(one.annotation)}{default}")
    return f"({', '.join(shown)}) -> {type_text(signature.return_annotation)}"


def described(name: str, value: Any) -> Iterator[str]:
    """The lines of the file about one name."""
    if not isinstance(value, type):
        yield f"{name}: {type(value).__name__}"
    elif issubclass(value, jobplane.JobplaneError):
        bases = ", ".join(base.__name__ for base in value.__bases__)
        yield f"{name}({bases}) {getattr(value, 'code', '')}".rstrip()
    else:
        yield name
        yield f"    {signature_text(value.__init__)}".removesuffix(" -> None")
        for attribute, one in inspect.getmembers(value, lambda one: isinstance(one, property)):
            yield f"    {attribute}: {type_text(inspect.signature(one.fget).return_annotation)}"
        for method, call in public_methods(value).items():
            yield f"    {'async ' if inspect.iscoroutinefunction(call) else ''}{method}{signature_text(call)}"


def test_exported_names_and_signatures_are_as_they_were() -> None:
    names = {name: getattr(jobplane, name) for name in sorted(jobplane.__all__)}
    text = "".join(f"{line}\n" for name, value in names.items() for line in described(name, value))
    if os.environ.get("UPDATE_GOLDEN"):
        FILE.write_text(text)
    assert text == FILE.read_text()


@pytest.mark.parametrize(("sync", "of_asyncio"), PAIRS, ids=lambda kind: kind.__name__)
def test_sync_and_async_have_the_same_methods_and_parameters(sync: type, of_asyncio: type) -> None:
    ours, theirs = public_methods(sync), public_methods(of_asyncio)
    assert ours.keys() - NOT_IN_ASYNC == theirs.keys()
    for name, call in theirs.items():
        assert parameters(call) == parameters(ours[name]), name


def test_each_public_name_is_imported_when_it_is_asked_for() -> None:
    for name in jobplane.__all__:
        assert getattr(jobplane, name)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        jobplane.nothing  # type: ignore[attr-defined]  # noqa: B018
