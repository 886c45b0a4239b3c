"""The formats of keys and values a mapping may name, and the options that are theirs. One row is one format."""

from collections.abc import Iterable

from jobplane.schemas.errors import BadOptionValue, Place, UnknownOption
from jobplane.schemas.suggestions import did_you_mean

KEY_FORMAT, VALUE_FORMAT = "keyFormat", "valueFormat"
JSON_FLAT = "json-flat"
"""The format of values where no option names another."""
BYTES, JSON, AVRO, CSV, VARCHAR = "bytes", "json", "avro", "csv", "varchar"
CSV_DELIMITER = "csvDelimiter"
AVRO_SCHEMAS = {"key": "keyAvroSchema", "value": "valueAvroSchema"}
SUBJECTS = {"key": "keySubject", "value": "valueSubject"}
FORMATS: dict[str, tuple[str, ...]] = {
    JSON_FLAT: (),
    JSON: (),
    AVRO: (*AVRO_SCHEMAS.values(), *SUBJECTS.values()),
    CSV: (CSV_DELIMITER,),
    VARCHAR: (),
    "smallint": (),
    "integer": (),
    "bigint": (),
    "real": (),
    "double": (),
    BYTES: (),
}
"""Format → options of its own."""
PEERS = {
    **dict.fromkeys(("text", "string"), "varchar"),
    **dict.fromkeys(("raw", "binary"), BYTES),
    **dict.fromkeys(("avroconfluent", "avroregistry"), AVRO),
    "int": "integer",
    "long": "bigint",
    "float": "real",
    "delimited": CSV,
}
"""The name of a format in other systems, in lower case without signs → the format here."""
FORMAT_OPTIONS = (KEY_FORMAT, VALUE_FORMAT, *(option for own in FORMATS.values() for option in own))
"""The format options of a mapping, and of a job for its topics that have no mapping."""


def check_options(given: Iterable[tuple[str, str, Place, Place]]) -> None:
    """Options as written: (name, text, place of the name, place of the text).

    Raises UnknownOption or BadOptionValue with its place.
    """
    options = list(given)
    chosen = {(name, text) for name, text, _, _ in options if name in (KEY_FORMAT, VALUE_FORMAT)}
    owners = {option: one for one, own in FORMATS.items() for option in own}
    for name, text, name_place, value_place in options:
        if name in (KEY_FORMAT, VALUE_FORMAT):
            if text not in FORMATS:
                hint = did_you_mean(text, FORMATS, PEERS) or f"; formats are {', '.join(FORMATS)}"
                raise BadOptionValue(f"'{text}' is not a format{hint}", value_place)
        elif name not in owners:
            hint = did_you_mean(name, FORMAT_OPTIONS) or f"; options of a mapping are {', '.join(FORMAT_OPTIONS)}"
            raise UnknownOption(f"'{name}' is not an option of a mapping{hint}", name_place)
        elif not any((role, owners[name]) in chosen for role in _roles(name)):
            raise BadOptionValue(
                f"'{name}' is an option of the format '{owners[name]}', and that format is not chosen", name_place
            )
        elif name == CSV_DELIMITER and (len(text) != 1 or text in '"\r\n'):
            raise BadOptionValue(f"{name} is one character other than a quote or a line end, not '{text}'", value_place)


def _roles(option: str) -> tuple[str, ...]:
    """Whether an option belongs to the format of keys, of values, or of either."""
    for role in (KEY_FORMAT, VALUE_FORMAT):
        if option.startswith(role.removesuffix("Format")):
            return (role,)
    return (KEY_FORMAT, VALUE_FORMAT)
