"""All formats, by their names."""

from schemas.formats import binary, csv_lines, numbers, varchar
from schemas.formats.avro import records
from schemas.formats.fields import Format
from schemas.formats.json import flat, value

_ALL = (
    *(flat.FORMAT, value.FORMAT, records.FORMAT, csv_lines.FORMAT, varchar.FORMAT),
    *(*numbers.FORMATS, binary.FORMAT),
)
FORMATS: dict[str, Format] = {one.name: one for one in _ALL}
