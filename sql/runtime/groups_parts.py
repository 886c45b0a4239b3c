"""The groups of one partition, window by window, as generated code fills them.

A group is a struct of states; groups lie in dictionaries by their key. `front` has those touched lately, `old` all
others, so that records work on one small dictionary, and a checkpoint of the state writes no more than `front`. Where
changes are emitted there is a tier between the two: `young` has what was emitted since the last checkpoint. Where rows
are compared with those written last, `before` has groups of `front` as they were when they came there.
"""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NoReturn

from jobplane.schemas.failures import BadRecord, GroupFailed, LateRecord
from jobplane.schemas.types.temporal_text import instant_of, text_of
from jobplane.sql.runtime.operations import bad_record

if TYPE_CHECKING:
    from collections.abc import Callable

At = tuple[str, int]
"""A partition of a source: topic and number."""
Bounds = tuple[datetime, datetime] | None
"""Start and end of a window, or of a slice of windows; None for groups without a window."""
Groups = dict[Any, Any]
NEVER = datetime.min.replace(tzinfo=UTC)
"""The watermark of a partition that has none yet."""
FOREVER = datetime.max.replace(tzinfo=UTC)
ALWAYS: Bounds = (NEVER, FOREVER)
"""The bounds of the span in which all sessions are."""

REFUSED = (ArithmeticError, BadRecord, RecursionError, ValueError)
"""What aggregates and functions raise for values that have no result."""


class Span:
    """Groups of one window, one slice, or no window: so many `groups`."""

    __slots__ = ("_changes", "before", "behind", "bounds", "front", "groups", "old", "young")

    def __init__(self, bounds: Bounds, *, changes: bool) -> None:
        self.bounds, self._changes = bounds, changes
        self.groups = 0
        self.front: Groups = {}
        self.before: Groups = {}
        self.young: Groups = {}
        self._take_as_old({})

    @property
    def is_touched(self) -> bool:
        """Whether take_touched() has something."""
        return bool(self.front or self.young)

    @property
    def tiers(self) -> tuple[Groups, ...]:
        """The groups, those without a change for long first."""
        return self.old, self.young, self.front

    def find(self, key: Any) -> Any:
        return self.front.get(key) or self.behind(key)

    def find_last(self, key: Any) -> Any:
        """The group as it was when changes were last emitted; None for one that is new."""
        return self.before.get(key) if key in self.front else self.behind(key)

    def all(self) -> Groups:
        """All groups, those without a change for long first. Not to be changed."""
        tiers = [tier for tier in self.tiers if tier]
        if len(tiers) == 1:
            return tiers[0]
        return {key: group for tier in tiers for key, group in tier.items()}

    def load(self, groups: Groups) -> None:
        """Groups of a chunk, which take the place of those of chunks before it."""
        self.old.update(groups)
        self.groups = len(self.old)

    def settle(self) -> None:
        """The changes are emitted."""
        if self.young:
            self.young.update(self.front)
        else:
            self.young = self.front
        self.front, self.before = {}, {}

    def take_touched(self) -> Groups:
        """What was touched since this was asked last, which counts as old from now on."""
        touched = self.young | self.front if self.young else self.front
        if self.old:
            self.old.update(touched)
        else:
            self._take_as_old(touched)
        self.front, self.young = {}, {}
        return touched

    def _take_as_old(self, groups: Groups) -> None:
        self.old = groups
        self.behind: Callable[[Any], Any] = self._behind if self._changes else groups.get
        """What finds a group that is not in front; None where there is none."""

    def _behind(self, key: Any) -> Any:
        return self.young.get(key) or self.old.get(key)


class Partition:
    """`mark` is the watermark: the newest that a record has asserted. `late` counts records passed over."""

    __slots__ = ("_changes", "at", "late", "mark", "spans")

    def __init__(self, at: At, *, changes: bool) -> None:
        self.at, self._changes = at, changes
        self.mark, self.late = NEVER, 0
        self.spans: dict[Bounds, Span] = {}

    def span(self, bounds: Bounds) -> Span:
        """The span, which is made where it is not there yet."""
        found = self.spans.get(bounds)
        if found is None:
            found = self.spans[bounds] = Span(bounds, changes=self._changes)
        return found


def raise_late(end: datetime, watermark: datetime, part: Partition) -> NoReturn:
    topic, number = part.at
    raise LateRecord(text_of(end), text_of(watermark), text_of(watermark - end), f"{topic}-{number}")


def raise_late_of_session(time: datetime, watermark: datetime, part: Partition) -> NoReturn:
    topic, number = part.at
    raise LateRecord(text_of(time), text_of(watermark), text_of(watermark - time), f"{topic}-{number}", session=True)


def raise_no_watermark(text: str) -> NoReturn:
    raise BadRecord(f"{text} is NULL; a watermark needs a time")


def raise_keyless() -> NoReturn:
    raise BadRecord(
        "the record has no key, and GROUP BY has the key: records without one are in any partition, so no group has "
        "all of them; leave them out by WHERE __key IS NOT NULL, or GROUP BY COALESCE(__key, '') with parallelism '1'"
    )


def raise_no_row_key(name: str) -> NoReturn:
    raise BadRecord(
        f"{name} is NULL, so the row of the group has no key, by which the next one replaces it: leave such records "
        "out by WHERE … IS NOT NULL, or GROUP BY COALESCE(…, …); keys in json can be null"
    )


def text_of_bounds(bounds: Bounds) -> str:
    """`2026-01-31T08:30:00Z/2026-01-31T08:40:00Z`; empty without a window."""
    return "" if bounds is None else "/".join(map(text_of, bounds))


def bounds_of_text(text: str) -> Bounds:
    """Raises ValueError."""
    if not text:
        return None
    start, end = map(instant_of, text.split("/"))
    return start, end


def group_failed(error: Exception, key: Any, bounds: Bounds) -> GroupFailed:
    """The failure where a group has no result, of one of REFUSED."""
    reason = error if isinstance(error, BadRecord) else bad_record(error)
    return GroupFailed(f"{group_words(key, bounds)}: {reason.message}")


def group_words(key: Any, bounds: Bounds) -> str:
    """`the group ('a', 3) of the window 2026-01-31T08:30:00Z/2026-01-31T08:40:00Z`"""
    return f"the group {_literal(key):.200}{f' of the window {text_of_bounds(bounds)}' if bounds else ''}"


def _literal(key: Any) -> str:
    """The key as SQL has it."""
    match key:
        case None:
            return "NULL"
        case tuple():
            return f"({', '.join(map(_literal, key))})"
        case str():
            return "'" + key.replace("'", "''") + "'"
        case bytes():
            return f"X'{key.hex().upper()}'"
        case True | False:
            return str(key).upper()
    return str(key)
