from pathlib import Path

import numpy as np
import pytest
from helpers import colour_folders

from gan_runtime.data import Dataset
from gan_runtime.manifest import ImageSize
from gan_trainer.compare.processes import Done, Processes
from gan_trainer.data.source import DataSource
from gan_trainer.runs.settings import make_config
from gan_trainer.training.config import Config


@pytest.fixture
def dataset() -> Dataset:
    """200 small pictures of four classes."""
    rng = np.random.default_rng(0)
    labels = np.arange(200) % 4
    images = (rng.random((200, 8, 8, 1)) * 60 + labels[:, None, None, None] * 60).astype(np.uint8)
    return Dataset("squares", "train", images, labels, tuple("abcd"))


@pytest.fixture
def two_folders(tmp_path: Path) -> None:
    """Two folders, a and b, of 24 small colour pictures each."""
    colour_folders(tmp_path)


@pytest.fixture
def make(dataset: Dataset):
    """A configuration of a short run on `dataset`; changes of the recipe as keywords."""

    def make(recipe: str = "quick", seed: int = 0, **changes: object) -> Config:
        defaults = {"images": 96, "batch_size": 8, "checkpoint_every": 40, "preview_every": 1000, "log_every": 24}
        if recipe.startswith("wgan"):  # their steps before the generator's are as many as these runs are long
            defaults |= {"critic_steps": 2, "warm_critic": 3}
        if recipe == "stylegan2":
            defaults |= {"latent_dim": 16, "style_dim": 16, "max_width": 32, "mapping_layers": 2}
        config = make_config(
            DataSource.of(dataset, "squares", None, None), recipe, defaults | changes, seed, "cpu", 1, 3
        )
        assert config.data.size == ImageSize(8, 8, 1)
        return config

    return make


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch, call) -> list[tuple[str, ...]]:
    """The commands that gan-compare has run, in order. They run within this process, which has patches."""
    ran: list[tuple[str, ...]] = []

    def run(self: Processes, name: str, *arguments: object) -> Done:
        ran.append((name, *map(str, arguments)))
        done = call(name, *arguments)
        return Done(name, done.code, done.out, done.err)

    monkeypatch.setattr(Processes, "run", run)
    return ran
