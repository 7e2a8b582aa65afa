"""The processors of this host: how many this process may use, and of which kind they are."""

import os
import platform
import re
from math import ceil
from pathlib import Path


def available_cpus() -> int:
    """Processors that affinity mask and container quota (cgroup v2 or v1) leave to this process, at least 1."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _cgroup_quota()
    return max(1, min(count, ceil(quota)) if quota else count)


def _cgroup_quota(root: Path = Path("/sys/fs/cgroup")) -> float | None:
    try:
        quota, period = (root / "cpu.max").read_text().split()
        return None if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError):
        pass
    try:
        quota, period = ((root / "cpu" / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period"))
        return int(quota) / int(period) if int(quota) > 0 else None
    except (OSError, ValueError):
        return None


def cpu_kind() -> str:
    """The kind of processor: on another one the last digits of floating-point results may be others."""
    about = _cpuinfo()
    models = re.findall(r"^(?:model name|CPU implementer|CPU part)\s*:\s*(.+)$", about, re.MULTILINE)
    vectors = re.findall(r"\b(?:avx|fma|amx|sve|asimd)\w*", about)  # virtual machines hide the model
    known = sorted({*models, *vectors}) or [platform.processor()]
    return " ".join((platform.machine(), *known))


def _cpuinfo(path: Path = Path("/proc/cpuinfo")) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:  # Linux alone has it
        return ""
