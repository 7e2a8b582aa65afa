"""`train` and `resume`: runs of the trainer as calls from Python."""

import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from gan_runtime.data import Dataset
from gan_trainer.api.run import FolderPath, Run
from gan_trainer.api.start import EVERYTHING, NOTHING, Call, Data, Ended, resume_run, start_run
from gan_trainer.data.arrays import in_memory
from gan_trainer.recipes.recipe import Recipe, changes_of
from gan_trainer.recipes.words import in_python
from gan_trainer.training.determinism import RandomNumbers
from gan_trainer.training.observer import Observer
from gan_trainer.training.stop import StopRequest


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
