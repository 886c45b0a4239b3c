"""What a window function after FROM asks for: the windows, and the time of which a row's windows are found."""

from datetime import timedelta
from typing import Any

from jobplane.schemas.errors import NotSupported, Place, TypeMismatch
from jobplane.schemas.types import datatypes as t
from jobplane.schemas.types.zones import find_zone
from jobplane.sql.analysis.expressions import Analysis
from jobplane.sql.operations.operation import CastOperation
from jobplane.sql.runtime.windows import Unit, Windows
from jobplane.sql.syntax import expressions as ex
from jobplane.sql.syntax import statements
from jobplane.sql.syntax.render.expressions import render_expression
from jobplane.sql.syntax.statements import WindowFunction
from jobplane.sql.types.typed import Typed, apply

MAX_WINDOWS = 1_000
WINDOW_COLUMNS = ("window_start", "window_end")
_DAY = timedelta(days=1)
MAX_IDLE = 365 * _DAY
_MICROSECOND = timedelta(microseconds=1)
_LONGEST = {"microsecond": 36_525 * _DAY // _MICROSECOND, "day": 36_525, "month": 1_200}
_STEPS = {WindowFunction.HOP: "slide", WindowFunction.CUMULATE: "step"}


def time_of(tree: ex.Expression, analysis: Analysis, by: str = "DESCRIPTOR") -> Typed:
    """The time as an instant; a TIMESTAMP counts as UTC. Raises TypeMismatch."""
    value, place = analysis.typed(tree), tree.place
    if value.type in (t.UNKNOWN, t.NULL, t.TIMESTAMP_TZ):
        return analysis.coercion.to(value, t.TIMESTAMP_TZ, by, place)
    if value.type == t.TIMESTAMP:
        return apply(CastOperation(t.TIMESTAMP, t.TIMESTAMP_TZ), (value,), t.TIMESTAMP_TZ)
    name = render_expression(tree)
    made = f"TO_TIMESTAMP({name})" if t.is_numeric(value.type) else f"CAST({name} AS TIMESTAMP WITH TIME ZONE)"
    message = (
        f"{by} needs a TIMESTAMP or a TIMESTAMP WITH TIME ZONE; {name} is {value.type.words}; convert it in a "
        f"query: (SELECT *, {made} AS event_time FROM …)"
    )
    raise TypeMismatch(message, place)


def lag_of(ordered: statements.Ordered, analysis: Analysis) -> Typed:
    """Raises TypeMismatch for an interval that is not a length, or is negative."""
    value: Any = analysis.typed(ordered.lag)  # a Constant
    if value.type != t.DAY_TO_SECOND or value.value < timedelta(0):
        raise TypeMismatch("a lag is an interval of days or less, and not negative", ordered.lag.place)
    return value  # type: ignore[no-any-return]


def idle_of(interval: ex.Expression, analysis: Analysis) -> int:
    """How long a partition is silent before it counts as idle, in microseconds. Raises TypeMismatch."""
    value: Any = analysis.typed(interval)  # a Constant
    if value.type != t.DAY_TO_SECOND or value.value <= timedelta(0):
        raise TypeMismatch("IDLE AFTER needs a positive interval of days or less", interval.place)
    if value.value > MAX_IDLE:
        raise TypeMismatch("IDLE AFTER has at most 365 days; write a shorter interval", interval.place)
    return int(value.value // _MICROSECOND)


def windows_of(windowed: statements.Windowed, analysis: Analysis) -> Windows:
    """Raises TypeMismatch for intervals that make no windows, NotSupported for windows beyond a bound."""
    if windowed.function is WindowFunction.SESSION:
        return _sessions_of(windowed.size, analysis)
    zone = _zone(windowed.zone)
    whole = _unit(windowed.size, zone, analysis)
    size = _length(windowed.size, whole, analysis)
    step = size if windowed.step is None else _length(windowed.step, whole, analysis)
    offset = 0 if windowed.offset is None else _length(windowed.offset, whole, analysis)
    for number, interval in ((size, windowed.size), (step, windowed.step or windowed.size)):
        if number <= 0:
            raise TypeMismatch("a window is longer than nothing; write a positive interval", interval.place)
    if abs(offset) >= size and windowed.offset is not None:
        raise TypeMismatch("the offset must be shorter than the size, which is all it can move", windowed.offset.place)
    if size > _LONGEST[whole]:
        raise NotSupported("a window has at most 100 years; write a shorter size", windowed.size.place)
    _check_step(windowed, size, step)
    growing = windowed.function is WindowFunction.CUMULATE and size > step
    return Windows(size, step, growing, offset, whole, zone or ("UTC" if whole == "month" else ""))


def _sessions_of(interval: ex.Interval, analysis: Analysis) -> Windows:
    if analysis.typed(interval).type == t.YEAR_TO_MONTH:
        raise TypeMismatch("months differ in length; write the gap of sessions in days or less", interval.place)
    gap = _length(interval, "microsecond", analysis)
    if gap <= 0:
        raise TypeMismatch("a gap is longer than nothing; write a positive interval", interval.place)
    if gap > _LONGEST["microsecond"]:
        raise NotSupported("a gap has at most 100 years; write a shorter one", interval.place)
    return Windows(gap, gap, session=True)


def check_count(count: int, place: Place) -> None:
    """Raises NotSupported. `count` is how many windows one record may be in, through all window functions."""
    if count > MAX_WINDOWS:
        message = (
            f"a record would be in {count:,} windows; at most {MAX_WINDOWS:,} are allowed: write a longer slide or step"
        )
        raise NotSupported(message, place)


def _check_step(windowed: statements.Windowed, size: int, step: int) -> None:
    if windowed.step is None or size % step == 0:
        return
    name = _STEPS[windowed.function]
    raise TypeMismatch(f"the size must be a multiple of the {name}; change one of them", windowed.step.place)


def _zone(zone: ex.String | None) -> str:
    if zone is None:
        return ""
    try:
        find_zone(zone.value)
    except ValueError as error:
        raise TypeMismatch(str(error), zone.place) from None
    return zone.value


def _unit(size: ex.Interval, zone: str, analysis: Analysis) -> Unit:
    if analysis.typed(size).type == t.YEAR_TO_MONTH:
        return "month"
    return "day" if zone else "microsecond"


def _length(interval: ex.Interval, unit: Unit, analysis: Analysis) -> int:
    """The interval as a number of the unit. Raises TypeMismatch where it is not a whole one."""
    value: Any = analysis.typed(interval)  # a Constant
    if (value.type == t.YEAR_TO_MONTH) is not (unit == "month"):
        raise TypeMismatch(
            "write all intervals of a window in months and years, or all in days and less", interval.place
        )
    if unit == "month":
        return int(value.value)
    number, rest = divmod(value.value, _DAY if unit == "day" else _MICROSECOND)
    if rest:
        message = "windows of a time zone are whole days, months or years; leave out the zone, or write days"
        raise TypeMismatch(message, interval.place)
    return int(number)
