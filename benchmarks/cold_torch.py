"""What cold_start.py compares with: torch runs a network once, and Pillow writes the picture.

    python benchmarks/cold_torch.py NETWORK.pt INPUT.npy|PICTURE|N OUTPUT

The network was saved by cold_start.py. N latents are drawn here, as gan-sample draws its own.
"""

import sys
from typing import Any

import numpy as np
import torch


def main(network: str, source: str, output: str) -> None:
    """Load, run, and write a grid of the images, a picture or an array."""
    module, dim = torch.load(network, weights_only=False)
    with torch.inference_mode():
        found = module(*_inputs(source, dim))
    if found.ndim == 2:
        np.savez(output, latents=found.numpy())
        return
    from PIL import Image

    pixels = found.mul(127.5).add(127.5).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()
    Image.fromarray(_picture(pixels).squeeze()).save(output)


def _inputs(source: str, dim: int) -> list[torch.Tensor]:
    if source.isdecimal():
        latents = torch.randn(int(source), dim, generator=torch.Generator().manual_seed(0))
        return [latents, torch.arange(int(source)) % 10]
    if source.endswith(".npy"):
        images = np.load(source)
    else:
        from PIL import Image

        with Image.open(source) as picture:
            images = np.array(picture)[None]
    return [torch.from_numpy(images).permute(0, 3, 1, 2).float().div(127.5).sub(1)]


def _picture(images: Any) -> Any:
    """Images uint8 [n, h, w, c] in a square grid, or the only one."""
    n, height, width, channels = images.shape
    side = round(n**0.5)
    rows = images.reshape(side, side, height, width, channels).swapaxes(1, 2)
    return rows.reshape(side * height, side * width, channels)


if __name__ == "__main__":
    main(*sys.argv[1:])
