"""Weights of StyleGAN2's networks by a formula: of the size of random ones, and none of them zero."""

import math

import torch
from formulas import noise
from torch import Tensor, nn


def fill(network: nn.Module, name: str) -> nn.Module:
    """Give every weight and buffer of `network` the values of a formula of its name, in evaluation mode."""
    state = {key: _values(f"{name}.{key}", old) for key, old in network.state_dict().items()}
    network.load_state_dict(state)
    return network.eval()


def numbers(name: str, *shape: int) -> Tensor:
    """Float with variance 1, a function of name and index."""
    return math.sqrt(3) * torch.tensor(noise(name, shape), dtype=torch.float32)


def _values(name: str, old: Tensor) -> Tensor:
    values = numbers(name, *old.shape)
    if "mapping.layers" in name:  # learning rate of 0.01
        return 100 * values * (0.3 if name.endswith("bias") else 1.0)
    if name.endswith("affine.bias"):
        return 1 + 0.3 * values
    return 0.3 * values if name.endswith(("bias", "strength")) else values
