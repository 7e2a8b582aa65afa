"""What callers give a generator, checked against what its file takes."""

import operator
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gan_runtime.class_labels import check_labels
from gan_runtime.errors import InputError
from gan_runtime.latents import check_indices
from gan_runtime.manifest import Labels, Latents, Styles
from gan_runtime.manifest_parts import check_truncation
from gan_runtime.records import record
from gan_runtime.request import SampleRequest


@record(frozen=True)
class GeneratorInputs:
    """What the generator at `path` takes. One with `styles` has a truncation; `noise_dim` is 0 if noise is no input."""

    path: Path
    latents: Latents
    labels: Labels | None
    styles: Styles | None = None
    noise_dim: int = 0

    def request(
        self,
        n: int,
        seed: int,
        start: int,
        labels: ArrayLike | None,
        latents: ArrayLike | None,
        batch_size: int,
        truncation: ArrayLike | None = None,
        styles: ArrayLike | None = None,
    ) -> SampleRequest:
        """The checked request of `Generator.request`."""
        n, seed, start = map(operator.index, (n, seed, start))  # numpy's integers would overflow
        if n < 1:
            raise InputError(f"n {n}: must be at least 1")
        check_indices(seed, start, n)
        if styles is not None and any(given is not None for given in (latents, labels, truncation)):
            raise InputError("styles: take the place of latents, labels and truncation; leave those out")
        own_labels = None if labels is None else check_labels(labels, n, self.labels, self.path)
        own_latents = None if latents is None else self.check_latents(latents)
        own_styles = None if styles is None else self.check_styles(styles)
        for what, own in (("latents", own_latents), ("styles", own_styles)):
            if own is not None and len(own) != n:
                raise InputError(f"n {n}: there are {len(own)} {what}")
        classes = self.labels.classes if self.labels and own_styles is None else 0
        noise_of = range(start, start + n) if self.noise_dim else None
        if own_latents is not None or own_styles is not None:
            seed, start, noise_of = 0, 0, None
        return SampleRequest(
            n, seed, start, self.latents, classes, own_labels, own_latents, batch_size,
            self.check_truncation(truncation, n), own_styles, self.noise_dim, noise_of,
        )  # fmt: skip

    def check_latents(self, latents: ArrayLike) -> NDArray[np.float32]:
        """`latents` as float32 [n, dim], or an InputError that says what is wrong with them."""
        return check_rows("latents", latents, (self.latents.dim,))

    def check_styles(self, styles: ArrayLike) -> NDArray[np.float32]:
        """`styles` as float32 [n, layers, dim], or an InputError that says what is wrong with them."""
        space = self.check_styled("styles")
        return check_rows("styles", styles, (space.layers, space.dim))

    def check_styled(self, what: str) -> Styles:
        """The styles that it has, or an InputError: `what` needs them."""
        if self.styles is None:
            raise InputError(f"{what}: {self.path} has no styles; name a generator that has, as stylegan2 trains them")
        return self.styles

    def check_truncation(self, truncation: ArrayLike | None, n: int) -> NDArray[np.float32] | None:
        """A number, or one for each of n images, as float32 [n]; None for that of the file."""
        if truncation is None:
            return None
        self.check_styled("truncation")
        try:
            t = np.asarray(truncation, np.float32)
        except (TypeError, ValueError):
            raise InputError("truncation: not a number, nor an array of numbers") from None
        if t.shape not in ((), (n,)):
            raise InputError(f"truncation of shape {list(t.shape)}: give a number, or one for each of the {n} images")
        for value in (t.min(), t.max()):
            check_truncation("truncation", float(value))
        return np.broadcast_to(t, (n,))


def check_rows(what: str, values: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """`values` as float32 [n, *shape], n at least 1, or an InputError that says what is wrong with them."""
    try:
        if np.iscomplexobj(values):
            raise TypeError
        with np.errstate(over="ignore"):  # what overflows is not finite, and refused below
            rows = np.ascontiguousarray(values, dtype=np.float32)
    except (TypeError, ValueError):
        raise InputError(f"{what}: not an array of real numbers") from None
    if rows.shape[1:] != shape or not len(rows):
        lengths = ", ".join(map(str, shape))
        raise InputError(f"{what} of shape {list(rows.shape)}: the model takes [n, {lengths}], n at least 1")
    if not np.isfinite(rows).all():
        raise InputError(f"{what}: not all of them are finite")
    return rows
