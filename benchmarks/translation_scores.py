"""Outputs that need no training, and the scores of outputs beside their truth."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from translation_data import Images, Task

from gan_runtime.evaluation.metrics.pixels import l1, psnr, ssim

LUMA = np.array([0.299, 0.587, 0.114])
STRIDE, WINDOW, BLUR = 4, 16, 2.0
Scores = dict[str, float]


def baselines(task: Task) -> dict[str, Images]:
    """Outputs for the test inputs, by the name of what made them."""
    train, inputs = task.train, in_colour(task.test.inputs)
    return {
        "the input itself": inputs,
        "mean picture": np.repeat(np.rint(train.outputs.mean(0, keepdims=True)).astype(np.uint8), len(inputs), 0),
        "nearest training neighbour": train.outputs[_nearest(task)],
        "histogram matching": _matched(inputs, in_colour(train.inputs), train.outputs),
    }


def pixel_scores(outputs: Images, truth: Images) -> Scores:
    """Means over the pictures: L1 (0 to 255), PSNR in dB, SSIM; and the `mesh`."""
    means = {name: float(metric(outputs, truth).mean()) for name, metric in METRICS.items()}
    return means | {"mesh": stride_energy(outputs) / stride_energy(truth)}


def stride_energy(pictures: Images) -> float:
    """Mean energy of the luma of windows at the frequencies of a mesh with a period of `STRIDE` pixels.

    Layers that enlarge by a stride can leave such a mesh. The windows are Hann windows that overlap by half.
    """
    hann = np.hanning(WINDOW + 2)[1:-1]
    luma, at = pictures @ LUMA, slice(None, None, WINDOW // STRIDE)
    energies = []
    for y in range(0, luma.shape[1] - WINDOW + 1, WINDOW // 2):
        for x in range(0, luma.shape[2] - WINDOW + 1, WINDOW // 2):
            part = luma[:, y : y + WINDOW, x : x + WINDOW]
            spectrum = np.abs(np.fft.fft2((part - part.mean((1, 2), keepdims=True)) * np.outer(hann, hann))) ** 2
            energies.append(spectrum[:, at, at].sum((1, 2)).mean() - spectrum[:, 0, 0].mean())
    return float(np.mean(energies))


def in_colour(pictures: Images) -> Images:
    """Three channels."""
    return np.repeat(pictures, 3, 3) if pictures.shape[3] == 1 else pictures


def _nearest(task: Task) -> NDArray[np.intp]:
    """The training output of the nearest training input; without pairs, the training output nearest to the input."""
    known = _smooth(task.train.inputs if task.paired else task.train.outputs)
    asked = _smooth(task.test.inputs)
    return np.asarray(np.argmin(np.square(known).sum(1) - 2 * asked @ known.T, axis=1))


def _smooth(pictures: Images) -> NDArray[np.float32]:
    """Vectors that are compared: lines that are a pixel apart are near."""
    smooth = gaussian_filter(pictures.astype(np.float32), (0, BLUR, BLUR, 0))
    return np.asarray(smooth.reshape(len(pictures), -1))


def _matched(inputs: Images, source: Images, target: Images) -> Images:
    """Each channel mapped so that the levels of `source` become as frequent as those of `target`."""
    matched = np.empty_like(inputs)
    for channel in range(inputs.shape[3]):
        ranks, levels = (np.cumsum(np.bincount(part[..., channel].ravel(), minlength=256)) for part in (source, target))
        table = np.interp(ranks / ranks[-1], levels / levels[-1], np.arange(256))
        matched[..., channel] = np.rint(table).astype(np.uint8)[inputs[..., channel]]
    return matched


METRICS: dict[str, Callable[[Images, Images], NDArray[np.float64]]] = {"L1": l1, "PSNR": psnr, "SSIM": ssim}
