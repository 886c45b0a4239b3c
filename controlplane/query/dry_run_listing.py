"""The listing of a dry run. Pure."""

from collections.abc import Callable

from jobplane.controlplane.listings.rows import Listing, Row, Screen, text_of
from jobplane.processors.dry_run import Record, Trial, Tried
from jobplane.processors.evaluation.place import place_of
from jobplane.processors.kafka.cluster import Message
from jobplane.schemas.shown import quantity

ROW_COLUMNS = ("source", "key", "value", "other")
REFUSAL_COLUMNS = ("source", "code", "reason", "value")
ValueOf = Callable[[Record], str | None]


def value_text(record: Record) -> str | None:
    """The value of a record, as text."""
    return text_of(record[1])


def listing(trial: Trial, value_of: ValueOf = value_text) -> Listing:
    """A row for each record written, then the refused records; `about` has the counts. `value_of` decodes a value."""
    rows = [_row(one.message, record, value_of) for one in trial.tried for record in one.written]
    refused = [_refusal(one) for one in trial.tried if one.refusal is not None]
    about = {
        "read": trial.read,
        "written": trial.written,
        "filtered": trial.filtered,
        "skipped": trial.skipped,
        "refused": trial.refused,
        "rate": round(trial.rate),
        "cpu_micros": round(trial.cpu_micros, 2),
    }
    others = {"refused": Listing(REFUSAL_COLUMNS, refused)}
    return Listing(ROW_COLUMNS, rows, about, others, _summary(about), Screen.RECORDS)


def _summary(about: Row) -> str:
    counts = f"{about['filtered']:,} filtered out, {about['skipped']:,} skipped, {about['refused']:,} refused"
    rate = quantity(about["rate"], "record")
    speed = f"; {rate} a second, {about['cpu_micros']:g} µs of CPU each" if about["read"] else ""
    return f"{quantity(about['read'], 'record')} read: {about['written']:,} written, {counts}{speed}"


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


def _refusal(one: Tried) -> Row:
    failure = one.refusal
    code, reason = (failure.code, failure.message) if failure is not None else ("", "")
    return {"source": place_of(one.message), "code": code, "reason": reason, "value": text_of(one.message.value())}
