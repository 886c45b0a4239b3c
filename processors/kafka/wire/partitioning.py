"""To which partition a record goes: as `murmur2_random` of librdkafka and the Java client's partitioner say."""

import random

from aiokafka.partitioner import murmur2


def partition_of(key: bytes | None, partitions: int) -> int:
    """By the key; any partition without one."""
    hashed = random.getrandbits(31) if key is None else murmur2(key) & 0x7FFFFFFF
    return int(hashed) % partitions
