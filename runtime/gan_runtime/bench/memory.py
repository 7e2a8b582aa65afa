"""The memory of a model at a setting: the most that a process of its own had in memory.

ONNX Runtime keeps the memory that it has once used, so that a process can measure one setting alone.
"""

import pickle
import subprocess
import sys
from pathlib import Path

from gan_runtime.bench.setting import Setting
from gan_runtime.bench.work import work_of
from gan_runtime.devices.memory import peak_memory
from gan_runtime.onnx_model import OnnxModel

CHILD = "import sys; sys.path[:] = sys.argv[1:]; from gan_runtime.bench.memory import main; main()"


def peak_of(model: OnnxModel, setting: Setting, picture: tuple[int, int]) -> int | None:
    """The most bytes that a process has in memory that opens `model` and runs it twice; None if that is not known.

    `picture` is as for `work_of`.
    """
    if getattr(sys, "frozen", False) or not Path(sys.executable or "").name.lower().startswith("python"):
        return None
    command = [sys.executable, "-P", "-c", CHILD, *map(str, sys.path)]
    asked = pickle.dumps((model, setting, picture))
    done = subprocess.run(command, input=asked, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    return int(done.stdout) if done.returncode == 0 and done.stdout.strip().isdigit() else None


def main() -> None:
    """What the process does; it is given the arguments of `peak_of` on stdin."""
    model, setting, picture = pickle.load(sys.stdin.buffer)
    call = work_of(model, picture).prepare(setting)
    call()
    call()
    sys.stdout.write(str(peak_memory() or ""))
