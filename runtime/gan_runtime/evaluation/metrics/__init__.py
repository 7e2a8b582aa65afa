"""Metrics of generated images: pure functions of features or pixels, in float64, with numpy only.

Features are an array [n, d], one row per image, of any network; metrics of different networks are not comparable.
Pixel metrics compare pictures with the pictures that they should be.
"""

from gan_runtime.evaluation.metrics.frechet import Moments, frechet_distance, frechet_distance_of
from gan_runtime.evaluation.metrics.kernel import KernelDistance, kernel_distance
from gan_runtime.evaluation.metrics.memorisation import Memorisation, memorisation
from gan_runtime.evaluation.metrics.modes import Modes, label_accuracy, largest_probability, mode_coverage
from gan_runtime.evaluation.metrics.neighbours import (
    Neighbourhoods,
    density_coverage,
    nearest_distances,
    nearest_neighbour_accuracy,
    neighbour_distances,
    neighbourhood_metrics,
    precision_recall,
)
from gan_runtime.evaluation.metrics.pixels import l1, psnr, ssim

__all__ = [
    "KernelDistance",
    "Memorisation",
    "Modes",
    "Moments",
    "Neighbourhoods",
    "density_coverage",
    "frechet_distance",
    "frechet_distance_of",
    "kernel_distance",
    "l1",
    "label_accuracy",
    "largest_probability",
    "memorisation",
    "mode_coverage",
    "nearest_distances",
    "nearest_neighbour_accuracy",
    "neighbour_distances",
    "neighbourhood_metrics",
    "precision_recall",
    "psnr",
    "ssim",
]
