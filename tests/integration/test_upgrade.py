"""A data folder of an older version goes on under this one, and each record has its effect once."""

from pathlib import Path
from typing import Any

import pytest

from jobplane.controlplane.client.client import Client
from jobplane.controlplane.embedded.broker import Broker
from tests.support.data_folders import PREFIX, VERSIONS, DataFolder, install_package
from tests.support.system import System, jobplane, system, until


@pytest.mark.parametrize("version", VERSIONS)
def test_a_data_folder_of_an_older_version_goes_on_exactly_once(version: str, tmp_path: Path) -> None:
    folder = DataFolder(version)
    expected = folder.expected
    folder.unpack(tmp_path / "data")
    install_package(tmp_path / "site")
    environment = {"PYTHONPATH": str(tmp_path / "site")}
    with (
        Broker(tmp_path / "data" / "kafka") as broker,
        system(broker.bootstrap, PREFIX, tmp_path, hosts=1, environment=environment) as plane,
    ):
        require_recorded_answers(plane, expected["answers"])
        require_verified(plane)
        worker = plane.worker()
        client = Client(plane.settings)
        jobs: dict[str, Any] = {**expected["jobs"], **expected["new_jobs"]}
        commands = [client.emit(job["goes_on"]) for job in jobs.values() if job["goes_on"]]
        for topic, produced in expected["produce"].items():
            records = [(key.encode(), value.encode(produced["encoding"])) for key, value in produced["records"]]
            plane.produce(topic, records, timestamp=expected["timestamp"])
        assert [result for result in map(client.wait, commands) if result.failure or result.timed_out] == []
        wanted = {name: job["after"] for name, job in jobs.items()}
        until(lambda: statuses(plane, jobs) == wanted, 60, f"the jobs are {wanted}")
        for name, job in jobs.items():
            until(lambda j=job: holds(plane, j), 60, f"all records are in the sink of {name}")  # type: ignore[misc]
        require_letters(plane, expected["letters"])

        repeated = client.execute("DROP JOB IF EXISTS never", command_id="an id").reply
        assert (repeated and repeated.verdict) == "unchanged", "command ids are remembered"
        plane.done("CREATE SNAPSHOT monday FOR JOB functions")
        plane.done("DROP JOB again WITH SNAPSHOT last")
        require_verified(plane)
        worker.stop()
        assert [name for name, job in jobs.items() if not job["repeats"] and written(plane, job) != job["values"]] == []


def require_recorded_answers(plane: System, answers: dict[str, list[dict[str, Any]]]) -> None:
    """What is asked of the log has the answers that the older version gave; there may be more in them by now."""
    for text, rows in answers.items():
        now = plane.rows(text)
        assert len(now) == len(rows), text
        assert [{name: row[name] for name in before} for row, before in zip(now, rows, strict=True)] == rows, text


def require_verified(plane: System) -> None:
    ran = jobplane(plane, "replay")
    assert ran.returncode == 0, ran.stdout + ran.stderr


def statuses(plane: System, jobs: dict[str, Any]) -> dict[str, str]:
    now = plane.jobs()
    return {name: now[name]["status"] if name in now else "" for name in jobs}


def written(plane: System, job: dict[str, Any]) -> list[str]:
    return sorted((value or b"").decode(job["encoding"]) for value in plane.values(job["sink"]))


def holds(plane: System, job: dict[str, Any]) -> bool:
    """Whether all is there; a job that may repeat itself may have written more."""
    found = written(plane, job)
    return set(found) == set(job["values"]) if job["repeats"] else len(found) >= len(job["values"])


def require_letters(plane: System, values: list[str]) -> None:
    """Each bad record is one dead letter, and one more where it was tried again."""

    def letters() -> list[str]:
        found = [
            (message.value() or b"").decode()
            for message in plane.read(f"{PREFIX}dead-letters")
            if ("jobplane-job", b"letters") in (message.headers() or ())
        ]
        return sorted(found)

    until(lambda: len(letters()) >= len(values), 30, "all dead letters are there")
    assert letters() == sorted(values)
