"""The lines that take one message through a branch of a plan, from its value to what is produced."""

import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from jobplane.schemas.failures import BadRecord, Unreadable
from jobplane.schemas.formats import JSON
from jobplane.schemas.formats.fields import Convert, Reading, Wanted
from jobplane.schemas.formats.json import flat
from jobplane.schemas.formats.json.second_look import all_fields, looking_twice
from jobplane.schemas.formats.json.values import decoder, read_as, reader
from jobplane.schemas.types import datatypes as t
from jobplane.schemas.types.datatypes import Type
from jobplane.schemas.types.json_text import ENCODER, malformed, present
from jobplane.sql.analysis.record import KEY_FIELDS, PARTS, partition_in
from jobplane.sql.analysis.topic_format import Side
from jobplane.sql.codegen.expressions import Code
from jobplane.sql.plan.plan import Branch, Output, Read
from jobplane.sql.plan.selects import Compute, Filter, Unnest
from jobplane.sql.plan.usage import keys_of
from jobplane.sql.runtime import operations
from jobplane.sql.syntax.parts import KEY
from jobplane.sql.types.typed import Field, Typed

_NULL = msgspec.Raw(b"null")
LEGEND_WIDTH = 100


@dataclass(frozen=True, slots=True)
class Made:
    """`several`: a message may give more than one record. `arguments` are those of Producer.produce.

    `indent` is where the lines end: inside the loops over elements, where there are any.
    """

    lines: list[str]
    arguments: str
    bound: dict[str, Any]
    legend: str
    several: bool
    indent: str


def branch_code(branch: Branch, topic: str, partitions: int, mirror: int) -> Made:
    """A copy keeps partition numbers below `mirror`, none where that is 0."""
    made = _Lines(branch, topic, partitions)
    made.write()
    arguments = made.arguments(mirror)
    lines = [line + "\n" for line in made.code.lines]
    several = any(isinstance(stage, Unnest) for stage in branch.stages)
    return Made(lines, arguments, made.bound(), made.legend(), several, "    " * made.code.indent)


class _Lines:
    """One branch being written."""

    def __init__(self, branch: Branch, topic: str, partitions: int) -> None:
        self._branch, self._topic, self._partitions = branch, topic, partitions
        self._of_key = {read.key: read for read in branch.reads}
        self._names = {read.key: f"f{i}" for i, read in enumerate(branch.reads)}
        self._bound: dict[str, Any] = {
            "topic": topic,
            "null": _NULL,
            "out_of_range": operations.out_of_range,
            "check_whole": operations.check_whole,
            "too_long": operations.too_long,
            "unreadable": (BadRecord, ValueError),
            "in_field": operations.in_field,
        }
        self._reads: dict[str, str] = {}
        self._conversions: dict[str, Convert | None] = {}
        self._loaded: set[str] = set()
        self.code = Code({})

    def bound(self) -> dict[str, Any]:
        return self._bound | self.code.constants | self.code.functions

    def write(self) -> None:
        branch, code = self._branch, self.code
        if branch.opens_value:
            with code.block("if v is None:"):
                code.line("skipped += 1")
                code.line("continue")
        self._decode()
        for stage in branch.stages:
            match stage:
                case Filter(condition):
                    self._load(condition)
                    code.keep_where(condition)
                case Compute(key, value):
                    self._load(value)
                    code.locals[key] = code.named(code.result(value))
                case Unnest():
                    self._unnest(stage)
        if not branch.copies:
            self._outputs()

    def _decode(self) -> None:
        """The fields of the value, and of the key, that the branch reads."""
        reads, carried = self._branch.reads, self._branch.read_from
        for read in reads:
            if read.key == KEY_FIELDS:
                self._bound["decode_json_key"] = _key_reader(read.type)
                self._reads[read.key], self._conversions[read.key] = "decode_json_key(m.key())", reader(read.type)
        of_key = [read for read in reads if read.of_key and read.key != KEY_FIELDS]
        if of_key and carried.key is not None:
            reading = self._read(of_key, carried.key)
            self._bound["decode_key"] = _key_decoder(looking_twice(reading.decode) if reading.again else reading.decode)
            self.code.line("r = None if (k := m.key()) is None else decode_key(k)")
            for read in of_key:
                local = self._names[read.key]
                self.code.line(f"{local} = None if r is None else {self._reads[read.key]}")
                self._reads[read.key] = local
        of_value = [read for read in reads if not read.of_key]
        if of_value:
            reading = self._read(of_value, carried.value)
            self._bound["decode"] = reading.decode
            self._decode_twice(reading)
        plain = {key: place for key, place in self._reads.items() if place.startswith("r.") and place.count(".") == 1}
        self.code.locals.update(plain)

    def _decode_twice(self, reading: Reading) -> None:
        """The second look stands where the first one failed, so that it costs nothing elsewhere."""
        code = self.code
        if reading.again is None:
            code.line("r = decode(v)")
            return
        self._bound |= {"malformed": msgspec.DecodeError, "decode_again": reading.again}
        with code.block("try:"):
            code.line("r = decode(v)")
        with code.block("except malformed as error:"):
            code.line("r = decode_again(v, error)")

    def _read(self, reads: Sequence[Read], side: Side) -> Reading:
        """What decodes one side of a record; where its fields are, and what they go through, is noted."""
        reading = side.reading([Wanted(read.path, read.type) for read in reads])
        for read, place, conversion in zip(reads, reading.places, reading.conversions, strict=True):
            self._reads[read.key], self._conversions[read.key] = place, conversion
        return reading

    def _load(self, *trees: Typed) -> None:
        """Locals for the fields the expressions name; a field only handed through is taken from the row itself."""
        for key in [key for tree in trees for key in keys_of(tree)]:
            if key in self._loaded:
                continue
            self._loaded.add(key)
            if key in self._of_key:
                self._load_field(self._of_key[key])
            elif key in PARTS:
                part = PARTS[key]
                code = part.code
                for name, function in part.bound.items():
                    code = code.replace(name, self.code.function(name, function), 1)
                self.code.locals[key] = self.code.named(code)

    def _load_field(self, read: Read) -> None:
        local, place = self._names[read.key], self._reads[read.key]
        code, conversion = self.code, self._conversions[read.key]
        code.locals[read.key] = local
        code.line(f"{local} = {place}")
        if read.type == t.JSON:
            with code.block(f"if {local} == null:"):
                code.line(f"{local} = None")
        if conversion:
            with code.block(f"if {local} is not None:"):
                with code.block("try:"):
                    code.line(f"{local} = {code.function('reader', conversion)}({local})")
                with code.block("except unreadable as error:"):
                    code.line(f"raise in_field({code.constant('.'.join(read.path))}, error) from None")

    def _unnest(self, stage: Unnest) -> None:
        code = self.code
        self._load(stage.value)
        values = code.named(code.result(stage.value))
        element, second, ordinal = (code.temporary() for _ in range(3))
        code.locals |= {stage.element: element, stage.second: second, stage.ordinal: ordinal}
        target, each = element, f"{values} or ()"
        if stage.second:
            target, each = f"{element}, {second}", f"({values} or {{}}).items()"
        if stage.json:
            each = f"map({code.function('present', present)}, {each})"
        if stage.ordinal:
            target, each = f"{ordinal}, {f'({target})' if stage.second else target}", f"enumerate({each}, 1)"
        code.line(f"for {target} in {each}:")
        code.indent += 1

    def _outputs(self) -> None:
        """Lines that leave the encoded value in v, and the parts of the record in locals."""
        branch, code = self._branch, self.code
        computed = [one.value for one in branch.outputs if not self._is_plain(one)]
        computed += [one.value for one in branch.key]
        self._load(*computed, *branch.parts.values())
        if branch.key and branch.written_to.key is not None:
            code.line(f"{KEY} = {self._encoded(branch.key, branch.written_to.key)}")
        for name, part in branch.parts.items():
            code.line(f"{name} = {code.result(part)}")
        if not branch.star:
            code.line(f"v = {self._encoded(branch.outputs, branch.written_to.value)}")
        elif branch.outputs:
            self._add_to_all()

    def _encoded(self, outputs: Sequence[Output], side: Side) -> str:
        """Python for the bytes of a key or value; one that is NULL as a whole has none."""
        writing = side.writing([one.field for one in outputs])
        results = [self._result(*pair) for pair in zip(outputs, writing.conversions, strict=True)]
        text = writing.code
        of_key = "key_" if side.role == "key" else ""
        for name, bound in writing.bound.items():
            self._bound[of_key + name] = bound
            text = re.sub(rf"\b{name}\b", of_key + name, text) if of_key else text
        if not outputs or outputs[0].path:
            return text.format(*results)
        whole = self.code.named(results[0])
        return f"None if {whole} is None else {text.format(whole)}"

    def _add_to_all(self) -> None:
        """All fields of an object as they are, and the outputs over them."""
        self._bound["encode"] = ENCODER.encode
        self._bound["whole"] = all_fields
        writing = flat.writing([one.field for one in self._branch.outputs])
        results = [self._result(*pair) for pair in zip(self._branch.outputs, writing.conversions, strict=True)]
        self.code.line("row = whole(v)")
        for output, result in zip(self._branch.outputs, results, strict=True):
            self.code.line(f"row[{self.code.constant(output.name)}] = {result}")
        self.code.line("v = encode(row)")

    def _is_plain(self, output: Output) -> bool:
        """Whether a field goes from the row to the value without being looked at; JSON may hand on its null."""
        read = self._of_key.get(output.value.key) if isinstance(output.value, Field) else None
        if read is None or read.key not in self.code.locals or self._conversions[read.key]:
            return False
        return self._branch.written_to.value.is_json or read.type not in (t.JSON, t.UNKNOWN)

    def _result(self, output: Output, written: Convert | None) -> str:
        result = self.code.result(output.value)
        if written is None:
            return result
        result = self.code.named(result)
        return f"(None if {result} is None else {self.code.function('writer', written)}({result}))"

    def arguments(self, mirror: int) -> str:
        parts = self._branch.parts
        key = KEY if KEY in parts or self._branch.key else "m.key()"
        timestamp = "__timestamp" if "__timestamp" in parts else "m.timestamp()[1]"
        partition = _partition(mirror) if self._branch.copies else "-1"
        if "__partition" in parts:
            self._bound["partition_in"] = partition_in(self._topic, self._partitions)
            partition = "partition_in(__partition)"
        arguments = f"topic, v, {key}, {partition}, None, None, {timestamp}"
        if "__headers" in parts:
            return f"{arguments}, __headers"
        return f"{arguments}, m.headers()" if self._branch.copies else arguments

    def legend(self) -> str:
        """What the names in the lines stand for, as comments; never compiled."""
        branch = self._branch
        said = [f"topic = {self._topic!r}"]
        said += [f"{self._names[read.key]} = {'.'.join(read.path)!r}, {read.type}" for read in branch.reads]
        said += [f"output {i} = {'.'.join(one.path)!r}" for i, one in enumerate(branch.outputs) if not branch.star]
        said += [f"{name} = {value!r}"[:LEGEND_WIDTH] for name, value in self.code.constants.items()]
        said += [f"{name} = {_called(value)}" for name, value in self.code.functions.items()]
        return "".join(f"# {line}\n" for line in said)


def _key_decoder(decode: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    """What decodes a key, whose error says that it was the key."""

    def read(key: bytes) -> Any:
        try:
            return decode(key)
        except (BadRecord, ArithmeticError, RecursionError, ValueError) as error:
            bad = error if isinstance(error, BadRecord) else operations.bad_record(error)
            said = f"{KEY}: {bad.message}"
            raise (
                Unreadable(said, bad.wanted, of_key=True) if isinstance(bad, Unreadable) else BadRecord(said)
            ) from None

    return read


def _key_reader(one: Type) -> Callable[[bytes | None], Any]:
    decode = looking_twice(decoder(read_as(one) | None).decode)

    def read(key: bytes | None) -> Any:
        try:
            return None if key is None else decode(key)
        except msgspec.ValidationError as error:
            raise BadRecord(operations.reworded(str(error), "__key")) from None
        except msgspec.DecodeError as error:
            raise Unreadable(f"the key is not JSON: {malformed(error)}", JSON, of_key=True) from None

    return read


def _called(function: Callable[..., Any]) -> str:
    return str(getattr(function, "__qualname__", function)).split(".<locals>", maxsplit=1)[0].strip("_")


def _partition(mirror: int) -> str:
    """Partitions added to the source since the job was created are spread by key, like any other's records."""
    match mirror:
        case 0:
            return "-1"
        case sys.maxsize:
            return "m.partition()"
    return f"(p if (p := m.partition()) < {mirror:d} else -1)"
