"""What a plan says of a query."""

import pytest

from jobplane.schemas.errors import ColumnMismatch
from jobplane.schemas.types import datatypes as t
from jobplane.schemas.types.datatypes import Type
from jobplane.sql.plan.graph import Branch
from jobplane.sql.plan.plan import plan
from jobplane.sql.syntax import statements
from jobplane.sql.syntax.parser import parse


def planned(query: str, target: str = "out") -> Branch:
    statement = parse(f"CREATE JOB j AS INSERT INTO {target} {query}")
    assert isinstance(statement, statements.CreateJob)
    (branch,) = plan(statement.inserts[0]).branches
    return branch


def fields(query: str) -> dict[str, Type]:
    return {read.key: read.type for read in planned(query).reads}


@pytest.mark.parametrize(
    ("query", "copies", "star"),
    [
        ("SELECT * FROM s", True, True),
        ("SELECT * FROM s WHERE a", True, True),
        ("SELECT *, a FROM s", False, True),
        ("SELECT a, * FROM s", False, True),
        ("SELECT a FROM s", False, False),
    ],
)
def test_copies(query: str, copies: bool, star: bool) -> None:  # noqa: FBT001  # parameters of the test
    found = planned(query)
    assert (found.copies, found.star) == (copies, star)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("SELECT a FROM s", {"a": t.JSON}),
        ("SELECT a FROM s WHERE a IS NULL", {"a": t.JSON}),
        ("SELECT a FROM s WHERE b > 5", {"b": t.NUMBER, "a": t.JSON}),
        ("SELECT a FROM s WHERE 'x' < b", {"b": t.VARCHAR, "a": t.JSON}),
        ("SELECT -a FROM s WHERE b", {"b": t.BOOLEAN, "a": t.NUMBER}),
        ("SELECT a = b AS x FROM s", {"a": t.SCALAR, "b": t.SCALAR}),
        ("SELECT a = a AS x FROM s", {"a": t.SCALAR}),
        ("SELECT a = NULL AS x FROM s", {"a": t.JSON}),
        ("SELECT a FROM s WHERE a = b AND c = b AND d = c AND d = 1", dict.fromkeys("abcd", t.NUMBER)),
        ("SELECT a FROM s WHERE d = 1 AND a = b AND c = d AND b = c", dict.fromkeys("dabc", t.NUMBER)),
        ("SELECT a FROM s WHERE a = (b > 1)", {"a": t.BOOLEAN, "b": t.NUMBER}),
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
