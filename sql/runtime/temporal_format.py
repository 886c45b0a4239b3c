"""Patterns of PostgreSQL for writing and reading moments; names are always English.

Letters mean what the tables below say; text goes between double quotes; all that is no letter stands for itself.
`MONTH`, `Month` and `month` differ in the letters of the name, and so do days and `AM`. `FM` before a number leaves out
zeros in front, before a name the spaces behind. Numbers are read with and without zeros in front.
A wrong pattern or text raises ValueError.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache

from jobplane.schemas.shown import show_value

Get = Callable[[datetime], int]
_MONTHS = "January February March April May June July August September October November December".split()  # noqa: SIM905  # read as a sentence
_DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()  # noqa: SIM905  # read as a sentence
_NUMBERS: dict[str, tuple[int, Get]] = {
    "YYYY": (4, lambda at: at.year),
    "IYYY": (4, lambda at: at.isocalendar().year),
    "YY": (2, lambda at: at.year % 100),
    "Q": (1, lambda at: (at.month + 2) // 3),
    "MM": (2, lambda at: at.month),
    "WW": (2, lambda at: (at.timetuple().tm_yday + 6) // 7),
    "IW": (2, lambda at: at.isocalendar().week),
    "DDD": (3, lambda at: at.timetuple().tm_yday),
    "DD": (2, lambda at: at.day),
    "D": (1, lambda at: at.isoweekday() % 7 + 1),
    "HH24": (2, lambda at: at.hour),
    "HH12": (2, lambda at: (at.hour + 11) % 12 + 1),
    "HH": (2, lambda at: (at.hour + 11) % 12 + 1),
    "MI": (2, lambda at: at.minute),
    "SS": (2, lambda at: at.second),
    "MS": (3, lambda at: at.microsecond // 1000),
    "US": (6, lambda at: at.microsecond),
}
"""How many digits each has."""
_NAMES: dict[str, tuple[int, list[str], Get]] = {
    "MONTH": (9, _MONTHS, lambda at: at.month - 1),
    "MON": (3, [name[:3] for name in _MONTHS], lambda at: at.month - 1),
    "DAY": (9, _DAYS, lambda at: at.weekday()),
    "DY": (3, [name[:3] for name in _DAYS], lambda at: at.weekday()),
    "AM": (2, ["AM", "PM"], lambda at: at.hour // 12),
    "PM": (2, ["AM", "PM"], lambda at: at.hour // 12),
}
"""How wide each is written."""
_OF_A_ZONE = {"TZH": "[+-][0-9]{1,2}", "TZM": "[0-9]{2}"}
_FRACTIONS = ("MS", "US")
_NOT_READ = ("IYYY", "Q", "WW", "IW", "D")
_SAME = {"YY": "YYYY", "MONTH": "MM", "MON": "MM", "DY": "DAY", "HH12": "HH", "PM": "AM", "MS": "US"}
"""What says the same as another when it is read."""
_WORDS = "|".join(sorted([*_NUMBERS, *_NAMES, *_OF_A_ZONE], key=len, reverse=True))
_TOKEN = re.compile(rf'(FM)?({_WORDS})|"([^"]*)"|([^A-Za-z"]+)|((?:(?!{_WORDS})[A-Za-z])+|")', re.IGNORECASE)

Token = tuple[str, str, bool]
"""What it is, in capital letters; as it was written; whether FM stands before it."""


def _tokens(pattern: str) -> list[str | Token]:
    tokens: list[str | Token] = []
    for fill, word, quoted, plain, unknown in _TOKEN.findall(pattern):
        if unknown == '"':
            raise ValueError(f"the pattern {show_value(pattern)} has a double quote that is not closed")
        if unknown:
            raise ValueError(
                f"the pattern {show_value(pattern)} has {show_value(unknown)}, which means nothing: "
                'quote text, as in "T"'
            )
        tokens.append((word.upper(), word, bool(fill)) if word else quoted or plain)
    return tokens


def check_writable(pattern: str) -> None:
    """Raises ValueError where no moment without a zone can be written so."""
    for token in _tokens(pattern):
        if token[0] in _OF_A_ZONE:
            raise ValueError(f"{token[0]} needs a TIMESTAMP WITH TIME ZONE; this has none")


def format_moment(moment: datetime, pattern: str) -> str:
    return "".join([part if isinstance(part, str) else part(moment) for part in pattern_writer(pattern)])


@lru_cache(maxsize=256)
def pattern_writer(pattern: str) -> tuple[str | Callable[[datetime], str], ...]:
    return tuple(token if isinstance(token, str) else _write(*token) for token in _tokens(pattern))


def _write(name: str, said: str, fill: bool) -> Callable[[datetime], str]:  # noqa: FBT001  # of a Token
    if name in _OF_A_ZONE:
        return _sign_and_hours if name == "TZH" else lambda at: f"{abs(_ahead(at)) % 60:02}"
    if name in _NUMBERS:
        digits, number = _NUMBERS[name]
        width = 1 if fill and name not in _FRACTIONS else digits
        return lambda at: f"{number(at):0{width}}"
    width, names, index = _NAMES[name]
    case = str.upper if said[:2].isupper() else str.capitalize if said[0].isupper() else str.lower
    names = [case(one) if fill else case(one).ljust(width) for one in names]
    return lambda at: names[index(at)]


def _ahead(moment: datetime) -> int:
    """Minutes before UTC."""
    offset = moment.utcoffset()
    if offset is None:
        raise ValueError("TZH and TZM need a TIMESTAMP WITH TIME ZONE; this has none")
    return int(offset.total_seconds() / 60)


def _sign_and_hours(moment: datetime) -> str:
    minutes = _ahead(moment)
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}"


@lru_cache(maxsize=256)
def pattern_reader(pattern: str) -> re.Pattern[str]:
    """Raises ValueError for a pattern that does not tell one moment."""
    tokens = _tokens(pattern)
    there: dict[str, str] = {}
    for token, *_ in (one for one in tokens if not isinstance(one, str)):
        if token in _NOT_READ:
            raise ValueError(f"{token} can be written, not read")
        says = _SAME.get(token, token)
        if says in there:
            raise ValueError(f"{token} repeats {there[says]}: a pattern for reading has each part once")
        there[says] = token
    if "YYYY" not in there:
        raise ValueError(f"the pattern {show_value(pattern)} has no year: to be read it needs YYYY or YY")
    if ("HH" in there) is not ("AM" in there):
        raise ValueError("HH12 and AM need each other; HH24 needs neither")
    if "HH24" in there and "HH" in there:
        raise ValueError("HH24 cannot be combined with HH12 and AM")
    if "DDD" in there and there.keys() & {"MM", "DD"}:
        raise ValueError("DDD is the day of the year: it cannot be combined with month and day")
    if "TZM" in there and "TZH" not in there:
        raise ValueError("TZM needs TZH")
    return re.compile("".join(re.escape(token) if isinstance(token, str) else _read(*token) for token in tokens))


def _read(name: str, _: str, fill: bool) -> str:  # noqa: FBT001  # of a Token
    if name in _NAMES:
        return f"(?P<{name}>(?i:{'|'.join(_NAMES[name][1])})) *"
    if name in _OF_A_ZONE:
        return f"(?P<{name}>{_OF_A_ZONE[name]})"
    digits = _NUMBERS[name][0]
    return f"(?P<{name}>[0-9]{{{digits if name == 'YYYY' and not fill else 1},{digits}}})"


def has_zone(pattern: str) -> bool:
    """Whether what it reads has a zone."""
    return "TZH" in pattern_reader(pattern).groupindex


def parse_moment(text: str, pattern: str) -> tuple[datetime, tzinfo]:
    """The local time, and the zone it is of: UTC where the pattern has none."""
    found = pattern_reader(pattern).fullmatch(text)
    if found is None:
        raise ValueError(f"{show_value(text)} is not written like {show_value(pattern)}")
    parts = found.groupdict()
    try:
        return _moment(parts), _zone(parts)
    except (ValueError, OverflowError):
        raise ValueError(
            f"there is no such date or time as {show_value(text)}, read as {show_value(pattern)}"
        ) from None


def _moment(parts: dict[str, str]) -> datetime:
    year = int(parts["YYYY"]) if "YYYY" in parts else _century(int(parts["YY"]))
    month = next((_of_name(parts[one]) for one in ("MONTH", "MON") if one in parts), int(parts.get("MM", 1)))
    micros = next((int(parts[one].ljust(6, "0")) for one in _FRACTIONS if one in parts), 0)
    clock = (_hour(parts), int(parts.get("MI", 0)), int(parts.get("SS", 0)), micros)
    moment = datetime(year, month, int(parts.get("DD", 1)), *clock)  # noqa: DTZ001  # its zone is told apart
    by_day = moment + timedelta(days=int(parts.get("DDD", 1)) - 1)
    if by_day.year != year:
        raise ValueError(f"{year} has no day {parts['DDD']}")
    return by_day


def _hour(parts: dict[str, str]) -> int:
    half = parts.get("AM") or parts.get("PM")
    if half is None:
        return int(parts.get("HH24", 0))
    hour = int(parts.get("HH12") or parts["HH"])
    if not 1 <= hour <= 12:
        raise ValueError(f"{hour} is not an hour of a 12-hour clock")
    return hour % 12 + (12 if half.upper() == "PM" else 0)


def _century(year: int) -> int:
    return year + (1900 if year >= 70 else 2000)


def _of_name(month: str) -> int:
    return [name[:3] for name in _MONTHS].index(month[:3].capitalize()) + 1


def _zone(parts: dict[str, str]) -> tzinfo:
    if "TZH" not in parts:
        return UTC
    ahead = timedelta(hours=int(parts["TZH"][1:]), minutes=int(parts.get("TZM", 0)))
    return timezone(-ahead if parts["TZH"][0] == "-" else ahead)
