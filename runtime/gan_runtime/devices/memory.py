"""The memory of this host: how much this process may still use, and how much it has."""

import re
from pathlib import Path

from gan_runtime.errors import DeviceError

ROOT = Path("/")


def available_memory(root: Path = ROOT) -> int | None:
    """Bytes that this process can still use, by the system and the limit of its container (cgroup v2 or v1).

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
    """What is left of the limit. Files that the system caches in memory count as free."""
    groups = root / "sys/fs/cgroup"
    for folder, limit, usage in (
        (groups, "memory.max", "memory.current"),
        (groups / "memory", "memory.limit_in_bytes", "memory.usage_in_bytes"),
    ):
        try:
            most, used = (int((folder / name).read_text()) for name in (limit, usage))
            cached = re.search(r"^(?:total_)?inactive_file (\d+)$", (folder / "memory.stat").read_text(), re.MULTILINE)
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
