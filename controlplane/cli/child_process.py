"""Runs the command line no longer than its parent: when standard input closes, the process gets SIGTERM."""

import os
import signal
import sys
import threading

from jobplane.controlplane.cli.main import main


def _end_with_parent() -> None:
    while os.read(sys.stdin.fileno(), 1024):  # not sys.stdin.read: a thread that has its lock breaks Python's exit
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    threading.Thread(target=_end_with_parent, daemon=True).start()
    main()
