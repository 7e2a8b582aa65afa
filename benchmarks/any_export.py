"""Make exported/features/any.onnx: train the general features that ship on all five sources, and export them.

    python benchmarks/any_export.py DATA --work DIR --output exported/features/any.onnx    # about 5 CPU minutes

DATA and --work are those of any_features.py, whose choice this is; a network that is in the folder --work is taken.
"""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from any_candidates import TRAINED, pool, trained
from any_sources import LICENCES, NAMES, for_training

from gan_runtime.manifest import ImageAxes
from gan_trainer.features.export import export_features
from gan_trainer.runs.folder import software

SHIPS = "both"


def main() -> None:
    """Train, export, and say what was written."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with emoji/, super-resolution/, mnist/ and fashion-mnist/")
    parser.add_argument("--work", type=Path, required=True, help="folder for the network; must exist")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quality", type=Path, help="what any_features.py --json printed, for the manifest")
    options = parser.parse_args()
    sources = [for_training(name, options.data, options.seed) for name in NAMES]
    network = trained(SHIPS, "", sources, options.work, options.seed, lambda text: print(text, file=sys.stderr))
    network.fit(pool(sources, network, options.seed))
    data = {name: {"images": len(s.images), "licence": LICENCES[name]} for name, s in zip(NAMES, sources, strict=True)}
    training = {"data": data, "recipe": asdict(TRAINED[SHIPS]), "seed": options.seed, "software": software()}
    quality = json.loads(options.quality.read_text())["rows"] if options.quality else []
    file = export_features(
        network, options.output, size=ImageAxes(), name="any", training=training, quality=quality, rows=16
    )
    print(f"{file.path}: {len(file.content):,} bytes, SHA-256 {file.sha256}")


if __name__ == "__main__":
    main()
