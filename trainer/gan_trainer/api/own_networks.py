"""Whether networks of the user's own fit the recipe and the data: one small batch before the run begins."""

from copy import deepcopy
from dataclasses import replace

import torch
from torch import Tensor, nn

from gan_runtime.data import Dataset
from gan_runtime.errors import InputError
from gan_trainer.recipes.latents import latents_of
from gan_trainer.training.batches import batches_of
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
    given = system.networks(recipe, config.shapes)
    with RandomNumbers(device).used():
        state = new_state(system, {name: deepcopy(one) for name, one in given.items()}, recipe, device)
        state.counters = dict.fromkeys(state.counters, MANY)
        count = min(2 * recipe.batch_step if recipe.batch_step > 1 else 2, len(dataset.images))
        batch = batches_of(replace(config, recipe=replace(recipe, batch_size=count)), dataset).at(0)
        real = batch["images"]
        inputs = (
            {"images": batch["source"]} if "source" in batch else {"latents": draw_latents(latents_of(recipe), real)}
        )
        if config.conditions:
            inputs["labels"] = batch["labels"]
        values = "[0, 1]" if recipe.learns_from == "photos" else "[-1, 1]"
        _check_generator(state.networks["generator"], inputs, real, values)
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


def _check_generator(generator: nn.Module, inputs: dict[str, Tensor], real: Tensor, values: str) -> None:
    takes = " and ".join(
        f"{name} {'float' if one.is_floating_point() else 'int64'} {list(one.shape)}" for name, one in inputs.items()
    )
    wanted = f"images float {list(real.shape)} in {values}"
    try:
        with torch.no_grad():
            images = generator(*inputs.values())
    except Exception as error:
        first = next(iter(str(error).splitlines()), type(error).__name__)
        raise InputError(f"networks: the generator must take {takes} and give {wanted}: {first}") from error
    if not isinstance(images, Tensor) or images.shape != real.shape:
        found = list(images.shape) if isinstance(images, Tensor) else type(images).__name__
        raise InputError(f"networks: the generator gives {found} for {takes}; it must give {wanted}")
