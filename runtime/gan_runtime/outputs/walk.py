"""Walks through the latent space: closed paths on which each image of a request changes step by step."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gan_runtime.errors import InputError
from gan_runtime.outputs.sampled import SampledImages

NO_DIRECTION = 1e-9  # a component of a unit vector below this is rounding error


def slerp(a: ArrayLike, b: ArrayLike, t: float) -> NDArray[np.float32]:
    """Spherical interpolation (Shoemake 1985; for latents White 2016, "Sampling generative networks").

    Normal latents lie near a sphere; the path between two of them stays near it instead of crossing the centre. The
    direction and the length change at a constant rate. For equal lengths, the result equals White's formula, which is
    ill-conditioned for nearly opposite vectors. For opposite vectors, the plane of rotation is not unique: it contains
    the axis with the smallest component.

    Args:
        a: [..., d], the vectors at t = 0.
        b: [..., d], the vectors at t = 1.
        t: 0 to 1.

    Returns:
        float32 [..., d], computed in float64.
    """
    a, b = np.broadcast_arrays(np.asarray(a, np.float64), np.asarray(b, np.float64))
    from_length, to_length = _length(a), _length(b)
    u, v = _unit(a), _unit(b)
    u, v = np.where(from_length > 0, u, v), np.where(to_length > 0, v, u)  # the zero vector has no direction
    angle = 2.0 * np.arctan2(
        _length(u - v), _length(u + v)
    )  # Kahan's formula: arccos loses half of the digits near 0 and pi
    turn = np.cos(t * angle) * u + np.sin(t * angle) * _unit(_beside(v, u))
    return np.asarray(((1.0 - t) * from_length + t * to_length) * turn, np.float32)


@dataclass(frozen=True)
class Walk:
    """The images of `sampled` on closed paths through `stations`, float32 [stations, n, d], in `frames` frames."""

    sampled: SampledImages
    stations: NDArray[np.float32]
    frames: int

    def latents(self, frame: int) -> NDArray[np.float32]:
        """Latents of the n images in one frame, float32 [n, d]; frame 0 is at the first station."""
        station, rest = divmod(len(self.stations) * frame, self.frames)
        a, b = self.stations[station], self.stations[(station + 1) % len(self.stations)]
        t = rest / self.frames
        if self.sampled.request.space.distribution == "normal":
            return slerp(a, b, t)
        return np.asarray((1.0 - t) * a.astype(np.float64) + t * b.astype(np.float64), np.float32)

    def images(self, frames: Sequence[int]) -> Iterator[NDArray[np.uint8]]:
        """The images of these frames, uint8 [n, h, w, c] each; small frames are computed in one batch."""
        request = self.sampled.request
        n, labels = request.n, request.labels(0, request.n)
        at_once = max(1, request.batch_size // n)
        for first in range(0, len(frames), at_once):
            some = frames[first : first + at_once]
            together = replace(
                request,
                n=len(some) * n,
                own_latents=np.concatenate([self.latents(frame) for frame in some]),
                own_labels=None if labels is None else np.tile(labels, len(some)),
            )
            yield from self.sampled.generator.array(together).reshape(len(some), *self.sampled.shape)


def walk(sampled: SampledImages, frames: int) -> Walk:
    """The walk of a request.

    The path of image i visits a, b, -a, -b and a again, where a is its latent and b that of image i + n. Given latents
    are the stations of a single image instead, in their order.

    Raises:
        InputError: there is only one latent, or there are fewer frames than stations.
    """
    request = sampled.request
    if request.own_latents is None:
        a, b = np.split(request.latents(0, 2 * request.n), 2)
        steps = Walk(sampled, np.stack([a, b, -a, -b]), frames)
    elif request.n < 2:
        raise InputError("--latents: an animation needs at least two latents; the file has one")
    else:
        steps = Walk(sampled.part(0, 1), request.own_latents[:, None], frames)
    stations = len(steps.stations)
    if frames < stations:
        raise InputError(f"--frames {frames}: the animation visits {stations} latents; use at least {stations} frames")
    return steps


def _beside(v: NDArray[np.float64], u: NDArray[np.float64]) -> NDArray[np.float64]:
    """The component of the unit vectors v [..., d] orthogonal to u; that of an axis if it is zero."""
    rest = v - np.sum(u * v, axis=-1, keepdims=True) * u
    axis = np.eye(u.shape[-1])[np.argmin(np.abs(u), axis=-1)]
    rest = np.where(_length(rest) < NO_DIRECTION, axis, rest)
    again: NDArray[np.float64] = rest - np.sum(u * rest, axis=-1, keepdims=True) * u
    return again


def _unit(x: NDArray[np.float64]) -> NDArray[np.float64]:
    length = _length(x)
    return x / np.where(length > 0, length, 1.0)


def _length(x: NDArray[np.float64]) -> NDArray[np.float64]:
    length: NDArray[np.float64] = np.linalg.norm(x, axis=-1, keepdims=True)
    return length
