"""gan-sample --reconstruct and --interpolate: encode images and generate from their latents."""

import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from gan_runtime.data.named import check_output_is_new, load_images
from gan_runtime.errors import InputError
from gan_runtime.files import atomic_write
from gan_runtime.outputs.options import STDOUT, WALKS, Options, Outcome
from gan_runtime.terminal.text import note

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from gan_runtime.encoder import Encoder
    from gan_runtime.generator import Generator
    from gan_runtime.outputs.source import Source


def check_mode(
    images: list[str], output: str, kind: str, *, reconstruct: bool, interpolate: bool, given: dict[str, object]
) -> None:
    """Refuse combinations of options that make no sense, before a file is opened.

    Args:
        images: the image files named before the output.
        output, kind: the output and its kind.
        reconstruct, interpolate: at most one of them.
        given: options that select the latents or the layout, by name, if they were given.

    Raises:
        InputError: the message names the option and the remedy.
    """
    if reconstruct and interpolate:
        raise InputError("--reconstruct and --interpolate: choose one")
    if not (reconstruct or interpolate):
        for name in ("encoder", "background", "levels", "max_pixels", "follow_links"):
            if given.get(name) is not None:
                flag = name.replace("_", "-")
                raise InputError(f"--{flag}: has an effect only with --reconstruct or --interpolate; leave it out")
        if images:
            raise InputError(f"{images[0]}: images need --reconstruct or --interpolate; name only the output")
        return
    flag = "--reconstruct" if reconstruct else "--interpolate"
    for name in ("n", "seed", "start", "latents", "by_class"):
        if given.get(name):
            raise InputError(f"--{name.replace('_', '-')}: cannot be combined with {flag}; leave it out")
    if interpolate and len(images) != 2:
        raise InputError(f"--interpolate: needs two images, not {len(images)}; name two images before the output")
    if interpolate and kind not in WALKS:
        raise InputError(f"--interpolate: writes an animation; end the output in {' or '.join(WALKS)}")
    if reconstruct and not images:
        raise InputError("--reconstruct: name the images before the output")
    if reconstruct and kind not in (".png", STDOUT):
        raise InputError("--reconstruct: writes one PNG; end the output in .png, or use - for stdout")
    if reconstruct and "rows" in given:
        raise InputError(
            "--rows: with --reconstruct, it follows from the number of images; use --columns, or leave it out"
        )
    check_output_is_new(images, output)


class Encoded(NamedTuple):
    """Images, uint8 [n, h, w, c], their latents, float32 [n, d], the encoder, and what was assumed of the files."""

    pictures: "NDArray[np.uint8]"
    latents: "NDArray[np.float32]"
    encoder: "Encoder"
    remarks: tuple[str, ...]

    def report(self) -> dict[str, Any]:
        """The entries on the encoder in the report of a command."""
        model = self.encoder.model
        return {"encoder": {"path": str(model.path), "sha256": model.sha256}, "assumed": list(self.remarks)}


def encoded(
    generator: "Generator", images: list[str], encoder: str | None, label: int | None, options: Options,
    reading: dict[str, Any], *, reconstruct: bool,
) -> Encoded:  # fmt: skip
    """Encode images with the encoder that belongs to `generator`. Nothing is downloaded.

    Image files are decoded with the options in the manifests of both files; `reading` overrides them.

    Raises:
        ModelError: `generator` has no encoder, or another one.
        InputError, DataError: an image cannot be read, there are too many for one picture, or the generator
            is conditional and `label` is None.
    """
    from gan_runtime.commands.find_encoder import open_encoder_of
    from gan_runtime.images.recorded import pictures_for
    from gan_runtime.outputs.encoded import encode_images
    from gan_runtime.outputs.reconstructions import reconstruction_layout

    opened = open_encoder_of(generator, encoder)
    if generator.classes and label is None:
        raise InputError(
            f"--label: {generator.model.path} is class-conditional; name the class of the images with --label"
        )
    say = (lambda remark: None) if options.quiet else note
    like = pictures_for([generator.model, opened.model], reading, say)
    found = load_images(images, opened.manifest.images, offline=True, quiet=options.quiet, like=like)
    if reconstruct:
        reconstruction_layout(found.images.shape, options)
    latents = encode_images(opened, found.images, quiet=options.quiet)
    return Encoded(found.images, latents, opened, found.remarks)


def write_reconstruction(output: str, originals: "NDArray[np.uint8]", source: "Source", options: Options) -> Outcome:
    """Write originals above reconstructions to a .png or stdout. Raises OutputError, InputError as `write_output`."""
    from gan_runtime.outputs.reconstructions import write_reconstructions

    if output == STDOUT:
        content = io.BytesIO()
        write_reconstructions(content, originals, source, options)
        sys.stdout.buffer.write(content.getbuffer())
        sys.stdout.buffer.flush()
        return Outcome(output)
    with atomic_write(Path(output)) as file:
        write_reconstructions(file, originals, source, options)
    return Outcome(output)
