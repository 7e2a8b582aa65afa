"""Weights of Inception and images by a formula, so that the authors' code and this project's can be given the same."""

import math
import re
import zlib

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gan_trainer.networks.inception import Inception

BIAS = "fc.bias"


def formula_weights() -> dict[str, Tensor]:
    """The weights of all parts by their published names: 24 million values, each a function of name and index."""
    shapes = {_published(name): tuple(value.shape) for name, value in Inception().state_dict().items()}
    shapes[BIAS] = (1008,)
    return {name: _values(name, shape) if shape else torch.tensor(0) for name, shape in shapes.items()}


def formula_images(height: int, width: int, channels: int) -> NDArray[np.uint8]:
    """Two images of noise, uint8 [2, height, width, channels]."""
    shape = 2, height, width, channels
    words = np.random.Philox(key=math.prod(shape)).random_raw(-(-math.prod(shape) // 8)).astype("<u8")
    return words.view(np.uint8)[: math.prod(shape)].reshape(shape)


def _values(name: str, shape: tuple[int, ...]) -> Tensor:
    n = math.prod(shape)
    words = np.random.Philox(key=zlib.crc32(name.encode())).random_raw(-(-n // 4)).astype("<u8")
    values = words.view("<u2")[:n].astype(np.float32) / 32767.5 - 1.0  # in [-1, 1]
    if len(shape) > 1:
        values *= np.float32(math.sqrt(6 / math.prod(shape[1:])))
    elif name.endswith(("running_var", "bn.weight")):
        values = 1.0 + 0.5 * values
    else:
        values *= 0.25
    return torch.from_numpy(values.reshape(shape))


def _published(name: str) -> str:
    """The published name of a part of `Inception`."""
    name = name.removeprefix("layers.").replace("branch_pool.1.", "branch_pool.")
    return re.sub(r"(branch\w+)\.(\d)\.?([ab]?)(?=\.)", lambda m: f"{m[1]}_{int(m[2]) + 1}{m[3]}", name)
