"""A plan becomes one Python function made of our own templates; names and constants of the user are bound as values.

The function never guards a row: whatever a record raises ends it. Then every message before the culprit was produced,
the culprit was not, and `operator.length_hint(messages)` tells how many come after it.
"""

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from sql import nodes, runtime
from sql.codegen import Code
from sql.column_types import fitting
from sql.documents import row_of, value_of
from sql.plan import Kind, Output, Plan
from sql.types import Type, column_types

Step = Callable[[Iterator[Any], Callable[..., None], Callable[..., None]], tuple[int, int]]
"""`step(messages, produce, full)` → (records written, tombstones skipped).

`messages` are confluent_kafka.Message, `produce` is Producer.produce, called as (topic, value, key, partition, None,
None, timestamp[, headers]); after a BufferError `full` is called with the same arguments. Raises BadRecord.
"""

_NULL = msgspec.Raw(b"null")

_HEAD = """\
def step(messages, produce, full):
    written = skipped = 0
    try:
        for m in messages:
            v = m.value()
"""
_TAIL = """\
            try:
                produce({arguments})
            except BufferError:
                full({arguments})
            written += 1
    except (ArithmeticError, RecursionError, ValueError) as error:
        raise bad_record(error) from error
    return written, skipped
"""
_KEEPS = "topic, v, m.key(), {partition}, None, None, m.timestamp()[1], m.headers()"
_MAKES = "topic, v, m.key(), -1, None, None, m.timestamp()[1]"


@dataclass(frozen=True, slots=True)
class Wiring:
    """The topic written to with its partitions at CREATE and, by the name a source has in the query, the topic read.

    `mirrors`, by the same names: a copy keeps partition numbers below that, none where it is 0.
    """

    topic: str
    partitions: int
    topics: Mapping[str, str]
    mirrors: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class CompiledStep:
    """`source` is the function's text with a legend of the values bound to it, for people."""

    step: Step
    source: str


def compile_step(plan: Plan, wiring: Wiring) -> CompiledStep:
    """The step that takes messages of any topic of the wiring."""
    topic, (mirror,) = wiring.topic, wiring.mirrors.values()
    names = {field.name: f"f{i}" for i, field in enumerate(plan.fields)}
    filtered = column_types(plan.where, (), plan.kinds)
    computed = [(o.expression, Type.ANY, "") for o in plan.outputs if not isinstance(o.expression, nodes.Column)]
    evaluated = column_types(plan.where, computed, plan.kinds).keys() | {
        field.name for field in plan.fields if len(field.path) > 1
    }
    code = Code(
        columns={name: local if name in evaluated else f"r.{local}" for name, local in names.items()},
        types={field.name: field.type for field in plan.fields},
    )
    bound: dict[str, Any] = {"topic": topic, "null": _NULL, "bad_record": runtime.bad_record}
    bound |= {name: getattr(runtime, name) for name in ("divide", "remainder", "alike", "out_of_range")}
    reads: dict[str, str] = {}

    def load(columns: Iterable[str]) -> None:
        for name in columns:
            local = names[name]
            code.line(f"{local} = {reads[name]}")
            if code.types[name] is Type.ANY:
                with code.block(f"if {local} == null:"):
                    code.line(f"{local} = None")

    if plan.fields or (plan.star and plan.outputs):
        with code.block("if v is None:"):
            code.line("skipped += 1")
            code.line("continue")
    if plan.fields:
        row, reads = row_of(plan.fields, names)
        bound["decode"] = msgspec.json.Decoder(row).decode
        code.line("r = decode(v)")
    if plan.where is not None:
        load(filtered)
        code.keep_where(plan.where)
    load(name for name in names if name in evaluated and name not in filtered)
    if plan.kind is Kind.PROJECT:
        bound |= _write_value(plan, code)
    arguments = _MAKES if plan.kind is Kind.PROJECT else _KEEPS.format(partition=_partition(mirror))
    source = _HEAD + "".join(line + "\n" for line in code.lines) + _TAIL.format(arguments=arguments)
    bound |= code.constants
    exec(compile(source, "<query>", "exec"), bound)  # noqa: S102  # our own templates only: see sql/codegen.py
    return CompiledStep(bound["step"], source + _legend(plan, topic, names, code))


def _partition(mirror: int) -> str:
    """Partitions added to the source since the job was created are spread by key, like any other's records."""
    match mirror:
        case 0:
            return "-1"
        case sys.maxsize:
            return "m.partition()"
    return f"(p if (p := m.partition()) < {mirror:d} else -1)"


def _write_value(plan: Plan, code: Code) -> dict[str, Any]:
    """Lines that leave the encoded value in v; returns what they need bound."""
    bound: dict[str, Any] = {"encode": msgspec.json.Encoder().encode}
    results = []
    for i, output in enumerate(plan.outputs):
        result = code.result(output.expression)
        if output.declared and not _fits(plan, output):
            bound[f"fit{i}"] = fitting(output.name, output.declared)
            result = f"fit{i}({result})"
        results.append(result)
    if plan.star:
        code.line("row = whole(v)")
        for output, result in zip(plan.outputs, results, strict=True):
            code.line(f"row[{code.constant(output.name)}] = {result}")
        code.line("v = encode(row)")
        return bound | {"whole": msgspec.json.Decoder(dict[str, msgspec.Raw]).decode}
    value, structs = value_of([(output.path, result) for output, result in zip(plan.outputs, results, strict=True)])
    code.line(f"v = encode({value})")
    return bound | structs


def _fits(plan: Plan, output: Output) -> bool:
    """Whether the column written is one that was read as the same type."""
    read = {field.name: field.declared for field in plan.fields}
    return isinstance(output.expression, nodes.Column) and read[output.expression.name] == output.declared


def _legend(plan: Plan, topic: str, names: dict[str, str], code: Code) -> str:
    """What the names in the source stand for, as comments; never compiled."""
    lines = [f"topic = {topic!r}"]
    lines += [
        f"{names[field.name]} = {'.'.join(field.path)!r}, {field.declared or field.type}" for field in plan.fields
    ]
    lines += [f"output {i} = {'.'.join(output.path)!r}" for i, output in enumerate(plan.outputs) if not plan.star]
    lines += [f"{name} = {value!r}" for name, value in code.constants.items()]
    return "".join(f"# {line}\n" for line in lines)
