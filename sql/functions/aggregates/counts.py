"""COUNT, and what holds for every value or for any."""

from typing import Any

from jobplane.schemas.types import datatypes as t
from jobplane.sql.functions.aggregates.accumulator import Accumulator
from jobplane.sql.functions.aggregates.aggregate import ANYTHING, declare, parameter


class Count(Accumulator):
    state_type = int
    code = "{state} + 1"
    plain = "True"

    def init(self) -> int:
        return 0

    def add(self, state: int, *_: Any) -> int:
        return state + 1

    def merge(self, state: int, later: int) -> int:
        return state + later

    def result(self, state: int) -> int:
        return state


class Every(Accumulator):
    state_type = bool | None
    code = "{0} if {state} is None else {state} and {0}"

    def init(self) -> None:
        return None

    def add(self, state: bool | None, value: bool) -> bool:  # noqa: FBT001  # a value of SQL
        return value if state is None else state and value

    def merge(self, state: bool | None, later: bool | None) -> bool | None:  # noqa: FBT001
        return state if later is None else self.add(state, later)

    def result(self, state: bool | None) -> bool | None:  # noqa: FBT001
        return state


class Some(Every):
    code = "{0} if {state} is None else {state} or {0}"

    def add(self, state: bool | None, value: bool) -> bool:  # noqa: FBT001
        return value if state is None else state or value


COUNTS = (
    *declare("COUNT", (), t.BIGINT, lambda _: Count(), "How many records there are.", gives_null=False),
    *declare(
        "COUNT",
        (parameter("value", ANYTHING),),
        t.BIGINT,
        lambda _: Count(),
        "How many values are not NULL.",
        gives_null=False,
    ),
    *declare(
        "EVERY BOOL_AND",
        (parameter("condition", t.BOOLEAN),),
        t.BOOLEAN,
        lambda _: Every(),
        "Whether the condition is TRUE for all records.",
    ),
    *declare(
        "ANY SOME BOOL_OR",
        (parameter("condition", t.BOOLEAN),),
        t.BOOLEAN,
        lambda _: Some(),
        "Whether the condition is TRUE for at least one record.",
    ),
)
