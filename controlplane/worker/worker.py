"""One worker: runs what Faust assigns to it. The Faust process never reads data records."""

import logging
import math
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from importlib.machinery import PathFinder
from importlib.util import find_spec
from pathlib import Path

from jobplane.controlplane.core.setup_advice import missing_dot_warning
from jobplane.controlplane.decider.decider import Decider, DeciderMetrics, End
from jobplane.controlplane.fetch.groups import Groups
from jobplane.controlplane.listings import rows
from jobplane.controlplane.log import control_topics
from jobplane.controlplane.ports import free_port, require_free
from jobplane.controlplane.settings import Settings
from jobplane.controlplane.topics import COMMANDS, EVENTS, TASK_PARTITIONS, TASKS
from jobplane.controlplane.wait_limit import Say, WaitLimit, say_nothing
from jobplane.controlplane.web.live_state import LiveView
from jobplane.controlplane.web.metrics import WorkerMetrics, exposition
from jobplane.controlplane.web.pages import Page, PageAnswer, guard_page, json_answer
from jobplane.controlplane.worker import faust_app
from jobplane.controlplane.worker.supervisor import Supervisor
from jobplane.controlplane.worker.task_records import TaskRecords
from jobplane.processors import user_functions
from jobplane.processors.guard import log_fault
from jobplane.processors.kafka.cluster import Doubt, Kafka
from jobplane.processors.registry.client import registry_of
from jobplane.schemas.errors import JobplaneError
from jobplane.schemas.setup_errors import BadSetting, KafkaUnreachable, WorkerFailed

LOG = logging.getLogger("jobplane.worker")
LOG.addFilter(faust_app.Sparing())
STEPS = logging.getLogger("jobplane.start")
STEPS.setLevel(logging.INFO)
STEPS.propagate = False
LINE = "%(asctime)s %(levelname)s %(name)s: %(message)s"
TOUCH_S, TOUCH_SOON_S = 1.0, 0.25
"""How often to ask the broker for this worker's partitions, and the pause after no answer."""
AGAIN_S = 2.0
KAFKA_S = 30.0
"""How long a worker waits at its start for a Kafka that does not answer."""
LEAVE_S = 5.0


class Worker:
    """Owns the threads: decider (if assigned), task records, supervision, and questions to the broker."""

    def __init__(self, settings: Settings, say: Say = say_nothing) -> None:
        self._settings, self._say = settings, say
        self._kafka = Kafka(settings.bootstrap, settings.kafka)
        self.name = (
            f"{settings.prefix}worker-{socket.gethostname()}-{os.getpid()}-{int(time.time() * 1000) % 1_000_000}"
        )
        self._supervisor = Supervisor(settings, self._kafka, self.name)
        self._task_records = TaskRecords(self._kafka, settings.prefix, self._supervisor.want)
        self._tally = DeciderMetrics()
        self._lock = threading.Lock()
        self._held: frozenset[tuple[str, int]] = frozenset()
        self._decider: threading.Thread | None = None
        self._decider_stop, self._fold_stop = threading.Event(), threading.Event()
        self._fold_stop.set()
        self._decider_ended = 0.0
        self.fatal = ""
        self.view = LiveView(self._kafka, settings.prefix)
        self._assigned = False
        self._closing = threading.Event()
        pages: Mapping[str, Page] = {
            "/healthz": self._healthz,
            "/readyz": self._readyz,
            "/metrics": self._metrics,
            "/api/jobs": lambda: json_answer(self.view.read(rows.jobs)),
            "/api/mappings": lambda: json_answer(self.view.read(rows.mappings)),
            "/api/snapshots": lambda: json_answer(self.view.read(rows.snapshots)),
            "/api/hosts": lambda: json_answer(self._supervisor.view()),
        }
        self.pages: Mapping[str, Page] = {
            path: guard_page(path, page, lambda: self._tally.fault("page")) for path, page in pages.items()
        }

    def start(self) -> None:
        """Starts the threads. Called once, from the main thread, when Faust has started."""
        self._supervisor.start()
        for name, target in (
            ("task-records", self._task_records.run),
            ("watch", self._watch),
            ("touch", self._touch),
            ("announce", self._announce),
        ):
            threading.Thread(target=self._guarded, args=(target,), name=name, daemon=True).start()

    def _guarded(self, target: Callable[[], None]) -> None:
        """Restarts the thread's work after an internal error; a JobplaneError, which needs a person, is fatal."""
        name = threading.current_thread().name
        while not self._closing.is_set():
            try:
                return target()
            except JobplaneError as error:
                self.fatal = f"{name}: {error}"
                LOG.critical("%s", self.fatal)
                os.kill(os.getpid(), signal.SIGTERM)
                return None
            except Exception as error:  # noqa: BLE001  # the guard of a worker's threads, docs/decisions/0016
                self._tally.fault("worker")
                log_fault(error, f"thread {name}")
                self._closing.wait(AGAIN_S)
        return None

    def assigned(self, partitions: frozenset[tuple[str, int]]) -> None:
        """Applies Faust's new assignment: only differences have an effect."""
        prefix = self._settings.prefix
        with self._lock:
            self._held, self._assigned = partitions, True
            self._task_records.hold(frozenset(p for topic, p in partitions if topic == f"{prefix}{TASKS}"))
            self._fold()
            self._lead()

    def _fold(self) -> None:
        """Folds the events into the view if this worker has them, else stops that."""
        if (f"{self._settings.prefix}{EVENTS}", 0) not in self._held:
            self._fold_stop.set()
        elif self._fold_stop.is_set() and not self._closing.is_set():
            stop = self._fold_stop = threading.Event()
            threading.Thread(
                target=self._guarded, args=(lambda: self._follow_events(stop),), name="view", daemon=True
            ).start()

    def _follow_events(self, stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                self.view.follow(stop)
            except (Doubt, JobplaneError) as failed:
                LOG.warning("the web server cannot show the state yet: %s", failed)
                stop.wait(AGAIN_S)

    def _lead(self) -> None:
        """Starts the decider if this worker has `commands`-0, else stops it."""
        holds = (f"{self._settings.prefix}{COMMANDS}", 0) in self._held
        if not holds:
            self._decider_stop.set()
            self._decider = None
        elif self._decider is None and not self._closing.is_set():
            self._decider_stop = threading.Event()
            settings = self._settings
            decider = Decider(
                self._kafka,
                settings.prefix,
                self._tally,
                self._decider_stop,
                Groups(settings),
                settings.session_timeout,
                registry_of(settings.registry),
                functions=user_functions.load(),
            )
            self._decider = threading.Thread(
                target=self._guarded, args=(lambda: self._decide(decider),), name="decider", daemon=True
            )
            self._decider.start()

    def _decide(self, decider: Decider) -> None:
        if decider.run() is End.FENCED:
            LOG.warning(
                "the decider was fenced; it starts again if the broker confirms that this worker has the command log"
            )
            self._decider_ended = time.monotonic()

    def _touch(self) -> None:
        """Asks the broker regularly for this worker's partitions: its answer lets fenced work start again."""
        with closing(Groups(self._settings)) as groups:
            pause = TOUCH_S
            while not self._closing.wait(pause):
                pause = TOUCH_SOON_S
                asked = time.monotonic()
                try:
                    held = groups.members(faust_app.group_id(self._settings.prefix)).get(self.name)
                except Doubt as error:
                    LOG.warning("the coordinator of the workers' group does not answer: %s", error)
                else:
                    if held is None:
                        LOG.warning("this worker is not a member of its group; its tasks wait until it is")
                    else:
                        pause = TOUCH_S
                        self._touched(asked, held)

    def _touched(self, asked: float, held: set[tuple[str, int]]) -> None:
        prefix = self._settings.prefix
        self._supervisor.confirm_held(asked, frozenset(p for topic, p in held if topic == f"{prefix}{TASKS}"))
        with self._lock:
            if (f"{prefix}{COMMANDS}", 0) in held and 0 < self._decider_ended < asked:
                self._decider, self._decider_ended = None, 0.0
                self._lead()

    def _watch(self) -> None:
        while not self._closing.wait(1.0):
            self._supervisor.watch()

    def _announce(self) -> None:
        """Logs when the worker is ready, and after some seconds what it waits for."""
        wait_limit = WaitLimit(math.inf, self._say)
        while waits := self._waits():
            wait_limit.has_passed(", ".join(waits))
            if self._closing.wait(0.1):
                return
        what = " and is the decider" if self._leads else ""
        held = sum(topic == f"{self._settings.prefix}{TASKS}" for topic, _ in self._held)
        self._say(f"ready: this worker runs the tasks of {held} of {TASK_PARTITIONS} partitions{what}")

    def close(self) -> None:
        """Stops the decider and lets the tasks commit and end, within 8 s. Faust gets 5 s more to leave its group."""
        self._closing.set()
        self._decider_stop.set()
        self._fold_stop.set()
        self._task_records.close()
        self._supervisor.close()
        if self._decider is not None:
            self._decider.join(2)
        # Faust would wait long for a Kafka that does not answer.
        leaving = threading.Timer(LEAVE_S, os._exit, [1 if self.fatal else 0])
        leaving.daemon = True
        leaving.start()

    def _healthz(self) -> PageAnswer:
        return (
            json_answer({"status": "failed", "reason": self.fatal}, 500)
            if self.fatal
            else json_answer({"status": "ok"})
        )

    @property
    def _leads(self) -> bool:
        return (f"{self._settings.prefix}{COMMANDS}", 0) in self._held

    def _waits(self) -> list[str]:
        """What this worker waits for before it serves."""
        return [
            reason
            for waiting, reason in (
                (self.fatal, self.fatal),
                (not self._assigned, "no partitions assigned yet"),
                (not self._task_records.ready.is_set(), "task records not read yet"),
                (self._leads and not self._tally.leading, "the decider is starting"),
            )
            if waiting
        ]

    def _readyz(self) -> PageAnswer:
        waits = self._waits()
        return json_answer({"ready": not waits, "waits_for": waits, "leads": self._leads}, 503 if waits else 200)

    def _metrics(self) -> PageAnswer:
        hosts = self._supervisor.view()
        tasks = [
            (task["job"], task["task"], task)
            for host in hosts
            for task in host["tasks"]
            if self._supervisor.has_metrics(task["task"])
        ]
        jobs = self.view.read(rows.statuses) if self.view.is_loaded else []
        tasks += self.view.read(rows.kept_metrics) if self.view.is_loaded else []
        tally = self._tally
        faults = {**tally.faults, "task": self._supervisor.faults}
        content_type, body = exposition(
            WorkerMetrics(
                tasks, jobs, dict(tally.verdicts), tally.leading, tally.restarts, len(hosts), faults, time.time() * 1000
            )
        )
        return 200, content_type, body


def run(settings: Settings, loglevel: str = "warning", *, quiet: bool = False) -> None:
    """Runs a worker until SIGINT or SIGTERM; with `quiet` it does not log the steps of its start.

    Raises SetupError if it cannot start or continue.
    """
    logging.basicConfig(level=loglevel.upper(), format=LINE)
    say = say_nothing if quiet else _steps()
    require_module(settings.host_module)
    if settings.web_port:
        require_free(settings.web_port, "--web-port")
    else:
        settings = replace(settings, web_port=free_port())
    say(f"control plane '{settings.prefix}' on Kafka {settings.bootstrap}")
    if remark := missing_dot_warning(settings.prefix):
        LOG.warning("%s", remark)
    if registry := registry_of(settings.registry):
        registry.check()
    kafka = Kafka(settings.bootstrap, settings.kafka)
    await_kafka(kafka, say)
    control_topics.ensure_topics(kafka, settings, say)
    user_functions.load_and_tell()
    say(
        f"joining the group '{faust_app.group_id(settings.prefix)}'; web server http://{settings.web_host}:{settings.web_port}"
    )
    with closing(Groups(settings)) as groups:
        groups.await_coordinator(faust_app.group_id(settings.prefix), say)
    worker = Worker(settings, say)
    Path(settings.data).mkdir(parents=True, exist_ok=True)
    try:
        faust_app.run(faust_app.build(settings, worker.name, worker))
    finally:
        if worker.fatal:
            raise WorkerFailed(worker.fatal)


def _steps() -> Say:
    """Logs the steps of a start at every log level, through its own handler, which Faust does not change."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter(LINE))
    STEPS.addHandler(handler)
    return STEPS.info


def require_module(name: str) -> None:
    """Raises BadSetting if the module is neither installed nor in the working folder."""
    if _is_installed(renamed := f"jobplane.{name}"):  # in the repository's root the old name exists too
        raise BadSetting(f"host_module '{name}': write '{renamed}', or leave the setting out if that is the default")
    if not _is_installed(name) and not _is_in_folder(name):
        raise BadSetting(f"host_module '{name}': there is no such Python module")


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def _is_in_folder(name: str) -> bool:
    """Python's -m searches the working folder too; the import path of an installed command does not contain it."""
    places: Sequence[str] | None = [""]
    for part in name.split("."):
        found = PathFinder.find_spec(part, places) if places else None
        if found is None:
            return False
        places = found.submodule_search_locations
    return True


def await_kafka(kafka: Kafka, say: Say) -> None:
    """Waits for Kafka, which may be starting too. Raises KafkaUnreachable if no broker answers within 30 s."""
    wait_limit, is_announced = WaitLimit(KAFKA_S, say), False
    while True:
        try:
            return kafka.require()
        except KafkaUnreachable as unreachable:
            if wait_limit.has_passed(f"no Kafka broker answers at {kafka.bootstrap}"):
                raise
            if not is_announced:
                is_announced = True
                say(f"waiting up to {KAFKA_S:.0f} s for Kafka: {unreachable.message}")
