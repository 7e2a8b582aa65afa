"""Runs on two domains: exact resume, settings, reports, and what is refused."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers import tensors
from PIL import Image

from gan_runtime.data import PictureOptions
from gan_runtime.data.domain_split import split_domains
from gan_runtime.data.domains import PairOptions
from gan_runtime.errors import DataError, GanEdgeError, InputError
from gan_trainer import Observer, Run, recipe, resume, train
from gan_trainer.data.source import DataSource
from gan_trainer.recipes.recipe import find_recipe
from gan_trainer.report.repeat import command, settings
from gan_trainer.runs import folder as folders
from gan_trainer.training.checkpoint import load_checkpoint
from gan_trainer.training.config import Config
from gan_trainer.training.stop import StopRequest

PLACE: dict[str, Any] = {"device": "cpu", "threads": 1, "size": 32}
SMALL: dict[str, Any] = {
    "images": 48, "batch_size": 4, "width": 4, "d_width": 4, "patch": 16, "eval_every": 0, "preview_every": 10_000,
    "flip": True, "shift": 2, "precision": "fp32",
}  # fmt: skip
PAIRED = recipe("pix2pix-quick", **SMALL)
UNPAIRED = recipe("cyclegan-quick", **SMALL, blocks=1)


def put(path: str, seed: int, channels: int = 3) -> None:
    """A picture of 4 x 4 squares in random colours."""
    squares = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(squares).resize((32, 32), Image.Resampling.NEAREST).convert("RGB" if channels == 3 else "L").save(
        path
    )


@pytest.fixture
def pairs() -> Path:
    """20 pairs, and 3 more of which A has no partner in B if they are taken for pairs."""
    for i in range(20):
        put(f"pairs/A/{i}.png", i, 1)
        put(f"pairs/B/{i}.png", i)
    return Path("pairs")


class StopAt(Observer):
    """Stops a run after so many steps."""

    def __init__(self, steps: int, request: StopRequest) -> None:
        self.steps, self.request = steps, request

    def stepped(self, state: Any) -> None:
        if state.step == self.steps:
            self.request.number = 15


def checkpoint(run: Run) -> dict[str, Any]:
    assert run.checkpoint is not None
    return load_checkpoint(run.checkpoint)


@pytest.mark.parametrize("settings", [PAIRED, UNPAIRED], ids=["paired", "unpaired"])
def test_a_resumed_run_is_as_one_that_never_stopped(settings: Any, pairs: Path) -> None:
    whole = train(pairs, settings, name="whole", **PLACE)
    request = StopRequest()
    begun = train(pairs, settings, name="begun", callbacks=[StopAt(5, request)], stop=request, **PLACE)
    assert begun.outcome is not None
    assert not begun.outcome.finished
    ended = resume(begun)
    states = [
        dict(tensors({part: checkpoint(run)[part] for part in ("networks", "averages", "optimizers", "extra", "rng")}))
        for run in (whole, ended)
    ]
    assert states[0].keys() == states[1].keys()
    assert len(states[0]) > 30
    for name, tensor in states[0].items():
        assert torch.equal(tensor, states[1][name]), name


def test_what_a_run_records(pairs: Path) -> None:
    run = train(pairs, PAIRED, name="r", direction="BtoA", input_mode="L", hold_out=0.2, progress=False, **PLACE)
    config = folders.Run(run.folder).config()
    assert config.data.pairs == PairOptions(direction="BtoA", input_mode="L")
    assert config.data.source_size is not None
    assert (config.data.source_size.channels, config.data.size.channels) == (1, 3)
    assert Config.from_dict(json.loads(json.dumps(config.to_dict())), "x") == config
    dataset = config.data.load(quiet=True)
    assert config.data.images == len(split_domains(dataset, 0.2).train.images) < 20
    assert {"direction": "BtoA", "input_mode": "L", "hold_out": 0.2}.items() <= settings(config).items()
    assert "--direction BtoA --input-mode L" in command(config)
    assert "size of the inputs" in run.report.read_text()


def test_the_settings_of_a_run_repeat_it(pairs: Path, call: Any) -> None:
    for name in ("A", "B"):
        put(f"pairs/test{name}/0.png", 99 + ord(name))
    first = train(pairs, UNPAIRED, name="one", direction="BtoA", **PLACE)
    again = call("gan-train", "--config", first.folder / "config.json", "--name", "two", "--quiet")
    assert again.code == 0, again.err
    configs = [folders.Run(Path("runs") / name).config() for name in ("one", "two")]
    assert configs[0] == configs[1]
    assert (configs[0].data.hold_out, configs[0].data.images) == (None, 20)
    assert "--hold-out" not in command(configs[0])
    one, two = (dict(tensors(checkpoint(Run(Path("runs") / name))["networks"])) for name in ("one", "two"))
    assert all(torch.equal(tensor, two[name]) for name, tensor in one.items())


def test_inputs_that_are_made(call: Any) -> None:
    for i in range(12):
        put(f"photos/{i}.png", i)
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in SMALL.items() if name not in ("flip",)]
    made = call(
        "gan-train", "photos", "--recipe", "pix2pix-quick", "--input", "sketch", "--size", 32, "--name", "r", *flags
    )
    assert made.code == 0, made.err
    assert "of 12 pairs are held out for evaluation (--hold-out)" in made.err
    config = folders.Run(Path("runs/r")).config()
    assert config.data.source_size is not None
    assert config.data.source_size.channels == 1
    assert "--input sketch" in command(config)


def test_a_run_goes_on_where_its_data_have_moved(pairs: Path) -> None:
    request = StopRequest()
    run = train(pairs, PAIRED, name="r", callbacks=[StopAt(5, request)], stop=request, **PLACE)
    pairs.rename("moved")
    with pytest.raises(DataError, match="are missing; give their new path"):
        resume(run)
    put("moved/A/3.png", 1000, 1)
    with pytest.raises(DataError, match="its images differ from those that the run started with"):
        resume(run, data_dir="moved")
    put("moved/A/3.png", 3, 1)
    assert resume(run, data_dir="moved").history[-1]["images"] == 48


def arrays(count: int = 12, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(channels).integers(0, 256, (count, 32, 32, channels), dtype=np.uint8)


def test_domains_in_memory(call: Any) -> None:
    place = {name: value for name, value in PLACE.items() if name != "size"}
    both = {"A": arrays(channels=1), "B": arrays()}
    run = train(both, PAIRED, direction="BtoA", name="r", **place)
    config = folders.Run(run.folder).config()
    assert config.data.source_size is not None
    assert (config.data.source_size.channels, config.data.size.channels) == (3, 1)
    assert "direction='BtoA'" in command(config)
    assert resume(run, images=96, data=both).history[-1]["images"] == 96
    with pytest.raises(DataError, match="its images differ"):
        resume(run, images=192, data={"A": arrays(), "B": arrays()})
    made = train(arrays(), PAIRED, input="grey", name="g", **place)
    assert resume(made, images=96, data=arrays()).history[-1]["images"] == 96
    assert train({"A": arrays(9), "B": arrays(12)}, UNPAIRED, name="u", **place).history


@pytest.mark.parametrize(
    ("data", "arguments", "words"),
    [
        ({"A": arrays(9), "B": arrays(12)}, {}, "as many images of one size"),
        ({"A": arrays(), "B": arrays()[:, :16]}, {}, "one size"),
        ({"A": arrays(), "C": arrays()}, {}, "the keys 'A' and 'B', not 'A', 'C'"),
        ({"A": arrays(), "B": arrays()}, {"input": "blur"}, "input blur: the data has inputs and targets"),
        ({"A": arrays(), "B": arrays()}, {"recipe": "quick"}, "one domain"),
        ({"A": arrays(), "B": arrays()}, {"input_mode": "L"}, "input_mode L: an array is used as it is"),
        (arrays(), {}, "one array is one domain"),
        (arrays(), {"recipe": "quick", "input": "blur"}, "learns from images"),
        (arrays(), {"recipe": UNPAIRED, "input": "blur"}, "learns from unpaired"),
        (arrays(), {"input": "photo"}, "sketch, grey, blur, mask, low"),
        ("mnist", {}, "learns from two domains; name a folder"),
        ("nowhere", {}, "data set 'nowhere': unknown"),
    ],
)
def test_what_is_refused(data: Any, arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(GanEdgeError) as raised:
        train(data, **{"recipe": PAIRED, "device": "cpu", "threads": 1, **arguments})
    assert words in str(raised.value)
    assert not Path("runs").exists()


def test_refusals_of_the_command(pairs: Path, call: Any) -> None:
    for arguments, words in (
        ((pairs, "--input", "sketch"), ("--input sketch", "--recipe quick", "learns from images")),
        ((pairs, "--recipe", "cyclegan-quick", "--input", "blur"), ("--input blur", "learns from unpaired")),
        ((pairs, "--recipe", "pix2pix-quick", "--labels", "folders"), ("--labels folders", "leave it out")),
        ((pairs, "--recipe", "pix2pix-quick", "--direction", "BA"), ("--direction BA", "AtoB or BtoA")),
        (("pairs/A", "--recipe", "pix2pix-quick"), ("0.png (32 x 32 pixels", "--input")),
        (("pairs/A", "--recipe", "cyclegan-quick"), ("has no folders A and B",)),
    ):
        assert call("gan-train", *arguments).refused(*words)
        assert not Path("runs").exists()
    put("pairs/testA/x.png", 1)
    put("pairs/testB/x.png", 2)
    refused = call("gan-train", pairs, "--recipe", "pix2pix-quick", "--hold-out", 0.2)
    assert refused.refused("--hold-out", "has test images of its own")


def test_the_help_shows_the_options_of_a_recipe(call: Any) -> None:
    shown = {name: call("gan-train", "--recipe", name, "--help").out for name in ("quick", "pix2pix", "cyclegan")}
    assert "--direction" not in shown["quick"]
    assert "--input" not in shown["quick"]
    assert "--input " in shown["pix2pix"]
    assert "--direction" in shown["cyclegan"]
    assert "--input " not in shown["cyclegan"]


def test_configurations_of_one_domain_have_no_pairs() -> None:
    old = asdict(DataSource("d", "/d", None, PictureOptions(), "0", 1, None, ()))  # type: ignore[arg-type]
    assert old["pairs"] is None
    assert find_recipe("quick").learns_from == "images"
    assert replace(PairOptions(), paired=False).channels(PictureOptions(mode="L")) == 1


def test_a_generator_of_ones_own(pairs: Path) -> None:
    own = torch.nn.Sequential(torch.nn.Conv2d(3, 3, 3, padding=1), torch.nn.Tanh())
    before = own[0].weight.detach().clone()
    assert train(pairs, PAIRED, networks={"generator": own}, name="own", **PLACE).history
    assert not torch.equal(own[0].weight, before)
    with pytest.raises(InputError, match=r"the generator must take images float \[2, 3, 32, 32\]"):
        train(pairs, PAIRED, networks={"generator": torch.nn.Linear(7, 7)}, name="no", **PLACE)
