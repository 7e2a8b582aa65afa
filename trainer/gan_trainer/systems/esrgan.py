"""ESRGAN (Wang et al. 2018): a relativistic average GAN with a perceptual loss, begun with a network trained by L1."""

from collections.abc import Callable
from pathlib import Path
from typing import cast

from torch import Tensor, nn
from torch.nn.functional import l1_loss

from gan_runtime.evaluation.networks import general_features
from gan_runtime.manifest import ImageSize
from gan_trainer.losses.adversarial import OBJECTIVES
from gan_trainer.losses.images import Features, perceptual_loss, phase_loss
from gan_trainer.networks.layers import with_spectral_norm
from gan_trainer.networks.patch import new_patch_discriminator
from gan_trainer.networks.perceptual import load_stages, load_vgg19
from gan_trainer.recipes.upscaling import GENERAL, EsrganRecipe
from gan_trainer.systems import sr
from gan_trainer.training.state import TrainState, update_averages
from gan_trainer.training.step import autocast, descend, frozen
from gan_trainer.training.system import Shapes, System

STRIDED = 3  # layers of the discriminator, which judges patches of 70 x 70 pixels
RELATIVISTIC = OBJECTIVES["ragan"]


def networks(recipe: EsrganRecipe, shapes: Shapes) -> dict[str, nn.Module]:
    """The generator of `sr`, and a discriminator of patches with spectral norm."""
    side = recipe.crop * recipe.scale
    judged = ImageSize(side, side, shapes.size.channels)
    discriminator = new_patch_discriminator(judged, STRIDED, recipe.d_width, "none")
    return sr.networks(recipe, shapes) | {"discriminator": with_spectral_norm(discriminator)}


def extra(recipe: EsrganRecipe) -> dict[str, nn.Module]:
    """The network whose features the perceptual loss compares."""
    if not recipe.perceptual_weight:
        return {}
    if recipe.perceptual == GENERAL:
        return {"features": load_stages(general_features())}
    return {"features": load_vgg19(Path(recipe.perceptual))}


def step(state: TrainState, recipe: EsrganRecipe, source: Tensor, images: Tensor) -> dict[str, Tensor]:
    """Train the discriminator, then the generator (Wang et al. 2018, equations 1 to 3; the penalty on grids is ours).

    Args:
        state: changed in place.
        recipe: weights of the losses, precision, average.
        source, images: as in `sr.step`.

    Returns:
        The losses without their weights.
    """
    fake = sr.enlarge(state, recipe, source)
    d_loss = RELATIVISTIC.d_loss(judge(state, recipe, images), judge(state, recipe, fake.detach()))
    descend(state, "d", d_loss)
    losses = {"l1_loss": l1_loss(fake, images), "phase_loss": phase_loss(fake, images, recipe.scale)}
    loss = recipe.l1_weight * losses["l1_loss"] + recipe.phase_weight * losses["phase_loss"]
    if recipe.perceptual_weight:
        losses["perceptual_loss"] = perceptual_loss(features(state, recipe), fake, images)
        loss = loss + recipe.perceptual_weight * losses["perceptual_loss"]
    with frozen(state.networks["discriminator"]):
        g_loss = RELATIVISTIC.g_loss(judge(state, recipe, images).detach(), judge(state, recipe, fake))
        descend(state, "g", loss + recipe.gan_weight * g_loss)
    state.counters["g_steps"] += 1
    update_averages(state, recipe, recipe.batch_size)
    return {name: value.detach() for name, value in (losses | {"d_loss": d_loss, "g_loss": g_loss}).items()}


def judge(state: TrainState, recipe: EsrganRecipe, images: Tensor) -> Tensor:
    """Logits of the patches of images in [0, 1], float32 [n, 1, h', w']."""
    with autocast(images, recipe):
        logits: Tensor = state.networks["discriminator"](2 * images - 1)
    return logits.float()


def features(state: TrainState, recipe: EsrganRecipe) -> Features:
    """The network of the perceptual loss in the precision of the run."""
    network = cast(Callable[[Tensor], list[Tensor]], state.extra["features"])

    def measure(images: Tensor) -> list[Tensor]:
        with autocast(images, recipe):
            return [maps.float() for maps in network(images)]

    return measure


SYSTEM = System(
    networks,
    step,
    optimizers={"g": ("generator",), "d": ("discriminator",)},
    extra=extra,
    counters=("g_steps",),
    anew=("discriminator",),
)
