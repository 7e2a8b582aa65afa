"""A run of a comparison as a part of a job on a Ray cluster.

The part starts a process for it (`one_run.py`), so that Ray's own processes do not import torch, which takes seconds
and memory; this module imports nothing that does.
"""

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gan_runtime.errors import GanEdgeError
from gan_trainer.compare.processes import ONE_RUN, Processes

Name = tuple[str, int]  # recipe and seed


def run_part(folder: Path, job: bytes, names: Sequence[Name]) -> dict[str, Any] | GanEdgeError:
    """The result of the one run in `names`, or its error. What is started ends with this process.

    Args:
        folder: of the comparison.
        job: its place and plan, pickled.
        names: recipe and seed of the run.
    """
    ((recipe, seed),), processes = names, Processes(ends_with_parent=True)
    try:
        done = processes.run(ONE_RUN, recipe, seed, given=base64.b64encode(job).decode())
    finally:
        processes.stop()
    if done.code:
        return done.failed(f"{recipe}-{seed}", folder)
    document = json.loads(done.out)
    return GanEdgeError(document["error"]) if "error" in document else dict(document["result"])
