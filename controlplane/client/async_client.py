"""The client for asyncio: the same calls, each in a thread of `asyncio.to_thread`, and events as an async iterator.

A cancelled call returns at once, and the thread of a call that waits ends within 0.1 s; a command that is being sent is
still sent. Each call uses a thread of the loop's default executor; for very many calls at once, give the loop a larger
executor.
"""

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self, TypeVar

from jobplane.controlplane.client.client import Client
from jobplane.controlplane.client.result import Result, Sent, Watch
from jobplane.controlplane.core.state import State
from jobplane.controlplane.listings.rows import Listing, Row
from jobplane.controlplane.log.events_tail import EventsTail
from jobplane.controlplane.log.events_topic import Entry
from jobplane.controlplane.query.newest_records import LAST
from jobplane.controlplane.settings import Settings
from jobplane.processors.kafka.judging import jobplane_errors
from jobplane.schemas.records.state import Job
from jobplane.sql.syntax import statements

if TYPE_CHECKING:
    from jobplane.controlplane.query.dead_letters import DeadLetter
    from jobplane.controlplane.query.dry_run import DryRun, Tryable

T = TypeVar("T")
READ_S = 0.1


class _Cancelled(Exception):
    """Ends the thread of a cancelled call."""


class AsyncClient:
    """A client of one control plane, with the methods, parameters and errors of `Client`."""

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
        await self.close()

    async def close(self) -> None:
        """Closes the connections to Kafka and the schema registry. A later call connects again."""
        await asyncio.to_thread(self._client.close)

    async def emit(
        self,
        sql: str,
        command_id: str = "",
        *,
        issued_by: str = "",
        reply_to: str = "",
        traceparent: str = "",
        after: str = "",
    ) -> Sent:
        """Append a command; return once Kafka has it. See Client.emit."""
        headers = {"issued_by": issued_by, "reply_to": reply_to, "traceparent": traceparent, "after": after}
        return await asyncio.to_thread(self._client.emit, sql, command_id, **headers)

    async def execute(
        self,
        sql: str,
        statement: statements.Statement | None = None,
        timeout: float = 60.0,
        watch: Watch = lambda text: None,
        *,
        command_id: str = "",
        issued_by: str = "",
        reply_to: str = "",
        traceparent: str = "",
        sent: Callable[[Sent], None] = lambda sent: None,
        look: bool = False,
    ) -> Result:
        """Append a command and wait for its outcome and its effect, at most `timeout` seconds. See Client.execute.

        `watch` and `sent` are called by the loop.
        """
        headers = {"command_id": command_id, "issued_by": issued_by, "reply_to": reply_to, "traceparent": traceparent}
        return await _await_thread(
            self._client.execute, sql, statement, timeout, _on_loop(watch), sent=_on_loop(sent), look=look, **headers
        )

    async def execute_all(
        self,
        texts: Sequence[str],
        parsed: Sequence[statements.Statement] | None = None,
        timeout: float = 60.0,
        watch: Watch = lambda text: None,
        *,
        issued_by: str = "",
        sent: Callable[[Sent], None] = lambda sent: None,
        done: Callable[[Result], None] = lambda result: None,
        look: bool = False,
    ) -> list[Result]:
        """Append CREATE JOB and CREATE MAPPING commands, and wait for all effects together. See Client.execute_all.

        `watch`, `sent` and `done` are called by the loop.
        """
        calls = {"sent": _on_loop(sent), "done": _on_loop(done)}
        return await _await_thread(
            self._client.execute_all, texts, parsed, timeout, _on_loop(watch), issued_by=issued_by, look=look, **calls
        )

    async def wait(self, command: Sent | str | int, timeout: float = 60.0, watch: Watch = lambda text: None) -> Result:
        """The outcome and the effect of a command on the log, within `timeout` seconds. See Client.wait."""
        return await _await_thread(self._client.wait, command, timeout, _on_loop(watch))

    async def read(self, statement: statements.ReadingStatement | str, *, last: int = LAST) -> Listing:
        """The answer to SHOW, DESCRIBE or EXPLAIN, from the current topics. See Client.read."""
        return await asyncio.to_thread(self._client.read, statement, last=last)

    async def show(self, statement: statements.ReadingStatement | str) -> list[Row]:
        """The rows of a SHOW or DESCRIBE."""
        return await asyncio.to_thread(self._client.show, statement)

    async def notices(self, sql: str) -> tuple[str, ...]:
        """The notices about a CREATE JOB or INSERT that is not refused. See Client.notices."""
        return await asyncio.to_thread(self._client.notices, sql)

    async def dry_run(self) -> "AsyncDryRun":
        """A dry run of CREATE JOB and INSERT on the newest records, with mappings of its own. See Client.dry_run."""
        return AsyncDryRun(await asyncio.to_thread(self._client.dry_run))

    async def dead_letters(self, job: str) -> "list[DeadLetter]":
        """The dead letters of the live job with this name, else of the newest ended job. Raises JobNotFound."""
        return await asyncio.to_thread(self._client.dead_letters, job)

    async def at_rest(self, uid: str, timeout: float = 60.0) -> Job | None:
        """The job once it has ended or is suspended; None after the timeout. Raises KeyError for an unknown uid."""
        return await _await_thread(self._client.at_rest, uid, timeout)

    async def retried(self, retry: Job) -> tuple[int, int]:
        """How many dead letters an ended retry has processed, and how many of them failed again."""
        return await asyncio.to_thread(self._client.retried, retry)

    async def state(self) -> State:
        """The current state of the control plane."""
        return await asyncio.to_thread(self._client.state)

    async def jobs(self) -> list[Row]:
        """The rows of SHOW JOBS. See Client.jobs."""
        return await asyncio.to_thread(self._client.jobs)

    async def snapshots(self) -> list[Row]:
        """The rows of SHOW SNAPSHOTS. See Client.snapshots."""
        return await asyncio.to_thread(self._client.snapshots)

    async def events(self, start: int | None = 0, *, follow: bool = False) -> AsyncGenerator[Entry, None]:
        """Events from an offset to the end of the log or, with `follow`, for ever. See Client.events."""
        tail = await asyncio.to_thread(self._client.tail, start)
        try:
            while follow or not tail.has_reached_end:
                for entry in await asyncio.to_thread(_read_batch, tail):
                    yield entry
        finally:
            await asyncio.to_thread(tail.close)


class AsyncDryRun:
    """A dry run for asyncio: the methods, parameters and errors of `DryRun`."""

    def __init__(self, attempt: "DryRun") -> None:
        self._attempt = attempt

    async def run(self, statement: "str | Tryable", last: int = LAST) -> Listing:
        """What a CREATE JOB or INSERT would write and refuse. See DryRun.run."""
        return await asyncio.to_thread(self._attempt.run, statement, last)

    async def notices(self, text: str) -> tuple[str, ...]:
        """The notices about a CREATE JOB or INSERT, from the newest records. See DryRun.notices."""
        return await asyncio.to_thread(self._attempt.notices, text)


@jobplane_errors()
def _read_batch(tail: EventsTail) -> list[Entry]:
    return tail.read(READ_S)


def _on_loop(callback: Callable[[T], None]) -> Callable[[T], None]:
    """Wraps a callback so that a thread calls it in the event loop."""
    loop = asyncio.get_running_loop()

    def call(value: T) -> None:
        loop.call_soon_threadsafe(callback, value)

    return call


async def _await_thread(call: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    """Awaits a call in a thread; if the coroutine is cancelled, the call is cancelled too."""
    cancelled = threading.Event()

    def alive() -> None:
        if cancelled.is_set():
            raise _Cancelled

    try:
        return await asyncio.to_thread(call, *args, alive=alive, **kwargs)
    finally:
        cancelled.set()
