"""For every statement parse(render(x)) == x; for every expression the compiled step agrees with a plain interpreter."""

import math
import re
from decimal import Decimal
from fractions import Fraction
from typing import Any, get_args

import msgspec
from confluent_kafka import Message
from hypothesis import given, settings
from hypothesis import strategies as st

from jobplane.schemas.failures import BadRecord
from jobplane.schemas.names import RESERVED
from jobplane.sql.codegen.compile import Wiring, compile_step
from jobplane.sql.plan.plan import plan
from jobplane.sql.plan.recording import dump, load
from jobplane.sql.syntax import expressions as ex
from jobplane.sql.syntax import statements
from jobplane.sql.syntax.grammar import EXPECTED
from jobplane.sql.syntax.parser import parse, split_statements
from jobplane.sql.syntax.render.insert_text import insert_text
from jobplane.sql.syntax.render.lines import render_lines
from jobplane.sql.syntax.render.statements import render

WIRING = Wiring("out", 1, {"s": "s"}, {"s": 0})
WORDS = sorted(RESERVED | {word for word in EXPECTED if word.isupper()})
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
NAMES = st.one_of(st.sampled_from([*WORDS, *map(str.lower, WORDS)]), st.from_regex(r"[A-Za-z_]\w{0,5}"), TEXT)
name = NAMES.filter(bool).map(statements.Name)
column = NAMES.filter(lambda text: text and not text.startswith("__") and text != "this")

MOMENTS = get_args(ex.MomentType)
UNITS = st.sampled_from(["YEAR", "QUARTER", "MONTH", "WEEK", "DAY", "HOUR", "MINUTE", "SECOND"])
decimals = st.decimals(0, 10**12, places=3).map(lambda one: one or Decimal("0.0"))
number = st.one_of(st.integers(0, 2**63), st.floats(0, allow_nan=False, allow_infinity=False), decimals).map(ex.Number)
literal = st.one_of(
    *(
        number,
        TEXT.map(ex.String),
        st.booleans().map(ex.Boolean),
        st.just(ex.Null()),
        st.binary(max_size=4).map(ex.Bytes),
    ),
    st.builds(ex.Moment, st.sampled_from(MOMENTS), TEXT),
    st.builds(ex.Interval, TEXT, UNITS, st.just("") | UNITS),
)
COMPARISONS = st.sampled_from(get_args(ex.ComparisonOperator))
kinds = st.sampled_from(
    [
        *(
            "BIGINT",
            "VARCHAR",
            "DECIMAL(10, 2)",
            "DOUBLE PRECISION",
            "TIMESTAMP(3) WITH TIME ZONE",
            "X",
            "ARRAY<BIGINT>",
        ),
        *(
            "MAP<VARCHAR, ARRAY<DATE>>",
            'ROW(a BIGINT, "b c" TIMESTAMP WITH TIME ZONE, "order" DATE)',
            "INTERVAL DAY TO SECOND",
        ),
    ]
)
SPECIAL = {"EXTRACT", "SUBSTRING", "POSITION", "TRIM", "OVERLAY", "ROW", "CAST", "TRY_CAST"}
functions = st.from_regex(r"[A-Z_][A-Z0-9_]{0,5}", fullmatch=True).filter(lambda one: one not in RESERVED | SPECIAL)
parameters = st.lists(column, min_size=1, max_size=3, unique=True).map(tuple)
functions |= st.sampled_from(
    ["LEFT", "RIGHT", "SUBSTRING", "POSITION", "EXTRACT", "TRIM", "JSON_OBJECT", "AT_TIME_ZONE"]
)


def arithmetic(operand: st.SearchStrategy[ex.Expression]) -> st.SearchStrategy[ex.Expression]:
    def chain(operators: str) -> st.SearchStrategy[ex.Expression]:
        rest = st.lists(st.tuples(st.sampled_from(operators), operand), min_size=1, max_size=3)
        return st.builds(ex.Arithmetic, operand, rest.map(tuple))

    return st.one_of(chain("+-"), chain("*/%"), st.builds(ex.Sign, st.sampled_from("+-"), operand))


def condition(operand: st.SearchStrategy[ex.Expression]) -> st.SearchStrategy[ex.Expression]:
    several = st.lists(operand, min_size=2, max_size=3).map(tuple)
    return st.one_of(st.builds(ex.Not, operand), st.builds(ex.And, several), st.builds(ex.Or, several))


def made(operand: st.SearchStrategy[ex.Expression]) -> st.SearchStrategy[ex.Expression]:
    some = st.lists(operand, max_size=3).map(tuple)
    pairs = st.lists(st.tuples(operand, operand), max_size=2).map(tuple)
    branches = st.lists(st.tuples(operand, operand), min_size=1, max_size=2).map(tuple)
    return st.one_of(
        st.builds(ex.Access, operand, column),
        st.builds(ex.Element, operand, operand),
        st.builds(ex.Call, functions, some),
        st.builds(ex.Call, functions, st.tuples(operand, st.builds(ex.Lambda, parameters, operand))),
        *(st.builds(ex.ArrayOf, some), st.builds(ex.MapOf, pairs), st.builds(ex.RowOf, some)),
        st.builds(ex.Cast, operand, kinds.map(ex.ColumnType), st.booleans()),
        st.builds(ex.Case, st.none() | operand, branches, st.none() | operand),
    )


def predicate(operand: st.SearchStrategy[ex.Expression]) -> st.SearchStrategy[ex.Expression]:
    items = st.lists(operand, min_size=1, max_size=3).map(tuple)
    return st.one_of(
        st.builds(ex.Comparison, COMPARISONS, operand, operand),
        st.builds(ex.Is, operand, st.sampled_from(["NULL", "TRUE", "FALSE", "UNKNOWN"]), st.booleans()),
        st.builds(ex.Distinct, operand, operand, st.booleans()),
        st.builds(ex.Between, operand, operand, operand, st.booleans(), st.booleans()),
        st.builds(ex.In, operand, items, st.booleans()),
        st.builds(ex.Like, operand, operand, st.none() | operand, st.booleans()),
    )


def any_form(operand: st.SearchStrategy[ex.Expression]) -> st.SearchStrategy[ex.Expression]:
    joined = st.lists(operand, min_size=2, max_size=3).map(tuple).map(ex.Concat)
    return st.one_of(arithmetic(operand), condition(operand), predicate(operand), made(operand), joined)


expression = st.recursive(st.one_of(literal, column.map(ex.Column)), any_form, max_leaves=12)
alias = st.none() | column.map(statements.Name)
star = st.builds(statements.Star, alias)
item = st.one_of(star, st.builds(statements.Item, expression, alias))
columns = st.lists(column.map(statements.Name), max_size=3).map(tuple)
items = st.lists(item, min_size=1, max_size=4).map(tuple)


def unnested(
    alias: statements.Name | None, columns: tuple[statements.Name, ...], **rest: Any
) -> statements.UnnestClause:
    return statements.UnnestClause(alias=alias, columns=columns if alias else (), **rest)


unnests = st.lists(
    st.builds(unnested, alias, columns, expression=expression, ordinality=st.booleans()), max_size=2
).map(tuple)


def query_of(source: st.SearchStrategy[Any]) -> st.SearchStrategy[statements.Query]:
    select = st.builds(statements.Select, items, source, unnests, st.none() | expression)
    return st.builds(statements.Query, st.just(()), st.lists(select, min_size=1, max_size=2).map(tuple))


LENGTHS = ("1", "2", "5", "30")


@st.composite
def windowed(draw: st.DrawFn, below: st.SearchStrategy[Any]) -> statements.Windowed:
    """A size that is not shorter than the step: the canonical form has no names that would tell them apart."""
    function = draw(st.sampled_from(statements.WindowFunction))
    unit = draw(st.sampled_from(["MONTH", "DAY", "MINUTE"]))
    step, size, offset = (ex.Interval(one, unit, "") for one in (LENGTHS[0], draw(st.sampled_from(LENGTHS)), "-1"))
    zone = draw(st.none() | TEXT.map(ex.String))
    if function is statements.WindowFunction.SESSION:
        keys = draw(st.lists(column.map(ex.Column), max_size=2).map(tuple))
        time = ex.Column(draw(column))
        return statements.Windowed(function, draw(below), time, size, None, None, None, draw(alias), keys=keys)
    return statements.Windowed(
        function,
        draw(below),
        draw(st.builds(ex.Access, column.map(ex.Column), column) | column.map(ex.Column)),
        size,
        None if function is statements.WindowFunction.TUMBLE else step,
        draw(st.none() | st.just(offset)),
        zone,
        draw(alias),
    )


flat = query_of(st.builds(statements.Table, name, alias) | windowed(st.builds(statements.Table, name)))
bindings = st.lists(st.builds(statements.Binding, name, flat), max_size=2).map(tuple)
derived = query_of(
    st.builds(statements.Derived, flat, alias) | windowed(st.builds(statements.Derived, flat, st.none()))
)
query = st.builds(lambda bound, one: statements.Query(bound, one.branches), bindings, flat | derived)
insert = st.builds(statements.Insert, st.sampled_from(statements.Keyword), name, columns, query)
options = st.lists(st.builds(statements.Option, name, TEXT), max_size=3, unique_by=lambda option: option.name.text).map(
    tuple
)
instants = st.datetimes().map(lambda one: one.isoformat())
defined = st.builds(
    statements.ColumnDefinition, column.map(statements.Name), kinds.map(ex.ColumnType), st.none() | name
)
mapping = st.builds(
    statements.CreateMapping,
    *(name, st.just(value=False), st.booleans(), st.none() | name),
    *(st.lists(defined, max_size=3).map(tuple), name, options),
)
statement: st.SearchStrategy[statements.Statement] = st.one_of(
    st.builds(statements.CreateJob, name, st.booleans(), options, st.lists(insert, min_size=1, max_size=3).map(tuple)),
    st.builds(statements.DropJob, name, st.booleans(), st.none() | name),
    st.builds(
        statements.AlterJob,
        name,
        st.sampled_from(statements.Action) | st.builds(statements.NewOptions, options, st.booleans()),
    ),
    st.builds(statements.CreateSnapshot, name, name, st.booleans()),
    st.builds(statements.DropSnapshot, name, st.booleans()),
    mapping,
    st.builds(statements.DropMapping, name, st.booleans()),
    st.builds(statements.Show, st.sampled_from(statements.ShowSubject)),
    st.builds(
        statements.Show,
        st.sampled_from(sorted(statements.STATEFUL)),
        st.builds(statements.AsOfOffset, st.integers(0, 2**62)),
    ),
    st.builds(
        statements.Show,
        st.just(statements.ShowSubject.JOBS),
        st.builds(statements.AsOfTime, instants),
        st.one_of(st.none(), st.builds(statements.LikeName, st.text(alphabet="ab%_'É ", max_size=5))),
    ),
    st.builds(statements.ShowCreate, name),
    st.builds(statements.ShowHistory, name),
    st.builds(statements.Describe, st.sampled_from(statements.DescribeKind), name),
    st.builds(statements.Explain, insert, st.sampled_from(statements.ExplainMode)),
)


@settings(max_examples=150, deadline=None)
@given(statement)
def test_what_is_rendered_parses_to_the_same(tree: statements.Statement) -> None:
    text = render(tree)
    assert repr_of(parse(text)) == repr_of(tree)
    assert render(parse(text)) == text
    assert repr_of(parse("\n".join(render_lines(tree)))) == repr_of(tree)
    if isinstance(tree, statements.CreateJob):
        several = len(tree.inserts) > 1
        listed = "; ".join(map(render, tree.inserts))
        assert insert_text(text) == (f"BEGIN {listed}; END" if several else listed)
    assert split_statements(f"{text};\n{text};") == [(1, text), (text.count("\n") + 2, text)]


def repr_of(tree: statements.Statement) -> str:
    """All but the places; it tells 1 from 1.0 and TRUE, which equality does not."""
    return re.sub(r"place=Place\(line=\d+, column=\d+\)", "", repr(tree))


# A typed expression over the columns n, m (numbers), s, t (strings), b, c (booleans), x, y (either, compared only)

small = st.one_of(st.integers(0, 5), st.sampled_from([0.0, 0.5, 2.0, 1e200])).map(ex.Number)
numbers = st.recursive(
    st.one_of(small, st.sampled_from("nm").map(ex.Column), st.just(ex.Null())), arithmetic, max_leaves=5
)
strings = st.one_of(st.sampled_from("st").map(ex.Column), st.sampled_from(["", "a", "b"]).map(ex.String))
others = st.sampled_from("xy").map(ex.Column)
comparisons = st.one_of(
    st.builds(ex.Comparison, COMPARISONS, numbers, numbers),
    st.builds(ex.Comparison, COMPARISONS, strings, strings),
    st.builds(ex.Comparison, COMPARISONS, others, others),
)
tests = st.builds(ex.Is, st.one_of(numbers, strings, others), st.just("NULL"), st.booleans())
truths = st.one_of(st.sampled_from("bc").map(ex.Column), st.booleans().map(ex.Boolean), st.just(ex.Null()))
conditions = st.recursive(st.one_of(comparisons, tests, truths), condition, max_leaves=6)

nullable_numbers = st.one_of(st.none(), st.integers(-3, 3), st.sampled_from([-1.5, 0.0, 2.5, 1e200]))
nullable_strings = st.sampled_from([None, "", "a", "b"])
rows = st.fixed_dictionaries(
    {
        **dict.fromkeys("nm", nullable_numbers),
        **dict.fromkeys("st", nullable_strings),
        **dict.fromkeys("bc", st.sampled_from([None, True, False])),
        **dict.fromkeys("xy", st.one_of(nullable_numbers, nullable_strings, st.booleans())),
    }
)


class Failed(Exception):
    """The reference refuses the row."""


def evaluate(tree: ex.Expression, row: dict[str, Any]) -> Any:
    """SQL's meaning, operand by operand; raises Failed."""
    match tree:
        case ex.Column(text):
            return row[text]
        case ex.Number(value) | ex.String(value) | ex.Boolean(value):
            return value
        case ex.Null():
            return None
        case ex.Is(operand, _, negated):
            return (evaluate(operand, row) is None) is not negated
        case ex.Not(operand):
            value = evaluate(operand, row)
            return None if value is None else not value
        case ex.And(operands) | ex.Or(operands):
            ends_with = isinstance(tree, ex.Or)
            found = set()
            for operand in operands:
                found.add(evaluate(operand, row))
                if ends_with in found:
                    return ends_with
            return None if None in found else not ends_with
        case ex.Sign(sign, operand):
            value = evaluate(operand, row)
            return None if value is None else -value if sign == "-" else value
        case ex.Arithmetic(first, rest):
            total = evaluate(first, row)
            for operator, operand in rest:
                right = evaluate(operand, row)
                total = None if total is None or right is None else calculate(operator, total, right)
            return total
        case ex.Comparison(operator, left, right):
            return compare(operator, evaluate(left, row), evaluate(right, row))


def calculate(operator: str, a: Any, b: Any) -> Any:
    whole = isinstance(a, int) and isinstance(b, int)
    if operator in "/%" and b == 0:
        raise Failed
    if operator == "/":
        result = math.trunc(Fraction(a, b)) if whole else a / b
    elif operator == "%":
        result = a - b * math.trunc(Fraction(a, b)) if whole else math.fmod(a, b)
    else:
        result = {"+": a + b, "-": a - b, "*": a * b}[operator]
    if not whole and not math.isfinite(result):
        raise Failed
    return result


def compare(operator: str, a: Any, b: Any) -> bool | None:
    if a is None or b is None:
        return None
    kinds = {bool if isinstance(v, bool) else str if isinstance(v, str) else float for v in (a, b)}
    if len(kinds) > 1:
        raise Failed
    outcomes: dict[str, bool] = {"=": a == b, "<>": a != b, "<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b}
    return outcomes[operator]


def answers(select: statements.Query, row: dict[str, Any]) -> list[Any]:
    """The records the compiled query writes for one row, as a host that reads the plan's record; raises Failed."""
    insert = statements.Insert(statements.Keyword.INSERT, statements.Name("out"), (), select)
    planned = plan(insert, judged_before=True)
    read = load(dump(planned))
    assert read == planned
    step = compile_step(read, WIRING).step
    written: list[bytes] = []
    message = Message("s", 0, 0, None, msgspec.json.encode(row), None, None, (1, 1))
    try:
        step(iter([message]), lambda *record: written.append(record[1]), lambda *_: None)
    except BadRecord:
        raise Failed from None
    return [msgspec.json.decode(value) for value in written]


def selected(item: statements.Item | statements.Star, where: ex.Expression | None) -> statements.Query:
    return statements.Query((), (statements.Select((item,), statements.Table(statements.Name("s")), (), where),))


def has_null(tree: ex.Expression, row: dict[str, Any]) -> bool:
    return re.search(r"\bNull\(", repr(tree)) is not None or None in row.values()


@settings(max_examples=200, deadline=None)
@given(st.one_of(numbers, conditions), rows)
def test_a_value_is_what_sql_says(tree: ex.Expression, row: dict[str, Any]) -> None:
    select = selected(statements.Item(tree, statements.Name("z")), None)
    check(tree, select, row, lambda value: [{"z": value}])


@settings(max_examples=200, deadline=None)
@given(conditions, rows)
def test_where_keeps_what_is_true(tree: ex.Expression, row: dict[str, Any]) -> None:
    select = selected(statements.Star(), tree)
    check(tree, select, row, lambda value: [row] if value is True else [])


def check(tree: ex.Expression, select: statements.Query, row: dict[str, Any], expected: Any) -> None:
    """Where NULL and an error meet in one operator, either may win: only rows without NULL must fail alike."""
    try:
        wanted = expected(evaluate(tree, row))
    except Failed:
        try:
            answers(select, row)
        except Failed:
            return
        assert has_null(tree, row)
        return
    assert answers(select, row) == wanted
