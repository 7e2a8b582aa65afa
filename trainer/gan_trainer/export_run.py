"""Export the generator of a run: the averaged weights of its best checkpoint."""

from pathlib import Path
from typing import Any

import onnx

from gan_runtime.errors import GanEdgeError, InputError, OutputError
from gan_runtime.model_file import ModelFile
from gan_runtime.models import EXPORTED, SHIPPED
from gan_trainer.checkpoint import CONTENT_ERRORS, damaged, list_checkpoints, load_checkpoint
from gan_trainer.config import Config
from gan_trainer.export import export
from gan_trainer.export_points import export_points
from gan_trainer.networks import build_networks
from gan_trainer.runs import Run, software


def choose_checkpoint(run: Run, wanted: str = "best") -> tuple[Path, str]:
    """The checkpoint to export, and why that one.

    Args:
        run: a run folder.
        wanted: "last", "best" by the run's evaluations (the last one where it has none), or a number of images.

    Raises:
        GanEdgeError: there is no such checkpoint.
        InputError: `wanted` is none of these.
    """
    found = {int(path.stem): path for path in list_checkpoints(run.checkpoints)}
    if not found:
        raise GanEdgeError(f"{run.folder}: has no checkpoint yet; go on with gan-train --resume {run.folder}")
    if wanted.isdecimal():
        if int(wanted) not in found:
            raise GanEdgeError(f"--checkpoint {wanted}: {run.folder} has {', '.join(map(str, found))}; choose one")
        return found[int(wanted)], "asked for"
    if wanted not in ("best", "last"):
        raise InputError(f"--checkpoint {wanted}: choose best, last, or a number of images")
    entry = run.best()
    if wanted == "best" and entry:
        return found[entry["images"]], f"the best of the run: FID {entry['fid']:.3f} of {entry['n']:,} samples"
    return found[max(found)], "the last" if wanted == "last" else "the last: no evaluation says which is best"


def export_run(
    run: Run, checkpoint: Path | None = None, opset: int = 17, output: Path | None = None, name: str | None = None
) -> ModelFile:
    """Export `run` to `output`, exported/<run>.onnx if None.

    Args:
        run: a run folder.
        checkpoint: one of its own, what `choose_checkpoint` takes for the best if None.
        opset, output, name: as `export`.

    Raises:
        GanEdgeError: no usable checkpoint.
        ExportError, InputError, OutputError: as `export`.
    """
    path = checkpoint or choose_checkpoint(run)[0]
    saved = load_checkpoint(path)
    config = Config.from_dict(saved["config"], str(path))
    classes = config.conditions
    generator = build_networks(config.recipe, config.data.size, len(classes)).generator
    try:
        generator.load_state_dict(saved["average"])
    except CONTENT_ERRORS:
        raise damaged(path) from None
    run_name = run.folder.resolve().name
    if output is None:
        if run_name in SHIPPED:
            raise InputError(f"run {run_name}: has the name of a shipped model; name the file with --output")
        output = Path(EXPORTED) / f"{run_name}.onnx"
        _make_folder(output.parent)
    about: dict[str, Any] = {
        "latent_dim": config.recipe.latent_dim,
        "distribution": config.recipe.latents,
        "opset": opset,
        "name": name or run_name,
        "training": {
            "recipe": config.recipe_name,
            "data": config.data.name,
            "images_seen": saved["images_seen"],
            "seconds": round(saved["seconds"], 1),
            "seed": config.seed,
            "device": config.device,
            "precision": config.recipe.precision,
            "software": software() | {"onnx": onnx.__version__},
        },
        "quality": _quality(run, saved["images_seen"]),
    }
    if config.data.points:
        return export_points(generator, output, extent=config.data.points.extent, **about)
    return export(generator, output, classes=len(classes), class_names=classes, **about)


def _quality(run: Run, images_seen: int) -> list[dict[str, Any]]:
    """The newest evaluation after so many images, with what real images score and what was measured with."""
    entries = [entry for entry in run.entries() if entry["images"] == images_seen and "n" in entry]
    if not entries:
        return []
    about = run.floors() or {}
    real = about.get("floors")
    floors = real.get(str(entries[-1]["n"])) if isinstance(real, dict) else None
    measured_with = {key: about[key] for key in ("data", "features") if key in about}  # points need no features
    return [measured_with | entries[-1] | {"floors": floors}]


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be made: {error.strerror}") from None
