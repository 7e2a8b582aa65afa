"""A torch module as the bytes of a verified ONNX file: the same for every kind of network."""

import io
import linecache
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import onnx
import torch
from torch import Tensor, nn

from gan_runtime.errors import GanEdgeError, InputError
from gan_runtime.manifest import METADATA_KEY, Manifest
from gan_runtime.model_file import ModelFile, parse_model
from gan_trainer import __version__

OPSETS = range(13, 21)
RANDOM = {  # a Dropout that is left in a graph is one that drops; evaluation mode removes the others
    *("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"),
    *("Bernoulli", "Multinomial", "Dropout"),
}
# Lines of torch itself that turn a size into a Python value while a network is traced: checks that only raise, and the
# width of an attention head. None of these sizes is the batch's. By file and text, as line numbers move.
SIZE_CHECKS = {
    "functional.py": {
        "if size_prods == 1:",  # instance_norm and group_norm
        "if embed_dim != embed_dim_to_check:",  # multi_head_attention_forward
        "if head_dim * num_heads != embed_dim:",
        "if key.shape != value.shape:",
        "q_scaled = q * math.sqrt(1.0 / float(E))",
    },
    "instancenorm.py": {"if input.size(feature_dim) != self.num_features:"},
}

CONSTANTS = "results are registered as constants"  # of torch.tensor and the like, which the second trace judges
EXAMPLE_ROWS = 5  # two of them for the trace, and three for the one that must not differ
WAY_OUT = (
    "what depends on the inputs or on the batch size must be computed with tensors, such as torch.where, x.shape[0] "
    "without int() or len(), and view(-1, ...)"
)

_exporting = threading.Lock()  # torch's exporter keeps its state in globals, and so do Python's warnings


class ExportError(GanEdgeError):
    """The network cannot be exported as asked, or the file would not keep its promises."""


def check_opset(opset: int) -> None:
    """Raise InputError where files of this opset cannot be made."""
    if opset not in OPSETS:
        raise InputError(f"opset {opset}: choose one from {OPSETS[0]} to {OPSETS[-1]}")


def to_onnx(
    module: nn.Module,
    inputs: dict[str, Tensor],
    outputs: list[str],
    opset: int,
    others: dict[str, Tensor] | None = None,
    axes: tuple[str, ...] = ("n",),
) -> onnx.ModelProto:
    """The graph of `module`; inputs and outputs have these names, and any number of rows.

    Two traces of different rows and sizes have to give the same graph.

    Args:
        module: the network.
        inputs: examples, EXAMPLE_ROWS of them.
        outputs: names.
        opset: version of the ONNX operator set.
        others: further examples, where inputs of other shapes are allowed.
        axes: names of those axes of the inputs that may have any length; "" for the others.

    Raises:
        ExportError: torch cannot express the network at this opset, the trace would freeze a value that depends on the
            inputs, the graph draws random numbers, or it does without one of the inputs.
    """
    model, frozen = _trace(module, {name: x[:2] for name, x in inputs.items()}, outputs, opset, axes)
    drawn = sorted({node.op_type for node in _nodes(model.graph)} & RANDOM)
    if drawn:
        raise ExportError(
            f"the network draws other {outputs[0]} for the same {next(iter(inputs))}, by {', '.join(drawn)} in the "
            "graph: make all that is random an input, for instance further latents that forward() takes its noise from"
        )
    if frozen:
        raise ExportError(f"a graph has no Python branches or values: {frozen[0]}; {WAY_OUT}")
    left = [port.name for port in model.graph.input]
    if left != list(inputs):
        raise ExportError(
            f"the network does not use all of its inputs: {left} of {list(inputs)} are left in the graph; "
            "export it without the others"
        )
    again, _ = _trace(module, {name: x[2:] for name, x in (others or inputs).items()}, outputs, opset, axes)
    if _unnamed(again.graph) != _unnamed(model.graph):
        raise ExportError(
            "the network has another graph for other inputs: it computes in Python from its inputs or their number, or "
            f"draws random numbers outside of torch; {WAY_OUT}"
        )
    return model


def _trace(
    module: nn.Module, inputs: dict[str, Tensor], outputs: list[str], opset: int, axes: tuple[str, ...]
) -> tuple[onnx.ModelProto, list[str]]:
    """The one place that chooses torch's exporter: the graph, and the values that it has frozen, as text.

    The TorchScript one honours every opset exactly; the default one speaks opset 18 and converts down, or says that it
    did.
    """
    content = io.BytesIO()
    dynamic = {axis: name for axis, name in enumerate(axes) if name}
    quiet = module.register_forward_pre_hook(_turn_log_off)
    try:
        with _exporting, _tracer_warnings() as frozen:
            torch.onnx.export(
                _traceable(module, tuple(inputs.values())),
                tuple(inputs.values()),
                content,  # type: ignore[arg-type]  # the TorchScript exporter writes to files, too
                input_names=list(inputs),
                output_names=outputs,
                dynamic_axes=dict.fromkeys(inputs, dynamic) | {name: {0: "n"} for name in outputs},
                opset_version=opset,
                dynamo=False,
            )
    except Exception as error:  # whatever the tracer and every operator's symbolic raise
        raise ExportError(f"opset {opset}: torch cannot export the network: {first_line(error)}") from error
    finally:
        quiet.remove()
    return onnx.load_from_string(content.getvalue()), frozen


def _turn_log_off(*_: object) -> None:
    """The exporter turns its log on before it traces, by a slip of torch's, and prints whole graphs when it fails."""
    torch._C._jit_set_onnx_log_enabled(False)


def _traceable(module: nn.Module, inputs: tuple[Tensor, ...]) -> nn.Module:
    """`module`; the exporter knows only whole ScriptModules, so a module that contains some becomes one."""
    if not any(isinstance(part, torch.jit.ScriptModule) for part in module.modules()):
        return module
    traced: nn.Module = torch.jit.trace(module, inputs, check_trace=False)  # type: ignore[no-untyped-call]
    parts = list(traced.modules())

    def modules() -> list[nn.Module]:  # no forward runs that could have a hook, but the exporter asks for these
        _turn_log_off()
        return parts

    object.__setattr__(traced, "modules", modules)
    return traced


@contextmanager
def _tracer_warnings() -> Iterator[list[str]]:
    """Collect what the tracer of this thread froze, as text; torch's other warnings are no news to users.

    Warnings have one state per process, which this changes while torch exports; those of other threads are passed on.
    """
    frozen: list[str] = []
    with warnings.catch_warnings():
        show, thread = warnings.showwarning, threading.get_ident()

        def collect(
            message: Warning | str,
            category: type[Warning],
            filename: str,
            lineno: int,
            file: TextIO | None = None,
            line: str | None = None,
        ) -> None:
            if threading.get_ident() != thread:
                show(message, category, filename, lineno, file, line)
            elif category.__name__ == "TracerWarning":
                text = linecache.getline(filename, lineno).strip()
                if CONSTANTS not in str(message) and not _is_size_check(Path(filename), text):
                    frozen.append(f"{Path(filename).name}:{lineno}: {text}: {str(message).split('. ')[0].strip()}")

        warnings.simplefilter("always")
        warnings.showwarning = collect
        yield frozen


def _is_size_check(path: Path, line: str) -> bool:
    """Whether freezing the values of this line cannot change a graph: an assertion, or a check of torch's own."""
    return line.startswith(("assert ", "assert(")) or (
        path.is_relative_to(Path(torch.__file__).parent) and line in SIZE_CHECKS.get(path.name, ())
    )


def _nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """All nodes, those of branches and loops included."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for inner in [attribute.g, *attribute.graphs]:
                yield from _nodes(inner)


def _unnamed(graph: onnx.GraphProto, numbers: dict[str, int] | None = None) -> onnx.GraphProto:
    """A copy with numbers for the names in it, in the order of their use, as scripts are named anew at each trace."""
    numbers = {"": 0} if numbers is None else numbers  # "" stands for an input that is left out
    copy = onnx.GraphProto()
    copy.node.extend(graph.node)
    copy.initializer.extend(graph.initializer)
    for node in copy.node:
        node.name = node.doc_string = ""
        for names in (node.input, node.output):
            names[:] = [str(numbers.setdefault(name, len(numbers))) for name in names]
        for attribute in node.attribute:
            if attribute.HasField("g"):
                attribute.g.CopyFrom(_unnamed(attribute.g, numbers))
    for tensor in copy.initializer:
        tensor.name = str(numbers.setdefault(tensor.name, len(numbers)))
    return copy


def finish(
    model: onnx.ModelProto, manifest: Manifest, shapes: dict[str, tuple[int, ...]], opset: int, path: Path
) -> ModelFile:
    """`model` with its manifest and without traces of this host, checked for everything that bytes can show.

    `shapes` are those of the outputs but for their first axis; the exporter leaves some of them open.

    Raises:
        ExportError: the checker refuses it, or it is not of this opset.
    """
    opsets = {entry.domain: entry.version for entry in model.opset_import}
    if opsets != {"": opset}:
        raise ExportError(f"opset {opset}: torch wrote {opsets} instead")
    model.ir_version = onnx.helper.find_min_ir_version_for(model.opset_import)
    model.producer_name, model.producer_version = "gan-edge", __version__
    model.doc_string = model.graph.doc_string = ""
    for output in model.graph.output:
        del output.type.tensor_type.shape.dim[:]
        output.type.tensor_type.shape.dim.add(dim_param="n")
        for length in shapes[output.name]:
            output.type.tensor_type.shape.dim.add(dim_value=length)
    for node in _nodes(model.graph):
        node.doc_string = ""
        del node.metadata_props[:]
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, {METADATA_KEY: manifest.to_json()})
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ExportError(f"opset {opset}: the checker of onnx refuses the model: {first_line(error)}") from error
    file = parse_model(model.SerializeToString(deterministic=True), path)
    if file.external_data:
        raise ExportError(f"{path}: torch left weights outside of the file")
    return file


def first_line(error: Exception) -> str:
    """What an error says, on one line; of a ScriptModule's, the last one, after two tracebacks."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return lines[-1] if "TorchScript interpreter" in lines[0] else lines[0]
