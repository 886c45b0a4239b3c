"""The plan of a query, as it is recorded."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RecordedPlan:
    """The plan of a job's query as it was judged when the job was created: what hosts compile.

    `deflated` is the plan's canonical text, compressed with zlib; `digest` is the SHA-256 of the text in hexadecimal,
    `planner` the version of the planner that wrote it.
    """

    planner: int
    digest: str
    deflated: bytes
