"""Generators of StyleGAN2 in files of others: the numbers of the authors' code, what files say, and what is refused.

The numbers were computed from weights and latents of `style_networks` by the Generator of stylegan2-ada-pytorch (with
constant noise, in float32) and by that of rosinality's stylegan2-pytorch.
"""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from formulas import noise
from helpers import Result
from pickled import pickled
from style_networks import Shapes, authors, rosinality, snapshot, style_weights
from torch import Tensor

from gan_runtime import load
from gan_runtime.errors import InputError
from gan_trainer.convert.checkpoint import read_checkpoint
from gan_trainer.convert.recognise import Recognised, recognise
from gan_trainer.networks.stylegan2 import StyleGenerator

STYLE = 16
LABELS = torch.tensor([3, 7])
SMALL = authors(8, 3, 4, STYLE, 1)
AUTHORS = {  # shapes and clamp, and six values of two images with truncation 1 and .5
    "StyleGAN2, 64 x 64 pixels, grey, latents of 16, 10 classes, mapping of 2 layers": (
        authors(64, 1, 8, STYLE, 2, 10),
        256,
        [0.00599, 0.05088, -0.17319, -0.02811, 0.06929, -0.40196],
        [0.03398, -0.12284, -0.26729, -0.03298, -0.03821, -0.33025],
    ),
    "StyleGAN2, 128 x 128 pixels, RGB, latents of 16, mapping of 3 layers": (
        authors(128, 3, 8, STYLE, 3),
        256,
        [-0.06585, -0.06373, 0.06962, -0.15444, -0.00052, 0.08929],
        [-0.07488, -0.04079, 0.05365, -0.16265, 0.0229, 0.13361],
    ),
    "StyleGAN2, 32 x 32 pixels, RGB, latents of 16, mapping of 8 layers": (
        authors(32, 3, 8, STYLE, 8),
        0.8,
        [-0.28347, 0.13861, 0.00325, -0.09738, -0.09062, 0.20133],
        [-0.12274, -0.0132, 0.15637, -0.11111, -0.10178, 0.21886],
    ),
}
ROSINALITY = rosinality(64, 8, STYLE, 3)
ROSINALITY_GIVES = (
    [0.21181, -0.41401, 0.2328, 0.12025, -0.16297, 0.11942],
    [0.14006, -0.22784, 0.15444, 0.11407, -0.19056, 0.13076],
)


def latents(n: int = 2) -> Tensor:
    return torch.from_numpy((math.sqrt(3) * noise("latents", (n, STYLE))).astype(np.float32))


def six(images: Tensor) -> Tensor:
    values = images.flatten()
    return values[:: -(-len(values) // 6)]


def read(saved: Any, path: str = "network.pkl") -> Recognised:
    """What is recognised in a file: a pickle, or for other suffixes what `torch.save` writes."""
    if path.endswith(".pkl"):
        Path(path).write_bytes(saved if isinstance(saved, bytes) else pickled(saved))
    else:
        torch.save(saved, path)
    return recognise(read_checkpoint(Path(path)))


@torch.no_grad()
def assert_gives(found: Recognised, *expected: list[float]) -> None:
    network = found.network
    assert isinstance(network, StyleGenerator)
    for truncation, values in zip((1.0, 0.5), expected, strict=True):
        labels = LABELS if network.classes else None
        images = network(latents(), labels, torch.tensor([truncation]))
        np.testing.assert_allclose(six(images), values, atol=2e-5)


@pytest.mark.parametrize(
    ("protocol", "module"), [(2, "numpy.core"), (3, "numpy.core"), (4, "numpy._core"), (5, "numpy._core")]
)
@pytest.mark.parametrize("words", AUTHORS)
def test_snapshots_give_what_the_authors_code_gives(words: str, protocol: int, module: str) -> None:
    shapes, clamp, *expected = AUTHORS[words]
    found = read(pickled(snapshot(style_weights(shapes), module, conv_clamp=clamp), protocol))
    described = found.described
    assert (described.description, described.task, described.remarks) == (words, "generate", ())
    assert (described.latent_dim, described.range) == (STYLE, (-1, 1))
    assert found.network.classes == (10 if "classes" in words else 0)
    assert found.origin["part"] == "G_ema"
    assert_gives(found, *expected)


def test_a_state_dict_of_the_authors_generator_gives_the_same() -> None:
    words = next(iter(AUTHORS))
    shapes, _, *expected = AUTHORS[words]
    found = read({"step": 3, "G_ema": style_weights(shapes)}, "network.pt")
    assert found.described.description == words
    assert "settings" in found.described.remarks[0]
    assert_gives(found, *expected)


def test_weights_in_another_memory_format_and_precision() -> None:
    shapes, _, *expected = AUTHORS["StyleGAN2, 128 x 128 pixels, RGB, latents of 16, mapping of 3 layers"]
    weights = style_weights(shapes)
    for name, value in weights.items():
        if value.ndim == 4:
            weights[name] = value.contiguous(memory_format=torch.channels_last)
    weights["mapping.fc0.weight"] = weights["mapping.fc0.weight"].double()
    assert_gives(read(snapshot(weights)), *expected)


def test_no_clamp_is_no_clamp() -> None:
    shapes, *_ = AUTHORS["StyleGAN2, 32 x 32 pixels, RGB, latents of 16, mapping of 8 layers"]
    weights = style_weights(shapes)
    free, far = (read(snapshot(weights, conv_clamp=clamp)).network(latents()) for clamp in (None, 1e6))
    assert torch.equal(free, far)
    assert not torch.allclose(free, read(snapshot(weights, conv_clamp=0.8)).network(latents()))


def test_rosinality_gives_what_its_code_gives() -> None:
    mean = torch.from_numpy((0.3 * noise("latent_avg", (STYLE,))).astype(np.float32))
    for shape in ((STYLE,), (1, STYLE)):
        found = read({"g_ema": style_weights(ROSINALITY), "latent_avg": mean.reshape(shape)}, "550000.pt")
        assert (
            found.described.description
            == "StyleGAN2 of rosinality, 64 x 64 pixels, RGB, latents of 16, mapping of 3 layers"
        )
        assert found.origin["part"] == "g_ema"
        assert_gives(found, *ROSINALITY_GIVES)


@torch.no_grad()
def test_a_mean_style_that_is_missing_is_estimated() -> None:
    import argparse

    weights = style_weights(ROSINALITY)
    options = argparse.Namespace(size=64, path="data")  # what its training saves besides
    saved = {"g": weights, "d": {"convs.0.0.weight": torch.ones(4, 3, 1, 1)}, "g_ema": weights, "args": options}
    found = read(saved | {"ada_aug_p": 0.2}, "550000.pt")
    assert any("10,000 latents" in remark for remark in found.described.remarks)
    network = found.network
    assert isinstance(network, StyleGenerator)
    styles = network.mapping(torch.randn(200_000, STYLE, generator=torch.Generator().manual_seed(1)))
    error = (styles.mean(0) - network.w_mean).abs() / styles.std(0)
    assert error.max() < 5 / math.sqrt(10_000)
    again = read(saved, "550000.pt").network
    assert torch.equal(again.w_mean, network.w_mean)  # type: ignore[union-attr]
    assert_gives_first = six(network(latents()))
    np.testing.assert_allclose(assert_gives_first, ROSINALITY_GIVES[0], atol=2e-5)


def without(shapes: Shapes, *parts: str) -> dict[str, Tensor]:
    return {name: value for name, value in style_weights(shapes).items() if not any(part in name for part in parts)}


RESNET = without(SMALL, "b4.torgb") | {"synthesis.b8.skip.weight": torch.ones(2, 4, 1, 1)}
STYLEGAN3 = {"mapping.fc0.weight": torch.ones(4, 4), "synthesis.L0_36_512.weight": torch.ones(4, 4, 3, 3)}


@pytest.mark.parametrize(
    ("saved", "reason"),
    [
        (snapshot(without(SMALL, "b4.torgb")), "its architecture is 'orig'; supported is 'skip'"),
        (snapshot(RESNET), "its architecture is 'resnet'; supported is 'skip'"),
        (snapshot(style_weights(SMALL), architecture="resnet"), r"b\d\.architecture is 'resnet'; supported is 'skip'"),
        (snapshot(style_weights(SMALL), activation="relu"), r"activation is 'relu'; supported is '"),
        (snapshot(style_weights(SMALL), use_noise=False), "use_noise is False; supported is True"),
        (snapshot(style_weights(SMALL), weight_gain=0.5), r"weight_gain is 0\.5; supported is "),
        (snapshot(style_weights(SMALL), bias_gain=0.5), r"bias_gain is 0\.5; supported is 1"),
        (snapshot(style_weights(SMALL), conv_clamp="none"), "conv_clamp"),
        (snapshot(style_weights(SMALL), conv_clamp=math.nan), "conv_clamp"),
        (snapshot(style_weights(SMALL), conv_clamp=-1), "conv_clamp"),
        (
            snapshot(style_weights(SMALL) | {"synthesis.b8.resample_filter": torch.ones(4, 4)}),
            r"filter .* \[1, 3, 3, 1\]",
        ),
        (
            snapshot(style_weights(SMALL) | {"synthesis.b8.resample_filter": torch.ones(12)}),
            r"filter .* \[1, 3, 3, 1\]",
        ),
        (snapshot(STYLEGAN3), "looks like StyleGAN3, but its configuration is stylegan3-t or stylegan3-r"),
        (snapshot(without(SMALL, "b8.conv0.noise_const")), r"lacks synthesis\.b8\.conv0\.noise_const"),
        (snapshot(without(SMALL, "w_avg")), "lacks w_mean"),
        (snapshot(without(SMALL, "b8.conv0.affine.bias")), r"lacks synthesis\.ups\.0\.affine\.bias"),
        (snapshot(without(SMALL, "b8.")), "has 1 grids"),
        (snapshot(without(authors(16, 3, 4, STYLE, 1), "b8.")), "its grids have 4, 16 pixels"),
        (snapshot(style_weights(SMALL) | {"synthesis.b" + "9" * 99 + ".x": torch.ones(2)}), "has, besides"),
        (snapshot(style_weights(authors(8, 4, 4, STYLE, 1))), "its images have 4 channels; supported are 1 and 3"),
        (
            snapshot(style_weights(SMALL) | {"mapping.fc0.weight": torch.ones(8, STYLE)}),
            r"is \[8, 16\], not \[16, 16\]",
        ),
        (
            snapshot(style_weights(authors(8, 3, 4, STYLE, 1, 5)) | {"mapping.fc0.weight": torch.ones(STYLE, STYLE)}),
            "labels without latents",
        ),
        (snapshot({"a.weight": torch.ones(2, 3)}), r"unknown architecture: G_ema: a\.weight"),
        (
            snapshot(style_weights(SMALL) | {"mapping.w_avg": torch.full((STYLE,), math.nan)}),
            "w_avg has values that are not finite",
        ),
        (
            snapshot(style_weights(SMALL) | {"mapping.w_avg": torch.ones(STYLE, dtype=torch.int32)}),
            "w_avg has values of type torch.int32",
        ),
        ({"G": snapshot(style_weights(SMALL))["G"]}, "lacks G_ema; it has G"),
    ],
)
def test_networks_that_do_not_fit_are_described(saved: Any, reason: str) -> None:
    with pytest.raises(InputError, match=rf"^network\.pkl: .*{reason}") as refused:
        read(saved)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"noises.noise_1": None}, "lacks noises.noise_1"),
        ({"style.2.weight": torch.ones(STYLE, 3)}, r"layers\.1\.weight is \[16, 3\]"),
        ({"style.1.weight": None}, "unknown architecture"),
        ({"convs.0.conv.blur.kernel": torch.ones(4, 4)}, r"filter .* \[1, 3, 3, 1\]"),
        ({"to_rgb1.conv.weight": torch.ones(1, 12, 8, 1, 1)}, "its images have 12 channels"),
        ({"convs.0.noise.weight": torch.ones(2)}, r"noise_strength is \[2\], not \[\]"),
    ],
)
def test_files_of_rosinality_that_do_not_fit_are_described(changes: dict[str, Tensor | None], reason: str) -> None:
    weights = {name: value for name, value in (style_weights(ROSINALITY) | changes).items() if value is not None}
    with pytest.raises(InputError, match=rf"^x\.pt: .*{reason}"):
        read({"g_ema": weights}, "x.pt")


def test_gan_export_writes_a_verified_file(call: Callable[..., Result]) -> None:
    shapes, *_ = next(iter(AUTHORS.values()))
    Path("network.pkl").write_bytes(pickled(snapshot(style_weights(shapes))))
    done = call("gan-export", "network.pkl", "--json")
    assert done.code == 0, done
    assert "G_ema: StyleGAN2, 64 x 64 pixels, grey" in done.err
    generator = load(json.loads(done.out)["output"])
    assert generator.manifest is not None
    assert generator.manifest.training == {
        "architecture": next(iter(AUTHORS)),
        "weights": json.loads(done.out)["weights"],
        "part": "G_ema",
    }
    with torch.no_grad():
        values = read(Path("network.pkl").read_bytes()).network(latents(), LABELS)
    expected = ((values.permute(0, 2, 3, 1) + 1) * 127.5).round().clamp(0, 255).numpy()
    given = generator(latents().numpy(), LABELS.numpy())
    assert np.abs(given.astype(float) - expected).max() <= 1
    assert given.std() > 10
