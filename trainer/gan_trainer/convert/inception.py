"""The published weights of Inception, as pytorch-fid and torch-fidelity distribute them, as a feature network."""

import re
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from gan_runtime.errors import InputError
from gan_trainer.networks.inception import CHANNELS, SIDE, Inception
from gan_trainer.networks.resize import Filter, Resize, antialiased_bicubic, bilinear, bilinear_from_corner
from gan_trainer.networks.weights import fill, load_weights

PUBLISHED = "6726825d"  # the first digits of the SHA-256 of both files, as in their names
ROWS = 3  # images of a batch when a file is compared with torch; each takes torch a fifth of a second
BIAS = "fc.bias"  # published, and not used: see `Inception`
ADVICE = (
    "name pt_inception-2015-12-05-6726825d.pth of pytorch-fid or weights-inception-2015-12-05-6726825d.pth of "
    "torch-fidelity; inception-2015-12-05.pt of clean-fid is a program, for which --resize clean-fid does the same"
)


@dataclass(frozen=True)
class Preparation:
    """How a tool makes the input of Inception, float [n, 3, 299, 299], from images of 256 levels."""

    resize: Filter
    middle: float
    """The level that becomes 0, and the distance from it that becomes 1."""
    clip: bool = False
    """Whether levels that the filter has left outside of 0 to 255 are clipped."""


TOOLS = {
    "torch-fidelity": Preparation(bilinear_from_corner, 128.0),
    "pytorch-fid": Preparation(bilinear, 127.5),
    "clean-fid": Preparation(antialiased_bicubic, 128.0, clip=True),
}


class InceptionFeatures(nn.Module):
    """Images uint8 [n, h, w, c], c = 1 or 3, of any size -> the features and logits of Inception, as a tool has them.

    Args:
        network: with published weights.
        preparation: of the tool, one of `TOOLS`.
    """

    def __init__(self, network: Inception, preparation: Preparation) -> None:
        super().__init__()
        self.clip = preparation.clip
        self.resize = Resize(SIDE, preparation.resize)
        self.network = network
        self.register_buffer("middle", torch.full((1, CHANNELS, 1, 1), preparation.middle))  # spreads grey over RGB

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Features float [n, 2048] and logits float [n, 1008]."""
        levels = self.resize(images.permute(0, 3, 1, 2).float())
        if self.clip:
            levels = levels.clamp(0.0, 255.0)
        found: tuple[Tensor, Tensor] = self.network((levels - self.middle) / self.middle)
        return found


def load_inception(path: Path) -> Inception:
    """The network with the weights of the .pth file at `path`, ready to be evaluated.

    Raises:
        InputError: the file cannot be read, or has other weights.
    """
    network = Inception()
    try:
        weights = load_weights(path, sum(value.nbytes for value in network.state_dict().values()))
        if BIAS not in weights:
            raise InputError(f"{path}: weights of another network: it lacks {BIAS}")
        fill(network, {_name(key): value for key, value in weights.items() if key != BIAS}, path)
    except InputError as error:
        raise InputError(f"{error}; {ADVICE}") from None
    return network.eval()


def _name(published: str) -> str:
    """The name in `Inception` of a published weight.

    >>> _name("Mixed_7b.branch3x3_2a.conv.weight")
    'layers.Mixed_7b.branch3x3.1.a.conv.weight'
    """
    if published.startswith("fc."):
        return published
    name = published.replace("branch_pool.", "branch_pool.1.")  # the pool is 0
    return "layers." + re.sub(r"(branch\w+)_(\d)([ab]?)", _place, name)


def _place(found: re.Match[str]) -> str:
    branch, number, letter = found.groups()
    return ".".join([branch, str(int(number) - 1), *letter])
