"""Whether a job moves whole batches, by its plan, its options and its topics."""

import pytest

from jobplane.processors.copy_path import copies_records, path, why_rows
from jobplane.schemas.options import CopyPath, Guarantee, JobOptions
from jobplane.schemas.records.sources import DeadLetterSource, Sink, Source
from jobplane.sql.plan.graph import Plan
from jobplane.sql.plan.plan import plan
from jobplane.sql.syntax.parser import parse_insert

SINK = Sink("out", "id", 2)
SOURCE = Source("s", "id", (0, 0))


def planned(query: str) -> Plan:
    return plan(parse_insert(f"INSERT INTO out {query}"), {})


def reason(query: str = "SELECT * FROM s", options: JobOptions | None = None, *, source: Source = SOURCE) -> str:
    return why_rows(planned(query), options or JobOptions(), [source], [SINK])


def test_a_query_that_takes_each_record_as_it_is_moves_batches() -> None:
    assert reason() == ""
    assert reason(options=JobOptions(stop_at="latest", parallelism=2, snapshot_interval_millis=5)) == ""
    assert path(planned("SELECT * FROM s"), JobOptions(), [SOURCE], [SINK]).startswith("whole record batches")


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("SELECT id FROM s", "new records"),
        ("SELECT *, id + 1 AS more FROM s", "new records"),
        ("SELECT * FROM s WHERE id > 1", "filter"),
        ("SELECT * FROM s WHERE __key IS NOT NULL", "filter"),
        ("SELECT * FROM s UNION ALL SELECT * FROM s", "more than once"),
        ("SELECT this AS this, 'k' AS __key FROM s", "new records"),
    ],
)
def test_other_queries_say_why_not(query: str, said: str) -> None:
    assert said in reason(query)
    assert said in path(planned(query), JobOptions(), [SOURCE], [SINK])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (JobOptions(copy=CopyPath.ROWS), "copy is 'rows'"),
        (JobOptions(processing_guarantee=Guarantee.AT_LEAST_ONCE), "processingGuarantee is 'atLeastOnce'"),
    ],
)
def test_options_say_why_not(options: JobOptions, said: str) -> None:
    assert said in reason(options=options)


def test_topics_say_why_not() -> None:
    assert reason(source=Source("s", "id", (0,))) == "the source has 1 partitions and the sink 2"
    letters = DeadLetterSource("j", "u", "s", 2)
    assert "dead letters" in reason(source=Source("dead", "id", (0, 0), letters=letters))


def test_explain_speaks_of_copies_only_where_there_is_one() -> None:
    assert copies_records(planned("SELECT * FROM s WHERE id > 1"))
    assert not copies_records(planned("SELECT id FROM s"))
