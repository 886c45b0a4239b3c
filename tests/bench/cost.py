"""What processes have used: CPU seconds (user and system), and the most memory they ever held."""

from collections.abc import Iterable
from pathlib import Path

import psutil


def cpu_seconds(pids: Iterable[int]) -> float:
    """Of these processes together. Raises psutil.NoSuchProcess where one has ended."""
    times = [psutil.Process(pid).cpu_times() for pid in pids]
    return float(sum(one.user + one.system for one in times))


def tree(pid: int) -> list[int]:
    """A process and its descendants."""
    return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]


def memory_mib(pids: Iterable[int]) -> float:
    """Of these processes together, in MiB: a page that n processes share counts 1/n for each (PSS)."""
    return float(sum(psutil.Process(pid).memory_full_info().pss for pid in pids)) / 2**20


def peak_mib(pid: int) -> float:
    """The largest resident set the process ever had (VmHWM), in MiB; 0 where the system does not say."""
    status = Path(f"/proc/{pid}/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return sum(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:"))
