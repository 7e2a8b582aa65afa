import json
import os
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from helpers import linear_generator

from gan_runtime.commands.find_model import default_model, is_generator
from gan_runtime.errors import ModelError
from gan_runtime.manifest import METADATA_KEY, FeaturesManifest
from gan_runtime.models import SHIPPED, checkout, find_model, shipped_model
from gan_trainer.export.manifest import to_json


@pytest.fixture
def exported(tmp_path: Path) -> Path:
    (tmp_path / "exported").mkdir()
    return tmp_path / "exported"


def place(model: Path, path: Path, age: int) -> None:
    shutil.copy(model, path)
    os.utime(path, (1e9 - age, 1e9 - age))


def test_without_own_models_the_shipped_one_is_taken() -> None:
    model, remarks = default_model()
    assert model.path == shipped_model("mnist")
    assert remarks == [f"model: {model.path}, shipped with gan-edge"]


def test_the_newest_generator_is_taken(exported: Path, conditional_model: Path, unconditional_model: Path) -> None:
    place(conditional_model, exported / "old.onnx", age=20)
    place(unconditional_model, exported / "new.onnx", age=10)
    model, remarks = default_model()
    assert model.path == Path("exported/new.onnx")
    assert remarks == ["model: exported/new.onnx, the newest in exported"]


def test_shipped_models_have_names(tmp_path: Path) -> None:
    assert find_model("mnist") == shipped_model("mnist")
    assert find_model("x.onnx") == Path("x.onnx")
    (tmp_path / "mnist").mkdir()  # somebody's data
    assert find_model("mnist") == shipped_model("mnist")
    (tmp_path / "fashion-mnist").write_bytes(b"somebody's file")
    assert find_model("fashion-mnist") == Path("fashion-mnist")


def test_other_tasks_are_passed_over_silently_and_damaged_files_aloud(exported: Path, conditional_model: Path) -> None:
    place(conditional_model, exported / "good.onnx", age=20)
    other = onnx.load(conditional_model)
    onnx.helper.set_model_props(other, {METADATA_KEY: to_json(FeaturesManifest(name="features"))})
    onnx.save(other, exported / "features.onnx")
    (exported / "cut.onnx").write_bytes(conditional_model.read_bytes()[:1000])
    (exported / "gone.onnx").symlink_to("nowhere")
    linear_generator(exported / "five.onnx", ["n", 3], ["n", 5, 4, 4])
    model, remarks = default_model()
    assert model.path == Path("exported/good.onnx")
    assert sorted(remark.split(":")[0] for remark in remarks) == ["model", "skipped"]
    assert any("cut.onnx" in remark for remark in remarks)


def test_in_the_checkout_the_shipped_file_is_not_the_users_own(monkeypatch: pytest.MonkeyPatch) -> None:
    root = checkout()
    assert root is not None
    monkeypatch.chdir(root)
    shipped = [root / "exported" / f"{name}.onnx" for name in SHIPPED]
    model, remarks = default_model(Path("exported"))
    own = [path for path in (root / "exported").glob("*.onnx") if path not in shipped]
    assert ("shipped" in remarks[-1]) == (not own)
    assert model.path.resolve() == shipped[0] or own


def test_the_shipped_model_is_what_it_should_be() -> None:
    path = shipped_model("mnist")
    assert path.stat().st_size <= 2_000_000
    model, _ = default_model()
    assert is_generator(model)
    assert (model.opset, model.ir_version) == (17, 8)


def test_a_missing_shipped_model_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("gan_runtime.models.checkout", lambda: tmp_path)
    with pytest.raises(ModelError, match=r"mnist\.onnx: the shipped model is missing"):
        shipped_model("mnist")


def test_the_package_shows_its_classes_and_errors() -> None:
    import gan_runtime

    assert dir(gan_runtime) == sorted(gan_runtime.__all__)
    assert all(hasattr(gan_runtime, name) for name in gan_runtime.__all__)
    errors = {name for name, kind in vars(gan_runtime.errors).items() if isinstance(kind, type)}
    assert errors <= set(gan_runtime.__all__)


def test_load_opens_names_paths_and_bytes(conditional_model: Path) -> None:
    import gan_runtime

    assert gan_runtime.list_models() == ("mnist", "fashion-mnist", "emoji")
    shipped = gan_runtime.load("mnist", device="cpu", threads=1)
    assert isinstance(shipped, gan_runtime.Generator)
    assert shipped.sample(2, seed=1).shape == (2, 28, 28, 1)
    by_path, by_content = (
        gan_runtime.load(source, "cpu", 1).sample(3) for source in (conditional_model, conditional_model.read_bytes())
    )
    assert np.array_equal(by_path, by_content)


def test_load_takes_the_class_of_the_task_and_refuses_others(random_features: Path) -> None:
    import gan_runtime
    from gan_runtime.manifest import ImageSize, Latents
    from gan_trainer.export.encoder import encoder_file

    module = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(16, 3))
    file = encoder_file(module, Path("e.onnx"), size=ImageSize(4, 4, 1), latents=Latents(3, "normal"))
    encoder = gan_runtime.load(file.content, "cpu", 1)
    assert isinstance(encoder, gan_runtime.Encoder)
    network = gan_runtime.load(random_features, "cpu", 1)
    assert (type(network).__name__, network.measure(iter([np.zeros((2, 28, 28, 1), np.uint8)])).features.shape[0]) == (
        "FeatureNetwork",
        2,
    )
    other = onnx.load(random_features)
    manifest = json.loads(other.metadata_props[0].value) | {"task": "dream"}
    onnx.helper.set_model_props(other, {METADATA_KEY: json.dumps(manifest)})
    with pytest.raises(gan_runtime.ModelError, match=r"made for the task 'dream'; load opens files of generate"):
        gan_runtime.load(other.SerializeToString())
    with pytest.raises(gan_runtime.ModelError, match=r"nothing\.onnx: no such model file"):
        gan_runtime.load("nothing.onnx")
    with pytest.raises(gan_runtime.InputError, match="source int"):
        gan_runtime.load(3)  # type: ignore[arg-type]
