"""One connection to a broker: aiokafka connects it, with TLS and SASL, then requests go over it here.

Requests leave in the order in which they are asked; their answers come in that order. After any error the connection
is closed, and every request without an answer raises Doubt: the broker may have done it, or not.
"""

import asyncio
import itertools
import socket
import ssl
import struct
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from typing import Any

from aiokafka.conn import AIOKafkaConnection, create_conn
from aiokafka.errors import AuthenticationFailedError, KafkaError, SaslAuthenticationFailed

from jobplane.processors.kafka.answers import Doubt
from jobplane.processors.kafka.error_words import in_words
from jobplane.processors.kafka.wire.settings import WireUnavailable

ANSWER_S = 10.0
"""A broker that leaves a request unanswered for so long is not asked anything else over this connection."""
_WATCH_S = 1.0
_INBOX = 1 << 16
"""Answers up to this many bytes are read together; a larger one is read into a buffer of its own."""
_CHUNK = 1 << 20
"""A large answer is read in such parts, or larger ones: each wakes the loop."""
_JOINED = 1 << 14
"""Parts of a request with up to so many bytes are sent together; larger ones are not copied."""
_SIZE, _HEAD = struct.Struct(">i"), struct.Struct(">ihhih")
Sent = tuple[int, "asyncio.Future[memoryview]", float]


class Connection(asyncio.BufferedProtocol):
    """Made by `connect`, used by the event loop's thread only. `lost` says why it is closed; empty while it is open."""

    def __init__(self, handshake: AIOKafkaConnection, client_id: str, on_lost: Callable[["Connection"], None]) -> None:
        self.lost = ""
        self._handshake, self._on_lost = handshake, on_lost
        self._versions: dict[int, tuple[int, int]] = handshake._versions
        self._client_id = client_id.encode()
        self._ids = itertools.count(1)
        self._pending: deque[Sent] = deque()
        self._watch: asyncio.TimerHandle | None = None
        self._inbox, self._filled = bytearray(_INBOX), 0
        self._large, self._read = bytearray(), 0
        self._outbox: deque[bytes | bytearray | memoryview] = deque()
        self._is_full = False
        handshake._read_task.cancel()  # from here on the answers are read below
        self._transport: asyncio.Transport = handshake._writer.transport
        self._transport.set_protocol(self)
        self._transport.set_write_buffer_limits(_JOINED, 0)  # what is large waits here, and is not copied
        self._transport.resume_reading()
        is_plain = self._transport.get_extra_info("ssl_object") is None
        self._socket = self._transport.get_extra_info("socket") if is_plain else None

    @property
    def pending(self) -> int:
        """Requests without an answer yet."""
        return len(self._pending)

    def require(self, api: int, version: int) -> None:
        """Raises WireUnavailable where the broker does not know this version of a request."""
        least, most = self._versions.get(api, (0, -1))
        if not least <= version <= most:
            raise WireUnavailable(f"the broker does not know request {api} in version {version}")

    async def ask(self, request: Any) -> Any:
        """The answer to a request struct of aiokafka."""
        frame = await self.send(request.API_KEY, request.API_VERSION, request.encode())
        return request.RESPONSE_TYPE.decode(BytesIO(frame))

    def send(self, api: int, version: int, *parts: bytes | bytearray | memoryview) -> "asyncio.Future[memoryview]":
        """Sends a request whose body is `parts`; the future has the body of the answer, or Doubt.

        Only versions whose headers have no tagged fields. Raises WireUnavailable as `require`.
        """
        self.require(api, version)
        answer: asyncio.Future[memoryview] = asyncio.get_running_loop().create_future()
        if self.lost:
            answer.set_exception(Doubt(self.lost))
            return answer
        number = next(self._ids) & 0x7FFFFFFF
        size = 10 + len(self._client_id) + sum(map(len, parts))
        head = _HEAD.pack(size, api, version, number, len(self._client_id)) + self._client_id
        self._pending.append((number, answer, time.monotonic() + ANSWER_S))
        for is_large, group in itertools.groupby((head, *parts), lambda part: len(part) > _JOINED):
            some = [*group]
            self._outbox.extend(some if is_large else [b"".join(some)])
        self._write()
        if self._watch is None:
            self._watch = asyncio.get_running_loop().call_later(_WATCH_S, self._look)
        return answer

    def _write(self) -> None:
        while self._outbox and not self._is_full:
            self._transport.write(self._outbox.popleft())

    def pause_writing(self) -> None:
        """asyncio's word that the socket takes no more for now."""
        self._is_full = True

    def resume_writing(self) -> None:
        """asyncio's word that the socket takes more."""
        self._is_full = False
        self._write()

    def close(self, why: str = "the connection is closed") -> None:
        """Raises Doubt in whoever waits for an answer."""
        if self.lost:
            return
        self.lost = why
        if self._watch is not None:
            self._watch.cancel()
        self._transport.abort()
        self._handshake.close()
        for _, answer, _ in self._pending:
            if not answer.done():
                answer.set_exception(Doubt(why))
        self._pending.clear()
        self._outbox.clear()
        self._on_lost(self)

    def _look(self) -> None:
        self._watch = None
        if self._pending and time.monotonic() > self._pending[0][2]:
            self.close(in_words("REQUEST_TIMED_OUT"))
        elif self._pending:
            self._watch = asyncio.get_running_loop().call_later(_WATCH_S, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio's word that the connection has ended."""
        self.close(in_words("_TRANSPORT", str(exc or "")))

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where asyncio reads to."""
        if self._large:
            return memoryview(self._large)[self._read :]
        return memoryview(self._inbox)[self._filled :]

    def buffer_updated(self, nbytes: int) -> None:
        """Hands on the answers that are complete."""
        if self._large:
            self._read += nbytes
            if self._read == len(self._large):
                whole, self._large = self._large, bytearray()
                self._wake_at(1)
                self._answered(memoryview(whole))
            elif len(self._large) - self._read < _CHUNK:
                self._wake_at(len(self._large) - self._read)
            return
        self._filled += nbytes
        at, inbox = 0, memoryview(self._inbox)
        while self._filled - at >= 4:
            size = _SIZE.unpack_from(inbox, at)[0]
            end = at + 4 + size
            if end <= self._filled:
                self._answered(memoryview(bytearray(inbox[at + 4 : end])))
            elif 4 + size > _INBOX:
                self._large, self._read = bytearray(size), self._filled - at - 4
                self._large[: self._read] = inbox[at + 4 : self._filled]
                end = self._filled
                self._wake_at(min(size - self._read, _CHUNK))
            else:
                break
            at = end
        inbox[: self._filled - at] = bytes(inbox[at : self._filled])
        self._filled -= at

    def _wake_at(self, count: int) -> None:
        """Lets the kernel gather so many bytes before the loop wakes. Not with TLS, which adds bytes of its own."""
        if self._socket is not None:
            with suppress(OSError):  # only a hint
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, count)

    def _answered(self, frame: memoryview) -> None:
        if not self._pending or self._pending[0][0] != _SIZE.unpack_from(frame, 0)[0]:
            self.close(in_words("_BAD_MSG"))
            return
        _, answer, _ = self._pending.popleft()
        if not answer.done():
            answer.set_result(frame[4:])


async def connect(
    host: str, port: int, settings: dict[str, Any], on_lost: Callable[[Connection], None], timeout_s: float
) -> Connection:
    """Raises Doubt where the broker does not answer, or does not let us in."""
    try:
        made = await create_conn(host, port, request_timeout_ms=int(timeout_s * 1000), **settings)
    except (AuthenticationFailedError, SaslAuthenticationFailed) as error:
        raise Doubt(in_words("SASL_AUTHENTICATION_FAILED")) from error
    except ssl.SSLError as error:
        raise Doubt(in_words("_SSL", str(error))) from error
    except (KafkaError, OSError, TimeoutError) as error:
        raise Doubt(in_words("_TRANSPORT", str(error))) from error
    return Connection(made, settings["client_id"], on_lost)
