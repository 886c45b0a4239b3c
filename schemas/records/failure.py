"""Why a job or a snapshot failed."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a job or snapshot failed; `at` is `topic-partition@offset` where one record is to blame, else empty."""

    code: str
    message: str
    at: str = ""

    def __str__(self) -> str:
        return f"{self.code}: {self.message}" + (f" ({self.at})" if self.at else "")
