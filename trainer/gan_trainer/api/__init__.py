"""The trainer as a library: `train`, `resume`, `recipe`, `load_settings`, `project`, `Run`; `gan_trainer` exports them.

Nothing is printed unless `progress=True`, and nothing exits the program. torch's random number generators and its
number of threads are set for a run while it trains, and are as before when the call returns or raises.
"""

import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from gan_runtime.data import Dataset
from gan_runtime.errors import InputError
from gan_trainer.api.settings_file import read_settings
from gan_trainer.api.start import EVERYTHING, NOTHING, Call, Data, Ended, resume_run, start_run
from gan_trainer.data.arrays import in_memory
from gan_trainer.projection import STEPS, Projection, project_images
from gan_trainer.projection.generators import open_generator
from gan_trainer.recipes.checks import check_changes
from gan_trainer.recipes.recipe import Recipe, changeable, changes_of
from gan_trainer.recipes.recipe import recipe as changed_recipe
from gan_trainer.recipes.words import in_python
from gan_trainer.report import REPORT
from gan_trainer.runs import folder as folders
from gan_trainer.runs.export import best_of, choose_checkpoint, export_run
from gan_trainer.training.determinism import RandomNumbers
from gan_trainer.training.loop import Outcome
from gan_trainer.training.observer import Observer
from gan_trainer.training.stop import StopRequest

__all__ = ["Observer", "Run", "load_settings", "project", "recipe", "resume", "train"]

FolderPath = str | Path


@dataclass(frozen=True)
class Run:
    """A run that was trained: its folder, and how the last call ended.

    Args:
        folder: runs/<name>.
        networks: those that were given to `train` in place of the recipe's, which `export` needs.
        outcome: how the call ended that returned this object; None for a folder that was opened by its path.
    """

    folder: Path
    networks: Mapping[str, nn.Module] = field(default_factory=dict, repr=False, compare=False)
    outcome: Outcome | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Raise GanEdgeError where the folder has no run."""
        object.__setattr__(self, "folder", folders.open_run(Path(self.folder), Path()).folder)

    def __repr__(self) -> str:
        return f"Run({str(self.folder)!r})"

    @property
    def history(self) -> list[dict[str, Any]]:
        """The entries of metrics.jsonl: mean losses, evaluations (with an `n`) and warnings."""
        return folders.Run(self.folder).entries()

    @property
    def best(self) -> dict[str, Any] | None:
        """The best evaluation of those that have a checkpoint; None without any."""
        return folders.Run(self.folder).best()

    @property
    def checkpoint(self) -> Path | None:
        """The last checkpoint."""
        return folders.Run(self.folder).newest_checkpoint()

    @property
    def picture(self) -> Path | None:
        """The newest picture of fixed samples, a PNG."""
        return max(folders.Run(self.folder).samples.glob("*.png"), default=None)

    @property
    def report(self) -> Path:
        """report.html."""
        return self.folder / REPORT

    @in_python
    def export(
        self,
        path: FolderPath | None = None,
        opset: int = 17,
        checkpoint: str | int = "best",
        name: str | None = None,
        blend: "Run | FolderPath | None" = None,
        amount: float = 0.5,
        truncation: float | None = None,
        noise: str | None = None,
        parts: bool = False,
    ) -> Path:
        """Export the generator to one ONNX file that is compared with torch, and return the file's path.

        Args:
            path: exported/<run>.onnx if None. The encoder of a run that has one goes to <path>-encoder.onnx.
            opset: version of the ONNX operator set, 13 to 20; exactly this one.
            checkpoint: "best" by the run's evaluations, "last", or a number of images.
            name: the model's own name; that of the run if None.
            blend: another run that enlarges, whose best weights are interpolated with those of this one; the path is
                then exported/<run>-blend.onnx by default.
            amount: the share of its weights, 0 to 1.
            truncation, noise, parts: of a generator with styles, as `gan_trainer.export.export_styled` takes them. The
                parts go to <path>-mapping.onnx and <path>-synthesis.onnx.

        Raises:
            InputError: the networks of both runs differ, an argument is out of range, or the generator has no styles.
            GanEdgeError: there is no such checkpoint, or the networks of the run have to be given to `Run`.
            ExportError: the network cannot be exported; says why.
        """
        run, output = folders.Run(self.folder), None if path is None else Path(path)
        with RandomNumbers(torch.device("cpu")).used():
            chosen, _ = choose_checkpoint(run, str(checkpoint))
            other = None if blend is None else (blend if isinstance(blend, Run) else Run(Path(blend))).folder
            mixed = None if other is None else best_of(folders.Run(other), amount)
            asked = {"truncation": truncation, "noise": noise, "parts": parts or None}
            styles = {key: value for key, value in asked.items() if value is not None}
            return export_run(run, chosen, opset, output, name, self.networks, mixed, styles)["generator"].path


@in_python
def recipe(name: str, **changes: Any) -> Recipe:
    """The recipe called `name`, with other values of some fields. It is checked when it is made.

    >>> recipe("quick", images=50_000).images
    50000

    Raises:
        InputError: there is no such recipe, its system has no such setting, a value is out of range, or values
            contradict each other.
    """
    made = changed_recipe(name, **changes)
    check_changes(made, changes)
    return made


@in_python
def train(
    data: Any,
    recipe: Recipe | str = "quick",
    *,
    epochs: float | None = None,
    seed: int = 0,
    device: str = "auto",
    threads: int | None = None,
    name: str | None = None,
    runs_dir: FolderPath = "runs",
    init_from: FolderPath | None = None,
    callbacks: Sequence[Observer] = (),
    networks: Mapping[str, nn.Module] | None = None,
    class_names: Sequence[str] | None = None,
    data_dir: FolderPath | None = None,
    offline: bool = False,
    size: int | None = None,
    mode: str | None = None,
    background: str | None = None,
    levels: tuple[float, float] | None = None,
    max_pixels: int | None = None,
    labels: str | None = None,
    skip_bad: bool = False,
    follow_links: bool = False,
    hold_out: float | None = None,
    input: str | None = None,
    direction: str | None = None,
    input_mode: str | None = None,
    features: FolderPath | None = None,
    keep_checkpoints: int = 3,
    tensorboard: bool = False,
    profile: bool = False,
    compile: bool = False,
    progress: bool = False,
    stop: StopRequest | None = None,
) -> Run:
    """Train a generator; the folder runs_dir/<name> holds its checkpoints, samples, log and report.

    While it trains, torch's default generators draw the run's own random numbers, and torch has the run's number of
    threads. Both are as they were when the call returns or raises. The same seed gives the same run on the same
    machine.

    Ctrl-C ends the run after its current step: a checkpoint is saved, and KeyboardInterrupt is raised.

    Args:
        data: the name of a data set, the path of a folder or .zip of images, or images in memory: a numpy array uint8
            [n, h, w, c], a tuple of such an array and integer labels [n], or a torch Dataset (`data/arrays.py` says
            which items). A torch Dataset is read once: random transforms are drawn once per image. For recipes that
            learn from two domains, a dict of such data: {"A": inputs, "B": targets}, or one of them with `input`.
        recipe: what `gan_trainer.recipe` returns, or a name.
        epochs: length in passes over the data, in place of the recipe's `images`.
        seed: of everything random, 0 to 2**32 - 1.
        device: "auto", "cpu" or "cuda".
        threads: CPU threads per operator; if None, `OMP_NUM_THREADS`, or as many as there are idle processors.
        name: of the run; <data>-<recipe>, numbered, if None.
        runs_dir: the folder of the runs; it is made where it is missing.
        init_from: a run or checkpoint file whose weights the run starts with.
        callbacks: observers of the run. An exception that one raises ends the run and is raised here.
        networks: modules in place of the recipe's, by name: "generator", "discriminator", "encoder". They are trained
            in place. The generator takes latents float [n, d] (and labels int64 [n] if the recipe is conditional and
            the data have classes) and gives images float [n, c, h, w] in [-1, 1]; the discriminator takes images (and
            labels) and gives logits [n]. Of recipes that learn from two domains, "generator" and "inverse" take images
            float [n, c, h, w] and give such, and "discriminator" and "inverse_discriminator" give logits of any shape;
            that of pairs takes input and output as one image. Of recipes that enlarge, the generator takes images
            float [n, c, h, w] in [0, 1] and gives them `scale` times as high and wide. A small batch is tried before
            the run begins.
        class_names: names of the classes of images in memory.
        data_dir, offline: where known data sets are, and whether they may be downloaded.
        size, mode, background, levels, max_pixels, labels, skip_bad, follow_links: how images of a folder or archive
            are decoded, as `gan_runtime.data.PictureOptions` takes them.
        hold_out: share of the images of a folder, an archive or memory to hold out for evaluation, 0 to 0.5; 0.1 if
            None. 0 trains on all images.
        input, direction, input_mode: for recipes that learn from two domains, as `PairOptions` of
            gan_runtime.data.domains takes them; "AtoB" and the mode of the targets if None.
        features: path of the feature network to evaluate with, or "any" for the general one; that of the data set if
            None, and the general one if there is none.
        keep_checkpoints: number of checkpoints to keep, beside the best.
        tensorboard: also write TensorBoard files to the run's folder.
        compile: compile the networks with torch.compile, which changes the last bits of results; slow to start. Not
            for recipes with gradient penalties.
        profile: write profile.txt and a trace of some steps to the run's folder: where their time goes.
        progress: show progress and remarks on stderr, as gan-train does.
        stop: ends the run at its next step once its `number` is set, which any thread may do. Ctrl-C and SIGTERM set
            it, too, and nothing is raised then.

    Raises:
        InputError: an argument is out of range, or arguments contradict each other.
        DataError: the data cannot be read or used.
        DeviceError: CUDA is asked for and does not work.
        Diverged: a loss or weight is not finite; the last good checkpoint remains.
        OutputError: the run cannot be written.
    """
    recipe_name, changes = (recipe, {}) if isinstance(recipe, str) else changes_of(recipe)
    pictures = {
        "size": size, "mode": mode, "background": background, "levels": levels, "max_pixels": max_pixels,
        "labels": labels, "skip_bad": skip_bad, "follow_links": follow_links,
    }  # fmt: skip
    switches = {"tensorboard": tensorboard, "profile": profile}
    call = _call(callbacks, data_dir, offline, progress, stop, **switches)
    with RandomNumbers(torch.device("cpu")).used():
        ended = start_run(
            _data(data, class_names),
            recipe_name,
            changes,
            pictures,
            call,
            epochs=epochs,
            seed=seed,
            device=device,
            threads=threads,
            name=name,
            runs_dir=Path(runs_dir),
            init_from=_path(init_from),
            keep_checkpoints=keep_checkpoints,
            networks=networks,
            hold_out=hold_out,
            features=None if features is None else str(features),
            pairs={"input": input, "direction": direction, "input_mode": input_mode},
            compile=compile,
        )
    return _returned(ended, networks, stop)


@in_python
def resume(
    run: Run | FolderPath,
    *,
    images: int | None = None,
    device: str | None = None,
    threads: int | None = None,
    compile: bool | None = None,
    runs_dir: FolderPath = "runs",
    data: Any = None,
    callbacks: Sequence[Observer] = (),
    networks: Mapping[str, nn.Module] | None = None,
    class_names: Sequence[str] | None = None,
    data_dir: FolderPath | None = None,
    offline: bool = False,
    tensorboard: bool = False,
    profile: bool = False,
    progress: bool = False,
    stop: StopRequest | None = None,
) -> Run:
    """Continue a run from its last checkpoint, as if it had never stopped.

    Args:
        run: what `train` returned, a run folder, or the name of a run in `runs_dir`.
        images: a new length; the learning rate follows it. The old one if None.
        device, threads, compile: other ones than before; results may then differ in their last bits.
        data: the same images again, for a run whose images were in memory.
        networks: new modules of the same shapes, for a run that was given its networks; those of `run` if None.
        class_names, callbacks, data_dir, offline, tensorboard, profile, progress, stop: as `train`.

    Raises:
        GanEdgeError: there is no such run, it is damaged, or the images are no longer those that it began with.
        Otherwise as `train`.
    """
    networks = networks or (run.networks if isinstance(run, Run) else None)
    switches = {"tensorboard": tensorboard, "profile": profile}
    call = _call(callbacks, data_dir, offline, progress, stop, **switches)
    with RandomNumbers(torch.device("cpu")).used():
        ended = resume_run(
            run.folder if isinstance(run, Run) else Path(run),
            Path(runs_dir),
            call,
            images=images,
            device=device,
            threads=threads,
            compile=compile,
            data=None if data is None else _in_memory(data, class_names),
            networks=networks,
        )
    return _returned(ended, networks, stop)


@in_python
def project(
    source: Run | FolderPath,
    images: NDArray[np.uint8],
    *,
    space: str | None = None,
    label: str | None = None,
    steps: int = STEPS,
    seed: int = 0,
    device: str = "auto",
    threads: int | None = None,
    runs_dir: FolderPath = "runs",
) -> Projection:
    """Find what draws given images: styles, or latents of a generator without styles.

    Args:
        source: what `train` returned, a run folder, the name of a run in `runs_dir`, or a file with published weights
            of StyleGAN2. Of a run, the best checkpoint is taken.
        images: uint8 [n, h, w, c], of the generator's size.
        space, label, steps, seed, device, threads: as `gan_trainer.projection.project_images` takes them.
        runs_dir: the folder of the runs.

    Returns:
        Latents as `Generator.sample` and gan-sample take them, what they draw, and its PSNR.

    Raises:
        GanEdgeError: there is no such run, or it is damaged.
        InputError: the images or the source cannot be used, or an argument is out of range or has no effect.
        DeviceError: CUDA is asked for and does not work.
    """
    folder, own = (source.folder, source.networks) if isinstance(source, Run) else (Path(source), {})
    generator = open_generator(folder, Path(runs_dir), own)
    return project_images(generator, images, space, label, steps, seed, device, threads)


@in_python
def load_settings(path: FolderPath) -> dict[str, Any]:
    """The settings in a file, as arguments of `train`: `train(**load_settings("run.toml"))`.

    Args:
        path: a .toml or .json file of settings, or the config.json of a run.

    Raises:
        InputError: the file cannot be read, or has an unknown key or a wrong value; names file and key.
    """
    settings = read_settings(Path(path))
    changes = {key: settings.pop(key) for key in changeable().keys() & set(settings)}
    try:
        return settings | {"recipe": recipe(settings.get("recipe", "quick"), **changes)}
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _call(
    callbacks: Sequence[Observer],
    data_dir: FolderPath | None,
    offline: bool,
    progress: bool,
    stop: StopRequest | None,
    *,
    tensorboard: bool,
    profile: bool,
) -> Call:
    shown, stop = EVERYTHING if progress else NOTHING, stop or StopRequest((signal.SIGINT,))
    return Call(_path(data_dir), offline, tensorboard, profile, shown, callbacks, stop)


def _path(value: FolderPath | None) -> Path | None:
    return None if value is None else Path(value)


def _data(data: Any, class_names: Sequence[str] | None) -> Data:
    return str(data) if isinstance(data, str | Path) else _in_memory(data, class_names)


def _in_memory(data: Any, class_names: Sequence[str] | None) -> Dataset | dict[str, Dataset]:
    if isinstance(data, Mapping):
        return {name: in_memory(images, class_names) for name, images in data.items()}
    return in_memory(data, class_names)


def _returned(ended: Ended, networks: Mapping[str, nn.Module] | None, stop: StopRequest | None) -> Run:
    outcome = ended.outcome
    if outcome.signal is not None and stop is None:
        raise KeyboardInterrupt(f"{ended.run.folder}: stopped; saved {outcome.checkpoint}; resume() goes on from there")
    return Run(ended.run.folder, networks or {}, outcome)
