"""Options of the commands that read images from a folder, an archive or files."""

from typing import Annotated, Any

import typer

from gan_runtime.terminal.flags import AUTO, auto_or
from gan_runtime.terminal.help import DATA, OUTPUT

AS_TRAINED = "as the model was trained"


def _option(text: str, *names: str, default: str | bool = False, group: str | None = DATA, **settings: Any) -> Any:
    return typer.Option(*names, help=text, show_default=default, rich_help_panel=group, **settings)


Size = Annotated[
    int | None, _option("Folder or .zip: crop and resize the images to this side, 28 to 512.", default="64")
]
Mode = Annotated[str | None, _option("Folder or .zip: L (grey) or RGB.", default="RGB")]
Background = Annotated[str | None, _option("Folder or .zip: colour behind transparent pixels.", default="white")]
LabelsFrom = Annotated[
    str | None,
    _option(
        "Folder or .zip: source of the classes, folders or none. folders: each sub-folder is a class, unless "
        "a dataset.json has labels.",
        default="none",
    ),
]
OwnBackground = Annotated[
    str | None,
    _option("Colour behind transparent pixels.", "--background", default=f"{AS_TRAINED}, else white"),
]
OwnLevels = Annotated[
    tuple[float, float] | None,
    _option(
        "Values of black and white in images with more than 8 bits per channel.", "--levels", metavar="LO HI",
        default=AS_TRAINED,
    ),
]  # fmt: skip
Levels = Annotated[
    tuple[float, float] | None,
    _option(
        "Values of black and white in images with more than 8 bits per channel.", metavar="LO HI",
        default="as declared in the file, else 0 65535",
    ),
]  # fmt: skip
MaxPixels = Annotated[int | None, _option("Refuse images with more pixels than this.", min=1, default="200,000,000")]
SkipBad = Annotated[bool, _option("Folder or .zip: skip images that cannot be read, and count them.", "--skip-bad")]
FollowLinks = Annotated[bool, _option("Folder: follow symbolic links that leave the folder.", "--follow-links")]
Recursive = Annotated[bool, _option("Folder or .zip: also the images in its sub-folders.", default="recursive")]
Tile = Annotated[
    int | None,
    _option(
        "Largest side in pixels of the tiles that large images are run in: auto chooses it by the memory, 0 runs the "
        "whole image.",
        "--tile", default=AUTO, group=None, parser=auto_or(0, 2**31 - 1, "a number of pixels"), metavar="auto|N",
    ),
]  # fmt: skip
Format = Annotated[
    str | None,
    _option("Folder or stdout: the format of the images, a suffix such as webp.", default="png", group=OUTPUT),
]
Quality = Annotated[
    int | None,
    _option("Quality of .jpg and .webp.", min=1, max=100, default="95; .webp is lossless", group=OUTPUT),
]
Force = Annotated[bool, _option("Overwrite the file OUT.", "--force", group=OUTPUT)]
