"""Random typed expressions, each as our SQL and as DuckDB's. FORMS says how they are built, kind by kind.

In DuckDB's text what we mean on purpose otherwise is a macro; tests/property/test_oracle.py defines and explains them.
DECIMALs have 38 digits there, so that only their scale matters.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, reduce

from hypothesis import reject
from hypothesis import strategies as st

from jobplane.schemas.types import datatypes as t
from jobplane.schemas.types.datatypes import Type
from tests.support.shared_functions import DATE_UNITS, SHARED, TIME_UNITS

COLUMNS = {
    "b": t.BOOLEAN, "c": t.BOOLEAN, "n": t.BIGINT, "m": t.BIGINT, "i": t.INTEGER, "d": t.decimal(10, 2),
    "e": t.decimal(10, 2), "x": t.DOUBLE, "y": t.DOUBLE, "s": t.VARCHAR, "t": t.VARCHAR, "day": t.DATE,
    "ts": t.TIMESTAMP, "a": t.array(t.BIGINT),
}  # fmt: skip
KINDS = {
    "BOOLEAN": "BOOLEAN", "INTEGER": "WHOLE", "BIGINT": "WHOLE", "DECIMAL": "EXACT", "DOUBLE": "FLOAT",
    "VARCHAR": "TEXT", "DATE": "DATE", "TIMESTAMP": "MOMENT", "ARRAY": "LIST", "INTERVAL DAY TO SECOND": "SPAN",
}  # fmt: skip
"""Type → kind. A kind is what a form asks for; NUMBER is any of WHOLE, EXACT and FLOAT."""
NUMBERS = ("WHOLE", "EXACT", "FLOAT")
CONSTANT = ("PATTERN", "FILL", "WIDTH")
COMPARED = ("BOOLEAN", "NUMBER", "TEXT", "DATE", "MOMENT", "SPAN")


@dataclass(frozen=True, slots=True)
class Expr:
    """`wide` is DuckDB's text of a whole number that may yet have more than 64 bits: + - * take their operands so."""

    type: Type
    ours: str
    duck: str
    wide: str = field(default="", repr=False)


Make = Callable[..., Expr]


def duck_type(one: Type) -> str:
    if one.name == "DECIMAL":
        return f"DECIMAL(38, {one.size[1]})"
    return "BIGINT[]" if one.name == "ARRAY" else one.name


def column(name: str) -> Expr:
    one = COLUMNS[name]
    return Expr(one, name, f"CAST({name} AS {duck_type(one)})")


def literal(one: Type, ours: str, duck: str = "") -> Expr:
    return Expr(one, ours, f"CAST({duck or ours} AS {duck_type(one)})")


def common(one: Type, other: Type) -> Type:
    """What a CASE, or a comparison, of both is computed as."""
    if one == other:
        return one
    if t.DOUBLE in (one, other):
        return t.DOUBLE
    if "DECIMAL" in (one.name, other.name):
        (p1, s1), (p2, s2) = size(one), size(other)
        return decimal(max(p1 - s1, p2 - s2) + max(s1, s2), max(s1, s2))
    return t.TIMESTAMP if t.TIMESTAMP in (one, other) else t.BIGINT


def size(one: Type) -> tuple[int, int]:
    return (one.size[0], one.size[1]) if one.size else ({"INTEGER": 10}.get(one.name, 19), 0)


def decimal(precision: int, scale: int) -> Type:
    """Sizes beyond 38 digits, where the scale gives way, are not built."""
    return t.decimal(precision, scale) if precision <= t.MAX_PRECISION else reject()


def as_type(one: Expr, wanted: Type) -> str:
    """DuckDB's text, converted as we do it without a CAST."""
    if wanted == t.DOUBLE and one.type.name == "DECIMAL":
        return f"nearest({one.duck})"
    return one.duck if one.type == wanted else f"CAST({one.duck} AS {duck_type(wanted)})"


def plain(kind: Type, ours: str, duck: str = "") -> Make:
    """A form that gives one type; `{}` are its operands."""
    return lambda *those: Expr(
        kind, ours.format(*(o.ours for o in those)), (duck or ours).format(*(o.duck for o in those))
    )


def alike(ours: str, duck: str = "", kind: Type | None = None) -> Make:
    """A form whose operands, but for those that are BOOLEAN beside others, become one type, which it also gives."""

    def make(*those: Expr) -> Expr:
        values = [one for one in those if one.type != t.BOOLEAN] or list(those)
        wanted = reduce(common, (one.type for one in values))
        ducks = [as_type(one, wanted) if one in values else one.duck for one in those]
        return Expr(kind or wanted, ours.format(*(o.ours for o in those)), (duck or ours).format(*ducks))

    return make


def together(*those: Expr) -> list[str]:
    """DuckDB's texts as one type."""
    wanted = reduce(common, (one.type for one in those))
    return [as_type(one, wanted) for one in those]


def nullif(a: Expr, b: Expr) -> Expr:
    left, right = together(a, b)
    return Expr(a.type, f"NULLIF({a.ours}, {b.ours})", f"CASE WHEN {left} = {right} THEN NULL ELSE {a.duck} END")


def simple_case(of: Expr, when: Expr, then: Expr, otherwise: Expr) -> Expr:
    ours = f"CASE {of.ours} WHEN {when.ours} THEN {then.ours} WHEN NULL THEN NULL ELSE {otherwise.ours} END"
    (left, right), (yes, no) = together(of, when), together(then, otherwise)
    duck = f"CASE {left} WHEN {right} THEN {yes} WHEN NULL THEN NULL ELSE {no} END"
    return Expr(common(then.type, otherwise.type), ours, duck)


def whole(ours: str, wide: str) -> Expr:
    return Expr(t.BIGINT, ours, f"CAST({wide} AS BIGINT)", wide)


def calculated(operator: str) -> Make:
    def make(a: Expr, b: Expr) -> Expr:
        ours = f"({a.ours} {operator} {b.ours})"
        if t.DOUBLE in (a.type, b.type):
            left, right = (as_type(one, t.DOUBLE) for one in (a, b))
            return Expr(t.DOUBLE, ours, f"finite({left} {operator} {right})")
        if "DECIMAL" in (a.type.name, b.type.name):
            return exact(operator, ours, a, b)
        if operator in "+-*":
            left, right = (one.wide or f"CAST({one.duck} AS HUGEINT)" for one in (a, b))
            return whole(ours, f"({left} {operator} {right})")
        left, right = (f"CAST({one.duck} AS HUGEINT)" for one in (a, b))
        return whole(ours, f"({left} {'//' if operator == '/' else operator} {right})")

    return make


def exact(operator: str, ours: str, a: Expr, b: Expr) -> Expr:
    (p1, s1), (p2, s2) = size(a.type), size(b.type)
    scale = max(s1, s2)
    kinds = {
        "+": (max(p1 - s1, p2 - s2) + scale + 1, scale),
        "-": (max(p1 - s1, p2 - s2) + scale + 1, scale),
        "*": (p1 + p2, s1 + s2),
        "%": (max(1, min(p1 - s1, p2 - s2) + scale), scale),
    }
    if operator not in kinds:
        return reject()  # DuckDB makes a DOUBLE of it: test_a_quotient_of_decimals_is_the_exact_one_rounded
    kind = decimal(*kinds[operator])
    left, right = (f"CAST({one.duck} AS DECIMAL(38, {size(one.type)[1]}))" for one in (a, b))
    return Expr(kind, ours, f"CAST({left} {operator} {right} AS {duck_type(kind)})")


def negated(a: Expr) -> Expr:
    if t.is_integer(a.type):
        return whole(f"(-{a.ours})", f"(-({a.wide or f'CAST({a.duck} AS HUGEINT)'}))")
    return Expr(a.type, f"(-{a.ours})", f"(-({a.duck}))")


CAST = {
    t.BOOLEAN: ("WHOLE", "TEXT"),
    t.BIGINT: ("NUMBER", "TEXT", "BOOLEAN"),
    t.INTEGER: ("NUMBER", "TEXT", "BOOLEAN"),
    t.DOUBLE: ("NUMBER", "TEXT"),
    t.decimal(10, 2): ("NUMBER", "TEXT"),
    t.decimal(5, 1): ("NUMBER", "TEXT"),
    t.decimal(19, 0): ("NUMBER", "TEXT"),
    t.VARCHAR: ("NUMBER", "TEXT", "BOOLEAN", "DATE", "MOMENT"),
    t.DATE: ("TEXT", "MOMENT", "DATE"),
    t.TIMESTAMP: ("TEXT", "DATE", "MOMENT"),
}
"""Target → kinds that have a CAST to it."""
PREPARED = {
    ("DOUBLE", "BIGINT"): "half_up({})", ("DOUBLE", "INTEGER"): "half_up({})", ("DOUBLE", "DECIMAL"): "shortest({})",
    ("DECIMAL", "DOUBLE"): "shortest({})", ("TIMESTAMP", "VARCHAR"): "iso({})",
    **{("VARCHAR", name): f"{name.lower()}_text({{}}, {{safe}})"
       for name in ("BIGINT", "INTEGER", "DECIMAL", "DOUBLE", "BOOLEAN", "DATE", "TIMESTAMP")},
}  # fmt: skip


def cast(target: Type, *, safe: bool) -> Make:
    word = "TRY_CAST" if safe else "CAST"

    def make(a: Expr) -> Expr:
        prepared = PREPARED.get((a.type.name, target.name), "{}").format(a.duck, safe="true" if safe else "false")
        narrow = str(target) if target.size else duck_type(target)
        duck = f"{word}({prepared} AS {narrow})"
        return Expr(target, f"{word}({a.ours} AS {target})", f"CAST({duck} AS {duck_type(target)})")

    return make


Form = tuple[str, str, Make]
"""(kind of the result, kinds of the operands, how it is made)"""


def function(name: str, kinds: str, gives: str, duck: str) -> Form:
    first, *others = kinds.split()
    places = f"({', '.join(['{}'] * (1 + len(others)))})"
    ours, theirs = (text if "{" in text else text + places for text in (name, duck))
    if gives != "=":
        return KINDS[gives], kinds, plain(Type(gives), ours, f"CAST({theirs} AS {gives})")
    made = alike(ours, theirs)

    def of_its_operands(*those: Expr) -> Expr:
        one = made(*those)
        kind = t.BIGINT if one.type == t.INTEGER and name.upper() not in ("GREATEST", "LEAST") else one.type
        return Expr(kind, one.ours, f"CAST({one.duck} AS {duck_type(kind)})")

    return first, kinds, of_its_operands


def of_each(kinds: Sequence[str], shape: str, ours: str, duck: str = "", kind: Type | None = None) -> list[Form]:
    """One form for each kind; K in the shape stands for it."""
    return [(KINDS[kind.name] if kind else one, shape.replace("K", one), alike(ours, duck, kind)) for one in kinds]


EVERY = (*COMPARED, "LIST")
BOOL = t.BOOLEAN
INTERVALS = [
    ("'1' DAY", 0), ("'-40' DAY", 0), ("'90' MINUTE", 0), ("'1.5' SECOND", 0), ("'2' WEEK", 0),
    ("'1' MONTH", 1), ("'-13' MONTH", 1), ("'4' YEAR", 1), ("'1' QUARTER", 1),
]  # fmt: skip


def shifts() -> list[Form]:
    forms: list[Form] = []
    for interval, months in INTERVALS:
        for operator in "+-":
            text = f"({{}} {operator} INTERVAL {interval})"
            forms.append(("MOMENT", "MOMENT", plain(t.TIMESTAMP, text, f"in_years({text})")))
            kind, gives = ("DATE", t.DATE) if months else ("MOMENT", t.TIMESTAMP)
            forms.append((kind, "DATE", plain(gives, text, f"CAST(in_years({text}) AS {gives})")))
    return forms


LIKES = (
    plain(BOOL, "({} LIKE {})"),
    plain(BOOL, "({} NOT LIKE {})"),
    plain(BOOL, "({} LIKE {} ESCAPE '!')", "escaped({}, {})"),
    plain(BOOL, "({} NOT LIKE {} ESCAPE '!')", "(NOT escaped({}, {}))"),
)
LAMBDAS = [
    ("TRANSFORM", "transform", "el * 3 - n"), ("TRANSFORM", "transform", "COALESCE(el, m)"),
    ("TRANSFORM", "transform", "CASE WHEN el IN (m, 1) THEN n END"), ("FILTER", "filter", "el > n"),
    ("FILTER", "filter", "el IS NULL OR b"),
]  # fmt: skip
DATE_FIELDS = (*DATE_UNITS, "DOW", "ISODOW", "DOY")
SPAN_PART = "CAST(EXTRACT({} FROM CAST({{}} AS INTERVAL)) AS BIGINT)"
"""DuckDB takes a CASE of intervals that comes to NULL for a moment, whose part is a DOUBLE."""
COMPARISONS = ("=", "<>", "<", "<=", ">", ">=")

FORMS: list[Form] = [
    ("BOOLEAN", "BOOLEAN BOOLEAN", plain(BOOL, "({} AND {})")),
    ("BOOLEAN", "BOOLEAN BOOLEAN", plain(BOOL, "({} OR {})")),
    ("BOOLEAN", "BOOLEAN BOOLEAN BOOLEAN", plain(BOOL, "({} AND {} OR NOT {})")),
    ("BOOLEAN", "BOOLEAN", plain(BOOL, "(NOT {})")),
    *[
        ("BOOLEAN", "BOOLEAN", plain(BOOL, f"({{}} IS {negation}{what})"))
        for what in ("TRUE", "FALSE", "UNKNOWN")
        for negation in ("", "NOT ")
    ],
    *of_each(EVERY, "K", "({} IS NULL)", kind=BOOL),
    *of_each(EVERY, "K", "({} IS NOT NULL)", kind=BOOL),
    *[one for op in COMPARISONS for one in of_each(COMPARED, "K K", f"({{}} {op} {{}})", kind=BOOL)],
    *of_each(COMPARED, "K K", "({} IS DISTINCT FROM {})", kind=BOOL),
    *of_each(COMPARED, "K K", "({} IS NOT DISTINCT FROM {})", kind=BOOL),
    *of_each(COMPARED, "K K K", "({} BETWEEN {} AND {})", kind=BOOL),
    *of_each(COMPARED, "K K K", "({} NOT BETWEEN {} AND {})", kind=BOOL),
    *of_each(COMPARED, "K K K", "({} BETWEEN SYMMETRIC {} AND {})", "either_way({}, {}, {})", BOOL),
    *of_each(COMPARED, "K K K", "({} IN ({}, {}))", kind=BOOL),
    *of_each(COMPARED, "K K K", "({} NOT IN ({}, {}))", kind=BOOL),
    *of_each(COMPARED, "K K", "({} IN (NULL, {}))", kind=BOOL),
    *of_each(COMPARED, "K K", "({} NOT IN ({}, NULL))", kind=BOOL),
    *of_each(COMPARED, "K", "({0} = NULL)", "({0} = CASE WHEN FALSE THEN {0} END)", BOOL),
    *of_each(EVERY, "BOOLEAN K K", "CASE WHEN {} THEN {} ELSE {} END"),
    *of_each(EVERY, "BOOLEAN K", "CASE WHEN {} THEN {} END"),
    *of_each(EVERY, "BOOLEAN K BOOLEAN K", "CASE WHEN {} THEN NULL WHEN NULL THEN {} WHEN {} THEN {} END"),
    *[(one, f"{of} {of} {one} {one}", simple_case) for one in EVERY for of in COMPARED],
    *of_each(EVERY, "K K", "COALESCE({}, {})"),
    *of_each(EVERY, "K K", "IFNULL({}, {})", "COALESCE({}, {})"),
    *of_each(EVERY, "K K", "COALESCE(NULL, {}, {})"),
    *[(one, f"{one} {one}", nullif) for one in COMPARED],
    *[(one, f"{one} NUMBER", nullif) for one in NUMBERS],
    *[("NUMBER", "NUMBER NUMBER", calculated(op)) for op in "+-*/%"],
    *[(one, f"{one} {one}", calculated(op)) for op in "+-*/%" for one in NUMBERS],
    *[(one, one, negated) for one in NUMBERS],
    *[(KINDS[to.name], one, cast(to, safe=safe)) for to, of in CAST.items() for one in of for safe in (False, True)],
    *[("BOOLEAN", f"TEXT {one}", make) for one in ("TEXT", "PATTERN") for make in LIKES],
    ("TEXT", "TEXT TEXT", plain(t.VARCHAR, "({} || {})")),
    ("TEXT", "TEXT TEXT TEXT", plain(t.VARCHAR, "({} || {} || {})")),
    ("WHOLE", "LIST WIDTH", plain(t.BIGINT, "{}[{}]", "element({}, {})")),
    ("LIST", "LIST LIST", plain(t.array(t.BIGINT), "({} || {})", "joined({}, {})")),
    *[("LIST", "LIST", plain(t.array(t.BIGINT), f"{ours}({{}}, el => {body})", f"list_{duck}({{}}, lambda el: {body})"))
      for ours, duck, body in LAMBDAS],
    *[("WHOLE", "LIST WIDTH", plain(t.BIGINT, f"REDUCE({{}}, {{}}, (acc, el) => {body})",
                                    f"list_reduce({{}}, lambda acc, el: {body}, {{}})"))
      for body in ("acc + COALESCE(el, n)", "CASE WHEN el > acc THEN el ELSE acc END", "acc - el")],
    ("SPAN", "MOMENT MOMENT", plain(t.DAY_TO_SECOND, "({} - {})")),
    ("SPAN", "DATE DATE", plain(t.DAY_TO_SECOND, "({} - {})", "days_between({}, {})")),
    *[("WHOLE", "MOMENT", plain(t.BIGINT, f"EXTRACT({one} FROM {{}})")) for one in (*DATE_FIELDS, *TIME_UNITS)],
    *[("WHOLE", "DATE", plain(t.BIGINT, f"EXTRACT({one} FROM {{}})")) for one in DATE_FIELDS],
    *[
        ("WHOLE", "SPAN", plain(t.BIGINT, f"EXTRACT({one} FROM {{}})", SPAN_PART.format(one)))
        for one in ("DAY", *TIME_UNITS)
    ],
    *[("WHOLE", one, plain(t.BIGINT, "EXTRACT(EPOCH FROM {})", "whole_epoch({})")) for one in ("DATE", "MOMENT")],
    *shifts(),
    *[function(*row) for row in SHARED],
]  # fmt: skip


def text(value: str) -> Expr:
    quoted = "'" + value.replace("'", "''") + "'"
    return Expr(t.VARCHAR, quoted, quoted)


TEXTS = [
    "", "a", "b", "ab", "aab", "B", "é", "ß", "😀a", "a%b", "a_b", "!%", "true", "FALSE", "0", "1", "-7", "007", "2.5",
    "1e3", "12.345", "9223372036854775807", "9223372036854775808", "1e400", "2024-02-29", "2023-02-29", "x'y",
    "2024-02-29T23:59:59.123456", "0001-01-01", "9999-12-31 23:59:59", "1999-1-1", " 5 ", "-", ".5", "5.", "+3",
]  # fmt: skip
DAYS = ["2024-02-29", "2023-12-31", "1969-12-31", "1970-01-01", "0001-01-01", "9999-12-31", "2021-01-03"]
CLOCKS = ["00:00:00", "23:59:59.999999", "12:30:15.5"]
LITERALS: dict[str, st.SearchStrategy[Expr]] = {
    "BOOLEAN": st.sampled_from([literal(BOOL, "TRUE"), literal(BOOL, "FALSE"), literal(BOOL, "CAST(NULL AS BOOLEAN)")]),
    "WHOLE": st.sampled_from(
        [literal(t.INTEGER, str(n)) for n in (0, 1, 2, 3, 10)]
        + [literal(t.BIGINT, str(2**62)), literal(t.BIGINT, str(2**63 - 1)), literal(t.BIGINT, "CAST(NULL AS BIGINT)")]
    ),
    "EXACT": st.sampled_from(
        [literal(t.decimal(2, 1), n) for n in ("0.0", "1.0", "2.5")]
        + [
            *(literal(t.decimal(3, 2), "0.25"), literal(t.decimal(3, 3), "0.125")),
            literal(t.decimal(10, 2), "99999999.99"),
        ]
    ),
    "FLOAT": st.sampled_from([literal(t.DOUBLE, n) for n in ("0e0", "1e0", "25e-1", "5e-1", "1e300", "1e-7", "3e0")]),
    "TEXT": st.sampled_from(TEXTS).map(text),
    "PATTERN": st.text("ab%_!", max_size=4).filter(lambda one: one.count("!") % 2 == 0 or "!%" in one).map(text),
    "FILL": st.sampled_from(["x", "xy", "é"]).map(text),
    "WIDTH": st.integers(-2, 6).map(lambda n: literal(t.INTEGER, str(n) if n >= 0 else f"({n})")),
    "DATE": st.sampled_from(DAYS).map(lambda one: literal(t.DATE, f"DATE '{one}'")),
    "MOMENT": st.tuples(st.sampled_from(DAYS), st.sampled_from(CLOCKS)).map(
        lambda one: literal(t.TIMESTAMP, f"TIMESTAMP '{one[0]} {one[1]}'")
    ),
    "SPAN": st.sampled_from([f"INTERVAL {one}" for one, months in INTERVALS if not months]).map(
        lambda one: Expr(t.DAY_TO_SECOND, one, one)
    ),
    "LIST": st.sampled_from([literal(t.array(t.BIGINT), "ARRAY[1, NULL, CAST(3 AS BIGINT)]", "[1, NULL, 3]")]),
}


@lru_cache
def expressions(
    kind: str, depth: int, kinds: frozenset[str] = frozenset(LITERALS) | {"NUMBER"}
) -> st.SearchStrategy[Expr]:
    """Expressions of a kind, built of the kinds given only."""
    if kind == "NUMBER" and depth == 0:
        return st.one_of(*(expressions(one, 0, kinds) for one in NUMBERS if one in kinds))
    if depth == 0:
        names = [name for name, one in COLUMNS.items() if KINDS[one.name] == kind]
        return st.sampled_from(names).map(column) | LITERALS[kind] if names else LITERALS[kind]
    built = [
        st.builds(make, *(expressions(one, 0 if one in CONSTANT else depth - 1, kinds) for one in those.split()))
        for gives, those, make in FORMS
        if gives == kind and kinds.issuperset(those.split())
    ]
    parts = [expressions(one, depth, kinds) for one in NUMBERS if one in kinds] if kind == "NUMBER" else []
    return st.one_of(expressions(kind, 0, kinds), *parts, *built)
