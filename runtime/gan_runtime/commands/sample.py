"""gan-sample: sample images with ONNX Runtime. Heavy modules are imported when the command runs."""

import time
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from gan_runtime import __version__
from gan_runtime.terminal.commandline import print_result, run
from gan_runtime.terminal.flags import Device, Json, Quiet, Ray, Shard, Threads, Version, option
from gan_runtime.terminal.foreign_flags import with_assumptions
from gan_runtime.terminal.picture_flags import FollowLinks, MaxPixels, OwnBackground, OwnLevels
from gan_runtime.terminal.text import note

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from gan_runtime.foreign import Assumptions
    from gan_runtime.generator import Generator
    from gan_runtime.outputs import Options


INPUT, OUTPUT = "Images to reconstruct or interpolate", "Output"  # groups in the help
STYLES = "Generators with styles"


@with_assumptions
def sample(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="[IMAGES…] OUTPUT",
            help="OUTPUT is x.png (a grid), x.gif or x.webp (animations), x.npy, x.npz, x.tar (shards), x/ (folder of "
            "PNGs), or - (a PNG on stdout). IMAGES are inputs of --reconstruct and --interpolate.",
            show_default=False,
        ),
    ],
    n: Annotated[
        int | None, option("Number of images.", "--n", "-n", min=1, max=10**9, default="64, fewer for animations")
    ] = None,
    model: Annotated[
        str | None,
        option(
            "A .onnx file, or the name of a shipped model: mnist, fashion-mnist or emoji.",
            default="the newest generator in ./exported, else mnist",
        ),
    ] = None,
    seed: Annotated[
        int,
        option(
            "Seed of the latents. The same seed gives the same images on every machine.",
            min=0,
            max=2**64 - 1,
            default=True,
        ),
    ] = 0,
    start: Annotated[int, option("Index of the first image.", min=0, max=2**62, default=True)] = 0,
    label: Annotated[
        str | None,
        option(
            "Name or number of the class of all images.",
            metavar="CLASS",
            default="image i has class i mod the number of classes",
        ),
    ] = None,
    latents: Annotated[
        str | None,
        option(
            "File with latents [n, d] or styles [n, layers, d]: .npy, or .npz with labels [n]. Excludes --n, --seed "
            "and --start."
        ),
    ] = None,
    batch_size: Annotated[
        int | None, option("Images per batch.", min=1, max=65536, default="as many as keep the device busy")
    ] = None,
    device: Device = "auto",
    threads: Threads = None,
    truncation: Annotated[
        float | None,
        option(
            "How far styles are from their mean: 1 as in training, less for more typical and less varied images.",
            min=-1,
            max=2,
            group=STYLES,
            default="as the file says, usually 1",
        ),
    ] = None,
    space: Annotated[
        str | None,
        option("Animations: interpolate latents (z) or their styles (w).", metavar="z|w", group=STYLES, default="z"),
    ] = None,
    class_walk: Annotated[
        bool,
        option("Animations: images keep their latents and go from class to class.", "--class-walk", group=STYLES),
    ] = False,
    mix: Annotated[
        str | None,
        option(
            "A grid of so many images: coarse styles of the image at the left, fine ones of that at the top.",
            metavar="ROWSxCOLUMNS",
            group=STYLES,
        ),
    ] = None,
    coarse: Annotated[
        int | None,
        option("--mix: how many of the first layers are coarse.", min=1, group=STYLES, default="4, at most half"),
    ] = None,
    reconstruct: Annotated[
        bool,
        option("Show IMAGES above their reconstructions.", "--reconstruct", group=INPUT),
    ] = False,
    interpolate: Annotated[
        bool, option("Interpolate from the first of two IMAGES to the second and back.", "--interpolate", group=INPUT)
    ] = False,
    encoder: Annotated[
        str | None, option("The encoder, .onnx.", group=INPUT, default="x-encoder.onnx for the model x.onnx")
    ] = None,
    background: OwnBackground = None,
    levels: OwnLevels = None,
    max_pixels: MaxPixels = None,
    follow_links: FollowLinks = False,
    rows: Annotated[int | None, option("Rows of a grid.", min=1, max=10**6, group=OUTPUT)] = None,
    columns: Annotated[
        int | None, option("Columns of a grid.", min=1, max=10**9, group=OUTPUT, default="a nearly square grid")
    ] = None,
    padding: Annotated[
        int | None,
        option("Grey pixels between the images of a grid.", min=0, max=10**4, group=OUTPUT, default="0"),
    ] = None,
    scale: Annotated[
        int | None, option("Factor by which images are enlarged.", min=1, max=10**4, group=OUTPUT, default="1")
    ] = None,
    by_class: Annotated[bool, option("A grid with one column per class.", "--by-class", group=OUTPUT)] = False,
    frames: Annotated[
        int | None, option("Frames of an animation.", min=2, max=10**5, group=OUTPUT, default="96")
    ] = None,
    fps: Annotated[
        float | None, option("Frames per second of an animation.", min=0, max=1000, group=OUTPUT, default="24")
    ] = None,
    shard_size: Annotated[
        int | None, option("Images per .tar file.", min=1, max=10**9, group=OUTPUT, default="10,000")
    ] = None,
    compression: Annotated[
        int | None,
        option(
            "Folder or shards: of the PNG files, 0 (none, fastest) to 9 (smallest).",
            min=0,
            max=9,
            group=OUTPUT,
            default="1",
        ),
    ] = None,
    shard: Shard = None,
    ray: Ray = None,
    quiet: Quiet = False,
    as_json: Json = False,
    version: Version = False,
    *,
    assumptions: "Assumptions | None",
) -> None:
    """Sample images from an exported generator with ONNX Runtime."""
    from gan_runtime.commands.cluster_option import cluster_of
    from gan_runtime.commands.local_processes import divided
    from gan_runtime.commands.open_model import open_generator
    from gan_runtime.commands.style_options import check_style_options, check_styled, parse_mix, style_report
    from gan_runtime.outputs import STDOUT, Options, check_options, check_output, kind_of, write_output
    from gan_runtime.outputs.sampled import draw
    from gan_runtime.outputs.share import share_of

    began = time.perf_counter()
    *images, output = files
    _check_alone(as_json and output == STDOUT, latents is not None and bool(n is not None or seed or start))
    kind, cluster = kind_of(output), cluster_of(ray, device, threads, quiet)
    given = _given(
        rows=rows, columns=columns, padding=padding, scale=scale, by_class=by_class or None,
        frames=frames, fps=fps, shard_size=shard_size, compression=compression,
        share=None if shard is None else share_of(shard), cluster=cluster,
        space=space, class_walk=class_walk or None, mix=parse_mix(mix), coarse=coarse,
    )  # fmt: skip
    check_options(kind, given)
    pictures, styling = reconstruct or interpolate, given | _given(n=n, label=label, truncation=truncation)
    check_style_options(styling | {"reconstruct": reconstruct, "interpolate": interpolate})
    reading = _given(background=background, levels=levels, max_pixels=max_pixels, follow_links=follow_links or None)
    if images or pictures or reading or encoder is not None:
        from gan_runtime.commands.reconstruct import check_mode, encoded, write_reconstruction

        asked = given | reading | {"n": n, "seed": seed, "start": start, "latents": latents, "encoder": encoder}
        check_mode(images, output, kind, reconstruct=reconstruct, interpolate=interpolate, given=asked)
    check_output(output)
    options = Options(**given, quiet=quiet)
    generator = open_generator(model, device, threads, quiet, assumptions, cluster)
    number = None if label is None else _class_of(generator, label, quiet)
    shown, drawn = None, Rows()
    if pictures:
        shown = encoded(generator, images, encoder, number, options, reading, reconstruct=reconstruct)
        drawn = Rows(shown.latents)
    if latents is not None:
        labelled = number is None and not (by_class or class_walk)
        drawn = _in_file(latents, generator, styling, labelled=labelled, quiet=quiet)
    check_styled(generator, latents, drawn.space, styling)
    count = (n or _default_n(options, kind, generator)) if drawn.n is None else drawn.n
    chosen = number if drawn.labels is None else drawn.labels
    source = draw(generator, count, seed, start, chosen, drawn.latents, batch_size, truncation, drawn.styles)
    if shown and reconstruct:
        outcome = write_reconstruction(output, shown.pictures, source, options)
    else:
        with divided(source, kind, options) as (source, options):
            outcome = write_output(output, source, options)
    report = {
        "output": output, "n": count, **_asked_for(drawn, seed, start, shard, number, latents),
        **_class_names(generator, number, by_class), "by_class": by_class, **style_report(source, styling),
        **outcome.report(), **_describe(generator), **(options.cluster.report() if options.cluster else {}),
        **_compression(kind, options), **(shown.report() if shown else {}),
        "seconds": round(time.perf_counter() - began, 3),
    }  # fmt: skip
    if output != STDOUT:
        print_result(outcome.name or output, report if as_json else None)


def sample_main() -> None:
    """Entry point of gan-sample."""
    run(sample, "gan-sample")


class Rows(NamedTuple):
    """What images are drawn from, where it is given: latents [n, d] or styles [n, layers, d], and labels [n]."""

    latents: "NDArray[np.float32] | None" = None
    styles: "NDArray[np.float32] | None" = None
    labels: "NDArray[np.int64] | None" = None
    space: str = ""

    @property
    def n(self) -> int | None:
        """The number of rows that are given."""
        given = self.latents if self.styles is None else self.styles
        return None if given is None else len(given)


def _in_file(path: str, generator: "Generator", styling: dict[str, Any], *, labelled: bool, quiet: bool) -> Rows:
    """The rows in the file of --latents, whose labels are read where they are to be used."""
    from gan_runtime.commands.style_options import check_space
    from gan_runtime.images.array_files import load_latents

    found, labels, space = load_latents(path, labelled=labelled)
    check_space(path, space, styling)
    latents, styles = (None, found) if space == "w" else (found, None)
    return Rows(latents, styles, _usable(labels, path, generator, quiet), space)


def _check_alone(json_and_picture: bool, latents_and_count: bool) -> None:
    from gan_runtime.errors import InputError

    if json_and_picture:
        raise InputError("--json: cannot be combined with an image on stdout; name an output file")
    if latents_and_count:
        raise InputError("--latents: cannot be combined with --n, --seed and --start; leave those out")


def _given(**options: Any) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


def _class_of(generator: "Generator", label: str, quiet: bool) -> int:
    """The number of the requested class; prints its name on stderr."""
    from gan_runtime.class_labels import find_class
    from gan_runtime.errors import InputError

    try:
        number = find_class(label, generator.signature.labels, generator.model.path)
    except InputError as error:
        raise InputError(f"--{error}") from None
    if generator.class_names and not quiet:
        note(f"label: {number}, class {generator.class_names[number]!r}")
    return number


def _usable(
    labels: "NDArray[np.int64] | None", path: str, generator: "Generator", quiet: bool
) -> "NDArray[np.int64] | None":
    """The labels of the latents in a file, if the generator has classes; prints on stderr what becomes of them."""
    if labels is not None and not quiet:
        unused = f"those in {path} are not used, because {generator.model.path} is unconditional"
        note(f"labels: {f'read from {path}; --label overrides them' if generator.classes else unused}")
    return labels if generator.classes else None


def _asked_for(
    drawn: Rows, seed: int, start: int, shard: str | None, number: int | None, path: str | None
) -> dict[str, Any]:
    """The entries of the report on what was drawn: seed and start, or rows and perhaps labels of the file at `path`."""
    return {
        "seed": seed if drawn.n is None else None,
        **({} if shard is None else {"shard": shard}),
        "start": start if drawn.n is None else None,
        "label": number,
        **({} if drawn.labels is None else {"labels": path}),
    }


def _class_names(generator: "Generator", number: int | None, by_class: bool) -> dict[str, Any]:
    """Names of the class or, with --by-class, of the columns; empty if the file has no names."""
    names = generator.class_names
    if names and number is not None:
        return {"class": names[number]}
    return {"classes": list(names)} if names and by_class else {}


def _compression(kind: str, options: "Options") -> dict[str, Any]:
    """The library that compressed the PNG files of a folder or of shards."""
    from gan_runtime.outputs.options import JOBS

    if kind not in JOBS:
        return {}
    from gan_runtime.images.deflate import compressor_name

    return {"compressed_by": compressor_name(options.compression)}


def _default_n(options: "Options", kind: str, generator: "Generator") -> int:
    from gan_runtime.outputs.options import DEFAULT_POINTS

    return DEFAULT_POINTS if generator.points else options.default_n(kind, generator.classes)


def _describe(generator: "Generator") -> dict[str, Any]:
    from gan_runtime.onnx_runtime import import_onnxruntime

    model = generator.model
    return {
        "model": {
            "path": str(model.path),
            "name": generator.manifest.name if generator.manifest else None,
            "sha256": model.sha256,
        },
        **generator.signature.report(),
        "image_shape": list(generator.image_shape),
        "device": generator.session.device,
        "threads": generator.threads,
        "versions": {"gan-edge": __version__, "onnxruntime": import_onnxruntime().__version__},
    }


if __name__ == "__main__":
    sample_main()
