"""Arrays of images, points and latents as people save them."""

import io
import json
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from helpers import Result

from gan_runtime.errors import InputError
from gan_runtime.images.array_files import load_latents, open_arrays
from gan_runtime.images.arrays import load_image_array
from gan_runtime.images.choice import described, some_in_order, some_of
from gan_runtime.manifest import ImageSize

Call = Callable[..., Result]
GREY, COLOUR = ImageSize(4, 4, 1), ImageSize(4, 6, 3)
RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (9, 4, 4, 1), dtype=np.uint8)
IMAGES[0, 0, 0, 0], IMAGES[0, 0, 1, 0] = 0, 255
COLOURS = RNG.integers(0, 256, (9, 4, 6, 3), dtype=np.uint8)


def loaded(array: np.ndarray, size: ImageSize = GREY) -> tuple[np.ndarray, tuple[str, ...]]:
    np.save("x.npy", array)
    found = load_image_array("x.npy", size)
    return found.images, found.remarks


@pytest.mark.parametrize(
    ("array", "size", "remark"),
    [
        (IMAGES, GREY, ""),
        (np.asfortranarray(IMAGES), GREY, ""),
        (IMAGES[..., 0], GREY, "[9, 4, 4] has grey images without an axis of channels"),
        (IMAGES.reshape(9, 1, 4, 4), GREY, "[9, 1, 4, 4] has its channels first"),
        (IMAGES.reshape(9, 16), GREY, "[9, 16] has the pixels of an image in a row"),
        (COLOURS, COLOUR, ""),
        (np.asfortranarray(COLOURS), COLOUR, ""),
        (np.moveaxis(COLOURS, -1, 1), COLOUR, "[9, 3, 4, 6] has its channels first"),
        (COLOURS[0], COLOUR, "[4, 6, 3] is a single image"),
        (np.moveaxis(COLOURS[0], -1, 0), COLOUR, "[3, 4, 6] is a single image with its channels first"),
        (IMAGES[0], GREY, "[4, 4, 1] is a single image"),
        (IMAGES[0, ..., 0], GREY, "[4, 4] is a single image"),
    ],
)
def test_layouts(array: np.ndarray, size: ImageSize, remark: str) -> None:
    images, remarks = loaded(array, size)
    original = IMAGES if size == GREY else COLOURS
    np.testing.assert_array_equal(images, original[: len(images)])
    assert len(images) == (1 if "single" in remark else 9)
    assert remarks == ((remark,) if remark else ())


@pytest.mark.parametrize(
    ("array", "meant"),
    [
        (IMAGES / 255, "float64 of 0 to 1 is taken for 0 to 1"),
        ((IMAGES / 255).astype(np.float16), "float16 of 0 to 1 is taken for 0 to 1"),
        ((IMAGES / 255).astype(">f4"), ">f4 of 0 to 1 is taken for 0 to 1"),
        ((IMAGES / 127.5 - 1).astype(np.float32), "float32 of -1 to 1 is taken for -1 to 1"),
        (IMAGES.astype(np.float32), "float32 of 0 to 255 is taken for 0 to 255"),
        (IMAGES.astype(np.int64), "int64 of 0 to 255 is taken for 0 to 255"),
        (IMAGES.astype(">u2"), ">u2 of 0 to 255 is taken for 0 to 255"),
        (IMAGES.astype(np.uint16) * 257, "uint16 of 0 to 65535 is taken for 0 to 65535"),
        (IMAGES.astype(np.int32) * 257, "int32 of 0 to 65535 is taken for 0 to 65535"),
    ],
)
def test_ranges(array: np.ndarray, meant: str) -> None:
    images, remarks = loaded(array)
    assert images.dtype == np.uint8
    np.testing.assert_array_equal(images, IMAGES)
    assert remarks == (meant,)


def test_black_and_white() -> None:
    images, remarks = loaded(IMAGES > 127)
    np.testing.assert_array_equal(images, 255 * (IMAGES > 127))
    assert remarks == ("bool is taken for black and white",)
    images, remarks = loaded((IMAGES > 127).astype(np.uint8))
    np.testing.assert_array_equal(images, IMAGES > 127)
    assert "nearly black; multiply by 255 if 1 is white" in remarks[0]


@pytest.mark.parametrize(
    ("array", "spread"),
    [
        (IMAGES / 127.5, "float64 of 0 to 2"),
        (IMAGES / 255 * 0.6 - 0.1, "float64 of -0.1 to 0.5"),
        (IMAGES / 255 * 1.2 - 0.1, "float64 of -0.1 to 1.1"),
        (IMAGES / 255 - 0.5, "float64 of -0.5 to 0.5"),
        (np.zeros((2, 4, 4, 1)), "float64 of 0 to 0"),
        ((IMAGES > 127).astype(int), "int64 of 0 to 1"),
        (IMAGES.astype(np.uint16) * 16, "uint16 of 0 to 4080"),
        (IMAGES.astype(int) - 128, "int64 of -128 to 127"),
        (IMAGES.astype(np.float32) * 2, "float32 of 0 to 510"),
    ],
)
def test_ranges_that_leave_open_what_is_white_are_refused(array: np.ndarray, spread: str) -> None:
    with pytest.raises(InputError, match=rf"x\.npy: {spread}, so black and white are ambiguous; save uint8"):
        loaded(array)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_no_numbers_are_refused(value: float) -> None:
    with pytest.raises(InputError, match="values that are not finite numbers"):
        loaded(np.where(IMAGES == 255, value, 0.5))


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (COLOURS, "4 x 6 x 3 images, uint8 .*; the file takes 4 x 4 x 1"),
        (np.zeros((9, 48), np.uint8), r"uint8 \[9, 48\]; the file takes uint8 images \['n', 4, 4, 1\]"),
        (np.zeros((0, 4, 4, 1), np.uint8), r"uint8 \[0, 4, 4, 1\]: there are no images in it"),
        (np.uint8(3), r"uint8 \[\]"),
        (np.zeros((2, 4, 4, 1), complex), "no real numbers"),
        (np.array(["a"]), "no real numbers"),
        (np.zeros(3, [("a", "u1")]), "no real numbers"),
        (np.array([{}], object), "holds Python objects, which are not read because they can run code"),
    ],
)
def test_what_holds_no_such_images_is_refused(array: np.ndarray, words: str) -> None:
    with pytest.raises(InputError, match=rf"x\.npy: .*{words}"):
        loaded(array)


def test_the_only_array_that_can_be_images_is_taken() -> None:
    labels = np.arange(9)
    np.savez("one.npz", IMAGES)
    np.savez("two.npz", labels, IMAGES, np.array(["names"]))
    for name, key in (("one", "arr_0"), ("two", "arr_1")):
        found = load_image_array(f"{name}.npz", GREY)
        np.testing.assert_array_equal(found.images, IMAGES)
        assert found.remarks == (f"{key} is taken for the images",)
    np.savez("named.npz", images=IMAGES, x=IMAGES, labels=labels.astype(">i2"))
    found = load_image_array("named.npz", GREY)
    assert (found.remarks, found.labels.tolist()) == ((), list(range(9)))


def test_where_several_could_be_meant_all_are_named() -> None:
    np.savez("x.npz", x_train=IMAGES, x_test=IMAGES[:3], y=np.arange(9))
    with pytest.raises(InputError) as error:
        load_image_array("x.npz", GREY)
    words = (
        "x_train: uint8 [9, 4, 4, 1]",
        "x_test: uint8 [3, 4, 4, 1]",
        "y: int64 [9]",
        "more than one may be meant",
        "'images'",
    )
    assert all(word in str(error.value) for word in words)
    np.savez("x.npz", y=np.arange(9))
    with pytest.raises(InputError, match=r"x\.npz: has y: int64 \[9\]; none can be meant.*'images'"):
        load_image_array("x.npz", GREY)
    np.savez("x.npz")
    with pytest.raises(InputError, match=r"x\.npz: has nothing"):
        load_image_array("x.npz", GREY)


def torn() -> dict[str, bytes]:
    file = io.BytesIO()
    np.save(file, IMAGES)
    whole, header = file.getvalue(), len(file.getvalue()) - IMAGES.nbytes
    return {
        "empty": b"",
        "text": b"hello",
        "magic": whole[:6],
        "version": whole[:8],
        "length": whole[:10],
        "header": whole[:60],
        "no data": whole[:header],
        "data": whole[:-1],
        "python": whole.replace(b"(9, 4, 4, 1)", b"(9, 4, 4, 1 "),
        "negative": whole.replace(b"(9, 4, 4, 1)", b"(-9, 4, 4,1)"),
        "huge": whole.replace(b"(9, 4, 4, 1), }       ", b"(9999999999, 4, 4, 1)}"),
        "overflow": whole.replace(b"(9, 4, 4, 1), }" + b" " * 40, b"(" + b"9" * 40 + b", 4, 4, 1)}"),
        "future": whole[:6] + b"\x09" + whole[7:],
        "nested": whole[:10] + b"(" * (header - 11) + b"\n" + whole[header:],
        "dtype": whole.replace(b"'|u1'", b"'|V1'"),
        "zip": b"PK\x03\x04" + bytes(30),
    }


@pytest.mark.parametrize("damage", torn())
@pytest.mark.parametrize("n", [None, 3])
def test_torn_files_get_one_line(damage: str, n: int | None) -> None:
    Path("x.npy").write_bytes(torn()[damage])
    with pytest.raises(InputError, match=r"^x\.npy: "):
        load_image_array("x.npy", GREY, n)
    with pytest.raises(InputError, match=r"^--latents x\.npy: "):
        load_latents("x.npy")


@pytest.mark.parametrize("at", range(0, 400, 7))
def test_no_flipped_bit_of_an_archive_is_a_traceback_or_another_image(at: int) -> None:
    file = io.BytesIO()
    np.savez_compressed(file, images=IMAGES)
    content = bytearray(file.getvalue())
    content[at % len(content)] ^= 0x10
    Path("x.npz").write_bytes(content)
    try:
        found = load_image_array("x.npz", GREY).images
    except InputError:
        return
    np.testing.assert_array_equal(found, IMAGES)


def test_a_zip_bomb_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gan_runtime.images.array_files.BOMB_BYTES", 10**6)
    np.savez_compressed("x.npz", images=np.zeros((200_000, 4, 4, 1), np.uint8))
    with pytest.raises(InputError, match=r"images: 3 MB in 0\.0 MB, as in a zip bomb"):
        load_image_array("x.npz", GREY)


def test_a_header_that_claims_more_than_the_archive_has_takes_no_memory() -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": (10**12, 4, 4, 1)})
    with zipfile.ZipFile("x.npz", "w") as archive:
        archive.writestr("images.npy", header.getvalue() + bytes(1000))
    with pytest.raises(InputError, match="ends after 1,000 of 16,000,000,000,000 bytes"):
        load_image_array("x.npz", GREY)


def test_a_file_that_is_cut_off_while_it_is_open_gets_one_line() -> None:
    for rows in (None, np.array([1, 19_999])):
        np.save("x.npy", np.zeros((20_000, 4, 4, 1), np.uint8))  # more than a buffer holds
        with open_arrays("x.npy") as (array,):
            with Path("x.npy").open("r+b") as file:
                file.truncate(200)
            with pytest.raises(InputError, match=r"x\.npy: damaged, cannot be read: it ends after"):
                array.read(rows)


def test_encrypted_and_strange_archives() -> None:
    np.savez("x.npz", images=IMAGES)
    content = bytearray(Path("x.npz").read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + offset] |= 1
    Path("x.npz").write_bytes(content)
    with pytest.raises(InputError, match=r"images: damaged: .*encrypted"):
        load_image_array("x.npz", GREY)
    content = bytearray(struct.pack("<4s18x", b"PK\x05\x06"))
    Path("x.npz").write_bytes(content)
    with pytest.raises(InputError, match=r"x\.npz: has nothing"):
        load_image_array("x.npz", GREY)


def test_the_choice_is_random_fixed_and_spread() -> None:
    assert some_of(10, 10).tolist() == [1, 0, 7, 9, 3, 4, 6, 2, 5, 8]
    assert some_in_order(1500, 5000).tolist() == list(range(1500))
    chosen = some_in_order(1500, 300)
    assert len(set(chosen.tolist())) == 300
    assert (np.bincount(chosen // 150, minlength=10) > 15).all()
    assert set(some_of(1500, 30).tolist()) < set(chosen.tolist())
    assert described(5, 5) == described(5, 9) == "all"
    assert described(1500, 300) == "300 of 1,500 at random (ranks of Philox words, seed 2026)"


@pytest.mark.parametrize("order", ["C", "F"])
def test_some_images_of_an_array_and_their_labels(order: str) -> None:
    chosen = some_in_order(9, 4)
    assert chosen.tolist() != [0, 1, 2, 3]
    np.save("x.npy", np.asarray(IMAGES, order=order))
    np.savez("x.npz", images=np.asarray(IMAGES, order=order), labels=np.arange(9))
    for name in ("x.npy", "x.npz"):
        found = load_image_array(name, GREY, 4)
        np.testing.assert_array_equal(found.images, IMAGES[chosen])
        assert found.total == 9
    assert found.labels.tolist() == chosen.tolist()


def test_latents_of_gan_encode_are_taken_as_they_are() -> None:
    latents = RNG.normal(size=(3, 16)).astype(np.float32)
    np.savez("z.npz", latents=latents, names=np.array(["a", "b", "c"]), labels=np.arange(3))
    np.testing.assert_array_equal(load_latents("z.npz")[0], latents)
    np.savez("z.npz", latents)
    np.testing.assert_array_equal(load_latents("z.npz")[0], latents)


def arrays_in(path: str) -> dict[str, np.ndarray]:
    with np.load(path) as archive:
        return dict(archive)


def test_labels_without_a_use_are_told(call: Call, unconditional_model: Path) -> None:
    np.savez("z.npz", latents=np.zeros((3, 100)), labels=np.arange(3))
    done = call("gan-sample", "--model", unconditional_model, "--latents", "z.npz", "x.npz", "--json")
    assert "labels: those in z.npz are not used, because" in done.err
    assert "unconditional" in done.err
    assert "labels" not in json.loads(done.out)


def test_latents_keep_their_labels(call: Call, conditional_model: Path) -> None:
    sample = ("gan-sample", "--model", conditional_model)
    call(*sample, "--n", 6, "--start", 3, "seen.npz")
    done = call(*sample, "--latents", "seen.npz", "again.npz", "--json")
    assert json.loads(done.out)["labels"] == "seen.npz"
    assert "labels: read from seen.npz; --label overrides them" in done.err
    seen, again = arrays_in("seen.npz"), arrays_in("again.npz")
    assert seen["labels"].tolist() == again["labels"].tolist() == [3, 4, 5, 6, 7, 8]
    np.testing.assert_array_equal(seen["images"], again["images"])
    call(*sample, "--latents", "seen.npz", "--label", 2, "twos.npz")
    assert arrays_in("twos.npz")["labels"].tolist() == [2] * 6
    np.savez("bad.npz", latents=seen["latents"], labels=np.arange(6) + 5)
    assert call(*sample, "--latents", "bad.npz", "x.npz").refused("label 10")
    np.savez("bad.npz", latents=seen["latents"], labels=np.arange(5))
    assert call(*sample, "--latents", "bad.npz", "x.npz").refused("give an integer for each of the 6")


def test_every_command_says_what_it_assumed(
    call: Call, conditional_model: Path, random_features: Path, digits: str
) -> None:
    from gan_runtime.data import load_dataset

    images = load_dataset(digits).images
    np.savez("x.npz", images[..., 0] / np.float32(255))
    done = call("gan-eval", "x.npz", digits, "--n", 200, "--features", random_features, "--json")
    found = json.loads(done.out)["results"]["x.npz"]
    assert found["assumed"] == [
        "arr_0 is taken for the images",
        "[800, 28, 28] has grey images without an axis of channels",
        "float32 of 0 to 1 is taken for 0 to 1",
    ]
    assert all(f"x.npz: {remark}" in done.err for remark in found["assumed"])
    assert found["chosen"].startswith("200 of 800 at random")
    np.save("same.npy", images[some_in_order(800, 200)])
    again = call("gan-eval", "same.npy", digits, "--n", 200, "--features", random_features, "--json")
    same = json.loads(again.out)["results"]["same.npy"]
    assert (same["fid"], same["chosen"], same["assumed"]) == (found["fid"], "all", [])
