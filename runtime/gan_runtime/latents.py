"""Image i of seed s has one latent, on every host.

The words come from Philox4x64-10: numpy guarantees its raw words, though not its normal variates. Every later step is a
sum, product, quotient or square root in float64, which IEEE 754 rounds the same way everywhere; no libm is asked. So
latents do not depend on batch sizes, processes, numpy versions or processors, and `start` and `n` are all that a
cluster needs.
"""

import operator

import numpy as np
from numpy.typing import NDArray

from gan_runtime.errors import InputError
from gan_runtime.philox import WORDS, random_words

NOISE_STREAM = 1
MAX_SEED = 2**64 - 1
MAX_INDEX = 2**62

# Wichura 1988, "Algorithm AS 241: The Percentage Points of the Normal Distribution", routine PPND16 (16 digits).
# Each pair is (numerator, denominator), highest power first.
_CENTRE = (
    (2509.0809287301226727, 33430.575583588128105, 67265.770927008700853, 45921.953931549871457,
     13731.693765509461125, 1971.5909503065514427, 133.14166789178437745, 3.387132872796366608),
    (5226.495278852545925, 28729.085735721942674, 39307.89580009271061, 21213.794301586595867,
     5394.1960214247511077, 687.1870074920579083, 42.313330701600911252, 1.0),
)  # fmt: skip
_SHOULDER = (
    (7.7454501427834140764e-4, 0.0227238449892691845833, 0.24178072517745061177, 1.27045825245236838258,
     3.64784832476320460504, 5.7694972214606914055, 4.6303378461565452959, 1.42343711074968357734),
    (1.05075007164441684324e-9, 5.475938084995344946e-4, 0.0151986665636164571966, 0.14810397642748007459,
     0.68976733498510000455, 1.6763848301838038494, 2.05319162663775882187, 1.0),
)  # fmt: skip
_TAIL = (
    (2.01033439929228813265e-7, 2.71155556874348757815e-5, 0.0012426609473880784386, 0.026532189526576123093,
     0.29656057182850489123, 1.7848265399172913358, 5.4637849111641143699, 6.6579046435011037772),
    (2.04426310338993978564e-15, 1.4215117583164458887e-7, 1.8463183175100546818e-5, 7.868691311456132591e-4,
     0.0148753612908506148525, 0.13692988092273580531, 0.59983220655588793769, 1.0),
)  # fmt: skip
_LN2 = 0.6931471805599453


def draw_latents(
    seed: int, start: int, n: int, dim: int, distribution: str = "normal", stream: int = 0
) -> NDArray[np.float32]:
    """Latents of the images start .. start + n - 1 of `seed`.

    Args:
        seed: 0 to 2**64 - 1.
        start: index of the first image, 0 to 2**62.
        n: how many images, not negative; the index of the last one is at most 2**62, too.
        dim: values per latent.
        distribution: "normal" for N(0, 1), "uniform" for U(-1, 1).
        stream: the words have the key (seed, stream): other ones are independent.

    Returns:
        float32 [n, dim].

    Raises:
        InputError: an argument is out of its range.
    """
    seed, start, n = operator.index(seed), operator.index(start), operator.index(n)  # numpy's integers would overflow
    check_indices(seed, start, n)
    counts = -(-dim // WORDS)  # per image
    words = random_words(stream << 64 | seed, start * counts, n * counts).reshape(n, counts * WORDS)[:, :dim]
    # The upper 52 bits and half a step: never 0, never 1, every value exact.
    uniform = ((words >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52
    if distribution == "uniform":
        return (2.0 * uniform - 1.0).astype(np.float32)
    if distribution == "normal":
        return inverse_normal_cdf(uniform).astype(np.float32)
    raise InputError(f"latent distribution {distribution!r}: this version draws 'normal' and 'uniform'")


def draw_noise(seed: int, image: int, dim: int) -> NDArray[np.float32]:
    """What a generator adds to its layers in this image of `seed`, N(0, 1), float32 [dim]."""
    noise: NDArray[np.float32] = draw_latents(seed, image, 1, dim, stream=NOISE_STREAM)[0]
    return noise


def check_indices(seed: int, start: int, n: int) -> None:
    """Raise InputError where the latents start .. start + n - 1 of `seed` do not all exist."""
    if n < 0:
        raise InputError(f"n {n}: must not be negative")
    if not 0 <= seed <= MAX_SEED:
        raise InputError(f"seed {seed}: must be between 0 and {MAX_SEED}")
    if not 0 <= start <= MAX_INDEX:
        raise InputError(f"start {start}: the index of an image must be between 0 and {MAX_INDEX}")
    if start + n - 1 > MAX_INDEX:
        raise InputError(f"start {start}: the last of {n} latents would have an index above {MAX_INDEX}; start earlier")


def inverse_normal_cdf(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Quantiles of N(0, 1) at 0 < p < 1, any shape, to about 16 digits (Wichura 1988, AS 241)."""
    q = p - 0.5
    normal = _ratio(_CENTRE, 0.180625 - q * q)
    normal *= q
    outer = np.abs(q) > 0.425
    normal[outer] = _outer_quantiles(p[outer], q[outer])
    return normal


def _outer_quantiles(p: NDArray[np.float64], q: NDArray[np.float64]) -> NDArray[np.float64]:
    distance = np.sqrt(-_log(np.where(q < 0, p, 1.0 - p)))
    magnitude = _ratio(_SHOULDER, distance - 1.6)
    far = distance > 5.0  # a few values in 10^11
    if far.any():
        magnitude[far] = _ratio(_TAIL, distance[far] - 5.0)
    return np.copysign(magnitude, q)


def default_labels(start: int, n: int, classes: int) -> NDArray[np.int64]:
    """Labels of the images start .. start + n - 1 where none are asked for: i mod classes, int64 [n]."""
    return (np.arange(start, start + n, dtype=np.int64)) % classes


def _ratio(coefficients: tuple[tuple[float, ...], tuple[float, ...]], x: NDArray[np.float64]) -> NDArray[np.float64]:
    numerator, denominator = (_polynomial(row, x) for row in coefficients)
    numerator /= denominator
    return numerator


def _polynomial(coefficients: tuple[float, ...], x: NDArray[np.float64]) -> NDArray[np.float64]:
    value = np.full_like(x, coefficients[0])
    for coefficient in coefficients[1:]:  # in place: new arrays of this size would leave the caches
        value *= x
        value += coefficient
    return value


def _log(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Natural logarithm by the series of atanh: libm's last digit differs from host to host, this one does not."""
    mantissa, exponent = np.frexp(x)
    low = mantissa < 0.7071067811865476
    mantissa, exponent = np.where(low, 2.0 * mantissa, mantissa), np.where(low, exponent - 1, exponent)
    s = (mantissa - 1.0) / (mantissa + 1.0)
    series = _polynomial(tuple(1.0 / k for k in range(21, 0, -2)), s * s)
    return exponent * _LN2 + 2.0 * s * series
