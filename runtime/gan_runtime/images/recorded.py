"""How pictures become pixels, as a file's manifest records it: for commands that feed pictures to that file."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from gan_runtime.errors import InputError, ModelError
from gan_runtime.images.options import PictureOptions
from gan_runtime.manifest import Manifest, read_manifest
from gan_runtime.model_file import ModelFile

PIPELINE = {"version": 1, "crop": "centre", "resize": "lanczos", "colours": "srgb"}  # of gan_runtime.images.decoding
RECORDED = ("size", "mode", "background", "levels")  # fields of PictureOptions that decide over pixels
SHARED = ("background", "levels")  # those of them that do not follow from the size of the images


def record(options: PictureOptions | None) -> dict[str, Any]:
    """What a manifest says under `pictures`; nothing where the data were no pictures."""
    if options is None:
        return {}
    values = {name: getattr(options, name) for name in RECORDED}
    return values | {"levels": options.levels and list(options.levels)} | PIPELINE


def recorded(model: ModelFile, manifest: Manifest | None) -> PictureOptions | None:
    """The options in a manifest; None where it has none: older files, and data that are used as they are.

    Raises:
        ModelError: they are damaged, or of another way from pictures to pixels than this version knows.
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
    """How pictures become pixels for all of `models`; size and mode follow from the images that each takes.

    Args:
        models: files that record it in their manifests, or do not.
        given: fields of `PictureOptions` that the user asks for, None for the others; they precede what is recorded.
        say: is told where they differ.

    Raises:
        InputError: two files contradict each other, or a value is out of range.
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
            if _meaning(name, ours) == _meaning(name, theirs):
                continue
            if name not in asked:
                raise InputError(
                    f"{known[0][0]} was trained with {name} {_text(ours)}, {path} with {_text(theirs)}; take one at a "
                    f"time, or say --{name}"
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
