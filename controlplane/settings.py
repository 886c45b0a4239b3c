"""Settings: flag, else JOBPLANE_* environment, else jobplane.toml, else default. One field here is one setting.

librdkafka properties pass through: JOBPLANE_KAFKA_SECURITY_PROTOCOL, or security.protocol under [kafka] in the file; so
do those of the schema registry's client: JOBPLANE_REGISTRY_URL, or url under [registry].
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Self

from schemas.errors import BadSetting

ENVIRONMENT = "JOBPLANE_"
KAFKA = "JOBPLANE_KAFKA_"
REGISTRY = "JOBPLANE_REGISTRY_"
FILE = "jobplane.toml"
LONGEST_ISSUER = 500
"""Characters that a command's issued-by may have."""
_NOT_SETTINGS = frozenset({"JOBPLANE_JAVA_HOME", "JOBPLANE_CACHE", "JOBPLANE_TRACEBACK"})


_KINDS = {int: "a whole number", float: "a number", str: "a text"}


def _setting(default: Any, doc: str) -> Any:
    return field(default=default, metadata={"doc": doc})


@dataclass(frozen=True, slots=True)
class Settings:
    bootstrap: str = _setting("127.0.0.1:9092", "Kafka's address, host:port[,host:port …].")
    prefix: str = _setting("jobplane.", "Prefix of all control topics: one prefix is one isolated control plane.")
    issued_by: str = _setting("", "Who sends commands, as SHOW HISTORY and the events say it; empty: user@host.")
    replication_factor: int = _setting(0, "Replicas of the control topics; 0: at most 3, as many as there are brokers.")
    web_host: str = _setting("127.0.0.1", "Address the worker's web server listens on.")
    web_port: int = _setting(6066, "Port of the worker's web server; 0 picks a free one.")
    hosts: int = _setting(0, "Task hosts (processes) of a worker; 0: one a core.")
    session_timeout: float = _setting(6.0, "Seconds of silence after which a worker counts as lost.")
    data: str = _setting(".jobplane", "Folder of the embedded broker and of the workers' files.")
    host_module: str = _setting("processors.host", "Python module run as task host.")
    kafka: dict[str, str] = field(default_factory=dict)
    registry: dict[str, str] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if not self.prefix or any(c.isspace() or c == "/" for c in self.prefix):
            raise BadSetting(f"prefix '{self.prefix}' cannot begin a topic's name")
        if len(self.issued_by) > LONGEST_ISSUER or not self.issued_by.isprintable():
            raise BadSetting(f"issued_by has at most {LONGEST_ISSUER} characters, all of them printable")
        if not 2.0 <= self.session_timeout <= 300.0:
            raise BadSetting(f"session_timeout {self.session_timeout} is not between 2 and 300 seconds")
        if self.registry and not self.registry.get("url"):
            raise BadSetting(f"the schema registry has {', '.join(self.registry)} and no url; set {REGISTRY}URL")

    @classmethod
    def load(cls, flags: Mapping[str, Any], environment: Mapping[str, str], folder: Path) -> Self:
        """Raises BadSetting with the place a wrong value came from."""
        file = folder / FILE
        try:
            loaded = tomllib.loads(file.read_text()) if file.exists() else {}
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as bad:
            raise BadSetting(f"{file}: {bad}") from None
        kafka = _passed("kafka", KAFKA, loaded, environment)
        registry = _passed("registry", REGISTRY, loaded, environment)
        named = {
            name.removeprefix(ENVIRONMENT).lower(): value
            for name, value in environment.items()
            if name.startswith(ENVIRONMENT) and not name.startswith((KAFKA, REGISTRY)) and name not in _NOT_SETTINGS
        }
        settings = cls(kafka=kafka, registry=registry)
        for origin, values in ((str(file), loaded), ("environment", named), ("command line", flags)):
            settings = _with(settings, origin, values)
        return settings


def _passed(table: str, prefix: str, loaded: dict[str, Any], environment: Mapping[str, str]) -> dict[str, str]:
    """Properties that pass through to a client: of a table in the file, and of the environment, which wins."""
    found = {name: str(value) for name, value in _flat(loaded.pop(table, {})).items()}
    return found | {
        name.removeprefix(prefix).lower().replace("_", "."): value
        for name, value in environment.items()
        if name.startswith(prefix)
    }


def _with(settings: Any, origin: str, values: Mapping[str, Any]) -> Any:
    known = {one.name: one for one in fields(Settings) if one.name not in ("kafka", "registry")}
    changes = {}
    for name, value in values.items():
        if value is None:
            continue
        if name not in known:
            raise BadSetting(f"{origin}: there is no setting '{name}'; settings are {', '.join(known)}")
        kind: Any = known[name].type
        try:
            changes[name] = kind(value)
        except (TypeError, ValueError):
            raise BadSetting(f"{origin}: {name} is {_KINDS[kind]}, not '{value}'") from None
    return replace(settings, **changes)


def _flat(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in table.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat
