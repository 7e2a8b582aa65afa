import gzip
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import web
from blob import BODY, CONTENT, FILE, HALF, OTHER, fetch, is_complete
from web import Behaviour, Web, whole

from gan_runtime.data.download import MOST_ATTEMPTS
from gan_runtime.errors import DataError


@pytest.mark.parametrize("code", [500, 503, 429])
def test_a_server_that_stumbles_is_asked_again(
    server: Web, mirrors: Callable[..., None], folder: Path, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    mirrors(server.address("a/"))
    url = server.answer("a/blob.gz", web.status(code), whole(BODY))
    fetch()
    assert is_complete(folder)
    assert f"{url}: HTTP {code} " in capsys.readouterr().err


def test_a_broken_connection_is_continued(server: Web, mirrors: Callable[..., None], folder: Path) -> None:
    mirrors(server.address("a/"))
    server.answer("a/blob.gz", web.breaks(BODY, 70_000), web.breaks(BODY, 9), whole(BODY))
    fetch()
    assert is_complete(folder)
    assert [seen.range for seen in server.seen] == [None, "bytes=70000-", "bytes=70009-"]
    assert sum(seen.sent[0] for seen in server.seen) == len(BODY)


def test_progress_counts_what_was_there(
    server: Web, mirrors: Callable[..., None], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("gan_runtime.terminal.progress.LINE_SECONDS", 0)
    mirrors(server.address("a/"))
    server.answer("a/blob.gz", web.breaks(BODY, HALF), whole(BODY))
    fetch()
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("fetching blob.gz: ")]
    assert lines[-1].startswith("fetching blob.gz: 0.2 of 0.2 MB, ")
    fractions = [float(line.split()[2]) for line in lines]
    assert fractions == sorted(fractions)


def test_attempts_are_bounded(server: Web, mirrors: Callable[..., None]) -> None:
    mirrors(server.address("a/"))
    server.answer("a/blob.gz", web.breaks(BODY, 9))
    with pytest.raises(DataError, match=f"broke off after 45 of {len(BODY)} bytes"):
        fetch(quiet=True)
    assert len(server.seen) == MOST_ATTEMPTS


RESUMED: dict[str, tuple[Behaviour, int]] = {
    "honours the range": (whole(BODY), 1),
    "ignores the range": (whole(BODY, ranges=False), 1),
    "has a new version": (whole(gzip.compress(CONTENT, 1)), 2),
    "has a shorter file": (whole(BODY[:HALF]), 2),
    "another range": (web.partial(BODY, BODY[5:], f"bytes 5-{len(BODY) - 1}/{len(BODY)}"), 2),
    "no such range": (web.partial(BODY, BODY[5:], "bytes nonsense"), 2),
    "continues another file": (web.partial(BODY, OTHER[HALF:], f"bytes {HALF}-{len(OTHER) - 1}/{len(OTHER)}"), 2),
}


@pytest.mark.parametrize("name", RESUMED)
def test_the_next_run_continues_or_starts_over(
    server: Web, mirrors: Callable[..., None], folder: Path, name: str
) -> None:
    behaviour, requests = RESUMED[name]
    mirrors(server.address("a/"))
    server.answer("a/blob.gz", web.breaks(BODY, HALF), web.status(404))
    with pytest.raises(DataError):
        fetch()
    server.seen.clear()
    server.answer("a/blob.gz", behaviour, whole(BODY))
    fetch()
    assert is_complete(folder)
    assert [seen.range for seen in server.seen] == [f"bytes={HALF}-", None][:requests]


def test_more_than_there_is_starts_over(server: Web, mirrors: Callable[..., None], folder: Path) -> None:
    mirrors(server.address("a/"))
    server.answer("a/blob.gz", web.breaks(BODY, HALF), web.status(404))
    with pytest.raises(DataError):
        fetch()
    (part,) = folder.glob("*.part")
    part.write_bytes(BODY)  # as if killed before the last step
    server.answer("a/blob.gz", whole(BODY))
    fetch()
    assert is_complete(folder)


def test_mirrors_are_never_mixed(server: Web, mirrors: Callable[..., None], folder: Path) -> None:
    mirrors(server.address("a/"), server.address("b/"))
    server.answer("a/blob.gz", web.breaks(BODY, HALF), web.status(404))
    server.answer("b/blob.gz", web.breaks(gzip.compress(CONTENT, 1), 1000), web.status(404))
    with pytest.raises(DataError):
        fetch()
    assert len(list(folder.glob("*.part"))) == 2
    server.seen.clear()
    server.answer("b/blob.gz", whole(gzip.compress(CONTENT, 1)))
    fetch()
    assert [(seen.path, seen.range) for seen in server.seen] == [
        ("/a/blob.gz", f"bytes={HALF}-"),
        ("/b/blob.gz", "bytes=1000-"),
    ]
    assert is_complete(folder)


DRIVER = f"""
import resource, sys
from gan_runtime.terminal.commandline import run
from gan_runtime.data.download import download
from gan_runtime.data.registry import SOURCES, IdxFile, IdxSource

file = IdxFile({FILE.name!r}, {FILE.size}, {FILE.sha256!r})
SOURCES["blob"] = IdxSource({{"train": (file, file)}}, (), "none", (sys.argv.pop(),))
largest = int(sys.argv.pop())
resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
run(lambda: print(download("blob", (file,))), "fetch")
"""


def start(address: str, largest: int = 10**9) -> "subprocess.Popen[str]":
    """A process that fetches `blob` and can write files of no more than `largest` bytes."""
    arguments = [sys.executable, "-c", DRIVER, str(largest), address]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ)


def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("number", "code", "says"), [(signal.SIGKILL, -9, ""), (signal.SIGINT, 130, "\nfetch: interrupted\n")]
)
def test_a_killed_process_is_continued(server: Web, folder: Path, number: int, code: int, says: str) -> None:
    server.answer("blob.gz", web.breaks(BODY, HALF, wait=30), whole(BODY))
    with start(server.address()) as process:
        until(lambda: sum(part.stat().st_size for part in folder.glob("*.part")) > HALF // 2)
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (code, "")
    assert err.endswith(says)
    assert "Traceback" not in err
    (part,) = folder.glob("*.part")
    come = part.stat().st_size
    with start(server.address()) as process:
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (0, f"{folder}\n"), err
    assert is_complete(folder)
    assert [seen.range for seen in server.seen] == [None, f"bytes={come}-"]
    assert server.seen[1].sent == [len(BODY) - come]


def test_the_second_of_two_processes_waits(server: Web, folder: Path) -> None:
    def slow(handler: web.Handler) -> None:
        until(lambda: waiting)
        whole(BODY)(handler)

    waiting: list[str] = []
    server.answer("blob.gz", slow)
    with start(server.address()) as first:
        until(lambda: server.seen)
        with start(server.address()) as second:
            assert second.stderr is not None
            waiting.append(second.stderr.readline())
            assert waiting == [f"{folder}: another process is fetching; waiting for it\n"]
            assert second.communicate(timeout=30) == (f"{folder}\n", "")
        assert first.communicate(timeout=30)[0] == f"{folder}\n"
    assert (first.returncode, second.returncode, len(server.seen)) == (0, 0, 1)
    assert is_complete(folder)


def test_a_full_disk_is_one_clear_error(server: Web, folder: Path) -> None:
    server.answer("blob.gz", whole(BODY))
    with start(server.address(), largest=HALF) as process:
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (1, "")
    assert err.splitlines()[1:] == [
        f"fetch: error: {folder}: cannot be written: File too large; make room there, or set XDG_CACHE_HOME to another "
        "folder"
    ]
    with start(server.address()) as process:
        process.communicate(timeout=30)
    assert server.seen[1].range == f"bytes={HALF}-"
    assert is_complete(folder)
