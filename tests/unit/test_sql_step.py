"""The contract of a compiled step with the loop that calls it."""

import sys
from operator import length_hint
from typing import Any

import pytest
from confluent_kafka import Message, Producer

from jobplane.schemas.failures import BadRecord
from jobplane.sql.codegen.compile import CompiledStep, Wiring, compile_step
from jobplane.sql.plan.plan import plan
from jobplane.sql.syntax import statements
from jobplane.sql.syntax.parser import parse

W2 = "SELECT id, user, amount * 2 AS doubled FROM s WHERE amount > 50"


def compiled(query: str, *, mirror: int = 0) -> CompiledStep:
    statement = parse(f"CREATE JOB j AS INSERT INTO out {query}")
    assert isinstance(statement, statements.CreateJob)
    return compile_step(plan(statement.inserts[0]), Wiring("out", 1, {"s": "s"}, {"s": mirror}))


def message(
    value: bytes | None, *, headers: list[tuple[str, str | bytes | None]] | None = None
) -> "Message[bytes, bytes]":
    return Message("s", 3, 7, b"key", value, headers, None, (1, 1234))


def run(step: CompiledStep, *messages: "Message[bytes, bytes]") -> tuple[list[tuple[Any, ...]], tuple[int, int]]:
    produced: list[tuple[Any, ...]] = []

    def never(*_: Any) -> None:
        raise AssertionError("the queue is never full here")

    counts = step.step(iter(messages), lambda *record: produced.append(record), never)
    return produced, counts


@pytest.mark.parametrize(("mirror", "partition"), [(sys.maxsize, 3), (4, 3), (3, -1), (0, -1)])
@pytest.mark.parametrize("query", ["SELECT * FROM s", "SELECT * FROM s WHERE a = 1"])
def test_star_copies_everything(query: str, mirror: int, partition: int) -> None:
    """A partition added to the source has no counterpart in a sink that mirrors the others."""
    headers: list[tuple[str, str | bytes | None]] = [("h", b"1"), ("h", None)]
    produced, counts = run(compiled(query, mirror=mirror), message(b'{ "a":1 }', headers=headers))
    assert produced == [("out", b'{ "a":1 }', b"key", partition, None, None, 1234, headers)]
    assert counts == (1, 0)


def test_a_projection_keeps_key_and_timestamp_and_goes_by_key() -> None:
    produced, counts = run(compiled("SELECT a FROM s", mirror=sys.maxsize), message(b'{"a":1}', headers=[("h", b"1")]))
    assert produced == [("out", b'{"a":1}', b"key", -1, None, None, 1234)]
    assert counts == (1, 0)


def test_counts() -> None:
    messages = [message(v) for v in (b'{"amount": 60}', None, b'{"amount": 1}', None, b'{"amount": 70}')]
    produced, counts = run(compiled(W2), *messages)
    assert len(produced) == 2
    assert counts == (2, 2)


def test_a_full_queue_is_the_callers_and_each_record_goes_out_once() -> None:
    out: list[tuple[Any, ...]] = []
    calls = 0

    def produce(*record: Any) -> None:
        nonlocal calls
        calls += 1
        if calls % 2:
            raise BufferError
        out.append(record)

    messages = [message(b'{"amount": %d}' % amount) for amount in (60, 70, 80)]
    counts = compiled(W2).step(iter(messages), produce, lambda *record: out.append(record))
    assert [record[1] for record in out] == [b'{"id":null,"user":null,"doubled":%d}' % d for d in (120, 140, 160)]
    assert {record[2:] for record in out} == {(b"key", -1, None, None, 1234)}
    assert counts == (3, 0)


@pytest.mark.parametrize(
    ("query", "culprit"),
    [
        (W2, b'{"amount": "60"}'),
        (W2, b"{"),
        (W2, b'{"amount": 1e308}'),
        (W2, b'{"amount": ' + b"1" * 5000 + b"}"),
        ("SELECT amount / (amount - 1) AS x FROM s", b'{"amount": 1}'),
        ("SELECT amount * 0.5 AS x FROM s", b'{"amount": ' + b"1" * 400 + b"}"),
        ("SELECT * FROM s WHERE a = b", b'{"a": 1, "b": "x"}'),
        ("SELECT a FROM s", b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
        ("SELECT *, 1 AS one FROM s", b"[]"),
    ],
)
def test_the_culprit_is_found_by_what_is_left(query: str, culprit: bytes) -> None:
    good = b'{"amount": null, "a": null}'
    messages = [message(v) for v in (good, good, culprit, good)]
    left = iter(messages)
    with pytest.raises(BadRecord):
        compiled(query).step(left, lambda *_: None, lambda *_: None)
    assert len(messages) - length_hint(left) - 1 == 2


def test_what_produce_raises_is_not_the_records_fault() -> None:
    def produce(*_: Any) -> None:
        raise TypeError("no such thing")

    with pytest.raises(TypeError, match="no such thing"):
        compiled(W2).step(iter([message(b'{"amount": 60}')]), produce, produce)


def test_the_real_producer_takes_these_arguments() -> None:
    producer = Producer({"bootstrap.servers": "127.0.0.1:1", "log_level": 0})
    messages = [message(b'{"amount": 60}'), message(None), message(b'{"amount": 60}', headers=[("h", b"1")])]
    for query, counts in (("SELECT * FROM s", (3, 0)), (W2, (2, 1))):
        assert compiled(query).step(iter(messages), producer.produce, producer.produce) == counts
    producer.purge()


@pytest.mark.parametrize("name", ["class", "a b", "é😀", "f0", "a'); import os #", "None", "\u2028"])
def test_any_name_is_a_column(name: str) -> None:
    step = compiled(f'SELECT "{name}" + 1 AS "{name}" FROM s WHERE "{name}" > 0')
    produced, _ = run(step, message(f'{{"{name}": 1}}'.encode()))
    assert produced[0][1] == f'{{"{name}":2}}'.encode()


def test_text_is_never_code() -> None:
    evil = "x); import os; ("
    step = compiled(f'SELECT \'{evil}\' AS "{evil}", "y{evil}" FROM s WHERE "y{evil}" <> \'{evil}\n#\n\'')
    code = "\n".join(line for line in step.source.splitlines() if not line.startswith("#"))
    assert "import" not in code
    assert all(line.startswith(("#", " ", "def step(")) for line in step.source.splitlines())


def test_the_source_says_what_its_names_mean() -> None:
    source = compiled(W2).source
    assert "if f0 is None or not (f0 > k0):" in source
    for line in ("# topic = 'out'", "# f0 = 'amount', NUMBER", "# output 2 = 'doubled'", "# k0 = 50"):
        assert line in source.splitlines()
