"""The Python API as a service uses it, on a real broker: sync and asyncio."""

import asyncio
import threading
import time
from collections.abc import Iterator

import pytest

from jobplane.controlplane.client.async_client import AsyncClient
from jobplane.controlplane.client.client import Client, Sent
from jobplane.controlplane.core.state import State
from jobplane.controlplane.log.events_tail import NEAR, EventsTail
from jobplane.processors.kafka.cluster import Kafka
from jobplane.schemas.errors import CommandNotFound, Refused
from jobplane.schemas.records.events import CommandUnchanged, JobCreated
from tests.support.broker import KafkaBroker
from tests.support.system import System, system, until


@pytest.fixture(scope="module")
def plane(broker: KafkaBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with system(broker.bootstrap, "client.", tmp_path_factory.mktemp("client"), hosts=1) as made:
        made.worker()
        made.topic("in", 2)
        made.topic("out", 2)
        yield made


@pytest.fixture
def client(plane: System) -> Iterator[Client]:
    with Client(plane.bootstrap, plane.prefix) as made:
        yield made


def create(plane: System, name: str) -> str:
    return f'CREATE JOB {name} AS INSERT INTO "{plane.name("out")}" SELECT * FROM "{plane.name("in")}"'


def test_execute_waits_for_the_effect_and_a_repeat_changes_nothing(plane: System, client: Client) -> None:
    created = client.execute(create(plane, "one"), command_id="one-1", issued_by="tests")
    assert (created.done, created.status, created.sent.command_id) == (True, "RUNNING", "one-1")
    again = client.execute(create(plane, "one"), command_id="one-1")
    assert again.done
    assert again.sent.offset > created.sent.offset
    assert (again.reply, again.status) == (created.reply, "RUNNING")
    assert [row["name"] for row in client.jobs() if row["status"] == "RUNNING"] == ["one"]
    assert client.execute("CREATE SNAPSHOT s FOR JOB one").done
    assert [row["name"] for row in client.snapshots()] == ["s"]
    refused = client.execute("DROP JOB nobody")
    assert (refused.done, refused.reply and refused.reply.code) == (False, "job-not-found")
    with pytest.raises(Refused, match="expected"):
        client.execute("DROP JUB one")
    assert client.execute("DROP JOB one").done


def test_what_was_emitted_is_awaited_by_what_emit_gave_by_id_and_by_offset(plane: System, client: Client) -> None:
    sent = client.emit(create(plane, "two"), "two-1")
    assert client.wait(sent).status == "RUNNING"
    assert client.execute("DROP JOB two").done
    for known in (sent, "two-1", sent.offset):  # judged long ago, and gone since: what came of it then
        result = client.wait(known)
        assert (result.sent, result.done, result.status) == (sent, True, "RUNNING"), known
        assert result.text == create(plane, "two")
    refused = client.wait(client.emit("DROP JOB nobody"))
    assert refused.reply is not None
    assert (refused.reply.code, refused.done) == ("job-not-found", False)
    poison = client.emit('{"sql": 1}')
    assert client.wait(poison.offset).row()["code"] == "bad-envelope"


def test_a_command_that_is_not_there(client: Client) -> None:
    with pytest.raises(CommandNotFound, match="no command at offset 100000"):
        client.wait(100_000)
    with pytest.raises(CommandNotFound):
        client.wait(-2)
    result = client.wait("nobody sent this", timeout=0.3)
    assert (result.reply, result.timed_out, result.done) == (None, True, False)


def test_an_id_is_awaited_before_it_is_sent(client: Client) -> None:
    sent: list[Sent] = []
    sending = threading.Timer(0.3, lambda: sent.append(client.emit("DROP JOB IF EXISTS nobody", "later-1")))
    sending.start()
    assert client.wait("later-1", 20).sent == until(lambda: sent[0] if sent else None, 5, "it is sent")


def test_events_are_read_to_the_end_and_followed(plane: System, client: Client) -> None:
    sent = client.execute("DROP JOB IF EXISTS nobody").sent
    entries = list(client.events())
    assert [entry.event.seq for entry in entries] == list(range(1, len(entries) + 1))
    last = entries[-1]
    assert isinstance(last.event.body, CommandUnchanged)
    assert last.event.cause.offset == sent.offset
    assert list(client.events(last.offset)) == [last]
    assert list(client.events(last.offset + 1)) == []
    assert list(client.events(None)) == []
    with pytest.raises(ValueError, match="beyond the end"):
        list(client.events(1_000_000))
    follower = client.events(last.offset + 1, follow=True)
    client.emit(create(plane, "three"))
    entry = next(follower)
    assert isinstance(entry.event.body, JobCreated)
    assert entry.job == "three"
    follower.close()
    assert client.execute("DROP JOB three").done


def test_an_old_command_is_found_in_a_long_log(plane: System, client: Client) -> None:
    for _ in range(NEAR):
        client._writer().produce(f"{plane.prefix}commands", b"DROP JOB IF EXISTS nobody", headers={"command-id": b""})
    client._writer().flush(30)
    last = client.execute("DROP JOB IF EXISTS nobody").sent.offset
    tail = EventsTail(Kafka(plane.bootstrap), plane.prefix)
    for command in (0, last // 2, last - 1):
        tail.seek_before_command(command)
        entry = tail.read(1)[0]
        assert entry.event.cause.topic == "reports" or entry.event.cause.offset <= command
        assert client.wait(command).sent.offset == command
    tail.close()
    assert tail.read() == []


def test_asyncio(plane: System) -> None:
    async def session() -> None:
        async with AsyncClient(plane.bootstrap, plane.prefix) as client:
            end = [entry.offset async for entry in client.events()][-1] + 1
            first = asyncio.create_task(anext(client.events(end, follow=True)))
            heard: list[Sent] = []
            text = create(plane, "four")
            created = await client.execute(text, command_id="four-1", issued_by="tests", sent=heard.append)
            assert created.done
            assert heard == [created.sent]
            assert await client.at_rest(created.reply.uid if created.reply else "", 0.1) is None
            assert (await client.show("SHOW JOBS LIKE 'four'"))[0]["status"] == "RUNNING"
            attempt = await client.dry_run()
            assert (await attempt.run(create(plane, "fourth"))).rows == []
            sent = await client.emit("DROP JOB four")
            dropped, again = await asyncio.gather(client.wait(sent), client.wait("four-1"))
            assert (dropped.status, again.status) == ("CANCELLED", "RUNNING")
            assert [row["status"] for row in await client.jobs() if row["name"] == "four"] == ["CANCELLED"]
            assert [row["name"] for row in await client.snapshots()] == ["s"]
            assert isinstance((await first).event.body, JobCreated)

    asyncio.run(session())


def test_a_cancelled_call_leaves_no_thread_waiting(plane: System) -> None:
    async def session() -> float:
        async with AsyncClient(plane.bootstrap, plane.prefix) as client:
            await client.jobs()
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(client.wait("never sent"), 0.3)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(client.events(None, follow=True)), 0.3)
        return time.monotonic()

    ended = asyncio.run(session())  # joins every thread of the executor
    assert time.monotonic() - ended < 2


def test_a_job_at_rest_is_awaited_without_reading_the_state_again(plane: System) -> None:
    class Counting(Client):
        """Counts how often the whole state is read."""

        reads = 0

        def state(self) -> State:
            self.reads += 1
            return super().state()

    result = plane.done(create(plane, "rests"))
    assert result.reply is not None
    uid = result.reply.uid
    with Counting(plane.bootstrap, plane.prefix) as client:
        assert client.at_rest(uid, timeout=0.5) is None
        assert client.reads == 1
        found = []
        waiting = threading.Thread(target=lambda: found.append(client.at_rest(uid)))
        waiting.start()
        until(lambda: client.reads == 2, 30, "the job is awaited")
        plane.done("CREATE SNAPSHOT r FOR JOB rests")
        assert not found
        plane.done("ALTER JOB rests SUSPEND")
        waiting.join(30)
        (suspended,) = found
        assert suspended is not None
        assert (suspended.uid, suspended.status) == (uid, "SUSPENDED")
        plane.done("DROP JOB rests")
        ended = client.at_rest(uid)
        assert ended is not None
        assert ended.closed
        assert client.reads == 3
        with pytest.raises(KeyError):
            client.at_rest("nobody")
