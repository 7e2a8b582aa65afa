"""Measure the time and the peak memory of whole processes."""

import os
import resource
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

# A process begins with the largest memory of the one that it was forked from: this one is small.
LAUNCHER = """
import os, sys
process = os.fork()
if not process:
    os.execv(sys.argv[1], sys.argv[1:])
_, status, used = os.wait4(process, 0)
print("\\n", os.waitstatus_to_exitcode(status), used.ru_maxrss, used.ru_utime + used.ru_stime)
"""


@dataclass(frozen=True)
class Used:
    """What a process took, with the processes that it started.

    Attributes:
        seconds: on the clock.
        cpu_seconds: on the processors.
        peak: bytes, the largest memory of one of them.
    """

    seconds: float
    cpu_seconds: float
    peak: int


def measured_process(command: list[str], cwd: Path | None = None, environment: Mapping[str, str] | None = None) -> Used:
    """Run `command`, the first word of which is the path of a program. Ends this process if it fails."""
    launched = [sys.executable, "-I", "-S", "-c", LAUNCHER, *command]
    began = time.perf_counter()
    done = subprocess.run(launched, stdout=subprocess.PIPE, text=True, check=True, cwd=cwd, env=environment)
    seconds = time.perf_counter() - began
    code, peak, cpu = done.stdout.splitlines()[-1].split()
    if code != "0":
        sys.exit(f"{' '.join(command)}: exit code {code}")
    return Used(seconds, float(cpu), int(peak) * (1 if sys.platform == "darwin" else 1024))


def run_process(command: list[str], environment: dict[str, str]) -> tuple[float, float]:
    """Seconds and peak MiB of `command`, as the operating system counts them; ends this process if it fails."""
    began = time.perf_counter()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(command)}: exit code {process.returncode}")
    return time.perf_counter() - began, _mebibytes(usage)


def _mebibytes(usage: resource.struct_rusage) -> float:
    return usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
