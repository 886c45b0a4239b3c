"""IDLE AFTER with groups of several sources, and with several groups in a task: blocks as in docs/groups.md."""

from tests.support import group_examples, rows

TIMED = "(n BIGINT, ts TIMESTAMP WITH TIME ZONE, WATERMARK FOR ts AS ts"


def test_a_source_without_a_rule_is_waited_for() -> None:
    """The empty topic t has one: it holds back nothing after a minute, and what comes in it then is late."""
    check(
        f"""@ CREATE MAPPING s {TIMED}) TYPE Kafka
@ CREATE MAPPING t {TIMED} IDLE AFTER INTERVAL '1' MINUTE) TYPE Kafka
WITH both AS (SELECT n, ts FROM s UNION ALL SELECT n, ts FROM t) SELECT window_end, SUM(n) AS total FROM TUMBLE(TABLE both, DESCRIPTOR(ts), INTERVAL '1' MINUTE) GROUP BY window_start, window_end
> {{"n": 1, "ts": "2026-01-31T08:30:10Z"}}
> {{"n": 2, "ts": "2026-01-31T08:31:05Z"}}
= 59 s
= 1 s
< {{"window_end":"2026-01-31T08:31:00Z","total":1}}
= 3600 s
^ topic t
> {{"n": 4, "ts": "2026-01-31T08:30:20Z"}}
! the record is late by PT5S: its window ended at 2026-01-31T08:31:00Z, the watermark of t-0 is 2026-01-31T08:31:05Z
> {{"n": 8, "ts": "2026-01-31T08:31:20Z"}}
= commit
= end
< {{"window_end":"2026-01-31T08:32:00Z","total":10}}"""  # noqa: E501  # a block has its query in one line
    )


def test_each_of_several_groups_goes_on_by_itself() -> None:
    """A decision for the windows of ten seconds does not put off those of a minute."""
    parts = [
        f"SELECT '{name}' AS what, window_end, SUM(n) AS total FROM TUMBLE(TABLE s, DESCRIPTOR(ts), "
        f"INTERVAL '{seconds}' SECOND) GROUP BY window_start, window_end"
        for name, seconds in (("short", 10), ("long", 60))
    ]
    check(
        f"""@ CREATE MAPPING s {TIMED} IDLE AFTER INTERVAL '30' SECOND) TYPE Kafka
{" UNION ALL ".join(parts)}
> {{"n": 1, "ts": "2026-01-31T08:30:35Z"}}
= 34 s
= 1 s
< {{"what":"short","window_end":"2026-01-31T08:30:40Z","total":1}}
= 19 s
= 1 s
< {{"what":"long","window_end":"2026-01-31T08:31:00Z","total":1}}
= end"""
    )


def check(text: str) -> None:
    assert group_examples.answered(rows.block_of(text)) == text
