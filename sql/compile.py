"""A plan becomes one Python function made of our own templates; names and constants of the user are bound as values.

The function never guards a row: whatever a record raises ends it. Then every message before the culprit was produced,
the culprit was not, and `operator.length_hint(messages)` tells how many come after it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from sql import nodes, runtime
from sql.codegen import Code
from sql.plan import Kind, Plan
from sql.types import Type, column_types

Step = Callable[[Iterator[Any], Callable[..., None], Callable[..., None]], tuple[int, int]]
"""`step(messages, produce, full)` → (records written, tombstones skipped).

`messages` are confluent_kafka.Message, `produce` is Producer.produce, called as (topic, value, key, partition, None,
None, timestamp[, headers]); after a BufferError `full` is called with the same arguments. Raises BadRecord.
"""

_PYTHON_TYPES: dict[Type, Any] = {
    Type.NUMBER: int | float | None,
    Type.STRING: str | None,
    Type.BOOLEAN: bool | None,
    Type.SCALAR: int | float | str | bool | None,
    Type.ANY: msgspec.Raw,
}
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
class CompiledStep:
    """`source` is the function's text with a legend of the values bound to it, for people."""

    step: Step
    source: str


def compile_step(plan: Plan, topic: str, mirror: bool) -> CompiledStep:  # noqa: FBT001  # a fact, not a switch
    """The step that writes to `topic`. `mirror`: the sink has as many partitions, so a copy keeps its partition."""
    fields = {field.name: f"f{i}" for i, field in enumerate(plan.fields)}
    filtered = column_types(plan.where, ())
    computed = [o.expression for o in plan.outputs if not isinstance(o.expression, nodes.Column)]
    evaluated = column_types(plan.where, computed)
    code = Code(
        columns={name: local if name in evaluated else f"r.{local}" for name, local in fields.items()},
        types={field.name: field.type for field in plan.fields},
    )
    bound: dict[str, Any] = {"topic": topic, "null": _NULL, "bad_record": runtime.bad_record}
    bound |= {name: getattr(runtime, name) for name in ("divide", "remainder", "alike", "out_of_range")}

    def load(names: list[str]) -> None:
        for name in names:
            read = f"r.{fields[name]}"
            is_any = code.types[name] is Type.ANY
            code.line(f"{fields[name]} = {f'None if {read} == null else {read}' if is_any else read}")

    if plan.fields or (plan.star and plan.outputs):
        with code.block("if v is None:"):
            code.line("skipped += 1")
            code.line("continue")
    if plan.fields:
        bound["decode"] = _decoder(plan, fields)
        code.line("r = decode(v)")
    if plan.where is not None:
        load(list(filtered))
        code.keep_where(plan.where)
    load([name for name in evaluated if name not in filtered])
    if plan.kind is Kind.PROJECT:
        bound |= _write_value(plan, code)
    arguments = _MAKES if plan.kind is Kind.PROJECT else _KEEPS.format(partition="m.partition()" if mirror else "-1")
    source = _HEAD + "".join(line + "\n" for line in code.lines) + _TAIL.format(arguments=arguments)
    bound |= code.constants
    exec(compile(source, "<query>", "exec"), bound)  # noqa: S102  # our own templates only: see sql/codegen.py
    return CompiledStep(bound["step"], source + _legend(plan, topic, fields, code))


def _decoder(plan: Plan, fields: dict[str, str]) -> Callable[[bytes], Any]:
    """Reads only the fields needed; one that is missing is NULL."""
    row = msgspec.defstruct(
        "Row",
        [(fields[f.name], _PYTHON_TYPES[f.type], _NULL if f.type is Type.ANY else None) for f in plan.fields],
        rename={local: name for name, local in fields.items()},
        gc=False,
    )
    decode: Callable[[bytes], Any] = msgspec.json.Decoder(row).decode
    return decode


def _write_value(plan: Plan, code: Code) -> dict[str, Any]:
    """Lines that leave the encoded value in v; returns what they need bound."""
    results = [code.result(output.expression) for output in plan.outputs]
    encode = msgspec.json.Encoder().encode
    if plan.star:
        code.line("row = whole(v)")
        for output, result in zip(plan.outputs, results, strict=True):
            code.line(f"row[{code.constant(output.name)}] = {result}")
        code.line("v = encode(row)")
        return {"encode": encode, "whole": msgspec.json.Decoder(dict[str, msgspec.Raw]).decode}
    code.line(f"v = encode(Out({', '.join(results)}))")
    names = {f"o{i}": output.name for i, output in enumerate(plan.outputs)}
    return {"encode": encode, "Out": msgspec.defstruct("Out", [(o, Any) for o in names], rename=names, gc=False)}


def _legend(plan: Plan, topic: str, fields: dict[str, str], code: Code) -> str:
    """What the names in the source stand for, as comments; never compiled."""
    lines = [f"topic = {topic!r}"]
    lines += [f"r.{fields[field.name]} = {field.name!r}, {field.type}" for field in plan.fields]
    lines += [f"o{i} = {output.name!r}" for i, output in enumerate(plan.outputs) if not plan.star]
    lines += [f"{name} = {value!r}" for name, value in code.constants.items()]
    return "".join(f"# {line}\n" for line in lines)
