"""Proposes a WATERMARK for the column of a sample by which its records are best in order."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from jobplane.schemas.formats.json.values import decoder, msgspec_type, read_conversion
from jobplane.schemas.names import quote_name
from jobplane.schemas.types import datatypes as t
from jobplane.sql.runtime.record_parts import EPOCH
from jobplane.sql.syntax.render.expressions import string_literal

_LAGS = tuple(
    (timedelta(**{f"{unit}s": count}), f"{count}", unit.upper())
    for unit, counts in {
        "second": (1, 2, 5, 10, 15, 30),
        "minute": (1, 2, 5, 10, 15, 30),
        "hour": (1, 2, 3, 6, 12),
        "day": (1, 2, 7, 14, 30),
    }.items()
    for count in counts
)
"""Intervals that people choose, with their texts."""
_MICROSECOND = timedelta(microseconds=1)
_decode = decoder(msgspec_type(t.TIMESTAMP_TZ) | None).decode
_convert = read_conversion(t.TIMESTAMP_TZ)


@dataclass(frozen=True, slots=True)
class InferredWatermark:
    """`behind` is how far a record was behind the newest before it in its partition.

    `bounded`: a record was ahead of its own timestamp, so the watermark takes the earlier of the two.
    """

    column: str
    behind: timedelta
    bounded: bool = False

    @property
    def definition(self) -> str:
        """The text in CREATE MAPPING."""
        name = quote_name(self.column)
        time = f"LEAST({name}, __timestamp)" if self.bounded else name
        count, unit = next((count, unit) for lag, count, unit in _LAGS if self.behind <= lag)
        return f"WATERMARK FOR {name} AS {time} - INTERVAL {string_literal(count)} {unit}"

    @property
    def reason(self) -> str:
        """What was seen."""
        order = f"up to {_text(self.behind)} behind the newest before them" if self.behind else "in order"
        return f"records are {order}{'; some are ahead of their own timestamps' if self.bounded else ''}"


@dataclass(frozen=True, slots=True)
class TimedValue:
    """A field of a record: its value as JSON, where the record is, and its timestamp in ms since 1970, if any."""

    raw: bytes
    partition: int
    timestamp: int | None


def _text(behind: timedelta) -> str:
    """With three digits, in the largest unit of which it has at least one."""
    seconds = behind.total_seconds()
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.3g} {unit}"
    return f"{seconds:.3g} s"


def infer_watermark(columns: Iterable[tuple[str, Sequence[TimedValue]]]) -> InferredWatermark | None:
    """For columns of the type TIMESTAMP WITH TIME ZONE, each with its values in all records, in their order.

    None if no column suits: one that may be NULL, or by which the sample is not in order.
    """
    suited = [one for name, values in columns if (one := _measure(name, values)) is not None]
    return min(suited, key=lambda one: (one.disorder, -one.different)).watermark if suited else None


@dataclass(frozen=True, slots=True)
class _Measured:
    """`disorder` is the part of the time that the sample spans by which a record was late, `different` times it has."""

    disorder: float
    different: int
    watermark: InferredWatermark


def _measure(name: str, values: Sequence[TimedValue]) -> _Measured | None:
    times = [time for one in values if (time := _time_of(one.raw)) is not None]
    if len(times) < len(values):
        return None
    asserted = [
        time if one.timestamp is None else min(time, one.timestamp * 1000)
        for one, time in zip(values, times, strict=True)
    ]
    newest: dict[int, int] = {}
    oldest: dict[int, int] = {}
    behind = 0
    for one, time in zip(values, asserted, strict=True):
        before = newest.setdefault(one.partition, time)
        behind = max(behind, before - time)
        newest[one.partition] = max(before, time)
        oldest[one.partition] = min(oldest.get(one.partition, time), time)
    spans = max((newest[partition] - oldest[partition] for partition in newest), default=0)
    lag = behind * _MICROSECOND
    if not spans or 2 * behind > spans or lag > _LAGS[-1][0]:
        return None
    return _Measured(behind / spans, len({*times}), InferredWatermark(name, lag, bounded=asserted != times))


def _time_of(raw: bytes) -> int | None:
    """The value of a field that can be read as its type, in µs since 1970; None for null."""
    value = _decode(raw)
    if _convert is not None and value is not None:
        value = _convert(value)
    return None if value is None else (value - EPOCH) // _MICROSECOND
