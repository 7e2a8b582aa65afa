"""The task "translate": runs on two domains of real digits, what is measured, shown, warned of and refused."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gan_runtime.data import Dataset
from gan_runtime.data.dataset import pixel_digests
from gan_runtime.data.domains import Domains, domains_of
from gan_runtime.errors import InputError
from gan_runtime.evaluation.metrics import l1
from gan_trainer.api.start import Call, start_run
from gan_trainer.runs.folder import Run
from gan_trainer.tasks import task_of, translation_judge
from gan_trainer.tasks.translating import unseen

IMAGES, EVERY = 240, 80


def dataset(images: np.ndarray, name: str) -> Dataset:
    digest = f"{name} {pixel_digests(images).sum()}"
    return Dataset(name, "train", images, np.zeros(len(images), np.int64), (), digest)


@pytest.fixture
def digits(real_digits) -> np.ndarray:
    return real_digits["train"][0][:160, :, :, None]


@pytest.fixture
def pairs(digits: np.ndarray) -> Domains:
    """Grey digits and the same as negatives in colour."""
    return domains_of(dataset(digits, "digits"), dataset(255 - digits.repeat(3, axis=3), "negatives"), True)


@pytest.fixture
def unpaired(digits: np.ndarray) -> Domains:
    return domains_of(dataset(digits[:80], "digits"), dataset(255 - digits[80:], "negatives"), False)


def train(
    data: Domains, recipe: str, warned: list[str] | None = None, hold_out: float = 0.25, **changes: object
) -> Run:
    class Listening(Call):
        def warn(self, message: str) -> None:
            assert warned is not None
            warned.append(message)

    settings = {"images": IMAGES, "eval_every": EVERY, "width": 4, "batch_size": 8, "preview_every": IMAGES}
    return start_run(
        {"A": data.source, "B": data.target},
        recipe,
        settings | changes,
        {},
        Listening(),
        epochs=None,
        seed=0,
        device="cpu",
        threads=1,
        name="run",
        runs_dir=Path("runs"),
        init_from=None,
        keep_checkpoints=3,
        hold_out=hold_out,
    ).run


def test_a_run_on_pairs_measures_held_out_ones(pairs: Domains) -> None:
    run = train(pairs, "pix2pix-quick", d_width=4, flip=False, shift=0)
    entries = [entry for entry in run.entries() if "n" in entry]
    config = run.config()
    held_out = unseen(pairs, config, 10_000)
    assert held_out is not None
    assert (255 - held_out.inputs == held_out.targets).all(), "pairs stay pairs"
    n = len(held_out.inputs)
    assert 20 < n < 60
    assert [entry["n"] for entry in entries] == [n] * 3, "the end is no other evaluation"
    assert entries[-1]["l1"] < entries[0]["l1"]
    assert all(entry["cycle"] is None and entry["ssim"] <= 1 and entry["eval_seconds"] > 0 for entry in entries)

    floors = run.floors()
    assert floors is not None
    nothing, real = (floors["floors"][str(n)][name] for name in ("doing nothing", "test images"))
    grey = held_out.inputs.repeat(3, axis=3)
    assert nothing["l1"] == pytest.approx(l1(grey, held_out.targets).mean())
    assert real["kid"] < entries[-1]["kid"] < entries[0]["kid"]
    assert floors["data"]["train"] == 160 - n
    assert floors["features"]["sha256"]

    best = task_of(config).best
    assert best is not None
    assert run.best() == min(entries, key=lambda entry: entry[best.key])
    picture = Image.open(next(run.samples.iterdir()))
    assert picture.size == (10 * 28, 3 * 28)
    rows = np.asarray(picture).reshape(3, 28, -1)
    assert (rows[0] == 255 - rows[2]).all(), "input above truth"
    page = (run.folder / "report.html").read_text()
    assert "pairs, 28x28, grey to colour" in page
    assert all(words in page for words in ("SSIM", "doing nothing", "Best KID", " dB"))


def test_a_run_without_pairs_goes_there_and_back(unpaired: Domains) -> None:
    run = train(unpaired, "cyclegan-quick", d_width=4, blocks=1, images=64, eval_every=32)
    entries = [entry for entry in run.entries() if "n" in entry]
    assert len(entries) == 2
    assert all(entry["cycle"] > 0 and entry["l1"] is None and entry["kid"] > 0 for entry in entries)
    nothing = run.floors()["floors"][str(entries[0]["n"])]["doing nothing"]  # type: ignore[index]
    assert nothing["identity"] == 1.0
    with Image.open(next(run.samples.iterdir())) as picture:
        assert picture.size == (10 * 28, 6 * 28)
    assert "images per domain, unpaired" in (run.folder / "report.html").read_text()


def test_what_translates_nothing_is_warned_of_once(unpaired: Domains, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(translation_judge, "translate", lambda network, pictures, config: pictures)
    warned: list[str] = []
    run = train(unpaired, "cyclegan-quick", warned, d_width=4, blocks=1, images=64, eval_every=16)
    (problem,) = [entry["warning"] for entry in run.entries() if "warning" in entry]
    assert problem.startswith("copies its inputs: 100% of the outputs")
    assert [entry["images"] for entry in run.entries() if "warning" in entry] == [32]
    assert "copies its inputs" in (run.folder / "report.html").read_text()


def test_without_held_out_pictures_nothing_is_measured(pairs: Domains) -> None:
    with pytest.raises(InputError, match="no pictures are held out"):
        train(pairs, "pix2pix-l1", hold_out=0)
    warned: list[str] = []
    run = train(pairs, "pix2pix-l1", warned, hold_out=0, eval_every=None, images=1024, batch_size=64)
    assert warned == ["not evaluated: negatives: no pictures are held out to measure with; give --hold-out 0.1"]
    assert run.best() is None
    with Image.open(next(run.samples.iterdir())) as picture:
        assert picture.size == (10 * 28, 3 * 28), "training pictures"


def test_runs_of_a_thousand_images_are_measured_by_default(pairs: Domains) -> None:
    run = train(pairs, "pix2pix-l1", eval_every=None, images=1024, batch_size=64)
    assert json.loads((run.folder / "config.json").read_text())["recipe"]["eval_every"] > 0
    assert [entry["n"] for entry in run.entries() if "n" in entry]


def test_collapse_is_no_matter_of_translation(pairs: Domains) -> None:
    with pytest.raises(InputError, match="--stop-when-collapsed: follows precision and recall"):
        train(pairs, "pix2pix-quick", stop_when_collapsed=True)
