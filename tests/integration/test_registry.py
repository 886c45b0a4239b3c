"""A real schema registry: what is asked of it, what it refuses, and what is said where it does not answer."""

import json
import os
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.schema_registry import Schema, SchemaReference, SchemaRegistryClient

from jobplane.controlplane.ports import free_port
from jobplane.processors.kafka.cluster import Doubt
from jobplane.processors.registry.client import TIMEOUT_S, Registry, registry_of
from jobplane.schemas.errors import SchemaIncompatible
from jobplane.schemas.failures import BadRecord
from jobplane.schemas.records.mappings import AvroSchema
from jobplane.schemas.setup_errors import BadSetting
from tests.support.broker import KafkaBroker
from tests.support.registry import SchemaRegistry


def record(kind: str, name: str = "Order", more: str = "") -> str:
    return f'{{"type": "record", "name": "{name}", "fields": [{{"name": "id", "type": "{kind}"}}{more}]}}'


OPTIONAL = ', {"name": "name", "type": ["null", "string"], "default": null}'


Made = Callable[..., Registry]


@pytest.fixture
def made(registry: SchemaRegistry) -> Iterator[Made]:
    """Makes registries that are closed at the end; without properties, that of the session."""
    all_made: list[Registry] = []

    def make(**properties: str) -> Registry:
        all_made.append(
            Registry({"url": registry.url} | {name.replace("_", "."): one for name, one in properties.items()})
        )
        return all_made[-1]

    yield make
    for one in all_made:
        one.close()


@pytest.fixture
def asked(made: Made) -> Registry:
    return made()


@pytest.fixture
def client(registry: SchemaRegistry) -> Iterator[SchemaRegistryClient]:
    made = SchemaRegistryClient({"url": registry.url})
    yield made
    made.close()


def test_what_is_registered_is_found_by_number_and_by_subject(asked: Registry, prefix: str) -> None:
    assert asked.latest(f"{prefix}value") is None
    first = asked.register(f"{prefix}value", record("long"))
    assert first == AvroSchema(record("long"), first.id)
    assert first.id > 0
    assert asked.register(f"{prefix}value", record("long")) == first
    second = asked.register(f"{prefix}value", record("long", more=OPTIONAL))
    newest = asked.latest(f"{prefix}value")
    assert newest is not None
    assert (newest.id, json.loads(newest.text)) == (second.id, json.loads(second.text))
    assert json.loads(asked.schema(first.id)) == json.loads(record("long"))


def test_a_version_that_others_register_is_seen_at_once(
    asked: Registry, client: SchemaRegistryClient, prefix: str
) -> None:
    for text in (record("long"), record("long", more=OPTIONAL)):
        number = client.register_schema(f"{prefix}value", Schema(text, "AVRO"))
        newest = asked.latest(f"{prefix}value")
        assert newest is not None
        assert newest.id == number


def test_what_does_not_fit_the_rule_of_its_subject_is_refused(
    asked: Registry, client: SchemaRegistryClient, prefix: str
) -> None:
    asked.register(f"{prefix}value", record("long"))
    client.set_compatibility(f"{prefix}value", "BACKWARD")
    with pytest.raises(SchemaIncompatible) as refused:
        asked.register(f"{prefix}value", record("string"))
    assert f"'{prefix}value'" in refused.value.message
    assert "use another subject" in refused.value.message
    newest = asked.latest(f"{prefix}value")
    assert newest is not None
    assert json.loads(newest.text) == json.loads(record("long"))


def test_what_is_not_there_is_told_from_what_cannot_be_used(
    asked: Registry, client: SchemaRegistryClient, prefix: str
) -> None:
    with pytest.raises(BadRecord, match="has no schema 99999"):
        asked.schema(99999)
    client.register_schema(f"{prefix}inner", Schema(record("long", "Inner"), "AVRO"))
    text = '{"type": "record", "name": "Outer", "fields": [{"name": "inner", "type": "Inner"}]}'
    outer = Schema(text, "AVRO", [SchemaReference("Inner", f"{prefix}inner", 1)])
    number = client.register_schema(f"{prefix}outer", outer)
    with pytest.raises(BadRecord, match="without references"):
        asked.schema(number)


def test_threads_share_it(asked: Registry, prefix: str) -> None:
    found: list[AvroSchema] = []
    threads = [
        threading.Thread(target=lambda: found.append(asked.register(f"{prefix}value", record("long"))))
        for _ in range(8)
    ]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len(found) == 8
    assert len({one.id for one in found}) == 1


def test_one_that_comes_back_is_asked_again(asked: Registry, registry: SchemaRegistry) -> None:
    assert asked.latest("x") is None
    registry.kill()
    try:
        for _ in range(2):
            with pytest.raises(Doubt, match=rf"the schema registry {registry.url} does not answer: .*refused"):
                asked.latest("x")
    finally:
        registry.start()
    assert asked.latest("x") is None


def test_one_that_accepts_and_says_nothing_is_doubt_in_time(made: Made) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        asked = made(url=f"http://127.0.0.1:{silent.getsockname()[1]}")
        answer: list[Exception] = []

        def ask() -> None:
            try:
                asked.latest("x")
            except Doubt as doubt:
                answer.append(doubt)

        thread = threading.Thread(target=ask)
        thread.start()
        thread.join(TIMEOUT_S + 2)
        assert "does not answer" in str(answer[0])


@contextmanager
def answering(status: int, body: str, certificate: Path | None = None) -> Iterator[tuple[int, list[dict[str, str]]]]:
    """A server that has one answer to everything: its port, and the headers of what was asked."""
    heard: list[dict[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.append(dict(self.headers))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: Any) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Handler)
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port, heard
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (
            401,
            '{"error_code": 401, "message": "Unauthorized"}',
            r"does not let this worker in \(HTTP 401\): Unauthorized; .*basic\.auth",
        ),
        (403, "<html>no</html>", r"does not let this worker in \(HTTP 403\); check"),
        (404, "<html>nothing here</html>", "there is no schema registry at .*check the path"),
        (500, '{"error_code": 50001, "message": "the store is away"}', r"fails \(HTTP 500\): the store is away"),
        (200, "<html>welcome</html>", "is not a schema registry; check the url"),
        (200, "{}", "is not a schema registry; check the url"),
        (200, "[]", "is not a schema registry; check the url"),
    ],
)
def test_every_other_answer_is_doubt_that_says_what_to_look_at(
    made: Made, status: int, body: str, message: str
) -> None:
    with answering(status, body) as (port, _):
        asked = made(url=f"http://127.0.0.1:{port}")
        for ask in (lambda: asked.latest("x"), lambda: asked.schema(1)):
            with pytest.raises(Doubt, match=message):
                ask()


@pytest.mark.parametrize(
    ("properties", "sent"),
    [
        ({"basic_auth_user_info": "user:secret"}, "Basic dXNlcjpzZWNyZXQ="),
        ({"bearer_auth_token": "secret"}, "Bearer secret"),
    ],
)
def test_credentials_are_sent_and_never_shown(made: Made, properties: dict[str, str], sent: str) -> None:
    with answering(401, '{"error_code": 401, "message": "no"}') as (port, heard):
        with pytest.raises(Doubt) as doubt:
            made(url=f"http://127.0.0.1:{port}", **properties).latest("x")
        headers = {name.lower(): value for name, value in heard[0].items()}
    assert headers["authorization"] == sent
    assert "secret" not in str(doubt.value)


def test_a_password_in_the_address_is_not_shown(made: Made) -> None:
    asked = made(url=f"http://user:secret@127.0.0.1:{free_port()}")
    with pytest.raises(Doubt, match=r"http://127\.0\.0\.1") as doubt:
        asked.latest("x")
    assert "secret" not in str(doubt.value)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of 127.0.0.1 with its key, which vouches for itself."""
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    subprocess.run(
        [*made, "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(file), "-out", str(file)],
        check=True,
        capture_output=True,
    )
    return file


def test_tls_settings_pass_through(made: Made, certificate: Path) -> None:
    body = json.dumps({"subject": "x", "version": 1, "id": 7, "schema": record("long")})
    with answering(200, body, certificate) as (port, _):
        url = f"https://127.0.0.1:{port}"
        with pytest.raises(Doubt, match=r"(?i)certificate.*check ssl\.ca\.location"):
            made(url=url).latest("x")
        trusting = made(url=url, ssl_ca_location=str(certificate))
        assert trusting.latest("x") == AvroSchema(record("long"), 7)


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ({"url": "ftp://u:secret@x"}, r"url 'ftp://x' is not an address"),
        ({"urll": "1"}, "there is no property 'urll'; did you mean 'url'\\?"),
        ({"nonsense": "1"}, "nonsense"),
        ({"basic.auth.user.info": "secret"}, r"basic\.auth\.user\.info must be user:password"),
        ({"ssl.ca.location": "/none.pem"}, r"ssl\.ca\.location '/none\.pem'"),
        ({"ssl.key.location": "/none.pem"}, r"ssl\.key\.location needs ssl\.certificate\.location"),
        ({"timeout": "60"}, "timeout cannot be set; leave it out"),
    ],
)
def test_settings_that_make_no_client_are_refused_at_the_start(properties: dict[str, str], message: str) -> None:
    asked = registry_of({"url": "http://127.0.0.1:1", **properties})
    assert asked is not None
    with pytest.raises(BadSetting, match=message) as refused:
        asked.check()
    assert "secret" not in refused.value.message
    with pytest.raises(Doubt, match=message):
        asked.latest("x")


def test_a_worker_does_not_start_with_them(broker: KafkaBroker, prefix: str, tmp_path: Path) -> None:
    flags = ["--bootstrap", broker.bootstrap, "--prefix", prefix, "--web-port", "0"]
    command = [sys.executable, "-m", "jobplane", "worker", *flags]
    properties = {"JOBPLANE_REGISTRY_URL": "http://127.0.0.1:1", "JOBPLANE_REGISTRY_NONSENSE": "secret"}
    environment = {**os.environ, **properties, "JOBPLANE_DATA": str(tmp_path)}
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment, check=False)
    assert ended.returncode != 0
    assert "nonsense" in ended.stderr
    assert "secret" not in ended.stderr
