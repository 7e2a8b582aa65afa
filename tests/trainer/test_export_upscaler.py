"""Files that enlarge: equal to torch, of any size, in tiles, at every opset, and from published weights."""

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from formulas import textured, weights
from helpers import Result
from torch import Tensor, nn

from gan_runtime import Upscaler
from gan_runtime.errors import InputError
from gan_runtime.evaluation.fingerprint import check_fingerprint
from gan_runtime.manifest import ImageAxes
from gan_runtime.model_file import ModelFile
from gan_runtime.tiling import least_window
from gan_trainer.data.pixels import WHITE, from_pixels, to_levels, to_pixels
from gan_trainer.export.context import context_of
from gan_trainer.export.onnx_file import ExportError
from gan_trainer.export.probe import values_and_pixels
from gan_trainer.export.upscaler import upscaler_file
from gan_trainer.networks.upscaling import UPSCALERS, Compact, Rrdb, new_upscaler

Call = Callable[..., Result]
SIZES = [(1, 1), (1, 9), (13, 8), (40, 65)]
NETWORKS: dict[str, tuple[Callable[[], nn.Module], int, int]] = {  # with scale and channels
    **{
        f"{name} x{scale}": (lambda name=name, scale=scale: new_upscaler(name, scale, 3, 8, 1), scale, 3)
        for name in UPSCALERS if name != "rrdb"
        for scale in (2, 3, 4)
    },
    "compact grey": (lambda: Compact(4, 1, 8, 1), 4, 1),
    "compact prelu": (lambda: Compact(4, 3, 8, 2, "prelu"), 4, 3),
    **{f"rrdb x{scale}": (lambda scale=scale: Rrdb(scale, 3, 4, 1, 2), scale, 3) for scale in (2, 3, 4)},
    "rrdb unshuffled x2": (lambda: Rrdb(2, 3, 4, 1, 2, unshuffle=2), 2, 3),
    "rrdb unshuffled x1": (lambda: Rrdb(1, 1, 4, 1, 2, unshuffle=4), 1, 1),
}  # fmt: skip
RADIUS = {  # by hand, in pixels of the input: convolutions of 3 x 3, those after an enlargement by s reach 1 / s
    "compact x2": 3,
    "edsr x4": 5,
    "compact prelu": 4,
}


@cache
def network(kind: str) -> nn.Module:
    """A network of `NETWORKS` with weights by the formula, whose values are around [0, 1]."""
    made = NETWORKS[kind][0]()
    values = weights({name: tuple(value.shape) for name, value in made.state_dict().items()})
    made.load_state_dict({name: torch.from_numpy(value) for name, value in values.items()})
    with torch.no_grad():
        found = made(from_pixels(torch.from_numpy(textured(24, 32, NETWORKS[kind][2])[None])))
        if kind.startswith("rrdb"):  # the others add to the enlarged input
            made.conv_last.weight /= 4 * found.std()  # type: ignore[union-attr, operator]
            made.conv_last.bias += 0.5  # type: ignore[union-attr, operator]
    return made.eval()


@cache
def written(kind: str, opset: int = 17) -> ModelFile:
    _, scale, channels = NETWORKS[kind]
    examples = np.stack([textured(24, 32, channels), textured(32, 24, channels).transpose(1, 0, 2)])
    about: dict[str, Any] = {"channels": channels, "scale": scale, "opset": opset, "examples": examples}
    return upscaler_file(network(kind), Path(f"{kind}.onnx"), **about)


def exported(kind: str, opset: int = 17) -> Upscaler:
    return Upscaler.open(written(kind, opset), "cpu", 2)


@torch.no_grad()
def values_by_torch(module: Any, images: np.ndarray) -> Tensor:
    """The values float [n, c, h, w] that torch gives for images padded by numpy to what the network takes, cropped."""
    height, width = images.shape[1:3]
    rows, columns = (-(-side // module.multiple) * module.multiple - side for side in (height, width))
    padded = np.pad(images, ((0, 0), (0, rows), (0, columns), (0, 0)), mode="edge")
    values: Tensor = module(from_pixels(torch.from_numpy(padded)))
    return values[:, :, : module.scale * height, : module.scale * width]


def by_torch(module: Any, images: np.ndarray) -> np.ndarray:
    pixels: np.ndarray = to_pixels(to_levels(values_by_torch(module, images))).numpy()
    return pixels


@pytest.mark.parametrize("kind", NETWORKS)
def test_images_of_any_size_equal_torchs(kind: str) -> None:
    _, scale, channels = NETWORKS[kind]
    with exported(kind) as upscaler:
        assert (upscaler.scale, upscaler.manifest.source) == (scale, ImageAxes(None, None, channels))
        for height, width in SIZES:
            source = np.stack([textured(height, width, channels), 255 - textured(height, width, channels)])
            found = upscaler(source)
            assert found.shape == (2, scale * height, scale * width, channels)
            assert np.abs(found.astype(int) - by_torch(network(kind), source)).max() <= 1
        assert found.std() > 20


@pytest.mark.parametrize("kind", NETWORKS)
def test_values_before_rounding_are_torchs(kind: str) -> None:
    file = written(kind)
    values_of_file = values_and_pixels(file, onnx.load_from_string(file.content), WHITE)
    for height, width in SIZES:
        source = textured(height, width, NETWORKS[kind][2])[None]
        found, expected = values_of_file((source,))[0], values_by_torch(network(kind), source)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", NETWORKS)
def test_tiles_equal_the_whole_byte_for_byte(kind: str) -> None:
    with exported(kind) as upscaler:
        tiling, channels = upscaler.manifest.network, NETWORKS[kind][2]
        assert tiling is not None
        least = least_window(tiling)
        for height, width in [(65, 101), (150, 37)]:
            picture = textured(height, width, channels)
            whole = upscaler.upscale(picture, 0)
            for tile in (least + tiling.multiple, 2 * least + 1):
                np.testing.assert_array_equal(upscaler.upscale(picture, tile), whole)


@pytest.mark.parametrize("kind", NETWORKS)
def test_a_picture_does_not_depend_on_threads(kind: str) -> None:
    with exported(kind) as upscaler:
        pictures = [textured(*size, NETWORKS[kind][2]) for size in [(1, 1), (3, 40), (65, 101)]]
        found = [upscaler.upscale(picture, 0) for picture in pictures]
        for threads in (1, 2, 3, 5):
            with Upscaler.open(written(kind), "cpu", threads) as other:
                assert (other.threads, other.session.threads, other.runs) == (threads, threads, 1)
                for picture, expected in zip(pictures, found, strict=True):
                    np.testing.assert_array_equal(other.upscale(picture, 0), expected)


@pytest.mark.parametrize("kind", RADIUS)
def test_the_context_is_the_radius(kind: str) -> None:
    tiling = exported(kind).manifest.network
    assert tiling is not None
    assert tiling.context == RADIUS[kind]


@pytest.mark.parametrize("kind", ["compact x3", "edsr x2", "rrdb x4", "rrdb unshuffled x2"])
@torch.no_grad()
def test_the_context_is_no_larger_than_it_must_be(kind: str) -> None:
    """A bright row on black, and weights that are all positive: what depends on the row is not black."""
    make, scale, channels = NETWORKS[kind]
    positive: Any = make().double()
    for name, value in positive.state_dict().items():
        value.fill_(0.0 if name.endswith("bias") else 1.0)
    context = context_of(positive.float(), channels, positive.multiple, positive.least, scale)
    assert context is not None
    middle = 2 * context // positive.multiple * positive.multiple
    image = torch.zeros(1, channels, 2 * middle, positive.multiple, dtype=torch.float64)
    image[:, :, middle] = 1.0
    rows = positive.double()(image)[0].amax((0, 2)).nonzero().flatten() // scale
    reach = max(middle - int(rows[0]), int(rows[-1]) - middle)
    assert abs(reach - context) < positive.multiple  # the context is counted from whole blocks of so many pixels


def test_a_network_that_sees_far_has_a_context_that_nearly_suffices() -> None:
    with exported("rrdb unshuffled x1") as upscaler:
        tiling = upscaler.manifest.network
        assert tiling is not None
        assert tiling.context is not None
        assert tiling.near in range(16, tiling.context, 4)
        picture = textured(40, 300, 1)
        whole, part = (upscaler.upscale(one, 0) for one in (picture, picture[:, 100:]))
        seam = np.abs(whole[:, 100 + tiling.near :].astype(int) - part[:, tiling.near :])
        assert seam.max() <= 2
    near = exported("rrdb x4").manifest.network
    assert near is not None
    assert near.near is None


@pytest.mark.parametrize("distance", [80, 600])
def test_no_context_nearly_suffices_if_far_pixels_matter(distance: int) -> None:
    far = nn.Conv2d(3, 3, 3, padding=distance, dilation=distance)
    nn.init.constant_(far.weight, 0.1)
    tiling = Upscaler.open(upscaler_file(far, Path("x.onnx"), channels=3, scale=1), "cpu").manifest.network
    assert tiling is not None
    assert (tiling.context, tiling.near) == (distance, None)


@pytest.mark.parametrize("opset", [13, 15, 17, 18, 20])
@pytest.mark.parametrize("kind", ["compact x2", "compact prelu", "edsr x3", "rrdb x4", "rrdb unshuffled x2"])
def test_every_network_at_every_opset(kind: str, opset: int) -> None:
    file = written(kind, opset)
    model = onnx.load_from_string(file.content)
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", opset)]
    assert file.inputs[0].shape == ("n", "height", "width", NETWORKS[kind][2])
    with exported(kind, opset) as upscaler:
        assert check_fingerprint(upscaler) == 0
        picture = textured(9, 14, NETWORKS[kind][2])
        np.testing.assert_array_equal(upscaler.upscale(picture), exported(kind).upscale(picture))


def test_what_the_file_says_of_itself() -> None:
    about: dict[str, Any] = {"name": "net", "training": {"recipe": "sr"}, "quality": [{"psnr": 28.0}]}
    file = upscaler_file(network("compact x2"), Path("x.onnx"), channels=3, scale=2, **about)
    manifest = Upscaler.open(file, "cpu").manifest
    assert (manifest.name, manifest.training, manifest.quality) == tuple(about.values())
    assert (manifest.scale, manifest.channel_order) == (2, "RGB")
    assert exported("compact grey").manifest.channel_order == "L"
    assert upscaler_file(network("compact x2"), Path("stem.onnx"), channels=3, scale=2).content != file.content


def test_gan_info_describes_and_checks_a_file(call: Call) -> None:
    Path("x.onnx").write_bytes(written("rrdb unshuffled x2").content)
    report = json.loads(call("gan-info", "x.onnx", "--check", "--json", "--device", "cpu").out)
    assert (report["task"], report["scale"]) == ("upscale", 2)
    assert report["network"]["tiles"] == "equal to the whole picture"
    assert report["check"]["largest_difference"] == 0


class Own(nn.Module):
    """A network of a user, with the faults that its name says."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self.conv = nn.Conv2d(3, 12, 3, padding=1)
        if kind == "norm":
            self.norm = nn.InstanceNorm2d(12)
        if kind == "multiple":
            self.multiple = 2

    def forward(self, images: Tensor) -> Tensor:
        values: Tensor = self.conv(images)
        if self.kind == "norm":
            values = self.norm(values)
        if self.kind == "position":
            values = values * torch.linspace(0, 1, images.shape[3])
        if self.kind == "branch" and images.shape[3] > 40:
            values = -values
        return nn.functional.pixel_shuffle(values, 2)


def own(kind: str) -> ModelFile:
    torch.manual_seed(0)
    return upscaler_file(Own(kind), Path("own.onnx"), channels=3, scale=2)


@pytest.mark.parametrize("kind", ["plain", "multiple"])
def test_a_network_needs_no_attributes(kind: str) -> None:
    tiling = Upscaler.open(own(kind), "cpu").manifest.network
    assert tiling is not None
    assert (tiling.multiple, tiling.least) == ((2, 2) if kind == "multiple" else (1, 1))


def test_a_norm_that_looks_at_the_picture_is_blended() -> None:
    tiling = Upscaler.open(own("norm"), "cpu").manifest.network
    assert tiling is not None
    assert (tiling.context, tiling.tile) == (None, 256)


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: own("position"), ExportError, "differ|graph"),
        (lambda: own("branch"), ExportError, "a graph has no Python branches or values"),
        (lambda: upscaler_file(Own(""), Path("x.onnx"), channels=3, scale=3), ExportError, "gives 2x4100, not 3x6150"),
        (lambda: upscaler_file(Own(""), Path("x.onnx"), channels=4, scale=2), InputError, "channels 4: an upscaler"),
        (lambda: upscaler_file(Own(""), Path("x.onnx"), channels=3, scale=2, opset=12), InputError, "opset 12"),
    ],
)
def test_what_cannot_be_exported_is_refused(make: Callable[[], object], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        make()


def test_values_outside_of_the_range_are_clipped() -> None:
    bright = new_upscaler("compact", 2, 3, 8, 1)
    nn.init.constant_(bright.body[-1].bias, 0.5)  # type: ignore[index, union-attr, arg-type]
    upscaler = Upscaler.open(upscaler_file(bright, Path("x.onnx"), channels=3, scale=2), "cpu")
    assert upscaler(np.full((1, 4, 4, 3), 250, np.uint8)).min() == 255
