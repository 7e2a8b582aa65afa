"""Runs that enlarge: exported with what was measured, interpolated with each other, and with networks of one's own."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from formulas import textured
from helpers import Result
from torch import Tensor, nn

import gan_trainer
from gan_runtime import Upscaler
from gan_runtime.errors import GanEdgeError, InputError
from gan_trainer.data.pixels import from_pixels, to_levels, to_pixels
from gan_trainer.networks.upscaling import new_upscaler

Call = Callable[..., Result]
PHOTOS = np.stack([np.roll(textured(110, 120, 3), 7 * i, axis=(0, 1)) for i in range(8)])
SMALL: dict[str, Any] = {"network": "compact", "images": 8, "width": 8, "blocks": 1, "crop": 12, "batch_size": 4}
PICTURE = textured(13, 21, 3)


def trained(name: str, recipe: str = "sr", networks: dict[str, nn.Module] | None = None, **changes: Any) -> Any:
    """A run of 8 crops; that of `esrgan` may start with another one, `init_from`."""
    origin, data = changes.pop("init_from", None), changes.pop("data", PHOTOS)
    made = gan_trainer.recipe(recipe, **SMALL | changes)
    about: dict[str, Any] = {"threads": 1, "device": "cpu", "hold_out": 0.4, "init_from": origin, "networks": networks}
    return gan_trainer.train(data, made, name=name, **about)


def averaged(run: Any) -> dict[str, Tensor]:
    saved = torch.load(run.checkpoint, weights_only=True)
    weights: dict[str, Tensor] = saved["averages"].get("generator") or saved["networks"]["generator"]
    return weights


@torch.no_grad()
def by_torch(weights: dict[str, Tensor]) -> np.ndarray:
    network = new_upscaler("compact", 4, 3, 8, 1)
    network.load_state_dict(weights)
    return to_pixels(to_levels(network(from_pixels(torch.from_numpy(PICTURE[None])))))[0].numpy()


def test_the_best_checkpoint_is_exported_with_its_quality(call: Call) -> None:
    run = trained("mine", eval_every=4, checkpoint_every=4)
    done = call("gan-export", "runs/mine", "--json")
    assert done.code == 0, done
    assert "the best of the run: PSNR" in done.err
    with Upscaler.load("exported/mine.onnx", "cpu") as upscaler:
        manifest = upscaler.manifest
        assert (manifest.name, manifest.scale, manifest.channel_order) == ("mine", 4, "RGB")
        assert (manifest.training["recipe"], manifest.training["degradation"]) == ("sr", "bicubic")
        (quality,) = manifest.quality
        assert quality["images"] == run.best["images"]
        assert quality["psnr"] == run.best["psnr"]
        assert "bicubic" in quality["floors"]
    assert call("gan-info", "exported/mine.onnx", "--check").code == 0


def test_a_blend_has_the_mean_of_the_weights(call: Call) -> None:
    one = trained("one")
    two = trained("two", "esrgan", init_from="runs/one", lr=1e-2)
    done = call("gan-export", "runs/two", "--blend", "one", "--json")
    assert done.code == 0, done
    assert "blend: 0.5 of the weights of runs/one/checkpoints/" in done.err
    assert json.loads(done.out)["blend"]["amount"] == 0.5
    upscaler = Upscaler.load("exported/two-blend.onnx", "cpu")
    mean = {key: (value + averaged(one)[key]) / 2 for key, value in averaged(two).items()}
    expected = by_torch(mean)
    assert np.abs(upscaler.upscale(PICTURE).astype(int) - expected).max() <= 1
    manifest = upscaler.manifest
    assert (manifest.name, manifest.quality) == ("two-blend", [])
    assert manifest.training["recipe"] == "esrgan"
    blend = manifest.training["blend"]
    assert (blend["run"], blend["amount"], blend["recipe"], blend["images_seen"]) == ("one", 0.5, "sr", 8)


@pytest.mark.parametrize("amount", [0.0, 1.0])
def test_all_of_one_run_is_that_run(amount: float) -> None:
    one, two = trained("one"), trained("two", lr=1e-2)
    run = (two, one)[int(amount)]
    found = Upscaler.load(two.export("blend.onnx", blend=one, amount=amount), "cpu").upscale(PICTURE)
    np.testing.assert_array_equal(found, Upscaler.load(run.export("run.onnx"), "cpu").upscale(PICTURE))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"scale": 2}, "--scale 2, and --scale 4 of the other run"),
        ({"width": 12}, "--width 12, and --width 8 of the other run"),
        ({"network": "edsr"}, "--network edsr, and --network compact"),
        ({"data": PHOTOS[..., :1]}, "1 channels, and 3 of the other run"),
    ],
)
def test_other_networks_are_not_interpolated(call: Call, changes: dict[str, Any], words: str) -> None:
    trained("run")
    trained("other", **changes)
    assert call("gan-export", "runs/run", "--blend", "runs/other").refused(
        "--blend other", words, "only equal networks"
    )
    assert not list(Path("exported").glob("*"))


def test_what_else_cannot_be_interpolated(call: Call) -> None:
    run = trained("run")
    quick = gan_trainer.recipe("quick", images=16, batch_size=4, width=8)
    gan_trainer.train(PHOTOS[:, :32, :32], quick, name="quick", threads=1, device="cpu")
    assert call("gan-export", "runs/run", "--blend", "quick").refused("two runs of the task upscale", "generate")
    assert call("gan-export", "runs/quick", "--blend", "quick").refused("--blend quick", "upscale, not of generate")
    assert call("gan-export", "runs/run", "--blend", "no").refused("no", "run")
    assert call("gan-export", "runs/run", "--blend", "run", "--amount", 2).refused(
        "--amount 2: must be between 0 and 1"
    )
    assert call("gan-export", "runs/run", "--amount", 0.2).refused("--amount 0.2", "only with --blend")
    torch.save({"a": torch.ones(2, 2)}, "x.pth")
    assert call("gan-export", "x.pth", "--blend", "run").refused("--blend run: interpolates two runs", "x.pth")
    with pytest.raises(InputError, match=r"^amount -1: must be between 0 and 1"):
        run.export("x.onnx", blend="runs/run", amount=-1)


class Own(nn.Module):
    """Nearest enlargement by 4 and a convolution."""

    def __init__(self, channels: int = 3) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        enlarged: Tensor = self.conv(nn.functional.interpolate(images, scale_factor=4.0, mode="nearest"))
        return enlarged


def test_networks_of_ones_own_are_trained_and_exported() -> None:
    own = {"generator": Own()}
    run = trained("own", networks=own)
    with Upscaler.load(run.export("own.onnx"), "cpu") as upscaler:
        assert (upscaler.scale, upscaler.manifest.network.context) == (4, 1)  # type: ignore[union-attr]
        assert upscaler.upscale(PICTURE).shape == (52, 84, 3)
    with pytest.raises(GanEdgeError, match="given in Python may differ"):
        run.export("blend.onnx", blend=trained("other"))
    with pytest.raises(InputError, match=re.escape("and give images float [2, 3, 48, 48] in [0, 1]")):
        trained("wrong", networks={"generator": Own(1)})


def test_options_without_meaning_are_not_in_the_help(call: Call) -> None:
    shown = call("gan-train", "--recipe", "sr", "--help").out
    assert "--crop" in shown
    assert "--size" not in shown
    assert "--labels" not in shown
    assert "--size" in call("gan-train", "--help").out
