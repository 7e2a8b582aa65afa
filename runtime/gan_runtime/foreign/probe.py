"""Run a generator without a manifest to determine layout, range and classes, and whether its images are repeatable.

The first images of seed 0 are used, never those of a request, so the result does not depend on the request.
"""

import re
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gan_runtime.errors import DeviceError, ModelError
from gan_runtime.foreign.assumptions import LAYOUTS, Assumptions
from gan_runtime.foreign.operators import operator_of
from gan_runtime.foreign.pixels import Pixels, check_finite, find_range
from gan_runtime.foreign.ports import Ports, choose_ports
from gan_runtime.foreign.shapes import IMAGE_SHAPES, NCHW, describe_port, find_layout
from gan_runtime.latents import default_labels, draw_latents
from gan_runtime.manifest import ImageSize, Labels, Latents
from gan_runtime.model_file import ModelFile, Port
from gan_runtime.onnx_runtime import Providers
from gan_runtime.records import record
from gan_runtime.request import pad
from gan_runtime.session import Session, open_session, run_session
from gan_runtime.signature import GeneratorSignature
from gan_runtime.threads import Workers

TOGETHER = 3  # fewest images per run: the middle one has neighbours on both sides
LEAST, MOST, VALUES = 9, 64, 64 * 64 * 64 * 3  # number of images to examine: few large ones, many small ones
TOLERANCE = 1  # in pixel values: rounding depends on the batch size
NO_LABEL = 2**31 - 1


@record(frozen=True)
class Foreign:
    """How to run a file without a manifest, and the observed values."""

    ports: Ports
    latents: Latents
    pixels: Pixels
    size: ImageSize
    fixed_batch: int | None
    repeatable: bool
    seen: tuple[float, float]
    images_seen: int
    alpha: bool

    @property
    def labels(self) -> Labels | None:
        """The classes, without names; None for an unconditional generator."""
        return Labels(self.ports.classes, ()) if self.ports.classes else None

    def report(self) -> dict[str, Any]:
        """The assumptions, for JSON; equal assumptions give equal images."""
        ports = self.ports
        facts: dict[str, Any] = {
            "latents": {"input": ports.latents.name, "dim": ports.dim, "distribution": self.latents.distribution},
            "images": {
                "output": ports.images.name,
                "layout": self.pixels.layout,
                "range": [self.pixels.black, self.pixels.white],
            },
            "inputs": {port.name: value for port, value in ports.constants},
            "repeatable": self.repeatable,
        }
        if ports.labels:
            facts["labels"] = {"input": ports.labels.name, "classes": ports.classes}
        return facts

    def remark(self) -> str:
        """The assumptions as text, with the observed values."""
        ports, pixels = self.ports, self.pixels
        distribution = {"normal": "N(0, 1)", "uniform": "U(-1, 1)"}[self.latents.distribution]
        told = [f"no manifest: taking {ports.latents.name!r} for {ports.dim} latents from {distribution}"]
        if ports.labels:
            told.append(f"{ports.labels.name!r} for labels of {ports.classes} classes")
        told += [f"{value:g} for {port.name!r}" for port, value in ports.constants if 0 not in port.shape]
        told.append(f"{ports.images.name!r} for {pixels.layout} images in [{pixels.black:g}, {pixels.white:g}]")
        if self.alpha:
            told.append("alpha laid over white")
        if self.fixed_batch:
            told.append(f"{self.fixed_batch} at a time")
        if not self.repeatable:
            told.append("NOT REPEATABLE: its images differ from run to run or with their batch")
        low, high = self.seen
        found = f"its first {self.images_seen} images have values from {low:.3g} to {high:.3g}"
        return f"{', '.join(told)}; {found}, what lies outside is clipped; flags say otherwise, as --range=-1:1"


@record(frozen=True, kw_only=True)
class ForeignSignature(GeneratorSignature):
    """How to feed a generator without a manifest and read its output."""

    foreign: Foreign

    def feeds(self, rows: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """As of a file with a manifest, in the shapes and types that the graph takes."""
        return self.foreign.ports.feeds(rows["latents"], rows.get("labels"))

    def read(self, output: NDArray[Any]) -> NDArray[Any]:
        """The output as images. Raises ModelError if it is not finite."""
        return self.foreign.pixels(output)


def open_foreign(
    model: ModelFile, device: str, workers: Workers, assumptions: Assumptions | None, providers: Providers | None
) -> tuple[Session, GeneratorSignature]:
    """Open a file without a manifest on `device`, and determine how to run it.

    Raises:
        ModelError: the file is not a generator, or is ambiguous; see `choose_ports` and `examine`.
        DeviceError, InputError: as `open_session`; or `assumptions` do not fit the file.
    """
    assumptions = assumptions or Assumptions()
    ports = choose_ports(model, assumptions)
    session = open_session(model, device, threads=1, providers=providers)
    found = examine(model, session, workers, ports, assumptions)
    signature = ForeignSignature(
        latents=found.latents,
        labels=found.labels,
        output=found.size,
        output_name=ports.images.name,
        fixed_batch=found.fixed_batch,
        assumed=found.remark(),
        read_as=found.report(),
        foreign=found,
    )
    return session, signature


def examine(model: ModelFile, session: Session, workers: Workers, ports: Ports, assumptions: Assumptions) -> Foreign:
    """Run `model` a few times, and determine the layout and range of its images.

    Raises:
        ModelError: the output is not images, has an ambiguous range, is not finite, or is not repeatable.
        DeviceError: the device fails.
    """
    if ports.labels and ports.classes is None:
        ports = replace(ports, classes=_count_classes(model, session, ports))
    latents = Latents(ports.dim, assumptions.distribution or "normal")
    probe = _Probe(model, session, workers, ports, latents, ports.fixed_batch)
    alone = probe.run(1, 1)
    layout = _layout(model, ports.images, alone.shape, assumptions)
    probe, values = probe.look(_count(alone) if assumptions.range is None else TOGETHER)
    check_finite(values, model.path)
    operator = operator_of(model, ports.images.name)
    pixels = Pixels(model.path, layout, *(assumptions.range or find_range(values, operator, model.path)))
    image = pixels(alone)
    same = _differ(pixels(values[1:2]), image) <= TOLERANCE
    if not (same or assumptions.unrepeatable):
        raise _unrepeatable(model, by_itself=_differ(pixels(probe.run(1, 1)), image) > TOLERANCE)
    return Foreign(
        ports=ports,
        latents=latents,
        pixels=pixels,
        size=ImageSize(*image.shape[1:]),
        fixed_batch=probe.fixed_batch,
        repeatable=same and not model.random_ops,
        seen=(float(values.min()), float(values.max())),
        images_seen=len(values),
        alpha=len(alone.shape) == 4 and alone.shape[1 if layout == NCHW else 3] == 4,
    )


@record(frozen=True)
class _Probe:
    """Runs of the images of seed 0."""

    model: ModelFile
    session: Session
    workers: Workers
    ports: Ports
    latents: Latents
    fixed_batch: int | None

    def run(self, first: int, count: int) -> NDArray[Any]:
        """The output of the graph for the images first .. first + count - 1 in one run."""
        z = draw_latents(0, first, count, self.latents.dim, self.latents.distribution)
        y = default_labels(first, count, self.ports.classes) if self.ports.classes else None
        if self.fixed_batch:
            z, y = pad(z, self.fixed_batch), None if y is None else pad(y, self.fixed_batch)
        output: NDArray[Any]
        feeds = self.ports.feeds(z, y)
        (output,) = run_session(self.model, self.session, [self.ports.images.name], feeds, count)
        if output.ndim == 0 or len(output) != len(z):
            raise ModelError(f"{self.model.path}: gives {list(output.shape)} for {len(z)} latents")
        return output[:count]

    def look(self, count: int) -> "tuple[_Probe, NDArray[Any]]":
        """The first `count` images, several per run; one per run if the graph requires that."""
        try:
            return self, self._together(count)
        except (DeviceError, ModelError):
            if self.fixed_batch:
                raise
            one = replace(self, fixed_batch=1)
            return one, one._together(count)

    def _together(self, count: int) -> NDArray[Any]:
        size = self.fixed_batch or max(TOGETHER, -(-count // self.workers.threads))
        starts = range(0, count, size)
        return np.concatenate(self.workers.map(self.run, starts, (min(size, count - start) for start in starts)))


def _count(image: NDArray[Any]) -> int:
    """The number of images to examine; the range of bytes is known."""
    return TOGETHER if image.dtype == np.uint8 else min(max(VALUES // image.size, LEAST), MOST)


def _count_classes(model: ModelFile, session: Session, ports: Ports) -> int:
    """The number of classes, from the error of ONNX Runtime on a CPU for a label that is out of range."""
    if session.device != "cpu":
        session = open_session(model, "cpu", threads=1)
    n = ports.fixed_batch or 1
    labels = np.full(n, NO_LABEL, np.int64)
    try:
        run_session(model, session, [ports.images.name], ports.feeds(np.ones((n, ports.dim), np.float32), labels), n)
    except DeviceError as error:
        found = re.search(r"inclusive range \[-\d+, ?(\d+)\]", str(error))
        if found:
            return int(found[1]) + 1
    assert ports.labels
    raise ModelError(
        f"{model.path}: not made by gan-export, and does not show how many classes the labels "
        f"{describe_port(ports.labels)} have; say it with --classes"
    )


def _layout(model: ModelFile, port: Port, shape: tuple[int, ...], assumptions: Assumptions) -> str:
    if len(port.shape) not in (0, len(shape)) or any(
        isinstance(axis, int) and axis != size for axis, size in zip(port.shape[1:], shape[1:], strict=False)
    ):
        raise ModelError(f"{model.path}: gives {list(shape)} where {describe_port(port)} is declared; export it again")
    layout = find_layout(shape, assumptions.layout)
    if layout is None:
        ways = ["export it with a Reshape at the end that gives such images"]
        ways += ["name another output with --images-output"] * (len(model.outputs) > 1)
        ways += ["say another --layout"] * any(find_layout(shape, layout) for layout in LAYOUTS)
        raise ModelError(
            f"{model.path}: not made by gan-export, and {port.name!r} gives {list(shape)}, which are no "
            f"{IMAGE_SHAPES}; {', or '.join(ways)}"
        )
    return layout


def _differ(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> int:
    return int(np.abs(a.astype(np.int16) - b).max())


def _unrepeatable(model: ModelFile, *, by_itself: bool) -> ModelError:
    what = (
        "gives another image for the same latent at every run (random numbers in the graph?)"
        if by_itself
        else "gives an image that depends on the others in its batch (batch statistics in training mode?)"
    )
    return ModelError(
        f"{model.path}: {what}; export the network again in eval mode, or take it as it is with --unrepeatable"
    )
