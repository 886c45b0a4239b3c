"""The language as texts to read: identity.sql, errors.txt and rows/ beside this file."""

import os
from pathlib import Path

import pytest

from jobplane.schemas.errors import Refused
from jobplane.schemas.options import JobOptions
from jobplane.sql.mapping import build_mapping
from jobplane.sql.plan.inserts import plan_inserts
from jobplane.sql.syntax import statements
from jobplane.sql.syntax.parser import parse
from jobplane.sql.syntax.refusals.diagnostics import caret
from jobplane.sql.syntax.render.statements import render
from tests.support import rows

HERE = Path(__file__).parent


def identities() -> list[tuple[str, str]]:
    """Each text with its canonical form."""
    lines = (HERE / "identity.sql").read_text().splitlines()
    return [
        (line, after.removeprefix("--= ") if after.startswith("--= ") else line)
        for line, after in zip(lines, [*lines[1:], ""], strict=True)
        if line and not line.startswith("--")
    ]


@pytest.mark.parametrize(("text", "canonical"), identities())
def test_identity(text: str, canonical: str) -> None:
    statement = parse(text)
    assert render(statement) == canonical
    assert parse(canonical) == statement


@pytest.mark.parametrize("name", ["errors.txt", "peers.txt", "sets.txt", "slips.txt", "unbounded.txt"])
def test_errors(name: str) -> None:
    path = HERE / name
    before = path.read_text()
    answered = "\n\n".join(answer(block) for block in before.rstrip("\n").split("\n\n")) + "\n"
    if "UPDATE_GOLDEN" in os.environ:
        path.write_text(answered)
    assert path.read_text() == answered


def answer(block: str) -> str:
    """A statement with its error; a comment as it is."""
    text, _, _ = block.partition("\n----\n")
    return block if block.startswith("#") else f"{text}\n----\n{refusal(text)}"


def refusal(text: str) -> str:
    with pytest.raises(Refused) as caught:
        understand(parse(text))
    return f"{caught.value.code} {caret(text, caught.value.place, caught.value.message)}"


def understand(statement: statements.Statement) -> None:
    """All that is judged without knowing what is there."""
    match statement:
        case statements.CreateJob(options=options, inserts=inserts):
            JobOptions.read((o.name.text, o.value, o.name.place, o.value_place) for o in options)
            plan_inserts(inserts)
        case statements.AlterJob(change=statements.NewOptions(options=options)):
            JobOptions.read((o.name.text, o.value, o.name.place, o.value_place) for o in options)
        case statements.CreateMapping():
            build_mapping(statement)
        case _:
            pass


def insert_of(statement: statements.Statement) -> statements.Insert:
    assert isinstance(statement, statements.CreateJob)
    return statement.inserts[0]


@pytest.mark.parametrize("path", [*HERE.glob("rows/*.txt"), *HERE.glob("functions/*.txt")], ids=lambda path: path.stem)
def test_rows(path: Path) -> None:
    answered = rows.rewritten(path)
    if "UPDATE_GOLDEN" in os.environ:
        path.write_text(answered)
    assert path.read_text() == answered
