"""The states of a group as generated code sees them: a struct, and the lines that add a record to it.

The fields of the struct are s0, s1 … for the aggregates, `time` for the newest timestamp if the query asks for it, and
`held` where rows of groups may be taken back. Structs are not tracked by the garbage collector: states have no cycles.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any

import msgspec

from jobplane.schemas.msgspec_types import msgpack_decoder
from jobplane.sql.codegen.compile import execute
from jobplane.sql.codegen.distinct import DistinctValues, KeyKind, key_kind
from jobplane.sql.codegen.expressions import Code
from jobplane.sql.codegen.row import Row
from jobplane.sql.functions import FunctionCatalogue
from jobplane.sql.functions.aggregates.accumulator import Accumulator, Arguments, Ordering
from jobplane.sql.functions.aggregates.aggregate import Aggregate, offered_call
from jobplane.sql.operations.operation import UnknownOperation
from jobplane.sql.plan.grouping.going_on import StateLayout
from jobplane.sql.plan.operators import AggregateColumn, GroupOperator
from jobplane.sql.runtime.groups_parts import Groups
from jobplane.sql.runtime.groups_sessions import joined_by
from jobplane.sql.types.typed import Constant, Typed

NO_TIME = -1
"""The `time` of a group whose records have no timestamps."""
_MEMBERS: dict[str, Any] = {"time": ("time", int, NO_TIME), "held": ("held", bool, False)}
"""What a group may keep besides its aggregates, as fields of its struct."""


@dataclass(frozen=True, slots=True)
class AggregateCode:
    """An aggregate of the query. `values` are its arguments but for the constants."""

    name: str
    accumulator: Accumulator
    values: tuple[Typed, ...]
    where: Typed | None
    order: tuple[Typed, ...]


@dataclass(frozen=True, slots=True)
class GroupClass:
    """The struct of a group with what is known of its fields. `keys` are the kinds of the keys but for the window's."""

    kind: type[msgspec.Struct]
    columns: tuple[AggregateCode, ...]
    keys: tuple[KeyKind, ...]
    timed: bool
    retracts: bool
    compares: bool
    """See jobplane.sql.runtime.groups_due.GroupShape."""
    session: type[msgspec.Struct] | None
    """Where a key has sessions, what each is (see jobplane.sql.runtime.groups_sessions)."""
    merge: Callable[[Any, Any], Any]
    """`merge(group, later)` → one with both; it may share with `group`, and change there, what can change."""
    keep: Callable[[Any], Any]
    """`keep(group)` → one that is as this one now, whatever is added to this one later."""
    changes: bool
    """Whether there are states that can change."""

    @property
    def once(self) -> bool:
        """Whether a group is nothing but its key, so that its row is written once and for all."""
        return not self.columns and not self.retracts

    @property
    def risky(self) -> list[int]:
        """The aggregates that may refuse a value, by their numbers."""
        return [i for i, one in enumerate(self.columns) if one.accumulator.may_raise]

    def copy(self, group: Any) -> Any:
        """The same states in a group that shares nothing with it that can change."""
        return self.keep(group) if self.changes else group

    def joined(self, sessions: Sequence[Any]) -> Any:
        """The group of several sessions, which shares nothing with theirs that can change."""
        group = self.copy(sessions[0].group)
        for other in sessions[1:]:
            group = self.merge(group, other.group)
        return group

    def detached(self, sessions: Sequence[Any]) -> list[Any]:
        """The same sessions, which share nothing with these that can change."""
        return [msgspec.structs.replace(one, group=self.keep(one.group)) for one in sessions]

    def widen(self, group: Any) -> Any:
        if isinstance(group, list):
            return [msgspec.structs.replace(one, group=self.widen(one.group)) for one in group]
        states = {f"s{i}": one.accumulator.widen(getattr(group, f"s{i}")) for i, one in enumerate(self.columns)}
        return msgspec.structs.replace(group, **states)

    def decoder(self, layout: StateLayout | None = None) -> Callable[[bytes], Groups]:
        """Reads a chunk of groups; with `layout` one of groups that had other keys and states beside these."""
        if layout is None:
            return self._decode_as(self.kind, self.session, [one.kind for one in self.keys])
        states: dict[int, Any] = dict(
            zip(layout.aggregates, (one.accumulator.state_type for one in self.columns), strict=True)
        )
        fields: list[Any] = [(f"s{i}", states.get(i, msgspec.Raw)) for i in range(layout.count)]
        kept = msgspec.defstruct(
            "Kept", [*fields, *(_MEMBERS[one] for one in layout.members)], array_like=True, gc=False
        )
        kinds = [kind for _, kind in sorted(zip(layout.keys, (one.kind for one in self.keys), strict=True))]
        decode = self._decode_as(kept, None if self.session is None else _session(kept), kinds)
        members = [name for name in self.members if name in layout.members]
        written = {} if "held" in members or not self.retracts else {"held": True}  # without HAVING each row was
        is_apart = len(set(layout.aggregates)) == len(layout.aggregates)

        def taken(group: Any) -> Any:
            if self.session is not None and isinstance(group, list):
                return [self.session(one.start, one.end, taken(one.group)) for one in group]
            found = [getattr(group, f"s{i}") for i in layout.aggregates]
            made = self.kind(*found, **written, **{name: getattr(group, name) for name in members})
            return made if is_apart else self.copy(made)

        if layout.keys == tuple(range(len(layout.keys))):
            return lambda data: {key: taken(group) for key, group in decode(data).items()}
        return lambda data: {tuple(key[i] for i in layout.keys): taken(group) for key, group in decode(data).items()}

    def _decode_as(self, kind: Any, session: Any, kinds: Sequence[Any]) -> Callable[[bytes], Groups]:
        key: Any = kinds[0] if len(kinds) == 1 else tuple.__class_getitem__(tuple(kinds))
        value: Any = kind if session is None else list.__class_getitem__(session)
        return msgpack_decoder(dict.__class_getitem__((key, value))).decode

    @property
    def members(self) -> tuple[str, ...]:
        """What a group keeps besides its aggregates."""
        return tuple(name for name in self.kind.__struct_fields__ if name in _MEMBERS)


def group_class(
    group: GroupOperator,
    functions: FunctionCatalogue,
    *,
    timed: bool,
    retracts: bool,
    compares: bool,
    sessions: bool,
) -> GroupClass:
    """Raises UnknownOperation for an aggregate that is not there."""
    columns = tuple(_column(one, functions) for one in group.aggregates)
    members: list[Any] = [(f"s{i}", one.accumulator.state_type) for i, one in enumerate(columns)]
    members += [_MEMBERS["time"]] if timed else []
    members += [_MEMBERS["held"]] if retracts else []
    kind = msgspec.defstruct("Group", members, array_like=True, gc=False)
    keys = tuple(key_kind(one.type) for one in group.keys if one.name not in group.window)
    session = None
    if sessions:
        session = _session(kind)
    merge = _merging(kind, columns, timed=timed, retracts=retracts)
    changing = [i for i, one in enumerate(columns) if not _is_fixed(one.accumulator.init())]
    keep = _keeping(kind, columns, changing)
    return GroupClass(kind, columns, keys, timed, retracts, compares, session, merge, keep, bool(changing))


def _session(kind: type[msgspec.Struct]) -> type[msgspec.Struct]:
    fields = [("start", datetime), ("end", datetime), ("group", kind)]
    return msgspec.defstruct("Session", fields, array_like=True, gc=False)


def _merging(
    kind: type[msgspec.Struct], columns: Sequence[AggregateCode], *, timed: bool, retracts: bool
) -> Callable[[Any, Any], Any]:
    merged = [f"merge{i}(group.s{i}, later.s{i})" for i in range(len(columns))]
    merged += ["max(group.time, later.time)"] if timed else []
    merged += ["group.held or later.held"] if retracts else []
    text = f"def merge(group, later):\n    return kind({', '.join(merged)})\n"
    made: Callable[[Any, Any], Any] = execute(
        text, {"kind": kind, **{f"merge{i}": one.accumulator.merge for i, one in enumerate(columns)}}
    )["merge"]
    return made


def _keeping(
    kind: type[msgspec.Struct], columns: Sequence[AggregateCode], changing: Sequence[int]
) -> Callable[[Any], Any]:
    """`changing` are the numbers of the states that can change."""
    copied: Callable[[Any], Any] = kind.__copy__  # type: ignore[attr-defined]
    if not changing:
        return copied
    lines = [f"    kept.s{i} = copy{i}(group.s{i})\n" for i in changing]
    text = f"def keep(group):\n    kept = copied(group)\n{''.join(lines)}    return kept\n"
    made: Callable[[Any], Any] = execute(
        text, {"copied": copied, **{f"copy{i}": columns[i].accumulator.copy for i in changing}}
    )["keep"]
    return made


def _is_fixed(state: Any) -> bool:
    """Whether a state cannot change, so that any number of groups may share it."""
    return isinstance(state, int | float | str | bytes | None)


def _aggregate(one: AggregateColumn, functions: FunctionCatalogue) -> Aggregate:
    count = len(one.arguments)
    for aggregate in functions.aggregates.get(one.function, ()):
        if aggregate.function.takes(count) and offered_call(aggregate, count) == one.offered:
            return aggregate
    if one.offered is None:
        raise UnknownOperation(f"there is no aggregate {one.function} of {count} arguments")
    taken = ", ".join(one.offered.parameters)
    raise UnknownOperation(f"there is no aggregate {one.function}({taken}) with a state of {one.offered.state}")


def _column(one: AggregateColumn, functions: FunctionCatalogue) -> AggregateCode:
    aggregate = _aggregate(one, functions)
    values, constants = one.arguments[: aggregate.values], one.arguments[aggregate.values :]
    order = tuple(Ordering(item.value.type, item.descending, item.nulls_first) for item in one.order)
    types = tuple(value.type for value in one.arguments)
    fixed = tuple(value.value for value in constants if isinstance(value, Constant))
    accumulator = aggregate.accumulator(Arguments(types, fixed, order, one.type))
    if one.distinct:
        accumulator = DistinctValues(accumulator, tuple(value.type for value in values))
    return AggregateCode(one.name, accumulator, values, one.where, tuple(item.value for item in one.order))


@dataclass(frozen=True, slots=True)
class Input:
    """What an aggregate takes of one row: names of locals, and the conditions under which it takes them."""

    values: tuple[str, ...]
    conditions: tuple[str, ...]


def input_of(row: Row, i: int, column: AggregateCode) -> Input:
    """What an aggregate, the one with number `i`, takes of a row, for which lines are written. They know `position`."""
    code = row.code
    where = () if column.where is None else (column.where,)
    row.load(*where, *column.values, *column.order)
    values = [f"x{i}_{j}" for j in range(len(column.values))]
    given = (f"p{i}", *values) if column.accumulator.ordered else tuple(values)
    conditions = [] if column.accumulator.takes_null else [f"{name} is not None" for name in values]
    if column.where is None:
        _load_input(code, i, column, values)
        return Input(given, tuple(conditions))
    taken = f"w{i}"
    code.line(f"{taken} = {code.truth(column.where)}")
    code.line(f"{''.join(f'{name} = ' for name in given)}None" if given else "pass")
    with code.block(f"if {taken}:"):
        code.line("pass")
        _load_input(code, i, column, values)
    return Input(given, (taken, *conditions))


def _load_input(code: Code, i: int, column: AggregateCode, names: Sequence[str]) -> None:
    for name, value in zip(names, column.values, strict=True):
        code.line(f"{name} = {code.result(value)}")
    if column.accumulator.ordered:
        order = [f"{code.result(value)}, " for value in column.order]
        code.line(f"p{i} = ({''.join(order)}*position)" if order else f"p{i} = position")


def adding_lines(made: GroupClass, inputs: Sequence[Input], bound: dict[str, Any]) -> list[str]:
    """Lines that add a row to the group of `key` in `span`, found by `get`, else by `behind`, and put into `front`.

    Nothing is kept before all that may raise is done. The names that are needed are put into `bound`.
    """
    bound["kind"] = made.kind
    if made.once:
        return [
            "if get(key) is None and behind(key) is None:",
            f"    front[key] = kind({'time' if made.timed else ''})",
            "    span.groups += 1",
        ]
    risky = made.risky
    _bind_adding(made, bound)
    bound["fresh"] = [made.columns[i].accumulator.init() for i in risky]
    keeping: list[str] = []
    if made.compares:
        bound["keep"] = made.keep
        keeping = ["    else:", "        span.before[key] = keep(group)"]
    bound["states"] = attrgetter(*(f"s{i}" for i in risky), "s0")  # of two or more it makes a tuple
    lines = [
        "group = get(key)",
        *(["new = group is None"] if risky else []),
        "if group is None:",
        "    group = behind(key)",
        "    if group is None:",
        f"        group = kind({_initial(made.columns, bound)})",
        *([] if risky else ["        span.groups += 1", *keeping, "    front[key] = group"]),
        *_risky_lines(made, inputs),
    ]
    if risky:
        lines += [
            "if new:",
            "    if behind(key) is None:",
            "        span.groups += 1",
            *keeping,
            "    front[key] = group",
        ]
    return lines + _state_lines(made, inputs)


def session_lines(made: GroupClass, time: str, inputs: Sequence[Input], bound: dict[str, Any]) -> list[str]:
    """As `adding_lines`, for a key that has sessions; the row has this time.

    The last session is tried first, if it was touched lately: most rows lie within it, or soon after it.
    """
    bound |= {"kind": made.kind, "session_of": made.session, "joined_by": joined_by, "group_of": made.joined}
    _bind_adding(made, bound)
    return [
        f"until = {time} + gap",
        "sessions = get(key)",
        f"if sessions is not None and (session := sessions[-1]).start <= {time} <= session.end:",
        "    group = session.group",
        "else:",
        "    session = None",
        "    if sessions is None:",
        "        sessions = behind(key)",
        "        if sessions is None:",
        "            sessions = []",
        f"    joined = joined_by(sessions, {time}, until)",
        "    several = sessions[joined]",
        f"    group = group_of(several) if several else kind({_initial(made.columns, bound)})",
        *_risky_lines(made, inputs),
        "if session is None:",
        f"    start = min({time}, several[0].start) if several else {time}",
        "    until = max(until, several[-1].end) if several else until",
        "    span.put(key, sessions, joined, session_of(start, until, group))",
        "elif until > session.end:",
        "    session.end = until",
        *_state_lines(made, inputs),
    ]


def _bind_adding(made: GroupClass, bound: dict[str, Any]) -> None:
    bound |= {f"add{i}": one.accumulator.add for i, one in enumerate(made.columns) if not one.accumulator.code}


def _risky_lines(made: GroupClass, inputs: Sequence[Input]) -> list[str]:
    """Lines that compute the states that may refuse the row, and keep none of them."""
    lines = []
    for i in made.risky:
        added = f"n{i} = {_added(i, made.columns[i].accumulator, inputs[i], f'n{i}')}"
        lines += [f"n{i} = group.s{i}", *_guarded(inputs[i], [added])]
    return lines


def _state_lines(made: GroupClass, inputs: Sequence[Input]) -> list[str]:
    """Lines that keep those, and compute all others."""
    lines: list[str] = []
    risky = made.risky
    for i, (column, one) in enumerate(zip(made.columns, inputs, strict=True)):
        state = f"group.s{i}"
        if i in risky:
            lines.append(f"{state} = n{i}")
        elif column.accumulator.code.count("{state}") > 1:
            lines += _guarded(one, [f"n = {state}", f"{state} = {_added(i, column.accumulator, one, 'n')}"])
        else:
            lines += _guarded(one, [f"{state} = {_added(i, column.accumulator, one, state)}"])
    return lines + (["if time > group.time:", "    group.time = time"] if made.timed else [])


def trying_lines(made: GroupClass, inputs: Sequence[Input]) -> list[str]:
    """Lines that raise what adding a row would, after the rows `tried` before, and keep nothing else."""
    lines = [
        "at = bounds, key",
        "new = tried.get(at)",
        "if new is None:",
        "    span = part.spans.get(bounds)",
        "    group = None if span is None else span.find(key)",
        "    new = tried[at] = list(fresh if group is None else states(group))",
    ]
    for place, i in enumerate(made.risky):
        added = _added(i, made.columns[i].accumulator, inputs[i], "n")
        lines += _guarded(inputs[i], [f"n = new[{place}]", f"new[{place}] = {added}"])
    return lines


def _added(i: int, accumulator: Accumulator, one: Input, state: str) -> str:
    """Python for the state with one more record."""
    if accumulator.code:
        return accumulator.code.format(*one.values, state=state)
    return f"add{i}({', '.join((state, *one.values))})"


def _initial(columns: Sequence[AggregateCode], bound: dict[str, Any]) -> str:
    """The first states: those that cannot change are shared by all groups."""
    states = []
    for i, one in enumerate(columns):
        state = one.accumulator.init()
        shared = _is_fixed(state)
        bound[f"initial{i}"] = state if shared else one.accumulator.init
        states.append(repr(state) if state in (None, 0) else f"initial{i}{'' if shared else '()'}")
    return ", ".join(states)


def _guarded(one: Input, lines: list[str]) -> list[str]:
    if not one.conditions:
        return lines
    return [f"if {' and '.join(one.conditions)}:", *(f"    {line}" for line in lines)]
