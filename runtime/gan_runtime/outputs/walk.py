"""Walks through the latent space or through styles: closed paths on which images of a request change step by step."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gan_runtime.errors import InputError
from gan_runtime.outputs.sampled import SampledImages, styles_of
from gan_runtime.request import SampleRequest

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
    """The images of `sampled` on closed paths in `frames` frames.

    `stations` are latents, float32 [stations, n, d], or styles, float32 [stations, n, layers, d].
    """

    sampled: SampledImages
    stations: NDArray[np.float32]
    frames: int

    def __post_init__(self) -> None:
        stations = len(self.stations)
        if self.frames < stations:
            raise InputError(
                f"--frames {self.frames}: the animation visits {stations} latents; use at least {stations} frames"
            )

    @property
    def in_styles(self) -> bool:
        """Whether the paths lead from style to style."""
        return self.stations.ndim == 4

    def latents(self, frame: int) -> NDArray[np.float32]:
        """Latents or styles of the n images in one frame, as one of `stations`; frame 0 is at the first one."""
        station, rest = divmod(len(self.stations) * frame, self.frames)
        a, b = self.stations[station], self.stations[(station + 1) % len(self.stations)]
        t = rest / self.frames
        if not self.in_styles and self.sampled.request.space.distribution == "normal":
            return slerp(a, b, t)
        return np.asarray((1.0 - t) * a.astype(np.float64) + t * b.astype(np.float64), np.float32)

    def images(self, frames: Sequence[int]) -> Iterator[NDArray[np.uint8]]:
        """The images of these frames, uint8 [n, h, w, c] each; small frames are computed in one batch."""
        request = self.sampled.request
        at_once = max(1, request.batch_size // request.n)
        for first in range(0, len(frames), at_once):
            some = frames[first : first + at_once]
            rows = np.concatenate([self.latents(frame) for frame in some])
            of_all = request.repeated(len(some))
            together = replace(of_all, own_styles=rows) if self.in_styles else replace(of_all, own_latents=rows)
            yield from self.sampled.generator.array(together).reshape(len(some), *self.sampled.shape)


def walk(sampled: SampledImages, frames: int, space: str = "z") -> Walk:
    """The walk of a request.

    The path of image i visits a, b, -a, -b and a again, where a is its latent and b that of image i + n. Given latents
    or styles are the stations of a single image instead, in their order. In z, all have the same label.

    Args:
        sampled: the request and its generator.
        frames: at least as many as there are stations.
        space: "z" for spherical interpolation of latents, "w" for linear interpolation of their styles. Given styles
            are always interpolated in w.

    Raises:
        InputError: there is only one latent, there are fewer frames than stations, the generator has no styles, or
            latents of a walk in z have different labels.
        ModelError: it has no part that draws styles.
    """
    request = sampled.request
    own = request.own_latents if request.own_styles is None else request.own_styles
    if own is None:
        a, b = np.split(request.latents(0, 2 * request.n), 2)
        steps = Walk(sampled, np.stack([a, b, -a, -b]), frames)
    elif request.n < 2:
        raise InputError("--latents: an animation needs at least two latents; the file has one")
    else:
        steps = Walk(sampled.part(0, 1), own[:, None], frames)
    if space == "z" or steps.in_styles:
        _check_one_label(request)
        return steps
    if own is not None:  # each with its own label and truncation
        return replace(steps, stations=styles_of(sampled, own[None])[0][:, None])
    return replace(steps, stations=styles_of(steps.sampled, steps.stations))


def _check_one_label(request: SampleRequest) -> None:
    """Raise InputError if given latents have different labels: between classes there are no labels."""
    labels = request.own_labels
    if request.own_latents is not None and labels is not None and len(np.unique(labels)) > 1:
        raise InputError(
            "--latents: the file has latents of several classes, and a walk in z has one; name it with --label, or "
            "walk from class to class with --space w, if the generator has styles"
        )


def class_walk(sampled: SampledImages, frames: int) -> Walk:
    """The walk of each image of a request from class to class: its latent stays the same. It is linear in w.

    Raises:
        InputError: the generator has no classes or no styles, styles were given, or there are too few frames.
        ModelError: it has no part that draws styles.
    """
    request, classes = sampled.request, sampled.classes
    if request.own_styles is not None:
        raise InputError("--class-walk: needs latents, because styles have their class already; leave one of them out")
    if not classes:
        raise InputError(f"--class-walk: {sampled.path} is unconditional; leave it out")
    steps = Walk(sampled, np.stack([request.latents(0, request.n)] * classes), frames)
    labels = np.repeat(np.arange(classes), request.n)
    return replace(steps, stations=styles_of(sampled, steps.stations, labels))


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
