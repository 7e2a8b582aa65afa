import os
import pickle
import resource
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from helpers import leftovers

from gan_runtime.errors import GanEdgeError
from gan_trainer.systems import start_state
from gan_trainer.training.checkpoint import FORMAT, load_checkpoint, save_checkpoint
from gan_trainer.training.config import Config


class Malicious:
    """Runs a command when it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch owned",)


def test_malicious_pickles_are_refused_and_not_run() -> None:
    torch.save({"format": FORMAT, "weights": Malicious()}, "a.pt")
    Path("b.pt").write_bytes(pickle.dumps(Malicious()))
    for name in ("a.pt", "b.pt"):
        with pytest.raises(GanEdgeError, match=f"{name}: corrupt, foreign or unsafe"):
            load_checkpoint(Path(name))
    assert not Path("owned").exists()


def test_corrupt_and_foreign_files_are_refused(make: Callable[..., Config], tmp_path: Path) -> None:
    config = make()
    path = save_checkpoint(tmp_path, start_state(config), config)
    content = path.read_bytes()
    torch.save({"state_dict": {}}, "foreign.pt")
    torch.save({"format": FORMAT, "format_version": 99, "gan_edge": "9.9"}, "newer.pt")
    torch.save([1, 2], "list.pt")
    Path("cut.pt").write_bytes(content[: len(content) // 2])
    Path("empty.pt").touch()
    Path("text.pt").write_text("hello")
    for name, reason in {
        "foreign.pt": "not a gan-edge checkpoint",
        "newer.pt": "format 99 of gan-edge 9.9; this version reads format",
        "list.pt": "not a gan-edge checkpoint",
        "cut.pt": "corrupt",
        "empty.pt": "corrupt",
        "text.pt": "corrupt",
        "missing.pt": "cannot be read",
    }.items():
        with pytest.raises(GanEdgeError, match=f"{name}: .*{reason}"):
            load_checkpoint(Path(name))


def test_a_full_disk_leaves_the_last_checkpoint(make: Callable[..., Config], tmp_path: Path) -> None:
    config = make()
    path = save_checkpoint(tmp_path, start_state(config), config)
    code = (
        "import sys; from pathlib import Path; from gan_trainer.training.checkpoint import *;"
        "from gan_trainer.training.config import *;"
        "from gan_trainer.systems import start_state; saved = load_checkpoint(Path(sys.argv[1]));"
        "config = Config.from_dict(saved['config'], ''); state = start_state(config, saved); state.images_seen = 8;"
        "save_checkpoint(Path(sys.argv[1]).parent, state, config)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000)),
    )
    assert "OutputError" in done.stderr
    assert "cannot be written" in done.stderr
    assert load_checkpoint(path)["images_seen"] == 0
    assert not leftovers(tmp_path)


def test_a_changed_configuration_is_refused(make: Callable[..., Config]) -> None:
    document = make().to_dict()
    assert Config.from_dict(document, "x") == make()
    older = {name: value for name, value in document.items() if name not in ("asked", "init_from", "history")}
    recipe = document["recipe"] | {"eval_share": 0.05}  # of gan-edge 0.1.0
    assert Config.from_dict(older | {"recipe": recipe}, "x") == replace(make(), asked={})
    asked = Config.from_dict(older | {"recipe": recipe | {"eval_share": 0.0, "eval_every": 8}}, "x").asked
    assert asked == {"eval_every": 8}
    for broken in (None, [], {}, document | {"recipe": {"lr": 1}}, document | {"data": 3}):
        with pytest.raises(GanEdgeError, match="x: not a configuration"):
            Config.from_dict(broken, "x")
