"""Export a generator of points in the plane to one verified ONNX file of the task "points"."""

from pathlib import Path
from typing import Any

from torch import Tensor, nn

from gan_runtime.evaluation.fingerprint import levels
from gan_runtime.manifest import MAX_FINGERPRINT_IMAGES, Latents, Points, PointsManifest
from gan_runtime.model_file import ModelFile
from gan_trainer.export.generator import FLOAT_TOLERANCE, check_request, fingerprinted
from gan_trainer.export.inputs import adapted, generator_rows, named_tensors, other_blocks, usual_blocks
from gan_trainer.export.network import frozen_copy, plain_copy
from gan_trainer.export.onnx_file import EXAMPLE_ROWS, ExportError, finish, to_onnx
from gan_trainer.export.parity import Output, check_parity, file_rows, network_rows
from gan_trainer.export.range import ValueRange
from gan_trainer.export.write import written
from gan_trainer.training.determinism import settle_math_library

ROWS = 64  # per batch when the file is compared with the network
OUTPUT = "points"


class DeployedPoints(nn.Module):
    """A generator as it is deployed: latents to points float [n, coordinates] in the units of the data."""

    def __init__(self, network: nn.Module, extent: float) -> None:
        super().__init__()
        self.network = network
        self.extent = extent
        self.eval()

    def forward(self, latents: Tensor) -> Tensor:
        """The points: the network's values in [-1, 1], times the extent."""
        points: Tensor = self.network(latents).flatten(1).float() * self.extent
        return points


def points_file(
    module: nn.Module,
    path: Path,
    *,
    extent: float,
    latent_dim: int,
    opset: int = 17,
    name: str | None = None,
    distribution: str = "normal",
    training: dict[str, Any] | None = None,
    quality: list[dict[str, Any]] | None = None,
) -> ModelFile:
    """`module` as one verified, self-describing file that generates the points of `module.eval()`; not written yet.

    Args:
        module: latents float [n, latent_dim] -> points float [n, coordinates, 1, 1] in [-1, 1].
        path, latent_dim, opset, name, distribution, training, quality: as `export` of images.
        extent: the coordinate that a value of 1 stands for.

    Raises:
        ExportError, InputError: as `export` of images.
    """
    check_request(path, opset, latent_dim, 0, (), name or path.stem, (training, quality))
    settle_math_library()
    latents, values = Latents(latent_dim, distribution), ValueRange()
    network, found = adapted(frozen_copy(module), latents, 0, ROWS)
    size = Points(_coordinates(found), extent)
    manifest = PointsManifest(
        name=name or path.stem, latents=latents, output=size, training=training or {}, quality=quality or []
    )
    examples = generator_rows(0, EXAMPLE_ROWS, latents, 0)
    plain = plain_copy(network, examples)
    reference, deployed = (DeployedPoints(part, extent) for part in (network, plain))
    model = to_onnx(deployed, named_tensors(examples), [OUTPUT], opset)
    file = finish(model, manifest, {OUTPUT: size.shape}, opset, path)

    def drawn(points: Tensor) -> list[Tensor]:
        values.look_at(points / extent)
        return [points]

    draw, output = network_rows(reference, drawn), Output(f"of coordinates up to {extent:g}", FLOAT_TOLERANCE * extent)
    blocks = [*usual_blocks(latents, 0, ROWS, size.coordinates), *other_blocks(latents, 0, ROWS)]
    check_parity(draw, file_rows(file, [OUTPUT]), blocks, [output])
    (points,) = draw(generator_rows(0, MAX_FINGERPRINT_IMAGES, latents, 0))
    return fingerprinted(file, model, manifest, {OUTPUT: size.shape}, levels(size, points))


export_points = written("export_points", points_file)


def _coordinates(points: object) -> int:
    """The number of coordinates of a network's points. Raises ExportError if its output is not points."""
    if not isinstance(points, Tensor) or points.ndim < 2 or len(points) != ROWS:
        found = list(points.shape) if isinstance(points, Tensor) else f"a {type(points).__name__}"
        raise ExportError(f"the network gives {found}, not points [n, coordinates]")
    return points[0].numel()
