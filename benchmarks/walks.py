"""How smooth walks are in the latent space (z) and in the style space (w) of a generator, in the space of features.

The ends of both kinds of walks are the same images, those of seed 0. A walk in z is spherical, one in w is linear. The
features of the images on a walk draw a path. Reported are, as medians over the walks:

- length: of the path, over the straight distance of its ends; 1 is the shortest. (A walk that passes through other
  kinds of images is a detour.)
- largest: the largest step, over the mean one; 1 is a walk of even steps. (A jump is a large step.)
- distance: the features' distance from the mean image of all ends, at the middle of the walk, over that at its ends;
  walks that pass the mean on the way lose variety.

MODEL is an exported generator with styles and its parts (gan-export --parts).
"""

import json
import sys
from argparse import Namespace

import numpy as np
from interleave import new_parser
from numpy.typing import NDArray

from gan_runtime import Generator
from gan_runtime.evaluation.features import FeatureNetwork
from gan_runtime.evaluation.networks import find_features
from gan_runtime.outputs.walk import slerp

SPACES = ("z", "w")


def main() -> None:
    """Measure both kinds of walks, and print their figures."""
    parser = new_parser(__doc__)
    parser.add_argument("model", help="exported generator with styles")
    parser.add_argument("--walks", type=int, default=64)
    parser.add_argument("--steps", type=int, default=32, help="per walk")
    parser.add_argument("--truncation", type=float)
    parser.add_argument("--features", default="any", help="a feature network")
    options = parser.parse_args()
    network = FeatureNetwork.load(find_features("folder", options.features, quiet=True), "cpu")
    with Generator.load(options.model, "cpu") as generator:
        paths = {space: _paths(generator, network, space, options) for space in SPACES}
    report = {space: _figures(features) for space, features in paths.items()}
    report["ratio"] = {name: report["w"][name] / report["z"][name] for name in report["w"]}
    if options.json:
        print(json.dumps(report, indent=2))
    else:
        print("| walk in | " + " | ".join(report["w"]) + " |\n| --- |" + " --- |" * len(report["w"]))
        for space, figures in report.items():
            print(f"| {space} | " + " | ".join(f"{value:.2f}" for value in figures.values()) + " |")
    sys.exit(1 if options.check and report["ratio"]["length"] >= 1 else 0)


def _paths(generator: Generator, network: FeatureNetwork, space: str, options: Namespace) -> NDArray[np.float64]:
    """Features float [walks, steps + 1, d] of the images on the walks."""
    request = generator.request(2 * options.walks, seed=0)
    latents = request.latents(0, 2 * options.walks)
    labels = np.arange(options.walks) % generator.classes if generator.classes else None
    a, b = np.split(latents, 2)
    shares = np.linspace(0, 1, options.steps + 1)
    if space == "w":
        a, b = (generator.styles(z, labels, options.truncation) for z in (a, b))
        frames = (generator.synthesize(((1 - t) * a + t * b).astype(np.float32)) for t in shares)
    else:
        frames = (generator(slerp(a, b, t), labels, options.truncation) for t in shares)
    features = network.measure(iter(frames)).features.astype(np.float64)
    return features.reshape(len(shares), options.walks, -1).swapaxes(0, 1)


def _figures(paths: NDArray[np.float64]) -> dict[str, float]:
    steps = np.linalg.norm(np.diff(paths, axis=1), axis=2)
    straight = np.linalg.norm(paths[:, -1] - paths[:, 0], axis=1)
    mean = paths[:, [0, -1]].mean((0, 1))
    apart = np.linalg.norm(paths - mean, axis=2)
    middle, ends = apart[:, paths.shape[1] // 2], apart[:, [0, -1]].mean(1)
    return {
        "length": float(np.median(steps.sum(1) / straight)),
        "largest": float(np.median(steps.max(1) / steps.mean(1))),
        "distance": float(np.median(middle / ends)),
    }


if __name__ == "__main__":
    main()
