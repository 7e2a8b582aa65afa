"""The split of a folder or array into training and held-out images."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gan_runtime.commands.data_report import describe_pictures
from gan_runtime.data import Dataset, load_dataset
from gan_runtime.data.pictures import load_pictures
from gan_runtime.data.split import split_by_content
from gan_runtime.errors import InputError
from gan_runtime.images.options import PictureOptions

PICTURES = 300


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """300 different pictures, 8 x 8 RGB."""
    root = tmp_path / "pictures"
    root.mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (PICTURES, 8, 8, 3), np.uint8)
    for number, image in enumerate(pixels):
        Image.fromarray(image).save(root / f"{number:03}.png")
    return root


def load(folder: Path, size: int = 28) -> Dataset:
    return load_pictures(folder, PictureOptions(size=size), quiet=True)


def held_out_files(folder: Path, size: int = 28, share: float = 0.1) -> set[bytes]:
    dataset = load(folder, size)
    return {(folder / dataset.names[row]).read_bytes() for row in split_by_content(dataset, share).held_out}


def of_pixels(images: np.ndarray) -> Dataset:
    return Dataset("array", "train", images, np.zeros(len(images), np.int64), ())


def test_both_parts_have_every_image_once(folder: Path) -> None:
    split = split_by_content(load(folder))
    assert sorted([*split.train, *split.held_out]) == list(range(PICTURES))
    assert split.repeated == 0
    assert 15 <= len(split.held_out) <= 45  # 30 +- 3 standard deviations of a binomial


def test_names_and_order_do_not_matter(folder: Path) -> None:
    before = held_out_files(folder)
    for path in list(folder.iterdir()):
        path.rename(path.with_name(f"{999 - int(path.stem)}-renamed.png"))
    assert held_out_files(folder) == before


def test_the_size_in_pixels_does_not_matter(folder: Path) -> None:
    assert held_out_files(folder, size=40) == held_out_files(folder, size=28)


def test_an_archive_is_split_as_its_folder(folder: Path) -> None:
    archive = shutil.make_archive(str(folder), "zip", folder)
    names = {load(folder).names[row] for row in split_by_content(load(folder)).held_out}
    dataset = load_dataset(archive, pictures=PictureOptions(size=28), quiet=True)
    assert {dataset.names[row] for row in split_by_content(dataset).held_out} == names


def test_what_is_held_out_stays_so_when_pictures_are_added_or_removed(folder: Path) -> None:
    before = held_out_files(folder)
    for path in sorted(folder.iterdir())[:100]:
        before.discard(path.read_bytes())
        path.unlink()
    assert held_out_files(folder) == before


def test_the_cached_images_are_split_as_the_decoded_ones(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cached = [split_by_content(load(folder)).held_out.tolist() for _ in range(2)]
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null/none")
    assert cached == [split_by_content(load(folder)).held_out.tolist()] * 2


def test_equal_pixels_are_on_one_side_whatever_their_files(folder: Path) -> None:
    for path in sorted(folder.iterdir())[:50]:
        with Image.open(path) as image:
            image.save(folder / f"copy-{path.stem}.bmp")
    dataset = load(folder)
    split = split_by_content(dataset, 0.3)
    assert split.repeated == 50
    sides = {"train": split.train, "held out": split.held_out}
    of = {dataset.names[row]: side for side, rows in sides.items() for row in rows}
    assert {of[f"copy-{number:03}.bmp"] == of[f"{number:03}.png"] for number in range(50)} == {True}


def test_arrays_are_split_by_their_pixels() -> None:
    images = np.random.default_rng(1).integers(0, 256, (500, 4, 4, 1), np.uint8)
    held_out = images[split_by_content(of_pixels(images)).held_out]
    order = np.random.default_rng(2).permutation(500)
    again = images[order][split_by_content(of_pixels(images[order])).held_out]
    assert {image.tobytes() for image in held_out} == {image.tobytes() for image in again}


def test_no_share_holds_out_nothing_and_a_share_at_least_one_image() -> None:
    images = np.arange(3, dtype=np.uint8).reshape(3, 1, 1, 1)
    assert split_by_content(of_pixels(images), 0).held_out.tolist() == []
    for share in (1e-6, 0.5):
        split = split_by_content(of_pixels(images), share)
        assert len(split.train) >= 1
        assert len(split.held_out) >= 1


@pytest.mark.parametrize("share", [-0.1, 0.51, float("nan")])
def test_a_share_out_of_range_is_refused(share: float) -> None:
    with pytest.raises(InputError, match=f"hold-out {share:g}: must be between 0 and 0.5"):
        split_by_content(of_pixels(np.zeros((3, 1, 1, 1), np.uint8)), share)


def test_equal_images_alone_are_not_split() -> None:
    split = split_by_content(of_pixels(np.zeros((4, 2, 2, 1), np.uint8)))
    assert (split.train.tolist(), split.held_out.tolist(), split.repeated) == ([0, 1, 2, 3], [], 3)


def test_gan_data_counts_repeated_pictures(folder: Path) -> None:
    assert describe_pictures(folder, PictureOptions(size=28), verify=True, quiet=True)["repeated"] == 0
    shutil.copy(folder / "000.png", folder / "again.png")
    assert describe_pictures(folder, PictureOptions(size=28), verify=True, quiet=True)["repeated"] == 1
    assert "repeated" not in describe_pictures(folder, PictureOptions(size=28))
