"""Properties of the Kafka client that it does not take, told in our words: which one, why, and what is near.

librdkafka says all this in a text alone, so its text is matched; what no pattern knows is told without it.
"""

import logging
import re
from collections.abc import Callable, Mapping

from jobplane.schemas.setup_errors import BadSetting
from jobplane.schemas.suggestions import did_you_mean

LOG = logging.getLogger("jobplane.kafka")
WHERE = "[kafka] or JOBPLANE_KAFKA_…"
_NAMES = """
    api.version.request.timeout.ms broker.address.family broker.address.ttl client.dns.lookup client.id client.rack
    check.crcs compression.type compression.level connections.max.idle.ms debug delivery.timeout.ms
    enable.ssl.certificate.verification fetch.max.bytes fetch.message.max.bytes fetch.min.bytes fetch.wait.max.ms
    fetch.queue.backoff.ms heartbeat.interval.ms linger.ms log_level max.in.flight.requests.per.connection
    max.poll.interval.ms message.max.bytes message.timeout.ms metadata.max.age.ms batch.num.messages batch.size
    queue.buffering.max.kbytes queue.buffering.max.messages queue.buffering.max.ms queued.max.messages.kbytes
    queued.min.messages receive.message.max.bytes reconnect.backoff.max.ms reconnect.backoff.ms request.timeout.ms
    retries retry.backoff.max.ms retry.backoff.ms sasl.kerberos.keytab sasl.kerberos.principal
    sasl.kerberos.service.name sasl.mechanism sasl.mechanisms sasl.oauthbearer.client.id sasl.oauthbearer.client.secret
    sasl.oauthbearer.config sasl.oauthbearer.extensions sasl.oauthbearer.method sasl.oauthbearer.scope
    sasl.oauthbearer.token.endpoint.url sasl.password sasl.username security.protocol session.timeout.ms
    socket.connection.setup.timeout.ms socket.keepalive.enable socket.max.fails socket.nagle.disable
    socket.receive.buffer.bytes socket.send.buffer.bytes socket.timeout.ms ssl.ca.location ssl.ca.pem
    ssl.certificate.location ssl.certificate.pem ssl.cipher.suites ssl.crl.location ssl.curves.list
    ssl.endpoint.identification.algorithm ssl.key.location ssl.key.password ssl.key.pem ssl.keystore.location
    ssl.keystore.password ssl.sigalgs.list statistics.interval.ms topic.metadata.refresh.interval.ms
"""
PROPERTIES = tuple(_NAMES.split())
"""Those that people set; the client has more."""
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER")
_CHOICES = {
    "security.protocol": ("plaintext", "ssl", "sasl_plaintext", "sasl_ssl"),
    "broker.address.family": ("any", "v4", "v6"),
    "compression.type": ("none", "gzip", "snappy", "lz4", "zstd"),
}
_SECRET = re.compile(r"password|secret|\.key\.pem|oauthbearer\.config")


def wrong_property(said: str, properties: Mapping[str, str]) -> BadSetting:
    """`said` is what the client says of its properties, `properties` are those that a person has set."""
    LOG.debug("the Kafka client says: %s", said)
    for pattern, words in _PATTERNS:
        if found := pattern.search(said):
            return BadSetting(f"{WHERE}: {words(found, properties)}")
    given = ", ".join(properties) or "none is set"
    return BadSetting(f"{WHERE}: the Kafka client does not accept its properties together ({given}); check each")


def _unknown(found: re.Match[str], _: Mapping[str, str]) -> str:
    name = found[1]
    hint = did_you_mean(name, PROPERTIES) or "; librdkafka's CONFIGURATION.md lists all"
    return f"the Kafka client has no property '{name}'{hint}"


def _value(found: re.Match[str], properties: Mapping[str, str]) -> str:
    name = found[1]
    text = properties.get(name, "")
    shown = "this value" if _SECRET.search(name) else f"'{text}'"
    choices = _CHOICES.get(name, ())
    among = f"; it takes {', '.join(choices)}" if choices else "; librdkafka's CONFIGURATION.md says what it takes"
    return f"{name} does not take {shown}{did_you_mean(text, choices) or among}"


def _range(found: re.Match[str], _: Mapping[str, str]) -> str:
    return f"{found[1]} is a number from {found[3]} to {found[4]}, not {found[2]}"


def _file(found: re.Match[str], properties: Mapping[str, str]) -> str:
    name = found[1]
    return f"{name} '{properties.get(name, '')}' cannot be used; check that the file exists and has the right content"


def _mechanism(found: re.Match[str], properties: Mapping[str, str]) -> str:
    name = "sasl.mechanisms" if "sasl.mechanisms" in properties else "sasl.mechanism"
    if name not in properties:
        return f"security.protocol needs sasl.mechanism, one of {', '.join(MECHANISMS)}"
    hint = did_you_mean(found[1], MECHANISMS) or f"; it knows {', '.join(MECHANISMS)}"
    return f"the Kafka client has no SASL mechanism '{found[1]}' ({name}){hint}"


def _user(_: re.Match[str], __: Mapping[str, str]) -> str:
    return "sasl.username and sasl.password must both be set"


_Words = Callable[[re.Match[str], Mapping[str, str]], str]
_PATTERNS: tuple[tuple[re.Pattern[str], _Words], ...] = (
    (re.compile(r'No such configuration property: "([^"]*)"'), _unknown),
    (re.compile(r'property "([^"]*)" value (-?\d+) is outside allowed range (-?\d+)\.\.(-?\d+)'), _range),
    (re.compile(r'Invalid value (?:.* )?for configuration property "([^"]*)"', re.DOTALL), _value),
    (re.compile(r"(ssl\.[\w.]+) failed"), _file),
    (re.compile(r"SASL mechanism (\S+?):? "), _mechanism),
    (re.compile(r"sasl\.username and sasl\.password must be set"), _user),
)
"""The first that is found counts."""
