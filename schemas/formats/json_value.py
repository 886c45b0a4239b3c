"""`json`: any one JSON value."""

import msgspec

from schemas import datatypes as t
from schemas.failures import BadRecord
from schemas.formats.whole import whole_format

_decode = msgspec.json.Decoder(msgspec.Raw).decode


def _read(data: bytes) -> msgspec.Raw | None:
    try:
        value = _decode(data)
    except msgspec.DecodeError as bad:
        raise BadRecord(f"not JSON: {str(bad).removeprefix('JSON is malformed: ')}") from None
    return None if bytes(value) == b"null" else value


FORMAT = whole_format("json", t.JSON, _read, bytes)
