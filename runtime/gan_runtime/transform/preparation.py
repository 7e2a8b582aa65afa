"""The input of a model from a picture, and checks of settings against the model."""

from collections.abc import Callable

from gan_runtime.errors import InputError
from gan_runtime.tiling import Pixels, least_window
from gan_runtime.transform.model import MODES, PictureModel


def preparation(model: PictureModel, name: str) -> tuple[str, Callable[[Pixels], Pixels]]:
    """How pictures are read for a model, "L" or "RGB", and the function that makes its input of one.

    In training, the inputs were made of the pictures that the model should give: grey or colour, as these are.

    Raises:
        InputError: the name is unknown or does not fit the model.
    """
    if not name:
        return "RGB" if model.keeps_grey else model.mode, lambda picture: picture
    from gan_runtime.images.prepare import PREPARATIONS, channels_of  # noqa: PLC0415

    if name not in PREPARATIONS:
        raise InputError(f"--prepare {name}: choose one of {', '.join(PREPARATIONS)}")
    if model.prepared and name != model.prepared:
        raise InputError(
            f"--prepare {name}: {model.path} was trained on inputs made by {model.prepared}; "
            f"use --prepare {model.prepared}"
        )
    found = MODES.get(model.channels, "RGB")
    channels = channels_of(name, 1 if found == "L" else 3)
    if channels != model.source.channels:
        raise InputError(
            f"--prepare {name}: makes {channels} channel{'s' * (channels > 1)}; {model.path} takes "
            f"{model.source.channels}"
        )
    return found, PREPARATIONS[name]


def check_tile(model: PictureModel, tile: int | None) -> None:
    """Raise InputError if the model cannot be run in tiles of this side."""
    if not tile:
        return
    tiling = model.tiling(tile)
    if tiling is None:
        raise InputError(f"--tile: {model.path} takes pictures of one size, which need no tiles; leave it out")
    if tile < least_window(tiling):
        raise InputError(f"--tile {tile}: {model.path} needs tiles of at least {least_window(tiling)} pixels")
