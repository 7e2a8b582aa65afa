"""gan-upscale: enlarge pictures with ONNX Runtime. Heavy modules are imported when the command runs."""

import time
from enum import StrEnum
from typing import Annotated

import typer

from gan_runtime.terminal.commandline import run
from gan_runtime.terminal.flags import Device, Json, Quiet, Ray, Shard, Threads, Version, option
from gan_runtime.terminal.help import OUTPUT
from gan_runtime.terminal.picture_flags import (
    FollowLinks,
    Force,
    Format,
    MaxPixels,
    OwnBackground,
    OwnLevels,
    Quality,
    Recursive,
    SkipBad,
    Tile,
)
from gan_runtime.terminal.text import note


class Alpha(StrEnum):
    """How the transparency is enlarged."""

    BICUBIC = "bicubic"
    NETWORK = "network"


def upscale(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="IN… OUT",
            help="IN is an image, a folder, a .zip, or - for stdin. OUT is a file (.png, .tif, .jpg, .webp), a folder, "
            "or - for stdout.",
            show_default=False,
        ),
    ],
    model: Annotated[
        str | None, option("The .onnx of the upscaler.", default="the newest upscaler in ./exported")
    ] = None,
    tile: Tile = None,
    alpha: Annotated[
        Alpha,
        option(
            "How transparency is enlarged. bicubic takes no time and adds nothing; network gives edges as sharp as "
            "those of the colours, and takes as long as these.",
            default="bicubic",
        ),
    ] = Alpha.BICUBIC,
    device: Device = "auto",
    threads: Threads = None,
    format: Format = None,
    quality: Quality = None,
    keep_metadata: Annotated[
        bool,
        option("Keep author, camera, time and place (EXIF); not in .tif.", "--keep-metadata", group=OUTPUT),
    ] = False,
    force: Force = False,
    recursive: Recursive = True,
    background: OwnBackground = None,
    levels: OwnLevels = None,
    max_pixels: MaxPixels = None,
    skip_bad: SkipBad = False,
    shard: Shard = None,
    ray: Ray = None,
    follow_links: FollowLinks = False,
    quiet: Quiet = False,
    as_json: Json = False,
    version: Version = False,
) -> None:  # fmt: skip
    """Enlarge images with an exported super-resolution network and ONNX Runtime: one image of any size, a folder."""
    from gan_runtime.commands.cluster_option import cluster_of
    from gan_runtime.commands.find_picture_model import open_picture_model
    from gan_runtime.commands.pictures import UPSCALING, Asked, checked, transform
    from gan_runtime.image_to_image.upscaler import Upscaler
    from gan_runtime.images.recorded import pictures_for
    from gan_runtime.images.writing import STILLS, Encoding
    from gan_runtime.transform.model import model_of
    from gan_runtime.transform.settings import Settings

    began = time.perf_counter()
    asked = Asked(
        files, format, quality, force, recursive, skip_bad, quiet, as_json, tuple(STILLS), UPSCALING,
        keep_metadata=keep_metadata, shard=shard, cluster=cluster_of(ray, device, threads, quiet),
    )  # fmt: skip
    place = checked(asked)
    upscaler = open_picture_model(Upscaler, model, device, threads, quiet, asked.cluster, many=place.is_folder)
    given = {"background": background, "levels": levels, "max_pixels": max_pixels, "follow_links": follow_links}
    like = pictures_for([upscaler.model], given, (lambda remark: None) if quiet else note)
    encoding = Encoding(place.suffix, quality, like.background, keep_metadata)
    settings = Settings(encoding, like, tile=tile, first=True, alpha=alpha.value)
    transform(asked, place, model_of(upscaler), settings, began)


def upscale_main() -> None:
    """Entry point of gan-upscale."""
    run(upscale, "gan-upscale")


if __name__ == "__main__":
    upscale_main()
