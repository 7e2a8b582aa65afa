"""Network -> one verified ONNX file of the task "points"."""

from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from gan_runtime.files import atomic_write, check_writable
from gan_runtime.generator import Generator
from gan_runtime.manifest import MAX_FINGERPRINT_IMAGES, Fingerprint, Latents, Manifest, Points
from gan_runtime.model_file import ModelFile
from gan_runtime.roles import POINTS_TASK
from gan_runtime.session import open_session
from gan_trainer.determinism import settle_math_library
from gan_trainer.export import (
    FINGERPRINT_SEED,
    FLOAT_TOLERANCE,
    PARITY_BATCHES,
    check_request,
    generator_inputs,
    named_inputs,
)
from gan_trainer.onnx_file import ExportError, compare, finish, fold_batch_norm, frozen_copy, to_onnx

OUTPUT = "points"


class DeployedPoints(nn.Module):
    """The network as it is deployed: latents -> points float [n, coordinates] in the units of the data."""

    def __init__(self, network: nn.Module, extent: float) -> None:
        super().__init__()
        self.network = network
        self.extent = extent
        self.eval()

    def forward(self, latents: Tensor) -> Tensor:
        """Values in [-1, 1] times the extent."""
        points: Tensor = self.network(latents).flatten(1) * self.extent
        return points


def export_points(
    module: nn.Module,
    path: str | Path,
    *,
    extent: float,
    latent_dim: int,
    opset: int = 17,
    name: str | None = None,
    distribution: str = "normal",
    training: dict[str, Any] | None = None,
    quality: list[dict[str, Any]] | None = None,
) -> ModelFile:
    """Write `module` as one self-describing ONNX file that draws the points that `module.eval()` draws.

    Args:
        module: latents float [n, latent_dim] -> points float [n, coordinates, 1, 1] in [-1, 1].
        path, latent_dim, opset, name, distribution, training, quality: as `export` of images.
        extent: what a value of 1 stands for.

    Raises:
        ExportError, InputError, OutputError: as `export` of images.
    """
    path = Path(path)
    check_writable(path)
    check_request(path, opset, latent_dim, 0, (), name or path.stem, (training, quality))
    settle_math_library()
    deployed = DeployedPoints(frozen_copy(module), extent)
    size = Points(_points(deployed, latent_dim, distribution, PARITY_BATCHES[-1]).shape[1], extent)
    latents = Latents(latent_dim, distribution)
    manifest = Manifest(name or path.stem, POINTS_TASK, latents, None, size, training or {}, quality or [])
    folded = fold_batch_norm(deepcopy(deployed))
    model = to_onnx(folded, named_inputs(generator_inputs(2, latent_dim, 0, distribution)), [OUTPUT], opset)
    file = finish(model, manifest, {OUTPUT: size.shape}, opset, path)
    session = open_session(file, "cpu").onnx
    for n in PARITY_BATCHES:
        (latents_in,) = generator_inputs(n, latent_dim, 0, distribution)
        (found,) = session.run([OUTPUT], {"latents": latents_in.numpy()})
        expected = _points(deployed, latent_dim, distribution, n).numpy()
        compare(n, found / extent, expected / extent, FLOAT_TOLERANCE, "of the extent")
    points = Generator.open(file, "cpu").sample(MAX_FINGERPRINT_IMAGES, FINGERPRINT_SEED)
    fingerprint = Fingerprint(FINGERPRINT_SEED, MAX_FINGERPRINT_IMAGES, size.levels(points).tobytes())
    file = finish(model, replace(manifest, fingerprint=fingerprint), {OUTPUT: size.shape}, opset, path)
    with atomic_write(path) as target:
        target.write(file.content)
    return file


@torch.no_grad()
def _points(deployed: DeployedPoints, latent_dim: int, distribution: str, n: int) -> Tensor:
    points: Tensor = deployed(*generator_inputs(n, latent_dim, 0, distribution))
    if not bool(torch.isfinite(points).all()):
        raise ExportError("the network gives values that are not finite")
    return points
