"""Constants at fault: refused where a statement is judged, left to the records of jobs that were accepted before."""

from typing import Any

import pytest
from confluent_kafka import Message

from jobplane.processors.old_jobs import plan_of_text
from jobplane.processors.pipeline import pipeline
from jobplane.schemas.errors import TypeMismatch
from jobplane.schemas.failures import BadRecord
from jobplane.schemas.records.sources import Sink, Source
from jobplane.sql.explain import explain
from jobplane.sql.plan.plan import plan
from jobplane.sql.syntax import statements
from jobplane.sql.syntax.parser import parse, parse_insert
from jobplane.sql.types.typed import LARGEST_CONSTANT, Apply, Constant

FAULTS = [
    ("1 / 0", "division by zero"),
    ("x / 0", "division by zero"),
    ("FROM_HEX('zz')", "'zz' is not hexadecimal, which is written like '00ff'"),
    ("REGEXP_EXTRACT(y, 'a', 1)", "'a' has no group 1; it has 0"),
    ("MAKE_DATE(x, 13, 1)", "there is no such DATE as '"),
    ("CAST('x' AS INTEGER)", "'x' is not a whole number"),
]


@pytest.mark.parametrize(("expression", "message"), FAULTS)
def test_refused_where_it_is_judged(expression: str, message: str) -> None:
    insert = parse_insert(f"INSERT INTO out SELECT {expression} AS n FROM s")
    for judge in (lambda: plan(insert), lambda: explain([insert])):
        with pytest.raises(TypeMismatch) as caught:
            judge()
        assert caught.value.message.startswith(message)
        assert str(caught.value.place) == "1:24"


@pytest.mark.parametrize(("expression", "message"), FAULTS)
def test_a_job_accepted_before_goes_on(expression: str, message: str) -> None:
    """Its records without an `x` or `y` may have a value, the others fail as they did."""
    statement = f"CREATE JOB j AS INSERT INTO out SELECT {expression} AS n FROM s WHERE id > 0"
    sources = (Source("s", "id-s", (0,)),)
    sinks = (Sink("out", "id-out", 1),)
    step = pipeline(lambda: plan_of_text(statement, sources, sinks), {}, sources, sinks).step
    written: list[Any] = []

    def through(value: bytes) -> tuple[int, int]:
        message = Message("s", 0, 0, b"k", value, None, None, (1, 5))
        return step(iter([message]), lambda *record: written.append(record), lambda *_: None)

    assert through(b'{"id": 0}') == (0, 0)
    with pytest.raises(BadRecord) as caught:
        through(b'{"id": 1, "x": 7, "y": "b"}')
    assert caught.value.message.startswith(message)
    assert written == []


def value_of(expression: str) -> Any:
    statement = parse(f"CREATE JOB j AS INSERT INTO out SELECT {expression} AS n FROM s")
    assert isinstance(statement, statements.CreateJob)
    (branch,) = plan(statement.inserts[0]).branches
    return branch.outputs[0].value


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("1 + 2 * 3", 7),
        ("UPPER('a') || REPEAT('b', 2)", "Abb"),
        ("CASE WHEN 1 > 2 THEN a ELSE 'x' END", "x"),
        ("CASE 2 WHEN 1 THEN 'one' WHEN 2 THEN 'two' END", "two"),
        ("COALESCE(NULL, 5, a)", 5),
        ("NULLIF(1, 1.0)", None),
        ("NOT (TRUE AND (FALSE OR 1 IN (1, 2)))", False),
        ("NULL IS NOT NULL", False),
        ("5 BETWEEN SYMMETRIC 9 AND 1", True),
        ("ARRAY[1, 2] = ARRAY[1, 2.0]", True),
        ("JSON_VALUE('{\"a\": [1, 2]}', '$.a[1]' RETURNING BIGINT)", 2),
        ("TRY_CAST('x' AS DATE)", None),
        ("TYPEOF(1.50)", "DECIMAL(3, 2)"),
    ],
)
def test_constants_are_evaluated_once(expression: str, value: Any) -> None:
    found = value_of(expression)
    assert isinstance(found, Constant)
    assert found.value == value


def test_what_is_large_is_left_to_the_record() -> None:
    assert isinstance(value_of(f"REPEAT('x', {LARGEST_CONSTANT})"), Constant)
    assert isinstance(value_of(f"REPEAT('x', {LARGEST_CONSTANT + 1})"), Apply)
