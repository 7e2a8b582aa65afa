"""Sessions on execution providers of ONNX Runtime that the caller names."""

from collections.abc import Sequence
from types import ModuleType
from typing import Any

from gan_runtime.devices.advice import with_advice
from gan_runtime.errors import DeviceError, InputError
from gan_runtime.model_file import ModelFile
from gan_runtime.onnx_runtime import CPU, CUDA, Providers, load_model

SUFFIX = "ExecutionProvider"
SHORT = {CUDA: "cuda", CPU: "cpu"}
BUILDS = {  # the package with a provider, which takes the place of onnxruntime
    "cuda": "gan-edge[cuda]",
    "tensorrt": "gan-edge[cuda]",
    "openvino": "onnxruntime-openvino",
    "dml": "onnxruntime-directml",
    "qnn": "onnxruntime-qnn",
    "migraphx": "onnxruntime-migraphx",
}


def parse_providers(ort: ModuleType, text: str) -> list[tuple[str, dict[str, str]]]:
    """Providers and their options from a text such as `tensorrt:trt_fp16_enable=1,trt_timing_cache_enable=1,cuda`.

    Parts are separated by commas. A part is NAME, NAME:KEY=VALUE, or KEY=VALUE, another option of the provider before.

    Raises:
        InputError: a part is none of these, or ONNX Runtime knows no provider of a name.
    """
    known = {name for one in ort.get_all_providers() for name in (one, _short(one))}
    found: list[tuple[str, dict[str, str]]] = []
    for part in text.split(","):
        head, equals, value = part.partition("=")
        name, _, key = head.rpartition(":") if equals else (head, "", "")
        if equals and key and not name and found:
            found[-1][1][key] = value
        elif name in known and bool(equals) == bool(key):
            found.append((name, {key: value} if key else {}))
        else:
            raise InputError(
                f"device {text!r}: choose one of auto, cpu, cuda, or cuda:1 for the second GPU; or name providers of "
                f"ONNX Runtime, separated by commas, each as NAME or NAME:KEY=VALUE,KEY=VALUE; {part!r} is none"
            )
    return found


def open_on(ort: ModuleType, model: ModelFile, providers: Providers, threads: int) -> tuple[Any, str]:
    """A session on all of `providers`, and the name of the first one as a device.

    Names may be short: cuda for CUDAExecutionProvider. CUDA gets the options of `--device cuda` where others are not
    given.

    Raises:
        InputError: `providers` is not a list of names, or of pairs (name, options).
        DeviceError: ONNX Runtime does not have one of them, or the first one cannot run the model.
        ModelError: ONNX Runtime cannot load the model.
    """
    names = [one[0] if isinstance(one, tuple) and one else one for one in providers]
    if isinstance(providers, str) or not names or not all(isinstance(name, str) for name in names):
        raise InputError(f"providers {providers!r}: must be a list of names, or of pairs (name, options)")
    names = [_full_name(ort, str(name)) for name in names]
    first = names[0]
    given = _with_options(names, providers)
    session, reason = _opened(ort, model, given, names, threads)
    if session is None or session.get_providers()[0] != first:
        raise DeviceError(f"provider {first!r}: cannot be used: {reason or 'ONNX Runtime gave another one'}")
    return session, SHORT.get(first, first)


def _opened(
    ort: ModuleType, model: ModelFile, providers: list[Any], names: list[str], threads: int
) -> tuple[Any | None, str]:
    if names[0] == CUDA:
        from gan_runtime.devices.cuda import open_on_cuda  # noqa: PLC0415

        return open_on_cuda(ort, model, providers, threads)
    if names[0] == CPU:
        providers = providers[:1]  # the CPU takes all of a model: nothing is left for others
    else:
        from gan_runtime.devices.trial import preload_libraries, why_not  # noqa: PLC0415

        reason = why_not(providers)
        if reason:
            return None, with_advice(reason)
        preload_libraries(ort)
    return load_model(ort, model, providers, threads), ""


def _full_name(ort: ModuleType, name: str) -> str:
    """The name of a provider that this ONNX Runtime has. Raises DeviceError if it has none of this name."""
    here = ort.get_available_providers()
    for one in here:
        if name in (one, _short(one)):
            return str(one)
    known = ", ".join(f"{_short(one)} ({one})" for one in here)
    build = BUILDS.get(_short(name))
    advice = f"; install {build} in place of this one" if build else ""
    raise DeviceError(f"provider {name!r}: this ONNX Runtime {ort.__version__} has {known}{advice}")


def _short(name: str) -> str:
    return name.removesuffix(SUFFIX).lower()


def _with_options(names: Sequence[str], providers: Providers) -> list[Any]:
    """The providers by their full names; those without options as a name alone."""
    given = [dict(one[1]) if isinstance(one, tuple) else {} for one in providers]
    if CUDA in names:
        from gan_runtime.devices.cuda import OPTIONS  # noqa: PLC0415

        given = [OPTIONS | own if name == CUDA else own for name, own in zip(names, given, strict=True)]
    return [(name, own) if own else name for name, own in zip(names, given, strict=True)]
