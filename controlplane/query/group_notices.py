"""Notices about a query with groups: what is kept for ever, what is not replaced, and what holds time back. Pure."""

from collections.abc import Collection, Iterator, Mapping, Sequence

from jobplane.processors.kafka.cluster import Message
from jobplane.schemas.records.sources import Source
from jobplane.sql.plan.graph import Branch
from jobplane.sql.plan.operators import KEY_PART, GroupOperator
from jobplane.sql.plan.stateful import grouped_together
from jobplane.sql.syntax.parts import KEY
from jobplane.sql.types.typed import Constant

_FOR_EVER = (
    "without a window groups are kept for ever, and their number grows with the values of GROUP BY; a window bounds "
    "it: FROM TUMBLE(TABLE …, DESCRIPTOR(…), INTERVAL '1' DAY) … GROUP BY window_start, window_end, …"
)

_IDLE = "IDLE AFTER INTERVAL '1' MINUTE"


def group_notices(
    branches: Sequence[Branch],
    sources: Sequence[Source],
    sink: str,
    messages: Mapping[str, Sequence[Message]],
    *,
    is_compacted: bool,
    most: int,
    ruled: Collection[str],
) -> Iterator[str]:
    """`branches` write to `sink`. The sources that are `ruled` have an IDLE AFTER.

    `messages` are records by the name of their source, of each partition that has any among `most` partitions.
    """
    for some in grouped_together(branches):
        yield from _notices(some, sources, sink, messages, ruled, is_compacted=is_compacted, most=most)


def _notices(
    branches: Sequence[Branch],
    sources: Sequence[Source],
    sink: str,
    messages: Mapping[str, Sequence[Message]],
    ruled: Collection[str],
    *,
    is_compacted: bool,
    most: int,
) -> Iterator[str]:
    """Those about one group, which these branches share. `ruled` are the sources whose silent partitions hold back none
    of its windows.
    """
    group = branches[0].group
    if group is None:
        return
    if not group.window and group.keys:
        yield _FOR_EVER
    if (group.changes or not group.window) and not is_compacted:
        yield (
            f"a row of a group replaces the one before it by its key, and '{sink}' is not compacted, so it keeps both; "
            f"set cleanup.policy=compact for '{sink}' to keep the newest row of each group"
        )
    if is_compacted and _writes_no_key(branches[0]):
        yield f"'{sink}' is compacted and takes only records with a key, and the rows have none; write … AS {KEY}"
    if group.window:
        read = {one.source for one in branches} - {*ruled}
        for source in sources:
            if source.name in read and not source.end:
                if not group.bound:
                    yield from _empty_partitions(group, source, messages.get(source.name, ()), most)
                yield _without_rule(group, source)


def _writes_no_key(branch: Branch) -> bool:
    """Whether no row has a key: the final rows of windows alone."""
    to = {one.column: one.part for one in branch.sink.columns}
    keys = [one.value for one in branch.columns if to[one.name] in (KEY, KEY_PART)]
    return bool(keys) and all(isinstance(one, Constant) and one.value is None for one in keys)


def _empty_partitions(group: GroupOperator, source: Source, found: Sequence[Message], most: int) -> Iterator[str]:
    partitions = len(source.start)
    empty = sorted(set(range(partitions)) - {one.partition() or 0 for one in found})
    if not empty or partitions > most:
        return
    several = len(empty) > 1
    named = ", ".join(map(str, empty[:5])) + (" …" if len(empty) > 5 else "")
    what = "no window is closed" if group.changes else "no row is written"
    subject = (
        f"partitions {named} of '{source.topic}' have" if several else f"partition {named} of '{source.topic}' has"
    )
    until = "each of them has one" if several else "it has one"
    yield f"{subject} no records, which holds back time: {what} until {until}, unless its WATERMARK has IDLE AFTER"


def _without_rule(group: GroupOperator, source: Source) -> str:
    """What silence does to windows, and what to write."""
    silent = (
        f"a partition of '{source.topic}' is silent, its own windows wait"
        if group.bound
        else f"{'one partition of ' if len(source.start) > 1 else ''}'{source.topic}' is silent, all windows wait"
    )
    rule = None if source.mapping is None else source.mapping.watermark
    where = (
        f"add {_IDLE} to WATERMARK in the mapping"
        if rule and not rule.idle
        else f"write WATERMARK FOR … AS … {_IDLE} in the mapping instead of IMPOSE_ORDER"
    )
    return f"time goes on only with records: while {silent} for its next one; to close them by the clock, {where}"
