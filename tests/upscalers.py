"""Small upscalers, made node by node: nearest enlargement, then the mean of 3 x 3 pixels of the result."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto
from onnx.helper import make_node
from translators import CONSTANTS, save_network

from gan_runtime.manifest import CHANNEL_ORDERS, ImageAxes, Tiling, UpscaleManifest

CONTEXT = 1  # pixels of the input


def upscaler(path: str | Path, scale: int = 2, channels: int = 3, gives: int | None = None, **about: Any) -> Path:
    """Write an upscaler for images of any size; `about` are fields of its manifest, `gives` what its graph does."""
    any_size = ImageAxes(None, None, channels)
    fields: dict[str, Any] = {
        "name": "nearest",
        "source": any_size,
        "output": any_size,
        "network": Tiling(context=CONTEXT, norm="none"),
        "scale": scale,
        "channel_order": CHANNEL_ORDERS.get(channels, "RGB"),
    }
    nodes = [
        make_node("Cast", ["source"], ["pixels"], to=TensorProto.FLOAT),
        make_node("Transpose", ["pixels"], ["planes"], perm=[0, 3, 1, 2]),
        make_node(
            "Resize",
            ["planes", "", "scales"],
            ["enlarged"],
            mode="nearest",
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        ),
        make_node("Pad", ["enlarged", "border"], ["padded"], mode="edge"),
        make_node("AveragePool", ["padded"], ["mean"], kernel_shape=[3, 3]),
        make_node("Transpose", ["mean"], ["values"], perm=[0, 2, 3, 1]),
        make_node("Round", ["values"], ["rounded"]),
        make_node("Clip", ["rounded", "low", "high"], ["clipped"]),
        make_node("Cast", ["clipped"], ["images"], to=TensorProto.UINT8),
    ]
    factor = gives or scale
    return save_network(
        path,
        nodes,
        UpscaleManifest(**fields | about),
        CONSTANTS | {"scales": np.array([1, 1, factor, factor], np.float32)},
    )


def enlarged(images: NDArray[np.uint8], scale: int) -> NDArray[np.uint8]:
    """What `upscaler` computes, by NumPy: uint8 [n, h, w, c] -> uint8 [n, scale h, scale w, c]."""
    nearest = images.repeat(scale, axis=1).repeat(scale, axis=2).astype(np.float32)
    height, width = nearest.shape[1:3]
    padded = np.pad(nearest, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
    total = sum(padded[:, y : y + height, x : x + width] for y in range(3) for x in range(3))
    found: NDArray[np.uint8] = np.rint(total / np.float32(9)).clip(0, 255).astype(np.uint8)
    return found
