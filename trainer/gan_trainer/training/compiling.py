"""Networks compiled by torch.compile, which changes their speed and the last bits of their results."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from gan_runtime.errors import DeviceError, InputError
from gan_trainer.recipes.base import Recipe
from gan_trainer.training.distributed.batch_norm import exclude_from_compiling
from gan_trainer.training.state import TrainState

BACKEND = "inductor"  # torch's default: C++ for a CPU, Triton for a GPU
NO_SECOND_DERIVATIVE = ("does not currently support double backward", "donated_buffer=False")  # in torch's messages
TWICE = (
    "--compile: torch.compile has no derivatives of gradients, which the penalties of this recipe are made of; "
    "leave it out"
)


def check_compiled(recipe: Recipe, device: str) -> None:
    """Raise InputError if the networks of a recipe cannot be compiled, DeviceError if none can be compiled here."""
    if recipe.differentiates_twice:
        raise InputError(TWICE)
    check_compiler(device)


def check_compiler(device: str) -> None:
    """Raise DeviceError, with torch's reason, if torch.compile does not work here: it compiles a small function."""
    try:
        torch.compile(_double, backend=BACKEND)(torch.ones(2, device=device))
    except Exception as error:  # errors of dynamo, of its backends and of compilers share no base class of their own
        reason = next(filter(None, map(str.strip, str(error).splitlines())), type(error).__name__).rstrip(".")
        advice = "install g++, or go on without it: --no-compile"
        raise DeviceError(f"--compile: torch.compile does not work here: {reason}; {advice}") from None


def compile_networks(state: TrainState) -> None:
    """Let the networks that are trained be compiled when they are first called. Their averages stay as they are."""
    exclude_from_compiling()
    for network in state.networks.values():
        network.compile(backend=BACKEND)


@contextmanager
def compiled(state: TrainState) -> Iterator[None]:
    """Let the networks be compiled within the block. After it they are as before: some may be the user's own."""
    compile_networks(state)
    try:
        yield
    finally:
        for network in state.networks.values():
            network._compiled_call_impl = None


def _double(x: Tensor) -> Tensor:
    return x + x
