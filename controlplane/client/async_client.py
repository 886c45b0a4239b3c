"""The client for asyncio: the same calls, each in a thread of `asyncio.to_thread`, and events as an async iterator.

Cancelled, a call lets go at once, and its thread stops waiting within a tenth of a second; a command that is being sent
is sent all the same. A call holds a thread of the loop's default executor; for very many at once, give it a larger one.
"""

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Any, Self, TypeVar

from jobplane.controlplane.client.client import Client, Result, Sent
from jobplane.controlplane.listings.rows import Row
from jobplane.controlplane.log.events_topic import Entry
from jobplane.controlplane.settings import Settings

T = TypeVar("T")
READ_S = 0.1


class _Cancelled(Exception):
    """Ends the thread of a call that nobody awaits any more."""


class AsyncClient:
    """One control plane, as seen from anywhere; raises what `Client` raises."""

    def __init__(
        self,
        settings: Settings | str = "127.0.0.1:9092",
        prefix: str = "jobplane.",
        kafka: Mapping[str, str] | None = None,
        *,
        issued_by: str = "",
    ) -> None:
        """Settings, or Kafka's address with the control plane's prefix and properties for librdkafka. See Client."""
        self._client = Client(settings, prefix, kafka, issued_by=issued_by)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._client.close()

    async def emit(
        self, sql: str, command_id: str = "", *, issued_by: str = "", reply_to: str = "", traceparent: str = ""
    ) -> Sent:
        """Append a command; return once Kafka has it. See Client.emit."""
        said = {"issued_by": issued_by, "reply_to": reply_to, "traceparent": traceparent}
        return await asyncio.to_thread(self._client.emit, sql, command_id, **said)

    async def execute(
        self,
        sql: str,
        *,
        command_id: str = "",
        issued_by: str = "",
        reply_to: str = "",
        traceparent: str = "",
        timeout: float = 60.0,
    ) -> Result:
        """Append a command and wait for its outcome and its effect, at most `timeout` seconds. See Client.execute."""
        said = {"command_id": command_id, "issued_by": issued_by, "reply_to": reply_to, "traceparent": traceparent}
        return await _awaited(self._client.execute, sql, timeout=timeout, **said)

    async def wait(self, command: Sent | str | int, *, timeout: float = 60.0) -> Result:
        """The outcome and the effect of a command on the log, within `timeout` seconds. See Client.wait."""
        return await _awaited(self._client.wait, command, timeout=timeout)

    async def jobs(self) -> list[Row]:
        """The rows of SHOW JOBS."""
        return await asyncio.to_thread(self._client.jobs)

    async def snapshots(self) -> list[Row]:
        """The rows of SHOW SNAPSHOTS."""
        return await asyncio.to_thread(self._client.snapshots)

    async def events(self, start: int | None = 0, *, follow: bool = False) -> AsyncGenerator[Entry, None]:
        """What happened, from an offset of the events log on, to its end or, with `follow`, for ever."""
        tail = await asyncio.to_thread(self._client.tail, start)
        try:
            while follow or not tail.at_end:
                for entry in await asyncio.to_thread(tail.read, READ_S):
                    yield entry
        finally:
            await asyncio.to_thread(tail.close)


async def _awaited(call: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    """What a call that waits gives; when this is cancelled, so is that."""
    cancelled = threading.Event()

    def alive() -> None:
        if cancelled.is_set():
            raise _Cancelled

    try:
        return await asyncio.to_thread(call, *args, alive=alive, **kwargs)
    finally:
        cancelled.set()
