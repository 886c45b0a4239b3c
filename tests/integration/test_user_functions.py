"""A package with functions, really installed: used by a job, upgraded, removed and installed again under it."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.broker import KafkaBroker
from tests.support.system import System, system, until
from tests.test_docs import ROOT

EXAMPLE = ROOT / "docs" / "examples" / "functions"


class Environment:
    """A folder on the Python path of workers and command lines, into which packages are installed."""

    def __init__(self, folder: Path) -> None:
        self._folder, self.site = folder, folder / "site"
        self.site.mkdir()

    @property
    def path(self) -> str:
        return os.pathsep.join([str(self.site), str(ROOT)])

    def install(self, version: str, *, broken: bool = False) -> None:
        """The example in some version; a broken one knows no word `odd`."""
        source = self._folder / f"source-{version}"
        shutil.copytree(EXAMPLE, source)
        project, module = source / "pyproject.toml", source / "sentiment.py"
        project.write_text(project.read_text().replace('version = "1.0"', f'version = "{version}"'))
        if broken:
            text = module.read_text()
            module.write_text(text.replace("    words = ", '    _ = {}["x"] if "odd" in text else ""\n    words = '))
        options = ["--quiet", "--no-deps", "--no-build-isolation", "--disable-pip-version-check"]
        command = [sys.executable, "-m", "pip", "install", *options, "--target", str(self.site), str(source)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr

    def uninstall(self) -> None:
        shutil.rmtree(self.site)
        self.site.mkdir()


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    return Environment(tmp_path)


@pytest.fixture
def plane(broker: KafkaBroker, tmp_path: Path, environment: Environment) -> Iterator[System]:
    with system(
        broker.bootstrap, "functions.", tmp_path, hosts=1, environment={"PYTHONPATH": environment.path}
    ) as made:
        yield made


def run(plane: System, environment: Environment, sql: str) -> subprocess.CompletedProcess[str]:
    """`jobplane sql` in that environment."""
    command = [sys.executable, "-m", "jobplane", "sql", "-o", "json", "-e", sql]
    return subprocess.run(
        [*command, "--bootstrap", plane.bootstrap, "--prefix", plane.prefix],
        env={**os.environ, "PYTHONPATH": environment.path},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


def another_worker(plane: System) -> str:
    """Stops the worker there is and starts one in its place; what the new one said at its start."""
    plane.workers[-1].stop()
    plane.worker()
    return plane.workers[-1].log.read_text()


def remark(i: int) -> str:
    return ("great, thanks", "late and broken", "a box")[i % 3]


def records(first: int, count: int) -> list[tuple[bytes, bytes]]:
    return [
        (b"k%d" % i, json.dumps({"id": i, "remark": remark(i), "sizes": [i, i + 2]}).encode())
        for i in range(first, first + count)
    ]


def expected(first: int, count: int) -> list[dict[str, object]]:
    moods = {"great, thanks": 2, "late and broken": -2, "a box": 0}
    return [{"id": i, "mood": moods[remark(i)], "means": [float(i), i + 1.0]} for i in range(first, first + count)]


def written(plane: System, sink: str, count: int) -> list[dict[str, object]]:
    found = [json.loads(value or b"null") for value in plane.await_values(sink, count)]
    return sorted(found, key=lambda row: int(row["id"]))


def test_a_package_from_its_installation_to_its_return(plane: System, environment: Environment) -> None:
    environment.install("1.0", broken=True)
    plane.worker()
    source, sink = plane.topic("in"), plane.topic("out")
    create = f"""CREATE JOB moods AS INSERT INTO "{sink}"
                 SELECT id, SENTIMENT(remark) AS mood, moving_average(sizes) AS means FROM "{source}" """
    plane.produce(source, records(0, 60))

    # used by a job
    shown = {row["name"]: row for row in json.loads(run(plane, environment, "SHOW FUNCTIONS").stdout)["rows"]}
    assert (shown["SENTIMENT"]["package"], shown["UPPER"]["package"]) == ("sentiment 1.0", "")
    assert shown["MOVING_AVERAGE"]["signature"].endswith("ARRAY<DOUBLE>[, width BIGINT]) → ARRAY<DOUBLE>")
    explained = json.loads(run(plane, environment, f"EXPLAIN {create}").stdout)["rows"]
    assert {"part": "package", "detail": "sentiment 1.0"} in explained
    analyzed = run(plane, environment, f"EXPLAIN ANALYZE {create}")
    assert analyzed.returncode == 0, analyzed.stderr
    assert '"mood":-2' in analyzed.stdout.replace("\\", "").replace(" ", "")
    plane.done(create)
    assert written(plane, sink, 60) == expected(0, 60)
    assert plane.about("DESCRIBE JOB moods")["packages"] == ["sentiment 1.0"]
    refused = plane.sql(f'CREATE JOB typo AS INSERT INTO "{sink}" SELECT SENTIMNT(remark) AS mood FROM "{source}"')
    assert refused.reply is not None
    assert (refused.reply.code, refused.reply.message) == (
        "unknown-function",
        "there is no function SENTIMNT; did you mean 'SENTIMENT'?",
    )

    # what it raises is its record's error
    plane.produce(source, [(b"odd", b'{"id": 60, "remark": "an odd one", "sizes": [1]}')], partition=0)
    until(lambda: plane.jobs()["moods"]["status"] == "SUSPENDED", 30, "the job is suspended")
    assert plane.jobs()["moods"]["failure"].startswith(f"BAD_RECORD: SENTIMENT: KeyError: 'x' ({source}-0@")
    assert len(plane.values(sink)) == 60

    # removed: the job is suspended and says why; it still gives a snapshot, and others run
    environment.uninstall()
    another_worker(plane)
    result = plane.sql("ALTER JOB moods RESUME")
    worker = plane.workers[-1]
    assert "FUNCTION_MISSING: the query calls functions of package sentiment 1.0, which worker functions.worker-" in (
        result.failure
    )
    assert "does not have: it is not installed there; install sentiment 1.0 there" in result.failure
    until(lambda: plane.jobs()["moods"]["status"] == "SUSPENDED", 30, "the job is suspended")
    plane.done("CREATE SNAPSHOT kept FOR JOB moods")
    copies = plane.topic("copies")
    plane.done(f'CREATE JOB other AS INSERT INTO "{copies}" SELECT id FROM "{source}"')
    plane.await_values(copies, 61)
    plane.done("DROP JOB other")
    assert worker.process.poll() is None
    unknown = run(plane, environment, f"EXPLAIN {create}")
    assert unknown.returncode == 4
    assert "there is no function SENTIMENT" in unknown.stderr

    # installed again, mended and in another version: the job goes on from its last commit
    environment.install("1.1")
    another_worker(plane)
    plane.done("ALTER JOB moods RESUME")
    plane.produce(source, records(61, 30))
    mended = {"id": 60, "mood": 0, "means": [1.0]}
    assert written(plane, sink, 91) == [*expected(0, 60), mended, *expected(61, 30)]
    other = "sentiment 1.1 here, job was created with 1.0"
    until(lambda: {row["trouble"] for row in plane.rows("DESCRIBE JOB moods")} == {other}, 30, "the version is told")
    plane.done("DROP JOB moods")
    assert len(plane.values(sink)) == 91


def test_what_is_wrong_with_a_function_is_said_by_the_worker_and_to_who_calls_it(
    plane: System, environment: Environment
) -> None:
    environment.install("1.0")
    module = environment.site / "sentiment.py"
    module.write_text(module.read_text().replace("def sentiment(text: str)", "def sentiment(text)"))
    plane.worker()
    source, sink = plane.topic("wrong-in"), plane.topic("wrong-out")
    reason = (
        "function SENTIMENT of package sentiment 1.0 (sentiment:sentiment) is not offered: "
        "parameter 'text' has no annotation"
    )
    assert reason in plane.workers[-1].log.read_text()
    refused = plane.sql(f'CREATE JOB moods AS INSERT INTO "{sink}" SELECT SENTIMENT(remark) AS mood FROM "{source}"')
    assert refused.reply is not None
    assert (refused.reply.code, refused.reply.message) == ("unknown-function", reason)
    shown = run(plane, environment, "SHOW FUNCTIONS")
    assert reason in shown.stderr
    assert {"SENTIMENT", "MOVING_AVERAGE"} & {row["name"] for row in json.loads(shown.stdout)["rows"]} == {
        "MOVING_AVERAGE"
    }


def test_what_a_function_prints_and_how_it_exits_harm_nobody(plane: System, environment: Environment) -> None:
    """Its output is the worker's log, its input is empty, and sys.exit() ends no host."""
    environment.install("1.0")
    module = environment.site / "sentiment.py"
    text = module.read_text().replace("    words = ", '    print("saw", text)\n    sys.stdin.read()\n    words = ')
    text = text.replace("import re\n", "import re\nimport sys\n").replace(
        "if width < 1:", "if width < 2:\n        sys.exit(3)"
    )
    module.write_text(text)
    plane.worker()
    source, sink = plane.topic("loud-in", 1), plane.topic("loud-out", 1)
    plane.produce(source, records(0, 30))
    plane.done(f'CREATE JOB loud AS INSERT INTO "{sink}" SELECT id, SENTIMENT(remark) AS mood FROM "{source}"')
    assert len(plane.await_values(sink, 30)) == 30
    assert "saw late and broken" in plane.workers[-1].log.read_text()
    hosts = plane.workers[-1].host_pids()
    plane.done("DROP JOB loud")
    plane.sql(f'CREATE JOB exits AS INSERT INTO "{sink}" SELECT MOVING_AVERAGE(sizes, 1) AS m FROM "{source}"')
    until(lambda: plane.jobs()["exits"]["status"] == "SUSPENDED", 30, "the job is suspended")
    assert "BAD_RECORD: MOVING_AVERAGE: SystemExit: 3" in plane.jobs()["exits"]["failure"]
    assert plane.workers[-1].host_pids() == hosts


def approvals(plane: System, sink: str) -> dict[str, float | None]:
    """The newest row of each group."""
    rows = [json.loads(value or b"null") for value in plane.values(sink)]
    return {row["shop"]: row["approval"] for row in rows}


def test_an_aggregate_from_its_installation_to_its_return(plane: System, environment: Environment) -> None:
    environment.install("1.0")
    plane.worker()
    source, sink = plane.topic("texts", 2), plane.topic("approvals", 1, cleanup_policy="compact")

    def say(*texts: str) -> None:
        for i, text in enumerate(texts):
            plane.produce(source, [(b"k", json.dumps({"shop": "Ulm", "remark": text}).encode())], partition=i % 2)

    shown = {row["name"]: row for row in json.loads(run(plane, environment, "SHOW FUNCTIONS").stdout)["rows"]}
    assert shown["APPROVAL"]["signature"] == "APPROVAL(text VARCHAR) → DOUBLE"
    assert shown["APPROVAL"]["package"] == "sentiment 1.0"
    create = f"""CREATE JOB approval OPTIONS (parallelism '1', stateIntervalMillis '300') AS INSERT INTO "{sink}"
                 SELECT shop, APPROVAL(remark) AS approval FROM "{source}" GROUP BY shop"""
    say("great", "sad", "a box", "bad")
    analyzed = run(plane, environment, f"EXPLAIN ANALYZE {create}")
    assert analyzed.returncode == 0, analyzed.stderr
    assert '"approval":0.3333' in analyzed.stdout.replace("\\", "").replace(" ", "")
    plane.done(create)
    until(lambda: approvals(plane, sink) == {"Ulm": 1 / 3}, 30, "the share is there")
    assert plane.about("DESCRIBE JOB approval")["packages"] == ["sentiment 1.0"]

    # removed: the job is suspended, and keeps its groups
    environment.uninstall()
    another_worker(plane)
    until(lambda: plane.jobs()["approval"]["status"] == "SUSPENDED", 60, "the job is suspended")
    assert "FUNCTION_MISSING: the query calls functions of package sentiment 1.0" in plane.jobs()["approval"]["failure"]
    environment.install("1.1")
    another_worker(plane)
    plane.done("ALTER JOB approval RESUME")
    say("thanks", "love")
    until(lambda: approvals(plane, sink) == {"Ulm": 3 / 5}, 30, "the groups go on")

    # what merge raises suspends the job, and the host lives on
    module = environment.site / "sentiment.py"
    text = module.read_text()
    module.write_text(
        text.replace("        return state[0] + later[0]", "        raise SystemExit(7)\n        return 0")
    )
    another_worker(plane)
    hosts = plane.workers[-1].host_pids()
    say("sad")
    until(lambda: plane.jobs()["approval"]["status"] == "SUSPENDED", 60, "the job is suspended")
    assert "GROUP_FAILED: the group 'Ulm': APPROVAL.merge: SystemExit: 7" in plane.jobs()["approval"]["failure"]
    assert plane.workers[-1].host_pids() == hosts
    module.write_text(text)
    another_worker(plane)
    plane.done("ALTER JOB approval RESUME")
    until(lambda: approvals(plane, sink) == {"Ulm": 3 / 6}, 30, "the groups go on again")
    plane.done("DROP JOB approval")
