"""Dry runs on a real broker: what is told is what a job would do, and nothing is written."""

import json
import re
import struct
from collections.abc import Iterator
from contextlib import closing

import pytest
from confluent_kafka import Producer
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient

from jobplane.controlplane.client.client import Client
from tests.integration.test_cli import rows
from tests.support.broker import KafkaBroker
from tests.support.registry import SchemaRegistry
from tests.support.system import System, jobplane, system, until


@pytest.fixture(scope="module")
def plane(broker: KafkaBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with system(broker.bootstrap, "dry.", tmp_path_factory.mktemp("dry"), hosts=1) as made:
        made.worker()
        yield made


def everything(plane: System) -> dict[str, object]:
    """The ends of all topics of the broker, its own but for those of groups and transactions too, and all groups."""
    topics = plane.admin.list_topics(timeout=10).topics
    own = [name for name in topics if not name.endswith((".reports", "__consumer_offsets"))]
    groups = plane.admin.list_consumer_groups().result(10).valid
    return {**{name: plane.ends(name) for name in own}, "groups": sorted(group.group_id for group in groups)}


def test_nothing_is_written(plane: System) -> None:
    source, sink = plane.topic("quiet-in", 3), plane.topic("quiet-out", 3)
    for p in range(3):
        plane.produce(source, [(b"k", b'{"id": %d}' % i) for i in range(10)], partition=p)
    query = f'INSERT INTO "{sink}" SELECT id FROM "{source}" WHERE id > 4'
    before = everything(plane)
    for text in (f"CREATE JOB x AS {query}", query):
        assert jobplane(plane, "sql", "--dry-run", "-e", text).returncode == 0
        assert jobplane(plane, "sql", "-e", f"EXPLAIN ANALYZE {text}").returncode == 0
    assert everything(plane) == before
    plane.done(f"CREATE JOB x AS {query}")
    assert everything(plane) != before, "a job is not quiet"


def test_the_rows_are_those_a_job_writes(plane: System) -> None:
    source, sink = plane.topic("same-in", 3), plane.topic("same-out", 2)
    for p in range(3):
        plane.produce(source, [(b"k%d" % i, b'{"id": %d, "p": %d}' % (i, p)) for i in range(20)], partition=p)
    query = f'INSERT INTO "{sink}" SELECT id * 2 AS twice, p FROM "{source}" WHERE id % 3 = 0'
    (told,) = rows(jobplane(plane, "sql", "--dry-run", "-o", "json", "-e", query))
    assert {name: told["about"][name] for name in ("read", "written", "filtered", "skipped", "refused")} == {
        "read": 60, "written": 21, "filtered": 39, "skipped": 0, "refused": 0,
    }  # fmt: skip
    assert told["about"]["rate"] > 0
    assert told["about"]["cpu_micros"] > 0
    assert told["rows"][0] == {"source": f"{source}-0@0", "key": "k0", "value": '{"twice":0,"p":0}', "other": {}}
    plane.done(f"CREATE JOB same AS {query}")
    written = until(lambda: found if len(found := plane.read(sink)) == 21 else None, 30, "the job has written")
    assert sorted((m.key(), m.value()) for m in written) == sorted(
        (row["key"].encode(), row["value"].encode()) for row in told["rows"]
    )


def test_the_newest_are_shared_among_partitions_and_sources(plane: System) -> None:
    many, few, sink = plane.topic("many", 2), plane.topic("few", 2), plane.topic("both-out", 1)
    plane.produce(many, [(None, b'{"a": %d}' % i) for i in range(500)], partition=0)
    plane.produce(many, [(None, b'{"a": 1}')] * 3, partition=1)
    plane.produce(few, [(None, b'{"b": %d}' % i) for i in range(100)], partition=1)
    query = f'INSERT INTO "{sink}" SELECT a AS n FROM "{many}" UNION ALL SELECT b FROM "{few}"'
    listing = Client(plane.settings).read(f"EXPLAIN ANALYZE {query}", last=23)
    assert [row["source"] for row in listing.rows] == [
        *(f"{many}-0@{i}" for i in range(490, 500)),
        *(f"{many}-1@{i}" for i in range(3)),
        *(f"{few}-1@{i}" for i in range(90, 100)),
    ]


def test_aborted_records_and_open_transactions_are_passed_by(plane: System) -> None:
    source, sink = plane.topic("tx-in", 1), plane.topic("tx-out", 1)
    producer = Producer({"bootstrap.servers": plane.bootstrap, "transactional.id": "dry-run-test"})
    producer.init_transactions(20)
    for i in range(30):
        producer.begin_transaction()
        producer.produce(source, b'{"id": %d}' % i)
        producer.flush(10)
        if i % 3 == 0:
            producer.commit_transaction(20)
        else:
            producer.abort_transaction(20)
    producer.begin_transaction()
    producer.produce(source, b'{"id": 99}')
    producer.flush(10)
    query = f'INSERT INTO "{sink}" SELECT id FROM "{source}"'
    listing = Client(plane.settings).read(f"EXPLAIN ANALYZE {query}", last=5)
    producer.abort_transaction(20)
    assert [json.loads(row["value"])["id"] for row in listing.rows] == [15, 18, 21, 24, 27]


def test_a_file_of_mappings_and_queries(plane: System) -> None:
    source, sink = plane.topic("file-in", 1), plane.topic("file-out", 1)
    values = [b'{"id": 1, "who": {"name": "ann"}}', b'{"id": "x"}', b"no\tJSON", None, b'{"id": 4}', b"\xff"]
    plane.produce(source, [(b"\xff", one) for one in values])
    script = f"""
        CREATE MAPPING typed EXTERNAL NAME "{source}" (id BIGINT, name VARCHAR EXTERNAL NAME "who.name") TYPE Kafka;
        CREATE MAPPING typed_out EXTERNAL NAME "{sink}" (n BIGINT, label VARCHAR) TYPE Kafka;
        INSERT INTO typed_out SELECT id, name FROM typed;
    """
    (plane.folder / "try.sql").write_text(script)
    done = jobplane(plane, "sql", "--dry-run", "-f", "try.sql")
    place, no_json = f"{source}-0@", "the value is not JSON: an unexpected character"
    looks = (
        "it is text, perhaps a line of CSV (with 'tab'): declare its columns by CREATE MAPPING with valueFormat 'csv', "
        "or valueFormat 'varchar'"
    )
    assert done.stdout.splitlines() == [
        "source\tkey\tvalue\tother",
        f'{place}0\t0xff\t{{"n":1,"label":"ann"}}\t',
        f'{place}4\t0xff\t{{"n":4,"label":null}}\t',
        "",
        "source\tcode\treason\tvalue",
        f'{place}1\tBAD_RECORD\tfield \'id\' holds a string; the query needs a number\t{{"id": "x"}}',
        f"{place}2\tBAD_RECORD\t{no_json} (byte 4); {looks}\tno\\tJSON",
        f"{place}5\tBAD_RECORD\t{no_json} (byte 0)\t0xff",
    ]
    said = done.stderr.splitlines()
    assert said[0] == "try.sql:2: mapping 'typed': created, for the dry run only"
    assert said[2].startswith("try.sql:4: 6 records read: 2 written, 0 filtered out, 1 skipped, 3 refused; ")
    assert done.returncode == 0
    assert [row for row in plane.rows("SHOW MAPPINGS") if row["name"].startswith("typed")] == []
    *_, told = rows(jobplane(plane, "sql", "--dry-run", "-o", "json", "-f", "try.sql"))
    assert [row["source"] for row in told["refused"]] == [f"{place}{i}" for i in (1, 2, 5)]
    assert told["refused"][1]["value"] == "no\tJSON"


def test_a_field_that_no_record_has_is_noticed(plane: System) -> None:
    source, sink = plane.topic("noticed-in", 2), plane.topic("noticed-out", 1, cleanup_policy="compact")
    plane.produce(source, [(None, b'{"id": %d, "state": "paid"}' % i) for i in range(3)], partition=0)
    query = f'INSERT INTO "{sink}" SELECT id FROM "{source}" WHERE state = "paid"'
    with Client(plane.bootstrap, plane.prefix) as client:
        missing, keyless = client.notices(query)
        assert missing.startswith(
            f"none of the newest 3 records of '{source}' has a field paid, so paid is NULL; double quot"
        )
        assert keyless.startswith(f"'{sink}' is compacted and takes only records with a key; records of '{source}'")
        assert client.read(f"EXPLAIN {query}").notices == (missing, keyless)
        assert client.dry_run().run(query).notices == (missing, keyless)
        assert client.notices(f'INSERT INTO "{sink}" SELECT id AS __key, state FROM "{source}"') == ()
        created = client.execute(f"CREATE JOB noticed AS {query}", look=True)
        assert created.notices == (missing, keyless)
        assert created.row()["notices"] == [missing, keyless]
        assert created.done
        assert client.execute("DROP JOB noticed", look=True).done
    assert f"notice: {missing}" in jobplane(plane, "sql", "--dry-run", "-e", query).stderr.splitlines()


def test_parts_that_a_query_sets_are_shown(plane: System) -> None:
    source, sink = plane.topic("parts-in", 1), plane.topic("parts-out", 2)
    plane.produce(source, [(b"k", b'{"id": 1}')], timestamp=1_000)
    query = (
        f"INSERT INTO \"{sink}\" SELECT id, 1 AS __partition, TIMESTAMP WITH TIME ZONE '1970-01-01T00:00:02Z' "
        f"AS __timestamp, MAP['a', 'b'] AS __headers FROM \"{source}\""
    )
    (row,) = Client(plane.settings).read(f"EXPLAIN ANALYZE {query}").rows
    assert row["other"] == {"partition": 1, "timestamp": 2_000, "headers": [["a", "b"]]}


def test_an_empty_topic_gives_nothing(plane: System) -> None:
    source, sink = plane.topic("void-in", 3), plane.topic("void-out", 1)
    done = jobplane(plane, "sql", "--dry-run", "-e", f'INSERT INTO "{sink}" SELECT id FROM "{source}"')
    assert (done.returncode, done.stdout) == (0, "source\tkey\tvalue\tother\n")
    assert done.stderr == "0 records read: 0 written, 0 filtered out, 0 skipped, 0 refused\n"


def test_what_is_refused_is_refused_as_of_a_job(plane: System) -> None:
    source, sink = plane.topic("no-in", 1), plane.topic("no-out", 1)
    query = f'INSERT INTO "{sink}" SELECT id FROM "{source}"'
    cases = (
        (f'INSERT INTO "{sink}" SELECT id FROM "{source}s"', 3, "topic-not-found"),
        (f'INSERT INTO "{sink}" SELECT NOPE(id) FROM "{source}"', 4, "unknown-function"),
        (f'INSERT INTO "{source}" SELECT id FROM "{source}"', 4, "sink-is-source"),
        (f"CREATE JOB x OPTIONS (parallelism '2') AS {query}", 4, "bad-option-value"),
        ("CREATE MAPPING m TYPE Nope", 4, "not-supported"),
    )
    for text, code, said in cases:
        done = jobplane(plane, "sql", "--dry-run", "-e", text)
        assert (done.returncode, done.stdout) == (code, ""), text
        assert f"refused ({said})" in done.stderr


def test_a_file_is_tried_to_its_end(plane: System) -> None:
    source, sink = plane.topic("whole-in", 1), plane.topic("whole-out", 1)
    plane.produce(source, [(b"k", b'{"id": 1}')])
    query = f'INSERT INTO "{sink}" SELECT id FROM whole'
    script = f"""CREATE MAPPING whole EXTERNAL NAME "{source}" (id BIGINT) TYPE Kafka;
        ALTER JOB whole SUSPEND;
        CREATE JOB whole AS {query} WHERE id > 'a';
        DROP JOB nobody;
        CREATE JOB whole AS {query};
        DESCRIBE JOB whole;
        INSERT INTO "{sink}" SELECT COUNT(*) AS n FROM whole;
        EXPLAIN {query};
        CREATE JOB other AS INSERT INTO nowhere SELECT id FROM whole;
        SHOW SNAPSHOTS"""
    (plane.folder / "whole.sql").write_text(script)
    done = jobplane(plane, "sql", "--dry-run", "-f", "whole.sql")
    said = [line for line in done.stderr.splitlines() if line.startswith(("whole.sql:", "dry run:"))]
    assert [re.sub(r"; [\d,]+ records a second.*", "", line) for line in said] == [
        "whole.sql:1: mapping 'whole': created, for the dry run only",
        "whole.sql:2: left out: ALTER JOB cannot be tried",
        "whole.sql:3: refused (type-mismatch)",
        "whole.sql:4: left out: DROP JOB cannot be tried",
        "whole.sql:5: 1 record read: 1 written, 0 filtered out, 0 skipped, 0 refused",
        (
            "whole.sql:6: left out: DESCRIBE JOB reads an object that does not exist outside the dry run "
            "(no job is called 'whole')"
        ),
        (
            "whole.sql:7: notice: a row of a group replaces the one before it by its key, and "
            f"'{sink}' is not compacted, so it keeps both; set cleanup.policy=compact for '{sink}' to keep the newest "
            "row of each group"
        ),
        "whole.sql:7: notice: each group is shown once, as if a single commit had all records",
        "whole.sql:7: 1 record read: 1 row of groups, 0 skipped, 0 late, 0 refused",
        "whole.sql:9: refused (topic-not-found)",
        "dry run: 5 tried, 2 refused, 3 left out; nothing was written",
    ]
    assert done.returncode == 4, "the code of the first refusal"
    told = rows(jobplane(plane, "sql", "--dry-run", "-o", "json", "-f", "whole.sql"))
    assert [row.get("verdict", "tried") for row in told] == [
        *("tried", None, "refused", None, "tried", None, "tried", "tried", "refused", "tried")
    ]
    alone = jobplane(plane, "sql", "--dry-run", "-e", "DROP JOB x")
    assert (alone.returncode, alone.stdout) == (0, "")
    assert alone.stderr.splitlines() == [
        "-e:1: left out: DROP JOB cannot be tried",
        "dry run: 0 tried, 0 refused, 1 left out; nothing was written",
    ]


def test_groups_are_tried_in_memory(plane: System) -> None:
    source, sink = plane.topic("grouped-in", 2), plane.topic("grouped-out", 1)
    times = {0: ("01", "09", "25", "02"), 1: ("03", "12")}
    for p, seconds in times.items():
        values = [b'{"user": "ann", "at": "2026-01-31T08:30:%sZ"}' % second.encode() for second in seconds]
        plane.produce(source, [(None, one) for one in values], partition=p)
    ordered = f"""TABLE(IMPOSE_ORDER(TABLE "{source}", DESCRIPTOR(at), INTERVAL '5' SECOND))"""
    query = f"""INSERT INTO "{sink}" SELECT user, window_end, COUNT(*) AS n
        FROM TUMBLE({ordered}, DESCRIPTOR(at), INTERVAL '10' SECOND) GROUP BY user, window_start, window_end"""
    before = everything(plane)
    done = jobplane(plane, "sql", "-e", f"EXPLAIN ANALYZE {query}")
    assert everything(plane) == before
    assert done.stdout.splitlines()[:4] == [
        "key\tvalue\tother",
        *(
            f'ann\t{{"user":"ann","window_end":"2026-01-31T08:30:{end}Z","n":{n}}}\ttimestamp = {1769848200000 + ms}'
            for end, n, ms in ((10, 3, 9_999), (20, 1, 19_999), (30, 1, 29_999))
        ),
    ]
    assert f"{source}-0@3\tLATE\tthe record is late by PT10S" in done.stdout
    silence, notice, summary = done.stderr.splitlines()
    assert silence.startswith("notice: time goes on only with records: while one partition of")
    assert notice == "notice: windows that are open are shown as if they closed now"
    assert summary.startswith("6 records read: 3 rows of groups, 0 skipped, 1 late, 0 refused; ")


def test_infer_prints_a_mapping_that_is_taken(plane: System) -> None:
    topic, sink = plane.topic("inferred", 2), plane.topic("inferred-out", 1)
    values = [b'{"id": %d, "at": "2026-01-31T08:30:00Z"}' % i for i in range(20)]
    plane.produce(topic, [(b"k", one) for one in values], partition=0)
    plane.produce(topic, [(b"k", b'{"id": 21, "note": "last"}')], partition=1)
    printed = jobplane(plane, "infer", topic, "--name", "guessed")
    assert (printed.returncode, printed.stderr) == (0, "")
    assert printed.stdout.splitlines() == [
        "-- 21 records",
        f'CREATE MAPPING guessed EXTERNAL NAME "{topic}" (',
        "    id BIGINT,",
        "    at TIMESTAMP WITH TIME ZONE, -- seen in 20 of 21 records",
        "    note VARCHAR -- seen in 1 of 21 records",
        ") TYPE Kafka OPTIONS (keyFormat 'varchar');",
    ]
    script = printed.stdout + f'INSERT INTO "{sink}" SELECT id, at, note FROM guessed;'
    tried = jobplane(plane, "sql", "--dry-run", said=script)
    assert "21 records read: 21 written" in tried.stderr
    assert jobplane(plane, "sql", said=printed.stdout).returncode == 0
    assert [row["topic"] for row in plane.rows("SHOW MAPPINGS") if row["name"] == "guessed"] == [topic]


def test_infer_says_what_it_cannot_tell(plane: System) -> None:
    empty, gone = plane.topic("infer-none", 2), plane.topic("infer-tombstones", 1)
    plane.produce(gone, [(b"k", None)])
    told = jobplane(plane, "infer", empty)
    assert (told.returncode, told.stdout) == (1, "")
    assert "has no records" in told.stderr
    told = jobplane(plane, "infer", gone)
    assert (told.returncode, told.stdout) == (1, "")
    assert "only records without a value" in told.stderr
    told = jobplane(plane, "infer", f"{empty}s")
    assert (told.returncode, told.stdout) == (3, "")
    assert f"did you mean '{empty}'?" in told.stderr


def test_a_registry_is_read_and_nothing_is_registered(plane: System, registry: SchemaRegistry) -> None:
    source, sink = plane.topic("avro-in", 1), plane.topic("avro-out", 1)
    with closing(SchemaRegistryClient({"url": registry.url})) as client:
        schema = '{"type": "record", "name": "R", "fields": [{"name": "id", "type": "long"}]}'
        number = client.register_schema(f"{source}-value", Schema(schema, "AVRO"))
        plane.produce(source, [(b"k", struct.pack(">bI", 0, number) + b"\x02"), (b"k", b"\x00\x00\x01\x00\x00\x02")])
        before = sorted(client.get_subjects())
        script = f"""
            CREATE MAPPING avros EXTERNAL NAME "{source}" TYPE Kafka OPTIONS (valueFormat 'avro');
            CREATE MAPPING out_avros EXTERNAL NAME "{sink}" (twice BIGINT) TYPE Kafka OPTIONS (valueFormat 'avro');
            INSERT INTO out_avros SELECT id * 2 FROM avros
        """
        done = jobplane(plane, "sql", "--dry-run", "-o", "json", said=script, JOBPLANE_REGISTRY_URL=registry.url)
        told = rows(done)[-1]
        assert [(row["source"], row["value"]) for row in told["rows"]] == [(f"{source}-0@0", '{"twice":2}')]
        assert [(row["source"], "no schema" in row["reason"]) for row in told["refused"]] == [(f"{source}-0@1", True)]
        assert sorted(client.get_subjects()) == before


def test_a_retry_is_tried_on_the_dead_letters_of_its_job(plane: System) -> None:
    source, sink = plane.topic("letters-in", 1), plane.topic("letters-out", 1)
    plane.produce(source, [(b"k", b'{"id": "x"}'), (b"k", b'{"id": 1}')])
    query = f'INSERT INTO "{sink}" SELECT id + 1 AS id FROM "{source}"'
    plane.done(f"CREATE JOB wrong OPTIONS (onError 'deadLetter') AS {query}")
    plane.await_values(sink, 1)
    found = Client(plane.settings).read(f"EXPLAIN ANALYZE CREATE JOB again OPTIONS (retryOf 'wrong') AS {query}")
    assert (found.about["read"], found.rows) == (1, [])
    assert [row["source"] for row in found.others["refused"].rows] == [f"{source}-0@0"]
