"""Literals of every type, sound and odd; texts that functions look for; types as people write them."""

from collections.abc import Callable
from decimal import Decimal
from random import Random

from jobplane.schemas.types import datatypes as t
from jobplane.schemas.types.datatypes import Type
from jobplane.sql.syntax import expressions as ex

SCALARS = (
    *(t.BOOLEAN, t.TINYINT, t.SMALLINT, t.INTEGER, t.BIGINT, t.decimal(9, 2), t.decimal(38, 10), t.REAL, t.DOUBLE),
    *(t.VARCHAR, t.VARCHAR, t.VARBINARY, t.DATE, t.TIME, t.TIMESTAMP, t.TIMESTAMP_TZ, t.DAY_TO_SECOND),
    *(t.YEAR_TO_MONTH, t.JSON),
)
KEYS = (t.VARCHAR, t.VARCHAR, t.BIGINT, t.BOOLEAN, t.DATE)
ROWS = t.row(("x", "y"), (t.BIGINT, t.VARCHAR))
NESTED = (
    *(t.array(t.BIGINT), t.array(t.VARCHAR), t.array(t.JSON), t.array(ROWS), t.array(t.array(t.DOUBLE))),
    *(t.map_of(t.VARCHAR, t.BIGINT), t.map_of(t.BIGINT, t.array(t.DATE)), ROWS, t.array(t.TIMESTAMP)),
    t.row(("a", "b c"), (t.decimal(9, 2), t.array(ROWS))),
)
ODD_TYPES = (
    *("BLOB", "DECIMAL(50, 60)", "DECIMAL(0, 0)", "DECIMAL", "VARCHAR(10)", "FLOAT", "STRING", "CHAR(3)", "ROW(a X)"),
    *("MAP<DOUBLE, JSON>", "ARRAY<ARRAY<ARRAY<ROW(a JSON)>>>", "TIMESTAMP(3)", "INTERVAL YEAR", "INTERVAL DAY TO HOUR"),
    *("DOUBLE PRECISION", "MAP<VARCHAR, MAP<VARCHAR, DECIMAL(38, 38)>>", 'ROW("order" DATE, "b c" BIGINT)', "NULL"),
)
TEXTS = (
    *("", "a", "abc", " x ", "1", "-7.5", "1e400", "true", "2024-02-29", "12:34:56.789", "2026-01-31T08:30:00Z"),
    *(
        "straße",
        "日本",
        "'",
        '"',
        "\\",
        "%",
        "_",
        "a_b%",
        "\u0000",
        "\ud7ff",
        "x" * 300,
        "{}",
        '{"a": [1, {"b": null}]}',
    ),
    *("2026-02-30", "0000-00-00", "NaN", "Infinity", "٣", "99999999999999999999", "Europe/Berlin", "zz", "[1,", "null"),
)
PATTERNS = (
    "a",
    "(a)(b)?",
    "[",
    "(",
    ".*",
    "\\d+",
    "(?P<x>.)",
    "a{1,99999}",
    "(a+)+$",
    "",
    "\\",
    "^[a-z]+$",
    "$1",
    "x|y",
)
SPECIAL: dict[str, tuple[str, ...]] = {
    "pattern": (*PATTERNS, "yyyy-MM-dd", "HH:mm:ss.SSS", "%Y-%m-%d", "dd/MM/uuuu HH:mm", "Q", "'"),
    "zone": ("UTC", "Europe/Berlin", "+05:30", "-25:00", "America/New_York", "Mars/Base", "", "Z"),
    "path": ("$", "$.a", "$.a[0].b", "$[*]", "a", "$.", "$..a", '$."a b"', "$[-1]", "$.a[99999999999999999999]"),
    "flags": ("i", "", "g", "im", "x", "?"),
    "fill": ("", "*", "ab"),
    "delimiter": ("", ",", "--"),
}
NUMBERS: tuple[int | float | Decimal, ...] = (
    *(0, 1, 2, 3, 7, 10, 100, 255, 2**31, 2**53 + 1, 2**63 - 1, 2**63, 0.0, 1e0, 2.5e-3, 1e15, 1e308, 5e-324),
    *(
        Decimal("0.0"),
        Decimal("1.5"),
        Decimal("0.01"),
        Decimal("99999999.99"),
        Decimal("9" * 38),
        Decimal("0." + "0" * 37 + "1"),
    ),
)
MOMENTS = {
    "DATE": ("2024-02-29", "0001-01-01", "9999-12-31", "2026-02-30", "x", ""),
    "TIME": ("00:00:00", "23:59:59.999999", "12:34", "24:00:00", ""),
    "TIMESTAMP": ("2024-02-29 12:00:00", "0001-01-01T00:00:00", "9999-12-31T23:59:59.999999", "2024-13-01 00:00:00"),
    "TIMESTAMP WITH TIME ZONE": (
        "2024-02-29T12:00:00Z",
        "2024-02-29 12:00:00+05:30",
        "9999-12-31T23:59:59-12:00",
        "now",
    ),
}
INTERVALS = {
    "INTERVAL DAY TO SECOND": (
        *(("1", "DAY", ""), ("36", "HOUR", ""), ("1 02:03:04.5", "DAY", "SECOND"), ("-5", "MINUTE", "")),
        *(("999999999", "DAY", ""), ("2", "WEEK", ""), ("", "SECOND", ""), ("1.5", "SECOND", "")),
    ),
    "INTERVAL YEAR TO MONTH": (
        *(("1", "YEAR", ""), ("18", "MONTH", ""), ("1-6", "YEAR", "MONTH"), ("99999999999", "YEAR", "")),
        *(("2", "QUARTER", ""), ("-1", "MONTH", ""), ("x", "YEAR", "MONTH")),
    ),
}  # fmt: skip


def literal(one: Type, chance: Random) -> ex.Expression | None:
    """One of the type; None where the language has none."""
    made = _MADE.get(one.name)
    return made(one, chance) if made else None


def text(chance: Random, role: str = "") -> ex.String:
    """`role` is the name of a function's parameter."""
    return ex.String(chance.choice(SPECIAL.get(role, TEXTS)))


def any_type(chance: Random) -> Type:
    return chance.choice(NESTED) if chance.random() < 0.25 else chance.choice(SCALARS)


def written_type(one: Type, chance: Random) -> ex.ColumnType:
    return ex.ColumnType(chance.choice(ODD_TYPES) if chance.random() < 0.03 else str(one))


def _number(_: Type, chance: Random) -> ex.Expression:
    if chance.random() < 0.7:
        return ex.Number(chance.randrange(12))
    number = ex.Number(chance.choice(NUMBERS))
    return ex.Sign("-", number) if chance.random() < 0.3 else number


def _moment(one: Type, chance: Random) -> ex.Expression:
    those = MOMENTS[one.name]
    return ex.Moment(one.name, chance.choice(those if chance.random() < 0.1 else those[:2]))  # type: ignore[arg-type]


def _interval(one: Type, chance: Random) -> ex.Expression:
    those = INTERVALS[one.name]
    return ex.Interval(*chance.choice(those if chance.random() < 0.2 else those[:3]))


_Made = Callable[[Type, Random], ex.Expression]
_MADE: dict[str, _Made] = {
    **dict.fromkeys(t.NUMERIC, _number),
    **dict.fromkeys(MOMENTS, _moment),
    **dict.fromkeys(INTERVALS, _interval),
    "BOOLEAN": lambda _, chance: ex.Boolean(chance.random() < 0.5),
    "VARCHAR": lambda _, chance: text(chance),
    "VARBINARY": lambda _, chance: ex.Bytes(chance.randbytes(chance.randrange(4))),
}
