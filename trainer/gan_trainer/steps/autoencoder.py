"""The variational autoencoder of Kingma and Welling 2014: no adversary, the contrast to the GANs."""

import torch
from torch import Tensor

from gan_trainer.recipes import Recipe
from gan_trainer.state import TrainState, update_average
from gan_trainer.steps.common import Losses, autocast, descend


def train_step(state: TrainState, recipe: Recipe, real: Tensor, labels: Tensor) -> Losses:
    """One step on the negative evidence lower bound, with one reparameterised sample (Kingma and Welling 2014, eq. 10).

    Args:
        state, recipe, real, labels: as in `latent.train_step`.

    Returns:
        None, for there is no discriminator, and the bound in nats an image.
    """
    assert state.encoder is not None
    condition = (labels,) if recipe.conditional else ()
    with autocast(real, recipe):
        mean, log_variance = state.encoder(real).float().chunk(2, 1)
        latents = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()
        images = state.generator(latents, *condition)
    loss = reconstruction(images.float(), real) + divergence(mean, log_variance)
    descend(state.g_optimizer, loss)
    state.g_steps += 1
    update_average(state, recipe)
    return None, loss.detach()


def reconstruction(images: Tensor, real: Tensor) -> Tensor:
    """-log p(x | z) of Bernoulli pixels, values in [-1, 1] read as probabilities; mean over the batch, in nats."""
    probability = (0.5 + 0.5 * images).clamp(1e-6, 1 - 1e-6)
    target = 0.5 + 0.5 * real
    entropy = -(target * probability.log() + (1 - target) * (1 - probability).log())
    return entropy.flatten(1).sum(1).mean()


def divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL of N(mean, variance) from N(0, 1), float [n, d] each; mean over the batch (appendix B)."""
    return -0.5 * (1 + log_variance - mean.square() - log_variance.exp()).sum(1).mean()
