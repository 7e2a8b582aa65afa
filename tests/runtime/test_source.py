"""Outputs take images of any origin: a source without a generator is written, continued and told apart."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
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

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(np.uint8)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.n, 5, 7, 3

    def part(self, first: int, count: int) -> "Grey":
        return replace(self, n=count, start=self.start + first)

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
