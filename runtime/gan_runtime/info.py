"""What gan-info prints: the facts of a model file."""

from pathlib import Path
from typing import Any

from gan_runtime.commandline import plain
from gan_runtime.errors import ModelError
from gan_runtime.manifest import Points, read_manifest
from gan_runtime.model_file import ModelFile, Port, read_model_file
from gan_runtime.roles import generator_roles

ELEMENT_NAMES = {1: "float32", 2: "uint8", 3: "int8", 6: "int32", 7: "int64", 9: "bool", 10: "float16", 11: "float64"}


def describe_model(path: str | Path) -> dict[str, Any]:
    """Everything that the file at `path` says of itself; ONNX Runtime is not asked.

    Raises:
        ModelError: the file is damaged, no ONNX model, or has a manifest that is too new.
    """
    model = read_model_file(path)
    report: dict[str, Any] = {
        "path": str(model.path),
        "bytes": len(model.content),
        "sha256": model.sha256,
        "opset": model.opset,
        "other_opsets": {domain: version for domain, version in model.opsets.items() if domain},
        "ir_version": model.ir_version,
        "producer": model.producer,
        "external_data": model.external_data,
        "inputs": [_describe_port(port) for port in model.inputs],
        "outputs": [_describe_port(port) for port in model.outputs],
    }
    return {key: value for key, value in report.items() if value not in ({}, "")} | _describe_manifest(model)


def lines(report: dict[str, Any], indent: str = "") -> str:
    """`report` for people: a line a fact, nested facts indented."""
    text, width = [], max(1, 16 - len(indent))
    for key, value in report.items():
        if isinstance(value, dict) and value:
            text.append(f"{indent}{key}:\n{lines(value, indent + '  ')}")
        elif isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
            text += [f"{indent}{key}:\n{lines(item, indent + '  ')}" for item in value]
        elif isinstance(value, list):
            text.append(f"{indent}{key + ':':<{width}} {', '.join(map(str, value))}")
        else:
            text.append(f"{indent}{key + ':':<{width}} {value}")
    return plain("\n".join(text))


def _describe_manifest(model: ModelFile) -> dict[str, Any]:
    manifest = read_manifest(model)
    if manifest is None:
        try:
            return {"manifest": f"none; {generator_roles(model, None).assumed}"}
        except ModelError:
            return {"manifest": "none"}
    facts: dict[str, Any] = {"name": manifest.name, "task": manifest.task}
    if manifest.latents:
        facts["latents"] = f"{manifest.latents.dim}, {manifest.latents.distribution}"
    if manifest.labels:
        facts["classes"] = list(manifest.labels.names) or manifest.labels.classes
    if isinstance(manifest.output, Points):
        facts["points"] = f"{manifest.output.coordinates} coordinates, up to {manifest.output.extent:g}"
    elif manifest.output:
        facts["images"] = f"{manifest.output.height} x {manifest.output.width} x {manifest.output.channels}"
    if manifest.images:
        facts["takes"] = f"images, {manifest.images.height} x {manifest.images.width} x {manifest.images.channels}"
    if manifest.codes:
        facts["gives"] = f"latents, {manifest.codes.dim}, {manifest.codes.distribution}"
    if manifest.pictures:
        facts["pictures"] = manifest.pictures
    facts |= {"training": manifest.training, "quality": manifest.quality}
    if manifest.fingerprint:
        what = ("coordinates", "points") if isinstance(manifest.output, Points) else ("pixels", "images")
        facts["fingerprint"] = f"{len(manifest.fingerprint.pixels)} {what[0]} of {manifest.fingerprint.count} {what[1]}"
    return facts


def _describe_port(port: Port) -> str:
    shape = ", ".join(str(axis) or "?" for axis in port.shape)
    return f"{port.name} {ELEMENT_NAMES.get(port.element, f'type {port.element}')} [{shape}]"
