"""Whole files or none: who is blamed, and what a file that is replaced passes on."""

import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import leftovers
from PIL import Image

from gan_runtime.errors import OutputError
from gan_runtime.files import atomic_write

FULL = Path("/dev/full")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_missing_source_is_not_the_fault_of_the_target(tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.write_bytes(b"old")
    with pytest.raises(FileNotFoundError) as error, atomic_write(target) as file:
        file.write(Path("missing").read_bytes())
    assert error.value.filename == "missing"
    assert target.read_bytes() == b"old"
    assert not leftovers(tmp_path)


def test_a_source_that_breaks_while_it_is_read_is_not_the_fault_of_the_target(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path, os.O_RDONLY)  # to read it fails without a name, as a broken disk does
    with pytest.raises(IsADirectoryError), atomic_write(tmp_path / "out") as file:
        file.write(os.read(descriptor, 1))
    os.close(descriptor)
    assert not list(tmp_path.iterdir())


WRITERS: dict[str, Callable[[Any], Any]] = {
    "bytes": lambda file: file.write(bytes(100_000)),
    "numpy": lambda file: np.save(file, np.zeros(100_000)),
    "npz": lambda file: np.savez(file, np.zeros(100_000)),
    "pillow": lambda file: Image.effect_noise((300, 300), 50).save(file, "png"),
    "little": lambda file: file.write(b"x"),  # stays in the buffer until the block has ended
}


@pytest.mark.skipif(not FULL.exists(), reason="no /dev/full on this machine")
@pytest.mark.parametrize("kind", WRITERS)
def test_a_full_disk_is_the_fault_of_the_target(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gan_runtime.files.atomic._Target.__init__", lambda self, path, mode: _open_full(self))
    with pytest.raises(OutputError, match="out: cannot be written: No space left"), atomic_write(tmp_path / "out") as f:
        WRITERS[kind](f)


def _open_full(target: object) -> None:
    from io import FileIO

    FileIO.__init__(target, "/dev/full", "wb")  # type: ignore[arg-type]


def test_numpy_and_pillow_write_what_they_would_write_to_a_plain_file(tmp_path: Path) -> None:
    array, image = np.arange(10_000).reshape(100, 100), Image.effect_noise((100, 90), 50)
    with atomic_write(tmp_path / "a.npy") as file:
        np.save(file, array)
    with atomic_write(tmp_path / "a.png") as file:
        image.save(file, "png")
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), array)
    image.save(tmp_path / "plain.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "plain.png").read_bytes()


@pytest.mark.parametrize("bits", [0o600, 0o640, 0o666, 0o755, 0o444])
def test_a_file_that_is_replaced_keeps_its_permissions(tmp_path: Path, bits: int) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"old")
    path.chmod(bits)
    with atomic_write(path) as file:
        file.write(b"new")
    assert (path.read_bytes(), mode(path)) == (b"new", bits)


def test_new_files_honour_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        with atomic_write(tmp_path / "x"):
            pass
    finally:
        os.umask(before)
    assert mode(tmp_path / "x") == 0o600


def test_the_file_behind_a_link_keeps_its_permissions(tmp_path: Path) -> None:
    (tmp_path / "real").touch(0o600)
    (tmp_path / "link").symlink_to("real")
    with atomic_write(tmp_path / "link") as file:
        file.write(b"new")
    assert (tmp_path / "link").is_symlink()
    assert (mode(tmp_path / "real"), (tmp_path / "real").read_bytes()) == (0o600, b"new")


@pytest.mark.skipif(not hasattr(os, "chown") or os.geteuid() != 0, reason="only root gives files away")
def test_a_file_that_is_replaced_keeps_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.touch()
    shutil.chown(path, 1234, 2345)
    with atomic_write(path, durable=True) as file:
        file.write(b"new")
    assert (path.stat().st_uid, path.stat().st_gid) == (1234, 2345)


@pytest.mark.skipif(not hasattr(os, "chown"), reason="no owners here")
def test_owners_that_cannot_be_kept_are_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"old")
    path.chmod(0o640)
    real = Path.stat

    def foreign(self: Path, **options: bool) -> os.stat_result:
        found = real(self, **options)
        return os.stat_result((*found[:4], 1, 1, *found[6:])) if self == path else found

    def forbidden(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "stat", foreign)
        patched.setattr(os, "chown", forbidden)
        with atomic_write(path) as file:
            file.write(b"new")
    assert (path.read_bytes(), mode(path)) == (b"new", 0o640)
