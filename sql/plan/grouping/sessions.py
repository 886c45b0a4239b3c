"""What a query may do with sessions, which are known when they end."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from msgspec.structs import replace as changed

from jobplane.schemas.errors import NotSupported, Place
from jobplane.schemas.types import datatypes as t
from jobplane.sql.plan.graph import Step, values_of
from jobplane.sql.plan.grouping.groups import GroupKey, SelectGroups
from jobplane.sql.plan.operators import GroupOperator, WindowOperator
from jobplane.sql.plan.usage import keys_of
from jobplane.sql.syntax import statements
from jobplane.sql.syntax.column_names import expression_name
from jobplane.sql.types.typed import Field, Typed

_NEEDS_GROUPS = "sessions are those of groups of rows: write GROUP BY column, window_start, window_end"
_NOT_YET = (
    "the start and the end of a session are known when it ends: name window_start and window_end in GROUP BY, and "
    "compute with them in SELECT and HAVING"
)
_NO_CHANGES = (
    "the end of a session moves with its records, so no row could replace the one before: leave out EMIT CHANGES"
)


@dataclass(frozen=True, slots=True)
class Sessions:
    """Those of SESSION in the query. `keys` are what PARTITION BY names: names and values."""

    start: str
    keys: tuple[tuple[str, Typed], ...]
    place: Place


def check_grouped(sessions: Iterable[Sessions], steps: Iterable[Step], group: GroupOperator | None) -> None:
    """Raises NotSupported for sessions by which no groups are made."""
    slices = {step.start: step.slice for step in steps if isinstance(step, WindowOperator)}
    for one in sessions:
        if group is None or not group.window or slices[one.start] != group.slice:
            raise NotSupported(_NEEDS_GROUPS, one.place)


def check_sessions(
    sessions: Sessions,
    window: WindowOperator,
    groups: SelectGroups,
    steps: Sequence[Step],
    emit: statements.Emit | None,
    place: Place,
) -> None:
    """Raises NotSupported where sessions are not those of the group, or their bounds are used before they are known."""
    if emit is not None and emit.mode is statements.EmitMode.CHANGES:
        raise NotSupported(_NO_CHANGES, emit.place)
    bounds = [groups.find_value(Field(key, t.TIMESTAMP_TZ)) for key in (window.start, window.end)]
    if None in bounds:
        raise NotSupported(
            "two sessions may have one start or one end: name window_start and window_end in GROUP BY", place
        )
    others = [one for one in groups.keys if one.field not in bounds]
    made = changed(_without(groups, others), window=())
    used = (value for step in (*steps[steps.index(window) + 1 :], made) for value in values_of(step))
    if any({window.start, window.end} & keys_of(value).keys() for value in used):
        raise NotSupported(_NOT_YET, place)
    if sessions.keys:
        _check_keys(sessions, groups, others, place)


def _without(groups: SelectGroups, keys: Sequence[GroupKey]) -> GroupOperator:
    """The groups as if these were all their keys."""
    columns = tuple(one for one, key in zip(groups.columns, groups.keys, strict=True) if key in keys)
    return GroupOperator(columns, groups.results)


def _check_keys(sessions: Sessions, groups: SelectGroups, others: Sequence[GroupKey], place: Place) -> None:
    found = [(name, groups.find_value(value)) for name, value in sessions.keys]
    missing = [name for name, value in found if value is None]
    if missing:
        message = f"sessions are by {missing[0]}, and groups are not: add {missing[0]} to GROUP BY"
        raise NotSupported(message, sessions.place)
    fields = [value for _, value in found]
    more = [one.name or expression_name(one.tree, 0) for one in others if one.field not in fields]
    if more:
        message = f"groups are by {more[0]}, and sessions are not: add {more[0]} to PARTITION BY"
        raise NotSupported(message, place)
