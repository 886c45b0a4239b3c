"""The default issuer of commands."""

import getpass
import os
import socket

from jobplane.controlplane.settings import LONGEST_ISSUER


def user_at_host() -> str:
    """`ann@laptop`; if the process has no user name, as in some containers, `uid-1000@host`."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError, ImportError):  # a KeyError before Python 3.13
        user = f"uid-{os.getuid()}" if hasattr(os, "getuid") else "unknown"
    name = f"{user}@{socket.gethostname()}".encode(errors="replace").decode()
    return "".join(sign for sign in name if sign.isprintable())[:LONGEST_ISSUER]
