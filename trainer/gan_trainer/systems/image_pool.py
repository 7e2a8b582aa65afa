"""The history of generated images of Shrivastava et al. 2017, section 2.3, by the rule of Zhu et al. 2017."""

from typing import Any

import torch
from torch import Tensor, nn


class ImagePool(nn.Module):
    """Up to `size` generated images, some of which a discriminator sees in place of new ones.

    Attributes:
        images: float [k, c, h, w], a buffer: it is saved with the run. It is empty, [0], before the first image.
    """

    images: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size
        self.register_buffer("images", torch.empty(0))

    @torch.no_grad()
    def forward(self, new: Tensor) -> Tensor:
        """A batch to show instead of `new`, float [n, c, h, w].

        A pool with room keeps each new image, and shows it. A full one shows it with probability 1/2; else it shows a
        random one of its images, and keeps the new one in its place.
        """
        return torch.stack([self._shown(image) for image in new]) if self.size else new

    def _shown(self, image: Tensor) -> Tensor:
        if len(self.images) < self.size:
            self.images = torch.cat([self.images.view(-1, *image.shape), image[None]])
            return image
        if torch.rand(()) < 0.5:
            return image
        index = int(torch.randint(self.size, ()))
        shown = self.images[index].clone()
        self.images[index] = image
        return shown

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *arguments: Any) -> None:
        """As many images as there are in `state_dict`. Called by torch."""
        self.images = torch.empty_like(state_dict[prefix + "images"], device=self.images.device)
        super()._load_from_state_dict(state_dict, prefix, *arguments)
