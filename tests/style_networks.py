"""Generators of StyleGAN2 as their authors' code saves them: names, shapes, weights by a formula, and snapshots."""

import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from formulas import noise
from pickled import Built, Call
from torch import Tensor

Shapes = dict[str, tuple[int, ...]]
FILTER = np.outer([1, 3, 3, 1], [1, 3, 3, 1]).astype(np.float32) / 64
CLASSES = (  # of modules, by the names that end so
    (r"mapping", "MappingNetwork"),
    (r"synthesis", "SynthesisNetwork"),
    (r".*\.b\d+", "SynthesisBlock"),
    (r".*\.conv[01]", "SynthesisLayer"),
    (r".*\.torgb", "ToRGBLayer"),
    (r".*\.(affine|embed|fc\d+)", "FullyConnectedLayer"),
    (r".*", "Generator"),
)
BUFFERS = "noise_const", "resample_filter", "w_avg"


def authors(side: int, colours: int, width: int, style: int, layers: int, classes: int = 0) -> Shapes:
    """The Generator of stylegan2-ada-pytorch, with `width` channels, and half as many in the last grid."""
    shapes: Shapes = {"mapping.w_avg": (style,)}
    if classes:
        shapes |= {"mapping.embed.weight": (style, classes), "mapping.embed.bias": (style,)}
    for i in range(layers):
        shapes[f"mapping.fc{i}.weight"] = (style, style * (2 if classes and not i else 1))
        shapes[f"mapping.fc{i}.bias"] = (style,)

    def layer(name: str, inputs: int, outputs: int, kernel: int) -> None:
        shapes[f"{name}.affine.weight"], shapes[f"{name}.affine.bias"] = (inputs, style), (inputs,)
        shapes[f"{name}.weight"], shapes[f"{name}.bias"] = (outputs, inputs, kernel, kernel), (outputs,)
        if kernel == 3:
            shapes[f"{name}.noise_const"], shapes[f"{name}.noise_strength"] = (grid, grid), ()
            shapes[f"{name}.resample_filter"] = (4, 4)

    shapes["synthesis.b4.const"] = (width, 4, 4)
    for grid in (2**i for i in range(2, side.bit_length())):
        block, outputs = f"synthesis.b{grid}", width // 2 if grid == side else width
        shapes[f"{block}.resample_filter"] = (4, 4)
        if grid > 4:
            layer(f"{block}.conv0", width, outputs, 3)
        layer(f"{block}.conv1", outputs, outputs, 3)
        layer(f"{block}.torgb", outputs, colours, 1)
    return shapes


def rosinality(side: int, width: int, style: int, layers: int) -> Shapes:
    """The Generator of stylegan2-pytorch; as in `authors`, with RGB."""
    shapes: Shapes = {"input.input": (1, width, 4, 4)}
    for i in range(1, layers + 1):
        shapes |= {f"style.{i}.weight": (style, style), f"style.{i}.bias": (style,)}

    def layer(name: str, inputs: int, outputs: int) -> None:
        kernel = 1 if "rgb" in name else 3
        shapes[f"{name}.conv.weight"] = (1, outputs, inputs, kernel, kernel)
        shapes[f"{name}.conv.modulation.weight"] = (inputs, style)
        shapes[f"{name}.conv.modulation.bias"] = (inputs,)
        if kernel == 1:
            shapes[f"{name}.bias"] = (1, outputs, 1, 1)
        else:
            shapes.update({f"{name}.noise.weight": (1,), f"{name}.activate.bias": (outputs,)})

    layer("conv1", width, width)
    layer("to_rgb1", width, 3)
    grids = [2**i for i in range(3, side.bit_length())]
    for i, grid in enumerate(grids):
        outputs = width // 2 if grid == side else width
        layer(f"convs.{2 * i}", width, outputs)
        layer(f"convs.{2 * i + 1}", outputs, outputs)
        layer(f"to_rgbs.{i}", outputs, 3)
        shapes |= {f"convs.{2 * i}.conv.blur.kernel": (4, 4), f"to_rgbs.{i}.upsample.kernel": (4, 4)}
    for i in range(2 * len(grids) + 1):
        shapes[f"noises.noise_{i}"] = (1, 1, *[2 ** ((i + 5) // 2)] * 2)
    return shapes


def style_weights(shapes: Shapes) -> dict[str, Tensor]:
    """Weights by a formula, as large as those of a network with equalised learning rates; all have an effect."""
    return {name: torch.from_numpy(_weight(name, shape)) for name, shape in shapes.items()}


def _weight(name: str, shape: tuple[int, ...]) -> Any:
    if name.endswith("resample_filter"):
        return FILTER
    if name.endswith("kernel"):
        return 4 * FILTER
    values, mapping = noise(name, shape), re.match(r"mapping\.fc|style\.", name)
    if name.endswith(("affine.bias", "modulation.bias")):
        values = 1 + 0.3 * values
    elif name.endswith((".bias", "strength", "noise.weight", "w_avg")):
        values = (30 if mapping else 0.3) * values
    else:
        values = math.sqrt(3) * (100 if mapping else 1) * values
    image = re.search(r"rgb(s\.)?\d*\.(conv\.)?(weight|bias)", name)
    return np.asarray(0.3 * values if image else values, np.float32)


def snapshot(weights: Mapping[str, Tensor], numpy: str = "numpy._core", **settings: Any) -> dict[str, Any]:
    """What `pickle.dump` would be given by the training of stylegan2-ada-pytorch; for `pickled`.

    Args:
        weights: of the generator.
        numpy: the module of its numbers: "numpy.core" before numpy 2.
        settings: of all modules that have such ones, in place of theirs.
    """
    generator = _module("", dict(weights), settings, numpy)
    options = Call("dnnlib.util.EasyDict", new=True, items={"class_name": "training.dataset.ImageFolderDataset"})
    return {"training_set_kwargs": options, "G": generator, "D": None, "G_ema": generator, "augment_pipe": None}


def _module(place: str, weights: dict[str, Tensor], changes: dict[str, Any], numpy: str) -> Call:
    own = {name: value for name, value in weights.items() if "." not in name}
    names = dict.fromkeys(name.partition(".")[0] for name in weights if "." in name)
    state = {
        "training": False,
        "_parameters": _ordered({name: tensor(value, True) for name, value in own.items() if name not in BUFFERS}),
        "_buffers": _ordered({name: tensor(value) for name, value in own.items() if name in BUFFERS}),
        "_non_persistent_buffers_set": set(),
        "_backward_hooks": Call("collections.OrderedDict"),
        "_modules": _ordered(
            {
                name: _module(
                    f"{place}.{name}" if place else name,
                    {key.partition(".")[2]: value for key, value in weights.items() if key.startswith(f"{name}.")},
                    changes,
                    numpy,
                )
                for name in names
            }
        ),
    } | _settings(place, own, numpy)
    state |= {name: value for name, value in changes.items() if name in state}
    kind = next(kind for pattern, kind in CLASSES if re.fullmatch(pattern, place))
    source = "open('executed', 'w').close()\n"
    meta = {"type": "class", "version": 6, "module_src": source, "class_name": kind, "state": state}
    return Call("torch_utils.persistence._reconstruct_persistent_obj", (meta,))


def _settings(place: str, own: dict[str, Tensor], numpy: str) -> dict[str, Any]:
    rate = 0.01 if re.fullmatch(r"mapping\.fc\d+", place) else 1
    found: dict[str, Any] = {"_init_args": (), "_init_kwargs": {}}
    if re.fullmatch(r".*\.(affine|embed|fc\d+)", place):
        found |= {"activation": "lrelu" if "fc" in place else "linear", "bias_gain": rate}
    if re.fullmatch(r".*\.(conv[01]|torgb)", place):
        found |= {"conv_clamp": 256}
    if re.fullmatch(r".*\.conv[01]", place):
        found |= {"activation": "lrelu", "use_noise": True, "act_gain": number(math.sqrt(2), numpy)}
    elif "weight" in own:
        found |= {"weight_gain": number(rate / math.sqrt(own["weight"][0].numel()), numpy)}
    return found | ({"architecture": "skip"} if re.fullmatch(r".*\.b\d+", place) else {})


def _ordered(values: dict[str, Any]) -> Call:
    return Call("collections.OrderedDict", items=values)


def number(value: float, numpy: str = "numpy._core") -> Call:
    """A float64 of numpy."""
    state = (3, "<", None, None, None, -1, -1, 0)
    dtype = Built(Call("numpy.dtype", ("f8", False, True)), state)
    return Call(f"{numpy}.multiarray.scalar", (dtype, np.float64(value).tobytes()))


def tensor(value: Tensor, parameter: bool = False) -> Call:
    """A tensor, or a parameter."""
    hooks = Call("collections.OrderedDict")
    about = (storage(value), 0, tuple(value.shape), value.stride(), False, hooks)
    found = Call("torch._utils._rebuild_tensor_v2", about)
    return Call("torch._utils._rebuild_parameter", (found, False, hooks)) if parameter else found


def storage(value: Tensor) -> Call:
    """The storage of a tensor, as torch pickles it."""
    _, (content,) = value._typed_storage().__reduce__()
    return Call("torch.storage._load_from_bytes", (content,))
