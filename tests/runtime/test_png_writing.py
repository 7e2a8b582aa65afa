"""PNG files of many images, and their places in a tar."""

import io
import tarfile

import numpy as np
import pytest
from PIL import Image

from gan_runtime.images.png_writing import png_files
from gan_runtime.outputs.tar import tar_end, tar_header, tar_members
from gan_runtime.outputs.whole import is_png


@pytest.mark.parametrize("shape", [(1, 1, 1), (28, 28, 1), (5, 7, 3), (16, 16, 2), (64, 48, 3), (70, 70, 4)])
def test_another_decoder_reads_the_same_pixels(shape: tuple[int, int, int]) -> None:
    smooth = np.add.outer(np.arange(shape[0]), np.arange(shape[1]))[:, :, None] * np.ones(shape[2])
    noise = np.random.default_rng(0).integers(0, 256, shape)
    images = np.stack([smooth, noise, np.zeros(shape)]).astype(np.uint8)
    files = list(png_files(images))
    for file, image in zip(files, images, strict=True):
        assert is_png(file, shape)
        with Image.open(io.BytesIO(file)) as opened:
            assert np.array_equal(np.asarray(opened).reshape(shape), image)
    assert files == [file for image in images for file in png_files(image[None])]


@pytest.mark.parametrize("name", ["00000007.png", "x" * 100, "ü.png", "a\udcffb.png"])
@pytest.mark.parametrize("size", [0, 300, 8**11 - 1])
def test_headers_are_those_of_tarfile(name: str, size: int) -> None:
    info = tarfile.TarInfo(name)
    info.size = size
    assert tar_header(name, size) == info.tobuf(tarfile.USTAR_FORMAT)


def test_members_are_those_of_tarfile() -> None:
    names, contents = ["00000007.png", "x" * 100, "ü.png", "a\udcffb.png"], [b"", b"1", bytes(512), b"ab" * 40_000]
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in zip(names, contents, strict=True):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    members = tar_members(names, contents)
    assert members + tar_end(len(members)) == file.getvalue()
