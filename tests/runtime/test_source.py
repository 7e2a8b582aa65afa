"""Outputs take images of any origin: a source without a generator is written, continued and told apart."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from tarfile import open as open_tar
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from gan_runtime.errors import OutputError
from gan_runtime.outputs.arrays import write_npy
from gan_runtime.outputs.folder import write_folder
from gan_runtime.outputs.options import Options
from gan_runtime.outputs.shards import write_shards
from gan_runtime.outputs.source import Source

QUIET = Options(quiet=True, shard_size=4)


@dataclass(frozen=True)
class Grey:
    """Image i has the grey level of its index."""

    n: int = 10
    start: int = 0
    unit: str = "images"
    threads: int = 2
    classes: int = 0
    class_names: tuple[str, ...] = ()
    names: tuple[str, ...] | None = None

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(np.uint8)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.n, 5, 7, 3

    def part(self, first: int, count: int) -> "Grey":
        names = self.names and self.names[first : first + count]
        return replace(self, n=count, start=self.start + first, names=names)

    def batches(self) -> Iterator[NDArray[Any]]:
        for first in range(0, self.n, 3):
            levels = np.arange(self.start + first, self.start + min(first + 3, self.n), dtype=np.uint8)
            yield np.broadcast_to(levels[:, None, None, None], (len(levels), 5, 7, 3))

    def labels(self, first: int, count: int) -> NDArray[np.int64] | None:
        return None

    def identity(self) -> dict[str, Any]:
        return {"source": "grey", "n": self.n, "start": self.start}


def test_a_folder_of_another_source_is_continued_and_a_different_one_refused(tmp_path: Path) -> None:
    output = f"{tmp_path}/out/"
    assert write_folder(output, Grey(), QUIET).kept == 0
    files = sorted((tmp_path / "out").glob("*.png"))
    assert [np.unique(np.asarray(Image.open(file))).tolist() for file in files] == [[i] for i in range(10)]
    content = files[4].read_bytes()
    files[4].unlink()
    assert write_folder(output, Grey(), QUIET).kept == 9
    assert files[4].read_bytes() == content
    with pytest.raises(OutputError, match="a different request: n 10, not 11"):
        write_folder(output, Grey(n=11), QUIET)


def test_shards_of_another_source_are_continued(tmp_path: Path) -> None:
    output = f"{tmp_path}/out.tar"
    shards = list(map(Path, write_shards(output, Grey(), QUIET).shards))
    contents = [shard.read_bytes() for shard in shards]
    shards[1].write_bytes(contents[1][:700])
    assert write_shards(output, Grey(), QUIET).kept == 6
    assert [shard.read_bytes() for shard in shards] == contents


def test_an_array_of_another_source_holds_its_images(tmp_path: Path) -> None:
    with (tmp_path / "out.npy").open("wb") as file:
        write_npy(file, Grey(), QUIET)
    images = np.load(tmp_path / "out.npy")
    assert images.shape == (10, 5, 7, 3)
    assert (images == np.arange(10)[:, None, None, None]).all()


NAMES = ("a", "b.c", "sub/a", "sub/deep/\u00e9 f", ".hidden", "7", "labels", "request.json", "sub/..b", "z" * 251)


def test_a_folder_keeps_the_names_of_its_source(tmp_path: Path) -> None:
    source: Source = Grey(names=NAMES)
    folder = tmp_path / "out"
    assert write_folder(f"{folder}/", source, QUIET).kept == 0
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert files == {"request.json", *(f"{name}.png" for name in NAMES)}
    levels = [np.unique(np.asarray(Image.open(folder / f"{name}.png"))).tolist() for name in NAMES]
    assert levels == [[i] for i in range(10)]


def test_a_folder_with_names_is_continued(tmp_path: Path) -> None:
    folder, output = tmp_path / "out", f"{tmp_path}/out/"
    write_folder(output, Grey(names=NAMES), QUIET)
    contents = {path: path.read_bytes() for path in folder.rglob("*.png")}
    (folder / "sub/a.png").unlink()
    (folder / "sub/deep/\u00e9 f.png").write_bytes(b"torn")
    leftover = folder / "sub/deep/.gan-edge-00000000-0.tmp"
    leftover.touch()
    assert write_folder(output, Grey(names=NAMES), QUIET).kept == 8
    assert {path: path.read_bytes() for path in folder.rglob("*.png")} == contents
    assert not leftover.exists()
    for other in (None, (*NAMES[:9], "other")):
        with pytest.raises(OutputError, match="a different request: names "):
            write_folder(output, Grey(names=other), QUIET)


def test_shards_keep_the_names_of_their_source(tmp_path: Path) -> None:
    names = tuple("abcdefghij")
    shards = write_shards(f"{tmp_path}/out.tar", Grey(names=names), QUIET).shards
    with open_tar(shards[1]) as shard:
        assert shard.getnames() == ["e.png", "f.png", "g.png", "h.png"]
    Path(shards[1]).write_bytes(b"torn")
    assert write_shards(f"{tmp_path}/out.tar", Grey(names=names), QUIET).kept == 6
    with pytest.raises(OutputError, match="a different request: names "):
        write_shards(f"{tmp_path}/out.tar", Grey(), QUIET)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("../x", "leads out of the output"),
        ("sub/../../x", "leads out of the output"),
        ("/etc/x", "leads out of the output"),
        ("", "is no plain path"),
        (".", "is no plain path"),
        ("sub//x", "is no plain path"),
        ("sub/", "is no plain path"),
        ("x\n", "is no plain path"),
        ("x\0", "is no plain path"),
        ("z" * 252, "is too long"),
        ("a", "2 images are called 'a'"),
    ],
)
def test_names_that_cannot_be_files_are_refused(name: str, words: str, tmp_path: Path) -> None:
    source = Grey(n=2, names=("a", name))
    for write, output in ((write_folder, f"{tmp_path}/out/"), (write_shards, f"{tmp_path}/out.tar")):
        with pytest.raises(OutputError, match=f"{re.escape(output)}: .*{words if write is write_folder else ''}"):
            write(output, source, QUIET)
    assert not list(tmp_path.iterdir())


def test_a_name_for_each_image_and_none_with_dots_in_shards(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="there are 1 names for 2 images"):
        write_folder(f"{tmp_path}/out/", Grey(n=2, names=("a",)), QUIET)
    for name in ("a.b", "sub/a", "z" * 97):
        with pytest.raises(OutputError, match=r"no dots or slashes|too long"):
            write_shards(f"{tmp_path}/out.tar", Grey(n=1, names=(name,)), QUIET)
