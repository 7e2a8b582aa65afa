"""Several processes write one output: the parts of a job, and the bytes of all parts together."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from helpers import Result, leftovers
from PIL import Image
from translators import translator

from gan_runtime import Generator
from gan_runtime.errors import InputError, OutputError
from gan_runtime.outputs import Options, write_output
from gan_runtime.outputs.sampled import SampledImages, draw
from gan_runtime.outputs.share import Share, share_of

SAMPLE = [sys.executable, "-c", "from gan_runtime.commands.sample import sample_main; sample_main()"]
BOTH = pytest.mark.parametrize("output", ["out/", "out.tar"])
Call = Callable[..., Result]


@pytest.fixture
def drawn(conditional_model: Path) -> SampledImages:
    return draw(Generator.load(conditional_model, "cpu"), 47, seed=3, start=5, batch_size=7)


def options(share: Share, output: str) -> Options:
    return Options(shard_size=6, share=share, quiet=True) if output == "out.tar" else Options(share=share, quiet=True)


def images(folder: Path) -> dict[str, bytes]:
    """The files of an output in `folder` without the records of its jobs."""
    paths = (path for path in folder.rglob("*") if path.is_file() and "request" not in path.name)
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


@pytest.mark.parametrize("n", [0, 1, 2, 7, 1_000_003])
@pytest.mark.parametrize("of", [1, 2, 3, 10])
def test_parts_are_contiguous_and_even(n: int, of: int) -> None:
    parts = [Share(number, of).part(n) for number in range(1, of + 1)]
    assert [parts[0].start, *(part.stop for part in parts)] == [*(part.start for part in parts), n]
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@pytest.mark.parametrize(
    "text", ["", "1", "0/2", "3/2", "-1/2", "1/0", "a/b", "1/2/3", "1/2 ", "\u0661/\u0662", "1/9999999"]
)
def test_other_texts_are_no_shares(text: str) -> None:
    with pytest.raises(InputError, match="--shard"):
        share_of(text)


def test_none_of_no_parts_is_suggested() -> None:
    with pytest.raises(InputError, match="--shard '1/0': give k/N, part k of N parts, such as 1/4 to 4/4"):
        share_of("1/0")


@BOTH
def test_the_union_of_all_parts_is_the_whole_byte_for_byte(
    output: str, drawn: SampledImages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, shares in (("one", [Share()]), ("many", [Share(2, 3), Share(3, 3), Share(1, 3)])):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        for share in shares:
            outcome = write_output(output, drawn, options(share, output))
            assert outcome.kept == 0
        assert not leftovers(Path())
    assert images(tmp_path / "one") == images(tmp_path / "many")
    assert len(images(tmp_path / "many")) == (8 if output == "out.tar" else 48)


@BOTH
def test_a_part_and_the_whole_go_on_with_what_is_there(output: str, drawn: SampledImages) -> None:
    share = Share(2, 3)
    write_output(output, drawn, options(share, output))
    before = images(Path())
    again = write_output(output, drawn, options(share, output))
    assert again.kept == sum(len(part) for part in [share.part(47)]) if output == "out/" else again.kept == 18
    whole = write_output(output, drawn, options(Share(), output))
    assert whole.kept == again.kept
    assert before.items() <= images(Path()).items()


@BOTH
def test_parts_of_different_requests_do_not_mix(output: str, drawn: SampledImages) -> None:
    write_output(output, drawn, options(Share(1, 2), output))
    there = images(Path())
    other = draw(drawn.generator, 47, seed=4, start=5)
    for share in (Share(2, 2), Share(1, 2), Share()):
        with pytest.raises(OutputError, match="different request: seed 3, not 4"):
            write_output(output, other, options(share, output))
    assert images(Path()) == there
    write_output(output, drawn, options(Share(2, 2), output))


@BOTH
def test_a_part_leaves_the_temporary_files_of_others(output: str, drawn: SampledImages) -> None:
    write_output(output, drawn, options(Share(1, 2), output))
    folder = Path(output).parent if output == "out.tar" else Path(output)
    (folder / ".gan-edge-0123abcd-busy.tmp").touch()
    write_output(output, drawn, options(Share(2, 2), output))
    assert len(leftovers(Path())) == 1


def test_processes_write_one_folder_at_the_same_time(drawn: SampledImages, conditional_model: Path) -> None:
    call = [*SAMPLE, "--n", "300", "--model", conditional_model, "--quiet"]
    running = [subprocess.Popen([*call, "--shard", f"{number}/3", "out/"]) for number in (1, 2, 3)]
    assert [process.wait(60) for process in running] == [0, 0, 0]
    subprocess.run([*call, "whole/"], check=True)
    assert images(Path("out")) == images(Path("whole"))
    again = subprocess.run([*call, "out/", "--json"], check=True, capture_output=True)
    assert json.loads(again.stdout)["kept"] == 300


def test_more_parts_than_files(call: Call, conditional_model: Path) -> None:
    words = ("gan-sample", "out.tar", "--n", 20, "--shard-size", 10, "--model", conditional_model, "--shard")
    said = [call(*words, f"{part}/4") for part in (1, 2, 3, 4)]
    assert [result.out.split() for result in said] == [
        ["out.tar"],
        ["out-00000.tar"],
        ["out.tar"],
        ["out-00001.tar"],
    ]
    assert ["has nothing to write" in result.err for result in said] == [True, False, True, False]
    assert sorted(path.name for path in Path().glob("*.tar")) == ["out-00000.tar", "out-00001.tar"]


def test_more_parts_than_images(call: Call, conditional_model: Path) -> None:
    words = ("gan-sample", "--n", 2, "--model", conditional_model)
    said = [call(*words, "out/", "--shard", f"{part}/5") for part in (1, 2, 3, 4, 5)]
    assert [(result.code, "has nothing to write" in result.err) for result in said] == [
        (0, True),
        (0, True),
        (0, False),
        (0, True),
        (0, False),
    ]
    assert call(*words, "whole/").code == 0
    assert images(Path("out")) == images(Path("whole"))
    assert Path("out/labels.csv").read_bytes() == Path("whole/labels.csv").read_bytes()


def test_a_part_of_a_picture_is_refused(call: Call, conditional_model: Path) -> None:
    failed = call("gan-sample", "out.png", "--shard", "1/2", "--model", conditional_model)
    assert failed.code == 1
    assert "--shard: has an effect only for .tar and /" in failed.err


def test_translated_parts_are_the_whole(call: Call) -> None:
    model = translator("invert.onnx")
    rng = np.random.default_rng(0)
    Path("photos/sub").mkdir(parents=True)
    for name in ("a.png", "b.png", "sub/c.png", "d.png", "e.png"):
        Image.fromarray(rng.integers(0, 256, (9, 11, 3), np.uint8)).save(f"photos/{name}")
    words = ("gan-translate", "photos", "--model", model)
    for number in (2, 1):
        call(*words, "parts/", "--shard", f"{number}/2")
    call(*words, "whole/")
    tables = {"files.jsonl", "files-1-of-2.jsonl", "files-2-of-2.jsonl"}
    whole, parts = ({k: v for k, v in images(Path(name)).items() if k not in tables} for name in ("whole", "parts"))
    assert whole == parts
    assert len(whole) == 5
    again = json.loads(call(*words, "parts/", "--json").out)
    assert (again["n"], again["kept"]) == (5, 5)
    refused = call("gan-translate", "--model", model, "photos/a.png", "x.png", "--shard", "1/2")
    assert "--shard 1/2: divides the images of a folder" in refused.err
