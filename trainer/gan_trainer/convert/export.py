"""Export the weights of others: a checkpoint to one verified file, as of a network that was trained here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gan_runtime.files import check_writable
from gan_runtime.manifest import ImageSize
from gan_runtime.model_file import ModelFile
from gan_trainer.convert.checkpoint import SUFFIXES, read_checkpoint
from gan_trainer.convert.recognise import Recognised, recognise
from gan_trainer.export.generator import generator_file
from gan_trainer.export.styled import styled_files
from gan_trainer.export.translator import translator_file
from gan_trainer.export.upscaler import upscaler_file
from gan_trainer.export.write import write_together
from gan_trainer.networks.stylegan2 import StyleGenerator
from gan_trainer.networks.upscaling import Upscaler
from gan_trainer.runs.export import check_name, check_styles, default_output
from gan_trainer.tasks.task import Files

TRAINED_ON = 256  # pixels; the side of the pictures that published translators learnt from, nearly always


@dataclass(frozen=True)
class Exported:
    """The files that were written, the main one first, and what was recognised."""

    files: Files
    recognised: Recognised

    @property
    def file(self) -> ModelFile:
        """The main one."""
        return next(iter(self.files.values()))


def is_checkpoint(source: Path) -> bool:
    """Whether `source` is a file with weights, rather than a run."""
    return source.suffix in SUFFIXES and not source.is_dir()


def export_checkpoint(
    path: Path,
    opset: int = 17,
    output: Path | None = None,
    name: str | None = None,
    styles: Mapping[str, Any] | None = None,
) -> Exported:
    """Export the network whose weights are in the file `path`, which is recognised by their names and shapes.

    Args:
        path: a file of `torch.save` or safetensors, or a snapshot of StyleGAN2; only values are read from it.
        opset, name: as `gan_trainer.export`; the name is by default the stem of `path`.
        output: the file to write; by default exported/<stem of path>.onnx.
        styles: of a generator with styles: `truncation`, `noise` and `parts` of `export_styled`.

    Raises:
        InputError: the file is damaged, or of an architecture that is not known; an argument is out of range.
        ExportError, OutputError: as `gan_trainer.export`.
    """
    recognised = recognise(read_checkpoint(path))
    check_styles(recognised.network, styles or {})
    output = output or default_output(path.stem)
    check_name(output)
    check_writable(output)
    about = {"opset": opset, "name": name or path.stem, "training": recognised.origin, **(styles or {})}
    files = EXPORTERS[recognised.described.task](recognised, output, about)
    write_together([*files.values()][::-1])
    return Exported(files, recognised)


def _generator(found: Recognised, output: Path, about: dict[str, Any]) -> Files:
    described, network = found.described, found.network
    if isinstance(network, StyleGenerator):
        return styled_files(network, output, **about)
    file = generator_file(network, output, latent_dim=described.latent_dim, range=described.range, clip=False, **about)
    return {"generator": file}


def _translator(found: Recognised, output: Path, about: dict[str, Any]) -> Files:
    source, images = (ImageSize(TRAINED_ON, TRAINED_ON, channels) for channels in found.described.channels)
    return {"generator": translator_file(found.network, output, source=source, images=images, **about)}


def _upscaler(found: Recognised, output: Path, about: dict[str, Any]) -> Files:
    network = found.network
    assert isinstance(network, Upscaler)
    channels = found.described.channels[0]
    return {"generator": upscaler_file(network, output, channels=channels, scale=network.scale, **about)}


EXPORTERS: dict[str, Callable[[Recognised, Path, dict[str, Any]], Files]] = {
    "generate": _generator,
    "translate": _translator,
    "upscale": _upscaler,
}
