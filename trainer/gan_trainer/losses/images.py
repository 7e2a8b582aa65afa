"""Losses of enlarged images beside the true ones, float [n, c, h, w] in [0, 1]: pure functions."""

from collections.abc import Callable, Sequence

from torch import Tensor
from torch.nn.functional import avg_pool2d, l1_loss, pixel_unshuffle

Features = Callable[[Tensor], Sequence[Tensor]]
POOLED = 8  # blocks of scale x scale pixels, a side, over which a grid is averaged


def perceptual_loss(features: Features, images: Tensor, truth: Tensor) -> Tensor:
    """The mean L1 distance of features (Johnson et al. 2016; before the activation: Wang et al. 2018, section 3.3).

    Args:
        features: images -> maps float [n, d, h', w'] of one or more layers, which count alike.
        images: gradients pass to them.
        truth: no gradients pass to it.
    """
    return feature_distance(features(images), features(truth.detach()))


def feature_distance(maps: Sequence[Tensor], others: Sequence[Tensor]) -> Tensor:
    """The mean L1 distance of maps float [n, d, h', w'] of one or more layers, which count alike."""
    distances = [l1_loss(here, there.detach()) for here, there in zip(maps, others, strict=True)]
    return sum(distances[1:], distances[0]) / len(distances)


def phase_loss(images: Tensor, truth: Tensor, scale: int) -> Tensor:
    """How much the error depends on the position within blocks of scale x scale pixels: a grid in the image.

    The error is averaged over areas of 8 x 8 blocks (fewer in small images) for each of the scale^2 positions; the loss
    is the mean absolute difference of these means to their mean over the positions. Details of the image average out.
    """
    n, c = images.shape[:2]
    phases = pixel_unshuffle(images - truth, scale)  # [n, c * scale^2, h, w]
    means = avg_pool2d(phases, min(POOLED, *phases.shape[2:])).reshape(n, c, scale**2, -1)
    grid: Tensor = means - means.mean(2, keepdim=True)
    return grid.abs().mean()
