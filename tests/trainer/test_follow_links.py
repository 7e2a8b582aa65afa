"""Every command that takes a folder follows links out of it where that is asked for, and names them where it is not."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from helpers import Result
from PIL import Image

Call = Callable[..., Result]
QUICK = ["--threads", 1, "--device", "cpu"]


@pytest.fixture
def links() -> str:
    """A folder of links to pictures, as Hugging Face's cache has them: two classes of 75."""
    rng = np.random.default_rng(0)
    Path("blobs").mkdir()
    for index in range(150):
        Image.fromarray(rng.integers(0, 256, (28, 28), np.uint8)).save(f"blobs/sha{index:03}", format="png")
        link = Path("links", ("cat", "dog")[index % 2], f"{index:03}.png")
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(Path("blobs").resolve() / f"sha{index:03}")
    return "links"


def test_every_command_follows_links_where_it_is_asked_to(call: Call, links: str, random_features: Path) -> None:
    vae = ["--recipe", "vae", "--mode", "L", "--images", 128, "--batch-size", 32]
    assert call("gan-train", links, "--size", 28, *vae, "--follow-links", "--name", "r", *QUICK, "-q").code == 0
    assert call("gan-export", "runs/r", "-o", "r.onnx").code == 0
    commands: dict[str, list[object]] = {
        "gan-encode": [links, "out.npz", "--model", "r.onnx"],
        "gan-eval": [links, links, "--features", random_features, "--n", 140],
        "gan-sample": ["--model", "r.onnx", "--reconstruct", links, "out.png"],
        "gan-data": [links, "--verify"],
    }
    for command, arguments in commands.items():
        options = [] if command == "gan-data" else QUICK
        refused = call(command, *arguments, *options)
        assert refused.code == 1, refused
        assert "--follow-links reads it" in refused.out + refused.err
        followed = call(command, *arguments, "--follow-links", *options)
        assert followed.code == 0, followed
    with np.load("out.npz") as found:
        assert found["latents"].shape[0] == 150
        names = [str(name) for name in found["names"]]
        assert (names[0], names[-1]) == ("links/cat/000.png", "links/dog/149.png")
    assert "follow_links" not in json.dumps(json.loads(call("gan-info", "r.onnx", "--json").out))


def test_links_belong_to_pictures(call: Call, conditional_model: Path) -> None:
    sampled = call("gan-sample", "--model", conditional_model, "--follow-links", "x.png", *QUICK)
    assert sampled.refused("--follow-links: has an effect only with --reconstruct or --interpolate")
    assert call("gan-eval", "x.npy", "ring8", "--follow-links").refused("--follow-links: ring8 has points")


@pytest.mark.parametrize("name", ["photos.tar.gz", "photos.7z"])
def test_other_archives_get_a_way_out_in_every_command(call: Call, random_features: Path, name: str) -> None:
    Path(name).write_bytes(b"7z")
    for command in (
        ["gan-data", name],
        ["gan-train", name, "--threads", 1],
        ["gan-eval", name, "mnist", "--features", random_features, *QUICK],
    ):
        assert call(*command).refused(name, "archives are not read; unpack it and name the folder")
