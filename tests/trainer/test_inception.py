"""Inception with published weights: the same numbers as the tools that papers use.

The numbers were computed by the authors' code from the weights and images of `inception_weights`: pytorch-fid at
b9c1811, torch-fidelity at 5e211a9, and the resizing of clean-fid at e88c4d6 with the network of pytorch-fid.
"""

import json
import os
import pickle
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import Result
from inception_weights import BIAS, formula_images, formula_weights
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from gan_runtime.errors import InputError
from gan_runtime.manifest import read_manifest
from gan_runtime.model_file import read_model_file
from gan_trainer.convert.inception import TOOLS, InceptionFeatures, load_inception
from gan_trainer.export.parity import file_rows
from gan_trainer.networks.inception import Inception
from gan_trainer.networks.resize import Resize, antialiased_bicubic, bilinear, bilinear_from_corner

SMALL, LARGE = (32, 40, 1), (400, 310, 3)
FEATURES = {  # of the second image: values 5, 5 + 256, ...
    "pytorch-fid": {
        SMALL: [3.97216, 0.00475, 1.40632, 0.0, 0.11001, 1.55333, 1.18583, 1.86987],
        LARGE: [3.15546, 0.0, 1.6046, 0.0, 0.26535, 1.29099, 1.23526, 2.15328],
    },
    "torch-fidelity": {
        SMALL: [3.93644, 0.01255, 1.39512, 0.0, 0.10947, 1.6254, 1.18918, 1.76309],
        LARGE: [3.20304, 0.0, 1.58354, 0.0, 0.25623, 1.23653, 1.24304, 2.33242],
    },
    "clean-fid": {
        SMALL: [4.99583, 0.00314, 1.72767, 0.0, 0.17253, 1.92026, 1.31658, 2.05268],
        LARGE: [3.28437, 0.0, 1.63502, 0.0, 0.25171, 1.2729, 1.23699, 2.24038],
    },
}
LOGITS = {  # torch-fidelity's logits_unbiased: values 5, 5 + 127, ...
    SMALL: [-1.68494, 5.45664, -3.25851, -7.01674, 5.90265, 4.98878, 2.17493, -10.02127],
    LARGE: [-1.07471, 5.55293, -2.40941, -6.23465, 5.89983, 4.00998, 2.22585, -8.89086],
}


@pytest.fixture(scope="module")
def weights() -> dict[str, Tensor]:
    return formula_weights()


@pytest.fixture(scope="module")
def thin(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same names and shapes in a small file: all values of a tensor are one in memory."""
    return {name: torch.zeros(()).expand(value.shape) for name, value in weights.items()}


@pytest.fixture(scope="module")
def file(weights: dict[str, Tensor], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of these weights in the format of the published ones, which is that of torch before 1.6."""
    path = tmp_path_factory.mktemp("weights") / "formula.pth"
    torch.save(weights, path, _use_new_zipfile_serialization=False)
    return path


@pytest.fixture(scope="module")
def network(file: Path) -> Inception:
    return load_inception(file)


@pytest.mark.parametrize("shape", [SMALL, LARGE], ids=str)
@pytest.mark.parametrize("tool", TOOLS)
@torch.no_grad()
def test_features_are_those_of_the_tool(network: Inception, tool: str, shape: tuple[int, int, int]) -> None:
    features, logits = InceptionFeatures(network, TOOLS[tool])(torch.from_numpy(formula_images(*shape)[1:]))
    assert (features.shape, logits.shape) == ((1, 2048), (1, 1008))
    np.testing.assert_allclose(features[0, 5::256], FEATURES[tool][shape], atol=1e-4)
    if tool == "torch-fidelity":
        np.testing.assert_allclose(logits[0, 5::127], LOGITS[shape], atol=1e-4)


@pytest.mark.parametrize("size", [(1, 1), (7, 40), (299, 299), (300, 298), (1000, 450)])
def test_resizing_is_that_of_pillow_and_torch(size: tuple[int, int]) -> None:
    levels = np.random.default_rng(0).integers(0, 256, size).astype(np.float32)
    image = torch.from_numpy(levels)[None, None]
    expected = Image.fromarray(levels).resize((299, 299), Image.Resampling.BICUBIC)
    np.testing.assert_allclose(Resize(299, antialiased_bicubic)(image)[0, 0], np.asarray(expected), atol=1e-3)
    torch.testing.assert_close(
        Resize(299, bilinear)(image), interpolate(image, (299, 299), mode="bilinear"), atol=2e-3, rtol=0
    )


def test_tensorflow_1_resizes_from_the_corner() -> None:
    row = torch.tensor([[[[0.0, 30.0, 90.0]]]])
    found = Resize(6, bilinear_from_corner)(row)
    torch.testing.assert_close(found[0, 0], torch.tensor([[0.0, 15, 30, 60, 90, 90]] * 6))


def test_weights_of_the_newer_format_and_without_counters_are_taken(
    weights: dict[str, Tensor], network: Inception
) -> None:
    torch.save({name: value for name, value in weights.items() if value.ndim}, "new.pth")
    again = load_inception(Path("new.pth"))
    assert all(map(torch.equal, again.state_dict().values(), network.state_dict().values()))


def _without(weights: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    return {key: value for key, value in weights.items() if key != name}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda w: _without(w, BIAS), f"lacks {BIAS}"),
        (lambda w: _without(w, "Mixed_7c.branch_pool.conv.weight"), r"lacks .*Mixed_7c.branch_pool"),
        (lambda w: w | {"AuxLogits.fc.weight": torch.zeros(2)}, r"has, besides, .*AuxLogits.fc.weight"),
        (lambda w: w | {"fc.weight": torch.zeros(1000, 2048)}, r"fc.weight is \[1000, 2048\], not \[1008, 2048\]"),
        (lambda w: {"state_dict": {}}, "something else than weights by name"),
        (lambda w: [1, 2], "something else than weights by name"),
        (
            lambda w: w | {"fc.weight": torch.zeros(1, 1).expand(2**40, 2**20)},
            r"fc.weight is \[1099511627776, 1048576\]",
        ),
        (lambda w: w | {"fc.weight": torch.zeros(1008, 2048).to_sparse()}, "something else than weights by name"),
        (lambda w: w | {"more": torch.zeros(25 * 10**6)}, r"bytes, and the weights of the network have"),
    ],
)
def test_other_weights_are_refused(
    thin: dict[str, Tensor], change: Callable[[dict[str, Tensor]], object], reason: str
) -> None:
    torch.save(change(thin), "other.pth")
    with pytest.raises(InputError, match=rf"^other\.pth: .*{reason}.*; name pt_inception-2015-12-05-6726825d\.pth"):
        load_inception(Path("other.pth"))


class Command:
    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, ("touch executed",)


def _truncated(path: Path, file: Path) -> None:
    path.write_bytes(file.read_bytes()[:-1000])


def _program(path: Path, _: Path) -> None:
    with warnings.catch_warnings(action="ignore"):  # torch calls its own format deprecated
        torch.jit.trace(torch.nn.Linear(2, 2), torch.zeros(1, 2)).save(str(path))  # type: ignore[no-untyped-call]


def _bomb(path: Path, _: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x/data.pkl", bytes(2**27))


def _hidden(path: Path, _: Path) -> None:
    torch.save({"x": torch.zeros(3)}, path)
    path.write_bytes(b"before" + path.read_bytes())


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path, _: path.write_bytes(pickle.dumps(Command())), "damaged, or more than weights"),
        (lambda path, _: path.write_bytes(b"<html>not found</html>"), "damaged, or more than weights"),
        (lambda path, _: path.write_bytes(b""), "damaged, or more than weights"),
        (_truncated, "damaged, or more than weights"),
        (_program, "a TorchScript archive: a program"),
        (_bomb, r"134,217,728 bytes, and the weights of the network have"),
        (_hidden, "something before the archive"),
        (lambda path, _: path.mkdir(), "not a regular file"),
        (lambda path, _: os.mkfifo(path), "not a regular file"),
        (lambda path, _: None, "no such file"),
    ],
)
def test_files_of_another_kind_are_refused(file: Path, make: Callable[[Path, Path], object], reason: str) -> None:
    make(Path("x.pt"), file)
    with pytest.raises(InputError, match=rf"^x\.pt: .*{reason}") as refused:
        load_inception(Path("x.pt"))
    assert "\n" not in str(refused.value)
    assert not Path("executed").exists()


def test_the_command_writes_a_feature_file_of_any_size(
    call: Callable[..., Result], file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gan_trainer.features.export.check_parity", lambda *_: None)  # compared below, with more
    done = call("gan-features", "--inception", file, "--output", "inception.onnx", "--json")
    assert done.code == 0, done
    report = json.loads(done.out)
    assert report["bytes"] == Path("inception.onnx").stat().st_size
    assert "its SHA-256 begins with" in done.err  # formula weights are not the published ones
    model = read_model_file("inception.onnx")
    assert (model.opset, model.sha256) == (17, report["sha256"])
    assert model.inputs[0].shape == ("n", "height", "width", "channels")
    manifest = read_manifest(model)
    assert manifest is not None
    assert manifest.name == "inception as in torch-fidelity, 2,048 values"
    assert manifest.training["weights"] == {"name": file.name, "sha256": report["weights"]}
    measure = file_rows(model, ["features", "logits"])
    for shape in (SMALL, LARGE):
        features, logits = measure((formula_images(*shape),))
        np.testing.assert_allclose(features[1, 5::256], FEATURES["torch-fidelity"][shape], atol=1e-4)
        np.testing.assert_allclose(logits[1, 5::127], LOGITS[shape], atol=1e-4)


def test_bad_options_are_one_line(call: Callable[..., Result]) -> None:
    Path("x.pth").touch()
    assert call("gan-features").refused("mnist", "--inception")
    assert call("gan-features", "mnist", "--resize", "clean-fid").refused("--resize: belongs to --inception")
    assert call("gan-features", "mnist", "--inception", "x.pth").refused("DATA", "leave it out")
    assert call("gan-features", "--inception", "x.pth", "--epochs", 3).refused("--epochs", "leave it out")
    assert call("gan-features", "--inception", "x.pth", "--resize", "pil").refused("'pil'", *TOOLS)
    assert call("gan-features", "--inception", "x.pth", "--output", "no/x.onnx").refused("no/x.onnx", "does not exist")
    assert call("gan-features", "--inception", "x.pth", "--output", "x.onnx").refused("x.pth: damaged")
    assert not Path("x.onnx").exists()
