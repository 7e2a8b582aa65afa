"""Classes that a classifier finds in images, their frequencies and probabilities."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gan_runtime.errors import InputError
from gan_runtime.evaluation.metrics.arrays import Features, Float64, checked


@dataclass(frozen=True)
class Modes:
    """The classes of a set of images. One image per class gives a perfect score: compare recall and coverage.

    Attributes:
        covered: classes with at least one image.
        classes: classes that there are.
        divergence: KL(generated || reference) of the class frequencies, in nats; 0 where they agree.
        confident: share of images whose softmax maximum reaches the threshold; None where only labels were given.
    """

    covered: int
    classes: int
    divergence: float
    confident: float | None


def mode_coverage(predicted: ArrayLike, reference: ArrayLike, threshold: float = 0.9) -> Modes:
    """Classes found among generated images, compared with their frequencies in the data.

    The number of modes and KL(generated || reference) = sum p log(p / q) as Srivastava et al. 2017, "VEEGAN",
    count them on Stacked MNIST: a single image covers a class. The plug-in estimate of KL is biased: N
    images of the data themselves score about (classes - 1) / (2 N).

    Args:
        predicted: the classifier's logits, floats [n, classes], or labels, integers [n].
        reference: counts or frequencies of all classes in the data, [classes], each positive.
        threshold: of the softmax maximum, 0 to 1.

    Raises:
        InputError: no images, values that are not finite, a label or a width that `reference` does not have, a class
            without a frequency, or a threshold out of its range.
    """
    frequencies = _frequencies(reference)
    if not 0.0 <= threshold <= 1.0:
        raise InputError(f"threshold {threshold}: must be between 0 and 1")
    labels, logits = _labels(predicted), None
    if np.ndim(predicted) == 2:
        logits = checked(predicted, "logits")
        if logits.shape[1] != len(frequencies):
            raise InputError(f"logits of {logits.shape[1]} classes: the reference has {len(frequencies)}")
    if labels.max() >= len(frequencies):
        raise InputError(f"label {labels.max()}: the reference has the classes 0 to {len(frequencies) - 1}")
    counts = np.bincount(labels, minlength=len(frequencies))
    found = counts > 0
    p, q = counts[found] / len(labels), frequencies[found]
    divergence = max(0.0, float(np.sum(p * np.log(p / q))))
    confident = None if logits is None else float(np.mean(largest_probability(logits) >= threshold))
    return Modes(int(found.sum()), len(frequencies), divergence, confident)


def label_accuracy(predicted: ArrayLike, labels: ArrayLike) -> float:
    """The share of images whose predicted class is their label, 0 to 1.

    Args:
        predicted: logits, floats [n, classes], or labels, integers [n].
        labels: the classes asked for, integers [n].

    Raises:
        InputError: no images, values that are not finite, or arrays of different lengths.
    """
    classes, expected = _labels(predicted), _labels(labels)
    if len(classes) != len(expected):
        raise InputError(f"{len(expected)} labels for {len(classes)} predictions: each image has one")
    return float(np.mean(classes == expected))


def _labels(predicted: ArrayLike) -> NDArray[np.int64]:
    """Labels as they are, int64 [n], or those of the largest logits."""
    array: NDArray[Any] = np.asarray(predicted)
    if array.ndim == 2:
        labels: NDArray[np.int64] = checked(array, "logits").argmax(axis=1)
        return labels
    if array.ndim != 1 or array.dtype.kind not in "iu" or len(array) == 0:
        raise InputError(f"{array.dtype} {array.shape}: give logits, floats [n, classes], or labels, integers [n]")
    if array.min() < 0:
        raise InputError(f"label {array.min()}: labels count from 0")
    return array.astype(np.int64)


def _frequencies(reference: ArrayLike) -> Float64:
    counts: Float64 = np.asarray(reference, np.float64)
    if counts.ndim != 1 or len(counts) == 0:
        raise InputError(f"reference {counts.shape}: give one frequency for each class, [classes]")
    if not (np.isfinite(counts).all() and counts.min() > 0.0):
        worst = int(np.argmin(np.where(np.isfinite(counts), counts, -np.inf)))
        raise InputError(f"reference: class {worst} has the frequency {counts[worst]}; KL needs positive ones")
    frequencies: Float64 = counts / counts.sum()
    return frequencies


def largest_probability(logits: Features) -> Float64:
    """The maximum of softmax over logits [n, classes], float64 [n]: 1 over the sum of exp(logit - largest)."""
    wide = logits.astype(np.float64)
    probability: Float64 = 1.0 / np.exp(wide - wide.max(axis=1, keepdims=True)).sum(axis=1)
    return probability
