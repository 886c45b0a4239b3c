"""What is longer than the screen goes through a pager, where a person can turn its pages: on real terminals."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

LONG, SHORT = 100, 10


def shown(lines: int, tmp_path: Path, pager: str | None, *, path: str = os.environ["PATH"], pages: bool = True) -> str:
    """What a terminal of 24 lines gets."""
    call = f"pager.show('x\\n' * {lines}, 24, pages={pages})"
    program = f"from jobplane.controlplane.cli.screen import pager; {call}; print('after')"
    environment = {"PATH": path, "TERM": "xterm", "HOME": str(tmp_path), "PYTHONPATH": str(Path.cwd())}
    environment |= {} if pager is None else {"PAGER": pager}
    mine, theirs = pty.openpty()
    with subprocess.Popen([sys.executable, "-c", program], stdin=theirs, stdout=theirs, env=environment) as process:
        os.close(theirs)
        said = b""
        try:
            while data := os.read(mine, 4096):
                said += data
        except OSError:  # the other end is closed
            pass
        assert process.wait() == 0
    os.close(mine)
    return said.decode().replace("\r\n", "\n")


def test_a_pager_gets_what_is_long(tmp_path: Path) -> None:
    assert shown(LONG, tmp_path, "sed s/x/y/") == "y\n" * LONG + "after\n"


def test_a_pager_may_end_before_it_has_read_all(tmp_path: Path) -> None:
    assert shown(100_000, tmp_path, "head -n 2") == "x\nx\nafter\n"


def test_less_is_told_to_end_where_all_fits(tmp_path: Path) -> None:
    (tmp_path / "less").write_text('#!/bin/sh\necho "less $LESS"\ncat >/dev/null\n')
    (tmp_path / "less").chmod(0o755)
    assert shown(LONG, tmp_path, None, path=f"{tmp_path}:{os.environ['PATH']}") == "less -FRX\nafter\n"


@pytest.mark.parametrize("pager", ["cat", ""])
def test_no_pager_where_it_is_turned_off(pager: str, tmp_path: Path) -> None:
    assert shown(LONG, tmp_path, pager) == "x\n" * LONG + "after\n"


def test_no_pager_where_none_is_wanted_or_needed(tmp_path: Path) -> None:
    assert shown(LONG, tmp_path, "sed s/x/y/", pages=False) == "x\n" * LONG + "after\n"
    assert shown(SHORT, tmp_path, "sed s/x/y/") == "x\n" * SHORT + "after\n"


def test_a_missing_pager_is_not_an_error(tmp_path: Path) -> None:
    assert shown(LONG, tmp_path, "no-such-program -x", path=str(tmp_path)) == "x\n" * LONG + "after\n"
