"""docs/asyncapi.json is drawn from the code, whole in itself, and sound AsyncAPI.

UPDATE_DOCS=1 writes it anew. AsyncAPI's own JSON schema is asked where npm can fetch it or has done so.
"""

import fcntl
import json
import os
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastavro.schema import to_parsing_canonical_form

from jobplane.controlplane.embedded.jars import cache_folder
from jobplane.controlplane.topics import TOPICS
from jobplane.schemas.wire.codec import schema
from tests.support.asyncapi import ABOUT, AVRO, document

ROOT = Path(__file__).parents[2]
FILE = ROOT / "docs" / "asyncapi.json"
CHECK = ROOT / "tests" / "support" / "asyncapi_schema"


@pytest.fixture
def drawn() -> dict[str, Any]:
    return document(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"])


def test_the_document_is_up_to_date(drawn: dict[str, Any]) -> None:
    text = json.dumps(drawn, indent=1, ensure_ascii=False) + "\n"
    before = FILE.read_text() if FILE.exists() else ""
    if os.environ.get("UPDATE_DOCS"):
        FILE.write_text(text)
    assert before == text


def test_every_topic_and_every_schema_is_in_it(drawn: dict[str, Any]) -> None:
    assert set(drawn["channels"]) == {one.name for one in TOPICS} | {"replies"}
    assert set(ABOUT) == {one.name for one in TOPICS}
    avro = {name: one for name, one in drawn["components"]["schemas"].items() if one.get("schemaFormat") == AVRO}
    assert set(avro) == {file.stem for file in (ROOT / "schemas" / "avsc").glob("*.avsc")}
    for name, one in avro.items():
        assert to_parsing_canonical_form(one["schema"]) == to_parsing_canonical_form(schema(name))
    carried = {name for channel in drawn["channels"].values() for name in channel["messages"]}
    assert carried == set(drawn["components"]["messages"])


def test_every_reference_leads_somewhere(drawn: dict[str, Any]) -> None:
    found = list(references(drawn))
    assert len(found) > 30
    for reference in found:
        at: Any = drawn
        for step in reference.removeprefix("#/").split("/"):
            assert step in at, reference
            at = at[step]


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inside in value.items():
            if key == "$ref":
                yield inside
            else:
                yield from references(inside)
    elif isinstance(value, list):
        for inside in value:
            yield from references(inside)


def test_asyncapi_has_nothing_against_it(drawn: dict[str, Any], tmp_path: Path) -> None:
    assert problems(drawn, tmp_path) == ""
    del drawn["info"]["title"]
    assert "must have required property 'title'" in problems(drawn, tmp_path)


def problems(drawn: dict[str, Any], folder: Path) -> str:
    file = folder / "document.json"
    file.write_text(json.dumps(drawn))
    command = ["node", str(CHECK / "check.cjs"), str(file)]
    done = subprocess.run(command, cwd=packages(), capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == ""
    return done.stdout


def packages() -> Path:
    """A folder with the packages of the lock, fetched once; skips the test where that cannot be done."""
    folder = cache_folder() / "asyncapi"
    if shutil.which("npm") is None or shutil.which("node") is None:
        pytest.skip("no npm is installed")
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        pinned = (CHECK / "package-lock.json").read_bytes()
        copied = folder / "package-lock.json"
        if not (folder / ".whole").exists() or copied.read_bytes() != pinned:
            (folder / ".whole").unlink(missing_ok=True)
            for name in ("package.json", "package-lock.json"):
                shutil.copyfile(CHECK / name, folder / name)
            command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1"]
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=180, check=False)
            if done.returncode:
                pytest.skip(f"npm could not fetch the schema of AsyncAPI: {done.stderr.strip()[:200]}")
            (folder / ".whole").touch()
    return folder
