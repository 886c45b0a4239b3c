"""How a record on the command log is read, whatever it holds."""

import pytest

from schemas.commands import read_command
from schemas.errors import BadEnvelope, NotUtf8


@pytest.mark.parametrize(
    ("value", "headers", "text", "given_id"),
    [
        (b"DROP JOB a", None, "DROP JOB a", ""),
        (b"DROP JOB a", [("command-id", b"x")], "DROP JOB a", "x"),
        (b'{"sql": "DROP JOB a"}', [], "DROP JOB a", ""),
        (b'  {"sql": "DROP JOB a", "command_id": "y"}', [], "DROP JOB a", "y"),
        (b'{"sql": "DROP JOB a", "command_id": "y"}', [("command-id", b"x")], "DROP JOB a", "x"),
        (None, None, "", ""),
    ],
)
def test_text_and_id(value: bytes | None, headers: list[tuple[str, bytes]] | None, text: str, given_id: str) -> None:
    command = read_command(7, 0, value, headers)
    assert (command.text, command.given_id, command.error) == (text, given_id, None)
    assert command.shown_id == (given_id or "c-7")


@pytest.mark.parametrize(
    ("value", "headers", "error"),
    [
        (b"DROP JOB \xff", [], NotUtf8),
        (b"{", [], BadEnvelope),
        (b'{"SQL": "x"}', [], BadEnvelope),
        (b'{"sql": 1}', [], BadEnvelope),
        (b"DROP JOB a", [("command-id", b"\xff")], NotUtf8),
        (b"DROP JOB a", [("command-id", b"x" * 201)], BadEnvelope),
    ],
)
def test_what_cannot_be_read_is_a_command_with_an_error(
    value: bytes, headers: list[tuple[str, bytes]], error: type[Exception]
) -> None:
    command = read_command(0, 0, value, headers)
    assert isinstance(command.error, error)
    assert command.length == len(value)


def test_the_digest_is_of_the_text_however_it_came() -> None:
    plain, wrapped = read_command(0, 0, b"DROP JOB a", None), read_command(1, 0, b'{"sql":"DROP JOB a"}', None)
    assert plain.digest == wrapped.digest
