"""Whether the files that gan-eval measures make pictures of pictures: translators, upscalers."""

from collections.abc import Sequence
from typing import Any

from gan_runtime.errors import InputError
from gan_runtime.manifest import TranslateManifest, UpscaleManifest, read_manifest
from gan_runtime.model_file import read_model_file

TRANSLATE, UPSCALE = TranslateManifest.task, UpscaleManifest.task
KINDS = {TRANSLATE: "translator", UPSCALE: "upscaler"}


def shared_task(names: Sequence[str]) -> str:
    """The task of files: a key of `KINDS`, "" for all other sources. Raises InputError where only some are of it."""
    tasks = [_task(name) for name in names]
    for task, kind in KINDS.items():
        if task in tasks and set(tasks) != {task}:
            other = next(name for name, found in zip(names, tasks, strict=True) if found != task)
            raise InputError(f"{other}: is no {kind}, as {names[tasks.index(task)]} is; measure them separately")
    return tasks[0]


def check_options(name: str, task: str, **given: Any) -> None:
    """Raise InputError for an option of gan-eval that does not apply to files like `name`.

    Args:
        name: the first file or other source.
        task: of all, as `shared_task` gives it.
        given: inputs, truth, degradation, size and truncation; None where not given.
    """
    refused = {
        "inputs": "" if task in KINDS else f"{name} translates no images; leave it out",
        "truth": {TRANSLATE: "", UPSCALE: "give the truth of upscalers as DATA"}.get(
            task, f"{name} translates no images; leave it out"
        ),
        "degradation": "" if task == UPSCALE else f"{name} is no upscaler; leave it out",
        "size": "photos keep their sizes; leave it out" if task == UPSCALE else "",
        "truncation": f"{name} is no generator; leave it out" if task in KINDS else "",
    }
    for option, reason in refused.items():
        if reason and given[option] is not None:
            raise InputError(f"--{option} {given[option]}: {reason}")


def _task(name: str) -> str:
    manifest = read_manifest(read_model_file(name)) if name.lower().endswith(".onnx") else None
    return manifest.task if manifest and manifest.task in KINDS else ""
