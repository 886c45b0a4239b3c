"""Which records of a topic a user requests, where to begin, and how to decode them. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from jobplane.schemas.options import parse_instant


@dataclass(frozen=True, slots=True)
class Newest:
    """From the end."""


@dataclass(frozen=True, slots=True)
class Oldest:
    """From the oldest record."""


@dataclass(frozen=True, slots=True)
class AtOffset:
    offset: int


@dataclass(frozen=True, slots=True)
class Since:
    """From the first record whose timestamp is not before an instant in epoch milliseconds."""

    instant: int


Start = Newest | Oldest | AtOffset | Since
WORDS: dict[str, Start] = {"newest": Newest(), "oldest": Oldest()}


def parse_start(text: str) -> Start:
    """Parses newest, oldest, an offset or an ISO-8601 instant. Raises ValueError."""
    if (word := WORDS.get(text.lower())) is not None:
        return word
    if text.isdecimal() and text.isascii():
        return AtOffset(int(text))
    return Since(max(0, parse_instant(text)))  # no record is older, and Kafka gives -1 and -2 other meanings


@dataclass(frozen=True, slots=True)
class RecordQuery:
    """A request for records. `topic` may also be the name of a mapping. If `partitions` is empty, all are read.

    `mapping` is the name of a mapping that decodes the records; else `formats` are format options as in a mapping; else
    a mapping of the topic is used, if there is one.
    """

    topic: str
    start: Start = Newest()
    partitions: tuple[int, ...] = ()
    where: str = ""
    mapping: str = ""
    formats: Mapping[str, str] = field(default_factory=dict)
    committed: bool = True
