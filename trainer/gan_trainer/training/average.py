"""Exponential moving averages of networks (Karras et al. 2018, "Progressive growing of GANs")."""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

WARM_UP = 0.1  # early in a run the half-life is at most this share of the images seen


def share_of_new(half_life: float, images_seen: int, images: int) -> float:
    """The share of a new value in an average, `images` after the last update and `images_seen` after the run's start.

    `half_life` is the number of images after which the influence of old values has halved.
    """
    return 1.0 - math.pow(0.5, images / min(half_life, WARM_UP * images_seen))


@torch.no_grad()
def update_average(
    average: nn.Module, network: nn.Module, half_life: int, images_seen: int, images: int, *, statistics: bool = True
) -> None:
    """Move the weights of `average` towards those of `network`.

    Args:
        average: changed in place.
        network: of the same architecture.
        half_life: images after which the influence of old weights has halved.
        images_seen: images seen by the whole run.
        images: images seen since the last update.
        statistics: average the running statistics of norms, too.
    """
    share = share_of_new(half_life, images_seen, images)
    new = network.state_dict(keep_vars=True)
    for name, tensor in average.state_dict(keep_vars=True).items():
        if tensor.is_floating_point() and (statistics or isinstance(tensor, nn.Parameter)):
            tensor.lerp_(new[name], share)


@torch.no_grad()
def fit_statistics(average: nn.Module, inputs: Tensor, share: float) -> None:
    """Move the running statistics of batch norms towards those that the averaged weights have on a batch.

    Averaged statistics do not fit averaged weights, whose features are smaller than those of any weights that were
    averaged.

    Args:
        average: in any mode; its weights do not change.
        inputs: a batch of training data, float [n, c, h, w].
        share: of this batch in the statistics.
    """
    norms = [module for module in average.modules() if isinstance(module, nn.BatchNorm2d)]
    if not norms:
        return
    modes = [(module, module.training) for module in average.modules()]
    average.eval()  # dropout would draw random numbers and change the statistics
    for norm in norms:
        norm.train()
        norm.momentum = share
    average(inputs)
    for module, mode in modes:
        module.training = mode


@contextmanager
def kept_statistics(network: nn.Module) -> Iterator[None]:
    """Batch norms within the block use the statistics of their batch, and do not record them."""
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    before = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum in zip(norms, before, strict=True):
            norm.momentum = momentum
