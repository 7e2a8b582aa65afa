"""The memory of this host: how much this process may still use, and how much it has."""

import re
from pathlib import Path

from gan_runtime.devices.cgroups import groups
from gan_runtime.errors import DeviceError

ROOT = Path("/")


def available_memory(root: Path = ROOT) -> int | None:
    """Bytes that this process can still use, by the system and the limits of its control groups.

    None where neither is known: Linux alone has these files.
    """
    known = [free for free in (_of_system(root), _of_container(root)) if free is not None]
    return min(known, default=None)


def resident_memory(root: Path = ROOT) -> int | None:
    """Bytes of this process that are in memory now; None where they are not known."""
    return _kilobytes(root / "proc/self/status", "VmRSS")


def peak_memory(root: Path = ROOT) -> int | None:
    """The most bytes of this process that were in memory at a time; None where they are not known."""
    return _kilobytes(root / "proc/self/status", "VmHWM")


def check_memory(what: str, needed: float, free: int | None) -> None:
    """Raise DeviceError if `what` needs more bytes than are free. Nothing is refused where that is not known."""
    if free is not None and needed > free:
        raise DeviceError(
            f"{what}: needs about {needed / 1e9:.1f} GB of memory, and {free / 1e9:.1f} GB are free; free some, or use "
            "a host that has more"
        )


def _of_system(root: Path) -> int | None:
    return _kilobytes(root / "proc/meminfo", "MemAvailable")


def _of_container(root: Path) -> int | None:
    """The least of what is left of the limits of the control groups of this process."""
    return min((free for group in groups("memory", root) if (free := _left(group)) is not None), default=None)


def _left(group: Path) -> int | None:
    """What is left of the limit of a group. Files that the system caches in memory count as free."""
    for limit, usage in (("memory.max", "memory.current"), ("memory.limit_in_bytes", "memory.usage_in_bytes")):
        try:
            most, used = (int((group / name).read_text()) for name in (limit, usage))
            cached = re.search(r"^(?:total_)?inactive_file (\d+)$", (group / "memory.stat").read_text(), re.MULTILINE)
        except (OSError, ValueError):  # not there, or "max"
            continue
        return max(0, most - used + (int(cached[1]) if cached else 0))
    return None


def _kilobytes(path: Path, name: str) -> int | None:
    try:
        found = re.search(rf"^{name}:\s*(\d+) kB$", path.read_text(), re.MULTILINE)
    except OSError:
        return None
    return int(found[1]) * 1024 if found else None
