"""Scores of translated pictures: beside their truth where it is known, their inputs, and the target domain."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gan_runtime.evaluation.features import FeatureNetwork
from gan_runtime.evaluation.metrics import Moments, l1, psnr, ssim
from gan_runtime.evaluation.metrics.pixels import LEAST_SIDE, Pictures
from gan_runtime.evaluation.scores import TEST, feature_distances
from gan_runtime.images.prepare import grey

NOTHING = "doing nothing"  # the inputs as outputs; beside TEST, held-out pictures of the target domain
COPY = 2.0  # grey levels: an output that is this close to its input is a copy of it
COPIES, CONSTANT = 0.5, 0.05  # of `identity` and `variety`: what lies beyond is reported
DEVIATIONS = 3  # of KID over its subsets: a smaller difference may be chance
FROM = {"l1": "the truth (L1)", "fid": "the target domain (FID)"}


@dataclass(frozen=True)
class TranslationScores:
    """The scores of translated pictures; None where a score does not apply.

    Attributes:
        fid: Frechet distance of the outputs to the training pictures of the target domain; None for no more pictures
            than the features have dimensions.
        kid, kid_deviation: kernel distance to the same pictures, and its standard deviation over subsets.
        l1: mean absolute difference to the truth in grey levels, 0 to 255.
        psnr: mean peak signal-to-noise ratio to the truth, dB.
        ssim: mean structural similarity to the truth, at most 1; None for pictures below 11 x 11.
        cycle: mean absolute difference of inputs and what comes back from there, grey levels.
        identity: share of the outputs that are their inputs, within `COPY` grey levels on average; 1: nothing is
            translated.
        variety: mean difference of two outputs as a share of that of two real pictures; 0: all outputs are equal.
    """

    fid: float | None = None
    kid: float | None = None
    kid_deviation: float | None = None
    l1: float | None = None
    psnr: float | None = None
    ssim: float | None = None
    cycle: float | None = None
    identity: float | None = None
    variety: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """The scores that apply, for JSON."""
        return {key: value for key, value in asdict(self).items() if value is not None}


@dataclass(frozen=True, eq=False)
class Target:
    """The pictures that translations are measured against.

    Args:
        network: gives their features; it must take pictures of this size.
        train: features of the pictures of the target domain that a translator may learn from, float32 [m, d].
        held_out: other pictures of the target domain, uint8 [k, h, w, c].
    """

    network: FeatureNetwork
    train: NDArray[np.float32]
    held_out: Pictures

    @cached_property
    def moments(self) -> Moments | None:
        """Of the features of the training pictures; None if there are too few for a covariance."""
        return Moments.of(self.train) if len(self.train) > self.network.dim else None

    def distances(self, pictures: Pictures) -> dict[str, Any]:
        """FID and KID of pictures uint8 [n, h, w, c] to the training pictures; None where there are too few."""
        features = self.network.measure(iter([pictures])).features
        if min(len(features), len(self.train)) < 2:
            return {}
        return feature_distances(features, self.train, self.moments if len(features) > self.network.dim else None)


def score_translation(
    outputs: Pictures,
    inputs: Pictures,
    target: Target,
    truth: Pictures | None = None,
    returned: Pictures | None = None,
) -> TranslationScores:
    """Measure translated pictures.

    Args:
        outputs: uint8 [n, h, w, c].
        inputs: of which they were made, uint8 [n, h, w, c'].
        target: what they should look like.
        truth: what each of them should be, uint8 [n, h, w, c].
        returned: the first outputs translated back, uint8 [at most n, h, w, c'].
    """
    return TranslationScores(
        **target.distances(outputs),
        **({} if truth is None else paired(outputs, truth)),
        cycle=None if returned is None else float(l1(returned, inputs[: len(returned)]).mean()),
        identity=float(np.mean(l1(outputs, with_channels(inputs, outputs.shape[3])) < COPY)),
        variety=variety(outputs, inputs, target.held_out),
    )


def translation_floors(inputs: Pictures, target: Target, truth: Pictures | None = None) -> dict[str, dict[str, Any]]:
    """Scores beside which those of a translator are read: of doing nothing, and of real pictures of the target domain.

    Without `truth`, the real pictures have no inputs, and only FID and KID. Their number is `n`; that of doing nothing
    is None. Arguments as `score_translation`.
    """
    nothing = score_translation(with_channels(inputs, target.held_out.shape[3]), inputs, target, truth)
    if truth is None:
        real = TranslationScores(**target.distances(target.held_out))
    else:
        real = score_translation(truth, inputs, target)
    held_out = target.held_out if truth is None else truth
    return {NOTHING: {"n": None} | nothing.to_dict(), TEST: {"n": len(held_out)} | real.to_dict()}


def problems(scores: Mapping[str, Any], floors: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """What is wrong with a translator, in words; empty if nothing is.

    Args:
        scores: fields of `TranslationScores` by name.
        floors: of `translation_floors`.
    """
    found, nothing, real = [], floors.get(NOTHING, {}), floors.get(TEST, {})
    if _number(scores, "identity") > max(COPIES, _number(real, "identity")):
        found.append(
            f"copies its inputs: {scores['identity']:.0%} of the outputs differ from them by less than {COPY:g} grey "
            "levels"
        )
    if _number(scores, "variety", 1.0) < CONSTANT:
        found.append(
            "gives nearly the same for all inputs: two outputs differ by "
            f"{scores['variety']:.1%} of what two real images do"
        )
    further = _further(scores, nothing)
    if further and not found:
        found.append(f"is further from {' and from '.join(further)} than its inputs are")
    return found


def _further(scores: Mapping[str, Any], nothing: Mapping[str, Any]) -> list[str]:
    """What the outputs are further from than the inputs are. KID is asked where too few pictures have no FID."""
    found = [words for key, words in FROM.items() if _number(scores, key) > _number(nothing, key, math.inf)]
    least = _number(scores, "kid") - DEVIATIONS * _number(scores, "kid_deviation")
    if scores.get("fid") is None and least > _number(nothing, "kid", math.inf):
        found.append("the target domain (KID)")
    return found


def paired(outputs: Pictures, truth: Pictures) -> dict[str, Any]:
    """L1, PSNR and SSIM of outputs and their truth, as means over the pictures."""
    similar = ssim(outputs, truth).mean() if min(outputs.shape[1:3]) >= LEAST_SIDE else None
    return {
        "l1": float(l1(outputs, truth).mean()),
        "psnr": float(psnr(outputs, truth).mean()),
        "ssim": None if similar is None else float(similar),
    }


def variety(outputs: Pictures, inputs: Pictures, real: Pictures) -> float | None:
    """As `TranslationScores.variety`; None where the inputs or the real pictures are all equal."""
    of_outputs, of_inputs, of_real = map(_difference, (outputs, inputs, real))
    return of_outputs / of_real if min(of_inputs, of_real) > COPY else None


def with_channels(pictures: Pictures, channels: int) -> Pictures:
    """Pictures [n, h, w, c] as grey ones (c = 1) or as colour ones (c = 3)."""
    if pictures.shape[3] == channels:
        return pictures
    return np.repeat(pictures, 3, axis=3) if channels == 3 else np.stack([grey(picture) for picture in pictures])


def _difference(pictures: Pictures) -> float:
    """Mean difference of two of the pictures in grey levels: of those that are half of all pictures apart."""
    return float(l1(pictures, np.roll(pictures, len(pictures) // 2, axis=0)).mean())


def _number(scores: Mapping[str, Any], key: str, otherwise: float = 0.0) -> float:
    value = scores.get(key)
    return otherwise if value is None else float(value)
