"""Decides whether a query can do what the option `tombstones` says, at CREATE JOB and ALTER JOB."""

from collections.abc import Callable, Sequence

from jobplane.controlplane.core.facts import value_place
from jobplane.schemas.errors import BadOptionValue, Place
from jobplane.schemas.options import TOMBSTONES, JobOptions, Tombstones
from jobplane.schemas.records.plans import RecordedPlan
from jobplane.sql.plan.recording import UnreadablePlan, read
from jobplane.sql.plan.tombstones import columns_in_the_way, needs_value
from jobplane.sql.syntax import statements
from jobplane.sql.syntax.parts import KEY


def check_tombstones(
    given: Sequence[statements.Option], options: JobOptions, plan: Callable[[], RecordedPlan], otherwise: Place
) -> tuple[str, ...]:
    """The notice if the option is given and has no effect.

    Raises BadOptionValue if tombstones cannot be forwarded. `plan` is asked for only if the option is given.
    """
    if all(option.name.text != TOMBSTONES for option in given):
        return ()
    place = value_place(given, TOMBSTONES, otherwise)
    try:
        planned = read(plan())
    except UnreadablePlan as reason:
        raise BadOptionValue(f"the plan of the job's query cannot be read here: {reason}", place) from None
    if not needs_value(planned):
        return (f"{TOMBSTONES}: it has no effect: the query processes a record without a value like any record",)
    if options.tombstones is Tombstones.FORWARD and any(branch.group is not None for branch in planned.branches):
        message = f"a record of a group stands for many records; leave {TOMBSTONES} 'skip'"
        raise BadOptionValue(message, place)
    columns = columns_in_the_way(planned)
    if options.tombstones is Tombstones.FORWARD and columns:
        message = (
            f"a record without a value cannot be forwarded: the query computes {', '.join(columns)} from the value"
        )
        remedy = f"compute from {KEY} alone, or leave {TOMBSTONES} 'skip'"
        raise BadOptionValue(f"{message}; {remedy}", place)
    return ()
