"""The augmentation of a recipe, on the images that its discriminator sees."""

from torch import Tensor, nn

from gan_trainer.data.ada import Ada
from gan_trainer.data.augment import augment
from gan_trainer.recipes.augmented import AugmentedRecipe, names
from gan_trainer.training.distributed.exchange import gathered
from gan_trainer.training.state import TrainState

NAME = "ada"  # of the module in `TrainState.extra`
MEASURES = {"ada_p": "probability of each operation", "ada_r": "mean sign of real logits"}  # what is logged


def augmenters(recipe: AugmentedRecipe) -> dict[str, nn.Module]:
    """The modules of the recipe's augmentation: `System.extra` of systems that use it."""
    if not recipe.adaptive:
        return {}
    return {NAME: Ada(recipe.ada_target, recipe.ada_speed, names(recipe.ada_groups))}


def augmented(state: TrainState, recipe: AugmentedRecipe, images: Tensor) -> Tensor:
    """The images, float32 [n, c, h, w], as the discriminator sees them. Call it outside of autocast."""
    if recipe.adaptive:
        seen: Tensor = state.extra[NAME](images)
        return seen
    return augment(images, recipe.augmentations)


def observed(state: TrainState, recipe: AugmentedRecipe, real_logits: Tensor) -> dict[str, Tensor]:
    """Let an adaptive augmentation see the logits of a batch of real images, of all processes, which it had augmented.

    Args:
        state: changed in place.
        recipe: its augmentation.
        real_logits: of the discriminator step, float [n]; positive where an image is taken for real.

    Returns:
        What is logged with the losses, scalars by the names in `MEASURES`. Empty for other augmentations.
    """
    ada = state.extra.get(NAME)
    if not isinstance(ada, Ada):
        return {}
    mean_sign = ada.observe(gathered(state.processes, real_logits.detach()))
    return dict(zip(MEASURES, (ada.p.clone(), mean_sign), strict=True))
