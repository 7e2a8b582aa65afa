"""The learning rate over the course of a run."""

import math

from gan_trainer.recipes.recipe import Recipe
from gan_trainer.training.state import TrainState


def learning_rate(recipe: Recipe, images_seen: int) -> float:
    """The learning rate after `images_seen` images: constant until `decay_from`, then decaying to `lr * lr_end`."""
    progress = min(1.0, images_seen / recipe.images)
    rest = (1.0 - progress) / (1.0 - recipe.decay_from) if progress > recipe.decay_from else 1.0
    if recipe.decay == "cosine":
        rest = 0.5 - 0.5 * math.cos(math.pi * rest)
    return recipe.lr * (recipe.lr_end + (1.0 - recipe.lr_end) * rest)


def set_learning_rate(state: TrainState, recipe: Recipe) -> float:
    """Set the learning rates of all optimizers for the current point of the run; returns that of the generator."""
    rate = learning_rate(recipe, state.images_seen)
    for name, optimizer in state.optimizers.items():
        for group in optimizer.param_groups:
            group["lr"] = rate * recipe.share_of_rate(name)
    return rate
