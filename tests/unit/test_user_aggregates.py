"""Aggregates of installed packages: what is one, what becomes of what its methods do, and what plans record of it."""

from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from jobplane.controlplane.listings import rows as views
from jobplane.processors.pipeline import pipeline_of
from jobplane.processors.task.packages import compile_here
from jobplane.processors.user_functions import found
from jobplane.schemas.errors import NotSupported, TypeMismatch, UnknownFunction
from jobplane.schemas.failures import BadRecord, FunctionMissing, GroupFailed
from jobplane.schemas.records.packages import Package
from jobplane.sql.codegen.groups import compile_groups
from jobplane.sql.explain import explain
from jobplane.sql.functions import BUILT_IN, FunctionCatalogue
from jobplane.sql.packages import package_aggregate
from jobplane.sql.plan.grouping.signature import encode_signatures, signatures
from jobplane.sql.plan.plan import plan
from jobplane.sql.plan.recording import record
from jobplane.sql.runtime.groups import GroupState
from jobplane.sql.syntax.parser import parse_insert
from tests.support.grouping import MAPPING, WIRING, absorb, emit, mapping_of, message, never, values
from tests.support.packages import EXAMPLE_FUNCTIONS, OWNER, install, task, with_aggregate
from tests.test_docs import ROOT

PARTITIONS = [("s", 0), ("s", 1)]


class Product:
    """The product of the numbers.

    A second paragraph.
    """

    def init(self) -> int | None:
        return None

    def add(self, state: int | None, value: int) -> int | None:
        if value == 13:
            raise KeyError("x")
        return value if state is None else state * value

    def merge(self, state: int | None, later: int | None) -> int | None:
        if state == 7 or later == 7:
            raise SystemExit(3)
        return later if state is None else state if later is None else state * later

    def result(self, state: int | None) -> int | None:
        if state == 6:
            raise ValueError("no six")
        return "text" if state == 8 else state  # type: ignore[return-value]


def state_of(query: str, functions: FunctionCatalogue | None = None, mapping: str = MAPPING) -> GroupState:
    planned = plan(parse_insert(f"INSERT INTO out {query}"), {"s": mapping_of(mapping)}, None, functions or PRODUCT)
    return compile_groups(planned, replace(WIRING, functions=functions or PRODUCT)).state(PARTITIONS)


PRODUCT = with_aggregate(Product)
QUERY = "SELECT u, PRODUCT(x) AS n FROM s GROUP BY u"
TUMBLE = "TUMBLE(TABLE s, DESCRIPTOR(ts), INTERVAL '10' SECOND)"


# What is one


def test_a_class_with_the_methods_is_an_aggregate(path: Path) -> None:
    source = """
        class Longest:
            \"\"\"The longest text.\"\"\"
            def init(self) -> str:
                return ""
            def add(self, state: str, text: str, least: int = 0) -> str:
                return max(state, text, key=len) if len(text) >= least else state
            def merge(self, state: str, later: str) -> str:
                return max(state, later, key=len)
            def result(self, state: str) -> str:
                return state
    """
    install(path, "texts", "2.1", source, longest="texts:Longest")
    here = found()
    assert (here.refused, here.functions) == ({}, ())
    (longest,) = here.aggregates
    assert longest.signature == "LONGEST(text VARCHAR[, least BIGINT]) → VARCHAR"
    assert (longest.function.summary, longest.function.package) == ("The longest text.", Package("texts", "2.1"))
    assert longest.state == "str"
    catalogue = BUILT_IN.with_packages((), {}, here.aggregates)
    state = state_of("SELECT k, LONGEST(u, 2) AS most FROM s GROUP BY k", catalogue)
    absorb(state, message(1, u="aa"), message(1, u="b"), message(1, u=None), message(1, u="abc"))
    assert values(state) == [{"k": "k", "most": "abc"}]


def broken(**methods: Any) -> str:
    """Why a class is no aggregate that has these methods in place of its own."""
    made = type("Broken", (Product,), methods)
    with pytest.raises(TypeError) as reason:
        package_aggregate(made, "BROKEN", OWNER)
    return str(reason.value)


def test_what_is_not_an_aggregate_says_why() -> None:
    def add(self: Any, state: int | None) -> int | None: ...
    def other(self: Any, state: str | None, value: int) -> str | None: ...
    def bare(self: Any, state, value: int) -> int | None: ...  # type: ignore[no-untyped-def]
    def odd(self: Any, state: int | None, value: complex) -> int | None: ...
    def one(self: Any, state: int | None) -> int | None: ...
    def nothing(self: Any) -> int | None: ...
    def anything(self: Any, state: int | None) -> object:
        return state

    def wide(self: Any) -> int | None:
        return 2**64

    def text(self: Any) -> int | None:
        return "text"  # type: ignore[return-value]

    def wrong(self: Any) -> int | None:
        raise OSError("no disk")

    async def later(self: Any) -> int | None: ...

    assert broken(merge=None) == (
        "it is a class without merge; an aggregate has the methods init, add, merge and result"
    )
    assert broken(add=add) == "add takes a state and at least one value"
    assert broken(add=other) == "add has a state of str | None, and init returns int | None"
    assert broken(add=bare) == "add: parameter 'state' has no annotation"
    assert broken(add=odd) == "<class 'complex'> is not a type of SQL"
    assert broken(merge=one) == "merge takes two states"
    assert broken(result=nothing) == "result takes a state"
    assert broken(result=anything).startswith("'object' is for parameters only")
    assert broken(init=wide) == (
        "init returns a Python int as a state, which cannot be kept: "
        "OverflowError: can't serialize ints < -2**63 or > 2**64 - 1"
    )
    assert broken(init=text) == (
        "init returns a state that is not what its annotation says: Expected `int | null`, got `str`"
    )
    assert broken(init=later) == "init: it returns a coroutine or generator, not a value"
    with pytest.raises(OSError, match="no disk"):
        package_aggregate(type("Broken", (Product,), {"init": wrong}), "BROKEN", OWNER)


def test_a_class_that_cannot_be_used_keeps_out_nothing_else(path: Path) -> None:
    source = """
        class Thing:
            pass
        class Opens:
            def __init__(self):
                raise OSError("no disk")
            init = add = merge = result = len
        def fine(a: int) -> int:
            return a
    """
    install(path, "some", "1.0", source, thing="some:Thing", opens="some:Opens", fine="some:fine", count="some:Thing")
    here = found()
    assert [one.name for one in here.functions] == ["FINE"]
    assert here.refused["THING"].endswith("it is a class without init, add, merge and result")
    assert here.refused["OPENS"].endswith("is not offered: OSError: no disk")
    assert here.refused["COUNT"].endswith("the language has that name itself, or has no such names")


# What becomes of what it does


def test_it_is_called_as_any_aggregate() -> None:
    calls = "PRODUCT(x) AS n, PRODUCT(DISTINCT x) AS d, PRODUCT(x) FILTER (WHERE x > 2) AS f"
    state = state_of(f"SELECT u, {calls} FROM s GROUP BY u HAVING PRODUCT(x) > 2")
    absorb(state, message(1, x=2), message(1, x=None), message(1, 1, x=2), message(1, x=5))
    assert values(state) == [{"u": "a", "n": 20, "d": 10, "f": 5}]
    again = state_of(f"SELECT u, {calls} FROM s GROUP BY u HAVING PRODUCT(x) > 2")
    for chunk in state.young_chunks():
        again.load(chunk)
    absorb(again, message(1, 1, x=1))
    assert emit(again) == []
    absorb(again, message(1, 1, x=3))
    assert values(again) == [{"u": "a", "n": 60, "d": 30, "f": 15}]


def test_what_add_does_wrong_is_the_records_error() -> None:
    state = state_of(QUERY)
    absorb(state, message(1, x=2**62))
    with pytest.raises(BadRecord, match=r"^PRODUCT\.add: KeyError: 'x'$"):
        absorb(state, message(1, x=13))
    with pytest.raises(BadRecord, match=r"^PRODUCT\.add returned a Python int as a state, which cannot be kept"):
        absorb(state, message(1, x=4))
    assert values(state) == [{"u": "a", "n": 2**62}]


def test_what_result_does_wrong_is_the_groups() -> None:
    state = state_of(QUERY)
    absorb(state, message(1, x=6))
    with pytest.raises(GroupFailed, match=r"^the group 'a': PRODUCT\.result: ValueError: no six$"):
        emit(state)
    state = state_of(QUERY)
    absorb(state, message(1, x=8))
    with pytest.raises(GroupFailed, match=r"PRODUCT\.result returned a Python str; its annotation promises BIGINT$"):
        emit(state)


def test_what_merge_does_wrong_is_the_groups() -> None:
    window = "of the window 2026-01-01T00:00:00Z/2026-01-01T00:00:10Z"
    hop = TUMBLE.replace("TUMBLE", "HOP").replace("'10' SECOND", "'5' SECOND, INTERVAL '10' SECOND")
    grouped = QUERY.replace("GROUP BY u", "GROUP BY u, window_start, window_end")
    final = grouped.replace("FROM s", f"FROM {TUMBLE}")
    for query, records in (
        (QUERY, [message(1, 0, x=7), message(1, 1, x=2)]),
        (final, [message(1, 0, x=7), message(1, 1, x=2)]),
        (f"{final} EMIT CHANGES", [message(1, 0, x=7), message(1, 1, x=2)]),
        (grouped.replace("FROM s", f"FROM {hop}"), [message(1, 0, x=7), message(6, 0, x=2)]),
        (final.replace("TUMBLE", "SESSION").replace("'10'", "'5'"), [message(0, 0, x=7), message(5, 1, x=2)]),
    ):
        state = state_of(query)
        absorb(state, *records)
        state.close_all()
        with pytest.raises(GroupFailed) as failure:
            state.emit(never if "HOP" not in query else lambda *_: None, never)
        of_window = f" {window}" if query is not QUERY else ""
        assert failure.value.message == f"the group 'a'{of_window}: PRODUCT.merge: SystemExit: 3"


class Listed:
    """The numbers, in a list that the methods change."""

    def init(self) -> list[int]:
        return []

    def add(self, state: list[int], value: int) -> list[int]:
        state.append(value)
        if value < 0:
            raise ValueError("negative")
        return state

    def merge(self, state: list[int], later: list[int]) -> list[int]:
        state += later
        later.clear()
        return state

    def result(self, state: list[int]) -> list[int]:
        state.sort()
        return state


def test_a_state_that_can_change_is_that_of_its_group_alone() -> None:
    mapping = "CREATE MAPPING s (u VARCHAR, xs ARRAY<BIGINT>) TYPE Kafka"
    query = "SELECT u, LISTED(x) AS n FROM s CROSS JOIN UNNEST(xs) AS x GROUP BY u"
    state = state_of(query, with_aggregate(Listed), mapping)
    absorb(state, message(1, xs=[3, 2]), message(1, u="b", xs=[5]))
    with pytest.raises(BadRecord, match="negative"):
        absorb(state, message(1, xs=[1, -1]))
    assert values(state) == [{"u": "a", "n": [2, 3]}, {"u": "b", "n": [5]}]
    absorb(state, message(1, 1, xs=[0]))
    assert values(state) == [{"u": "a", "n": [0, 2, 3]}]
    absorb(state, message(1, 1, xs=[4]))
    assert values(state) == [{"u": "a", "n": [0, 2, 3, 4]}]


class Pair(NamedTuple):
    low: float
    high: float | None


class Range:
    def init(self) -> Pair:
        return Pair(0.0, None)

    def add(self, state: Pair, value: float | None, scale: float) -> Pair:
        return state if value is None else Pair(min(state.low, value), (state.high or 0) + value * scale)

    def merge(self, state: Pair, later: Pair) -> Pair:
        return Pair(min(state.low, later.low), (state.high or 0) + (later.high or 0))

    def result(self, state: Pair) -> dict[str, float]:
        return {"low": state.low, "high": state.high or 0}


def test_null_is_for_those_that_take_it() -> None:
    functions = with_aggregate(Range)
    state = state_of("SELECT u, RANGE(x, CAST(k AS DOUBLE)) AS n FROM s GROUP BY u", functions, MAPPING)
    record = message(1, x=-2)
    record.set_key(b"3")
    empty = message(1, x=None)
    empty.set_key(b"3")
    none = message(1, x=4)
    none.set_key(None)
    absorb(state, record, empty, none)
    assert values(state) == [{"u": "a", "n": {"low": -2.0, "high": -6.0}}]


# What a query says of it


def test_wrong_calls_are_refused() -> None:
    for query, error, text in (
        ("SELECT PRODUCT(u) AS n FROM s", TypeMismatch, "PRODUCT needs a number; this is a string"),
        ("SELECT PRODUCT(x, x) AS n FROM s", TypeMismatch, "PRODUCT does not take 2 arguments"),
        ("SELECT PRODUCT(x ORDER BY x) AS n FROM s", NotSupported, "the order of rows does not matter to PRODUCT"),
        ("SELECT x FROM s WHERE PRODUCT(x) > 1", NotSupported, "aggregates do not stand in WHERE"),
        ("SELECT PRODUKT(x) AS n FROM s", UnknownFunction, "did you mean 'PRODUCT'"),
    ):
        with pytest.raises(error, match=text):
            state_of(query)


def test_show_and_explain_name_the_package() -> None:
    rows = {row["name"]: row for row in views.functions(PRODUCT)}
    assert rows["PRODUCT"] == {
        "name": "PRODUCT",
        "signature": "PRODUCT(value BIGINT) → BIGINT",
        "meaning": "The product of the numbers.",
        "package": "mine 1.2",
    }
    assert explain([parse_insert(f"INSERT INTO out {QUERY}")], {}, {}, PRODUCT)[-1] == ("package", "mine 1.2")


def test_a_recorded_plan_needs_the_aggregate_with_its_state() -> None:
    planned = plan(parse_insert(f"INSERT INTO out {QUERY}"), {}, None, PRODUCT)
    one = replace(task(QUERY, OWNER), plan=record(planned))
    assert compile_here(one, pipeline_of(one, PRODUCT), "w1") == ""
    with pytest.raises(FunctionMissing, match=r"mine 1\.2, which worker w2 does not have: it is not installed there"):
        compile_here(one, pipeline_of(one), "w2")

    other = with_aggregate(Listed, "PRODUCT", Package("mine", "1.3"))
    said = (
        r"with mine 1\.3 there: there is no aggregate PRODUCT\(BIGINT\) with a state of int \| None; install mine 1\.2"
    )
    with pytest.raises(FunctionMissing, match=said):
        compile_here(one, pipeline_of(one, other), "w1")
    same = with_aggregate(Product, owner=Package("mine", "1.3"))
    assert compile_here(one, pipeline_of(one, same), "w1") == "mine 1.3 here, job was created with 1.2"


def test_groups_with_another_state_are_other_groups() -> None:
    def signed(functions: FunctionCatalogue) -> str:
        return encode_signatures(signatures(plan(parse_insert(f"INSERT INTO out {QUERY}"), {}, None, functions)))

    assert signed(PRODUCT) == signed(with_aggregate(Product, owner=Package("mine", "1.3")))
    assert signed(PRODUCT) != signed(with_aggregate(Listed, "PRODUCT"))


def test_the_page_shows_the_example() -> None:
    page = (ROOT / "docs" / "user-functions.md").read_text()
    source = (ROOT / "docs" / "examples" / "functions" / "sentiment.py").read_text()
    shown = [block.partition("```")[0] for block in page.split("```python\n")[1:]]
    assert len(shown) == 2
    assert all(block in source for block in shown)
    assert {"SENTIMENT", "MOVING_AVERAGE"} < EXAMPLE_FUNCTIONS.functions.keys()
    assert "APPROVAL" in EXAMPLE_FUNCTIONS.aggregates
