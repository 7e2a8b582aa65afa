"""Published weights: the numbers of the authors' code, all ways in which files hold them, and what is refused.

The numbers were computed from weights and pictures of `formulas` by ResnetGenerator and UnetGenerator of
pytorch-CycleGAN-and-pix2pix, RRDBNet of BasicSR at 8d56e3a and the generator of PyTorch's DCGAN tutorial. On random
weights, at three sizes each, none of the architectures differs by anything from the authors' code: RRDBNet of BasicSR
(x4, x2, x1, 23 blocks), of ESRGAN at 73e9b63 and at 140595a (x2, x4, x8), SRVGGNetCompact, ResNet with 6 and 9 blocks
and U-Net with 7 and 8 halvings (each with batch and instance norm, with and without dropout), DCGAN.
"""

import json
import os
import pickle
import struct
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from formulas import noise, textured, weights
from helpers import Result
from published import Shapes, as_esrgan, as_old_esrgan, dcgan, resnet, unet
from torch import Tensor, nn

from gan_runtime import Upscaler, load
from gan_runtime.errors import InputError
from gan_trainer.convert.checkpoint import read_checkpoint
from gan_trainer.convert.recognise import Recognised, recognise
from gan_trainer.networks.upscaling import Compact, Rrdb

RESNET_SIZES = (8, 8), (12, 20), (40, 36)
TRANSLATED = {  # shapes of weights, channels of the pictures, and six values at each of three sizes
    "ResNet of CycleGAN, 6 blocks, 8 channels, instance norm": (
        resnet(3, 3, 8, 6, "instance"),
        3,
        {
            (8, 8): [0.83777, 0.99611, -0.60163, 0.81174, 0.35507, -0.32317],
            (12, 20): [0.42939, 0.93699, 0.48492, 0.14507, -0.92676, -0.3449],
            (40, 36): [0.2417, 0.95738, 0.81089, 0.70705, -0.88673, -0.75804],
        },
    ),
    "ResNet of CycleGAN, 6 blocks, 8 channels, instance norm, with dropout": (
        resnet(3, 1, 8, 6, "instance", dropout=True),
        3,
        {
            (8, 8): [0.95014, 0.80815, 0.86284, -0.92426, 0.98818, -0.87208],
            (12, 20): [0.8199, 0.72926, -0.49831, 0.9751, 0.75789, 0.92983],
            (40, 36): [0.96809, 0.40127, 0.97383, -0.29223, -0.40879, 0.91372],
        },
    ),
    "ResNet of CycleGAN, 9 blocks, 8 channels, batch norm": (
        resnet(1, 3, 8, 9, "batch", dropout=True),
        1,
        {
            (8, 8): [0.92059, -0.52371, -0.91321, -0.34536, 0.51804, -0.30384],
            (12, 20): [0.96648, 0.86716, -0.90016, -0.88612, 0.66374, -0.73957],
            (40, 36): [0.98944, 0.33974, -0.98933, -0.97891, 0.78062, 0.86877],
        },
    ),
    "U-Net of pix2pix, 7 halvings, 4 channels, batch norm": (
        unet(3, 3, 4, 7, "batch"),
        3,
        {
            (128, 128): [0.1426, 0.32426, 0.1279, 0.37642, -0.01454, 0.05967],
            (128, 256): [0.18215, 0.26069, 0.16513, 0.42736, -0.062, 0.00483],
            (256, 128): [0.1425, 0.35344, 0.12803, 0.13123, -0.01431, -0.03561],
        },
    ),
    "U-Net of pix2pix, 8 halvings, 2 channels, instance norm": (
        unet(3, 3, 2, 8, "instance"),
        3,
        {
            (256, 256): [0.27882, 0.16604, 0.16616, 0.07849, 0.00573, 0.07208],
            (256, 512): [0.2692, 0.20387, 0.17049, 0.06845, -0.00516, 0.11457],
            (512, 256): [0.27572, 0.27378, 0.16552, 0.02732, 0.00578, 0.23925],
        },
    ),
    "U-Net of pix2pix, 8 halvings, 2 channels, batch norm": (
        unet(1, 3, 2, 8, "batch"),
        1,
        {
            (256, 256): [0.04125, 0.00851, 0.03525, 0.08053, 0.07483, 0.06524],
            (256, 512): [0.04076, 0.08181, 0.03839, 0.07792, 0.07047, 0.06953],
            (512, 256): [0.04125, 0.04649, 0.03525, 0.03166, 0.07483, 0.13159],
        },
    ),
}
DCGAN = [
    [-0.02799, 0.00175, -0.00378, -0.039, 0.04437, 0.07571],
    [-0.02975, 0.00613, -0.00549, -0.03433, 0.0471, 0.07065],
    [-0.02391, 0.01138, -0.00125, -0.02779, 0.0413, 0.0668],
]
RRDB = [0.5355, 0.21907, 0.35043, -1.53048, -0.32658, -1.17647]  # x4, 64 channels, 6 blocks, 16 x 11 pixels
BLOCKS = 6


def tensors(shapes: Shapes) -> dict[str, Tensor]:
    """Weights by the formula."""
    return {name: torch.from_numpy(value) for name, value in weights(shapes).items()}


def rrdb() -> dict[str, Tensor]:
    """Weights of RRDBNet by the names of BasicSR."""
    return tensors({name: tuple(value.shape) for name, value in Rrdb(4, 3, 64, BLOCKS).state_dict().items()})


def recognised(saved: object, path: str = "weights.pth") -> Recognised:
    torch.save(saved, path)
    return recognise(read_checkpoint(Path(path)))


def six(images: Tensor) -> Tensor:
    values = images.flatten()
    return values[:: -(-len(values) // 6)]


def scaled_last(shapes: Shapes) -> dict[str, Tensor]:
    """Weights by the formula; those of the last layer of 9 blocks are made smaller, so that tanh is not 1."""
    made = tensors(shapes)
    if "model.26.weight" in made:
        made["model.26.weight"] /= 64
    return made


@pytest.mark.parametrize("case", TRANSLATED)
@torch.no_grad()
def test_translators_give_what_the_authors_code_gives(case: str) -> None:
    shapes, channels, expected = TRANSLATED[case]
    found = recognised(scaled_last(shapes))
    assert found.described.description == case.removesuffix(", with dropout")
    assert (found.described.task, found.described.range) == ("translate", (-1, 1))
    assert bool(found.described.remarks) == ("batch" in case)
    for size, values in expected.items():
        picture = torch.from_numpy(textured(*size, channels)).permute(2, 0, 1)[None].float() / 127.5 - 1
        np.testing.assert_allclose(six(found.network(picture)), values, atol=1e-4)


@torch.no_grad()
def test_dcgan_gives_what_the_authors_code_gives() -> None:
    found = recognised(tensors(dcgan(20, 4, 3)))
    assert (found.described.task, found.described.latent_dim) == ("generate", 20)
    images = found.network(torch.from_numpy(noise("latents", (3, 20, 1, 1)).astype(np.float32)))
    np.testing.assert_allclose([six(image).tolist() for image in images], DCGAN, atol=1e-4)


@pytest.mark.parametrize(
    "name", [str, as_esrgan, lambda name: as_old_esrgan(name, BLOCKS)], ids=["BasicSR", "ESRGAN", "old ESRGAN"]
)
@torch.no_grad()
def test_rrdbnet_by_all_its_names(name: Callable[[str], str]) -> None:
    found = recognised({name(key): value for key, value in rrdb().items()})
    assert found.described.description == f"RRDBNet x4, {BLOCKS} blocks of 64 channels"
    assert (found.described.task, found.described.range) == ("upscale", (0, 1))
    picture = torch.from_numpy(textured(16, 11, 3)).permute(2, 0, 1)[None].float() / 255
    np.testing.assert_allclose(six(found.network(picture)), RRDB, atol=1e-4)


@pytest.mark.parametrize(
    ("network", "description"),
    [
        (Rrdb(2, 3, 8, 2, growth=4, unshuffle=2), "RRDBNet x2, 2 blocks of 8 channels"),
        (Rrdb(1, 3, 8, 1, growth=4, unshuffle=4), "RRDBNet x1, 1 blocks of 8 channels"),
        (Rrdb(2, 1, 8, 3, growth=4), "RRDBNet x2, 3 blocks of 8 channels"),
        (Rrdb(8, 3, 8, 1, growth=4), "RRDBNet x8, 1 blocks of 8 channels"),
        (Compact(4, 3, 12, 5, "prelu"), "SRVGGNetCompact x4, 7 convolutions of 12 channels, PReLU"),
        (Compact(3, 1, 12, 0), "SRVGGNetCompact x3, 2 convolutions of 12 channels, ReLU"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@torch.no_grad()
def test_sizes_are_read_from_shapes(network: Rrdb | Compact, description: str) -> None:
    found = recognised(network.state_dict())
    assert found.described.description == description
    image = torch.rand(1, _channels(network), 8, 4)
    assert torch.equal(found.network(image), network(image))


def _channels(network: Rrdb | Compact) -> int:
    first = network.conv_first if isinstance(network, Rrdb) else network.body[0]
    return int(first.weight.shape[1]) // network.multiple**2  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("wrap", "part"),
    [
        (lambda w: {"params": _zeros(w), "params_ema": w}, "params_ema"),
        (lambda w: {"params": w}, "params"),
        (lambda w: {"epoch": 3, "step": torch.tensor(7), "state_dict": w}, "state_dict"),
        (lambda w: {"model": {"netG_A": w, "netG_B": _zeros(w)}, "optimizer": {"state": {0: {}}}}, "model.netG_A"),
        (lambda w: {"discriminator": {"x.weight": torch.zeros(3, 3)}, "generator": w}, "generator"),
        (lambda w: {f"module.{name}": value for name, value in w.items()}, ""),
        (lambda w: {f"_orig_mod.module.{name}": value for name, value in w.items()}, ""),
        (lambda w: w | {f"main.{i}.num_batches_tracked": torch.tensor(9) for i in (1, 4, 7, 10)}, ""),
        (lambda w: {name: value.double() for name, value in w.items()}, ""),
    ],
)
def test_weights_are_found_within_a_file(wrap: Callable[[dict[str, Tensor]], object], part: str) -> None:
    made = tensors(dcgan(8, 2, 1))
    found = recognised(wrap(made))
    assert found.origin.get("part", "") == part
    assert all(torch.equal(found.network.state_dict()[name], value) for name, value in made.items())


def _zeros(made: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: torch.zeros_like(value) for name, value in made.items()}


def test_half_precision_is_converted() -> None:
    made = {name: value.half() for name, value in tensors(dcgan(8, 2, 1)).items()}
    state = recognised(made).network.state_dict()
    assert all(torch.equal(state[name], value.float()) for name, value in made.items())


def test_statistics_of_instance_norm_are_left_out() -> None:
    shapes = resnet(3, 3, 4, 6, "instance")
    old = {f"model.2.{kind}": (4,) for kind in ("running_mean", "running_var")}
    assert "instance norm" in recognised(tensors(shapes | old)).described.description


# files ---------------------------------------------------------------------------------------------------------------


def safetensors(values: dict[str, Tensor], **changes: Any) -> bytes:
    """The bytes of a .safetensors file; `changes` replace fields of the first tensor's entry."""
    kinds = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.int8: "I8", torch.int64: "I64"}
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    body = b""
    for name, value in values.items():
        raw = value.contiguous().view(torch.uint8).numpy().tobytes() if value.ndim else value[None].numpy().tobytes()
        entry = {
            "dtype": kinds[value.dtype],
            "shape": list(value.shape),
            "data_offsets": [len(body), len(body) + len(raw)],
        }
        header[name] = entry | (changes if len(header) == 1 else {})
        body += raw
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


@pytest.mark.parametrize("kind", [torch.float32, torch.float16, torch.bfloat16])
def test_safetensors_are_read(kind: torch.dtype) -> None:
    made = {name: value.to(kind) for name, value in tensors(dcgan(8, 2, 1)).items()}
    counters = {"main.1.num_batches_tracked": torch.tensor(4)}
    Path("weights.safetensors").write_bytes(safetensors(made | counters))
    found = recognise(read_checkpoint(Path("weights.safetensors")))
    assert all(torch.equal(found.network.state_dict()[name], value.float()) for name, value in made.items())


SMALL = {"a.weight": torch.ones(2, 3), "b": torch.zeros(4)}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "its header would have 0 bytes"),
        (struct.pack("<Q", 2**40) + b"{}", "its header would have 1,099,511,627,776 bytes"),
        (struct.pack("<Q", 9) + b'{"a": 1}}', "damaged"),
        (struct.pack("<Q", 2) + b"[]", "damaged"),
        (safetensors(SMALL)[:-1], "do not cover the file"),
        (safetensors(SMALL) + b"more", "do not cover the file"),
        (safetensors(SMALL, data_offsets=[0, 20]), "do not cover the file"),
        (safetensors(SMALL, data_offsets=[-1, 24]), "where a length is expected"),
        (safetensors(SMALL, shape=[3, 3]), r"24 bytes for \[3, 3\]"),
        (safetensors(SMALL, shape=[2**40, 2**40]), "bytes for"),
        (safetensors(SMALL, shape=[True, 6]), "where a length is expected"),
        (safetensors(SMALL, dtype="F8_E4M3"), "values of type F8_E4M3; give the weights as floats"),
        (safetensors(SMALL, extra=1), "has the fields"),
        (safetensors({"a.weight": torch.ones(2, 3, dtype=torch.int8)}), "values of type I8"),
    ],
)
def test_damaged_safetensors_are_refused(content: bytes, reason: str) -> None:
    Path("x.safetensors").write_bytes(content)
    with pytest.raises(InputError, match=rf"^x\.safetensors: .*{reason}") as refused:
        read_checkpoint(Path("x.safetensors"))
    assert "\n" not in str(refused.value)


COMPACT = {
    "body.0.weight": torch.ones(8, 3, 3, 3),
    "body.0.bias": torch.ones(8),
    "body.2.weight": torch.ones(12, 8, 3, 3),
}


class Command:
    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, ("touch executed",)


def _bomb(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x/data.pkl", b"")
        archive.writestr("x/data/0", bytes(2**20))
    content = path.read_bytes().replace(struct.pack("<I", 2**20), struct.pack("<I", 2**32 - 2))
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: path.write_bytes(pickle.dumps(Command())), "damaged, or more than weights"),
        (lambda path: torch.save({"a": torch.zeros(2, 2), "b": Command()}, path), "damaged, or more than weights"),
        (lambda path: path.write_bytes(b"<html>not found</html>"), "damaged, or more than weights"),
        (os.mkfifo, "not a regular file"),
        (_bomb, "bytes, and the weights of the network have 2,148,532,224 at most"),
        (lambda path: torch.save([1, 2], path), "has no weights by name"),
        (lambda path: torch.save({"a": 1}, path), "has no weights by name"),
        (
            lambda path: torch.save({"a": torch.zeros(2, 2, dtype=torch.int8)}, path),
            "a has values of type torch.int8; give the weights as floats",
        ),
        (lambda path: torch.save({"a": torch.full((2, 2), torch.nan)}, path), "a has values that are not finite"),
        (lambda path: torch.save({"a": torch.zeros(1, 1).expand(2**20, 2**20)}, path), "its weights would take more"),
        (lambda path: torch.save({"a": torch.zeros(2, 2).to_sparse()}, path), "a is no dense tensor"),
        (
            lambda path: torch.save({"networks": {}, "averages": {}, "config": {}}, path),
            "a checkpoint of a run of gan-train; name the run",
        ),
    ],
)
def test_files_without_usable_weights_are_refused(make: Callable[[Path], object], reason: str) -> None:
    make(Path("x.pth"))
    with pytest.raises(InputError, match=rf"^x\.pth: .*{reason}") as refused:
        read_checkpoint(Path("x.pth"))
    assert "\n" not in str(refused.value)
    assert not Path("executed").exists()


def test_quantised_weights_are_refused() -> None:
    with warnings.catch_warnings(action="ignore"):  # torch calls its own quantised tensors deprecated
        torch.save({"a": torch.quantize_per_tensor(torch.zeros(2, 2), 0.1, 0, torch.qint8)}, "x.pth")
    with pytest.raises(InputError, match=r"^x\.pth: (a has values of type torch\.qint8|damaged, or more than weights)"):
        read_checkpoint(Path("x.pth"))


@pytest.mark.parametrize(
    ("saved", "reason"),
    [
        ({"a.weight": torch.ones(2, 3)}, r"unknown architecture: a\.weight \[2, 3\]\. Known are RRDBNet"),
        (
            {"state_dict": {f"layer{i}.weight": torch.ones(2, 1, 1, 1) for i in range(9)}},
            r"unknown architecture: state_dict: layer0\.weight \[2, 1, 1, 1\], .* and 5 more",
        ),
        (lambda w: w | {"body.0.rdb1.conv1.weight": torch.ones(1, 2)}, r"looks like RRDBNet.*body\.0\.rdb1.*\[1, 2\]"),
        (
            lambda w: w | {"conv_last.weight": torch.ones(4, 64, 3, 3)},
            r"looks like RRDBNet.*3 channels at the input and 4 behind",
        ),
        (lambda w: {k: v for k, v in w.items() if k != "conv_hr.bias"}, r"looks like RRDBNet.* lacks conv_hr\.bias"),
        (lambda w: w | {"attention.weight": torch.ones(3, 3)}, r"looks like RRDBNet.* has, besides, attention\.weight"),
        (lambda w: w | {"body.77.rdb1.conv1.weight": torch.ones(3, 3)}, r"looks like RRDBNet.* lacks body\.6"),
        (
            lambda w: w | {"conv_first.weight": torch.zeros(1, 1, 1, 1).expand(10**6, 3, 3, 3)},
            r"looks like RRDBNet.*is \[",
        ),
        (
            {**COMPACT, "body.2.weight": torch.ones(7, 8, 3, 3)},
            r"SRVGGNetCompact, but its last layer, body\.2, gives 7",
        ),
        (
            {**COMPACT, "body.99998.weight": torch.ones(12, 8, 3, 3)},
            r"looks like SRVGGNetCompact, but its layers up to body\.99998 are not all there",
        ),
        (tensors(resnet(4, 3, 4, 6, "instance")), "looks like ResNet generator.*turns 4 channels into 3"),
        (
            tensors({k: v for k, v in resnet(3, 3, 4, 6, "instance").items() if k != "model.1.bias"}),
            r"looks like ResNet generator.*neither model\.2\.weight",
        ),
        (
            tensors(unet(3, 3, 4, 7, "batch") | {"model.model.1.model.9.weight": (4,)}),
            r"looks like U-Net.*has, besides, model\.model\.1\.model\.9\.weight",
        ),
        (tensors(dcgan(8, 2, 2)), "its images have 2 channels; supported are 1 and 3"),
    ],
)
def test_weights_that_do_not_fit_are_described(saved: Any, reason: str) -> None:
    with pytest.raises(InputError, match=rf"^weights\.pth: .*{reason}") as refused:
        recognised(saved(rrdb()) if callable(saved) else saved)
    assert "\n" not in str(refused.value)


# the command ---------------------------------------------------------------------------------------------------------


def test_gan_export_writes_a_verified_file(call: Callable[..., Result]) -> None:
    torch.save({"state_dict": tensors(dcgan(8, 4, 3))}, "netG.pth")
    done = call("gan-export", "netG.pth", "--json")
    assert done.code == 0, done
    assert "state_dict: DCGAN of PyTorch's tutorial, 64 x 64 pixels, latents of 8" in done.err
    report = json.loads(done.out)
    assert report["output"] == "exported/netG.onnx"
    generator = load(report["output"])
    assert generator.manifest is not None
    assert generator.manifest.training == {
        "architecture": "DCGAN of PyTorch's tutorial, 64 x 64 pixels, latents of 8",
        "weights": report["weights"],
        "part": "state_dict",
    }
    assert generator.sample(2, seed=0).shape == (2, 64, 64, 3)


@pytest.mark.parametrize(
    ("shapes", "sizes"),
    [
        (resnet(3, 3, 4, 6, "instance"), [(1, 1), (9, 30), (64, 64)]),
        (resnet(3, 1, 4, 6, "batch", dropout=True), [(1, 1), (9, 30), (64, 64)]),
        (unet(1, 3, 2, 7, "batch"), [(1, 1), (70, 130), (128, 128)]),
    ],
    ids=["instance norm", "batch norm and dropout", "U-Net"],
)
@torch.no_grad()
def test_exported_translators_give_what_torch_gives(
    call: Callable[..., Result], shapes: Shapes, sizes: list[tuple[int, int]]
) -> None:
    weights = {name: 0.3 * value if value.ndim > 1 else value for name, value in tensors(shapes).items()}
    torch.save(weights, "latest_net_G.pth")
    done = call("gan-export", "latest_net_G.pth", "--output", "net.onnx", "--json")
    assert done.code == 0, done
    assert json.loads(done.out)["task"] == "translate"
    found, translate = recognised(weights, "latest_net_G.pth"), load("net.onnx", "cpu")
    for height, width in sizes:
        picture = textured(height, width, found.described.channels[0])[None]
        side = found.network.multiple  # type: ignore[attr-defined]
        rows, columns = (-(-length // side) * side for length in (height, width))
        padded = np.pad(picture, ((0, 0), (0, rows - height), (0, columns - width), (0, 0)), "edge")
        if min(padded.shape[1:3]) < found.network.least:  # type: ignore[attr-defined]
            continue
        values = found.network(torch.from_numpy(padded).permute(0, 3, 1, 2).float() / 127.5 - 1)
        expected = ((values + 1) * 127.5).round().permute(0, 2, 3, 1)[:, :height, :width].numpy()
        given = translate(picture)
        assert given.shape == expected.shape
        assert np.abs(given.astype(float) - expected).max() <= 1


UPSCALERS: dict[str, Callable[[], dict[str, Tensor]]] = {  # by a part of what gan-export says of them
    "RRDBNet x4, 2 blocks of 8 channels": lambda: upscaling(Rrdb(4, 3, 8, 2, 4)),
    "RRDBNet x2, 1 blocks of 8 channels": lambda: upscaling(Rrdb(2, 3, 8, 1, 4, unshuffle=2)),
    "RRDBNet x1, 1 blocks of 8 channels": lambda: upscaling(Rrdb(1, 1, 8, 1, 4, unshuffle=4)),
    "RRDBNet x4, 1 blocks of 8 channels": lambda: {
        as_old_esrgan(name, 1): value for name, value in upscaling(Rrdb(4, 3, 8, 1, 4)).items()
    },
    "SRVGGNetCompact x4, 3 convolutions of 8 channels, PReLU": lambda: upscaling(Compact(4, 3, 8, 1, "prelu")),
    "SRVGGNetCompact x2, 3 convolutions of 8 channels, ReLU": lambda: upscaling(Compact(2, 1, 8, 1)),
}


def upscaling(network: nn.Module) -> dict[str, Tensor]:
    """Weights by the formula; those of the last layer are made smaller, so that values are in [0, 1]."""
    made = tensors({name: tuple(value.shape) for name, value in network.state_dict().items()})
    if "conv_last.weight" in made:
        made |= {"conv_last.weight": made["conv_last.weight"] / 16, "conv_last.bias": made["conv_last.bias"] + 0.5}
    return made


@pytest.mark.parametrize("words", UPSCALERS)
@torch.no_grad()
def test_exported_upscalers_give_what_torch_gives(call: Callable[..., Result], words: str) -> None:
    made = UPSCALERS[words]()
    torch.save({"params": _zeros(made), "params_ema": {name: value.half() for name, value in made.items()}}, "up.pth")
    done = call("gan-export", "up.pth", "--output", "up.onnx", "--json")
    assert done.code == 0, done
    assert f"params_ema: {words}, task upscale" in done.err
    upscaler, report = Upscaler.load("up.onnx", "cpu"), json.loads(done.out)
    assert upscaler.manifest.training == {
        "architecture": words,
        "weights": {"name": "up.pth", "sha256": report["weights"]["sha256"]},
        "part": "params_ema",
    }
    assert upscaler.scale == int(words.split(" x")[1][0])
    found = recognise(read_checkpoint(Path("up.pth")))
    network, channels = found.network, found.described.channels[0]
    for height, width in [(1, 1), (9, 30), (21, 16)]:
        picture, side = textured(height, width, channels), network.multiple  # type: ignore[attr-defined]
        rows, columns = (-length % side for length in (height, width))
        padded = np.pad(picture, ((0, rows), (0, columns), (0, 0)), "edge")[None]
        values = network(torch.from_numpy(padded).permute(0, 3, 1, 2).float() / 255)[0].permute(1, 2, 0)
        expected = (values * 255).round().clamp(0, 255).numpy()[: upscaler.scale * height, : upscaler.scale * width]
        given = upscaler.upscale(picture)
        assert given.shape == expected.shape
        assert np.abs(given.astype(float) - expected).max() <= 1
    assert given.std() > 5


def test_gan_export_says_in_one_line_what_is_wrong(call: Callable[..., Result]) -> None:
    Path("exported").mkdir()
    Path("exported/x.onnx").write_bytes(b"older")
    Path("x.pth").write_bytes(b"no weights")
    assert call("gan-export", "x.pth").refused("x.pth: damaged")
    assert call("gan-export", "no.safetensors").refused("no.safetensors: no such file")
    torch.save(tensors(dcgan(8, 4, 3)), "x.pth")
    assert call("gan-export", "x.pth", "--checkpoint", "last").refused("--checkpoint last", "x.pth")
    assert call("gan-export", "x.pth", "--output", "x.png").refused("x.png", ".onnx")
    assert Path("exported/x.onnx").read_bytes() == b"older"
