"""The task "generate": latents in, images out, measured as gan-eval measures them, in the same features."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from gan_runtime.data import Dataset
from gan_runtime.errors import GanEdgeError
from gan_runtime.evaluation.features import FeatureNetwork
from gan_runtime.evaluation.reference import Reference, load_reference
from gan_runtime.evaluation.scores import TEST, TRAIN, Scores, floors, score
from gan_runtime.files import check_writable
from gan_runtime.images.grids import grid
from gan_runtime.manifest import Latents
from gan_runtime.model_file import ModelFile
from gan_runtime.models import encoder_path, shipped_features
from gan_runtime.terminal.text import note
from gan_trainer.data.pixels import denormalise, to_pixels
from gan_trainer.tasks.drawing import draw
from gan_trainer.tasks.task import Best, Files, Metric, Task
from gan_trainer.training.config import Config
from gan_trainer.training.state import TrainState

PREVIEW_IMAGES, PREVIEW_COLUMNS = 100, 10
FID = Best("fid", "FID", beside=("precision", "recall", "coverage"))
METRICS = (
    Metric("fid", "FID", "distance to the training images; 0 is best", TEST, log=True),
    Metric("kid", "KID", "kernel distance; 0 is best", TEST, "distances"),
    Metric("precision", "Precision", "are the images plausible?", TRAIN, "neighbours"),
    Metric("recall", "Recall", "could it draw every real one?", TRAIN, "neighbours"),
    Metric("density", "Density", "precision, robust to outliers", TRAIN, "neighbours"),
    Metric("coverage", "Coverage", "recall, robust to outliers", TRAIN, "neighbours"),
    Metric("modes", "Modes", "classes that occur", TEST, "classes"),
    Metric("kl", "KL", "of the class frequencies; 0 is best", TEST, "classes"),
    Metric("confident", "Confident", "share read with p ≥ 0.9", TEST, "classes"),
    Metric("accuracy", "Label accuracy", "read as the class asked for", TEST, "classes"),
)


def draw_images(generator: nn.Module, config: Config, n: int) -> Iterator[NDArray[np.uint8]]:
    """Images 0 .. n - 1 of seed 0, uint8 [at most 500, h, w, c] at a time."""
    for values in draw(generator, config, n):
        yield to_pixels(denormalise(values)).cpu().numpy()


def preview(config: Config, state: TrainState, dataset: Dataset) -> NDArray[np.uint8]:
    """A grid of the same latents every time, by the averaged generator."""
    images = list(draw_images(state.averaged("generator"), config, PREVIEW_IMAGES))
    return grid(np.concatenate(images), PREVIEW_COLUMNS)


@dataclass(frozen=True)
class Judge:
    """A data set in the features that ship for it."""

    network: FeatureNetwork
    reference: Reference

    def scores(self, generator: nn.Module, config: Config, *counts: int) -> list[Scores]:
        """Scores of the first images of seed 0, for each of `counts`; the largest number of images is drawn once."""
        measured = self.network.measure(draw_images(generator, config, max(counts)))
        labels = np.arange(max(counts)) % len(config.conditions) if config.conditions else None
        return [score(measured.at(slice(n)), self.reference, None if labels is None else labels[:n]) for n in counts]

    def words(self, scores: Scores, n: int) -> str:
        """Scores of n images for people, the FID beside that of n test images."""
        floor = float(floors(self.reference, n)[TEST]["fid"])
        return (
            f"FID {scores.fid:.3f} (test images {floor:.3f})  precision {scores.precision:.2f}  "
            f"recall {scores.recall:.2f}  coverage {scores.coverage:.2f}"
        )

    def floors(self, *counts: int) -> dict[str, Any]:
        """What real images score, for each of `counts`, and what was measured with: the content of floors.json."""
        return {
            "data": self.reference.facts(),
            "features": {"name": self.network.name, "sha256": self.network.model.sha256},
            "floors": {str(n): floors(self.reference, n) for n in counts},
        }


def open_judge(config: Config, data_dir: Path | None, *, offline: bool, quiet: bool) -> Judge | None:
    """The judge of a run; None if the run is not evaluated, or cannot be (which is reported).

    The features are computed on the device that ONNX Runtime can use, which need not be torch's: torch with CUDA beside
    ONNX Runtime without it is what training hosts have.

    Raises:
        GanEdgeError: it cannot be, and was asked for.
    """
    path = shipped_features(config.data.source)
    if not config.recipe.eval_every or path is None:
        return None
    device = "cpu" if config.device == "cpu" else "auto"
    folder = data_dir or (Path(config.data.folder) if config.data.folder else None)
    try:
        network = FeatureNetwork.load(path, device, config.threads)
        reference = load_reference(config.data.source, network, folder, offline=offline, quiet=quiet)
    except GanEdgeError as error:
        if config.asked.get("eval_every") or config.recipe.patience or config.recipe.stop_when_collapsed:
            raise  # the user asked for evaluations
        note(f"not evaluated: {error}")
        return None
    return Judge(network, reference)


def cannot_judge(source: str) -> str:
    """Why generators of this data cannot be measured; "" where they can."""
    if shipped_features(source) is not None:
        return ""
    return (
        f"no feature network ships for {source}; leave them out, and measure the exported file with gan-eval --features"
    )


def export(networks: dict[str, nn.Module], config: Config, output: Path, about: dict[str, Any]) -> Files:
    """The generator, and the encoder that belongs to it where the system has one."""
    from gan_trainer.export.generator import generator_file  # noqa: PLC0415  (onnx, which gan-train does not need)

    if "encoder" in networks:
        check_writable(encoder_path(output))
    classes = config.conditions
    generator = generator_file(  # every recipe ends in tanh, even if all that it draws is white
        networks["generator"],
        output,
        classes=len(classes),
        class_names=classes,
        range=(-1.0, 1.0),
        pictures=config.data.pictures,
        latent_dim=config.recipe.latent_dim,
        distribution=config.recipe.latents,
        **about,
    )
    if "encoder" not in networks:
        return {"generator": generator}
    return {"generator": generator, "encoder": _encoder(networks["encoder"], generator, config, about)}


def _encoder(encoder: nn.Module, generator: ModelFile, config: Config, about: dict[str, Any]) -> ModelFile:
    """The verified encoder file that names `generator` as its counterpart."""
    from gan_trainer.export.encoder import encoder_file  # noqa: PLC0415

    return encoder_file(
        encoder,
        encoder_path(generator.path),
        size=config.data.size,
        latents=Latents(config.recipe.latent_dim, config.recipe.latents),
        opset=about["opset"],
        name=f"{about['name']}-encoder",
        pictures=config.data.pictures,
        training=about["training"] | {"generator": {"name": about["name"], "sha256": generator.sha256}},
    )


def subject(config: Config) -> str:
    """How many images, of which size and colour, and of how many classes."""
    data = config.data
    classes = f", {len(data.classes):,} classes" if data.classes else ""
    colour = "colour" if data.size.channels == 3 else "grey"
    return f"{data.name}: {data.images:,} images, {data.size.width}x{data.size.height}, {colour}{classes}"


TASK = Task(
    name="generate",
    export=export,
    preview=preview,
    subject=subject,
    networks=("generator", "encoder"),
    cannot_judge=cannot_judge,
    open_judge=open_judge,
    metrics=METRICS,
    best=FID,
    floors=(TEST, TRAIN),
)
