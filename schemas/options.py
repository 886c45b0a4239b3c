"""The options of a job: one field here is one option of the language.

The SQL name is the field's in camelCase; how its text is read follows from its type and bounds.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from enum import StrEnum
from typing import Any, Self

from schemas.errors import START, BadOptionValue, NotSupported, Place, UnknownOption


class Guarantee(StrEnum):
    EXACTLY_ONCE = "exactlyOnce"
    AT_LEAST_ONCE = "atLeastOnce"
    NONE = "none"


NOT_SUPPORTED = frozenset(
    {
        "autoScaling",
        "storeMetricsAfterJobCompletion",
        "maxProcessorAccumulatedRecords",
        "splitBrainProtectionEnabled",
        "startFrom",
        "stopAt",
        "onError",
        "deadLetterTopic",
    }
)
"""Options of the language that this version refuses."""


def _option(default: Any, doc: str, *, low: int = 1, high: int = 2**31 - 1) -> Any:
    return field(default=default, metadata={"doc": doc, "low": low, "high": high})


@dataclass(frozen=True, slots=True)
class JobOptions:
    processing_guarantee: Guarantee = _option(
        Guarantee.EXACTLY_ONCE, "Output, offsets and state commit in one Kafka transaction."
    )
    snapshot_interval_millis: int = _option(
        100, "Longest time between two commits; a commit is a checkpoint.", high=86_400_000
    )
    initial_snapshot_name: str = _option("", "Start from the offsets and state of this snapshot.")
    suspend_on_failure: bool = _option(True, "After an error the job is suspended; with 'false' it ends FAILED.")
    metrics_enabled: bool = _option(True, "Publish the metrics of this job.")
    parallelism: int = _option(
        0, "Tasks of the job, at most one a source partition; unset: min(partitions, 4).", high=1024
    )

    @classmethod
    def of(cls, values: Mapping[str, str]) -> Self:
        """The options of a job from their canonical texts, as events hold them."""
        return cls.read((name, text, START, START) for name, text in values.items())

    @classmethod
    def read(cls, given: Iterable[tuple[str, str, Place, Place]]) -> Self:
        """Options as written: (name, text, place of the name, place of the text).

        Raises UnknownOption, NotSupported or BadOptionValue, each with its place.
        """
        values = {}
        for name, text, name_place, value_place in given:
            spec = _BY_NAME.get(name)
            if spec is None:
                raise _unknown(name, name_place)
            values[spec.name] = _value(name, spec, text, value_place)
        return cls(**values)


def sql_name(field_name: str) -> str:
    first, *rest = field_name.split("_")
    return first + "".join(word.capitalize() for word in rest)


_BY_NAME = {sql_name(f.name): f for f in fields(JobOptions)}
OPTION_NAMES = tuple(_BY_NAME)


def _unknown(name: str, place: Place) -> UnknownOption | NotSupported:
    if name in NOT_SUPPORTED:
        return NotSupported(f"option '{name}' is not supported by this version; leave it out", place)
    near = get_close_matches(name, [*OPTION_NAMES, *NOT_SUPPORTED], 1)
    folded = [known for known in OPTION_NAMES if known.lower() == name.lower()]
    hint = f"; did you mean '{(folded or near)[0]}'?" if folded or near else f"; options are {', '.join(OPTION_NAMES)}"
    return UnknownOption(f"no option is called '{name}'{hint}", place)


def _value(name: str, spec: Any, text: str, place: Place) -> Any:
    if spec.type is bool:
        if text not in ("true", "false"):
            raise BadOptionValue(f"{name} is 'true' or 'false', not '{text}'", place)
        return text == "true"
    if spec.type is int:
        low, high = spec.metadata["low"], spec.metadata["high"]
        if not (text.isascii() and text.isdigit() and len(text) <= 12 and low <= int(text) <= high):
            raise BadOptionValue(f"{name} is a whole number from {low} to {high}, not '{text}'", place)
        return int(text)
    if spec.type is Guarantee:
        if text not in list(Guarantee):
            raise BadOptionValue(f"{name} is {' or '.join(repr(str(g)) for g in Guarantee)}, not '{text}'", place)
        if text != Guarantee.EXACTLY_ONCE:
            raise NotSupported(f"{name} '{text}' is not supported by this version; use 'exactlyOnce'", place)
        return Guarantee(text)
    if not text:
        raise BadOptionValue(f"{name} may not be empty", place)
    return text
