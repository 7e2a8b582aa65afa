"""The options of every command that reads a folder or archive of images, in one place."""

from typing import Annotated, Any

import typer


def _given(text: str) -> Any:
    return typer.Option(help=f"Folder or .zip: {text}", show_default=False)


Size = Annotated[int | None, _given("side to crop and resize the images to, 28 to 256.  [default: 64]")]
Mode = Annotated[str | None, _given("L for grey, or RGB.  [default: RGB]")]
Background = Annotated[str | None, _given("colour behind transparent pixels.  [default: white]")]
LabelsFrom = Annotated[
    str | None, _given("folders: each sub-folder is a class, or those of a dataset.json; or none.  [default: none]")
]
OwnBackground = Annotated[
    str | None,
    typer.Option(
        "--background",
        help="Colour behind transparent pixels.  [default: what the file was trained with, else white]",
        show_default=False,
    ),
]
OwnLevels = Annotated[
    tuple[float, float] | None,
    typer.Option(
        "--levels",
        metavar="LO HI",
        help="Values of black and white in pictures of more than 8 bits.  [default: what the file was trained with]",
        show_default=False,
    ),
]
Levels = Annotated[
    tuple[float, float] | None,
    typer.Option(
        metavar="LO HI",
        help="Pictures of more than 8 bits: the values of black and white.  [default: what the file says, or 0 65535]",
        show_default=False,
    ),
]
MaxPixels = Annotated[
    int | None,
    typer.Option(min=1, help="Refuse pictures with more pixels.  [default: 200,000,000]", show_default=False),
]
SkipBad = Annotated[bool, typer.Option("--skip-bad", help="Folder or .zip: leave out and count what cannot be read.")]
FollowLinks = Annotated[
    bool, typer.Option("--follow-links", help="Folder: read what links lead to out of the folder, too.")
]
