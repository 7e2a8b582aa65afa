import json
import os
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import distribution
from pathlib import Path

import numpy as np
import onnx
import pytest
import typer
from helpers import Result, leftovers, linear_generator
from onnx import TensorProto
from PIL import Image

from gan_runtime import Generator, __version__
from gan_runtime.manifest import METADATA_KEY
from gan_runtime.models import shipped_model
from gan_runtime.terminal.commandline import run
from gan_runtime.terminal.text import note

Call = Callable[..., Result]


def test_sample_says_what_it_did(call: Call, conditional_model: Path, tmp_path: Path) -> None:
    done = call("gan-sample", "--n", 5, "--seed", 3, "--start", 2, "--model", conditional_model, "out.npy", "--json")
    report = json.loads(done.out)
    assert done.code == 0
    assert (report["n"], report["seed"], report["start"], report["output"]) == (5, 3, 2, "out.npy")
    assert report["device"] == "cpu"
    assert report["model"]["sha256"] == Generator.load(conditional_model, "cpu").model.sha256
    assert set(report["versions"]) == {"gan-edge", "onnxruntime"}
    assert report["seconds"] > 0
    expected = Generator.load(conditional_model, "cpu").sample(5, 3, 2)
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), expected)


def test_without_a_model_it_says_which_one_it_took(call: Call) -> None:
    done = call("gan-sample", "--n", 4, "out.png")
    assert (done.code, done.out) == (0, "out.png\n")
    assert "model: " in done.err
    assert "shipped" in done.err
    assert "device: cpu, " in done.err


def test_quiet_says_nothing(call: Call) -> None:
    assert call("gan-sample", "--n", 4, "--quiet", "out.png") == Result(0, "out.png\n", "")


def test_pictures_have_as_many_images_as_they_have_room_for(call: Call, conditional_model: Path) -> None:
    for arguments, size in (
        (["--rows", 2, "--columns", 3], (3 * 28, 2 * 28)),
        (["--rows", 4, "--padding", 2], (16 * 30 - 2, 4 * 30 - 2)),
        (["--by-class", "--rows", 2, "--scale", 2], (10 * 56, 2 * 56)),
        (["--by-class"], (10 * 28, 8 * 28)),
    ):
        assert call("gan-sample", *arguments, "--model", conditional_model, "out.png").code == 0
        with Image.open("out.png") as picture:
            assert picture.size == size


def test_label_and_own_latents(call: Call, conditional_model: Path) -> None:
    z = np.random.default_rng(0).normal(size=(70, 16))
    np.save("z.npy", z)
    model = Generator.load(conditional_model, "cpu")
    assert call("gan-sample", "--latents", "z.npy", "--model", conditional_model, "out.npy").code == 0
    np.testing.assert_array_equal(np.load("out.npy"), model(z))
    assert call("gan-sample", "--label", 7, "--n", 3, "--model", conditional_model, "out.npy").code == 0
    np.testing.assert_array_equal(np.load("out.npy"), model.sample(3, labels=7))


def test_a_class_may_be_asked_for_by_name_and_is_told(call: Call, conditional_model: Path) -> None:
    model = onnx.load(conditional_model)
    text = json.loads(model.metadata_props[0].value)
    text["inputs"]["labels"]["names"] = ["0", "1", "10", "2", "cat", "cart", "dog", "7", "8", "9"]
    onnx.helper.set_model_props(model, {METADATA_KEY: json.dumps(text)})
    onnx.save(model, "named.onnx")
    expected = Generator.load(conditional_model, "cpu")
    for label, number, name in (("cat", 4, "cat"), ("4", 4, "cat"), ("2", 3, "2"), ("10", 2, "10")):
        done = call("gan-sample", "--label", label, "--n", 3, "--model", "named.onnx", "x.npy", "--json")
        report = json.loads(done.out)
        assert (report["label"], report["class"]) == (number, name)
        assert f"label: {number}, class '{name}'\n" in done.err
        np.testing.assert_array_equal(np.load("x.npy"), expected.sample(3, labels=number))
    refused = call("gan-sample", "--label", "cta", "--model", "named.onnx", "x.npy")
    assert refused.refused("--label 'cta': no class is called so; there are 'cat', 'cart'", "gan-info lists all")
    assert "0, 1, 2 10, 3 2, 4 cat, 5 cart, 6 dog, 7" in call("gan-info", "named.onnx").out
    by_class = json.loads(call("gan-sample", "--by-class", "--model", "named.onnx", "x.png", "--json").out)
    assert by_class["classes"][2:5] == ["10", "2", "cat"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--n", "0"], ["--n", "0"]),
        (["--n", "-5"], ["--n", "-5"]),
        (["--n", "many"], ["--n", "many"]),
        (["--n", "10000000000"], ["--n", "10000000000"]),
        (["--batch-size", "0"], ["--batch-size"]),
        (["--batch-size", "1000000"], ["--batch-size"]),
        (["--threads", "0"], ["--threads"]),
        (["--threads", "99999"], ["--threads"]),
        (["--columns", "0"], ["--columns"]),
        (["--rows", "0"], ["--rows"]),
        (["--padding", "-1"], ["--padding"]),
        (["--scale", "0"], ["--scale"]),
        (["--rows", "2", "--columns", "2", "--n", "5"], ["n 5", "does not fit into 2 rows of 2"]),
        (["--rows", "1000000", "--columns", "1000000000"], ["grid", "too large"]),
        (["--by-class", "--label", "3"], ["--by-class", "cannot be combined with --label"]),
        (["--by-class", "--columns", "3"], ["--columns 3", "--by-class", "10"]),
        (["--by-class", "--rows", "2", "--n", "21"], ["n 21", "does not fit into 2 rows of 10"]),
        (["--frames", "96"], ["--frames: has an effect only for .gif and .webp"]),
        (["--fps", "24"], ["--fps: has an effect only for .gif and .webp"]),
        (["--shard-size", "10000"], ["--shard-size: has an effect only for .tar"]),
        (["--seed", "-1"], ["--seed"]),
        (["--start", "-1"], ["--start"]),
        (["--start", str(2**62), "--n", "2"], [f"start {2**62}: the last of 2 latents"]),
        (["--device", "tpu"], ["tpu", "auto, cpu, cuda"]),
        (["--label", "10"], ["label 10", "0 to 9"]),
        (["--label", "-1"], ["--label"]),
        (["--label", str(10**30)], ["--label"]),
        (["--model", "nowhere.onnx"], ["nowhere.onnx", "no such"]),
        (["--latents", "z.npy", "--n", "3"], ["--latents"]),
        (["--latents", "nowhere.npy"], ["nowhere.npy"]),
        (["--frobnicate"], ["--frobnicate"]),
    ],
)
def test_bad_arguments_get_one_line(
    call: Call, conditional_model: Path, arguments: list[str], words: list[str]
) -> None:
    arguments = arguments if "--model" in arguments else [*arguments, "--model", str(conditional_model)]
    assert call("gan-sample", "out.png", *arguments).refused(*words)
    assert not Path("out.png").exists()
    assert not leftovers(Path())


@pytest.mark.parametrize("output", ["out.bmp", "out", "missing/out.png", "/proc/out.png"])
def test_bad_outputs_get_one_line(call: Call, conditional_model: Path, output: str) -> None:
    assert call("gan-sample", "--n", 1, output, "--model", conditional_model).refused(output)


def test_latents_that_are_no_array_get_one_line(call: Call, conditional_model: Path) -> None:
    np.save("pickled.npy", np.array([{}], object), allow_pickle=True)
    np.save("flat.npy", np.zeros(16))
    np.save("narrow.npy", np.zeros((2, 15)))
    Path("text.npy").write_text("hello")
    Path("empty.npy").touch()
    np.save("complex.npy", np.zeros((2, 16), complex))
    np.save("huge.npy", np.full((2, 16), 1e300))
    Path("zip.npy").write_bytes(b"PK\x03\x04" + bytes(30))
    os.mkfifo("pipe.npy")
    for name in map(str, sorted(Path().glob("*.npy"))):
        assert call("gan-sample", "--latents", name, "out.png", "--model", conditional_model).refused("latents")


def test_own_latents_have_no_place_in_a_picture_by_class(call: Call, conditional_model: Path) -> None:
    np.save("z.npy", np.zeros((20, 16)))
    arguments = ("--by-class", "--latents", "z.npy", "--model", conditional_model)
    assert call("gan-sample", *arguments, "out.png").refused("--by-class", "--latents; leave one of them out")


def stops_at_once(seconds: int = 0) -> None:
    raise KeyboardInterrupt


def has_said_so(seconds: int = 0) -> None:
    note("stopped; saved")
    raise typer.Exit(130)


@pytest.mark.parametrize(
    ("command", "said"), [(stops_at_once, "gan-x: interrupted\n"), (has_said_so, "stopped; saved\n")]
)
def test_an_interruption_is_told_once(
    command: Callable[..., None], said: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gan_runtime.terminal.commandline.leave", sys.exit)
    monkeypatch.setattr(sys, "argv", ["gan-x", "--seconds", "3"])
    with pytest.raises(SystemExit, match="130"):
        run(command, "gan-x")
    assert capfd.readouterr() == ("", said)


def test_label_for_an_unconditional_model_gets_one_line(call: Call, unconditional_model: Path) -> None:
    assert call("gan-sample", "out.png", "--label", 1, "--model", unconditional_model).refused("unconditional")


def broken_models(good: Path) -> dict[str, str]:
    """Files that are no usable generators, and what must be said of each."""

    def changed(name: str, change: Callable[[onnx.ModelProto], None]) -> None:
        model = onnx.load(good)
        change(model)
        Path(name).write_bytes(model.SerializeToString())

    def external(model: onnx.ModelProto) -> None:
        tensor = model.graph.initializer[0]
        onnx.external_data_helper.set_external_data(tensor, "../../etc/passwd")
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL

    def set_manifest(text: str) -> Callable[[onnx.ModelProto], None]:
        return lambda model: onnx.helper.set_model_props(model, {METADATA_KEY: text})

    Path("empty.onnx").touch()
    Path("cut.onnx").write_bytes(good.read_bytes()[:-2000])
    Path("photo.onnx").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    Path("folder.onnx").mkdir()
    linear_generator(Path("foreign.onnx"), ["n", 3], ["n", 5, 4, 4])
    changed("opset.onnx", lambda model: setattr(model.opset_import[0], "version", 99))
    changed("ir.onnx", lambda model: setattr(model, "ir_version", 99))
    changed("external.onnx", external)
    changed("newer.onnx", set_manifest('{"format_version": 2}'))
    changed("damaged.onnx", set_manifest("{"))
    changed("features.onnx", set_manifest('{"format_version": 1, "name": "f", "task": "features", "inputs": {}}'))
    changed("operator.onnx", lambda model: setattr(model.graph.node[0], "op_type", "Frobnicate"))
    return {
        "empty.onnx": "the file is empty",
        "cut.onnx": "truncated",
        "photo.onnx": "not an ONNX model",
        "folder.onnx": "cannot be read",
        "foreign.onnx": "not made by gan-export",
        "opset.onnx": "upgrade ONNX Runtime",
        "ir.onnx": "IR version: 99",
        "external.onnx": "data in other files",
        "newer.onnx": "format version 2",
        "damaged.onnx": "manifest is damaged",
        "features.onnx": "task 'features'",
        "operator.onnx": "Frobnicate",
    }


def test_bad_models_get_one_line(call: Call, conditional_model: Path) -> None:
    for name, reason in broken_models(conditional_model).items():
        assert call("gan-sample", "out.png", "--n", 1, "--device", "cpu", "--model", name).refused(name, reason)
    assert not Path("out.png").exists()


def test_cuda_that_cannot_be_used_is_an_error(call: Call, conditional_model: Path) -> None:
    if Generator.load(conditional_model).session.device == "cuda":
        pytest.skip("CUDA works here")
    assert call("gan-sample", "out.png", "--device", "cuda", "--model", conditional_model).refused("device cuda")
    assert not Path("out.png").exists()


def test_info_tells_what_the_file_is(call: Call, conditional_model: Path) -> None:
    report = json.loads(call("gan-info", conditional_model, "--json").out)
    assert (report["opset"], report["ir_version"], report["external_data"]) == (17, 8, False)
    assert report["bytes"] == conditional_model.stat().st_size
    assert report["inputs"] == ["latents float32 [n, 16]", "labels int64 [n]"]
    assert report["outputs"] == ["images uint8 [n, 28, 28, 1]"]
    text = call("gan-info", conditional_model).out
    assert report["sha256"] in text
    assert "0, 1, 2, 3, 4, 5, 6, 7, 8, 9" in text


def test_info_of_a_foreign_file_says_what_would_be_assumed(call: Call) -> None:
    linear_generator(Path("foreign.onnx"), ["n", 3], ["n", 1, 4, 4])
    assert "taking 'z' for 3 latents" in call("gan-info", "foreign.onnx").out


def test_check_passes_and_fails(call: Call, conditional_model: Path) -> None:
    done = call("gan-info", conditional_model, "--check", "--json")
    assert done.code == 0
    assert json.loads(done.out)["check"]["largest_difference"] == 0
    model = onnx.load(conditional_model)
    weight = max(model.graph.initializer, key=lambda tensor: len(tensor.raw_data))
    weight.raw_data = (-np.frombuffer(weight.raw_data, np.float32)).tobytes()
    Path("damaged.onnx").write_bytes(model.SerializeToString())
    done = call("gan-info", "damaged.onnx", "--check")
    assert done.code == 1
    assert "OTHER PICTURES" in done.out


def test_check_without_a_fingerprint_is_refused(call: Call) -> None:
    linear_generator(Path("foreign.onnx"), ["n", 3], ["n", 1, 4, 4])
    assert call("gan-info", "foreign.onnx", "--check").refused("no fingerprint")


def test_doctor_finds_a_sound_installation(call: Call) -> None:
    done = call("gan-info", "--doctor", "--json")
    report = json.loads(done.out)
    assert done.code == 0, done
    assert report["devices"]["cpu"] == "works"
    assert report["problems"] == "none"


def test_doctor_finds_two_wheels(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    two = {"onnxruntime": "1.32.0", "onnxruntime-gpu": "1.31.1"}
    monkeypatch.setattr("gan_runtime.commands.doctor.onnxruntime_wheels", lambda: two)
    done = call("gan-info", "--doctor")
    assert done.code == 1
    assert "pip uninstall -y onnxruntime onnxruntime-gpu" in done.out


@pytest.mark.parametrize(
    "arguments", [[], ["--doctor", "x.onnx"], ["nowhere.onnx"], ["nowhere.onnx", "--device", "cuda"]]
)
def test_info_refuses_bad_input(call: Call, arguments: list[str]) -> None:
    assert call("gan-info", *arguments).refused()


@pytest.mark.parametrize("command", ["gan-sample", "gan-info", "gan-train", "gan-export"])
def test_every_command_has_help_and_version(call: Call, command: str) -> None:
    assert call(command, "--version").out == f"gan-edge {__version__}\n"
    text = call(command, "--help").out
    assert f"Usage: {command}" in text
    assert "--version" in text
    assert "─" not in text
    assert max(map(len, text.splitlines())) <= 80
    assert text.index("\nGeneral:\n") < text.index("  --version") < text.index("  -h, --help")


@pytest.mark.parametrize("module", sorted(one.module for one in distribution("gan-edge").entry_points))
def test_every_command_is_a_module_to_run(module: str) -> None:
    done = subprocess.run([sys.executable, "-m", module, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"gan-edge {__version__}\n"


def test_options_are_grouped_and_defaults_and_ranges_are_words(call: Call) -> None:
    text = call("gan-sample", "--help").out
    titles = [line for line in text.splitlines() if line.endswith(":") and not line.startswith(" ")]
    assert titles == [
        "Arguments:", "Options:", "Generators with styles:", "Images to reconstruct or interpolate:", "Data:",
        "Output:", "Files without a manifest:", "General:",
    ]  # fmt: skip
    words = " ".join(text.split())
    assert "--frames INTEGER Frames of an animation. [default: 96; 2 to 100000]" in words
    assert "--device, --providers TEXT auto, cpu, cuda, or cuda:1 for the second GPU; or execution providers" in words
    assert "--rows INTEGER Rows of a grid. [1 to 1000000]" in words
    assert "--max-pixels INTEGER Refuse images with more pixels than this. [default: 200,000,000; at least 1]" in words


def test_a_missing_onnxruntime_names_the_extras(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert call("gan-sample", "out.png").refused("gan-edge[cpu]", "gan-edge[cuda]")


def test_the_shipped_model_passes_its_own_check(call: Call) -> None:
    assert call("gan-info", shipped_model("mnist"), "--check", "--device", "cpu").code == 0


def test_providers_are_named_on_the_command_line(call: Call, conditional_model: Path) -> None:
    model = ("--model", conditional_model, "--n", 4, "--quiet", "--json")
    plain, other = (
        call("gan-sample", f"{number}.npy", *model, *flags)
        for number, flags in enumerate((["--device", "cpu"], ["--providers", "CPUExecutionProvider:use_arena=0"]))
    )
    assert [json.loads(done.out)["device"] for done in (plain, other)] == ["cpu", "cpu"]
    np.testing.assert_array_equal(np.load("0.npy"), np.load("1.npy"))
    assert call("gan-sample", "x.npy", *model, "--providers", "tpu").refused(
        "device 'tpu': choose one of auto, cpu, cuda"
    )


@pytest.mark.parametrize(
    "words",
    [("--device", "cpu", "--providers", "cpu"), ("--providers=cpu", "--device=cuda")],
)
def test_a_device_and_providers_are_not_combined(call: Call, words: tuple[str, ...], conditional_model: Path) -> None:
    for command in (
        ("gan-sample", "x.png", "--model", conditional_model),
        ("gan-info", conditional_model, "--check"),
        ("gan-bench", conditional_model),
    ):
        done = call(*command, *words)
        assert done.refused("--device and --providers: both say where to run; leave one of the two out")
    assert not Path("x.png").exists()


def test_a_file_may_have_the_name_of_an_option(call: Call, conditional_model: Path) -> None:
    done = call("gan-sample", "--model", conditional_model, "--n", 1, "--device", "cpu", "--", "--providers")
    assert done.refused("--providers: unknown kind of output")
