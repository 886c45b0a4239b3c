"""Looking into topics, and writing lines to them: what is decided without a broker."""

from dataclasses import replace
from itertools import pairwise

import pytest
from confluent_kafka import Message

from jobplane.controlplane.browse.new_topics import check_name, check_new
from jobplane.controlplane.browse.record_lines import LineFormat, LineRecord, parse_lines
from jobplane.controlplane.browse.record_query import AtOffset, Newest, Oldest, Since, parse_start
from jobplane.controlplane.browse.topic_listing import description, matching_names
from jobplane.controlplane.browse.topic_listing import listing as topics_listing
from jobplane.controlplane.browse.topic_view import TopicView
from jobplane.controlplane.cli.records import FORMATS
from jobplane.controlplane.core.setup_advice import not_set_up_error
from jobplane.controlplane.core.state import State
from jobplane.controlplane.fetch.windows import next_window, nonempty_ranges
from jobplane.controlplane.listings.tables import text
from jobplane.controlplane.query.record_rows import RecordRow, is_framed, listing, plain_row, text_or_hex
from jobplane.processors.kafka.cluster import Replicas
from jobplane.schemas import formats
from jobplane.schemas.errors import BadLine, Refused, TopicExists, TopicRefused, TopicReserved
from jobplane.schemas.records.mappings import TopicMapping
from jobplane.schemas.records.reports import Report, ReportKind
from jobplane.schemas.wire.codec import encode
from jobplane.sql.mapping import build_mapping
from jobplane.sql.syntax.parser import parse
from jobplane.sql.syntax.statements import CreateMapping


def message(value: bytes | None, key: bytes | None = None, offset: int = 0) -> Message:
    return Message("orders", 0, offset, key, value)


def mapping(columns: str, options: str = "", name: str = "orders") -> TopicMapping:
    statement = parse(f"CREATE MAPPING {name} {columns} TYPE Kafka {options}")
    assert isinstance(statement, CreateMapping)
    return build_mapping(statement)


@pytest.mark.parametrize(
    ("word", "start"),
    [
        ("newest", Newest()),
        ("Oldest", Oldest()),
        ("17", AtOffset(17)),
        ("1970-01-01T00:00:01Z", Since(1_000)),
        ("1969-12-31T23:59:59.999Z", Since(0)),
    ],
)
def test_where_to_begin(word: str, start: object) -> None:
    assert parse_start(word) == start


def test_words_that_are_no_beginning() -> None:
    for word in ("yesterday", "", "-1", "²"):
        with pytest.raises(ValueError, match=r".*"):
            parse_start(word)


def test_windows_cover_all_offsets_once() -> None:
    ranges = {("t", 0): (5, 100_000), ("t", 1): (7, 9)}
    for backwards in (True, False):
        seen: dict[tuple[str, int], list[tuple[int, int]]] = {}
        left, size = ranges, 10
        while left:
            window, left = next_window(left, size, backwards=backwards)
            assert all(0 < end - first <= size for first, end in window.values())
            size *= 8
            for at, one in window.items():
                seen.setdefault(at, []).append(one)
        for at, parts in seen.items():
            ordered = sorted(parts)
            assert parts == (ordered[::-1] if backwards else ordered)
            assert (ordered[0][0], ordered[-1][1]) == ranges[at]
            assert all(one[1] == other[0] for one, other in pairwise(ordered))


def test_windows_have_an_offset_at_least() -> None:
    assert next_window({("t", 0): (0, 9)}, 0, backwards=True) == ({("t", 0): (8, 9)}, {("t", 0): (0, 8)})
    assert nonempty_ranges({("t", 0): (4, 4), ("t", 1): (4, 5)}) == {("t", 1): (4, 5)}


def test_a_condition_takes_what_a_where_takes() -> None:
    values = [b'{"amount": 60}', b'{"amount": 40}', b"no JSON", None, b'{"amount": 70}', b'{"amount": "x"}', b"{}"]
    condition = TopicView("orders", "orders").condition("amount > 50")
    taken = condition([message(value, offset=i) for i, value in enumerate(values)])
    assert [one.offset() for one in taken] == [0, 4]
    assert condition.failed == 2
    assert condition.first is not None
    assert condition.first[0].offset() == 2
    assert [one.offset() for one in condition([message(b'{"amount": 80}', offset=9)])] == [9]


def test_fields_that_no_record_has_are_told_of() -> None:
    condition = TopicView("orders", "orders").condition("amont > 50 AND o = 1")
    assert condition([message(b'{"amount": 60}'), message(b"no JSON")]) == []
    assert condition.missing(condition.begin) == (
        "the newest record of 'orders' has no field amont, so amont is NULL; did you mean 'amount'?",
        "the newest record of 'orders' has no field o, so o is NULL",
    )
    mapped = TopicView("orders", "o", mapping("(id BIGINT)", name="o")).condition("id > 5")
    assert mapped.missing([message(b"{}")]) == ()


def test_a_condition_sees_key_and_headers_and_the_columns_of_a_mapping() -> None:
    view = TopicView("orders", "o", mapping('(price BIGINT EXTERNAL NAME "amount.net")', name="o"))
    condition = view.condition("where o.price > 5 AND __key = 'a'")
    inside = b'{"amount": {"net": 6}}'
    assert condition([message(inside, b"a"), message(inside, b"b")])[0].key() == b"a"
    with pytest.raises(Refused, match="the columns of mapping 'o': --format json-flat reads"):
        view.condition("amount > 5")


@pytest.mark.parametrize(
    ("where", "place"),
    [
        ("amount > > 5", "1:10"),
        ("a = 1\n AND nope(a)", "2:6"),
        ("1 / 0 > a", "1:1"),
        ("a = 1 UNION ALL SELECT b FROM c", "1:1"),
        ("a = 1 GROUP BY a", "1:1"),
        ("a = 1 EMIT CHANGES", "1:1"),
    ],
)
def test_what_is_wrong_with_a_condition_has_its_place_in_it(where: str, place: str) -> None:
    with pytest.raises(Refused) as refused:
        TopicView("orders", "orders").condition(where)
    assert str(refused.value.place) == place


def test_records_are_read_by_their_mapping() -> None:
    csv = TopicView(
        "orders", "orders", mapping("(id BIGINT, name VARCHAR)", "OPTIONS (valueFormat 'csv')"), columns=True
    )
    assert csv.row_reader()(message(b"7,x")).value == '{"id":7,"name":"x"}'
    numbers = TopicView("orders", "orders", mapping("", "OPTIONS (valueFormat 'bigint', keyFormat 'integer')"))
    seen = numbers.row_reader()(message((42).to_bytes(8, "big"), (7).to_bytes(4, "big")))
    assert (seen.key, seen.value) == ("7", "42")


def test_a_record_that_its_mapping_cannot_read_stands_there_as_it_is() -> None:
    view = TopicView("orders", "orders", mapping("", "OPTIONS (valueFormat 'bigint')"))
    seen = view.row_reader()(message(b"\0\1"))
    assert seen.value == "0x0001"
    assert seen.error


def test_values_of_json_stand_as_they_are_unless_columns_are_asked_for() -> None:
    value = b'{"id": 1,  "more": 2}'
    assert TopicView("orders", "orders", mapping("(id BIGINT)")).row_reader()(message(value)).value == value.decode()
    assert (
        TopicView("orders", "orders", mapping("(id BIGINT)"), columns=True).row_reader()(message(value)).value
        == '{"id":1}'
    )


def test_records_of_control_topics_are_read() -> None:
    report = encode(Report("u-0", 1, 0, 1, ReportKind.RUNNING, "worker"))
    seen = plain_row(message(report, b"u-0/0"))
    assert seen.value is not None
    assert seen.value.startswith('{"uid":"u-0",')
    assert plain_row(message(report[:12])).value == f"0x{report[:12].hex()}"


def test_what_topics_are_used_for() -> None:
    over = replace(mapping("", "OPTIONS (valueFormat 'csv')", "lines"), topic="orders")
    state = State([(("mapping", "lines"), over), (("mapping", "orders"), mapping("(id BIGINT)"))])
    ranges = {("orders", 0): (2, 7), ("orders", 1): (0, 0)}
    names = matching_names(["orders", "jobplane.x", "__y", "others"], "o*d*", "jobplane.", control=False)
    assert text(topics_listing(state, ranges, names)) == (
        "name\tpartitions\toffsets\tformat\tread_by\twritten_by\tmappings\n"
        "orders\t2\t5\tcsv, json-flat\t\t\tlines, orders\n"
    )
    assert matching_names(["orders", "jobplane.x", "__y"], "", "jobplane.", control=True) == [
        "__y",
        "jobplane.x",
        "orders",
    ]
    described = description(state, "orders", ranges, {0: Replicas(1, (1, 2), (1,))}, {"retention.ms": "5"})
    assert text(described) == (
        "name\torders\npartitions\t2\noffsets\t5\nformat\tcsv, json-flat\nread_by\t\nwritten_by\t\n"
        "mappings\tlines, orders\nsettings\tretention.ms = 5\n\n"
        "partition\tfirst\tend\toffsets\tleader\treplicas\tin_sync\n"
        "0\t2\t7\t5\t1\t1, 2\t1\n1\t0\t0\t0\t\t\t\n"
    )


def test_text_and_what_is_none() -> None:
    assert text_or_hex(b"h\xc3\xa9") == "hé"
    assert text_or_hex(b"\xff\1") == "0xff01"
    assert text_or_hex(b"\0\0\0*") == "0x0000002a"
    assert text_or_hex(b"") == ""
    assert text_or_hex(None) is None


def test_values_that_a_registry_numbers_the_schema_of() -> None:
    assert is_framed(message(b"\0\0\0\0\7abc"))
    for value in (b"\0\0\0\0\0\0\0*", b"\0\0\0\0\7", b"\1\0\0\0\7abc", b"text", b"", None):
        assert not is_framed(message(value))


def test_a_listing_escapes_and_says_null() -> None:
    seen = [plain_row(message(None, b"k")), plain_row(message(b"a\tb\x1b[2J\n"))]
    assert text(listing(seen)) == (
        "partition\toffset\ttime\tkey\tvalue\n0\t0\t\tk\tNULL\n0\t0\t\tNULL\ta\\tb\\x1b[2J\\n\n"
    )


def test_a_terminal_is_shown_places_and_seconds() -> None:
    seen = [RecordRow("orders", 3, 7, 1_795_867_332_668, "k", "v", (("a", None),), "bad")]
    assert text(listing(seen, drawn=True)) == (
        "at\ttime (UTC)\tkey\tvalue\theaders\terror\n3@7\t2026-11-28 12:02:12\tk\tv\ta = NULL\tbad\n"
    )


def test_values_in_json_are_nested_where_they_are_json() -> None:
    assert bytes(plain_row(message(b'{\n "a": 1e400 }')).json()["value"]) == b'{"a":1e400}'
    for plain in ("plain", '{"a":1} x', '{"a":', "[" * 5_000 + "]" * 5_000):
        assert plain_row(message(plain.encode())).json()["value"] == plain
    assert plain_row(message(None)).json()["value"] is None


def test_lines_are_records() -> None:
    lines = [b"a:1\n", b"\n", b"b:2:3\r\n", b":4\n", b"c:NULL"]
    assert list(parse_lines(lines, LineFormat(separator=b":", null=b"NULL"))) == [
        LineRecord(1, b"a", b"1"),
        LineRecord(3, b"b", b"2:3"),
        LineRecord(4, b"", b"4"),
        LineRecord(5, b"c", None),
    ]
    assert list(parse_lines([b"x:1\n"], LineFormat(key=b"k"))) == [LineRecord(1, b"k", b"x:1")]


@pytest.mark.parametrize(
    ("line", "form", "said"),
    [
        (b"x", LineFormat(separator=b"="), "line 2 has no '=' between key and value"),
        (b'{"a":', LineFormat(json=True), "line 2 is not JSON: "),
        (b"\xff", LineFormat(json=True), "line 2 is not JSON: "),
        (b"[" * 5_000 + b"]" * 5_000, LineFormat(json=True), "line 2 is not JSON: "),
    ],
)
def test_lines_of_another_form_are_refused(line: bytes, form: LineFormat, said: str) -> None:
    with pytest.raises(BadLine) as refused:
        list(parse_lines([b"\n", line], form))
    assert refused.value.message.startswith(said)


def test_names_that_no_topic_may_have() -> None:
    check_name("orders.eu-1_x", "jobplane.")
    for name in ("a b", "", "..", "ä", "x" * 250):
        with pytest.raises(TopicRefused):
            check_name(name, "jobplane.")
    for name in ("jobplane.x", "__offsets"):
        with pytest.raises(TopicReserved):
            check_name(name, "jobplane.")


def test_the_formats_of_the_flags_are_all_formats() -> None:
    assert sorted(formats.FORMATS) == list(FORMATS)


def test_a_control_plane_that_is_not_there_is_told_of() -> None:
    said = not_set_up_error("jobplane.commands", "jobplane.", "kafka:9092", ("orders", "shop.commands", "shop.events"))
    assert said.message == (
        "there is no topic 'jobplane.commands' at kafka:9092: no worker has been started with the prefix "
        "'jobplane.'; the first worker creates the control topics: jobplane worker --bootstrap kafka:9092 "
        "--prefix jobplane.; or did you mean another control plane's --prefix: 'shop.'?"
    )
    assert (
        "did you mean"
        not in not_set_up_error("a.events", "a.", "kafka:9092", ("b.commands", "commands", "events")).message
    )


def test_topics_are_made_all_or_none() -> None:
    check_new(["a", "b"], {"c": 1})
    with pytest.raises(TopicExists, match="topic 'b' exists, with 2 partitions; none of the other topics was created"):
        check_new(["a", "b", "c"], {"b": 2})
    with pytest.raises(TopicExists, match=r"topic 'b' exists, with 1 partition$"):
        check_new(["b"], {"b": 1})
