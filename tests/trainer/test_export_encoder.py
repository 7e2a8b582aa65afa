"""Encoders: exported with their generators, equal to torch, and used through the commands."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from helpers import DIGIT, Result, leftovers
from PIL import Image

from gan_runtime import Encoder, Generator
from gan_runtime.commands.find_encoder import check_pair
from gan_runtime.errors import InputError, ModelError
from gan_runtime.manifest import ImageSize, Latents
from gan_trainer.export.encoder import encoder_file
from gan_trainer.export.onnx_file import ExportError
from gan_trainer.recipes.recipe import RECIPES
from gan_trainer.systems import new_networks
from gan_trainer.training.system import Shapes

Call = Callable[..., Result]
RECIPE_FLAGS = ["--images", 512, "--threads", 1, "--eval-every", 0, "--quiet"]
COLOUR = ImageSize(32, 32, 3)
TRAINED: dict[tuple[object, ...], list[bytes]] = {}


def encoder_of(recipe: str, size: ImageSize = DIGIT) -> torch.nn.Module:
    torch.manual_seed(0)
    encoder = new_networks(replace(RECIPES[recipe], width=8), Shapes(size))["encoder"]
    assert encoder is not None
    return encoder.eval()


def pictures(n: int, size: ImageSize = DIGIT) -> np.ndarray:
    shape = (n, size.height, size.width, size.channels)
    return np.random.default_rng(n).integers(0, 256, shape, dtype=np.uint8)


def latents_of(recipe: str) -> Latents:
    return Latents(RECIPES[recipe].latent_dim, RECIPES[recipe].latents)


@pytest.fixture
def trained(call: Call) -> Callable[..., Path]:
    """Train a recipe for a moment and export it, once for all tests; where its generator is."""

    def trained(recipe: str, *flags: object) -> Path:
        names = [f"{recipe}.onnx", f"{recipe}-encoder.onnx"]
        if (recipe, *flags) not in TRAINED:
            train(recipe, *flags)
            TRAINED[recipe, *flags] = [Path(name).read_bytes() for name in names]
        for name, content in zip(names, TRAINED[recipe, *flags], strict=True):
            Path(name).write_bytes(content)
        return Path(names[0])

    def train(recipe: str, *flags: object) -> None:
        done = call("gan-train", "mnist", "--recipe", recipe, *RECIPE_FLAGS, "--name", recipe, *flags)
        assert done.code == 0, done
        done = call("gan-export", f"runs/{recipe}", "--output", f"{recipe}.onnx")
        assert done.out.split() == [f"{recipe}.onnx", f"{recipe}-encoder.onnx"]

    return trained


@pytest.fixture
def two_digits(real_digits: dict[str, tuple[np.ndarray, np.ndarray]]) -> list[str]:
    """Two real digits as PNG files."""
    images, _ = real_digits["test"]
    for name, image in zip(("a.png", "b.png"), images, strict=False):
        Image.fromarray(image).save(name)
    return ["a.png", "b.png"]


@pytest.mark.parametrize("opset", range(13, 21))
@pytest.mark.parametrize(("recipe", "size"), [("bigan", DIGIT), ("vae", DIGIT), ("vae", COLOUR)])
def test_the_file_gives_the_latents_of_torch(recipe: str, size: ImageSize, opset: int) -> None:
    module, path = encoder_of(recipe, size), Path("e.onnx")
    file = encoder_file(module, path, size=size, latents=latents_of(recipe), opset=opset)
    assert file.opsets == {"": opset}
    assert file.ir_version == onnx.helper.find_min_ir_version_for([onnx.helper.make_opsetid("", opset)])
    encoder = Encoder.open(file, "cpu")
    for n in (1, 5):
        images = pictures(n, size)
        with torch.no_grad():
            values = module(torch.from_numpy(images).permute(0, 3, 1, 2).float() / 127.5 - 1)
        expected = values[:, : encoder.latents.dim]  # a VAE's means come before its variances
        np.testing.assert_allclose(encoder(images), expected.numpy(), atol=2e-4)


def test_latents_do_not_depend_on_batches_and_threads() -> None:
    file = encoder_file(encoder_of("vae"), Path("e.onnx"), size=DIGIT, latents=latents_of("vae"))
    images = pictures(150)
    whole = Encoder.open(file, "cpu", threads=2)(images)
    assert whole.dtype == np.float32
    for size in (1, 7, 64, 65, 149):
        for threads in (1, 2, 3, 5):
            batches = (images[first : first + size] for first in range(0, 150, size))
            found = Encoder.open(file, "cpu", threads).encode(batches)
            assert np.array_equal(found, whole), (size, threads)


def test_an_encoder_that_diverged_is_not_exported() -> None:
    module = encoder_of("bigan")
    with torch.no_grad():
        next(module.parameters()).fill_(float("nan"))
    with pytest.raises(ExportError, match="not finite"):
        encoder_file(module, Path("e.onnx"), size=DIGIT, latents=latents_of("bigan"))


@pytest.mark.parametrize("recipe", ["bigan", "vae"])
def test_a_run_with_an_encoder_becomes_two_files_that_belong_together(
    recipe: str, trained: Callable[..., Path], call: Call, two_digits: list[str]
) -> None:
    path = trained(recipe)
    generator, encoder = Generator.load(path, "cpu"), Encoder.load(f"{recipe}-encoder.onnx", "cpu")
    check_pair(encoder.model, generator.model)
    assert encoder.latents.dim == generator.latent_dim
    originals = np.stack([np.asarray(Image.open(name)) for name in two_digits])[..., None]
    again = generator(encoder(originals))

    done = call("gan-sample", "--reconstruct", *two_digits, "out.png", "--model", path)
    assert done.code == 0, done
    assert np.array_equal(np.asarray(Image.open("out.png")), _above(originals, again))

    done = call("gan-sample", "--interpolate", *two_digits, "walk.gif", "--model", path, "--frames", 8)
    assert done.code == 0, done
    with Image.open("walk.gif") as walk:
        assert walk.n_frames == 8 or recipe == "vae"  # which draws nearly one picture after so short a training
        stations = ((0, again[0]), (4, again[1]))
        for frame, expected in stations[: 2 if walk.n_frames == 8 else 1]:  # Pillow merges frames that are equal
            walk.seek(frame)
            assert np.array_equal(np.asarray(walk.convert("L")), expected[..., 0])

    done = call("gan-encode", *two_digits, "out.npz", "--model", path, "--json")
    assert done.code == 0, done
    with np.load("out.npz") as found:
        assert np.array_equal(found["latents"], encoder(originals))
        assert found["names"].tolist() == two_digits
        assert "labels" not in found
    assert leftovers(Path()) == []


def test_a_data_set_is_encoded_with_its_labels(
    trained: Callable[..., Path], call: Call, digits: str, real_digits: dict[str, tuple[np.ndarray, np.ndarray]]
) -> None:
    trained("bigan", "--data-dir", Path(__file__).parents[2] / "data")
    assert call("gan-encode", digits, "out.npz", "--model", "bigan.onnx", "--split", "test").code == 0
    with np.load("out.npz") as found:
        assert found["latents"].shape == (len(real_digits["test"][0]), 50)
        assert np.array_equal(found["labels"], real_digits["test"][1])


def test_the_newest_encoder_is_found_and_is_no_generator(trained: Callable[..., Path], call: Call) -> None:
    trained("vae")
    Path("exported").mkdir()
    for name in ("vae.onnx", "vae-encoder.onnx"):
        Path(name).rename(Path("exported") / name)
    np.save("images.npy", pictures(3))
    done = call("gan-encode", "images.npy", "out.npz")
    assert done.code == 0, done
    assert "encoder: exported/vae-encoder.onnx" in done.err
    done = call("gan-sample", "out.png")
    assert done.code == 0, done
    assert "model: exported/vae.onnx" in done.err
    assert "skipped" not in done.err
    done = call("gan-info", "exported/vae-encoder.onnx")
    assert "encode" in done.out
    assert "latents, 20, normal" in done.out


def test_an_encoder_of_another_generator_is_refused(
    trained: Callable[..., Path], call: Call, two_digits: list[str], unconditional_model: Path
) -> None:
    path = trained("bigan")
    other = ["--model", unconditional_model, "--encoder", "bigan-encoder.onnx"]
    assert call("gan-sample", "--reconstruct", "a.png", "o.png", *other).refused("was not exported together with")
    Path("vae-encoder.onnx").write_bytes(Path("bigan.onnx").read_bytes())
    with pytest.raises(ModelError, match="not 'encode'"):
        Encoder.load("vae-encoder.onnx", "cpu")
    assert call("gan-sample", "out.png", "--model", "bigan-encoder.onnx").refused("'encode'", "name a generator")
    with pytest.raises(InputError, match="takes 28 x 28 x 1"):
        Encoder.load("bigan-encoder.onnx", "cpu")(pictures(2, COLOUR))
    assert path.exists()


def test_pictures_of_a_conditional_generator_need_a_class(
    trained: Callable[..., Path], call: Call, two_digits: list[str]
) -> None:
    trained("vae", "--conditional")
    arguments = ("--reconstruct", *two_digits, "o.png", "--model", "vae.onnx")
    assert call("gan-sample", *arguments).refused("--label", "name the class of the images")
    assert call("gan-sample", *arguments, "--label", 3).code == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["a.png", "o.png"], ["a.png", "--reconstruct or --interpolate"]),
        (["--reconstruct", "o.png"], ["name the images"]),
        (["--reconstruct", "a.png", "o.gif"], ["--reconstruct", ".png"]),
        (["--reconstruct", "a.png", "o.png", "--rows", 2], ["--rows"]),
        (["--reconstruct", "--interpolate", "a.png", "o.gif"], ["choose one"]),
        (["--interpolate", "a.png", "o.gif"], ["needs two images, not 1"]),
        (["--interpolate", "a.png", "b.png", "o.png"], [".gif or .webp"]),
        (["--reconstruct", "a.png", "o.png", "--n", 3], ["--n", "leave it out"]),
        (["--reconstruct", "a.png", "o.png", "--seed", 3], ["--seed", "leave it out"]),
        (["o.png", "--encoder", "e.onnx"], ["--encoder"]),
        (["--reconstruct", "a.png", "o.png"], ["no encoder beside it", "bigan and vae"]),
    ],
)
def test_what_does_not_belong_together_is_refused(
    call: Call, two_digits: list[str], unconditional_model: Path, arguments: list[object], words: list[str]
) -> None:
    assert call("gan-sample", *arguments, "--model", unconditional_model).refused(*words)
    assert not Path("o.png").exists()


def test_an_encoder_beside_another_generator_is_not_taken_for_its_own(
    trained: Callable[..., Path], call: Call, two_digits: list[str], unconditional_model: Path
) -> None:
    """As a second export to the same name leaves it, of a recipe that has no encoder."""
    trained("vae")
    shutil.copy(unconditional_model, "vae.onnx")
    for arguments in (("gan-encode", *two_digits, "o.npz"), ("gan-sample", "--reconstruct", *two_digits, "o.png")):
        assert call(*arguments, "--model", "vae.onnx").refused(
            "vae-encoder.onnx", "not exported together with vae.onnx"
        )
    assert leftovers(Path()) == []


def test_what_is_no_encoder_is_passed_over(trained: Callable[..., Path], call: Call, two_digits: list[str]) -> None:
    trained("vae")
    Path("exported").mkdir()
    Path("vae-encoder.onnx").rename("exported/vae-encoder.onnx")
    Path("exported/broken-encoder.onnx").symlink_to("nothing")
    Path("exported/damaged-encoder.onnx").write_bytes(b"no model")
    shutil.copy("vae.onnx", "exported/a-generator-called-encoder.onnx")
    done = call("gan-encode", *two_digits, "out.npz")
    assert done.code == 0, done
    assert "skipped: exported/damaged-encoder.onnx" in done.err
    assert "skipped: exported/a-generator-called-encoder.onnx: made for the task 'generate'" in done.err
    assert "encoder: exported/vae-encoder.onnx" in done.err


def test_pictures_of_a_folder_keep_their_names(trained: Callable[..., Path], call: Call, two_digits: list[str]) -> None:
    trained("vae")
    Path("pics/x").mkdir(parents=True)
    for name in ("a.png", "c.png"):
        shutil.copy(two_digits[0], Path("pics/x") / name)
    Path("pics/x/b.png").write_bytes(b"no picture")
    assert call("gan-encode", "pics", two_digits[1], "out.npz", "--model", "vae.onnx").code == 0
    with np.load("out.npz") as found:
        assert found["names"].tolist() == ["pics/x/a.png", "pics/x/c.png", two_digits[1]]
        assert np.array_equal(found["latents"][0], found["latents"][1])


def test_an_output_that_is_an_image_is_refused(trained: Callable[..., Path], call: Call, two_digits: list[str]) -> None:
    trained("vae")
    before = Path(two_digits[0]).read_bytes()
    np.savez("a.npz", images=pictures(2))
    sample = ("gan-sample", "--reconstruct", *two_digits, f"./{two_digits[0]}")
    for arguments in (sample, ("gan-encode", "a.npz", "./a.npz")):
        assert call(*arguments, "--model", "vae.onnx").refused("is also one of the images", "name another file")
    assert Path(two_digits[0]).read_bytes() == before


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_encodes_too(trained: Callable[..., Path]) -> None:
    trained("vae")
    code = (
        "import os, sys, numpy as np; from gan_runtime import Encoder; e = Encoder.load(sys.argv[1], 'cpu', 2);"
        "images = np.zeros((200, 28, 28, 1), np.uint8); e(images);"
        "child = os.fork(); e(images); child or os._exit(0); sys.exit(os.waitpid(child, 0)[1])"
    )
    assert subprocess.run([sys.executable, "-c", code, "vae-encoder.onnx"], timeout=60, check=False).returncode == 0


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"images": np.uint8(3)}, ["uint8 []", "takes uint8 images"]),
        ({"images": np.zeros((3, 28, 28, 1), np.uint8), "labels": np.zeros(7, int)}, ["labels int64 [7]", "3 images"]),
        ({"images": np.zeros((1, 28, 28, 1), np.uint8), "labels": np.zeros((1, 1), int)}, ["labels int64 [1, 1]"]),
        ({"images": np.zeros((1, 28, 28, 1), np.uint8), "labels": np.array(["a"])}, ["labels <U1", "an integer"]),
    ],
)
def test_arrays_that_do_not_fit_are_refused(
    trained: Callable[..., Path], call: Call, arrays: dict[str, np.ndarray], words: list[str]
) -> None:
    trained("vae")
    np.savez("good.npz", images=pictures(2), labels=np.arange(2))
    np.savez("bad.npz", **arrays)
    assert call("gan-encode", "good.npz", "bad.npz", "o.npz", "--model", "vae.onnx").refused("bad.npz", *words)
    assert not Path("o.npz").exists()


def test_what_cannot_be_encoded_is_refused(trained: Callable[..., Path], call: Call) -> None:
    assert call("gan-encode", "a.png", "o.npz").refused("exported", "--model")
    trained("vae")
    Path("bad.png").write_bytes(b"no picture")
    np.save("floats.npy", np.zeros((2, 28, 28, 1)))
    np.save("large.npy", pictures(2, COLOUR))
    for source, words in {
        "bad.png": ["bad.png", "damaged"],
        "none.png": ["none.png", "cannot be read"],
        "floats.npy": ["floats.npy", "uint8"],
        "large.npy": ["large.npy", "28"],
    }.items():
        assert call("gan-encode", source, "o.npz", "--model", "vae.onnx").refused(*words) or source
    assert call("gan-encode", "o.npz").refused("name the images")
    assert call("gan-encode", "bad.png", "o.txt").refused(".npz")
    assert not Path("o.npz").exists()


def _above(originals: np.ndarray, again: np.ndarray) -> np.ndarray:
    """Two originals side by side, their reconstructions below."""
    return np.concatenate([np.concatenate(list(row), axis=1) for row in (originals, again)], axis=0)[..., 0]
