"""Exponential moving averages of networks (Karras et al. 2018, "Progressive growing of GANs")."""

import math

import torch
from torch import nn

WARM_UP = 0.1  # early in a run the half-life is at most this share of the images seen


@torch.no_grad()
def update_average(average: nn.Module, network: nn.Module, half_life: int, images_seen: int, images: int) -> None:
    """Move the weights and running statistics of `average` towards those of `network`.

    Args:
        average: changed in place.
        network: of the same architecture.
        half_life: images after which the influence of old weights has halved.
        images_seen: images seen by the whole run.
        images: images seen since the last update.
    """
    share = 1.0 - math.pow(0.5, images / min(half_life, WARM_UP * images_seen))
    new = network.state_dict(keep_vars=True)
    for name, tensor in average.state_dict(keep_vars=True).items():
        if tensor.is_floating_point():
            tensor.lerp_(new[name], share)
