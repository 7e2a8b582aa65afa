"""Networks that enlarge images: float [n, c, h, w] in [0, 1] -> float [n, c, scale h, scale w] around [0, 1].

All are convolutional and take images of any size whose sides are multiples of `multiple`. Names of weights are those of
published checkpoints. The export reads the attributes of `Upscaler`.
"""

from gan_trainer.networks.upscaling.compact import Compact
from gan_trainer.networks.upscaling.edsr import Edsr
from gan_trainer.networks.upscaling.rrdb import Rrdb
from gan_trainer.networks.upscaling.upscaler import Upscaler

__all__ = ["UPSCALERS", "Compact", "Edsr", "Rrdb", "Upscaler", "new_upscaler"]

UPSCALERS: dict[str, type[Compact | Edsr | Rrdb]] = {"compact": Compact, "edsr": Edsr, "rrdb": Rrdb}


def new_upscaler(network: str, scale: int, channels: int, width: int, blocks: int) -> Upscaler:
    """A new network of the table `UPSCALERS`.

    Args:
        network: its name.
        scale: factor of the sides.
        channels: of the images, 1 or 3.
        width: channels of the features.
        blocks: convolutions of `compact`, residual blocks of the others.
    """
    return UPSCALERS[network](scale, channels, width, blocks)
