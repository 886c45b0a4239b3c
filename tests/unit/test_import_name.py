"""Everything is imported as `jobplane.…`: from the repository's root its folders could be imported as well."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("controlplane", "processors", "schemas", "sql")


def test_the_package_has_a_link_to_each_folder() -> None:
    links = {link.name: link.readlink() for link in (ROOT / "jobplane").iterdir() if link.is_symlink()}
    assert links == {name: Path("..", name) for name in FOLDERS}


def test_no_file_is_loaded_under_two_names() -> None:
    files = [
        Path(file).resolve() for module in list(sys.modules.values()) if (file := getattr(module, "__file__", None))
    ]
    ours = Counter(file for file in files if any(file.is_relative_to(ROOT / name) for name in FOLDERS))
    assert [str(file) for file, count in ours.items() if count > 1] == []


@pytest.mark.parametrize("line", [f"import {name}" for name in FOLDERS] + ["from sql.syntax.parser import parse"])
def test_ruff_refuses_the_other_name(line: str) -> None:
    ruff = [str(Path(sys.executable).with_name("ruff")), "check", "--quiet", "--select", "TID251", "-"]
    done = subprocess.run(ruff, input=f"{line}\n", cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "TID251" in done.stdout
