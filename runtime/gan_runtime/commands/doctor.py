"""gan-info --doctor: which ONNX Runtime is installed, and which of its execution providers work."""

import os
import platform
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from typing import Any

from gan_runtime import __version__
from gan_runtime.devices.processors import available_cpus
from gan_runtime.errors import GanEdgeError
from gan_runtime.evaluation.fingerprint import check_fingerprint
from gan_runtime.generator import Generator
from gan_runtime.images.deflate import compressor_name
from gan_runtime.manifest import Fingerprint
from gan_runtime.models import DEFAULT, shipped_model
from gan_runtime.onnx_runtime import CUDA, import_onnxruntime


def examine() -> tuple[dict[str, Any], list[str]]:
    """A report on this installation and a list of its problems. Each device is tested with the shipped model."""
    wheels = onnxruntime_wheels()
    problems = []
    if len(wheels) > 1:
        problems.append(
            f"{' and '.join(wheels)} overwrite each other's files: pip uninstall -y {' '.join(wheels)}, "
            "then install gan-edge[cpu] or gan-edge[cuda]"
        )
    report: dict[str, Any] = {
        "gan-edge": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processors": f"{available_cpus()} of {os.cpu_count()} allowed to this process",
        "packages": {name: _version(name) for name in ("numpy", "pillow", "typer")},
        "compression": compressor_name(),
        "onnxruntime": wheels or "not installed",
    }
    try:
        providers = import_onnxruntime().get_available_providers()
    except GanEdgeError as error:
        problems.append(str(error))
    else:
        report["telemetry"] = "off" if os.environ.get("ORT_DISABLE_TELEMETRY") == "1" else "left on by the environment"
        report["built_with"] = providers
        report["devices"] = {device: _try(device, problems) for device in ("cpu", "cuda")}
    report["problems"] = problems or "none"
    return report, problems


def onnxruntime_wheels() -> dict[str, str]:
    """Installed distributions that contain the module `onnxruntime`, with their versions."""
    return {name: version(name) for name in sorted(set(packages_distributions().get("onnxruntime", [])))}


def _try(device: str, problems: list[str]) -> str:
    try:
        difference = check_fingerprint(Generator.load(shipped_model(DEFAULT), device))
    except GanEdgeError as error:
        if device == "cpu" or CUDA in import_onnxruntime().get_available_providers():
            problems.append(str(error))
        return f"does not work: {error}"
    if difference is None or difference > Fingerprint.tolerance:
        problems.append(f"{device}: the shipped model gives wrong images")
        return f"gives wrong images (they differ by {difference} grey levels)"
    return "works"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
