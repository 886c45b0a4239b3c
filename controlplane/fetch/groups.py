"""Asks the coordinators of consumer groups, with the Kafka client that Faust uses.

librdkafka's own calls to a coordinator crash the process if the coordinator goes away at the wrong moment
(librdkafka issue 4605, open): a worker must outlive a broker.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from aiokafka.errors import KafkaError, for_code
from aiokafka.protocol.admin import DeleteGroupsRequest

from jobplane.controlplane.settings import Settings
from jobplane.controlplane.wait_limit import Say, WaitLimit, say_nothing
from jobplane.processors.kafka.cluster import CALL_S, Doubt
from jobplane.processors.kafka.security import security

LOG = logging.getLogger("jobplane.groups")
T = TypeVar("T")
COORDINATOR_S = 120.0
"""On a machine under heavy load Kafka takes long to create the topic `__consumer_offsets`."""
DROP_S = 1.0
_NOTHING_TO_DELETE = frozenset({"GroupIdNotFound", "NonEmptyGroup"})


class Groups:
    """Not thread-safe. Every method raises Doubt if no answer arrives within 5 s."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._loop = asyncio.new_event_loop()
        self._admin: AIOKafkaAdminClient | None = None
        self._coordinators: dict[str, int] = {}
        """Of groups that were asked about: a client that fails is dropped, and what it knew with it."""

    def members(self, group: str) -> dict[str, set[tuple[str, int]]]:
        """The partitions of each member now, by client id."""

        async def ask(admin: AIOKafkaAdminClient) -> dict[str, set[tuple[str, int]]]:
            if group not in self._coordinators:
                self._coordinators[group] = await admin.find_coordinator(group)
            described = (await admin.describe_consumer_groups([group], self._coordinators[group]))[0].groups[0]
            _raise_for(described[0])
            return {member[-4]: _partitions_of(member[-1]) for member in described[5]}

        return self._call(ask)

    def await_coordinator(self, group: str, say: Say = say_nothing) -> None:
        """Waits until the coordinator answers; on a new cluster the question creates it. Raises Doubt after 120 s."""
        wait_limit = WaitLimit(COORDINATOR_S, say)
        answered = False
        while not answered:
            try:
                self.members(group)
                answered = True
            except Doubt:
                if wait_limit.has_passed(f"Kafka does not say who coordinates the group '{group}'"):
                    raise
                time.sleep(0.1)

    def delete(self, group: str) -> None:
        """Deletes a group with its offsets; does nothing if the group does not exist or is in use."""

        async def ask(admin: AIOKafkaAdminClient) -> None:
            node = await admin.find_coordinator(group)
            answer = await admin._send_request(DeleteGroupsRequest([group]), node)
            _raise_for(answer.results[0][1])

        self._call(ask)

    def close(self) -> None:
        self._drop()
        self._loop.close()

    def _call(self, ask: Callable[[AIOKafkaAdminClient], Awaitable[T]]) -> T:
        async def asked() -> T:
            if self._admin is None:
                self._admin = AIOKafkaAdminClient(
                    bootstrap_servers=self._settings.bootstrap.split(","),
                    request_timeout_ms=int(CALL_S * 1000),
                    **security(self._settings.kafka),
                )
                await self._admin.start()
            return await ask(self._admin)

        try:
            return self._loop.run_until_complete(asyncio.wait_for(asked(), CALL_S))
        except (KafkaError, TimeoutError, OSError) as error:
            self._drop()
            LOG.debug("the group coordinator: %s: %s", type(error).__name__, error)
            raise Doubt(f"the coordinator of a consumer group does not answer ({type(error).__name__})") from error

    def _drop(self) -> None:
        """Drops a client that has failed: it may remember a coordinator that has changed."""
        if self._admin is not None:
            with suppress(TimeoutError):
                self._loop.run_until_complete(asyncio.wait_for(self._admin.close(), DROP_S))
            self._admin = None
            self._coordinators.clear()


def _partitions_of(assignment: bytes) -> set[tuple[str, int]]:
    if not assignment:
        return set()  # a member that is joining
    return {(at.topic, at.partition) for at in ConsumerProtocolMemberAssignment.decode(assignment).partitions()}


def _raise_for(code: int) -> None:
    if code and for_code(code).__name__ not in _NOTHING_TO_DELETE:
        raise for_code(code)
