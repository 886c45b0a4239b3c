"""SHOW FUNCTIONS lists all there is, and tests/golden/functions shows what each does."""

import re
from pathlib import Path

from jobplane.sql.functions import BUILT_IN
from jobplane.sql.functions.listing import FORMS, OPERATORS, list_functions
from jobplane.sql.syntax.expressions import ArithmeticOperator, ComparisonOperator
from tests.support.rows import blocks

GOLDEN = Path(__file__).parent.parent / "golden/functions"


def test_every_operator_is_listed_once() -> None:
    names = [name for name, _, _ in (*OPERATORS, *FORMS)]
    operators = {*ArithmeticOperator.__args__, *ComparisonOperator.__args__}  # type: ignore[attr-defined]
    assert operators <= set(names)
    assert len(names) == len(set(names))


def test_a_signature_says_how_it_is_written() -> None:
    for name, signature, meaning, _ in list_functions():
        words = name.split()
        assert all(re.search(rf"(?:^|[\s\[]){re.escape(word)}(?:[\s(\[]|$)", signature) for word in words), name
        assert meaning


def test_every_function_has_a_row_with_a_null() -> None:
    shown = [block for path in GOLDEN.glob("*.txt") for block in blocks(path) if "null" in block]
    queries = [line for block in shown for line in block.splitlines() if line.startswith("SELECT")]
    called = {name.upper() for query in queries for name in re.findall(r"\b(\w+)\(", query)}
    forms = {"AT_TIME_ZONE": "AT TIME ZONE", "EXTRACT": "EXTRACT("}
    assert [
        name for name in BUILT_IN.functions if name not in called and forms.get(name, "?") not in "".join(queries)
    ] == []
