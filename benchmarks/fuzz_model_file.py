"""Test that the reader refuses every file that ONNX Runtime loads with external data.

Files of `hostile_models.py` are shown to `parse_model` and to ONNX Runtime, which runs in a folder that is watched with
inotify: a file counts as loaded with external data where ONNX Runtime opens anything there, or speaks of external data
in its error. None of those may be one that the reader takes. The reader must raise ModelError alone.

Another version of ONNX Runtime is tried with PYTHONPATH=FOLDER after pip install --target FOLDER onnxruntime==VERSION.
"""

import argparse
import ctypes
import json
import multiprocessing
import os
import random
import re
import sys
import tempfile
import time
import traceback
from contextlib import closing
from pathlib import Path
from typing import Any, TypeAlias

from hostile_models import PLAIN, SECRET, VALUES, bases, mutate

from gan_runtime.errors import ModelError
from gan_runtime.model_file import parse_model

CONTEXT = multiprocessing.get_context("spawn")
Counts: TypeAlias = "ctypes.Array[ctypes.c_longlong]"
MUST_BE_ZERO = ("missed", "reader failed", "reader slow", "read wrongly unchanged")
KEYS = (
    "files", "loaded with external data", "loaded with external data unchanged", "crashed ONNX Runtime",
    "refused", "external data seen", "taken", *MUST_BE_ZERO,
)  # fmt: skip
IN_OPEN, IN_NONBLOCK = 0x20, 0x800  # of <sys/inotify.h>
SLOW_SECONDS = 1.0
# What errors about other things mention: advice for tensors that are too large, and a class in a function's signature.
IRRELEVANT = re.compile("Use external data for large initializers|ExternalDataLoaderManager")


class Watch:
    """Which files of a folder are opened, from inotify."""

    def __init__(self, folder: Path) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor = libc.inotify_init1(IN_NONBLOCK)
        if libc.inotify_add_watch(self._descriptor, os.fsencode(folder), IN_OPEN) < 0:
            sys.exit("inotify cannot be used here")

    def opened(self) -> bool:
        """Whether any file was opened since the last call."""
        try:
            return bool(os.read(self._descriptor, 65536))
        except BlockingIOError:
            return False

    def close(self) -> None:
        """A user has but 128 of them."""
        os.close(self._descriptor)


def main() -> None:
    """Try, print the counts, and with --check fail where anything was missed."""
    options, began = _options(), time.perf_counter()
    counts: Counts = CONTEXT.Array("q", len(KEYS), lock=False)
    first, last = options.first, options.first + options.files
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / SECRET).write_bytes(bytes(4 * VALUES))
        while first < last:
            first = _in_child(folder, first, last, counts)
    found = dict(zip(KEYS, counts, strict=True))
    print(json.dumps({"onnxruntime": _version(), **found, "seconds": round(time.perf_counter() - began, 1)}, indent=2))
    wrong = [key for key in MUST_BE_ZERO if found[key]]
    if not found["loaded with external data"]:
        wrong.append("no file was loaded with external data, so that nothing was tested")
    if options.check and wrong:
        sys.exit(", ".join(wrong))


def _in_child(folder: Path, first: int, last: int, counts: Counts) -> int:
    """Try these files in a process of its own, which ONNX Runtime may crash, and return the next one to try."""
    at, alone = CONTEXT.Value("q", first, lock=False), last == first + 1
    with closing(Watch(folder)) as watch:
        child = CONTEXT.Process(target=_try_files, args=(str(folder), first, last, at, counts))
        child.start()
        child.join()
        if child.exitcode and alone:
            verdict = _read(_file(first, list(bases().values())), counts)
            _count(counts, "crashed ONNX Runtime")
            _compare(first, verdict, watch.opened(), counts)
    if child.exitcode and not alone:
        return _in_child(folder, at.value, at.value + 1, counts)  # what does it open before it crashes?
    return last


def _try_files(folder: str, first: int, last: int, at: Any, counts: Counts) -> None:
    os.chdir(folder)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # old versions print there
    watch, models = Watch(Path(folder)), bases()
    if first == 0:
        _try_bases(models, watch, counts)
    for number in range(first, last):
        at.value = number
        content = _file(number, list(models.values()))
        external = _loads_external_data(content, watch)
        _compare(number, _read(content, counts), external, counts)


def _compare(number: int, verdict: str, external: bool, counts: Counts) -> None:
    _count(counts, "files")
    _count(counts, verdict)
    if external:
        _count(counts, "loaded with external data")
        if verdict == "taken":
            _count(counts, "missed")
            print(f"file {number}: taken, and loaded with external data", file=sys.stderr)


def _try_bases(models: dict[str, bytes], watch: Watch, counts: Counts) -> None:
    """Unchanged, none may be refused, and only those without external data are taken."""
    for name, content in models.items():
        if _read(content, counts) != ("taken" if name.endswith(PLAIN) else "external data seen"):
            _count(counts, "read wrongly unchanged")
            print(f"{name}: {_read(content, counts)}", file=sys.stderr)
        if _loads_external_data(content, watch):
            _count(counts, "loaded with external data unchanged")


def _count(counts: Counts, key: str) -> None:
    counts[KEYS.index(key)] += 1


def _file(number: int, models: list[bytes]) -> bytes:
    chance = random.Random(number)
    return mutate(chance.choice(models), chance)


def _read(content: bytes, counts: Counts) -> str:
    began = time.perf_counter()
    try:
        external = parse_model(content, Path("x.onnx")).external_data
    except ModelError:
        return "refused"
    except Exception:
        traceback.print_exc()
        return "reader failed"
    if time.perf_counter() - began > SLOW_SECONDS:
        _count(counts, "reader slow")
    return "external data seen" if external else "taken"


def _loads_external_data(content: bytes, watch: Watch) -> bool:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    options.add_session_config_entry("session.load_model_format", "ONNX")
    try:
        onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"], enable_fallback=0)
        error = ""
    except Exception as problem:
        error = IRRELEVANT.sub("", str(problem))
    return watch.opened() or SECRET in error or bool(re.search("external", error, re.IGNORECASE))


def _version() -> str:
    import onnxruntime

    return str(onnxruntime.__version__)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=200_000, help="how many [200000]")
    parser.add_argument("--first", type=int, default=0, help="number of the first; the same number is the same file")
    parser.add_argument("--check", action="store_true", help="exit with 1 where a file was missed")
    return parser.parse_args()


if __name__ == "__main__":
    main()
