"""Which translator or upscaler a command takes: the one that is named, or the newest in ./exported."""

from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from gan_runtime.commands.find_model import newest_of
from gan_runtime.errors import ModelError
from gan_runtime.image_to_image.model import ImageToImage
from gan_runtime.image_to_image.translator import Translator
from gan_runtime.image_to_image.upscaler import Upscaler
from gan_runtime.manifest import ImageToImageManifest, TranslateManifest, UpscaleManifest
from gan_runtime.model_file import ModelFile, read_model_file
from gan_runtime.models import EXPORTED, INVERSE_SUFFIX, find_model
from gan_runtime.terminal.text import note

if TYPE_CHECKING:
    from gan_runtime.outputs.cluster import Cluster

Kind = TypeVar("Kind", bound=ImageToImage)
WANTED: dict[type[ImageToImage], tuple[type[ImageToImageManifest], str, str]] = {  # manifest, name, recipes
    Translator: (TranslateManifest, "translator", "pix2pix or cyclegan"),
    Upscaler: (UpscaleManifest, "upscaler", "sr or esrgan"),
}


def open_picture_model(
    kind: type[Kind],
    path: str | None,
    device: str,
    threads: int | None,
    quiet: bool = False,
    cluster: "Cluster | None" = None,
    *,
    many: bool = False,
) -> Kind:
    """Open the model at `path`, or the newest one; print the chosen model and device on stderr unless `quiet`.

    Args:
        kind: a key of `WANTED`.
        path: of the file, or None.
        device, threads, many: as for `ImageToImage.load`.
        quiet: print nothing.
        cluster: where it is used, if not here. It is opened on the CPU here, and as the parts need it there.

    Raises:
        ModelError, DeviceError, InputError: as `OnnxModel.open`; also if no file is named and there is none.
    """
    model, remarks = (read_model_file(find_model(path)), []) if path else newest(kind)
    if cluster:
        opened = kind.open(model, "cpu", cluster.cpus, many=True).sent_to(cluster.device, cluster.cpus)
    else:
        opened = kind.open(model, device, threads, many=many)
    if device == "auto" and not cluster:
        remarks.append(f"device: {opened.session.device}, {opened.session.reason}")
    for remark in () if quiet else remarks:
        note(remark)
    return opened


def newest(kind: type[ImageToImage], folder: Path = Path(EXPORTED)) -> tuple[ModelFile, list[str]]:
    """The newest model of a kind in `folder`; of a pair of translators, the one from the first domain to the second.

    Returns:
        The file, and messages: which it is, and which newer files were skipped.

    Raises:
        ModelError: there is none.
    """
    manifest, name, recipes = WANTED[kind]
    model, remarks = newest_of(manifest, folder, leave_out=INVERSE_SUFFIX)
    if model is None:
        raise ModelError(
            f"{folder}: has no {name}; export a run of {recipes} with gan-export, or name one with --model"
        )
    return model, [*remarks, f"model: {model.path}, the newest {name} in {folder}"]
