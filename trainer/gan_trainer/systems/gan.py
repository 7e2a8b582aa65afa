"""The GAN of Goodfellow et al. 2014 and its descendants: a generator against a discriminator."""

import torch
from torch import Tensor, nn

from gan_runtime.errors import InputError
from gan_trainer.losses.adversarial import OBJECTIVES
from gan_trainer.losses.penalties import PENALTIES, Critic, gradient_penalty
from gan_trainer.networks import new_features, new_generator
from gan_trainer.networks.assembly import Discriminator
from gan_trainer.networks.layers import with_spectral_norm
from gan_trainer.recipes.augmented import AugmentedRecipe
from gan_trainer.recipes.gan import GanRecipe
from gan_trainer.training.augmentation import augmented, augmenters, observed
from gan_trainer.training.state import TrainState, update_averages
from gan_trainer.training.step import (
    autocast,
    clip_weights,
    count_generator_step,
    descend,
    draw_latents,
    frozen,
)
from gan_trainer.training.system import Shapes, System


def networks(recipe: GanRecipe, shapes: Shapes) -> dict[str, nn.Module]:
    """A generator and a discriminator."""
    generator = new_generator(
        recipe.network, shapes.size, recipe.width, recipe.g_norm, recipe.latent_dim, shapes.classes
    )
    layers, features = new_features(
        recipe.network, shapes.size, recipe.width, recipe.d_norm, recipe.dropout, minibatch_std=recipe.minibatch_std
    )
    discriminator: nn.Module = Discriminator(layers, features, shapes.classes)
    if recipe.d_norm == "spectral":
        discriminator = with_spectral_norm(discriminator)
    return {"generator": generator, "discriminator": discriminator}


def step(state: TrainState, recipe: GanRecipe, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """Make a discriminator step on one batch, and a generator step if it is due (Goodfellow et al. 2014, algorithm 1).

    Args:
        state: changed in place.
        recipe: objective, penalties, precision, and whether both steps share the generated images.
        images: real images, float [n, c, h, w] in [-1, 1].
        labels: int64 [n]; an unconditional recipe ignores them.

    Returns:
        The discriminator's loss without its penalties, the generator's if it made a step, and the state of an adaptive
        augmentation.
    """
    condition = (labels,) if recipe.conditional else ()
    with torch.set_grad_enabled(recipe.share_passes):
        fake = generate(state, recipe, images, condition)
    losses, real_logits = discriminator_step(state, recipe, images, fake.detach(), condition)
    if not recipe.generator_is_due(state.counters):
        return losses
    if not recipe.share_passes:
        fake = generate(state, recipe, images, condition)
        if OBJECTIVES[recipe.objective].paired:
            with torch.no_grad():
                real_logits = discriminate(state, recipe, images, condition)
    seen = state.counters["d_steps"] * recipe.batch_size
    g_loss = generator_step(state, recipe, real_logits, fake, condition)
    update_averages(state, recipe, seen)
    return losses | {"g_loss": g_loss}


def discriminator_step(
    state: TrainState, recipe: GanRecipe, real: Tensor, fake: Tensor, condition: tuple[Tensor, ...]
) -> tuple[dict[str, Tensor], Tensor]:
    """Make one discriminator step; returns what is logged of it, and the real logits.

    With batch norm in the discriminator its statistics are computed separately for real and generated images
    (Radford et al. 2016).
    """
    if recipe.d_norm == "batch":
        real_logits, fake_logits = (discriminate(state, recipe, images, condition) for images in (real, fake))
    else:
        real_logits, fake_logits = discriminate_both(state, recipe, real, fake, condition)
    objective = OBJECTIVES[recipe.objective]
    loss = objective.d_loss(real_logits, fake_logits)
    total = loss + penalties(state, recipe, lambda images: discriminate(state, recipe, images, condition), real, fake)
    descend(state, "d", total)
    if recipe.clip:
        clip_weights(state.networks["discriminator"], recipe.clip)
    state.counters["d_steps"] += 1
    measures = observed(state, recipe, objective.margins(real_logits, fake_logits))
    return {"d_loss": loss.detach()} | measures, real_logits.detach()


def generator_step(
    state: TrainState, recipe: GanRecipe, real_logits: Tensor, fake: Tensor, condition: tuple[Tensor, ...]
) -> Tensor:
    """Make one generator step, with gradients of the discriminator's weights disabled; returns its loss."""
    with frozen(state.networks["discriminator"]):
        loss = OBJECTIVES[recipe.objective].g_loss(real_logits, discriminate(state, recipe, fake, condition))
        descend(state, "g", loss)
    count_generator_step(state.counters)
    return loss.detach()


def penalties(state: TrainState, recipe: GanRecipe, critic: Critic, real: Tensor, fake: Tensor) -> Tensor | float:
    """The weighted sum of the recipe's penalties; 0 in steps without penalty (Karras et al. 2020, section 3.1)."""
    if not recipe.penalties or state.step % recipe.penalty_every:
        return 0.0
    kinds = [PENALTIES[name] for name in recipe.penalties]
    total = sum(gradient_penalty(critic, real, fake, kind.where, kind.form) for kind in kinds)
    return recipe.penalty_every * recipe.penalty_weight * total


def generate(state: TrainState, recipe: GanRecipe, real: Tensor, condition: tuple[Tensor, ...]) -> Tensor:
    """Generate as many images as `real` has, from new latents: float [n, c, h, w]."""
    latents = draw_latents(recipe, real)
    with autocast(real, recipe):
        images: Tensor = state.networks["generator"](latents, *condition)
    return images.float()


def discriminate_both(
    state: TrainState, recipe: AugmentedRecipe, real: Tensor, fake: Tensor, condition: tuple[Tensor, ...]
) -> tuple[Tensor, Tensor]:
    """Logits of real and of generated images, which are one batch for speed: float [n] each."""
    both = tuple(torch.cat([labels, labels]) for labels in condition)
    real_logits, fake_logits = discriminate(state, recipe, torch.cat([real, fake]), both).chunk(2)
    return real_logits, fake_logits


def discriminate(state: TrainState, recipe: AugmentedRecipe, images: Tensor, condition: tuple[Tensor, ...]) -> Tensor:
    """Logits of the images, float [n]; the images are augmented if the recipe uses augmentation."""
    seen = augmented(state, recipe, images)
    with autocast(images, recipe):
        logits: Tensor = state.networks["discriminator"](seen, *condition)
    if logits.shape != images.shape[:1]:
        raise InputError(
            f"networks: the discriminator gives {list(logits.shape)}, and must give [{len(images)}] logits"
        )
    return logits.float()


SYSTEM = System(
    networks,
    step,
    optimizers={"g": ("generator",), "d": ("discriminator",)},
    extra=augmenters,
    counters=("g_steps", "d_steps"),
)
