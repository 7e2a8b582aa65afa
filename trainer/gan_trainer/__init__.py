"""Train GANs with PyTorch and export their generators to verified ONNX files.

from gan_trainer import recipe, train

run = train("mnist", recipe("quick", images=50_000))
run.export("x.onnx")
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from gan_runtime import __version__

if TYPE_CHECKING:
    from gan_trainer.api import Observer, Run, load_settings, project, recipe, resume, train

__all__ = ["Observer", "Run", "__version__", "load_settings", "project", "recipe", "resume", "train"]


def __getattr__(name: str) -> Any:
    """Import the API on first use, so that `--version` and `--help` load no torch."""
    if name in __all__:
        return getattr(import_module("gan_trainer.api"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
