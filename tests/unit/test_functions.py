"""SHOW FUNCTIONS lists all there is."""

import re

from sql.catalogue import listed
from sql.expressions import ArithmeticOperator, ComparisonOperator
from sql.operators import FORMS, OPERATORS


def test_every_operator_is_listed_once() -> None:
    names = [name for name, _, _ in (*OPERATORS, *FORMS)]
    operators = {*ArithmeticOperator.__args__, *ComparisonOperator.__args__}  # type: ignore[attr-defined]
    assert operators <= set(names)
    assert len(names) == len(set(names))


def test_a_signature_says_how_it_is_written() -> None:
    for name, signature, meaning in listed():
        words = name.split()
        assert all(re.search(rf"(?:^|[\s\[]){re.escape(word)}(?:[\s(\[]|$)", signature) for word in words), name
        assert meaning
