"""Ends transactions that Kafka has left open for ever.

A broker that is killed while a transaction ends, and whose cluster has no other, may forget the transaction's markers
when it comes back. Seen with Kafka 4.4.0: the coordinator's log says PrepareCommit, then CompleteCommit, and no
partition has a marker. Nobody who reads committed records gets past such a transaction. The next one of the same
producer ends it, with a marker of its own: a commit then commits records that nobody had read, and output is doubled.

So before an id is fenced, its owner looks whether records of its own are held back where it keeps its place. If so,
the coordinator is asked how it ended that transaction, and an empty one over the same partitions ends the same way.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jobplane.processors.kafka.abandoning import returns
from jobplane.processors.kafka.cluster import CALL_S, Doubt, Kafka
from jobplane.processors.kafka.control_topics import ControlTopics
from jobplane.processors.kafka.security import security
from jobplane.schemas.options import JobOptions, OnError
from jobplane.schemas.records.plans import keeps_state
from jobplane.schemas.records.tasks import Task

LOG = logging.getLogger("jobplane.hanging")
Alive = Callable[[], None]
AGAIN_S = 0.5
"""A transaction that is being ended is given this long, and looked at again."""
FINISH_S = 10.0
ENDED = {"CompleteCommit": True, "CompleteAbort": False, "Empty": True}
"""Whether the coordinator's last word was a commit. Empty: somebody fenced the id since; where its owner did so without
finishing, a commit is likelier, because an abort needs two deaths of the broker in a row."""
_PASSING = frozenset({14, 15, 16, 51})
"""Error codes that pass: the coordinator loads, is away or has moved, or the transaction before is being ended."""


@dataclass(frozen=True, slots=True)
class TransactionPlace:
    """Where an id writes: the partition it reads back, which keys in it are its own, and all partitions by topic.

    `group` is the consumer group whose offsets it commits, if it does.
    """

    topic: str
    partition: int
    is_own: Callable[[bytes], bool]
    written: Mapping[str, Sequence[int]]
    group: str = ""


def topics_written(task: Task, control: ControlTopics) -> list[str]:
    """The sinks, the topic of the state where there are groups, and that of the dead letters where there may be any."""
    options, stateful = JobOptions.of(task.options), keeps_state(task.plan)
    may_fail = options.on_error is OnError.DEAD_LETTER or (stateful and options.on_late is OnError.DEAD_LETTER)
    letters = [options.letters_topic(control.prefix)] if may_fail else []
    sinks = dict.fromkeys(sink.topic for sink in task.sinks)
    return [*sinks, *([control.job_state(task.uid)] if stateful else []), *letters]


def task_place(task: Task, control: ControlTopics, topics: Mapping[str, tuple[str, int]]) -> TransactionPlace:
    """Where a task writes; `topics` are (topic id, partitions) of those it writes to that are still there."""
    written: dict[str, Sequence[int]] = {name: range(count) for name, (_, count) in topics.items()}
    checkpoints, key = control.checkpoints, task.checkpoint_key.encode()
    written[checkpoints] = [task.partition]
    return TransactionPlace(
        checkpoints, task.partition, lambda found: found == key, written, control.job_group(task.uid)
    )


def end_hanging(kafka: Kafka, transactional_id: str, place: TransactionPlace, alive: Alive) -> None:
    """Ends the id's last transaction where Kafka left it open. Raises Doubt where the coordinator does not answer."""
    if not _held_back(kafka, place, alive):
        return
    state = _run(kafka, lambda client: _state(client, transactional_id))
    if state not in ENDED:
        return  # it is open, or being ended: to fence the id ends it
    time.sleep(AGAIN_S)
    if not _held_back(kafka, place, alive):
        return
    LOG.warning("the last transaction of %s hangs (%s): it is ended as %s", transactional_id, state, ENDED[state])
    _run(kafka, lambda client: _end(client, transactional_id, place, commit=ENDED[state]))


def _held_back(kafka: Kafka, place: TransactionPlace, alive: Alive) -> bool:
    """Whether the place has a record of the id's own that those who read committed records do not get to."""
    held_back = keys_held_back(kafka, place.topic, [place.partition], alive)
    return any(map(place.is_own, held_back.get(place.partition, ())))


def keys_held_back(kafka: Kafka, topic: str, partitions: Collection[int], alive: Alive) -> dict[int, list[bytes]]:
    """The keys of records that those who read committed records do not get to now, by partition, in their order.

    The first one of a partition is of the transaction that holds back the others.
    """
    places = [(topic, partition) for partition in partitions]
    stable = kafka.stable_offsets(places, alive)
    ends = kafka.last_offsets(places, alive)
    behind = {at: offset for at, offset in stable.items() if offset < ends[at]}
    if not behind:
        return {}
    consumer = kafka.consumer(f"{topic}.hanging", committed=False)
    try:
        keys = dict[int, list[bytes]]()
        for message in kafka.read_from(consumer, behind, alive):
            keys.setdefault(message.partition() or 0, []).append(message.key() or b"")
        return keys
    finally:
        returns(consumer.close, CALL_S)


def _run(kafka: Kafka, ask: Callable[[Any], Any]) -> Any:
    """What `ask` answers, of a client that is made for it. Raises Doubt where it fails or takes long."""
    from aiokafka.client import AIOKafkaClient
    from aiokafka.errors import KafkaError

    async def asked() -> Any:
        client = AIOKafkaClient(
            bootstrap_servers=kafka.bootstrap.split(","),
            request_timeout_ms=int(CALL_S * 1000),
            **security(kafka.properties),
        )
        try:
            await client.bootstrap()
            return await ask(client)
        finally:
            await client.close()

    try:
        return asyncio.run(asyncio.wait_for(asked(), FINISH_S))
    except (KafkaError, TimeoutError, OSError) as error:
        LOG.debug("the transaction coordinator: %s: %s", type(error).__name__, error)
        raise Doubt(f"the transaction coordinator does not answer ({type(error).__name__})") from error


async def _state(client: Any, transactional_id: str) -> str:
    """What the coordinator calls the id's last transaction; empty where it cannot say."""
    from aiokafka.errors import IncompatibleBrokerVersion

    from jobplane.processors.kafka.describe_transactions import DescribeTransactionsRequest

    try:
        answer = await _sent(client, transactional_id, DescribeTransactionsRequest([transactional_id]))
    except (IncompatibleBrokerVersion, NotImplementedError):
        return ""  # a broker before Kafka 3.0 cannot say
    error, _, state = answer.transaction_states[0][:3]
    _check(error)
    return str(state)


async def _end(client: Any, transactional_id: str, place: TransactionPlace, *, commit: bool) -> None:
    from aiokafka.protocol import transaction as requests

    async def send(request: Any) -> Any:
        return await _sent(client, transactional_id, request)

    made = await send(requests.InitProducerIdRequest(transactional_id, 60_000))
    _check(made.error_code)
    mine = (transactional_id, made.producer_id, made.producer_epoch)
    topics = [(topic, list(partitions)) for topic, partitions in place.written.items()]
    added = await send(requests.AddPartitionsToTxnRequest(*mine, topics))
    for _, partitions in added.errors:
        for _, error in partitions:
            _check(error)
    if place.group:
        _check((await send(requests.AddOffsetsToTxnRequest(*mine, place.group))).error_code)
    _check((await send(requests.EndTxnRequest(*mine, commit))).error_code)


async def _sent(client: Any, transactional_id: str, request: Any) -> Any:
    """The coordinator's answer, asked again while it is loading, or is ending the transaction before."""
    from aiokafka.client import ConnectionGroup, CoordinationType

    while True:
        node = await client.coordinator_lookup(CoordinationType.TRANSACTION, transactional_id)
        answer = await client.send(node, request, group=ConnectionGroup.COORDINATION)
        if not _PASSING.intersection(_codes(answer)):
            return answer
        await asyncio.sleep(0.1)


def _codes(answer: Any) -> list[int]:
    if hasattr(answer, "error_code"):
        return [answer.error_code]
    if hasattr(answer, "transaction_states"):
        return [one[0] for one in answer.transaction_states]
    return [error for _, partitions in answer.errors for _, error in partitions]


def _check(code: int) -> None:
    from aiokafka.errors import for_code

    if code:
        raise for_code(code)
