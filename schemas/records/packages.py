"""Installed packages whose functions a job's query calls."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Package:
    """An installed package whose functions a job's query calls, and its version where the job was created."""

    name: str
    version: str

    def __str__(self) -> str:
        return f"{self.name} {self.version}"
