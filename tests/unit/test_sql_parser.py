"""The bounds of a text, scripts, and the picture of a place."""

import pytest

from jobplane.schemas.errors import BadSyntax, NestedTooDeep, NotUtf8, Place, Refused, StatementTooLarge
from jobplane.sql.codegen.compile import Wiring, compile_step
from jobplane.sql.plan.plan import plan
from jobplane.sql.syntax import statements
from jobplane.sql.syntax.parser import parse, split_statements
from jobplane.sql.syntax.refusals.diagnostics import WIDTH, caret
from jobplane.sql.syntax.render.statements import render
from jobplane.sql.syntax.scan import MAX_BYTES, MAX_DEPTH

WIRING = Wiring("out", 1, {"s": "s"}, {"s": 0})
CREATE = "CREATE JOB j AS INSERT INTO out "


def numbers(depth: int) -> str:
    return "x" if depth == 0 else f"1 + 2 * -({numbers(depth - 1)})"


def conditions(depth: int) -> str:
    return "y" if depth == 0 else f"b OR c AND NOT ({conditions(depth - 1)}) = (d OR e)"


@pytest.mark.parametrize("subject", statements.ShowSubject)
@pytest.mark.parametrize("text", ["SHOW {}", "show\n{};", "\tShow  {} ; "])
def test_a_short_show_is_what_the_grammar_says(text: str, subject: str) -> None:
    for written in (text.format(subject), text.format(subject.lower())):
        assert parse(written) == parse(f"/* only the grammar knows comments */{written}")


@pytest.mark.parametrize(
    "query",
    [
        f"SELECT {numbers(MAX_DEPTH)} AS x FROM s",
        f"SELECT {conditions(MAX_DEPTH)} AS x FROM s",
        f"SELECT a FROM s WHERE {conditions(MAX_DEPTH)}",
    ],
)
def test_the_deepest_text_needs_less_than_the_stack_python_has(query: str) -> None:
    def everything(frames: int) -> statements.Statement:
        if frames:
            return everything(frames - 1)
        statement = parse(CREATE + query)
        assert isinstance(statement, statements.CreateJob)
        compile_step(plan(statement.inserts[0]), WIRING)
        return parse(render(statement))

    assert everything(250) == parse(CREATE + query)


def test_one_deeper_is_refused_where_it_begins() -> None:
    with pytest.raises(NestedTooDeep) as caught:
        parse("(" * 41)
    assert caught.value.place == Place(1, 41)


def test_brackets_in_strings_names_and_comments_do_not_count() -> None:
    brackets = "(" * 100
    parse(f"{CREATE}SELECT '{brackets}', \"{brackets}\" FROM s -- {brackets}\n// {brackets}\n/* {brackets} */")


@pytest.mark.parametrize(
    "query",
    [
        "SELECT " + " + ".join(["a"] * 2000) + " FROM s",
        "SELECT a FROM s WHERE " + " AND ".join(["a"] * 2000),
        "SELECT a FROM s WHERE (" + " OR ".join(["a"] * 2000) + ") IS NULL",
    ],
)
def test_long_chains_are_not_deep(query: str) -> None:
    statement = parse(CREATE + query)
    assert isinstance(statement, statements.CreateJob)
    compile_step(plan(statement.inserts[0]), WIRING)
    assert render(statement) == CREATE + query


@pytest.mark.parametrize("query", ["SELECT " + "- " * 20000 + "1", "SELECT " + "NOT " * 10000 + "a", "SELECT " * 5000])
def test_long_nonsense_is_refused(query: str) -> None:
    with pytest.raises(BadSyntax):
        parse(CREATE + query)


def test_size_counts_bytes() -> None:
    shell = f"{CREATE}SELECT '{{}}' AS x FROM s"
    room = MAX_BYTES - len(shell.format(""))
    parse(shell.format("x" * room))
    with pytest.raises(StatementTooLarge):
        parse(shell.format("é" * (room // 2 + 1)))


def test_a_statement_whose_canonical_form_is_too_large_is_refused() -> None:
    text = f"{CREATE}SELECT {','.join(f'{i}e15 c{i}' for i in range(4500))} FROM s"
    assert len(text) < MAX_BYTES
    with pytest.raises(StatementTooLarge, match="canonical"):
        parse(text)


def test_half_a_surrogate_pair_is_no_text() -> None:
    with pytest.raises(NotUtf8) as caught:
        parse("SHOW\n\ud800")
    assert caught.value.place == Place(2, 1)


def test_places_count_lines_and_characters() -> None:
    statement = parse("CREATE JOB j\r\n  OPTIONS (/* é\n */ a 'é', b 'x')\nAS INSERT INTO out SELECT 'é' + 1 FROM s")
    assert isinstance(statement, statements.CreateJob)
    first, second = statement.options
    places = (first.name.place, first.value_place, second.name.place)
    assert places == (Place(3, 5), Place(3, 7), Place(3, 12))
    with pytest.raises(Refused) as caught:
        plan(statement.inserts[0])
    assert caught.value.place == Place(4, 27)


def test_split() -> None:
    script = """-- a script
SHOW JOBS; ;
  /* ; */ DROP JOB "a;b"
  -- and; so
  WITH SNAPSHOT s;
CREATE JOB j AS INSERT INTO out SELECT 'it''s; ' FROM s
// the end;
"""
    assert split_statements(script) == [
        (2, "SHOW JOBS"),
        (3, 'DROP JOB "a;b"\n  -- and; so\n  WITH SNAPSHOT s'),
        (6, "CREATE JOB j AS INSERT INTO out SELECT 'it''s; ' FROM s"),
    ]
    assert split_statements("") == split_statements(" ;; -- nothing\n") == []


def test_split_keeps_the_inserts_of_a_set_together() -> None:
    first, second = "INSERT INTO b SELECT * FROM s", "INSERT INTO c SELECT end FROM s AS end"
    whole = [
        f"CREATE JOB j AS BEGIN {first}; {second}; END",
        f"explain create job j as /* ; */ begin\n{first};\n-- more;\n ; {second} end",
        f"CREATE JOB j AS BEGIN {first}; sink into d SELECT 'x; ' AS x FROM s;\nEND",
    ]
    for one in whole:
        assert split_statements(f"SHOW JOBS;{one};;DROP JOB j;") == [
            (1, "SHOW JOBS"),
            (1, one),
            (one.count("\n") + 1, "DROP JOB j"),
        ]
    assert [text for _, text in split_statements(f"CREATE JOB j AS BEGIN {first}; DROP JOB k; {second}; END")] == [
        f"CREATE JOB j AS BEGIN {first}",
        "DROP JOB k",
        second,
        "END",
    ]


def test_split_refuses_what_is_never_closed() -> None:
    with pytest.raises(BadSyntax) as caught:
        split_statements('SHOW JOBS;\nDROP JOB "a; SHOW JOBS;')
    assert caught.value.place == Place(2, 10)


@pytest.mark.parametrize("column", [1, 40, 500, 960, 1001])
def test_caret_points_into_long_lines(column: int) -> None:
    line = "".join(chr(ord("a") + i % 26) for i in range(1000))
    first, shown, pointer = caret(f"first\n{line}\nlast", Place(2, column), "here").split("\n")
    assert first == f"2:{column} here"
    assert len(shown) <= WIDTH
    assert (shown + " ")[len(pointer) - 1] == (line + " ")[column - 1]


def test_caret_past_the_end_and_through_tabs() -> None:
    assert caret("a\tb\x00c", Place(1, 3), "x") == "1:3 x\na    b·c\n     ^"
    assert caret("a", Place(5, 9), "x") == "5:9 x\n\n^"
