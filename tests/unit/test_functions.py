"""SHOW FUNCTIONS lists all there is."""

import re

from sql.nodes import ArithmeticOperator, ComparisonOperator
from sql.operators import SIGNATURES


def test_every_operator_is_listed_once() -> None:
    names = [name for name, _, _ in SIGNATURES]
    operators = {*ArithmeticOperator.__args__, *ComparisonOperator.__args__}  # type: ignore[attr-defined]
    assert sorted(names) == sorted({*operators, "AND", "OR", "NOT", "IS NULL", "IS NOT NULL"})


def test_a_signature_says_how_it_is_written() -> None:
    for name, signature, meaning in SIGNATURES:
        assert re.search(rf"(?:^|\s){re.escape(name)}(?:\s|$)", signature), name
        assert meaning
