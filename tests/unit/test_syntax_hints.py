"""The rows that answer what does not parse: each is met by a statement of the golden files, and can say its message."""

import re
from pathlib import Path
from string import Formatter

import pytest

from jobplane.schemas.errors import Refused
from jobplane.sql.syntax.parser import parse
from jobplane.sql.syntax.refusals.diagnostics import WINDOW
from jobplane.sql.syntax.refusals.peers import PEERS
from jobplane.sql.syntax.refusals.slips import SLIPS
from jobplane.sql.syntax.refusals.unsupported import UNSUPPORTED, RefusalRow

GOLDEN = Path(__file__).parent.parent / "golden"
ROWS = (*PEERS, *SLIPS, *UNSUPPORTED)
ANSWERS = "\n".join((GOLDEN / name).read_text() for name in ("errors.txt", "peers.txt", "slips.txt", "unbounded.txt"))


def fields(row: RefusalRow) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(row.message) if name is not None}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.before} {row.found}")
def test_what_a_message_names_is_matched(row: RefusalRow) -> None:
    groups = {*re.compile(row.before).groupindex, *re.compile(row.found).groupindex}
    assert fields(row) <= groups | {"before", "found"}


def test_a_statement_of_the_golden_files_meets_each_message() -> None:
    met = [re.sub(r"\\\{\w+\\\}", r"\\S.*", re.escape(row.message)) for row in ROWS]
    unmet = [one for one in met if not re.search(rf"\d+:\d+ {one}$", ANSWERS, re.MULTILINE)]
    assert unmet == []


@pytest.mark.parametrize("filler", ["MAPPING (", "INTO x ", "OPTIONS '", "WHERE , ", "-- \n", "( a -", "''"])
def test_a_long_statement_is_refused_as_a_short_one_is(filler: str) -> None:
    long = filler * (3 * WINDOW // len(filler))
    for text in (f"CREATE JOB a /* {long} */ AS INSERT INTO out SELECT a ! b FROM s", f"PAUSE /* {long} */ a"):
        with pytest.raises(Refused) as refused:
            parse(text)
        assert refused.value.code == "syntax"
    with pytest.raises(Refused, match="! is not an operator"):
        parse(f"CREATE JOB a /* {long} */ AS INSERT INTO out SELECT a ! b FROM s")
