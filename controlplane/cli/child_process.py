"""Runs the command line as long as its parent: when standard input closes, the process is asked to end."""

import os
import signal
import sys
import threading

from jobplane.controlplane.cli.main import main


def _end_with_parent() -> None:
    while os.read(sys.stdin.fileno(), 1024):  # not through sys.stdin: a thread in its lock breaks Python's exit
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    threading.Thread(target=_end_with_parent, daemon=True).start()
    main()
