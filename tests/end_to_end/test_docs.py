"""Every command of the documentation is run, in order, as a reader would; every option that it names exists.

The commands of blocks marked `sh` are run in a folder with the shipped model and some photos, and so is Python. All of
it runs in this process: processes of their own would import torch again and again, and other tests start those.
gan-train and gan-bench are shortened; what cannot be run there is listed below, with the place where it is run.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from helpers import Result, idx_source, new_generator
from PIL import Image
from styled_formula import Styled
from upscalers import upscaler

from gan_runtime.data.registry import SOURCES
from gan_trainer.runs import history

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
DOCS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
COMMANDS = (
    "gan-train",
    "gan-export",
    "gan-compare",
    "gan-features",
    "gan-project",
    "gan-sample",
    "gan-translate",
    "gan-upscale",
    "gan-encode",
    "gan-bench",
    "gan-info",
    "gan-data",
    "gan-eval",
)
ELSEWHERE = {
    "git clone <this repository> gan-edge && cd gan-edge": "by whoever runs the gate",
    "make demo": ".ci/run",
    "make test": ".ci/run",
    "make install": ".ci/run",
    "PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu make demo": ".ci/run, with another index",
    ".venv/bin/pytest tests/runtime/test_latents.py": ".ci/run",
    ".venv/bin/python -m hatchling build": "tests/end_to_end/test_installation.py",
    "gan-features mnist --output mine.onnx": "tests/trainer/test_features.py, with fewer digits",
    "gan-features --inception pt_inception-2015-12-05-6726825d.pth --resize clean-fid --output inception.onnx": (
        "tests/trainer/test_inception.py, with weights from a formula"
    ),
    "gan-eval photos.onnx photos/ --features inception.onnx --n 50000": "by hand: it takes hours",
    "python benchmarks/quality.py --check": "by hand before a model is shipped: it trains for 12 minutes",
    "gan-eval exported/stacked-mnist-quick.onnx stacked-mnist --n 26000": "benchmarks/laboratory.py, minutes long",
    "gan-sample --n 1000000 --ray digits.tar": "tests/end_to_end/test_ray.py, with fewer images",
    "gan-upscale photos/ --ray 10.0.0.1:6379 large/": "tests/end_to_end/test_ray.py, on another host",
    "torchrun --nproc-per-node 2 -m gan_trainer mnist --recipe quick": (
        "tests/trainer/test_distributed.py, with a folder of pictures"
    ),
    "torchrun --nnodes 2 --nproc-per-node 8 --rdzv-backend c10d --rdzv-endpoint first:29400 --rdzv-id 1 -m gan_trainer "
    "photos/ --recipe stylegan2 --batch-size 64": "by nobody: it needs two hosts with GPUs",
    "torchrun --nproc-per-node 2 -m gan_trainer mnist --threads 1 --images 100000 --name two": (
        "tests/trainer/test_distributed.py, with a folder of pictures"
    ),
    "ls dist": "tests/end_to_end/test_installation.py",
}
FASHION = ROOT.parent / "shared" / "data" / "fashion-mnist"  # on some machines
LONG = "gan-compare"  # an hour or so; tests/trainer/test_compare.py runs it with few digits
NEED_FASHION = ("gan-train fashion-mnist", "gan-export runs/fashion-mnist")
SHORT = ("--images", "192", "--batch-size", "32", "--width", "8", "--threads", "1")
BRIEF = ("--seconds", "0.01", "--batches", "8", "--threads", "1")
LONGER = ("--images", "256")  # than what SHORT has
# Options of pip, docker, trainings of others, Slurm and torchrun that the text may mention.
OTHER_TOOLS = {
    "--gpus",
    "--extra-index-url",
    "--cfg",
    "--array",
    "--gres",
    "--requeue",
    "--max-restarts",
    "--nproc-per-node",
}


def blocks(document: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", document.read_text(), re.MULTILINE | re.DOTALL)


def without_blocks(document: Path) -> str:
    return re.sub(r"^```.*?^```$", "", document.read_text(), flags=re.MULTILINE | re.DOTALL)


def commands(document: Path) -> list[str]:
    """Those that are run here."""
    lines = [line for block in blocks(document, "sh") for line in block.splitlines()]
    written = [line.split("  #")[0].strip() for line in lines if line.strip() and not line.startswith("#")]
    needless = () if FASHION.is_dir() else NEED_FASHION
    return [one for one in written if one not in ELSEWHERE and not one.startswith((LONG, *needless))]


def named(documents: list[Path]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("document", documents, ids=lambda path: path.name)


@pytest.fixture
def reader(tmp_path: Path) -> Path:
    """A reader's folder: photos of three kinds, pairs of pictures, and the shipped model."""
    rng = np.random.default_rng(0)
    for i in range(96):
        folder = tmp_path / "photos" / ("ape", "bee", "cat")[i % 3]
        folder.mkdir(parents=True, exist_ok=True)
        picture = Image.fromarray(rng.integers(0, 256, (40, 50, 3), dtype=np.uint8))
        picture.save(folder / f"{i:02d}.png")
        for domain in ("A", "B"):
            (tmp_path / "pairs" / domain).mkdir(parents=True, exist_ok=True)
            picture.convert("L" if domain == "A" else "RGB").save(tmp_path / "pairs" / domain / f"{i:02d}.png")
    (tmp_path / "exported").mkdir()
    shutil.copy(ROOT / "exported" / "mnist.onnx", tmp_path / "exported")
    shutil.copytree(ROOT / "exported" / "features", tmp_path / "exported" / "features")
    upscaler(tmp_path / "exported" / "x4.onnx", 4)
    return tmp_path


@pytest.fixture
def small_mnist(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, real_digits: dict[str, tuple[np.ndarray, np.ndarray]]
) -> None:
    """A thousand images of MNIST in place of 70,000, and evaluations of runs with few images."""
    data = tmp_path / "data"
    monkeypatch.setitem(SOURCES, "mnist", idx_source(data / "mnist", real_digits))
    monkeypatch.setattr(history, "SAMPLES", 130)
    monkeypatch.setattr(history, "FINAL_SAMPLES", 260)
    monkeypatch.setenv("GAN_EDGE_DATA", str(data))
    if FASHION.is_dir():
        (data / FASHION.name).symlink_to(FASHION)


@named([document for document in DOCS if commands(document)])
def test_every_command_runs(document: Path, reader: Path, small_mnist: None, call: Callable[..., Result]) -> None:
    for command in commands(document):
        assert not set(command) & set("|&;<>$`*?~\\"), "a shell would read it in another way"
        program, *arguments = shlex.split(command)
        done = call(program, *arguments, *shortened(program, arguments))
        assert done.code == 0, (command, done.err[-3000:])


def shortened(program: str, arguments: list[str]) -> tuple[str, ...]:
    """What is added to the arguments of gan-train and gan-bench, so that they do not take minutes."""
    if program != "gan-train":
        return BRIEF if program == "gan-bench" else ()
    if "--resume" in arguments:
        return LONGER if "--images" in arguments else ()
    return SHORT


@pytest.fixture
def one_processor() -> Iterator[None]:
    """What chooses its number of threads takes one: other tests need the others."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, [min(before)])
    yield
    os.sched_setaffinity(0, before)


@pytest.mark.filterwarnings("default")  # as a reader has them
@named([document for document in DOCS if blocks(document, "python")])
def test_python_blocks_run(document: Path, reader: Path, small_mnist: None, one_processor: None) -> None:
    code = "\n".join(blocks(document, "python")).replace("1_000_000", "1_000").replace("images=50_000", "images=256")
    shutil.copy(ROOT / "exported" / "mnist.onnx", "exported/photos-quick.onnx")
    Styled(layers=10, classes=3).write(Path("exported/animals.onnx"))
    shutil.copy("photos/ape/00.png", "photo.png")
    exec(compile(code, document, "exec"), {"my_generator": new_generator("gan", latent_dim=128)})


@pytest.fixture(scope="module")
def known_options() -> set[str]:
    found: set[str] = set()
    recipes = [("gan-train", "--recipe", recipe) for recipe in ("bigan", "pix2pix", "cyclegan")]  # of each system
    for command, *options in [*((command,) for command in COMMANDS), *recipes]:
        help_text = subprocess.run(
            [BIN / command, *options, "--help"], capture_output=True, text=True, check=True
        ).stdout
        found |= set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", help_text))
    return found


@named([*DOCS, ROOT / "CHANGELOG.md"])
def test_every_option_exists(document: Path, known_options: set[str]) -> None:
    text = "\n".join(re.findall(r"`[^`\n]+`", document.read_text()))
    mentioned = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text))
    assert not mentioned - known_options - OTHER_TOOLS


def test_commands_stand_in_blocks_that_are_run() -> None:
    """An indented command would be read by people and run by no test."""
    for document in DOCS:
        outside = without_blocks(document)
        assert not re.findall(rf"^    (?:{'|'.join(COMMANDS)}|make|pip|python) .*", outside, re.MULTILINE), document


def test_links_lead_somewhere() -> None:
    for document in DOCS:
        prose = without_blocks(document)
        for target in re.findall(r"\]\(([^)#:]+)\)", prose):
            assert (document.parent / target).exists(), (document.name, target)


def test_modules_that_the_architecture_names_exist() -> None:
    named = set(re.findall(r"`([\w/]+\.py)`", (ROOT / "docs" / "architecture.md").read_text()))
    modules = [path.as_posix() for folder in ("runtime", "trainer", "tests") for path in (ROOT / folder).rglob("*.py")]
    assert len(named) > 20
    assert not [name for name in named if not any(path.endswith(f"/{name}") for path in modules)]
