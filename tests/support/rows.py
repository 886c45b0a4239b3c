"""Queries with the records they read and write, as texts to read.

A block is a query, before it the mappings of s and out and the job's OPTIONS (`@`), after it records: `>` the value
read (NULL: a tombstone), `<` the value written, nothing: filtered out, `~` skipped, `!` refused as BAD_RECORD. `^` says
what else the records read have from there on, `:` what of a record written is not as it was read. Bytes that are no
text are `0x…`. A set of INSERTs begins with BEGIN; then `:` names the topic as well.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from confluent_kafka import Message

from jobplane.controlplane.core.decide.formats import add_inline_schemas
from jobplane.schemas.errors import STATEMENT_START
from jobplane.schemas.failures import BadRecord
from jobplane.schemas.options import JobOptions
from jobplane.schemas.records.mappings import TopicMapping
from jobplane.sql.codegen.compile import CompiledStep, TargetTopic, Wiring, compile_step
from jobplane.sql.functions import BUILT_IN, FunctionCatalogue
from jobplane.sql.mapping import build_mapping
from jobplane.sql.plan.graph import Plan
from jobplane.sql.plan.inserts import plan_inserts
from jobplane.sql.syntax import statements
from jobplane.sql.syntax.parser import parse

Headers = list[tuple[str, Any]]


@dataclass(slots=True)
class Parts:
    """What the records read have besides their values."""

    key: bytes = b"k"
    headers: Headers | None = None

    def learn(self, line: str) -> None:
        name, _, rest = line.removeprefix("^ ").partition(" ")
        if name == "key":
            self.key = octets(rest)
        elif name == "headers":
            self.headers = [(key, text.encode()) for key, _, text in (one.partition("=") for one in rest.split())]
        else:
            raise ValueError(f"a record has a key and headers, no {name}")


@dataclass(slots=True)
class Block:
    """`lines` without the answers, to be answered anew. `options` is empty, or a line as of `mappings`."""

    mappings: list[str]
    options: str
    query: str
    lines: list[str] = field(default_factory=list)
    functions: FunctionCatalogue = BUILT_IN

    def answered(self, by: CompiledStep | None = None) -> str:
        """The block with the answers that a step gives: the step of its own plan, or another."""
        compiled, parts = by or self.compiled(), Parts()
        return "\n".join(
            [
                *self.mappings,
                *filter(None, [self.options]),
                self.query,
                *(a for line in self.lines for a in _answers(compiled, line, parts)),
            ]
        )

    def compiled(self) -> CompiledStep:
        return compile_step(self.planned(), self.wiring())

    def wiring(self) -> Wiring:
        options = JobOptions.of({option.name.text: option.value for option in self._job().options})
        topics = {branch.source: branch.source for branch in self.planned().branches}
        mirrors = dict.fromkeys(topics, 0)
        targets = {insert.target.text: TargetTopic(insert.target.text, 1, mirrors) for insert in self._job().inserts}
        tombstones = options.tombstones
        return Wiring("out", 1, topics, mirrors, self.functions, tombstones=tombstones, targets=targets)

    def planned(self) -> Plan:
        mappings = {one.name: one for one in map(mapping, self.mappings)}
        return plan_inserts(self._job().inserts, mappings, mappings, self.functions)

    def _job(self) -> statements.CreateJob:
        done = self.query if self.query.startswith("BEGIN") else f"INSERT INTO out {self.query}"
        statement = parse(f"CREATE JOB j {self.options.removeprefix('@ ')} AS {done}")
        assert isinstance(statement, statements.CreateJob)
        return statement


def mapping(line: str) -> TopicMapping:
    statement = parse(line.removeprefix("@ "))
    assert isinstance(statement, statements.CreateMapping)
    return resolved(build_mapping(statement))


def resolved(one: TopicMapping) -> TopicMapping:
    """With the columns that its own schemas tell."""
    found = add_inline_schemas(one, STATEMENT_START)
    assert found is not None
    return found


def octets(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x")) if text.startswith("0x") else text.encode()


def shown(data: bytes | None) -> str:
    if data is None:
        return "NULL"
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = "\0"
    return f"0x{data.hex()}" if any(one < " " for one in text) else text


def block_of(text: str) -> Block:
    lines = text.split("\n")
    given = [line for line in lines if line.startswith("@ ")]
    options = [line for line in given if line.startswith("@ OPTIONS ")]
    block = Block([line for line in given if line not in options], "".join(options), lines[len(given)])
    block.lines += [line for line in lines[len(given) + 1 :] if line.startswith(("> ", "^ ", "= "))]
    return block


def blocks(path: Path) -> list[str]:
    """Those of a file, without its comments."""
    return [block for block in path.read_text().rstrip("\n").split("\n\n") if not block.startswith("#")]


def rewritten(path: Path) -> str:
    """A file with its answers given anew."""
    found = path.read_text().rstrip("\n").split("\n\n")
    return "\n\n".join(one if one.startswith("#") else block_of(one).answered() for one in found) + "\n"


def _answers(compiled: CompiledStep, line: str, parts: Parts) -> Iterator[str]:
    yield line
    if line.startswith("^ "):
        parts.learn(line)
        return
    value = line.removeprefix("> ")
    written: list[tuple[Any, ...]] = []
    message = Message("s", 0, 0, parts.key, None if value == "NULL" else octets(value), parts.headers, None, (1, 5))
    try:
        _, skipped = compiled.step(iter([message]), lambda *record: written.append(record), lambda *_: None)
    except BadRecord as error:
        yield f"! {error}"
        return
    for record in written:
        yield f"< {shown(record[1])}"
        yield from _other(record, parts)
    yield from ["~ skipped"] * skipped


def _other(record: tuple[Any, ...], parts: Parts) -> Iterator[str]:
    """What of a record is not simply kept."""
    topic, _, key, partition, _, _, timestamp, *headers = record
    said = [f"topic {topic}"] if topic != "out" else []
    if key != parts.key:
        said.append(f"key {shown(key)}")
    if partition != -1:
        said.append(f"partition {partition}")
    if timestamp != 5:
        said.append(f"timestamp {timestamp}")
    if headers and headers[0] is not None:
        said.append("headers " + " ".join(f"{k}={v.decode() if isinstance(v, bytes) else v}" for k, v in headers[0]))
    if said:
        yield f": {', '.join(said)}"
