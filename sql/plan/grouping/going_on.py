"""Whether groups can go on with the state of others, and what of their chunks they take."""

from collections.abc import Sequence
from dataclasses import dataclass

from jobplane.sql.plan.grouping.signature import GroupSignature, Part


@dataclass(frozen=True, slots=True)
class StateLayout:
    """Which states of a group in a chunk are those that the query asks for: `keys` and `aggregates` by their numbers.

    `count` is the number of aggregates in the chunk, `members` is what follows them there.
    """

    keys: tuple[int, ...]
    aggregates: tuple[int, ...]
    count: int
    members: tuple[str, ...]


def layout_of(kept: GroupSignature, asked: GroupSignature) -> StateLayout | None:
    """None where the chunks have just what is asked for. There is no `difference` between the two."""
    keys = tuple(_digests(kept.keys).index(one.digest) for one in asked.keys)
    aggregates = tuple(_digests(kept.aggregates).index(one.digest) for one in asked.aggregates)
    made = StateLayout(keys, aggregates, len(kept.aggregates), kept.members)
    same = StateLayout(tuple(range(len(keys))), tuple(range(len(aggregates))), len(aggregates), asked.members)
    return None if made == same else made


def difference(kept: Sequence[GroupSignature], asked: Sequence[GroupSignature]) -> str:
    """Why the groups that are asked for cannot go on with the state of those kept; empty where they can.

    They need the same keys, window and rows, and no aggregate that is not kept.
    """
    if len(kept) != len(asked):
        return f"it has the groups of {len(kept)} SELECTs, the query those of {len(asked)}"
    if _are_swapped([one.place for one in kept], [one.place for one in asked]):
        return "the SELECTs or INSERTs of the query are in another order: write them in that of the snapshot"
    return next((why for one, other in zip(kept, asked, strict=True) if (why := _difference(one, other))), "")


def describe_groups(groups: Sequence[GroupSignature]) -> list[str]:
    """What groups are, in words: what a query that goes on with them must have."""
    return [
        f"by {_listed(one.keys)}; {one.window.text}; {one.emit.text}; aggregates: {_listed(one.aggregates)}"
        for one in groups
    ]


def _are_swapped(kept: Sequence[str], asked: Sequence[str]) -> bool:
    """Whether the groups of a SELECT would go on with those of another, which the query has too."""
    return any(one != other and one in asked and other in kept for one, other in zip(kept, asked, strict=True))


def _difference(kept: GroupSignature, asked: GroupSignature) -> str:
    if sorted(_digests(kept.keys)) != sorted(_digests(asked.keys)):
        return _other("groups by", _listed(kept.keys), _listed(asked.keys))
    if kept.window.digest != asked.window.digest:
        return _other("has", kept.window.text, asked.window.text)
    if kept.emit.digest != asked.emit.digest:
        return _other("has", kept.emit.text, asked.emit.text)
    if kept.rows.digest != asked.rows.digest:
        return _other("makes groups of", kept.rows.text, asked.rows.text)
    if "held" in kept.members and "held" not in asked.members:
        return (
            "it has groups that its HAVING has left out, which only a query with HAVING would still write, be it TRUE"
        )
    known = _digests(kept.aggregates)
    if missing := [one.text for one in asked.aggregates if one.digest not in known]:
        has = _listed(kept.aggregates)
        if any(one.text in missing for one in kept.aggregates):
            return f"its {' and '.join(missing)} is of other values or types than that of the query"
        return f"it has {has}, not {' and '.join(missing)}"
    return ""


def _other(does: str, kept: str, asked: str) -> str:
    if kept == asked:
        return f"it {does} {kept}, as the query, but of other values or types"
    return f"it {does} {kept}, the query {does} {asked}"


def _listed(parts: Sequence[Part]) -> str:
    return ", ".join(one.text for one in parts) or "nothing"


def _digests(parts: Sequence[Part]) -> list[str]:
    return [one.digest for one in parts]
