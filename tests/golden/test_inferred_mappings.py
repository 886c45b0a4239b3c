"""Samples and the CREATE MAPPING they suggest, as texts to read: inferred.txt beside this file."""

import os
from datetime import datetime
from pathlib import Path

from jobplane.sql.infer.mapping import SampledRecord, infer_mapping, mapping_statement
from jobplane.sql.mapping import build_mapping
from jobplane.sql.plan.grouping.watermarks import check_watermark
from jobplane.sql.syntax import statements
from jobplane.sql.syntax.parser import parse
from tests.support.rows import octets

FILE = Path(__file__).parent / "inferred.txt"


def answered(block: str) -> str:
    """A block with its answer given anew.

    `KEY > VALUE` is a record, `> VALUE` one without a key; `0x…` are bytes. `^ partition timestamp` says where the
    records after it are, and their timestamp.
    """
    sample = block.partition("\n----\n")[0]
    records: list[SampledRecord] = []
    partition, timestamp = 0, None
    for line in sample.split("\n"):
        if line.startswith("^ "):
            number, time = line.split()[1:]
            partition, timestamp = int(number), round(datetime.fromisoformat(time).timestamp() * 1000)
        elif not line.startswith("#"):
            key, _, value = line.partition(">")
            records.append(SampledRecord(part(key.strip()), part(value.strip()), partition, timestamp))
    text = mapping_statement(infer_mapping(records), "orders.eu")
    create = parse(text)
    assert isinstance(create, statements.CreateMapping)
    mapping = build_mapping(create)
    if create.watermark is not None:
        check_watermark(create.watermark, mapping)
    return f"{sample}\n----\n{text}"


def part(text: str) -> bytes | None:
    return None if text in ("", "NULL") else octets(text)


def test_samples() -> None:
    text = FILE.read_text()
    found = "\n".join(answered(block) for block in text.rstrip("\n").split("\n\n"))
    if os.environ.get("UPDATE_GOLDEN"):
        FILE.write_text(found)
    assert found == text
