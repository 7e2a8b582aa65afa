"""Module paths of version 0.1.0 for data sets, for scripts that import them. New code imports `gan_runtime.data`."""

import sys

from gan_runtime.data import KNOWN, Dataset, PictureOptions, dataset, decoded, listing, load_dataset, pictures

__all__ = ["KNOWN", "Dataset", "PictureOptions", "load_dataset"]

MOVED = {"dataset": dataset, "decoded": decoded, "listing": listing, "pictures": pictures}
sys.modules |= {f"{__name__}.{name}": module for name, module in MOVED.items()}
