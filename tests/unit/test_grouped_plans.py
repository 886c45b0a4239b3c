"""Plans with groups: which need one task, and what may not be written of them."""

import pytest

from jobplane.schemas.errors import ColumnMismatch, Refused
from jobplane.sql.mapping import build_mapping
from jobplane.sql.plan.graph import Plan
from jobplane.sql.plan.grouping.watermarks import check_watermark
from jobplane.sql.plan.plan import plan
from jobplane.sql.plan.stateful import needs_one_task
from jobplane.sql.syntax import statements
from jobplane.sql.syntax.parser import parse, parse_insert
from tests.support.rows import mapping

KEYED = "keyFormat 'varchar'"
MAPPINGS = {
    one.name: one
    for one in (
        mapping(f'CREATE MAPPING s (k VARCHAR EXTERNAL NAME "__key", a BIGINT) TYPE Kafka OPTIONS ({KEYED})'),
        mapping(
            'CREATE MAPPING parts (i BIGINT EXTERNAL NAME "__key.i", j BIGINT EXTERNAL NAME "__key.j", a BIGINT) '
            "TYPE Kafka OPTIONS (keyFormat 'json-flat')"
        ),
        mapping("CREATE MAPPING numbered (n BIGINT) TYPE Kafka OPTIONS (keyFormat 'bigint')"),
        mapping("CREATE MAPPING flat (n BIGINT) TYPE Kafka OPTIONS (keyFormat 'json-flat')"),
    )
}


def planned(query: str, target: str = "out") -> Plan:
    return plan(parse_insert(f"INSERT INTO {target} {query}"), MAPPINGS, MAPPINGS.get(target))


@pytest.mark.parametrize(
    "query",
    [
        "SELECT a FROM s",
        "SELECT k, COUNT(*) AS n FROM s GROUP BY k",
        "SELECT a, COUNT(*) AS n FROM s GROUP BY a, __key",
        "SELECT who, COUNT(*) AS n FROM (SELECT k AS who, a FROM s WHERE a > 1) GROUP BY who",
        "SELECT DISTINCT k, a FROM s",
        "SELECT i, j, SUM(a) AS n FROM parts GROUP BY j, i",
        "SELECT __key, COUNT(*) AS n FROM t GROUP BY __key",
        "SELECT COUNT(*) AS n FROM t GROUP BY __partition",
    ],
)
def test_groups_that_stay_in_their_partition_need_no_single_task(query: str) -> None:
    assert not needs_one_task(planned(query))


@pytest.mark.parametrize(
    "query",
    [
        "SELECT COUNT(*) AS n FROM s",
        "SELECT a, COUNT(*) AS n FROM s GROUP BY a",
        "SELECT UPPER(k) AS k, COUNT(*) AS n FROM s GROUP BY UPPER(k)",
        "SELECT i, SUM(a) AS n FROM parts GROUP BY i",
        "SELECT DISTINCT a FROM s",
        "SELECT __key.a, COUNT(*) AS n FROM t GROUP BY __key.a",
    ],
)
def test_other_groups_need_one(query: str) -> None:
    assert needs_one_task(planned(query))


@pytest.mark.parametrize(
    ("query", "target", "reason"),
    [
        ("SELECT COUNT(*) AS n FROM s GROUP BY k", "numbered", "keys of the target are BIGINT"),
        ("SELECT COUNT(*) AS n FROM s GROUP BY a, k", "numbered", "write … AS __key"),
        ("SELECT COUNT(*) AS n FROM s GROUP BY k", "flat", "name the columns of the key"),
    ],
)
def test_a_key_that_the_target_cannot_hold_is_told(query: str, target: str, reason: str) -> None:
    with pytest.raises(ColumnMismatch, match=reason):
        planned(query, target)


@pytest.mark.parametrize(
    ("columns", "place"),
    [
        ("ts BIGINT, WATERMARK FOR ts AS ts", "1:44"),
        ("ts TIMESTAMP, WATERMARK FOR ts AS later", "1:53"),
        ("ts TIMESTAMP, WATERMARK FOR at AS ts", "1:47"),
        ("ts TIMESTAMP, WATERMARK FOR ts AS MAX(ts)", "1:53"),
        ("ts TIMESTAMP, WATERMARK FOR ts AS ts IDLE AFTER INTERVAL '0' SECOND", "1:67"),
        ("ts TIMESTAMP, WATERMARK FOR ts AS ts IDLE AFTER INTERVAL '-1' SECOND", "1:67"),
        ("ts TIMESTAMP, WATERMARK FOR ts AS ts IDLE AFTER INTERVAL '1' MONTH", "1:67"),
        ("ts TIMESTAMP, WATERMARK FOR ts AS ts IDLE AFTER INTERVAL '366' DAY", "1:67"),
    ],
)
def test_a_watermark_is_judged_with_its_mapping(columns: str, place: str) -> None:
    create = parse(f"CREATE MAPPING m ({columns}) TYPE Kafka")
    assert isinstance(create, statements.CreateMapping)
    assert create.watermark is not None
    with pytest.raises(Refused) as refused:
        check_watermark(create.watermark, build_mapping(create))
    assert str(refused.value.place) == place
