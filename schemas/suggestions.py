"""Finds the known name that a misspelt name was meant to be.

A slip is another case, other signs between the words (`start_from`), or a wrong, missing, added or swapped letter: one
in a short name, two in a long one. Short words are not slips of one another, nor are names with different digits: SHA1
is not a slip of SHA256. Tables (`peers`) know the names that other systems use.
"""

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType

LONGEST = 249
"""Characters of a topic's name at most; for longer names no neighbour is looked for."""
SHORTEST = 3
LONG = 8
"""From this length on, two letters may be wrong."""
_PART = 4
"""A shorter part of a name is not proposed."""
_MOST = 3
_SIGNS = re.compile(r"[\W_]+")
_WORDS = re.compile(r"[A-Z]?[^\W\dA-Z_]+|[A-Z]+|\d+")
_DIGITS = re.compile(r"\d+")
_NONE: Mapping[str, str] = MappingProxyType({})


def did_you_mean(name: str, known: Iterable[str], peers: Mapping[str, str] = _NONE) -> str:
    """The end of a message about an unknown name; empty if no known name is similar.

    `peers` are names of other systems, in lower case without signs, each with the known name.
    """
    if len(name) > LONGEST:
        return ""
    names = list(known)
    near = (
        [told] if (told := peers.get(fold_name(name))) else nearest_names(name, names) or names_containing(name, names)
    )
    return proposal(f"'{one}'" for one in near)


def proposal(near: Iterable[str]) -> str:
    """The end of a message that proposes these; empty where there are none."""
    listed = " or ".join(near)
    return f"; did you mean {listed}?" if listed else ""


def fold_name(name: str) -> str:
    """The letters and digits of a name, in small letters."""
    return _SIGNS.sub("", name).lower()


def nearest_names(name: str, known: Iterable[str]) -> list[str]:
    """The known names of which the name is the smallest slip, at most three; empty where it is a slip of none."""
    distances = {one: distance for one in known if (distance := _slips(name, one)) is not None}
    smallest = min(distances.values(), default=0)
    near = [one for one, distance in distances.items() if distance == smallest]
    return near if len(near) <= _MOST else []


def names_containing(name: str, known: Iterable[str]) -> list[str]:
    """The known names that begin or end with the words of this one: `guarantee` is the end of `processingGuarantee`."""
    words = _words(name)
    if len(fold_name(name)) < _PART:
        return []
    near = [one for one in known if (whole := _words(one)) and words in (whole[: len(words)], whole[-len(words) :])]
    return near if len(near) <= _MOST else []


def _words(name: str) -> list[str]:
    return [word.lower() for word in _WORDS.findall(name)]


def _slips(name: str, known: str) -> int | None:
    """The number of letters that differ; None if that is not a slip."""
    a, b = fold_name(name), fold_name(known)
    if a == b:
        return 0
    longest = max(len(a), len(b))
    limit = 2 if longest >= LONG else 1
    if min(len(a), len(b)) < SHORTEST or abs(len(a) - len(b)) > limit or _DIGITS.findall(a) != _DIGITS.findall(b):
        return None
    if a[0] != b[0] and (a[1], a[0]) != (b[0], b[1]):
        return None
    distance = edit_distance(a, b, limit)
    return distance if distance <= limit else None


def edit_distance(a: str, b: str, most: int) -> int:
    """Letters added, left out, replaced or swapped with their neighbour (optimal string alignment).

    More than `most` where they are more: a cluster may have thousands of topics, and one look is not to last.
    """
    same = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    a, b = a[same:], b[same:]
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, letter in enumerate(a, 1):
        before, last, row = row, before, [i]
        for j, other in enumerate(b, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != other))
            if i > 1 and j > 1 and letter == b[j - 2] and a[i - 2] == other:
                cost = min(cost, last[j - 2] + 1)
            row.append(cost)
        if min(row) > most:
            break
    return row[-1]
