"""The task "generate": latents in, images out, measured as gan-eval measures them, in the same features."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from gan_runtime.data import Dataset
from gan_runtime.data.split import split_by_content
from gan_runtime.encoder import Encoder
from gan_runtime.errors import DataError, InputError
from gan_runtime.evaluation.features import FeatureNetwork
from gan_runtime.evaluation.metrics.pixels import psnr
from gan_runtime.evaluation.networks import find_features
from gan_runtime.evaluation.reference import FULL, LEAST, Reference, load_reference, split_reference
from gan_runtime.evaluation.scores import TEST, TRAIN, Scores, feature_distances, floors, score, score_test
from gan_runtime.files import check_writable
from gan_runtime.generator import Generator
from gan_runtime.images.choice import some_in_order, some_of
from gan_runtime.images.grids import Layout, arrange, grid
from gan_runtime.latents import default_labels, draw_latents
from gan_runtime.manifest import Latents
from gan_runtime.model_file import ModelFile
from gan_runtime.models import encoder_path
from gan_runtime.terminal.text import note
from gan_trainer.data.pixels import denormalise, to_pixels
from gan_trainer.data.source import DataSource
from gan_trainer.networks.stylegan2 import StyleGenerator
from gan_trainer.recipes.latents import latents_of
from gan_trainer.tasks.drawing import draw
from gan_trainer.tasks.features import judge_unless_impossible, open_features
from gan_trainer.tasks.file_network import FileNetwork, in_batches
from gan_trainer.tasks.task import Best, Comparison, Feeds, Files, Measured, Metric, Task
from gan_trainer.training.config import Config
from gan_trainer.training.state import TrainState

PREVIEW_IMAGES, PREVIEW_COLUMNS = 100, 10
BESIDE = ("precision", "recall", "coverage")
FID, KID = Best("fid", "FID", beside=BESIDE), Best("kid", "KID", beside=BESIDE)
COMPARED_IMAGES = 20
TYPICAL, TYPICAL_SEED = 256, 1  # latents and images that ranges are taken from; what is measured has seed 0
RECONSTRUCTED = 500  # images that an encoder is measured with
MANY = 2_000  # images that evaluations during training measure, if there are no fewer test images
METRICS = (
    Metric("fid", "FID", "distance to the training images; 0 is best", TEST, log=True),
    Metric("kid", "KID x 1000", "kernel distance; 0 is best", TEST, "distances", scale=1000),
    Metric("precision", "Precision", "are the images plausible?", TRAIN, "neighbours"),
    Metric("recall", "Recall", "could it draw every real one?", TRAIN, "neighbours"),
    Metric("density", "Density", "precision, robust to outliers", TRAIN, "neighbours"),
    Metric("coverage", "Coverage", "recall, robust to outliers", TRAIN, "neighbours"),
    Metric("modes", "Modes", "classes that occur", TEST, "classes"),
    Metric("kl", "KL", "of the class frequencies; 0 is best", TEST, "classes"),
    Metric("confident", "Confident", "share read with p ≥ 0.9", TEST, "classes"),
    Metric("accuracy", "Label accuracy", "read as the class asked for", TEST, "classes"),
    Metric("copied", "Copied", "nearer to a training image than any held-out one", TEST, "memorisation"),
    Metric("nearer", "Nearer", "nearer to training images than a held-out one; 0.5 is best", TEST, "memorisation"),
)
COLUMNS = (
    *("fid", "precision", "recall", "density", "coverage"),
    *("modes", "kl", "confident"),
    *("copied", "nearer"),
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
    """A data set in the features of a network."""

    network: FeatureNetwork
    reference: Reference

    @property
    def most(self) -> int | None:
        """For images of which few are held out, the number that gan-eval measures, too: more take long and help little.

        None for other data.
        """
        test = len(self.reference.test.measured.features)
        few = max(LEAST, test, self.network.dim + 1)
        return None if self.reference.hold_out is None or few >= MANY else few

    def scores(self, networks: Mapping[str, nn.Module], config: Config, *counts: int) -> list[Scores]:
        """Scores of the first images of seed 0, for each of `counts`; the largest number of images is drawn once."""
        measured = self.network.measure(draw_images(networks["generator"], config, max(counts)))
        labels = np.arange(max(counts)) % len(config.conditions) if config.conditions else None
        return [score(measured.at(slice(n)), self.reference, None if labels is None else labels[:n]) for n in counts]

    def words(self, scores: Scores, n: int) -> str:
        """Scores of n images for people, the leading one beside that of real images."""
        real = floors(self.reference, n)[TEST]
        leading = [f"FID {scores.fid:.3f} (test images {_shown(real['fid'], 1.0)})"]
        if self.reference.small:
            kid = f"KID x 1000 {_shown(scores.kid, 1000.0)} (held-out images {_shown(real['kid'], 1000.0)})"
            leading = [kid, f"FID {scores.fid:.3f}"]
        copied = [] if scores.copied is None else [f"copied {scores.copied:.2f}"]
        return "  ".join(
            [
                *leading,
                f"precision {scores.precision:.2f}",
                f"recall {scores.recall:.2f}",
                f"coverage {scores.coverage:.2f}",
                *copied,
            ]
        )

    def floors(self, *counts: int) -> dict[str, Any]:
        """What real images score, for each of `counts`, and what was measured with: the content of floors.json."""
        return {
            "data": self.reference.facts(),
            "features": {"name": self.network.name, "sha256": self.network.model.sha256},
            "floors": {str(n): floors(self.reference, n) for n in counts},
        }


def _shown(value: float | None, scale: float) -> str:
    return "-" if value is None else f"{scale * value:.3f}"


def open_judge(
    config: Config,
    dataset: Dataset,
    data_dir: Path | None,
    *,
    offline: bool,
    quiet: bool,
    warn: Callable[[str], None] = note,
    before: Mapping[str, Any] | None = None,
) -> Judge | None:
    """The judge of a run; None if the run is not evaluated, or cannot be, of which `warn` is told.

    A known data set is measured against its test images, other images against those that are held out. A resumed run
    is measured with the features that it was measured with `before`, its floors.json, unless they are gone.

    Raises:
        GanEdgeError: it cannot be, and was asked for.
    """
    folder = data_dir or (Path(config.data.folder) if config.data.folder else None)
    make = lambda: _judge(config, dataset, folder, before, offline=offline, quiet=quiet)  # noqa: E731
    return judge_unless_impossible(config, make, warn)


def _judge(
    config: Config,
    dataset: Dataset,
    folder: Path | None,
    before: Mapping[str, Any] | None,
    *,
    offline: bool,
    quiet: bool,
) -> Judge:
    data, network = config.data, open_features(config, before, quiet)
    if network.dim >= MANY:
        raise InputError(
            f"{network.model.path}: {network.dim:,} features need more samples than the {MANY:,} that gan-train "
            "measures at a time; use others here (--features any), and these with gan-eval"
        )
    if data.hold_out is None:
        return Judge(network, load_reference(data.source, network, folder, offline=offline, quiet=quiet))
    return Judge(network, split_reference(dataset, network, data.hold_out, quiet))


def export(networks: dict[str, nn.Module], config: Config, output: Path, about: dict[str, Any]) -> Files:
    """The generator, and its parts or the encoder that belongs to it where the system has one."""
    from gan_trainer.export.generator import generator_file  # noqa: PLC0415  (onnx, which gan-train does not need)

    if isinstance(networks["generator"], StyleGenerator):
        return _styled(networks["generator"], config, output, about)
    if "encoder" in networks:
        check_writable(encoder_path(output))
    classes, recipe = config.conditions, latents_of(config.recipe)
    generator = generator_file(  # these recipes end in tanh, even if all that they draw is white
        networks["generator"],
        output,
        classes=len(classes),
        class_names=classes,
        range=(-1.0, 1.0),
        pictures=config.data.pictures,
        latent_dim=recipe.latent_dim,
        distribution=recipe.latents,
        **about,
    )
    if "encoder" not in networks:
        return {"generator": generator}
    return {"generator": generator, "encoder": _encoder(networks["encoder"], generator, config, about)}


def _styled(generator: StyleGenerator, config: Config, output: Path, about: dict[str, Any]) -> Files:
    """The files of a generator with styles."""
    from gan_trainer.export.styled import styled_files  # noqa: PLC0415

    return styled_files(generator, output, class_names=config.conditions, pictures=config.data.pictures, **about)


def _encoder(encoder: nn.Module, generator: ModelFile, config: Config, about: dict[str, Any]) -> ModelFile:
    """The verified encoder file that names `generator` as its counterpart."""
    from gan_trainer.export.encoder import encoder_file  # noqa: PLC0415

    recipe = latents_of(config.recipe)
    return encoder_file(
        encoder,
        encoder_path(generator.path),
        size=config.data.size,
        latents=Latents(recipe.latent_dim, recipe.latents),
        opset=about["opset"],
        name=f"{about['name']}-encoder",
        pictures=config.data.pictures,
        training=about["training"] | {"generator": {"name": about["name"], "sha256": generator.sha256}},
    )


def typical(config: Config, dataset: Dataset) -> dict[str, list[Feeds]]:
    """Latents of a seed that nothing is measured with, and images of the training for an encoder."""
    recipe, classes = latents_of(config.recipe), len(config.conditions)
    latents = draw_latents(TYPICAL_SEED, 0, TYPICAL, recipe.latent_dim, recipe.latents)
    feeds = {"latents": latents} | ({"labels": default_labels(0, TYPICAL, classes)} if classes else {})
    images = np.asarray(dataset.images[_rows_of_encoder(config, dataset)[0]])
    return {"generator": in_batches(feeds), "encoder": in_batches({"images": images})}


def measured(judge: Judge, files: Files, config: Config, dataset: Dataset) -> dict[str, Measured]:
    """The distance of the generator's images; of an encoder, how close its images are to those that it encoded."""
    network, n, reference = FileNetwork(files["generator"]), judge.most or FULL, judge.reference
    features = judge.network.measure(draw_images(network, config, n), n).features
    distances = feature_distances(features, reference.train.measured.features, reference.moments)
    key = "kid" if reference.small else "fid"
    real = getattr(score_test(reference, n), key)
    found = {"generator": Measured(key, distances[key], n, real or 0.0)}
    if "encoder" in files:
        found["encoder"] = _reconstructed(network, files["encoder"], config, dataset)
    return found


def _reconstructed(generator: FileNetwork, encoder: ModelFile, config: Config, dataset: Dataset) -> Measured:
    """PSNR in dB of images that were encoded and drawn again."""
    images = np.asarray(dataset.images[_rows_of_encoder(config, dataset)[1]])
    drawn = generator(torch.from_numpy(Encoder.open(encoder, "cpu")(images)))
    return Measured("psnr", float(psnr(to_pixels(denormalise(drawn)).numpy(), images).mean()), len(images))


def _rows_of_encoder(config: Config, dataset: Dataset) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of images that are typical for an encoder, and of those that it is measured with: held-out ones, if any."""
    if not config.data.hold_out:
        order = some_of(len(dataset.images), TYPICAL + RECONSTRUCTED)
        return np.sort(order[:TYPICAL]), np.sort(order[-RECONSTRUCTED:])
    split = split_by_content(dataset, config.data.hold_out)
    counts = ((split.train, TYPICAL), (split.held_out, RECONSTRUCTED))
    typical, held_out = (rows[some_in_order(len(rows), n)] for rows, n in counts)
    return typical, held_out


def samples(file: Path, *_: Any) -> NDArray[np.uint8]:
    """Images 0 .. 19 of seed 0 in one row."""
    return arrange(Generator.load(file, "cpu").sample(COMPARED_IMAGES), Layout(rows=1))


def features_for(data: DataSource, named: str | None, n: int) -> str:
    """SHA-256 of the feature network in which n images are measured.

    Raises:
        ModelError: there is no such network.
        DataError: there are too few training images for the dimension of its features.
        InputError: n is too small for it.
    """
    network = FeatureNetwork.load(find_features(data.source, named, quiet=True), "cpu", 1)
    if data.images <= network.dim:  # for their covariance
        raise DataError(f"{data.name}: {data.images:,} images are too few for features of {network.dim:,} dimensions")
    if n <= network.dim:
        raise InputError(f"--n {n}: FID needs at least {network.dim + 1} images; ask for more")
    return network.model.sha256


def subject(config: Config) -> str:
    """How many images, of which size and colour, and of how many classes."""
    data = config.data
    classes = f", {len(data.classes):,} classes" if data.classes else ""
    colour = "colour" if data.size.channels == 3 else "grey"
    return f"{data.name}: {data.images:,} images, {data.size.width}x{data.size.height}, {colour}{classes}"


COMPARISON = Comparison(COLUMNS, samples, features_for)
OF_MANY = Task(
    name="generate",
    export=export,
    preview=preview,
    subject=subject,
    networks=("generator", "encoder"),
    cannot_judge=lambda source: "",
    open_judge=open_judge,
    metrics=METRICS,
    best=FID,
    floors=(TEST, TRAIN),
    comparison=COMPARISON,
    measured=measured,
    typical=typical,
)
OF_FEW = replace(OF_MANY, best=KID, comparison=replace(COMPARISON, columns=("kid", *COLUMNS)))
TASK = replace(OF_MANY, of_few=OF_FEW)
