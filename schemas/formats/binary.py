"""`bytes`: anything, as it is."""

from schemas import datatypes as t
from schemas.formats.whole import whole_format

FORMAT = whole_format("bytes", t.VARBINARY, bytes, bytes)
