"""Which encoder a command takes: the one that is named, that of a generator, or the newest in ./exported."""

from pathlib import Path

from gan_runtime.commands.find_model import newest_first
from gan_runtime.encoder import SUFFIX, WITH_ENCODERS, Encoder, check_pair, encoder_path
from gan_runtime.errors import ModelError
from gan_runtime.model_file import ModelFile, read_model_file
from gan_runtime.models import EXPORTED, find_model


def find_encoder(name: str | None, folder: Path = Path(EXPORTED)) -> tuple[ModelFile, list[str]]:
    """The encoder called `name`: its own file, or that of its generator; the newest one in `folder` if None.

    Returns:
        The file, and remarks: which newer ones were passed over.

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
    for path in newest_first(folder, f"*{SUFFIX}"):
        try:
            model = read_model_file(path)
            Encoder.manifest_of(model)
        except ModelError as error:
            remarks.append(f"passed over: {error}")
        else:
            return model, remarks
    raise ModelError(f"{folder}: has no encoder (*{SUFFIX}); export a run of {WITH_ENCODERS}, or name one with --model")
