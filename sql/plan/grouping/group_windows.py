"""The windows by which rows are grouped, as the steps before a group and the group itself have them."""

from collections.abc import Iterable
from datetime import timedelta

from msgspec.structs import replace

from jobplane.sql.plan.graph import Branch, Step, values_of
from jobplane.sql.plan.operators import GroupOperator, WindowOperator
from jobplane.sql.plan.usage import keys_of
from jobplane.sql.runtime.windows import Windows
from jobplane.sql.types.typed import Apply, Constant, Field, Typed


def slices_of(branch: Branch, group: GroupOperator, *, apart: bool) -> Windows | None:
    """The windows that are put together from panes when they are emitted; None where groups lie in whole windows.

    `apart` is that of all branches that fill the group.
    """
    window = window_of(branch.steps, group)
    if window is None or window.windows.count == 1 or group.changes or not apart:
        return None
    return window.windows


def gap_of(branch: Branch, group: GroupOperator) -> timedelta | None:
    """How long a session waits for another record; None where windows are no sessions."""
    window = window_of(branch.steps, group)
    if window is None or not window.windows.session:
        return None
    return timedelta(microseconds=window.windows.size)


def window_of(steps: Iterable[Step], group: GroupOperator) -> WindowOperator | None:
    """The window function by whose windows rows are grouped."""
    if not group.window:
        return None
    return next(step for step in steps if isinstance(step, WindowOperator) and step.slice == group.slice)


def is_of_window(window: WindowOperator, group: GroupOperator) -> bool:
    """Whether the window's keys are its start and end themselves."""
    keys = {one.name: one.value for one in group.keys}
    found = [value.key if isinstance(value := keys[name], Field) else "" for name in group.window]
    return found == [window.start, window.end]


def is_apart(steps: tuple[Step, ...], group: GroupOperator) -> bool:
    """Whether windows are nothing but keys of the group, so that no value is computed for each of them."""
    window = window_of(steps, group)
    if window is None or not is_of_window(window, group):
        return False
    after = [value for step in steps[steps.index(window) + 1 :] for value in values_of(step)]
    keys = tuple(one for one in group.keys if one.name not in group.window)
    used = [*after, *values_of(replace(group, keys=keys))]
    return not any({window.start, window.end} & keys_of(value).keys() for value in used)


def are_apart(branches: Iterable[Branch], group: GroupOperator) -> bool:
    """`is_apart` of all branches that fill a group."""
    return all(is_apart(one.steps, group) for one in branches)


def lag_of(value: Typed) -> tuple[timedelta, Typed] | None:
    """The interval that a watermark subtracts from a time, and the time."""
    match value:
        case Apply("subtract-interval", (time, Constant(timedelta() as lag))) if lag >= timedelta():
            return lag, time
    return None
