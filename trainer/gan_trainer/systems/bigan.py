"""Generator and encoder against a discriminator of pairs: the BiGAN of Donahue et al. 2017."""

from torch import Tensor

from gan_trainer.losses.adversarial import OBJECTIVES
from gan_trainer.recipes.recipe import Recipe
from gan_trainer.training.state import TrainState
from gan_trainer.training.step import Losses, autocast, clip_weights, descend, draw_latents, generator_is_due

Pairs = tuple[Tensor, Tensor]


def train_step(state: TrainState, recipe: Recipe, real: Tensor, labels: Tensor) -> Losses:
    """Tell (x, E(x)) from (G(z), z); then train G and E on the same loss with the roles of the pairs swapped.

    Donahue et al. 2017, equation 2, and section 3.5 for the swapped labels: the loss of G and E has both kinds of pairs
    in it, so the real ones train E and the generated ones G, in one step of one optimiser. -log(1 - D) of the real
    pairs is the generator's loss at the negated logit.

    Args:
        state, recipe, real, labels: as in `latent.train_step`.

    Returns:
        The discriminator's loss, and that of generator and encoder.
    """
    assert state.discriminator is not None
    assert state.d_optimizer is not None
    condition = (labels,) if recipe.conditional else ()
    objective = OBJECTIVES[recipe.objective]
    drawn, encoded = pairs(state, recipe, real, condition)
    d_loss = objective.d_loss(
        judge(state, recipe, detached(encoded), condition), judge(state, recipe, detached(drawn), condition)
    )
    descend(state.d_optimizer, d_loss)
    if recipe.clip:
        clip_weights(state.discriminator, recipe.clip)
    state.d_steps += 1
    if not generator_is_due(state, recipe):
        return d_loss.detach(), None
    state.discriminator.requires_grad_(False)
    real_logits, fake_logits = (judge(state, recipe, pair, condition) for pair in (encoded, drawn))
    g_loss = objective.g_loss(real_logits, fake_logits)
    if not objective.paired:  # a relativistic loss has both kinds of logits in it already
        g_loss = g_loss + objective.g_loss(-fake_logits, -real_logits)
    descend(state.g_optimizer, g_loss)
    state.discriminator.requires_grad_(True)
    state.g_steps, state.d_steps = state.g_steps + 1, 0
    return d_loss.detach(), g_loss.detach()


def pairs(state: TrainState, recipe: Recipe, real: Tensor, condition: tuple[Tensor, ...]) -> tuple[Pairs, Pairs]:
    """(G(z), z) and (x, E(x))."""
    assert state.encoder is not None
    latents = draw_latents(recipe, real)
    with autocast(real, recipe):
        images, codes = state.generator(latents, *condition), state.encoder(real)
    return (images.float(), latents), (real, codes.float())


def detached(pair: Pairs) -> Pairs:
    """The same values, without their history."""
    return pair[0].detach(), pair[1].detach()


def judge(state: TrainState, recipe: Recipe, pair: Pairs, condition: tuple[Tensor, ...]) -> Tensor:
    """Logits of pairs of image and latent, float [n]."""
    assert state.discriminator is not None
    with autocast(pair[0], recipe):
        logits: Tensor = state.discriminator(*pair, *condition)
    return logits.float()
