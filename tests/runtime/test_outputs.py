import io
import math
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from helpers import Result, leftovers
from PIL import Image

from gan_runtime import Generator
from gan_runtime.errors import InputError, OutputError
from gan_runtime.files import atomic_write, check_writable
from gan_runtime.images.grids import (
    MAX_PIXELS,
    PADDING_GREY,
    Layout,
    arrange,
    check_grid,
    default_columns,
    grid,
    save_png,
)
from gan_runtime.images.opening import open_picture
from gan_runtime.outputs import Options, check_output, write_output
from gan_runtime.outputs.sampled import draw


@pytest.fixture(scope="module")
def generator(conditional_model: Path) -> Generator:
    return Generator.load(conditional_model, device="cpu")


def test_png_is_a_grid_of_the_images(generator: Generator, tmp_path: Path) -> None:
    write_output("out.png", draw(generator, 7, seed=1), Options(columns=3))
    picture = np.asarray(Image.open(tmp_path / "out.png"))
    assert picture.shape == (3 * 28, 3 * 28)
    images = generator.sample(7, seed=1)
    np.testing.assert_array_equal(picture[28:56, 56:84], images[5, :, :, 0])
    assert picture[56:, 28:].max() == 0  # empty cells


def test_npy_is_the_array(generator: Generator) -> None:
    write_output("out.npy", draw(generator, 150, seed=1, batch_size=64))
    np.testing.assert_array_equal(np.load("out.npy"), generator.sample(150, seed=1))


def test_npz_has_all_that_makes_the_images(generator: Generator) -> None:
    write_output("out.npz", draw(generator, 150, seed=1, start=3))
    with np.load("out.npz") as file:
        archive = dict(file)
    assert sorted(archive) == ["images", "labels", "latents"]
    np.testing.assert_array_equal(archive["images"], generator.sample(150, seed=1, start=3))
    np.testing.assert_array_equal(archive["images"], generator(archive["latents"], archive["labels"]))


def test_npz_of_an_unconditional_generator_has_no_labels(unconditional_model: Path) -> None:
    write_output("out.npz", draw(Generator.load(unconditional_model, device="cpu"), 3))
    with np.load("out.npz") as archive:
        assert sorted(archive) == ["images", "latents"]


@pytest.mark.parametrize("name", ["out.png", "out.npy", "out.npz", "out.gif", "out.webp"])
def test_the_same_request_gives_the_same_file(generator: Generator, name: str, tmp_path: Path) -> None:
    contents = []
    options = Options(frames=6) if name.endswith(("gif", "webp")) else Options()
    for batch_size in (32, 5):
        write_output(name, draw(generator, 40, batch_size=batch_size), options)
        contents.append((tmp_path / name).read_bytes())
    assert contents[0] == contents[1]


def test_grids_in_colour() -> None:
    images = np.arange(3 * 2 * 2 * 3, dtype=np.uint8).reshape(3, 2, 2, 3)
    picture = grid(images)
    assert picture.shape == (4, 4, 3)
    np.testing.assert_array_equal(picture[:2, 2:], images[1])


def test_padding_is_grey_and_scale_repeats_pixels() -> None:
    images = np.arange(3 * 2 * 2, dtype=np.uint8).reshape(3, 2, 2, 1)
    layout = Layout(rows=2, columns=2, padding=3, scale=2)
    picture = arrange(images, layout)[:, :, 0]
    assert picture.shape == layout.size(images.shape) == (11, 11)
    np.testing.assert_array_equal(picture[:4, 7:], images[1, :, :, 0].repeat(2, 0).repeat(2, 1))
    assert (picture[4:7] == PADDING_GREY).all()
    assert (picture[:, 4:7] == PADDING_GREY).all()
    assert picture[7:, 7:].max() == 0  # an empty cell is black


@pytest.mark.parametrize(
    ("layout", "n", "cells"),
    [
        (Layout(), 10, (3, 4)),
        (Layout(columns=3), 10, (4, 3)),
        (Layout(columns=30), 10, (1, 30)),
        (Layout(rows=20), 10, (20, 1)),
        (Layout(rows=3), 10, (3, 4)),
        (Layout(rows=4, columns=3), 10, (4, 3)),
    ],
)
def test_cells_of_a_grid(layout: Layout, n: int, cells: tuple[int, int]) -> None:
    assert layout.cells(n) == cells


def test_more_images_than_cells_are_refused() -> None:
    with pytest.raises(InputError, match="n 7: does not fit into 2 rows of 3"):
        Layout(rows=2, columns=3).cells(7)


def test_padding_and_scale_count_for_the_largest_grid(generator: Generator) -> None:
    for options in (Options(scale=100), Options(padding=2500)):
        with pytest.raises(InputError, match=r"n 64: a grid of .* pixels is too large"):
            write_output("out.png", draw(generator, 64), options)
    assert not Path("out.png").exists()


def test_a_column_a_class(generator: Generator) -> None:
    write_output("out.png", draw(generator, 20, seed=1, start=3), Options(by_class=True))
    images = generator.sample(20, seed=1, start=3, labels=np.arange(20) % 10)
    np.testing.assert_array_equal(np.asarray(Image.open("out.png")), grid(images, 10)[:, :, 0])


def test_by_class_there_are_as_many_columns_as_classes(generator: Generator) -> None:
    for n, rows, columns, cells in ((5, None, None, (1, 10)), (12, None, 10, (2, 10)), (5, 3, None, (3, 10))):
        write_output("out.png", draw(generator, n), Options(by_class=True, rows=rows, columns=columns))
        with Image.open("out.png") as picture:
            assert (picture.height, picture.width) == (cells[0] * 28, cells[1] * 28)
    for columns in (5, 20):
        with pytest.raises(InputError, match=f"--columns {columns}: --by-class has one column per class, 10;"):
            write_output("out.png", draw(generator, 20), Options(by_class=True, columns=columns))


def test_a_column_a_class_needs_classes_and_nothing_of_ones_own(
    generator: Generator, unconditional_model: Path
) -> None:
    with pytest.raises(InputError, match="unconditional"):
        write_output("out.png", draw(Generator.load(unconditional_model, "cpu"), 20), Options(by_class=True))
    for output in ("out.png", "out.gif"):
        with pytest.raises(InputError, match="cannot be combined with --label"):
            write_output(output, draw(generator, 20, labels=1), Options(by_class=True))
        with pytest.raises(InputError, match="cannot be combined with --latents"):
            write_output(output, draw(generator, 20, latents=np.zeros((20, 16))), Options(by_class=True))


@pytest.mark.parametrize("option", ["rows", "columns", "scale", "shard_size"])
def test_options_out_of_range_are_refused(option: str) -> None:
    with pytest.raises(InputError, match=f"--{option.replace('_', '-')} 0: must be at least 1"):
        Options(**{option: 0})
    with pytest.raises(InputError, match="--padding -1"):
        Options(padding=-1)


def test_options_of_other_outputs_are_refused(generator: Generator) -> None:
    for output, options, words in (
        ("out.png", Options(shard_size=5), "--shard-size: has an effect only for .tar;"),
        ("out.npy", Options(padding=5), "--padding: has an effect only for -, .png, .gif and .webp;"),
        ("out/", Options(by_class=True), "--by-class: has an effect only for"),
        ("out.tar", Options(frames=5), "--frames: has an effect only for .gif and .webp;"),
    ):
        with pytest.raises(InputError, match=words):
            write_output(output, draw(generator, 4), options)
    assert not list(Path().iterdir())


@pytest.mark.parametrize(
    ("options", "kind", "classes", "n"),
    [
        (Options(), ".png", 10, 64),
        (Options(), ".tar", 0, 64),
        (Options(rows=3), "-", 10, 64),
        (Options(rows=3, columns=5), ".png", 10, 15),
        (Options(by_class=True), ".png", 10, 80),
        (Options(by_class=True, rows=2), ".png", 10, 20),
        (Options(), ".gif", 10, 10),
        (Options(), ".webp", 0, 16),
        (Options(), ".gif", 21, 16),
        (Options(rows=2, columns=2), ".gif", 10, 4),
    ],
)
def test_how_many_images_where_nobody_says(options: Options, kind: str, classes: int, n: int) -> None:
    assert options.default_n(kind, classes) == n


@pytest.mark.parametrize(("n", "columns"), [(1, 1), (2, 2), (4, 2), (5, 3), (64, 8), (65, 9)])
def test_grids_are_about_square(n: int, columns: int) -> None:
    assert default_columns(n) == columns


def test_a_grid_too_large_to_be_opened_is_refused(generator: Generator, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"n 1000000: a grid of 28000 x 28000 pixels"):
        write_output("out.png", draw(generator, 1_000_000))
    assert not list(tmp_path.iterdir())


def test_the_largest_grid_can_be_opened() -> None:
    side = math.isqrt(MAX_PIXELS)
    check_grid((1, side, side, 1), Layout())
    save_png(Path("out.png"), np.zeros((side, side, 1), np.uint8))
    assert open_picture(Path("out.png").read_bytes(), MAX_PIXELS).image.size == (side, side)
    with pytest.raises(InputError, match="too large"):
        check_grid((1, side + 1, side + 1, 1), Layout())


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        ("out.bmp", "unknown kind of output"),
        ("folder\\", r"a backslash is part of a name here: folders are separated by /"),
        ("out", "in a slash for a folder"),
        ("", "unknown kind of output"),
        ("file/", "is not a folder"),
        ("missing/out/", "missing does not exist"),
        ("missing/out.tar", "missing does not exist"),
        ("missing/out.png", "missing does not exist"),
        ("file/out.png", "file is not a folder"),
        ("folder.png", "is a folder"),
    ],
)
def test_bad_outputs_are_refused_before_any_work(output: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(OutputError, match=reason):
        check_output(output)


def test_a_read_only_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gan_runtime.files.places.os.access", lambda path, mode: False)  # root may write anywhere
    with pytest.raises(OutputError, match="not writable"):
        check_writable(tmp_path / "out.png")


def test_a_file_system_that_takes_no_files() -> None:
    with pytest.raises(OutputError, match=r"/proc/out\.png: cannot be written"), atomic_write(Path("/proc/out.png")):
        pass


def test_an_array_larger_than_the_disk_is_refused_at_once(generator: Generator, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"out\.npy: needs 784,000,000 MB, the disk has .* MB left"):
        write_output("out.npy", draw(generator, 10**12))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["out.png", "out.npy", "out.npz", "out.gif", "out.webp"])
def test_a_full_disk_leaves_the_old_file(
    name: str, generator: Generator, tmp_path: Path, conditional_model: Path
) -> None:
    (tmp_path / name).write_bytes(b"old")
    arguments = ["--n", "100", "--model", str(conditional_model), "--device", "cpu", name]
    code = "import sys; from gan_runtime.commands.sample import sample_main; sample_main()"
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)),
    )
    assert Result(done.returncode, done.stdout, done.stderr).refused(name, "cannot be written", code=1)
    assert (tmp_path / name).read_bytes() == b"old"
    assert not leftovers(tmp_path)


def test_an_error_while_writing_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"old")

    def fail() -> None:
        with atomic_write(path) as file:
            file.write(b"new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert path.read_bytes() == b"old"
    assert not leftovers(tmp_path)


def test_links_are_followed_and_other_things_left_alone(tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(b"old")
    (tmp_path / "link").symlink_to("target")
    os.mkfifo(tmp_path / "pipe")
    with atomic_write(tmp_path / "link") as file:
        file.write(b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_bytes() == b"new"
    for path in (tmp_path / "pipe", Path("/dev/null")):
        with pytest.raises(OutputError, match="not a regular file"), atomic_write(path):
            pass


def test_long_names_are_names(tmp_path: Path) -> None:
    with atomic_write(tmp_path / ("x" * 255)) as file:
        file.write(b"new")
    assert (tmp_path / ("x" * 255)).exists()


@pytest.mark.parametrize("closed", [">&-", "2>&-"])
def test_closed_streams_are_no_crash(closed: str, conditional_model: Path) -> None:
    sample = "from gan_runtime.commands.sample import sample_main; sample_main()"
    command = f"{sys.executable} -c '{sample}' out.png --n 4 --model {conditional_model} {closed}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False)
    command = f"{sys.executable} -c '{sample}' - --model {conditional_model} >&-"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert Result(done.returncode, done.stdout, done.stderr).refused("stdout is closed")


def test_a_name_that_is_no_text_is_a_name(conditional_model: Path) -> None:
    sample = "from gan_runtime.commands.sample import sample_main; sample_main()"
    command = [sys.executable, "-c", sample, b"o\xff.png", "--json", "--n", "1", "--model", str(conditional_model)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, "udcff" in done.stdout) == (0, True), done


def test_new_files_get_the_usual_permissions(tmp_path: Path) -> None:
    (tmp_path / "usual").touch()
    with atomic_write(tmp_path / "x") as file:
        file.write(b"")
    assert (tmp_path / "x").stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_png_on_stdout(conditional_model: Path, generator: Generator) -> None:
    code = "import sys; from gan_runtime.commands.sample import sample_main; sample_main()"
    command = [sys.executable, "-c", code, "-", "--n", "9", "--model", str(conditional_model)]
    done = subprocess.run(command, capture_output=True, check=True)
    picture = np.asarray(Image.open(io.BytesIO(done.stdout)))
    np.testing.assert_array_equal(picture, grid(generator.sample(9))[:, :, 0])


def test_a_reader_that_leaves_early_is_no_crash(conditional_model: Path) -> None:
    code = "import sys; from gan_runtime.commands.sample import sample_main; sample_main()"
    command = (
        f"{sys.executable} -c '{code}' - --n 4096 --device cpu --model {conditional_model} | head -c 10 >/dev/null"
    )
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr


def test_stdout_and_json_do_not_mix(call: Callable[..., Result], conditional_model: Path) -> None:
    assert call("gan-sample", "-", "--json", "--model", conditional_model).refused("--json")
