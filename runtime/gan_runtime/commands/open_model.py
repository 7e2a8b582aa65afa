"""Open the model of a command, and print which model and device were chosen."""

from typing import TYPE_CHECKING

from gan_runtime.generator import Generator
from gan_runtime.manifest import ImageToImageManifest, read_manifest
from gan_runtime.model_file import read_model_file
from gan_runtime.models import find_model
from gan_runtime.terminal.text import note

if TYPE_CHECKING:
    from gan_runtime.foreign import Assumptions
    from gan_runtime.image_to_image.model import ImageToImage
    from gan_runtime.outputs.cluster import Cluster


def open_generator(
    path: str | None,
    device: str,
    threads: int | None,
    quiet: bool = False,
    assumptions: "Assumptions | None" = None,
    cluster: "Cluster | None" = None,
) -> Generator:
    """Open the generator at `path`, or the default model; print the chosen model and device on stderr unless `quiet`.

    For a cluster it is opened on the CPU here, and as the parts need it there.

    Raises:
        ModelError, DeviceError, InputError: as `Generator.open`.
    """

    def say(remark: str) -> None:
        if not quiet:
            note(remark)

    if path is not None:
        model = read_model_file(find_model(path))
    else:
        from gan_runtime.commands.find_model import default_model

        model, remarks = default_model()
        for remark in remarks:
            say(remark)
    if cluster:
        generator = Generator.open(model, "cpu", 1, assumptions).sent_to(cluster.device, cluster.cpus)
    else:
        generator = Generator.open(model, device, threads, assumptions)
    if generator.signature.assumed:
        say(f"model: {model.path}, {generator.signature.assumed}")
    if device == "auto" and not cluster:
        say(f"device: {generator.session.device}, {generator.session.reason}")
    return generator


def open_with_fingerprint(path: str, device: str, threads: int | None) -> "Generator | ImageToImage":
    """Open the generator, translator or upscaler at `path`, for a comparison with its fingerprint.

    Raises:
        ModelError, DeviceError, InputError: as `Generator.open`.
    """
    from gan_runtime.opening import open_model

    model = read_model_file(find_model(path))
    if not isinstance(read_manifest(model), ImageToImageManifest):
        return open_generator(path, device, threads)
    opened: ImageToImage = open_model(model, device, threads)
    if device == "auto":
        note(f"device: {opened.session.device}, {opened.session.reason}")
    return opened
