"""The documentation, tested: its statements run, its refusals are what is said, its tables are drawn from the code.

A page is a session: the statements of its ```sql and ```sh blocks are given, in its order, to a control plane in memory
whose tasks do at once what they are told; none may be refused. A ```sql-error block is what the command line prints, a
```sql-answer block a SHOW, DESCRIBE or EXPLAIN and what it prints, a ```rows block what a query makes of records (as in
support/rows.py, with groups as in support/group_examples.py). What stands between `<!-- drawn: name -->` and
`<!-- end -->` is drawn by support/drawings.py; UPDATE_DOCS=1 rewrites it.
"""

import os
import re
import shlex
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import click
import pytest

from jobplane.controlplane.cli import main
from jobplane.controlplane.cli.command_group import CommandGroup
from jobplane.controlplane.core.facts import Facts
from jobplane.controlplane.core.outcome import answer_of
from jobplane.controlplane.listings import describe as descriptions
from jobplane.controlplane.listings import rows as views
from jobplane.controlplane.listings import tables
from jobplane.controlplane.log.history import HISTORY_COLUMNS
from jobplane.schemas import errors
from jobplane.schemas.formats import FORMATS
from jobplane.schemas.records.failure import Failure
from jobplane.schemas.records.offsets import PartitionOffset, SourceOffsets
from jobplane.schemas.records.reports import Report, ReportKind
from jobplane.schemas.records.snapshots import SnapshotPart, SnapshotRequest
from jobplane.schemas.records.sources import sources_by_topic
from jobplane.schemas.records.state import REFUSED, Phase, Status
from jobplane.schemas.records.tasks import Task
from jobplane.sql.explain import explain
from jobplane.sql.syntax import statements
from jobplane.sql.syntax.parser import parse, split_statements
from jobplane.sql.syntax.refusals.diagnostics import caret
from jobplane.sql.types.names import ALIASES, NESTED, SIMPLE, SIZED
from tests.support import group_examples, rows
from tests.support.drawings import DRAWINGS
from tests.support.packages import EXAMPLE_FUNCTIONS
from tests.support.plane import Plane, topic

ROOT = Path(__file__).parents[1]
PAGES = [*(ROOT / f"{one}.md" for one in ("README", "CHANGELOG", "CONTRIBUTING")), *sorted(ROOT.glob("docs/**/*.md"))]
LINKED = [*PAGES, ROOT / "compose/README.md", *sorted((ROOT / "tests").glob("**/README.md"))]
"""Pages whose links must lead somewhere; the statements of those beside PAGES are not run."""
LANGUAGES = {"sql", "sql-error", "sql-answer", "rows", "sh", "python", "text", "mermaid", "json", "toml"}
NOW = 1_795_513_547_253
"""When the pages are read: 2026-11-24."""
EXAMPLE_TOPICS = ("orders", "big_orders", "copies", "payments", "orders.eu", "orders-archive")

FENCE = re.compile(r"^```(\S*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_DRAWN = re.compile(r"(<!-- drawn: (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)")
_FILE = re.compile(r"`((?:controlplane|processors|schemas|sql|tests|docs|compose)/[\w./-]*)`")
_QUOTED = r"""(?:"((?:[^"\\]|\\.)*)"|'([^']*)')"""
_SPOKEN = re.compile(rf"(?:-e|jobplane sql|emit|echo|--(?:command-id|reply-to) \S+) {_QUOTED}")
_STATEMENT = re.compile(r'(?:CREATE|ALTER|DROP|SHOW|DESCRIBE|\{"sql")\b')
_CALL = re.compile(r"(?:[A-Z_]+=\S+ )?jobplane (\w+)([^#|<]*)")


def path_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path) -> list[tuple[str, str]]:
    """The fenced blocks of a page: language and text."""
    return [(found[1], found[2]) for found in FENCE.finditer(page.read_text())]


class Halfway(dict[tuple[str, int], tuple[int, ...]]):
    """In each example topic the middle offset is the first of every instant."""

    def __missing__(self, key: tuple[str, int]) -> tuple[int, ...]:
        return (50,) * 4


class PagePlane(Plane):
    """Knows of every instant."""

    @property
    def facts(self) -> Facts:
        return replace(super().facts, instants=Halfway())


each_page = pytest.mark.parametrize("page", PAGES, ids=path_of)


# What is said is true


@each_page
def test_what_a_page_shows_is_what_happens(page: Path) -> None:
    plane = PagePlane({one: topic(4, topic_id=f"id-{one}") for one in EXAMPLE_TOPICS}, now=NOW)
    for language, text in blocks(page):
        assert language in LANGUAGES, f"a block of an unknown language '{language}':\n{text}"
        match language:
            case "sql-error":
                assert refusal(plane, text.split("\n")[2]) == text.rstrip("\n")
            case "sql-answer":
                statement = text.partition("\n")[0]
                assert f"{statement}\n{tables.text(listing(plane, parse(statement)))}" == text
            case "rows":
                block = replace(rows.block_of(text.rstrip("\n")), functions=EXAMPLE_FUNCTIONS)
                answered = group_examples.answered(block) if group_examples.is_grouped(block) else block.answered()
                assert answered == text.rstrip("\n")
            case "python":
                compile(text, path_of(page), "exec")
            case "sql" | "sh":
                for record in spoken(language, text):
                    carry_out(plane, record)


def spoken(language: str, text: str) -> Iterator[str]:
    """The statements of a block, each as it is appended to the command log."""
    if language == "sql":
        yield from (statement for _, statement in split_statements(text))
    else:
        for one in (double.replace('\\"', '"') or single for double, single in _SPOKEN.findall(text)):
            if _STATEMENT.match(one):
                yield from [one] if one.startswith("{") else (statement for _, statement in split_statements(one))


def carry_out(plane: Plane, record: str) -> None:
    """Fails where it is refused."""
    if record.startswith("{") or not isinstance(parse(record), statements.ReadingStatement):
        reply = answer_of(plane.command(record)[0], "")
        assert reply is not None
        assert reply.verdict != REFUSED, f"{record}\n{reply.message}"
        obey(plane)


def refusal(plane: Plane, text: str) -> str:
    """What `jobplane sql "…"` prints when the statement is refused."""
    try:
        if isinstance(statement := parse(text), statements.ReadingStatement):
            listing(plane, statement)
    except errors.Refused as refused:
        return refused_text(text, refused.code, refused.place, refused.message)
    reply = answer_of(plane.command(text)[0], "")
    assert reply is not None
    assert reply.verdict == REFUSED, f"not refused: {text}"
    return refused_text(text, reply.code, errors.Place(reply.line, reply.column), reply.message)


def refused_text(text: str, code: str, place: errors.Place, message: str) -> str:
    return f"SQL:1: refused ({code})\n{caret(text, place, message)}"


def listing(plane: Plane, statement: statements.Statement) -> views.Listing:
    """The answer to a SHOW, DESCRIBE or EXPLAIN that follows from the state alone; tasks have reported no progress."""
    state = plane.state
    match statement:
        case statements.Show(statements.ShowSubject.JOBS, None):
            return views.Listing(views.JOB_COLUMNS, views.jobs(state))
        case statements.Show(statements.ShowSubject.SNAPSHOTS, None):
            return views.Listing(views.SNAPSHOT_COLUMNS, views.snapshots(state))
        case statements.Show(statements.ShowSubject.MAPPINGS, None):
            return views.Listing(views.MAPPING_COLUMNS, views.mappings(state))
        case statements.ShowCreate(name):
            return views.Listing(
                ("statement",),
                [{"statement": descriptions.find_job(state, name).statement}],
                screen=views.Screen.STATEMENT,
            )
        case statements.ShowHistory(name):
            descriptions.find_job(state, name)
        case statements.Describe(statements.DescribeKind.JOB, name):
            return descriptions.describe_job(descriptions.find_job(state, name), {}, ())
        case statements.Describe(statements.DescribeKind.MAPPING, name):
            return descriptions.describe_mapping(state, name)
        case statements.Describe(statements.DescribeKind.SNAPSHOT, name):
            return descriptions.describe_snapshot(state, name)
        case statements.Explain(explained, mode):
            inserts = explained.inserts if isinstance(explained, statements.CreateJob) else (explained,)
            shows_code = mode is statements.ExplainMode.CODE
            rows = explain(inserts, state.mappings, state.mappings, shows_code=shows_code)
            return views.Listing(views.PLAN_COLUMNS, [{"part": part, "detail": detail} for part, detail in rows])
        case _:
            pass
    raise AssertionError(f"not to be answered from the state: {statement}")


def obey(plane: Plane) -> None:
    """Every task does what its record says, and reports it, until nothing is left to do."""
    while due := next(filter(None, map(next_report, plane.tasks.values())), None):
        plane.report(due)


def next_report(task: Task) -> Report | None:
    """What a task reports next; None when it has done all it was told."""

    def report(said: ReportKind, attempt: int, **details: Any) -> Report:
        return Report(task.uid, task.task, task.generation, attempt, said, "worker", **details)

    if task.run and task.phase is Phase.WAITING:
        return report(ReportKind.RUNNING, task.attempt + 1)
    if task.snapshots:
        return report(
            ReportKind.SNAPSHOTTED, task.attempt, snapshot=task.snapshots[0], part=part(task, task.snapshots[0])
        )
    if not task.run and task.phase is not Phase.STOPPED:
        return report(ReportKind.STOPPED, task.attempt)
    return None


def part(task: Task, request: SnapshotRequest) -> SnapshotPart:
    held = tuple(
        SourceOffsets(
            source.topic,
            source.topic_id,
            tuple(PartitionOffset(p, offset) for p, offset in enumerate(source.start) if task.owns(p)),
        )
        for source in sources_by_topic(task.sources).values()
    )
    return SnapshotPart(task.task, f"{request.name}/{task.key}", 0, "", held)


@pytest.mark.parametrize("page", LINKED, ids=path_of)
def test_links_lead_somewhere(page: Path) -> None:
    for target, anchor in _LINK.findall(FENCE.sub("", page.read_text())):
        file = (page.parent / target).resolve() if target else page
        assert file.exists(), f"{target} does not exist"
        assert not anchor or anchor in anchors(file), f"{target}#{anchor} does not exist"


@pytest.mark.parametrize("page", [one for one in LINKED if one.name != "CHANGELOG.md"], ids=path_of)
def test_files_of_the_repository_exist(page: Path) -> None:
    assert [path for path in _FILE.findall(page.read_text()) if not (ROOT / path).exists()] == []


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", FENCE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@each_page
def test_commands_exist_with_the_flags_they_are_given(page: Path) -> None:
    for text in (re.sub(_QUOTED, "quoted", text) for language, text in blocks(page) if language == "sh"):
        for called, arguments in (found.groups() for line in text.splitlines() if (found := _CALL.match(line))):
            command: click.Command = main.main.load_commands()[called]
            given = shlex.split(arguments)
            while isinstance(command, CommandGroup):
                command, given = command.load_commands()[given[0]], given[1:]
            command.make_parser(click.Context(command)).parse_args(given)


# What is there is said


def test_every_statement_has_its_page() -> None:
    kinds = {re.sub(r"(?<!^)(?=[A-Z])", "-", kind.__name__).lower() for kind in get_args(statements.Statement)}
    assert {page.stem for page in PAGES if page.parent.name == "statements"} == kinds


def test_every_column_is_explained() -> None:
    show, describe = ROOT / "docs/statements/show.md", ROOT / "docs/statements/describe.md"
    assert first_cells(show, "SHOW JOBS") == views.JOB_COLUMNS
    assert first_cells(show, "SHOW SNAPSHOTS") == views.SNAPSHOT_COLUMNS
    assert first_cells(show, "SHOW MAPPINGS") == views.MAPPING_COLUMNS
    assert first_cells(show, "SHOW TOPICS") == views.TOPIC_COLUMNS
    assert first_cells(show, "SHOW FUNCTIONS") == views.FUNCTION_COLUMNS
    assert {f"SHOW {one}" for one in statements.ShowSubject} <= headings(show)
    assert first_cells(describe, "DESCRIBE JOB") == (
        *descriptions.TASK_COLUMNS,
        *descriptions.GROUP_COLUMNS,
    )
    assert first_cells(describe, "DESCRIBE MAPPING") == descriptions.COLUMN_COLUMNS
    assert first_cells(describe, "DESCRIBE SNAPSHOT") == descriptions.OFFSET_COLUMNS
    assert {f"DESCRIBE {one}" for one in statements.DescribeKind} <= headings(describe)
    assert first_cells(ROOT / "docs/statements/show-history.md", "Columns") == HISTORY_COLUMNS


def test_what_describe_says_about_the_whole_is_explained() -> None:
    plane = PagePlane({one: topic(4) for one in EXAMPLE_TOPICS})
    for statement in (
        "CREATE MAPPING x EXTERNAL NAME orders TYPE Kafka",
        "CREATE JOB x AS INSERT INTO copies SELECT * FROM x",
        "CREATE SNAPSHOT x FOR JOB x",
    ):
        carry_out(plane, statement)
    plane.report(failure_of(plane.tasks[f"{plane.state.names['x']}/0"]))
    for kind in statements.DescribeKind:
        text = section(ROOT / "docs/statements/describe.md", f"DESCRIBE {kind}").partition("| about |")[2]
        explained = re.findall(r"`(\w+)`", " ".join(re.findall(r"^\| (`[^|]*`) \|", text, re.MULTILINE)))
        of_groups = {*descriptions.ABOUT_GROUPS} if kind is statements.DescribeKind.JOB else set()
        assert sorted(explained) == sorted({*listing(plane, parse(f"DESCRIBE {kind} x")).about, *of_groups})


def failure_of(task: Task) -> Report:
    failure = Failure("BAD_RECORD", "division by zero", "orders-0@7")
    return Report(task.uid, task.task, task.generation, task.attempt, ReportKind.FAILED, "worker", failure=failure)


def test_every_type_is_explained() -> None:
    page = ROOT / "docs/statements/create-mapping.md"
    assert first_cells(page, "Types") == (*SIMPLE, *SIZED, *NESTED)
    rows = {
        row.split("`")[1].partition("(")[0]: row for row in section(page, "Types").splitlines() if row.startswith("| `")
    }
    assert [alias for alias, name in ALIASES.items() if f"`{alias}`" not in rows[name]] == []


def test_every_format_is_named() -> None:
    text = section(ROOT / "docs/statements/create-mapping.md", "Formats")
    assert [
        one for one in (*FORMATS, *(own for names in FORMATS.values() for own in names)) if f"`{one}`" not in text
    ] == []
    assert first_cells(ROOT / "docs/statements/create-mapping.md", "Formats") == tuple(FORMATS)


def section(page: Path, heading: str) -> str:
    """The text of a page under a heading of the second level."""
    return (page.read_text() + "\n## ").partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def headings(page: Path) -> set[str]:
    return set(re.findall(r"^## (.*)$", page.read_text(), re.MULTILINE))


def first_cells(page: Path, heading: str) -> tuple[str, ...]:
    """What stands first in the rows of the first table of a section, in code quotes."""
    first = re.search(r"(?:^\|.*\n)+", section(page, heading), re.MULTILINE)
    return tuple(re.findall(r"^\| `([^`]*)` \|", first[0], re.MULTILINE)) if first else ()


def test_every_status_is_explained() -> None:
    text = (ROOT / "docs/states.md").read_text()
    assert [status for status in Status if f"\n| `{status}` | " not in text] == []


def test_every_exit_code_is_explained() -> None:
    listed = re.search(r"Exit codes: (.*?)\.\n", main.__doc__ or "", re.DOTALL)
    assert listed
    section = (ROOT / "README.md").read_text().partition("\n## Exit codes\n")[2].partition("\n## ")[0]
    assert re.findall(r"^\| (\d+) \|", section, re.MULTILINE) == re.findall(r"\b\d+\b", listed[1])


@pytest.mark.parametrize("page", ["README.md", "docs/operations.md"])
def test_every_page_of_the_web_server_is_named(page: str) -> None:
    from jobplane.controlplane.settings import Settings
    from jobplane.controlplane.worker.worker import Worker

    named = re.findall(r"`(/[a-z/]+)`", (ROOT / page).read_text())
    assert set(Worker(Settings()).pages) <= set(named)


def test_every_drawing_is_shown() -> None:
    assert {found[2] for page in PAGES for found in _DRAWN.finditer(page.read_text())} == DRAWINGS.keys()


@each_page
def test_drawings_are_up_to_date(page: Path) -> None:
    text = page.read_text()
    drawn = _DRAWN.sub(lambda found: f"{found[1]}{DRAWINGS[found[2]]()}\n{found[3]}", text)
    if os.environ.get("UPDATE_DOCS"):
        page.write_text(drawn)
    assert drawn == text
