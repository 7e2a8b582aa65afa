"""Trace a torch module and write the ONNX file, for networks of every task."""

import io
import linecache
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TextIO

import onnx
import torch
from torch import Tensor, nn

from gan_runtime import __version__
from gan_runtime.errors import GanEdgeError, InputError
from gan_runtime.manifest import METADATA_KEY, GenerateManifest, Manifest, SynthesizeManifest
from gan_runtime.model_file import ModelFile, parse_model
from gan_trainer.export.activations import largest_activation
from gan_trainer.export.manifest import to_json
from gan_trainer.export.operations import operations_of

OPSETS = range(13, 21)
RANDOM = {  # evaluation mode removes a Dropout from the graph, unless it is active
    *("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"),
    *("Bernoulli", "Multinomial", "Dropout"),
}
# Lines of torch that turn a size into a Python value during a trace: checks that only raise, and the width of an
# attention head. None of these is the batch size. Lines are identified by file and text, because line numbers change.
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

CONSTANTS = "results are registered as constants"  # of torch.tensor and the like; the second trace checks these
EXAMPLE_ROWS = 5  # two for the first trace, three for the second, which must give the same graph
WAY_OUT = (
    "compute what depends on the inputs or on the batch size with tensors, such as torch.where, x.shape[0] without "
    "int() or len(), and view(-1, ...)"
)

_exporting = threading.Lock()  # torch's exporter keeps its state in globals, and so do Python's warnings


class ExportError(GanEdgeError):
    """The network cannot be exported as asked, or the file does not agree with it."""


def check_opset(opset: int) -> None:
    """Raise InputError if `opset` is not supported."""
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
    """The graph, and descriptions of the values that the trace has frozen. Only this function chooses torch's exporter.

    The TorchScript exporter writes exactly the opset that is asked for. The default one writes opset 18 and converts
    down, and may report a conversion that did not happen.
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
    except Exception as error:  # the tracer and the symbolic functions of operators raise any exception
        raise ExportError(f"opset {opset}: torch cannot export the network: {first_line(error)}") from error
    finally:
        quiet.remove()
    return onnx.load_from_string(content.getvalue()), frozen


def _turn_log_off(*_: object) -> None:
    """Turn off the exporter's log, which a bug of torch turns on: it would print whole graphs when the export fails."""
    torch._C._jit_set_onnx_log_enabled(False)


def _traceable(module: nn.Module, inputs: tuple[Tensor, ...]) -> nn.Module:
    """`module`, traced to a ScriptModule if it contains one: the exporter does not take a mixture."""
    if not any(isinstance(part, torch.jit.ScriptModule) for part in module.modules()):
        return module
    traced: nn.Module = torch.jit.trace(module, inputs, check_trace=False)  # type: ignore[no-untyped-call]
    parts = list(traced.modules())

    def modules() -> list[nn.Module]:  # a ScriptModule has no hooks, but the exporter calls this before it traces
        _turn_log_off()
        return parts

    object.__setattr__(traced, "modules", modules)
    return traced


@contextmanager
def _tracer_warnings() -> Iterator[list[str]]:
    """Collect descriptions of the values that the tracer freezes in this thread. Other warnings of torch are dropped.

    Warnings have one state per process, which is changed meanwhile; warnings of other threads are passed on.
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
    """Whether this line is an assertion or one of `SIZE_CHECKS`, whose frozen values cannot change the graph."""
    return line.startswith(("assert ", "assert(")) or (
        path.is_relative_to(Path(torch.__file__).parent) and line in SIZE_CHECKS.get(path.name, ())
    )


def _nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """All nodes of a graph, including those in branches and loops."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for inner in [attribute.g, *attribute.graphs]:
                yield from _nodes(inner)


def _unnamed(graph: onnx.GraphProto, numbers: dict[str, int] | None = None) -> onnx.GraphProto:
    """A copy with numbers in place of names, in the order of use. Each trace gives a ScriptModule other names."""
    numbers = {"": 0} if numbers is None else numbers  # "" is an optional input that is absent
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
    model: onnx.ModelProto, manifest: Manifest, shapes: Mapping[str, tuple[int | str, ...]], opset: int, path: Path
) -> ModelFile:
    """`model` with its manifest and without paths of this host, checked by onnx.

    `shapes` are the shapes of the outputs without their first axis, with names of axes that may have any length; the
    exporter leaves some of them open.

    Raises:
        ExportError: the checker of onnx refuses it, or its opset is another one.
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
            key = "dim_param" if isinstance(length, str) else "dim_value"
            output.type.tensor_type.shape.dim.add(**{key: length})
    for node in _nodes(model.graph):
        node.doc_string = ""
        del node.metadata_props[:]
    del model.metadata_props[:]
    if isinstance(manifest, GenerateManifest | SynthesizeManifest) and manifest.styles:
        manifest = replace(manifest, activations=largest_activation(model))
    manifest = replace(manifest, flops=manifest.flops or operations_of(model, manifest))
    onnx.helper.set_model_props(model, {METADATA_KEY: to_json(manifest)})
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ExportError(f"opset {opset}: the checker of onnx refuses the model: {first_line(error)}") from error
    file = parse_model(model.SerializeToString(deterministic=True), path)
    if file.external_data:
        raise ExportError(f"{path}: torch left weights outside of the file")
    return file


def first_line(error: Exception) -> str:
    """The first line of an error's message; the last one if it is a ScriptModule's, which begins with tracebacks."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return lines[-1] if "TorchScript interpreter" in lines[0] else lines[0]
