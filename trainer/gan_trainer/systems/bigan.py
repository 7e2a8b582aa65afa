"""The BiGAN of Donahue et al. 2017: a generator and an encoder against a discriminator of pairs."""

from torch import Tensor, nn

from gan_trainer.losses.adversarial import OBJECTIVES
from gan_trainer.networks import new_encoder, new_features, new_generator
from gan_trainer.networks.assembly import JointDiscriminator
from gan_trainer.networks.layers import with_spectral_norm
from gan_trainer.recipes.bigan import BiganRecipe
from gan_trainer.training.state import TrainState
from gan_trainer.training.step import (
    autocast,
    clip_weights,
    count_generator_step,
    descend,
    draw_latents,
    frozen,
)
from gan_trainer.training.system import Shapes, System

Pairs = tuple[Tensor, Tensor]


def networks(recipe: BiganRecipe, shapes: Shapes) -> dict[str, nn.Module]:
    """A generator, a discriminator of pairs of image and latent, and an encoder."""
    body = recipe.network, shapes.size, recipe.width
    generator = new_generator(*body, recipe.g_norm, recipe.latent_dim, shapes.classes)
    layers, features = new_features(*body, recipe.d_norm, recipe.dropout, minibatch_std=recipe.minibatch_std)
    discriminator: nn.Module = JointDiscriminator(layers, features, recipe.latent_dim, shapes.classes)
    if recipe.d_norm == "spectral":
        discriminator = with_spectral_norm(discriminator)
    encoder = new_encoder(*body, recipe.g_norm, recipe.latent_dim)
    return {"generator": generator, "discriminator": discriminator, "encoder": encoder}


def step(state: TrainState, recipe: BiganRecipe, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """Train D to tell (x, E(x)) from (G(z), z); then train G and E on the same loss with swapped labels.

    Donahue et al. 2017, equation 2, and section 3.5 for the swapped labels: the loss of G and E contains both kinds of
    pairs, so the real ones train E and the generated ones G, in one step of one optimizer. -log(1 - D) of the real
    pairs is the generator's loss at the negated logit.

    Args:
        state, recipe, images, labels: as in `gan.step`.

    Returns:
        The discriminator's loss, and the loss of generator and encoder if they made a step.
    """
    condition = (labels,) if recipe.conditional else ()
    objective = OBJECTIVES[recipe.objective]
    drawn, encoded = pairs(state, recipe, images, condition)
    d_loss = objective.d_loss(
        judge(state, recipe, detached(encoded), condition), judge(state, recipe, detached(drawn), condition)
    )
    descend(state, "d", d_loss)
    if recipe.clip:
        clip_weights(state.networks["discriminator"], recipe.clip)
    state.counters["d_steps"] += 1
    if not recipe.generator_is_due(state.counters):
        return {"d_loss": d_loss.detach()}
    with frozen(state.networks["discriminator"]):
        real_logits, fake_logits = (judge(state, recipe, pair, condition) for pair in (encoded, drawn))
        g_loss = objective.g_loss(real_logits, fake_logits)
        if not objective.paired:  # a relativistic loss contains both kinds of logits
            g_loss = g_loss + objective.g_loss(-fake_logits, -real_logits)
        descend(state, "g", g_loss)
    count_generator_step(state.counters)
    return {"d_loss": d_loss.detach(), "g_loss": g_loss.detach()}


def pairs(state: TrainState, recipe: BiganRecipe, real: Tensor, condition: tuple[Tensor, ...]) -> tuple[Pairs, Pairs]:
    """(G(z), z) and (x, E(x))."""
    latents = draw_latents(recipe, real)
    with autocast(real, recipe):
        images, codes = state.networks["generator"](latents, *condition), state.networks["encoder"](real)
    return (images.float(), latents), (real, codes.float())


def detached(pair: Pairs) -> Pairs:
    """The same values, detached from the graph."""
    return pair[0].detach(), pair[1].detach()


def judge(state: TrainState, recipe: BiganRecipe, pair: Pairs, condition: tuple[Tensor, ...]) -> Tensor:
    """Logits of pairs of image and latent, float [n]."""
    with autocast(pair[0], recipe):
        logits: Tensor = state.networks["discriminator"](*pair, *condition)
    return logits.float()


SYSTEM = System(
    networks,
    step,
    optimizers={"g": ("generator", "encoder"), "d": ("discriminator",)},
    averaged=(),
    counters=("g_steps", "d_steps"),
)
