"""Queries with groups and their records, as the pages show them: blocks of support/rows.py.

`= commit` is a commit of the job, `= end` the end of all records, at which every window closes: each is followed by the
rows written. `= 90 s` is a commit so many seconds later, in which nothing came. `^ partition 1` is where records are
from there on: a topic has as many partitions as the block names. `^ topic t` is their topic, which is `s` at first. `^`
also gives the `key` or `timestamp` of records, and the clock (`now`) when rows are written; in a block that does, `:`
shows key and timestamp of each row. Of a set of INSERTs `:` names the topic.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from confluent_kafka import Message

from jobplane.schemas.failures import GroupFailed, RecordFailure
from jobplane.schemas.shown import utc_text
from jobplane.sql.codegen.groups import compile_groups
from jobplane.sql.plan.stateful import grouped_branches, idle_rules
from jobplane.sql.runtime.groups import GroupState
from jobplane.sql.runtime.groups_parts import FOREVER
from jobplane.sql.runtime.idle import SilentPartitions, pass_time
from tests.support.rows import Block, octets, shown

_PARTITION = "^ partition "


def is_grouped(block: Block) -> bool:
    return bool(grouped_branches(block.planned()))


def answered(block: Block) -> str:
    """The block with its answers given anew."""
    wiring = block.wiring()
    compiled = compile_groups(block.planned(), wiring)
    last = max(int(line.removeprefix(_PARTITION)) if line.startswith(_PARTITION) else 0 for line in block.lines)
    state = compiled.state((topic, partition) for topic in wiring.topics.values() for partition in range(last + 1))
    rules = idle_rules(block.planned())
    session = _Session(state, SilentPartitions({wiring.topics[source]: after for source, after in rules.items()}))
    assert block.lines[-1].startswith("= "), "what the records after the last commit give is not shown"
    answers = [answer for line in block.lines for answer in (line, *session.answers(line))]
    return "\n".join([*block.mappings, *filter(None, [block.options]), block.query, *answers])


@dataclass(slots=True)
class _Session:
    state: GroupState
    silent: SilentPartitions
    seconds: float = 0.0
    key: bytes = b"k"
    topic: str = "s"
    partition: int = 0
    timestamp: int = 5
    tells: bool = False
    now: datetime = FOREVER
    offsets: Counter[tuple[str, int]] = field(default_factory=Counter)

    def answers(self, line: str) -> Iterator[str]:
        sign, text = line[0], line[2:]
        match sign:
            case "^":
                self._learn(*text.split(" ", 1))
            case "=":
                yield from self._emit(text)
            case _:
                yield from self._absorb(None if text == "NULL" else octets(text))

    def _learn(self, name: str, text: str) -> None:
        if name == "partition":
            self.partition = int(text)
            return
        if name == "topic":
            self.topic = text
            return
        self.tells = True
        if name == "key":
            self.key = octets(text)
        elif name == "now":
            self.now = datetime.fromisoformat(text)
        else:
            assert name == "timestamp"
            self.timestamp = round(datetime.fromisoformat(text).timestamp() * 1000)

    def _absorb(self, value: bytes | None) -> Iterator[str]:
        at = self.topic, self.partition
        offset = self.offsets[at]
        self.offsets[at] += 1
        message = Message(*at, offset, self.key, value, None, None, (1, self.timestamp))
        written: list[tuple[Any, ...]] = []
        try:
            _, skipped = self.state.absorb(iter([message]), lambda *record: written.append(record), lambda *_: None)
        except RecordFailure as error:
            yield f"! {error}"
            return
        for record in written:
            yield f"< {shown(record[1])}"
            yield from ([f": topic {record[0]}"] if record[0] != "out" else [])
        yield from ["~ skipped"] * skipped

    def _emit(self, what: str) -> Iterator[str]:
        self.silent.read({at: self.offsets[at] for at in self.state.partitions}, self.seconds)
        if what == "end":
            self.state.close_all()
        elif what != "commit":
            self.seconds += float(what.removesuffix(" s"))
            pass_time(self.state, self.silent, self.seconds, self.state.partitions)
        written: list[tuple[Any, ...]] = []
        failures = []
        try:
            self.state.emit(lambda *record: written.append(record), lambda *_: None, self.now)
        except GroupFailed as error:
            failures.append(f"! {error}")
        for record in written:
            yield f"< {shown(record[1])}"
            said = [f"topic {record[0]}"] if record[0] != "out" else []
            if self.tells:
                said += [f"key {shown(record[2])}", f"timestamp {utc_text(record[6])}Z"]
            yield from ([f": {', '.join(said)}"] if said else [])
        yield from failures
