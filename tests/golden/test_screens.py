"""What a terminal shows, at several widths: one file a screen in `screens/`. UPDATE_GOLDEN=1 rewrites them."""

import os
from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console

from jobplane.controlplane.browse import topic_listing
from jobplane.controlplane.cli.screen.drawing import draw
from jobplane.controlplane.listings import describe
from jobplane.controlplane.listings import rows as views
from jobplane.controlplane.listings.page import page
from jobplane.controlplane.listings.rows import Listing, Row, Screen
from jobplane.controlplane.log import history
from jobplane.controlplane.query import dry_run_listing
from jobplane.schemas.options import JobOptions
from jobplane.schemas.records.failure import Failure
from jobplane.schemas.records.progress import REFUSED, PartitionProgress, Progress, WindowProgress
from jobplane.schemas.records.reports import Report, ReportKind
from jobplane.schemas.records.state import Job
from jobplane.schemas.records.tasks import task_key
from jobplane.sql.explain import explain
from jobplane.sql.functions import BUILT_IN
from jobplane.sql.syntax import statements as nodes
from jobplane.sql.syntax.parser import parse, parse_insert
from tests.support.plane import Plane, topic

FOLDER = Path(__file__).parent / "screens"
WIDTHS = (100, 80, 40)
NOW = 8_500_000
"""The moment at which one looks; a plane begins at 1,000,000 milliseconds."""
LONG = "shop.eu-west-1.payments.authorised.v2-of-all-countries-and-currencies.events"
QUERY = """WITH paid AS (SELECT * FROM orders WHERE state = 'paid')
    SELECT customer.id AS __key, DATE_TRUNC('DAY', __timestamp) AS day, UPPER(item.sku) AS sku, item.note AS note
    FROM paid CROSS JOIN UNNEST(items) AS item WHERE item.sku LIKE 'a%'
    UNION ALL SELECT customer.id, DATE_TRUNC('DAY', __timestamp), NULL, 'refund' FROM orders WHERE state = 'refunded'"""
MAPPING = """CREATE MAPPING customers EXTERNAL NAME orders (id BIGINT, city VARCHAR EXTERNAL NAME "address.city",
    tags ARRAY<VARCHAR>, props MAP<VARCHAR, ROW(a BIGINT, b VARCHAR)>) TYPE Kafka"""


def plane_of(*statements: str) -> Plane:
    topics = {"orders": topic(3), LONG: topic(1), "big_orders": topic(3), "copies": topic(1)}
    plane = Plane(topics)
    for statement in statements:
        (event,) = plane.command(statement)
        assert type(event.body).__name__ != "CommandRefused", event
    return plane


def say(plane: Plane, name: str, said: ReportKind, failure: Failure | None = None) -> None:
    """Every task of a job reports it."""
    for task in list(plane.tasks.values()):
        if plane.state.jobs[task.uid].name == name:
            plane.report(Report(task.uid, task.task, task.generation, 1, said, "jobplane.worker-a-71-402113", failure))


def progress_of(job: Job, lag: int, rate: float) -> dict[str, Progress]:
    return {
        task_key(job.uid, i): Progress(
            NOW, (PartitionProgress("orders", i, 25_000 + i, 25_000 + i + lag, lag),), rate, rate / 2, NOW - 3000, 0
        )
        for i in range(len(job.tasks))
    }


def working_plane() -> Plane:
    """Jobs that run, one suspended by a bad record, and one of each way to end."""
    plane = plane_of(
        "CREATE JOB big AS INSERT INTO big_orders SELECT id FROM orders",
        f'CREATE JOB payments_eu_authorised_to_analytics_v2 AS INSERT INTO big_orders SELECT id FROM "{LONG}"',
        'CREATE JOB "注文" AS INSERT INTO copies SELECT id FROM orders',
        "CREATE JOB stuck AS INSERT INTO big_orders SELECT id FROM orders",
        "CREATE JOB waiting AS INSERT INTO big_orders SELECT id FROM orders",
        "CREATE JOB gone AS INSERT INTO big_orders SELECT id FROM orders",
        "CREATE JOB bounded OPTIONS (stopAt 'latest') AS INSERT INTO big_orders SELECT id FROM orders",
        "CREATE JOB failed OPTIONS (suspendOnFailure 'false') AS INSERT INTO big_orders SELECT id FROM orders",
        "DROP JOB gone",
    )
    failure = Failure("BAD_RECORD", "field 'amount' holds a string; the query needs a number", "orders-0@7")
    for name in ("big", "payments_eu_authorised_to_analytics_v2", "注文", "stuck", "bounded", "failed"):
        say(plane, name, ReportKind.RUNNING)
    say(plane, "gone", ReportKind.STOPPED)
    say(plane, "bounded", ReportKind.COMPLETED)
    for name in ("stuck", "failed"):
        say(plane, name, ReportKind.FAILED, failure)
        say(plane, name, ReportKind.STOPPED)
    return plane


def jobs() -> Listing:
    plane = working_plane()
    progress: dict[str, Progress] = {}
    for job in plane.state.jobs.values():
        if job.name in ("big", "注文", "payments_eu_authorised_to_analytics_v2"):
            progress |= progress_of(job, 411_522 if job.name == "big" else 0, 5003.4 if job.name == "big" else 0)
    return Listing(views.JOB_COLUMNS, views.jobs(plane.state, progress), screen=Screen.JOBS)


def job() -> Listing:
    plane = plane_of(f"CREATE JOB lines OPTIONS (parallelism '2', onError 'skip') AS INSERT INTO big_orders {QUERY}")
    say(plane, "lines", ReportKind.RUNNING)
    (one,) = plane.state.jobs.values()
    return describe.describe_job(one, progress_of(one, 12, 4.25), ())


def job_with_groups() -> Listing:
    plane = plane_of(
        """CREATE MAPPING timed EXTERNAL NAME orders (at TIMESTAMP, WATERMARK FOR at AS at) TYPE Kafka""",
        """CREATE JOB minutes OPTIONS (parallelism '1') AS INSERT INTO big_orders
        SELECT window_end, COUNT(*) AS orders FROM TUMBLE(TABLE timed, DESCRIPTOR(at), INTERVAL '1' MINUTE)
        GROUP BY window_start, window_end""",
    )
    say(plane, "minutes", ReportKind.RUNNING)
    (one,) = plane.state.jobs.values()
    partitions = tuple(
        PartitionProgress("orders", i, 25_000, 25_000, 0, mark, NOW - silent)
        for i, (mark, silent) in enumerate([(NOW - 4_000, 1_000), (NOW - 200_000, 190_000), (NOW - 9_000, 3_000)])
    )
    windows = WindowProgress(4, NOW - 190_000, NOW - 200_000, "orders-1")
    metrics = {"groups": 2_411.0, f"{REFUSED}LATE": 3.0}
    told = Progress(NOW, partitions, 410.0, 2.0, NOW - 3000, 812_000, metrics, windows=windows)
    return describe.describe_job(one, {task_key(one.uid, 0): told}, ())


def suspended_job() -> Listing:
    plane = working_plane()
    one = describe.find_job(plane.state, nodes.Name("stuck"))
    assert JobOptions.of(one.options).suspend_on_failure
    committed = [PartitionProgress("orders", i, 7, 9, 2) for i in range(3)]
    return describe.describe_job(one, {}, committed)


def mapping() -> Listing:
    return describe.describe_mapping(plane_of(MAPPING).state, nodes.Name("customers"))


def mappings() -> Listing:
    return Listing(views.MAPPING_COLUMNS, views.mappings(plane_of(MAPPING).state))


def topics() -> Listing:
    plane = plane_of(MAPPING)
    partitions = {name: len(one.latest) for name, one in plane.topics.items()}
    return Listing(views.TOPIC_COLUMNS, views.topics(plane.state, partitions, "jobplane."))


def used_topics() -> Listing:
    plane = plane_of(*(f"CREATE JOB job_{i} AS INSERT INTO big_orders SELECT id FROM orders" for i in range(30)))
    ranges = {("orders", 0): (0, 1_200), ("big_orders", 0): (10, 20)}
    return topic_listing.listing(plane.state, ranges, ["big_orders", "orders"])


def records() -> Listing:
    long = '{"id":3,"note":"' + "long and wide " * 20 + '"}'
    rows: list[Row] = [
        {"source": "orders-0@3", "key": "user-0", "value": long, "other": {}},
        {"source": "orders-0@6", "key": None, "value": '{"id":6}', "other": {"partition": 2}},
    ]
    refused: list[Row] = [
        {"source": "orders-0@7", "code": "BAD_RECORD", "reason": "division by zero", "value": '{"id":7}'}
    ]
    others = {"refused": Listing(dry_run_listing.REFUSAL_COLUMNS, refused)}
    return Listing(dry_run_listing.ROW_COLUMNS, rows, {"read": 3}, others, "3 records read", Screen.RECORDS)


def no_snapshots() -> Listing:
    return Listing(views.SNAPSHOT_COLUMNS, [])


def past() -> Listing:
    uid, statement = "0a1b2c3d-0", f'CREATE JOB big AS INSERT INTO big_orders SELECT id FROM "{LONG}"'
    worker = "jobplane.worker-a-71-402113"
    rows = [
        (0, "JobCreated", "NOT_RUNNING", "ann@host", "c-1", statement),
        (2, "TaskStarted", "RUNNING", worker, "", "task 0 attempt 1"),
        (4, "SnapshotRequested", "RUNNING", "ann@host", "c-2", "monday version 6"),
        (1205, "TaskFailed", "SUSPENDED", worker, "", "task 0: BAD_RECORD: division by zero (orders-0@7)"),
    ]
    return Listing(
        history.HISTORY_COLUMNS,
        [
            dict(
                zip(
                    history.HISTORY_COLUMNS,
                    (1_000_000 + at, at, event, status, 1, uid, by, command, detail),
                    strict=True,
                )
            )
            for at, event, status, by, command, detail in rows
        ],
        screen=Screen.HISTORY,
    )


def functions() -> Listing:
    rows = [row for row in views.functions(BUILT_IN) if str(row["name"]).startswith(("DATE_T", "LPAD", "UPPER"))]
    return Listing(views.FUNCTION_COLUMNS, rows, screen=Screen.FUNCTIONS)


def plan() -> Listing:
    insert = parse_insert(f"INSERT INTO big_orders {QUERY}")
    rows = explain([insert], shows_code=True)
    few = [row for row in rows if row[0] != "code"] + [row for row in rows if row[0] == "code"][:4]
    return Listing(views.PLAN_COLUMNS, [{"part": part, "detail": detail} for part, detail in few], screen=Screen.PLAN)


def statement() -> Listing:
    plane = plane_of(f"CREATE JOB lines AS INSERT INTO big_orders {QUERY}")
    (one,) = plane.state.jobs.values()
    return Listing(("statement",), [{"statement": one.statement}], screen=Screen.STATEMENT)


SET = f"""CREATE JOB shop OPTIONS (parallelism '1') AS BEGIN INSERT INTO copies SELECT * FROM orders;
    INSERT INTO big_orders SELECT id, user, amount * 2 AS doubled FROM orders WHERE amount > 50 AND state = 'paid';
    INSERT INTO "{LONG}" SELECT user, COUNT(*) AS orders FROM orders GROUP BY user EMIT CHANGES; END"""


def jobs_with_sets() -> Listing:
    rows = views.jobs(plane_of(SET).state)
    return Listing(views.JOB_COLUMNS, rows, screen=Screen.JOBS)


def job_with_a_set() -> Listing:
    (one,) = plane_of(SET).state.jobs.values()
    return describe.describe_job(one, {}, ())


def statement_with_a_set() -> Listing:
    (one,) = plane_of(SET).state.jobs.values()
    return Listing(("statement",), [{"statement": one.statement}], screen=Screen.STATEMENT)


SCREENS: dict[str, Callable[[], Listing]] = {
    "show-jobs": jobs,
    "describe-job": job,
    "describe-job-groups": job_with_groups,
    "describe-job-suspended": suspended_job,
    "describe-mapping": mapping,
    "show-mappings": mappings,
    "show-topics": topics,
    "show-snapshots-none": no_snapshots,
    "topic-list": used_topics,
    "explain-analyze": records,
    "show-history": past,
    "show-functions": functions,
    "explain-code": plan,
    "show-create-job": statement,
    "show-jobs-sets": jobs_with_sets,
    "describe-job-set": job_with_a_set,
    "show-create-job-set": statement_with_a_set,
}


@pytest.mark.parametrize("name", SCREENS)
def test_a_screen(name: str) -> None:
    listing = SCREENS[name]()
    shown = "\n".join(f"==== {width}\n{drawn(listing, width)}" for width in WIDTHS)
    path = FOLDER / f"{name}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(shown)
    assert path.read_text() == shown


@pytest.mark.parametrize("name", sorted(SCREENS.keys() - {"explain-code", "show-create-job", "show-create-job-set"}))
@pytest.mark.parametrize("width", [100, 80, 60, 40, 30])
def test_nothing_is_wider_than_the_screen(name: str, width: int) -> None:
    """A name alone on its line may be, and a title."""
    lines = drawn(SCREENS[name](), width).splitlines()
    assert not [line for line in lines if cell_len(line) > width and line.removeprefix("partitions of ").count(" ")]


def test_live_jobs_are_all_there_is_unless_the_ended_are_asked_for() -> None:
    listing = jobs()
    assert text_of(listing, ended=False).splitlines()[-1] == "3 ended jobs: --all shows them"
    one = replace(listing, rows=[row for row in listing.rows if row["name"] == "gone"])
    assert text_of(one, ended=False) == "no live jobs\n\n1 ended job: --all shows it\n"
    assert text_of(replace(listing, rows=[]), ended=True) == "no jobs\n"


def test_a_statement_that_this_version_does_not_know_is_shown_as_it_is() -> None:
    listing = Listing(("statement",), [{"statement": "CREATE JOB a AS A NEW THING\x1b[2J"}], screen=Screen.STATEMENT)
    assert text_of(listing) == "CREATE JOB a AS A NEW THING\\x1b[2J;\n"


def test_a_statement_on_the_screen_can_be_run_again() -> None:
    listing = statement()
    assert parse(text_of(listing)) == parse(listing.rows[0]["statement"])


def drawn(listing: Listing, width: int) -> str:
    return text_of(listing, width, ended=True)


def text_of(listing: Listing, width: int = 80, *, ended: bool = True) -> str:
    return draw(page(listing, NOW, ended=ended), Console(width=width, file=StringIO()))
