"""The functions that we and DuckDB have with one meaning, one a line.

Our name; the kinds of its arguments; the type that it gives, = for that of its arguments; and DuckDB's name. With {}
for its arguments either name may be the whole text.
"""

DATE_UNITS = ["YEAR", "QUARTER", "MONTH", "WEEK", "DAY"]
TIME_UNITS = ["HOUR", "MINUTE", "SECOND", "MILLISECOND", "MICROSECOND"]
UNITS = [*DATE_UNITS, *TIME_UNITS]

WITHOUT_FRACTION = ("FLOOR", "CEIL", "CEILING", "TRUNC", "ROUND")

SHARED: tuple[tuple[str, str, str, str], ...] = (
    # ours, the kinds of its arguments, what it gives (= is the type of them), DuckDB's; with {} the whole text
    *[(name, kind, "=", name) for name in ("ABS", "SIGN") for kind in ("WHOLE", "EXACT", "FLOAT")],
    *[(name, kind, "=", name) for name in WITHOUT_FRACTION for kind in ("EXACT", "FLOAT")],
    *[(name, "WHOLE", "=", "as_it_is") for name in WITHOUT_FRACTION],
    *[(f"ROUND({{}}, {n})", kind, "=", f"round({{}}, {n})") for n in (1, 0, -1, -2) for kind in ("EXACT", "WHOLE")],
    *[
        ("MOD", f"{kind} {kind}", "=", "finite(mod({}, {}))" if kind == "FLOAT" else "mod")
        for kind in ("WHOLE", "EXACT", "FLOAT")
    ],
    *[(name, "FLOAT", "DOUBLE", f"finite({name}({{}}))") for name in ("SQRT", "EXP", "LN", "LOG10", "CBRT")],
    *[
        (name, "FLOAT", "DOUBLE", f"finite({name}({{}}))")
        for name in ("SIN", "COS", "TAN", "ATAN", "ACOS", "DEGREES", "RADIANS")
    ],
    *[(name, "FLOAT FLOAT", "DOUBLE", f"finite({name}({{}}, {{}}))") for name in ("POWER", "ATAN2", "LOG")],
    *[
        (name, f"{kind} {kind}", "=", f"no_null({name}({{0}}, {{1}}), {{0}}, {{1}})")
        for name in ("GREATEST", "LEAST")
        for kind in ("NUMBER", "TEXT", "DATE", "MOMENT", "BOOLEAN")
    ],
    ("UPPER", "TEXT", "VARCHAR", "capitals"),
    *[
        (name, "TEXT", "VARCHAR", name)
        for name in ("LOWER", "TRIM", "LTRIM", "RTRIM", "REVERSE", "MD5", "SHA1", "SHA256")
    ],
    *[(name, "TEXT", "BIGINT", "length") for name in ("LENGTH", "CHAR_LENGTH")],
    ("INSTR", "TEXT TEXT", "BIGINT", "instr"),
    ("UCASE", "TEXT", "VARCHAR", "capitals"),
    ("LCASE", "TEXT", "VARCHAR", "lower"),
    ("OCTET_LENGTH", "TEXT", "BIGINT", "strlen"),
    ("ASCII", "TEXT", "BIGINT", "ascii"),
    ("TRIM(LEADING {} FROM {})", "FILL TEXT", "VARCHAR", "ltrim({1}, {0})"),
    ("TRIM(TRAILING {} FROM {})", "FILL TEXT", "VARCHAR", "rtrim({1}, {0})"),
    ("TRIM(BOTH {} FROM {})", "FILL TEXT", "VARCHAR", "trim({1}, {0})"),
    ("POSITION({} IN {})", "TEXT TEXT", "BIGINT", "position({} IN {})"),
    ("SUBSTRING({} FROM {})", "TEXT WIDTH", "VARCHAR", "substring({}, greatest({}, 1))"),
    ("SUBSTRING({} FROM {} FOR {})", "TEXT WIDTH WIDTH", "VARCHAR", "part"),
    ("SUBSTR", "TEXT WIDTH WIDTH", "VARCHAR", "part"),
    *[(name, "TEXT TEXT", "BOOLEAN", name) for name in ("STARTS_WITH", "ENDS_WITH", "CONTAINS")],
    *[(name, "TEXT TEXT TEXT", "VARCHAR", name) for name in ("REPLACE", "CONCAT_WS", "CONCAT")],
    ("TRANSLATE", "TEXT FILL FILL", "VARCHAR", "translate"),
    ("SPLIT_PART", "TEXT FILL WIDTH", "VARCHAR", "split_at"),
    *[(name, "TEXT WIDTH FILL", "VARCHAR", f"{name}({{}}, CAST({{}} AS INTEGER), {{}})") for name in ("LPAD", "RPAD")],
    *[(name, "TEXT WIDTH", "VARCHAR", name) for name in ("LEFT", "RIGHT", "REPEAT")],
    ("CARDINALITY", "LIST", "BIGINT", "len"),
    ("ELEMENT_AT", "LIST WIDTH", "BIGINT", "list_extract"),
    ("ARRAY_CONTAINS", "LIST WHOLE", "BOOLEAN", "CASE WHEN {1} IS NOT NULL THEN list_contains({0}, {1}) END"),
    ("ARRAY_POSITION", "LIST WHOLE", "BIGINT", "position_in"),
    ("ARRAY_MAX", "LIST", "BIGINT", "list_max"),
    ("ARRAY_MIN", "LIST", "BIGINT", "list_min"),
    ("ARRAY_REVERSE", "LIST", "=", "list_reverse"),
    ("ARRAY_SORT", "LIST", "=", "list_sort({}, 'ASC', 'NULLS LAST')"),
    ("ARRAY_SORT({}, 'DESC')", "LIST", "=", "list_sort({}, 'DESC', 'NULLS LAST')"),
    ("ARRAY_LENGTH", "LIST", "BIGINT", "len"),
    ("LAST_DAY", "DATE", "DATE", "last_day"),
    ("MAKE_DATE", "WHOLE WHOLE WHOLE", "DATE", "in_years(make_date({}, {}, {}))"),
    *[(f"DATE_DIFF('{u}', {{}}, {{}})", "DATE DATE", "BIGINT", f"passed('{u}', {{}}, {{}})") for u in DATE_UNITS],
    *[(f"DATE_DIFF('{u}', {{}}, {{}})", "MOMENT MOMENT", "BIGINT", f"passed('{u}', {{}}, {{}})") for u in UNITS],
    *[
        (f"DATE_TRUNC('{u}', {{}})", kind, "=", f"date_trunc('{u}', {{}})")
        for u in DATE_UNITS
        for kind in ("DATE", "MOMENT")
    ],
    *[(f"DATE_TRUNC('{u}', {{}})", "MOMENT", "=", f"date_trunc('{u}', {{}})") for u in TIME_UNITS],
)
