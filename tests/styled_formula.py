"""Generators with styles by a formula, without torch: what each of their inputs does to a pixel can be computed.

w = tanh(latents A + E[labels]); styles = mean + t (w - mean), the same for all layers;
images = round(127.5 + 127.5 tanh(sum over layers of styles[:, layer] B[layer] + noise N)).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from formulas import noise as formula
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from gan_runtime.latents import default_labels, draw_latents
from gan_runtime.manifest import (
    Fingerprint,
    GenerateManifest,
    ImageSize,
    Labels,
    Latents,
    Manifest,
    MapManifest,
    Noise,
    Styles,
    SynthesizeManifest,
    Truncation,
)
from gan_runtime.models import mapping_path, synthesis_path
from gan_trainer.export.onnx_file import finish

OPSET, SIZE = 17, ImageSize(8, 8, 3)
Nodes = list[onnx.NodeProto]


@dataclass(frozen=True)
class Styled:
    """The formula. `noise` is a number of values, of which 0 means that noise is no input."""

    layers: int = 4
    dim: int = 6
    latent_dim: int = 5
    classes: int = 0
    noise: int = 0
    truncation: float = 1.0
    size: ImageSize = SIZE

    def weight(self, name: str, *shape: int) -> NDArray[np.float32]:
        """Values in [-1, 1]."""
        return formula(name, shape).astype(np.float32)

    @property
    def mean(self) -> NDArray[np.float32]:
        """What truncation moves styles to, [dim]."""
        return 0.3 * self.weight("mean", self.dim)

    @property
    def own_noise(self) -> NDArray[np.float32]:
        """The noise in the file, [1, noise]."""
        return self.weight("own", 1, self.noise)

    def styles(self, latents: NDArray[np.float32], labels: Any = None, truncation: Any = None) -> NDArray[np.float64]:
        """What the file gives, [n, layers, dim]."""
        x = latents @ self.weight("A", self.latent_dim, self.dim).astype(np.float64)
        if self.classes:
            x = x + self.weight("E", self.classes, self.dim)[np.broadcast_to(labels, len(latents))]
        t = np.reshape(self.truncation if truncation is None else truncation, (-1, 1))
        return np.repeat((self.mean + t * (np.tanh(x) - self.mean))[:, None], self.layers, 1)

    def images(self, styles: NDArray[Any], noise: Any = None) -> NDArray[np.float64]:
        """What the file draws, before it is rounded, [n, h, w, c]."""
        pixels = int(np.prod(self.size.shape))
        x = np.einsum("nld,ldp->np", styles, self.weight("B", self.layers, self.dim, pixels))
        if self.noise:
            x = x + (self.own_noise if noise is None else noise) @ self.weight("N", self.noise, pixels)
        return (127.5 + 127.5 * np.tanh(x)).reshape(-1, *self.size.shape)

    def write(self, path: Path, *, parts: bool = True) -> Path:
        """Write x.onnx with a fingerprint and, with `parts`, x-mapping.onnx and x-synthesis.onnx. Returns `path`."""
        latents, labels = Latents(self.latent_dim, "normal"), Labels(self.classes, ()) if self.classes else None
        space, truncation = Styles(self.layers, self.dim), Truncation(self.truncation)
        noise, name = Noise(self.noise) if self.noise else None, path.stem
        z, y = draw_latents(0, 0, 2, self.latent_dim), default_labels(0, 2, self.classes) if self.classes else None
        pixels = np.rint(self.images(self.styles(z, y))).astype(np.uint8).tobytes()
        whole = GenerateManifest(
            name=name, latents=latents, labels=labels, truncation=truncation, noise=noise, styles=space,
            output=self.size, fingerprint=Fingerprint(0, 2, pixels),
        )  # fmt: skip
        sha256 = self._save(path, whole, [*self._mapping(), *self._synthesis()], ["images", "styles"])
        about: dict[str, Any] = {"name": name, "training": {"generator": {"name": name, "sha256": sha256}}}
        if parts:
            mapping = MapManifest(**about, latents=latents, labels=labels, truncation=truncation, styles=space)
            self._save(mapping_path(path), mapping, self._mapping(), ["styles"])
            synthesis = SynthesizeManifest(**about, styles=space, noise=noise, output=self.size)
            self._save(synthesis_path(path), synthesis, self._synthesis(), ["images"])
        return path

    def _mapping(self) -> Nodes:
        nodes = [helper.make_node("MatMul", ["latents", "A"], ["x"])]
        if self.classes:
            nodes += [helper.make_node("Gather", ["E", "labels"], ["e"]), helper.make_node("Add", ["x", "e"], ["y"])]
        return [
            *nodes,
            helper.make_node("Tanh", ["y" if self.classes else "x"], ["w"]),
            helper.make_node("Sub", ["w", "mean"], ["away"]),
            helper.make_node("Unsqueeze", ["truncation", "one"], ["t"]),
            helper.make_node("Mul", ["away", "t"], ["nearer"]),
            helper.make_node("Add", ["nearer", "mean"], ["style"]),
            helper.make_node("Unsqueeze", ["style", "one"], ["single"]),
            helper.make_node("Tile", ["single", "times"], ["styles"]),
        ]

    def _synthesis(self) -> Nodes:
        nodes = [
            helper.make_node("Reshape", ["styles", "flat"], ["row"]),
            helper.make_node("MatMul", ["row", "B"], ["sum"]),
        ]
        if self.noise:
            nodes += [
                helper.make_node("MatMul", ["noise", "N"], ["added"]),
                helper.make_node("Add", ["sum", "added"], ["all"]),
            ]
        return [
            *nodes,
            helper.make_node("Tanh", ["all" if self.noise else "sum"], ["values"]),
            helper.make_node("Mul", ["values", "grey"], ["scaled"]),
            helper.make_node("Add", ["scaled", "grey"], ["levels"]),
            helper.make_node("Round", ["levels"], ["rounded"]),
            helper.make_node("Cast", ["rounded"], ["bytes"], to=TensorProto.UINT8),
            helper.make_node("Reshape", ["bytes", "shape"], ["images"]),
        ]

    def _save(self, path: Path, manifest: Manifest, nodes: Nodes, outputs: Sequence[str]) -> str:
        """Write the file; returns its SHA-256."""
        pixels = int(np.prod(self.size.shape))
        known = {
            "A": self.weight("A", self.latent_dim, self.dim),
            "E": self.weight("E", self.classes, self.dim),
            "B": self.weight("B", self.layers, self.dim, pixels).reshape(-1, pixels),
            "N": self.weight("N", self.noise, pixels),
            "mean": self.mean,
            "grey": np.float32(127.5),
            "one": np.int64([1]),
            "times": np.int64([1, self.layers, 1]),
            "flat": np.int64([-1, self.layers * self.dim]),
            "shape": np.int64([-1, *self.size.shape]),
            "truncation": np.float32([self.truncation]),
            "noise": self.own_noise,
        }
        inputs = {
            "latents": (TensorProto.FLOAT, ["n", self.latent_dim]),
            "labels": (TensorProto.INT64, ["n"]),
            "styles": (TensorProto.FLOAT, ["n", self.layers, self.dim]),
            "truncation": (TensorProto.FLOAT, ["t"]),
            "noise": (TensorProto.FLOAT, ["k", self.noise]),
        }
        made, used = {name for node in nodes for name in node.output}, {name for node in nodes for name in node.input}
        graph = helper.make_graph(
            nodes,
            "formula",
            [helper.make_tensor_value_info(name, *inputs[name]) for name in inputs if name in used - made],
            [helper.make_tensor_value_info(name, TensorProto.UNDEFINED, None) for name in outputs],
            [numpy_helper.from_array(np.asarray(known[name]), name) for name in sorted(used & set(known))],
        )
        for port in graph.output:
            port.type.tensor_type.elem_type = TensorProto.UINT8 if port.name == "images" else TensorProto.FLOAT
            port.type.tensor_type.shape.dim.add(dim_param="n")
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
        shapes: dict[str, tuple[int | str, ...]] = {"images": self.size.shape, "styles": (self.layers, self.dim)}
        file = finish(model, manifest, shapes, OPSET, path)
        path.write_bytes(file.content)
        return file.sha256
