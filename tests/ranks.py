"""Steps of every system, in one process or in one of several: tests/trainer/test_distributed.py runs this file."""

import hashlib
import math
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from helpers import tensors
from torch import Tensor, nn
from torch.distributed import TCPStore

from gan_runtime.data import Dataset
from gan_runtime.data.domains import PairOptions, domains_of
from gan_runtime.data.photos import Photos
from gan_trainer.data.source import DataSource
from gan_trainer.losses.penalties import gradient_penalty
from gan_trainer.runs.settings import make_config
from gan_trainer.systems import gan, start_state, stylegan2
from gan_trainer.training.batches import batches_of
from gan_trainer.training.config import Config
from gan_trainer.training.distributed.batch_norm import synchronised
from gan_trainer.training.distributed.exchange import average_gradients, by_first, mean_losses
from gan_trainer.training.distributed.joining import joined
from gan_trainer.training.distributed.processes import ALONE, Processes
from gan_trainer.training.loop import make_step
from gan_trainer.training.meter import Diverged, LossMeter
from gan_trainer.training.schedule import set_learning_rate
from gan_trainer.training.state import TrainState

STORES: list[TCPStore] = []  # they live as long as the tests
BATCH = 8
SINGLE = {"precision": "fp32"}  # in bf16, gradients of parts of a batch are rounded otherwise than those of the whole
PLAIN = {"g_norm": "none", "d_norm": "none", "augment": "none"} | SINGLE
NORMS = {"g_norm": "batch", "d_norm": "batch", "sync_batch_norm": True}
STYLES = {"latent_dim": 16, "style_dim": 16, "max_width": 16, "mapping_layers": 2, "width": 8}
SMALL = {"width": 4, "d_width": 4, "patch": 16}
CROPS = {"width": 4, "blocks": 1, "crop": 12}
EQUAL: dict[str, tuple[str, dict[str, Any]]] = {  # averaged gradients are those of one process
    "gan": ("quick", PLAIN | {"width": 4, "penalty": "r1", "penalty_weight": 1.0}),
    "synchronised": ("quick", PLAIN | NORMS | {"width": 4, "penalty": "none", "penalty_weight": 0.0}),
    "stylegan2": (
        "stylegan2",
        SINGLE | STYLES | {"mixing": 0.0, "noise": False, "path_weight": 0.0, "augment": "none"},
    ),
    "paired": ("pix2pix", SINGLE | SMALL | {"dropout": 0.0, "d_norm": "none"}),
    "unpaired": ("cyclegan", SINGLE | SMALL | {"blocks": 1, "norm": "instance", "d_norm": "none"}),
    "sr": ("sr", SINGLE | CROPS),
}
ALL: dict[str, tuple[str, dict[str, Any]]] = {  # as many random numbers and batch statistics as there are
    "adaptive": ("quick", {"width": 4, "augment": "ada", "ada_speed": 100, "ada_target": 0.0}),
    "spectral": ("quick", {"width": 4, "d_norm": "spectral", "g_norm": "batch", "ema_half_life": 100}),
    "synchronised": ("quick", {"width": 4, "g_norm": "batch", "sync_batch_norm": True}),
    "bigan": ("bigan", {"width": 4}),
    "vae": ("vae", {"width": 4}),
    "stylegan2": ("stylegan2", STYLES),
    "paired": ("pix2pix-quick", SMALL | {"dropout": 0.5, "ema_half_life": 100}),
    "unpaired": ("cyclegan", SMALL | {"blocks": 1, "pool": 4, "norm": "batch", "d_norm": "batch"}),
    "sr": ("sr", CROPS),
    "esrgan": ("esrgan", CROPS),
}


def grey() -> Dataset:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (64, 8, 8, 1), dtype=np.uint8)
    return Dataset("squares", "train", images, np.arange(64) % 4, tuple("abcd"))


def data_for(recipe: str) -> tuple[Dataset, PairOptions | None]:
    rng, none = np.random.default_rng(1), np.zeros(32, np.int64)
    if recipe in ("sr", "esrgan"):
        images = np.empty(32, object)
        images[:] = [rng.integers(0, 256, (60 + i, 70, 3), dtype=np.uint8) for i in range(32)]
        return Photos("photos", "train", images, none, ()), None
    if recipe.startswith(("pix2pix", "cyclegan")):
        parts = [Dataset("p", "train", rng.integers(0, 256, (32, 16, 16, 3), dtype=np.uint8), none, ()) for _ in "ab"]
        paired = recipe.startswith("pix2pix")
        return domains_of(*parts, paired), PairOptions(paired=paired)
    return grey(), None


def begin(recipe: str, changes: dict[str, Any], processes: Processes) -> tuple[Config, Any, TrainState]:
    data, pairs = data_for(recipe)
    source = DataSource.of(data, "made", None, None, 0.1, pairs)
    settings = {"batch_size": BATCH, "images": 1000} | changes
    config = make_config(source, recipe, settings, 0, "cpu", 1, 3, None, processes.size)
    state = start_state(config, processes=processes)
    state.take_that_of_first()
    return config, batches_of(config, data, processes), state


def steps(config: Config, stream: Any, state: TrainState, count: int) -> None:
    with state.random.used():
        for _ in range(count):
            set_learning_rate(state, config.recipe)
            make_step(config, state, stream.at(state.images_seen))
            state.step, state.images_seen = state.step + 1, state.images_seen + config.recipe.batch_size


def latents_of(processes: Processes) -> Callable[..., Tensor]:
    """The latents of one batch, of which each process takes its part."""

    def draw(recipe: Any, like: Tensor) -> Tensor:
        everyones = torch.randn(BATCH, recipe.latent_dim, generator=torch.Generator().manual_seed(3))
        return everyones.chunk(processes.size)[processes.rank]

    return draw


def gradients(name: str, processes: Processes) -> dict[str, Tensor]:
    """The gradients that a step of a system has applied, by network and weight."""
    gan.draw_latents = stylegan2.draw_latents = latents_of(processes)
    config, stream, state = begin(*EQUAL[name], processes)
    steps(config, stream, state, 1)
    return {
        f"{part}.{weight}": tensor.grad.clone()
        for part, network in state.networks.items()
        for weight, tensor in network.named_parameters()
        if tensor.grad is not None
    }


def penalised(processes: Processes) -> dict[str, Tensor]:
    """A gradient penalty through batch norms, its gradients, and their running statistics."""
    torch.manual_seed(0)
    rows = torch.randn(BATCH, 5).chunk(processes.size)[processes.rank]
    critic = nn.Sequential(nn.Linear(5, 7), nn.BatchNorm1d(7), nn.Tanh(), nn.Linear(7, 1), nn.Flatten(0))
    images = nn.Sequential(nn.Unflatten(1, (5, 1, 1)), nn.BatchNorm2d(5), nn.Flatten(1), *critic)
    if not processes.alone:
        assert synchronised(images) == 2
    optimizer = torch.optim.SGD(images.parameters(), lr=0.1)
    gradient_penalty(images, rows, rows, "real", "zero").backward()
    average_gradients(processes, optimizer)
    return {f"gradient of {name}": one.grad for name, one in images.named_parameters() if one.grad is not None} | dict(
        images.named_buffers()
    )


def digest(state: TrainState) -> str:
    """Of all tensors that the processes have in common: not of random numbers, and not of the pools of images."""
    found = {name: one for name, one in tensors(state.state_dict()) if "rng" not in name and "pool" not in name}
    content = b"".join(name.encode() + one.detach().numpy().tobytes() for name, one in sorted(found.items()))
    assert len(found) > 10
    return hashlib.sha256(content).hexdigest()


def states(processes: Processes) -> dict[str, tuple[str, str]]:
    """Digests of the state and of what was drawn last, after five steps of every system."""
    found = {}
    for name, case in ALL.items():
        config, stream, state = begin(*case, processes)
        steps(config, stream, state, 5)
        with state.random.used():
            found[name] = digest(state), str(torch.rand(1).item())
    return found


def agreements(processes: Processes, folder: Path) -> dict[str, Any]:
    """What this process has of values that differ among the processes."""
    rank, meter = processes.rank, LossMeter(torch.device("cpu"))
    meter.add(mean_losses(processes, {"d_loss": torch.tensor(math.nan if rank == 1 else 1.0)}))
    try:
        meter.check(7)
        diverged = ""
    except Diverged as error:
        diverged = str(error)
    cached = folder / "cached"
    return {
        "diverged": diverged,
        "signals": [processes.largest(15 if rank == 1 else None), processes.largest(None)],
        "first": processes.of_first(lambda: {"rank": rank, "rows": torch.arange(3)}),
        "found in the cache": processes.in_turn(lambda: cached.exists() or cached.touch()),
        "rows": by_first(processes, lambda rows: rows.flip(0) + rank, torch.arange(2.0) + 2 * rank),
    }


def report(processes: Processes, folder: Path) -> dict[str, Any]:
    drawn = stylegan2.draw_latents
    same = {name: gradients(name, processes) for name in EQUAL}
    gan.draw_latents = stylegan2.draw_latents = drawn
    return {
        "gradients": same,
        "penalty": penalised(processes),
        "states": states(processes),
        "agreed": agreements(processes, folder),
    }


def alone(name: str) -> dict[str, Tensor]:
    """The gradients of a step in this process."""
    before = stylegan2.draw_latents
    try:
        return penalised(ALONE) if name == "penalty" else gradients(name, ALONE)
    finally:
        gan.draw_latents = stylegan2.draw_latents = before


def launch(count: int, *arguments: object, **options: Any) -> list["subprocess.Popen[str]"]:
    """Start Python so many times, as torchrun does: the store of the processes is in this one."""
    STORES.append(TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False))
    common = {"WORLD_SIZE": count, "LOCAL_WORLD_SIZE": count, "OMP_NUM_THREADS": 1}
    common |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": STORES[-1].port, "TORCHELASTIC_USE_AGENT_STORE": True}
    common |= {"TORCHELASTIC_RUN_ID": "test", "TORCHELASTIC_RESTART_COUNT": 0}
    places = [common | {"RANK": rank, "LOCAL_RANK": rank} for rank in range(count)]
    return [
        subprocess.Popen(
            [sys.executable, *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {name: str(value) for name, value in place.items()},
            **options,
        )
        for place in places
    ]


if __name__ == "__main__":
    torch.set_num_threads(1)
    with joined() as processes:
        folder = Path(sys.argv[1])
        torch.save(report(processes, folder), folder / f"{processes.rank}.pt")
