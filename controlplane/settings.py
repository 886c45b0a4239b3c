"""Settings: flag, else JOBPLANE_* environment, else jobplane.toml, else default. One field here is one setting.

Properties of librdkafka pass through: JOBPLANE_KAFKA_SECURITY_PROTOCOL, or security.protocol under [kafka] in the file.
Properties of the schema registry's client pass through too: JOBPLANE_REGISTRY_URL, or url under [registry].
"""

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from math import isfinite
from pathlib import Path
from typing import Any, Self

from jobplane.controlplane.addresses import check_addresses
from jobplane.controlplane.ports import LAST_PORT
from jobplane.schemas.names import is_topic_name
from jobplane.schemas.setup_errors import BadSetting
from jobplane.schemas.suggestions import did_you_mean

ENVIRONMENT = "JOBPLANE_"
KAFKA = "JOBPLANE_KAFKA_"
REGISTRY = "JOBPLANE_REGISTRY_"
FILE = "jobplane.toml"
LONGEST_ISSUER = 500
"""The most characters that issued_by may have."""
RANGES = {
    "replication_factor": (0, 32_767),
    "web_port": (0, LAST_PORT),
    "hosts": (0, 10_000),
    "state_budget": (0, 2**40),
}
"""The least and the greatest value of each integer setting."""
TABLES = ("kafka", "registry")
ENVIRONMENT_ORIGIN = "environment"
LONGEST_TOPIC = "x" * 49
"""The longest name of a control topic after the prefix."""
_NOT_SETTINGS = frozenset({"JOBPLANE_JAVA_HOME", "JOBPLANE_CACHE", "JOBPLANE_TRACEBACK"})
_PREFIXED = (*sorted(_NOT_SETTINGS), f"{KAFKA}…", f"{REGISTRY}…")
_OF_KAFKA = ("security.", "sasl.", "ssl.", "socket.")
_BEFORE_NAME = re.compile(r"(?<=')(?=\w)")
_AT = re.compile(r"\(at line (\d+), column (\d+)\)")


_KINDS = {int: "a whole number", float: "a number", str: "a text"}


def _setting(default: Any, doc: str) -> Any:
    return field(default=default, metadata={"doc": doc})


@dataclass(frozen=True, slots=True)
class Settings:
    bootstrap: str = _setting("127.0.0.1:9092", "Kafka's address, host:port[,host:port …].")
    prefix: str = _setting("jobplane.", "Prefix of all control topics: one prefix is one isolated control plane.")
    issued_by: str = _setting("", "Who sends commands, as SHOW HISTORY and the events show it; empty: user@host.")
    replication_factor: int = _setting(0, "Replicas of the control topics; 0: one per broker, at most 3.")
    web_host: str = _setting("127.0.0.1", "Address the worker's web server listens on.")
    web_port: int = _setting(6066, "Port of the worker's web server; 0 picks a free one.")
    hosts: int = _setting(0, "Task hosts (processes) of a worker; 0: one per core.")
    session_timeout: float = _setting(6.0, "Seconds of silence after which a worker counts as lost.")
    dormant_after: float = _setting(10.0, "Seconds without input after which a task gives back its Kafka clients.")
    state_budget: int = _setting(1024, "MiB of memory for the groups of all tasks of a task host; 0: no limit.")
    data: str = _setting(".jobplane", "Folder for the files of the embedded broker and of the workers.")
    host_module: str = _setting("jobplane.processors.host", "Python module run as task host.")
    kafka: dict[str, str] = field(default_factory=dict)
    registry: dict[str, str] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if not is_topic_name(f"{self.prefix}{LONGEST_TOPIC}") or not self.prefix:
            rule = "use at most 200 ASCII letters, digits, '.', '_' and '-', such as 'shop.'"
            raise BadSetting(f"prefix '{self.prefix}' cannot begin a topic's name: {rule}")
        check_addresses(self.bootstrap)
        for name, (least, most) in RANGES.items():
            if not least <= getattr(self, name) <= most:
                raise BadSetting(f"{name} must be between {least} and {most}, not {getattr(self, name)}")
        if len(self.issued_by) > LONGEST_ISSUER or not self.issued_by.isprintable():
            raise BadSetting(f"issued_by must have at most {LONGEST_ISSUER} characters, all printable")
        if not 2.0 <= self.session_timeout <= 300.0:
            raise BadSetting(f"session_timeout {self.session_timeout} is not between 2 and 300 seconds")
        if not 0.0 <= self.dormant_after <= 86_400.0:
            raise BadSetting(f"dormant_after {self.dormant_after} is not between 0 and 86400 seconds")
        if self.registry and not self.registry.get("url"):
            near = next((hint for name in self.registry if (hint := did_you_mean(name, ["url"]))), "")
            hint = near or f"; set {REGISTRY}URL"
            raise BadSetting(f"the settings of the schema registry have {', '.join(self.registry)} but no url{hint}")

    @classmethod
    def load(cls, flags: Mapping[str, Any], environment: Mapping[str, str], folder: Path) -> Self:
        """Loads the settings. Raises BadSetting that names where a wrong value came from."""
        file = folder / FILE
        loaded = _read_file(file)
        for table in TABLES:
            if not isinstance(loaded.get(table, {}), dict):
                raise BadSetting(f"{file}: {table} must be a table: write [{table}] and its properties below")
        kafka = _pass_through_properties("kafka", KAFKA, loaded, environment)
        registry = _pass_through_properties("registry", REGISTRY, loaded, environment)
        variables = {
            name.removeprefix(ENVIRONMENT).lower(): value
            for name, value in environment.items()
            if name.startswith(ENVIRONMENT) and not name.startswith((KAFKA, REGISTRY)) and name not in _NOT_SETTINGS
        }
        settings = cls(kafka=kafka, registry=registry)
        for origin, values in ((str(file), loaded), (ENVIRONMENT_ORIGIN, variables), ("command line", flags)):
            settings = _replace_values(settings, origin, values)
        return settings


def _read_file(file: Path) -> dict[str, Any]:
    try:
        if not file.exists():
            return {}
        import tomllib

        return tomllib.loads(file.read_text())
    except OSError as bad:
        raise BadSetting(f"{file} cannot be read: {os.strerror(bad.errno or 0).lower()}") from None
    except ValueError as bad:  # neither TOML nor UTF-8
        raise BadSetting(_describe_toml_fault(file, bad)) from None


def _pass_through_properties(
    table: str, prefix: str, loaded: dict[str, Any], environment: Mapping[str, str]
) -> dict[str, str]:
    """Properties that pass through to a client, from a table in the file and from the environment, which wins."""
    found = {name: str(value) for name, value in _flatten(loaded.pop(table, {})).items()}
    return found | {
        name.removeprefix(prefix).lower().replace("_", "."): value
        for name, value in environment.items()
        if name.startswith(prefix)
    }


def _replace_values(settings: Any, origin: str, values: Mapping[str, Any]) -> Any:
    known = {one.name: one for one in fields(Settings) if one.name not in ("kafka", "registry")}
    changes = {}
    for name, value in values.items():
        if value is None:
            continue
        if name not in known:
            raise BadSetting(_describe_unknown(origin, name, value, known))
        kind: Any = known[name].type
        read = _parse_value(kind, value)
        if read is None:
            raise BadSetting(f"{origin}: {name} must be {_KINDS[kind]}, not '{value}'")
        changes[name] = read
    try:
        return replace(settings, **changes)
    except BadSetting as bad:
        raise BadSetting(f"{origin}: {bad.message}") from None


def _describe_unknown(origin: str, name: str, value: Any, known: Iterable[str]) -> str:
    """The message for an unknown setting. Suggested names are spelled as they would be at that origin."""
    names = [*known]
    if origin == ENVIRONMENT_ORIGIN:
        written = (*(one.upper() for one in names), *(one.removeprefix(ENVIRONMENT) for one in _PREFIXED))
        near = _BEFORE_NAME.sub(ENVIRONMENT, did_you_mean(name.upper(), written))
        all_of_them = ", ".join(f"{ENVIRONMENT}{one}" for one in written)
        return f"{origin}: {ENVIRONMENT}{name.upper()} is not a setting{near or f'; settings are {all_of_them}'}"
    if f"{name.replace('_', '.')}.".startswith(_OF_KAFKA):
        return f"{origin}: '{name}' is not a setting; write properties of the Kafka client below [kafka]"
    if isinstance(value, dict):
        hint = did_you_mean(name, TABLES) or f"; tables are {' and '.join(TABLES)}"
        return f"{origin}: there is no table [{name}]{hint}"
    hint = did_you_mean(name.replace("-", "_"), names) or f"; settings are {', '.join(names)}"
    return f"{origin}: there is no setting '{name}'{hint}"


def _parse_value(kind: type, value: Any) -> Any:
    """Converts the value of a setting; None if the value does not have the type `kind`."""
    if kind is str:
        return value if isinstance(value, str) else None
    if isinstance(value, bool) or (kind is int and isinstance(value, float)):
        return None
    try:
        read = kind(value)
        return read if isfinite(read) else None
    except (TypeError, ValueError, OverflowError):
        return None


def _describe_toml_fault(file: Path, bad: ValueError) -> str:
    if isinstance(bad, UnicodeDecodeError):
        return f"{file} is not UTF-8 text"
    at = _AT.search(str(bad))
    where = f" at line {at[1]}, column {at[2]}" if at else " at its end"
    return f'{file} is not TOML{where}; write texts in quotes, as in: prefix = "shop."'


def _flatten(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in table.items():
        if isinstance(value, dict):
            flat |= _flatten(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat
