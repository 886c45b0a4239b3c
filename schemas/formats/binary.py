"""`bytes`: anything, as it is."""

from jobplane.schemas.formats.single_value import single_value_format
from jobplane.schemas.types import datatypes as t

FORMAT = single_value_format("bytes", t.VARBINARY, bytes, bytes)
