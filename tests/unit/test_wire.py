"""Raw requests: which properties they can be made with, and the bytes of those that carry records."""

import asyncio
import socket
import struct

import pytest
from aiokafka.protocol.fetch import FetchRequest_v11, FetchResponse_v11
from aiokafka.protocol.produce import ProduceRequest_v7, ProduceResponse_v7

from jobplane.processors.kafka.answers import Doubt
from jobplane.processors.kafka.cluster import Kafka
from jobplane.processors.kafka.wire.connection import ANSWER_S, Connection
from jobplane.processors.kafka.wire.requests import Fetched, Produced, fetch, fetched, produce, produced
from jobplane.processors.kafka.wire.settings import WireUnavailable, connection_settings
from jobplane.processors.kafka.wire.wire import Wire, check


def test_properties_become_arguments_of_a_connection() -> None:
    properties = {
        "security.protocol": "sasl_plaintext",
        "sasl.mechanisms": "SCRAM-SHA-512",
        "sasl.username": "u",
        "sasl.password": "p",
        "linger.ms": "7",
        "client.id": "me",
    }
    assert connection_settings(properties) == {
        "client_id": "me",
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "u",
        "sasl_plain_password": "p",
    }
    assert connection_settings({})["security_protocol"] == "PLAINTEXT"


@pytest.mark.parametrize(
    ("properties", "said"),
    [
        ({"ssl.ca.pem": "…"}, "ssl.ca.pem"),
        ({"enable.ssl.certificate.verification": "false"}, "enable.ssl.certificate.verification"),
        ({"security.protocol": "ssl", "ssl.ca.location": "/no/such/file"}, "ssl"),
        ({"security.protocol": "sasl_ssl", "sasl.mechanism": "OAUTHBEARER"}, "OAUTHBEARER"),
        ({"security.protocol": "sasl-ssl"}, "SASL-SSL"),
    ],
)
def test_what_a_connection_cannot_express_is_said(properties: dict[str, str], said: str) -> None:
    with pytest.raises(WireUnavailable, match=said):
        connection_settings(properties)


def test_produce_has_the_bytes_that_aiokafka_writes() -> None:
    body = produce("id", 1500, "t", {3: [b"one", b"two"], 0: [b""]})
    theirs = ProduceRequest_v7("id", -1, 1500, [("t", [(3, b"onetwo"), (0, b"")])])
    assert b"".join(body) == theirs.encode()


def test_the_answer_to_produce_is_read() -> None:
    answer = ProduceResponse_v7([("topic", [(3, 0, 17, -1, 0), (0, 47, -1, -1, -1)])], 250).encode()
    assert produced(memoryview(answer)) == ({3: Produced(0, 17), 0: Produced(47, -1)}, 250)


class Pipe:
    """The transport of a connection, and its socket: keeps what is written, and how many bytes wake the reader."""

    def __init__(self) -> None:
        self.written, self.aborted, self.wakes_at = b"", False, 1

    def set_protocol(self, protocol: object) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def set_write_buffer_limits(self, high: int, low: int) -> None:
        pass

    def get_extra_info(self, name: str) -> object:
        return self if name == "socket" else None

    def setsockopt(self, level: int, name: int, value: int) -> None:
        assert (level, name) == (socket.SOL_SOCKET, socket.SO_RCVLOWAT)
        self.wakes_at = value

    def write(self, part: bytes) -> None:
        self.written += part

    def abort(self) -> None:
        self.aborted = True


class Handshake:
    """What aiokafka leaves behind once it has connected."""

    def __init__(self, pipe: Pipe) -> None:
        self._versions = {0: (3, 13)}
        self._writer = self
        self.transport = pipe
        self._read_task = self

    def cancel(self) -> None:
        pass

    def close(self) -> None:
        pass


def receive(connection: Connection, data: bytes, most: int) -> None:
    """As asyncio does: in pieces, as large as the connection has room for."""
    while data:
        room = connection.get_buffer(-1)
        piece = data[: min(most, len(room))]
        room[: len(piece)] = piece
        connection.buffer_updated(len(piece))
        data = data[len(piece) :]


def framed(number: int, body: bytes) -> bytes:
    return struct.pack(">ii", len(body) + 4, number) + body


@pytest.mark.parametrize("most", [1, 3, 7, 65_536, 1 << 30])
def test_answers_arrive_whole_however_they_are_cut(most: int) -> None:
    bodies = [b"", b"short", b"x" * 70_000, b"y" * 65_530, b"z" * 65_528, b"end"] if most > 7 else [b"", b"short", b"e"]

    async def ask_and_receive() -> list[bytes]:
        connection = Connection(Handshake(Pipe()), "me", lambda _: None)
        answers = [connection.send(0, 7, b"body") for _ in bodies]
        receive(connection, b"".join(framed(n, body) for n, body in enumerate(bodies, 1)), most)
        found = [bytes(await answer) for answer in answers]
        connection.close()
        return found

    assert asyncio.run(ask_and_receive()) == bodies


@pytest.mark.parametrize("size", [2, 100_000])
def test_a_request_has_a_header_of_version_one(size: int) -> None:
    async def ask() -> bytes:
        pipe = Pipe()
        connection = Connection(Handshake(pipe), "me", lambda _: None)
        answer = connection.send(0, 7, b"bo", memoryview(b"d" * size))
        connection.close()
        assert isinstance(answer.exception(), Doubt)
        assert pipe.aborted
        return pipe.written

    assert asyncio.run(ask()) == struct.pack(">ihhih", 14 + size, 0, 7, 1, 2) + b"mebo" + b"d" * size


def test_what_the_socket_does_not_take_waits_in_order() -> None:
    parts = [b"a" * 20_000, b"b", b"c", b"d" * 20_000]

    async def ask() -> tuple[int, bytes]:
        pipe = Pipe()
        connection = Connection(Handshake(pipe), "", lambda _: None)
        connection.pause_writing()
        connection.send(0, 7, *parts)
        before = len(pipe.written)
        connection.resume_writing()
        connection.close()
        return before, pipe.written[14:]

    assert asyncio.run(ask()) == (0, b"".join(parts))


@pytest.mark.parametrize("size", [70_000, 3_000_000])
@pytest.mark.parametrize("most", [50_000, 1 << 30])
def test_no_more_bytes_are_waited_for_than_are_to_come(size: int, most: int) -> None:
    async def ask_and_receive() -> None:
        pipe = Pipe()
        connection = Connection(Handshake(pipe), "me", lambda _: None)
        connection.send(0, 7, b"")
        left = framed(1, b"x" * size)
        while left:
            assert 1 <= pipe.wakes_at <= len(left)
            piece, left = left[: (took := min(most, len(connection.get_buffer(-1))))], left[took:]
            receive(connection, piece, took)
        assert pipe.wakes_at == 1
        connection.close()

    asyncio.run(ask_and_receive())


def test_versions_that_the_broker_does_not_know_are_not_sent() -> None:
    async def ask(api: int, version: int) -> None:
        connection = Connection(Handshake(Pipe()), "me", lambda _: None)
        with pytest.raises(WireUnavailable):
            connection.send(api, version, b"")

    asyncio.run(ask(0, 2))
    asyncio.run(ask(1, 11))


def test_an_answer_out_of_order_ends_the_connection() -> None:
    async def ask() -> list[Connection]:
        lost: list[Connection] = []
        connection = Connection(Handshake(Pipe()), "me", lost.append)
        first = connection.send(0, 7, b"")
        receive(connection, framed(2, b""), 100)
        with pytest.raises(Doubt):
            await first
        with pytest.raises(Doubt):
            await connection.send(0, 7, b"")
        return lost

    assert len(asyncio.run(ask())) == 1


def test_a_silent_broker_ends_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobplane.processors.kafka.wire.connection.ANSWER_S", -ANSWER_S)
    monkeypatch.setattr("jobplane.processors.kafka.wire.connection._WATCH_S", 0.0)

    async def ask() -> None:
        connection = Connection(Handshake(Pipe()), "me", lambda _: None)
        with pytest.raises(Doubt, match="REQUEST_TIMED_OUT"):
            await connection.send(0, 7, b"")

    asyncio.run(ask())


def test_a_broker_that_does_not_lead_any_more_is_not_asked_again() -> None:
    wire, not_leader = Wire(Kafka("127.0.0.1:1")), 6

    async def ask() -> int:
        return await wire.leader("topic", 0)

    async def refused() -> None:
        check(not_leader, "topic")

    wire._leaders["topic"] = {0: 3}
    try:
        assert wire.run(ask()).result() == 3
        with pytest.raises(Doubt):
            wire.run(refused()).result()
        with pytest.raises(Doubt):  # nobody is there to say who leads now
            wire.run(ask()).result()
    finally:
        wire.close()


def test_fetch_has_the_bytes_that_aiokafka_writes() -> None:
    theirs = FetchRequest_v11(-1, 500, 1, 4096, 1, 0, -1, [("t", [(3, -1, 7, -1, 64), (0, -1, 9, -1, 64)])], [], "")
    assert fetch("t", {3: 7, 0: 9}, 500, 4096, 64) == theirs.encode()


def test_the_answer_to_fetch_is_read() -> None:
    partitions = [(3, 0, 20, 18, 0, [(5, 11), (6, 12)], -1, b"records"), (0, 1, -1, -1, -1, None, -1, None)]
    answer = FetchResponse_v11(25, 0, 0, [("topic", partitions)]).encode()
    found, code, throttled_ms = fetched(memoryview(answer))
    assert (code, throttled_ms, sorted(found)) == (0, 25, [0, 3])
    assert found[3] == Fetched(0, 20, 18, ((5, 11), (6, 12)), memoryview(b"records"))
    assert found[0] == Fetched(1, -1, -1, (), memoryview(b""))
