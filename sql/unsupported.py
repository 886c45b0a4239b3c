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
        there = re.match(self.found, found, re.IGNORECASE)
        ended = re.search(rf"(?:{self.before})\Z", before, re.IGNORECASE) if there else None
        if there is None or ended is None:
            return None
        return self.message.format(before=ended.group().strip(), found=there.group().upper())


_NAME = r'(?:[^\W\d]\w*|"(?:[^"]|"")+")\s*'
_NOW = "not supported by this version"
_STATE = "needs state, which jobs of this version do not keep"

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
    Row(r"^", r"(UPDATE|DELETE|MERGE|TRUNCATE)\b", f"{{found}} is {_NOW}"),
    Row(r"\b(CREATE|DROP)\s+(OR\s+REPLACE\s+)?", r"(VIEW|INDEX|TABLE|TYPE|FUNCTION|DATA)\b", f"{{found}} is {_NOW}"),
    Row(r"\bCREATE\s+OR\s+REPLACE\s+", r"JOB\b", "a job is not replaced; drop it and create it again"),
    Row(r"", r"GROUP\s+BY\b", f"GROUP BY {_STATE}"),
    Row(r"", r"HAVING\b", f"HAVING {_STATE}"),
    Row(r"\bOVER\s*", r"\(", f"OVER {_STATE}"),
    Row(r"", r"WINDOW\b(?=\s+\w+\s+AS\b)", f"WINDOW {_STATE}"),
    Row(r"", r"(QUALIFY|WITHIN\s+GROUP|FILTER\s*\()", f"{{found}} {_STATE}"),
    Row(r"\bFILTER\s*", r"\(\s*WHERE\b", f"FILTER (WHERE …) {_STATE}"),
    Row(r"", r"ORDER\s+BY\b", f"ORDER BY is {_NOW}; a stream has no end to sort by"),
    Row(r"", r"(LIMIT|OFFSET|FETCH)\b(?=\s+[\w?])", f"{{found}} is {_NOW}"),
    Row(r"", r"(INTERSECT|EXCEPT)\b(?!\s+AS\b)", f"{{found}} {_STATE}"),
    Row(r"\bUNION\s+", r"(DISTINCT|SELECT)\b", f"UNION without ALL {_STATE}; write UNION ALL"),
    Row(r"", r"((INNER|CROSS|NATURAL|LEFT|RIGHT|FULL)\s+(OUTER\s+)?)*JOIN\b", f"JOIN {_STATE}"),
    Row(r"\bCROSS\s+JOIN\s+", _NAME, f"JOIN {_STATE}; CROSS JOIN UNNEST(…) is there"),
    Row(rf"\bFROM\s+{_NAME}((AS\s+)?{_NAME})?,\s*", _NAME, f"JOIN {_STATE}; name one source"),
    Row(r"\bFROM\s+", r"UNNEST\b", "UNNEST takes arrays out of records: FROM source CROSS JOIN UNNEST(…) AS name"),
    Row(r"\bWITH\s+RECURSIVE\s+", _NAME, f"WITH RECURSIVE is {_NOW}"),
    Row(r"(\(|,|=|<|>)\s*", r"(SELECT|WITH)\b", f"subqueries stand after FROM only; elsewhere one {_STATE}"),
    Row(r"\bSELECT\s+", r"DISTINCT\b", f"SELECT DISTINCT {_STATE}"),
    Row(r"\bSELECT\s+", r"ALL\b", "leave out ALL: all rows are what SELECT gives"),
    Row(r"\(\s*", r"DISTINCT\b", f"DISTINCT {_STATE}"),
    Row(rf"{_NAME}\(\s*", r"\*", f"{{before}}*) {_STATE}"),
    Row(r"", r"EXISTS\s*\(", f"EXISTS {_STATE}"),
    Row(r"", r"(NOT\s+)?(SIMILAR\s+TO|ILIKE|REGEXP|RLIKE)\b", f"{{found}} is {_NOW}; use LIKE or REGEXP_LIKE"),
    Row(r"\b(SIMILAR|ILIKE|REGEXP|RLIKE)\s+", r"('|TO\b)", f"{{before}} is {_NOW}; use LIKE or REGEXP_LIKE"),
    Row(r"-", r">", "a lambda is written with =>, as in x => x + 1", BadSyntax),
    Row(r"=", r">", "a lambda stands only as an argument of TRANSFORM, FILTER or REDUCE", BadSyntax),
    Row(r"", r"\?", f"parameters are {_NOW}; write the value"),
    Row(
        r"\bINTO\s+[^()]+(\([^()]*\)\s*)?", r"VALUES\b", f"VALUES is {_NOW}; a job reads a topic: SELECT … FROM source"
    ),
)


def column_refusal(name: str) -> str | None:
    """Why a mapping's column may not be called so, if it may not. `__…` and `this` mean the parts of the record."""
    if name.startswith("__"):
        return f"{name}: names that begin with __ mean the parts of a record"
    if name == "this":
        return "this means the whole value; give the column another name"
    return None
