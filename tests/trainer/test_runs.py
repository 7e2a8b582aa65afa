import json
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers import leftovers

from gan_runtime.errors import GanEdgeError, InputError, OutputError
from gan_trainer.runs.folder import Run, create_run, newest_run, open_run
from gan_trainer.training.checkpoint import list_checkpoints
from gan_trainer.training.config import Config

Make = Callable[..., Config]
RUNS = Path("runs")


def test_names_are_data_and_recipe_numbered_if_taken(make: Make) -> None:
    names = [create_run(RUNS, None, make()).folder.name for _ in range(3)]
    assert names == ["squares-quick", "squares-quick-2", "squares-quick-3"]
    assert not leftovers(RUNS)


def test_a_taken_name_is_refused(make: Make) -> None:
    create_run(RUNS, "mine", make())
    with pytest.raises(InputError, match=r"--name mine: .*exists.*--resume"):
        create_run(RUNS, "mine", make())
    assert not leftovers(RUNS)


@pytest.mark.parametrize("name", ["../up", "a/b", ".hidden", ""])
def test_odd_names_are_refused(make: Make, name: str) -> None:
    with pytest.raises(InputError, match="--name"):
        create_run(RUNS, name, make())


def test_an_unusable_place_is_refused(make: Make, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for place in (tmp_path / "file", tmp_path / "file" / "inner", Path("/proc/runs")):
        with pytest.raises(OutputError, match="runs cannot be written there"):
            create_run(place, None, make())


def test_config_repeats_the_run(make: Make) -> None:
    run = create_run(RUNS, None, make(lr=0.5))
    document = json.loads((run.folder / "config.json").read_text())
    assert document["recipe"]["lr"] == 0.5
    assert "torch" in document["software"]
    assert run.load() == (make(lr=0.5), None)


def test_runs_are_found_by_path_and_by_name(make: Make) -> None:
    run = create_run(RUNS, "mine", make())
    assert open_run(RUNS / "mine", RUNS) == open_run(Path("mine"), RUNS) == run
    with pytest.raises(GanEdgeError, match="run yours: not found"):
        open_run(Path("yours"), RUNS)
    with pytest.raises(GanEdgeError, match="no run with a checkpoint"):
        newest_run(RUNS)


def test_a_log_is_cut_back_to_the_checkpoint(make: Make) -> None:
    run = create_run(RUNS, None, make())
    for images in (10, 20, 30):
        run.log({"images": images})
    with (run.folder / "metrics.jsonl").open("a") as file:
        file.write('{"images": 4')  # a sudden end
    run.forget_after(20)
    assert (run.folder / "metrics.jsonl").read_text() == '{"images": 10}\n{"images": 20}\n'


def test_files_of_other_names_are_no_checkpoints(make: Make) -> None:
    run = create_run(RUNS, None, make())
    for name in ("best.pt", "000000000128.pt", "1000000000000.pt", "000000000064.pt.bak"):
        (run.checkpoints / name).touch()
    assert [path.name for path in list_checkpoints(run.checkpoints)] == ["000000000128.pt", "1000000000000.pt"]


def test_a_damaged_config_is_named(make: Make) -> None:
    run = create_run(RUNS, None, make())
    (run.folder / "config.json").write_text("{")
    with pytest.raises(GanEdgeError, match=r"config\.json: cannot be read"):
        Run(run.folder).load()
