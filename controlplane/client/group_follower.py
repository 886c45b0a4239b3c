"""Follows statements that are sent before those before them are judged, and waits for their effects together.

A thousand jobs are created in the time of their verdicts: no job waits until the one before runs, and no verdict until
the client has seen the one before.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

from jobplane.controlplane.client.command_follower import CommandFollower
from jobplane.controlplane.client.result import Alive, Result, Sent, Watch
from jobplane.controlplane.client.source_notices import SourceNotices
from jobplane.controlplane.log.events_tail import EventsTail
from jobplane.controlplane.log.events_topic import Entry
from jobplane.controlplane.query.notices import TopicSamples
from jobplane.processors.kafka.cluster import Doubt, Kafka
from jobplane.processors.kafka.questions import At
from jobplane.schemas.changed import replace
from jobplane.schemas.records.events import uid_of
from jobplane.schemas.records.state import REFUSED, Job
from jobplane.sql.syntax import statements

UNJUDGED = 100
"""Commands that have no outcome yet, at most."""


@dataclass(slots=True)
class _Followed:
    follower: CommandFollower
    source_notices: SourceNotices | None


class GroupFollower:
    """Follows a group of CREATE statements. `tail` begins before the first of them."""

    def __init__(
        self, kafka: Kafka, prefix: str, tail: EventsTail, new_follower: Callable[[], CommandFollower], *, look: bool
    ) -> None:
        """`look` is for `Client.execute`."""
        self._kafka, self._tail, self._new_follower = kafka, tail, new_follower
        self._samples = TopicSamples(kafka, prefix) if look else None
        self._followed: list[_Followed] = []
        self._by_uid = defaultdict[str, list[CommandFollower]](list)
        self.accepted = 0
        """Commands that were, the first ones of all."""
        self._is_refused = False
        """Whether the command after them was refused, and so those after it."""

    def add(self, sent: Sent, statement: statements.Statement) -> None:
        """Follows one more command, which is refused if the one before is."""
        notices = None
        if self._samples is not None and isinstance(statement, statements.CreateJob):
            notices = SourceNotices(self._samples, statement.inserts)
        follower = self._new_follower()
        follower.begin(sent, statement, notices.begin if notices else lambda body: None)
        self._followed.append(_Followed(follower, notices))

    def wait_for_outcomes(self, left: int, timeout: float, alive: Alive) -> bool:
        """Until so many commands at most have none. False if one was refused, or none comes for `timeout` seconds."""
        accepted, deadline = self.accepted, time.monotonic() + timeout
        while not self._is_refused and len(self._followed) - self.accepted > left:
            if time.monotonic() > deadline:
                return False
            alive()
            self._read()
            if self.accepted > accepted:
                accepted, deadline = self.accepted, time.monotonic() + timeout
        return not self._is_refused

    def results(self, timeout: float, watch: Watch, alive: Alive) -> Iterator[Result]:
        """The results of all commands, each as soon as its effect and those before it are complete.

        `timeout` is how long to wait for a command, in seconds, once those before it are complete.
        """
        ends = self._ends()
        for at, one in enumerate(self._followed):
            follower, deadline = one.follower, time.monotonic() + timeout
            while not (timed_out := time.monotonic() > deadline):
                alive()
                if follower.is_complete or follower.reply is None:
                    break
                if follower.wants_proof and _has_read_all(follower.created, ends):
                    break
                if follower.prove(self._read, alive):
                    break
                self._read()
                watch(f"{at} of {len(self._followed)} have taken effect")
            result = follower.end(timed_out=timed_out and not follower.is_complete)
            remarks = one.source_notices.collect() if one.source_notices else ()
            yield replace(result, remarks=(*result.remarks, *remarks))

    def _read(self) -> None:
        for entry in self._tail.read():
            for follower in self._by_uid.get(uid_of(entry.event.body), ()):
                if not follower.is_complete:
                    follower.see(entry)
            self._look_for_outcome(entry)

    def _look_for_outcome(self, entry: Entry) -> None:
        """Commands are judged in their order. Once one is, it sees the events about its job only."""
        if self._is_refused or self.accepted == len(self._followed):
            return
        follower = self._followed[self.accepted].follower
        follower.see(entry)
        if (reply := follower.reply) is None:
            return
        if reply.verdict == REFUSED:
            self._is_refused = True
            del self._followed[self.accepted + 1 :]
            return
        self.accepted += 1
        if reply.uid:
            self._by_uid[reply.uid].append(follower)

    def _ends(self) -> Mapping[At, int]:
        """The present ends of the sources of all new jobs; none if Kafka does not answer."""
        created = [one.follower.created for one in self._followed if one.follower.created is not None]
        with suppress(Doubt):
            return self._kafka.stable_offsets({at for job in created for at in _starts(job)})
        return {}


def _starts(job: Job) -> dict[At, int]:
    return {(source.topic, p): start for source in job.sources for p, start in enumerate(source.start)}


def _has_read_all(job: Job | None, ends: Mapping[At, int]) -> bool:
    """Whether a new job has no record to read."""
    return job is not None and all(start >= ends.get(at, start + 1) for at, start in _starts(job).items())
