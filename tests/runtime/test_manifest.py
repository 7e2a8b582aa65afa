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
from gan_runtime.manifest import (
    FORMAT_VERSION,
    METADATA_KEY,
    Fingerprint,
    ImageSize,
    Labels,
    Latents,
    Manifest,
    Measures,
    Points,
    read_manifest,
    spread,
)
from gan_runtime.model_file import ModelFile, parse_model, read_model_file
from gan_runtime.models import shipped_model

MANIFEST = Manifest(
    name="näme",
    task="generate",
    latents=Latents(7, "uniform"),
    labels=Labels(2, ("a", "b")),
    output=ImageSize(3, 4, 1),
    training={"recipe": "gan"},
    quality=[{"metric": "fid", "value": 1.5}],
    fingerprint=Fingerprint(1, 2, bytes(range(24))),
)


@pytest.fixture
def file(conditional_model: Path) -> ModelFile:
    return read_model_file(conditional_model)


def with_text(file: ModelFile, text: str) -> ModelFile:
    return replace(file, metadata={METADATA_KEY: text})


def test_reading_is_the_inverse_of_writing(file: ModelFile) -> None:
    assert read_manifest(with_text(file, MANIFEST.to_json())) == MANIFEST


def test_a_file_for_another_task_needs_no_latents(file: ModelFile) -> None:
    other = Manifest(name="x", task="features")
    assert read_manifest(with_text(file, other.to_json())) == other


def test_unknown_keys_are_ignored(file: ModelFile) -> None:
    document = json.loads(MANIFEST.to_json()) | {"later": [1, 2]}
    assert read_manifest(with_text(file, json.dumps(document))) == MANIFEST


def test_no_manifest_is_none(file: ModelFile) -> None:
    assert read_manifest(replace(file, metadata={})) is None


def test_a_newer_version_is_refused_by_name(file: ModelFile) -> None:
    document = {"format_version": FORMAT_VERSION + 1, "anything": "else"}
    with pytest.raises(ModelError, match=f"format version {FORMAT_VERSION + 1}.*upgrade gan-edge"):
        read_manifest(with_text(file, json.dumps(document)))


def change(**changes: Any) -> str:
    return json.dumps(json.loads(MANIFEST.to_json()) | changes)


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
        MANIFEST.to_json().replace('"dim": 7', '"dim": 1e999'),
        MANIFEST.to_json().replace('"value": 1.5', '"value": NaN'),
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
        change(output={"coordinates": 2, "extent": True}),
        change(output={"coordinates": 2, "extent": "4"}),
        change(output={"dim": 2, "classes": 2, "names": ["a"]}),
        change(output={"latents": {"dim": 2.5, "distribution": "normal"}}),
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
        (lambda: Latents(4.9), r"latents.dim 4\.9: must be of type int, not float"),  # type: ignore[arg-type]
        (lambda: Latents(True), "latents.dim True: must be of type int"),
        (lambda: Latents(0), "latents.dim 0: must be at least 1"),
        (lambda: Latents(4, "cauchy"), "'cauchy': must be one of normal, uniform"),
        (lambda: Labels(3, ("a",)), "1 names for 3 classes"),
        (lambda: Labels(2, ("a", "a")), "two classes have the same name"),
        (lambda: Labels(2, "ab"), "labels.names 'ab': must be of type tuple"),  # type: ignore[arg-type]
        (lambda: ImageSize(28, 28, 1.0), "channels 1.0: must be of type int"),  # type: ignore[arg-type]
        (lambda: Points(2, float("inf")), "extent inf: must be positive and finite"),
        (lambda: Measures(8, 2, ("a",)), "1 names for 2 classes"),
        (lambda: Fingerprint(0, 1, b""), "fingerprint.pixels: is empty"),
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
    assert manifest is not None
    assert manifest.labels is not None
    assert len(manifest.labels.names) == 10


def test_contradictions_between_graph_and_manifest_are_refused(file: ModelFile) -> None:
    for manifest in (
        replace(MANIFEST, latents=Latents(16), output=ImageSize(28, 28, 3), labels=Labels(10)),
        replace(MANIFEST, latents=Latents(17), output=ImageSize(28, 28, 1), labels=Labels(10)),
        replace(MANIFEST, latents=Latents(16), output=ImageSize(28, 28, 1), labels=None),
        replace(MANIFEST, latents=None),
    ):
        with pytest.raises(ModelError, match="do not agree"):
            Generator.open(with_text(file, manifest.to_json()), "cpu")


def test_an_input_from_the_future_is_named(conditional_model: Path) -> None:
    model = onnx.load(conditional_model)
    model.graph.input.append(onnx.helper.make_tensor_value_info("truncation", onnx.TensorProto.FLOAT, ["n"]))
    file = parse_model(model.SerializeToString(), conditional_model)
    with pytest.raises(ModelError, match=r"needs .*'truncation'.*upgrade gan-edge"):
        Generator.open(file, "cpu")


def test_another_task_is_refused(file: ModelFile) -> None:
    with pytest.raises(ModelError, match="task 'features'"):
        Generator.open(with_text(file, replace(MANIFEST, task="features").to_json()), "cpu")


def test_fingerprints_see_first_and_last_pixel() -> None:
    images = np.arange(2 * 3 * 3 * 1, dtype=np.uint8).reshape(2, 3, 3, 1)
    print_ = Fingerprint(0, 2, spread(images, 5).tobytes())
    assert print_.difference(images) == 0
    assert Fingerprint(0, 1, bytes(40)).difference(images[:1]) > 1  # of larger images
    changed = images.copy()
    changed[-1, -1, -1, -1] += 9
    assert print_.difference(changed) == 9
