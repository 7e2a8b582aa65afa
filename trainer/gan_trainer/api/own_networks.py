"""Whether networks of the user's own fit the recipe and the data: one small batch before the run begins."""

from copy import deepcopy

import torch
from torch import nn

from gan_runtime.data import Dataset
from gan_runtime.errors import InputError
from gan_trainer.data.batches import Batches
from gan_trainer.training.config import Config
from gan_trainer.training.determinism import RandomNumbers
from gan_trainer.training.state import new_state
from gan_trainer.training.step import draw_latents
from gan_trainer.training.system import System

MANY = 10**6  # steps: enough that the generator's step is due


def check_networks(system: System, config: Config, dataset: Dataset) -> None:
    """Run the generator and one step of the system with copies of the networks.

    Raises:
        InputError: says which network does not fit, and what it must take and give.
    """
    recipe, device = config.recipe, torch.device(config.device)
    given = system.networks(recipe, config.data.size, len(config.conditions))
    with RandomNumbers(device).used():
        state = new_state(system, {name: deepcopy(one) for name, one in given.items()}, recipe, device)
        state.counters = dict.fromkeys(state.counters, MANY)
        count = min(2 * recipe.batch_step if recipe.batch_step > 1 else 2, len(dataset.images))
        batch = Batches(dataset, count, config.seed, device).at(0)
        real, labels = batch["images"], batch["labels"]
        _check_generator(
            state.networks["generator"], draw_latents(recipe, real), real, labels if config.conditions else None
        )
        try:
            losses = system.step(state, recipe, **batch)
        except InputError:
            raise
        except Exception as error:
            first = next(iter(str(error).splitlines()), type(error).__name__)
            raise InputError(
                f"networks: a step of {recipe.system} with {count} images {list(real.shape)} fails: {first}"
            ) from error
    for name, loss in losses.items():
        if loss.numel() != 1:
            raise InputError(
                f"networks: {name} has the shape {list(loss.shape)}; the discriminator must give [n] logits"
            )


def _check_generator(
    generator: nn.Module, latents: torch.Tensor, real: torch.Tensor, labels: torch.Tensor | None
) -> None:
    inputs = f"latents float {list(latents.shape)}" + (
        f" and labels int64 {list(labels.shape)}" if labels is not None else ""
    )
    wanted = f"images float {list(real.shape)} in [-1, 1]"
    try:
        with torch.no_grad():
            images = generator(latents) if labels is None else generator(latents, labels)
    except Exception as error:
        first = next(iter(str(error).splitlines()), type(error).__name__)
        raise InputError(f"networks: the generator must take {inputs} and give {wanted}: {first}") from error
    if not isinstance(images, torch.Tensor) or images.shape != real.shape:
        found = list(images.shape) if isinstance(images, torch.Tensor) else type(images).__name__
        raise InputError(f"networks: the generator gives {found} for {inputs}; it must give {wanted}")
