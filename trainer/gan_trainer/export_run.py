"""Export the generator of a run: the averaged weights of its newest checkpoint."""

from pathlib import Path

import onnx

from gan_runtime.errors import GanEdgeError, InputError, OutputError
from gan_runtime.model_file import ModelFile
from gan_runtime.models import EXPORTED, SHIPPED
from gan_trainer.checkpoint import CONTENT_ERRORS, damaged, load_checkpoint
from gan_trainer.config import Config
from gan_trainer.export import export
from gan_trainer.networks import build_networks
from gan_trainer.runs import Run, software


def export_run(run: Run, opset: int = 17, output: Path | None = None, name: str | None = None) -> ModelFile:
    """Export `run` to `output`, exported/<run>.onnx if None.

    Raises:
        GanEdgeError: no usable checkpoint.
        ExportError, InputError, OutputError: as `export`.
    """
    path = run.newest_checkpoint()
    if path is None:
        raise GanEdgeError(f"{run.folder}: has no checkpoint yet; go on with gan-train --resume {run.folder}")
    saved = load_checkpoint(path)
    config = Config.from_dict(saved["config"], str(path))
    classes = config.conditions
    generator, _ = build_networks(config.recipe, config.data.size, len(classes))
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
    return export(
        generator,
        output,
        latent_dim=config.recipe.latent_dim,
        opset=opset,
        classes=len(classes),
        class_names=classes,
        name=name or run_name,
        training={
            "recipe": config.recipe_name,
            "data": config.data.name,
            "images_seen": saved["images_seen"],
            "seconds": round(saved["seconds"], 1),
            "seed": config.seed,
            "device": config.device,
            "precision": config.recipe.precision,
            "software": software() | {"onnx": onnx.__version__},
        },
    )


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be made: {error.strerror}") from None
