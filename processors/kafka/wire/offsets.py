"""What a consumer group has committed, asked of its coordinator."""

from collections import defaultdict
from collections.abc import Collection
from typing import Any

from aiokafka.protocol.commit import OffsetFetchRequest_v3

from jobplane.processors.kafka.questions import At
from jobplane.processors.kafka.wire.producer import END_OF_METADATA, Refusal, ask_coordinator
from jobplane.processors.kafka.wire.wire import GROUP, Wire


async def committed_metadata(wire: Wire, group: str, partitions: Collection[At]) -> dict[At, str]:
    """The text that was committed with the offset of each partition; empty where none was.

    An offset of a transaction that has not ended is not waited for. Raises WireUnavailable, Doubt or a JobFailure.
    """
    topics: defaultdict[str, list[int]] = defaultdict(list)
    for topic, partition in partitions:
        topics[topic].append(partition)
    answer = await ask_coordinator(wire, GROUP, group, OffsetFetchRequest_v3(group, [*topics.items()]), _refusals)
    return {
        (topic, one[0]): (one[2] or "").removesuffix(END_OF_METADATA) for topic, found in answer.topics for one in found
    }


def _refusals(answer: Any) -> list[Refusal]:
    return [("", answer.error_code), *((topic, one[3]) for topic, found in answer.topics for one in found)]
