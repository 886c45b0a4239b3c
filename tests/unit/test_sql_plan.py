"""What a plan says of a query."""

import pytest

from schemas.errors import ColumnMismatch
from sql import nodes
from sql.parser import parse
from sql.plan import Kind, Plan, plan
from sql.types import Type


def planned(query: str, target: str = "out") -> Plan:
    statement = parse(f"CREATE JOB j AS INSERT INTO {target} {query}")
    assert isinstance(statement, nodes.CreateJob)
    return plan(statement.insert)


def fields(query: str) -> dict[str, Type]:
    return {field.name: field.type for field in planned(query).fields}


@pytest.mark.parametrize(
    ("query", "kind", "star"),
    [
        ("SELECT * FROM s", Kind.COPY, True),
        ("SELECT * FROM s WHERE a", Kind.COPY, True),
        ("SELECT *, a FROM s", Kind.PROJECT, True),
        ("SELECT a, * FROM s", Kind.PROJECT, True),
        ("SELECT a FROM s", Kind.PROJECT, False),
    ],
)
def test_kind(query: str, kind: Kind, star: bool) -> None:  # noqa: FBT001  # a parameter of the test
    found = planned(query)
    assert (found.kind, found.star) == (kind, star)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("SELECT a FROM s", {"a": Type.ANY}),
        ("SELECT a FROM s WHERE a IS NULL", {"a": Type.ANY}),
        ("SELECT a FROM s WHERE b > 5", {"b": Type.NUMBER, "a": Type.ANY}),
        ("SELECT a FROM s WHERE 'x' < b", {"b": Type.STRING, "a": Type.ANY}),
        ("SELECT -a FROM s WHERE b", {"b": Type.BOOLEAN, "a": Type.NUMBER}),
        ("SELECT a = b AS x FROM s", {"a": Type.SCALAR, "b": Type.SCALAR}),
        ("SELECT a = a AS x FROM s", {"a": Type.SCALAR}),
        ("SELECT a = NULL AS x FROM s", {"a": Type.ANY}),
        ("SELECT a FROM s WHERE a = b AND c = b AND d = c AND d = 1", dict.fromkeys("abcd", Type.NUMBER)),
        ("SELECT a FROM s WHERE d = 1 AND a = b AND c = d AND b = c", dict.fromkeys("dabc", Type.NUMBER)),
        ("SELECT a FROM s WHERE a = (b > 1)", {"a": Type.BOOLEAN, "b": Type.NUMBER}),
    ],
)
def test_types(query: str, expected: dict[str, Type]) -> None:
    assert fields(query) == expected


def test_names() -> None:
    assert [o.name for o in planned("SELECT a, b AS c, a + 1, -b, 'x' FROM s").outputs] == [
        "a",
        "c",
        "_col2",
        "_col3",
        "_col4",
    ]
    assert [o.name for o in planned("SELECT a, b AS c FROM s", "out (x, y)").outputs] == ["x", "y"]


def test_given_names_may_not_meet_made_names() -> None:
    with pytest.raises(ColumnMismatch):
        planned("SELECT a + 1, b AS _col0 FROM s")
