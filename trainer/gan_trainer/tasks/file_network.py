"""An exported file in place of the network that it was made of, for what measures networks."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gan_runtime.model_file import ModelFile
from gan_runtime.session import open_session
from gan_trainer.data.pixels import normalise

BATCH = 64  # images


class FileNetwork(nn.Module):
    """A file that gives images, run by ONNX Runtime on the CPU, as a network that gives the values of their pixels.

    Args:
        file: its images are uint8 [n, h, w, c].
        encode: values float [n, c, h, w] -> the pixels that the file takes; None for latents and labels.
        decode: pixels uint8 [n, h, w, c] -> values float [n, c, h, w].
    """

    def __init__(
        self,
        file: ModelFile,
        encode: Callable[[Tensor], Tensor] | None = None,
        decode: Callable[[Tensor], Tensor] = normalise,
    ) -> None:
        super().__init__()
        self.session = open_session(file, "cpu").onnx
        self.names = [port.name for port in file.inputs]
        self.encode, self.decode = encode, decode

    def forward(self, *inputs: Tensor) -> Tensor:
        """What the network would give, rounded to pixels."""
        arrays = [(x if self.encode is None else self.encode(x)).numpy() for x in inputs]
        feeds = in_batches(dict(zip(self.names, arrays, strict=True)))
        pixels = np.concatenate([self.session.run(["images"], feed)[0] for feed in feeds])
        return self.decode(torch.from_numpy(pixels))


def in_batches(rows: Mapping[str, NDArray[Any]]) -> list[dict[str, NDArray[Any]]]:
    """Inputs by name, some rows at a time."""
    total = len(next(iter(rows.values())))
    return [
        {name: np.ascontiguousarray(values[first : first + BATCH]) for name, values in rows.items()}
        for first in range(0, total, BATCH)
    ]
