"""Compare candidates for the general feature network on sources of pictures that they were not trained on.

For each of five sources, every candidate is trained on the other four. On real pictures of the held-out source, it must
detect increasing distortions (6 families x 4 strengths x 5 sources = 120 steps), repetition and missing classes, and
must rank similar sets as the trained networks of MNIST and Fashion-MNIST do. All results depend on seeds only; features
and networks are stored in the folder --work.

    python benchmarks/any_features.py DATA --work DIR             # choose
    python benchmarks/any_features.py DATA --work DIR --seed 1    # other pictures, splits and distortions
"""

import sys
from pathlib import Path

import numpy as np
from any_candidates import CANDIDATES, PARTS, Dims, Images, join, make_part
from any_competitors import N, competitors, rank_agreement
from any_sources import EMOJI, NAMES, for_judging
from interleave import Row, machine, new_parser, publish

from gan_runtime.evaluation.features import FeatureNetwork
from gan_runtime.evaluation.metrics import frechet_distance_of
from gan_runtime.generator import Generator
from gan_runtime.models import shipped_features, shipped_model
from gan_trainer.features.distortions import spoilt_sets
from gan_trainer.features.judgement import HALF, REFERENCE, Sets, judge

REFERENCES = 2000
RANKED = ("mnist", "fashion-mnist")


def main() -> None:
    """Compute what is missing, and print the table."""
    parser = new_parser(__doc__)
    parser.add_argument("data", type=Path, help="folder with emoji/, super-resolution/, mnist/ and fashion-mnist/")
    parser.add_argument("--work", type=Path, required=True, help="folder for networks and features; must exist")
    parser.add_argument("--seed", type=int, default=0, help="of pictures, splits and distortions")
    parser.add_argument("--training-seed", type=int, default=0)
    parser.add_argument(
        "--sources", nargs="+", default=list(NAMES), choices=NAMES, help="those that are held out in turn"
    )
    parser.add_argument("--candidates", nargs="+", default=list(CANDIDATES), choices=list(CANDIDATES))
    parser.add_argument("--checkpoints", type=Path, help="folder with mnist/ and fashion-mnist/ of one run's .onnx")
    options = parser.parse_args()
    parts = [part for part in PARTS if any(part in CANDIDATES[name] for name in options.candidates)]
    study = Study(options.data, options.work, options.seed, options.training_seed, options.checkpoints)
    for held_out in options.sources:
        study.measure(held_out, parts)
    rows = [_row(name, study, options.sources) for name in options.candidates]
    publish(machine(1), rows, [], options)


class Study:
    """Features of all sets of all sources, in the parts of candidates that were made without the source."""

    def __init__(self, data: Path, work: Path, seed: int, training_seed: int, checkpoints: Path | None) -> None:
        self.data, self.work, self.seed, self.training_seed = data, work, seed, training_seed
        self.checkpoints = checkpoints

    def measure(self, held_out: str, parts: list[str]) -> None:
        """Compute and keep the components of every set of a source, and the true distances of those to rank."""
        missing = [part for part in parts if not self._path(held_out, part).exists()]
        truth = self.work / f"truth-{held_out}-{self.seed}.npz"
        ranks = held_out in RANKED and not truth.exists()
        if not missing and not ranks:
            return
        sets = _sets(held_out, self.data, self.seed)
        if held_out in RANKED:
            sets |= _close_sets(held_out, self.data, self.seed, self.checkpoints)
        if ranks:
            np.savez(truth, **_truth(held_out, sets))
        for name in missing:
            _say(f"{held_out}: {name}")
            part = make_part(name, held_out, self.data, self.work, self.training_seed, _say)
            found = {key: part(images) for key, images in sets.items()}
            np.savez(self._path(held_out, name), variances=part.variances, **found)

    def features(self, held_out: str, dims: Dims) -> Sets:
        """The features of a candidate for every set of a source."""
        stored = {part: _arrays_in(self._path(held_out, part)) for part in dims}
        variances = {part: values.pop("variances") for part, values in stored.items()}
        names = next(iter(stored.values()))
        return {name: join({part: stored[part][name] for part in dims}, variances, dims) for name in names}

    def agreement(self, held_out: str, sets: Sets, kind: str) -> float:
        """Of the ranks of the sets whose names begin with `kind`: these features, and those trained for the data."""
        truth = _arrays_in(self.work / f"truth-{held_out}-{self.seed}.npz")
        names = [name for name in truth if name.startswith(kind)]
        found = [frechet_distance_of(sets[REFERENCE], sets[name]) for name in names]
        return rank_agreement(found, [float(truth[name]) for name in names]) if names else float("nan")

    def _path(self, held_out: str, part: str) -> Path:
        return self.work / f"features-{part}-{held_out}-{self.training_seed}-{self.seed}.npz"


def _arrays_in(path: Path) -> dict[str, np.ndarray]:
    with np.load(path) as archive:
        return dict(archive)


def _sets(name: str, data: Path, seed: int) -> dict[str, Images]:
    """The reference, as many real images, and what was done to these."""
    pictures, rng = for_judging(name, data, seed), np.random.default_rng(seed + 100)
    reference, rest, labels = pictures.images[:REFERENCES], pictures.images[REFERENCES:], pictures.labels[REFERENCES:]
    sets = {REFERENCE: reference, **dict(spoilt_sets(rest[:N], rng))}
    first_half = labels < np.median(pictures.labels) if name in EMOJI else labels < (labels.max() + 1) // 2
    sets[HALF] = rest[first_half][:N]
    return sets


def _close_sets(name: str, data: Path, seed: int, checkpoints: Path | None) -> dict[str, Images]:
    """Sets that are ranked: real images changed a little, and what the checkpoints of a run draw."""
    pictures, rng = for_judging(name, data, seed), np.random.default_rng(seed + 200)
    rest, labels = pictures.images[REFERENCES:], pictures.labels[REFERENCES:]
    fake = _drawn(shipped_model(name), seed)
    sets = {f"close: {key}": make(rest, labels, fake, rng) for key, make in competitors().items()}
    files = sorted((checkpoints / name).glob("*.onnx")) if checkpoints else []
    return sets | {f"checkpoint: {file.stem}": _drawn(file, seed) for file in files}


def _drawn(path: Path, seed: int) -> Images:
    return Generator.load(path, "cpu", threads=1).sample(N, seed)


def _truth(name: str, sets: dict[str, Images]) -> dict[str, float]:
    """FID of the sets to rank in the features that were trained with the classes of the data."""
    path = shipped_features(name)
    assert path
    network = FeatureNetwork.load(path, "cpu", threads=1)
    reference = network.measure(iter([sets[REFERENCE]])).features
    names = [key for key in sets if key.startswith(("close", "checkpoint"))]
    return {key: frechet_distance_of(reference, network.measure(iter([sets[key]])).features) for key in names}


def _row(name: str, study: Study, sources: list[str]) -> Row:
    sets = {source: study.features(source, CANDIDATES[name]) for source in sources}
    verdicts = {source: judge(sets[source]) for source in sources}
    fid, kid = np.sum([verdict.violations for verdict in verdicts.values()], axis=0)
    ratios = [ratio for verdict in verdicts.values() for ratio in verdict.ratios]
    falls = sum(verdict.precision_falls for verdict in verdicts.values())
    halves = {source: verdict.coverage_half_fall for source, verdict in verdicts.items()}
    row = {
        "features": name,
        "violations, FID / KID": f"{fid} / {kid} of {sum(verdict.steps for verdict in verdicts.values())}",
        "weakest distortion over floor": f"{np.exp(np.mean(np.log(ratios))):.2f}",
        "over 1.1": f"{sum(ratio > 1.1 for ratio in ratios)} of {len(ratios)}",
        "floor over medium": _each({source: verdict.floor for source, verdict in verdicts.items()}),
        "precision falls": f"{falls} of {len(ratios)}",
        "repeated: recall": _each({source: verdict.recall_repeated for source, verdict in verdicts.items()}),
        "repeated: coverage": _each({source: verdict.coverage_repeated for source, verdict in verdicts.items()}),
        "half of the classes: coverage falls by": _each(halves),
    }
    for source in RANKED:
        kinds = ("checkpoint", "close") if source in sources else ()
        found = [study.agreement(source, sets[source], kind) for kind in kinds]
        row[f"ranks of {source}: checkpoints, close sets"] = ", ".join(f"{value:.2f}" for value in found)
    return row


def _each(values: dict[str, float]) -> str:
    return ", ".join(f"{source} {value:.2f}" for source, value in values.items())


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
