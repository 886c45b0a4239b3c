"""What reaches a terminal, and with which exit code: names hold any sign, and disks are full."""

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from jobplane.controlplane.cli import sql
from jobplane.controlplane.cli.main import main
from jobplane.controlplane.cli.screen import outcomes
from jobplane.controlplane.cli.screen.show import Display
from jobplane.controlplane.cli.terminal import errors
from jobplane.controlplane.client.result import Result, Sent
from jobplane.controlplane.listings.rows import Listing, Screen
from jobplane.controlplane.query.dead_letters import DeadLetter, lines_of
from jobplane.schemas.errors import JobNotFound, Refused, TopicExists
from jobplane.schemas.records.state import Answer
from jobplane.schemas.setup_errors import BeyondTheEnd, NotSetUp
from jobplane.sql.syntax.parser import parse, split_statements
from jobplane.sql.syntax.refusals.diagnostics import caret
from jobplane.sql.syntax.statements import CreateJob

NOWHERE = {"JOBPLANE_BOOTSTRAP": "127.0.0.1:1"}
ODD = 'a\nb\x1b[31mred"'
CREATE = f"""CREATE JOB "{ODD.replace(chr(34), chr(34) * 2)}" AS INSERT INTO t SELECT * FROM s"""


def answer(verdict: str, message: str = "") -> Answer:
    return Answer("x", "", 1, 1, verdict, "job-exists", message, 1, 1, (ODD,), "", ODD)


@pytest.mark.parametrize(
    "result",
    [
        Result(Sent("x", 1), answer("accepted"), "SUSPENDED", ODD),
        Result(Sent("x", 1), answer("accepted"), "SUSPENDED", timed_out=True),
        Result(Sent("x", 1), answer("refused", ODD)),
    ],
)
def test_no_name_commands_the_terminal(result: Result, capsys: pytest.CaptureFixture[str]) -> None:
    way = outcomes.RunOptions(0, False, "", 1.0, Display("text"), {})
    with pytest.raises(SystemExit):
        outcomes.print_result(result, "SQL:1", "DROP JOB a", way)
    said = capsys.readouterr().err
    assert "\x1b" not in said
    assert r"a\nb\x1b[31mred" in said
    assert not any(line.startswith("b") for line in said.splitlines())


def test_errors_quote_names_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit), errors():
        raise NotSetUp(f"there is no '{ODD}'")
    assert capsys.readouterr().err == "error (not-set-up): there is no 'a\\nb\\x1b[31mred\"'\n"
    assert caret("SHOW", Refused("x").place, ODD).splitlines()[0] == '1:1 a\\nb\\x1b[31mred"'


def test_show_create_job_in_a_pipe_creates_the_same_job(capsys: pytest.CaptureFixture[str]) -> None:
    listing = Listing(("statement",), [{"statement": CREATE}], screen=Screen.STATEMENT)
    Display("text").show(listing)
    [(_, again)] = split_statements(capsys.readouterr().out)
    created = parse(again)
    assert isinstance(created, CreateJob)
    assert (again, created.name.text) == (CREATE, ODD)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (JobNotFound("x"), 3),
        (BeyondTheEnd("x"), 3),
        (TopicExists("x"), 4),
        (NotSetUp("x"), 1),
        (OSError(28, "No space left on device"), 1),
    ],
)
def test_exit_codes_are_those_of_the_error(error: Exception, code: int) -> None:
    with pytest.raises(SystemExit) as end, errors():
        raise error
    assert end.value.code == code


def test_all_statements_are_parsed_before_the_first_is_sent() -> None:
    words = ["sql", "SHOW JOBS; DROP JOB a;\nDROP JOB b; DROP IT c", "--timeout", "1"]
    done = CliRunner().invoke(main, words, env=NOWHERE)
    assert (done.exit_code, done.stdout) == (4, "")
    assert done.stderr.startswith("SQL:2: refused (syntax)\n")
    assert done.stderr.endswith("\nnone of 4 statements was sent\n")


def test_a_run_that_fails_says_how_far_it_came(capsys: pytest.CaptureFixture[str]) -> None:
    for code, said in ((4, "2 of 4 statements done, 1 not sent\n"), (130, "")):
        with pytest.raises(SystemExit), sql._count_on_failure(2, 4, "done"):
            sys.exit(code)
        assert capsys.readouterr().err == said


FULL = Path("/dev/full")


@pytest.mark.skipif(not FULL.exists(), reason="the system has no /dev/full")
@pytest.mark.parametrize("words", [["--help"], ["sql", "--help"], ["help", "topic"], ["--version"]])
def test_a_full_disk_is_one_line(words: list[str]) -> None:
    with FULL.open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "jobplane", *words],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (done.returncode, done.stderr) == (1, "error: no space left on device\n")


def letter(key: bytes | None, value: bytes | None, *headers: tuple[str, bytes | None]) -> DeadLetter:
    return DeadLetter(
        "3@17", 1_795_871_839_302, "orders-0@5", "bad-record", "is\x1b[31m no number", key, value, headers
    )


def test_a_dead_letter_whole() -> None:
    assert lines_of(letter(None, b"{\n}")) == [
        "letter   3@17",
        "time     2026-11-28T13:17:19.302+00:00",
        "source   orders-0@5",
        "code     bad-record",
        "reason   is\\x1b[31m no number",
        "key      NULL",
        "value    {\n}",
    ]
    assert lines_of(letter(b"k", None, ("a", b"x"), ("b", None)))[-3:] == [
        "key      k",
        "headers  a = x, b = NULL",
        "value    NULL",
    ]


def test_a_dead_letter_is_named_by_its_place() -> None:
    done = CliRunner().invoke(main, ["deadletters", "show", "big", "x"])
    assert (
        done.exit_code,
        "'x' is not a dead letter; write its partition and offset, such as 3@17" in done.stderr,
    ) == (2, True)
