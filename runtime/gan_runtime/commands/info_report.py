"""The report of gan-info: the metadata of a model file."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from gan_runtime.errors import DeviceError, InputError, ModelError
from gan_runtime.foreign import Assumptions
from gan_runtime.foreign.shapes import describe_port
from gan_runtime.manifest import (
    EncodeManifest,
    FeaturesManifest,
    Fingerprint,
    GenerateManifest,
    ImageToImageManifest,
    Manifest,
    MapManifest,
    PointsManifest,
    Precision,
    SynthesizeManifest,
    Tiling,
    TranslateManifest,
    UpscaleManifest,
    read_manifest,
)
from gan_runtime.model_file import ModelFile, read_model_file
from gan_runtime.terminal.text import plain

TOLERANCE = "fingerprint_tolerance"  # grey levels, beside what a file in int8 or fp16 says of its precision


def describe_model(path: str | Path, assumptions: Assumptions | None = None) -> dict[str, Any]:
    """The metadata of the file at `path`.

    A file without a manifest is run a few times to infer its inputs and outputs; `assumptions` override that.

    Raises:
        ModelError: the file is damaged, is not an ONNX model, or has a manifest that is too new.
        InputError: `assumptions` do not fit the file.
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
        "inputs": [describe_port(port) for port in model.inputs],
        "optional_inputs": [describe_port(port) for port in model.optional] or "",
        "outputs": [describe_port(port) for port in model.outputs],
    }
    return {key: value for key, value in report.items() if value not in ({}, "")} | _describe_manifest(
        model, assumptions
    )


def lines(report: dict[str, Any], indent: str = "") -> str:
    """`report` as text: one line per entry, nested entries indented."""
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


def for_people(report: dict[str, Any]) -> dict[str, Any]:
    """`report` with the number of each class before its name, unless it is the name, and the precision in words."""
    names, precision = report.get("classes"), report.get("precision")
    if isinstance(names, list):
        report = report | {"classes": [name if name == str(i) else f"{i} {name}" for i, name in enumerate(names)]}
    if precision is not None:
        facts = {name: value for name, value in precision.items() if name != TOLERANCE}
        report = report | {"precision": describe_precision(Precision(**facts), report["bytes"])}
    return report


def _describe_foreign(model: ModelFile, assumptions: Assumptions | None) -> dict[str, Any]:
    from gan_runtime.generator import Generator

    try:
        signature = Generator.open(model, "cpu", assumptions=assumptions).signature
    except (ModelError, DeviceError) as error:
        return {"manifest": "none", "generator": f"no; {error}"}
    return {"manifest": "none", "generator": signature.assumed, "read_as": signature.read_as}


def _describe_manifest(model: ModelFile, assumptions: Assumptions | None) -> dict[str, Any]:
    manifest = read_manifest(model)
    if manifest is None:
        return _describe_foreign(model, assumptions)
    if assumptions:
        raise InputError(f"{', '.join(assumptions.given())}: {model.path} has a manifest that says how it is read")
    facts: dict[str, Any] = {"name": manifest.name, "task": manifest.task}
    facts |= _describe_task(manifest)
    if manifest.pictures:
        facts["pictures"] = manifest.pictures
    if manifest.precision:
        facts["precision"] = asdict(manifest.precision)
    facts |= {"training": manifest.training, "quality": manifest.quality}
    if isinstance(manifest, GenerateManifest | PointsManifest | ImageToImageManifest) and manifest.fingerprint:
        what = ("coordinates", "points") if isinstance(manifest, PointsManifest) else ("pixels", "images")
        facts["fingerprint"] = f"{len(manifest.fingerprint.pixels)} {what[0]} of {manifest.fingerprint.count} {what[1]}"
        if manifest.fingerprint.tolerance > Fingerprint.tolerance:
            facts["fingerprint"] += f", within {manifest.fingerprint.tolerance} grey levels on other hosts"
        if manifest.precision:
            facts["precision"][TOLERANCE] = manifest.fingerprint.tolerance
    return facts


def describe_precision(precision: Precision, size: int) -> dict[str, Any]:
    """What the network computes in, what that costs and what it saves."""
    from gan_runtime.evaluation.table import METRICS, Shown

    shown = METRICS.get(precision.metric, Shown(precision.metric, 4, ""))
    before, after = shown.text(precision.before), shown.text(precision.after)
    return {
        "computes_in": precision.name,
        "costs": f"{shown.title} {after} instead of {before}, of {precision.n:,} samples",
        "saves": f"{1 - size / precision.bytes:.0%} of {precision.bytes:,} bytes in fp32",
    }


def _describe_task(manifest: Manifest) -> dict[str, Any]:
    """The inputs and outputs of the file; empty for a task that this version does not know."""
    match manifest:
        case GenerateManifest() | PointsManifest() | MapManifest() | SynthesizeManifest():
            return _describe_generator(manifest)
        case EncodeManifest():
            gives = f"latents, {manifest.latents.dim}, {manifest.latents.distribution}"
            return {"takes": f"images, {manifest.images}", "gives": gives}
        case FeaturesManifest():
            return {"takes": f"images, {manifest.images}"}
        case ImageToImageManifest():
            return _describe_image_to_image(manifest)
    return {}


def _describe_generator(
    manifest: GenerateManifest | PointsManifest | MapManifest | SynthesizeManifest,
) -> dict[str, Any]:
    """The latents, classes, images, styles, truncation and noise of a generator or its part, as far as it has them."""
    facts: dict[str, Any] = {}
    if not isinstance(manifest, SynthesizeManifest):
        facts["latents"] = f"{manifest.latents.dim}, {manifest.latents.distribution}"
        if manifest.labels:
            facts["classes"] = list(manifest.labels.names) or manifest.labels.classes
    if isinstance(manifest, PointsManifest):
        return facts | {"points": f"{manifest.output.coordinates} coordinates, up to {manifest.output.extent:g}"}
    if not isinstance(manifest, MapManifest):
        facts["images"] = str(manifest.output)
    if manifest.styles:
        facts["styles"] = f"{manifest.styles.layers} of {manifest.styles.dim}"
    if not isinstance(manifest, SynthesizeManifest) and manifest.truncation:
        facts["truncation"] = f"{manifest.truncation.default:g} if none is given"
    if not isinstance(manifest, MapManifest) and manifest.noise:
        facts["noise"] = f"{manifest.noise.dim} values"
    return facts


def _describe_image_to_image(manifest: ImageToImageManifest) -> dict[str, Any]:
    """The images that go in and come out, how tiles are run, and what only translators or only upscalers have."""
    facts: dict[str, Any] = {"takes": f"images, {manifest.source}", "gives": f"images, {manifest.output}"}
    if isinstance(manifest, UpscaleManifest):
        facts |= {"scale": manifest.scale, "channel_order": manifest.channel_order}
    if isinstance(manifest, TranslateManifest) and manifest.prepared:
        facts["takes"] += f", made from pictures as {manifest.prepared}"
    if manifest.network:
        facts["network"] = _describe_network(manifest.network)
    if isinstance(manifest, TranslateManifest) and manifest.counterpart:
        facts["counterpart"] = {"file": manifest.counterpart.file, "weights": manifest.counterpart.weights}
    return facts


def _describe_network(network: Tiling) -> dict[str, Any]:
    """How a network runs on large pictures."""
    facts: dict[str, Any] = {"multiple": network.multiple, "least": network.least}
    if network.norm:
        facts["norm"] = network.norm
    if network.context is not None:
        near = "" if network.near is None else f"; within one grey level from {network.near} pixels on"
        return facts | {"context": f"{network.context} pixels{near}", "tiles": "equal to the whole picture"}
    off = "" if network.tile is None else f", {network.tile_psnr} dB from the whole picture if of {network.tile} pixels"
    return facts | {"context": "the whole picture", "tiles": f"blended{off}"}
