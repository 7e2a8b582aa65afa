import gzip
import hashlib
from pathlib import Path

import numpy as np
import pytest

from gan_runtime.datasets import SOURCES, load_dataset
from gan_runtime.datasets.idx import find_folder
from gan_runtime.datasets.known import IdxFile, IdxSource
from gan_runtime.datasets.places import search_path
from gan_runtime.errors import DataError

CONTENTS = {
    "images": bytes([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 3, *range(12)]),
    "labels": bytes([0, 0, 8, 1, 0, 0, 0, 2, 1, 0]),
}


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """A data set of two images called `tiny`, known but not there yet."""
    images, labels = (IdxFile(name, len(data), hashlib.sha256(data).hexdigest()) for name, data in CONTENTS.items())
    source = IdxSource({"train": (images, labels)}, ("a", "b"), "none")
    monkeypatch.setitem(SOURCES, "tiny", source)
    monkeypatch.setattr("gan_runtime.datasets.places.checkout", lambda: None)


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
    files = SOURCES["tiny"].splits["train"]
    assert find_folder("tiny", files) is None
    monkeypatch.setattr("gan_runtime.datasets.places.DEBIAN", tmp_path / "debian")
    monkeypatch.setattr("gan_runtime.datasets.places.checkout", lambda: tmp_path / "checkout")
    monkeypatch.setenv("GAN_EDGE_DATA", str(tmp_path / "own"))
    for place in ("debian/tiny", "cache/gan-edge/tiny", "checkout/data/tiny", "own"):
        assert find_folder("tiny", files) != tmp_path / place
        put(tmp_path / place)
        assert find_folder("tiny", files) == tmp_path / place
    assert len(load_dataset("tiny").images) == 2


@pytest.mark.usefixtures("tiny")
def test_what_is_nowhere_is_named_with_the_way_out(tmp_path: Path) -> None:
    message = r"tiny: images\.gz and labels\.gz not found in .*gan-edge.* and GAN_EDGE_OFFLINE forbids .*--data-dir"
    with pytest.raises(DataError, match=message):
        load_dataset("tiny")
    with pytest.raises(DataError, match=r"nowhere.*fetch them: gan-data tiny --fetch --data-dir .*nowhere"):
        load_dataset("tiny", data_dir=tmp_path / "nowhere")


def test_a_user_without_a_home_has_no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", homeless)
    monkeypatch.setenv("GAN_EDGE_DATA", "here")
    assert search_path()[0] == Path("here")


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
