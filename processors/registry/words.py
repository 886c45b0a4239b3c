"""What the schema registry's client finds wrong with its properties, and with the way to a registry, in our words."""

import logging
import re
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping

from jobplane.schemas.suggestions import did_you_mean

LOG = logging.getLogger("jobplane.registry")
USER = re.compile(r"//[^/\s]*@")
"""User and password in an address."""
_NAMES = """
    url basic.auth.user.info bearer.auth.token bearer.auth.credentials.source bearer.auth.client.id
    bearer.auth.client.secret bearer.auth.scope bearer.auth.issuer.endpoint.url bearer.auth.logical.cluster
    bearer.auth.identity.pool.id ssl.ca.location ssl.certificate.location ssl.key.location ssl.key.password
"""
PROPERTIES = tuple(_NAMES.split())


def wrong_properties(bad: Exception, properties: Mapping[str, str]) -> str:
    """Which property is wrong and why; no secret is shown."""
    said = str(bad)
    LOG.debug("the schema registry's client says: %s", USER.sub("//", said))
    if isinstance(bad, OSError):
        files = [
            f"{name} '{one}'" for name, one in properties.items() if name.startswith("ssl.") and "pass" not in name
        ]
        return f"a file cannot be used: {', '.join(files)}; check that it exists and has the right content"
    for pattern, words in _PATTERNS:
        if found := pattern.search(said):
            return words(found, properties)
    return f"the client does not accept them together ({', '.join(properties)}); check each"


def _unknown(found: re.Match[str], _: Mapping[str, str]) -> str:
    names = found[1].split(", ")
    return f"there is no property '{names[0]}'{did_you_mean(names[0], PROPERTIES)}"


def _address(_: re.Match[str], properties: Mapping[str, str]) -> str:
    return f"url '{USER.sub('//', properties.get('url', ''))}' is not an address such as http://registry:8081"


_Words = Callable[[re.Match[str], Mapping[str, str]], str]
_PATTERNS: tuple[tuple[re.Pattern[str], _Words], ...] = (
    (re.compile(r"Unrecognized properties: (.*)"), _unknown),
    (re.compile(r"Invalid url"), _address),
    (re.compile(r"(.*) cannot be set"), lambda found, _: f"{found[1]} cannot be set; leave it out"),
    (re.compile(r"must be in the form"), lambda *_: "basic.auth.user.info must be user:password"),
    (re.compile(r"ssl\.certificate\.location required"), lambda *_: "ssl.key.location needs ssl.certificate.location"),
    (
        re.compile(r"userinfo credentials in the URL"),
        lambda *_: "user and password are in url and in basic.auth.user.info; leave one of them out",
    ),
)


def no_answer(error: BaseException, seconds: float) -> str:
    """What went wrong on the way, with what may help where that is known."""
    chain = list(_causes(error))
    for kind, words in _WAYS:
        if any(isinstance(one, kind) for one in chain):
            return words
    if any("Timeout" in type(one).__name__ for one in chain):
        return f"no answer came within {seconds:g} s"
    return "the connection failed; check the url"


_WAYS: tuple[tuple[type[BaseException], str], ...] = (
    (ssl.SSLCertVerificationError, "its certificate is not trusted; check ssl.ca.location and the url"),
    (ssl.SSLError, "TLS fails; check ssl.ca.location and the url"),
    (socket.gaierror, "the name of its host is not known; check the url"),
    (ConnectionRefusedError, "the connection was refused; is it running, and is this its address?"),
    (ConnectionError, "the connection broke"),
    (TimeoutError, "no answer came in time"),
)


def _causes(error: BaseException) -> Iterator[BaseException]:
    one: BaseException | None = error
    while one is not None:
        yield one
        one = one.__cause__ or one.__context__
