"""A real single-node Apache Kafka (KRaft) as a child process.

The broker lives no longer than the process that started it: a shell in the broker's process group waits on a pipe from
the parent and kills the group when the pipe closes, however the parent ended and whichever thread called `start`. A
Ctrl-C in the terminal does not reach the broker: it has its own session.
A data folder has at most one broker: the broker inherits a lock, which is free only when it and its parent have ended.
Data survives stop, SIGKILL and another port: each start chooses a new port for the controller.
"""

import base64
import fcntl
import os
import signal
import subprocess
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import IO, Self

from jobplane.controlplane.embedded import jars, java
from jobplane.controlplane.embedded.archive import Archive
from jobplane.controlplane.embedded.single_node import PROPERTIES, flags_for
from jobplane.controlplane.ports import HOST, free_port, is_free, require_free
from jobplane.schemas.setup_errors import BrokerFailed

READY_S, STOP_S = 60.0, 30.0
FOLDER_FREE_S, PORT_FREE_S = 2.0, 0.5
"""How long to wait for a broker whose parent was killed: the kernel frees its lock first, its ports last."""
ATTEMPTS = 3
LARGEST_LOG = 8 << 20
SHOWN_LINES = 6

LIFELINE = 'exec 3<&0 </dev/null; { read -r _ <&3; kill -KILL 0; } & exec "$@" 3<&-'
"""Becomes the broker, and leaves a shell behind that kills the process group when the pipe on standard input closes."""
FIRST_FREE_OF_A_SHELL = 10
"""A shell uses the lower file descriptors itself."""
STARTED = "Kafka Server started"
NOT_BOUND = ("BindException", "Address already in use", "Socket server failed to bind")


class Broker:
    """One broker on one data folder. Not thread-safe.

    `data` is created if it is missing. `port` 0 picks a free port and keeps it for the life of this object.
    `properties` are Kafka's, and override those of this package.
    """

    def __init__(
        self, data: Path, port: int = 0, properties: Mapping[str, str] = MappingProxyType({}), ready_s: float = READY_S
    ) -> None:
        self.data = data.absolute()
        self.log = self.data / "broker.log"
        self.port = port or free_port()
        self._properties, self._ready_s, self._any_port = dict(properties), ready_s, port == 0
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: IO[str] | None = None
        self._archive: Archive | None = None

    @property
    def bootstrap(self) -> str:
        """host:port for clients."""
        return f"{HOST}:{self.port}"

    @property
    def alive(self) -> bool:
        """Whether the broker's process runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The process id of the broker's Java. Raises BrokerFailed if the broker is not started."""
        if self._process is None:
            raise BrokerFailed(f"the broker on {self.data} is not started")
        return self._process.pid

    def start(self) -> None:
        """Starts the broker and returns when it is ready; does nothing if it runs already.

        Raises PortTaken, JarMismatch, or BrokerFailed: no Java, jars that cannot be downloaded, a data folder in use,
        or a broker that is not ready within the limit.
        """
        if self.alive:
            return
        self._end()
        found, libraries = java.find_java(), jars.resolve()
        self._lock = self._lock_folder()
        try:
            self._run(found, libraries, self._lock)
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """Stops the broker with SIGTERM, and with SIGKILL after 30 s."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._end()

    def kill(self) -> None:
        """SIGKILL: nothing is flushed or closed."""
        if self._process is not None:
            self._process.kill()
        self._end()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _run(self, found: java.Java, libraries: tuple[Path, ...], lock: IO[str]) -> None:
        """Starts the broker; tries again if another process took a port, or if Java crashed on the archive."""
        flags = flags_for(found)
        program = ["-cp", os.pathsep.join(map(str, libraries))]
        self._archive = Archive.of(jars.cache_folder(), found, libraries, flags)
        for attempt in range(1, ATTEMPTS + 1):
            self._settle_port()
            self._configure()
            command = [str(found.executable), *flags, f"-XX:ErrorFile={self.data / 'java-crash.log'}"]
            offset = self._open_log()
            self._format([*command, *program], offset)
            if attempt == 1:
                command += self._archive.flags()
            self._launch([*command, *program, "kafka.Kafka", str(self._config)], lock)
            if self._serves(offset):
                self._any_port = False
                return
            text = self._log_text(offset)
            lost_a_port = any(words in text for words in NOT_BOUND)
            if attempt == ATTEMPTS or not (lost_a_port or (attempt == 1 and "Exiting Kafka" not in text)):
                raise self._failure("did not start", offset)
            if not lost_a_port:
                self._archive.distrust()
            self._reap()

    def _settle_port(self) -> None:
        if self._any_port and not is_free(self.port):
            self.port = free_port()
        deadline = time.monotonic() + PORT_FREE_S
        while not is_free(self.port) and time.monotonic() < deadline:
            time.sleep(0.02)
        require_free(self.port)

    def _configure(self) -> None:
        controller = free_port()
        properties = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@{HOST}:{controller}",
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "PLAINTEXT",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "listeners": f"PLAINTEXT://{HOST}:{self.port},CONTROLLER://{HOST}:{controller}",
            "advertised.listeners": f"PLAINTEXT://{HOST}:{self.port}",
            "log.dirs": str(self._topics),
            **PROPERTIES,
            **self._properties,
        }
        escaped = {name: value.replace("\\", "\\\\") for name, value in properties.items()}
        self._config.write_text("".join(f"{name}={value}\n" for name, value in escaped.items()))

    def _format(self, command: list[str], offset: int) -> None:
        """Gives a new data folder its cluster id, with Kafka's own tool."""
        if (self._topics / "meta.properties").exists():
            return
        tool = ["kafka.tools.StorageTool", "format", "--ignore-formatted", "-t", _cluster_id(), "-c", str(self._config)]
        with self.log.open("ab") as log:
            try:
                code = subprocess.run(
                    [*command, *tool],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    timeout=self._ready_s,
                    start_new_session=True,
                    check=False,
                ).returncode
            except subprocess.TimeoutExpired:
                raise self._failure(f"did not format {self._topics} within {self._ready_s:g} s", offset) from None
        if code:
            raise self._failure(f"could not format {self._topics}", offset)

    def _launch(self, command: list[str], lock: IO[str]) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", LIFELINE, "broker", *command],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.data,
                start_new_session=True,
                pass_fds=(lock.fileno(),),
            )

    def _serves(self, offset: int) -> bool:
        """True when the broker logs that it has started, False if it ended. Raises BrokerFailed after the limit."""
        deadline = time.monotonic() + self._ready_s
        while STARTED not in self._log_text(offset):
            if not self.alive:
                return False
            if time.monotonic() > deadline:
                raise self._failure(f"was not ready within {self._ready_s:g} s", offset)
            time.sleep(0.02)
        return True

    def _open_log(self) -> int:
        """The position in the log, in bytes, at which this start begins; renames a large log first."""
        if self.log.exists() and self.log.stat().st_size > LARGEST_LOG:
            self.log.replace(self.log.with_suffix(".log.1"))
        self.log.touch()
        return self.log.stat().st_size

    def _log_text(self, offset: int) -> str:
        with self.log.open("rb") as log:
            log.seek(offset)
            return log.read().decode(errors="replace")

    def _failure(self, what: str, offset: int) -> BrokerFailed:
        return BrokerFailed(
            f"the broker {what}; its log is {self.log}\n{telling_lines(self._log_text(offset))}".rstrip()
        )

    def _lock_folder(self) -> IO[str]:
        """Locks the data folder. If its owner was just killed, it is free as soon as the owner's broker has ended."""
        self.data.mkdir(parents=True, exist_ok=True)
        with (self.data / "lock").open("a+") as opened:
            lock = os.fdopen(fcntl.fcntl(opened, fcntl.F_DUPFD_CLOEXEC, FIRST_FREE_OF_A_SHELL), "a+")
        deadline = time.monotonic() + FOLDER_FREE_S
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    lock.seek(0)
                    owner = lock.read().strip()
                    lock.close()
                    raise BrokerFailed(
                        f"{self.data} is in use by the broker of process {owner}; "
                        "stop that broker or choose another data folder"
                    ) from None
                time.sleep(0.02)
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        return lock

    def _end(self) -> None:
        """Call after a signal to the process: waits for its end, closes the pipe, unlocks the data folder."""
        self._reap()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _reap(self) -> None:
        if self._process is None:
            return
        ended_in_peace = self._process.wait() in (0, 128 + signal.SIGTERM)
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process = None
        if self._archive is not None:
            if ended_in_peace:
                self._archive.keep()
            else:
                self._archive.drop()

    @property
    def _config(self) -> Path:
        return self.data / "server.properties"

    @property
    def _topics(self) -> Path:
        return self.data / "topics"


def telling_lines(log: str) -> str:
    """The most useful last lines of a log: errors and causes before other lines, never stack frames."""
    lines = [line for line in log.splitlines() if line.strip() and not line.startswith(("\tat ", "\t... "))]
    telling = [line for line in lines if any(word in line for word in (" ERROR ", "Exception", "Error:", "Caused by"))]
    return "\n".join((telling or lines)[-SHOWN_LINES:])


def _cluster_id() -> str:
    """A random id in Kafka's form that does not begin with '-', which Kafka's tool would take for a flag."""
    while (text := base64.urlsafe_b64encode(uuid.uuid4().bytes)[:22].decode()).startswith("-"):
        pass
    return text
