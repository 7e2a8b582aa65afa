"""What --tensorboard writes, read back with TensorBoard itself."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from helpers import Result
from PIL import Image

Call = Callable[..., Result]
RUN = Path("runs/mnist-quick")
SHORT = [
    *("mnist", "--images", 512, "--batch-size", 64, "--threads", 1, "--quiet"),
    *("--log-every", 128, "--preview-every", 256, "--checkpoint-every", 256),
]


def events(run: Path):
    accumulator = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator", reason="TensorBoard is not installed"
    )
    found = accumulator.EventAccumulator(str(run / "tensorboard"), size_guidance={"images": 0, "scalars": 0})
    found.Reload()
    return found


def test_scalars_and_grids_are_those_of_the_run(call: Call) -> None:
    assert call("gan-train", *SHORT, "--tensorboard").code == 0
    board = events(RUN)
    entries = [json.loads(line) for line in (RUN / "metrics.jsonl").read_text().splitlines()]
    assert sorted(board.Tags()["scalars"]) == [
        "cpu_seconds",
        "d_loss",
        "g_loss",
        "g_steps",
        "images_per_second",
        "lr",
        "seconds",
    ]
    for name in ("d_loss", "g_loss", "lr"):
        found = [(event.step, event.value) for event in board.Scalars(name)]
        np.testing.assert_allclose(found, [(entry["images"], entry[name]) for entry in entries], rtol=1e-6)
    pictures = {event.step: event.encoded_image_string for event in board.Images("samples")}
    assert sorted(pictures) == [256, 512]
    shown = np.asarray(Image.open(io.BytesIO(pictures[256])).convert("L"))
    np.testing.assert_array_equal(shown, np.asarray(Image.open(RUN / "samples" / "000000000256.png")))


def test_a_resumed_run_says_nothing_twice(call: Call) -> None:
    call("gan-train", *SHORT, "--tensorboard")
    max(RUN.glob("checkpoints/*.pt")).unlink()
    assert call("gan-train", "--resume", RUN, "--tensorboard", "--quiet").code == 0
    assert [event.step for event in events(RUN).Scalars("d_loss")] == [128, 256, 384, 512]


def test_nothing_is_written_unless_asked_for(call: Call) -> None:
    call("gan-train", *SHORT)
    assert not (RUN / "tensorboard").exists()


def test_without_tensorboard_it_is_refused_before_the_run(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib import util

    real = util.find_spec
    monkeypatch.setattr(
        "gan_trainer.commands.requirements.find_spec", lambda name: None if name == "tensorboard" else real(name)
    )
    assert call("gan-train", *SHORT, "--tensorboard").refused("--tensorboard", "pip install tensorboard")
    assert not Path("runs").exists()
