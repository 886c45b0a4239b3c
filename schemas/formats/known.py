"""All formats, by their names."""

from schemas.formats import avro, binary, csv_lines, json_flat, json_value, numbers, varchar
from schemas.formats.fields import Format

_ALL = (
    *(json_flat.FORMAT, json_value.FORMAT, avro.FORMAT, csv_lines.FORMAT, varchar.FORMAT),
    *(*numbers.FORMATS, binary.FORMAT),
)
FORMATS: dict[str, Format] = {one.name: one for one in _ALL}
