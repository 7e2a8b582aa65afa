import csv
import fcntl
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from helpers import Result, leftovers, linear_generator
from numpy.typing import NDArray
from PIL import Image

from gan_runtime import Generator
from gan_runtime.errors import InputError, OutputError
from gan_runtime.files import atomic_write, remove_leftovers_of
from gan_runtime.outputs import Options, write_output
from gan_runtime.outputs.folder import ranges
from gan_runtime.outputs.sampled import draw

SAMPLE = [sys.executable, "-c", "from gan_runtime.commands.sample import sample_main; sample_main()"]
BOTH = pytest.mark.parametrize("output", ["out/", "out.tar"])
QUIET = Options(quiet=True)


@pytest.fixture(scope="module")
def generator(conditional_model: Path) -> Generator:
    return Generator.load(conditional_model, device="cpu")


def contents() -> dict[str, bytes]:
    """All files below the current folder that belong to an output."""
    return {str(path): path.read_bytes() for path in sorted(Path().rglob("*")) if path.is_file()}


def names_in(folder: str) -> list[str]:
    return sorted(path.name for path in Path(folder).iterdir())


def images_in(folder: Path) -> NDArray[np.uint8]:
    return np.stack([np.asarray(Image.open(path)) for path in sorted(folder.glob("*.png"))])[..., None]


def test_a_folder_has_a_png_an_image_and_a_table_of_labels(generator: Generator) -> None:
    outcome = write_output("out/", draw(generator, 30, seed=1, start=99_999_990, batch_size=8))
    assert (outcome.name, outcome.kept) == ("out/", 0)
    names = [f"{index:08d}.png" for index in range(99_999_990, 100_000_020)]
    assert names_in("out") == sorted([*names, "labels.csv", "request.json"])
    pictures = np.stack([np.asarray(Image.open(Path("out", name))) for name in names])
    np.testing.assert_array_equal(pictures, generator.sample(30, seed=1, start=99_999_990)[..., 0])
    with Path("out/labels.csv").open(newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["file", "label", "name"]
    assert rows == [[name, str(i % 10), str(i % 10)] for i, name in enumerate(names)]


def test_an_existing_empty_folder_needs_no_slash(unconditional_model: Path) -> None:
    Path("out").mkdir()
    write_output("out", draw(Generator.load(unconditional_model, "cpu"), 3))
    assert names_in("out") == ["00000000.png", "00000001.png", "00000002.png", "request.json"]


def test_own_latents_are_named_by_their_row(generator: Generator) -> None:
    z = np.random.default_rng(0).normal(size=(5, 16)).astype(np.float32)
    write_output("out/", draw(generator, 5, labels=3, latents=z))
    np.testing.assert_array_equal(images_in(Path("out")), generator(z, 3))
    assert Path("out/labels.csv").read_text().splitlines()[1] == "00000000.png,3,3"
    with pytest.raises(OutputError, match="a different request: latents"):
        write_output("out/", draw(generator, 5, labels=3, latents=z + 1))
    with pytest.raises(OutputError, match="a different request: label 3, not"):
        write_output("out/", draw(generator, 5, labels=[1, 2, 3, 4, 5], latents=z))


def test_shards_are_what_webdataset_reads(generator: Generator) -> None:
    outcome = write_output("out.tar", draw(generator, 25, seed=1, start=7, batch_size=4), Options(shard_size=10))
    assert outcome.name == "out-{00000..00002}.tar"
    assert outcome.shards == ("out-00000.tar", "out-00001.tar", "out-00002.tar")
    images, labels = [], []
    for shard, count in zip(outcome.shards, (10, 10, 5), strict=True):
        with tarfile.open(shard) as tar:
            members = tar.getmembers()
            assert len(members) == 2 * count
            for member in members:
                assert (member.mtime, member.uid, member.gid, member.mode) == (0, 0, 0, 0o644)
                assert (member.uname, member.gname, member.isreg(), member.pax_headers) == ("", "", True, {})
            for png, label in zip(members[::2], members[1::2], strict=True):
                index = 7 + len(images)
                assert (png.name, label.name) == (f"{index:08d}.png", f"{index:08d}.cls")
                images.append(np.asarray(Image.open(tar.extractfile(png))))
                labels.append(int(tar.extractfile(label).read()))
    np.testing.assert_array_equal(np.stack(images), generator.sample(25, seed=1, start=7)[..., 0])
    assert labels == [i % 10 for i in range(7, 32)]


def test_tar_itself_finds_nothing_wrong_with_a_shard(unconditional_model: Path) -> None:
    outcome = write_output("out.tar", draw(Generator.load(unconditional_model, "cpu"), 3))
    assert outcome.name == "out-00000.tar"
    assert Path(outcome.name).stat().st_size % 10240 == 0
    done = subprocess.run(["tar", "tf", outcome.name], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("00000000.png\n00000001.png\n00000002.png\n", "")


@BOTH
def test_jobs_do_not_depend_on_batches_and_threads(output: str, conditional_model: Path, tmp_path: Path) -> None:
    made = []
    for batch_size, threads in ((64, 1), (7, 2)):
        folder = tmp_path / str(threads)
        folder.mkdir()
        os.chdir(folder)
        drawn = draw(Generator.load(conditional_model, "cpu", threads), 50, batch_size=batch_size)
        write_output(output, drawn, Options(shard_size=20) if output == "out.tar" else None)
        made.append(contents())
    assert made[0] == made[1]


def test_large_images_are_encoded_in_threads_and_in_order(tmp_path: Path) -> None:
    model = linear_generator(tmp_path / "large.onnx", ["n", 8], ["n", 3, 64, 64])
    drawn = draw(Generator.load(model, "cpu", threads=2), 20)
    write_output("out/", drawn)
    images = np.stack([np.asarray(Image.open(path)) for path in sorted(Path("out").glob("*.png"))])
    np.testing.assert_array_equal(images, np.concatenate(list(drawn.batches())))


def test_holes_are_filled(generator: Generator, capfd: pytest.CaptureFixture[str]) -> None:
    drawn = draw(generator, 30, seed=1, start=5, batch_size=4)
    write_output("out/", drawn)
    complete = contents()
    for index in (5, 11, 12, 13, 34):
        Path(f"out/{index:08d}.png").unlink()
    Path("out/labels.csv").unlink()
    Path("out/.gan-edge-0123-abcd.tmp").touch()
    kept = Path("out/00000006.png").stat().st_mtime_ns
    assert write_output("out/", drawn).kept == 25
    assert "out/: 25 of 30 images exist already" in capfd.readouterr().err
    assert contents() == complete
    assert Path("out/00000006.png").stat().st_mtime_ns == kept


def test_missing_shards_are_made_again(generator: Generator, capfd: pytest.CaptureFixture[str]) -> None:
    drawn, options = draw(generator, 45), Options(shard_size=10)
    write_output("out.tar", drawn, options)
    complete = contents()
    for number in (1, 4):
        Path(f"out-{number:05d}.tar").unlink()
    assert write_output("out.tar", drawn, options).kept == 30
    assert "out.tar: 30 of 45 images exist already" in capfd.readouterr().err
    assert contents() == complete


def test_files_without_content_are_made_again(generator: Generator) -> None:
    options = Options(shard_size=10)
    write_output("out/", draw(generator, 30))
    write_output("out.tar", draw(generator, 30), options)
    complete = contents()
    for name in ("out/00000007.png", "out/labels.csv", "out-00001.tar"):
        Path(name).write_bytes(b"")
    assert write_output("out/", draw(generator, 30)).kept == 29
    assert write_output("out.tar", draw(generator, 30), options).kept == 20
    assert contents() == complete


def torn(content: bytes) -> dict[str, bytes]:
    middle = len(content) // 2
    return {
        "emptied": b"",
        "cut off": content[:-1],
        "half": content[:middle],
        "zeroed": bytes(len(content)),
        "end zeroed": content[:middle] + bytes(len(content) - middle),
        "one bit": content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :],
        "longer": content + b"x",
        "text": b"hello",
    }


@pytest.mark.parametrize("damage", torn(bytes(9)))
@pytest.mark.parametrize("name", ["out/00000007.png", "out/labels.csv", "out-00001.tar"])
def test_torn_files_are_said_and_made_again(
    name: str, damage: str, generator: Generator, capfd: pytest.CaptureFixture[str]
) -> None:
    output, options = ("out/", Options()) if name.startswith("out/") else ("out.tar", Options(shard_size=10))
    write_output(output, draw(generator, 30), options)
    complete = contents()
    Path(name).write_bytes(torn(complete[name])[damage])
    capfd.readouterr()
    kept = write_output(output, draw(generator, 30), options).kept
    assert kept == {"out/00000007.png": 29, "out/labels.csv": 30, "out-00001.tar": 20}[name]
    assert f"{output}: damaged, will be written again: {Path(name).name}\n" in capfd.readouterr().err
    assert contents() == complete


def test_sound_files_of_other_sizes_labels_and_names_are_made_again(generator: Generator) -> None:
    options = Options(shard_size=10)
    write_output("out/", draw(generator, 30))
    write_output("out.tar", draw(generator, 30), options)
    complete = contents()
    Image.new("L", (28, 29)).save("out/00000003.png")
    Image.new("RGB", (28, 28)).save("out/00000004.png")
    Path("out/00000005.png").write_bytes(complete["out/00000006.png"] + complete["out/00000006.png"])
    shutil.copy("out-00001.tar", "out-00000.tar")  # whole, with the images of another one
    label = complete["out-00002.tar"].index(b"00000020.cls") + 512
    Path("out-00002.tar").write_bytes(complete["out-00002.tar"][:label] + b"7" + complete["out-00002.tar"][label + 1 :])
    assert write_output("out/", draw(generator, 30)).kept == 27
    assert write_output("out.tar", draw(generator, 30), options).kept == 10
    assert contents() == complete


@pytest.mark.parametrize("name", ["out/00000001.png", "out/labels.csv", "out-00000.tar"])
def test_a_folder_in_the_place_of_a_file_is_refused_before_any_work(
    name: str, generator: Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = "out/" if name.startswith("out/") else "out.tar"
    write_output(output, draw(generator, 3))
    Path(name).unlink()
    Path(name).mkdir()
    monkeypatch.setattr(Generator, "_draw_batch", lambda *_: pytest.fail("inference"))
    with pytest.raises(OutputError, match=f"{name}: is a folder; name a file"):
        write_output(output, draw(generator, 3))


@BOTH
def test_a_job_that_fails_before_its_first_file_leaves_the_place_free(
    output: str, generator: Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object) -> NDArray[np.uint8]:
        raise InputError("no image")

    with monkeypatch.context() as broken:
        broken.setattr(Generator, "_draw_batch", failing)
        with pytest.raises(InputError, match="no image"):
            write_output(output, draw(generator, 12))
    assert not list(Path().iterdir())
    write_output(output, draw(generator, 5, seed=3))


@BOTH
def test_the_record_of_a_job_that_was_killed_before_its_first_file_binds_nobody(
    output: str, generator: Generator
) -> None:
    write_output(output, draw(generator, 12))
    for path in [*Path("out").glob("*.png"), *Path("out").glob("labels.csv"), *Path().glob("*.tar")]:
        path.unlink()
    assert len(list(Path().rglob("*request.json"))) == 1
    write_output(output, draw(generator, 5, seed=3))
    with pytest.raises(OutputError, match="a different request: seed 3, not 0, n 5, not 12"):
        write_output(output, draw(generator, 12))


@pytest.mark.parametrize("pipe", ["out/request.json", "out/00000001.png", "out/labels.csv", "out-request.json"])
def test_pipes_are_refused_and_not_waited_for(pipe: str, generator: Generator) -> None:
    output = "out/" if pipe.startswith("out/") else "out.tar"
    Path("out").mkdir()
    if pipe != "out/request.json":
        write_output("out/", draw(generator, 3))
        Path(pipe).unlink(missing_ok=True)
    os.mkfifo(pipe)
    with pytest.raises(OutputError, match=f"{pipe}: is not a regular file"):
        write_output(output, draw(generator, 3))


@BOTH
def test_a_complete_job_does_no_inference_and_says_so(
    output: str, generator: Generator, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_output(output, draw(generator, 12))
    complete = contents()
    monkeypatch.setattr(Generator, "_draw_batch", lambda *_: pytest.fail("inference"))
    assert write_output(output, draw(generator, 12, batch_size=3)).kept == 12
    assert capfd.readouterr().err == f"{output}: all 12 images exist already\n"
    assert contents() == complete
    write_output(output, draw(generator, 12), QUIET)
    assert capfd.readouterr().err == ""


@BOTH
def test_another_request_in_the_same_place_is_refused(output: str, generator: Generator) -> None:
    write_output(output, draw(generator, 12))
    before = contents()
    for drawn, words in (
        (draw(generator, 13), "n 12, not 13"),
        (draw(generator, 12, seed=1, start=3), "seed 0, not 1, start 0, not 3"),
        (draw(generator, 12, labels=1), "label None, not 1"),
    ):
        with pytest.raises(
            OutputError, match=f"{output}: .*request.json is the record of a different request: {words}; repeat"
        ):
            write_output(output, drawn)
    assert contents() == before
    next(Path().rglob("*request.json")).write_text("[")
    with pytest.raises(OutputError, match="cannot be read"):
        write_output(output, draw(generator, 12))


@BOTH
def test_another_compression_gives_the_same_images_and_is_another_request(generator: Generator, output: str) -> None:
    sizes = []
    for level in (0, 9):
        write_output(output, draw(generator, 8), Options(compression=level))
        record = json.loads(Path("out/request.json" if output == "out/" else "out-request.json").read_text())
        assert record["compression"] == level
        sizes.append(sum(map(len, contents().values())))
        with pytest.raises(OutputError, match=f"compression {level}, not 1"):
            write_output(output, draw(generator, 8))
        if output == "out/":
            np.testing.assert_array_equal(images_in(Path("out")), generator.sample(8))
            shutil.rmtree("out")
        else:
            for path in Path().glob("out-*"):
                path.unlink()
    assert sizes[0] > sizes[1] or output == "out.tar"  # whose members are padded


def test_another_shard_size_is_another_request(generator: Generator) -> None:
    write_output("out.tar", draw(generator, 12))
    with pytest.raises(OutputError, match="shard_size 10000, not 6"):
        write_output("out.tar", draw(generator, 12), Options(shard_size=6))


def test_strangers_are_left_alone(generator: Generator) -> None:
    Path("out").mkdir()
    Path("out/thesis.tex").write_text("mine")
    Path("out-00003.tar").write_text("mine")
    before = contents()
    for output, name in (("out/", "thesis.tex"), ("out", "thesis.tex"), ("out.tar", "out-00003.tar")):
        with pytest.raises(OutputError, match=f"{output}: {name} exists without the .*request.json"):
            write_output(output, draw(generator, 3))
    assert contents() == before
    write_output("other.tar", draw(generator, 3))  # other names in the same folder are no hindrance


@BOTH
def test_a_second_process_on_one_job_is_refused(output: str, generator: Generator) -> None:
    write_output(output, draw(generator, 12))
    with next(Path().rglob("*request.json")).open("rb") as record:
        fcntl.flock(record, fcntl.LOCK_EX)
        with pytest.raises(OutputError, match=f"{output}: another process is writing it"):
            write_output(output, draw(generator, 12))


@BOTH
def test_of_two_that_begin_at_once_one_is_refused_and_touches_nothing(output: str, generator: Generator) -> None:
    Path("out").mkdir()
    Path("out/.gan-edge-0123-abcd.tmp").write_text("of the first")
    with Path("out/request.json" if output == "out/" else "out-request.json").open("wb") as record:
        fcntl.flock(record, fcntl.LOCK_EX)  # where the first is between opening and writing its record
        before = contents()
        with pytest.raises(OutputError, match=f"{output}: another process is writing it; wait for it to end"):
            write_output(output, draw(generator, 12))
        assert contents() == before


@BOTH
def test_a_record_that_was_never_written_is_none(output: str, generator: Generator) -> None:
    Path("out").mkdir()
    for record in (Path("out/request.json"), Path("out-request.json")):
        record.touch()
    write_output(output, draw(generator, 3))
    for record in Path().rglob("*request.json"):
        record.write_bytes(b"")
    with pytest.raises(OutputError, match=r"exists without the .*request\.json"):
        write_output(output, draw(generator, 3))


def test_leftovers_of_others_stay() -> None:
    with atomic_write(Path("killed")):
        (killed,) = leftovers(Path())
    Path(killed).touch()
    with atomic_write(Path("busy")):
        remove_leftovers_of(Path(), ["killed"])
        assert len(leftovers(Path())) == 1
    assert Path("busy").exists()


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [([], []), ([0, 0], []), ([1, 1], [(0, 2)]), ([1, 0, 0, 1, 1, 0, 1], [(0, 1), (3, 2), (6, 1)])],
)
def test_ranges(wanted: list[int], expected: list[tuple[int, int]]) -> None:
    assert ranges(np.array(wanted, bool)) == expected


def test_a_part_is_the_same_images(generator: Generator) -> None:
    z = np.random.default_rng(0).normal(size=(20, 16)).astype(np.float32)
    for drawn in (
        draw(generator, 20, 1, 3),
        draw(generator, 20, labels=np.arange(20) % 3),
        draw(generator, 20, latents=z),
    ):
        whole = np.concatenate(list(drawn.batches()))
        part = drawn.part(7, 5)
        np.testing.assert_array_equal(np.concatenate(list(part.batches())), whole[7:12])
        np.testing.assert_array_equal(part.part(1, 2).labels(0, 2), drawn.labels(8, 2))
    for first, count in ((-1, 2), (0, 0), (19, 2)):
        with pytest.raises(InputError, match="the request has the images 0 to 19"):
            drawn.part(first, count)


@pytest.mark.parametrize(("output", "limit"), [("out/", 128), ("out/", 2048), ("out.tar", 4096)])
def test_a_full_disk_leaves_nothing_half_written(output: str, limit: int, conditional_model: Path) -> None:
    done = subprocess.run(
        [*SAMPLE, "--n", "200", "--model", str(conditional_model), "--device", "cpu", output],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    assert Result(done.returncode, done.stdout, done.stderr).refused("out", "cannot be written", code=1)
    assert not leftovers(Path())
    assert not list(Path().glob("*.tar"))
    assert limit > 128 or not contents()
    again = subprocess.run([*SAMPLE, "--n", "200", "--model", str(conditional_model), output], check=False)
    assert again.returncode == 0


@BOTH
def test_an_interrupted_job_goes_on_to_the_same_files(output: str, conditional_model: Path, tmp_path: Path) -> None:
    command = [*SAMPLE, output, "--n", "1500", "--model", str(conditional_model), "--device", "cpu", "--quiet"]
    command += ["--batch-size", "16", *(["--shard-size", "200"] if output == "out.tar" else [])]
    made = {}
    for number in (None, signal.SIGTERM, signal.SIGINT, signal.SIGKILL):
        (tmp_path / str(number)).mkdir()
        os.chdir(tmp_path / str(number))
        if number is not None:
            said = _interrupt(command, number)
            if number == signal.SIGINT:
                assert said == "gan-sample: interrupted; run the same command again to resume\n"
            before = contents()
            assert any("png" in path or "tar" in path for path in before)
            assert number == signal.SIGKILL or not leftovers(Path())
            assert len(before) < len(made[None])
        assert subprocess.run(command, check=False).returncode == 0
        made[number] = contents()
        assert made[number] == made[None], number


def _interrupt(command: list[str], number: signal.Signals) -> str:
    """Run a job, send the signal when some of its files are there, and return what the job said to it."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as job:
        until = time.monotonic() + 60
        while time.monotonic() < until and not (list(Path().glob("out/*5.png")) or list(Path().glob("*-00002.tar"))):
            time.sleep(0.002)
        job.send_signal(number)
        expected = {signal.SIGTERM: 143, signal.SIGINT: 130, signal.SIGKILL: -9}[number]
        _, said = job.communicate(timeout=60)
        assert job.returncode == expected
        return said


def test_the_command_reports_what_it_kept(call: Callable[..., Result], conditional_model: Path) -> None:
    arguments = ("out.tar", "--n", 25, "--shard-size", 10, "--model", conditional_model, "--device", "cpu")
    done = call("gan-sample", *arguments, "--json")
    report = json.loads(done.out)
    assert (report["kept"], report["n"]) == (0, 25)
    assert report["shards"] == {"count": 3, "first": "out-00000.tar", "last": "out-00002.tar"}
    Path("out-00001.tar").unlink()
    assert json.loads(call("gan-sample", *arguments, "--json").out)["kept"] == 15
    assert call("gan-sample", *arguments).out == "out-{00000..00002}.tar\n"
    done = call("gan-sample", "folder/", "--n", 3, "--model", conditional_model, "--json", "--quiet")
    assert (json.loads(done.out)["kept"], done.err) == (0, "")
    assert "shards" not in json.loads(done.out)
