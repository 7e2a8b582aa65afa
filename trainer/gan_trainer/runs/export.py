"""Export a run: the averaged weights of its best checkpoint, as the files of its task."""

from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import onnx
from torch import nn

from gan_runtime.errors import GanEdgeError, InputError, OutputError
from gan_runtime.files import check_writable
from gan_runtime.models import ENCODER_SUFFIX, EXPORTED, MAPPING_SUFFIX, SHIPPED, SYNTHESIS_SUFFIX
from gan_trainer.export.write import write_together
from gan_trainer.networks.stylegan2 import StyleGenerator
from gan_trainer.runs.blend import Blend, check_blend, mix
from gan_trainer.runs.folder import Run, software
from gan_trainer.systems import with_networks
from gan_trainer.tasks import task_of
from gan_trainer.tasks.precision import Asked, check_asked, reduce_files
from gan_trainer.tasks.task import Files
from gan_trainer.training.checkpoint import CONTENT_ERRORS, averaged_weights, damaged, list_checkpoints, load_checkpoint
from gan_trainer.training.config import Config

RESERVED = {ENCODER_SUFFIX: "encoders", MAPPING_SUFFIX: "parts of generators", SYNTHESIS_SUFFIX: "parts of generators"}


def choose_checkpoint(run: Run, wanted: str = "best") -> tuple[Path, str]:
    """The checkpoint to export, and the reason for the choice.

    Args:
        run: a run folder.
        wanted: "last", "best" by the run's evaluations (the last one where it has none), or a number of images.

    Raises:
        GanEdgeError: there is no such checkpoint.
        InputError: `wanted` is not one of these.
    """
    found = {int(path.stem): path for path in list_checkpoints(run.checkpoints)}
    if not found:
        raise GanEdgeError(f"{run.folder}: has no checkpoint yet; continue it with gan-train --resume {run.folder}")
    if wanted.isdecimal():
        if int(wanted) not in found:
            raise GanEdgeError(f"--checkpoint {wanted}: the run has {', '.join(map(str, found))}; choose one")
        return found[int(wanted)], "asked for"
    if wanted not in ("best", "last"):
        raise InputError(f"--checkpoint {wanted}: choose best, last, or a number of images")
    entry = run.best()
    by = task_of(run.config()).best if entry else None
    if wanted == "best" and entry and by:
        return found[entry["images"]], f"the best of the run: {by.text(entry)} over {entry['n']:,} samples"
    return found[max(found)], "the last" if wanted == "last" else "the last: no evaluation to choose the best by"


def export_run(
    run: Run,
    checkpoint: Path | None = None,
    opset: int = 17,
    output: Path | None = None,
    name: str | None = None,
    networks: Mapping[str, nn.Module] | None = None,
    blend: Blend | None = None,
    styles: Mapping[str, Any] | None = None,
    precision: Asked | None = None,
) -> Files:
    """Export `run` to `output`, by default exported/<run>.onnx, and the other files of its task to the same folder.

    Args:
        run: a run folder.
        checkpoint: a checkpoint of this run; None for the best one (`choose_checkpoint`).
        opset, output, name: as `export`.
        networks: the networks that the run trained instead of the recipe's, if any; their weights are not changed.
        blend: another run, whose weights are mixed with those of this one; the output is exported/<run>-blend.onnx by
            default.
        styles: of a generator with styles: `truncation`, `noise` and `parts` of `export_styled`.
        precision: int8 or fp16, what it may cost, and where the data of the run are (`reduce_files`); None for fp32.

    Returns:
        The files as written, by name, the main one first: "generator", "encoder" where the run has one, "mapping" and
        "synthesis" if its parts are asked for.

    Raises:
        GanEdgeError: no usable checkpoint, or networks of the user's own that are not given here.
        ExportError, InputError, OutputError: as `export`. InputError also if `precision` costs too much, and DataError
            if the data that show this are missing. All files are verified before the first is written.
    """
    path = checkpoint or choose_checkpoint(run)[0]
    config, saved = open_checkpoint(path)
    loaded = load_networks(config, saved, path, networks or {})
    check_styles(loaded.get("generator"), styles or {})
    model_name = run.folder.resolve().name + ("-blend" if blend else "")
    output = output or default_output(model_name)
    about: dict[str, Any] = {
        "opset": opset,
        "name": name or model_name,
        "training": _training(config, saved),
        "quality": [] if blend else _quality(run, saved["images_seen"]),
        **(styles or {}),
    }
    if blend:
        about["training"] |= {"blend": _blended(loaded, config, blend)}
    check_name(output)
    check_writable(output)
    if precision:
        check_asked(precision, task_of(config), config)
    files = task_of(config).export(loaded, config, output, about)
    if precision:
        files = reduce_files(files, precision, task_of(config), config, run.floors())
    write_together([*files.values()][::-1])
    return files


def check_styles(network: nn.Module | None, styles: Mapping[str, Any]) -> None:
    """Raise InputError if there are settings of generators with styles and `network` is another one."""
    if styles and not isinstance(network, StyleGenerator):
        given = ", ".join(f"--{name}" for name in styles)
        raise InputError(f"{given}: for generators with styles, of stylegan2; leave it out for others")


def check_name(output: Path) -> None:
    """Raise InputError if the file has a name of those that belong to a generator."""
    for suffix, kind in RESERVED.items():
        if output.name.endswith(suffix):
            raise InputError(f"--output {output}: *{suffix} is reserved for {kind}; choose another file name")


def best_of(run: Run, amount: float) -> Blend:
    """The best checkpoint of `run` with so much of its weights, for `export_run`. Errors as `choose_checkpoint`."""
    return Blend(run, choose_checkpoint(run)[0], amount)


def open_checkpoint(path: Path) -> tuple[Config, dict[str, Any]]:
    """The configuration and the content of a checkpoint. Raises GanEdgeError where it is damaged."""
    saved = load_checkpoint(path)
    return Config.from_dict(saved["config"], str(path)), saved


def _blended(networks: dict[str, nn.Module], config: Config, blend: Blend) -> dict[str, Any]:
    """Mix the weights of another run into `networks`, and say where they come from."""
    other, saved = open_checkpoint(blend.checkpoint)
    check_blend(config, other, blend.name)
    mix(networks, load_networks(other, saved, blend.checkpoint, {}), blend.amount)
    return {"run": blend.name, "amount": blend.amount} | _training(other, saved)


def load_networks(
    config: Config, saved: dict[str, Any], path: Path, own: Mapping[str, nn.Module]
) -> dict[str, nn.Module]:
    """The networks that the task deploys, with averaged weights if the run has them.

    Args:
        config, saved: the content of the checkpoint at `path` (`open_checkpoint`).
        path: for messages.
        own: the networks that the run trained in place of the recipe's, if any.

    Raises:
        GanEdgeError: the weights do not fit, or networks of the user's own are missing.
    """
    if missing := [name for name in config.own_networks if name not in own]:
        raise GanEdgeError(
            f"{path}: was trained with a {' and a '.join(missing)} given in Python; export it there: "
            "gan_trainer.Run(folder, networks=…).export(…)"
        )
    system = with_networks(config.recipe, {name: deepcopy(network).cpu() for name, network in own.items()})
    networks = system.networks(config.recipe, config.shapes)
    deployed: dict[str, nn.Module] = {name: networks[name] for name in task_of(config).networks if name in networks}
    try:
        for name, network in deployed.items():
            network.load_state_dict(averaged_weights(saved, name))
    except CONTENT_ERRORS:
        raise damaged(path) from None
    return deployed


def default_output(name: str) -> Path:
    """exported/<name>.onnx; the folder is created. Raises InputError if a shipped model has this name."""
    if name in SHIPPED:
        raise InputError(f"{name}: a shipped model has this name; choose a file with --output")
    output = Path(EXPORTED) / f"{name}.onnx"
    _make_folder(output.parent)
    return output


def _training(config: Config, saved: dict[str, Any]) -> dict[str, Any]:
    """The value of `training` in the manifest: where the weights come from."""
    origin = {"init_from": config.init_from} if config.init_from else {}
    return origin | {
        "recipe": config.recipe_name,
        "data": config.data.name,
        "digest": config.data.digest,
        **({} if config.data.hold_out is None else {"hold_out": config.data.hold_out}),
        "images_seen": saved["images_seen"],
        "seconds": round(saved["seconds"], 1),
        "cpu_seconds": round(saved.get("cpu_seconds", 0.0), 1),
        "seed": config.seed,
        "device": config.device,
        "precision": config.recipe.precision,
        "software": software() | {"onnx": onnx.__version__},
    }


def _quality(run: Run, images_seen: int) -> list[dict[str, Any]]:
    """The last evaluation after `images_seen` images, with the scores of real images and the feature network."""
    entries = [entry for entry in run.entries() if entry["images"] == images_seen and "n" in entry]
    if not entries:
        return []
    about = run.floors() or {}
    real = about.get("floors")
    floors = real.get(str(entries[-1]["n"])) if isinstance(real, dict) else None
    measured_with = {key: about[key] for key in ("data", "features") if key in about}  # some tasks need no features
    return [measured_with | entries[-1] | {"floors": floors}]


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be created: {error.strerror}") from None
