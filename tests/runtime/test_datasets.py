import gzip
import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers import Result

from gan_runtime.data import SOURCES, load_dataset
from gan_runtime.data.idx import find_folder
from gan_runtime.data.paths import search_path
from gan_runtime.data.registry import IdxFile, IdxSource
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
    monkeypatch.setattr("gan_runtime.data.paths.checkout", lambda: None)


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
    monkeypatch.setattr("gan_runtime.data.paths.DEBIAN", tmp_path / "debian")
    monkeypatch.setattr("gan_runtime.data.paths.checkout", lambda: tmp_path / "checkout")
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


OTHERS = {"images": CONTENTS["images"][:-1] + b"\xff", "labels": CONTENTS["labels"][:-1] + b"\x01"}


@pytest.fixture
def twin(tiny: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A known data set whose files have the names and sizes of those of `tiny`."""
    images, labels = (IdxFile(name, len(data), hashlib.sha256(data).hexdigest()) for name, data in OTHERS.items())
    monkeypatch.setitem(SOURCES, "twin", IdxSource({"train": (images, labels)}, ("a", "b"), "none"))


def put_other(folder: Path, contents: dict[str, bytes] = OTHERS) -> Path:
    put(folder)
    for name, content in contents.items():
        (folder / f"{name}.gz").write_bytes(gzip.compress(content))
    return folder


@pytest.mark.usefixtures("twin")
def test_files_of_another_data_set_are_passed_over_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    other = put_other(tmp_path / "other")
    before = {path.name: path.read_bytes() for path in other.iterdir()}
    with pytest.raises(DataError) as error:
        load_dataset("tiny", data_dir=other)
    words = (f"not found in {other}; {other / 'labels.gz'} is of twin", "gan-data tiny --fetch --data-dir")
    assert all(word in str(error.value) for word in words)
    assert "delete" not in str(error.value)
    assert load_dataset("twin", data_dir=other).labels.tolist() == [1, 1]
    monkeypatch.setenv("GAN_EDGE_DATA", str(other))
    monkeypatch.setattr("gan_runtime.data.paths.DEBIAN", put(tmp_path / "debian"))
    assert load_dataset("tiny").labels.tolist() == [1, 0]
    assert capsys.readouterr().err == f"tiny: skipped: {other / 'labels.gz'} is of twin\n"
    assert before == {path.name: path.read_bytes() for path in other.iterdir()}


@pytest.mark.usefixtures("twin")
@pytest.mark.parametrize("longer", [0, 5])
def test_sound_files_of_an_unknown_data_set_are_passed_over_too(tmp_path: Path, longer: int) -> None:
    """As those of KMNIST and EMNIST, which have the same names."""
    n = 2 + longer
    unknown = {
        "images": bytes([0, 0, 8, 3, 0, 0, 0, n, 0, 0, 0, 2, 0, 0, 0, 3]) + bytes(6 * n),
        "labels": bytes([0, 0, 8, 1, 0, 0, 0, n]) + bytes([9] * n),
    }
    folder = put_other(tmp_path / "d", unknown)
    with pytest.raises(DataError, match=r"not found .*images\.gz is of an unknown data set, or modified"):
        load_dataset("tiny", data_dir=folder)


@pytest.mark.usefixtures("twin")
def test_damaged_labels_beside_the_right_images_are_damaged(tmp_path: Path) -> None:
    folder = put(tmp_path / "d")
    (folder / "labels.gz").write_bytes(gzip.compress(CONTENTS["labels"][:-1] + b"\x09"))
    with pytest.raises(DataError, match=r"labels\.gz: corrupt"):
        load_dataset("tiny", data_dir=folder)
    (folder / "labels.gz").write_bytes(gzip.compress(CONTENTS["labels"][:-1]))
    with pytest.raises(DataError, match=r"labels\.gz: corrupt"):
        load_dataset("tiny", data_dir=folder)


@pytest.mark.usefixtures("twin")
def test_images_of_another_data_set_beside_the_right_labels_are_named(tmp_path: Path) -> None:
    folder = put(tmp_path / "d")
    (folder / "images.gz").write_bytes(gzip.compress(OTHERS["images"]))
    with pytest.raises(DataError, match=r"images\.gz: is of twin, next to files of another data set; replace it"):
        load_dataset("tiny", data_dir=folder)


@pytest.mark.usefixtures("tiny")
def test_a_split_under_the_name_of_the_other_one_is_called_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = put_other(tmp_path / "d")
    test = tuple(
        IdxFile(f"test-{name}", len(content), hashlib.sha256(content).hexdigest()) for name, content in OTHERS.items()
    )
    monkeypatch.setitem(SOURCES, "tiny", replace(SOURCES["tiny"], splits=SOURCES["tiny"].splits | {"test": test}))
    with pytest.raises(DataError, match=r"labels\.gz is test-labels of tiny"):
        load_dataset("tiny", data_dir=folder)


@pytest.mark.usefixtures("twin")
def test_nothing_is_fetched_over_or_beside_files_of_another_data_set(
    tmp_path: Path, call: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GAN_EDGE_OFFLINE")
    monkeypatch.setattr("gan_runtime.data.idx.download", lambda *_: pytest.fail("a download"))
    put_other(tmp_path / "d" / "tiny")
    done = call("gan-data", "tiny", "--fetch", "--data-dir", tmp_path / "d")
    assert done.refused("labels.gz is of twin; move these files, or name another folder")


@pytest.mark.usefixtures("twin")
def test_gan_data_says_what_lies_in_the_place(tmp_path: Path, call: Callable[..., Result]) -> None:
    other = put_other(tmp_path / "other")
    assert f"not found; skipped: {other / 'labels.gz'} is of twin" in call("gan-data", "tiny", "--data-dir", other).out
    found = json.loads(call("gan-data", "tiny", "--data-dir", other, "--json").out)["tiny"]["splits"]["train"]
    assert (found["folder"], found["others"]) == (None, [f"{other / 'labels.gz'} is of twin"])


def test_the_real_mnist_is_not_fashion_mnist(call: Callable[..., Result]) -> None:
    place = Path(__file__).resolve().parents[2] / "data" / "mnist"
    done = call("gan-data", "fashion-mnist", "--verify", "--data-dir", place)
    assert done.code == 1
    assert "train-labels-idx1-ubyte.gz is of mnist" in done.out
    assert "delete" not in done.out + done.err
