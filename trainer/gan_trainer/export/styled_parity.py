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
from gan_trainer.export.parity import Compute, Feeds, Output, Rows, check_parity, compare, file_feeds, network_rows
from gan_trainer.export.probe import IMAGES, values_and_outputs
from gan_trainer.export.styled_inputs import TRUNCATIONS
from gan_trainer.export.styled_parts import NOISE, TRUNCATION, Part

FEW = 5  # rows of a batch with optional inputs
VALUES, LEVELS = COMPARED
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
    outputs = _outputs(part, defaults, blocks[0])
    names = [name for name in part.names if name not in defaults]
    _Comparison(part, _values_and_pixels(part, file, model), defaults, outputs).rows(names, blocks)
    if not defaults:
        return
    few = [{name: x[:FEW] for name, x in block.items()} for block in blocks[:2]]
    run = file_feeds(file, [*part.outputs])
    given = _Comparison(part, run, defaults, [output for output in outputs if output.unit != VALUES.unit])
    given.rows(part.names, few)
    for truncation in TRUNCATIONS if TRUNCATION in defaults else TRUNCATIONS[:1]:
        given.batch(few[0] | {TRUNCATION: np.array([truncation], np.float32), NOISE: few[0][NOISE][:1]})


@dataclass(frozen=True)
class _Comparison:
    """A part in torch and its file, as a function of inputs by name that gives `outputs`."""

    part: Part
    run: Callable[[Feeds], Rows]
    defaults: Feeds
    outputs: Sequence[Output]

    def rows(self, names: Sequence[str], blocks: Sequence[Feeds]) -> None:
        """Compare batches of the inputs `names`, whose rows belong together, by `check_parity`."""

        def file(rows: Rows) -> Rows:
            return self.run(dict(zip(names, rows, strict=True)))

        check_parity(self._torch(names), file, [tuple(block[name] for name in names) for block in blocks], self.outputs)

    def batch(self, feeds: Feeds) -> None:
        """Compare one batch, of which some inputs have one row for all."""
        given = {name: feeds[name] for name in self.part.names}
        compare(self.outputs, self.run(given), self._torch(self.part.names)((*given.values(),)))

    def _torch(self, names: Sequence[str]) -> Compute:
        """The part as a function of the inputs `names`; the others have their defaults."""
        fixed = _tensors(self.defaults)

        def network(*inputs: Tensor) -> tuple[Tensor, ...]:
            return self.part.compute(fixed | dict(zip(names, inputs, strict=True)))

        return network_rows(network, self._converted)

    def _converted(self, found: tuple[Tensor, ...]) -> list[Tensor]:
        if IMAGES not in self.part.outputs:
            return [*found]
        values, *others = found
        floats = [values.clamp(-1, 1)] if self.outputs[0].unit == VALUES.unit else []
        return [*floats, to_pixels(denormalise(values)), *others]


def _values_and_pixels(part: Part, file: ModelFile, model: onnx.ModelProto) -> Callable[[Feeds], Rows]:
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
            outputs += [Output(VALUES.unit, VALUES.tolerance * largest), LEVELS]
        else:
            outputs.append(Output(f"of {name}", STYLE_TOLERANCE * largest))
    return outputs


def _tensors(feeds: Feeds) -> dict[str, Tensor]:
    return {name: torch.from_numpy(x.copy()) for name, x in feeds.items()}
