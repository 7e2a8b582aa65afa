"""Super-resolution by the L1 distance (Lim et al. 2017, section 3), which is stage 1 of ESRGAN (Wang et al. 2018)."""

from torch import Tensor, nn
from torch.nn.functional import l1_loss

from gan_trainer.networks.upscaling import new_upscaler
from gan_trainer.recipes.upscaling import UpscalingRecipe
from gan_trainer.training.state import TrainState, update_averages
from gan_trainer.training.step import autocast, descend
from gan_trainer.training.system import Shapes, System


def networks(recipe: UpscalingRecipe, shapes: Shapes) -> dict[str, nn.Module]:
    """A generator: the network that enlarges."""
    generator = new_upscaler(recipe.network, recipe.scale, shapes.size.channels, recipe.width, recipe.blocks)
    return {"generator": generator}


def step(state: TrainState, recipe: UpscalingRecipe, source: Tensor, images: Tensor) -> dict[str, Tensor]:
    """Make one step on the L1 distance.

    Args:
        state: changed in place.
        recipe: precision and average.
        source: crops in low resolution, float [n, c, h, w] in [0, 1].
        images: the same in high resolution, float [n, c, scale h, scale w] in [0, 1].

    Returns:
        The distance, in units of the range of values.
    """
    loss = l1_loss(enlarge(state, recipe, source), images)
    descend(state, "g", loss)
    state.counters["g_steps"] += 1
    update_averages(state, recipe, recipe.batch_size)
    return {"l1_loss": loss.detach()}


def enlarge(state: TrainState, recipe: UpscalingRecipe, source: Tensor) -> Tensor:
    """The images that the generator makes of `source`, float32."""
    with autocast(source, recipe):
        enlarged: Tensor = state.networks["generator"](source)
    return enlarged.float()


SYSTEM = System(networks, step, optimizers={"g": ("generator",)}, counters=("g_steps",))
