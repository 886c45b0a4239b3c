"""What the librdkafka properties of a cluster are for the connections of this room, or that they cannot be had here."""

from collections.abc import Mapping
from typing import Any

from jobplane.processors.kafka.security import security

_UNDERSTOOD = frozenset(
    {
        *("security.protocol", "sasl.mechanism", "sasl.mechanisms", "sasl.username", "sasl.password"),
        *("ssl.ca.location", "ssl.certificate.location", "ssl.key.location", "ssl.key.password"),
    }
)
_DECISIVE = ("security.", "sasl.", "ssl.", "enable.ssl.", "enable.sasl.", "https.")
"""Properties that begin so decide whether and how a broker lets us in. All others tune a client."""
_PROTOCOLS = frozenset({"PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"})
_MECHANISMS = frozenset({"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"})


class WireUnavailable(Exception):
    """This cluster cannot be reached by raw requests: use the clients of librdkafka, which know more."""


def connection_settings(properties: Mapping[str, str]) -> dict[str, Any]:
    """aiokafka's arguments for a connection. Raises WireUnavailable for a property that it cannot express."""
    for name in properties:
        if name.startswith(_DECISIVE) and name not in _UNDERSTOOD:
            raise WireUnavailable(f"raw requests know no property {name}")
    try:
        found = security(properties)
    except OSError as error:  # a file that is missing, or is not a certificate: ssl.SSLError is an OSError
        raise WireUnavailable(f"ssl.*: {error}") from error
    if found["security_protocol"] not in _PROTOCOLS:
        raise WireUnavailable(f"raw requests know no security.protocol {found['security_protocol']}")
    if (mechanism := found.get("sasl_mechanism", "PLAIN")) not in _MECHANISMS:
        raise WireUnavailable(f"raw requests know no sasl.mechanism {mechanism}")
    return {"client_id": properties.get("client.id", "jobplane"), **found}
