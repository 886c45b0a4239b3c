"""The options of a job: one field here is one option of the language.

The SQL name is the field's in camelCase; how its text is read follows from its type and bounds.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Self

from jobplane.schemas.errors import STATEMENT_START, BadOptionValue, Place, UnknownOption
from jobplane.schemas.formats import FORMAT_OPTIONS, FORMATS, KEY_FORMAT, VALUE_FORMAT, check_options
from jobplane.schemas.suggestions import did_you_mean

EARLIEST, LATEST = "earliest", "latest"
DEAD_LETTER_TOPIC = "deadLetterTopic"
TOMBSTONES = "tombstones"
DEAD_LETTERS = "dead-letters"
"""The control plane's own topic of them, behind its prefix."""


class Guarantee(StrEnum):
    EXACTLY_ONCE = "exactlyOnce"
    AT_LEAST_ONCE = "atLeastOnce"
    NONE = "none"


class OnError(StrEnum):
    """What happens to a record that cannot be read, evaluated or written, or to one that is late."""

    FAIL = "fail"
    SKIP = "skip"
    DEAD_LETTER = "deadLetter"


class Tombstones(StrEnum):
    """What becomes of a record without a value if the query needs the value."""

    SKIP = "skip"
    FORWARD = "forward"


class CopyPath(StrEnum):
    """What a job moves whose query copies records as they are."""

    BATCHES = "batches"
    ROWS = "rows"


_CHOICES = (Guarantee, OnError, Tombstones, CopyPath)


def _option(
    default: Any,
    doc: str,
    *,
    takes: str = "",
    alter: bool = True,
    low: int = 1,
    high: int = 2**31 - 1,
    also: int | None = None,
    notice: str = "",
) -> Any:
    """`takes` are the words a text may be, or what it is. `also` is a number allowed below `low`.

    `alter`: ALTER JOB may change it. `notice`: what the outcome says when the option is given.
    """
    about = {"doc": doc, "takes": takes, "alter": alter, "low": low, "high": high, "also": also, "notice": notice}
    return field(default=default, metadata=about)


def _format(doc: str) -> Any:
    """An option of formats: see jobplane.schemas.formats."""
    return _option("", doc, takes="as in CREATE MAPPING", alter=False)


@dataclass(frozen=True, slots=True)
class JobOptions:
    """`start_from` and `stop_at` keep their text: offsets follow from it once, at CREATE."""

    processing_guarantee: Guarantee = _option(
        Guarantee.EXACTLY_ONCE,
        "What a crash does to the output. exactlyOnce: nothing. atLeastOnce: records after the last commit may be "
        "written twice. none: all records from the job's beginning are written again.",
        alter=False,
    )
    snapshot_interval_millis: int = _option(
        100, "The longest time between two commits; each commit writes a checkpoint.", high=86_400_000
    )
    state_interval_millis: int = _option(
        10_000,
        "How often the groups that have changed are saved, in a commit. After a crash a task reads the records since "
        "then once more, without output.",
        high=86_400_000,
    )
    initial_snapshot_name: str = _option(
        "", "The snapshot whose offsets and state the job starts from.", takes="a snapshot's name", alter=False
    )
    auto_scaling: bool = _option(
        True, "A task whose worker is lost continues on another worker; with 'false' its job is suspended instead."
    )
    suspend_on_failure: bool = _option(True, "After an error the job is suspended; with 'false' it ends FAILED.")
    metrics_enabled: bool = _option(True, "Publish the metrics of this job.")
    store_metrics_after_job_completion: bool = _option(False, "Keep the last metrics of the tasks after the job's end.")
    max_processor_accumulated_records: int = _option(
        -1,
        "The most groups that one task may hold; -1 means no limit. A task with more suspends its job.",
        also=-1,
        high=2**63 - 1,
    )
    split_brain_protection_enabled: bool = _option(
        False,
        "Accepted for compatibility: Kafka's fencing already prevents two workers from running one task.",
        notice="it changes nothing: a worker that loses contact with Kafka is fenced, with or without it",
    )
    parallelism: int = _option(
        0,
        "The number of tasks, at most the partitions of the largest source; unset: the smaller of these and 4.",
        high=1024,
    )
    start_from: str = _option(
        EARLIEST,
        "Where the job begins to read; CREATE JOB resolves it to offsets. An instant is compared with the records' "
        "timestamps; it is in ISO 8601, in UTC unless it has an offset, at midnight unless it has a time.",
        takes="earliest, latest or an instant such as 2026-01-31T08:30:00Z",
        alter=False,
    )
    stop_at: str = _option(
        "",
        "Makes the job bounded: it ends as COMPLETED when it has read all that its sources held at CREATE JOB.",
        takes=LATEST,
        alter=False,
    )

    on_error: OnError = _option(
        OnError.FAIL,
        "What happens to a record that cannot be read, evaluated or written. fail: the job stops. skip: the record is "
        "counted and left out. deadLetter: it goes to the dead-letter topic, in the same transaction as the output.",
    )
    on_late: OnError = _option(
        OnError.DEAD_LETTER,
        "What happens to a record that comes after its window has closed. deadLetter: it goes to the dead-letter "
        "topic, in the same transaction as the output. skip: it is counted and left out. fail: the job stops.",
    )
    dead_letter_topic: str = _option(
        "", "Where dead letters go; unset: the control plane's own topic `dead-letters`.", takes="a topic's name"
    )
    tombstones: Tombstones = _option(
        Tombstones.SKIP,
        "What happens to a record without a value if the query needs the value. skip: the record is counted and left "
        "out. forward: its key is written without a value, whatever the WHERE clauses say.",
    )
    copy: CopyPath = _option(
        CopyPath.BATCHES,
        "How a query copies that takes each record as it is. batches: whole record batches, where the topics allow it; "
        "EXPLAIN says whether the query does. rows: record by record.",
    )
    retry_of: str = _option(
        "",
        "A live job. Its dead letters that no retry has read yet are read instead of the query's sources, up to their "
        "end; `jobplane deadletters retry` sets this option.",
        takes="a job's name",
        alter=False,
    )
    key_format: str = _format("The format of keys in topics that have no mapping; unset: keys are copied as they are.")
    value_format: str = _format("The format of values in topics that have no mapping; unset: json-flat.")
    csv_delimiter: str = _format("The separator of the fields of a line, with valueFormat 'csv'; unset: a comma.")
    key_avro_schema: str = _format("The schema of keys in Avro, as JSON; unset: the registry's.")
    value_avro_schema: str = _format("The schema of values in Avro, as JSON; unset: the registry's.")
    key_subject: str = _format("The registry's subject of keys in Avro; unset: the topic's name and '-key'.")
    value_subject: str = _format("The registry's subject of values in Avro; unset: the topic's name and '-value'.")

    @classmethod
    def of(cls, values: Mapping[str, str]) -> Self:
        """The options of a job from their canonical texts, as events hold them."""
        return cls.read((name, text, STATEMENT_START, STATEMENT_START) for name, text in values.items())

    @classmethod
    def read(cls, given: Iterable[tuple[str, str, Place, Place]]) -> Self:
        """Options as written: (name, text, place of the name, place of the text).

        Raises UnknownOption or BadOptionValue, each with its place.
        """
        values, given = {}, list(given)
        check_options(one for one in given if one[0] in FORMAT_OPTIONS)
        for name, text, name_place, value_place in given:
            spec = _BY_NAME.get(name)
            if spec is None:
                raise _unknown(name, name_place)
            values[spec.name] = _value(name, spec, text, value_place)
        return cls(**values)

    def letters_topic(self, prefix: str) -> str:
        """Where the job's dead letters go."""
        return self.dead_letter_topic or f"{prefix}{DEAD_LETTERS}"

    @property
    def start_instant(self) -> int | None:
        """The instant to start from in epoch milliseconds; None for earliest and latest.

        None for one before 1970 too: no record has an older timestamp, and to Kafka -1 and -2 are other things.
        """
        since = None if self.start_from in (EARLIEST, LATEST) else parse_instant(self.start_from)
        return None if since is None or since < 0 else since


def parse_instant(text: str) -> int:
    """Epoch milliseconds of an ISO-8601 instant; without an offset it is UTC. Raises ValueError."""
    read = datetime.fromisoformat(text)
    return round((read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp() * 1000)


def sql_name(field_name: str) -> str:
    first, *rest = field_name.split("_")
    return first + "".join(word.capitalize() for word in rest)


_BY_NAME = {sql_name(f.name): f for f in fields(JobOptions)}
OPTION_NAMES = tuple(_BY_NAME)
PEERS = {
    **dict.fromkeys(("autooffsetreset", "scanstartupmode", "startingoffsets", "offset", "offsets"), "startFrom"),
    **dict.fromkeys(("endat", "until", "scanboundedmode", "endingoffsets"), "stopAt"),
    **dict.fromkeys(("sinkdeliveryguarantee", "deliveryguarantee", "guarantee", "semantics"), "processingGuarantee"),
    **dict.fromkeys(
        ("checkpointinterval", "executioncheckpointinginterval", "commitintervalms", "commitinterval"),
        "snapshotIntervalMillis",
    ),
    **dict.fromkeys(("tasks", "tasksmax", "workers", "threads", "defaultparallelism"), "parallelism"),
    **dict.fromkeys(("errorstolerance", "onfailure", "errorhandling"), "onError"),
    **dict.fromkeys(("errorsdeadletterqueuetopicname", "dlq", "dlqtopic", "deadletterqueue"), "deadLetterTopic"),
    **dict.fromkeys(("behavioronnullvalues", "deleteenabled", "nullvalues", "deletes"), TOMBSTONES),
    **dict.fromkeys(("savepoint", "fromsnapshot", "executionsavepointpath"), "initialSnapshotName"),
}
"""The name of an option in other systems, in lower case without signs → the option here."""
PEERS_OF_VALUES = {
    **dict.fromkeys(("beginning", "earliestoffset", "start"), EARLIEST),
    **dict.fromkeys(("now", "end", "latestoffset"), LATEST),
    **dict.fromkeys(("ignore", "continue", "all"), OnError.SKIP),
    **dict.fromkeys(("stop", "suspend"), OnError.FAIL),
    **dict.fromkeys(("dlq", "deadletterqueue"), OnError.DEAD_LETTER),
    **dict.fromkeys(("delete", "write", "emit", "keep"), Tombstones.FORWARD),
    **dict.fromkeys(("drop", "filter"), Tombstones.SKIP),
    **dict.fromkeys(("batch", "whole", "true"), CopyPath.BATCHES),
    **dict.fromkeys(("row", "record", "records", "false"), CopyPath.ROWS),
}
_TAKEN: dict[str, Iterable[str]] = {
    **{name: ("true", "false") for name, one in _BY_NAME.items() if one.type is bool},
    **{name: kind for kind in _CHOICES for name, one in _BY_NAME.items() if one.type is kind},  # type: ignore[misc]
    "startFrom": (EARLIEST, LATEST),
    "stopAt": (LATEST,),
    KEY_FORMAT: FORMATS,
    VALUE_FORMAT: FORMATS,
}
_WORDS = {name: {str(word).lower(): str(word) for word in words} for name, words in _TAKEN.items()}
"""Option → the words its value may be, by their small letters."""


def is_alterable(name: str) -> bool:
    """Whether ALTER JOB … OPTIONS may change an option that exists."""
    return bool(_BY_NAME[name].metadata["alter"])


def option_notices(given: Iterable[str]) -> tuple[str, ...]:
    """The notices of the options that a statement has."""
    return tuple(f"{name}: {text}" for name in given if (text := _BY_NAME[name].metadata["notice"]))


def _unknown(name: str, place: Place) -> UnknownOption:
    hint = did_you_mean(name, OPTION_NAMES, PEERS) or f"; options are {', '.join(OPTION_NAMES)}"
    return UnknownOption(f"'{name}' is not an option{hint}", place)


def canonical_value(name: str, text: str) -> str:
    """The value of an option as events hold it: its words in the case they have here, all else as it was written."""
    return _WORDS.get(name, {}).get(text.lower(), text)


def _value(name: str, spec: Any, text: str, place: Place) -> Any:
    if spec.type is bool:
        if text not in ("true", "false"):
            raise BadOptionValue(f"{name} is 'true' or 'false', not '{text}'", place)
        return text == "true"
    if spec.type is int:
        return _whole_number(name, spec.metadata, text, place)
    if spec.type in _CHOICES:
        if text not in list(spec.type):
            raise BadOptionValue(f"{name} is {', '.join(spec.type)}, not '{text}'{_near(name, text)}", place)
        return spec.type(text)
    if not text:
        raise BadOptionValue(f"{name} may not be empty", place)
    if spec.name == "stop_at" and text != LATEST:
        raise BadOptionValue(f"{name} is '{LATEST}', not '{text}'{_near(name, text)}", place)
    if spec.name == "start_from" and text not in (EARLIEST, LATEST):
        try:
            parse_instant(text)
        except (ValueError, OverflowError):
            hint = _near(name, text)
            raise BadOptionValue(f"{name} is {spec.metadata['takes']}, not '{text}'{hint}", place) from None
    return text


def _whole_number(name: str, about: Mapping[str, Any], text: str, place: Place) -> int:
    low, high, also = about["low"], about["high"], about["also"]
    if re.fullmatch(r"-?[0-9]{1,19}", text, re.ASCII) and (low <= int(text) <= high or int(text) == also):
        return int(text)
    alone = f"{also} or " if also is not None else ""
    raise BadOptionValue(f"{name} is {alone}a whole number from {low} to {high}, not '{text}'", place)


def _near(name: str, text: str) -> str:
    words = _WORDS[name].values()
    return did_you_mean(text, words, {theirs: ours for theirs, ours in PEERS_OF_VALUES.items() if ours in words})
