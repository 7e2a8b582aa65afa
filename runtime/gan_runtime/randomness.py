"""Which graphs draw random numbers: their images cannot be repeated, whatever the seed."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gan_runtime.errors import ModelError

if TYPE_CHECKING:
    from gan_runtime.model_file import ModelFile

DOMAINS = ("", "ai.onnx", "com.microsoft")
OPERATORS = {
    "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Bernoulli", "Multinomial",
}  # fmt: skip
TRAINING_MODE = {"Dropout": 2, "BitmaskDropout": 2, "BiasDropout": 4, "BitmaskBiasDropout": 4}
"""Operators that draw where they are given an input `training_mode`, and which of their inputs that is."""


def draws_random_numbers(domain: str, operator: str, inputs: Sequence[object]) -> bool:
    """Whether a node of this operator with these inputs, empty where one is left out, draws random numbers."""
    place = TRAINING_MODE.get(operator)
    trains = place is not None and len(inputs) > place and bool(inputs[place])
    return domain in DOMAINS and (operator in OPERATORS or trains)


def random_numbers(model: "ModelFile", or_else: str = "") -> ModelError:
    """The error about a graph that draws random numbers; `or_else` is another way out than a new export."""
    operators = ", ".join(sorted(model.random_ops))
    return ModelError(
        f"{model.path}: its graph draws random numbers ({operators}), so that nothing it gives can be repeated; "
        f"export the network again in eval mode, with random numbers as inputs{or_else}"
    )
