"""The listing of a dry run. Pure."""

from collections.abc import Callable, Iterable, Sequence

from jobplane.controlplane.listings.rows import Listing, Row, Screen, text_of
from jobplane.processors.dry_run import Cost, GroupTrial, Record, Trial, Tried
from jobplane.processors.evaluation.place import place_of
from jobplane.processors.kafka.cluster import Message
from jobplane.schemas.shown import quantity
from jobplane.sql.runtime.groups_due import GroupShape

ROW_COLUMNS = ("source", "key", "value", "other")
SINK_COLUMN = "sink"
"""Beside the others, of a job that writes to several topics."""
GROUP_COLUMNS = ("key", "value", "other")
REFUSAL_COLUMNS = ("source", "code", "reason", "value")
ValueOf = Callable[[Record], str | None]


def value_text(record: Record) -> str | None:
    """The value of a record, as text."""
    return text_of(record[1])


def listing(trial: Trial, value_of: ValueOf = value_text, topics: Sequence[str] = ()) -> Listing:
    """A row for each record written, then the refused records; `about` has the counts. `value_of` decodes a value.

    `topics` are those that the job writes to.
    """
    several = len(topics) > 1
    rows = [
        _row(one.message, record, value_of) | ({SINK_COLUMN: record[0]} if several else {})
        for one in trial.tried
        for record in one.written
    ]
    refused = [_refusal(one) for one in trial.tried if one.refusal is not None]
    about = {
        "read": trial.read,
        "written": trial.written,
        "filtered": trial.filtered,
        "skipped": trial.skipped,
        "refused": trial.refused,
        **_cost(trial.cost),
    }
    others = {"refused": Listing(REFUSAL_COLUMNS, refused)}
    columns = (ROW_COLUMNS[0], SINK_COLUMN, *ROW_COLUMNS[1:]) if several else ROW_COLUMNS
    return Listing(columns, rows, about, others, _summary(about), Screen.RECORDS)


def group_listing(trial: GroupTrial, value_of: ValueOf = value_text, topics: Sequence[str] = ()) -> Listing:
    """A row for each group, then the records that are in none, and the group that has no result.

    Rows of branches without groups come first. `topics` are as of `listing`.
    """
    several = len(topics) > 1
    rows = [_group_row(record, value_of) | ({SINK_COLUMN: record[0]} if several else {}) for record in trial.written]
    refused = [_refusal(one) for one in trial.refused]
    if failure := trial.failure:
        refused.append({"source": "", "code": failure.code, "reason": failure.message, "value": None})
    about = {
        "read": trial.cost.read,
        "written": len(trial.written),
        "skipped": trial.skipped,
        "late": trial.late,
        "refused": len(trial.refused) - trial.late,
        **_cost(trial.cost),
    }
    counts = f"{about['skipped']:,} skipped, {about['late']:,} late, {about['refused']:,} refused"
    rows_of_groups = f"{quantity(len(trial.written) - trial.plain, 'row')} of groups"
    written = f"{rows_of_groups}, {quantity(trial.plain, 'other row')}" if trial.plain else rows_of_groups
    said = f"{quantity(about['read'], 'record')} read: {written}, {counts}"
    others = {"refused": Listing(REFUSAL_COLUMNS, refused)}
    columns = (SINK_COLUMN, *GROUP_COLUMNS) if several else GROUP_COLUMNS
    return Listing(columns, rows, about, others, f"{said}{_speed(about)}", Screen.RECORDS)


def how_groups_are_shown(shapes: Iterable[GroupShape], *, has_idle_rule: bool) -> str:
    """What a dry run takes for the end of groups that a job would still add to."""
    idle = "; IDLE AFTER closes none here, and makes no record late, because a dry run has no clock"
    once = "each group is shown once, as if a single commit had all records"
    closed = "windows that are open are shown as if they closed now"
    shown = "; ".join(dict.fromkeys(once if shape.changes else closed for shape in shapes))
    return f"{shown}{idle if has_idle_rule else ''}"


def _cost(cost: Cost) -> Row:
    return {"rate": round(cost.rate), "cpu_micros": round(cost.cpu_micros, 2)}


def _summary(about: Row) -> str:
    counts = f"{about['filtered']:,} filtered out, {about['skipped']:,} skipped, {about['refused']:,} refused"
    return f"{quantity(about['read'], 'record')} read: {about['written']:,} written, {counts}{_speed(about)}"


def _speed(about: Row) -> str:
    rate = quantity(about["rate"], "record")
    return f"; {rate} a second, {about['cpu_micros']:g} µs of CPU each" if about["read"] else ""


def _row(message: Message, record: Record, value_of: ValueOf) -> Row:
    key, value, other = text_of(record[2]), value_of(record), _other_fields(message, record)
    return {"source": place_of(message), "key": key, "value": value, "other": other}


def _other_fields(message: Message, record: Record) -> Row:
    """Partition, timestamp and headers of the output, if they differ from the source record."""
    _, _, _, partition, _, _, timestamp, *headers = record
    found: Row = {}
    if partition not in (-1, message.partition()):
        found["partition"] = partition
    if timestamp != message.timestamp()[1]:
        found["timestamp"] = timestamp
    if headers and headers[0] is not None and headers[0] != (message.headers() or []):
        found["headers"] = [[name, text_of(text)] for name, text in headers[0]]
    return found


def _group_row(record: Record, value_of: ValueOf) -> Row:
    _, _, key, partition, _, _, timestamp, *headers = record
    other: Row = {"partition": partition} if partition != -1 else {}
    other["timestamp"] = timestamp
    if headers and headers[0]:
        other["headers"] = [[name, text_of(text)] for name, text in headers[0]]
    return {"key": text_of(key), "value": value_of(record), "other": other}


def _refusal(one: Tried) -> Row:
    failure = one.refusal
    code, reason = (failure.code, failure.message) if failure is not None else ("", "")
    return {"source": place_of(one.message), "code": code, "reason": reason, "value": text_of(one.message.value())}
