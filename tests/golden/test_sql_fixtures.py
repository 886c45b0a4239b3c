"""The language as texts to read: identity.sql, errors.txt and rows.txt beside this file."""

from pathlib import Path

import pytest
from confluent_kafka import Message

from schemas.errors import Refused
from schemas.failures import BadRecord
from schemas.options import JobOptions
from schemas.values import Mapping
from sql import nodes
from sql.compile import Wiring, compile_step
from sql.diagnostics import caret
from sql.mapping import mapping_of
from sql.parser import parse
from sql.plan import plan
from sql.render import render

HERE = Path(__file__).parent


def identities() -> list[tuple[str, str]]:
    """Each text with its canonical form."""
    lines = (HERE / "identity.sql").read_text().splitlines()
    return [
        (line, after.removeprefix("--= ") if after.startswith("--= ") else line)
        for line, after in zip(lines, [*lines[1:], ""], strict=True)
        if line and not line.startswith("--")
    ]


def blocks(name: str) -> list[str]:
    text = (HERE / name).read_text()
    return [block for block in text.rstrip("\n").split("\n\n") if not block.startswith("#")]


@pytest.mark.parametrize(("text", "canonical"), identities())
def test_identity(text: str, canonical: str) -> None:
    statement = parse(text)
    assert render(statement) == canonical
    assert parse(canonical) == statement


@pytest.mark.parametrize("block", blocks("errors.txt"))
def test_error(block: str) -> None:
    text, _, expected = block.partition("\n----\n")
    assert refusal(text) == expected


def refusal(text: str) -> str:
    with pytest.raises(Refused) as caught:
        understand(parse(text))
    return f"{caught.value.code} {caret(text, caught.value.place, caught.value.message)}"


def understand(statement: nodes.Statement) -> None:
    """All that is judged without knowing what is there."""
    match statement:
        case nodes.CreateJob(options=options, insert=insert):
            JobOptions.read((o.name.text, o.value, o.name.place, o.value_place) for o in options)
            plan(insert)
        case nodes.AlterJob(change=nodes.NewOptions(options=options)):
            JobOptions.read((o.name.text, o.value, o.name.place, o.value_place) for o in options)
        case nodes.CreateMapping():
            mapping_of(statement)
        case _:
            pass


def insert_of(statement: nodes.Statement) -> nodes.Insert:
    assert isinstance(statement, nodes.CreateJob)
    return statement.insert


@pytest.mark.parametrize("block", blocks("rows.txt"))
def test_rows(block: str) -> None:
    lines = block.split("\n")
    mapped = [line for line in lines if line.startswith("@ ")]
    mappings = {one.name: one for one in map(mapping, mapped)}
    query, *rest = lines[len(mapped) :]
    inputs = [line[2:] for line in rest if line.startswith("> ")]
    answers = [row for value in inputs for row in answer(query, value, mappings)]
    assert "\n".join([*mapped, query, *answers]) == block


def mapping(line: str) -> Mapping:
    statement = parse(line.removeprefix("@ "))
    assert isinstance(statement, nodes.CreateMapping)
    return mapping_of(statement)


def answer(query: str, value: str, mappings: dict[str, Mapping]) -> list[str]:
    """One record's lines in rows.txt: `>` the value read, then `<` the value written, `~` skipped or `!` refused."""
    insert = insert_of(parse(f"CREATE JOB j AS INSERT INTO out {query}"))
    step = compile_step(plan(insert, mappings, mappings.get("out")), Wiring("out", 1, {"s": "s"}, {"s": 0})).step
    written: list[bytes | None] = []
    message = Message("s", 0, 0, b"k", None if value == "NULL" else value.encode(), None, None, (1, 5))
    try:
        _, skipped = step(iter([message]), lambda *record: written.append(record[1]), lambda *_: None)
    except BadRecord as error:
        return [f"> {value}", f"! {error}"]
    return [f"> {value}", *(f"< {v.decode() if v is not None else 'NULL'}" for v in written), *["~ skipped"] * skipped]
