"""Files in a lower precision, which are kept only if the number that counts for their task stays nearly the same."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gan_runtime.data import Dataset
from gan_runtime.errors import InputError
from gan_runtime.evaluation.table import METRICS, Shown
from gan_runtime.manifest import Precision, read_manifest
from gan_trainer.data.source import IN_MEMORY
from gan_trainer.tasks.task import Files, Judge, Measured, Task
from gan_trainer.training.config import Config

PRECISIONS = ("fp32", "int8", "fp16")
TOLERANCE, MOST = 0.1, 10.0


@dataclass(frozen=True)
class Asked:
    """A precision, how much worse the measured number may be, and where the data are that it is measured on.

    Args:
        name: "int8" or "fp16".
        tolerance: of a PSNR in dB. Of a distance the part that it may rise by, of itself and of that of real images.
        data_dir: where the data of the run are now; None: where they were.
        offline: known data sets are not downloaded.

    Raises:
        InputError: one of them is out of range.
    """

    name: str
    tolerance: float = TOLERANCE
    data_dir: Path | None = None
    offline: bool = False

    def __post_init__(self) -> None:
        if self.name not in PRECISIONS[1:]:
            raise InputError(f"--precision {self.name!r:.60}: choose {', '.join(PRECISIONS)}")
        if not 0 <= self.tolerance <= MOST:
            raise InputError(f"--tolerance {self.tolerance:g}: must be from 0 to {MOST:g}")


def check_asked(asked: Asked, task: Task, config: Config) -> None:
    """Raise InputError if files of this task, or of a run on these data, are not made in other precisions."""
    if task.measured is None:
        raise InputError(f"--precision {asked.name}: files of the task {task.name} are in fp32; leave it out")
    if config.data.source == IN_MEMORY:
        raise InputError(
            f"--precision {asked.name}: is measured on the images of the run, and those of this one are in no file; "
            "leave it out"
        )


def reduce_files(
    files: Files, asked: Asked, task: Task, config: Config, before: Mapping[str, Any] | None = None
) -> Files:
    """The files of a run in a lower precision, which are not written yet.

    Args:
        files: in fp32, as `task.export` makes them.
        asked: the precision, and what it may cost.
        task, config: of the run.
        before: floors.json of the run, which says what it was measured with.

    Raises:
        InputError: `check_asked`, or a generator has styles, or the file would be worse than allowed.
        DataError: the images of the run are missing.
        GanEdgeError: they cannot be measured.
    """
    from gan_trainer.export.precision import described, reduced_file  # noqa: PLC0415  (onnx)

    check_asked(asked, task, config)
    assert task.measured
    if any(file.optional for file in files.values()):
        raise InputError(
            f"--precision {asked.name}: is not offered for generators with styles, which scale the activations of each "
            "image by other numbers; leave it out"
        )
    dataset = config.data.load(asked.data_dir, offline=asked.offline, quiet=True)
    try:
        judge, config = _judge(task, config, dataset, asked, before)
    except InputError as error:  # its way out is an option of gan-train
        reason = str(error).split(";", maxsplit=1)[0]
        raise InputError(f"--precision {asked.name}: cannot be measured: {reason}; export the run in fp32") from None
    typical = task.typical(config, dataset)
    found = {name: reduced_file(file, asked.name, typical[name]) for name, file in files.items()}
    old, new = (task.measured(judge, some, config, dataset) for some in (files, found))
    for name, value in old.items():
        _check(asked, value, new[name])
    precisions = {
        name: Precision(asked.name, value.metric, value.value, new[name].value, value.n, len(files[name].content))
        for name, value in old.items()
    }
    return _naming_each_other({name: described(file, precisions[name]) for name, file in found.items()})


def _judge(
    task: Task, config: Config, dataset: Dataset, asked: Asked, before: Mapping[str, Any] | None
) -> tuple[Judge, Config]:
    """What measures the run, even if the run itself was not measured, and the configuration for files on the CPU."""
    recipe = config.recipe if config.recipe.eval_every else replace(config.recipe, eval_every=config.recipe.images)
    config = replace(config, recipe=recipe, asked=config.asked | {"eval_every": recipe.eval_every}, device="cpu")
    judge = task.open_judge(config, dataset, asked.data_dir, offline=asked.offline, quiet=True, before=before)
    assert judge
    return judge, config


def _check(asked: Asked, before: Measured, after: Measured) -> None:
    """Raise InputError if a value is worse than allowed."""
    shown = METRICS.get(before.metric, Shown(before.metric, 4, "lower"))
    slack = asked.tolerance * (1 if shown.better == "higher" else abs(before.value) + abs(before.real))
    loss = shown.loss(after.value) - shown.loss(before.value)
    if loss <= slack:
        return
    limit = before.value + (-slack if shown.better == "higher" else slack)
    least = math.ceil(1000 * loss / slack * asked.tolerance) / 1000 if slack else 0.0
    raise InputError(
        f"--precision {asked.name}: {shown.title} of {before.n:,} samples is {shown.text(after.value)} instead of "
        f"{shown.text(before.value)} in fp32, and --tolerance {asked.tolerance:g} allows {shown.text(limit)}; "
        + (f"give --tolerance {least:g}, or " if 0 < least <= MOST else "give a higher --tolerance, or ")
        + "export it in fp32"
    )


def _naming_each_other(files: Files) -> Files:
    """Files whose encoder names the new generator in place of the one in fp32."""
    from gan_trainer.export.precision import described  # noqa: PLC0415

    if "encoder" not in files:
        return files
    manifest = read_manifest(files["encoder"])
    assert manifest
    assert manifest.precision
    generator = manifest.training["generator"] | {"sha256": files["generator"].sha256}
    training = manifest.training | {"generator": generator}
    return files | {"encoder": described(files["encoder"], manifest.precision, training=training)}
