"""How far a drawn image is from a picture: in its pixels, and in the project's general features."""

from collections.abc import Callable

import torch
from torch import Tensor

from gan_runtime.evaluation.networks import general_features
from gan_trainer.losses.images import Features, feature_distance
from gan_trainer.networks.perceptual import StageFeatures, load_stages

WEIGHT = 0.1  # of the distance of features
Distance = Callable[[Tensor], Tensor]
"""Images float [1, c, h, w] around [-1, 1] -> their distance from a picture, a scalar."""


def new_features(device: str) -> StageFeatures:
    """The network of `distance_to`. Raises ModelError where its file is missing."""
    return load_stages(general_features()).to(device)


def distance_to(picture: Tensor, features: Features) -> Distance:
    """The mean squared difference of pixels, and the mean absolute one of features (`feature_distance`).

    Args:
        picture: float [1, c, h, w] in [-1, 1].
        features: images in [0, 1] -> maps.
    """
    with torch.no_grad():
        there = features((picture + 1) / 2)

    def distance(images: Tensor) -> Tensor:
        seen = as_seen(images, picture)
        pixels = (seen - picture).square().mean()
        return pixels + WEIGHT * feature_distance(features((seen + 1) / 2), there)

    return distance


def as_seen(images: Tensor, picture: Tensor) -> Tensor:
    """`images` with the values of `picture` where both are black or both white: files clip what is beyond."""
    beyond = ((picture >= 1) & (images > 1)) | ((picture <= -1) & (images < -1))
    return torch.where(beyond, picture, images)
