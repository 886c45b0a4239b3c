"""What is noticed of a query at the newest records of its sources."""

from typing import TYPE_CHECKING

import pytest
from confluent_kafka import Message

from jobplane.controlplane.query.notices import notices_of
from jobplane.schemas.records.sources import Sink, Source
from jobplane.sql.mapping import build_mapping
from jobplane.sql.plan.plan import plan
from jobplane.sql.syntax.parser import parse, parse_insert
from jobplane.sql.syntax.statements import CreateMapping

if TYPE_CHECKING:
    from jobplane.schemas.records.mappings import TopicMapping

ORDERS = (
    b'{"id": 1, "state": "paid", "customer": {"id": 7, "name": "ann"}, "items": [{"sku": 1}], "note": 0}',
    b'{"id": 2, "amount": 6, "state": "open", "customer": {"id": 8}, "items": []}',
    b"not JSON",
)
DOUBLED = "it''s"
QUOTES = "double quotes make a name, a text has single quotes: '{}'"
ALIAS = "the SELECT defines that name, and cannot use it itself: write"
NO = "none of the newest 2 records of 'orders' has a field"


def told(
    query: str,
    values: tuple[bytes | None, ...] = ORDERS,
    mapping: str = "",
    key: bytes | None = b"k",
    *,
    compacted: bool = False,
    partitions: int = 1,
) -> list[str]:
    statement = f"INSERT INTO out {query}"
    messages = [Message("orders", 0, i, key, value, None, None, (1, 5)) for i, value in enumerate(values)]
    made = parse(mapping) if mapping else None
    known: TopicMapping | None = build_mapping(made) if isinstance(made, CreateMapping) else None
    source, sink = Source("orders", "id", (0,) * partitions, mapping=known), Sink("out", "id", 1)
    insert = parse_insert(statement)
    planned = plan(insert, {"orders": known} if known else {}, None, judged_before=True)
    return list(notices_of([insert], planned, (source,), (sink,), {"orders": messages}, {"out"} if compacted else ()))


@pytest.mark.parametrize(
    ("query", "field", "hint"),
    [
        ('SELECT id FROM orders WHERE state = "paid"', 'paid', f"; {QUOTES.format('paid')}"),
        ("SELECT id FROM orders WHERE UPPER(state) <> paid", "paid", "; a text has single quotes: 'paid'"),
        ('SELECT CONCAT(state, "x y") AS s FROM orders', '"x y"', f"; {QUOTES.format('x y')}"),
        ("SELECT id FROM orders WHERE state IN (\"it's\", 'x')", "\"it's\"", f"; {QUOTES.format(DOUBLED)}"),
        ("SELECT id FROM orders WHERE paid = 'x'", "paid", ""),
        (
            "SELECT amount * 2 AS doubled FROM orders WHERE doubled > 5",
            "doubled", f"; {ALIAS} amount * 2",
        ),
        (
            "SELECT COUNT(*) AS n FROM orders WHERE n > 1 GROUP BY id EMIT CHANGES",
            "n",
            f"; {ALIAS.removesuffix('write')}put the condition into HAVING",
        ),
        ("SELECT id, amuont FROM orders", "amuont", "; did you mean 'amount'?"),
        ("SELECT id, Amount FROM orders", "Amount", "; did you mean 'amount'?"),
        ("SELECT timestamp AS t FROM orders", "timestamp", "; the record's own timestamp is __timestamp"),
        ("SELECT nothing FROM orders", "nothing", ""),
        ("SELECT this.nothing FROM orders", "nothing", ""),
        ("SELECT * FROM orders WHERE customer.nmae = 'x'", "customer.nmae", "; did you mean 'name'?"),
        ("SELECT i.skuu FROM orders CROSS JOIN UNNEST(items) AS i", "items.skuu", "; did you mean 'sku'?"),
        ("SELECT a FROM (SELECT amuont AS a FROM orders)", "amuont", "; did you mean 'amount'?"),
        ("WITH w AS (SELECT id, stat FROM orders) SELECT stat FROM w", "stat", "; did you mean 'state'?"),
        ("SELECT id FROM orders UNION ALL SELECT idd FROM orders", "idd", ""),
    ],
)  # fmt: skip
def test_a_field_that_no_record_has(query: str, field: str, hint: str) -> None:
    assert told(query)[:1] == [f"{NO} {field}, so {field} is NULL{hint}"]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM orders",
        "SELECT id, note, customer.name, items[1].sku AS sku FROM orders WHERE state = 'paid'",
        "SELECT __key, __timestamp AS t, __headers['x'] AS h FROM orders",
        "SELECT amount * 2 AS amount FROM orders WHERE amount > 5",
        "SELECT doubled FROM (SELECT amount * 2 AS doubled FROM orders) WHERE doubled > 5",
    ],
)
def test_nothing_is_said_of_what_is_there(query: str) -> None:
    assert told(query) == []


def test_nothing_is_said_without_records_or_with_declared_columns() -> None:
    assert told("SELECT nothing FROM orders", ()) == []
    assert (
        told(
            "SELECT nothing FROM orders", (None, b"", b"[1]", b"\xff", b"[" * 99_999 + b"]" * 99_999, b'{"a": "\xff"}')
        )
        == []
    )
    assert told("SELECT note FROM orders", (b"{}",), "CREATE MAPPING orders (note VARCHAR) TYPE Kafka") == []
    assert (
        told("SELECT x FROM orders", (b'{"a": 1}',), "CREATE MAPPING orders TYPE Kafka OPTIONS (valueFormat 'json')")
        == []
    )


def test_one_record_is_one() -> None:
    assert told("SELECT x FROM orders", (b'{"a": 1}',)) == [
        "the newest record of 'orders' has no field x, so x is NULL"
    ]


def test_few_are_told_of_many() -> None:
    assert len(told("SELECT f1, f2, f3, f4, f5, f6, f7 FROM orders")) == 5


def test_a_compacted_sink_needs_keys() -> None:
    notice = (
        "'out' is compacted and takes only records with a key; records of 'orders' without a key: 3 of the newest 3; "
        "write … AS __key"
    )
    assert told("SELECT * FROM orders", key=None, compacted=True) == [notice]
    assert told("SELECT * FROM orders", compacted=True) == []
    assert told("SELECT * FROM orders", key=None) == []
    assert told("SELECT id AS __key, amount FROM orders", key=None, compacted=True) == []


@pytest.mark.parametrize(
    ("condition", "notice"),
    [
        ("state != NULL", "state <> NULL is NULL for every record and never true: write state IS NOT NULL"),
        ("NULL = state", "NULL = state is NULL for every record and never true: write state IS NULL"),
        ("id > 0 AND id < NULL", "id < NULL is NULL for every record and never true: compare with a value"),
        ("id NOT IN (1, NULL)", "id NOT IN (1, NULL) is never true, for the NULL among its items: leave NULL out"),
    ],
)
def test_a_comparison_with_null_is_told(condition: str, notice: str) -> None:
    assert told(f"SELECT id FROM orders WHERE {condition}") == [notice]
    assert told(f"SELECT id FROM (SELECT id, state FROM orders WHERE {condition})") == [notice]


def test_other_uses_of_null_are_not() -> None:
    assert told("SELECT id FROM orders WHERE state IS NOT NULL AND id IN (1, NULL) AND id IS DISTINCT FROM NULL") == []


TIMED = """
    CREATE MAPPING orders (id BIGINT, state VARCHAR, k VARCHAR EXTERNAL NAME "__key", ts TIMESTAMP,
        WATERMARK FOR ts AS ts) TYPE Kafka OPTIONS (keyFormat 'varchar')
"""
WINDOWS = "FROM TUMBLE(TABLE orders, DESCRIPTOR(ts), INTERVAL '1' HOUR) GROUP BY window_start"
FOR_EVER = "without a window groups are kept for ever"
NO_RULE = "time goes on only with records: while 'orders' is silent, all windows wait"
NOT_COMPACTED = "a row of a group replaces the one before it by its key, and 'out' is not compacted"


@pytest.mark.parametrize(
    ("query", "compacted", "notices"),
    [
        ("SELECT state, COUNT(*) AS n FROM orders GROUP BY state", False, [FOR_EVER, NOT_COMPACTED]),
        ("SELECT state, COUNT(*) AS n FROM orders GROUP BY state", True, [FOR_EVER]),
        ("SELECT DISTINCT state FROM orders", True, [FOR_EVER]),
        ("SELECT COUNT(*) AS n FROM orders", True, []),
        (f"SELECT state, COUNT(*) AS n {WINDOWS}, state", False, [NO_RULE]),
        (f"SELECT state, COUNT(*) AS n {WINDOWS}, state", True, [NO_RULE]),
        (f"SELECT state, COUNT(*) AS n {WINDOWS}, state EMIT CHANGES", False, [NOT_COMPACTED, NO_RULE]),
        (
            f"SELECT window_start, COUNT(*) AS n {WINDOWS}",
            True,
            ["'out' is compacted and takes only records with a key", NO_RULE],
        ),
        (f"SELECT window_start, COUNT(*) AS n {WINDOWS} EMIT CHANGES", True, [NO_RULE]),
    ],
)
def test_what_groups_ask_of_the_topics(query: str, compacted: bool, notices: list[str]) -> None:  # noqa: FBT001
    found = told(query, mapping=TIMED, compacted=compacted)
    assert [one[: len(notice)] for one, notice in zip(found, notices, strict=True)] == notices


@pytest.mark.parametrize(
    ("query", "partitions", "notice"),
    [
        ("", 2, "partition 1 of 'orders' has no records, which holds back time: no row is written until it has one"),
        ("", 8, "partitions 1, 2, 3, 4, 5 … of 'orders' have no records, which holds back time: no row is written"),
        (
            ", state EMIT CHANGES",
            2,
            "partition 1 of 'orders' has no records, which holds back time: no window is closed",
        ),
    ],
)
def test_an_empty_partition_holds_time_back(query: str, partitions: int, notice: str) -> None:
    (*_, found, rule) = told(f"SELECT COUNT(*) AS n {WINDOWS}{query}", mapping=TIMED, partitions=partitions)
    assert found.startswith(notice)
    assert rule.startswith(
        "time goes on only with records: while one partition of 'orders' is silent, all windows wait"
    )


def test_it_does_not_where_groups_stay_in_their_partition() -> None:
    (alone,) = told(f"SELECT k, COUNT(*) AS n {WINDOWS}, k", mapping=TIMED, partitions=2)
    assert alone.startswith("time goes on only with records: while a partition of 'orders' is silent, its own windows")
    assert told("SELECT COUNT(*) AS n FROM orders", mapping=TIMED, partitions=2, compacted=True) == []


def test_a_rule_lets_time_go_on_and_imposed_order_has_none() -> None:
    ruled = TIMED.replace("WATERMARK FOR ts AS ts", "WATERMARK FOR ts AS ts IDLE AFTER INTERVAL '1' MINUTE")
    assert told(f"SELECT COUNT(*) AS n {WINDOWS}", mapping=ruled, partitions=2) == []
    imposed = WINDOWS.replace("TABLE orders", "TABLE(IMPOSE_ORDER(TABLE orders, DESCRIPTOR(ts), INTERVAL '5' SECOND))")
    for mapping in (TIMED.replace("WATERMARK FOR ts AS ts", "a INT"), ruled):
        (notice,) = told(f"SELECT COUNT(*) AS n {imposed}", mapping=mapping)
        assert notice.endswith("IDLE AFTER INTERVAL '1' MINUTE in the mapping instead of IMPOSE_ORDER")
