"""How an operation is evaluated: Python with a place for each argument, and what is bound to the names in it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Check = Literal["", "whole", "finite", "bounded"]
"""What a result may not be before it is looked at: beyond 64 bits, infinite, or longer than a value may be."""


@dataclass(frozen=True, slots=True)
class Template:
    """`code` is Python of our own with `{}`, or `{0}`, `{1}` …, for the arguments; its other names are in `bound`.

    `gives_null`: the result may be None although no argument is. `carries`: a result that `check` has yet to look at
    may be an argument, because the result of this operation is out of bounds then, too.
    """

    code: str
    bound: Mapping[str, Any] = field(default_factory=dict)
    gives_null: bool = False
    check: Check = ""
    carries: bool = False


def call_template(function: Any, count: int, *, gives_null: bool = False, check: Check = "") -> Template:
    """The template that calls a Python function with `count` arguments."""
    return Template(f"call({', '.join(['{}'] * count)})", {"call": function}, gives_null, check)
