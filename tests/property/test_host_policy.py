"""Whatever happens, what the view of hosts keeps beside its hosts says the same as the hosts, and no task is lost."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from jobplane.controlplane.core.host_policy import STUCK_S, host_policy
from jobplane.controlplane.core.host_view import (
    HeldConfirmed,
    HostEnded,
    HostHeard,
    HostInput,
    HostNotStarted,
    HostUnreachable,
    HostView,
    RunEnded,
    StartTask,
    TaskNotWanted,
    TaskWanted,
    Tick,
)
from jobplane.processors.protocol.messages import TaskStatus
from jobplane.processors.protocol.steps import Step, TaskEnd

KEYS = [f"{job}/{task}" for job in "ab" for task in range(3)]
PARTITION = 7

keys = st.sampled_from(KEYS)
ages = st.sampled_from([0.0, STUCK_S + 1, 100.0])
steps = st.sampled_from([Step.POLL, Step.EVALUATE, Step.COMMIT])
number = st.integers(0, 9)
happenings = st.lists(
    st.one_of(
        st.tuples(st.just("wanted"), keys, st.integers(1, 3), st.booleans()),
        st.tuples(st.just("gone"), keys),
        st.tuples(st.just("says"), number, keys, steps, ages),
        st.tuples(st.just("ends"), number, st.sampled_from(TaskEnd)),
        st.tuples(st.just("dies"), number, st.sampled_from([-9, 1, 75])),
        st.tuples(st.just("unreachable"), number),
        st.tuples(st.just("not started"), number),
        st.tuples(st.just("confirmed")),
        st.tuples(st.just("passes"), st.sampled_from([0.5, 1.0, 40.0])),
    ),
    max_size=60,
)


def _event(view: HostView, now: float, happened: tuple[object, ...]) -> HostInput | None:
    """The event; None where it is about a host or a run that does not exist."""
    hosts = list(view.hosts)
    runs = sorted(view.running_in.items())
    match happened:
        case ("wanted", str(key), int(generation), bool(has_work)):
            return TaskWanted(key, key.partition("/")[0], PARTITION, generation, has_work)
        case ("gone", str(key)):
            return TaskNotWanted(key)
        case ("says", int(at), str(key), Step() as step, float(age)) if hosts:
            return HostHeard(hosts[at % len(hosts)], {key: TaskStatus(step, age, {})})
        case ("ends", int(at), TaskEnd() as end) if runs:
            key, host = runs[at % len(runs)]
            return RunEnded(host, key, 1, end)
        case ("dies", int(at), int(code)) if hosts:
            return HostEnded(hosts[at % len(hosts)], 1, code)
        case ("unreachable", int(at)) if hosts:
            return HostUnreachable(hosts[at % len(hosts)])
        case ("not started", int(at)) if hosts:
            return HostNotStarted(hosts[at % len(hosts)])
        case ("confirmed",):
            return HeldConfirmed(now, frozenset({PARTITION}))
        case ("passes", float()):
            return Tick()
    return None


@given(happenings)
def test_indexes_say_what_the_hosts_say(happened: list[tuple[object, ...]]) -> None:
    view, now = HostView(2), 0.0
    host_policy(view, Tick(), now)
    for one in happened:
        now += float(one[1]) if one[0] == "passes" and isinstance(one[1], float) else 0.01
        event = _event(view, now, one)
        if event is None:
            continue
        before = dict(view.running_in)
        for action in host_policy(view, event, now):
            if isinstance(action, StartTask):
                assert action.key not in before or isinstance(event, HostEnded | RunEnded), "a task runs once"
        listed = [(key, host) for host, state in view.hosts.items() for key in state.tasks]
        assert sorted(listed) == sorted(view.running_in.items())
        for state in view.hosts.values():
            assert state.of_job == Counter(state.tasks.values())
            assert state.statuses.keys() <= state.tasks.keys()
            assert state.late <= state.statuses.keys()
            assert not state.ended & state.tasks.keys()
        for key, task in view.wanted.items():
            waits = key in view.running_in or key in view.ended or key in view.not_before
            assert waits or not task.has_work, f"{key} is forgotten"
