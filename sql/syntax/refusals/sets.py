"""Statement sets written otherwise than BEGIN INSERT …; INSERT …; END: the rows that say what to write instead."""

from jobplane.schemas.errors import BadSyntax
from jobplane.sql.syntax.refusals.unsupported import NAME, RefusalRow

_BEGUN = r"\bAS\s+BEGIN\b(?s:.*)"
_ONE_JOB = "several INSERTs are one job as CREATE JOB name AS BEGIN INSERT INTO …; INSERT INTO …; END"
_BETWEEN = "the INSERTs of a set stand between BEGIN and END: AS BEGIN INSERT INTO …; INSERT INTO …; END"
_EMPTY = "a set has at least one INSERT: AS BEGIN INSERT INTO …; END"

SETS = (
    RefusalRow(r"^", r"(?:BEGIN|(?:(?:EXECUTE|CREATE|BEGIN)\s+)?STATEMENT\s+SET)\b(?!\s*(?:;|\Z|TRAN|WORK))", _ONE_JOB),
    RefusalRow(r"^CREATE\s+", r"STATEMENT\s+SET\b", _ONE_JOB),
    RefusalRow(
        r"^EXPLAIN\s+(?:ANALYZE\s+|CODE\s+)?",
        r"(?:BEGIN|(?:EXECUTE\s+)?STATEMENT\s+SET)\b",
        "write EXPLAIN CREATE JOB name AS BEGIN INSERT INTO …; INSERT INTO …; END",
        BadSyntax,
    ),
    RefusalRow(r"\bAS\s+(?:BEGIN\s+)?", r"STATEMENT\s+SET\b", _BETWEEN, BadSyntax, expected="INSERT"),
    RefusalRow(r"\bAS\s+(?:BEGIN\s+)?", r"\(\s*(?:INSERT|SINK)\b", _BETWEEN, BadSyntax, expected="INSERT"),
    RefusalRow(r"\bAS\s+BEGIN\s*", r";\s*(?:INSERT|SINK)\b", "leave out this ;", BadSyntax),
    RefusalRow(r"\bAS\s+BEGIN\s*", r"END\b|;|\Z", _EMPTY, BadSyntax),
    RefusalRow(_BEGUN, r"BEGIN\b", "a set has no other set in it; leave out this BEGIN", BadSyntax, expected="INSERT"),
    RefusalRow(rf"{_BEGUN};\s*", r"\Z", "END is missing behind the last INSERT", BadSyntax, expected="END"),
    RefusalRow(
        rf"{_BEGUN};\s*", r"\w+", "only INSERTs stand between BEGIN and END, not {found}", BadSyntax, expected="INSERT"
    ),
    RefusalRow(_BEGUN, r"INSERT\b|SINK\s+INTO\b", "a ; is missing before this INSERT", BadSyntax, expected="END"),
    RefusalRow(
        rf"{_BEGUN}(?P<here>,)\s*", r"(?:INSERT|SINK)\s+INTO\b", "INSERTs end with ;, not with a comma", BadSyntax
    ),
    RefusalRow(
        rf"^CREATE\s+JOB\s+(?:IF\s+NOT\s+EXISTS\s+)?(?P<job>{NAME})\s+(?:OPTIONS\s*\((?s:.*)\)\s*)?",
        r"BEGIN\b",
        "AS is missing: CREATE JOB {job} AS BEGIN INSERT INTO …; END",
        BadSyntax,
    ),
    RefusalRow(
        r"\bEND\s*",
        r"OPTIONS\s*\(",
        "OPTIONS stand before AS: CREATE JOB name OPTIONS (…) AS BEGIN INSERT INTO …; END",
        BadSyntax,
        expected="end",
    ),
    RefusalRow(r"^CREATE\s+JOB\b(?s:.*);\s*", r"(?:INSERT|SINK)\b", _ONE_JOB, BadSyntax, expected="end"),
    RefusalRow(
        r"^CREATE\s+JOB\b(?s:.*)", r"END\b", "no BEGIN stands before this END; leave it out", BadSyntax, expected="end"
    ),
)
