"""Fetches chunks by their offsets, many at a time: nothing else of a state topic is ever read.

A committed checkpoint has named them, so they are committed. They are read as if they were not: a transaction of a
neighbour, which may be open before them, hides nothing then.
"""

import asyncio
from collections.abc import Callable, Iterable

from jobplane.processors.kafka.control_topics import STATE_PARTITION
from jobplane.processors.kafka.wire.batches import NotUnderstood, passage, records_of
from jobplane.processors.kafka.wire.requests import FETCH, FETCH_VERSION, fetch, fetched
from jobplane.processors.kafka.wire.settings import WireUnavailable
from jobplane.processors.kafka.wire.wire import Wire, check
from jobplane.processors.state.chunks import UnknownState, chunk_key, decode_chunk
from jobplane.processors.state.manifest import ChunkPlace, Manifest, SavedPartition
from jobplane.processors.task.context import TaskServices
from jobplane.schemas.failures import CheckpointLost
from jobplane.sql.runtime.groups_chunks import Chunk

AT_ONCE, WAIT_S = 8, 10.0
"""Chunks that are asked for at the same time, and how long they may take."""
_LAST = 2**63 - 1
Record = tuple[bytes | None, bytes | None]


def fetch_chunks(
    services: TaskServices, manifest: Manifest, take: Callable[[Chunk], None], alive: Callable[[], None]
) -> None:
    """Gives the chunks of a manifest, those of a span in the order in which they were written.

    Raises CheckpointLost where one is gone, or is not what it was, and Doubt.
    """
    wanted = [(one, place) for one in manifest.partitions for place in one.chunks]
    known: dict[int, Record] = {}  # of the batches read last: small chunks are many in one
    for at in range(0, len(wanted), AT_ONCE):
        alive()
        some = wanted[at : at + AT_ONCE]
        missing = [place.offset for _, place in some if place.offset not in known]
        if missing:
            had = {place.offset: known[place.offset] for _, place in some if place.offset in known}
            known = had | _records(services, manifest.topic, missing)
        for one, place in some:
            take(_chunk(manifest.topic, one, place, known.get(place.offset, (None, None))))


def _chunk(topic: str, one: SavedPartition, place: ChunkPlace, record: Record) -> Chunk:
    key, value = chunk_key(one.at, place.number), record[1]
    if record[0] != key.encode() or value is None:
        raise CheckpointLost(f"the chunk {key} of the job's state is gone from '{topic}' at offset {place.offset}")
    try:
        return decode_chunk(one.at, value)
    except UnknownState as bad:
        raise CheckpointLost(f"the chunk {key} of the job's state cannot be read: {bad}") from bad


def _records(services: TaskServices, topic: str, offsets: Iterable[int]) -> dict[int, Record]:
    """The records at these offsets, but for those that are gone, and others that lie in their batches."""
    offsets = list(offsets)
    try:
        return services.wire.run(_all(services.wire, topic, offsets)).result(WAIT_S)
    except (WireUnavailable, NotUnderstood, TimeoutError):
        return {offset: services.records.record_at(topic, STATE_PARTITION, offset) for offset in offsets}


async def _all(wire: Wire, topic: str, offsets: Iterable[int]) -> dict[int, Record]:
    found = await asyncio.gather(*(_from(wire, topic, offset) for offset in offsets))
    return {offset: record for some in found for offset, record in some.items()}


async def _from(wire: Wire, topic: str, offset: int) -> dict[int, Record]:
    """The records of a batch from an offset on."""
    lane = await wire.lane(await wire.leader(topic, STATE_PARTITION))
    body = fetch(topic, {STATE_PARTITION: offset}, 0, 1, 1, committed=False)  # a batch, at least
    answer = await lane.send(FETCH, FETCH_VERSION, body)
    partitions, code, _ = fetched(answer)
    check(code)
    one = partitions[STATE_PARTITION]
    check(one.code, topic)
    lying = passage(one.records, offset, _LAST, one.aborted)
    return {record.offset: (record.key, record.value) for batch in lying.batches for record in records_of(batch)}
