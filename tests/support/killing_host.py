"""A task host that ends itself with SIGKILL at a numbered step, once: for jobs named `kill_<step>_<times>[_<more>]`,
and for the retry of one named `again_<step>_<times>`.

The n-th time the step is reached, over all tasks of the job in this process; a file in KILL_FOLDER marks that it was.
"""

import os
import re
import signal
from collections import Counter
from pathlib import Path

from jobplane.processors.host import main
from jobplane.schemas.records.tasks import Task

FOLDER = Path(os.environ["KILL_FOLDER"])
_NAME = re.compile(r"(?:kill|again(?=.*\.retry$))_(\d+)_(\d+)(?:_[a-z]+|\.retry)?")
_reached: Counter[str] = Counter()


def hook(task: Task, step: int) -> None:
    found = _NAME.fullmatch(task.job)
    if found is None or step != int(found[1]):
        return
    _reached[task.job] += 1
    if _reached[task.job] == int(found[2]) and not (FOLDER / task.job).exists():
        (FOLDER / task.job).touch()
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main(hook)
