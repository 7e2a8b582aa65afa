"""Identify the inputs and outputs of a graph without a manifest."""

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gan_runtime.errors import InputError, ModelError
from gan_runtime.foreign.assumptions import LAYOUTS, Assumptions
from gan_runtime.foreign.shapes import (
    BOOL,
    DTYPES,
    FLOATS,
    IMAGE_SHAPES,
    INTEGERS,
    NCHW,
    describe_port,
    dtype,
    find_layout,
    is_called_labels,
    is_empty,
    is_index,
    is_labels,
    is_one_hot,
    is_row,
    is_truncation,
    label_rows,
    row_shape,
    width,
)
from gan_runtime.model_file import ModelFile, Port, check_repeatable

IMAGES = re.compile(r"ima?ge?s?(?![a-z])|picture|sample|fake", re.IGNORECASE)


@dataclass(frozen=True)
class Ports:
    """The inputs and outputs of a generator, as far as its graph shows them."""

    latents: Port
    dim: int
    labels: Port | None
    classes: int | None
    """None if there are no labels, or if only a run can show the number of classes."""
    constants: tuple[tuple[Port, float], ...]
    images: Port

    @property
    def fixed_batch(self) -> int | None:
        """The batch size that the graph declares; None if it takes any."""
        axes = (port.shape[0] for port in (self.latents, self.labels, self.images) if port and port.shape)
        return next((axis for axis in axes if isinstance(axis, int)), None)

    def feeds(self, z: NDArray[np.float32], y: NDArray[np.int64] | None) -> dict[str, NDArray[Any]]:
        """The inputs of the graph for latents float32 [n, dim], and labels int64 [n] if it takes them."""
        found = {self.latents.name: z.reshape(len(z), *row_shape(self.latents, self.dim)).astype(dtype(self.latents))}
        if self.labels is not None and y is not None:
            found[self.labels.name] = label_rows(self.labels, y, self.classes or 0)
        for port, value in self.constants:
            shape = [axis if isinstance(axis, int) else len(z) for axis in port.shape]
            found[port.name] = np.full(shape, value, dtype(port))
        return found


def choose_ports(model: ModelFile, assumptions: Assumptions) -> Ports:
    """The inputs and outputs of `model`, as they are unambiguous or stated.

    Raises:
        ModelError: the graph is ambiguous (the message lists its inputs and outputs and the option that decides), or it
            draws random numbers.
        InputError: `assumptions` names an input or output that does not exist or does not fit.
    """
    if not assumptions.unrepeatable:
        check_repeatable(model, ", or take it as it is with --unrepeatable")
    left = {port.name: port for port in model.inputs}
    constants = [(_take(left, name, "--input", model), value) for name, value in assumptions.inputs.items()]
    constants += [(left.pop(port.name), 1.0) for port in model.inputs if port.name in left and is_truncation(port)]
    constants += [(left.pop(port.name), 0.0) for port in model.inputs if port.name in left and is_empty(port)]
    labels = _take(left, assumptions.labels_input, "--labels-input", model) if assumptions.labels_input else None
    latents = _take(left, assumptions.latents_input, "--latents-input", model) if assumptions.latents_input else None
    labels = labels or _only(left, [port for port in left.values() if is_index(port)])
    if latents is None:
        rows = [port for port in left.values() if is_row(port)]
        latents = _only(left, [port for port in rows if not is_called_labels(port)] or rows)
    if latents is None:
        raise _unclear(model, "which input takes the latents", "--latents-input")
    labels = labels or _only(left, [port for port in left.values() if is_labels(port)])
    if left:
        raise _unclear(model, f"what {', '.join(map(repr, left))} takes", "--labels-input or --input NAME=VALUE")
    _check_types(latents, labels, [port for port, _ in constants])
    dim = _agreed(model, width(latents), assumptions.latent_dim, "--latent-dim")
    if dim is None:
        raise _unclear(model, f"how many values a latent for {latents.name!r} has", "--latent-dim")
    return Ports(
        latents,
        dim,
        labels,
        _classes(model, labels, assumptions.classes),
        tuple(constants),
        _images(model, assumptions),
    )


def _take(left: dict[str, Port], name: str, flag: str, model: ModelFile) -> Port:
    """The input called `name`, removed from `left`."""
    if name not in left:
        names = ", ".join(port.name for port in model.inputs)
        raise InputError(f"{flag} {name}: no such input, or named twice; {model.path} has the inputs {names}")
    return left.pop(name)


def _check_types(latents: Port, labels: Port | None, constants: list[Port]) -> None:
    """Raise InputError if a stated input has a type or shape that does not fit."""
    if latents.element not in FLOATS or len(latents.shape) < 2:
        raise InputError(f"--latents-input {latents.name}: takes no latents, floats [n, d]: {describe_port(latents)}")
    if labels and (labels.element not in FLOATS + INTEGERS or not labels.shape):
        raise InputError(f"--labels-input {labels.name}: takes no labels, [n] or [n, classes]: {describe_port(labels)}")
    for port in constants:
        if port.element not in DTYPES or not all(isinstance(axis, int) for axis in port.shape[1:]):
            raise InputError(f"--input {port.name}: cannot be filled with a number: {describe_port(port)}")


def _only(left: dict[str, Port], ports: list[Port]) -> Port | None:
    """The only one of `ports`, removed from `left`; None if there are more or none."""
    return left.pop(ports[0].name) if len(ports) == 1 else None


def _classes(model: ModelFile, labels: Port | None, stated: int | None) -> int | None:
    if labels is None:
        if stated is not None:
            raise InputError(f"--classes: {model.path} has no input for labels that could be made out; leave it out")
        return None
    if not is_one_hot(labels):
        return stated
    classes = _agreed(model, width(labels), stated, "--classes")
    if classes is None:
        raise _unclear(model, f"how many classes {labels.name!r} has", "--classes")
    return classes


def _agreed(model: ModelFile, found: int | None, stated: int | None, flag: str) -> int | None:
    if found is not None and stated not in (None, found):
        raise InputError(f"{flag} {stated}: {model.path} takes {found}")
    return found if found is not None else stated


def _images(model: ModelFile, assumptions: Assumptions) -> Port:
    """The output of images: the stated one, or the only one that is most like images (see `_likeness`)."""
    if assumptions.images_output is not None:
        ports = [port for port in model.outputs if port.name == assumptions.images_output]
        if not ports or ports[0].element not in DTYPES:
            outputs = ", ".join(map(describe_port, model.outputs))
            raise InputError(
                f"--images-output {assumptions.images_output}: no such output of numbers; there are {outputs}"
            )
        return ports[0]
    ranks = {port: _likeness(port, assumptions) for port in model.outputs}
    if not any(ranks.values()):
        outputs = ", ".join(map(describe_port, model.outputs)) or "none"
        if any(_likeness(port, Assumptions()) for port in model.outputs):
            raise InputError(
                f"--layout {assumptions.layout}: {model.path} has no output that can be so; there are {outputs}"
            )
        raise ModelError(
            f"{model.path}: not made by gan-export, and none of its outputs is {IMAGE_SHAPES}; export it with a "
            f"Reshape at the end that gives such images (outputs: {outputs})"
        )
    ports = [port for port, rank in ranks.items() if rank is not None and rank == min(filter(None, ranks.values()))]
    if len(ports) > 1:
        ports = [port for port in ports if IMAGES.search(port.name)]
    if len(ports) != 1:
        raise _unclear(model, f"which output is {IMAGE_SHAPES}", "--images-output")
    return ports[0]


def _likeness(port: Port, assumptions: Assumptions) -> int | None:
    """How well an output fits images: 1 for four axes with a fixed number of channels is best; None if not at all."""
    layout = find_layout(port.shape, assumptions.layout)
    if port.element not in DTYPES or port.element == BOOL:
        return None
    if layout in LAYOUTS:
        return 1 if isinstance(port.shape[1 if layout == NCHW else 3], int) else 2
    return 3 if layout else None if port.shape else 4


def _unclear(model: ModelFile, what: str, flag: str) -> ModelError:
    inputs, outputs = (", ".join(map(describe_port, ports)) or "none" for ports in (model.inputs, model.outputs))
    return ModelError(
        f"{model.path}: not made by gan-export, and its graph does not show {what}; say it with {flag} "
        f"(inputs: {inputs}; outputs: {outputs})"
    )
