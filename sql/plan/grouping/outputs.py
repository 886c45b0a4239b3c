"""The key and the timestamp of the records that are written of groups, where the query gives none.

A final row has the group's columns without its window as key, since a window has one row, and the window's last
millisecond as timestamp. A row that replaces the one before has all columns of the group as key.
"""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from jobplane.schemas.errors import NotSupported, Place
from jobplane.schemas.types import datatypes as t
from jobplane.sql.analysis.calls import resolve_call
from jobplane.sql.functions import BUILT_IN
from jobplane.sql.plan.graph import Branch, Step
from jobplane.sql.plan.grouping.groups import GroupKey, SelectGroups
from jobplane.sql.plan.operators import KEY_PART, GroupOperator, ProjectOperator, WindowOperator
from jobplane.sql.plan.usage import children, keys_of
from jobplane.sql.syntax.parts import KEY
from jobplane.sql.types.coercion import Coercion
from jobplane.sql.types.typed import Constant, Field, Typed

_SAME_KEYS = (
    "rows of these groups would replace rows of other groups that go to the same topic and have the same key: tell "
    "them apart in GROUP BY: SELECT 'a' AS part, … GROUP BY part, … and SELECT 'b' AS part, … GROUP BY part, …"
)


def key_columns(groups: SelectGroups, group: GroupOperator, before: Sequence[Step]) -> list[GroupKey]:
    """The columns of the key. Of a window that is its start, or its end where GROUP BY names that alone, or windows
    grow from one start."""
    left_out = set(group.window)
    if group.window and group.changes:
        window = next(one for one in before if isinstance(one, WindowOperator) and one.slice == group.slice)
        named = {one.field.key for one in groups.keys if one.name}
        start, end = group.window
        left_out.remove(end if window.windows.growing or start not in named else start)
    return [one for one in groups.keys if one.field.key not in left_out]


def key_of_group(columns: Sequence[GroupKey], group: GroupOperator, place: Place, coercion: Coercion) -> Typed:
    """One column as it is, several as a JSON object. NULL for the final row of a window without other columns."""
    match columns:
        case [one]:
            return one.field
        case []:
            return Constant(msgspec.Raw(b"{}"), t.JSON) if group.changes else Constant(None, t.NULL)
    pairs = [pair for one in columns for pair in ((Constant(one.name, t.VARCHAR), place), (one.field, place))]
    return resolve_call("JSON_OBJECT", pairs, place, coercion, BUILT_IN)


def check_key(
    columns: Iterable[GroupKey], group: GroupOperator, values: Iterable[Typed], steps: Sequence[Step], place: Place
) -> None:
    """Raises NotSupported for a key of the query's own by which two groups would replace each other's rows, or a group
    would not replace its own.
    """
    named = {key for value in values for key in keys_of(value)}
    for step in reversed(steps):
        if isinstance(step, ProjectOperator):
            named |= {key for one in step.columns if one.name in named for key in keys_of(one.value)}
    if any(one.name in named for one in group.aggregates):
        message = (
            f"{KEY} has an aggregate, so a row of a group would not replace the one before it: make {KEY} of columns "
            "of GROUP BY alone"
        )
        raise NotSupported(message, place)
    missing = [one.name for one in columns if one.field.key not in named]
    if missing:
        message = (
            f"{KEY} lacks {', '.join(missing)} of GROUP BY, so rows of one group would replace those of another: add "
            f"it, or leave out {KEY}, which is then made of all columns of GROUP BY"
        )
        raise NotSupported(message, place)


def check_keys_apart(branches: Sequence[Branch], places: Sequence[Place], topics: Mapping[str, str]) -> None:
    """Raises NotSupported where rows that replace one another by their key come from several groups of one topic,
    and nothing in the key tells them apart. `topics` are those of the targets that are called otherwise.
    """
    grouped = [(one, place, _constants_of_key(one)) for one, place in zip(branches, places, strict=True) if one.group]
    for i, (one, place, constants) in enumerate(grouped):
        for other, _, known in grouped[:i]:
            into, beside = (topics.get(each.sink.target, each.sink.target) for each in (one, other))
            if into != beside or other.group_number == one.group_number:
                continue
            if constants == known and any(each.group and each.group.changes for each in (one, other)):
                raise NotSupported(_SAME_KEYS, place)


def _constants_of_key(branch: Branch) -> set[tuple[str, str]]:
    """The constants that the key of a row is made of."""
    to = {one.column: one.part for one in branch.sink.columns}
    grouping = () if branch.group is None else branch.group.keys
    computed = [step for step in (*branch.steps, *branch.after) if isinstance(step, ProjectOperator)]
    known = {one.name: one.value for one in (*grouping, *(column for step in computed for column in step.columns))}
    waiting = [one.value for one in branch.columns if to[one.name] in (KEY, KEY_PART)]
    found = set()
    while waiting:
        value = waiting.pop()
        if isinstance(value, Constant):
            found.add((value.type.name, repr(value.value)))
        elif isinstance(value, Field) and value.key in known:
            waiting.append(known.pop(value.key))
        waiting += children(value)
    return found
