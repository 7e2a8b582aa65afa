"""The memory that large images need is estimated before the first one is drawn."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from helpers import Result
from styled_formula import Styled

from gan_runtime import Generator
from gan_runtime.devices.memory import check_memory
from gan_runtime.drawing import LITTLE
from gan_runtime.errors import DeviceError, InputError
from gan_runtime.manifest import GenerateManifest, ImageSize

GB = 10**9


@pytest.fixture
def generator(tmp_path: Path) -> Generator:
    """Images of 256 x 256 that need 1 GB each, if one believes the manifest."""
    path = Styled(size=ImageSize(256, 256, 3), layers=2, dim=2).write(tmp_path / "x.onnx")
    return claiming(Generator.load(path, "cpu", 4), GB // 32)


def claiming(generator: Generator, activations: int) -> Generator:
    assert isinstance(generator.manifest, GenerateManifest)
    return replace(generator, manifest=replace(generator.manifest, activations=activations))


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> Callable[[float | None], None]:
    """Say how many GB are free."""

    def free(gigabytes: float | None) -> None:
        memory = None if gigabytes is None else int(gigabytes * GB)
        for module in ("drawing", "session"):
            monkeypatch.setattr(f"gan_runtime.{module}.available_memory", lambda: memory)

    return free


@pytest.mark.parametrize(("gigabytes", "size"), [(None, 4), (100, 4), (8, 4), (6.1, 3), (2.5, 1), (1.1, 1)])
def test_batches_are_as_large_as_memory_allows(
    generator: Generator, free: Callable[[float | None], None], gigabytes: float | None, size: int
) -> None:
    free(gigabytes)
    assert generator.batch_size() == size
    assert generator.sample(2).shape == (2, 256, 256, 3)


def test_what_does_not_fit_is_refused_with_both_numbers(
    generator: Generator, free: Callable[[float | None], None]
) -> None:
    free(0.9)
    message = r"x\.onnx: drawing 1 x 256 x 256 x 3: needs about 1\.0 GB of memory, and 0\.9 GB are free; free some, or"
    with pytest.raises(DeviceError, match=message):
        generator.sample(1)


def test_a_batch_size_that_does_not_fit_is_refused(generator: Generator, free: Callable[[float | None], None]) -> None:
    free(3.5)
    assert generator.batch_size(3) == 3
    with pytest.raises(DeviceError, match=r"drawing 4 x 256 x 256 x 3: needs about 4\.0 GB of memory, and 3\.5 GB are"):
        generator.batch_size(64)  # of which four are drawn at a time
    with pytest.raises(InputError, match="batch size 0"):
        generator.batch_size(0)


def test_memory_is_looked_at_once_and_only_where_it_matters(
    generator: Generator, free: Callable[[float | None], None]
) -> None:
    free(2.5)
    assert generator.batch_size() == 1
    free(0.5)  # the process itself has the rest now
    assert generator.batch_size() == 1
    small = claiming(generator, LITTLE // (4 * 32))
    free(0)
    assert small.batch_size() == 4


def test_noise_counts(generator: Generator, tmp_path: Path) -> None:
    noisy = Generator.load(Styled(noise=20).write(tmp_path / "noisy.onnx"), "cpu")
    assert isinstance(noisy.manifest, GenerateManifest)
    assert noisy.manifest.activations >= noisy.manifest.output.height
    assert noisy.image_bytes == 32 * noisy.manifest.activations + 64 * 20
    assert generator.image_bytes == pytest.approx(GB, abs=32)


def test_opening_a_large_file_needs_memory_too(
    generator: Generator, free: Callable[[float | None], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gan_runtime.session.LARGE", 1000)
    monkeypatch.setattr("gan_runtime.session.OPENING", 10**6)
    free(1)
    with pytest.raises(DeviceError, match=r"x\.onnx: opening it: needs about [0-9.]+ GB of memory, and 1\.0 GB"):
        Generator.load(generator.model.path, "cpu")


def test_the_command_says_it_in_one_line(
    generator: Generator, free: Callable[[float | None], None], call: Callable[..., Result]
) -> None:
    import onnx

    from gan_runtime.manifest import METADATA_KEY
    from gan_trainer.export.manifest import to_json

    assert generator.manifest
    model = onnx.load(generator.model.path)
    onnx.helper.set_model_props(model, {METADATA_KEY: to_json(generator.manifest)})
    onnx.save(model, "large.onnx")
    free(0.9)
    assert call("gan-sample", "--model", "large.onnx", "out.png").refused("needs about 1.0 GB", "0.9 GB are free")
    assert not Path("out.png").exists()


def test_unknown_memory_refuses_nothing() -> None:
    check_memory("x", 1e15, None)
    check_memory("x", 5, 5)
    with pytest.raises(DeviceError):
        check_memory("x", 6, 5)
