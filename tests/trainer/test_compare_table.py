"""Table, samples and page of a comparison, from results written by hand."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import BROWSER, frames
from helpers import FROM_LATENTS
from PIL import Image

from gan_runtime.evaluation.scores import TEST, TRAIN
from gan_trainer.compare.page import curves, write_comparison
from gan_trainer.compare.pictures import MARGIN, save_samples
from gan_trainer.compare.plan import Plan, Settings
from gan_trainer.compare.table import lines, markdown, processor, summarise, text
from gan_trainer.tasks import generate
from gan_trainer.tasks.generate import COLUMNS
from gan_trainer.tasks.generate import samples as samples_of

SCORES = {"precision": 0.5, "recall": 0.25, "density": 0.5, "coverage": 0.5, "modes": 10, "kl": 0.25, "confident": None}
FLOORS = {
    TEST: {"n": 300, "fid": 0.5, "precision": None},
    TRAIN: {"n": 800, "fid": 0.25, "precision": 0.9, "confident": 0.99},
}
REPORT = {
    "floors": FLOORS,
    "features": {"name": "mnist", "sha256": "0123456789abcdef" * 4},
    "versions": {"gan-edge": "0.1.0"},
}
FID = generate.METRICS[0]
Curve = list[dict[str, Any]]
CPU = "cpu_seconds"


def finished(recipe: str, seed: int, fid: float, curve: Curve | None = None, **scores: Any) -> dict[str, Any]:
    report = REPORT | {"results": {f"{recipe}-{seed}.onnx": SCORES | {"fid": fid} | scores}}
    about = {"recipe": recipe, "seed": seed, "images": 1000 + seed, "cpu_seconds": 10.0 + seed, "curve": curve or []}
    return about | {"outcome": "finished", "report": report}


def diverged(recipe: str, seed: int) -> dict[str, Any]:
    return finished(recipe, seed, 0.0) | {"outcome": "diverged", "report": None}


RESULTS = [
    finished("gan", 0, 3.0, recall=0.25, modes=9),
    finished("gan", 1, 1.0, recall=0.75, modes=10),
    finished("vae", 0, 1.5),
    diverged("wgan", 0),
    diverged("gan", 2),
    finished("vae", 1, 1.5) | {"outcome": "collapsed"},
]


def test_mean_spread_and_best_over_seeds() -> None:
    vae, gan, wgan = summarise(RESULTS, COLUMNS)
    assert [row["recipe"] for row in (vae, gan, wgan)] == ["vae", "gan", "wgan"], "best mean FID first, none last"
    assert gan["fid"] == {"mean": 2.0, "deviation": pytest.approx(2**0.5), "best": 1.0, "runs": 2}
    assert gan["recall"] == {"mean": 0.5, "deviation": pytest.approx(0.125**0.5), "best": 0.75, "runs": 2}
    assert (gan["runs"], gan["diverged"], gan["collapsed"]) == (3, 1, 0)
    assert (gan["images"], gan["cpu_seconds"]) == (1001, 11.0)
    assert (vae["diverged"], vae["collapsed"], vae["fid"]["deviation"]) == (0, 1, 0.0)
    assert vae["confident"] is None, "what no run could be measured by"
    assert (wgan["runs"], wgan["diverged"], wgan["fid"]) == (1, 1, None)
    assert summarise(RESULTS[:1], COLUMNS)[0]["fid"]["deviation"] is None


def test_the_table_as_text() -> None:
    cells = lines(summarise(RESULTS, COLUMNS), RESULTS, COLUMNS)
    half = "0.50 ± 0.00"
    assert cells == [
        ["recipe", "runs", "images", "CPU s", "FID", "precision", "recall", "density", "coverage", "modes",
         "KL of classes", "confident", "best FID"],
        ["vae", "2 (1 collapsed)", "1,000", "10", "1.500 ± 0.000", half, "0.25 ± 0.00", half, half, "10 ± 0",
         "0.250 ± 0.000", "-", "1.500"],
        ["gan", "3 (1 diverged)", "1,001", "11", "2.000 ± 1.414", half, "0.50 ± 0.35", half, half, "9.5 ± 0.7",
         "0.250 ± 0.000", "-", "1.000"],
        ["wgan", "1 (1 diverged)", "1,000", "10", *"---------"],
        ["test images", "", "300", "", "0.500", *"-------", ""],
        ["training images", "", "800", "", "0.250", "0.90", *"-----", "0.99", ""],
    ]  # fmt: skip
    shown = text(cells).splitlines()
    assert [line.split()[:2] for line in shown[:4]] == [["recipe", "runs"], ["vae", "2"], ["gan", "3"], ["wgan", "1"]]
    assert {line.index(cell) for line, cell in zip(shown, ("FID", "1.5", "2.0", "-", "0.5", "0.2"), strict=True)} == {
        shown[0].index("FID")
    }
    assert not [line for line in shown if line != line.rstrip()]


def test_the_table_as_markdown() -> None:
    plan = Plan(Settings("mnist", None, 60.0, 10_000, 2, {"lr": 0.001, "width": 8}), {})
    results = [
        result | {"cpu_seconds": seconds} for result, seconds in zip(RESULTS, (60, 30, 72, 1, 1, 1), strict=True)
    ]
    found = markdown(lines(summarise(RESULTS, COLUMNS), RESULTS, COLUMNS), plan, results)
    title, _, header, rule, *rows = found.splitlines()
    assert title == "# mnist: recipes compared"
    assert (header.count("|"), rule, rows.index("")) == (14, "|" + "---|" * 13, 5)
    assert all(row.count("|") == 14 for row in rows[:5])
    assert rows[6:] == [
        "60 CPU seconds per run, seeds 0, 1, 2; 2 threads per run on cpu.",
        "All recipes compute in fp32.",
        "The number of images follows from a short measurement of the speed. The share of the budget that runs used "
        "differs: gan-1 50%, vae-0 120%.",
        "The last checkpoint of each run was exported, and gan-eval measured 10,000 samples of each file. "
        "Mean ± standard deviation over seeds.",
        "Changed in every recipe: lr = 0.001, width = 8.",
        "Features mnist, SHA-256 0123456789abcdef; gan-edge 0.1.0.",
        f"Processor: {processor()}.",
    ]
    assert "1,000 images per run, seeds 0; 1 thread per run on cpu." in markdown(
        [["a"]], Plan(Settings("x", 1000), {}), RESULTS[:1]
    )


def test_what_differs_between_recipes_is_told() -> None:
    recipes = {
        "quick": {
            "batch_size": 64,
            "ema_half_life": 20_000,
            "conditional": True,
            "augment": "auto",
            "precision": "auto",
        },
        "gan": {"batch_size": 128, "ema_half_life": 0, "conditional": False, "augment": "auto", "precision": "fp32"},
    }
    text = markdown([["a"]], Plan(Settings("x", 1000), {}, recipes), RESULTS[:1])
    assert (
        "Differences between the recipes: images per step (quick 64, gan 128); half-life of the average that is "
        "exported, 0 for none (quick 20000, gan 0); class-conditional (quick yes, gan no)." in text
    )
    same = Settings("x", 1000, changes={"batch_size": 32, "ema_half_life": 0, "conditional": False})
    assert "Differences" not in markdown([["a"]], Plan(same, {}, recipes), RESULTS[:1])
    cuda = markdown([["a"]], Plan(Settings("x", 1000, device="cuda", precision="bf16"), {}, recipes), RESULTS[:1])
    assert "CPU s is the CPU time of the host, without the work of the GPU." in cuda
    assert "All recipes compute in bf16." in cuda


def test_versions_are_told_and_told_apart() -> None:
    old, new = {"gan-edge": "0.1.0", "torch": "2.12.0"}, {"gan-edge": "0.2.0", "torch": "2.13.0"}
    some = [finished("gan", 0, 1.0) | {"software": old}, finished("gan", 1, 1.0) | {"software": new}]
    assert "Software: gan-edge 0.1.0, torch 2.12.0." in markdown([["a"]], Plan(Settings("x", 1000), {}), some[:1])
    assert (
        "Runs of several versions: gan-edge 0.1.0, torch 2.12.0: gan-0; gan-edge 0.2.0, torch 2.13.0: gan-1."
        in markdown([["a"]], Plan(Settings("x", 1000), {}), some)
    )


def test_nothing_but_diverged_runs() -> None:
    results = [diverged("gan", 0), diverged("gan-minimax", 0)]
    cells = lines(summarise(results, COLUMNS), results, COLUMNS)
    assert [row[0] for row in cells] == ["recipe", "gan", "gan-minimax"]
    assert "Features" not in markdown(cells, Plan(Settings("mnist", 1000), {}), results)
    assert curves(results, "cpu_seconds", FID) == []
    save_samples(Path("samples.png"), {"gan": None, "gan-minimax": None}, samples_of, {})
    samples = np.array(Image.open("samples.png").convert("L"))
    assert all((row < 100).any() for row in np.split(samples, 2)), "each has its name"
    assert (samples[:, -5:] == 255).all(), "as a whole"


def test_a_row_of_samples_for_each_recipe(unconditional_model: Path, conditional_model: Path) -> None:
    save_samples(Path("one.png"), {"gan": unconditional_model}, samples_of, {})
    save_samples(
        Path("samples.png"), {"quick": conditional_model, "none": None, "gan": unconditional_model}, samples_of, {}
    )
    one, samples = (np.array(Image.open(name).convert("L")) for name in ("one.png", "samples.png"))
    quick, none, gan = np.split(samples, 3)
    assert (none[:, MARGIN + 60 :] == 255).all()
    assert np.array_equal(gan[:, MARGIN:], one[:, MARGIN:]), "the same latents whatever stands beside it"
    assert (quick[:28, MARGIN + 5 : -5] != 255).any()


@pytest.mark.parametrize(("modes", "shown"), [(1000, "1,000"), (999.6666, "999.7"), (10, "10"), (9.5, "9.5")])
def test_modes_are_told_apart(modes: float, shown: str) -> None:
    results = [finished("gan", 0, 1.0, modes=modes)]
    (row, *_) = lines(summarise(results, COLUMNS), results, COLUMNS)[1:]
    assert row[9] == shown


def point(cpu_seconds: float | None, fid: float | None) -> dict[str, Any]:
    return {"images": 1, "cpu_seconds": cpu_seconds, "fid": fid}


def test_curves_of_seeds_and_their_mean() -> None:
    some = [point(1, 50.0), point(10, 5.0), point(100, 0.5)]
    other = [point(3, 30.0), point(30, 3.0)]
    found = curves(
        [finished("gan", 0, 1.0, some), finished("vae", 0, 1.0, other), finished("gan", 1, 1.0, other)], CPU, FID
    )
    assert [(line["name"], line["kind"], line["shade"]) for line in found] == [
        ("", "faint", 0), ("", "faint", 0), ("gan", "mean", 0), ("vae", "mean", 1),
    ]  # fmt: skip
    assert [(line["x"], line["values"]) for line in found] == [
        ([1, 10, 100], [50, 5, 0.5]),
        ([3, 30], [30, 3]),
        ([2, 20, 100], [40, 4, 0.5]),  # the run that ended early counts for as long as it ran
        ([3, 30], [30, 3]),
    ]


def test_curves_over_images() -> None:
    some = [{"images": 64, "cpu_seconds": 1.0, "fid": 50.0}, {"images": 128, "cpu_seconds": 2.0, "fid": 5.0}]
    (line,) = curves([finished("gan", 0, 1.0, some)], "images", FID)
    assert (line["x"], line["values"]) == ([64, 128], [50, 5])


@pytest.mark.parametrize(
    "curve",
    [
        [point(1, 50.0), point(None, 20.0), point(100, 0.5)],
        [point(1, 50.0), point(10, None), point(100, 0.5)],
        [point(0, 70.0), point(1, 50.0), point(100, 0.5)],
    ],
)
def test_points_without_a_place_are_left_out(curve: Curve) -> None:
    whole = curves([finished("gan", 0, 1.0, [point(1, 50.0), point(100, 0.5)])], CPU, FID)
    assert curves([finished("gan", 0, 1.0, curve)], CPU, FID) == whole


def test_recipes_without_a_curve_and_with_one_point() -> None:
    some = [finished("gan", 0, 1.0, [point(3, 2.0)]), finished("vae", 0, 1.0), diverged("wgan", 0)]
    assert [(line["name"], line["x"]) for line in curves(some, CPU, FID)] == [("gan", [3])]


def page_of(results: list[dict[str, Any]]) -> Path:
    save_samples(Path("samples.png"), {result["recipe"]: None for result in results}, samples_of, {})
    cells = lines(summarise(results, COLUMNS), results, COLUMNS)
    plan = Plan(Settings("</script>mnist", None, 60.0, 10_000), {})
    write_comparison(Path("comparison.html"), cells, plan, results, Path("samples.png"), FID)
    return Path("comparison.html")


def test_the_page_has_the_table_and_asks_nobody() -> None:
    text = page_of(RESULTS).read_text()
    assert "default-src 'none'" in text
    assert text.count("</script") == text.count("<script") == 3
    assert "3 (1 diverged)" in text
    assert "60 CPU seconds per run, seeds 0, 1, 2; 1 thread per run on cpu." in text
    assert '"over": "CPU seconds of training"' in text


PROBE = """
await until(() => find("img").complete);
const place = (x, y) => [data.plot.chart.valToPos(x, "x"), data.plot.chart.valToPos(y, "y")];
return {
  drawn: data.plot.lines.map((line, i) => line.kind === "faint" || coloured(data.plot, i)),
  corners: [place(1, 50), place(10, 5), place(100, 0.5)],
  told: values(data.plot, 10), rows: document.querySelectorAll("tbody tr").length,
  key: [...data.plot.key.querySelectorAll("button")].map((button) => button.textContent),
  title: document.title, samples: find("img").naturalHeight > 0,
};
"""


@pytest.mark.skipif(BROWSER is None, reason="no Chromium or Chrome here")
def test_a_browser_draws_curves_that_go_down_and_right(tmp_path: Path) -> None:
    straight, other = [point(1, 50.0), point(10, 5.0), point(100, 0.5)], [point(10, 40.0), point(100, 30.0)]
    results = [
        finished("gan", 0, 1.0, straight), diverged("wgan", 0),
        finished("vae", 0, 1.0, other), finished("vae", 1, 1.0, other),
    ]  # fmt: skip
    for frame in frames(page_of(results), PROBE, tmp_path):
        assert all(frame["drawn"])
        (left, top), middle, (right, bottom) = frame["corners"]
        assert (left < right, top < bottom) == (True, True), "from the upper left to the lower right"
        assert middle == pytest.approx([(left + right) / 2, (top + bottom) / 2]), "both axes are logarithmic"
        assert frame["told"] == ["10 CPU seconds of training", "gan: 5", "vae: 40"]
        assert frame["key"] == ["━gan", "━vae"]
        assert (frame["rows"], frame["samples"]) == (5, True)
        assert frame["title"] == "</script>mnist: recipes compared"


def test_one_page_for_many_recipes_has_a_colour_for_each() -> None:
    results = [finished(name, 0, 1.0, [point(1, 2.0)]) for name in FROM_LATENTS]
    assert len({line["shade"] for line in curves(results, CPU, FID)}) == len(FROM_LATENTS) == 14
