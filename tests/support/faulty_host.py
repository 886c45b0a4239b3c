"""A task host in which a numbered step raises what nobody foresees, once: for jobs named `fault_<step>`.

A file in FAULT_FOLDER marks that it was raised.
"""

import os
from pathlib import Path

from jobplane.processors.host import main
from jobplane.schemas.records.tasks import Task

FOLDER = Path(os.environ["FAULT_FOLDER"])


def hook(task: Task, step: int) -> None:
    if task.job == f"fault_{step}" and not (FOLDER / task.job).exists():
        (FOLDER / task.job).touch()
        raise KeyError(task.job)


if __name__ == "__main__":
    main(hook)
