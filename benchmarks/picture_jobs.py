"""How much of decoding and encoding is hidden behind the model when a folder of photos is translated.

Noisy photos as JPEG become PNGs. Measured in turn: each stage alone, in one thread; the three stages after each other;
and the job of `gan-translate`, which decodes and encodes some pictures while others run, with one thread for the model
and with all. The network has random weights: `--width` and `--layers` of 3 x 3 convolutions choose how long it takes,
compared with the files. Target: with one thread for the model, the job takes at most 1.15 times as long as the longer
one of the model alone and the files alone. That needs a second processor that is idle.
"""

import itertools
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from interleave import Row, Times, interleave, machine, new_parser, publish
from onnx import TensorProto, helper
from onnx.numpy_helper import from_array
from PIL import Image

from gan_runtime.devices.processors import available_cpus
from gan_runtime.image_to_image.translator import Translator
from gan_runtime.images.options import PictureOptions
from gan_runtime.images.whole import WholeDecoder
from gan_runtime.images.writing import Encoding
from gan_runtime.manifest import METADATA_KEY, ImageAxes, Tiling, TranslateManifest
from gan_runtime.transform.model import model_of
from gan_runtime.transform.pictures import transform_pictures
from gan_runtime.transform.places import place_of
from gan_runtime.transform.settings import Settings
from gan_runtime.transform.transform import Transform
from gan_trainer.export.manifest import to_json

TARGET = 1.15
DECODE, RUN, ENCODE, SERIAL = "decode alone", "model alone", "encode alone", "one after the other"
ONE = "job, 1 thread"


@dataclass(frozen=True)
class Stages:
    """The stages of the job on the files of a folder, in one thread, and what goes in and comes out of each."""

    files: Sequence[bytes]
    translator: Translator

    def decode(self) -> list[np.ndarray]:
        """Decode all files."""
        decoder = WholeDecoder(PictureOptions())
        return [decoder.picture(content).colours for content in self.files]

    def run(self, pictures: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Run the model on all pictures."""
        return [self.translator.translate(picture) for picture in pictures]

    def encode(self, pictures: Sequence[np.ndarray]) -> list[bytes]:
        """Encode all pictures."""
        from gan_runtime.images.whole import Picture

        return [Encoding().still(Picture(picture)) for picture in pictures]


def main() -> None:
    """Measure, and print the table."""
    parser = new_parser(__doc__)
    parser.add_argument("--n", type=int, default=24, help="photos")
    parser.add_argument("--size", type=int, nargs=2, default=(640, 480), metavar=("WIDTH", "HEIGHT"))
    parser.add_argument("--width", type=int, default=8, help="channels of the network")
    parser.add_argument("--layers", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    host = machine()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        photos(folder / "in", options.n, *options.size)
        network(folder / "x.onnx", options.width, options.layers)
        times = interleave(sides(folder), options.rounds)
    bound = max(times[RUN].median, times[DECODE].median + times[ENCODE].median)
    ratio = times[ONE].median / bound
    missed = [f"{ONE}: {ratio:.2f} x the longer one of model and files, wanted {TARGET}"] if ratio > TARGET else []
    publish(host, [_row(name, side, times, options.n) for name, side in times.items()], missed, options)


def sides(folder: Path) -> dict[str, Callable[[], object]]:
    """What is measured, by name."""
    files = [path.read_bytes() for path in sorted((folder / "in").iterdir())]
    stages = Stages(files, Translator.load(folder / "x.onnx", "cpu", 1))
    pictures = stages.decode()
    results = stages.run(pictures)
    number = itertools.count()

    def job(threads: int) -> Callable[[], object]:
        model = model_of(Translator.load(folder / "x.onnx", "cpu", threads))

        def run() -> None:
            source, output = str(folder / "in"), f"{folder}/out-{next(number)}/"
            transform_pictures(place_of(output, [source], None), [source], Transform(model, Settings()), quiet=True)

        return run

    return {
        DECODE: stages.decode,
        RUN: lambda: stages.run(pictures),
        ENCODE: lambda: stages.encode(results),
        SERIAL: lambda: stages.encode(stages.run(stages.decode())),
        ONE: job(1),
        f"job, {available_cpus()} threads": job(available_cpus()),
    }


def photos(folder: Path, n: int, width: int, height: int) -> None:
    """Smooth colours with the noise of a camera, as JPEG."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(n):
        small = rng.integers(0, 256, (8, 8, 3), np.uint8)
        smooth = np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC), np.float32)
        noisy = (smooth + rng.normal(0, 4, smooth.shape)).clip(0, 255).astype(np.uint8)
        Image.fromarray(noisy).save(folder / f"{number:04d}.jpg", quality=90)


def network(path: Path, width: int, layers: int) -> None:
    """A translator of 3 x 3 convolutions with random weights."""
    rng = np.random.default_rng(0)
    sizes = [3, *[width] * (layers - 1), 3]
    weights = {
        f"w{i}": (rng.normal(size=(b, a, 3, 3)) / np.sqrt(9 * a)).astype(np.float32)
        for i, (a, b) in enumerate(itertools.pairwise(sizes))
    }
    nodes = [
        helper.make_node("Cast", ["source"], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["pixels"], ["x0"], perm=[0, 3, 1, 2]),
        *(
            node
            for i in range(layers)
            for node in (
                helper.make_node("Conv", [f"x{i}", f"w{i}"], [f"c{i}"], pads=[1, 1, 1, 1]),
                helper.make_node("Relu", [f"c{i}"], [f"x{i + 1}"]),
            )
        ),
        helper.make_node("Clip", [f"x{layers}", "low", "high"], ["clipped"]),
        helper.make_node("Transpose", ["clipped"], ["last"], perm=[0, 2, 3, 1]),
        helper.make_node("Cast", ["last"], ["images"], to=TensorProto.UINT8),
    ]
    weights |= {"low": np.float32(0), "high": np.float32(255)}
    axes = ["n", "h", "w", 3]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("source", TensorProto.UINT8, axes)],
        [helper.make_tensor_value_info("images", TensorProto.UINT8, axes)],
        [from_array(np.asarray(value), name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    size = ImageAxes(None, None, 3)
    manifest = TranslateManifest(name="g", source=size, output=size, network=Tiling(context=layers))
    helper.set_model_props(model, {METADATA_KEY: to_json(manifest)})
    onnx.save(model, path)


def _row(name: str, side: Times, times: dict[str, Times], n: int) -> Row:
    return {
        "what": name,
        "ms per photo": f"{side.median * 1e3 / n:.1f}",
        "shortest-longest": side.span(1e3 / n),
        "x one after the other": f"{side.median / times[SERIAL].median:.2f}",
    }


if __name__ == "__main__":
    main()
