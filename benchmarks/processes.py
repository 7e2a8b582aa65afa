"""Measure the time and the peak memory of whole processes."""

import os
import resource
import subprocess
import sys
import time


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
