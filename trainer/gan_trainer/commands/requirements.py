"""Check the packages that the commands of the trainer need, before they import torch."""

import os
import sys
from importlib.util import find_spec

from gan_runtime.errors import GanEdgeError

# Waiting threads spin only briefly, because on a busy host the default costs most of the time; and the profiler says
# neither that it begins nor that it ends.
BEFORE_TORCH = {"GOMP_SPINCOUNT": "1000", "KINETO_LOG_LEVEL": "99"}


def require(command: str, tensorboard: bool = False) -> None:
    """Name the missing extra, and set up the libraries of torch."""
    missing = [name for name in ("torch", "onnx", "rich") if find_spec(name) is None]
    if missing:
        raise GanEdgeError(f"{command} needs {', '.join(missing)}: pip install 'gan-edge[train,cpu]'")
    if tensorboard and find_spec("tensorboard") is None:
        raise GanEdgeError("--tensorboard: TensorBoard is not installed here: pip install tensorboard")
    if "torch" not in sys.modules:
        for name, value in BEFORE_TORCH.items():
            os.environ.setdefault(name, value)
