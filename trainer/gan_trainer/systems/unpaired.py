"""CycleGAN (Zhu et al. 2017): generators in both directions learn from two domains without pairs."""

from torch import Tensor, nn
from torch.nn.functional import l1_loss

from gan_runtime.errors import InputError
from gan_trainer.recipes.translation import UnpairedRecipe
from gan_trainer.systems.image_pool import ImagePool
from gan_trainer.systems.translation import (
    discriminator,
    discriminator_loss,
    generator,
    generator_loss,
    translate,
    update_translators,
)
from gan_trainer.training.average import kept_statistics
from gan_trainer.training.distributed.exchange import by_first
from gan_trainer.training.state import TrainState
from gan_trainer.training.step import descend, frozen
from gan_trainer.training.system import Shapes, System


def networks(recipe: UnpairedRecipe, shapes: Shapes) -> dict[str, nn.Module]:
    """A generator from the source to the target domain, its inverse, and a discriminator of the images of each."""
    source, size = shapes.source or shapes.size, shapes.size
    if recipe.identity_weight and source.channels != size.channels:
        channels = f"the domains have {source.channels} and {size.channels} channels"
        raise InputError(f"--identity-weight {recipe.identity_weight:g}: {channels}; give --identity-weight 0")
    return {
        "generator": generator(recipe, source, size),
        "inverse": generator(recipe, size, source),
        "discriminator": discriminator(recipe, size, size.channels),
        "inverse_discriminator": discriminator(recipe, source, source.channels),
    }


def step(state: TrainState, recipe: UnpairedRecipe, source: Tensor, images: Tensor) -> dict[str, Tensor]:
    """Train both generators, then both discriminators (Zhu et al. 2017, equation 3; identity loss: section 5.2).

    Args:
        state: changed in place.
        recipe: objective, weights of the losses, precision.
        source: images x of the source domain, float [n, c_in, h, w] in [-1, 1].
        images: images y of the target domain, float [n, c, h, w] in [-1, 1].

    Returns:
        Sums over both directions: the adversarial losses of discriminators and generators, and the distances of cycle
        and identity, all without their weights.
    """
    fake, inverse_fake = translate(state, recipe, "generator", source), translate(state, recipe, "inverse", images)
    critics = state.networks["discriminator"], state.networks["inverse_discriminator"]
    with frozen(critics[0]), frozen(critics[1]):
        g_loss = generator_loss(state, recipe, "discriminator", fake)
        g_loss = g_loss + generator_loss(state, recipe, "inverse_discriminator", inverse_fake)
        distances = consistency(state, recipe, source, images, fake, inverse_fake)
        weights = {"cycle": recipe.cycle_weight, "identity": recipe.identity_weight}
        descend(state, "g", recipe.gan_weight * g_loss + sum(weights[name] * one for name, one in distances.items()))
    shown, inverse_shown = (
        by_first(state.processes, state.extra[pool], images.detach())
        for pool, images in (("pool", fake), ("inverse_pool", inverse_fake))
    )
    d_loss = discriminator_loss(state, recipe, "discriminator", images, shown)
    d_loss = d_loss + discriminator_loss(state, recipe, "inverse_discriminator", source, inverse_shown)
    descend(state, "d", d_loss)
    state.counters["g_steps"] += 1
    update_translators(state, recipe, generator=source, inverse=images)
    losses = {"d_loss": d_loss, "g_loss": g_loss} | {f"{name}_loss": one for name, one in distances.items()}
    return {name: loss.detach() for name, loss in losses.items()}


def consistency(
    state: TrainState, recipe: UnpairedRecipe, source: Tensor, images: Tensor, fake: Tensor, inverse_fake: Tensor
) -> dict[str, Tensor]:
    """The L1 distances |F(G(x)) - x| + |G(F(y)) - y| ("cycle") and |G(y) - y| + |F(x) - x| ("identity").

    Those without weight are left out. Batch norms do not record statistics of these passes: a deployed generator sees
    neither translated images nor those of its target domain.
    """
    with kept_statistics(state.networks["generator"]), kept_statistics(state.networks["inverse"]):
        distances = {}
        if recipe.cycle_weight:
            there, back = translate(state, recipe, "inverse", fake), translate(state, recipe, "generator", inverse_fake)
            distances["cycle"] = l1_loss(there, source) + l1_loss(back, images)
        if recipe.identity_weight:
            same, inverse_same = (
                translate(state, recipe, "generator", images),
                translate(state, recipe, "inverse", source),
            )
            distances["identity"] = l1_loss(same, images) + l1_loss(inverse_same, source)
    return distances


def pools(recipe: UnpairedRecipe) -> dict[str, nn.Module]:
    """The pools of translations that the discriminators see."""
    return {"pool": ImagePool(recipe.pool), "inverse_pool": ImagePool(recipe.pool)}


SYSTEM = System(
    networks,
    step,
    optimizers={"g": ("generator", "inverse"), "d": ("discriminator", "inverse_discriminator")},
    averaged=("generator", "inverse"),
    extra=pools,
    counters=("g_steps",),
)
