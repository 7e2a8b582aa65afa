"""Run the commands of a comparison as child processes, which end with it."""

import os
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

from gan_runtime.errors import GanEdgeError
from gan_runtime.files import atomic_write
from gan_runtime.terminal.exit_codes import INTERRUPTED, TERMINATED

BOUND = (  # "-m", after prctl(PR_SET_PDEATHSIG, SIGKILL), unless the parent has ended before that
    "import ctypes, os, runpy, sys; ctypes.CDLL(None).prctl(1, 9); _, parent, *sys.argv = sys.argv; "
    "os.getppid() == int(parent) or os._exit(1); runpy.run_module(sys.argv[0], run_name='__main__', alter_sys=True)"
)
ONE_RUN = "gan-compare"  # a part of it
MODULES = {
    ONE_RUN: "gan_trainer.compare.one_run",
    "gan-train": "gan_trainer.commands.train",
    "gan-export": "gan_trainer.commands.export",
    "gan-eval": "gan_runtime.commands.evaluate",
}


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    command: str
    code: int
    out: str
    err: str

    def failed(self, name: str, folder: Path) -> GanEdgeError:
        """What to say of a command that should not have failed, in the run `name` of the comparison in `folder`.

        What is no error of ours, but a bug, is kept whole in a file.
        """
        last = (self.err.strip().splitlines() or [""])[-1]
        prefix = f"{self.command}: error: "
        if last.startswith(prefix):
            return GanEdgeError(f"{name}: {last.removeprefix(prefix)}")
        if not last or self.code in (INTERRUPTED, TERMINATED):
            return GanEdgeError(f"{name}: {last or f'{self.command} ended with exit code {self.code}'}")
        log = folder / f"{name}.log"
        with atomic_write(log) as file:
            file.write(self.err.encode(errors="backslashreplace"))
        return GanEdgeError(f"{name}: {self.command} ended with exit code {self.code}: {last}; see {log}")


class Processes:
    """Those that run now. `stop` ends them in good order: a training saves a checkpoint first."""

    def __init__(self, *, ends_with_parent: bool = False) -> None:
        """With `ends_with_parent`, those that run are killed by Linux if this process is."""
        self._start = ["-c", BOUND, str(os.getpid())] if ends_with_parent and sys.platform == "linux" else ["-m"]
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[str]] = set()
        self._stopped = False

    def run(self, command: str, *arguments: object, given: str = "") -> Done:
        """Run a command of this installation to its end, in its own session, so that only `stop` interrupts it.

        Args:
            command: a key of `MODULES`.
            arguments: of it.
            given: on its stdin.
        """
        here = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        with self._lock:
            if self._stopped:
                return Done(command, 128 + signal.SIGTERM, "", "")
            process = subprocess.Popen(
                [sys.executable, "-P", *self._start, MODULES[command], *map(str, arguments)],
                env=here,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
            self._running.add(process)
        out, err = process.communicate(given)
        with self._lock:
            self._running.discard(process)
        return Done(command, process.returncode, out, err)

    def stop(self) -> None:
        """Ask all that run to end, wait until they have, and start none any more."""
        with self._lock:
            self._stopped = True
            running = tuple(self._running)
        for process in running:
            process.send_signal(signal.SIGTERM)
        for process in running:
            process.wait()
