"""The options of every command that reads a folder or archive of images, in one place."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from gan_runtime.datasets import PictureOptions


def _given(text: str) -> Any:
    return typer.Option(help=f"Folder or .zip: {text}", show_default=False)


Size = Annotated[int | None, _given("side to crop and resize the images to, 28 to 256.  [default: 64]")]
Mode = Annotated[str | None, _given("L for grey, or RGB.  [default: RGB]")]
Background = Annotated[str | None, _given("colour behind transparent pixels.  [default: white]")]
LabelsFrom = Annotated[str | None, _given("folders: each sub-folder is a class; or none.  [default: none]")]
SkipBad = Annotated[bool, typer.Option("--skip-bad", help="Folder or .zip: leave out and count what cannot be read.")]


def picture_options(
    source: str, size: int | None, mode: str | None, background: str | None, labels: str | None, skip_bad: bool
) -> "PictureOptions | None":
    """The options given, or None for a data set that is known by name.

    Raises:
        InputError: a value is out of range, or an option does not belong to `source`; naming the flag.
    """
    from gan_runtime.datasets import KNOWN, PictureOptions  # noqa: PLC0415
    from gan_runtime.errors import InputError  # noqa: PLC0415

    values = {"size": size, "mode": mode, "background": background, "labels": labels, "skip_bad": skip_bad or None}
    given: dict[str, Any] = {name: value for name, value in values.items() if value is not None}
    if source not in KNOWN:
        return PictureOptions(**given)
    if given:
        flag = f"--{next(iter(given)).replace('_', '-')}"
        raise InputError(f"{flag}: {source} is used as it is; a folder or .zip of images takes such options")
    return None
