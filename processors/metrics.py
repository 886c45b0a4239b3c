"""What one task counts. Written by its thread alone; read by the host's status line."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(slots=True)
class Counters:
    """Records; transactions by result; seconds spent in commits; new producers after a doubt; records behind."""

    records_in: int = 0
    records_out: int = 0
    records_skipped: int = 0
    transactions_committed: int = 0
    transactions_aborted: int = 0
    commit_seconds: float = 0.0
    producer_reinits: int = 0
    lag: int = 0
    last_doubt: str = ""

    def batch(self, read: int, written: int, skipped: int) -> None:
        self.records_in += read
        self.records_out += written
        self.records_skipped += skipped

    def committed(self, seconds: float, lag: int) -> None:
        self.transactions_committed += 1
        self.commit_seconds += seconds
        self.lag = lag

    def aborted(self) -> None:
        self.transactions_aborted += 1

    def doubt(self, reason: str) -> None:
        self.producer_reinits += 1
        self.last_doubt = reason

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)
