"""SQL that is refused on purpose: what this version does not run, and statements that do not exist here.

A row matches if the text before the place where the parser stopped ends with `before`, and the text after it begins
with `found`. The error is at the group `here`, if the row has one. In its message `{before}` and `{found}` stand for
what they matched, and other groups for theirs, in capital letters if the name of the group is in capital letters.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass

from jobplane.schemas.errors import BadSyntax, InsertNeedsJob, NotSupported, Refused, SelectNotAllowed


@dataclass(frozen=True, slots=True)
class RefusalRow:
    """`expected`: a rule of the grammar that must be among those that may stand at the place."""

    before: str
    found: str
    message: str
    error: type[Refused] = NotSupported
    expected: str = ""

    def answer(self, before: str, found: str, rules: Collection[str]) -> tuple[str, int] | None:
        """The message and its place, counted from the end of `before`; None when this row has nothing to say here."""
        if self.expected and self.expected not in rules:
            return None
        there = re.match(self.found, found, re.IGNORECASE)
        ended = re.search(rf"(?:{self.before})\Z", before, re.IGNORECASE) if there else None
        if there is None or ended is None:
            return None
        told = {name: text or _UNTOLD for name, text in {**ended.groupdict(), **there.groupdict()}.items()}
        groups = {name: text.upper() if name.isupper() else text for name, text in told.items()}
        message = self.message.format(**groups, before=ended.group().strip(), found=there.group().upper())
        if "here" in there.groupdict():
            return message, there.start("here")
        return message, ended.start("here") - len(before) if "here" in ended.groupdict() else 0


_UNTOLD = "name"
"""Stands in a message for a name that was not given."""
NAME = r'(?:[^\W\d]\w*|"(?:[^"]|"")+")'
_NAME = rf"{NAME}\s*"
_NOW = "not supported by this version"
_JOIN = f"JOIN is {_NOW}"
_WINDOW = "windows stand after FROM: FROM TUMBLE(TABLE name, DESCRIPTOR(column), INTERVAL '10' MINUTE)"
_WINDOWS = r"\b(TUMBLE|HOP|CUMULATE|SESSION|IMPOSE_ORDER)\s*\(\s*"
_ONE_GROUP = "write a job for each grouping"
_TOGETHER = "bring the topics together by UNION ALL, and the rows of a key by GROUP BY"
_QUALIFY = f"QUALIFY is {_NOW}, and neither is OVER; HAVING chooses groups"
_SORTED = "ARRAY_AGG(x ORDER BY y) sorts the values of a group"
_TRY = "EXPLAIN ANALYZE shows what a query makes of the newest records"

UNSUPPORTED = (
    RefusalRow(r";\s*", r"\S", "one statement at a time; send what follows as a statement of its own", BadSyntax),
    RefusalRow(
        r"^",
        rf"INSERT\s+INTO\s+(?P<topic>{NAME})\s*(\([^()]*\)\s*)?VALUES\b",
        "`jobplane topic produce {topic}` writes single records, in a shell; a job reads a topic",
    ),
    RefusalRow(
        r"^",
        r"(INSERT|SINK)\b",
        "an INSERT runs inside a job, whose name stops it: CREATE JOB name AS INSERT INTO …",
        InsertNeedsJob,
    ),
    RefusalRow(
        r"^|\bEXPLAIN\s+(ANALYZE\s+|CODE\s+)?",
        rf"(SELECT|VALUES|FROM|WITH|TABLE)\b([^;]*?\bFROM\s+(?P<topic>{NAME}))?",
        "a query needs a topic to write to: CREATE JOB name AS INSERT INTO target SELECT …; "
        "to look only: EXPLAIN ANALYZE INSERT INTO target SELECT …, or `jobplane topic peek {topic}`",
        SelectNotAllowed,
    ),
    RefusalRow(
        r"\bAS\s+",
        r"(SELECT|VALUES)\b",
        "a job cannot return rows; write them to a topic: AS INSERT INTO target SELECT …",
        SelectNotAllowed,
        expected="INSERT",
    ),
    RefusalRow(
        r"^",
        r"(UPDATE|MERGE|UPSERT)\b",
        "{found} is not supported: records of a topic do not change; a job writes new ones",
    ),
    RefusalRow(r"^", r"(DELETE|TRUNCATE)\b", "{found} is not supported: records are deleted with Kafka's own tools"),
    RefusalRow(r"\b(CREATE|DROP)\s+(OR\s+REPLACE\s+)?", r"(INDEX|TYPE|DATA)\b", f"{{found}} is {_NOW}"),
    RefusalRow(r"\bCREATE\s+OR\s+REPLACE\s+", r"JOB\b", "a job is not replaced; drop it and create it again"),
    RefusalRow(r"\bGROUP\s+BY\b[^;]*\b(?P<here>GROUPING)\s+", r"SETS\b", f"GROUPING SETS is {_NOW}; {_ONE_GROUP}"),
    RefusalRow(r"\bGROUP\s+BY\s+", r"\*", "GROUP BY names its columns; * is not allowed here"),
    RefusalRow(
        r"\bGROUP\s+(?P<here>BY)\s*\(\s*", r"\)", "leave out GROUP BY (): without GROUP BY all rows are one group"
    ),
    RefusalRow(r"\bHAVING\b[^;]*", r"GROUP\s+BY\b", "GROUP BY stands before HAVING", BadSyntax),
    RefusalRow(r"\b(GROUP\s+BY|HAVING)\b[^;]*", r"WHERE\b", "WHERE stands before GROUP BY", BadSyntax, expected="end"),
    RefusalRow(
        r"\bFROM\b[^;]*\b(GROUP\s+BY|HAVING)\b[^;]*",
        r"(CROSS\s+JOIN|,)\s*UNNEST\b",
        "UNNEST stands before GROUP BY",
        BadSyntax,
    ),
    RefusalRow(r"\bOVER\s*", r"\(", f"OVER is {_NOW}; GROUP BY makes one row of many"),
    RefusalRow(r"\)\s*(?P<here>OVER)\s+", NAME, f"OVER is {_NOW}; GROUP BY makes one row of many"),
    RefusalRow(
        r"\b(?P<here>MATCH_RECOGNIZE)\s*",
        r"\(",
        f"MATCH_RECOGNIZE is {_NOW}; ARRAY_AGG gives the values of a window in the order of time",
    ),
    RefusalRow(
        r"\b(?P<here>PIVOT)\s*",
        r"\(",
        f"PIVOT is {_NOW}; write an aggregate for each column: SUM(x) FILTER (WHERE y = 'a') AS a",
    ),
    RefusalRow(
        r"\b(?P<here>UNPIVOT)\s*",
        r"\(",
        f"UNPIVOT is {_NOW}; CROSS JOIN UNNEST(ARRAY[a, b]) AS value makes a row of each column",
    ),
    RefusalRow(
        r"\b(?P<here>TABLESAMPLE)\s*", r"[\w(]", f"TABLESAMPLE is {_NOW}; choose records by WHERE __offset % 10 = 0"
    ),
    RefusalRow(r"", r"WINDOW\b(?=\s+\w+\s+AS\b)", f"WINDOW is {_NOW}; {_WINDOW}"),
    RefusalRow(r"\b(?P<here>WINDOW)\s+", r"(TUMBLING|HOPPING|SESSION)\b", _WINDOW),
    RefusalRow(r"\bEMIT\s+(CHANGES|FINAL)\s+", r"EMIT\b", "EMIT stands once; leave out one of the two", BadSyntax),
    RefusalRow(
        r"\b(?P<here>EMIT\s+(?P<WHAT>CHANGES|FINAL))\s+",
        r"(WHERE|GROUP|HAVING|UNION|CROSS)\b",
        "EMIT {WHAT} stands at the end of the whole query",
        BadSyntax,
    ),
    RefusalRow(r"", r"EMIT\s+(?P<WHAT>CHANGES|FINAL)\b", "EMIT {WHAT} stands at the end of the whole query", BadSyntax),
    RefusalRow(
        r"\b(?P<here>EMIT)\s+", r"(ON|AFTER|WITH|WITHOUT|EVERY)\b", "EMIT is followed by FINAL or CHANGES", BadSyntax
    ),
    RefusalRow(
        r"\bFROM\s+(?P<here>TABLE)\s*", r"\(", "FROM TABLE(…) takes TUMBLE, HOP, CUMULATE, SESSION or IMPOSE_ORDER"
    ),
    RefusalRow(
        r"\b(IMPOSE_ORDER|TUMBLE|HOP|CUMULATE|SESSION)\b[^;]*",
        r"IDLE\s+AFTER\b",
        "IDLE AFTER belongs to the watermark of a mapping: WATERMARK FOR column AS … IDLE AFTER INTERVAL '1' MINUTE",
        BadSyntax,
    ),
    RefusalRow(
        r"(?P<here>\bIDLE\s+AFTER)\s+",
        r"INTERVAL\b",
        "IDLE AFTER stands behind the watermark: WATERMARK FOR column AS … IDLE AFTER INTERVAL '1' MINUTE",
        BadSyntax,
    ),
    RefusalRow(
        r"\bIDLE\s+AFTER\s+",
        r"('[^']*'|\d+)",
        "the length of silence is an interval, such as INTERVAL '1' MINUTE",
        BadSyntax,
    ),
    RefusalRow(rf"{_WINDOWS}(?P<here>{NAME})\s*", r",", "the first argument is a table: write TABLE {here}", BadSyntax),
    RefusalRow(
        rf"{_WINDOWS}[^()]*(\([^()]*\))?[^()]*,\s*(?P<here>{NAME})\s*",
        r"[,.]",
        "the second argument is the column of the time: write DESCRIPTOR({here})",
        BadSyntax,
    ),
    RefusalRow(
        rf"{_WINDOWS}[^;]*[,>]\s*", r"\d+", "a length is an interval, such as INTERVAL '{found}' MINUTE", BadSyntax
    ),
    RefusalRow(
        r"\bDESCRIPTOR\s*\(\s*(?P<here>(NOW|PROCTIME|CURRENT_TIMESTAMP|GETDATE|SYSDATE))\s*",
        r"\(",
        "windows are of a time of the records, so that a restart gives the same: write DESCRIPTOR(__timestamp)",
    ),
    RefusalRow(
        rf"\bDESCRIPTOR\s*\(\s*(?P<here>{NAME})\s*",
        r"\(",
        "DESCRIPTOR names a column; compute one in the source: TUMBLE((SELECT *, … AS at FROM …), DESCRIPTOR(at), …)",
    ),
    RefusalRow(
        rf"\bDESCRIPTOR\s*\(\s*{_NAME}", r",", "DESCRIPTOR names one column, which holds the time; leave out the others"
    ),
    RefusalRow(
        r"\b(?P<NAME>LISTAGG|STRING_AGG|ARRAY_AGG)\s*\((?P<arguments>[^()]*)\)\s*(?P<here>WITHIN)\s+",
        r"GROUP\s*\(\s*(?P<order>ORDER\s+BY\b[^()]*)\)",
        f"WITHIN GROUP is {_NOW}; write {{NAME}}({{arguments}} {{order}})",
    ),
    RefusalRow(
        r"\bPERCENTILE_(CONT|DISC)\s*\((?P<share>[^()]*)\)\s*(?P<here>WITHIN)\s+",
        r"GROUP\s*\(\s*ORDER\s+BY\s+(?P<value>[\w.]+)",
        f"WITHIN GROUP is {_NOW}; write APPROX_PERCENTILE({{value}}, {{share}})",
    ),
    RefusalRow(r"\bCOUNT\s*\(\s*DISTINCT\s+", r"\*", "COUNT(DISTINCT …) names what it counts: COUNT(DISTINCT column)"),
    RefusalRow(rf"\bCOUNT\s*\(\s*(?P<here>{_NAME})\.\s*", r"\*", "all rows are counted by COUNT(*)", BadSyntax),
    RefusalRow(
        rf"\b(?P<NAME>{NAME})\s*\(\s*(?P<here>ALL)\s+", r"[\w\"]", "leave out ALL: {NAME} takes all rows", BadSyntax
    ),
    RefusalRow(
        r"\bGROUP_CONCAT\s*\(\s*(?P<value>[\w.]+)\s+(?P<here>)",
        r"SEPARATOR\s+(?P<separator>'[^']*')",
        "the separator is an argument: write STRING_AGG({value}, {separator})",
        BadSyntax,
    ),
    RefusalRow(
        r"\bGROUP\s+BY\s+(?P<here>\()[^()]*", r",", "GROUP BY takes no list in parentheses; leave them out", BadSyntax
    ),
    RefusalRow(r"\bGROUP\s+BY\b[^;]*", r"WITH\s+(ROLLUP|CUBE)\b", f"{{found}} is {_NOW}; {_ONE_GROUP}"),
    RefusalRow(r"", r"QUALIFY\b", _QUALIFY),
    RefusalRow(r"\b(?P<here>QUALIFY)\s+", r"\w", _QUALIFY),
    RefusalRow(r"", r"WITHIN\s+GROUP\b", f"{{found}} is {_NOW}"),
    RefusalRow(r"\b(?P<here>WITHIN)\s+", r"GROUP\b", f"WITHIN GROUP is {_NOW}"),
    RefusalRow(
        r"(?P<here>\bFILTER)\s*",
        r"\(\s*WHERE\b",
        "FILTER (WHERE …) stands right behind the ) of an aggregate",
        BadSyntax,
    ),
    RefusalRow(r"", r"ORDER\s+BY\b", f"ORDER BY is {_NOW}: a stream has no end; {_SORTED}"),
    RefusalRow(
        r"",
        r"(LIMIT|OFFSET|FETCH)\b(?=\s+[\w?])",
        f"{{found}} is {_NOW}: a job has no end, unless OPTIONS (stopAt 'latest') gives it one; {_TRY}",
    ),
    RefusalRow(
        r"\b(?P<here>OFFSET|FETCH)\s+", r"(\d|FIRST\b|NEXT\b)", f"{{before}} is {_NOW}: a job has no end; {_TRY}"
    ),
    RefusalRow(r"\bSELECT\s+(?P<here>TOP)\s+", r"\d", f"TOP is {_NOW}: a job has no end; {_TRY}"),
    RefusalRow(
        r"\*\s*",
        r"(EXCEPT|EXCLUDE|REPLACE|RENAME)\b(?=\s*[\w(\"])",
        f"SELECT * {{found}} is {_NOW}; name the columns",
        expected="FROM",
    ),
    RefusalRow(r"", r"(INTERSECT|EXCEPT)\b(?!\s+AS\b)", f"{{found}} is {_NOW}"),
    RefusalRow(r"\bUNION\s+", r"(DISTINCT|SELECT)\b", f"UNION without ALL is {_NOW}; write UNION ALL"),
    RefusalRow(
        r"\b(?P<here>LATERAL)\s+",
        r"(VIEW|FLATTEN|TABLE|\()",
        "elements are taken out of arrays by CROSS JOIN UNNEST(array) AS name",
    ),
    RefusalRow(r"", r"((INNER|CROSS|NATURAL|LEFT|RIGHT|FULL)\s+(OUTER\s+)?)*JOIN\b", f"{_JOIN}; {_TOGETHER}"),
    RefusalRow(r"\bCROSS\s+JOIN\s+", _NAME, f"{_JOIN}; CROSS JOIN UNNEST(…) is there"),
    RefusalRow(rf"\bFROM\s+{_NAME}((AS\s+)?{_NAME})?,\s*", _NAME, f"{_JOIN}; {_TOGETHER}"),
    RefusalRow(
        r"\bFROM\s+(?P<here>UNNEST)\s*",
        r"\(",
        "UNNEST takes arrays out of records: FROM source CROSS JOIN UNNEST(…) AS name",
    ),
    RefusalRow(r"\bWITH\s+RECURSIVE\s+", _NAME, f"WITH RECURSIVE is {_NOW}"),
    RefusalRow(
        r"(\(|,|=|<|>)\s*", r"(SELECT|WITH)\b", f"subqueries stand after FROM only; write the value, or {_TOGETHER}"
    ),
    RefusalRow(
        r"\bSELECT\s+DISTINCT\s+",
        r"ON\b",
        f"SELECT DISTINCT ON is {_NOW}; write GROUP BY and EARLIEST_BY_OFFSET(column)",
    ),
    RefusalRow(r"\bSELECT\s+(?P<here>ALL)\s+\*\s*", r"FROM\b", "leave out ALL: all rows are what SELECT gives"),
    RefusalRow(r"", r"EXISTS\s*\(", f"EXISTS is {_NOW}; {_TOGETHER}"),
    RefusalRow(
        r"\bPARTITION\s+", r"BY\b", "records are spread by their keys: name the key in the query, SELECT … AS __key"
    ),
    RefusalRow(r"", r"(NOT\s+)?(SIMILAR\s+TO|ILIKE|REGEXP|RLIKE)\b", f"{{found}} is {_NOW}; use LIKE or REGEXP_LIKE"),
    RefusalRow(r"\b(SIMILAR|ILIKE|REGEXP|RLIKE)\s+", r"('|TO\b)", f"{{before}} is {_NOW}; use LIKE or REGEXP_LIKE"),
    RefusalRow(r"", r"\?", f"parameters are {_NOW}; write the value"),
    RefusalRow(
        rf"\bINTO\s+{_NAME}(\([^()]*\)\s*)?",
        r"VALUES\b",
        f"VALUES is {_NOW}; a job reads a topic: SELECT … FROM source",
    ),
    RefusalRow(
        r"\bMAPPING\b[^;]*",
        r"(NOT\s+NULL|NULL|PRIMARY\s+KEY|DEFAULT|UNIQUE|CHECK|REFERENCES|COMMENT|METADATA)\b",
        "{found} is not supported: a mapping's column has only a name, a type and an EXTERNAL NAME",
        expected="EXTERNAL",
    ),
)
