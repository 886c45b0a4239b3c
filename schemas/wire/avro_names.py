"""The Avro name of each record class: the class's own name, or the one that it had when it was first written.

The fingerprint of a schema is computed from these names, so they never change. A class that is renamed keeps its Avro
name by an entry in KEPT.
"""

from jobplane.schemas.records.layouts import FormerLayout
from jobplane.schemas.records.mappings import TopicMapping
from jobplane.schemas.records.sources import DeadLetterSource

KEPT: dict[type, str] = {TopicMapping: "Mapping", FormerLayout: "Layout", DeadLetterSource: "Letters"}
NAMESPACE = "jobplane."


def avro_name(record: type) -> str:
    """The name of a record class in Avro schemas, without the namespace."""
    return KEPT.get(record, record.__name__)
