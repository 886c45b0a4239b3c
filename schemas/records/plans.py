"""The plan of a query, as it is recorded."""

import zlib
from dataclasses import dataclass
from functools import lru_cache

FIRST_WITH_GROUPS = 3
"""The version of the planner that first made groups."""
GROUP = b'"operator":"group"'
"""What the text of a plan with groups has. No text of a user has it: quotation marks in one are escaped."""


@dataclass(frozen=True, slots=True)
class RecordedPlan:
    """The plan of a job's query as it was judged when the job was created: what hosts compile.

    `deflated` is the plan's canonical text, compressed with zlib; `digest` is the SHA-256 of the text in hexadecimal,
    `planner` the version of the planner that wrote it.
    """

    planner: int
    digest: str
    deflated: bytes


@lru_cache(maxsize=4096)
def keeps_state(recorded: RecordedPlan | None) -> bool:
    """Whether a job with this plan has groups. It does not read the plan: this is asked of every job."""
    if recorded is None or recorded.planner < FIRST_WITH_GROUPS:
        return False
    try:
        return GROUP in zlib.decompress(recorded.deflated)
    except zlib.error:
        return False  # nobody can read it, and who compiles it says so
