"""`jobplane dev` as a child process, its hosts, and its command log as any producer sees it."""

import json
import os
import select
import signal
import subprocess
import sys
import time
import urllib.request
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from confluent_kafka import KafkaError, Message, Producer
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]  # not in its stubs

from controlplane.effects import Goal, goal
from controlplane.log import follow_events, reader
from controlplane.outcome import REFUSED, answer
from controlplane.topics import COMMANDS, EVENTS
from processors.kafka import Kafka
from schemas.commands import COMMAND_ID
from schemas.state import Answer
from sql.parser import parse

PREFIX = "jobplane."
ROOT = Path(__file__).parents[3]
KEPT_SETTINGS = frozenset({"JOBPLANE_JAVA_HOME", "JOBPLANE_CACHE"})
READY_S, STOP_S, CALL_S = 90.0, 45.0, 10.0
SHOWN_LINES = 12


class Failed(Exception):
    """The demonstration cannot go on. The message says why, and what to do."""


class Dev:
    """A running `jobplane dev`: broker and worker on free ports. It ends with this process, whatever becomes of it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.bootstrap, self.web = folder, "", ""
        self._log = folder / "dev.log"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("JOBPLANE_") or name in KEPT_SETTINGS
        }
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, (str(ROOT), environment.get("PYTHONPATH", ""))))
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "controlplane.embedded.attached", "dev"),
                    *("--port", "0", "--web-port", "0", "--data", str(self.folder)),
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=self.folder,  # no jobplane.toml of somebody else's
                env=environment,
                start_new_session=True,
            )
        try:
            self.bootstrap, self.web = self._wait_ready(self._process)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stops worker and broker, in order; what has not ended within the limit is killed."""
        process = self._process
        if process is None:
            return
        if process.poll() is None:
            process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()  # the broker and the worker end by themselves when `dev` is gone
            process.wait()

    def check(self) -> None:
        """Raises Failed where `jobplane dev` has ended."""
        if self._process is not None and self._process.poll() is not None:
            raise Failed(f"`jobplane dev` ended with {self._process.returncode}\n{self.logs()}")

    def logs(self) -> str:
        """The end of what it said, and where the rest is."""
        lines = self._log.read_text(errors="replace").splitlines()[-SHOWN_LINES:]
        broker = self.folder / "kafka" / "broker.log"
        places = [str(place) for place in (self._log, broker) if place.exists()]
        return "\n".join([*(f"  | {line}" for line in lines), f"logs: {', '.join(places)}"])

    def _wait_ready(self, process: subprocess.Popen[bytes]) -> tuple[str, str]:
        said = process.stdout
        if said is None:
            raise Failed("no pipe to `jobplane dev`")
        deadline = time.monotonic() + READY_S
        while time.monotonic() < deadline:
            if select.select([said], [], [], 0.2)[0]:
                words = said.readline().decode().split()
                if len(words) == 3 and words[0] == "ready":
                    return words[1], words[2]
            if process.poll() is not None:
                raise Failed(f"`jobplane dev` did not start (exit code {process.returncode})\n{self.logs()}\n{REMEDY}")
        raise Failed(f"`jobplane dev` was not ready within {READY_S:g} s\n{self.logs()}\n{REMEDY}")

    def create_topics(self, *names: str, partitions: int) -> None:
        admin = AdminClient({"bootstrap.servers": self.bootstrap})
        for future in admin.create_topics([NewTopic(name, partitions, 1) for name in names]).values():
            future.result(CALL_S)

    def hosts(self) -> list[dict[str, Any]]:
        """The task hosts of the worker: pid and tasks of each, from its JSON page."""
        with urllib.request.urlopen(f"{self.web}/api/hosts", timeout=CALL_S) as page:
            return list(json.load(page))

    def kill_a_host(self) -> tuple[int, frozenset[str]]:
        """SIGKILL to the host with the most tasks; its process id and the keys of its tasks."""
        host = max(self.hosts(), key=lambda host: len(host["tasks"]))
        tasks = frozenset(task["task"] for task in host["tasks"])
        if not tasks:
            raise Failed(f"no task host runs a task, see {self.web}/api/hosts")
        os.kill(host["pid"], signal.SIGKILL)
        return host["pid"], tasks

    def running(self, tasks: frozenset[str], *, apart_from: int) -> bool:
        """Whether all these tasks have committed in hosts other than that one."""
        now = {
            task["task"]
            for host in self.hosts()
            if host["pid"] != apart_from
            for task in host["tasks"]
            if task.get("commits", 0) > 0
        }
        return tasks <= now


REMEDY = "`make jars` fetches what the broker needs; `make demo` again with --keep leaves the logs in place"


@dataclass(frozen=True, slots=True)
class Done:
    """A statement that was accepted and had its effect; seconds from the append to the outcome and to the effect."""

    reply: Answer
    status: str
    answered_s: float
    done_s: float


class CommandLog:
    """The command log, used as any producer would: raw SQL text is appended; the events say what became of it."""

    def __init__(self, bootstrap: str) -> None:
        kafka = Kafka(bootstrap)
        self._producer = Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True, "linger.ms": 0})
        self._consumer = reader(kafka, PREFIX)
        end = kafka.offsets([(f"{PREFIX}{EVENTS}", 0)])[f"{PREFIX}{EVENTS}", 0]
        self._events = follow_events(self._consumer, PREFIX, end, lambda: None)

    def close(self) -> None:
        with suppress(RuntimeError):  # closed before
            self._consumer.close()

    def run(self, sql: str, limit: float = 30.0) -> Done:
        """Append a statement and wait for its effect. Raises Failed where it was refused, failed or took too long."""
        began = time.monotonic()
        offset, statement = self._append(sql), parse(sql)
        reply: Answer | None = None
        aim: Goal | None = None
        answered = 0.0
        for item in self._events:
            now = time.monotonic() - began
            if item is not None:
                name, event = item
                if reply is None and (event.cause.topic, event.cause.offset) == (COMMANDS, offset):
                    reply, answered = answer(event, name), now
                    if reply is None or reply.verdict == REFUSED:
                        raise Failed(f"refused: {sql}\n{reply.code}: {reply.message}" if reply else f"no answer: {sql}")
                    aim = goal(statement, reply)
                    if aim is not None:
                        aim.at(getattr(event.body, "status", ""))
                elif aim is not None:
                    aim.see(event)
            if reply is not None and (aim is None or aim.over):
                if aim is not None and not aim.reached:
                    raise Failed(f"accepted, but failed: {sql}\n{aim.failure}")
                return Done(reply, aim.status if aim else "", answered, now)
            if now > limit:
                raise Failed(f"not done within {limit:g} s ({aim.status if aim else 'no outcome'}): {sql}")
        raise AssertionError("the events never end")

    def _append(self, sql: str) -> int:
        """The offset of the command on the log."""
        told: list[tuple[KafkaError | None, Message]] = []
        self._producer.produce(
            f"{PREFIX}{COMMANDS}",
            sql.encode(),
            headers=[(COMMAND_ID, str(uuid.uuid4()).encode())],
            on_delivery=lambda error, message: told.append((error, message)),
        )
        self._producer.flush(CALL_S)
        if not told or told[0][0] is not None:
            raise Failed(f"the command log did not take a command: {told[0][0] if told else 'no answer'}")
        return told[0][1].offset() or 0
