"""Functions of installed packages: how they are found, what keeps one out, and what becomes of what they do."""

from dataclasses import replace
from pathlib import Path

import pytest

from jobplane.controlplane.listings import rows as views
from jobplane.controlplane.listings.describe import describe_job
from jobplane.processors import user_functions
from jobplane.processors.pipeline import pipeline_of
from jobplane.processors.task.packages import compile_here
from jobplane.processors.user_functions import OfferedFunctions, found
from jobplane.schemas.errors import UnknownFunction
from jobplane.schemas.failures import FunctionMissing
from jobplane.schemas.records.events import CommandRefused
from jobplane.schemas.records.failure import Failure
from jobplane.schemas.records.packages import Package
from jobplane.schemas.records.reports import Report, ReportKind
from jobplane.schemas.records.state import Status
from jobplane.sql.explain import explain
from jobplane.sql.functions import BUILT_IN, FunctionCatalogue
from jobplane.sql.packages import called_functions, called_packages, is_free_name
from jobplane.sql.plan.plan import plan
from jobplane.sql.plan.recording import record
from jobplane.sql.syntax import statements
from jobplane.sql.syntax.parser import parse
from tests.support.packages import OWNER, install, task, with_functions
from tests.support.plane import Plane, topic


def insert_of(query: str) -> statements.Insert:
    statement = parse(f"EXPLAIN INSERT INTO out {query}")
    assert isinstance(statement, statements.Explain)
    assert isinstance(statement.statement, statements.Insert)
    return statement.statement


# What is found


def test_an_entry_point_is_a_function(path: Path) -> None:
    source = '''
        def shout(text: str, times: int = 1) -> str:
            """The text, louder."""
            return text.upper() + "!" * times
    '''
    install(path, "exclaim", "2.1", source, shout="exclaim:shout")
    here = found()
    assert here.refused == {}
    (shout,) = here.functions
    assert shout.signature == "SHOUT(text VARCHAR[, times BIGINT]) → VARCHAR"
    assert (shout.summary, shout.package) == ("The text, louder.", Package("exclaim", "2.1"))
    assert shout.call("a", 2) == "A!!"


UNUSABLE = {
    "bare": ("def bare(a) -> int: return 1", "parameter 'a' has no annotation"),
    "gives": ("def gives(a: int): return 1", "the return value has no annotation"),
    "odd": ("def odd(a: complex) -> int: return 1", "<class 'complex'> is not a type of SQL"),
    "both": ("def both(a: int | str) -> int: return 1", "int | str is neither a type nor a type and None"),
    "later": ("def later(a: 'Later') -> int: return 1", "an annotation names Later, which is not defined"),
    "named": (
        "def named(*, a: int) -> int: return 1",
        "parameter 'a' is keyword-only, but SQL passes arguments by position",
    ),
    "slow": ("async def slow(a: int) -> int: return 1", "it returns a coroutine or generator, not a value"),
    "thing": ("class thing: pass", "it is a class without init, add, merge and result"),
    "number": ("number = 3", "it is an int, not a function"),
    "words": (
        "from typing import Literal\ndef words(a: Literal['x']) -> int: return 1",
        "parameter 'a': the words of a Literal are texts in capital letters",
    ),
    "anything": (
        "def anything(a: int) -> object: return 1",
        "'object' is for parameters only: return msgspec.Raw, which is any value as JSON text",
    ),
    "gone": ("", "AttributeError: module 'unusable' has no attribute 'gone'"),
    "upper": ("def upper(a: int) -> int: return 1", "the language has that name itself, or has no such names"),
    "sum": ("def sum(a: int) -> int: return 1", "the language has that name itself, or has no such names"),
    "select": ("def select(a: int) -> int: return 1", "the language has that name itself, or has no such names"),
}


def test_what_cannot_be_called_is_not_offered_and_says_why(path: Path) -> None:
    sources = "\n".join(source for source, _ in UNUSABLE.values())
    good = "def fine(a: int) -> int: return a"
    entries = {name: f"unusable:{name}" for name in ("fine", *UNUSABLE)}
    install(path, "unusable", "1.0", f"{sources}\n{good}", **entries)
    here = found()
    assert here.refused == {
        name.upper(): f"function {name.upper()} of package unusable 1.0 (unusable:{name}) is not offered: {reason}"
        for name, (_, reason) in UNUSABLE.items()
    }
    assert [one.name for one in here.functions] == ["FINE"]


@pytest.mark.parametrize("source", ["raise KeyError('x')", "raise SystemExit(3)", "import sys; sys.exit()", "def ("])
def test_a_module_that_cannot_be_imported_keeps_out_its_own_functions(path: Path, source: str) -> None:
    install(path, "broken", "1.0", source, f="broken:f")
    install(path, "whole", "1.0", "def g(a: int) -> int: return a", g="whole:g")
    here = found()
    assert [one.name for one in here.functions] == ["G"]
    assert here.refused["F"].startswith("function F of package broken 1.0 (broken:f) is not offered: ")


def test_of_two_functions_of_one_name_none_is_offered(path: Path) -> None:
    install(path, "one", "1.0", "def f(a: int) -> int: return 1", f="one:f")
    install(path, "two", "2.0", "def f(a: int) -> int: return 2", F="two:f")
    assert found() == OfferedFunctions(
        (),
        {
            "F": "function F of package one 1.0 (one:f) is not offered: function F of package two 2.0 (two:f) "
            "has the same name; uninstall all but one"
        },
    )


def test_what_a_package_prints_at_its_import_is_no_output(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    install(path, "loud", "1.0", "print('hello')\ndef f(a: int) -> int: return a", f="loud:f")
    assert [one.name for one in found().functions] == ["F"]
    assert capsys.readouterr() == ("", "hello\n")


def test_names_that_a_query_can_call() -> None:
    assert is_free_name("SENTIMENT")
    assert [
        one for one in ("UPPER", "COALESCE", "CAST", "NOW", "COUNT", "A-B", "Ä", "", "1A") if is_free_name(one)
    ] == []


# What a query says of them


def louder(text: str) -> str:
    """The text, louder."""
    return f"{text}!"


WITH_LOUDER = with_functions(louder)


def test_unknown_names_are_told_of_those_that_are_known() -> None:
    insert = insert_of("SELECT loudr(a) AS b FROM s")
    with pytest.raises(UnknownFunction, match="there is no function LOUDR; did you mean 'LOUDER'"):
        plan(insert, {}, None, WITH_LOUDER)
    refused = {"LOUDR": "function LOUDR of package x 1 (x:y) is not offered: it is an int"}
    with pytest.raises(UnknownFunction, match=r"^function LOUDR of package x 1 \(x:y\) is not offered: it is an int$"):
        plan(insert, {}, None, WITH_LOUDER.with_packages((), refused))


def test_a_catalogue_knows_what_it_was_made_with_and_nothing_else() -> None:
    insert = insert_of("SELECT louder(a) AS b FROM s")
    plan(insert, {}, None, WITH_LOUDER)
    assert "LOUDER" not in BUILT_IN.functions
    with pytest.raises(UnknownFunction, match="there is no function LOUDER"):
        plan(insert)
    assert (BUILT_IN.has_packages, WITH_LOUDER.has_packages) == (False, True)


def test_the_packages_of_a_query_are_known_wherever_they_are_called() -> None:
    for query in (
        "SELECT louder(a) AS b FROM s",
        "SELECT a FROM (SELECT a, louder(a) AS unused FROM s)",
        "SELECT a FROM s WHERE CASE WHEN UPPER(louder(a)) = 'X!' THEN TRUE ELSE FALSE END",
        "SELECT a FROM s UNION ALL SELECT louder(a) AS a FROM r",
        "SELECT TRANSFORM(a, x => louder(x)) AS b FROM s",
    ):
        assert called_packages([insert_of(query)], WITH_LOUDER) == (OWNER,), query
    assert called_packages([insert_of("SELECT UPPER(louder) AS a FROM s")], WITH_LOUDER) == ()
    assert called_functions([insert_of("SELECT UPPER(louder(a)) AS a, upper(b) AS c FROM s")]) == ("LOUDER", "UPPER")


def test_show_and_explain_name_the_package() -> None:
    rows = {row["name"]: row for row in views.functions(WITH_LOUDER)}
    assert rows["LOUDER"] == {
        "name": "LOUDER",
        "signature": "LOUDER(text VARCHAR) → VARCHAR",
        "meaning": "The text, louder.",
        "package": "mine 1.2",
    }
    assert rows["UPPER"]["package"] == ""
    insert = insert_of("SELECT louder(a) AS b FROM s")
    assert explain([insert], {}, {}, WITH_LOUDER)[-1] == ("package", "mine 1.2")
    parts = explain([insert], {}, {}, WITH_LOUDER, shows_code=True)
    assert ("code", "# g0 = LOUDER") in parts


# What is recorded of them


@pytest.mark.parametrize("suspend", ["true", "false"])
def test_a_job_records_its_packages_and_is_never_ended_for_want_of_one(suspend: str) -> None:
    plane = Plane({"s": topic(1), "out": topic(1)}, functions=WITH_LOUDER)
    plane.command(
        f"CREATE JOB j OPTIONS (suspendOnFailure '{suspend}') AS INSERT INTO out SELECT louder(a) AS b FROM s"
    )
    (told,) = plane.tasks.values()
    job = plane.state.jobs[told.uid]
    assert job.packages == told.packages == (OWNER,)
    assert describe_job(job, {}, ()).about["packages"] == ["mine 1.2"]
    plane.report(Report(told.uid, 0, 1, 1, ReportKind.FAILED, "w1", failure=Failure(FunctionMissing.code, "gone")))
    job = plane.state.jobs[told.uid]
    assert (job.status, job.packages) == (Status.SUSPENDED, (OWNER,))


def test_a_job_whose_function_is_not_in_the_catalogue_is_refused() -> None:
    plane = Plane({"s": topic(1), "out": topic(1)})
    (refused,) = plane.command("CREATE JOB j AS INSERT INTO out SELECT louder(a) AS b FROM s")
    assert isinstance(refused.body, CommandRefused)
    assert (refused.body.code, plane.state.jobs) == (UnknownFunction.code, {})


# Where a task runs


def step_of(functions: FunctionCatalogue, *packages: Package) -> str:
    one = task("SELECT louder(a) AS b FROM s", *packages)
    return compile_here(one, pipeline_of(one, functions), "w1")


def test_a_task_says_which_other_versions_it_runs_with() -> None:
    assert step_of(WITH_LOUDER, OWNER) == ""
    assert step_of(WITH_LOUDER, Package("mine", "1.1")) == "mine 1.2 here, job was created with 1.1"


def test_a_function_that_is_missing_is_named_with_its_package(path: Path) -> None:
    begins = "the query calls functions of package mine 1.1, which worker w1 does not have: "
    ends = "; install mine 1.1 there, start the worker again, then RESUME"

    def missing(package: Package, functions: FunctionCatalogue = BUILT_IN) -> str:
        with pytest.raises(FunctionMissing) as caught:
            step_of(functions, package)
        return caught.value.message

    gone = Package("mine", "1.1")
    assert missing(gone) == f"{begins}it is not installed there{ends}"
    refused = BUILT_IN.with_packages((), {"LOUDER": "function LOUDER … is not offered: it is an int"})
    assert missing(gone, refused) == f"{begins}function LOUDER … is not offered: it is an int{ends}"
    install(path, "mine", "3.0", "")
    assert "mine 3.0 is installed there, but did not offer what the query calls when the worker" in missing(gone)
    assert "package other 1, which worker w1 does not have: it is not installed there" in missing(
        Package("other", "1"), WITH_LOUDER
    )


def test_a_name_that_another_package_has_taken_is_missing() -> None:
    def taken(text: str) -> str:
        return text

    functions = with_functions(taken, owner=Package("other", "4"), beside=WITH_LOUDER)
    one = task("SELECT louder(taken(a)) AS b FROM s", OWNER)
    with pytest.raises(FunctionMissing, match=r"does not have: package other 4 has functions of these names there; "):
        compile_here(one, pipeline_of(one, functions), "w1")


def test_a_function_of_another_shape_is_missing_as_well() -> None:
    def echoed(text: str, times: int) -> str:
        return text * times

    one = task("SELECT echoed(a) AS b FROM s", Package("mine", "1.1"))
    with pytest.raises(FunctionMissing, match=r"mine 1\.1, which .*: with mine 1\.2 there: ECHOED does not take 1 arg"):
        compile_here(one, pipeline_of(one, with_functions(echoed)), "w1")


def test_a_recorded_plan_names_the_functions_it_needs() -> None:
    query = "SELECT louder(a) AS b FROM s"
    one = replace(task(query, OWNER), plan=record(plan(insert_of(query), {}, None, WITH_LOUDER)))
    assert compile_here(one, pipeline_of(one, WITH_LOUDER), "w1") == ""
    with pytest.raises(FunctionMissing, match="it is not installed there"):
        compile_here(one, pipeline_of(one), "w2")


def test_a_recorded_call_needs_a_function_of_its_shape() -> None:
    def echoed(text: str) -> str:
        return text * 2

    query = "SELECT echoed(a) AS b, 1 AS two FROM s"
    recorded = record(plan(insert_of(query), {}, None, with_functions(echoed)))
    one = replace(task(query, Package("mine", "1.1")), plan=recorded)
    echoed.__annotations__["text"] = int
    with pytest.raises(FunctionMissing, match=r"with mine 1\.2 there: there is no function ECHOED\(VARCHAR\)"):
        compile_here(one, pipeline_of(one, with_functions(echoed)), "w2")


def test_a_task_that_only_stops_needs_no_function() -> None:
    assert pipeline_of(task("SELECT louder(a) AS b FROM s", OWNER)).interval_ms == 100


def test_functions_are_loaded_once_and_the_language_keeps_its_own(path: Path) -> None:
    """In this process: the packages of the tests' own environment offer none."""
    loaded = user_functions.load()
    install(path, "late", "1.0", "def f(a: int) -> int: return a", late="late:f")
    assert user_functions.load() is loaded
    assert loaded.functions == BUILT_IN.functions
