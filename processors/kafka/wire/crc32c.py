"""The checksum of a record batch after a change to its header, without a look at its records.

CRC-32C is linear: the checksums of two texts of one length differ by what the difference of the texts gives, moved
behind the bytes that follow. So a batch that is damaged stays damaged: its checksum does not fit afterwards either, and
the broker that it is sent to refuses it.
"""

from functools import cache

from aiokafka.record.util import calc_crc32c

_POLYNOMIAL = 0x82F63B78
_Tables = tuple[list[int], list[int], list[int], list[int]]


def checksum(data: bytes | bytearray | memoryview) -> int:
    """CRC-32C."""
    return int(calc_crc32c(data))


def changed_checksum(before: int, old: bytes, new: bytes, following: int) -> int:
    """The checksum of a text in which `new` stands in place of `old`, at its beginning, before `following` bytes.

    `before` is the checksum of the text so far; `old` and `new` are of one length.
    """
    return before ^ _behind(checksum(old) ^ checksum(new), following)


def _behind(crc: int, zeros: int) -> int:
    """What a difference of checksums becomes when so many zero bytes follow."""
    power = 0
    while zeros:
        if digit := zeros & 15:
            t0, t1, t2, t3 = _tables(power, digit)
            crc = t0[crc & 255] ^ t1[crc >> 8 & 255] ^ t2[crc >> 16 & 255] ^ t3[crc >> 24]
        zeros >>= 4
        power += 4
    return crc


@cache
def _tables(power: int, digit: int) -> _Tables:
    """What `digit` times 2 ** power zero bytes, with a digit below 16, make of each byte of a checksum."""
    bits = [1 << bit for bit in range(32)]
    for one in range(4):
        if digit >> one & 1:
            bits = [_times(_matrix(power + one), bit) for bit in bits]
    tables = []
    for byte in range(4):
        table = [0] * 256
        for value in range(1, 256):
            low = value & -value
            table[value] = table[value ^ low] ^ bits[8 * byte + low.bit_length() - 1]
        tables.append(table)
    return tables[0], tables[1], tables[2], tables[3]


@cache
def _matrix(power: int) -> tuple[int, ...]:
    """What 2 ** power zero bytes make of each bit of a checksum."""
    if power:
        half = _matrix(power - 1)
        return tuple(_times(half, one) for one in half)
    return tuple(_one_zero_byte(1 << bit) for bit in range(32))


def _one_zero_byte(crc: int) -> int:
    for _ in range(8):
        crc = crc >> 1 ^ (_POLYNOMIAL if crc & 1 else 0)
    return crc


def _times(matrix: tuple[int, ...], vector: int) -> int:
    product = 0
    for bit, one in enumerate(matrix):
        if vector >> bit & 1:
            product ^= one
    return product
