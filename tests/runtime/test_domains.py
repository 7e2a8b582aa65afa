"""Data sets of two domains: layouts, partners, derived inputs, held-out parts, and what is refused."""

import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gan_runtime.data import PictureOptions
from gan_runtime.data.domain_pictures import load_domains
from gan_runtime.data.domains import Domains, PairOptions
from gan_runtime.errors import DataError, InputError
from gan_runtime.images.prepare import PREPARATIONS

SIZE = 32
OPTIONS = PictureOptions(size=SIZE)
UNPAIRED = PairOptions(paired=False)


def picture(number: int, width: int = SIZE, height: int = SIZE) -> Image.Image:
    """A picture whose red is its number, with a gradient so that flips show."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[..., 0], pixels[..., 1] = number, np.linspace(0, 200, width).astype(np.uint8)
    return Image.fromarray(pixels)


def side_by_side(number: int) -> Image.Image:
    both = Image.new("RGB", (2 * SIZE, SIZE))
    both.paste(picture(number), (0, 0))
    both.paste(picture(100 + number), (SIZE, 0))
    return both


def put(path: str, number: int, width: int = SIZE, height: int = SIZE) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    picture(number, width, height).save(path)


def load(path: str = "d", pairs: PairOptions | None = None, **options: object) -> Domains:
    return load_domains(Path(path), PictureOptions(**{"size": SIZE} | options), pairs or PairOptions(), quiet=True)


def reds(images: np.ndarray) -> list[int]:
    return images[:, 0, 0, 0].tolist()


def numbers(domains: Domains) -> tuple[list[int], list[int]]:
    return reds(domains.source.images), reds(domains.images)


def pairs_in_folders(a: str = "d/A", b: str = "d/B", first: int = 0, count: int = 3) -> None:
    for i in range(first, first + count):
        put(f"{a}/{i}.png", 10 + i)
        put(f"{b}/{i}.png", 100 + i)


def test_partners_have_the_same_name_whatever_their_format() -> None:
    put("d/A/x.1.png", 1)
    put("d/A/x.png", 2)
    put("d/A/y/x.png", 3)
    put("d/B/x.1.BMP", 101)
    put("d/B/x.BMP", 102)
    put("d/B/y/x.png", 103)
    assert numbers(load()) == ([2, 1, 3], [102, 101, 103])


def test_the_direction_exchanges_inputs_and_targets() -> None:
    pairs_in_folders()
    there, back = load(), load(pairs=PairOptions(direction="BtoA"))
    assert numbers(there) == numbers(back)[::-1] == ([10, 11, 12], [100, 101, 102])
    assert there.names == back.source.names == ("B/0.png", "B/1.png", "B/2.png")
    assert len({there.digest, back.digest, there.target.digest, there.source.digest}) == 4
    assert back.target.digest == there.source.digest


@pytest.mark.parametrize(
    "layout",
    [
        ("d/trainA", "d/trainB", "d/testA", "d/testB"),
        ("d/A/train", "d/B/train", "d/A/val", "d/B/val"),
        ("d/x/train/A", "d/x/train/B", "d/x/test/A", "d/x/test/B"),
        ("d/A", "d/B", "d/test_A", "d/test_B"),
    ],
)
@pytest.mark.parametrize("paired", [True, False])
def test_pictures_for_testing_are_held_out(layout: tuple[str, ...], paired: bool) -> None:
    pairs_in_folders(*layout[:2])
    pairs_in_folders(*layout[2:], first=5, count=2)
    found = load(pairs=PairOptions(paired=paired))
    assert numbers(found) == ([10, 11, 12], [100, 101, 102])
    assert found.held_out is not None
    assert numbers(found.held_out) == ([15, 16], [105, 106])
    assert (found.split, found.held_out.split) == ("train", "test")


def test_sides_of_a_picture_are_a_pair() -> None:
    for part, number in (("train", 10), ("train", 11), ("val", 10), ("test", 10)):
        red = number + len(part) - 5
        Path(f"d/{part}").mkdir(parents=True, exist_ok=True)
        side_by_side(red).save(f"d/{part}/{number}.png")
    found, back = load(), load(pairs=PairOptions(direction="BtoA"))
    assert numbers(found) == numbers(back)[::-1] == ([10, 11], [110, 111])
    assert found.held_out is not None
    assert numbers(found.held_out) == ([9, 8], [109, 108])
    assert np.array_equal(found.images[0], np.asarray(picture(110)))
    flat = load("d/train")
    assert numbers(flat) == numbers(found)
    assert flat.held_out is None


def test_sides_of_a_rotated_photo() -> None:
    both = side_by_side(10)
    Path("d").mkdir()
    exif = Image.Exif()
    exif[0x0112] = 6
    both.transpose(Image.Transpose.ROTATE_90).save("d/x.tif", exif=exif)
    both.transpose(Image.Transpose.ROTATE_90).save("d/y.png")
    found = load(skip_bad=True)
    assert numbers(found) == ([10], [110])


def test_an_archive_is_as_the_folder() -> None:
    pairs_in_folders("d/set/trainA", "d/set/trainB")
    pairs_in_folders("d/set/testA", "d/set/testB", first=5)
    with zipfile.ZipFile("d.zip", "w") as archive:
        for path in sorted(Path("d").rglob("*.png")):
            archive.write(path, path.relative_to("d"))
    assert numbers(load("d.zip")) == numbers(load())
    assert load("d.zip").digest == load().digest


@pytest.mark.parametrize("kind", PREPARATIONS)
def test_inputs_are_made_from_the_pictures(kind: str) -> None:
    for i in range(3):
        put(f"d/train/{i}.png", 50 + i, 40, 40)
    put("d/test/9.png", 200, 40, 40)
    pairs = PairOptions(input=kind)
    found = load(pairs=pairs)
    assert found.paired
    for domains in (found, found.held_out):
        assert domains is not None
        assert domains.source.names == domains.names
        made = [PREPARATIONS[kind](image) for image in domains.images]
        assert np.array_equal(domains.source.images, np.stack(made))
    assert found.source.images.shape[3] == pairs.channels(OPTIONS)


def test_both_domains_have_their_own_mode() -> None:
    pairs_in_folders()
    found = load(pairs=PairOptions(input_mode="L"))
    assert (found.source.images.shape[3], found.images.shape[3]) == (1, 3)
    back = load(pairs=PairOptions(direction="BtoA", input_mode="L"))
    assert (back.source.images.shape[3], back.images.shape[3]) == (1, 3)
    assert load(mode="L").source.images.shape[3] == 1


def test_both_domains_are_decoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gan_runtime.data.entries.TICK", -(10**12))
    pairs_in_folders()
    put("e/x.png", 5)
    first = load().digest, load("e", PairOptions(input="sketch")).digest
    for folder, pairs in (("d", PairOptions()), ("e", PairOptions(input="sketch"))):
        monkeypatch.setattr("gan_runtime.data.decoded.read_picture", None)
        again = load(folder, pairs)
        assert again.digest in first
        for images in (again.images, again.source.images):
            assert isinstance(images, np.memmap)
            assert images.flags.writeable  # torch maps it without a copy


def test_a_changed_preparation_is_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    put("d/x.png", 5)
    load(pairs=PairOptions(input="grey"))
    monkeypatch.setitem(PREPARATIONS, "grey", lambda image: image[..., :1] * 0)
    assert load(pairs=PairOptions(input="grey")).source.images.any()
    monkeypatch.setattr("gan_runtime.data.decoded.PREPARED", 99)
    assert not load(pairs=PairOptions(input="grey")).source.images.any()


def refused(*words: str, **arguments: object) -> None:
    with pytest.raises((DataError, InputError)) as raised:
        load(**arguments)
    for word in words:
        assert word in str(raised.value), str(raised.value)


def test_pictures_without_a_partner() -> None:
    pairs_in_folders()
    put("d/A/lonely.png", 7)
    put("d/B/alone.png", 8)
    put("d/B/alone2.png", 9)
    refused(
        "3 of 9",
        "A/lonely.png (no picture of its name in B)",
        "B/alone.png (no picture of its name in A)",
        "--skip-bad",
    )
    assert numbers(load(skip_bad=True)) == ([10, 11, 12], [100, 101, 102])
    assert len(load(pairs=UNPAIRED).images) == 5


def test_no_names_in_common() -> None:
    put("d/A/1.png", 1)
    put("d/B/2.png", 2)
    refused("no pictures of A and B have the same name: A/1.png, B/2.png", "unpaired")
    refused("no pictures of A and B have the same name", skip_bad=True)


def test_two_pictures_with_one_partner() -> None:
    pairs_in_folders()
    put("d/A/1.bmp", 7)
    refused("A/1.bmp and A/1.png", "remove or rename")


def test_partners_of_different_shapes() -> None:
    pairs_in_folders()
    put("d/A/wide.png", 7, 48, 32)
    put("d/B/wide.png", 8, 32, 32)
    refused("A/wide.png (48 x 32 pixels, but B/wide.png 32 x 32)", "--skip-bad")
    assert numbers(load(skip_bad=True)) == ([10, 11, 12], [100, 101, 102])


def test_partners_of_one_shape_and_different_sizes(capsys: pytest.CaptureFixture[str]) -> None:
    pairs_in_folders()
    put("d/A/big.png", 7, 151, 100)
    put("d/B/big.png", 8, 76, 50)
    found = load_domains(Path("d"), OPTIONS, PairOptions())
    assert (
        "1 of 4 pairs have pictures of different sizes, as A/big.png 151 x 100 and B/big.png 76 x 50"
        in capsys.readouterr().err
    )
    assert numbers(found)[1][3] == 8


def test_a_bad_picture_takes_its_partner_along() -> None:
    pairs_in_folders(count=5)
    Path("d/A/1.png").write_bytes(b"broken")
    put("d/B/3.heic.png", 3)
    Path("d/B/3.heic.png").rename("d/B/3.heic")
    Path("d/B/3.png").unlink()
    refused("1 of 10", "B/3.heic (HEIC is not read")
    Path("d/B/3.heic").unlink()
    Path("d/A/3.png").unlink()
    refused("A/1.png", "--skip-bad")
    assert numbers(load(skip_bad=True)) == ([10, 12, 14], [100, 102, 104])
    assert reds(load(pairs=UNPAIRED, skip_bad=True).images) == [100, 101, 102, 104]


@pytest.mark.parametrize("pairs", [PairOptions(), UNPAIRED])
def test_an_empty_domain(pairs: PairOptions) -> None:
    put("d/A/1.png", 1)
    refused("B has no picture", pairs=pairs)
    Path("d/B").mkdir()
    refused("B has no picture", pairs=pairs)
    put("d/B/1.png", 2)
    put("d/testB/1.png", 2)
    refused("A has no picture for testing", pairs=pairs)


def test_pictures_for_testing_alone_are_taken_as_a_whole() -> None:
    pairs_in_folders("d/testA", "d/testB")
    put("d/preview.png", 1)
    found = load()
    assert numbers(found) == ([10, 11, 12], [100, 101, 102])
    assert found.held_out is None
    put("d/trainA/1.png", 1)
    refused("B has no picture for training")


@pytest.mark.parametrize("pairs", [PairOptions(), UNPAIRED])
def test_both_domains_are_one_folder(pairs: PairOptions) -> None:
    put("d/A/1.png", 1)
    put("d/A/2.png", 2)
    Path("d/B").symlink_to("A")
    refused("A and B have the same pictures", pairs=pairs)
    refused("A and B have the same pictures", pairs=PairOptions(input_mode="L", paired=pairs.paired))
    Path("d/B").unlink()
    shutil.copytree("d/A", "d/B")
    refused("A and B have the same pictures", pairs=pairs)


def test_inputs_that_are_their_targets() -> None:
    grey = PairOptions(input="grey")
    Path("grey").mkdir()
    for number in (1, 2):
        picture(number).convert("L").save(f"grey/{number}.png")
    refused("grey: --input grey changes none of the pictures, so there is nothing to learn", path="grey", pairs=grey)
    put("grey/3.png", 3)
    assert len(load("grey", pairs=grey).images) == 3
    for path in ("e/A/1.png", "e/A/2.png", "e/B/1.bmp", "e/B/2.bmp"):
        put(path, int(Path(path).stem))
    refused("e: A and B have the same pictures", path="e")


def test_photos_are_not_pairs_side_by_side() -> None:
    put("d/1.png", 1, 64, 48)
    refused("1.png (64 x 48 pixels: not two square pictures side by side)", "--input", "A and B")


def test_unpaired_pictures_need_folders() -> None:
    put("d/summer/1.png", 1)
    put("d/winter/1.png", 2)
    refused(
        "no folders A and B", "its folders are summer, winter", "pairs alone take pictures side by side", pairs=UNPAIRED
    )


def test_options_that_do_not_apply() -> None:
    pairs_in_folders()
    refused("leave out --input sketch", pairs=PairOptions(input="sketch"))
    refused("--labels folders", labels="folders")
    put("e/1.png", 1)
    refused("--input grey", path="e", mode="L", pairs=PairOptions(input="grey"))
    for options, word in (
        ({"input": "photo"}, "sketch, grey"),
        ({"direction": "AB"}, "AtoB or BtoA"),
        ({"input_mode": "P"}, "L or RGB"),
    ):
        with pytest.raises(InputError, match=word):
            PairOptions(**options)
    with pytest.raises(InputError, match="leave out one"):
        PairOptions(input="sketch", direction="BtoA")


def test_nothing_to_read() -> None:
    Path("d").mkdir()
    refused("has no picture that can be used")
    (Path("d") / "a.txt").touch()
    refused("1 other file ignored")


def test_the_report_of_gan_data(call: Any) -> None:
    pairs_in_folders()
    pairs_in_folders("d/testA", "d/testB", first=7, count=1)
    for i in range(4):
        put(f"d/A/lonely{i}.png", 200 + i)
    put("d/A/wide.png", 7, 48, 32)
    put("d/B/wide.png", 8, 32, 32)
    found = json.loads(call("gan-data", "d", "--json").out)["d"]["domains"]
    alone = [f"A/lonely{i}.png" for i in range(4)]
    assert found == {
        "A": {"training": 8, "testing": 1},
        "B": {"training": 4, "testing": 1},
        "pairs": {"training": 4, "testing": 1},
        "without a partner": alone,
    }
    verified = json.loads(call("gan-data", "d", "--verify", "--quiet", "--json").out)["d"]
    assert verified["domains"] == found | {"of different shapes": ["A/wide.png, B/wide.png"]}
    lines = call("gan-data", "d", "--verify", "--quiet").out.splitlines()
    assert any(line.split() == ["pairs:", "4", "for", "training,", "1", "for", "testing"] for line in lines)
    assert any("A/lonely0.png; A/lonely1.png; A/lonely2.png; and 1 more" in line for line in lines)


def test_the_report_of_gan_data_on_other_folders(call: Any) -> None:
    put("d/trainA/1.png", 1)
    put("d/trainB/2.png", 2)
    found = json.loads(call("gan-data", "d", "--json").out)["d"]
    assert found["domains"] == {domain: {"training": 1, "testing": 0} for domain in "AB"} | {
        "pairs": {"training": 0, "testing": 0}
    }
    put("d/trainA/1.bmp", 1)
    assert "1.png have the same partner" in call("gan-data", "d").out
    put("e/1.png", 1, 64, 32)
    assert "domains" not in json.loads(call("gan-data", "e", "--json").out)["e"]
    assert "left half for A" in call("gan-data", "e", "--verify", "--quiet").out


def test_pictures_with_one_name_are_different_inputs() -> None:
    put("d/1.png", 1)
    put("d/1.bmp", 2)
    assert numbers(load(pairs=PairOptions(input="mask")))[1] == [2, 1]


def test_a_domain_that_cannot_be_read() -> None:
    put("d/A/1.png", 1)
    put("elsewhere/1.png", 2)
    Path("d/B").symlink_to(Path("elsewhere").resolve())
    refused("B (a link that leads out of the folder", "--follow-links")
    assert numbers(load(follow_links=True)) == ([1], [2])


def test_pictures_beside_the_domains_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    pairs_in_folders()
    put("d/preview.png", 1)
    put("d/old/1.png", 2)
    found = load_domains(Path("d"), OPTIONS, PairOptions())
    assert len(found.images) == 3
    assert "left out, in no folder of A or B: old/1.png, and 1 more" in capsys.readouterr().err
