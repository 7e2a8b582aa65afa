"""Compare a file of a generator with styles with torch, with and without its optional inputs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
import torch
from torch import Tensor

from gan_runtime.model_file import ModelFile
from gan_trainer.data.pixels import denormalise, to_pixels
from gan_trainer.export.generator import COMPARED
from gan_trainer.export.parity import Feeds, Output, Rows, check_parity, file_feeds, network_rows
from gan_trainer.export.probe import IMAGES, values_and_outputs
from gan_trainer.export.styled_inputs import TRUNCATIONS
from gan_trainer.export.styled_parts import TRUNCATION, Part

FEW = 5  # rows of a batch with optional inputs
STYLE_TOLERANCE = 1e-4  # relative to the largest one, or to 1 if that is larger


def check_part(part: Part, file: ModelFile, model: onnx.ModelProto, defaults: Feeds, blocks: Sequence[Feeds]) -> None:
    """Raise ExportError if `file`, made of `model`, differs from `part` or its rows depend on each other.

    Args:
        part: in torch.
        file, model: the exported ones.
        defaults: the values of the optional inputs.
        blocks: batches of all inputs. All are compared without the optional inputs, and some rows of two of them with a
            value of these inputs for each row, and with one value for all.
    """
    compared = _Comparison(part, _run(part, file, model), defaults, _outputs(part, defaults, blocks[0]))
    few = [{name: x[:FEW] for name, x in block.items()} for block in blocks[:2]]
    compared.check(blocks, {})
    if defaults:
        compared.check(few, None)
        for truncation in TRUNCATIONS if TRUNCATION in defaults else TRUNCATIONS[:1]:
            values = few[0] | {TRUNCATION: np.array([truncation], np.float32)}
            compared.check(few, {name: values[name][:1] for name in defaults})


@dataclass(frozen=True)
class _Comparison:
    part: Part
    run: Callable[[Feeds], Rows]
    defaults: Feeds
    outputs: Sequence[Output]

    def check(self, blocks: Sequence[Feeds], alone: Feeds | None) -> None:
        """Compare with the optional inputs `alone`, which are the same for all rows; None gives each row its own."""
        names = [name for name in self.part.names if alone is None or name not in self.defaults]
        alone = alone or {}
        fixed = _tensors(self.defaults | alone)

        def network(*inputs: Tensor) -> tuple[Tensor, ...]:
            return self.part.compute(fixed | dict(zip(names, inputs, strict=True)))

        def file(rows: Rows) -> Rows:
            return self.run(alone | dict(zip(names, rows, strict=True)))

        rows = [tuple(block[name] for name in names) for block in blocks]
        check_parity(network_rows(network, self.converted), file, rows, self.outputs)

    def converted(self, found: tuple[Tensor, ...]) -> list[Tensor]:
        """What torch gives, as `run` gives it."""
        if IMAGES not in self.part.outputs:
            return [*found]
        values, *others = found
        return [values.clamp(-1, 1), to_pixels(denormalise(values)), *others]


def _run(part: Part, file: ModelFile, model: onnx.ModelProto) -> Callable[[Feeds], Rows]:
    """The file as a function of inputs by name. Images come as values clipped to [-1, 1], and as pixels."""
    if IMAGES not in part.outputs:
        return file_feeds(file, [*part.outputs])
    run = values_and_outputs(file, model, [*part.outputs])

    def compute(feeds: Feeds) -> Rows:
        grey, *others = run(feeds)
        return np.clip(grey - np.float32(1), -1, 1), *others

    return compute


@torch.no_grad()
def _outputs(part: Part, defaults: Feeds, block: Feeds) -> list[Output]:
    """What is compared; differences of floats are relative to the largest one of `block`, if that is more than 1."""
    found = part.compute(_tensors({name: block[name] for name in part.names} | defaults))
    outputs = []
    for name, values in zip(part.outputs, found, strict=True):
        largest = max(1.0, values.abs().max().item())
        if name == IMAGES:
            floats, levels = COMPARED
            outputs += [Output(floats.unit, floats.tolerance * largest), levels]
        else:
            outputs.append(Output(f"of {name}", STYLE_TOLERANCE * largest))
    return outputs


def _tensors(feeds: Feeds) -> dict[str, Tensor]:
    return {name: torch.from_numpy(x.copy()) for name, x in feeds.items()}
