"""`dataclasses.replace` for our records at half its cost: a replay makes one or two changed records an event.

For mypy it is `dataclasses.replace` itself, so that a misspelt field and a value of another type are errors.
"""

from collections.abc import Callable
from dataclasses import fields
from functools import cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from dataclasses import replace as replace  # noqa: PLC0414  # for others to import
else:
    T = TypeVar("T")

    def replace(record: T, /, **changes: Any) -> T:
        """The record with some fields changed. Of a dataclass of two fields or more, all of them in `init`."""
        cls = type(record)
        places, values_of = _fields(cls)
        values = [*values_of(record)]
        for name, value in changes.items():
            values[places[name]] = value
        return cls(*values)


@cache
def _fields(cls: Any) -> tuple[dict[str, int], Callable[[Any], tuple[Any, ...]]]:
    names = [one.name for one in fields(cls)]
    return {name: place for place, name in enumerate(names)}, attrgetter(*names)
