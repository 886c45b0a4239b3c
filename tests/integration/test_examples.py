"""The examples of the documentation, run as they stand on a real broker."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from confluent_kafka.admin import NewTopic

from jobplane.controlplane.client.client import Client
from jobplane.controlplane.embedded import jars
from tests.support.broker import KafkaBroker
from tests.support.system import System, system
from tests.test_docs import FENCE, ROOT, blocks

EXAMPLES = ROOT / "docs" / "examples"
COMMANDS = [text for language, text in blocks(ROOT / "docs" / "commands.md") if language == "sh"]
KCAT = [text for text in COMMANDS if "kcat -P" in text]
FIVE_MINUTES = [
    (found[1], found[2])
    for found in FENCE.finditer((ROOT / "README.md").read_text().split("## Five minutes")[1].split("\n## ")[0])
]
TOPICS = ("orders", "big_orders", "copies", "answers")


@pytest.fixture(scope="module")
def plane(broker: KafkaBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """The examples name topics as a reader would: they are there while these tests run."""
    with system(broker.bootstrap, "examples.", tmp_path_factory.mktemp("examples"), hosts=1) as made:
        for future in made.admin.create_topics([NewTopic(one, 1, 1) for one in TOPICS]).values():
            future.result(10)
        made.worker()
        yield made
        for one in TOPICS:
            made.delete_topic(one)


def run(plane: System, *words: str, folder: Path | None = None) -> str:
    """What a program prints; it must end well."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("JOBPLANE_")}
    environment |= {"JOBPLANE_BOOTSTRAP": plane.bootstrap, "JOBPLANE_PREFIX": plane.prefix, "PYTHONUNBUFFERED": "1"}
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        words, env=environment, cwd=folder or plane.folder, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_python(plane: System) -> None:
    lines = run(plane, sys.executable, str(EXAMPLES / "python" / "statements.py")).splitlines()
    assert lines[:5] == [
        *("created RUNNING", "job big RUNNING", "suspended SUSPENDED", "refused job-not-found", "dropped CANCELLED")
    ]
    assert [line.split()[-1] for line in lines[5:]] == ["JobSuspended", "CommandRefused", "JobDropped", "JobClosed"]


def test_python_with_asyncio(plane: System) -> None:
    lines = run(plane, sys.executable, str(EXAMPLES / "python" / "side_by_side.py")).splitlines()
    told = [line for line in lines if not line.startswith("event")]
    assert sorted(told) == ["east CANCELLED", "east RUNNING", "west CANCELLED", "west RUNNING"]
    assert {"event east JobCreated", "event west JobCreated"} <= set(lines)


def test_java(plane: System, tmp_path: Path) -> None:
    if shutil.which("javac") is None:
        pytest.skip("no javac is installed")
    libraries = os.pathsep.join(map(str, jars.resolve()))
    run(plane, "javac", "-cp", libraries, "-d", str(tmp_path), str(EXAMPLES / "java" / "SendCommand.java"))
    java = Path(str(shutil.which("javac"))).resolve().with_name("java")
    classes = os.pathsep.join([str(tmp_path), libraries])
    said = run(
        plane, str(java), "-cp", classes, "SendCommand", plane.bootstrap, plane.prefix, "answers", "DROP JOB nobody"
    )
    reply = json.loads(said)
    assert (reply["verdict"], reply["code"]) == ("refused", "job-not-found")
    with Client(plane.settings) as client:
        assert client.wait(reply["command_id"]).sent.offset == reply["offset"]
        told = [entry.event.cause for entry in client.events() if entry.event.cause.offset == reply["offset"]]
    assert told[-1].issued_by == "SendCommand.java"


def test_the_five_minutes_of_the_readme(plane: System) -> None:
    """Its blocks in their order, but for those that start Kafka and that need kcat, with topics of their own names."""
    begin, *script = [text for language, text in FIVE_MINUTES if language == "sh" and "kcat" not in text]
    assert "jobplane dev" in begin
    program = re.sub(r"\b(orders|big_orders|big|monday|last)\b(?!\.)", r"five_\1", "\n".join(script))
    said = run(plane, "bash", "-euo", "pipefail", "-c", f'PATH="{Path(sys.executable).parent}:$PATH"\n{program}')
    shown = next(text for language, text in FIVE_MINUTES if language == "text" and "accepted" in text)
    for promised in ("accepted job big RUNNING", *re.findall(r"\{.*\}", shown)):
        assert promised in said.replace("five_", "")
    python = next(text for language, text in FIVE_MINUTES if language == "python")
    python = (
        python.replace("127.0.0.1:9092", plane.bootstrap)
        .replace('"big', '"five_big')
        .replace("JOB big", "JOB five_big")
    )
    python = python.replace(f'Client("{plane.bootstrap}")', f'Client("{plane.bootstrap}", prefix="{plane.prefix}")')
    assert run(plane, sys.executable, "-c", python).startswith("True SUSPENDED ")
    plane.sql("DROP JOB five_big")
    for topic in ("five_orders", "five_big_orders"):
        plane.delete_topic(topic)


@pytest.mark.parametrize("text", KCAT, ids=range(len(KCAT)))
def test_kcat(plane: System, tmp_path: Path, text: str) -> None:
    """Each block of the page on commands: what it sends is carried out, and what it reads is there."""
    if shutil.which("kcat") is None:
        pytest.skip("no kcat is installed")
    (tmp_path / "create.sql").write_text("CREATE JOB IF NOT EXISTS big AS\nINSERT INTO copies SELECT *\nFROM orders;\n")
    before = plane.ends(f"{plane.prefix}commands")[0]
    script = text.replace("127.0.0.1:9092", plane.bootstrap).replace("jobplane.", plane.prefix)
    script = re.sub(r"\bkcat\b", "timeout 20 kcat", script)
    said = run(plane, "bash", "-euo", "pipefail", "-c", script, folder=tmp_path)
    assert ('"verdict":' in said) == ("kcat -C" in text)
    sent = text.count("kcat -P")
    assert plane.ends(f"{plane.prefix}commands")[0] == before + sent
    assert verdicts(plane, range(before, before + sent)) <= {"accepted", "unchanged"}
    plane.sql("DROP JOB IF EXISTS big")


def verdicts(plane: System, offsets: Sequence[int]) -> set[str]:
    with Client(plane.settings) as client:
        replies = [client.wait(offset).reply for offset in offsets]
    assert None not in replies
    return {reply.verdict for reply in replies if reply is not None}
