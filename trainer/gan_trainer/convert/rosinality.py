"""The generator of StyleGAN2 by the names of rosinality's stylegan2-pytorch, as its training and converter save it."""

import re
from dataclasses import replace

import torch
from torch import Tensor, nn

from gan_runtime.latents import draw_latents
from gan_trainer.convert.architecture import Architecture, Beside, Described, Weights, numbers, renamed
from gan_trainer.convert.stylegan2 import RATE, check_filters, described, joined, mapping_inputs
from gan_trainer.networks.stylegan2 import StyleGenerator

MEAN_OF, SEED = 10_000, 0  # latents of the mean style, where a file has none
FILTERS = r".*\.kernel"
NO_WEIGHTS = rf"{FILTERS}|noises\..*"
LEADING = ("conv.weight", "noise.weight", "input.input")  # endings of what is stored with a first axis of 1


def rosinality(weights: Weights, beside: Beside) -> Described:
    """Sizes from shapes; `beside` the weights of g_ema, its file may have their mean style, `latent_avg`."""
    check_filters(weights, FILTERS)
    ours = _by_our_names(weights)
    maps = len(numbers(weights, r"convs\.(\d+)\.")) + 1
    ours["synthesis.constant_noise"] = joined(weights, [f"noises.noise_{i}" for i in range(maps)])
    remarks = [f"the learning rate of its mapping network, which the file does not have, is taken for {RATE:g}"]
    mean = beside.get("latent_avg")
    ours["w_mean"] = torch.zeros(mapping_inputs(ours)[0]) if mean is None else mean.float().flatten()
    if mean is None:
        remarks.append(f"its mean style, latent_avg, which the file does not have, is that of {MEAN_OF:,} latents")
    found = described("StyleGAN2 of rosinality", ours, RATE, 0.0, tuple(remarks))
    return found if mean is not None else replace(found, complete=_set_mean_style)


def _by_our_names(weights: Weights) -> dict[str, Tensor]:
    kept = {name: _plain(name, value) for name, value in weights.items() if not re.fullmatch(NO_WEIGHTS, name)}
    layers, convolutions = (numbers(weights, pattern) for pattern in (r"style\.(\d+)\.", r"convs\.(\d+)\."))
    return renamed(
        kept,
        (r"input\.input", "synthesis.const"),
        *((rf"style\.{number}\.(\w+)", rf"mapping.layers.{i}.\1") for i, number in enumerate(layers)),
        *_layer("conv1", "synthesis.convs.0"),
        *_layer("to_rgb1", "synthesis.to_images.0"),
        *(
            rule
            for i in convolutions
            for rule in _layer(rf"convs\.{i}", f"synthesis.convs.{i // 2 + 1}" if i % 2 else f"synthesis.ups.{i // 2}")
        ),
        *(
            rule
            for i in numbers(weights, r"to_rgbs\.(\d+)\.")
            for rule in _layer(rf"to_rgbs\.{i}", f"synthesis.to_images.{i + 1}")
        ),
    )


def _layer(theirs: str, ours: str) -> tuple[tuple[str, str], ...]:
    return (
        (rf"{theirs}\.conv\.weight", f"{ours}.weight"),
        (rf"{theirs}\.conv\.modulation\.(\w+)", rf"{ours}.affine.\1"),
        (rf"{theirs}\.noise\.weight", f"{ours}.noise_strength"),
        (rf"{theirs}\.(?:activate\.)?bias", f"{ours}.bias"),
    )


def _plain(name: str, value: Tensor) -> Tensor:
    """A weight without its axes of 1."""
    return value.flatten() if name.endswith(".bias") else value.squeeze(0) if name.endswith(LEADING) else value


@torch.no_grad()
def _set_mean_style(network: nn.Module) -> None:
    """Give a generator the mean of what its mapping network makes of the latents of a seed."""
    assert isinstance(network, StyleGenerator)
    latents = torch.from_numpy(draw_latents(SEED, 0, MEAN_OF, network.latent_dim))
    network.w_mean.copy_(network.mapping(latents).double().mean(0))


ROSINALITY = (
    Architecture(
        "StyleGAN2 (rosinality's stylegan2-pytorch)",
        (r"input\.input", r"style\.1\.weight", r"to_rgb1\.conv\.modulation\.weight"),
        rosinality,
    ),
)
