"""Reads the newest records of a new job's sources, in a thread, while the client waits for the job.

Changes nothing, and takes no extra time unless Kafka is slow. If reading fails, or ends later than PATIENCE_S after the
job has started, there are no notices.
"""

import logging
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

from jobplane.processors.guard import format_traceback
from jobplane.processors.kafka.cluster import Doubt, KafkaException
from jobplane.schemas.errors import JobplaneError
from jobplane.schemas.records.events import JobCreated
from jobplane.sql.syntax import statements

if TYPE_CHECKING:
    from jobplane.controlplane.query.notices import TopicSamples

LOG = logging.getLogger("jobplane.source_notices")
PATIENCE_S = 2.0
"""The longest wait for the notices once the job runs; usually they are ready before the job starts."""


class SourceNotices:
    """Reads the newest records of the sources of `inserts`, which the job to be created carries out."""

    def __init__(self, samples: "TopicSamples", inserts: Sequence[statements.Insert]) -> None:
        self._samples, self._inserts = samples, inserts
        self._thread: threading.Thread | None = None
        self._noticed: tuple[str, ...] = ()

    def begin(self, body: object) -> None:
        """Reads the sources that a job was created with; `body` is the body of the statement's outcome."""
        if isinstance(body, JobCreated):
            self._thread = threading.Thread(target=self._look, args=(body,), daemon=True)
            self._thread.start()

    def _look(self, job: JobCreated) -> None:
        # imported in the thread: they load the query planner
        from jobplane.controlplane.query.notices import find_notices
        from jobplane.sql.plan.recording import read

        try:
            if job.plan is not None:
                planned = read(job.plan)
                sinks = (job.sink, *job.more_sinks)
                self._noticed = find_notices(self._samples, self._inserts, planned, job.sources, sinks)
        except (Doubt, KafkaException, JobplaneError) as failed:
            LOG.debug("the newest records could not be read: %s", failed)
        except Exception as error:  # noqa: BLE001  # the guard of this thread, docs/decisions/0016
            LOG.debug("the newest records could not be read: %s", format_traceback(error))

    def collect(self) -> tuple[str, ...]:
        """The notices so far; waits PATIENCE_S for them."""
        if self._thread is not None:
            self._thread.join(PATIENCE_S)
        return self._noticed
