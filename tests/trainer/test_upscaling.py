"""Training networks that enlarge photos: losses, steps, resuming, ESRGAN from a run of sr, evaluation, bad input."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from formulas import textured
from helpers import Result
from PIL import Image
from torch import Tensor, nn

import gan_trainer
from gan_runtime.errors import InputError
from gan_runtime.evaluation.metrics.luminance import grid_deviation
from gan_runtime.evaluation.networks import general_features
from gan_runtime.manifest import ImageSize
from gan_trainer.features.restore import load_features_module
from gan_trainer.losses.images import perceptual_loss, phase_loss
from gan_trainer.networks.perceptual import Vgg19, load_stages, load_vgg19
from gan_trainer.recipes.recipe import recipe
from gan_trainer.systems import SYSTEMS, new_networks
from gan_trainer.training.state import TrainState, new_state
from gan_trainer.training.system import Shapes

Call = Callable[..., Result]
SMALL: dict[str, Any] = {"width": 8, "blocks": 1, "crop": 12, "batch_size": 4, "precision": "fp32", "scale": 4}
TRAIN = (
    "gan-train",
    "photos",
    "--width",
    8,
    "--blocks",
    1,
    "--crop",
    12,
    "--batch-size",
    4,
    "--threads",
    1,
    "--device",
    "cpu",
)
COLOUR = Shapes(ImageSize(64, 64, 3))


@pytest.fixture
def photos() -> Path:
    """A folder of 12 photos of mixed sizes."""
    Path("photos").mkdir()
    for i in range(12):
        picture = np.roll(textured(60 + i, 90 - 2 * i, 3), 7 * i, axis=(0, 1))
        Image.fromarray(picture).save(f"photos/{i:02d}.png")
    return Path("photos")


def begin(name: str, **changes: Any) -> tuple[TrainState, Any]:
    torch.manual_seed(0)
    made = recipe(name, **SMALL | changes)
    return new_state(SYSTEMS[made.system], new_networks(made, COLOUR), made, torch.device("cpu")), made


def batch(seed: int = 0) -> dict[str, Tensor]:
    """Crops whose high resolution is the low one with a fixed pattern."""
    generator = torch.Generator().manual_seed(seed)
    source = torch.rand(4, 3, 12, 12, generator=generator)
    images = source.repeat_interleave(4, 2).repeat_interleave(4, 3)
    images[:, :, 1::4] *= 0.6
    return {"source": source, "images": images}


def train(name: str, steps: int, **changes: Any) -> tuple[TrainState, list[dict[str, Tensor]]]:
    state, made = begin(name, lr=2e-3, **changes)
    losses = []
    for i in range(steps):
        losses.append(state.system.step(state, made, **batch(i)))
        state.step, state.images_seen = state.step + 1, state.images_seen + 4
    return state, losses


# losses --------------------------------------------------------------------------------------------------------------


def test_the_phase_loss_sees_grids_and_not_details() -> None:
    truth = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    assert phase_loss(truth, truth, 4) == 0
    assert phase_loss(truth + 0.1, truth, 4) == pytest.approx(0, abs=1e-6)
    gridded = truth.clone()
    gridded[..., ::4] += 0.1  # a quarter of the positions: 0.075 from the mean, the others 0.025
    assert phase_loss(gridded, truth, 4) == pytest.approx(0.0375, abs=1e-6)
    noise = 0.1 * torch.randn(truth.shape, generator=torch.Generator().manual_seed(1))
    assert phase_loss(truth + noise, truth, 4) < 0.011  # 64 positions are averaged: 0.08 / 8
    assert phase_loss(gridded[..., :8, :8], truth[..., :8, :8], 4) > 0.03


def test_the_grid_of_a_picture_is_its_deviation_over_positions() -> None:
    flat = np.full((41, 42, 1), 100, np.uint8)
    assert grid_deviation(flat, 4) == 0
    flat[:, ::4] += 8
    assert grid_deviation(flat, 4) == pytest.approx(8 * np.sqrt(3) / 4)
    with pytest.raises(InputError, match="smaller than 4 x 4 pixels"):
        grid_deviation(flat[:3], 4)


def test_the_perceptual_loss_is_the_mean_distance_of_maps() -> None:
    def features(images: Tensor) -> list[Tensor]:
        return [images, 3 * images[..., ::2]]

    images, truth = torch.zeros(1, 3, 4, 4, requires_grad=True), torch.full((1, 3, 4, 4), 0.5, requires_grad=True)
    loss = perceptual_loss(features, images, truth)
    assert float(loss.detach()) == pytest.approx((0.5 + 1.5) / 2)
    loss.backward()
    assert images.grad is not None
    assert truth.grad is None


def test_the_stages_are_those_of_the_general_features() -> None:
    stages, whole = load_stages(general_features()), load_features_module(general_features())
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    x = 2 * images - 1
    for stage in whole.convolutions.stages:
        x = stage(x)
    maps = stages(images)
    assert [list(one.shape[1:]) for one in maps] == [[64, 16, 16], [128, 8, 8], [256, 4, 4]]
    assert torch.allclose(maps[-1].relu(), x)
    assert not any(weight.requires_grad for weight in stages.parameters())
    assert torch.allclose(stages(images[:, :1])[0], stages(images[:, :1].expand(-1, 3, -1, -1))[0])


def test_vgg19_has_the_layers_of_torchvision() -> None:
    with torch.device("meta"):
        network = Vgg19()
        assert network(torch.empty(1, 3, 64, 48))[0].shape == (1, 512, 4, 3)
    convolutions = [name for name, layer in network.features.named_children() if isinstance(layer, nn.Conv2d)]
    assert [int(name) for name in convolutions] == [0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34]
    assert sum(weight.numel() for weight in network.parameters()) == 20_024_384
    assert network.features[34].weight.shape == (512, 512, 3, 3)


@pytest.mark.parametrize(("change", "reason"), [({}, ""), ({"features.34.bias": torch.zeros(3)}, "is \\[3\\], not")])
def test_vgg19_is_read_from_torchvisions_file(change: dict[str, Tensor], reason: str) -> None:
    with torch.device("meta"):
        shapes = {name: value.shape for name, value in Vgg19().state_dict().items()}
    saved = {name: torch.zeros(1).expand(shape) for name, shape in shapes.items()}  # a small file
    torch.save(saved | {"classifier.0.weight": torch.zeros(2, 2)} | change, "vgg19.pth")
    if reason:
        with pytest.raises(InputError, match=rf"^vgg19\.pth: .*{reason}.*give torchvision's vgg19-dcbb9e9d\.pth"):
            load_vgg19(Path("vgg19.pth"))
    else:
        assert float(load_vgg19(Path("vgg19.pth"))(torch.rand(1, 1, 16, 16))[0].abs().max()) == 0


# systems -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("network", ["compact", "edsr", "rrdb"])
def test_sr_learns_a_pattern_that_bicubic_interpolation_does_not_know(network: str) -> None:
    _, losses = train("sr", 60, network=network, width=16)
    assert set(losses[0]) == {"l1_loss"}
    assert float(losses[-1]["l1_loss"]) < 0.5 * float(losses[0]["l1_loss"])


def test_esrgan_trains_both_networks_and_logs_its_losses() -> None:
    state, losses = train("esrgan", 3)
    before, _ = begin("esrgan", lr=2e-3)
    assert set(losses[0]) == {"l1_loss", "phase_loss", "perceptual_loss", "d_loss", "g_loss"}
    assert all(bool(torch.isfinite(value)) and not value.requires_grad for value in losses[-1].values())
    for name, network in state.networks.items():
        weights = zip(network.parameters(), before.networks[name].parameters(), strict=True)
        assert all(not torch.equal(now, then) for now, then in weights), name
    features = zip(state.extra["features"].parameters(), before.extra["features"].parameters(), strict=True)
    assert all(torch.equal(now, then) for now, then in features)


def test_losses_of_equal_logits_are_those_of_the_equations(monkeypatch: pytest.MonkeyPatch) -> None:
    def equal(state: TrainState, made: Any, images: Tensor) -> Tensor:
        weights = next(state.networks["discriminator"].parameters())
        return 0 * weights.sum() + 0 * images.mean((1, 2, 3))

    monkeypatch.setattr("gan_trainer.systems.esrgan.judge", equal)
    state, made = begin("esrgan", perceptual_weight=0.0)
    losses = state.system.step(state, made, **batch())
    assert float(losses["d_loss"]) == float(losses["g_loss"]) == pytest.approx(2 * np.log(2), rel=1e-6)
    assert "perceptual_loss" not in losses
    assert not state.extra


def test_esrgan_begins_with_the_generator_of_sr_and_a_new_discriminator() -> None:
    stage1, _ = train("sr", 2)
    state, _ = begin("esrgan")
    state.load_weights(stage1.state_dict())
    for name, value in stage1.networks["generator"].state_dict().items():
        assert torch.equal(state.networks["generator"].state_dict()[name], value)
    other, _ = train("sr", 1, width=12)
    with pytest.raises(InputError, match="its networks are not those of this run: generator"):
        state.load_weights(other.state_dict())
    back, _ = begin("sr")
    with pytest.raises(InputError, match="discriminator is not in this run"):
        back.load_weights(state.state_dict())


@pytest.mark.parametrize(
    ("name", "changes", "reason"),
    [
        ("sr", {"scale": 5}, "scale"),
        ("sr", {"network": "unet"}, "choose one of compact, edsr, rrdb"),
        ("sr", {"degradation": "jpeg"}, "choose one of bicubic, real"),
        ("esrgan", {"crop": 8, "scale": 2}, "too small for the discriminator; choose 16 or more"),
        ("esrgan", {"gan_weight": 0.0}, "gan.weight"),
        ("sr", {"gan_weight": 1.0}, "sr does not use it"),
    ],
)
def test_settings_that_cannot_work_are_refused(name: str, changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        recipe(name, **changes)


# runs ----------------------------------------------------------------------------------------------------------------


def entries(run: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(run, "metrics.jsonl").read_text().splitlines()]


@pytest.mark.parametrize(("name", "more"), [("sr", ()), ("esrgan", ()), ("sr", ("--degradation", "real"))])
def test_a_resumed_run_is_the_same_bit_for_bit(call: Call, photos: Path, name: str, more: tuple[str, ...]) -> None:
    constant = ("--precision", "fp32", "--ema-half-life", 16, "--decay-from", 1)
    options = (*TRAIN, "--recipe", name, *more, *constant, "--quiet")
    assert call(*options, "--images", 16, "--name", "whole").code == 0
    assert call(*options, "--images", 8, "--name", "parts").code == 0
    assert call("gan-train", "--resume", "runs/parts", "--images", 16, "--quiet").code == 0
    whole, parts = (
        torch.load(f"runs/{run}/checkpoints/000000000016.pt", weights_only=True) for run in ("whole", "parts")
    )
    for part in ("networks", "averages", "extra"):
        for network, weights in whole[part].items():
            assert all(torch.equal(value, parts[part][network][key]) for key, value in weights.items()), network


def test_a_run_is_measured_beside_bicubic_interpolation_and_shown(call: Call, photos: Path) -> None:
    done = call(*TRAIN, "--recipe", "sr", "--images", 16, "--eval-every", 8, "--hold-out", 0.4, "--name", "run")
    assert done.code == 0, done
    assert "(bicubic " in done.err
    measured = [entry for entry in entries("runs/run") if "psnr" in entry]
    assert [entry["images"] for entry in measured] == [8, 16]
    floors = json.loads(Path("runs/run/floors.json").read_text())
    values = floors["floors"][str(measured[0]["n"])]
    assert 10 < values["bicubic"]["psnr"] < 40
    assert "BT.601" in floors["protocol"]
    picture = np.asarray(Image.open(max(Path("runs/run/samples").glob("*.png"))))
    assert picture.shape[0] % 3 == 0
    assert "PSNR" in Path("runs/run/report.html").read_text()
    config = json.loads(Path("runs/run/config.json").read_text())
    assert config["data"]["photos"] is True
    assert config["data"]["size"] == {"height": 71, "width": 90, "channels": 3}


def test_esrgan_from_a_run_of_sr(call: Call, photos: Path) -> None:
    assert call(*TRAIN, "--recipe", "sr", "--images", 8, "--name", "stage1", "--quiet").code == 0
    done = call(*TRAIN, "--recipe", "esrgan", "--images", 8, "--init-from", "runs/stage1", "--name", "stage2")
    assert done.code == 0, done
    scaled = ("--scale", 2, "--crop", 16, "--images", 8, "--quiet")
    other = call(*TRAIN, "--recipe", "esrgan", *scaled, "--init-from", "runs/stage1")
    assert other.refused("--init-from", "stage1", "generator.conv_last")


def test_arrays_in_memory_are_photos_too() -> None:
    images = np.stack([textured(40, 50, 3)] * 3 + [textured(40, 50, 3)[::-1]])
    short = gan_trainer.recipe("sr", images=8, width=8, blocks=1, crop=12, batch_size=4)
    run = gan_trainer.train(images, short, threads=1, device="cpu")
    assert run.folder.is_dir()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("gan-train", "mnist", "--recipe", "sr"), ("--recipe sr: learns from photos", "folder or .zip")),
        ((*TRAIN, "--recipe", "sr", "--size", 64), ("--size 64: photos keep their sizes", "--crop")),
        ((*TRAIN, "--recipe", "sr", "--input", "sketch"), ("--input sketch", "learns from photos")),
        ((*TRAIN, "--recipe", "sr", "--stop-when-collapsed", "--eval-every", 8), ("--stop-when-collapsed",)),
        ((*TRAIN, "--recipe", "esrgan", "--perceptual", "no.pth"), ("no.pth: no such file",)),
        ((*TRAIN, "--recipe", "sr", "--labels", "folders"), ("--labels folders", "photos have no classes")),
    ],
)
def test_bad_input_is_one_line(call: Call, photos: Path, arguments: tuple[Any, ...], words: tuple[str, ...]) -> None:
    assert call(*arguments, "--quiet").refused(*words)
    assert not list(Path("runs").glob("*"))
