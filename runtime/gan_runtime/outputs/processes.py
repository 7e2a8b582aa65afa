"""The parts of a job in several processes of this host. Only commands start them."""

import os
import pickle
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Thread
from typing import IO, Any, TypeVar

from gan_runtime.terminal.text import note

T = TypeVar("T")
R = TypeVar("R")

PER_PLACE = 4  # parts for each process, if they may be small: those that are slow do not come last
PATIENCE = 5.0  # seconds that interrupted processes may take to remove their temporary files
WORKER = "gan_runtime.outputs.worker"


@dataclass(frozen=True)
class Processes:
    """This process and others that it has started, which do the parts of a job with one thread each.

    Attributes:
        others: have read nothing yet.
        quiet: no message on stderr.
    """

    others: Sequence["subprocess.Popen[bytes]"]
    quiet: bool = False

    @property
    def count(self) -> int:
        """How many there are, this one included."""
        return 1 + len(self.others)

    def report(self) -> dict[str, Any]:
        """The facts for --json."""
        return {"processes": self.count}

    def map(
        self, work: Callable[[Sequence[T]], R], items: Sequence[T], most: int = 1
    ) -> Iterator[tuple[Sequence[T], R]]:
        """Each part of `items` with what `work` returns for it, in the order in which they end.

        If one of the other processes is killed, or cannot begin, its part is done by another.

        Args:
            work: is pickled for the other processes.
            items: that are divided into contiguous parts.
            most: items of a part.

        Raises:
            GanEdgeError: what `work` raises.
        """
        size = max(1, min(most, -(-len(items) // (PER_PLACE * self.count))))
        parts = deque(items[first : first + size] for first in range(0, len(items), size))
        ended, sent, busy = SimpleQueue[Any](), pickle.dumps(work), len(self.others)
        for other in self.others:
            Thread(target=_hand_out, args=(other, sent, parts, ended), daemon=True).start()
        while busy or parts:
            own = _next(parts)
            if own is not None:
                yield own, work(own)
            waits = own is None
            while busy and (waits or not ended.empty()):
                waits, message = False, ended.get()
                if isinstance(message, _Result):
                    yield message.part, message.found
                elif isinstance(message, Exception):
                    raise message
                else:
                    busy -= 1
                    self._say(message)

    def _say(self, code: int | None) -> None:
        """Print that one of the others has ended too early, with this exit code, unless it is None."""
        if code is not None and not self.quiet:
            how = f"signal {-code}" if code < 0 else f"exit code {code}"
            note(f"one of {self.count} processes ended early ({how}); the others do its part")


@dataclass(frozen=True)
class _Result:
    """What the work returned for a part in another process."""

    part: Any
    found: Any


@contextmanager
def started(count: int, quiet: bool = False) -> Iterator[Processes | None]:
    """This process and others, `count` of them, which end with the block; None if no others can be started."""
    others: list[subprocess.Popen[bytes]] = []
    try:
        with suppress(OSError):
            for _ in range(0 if not sys.executable or hasattr(sys, "frozen") else count - 1):
                others.append(_start())
        yield Processes(others, quiet) if others else None
    finally:
        for other in others:
            with suppress(OSError):
                _pipes(other)[0].close()
        for other in others:
            try:
                other.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                other.kill()
            _pipes(other)[1].close()


def _start() -> "subprocess.Popen[bytes]":
    with _keys_blocked():
        return subprocess.Popen(
            [sys.executable, "-P", "-m", WORKER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),  # Windows: without Ctrl-C
        )


@contextmanager
def _keys_blocked() -> Iterator[None]:
    """Processes started in the block are not interrupted by the terminal, but end with their stdin."""
    if sys.platform == "win32":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT, signal.SIGHUP])  # which they inherit
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _hand_out(other: "subprocess.Popen[bytes]", work: bytes, parts: "deque[Any]", ended: "SimpleQueue[Any]") -> None:
    """Let a process do parts while there are some.

    Each result or error of `work` is put into `ended`, and last None, or its exit code if it ended too early.
    """
    part, (questions, answers) = None, _pipes(other)
    try:
        _send(questions, work)
        while (part := _next(parts)) is not None:
            _send(questions, part)
            done, answer = pickle.load(answers)
            ended.put(_Result(part, answer) if done else answer)
        ended.put(None)
    except Exception:  # it was killed, could not begin, or answers what cannot be understood
        if part is not None:
            parts.appendleft(part)
        with suppress(OSError):
            questions.close()  # with which it ends if it still runs
        ended.put(other.wait())


def _next(parts: "deque[T]") -> T | None:
    with suppress(IndexError):
        return parts.popleft()
    return None


def _send(file: IO[bytes], content: Any) -> None:
    pickle.dump(content, file)
    file.flush()


def _pipes(process: "subprocess.Popen[bytes]") -> tuple[IO[bytes], IO[bytes]]:
    assert process.stdin
    assert process.stdout
    return process.stdin, process.stdout
