"""The guards: what nobody foresees ends one thing, under a reference that the log has too."""

import logging
import re
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from jobplane.controlplane.cli import main
from jobplane.controlplane.cli.screen.show import Display
from jobplane.controlplane.cli.sql import show_answer
from jobplane.controlplane.cli.terminal import TRACEBACK, errors
from jobplane.controlplane.core.decide import decide
from jobplane.controlplane.core.decide.reports import decide_report
from jobplane.controlplane.core.facts import Facts
from jobplane.controlplane.core.request import Request
from jobplane.controlplane.core.state import State
from jobplane.controlplane.core.step import LARGEST_EVENT, EncodedEvent, StepInput, encode_events
from jobplane.controlplane.decider.decider import Suspects
from jobplane.controlplane.decider.judge import Judge, ReceivedRecord
from jobplane.controlplane.fetch.schemas import RegistryLookup
from jobplane.controlplane.listings import rows
from jobplane.controlplane.settings import Settings
from jobplane.controlplane.topics import COMMANDS, REPORTS
from jobplane.controlplane.web.pages import guard_page, json_answer
from jobplane.controlplane.worker import worker
from jobplane.processors.evaluation.verdict import failure_of_record
from jobplane.processors.guard import Fault, fault_of
from jobplane.processors.kafka.cluster import Doubt, Message
from jobplane.schemas.changed import replace
from jobplane.schemas.errors import BadMapping, InternalError, StatementTooLarge
from jobplane.schemas.failures import BadRecord, Unreadable
from jobplane.schemas.records.events import Body, CommandRefused, CommandUnchanged
from jobplane.schemas.records.mappings import AvroSchema
from jobplane.schemas.records.reports import Report, ReportKind
from jobplane.schemas.setup_errors import NotSetUp
from jobplane.schemas.wire.codec import encode
from tests.support.plane import Plane, topic
from tests.support.subjects import Subjects

PREFIX = "jobplane."
ODD = pytest.mark.parametrize(
    "error",
    [
        TypeError("unsupported operand type(s) for |"),
        KeyError("x"),
        AttributeError("'NoneType' object has no attribute 'name'"),
        MemoryError(),
        RecursionError("maximum recursion depth exceeded"),
        UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed"),
        BadRecord("what belongs to a record"),
    ],
    ids=lambda error: type(error).__name__,
)


def command(text: str, *, fault: Fault | None = None, offset: int = 7) -> ReceivedRecord:
    headers = [("command-id", b"mine"), ("reply-to", b"replies")]
    return ReceivedRecord(COMMANDS, offset, 1_000, text.encode(), headers, fault)


def judging(
    count: Callable[[str], None],
    command: Callable[..., tuple[Body, ...]] = decide,
    report: Callable[..., tuple[Body, ...]] = decide_report,
) -> Judge:
    """A judge of which one verdict is odd."""

    def judge(state: State, given: StepInput, facts: Facts, prefix: str) -> tuple[EncodedEvent, ...]:
        if isinstance(given.content, Report):
            return encode_events(state, given, report(state, given.content, facts, given.time))
        return encode_events(state, given, command(state, given.content, facts, prefix))

    return Judge(PREFIX, count, judge)


def judged(judge: Judge, arrived: ReceivedRecord, state: State | None = None) -> list[Body]:
    case = judge.prepare(arrived, RegistryLookup(None, {}))
    known = state or State()
    case.needed_topics(known, {})
    written, _ = case.verdict(known, Facts("0a1b2c3d"))
    assert [encode(one.event) for one in written] == [one.data for one in written]
    assert all(one.event.cause.offset == arrived.offset for one in written)
    return [one.event.body for one in written]


class Faults(list[str]):
    """What met a fault, in order."""


# Judging


@ODD
def test_what_judging_raises_refuses_its_command_alone(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    def odd(*_: object) -> tuple[Body, ...]:
        raise error

    faults = Faults()
    (refused,) = judged(judging(faults.append, command=odd), command("DROP JOB a"))
    assert isinstance(refused, CommandRefused)
    assert (refused.code, refused.length) == ("internal-error", len("DROP JOB a"))
    reference = fault_of(error).reference
    assert f"{type(error).__name__}, reference {reference}" in refused.message
    assert faults == ["command"]
    assert f"command at offset 7: an unforeseen error ({type(error).__name__}, reference {reference})" in caplog.text
    assert "Traceback (most recent call last)" in caplog.text


def test_a_refusal_of_the_verdict_is_no_fault() -> None:
    def refusing(*_: object) -> tuple[Body, ...]:
        raise BadMapping("no")

    faults = Faults()
    (refused,) = judged(judging(faults.append, command=refusing), command("DROP JOB a"))
    assert isinstance(refused, CommandRefused)
    assert (refused.code, faults) == ("bad-mapping", [])


def test_a_doubt_is_the_deciders_matter() -> None:
    def doubting(*_: object) -> tuple[Body, ...]:
        raise Doubt("silence")

    with pytest.raises(Doubt):
        judged(judging(Faults().append, command=doubting), command("DROP JOB a"))


def test_the_refusal_keeps_who_sent_the_command() -> None:
    def odd(*_: object) -> tuple[Body, ...]:
        raise TypeError

    case = judging(Faults().append, command=odd).prepare(command("DROP JOB a"), RegistryLookup(None, {}))
    written, _ = case.verdict(State(), Facts(""))
    cause = written[0].event.cause
    assert (cause.command_id, cause.reply_to, cause.offset, cause.next) == ("mine", "replies", 7, 8)


def test_events_that_cannot_be_written_refuse_their_command() -> None:
    def unwritable(*_: object) -> tuple[Body, ...]:
        return CommandUnchanged("", "fine"), CommandUnchanged("", "half a pair: \ud83d")

    faults = Faults()
    (refused,) = judged(judging(faults.append, command=unwritable), command("DROP JOB a"))
    assert isinstance(refused, CommandRefused)
    assert (refused.code, faults) == ("internal-error", ["command"])


def test_events_that_no_record_holds_are_refused_with_the_remedy() -> None:
    def large(*_: object) -> tuple[Body, ...]:
        return (CommandUnchanged("", "x" * LARGEST_EVENT),)

    faults = Faults()
    (refused,) = judged(judging(faults.append, command=large), command("DROP JOB a"))
    assert isinstance(refused, CommandRefused)
    assert (refused.code, faults) == (StatementTooLarge.code, [])
    assert "read fewer topics in one job" in refused.message


def test_a_culprit_is_not_judged_again() -> None:
    def odd(state: State, request: Request, facts: Facts, prefix: str) -> tuple[Body, ...]:
        assert request.statement is None
        assert request.error is not None
        return (CommandRefused(request.error.code, request.error.message, 1, 1, 0),)

    (refused,) = judged(judging(Faults().append, odd), command("DROP JOB a", fault=Fault("KeyError", "1a2b3c4d")))
    assert isinstance(refused, CommandRefused)
    assert "KeyError, reference 1a2b3c4d" in refused.message


@ODD
def test_what_a_report_raises_drops_that_report(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    def odd(*_: object) -> tuple[Body, ...]:
        raise error

    faults = Faults()
    report = Report("uid", 0, 1, 1, ReportKind.RUNNING, "worker")
    arrived = ReceivedRecord(REPORTS, 9, 1_000, encode(report))
    assert judged(judging(faults.append, report=odd), arrived) == []
    assert faults == ["report"]
    assert "report at offset 9: an unforeseen error" in caplog.text


@pytest.mark.parametrize("value", [None, b"", b"\xc3\x01", b"\xc3\x01" + bytes(8), b"{}", bytes(range(256))])
def test_a_record_of_reports_that_is_none_says_nothing(value: bytes | None) -> None:
    faults = Faults()
    assert judged(Judge(PREFIX, faults.append), ReceivedRecord(REPORTS, 0, 0, value)) == []
    assert faults == []


def test_a_schema_with_half_a_surrogate_pair_stops_nothing() -> None:
    """The registry's text is a fact, which lands in the event: one that cannot be written is refused."""
    registry = Subjects()
    schema = '{"type": "record", "name": "R", "doc": "\ud800", "fields": [{"name": "id", "type": "long"}]}'
    registry.versions["src-value"] = [AvroSchema(schema, 1)]
    plane = Plane({name: topic(4) for name in ("src", "out")}, registry=registry)
    plane.command("CREATE MAPPING m EXTERNAL NAME src TYPE Kafka OPTIONS (valueFormat 'avro')")
    (event,) = plane.command("CREATE JOB j AS INSERT INTO out SELECT id FROM m")
    assert isinstance(event.body, CommandRefused)
    assert plane.statuses() == {}
    (event,) = plane.command("CREATE JOB j AS INSERT INTO out SELECT id FROM src")
    assert not isinstance(event.body, CommandRefused)


def test_a_job_whose_statement_this_version_refuses_hides_no_other() -> None:
    plane = Plane({name: topic(4) for name in ("src", "out")})
    for name in ("a", "b"):
        plane.command(f"CREATE JOB {name} AS INSERT INTO out SELECT id FROM src")
    odd = "INSERT INTO out SELECT id THE OLD WAY FROM src"
    job = plane.state.jobs[plane.state.names["a"]]
    plane.state.apply({("job", job.uid): replace(job, statement=f"CREATE JOB a AS {odd}")})
    assert [row["query"] for row in rows.jobs(plane.state)] == [odd, "INSERT INTO out SELECT id FROM src"]


# Records that come one at a time


def arrived(*offsets: int) -> list[ReceivedRecord]:
    return [ReceivedRecord(COMMANDS, offset, 0, b"") for offset in offsets]


def test_the_culprit_is_the_one_that_meets_the_fault_alone() -> None:
    suspects, found = Suspects(), Fault("KeyError", "1a2b3c4d")
    assert suspects.batch_size(200) == 200
    suspects.take(arrived(5, 6, 7))
    suspects.blame_batch(found)
    assert (suspects.batch_size(200), suspects.culprits) == (1, {})
    suspects.take(arrived(5))
    suspects.clear()
    suspects.take(arrived(6))
    suspects.blame_batch(found)
    assert suspects.take(arrived(6))[0].fault == found
    suspects.clear()
    assert suspects.take(arrived(7))[0].fault is None
    suspects.clear()
    assert suspects.batch_size(200) == 200


def test_a_fault_with_nothing_in_hand_accuses_nobody() -> None:
    suspects = Suspects()
    suspects.take(arrived(5))
    suspects.clear()
    suspects.blame_batch(Fault("KeyError", "1a2b3c4d"))
    assert (suspects.culprits, suspects.batch_size(200)) == ({}, 200)


# References, records


def raised_by(*keys: str) -> list[Fault]:
    nothing: dict[str, str] = {}
    found = []
    for key in keys:
        with pytest.raises(KeyError) as raised:
            nothing[key]
        found.append(fault_of(raised.value))
    return found


def test_the_same_fault_has_the_same_reference() -> None:
    one, other = raised_by("a", "b")
    assert one == other
    assert re.fullmatch("[0-9a-f]{8}", one.reference)
    assert fault_of(KeyError("a")) != one


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            TypeError("'<' not supported between instances"),
            "evaluating the record met a fault of jobplane (TypeError, ",
        ),
        (AttributeError("x"), "evaluating the record met a fault of jobplane (AttributeError, "),
        (KeyError("x"), "evaluating the record met a fault of jobplane (KeyError, "),
        (IndexError("x"), "evaluating the record met a fault of jobplane (IndexError, "),
        (MemoryError(), "evaluating the record takes more memory than is available"),
        (RecursionError("maximum recursion depth exceeded"), "the value is nested too deep to be read"),
        (ZeroDivisionError("division by zero"), "division by zero"),
        (ValueError("'x' is not a DATE"), "'x' is not a DATE"),
        (BadRecord("as it is"), "as it is"),
    ],
    ids=lambda one: type(one).__name__ if isinstance(one, Exception) else "",
)
def test_a_records_error_is_told_in_plain_words(error: Exception, words: str) -> None:
    assert failure_of_record(error, Message()).message.startswith(words)


@pytest.mark.parametrize(
    ("role", "words"),
    [
        ("value", "no; it is text: read it by valueFormat 'varchar'"),
        ("key", "no; it may be a line of CSV (with ','): declare its columns by CREATE MAPPING with keyFormat 'csv'"),
    ],
)
def test_what_cannot_be_read_is_told_with_what_it_looks_like(role: str, words: str) -> None:
    assert (
        failure_of_record(Unreadable("no", "json", of_key=role == "key"), Message(value=b"text", key=b"1,2,3")).message
        == words
    )


def test_a_message_can_always_be_written() -> None:
    assert BadRecord("cut \ud83d").message == "cut \\ud83d"
    assert str(BadRecord("cut \ud83d")) == "cut \\ud83d"
    assert InternalError("grüße, ☃ and 😀").message == "grüße, ☃ and 😀"


# The web server


@ODD
def test_a_page_that_raises_is_an_answer(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    def page() -> Any:
        raise error

    faults = Faults()
    status, kind, body = guard_page("/api/jobs", page, lambda: faults.append("page"))()
    said = msgspec.json.decode(body)
    if isinstance(error, BadRecord):  # foreseen: it has a code of its own
        assert (status, said["code"], faults) == (500, "BAD_RECORD", [])
        return
    assert (status, kind, said["code"], faults) == (500, "application/json", "internal-error", ["page"])
    assert fault_of(error).reference in said["error"]
    assert "page /api/jobs: an unforeseen error" in caplog.text


def test_a_page_says_what_is_foreseen_by_its_code() -> None:
    def doubting() -> Any:
        raise Doubt("describe_topics took more than 5 s")

    def missing() -> Any:
        raise NotSetUp("there is no topic 'jobplane.events'")

    assert guard_page("/", doubting, pytest.fail)()[0::2] == (
        503,
        b'{"error":"describe_topics took more than 5 s","code":"kafka-silent"}',
    )
    assert guard_page("/", missing, pytest.fail)()[0::2] == (
        500,
        b'{"error":"there is no topic \'jobplane.events\'","code":"not-set-up"}',
    )
    assert guard_page("/", lambda: json_answer([1]), pytest.fail)() == (200, "application/json", b"[1]")


# A worker's threads


def test_a_thread_of_a_worker_begins_its_work_anew_after_a_fault(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(worker, "AGAIN_S", 0.0)
    begun: list[str] = []

    def work() -> None:
        begun.append("work")
        if len(begun) < 3:
            raise IndexError(len(begun))

    made = worker.Worker(Settings(bootstrap="127.0.0.1:1"))
    made._guarded(work)
    assert (len(begun), made.fatal) == (3, "")
    status, _, body = made.pages["/metrics"]()
    assert (status, b'jobplane_internal_errors_total{where="worker"} 2.0' in body) == (200, True)
    assert caplog.text.count("an unforeseen error (IndexError, ") == 2


# The command line


def test_the_command_line_tells_a_fault_without_a_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def met(times: int = 0) -> str:
        with pytest.raises(SystemExit) as left, errors():
            raise KeyError(times)
        assert left.value.code == main.FAILED
        said = capsys.readouterr()
        assert said.out == ""
        return said.err

    assert re.fullmatch(
        r"error \(internal-error\): the command met a fault of jobplane \(KeyError, reference [0-9a-f]{8}\); "
        r"set JOBPLANE_TRACEBACK=1 to see where, and report it\n",
        met(),
    )
    monkeypatch.setenv(TRACEBACK, "1")
    assert met(7).startswith("Traceback (most recent call last):")


def test_an_answer_that_cannot_be_given_is_a_row_of_json_too(capsys: pytest.CaptureFixture[str]) -> None:
    def ask() -> Any:
        raise TypeError("unsupported operand type(s) for |")

    with pytest.raises(SystemExit) as left:
        show_answer(ask, "-e:1", "EXPLAIN INSERT INTO a SELECT 1 FROM b", Display("json"))
    said = capsys.readouterr()
    row = msgspec.json.decode(said.out)
    assert (row["verdict"], row["code"], left.value.code) == ("refused", "internal-error", main.FAILED)
    assert said.err.startswith("-e:1: error (internal-error): the command met a fault of jobplane (TypeError, ")
    assert "Traceback" not in said.err


def test_the_log_has_an_entry_an_error(caplog: pytest.LogCaptureFixture) -> None:
    def odd(*_: object) -> tuple[Body, ...]:
        raise TypeError

    judge = judging(Faults().append, command=odd)
    for offset in (1, 2):
        judged(judge, command("DROP JOB a", offset=offset))
    assert [one.levelno for one in caplog.records] == [logging.ERROR] * 2
    assert [f"offset {i}" in one.getMessage() for i, one in enumerate(caplog.records, 1)] == [True, True]
