"""Copies of a network for the exporter: in evaluation mode, without parametrizations, with batch norms folded."""

from collections.abc import Callable
from copy import deepcopy
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.nn.utils import remove_spectral_norm, remove_weight_norm
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval
from torch.nn.utils.parametrize import is_parametrized, remove_parametrizations
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

from gan_runtime.errors import InputError
from gan_trainer.export.onnx_file import ExportError, first_line
from gan_trainer.export.parity import Rows, network_rows
from gan_trainer.export.shuffled import merge_shuffles

FIRST = 2  # rows of the first call of a copy
ALIKE = 1e-4  # largest difference of a folded network from the original, relative to the largest value
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)


def frozen_copy(module: nn.Module) -> nn.Module:
    """A copy of `module` on the CPU, in float32 and evaluation mode, that shares nothing with the original.

    Wrappers that only change where and how a network runs (torch.compile, DataParallel) are removed.

    Raises:
        InputError: `module` is not a torch.nn.Module.
        ExportError: it cannot be copied, has no weights yet, or uses batch statistics in evaluation mode.
    """
    if not isinstance(module, nn.Module):
        raise InputError(f"module: expected a torch.nn.Module, not {type(module).__name__}")
    module = _unwrapped(module)
    _refuse(module, _is_lazy, "has no weights yet: call the network once, or load its weights, before it is exported")
    kept = {  # results kept from a forward pass; deepcopy refuses tensors that are not leaves
        id(value): value.detach().clone()
        for part in module.modules()
        for value in vars(part).values()
        if isinstance(value, Tensor) and not value.is_leaf
    }
    try:
        with torch.no_grad():  # otherwise the parameters of a copied ScriptModule are not leaves
            copy = deepcopy(module, dict[int, Any](kept)).cpu().float().eval()
    except Exception as error:  # a module may hold anything, such as locks and files
        raise ExportError(f"the network cannot be copied: {type(module).__name__}: {first_line(error)}") from error
    for part in list(copy.modules()):
        for name, child in part._modules.items():
            if child is not None and child is not _unwrapped(child):
                setattr(part, name, _unwrapped(child))
    _refuse(
        copy,
        _takes_batch_statistics,
        "takes its statistics from the batch even in evaluation mode, and an image must not depend on the others "
        "in its batch: train it with track_running_stats=True",
    )
    return copy


def _refuse(module: nn.Module, unfit: Callable[[nn.Module], bool], reason: str) -> None:
    for name, part in module.named_modules():
        if unfit(part):
            raise ExportError(f"the network's layer {name or 'itself'} ({type(part).__name__}) {reason}")


def _is_lazy(part: nn.Module) -> bool:
    return any(map(is_lazy, [*part.parameters(recurse=False), *part.buffers(recurse=False)]))


def _takes_batch_statistics(part: Any) -> bool:
    return type(part) in NORMS and (part.training or part.running_mean is None)


def _unwrapped(module: nn.Module) -> nn.Module:
    inner = dict(module.named_children()).get("_orig_mod")  # of torch.compile; its class is slow to import
    if isinstance(module, nn.DataParallel | nn.parallel.DistributedDataParallel):
        inner = module.module
    return module if inner is None else _unwrapped(inner)


def plain_copy(network: nn.Module, rows: Rows) -> nn.Module:
    """A copy without parametrizations and, if its results stay the same, with batch norms folded.

    The results are compared because a network may use the layers of a Sequential in another order than theirs.

    Args:
        network: in evaluation mode, and never called before: what a first call changes would show as a difference.
        rows: example inputs, more than FIRST rows.

    Raises:
        ExportError: the network fails, or a fresh copy of it gives other results.
    """
    with torch.no_grad():  # otherwise the parameters of a copied ScriptModule are not leaves
        copies = [without_parametrizations(deepcopy(network)) for _ in range(2)]
    first, others = (tuple(x[part] for x in rows) for part in (slice(FIRST), slice(FIRST, None)))
    call = network_rows(network, _tensors)
    expected = call(first)
    for copy in (fold_batch_norm(copies[0]), copies[1]):
        call_copy = network_rows(copy, _tensors)
        try:
            call_copy(others)
            if _alike(call_copy(first), expected):
                return copy
        except ExportError:  # code that uses a layer that was folded
            continue
    if _alike(call(first), expected):  # otherwise it draws random numbers in each call, which `to_onnx` reports
        raise ExportError(
            "the network stores values when it is first called, such as random noise, so that a fresh copy gives other "
            "results: make them buffers that are set when it is built, or call it once before it is exported"
        )
    return copies[1]


def _tensors(found: Any) -> tuple[Tensor, ...]:
    return found if isinstance(found, tuple) else (found,)


def _alike(found: Rows, expected: Rows) -> bool:
    pairs = [(np.asarray(a, np.float64), np.asarray(b, np.float64)) for a, b in zip(found, expected, strict=True)]
    return all(a.shape == b.shape and np.abs(a - b).max() <= ALIKE * max(1.0, float(np.abs(b).max())) for a, b in pairs)


def without_parametrizations(module: nn.Module) -> nn.Module:
    """Replace parametrizations (spectral norm, weight norm and others) by the weights that they compute, in place."""
    for part in list(module.modules()):
        if is_parametrized(part):
            _give_own_class(part)
            for name in list(part.parametrizations):  # type: ignore[arg-type]  # a ModuleDict
                remove_parametrizations(part, name, leave_parametrized=True)
        for hook in list(part._forward_pre_hooks.values()):
            if isinstance(hook, SpectralNorm):
                remove_spectral_norm(part, hook.name)
            elif isinstance(hook, WeightNorm):
                remove_weight_norm(part, hook.name)
    return module


def _give_own_class(part: nn.Module) -> None:
    """Give `part` a class of its own. Copies share the class with the properties of the parametrized weights."""
    shared = type(part)
    attributes = {key: value for key, value in vars(shared).items() if key not in ("__dict__", "__weakref__")}
    part.__class__ = type(shared.__name__, shared.__bases__, attributes)


def fold_batch_norm(module: nn.Module) -> nn.Module:
    """Fold each batch norm into the layer before it, and merge pixel shuffles, in place.

    ONNX Runtime does not fold batch norms into transposed convolutions.

    Only layers of a plain Sequential are folded. `plain_copy` compares the results with those of the original.
    """
    for parent in list(module.modules()):
        if not _runs_in_order(parent):
            continue
        _norms_before_shuffles(parent)
        for (layer_name, layer), (norm_name, norm) in _neighbours(parent):
            fused = _fused(layer, norm)
            if fused is not None:
                setattr(parent, layer_name, fused)
                setattr(parent, norm_name, nn.Identity())
        merge_shuffles(parent)
    return module


def _runs_in_order(parent: nn.Module) -> bool:
    return getattr(type(parent), "forward", None) is nn.Sequential.forward and "forward" not in vars(parent)


def _neighbours(parent: nn.Module) -> list[tuple[tuple[str, Any], tuple[str, Any]]]:
    """Each child with the next one. `named_children` would leave out the repetitions of a child."""
    return list(pairwise(parent._modules.items()))


def _norms_before_shuffles(parent: nn.Module) -> None:
    """Move each norm after a pixel shuffle before the shuffle, widened to the channels there; the results are equal."""
    for (shuffle_name, shuffle), (norm_name, norm) in _neighbours(parent):
        if type(shuffle) is nn.PixelShuffle and type(norm) is nn.BatchNorm2d and _are_plain(shuffle, norm):
            setattr(parent, shuffle_name, _widened(norm, shuffle.upscale_factor**2))
            setattr(parent, norm_name, shuffle)


def _widened(norm: nn.BatchNorm2d, times: int) -> nn.BatchNorm2d:
    """`norm` with each channel repeated `times` times."""
    wide = nn.BatchNorm2d(norm.num_features * times, norm.eps, affine=norm.affine).train(norm.training)
    values = {name: value.repeat_interleave(times) for name, value in norm.state_dict().items() if value.ndim}
    wide.load_state_dict(wide.state_dict() | values)
    return wide


def _are_plain(layer: nn.Module, norm: Any) -> bool:
    """Whether both are in evaluation mode without hooks or parametrizations, and the norm has running statistics."""
    for part in (layer, norm):
        changed = part._forward_hooks or part._forward_pre_hooks or is_parametrized(part) or "forward" in vars(part)
        if changed or part.training:
            return False
    return norm.running_mean is not None


class _LinearNorm(nn.Module):
    """A linear layer and the norm after it, as one layer for rows [n, c]. Other shapes run through both."""

    def __init__(self, layer: nn.Linear, norm: nn.BatchNorm1d) -> None:
        super().__init__()
        self.fused = fuse_linear_bn_eval(layer, norm)
        self.apart = nn.Sequential(layer, norm)
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.fused(x) if x.ndim == 2 else self.apart(x)
        return result


def _fused(layer: Any, norm: Any) -> nn.Module | None:
    """One layer in place of `layer` and `norm`; None if they cannot be folded."""
    match type(layer), type(norm):
        case (nn.Conv2d | nn.ConvTranspose2d, nn.BatchNorm2d):
            fits = layer.groups == 1 and layer.out_channels == norm.num_features
        case (nn.Linear, nn.BatchNorm1d):
            fits = layer.out_features == norm.num_features
        case _:
            return None
    if not fits or not _are_plain(layer, norm):
        return None
    if isinstance(layer, nn.Linear):
        return _LinearNorm(layer, norm)
    fused: nn.Module = fuse_conv_bn_eval(layer, norm, transpose=isinstance(layer, nn.ConvTranspose2d))
    return fused
