"""What people will write that is refused on purpose: SQL this version does not run, statements with no place here.

A row answers where the parser stops: the text before that place must end with `before`, and there begin with `found`.
In its message `{before}` and `{found}` stand for what they matched.
"""

import re
from dataclasses import dataclass

from schemas.errors import BadSyntax, InsertNeedsJob, NotSupported, Refused, SelectNotAllowed


@dataclass(frozen=True, slots=True)
class Row:
    before: str
    found: str
    message: str
    error: type[Refused] = NotSupported

    def answer(self, before: str, found: str) -> str | None:
        """The message, or None when this row has nothing to say here."""
        flags = re.IGNORECASE | re.ASCII
        there = re.match(self.found, found, flags)
        ended = re.search(rf"(?:{self.before})\Z", before, flags) if there else None
        if there is None or ended is None:
            return None
        return self.message.format(before=ended.group().strip(), found=there.group().upper())


_NAME = r'(?:[A-Z_]\w*|"(?:[^"]|"")+")\s*'
_NOW = "not supported by this version"

ROWS = (
    Row(r";\s*", r"\S", "one statement at a time; send what follows as a statement of its own", BadSyntax),
    Row(
        r"^",
        r"(INSERT|SINK)\b",
        "an INSERT runs inside a job, whose name stops it: CREATE JOB name AS INSERT INTO …",
        InsertNeedsJob,
    ),
    Row(
        r"^",
        r"(SELECT|VALUES)\b",
        "a query needs a topic to write to: CREATE JOB name AS INSERT INTO target SELECT …",
        SelectNotAllowed,
    ),
    Row(
        r"\bAS\s+",
        r"(SELECT|VALUES)\b",
        "a job has nobody to return rows to; write them to a topic: AS INSERT INTO target SELECT …",
        SelectNotAllowed,
    ),
    Row(r"^", r"EXPLAIN\b", f"EXPLAIN is {_NOW}"),
    Row(r"^", r"(UPDATE|DELETE|MERGE|TRUNCATE|WITH)\b", f"{{found}} is {_NOW}"),
    Row(r"\b(CREATE|DROP)\s+(OR\s+REPLACE\s+)?", r"(VIEW|INDEX|TABLE|TYPE|FUNCTION|DATA)\b", f"{{found}} is {_NOW}"),
    Row(r"\bCREATE\s+OR\s+REPLACE\s+", r"JOB\b", "a job is not replaced; drop it and create it again"),
    Row(r"", r"GROUP\s+BY\b", f"GROUP BY is {_NOW}"),
    Row(r"", r"HAVING\b", f"HAVING is {_NOW}"),
    Row(r"", r"ORDER\s+BY\b", f"ORDER BY is {_NOW}; a stream has no end to sort by"),
    Row(r"", r"(LIMIT|OFFSET|FETCH)\b(?=\s+[\w?])", f"{{found}} is {_NOW}"),
    Row(r"", r"(UNION|INTERSECT|EXCEPT)\b(?!\s+AS\b)", f"{{found}} is {_NOW}"),
    Row(r"", r"((INNER|CROSS|NATURAL|LEFT|RIGHT|FULL)\s+(OUTER\s+)?)*JOIN\b", f"JOIN is {_NOW}"),
    Row(rf"\bFROM\s+{_NAME}", r",", f"JOIN is {_NOW}; name one source"),
    Row(rf"\bFROM\s+{_NAME}", r"AS\b", f"an alias of the source is {_NOW}"),
    Row(rf"\bFROM\s+({_NAME})?", r"\(", f"subqueries and table functions are {_NOW}; name a topic"),
    Row(r"\(\s*", r"SELECT\b", f"subqueries are {_NOW}"),
    Row(r"\bSELECT\s+", r"(DISTINCT|ALL)\b", f"SELECT {{found}} is {_NOW}"),
    Row(r"", r"CASE\b(?=.*\bEND\b)", f"CASE is {_NOW}"),
    Row(r"", r"CAST\s*\(|::", f"CAST is {_NOW}"),
    Row(r"", r"EXISTS\s*\(", f"EXISTS is {_NOW}"),
    Row(r"", r"(NOT\s+)?(IN|LIKE|BETWEEN|SIMILAR)\b", f"{{found}} is {_NOW}; use =, <, AND, OR"),
    Row(
        r"\bIS\s+(NOT\s+)?", r"(TRUE|FALSE|UNKNOWN|DISTINCT)\b", f"IS {{found}} is {_NOW}; IS NULL and IS NOT NULL are"
    ),
    Row(r"", r"\|\|", f"the operator || is {_NOW}"),
    Row(r"", r"\?", f"parameters are {_NOW}; write the value"),
    Row(
        r"\bINTO\s+[^()]+(\([^()]*\)\s*)?", r"VALUES\b", f"VALUES is {_NOW}; a job reads a topic: SELECT … FROM source"
    ),
)

IN_EXPRESSION = (
    Row(_NAME, r"\(", f"functions are {_NOW}: {{before}}"),
    Row(_NAME, r"\.", f"names with a dot are {_NOW}: neither topic.column nor fields inside a field"),
    Row(r"", r"\[", f"access to elements is {_NOW}"),
)
"""Rows for where an operator could stand."""


def column_refusal(name: str) -> str | None:
    """Why a column may not be called so, if it may not. `__…` and `this` will mean the parts of the Kafka record."""
    if name.startswith("__"):
        return f"{name}: columns for the parts of a record (names that begin with __) are {_NOW}"
    if name == "this":
        return f"this, the whole value, is {_NOW}"
    if any(character in '"\\' or character < " " for character in name):
        return f'a column whose name holds ", \\ or a control character is {_NOW}'
    return None
