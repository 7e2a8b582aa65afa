"""Adaptive augmentation of the discriminator's input (Karras et al. 2020, "Training GANs with limited data", ADA).

Real and generated images are both augmented, each operation with a probability below 1, so that the generator learns
the distribution without augmentation. The probability follows a measure of the discriminator's overfitting.
"""

from collections.abc import Collection

import torch
from torch import Tensor, nn

from gan_trainer.data.ada.colour import colours, recoloured
from gan_trainer.data.ada.draw import Draw
from gan_trainer.data.ada.geometry import blits, general
from gan_trainer.data.ada.resample import transformed

GROUPS = ("blit", "geometry", "colour")
INTERVAL = 4  # batches between changes of the probability


class Ada(nn.Module):
    """The augmentation and its probability, which is saved with the run.

    Args:
        target: mean sign of the discriminator's logits of real images. Above it, the probability rises, below it falls.
        speed: images in which the probability rises from 0 to 1.
        groups: names of `GROUPS` whose operations are used.

    Attributes:
        p: the probability of each operation, float, 0 to 1.
        signs, images, batches: sum of the signs since the last change of p, number of images and batches.
    """

    p: Tensor
    signs: Tensor
    images: Tensor
    batches: Tensor

    def __init__(self, target: float = 0.6, speed: int = 500_000, groups: Collection[str] = GROUPS) -> None:
        super().__init__()
        self.target, self.speed, self.groups = target, speed, groups
        self.register_buffer("p", torch.zeros(()))
        self.register_buffer("signs", torch.zeros(()))
        self.register_buffer("images", torch.zeros((), dtype=torch.int64))
        self.register_buffer("batches", torch.zeros((), dtype=torch.int64))

    def forward(self, images: Tensor) -> Tensor:
        """Augmented images, float [n, c, h, w]. With p = 0, they are `images`. Twice differentiable."""
        height, width = images.shape[2:]
        draw = Draw(len(images), self.p)
        still = torch.eye(3, device=images.device).expand(len(images), -1, -1)
        whole = blits(draw, height, width) if "blit" in self.groups else still
        rest = general(draw, height, width) if "geometry" in self.groups else still
        seen = transformed(images.contiguous(), whole, rest)
        return recoloured(seen, colours(draw)) if "colour" in self.groups else seen

    @torch.no_grad()
    def observe(self, logits: Tensor) -> Tensor:
        """Count the signs of the logits of a batch of real images, float [n], and change p every `INTERVAL` batches.

        Returns:
            r_t of Karras et al. 2020, equation 1, of this batch: the mean sign, a scalar from -1 to 1.
        """
        signs = logits.sign()
        self.signs += signs.sum()
        self.images += len(logits)
        self.batches += 1
        if int(self.batches) == INTERVAL:
            overfits = (self.signs / self.images - self.target).sign()
            self.p.add_(overfits * self.images / self.speed).clamp_(0, 1)
            for total in (self.signs, self.images, self.batches):
                total.zero_()
        return signs.mean()
