"""The proof: compares the expected records of a topic with the actual ones, key by key, in order. Pure.

It finds every record that was lost, doubled, altered or put out of order, and every one that nobody sent.
"""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Literal

Kind = Literal["lost", "doubled", "altered", "foreign", "reordered"]


@dataclass(frozen=True, slots=True)
class Record:
    """The compared parts of a record; `timestamp` is in milliseconds. The expected records of one key must differ."""

    key: bytes
    value: Hashable
    timestamp: int


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference: `expected` is missing or late, `found` is the record in its place."""

    kind: Kind
    key: bytes
    expected: Record | None
    found: Record | None

    def __str__(self) -> str:
        told = f"{self.kind}: key {self.key.decode(errors='replace')}"
        for name, record in (("expected", self.expected), ("found", self.found)):
            told += f", {name} {record.value!r} at {record.timestamp}" if record else ""
        return told


def differences(expected: Iterable[Record], found: Iterable[Record]) -> list[Difference]:
    """Both are in the order of their partitions. Empty if each key has exactly its records, once and in order."""
    wanted, there = _by_key(expected), _by_key(found)
    return [
        one
        for key in sorted(wanted.keys() | there.keys())
        if wanted[key] != there[key]
        for one in _of_key(key, wanted[key], there[key])
    ]


def _by_key(records: Iterable[Record]) -> defaultdict[bytes, list[Record]]:
    keys: defaultdict[bytes, list[Record]] = defaultdict(list)
    for record in records:
        keys[record.key].append(record)
    return keys


def _of_key(key: bytes, expected: list[Record], found: list[Record]) -> list[Difference]:
    told: list[Difference] = []
    wanted, there = set(expected), Counter(found)
    told += [
        Difference("doubled", key, None, record) for record in wanted for _ in range(there[record] - 1) if there[record]
    ]
    missing = [record for record in expected if record not in there]
    strange = [record for record in found if record not in wanted]
    changed = min(len(missing), len(strange))
    told += [Difference("altered", key, *pair) for pair in zip(missing, strange, strict=False)]
    told += [Difference("lost", key, record, None) for record in missing[changed:]]
    told += [Difference("foreign", key, None, record) for record in strange[changed:]]
    left = [record for record in expected if record in there]
    order = [record for record in dict.fromkeys(found) if record in wanted]
    told += [Difference("reordered", key, *pair) for pair in zip(left, order, strict=True) if pair[0] != pair[1]][:1]
    return told
