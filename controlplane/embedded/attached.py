"""Runs the command line as long as its parent: when standard input closes, the process is asked to end."""

import os
import signal
import sys
import threading

from controlplane.cli import main


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    threading.Thread(target=_end_with_parent, daemon=True).start()
    main()
