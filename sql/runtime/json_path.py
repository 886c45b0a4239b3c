"""Paths of SQL/JSON, lax: `$`, then `.name`, `."any name"`, `[0]` or `[last]`.

A name is looked up in the objects of an array too, and an index takes a value that is not an array for an array of one.
Only what lies on the path is decoded; the result is the text in the document.
"""

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import Raw as Json

from jobplane.schemas.formats.json.odd_names import is_odd
from jobplane.schemas.msgspec_types import json_decoder
from jobplane.schemas.shown import show_value

Step = Callable[[Json], Iterator[Json]]
_BEGINNING = re.compile(r"\s*(?:lax\s+)?\$\s*")
_STEP = re.compile(r'(?:\.\s*(?:([^\W\d]\w*)|("(?:[^"\\]|\\.)*"))|\[\s*([0-9]{1,9}|last)\s*\])\s*')
_LIKE = """like '$.items[0].price' or '$."unit price"[last]'"""
_NOTHING = Json(b"")
_elements = json_decoder(list[Json]).decode
_members = json_decoder(dict[str, Json]).decode


@lru_cache(maxsize=256)
def parse_path(text: str) -> tuple[Step, ...]:
    """Raises ValueError."""
    beginning = _BEGINNING.match(text)
    if beginning is None:
        raise ValueError(f"{show_value(text)} is not a path, which is {_LIKE}")
    at, steps = beginning.end(), []
    while at < len(text):
        step = _STEP.match(text, at)
        if step is None:
            raise ValueError(f"{show_value(text)} is not a path from {show_value(text[at:])} on; one is {_LIKE}")
        name, quoted, index = step.groups()
        steps.append(_element(index) if index else _member(name or _unquoted(quoted)))
        at = step.end()
    return tuple(steps)


def _unquoted(text: str) -> str:
    try:
        return msgspec.json.decode(text, type=str)
    except msgspec.DecodeError:
        raise ValueError(f"{show_value(text)} is not a name: write quotes and backslashes in it as in JSON") from None


def _member(name: str) -> Step:
    look_up = _look_up(name)

    def step(value: Json) -> Iterator[Json]:
        for each in _elements(value) if kind_of(value) == "[" else (value,):
            if kind_of(each) == "{" and (found := look_up(each)) is not _NOTHING:
                yield found

    return step


def _look_up(name: str) -> Callable[[Json], Json]:
    """A struct of one field reads an object without keeping what else is in it; some names no struct can have."""
    if is_odd(name):
        return lambda value: _members(value).get(name, _NOTHING)
    one: Any = msgspec.defstruct("One", [("member", Json, _NOTHING)], rename={"member": name}, gc=False)
    decode = json_decoder(one).decode
    return lambda value: decode(value).member


def _element(index: str) -> Step:
    place = -1 if index == "last" else int(index)

    def step(value: Json) -> Iterator[Json]:
        elements = _elements(value) if kind_of(value) == "[" else [value]
        if elements[place:]:
            yield elements[place]

    return step


def kind_of(value: Json) -> str:
    """The first character of its text."""
    return chr(memoryview(value)[0])


def find_values(document: Json, path_text: str) -> list[Json]:
    """Every value that the path leads to."""
    values = [document]
    for step in parse_path(path_text):
        values = [each for value in values for each in step(value)]
    return values
