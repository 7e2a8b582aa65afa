"""What the commands that make pictures of pictures have in common, from the arguments to the report."""

import time
from typing import TYPE_CHECKING, Any

from gan_runtime import __version__
from gan_runtime.errors import IncompleteError, InputError
from gan_runtime.images.remarks import messages
from gan_runtime.images.writing import Encoding
from gan_runtime.onnx_runtime import import_onnxruntime
from gan_runtime.outputs.share import WHOLE, Share, share_of
from gan_runtime.records import record
from gan_runtime.terminal.commandline import print_result
from gan_runtime.terminal.text import note
from gan_runtime.transform.inputs import STDIN
from gan_runtime.transform.model import PictureModel
from gan_runtime.transform.pictures import transform_pictures
from gan_runtime.transform.places import Place, check_apart, check_free, place_of
from gan_runtime.transform.report import Report
from gan_runtime.transform.settings import Settings
from gan_runtime.transform.transform import Transform

if TYPE_CHECKING:
    from gan_runtime.outputs.cluster import Cluster

TRANSLATION, UPSCALING = ("prepare", "size", "compare"), ("alpha", "metadata")  # settings in reports


@record(frozen=True)
class Asked:
    """The arguments that need no model. `files` are the inputs and the output, `suffixes` the formats of outputs,
    `reported` the settings that the report has besides those of all commands."""

    files: list[str]
    format: str | None
    quality: int | None
    force: bool
    recursive: bool
    skip_bad: bool
    quiet: bool
    as_json: bool
    suffixes: tuple[str, ...]
    reported: tuple[str, ...]
    truth: str | None = None
    compare: bool = False
    keep_metadata: bool = False
    shard: str | None = None
    cluster: "Cluster | None" = None

    @property
    def share(self) -> Share:
        """The part of the inputs that is written. Raises InputError if --shard names none."""
        return WHOLE if self.shard is None else share_of(self.shard)

    @property
    def sources(self) -> list[str]:
        """The inputs; one that is named twice is there once."""
        return list(dict.fromkeys(self.files[:-1]))


def checked(asked: Asked) -> Place:
    """The place of the output, after all checks that need no model.

    Raises:
        InputError, OutputError: the arguments do not fit each other, or the output cannot be used.
    """
    output = asked.files[-1]
    place = place_of(output, asked.sources, asked.format, asked.suffixes)
    check_apart(output, [*asked.sources, *([asked.truth] if asked.truth else [])])
    check_free(place, force=asked.force)
    if asked.as_json and place.is_stdout:
        raise InputError("--json: cannot be combined with an image on stdout; name an output file")
    if asked.share != WHOLE and not place.is_folder:
        raise InputError(f"--shard {asked.shard}: divides the images of a folder; name a folder as the output")
    if asked.cluster and not place.is_folder:
        raise InputError("--ray: divides the images of a folder; name a folder as the output")
    if asked.truth == STDIN:
        raise InputError("--truth -: the truth is not read from stdin; name a file or a folder")
    if asked.truth is not None and not asked.compare:
        raise InputError("--truth: has an effect only with --compare; add --compare, or leave it out")
    Encoding(place.suffix, asked.quality, keeps_metadata=asked.keep_metadata)
    return place


def transform(asked: Asked, place: Place, model: PictureModel, settings: Settings, began: float) -> None:
    """Run the pictures through the model, and print the report.

    Raises:
        DataError: the only picture cannot be used.
        IncompleteError: some pictures cannot be used. The others are written, and the report is printed if it is JSON.
        InputError, OutputError, DeviceError: as `transform_pictures`.
    """
    work = Transform(model, settings)
    report = transform_pictures(
        place,
        asked.sources,
        work,
        truth=asked.truth,
        recursive=asked.recursive,
        share=asked.share,
        cluster=asked.cluster,
        quiet=asked.quiet,
    )
    failed = bool(report.bad) and not asked.skip_bad
    for remark in () if asked.quiet else _remarks(report, model, settings, failed=failed):
        note(remark)
    if asked.as_json:
        print_result(place.output, _as_json(asked, report, model, settings, began))
    elif not (failed or place.is_stdout):
        print_result(place.output)
    if failed:
        raise IncompleteError(f"{report.failure()}; repair or remove these, or add --skip-bad")


def _remarks(report: Report, model: PictureModel, settings: Settings, *, failed: bool) -> list[str]:
    remarks = list(messages(report.remarks, settings.reading))
    if report.bad and not failed:
        remarks.append(f"skipped: {report.failure()}")
    if report.in_tiles:
        images = f"{report.in_tiles:,} image{'s' * (report.in_tiles > 1)}"
        remarks.append(f"tiles: {images} in tiles of {report.side} pixels, {model.tiles(settings.tile)}")
    return remarks


def _as_json(asked: Asked, report: Report, model: PictureModel, settings: Settings, began: float) -> dict[str, Any]:
    shard = {} if asked.shard is None else {"shard": asked.shard}
    about, seconds = settings.identity(), time.perf_counter() - began
    return {
        **report.to_json(),
        **shard,
        "tiles": {
            "n": report.tiles,
            "side": report.side,
            "exact": model.exact(settings.tile),
            "difference": model.tiles(settings.tile),
        },
        **{name: about.get(name) for name in (*asked.reported, "format", "quality")},
        "pictures": {name: about[name] for name in ("background", "levels")},
        "model": {"path": str(model.path), "sha256": model.sha256},
        "scale": model.scale,
        "device": model.device,
        "threads": model.threads,
        **(asked.cluster.report() if asked.cluster else {}),
        "versions": {"gan-edge": __version__, "onnxruntime": import_onnxruntime().__version__},
        "seconds": round(seconds, 3),
        "megapixels": round(report.pixels / 1e6, 3),
        "megapixels_per_second": round(report.pixels / 1e6 / seconds, 3),
    }
