"""Statements in files and pipes: what is not UTF-8 is named, with what to do."""

import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from jobplane.controlplane.cli.main import main
from jobplane.controlplane.cli.statement_files import NotText, StatementText, decode_text, read_sources

SQL = "CREATE JOB a AS INSERT INTO b SELECT 'é' AS x FROM c;\n"
LEGACY = "save it as UTF-8, or convert it: if it is Windows-1252, iconv -f WINDOWS-1252 -t UTF-8"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_utf8_is_read_with_and_without_a_mark(encoding: str) -> None:
    assert decode_text(SQL.encode(encoding)) == SQL


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (
            SQL.encode("utf-16"),
            "is UTF-16, according to its byte order mark; save it as UTF-8, or convert it: iconv -f UTF-16 -t UTF-8",
        ),
        (
            SQL.encode("utf-32"),
            "is UTF-32, according to its byte order mark; save it as UTF-8, or convert it: iconv -f UTF-32 -t UTF-8",
        ),
        (
            SQL.encode("utf-16-le"),
            "looks like UTF-16 without a byte order mark; save it as UTF-8, or convert it: iconv -f UTF-16LE -t UTF-8",
        ),
        (
            SQL.encode("utf-16-be"),
            "looks like UTF-16 without a byte order mark; save it as UTF-8, or convert it: iconv -f UTF-16BE -t UTF-8",
        ),
        (
            b"-- one\n" + SQL.encode("latin-1"),
            f"is not UTF-8 at byte 46, line 2 (0xe9); {LEGACY}",
        ),
        (
            b"\xef\xbb\xbf-- \xff",
            f"is not UTF-8 at byte 7, line 1 (0xff); {LEGACY}",
        ),
    ],
    ids=["utf-16", "utf-32", "utf-16-le", "utf-16-be", "latin-1", "after a mark"],
)
def test_other_encodings_are_named(data: bytes, said: str) -> None:
    with pytest.raises(NotText) as bad:
        decode_text(data)
    assert str(bad.value) == said


def test_texts_have_names_and_an_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.sql").write_bytes(b"\xef\xbb\xbfSHOW JOBS")
    assert read_sources(["x"], ["y", "z"], ["a.sql"]) == [
        *(
            StatementText("-e", "x"),
            StatementText("SQL[1]", "y"),
            StatementText("SQL[2]", "z"),
            StatementText("a.sql", "SHOW JOBS"),
        )
    ]


@pytest.mark.parametrize(
    ("words", "given", "code", "said"),
    [
        (["sql", "-f", "utf16.sql"], b"", 4, "error (not-utf8): utf16.sql is UTF-16, according"),
        (["sql"], SQL.encode("utf-16"), 4, "error (not-utf8): standard input is UTF-16, according"),
        (["sql", "-f", "-"], SQL.encode("latin-1"), 4, "error (not-utf8): standard input is not UTF-8 at byte 39"),
        (["emit"], SQL.encode("latin-1"), 4, "error (not-utf8): standard input is not UTF-8 at byte 39, line 1"),
        (["sql", "-f", "empty.sql"], b"", 2, "Error: empty.sql: there is no statement"),
        (["sql", "-f", "-"], b"-- a comment\n ; ;", 2, "Error: <stdin>: there is no statement"),
        (["sql"], b"", 2, "Error: <stdin>: there is no statement"),
        (["sql", ""], b"", 2, "Error: SQL: there is no statement"),
        (["emit"], b" \n", 2, "Error: <stdin>: there is no statement"),
        (["sql", "-f", "folder"], b"", 2, "'folder' is a directory"),
        (["sql", "-f", "none.sql"], b"", 2, "'none.sql' does not exist"),
        (["sql", "empty.sql"], b"", 2, "Error: 'empty.sql' is a file: `jobplane sql -f empty.sql` runs the statements"),
        (["sql", "DROP JOB 'a"], b"", 4, "SQL: refused (syntax)\n1:10 this string is not closed; end it with '\n"),
    ],
)
def test_what_cannot_be_read_is_said_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], given: bytes, code: int, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("utf16.sql").write_bytes(SQL.encode("utf-16"))
    Path("empty.sql").touch()
    Path("folder").mkdir()
    done = CliRunner().invoke(main, words, input=given, env={"JOBPLANE_BOOTSTRAP": "127.0.0.1:1"})
    assert (done.exit_code, done.stdout) == (code, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_closed_standard_input_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(Exception, match="give a statement, a file with -f, or statements on standard input"):
        read_sources([], [], [])
