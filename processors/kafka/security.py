"""The security settings of librdkafka as arguments of aiokafka's clients."""

import ssl
from collections.abc import Mapping
from typing import Any


def security(kafka: Mapping[str, str]) -> dict[str, Any]:
    """aiokafka's arguments for the librdkafka security properties; of those only the ones named here are understood."""
    protocol = kafka.get("security.protocol", "plaintext").upper()
    given: dict[str, Any] = {"security_protocol": protocol}
    if "SSL" in protocol.replace("SASL", ""):
        context = ssl.create_default_context(cafile=kafka.get("ssl.ca.location"))
        if certificate := kafka.get("ssl.certificate.location"):
            context.load_cert_chain(certificate, kafka.get("ssl.key.location"), kafka.get("ssl.key.password"))
        given["ssl_context"] = context
    if protocol.startswith("SASL"):
        given["sasl_mechanism"] = kafka.get("sasl.mechanism", kafka.get("sasl.mechanisms", "PLAIN"))
        given["sasl_plain_username"] = kafka.get("sasl.username", "")
        given["sasl_plain_password"] = kafka.get("sasl.password", "")
    return given
