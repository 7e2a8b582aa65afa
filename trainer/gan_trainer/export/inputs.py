"""The inputs of a generator. A file always takes latents [n, d] and labels [n]; the network may take other forms."""

from collections.abc import Callable
from copy import deepcopy
from itertools import product
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from gan_runtime.latents import default_labels, draw_latents
from gan_runtime.manifest import Latents
from gan_trainer.export.onnx_file import ExportError, first_line
from gan_trainer.export.parity import Rows

LATENTS, LABELS = "latents", "labels"
PROBES, MAX_VALUES = 256, 2**22  # images to compare: at most so many, with at most so many values in total
FAR = 2**40  # index of an image far from the other probes
EXTREME = 3.0  # factor for latents that are larger than those of a seed
SINGLE_CLASSES, SINGLE_ROWS = 8, 5  # how many classes get a batch of their own, and its rows

Form: TypeAlias = Callable[[Tensor], Tensor]


def as_is(rows: Tensor) -> Tensor:
    """Latents [n, d] or labels [n], the form that a file takes."""
    return rows


def as_maps(rows: Tensor) -> Tensor:
    """[n, d] as [n, d, 1, 1], for networks that begin with a convolution, as in PyTorch's DCGAN tutorial."""
    return rows[:, :, None, None]


def one_hot(classes: int) -> Form:
    """A function from labels [n] to one-hot rows, float [n, classes]."""
    table = torch.eye(classes)
    return lambda labels: nn.functional.embedding(labels, table)


class Adapted(nn.Module):
    """`network` for latents [n, d] and labels [n], which are converted to the forms that it takes."""

    def __init__(self, network: nn.Module, *forms: Form) -> None:
        super().__init__()
        self.network = network
        self.forms = forms
        self.eval()

    def forward(self, *inputs: Tensor) -> object:
        """The output of the network."""
        return self.network(*(form(x) for form, x in zip(self.forms, inputs, strict=True)))


def adapted(network: nn.Module, latents: Latents, classes: int, rows: int) -> tuple[nn.Module, object]:
    """`network` as a module that takes latents [n, d] and labels [n], and its output for `rows` rows.

    Latents are tried as [n, d] and [n, d, 1, 1], labels as int64 [n] and one-hot, float [n, classes] or
    [n, classes, 1, 1].

    Raises:
        ExportError: the network takes none of these forms.
    """
    inputs = generator_rows(0, rows, latents, classes)
    forms: list[tuple[Form, ...]] = [(as_is,), (as_maps,)]
    if classes:
        hot = one_hot(classes)
        forms = list(product((as_is, as_maps), (as_is, hot, lambda labels: as_maps(hot(labels)))))
    reasons: list[str] = []
    for form in forms:
        fed = [one(torch.from_numpy(x.copy())) for one, x in zip(form, inputs, strict=True)]
        shapes = " and ".join(f"{str(x.dtype).removeprefix('torch.')} {list(x.shape)}" for x in fed)
        try:
            with torch.no_grad():
                found = deepcopy(network)(*fed)  # the network itself stays as if it had never been called
        except Exception as error:  # a user's network may raise anything
            reasons.append(f"{shapes}: {first_line(error)}")
        else:
            return network if set(form) == {as_is} else Adapted(network, *form), found
    what = "latents and labels" if classes else "latents"
    raise ExportError(
        f"the network does not take {what} as {'; nor as '.join(reasons[:: len(reasons) // 2])}; "
        f"{f'labels are 0 to {classes - 1}; ' if classes else ''}wrap it in a module that does"
    )


def generator_rows(start: int, n: int, latents: Latents, classes: int) -> Rows:
    """The latents, and the labels if there are classes, of the images start to start + n - 1 of seed 0."""
    z = draw_latents(0, start, n, latents.dim, latents.distribution)
    return (z, default_labels(start, n, classes)) if classes else (z,)


def named_tensors(rows: Rows) -> dict[str, Tensor]:
    """`rows` as tensors, by their names in a file."""
    return {name: torch.from_numpy(x) for name, x in zip((LATENTS, LABELS), rows, strict=False)}


def usual_blocks(latents: Latents, classes: int, n: int, values: int) -> list[Rows]:
    """Batches of n images with `values` values each, as seed 0 draws them: low and high indices, all classes mixed."""
    count = max(min(PROBES, MAX_VALUES // values), 2 * n, classes)
    return [generator_rows(start, n, latents, classes) for start in (0, FAR, *range(n, count, n))]


def other_blocks(latents: Latents, classes: int, n: int) -> list[Rows]:
    """Batches of inputs from outside: large latents, those of the other distribution, and batches of a single class."""
    _, *labels = generator_rows(0, n, latents, classes)
    kinds = [EXTREME * draw_latents(1, 0, n, latents.dim, name) for name in ("normal", "uniform")]
    z = draw_latents(2, 0, SINGLE_ROWS, latents.dim, latents.distribution)
    singles = np.unique(np.linspace(0, classes - 1, min(classes, SINGLE_CLASSES)).astype(np.int64))
    return [
        *((kind.astype(np.float32), *labels) for kind in kinds),
        *((z, np.full(SINGLE_ROWS, label, np.int64)) for label in singles),
    ]
