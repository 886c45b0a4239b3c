"""Builds the window functions that stand after FROM: which of their arguments is which."""

from dataclasses import dataclass
from typing import Any, get_args

from parsimonious.nodes import Node

from jobplane.schemas.errors import BadSyntax, Place
from jobplane.schemas.suggestions import did_you_mean
from jobplane.schemas.types.temporal_text import interval_literal
from jobplane.sql.syntax import expressions as ex
from jobplane.sql.syntax import statements
from jobplane.sql.syntax.builders.base import children_of, first_child, list_items
from jobplane.sql.syntax.builders.expressions import ExpressionBuilder
from jobplane.sql.syntax.statements import WindowFunction

_IMPOSE_ORDER = "IMPOSE_ORDER"
_ORDER = {
    _IMPOSE_ORDER: ("DATA", "TIMECOL", "LAG"),
    WindowFunction.TUMBLE: ("DATA", "TIMECOL", "SIZE", "OFFSET"),
    WindowFunction.HOP: ("DATA", "TIMECOL", "SIZE", "SLIDE", "OFFSET"),
    WindowFunction.CUMULATE: ("DATA", "TIMECOL", "STEP", "SIZE", "OFFSET"),
    WindowFunction.SESSION: ("DATA", "TIMECOL", "KEY", "GAP"),
}
"""The names of the arguments in the order in which they are written without names; a ZONE may follow those of windows
but sessions, whose KEY may be left out.
"""
_OPTIONAL = frozenset({"OFFSET", "KEY"})
_WITHOUT_ZONE = frozenset({_IMPOSE_ORDER, WindowFunction.SESSION})
_ALIASES = {"INPUT": "DATA", "WINDOWSIZE": "SIZE", "SLIDESIZE": "SLIDE", "TIMEZONE": "ZONE"}
"""Names of other systems, without `_`."""


@dataclass(frozen=True, slots=True)
class _Descriptor:
    time: ex.Expression
    place: Place


@dataclass(frozen=True, slots=True)
class _Partitioned:
    """`TABLE source PARTITION BY keys`."""

    source: statements.Source
    keys: tuple[ex.Expression, ...]


_Value = _Partitioned | statements.Source | _Descriptor | ex.Interval | ex.String
_KINDS: dict[str, tuple[tuple[type, ...], str]] = {
    "DATA": ((*get_args(statements.Source), _Partitioned), "TABLE name, or a query in parentheses"),
    "TIMECOL": ((_Descriptor,), "DESCRIPTOR(column)"),
    "KEY": ((_Descriptor,), "DESCRIPTOR(column)"),
    "ZONE": ((ex.String,), "a time zone, such as 'Europe/Berlin'"),
}
_INTERVAL = ((ex.Interval,), "an interval, such as INTERVAL '10' MINUTE")


@dataclass(frozen=True, slots=True)
class _Argument:
    """`name` is empty where none is given."""

    name: str
    value: _Value
    place: Place


class WindowBuilder(ExpressionBuilder):
    """TUMBLE, HOP, CUMULATE, SESSION and IMPOSE_ORDER."""

    def visit_wrapped_window(self, _: Node, children: list[Any]) -> statements.TableFunction:
        return self._table_function(children[2], first_child(children[4]))

    def visit_window(self, _: Node, children: list[Any]) -> statements.TableFunction:
        return self._table_function(children[0], first_child(children[1]))

    def visit_inner_window(self, _: Node, children: list[Any]) -> statements.TableFunction:
        return self._table_function(children[1], None)

    def visit_windows_of(self, node: Node, children: list[Any]) -> Any:
        function, _, first, others, _ = children
        return function, list_items(first, others), self.place(node)

    def visit_window_function(self, node: Node, _: list[Any]) -> str:
        name = node.children[0].text.upper()
        return _IMPOSE_ORDER if name == _IMPOSE_ORDER else WindowFunction(name)

    def visit_window_argument(self, node: Node, children: list[Any]) -> _Argument:
        named, (value,) = children
        name = children_of(named)[0][0].text.upper().replace("_", "") if children_of(named) else ""
        return _Argument(_ALIASES.get(name, name), value, self.place(node))

    def visit_partitioned(self, _: Node, children: list[Any]) -> _Partitioned:
        source, _, _, (keys,) = children
        return _Partitioned(source, tuple(keys))

    def visit_several_keys(self, _: Node, children: list[Any]) -> list[ex.Expression]:
        keys: list[ex.Expression] = children[1]
        return keys

    def visit_window_keys(self, _: Node, children: list[Any]) -> list[Any]:
        return list_items(*children)

    def visit_window_key(self, _: Node, children: list[Any]) -> Any:
        *_, key, fields = children
        for field in children_of(fields):
            key = field(key)
        return key

    def visit_window_input(self, _: Node, children: list[Any]) -> statements.Source:
        (given,) = children
        value = given[1] if isinstance(given, list) else given
        return statements.Table(value) if isinstance(value, statements.Name) else value

    def visit_derived_input(self, _: Node, children: list[Any]) -> statements.Derived:
        return statements.Derived(children[1], None)

    def visit_descriptor(self, node: Node, children: list[Any]) -> _Descriptor:
        _, _, time, fields, _ = children
        for field in children_of(fields):
            time = field(time)
        return _Descriptor(time, self.place(node))

    def _table_function(self, given: Any, alias: statements.Name | None) -> statements.TableFunction:
        function, arguments, place = given
        named = any(one.name for one in arguments)
        found = _by_name(function, arguments) if named else _by_position(function, arguments, place)
        for one in arguments:
            if isinstance(one.value, _Partitioned) and function != WindowFunction.SESSION:
                raise BadSyntax("PARTITION BY is for SESSION; leave it out, and group by its columns", one.place)
        for name in _ORDER[function]:
            if name not in found and name not in _OPTIONAL:
                raise BadSyntax(f"{function} needs {name}: {_kind(name)[1]}", place)
        if function == _IMPOSE_ORDER:
            source, time, lag = (found[name].value for name in _ORDER[function])
            return statements.Ordered(source, time.time, lag, alias, place)
        return _windowed(function, found, alias, place, named=named)


def _windowed(
    function: WindowFunction, found: dict[str, Any], alias: statements.Name | None, place: Place, *, named: bool
) -> statements.Windowed:
    step = {WindowFunction.HOP: "SLIDE", WindowFunction.CUMULATE: "STEP"}.get(function, "")
    if function is WindowFunction.SESSION:
        return _session(found, alias, place)
    size, second = found["SIZE"].value, found[step].value if step else None
    if second is not None and _is_longer(second, size):
        if named:
            raise BadSyntax(f"the {step} is longer than the SIZE; a {step} is a part of it", found[step].place)
        if function is WindowFunction.CUMULATE:
            raise BadSyntax("the size is shorter than the step; CUMULATE takes the step first", found[step].place)
        size, second = second, size
    source, zone = found["DATA"].value, found["ZONE"].value if "ZONE" in found else None
    offset = found["OFFSET"].value if "OFFSET" in found else None
    time = found["TIMECOL"].value.time
    return statements.Windowed(function, source, time, size, second, offset, zone, alias, place)


def _session(found: dict[str, Any], alias: statements.Name | None, place: Place) -> statements.Windowed:
    data, time, gap = (found[name].value for name in ("DATA", "TIMECOL", "GAP"))
    source, keys = (data.source, data.keys) if isinstance(data, _Partitioned) else (data, ())
    if "KEY" in found:
        if keys:
            raise BadSyntax("the key of the sessions is given twice; leave one out", found["KEY"].place)
        keys = (found["KEY"].value.time,)
    return statements.Windowed(WindowFunction.SESSION, source, time.time, gap, None, None, None, alias, place, keys)


def _kind(name: str) -> tuple[tuple[type, ...], str]:
    return _KINDS.get(name, _INTERVAL)


def _by_name(function: str, arguments: list[_Argument]) -> dict[str, Any]:
    """Raises BadSyntax."""
    names = _ORDER[function] if function in _WITHOUT_ZONE else (*_ORDER[function], "ZONE")
    found: dict[str, Any] = {}
    for one in arguments:
        if not one.name:
            raise BadSyntax("name all arguments, or none of them", one.place)
        name = "GAP" if one.name == "SIZE" and function == WindowFunction.SESSION else one.name
        if name not in names:
            hint = did_you_mean(name, names) or f"; its arguments are {', '.join(names)}"
            raise BadSyntax(f"{function} has no argument {one.name}{hint}", one.place)
        if name in found:
            raise BadSyntax(f"the argument {name} is given twice; leave one out", one.place)
        kinds, what = _kind(name)
        if not isinstance(one.value, kinds):
            raise BadSyntax(f"{name} is {what}", one.place)
        found[name] = one
    return found


def _by_position(function: str, arguments: list[_Argument], place: Place) -> dict[str, Any]:
    """Raises BadSyntax."""
    found: dict[str, Any] = {}
    *others, last = arguments
    if isinstance(last.value, ex.String) and function not in _WITHOUT_ZONE:
        found["ZONE"] = last
        arguments = others
    order = _ORDER[function]
    if len(arguments) < 3 or not isinstance(arguments[2].value, _Descriptor):
        order = tuple(name for name in order if name != "KEY")
    for name, one in zip(order, arguments, strict=False):
        kinds, what = _kind(name)
        if not isinstance(one.value, kinds):
            raise BadSyntax(f"{what} stands here: {function}({_form(function)})", one.place)
        found[name] = one
    if len(arguments) > len(order):
        raise BadSyntax(f"{function} has no more arguments: {function}({_form(function)})", place)
    return found


def _form(function: str) -> str:
    lengths = [one.lower() for one in _ORDER[function][2:] if one not in _OPTIONAL]
    more = "" if function in _WITHOUT_ZONE else " [, offset] [, zone]"
    return ", ".join(("TABLE name", "DESCRIPTOR(column)", *lengths)) + more


def _is_longer(one: ex.Interval, other: ex.Interval) -> bool:
    """False for intervals that cannot be compared or read; the planner refuses those."""
    try:
        a, b = (interval_literal(each.text, each.first, each.last) for each in (one, other))
    except (ValueError, ArithmeticError):
        return False
    return type(a) is type(b) and bool(a > b)  # type: ignore[operator]
