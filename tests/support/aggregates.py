"""Aggregates over lists of values: all in one, or in parts whose states are written, read back and merged."""

from collections.abc import Sequence
from typing import Any

import msgspec

from jobplane.schemas.msgspec_types import msgpack_decoder
from jobplane.sql.functions.aggregates.accumulator import Accumulator

Rows = Sequence[tuple[Any, ...]]


def fold(accumulator: Accumulator, rows: Rows) -> Any:
    """The state after these records. In ordered ones the position comes first, which is never NULL."""
    state = accumulator.init()
    for row in rows:
        if accumulator.takes_null or None not in row:
            state = accumulator.add(state, *row)
    return state


def rewritten(accumulator: Accumulator, state: Any) -> Any:
    """The state after it was written and read back."""
    try:
        data = msgspec.msgpack.encode(state)
    except OverflowError:
        data = msgspec.msgpack.encode(accumulator.widen(state))
    return msgpack_decoder(accumulator.state_type).decode(data)


def in_parts(accumulator: Accumulator, parts: Sequence[Rows]) -> Any:
    """The result if each part was added up on its own; in each, the state was written and read back halfway."""
    merged = accumulator.init()
    for rows in parts:
        state = rewritten(accumulator, fold(accumulator, rows[: len(rows) // 2]))
        for row in rows[len(rows) // 2 :]:
            if accumulator.takes_null or None not in row:
                state = accumulator.add(state, *row)
        before = msgspec.msgpack.encode(accumulator.widen(state))
        merged = accumulator.merge(merged, state)
        assert msgspec.msgpack.encode(accumulator.widen(state)) == before
    return accumulator.result(rewritten(accumulator, merged))
