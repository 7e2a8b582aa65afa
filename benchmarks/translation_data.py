"""Tasks of image-to-image translation with a known truth, made from folders or archives of emoji and of photos.

Every test input has its true output, also in tasks that are trained without pairs. Pictures are split by the hash of
their name without skin tones, genders and directions, so that variants of one emoji are on the same side.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZipFile

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gan_runtime.images.prepare import sketch

Images = NDArray[np.uint8]
Named = dict[str, Images]  # a picture, uint8 [h, w, 3], by the name of its file

TONES = frozenset(("1f3fb", "1f3fc", "1f3fd", "1f3fe", "1f3ff"))
DARK = "1f3fe"
OTHER_VARIANTS = frozenset(("fe0f", "200d", "2640", "2642", "27a1"))
PERSON, MAN, WOMAN = "1f9d1", "1f468", "1f469"
SIDE, CROPS, LEAST_GREEN = 64, 24, 0.2


@dataclass(frozen=True)
class Pairs:
    """Inputs and their true outputs, uint8 [n, h, w, 1 or 3] each."""

    inputs: Images
    outputs: Images

    @property
    def back(self) -> "Pairs":
        """The other direction."""
        return Pairs(self.outputs, self.inputs)


@dataclass(frozen=True)
class Task:
    """Training pictures and test pairs. Training pictures of a task that is not `paired` have independent orders."""

    train: Pairs
    test: Pairs
    paired: bool

    @property
    def back(self) -> "Task":
        """The other direction."""
        return Task(self.train.back, self.test.back, self.paired)

    def write(self, folder: Path) -> None:
        """Write PNG files to trainA, trainB, testA and testB of `folder`; those of a pair have the same name."""
        for part, pairs in (("train", self.train), ("test", self.test)):
            for domain, images in (("A", pairs.inputs), ("B", pairs.outputs)):
                place = folder / f"{part}{domain}"
                place.mkdir(parents=True)
                for number, image in enumerate(images):
                    Image.fromarray(image.squeeze()).save(place / f"{number:05}.png")


def sketch_to_colour(data: Path) -> Task:
    """Outlines of Google's emoji to the emoji, paired."""
    emoji = read_pictures(data / "emoji" / "google-64.zip")
    train, test = (np.stack([emoji[name] for name in emoji if in_test(name) == part]) for part in (False, True))
    train = np.random.default_rng(0).permutation(train)
    return Task(Pairs(sketches(train), train), Pairs(sketches(test), test), paired=True)


def tone(data: Path) -> Task:
    """Google's yellow people and hands to those with a medium dark skin, unpaired."""
    emoji = read_pictures(data / "emoji" / "google-64.zip")
    plain = {_without(name, {"fe0f"}): name for name in emoji if not TONES & set(name.split("-"))}
    dark = [name for name in emoji if [part for part in name.split("-") if part in TONES] == [DARK] and name != DARK]
    return _unpaired([(name, emoji[plain[_without(name, {"fe0f", DARK})]], emoji[name]) for name in dark])


def vendors(data: Path) -> Task:
    """Google's emoji to Twitter's, unpaired."""
    google, twitter = (read_pictures(data / "emoji" / f"{vendor}-64.zip") for vendor in ("google", "twitter"))
    return _unpaired([(name, google[name], twitter[name]) for name in google if name in twitter])


def winter(data: Path) -> Task:
    """Crops of photos with much green to the same under snow, unpaired: no photo is in both training domains."""
    photos = read_pictures(data / "super-resolution" / "train-photos.zip")
    rng = np.random.default_rng(0)
    crops = [(name, crop) for name, photo in photos.items() for crop in _crops(photo, rng)]
    green = [(name, crop) for name, crop in crops if greenness(crop[None]).mean() > LEAST_GREEN]
    names = sorted({name for name, _ in green if not in_test(name)})
    summer, test = set(names[::2]), Pairs(*_with_snow([crop for name, crop in green if in_test(name)]))
    inputs = [crop for name, crop in green if name in summer]
    outputs = [crop for name, crop in green if name in names and name not in summer]
    return Task(Pairs(np.stack(inputs), _with_snow(outputs)[1]), test, paired=False)


TASKS: dict[str, Callable[[Path], Task]] = {
    "sketch": sketch_to_colour,
    "tone": tone,
    "vendors": vendors,
    "winter": winter,
}


def read_pictures(path: Path) -> Named:
    """The pictures of an archive in the order of their names, on white."""
    with ZipFile(path) as archive:
        return {Path(name).stem: _on_white(Image.open(archive.open(name))) for name in sorted(archive.namelist())}


def group(name: str) -> str:
    """What variants of one emoji have in common in their names; a man and a woman are variants of a person."""
    return _without(name, TONES | OTHER_VARIANTS).replace(MAN, PERSON).replace(WOMAN, PERSON)


def in_test(name: str) -> bool:
    """Whether the picture is held out, as a tenth of the groups are."""
    return int(hashlib.sha256(group(name).encode()).hexdigest()[:8], 16) % 10 == 0


def sketches(images: Images) -> Images:
    """Dark outlines on white, uint8 [n, h, w, 1], of pictures uint8 [n, h, w, 3]."""
    return np.stack([sketch(image) for image in images])


def greenness(images: Images) -> NDArray[np.float64]:
    """How much each pixel looks like a plant, float [n, h, w, 1] in [0, 1], by how far green exceeds red and blue."""
    red, green, blue = np.moveaxis(images.astype(np.float64) / 255, -1, 0)
    return np.clip((green - np.maximum(red, blue)) / 0.08, 0, 1)[..., None]


def snow(images: Images) -> Images:
    """The same pictures with bluish white, shaded as before, in place of green."""
    luma = images @ np.array([0.299, 0.587, 0.114]) / 255
    white = np.clip(0.45 + 0.75 * luma, 0, 1)[..., None] * np.array([240.0, 246.0, 255.0])
    share = greenness(images)
    mixed: Images = np.rint(images * (1 - share) + white * share).astype(np.uint8)
    return mixed


def _with_snow(crops: list[Images]) -> tuple[Images, Images]:
    return np.stack(crops), snow(np.stack(crops))


def _unpaired(rows: list[tuple[str, Images, Images]]) -> Task:
    """Pairs by name. Training pictures are put into independent orders."""
    parts = [
        [np.stack(images) for images in zip(*(row[1:] for row in rows if in_test(row[0]) == part), strict=True)]
        for part in (False, True)
    ]
    (inputs, outputs), test = parts
    rng = np.random.default_rng(0)
    shuffled = Pairs(inputs[rng.permutation(len(inputs))], outputs[rng.permutation(len(outputs))])
    return Task(shuffled, Pairs(*test), paired=False)


def _without(name: str, parts: frozenset[str] | set[str]) -> str:
    return "-".join(part for part in name.split("-") if part not in parts)


def _on_white(image: Image.Image) -> Images:
    image = image.convert("RGBA")
    paper = Image.new("RGBA", image.size, "white")
    paper.alpha_composite(image)
    return np.asarray(paper.convert("RGB"))


def _crops(photo: Images, rng: np.random.Generator) -> list[Images]:
    """Squares of a random size and place, resized."""
    crops, (height, width) = [], photo.shape[:2]
    for _ in range(CROPS):
        side = int(rng.integers(96, min(height, width) + 1))
        y, x = int(rng.integers(0, height - side + 1)), int(rng.integers(0, width - side + 1))
        crop = Image.fromarray(photo[y : y + side, x : x + side])
        crops.append(np.asarray(crop.resize((SIDE, SIDE), Image.Resampling.BICUBIC)))
    return crops
