"""StyleGAN2 (Karras et al. 2020, "Analyzing and improving the image quality of StyleGAN")."""

from typing import cast

import torch
from torch import Tensor, nn

from gan_trainer.losses.adversarial import logistic_d_loss, non_saturating_g_loss
from gan_trainer.losses.path_length import path_lengths, path_penalty
from gan_trainer.losses.penalties import gradient_penalty
from gan_trainer.networks.stylegan2 import Mapping, StyleDiscriminator, StyleGenerator, Synthesis, grid_channels
from gan_trainer.recipes.stylegan2 import Stylegan2Recipe
from gan_trainer.systems.gan import discriminate, discriminate_both
from gan_trainer.training.augmentation import augmenters, observed
from gan_trainer.training.distributed.exchange import average_tensors
from gan_trainer.training.state import TrainState, update_averages
from gan_trainer.training.step import autocast, descend, draw_latents, frozen
from gan_trainer.training.system import Shapes, System

MEAN_SHARE = 0.005  # of a batch in the mean style
PATH_SHARE = 0.01  # of a batch in the mean path length, which the first hundred batches have equal parts of
Condition = tuple[Tensor, ...]


class PathLength(nn.Module):
    """The moving average of path lengths, which belongs to the state of a run."""

    mean: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(()))


def networks(recipe: Stylegan2Recipe, shapes: Shapes) -> dict[str, nn.Module]:
    """A generator with its mapping network, and a discriminator of the same widths."""
    channels = grid_channels(shapes.size, recipe.width, recipe.max_width)
    about = recipe.mapping_layers, recipe.mapping_rate
    mapping = Mapping(recipe.latent_dim, shapes.classes, recipe.style_dim, *about)
    synthesis = Synthesis(shapes.size, recipe.style_dim, channels, noisy=recipe.noise)
    return {
        "generator": StyleGenerator(mapping, synthesis, recipe.style_dim),
        "discriminator": StyleDiscriminator(shapes.size, channels, shapes.classes, *about),
    }


def step(state: TrainState, recipe: Stylegan2Recipe, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """Make a step of each network, and steps on the regularisers that are due (Karras et al. 2020, section 3).

    Args:
        state: changed in place.
        recipe: weights and intervals of the regularisers, style mixing, precision.
        images: real images, float [n, c, h, w] in [-1, 1].
        labels: int64 [n]; an unconditional recipe ignores them.

    Returns:
        The losses of both networks, the regularisers of this step without their weights, and the state of an adaptive
        augmentation.
    """
    condition = (labels,) if recipe.conditional else ()
    with torch.set_grad_enabled(recipe.share_passes):
        fake = generate(state, recipe, images, condition)
    losses = discriminator_step(state, recipe, images, fake.detach(), condition)
    if not recipe.share_passes:
        fake = generate(state, recipe, images, condition)
    losses["g_loss"] = generator_step(state, recipe, fake, condition)
    if recipe.path_weight and state.step % recipe.path_every == 0:
        losses["path_length"] = path_step(state, recipe, images, condition)
    update_averages(state, recipe, recipe.batch_size)
    return losses


def discriminator_step(
    state: TrainState, recipe: Stylegan2Recipe, real: Tensor, fake: Tensor, condition: Condition
) -> dict[str, Tensor]:
    """Make a step on the logistic loss, and one on R1 if it is due, for the batches between, too."""
    real_logits, fake_logits = discriminate_both(state, recipe, real, fake, condition)
    loss = logistic_d_loss(real_logits, fake_logits)
    descend(state, "d", loss)
    state.counters["d_steps"] += 1
    losses = {"d_loss": loss.detach()} | observed(state, recipe, real_logits)
    if not recipe.gamma or state.step % recipe.r1_every:
        return losses
    r1 = gradient_penalty(lambda images: discriminate(state, recipe, images, condition), real, fake, "real", "zero")
    descend(state, "d", recipe.r1_every * recipe.gamma / 2 * r1)
    return losses | {"r1": r1.detach()}


def generator_step(state: TrainState, recipe: Stylegan2Recipe, fake: Tensor, condition: Condition) -> Tensor:
    """Make a step on the non-saturating loss; returns it."""
    with frozen(state.networks["discriminator"]):
        logits = discriminate(state, recipe, fake, condition)
        loss = non_saturating_g_loss(logits, logits)
        descend(state, "g", loss)
    state.counters["g_steps"] += 1
    return loss.detach()


def path_step(state: TrainState, recipe: Stylegan2Recipe, real: Tensor, condition: Condition) -> Tensor:
    """Make a step on path lengths with half the batch, for the batches between, too; returns the penalty."""
    half = len(real) // 2
    styles = draw_styles(state, recipe, real[:half], tuple(labels[:half] for labels in condition))
    lengths = path_lengths(synthesise(state, recipe, styles), styles)
    mean = cast(PathLength, state.extra["path_length"]).mean
    share = max(
        PATH_SHARE, 1 / (state.step // recipe.path_every + 1)
    )  # a mean that begins at 0 would shorten all paths
    penalty, average = path_penalty(lengths, mean, share)
    descend(state, "g", recipe.path_every * recipe.path_weight * penalty)
    mean.copy_(average)
    average_tensors(state.processes, [mean])
    return penalty.detach()


def generate(state: TrainState, recipe: Stylegan2Recipe, real: Tensor, condition: Condition) -> Tensor:
    """Generate as many images as `real` has, from new latents: float [n, c, h, w]."""
    return synthesise(state, recipe, draw_styles(state, recipe, real, condition))


def draw_styles(state: TrainState, recipe: Stylegan2Recipe, real: Tensor, condition: Condition) -> Tensor:
    """Styles of new latents, some of them with those of another latent from a random layer on.

    Returns:
        float [len(real), layers, style_dim].
    """
    network = generator(state)
    with autocast(real, recipe):
        first, second = (network.styles(draw_latents(recipe, real), *condition).float() for _ in range(2))
    network.track_mean(first[:, 0], MEAN_SHARE)
    return mixed(first, second, recipe.mixing)


def mixed(first: Tensor, second: Tensor, share: float) -> Tensor:
    """Style mixing (Karras et al. 2019, section 3.1): `share` of the images take `second` from a random layer on.

    Args:
        first, second: float [n, layers, d].
        share: 0 to 1.
    """
    n, layers, _ = first.shape
    begin = torch.randint(1, layers, (n,), device=first.device)
    begin = torch.where(torch.rand(n, device=first.device) < share, begin, layers)
    late = torch.arange(layers, device=first.device) >= begin[:, None]
    return torch.where(late[:, :, None], second, first)


def synthesise(state: TrainState, recipe: Stylegan2Recipe, styles: Tensor) -> Tensor:
    """Images of styles with new noise, float32 [n, c, h, w]."""
    with autocast(styles, recipe):
        images: Tensor = generator(state).synthesis(styles)
    return images.float()


def generator(state: TrainState) -> StyleGenerator:
    """The generator in training."""
    return cast(StyleGenerator, state.networks["generator"])


SYSTEM = System(
    networks,
    step,
    optimizers={"g": ("generator",), "d": ("discriminator",)},
    extra=lambda recipe: {"path_length": PathLength(), **augmenters(recipe)},
    counters=("g_steps", "d_steps"),
)
