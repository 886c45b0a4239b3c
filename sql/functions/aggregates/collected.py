"""Aggregates that keep values in the order of their records, or of ORDER BY.

A value is kept with the position of its record, so that the result does not depend on which partition was read first.
"""

from typing import Any

from jobplane.schemas.failures import BadRecord
from jobplane.schemas.types import datatypes as t
from jobplane.schemas.types.datatypes import MAX_LENGTH, Type
from jobplane.sql.functions.aggregates.accumulator import Accumulator, Arguments, Ordering
from jobplane.sql.functions.aggregates.aggregate import ANYTHING, Aggregate, constant, declare, parameter, same_type
from jobplane.sql.functions.aggregates.stored import narrow, stored_as
from jobplane.sql.runtime.comparing import check_comparable
from jobplane.sql.runtime.plain import join_texts

Position = tuple[Any, ...]
Entry = tuple[Position, Any]
_OF_RECORD = 3
"""A position ends with time, partition and offset."""


def position_type(order: tuple[Ordering, ...]) -> Any:
    """The type that msgspec reads a position as."""
    return tuple[*(stored_as(one.type).kind | None for one in order), int, int, int]  # type: ignore[misc]


def in_order(entries: list[Entry], order: tuple[Ordering, ...]) -> list[Entry]:
    """Sorted by the values of ORDER BY, equal ones by time, partition and offset."""
    ordered = sorted(entries, key=lambda entry: entry[0][-_OF_RECORD:])
    for i, one in reversed(list(enumerate(order))):
        there = [entry for entry in ordered if entry[0][i] is not None]
        nulls = [entry for entry in ordered if entry[0][i] is None]
        if one.type == t.SCALAR:
            check_comparable([position[i] for position, _ in there])
        there.sort(key=lambda entry: entry[0][i], reverse=one.descending)
        ordered = [*nulls, *there] if one.nulls_first else [*there, *nulls]
    return ordered


def _narrowed(entry: Entry) -> Entry:
    position, value = entry
    return tuple(map(narrow, position)), value


class Elements(Accumulator):
    """The state has every value with its position."""

    takes_null = True
    ordered = True

    def __init__(self, arguments: Arguments) -> None:
        self.stored, self.order = stored_as(arguments.types[0]), arguments.order
        self.position_type = position_type(self.order)
        self.state_type = list[tuple[self.position_type, self.stored.kind | None]]  # type: ignore[name-defined]

    def init(self) -> list[Entry]:
        return []

    def add(self, state: list[Entry], position: Position, value: Any) -> list[Entry]:
        state.append((position, None if value is None else self.stored.write(value)))
        return state

    def merge(self, state: list[Entry], later: list[Entry]) -> list[Entry]:
        state += later
        return state

    def result(self, state: list[Entry]) -> Any:
        if not state:
            return None
        if len(state) > MAX_LENGTH:
            raise BadRecord(
                f"ARRAY_AGG would make an array of {len(state):,} elements; at most {MAX_LENGTH:,} are allowed"
            )
        return [None if value is None else self.stored.read(value) for _, value in in_order(state, self.order)]

    def widen(self, state: list[Entry]) -> list[Entry]:
        return list(map(_narrowed, state))


class Texts(Elements):
    """The values, and then a separator between them."""

    takes_null = False

    def __init__(self, name: str, arguments: Arguments) -> None:
        super().__init__(arguments)
        self.name, self.separator = name, "".join(arguments.constants)

    def result(self, state: list[Entry]) -> str | None:
        if not state:
            return None
        return join_texts(self.name, self.separator, [text for _, text in in_order(state, self.order)])


class Earliest(Accumulator):
    """The state is the value of the first record, with its position."""

    ordered = True

    def __init__(self, arguments: Arguments) -> None:
        self.stored = stored_as(arguments.types[0])
        self.position_type = position_type(())
        self.state_type = tuple[self.position_type, self.stored.kind] | None  # type: ignore[name-defined]

    def init(self) -> None:
        return None

    def add(self, state: Entry | None, position: Position, value: Any) -> Entry:
        return state if state is not None and self.stays(state[0], position) else (position, self.stored.write(value))

    def stays(self, position: Position, other: Position) -> bool:
        """Whether the record at the position counts, rather than the other."""
        return position <= other

    def merge(self, state: Entry | None, later: Entry | None) -> Entry | None:
        return state if later is None or (state is not None and self.stays(state[0], later[0])) else later

    def result(self, state: Entry | None) -> Any:
        return None if state is None else self.stored.read(state[1])


class Latest(Earliest):
    def stays(self, position: Position, other: Position) -> bool:
        return position >= other


class Pairs(Accumulator):
    """The state has the value of each key, with the position of the last record that had this key."""

    takes_null = True
    ordered = True

    def __init__(self, arguments: Arguments) -> None:
        key, self.stored = stored_as(arguments.types[0]), stored_as(arguments.types[1])
        self.position_type = position_type(())
        self.state_type = dict[key.kind, tuple[self.position_type, self.stored.kind | None]]  # type: ignore[name-defined]

    def init(self) -> dict[Any, Entry]:
        return {}

    def add(self, state: dict[Any, Entry], position: Position, key: Any, value: Any) -> dict[Any, Entry]:
        if key is not None:
            self._put(state, key, (position, None if value is None else self.stored.write(value)))
        return state

    def _put(self, state: dict[Any, Entry], key: Any, entry: Entry) -> None:
        known = state.get(key)
        if known is None or known[0] <= entry[0]:
            state[key] = entry

    def merge(self, state: dict[Any, Entry], later: dict[Any, Entry]) -> dict[Any, Entry]:
        for key, entry in later.items():
            self._put(state, key, entry)
        return state

    def result(self, state: dict[Any, Entry]) -> Any:
        pairs = sorted(state.items(), key=lambda pair: pair[1][0])
        return {key: None if value is None else self.stored.read(value) for key, (_, value) in pairs} or None


class Histogram(Accumulator):
    """The state has the number of each value."""

    def __init__(self, arguments: Arguments) -> None:
        self.state_type = dict[stored_as(arguments.types[0]).kind, int]  # type: ignore[misc]

    def init(self) -> dict[Any, int]:
        return {}

    def add(self, state: dict[Any, int], value: Any) -> dict[Any, int]:
        state[value] = state.get(value, 0) + 1
        return state

    def merge(self, state: dict[Any, int], later: dict[Any, int]) -> dict[Any, int]:
        for value, count in later.items():
            state[value] = state.get(value, 0) + count
        return state

    def result(self, state: dict[Any, int]) -> Any:
        return {value: state[value] for value in sorted(state)} or None


_KEYS = (t.VARCHAR, t.BIGINT, t.BOOLEAN, t.DATE)
"""What a key of a MAP may be; whole numbers of any size count as BIGINT."""
_VALUE = parameter("value", ANYTHING, takes_null=True)


def _map_agg(key: Type) -> tuple[Aggregate, ...]:
    return declare(
        "MAP_AGG",
        (parameter("key", key, takes_null=True), _VALUE),
        t.map_of(key, ANYTHING),
        Pairs,
        "A map of the keys to their values. Of equal keys the last one counts; a key that is NULL is left out.",
        result=lambda types: t.map_of(*types),
    )


def _histogram(value: Type) -> tuple[Aggregate, ...]:
    return declare(
        "HISTOGRAM",
        (parameter("value", value),),
        t.map_of(value, t.BIGINT),
        Histogram,
        "How often each value is there, from the smallest value to the largest.",
    )


def _joined(name: str, meaning: str, *, optional: bool) -> tuple[Aggregate, ...]:
    return declare(
        name,
        (parameter("text", t.VARCHAR), constant("separator", t.VARCHAR, optional=optional)),
        t.VARCHAR,
        lambda arguments: Texts(name, arguments),
        meaning,
        values=1,
        takes_order=True,
    )


COLLECTED = (
    *declare(
        "ARRAY_AGG",
        (_VALUE,),
        t.array(ANYTHING),
        Elements,
        "An array of the values, NULLs too, in the order of time, or of ORDER BY.",
        result=lambda types: t.array(types[0]),
        takes_order=True,
    ),
    *_joined(
        "STRING_AGG", "The texts in the order of time, or of ORDER BY, with the separator between them.", optional=False
    ),
    *_joined(
        "LISTAGG", "The same as STRING_AGG; without a separator there is nothing between the texts.", optional=True
    ),
    *(one for key in _KEYS for one in _map_agg(key)),
    *(one for value in _KEYS for one in _histogram(value)),
    *declare(
        "EARLIEST_BY_OFFSET",
        (parameter("value", ANYTHING),),
        ANYTHING,
        Earliest,
        "The value of the earliest record: the first by time, then by partition and offset.",
        result=same_type,
    ),
    *declare(
        "LATEST_BY_OFFSET",
        (parameter("value", ANYTHING),),
        ANYTHING,
        Latest,
        "The value of the latest record: the last by time, then by partition and offset.",
        result=same_type,
    ),
)
