"""A task host that ends itself with SIGKILL at a step, once: for jobs named `kill_<step>_<times>[_<more>]`, and for the
retry of one named `again_<step>_<times>`.

The n-th time the step is reached, over all tasks of the job in this process; a file in KILL_FOLDER marks that it was.
"""

import os
import re
import signal
from collections import Counter
from pathlib import Path

from jobplane.processors.host import main
from jobplane.processors.protocol.steps import Step

FOLDER = Path(os.environ["KILL_FOLDER"])
_NAME = re.compile(r"(?:kill|again(?=.*\.retry$))_([a-z_]+?)_(\d+)(?:_[a-z]+|\.retry)?")
_reached: Counter[str] = Counter()


def hook(job: str, step: Step) -> None:
    found = _NAME.fullmatch(job)
    if found is None or step != found[1]:
        return
    _reached[job] += 1
    if _reached[job] == int(found[2]) and not (FOLDER / job).exists():
        (FOLDER / job).touch()
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main(hook)
