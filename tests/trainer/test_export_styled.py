"""Generators with styles: their files draw what torch draws, with and without the optional inputs."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from helpers import leftovers, small_generator
from numpy.typing import NDArray
from onnx import numpy_helper
from styled import SMALL, styled_generator

from gan_runtime import Generator
from gan_runtime.errors import InputError, OutputError
from gan_runtime.evaluation.fingerprint import check_fingerprint
from gan_runtime.manifest import GenerateManifest, ImageSize, MapManifest, SynthesizeManifest, read_manifest
from gan_runtime.model_file import ModelFile
from gan_runtime.signature import check_signature
from gan_trainer.data.pixels import denormalise, to_pixels
from gan_trainer.export import ExportError, export, export_styled, styled
from gan_trainer.export.constants import fold_constants
from gan_trainer.networks.stylegan2 import StyleGenerator

PATH = Path("x.onnx")
IR_VERSIONS = {13: 7, 14: 7, 15: 8, 16: 8, 17: 8, 18: 8, 19: 9, 20: 9}


def files_of(network: StyleGenerator, **settings: Any) -> dict[str, ModelFile]:
    return styled.styled_files(network, PATH, **settings)


def run(file: ModelFile, feeds: dict[str, NDArray[Any]], *outputs: str) -> list[NDArray[Any]]:
    """What ONNX Runtime itself gives."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(file.content, options, ["CPUExecutionProvider"])
    return list(session.run(list(outputs), feeds))


def inputs(n: int, classes: int = 0) -> dict[str, NDArray[Any]]:
    latents = np.random.default_rng(n).standard_normal((n, 6), np.float32)
    return {"latents": latents} | ({"labels": np.arange(n) % classes} if classes else {})


@torch.no_grad()
def drawn(network: StyleGenerator, feeds: dict[str, NDArray[Any]]) -> tuple[NDArray[Any], NDArray[Any]]:
    """The images and styles of torch."""
    given = {name: torch.from_numpy(x) for name, x in feeds.items()}
    network = network.eval()
    styles = network.styles(given["latents"], given.get("labels"), given.get("truncation"))
    images = network.synthesis(styles, given.get("noise"))
    return to_pixels(denormalise(images)).numpy(), styles.numpy()


def check(network: StyleGenerator, file: ModelFile, feeds: dict[str, NDArray[Any]]) -> NDArray[Any]:
    """The images of the file, which must be torch's."""
    images, styles = run(file, feeds, "images", "styles")
    expected, expected_styles = drawn(network, feeds)
    assert np.abs(images.astype(int) - expected).max() <= 1
    assert np.abs(styles - expected_styles).max() <= 1e-4
    return images


@pytest.mark.parametrize("opset", IR_VERSIONS)
def test_the_file_draws_what_torch_draws(opset: int) -> None:
    network = styled_generator(classes=3)
    file = files_of(network, opset=opset, noise="input")["generator"]
    onnx.checker.check_model(file.content, full_check=True)
    assert (file.opset, file.ir_version) == (opset, IR_VERSIONS[opset])
    assert [port.name for port in file.inputs] == ["latents", "labels"]
    assert {port.name: port.shape[1:] for port in file.optional} == {"truncation": (), "noise": (network.noise_dim,)}
    assert {port.name: port.shape for port in file.outputs} == {"images": ("n", 8, 8, 3), "styles": ("n", 4, 5)}
    for n in (1, 2, 5):
        feeds = inputs(n, 3)
        check(network, file, feeds)
        for truncation in ([0.0], [0.5], [1.3], np.linspace(0, 1.3, n)):
            check(network, file, feeds | {"truncation": np.array(truncation, np.float32)})
        for rows in (1, n):
            noise = np.random.default_rng(0).standard_normal((rows, network.noise_dim), np.float32)
            check(network, file, feeds | {"noise": noise})


def test_optional_inputs_have_an_effect_and_defaults() -> None:
    network, feeds = styled_generator(), inputs(4)
    file = files_of(network, truncation=0.5, noise="input")["generator"]
    given: dict[str, NDArray[Any]] = {
        "truncation": np.array([0.5], np.float32),
        "noise": network.synthesis.constant_noise[None].numpy(),
    }
    (images,) = run(file, feeds, "images")
    assert np.array_equal(images, run(file, feeds | given, "images")[0])
    for name, value in given.items():
        other = given | {name: value * 0}
        assert not np.array_equal(images, run(file, feeds | other, "images")[0])
    assert not np.array_equal(images, check(network, file, feeds | {"truncation": np.ones(1, np.float32)}))


def test_an_image_does_not_depend_on_the_others() -> None:
    network, feeds = styled_generator(), inputs(7)
    feeds["truncation"] = np.linspace(0, 1.3, 7, dtype=np.float32)
    feeds["noise"] = np.random.default_rng(0).standard_normal((7, network.noise_dim), np.float32)
    file = files_of(network, noise="input")["generator"]
    (images,) = run(file, feeds, "images")
    for i in (0, 6):
        (alone,) = run(file, {name: x[i : i + 1] for name, x in feeds.items()}, "images")
        assert np.array_equal(alone[0], images[i])


@pytest.mark.parametrize(("size", "noise"), [(ImageSize(12, 10, 1), "constant"), (SMALL, "input")])
def test_the_parts_draw_what_the_whole_draws(size: ImageSize, noise: str) -> None:
    network, feeds = styled_generator(size, classes=3), inputs(5, 3)
    files = files_of(network, parts=True, noise=noise, truncation=0.7, name="whole")
    assert [file.path.name for file in files.values()] == ["x.onnx", "x-mapping.onnx", "x-synthesis.onnx"]
    images, styles = run(files["generator"], feeds, "images", "styles")
    assert np.array_equal(run(files["mapping"], feeds, "styles")[0], styles)
    assert np.array_equal(run(files["synthesis"], {"styles": styles}, "images")[0], images)
    mixed = np.concatenate([styles[:, :2], styles[::-1, 2:]], 1)
    (of_mixed,) = run(files["synthesis"], {"styles": mixed}, "images")
    expected = to_pixels(denormalise(network.eval().synthesis(torch.from_numpy(mixed)).detach())).numpy()
    assert np.abs(of_mixed.astype(int) - expected).max() <= 1
    assert not np.array_equal(of_mixed, images)


def test_a_network_without_noise_has_none_in_its_files() -> None:
    network = styled_generator(noisy=False)
    files = files_of(network, parts=True)
    for name in ("generator", "synthesis"):
        assert [port.name for port in files[name].optional] == (["truncation"] if name == "generator" else [])
        assert all(
            "noise" not in tensor.name for tensor in onnx.load_from_string(files[name].content).graph.initializer
        )
    with pytest.raises(InputError, match="noise input: the network adds no noise"):
        files_of(network, noise="input")


def test_what_the_manifests_say() -> None:
    network = styled_generator(classes=2)
    about = {"class_names": ("a", "b"), "training": {"recipe": "r"}, "name": "faces", "quality": [{"fid": 1.0}]}
    files = files_of(network, parts=True, noise="input", truncation=0.7, **about)
    kinds = {"generator": GenerateManifest, "mapping": MapManifest, "synthesis": SynthesizeManifest}
    manifests = {kind: read_manifest(file) for kind, file in files.items()}
    for kind, manifest in manifests.items():
        assert manifest is not None
        assert type(manifest) is kinds[kind]
        check_signature(files[kind], manifest)
    whole, mapping, synthesis = manifests.values()
    assert isinstance(whole, GenerateManifest)
    assert isinstance(mapping, MapManifest)
    assert isinstance(synthesis, SynthesizeManifest)
    assert (whole.name, whole.training, whole.quality) == ("faces", {"recipe": "r"}, [{"fid": 1.0}])
    assert whole.truncation is not None
    assert whole.truncation.default == 0.7
    assert whole.noise is not None
    assert whole.noise.dim == network.noise_dim
    assert (whole.labels, whole.styles) == (mapping.labels, mapping.styles)
    assert (whole.output, whole.styles, whole.noise) == (synthesis.output, synthesis.styles, synthesis.noise)
    for kind, part in {"mapping": mapping, "synthesis": synthesis}.items():
        origin = {"name": "faces", "sha256": files["generator"].sha256}
        assert (part.name, part.training) == (f"faces-{kind}", {"recipe": "r", "generator": origin})
    assert about["training"] == {"recipe": "r"}


def test_values_beyond_the_range_are_clipped() -> None:
    network = styled_generator()
    with torch.no_grad():
        for layer in network.synthesis.to_images:
            layer.weight.mul_(10)
    images = check(network, files_of(network)["generator"], inputs(6))
    assert (images == 0).any()
    assert (images == 255).any()


def test_the_file_is_not_larger_than_its_numbers() -> None:
    network = styled_generator(ImageSize(32, 32, 3), width=48, most=64)
    numbers = sum(x.numel() for x in network.parameters()) + network.noise_dim
    file = files_of(network)["generator"]
    squares = sum(conv.weight[:, :, 0, 0].numel() for conv in (*network.synthesis.ups, *network.synthesis.convs))
    filters = 16 * sum(up.weight.shape[0] for up in network.synthesis.ups)
    assert file.size < 4 * (numbers + squares + filters) + 100_000  # names of nodes take about 60,000


def test_the_fingerprint_is_that_of_the_file() -> None:
    export_styled(styled_generator(), PATH, truncation=0.5)
    generator = Generator.load(PATH, "cpu")
    assert check_fingerprint(generator) == 0


def test_the_network_stays_as_it_is() -> None:
    network = styled_generator().train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    files_of(network, parts=True)
    assert network.training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"noise": "random"}, "noise 'random': choose constant or input"),
        ({"truncation": 3.0}, "truncation 3: must be from -1 to 2"),
        ({"truncation": float("nan")}, "truncation nan: must be from -1 to 2"),
        ({"truncation": "1"}, "truncation '1': must be of type int or float"),
        ({"opset": 12}, "opset 12: choose one from 13 to 20"),
        ({"class_names": ("a",)}, "a name for each class"),
    ],
)
def test_bad_settings_are_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError) as refused:
        export_styled(styled_generator(), PATH, **settings)
    assert words in str(refused.value)
    assert "--" not in str(refused.value)


def test_an_export_without_its_styles_is_refused() -> None:
    with pytest.raises(InputError, match=r"export it with .*export_styled"):
        export(styled_generator(), PATH, latent_dim=6, clip=True)
    assert not PATH.exists()


def test_networks_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InputError, match=r"expected a StyleGenerator, not a \w+; export it with"):
        files_of(small_generator())  # type: ignore[arg-type]
    with pytest.raises(ExportError, match="from labels alone"):
        files_of(styled_generator(classes=2, latent_dim=0))
    with pytest.raises(ExportError, match="draws 2 channels: an exported one draws 1 or 3"):
        files_of(styled_generator(ImageSize(8, 8, 2)))
    broken = styled_generator()
    with torch.no_grad():
        broken.synthesis.const.fill_(float("nan"))
    with pytest.raises(ExportError, match="not finite"):
        files_of(broken)


@pytest.mark.parametrize("name", ["truncation", "noise"])
def test_another_default_is_noticed(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    def change(model: onnx.ModelProto, defaults: dict[str, NDArray[np.float32]]) -> None:
        make_optional(model, defaults | {name: defaults[name] * 0.9} if name in defaults else defaults)

    make_optional = styled.make_optional
    monkeypatch.setattr(styled, "make_optional", change)
    with pytest.raises(ExportError, match="the graph differs from torch by"):
        files_of(styled_generator(), noise="input")


def test_another_weight_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def change(model: onnx.ModelProto) -> None:
        fold_constants(model)
        tensor = max(model.graph.initializer, key=lambda tensor: np.prod(tensor.dims))
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor) * np.float32(1.01), tensor.name))

    monkeypatch.setattr(styled, "fold_constants", change)
    with pytest.raises(ExportError, match="the graph differs from torch by"):
        files_of(styled_generator())


def test_all_files_are_written_or_none(monkeypatch: pytest.MonkeyPatch) -> None:
    PATH.write_bytes(b"old")
    with pytest.raises(OutputError, match="missing"):
        export_styled(styled_generator(), Path("missing/x.onnx"), parts=True)
    Path("x-mapping.onnx").mkdir()
    with pytest.raises(OutputError, match="x-mapping"):
        export_styled(styled_generator(), PATH, parts=True)
    assert PATH.read_bytes() == b"old"
    assert not leftovers(Path())
