"""Queries with groups, their plans, and what they write, as texts to read.

A block is a query, before it the mappings (`@`), after it the operators of its plan (`|`) and what happens: `> 0 value`
is a record in partition 0, `= emit` what a commit does, `= end` the end of all records. `<` is a record written: its
key, value and timestamp, `!` why a record is refused. `^ key x` is the key that records have from there on, `^ topic t`
their topic, which is `s` at first. The timestamps of records are 1, 2, 3 … in their order.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import Message

from jobplane.schemas.failures import BadRecord, RecordFailure
from jobplane.sql.codegen.compile import Wiring
from jobplane.sql.codegen.groups import compile_groups
from jobplane.sql.explain import describe_plan
from jobplane.sql.plan.graph import Plan
from jobplane.sql.plan.plan import plan
from jobplane.sql.runtime.groups import GroupState
from jobplane.sql.syntax.parser import parse_insert
from tests.support.rows import mapping, octets, shown

PARTITIONS = 2
_GIVEN = ("> ", "^ ", "= ")


@dataclass(slots=True)
class GroupedBlock:
    """`lines` without the answers, to be answered anew."""

    mappings: list[str]
    query: str
    lines: list[str] = field(default_factory=list)

    def planned(self) -> Plan:
        mappings = {one.name: one for one in map(mapping, self.mappings)}
        return plan(parse_insert(f"INSERT INTO out {self.query}"), mappings, mappings.get("out"))

    def answered(self, planned: Plan | None = None) -> str:
        """The block with the answers of its own plan, or of another."""
        planned = planned or self.planned()
        topics = {branch.source: branch.source for branch in planned.branches}
        operators = [f"| {part}: {detail}" for part, detail in describe_plan(planned, topics, {"": "out"})]
        compiled = compile_groups(planned, Wiring("out", 1, topics, dict.fromkeys(topics, 0)))
        state = compiled.state((topic, partition) for topic in topics for partition in range(PARTITIONS))
        answers = _answers(state, self.lines)
        return "\n".join([*self.mappings, self.query, *operators, *answers])


def grouped_block_of(text: str) -> GroupedBlock:
    lines = text.split("\n")
    mappings = [line for line in lines if line.startswith("@ ")]
    given = [line for line in lines if line.startswith(_GIVEN)]
    return GroupedBlock(mappings, lines[len(mappings)], given)


def _answers(state: GroupState, lines: list[str]) -> Iterator[str]:
    key, topic, offsets, written = b"k", "s", Counter[tuple[str, int]](), list[tuple[Any, ...]]()
    for line in lines:
        yield line
        sign, what = line[0], line[2:]
        if sign == "^" and what.startswith("topic "):
            topic = what.removeprefix("topic ")
        elif sign == "^":
            key = octets(what.removeprefix("key "))
        elif sign == "=":
            if what == "end":
                state.close_all()
            state.emit(lambda *record: written.append(record), lambda *_: None)
            yield from map(_written, written)
            written.clear()
        else:
            partition, _, value = what.partition(" ")
            at, time = (topic, int(partition)), offsets.total() + 1
            offsets[at] += 1
            data = None if value == "NULL" else octets(value)
            message = Message(*at, offsets[at] - 1, key, data, None, None, (1, time))
            try:
                state.absorb(iter([message]), lambda *record: written.append(record), lambda *_: None)
            except (BadRecord, RecordFailure) as error:
                yield f"! {error}"
            yield from map(_written, written)
            written.clear()


def _written(record: tuple[Any, ...]) -> str:
    return f"< {shown(record[2])} {shown(record[1])} @{record[6]}"
