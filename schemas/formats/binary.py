"""`bytes`: anything, as it is."""

from jobplane.schemas.formats.single_value import whole_format
from jobplane.schemas.types import datatypes as t

FORMAT = whole_format("bytes", t.VARBINARY, bytes, bytes)
