"""The line of tasks that are to be started in a host, taken in batches: what waits at the same time starts together."""

import logging
import queue
import threading
import time

from jobplane.processors.dormancy.batch_start import BatchStart, StartedTasks
from jobplane.processors.dormancy.checkpoint_index import CheckpointIndex
from jobplane.processors.guard import log_fault
from jobplane.processors.kafka.cluster import Doubt
from jobplane.processors.kafka.wire.batches import NotUnderstood
from jobplane.processors.kafka.wire.settings import WireUnavailable
from jobplane.processors.task.context import TaskServices
from jobplane.processors.task.runner import Runner
from jobplane.schemas.failures import JobFailure

LOG = logging.getLogger("jobplane.dormancy")
MOST = 256
"""Tasks in a batch."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 5.0


class QuietStarts:
    """Starts tasks in a thread of its own."""

    def __init__(self, services: TaskServices, started: StartedTasks) -> None:
        self._services, self._started = services, started
        self._index = CheckpointIndex(services.topics, services.wire)
        self._waiting = queue.SimpleQueue[Runner]()
        threading.Thread(target=self._work, name="quiet-starts", daemon=True).start()

    def add(self, runner: Runner) -> None:
        self._waiting.put(runner)

    def _work(self) -> None:
        pause = 0.0
        while True:
            left = {(runner := self._waiting.get()).goal.key: runner}
            while len(left) < MOST and not self._waiting.empty():
                runner = self._waiting.get()
                left[runner.goal.key] = runner
            pause = self._start(left, pause)
            time.sleep(pause)

    def _start(self, left: dict[str, Runner], pause: float) -> float:
        """Starts a batch; what is left after a doubt is tried again, after a pause. Returns the pause in seconds."""
        try:
            BatchStart(self._services, self._index, self._started, left).run()
        except Doubt as doubt:
            for runner in left.values():
                runner.context.counters.doubt(str(doubt))
                self._waiting.put(runner)
            return min(LONGEST_PAUSE_S, pause * 2 or FIRST_PAUSE_S)
        except (JobFailure, NotUnderstood, WireUnavailable) as reason:
            LOG.debug("%d tasks start with clients of their own: %s", len(left), reason)
        except Exception as error:  # noqa: BLE001  # the guard of quiet starts, docs/decisions/0016
            log_fault(error, f"{len(left)} tasks that start")
        for key in [*left]:
            self._started.run(left.pop(key))
        return 0.0
