"""Which task host runs which task, who is to blame when a host dies, and when a task starts again. Pure.

A host has many tasks, and most deaths have nothing to do with any of them: an out-of-memory killer, a person, another
task. So a death proves something against a task only where the task was alone in its host, and had committed no record
since the death before. A task whose host died starts again, with growing pauses; its job is suspended (HOST_DIED) only
after GIVE_UP such deaths in a row. A task that makes no step for 10 s takes its host with it, and is the one to blame;
one that waits for Kafka has 60 s, and is not to blame. A fenced task starts again only after the broker, asked
afterwards, says that this worker still holds its partition.
"""

import signal
from collections.abc import Mapping
from typing import assert_never

from jobplane.controlplane.core.host_view import (
    ASSUMED_LOAD,
    GIVE_UP,
    MOST_ALONE,
    PROVEN_S,
    Action,
    CloseHost,
    Closing,
    ConfirmInTouch,
    EndedRun,
    ForgetReports,
    HeldConfirmed,
    HostEnded,
    HostHeard,
    HostInput,
    HostNotStarted,
    HostState,
    HostUnreachable,
    HostView,
    KillHost,
    Log,
    Release,
    ReportHostDied,
    ReportTrouble,
    RunEnded,
    StartHost,
    StartTask,
    TaskNotWanted,
    TaskWanted,
    Tick,
    Update,
)
from jobplane.processors.protocol.messages import MUST_RESTART, TaskStatus
from jobplane.processors.protocol.steps import WAITS_FOR_KAFKA, TaskEnd

STUCK_S, STUCK_IN_KAFKA_S = 10.0, 60.0
NO_HOST_PAUSE_S = 1.0
"""How long a task waits if the machine has no process for it."""
_AFTER_CONFIRMATION = frozenset({TaskEnd.FENCED, TaskEnd.RELEASED})


def host_policy(view: HostView, event: HostInput, now: float) -> list[Action]:
    """What is to be done after an event, in this order. Changes `view`. `now` is in seconds of a monotonic clock."""
    policy = _Policy(view, now)
    match event:
        case Tick():
            policy.tick()
        case TaskWanted():
            policy.want(event)
        case TaskNotWanted(key):
            policy.let_go(key)
        case HeldConfirmed():
            policy.confirm(event)
        case HostHeard(host, statuses):
            policy.hear(host, statuses)
        case RunEnded():
            policy.end_run(event)
        case HostUnreachable(host):
            view.hosts[host].reachable = False
        case HostNotStarted(host):
            policy.lose_start(host)
        case HostEnded():
            policy.end_host(event)
        case Closing():
            view.closing = True
            policy.actions += [CloseHost(host) for host in view.hosts]
        case never:
            assert_never(never)
    return policy.actions


class _Policy:
    """One decision: the actions found so far."""

    def __init__(self, view: HostView, now: float) -> None:
        self._view, self._now = view, now
        self.actions: list[Action] = []

    def want(self, wanted: TaskWanted) -> None:
        view, key = self._view, wanted.key
        view.wanted[key] = wanted
        host = view.host_of(key)
        self.actions += [Update(one, key) for one, state in view.hosts.items() if one == host or key in state.ended]
        if host is None:
            self._consider(key)

    def let_go(self, key: str) -> None:
        view = self._view
        for known in (view.wanted, view.ended, view.deaths, view.not_before):
            known.pop(key, None)
        for host, state in view.hosts.items():
            state.ended.discard(key)
            if key in state.tasks:
                self.actions.append(Release(host, key))
            self.actions.append(ForgetReports(host, key))

    def confirm(self, held: HeldConfirmed) -> None:
        view = self._view
        self.actions += [ConfirmInTouch(host) for host in view.hosts]
        waiting = [key for key, one in view.ended.items() if one.end in _AFTER_CONFIRMATION and one.at < held.asked_at]
        for key in waiting:
            if view.wanted[key].partition in held.partitions:
                del view.ended[key]
                self._consider(key)

    def tick(self) -> None:
        view, now = self._view, self._now
        for key in [key for key, due in view.not_before.items() if due <= now]:
            del view.not_before[key]
            if key in view.wanted and view.host_of(key) is None:
                self._consider(key)
        self._start_missing_hosts()
        for host, state in view.hosts.items():
            if state.alone and now - state.started_at > PROVEN_S:
                self._clear(host, state)
        for host, state in view.hosts.items():
            stuck = {key: state.statuses[key] for key in state.late}
            if stuck or now - state.heard_at > STUCK_S:
                steps = {one.step for one in stuck.values()}
                state.blameless = bool(stuck) and steps <= WAITS_FOR_KAFKA
                state.stuck = frozenset(key for key, one in stuck.items() if one.step not in WAITS_FOR_KAFKA)
                state.heard_at = now
                waits = ", ".join(f"task {key} in step {one.step}" for key, one in sorted(stuck.items()))
                self.actions.append(KillHost(host, waits or "silent"))

    def hear(self, host: int, statuses: Mapping[str, TaskStatus]) -> None:
        state = self._view.hosts[host]
        state.heard_at = self._now
        for key, status in statuses.items():
            if key in state.tasks:
                before = state.statuses.get(key)
                gained = status.busy_seconds - (before.busy_seconds if before is not None else 0.0)
                if gained > 0:
                    state.load = state.load.used(gained, self._now)
                state.statuses[key] = status
                (state.late.add if _is_stuck(status) else state.late.discard)(key)

    def end_run(self, ended: RunEnded) -> None:
        view, key, state = self._view, ended.key, self._view.hosts[ended.host]
        state.heard_at = self._now
        status = view.end_run(key, ended.host)
        if key not in view.wanted:
            return
        view.ended[key] = EndedRun(ended.generation, ended.end, ended.copied, self._now)
        if ended.end is TaskEnd.CRASHED:
            self.actions.append(Log(f"the runner of task {key} crashed; its host's standard error says why"))
            self._count_death(key, state, status, "its runner crashed")
        else:
            self._consider(key)
        if state.alone and not state.tasks:
            self.actions.append(CloseHost(ended.host))

    def lose_start(self, host: int) -> None:
        """The machine had no process to give: its tasks try again later, and nobody is to blame."""
        for key in self._view.lose_host(host).tasks:
            self._view.not_before[key] = self._now + NO_HOST_PAUSE_S

    def end_host(self, ended: HostEnded) -> None:
        view, state = self._view, self._view.lose_host(ended.host)
        if view.closing:
            return
        blameless = state.blameless or ended.code == MUST_RESTART
        if blameless:
            self.actions.append(
                Log(f"task host {ended.pid} is replaced: calls of its Kafka clients did not return", is_error=False)
            )
        elif state.tasks or not state.alone:
            self.actions.append(Log(f"task host {ended.pid} ended with {ended.code}"))
        self._start_missing_hosts()
        for key in sorted(state.ended & view.wanted.keys()):
            if view.host_of(key) is None:  # its last report may be lost
                view.ended.pop(key, None)
                self._consider(key)
        for key in sorted(state.tasks.keys() & view.wanted.keys()):
            if blameless or (state.stuck and key not in state.stuck):
                self._consider(key)
            else:
                self._count_death(key, state, state.statuses.get(key), _cause_of_death(state, ended.code))

    def _consider(self, key: str) -> None:
        """Starts a task, unless there is nothing for it to do, or it waits for a pause or the word of the broker."""
        view = self._view
        task, ended = view.wanted[key], view.ended.get(key)
        if view.closing or not task.has_work or key in view.not_before:
            return
        if ended is not None and (ended.is_done_with(task) or ended.end in _AFTER_CONFIRMATION):
            return
        host = self._choose(key)
        view.place(key, host)
        view.hosts[host].load = view.hosts[host].load.plus(ASSUMED_LOAD, self._now)
        view.ended.pop(key, None)
        self.actions.append(StartTask(host, key, view.deaths_of(key).total))

    def _choose(self, key: str) -> int:
        """The host of its own for a task that is suspected; else the one with the lowest load.

        Where loads are equal, it is the one with the fewest tasks of the job, then of all.
        """
        view = self._view
        if view.deaths_of(key).suspected and sum(one.alone for one in view.hosts.values()) < MOST_ALONE:
            return self._start_host(alone=True)
        shared = [host for host, state in view.hosts.items() if not state.alone and state.reachable]
        job = view.wanted[key].job

        def load(host: int) -> tuple[float, int, int]:
            state = view.hosts[host]
            return round(state.load.cores_at(self._now), 1), state.of_job[job], len(state.tasks)

        return min(shared, key=load) if shared else self._start_host(alone=False)

    def _start_host(self, *, alone: bool) -> int:
        view = self._view
        view.last_host += 1
        view.hosts[view.last_host] = HostState(alone, self._now, self._now)
        self.actions.append(StartHost(view.last_host))
        return view.last_host

    def _start_missing_hosts(self) -> None:
        """The shared hosts that are missing: at the start, and after the machine had no process to give."""
        missing = self._view.shared - sum(not one.alone for one in self._view.hosts.values())
        if not self._view.closing:
            for _ in range(missing):
                self._start_host(alone=False)

    def _clear(self, host: int, state: HostState) -> None:
        """A task that has lived alone for long enough goes back among the others, once it has committed."""
        for key in sorted(state.tasks):
            self._view.deaths[key] = self._view.deaths_of(key).cleared()
            self.actions.append(Release(host, key))

    def _count_death(self, key: str, state: HostState, status: TaskStatus | None, how: str) -> None:
        view, progress = self._view, status is not None and status.committed
        deaths = view.deaths[key] = view.deaths_of(key).another(alone=state.alone, progress=progress)
        if deaths.given_up:
            message = (
                f"the process that ran task {key}, and nothing else, died {GIVE_UP} times in a row "
                f"without a record committed between, the last time {how}"
            )
            view.ended[key] = EndedRun(view.wanted[key].generation, TaskEnd.FAILED, frozenset(), self._now)
            del view.deaths[key]
            self.actions.append(ReportHostDied(key, message))
            return
        if deaths.pause_s:
            view.not_before[key] = self._now + deaths.pause_s
            self.actions.append(
                ReportTrouble(
                    key,
                    f"its host has died {deaths.total} times, the last time {how}; "
                    f"it starts again in {deaths.pause_s:g} s",
                )
            )
        self._consider(key)


def _is_stuck(status: TaskStatus) -> bool:
    return status.age > (STUCK_IN_KAFKA_S if status.step in WAITS_FOR_KAFKA else STUCK_S)


def _cause_of_death(state: HostState, code: int) -> str:
    """How a host ended, for people."""
    if state.stuck:
        return "killed because it made no step"
    return f"by signal {-code} ({signal.strsignal(-code)})" if code < 0 else f"with exit code {code}"
