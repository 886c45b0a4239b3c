"""Which records of a topic are asked for, from where on, and how they are to be read. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from jobplane.schemas.options import parse_instant


@dataclass(frozen=True, slots=True)
class Newest:
    """From the end."""


@dataclass(frozen=True, slots=True)
class Oldest:
    """From the first record that is kept."""


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
    """What newest, oldest, an offset or an ISO-8601 instant means. Raises ValueError."""
    if (word := WORDS.get(text.lower())) is not None:
        return word
    if text.isdecimal() and text.isascii():
        return AtOffset(int(text))
    return Since(max(0, parse_instant(text)))  # no record is older, and to Kafka -1 and -2 are other things


@dataclass(frozen=True, slots=True)
class RecordQuery:
    """`topic` may be a mapping's name where no topic is called so. `partitions` is empty where all are meant.

    `mapping` names a mapping to read records by; else `formats` are options as a mapping has them; else a mapping of
    the topic is taken, if there is one.
    """

    topic: str
    start: Start = Newest()
    partitions: tuple[int, ...] = ()
    where: str = ""
    mapping: str = ""
    formats: Mapping[str, str] = field(default_factory=dict)
    committed: bool = True
