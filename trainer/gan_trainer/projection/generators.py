"""Generators that pictures are projected to: those of runs, and published ones with styles."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

from gan_runtime.class_labels import find_class
from gan_runtime.errors import InputError
from gan_runtime.images.options import PictureOptions
from gan_runtime.latents import draw_latents
from gan_runtime.manifest import ImageSize, Labels
from gan_trainer.convert.checkpoint import read_checkpoint
from gan_trainer.convert.export import is_checkpoint
from gan_trainer.convert.recognise import recognise
from gan_trainer.networks.stylegan2 import StyleGenerator
from gan_trainer.projection.descent import Search
from gan_trainer.recipes.latents import latents_of
from gan_trainer.runs.export import choose_checkpoint, load_networks, open_checkpoint
from gan_trainer.runs.folder import open_run
from gan_trainer.tasks import task_of

SPACES = ("w", "w+")
DRAWN = 1000  # latents whose styles give their deviation
TRIED = 64  # latents of which the nearest is where the search in z begins


@dataclass(frozen=True)
class Projected:
    """A generator with what is known of it.

    Attributes:
        network: in evaluation mode, without gradients of its own.
        size: of its images.
        origin: for people, where its weights come from.
        latent_dim, distribution: of its latents.
        classes: their names; numbers where they have none.
        pictures: how the pictures were decoded that it learnt from, if they were pictures.
    """

    network: nn.Module
    size: ImageSize
    origin: str
    latent_dim: int
    distribution: str = "normal"
    classes: tuple[str, ...] = ()
    pictures: PictureOptions | None = None

    @property
    def has_styles(self) -> bool:
        """Whether pictures are projected to styles, rather than to latents."""
        return isinstance(self.network, StyleGenerator)


def open_generator(source: Path, runs_dir: Path, own: Mapping[str, nn.Module] | None = None) -> Projected:
    """The generator of a run's best checkpoint, with averaged weights, or that of a file with weights.

    Args:
        source: the file, the folder of the run, or its name in `runs_dir`.
        runs_dir: the folder of the runs.
        own: the networks that the run trained in place of the recipe's, if any.

    Raises:
        GanEdgeError: there is no such run, or it has no checkpoint.
        InputError: the file is damaged, or there is no generator that draws images from latents.
    """
    found = _of_weights(source) if is_checkpoint(source) else _of_run(source, runs_dir, own or {})
    found.network.eval().requires_grad_(False)
    return found


def _of_weights(path: Path) -> Projected:
    found = recognise(read_checkpoint(path))
    network, description = found.network, found.described.description
    if not isinstance(network, StyleGenerator):
        raise InputError(f"{path}: {description}; pictures are projected to StyleGAN2, or to the generator of a run")
    classes = tuple(map(str, range(network.classes)))
    return Projected(network, network.size, f"{path}, {description}", network.latent_dim, classes=classes)


def _of_run(source: Path, runs_dir: Path, own: Mapping[str, nn.Module]) -> Projected:
    run = open_run(source, runs_dir)
    path, why = choose_checkpoint(run)
    config, saved = open_checkpoint(path)
    if task_of(config).name != "generate":
        raise InputError(f"{run.folder}: {config.recipe_name} has no generator that draws images from latents")
    network = load_networks(config, saved, path, own)["generator"]
    recipe = latents_of(config.recipe)
    return Projected(
        network,
        config.data.size,
        f"{path}, {why}",
        recipe.latent_dim,
        recipe.latents,
        config.conditions,
        config.data.pictures,
    )


def number_of(generator: Projected, label: str | None) -> int | None:
    """The class that the generator draws; None where it needs none.

    Raises:
        InputError: a class is missing, unknown, or without effect.
    """
    if generator.has_styles or not generator.classes:
        if label is not None:
            reason = "styles have no classes" if generator.has_styles else "the generator has no classes"
            raise InputError(f"--label {label}: {reason}; leave it out")
        return None
    if label is None:
        raise InputError("--label: the generator has classes and no styles; name the class of the images")
    try:
        return find_class(label, Labels(len(generator.classes), generator.classes), Path(generator.origin))
    except InputError as error:
        raise InputError(f"--{error}") from None


def check_space(generator: Projected, space: str | None) -> str:
    """The space of the search: `space`, by default "w"; "z" for a generator without styles.

    Raises:
        InputError: it has no such space.
    """
    if not generator.has_styles:
        if space is not None:
            raise InputError(f"--space {space}: the generator has no styles; leave it out to search in its latents")
        return "z"
    if space is not None and space not in SPACES:
        raise InputError(f"--space {space!r}: choose {' or '.join(SPACES)}")
    return space or SPACES[0]


def search_of(generator: Projected, space: str, label: int | None, device: str) -> Search:
    """What is searched for in `space`; the network is moved to `device`."""
    network = generator.network.to(device)
    latents = draw_latents(0, 0, DRAWN, generator.latent_dim, generator.distribution)
    if isinstance(network, StyleGenerator):
        return _of_styles(network, torch.from_numpy(latents).to(device), 1 if space == "w" else network.layers)
    return _of_latents(network, torch.from_numpy(latents).to(device), label)


@torch.no_grad()
def _of_styles(network: StyleGenerator, latents: Tensor, rows: int) -> Search:
    labels = torch.arange(len(latents), device=latents.device) % network.classes if network.classes else None
    styles: Tensor = network.mapping(latents, labels)

    def found(one: Tensor) -> Tensor:
        return one.expand(-1, network.layers, -1)

    def draw(one: Tensor) -> Tensor:
        return cast(Tensor, network.synthesis(found(one)))

    return Search(network.w_mean.expand(1, rows, -1), _deviation(styles, network.w_mean), draw, found)


def _of_latents(network: nn.Module, latents: Tensor, label: int | None) -> Search:
    middle = torch.zeros_like(latents[:1])
    draw = network if label is None else partial(_of_class, network, label)
    return Search(torch.cat([middle, latents[:TRIED]]), _deviation(latents, middle), draw, lambda one: one)


def _of_class(network: nn.Module, label: int, latents: Tensor) -> Tensor:
    images: Tensor = network(latents, torch.full((len(latents),), label, device=latents.device))
    return images


def _deviation(values: Tensor, mean: Tensor) -> float:
    return float((values - mean).square().sum(1).mean().sqrt())
