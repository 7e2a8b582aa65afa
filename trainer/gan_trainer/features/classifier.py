"""General features of images with classes: the network that they come from also classifies the images."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from gan_trainer.features.general import BATCH, GeneralFeatures, statistics

STEPS = 300
LR, WEIGHT_DECAY = 3e-3, 0.1
MOST = 10_000  # images that the classifier is fitted to


class ClassifiedFeatures(nn.Module):
    """Images uint8 [n, h, w, c], of any size, c = 1 or 3 -> features float [n, 80] and logits float [n, classes].

    The features are those of `general`. The logits are a linear function of its convolution statistics.
    """

    def __init__(self, general: GeneralFeatures, classes: int) -> None:
        super().__init__()
        self.general = general
        self.classifier = nn.Linear(general.convolutions.dim, classes)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Grey levels in, as `GeneralFeatures`."""
        pixels = self.general.resized(images) / 127.5 - 1.0
        found = self.general.convolutions(pixels)
        return self.general.project(self.general.wavelets(pixels), found), self.classifier(found)

    def fit(self, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> None:
        """Set the classifier by logistic regression on standardised statistics.

        Args:
            images: uint8 [n, SIDE, SIDE, 3]; the first `MOST` are used, so that their order should be random.
            labels: int64 [n], each less than the number of classes.
        """
        values, wanted = statistics(self.general.convolutions, images[:MOST]), torch.from_numpy(labels[:MOST])
        mean, scale = values.mean(0), 1.0 / values.std(0).clamp(min=1e-4)
        values = (values - mean) * scale
        linear = nn.Linear(values.shape[1], self.classifier.out_features)
        nn.init.zeros_(linear.weight)
        optimizer = torch.optim.AdamW(linear.parameters(), LR, weight_decay=WEIGHT_DECAY)
        for step in range(STEPS):
            optimizer.param_groups[0]["lr"] = LR * (1 - step / STEPS)
            rows = torch.randint(len(values), (4 * BATCH,))
            loss = cross_entropy(linear(values[rows]), wanted[rows])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        with torch.no_grad():
            self.classifier.weight.copy_(linear.weight * scale)
            self.classifier.bias.copy_(linear.bias - self.classifier.weight @ mean)
