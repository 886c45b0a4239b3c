"""The first part of the generated code: from a message `m` with the value `v` to a row."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from jobplane.schemas.failures import BadRecord, Unreadable
from jobplane.schemas.formats import JSON
from jobplane.schemas.formats.fields import Convert, FieldDecoder, SchemaText, TypedField
from jobplane.schemas.formats.json.second_look import with_second_look
from jobplane.schemas.formats.json.values import decoder, msgspec_type, read_conversion
from jobplane.schemas.types.datatypes import Type
from jobplane.schemas.types.json_text import describe_malformed
from jobplane.sql.analysis.record import KEY_FIELDS
from jobplane.sql.analysis.topic_format import SideFormat
from jobplane.sql.codegen.expressions import Code
from jobplane.sql.codegen.row import Row
from jobplane.sql.plan.operators import ScannedField, ScanOperator
from jobplane.sql.runtime import operations
from jobplane.sql.syntax.parts import KEY


def decode(code: Code, scan: ScanOperator, schema_text: SchemaText) -> Row:
    """Lines that decode the fields of the scan."""
    decoding = _Decoding(code, scan, schema_text)
    decoding.decode_key()
    decoding.decode_value()
    return Row(code, scan.fields, decoding.places, decoding.conversions)


class _Decoding:
    """Where fields are found, and what they go through, by their keys."""

    def __init__(self, code: Code, scan: ScanOperator, schema_text: SchemaText) -> None:
        self._code, self._scan, self._schema_text = code, scan, schema_text
        self.places: dict[str, str] = {}
        self.conversions: dict[str, Convert | None] = {}

    def decode_key(self) -> None:
        """A key in JSON of which fields are asked is decoded where they are; another one at once."""
        code, scan = self._code, self._scan
        for field in scan.fields:
            if field.key == KEY_FIELDS:
                code.bound["decode_json_key"] = _json_key_decoder(field.type)
                self.places[field.key] = "decode_json_key(m.key())"
                self.conversions[field.key] = read_conversion(field.type)
        fields = {f"f{i}": field for i, field in enumerate(scan.fields) if field.of_key and field.key != KEY_FIELDS}
        if not fields or scan.key_format is None:
            return
        reading = self._reading(list(fields.values()), scan.key_format)
        code.bound["decode_key"] = _key_decoder(with_second_look(reading.decode) if reading.again else reading.decode)
        code.line("r = None if (k := m.key()) is None else decode_key(k)")
        for local, field in fields.items():
            code.line(f"{local} = None if r is None else {self.places[field.key]}")
            self.places[field.key] = local

    def decode_value(self) -> None:
        """The second look stands where the first one failed, so that it costs nothing elsewhere."""
        code = self._code
        fields = [field for field in self._scan.fields if not field.of_key]
        if not fields:
            return
        reading = self._reading(fields, self._scan.value_format)
        code.bound["decode"] = reading.decode
        if reading.again is None:
            code.line("r = decode(v)")
            return
        code.bound |= {"malformed": msgspec.DecodeError, "decode_again": reading.again}
        with code.block("try:"):
            code.line("r = decode(v)")
        with code.block("except malformed as error:"):
            code.line("r = decode_again(v, error)")

    def _reading(self, fields: Sequence[ScannedField], side: SideFormat) -> FieldDecoder:
        reading = side.reading([TypedField(field.path, field.type) for field in fields], self._schema_text)
        for field, place, conversion in zip(fields, reading.places, reading.conversions, strict=True):
            self.places[field.key], self.conversions[field.key] = place, conversion
        return reading


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


def _json_key_decoder(one: Type) -> Callable[[bytes | None], Any]:
    decode = with_second_look(decoder(msgspec_type(one) | None).decode)

    def read(key: bytes | None) -> Any:
        try:
            return None if key is None else decode(key)
        except msgspec.ValidationError as error:
            raise BadRecord(operations.reword(str(error), "__key")) from None
        except msgspec.DecodeError as error:
            raise Unreadable(f"the key is not JSON: {describe_malformed(error)}", JSON, of_key=True) from None

    return read
