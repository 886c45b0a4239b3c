"""The door of this room: one event loop in a thread of its own, and the connections to each broker.

A broker answers the requests of one connection one by one. So a connection that many wait for gets company, up to
LANES; whoever needs answers in order, or waits long at the broker, opens one of its own.
"""

import asyncio
import threading
import time
from collections import defaultdict
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from aiokafka.conn import collect_hosts
from aiokafka.protocol.coordination import FindCoordinatorRequest_v1
from aiokafka.protocol.metadata import MetadataRequest_v5
from confluent_kafka import KafkaError

from jobplane.processors.kafka.answers import Doubt, NoAnswer
from jobplane.processors.kafka.cluster import CALL_S, Kafka
from jobplane.processors.kafka.error_words import in_words
from jobplane.processors.kafka.judging import judged
from jobplane.processors.kafka.wire.connection import Connection, connect
from jobplane.processors.kafka.wire.settings import connection_settings

if TYPE_CHECKING:
    from concurrent.futures import Future

LANES, CROWDED = 4, 4
"""Shared connections to one broker at most; with so many requests unanswered on each, another is opened."""
GROUP, TRANSACTION = 0, 1
"""What a coordinator is asked for: a consumer group, or a transactional id."""
PASSING = frozenset({14, 15, 16, 51})
"""Codes of refusals that pass: the coordinator loads, is away, has moved, or ends the transaction before."""
PASSES_S = 15.0
"""How long a refusal that passes is met with the same request again."""
_PAUSE_S = 0.05
_UNKNOWN_TOPIC = 3
T = TypeVar("T")


def check(code: int, topic: str = "") -> None:
    """Raises what an error code of a broker means: Fenced, Doubt or a JobFailure.

    That a topic is unknown is Doubt: a broker that has just come back may not know it yet. Who asks for the topic's id
    finds out.
    """
    if code == _UNKNOWN_TOPIC:
        raise Doubt(in_words("UNKNOWN_TOPIC_OR_PART"))
    if code:
        raise judged(KafkaError(code), topic)


class Wire:
    """Raw requests to one cluster. Costs nothing until first used; `run` and `close` may be called by any thread.

    Everything else is for coroutines that `run` runs. They raise WireUnavailable where the cluster's properties or
    versions are such that raw requests cannot be used, and Doubt where a broker does not answer.
    """

    def __init__(self, kafka: Kafka) -> None:
        self._kafka = kafka
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._settings: dict[str, Any] = {}
        self._addresses: dict[int, tuple[str, int]] = {}
        self._leaders: dict[str, dict[int, int]] = {}
        self._coordinators: dict[tuple[int, str], int] = {}
        self._lanes: defaultdict[int, list[Connection]] = defaultdict(list)
        self._own: set[Connection] = set()
        self._asking: defaultdict[object, asyncio.Lock] = defaultdict(asyncio.Lock)

    def run(self, coroutine: Coroutine[Any, Any, T]) -> "Future[T]":
        """Starts a coroutine in the loop's thread. To cancel the future cancels it.

        If it ends in Doubt, a broker may have lost its place: leaders and coordinators are asked for again.
        """
        with self._lock:
            if self._loop is None:
                self._loop, self._asking = asyncio.new_event_loop(), defaultdict(asyncio.Lock)
                self._thread = threading.Thread(target=self._loop.run_forever, name="wire", daemon=True)
                self._thread.start()
            return asyncio.run_coroutine_threadsafe(self._forget_after_doubt(coroutine), self._loop)

    async def _forget_after_doubt(self, coroutine: Coroutine[Any, Any, T]) -> T:
        try:
            return await coroutine
        except Doubt:
            self.forget()
            raise

    def close(self) -> None:
        """Closes all connections and ends the thread. Whoever waits for an answer gets Doubt."""
        with self._lock:
            if self._loop is None or self._thread is None:
                return
            asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(CALL_S)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(CALL_S)
            self._loop.close()
            self._loop = self._thread = None

    async def _end(self) -> None:
        for one in [*self._own, *(lane for lanes in self._lanes.values() for lane in lanes)]:
            one.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        await asyncio.sleep(0)

    async def leader(self, topic: str, partition: int) -> int:
        """The broker that leads a partition."""
        if partition not in self._leaders.get(topic, ()):
            async with self._asking[topic]:
                if partition not in self._leaders.get(topic, ()):
                    await self._ask_metadata(topic)
        node = self._leaders[topic].get(partition, -1)
        if node < 0:
            raise Doubt(f"{topic}-{partition} has no leader")
        return node

    async def coordinator(self, kind: int, key: str) -> int:
        """The broker that coordinates a group or a transactional id.

        Of a cluster of one broker only the first of a kind is asked for: the question creates the topic behind it.
        """
        if not self._addresses or not any(kind == one for one, _ in self._coordinators):
            async with self._asking[kind, ""]:
                if not self._addresses:
                    await self._ask_metadata()
                if not any(kind == one for one, _ in self._coordinators):
                    await self._ask_coordinator(kind, key)
        if len(self._addresses) == 1:
            return next(iter(self._addresses))
        if (kind, key) not in self._coordinators:
            await self._ask_coordinator(kind, key)
        return self._coordinators[kind, key]

    async def _ask_coordinator(self, kind: int, key: str) -> None:
        deadline = time.monotonic() + PASSES_S
        while True:
            answer = await (await self.lane()).ask(FindCoordinatorRequest_v1(key, kind))
            if answer.error_code not in PASSING or time.monotonic() > deadline:
                check(answer.error_code)
                self._coordinators[kind, key] = answer.coordinator_id
                return
            await asyncio.sleep(_PAUSE_S)

    def forget(self) -> None:
        """Brokers, leaders and coordinators are asked for again: called after a refusal or an error."""
        self._addresses.clear()
        self._leaders.clear()
        self._coordinators.clear()

    async def lane(self, node: int = -1) -> Connection:
        """A connection that is shared with others; to any broker without a `node`."""
        lanes = self._lanes[node]
        best = min(lanes, key=lambda lane: lane.pending, default=None)
        if best is None or (best.pending >= CROWDED and len(lanes) < LANES):
            async with self._asking[node]:
                if len(lanes) < LANES and all(lane.pending >= CROWDED for lane in lanes):
                    lanes.append(await self._connect(node, lanes.remove))
            best = min(lanes, key=lambda lane: lane.pending, default=None)
        if best is None:
            raise Doubt("the connection is closed")
        return best

    async def open(self, node: int) -> Connection:
        """A connection for the caller alone, who closes it."""
        made = await self._connect(node, self._own.discard)
        self._own.add(made)
        return made

    async def _connect(self, node: int, remove: Any) -> Connection:
        if not self._settings:
            self._settings = connection_settings(self._kafka.properties)
        if node >= 0 and node not in self._addresses:
            await self._ask_metadata()
        doubt = Doubt("the cluster has no brokers")
        for host, port in [self._addresses[node]] if node in self._addresses else self._bootstrap():
            try:
                return await connect(host, port, self._settings, lambda lost: self._lost(lost, remove), CALL_S)
            except Doubt as error:
                doubt = error
        self.forget()
        raise doubt

    def _bootstrap(self) -> list[tuple[str, int]]:
        return [(host, port) for host, port, _ in collect_hosts(self._kafka.config()["bootstrap.servers"])]

    def _lost(self, connection: Connection, remove: Any) -> None:
        self.forget()
        remove(connection)

    async def _ask_metadata(self, *topics: str) -> None:
        answer = await (await self.lane()).ask(MetadataRequest_v5(list(topics), False))
        if not answer.brokers:
            raise NoAnswer("the broker answered that the cluster has no brokers")
        self._addresses = {node: (host, port) for node, host, port, _ in answer.brokers}
        for code, topic, _, partitions in answer.topics:
            check(code, topic)
            self._leaders[topic] = {partition: leader for _, partition, leader, *_ in partitions}
