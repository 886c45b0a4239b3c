"""Functions of bytes: digests, and bytes as text. Text counts as its UTF-8."""

import hashlib
import zlib
from base64 import b64encode
from binascii import a2b_base64, unhexlify
from decimal import Decimal
from typing import Annotated

from jobplane.schemas.shown import show_value
from jobplane.schemas.types.datatypes import MAX_PRECISION
from jobplane.schemas.types.decimals import EXACT, fit_decimal
from jobplane.schemas.types.json_text import ENCODER
from jobplane.sql.functions.signature import ConstantCheck, Scale, sql


@sql("MD5")
def md5_of_text(text: str) -> str:
    """The MD5 digest of a text in UTF-8, in hexadecimal digits."""
    return md5(text.encode())


@sql()
def md5(data: bytes) -> str:
    """The MD5 digest of bytes, in hexadecimal digits."""
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


@sql("SHA1")
def sha1_of_text(text: str) -> str:
    """The SHA-1 digest of a text in UTF-8, in hexadecimal digits."""
    return sha1(text.encode())


@sql()
def sha1(data: bytes) -> str:
    """The SHA-1 digest of bytes, in hexadecimal digits."""
    return hashlib.sha1(data, usedforsecurity=False).hexdigest()


@sql("SHA256")
def sha256_of_text(text: str) -> str:
    """The SHA-256 digest of a text in UTF-8, in hexadecimal digits."""
    return sha256(text.encode())


@sql()
def sha256(data: bytes) -> str:
    """The SHA-256 digest of bytes, in hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


@sql("SHA512")
def sha512_of_text(text: str) -> str:
    """The SHA-512 digest of a text in UTF-8, in hexadecimal digits."""
    return sha512(text.encode())


@sql()
def sha512(data: bytes) -> str:
    """The SHA-512 digest of bytes, in hexadecimal digits."""
    return hashlib.sha512(data).hexdigest()


@sql("CRC32")
def crc32_of_text(text: str) -> int:
    """The CRC-32 checksum of a text in UTF-8, from 0 to 4294967295."""
    return zlib.crc32(text.encode())


@sql()
def crc32(data: bytes) -> int:
    """The CRC-32 checksum of bytes, from 0 to 4294967295."""
    return zlib.crc32(data)


@sql()
def to_base64(data: bytes) -> str:
    """Bytes as Base64."""
    return b64encode(data).decode()


@sql()
def from_base64(text: str) -> bytes:
    """The bytes of a text of Base64."""
    try:
        return a2b_base64(text, strict_mode=True)
    except ValueError:
        raise ValueError(f"{show_value(text)} is not Base64, which is written like 'aGVsbG8='") from None


def _digits(scale: int) -> int:
    if not 0 <= scale <= MAX_PRECISION:
        raise ValueError(f"a DECIMAL has 0 to {MAX_PRECISION} digits after the point, not {scale}")
    return scale


Digits = Annotated[int, Scale(), ConstantCheck(_digits)]


@sql("DECIMAL_FROM_BYTES")
def decimal_from_base64(value: str, scale: Digits) -> Decimal:
    """The number of a text of Base64 as Debezium writes decimals, with its scale, a constant."""
    return decimal_from_bytes(from_base64(value), scale)


@sql()
def decimal_from_bytes(value: bytes, scale: Digits) -> Decimal:
    """The decimal with this scale, a constant, whose digits are a big-endian whole number in two's complement."""
    return rescaled_from_bytes(value, scale, scale)


@sql("DECIMAL_FROM_BYTES")
def rescaled_from_base64(value: str, scale: int, digits: Digits) -> Decimal:
    """The same where each record has a scale of its own, rounded to a number of digits after the point."""
    return rescaled_from_bytes(from_base64(value), scale, digits)


@sql("DECIMAL_FROM_BYTES")
def rescaled_from_bytes(value: bytes, scale: int, digits: Digits) -> Decimal:
    """The same of bytes where each record has a scale of its own, rounded to a number of digits after the point."""
    if not value:
        raise ValueError("DECIMAL_FROM_BYTES of no bytes, which are not a number")
    number = int.from_bytes(value, "big", signed=True)
    if abs(number) >= 10**MAX_PRECISION:
        raise ValueError(f"DECIMAL_FROM_BYTES of a number of {number.bit_length()} bits; a DECIMAL has 38 digits")
    return fit_decimal(Decimal(number).scaleb(-scale, EXACT), MAX_PRECISION, _digits(digits))


@sql()
def to_hex(data: bytes) -> str:
    """Bytes as hexadecimal digits."""
    return data.hex()


@sql()
def from_hex(text: str) -> bytes:
    """The bytes of a text of hexadecimal digits, two for each."""
    try:
        return unhexlify(text)
    except ValueError:
        raise ValueError(f"{show_value(text)} is not hexadecimal, which is written like '00ff'") from None


@sql()
def to_utf8(text: str) -> bytes:
    """A text in UTF-8."""
    return text.encode()


@sql()
def from_utf8(data: bytes) -> str:
    """The text of bytes in UTF-8."""
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"{show_value(data)} is not UTF-8: byte {error.start} does not fit") from None


@sql()
def uuid_from(*values: object | None) -> str:
    """A UUID computed from the values: the same values always give the same UUID."""
    digest = bytearray(hashlib.sha256(ENCODER.encode(list(values))).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x80  # version 8: by a rule of one's own (RFC 9562)
    digest[8] = digest[8] & 0x3F | 0x80
    text = digest.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
