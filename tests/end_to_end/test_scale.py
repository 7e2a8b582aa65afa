"""The examples of docs/scale.md: their command lines in a shell, with the variables that the schedulers set."""

import os
import re
import subprocess
from pathlib import Path

import pytest
from conftest import BIN, ROOT

TEXT = (ROOT / "docs" / "scale.md").read_text()
SMALL = {"--n 100000 ": "--n 24 --shard-size 6 ", "--n 1000000000 ": "--n 24 --shard-size 6 "}


def example(language: str, word: str) -> str:
    """The block of this language with `word`, for few images."""
    (found,) = (block for block in re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.M | re.S) if word in block)
    for large, small in SMALL.items():
        found = found.replace(large, small)
    assert "--n 24" in found
    return str(found)


def shell(script: str, **variables: str) -> None:
    path = os.pathsep.join([str(BIN), os.environ["PATH"]])
    subprocess.run(["bash", "-e", "-c", script], check=True, timeout=200, env=os.environ | variables | {"PATH": path})


@pytest.fixture
def alone() -> dict[str, bytes]:
    shell("mkdir alone && cd alone && gan-sample --n 24 --shard-size 6 --quiet digits.tar")
    return shards(Path("alone"))


def shards(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("digits-0*.tar")}


def test_xargs(alone: dict[str, bytes]) -> None:
    shell(example("bash", "xargs"))
    assert shards(Path()) == alone
    assert len(alone) == 4


def test_slurm(alone: dict[str, bytes]) -> None:
    script = example("bash", "SBATCH")
    for number in (2, 1):
        shell(script, SLURM_ARRAY_TASK_ID=str(number), SLURM_ARRAY_TASK_COUNT="2")
    assert shards(Path()) == alone


def test_kubernetes(alone: dict[str, bytes]) -> None:
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    spec = yaml.safe_load(example("yaml", "batch/v1"))["spec"]
    (container,) = spec["template"]["spec"]["containers"]
    (script,) = container["args"]
    assert container["command"] == ["sh", "-c"]
    assert f"/{spec['completions']} " in script
    for index in range(2):
        shell(script.replace(f"/{spec['completions']} ", "/2 "), JOB_COMPLETION_INDEX=str(index))
    assert shards(Path()) == alone
