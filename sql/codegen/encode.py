"""The third part of the generated code: from a row to the arguments of Producer.produce."""

import re
import sys
from collections.abc import Sequence

from jobplane.schemas.formats.fields import Convert
from jobplane.schemas.formats.json import flat
from jobplane.schemas.formats.json.second_look import all_fields
from jobplane.schemas.types import datatypes as t
from jobplane.schemas.types.json_text import ENCODER
from jobplane.sql.analysis.record import partition_check
from jobplane.sql.analysis.topic_format import SideFormat
from jobplane.sql.codegen.row import Row
from jobplane.sql.plan.graph import Branch, Output
from jobplane.sql.syntax.parts import KEY
from jobplane.sql.types.typed import Constant


def encode(row: Row, branch: Branch) -> None:
    """Lines that leave the encoded value in `v`, the key and other parts of the record in locals of their names."""
    if branch.copies:
        return
    value_format = branch.sink.value_format
    row.load(*(one.value for one in branch.outputs if not _is_plain(row, one, value_format)))
    encode_tombstone(row, branch)
    if not branch.star:
        row.code.line(f"v = {_encode_side(row, branch.outputs, value_format)}")
    elif branch.outputs:
        _add_to_all(row, branch.outputs)


def encode_tombstone(row: Row, branch: Branch) -> None:
    """Lines that leave the key and other parts of the record in locals of their names; `v` stays as it is."""
    code, sink = row.code, branch.sink
    row.load(*(one.value for one in branch.key), *branch.parts.values())
    if branch.key and sink.key_format is not None:
        keyed = branch.group is not None and not isinstance(branch.key[0].value, Constant)
        absent = b"null" if keyed and sink.key_format.is_json else None
        code.line(f"{KEY} = {_encode_side(row, branch.key, sink.key_format, absent)}")
    for name, part in branch.parts.items():
        code.line(f"{name} = {code.result(part)}")


def arguments(row: Row, branch: Branch, topic: str, partitions: int, mirror: int) -> str:
    """The arguments of Producer.produce. A copy keeps partition numbers below `mirror`, none where that is 0.

    The row of a group has no message `m`: without a key or timestamp of its own it has none, or that of the client.
    """
    parts, of_group = branch.parts, branch.group is not None
    key = KEY if KEY in parts or branch.key else "None" if of_group else "m.key()"
    timestamp = "__timestamp" if "__timestamp" in parts else "0" if of_group else "m.timestamp()[1]"
    partition = _partition(mirror) if branch.copies else "-1"
    if "__partition" in parts:
        row.code.bound["partition_in"] = partition_check(topic, partitions)
        partition = "partition_in(__partition)"
    listed = f"topic, v, {key}, {partition}, None, None, {timestamp}"
    if "__headers" in parts:
        return f"{listed}, __headers"
    return f"{listed}, m.headers()" if branch.copies else listed


def _encode_side(row: Row, outputs: Sequence[Output], side: SideFormat, absent: bytes | None = None) -> str:
    """Python for the bytes of a key or value; one that is NULL as a whole has none, or those of `absent`."""
    writing = side.writing([one.field for one in outputs])
    results = [_result(row, *pair) for pair in zip(outputs, writing.conversions, strict=True)]
    text = writing.code
    of_key = "key_" if side.role == "key" else ""
    for name, bound in writing.bound.items():
        row.code.bound[of_key + name] = bound
        text = re.sub(rf"\b{name}\b", of_key + name, text) if of_key else text
    if not outputs or outputs[0].path:
        return text.format(*results)
    whole = row.code.name_for(results[0])
    return f"{absent!r} if {whole} is None else {text.format(whole)}"


def _add_to_all(row: Row, outputs: Sequence[Output]) -> None:
    """All fields of an object as they are, and the outputs over them."""
    code = row.code
    code.bound |= {"encode": ENCODER.encode, "whole": all_fields}
    writing = flat.field_encoder([one.field for one in outputs])
    results = [_result(row, output, convert) for output, convert in zip(outputs, writing.conversions, strict=True)]
    code.line("row = whole(v)")
    for output, result in zip(outputs, results, strict=True):
        code.line(f"row[{code.constant(output.name)}] = {result}")
    code.line("v = encode(row)")


def _is_plain(row: Row, output: Output, side: SideFormat) -> bool:
    """Whether a field goes from the row to the value without being looked at; JSON may hand on its null."""
    return row.is_plain(output.value) and (side.is_json or output.value.type not in (t.JSON, t.UNKNOWN))


def _result(row: Row, output: Output, written: Convert | None) -> str:
    code = row.code
    result = code.result(output.value)
    if written is None:
        return result
    result = code.name_for(result)
    return f"(None if {result} is None else {code.function('writer', written)}({result}))"


def _partition(mirror: int) -> str:
    """Partitions added to the source since the job was created are spread by key, like any other's records."""
    match mirror:
        case 0:
            return "-1"
        case sys.maxsize:
            return "m.partition()"
    return f"(p if (p := m.partition()) < {mirror:d} else -1)"
