"""Scripts that were written for version 0.1.0 find what they import."""

from importlib import import_module
from pathlib import Path

import pytest
from PIL import Image


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("gan_runtime.datasets", "load_dataset"),
        ("gan_runtime.datasets.dataset", "Dataset"),
        ("gan_runtime.datasets.decoded", "decoded"),
        ("gan_runtime.datasets.listing", "open_pictures"),
        ("gan_runtime.datasets.pictures", "PictureOptions"),
    ],
)
def test_paths_of_the_first_version_lead_to_the_same_objects(module: str, name: str) -> None:
    found = getattr(import_module(module), name)
    assert found.__module__.startswith("gan_runtime.")
    assert "datasets" not in found.__module__


def test_a_script_of_the_first_version_decodes_a_folder(tmp_path: Path) -> None:
    from gan_runtime.datasets.decoded import decoded
    from gan_runtime.datasets.pictures import PictureOptions

    Image.new("RGB", (40, 40), "red").save(tmp_path / "a.png")
    found = decoded(tmp_path, PictureOptions(size=32), quiet=True)
    assert found.images.shape == (1, 32, 32, 3)
    assert found.images[0, 16, 16].tolist() == [255, 0, 0]
