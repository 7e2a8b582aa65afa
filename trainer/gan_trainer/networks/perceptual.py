"""Networks whose features compare images: VGG19, and the convolutions of the project's general features."""

from collections.abc import Sequence
from pathlib import Path

import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from gan_runtime.errors import InputError
from gan_runtime.model_file import read_model_file
from gan_trainer.networks.weights import fill, load_weights

VGG19 = (64, 64, 0, 128, 128, 0, 256, 256, 256, 256, 0, 512, 512, 512, 512, 0, 512, 512, 512, 512)  # 0: maximum pool
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of the images that VGG19 was trained on
LARGEST_VGG = 600 * 10**6  # bytes of torchvision's file, which has the classifier, too
STAGES = (32, 64, 128, 256)  # channels
NAMES = "convolutions."  # of these convolutions in the file of general features


class Vgg19(nn.Module):
    """Images float [n, 1 or 3, h, w] in [0, 1] -> (the last convolution before its ReLU,), float [n, 512, h', w'].

    `conv5_4` of Simonyan and Zisserman 2015, with the names of torchvision. The sides are at least 16 pixels.
    """

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inputs = 3
        for width in VGG19:
            layers += [nn.Conv2d(inputs, width, 3, padding=1), nn.ReLU(inplace=True)] if width else [nn.MaxPool2d(2)]
            inputs = width or inputs
        self.features = nn.Sequential(*layers[:-1])

    def forward(self, images: Tensor) -> Sequence[Tensor]:
        """See the class."""
        mean, deviation = (images.new_tensor(values)[:, None, None] for values in (MEAN, DEVIATION))
        return (self.features((images - mean) / deviation),)


class StageFeatures(nn.Module):
    """Images float [n, 1 or 3, h, w] in [0, 1] -> the maps of all stages but the first, before their last ReLU.

    The stages are those of `features.convolutions`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stages = new_stages()

    def forward(self, images: Tensor) -> Sequence[Tensor]:
        """See the class."""
        x, maps = 2 * images.expand(-1, 3, -1, -1) - 1, []
        for stage in self.stages:
            assert isinstance(stage, nn.Sequential)
            x = stage[:-1](x)
            maps.append(x)
            x = stage[-1](x)
        return maps[1:]


def new_stages() -> nn.ModuleList:
    """Convolutions of 3x3 and ReLU: the first one of every stage has stride 2; the middle stages have two."""
    stages, inputs = [], 3
    for index, width in enumerate(STAGES):
        layers = [nn.Conv2d(inputs, width, 3, 2, 1), nn.ReLU()]
        if 0 < index < len(STAGES) - 1:
            layers += [nn.Conv2d(width, width, 3, 1, 1), nn.ReLU()]
        stages.append(nn.Sequential(*layers))
        inputs = width
    return nn.ModuleList(stages)


def load_vgg19(path: Path) -> Vgg19:
    """VGG19 with the weights of torchvision's file, without gradients.

    Raises:
        InputError: the file cannot be read, or has other weights.
    """
    network = Vgg19()
    known = network.state_dict()
    found = {name: value for name, value in load_weights(path, LARGEST_VGG).items() if name in known}
    try:
        fill(network, found, path)
    except InputError as error:
        raise InputError(f"{error}; give torchvision's vgg19-dcbb9e9d.pth") from None
    return network.eval().requires_grad_(False)


def load_stages(path: Path) -> StageFeatures:
    """The convolutions of a file of general features, without gradients. Raises ModelError for a damaged file."""
    graph = onnx.load_from_string(read_model_file(path).content).graph
    values = {tensor.name: tensor for tensor in graph.initializer}
    network = StageFeatures()
    arrays = {name: numpy_helper.to_array(values[NAMES + name]) for name in network.state_dict()}
    network.load_state_dict({name: torch.from_numpy(array.copy()) for name, array in arrays.items()})
    return network.eval().requires_grad_(False)
