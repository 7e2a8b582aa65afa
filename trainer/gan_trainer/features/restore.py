"""A file of general features -> the torch module that it was exported from."""

from pathlib import Path

import onnx
import torch
from onnx import numpy_helper

from gan_runtime.errors import ModelError
from gan_runtime.model_file import read_model_file
from gan_trainer.features.general import GeneralFeatures

CLASSIFIED = "general."  # in the names of a `ClassifiedFeatures`
WIDTHS = ("wavelet_projection.bias", "convolution_projection.bias")


def load_features_module(path: str | Path) -> GeneralFeatures:
    """The network in `path`, such as `gan_runtime.evaluation.networks.general_features()`, as a module for losses.

    Of a file with classes (`ClassifiedFeatures`) the features are taken, and the classifier is left out.

    Files contain the names of the state dict, so that only the file is needed. Parameters have no gradients, but
    pixels do: `module.measure` takes float [n, 3, SIDE, SIDE] in [-1, 1].

    Raises:
        ModelError: the file is damaged, or holds another network.
    """
    file = read_model_file(path)
    if file.external_data:
        raise ModelError(f"{path}: refers to data in other files")
    graph = onnx.load_from_string(file.content).graph
    values = {
        tensor.name.removeprefix(CLASSIFIED): torch.from_numpy(numpy_helper.to_array(tensor).copy())
        for tensor in graph.initializer
    }
    try:
        module = GeneralFeatures(tuple(len(values[name]) for name in WIDTHS))  # type: ignore[arg-type]  # there are two
        module.load_state_dict({name: values[name] for name in module.state_dict()})
    except (KeyError, RuntimeError) as error:
        reason = f"{error.args[0]}".splitlines()[0]
        raise ModelError(
            f"{path}: is not a file of general features of this version ({reason}); use any.onnx of this version, "
            "or a file that gan-features trained"
        ) from None
    return module.eval().requires_grad_(False)
