"""Translators: exported for images of any size, equal to torch, in tiles, and checked on another host."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from helpers import Result
from torch import Tensor, nn
from trained_translators import COLOUR, GREY, SMALL, pictures, trained, whole_by_torch

import gan_runtime
from gan_runtime import Generator, Translator
from gan_runtime.errors import InputError, ModelError
from gan_runtime.evaluation.fingerprint import source_images
from gan_runtime.manifest import Counterpart, ImageAxes, ImageSize
from gan_runtime.model_file import ModelFile, read_model_file
from gan_runtime.models import checkout, shipped_model
from gan_runtime.tiling import least_window
from gan_trainer.data.pixels import normalise
from gan_trainer.export.context import context_of
from gan_trainer.export.onnx_file import ExportError
from gan_trainer.export.translator import translator_file, translator_pair
from gan_trainer.networks.translator import new_translator

Call = Callable[..., Result]
SIZES = [(1, 1), (1, 9), (8, 8), (65, 67), (97, 33), (300, 200)]
FILES: dict[tuple[str, int], ModelFile] = {}


def size_of(kind: str) -> ImageSize:
    return COLOUR if kind in ("resnet", "instance") else GREY


def exported(kind: str, opset: int = 17) -> Translator:
    """A trained network of `SMALL` as an open file at `kind`.onnx."""
    if (kind, opset) not in FILES:
        size = size_of(kind)
        about = {"source": size, "images": COLOUR, "examples": pictures(8, size), "opset": opset}
        FILES[kind, opset] = translator_file(trained(kind), Path(f"{kind}.onnx"), **about)
    path = Path(f"{kind}.onnx")
    path.write_bytes(FILES[kind, opset].content)
    return Translator.load(path, "cpu", 2)


@pytest.mark.parametrize("kind", SMALL)
@pytest.mark.parametrize("size", SIZES)
def test_images_of_any_size_keep_it_and_equal_torchs(kind: str, size: tuple[int, int]) -> None:
    translator = exported(kind)
    source = pictures(3, ImageSize(*size, size_of(kind).channels), seed=5)
    found = translator(source)
    assert found.shape == (3, *size, 3)
    if not (kind == "instance" and size == (1, 1)):  # of one colour, where that norm amplifies rounding
        assert np.abs(found.astype(int) - whole_by_torch(trained(kind), source)).max() <= 1
    assert found.std() > 5


@pytest.mark.parametrize("kind", [kind for kind in SMALL if kind != "instance"])
@pytest.mark.parametrize("size", [(65, 67), (300, 200)])
def test_tiles_equal_the_whole_byte_for_byte(kind: str, size: tuple[int, int]) -> None:
    translator = exported(kind)
    least = least_window(translator.manifest.network)
    image = pictures(1, ImageSize(*size, size_of(kind).channels))[0]
    whole = translator.translate(image, 0)
    for tile in (least + 1, 2 * least):
        done: list[tuple[int, int]] = []
        tiles = translator.translate(image, tile, done=lambda k, n, done=done: done.append((k, n)))
        np.testing.assert_array_equal(tiles, whole)
        assert len(done) == done[-1][1] > (max(size) > tile)
    with pytest.raises(InputError, match=f"tile {least - 1}: too small"):
        translator.translate(image, least - 1)


def test_a_unet_that_halves_often_is_exported_and_its_tiles_equal_the_whole() -> None:
    size = ImageSize(256, 256, 3)
    torch.manual_seed(0)
    network = new_translator("unet", size, size, 8, 0, skip=False, width=2, norm="batch", up="nearest", dropout=0.0)
    examples = pictures(8, size)
    with torch.no_grad():
        for _ in range(30):  # for statistics of the batch norms with which pixels matter
            network.train()(normalise(torch.from_numpy(examples)))
        list(network.parameters())[-2].mul_(20)
    file = translator_file(network.eval(), Path("x.onnx"), source=size, images=size, examples=examples)
    translator = Translator.open(file, "cpu", 2)
    tiling = translator.manifest.network
    assert tiling.multiple == 256
    assert 256 < tiling.context <= 512
    for shape in ((300, 500), (1500, 1100)):
        (picture,) = pictures(1, ImageSize(*shape, 3))
        whole = translator.translate(picture, 0)
        assert whole.std() > 5
        np.testing.assert_array_equal(translator.translate(picture, least_window(tiling)), whole)
        np.testing.assert_array_equal(translator.translate(picture), whole)


def test_tiles_of_a_norm_that_looks_at_the_picture_are_as_far_off_as_the_file_says() -> None:
    translator = exported("instance")
    network = translator.manifest.network
    assert (network.norm, network.context, network.tile) == ("instance", None, 256)
    image = pictures(1, ImageSize(400, 300, 3))[0]
    whole, tiles = (translator.translate(image, tile).astype(float) for tile in (0, network.tile))
    psnr = 10 * np.log10(255**2 / np.square(whole - tiles).mean())
    assert 15 < network.tile_psnr < 60
    assert psnr > network.tile_psnr - 12


@pytest.mark.parametrize("kind", SMALL)
def test_an_image_does_not_depend_on_its_batch_nor_on_threads(kind: str) -> None:
    translator, size = exported(kind), size_of(kind)
    source = pictures(7, replace(size, width=45))
    sources = [source, *(pictures(1, ImageSize(*each, size.channels)) for each in SIZES)]
    found = [translator(each) for each in sources]
    np.testing.assert_array_equal(np.concatenate([translator(source[i : i + 1]) for i in range(7)]), found[0])
    for threads in (1, 3, 5):
        for many in (False, True):
            with Translator.load(f"{kind}.onnx", "cpu", threads, many=many) as other:
                assert other.threads == threads
                for each, expected in zip(sources, found, strict=True):
                    np.testing.assert_array_equal(other(each), expected)


def test_threads_share_a_picture_unless_sums_would_depend_on_them() -> None:
    with exported("resnet") as convolutional, exported("transposed") as transposed, exported("instance") as other:
        for translator in (convolutional, other):  # the latter has transposed convolutions, but never of one pixel
            assert (translator.session.threads, translator.runs) == (2, 1)
        assert (transposed.session.threads, transposed.runs) == (1, 2)
        with Translator.load("resnet.onnx", "cpu", 2, many=True) as many:
            assert (many.session.threads, many.runs, many.place["many"]) == (1, 2, True)
            assert many == convolutional


@pytest.mark.parametrize(
    ("kind", "opset"),
    [*(("unet", opset) for opset in range(13, 21)), *((kind, opset) for kind in SMALL for opset in (13, 20))],
)
def test_every_opset(kind: str, opset: int) -> None:
    exported(kind, opset)
    model = onnx.load(f"{kind}.onnx")
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", opset)]
    assert [dim.dim_param for dim in model.graph.input[0].type.tensor_type.shape.dim[:3]] == ["n", "height", "width"]
    assert [dim.dim_param for dim in model.graph.output[0].type.tensor_type.shape.dim[:3]] == ["n", "height", "width"]
    assert {node.domain for node in model.graph.node} == {""}


def convolutions(*layers: nn.Module) -> nn.Module:
    network = nn.Sequential(*layers, nn.Tanh())
    network.multiple = network.least = 1  # type: ignore[assignment]
    return network.eval()


@pytest.mark.parametrize(
    ("network", "context"),
    [
        (convolutions(nn.Conv2d(3, 3, 1)), 0),
        (convolutions(nn.Conv2d(3, 3, 3, padding=1)), 1),
        (convolutions(nn.Conv2d(3, 3, 3, padding=5, dilation=5)), 5),
        (convolutions(nn.Conv2d(3, 3, 3, padding=1), nn.ReLU(), nn.Conv2d(3, 3, 7, padding=3)), 4),
        (convolutions(nn.MaxPool2d(5, 1, 2), nn.BatchNorm2d(3)), 2),
        (convolutions(nn.Conv2d(3, 3, 3, padding=1), nn.InstanceNorm2d(3)), None),
        (convolutions(nn.AdaptiveAvgPool2d(1)), None),
    ],
)
def test_the_context_is_the_receptive_field(network: nn.Module, context: int | None) -> None:
    if context is None and isinstance(network[0], nn.AdaptiveAvgPool2d):  # type: ignore[index]
        pool = network

        class Shifted(nn.Module):
            def forward(self, x: Tensor) -> Tensor:
                return torch.tanh(x - pool(x))

        network = Shifted()
    assert context_of(network, 3, 1, 2) == context


def test_the_context_of_published_sizes() -> None:
    """By hand: a resnet reaches 3 + 1 + 2 pixels on its way down, 4 per convolution at a quarter of the side, …"""
    assert exported("unet").manifest.network.context == 31
    assert exported("resnet").manifest.network.context in range(24, 32)


class Wrong(nn.Module):
    """A network that does not keep to what it says of itself."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self.conv = nn.Conv2d(3, 3, 3, padding=1)
        self.smaller = nn.Conv2d(3, 3, 4, 2, 1)
        self.multiple = self.least = 2 if kind != "multiple" else 1

    def forward(self, images: Tensor) -> Tensor:
        values: Tensor = torch.tanh(self.conv(images))
        if self.kind == "multiple":
            values = nn.functional.interpolate(self.smaller(values), scale_factor=2.0).tanh()
        if self.kind == "frozen":
            values = values[:, :, : int(images.shape[2])]
        if self.kind == "branch" and images.shape[3] > 100:
            values = -values
        if self.kind == "position":
            values = values * torch.linspace(0, 1, images.shape[3])
        if self.kind == "range":
            values = 3 * values
        return values


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("multiple", "multiples of 1, its attribute multiple|the network fails"),
        ("frozen", "a graph has no Python branches or values"),
        ("branch", "a graph has no Python branches or values"),
        ("position", "differ|graph"),
        ("range", "outside of \\[-1, 1\\]: end it with tanh"),
    ],
)
def test_networks_that_do_not_keep_their_word_are_refused(kind: str, words: str) -> None:
    torch.manual_seed(0)
    with pytest.raises(ExportError, match=words):
        translator_file(Wrong(kind), Path("x.onnx"), source=COLOUR, images=COLOUR)


class OneSize(nn.Module):
    """A network that takes 32x32 pixels alone: it has a weight for each."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(1, 3, 32, 32))

    def forward(self, images: Tensor) -> Tensor:
        return torch.tanh(images * self.weight)


def test_a_network_without_a_multiple_takes_one_size() -> None:
    file = translator_file(OneSize(), Path("x.onnx"), source=COLOUR, images=COLOUR)
    file.path.write_bytes(file.content)
    translator = Translator.load("x.onnx", "cpu")
    assert (translator.manifest.source, translator.manifest.network) == (ImageAxes(32, 32, 3), None)
    assert translator(pictures(2)).shape == (2, 32, 32, 3)
    assert translator.translate(pictures(1)[0]).shape == (32, 32, 3)
    with pytest.raises(InputError, match=r"33 x 32 x 3; x\.onnx takes 32 x 32 x 3"):
        translator(pictures(1, ImageSize(33, 32, 3)))
    with pytest.raises(InputError, match=r"tile 64: x\.onnx takes images of one size"):
        translator.translate(pictures(1)[0], 64)


def test_other_images_are_refused() -> None:
    translator = exported("unet")
    with pytest.raises(InputError, match=r"images: 32 x 32 x 3; unet.onnx takes any x any x 1"):
        translator(pictures(1))
    for wrong in (pictures(1, GREY).astype(float), pictures(1, GREY)[0], pictures(1, GREY)[:0], [[1]]):
        with pytest.raises(InputError, match=r"takes uint8 \[n, h, w, c\]"):
            translator(wrong)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="tile -1"):
        translator.translate(pictures(1, GREY)[0], -1)


def test_both_directions_name_each_other() -> None:
    networks = {"generator": trained("resnet"), "inverse": trained("resnet", 20)}
    files = translator_pair(networks, Path("x.onnx"), source=COLOUR, images=COLOUR, name="winter", opset=15)
    there, back = (Translator.open(files[name], "cpu").manifest for name in ("generator", "inverse"))
    assert (there.name, back.name) == ("winter", "winter-inverse")
    assert [str(file.path) for file in files.values()] == ["x.onnx", "x-inverse.onnx"]
    assert isinstance(there.counterpart, Counterpart)
    assert isinstance(back.counterpart, Counterpart)
    assert (there.counterpart.file, back.counterpart.file) == ("x-inverse.onnx", "x.onnx")
    assert there.counterpart.weights == back.counterpart.weights
    assert re.fullmatch("[0-9a-f]{64}", there.counterpart.weights)


def test_load_opens_a_translator() -> None:
    exported("unet")
    translator = gan_runtime.load("unet.onnx", "cpu")
    assert isinstance(translator, Translator)
    assert translator == Translator.load("unet.onnx", "cpu")
    with pytest.raises(ModelError, match="'translate', not 'generate'; run it with gan-translate, or name a generator"):
        Generator.load("unet.onnx")
    with pytest.raises(ModelError, match="'generate', not 'translate'; run it with gan-sample, or name a translator"):
        Translator.load(shipped_model("mnist"))


def test_gan_info_describes_it_and_compares_it(call: Call) -> None:
    exported("unet")
    done = call("gan-info", "unet.onnx", "--json", "--check", "--device", "cpu")
    report = json.loads(done.out)
    assert done.code == 0, done
    assert (report["task"], report["takes"]) == ("translate", "images, any x any x 1")
    assert report["network"] == {
        "multiple": 16,
        "least": 16,
        "norm": "batch",
        "context": "31 pixels",
        "tiles": "equal to the whole picture",
    }
    assert report["check"] == {
        "device": "cpu",
        "largest_difference": 0,
        "tolerance": 1,
        "verdict": "the pictures of the exporting host",
    }
    exported("instance")
    described = call("gan-info", "instance.onnx").out
    assert "the whole picture" in described
    assert "dB from the whole picture if of 256 pixels" in described


def test_gan_info_notices_damaged_weights(call: Call) -> None:
    exported("unet")
    model = onnx.load("unet.onnx")
    weights = max(model.graph.initializer, key=lambda tensor: len(tensor.raw_data))
    weights.raw_data = weights.raw_data[::-1]
    onnx.save(model, "unet.onnx")
    done = call("gan-info", "unet.onnx", "--check")
    assert done.code == 1
    assert "OTHER PICTURES" in done.out


def test_a_contradicting_manifest_is_refused() -> None:
    exported("unet")
    model = onnx.load("unet.onnx")
    (entry,) = model.metadata_props
    document = json.loads(entry.value)
    for change in ({"network": None}, {"network": {"multiple": 0}}, {"output": {"height": 3, "channels": 3}}):
        entry.value = json.dumps(document | change)
        onnx.save(model, "wrong.onnx")
        with pytest.raises(ModelError, match=r"wrong\.onnx: its manifest is damaged"):
            Translator.load("wrong.onnx")
    entry.value = json.dumps(document | {"inputs": {"source": {"height": None, "width": None, "channels": 3}}})
    onnx.save(model, "wrong.onnx")
    with pytest.raises(ModelError, match="its graph and its manifest do not agree"):
        Translator.load("wrong.onnx")
    assert read_model_file("unet.onnx").inputs[0].shape == ("n", "height", "width", 1)


def test_the_inputs_of_the_fingerprint_are_those_of_the_format() -> None:
    """Written from docs/file-format.md, with its Philox."""
    text = (checkout() / "docs" / "file-format.md").read_text()
    code = text[text.index("def block(") : text.index("def latent(")]
    names: dict[str, Any] = {}
    exec(code, names)
    count, height, width, channels, seed = 7, 67, 65, 3, 5
    size = height * width * channels
    words = [word for b in range(-(-count * size // 32)) for word in names["block"](seed, b + 1)]
    noise = b"".join(word.to_bytes(8, "little") for word in words)
    found = source_images(ImageAxes(channels=3), count, seed)
    assert found.shape == (count, height, width, channels)
    for i, y, x, c in [(0, 0, 0, 0), (0, 66, 64, 2), (1, 3, 5, 1), (4, 40, 33, 0), (6, 66, 64, 2)]:
        side = 2 ** (i % 5)
        assert found[i, y, x, c] == noise[i * size + (y // side * width + x // side) * channels + c]
