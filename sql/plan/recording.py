"""Plans as JobCreated records them: one canonical JSON text, from which every later version makes the same plan again.

`expressions` are all values that operators name, each once and after those it is made of; other values and operators
name them by their position, so an expression may be as deep, and as often named, as it likes. Nothing in the text is
code: operations have names, see `jobplane.sql.operations`.

What is recorded is kept for ever: a tag, a field or a name of an operation or function that is renamed in Python keeps
its recorded name, and one that is left out is still read. `tests/golden/plans` holds plans that this and later versions
compile. `PLANNER` is raised with everything that a version before could not read, or would take for something else.
"""

import zlib
from collections.abc import Iterable
from dataclasses import MISSING, fields
from functools import cache, lru_cache
from hashlib import sha256
from typing import Any, cast, get_args

import msgspec

from jobplane.schemas.formats.known import FORMATS
from jobplane.schemas.msgspec_types import convert
from jobplane.schemas.records.plans import RecordedPlan
from jobplane.schemas.types.datatypes import Type
from jobplane.sql.analysis.topic_format import SideFormat
from jobplane.sql.operations.operation import Among, CallOperation, UnknownOperation
from jobplane.sql.plan.constants import constant_from_json, constant_to_json
from jobplane.sql.plan.graph import Branch, NotFused, Plan, Shuffle, values_of
from jobplane.sql.plan.usage import post_order
from jobplane.sql.types.typed import Apply, ApplyNullable, Constant, Typed

PLANNER = 4
"""The version of the planner, and of the form in which it records plans."""
_EXPRESSIONS = frozenset(get_args(Typed))
_AS_IT_IS = frozenset({str, int, bool, type(None)})
_CHILDREN = {
    "apply": ("arguments",),
    "loose": ("arguments",),
    "junction": ("operands",),
    "null-test": ("operand",),
    "choice": ("branches", "otherwise"),
    "coalesce": ("operands",),
    "let": ("value", "body"),
    "loop": ("over", "results", "start"),
}
"""By tag: the fields of an expression that hold other expressions."""
_NAMED = {
    "filter": ("condition",),
    "unnest": ("value",),
    "watermark": ("value",),
    "window": ("value",),
    "shuffle": ("key",),
}
"""By tag: the fields of an operator or an edge that hold expressions; projections and groups have those of columns."""
_OF_COLUMNS = {"project": ("columns",), "group": ("keys", "aggregates")}
"""By tag: the fields of an operator that hold columns."""
_OF_COLUMN = ("value", "arguments", "where")
"""The fields of a column, or of what is sorted by, that hold expressions."""


class UnreadablePlan(ValueError):
    """The recorded plan cannot be read by this version; the message says why."""


def record(plan: Plan) -> RecordedPlan:
    text = dump(plan).encode()
    return RecordedPlan(PLANNER, sha256(text).hexdigest(), zlib.compress(text))


def read(recorded: RecordedPlan) -> Plan:
    """Raises UnreadablePlan."""
    if recorded.planner > PLANNER:
        raise UnreadablePlan(f"version {recorded.planner} of the planner wrote it; this is version {PLANNER}")
    plan = load(text_of(recorded))
    try:
        for side in (side for branch in plan.branches for side in _formats(branch)):
            FORMATS[side.name]
        for one in operations_in(plan):
            if not (
                isinstance(one.operation, CallOperation) and one.operation.package
            ):  # of a package: it may not be here
                one.template()  # raises for an operation that this version does not know
    except (NotFused, UnknownOperation, KeyError) as error:
        raise UnreadablePlan(str(error)) from error
    return plan


def text_of(recorded: RecordedPlan) -> str:
    """The canonical text. Raises UnreadablePlan."""
    try:
        text = zlib.decompress(recorded.deflated)
    except zlib.error as error:
        raise UnreadablePlan(str(error)) from error
    if sha256(text).hexdigest() != recorded.digest:
        raise UnreadablePlan("the text has another digest than the record")
    return text.decode()


def _formats(branch: Branch) -> Iterable[SideFormat]:
    scan, sink = branch.scan, branch.sink
    listed = (scan.key_format, scan.value_format, sink.key_format, sink.value_format)
    return [side for side in listed if side is not None]


def dump(plan: Plan) -> str:
    """The canonical text of a plan."""
    table = _Table()
    edges = [value for edge in plan.edges if isinstance(edge, Shuffle) for value in edge.key]
    table.add([*(value for operator in plan.operators for value in values_of(operator)), *edges])
    listed = {"expressions": table.rows, "operators": table.plain(plan.operators), "edges": table.plain(plan.edges)}
    return msgspec.json.encode(listed).decode()


def load(text: str) -> Plan:
    """The plan of a canonical text. Raises UnreadablePlan."""
    try:
        listed = msgspec.json.decode(text)
        made: list[Typed] = []
        for row in listed["expressions"]:
            made.append(_expression(row, made))
        operators = [_operator(row, made) for row in listed["operators"]]
        edges = [_operator(row, made, "edge") for row in listed["edges"]]
        return convert({"operators": operators, "edges": edges}, Plan)
    except (ValueError, TypeError, LookupError) as error:
        raise UnreadablePlan(f"{type(error).__name__}: {error}") from error


class _Table:
    """The rows of `expressions`, and where each expression stands."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self._places: dict[int, int] = {}
        self._known: dict[bytes, int] = {}

    def add(self, values: Iterable[Typed]) -> None:
        """Values that are alike have one row."""
        for value in post_order(values):
            row = self._row(value)
            place = self._known.setdefault(msgspec.json.encode(row), len(self.rows))
            if place == len(self.rows):
                self.rows.append(row)
            self._places[id(value)] = place

    def plain(self, value: Any) -> Any:
        """What JSON can write: an expression's place, a record without fields that are as they are by default."""
        kind = type(value)
        if kind in _AS_IT_IS:
            return value
        if kind is tuple:
            return [self.plain(one) for one in value]
        if kind in _EXPRESSIONS:
            return self._places[id(value)]
        if kind is Type:
            return _type_to_json(value)
        if kind is Among:
            return {"operation": "among", "values": [constant_to_json(one) for one in value.values]}
        return self._fields(value)

    def _row(self, value: Typed) -> dict[str, Any]:
        if isinstance(value, Constant):
            shown = constant_to_json(value.value)
            return {"expression": "constant", "value": shown, "type": _type_to_json(value.type)}
        return self._fields(value)

    def _fields(self, value: Any) -> dict[str, Any]:
        kind: Any = type(value)
        tag, defaults = _shape(kind)
        found = dict(tag)
        for name, default in defaults:
            one = getattr(value, name)
            if one is not default and (default is MISSING or type(one) is not type(default) or one != default):
                found[name] = self.plain(one)
        return found


@lru_cache(maxsize=1024)
def _type_to_json(one: Type) -> Any:
    """It is not to be changed: types that are alike share it."""
    shown: dict[str, Any] = {"name": one.name}
    if one.arguments:
        shown["arguments"] = [_type_to_json(each) for each in one.arguments]
    return shown | ({"size": one.size} if one.size else {}) | ({"fields": one.fields} if one.fields else {})


@cache
def _shape(kind: Any) -> tuple[dict[str, Any], tuple[tuple[str, Any], ...]]:
    """The tag of a record's class, and its fields with their defaults; `MISSING` for none."""
    if not issubclass(kind, msgspec.Struct):
        return {}, tuple((one.name, one.default) for one in fields(kind))
    config, listed = kind.__struct_config__, msgspec.structs.fields(kind)
    tag = {config.tag_field: config.tag} if config.tag_field else {}
    return tag, tuple((one.name, MISSING if one.default is msgspec.NODEFAULT else one.default) for one in listed)


def _resolve(value: Any, made: list[Typed]) -> Any:
    """Expressions for their places."""
    if isinstance(value, list):
        return tuple(_resolve(one, made) for one in value)
    if not 0 <= value < len(made):
        raise LookupError(f"no expression {value} stands before")
    return made[value]


def _expression(row: dict[str, Any], made: list[Typed]) -> Typed:
    tag = row["expression"]
    if tag == "constant":
        one = convert(row["type"], Type)
        return Constant(constant_from_json(row["value"], one), one)
    found = row | {name: _resolve(row[name], made) for name in _CHILDREN.get(tag, ()) if name in row}
    operation = found.get("operation")
    if isinstance(operation, dict) and operation["operation"] == "among":
        of = found["arguments"][0].type
        values = tuple(constant_from_json(one, of) for one in operation["values"])
        found["operation"] = Among(values)
    read: Typed = convert(found, cast("type[Typed]", Typed))
    return read


def _operator(row: dict[str, Any], made: list[Typed], tag: str = "operator") -> dict[str, Any]:
    found = row | {name: _resolve(row[name], made) for name in _NAMED.get(row[tag], ())}
    return found | {name: [_column(one, made) for one in row[name]] for name in _OF_COLUMNS.get(row[tag], ())}


def _column(row: dict[str, Any], made: list[Typed]) -> dict[str, Any]:
    found = row | {name: _resolve(row[name], made) for name in _OF_COLUMN if name in row}
    return found | ({"order": [_column(one, made) for one in row["order"]]} if "order" in row else {})


def operations_in(plan: Plan) -> Iterable[Apply | ApplyNullable]:
    """The operations of all expressions of a plan."""
    values = post_order(value for operator in plan.operators for value in values_of(operator))
    return (one for one in values if isinstance(one, Apply | ApplyNullable))
