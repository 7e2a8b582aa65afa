"""gan-translate: translate pictures with ONNX Runtime. Heavy modules are imported when the command runs."""

import time
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


def translate(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="IN… OUT",
            help="IN is an image, an animation (GIF, WebP, APNG), a folder, a .zip, or - for stdin. OUT is a file "
            "(.png, .tif, .jpg, .webp; .gif for animations), a folder, or - for stdout.",
            show_default=False,
        ),
    ],
    model: Annotated[
        str | None, option("The .onnx of the translator.", default="the newest translator in ./exported")
    ] = None,
    prepare: Annotated[
        str | None,
        option(
            "Make the input from a photo first, as in training: sketch, grey, blur, mask or low.", metavar="NAME"
        ),
    ] = None,
    size: Annotated[
        int | None,
        option(
            "Resize images first, so that their shorter side has this many pixels.", min=1, max=2**16,
            default="their own size",
        ),
    ] = None,
    tile: Tile = None,
    device: Device = "auto",
    threads: Threads = None,
    compare: Annotated[
        bool, option("Write input, output and, if known, truth side by side.", "--compare", group=OUTPUT)
    ] = False,
    truth: Annotated[
        str | None,
        option(
            "With --compare: the image that the output should be, or a folder or .zip with images of the same names.",
            group=OUTPUT, default="with --prepare: the photo",
        ),
    ] = None,
    format: Format = None,
    quality: Quality = None,
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
    """Translate images with an exported pix2pix or CycleGAN and ONNX Runtime: one image, a folder, an animation."""
    from gan_runtime.commands.cluster_option import cluster_of
    from gan_runtime.commands.find_picture_model import open_picture_model
    from gan_runtime.commands.pictures import TRANSLATION, Asked, checked, transform
    from gan_runtime.image_to_image.translator import Translator
    from gan_runtime.images.recorded import pictures_for
    from gan_runtime.images.writing import SUFFIXES, Encoding
    from gan_runtime.transform.model import model_of
    from gan_runtime.transform.settings import Settings

    began = time.perf_counter()
    asked = Asked(
        files, format, quality, force, recursive, skip_bad, quiet, as_json, SUFFIXES, TRANSLATION,
        truth=truth, compare=compare, shard=shard, cluster=cluster_of(ray, device, threads, quiet),
    )  # fmt: skip
    place = checked(asked)
    translator = open_picture_model(Translator, model, device, threads, quiet, asked.cluster, many=place.is_folder)
    given = {"background": background, "levels": levels, "max_pixels": max_pixels, "follow_links": follow_links}
    like = pictures_for([translator.model], given, (lambda remark: None) if quiet else note)
    settings = Settings(Encoding(place.suffix, quality, like.background), like, size, tile, prepare or "", compare)
    if translator.manifest.prepared and not (prepare or quiet):
        kind = translator.manifest.prepared
        note(f"model: {translator.model.path} takes what {kind} makes; if IN are photos, add --prepare {kind}")
    transform(asked, place, model_of(translator), settings, began)


def translate_main() -> None:
    """Entry point of gan-translate."""
    run(translate, "gan-translate")


if __name__ == "__main__":
    translate_main()
