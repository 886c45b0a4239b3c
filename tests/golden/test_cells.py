"""Every status with every command: what is answered, what follows, and the status after.

A block of cells.txt begins with a status and, after `=`, how job a comes into it; then a line for each command, given
to such a job anew. UPDATE_GOLDEN=1 rewrites the answers.
"""

import os
from pathlib import Path
from typing import get_args

import pytest

from jobplane.schemas.records.state import Status
from jobplane.sql.syntax import statements
from jobplane.sql.syntax.parser import parse
from tests.golden.test_sessions import line, tell
from tests.support.plane import Plane, topic

FILE = Path(__file__).parent / "cells.txt"
AS = "AS INSERT INTO out SELECT * FROM src"
COMMANDS = (
    f"CREATE JOB a {AS}",
    f"CREATE JOB IF NOT EXISTS a {AS}",
    "ALTER JOB a SUSPEND",
    "ALTER JOB a RESUME",
    "ALTER JOB a RESTART",
    "ALTER JOB a OPTIONS (metricsEnabled 'false')",
    "ALTER JOB a OPTIONS (parallelism '3')",
    "ALTER JOB a OPTIONS (parallelism '3') RESUME",
    "CREATE SNAPSHOT s FOR JOB a",
    "DROP SNAPSHOT s",
    "DROP JOB a",
    "DROP JOB IF EXISTS a",
    "DROP JOB a WITH SNAPSHOT s",
    "CREATE MAPPING m EXTERNAL NAME src TYPE Kafka",
    "DROP MAPPING m",
)


def blocks() -> list[str]:
    return FILE.read_text().rstrip("\n").split("\n\n")


@pytest.mark.parametrize("block", blocks(), ids=lambda block: block.split()[0])
def test_cells(block: str) -> None:
    played = play(block.split("\n", maxsplit=1)[0])
    if os.environ.get("UPDATE_GOLDEN"):
        FILE.write_text(FILE.read_text().replace(block, played))
    assert played == block


def play(heading: str) -> str:
    status, _, way = heading.partition("=")
    lines = [heading]
    for command in COMMANDS:
        plane = arrive(way)
        job = next(job for job in reversed(plane.state.jobs.values()) if job.name == "a")
        assert job.status == status.strip(), f"{way} leads to {job.status}"
        events = "; ".join(line(event) for event in tell(plane, command)) or "nothing"
        lines.append(f"    {command:<72} {events:<44} {plane.state.jobs[job.uid].status}")
    return "\n".join(lines)


def arrive(way: str) -> Plane:
    plane = Plane({name: topic(4, topic_id=f"id-{name}") for name in ("src", "out")})
    for said in way.split(";"):
        tell(plane, said.strip().replace(" …", f" {AS}"))
    return plane


def test_no_cell_is_missing() -> None:
    assert {block.split()[0] for block in blocks()} == set(Status)
    said = [parse(command) for command in COMMANDS]
    assert {type(statement) for statement in said} == set(get_args(statements.ChangingStatement))
    changes = [statement.change for statement in said if isinstance(statement, statements.AlterJob)]
    assert {change for change in changes if isinstance(change, statements.Action)} == set(statements.Action)
    assert {change.resumes for change in changes if isinstance(change, statements.NewOptions)} == {True, False}
