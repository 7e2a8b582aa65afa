"""Convert CPU seconds to images, with the measured cost of a recipe's training step."""

import time

from gan_runtime.data import Dataset
from gan_trainer.recipes.adversarial import EARLY
from gan_trainer.recipes.recipe import Recipe
from gan_trainer.systems import start_state
from gan_trainer.training.batches import batches_of
from gan_trainer.training.config import Config
from gan_trainer.training.determinism import number_of_threads
from gan_trainer.training.schedule import set_learning_rate
from gan_trainer.training.step import count_generator_step

MEASURED_SECONDS = 4.0  # of CPU, at least; whole rounds of critic steps and lazy penalties


def step_seconds(config: Config, dataset: Dataset, least: float = MEASURED_SECONDS) -> tuple[float, float]:
    """CPU seconds of a step of the discriminator alone, and of one after which the generator makes its own.

    The recipe's own networks and images are trained for a few seconds. The extra steps of a Wasserstein critic are
    left aside: they are steps of the discriminator alone.
    """
    recipe = config.recipe
    state = start_state(config)
    batches = batches_of(config, dataset)
    state.counters["g_steps"] = EARLY + 1
    set_learning_rate(state, recipe)  # once: more images may be shown here than the recipe's schedule has
    seconds: dict[bool, list[float]] = {False: [], True: []}
    whole = recipe.cycle
    with number_of_threads(config.threads), state.random.used():
        while state.step < 2 * whole or sum(map(sum, seconds.values())) < least or state.step % whole:
            began, before = time.process_time(), state.counters["g_steps"]
            state.system.step(state, recipe, **batches.at(state.images_seen))
            state.step += 1
            state.images_seen += recipe.batch_size
            if state.step > whole:  # the first ones pay for what is only made once
                seconds[state.counters["g_steps"] > before].append(time.process_time() - began)
    alone, both = (sum(some) / len(some) if some else 0.0 for some in seconds.values())
    return alone, both


def images_within(recipe: Recipe, cpu_seconds: float, alone: float, both: float) -> int:
    """How many images a run shows until its steps have cost `cpu_seconds`: the schedule of its steps, replayed.

    Args:
        recipe: says when the generator makes a step.
        cpu_seconds: the budget.
        alone, both: as `step_seconds` returns them.
    """
    counters, spent, steps = {"g_steps": 0, "d_steps": 0}, 0.0, 0
    while spent < cpu_seconds:
        steps += 1
        counters["d_steps"] += 1
        if recipe.generator_is_due(counters):
            count_generator_step(counters)
            spent += both
        else:
            spent += alone or both  # never for nothing: a warm critic may be the only one that steps alone
    return steps * recipe.batch_size
