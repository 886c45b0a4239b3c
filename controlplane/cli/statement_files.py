"""Reads statements from arguments, files and pipes, in UTF-8 with or without a byte order mark."""

import codecs
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import click

from jobplane.controlplane.cli.command_group import quote_statement
from jobplane.controlplane.cli.terminal import REFUSED, fail

STDIN = "-"
_MARKS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),  # it begins with the mark of UTF-16
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)
"""Byte order marks, each with its encoding."""
_MOST = 0.4
"""If at least this share of every second byte is NUL, the text counts as UTF-16: statements are mostly ASCII."""


class NotText(Exception):
    """The bytes are not UTF-8. The message continues a sentence that begins with the file's name: `is UTF-16 …`."""


@dataclass(frozen=True, slots=True)
class StatementText:
    """A text of statements, and its name in messages."""

    name: str
    text: str


def decode_text(data: bytes) -> str:
    """Decodes UTF-8 and removes a byte order mark. Raises NotText."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            raise NotText(f"is {encoding}, according to its byte order mark; {_remedy(encoding)}")
    if (unmarked := _utf16_encoding(data)) is not None:
        raise NotText(f"looks like UTF-16 without a byte order mark; {_remedy(unmarked)}")
    try:
        return data.removeprefix(codecs.BOM_UTF8).decode()
    except UnicodeDecodeError as error:
        at = error.start + len(data) - len(error.object)
        line = data.count(b"\n", 0, at) + 1
        remedy = _remedy("WINDOWS-1252", "if it is Windows-1252, ")
        raise NotText(f"is not UTF-8 at byte {at + 1}, line {line} (0x{data[at]:02x}); {remedy}") from None


def _remedy(encoding: str, condition: str = "") -> str:
    return f"save it as UTF-8, or convert it: {condition}iconv -f {encoding} -t UTF-8"


def _utf16_encoding(data: bytes) -> str | None:
    for first, encoding in ((1, "UTF-16LE"), (0, "UTF-16BE")):
        half = data[first::2]
        if half and half.count(0) > _MOST * len(half):
            return encoding
    return None


def read_sources(texts: Iterable[str], arguments: Iterable[str], files: Iterable[str]) -> list[StatementText]:
    """The texts of -e, arguments and files, in this order, or standard input. Exits if one is not UTF-8."""
    found = [*_texts_with_names("-e", texts), *_texts_with_names("SQL", arguments), *map(_read_file, files)]
    return found or [_require_stdin("give a statement, a file with -f, or statements on standard input")]


def argument_or_stdin(text: str | None) -> StatementText:
    """The text of a command's only argument, or of standard input."""
    if text is None:
        return _require_stdin("give a statement, or one on standard input")
    return next(iter(_texts_with_names("SQL", [text])))


def _texts_with_names(name: str, texts: Iterable[str]) -> list[StatementText]:
    given = list(texts)
    names = [name] if len(given) == 1 else [f"{name}[{i}]" for i in range(1, len(given) + 1)]
    return [StatementText(one, _decode_or_fail(os.fsencode(text), one)) for one, text in zip(names, given, strict=True)]


def _read_file(name: str) -> StatementText:
    if name == STDIN:
        return StatementText("<stdin>", _decode_or_fail(_read_stdin(), "standard input"))
    try:
        return StatementText(name, _decode_or_fail(Path(name).read_bytes(), name))
    except OSError as error:
        raise click.UsageError(f"'{name}' cannot be read: {error.strerror}") from None


def _require_stdin(usage: str) -> StatementText:
    if sys.stdin is None or sys.stdin.isatty():
        raise click.UsageError(usage)
    return _read_file(STDIN)


def _read_stdin() -> bytes:
    return sys.stdin.buffer.read() if sys.stdin is not None else b""


def _decode_or_fail(data: bytes, name: str) -> str:
    try:
        return decode_text(data)
    except NotText as bad:
        fail(f"error (not-utf8): {name} {bad}", REFUSED)


def refuse_file_names(arguments: tuple[str, ...]) -> None:
    """Raises UsageError for an argument that is the name of a file."""
    for text in arguments:
        if text and not any(sign.isspace() for sign in text) and os.path.isfile(text):
            raise click.UsageError(f"'{text}' is a file: `jobplane sql -f {text}` runs the statements in it")


def refuse_unquoted_words(arguments: tuple[str, ...]) -> None:
    """Raises UsageError for one statement that the shell has split into several arguments."""
    if len(arguments) > 1 and any(text.strip(" ;").isalnum() for text in arguments):
        statement = " ".join(arguments)
        raise click.UsageError(
            f"each argument is a statement; quote the statement: jobplane sql {quote_statement(statement)}"
        )
