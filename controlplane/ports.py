"""TCP ports of this machine: which are free, and what is said when one is not."""

import random
import socket

from jobplane.schemas.setup_errors import PortTaken

HOST = "127.0.0.1"
LAST_PORT = 65_535
PORTS = range(20_000, 30_000)
"""Free ports are taken from here, below those the kernel gives to clients: one that knocks on a broker that is down
must not be given the broker's port as its own."""


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on now."""
    for port in random.sample(PORTS, len(PORTS)):
        if is_free(port):
            return port
    raise PortTaken(f"no port of {HOST} between {PORTS.start} and {PORTS.stop - 1} is free")


def require_free(port: int, flag: str = "--port") -> None:
    """Raises PortTaken, naming the flag by which to choose another, where somebody listens on the port of 127.0.0.1."""
    if not is_free(port):
        raise PortTaken(
            f"port {port} of {HOST} is taken by another process; "
            f"stop that process, or choose another port with {flag} (0 picks a free one)"
        )


def is_free(port: int) -> bool:
    """Whether nobody listens on the port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True
