"""How many bytes groups take in memory: estimated from some of them, since to look at all would take too long.

What a group keeps is counted with it: the values of ARRAY_AGG, those that COUNT(DISTINCT) has met.
"""

import sys
from collections.abc import Iterable
from itertools import islice
from typing import Any

import msgspec

from jobplane.processors.state.manifest import CheckpointState
from jobplane.sql.runtime.groups import GroupState

MOST_GROUPS, MOST_ELEMENTS = 200, 20
"""How many groups are looked at, and how many elements of a list, set or dictionary in each."""
_GROWTH = 1.25
"""Groups are looked at again once they are so many times as many."""
_ALLOCATED = 1.2
"""What the allocator takes for a byte that is asked for, as measured: docs/decisions/0027."""
_LOADED, _BYTES = 150, 7
"""Of a group that is loaded from a chunk: what it takes at least, and for each byte in the chunk."""


class GroupSize:
    """The size of the groups of one task."""

    def __init__(self, groups: GroupState) -> None:
        self._groups, self._each, self._looked_at = groups, 0.0, 0

    def look(self) -> None:
        """Looks at some of the groups as they are now. It takes a few milliseconds for a million groups."""
        tiers = [tier for tier in self._groups.tiers() if tier]
        step = sum(map(len, tiers)) // MOST_GROUPS + 1
        sizes = [
            bytes_of(key) + bytes_of(group) for tier in tiers for key, group in islice(tier.items(), 0, None, step)
        ]
        self._each = sum(sizes) / len(sizes) if sizes else 0.0
        self._looked_at = self._groups.groups

    @property
    def bytes(self) -> int:
        groups = self._groups.groups
        if groups > _GROWTH * self._looked_at:
            self.look()
        return round(_ALLOCATED * (sum(map(sys.getsizeof, self._groups.tiers())) + groups * self._each))


def size_of_saved(state: CheckpointState) -> int:
    """A guess at what the groups in the chunks of a checkpoint will take."""
    places = [place for manifest in state.manifests for place in manifest.chunks]
    return sum(_LOADED * place.groups + _BYTES * place.size for place in places)


def bytes_of(value: Any) -> int:
    """What a value takes in memory, with all that is in it. Of many elements some are looked at."""
    if value is None or isinstance(value, bool) or (type(value) is int and -5 <= value <= 256):
        return 0  # it is shared by all
    own = (sys.getsizeof(value) + 15) & ~15
    match value:
        case msgspec.Struct():
            return own + sum(bytes_of(getattr(value, name)) for name in value.__struct_fields__)
        case dict():
            return own + _bytes_of_some(value.items(), len(value), lambda one: bytes_of(one[0]) + bytes_of(one[1]))
        case list() | tuple() | set() | frozenset():
            return own + _bytes_of_some(value, len(value), bytes_of)
    return own


def _bytes_of_some(elements: Iterable[Any], count: int, measured: Any) -> int:
    some = [measured(one) for one in islice(elements, 0, None, count // MOST_ELEMENTS + 1)]
    return sum(some) * count // len(some) if some else 0
