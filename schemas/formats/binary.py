"""`bytes`: anything, as it is."""

from dataclasses import replace

from jobplane.schemas.formats.single_value import single_value_format
from jobplane.schemas.types import datatypes as t

FORMAT = replace(single_value_format("bytes", t.VARBINARY, bytes, bytes), copies_bytes=True)
