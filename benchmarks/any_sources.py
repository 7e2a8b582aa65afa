"""The five sources of pictures that general features are judged on, each at its own size."""

from dataclasses import dataclass
from pathlib import Path
from zipfile import ZipFile

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gan_runtime.data import load_dataset
from gan_runtime.data.pictures import load_pictures
from gan_runtime.images.options import PictureOptions
from gan_trainer.features.contrastive import Source

NAMES = ("google", "twitter", "photos", "mnist", "fashion-mnist")
EMOJI = ("google", "twitter")
LICENCES = {
    "google": "Noto Emoji, Apache License 2.0",
    "twitter": "Twemoji, copyright Twitter, Inc and other contributors, CC BY 4.0",
    "photos": "68 photos of BSD68, for non-commercial research and education; 80 of SUN-Hays80, without a licence",
    "mnist": "CC BY-SA 3.0",
    "fashion-mnist": "MIT",
}
TRAINED = 6000  # images of MNIST and of Fashion-MNIST that candidates are trained on
CROPS, CROP_SIDE = 27, 64  # of each photo


@dataclass(frozen=True)
class Pictures:
    """uint8 [n, h, w, c], and a class of each, int64 [n]: photos have their photo, emoji their first code point."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]


def for_training(name: str, data: Path, seed: int) -> Source:
    """What candidates see of a source: of MNIST and Fashion-MNIST a part of the training images, with classes."""
    if name in EMOJI:
        return Source(_emoji(name, data).images)
    if name == "photos":
        return Source(_photos(data, "train-photos.zip", seed).images)
    found = load_dataset(name, "train", data / name, offline=True)
    rows = np.random.default_rng(seed).permutation(len(found.images))[:TRAINED]
    return Source(found.images[rows], found.labels[rows], mirror=name != "mnist")


def for_judging(name: str, data: Path, seed: int) -> Pictures:
    """Pictures of a source that is held out, in random order: those of MNIST and Fashion-MNIST are test images."""
    if name in EMOJI:
        found = _emoji(name, data)
    elif name == "photos":
        found = _photos(data, "train-photos.zip", seed + 1)
    else:
        test = load_dataset(name, "test", data / name, offline=True)
        found = Pictures(test.images, test.labels)
    order = np.random.default_rng(seed).permutation(len(found.images))
    return Pictures(found.images[order], found.labels[order])


def _emoji(name: str, data: Path) -> Pictures:
    path = data / "emoji" / f"{name}-64.zip"
    found = load_pictures(path, PictureOptions(size=64), quiet=True)
    with ZipFile(path) as archive:
        names = sorted(entry for entry in archive.namelist() if entry.endswith(".png"))
    points = np.array([int(Path(entry).stem.split("-")[0], 16) for entry in names])
    return Pictures(found.images, np.unique(points, return_inverse=True)[1])


def _photos(data: Path, archive: str, seed: int) -> Pictures:
    """Square crops of a random size and place, resized."""
    rng, crops, labels = np.random.default_rng(seed), [], []
    with ZipFile(data / "super-resolution" / archive) as photos:
        for label, name in enumerate(sorted(photos.namelist())):
            photo = Image.open(photos.open(name)).convert("RGB")
            for _ in range(CROPS):
                side = int(rng.integers(96, min(photo.size) + 1))
                x, y = (int(rng.integers(0, length - side + 1)) for length in photo.size)
                crop = photo.crop((x, y, x + side, y + side)).resize((CROP_SIDE, CROP_SIDE), Image.Resampling.BICUBIC)
                crops.append(np.asarray(crop))
                labels.append(label)
    return Pictures(np.stack(crops), np.array(labels, np.int64))
