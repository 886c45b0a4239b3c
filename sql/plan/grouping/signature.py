"""What the groups of a plan are, part by part: state goes on only with groups that have the same parts, or fewer.

Each part has a digest of its canonical text. That names fields of the record by where they lie in it, and nothing by
its place in the plan, so that a query written otherwise, or with fewer aggregates, has the same parts. Filters have
none: other rows may come from now on.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import cast

import msgspec

from jobplane.schemas.msgspec_types import json_decoder
from jobplane.sql.plan.graph import Branch, Plan, Step
from jobplane.sql.plan.grouping.expression_words import (
    KEY_FIELD,
    MADE,
    PART,
    SEPARATOR,
    VALUE_FIELD,
    call_words,
    expression_words,
)
from jobplane.sql.plan.grouping.group_windows import are_apart, slices_of, window_of
from jobplane.sql.plan.operators import (
    AggregateColumn,
    FilterOperator,
    GroupOperator,
    ProjectedColumn,
    ProjectOperator,
    ScannedField,
    UnnestOperator,
    WatermarkOperator,
    WindowOperator,
)
from jobplane.sql.plan.recording import dump
from jobplane.sql.plan.stateful import groupings, members
from jobplane.sql.plan.usage import substitute
from jobplane.sql.types.typed import Field, Typed

VERSION = 1
_GENERATED = re.compile(r'"\\u001f(\d+)"')


class Part(msgspec.Struct, frozen=True, array_like=True):
    """`text` is for people. Parts are the same if their digests are."""

    text: str
    digest: str


class GroupSignature(msgspec.Struct, frozen=True, omit_defaults=True):
    """Keys and aggregates are in the order in which chunks have them; `members` is what follows the aggregates there.

    `rows` are those that groups are made of. `place` tells the groups of several SELECTs apart: a digest of what they
    read, leave out and write to; empty where there is one.
    """

    keys: tuple[Part, ...]
    aggregates: tuple[Part, ...]
    window: Part
    emit: Part
    rows: Part
    members: tuple[str, ...] = ()
    place: str = ""


class _Signatures(msgspec.Struct, frozen=True):
    version: int
    groups: tuple[GroupSignature, ...]


_decoder = json_decoder(_Signatures)


def signatures(plan: Plan) -> tuple[GroupSignature, ...]:
    """Of each group of a plan, in the order of their numbers."""
    of_groups = groupings(plan)
    return tuple(_signature(branches, several=len(of_groups) > 1) for branches in of_groups)


def encode_signatures(groups: Iterable[GroupSignature]) -> str:
    return msgspec.json.encode(_Signatures(VERSION, tuple(groups))).decode()


def decode_signatures(text: str) -> tuple[GroupSignature, ...] | None:
    """None for the text of another version."""
    try:
        found = _decoder.decode(text)
    except msgspec.MsgspecError:
        return None
    return found.groups if found.version == VERSION else None


def _signature(branches: Sequence[Branch], *, several: bool) -> GroupSignature:
    """Of branches that share a group; their rows may be of several sources."""
    first = branches[0]
    group = cast("GroupOperator", first.group)
    rows = [_RowValues.of(branch) for branch in branches]
    keys = tuple(
        _part(rows, [one], expression_words(rows[0].value(one.value)))
        for one in group.keys
        if one.name not in group.window
    )
    aggregates = tuple(_part(rows, [one], rows[0].words(one)) for one in group.aggregates)
    emit = "EMIT CHANGES" if group.changes or not group.window else "EMIT FINAL"
    window = window_of(first.steps, group)
    bounds = [one for one in group.keys if one.name in group.window]
    sliced = slices_of(first, group, apart=are_apart(branches, group)) is not None
    settings = [group.bound, sliced, window and msgspec.to_builtins(window.windows)]
    times = [] if window is None else [ProjectedColumn("", window.value, window.value.type)]
    of_window = "no window" if window is None else f"{window.windows.words} of {window.text}"
    of_rows = " and ".join(dict.fromkeys(text for one in rows for text in one.texts)) or "the source"
    return GroupSignature(
        keys,
        aggregates,
        _part(rows, [*bounds, *times], of_window, settings),
        Part(emit, emit),
        Part(f"the rows of {of_rows}", _digest([one.steps for one in rows])),
        members(first, group),
        _digest([first.sink.target, [(one.source, of.filters) for one, of in zip(branches, rows, strict=True)]])
        if several
        else "",
    )


@dataclass(slots=True)
class _RowValues:
    """The rows that a branch gives to a group: of the keys that they have, `values` are what expressions compute,
    `places` the canonical keys of all else.

    `steps` are the canonical texts of the steps that make several rows of one, and `texts` their words. `filters` are
    the canonical texts of conditions.
    """

    places: dict[str, str] = field(default_factory=dict)
    values: dict[str, Typed] = field(default_factory=dict)
    steps: list[object] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    filters: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, branch: Branch) -> "_RowValues":
        rows = cls({one.key: _place(one) for one in branch.reads})
        for step in branch.steps:
            rows._pass(step, branch.group)
        return rows

    def _pass(self, step: Step, group: GroupOperator | None) -> None:
        match step:
            case FilterOperator(condition):
                self.filters.append(self._text([ProjectedColumn("", condition, condition.type)]))
            case WatermarkOperator():
                return
            case ProjectOperator(columns, keeps):
                made = {one.name: self.value(one.value) for one in columns}
                self.values = self.values | made if keeps else made
            case UnnestOperator(value, element, second, ordinal, text=text):
                number = len(self.steps)
                self.steps.append(["unnest", self._text([ProjectedColumn("", value, value.type)]), step.is_json])
                self.texts.append(f"UNNEST({text})")
                for name, key in (("element", element), ("second", second), ("ordinal", ordinal)):
                    if key:
                        self.places[key] = _made(f"{name} of UNNEST({text})", number)
            case WindowOperator():
                number = len(self.steps)
                if group is None or step.slice != group.slice:
                    settings = msgspec.to_builtins(step.windows)
                    time = ProjectedColumn("", step.value, step.value.type)
                    self.steps.append(["window", self._text([time]), settings])
                    self.texts.append(step.windows.words)
                for name, key in (("window_start", step.start), ("window_end", step.end)):
                    self.places[key] = _made(name, number)

    def value(self, value: Typed) -> Typed:
        """The canonical value: of fields of the record alone."""
        return substitute(value, self._field)

    def _field(self, one: Field) -> Typed:
        found = self.values.get(one.key)
        return Field(self.places.get(one.key, f"{PART}{SEPARATOR}{one.key}"), one.type) if found is None else found

    def words(self, one: AggregateColumn) -> str:
        call = call_words(one.function, map(self.value, one.arguments), distinct=one.distinct)
        where = "" if one.where is None else f" FILTER (WHERE {expression_words(self.value(one.where))})"
        order = ", ".join(
            f"{expression_words(self.value(item.value))}{' DESC' if item.descending else ''}" for item in one.order
        )
        return f"{call}{f' ORDER BY {order}' if order else ''}{where}"

    def _text(self, columns: Iterable[ProjectedColumn | AggregateColumn]) -> str:
        return _canonical([self.column(one) for one in columns])

    def column(self, one: ProjectedColumn | AggregateColumn) -> ProjectedColumn | AggregateColumn:
        if isinstance(one, ProjectedColumn):
            return msgspec.structs.replace(one, name="", value=self.value(one.value))
        return msgspec.structs.replace(
            one,
            name="",
            arguments=tuple(map(self.value, one.arguments)),
            where=None if one.where is None else self.value(one.where),
            order=tuple(msgspec.structs.replace(item, value=self.value(item.value)) for item in one.order),
        )


def _place(one: ScannedField) -> str:
    return SEPARATOR.join((KEY_FIELD if one.of_key else VALUE_FIELD, *one.path))


def _made(name: str, number: int) -> str:
    """The key of a value that the step of a number has made."""
    return SEPARATOR.join((MADE, name, str(number)))


def _part(
    rows: Sequence[_RowValues], columns: Iterable[ProjectedColumn | AggregateColumn], text: str, settings: object = None
) -> Part:
    """`columns` are the same of all branches, but what they are made of may differ."""
    columns = [*columns]
    texts = dict.fromkeys(_canonical([one.column(column) for column in columns]) for one in rows)
    return Part(text, _digest([*texts, settings]))


def _canonical(columns: Iterable[ProjectedColumn | AggregateColumn]) -> str:
    """Generated names are counted from the first."""
    columns = [*columns]
    keys = tuple(one for one in columns if isinstance(one, ProjectedColumn))
    aggregates = tuple(one for one in columns if isinstance(one, AggregateColumn))
    text, met = dump(Plan((GroupOperator(keys, aggregates),), ())), dict[str, int]()
    return _GENERATED.sub(lambda found: f'"#{met.setdefault(found[1], len(met))}"', text)


def _digest(parts: object) -> str:
    return sha256(msgspec.json.encode(parts)).hexdigest()[:16]
