import gzip
import hashlib
from pathlib import Path

import numpy as np
import pytest

from gan_runtime import datasets
from gan_runtime.datasets import IdxFile, IdxSource, load_dataset
from gan_runtime.errors import DataError

CONTENTS = {
    "images": bytes([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 3, *range(12)]),
    "labels": bytes([0, 0, 8, 1, 0, 0, 0, 2, 1, 0]),
}


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """A data set of two images called `tiny`, known but not there yet."""
    images, labels = (IdxFile(name, hashlib.sha256(content).hexdigest()) for name, content in CONTENTS.items())
    source = IdxSource({"train": (images, labels)}, ("a", "b"), "none")
    monkeypatch.setitem(datasets.SOURCES, "tiny", source)
    monkeypatch.setattr("gan_runtime.datasets.checkout", lambda: None)


def put(folder: Path, compressed: bool = True) -> Path:
    folder.mkdir(parents=True)
    for name, content in CONTENTS.items():
        path = folder / (f"{name}.gz" if compressed else name)
        path.write_bytes(gzip.compress(content) if compressed else content)
    return folder


def test_mnist_is_the_real_one() -> None:
    train, test = load_dataset("mnist"), load_dataset("mnist", "test")
    assert train.images.shape == (60000, 28, 28, 1)
    assert test.images.shape == (10000, 28, 28, 1)
    assert train.labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert np.bincount(test.labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert train.classes == tuple("0123456789")
    assert (train.images.dtype, train.labels.dtype) == (np.uint8, np.int64)


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("inner", ["", "tiny"])
@pytest.mark.parametrize("compressed", [True, False])
def test_files_are_decoded(tmp_path: Path, inner: str, compressed: bool) -> None:
    put(tmp_path / "d" / inner, compressed)
    dataset = load_dataset("tiny", data_dir=tmp_path / "d")
    np.testing.assert_array_equal(dataset.images.ravel(), np.arange(12))
    assert dataset.images.shape == (2, 2, 3, 1)
    assert dataset.labels.tolist() == [1, 0]


@pytest.mark.usefixtures("tiny")
def test_search_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match=r"tiny: images\.gz and labels\.gz not found in .*gan-edge.*--data-dir"):
        load_dataset("tiny")
    put(tmp_path / "cache" / "gan-edge" / "tiny")
    assert len(load_dataset("tiny").images) == 2
    checkout = tmp_path / "checkout"
    monkeypatch.setattr("gan_runtime.datasets.checkout", lambda: checkout)
    files = datasets.SOURCES["tiny"].splits["train"]
    assert datasets.find_folder("tiny", files) == tmp_path / "cache" / "gan-edge" / "tiny"
    put(checkout / "data" / "tiny")
    assert datasets.find_folder("tiny", files) == checkout / "data" / "tiny"
    monkeypatch.setenv("GAN_EDGE_DATA", str(tmp_path / "own"))
    assert datasets.find_folder("tiny", files) == checkout / "data" / "tiny"
    put(tmp_path / "own")
    assert datasets.find_folder("tiny", files) == tmp_path / "own"
    with pytest.raises(DataError, match="nowhere"):
        load_dataset("tiny", data_dir=tmp_path / "nowhere")


def test_a_user_without_a_home_has_no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", homeless)
    monkeypatch.setenv("GAN_EDGE_DATA", "here")
    assert datasets.search_path()[0] == Path("here")


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("damage", ["flip", "cut", "foreign"])
def test_damaged_files_are_refused_with_their_digest(tmp_path: Path, damage: str) -> None:
    folder = put(tmp_path / "d")
    path = folder / "images.gz"
    content = path.read_bytes()
    changed = CONTENTS["images"].replace(b"\x05", b"\x06")
    path.write_bytes({"flip": gzip.compress(changed), "cut": content[:-9], "foreign": b"hello"}[damage])
    digest = hashlib.sha256(changed if damage == "flip" else path.read_bytes()).hexdigest()
    with pytest.raises(DataError, match=rf"images\.gz: corrupt.*{digest}"):
        load_dataset("tiny", data_dir=folder)


@pytest.mark.parametrize(("name", "split", "message"), [("cifar", "train", "'cifar'"), ("mnist", "dev", "'dev'")])
def test_unknown_names_are_refused(name: str, split: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        load_dataset(name, split)
