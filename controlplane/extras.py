"""Optional dependencies: the client and most commands work without them.

A command checks for its extra before it imports the extra's modules, so the error names the missing extra.
"""

from importlib.util import find_spec

from jobplane.schemas.setup_errors import ExtraMissing

_WORKER = ("aiokafka", "cramjam", "faust", "prometheus_client")
EXTRAS = {"worker": _WORKER, "dev": (*_WORKER, "jgo", "requests")}
"""The modules that each extra must install. `dev` also installs a Java, for machines without one."""


def require_extra(name: str, user: str) -> None:
    """Raises ExtraMissing if a module of the extra is not installed; `user` is the command that needs it."""
    if missing := [module for module in EXTRAS[name] if find_spec(module) is None]:
        lacks = ", ".join(missing)
        raise ExtraMissing(f"{user} needs the extra '{name}' (missing: {lacks}): {install_command(name)}")


def install_command(name: str) -> str:
    """The shell command that installs an extra."""
    return f"pip install 'jobplane[{name}]'"
