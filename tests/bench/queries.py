"""What a query costs without Kafka: to parse, plan and compile it, and to take a record through it."""

import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial

from confluent_kafka import Message

from jobplane.sql.codegen.compile import CompiledStep, Step, Wiring, compile_step
from jobplane.sql.plan.plan import plan
from jobplane.sql.syntax import statements
from jobplane.sql.syntax.parser import parse
from tests.bench.bench import Bench
from tests.bench.report import Row, median

COLUMNS = 200
COMPILE_MS = 100.0
RECORDS = 20_000
WIDTHS = (5, 10, 20, 40)
GROWTH = 1.25
"""How much dearer a column of the widest query may be than one of the narrowest."""
WORKS = {
    "as they are": "c{i}",
    "an operation in each": "c{i} * 2 + {i} AS d{i}",
}
WIRING = Wiring("out", 1, {"s": "s"}, {"s": 0})


def queries(bench: Bench) -> Iterator[Row]:
    for name, item in WORKS.items():
        text = _select(item, COLUMNS)
        samples = [_seconds(partial(compiled, text)) * 1000 for _ in range(bench.repeat)]
        yield median(f"compile {COLUMNS} columns, {name}", samples, "ms CPU", COMPILE_MS)
    messages = [_message(i, max(WIDTHS)) for i in range(RECORDS)]
    a_column = {}
    for width in WIDTHS:
        step = compiled(_select(WORKS["an operation in each"], width)).step
        samples = [_seconds(partial(_through, step, messages)) / RECORDS * 1e6 for _ in range(bench.repeat)]
        a_column[width] = statistics.median(samples) / width
        yield median(f"evaluate {width} columns of {max(WIDTHS)}", samples, "µs CPU a record")
    growth = a_column[max(WIDTHS)] / a_column[min(WIDTHS)]
    yield Row("evaluate: a column of the widest query to one of the narrowest", growth, "times", GROWTH)


def _select(item: str, count: int) -> str:
    items = ", ".join(item.format(i=i) for i in range(count))
    return f"CREATE JOB j AS INSERT INTO out SELECT {items} FROM s"


def compiled(text: str) -> CompiledStep:
    statement = parse(text)
    assert isinstance(statement, statements.CreateJob)
    return compile_step(plan(statement.inserts[0]), WIRING)


def _message(i: int, columns: int) -> "Message[bytes, bytes]":
    fields = ", ".join(f'"c{column}": {i + column}' for column in range(columns))
    return Message("s", 0, i, b"k", f"{{{fields}}}".encode(), None, None, (1, i))


def _through(step: Step, messages: "list[Message[bytes, bytes]]") -> None:
    step(iter(messages), _nowhere, _nowhere)


def _nowhere(*_: object) -> None:
    """Where the output goes."""


def _seconds(work: Callable[[], object]) -> float:
    """CPU seconds of this process."""
    began = time.process_time()
    work()
    return time.process_time() - began
