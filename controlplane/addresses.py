"""Checks Kafka's address: host:port, or several separated by commas. Pure."""

import re

from jobplane.controlplane.ports import LAST_PORT
from jobplane.schemas.setup_errors import BadSetting

_ADDRESS = re.compile(r"(?P<host>\[[0-9A-Fa-f:.%\w]+\]|[^\s:/\[\]]+)(:(?P<port>[^:]*))?", re.ASCII)
_SUCH = "such as 127.0.0.1:9092"


def check_addresses(text: str) -> None:
    """Raises BadSetting if `text` is not a list of addresses. The default port is 9092; IPv6 needs brackets."""
    if not text.strip():
        raise BadSetting(f"bootstrap is empty; set it to Kafka's address, {_SUCH}")
    for address in text.split(","):
        if fault := _address_fault(address.strip()):
            raise BadSetting(f"bootstrap '{text}': {fault}")


def _address_fault(address: str) -> str:
    """The error in one address; empty if there is none."""
    protocol, separator, rest = address.rpartition("://")
    if separator:
        return (
            f"an address is host:port, without '{protocol}://': write {rest.strip('/') or 'host:9092'}; TLS and users "
            "are properties of the Kafka client, such as security.protocol below [kafka]"
        )
    found = _ADDRESS.fullmatch(address)
    if found is None:
        return f"'{address}' is not host:port, {_SUCH}; write an IPv6 address in brackets, as in [::1]:9092"
    port = found["port"]
    if port is None or (port.isdecimal() and port.isascii() and 0 < int(port[:6]) <= LAST_PORT):
        return ""
    return f"'{port}' is not a port; a port is a number from 1 to {LAST_PORT}, {_SUCH}"
