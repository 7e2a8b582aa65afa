"""Judge features by their distances for distorted sets of images: pure functions of features."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gan_runtime.evaluation.metrics import frechet_distance_of, kernel_distance, neighbourhood_metrics
from gan_trainer.features.distortions import FAMILIES, MEDIUM, REAL, REPEATED, spoilt

Sets = dict[str, NDArray[np.float32]]  # features of each set of a source
REFERENCE = "reference"
HALF = "half of the classes"  # a set that need not be there
FALL = 0.05  # smallest decrease of precision that counts


@dataclass
class Verdict:
    """The results for one source. Each list has one entry per family of distortions, in their order."""

    fid: list[list[float]] = field(default_factory=list)
    """From no distortion to the strongest."""
    kid: list[list[float]] = field(default_factory=list)
    precision_fall: list[float] = field(default_factory=list)
    recall: float = 0.0
    """Of real images; so is coverage."""
    coverage: float = 0.0
    recall_repeated: float = 0.0
    coverage_repeated: float = 0.0
    coverage_half_fall: float = 0.0

    @property
    def violations(self) -> tuple[int, int]:
        """Steps at which the stronger distortion has the lower FID, and the same of KID."""
        fid, kid = (sum(int((np.diff(row) < 0).sum()) for row in rows) for rows in (self.fid, self.kid))
        return fid, kid

    @property
    def steps(self) -> int:
        """Number of steps."""
        return sum(len(row) - 1 for row in self.fid)

    @property
    def ratios(self) -> list[float]:
        """Ratio of the FID at the weakest distortion to the FID without distortion."""
        return [row[1] / row[0] for row in self.fid]

    @property
    def weakest(self) -> float:
        """The geometric mean of `ratios`."""
        return float(np.exp(np.mean(np.log(self.ratios))))

    @property
    def floor(self) -> float:
        """Ratio of the FID of real images to that of a medium distortion, the median of all families."""
        medium = [
            np.sqrt(row[MEDIUM] * row[MEDIUM + 1]) for row in self.fid
        ]  # between the second strength and the third
        return self.fid[0][0] / float(np.median(medium))

    @property
    def precision_falls(self) -> int:
        """Families whose strongest distortion lowers precision."""
        return sum(fall >= FALL for fall in self.precision_fall)


def judge(sets: Sets) -> Verdict:
    """Compare the sets of one source with its reference: FID and KID with all of it, the others with as many."""
    reference, real = sets[REFERENCE], sets[REAL]
    near = reference[: len(real)]
    verdict = Verdict()
    clean = neighbourhood_metrics(near, real)
    for family, (_, strengths) in FAMILIES.items():
        names = [REAL, *(spoilt(family, strength) for strength in strengths)]
        verdict.fid.append([frechet_distance_of(reference, sets[name]) for name in names])
        verdict.kid.append([kid(reference, sets[name]) for name in names])
        verdict.precision_fall.append(clean.precision - neighbourhood_metrics(near, sets[names[-1]]).precision)
    verdict.recall, verdict.coverage = clean.recall, clean.coverage
    repeated = neighbourhood_metrics(near, sets[REPEATED])
    verdict.recall_repeated, verdict.coverage_repeated = repeated.recall, repeated.coverage
    if HALF in sets:
        half = sets[HALF]
        all_classes, fewer = (neighbourhood_metrics(reference[: len(half)], some) for some in (real[: len(half)], half))
        verdict.coverage_half_fall = all_classes.coverage - fewer.coverage
    return verdict


def kid(reference: NDArray[np.float32], features: NDArray[np.float32]) -> float:
    """The kernel distance from four subsets of the reference, the same ones at each call."""
    return kernel_distance(reference, features, subsets=4, subset_size=len(features)).mean
