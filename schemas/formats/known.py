"""All formats, by their names."""

from jobplane.schemas.formats import binary, csv_lines, numbers, varchar
from jobplane.schemas.formats.avro import records
from jobplane.schemas.formats.fields import Format
from jobplane.schemas.formats.json import flat, value

_ALL = (
    *(flat.FORMAT, value.FORMAT, records.FORMAT, csv_lines.FORMAT, varchar.FORMAT),
    *(*numbers.FORMATS, binary.FORMAT),
)
FORMATS: dict[str, Format] = {one.name: one for one in _ALL}
