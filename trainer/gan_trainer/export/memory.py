"""What an export of a large generator needs, before it begins: a process that runs out of memory is killed."""

from typing import Any

from gan_runtime.devices.memory import available_memory
from gan_runtime.errors import InputError
from gan_trainer.export.onnx_file import EXAMPLE_ROWS
from gan_trainer.export.styled_inputs import rows_of_images
from gan_trainer.networks.stylegan2 import StyleGenerator
from gan_trainer.networks.stylegan2.canvas import COARSEST

# Fitted to the growth of the process in exports of 64, 256 and 1,024 pixels: docs/models.md, Generators of StyleGAN2.
FIXED = 4 * 10**8  # bytes, for any network
COPIES = 17  # of the weights: of torch, the graph and the file, and of ONNX Runtime, which reorders them, too
OF_TRACE = 11 * (EXAMPLE_ROWS - 2)  # features of the largest grid: a trace keeps all that it computes of its images
OF_IMAGE = 10  # the same, for each image of a batch that is compared


def needed_memory(network: StyleGenerator) -> int:
    """Bytes that the export of a generator with styles takes, about."""
    weights = sum(value.nbytes for value in network.state_dict().values())
    maps = max(OF_TRACE, OF_IMAGE * rows_of_images(network))
    return int(FIXED + COPIES * weights + maps * _largest_maps(network))


def _largest_maps(network: StyleGenerator) -> int:
    """Bytes of the features of the grid that has most of them, for one image."""
    biases: list[Any] = [layer.bias for layer in network.synthesis.convs]
    return max((COARSEST << i) ** 2 * int(bias.nbytes) for i, bias in enumerate(biases))


def check_memory(network: StyleGenerator) -> None:
    """Raise InputError if less memory is available than an export takes."""
    refuse_more(needed_memory(network), "the export of a network of this size")


def refuse_more(needed: int, what: str) -> None:
    """Raise InputError if less than `needed` bytes of memory are available for `what`."""
    free = available_memory()
    if free is not None and needed > free:
        raise InputError(
            f"{what} takes about {needed / 1e9:.1f} GB of memory, and {free / 1e9:.1f} GB are available; end other "
            "programs, or export on a host with more"
        )
