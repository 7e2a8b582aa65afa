"""Feature networks: small classifiers, trained by `gan-features`."""

import math
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import affine_grid, cross_entropy, grid_sample

from gan_runtime.data import Dataset
from gan_runtime.manifest import ImageSize
from gan_trainer.data.batches import Batches
from gan_trainer.training.config import choose_precision

TEST_BATCH = 1000


@dataclass(frozen=True)
class FeatureRecipe:
    """Training settings of a feature network; docs/quality.md has the resulting accuracy."""

    epochs: int
    batch_size: int = 128
    lr: float = 2e-3
    weight_decay: float = 0.05
    turn: float = 10.0  # maximum in degrees; the next values are maxima as well
    zoom: float = 0.1
    shift: float = 0.08  # fraction of the side
    mirror: bool = False
    average: float = 0.998  # decay of the averaged weights per step


FEATURE_RECIPES = {
    "mnist": FeatureRecipe(epochs=12),
    "fashion-mnist": FeatureRecipe(epochs=24, turn=0.0, zoom=0.05, shift=0.06, mirror=True),
}


class FeatureNetwork(nn.Module):
    """Images uint8 [n, h, w, c] -> features float [n, 128] and logits float [n, classes].

    Six 3x3 convolutions with batch norm, then global average pooling: 290,000 parameters.
    """

    WIDTHS = (32, 64, 128)

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for width in self.WIDTHS:
            layers += [*_convolution(channels, width, 1), *_convolution(width, width, 2 if width < 128 else 1)]
            channels = width
        self.layers = nn.Sequential(*layers)
        self.head = nn.Linear(channels, classes)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Features and logits of pixel values, uint8."""
        return self.measure(images.permute(0, 3, 1, 2).float() / 127.5 - 1.0)

    def measure(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """The same for float [n, c, h, w] in [-1, 1]."""
        features = self.layers(images).mean((2, 3))
        return features, self.head(features)


def train_features(
    train: Dataset, recipe: FeatureRecipe, seed: int, threads: int, report: Callable[[int, float, float], None]
) -> FeatureNetwork:
    """Train a classifier of `train` on the CPU: AdamW, one cosine from `lr` to zero, averaged weights.

    It is trained in bf16 if the processor has instructions for it, otherwise in fp32.

    Args:
        train: images with classes.
        recipe: length, learning rate and augmentation.
        seed: of all random numbers.
        threads: number per operator.
        report: called every hundred steps with images seen, the loss, and the accuracy.

    Returns:
        The averaged network, ready to be evaluated.
    """
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    size = ImageSize(*train.images.shape[1:])
    network = FeatureNetwork(size.channels, len(train.classes)).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    average: FeatureNetwork = deepcopy(network).requires_grad_(False)
    optimizer = torch.optim.AdamW(network.parameters(), recipe.lr, weight_decay=recipe.weight_decay, fused=True)
    batches = Batches(train, recipe.batch_size, seed, torch.device("cpu"))
    steps = recipe.epochs * len(train.images) // recipe.batch_size
    bf16 = choose_precision("auto", "cpu") == "bf16"
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = recipe.lr * _rate(step / steps)
        images, labels = batches.at(step * recipe.batch_size).values()
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            _, logits = network.measure(moved(images, recipe))
        loss = cross_entropy(logits.float(), labels)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        _update(average, network, min(recipe.average, step / (step + 10)))
        if step % 100 == 99 or step == steps - 1:
            right = (logits.argmax(1) == labels).float().mean().item()
            report((step + 1) * recipe.batch_size, loss.item(), right)
    average.eval()
    return average


@torch.no_grad()
def moved(images: Tensor, recipe: FeatureRecipe) -> Tensor:
    """Rotate, scale, shift and optionally mirror each image at random; float [n, c, h, w] in [-1, 1]."""
    n = len(images)
    chance = torch.rand(5, n) * 2 - 1
    angle, zoom = chance[0] * math.radians(recipe.turn), 1 + chance[1] * recipe.zoom
    mirror = torch.sign(chance[4]) if recipe.mirror else torch.ones(n)
    cos, sin = torch.cos(angle) * zoom, torch.sin(angle) * zoom
    shift_x, shift_y = chance[2:4] * 2 * recipe.shift
    theta = torch.stack([cos * mirror, -sin, shift_x, sin * mirror, cos, shift_y], 1).view(n, 2, 3)
    grid = affine_grid(theta, list(images.shape), align_corners=False)
    # the padding is zero, which must be the background, black
    return grid_sample(images + 1.0, grid, align_corners=False) - 1.0


@torch.no_grad()
def accuracy(network: FeatureNetwork, test: Dataset) -> float:
    """Accuracy of the network on `test`, 0 to 1."""
    right = 0
    for first in range(0, len(test.images), TEST_BATCH):
        images = torch.from_numpy(test.images[first : first + TEST_BATCH].copy())
        labels = torch.from_numpy(test.labels[first : first + TEST_BATCH])
        right += int((network(images)[1].argmax(1) == labels).sum())
    return right / len(test.images)


def _rate(progress: float) -> float:
    """Learning rate factor: a short linear warm-up, then a cosine decay to zero."""
    return min(1.0, progress / 0.05) * 0.5 * (1.0 + math.cos(math.pi * progress))


@torch.no_grad()
def _update(average: nn.Module, network: nn.Module, keep: float) -> None:
    for old, new in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
        if old.is_floating_point():
            old.lerp_(new, 1.0 - keep)


def _convolution(inputs: int, outputs: int, stride: int) -> tuple[nn.Module, ...]:
    return nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()
