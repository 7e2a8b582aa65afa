"""The report of a run: what is in it, and that a real browser shows it at the width of a desk and of a phone."""

import json
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import BROWSER, frames
from helpers import Result, leftovers
from PIL import Image

from gan_runtime.errors import GanEdgeError
from gan_runtime.images.grids import save_png
from gan_trainer.recipes.base import setting
from gan_trainer.recipes.gan import GanRecipe
from gan_trainer.report import REPORT, write_report
from gan_trainer.report.records import spread
from gan_trainer.report.repeat import command, without_flag
from gan_trainer.report.words import duration, figure
from gan_trainer.runs.folder import Run, create_run
from gan_trainer.training.config import Config

Make = Callable[..., Config]
ROOT = Path(__file__).resolve().parents[2]
HOSTILE = "</script><script>boom()</script><!--<script> \"ü\" 'x' $data ${page} \u2028"
MEASURES = {"kid": 0.01, "kid_deviation": 0.002, "precision": 0.8, "recall": 0.7, "density": 0.9, "coverage": 0.6}
CLASSES = {"modes": 4, "kl": 0.01, "confident": 0.9, "accuracy": None}


def evaluation(images: int, n: int, fid: float) -> dict[str, Any]:
    return {"images": images, "step": images // 8, "seconds": images / 10, "n": n, "fid": fid} | MEASURES | CLASSES


def loss(images: int) -> dict[str, Any]:
    names = {"d_loss": 0.6, "g_loss": 1.1, "lr": 0.003, "images_per_second": 10.0}
    return {"images": images, "step": images // 8, "seconds": images / 10} | names


def floors() -> dict[str, Any]:
    def real(n: int) -> dict[str, Any]:
        nothing = dict.fromkeys(("precision", "recall", "density", "coverage"))
        test = {"n": 500, "fid": 600 / n, **MEASURES, **nothing, **CLASSES}
        return {"test images": test, "training images": {"n": n, "fid": 500 / n, **MEASURES, **CLASSES}}

    network = {"name": "squares", "sha256": "abc"}
    return {"data": {}, "features": network, "floors": {"2000": real(2000), "10000": real(10000)}}


@pytest.fixture
def plain(make: Make) -> Run:
    """A run that has just begun."""
    return create_run(Path("runs"), "plain", make())


@pytest.fixture
def run(make: Make) -> Run:
    """A finished run with everything in it, some of it damaged, and names that try to break out."""
    config = make()
    config = replace(config, data=replace(config.data, classes=(HOSTILE, *"bcd"), hold_out=None))  # with test images
    run = create_run(Path("runs"), HOSTILE.replace("/", ""), config)
    warning = {"images": 64, "step": 8, "seconds": 6.4, "warning": f"collapsed: {HOSTILE}"}
    evaluations = [evaluation(48, 2000, 9.0), evaluation(72, 2000, 3.0), evaluation(96, 2000, 4.0)]
    for entry in (*map(loss, (24, 48, 72, 96)), *evaluations, evaluation(96, 10_000, 2.5), warning):
        run.log(entry)
    with (run.folder / "metrics.jsonl").open("ab") as file:
        file.write(
            b'{"images": NaN, "d_loss": 1}\n\xff\xfe\n[1, 2]\n{"images": 80, "seconds": 8.0, "d_loss": NaN}\n{"ima'
        )
    run.write_floors(floors())
    for images in range(2, 97, 2):
        save_png(run.samples / f"{images:012d}.png", np.full((20, 20, 1), images, np.uint8))
    return run


def data_of(page: Path) -> dict[str, Any]:
    found = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page.read_text("utf-8"), re.DOTALL)
    assert len(found) == 1
    return dict(json.loads(found[0]))


def plots_of(page: Path) -> dict[str, dict[str, Any]]:
    return {plot["title"]: plot for plot in data_of(page)["plots"]}


def test_a_report_is_one_file_that_asks_nobody(run: Run) -> None:
    page = write_report(run)
    assert page == run.folder / "report.html"
    assert not leftovers(run.folder)
    text = page.read_text("utf-8")
    library = files("gan_trainer.report").joinpath("uplot/uPlot.iife.min.js").read_text("utf-8").rstrip()
    assert len(text) < len(library) + 150_000
    ours = text.replace(library, "")
    assert "default-src 'none'" in ours
    assert not re.search(r"https?://|@import|url\(|src=|<link(?! rel=\"icon\" href=\"data:,\")", ours)
    assert text.count("</script") == text.count("<script") == 3


def test_figures_and_notices(run: Run) -> None:
    data = data_of(write_report(run))
    tiles = {tile["label"]: (tile["value"], tile["detail"]) for tile in data["tiles"]}
    assert tiles["Images seen"] == ("96", "of 96 · 100%")
    assert tiles["Training time"] == ("10 s", "cpu, 1 thread")
    assert tiles["Latest FID"] == ("2.50", "n = 10,000 · floor 0.0600")
    assert tiles["Best FID"] == ("2.50", "n = 10,000 · after 96")
    assert [warning["text"] for warning in data["warnings"]] == [f"collapsed: {HOSTILE}"]
    assert data["hints"] == []
    assert data["scores"]["columns"] == ["10,000 generated", "500 test images", "10,000 training images"]
    assert data["scores"]["rows"][0] == ["FID", "2.50", "0.0600", "0.0500"]
    assert data["scores"]["rows"][2] == ["Precision", "0.800", "-", "0.800"]


def test_an_adaptive_augmentation_is_shown(plain: Run) -> None:
    for images, p in ((24, 0.0), (48, 0.125)):
        plain.log(loss(images) | {"ada_p": p, "ada_r": -0.5})
    p, r = plots_of(write_report(plain))["Adaptive augmentation"]["lines"]
    assert (p["name"], p["values"]) == ("probability of each operation", [0.0, 0.125])
    assert (r["name"], r["values"]) == ("mean sign of real logits", [-0.5, -0.5])


def test_regularisers_are_shown_where_they_were_measured(plain: Run) -> None:
    for images, measured in ((24, {"r1": 1e-4, "path_length": 0.5}), (48, {"path_length": 0.25})):
        plain.log(loss(images) | measured)
    plots = plots_of(write_report(plain))
    assert plots["R1"]["lines"][0]["values"] == [1e-4]
    assert plots["Path length"]["lines"][0]["values"] == [0.5, 0.25]


def test_lines_never_mix_numbers_of_images(run: Run) -> None:
    plots = plots_of(write_report(run))
    course, end, best = plots["FID"]["lines"]
    assert (course["images"], course["values"], course["kind"]) == ([48, 72, 96], [9.0, 3.0, 4.0], "evaluations")
    assert course["real"] == {"name": "500 test images", "value": 0.3}
    assert (end["values"], end["kind"], end["real"]["value"]) == ([2.5], "single", 0.06)
    assert (best["images"], best["values"], best["kind"]) == ([96], [2.5], "best")
    assert plots["Precision"]["lines"][0]["real"] == {"name": "2,000 training images", "value": 0.8}
    assert plots["KID x 1000"]["lines"][0]["deviations"] == [2.0] * 3
    assert "Label accuracy" not in plots
    assert [line["name"] for line in plots["Losses"]["lines"]] == ["discriminator", "generator"]
    assert not {"Adaptive augmentation", "R1", "Path length"} & set(plots)
    assert plots["Losses"]["lines"][0]["values"] == [0.6, 0.6, 0.6, None, 0.6]


def test_samples_are_spread_and_captioned(run: Run) -> None:
    samples = data_of(write_report(run))["samples"]
    assert [sample["images"] for sample in samples] == [*range(2, 97, 4), 96]
    assert samples[-1]["caption"] == "after 96 images, 10 s"
    assert samples[0]["picture"].startswith("data:image/png;base64,")
    rng = np.random.default_rng(0)
    save_png(run.samples / f"{96:012d}.png", rng.integers(0, 256, (300, 300, 3), np.uint8))
    (run.samples / f"{2:012d}.png").write_bytes(b"damaged" * 100_000)
    samples = data_of(write_report(run))["samples"]
    assert samples[-1]["picture"].startswith("data:image/webp;base64,")
    assert samples[0]["images"] == 6


def test_a_run_that_has_just_begun(plain: Run) -> None:
    data = data_of(write_report(plain))
    assert (data["samples"], data["plots"], data["scores"], data["progress"]) == ([], [], None, 0)
    assert "not evaluated" in data["hints"][0]
    plain.log(loss(24))
    assert list(plots_of(write_report(plain))) == ["Losses", "Speed", "Learning rate"]


def test_floors_may_be_missing_or_damaged(run: Run) -> None:
    for content in (None, "[", '{"floors": {"2000": 7}}'):
        (run.folder / "floors.json").unlink()
        if content is not None:
            (run.folder / "floors.json").write_text(content)
        page = write_report(run)
        assert plots_of(page)["FID"]["lines"][0]["real"]["value"] is None
        assert data_of(page)["scores"]["columns"] == ["10,000 generated"]
        (run.folder / "floors.json").touch()


def test_without_a_configuration_there_is_no_report(plain: Run) -> None:
    for content in ("{", "{}", "[]"):
        (plain.folder / "config.json").write_text(content)
        with pytest.raises(GanEdgeError, match=r"config\.json"):
            write_report(plain)
    assert not (plain.folder / "report.html").exists()


def test_settings_say_what_differs_and_nothing_of_the_host(run: Run) -> None:
    data = data_of(write_report(run))
    tables = {table["title"]: {row[0]: row[1:] for row in table["rows"]} for table in data["settings"]}
    assert tables["Recipe"]["images"] == ["96", True]
    assert tables["Recipe"]["network"] == ["conv", False]
    assert tables["Data"]["classes"] == [f"{HOSTILE}, b, c, d", False]
    assert {"torch", "python", "gan-edge", "device", "threads", "feature network"} <= tables["Environment"].keys()


@pytest.fixture
def pictures() -> Path:
    """Pictures in two classes, in a folder with an awkward name."""
    folder = Path("it's $HOME; <ü>")
    for name in ("a", "b"):
        (folder / name).mkdir(parents=True)
        for i in range(40):  # enough for a batch of 64 besides those held out
            Image.new("RGB", (40, 40), (i * 6, 99, 0)).save(folder / name / f"{i}.png")
    return folder


@pytest.mark.parametrize(
    "arguments",
    [
        ["PICTURES"],
        [
            "PICTURES",
            *shlex.split("--labels folders --size 32 --mode L --background '#102030' --skip-bad --batch-size 8"),
        ],
        ["PICTURES", *shlex.split("--batch-size 8 --lr 1e-5 --width 8 --augment colour --precision fp32 --seed 7")],
        [
            "mnist",
            *shlex.split("--no-conditional --images 30000 --eval-every 120000 --patience 3 --stop-when-collapsed"),
        ],
        ["mnist", *shlex.split("--recipe gan --epochs 0.1 --data-dir DATA --threads 2 --keep-checkpoints 1")],
    ],
)
def test_the_command_repeats_the_run(
    call: Callable[..., Result], pictures: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    configs: list[Config] = []
    monkeypatch.setattr("gan_trainer.api.start._judge", lambda *_, **__: None)  # it would measure the images
    monkeypatch.setattr("gan_trainer.api.start._train", lambda config, *_, **__: configs.append(config))
    monkeypatch.setattr("gan_trainer.commands.train._report", lambda *_: None)
    monkeypatch.setenv("GAN_EDGE_DATA", str(ROOT / "data"))
    places = {"PICTURES": str(pictures), "DATA": str(ROOT / "data")}
    assert call("gan-train", *(places.get(word, word) for word in arguments), "--quiet").code == 0
    program, *again = shlex.split(command(configs[0]))
    assert call(program, *again, "--quiet").code == 0
    assert configs[1] == configs[0]
    assert without_flag(configs[0]) == []


@dataclass(frozen=True)
class OddRecipe(GanRecipe):
    knob: str = setting("elsewhere", "A setting of a recipe from Python.")


def test_what_no_flag_says_is_named(make: Make) -> None:
    config = make()
    values = {field.name: getattr(config.recipe, field.name) for field in fields(config.recipe) if field.init}
    odd = replace(config, recipe=OddRecipe(**values))
    assert without_flag(odd) == ["knob"]
    assert "elsewhere" not in command(odd)
    assert without_flag(replace(config, recipe=replace(config.recipe, source="worded in another way"))) == []


def test_a_run_that_one_command_does_not_repeat_says_so(make: Make) -> None:
    config = make()
    origin = {"run": "first", "recipe": "gan", "data": "mnist", "images_seen": 64_000, "sha256": "0"}
    changes = (
        {"after": 96, "field": "images", "old": 96, "new": 1960},
        {"after": 96, "field": "device", "old": "cpu", "new": "cuda"},
    )
    for number, (changed, words) in enumerate(
        [
            (config, ""),
            (
                replace(config, init_from=origin),
                "weights of first (gan on mnist) after 64,000 images; add --init-from.",
            ),
            (
                replace(config, history=changes),
                "after 96 images: images changed from 96 to 1,960; after 96 images: device changed from cpu to",
            ),
        ]
    ):
        found = create_run(Path("runs"), str(number), changed)
        write_report(found)
        remark = data_of(found.folder / REPORT)["remark"]
        assert words in remark
        assert bool(words) == bool(remark)


def test_choices_change_little_as_a_run_grows() -> None:
    for count in range(200):
        chosen = spread(list(range(count)), 40)
        assert len(chosen) <= 40
        assert chosen == sorted(set(chosen))
        assert set(chosen) - {count - 1} <= set(spread(list(range(count - 1)), 40)) | {count - 2}
        assert not count or (chosen[0], chosen[-1]) == (0, count - 1)


def test_words() -> None:
    assert [duration(s) for s in (0, 59.6, 3600, 3725, 90_000)] == ["0 s", "1 min", "1 h", "1 h 2 min", "1 d 1 h"]
    assert [figure(x) for x in (None, 10, 1234.5, 0.9, 0.00012)] == ["-", "10", "1,234", "0.900", "0.00012"]


PROBE = """
const seen = () => document.querySelector("figcaption").textContent;
await until(() => document.body.dataset.drawn === "images");
await until(() => data.plots.every((plot) => plot.lines.every((line, i) => coloured(plot, i))));
const [loss, fid] = data.plots;
const told = [values(loss, 48), values(fid, 96)];
document.querySelector("[value=seconds]").click();
await until(() => document.body.dataset.drawn === "seconds");
const slider = document.querySelector("[type=range]");
slider.value = 0;
slider.dispatchEvent(new Event("input"));
const first = seen();
document.querySelector(".player button").click();
await until(() => seen() !== first);
return {
  first, second: seen(),
  drawn: data.plots.map((plot) => plot.lines.map((line, i) => coloured(plot, i))), told, hides: await hides(loss),
  axes: new Set(data.plots.map((plot) => plot.chart.axes[0].label)).size,
  fits: data.plots.every(({ place }) => place.querySelector("canvas").clientWidth === place.clientWidth),
  keys: data.plots.map(({ key }) => (key.hidden ? 0 : key.querySelectorAll("button").length)),
  slider: slider.getBoundingClientRect().height, heading: document.querySelector("h1").textContent,
  command: document.querySelector("pre").textContent,
};
"""
TOLD = [
    ["48 images seen", "discriminator: 0.6", "generator: 1.1"],
    ["96 images seen", "n = 2,000: 4", "n = 10,000: 2.5", "500 test images: 0.06", "best: 2.5"],
]


@pytest.mark.skipif(BROWSER is None, reason="no Chromium or Chrome here")
def test_a_browser_draws_it_at_both_widths(run: Run, tmp_path: Path) -> None:
    page = write_report(run)
    for frame in frames(page, PROBE, tmp_path):
        assert len(frame["drawn"]) == len(plots_of(page))
        assert all(map(all, frame["drawn"])), frame["drawn"]
        assert frame["told"] == TOLD
        assert frame["hides"], "the other line stays"
        assert frame["fits"]
        assert frame["keys"][:2] == [2, 3]
        assert not any(frame["keys"][2:])
        assert frame["axes"] == 1
        assert frame["slider"] >= 44
        assert (frame["first"], frame["second"]) == ("after 2 images, 0 s", "after 6 images, 1 s")
        assert frame["heading"] == run.folder.name
        assert frame["command"] == data_of(page)["command"]
