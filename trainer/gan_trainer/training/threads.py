"""How many threads a run on a CPU has: chosen once, when it starts, and kept in its settings."""

import os

from gan_runtime.devices.processors import available_cpus, idle_cpus

VARIABLE = "OMP_NUM_THREADS"


def choose_threads() -> int:
    """Threads per operator: `OMP_NUM_THREADS` if it is set, else the processors that other programs leave idle.

    Threads wait for each other many times in a step. If one of them has to share its processor, all wait for it: beside
    a busy process, one thread is faster than two on two processors (benchmarks/spinning.py).
    """
    allowed, asked = available_cpus(), _asked()
    if asked is not None:
        return min(asked, allowed)
    idle = idle_cpus() if allowed > 1 else None
    return allowed if idle is None else max(1, min(allowed, round(idle)))


def fewer_threads(threads: int) -> str | None:
    """What is said of a number that was chosen; None if a run has all processors that it may use."""
    allowed = available_cpus()
    if threads >= allowed:
        return None
    why = f"by {VARIABLE}" if _asked() is not None else "others are busy"
    return f"threads: {threads} of {allowed}, {why}; --threads {allowed} takes all"


def _asked() -> int | None:
    """What the environment asks for; None where that is no number of threads."""
    asked = os.environ.get(VARIABLE, "").strip()
    return int(asked) if asked.isascii() and asked.isdecimal() and int(asked) > 0 else None
