"""The pure part of a dry run: what a step makes of records, told row by row, and how a sample is shared out."""

import re
from io import StringIO
from pathlib import Path
from typing import Any

from confluent_kafka import Message
from rich.console import Console

from jobplane.controlplane.cli.screen.drawing import draw
from jobplane.controlplane.listings import tables
from jobplane.controlplane.listings.page import page
from jobplane.controlplane.query import dry_run_listing
from jobplane.controlplane.query.newest_records import share_records
from jobplane.processors.dry_run import GroupTrial, Trial, tried, tried_in_groups
from jobplane.sql.codegen.compile import Step
from tests.support import grouping
from tests.support.rows import block_of

PAGE = Path(__file__).parents[2] / "docs/statements/explain.md"


def message(offset: int, value: bytes | None, key: bytes | None = b"k", headers: Any = None) -> Message:
    return Message("s", 0, offset, key, value, headers, None, (1, 5))


def trial_of(query: str, *messages: Message, step: Step | None = None) -> Trial:
    ticks = iter(range(100))
    made = step or block_of(query).compiled().step
    return tried(made, messages, None, lambda: next(ticks) * 2.0, lambda: next(ticks) * 0.5)


def test_every_record_is_counted_once() -> None:
    trial = trial_of(
        "SELECT a FROM s WHERE a > 1",
        message(0, b'{"a": 1}'),
        message(1, b'{"a": 2}'),
        message(2, b'{"a": "x"}'),
        message(3, None),
        message(4, b'{"a": 3}'),
    )
    assert (trial.read, trial.written, trial.filtered, trial.skipped, trial.refused) == (5, 2, 1, 1, 1)
    shown = dry_run_listing.listing(trial)
    assert [row["source"] for row in shown.rows] == ["s-0@1", "s-0@4"]
    assert [row["source"] for row in shown.others["refused"].rows] == ["s-0@2"]
    assert shown.json_row()["refused"] == shown.others["refused"].rows


def test_a_record_gives_several_rows() -> None:
    trial = trial_of("SELECT x FROM s CROSS JOIN UNNEST(a) AS t (x)", message(0, b'{"a": [1, 2]}'), message(1, b"{}"))
    assert (trial.written, trial.filtered) == (2, 1)
    assert [row["value"] for row in dry_run_listing.listing(trial).rows] == ['{"x":1}', '{"x":2}']


def test_time_is_that_of_the_evaluation() -> None:
    trial = trial_of("SELECT a FROM s", message(0, b'{"a": 1}'), message(1, b'{"a": 1}'))
    assert (trial.cost.seconds, trial.cost.rate) == (4.0, 0.5)
    assert (trial.cost.cpu_seconds, trial.cost.cpu_micros) == (1.0, 500_000.0)
    assert dry_run_listing.listing(trial_of("SELECT a FROM s")).summary == (
        "0 records read: 0 written, 0 filtered out, 0 skipped, 0 refused"
    )


def test_what_nobody_foresaw_is_the_error_of_its_record_in_plain_words() -> None:
    def step(messages: Any, produce: Any, full: Any) -> tuple[int, int]:
        for one in messages:
            if one.offset() == 1:
                raise TypeError("it takes no such thing")
            produce("out", one.value(), one.key(), -1, None, None, 5)
        return 1, 0

    trial = trial_of("", message(0, b"a"), message(1, b"b"), message(2, b"c"), step=step)
    (refusal,) = [one.refusal for one in trial.tried if one.refusal]
    assert refusal.code == "BAD_RECORD"
    assert re.fullmatch(
        r"evaluating the record met a fault of jobplane \(TypeError, reference [0-9a-f]{8}\); "
        r"report it with the query and the record",
        refusal.message,
    )
    assert trial.written == 2


def test_a_copy_of_anything_is_shown() -> None:
    trial = trial_of("SELECT * FROM s", message(0, b"\xff\x00", None, [("h", b"v")]), message(1, None))
    rows = dry_run_listing.listing(trial).rows
    assert rows[0] == {"source": "s-0@0", "key": None, "value": "0xff00", "other": {}}
    assert rows[1]["value"] is None


def test_text_has_a_line_a_row() -> None:
    shown = tables.text(dry_run_listing.listing(trial_of("SELECT * FROM s", message(0, b'{\n\t"a": 1}'))))
    assert shown == 'source\tkey\tvalue\tother\ns-0@0\tk\t{\\n\\t"a": 1}\t\n'


def test_a_terminal_shows_the_beginning_of_what_is_wide() -> None:
    messages = (
        message(0, b'{"a": "%s"}' % (b"x" * 200)),
        message(1, b'{"' + b"z" * 200),
        message(2, b'{"a": 1}', b"k" * 200),
    )
    shown = page(dry_run_listing.listing(trial_of("SELECT a FROM s", *messages)), 0)
    lines = draw(shown, Console(width=70, file=StringIO())).splitlines()
    assert max(map(len, lines)) == 70
    rows = [line.split() for line in lines if line.startswith("s-0@")]
    assert [row[0] for row in rows] == ["s-0@0", "s-0@2", "s-0@1"]
    assert rows[0][2].startswith('{"a":"xxx')
    assert rows[0][2].endswith("x…")
    assert rows[2][1] == "BAD_RECORD"


WINDOWED = (
    "SELECT u, SUM(x) AS total FROM TUMBLE(TABLE s, DESCRIPTOR(ts), INTERVAL '10' SECOND)"
    " GROUP BY window_start, window_end, u"
)


def group_trial_of(query: str, *messages: Message) -> GroupTrial:
    ticks = iter(range(100))
    made = grouping.compiled(query)
    return tried_in_groups(made, messages, None, lambda: next(ticks) * 2.0, lambda: next(ticks) * 0.5)


def test_groups_are_shown_as_if_all_windows_closed() -> None:
    trial = group_trial_of(
        WINDOWED,
        grouping.message(1, o=0, x=2),
        grouping.message(16, o=1, x=3),
        grouping.message(2, o=2),
        message(3, b'{"ts": "x"}'),
        message(4, None),
        grouping.message(17, o=5, x=4),
        grouping.message(3, p=1, o=0, x=5),
    )
    shown = dry_run_listing.group_listing(trial)
    assert [(row["key"], row["value"], row["other"]) for row in shown.rows] == [
        ("a", '{"u":"a","total":7}', {"timestamp": 1_767_225_609_999}),
        ("a", '{"u":"a","total":7}', {"timestamp": 1_767_225_619_999}),
    ]
    refused = shown.others["refused"].rows
    assert [(row["source"], row["code"]) for row in refused] == [("s-0@2", "LATE"), ("s-0@3", "BAD_RECORD")]
    assert refused[0]["reason"].startswith("the record is late by PT1S")
    assert shown.summary == (
        "7 records read: 2 rows of groups, 1 skipped, 1 late, 1 refused; 2 records a second, 142857 µs of CPU each"
    )
    assert dry_run_listing.how_groups_are_shown(grouping.compiled(WINDOWED).shapes, has_idle_rule=False) == (
        "windows that are open are shown as if they closed now"
    )


def test_a_group_without_a_window_is_shown_once() -> None:
    query = "SELECT u, COUNT(*) AS n FROM s GROUP BY u HAVING COUNT(*) > 1"
    trial = group_trial_of(query, *(grouping.message(1, o=o, u="ab"[o % 2]) for o in range(3)))
    assert [row["value"] for row in dry_run_listing.group_listing(trial).rows] == ['{"u":"a","n":2}']
    assert dry_run_listing.how_groups_are_shown(grouping.compiled(query).shapes, has_idle_rule=False) == (
        "each group is shown once, as if a single commit had all records"
    )


def test_a_group_without_a_result_ends_the_rows() -> None:
    query = "SELECT u, 1 / SUM(x) AS share FROM s GROUP BY u"
    values = {"a": 1, "b": 0, "c": 2}
    trial = group_trial_of(query, *(grouping.message(1, o=o, u=u, x=values[u]) for o, u in enumerate(values)))
    shown = dry_run_listing.group_listing(trial)
    assert [row["key"] for row in shown.rows] == ["a"]
    (failed,) = shown.others["refused"].rows
    assert (failed["source"], failed["code"]) == ("", "GROUP_FAILED")
    assert failed["reason"] == "the group 'b': division by zero"


def test_all_that_is_told_is_explained() -> None:
    section = PAGE.read_text().partition("\n## EXPLAIN ANALYZE\n")[2].partition("\n## ")[0]
    explained = set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE))
    shown = dry_run_listing.listing(trial_of("SELECT a FROM s"))
    grouped = dry_run_listing.group_listing(group_trial_of("SELECT COUNT(*) AS n FROM s"))
    columns = {*dry_run_listing.ROW_COLUMNS, *dry_run_listing.GROUP_COLUMNS, *dry_run_listing.REFUSAL_COLUMNS}
    assert explained == {*columns, *shown.about, *grouped.about}


def test_partitions_share_alike() -> None:
    a, b, c = ("s", 0), ("s", 1), ("t", 0)
    assert share_records({a: 100, b: 100, c: 100}, 30) == {a: 10, b: 10, c: 10}
    assert share_records({a: 2, b: 100, c: 0}, 30) == {a: 2, b: 28, c: 0}
    assert share_records({a: 5, b: 5}, 100) == {a: 5, b: 5}
    assert sum(share_records({a: 100, b: 100, c: 100}, 2).values()) == 2
    assert share_records({}, 5) == {}
