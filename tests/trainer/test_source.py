"""Runs on folders and archives of images: what config.json records of them, and what a resumed run demands."""

import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from helpers import Result
from PIL import Image

from gan_runtime import Generator
from gan_runtime.data import PictureOptions, load_dataset
from gan_runtime.data.decoded import renumbered
from gan_runtime.errors import DataError
from gan_trainer.data.source import DataSource

Call = Callable[..., Result]
SHORT = ["--images", 64, "--batch-size", 16, "--threads", 1, "--quiet"]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """48 coloured pictures of odd sizes in three sub-folders."""
    rng = np.random.default_rng(0)
    for i in range(48):
        folder = tmp_path / "my photos" / ("ape", "bee", "cat")[i % 3]
        folder.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 256, (30 + i, 70 - i, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{i:02d}.png")
    return tmp_path / "my photos"


@pytest.mark.parametrize("size", [28, 32, 64])
@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("labels", ["none", "folders"])
def test_quick_trains_and_exports_folders(call: Call, photos: Path, size: int, mode: str, labels: str) -> None:
    done = call("gan-train", photos, "--size", size, "--mode", mode, "--labels", labels, *SHORT)
    assert (done.code, done.out) == (0, "runs/my-photos-quick\n"), done
    assert call("gan-export").code == 0
    generator = Generator.load("exported/my-photos-quick.onnx", device="cpu")
    assert generator.image_shape == (size, size, {"L": 1, "RGB": 3}[mode])
    assert generator.classes == (3 if labels == "folders" else 0)
    if labels == "folders":
        assert generator.manifest.labels.names == ("ape", "bee", "cat")
    assert generator.sample(3).shape == (3, *generator.image_shape)


def test_config_says_all_that_is_needed_to_repeat_the_run(call: Call, photos: Path) -> None:
    flags = ("--size", 32, "--labels", "folders", "--no-conditional", "--width", 16, "--hold-out", 0)
    call("gan-train", photos, *flags, *SHORT)
    config = json.loads(Path("runs/my-photos-quick/config.json").read_text())
    assert config["data"]["source"] == str(photos)
    assert config["data"]["size"] == {"height": 32, "width": 32, "channels": 3}
    assert config["data"]["pictures"] == {
        "size": 32, "mode": "RGB", "background": "white", "labels": "folders", "skip_bad": False, "follow_links": False,
        "levels": None, "max_pixels": 200_000_000,
    }  # fmt: skip
    assert (config["data"]["images"], config["data"]["classes"]) == (48, ["ape", "bee", "cat"])
    assert config["data"]["hold_out"] == 0
    assert len(config["data"]["digest"]) == 64
    recipe = config["recipe"]
    assert (recipe["conditional"], recipe["width"], recipe["augment"]) == (False, 16, "colour,translation,cutout")


def test_a_resumed_run_demands_the_same_images(call: Call, photos: Path) -> None:
    call("gan-train", photos, "--size", 28, "--checkpoint-every", 16, *SHORT)
    run = Path("runs/my-photos-quick")
    newest = max(run.glob("checkpoints/*.pt"))
    newest.unlink()
    extra = photos / "bee" / "new.png"
    Image.new("RGB", (40, 40), "red").save(extra)
    assert call("gan-train", "--resume", run).refused(
        str(photos), "its images differ from those that the run started with"
    )
    extra.unlink()
    assert call("gan-train", "--resume", run, "--quiet").code == 0
    assert newest.exists()


def test_images_may_move(call: Call, photos: Path) -> None:
    call("gan-train", photos, "--size", 28, "--checkpoint-every", 16, *SHORT)
    run = Path("runs/my-photos-quick")
    max(run.glob("checkpoints/*.pt")).unlink()
    photos.rename("elsewhere")
    assert call("gan-train", "--resume", run).refused(str(photos), "give their new path with --data-dir")
    assert call("gan-train", "--resume", run, "--data-dir", "elsewhere", "--quiet").code == 0


def test_archives_and_folders_of_the_same_images_are_the_same(call: Call, photos: Path) -> None:
    with zipfile.ZipFile("photos.zip", "w") as archive:
        for path in sorted(photos.rglob("*.png")):
            archive.write(path, path.relative_to(photos.parent))
    digests = []
    for source in (photos, "photos.zip"):
        call("gan-train", source, "--size", 28, "--labels", "folders", "--name", Path(source).suffix[1:] or "d", *SHORT)
    for name in ("d", "zip"):
        digests.append(json.loads(Path(f"runs/{name}/config.json").read_text())["data"]["digest"])
    assert digests[0] == digests[1]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--size", 27], ["size 27", "28 and 512"]),
        (["--size", 50], ["50 x 50 pixels", "choose 48 or 56"]),
        (["--mode", "CMYK"], ["mode 'CMYK'", "L or RGB"]),
        (["--background", "whiteish"], ["background 'whiteish'", "not a colour"]),
        (["--labels", "csv"], ["labels 'csv'", "none or folders"]),
        (["--conditional"], ["--conditional: my-photos has no classes", "--labels folders"]),
        (["--augment", "blur"], ["augment 'blur'", "colour,translation,cutout"]),
        (["--hold-out", 0.6], ["hold-out 0.6", "between 0 and 0.5"]),
        (["--data-dir", "."], ["one split and found by its path alone"]),
        (
            ["--batch-size", 49, "--size", 28, "--hold-out", 0],
            ["--batch-size 49", "my-photos has 48 images; choose 48 or fewer"],
        ),
    ],
)
def test_bad_options_are_refused(call: Call, photos: Path, options: list[object], words: list[str]) -> None:
    assert call("gan-train", photos, "--batch-size", 16, *options).refused(*words)
    assert not Path("runs").exists()


def test_options_for_folders_do_not_belong_to_mnist(call: Call) -> None:
    assert call("gan-train", "mnist", "--size", 32).refused("--size: has no effect on the data set mnist")
    assert call("gan-train", "mnist", "--skip-bad").refused("--skip-bad: has no effect on the data set mnist")


@pytest.mark.parametrize("source", ["nowhere", "nowhere/", "photos.rar", "nowhere.zip"])
def test_sources_that_are_none_are_refused(call: Call, source: str) -> None:
    assert call("gan-train", source).refused(repr(source), "fashion-mnist", "or a folder or .zip of images")


def test_mnist_is_not_augmented(call: Call) -> None:
    call("gan-train", "mnist", *SHORT)
    assert json.loads(Path("runs/mnist-quick/config.json").read_text())["recipe"]["augment"] == "none"


@pytest.mark.parametrize(("count", "flags", "least"), [(1, [], 2), (3, ["--minibatch-std"], 4)])
def test_too_few_pictures_are_refused_with_what_is_needed(call: Call, count: int, flags: list[str], least: int) -> None:
    Path("one").mkdir()
    for index in range(count):
        Image.new("RGB", (40, 40), "red").save(f"one/{index}.png")
    done = call("gan-train", "one", "--size", 28, "--images", 64, "--threads", 1, *flags)
    assert done.refused(f"one has {count} image", f"too few; training needs at least {least}")


@pytest.mark.parametrize("flags", [["--minibatch-std"], ["--recipe", "gan"], ["--recipe", "vae"]])
@pytest.mark.parametrize("count", [4, 7])
def test_the_batch_sizes_that_are_offered_are_accepted(call: Call, flags: list[str], count: int) -> None:
    Path("few").mkdir()
    for index in range(count):
        Image.new("RGB", (40, 40), "red").save(f"few/{index}.png")
    train = ["gan-train", "few", "--size", 28, "--threads", 1, "--quiet", *flags]
    offered = re.search("choose ([0-9]+)", call(*train, "--images", 128).err)
    assert offered
    assert call(*train, "--images", 16, "--batch-size", offered.group(1)).code == 0


def test_classes_that_an_earlier_version_sorted_as_text_keep_their_numbers(call: Call, photos: Path) -> None:
    for number in range(12):
        folder = photos / f"{number}"
        folder.mkdir()
        for index in range(2):
            Image.new("RGB", (40, 40), (20 * number, 90 * index, 0)).save(folder / f"{index}.png")
    options = PictureOptions(28, labels="folders")
    now = load_dataset(str(photos), pictures=options)
    earlier = tuple(sorted(now.classes))
    assert now.classes.index("2") < now.classes.index("10")
    then = renumbered(now, earlier)
    assert then.classes == earlier
    assert [earlier[label] for label in then.labels] == [now.classes[label] for label in now.labels]
    recorded = DataSource.of(then, str(photos), None, options)
    again = recorded.load(quiet=True)
    assert (again.classes, again.labels.tolist(), again.digest) == (earlier, then.labels.tolist(), then.digest)
    (photos / "12").mkdir()
    (photos / "2").rename(photos / "two")
    with pytest.raises(DataError, match="its images differ from those that the run started with"):
        recorded.load(quiet=True)


def test_a_resumed_run_follows_links_again(call: Call, photos: Path) -> None:
    for path in sorted(photos.rglob("*.png")):
        link = Path("links", path.parent.name, path.name)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(path)
    command = ["gan-train", "links", "--size", 28, "--checkpoint-every", 16, *SHORT]
    assert call(*command).refused("a link that leads out of the folder", "--follow-links reads it")
    assert call(*command, "--follow-links", "--name", "links").code == 0
    assert call("gan-train", photos, "--size", 28, "--name", "plain", *SHORT).code == 0
    links, plain = (json.loads(Path(f"runs/{name}/config.json").read_text())["data"] for name in ("links", "plain"))
    assert (links["pictures"]["follow_links"], links["digest"]) == (True, plain["digest"])
    max(Path("runs/links/checkpoints").glob("*.pt")).unlink()
    assert call("gan-train", "--resume", "runs/links", "--quiet").code == 0
    assert call("gan-train", "mnist", "--follow-links").refused("--follow-links: has no effect on the data set mnist")
