"""House rules that no linter knows: sizes of folders and files, a docstring a folder, one class a name."""

import ast
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("controlplane", "processors", "schemas", "sql")
FOLDERS = sorted({file.parent for package in PACKAGES for file in (ROOT / package).rglob("*.py")})
MOST_MODULES = 15
MOST_LINES = 400


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("folder", FOLDERS, ids=name)
def test_a_folder_is_small_and_says_what_it_is_for(folder: Path) -> None:
    modules = [file for file in folder.glob("*.py") if file.name != "__init__.py"]
    assert len(modules) <= MOST_MODULES
    assert ast.get_docstring(ast.parse((folder / "__init__.py").read_text()))


@pytest.mark.parametrize("folder", FOLDERS, ids=name)
def test_a_file_is_small(folder: Path) -> None:
    lines = {file.name: len(file.read_text().splitlines()) for file in folder.glob("*.py")}
    assert {file: count for file, count in lines.items() if count > MOST_LINES} == {}


def test_no_two_modules_define_classes_of_one_name() -> None:
    """A reader who meets a class must not have to guess which one it is."""
    modules: dict[str, set[str]] = defaultdict(set)
    for folder in FOLDERS:
        for file in folder.glob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.ClassDef):
                    modules[node.name].add(name(file))
    assert {one: sorted(files) for one, files in modules.items() if len(files) > 1} == {}
