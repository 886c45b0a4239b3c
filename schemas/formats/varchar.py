"""`varchar`: text in UTF-8, as Java's StringSerializer writes it."""

from jobplane.schemas.failures import Unreadable
from jobplane.schemas.formats.single_value import single_value_format
from jobplane.schemas.types import datatypes as t


def _decode(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as bad:
        raise Unreadable(f"byte {bad.start} is not UTF-8 text", "varchar") from None


FORMAT = single_value_format("varchar", t.VARCHAR, _decode, str.encode)
