"""Decoding options in manifests, so that pictures given to a file are decoded as its training data were."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from gan_runtime.errors import InputError, ModelError
from gan_runtime.images.options import PictureOptions
from gan_runtime.manifest import Manifest, read_manifest
from gan_runtime.model_file import ModelFile

PIPELINE = {"version": 1, "crop": "centre", "resize": "lanczos", "colours": "srgb"}  # as in images/decoding.py
RECORDED = ("size", "mode", "background", "levels")  # fields of PictureOptions that affect pixels
SHARED = ("background", "levels")  # those that do not follow from the shape of the images


def record(options: PictureOptions | None) -> dict[str, Any]:
    """The value of `pictures` in a manifest; empty if the data were not pictures."""
    if options is None:
        return {}
    values = {name: getattr(options, name) for name in RECORDED}
    return values | {"levels": options.levels and list(options.levels)} | PIPELINE


def recorded(model: ModelFile, manifest: Manifest | None) -> PictureOptions | None:
    """The options in a manifest; None in older files and for data that were not decoded from pictures.

    Raises:
        ModelError: they are damaged, or describe a way of decoding that this version does not support.
    """
    found = manifest.pictures if manifest else {}
    if not found:
        return None
    other = [f"{name} {found.get(name)!r}" for name, value in PIPELINE.items() if found.get(name) != value]
    if other:
        raise ModelError(
            f"{model.path}: was trained on pictures that were read in another way ({', '.join(other)}); upgrade "
            "gan-edge on this host, or give it a .npy of images"
        )
    try:
        return PictureOptions(**{name: found[name] for name in RECORDED})
    except (KeyError, TypeError, ValueError, AttributeError, InputError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise ModelError(f"{model.path}: its manifest is damaged (pictures: {reason}); export it again") from None


def pictures_for(
    models: Iterable[ModelFile],
    given: dict[str, Any],
    say: Callable[[str], None] = lambda remark: None,
) -> PictureOptions:
    """The options for pictures given to all of `models`; size and mode follow from the images that each takes.

    Args:
        models: the files, with or without options in their manifests.
        given: fields of `PictureOptions` that the user sets, else None; they override the manifests.
        say: called with a remark for each difference.

    Raises:
        InputError: the manifests differ and the user sets nothing, or a value is out of range.
        ModelError: as `recorded`.
    """
    known = [(model.path, options) for model in models if (options := recorded(model, read_manifest(model)))]
    asked = {name: value for name, value in given.items() if value is not None}
    usual = PictureOptions(**asked)
    chosen = {name: getattr(usual, name) for name in asked}
    for name in SHARED:
        for path, options in known:
            theirs = getattr(options, name)
            ours = chosen.setdefault(name, theirs)
            if ours == theirs or _meaning(name, ours) == _meaning(name, theirs):
                continue
            if name not in asked:
                raise InputError(
                    f"{known[0][0]} was trained with {name} {_text(ours)}, {path} with {_text(theirs)}; use one at a "
                    f"time, or set --{name}"
                )
            say(f"--{name} {_text(ours)}: {path} was trained with {_text(theirs)}")
    return replace(usual, **chosen)


def _meaning(name: str, value: Any) -> Any:
    from PIL import ImageColor  # noqa: PLC0415

    return ImageColor.getrgb(value) if name == "background" else value


def _text(value: Any) -> str:
    if value is None:
        return "of the whole range"
    return value if isinstance(value, str) else " ".join(f"{part:g}" for part in value)
