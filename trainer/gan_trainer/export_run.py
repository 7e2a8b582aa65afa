"""Export the generator of a run, the averaged weights of its best checkpoint, and its encoder where it has one."""

from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import onnx

from gan_runtime.encoder import encoder_path
from gan_runtime.errors import GanEdgeError, InputError, OutputError
from gan_runtime.files import atomic_write, check_writable
from gan_runtime.manifest import Latents
from gan_runtime.model_file import ModelFile
from gan_runtime.models import EXPORTED, SHIPPED
from gan_trainer.checkpoint import CONTENT_ERRORS, damaged, list_checkpoints, load_checkpoint
from gan_trainer.config import Config
from gan_trainer.export import generator_file
from gan_trainer.export_encoder import encoder_file
from gan_trainer.export_points import export_points
from gan_trainer.networks import build_networks
from gan_trainer.runs import Run, software


class Exported(NamedTuple):
    """The files of a run, as written."""

    generator: ModelFile
    encoder: ModelFile | None = None


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
) -> Exported:
    """Export `run` to `output`, exported/<run>.onnx if None; its encoder, if it has one, to <output>-encoder.onnx.

    Args:
        run: a run folder.
        checkpoint: one of its own, what `choose_checkpoint` takes for the best if None.
        opset, output, name: as `export`.

    Raises:
        GanEdgeError: no usable checkpoint.
        ExportError, InputError, OutputError: as `export`. Both files are verified before either is written.
    """
    path = checkpoint or choose_checkpoint(run)[0]
    saved = load_checkpoint(path)
    config = Config.from_dict(saved["config"], str(path))
    networks = build_networks(config.recipe, config.data.size, len(config.conditions))
    try:
        networks.generator.load_state_dict(saved["average"])
        if networks.encoder is not None:
            networks.encoder.load_state_dict(saved["encoder"])
    except CONTENT_ERRORS:
        raise damaged(path) from None
    run_name = run.folder.resolve().name
    output = output or _default_output(run_name)
    targets = [output] if networks.encoder is None else [output, encoder_path(output)]
    for target in targets:
        check_writable(target)
    about: dict[str, Any] = {
        "latent_dim": config.recipe.latent_dim,
        "distribution": config.recipe.latents,
        "opset": opset,
        "name": name or run_name,
        "training": _training(config, saved),
        "quality": _quality(run, saved["images_seen"]),
    }
    if config.data.points:
        return Exported(export_points(networks.generator, output, extent=config.data.points.extent, **about))
    classes = config.conditions
    generator = generator_file(networks.generator, output, classes=len(classes), class_names=classes, **about)
    files = [generator]
    if networks.encoder is not None:
        files.append(
            encoder_file(
                networks.encoder,
                targets[1],
                size=config.data.size,
                latents=Latents(config.recipe.latent_dim, config.recipe.latents),
                opset=opset,
                name=f"{name or run_name}-encoder",
                training=about["training"] | {"generator": {"name": name or run_name, "sha256": generator.sha256}},
            )
        )
    with ExitStack() as stack:
        opened = [stack.enter_context(atomic_write(target)) for target in targets]
        for place, file in zip(opened, files, strict=True):
            place.write(file.content)
    return Exported(*files)


def _default_output(run_name: str) -> Path:
    if run_name in SHIPPED:
        raise InputError(f"run {run_name}: has the name of a shipped model; name the file with --output")
    output = Path(EXPORTED) / f"{run_name}.onnx"
    _make_folder(output.parent)
    return output


def _training(config: Config, saved: dict[str, Any]) -> dict[str, Any]:
    """Where the weights come from, for the manifest."""
    return {
        "recipe": config.recipe_name,
        "data": config.data.name,
        "images_seen": saved["images_seen"],
        "seconds": round(saved["seconds"], 1),
        "cpu_seconds": round(saved.get("cpu_seconds", 0.0), 1),
        "seed": config.seed,
        "device": config.device,
        "precision": config.recipe.precision,
        "software": software() | {"onnx": onnx.__version__},
    }


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
