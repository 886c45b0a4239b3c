"""Functions of URLs, as RFC 3986 divides them, and of text as forms encode it for a URL.

A text with blanks or control characters, or with a % without two hexadecimal digits after it, is not a URL.
Parts are decoded: %C3%A9 is é; bytes that are not UTF-8 become U+FFFD.
"""

import re
from string import ascii_letters, digits
from urllib.parse import quote_plus, unquote, unquote_plus

from jobplane.schemas.shown import show_value
from jobplane.sql.functions.signature import sql
from jobplane.sql.runtime.plain import check_length

_URL = re.compile(
    r"""(?:(?P<protocol>[A-Za-z][A-Za-z0-9+.-]*):)?
        (?://(?P<authority>[^/?#]*))?
        (?P<path>[^?#]*)
        (?:\?(?P<query>[^#]*))?
        (?:\#(?P<fragment>.*))?""",
    re.VERBOSE,
)
_AUTHORITY = re.compile(r"(?:[^@]*@)?(?P<host>\[[^\[\]@]*\]|[^:@\[\]]*)(?::(?P<port>[0-9]{0,5}))?")
_NOT_IN_URLS = re.compile(r"[\x00-\x20\x7f-\xa0]|%(?![0-9A-Fa-f]{2})")
_AS_IT_IS = f"{ascii_letters}{digits} .-*_".encode()
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2}).{0,2}", re.DOTALL)


@sql("URL_ENCODE_PARAM")
@sql()
def url_encode(text: str) -> str:
    """The text as a form encodes it for a URL: letters, digits and . - * _ as they are, a blank as +, others as %C3."""
    data = text.encode()
    check_length("URL_ENCODE", len(data) + 2 * len(data.translate(None, _AS_IT_IS)))
    return quote_plus(text, safe="*").replace("~", "%7E")


@sql("URL_DECODE_PARAM")
@sql()
def url_decode(text: str) -> str:
    """The text that URL_ENCODE encodes so: + is a blank, %C3%A9 is é."""
    if bad := _BAD_ESCAPE.search(text):
        raise ValueError(f"{show_value(text)} is not encoded for a URL: {show_value(bad[0])} is not a byte, like '%20'")
    try:
        return unquote_plus(text, errors="strict")
    except UnicodeDecodeError:
        raise ValueError(f"{show_value(text)} is not encoded for a URL: its bytes are not UTF-8") from None


@sql()
def url_extract_protocol(url: str) -> str | None:
    """The protocol of a URL, such as https; NULL if it has none."""
    return _part(url, "protocol")


@sql()
def url_extract_host(url: str) -> str | None:
    """The name or address of the host in a URL; NULL if it has none."""
    return _of_authority(url, "host")


@sql()
def url_extract_port(url: str) -> int | None:
    """The number of the port in a URL; NULL if it has none."""
    port = _of_authority(url, "port")
    return None if port is None else int(port)


@sql()
def url_extract_path(url: str) -> str | None:
    """The path of a URL, with its first /, decoded; empty where it has none, NULL where the text is not a URL."""
    path = _part(url, "path")
    return None if path is None else unquote(path)


@sql()
def url_extract_query(url: str) -> str | None:
    """The query of a URL, after its ?, decoded; NULL without a ?."""
    query = _part(url, "query")
    return None if query is None else unquote(query)


@sql()
def url_extract_fragment(url: str) -> str | None:
    """The fragment of a URL, after its #, decoded; NULL without a #."""
    fragment = _part(url, "fragment")
    return None if fragment is None else unquote(fragment)


@sql()
def url_extract_parameter(url: str, name: str) -> str | None:
    """The first value of a parameter in the query of a URL, decoded; NULL if there is none, or it has no =."""
    for one in (_part(url, "query") or "").split("&"):
        key, given, value = one.partition("=")
        if given and unquote_plus(key) == name:
            return unquote_plus(value)
    return None


def _part(url: str, name: str) -> str | None:
    """A part as it is written in the text; None if there is none, or the text is not a URL."""
    found = None if _NOT_IN_URLS.search(url) else _URL.fullmatch(url)
    return found[name] if found else None


def _of_authority(url: str, name: str) -> str | None:
    authority = _part(url, "authority")
    found = _AUTHORITY.fullmatch(authority) if authority else None
    return found[name] or None if found else None
