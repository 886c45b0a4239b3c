"""`json`: any one JSON value."""

from dataclasses import replace

import msgspec

from jobplane.schemas.failures import BadRecord, Unreadable
from jobplane.schemas.formats import JSON
from jobplane.schemas.formats.json.second_look import with_second_look
from jobplane.schemas.formats.single_value import single_value_format
from jobplane.schemas.msgspec_types import json_decoder
from jobplane.schemas.types import datatypes as t
from jobplane.schemas.types.json_text import describe_malformed

_decode = with_second_look(json_decoder(msgspec.Raw).decode)


def read_json(data: bytes) -> msgspec.Raw | None:
    """None for JSON's null. Raises BadRecord."""
    try:
        value = _decode(data)
        if not data.isascii():
            data.decode()  # msgspec passes over what is inside strings
    except msgspec.DecodeError as bad:
        raise BadRecord(f"not JSON: {describe_malformed(bad)}") from None
    except UnicodeDecodeError as bad:
        raise BadRecord(f"not JSON: byte {bad.start} is not UTF-8 text") from None
    except RecursionError:
        raise BadRecord("the JSON value is nested too deep to be read") from None
    return None if bytes(value) == b"null" else value


def _read(data: bytes) -> msgspec.Raw | None:
    try:
        return read_json(data)
    except BadRecord as bad:
        raise Unreadable(bad.message, JSON) from None


FORMAT = replace(single_value_format("json", t.JSON, _read, bytes), self_describing=True)
