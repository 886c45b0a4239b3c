"""Finds and checks free TCP ports of this machine."""

import random
import socket

from jobplane.schemas.setup_errors import PortTaken

HOST = "127.0.0.1"
LAST_PORT = 65_535
PORTS = range(20_000, 30_000)
"""Free ports are chosen below the range that the kernel gives to clients: a client that connects to a broker that is
down must not get the broker's port as its own port."""


def free_port() -> int:
    """A TCP port of 127.0.0.1 on which no process listens now. Raises PortTaken."""
    for port in random.sample(PORTS, len(PORTS)):
        if is_free(port):
            return port
    raise PortTaken(f"no port of {HOST} between {PORTS.start} and {PORTS.stop - 1} is free")


def require_free(port: int, flag: str = "--port") -> None:
    """Raises PortTaken if a process listens on the port of 127.0.0.1; the message names the flag for another port."""
    if not is_free(port):
        raise PortTaken(
            f"port {port} of {HOST} is taken by another process; "
            f"stop that process, or choose another port with {flag} (0 picks a free one)"
        )


def is_free(port: int) -> bool:
    """Whether no process listens on the port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True
