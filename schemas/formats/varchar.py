"""`varchar`: text in UTF-8, as Java's StringSerializer writes it."""

from schemas import datatypes as t
from schemas.failures import Unreadable
from schemas.formats.whole import whole_format


def _decode(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as bad:
        raise Unreadable(f"byte {bad.start} is not UTF-8 text", "varchar") from None


FORMAT = whole_format("varchar", t.VARCHAR, _decode, str.encode)
