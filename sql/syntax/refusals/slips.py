"""Typical mistakes in signs and in the order of words: the rows that say what to write instead."""

from jobplane.schemas.errors import BadSyntax, NotSupported
from jobplane.sql.syntax.refusals.unsupported import NAME, RefusalRow

_INVISIBLE = "[\u200b-\u200f\u2060\ufeff\xad\u202a-\u202e]"
_SIGNS = {
    "`": '` is not a quote here; names have double quotes: "name"',
    "[\u201c\u201d\u201e\xab\xbb]": (
        "{found} is not a quote here; names have double quotes \"name\", texts single quotes 'text'"
    ),
    "[\u2018\u2019\u201a\u2039\u203a\xb4]": "{found} is not a quote here; texts have single quotes: 'text'",
    "[\u2012-\u2015\u2212]": "{found} is not a minus; write -",
    _INVISIBLE: "an invisible character stands here; delete it",
    "\xd7": "{found} is not an operator; write *",
    "\xf7": "{found} is not an operator; write /",
    "\u2265": "{found} is not an operator; write >=",
    "\u2264": "{found} is not an operator; write <=",
    "\u2260": "{found} is not an operator; write <>",
    "&&?": "{found} is not an operator; write AND",
    r"\|(?!\|)": "| is not an operator; write OR between conditions, || between texts",
    r"!(?!=)": "! is not an operator; write NOT",
    r"\^": "^ is not an operator; write POWER(a, b)",
    "#": "# does not begin a comment; write --",
    "~": "~ is not an operator; write REGEXP_LIKE(text, 'pattern')",
    r"\$\{|\$|@": "there are no variables; write the value, and fields by their names",
    r"\\G?": "a backslash means nothing here; delete it",
    r"XOR\b": "XOR is not an operator; for two conditions write a <> b",
    r"ISNULL\b": "write IS NULL",
    r"NOTNULL\b": "write IS NOT NULL",
    r"(?P<WORD>CONTAINS|STARTS_WITH|ENDS_WITH|REGEXP_LIKE)\s+'": ("{WORD} is a function; write {WORD}(value, 'text')"),
    r"DIV\s+[\w(]": "DIV is not an operator; write /",
    r"MOD\s+[\w(]": "MOD is not an operator; write %",
}
"""What stands where an operator, a name or a value would → what to write."""
_AFTER = {
    ("=", "=(?!=)"): "== is not an operator; write =",
    ("=", "<"): "=< is not an operator; write <=",
    (">", "<"): ">< is not an operator; write <>",
    ("<=", ">"): "<=> is not an operator; write IS NOT DISTINCT FROM",
    (r"\*", r"\*"): "** is not an operator; write POWER(a, b)",
    (r"(?P<here>\bDIV)\s+", r"[\w(]"): "DIV is not an operator; write /",
    (r"(?P<here>\bMOD)\s+", r"[\w(]"): "MOD is not an operator; write %",
    (r"\w\s*", ":="): ":= is not an operator; write =",
    (r"\b(?P<here>[ENBR])", "'"): "a text begins with its quote; leave out the letter before it",
    (r"(?P<object>\w+)\s*-", r">>?\s*'(?P<field>\w+)'"): "-> is not an operator; a field is written {object}.{field}",
    (r"\([^()]*(?:\([^()]*\)\s*)?-", ">"): "a lambda is written with =>, as in x => x + 1",
    (r"(?P<object>\w+)\s*-", r">>?\s*(?P<field>\w+)"): "-> is not an operator; a field is written {object}.{field}",
    ("=", ">"): "=> stands in a lambda, an argument of TRANSFORM, FILTER or REDUCE; greater or equal is >=",
}
"""What stands before the place, and there → what to write."""
_NUMBERS = {
    r"0x[0-9a-f]+": "write a number in decimal digits, bytes as X'00ff'",
    r"\d+(?:_\d+)+": "write the digits of a number without _",
    r"\d[\d.]*[a-z]+\b": "a number has only digits, one point and an exponent",
}
"""What stands where a number may → what to write."""
_CREATE_JOB = rf"^CREATE\s+JOB\s+(?:IF\s+NOT\s+EXISTS\s+)?(?P<job>{NAME})\s+"
_CREATE_MAPPING = rf"^CREATE\s+MAPPING\s+(?P<job>{NAME})\s*"
_BEFORE_AS = "OPTIONS stand before AS: CREATE JOB name OPTIONS (…) AS INSERT INTO …"
_ARRAY = "an array's type is written ARRAY<type>"
_ARRAY_OF = "an array's type is written ARRAY<{TYPE}>"
_NO_SEMICOLON = "a ; is missing before this statement"
_IN_OPTIONS = r"\bOPTIONS\s*\([^()]*"

_ORDER = (
    RefusalRow(_IN_OPTIONS, r":", "an option is a name and a value in quotes: OPTIONS (name 'value')", BadSyntax),
    RefusalRow(_IN_OPTIONS, r";", "options are separated by commas", BadSyntax),
    RefusalRow(r"\bOPTIONS\s*\(\s*'[^']*'\s*", r"'", "write = after an option's name in single quotes", BadSyntax),
    RefusalRow(
        rf"{_IN_OPTIONS}'\s*",
        rf"(?!AS\b){NAME}\s*=?\s*['\w]",
        "a comma is missing before this option",
        BadSyntax,
        expected="comma",
    ),
    RefusalRow(r"\bOPTIONS\s*", r"\{|\[", "options stand in parentheses: OPTIONS (name 'value')", BadSyntax),
    RefusalRow(
        r"\bOPTIONS\s+",
        rf"(?P<option>{NAME})\s*=?\s*'",
        "options stand in parentheses: OPTIONS ({option} '…')",
        BadSyntax,
    ),
    RefusalRow(r"\b(?P<here>OPTIONS)\s*", r"\(", _BEFORE_AS, BadSyntax, expected="end"),
    RefusalRow(r"\bINTO\b[^;]*", r"(?:OPTIONS|WITH)\s*\(", _BEFORE_AS, BadSyntax, expected="end"),
    RefusalRow(rf"{_CREATE_JOB}AS\s+", r"OPTIONS\b", _BEFORE_AS, BadSyntax),
    RefusalRow(
        _CREATE_JOB,
        r"(?:WITH|SETTINGS|PROPERTIES)\s*\(",
        "options are written OPTIONS (name 'value', …)",
        BadSyntax,
    ),
    RefusalRow(
        _CREATE_JOB,
        r"IF\s+NOT\s+EXISTS\b",
        "IF NOT EXISTS stands before the name: CREATE JOB IF NOT EXISTS {job} …",
        BadSyntax,
    ),
    RefusalRow(
        rf"{_CREATE_JOB}(?:OPTIONS\s*\(.*\)\s*)?",
        r"(?:INSERT|SINK)\b",
        "AS is missing: CREATE JOB {job} AS {found} INTO …",
        BadSyntax,
    ),
    RefusalRow(r"\bJOB\s+", r"AS\b(?=\s+(?:INSERT|SINK)\b)", "a job's name is missing between JOB and AS", BadSyntax),
    RefusalRow(
        rf"^DROP\s+(?P<KIND>\w+)\s+(?P<job>{NAME})\s+",
        r"IF\s+EXISTS\b",
        "IF EXISTS stands before the name: DROP {KIND} IF EXISTS {job}",
        BadSyntax,
    ),
    RefusalRow(
        r"^CREATE\s+SNAPSHOT\s+IF\s+",
        r"NOT\s+EXISTS\b",
        "write CREATE OR REPLACE SNAPSHOT, or leave out IF NOT EXISTS",
        BadSyntax,
    ),
    RefusalRow(r"^DROP\s+\w+\s+IF\s+", r"NOT\s+EXISTS\b", "write IF EXISTS", BadSyntax),
    RefusalRow(
        r"[^\s;]\s+(?P<here>\b(?:ALTER|SHOW|DESCRIBE|EXPLAIN))\s+",
        r"(?:JOBS?|SNAPSHOTS?|MAPPINGS?|TOPICS|FUNCTIONS|HISTORY|CREATE|ANALYZE|INSERT)\b",
        _NO_SEMICOLON,
        BadSyntax,
        expected="end",
    ),
    RefusalRow(
        r"[^\s;]\s+", r"(?:ALTER|CREATE|DESCRIBE|DROP|EXPLAIN|SHOW)\s+\w", _NO_SEMICOLON, BadSyntax, expected="end"
    ),
)
_MAPPINGS = (
    RefusalRow(
        rf"{_CREATE_MAPPING}(?:\(.*\)\s*)?", r"WITH\s*\(", "write TYPE Kafka OPTIONS (name 'value', …)", BadSyntax
    ),
    RefusalRow(
        rf"{_CREATE_MAPPING}\(.*\)\s*",
        r"EXTERNAL\s+NAME\b",
        "the topic's EXTERNAL NAME stands before the columns",
        BadSyntax,
    ),
    RefusalRow(_CREATE_MAPPING, rf"(?:FROM|FOR|ON)\s+(?P<topic>{NAME})", "write EXTERNAL NAME {topic}", BadSyntax),
    RefusalRow(
        _CREATE_MAPPING,
        rf"{NAME}\s+{NAME}",
        "columns stand in parentheses: (name type, …)",
        BadSyntax,
        expected="open",
    ),
    RefusalRow(r"\bTYPE\s+", r"=", "write TYPE Kafka", BadSyntax),
    RefusalRow(r"\bMAPPING\b[^;]*[(,]\s*\w+\s*", r":", "a column is written name type, without :", BadSyntax),
    RefusalRow(r"(?P<here>\bARRAY)\s*\(\s*", r"[^\W\d]\w*", _ARRAY, BadSyntax, expected="number"),
    RefusalRow(r"(?P<here>\bLIST)\s*", r"<", _ARRAY, BadSyntax),
    RefusalRow(r"(?P<here>\b(?:STRUCT|ROW|RECORD))\s*", r"<", "a row's type is written ROW(name type, …)", BadSyntax),
    RefusalRow(r"\b(?P<TYPE>\w+)\s*", r"\[\s*\]", _ARRAY_OF, BadSyntax, expected="PRECISION"),
    RefusalRow(r"\b(?P<TYPE>\w+)\s+", r"ARRAY\b", _ARRAY_OF, BadSyntax, expected="PRECISION"),
    RefusalRow(r"(?P<here>\bUNSIGNED)\s+", r"\w", "numbers have a sign; leave out UNSIGNED", expected="PRECISION"),
    RefusalRow(r"\b\w+\s+", r"UNSIGNED\b", "numbers have a sign; leave out UNSIGNED", expected="PRECISION"),
)
_QUERIES = (
    RefusalRow(r"(?P<here>,)\s*", r"\)|\]|FROM\b|WHERE\b|;|\Z", "nothing follows this comma; remove it", BadSyntax),
    RefusalRow(r",\s*", r",", "two commas follow each other; remove one", BadSyntax),
    RefusalRow(r"\bCAST\s*\([^(),]*", r",", "CAST is written CAST(value AS type)", BadSyntax),
    RefusalRow(
        r"(?P<here>\bINTERVAL)\s+",
        r"'?(?P<number>\d+)'?\s*(?P<UNIT>[A-Z]+?)S?\b'?",
        "write INTERVAL '{number}' {UNIT}",
        BadSyntax,
    ),
    RefusalRow(
        r"\bINSERT\s+", r"OVERWRITE\b", "records of a topic are not overwritten; write INSERT INTO", NotSupported
    ),
    RefusalRow(r"\bINSERT\s+", rf"(?P<topic>{NAME})\s+(?:SELECT|WITH|\()", "write INSERT INTO {topic}", BadSyntax),
    RefusalRow(
        r"\bINTO\s+(?P<here>TABLE|TOPIC|STREAM)\s+",
        rf"(?P<topic>{NAME})",
        "write INTO {topic}, without {here}",
        BadSyntax,
        expected="SELECT",
    ),
    RefusalRow(rf"\bINTO\s+{NAME}\s+(?:\([^()]*\)\s*)?", r"AS\b(?=\s+(?:SELECT|WITH)\b)", "leave out AS", BadSyntax),
    RefusalRow(
        rf"\bINTO\s+{NAME}\s+(?:\([^()]*\)\s*)?",
        rf"(?!SELECT\b|VALUES\b|WITH\b|AS\b){NAME}\s*(?:,|\bFROM\b|\bAS\b)|FROM\b",
        "SELECT is missing before this",
        BadSyntax,
        expected="SELECT",
    ),
    RefusalRow(r"\bINTO\s+", r"SELECT\b", "a topic's name is missing between INTO and SELECT", BadSyntax),
    RefusalRow(
        r"", r"WHERE\b", "FROM is missing before WHERE: SELECT … FROM source WHERE …", BadSyntax, expected="FROM"
    ),
    RefusalRow(
        r"\bWHERE\b[^;]*", r"WHERE\b", "one WHERE is enough; join conditions with AND", BadSyntax, expected="end"
    ),
    RefusalRow(
        r"\bWHERE\b[^;]*",
        r",",
        "conditions are joined with AND or OR, not with a comma",
        BadSyntax,
        expected="end",
    ),
    RefusalRow(
        r"\bIS\s+(?:NOT\s+)?",
        r"[\w'\"(]",
        "IS takes NULL, TRUE, FALSE, UNKNOWN or DISTINCT FROM; compare with = or <>",
        BadSyntax,
        expected="UNKNOWN",
    ),
    RefusalRow(r"\bNOT\s+", r"NULL\b", "write IS NOT NULL", BadSyntax, expected="BETWEEN"),
    RefusalRow(r"", r"INTO\b", "INTO stands before SELECT: INSERT INTO target SELECT …", BadSyntax, expected="end"),
    RefusalRow(r"::\s*(?P<TYPE>\w+)\s*(?P<here>\[)\s*", r"\]", _ARRAY_OF, BadSyntax),
    RefusalRow(r"\bBETWEEN\s+[^,()]+", r",|TO\b", "BETWEEN is written BETWEEN low AND high", BadSyntax, expected="AND"),
    RefusalRow(r"\bIN\s+", r"[\w'\"\[]", "the values stand in parentheses: IN (1, 2)", BadSyntax, expected="open"),
    RefusalRow(
        r"", r"\[\w", 'brackets are not quotes here; names have double quotes: "name"', BadSyntax, expected="primary"
    ),
    RefusalRow(r"(?P<object>\w)", r":(?P<field>[^\W\d]\w*)", "a field is written value.{field}", BadSyntax),
    RefusalRow(r"[\s(,=<>+*/-]", r":\s*\w", "there are no variables; write the value", BadSyntax),
    RefusalRow(r"", rf"\w+(?P<here>{_INVISIBLE})", "an invisible character stands here; delete it", BadSyntax),
)
SLIPS = (
    *_ORDER,
    *_MAPPINGS,
    *_QUERIES,
    *(RefusalRow(before, found, message, BadSyntax) for (before, found), message in _AFTER.items()),
    *(RefusalRow(r"", found, message, BadSyntax, expected="number") for found, message in _NUMBERS.items()),
    *(RefusalRow(r"", found, message, BadSyntax) for found, message in _SIGNS.items()),
)
