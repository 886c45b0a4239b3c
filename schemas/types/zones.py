"""Time zones by name: the rules are those of the `tzdata` package, never the machine's, so all hosts have the same."""

import re
from datetime import UTC, timedelta, timezone, tzinfo
from functools import lru_cache
from importlib.resources import files
from zoneinfo import ZoneInfo

from jobplane.schemas.shown import show_value
from jobplane.schemas.suggestions import did_you_mean

_OFFSET = re.compile(r"([+-])([01][0-9]|2[0-3])(?::?([0-5][0-9]))?")


@lru_cache(maxsize=1024)
def find_zone(name: str) -> tzinfo:
    """Of `Europe/Berlin`, `UTC`, `Z`, `+02:00`. Raises ValueError."""
    if name in ("Z", "z", "UTC"):
        return UTC
    if offset := _OFFSET.fullmatch(name):
        sign, hours, minutes = offset.groups("0")
        ahead = timedelta(hours=int(hours), minutes=int(minutes))
        return timezone(ahead if sign == "+" else -ahead)
    if name not in zone_names():
        hint = did_you_mean(name, zone_names()) or ", such as 'Europe/Berlin', 'UTC' or '+02:00'"
        raise ValueError(f"{show_value(name)} is not a time zone{hint}")
    with files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as rules:
        return ZoneInfo.from_file(rules, key=name)


@lru_cache(maxsize=1)
def zone_names() -> tuple[str, ...]:
    """All of IANA's."""
    return tuple(files("tzdata").joinpath("zones").read_text().split())
