"""Which translator a command takes: the one that is named, or the newest in ./exported."""

from pathlib import Path

from gan_runtime.commands.find_model import newest_of
from gan_runtime.errors import ModelError
from gan_runtime.image_to_image.translator import Translator
from gan_runtime.manifest import TranslateManifest
from gan_runtime.model_file import ModelFile, read_model_file
from gan_runtime.models import EXPORTED, INVERSE_SUFFIX, find_model
from gan_runtime.terminal.text import note

RECIPES = "pix2pix or cyclegan"  # that make translators


def open_translator(path: str | None, device: str, threads: int | None, quiet: bool = False) -> Translator:
    """Open the translator at `path`, or the newest one; print the chosen model and device on stderr unless `quiet`.

    Raises:
        ModelError, DeviceError, InputError: as `Translator.open`; also if no file is named and there is none.
    """
    model, remarks = (read_model_file(find_model(path)), []) if path else newest_translator()
    translator = Translator.open(model, device, threads)
    if device == "auto":
        remarks.append(f"device: {translator.session.device}, {translator.session.reason}")
    for remark in () if quiet else remarks:
        note(remark)
    return translator


def newest_translator(folder: Path = Path(EXPORTED)) -> tuple[ModelFile, list[str]]:
    """The newest translator in `folder`; of a pair, the one from the first domain to the second.

    Returns:
        The file, and messages: which it is, and which newer files were skipped.

    Raises:
        ModelError: there is none.
    """
    model, remarks = newest_of(TranslateManifest, folder, leave_out=INVERSE_SUFFIX)
    if model is None:
        raise ModelError(
            f"{folder}: has no translator; export a run of {RECIPES} with gan-export, or name one with --model"
        )
    return model, [*remarks, f"model: {model.path}, the newest translator in {folder}"]
