"""gan-project: pictures become the styles or latents that draw them."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import Result, leftovers, new_generator
from numpy.typing import NDArray
from pickled import pickled
from PIL import Image
from style_networks import authors, snapshot, style_weights
from styled import SMALL, styled_generator

from gan_runtime.errors import InputError
from gan_runtime.images.array_files import load_latents
from gan_runtime.manifest import ImageSize
from gan_trainer import project
from gan_trainer.data.pixels import denormalise, to_pixels
from gan_trainer.networks.stylegan2 import StyleGenerator
from gan_trainer.projection import Projection, project_images
from gan_trainer.projection.descent import rate, strength
from gan_trainer.projection.distance import as_seen
from gan_trainer.projection.generators import Projected

Call = Callable[..., Result]
TINY = ("--width", 2, "--max-width", 4, "--latent-dim", 6, "--style-dim", 5, "--mapping-layers", 2)
SHORT = ("--images", 16, "--batch-size", 8, "--threads", 1, "--device", "cpu", "--eval-every", 0, "--quiet")
FAST = ("--steps", 6, "--device", "cpu", "--threads", 1)


@torch.no_grad()
def drawn_by(network: torch.nn.Module, latents: torch.Tensor, *labels: torch.Tensor) -> NDArray[np.uint8]:
    return to_pixels(denormalise(network.eval()(latents, *labels))).numpy()


@pytest.fixture
def styled() -> Projected:
    """A generator with styles whose mean style is that of its mapping."""
    network = styled_generator()
    with torch.no_grad():
        network.w_mean.copy_(network.mapping(random(200)).mean(0))
    return Projected(network.eval().requires_grad_(False), SMALL, "a formula", network.latent_dim)


def random(n: int, dim: int = 6, seed: int = 1) -> torch.Tensor:
    return torch.randn(n, dim, generator=torch.Generator().manual_seed(seed))


def projected(generator: Projected, images: NDArray[np.uint8], **changes: object) -> Projection:
    return project_images(generator, images, **{"steps": 150, "device": "cpu", "threads": 1} | changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("space", ["w", "w+"])
def test_a_drawn_picture_comes_back(styled: Projected, space: str) -> None:
    pictures = drawn_by(styled.network, random(1, seed=3))
    done = projected(styled, pictures, space=space)
    assert done.psnr[0] > 30
    assert done.latents.dtype == np.float32
    assert done.latents.shape == (1, 4, 5)
    assert done.space == "w"
    assert (np.ptp(done.latents, axis=1).max() == 0) == (space == "w")
    assert (done.trail[:, 0] == pictures).all()
    assert (done.trail[:, -1] == done.images).all()
    assert isinstance(styled.network, StyleGenerator)
    mean = styled.network.w_mean.expand(1, 4, -1)
    with torch.no_grad():
        assert (done.trail[:, 1] == to_pixels(denormalise(styled.network.synthesis(mean))).numpy()).all()


def test_a_picture_comes_back_in_z_by_its_class() -> None:
    network = new_generator("quick", 3, ImageSize(28, 28, 1), latent_dim=4, width=4).eval().requires_grad_(False)
    generator = Projected(network, ImageSize(28, 28, 1), "a run", 4, classes=("a", "b", "c"))
    pictures = drawn_by(network, random(1, 4, seed=3), torch.tensor([1]))
    done = projected(generator, pictures, label="b", steps=60)
    assert done.psnr[0] > 30
    assert done.latents.shape == (1, 4)
    assert (done.space, done.label) == ("z", 1)
    with pytest.raises(InputError, match="name the class"):
        projected(generator, pictures)
    with pytest.raises(InputError, match="no class is called so"):
        projected(generator, pictures, label="dog")
    with pytest.raises(InputError, match="has no styles"):
        projected(generator, pictures, label="b", space="w")


def test_the_seed_determines_the_result_and_other_pictures_do_not(styled: Projected) -> None:
    pictures = drawn_by(styled.network, random(2, seed=3))
    both, again = (projected(styled, pictures, steps=8).latents for _ in range(2))
    assert (both == again).all()
    assert (projected(styled, pictures[1:], steps=8).latents == both[1:]).all()
    assert (projected(styled, pictures, steps=8, seed=1).latents != both).any()


def test_rate_and_noise_are_those_of_the_paper() -> None:
    assert [rate(done) for done in (0.0, 0.025, 0.05, 0.5, 0.75)] == [0, 0.5, 1, 1, 1]
    assert rate(0.875) == pytest.approx(0.5)
    assert rate(1.0) == 0
    assert [strength(done) for done in (0.0, 0.375, 0.75, 1.0)] == pytest.approx([0.05, 0.0125, 0, 0])


def test_what_is_beyond_black_and_white_is_no_error() -> None:
    picture = torch.tensor([1.0, 1.0, -1.0, -1.0, 0.5])
    images = torch.tensor([1.5, 0.5, -2.0, 2.0, 1.5])
    assert as_seen(images, picture).tolist() == [1.0, 0.5, -1.0, 2.0, 1.5]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"space": "z"}, "choose w or w\\+"),
        ({"label": "3"}, "styles have no classes"),
        ({"steps": 0}, "steps"),
        ({"seed": -1}, "seed"),
        ({"device": "tpu"}, "choose one of auto, cpu, cuda"),
    ],
)
def test_bad_arguments_are_refused(styled: Projected, changes: dict[str, object], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        projected(styled, np.zeros((1, 8, 8, 3), np.uint8), **changes)


@pytest.mark.parametrize("images", [np.zeros((1, 9, 8, 3), np.uint8), np.zeros((1, 8, 8, 3)), np.zeros((8, 8, 3))])
def test_other_pictures_are_refused(styled: Projected, images: NDArray[np.uint8]) -> None:
    with pytest.raises(InputError, match=r"the generator draws uint8 \['n', 8, 8, 3\]"):
        projected(styled, images)


@pytest.fixture
def picture(tmp_path: Path) -> str:
    """A picture file of another size than the generators draw."""
    grey = np.random.default_rng(0).integers(0, 256, (40, 50), np.uint8)
    Image.fromarray(grey).save(tmp_path / "a.png")
    return "a.png"


def test_gan_sample_draws_what_the_command_finds(call: Call, digits: str, picture: str) -> None:
    assert call("gan-train", digits, "--recipe", "stylegan2-small", *TINY, *SHORT, "--name", "tiny").code == 0
    done = call("gan-project", "--from", "tiny", picture, "out.npz", *FAST, "--json")
    report = json.loads(done.out)
    assert report["psnr"].keys() == {picture}
    assert f"{picture}: PSNR {report['psnr'][picture]:.1f} dB" in done.err
    assert "gan-export tiny --parts" in done.err
    assert (report["output"], report["strip"], report["space"]) == ("out.npz", "out.png", "w")
    assert call("gan-export", "tiny", "-o", "x.onnx", "--parts").code == 0
    assert call("gan-sample", "--latents", "out.npz", "--model", "x.onnx", "drawn.png").code == 0
    strip, drawn = (np.asarray(Image.open(name)).astype(int) for name in ("out.png", "drawn.png"))
    assert strip.shape[0] == 28
    assert np.abs(strip[:, -28:] - drawn).max() <= 1
    assert not leftovers(Path())
    found = load_latents("out.npz").values
    source = np.asarray(Image.open("out.png"))[None, :, :28, None]
    assert (project("tiny", source, steps=6, device="cpu", threads=1).latents == found).all()
    assert call("gan-project", "--from", "tiny", picture, "out.npz", *FAST).refused("out.npz: exists", "--force")
    Path("photos").mkdir()
    kept = Path(shutil.copy(picture, "photos/a.png")).read_bytes()
    into = call("gan-project", "--from", "tiny", "photos", "photos/a.npz", *FAST, "--force")
    assert into.refused("photos/a.png: is also one of the images")
    assert Path("photos/a.png").read_bytes() == kept
    again = call("gan-project", "--from", "tiny", picture, "out.npz", *FAST, "--force", "--no-strip", "--space", "w+")
    assert again.out == "out.npz\n"
    assert np.ptp(load_latents("out.npz").values, axis=1).max() > 0


def test_gan_sample_draws_latents_with_their_class(call: Call, digits: str, picture: str) -> None:
    assert call("gan-train", digits, "--width", 4, *SHORT, "--name", "plain").code == 0
    assert call("gan-project", "--from", "plain", picture, "out.npz", *FAST).refused("--label", "name the class")
    done = call("gan-project", "--from", "runs/plain", picture, "out.npz", *FAST, "--label", 7, "--quiet")
    assert (done.code, done.err) == (0, "")
    assert call("gan-export", "plain", "-o", "x.onnx").code == 0
    assert call("gan-sample", "--latents", "out.npz", "--model", "x.onnx", "drawn.png").code == 0
    strip, drawn = (np.asarray(Image.open(name)).astype(int) for name in ("out.png", "drawn.png"))
    assert np.abs(strip[:, -28:] - drawn).max() <= 1


def test_published_weights_with_styles_are_taken(call: Call) -> None:
    Path("network.pkl").write_bytes(pickled(snapshot(style_weights(authors(32, 3, 4, 6, 1)))))
    np.save("images.npy", np.zeros((2, 32, 32, 3), np.uint8))
    done = call("gan-project", "--from", "network.pkl", "images.npy", "out.npz", *FAST, "--no-strip")
    assert (done.code, done.out) == (0, "out.npz\n")
    assert load_latents("out.npz").values.shape == (2, 8, 6)
    assert "images.npy:1: PSNR" in done.err
    assert not Path("out.png").exists()


def test_bad_input_is_one_line(call: Call, picture: str) -> None:
    Path("network.pkl").write_bytes(pickled(snapshot(style_weights(authors(32, 3, 4, 6, 1)))))
    made = ("gan-project", "--from", "network.pkl")
    assert call(*made, "out.npz").refused("name the images and then the .npz file")
    assert call(*made, picture, "out.npy").refused("name the images and then the .npz file")
    assert call(*made, picture, "a.npz").refused("a.png: is also one of the images")
    assert call(*made, picture, "no/out.npz").refused("the folder no does not exist")
    assert call(*made, "none.png", "out.npz").refused("none.png: cannot be read")
    assert call(*made, picture, "out.npz", "--space", "z").refused("--space 'z': choose w or w+")
    assert call(*made, picture, "out.npz", "--label", 1).refused("--label 1: styles have no classes")
    assert call("gan-project", "--from", "nowhere", picture, "out.npz").refused("run nowhere: not found")
    np.save("other.npy", np.zeros((1, 8, 8, 3), np.uint8))
    assert call(*made, "other.npy", "out.npz").refused("other.npy", "32")
    Path("small.pkl").write_bytes(pickled(snapshot(style_weights(authors(16, 3, 4, 6, 1)))))
    assert call("gan-project", "--from", "small.pkl", picture, "out.npz").refused("sides of 28 to 512", "use a .npy")
    torch.save({"a.weight": torch.zeros(1), "b.weight": torch.zeros(1)}, "other.pt")
    assert call("gan-project", "--from", "other.pt", picture, "out.npz").refused("other.pt: ")
    assert not Path("out.npz").exists()
