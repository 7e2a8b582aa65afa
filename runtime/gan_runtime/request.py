"""A request for samples: which inputs, in which batches. Pure data, which knows no generator."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gan_runtime.latents import default_labels, draw_latents, draw_noise
from gan_runtime.manifest import Latents
from gan_runtime.records import record


@record(frozen=True)
class SampleRequest:
    """The samples start .. start + n - 1 of `seed`, or of given latents or styles. Made by `Generator.request`."""

    n: int
    seed: int
    start: int
    space: Latents
    """How many values a latent has, and from which distribution they are drawn."""
    classes: int
    """Number of classes of the labels; 0 for an unconditional generator."""
    own_labels: NDArray[np.int64] | None
    own_latents: NDArray[np.float32] | None
    batch_size: int
    truncation: NDArray[np.float32] | None = None
    """[n]; None for that of the file."""
    own_styles: NDArray[np.float32] | None = None
    """[n, layers, d], which images are drawn from without latents, labels and truncation."""
    noise_dim: int = 0
    noise_of: Sequence[int] | None = None
    """Of each sample, the index of the image of `seed` that has its noise; None for the noise in the file."""

    def __getstate__(self) -> dict[str, Any]:
        """What is pickled: a label or truncation of all samples once, not n times."""
        return {name: value[:1] if _is_one(value) else value for name, value in vars(self).items()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        n = state["n"]
        for name, value in state.items():
            alone = isinstance(value, np.ndarray) and len(value) == 1
            vars(self)[name] = np.broadcast_to(value, (n, *value.shape[1:])) if alone else value

    def latents(self, first: int, count: int) -> NDArray[np.float32]:
        """Latents of `count` samples from the one at `first` on, float32 [count, dim]."""
        if self.own_latents is not None:
            return self.own_latents[first : first + count]
        return draw_latents(self.seed, self.start + first, count, self.space.dim, self.space.distribution)

    def labels(self, first: int, count: int) -> NDArray[np.int64] | None:
        """Labels of the same samples, int64 [count]; None for an unconditional generator."""
        if self.own_labels is not None:
            return self.own_labels[first : first + count]
        return default_labels(self.start + first, count, self.classes) if self.classes else None

    def feeds(self, first: int, count: int) -> dict[str, NDArray[Any]]:
        """The inputs of the graph for the same samples, by name."""
        rows = slice(first, first + count)
        if self.own_styles is not None:
            found: dict[str, NDArray[Any]] = {"styles": self.own_styles[rows]}
        else:
            found, labels = {"latents": self.latents(first, count)}, self.labels(first, count)
            found |= {} if labels is None else {"labels": labels}
            found |= {} if self.truncation is None else {"truncation": self.truncation[rows]}
        if self.noise_of is not None:
            found["noise"] = np.stack([draw_noise(self.seed, image, self.noise_dim) for image in self.noise_of[rows]])
        return found

    def part(self, first: int, count: int) -> "SampleRequest":
        """The samples first .. first + count - 1, the same ones."""
        rows = slice(first, first + count)
        own = ("own_labels", "own_latents", "truncation", "own_styles", "noise_of")
        cut = {name: values[rows] for name in own if (values := getattr(self, name)) is not None}
        return replace(self, n=count, start=self.start + first, **cut)

    def repeated(self, times: int) -> "SampleRequest":
        """`times` as many samples, with the labels, the truncation and the noise of these again and again."""
        labels = self.labels(0, self.n)
        return replace(
            self,
            n=times * self.n,
            own_labels=None if labels is None else np.tile(labels, times),
            truncation=None if self.truncation is None else np.tile(self.truncation, times),
            noise_of=None if self.noise_of is None else [*self.noise_of] * times,
        )


def pad(rows: NDArray[Any], size: int) -> NDArray[Any]:
    """Repeat the last of `rows` up to `size` rows."""
    return np.concatenate([rows, np.repeat(rows[-1:], size - len(rows), axis=0)])


def _is_one(value: object) -> bool:
    """Whether it is an array of one row that is repeated without being copied."""
    return isinstance(value, np.ndarray) and value.strides[0] == 0
