"""The memory that an export of a generator with styles takes, and what is said where it is not there."""

from pathlib import Path

import pytest
from styled import styled_generator

from gan_runtime.errors import InputError
from gan_runtime.manifest import ImageSize
from gan_trainer.convert.checkpoint import read_checkpoint
from gan_trainer.export import export_styled
from gan_trainer.export.memory import needed_memory


def test_more_pixels_and_more_weights_take_more() -> None:
    small, large = (styled_generator(ImageSize(side, side, 3)) for side in (8, 64))
    wide = styled_generator(width=32, most=64)
    assert needed_memory(small) < min(needed_memory(large), needed_memory(wide))


def test_an_export_without_enough_memory_is_refused_with_both_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    network = styled_generator()
    monkeypatch.setattr("gan_trainer.export.memory.available_memory", lambda: needed_memory(network) - 1)
    with pytest.raises(InputError, match=r"takes about 0\.\d GB of memory, and 0\.\d GB are available"):
        export_styled(network, "x.onnx")


@pytest.mark.parametrize("free", [None, 2**40])
def test_an_export_with_enough_memory_or_an_unknown_amount_goes_on(
    free: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gan_trainer.export.memory.available_memory", lambda: free)
    assert export_styled(styled_generator(), "x.onnx")["generator"].content


def test_a_file_larger_than_the_memory_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("network.pkl").write_bytes(bytes(600))
    monkeypatch.setattr("gan_trainer.export.memory.available_memory", lambda: 1000)
    with pytest.raises(InputError, match=r"^network\.pkl: reading it takes about .* GB of memory"):
        read_checkpoint(Path("network.pkl"))
