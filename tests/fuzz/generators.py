"""Everything that is tried, by its name."""

from tests.fuzz.commands import command
from tests.fuzz.formats import record
from tests.fuzz.schemas import schema
from tests.fuzz.statements import statement
from tests.fuzz.trying import Generator

GENERATORS: dict[str, Generator] = {
    "statements": statement,
    "schemas": schema,
    "commands": command,
    "formats": record,
}
SHARES = {"statements": 0.4, "schemas": 0.25, "commands": 0.35, "formats": 1.0}
"""Of the inputs asked for, which the first three have together. Bytes cost little: they have as many again."""
