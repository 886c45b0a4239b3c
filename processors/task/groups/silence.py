"""Time that goes on where no records come: the decisions of IDLE AFTER, and what is shown of open windows.

A decision is made by the clock, so it does not follow from the records. It gives silent partitions a later watermark,
and the commit that has it also saves the groups, with their watermarks: what a crash makes a task read again begins
behind it. The broker is asked where the partitions end after they were read; one with more to read is never idle.
"""

import math
import time
from collections.abc import Collection

from jobplane.processors.pipeline import Positions
from jobplane.processors.task.context import TaskContext
from jobplane.schemas.records.progress import WindowProgress
from jobplane.sql.runtime.groups import GroupState
from jobplane.sql.runtime.groups_due import OpenWindows
from jobplane.sql.runtime.groups_parts import At
from jobplane.sql.runtime.idle import Marks, SilentPartitions, pass_time

LOOK_S, DECIDE_S = 0.1, 1.0
"""How often silence is looked at, and how often a decision is made at most: each saves the groups."""
SOON_S = 15.0
"""A task does not rest for less than this: to wake costs the broker more than to stay awake."""


class Silence:
    """`silent` outlives the session: a partition is not heard again because a task begins again."""

    def __init__(self, context: TaskContext, silent: SilentPartitions, groups: GroupState) -> None:
        self._context, self._silent, self._groups = context, silent, groups
        self._looked_at = self._decided_at = self._shown_at = -math.inf

    def look(self, positions: Positions) -> bool:
        """Whether time may have gone on without records, at these positions."""
        now = time.monotonic()
        if now - self._looked_at < LOOK_S:
            return False
        self._looked_at = now
        self._silent.read(positions, now)
        if not self._silent.has_rule or now - self._decided_at < DECIDE_S:
            return False
        return bool(self._silent.idle(positions, now) and self._due(now))

    def decide(self, positions: Positions) -> bool:
        """Lets time go on in the partitions that are idle, if that closes a window; returns whether it did.

        Raises Doubt where the broker does not say where they end.
        """
        now = time.monotonic()
        self._silent.read(positions, now)
        asked = {at for one in self._due(now) for at in self._silent.idle(one.marks, now)}
        if not asked:
            return False
        ends = self._context.services.kafka.last_offsets(asked, self._context.alive)
        now = self._decided_at = time.monotonic()
        self._silent.compare(ends, now)
        return pass_time(self._groups, self._silent, now, asked)

    def next_due(self) -> float:
        """The moment, of the monotonic clock, at which time closes the next window if nothing comes."""
        if not self._silent.has_rule:
            return math.inf
        opened = self._groups.open_windows()
        return min((self._silent.due(one.marks, one.end) for one in opened if one.end is not None), default=math.inf)

    def show(self, *, at_once: bool = False) -> None:
        """Counts the open windows, at once or if some time has passed since this was done."""
        now = time.monotonic()
        if at_once or now - self._shown_at >= DECIDE_S:
            self._shown_at = now
            self._context.counters.windows = window_progress(self._groups.open_windows(), self._silent, now)

    def since(self, at: At) -> int | None:
        """When a record of the partition came last, in epoch milliseconds."""
        silent_for = time.monotonic() - self._silent.since(at)
        return round((time.time() - silent_for) * 1000)

    def _due(self, now: float) -> list[OpenWindows]:
        return [
            one
            for one in self._groups.open_windows()
            if one.end is not None and self._silent.due(one.marks, one.end) <= now
        ]


def window_progress(opened: Collection[OpenWindows], silent: SilentPartitions, now: float) -> WindowProgress:
    """In milliseconds. Partitions of different sets do not hold back one another."""
    ends = [one.end for one in opened if one.end is not None]
    marks = [silent.watermark(one.marks, now) for one in opened]
    known = [mark for mark in marks if mark is not None]
    return WindowProgress(
        sum(one.count for one in opened),
        min(ends) // 1000 if ends else None,
        min(known) // 1000 if known and len(known) == len(marks) else None,
        next(filter(None, (_holder(one.marks, silent, now) for one in opened)), ""),
    )


def _holder(marks: Marks, silent: SilentPartitions, now: float) -> str:
    """The partition that windows wait for, if others are further; empty if there is none."""
    order = {at: -math.inf if mark is None else mark for at, mark in marks.items()}
    awake = order.keys() - silent.idle(order, now)
    least = min(awake, key=lambda at: (order[at], at), default=None)
    return "" if least is None or order[least] == max(order.values()) else f"{least[0]}-{least[1]}"
