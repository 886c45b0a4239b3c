"""What jobplane installs only on request: the client and the command line need none of it.

A command checks for its extra before it imports what the extra brings, so a missing one is an error that names it.
"""

from importlib.util import find_spec

from jobplane.schemas.setup_errors import ExtraMissing

_WORKER = ("aiokafka", "cramjam", "faust", "prometheus_client")
EXTRAS = {"worker": _WORKER, "dev": (*_WORKER, "jgo", "requests")}
"""The modules that each extra must bring. `dev` brings a Java as well, for machines without one."""


def require_extra(name: str, user: str) -> None:
    """Raises ExtraMissing where a module of the extra that `user` needs is not installed."""
    if missing := [module for module in EXTRAS[name] if find_spec(module) is None]:
        lacks = ", ".join(missing)
        raise ExtraMissing(f"{user} needs the extra '{name}' (missing: {lacks}): {install_command(name)}")


def install_command(name: str) -> str:
    """What a person types to install an extra."""
    return f"pip install 'jobplane[{name}]'"
