"""A task host in which a step raises what nobody foresees, once: for jobs named `fault_<step>`.

A file in FAULT_FOLDER marks that it was raised.
"""

import os
from pathlib import Path

from jobplane.processors.host import main
from jobplane.processors.protocol.steps import Step

FOLDER = Path(os.environ["FAULT_FOLDER"])


def hook(job: str, step: Step) -> None:
    if job == f"fault_{step}" and not (FOLDER / job).exists():
        (FOLDER / job).touch()
        raise KeyError(job)


if __name__ == "__main__":
    main(hook)
