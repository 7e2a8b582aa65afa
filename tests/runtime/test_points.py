"""Points around modes that are known: the data, their scores, and every command on a file that draws them."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import Result
from PIL import Image

from gan_runtime import Generator
from gan_runtime.data import load_dataset
from gan_runtime.errors import DataError, InputError
from gan_runtime.evaluation.fingerprint import check_fingerprint
from gan_runtime.laboratory.evaluation import load_points, real_points, score_points
from gan_runtime.laboratory.metrics import CEILING, point_scores
from gan_runtime.laboratory.points import POINTS, PointsSource
from gan_runtime.laboratory.scatter import CIRCLE, PAPER, SIDE, scatter
from gan_runtime.manifest import METADATA_KEY

Call = Callable[..., Result]
FOUR = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])


class Ring(torch.nn.Module):
    """Two latents make a point of the right-hand mode of ring8, some of them far from it."""

    def forward(self, latents: torch.Tensor) -> torch.Tensor:
        centre = torch.tensor([0.8, 0.0])
        return torch.tanh(latents * 0.01 + torch.atanh(centre))[:, :, None, None]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generator that hits one of eight modes, exported by the project."""
    from gan_trainer.export.points import export_points

    path = tmp_path_factory.mktemp("points") / "ring.onnx"
    export_points(Ring(), path, extent=2.5, latent_dim=2, training={"data": "ring8"})
    return path


@pytest.mark.parametrize("name", ["ring8", "grid25"])
@pytest.mark.parametrize("split", ["train", "test"])
def test_real_points_score_what_a_perfect_sampler_does(name: str, split: str) -> None:
    points, dataset = real_points(name, split), load_dataset(name, split)
    assert (points.shape, points.dtype) == ((100_000, 2), np.float32)
    assert (dataset.classes, dataset.modes, np.abs(dataset.images).max() < 1) == ((), len(POINTS[name].modes), True)
    found = score_points(points, name)
    assert found.modes == len(POINTS[name].modes)
    assert found.high_quality == pytest.approx(CEILING, abs=4 * math.sqrt(CEILING * (1 - CEILING) / 100_000))
    assert found.kl is not None
    assert found.kl < 3 * (found.modes - 1) / 200_000
    centres = np.asarray(POINTS[name].modes)[dataset.labels]
    spread = (points - centres).std(0)
    np.testing.assert_allclose(spread, POINTS[name].deviation, rtol=0.02)


def test_modes_are_those_of_the_literature() -> None:
    ring, grid = np.asarray(POINTS["ring8"].modes), np.asarray(POINTS["grid25"].modes)
    np.testing.assert_allclose(np.hypot(*ring.T), 2.0, rtol=1e-15)
    turns = np.sort(np.arctan2(ring[:, 1], ring[:, 0]))
    np.testing.assert_allclose(np.diff(turns), math.pi / 4)
    assert sorted(map(tuple, grid.tolist())) == [(x, y) for x in (-4, -2, 0, 2, 4) for y in (-4, -2, 0, 2, 4)]
    assert (POINTS["ring8"].deviation / 2, POINTS["grid25"].deviation) == (0.01, 0.05)


def test_points_are_the_same_on_every_host() -> None:
    digests = {load_dataset(name, split).digest for name in POINTS for split in ("train", "test")}
    assert len(digests) == 4
    assert load_dataset("ring8", "test").digest == load_dataset("ring8", "test").digest
    modes = np.random.Philox(key=1).random_raw(5) % 8
    assert load_dataset("ring8").labels[:5].tolist() == modes.tolist()
    with pytest.raises(DataError, match="split 'validation': ring8 has train and test"):
        load_dataset("ring8", "validation")


def test_scores_are_exact() -> None:
    assert pytest.approx(1 - math.exp(-4.5), rel=1e-15) == CEILING
    at_centres = point_scores(FOUR, FOUR, 0.1)
    assert (at_centres.high_quality, at_centres.modes, at_centres.kl) == (1.0, 4, 0.0)
    moved = np.array([[0.3 - 1e-9, 0], [0, 0.3 + 1e-9], [0.3, 0.3], [0, 0]])
    found = point_scores(FOUR + moved, FOUR, 0.1)  # L2: within a circle, not a square
    assert (found.high_quality, found.modes) == (0.5, 2)
    assert found.kl == pytest.approx(math.log(2))
    collapsed = point_scores(FOUR[[0] * 50], FOUR, 0.1)
    assert (collapsed.high_quality, collapsed.modes, collapsed.kl) == (1.0, 1, pytest.approx(math.log(4)))
    uneven = point_scores(FOUR[[0, 0, 0, 1]], FOUR, 0.1)
    assert uneven.kl == pytest.approx(0.75 * math.log(3) + 0.25 * math.log(1))
    lost = point_scores(FOUR * 3, FOUR, 0.1)
    assert (lost.high_quality, lost.modes, lost.kl) == (0.0, 0, None)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (([[np.nan, 0.0]], FOUR, 1.0), "points: 1 of 1 rows"),
        ((FOUR, [[0.0, 0.0, 0.0]], 1.0), "points of 2 coordinates: the modes have 3"),
        ((FOUR, FOUR, 0.0), "deviation 0.0: must be positive"),
        ((FOUR[0], FOUR, 1.0), "points: the shape is"),
    ],
)
def test_what_is_no_set_of_points_is_refused(arguments: tuple, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        point_scores(*arguments)


def test_a_scatter_plot_has_points_and_modes_in_their_places() -> None:
    source = PointsSource(((1.0, -1.0),), 0.1, 2.0, {})
    picture = scatter(np.array([[-1.0, 1.0]], np.float32), 2.0, source)
    assert (picture.shape, picture.dtype) == ((SIDE, SIDE, 3), np.uint8)
    inked = np.argwhere((picture != PAPER).any(2) & (picture != CIRCLE).any(2))
    assert np.abs(inked - [SIDE / 4, SIDE / 4]).max() <= 1  # upper left: y points upwards
    circle = np.argwhere((picture == CIRCLE).all(2)) + 0.5
    radius = np.hypot(*(circle - [SIDE * 3 / 4, SIDE * 3 / 4]).T)
    assert np.abs(radius - 0.3 * SIDE / 4).max() < 1
    outside = scatter(np.array([[9.0, 9.0], [np.inf, 0.0]], np.float32), 2.0)
    assert (outside == PAPER).all()


def test_a_file_draws_the_same_points_however_they_are_cut(file: Path) -> None:
    generator = Generator.load(file, "cpu")
    assert (generator.image_shape, generator.latent_dim, generator.classes) == ((2,), 2, 0)
    points = generator.sample(100, seed=3)
    assert (points.dtype, points.shape) == (np.float32, (100, 2))
    np.testing.assert_array_equal(generator.sample(60, seed=3, start=40, batch_size=7), points[40:])
    assert check_fingerprint(generator) == 0
    assert abs(points.mean(0) - [2.0, 0.0]).max() < 0.05  # in the units of the data


def test_gan_sample_writes_points(call: Call, file: Path) -> None:
    assert call("gan-sample", "--model", file, "out.png").out == "out.png\n"
    with Image.open("out.png") as picture:
        assert (picture.size, picture.mode) == ((SIDE, SIDE), "RGB")
    report = json.loads(call("gan-sample", "--model", file, "out.npy", "--n", 50, "--json").out)
    assert (report["n"], report["image_shape"]) == (50, [2])
    points = np.load("out.npy")
    np.testing.assert_array_equal(points, Generator.load(file, "cpu").sample(50))
    assert call("gan-sample", "--model", file, "out.npz", "--n", 50).code == 0
    with np.load("out.npz") as archive:
        assert set(archive.files) == {"points", "latents"}
        np.testing.assert_array_equal(archive["points"], points)


def test_what_points_cannot_be_is_refused(call: Call, file: Path, conditional_model: Path, tmp_path: Path) -> None:
    def sample(*arguments: object) -> Result:
        return call("gan-sample", "--model", file, *arguments)

    for output in ("walk.gif", "walk.webp", "out.tar", "folder/"):
        assert sample(output).refused("the model generates points; choose .png (a scatter plot), .npy or .npz")
    assert sample("out.png", "--columns", 3).refused("--columns: has no effect on points")
    assert sample("out.png", "--label", 1).refused("is unconditional")
    assert call("gan-eval", file, "mnist").refused("draws points, and mnist has images")
    assert call("gan-eval", file, "grid25").refused("was trained on ring8; measure it against that, not grid25")
    assert call("gan-eval", conditional_model, "ring8").refused("draws no points in the plane")
    assert call("gan-eval", file, "ring8", "--features", "x.onnx").refused("--features: ring8 has points")
    assert call("gan-eval", "photos.zip", "ring8").refused("name something that holds points")
    assert call("gan-eval", "absent.npy", "ring8").refused("absent.npy: cannot be read")
    np.save("images.npy", np.zeros((3, 4, 4, 1), np.uint8))
    assert call("gan-eval", "images.npy", "ring8").refused("points are floats [n, 2]")
    Path("broken.npz").write_bytes(b"nothing")
    assert call("gan-eval", "broken.npz", "ring8").refused("broken.npz: not a .npy or .npz file")
    assert not list(tmp_path.glob("*.gif")) + list(tmp_path.glob("*.tar"))


def test_gan_eval_stands_beside_real_points_and_the_ceiling(call: Call, file: Path) -> None:
    np.save("real.npy", real_points("ring8", "train")[:2000])
    done = call("gan-eval", file, "real.npy", "ring8", "--n", 2000, "--json", "--write", "--picture", "p.png")
    assert done.code == 0, done
    report = json.loads(done.out)
    own, real = report["results"].values()
    assert (own["modes"], own["n"], real["modes"]) == (1, 2000, 8)
    assert own["kl"] == pytest.approx(math.log(8))
    assert own["high_quality"] == score_points(load_points(str(file), "ring8", 2000)[0], "ring8").high_quality
    assert report["floors"]["perfect sampler"]["high_quality"] == pytest.approx(0.98889, abs=1e-5)
    assert report["floors"]["test points"]["n"] == 2000
    text = call("gan-eval", file, "ring8", "--n", 500).out
    rows = {line.split("  ")[0]: line for line in text.splitlines() if line}
    assert list(rows)[1:5] == ["points", "high quality", "modes", "KL of classes"]
    assert "98.89%" in rows["high quality"]
    assert "high quality" in Path(f"{file}.quality.md").read_text()
    assert Path("p.png").exists()


def test_gan_info_and_gan_data_know_points(call: Call, file: Path) -> None:
    text = call("gan-info", file, "--check").out
    for line in ("points:          2 coordinates, up to 2.5", "fingerprint:     2048 coordinates of 1024 points"):
        assert line in text
    listed = call("gan-data", "ring8", "grid25", "--verify", "--offline")
    assert listed.code == 0
    assert "made of:       Gaussians of deviation 0.02" in listed.out
    assert listed.out.count("100,000 points") == 4
    facts = json.loads(call("gan-data", "grid25", "--json").out)["grid25"]
    assert (facts["modes"], facts["splits"]["test"]) == (25, {"points": 100_000})


@pytest.mark.parametrize(
    "change",
    [
        {"output": {"coordinates": 3, "extent": 2.5}},
        {"output": {"coordinates": 2, "extent": 0}},
        {"output": {"height": 1, "width": 1, "channels": 2}},
        {"task": "generate"},
    ],
)
def test_a_manifest_that_contradicts_the_graph_is_refused(call: Call, file: Path, change: dict) -> None:
    import onnx

    model = onnx.load(file)
    document = json.loads(model.metadata_props[0].value) | change
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, {METADATA_KEY: json.dumps(document)})
    onnx.save(model, "changed.onnx")
    assert call("gan-sample", "--model", "changed.onnx", "out.npy").refused("manifest")


def test_a_smaller_source_gives_other_points(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = load_dataset("ring8")
    monkeypatch.setitem(POINTS, "ring8", replace(POINTS["ring8"], points={"train": 70, "test": 30}))
    part = load_dataset("ring8")
    np.testing.assert_array_equal(part.images, whole.images[:70])
    assert part.digest != whole.digest
