"""What functions of packages do to records: whatever goes wrong in one is the error of its record."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import Any, TypeVar

import msgspec
import pytest

from jobplane.processors.pipeline import pipeline_of
from jobplane.schemas.failures import BadRecord
from jobplane.schemas.types import datatypes as t
from jobplane.schemas.types.datatypes import Instant, Type
from jobplane.sql.functions.guarded import guard_function
from jobplane.sql.packages import package_function
from tests.support.packages import OWNER, task, with_functions


def louder(text: str) -> str:
    return f"{text}!"


def test_values_go_in_and_out_as_the_annotations_say() -> None:
    def mean(values: list[float | None]) -> float | None:
        known = [one for one in values if one is not None]
        return sum(known) / len(known) if known else None

    def tagged(text: str | None, tags: dict[str, str | None]) -> str:
        return f"{text}:{','.join(f'{k}={v}' for k, v in tags.items())}"

    step = compiled(
        "SELECT mean(a) AS m, tagged(b, c) AS t, louder('x') AS l, louder(NULL) AS n FROM s", mean, tagged, louder
    )
    assert step(b'{"a": [1, null, 2], "b": null, "c": {"k": "v"}}') == b'{"m":1.5,"t":"None:k=v","l":"x!","n":null}'
    assert step(b'{"a": [], "b": "q", "c": {}}') == b'{"m":null,"t":"q:","l":"x!","n":null}'
    assert step(b'{"a": null, "b": "q", "c": null}') == b'{"m":null,"t":null,"l":"x!","n":null}'


def test_decimals_come_without_an_exponent_and_a_negative_zero() -> None:
    def thousand(number: Decimal) -> Decimal:
        return Decimal("1E+3") if number else Decimal("-0.00")

    step = compiled("SELECT thousand(CAST(a AS DECIMAL(5, 2))) AS x FROM s", thousand)
    assert step(b'{"a": 1}') == b'{"x":1000}'
    assert step(b'{"a": 0}') == b'{"x":0.00}'


class _Message:
    def __init__(self, value: bytes) -> None:
        self._value = value

    def value(self) -> bytes:
        return self._value

    def key(self) -> None:
        return None

    def timestamp(self) -> tuple[int, int]:
        return 1, 0

    def topic(self) -> str:
        return "s"

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return 7


def compiled(query: str, *functions: Callable[..., Any]) -> Callable[[bytes], bytes]:
    step = pipeline_of(task(query), with_functions(*functions)).step

    def one(value: bytes) -> bytes:
        written: list[tuple[Any, ...]] = []
        step(iter([_Message(value)]), lambda *record: written.append(record), lambda *_: None)
        return bytes(written[0][1])

    return one


def test_whatever_a_function_raises_is_the_record_s_error() -> None:
    class Odd(Exception):
        def __str__(self) -> str:
            raise ValueError

    errors: dict[str, BaseException] = {
        "key": KeyError("x"),
        "exit": SystemExit(3),
        "zero": ZeroDivisionError("division by zero"),
        "memory": MemoryError(),
        "lines": RuntimeError("a\nb"),
        "odd": Odd(),
    }

    def failing(how: str) -> int:
        raise errors[how]

    step = compiled("SELECT failing(how) AS x FROM s", failing)
    said = {}
    for how in errors:
        with pytest.raises(BadRecord) as caught:
            step(b'{"how": "%s"}' % how.encode())
        said[how] = caught.value.message
    assert said.pop("odd").startswith("FAILING: ")
    assert said == {
        "key": "FAILING: KeyError: 'x'",
        "exit": "FAILING: SystemExit: 3",
        "zero": "FAILING: ZeroDivisionError: division by zero",
        "memory": "FAILING: MemoryError",
        "lines": "FAILING: RuntimeError: a b",
    }


def test_constants_are_not_given_to_a_function_before_there_is_a_record() -> None:
    calls = []

    def counted(text: str = "") -> str:
        calls.append(text)
        return text

    def noted(text: str | None) -> str:
        calls.append(text or "none")
        return "noted"

    step = compiled("SELECT counted('a') AS a, counted() AS b, noted(NULL) AS c FROM s", counted, noted)
    assert calls == []
    assert step(b"{}") == b'{"a":"a","b":"","c":"noted"}'
    assert sorted(calls) == ["", "a", "none"]


N = TypeVar("N", int, float, Decimal)
WRONG: list[tuple[Any, Any, str]] = [
    (int, "a", "F returned a Python str; its annotation promises BIGINT"),
    (int, None, "F returned NULL; its annotation promises BIGINT"),
    (int, True, "F returned a Python bool; its annotation promises BIGINT"),
    (int, 2**63, "F returned a number of 64 bits, which is out of range for BIGINT"),
    (float, float("nan"), "F returned nan, which is not a number of SQL"),
    (float, float("inf"), "F returned inf, which is not a number of SQL"),
    (float, 10**400, "F returned a number out of range for DOUBLE"),
    (float, False, "F returned a Python bool; its annotation promises DOUBLE"),
    (Decimal, Decimal("NaN"), "F returned NaN, which is not a number of SQL"),
    (Decimal, Decimal(10**20), "F returned a number out of range for DECIMAL(38, 18)"),
    (Decimal, 1.5, "F returned a Python float; its annotation promises DECIMAL(38, 18)"),
    (bool, 1, "F returned a Python int; its annotation promises BOOLEAN"),
    (str, b"a", "F returned a Python bytes; its annotation promises VARCHAR"),
    (str, "\ud800", "F returned text that cannot be written as UTF-8"),
    (bytes, bytearray(b"a"), "F returned a Python bytearray; its annotation promises VARBINARY"),
    (datetime, datetime(2026, 1, 1, tzinfo=UTC), "F returned a datetime with a time zone; * TIMESTAMP, which has none"),
    (Instant, datetime(2026, 1, 1), "F returned a datetime without a time zone; * TIMESTAMP WITH TIME ZONE"),  # noqa: DTZ001
    (msgspec.Raw, msgspec.Raw(b"{"), "F returned text that is not JSON: "),
    (list[int], (1,), "F returned a Python tuple; its annotation promises an ARRAY, which is a list"),
    (list[int], [1, None, "a"], "F returned a Python str; its annotation promises BIGINT"),
    (dict[str, int], {1: 1}, "F returned a Python int; its annotation promises VARCHAR"),
    (
        str,
        "x" * (t.MAX_LENGTH + 1),
        "F returned a VARCHAR of 16,777,217 characters or elements; at most 16,777,216 are allowed",
    ),
]


def guard(annotation: Any, value: Any, returns: Type | None = None) -> Any:
    """What is made of a value that a function gives against its annotation, or by it."""

    def f() -> Any:
        return value

    f.__annotations__["return"] = annotation
    function = package_function(f, "F", OWNER)
    return guard_function(function, returns or (t.decimal(38, 18) if annotation is Decimal else function.returns))()


@pytest.mark.parametrize(("annotation", "value", "message"), WRONG)
def test_a_value_that_is_not_as_promised_is_the_record_s_error(annotation: Any, value: Any, message: str) -> None:
    with pytest.raises(BadRecord) as caught:
        guard(annotation, value)
    assert fnmatchcase(caught.value.message, f"{message}*")


class Level(str):
    __slots__ = ()


def test_values_that_are_as_good_become_what_was_promised() -> None:
    assert repr(guard(float, 3)) == "3.0"
    assert type(guard(str, Level("high"))) is str
    assert guard(Decimal, Decimal("0.1234567890123456785")) == Decimal("0.123456789012345679")
    assert guard(str | None, None) is None
    assert guard(list[int], [1, None]) == [1, None]
    assert guard(dict[str, float], {"a": 1, "b": None}) == {"a": 1.0, "b": None}
    east = datetime(2026, 1, 1, 2, tzinfo=timezone(timedelta(hours=2)))
    assert repr(guard(Instant, east)) == "datetime.datetime(2026, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)"
    assert [guard(N, one, t.NUMBER) for one in (1, 1.5, Decimal("1.25"))] == [1, 1.5, Decimal("1.25")]
