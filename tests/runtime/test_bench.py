"""gan-bench: what it measures, what it recommends, and that the other commands take what it calls auto."""

import json
import math
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from helpers import Result
from PIL import Image
from styled_formula import Styled
from translators import translator
from upscalers import upscaler

from gan_runtime import Generator, load
from gan_runtime.bench.chart import WIDTH, chart
from gan_runtime.bench.gpu_limits import SUM, gpu_meters
from gan_runtime.bench.limits import METERS, best, meters_of
from gan_runtime.bench.measured import Limit, Measured, Row
from gan_runtime.bench.memory import peak_of
from gan_runtime.bench.meter import PRODUCT
from gan_runtime.bench.plan import settings_of
from gan_runtime.bench.recommend import is_busy, recommended
from gan_runtime.bench.report import report_of, text_of
from gan_runtime.bench.rounds import Times
from gan_runtime.bench.setting import Setting
from gan_runtime.bench.work import Work, strip, work_of
from gan_runtime.devices.memory import peak_memory
from gan_runtime.devices.processors import Others, available_cpus
from gan_runtime.errors import InputError
from gan_runtime.manifest import METADATA_KEY, GenerateManifest, ImageSize, Tiling
from gan_runtime.tiling import spans
from gan_trainer.export.manifest import to_json

Call = Callable[..., Result]
PICTURE = 700, 500
AUTO, OTHER = Setting(512, 2), Setting(128, 1)
SHORT = ("--seconds", 0.01, "--device", "cpu", "--quiet")


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits are measured for a moment, by small copies."""
    monkeypatch.setattr("gan_runtime.bench.limits.COPIED", 2**20)
    monkeypatch.setattr("gan_runtime.bench.meter.SECONDS", 0.001)
    monkeypatch.setattr("gan_runtime.bench.limits.SIDES", (128, 256))


def row(setting: Setting, *seconds: float) -> Row:
    return Row(setting, Times(seconds), amount=setting.batch, operations=1e6 * setting.batch)


def measured(other: tuple[float, ...], others: float | None = 0.0) -> Measured:
    """An `auto` of 1,000 images per second with a little noise, beside another setting."""
    rows = (row(OTHER, *(0.128 * seconds for seconds in other)), row(AUTO, 0.5, 0.512, 0.53))
    return Measured(rows, AUTO, {1: Limit(1e10, "NumPy", 1e9), 2: Limit(2e10, "NumPy", 1e9)}, (), others)


@pytest.mark.parametrize(
    ("other", "best_setting"),
    [
        ((0.8, 0.81, 0.82), OTHER),
        ((0.96, 0.96, 0.96), AUTO),  # faster in every round, but by less than 5 %
        ((0.8, 0.82, 0.99), AUTO),  # one round is not faster
        ((1.5, 1.5, 1.6), AUTO),
    ],
)
def test_another_setting_is_recommended_only_if_it_is_measurably_faster(
    other: tuple[float, ...], best_setting: Setting
) -> None:
    found = measured(other)
    assert recommended(found).setting == best_setting
    assert recommended(found).rate >= found.rows[-1].rate


@pytest.mark.parametrize(
    ("other", "others"), [((0.5, 0.8, 0.9), 0.0), ((0.8, 0.81, 0.82), 0.5)], ids=["spread", "other programs"]
)
def test_a_busy_host_is_named_and_nothing_but_auto_recommended(
    tmp_path: Path, other: tuple[float, ...], others: float
) -> None:
    found = measured(other, others)
    if not others:
        found = replace(found, rows=(found.rows[0], row(AUTO, 0.4, 0.5, 0.9)))
    assert is_busy(found)
    assert recommended(found).setting == AUTO
    text = text_of(report_of(work(upscaler(tmp_path / "x.onnx")), found))
    assert "recommended: auto; this host was busy (rounds differ by" in text
    assert f"{100 * others:.0f} % of the processors" in text


def work(path: Path, threads: int = 2) -> Work:
    return work_of(load(path, "cpu", threads), PICTURE)


def test_the_report_says_what_to_change_and_marks_both_settings(unconditional_model: Path) -> None:
    found = replace(measured((0.8, 0.81, 0.82)), left_out=(Setting(2048, 1),))
    report = report_of(work(unconditional_model), found)
    assert [row["marks"] for row in report["rows"]] == [["recommended"], ["auto"]]
    assert report["gain"] == pytest.approx(0.512 / 512 * 128 / (0.81 * 0.128))
    assert report["rows"][1]["of_peak"] == pytest.approx(1e6 * 512 / 0.512 / 2e10)
    lines = text_of(report).splitlines()
    assert f"recommended: --batch-size 128 --threads 1, {report['gain']:.2f} times as fast as auto" in lines
    assert "not measured, because a call takes too long: batch 2048 with 1 thread; more --seconds include them" in lines
    assert any(line.endswith("auto") and "512" in line and "5 %" in line for line in lines)
    picture = chart(report)
    assert picture.shape[1:] == (WIDTH, 3)
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 3  # bars of both kinds, and text


def test_a_batch_that_no_command_takes_is_for_python(random_features: Path) -> None:
    report = report_of(work(random_features), measured((0.8, 0.81, 0.82)))
    assert "recommended: batches of 128 in Python, --threads 1, " in text_of(report)


def test_gan_bench_measures_a_generator(call: Call, conditional_model: Path) -> None:
    done = call(
        "gan-bench", conditional_model, *SHORT, "--batches", 64, "--threads", "1,2", "--picture", "chart.png", "--json"
    )
    assert done.code == 0, done.err
    report = json.loads(done.out)
    with Generator.load(conditional_model, "cpu") as generator:
        assert report["auto"] == {"batch": generator.batch_size(), "threads": available_cpus()}
        assert generator.manifest
        assert report["model"]["flops"] == generator.manifest.flops > 0
    assert next(one for one in report["rows"] if "auto" in one["marks"])["batch"] == report["auto"]["batch"]
    assert sum("recommended" in one["marks"] for one in report["rows"]) == 1
    for one in report["rows"]:
        assert one["fastest"] <= one["seconds"] <= one["slowest"]
        assert one["per_second"] == pytest.approx(one["batch"] / one["seconds"])
        assert 0 < one["flops"] / one["per_second"] == pytest.approx(report["model"]["flops"])
        assert one["memory"] is None or one["memory"] > 20e6
    assert all(limit["flops"] > 1e8 and limit["bandwidth"] > 1e7 for limit in report["limits"])
    with Image.open("chart.png") as picture:
        assert picture.width == WIDTH


def test_the_other_commands_take_the_threads_of_auto(call: Call, conditional_model: Path) -> None:
    auto = work_of(load(conditional_model, "cpu"), PICTURE).automatic()
    for given in ((), ("--threads", "auto")):
        done = call("gan-sample", "--model", conditional_model, "out.png", "--device", "cpu", "--json", *given)
        assert json.loads(done.out)["threads"] == auto.threads == available_cpus()
    done = call("gan-sample", "--model", conditional_model, "out.png", "--device", "cpu", "--json", "--threads", 3)
    assert json.loads(done.out)["threads"] == 3


@pytest.mark.parametrize("free", [None, 2e8])
def test_gan_upscale_takes_the_tiles_of_auto(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: float | None
) -> None:
    monkeypatch.setattr("gan_runtime.transform.tiles.available_memory", lambda: free)
    monkeypatch.setattr("gan_runtime.transform.tiles._measured", lambda model: 2000.0)  # bytes per pixel
    path = upscaler(tmp_path / "x2.onnx")
    auto = work_of(load(path, "cpu"), PICTURE).automatic()
    Image.new("RGB", PICTURE).save("in.png")
    done = call("gan-upscale", "--model", path, "in.png", "out.png", "--device", "cpu", "--json", "--tile", "auto")
    assert json.loads(done.out)["tiles"]["side"] == auto.tile
    assert (auto.tile == 256) == (free is None)


@pytest.mark.parametrize("words", [("0",), ("-1",), ("many",), ("1025",), ("٣",)])
def test_numbers_of_threads_are_checked(call: Call, conditional_model: Path, words: tuple[str, ...]) -> None:
    done = call("gan-sample", "--model", conditional_model, "out.png", f"--threads={words[0]}")
    assert done.refused("--threads", "is neither auto nor a number from 1 to 1024", code=2)


def kinds(folder: Path) -> dict[str, Path]:
    """A file of each task that tests make without torch."""
    styled = Styled(noise=20).write(folder / "styled.onnx")
    return {
        "generate": styled,
        "map": folder / "styled-mapping.onnx",
        "synthesize": folder / "styled-synthesis.onnx",
        "translate": translator(folder / "fixed.onnx", side=16),
        "tiles": translator(folder / "blur.onnx", "blur"),
        "blended": translator(folder / "centre.onnx", "centre"),
        "upscale": upscaler(folder / "x2.onnx"),
    }


def test_every_task_is_worked_at(tmp_path: Path, random_features: Path) -> None:
    for kind, path in (kinds(tmp_path) | {"features": random_features}).items():
        found = work(path)
        auto = found.automatic()
        assert auto in settings_of(found, auto), kind
        assert (auto.tile is not None) == found.tiled == (kind in ("tiles", "blended", "upscale"))
        setting = replace(auto, batch=3, tile=auto.tile and 80)
        if kind == "blended":
            setting = auto
        assert found.prepare(setting)() is not None
        assert found.runs(setting) >= 1
        assert found.amount(setting) > 0


def test_tiles_are_counted_without_what_they_have_in_common(tmp_path: Path) -> None:
    model = load(upscaler(tmp_path / "x2.onnx", network=Tiling(context=10)), "cpu", 2)
    found = work_of(model, PICTURE)
    setting = Setting(1, 3, 64)
    seen: list[int] = []
    found.prepare(setting)()
    model.run_picture(
        np.zeros((64, strip(3, 64, Tiling(context=10)), 3), np.uint8), 64, lambda done, of: seen.append(of)
    )
    assert seen == [3, 3, 3]
    assert found.amount(setting) == pytest.approx(3 * (2 * 44) ** 2 / 1e6)
    assert found.rows(setting) == 3 * 64 * 64
    with pytest.raises(InputError, match="tile 20: too small for this network, which needs at least 21"):
        found.prepare(replace(setting, tile=20))


@pytest.mark.parametrize("tiling", [Tiling(context=3), Tiling(8, 8, 5), Tiling(4, 4, None)])
def test_a_strip_has_so_many_tiles(tiling: Tiling) -> None:
    for tiles in (1, 2, 5):
        assert len(spans(strip(tiles, 203, tiling), 203, tiling)) == tiles


def test_settings_without_work_for_all_threads_are_left_out(conditional_model: Path) -> None:
    found = work(conditional_model, threads=8)
    auto = found.automatic()
    settings = settings_of(found, auto)
    assert [one.threads for one in settings if one.batch == 1] == [1]
    assert [one.threads for one in settings if one.batch == auto.batch] == [1, 4, 8]
    asked = settings_of(found, auto, batches=[1], threads=[2, 3])
    assert asked == [Setting(1, 2), Setting(1, 3), auto]
    assert settings_of(found, auto, batches=[1, None], threads=[None, 2]) == [
        Setting(1, 2),
        Setting(1, 8),
        replace(auto, threads=2),
        auto,
    ]


def test_auto_is_one_of_the_numbers(call: Call, conditional_model: Path) -> None:
    auto = work_of(load(conditional_model, "cpu"), PICTURE).automatic()
    asked = ("--batches", "2,auto", "--threads", "1, auto", "--seconds", 0.01)
    report = json.loads(call("gan-bench", conditional_model, *SHORT, *asked, "--json").out)
    assert {(one["batch"], one["threads"]) for one in report["rows"] + report["left_out"]} == {
        (batch, threads) for batch in (2, auto.batch) for threads in (1, auto.threads)
    }


def test_batches_that_do_not_fit_are_not_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unconditional_model: Path
) -> None:
    many = work(unconditional_model, threads=300)
    assert max(setting.batch for setting in settings_of(many, many.automatic())) == 65536
    model = Generator.load(Styled(size=ImageSize(256, 256, 3), layers=2, dim=2).write(tmp_path / "x.onnx"), "cpu", 4)
    assert isinstance(model.manifest, GenerateManifest)
    monkeypatch.setattr("gan_runtime.drawing.available_memory", lambda: 2.5e9)
    large = work_of(replace(model, manifest=replace(model.manifest, activations=10**9 // 32)), PICTURE)  # 1 GB an image
    assert {setting.batch for setting in settings_of(large, large.automatic())} == {1}


def test_what_does_not_fit_the_model_is_refused(call: Call, conditional_model: Path, tmp_path: Path) -> None:
    tiled = upscaler(tmp_path / "x.onnx")
    quick = (conditional_model, "--device", "cpu")
    assert call("gan-bench", *quick, "--tiles", 64).refused("--tiles: this model takes no tiles; choose --batches")
    assert call("gan-bench", tiled, "--device", "cpu", "--batches", 4).refused(
        "--batches: this model takes pictures of"
    )
    assert call("gan-bench", *quick, "--batches", "1,x").refused(
        "'1,x' must be numbers from 1 to 65536, or auto", code=2
    )
    assert call("gan-bench", *quick, "--threads", "0").refused("must be numbers from 1 to 1024", code=2)
    assert call("gan-bench", *quick, "--seconds", "nan").refused("--seconds nan: must be from 0.01 to 3600")
    assert call("gan-bench", *quick, "--picture", "x.jpg").refused("x.jpg: --picture writes PNG files")
    assert call("gan-bench", "missing.onnx").refused("missing.onnx: no such model file")


def test_slow_settings_are_left_out_and_named(call: Call, conditional_model: Path) -> None:
    done = call("gan-bench", conditional_model, *SHORT, "--batches", "1,65536", "--threads", 1)
    assert "not measured, because a call takes too long: batch 65536 with 1 thread" in done.out
    assert "auto" in done.out


def test_a_file_of_an_older_version_says_no_operations(call: Call, conditional_model: Path) -> None:
    model = onnx.load(conditional_model)
    manifest = load(conditional_model, "cpu").manifest
    onnx.helper.set_model_props(model, {METADATA_KEY: to_json(replace(manifest, flops=0))})
    onnx.save(model, "old.onnx")
    done = call("gan-bench", "old.onnx", *SHORT, "--batches", 1, "--threads", 1)
    assert "operations unknown (exported by an older gan-edge, or by another tool)" in done.out
    assert done.code == 0


def of_x_and_x(operator: str) -> bytes:
    ports = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["n", "n"]) for name in "xy"]
    graph = onnx.helper.make_graph([onnx.helper.make_node(operator, ["x", "x"], ["y"])], "g", ports[:1], ports[1:])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    content: bytes = model.SerializeToString()
    return content


def test_the_limits_of_a_gpu(monkeypatch: pytest.MonkeyPatch, unconditional_model: Path) -> None:
    monkeypatch.setattr("gan_runtime.bench.gpu_limits.SIDES", (64, 128))
    monkeypatch.setattr("gan_runtime.bench.gpu_limits.SUMMED", 256)
    meters = gpu_meters(0, "cpu")
    assert [meter.work for meter in meters] == [2 * 64**3, 2 * 128**3, 8 * 256**2]
    for meter in meters:
        meter.measure()
        assert 0 < meter.best < 60
    monkeypatch.setattr("gan_runtime.bench.gpu_limits.gpu_meters", lambda gpu: [gpu])
    assert meters_of("cuda:1", [1]) == {1: [1]}
    assert meters_of("cuda", [1]) == {1: [0]}
    assert meters_of("openvino", [1]) == {}
    report = report_of(work(unconditional_model), replace(measured((0.8, 0.81, 0.82)), limits={}))
    assert report["limits"] == []
    assert report["rows"][0]["of_peak"] is None
    assert text_of(report).count("?") == 2 * 3  # of two rows: memory, of peak, of bandwidth


def test_the_limits_are_those_of_a_product_and_a_copy() -> None:
    assert of_x_and_x("MatMul") == PRODUCT
    assert of_x_and_x("Add") == SUM
    (meters,) = meters_of("cpu", [2]).values()
    assert len(meters) == METERS - 2  # of three sides, two are left here
    for meter in meters:
        assert meter.best == math.inf
        meter.measure()
        assert 0 < meter.best < 60
    assert meters[0].work == 2 * 2 * 128**3
    assert meters[-1].work == 2 * 2**20
    assert best(meters[:-1]).rate == max(meter.rate for meter in meters[:-1])


@pytest.mark.skipif(peak_memory() is None, reason="the memory of processes is not known here")
def test_memory_is_that_of_a_process_of_its_own(tmp_path: Path) -> None:
    path = Styled(size=ImageSize(64, 64, 3)).write(tmp_path / "x.onnx")
    with Generator.load(path, "cpu", 1) as generator:
        few, many = (peak_of(generator, Setting(batch, 1), PICTURE) for batch in (1, 2000))
        assert few
        assert many
        assert many - few > 2000 * 64 * 64 * 3 / 2
        broken = replace(generator, model=replace(generator.model, sha256="0"))
        assert peak_of(broken, Setting(1, 1), PICTURE) is None


STAT = "cpu  9 9 9 9\ncpu0 {busy} 0 0 50 7 0 0 {stolen} 3 3\ncpu1 900 0 0 50 7 0 0 0 3 3\n"


def test_the_processor_time_of_other_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda process: {0}, raising=False)
    monkeypatch.setattr("os.sysconf", lambda name: 100, raising=False)
    monkeypatch.setattr("time.monotonic", iter([0.0, 10.0]).__next__)
    monkeypatch.setattr("time.process_time", iter([1.0, 3.0]).__next__)
    stat = tmp_path / "stat"
    stat.write_text(STAT.format(busy=1000, stolen=0))
    others = Others(stat)
    stat.write_text(STAT.format(busy=1500, stolen=100))  # 6 seconds, of which this process had 2
    assert others.share() == pytest.approx(0.4)


def test_other_programs_may_have_what_a_quota_forbids(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda process: {0, 1}, raising=False)
    monkeypatch.setattr("os.sysconf", lambda name: 100, raising=False)
    monkeypatch.setattr("gan_runtime.devices.processors.available_cpus", lambda: 1)
    for busy, share in ((1000, 0.0), (1500, 0.5)):
        monkeypatch.setattr("time.monotonic", iter([0.0, 10.0]).__next__)
        monkeypatch.setattr("time.process_time", iter([1.0, 1.0]).__next__)
        stat = tmp_path / "stat"
        stat.write_text(STAT.format(busy=0, stolen=0))
        others = Others(stat)
        stat.write_text(STAT.format(busy=busy, stolen=0))
        assert others.share() == pytest.approx(share)


def test_processor_time_that_is_not_known(tmp_path: Path) -> None:
    assert Others(tmp_path / "missing").share() is None


IDLE = """
import sys, time
import numpy as np
import gan_runtime
generator = gan_runtime.load(sys.argv[1], "cpu", threads=4)
generator.sample(1024)
x = np.ones((512, 512), np.float32)
x @ x
time.sleep(0.3)  # threads of NumPy's library may wait for more work for a moment
began = time.process_time()
time.sleep(1)
print(time.process_time() - began)
"""


def test_an_idle_generator_takes_no_processor_time(unconditional_model: Path) -> None:
    command: list[Any] = [sys.executable, "-c", IDLE, unconditional_model]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert float(done.stdout) < 0.05
