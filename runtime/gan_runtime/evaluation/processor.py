"""The kind of the processor."""

import platform
import re
from pathlib import Path


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
