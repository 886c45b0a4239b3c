"""After how long silence counts as time, where a query has several groups or names for a topic."""

from jobplane.sql.plan.inserts import plan_inserts
from jobplane.sql.plan.stateful import idle_rules
from jobplane.sql.syntax.parser import parse_insert
from tests.support.grouping import mapping_of


def rules(*idle: str, topics: dict[str, str] | None = None) -> dict[str, float]:
    names = [f"m{i}" for i in range(len(idle))]
    mappings = {
        name: mapping_of(
            f"CREATE MAPPING {name} (ts TIMESTAMP WITH TIME ZONE, WATERMARK FOR ts AS ts{rule}) TYPE Kafka"
        )
        for name, rule in zip(names, idle, strict=True)
    }
    window = "FROM TUMBLE(TABLE {0}, DESCRIPTOR(ts), INTERVAL '1' MINUTE) GROUP BY window_start, window_end"
    inserts = [parse_insert(f"INSERT INTO {name} SELECT COUNT(*) AS n {window.format(name)}") for name in names]
    return idle_rules(plan_inserts(inserts, mappings), topics or {})


def test_each_source_has_its_rule() -> None:
    assert rules(" IDLE AFTER INTERVAL '9' SECOND", "") == {"m0": 9}


def test_a_topic_with_several_names_has_the_longest_rule() -> None:
    one = {"m0": "t", "m1": "t"}
    assert rules(" IDLE AFTER INTERVAL '9' SECOND", " IDLE AFTER INTERVAL '5' SECOND", topics=one) == {"t": 9}
    assert rules(" IDLE AFTER INTERVAL '9' SECOND", "", topics=one) == {}
