"""What is said of bytes in another format than they are read by: `looks.txt` has them, and what follows the reason.

A line is a name, the format wanted, the bytes in hexadecimal; UPDATE_GOLDEN=1 rewrites what is below each.
"""

import os
import time
from pathlib import Path

import pytest

from jobplane.schemas.formats.looks import format_hint

FILE = Path(__file__).parent / "looks.txt"


def test_looks() -> None:
    text = FILE.read_text()
    told = []
    for block in text.strip().split("\n\n"):
        line = block.splitlines()[0]
        name, wanted, data, *_ = [*line.split(), ""]
        told.append(
            f"{line}\n{format_hint(bytes.fromhex(data), wanted, name.partition('/')[2] or 'value') or 'nothing'}"
        )
    played = "\n\n".join(told) + "\n"
    if os.environ.get("UPDATE_GOLDEN"):
        FILE.write_text(played)
    assert played == text


@pytest.mark.parametrize("data", [b'"\xff"', b'"{\xff"', b'"\\ud800{"', b"[" * 100_000, b"\x81" * 1_000_000])
def test_hostile_bytes_end_in_words_soon(data: bytes) -> None:
    began = time.process_time()
    format_hint(data, "json", "value")
    assert time.process_time() - began < 1
