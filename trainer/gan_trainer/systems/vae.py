"""The variational autoencoder of Kingma and Welling 2014, which has no adversary, for comparison with the GANs."""

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from gan_trainer.networks import new_encoder, new_generator
from gan_trainer.recipes.vae import VaeRecipe
from gan_trainer.training.state import TrainState
from gan_trainer.training.step import autocast, descend
from gan_trainer.training.system import Shapes, System


def networks(recipe: VaeRecipe, shapes: Shapes) -> dict[str, nn.Module]:
    """A generator, which is the decoder, and an encoder that returns means and variances."""
    body = recipe.network, shapes.size, recipe.width, recipe.g_norm, recipe.latent_dim
    return {"generator": new_generator(*body, shapes.classes), "encoder": new_encoder(*body, spread=True)}


def step(state: TrainState, recipe: VaeRecipe, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """One step on the negative evidence lower bound, with one reparameterised sample (Kingma and Welling 2014, eq. 10).

    Args:
        state, recipe, images, labels: as in `gan.step`.

    Returns:
        The negative bound in nats per image, as the generator's loss.
    """
    condition = (labels,) if recipe.conditional else ()
    with autocast(images, recipe):
        mean, log_variance = state.networks["encoder"](images).float().chunk(2, 1)
        latents = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()
        values = state.networks["generator"].values(latents, *condition)  # type: ignore[operator]
    loss = reconstruction(2 * values.float(), images) + divergence(mean, log_variance)
    descend(state, "g", loss)
    state.counters["g_steps"] += 1
    return {"g_loss": loss.detach()}


def reconstruction(logits: Tensor, real: Tensor) -> Tensor:
    """-log p(x | z) in nats, mean over the batch: Bernoulli pixels with these logits float [n, c, h, w] (appendix C.1).

    Images `real` in [-1, 1] are mapped to probabilities; tanh(a) corresponds to the probability sigmoid(2 a).
    """
    entropy = binary_cross_entropy_with_logits(logits, 0.5 + 0.5 * real, reduction="none")
    return entropy.flatten(1).sum(1).mean()


def divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL divergence of N(mean, variance) from N(0, 1), float [n, d] each; mean over the batch (appendix B)."""
    return -0.5 * (1 + log_variance - mean.square() - log_variance.exp()).sum(1).mean()


SYSTEM = System(networks, step, optimizers={"g": ("generator", "encoder")}, averaged=(), counters=("g_steps",))
