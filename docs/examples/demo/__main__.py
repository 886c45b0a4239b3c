"""A shop sells 5,000 orders a second while its jobs are created, suspended, killed and replaced; then checks orders.

Exit codes: 0 every order was written exactly once and in order, 1 one was not or the check failed, 130 interrupted.
"""

import argparse
import json
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from jobplane import Client
from jobplane.controlplane.settings import Settings
from jobplane.processors.kafka.cluster import Doubt, Kafka, KafkaException, Message
from jobplane.schemas.errors import JobplaneError
from jobplane.schemas.records.state import ACCEPTED
from jobplane.sql.syntax.parser import parse

from .plane import Dev, Failed
from .proof import Record, differences
from .readers import Watch, read_all
from .screen import Screen
from .shop import Shop

SOURCE, SINK, BIG, PARTITIONS = "my_source_topic", "my_sink_topic", "big_orders", 4
RATE, SELLING_S = 5_000, 20.0
STATEMENT_S, TAKEOVER_S, CATCH_UP_S = 30.0, 30.0, 20.0
SHOWN_DIFFERENCES = 10

COPY_ALL = f"""\
CREATE JOB myJob
OPTIONS (processingGuarantee 'exactlyOnce', snapshotIntervalMillis '5000', metricsEnabled 'true')
AS INSERT INTO {SINK} SELECT * FROM {SOURCE}"""
QUERY = f"INSERT INTO {BIG} SELECT id, user, amount * 2 AS doubled FROM {SOURCE} WHERE amount > 50"

NEXT = """\
Next:
  .venv/bin/jobplane dev                     the same Kafka and worker, to keep; then, from another terminal:
  .venv/bin/jobplane sql "SHOW JOBS"         and every other statement
  README.md                                  what else there is"""


@dataclass(frozen=True, slots=True)
class Play:
    """Runs statements and kills hosts while the shop sells."""

    dev: Dev
    client: Client
    screen: Screen
    shop: Shop
    watch: Watch
    opened: float

    def run(self, sql: str) -> None:
        """Append a statement to the command log and wait for its effect. Raises Failed if the effect does not come."""
        self.screen.say(f"> {sql}")
        began = time.monotonic()
        result = self.client.execute(sql, parse(sql), STATEMENT_S)
        took, reply = time.monotonic() - began, result.reply
        if reply is None or result.timed_out:
            raise Failed(f"not done within {STATEMENT_S:g} s")
        if reply.verdict != ACCEPTED or result.failure:
            raise Failed(f"{reply.verdict}: {reply.message or result.failure}")
        self.screen.say(f"  {reply.verdict}, done in {took:.2f} s: {reply.name} is {result.status}")

    def until(self, condition: Callable[[], bool], limit: float) -> bool:
        """Whether the condition became true in time; shows the progress. Raises Failed if it can no longer do so."""
        deadline = time.monotonic() + limit
        while not (true := condition()) and time.monotonic() < deadline:
            self.dev.check()
            if self.shop.error:
                raise Failed(self.shop.error)
            seen = self.watch.seen
            self.screen.progress(f"{self.shop.sent:,} orders sent; in {SINK} {seen[SINK]:,}, in {BIG} {seen[BIG]:,}")
            time.sleep(0.1)
        return true

    def at(self, seconds: float) -> None:
        """Waits until the shop has been open for this many seconds."""
        self.until(lambda: False, self.opened + seconds - time.monotonic())

    def kill(self) -> None:
        """Sends SIGKILL to a task host; returns when all its tasks have committed in other hosts."""
        killed = self.dev.kill_a_host()
        tasks = Counter(task["job"] for task in killed["tasks"])
        named = " and ".join(f"{count} of {job}" for job, count in sorted(tasks.items()))
        self.screen.say(f"! SIGKILL to task host {killed['pid']}, in the middle of its tasks: {named}")
        began = time.monotonic()
        if not self.until(lambda: self.dev.took_over(killed), TAKEOVER_S):
            raise Failed(f"its tasks do not run elsewhere after {TAKEOVER_S:g} s")
        self.screen.say(f"  taken over by other hosts, and committing again after {time.monotonic() - began:.1f} s")


def play(dev: Dev, screen: Screen) -> None:
    """Runs the whole demonstration. Raises Failed if a result is wrong."""
    kafka, client = Kafka(dev.bootstrap), Client(Settings(bootstrap=dev.bootstrap))
    for topic in (SOURCE, SINK, BIG):
        kafka.create(topic, PARTITIONS, 1, {})
    screen.say(f"the shop opens: {RATE:,} orders a second into {SOURCE}, for {SELLING_S:g} s")
    with (
        closing(Watch(kafka, (SINK, BIG), PARTITIONS)) as watch,
        closing(Shop(kafka, SOURCE, RATE)) as shop,
    ):
        it = Play(dev, client, screen, shop, watch, time.monotonic())
        it.run(COPY_ALL)
        it.run(f"CREATE JOB big AS {QUERY}")
        it.at(4)
        it.run("ALTER JOB big SUSPEND")
        it.at(6)
        it.run("ALTER JOB big RESUME")
        it.at(8)
        it.run("CREATE SNAPSHOT backup FOR JOB myJob")
        it.at(11)
        it.kill()
        it.at(16)
        it.run("DROP JOB big WITH SNAPSHOT so_far")
        it.run(f"CREATE JOB big_again OPTIONS (initialSnapshotName 'so_far')\nAS {QUERY}")
        it.at(SELLING_S)
        shop.close()
        orders = read_all(kafka, SOURCE, PARTITIONS)
        if shop.error or len(orders) != shop.sent:
            raise Failed(shop.error or f"{SOURCE} has {len(orders)} orders, {shop.sent} were acknowledged")
        screen.say(f"the shop closes: {shop.sent:,} orders were sent and acknowledged")
        copies, doubles = [as_it_is(order) for order in orders], list(doubled(orders))
        it.until(lambda: watch.seen[SINK] >= len(copies) and watch.seen[BIG] >= len(doubles), CATCH_UP_S)
        it.run("DROP JOB myJob")
        it.run("DROP JOB big_again")
    screen.say("no job is left to write anything; a read_committed consumer that starts anew finds:")
    found = read_all(kafka, SINK, PARTITIONS)
    held = prove(screen, SINK, "key, value and timestamp byte for byte", copies, map(as_it_is, found))
    aborted = len(read_all(kafka, SINK, PARTITIONS, committed=False)) - len(found)
    screen.say(
        f"  ({aborted:,} more lie there, which it does not see: the killed host wrote, but never committed them)"
    )
    results = read_all(kafka, BIG, PARTITIONS)
    held &= prove(screen, BIG, "what the query makes of those over 50", doubles, map(as_json, results))
    if not held:
        raise Failed("not every order came out exactly once and in order")


def prove(screen: Screen, topic: str, what: str, wanted: Sequence[Record], found: Iterable[Record]) -> bool:
    """Prints whether a topic has exactly the expected records, and returns it."""
    wrong = differences(wanted, found)
    if not wrong:
        screen.say(f"  in {topic} {len(wanted):,} of {len(wanted):,} orders, exactly once, in order per key: {what}")
        return True
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in Counter(one.kind for one in wrong).most_common())
    told = [f"  in {topic} NOT the {len(wanted):,} orders there should be: {kinds}"]
    screen.say("\n".join([*told, *(f"    {one}" for one in wrong[:SHOWN_DIFFERENCES])]))
    return False


def as_it_is(message: Message) -> Record:
    return Record(message.key() or b"", (message.partition(), message.value()), message.timestamp()[1])


def as_json(message: Message) -> Record:
    """A record that is compared by the fields of its JSON."""
    return _record(message, json.loads(message.value() or b""))


def doubled(messages: Iterable[Message]) -> Iterable[Record]:
    """The records that `QUERY` should write for the orders."""
    for message in messages:
        order = json.loads(message.value() or b"")
        if order["amount"] > 50:
            yield _record(message, {"id": order["id"], "user": order["user"], "doubled": order["amount"] * 2})


def _record(message: Message, fields: dict[str, object]) -> Record:
    value = (message.partition(), *sorted(fields.items()))
    return Record(message.key() or b"", value, message.timestamp()[1])


def attempt(dev: Dev, screen: Screen) -> int:
    """Runs the demonstration, prints its result, and returns the exit code."""
    try:
        screen.say("starting `jobplane dev`: a Kafka and a worker of its own, on free ports")
        dev.wait_ready()
        screen.say(f"ready: Kafka at {dev.bootstrap}, the worker at {dev.web}")
        play(dev, screen)
    except KeyboardInterrupt:
        screen.say("interrupted; stopping everything")
        return 130
    except (Failed, Doubt, JobplaneError, KafkaException, OSError) as failed:
        screen.say(f"failed: {failed}\n{dev.logs()}")
        return 1
    screen.say("Everything held.")
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m docs.examples.demo", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--keep", action="store_true", help="leave data and logs where they are")
    keep = parser.parse_args().keep
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # SIGTERM ends it in order, as Ctrl-C does
    folder = Path(tempfile.mkdtemp(prefix="jobplane-demo-"))
    with Screen() as screen, closing(Dev(folder)) as dev:
        code = attempt(dev, screen)
        screen.progress("stopping")
    if keep or code == 1:
        print(f"Data and logs are kept; `.venv/bin/jobplane dev --data {folder}` goes on with them.")
    else:
        shutil.rmtree(folder)
    if code == 0:
        print(NEXT)
    return code


if __name__ == "__main__":
    sys.exit(main())
