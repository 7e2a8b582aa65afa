"""Which encoder a command takes: the one that is named, that of a generator, or the newest in ./exported."""

from pathlib import Path
from typing import TYPE_CHECKING

from gan_runtime.commands.find_model import newest_first
from gan_runtime.encoder import Encoder
from gan_runtime.errors import ModelError
from gan_runtime.model_file import ModelFile, read_model_file
from gan_runtime.models import ENCODER_SUFFIX, EXPORTED, encoder_path, find_model

if TYPE_CHECKING:
    from gan_runtime.generator import Generator

WITH_ENCODERS = "bigan and vae"  # recipes


def find_encoder(name: str | None, folder: Path = Path(EXPORTED)) -> tuple[ModelFile, list[str]]:
    """The encoder called `name`: its own file, or that of its generator; the newest one in `folder` if None.

    Returns:
        The file, and messages on skipped newer files.

    Raises:
        ModelError: there is none, or the one beside a generator belongs to another.
    """
    if name is None:
        return _newest_encoder(folder)
    path = find_model(name)
    beside = encoder_path(path)
    if not beside.is_file():
        return read_model_file(path), []
    encoder = read_model_file(beside)
    check_pair(encoder, read_model_file(path))
    return encoder, []


def _newest_encoder(folder: Path) -> tuple[ModelFile, list[str]]:
    remarks: list[str] = []
    for path in newest_first(folder, f"*{ENCODER_SUFFIX}"):
        try:
            model = read_model_file(path)
            Encoder.manifest_of(model)
        except ModelError as error:
            remarks.append(f"skipped: {error}")
        else:
            return model, remarks
    raise ModelError(
        f"{folder}: has no encoder (*{ENCODER_SUFFIX}); export a run of {WITH_ENCODERS}, or name one with --model"
    )


def open_encoder_of(generator: "Generator", path: str | Path | None = None) -> Encoder:
    """The encoder that was exported with `generator`, on its device: the file at `path`, that beside it if None.

    Raises:
        ModelError: there is none, or it belongs to another generator.
        DeviceError, InputError: as `Encoder.load`.
    """
    beside = encoder_path(generator.model.path)
    if path is None and not beside.is_file():
        raise ModelError(
            f"{generator.model.path}: has no encoder beside it ({beside.name}); the recipes {WITH_ENCODERS} have one, "
            "and gan-export writes it"
        )
    model = read_model_file(path or beside)
    check_pair(model, generator.model)
    return Encoder.open(model, **generator.place)


def check_pair(encoder: ModelFile, generator: ModelFile) -> None:
    """Raise ModelError where the two were not exported together."""
    from gan_runtime.parts import check_origin

    way_out = "export both again with gan-export, or name the encoder that was"
    check_origin(encoder, Encoder.manifest_of(encoder), generator, way_out)
