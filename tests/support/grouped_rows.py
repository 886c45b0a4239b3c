"""Queries with groups, their plans, and what they write, as texts to read.

A block is a query, before it the mappings (`@`), after it the operators of its plan (`|`) and what happens: `> 0 value`
is a record in partition 0, `= emit` what a commit does, `= end` the end of all records. `<` is a record written: its
key, value and timestamp, `!` why a record is refused. `^ key x` is the key that records have from there on. The
timestamps of records are 1, 2, 3 … in their order.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import Message

from jobplane.schemas.failures import BadRecord, RecordFailure
from jobplane.sql.codegen.compile import Wiring
from jobplane.sql.codegen.groups import CompiledGroups, compile_groups
from jobplane.sql.explain import describe_plan
from jobplane.sql.plan.graph import Plan
from jobplane.sql.plan.plan import plan
from jobplane.sql.syntax.parser import parse_insert
from tests.support.rows import mapping, octets, shown

PARTITIONS = 2
WIRING = Wiring("out", 1, {"s": "s"}, {"s": 0})
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
        operators = [f"| {part}: {detail}" for part, detail in describe_plan(planned, {"s": "s"}, {"": "out"})]
        answers = _answers(compile_groups(planned, WIRING), self.lines)
        return "\n".join([*self.mappings, self.query, *operators, *answers])


def grouped_block_of(text: str) -> GroupedBlock:
    lines = text.split("\n")
    mappings = [line for line in lines if line.startswith("@ ")]
    given = [line for line in lines if line.startswith(_GIVEN)]
    return GroupedBlock(mappings, lines[len(mappings)], given)


def _answers(compiled: CompiledGroups, lines: list[str]) -> Iterator[str]:
    state = compiled.state(("s", partition) for partition in range(PARTITIONS))
    key, offsets, written = b"k", Counter[int](), list[tuple[Any, ...]]()
    for line in lines:
        yield line
        sign, what = line[0], line[2:]
        if sign == "^":
            key = octets(what.removeprefix("key "))
        elif sign == "=":
            if what == "end":
                state.close_all()
            state.emit(lambda *record: written.append(record), lambda *_: None)
            yield from (f"< {shown(record[2])} {shown(record[1])} @{record[6]}" for record in written)
            written.clear()
        else:
            partition, _, value = what.partition(" ")
            at, time = offsets[int(partition)], offsets.total() + 1
            offsets[int(partition)] += 1
            data = None if value == "NULL" else octets(value)
            message = Message("s", int(partition), at, key, data, None, None, (1, time))
            try:
                state.absorb(iter([message]), lambda *_: None, lambda *_: None)
            except (BadRecord, RecordFailure) as error:
                yield f"! {error}"
