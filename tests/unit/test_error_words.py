"""What is said of errors of Kafka's client, and of properties that it does not take: our words, never its own."""

import threading
from socketserver import StreamRequestHandler, ThreadingTCPServer

import pytest
from confluent_kafka import KafkaError

from jobplane.processors.kafka.client_properties import PROPERTIES
from jobplane.processors.kafka.cluster import Kafka, judged
from jobplane.processors.kafka.error_words import WORDS, in_words
from jobplane.processors.kafka.errors import Meaning, meaning
from jobplane.schemas.setup_errors import BadSetting, KafkaUnreachable


def test_the_words_are_of_errors_that_there_are() -> None:
    names = {KafkaError(code).name() for code in range(-200, 130)}
    assert set(WORDS) <= names


def test_each_refused_error_has_words_that_say_what_to_do() -> None:
    refused = [
        KafkaError(code).name() for code in range(-200, 130) if meaning(KafkaError(code).name()) is Meaning.REFUSED
    ]
    assert set(refused) <= set(WORDS)


def test_the_clients_own_text_is_left_out() -> None:
    assert str(judged(KafkaError(KafkaError._TIMED_OUT, "Failed to get metadata: Local: Timed out"))) == (
        "Kafka did not answer in time (_TIMED_OUT)"
    )
    assert str(judged(KafkaError(KafkaError.INVALID_RECORD))) == (
        "the topic does not accept the record; one with cleanup.policy=compact takes only records with a key: write … "
        "AS __key in the query (INVALID_RECORD)"
    )


def test_the_topic_that_is_refused_is_named() -> None:
    refused = judged(KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED), "orders")
    assert str(refused).startswith("topic 'orders': Kafka does not allow this user to use the topic; grant")


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("127.0.0.1:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed: Connection refused", "the connection was refused"),
        ("SSL handshake failed: connecting to a PLAINTEXT broker listener?", "its listener has no TLS; set security"),
        (
            "SSL handshake failed: certificate verify failed: broker certificate",
            "its certificate is not trusted; check",
        ),
        ("anything else", "the connection to Kafka broke"),
    ],
)
def test_a_broken_connection_is_told_by_its_reason(said: str, words: str) -> None:
    assert in_words("_TRANSPORT", said).startswith(words)


@pytest.mark.parametrize("name", PROPERTIES)
def test_the_properties_with_a_hint_are_known_to_the_client(name: str) -> None:
    with pytest.raises(BadSetting) as bad:
        Kafka("127.0.0.1:1", {name: "x", "nonsense": "1"}).require()
    assert f"has no property '{name}'" not in bad.value.message


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        (
            {"security.protokol": "ssl"},
            "the Kafka client has no property 'security.protokol'; did you mean 'security.prot",
        ),
        ({"nonsense": "1"}, "the Kafka client has no property 'nonsense'; librdkafka's CONFIGURATION.md lists all"),
        ({"security.protocol": "sasl-ssl"}, "security.protocol does not take 'sasl-ssl'; did you mean 'sasl_ssl'?"),
        ({"socket.timeout.ms": "1"}, "socket.timeout.ms is a number from 10 to 300000, not 1"),
        ({"socket.timeout.ms": "x"}, "socket.timeout.ms does not take 'x'"),
        ({"security.protocol": "ssl", "ssl.ca.location": "/none"}, "ssl.ca.location '/none' cannot be used"),
        ({"security.protocol": "sasl_ssl"}, "security.protocol needs sasl.mechanism, one of PLAIN"),
        (
            {"security.protocol": "sasl_ssl", "sasl.mechanism": "PLAIN"},
            "sasl.username and sasl.password must both be set",
        ),
    ],
)
def test_a_wrong_property_is_a_wrong_setting(properties: dict[str, str], message: str) -> None:
    with pytest.raises(BadSetting) as bad:
        Kafka("127.0.0.1:1", properties).require()
    assert bad.value.message.startswith(f"[kafka] or JOBPLANE_KAFKA_…: {message}")


class Web(StreamRequestHandler):
    def handle(self) -> None:
        self.connection.recv(1)
        self.wfile.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def test_what_is_not_kafka_is_said_to_be_not_kafka() -> None:
    with ThreadingTCPServer(("127.0.0.1", 0), Web) as server:
        served = threading.Thread(target=server.serve_forever, daemon=True)
        served.start()
        address = f"127.0.0.1:{server.server_address[1]}"
        with pytest.raises(KafkaUnreachable, match=f"what answers at {address} is not Kafka"):
            Kafka(address).require()
        server.shutdown()
