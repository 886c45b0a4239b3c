"""The only module that uses faust: three agents and a web server. Faust assigns partitions; our clients read them.

decide      the worker that has its partition runs the decider
fold        the worker that has its partition folds `events` into the live view that the web server shows
run_tasks   the workers that have its partitions run the tasks of these partitions

The agents hold partitions, and receive no record: Faust needs more time for one than the decider for its decision.
"""

import asyncio
import logging
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import faust
from faust.transport.drivers.aiokafka import Consumer, ConsumerRebalanceListener, Transport
from faust.web import Request, Response, View

from jobplane.controlplane.settings import Settings
from jobplane.controlplane.topics import COMMANDS, EVENTS, TASKS
from jobplane.controlplane.web.pages import Page
from jobplane.processors.kafka.security import security

LOG = logging.getLogger("jobplane.agents")
SPARING_S = 10.0
NEVER_S = 1e9
"""A consumer that takes no records for this long leaves its group: ours takes none."""
_CHATTY = (
    "aiokafka",
    "aiokafka.cluster",
    "aiokafka.conn",
    "aiokafka.consumer.fetcher",
    "aiokafka.consumer.group_coordinator",
)


class Work(Protocol):
    """What the agents call."""

    pages: Mapping[str, Page]

    def assigned(self, partitions: frozenset[tuple[str, int]]) -> None: ...
    def start(self) -> None: ...
    def close(self) -> None: ...


class Sparing(logging.Filter):
    """Passes each message once in ten seconds: without a broker, Faust's Kafka client logs twenty a second."""

    def __init__(self) -> None:
        super().__init__()
        self._last: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to log the record."""
        due = record.created - self._last.get(record.msg, 0.0) >= SPARING_S
        if due:
            self._last[record.msg] = record.created
        return due


class _Listener(ConsumerRebalanceListener):
    """Pauses what is assigned, in the thread of the consumer: nothing is fetched."""

    async def on_partitions_assigned(self, assigned: Iterable[Any]) -> None:
        assigned = list(assigned)
        self._thread._ensure_consumer().pause(*assigned)
        await super().on_partitions_assigned(assigned)


class _Consumer(Consumer):
    RebalanceListener = _Listener

    def _get_active_partitions(self) -> set[Any]:
        """None: Faust would look every second for records that it has fetched."""
        return set()

    def verify_event_path(self, now: float, tp: Any) -> None:
        """Faust would report that the agents receive nothing."""


class _Transport(Transport):
    Consumer = _Consumer


def build(settings: Settings, name: str, work: Work) -> faust.App:
    """The Faust application of one worker; `name` is its client id, unique in the group."""
    prefix = settings.prefix
    url = "kafka://" + ";kafka://".join(settings.bootstrap.split(","))
    app = faust.App(
        group_id(prefix),
        broker=url,
        broker_client_id=name,
        broker_session_timeout=settings.session_timeout,
        broker_heartbeat_interval=settings.session_timeout / 6,
        broker_max_poll_interval=NEVER_S,
        broker_credentials=_credentials(settings.kafka),
        consumer_auto_offset_reset="latest",  # Faust only assigns partitions; the past is in `state`, and may be long
        topic_disable_leader=True,
        topic_allow_declare=False,
        key_serializer="raw",
        value_serializer="raw",
        datadir=settings.data,
        web_enabled=True,
        web_host=settings.web_host,
        web_bind=settings.web_host,
        web_port=settings.web_port,
        worker_redirect_stdouts=False,
        stream_wait_empty=False,
    )
    app.transport = _Transport(app.conf.broker_consumer, app, loop=app.loop)

    @app.agent(app.topic(f"{prefix}{COMMANDS}"), name="decide")
    async def decide(stream: Any) -> None:
        async for _ in stream:
            pass

    @app.agent(app.topic(f"{prefix}{TASKS}"), name="run_tasks")
    async def run_tasks(stream: Any) -> None:
        async for _ in stream:
            pass

    @app.agent(app.topic(f"{prefix}{EVENTS}"), name="fold")
    async def fold(stream: Any) -> None:
        async for _ in stream:
            pass

    @app.on_partitions_assigned.connect  # type: ignore[arg-type]  # its type says None where it awaits
    async def on_assigned(_: Any, /, assigned: set[Any], **__: Any) -> None:
        work.assigned(frozenset((at.topic, at.partition) for at in assigned))

    @app.task  # type: ignore[untyped-decorator]
    async def on_started() -> None:
        work.start()

    @app.on_before_shutdown.connect  # type: ignore[arg-type]  # as above
    async def on_shutdown(_: Any, /, **__: Any) -> None:
        await asyncio.to_thread(work.close)

    for path, page in work.pages.items():
        _page(app, path, page)
    return app


def group_id(prefix: str) -> str:
    """The consumer group of all workers of a prefix."""
    return f"{prefix}workers"


def _page(app: faust.App, path: str, page: Page) -> None:
    async def answer(view: View, request: Request) -> Response:
        status, content_type, body = await asyncio.to_thread(page)
        return view.bytes(body, content_type=content_type, status=status)

    answer.__name__ = f"page{path.replace('/', '_')}"
    app.page(path)(answer)


def _credentials(kafka: Mapping[str, str]) -> Any:
    """Faust's credentials from the librdkafka security properties; None for plain text."""
    given = security(kafka)
    context = given.get("ssl_context")
    if "sasl_mechanism" in given:
        return faust.SASLCredentials(
            username=given["sasl_plain_username"],
            password=given["sasl_plain_password"],
            mechanism=given["sasl_mechanism"],
            ssl_context=context,
        )
    return faust.SSLCredentials(context) if context else None


def run(app: faust.App) -> None:
    """Runs until SIGINT or SIGTERM, then raises SystemExit."""
    for name in _CHATTY:
        logging.getLogger(name).addFilter(Sparing())
    worker = faust.Worker(app, loglevel="warning", redirect_stdouts=False, quiet=True)
    worker.spinner = None  # Faust would write it to pipes and files too
    worker.execute_from_commandline()
