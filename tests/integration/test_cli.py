"""The command line as a person or a script uses it: what stands on stdout, what on stderr, and the exit code."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jobplane.controlplane.client.issuer import user_at_host
from tests.support.broker import KafkaBroker
from tests.support.system import System, jobplane, system, until


@pytest.fixture(scope="module")
def plane(broker: KafkaBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with system(broker.bootstrap, "cli.", tmp_path_factory.mktemp("cli"), hosts=1) as made:
        made.worker()
        made.topic("in", 2)
        made.topic("out", 2)
        yield made


@pytest.fixture
def create(plane: System) -> str:
    """CREATE JOB {} with a source and a sink that exist."""
    return f'CREATE JOB {{}} AS INSERT INTO "{plane.name("out")}" SELECT * FROM "{plane.name("in")}"'


def rows(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_each_statement_waits_for_its_effect(plane: System, create: str) -> None:
    steps = (
        (create.format("life"), "accepted job life RUNNING"),
        ("CREATE SNAPSHOT s FOR JOB life", "accepted snapshot s of job life"),
        ("ALTER JOB life SUSPEND", "accepted job life SUSPENDED"),
        ("ALTER JOB life RESUME", "accepted job life RUNNING"),
        ("ALTER JOB life RESTART", "accepted job life RUNNING"),
        ("DROP JOB life WITH SNAPSHOT s", "accepted job life CANCELLED"),
        ("DROP SNAPSHOT s", "accepted snapshot s"),
        ("DROP SNAPSHOT IF EXISTS s", "unchanged snapshot s: no snapshot is called 's'"),
        (f'CREATE MAPPING m EXTERNAL NAME "{plane.name("in")}" TYPE Kafka', "accepted mapping m"),
        ("DROP MAPPING m", "accepted mapping m"),
    )
    for text, said in steps:
        done = jobplane(plane, "sql", "-e", text)
        assert (done.returncode, done.stdout, done.stderr) == (0, f"{said}\n", "")


def test_a_file_ends_at_its_first_failure(plane: System, create: str) -> None:
    script = f"-- first\n{create.format('a')};\n\nDROP JOB\n  nobody;\n{create.format('b')};\n"
    (plane.folder / "script.sql").write_text(script)
    done = jobplane(plane, "sql", "-f", "script.sql")
    assert done.returncode == 3
    assert done.stdout == "accepted job a RUNNING\n"
    assert done.stderr.splitlines() == [
        "script.sql:4: refused (job-not-found)",
        "2:3 no live job is called 'nobody'",
        "  nobody",
        "  ^",
        "1 of 3 statements done, 1 not sent",
    ]
    shown = jobplane(plane, "sql", said="SHOW JOBS; DROP JOB a; SHOW JOBS")
    assert shown.returncode == 0
    assert [line.split("\t")[0] for line in shown.stdout.splitlines() if "\tRUNNING\t" in line] == ["a"]
    assert "b\t" not in shown.stdout


def test_jobs_that_follow_each_other_are_awaited_together(plane: System, create: str) -> None:
    mapping = f'CREATE MAPPING of_both EXTERNAL NAME "{plane.name("in")}" TYPE Kafka'
    script = ";\n".join([mapping, *map(create.format, "xyx"), create.format("w"), "DROP JOB x"])
    (plane.folder / "together.sql").write_text(script)
    done = jobplane(plane, "sql", "-f", "together.sql")
    assert done.returncode == 4
    assert done.stdout.splitlines() == ["accepted mapping of_both", "accepted job x RUNNING", "accepted job y RUNNING"]
    said = done.stderr.splitlines()
    assert (said[0], said[-1]) == ("together.sql:4: refused (job-exists)", "3 of 6 statements done, 2 not carried out")
    live = [job for job in plane.jobs().values() if job["name"] in ("w", "x", "y")]
    assert [(job["name"], job["status"]) for job in sorted(live, key=lambda job: job["name"])] == [
        ("x", "RUNNING"),
        ("y", "RUNNING"),
    ]
    assert jobplane(plane, "sql", "DROP JOB x; DROP JOB y; DROP MAPPING of_both").returncode == 0


def test_json_is_one_object_a_statement(plane: System, create: str) -> None:
    text = (
        f"{create.format('j')}; CREATE JOB IF NOT EXISTS {create.format('j')[11:]}; SHOW JOBS; DROP JOB j; DROP JOB j"
    )
    done = jobplane(plane, "sql", "-o", "json", "-e", text)
    created, again, shown, dropped, refused = rows(done)
    fields = ["command_id", "offset", "verdict", "code", "message", "line", "column", "notices", "job", "kind", "name"]
    assert [list(row) for row in (created, again, dropped, refused)] == [fields] * 4
    assert [row["verdict"] for row in (created, again, dropped, refused)] == [
        *("accepted", "unchanged", "accepted", "refused")
    ]
    assert created["job"] == {"name": "j", "uid": created["job"]["uid"], "status": "RUNNING"}
    assert again["job"]["uid"] == created["job"]["uid"]
    assert next(row for row in shown["rows"] if row["name"] == "j")["status"] == "RUNNING"
    assert dropped["job"]["status"] == "CANCELLED"
    assert (refused["code"], refused["line"], refused["column"], refused["job"]) == ("job-not-found", 1, 10, None)
    assert done.returncode == 3


def test_what_is_refused_before_it_is_sent_leaves_nothing_on_the_log(plane: System) -> None:
    before = plane.ends(f"{plane.prefix}commands")
    done = jobplane(plane, "sql", "-e", "CREAT JOB x", "-o", "json")
    assert rows(done)[0]["code"] == "syntax"
    assert done.returncode == 4
    assert done.stderr == (
        "-e:1: refused (syntax)\n"
        "1:1 expected ALTER, CREATE, DESCRIBE, DROP, EXPLAIN or SHOW, found 'CREAT'; did you mean CREATE?\n"
        "CREAT JOB x\n^\n"
    )
    assert plane.ends(f"{plane.prefix}commands") == before


def test_emit_appends_and_prints_the_id(plane: System) -> None:
    given = jobplane(plane, "emit", "--command-id", "mine", "DROP JOB nobody")
    assert (given.returncode, given.stdout, given.stderr) == (0, "mine\n", "")
    made = jobplane(plane, "emit", said="not SQL at all")
    sent = {dict(message.headers() or []).get("command-id"): message.value() for message in commands(plane)}
    assert sent[b"mine"] == b"DROP JOB nobody"
    assert sent[made.stdout.strip().encode()] == b"not SQL at all"
    no_wait = jobplane(plane, "sql", "--no-wait", "-o", "json", "-e", "DROP JOB nobody")
    assert (no_wait.returncode, rows(no_wait)[0]["verdict"]) == (0, None)


def test_emit_says_who_sends_and_where_the_answer_goes(plane: System) -> None:
    flags = ["--command-id", "said", "--issued-by", "night-shift", "--reply-to", "answers"]
    assert jobplane(plane, "emit", *flags, "DROP JOB IF EXISTS nobody").returncode == 0
    jobplane(plane, "emit", "--command-id", "unsaid", "DROP JOB IF EXISTS nobody")
    jobplane(plane, "emit", "--command-id", "set", "DROP JOB IF EXISTS nobody", JOBPLANE_ISSUED_BY="ci")
    headers = [dict(message.headers() or []) for message in commands(plane)]
    assert {"command-id": b"said", "issued-by": b"night-shift", "reply-to": b"answers"} in headers
    assert {"command-id": b"unsaid", "issued-by": user_at_host().encode()} in headers
    assert {"command-id": b"set", "issued-by": b"ci"} in headers


def test_a_statement_with_an_id_is_carried_out_once(plane: System, create: str) -> None:
    for said in ("accepted job own RUNNING\n", "accepted job own RUNNING\n"):
        done = jobplane(plane, "sql", "--command-id", "own-1", "-e", create.format("own"))
        assert (done.returncode, done.stdout) == (0, said)
    other = jobplane(plane, "sql", "--command-id", "own-1", "-e", "DROP JOB own")
    assert (other.returncode, "refused (command-id-reused)" in other.stderr) == (4, True)
    two = jobplane(plane, "sql", "--command-id", "own-2", "-e", "DROP JOB own; DROP JOB own")
    assert (two.returncode, "needs exactly one statement, but there are 2" in two.stderr) == (2, True)
    assert jobplane(plane, "sql", "-e", "DROP JOB own").returncode == 0


def test_the_outcome_of_what_anyone_sent(plane: System, create: str) -> None:
    jobplane(plane, "emit", "--command-id", "asked", create.format("asked"))
    told = jobplane(plane, "outcome", "asked", "-o", "json")
    assert (told.returncode, rows(told)[0]["job"]["status"]) == (0, "RUNNING")
    assert jobplane(plane, "sql", "-e", "DROP JOB asked").returncode == 0
    for known in ("asked", str(rows(told)[0]["offset"]), f"c-{rows(told)[0]['offset']}"):
        done = jobplane(plane, "outcome", known)
        assert (done.returncode, done.stdout, done.stderr) == (0, "accepted job asked RUNNING\n", "")
    jobplane(plane, "emit", "--command-id", "wrong", "DROP JUB asked")
    done = jobplane(plane, "outcome", "wrong")
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr.splitlines()[0] == "command wrong: refused (syntax)"
    assert done.stderr.splitlines()[2:] == ["DROP JUB asked", "     ^"]
    jobplane(plane, "emit", "--command-id", "broken", '{"SQL": 1}')
    done = jobplane(plane, "outcome", "broken")
    assert (done.returncode, len(done.stderr.splitlines())) == (4, 2)
    assert '"sql" is missing' in done.stderr
    gone = jobplane(plane, "outcome", "1000000")
    assert (gone.returncode, "there is no command at offset 1000000 of 'cli.commands'" in gone.stderr) == (3, True)
    never = jobplane(plane, "outcome", "never-sent", "--timeout", "0.2", "-o", "json")
    assert (never.returncode, rows(never)[0]["verdict"]) == (124, None)


def test_ctrl_c_leaves_the_statement_on_the_log_and_says_how_to_go_on(plane: System, create: str) -> None:
    words = ["sql", "--prefix", plane.prefix, "--command-id", "cut", "-e", create.format("cut")]
    environment = {**os.environ, "JOBPLANE_BOOTSTRAP": plane.bootstrap}
    worker = plane.workers[0].process
    worker.send_signal(signal.SIGSTOP)  # nobody judges it meanwhile
    try:
        command = [sys.executable, "-m", "jobplane", *words]
        with subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as waiting:
            until(lambda: ("command-id", b"cut") in (commands(plane)[-1].headers() or []), 30, "it is on the log")
            waiting.send_signal(signal.SIGINT)
            out, err = waiting.communicate(timeout=30)
    finally:
        worker.send_signal(signal.SIGCONT)
    assert (waiting.returncode, out) == (130, "")
    assert re.fullmatch(r"-e:1: interrupted.* on the log.*: jobplane outcome (\d+|cut) --prefix cli\.\n", err), (
        "offset or id, and the flag that was given"
    )
    again = jobplane(plane, "outcome", "cut")
    assert (again.returncode, again.stdout) == (0, "accepted job cut RUNNING\n")
    told = plane.rows("SHOW HISTORY FOR JOB cut")[0]
    assert told["issued_by"] == user_at_host()
    plane.done("DROP JOB cut")


def test_a_reader_that_has_gone_away_stops_no_statement(plane: System, create: str) -> None:
    gone, write = os.pipe()
    os.close(gone)
    words = ["sql", "--prefix", plane.prefix, "-e", "SHOW FUNCTIONS", "-e", create.format("unheard")]
    environment = {**os.environ, "JOBPLANE_BOOTSTRAP": plane.bootstrap}
    command = [sys.executable, "-m", "jobplane", *words]
    done = subprocess.run(command, env=environment, stdout=write, stderr=subprocess.PIPE, timeout=60, check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (0, b"")
    assert plane.jobs()["unheard"]["status"] == "RUNNING"
    plane.done("DROP JOB unheard")


def commands(plane: System) -> list[Any]:
    return plane.read(f"{plane.prefix}commands")


def test_no_answer_in_time_is_124(plane: System, create: str) -> None:
    worker = plane.workers[0].process
    worker.send_signal(signal.SIGSTOP)  # nobody judges it meanwhile
    try:
        done = jobplane(plane, "sql", "--timeout", "0.1", "-e", create.format("slow"))
    finally:
        worker.send_signal(signal.SIGCONT)
    assert done.returncode == 124
    assert done.stdout == ""
    assert re.search(r"; to continue waiting: jobplane outcome \d+\n", done.stderr)
    assert jobplane(plane, "sql", "-e", "DROP JOB IF EXISTS slow").returncode == 0


@pytest.mark.parametrize(
    ("words", "settings", "code", "said"),
    [
        (["sql", "-e", "SHOW JOBS"], {"bootstrap": "127.0.0.1:1"}, 5, r"127.0.0.1:1: the connection was refused"),
        (["emit", "DROP JOB a"], {"bootstrap": "127.0.0.1:1"}, 5, "the connection was refused"),
        (["sql", "-e", "SHOW JOBS"], {"bootstrap": "no-such-host.invalid:9092"}, 5, "host is not known"),
        (["sql", "-e", "SHOW JOBS"], {"JOBPLANE_PREFIX": "other."}, 1, "there is no topic 'other.commands'"),
        (["sql", "-e", "SHOW JOBS"], {"JOBPLANE_BOTSTRAP": "x"}, 2, "JOBPLANE_BOTSTRAP is not a setting"),
        (["sql", "-f", "no-such-file.sql"], {}, 2, "does not exist"),
        (["sqll"], {}, 2, "there is no command 'sqll'; did you mean `.* sql`\\?"),
        (["sql", "-e", "DROP JOB 'a"], {}, 4, "this string is not closed"),
    ],
)
def test_exit_codes(plane: System, words: list[str], settings: dict[str, str], code: int, said: str) -> None:
    done = jobplane(plane, *words, **settings)
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    assert re.search(said, done.stderr), done.stderr


def test_the_command_line_loads_neither_faust_nor_what_it_does_not_need(plane: System) -> None:
    script = """
import sys
from jobplane.controlplane.cli.main import main
try:
    main({words!r})
except SystemExit:
    pass
print(*sorted(name for name in {heavy!r} if name in sys.modules))
"""
    heavy = (
        *("confluent_kafka", "fastavro", "faust", "parsimonious", "regex", "rich", "tomllib"),
        *("jobplane.controlplane.cli.log", "jobplane.controlplane.cli.sql", "jobplane.controlplane.cli.topic"),
        *("jobplane.schemas.records.events", "jobplane.sql.plan", "jobplane.sql.syntax.expressions"),
    )

    def loaded(*words: str) -> str:
        command = [sys.executable, "-c", script.format(words=list(words), heavy=heavy)]
        environment = {**os.environ, "JOBPLANE_BOOTSTRAP": plane.bootstrap, "JOBPLANE_PREFIX": plane.prefix}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
        return done.stdout.splitlines()[-1]

    cli = "jobplane.controlplane.cli"
    assert loaded("--help") == f"{cli}.log {cli}.sql {cli}.topic"
    assert loaded("sql", "-e", "SHOW JOBS") == f"confluent_kafka {cli}.sql"
    assert loaded("sql", "-e", "DESCRIBE JOB none") == f"confluent_kafka {cli}.sql parsimonious regex"
    assert loaded("topic", "list") == f"confluent_kafka {cli}.topic"


def test_settings_come_from_a_file_too(plane: System, tmp_path: Path) -> None:
    (tmp_path / "jobplane.toml").write_text(f'bootstrap = "{plane.bootstrap}"\nprefix = "{plane.prefix}"\n')
    environment = {name: value for name, value in os.environ.items() if not name.startswith("JOBPLANE_")}
    command = [sys.executable, "-m", "jobplane", "sql", "-e", "SHOW SNAPSHOTS"]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (0, "name\tjob\tversion\toffsets\tstate\ttime\n")


def test_topics_are_made_written_to_and_looked_into(plane: System) -> None:
    name, other = plane.name("made"), plane.name("other")

    def topic(*arguments: str, said: str = "") -> subprocess.CompletedProcess[str]:
        return jobplane(plane, "topic", *arguments, said=said)

    def shown(*arguments: str) -> list[dict[str, Any]]:
        return rows(topic("peek", name, "-o", "json", *arguments))

    made = topic("create", name, other, "--partitions", "2")
    assert made.stdout == f"created topic {name}, 2 partitions\ncreated topic {other}, 2 partitions\n"
    again = topic("create", name)
    assert (again.returncode, again.stderr) == (
        4,
        f"error (topic-exists): topic '{name}' exists, with 2 partitions\n",
    )
    assert topic("create", name, "--if-not-exists").stdout == f"unchanged: topic {name} exists, 2 partitions\n"
    wrong = topic("create", plane.name("wrong"), "--config", "retenion.ms=1")
    assert (wrong.returncode, wrong.stderr) == (
        4,
        "error (topic-refused): 'retenion.ms' is not a setting of topics; did you mean 'retention.ms'?\n",
    )
    many = topic("create", plane.name("wrong"), "--replication-factor", "3")
    assert "cannot have 3 replicas: the cluster has 1 broker" in many.stderr

    assert (topic("peek", name).stdout, topic("peek", name).stderr) == ("", f"topic '{name}' has no records\n")
    lines = "".join(f'k{i}:{{"id": {i}}}\n' for i in range(100)) + "\nk5:-\n"
    written = topic("produce", name, "--key-separator", ":", "--null-value", "-", "--header", "a=b", said=lines)
    assert (written.stdout, written.stderr) == (f"101 records written to {name}\n", "")
    gone = next(row for row in shown("-n", "200") if row["value"] is None)
    assert (gone["key"], gone["headers"]) == ("k5", [["a", "b"]])
    assert [row["value"] for row in shown("--where", "id BETWEEN 40 AND 42")] == [{"id": i} for i in (40, 41, 42)]
    assert {row["partition"] for row in shown("-n", "200")} == {0, 1}
    in_0 = [row["offset"] for row in shown("--partition", "0", "--from", "3", "-n", "5")]
    assert in_0 == [3, 4, 5, 6, 7]
    found = topic("peek", name, "--where", "id = 99")
    assert found.stderr == "1 record found; 101 records searched, which are all\n"
    assert found.stdout.startswith("partition\toffset\ttime\tkey\tvalue\theaders\n")
    bounded = topic("peek", name, "--where", "no.id = 99", "--scan", "10", "-n", "1").stderr
    assert bounded.startswith("0 records found; 10 records searched, not all: --scan searches more\n")

    plane.done(f'CREATE MAPPING ids EXTERNAL NAME "{name}" (id BIGINT) TYPE Kafka')
    plane.done(f'CREATE JOB moves AS INSERT INTO "{other}" SELECT id FROM ids WHERE id > 98')
    columns = {"partitions": 2, "mappings": ["ids"], "format": ["json-flat"], "read_by": ["moves"], "written_by": []}
    assert rows(topic("list", name, "-o", "json")) == [{"name": name, "offsets": 101, **columns}]
    (described,) = rows(topic("describe", other, "-o", "json"))
    assert described["about"]["written_by"] == ["moves"]
    assert [(row["partition"], row["leader"]) for row in described["rows"]] == [(0, 1), (1, 1)]
    plane.done("DROP JOB moves")
    plane.done("DROP MAPPING ids")

    refused = topic("peek", name, "--where", "nope(id)")
    assert (refused.returncode, refused.stderr.splitlines()) == (
        4,
        [
            "--where: refused (unknown-function)",
            "1:1 there is no function NOPE; SHOW FUNCTIONS lists them",
            "nope(id)",
            "^",
        ],
    )
    unknown = topic("peek", name[:-1])
    assert (unknown.returncode, unknown.stderr) == (
        3,
        f"error (topic-not-found): no topic is called '{name[:-1]}'; did you mean '{name}'?\n",
    )
    assert topic("peek", name, "--partition", "2").returncode == 3
    assert topic("produce", f"{plane.prefix}commands", said="x\n").returncode == 4
