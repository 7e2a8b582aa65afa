"""Check the packages that the commands of the trainer need, before they import torch."""

import os
import sys
from importlib.util import find_spec

from gan_runtime.errors import GanEdgeError


def require(command: str, tensorboard: bool = False) -> None:
    """Name the missing extra. Waiting threads spin only briefly: on a busy host the default costs most of the time."""
    missing = [name for name in ("torch", "onnx", "rich") if find_spec(name) is None]
    if missing:
        raise GanEdgeError(f"{command} needs {', '.join(missing)}: pip install 'gan-edge[train,cpu]'")
    if tensorboard and find_spec("tensorboard") is None:
        raise GanEdgeError("--tensorboard: TensorBoard is not installed here: pip install tensorboard")
    if "torch" not in sys.modules:
        os.environ.setdefault("GOMP_SPINCOUNT", "1000")
