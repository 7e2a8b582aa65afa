import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from gan_runtime import Generator
from gan_runtime.errors import InputError, ModelError
from gan_runtime.evaluation.fingerprint import difference, spread
from gan_runtime.manifest import (
    FORMAT_VERSION,
    MANIFESTS,
    METADATA_KEY,
    Counterpart,
    EncodeManifest,
    FeaturesManifest,
    Fingerprint,
    GenerateManifest,
    ImageAxes,
    ImageSize,
    Labels,
    Latents,
    Manifest,
    MapManifest,
    Measures,
    Noise,
    Points,
    PointsManifest,
    Styles,
    SynthesizeManifest,
    Tiling,
    TranslateManifest,
    Truncation,
    UpscaleManifest,
    read_manifest,
)
from gan_runtime.model_file import ModelFile, parse_model, read_model_file
from gan_runtime.models import checkout, shipped_model
from gan_runtime.signature import SIGNATURES
from gan_trainer.export.manifest import to_json

MANIFEST = GenerateManifest(
    name="näme",
    latents=Latents(7, "uniform"),
    labels=Labels(2, ("a", "b")),
    output=ImageSize(3, 4, 1),
    training={"recipe": "gan"},
    quality=[{"metric": "fid", "value": 1.5}],
    fingerprint=Fingerprint(1, 2, bytes(range(24))),
)
POINTS = PointsManifest(name="ring", latents=Latents(2, "normal"), output=Points(2, 2.5))
ENCODE = EncodeManifest(name="e", images=ImageSize(3, 4, 1), latents=Latents(7, "uniform"), pictures={"size": 4})
TRANSLATE = TranslateManifest(
    name="t",
    source=ImageAxes(channels=1),
    output=ImageAxes(channels=1),
    network=Tiling(4, 8, 59, "batch"),
    prepared="grey",
    counterpart=Counterpart("t-inverse.onnx", "ab12"),
)
UPSCALE = UpscaleManifest(
    name="u", source=ImageAxes(channels=3), output=ImageAxes(channels=3), network=Tiling(1, 1, 10, "none"), scale=4
)
GREY_UPSCALE = replace(UPSCALE, source=ImageAxes(channels=1), output=ImageAxes(channels=1), channel_order="L")
STYLED = replace(MANIFEST, truncation=Truncation(0.7), noise=Noise(96), styles=Styles(4, 8))
MAP = MapManifest(name="m", latents=Latents(7, "normal"), truncation=Truncation(), styles=Styles(4, 8))
SYNTHESIZE = SynthesizeManifest(name="s", styles=Styles(4, 8), noise=Noise(96), output=ImageSize(3, 4, 1))
FEATURE_FILES = ("mnist", "fashion-mnist", "stacked-mnist")
FEATURES = FeaturesManifest(name="f", images=ImageAxes(3, 4, 1), output=Measures(8, 2, ("a", "b")))


@pytest.fixture
def file(conditional_model: Path) -> ModelFile:
    return read_model_file(conditional_model)


def with_text(file: ModelFile, text: str) -> ModelFile:
    return replace(file, metadata={METADATA_KEY: text})


@pytest.mark.parametrize(
    "manifest",
    [
        MANIFEST,
        replace(MANIFEST, labels=None, fingerprint=None),
        STYLED,
        replace(STYLED, noise=None),
        MAP,
        replace(MAP, labels=Labels(2, ())),
        SYNTHESIZE,
        replace(SYNTHESIZE, noise=None),
        POINTS,
        ENCODE,
        FEATURES,
        FeaturesManifest(name="any", images=ImageAxes(channels=3), output=Measures(8)),
        FeaturesManifest(name="graph only"),
        TRANSLATE,
        replace(TRANSLATE, prepared="", counterpart=None, network=Tiling(4, 8, None, "instance", 256, 31.5)),
        TranslateManifest(name="one size", source=ImageAxes(8, 9, 3), output=ImageAxes(8, 9, 1)),
        UPSCALE,
        GREY_UPSCALE,
    ],
)
def test_reading_is_the_inverse_of_writing(file: ModelFile, manifest: Manifest) -> None:
    assert read_manifest(with_text(file, to_json(manifest))) == manifest


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist", *(f"features/{name}" for name in FEATURE_FILES)])
def test_shipped_manifests_are_written_as_they_are(name: str) -> None:
    root = checkout()
    assert root is not None
    model = read_model_file(root / "exported" / f"{name}.onnx")
    manifest = read_manifest(model)
    assert manifest is not None
    assert to_json(manifest) == model.metadata[METADATA_KEY]


def test_the_json_of_each_task_is_that_of_the_format(file: ModelFile) -> None:
    latents, size = '{"dim": 7, "distribution": "uniform"}', '{"height": 3, "width": 4, "channels": 1}'
    rest = '"training": {}, "quality": []'
    head = '{"format_version": 1, "name"'
    assert to_json(MANIFEST) == (
        f'{head}: "näme", "task": "generate", "inputs": {{"latents": {latents}, "labels": {{"classes": 2, "names": '
        f'["a", "b"]}}}}, "output": {size}, "training": {{"recipe": "gan"}}, "quality": [{{"metric": "fid", "value": '
        '1.5}], "fingerprint": {"seed": 1, "count": 2, "pixels": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"}}'
    )
    assert to_json(POINTS) == (
        f'{head}: "ring", "task": "points", "inputs": {{"latents": {{"dim": 2, "distribution": "normal"}}}}, '
        f'"output": {{"coordinates": 2, "extent": 2.5}}, {rest}}}'
    )
    assert to_json(ENCODE) == (
        f'{head}: "e", "task": "encode", "inputs": {{"images": {size}}}, "output": {{"latents": {latents}}}, {rest}, '
        '"pictures": {"size": 4}}'
    )
    assert to_json(FEATURES) == (
        f'{head}: "f", "task": "features", "inputs": {{"images": {size}}}, "output": {{"dim": 8, "classes": 2, '
        f'"names": ["a", "b"]}}, {rest}}}'
    )
    any_size = '{"height": null, "width": null, "channels": 1}'
    assert to_json(TRANSLATE) == (
        f'{head}: "t", "task": "translate", "inputs": {{"source": {any_size}}}, "output": {any_size}, {rest}, '
        '"prepared": "grey", "network": {"multiple": 4, "least": 8, "context": 59, "norm": "batch", "tile": null, '
        '"tile_psnr": null, "near": null}, "counterpart": {"file": "t-inverse.onnx", "weights": "ab12"}}'
    )
    assert to_json(GREY_UPSCALE) == (
        f'{head}: "u", "task": "upscale", "inputs": {{"source": {any_size}}}, "output": {any_size}, {rest}, '
        '"scale": 4, "channel_order": "L", "network": {"multiple": 1, "least": 1, "context": 10, "norm": "none", '
        '"tile": null, "tile_psnr": null, "near": null}}'
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"network": None}, "network: must be there if height and width may have any length"),
        ({"source": ImageAxes(3, None, 1)}, "must have the same height and width"),
        ({"source": ImageAxes(3, 4, 1), "output": ImageAxes(3, 4, 1)}, "network: must be there if"),
        ({"output": ImageAxes()}, "must say how many channels"),
        ({"prepared": 3}, "prepared 3: must be of type str"),
    ],
)
def test_a_translator_does_not_contradict_itself(change: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        replace(TRANSLATE, **change)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"network": None}, "network: is missing"),
        ({"source": ImageAxes(3, None, 3)}, "must have any height and width"),
        ({"source": ImageAxes(channels=1)}, "channel_order 'RGB': must be RGB for 3 channels, L for 1"),
        ({"source": ImageAxes(), "output": ImageAxes()}, "channel_order 'RGB': must be"),
        ({"channel_order": "BGR"}, "channel_order 'BGR': must be"),
        ({"channel_order": ["RGB"]}, "must be RGB for 3 channels"),
        ({"scale": 0}, "scale 0: must be at least 1"),
        ({"scale": 4.0}, "scale 4.0: must be of type int"),
    ],
)
def test_an_upscaler_does_not_contradict_itself(change: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        replace(UPSCALE, **change)


def test_an_upscaler_without_a_scale_is_damaged(file: ModelFile) -> None:
    document = json.loads(to_json(UPSCALE))
    del document["scale"]
    with pytest.raises(ModelError, match=r"its manifest is damaged \('scale' is missing\)"):
        read_manifest(with_text(file, json.dumps(document)))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Tiling(multiple=0), "network.multiple 0: must be at least 1"),
        (lambda: Tiling(context=-1), "network.context -1: must be at least 0"),
        (lambda: Tiling(tile_psnr="far"), "network.tile_psnr 'far': must be of type int or float"),
        (lambda: Counterpart("../x.onnx", "ab"), "must be the name of a file in the same folder"),
        (lambda: Counterpart("", "ab"), "must be the name of a file in the same folder"),
    ],
)
def test_facts_about_translators_are_checked(make: Callable[[], object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        make()


def test_each_task_has_a_manifest_and_a_signature() -> None:
    assert list(MANIFESTS) == list(SIGNATURES)


def test_a_task_from_the_future_is_read_as_far_as_it_is_known(file: ModelFile) -> None:
    document = json.loads(to_json(MANIFEST)) | {"task": "paint", "output": {"canvas": 3}, "fingerprint": 7}
    found = read_manifest(with_text(file, json.dumps(document)))
    assert found == Manifest(name="näme", task="paint", training=MANIFEST.training, quality=MANIFEST.quality)
    with pytest.raises(ModelError, match="made for the task 'paint', not 'generate'; name a generator"):
        Generator.open(with_text(file, json.dumps(document)), "cpu")


def test_unknown_keys_are_ignored(file: ModelFile) -> None:
    document = json.loads(to_json(MANIFEST)) | {"later": [1, 2]}
    assert read_manifest(with_text(file, json.dumps(document))) == MANIFEST


def test_no_manifest_is_none(file: ModelFile) -> None:
    assert read_manifest(replace(file, metadata={})) is None


def test_what_is_missing_is_named(file: ModelFile) -> None:
    with pytest.raises(ModelError, match=r"its manifest is damaged \('latents' is missing\); export the model again"):
        read_manifest(with_text(file, change(inputs={})))


def test_a_newer_version_is_refused_by_name(file: ModelFile) -> None:
    document = {"format_version": FORMAT_VERSION + 1, "anything": "else"}
    with pytest.raises(ModelError, match=f"format version {FORMAT_VERSION + 1}.*upgrade gan-edge"):
        read_manifest(with_text(file, json.dumps(document)))


def change(manifest: Manifest = MANIFEST, **changes: Any) -> str:
    return json.dumps(json.loads(to_json(manifest)) | changes)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '{"name": "x"}',
        change(inputs={"latents": {"dim": "many", "distribution": "normal"}}),
        change(output={"height": 28}),
        change(fingerprint={"seed": 0, "count": 1, "pixels": "not base64!"}),
        change(fingerprint={"seed": 0, "count": 1, "pixels": ""}),
        change(inputs=None),
        change(format_version="one"),
        change(output={"height": 0, "width": 4, "channels": 1}),
        change(inputs={"latents": {"dim": -1, "distribution": "normal"}}),
        change(inputs={"latents": {"dim": 7, "distribution": "normal"}, "labels": {"classes": 0, "names": []}}),
        change(fingerprint={"seed": 0, "count": 10**9, "pixels": "AAAA"}),
        to_json(MANIFEST).replace('"dim": 7', '"dim": 1e999'),
        to_json(MANIFEST).replace('"value": 1.5', '"value": NaN'),
        change(format_version=-5),
        change(format_version=0),
        change(format_version=1.0),
        change(format_version=True),
        change(format_version="1"),
        change(name=3),
        change(task=None),
        change(training=[1]),
        change(quality={"fid": 1}),
        change(quality=[1]),
        change(fingerprint=[]),
        change(inputs={"latents": 7}),
        *(change(inputs={"latents": {"dim": dim, "distribution": "normal"}}) for dim in (4.9, "4", True, 2**31 + 1)),
        *(change(inputs={"latents": {"dim": 7, "distribution": other}}) for other in ("cauchy", 1, None)),
        *(
            change(inputs={"labels": {"classes": 2, "names": names}})
            for names in (["a"], ["a", "b", "c"], ["a", "a"], ["a", 1], "ab", None)
        ),
        change(output={"height": 28.0, "width": 28, "channels": 1}),
        change(POINTS, output={"coordinates": 2, "extent": True}),
        change(POINTS, output={"coordinates": 2, "extent": "4"}),
        change(POINTS, output={"height": 3, "width": 4, "channels": 1}),
        change(FEATURES, output={"dim": 2, "classes": 2, "names": ["a"]}),
        change(FEATURES, output={"dim": 2, "classes": -1}),
        change(FEATURES, inputs={"images": {"height": 2.0}}),
        change(ENCODE, output={"latents": {"dim": 2.5, "distribution": "normal"}}),
        change(ENCODE, inputs={"images": {"height": None, "width": 4, "channels": 1}}),
        *(change(manifest, inputs={}) for manifest in (MANIFEST, POINTS, ENCODE)),
        *(change(manifest, output={}) for manifest in (MANIFEST, POINTS, ENCODE)),
        *(change(manifest, inputs=7) for manifest in (MANIFEST, POINTS, ENCODE, FEATURES)),
        change(inputs={"latents": {"dim": 7}}),
        change(inputs={"latents": {"dim": 7, "distribution": "normal"}, "labels": {"classes": 2}}),
        change(task=""),
        change(task="later", training=[1]),
        change(fingerprint={"seed": -1, "count": 1, "pixels": "AAAA"}),
        change(fingerprint={"seed": 0.0, "count": 1, "pixels": "AAAA"}),
        change(fingerprint={"seed": 2**64, "count": 1, "pixels": "AAAA"}),
        "[" * 100_000,
    ],
)
def test_damaged_manifests_are_refused(file: ModelFile, text: str) -> None:
    with pytest.raises(ModelError, match="manifest is damaged"):
        read_manifest(with_text(file, text))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Latents(4.9, "normal"), r"latents.dim 4\.9: must be of type int, not float"),  # type: ignore[arg-type]
        (lambda: Latents(True, "normal"), "latents.dim True: must be of type int"),
        (lambda: Latents(0, "normal"), "latents.dim 0: must be at least 1"),
        (lambda: Latents(4, "cauchy"), "'cauchy': must be one of normal, uniform"),
        (lambda: Labels(3, ("a",)), "1 names for 3 classes"),
        (lambda: Labels(2, ("a", "a")), "two classes have the same name"),
        (lambda: Labels(2, "ab"), "labels.names 'ab': must be of type tuple"),  # type: ignore[arg-type]
        (lambda: ImageSize(28, 28, 1.0), "channels 1.0: must be of type int"),  # type: ignore[arg-type]
        (lambda: Points(2, float("inf")), "extent inf: must be positive and finite"),
        (lambda: Measures(8, 2, ("a",)), "1 names for 2 classes"),
        (lambda: Measures(8, -1), "output.classes -1: must be at least 0"),
        (lambda: ImageAxes(None, 0), "width 0: must be at least 1"),
        (lambda: Fingerprint(0, 1, b""), "fingerprint.pixels: is empty"),
        (lambda: Truncation(2.5), "truncation.default 2.5: must be from -1 to 2"),
        (lambda: Truncation(float("nan")), "truncation.default nan: must be from -1 to 2"),
        (lambda: replace(STYLED, styles=None), "truncation and styles: a generator has both or neither"),
        (lambda: Styles(0, 8), "styles.layers 0: must be at least 1"),
        (lambda: Noise(0), "noise.dim 0: must be at least 1"),
        (lambda: replace(MANIFEST, name=None), "name None: must be of type str"),  # type: ignore[arg-type]
        (lambda: replace(MANIFEST, quality=[{"fid": float("nan")}]), "cannot be written as JSON"),
        (lambda: replace(MANIFEST, training={"path": Path()}), "cannot be written as JSON"),
    ],
)
def test_a_wrong_manifest_cannot_be_made(make: Callable[[], object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_shipped_manifests_are_read(name: str) -> None:
    manifest = read_manifest(read_model_file(shipped_model(name)))
    assert isinstance(manifest, GenerateManifest)
    assert manifest.labels is not None
    assert len(manifest.labels.names) == 10


def test_contradictions_between_graph_and_manifest_are_refused(file: ModelFile) -> None:
    for manifest in (
        replace(MANIFEST, latents=Latents(16, "normal"), output=ImageSize(28, 28, 3), labels=Labels(10, ())),
        replace(MANIFEST, latents=Latents(17, "normal"), output=ImageSize(28, 28, 1), labels=Labels(10, ())),
        replace(MANIFEST, latents=Latents(16, "normal"), output=ImageSize(28, 28, 1), labels=None),
        replace(POINTS, latents=Latents(16, "normal"), labels=Labels(10, ())),
    ):
        with pytest.raises(ModelError, match="do not agree"):
            Generator.open(with_text(file, to_json(manifest)), "cpu")


def test_an_input_from_the_future_is_named(conditional_model: Path) -> None:
    model = onnx.load(conditional_model)
    model.graph.input.append(onnx.helper.make_tensor_value_info("prompt", onnx.TensorProto.FLOAT, ["n"]))
    file = parse_model(model.SerializeToString(), conditional_model)
    with pytest.raises(ModelError, match=r"needs .*'prompt'.*upgrade gan-edge"):
        Generator.open(file, "cpu")


def test_another_task_is_refused(file: ModelFile) -> None:
    with pytest.raises(ModelError, match="task 'features'"):
        Generator.open(with_text(file, to_json(FEATURES)), "cpu")


def test_fingerprints_see_first_and_last_pixel() -> None:
    images = np.arange(2 * 3 * 3 * 1, dtype=np.uint8).reshape(2, 3, 3, 1)
    print_ = Fingerprint(0, 2, spread(images, 5).tobytes())
    assert difference(print_, images) == 0
    assert difference(Fingerprint(0, 1, bytes(40)), images[:1]) > 1  # of larger images
    changed = images.copy()
    changed[-1, -1, -1, -1] += 9
    assert difference(print_, changed) == 9
