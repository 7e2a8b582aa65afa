"""Runs whose inputs and outputs stay in buffers of a device, for GPUs (ONNX Runtime's IO binding).

A run copies its inputs to the device and its outputs back, and nothing is allocated for either. A CUDA graph needs just
that: it is recorded once for a shape of the inputs, and replayed with what the same buffers hold then.
"""

import threading
from types import ModuleType
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

SHAPES = 4  # whose buffers are kept; a model that runs chunks of one shape needs one of them
WITHOUT_GRAPH = "-1"  # of ONNX Runtime's `gpu_graph_id`

Shape: TypeAlias = tuple[Any, ...]


class BoundSession:
    """A session of ONNX Runtime that runs as `InferenceSession.run` does, with buffers on its device.

    Inputs of the first shapes keep their buffers; for those of further shapes they are made anew in each run. Threads
    wait for each other, because a GPU computes one run at a time, and the buffers are shared.

    Args:
        ort: ONNX Runtime.
        onnx: its session.
        device: where the buffers are: "cuda"; "cpu" has the same effects, for tests.
        gpu: its number.
        graphs: whether the session has CUDA graphs (`enable_cuda_graph`): one for each kept shape, from its second run.
    """

    def __init__(self, ort: ModuleType, onnx: Any, device: str = "cuda", gpu: int = 0, *, graphs: bool = False) -> None:
        self._ort, self._onnx, self._place, self._graphs = ort, onnx, (device, gpu), graphs
        self._kept: dict[Shape, _Buffers] = {}
        self._lock = threading.Lock()

    def get_providers(self) -> list[str]:
        """Names of its execution providers, the preferred one first."""
        return list(self._onnx.get_providers())

    def run(self, outputs: list[str], feeds: dict[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """The `outputs`, in arrays that later runs leave alone. Raises what ONNX Runtime raises."""
        rows = {name: np.ascontiguousarray(values) for name, values in feeds.items()}
        shape = (*outputs, *((name, values.dtype.str, values.shape) for name, values in rows.items()))
        with self._lock:
            buffers = self._kept.get(shape)
            if buffers is None:
                return self._first_run(shape, outputs, rows)
            for name, values in rows.items():
                buffers.inputs[name].update_inplace(values)
            self._onnx.run_with_iobinding(buffers.binding, buffers.options)
            return _copied(buffers.binding)

    def _first_run(self, shape: Shape, outputs: list[str], rows: dict[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """As `run`, with new buffers, which are kept if there is room for them."""
        binding, inputs = self._onnx.io_binding(), {}
        for name, values in rows.items():  # a copy, since on a CPU ONNX Runtime would keep the array itself
            inputs[name] = self._ort.OrtValue.ortvalue_from_numpy(values.copy(), *self._place)
            binding.bind_ortvalue_input(name, inputs[name])
        for name in outputs:
            binding.bind_output(name, *self._place)
        self._onnx.run_with_iobinding(binding, self._options(WITHOUT_GRAPH))
        found = _copied(binding)
        if len(self._kept) < SHAPES:
            for name, value in zip(outputs, binding.get_outputs(), strict=True):
                binding.bind_ortvalue_output(name, value)
            self._kept[shape] = _Buffers(binding, inputs, self._options(str(len(self._kept) + 1)))
        return found

    def _options(self, graph: str) -> Any:
        """Options of a run that records or replays this graph; None for a session without graphs."""
        if not self._graphs:
            return None
        options = self._ort.RunOptions()
        options.add_run_config_entry("gpu_graph_id", graph)
        return options


class _Buffers:
    """The buffers for inputs of one shape."""

    def __init__(self, binding: Any, inputs: dict[str, Any], options: Any) -> None:
        self.binding, self.inputs, self.options = binding, inputs, options


def _copied(binding: Any) -> list[NDArray[Any]]:
    """The outputs in memory of the host, each in an array of its own."""
    return [np.require(value.numpy(), requirements="O") for value in binding.get_outputs()]
