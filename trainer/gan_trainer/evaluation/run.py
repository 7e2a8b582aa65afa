"""The evaluations of a run: during training, and at its end."""

import time
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import asdict, dataclass
from typing import Any

from torch import nn

from gan_runtime.errors import GanEdgeError
from gan_trainer.runs import history
from gan_trainer.runs.folder import Run
from gan_trainer.tasks import task_of
from gan_trainer.tasks.task import Best, Entry, Judge
from gan_trainer.training.checkpoint import CONTENT_ERRORS, averaged_weights, checkpoint_path, load_checkpoint
from gan_trainer.training.config import Config
from gan_trainer.training.logbook import Logbook
from gan_trainer.training.loop import Evaluation
from gan_trainer.training.state import TrainState


@dataclass(frozen=True)
class RunEvaluator:
    """Evaluates the averaged networks of a run, and decides when the run stops early."""

    config: Config
    run: Run
    judge: Judge

    @property
    def by(self) -> Best | None:
        """The metric by which the best evaluation is chosen."""
        return task_of(self.config).best

    def begin(self, state: TrainState, book: Logbook) -> None:
        """Write the floors: scores of real samples."""
        floors = self.judge.floors(*self._counts[:1])
        before, now = ((document or {}).get("features") for document in (self.run.floors(), floors))
        if before and now and before["sha256"] != now["sha256"]:
            self._measure_otherwise(state, book, before, now)
        self.run.write_floors(floors)

    def _measure_otherwise(self, state: TrainState, book: Logbook, before: dict[str, str], now: dict[str, str]) -> None:
        """Say that the features are others from now on, and repeat the evaluations of which the checkpoint is kept."""
        earlier = history.evaluations(self.run.entries(), self.by)
        names = [f"{network['name']} (SHA-256 {network['sha256'][:16]})" for network in (before, now)]
        message = history.OTHER_FEATURES.format(before=names[0], now=names[1])
        book.warn(state, message, **{history.FEATURES: now["sha256"]})
        for entry in earlier:
            if checkpoint_path(self.run.checkpoints, entry["images"]).is_file():
                self._measure_again(state, book, entry, self._counts[:1])

    def during(self, state: TrainState, book: Logbook) -> Evaluation:
        """Measure the averaged generator, and log and show the scores."""
        self._measure(state, book, self._averaged(state), self._counts[:1])
        entries = self._watch(state, book)
        return Evaluation(history.improves(entries, self.by), self._verdict(entries))

    def at_the_end(self, state: TrainState, book: Logbook) -> str | None:
        """Measure with more images: the last generator, and the best one so far if that is another one.

        Returns:
            "collapsed" where it has, and the recipe asks.
        """
        counts = self._counts
        known = any(entry["images"] == state.images_seen for entry in history.evaluations(self.run.entries(), self.by))
        remaining = counts[1:] if known else counts
        if remaining:
            self._measure(state, book, self._averaged(state), remaining)
        entries = self.run.entries() if known else self._watch(state, book)
        best = history.best([entry for entry in entries if history.during_training(entry)], self.by)
        if best and best["images"] != state.images_seen and counts[1:]:
            self._measure_again(state, book, best, counts[1:])
        self.run.write_floors(self.judge.floors(*counts))
        return self._verdict(entries, ended=True)

    def _measure_again(self, state: TrainState, book: Logbook, entry: Entry, counts: tuple[int, ...]) -> None:
        """Measure the averaged networks as they were at an earlier evaluation, if their checkpoint is still there."""
        earlier = self._earlier(state, book, entry["images"])
        if earlier is not None:
            place: dict[str, Any] = {
                key: entry[key] for key in ("images", "step", "seconds", "cpu_seconds") if key in entry
            }
            self._measure(state, book, earlier, counts, place)

    @property
    def _counts(self) -> tuple[int, ...]:
        """How many samples are measured: during training, and at the end where there are more."""
        most = self.judge.most
        counts = (history.SAMPLES, history.FINAL_SAMPLES)
        return counts if most is None else tuple(dict.fromkeys(min(count, most) for count in counts))

    def _watch(self, state: TrainState, book: Logbook) -> list[Entry]:
        """All entries, after a warning if the last evaluation gives reason to one."""
        entries = self.run.entries()
        if history.collapses_now(entries):
            book.warn(state, history.COLLAPSED.format(**history.measured(entries)[-1]))
        if history.memorises_now(entries):
            book.warn(state, history.MEMORISED.format(**history.measured(entries)[-1]))
        for problem in self._new_problems(entries):
            book.warn(state, problem)
        return entries

    def _new_problems(self, entries: list[Entry]) -> list[str]:
        """What the task finds wrong with the last evaluation, if it did with the one before, and not before that."""
        real = (self.run.floors() or {}).get("floors", {})
        task, measured = task_of(self.config), [entry for entry in entries if history.during_training(entry)][-3:]
        found = [task.problems(entry, real.get(str(entry["n"]), {})) for entry in measured]
        reported_before = len(found) > 2 and bool(found[0])
        return found[-1] if len(found) > 1 and found[-2] and not reported_before else []

    def _verdict(self, entries: list[Entry], *, ended: bool = False) -> str | None:
        """Why to stop; once all images are seen (`ended`) only whether the generator collapsed."""
        recipe = self.config.recipe
        if recipe.stop_when_collapsed and history.has_collapsed(entries):
            return "collapsed"
        if recipe.patience and not ended and history.without_progress(entries, self.by) >= recipe.patience:
            return "patience"
        return None

    def _averaged(self, state: TrainState) -> dict[str, nn.Module]:
        """The networks of the task that the run has, averaged."""
        return {name: state.averaged(name) for name in task_of(self.config).networks if name in state.networks}

    def _earlier(self, state: TrainState, book: Logbook, images: int) -> dict[str, nn.Module] | None:
        """The averaged networks after so many images; None where their checkpoint is missing or damaged."""
        networks = deepcopy(self._averaged(state))
        try:
            saved = load_checkpoint(checkpoint_path(self.run.checkpoints, images))
            for name, network in networks.items():
                network.load_state_dict(averaged_weights(saved, name))
        except (GanEdgeError, *CONTENT_ERRORS) as error:
            book.say(f"the generator after {images:,} images was not evaluated again: {error}")
            return None
        return networks

    def _measure(
        self,
        state: TrainState,
        book: Logbook,
        networks: Mapping[str, nn.Module],
        counts: tuple[int, ...],
        place: dict[str, Any] | None = None,
    ) -> None:
        """Log the scores of `networks`, which belong to another `place` of the run if they are earlier ones."""
        began = time.perf_counter()
        found = self.judge.scores(networks, self.config, *counts)
        seconds = time.perf_counter() - began
        state.eval_seconds += seconds
        for n, scores in zip(counts, found, strict=True):
            book.write(state, {"n": n} | asdict(scores) | {"eval_seconds": round(seconds, 3)} | (place or {}))
        images = (place or {}).get("images", state.images_seen)
        words = self.judge.words(found[-1], counts[-1])
        book.say(f"evaluated after {images:,} images: {words} ({counts[-1]:,} samples)")
