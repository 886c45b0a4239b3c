"""Follows a command from its offset on the log to its outcome, and then to the effect."""

import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Any

from jobplane.controlplane.client.commit_watch import CommitWatch
from jobplane.controlplane.client.result import NOWHERE, Alive, Result, Sent, Watch
from jobplane.controlplane.core.evolve import REMEMBERED_COMMANDS, new_job
from jobplane.controlplane.core.goals import Goal, Proof, goal_of, is_left_at_rest, is_suspended_after_run, rest_remark
from jobplane.controlplane.core.outcome import answer_of
from jobplane.controlplane.core.state import State
from jobplane.controlplane.core.subject import subject_of
from jobplane.controlplane.log import state_topic
from jobplane.controlplane.log.events_tail import EventsTail
from jobplane.controlplane.log.events_topic import Entry
from jobplane.controlplane.topics import COMMANDS
from jobplane.processors.kafka.cluster import Doubt, Kafka
from jobplane.schemas.changed import replace
from jobplane.schemas.errors import CommandNotFound, Refused
from jobplane.schemas.failures import JobFailure
from jobplane.schemas.records.events import Cause, Event, JobCreated, status_of
from jobplane.schemas.records.state import REFUSED, Answer, Job
from jobplane.schemas.wire.command_record import ReceivedCommand, read_command
from jobplane.sql.syntax import statements
from jobplane.sql.syntax.parser import parse

if TYPE_CHECKING:
    from jobplane.processors.registry.client import Registry


class CommandFollower:
    """Follows one command. `registry` is needed to read commands that a registry client has encoded."""

    def __init__(
        self,
        kafka: Kafka,
        prefix: str,
        registry: "Registry | None",
        tail: EventsTail,
        deadline: float,
        *,
        first_records: bool = False,
    ) -> None:
        """`deadline` is of time.monotonic(); `first_records` is for `goal_of`."""
        self._kafka, self._prefix, self._registry = kafka, prefix, registry
        self._tail, self._deadline, self._first_records = tail, deadline, first_records
        self._result = Result(Sent("", NOWHERE), None)
        self._goal: Goal | None = None
        self._remarks: tuple[str, ...] = ()
        self._command_statement: statements.Statement | None = None
        self._judged: Callable[[object], None] = lambda body: None
        self.created: Job | None = None
        """The job that the command has created, as it was then."""
        self.is_complete = False
        """Whether the outcome has been seen, and the effect, except for a proof that is still wanted."""

    def find(self, command: Sent | str | int) -> Sent:
        """Finds the offset of a command and moves the tail there; NOWHERE if the outcome must be recognised by the id.

        Raises CommandNotFound for an offset without a command.
        """
        sent = self._find(command)
        if sent.offset != NOWHERE:
            self._tail.seek_before_command(sent.offset)
        return sent

    def _find(self, command: Sent | str | int) -> Sent:
        if isinstance(command, Sent):
            return command
        if isinstance(command, str):
            answers = self._state().answers
            if known := answers.get(command):
                return Sent(command, known.offset)
            if len(answers) >= REMEMBERED_COMMANDS:  # the answer may have been dropped from the state
                self._tail.seek(self._tail.first)
            return Sent(command, NOWHERE)
        record = self._command(command)
        if record is None:
            raise CommandNotFound(f"there is no command at offset {command} of '{self._prefix}{COMMANDS}'")
        return Sent(record.shown_id, command)

    def follow(
        self,
        sent: Sent,
        statement: statements.Statement | None,
        watch: Watch,
        alive: Alive,
        judged: Callable[[object], None] = lambda body: None,
    ) -> Result:
        """Reads events up to the outcome of `sent`, then to its effect. If `statement` is None, reads it from the log.

        `judged` is called with the body of the outcome.
        """
        self.begin(sent, statement, judged)

        def read() -> None:
            for entry in self._tail.read():
                if not self.is_complete:
                    self.see(entry)
                    if self.status:
                        watch(self.status)

        while True:
            alive()
            read()
            if self.is_complete or self.prove(read, alive):
                return self.end()
            if time.monotonic() > self._deadline:
                return self.end(timed_out=True)

    def begin(
        self,
        sent: Sent,
        statement: statements.Statement | None,
        judged: Callable[[object], None] = lambda body: None,
    ) -> None:
        """The command whose outcome, and then effect, is to be seen. See `follow`."""
        self._result = Result(sent, None, subject=subject_of(statement) if statement is not None else None)
        self._command_statement, self._judged = statement, judged

    def see(self, entry: Entry) -> None:
        """Takes an event into account. Events are seen in their order, from before the outcome on."""
        if self._result.reply is None:
            if (reply := _reply(entry.event, entry.job, self._result.sent)) is not None:
                self._take_outcome(entry.event, reply, self._command_statement)
                if isinstance(entry.event.body, JobCreated):
                    self.created = new_job(entry.event.body, entry.event.time)
                self._judged(entry.event.body)
        elif self._goal is not None:
            self._goal.see(entry.event)
        self.is_complete = self._result.reply is not None and (
            self._goal is None or self._is_over(self._goal, entry.offset)
        )

    @property
    def reply(self) -> Answer | None:
        """The outcome, once it has been seen."""
        return self._result.reply

    @property
    def wants_proof(self) -> bool:
        """Whether the job runs, and must still show that it makes progress."""
        return self._goal is not None and self._goal.wants_proof

    @property
    def status(self) -> str:
        """The status of the command's job, as far as it is known."""
        return self._goal.status if self._goal is not None else ""

    def _take_outcome(self, event: Event, reply: Answer, statement: statements.Statement | None) -> None:
        """Sets the result from the outcome, and the goal."""
        sent, text = Sent(self._result.sent.command_id, event.cause.offset), ""
        if statement is None:
            text, statement = self._statement(sent.offset, reply)
        subject = subject_of(statement) if statement is not None else None
        status = status_of(event.body)
        if statement is not None and reply.verdict != REFUSED:
            status = self._aim(statement, reply, status)
        self._result = Result(sent, reply, status, text=text, subject=subject)

    def _aim(self, statement: statements.Statement, reply: Answer, status: str) -> str:
        """Sets the goal; returns the status of its job."""
        aim = goal_of(statement, reply, first_records=self._first_records)
        if aim is None:
            return status
        repeated = not status and bool(reply.uid)
        if not repeated and not is_left_at_rest(statement, reply, status):
            aim.at(status)
            self._goal = aim
            return status
        state = self._state()
        job = state.jobs.get(reply.uid)
        status = job.status if job else status
        if not is_left_at_rest(statement, reply, status):
            aim.reached = any(one.version == aim.version for one in state.snapshots.values())
            aim.look_back(job)
            self._goal = aim
            if not is_suspended_after_run(aim):
                return status
        self._remarks += (rest_remark(job),) if job is not None else ()
        return status

    def _is_over(self, aim: Goal, offset: int) -> bool:
        """Whether the goal is reached; a job that already ran before the client looked needs no further proof."""
        return aim.over and not (aim.wants_proof and offset >= self._tail.end)

    def end(self, *, timed_out: bool = False) -> Result:
        """The result as it is known now."""
        aim, result = self._goal, replace(self._result, remarks=self._remarks, timed_out=timed_out)
        if aim is None:
            return result
        return replace(result, status=aim.status, failure="" if aim.reached else aim.failure)

    def prove(self, read: Callable[[], None], alive: Alive) -> bool:
        """Waits until a running job has proved that it makes progress, and calls `read` for further events meanwhile.

        False if there is nothing to prove, or no longer: the job does not run. Adds a remark if it is not known soon
        enough whether the cause of an earlier stop is fixed.
        """
        aim = self._goal
        if aim is None or not aim.wants_proof:
            return False
        return self._prove(aim, read, alive) or aim.over

    def _prove(self, aim: Goal, read: Callable[[], None], alive: Alive) -> bool:
        try:
            job = self.created or self._job(aim.uid)
            if job is None:
                return True
            with closing(CommitWatch(self._kafka, self._prefix, job, aim.proves)) as commit_watch:
                while aim.wants_proof:
                    alive()
                    read()
                    if commit_watch.makes_progress():
                        return aim.wants_proof
                    if commit_watch.timed_out or time.monotonic() > self._deadline:
                        break
            unproved = "the job reads slowly or commits rarely"
        except (Doubt, JobFailure) as unseen:
            unproved = f"the offsets of the job cannot be read: {unseen}"
        if aim.wants_proof and aim.proves is Proof.CURE:
            doubt = (
                f"it is not known yet whether the cause of the stop is fixed ({unproved}); SHOW JOBS shows the status"
            )
            self._remarks = (*self._remarks, doubt)
        return aim.wants_proof

    def _job(self, uid: str) -> Job | None:
        return state_topic.read_current_state(self._kafka, self._prefix, lambda key: key == ("job", uid)).jobs.get(uid)

    def _state(self) -> State:
        return state_topic.read_current_state(self._kafka, self._prefix)

    def _statement(self, offset: int, reply: Answer) -> tuple[str, statements.Statement | None]:
        """The text of a command and its statement, which is None if the command was refused: it may not parse."""
        record = self._command(offset)
        if record is None or reply.verdict == REFUSED:
            return record.text if record else "", None
        try:
            return record.text, parse(record.text)
        except Refused:
            return record.text, None

    def _command(self, offset: int) -> ReceivedCommand | None:
        """The command at an offset of the log; None if there is none."""
        if offset < 0:
            return None
        with closing(self._kafka.consumer(f"{self._prefix}reader", committed=False)) as consumer:
            record = self._kafka.record_at(consumer, f"{self._prefix}{COMMANDS}", 0, offset)
        if record is None:
            return None
        from jobplane.controlplane.fetch.schemas import RegistryLookup

        headers: Any = record.headers()
        read = partial(read_command, offset, record.timestamp()[1], record.value(), headers, self._prefix)
        return RegistryLookup(self._registry, {}).read_with(read)


def _reply(event: Event, job: str, sent: Sent) -> Answer | None:
    """The outcome of the command if this event is its outcome, else None."""
    return answer_of(event, job) if _is_of(event.cause, sent) else None


def _is_of(cause: Cause, sent: Sent) -> bool:
    """Whether an event was caused by this command."""
    if cause.topic != COMMANDS:
        return False
    return cause.command_id == sent.command_id if sent.offset == NOWHERE else cause.offset == sent.offset
