"""Milliseconds per picture of exported files that enlarge, beside torch eager, OpenVINO and int8.

All compute in fp32 but the last, on one thread, from uint8 [1, h, w, 3] to uint8 [1, 4 h, 4 w, 3], with the same random
weights. OpenVINO runs the exported file for this size alone; it is left out if it is not installed (pip install
openvino). The file in int8 is that of upscaling_int8.py. Targets: the file is not slower than torch, and int8 is faster
than both.
"""

import argparse
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from interleave import Row, Times, interleave, machine, new_parser, publish

NETWORKS: dict[str, dict[str, Any]] = {
    "compact 64x8": {"network": "compact", "width": 64, "blocks": 8},
    "edsr 64x8": {"network": "edsr", "width": 64, "blocks": 8},
    "rrdb 64x2": {"network": "rrdb", "width": 64, "blocks": 2},
}
SCALE, CHANNELS = 4, 3
FILE, TORCH, OPENVINO, INT8 = "file", "torch", "OpenVINO", "int8"


def main() -> None:
    """Compare, and print the table."""
    options = _parse()
    host = machine(1)
    if find_spec("openvino"):
        from importlib.metadata import version

        host["openvino"] = version("openvino")
    with tempfile.TemporaryDirectory() as folder:
        rows = [row for name in options.networks for row in compare(name, options, Path(folder))]
    publish(host, rows, _missed(rows), options)


def compare(name: str, options: argparse.Namespace, folder: Path) -> list[Row]:
    """A network in all forms, in the same rounds."""
    import torch

    torch.set_num_threads(1)
    times = interleave(forms(name, options.side, folder), options.rounds)
    return [_row(name, form, options.side, times) for form in times]


def forms(name: str, side: int, folder: Path) -> dict[str, Callable[[], object]]:
    """The network as a file, as a module, in OpenVINO and in int8, each enlarging one random picture."""
    import torch
    from upscaling_int8 import quantise

    from gan_runtime.evaluation.fingerprint import source_images
    from gan_runtime.image_to_image.upscaler import Upscaler
    from gan_runtime.manifest import ImageAxes
    from gan_trainer.export.image_to_image import Deployed
    from gan_trainer.export.upscaler import KIND, upscaler_file
    from gan_trainer.networks.upscaling import new_upscaler

    torch.manual_seed(0)
    module = new_upscaler(scale=SCALE, channels=CHANNELS, **NETWORKS[name]).eval()
    path = folder / f"{name}.onnx"
    path.write_bytes(upscaler_file(module, path, channels=CHANNELS, scale=SCALE).content)
    picture, small = source_images(ImageAxes(side, side, CHANNELS), 1), folder / f"{name}-int8.onnx"
    quantise(path, small, [*source_images(ImageAxes(side, side, CHANNELS), 4)])
    file, eight = (Upscaler.load(one, "cpu", 1) for one in (path, small))
    deployed = Deployed(module, KIND)

    @torch.inference_mode()
    def eager() -> object:
        return deployed(torch.from_numpy(picture)).contiguous().numpy()

    found: dict[str, Callable[[], object]] = {FILE: lambda: file(picture, 0), TORCH: eager}
    if find_spec("openvino"):
        found[OPENVINO] = in_openvino(path, picture)
    return found | {INT8: lambda: eight(picture, 0)}


def in_openvino(path: Path, picture: Any) -> Callable[[], object]:
    """The file in OpenVINO, for pictures of this size."""
    import openvino

    model = openvino.Core().read_model(path)
    model.reshape(picture.shape)
    about = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino.Core().compile_model(model, "CPU", about)
    return lambda: compiled(picture)[0]


def _row(name: str, form: str, side: int, times: dict[str, Times]) -> Row:
    mine = times[form]
    megapixels = (SCALE * side) ** 2 / 1e6
    return {
        "network": name,
        "pixels": f"{side}x{side}",
        "by": form,
        "ms": f"{mine.median * 1e3:.0f}",
        "shortest-longest": mine.span(digits=0),
        "megapixels/s": f"{megapixels / mine.median:.2f}",
        "x torch": f"{times[TORCH].median / mine.median:.2f}",
        **{f"x {OPENVINO}": f"{times[OPENVINO].median / mine.median:.2f}" for _ in [0] if OPENVINO in times},
    }


def _missed(rows: list[Row]) -> list[str]:
    return [
        f"{row['network']}, {row['by']}: {row['x torch']} times the speed of torch"
        for row in rows
        if row["by"] in (FILE, INT8) and float(row["x torch"]) < 1
    ]


def _parse() -> argparse.Namespace:
    parser = new_parser(__doc__)
    parser.add_argument("--rounds", type=int, default=15, help="number of measurements per variant")
    parser.add_argument("--side", type=int, default=128, help="of the picture, in pixels")
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS), choices=list(NETWORKS))
    return parser.parse_args()


if __name__ == "__main__":
    main()
