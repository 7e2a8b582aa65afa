"""`Run`: what `train` and `resume` return, and what opens a run folder."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from gan_trainer.recipes.words import in_python
from gan_trainer.report import REPORT
from gan_trainer.runs import folder as folders
from gan_trainer.runs.export import best_of, choose_checkpoint, export_run
from gan_trainer.training.determinism import RandomNumbers
from gan_trainer.training.loop import Outcome

FolderPath = str | Path


@dataclass(frozen=True)
class Run:
    """A run that was trained: its folder, and how the last call ended.

    Args:
        folder: runs/<name>.
        networks: those that were given to `train` in place of the recipe's, which `export` needs.
        outcome: how the call ended that returned this object; None for a folder that was opened by its path.
    """

    folder: Path
    networks: Mapping[str, nn.Module] = field(default_factory=dict, repr=False, compare=False)
    outcome: Outcome | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Raise GanEdgeError where the folder has no run."""
        object.__setattr__(self, "folder", folders.open_run(Path(self.folder), Path()).folder)

    def __repr__(self) -> str:
        return f"Run({str(self.folder)!r})"

    @property
    def history(self) -> list[dict[str, Any]]:
        """The entries of metrics.jsonl: mean losses, evaluations (with an `n`) and warnings."""
        return folders.Run(self.folder).entries()

    @property
    def best(self) -> dict[str, Any] | None:
        """The best evaluation of those that have a checkpoint; None without any."""
        return folders.Run(self.folder).best()

    @property
    def checkpoint(self) -> Path | None:
        """The last checkpoint."""
        return folders.Run(self.folder).newest_checkpoint()

    @property
    def picture(self) -> Path | None:
        """The newest picture of fixed samples, a PNG."""
        return max(folders.Run(self.folder).samples.glob("*.png"), default=None)

    @property
    def report(self) -> Path:
        """report.html."""
        return self.folder / REPORT

    @in_python
    def export(
        self,
        path: FolderPath | None = None,
        opset: int = 17,
        checkpoint: str | int = "best",
        name: str | None = None,
        blend: "Run | FolderPath | None" = None,
        amount: float = 0.5,
        truncation: float | None = None,
        noise: str | None = None,
        parts: bool = False,
    ) -> Path:
        """Export the generator to one ONNX file that is compared with torch, and return the file's path.

        Args:
            path: exported/<run>.onnx if None. The encoder of a run that has one goes to <path>-encoder.onnx.
            opset: version of the ONNX operator set, 13 to 20; exactly this one.
            checkpoint: "best" by the run's evaluations, "last", or a number of images.
            name: the model's own name; that of the run if None.
            blend: another run that enlarges, whose best weights are interpolated with those of this one; the path is
                then exported/<run>-blend.onnx by default.
            amount: the share of its weights, 0 to 1.
            truncation, noise, parts: of a generator with styles, as `gan_trainer.export.export_styled` takes them. The
                parts go to <path>-mapping.onnx and <path>-synthesis.onnx.

        Raises:
            InputError: the networks of both runs differ, an argument is out of range, or the generator has no styles.
            GanEdgeError: there is no such checkpoint, or the networks of the run have to be given to `Run`.
            ExportError: the network cannot be exported; says why.
        """
        run, output = folders.Run(self.folder), None if path is None else Path(path)
        with RandomNumbers(torch.device("cpu")).used():
            chosen, _ = choose_checkpoint(run, str(checkpoint))
            other = None if blend is None else (blend if isinstance(blend, Run) else Run(Path(blend))).folder
            mixed = None if other is None else best_of(folders.Run(other), amount)
            asked = {"truncation": truncation, "noise": noise, "parts": parts or None}
            styles = {key: value for key, value in asked.items() if value is not None}
            return export_run(run, chosen, opset, output, name, self.networks, mixed, styles)["generator"].path
