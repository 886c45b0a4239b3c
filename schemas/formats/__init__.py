"""The formats of keys and values a mapping may name, and the options that are theirs. One row is one format."""

from collections.abc import Iterable

from schemas.errors import BadOptionValue, NotSupported, Place, UnknownOption, did_you_mean

KEY_FORMAT, VALUE_FORMAT = "keyFormat", "valueFormat"
BYTES = "bytes"
FORMATS: dict[str, tuple[str, ...]] = {
    "json-flat": (),
    "json": (),
    "avro": ("keyAvroSchema", "valueAvroSchema"),
    "csv": ("csvDelimiter",),
    "varchar": (),
    "smallint": (),
    "integer": (),
    "bigint": (),
    "real": (),
    "double": (),
    BYTES: (),
}
"""Format → options of its own."""
VALUES = ("json-flat", BYTES)
"""Formats of values this version reads and writes; `bytes` are copied as they are, and have no columns."""


def check_options(given: Iterable[tuple[str, str, Place, Place]], has_columns: bool) -> None:  # noqa: FBT001  # a fact
    """Options as written: (name, text, place of the name, place of the text).

    Keys travel as they are, whatever their format. Raises UnknownOption, BadOptionValue or NotSupported with its place.
    """
    options = list(given)
    chosen = {(name, text) for name, text, _, _ in options if name in (KEY_FORMAT, VALUE_FORMAT)}
    owners = {option: one for one, own in FORMATS.items() for option in own}
    for name, text, name_place, value_place in options:
        if name in (KEY_FORMAT, VALUE_FORMAT):
            if text not in FORMATS:
                hint = did_you_mean(text, FORMATS) or f"; formats are {', '.join(FORMATS)}"
                raise BadOptionValue(f"no format is called '{text}'{hint}", value_place)
            if name == VALUE_FORMAT:
                _check_value_format(text, value_place, has_columns)
        elif name not in owners:
            known = (KEY_FORMAT, VALUE_FORMAT, *owners)
            hint = did_you_mean(name, known) or f"; options of a mapping are {', '.join(known)}"
            raise UnknownOption(f"no option of a mapping is called '{name}'{hint}", name_place)
        elif not any((role, owners[name]) in chosen for role in _roles(name)):
            raise BadOptionValue(
                f"'{name}' is an option of the format '{owners[name]}', which is not chosen", name_place
            )


def _roles(option: str) -> tuple[str, ...]:
    """Of which formats, that of keys or that of values, an option may be."""
    for role in (KEY_FORMAT, VALUE_FORMAT):
        if option.startswith(role.removesuffix("Format")):
            return (role,)
    return (KEY_FORMAT, VALUE_FORMAT)


def _check_value_format(text: str, place: Place, has_columns: bool) -> None:  # noqa: FBT001  # a fact
    if text not in VALUES:
        message = f"{VALUE_FORMAT} '{text}' is not supported by this version; use {' or '.join(map(repr, VALUES))}"
        raise NotSupported(message, place)
    if text == BYTES and has_columns:
        raise BadOptionValue(
            "values of format 'bytes' have no columns; leave the columns out, or use 'json-flat'", place
        )
