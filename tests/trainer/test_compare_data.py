"""gan-compare on points, and on folders of images."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gan_trainer.runs import history

ONE = ("--jobs", 1, "--seeds", 1, "--recipes", "gan", "--width", 8, "--quiet", "--output", "x")


def document() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path("x/comparison.json").read_text())
    return found


def test_points_are_compared_by_their_modes(call, ran, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "SAMPLES", 500)
    monkeypatch.setattr(history, "FINAL_SAMPLES", 1000)
    done = call("gan-compare", "ring8", "--images", 1280, "--batch-size", 64, "--n", 500, *ONE)
    assert done.code == 0, done
    header, row, test, perfect = (line.split("  ") for line in done.out.splitlines())
    assert [word for word in map(str.strip, header) if word] == [
        "recipe", "runs", "images", "CPU s", "modes", "high quality", "KL of classes", "best modes",
    ]  # fmt: skip
    assert (row[0], test[0], perfect[0]) == ("gan", "test points", "perfect sampler")
    (result,) = document()["runs"]
    assert [point["images"] for point in result["curve"]] == [256, 512, 768, 1024, 1280]
    assert all({"modes", "high_quality"} <= set(point) for point in result["curve"])
    samples = np.array(Image.open("x/samples.png"))
    assert samples.shape[0] >= 512, "a scatter plot"
    assert '"title": "Modes"' in Path("x/comparison.html").read_text()
    assert call("gan-compare", "ring8", "--images", 1280, "--offline", *ONE).refused("--offline", "ring8 has points")
    assert call("gan-compare", "ring8", "--images", 1280, "--size", 64, *ONE).refused("--size", "ring8")


@pytest.mark.usefixtures("two_folders")
def test_images_too_few_to_measure_are_compared_without_metrics(call, ran) -> None:
    folder = ("gan-compare", "a", "--images", 64, "--batch-size", 8, "--size", 28, "--mode", "L", "--hold-out", 0.2)
    done = call(*folder, *ONE)
    assert done.code == 0, done
    assert [words[0] for words in ran] == ["gan-train", "gan-export"]
    given = " ".join(ran[0])
    assert "--size 28 --mode L --hold-out 0.2" in given
    assert "--eval-every 0" in given
    assert done.out.splitlines()[1].split() == ["gan", "1", "64", "0", "-", "-"]
    assert "There are no metrics: a:" in Path("x/comparison.md").read_text()
    assert "images are too few for features of" in document()["plan"]["settings"]["unmeasured"]
    ran.clear()
    assert call(*folder, *ONE).out == done.out
    assert ran == []
    (Path("a") / "new.png").write_bytes((Path("b") / "00.png").read_bytes())
    assert call(*folder, *ONE).refused("x: was begun with images with the digest")
    assert call("gan-compare", "mnist", "--images", 64, "--hold-out", 0.2, *ONE).refused("--hold-out: mnist has test")
