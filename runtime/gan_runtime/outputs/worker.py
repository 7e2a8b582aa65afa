"""A process that does parts of a job for another one, which started it (`processes.py`).

It reads pickles from stdin: the work, as bytes, and then parts. For each part it writes a pickle to stdout: what the
work returns for it, or the error that it raises. It ends with its stdin, as soon as its temporary files are removed.
"""

import os
import pickle
import signal
import sys
import traceback
from _thread import interrupt_main
from queue import SimpleQueue
from threading import Thread
from typing import Any, BinaryIO, NoReturn

from gan_runtime.errors import GanEdgeError
from gan_runtime.terminal.exit_codes import FAILURE, TERMINATED
from gan_runtime.terminal.text import note


def main() -> None:
    """Do parts until there are no more."""
    signal.signal(signal.SIGTERM, _on_sigterm)
    received, answers = SimpleQueue[Any](), _own_stdout()
    Thread(target=_receive, args=(sys.stdin.buffer, received), daemon=True).start()
    sent = received.get()
    if sent is None:
        return
    work = pickle.loads(sent)
    for part in iter(received.get, None):
        answers.write(pickle.dumps(_answer(work, part)))
        answers.flush()


def _answer(work: Any, part: Any) -> tuple[bool, Any]:
    """Whether the work is done, and its result or the error."""
    try:
        return True, work(part)
    except Exception as error:
        error.add_note(traceback.format_exc())  # shown if it is a bug
        return False, error


def _receive(file: BinaryIO, received: "SimpleQueue[Any]") -> None:
    """Pass on what the other process sends. If it ends, this one is interrupted."""
    try:
        while True:
            received.put(pickle.load(file))
    except (EOFError, OSError, pickle.UnpicklingError):
        received.put(None)
        if sys.platform == "win32":
            interrupt_main(signal.SIGTERM)
        else:  # wakes the main thread where it waits
            os.kill(os.getpid(), signal.SIGTERM)


def _own_stdout() -> BinaryIO:
    """The pipe to the other process. What libraries print goes nowhere."""
    answers, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    return os.fdopen(answers, "wb")


def _on_sigterm(number: int, frame: object) -> NoReturn:
    sys.exit(TERMINATED)  # an exception, so that temporary files are removed on the way out


def _run() -> int:
    """The exit code."""
    try:
        main()
    except SystemExit:
        return TERMINATED
    except GanEdgeError as error:
        note(str(error))
        return FAILURE
    except BaseException:
        traceback.print_exc()
        return FAILURE
    return 0


if __name__ == "__main__":
    try:
        os._exit(_run())  # without the teardown of Python and ONNX Runtime
    finally:  # interrupted at the last moment
        os._exit(TERMINATED)
