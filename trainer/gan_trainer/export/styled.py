"""Export a generator with styles (StyleGAN2) to one verified ONNX file, and its two parts to files beside it."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import nn

from gan_runtime.errors import InputError
from gan_runtime.files import check_writable
from gan_runtime.images.options import PictureOptions
from gan_runtime.images.recorded import record
from gan_runtime.manifest import (
    GenerateManifest,
    Manifest,
    MapManifest,
    Noise,
    Styles,
    SynthesizeManifest,
    Truncation,
)
from gan_runtime.manifest_parts import check_truncation, check_type
from gan_runtime.model_file import ModelFile
from gan_runtime.models import mapping_path, synthesis_path
from gan_trainer.export.constants import fold_constants
from gan_trainer.export.generator import check_request, fingerprinted, labels_of
from gan_trainer.export.memory import check_memory
from gan_trainer.export.network import frozen_copy
from gan_trainer.export.onnx_file import EXAMPLE_ROWS, ExportError, finish, to_onnx
from gan_trainer.export.optional_inputs import make_optional
from gan_trainer.export.parity import Feeds, network_rows
from gan_trainer.export.probe import IMAGES
from gan_trainer.export.styled_inputs import image_feeds, latents_of, mapping_feeds, style_feeds
from gan_trainer.export.styled_parity import check_part
from gan_trainer.export.styled_parts import NOISE, STYLES, TRUNCATION, Drawn, Mapped, Part, Synthesised
from gan_trainer.export.write import write_together
from gan_trainer.networks.stylegan2 import StyleGenerator
from gan_trainer.recipes.words import in_python
from gan_trainer.training.determinism import settle_math_library

CONSTANT, INPUT = "constant", "input"
NOISES = (CONSTANT, INPUT)


@in_python
def export_styled(network: StyleGenerator, path: str | Path, **settings: Any) -> dict[str, ModelFile]:
    """Write the files that `styled_files` makes, all or none. Raises OutputError, too, where one cannot be written.

    >>> export_styled(network, "faces.onnx", truncation=0.7, parts=True)
    """
    path = Path(path)
    for file in (path, mapping_path(path), synthesis_path(path)) if settings.get("parts") else (path,):
        check_writable(file)
    files = styled_files(network, path, **settings)
    write_together([*files.values()][::-1])
    return files


def styled_files(
    network: StyleGenerator,
    path: Path,
    *,
    truncation: float = 1.0,
    noise: str = CONSTANT,
    parts: bool = False,
    opset: int = 17,
    class_names: tuple[str, ...] = (),
    name: str | None = None,
    training: dict[str, Any] | None = None,
    pictures: PictureOptions | None = None,
    quality: list[dict[str, Any]] | None = None,
) -> dict[str, ModelFile]:
    """Verified files of a generator with styles for `gan_runtime.Generator`, which are not written yet.

    The graph of x.onnx takes `latents` float32 [n, d], of a conditional network `labels` int64 [n], and optionally
    `truncation` float32 [1] or [n] and `noise` float32 [1 or n, m]. It gives `images` uint8 [n, h, w, c], where values
    of the network beyond [-1, 1] are clipped, and `styles` float32 [n, layers, w_dim].

    Args:
        network: in any mode, on any device. It is neither changed nor moved.
        path: where x.onnx will be written, for messages; the places of its parts are beside it.
        truncation: the one that applies where none is given, -1 to 2: how far styles are from their mean. 1 leaves them
            as they are.
        noise: "constant", or "input" for a graph that takes other noise in place of the constant one.
        parts: also make x-mapping.onnx, latents to styles, and x-synthesis.onnx, styles to images.
        opset, class_names, name, training, pictures, quality: as `export` of images.

    Returns:
        The files by name: "generator", and "mapping" and "synthesis" with `parts`.

    Raises:
        ExportError: torch cannot express the network at this opset, or a file gives other images or styles than torch.
        InputError: an argument is out of range, or less memory is available than the export takes.
    """
    network, name = _checked(network), name or path.stem
    check_request(path, opset, network.latent_dim, network.classes, class_names, name, (training, quality))
    described = _described(network, truncation, noise, class_names)
    check_memory(network)
    settle_math_library()
    export = _Export(network, opset, _defaults(network, truncation, noise))
    about: dict[str, Any] = {"name": name, "training": training or {}, "pictures": record(pictures)}
    file = export.generator(path, GenerateManifest(**about, **described, quality=quality or []))
    if not parts:
        return {"generator": file}
    about["training"] = {**about["training"], "generator": {"name": name, "sha256": file.sha256}}
    mapping = _of_part(MapManifest, about | {"name": f"{name}-mapping"}, described)
    synthesis = _of_part(SynthesizeManifest, about | {"name": f"{name}-synthesis"}, described)
    return {
        "generator": file,
        "mapping": export.mapping(mapping_path(path), mapping),
        "synthesis": export.synthesis(synthesis_path(path), synthesis),
    }


def _checked(module: nn.Module) -> StyleGenerator:
    """A copy for the exporter. Raises InputError if it is no generator with styles, ExportError for one without z."""
    network = frozen_copy(module)
    if not isinstance(network, StyleGenerator):
        raise InputError(
            f"network: expected a StyleGenerator, not a {type(network).__name__}; export it with "
            "gan_trainer.export.export"
        )
    if not network.latent_dim:
        raise ExportError("the network draws from labels alone, without latents: an exported generator takes latents")
    if network.size.channels not in (1, 3):
        raise ExportError(f"the network draws {network.size.channels} channels: an exported one draws 1 or 3")
    return network


def _described(network: StyleGenerator, truncation: float, noise: str, class_names: tuple[str, ...]) -> dict[str, Any]:
    """What the manifests of a generator and of its parts say of inputs and outputs, by field."""
    if noise not in NOISES:
        raise InputError(f"--noise {noise!r:.60}: choose {' or '.join(NOISES)}")
    if noise == INPUT and not network.noise_dim:
        raise InputError("--noise input: the network adds no noise; leave it out")
    check_type("--truncation", truncation, (int, float))
    check_truncation("--truncation", truncation)
    return {
        "latents": latents_of(network),
        "labels": labels_of(network.classes, class_names),
        "truncation": Truncation(truncation),
        "noise": Noise(network.noise_dim) if noise == INPUT else None,
        "styles": Styles(network.layers, network.w_dim),
        "output": network.size,
    }


def _defaults(network: StyleGenerator, truncation: float, noise: str) -> Feeds:
    """The values of the optional inputs."""
    defaults: Feeds = {TRUNCATION: np.array([truncation], np.float32)}
    return defaults | {NOISE: network.synthesis.constant_noise[None].numpy()} if noise == INPUT else defaults


def _of_part(kind: type[Manifest], about: dict[str, Any], described: dict[str, Any]) -> Manifest:
    """The manifest of a part: those of the facts that it has."""
    known = {entry.name for entry in fields(kind)}
    return kind(**about, **{name: value for name, value in described.items() if name in known})


@dataclass(frozen=True)
class _Export:
    """A generator that becomes files of one opset, with these values of the optional inputs."""

    network: StyleGenerator
    opset: int
    defaults: Feeds

    def generator(self, path: Path, manifest: GenerateManifest) -> ModelFile:
        """The whole, with a fingerprint."""
        part, blocks = self._part(Drawn), image_feeds(self.network)
        file, model = self._verified(part, path, manifest, blocks)
        first = {name: x for name, x in blocks[0].items() if name not in self.defaults} | self.defaults
        (pixels, _) = network_rows(part, list)(tuple(first[name] for name in part.names))
        return fingerprinted(file, model, manifest, self._shapes, pixels)

    def mapping(self, path: Path, manifest: Manifest) -> ModelFile:
        """The part that makes styles."""
        return self._verified(self._part(Mapped), path, manifest, mapping_feeds(self.network))[0]

    def synthesis(self, path: Path, manifest: Manifest) -> ModelFile:
        """The part that draws images."""
        return self._verified(self._part(Synthesised), path, manifest, style_feeds(self.network))[0]

    def _part(self, kind: type[Part]) -> Part:
        return kind(self.network, NOISE in self.defaults)

    @property
    def _shapes(self) -> dict[str, tuple[int, ...]]:
        return {IMAGES: self.network.size.shape, STYLES: (self.network.layers, self.network.w_dim)}

    def _verified(
        self, part: Part, path: Path, manifest: Manifest, blocks: Sequence[Feeds]
    ) -> tuple[ModelFile, onnx.ModelProto]:
        """The file of a part, compared with torch, and what it was made of."""
        examples = {name: torch.from_numpy(_first([block[name] for block in blocks])) for name in part.names}
        model = to_onnx(part, examples, [*part.outputs], self.opset)
        fold_constants(model)
        defaults = {name: value for name, value in self.defaults.items() if name in part.names}
        make_optional(model, defaults)
        file = finish(model, manifest, self._shapes, self.opset, path)
        check_part(part, file, model, defaults, blocks)
        return file, model


def _first(blocks: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """The rows for the exporter."""
    return np.concatenate(blocks)[:EXAMPLE_ROWS]
