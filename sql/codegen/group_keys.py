"""Records and groups without a key, where a key is needed to get one result for each group.

Groups `bound` to their partitions rest on the keys of records, and records without one are in any partition. Rows that
replace one another have their key for it; as JSON that may be `null`.
"""

from collections.abc import Iterable

from jobplane.sql.analysis.record import KEY_FIELDS, KEY_WHOLE
from jobplane.sql.plan.graph import Branch
from jobplane.sql.plan.operators import KEY_PART, GroupOperator, ProjectedColumn, ScannedField
from jobplane.sql.plan.stateful import replaces_rows
from jobplane.sql.syntax.parts import KEY
from jobplane.sql.types.typed import Apply, Field, Typed, strip_view


def is_of_record_key(value: Typed, fields: Iterable[ScannedField]) -> bool:
    """Whether the value is NULL for a record without a key."""
    of_key = {KEY, KEY_WHOLE, KEY_FIELDS} | {one.key for one in fields if one.of_key}
    return _key_of(value) in of_key


def may_lack_key(branch: Branch, group: GroupOperator) -> bool:
    """Whether a row that replaces others may have no key, which is known of the row alone."""
    return replaces_rows(group) and not has_json_key(branch) and not key_of_rows(branch, group)[0]


def key_of_rows(branch: Branch, group: GroupOperator) -> tuple[str, str]:
    """The group key that is the key of rows that replace one another, and the column that has it; else empty.

    Where it is NULL the row has no key. Keys as JSON have `null` for it.
    """
    written = [one for one in branch.columns if _part_of(branch, one) in (KEY, KEY_PART)]
    if not replaces_rows(group) or len(written) != 1 or has_json_key(branch):
        return "", ""
    name = _key_of(written[0].value)
    if all(one.name != name for one in group.keys):
        return "", ""
    called = (one.name for one in branch.columns if one is not written[0] and _key_of(one.value) == name)
    return name, next(called, KEY)


def has_json_key(branch: Branch) -> bool:
    """Whether the key is any JSON value, or an object."""
    key = branch.sink.key_format
    return bool(branch.key) and key is not None and (key.is_json or any(one.path for one in branch.key))


def _part_of(branch: Branch, column: ProjectedColumn) -> str:
    return next(one.part for one in branch.sink.columns if one.column == column.name)


def _key_of(value: Typed) -> str:
    """The key of a field that the value is, perhaps converted."""
    while isinstance(value, Apply) and len(value.arguments) == 1:
        value = value.arguments[0]
    value = strip_view(value)
    return value.key if isinstance(value, Field) else ""
