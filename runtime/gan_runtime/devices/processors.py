"""The processors of this host: how many this process may use, and of which kind they are."""

import os
import platform
import re
import time
from math import ceil
from pathlib import Path

from gan_runtime.devices.cgroups import groups


def available_cpus() -> int:
    """Processors that the affinity mask and the quotas of control groups leave to this process, at least 1."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _cgroup_quota()
    return max(1, min(count, ceil(quota)) if quota else count)


def _cgroup_quota(root: Path = Path("/")) -> float | None:
    """The least quota of the control groups of this process, in processors; None if there is none."""
    return min((quota for group in groups("cpu", root) if (quota := _quota(group))), default=None)


def _quota(group: Path) -> float | None:
    try:
        quota, period = (group / "cpu.max").read_text().split()
        return None if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError):
        pass
    try:
        quota, period = ((group / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period"))
        return int(quota) / int(period) if int(quota) > 0 else None
    except (OSError, ValueError):
        return None


class Others:
    """The processor time of other programs since this object was made."""

    def __init__(self, path: Path = Path("/proc/stat")) -> None:
        self._path = path
        self._began, self._busy = time.monotonic(), _busy_seconds(path)
        self._own = time.process_time()

    def share(self) -> float | None:
        """Which part of the processors that this process may use they kept from it, 0 to 1; None if not known."""
        busy = _busy_seconds(self._path)
        if busy is None or self._busy is None:
            return None
        own, seconds = time.process_time() - self._own, time.monotonic() - self._began
        left = len(os.sched_getaffinity(0)) - (busy - self._busy - own) / seconds
        return min(1.0, max(0.0, 1 - left / available_cpus()))  # a quota may be less than what is left


def _busy_seconds(path: Path) -> float | None:
    """Processor time of all programs, and what the host of a virtual machine took, on the processors of this one."""
    try:
        lines = [line.split() for line in path.read_text().splitlines()]
        allowed = {f"cpu{number}" for number in os.sched_getaffinity(0)}
        counts = [list(map(int, values)) for name, *values in lines if name in allowed]
        ticks = sum(sum(values[:3]) + sum(values[5:8]) for values in counts)  # without idle, iowait and guests
    except (AttributeError, OSError, ValueError):  # Linux alone has it
        return None
    return ticks / os.sysconf("SC_CLK_TCK") if counts else None


def idle_cpus(seconds: float = 0.25, path: Path = Path("/proc/stat")) -> float | None:
    """How many processors others leave to this process in so many seconds, which this waits; None if not known."""
    others = Others(path)
    time.sleep(seconds)
    share = others.share()
    return None if share is None else (1 - share) * available_cpus()


def cpu_kind() -> str:
    """The kind of processor: on another one the last digits of floating-point results may be others."""
    about = _cpuinfo()
    models = re.findall(r"^(?:model name|CPU implementer|CPU part)\s*:\s*(.+)$", about, re.MULTILINE)
    vectors = re.findall(r"\b(?:avx|fma|amx|sve|asimd)\w*", about)  # virtual machines hide the model
    known = sorted({*models, *vectors}) or [platform.processor()]
    return " ".join((platform.machine(), *known))


def cpu_name() -> str:
    """The name of the processor, for people."""
    names = re.findall(r"^model name\s*:\s*(.+)$", _cpuinfo(), re.MULTILINE)
    return names[0] if names else platform.processor() or platform.machine()


def _cpuinfo(path: Path = Path("/proc/cpuinfo")) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:  # Linux alone has it
        return ""
