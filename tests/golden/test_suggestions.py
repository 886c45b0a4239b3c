"""What is told about functions of other systems: suggestions.txt, to be read by a person; each proposal compiles."""

import os
import re
from pathlib import Path

import pytest

from jobplane.schemas.errors import STATEMENT_START, Refused
from jobplane.sql.analysis.calls import refuse_unknown
from jobplane.sql.analysis.foreign_functions import ANOTHER, ELSEWHERE
from jobplane.sql.functions import BUILT_IN
from jobplane.sql.plan.plan import plan
from jobplane.sql.syntax.parser import parse
from tests.golden.test_sql_fixtures import insert_of

GOLDEN = Path(__file__).parent / "suggestions.txt"


def told(name: str) -> str:
    try:
        refuse_unknown(name, STATEMENT_START, BUILT_IN)
    except Refused as refused:
        message = refused.message
        if message.endswith("; SHOW FUNCTIONS lists them"):
            return "…"
        return message.removeprefix(f"there is no function {name}; ")
    return "is there"


def test_no_suggestion_has_another_meaning() -> None:
    lines = GOLDEN.read_text().splitlines()
    names = [line.split(" → ")[0] for line in lines]
    answered = [
        f"{name} → {told(name)}" if name and name[0] != "#" else line for name, line in zip(names, lines, strict=True)
    ]
    text = "\n".join(answered) + "\n"
    if "UPDATE_GOLDEN" in os.environ:
        GOLDEN.write_text(text)
    assert GOLDEN.read_text() == text
    assert sum(" → " in line for line in answered) > 500


@pytest.mark.parametrize("proposal", sorted(set(ELSEWHERE.values())))
def test_what_is_proposed_compiles(proposal: str) -> None:
    query = f"SELECT item {proposal}" if proposal.startswith("FROM ") else f"SELECT {proposal} AS made FROM source"
    plan(insert_of(parse(f"CREATE JOB a AS INSERT INTO target {query}")))


def test_no_function_of_ours_is_said_to_be_elsewhere() -> None:
    assert not BUILT_IN.functions.keys() & (ELSEWHERE.keys() | ANOTHER)
    assert not ELSEWHERE.keys() & ANOTHER
    assert all(re.fullmatch(r"[A-Z][A-Z0-9_]*", name) for name in ELSEWHERE)
