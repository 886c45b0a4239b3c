"""SQL job control on Apache Kafka.

    with Client("kafka:9092") as client:
        result = client.execute("ALTER JOB big SUSPEND", command_id="suspend-7")

The names in `__all__` are public; everything else below `jobplane` may change with any version. A name is imported when
it is first used: the command line begins here too, and must not wait for Kafka's client. In the repository the folders
of this package are links to those beside it.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jobplane.controlplane.client.async_client import AsyncClient
    from jobplane.controlplane.client.client import Client
    from jobplane.controlplane.client.result import Result, Sent
    from jobplane.controlplane.settings import Settings
    from jobplane.schemas.errors import CommandNotFound, JobNotFound, JobplaneError, Refused
    from jobplane.schemas.setup_errors import (
        BadSetting,
        CredentialsRefused,
        KafkaSilent,
        KafkaUnreachable,
        NotSetUp,
        SetupError,
    )

    __version__: str

__all__ = [
    "AsyncClient",
    "BadSetting",
    "Client",
    "CommandNotFound",
    "CredentialsRefused",
    "JobNotFound",
    "JobplaneError",
    "KafkaSilent",
    "KafkaUnreachable",
    "NotSetUp",
    "Refused",
    "Result",
    "Sent",
    "Settings",
    "SetupError",
    "__version__",
]

_MODULES = {
    "jobplane.controlplane.client.async_client": ("AsyncClient",),
    "jobplane.controlplane.client.client": ("Client",),
    "jobplane.controlplane.client.result": ("Result", "Sent"),
    "jobplane.controlplane.settings": ("Settings",),
    "jobplane.schemas.errors": ("CommandNotFound", "JobNotFound", "JobplaneError", "Refused"),
    "jobplane.schemas.setup_errors": (
        "BadSetting",
        "CredentialsRefused",
        "KafkaSilent",
        "KafkaUnreachable",
        "NotSetUp",
        "SetupError",
    ),
}

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        from importlib import import_module, metadata

        if name == "__version__":
            return metadata.version("jobplane")
        for module, names in _MODULES.items():
            if name in names:
                return getattr(import_module(module), name)
        raise AttributeError(f"module 'jobplane' has no attribute '{name}'")
