"""Generators of others: what is made out of their graphs and first images, what is refused, and what is said of it."""

import gzip
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from foreign_files import BOOL, DIM, DOUBLE, FLOAT, HALF, INT32, INT64, SIDE, UINT8, generator, node, save, table, value
from foreign_files import weight as weight_of
from helpers import Result
from hypothesis import given, settings
from hypothesis import strategies as st

from gan_runtime import Generator
from gan_runtime.commands.find_model import default_model
from gan_runtime.errors import GanEdgeError, InputError, ModelError
from gan_runtime.foreign import Assumptions
from gan_runtime.foreign.ports import choose_ports
from gan_runtime.latents import draw_latents
from gan_runtime.model_file import ModelFile, Port, read_model_file

Call = Callable[..., Result]
N = 5


def opened(path: str, **said: Any) -> Generator:
    return Generator.load(path, "cpu", 1, Assumptions(**said))


def drawn(path: str, **said: Any) -> np.ndarray:
    return opened(path, **said).sample(N)


def expected(extra: np.ndarray | float = 0.0, channels: int = 3, distribution: str = "normal") -> np.ndarray:
    """tanh((z + extra) w) of the first N latents, float64 [N, channels, SIDE, SIDE]."""
    z = draw_latents(0, 0, N, DIM, distribution).astype(np.float64)
    return np.tanh((z + extra) @ weight_of(channels)).reshape(N, channels, SIDE, SIDE)


def pixels(images: np.ndarray, low: float = -1.0, high: float = 1.0) -> np.ndarray:
    """float [n, c, h, w] in [low, high] as float levels [n, h, w, c]."""
    return ((images - low) / (high - low) * 255).clip(0, 255).transpose(0, 2, 3, 1)


def close(images: np.ndarray, levels: np.ndarray, most: float = 0.51) -> bool:
    return images.dtype == np.uint8 and images.shape == levels.shape and np.abs(images - levels).max() <= most


EMBEDDING = np.linspace(-1, 1, 10 * DIM, dtype=np.float32).reshape(10, DIM)


def test_latents_with_open_ones_are_reshaped() -> None:
    flat = [node("Flatten", ["z4"], ["z"], axis=1)]
    for shape in (["n", DIM, 1, 1], ["n", DIM, "h", "w"], ["n", 1, 1, DIM], ["n", DIM, 1]):
        assert close(drawn(generator(before=flat, inputs=[value("z4", FLOAT, shape)])), pixels(expected()))


def test_an_open_number_of_latents_can_be_said() -> None:
    path = generator(inputs=[value("z", FLOAT, ["n", "d"])])
    with pytest.raises(ModelError, match=r"how many values a latent .* --latent-dim"):
        opened(path)
    assert close(drawn(path, latent_dim=DIM), pixels(expected()))
    with pytest.raises(InputError, match=f"--latent-dim 3: .* takes {DIM}"):
        opened(generator(), latent_dim=3)


def test_uniform_latents_can_be_said() -> None:
    images = drawn(generator(), distribution="uniform")
    assert close(images, pixels(expected(distribution="uniform")))


@pytest.mark.parametrize("label_shape", [["n"], ["n", 1]])
@pytest.mark.parametrize("element", [INT64, INT32, UINT8])
def test_integer_labels_are_found_and_counted(label_shape: list, element: int) -> None:
    flat = np.array([-1])
    before = [
        node("Cast", ["label"], ["k"], to=INT64),
        node("Reshape", ["k", "flat"], ["l"]),
        node("Gather", ["e", "l"], ["y"]),
        node("Add", ["z0", "y"], ["z"]),
    ]
    inputs = [value("label", element, label_shape), value("z0", FLOAT, ["n", DIM])]
    path = generator(before=before, inputs=inputs, e=EMBEDDING, flat=flat)
    assert opened(path).classes == 10
    assert close(drawn(path), pixels(expected(EMBEDDING[np.arange(N)])))
    assert close(opened(path).sample(N, labels=7), pixels(expected(EMBEDDING[7])))


@pytest.mark.parametrize("element", [FLOAT, INT64])
def test_one_hot_labels_are_known_by_their_name(element: int) -> None:
    before = [
        node("Cast", ["c"], ["f"], to=FLOAT),
        node("MatMul", ["f", "e"], ["y"]),
        node("Add", ["z0", "y"], ["z"]),
    ]
    inputs = [value("z0", FLOAT, ["n", DIM]), value("c", element, ["n", 10])]
    path = generator(before=before, inputs=inputs, e=EMBEDDING)
    assert opened(path).classes == 10
    assert close(drawn(path), pixels(expected(EMBEDDING[np.arange(N)])))


def test_labels_whose_number_no_run_shows_are_refused_until_it_is_said() -> None:
    before = [
        node("Cast", ["step"], ["f"], to=FLOAT),
        node("Mul", ["f", "tenth"], ["g"]),
        node("Unsqueeze", ["g", "one"], ["y"]),
        node("Add", ["z0", "y"], ["z"]),
    ]
    inputs = [value("z0", FLOAT, ["n", DIM]), value("step", INT64, ["n"])]
    path = generator(before=before, inputs=inputs, tenth=np.float32(0.1), one=np.array([1]))
    with pytest.raises(ModelError, match=r"how many classes the labels step int64 \[n\] have; say it with --classes"):
        opened(path)
    assert close(drawn(path, classes=3), pixels(expected(np.arange(N)[:, None] % 3 * 0.1)))


def test_two_inputs_that_could_be_either_are_refused_until_they_are_named() -> None:
    before = [node("Concat", ["a1", "b1"], ["z"], axis=1)]
    inputs = [value("a1", FLOAT, ["n", DIM - 4]), value("b1", FLOAT, ["n", 4])]
    path = generator(before=before, inputs=inputs)
    with pytest.raises(ModelError, match=r"which input takes the latents; .*--latents-input .*a1 float32 \[n, 12\]"):
        opened(path)
    with pytest.raises(ModelError, match=r"what 'b1' takes; .*--labels-input"):
        opened(path, latents_input="a1")
    assert opened(path, latents_input="a1", labels_input="b1").classes == 4
    assert opened(path, latents_input="a1", inputs={"b1": 0.5}).classes == 0
    with pytest.raises(InputError, match="--latents-input nowhere: no such input"):
        opened(path, latents_input="nowhere")


def test_a_truncation_is_one_unless_it_is_said() -> None:
    path = generator(
        before=[node("Mul", ["z0", "truncation_psi"], ["z"])],
        inputs=[value("z0", FLOAT, ["n", DIM]), value("truncation_psi", FLOAT, [])],
    )
    assert "1 for 'truncation_psi'" in opened(path).signature.assumed
    assert close(drawn(path), pixels(expected()))
    half = drawn(path, inputs={"truncation_psi": 0.5})
    z = draw_latents(0, 0, N, DIM) * 0.5
    assert close(half, pixels(np.tanh(z @ weight_of()).reshape(N, 3, SIDE, SIDE)))


@pytest.mark.parametrize(("element", "shape"), [(BOOL, []), (DOUBLE, [1]), (INT64, []), (FLOAT, ["n", 1])])
def test_other_inputs_are_refused_until_they_get_a_constant(element: int, shape: list) -> None:
    before = [
        node("Cast", ["switch"], ["f"], to=FLOAT),
        node("Mul", ["z0", "f"], ["z"]),
    ]
    path = generator(before=before, inputs=[value("z0", FLOAT, ["n", DIM]), value("switch", element, shape)])
    if element != FLOAT:
        with pytest.raises(ModelError, match=r"what 'switch' takes; .*--input NAME=VALUE"):
            opened(path)
    assert close(drawn(path, inputs={"switch": 1}), pixels(expected()))
    assert drawn(path, inputs={"switch": 0}).std() < 1


def test_an_input_for_no_values_is_fed_with_none() -> None:
    """The labels of an unconditional StyleGAN, as both exporters of torch write them."""
    before = [node("Concat", ["noise", "c"], ["z"], axis=1)]
    inputs = [value("noise", FLOAT, ["n", DIM]), value("c", FLOAT, ["n", 0])]
    path = generator(before=before, inputs=inputs)
    assert close(drawn(path), pixels(expected()))
    assert opened(path).classes == 0


@pytest.mark.parametrize("element", [HALF, DOUBLE])
def test_other_floats_are_converted(element: int) -> None:
    kind = np.float16 if element == HALF else np.float64
    path = generator(
        inputs=[value("z", element, ["n", DIM])],
        output=value("image", element, ["n", 3, SIDE, SIDE]),
        w=weight_of().astype(kind),
    )
    assert close(drawn(path), pixels(expected()), most=1.5)


def test_bytes_with_channels_last_are_taken_as_they_are() -> None:
    after = [
        node("Reshape", ["t", "s"], ["u"]),
        node("Transpose", ["u"], ["v"], perm=[0, 2, 3, 1]),
        node("Mul", ["v", "k"], ["b"]),
        node("Add", ["b", "k"], ["c"]),
        node("Cast", ["c"], ["image"], to=UINT8),
    ]
    path = generator(after=after, output=value("image", UINT8, ["n", SIDE, SIDE, 3]), k=np.float32(127.5))
    assert close(drawn(path), np.floor(pixels(expected())), most=1)
    assert "[0, 255]" in opened(path).signature.assumed


def test_floats_with_channels_last_are_recognised() -> None:
    after = [node("Reshape", ["t", "s"], ["u"]), node("Transpose", ["u"], ["image"], perm=[0, 2, 3, 1])]
    for axes in (["n", SIDE, SIDE, 3], ["n", "h", "w", "c"]):
        path = generator(after=after, output=value("image", FLOAT, axes))
        assert close(drawn(path), pixels(expected()))


def test_grey_images_without_an_axis_for_channels() -> None:
    path = generator(
        after=[node("Reshape", ["t", "s"], ["u"]), node("Squeeze", ["u", "one"], ["image"])],
        shape=(-1, 1, SIDE, SIDE),
        output=value("image", FLOAT, ["n", SIDE, SIDE]),
        one=np.array([1]),
    )
    assert close(drawn(path), pixels(expected(channels=1)))


def test_alpha_is_laid_over_white() -> None:
    path = generator(shape=(-1, 4, SIDE, SIDE))
    levels = pixels(expected(channels=4))
    alpha = levels[..., 3:] / 255
    assert close(drawn(path), levels[..., :3] * alpha + 255 * (1 - alpha))
    assert "alpha laid over white" in opened(path).signature.assumed


def test_the_output_that_is_like_images_is_taken() -> None:
    more = [value("a", FLOAT, ["n", 3 * SIDE * SIDE])]
    assert close(drawn(generator(more_outputs=more)), pixels(expected()))


def test_two_outputs_of_images_are_refused_until_one_is_named() -> None:
    path = generator(
        after=[node("Reshape", ["t", "s"], ["left"]), node("Neg", ["left"], ["right"])],
        output=value("left", FLOAT, ["n", 3, SIDE, SIDE]),
        more_outputs=[value("right", FLOAT, ["n", 3, SIDE, SIDE])],
    )
    with pytest.raises(ModelError, match=r"which output is images .*--images-output .*right float32 \[n, 3, 8, 8\]"):
        opened(path)
    assert close(drawn(path, images_output="right"), pixels(-expected()))
    with pytest.raises(InputError, match="--images-output middle: no such output"):
        opened(path, images_output="middle")


def test_an_output_that_is_no_image_is_called_that_and_no_flag_is_offered_that_cannot_help() -> None:
    path = generator(after=[node("Identity", ["t"], ["image"])], output=value("image", FLOAT, ["n", 3 * SIDE * SIDE]))
    for said in ({}, {"images_output": "image"}):
        with pytest.raises(ModelError, match="Reshape at the end") as error:
            opened(path, **said)
        assert "--" not in str(error.value)


def test_a_batch_of_one_that_is_built_in_is_found() -> None:
    baked = generator(shape=(1, 3, SIDE, SIDE), output=value("image", FLOAT, ["n", 3, SIDE, SIDE]))
    assert "1 at a time" in opened(baked).signature.assumed
    assert close(drawn(baked), pixels(expected()))


def test_zeros_divided_by_zero_are_no_reason_to_refuse() -> None:
    """Progressive GANs and StyleGAN normalise their latents."""
    before = [
        node("ReduceL2", ["z0"], ["l"], axes=[1]),
        node("Div", ["z0", "l"], ["z1"]),
        node("Mul", ["z1", "four"], ["z"]),
    ]
    path = generator(before=before, inputs=[value("z0", FLOAT, ["n", DIM])], four=np.float32(4))
    assert drawn(path).std() > 10


def photos(low: float, high: float, k: int = 64) -> np.ndarray:
    """Images of all values from `low` to `high`, float32 [k, 3, SIDE, SIDE]."""
    ramp = np.random.default_rng(1).uniform(low, high, (k, 3, SIDE, SIDE))
    ramp[:, :, 0, 0], ramp[:, :, 0, 1] = low, high
    return ramp.astype(np.float32)


@pytest.mark.parametrize(
    ("low", "high", "found"),
    [
        (-1, 1, (-1, 1)),
        (0, 1, (0, 1)),
        (0, 255, (0, 255)),
        (-1.02, 1.02, (-1, 1)),
        (-0.04, 1.02, (0, 1)),
        (-3, 262, (0, 255)),
        (-0.6, 0.6, (-1, 1)),
    ],
)
def test_the_range_is_recognised_and_converted(low: float, high: float, found: tuple) -> None:
    images = photos(low, high)
    model = opened(table("g.onnx", images))
    levels = pixels(images, *found)
    which = draw_latents(0, 0, 50, len(images)).argmax(axis=1)
    assert close(model.sample(50), levels[which])
    assert f"[{found[0]}, {found[1]}]" in model.signature.assumed


@pytest.mark.parametrize(("operator", "low", "high"), [("Tanh", -1, 1), ("Sigmoid", 0, 1)])
@pytest.mark.parametrize("bias", [-40.0, 1.0, 40.0])
def test_the_last_activation_says_the_range_whatever_the_first_images_are_like(
    operator: str, low: float, high: float, bias: float
) -> None:
    after = [
        node("Mul", ["a", "small"], ["b"]),
        node("Add", ["b", "bias"], ["c"]),
        node(operator, ["c"], ["d"]),
        node("Reshape", ["d", "s"], ["image"]),
    ]
    path = generator(after=after, small=np.float32(0.05), bias=np.float32(bias))
    a = draw_latents(0, 0, N, DIM).astype(np.float64) @ weight_of() * 0.05 + bias
    values = np.tanh(a) if operator == "Tanh" else 1 / (1 + np.exp(-a))
    assert opened(path).signature.report()["read_as"]["images"]["range"] == [low, high]
    assert close(drawn(path), pixels(values.reshape(N, 3, SIDE, SIDE), low, high))


def test_a_quantised_output_is_not_in_the_range_of_its_last_activation() -> None:
    after = [node("QuantizeLinear", ["t", "scale", "zero"], ["q"]), node("Reshape", ["q", "s"], ["image"])]
    path = generator(
        after=after,
        output=value("image", UINT8, ["n", 3, SIDE, SIDE]),
        scale=np.float32(1 / 127.5),
        zero=np.uint8(128),
    )
    assert close(drawn(path), pixels(expected()), most=1.01)


@pytest.mark.parametrize(("low", "high"), [(-2.1, 2.6), (-128, 127), (0, 20), (-0.25, 1), (0, 1000), (-1e6, 1e6)])
def test_a_range_that_is_none_or_in_doubt_is_refused_with_both_numbers_until_it_is_said(
    low: float, high: float
) -> None:
    images = photos(low, high)
    path = table("g.onnx", images)
    with pytest.raises(ModelError, match=f"values from {low:.4g} to {high:.4g}".replace("+", r"\+") + ".*--range"):
        opened(path)
    which = draw_latents(0, 0, N, len(images)).argmax(axis=1)
    assert close(drawn(path, range=(low, high)), pixels(images, low, high)[which])


def rare(images: np.ndarray, some: float) -> np.ndarray:
    """`images`, of which one that is not among the first 64 of seed 0, but among the first 1,000, holds `some`."""
    which = draw_latents(0, 0, 1000, len(images)).argmax(axis=1)
    late = next(int(i) for i in which if i not in which[:64])
    images[late, :, 2:4, 2:4] = some
    return images


def test_values_that_overshoot_late_are_clipped_and_the_range_does_not_depend_on_n(call: Call) -> None:
    path = table("g.onnx", rare(photos(-1, 1, k=200), 1.3))
    for n in (5, 1000):
        assert call("gan-sample", "--model", path, "--n", n, "--threads", 1, "-q", f"{n}.npy").code == 0
    np.testing.assert_array_equal(np.load("5.npy"), np.load("1000.npy")[:5])
    assert call("gan-sample", "--model", path, "--n", 1000, "-q", "job/").code == 0


@pytest.mark.parametrize("place", ["job/", "job.tar"])
def test_a_job_that_ends_in_values_that_are_not_finite_leaves_its_place_free(call: Call, place: str) -> None:
    path = table("g.onnx", rare(photos(-1, 1, k=200), np.nan))
    arguments = ("gan-sample", "--model", path, "--threads", 1, "--batch-size", 16, "-q", place)
    size = () if place == "job/" else ("--shard-size", 16)
    assert call(*arguments, *size, "--n", 1000).refused("not finite, in 1 of 16 images")
    assert not list(Path().glob("job*"))
    assert call(*arguments, *size, "--n", 20).code == 0


def test_values_that_are_not_finite_at_once_are_refused_when_the_file_is_opened() -> None:
    with pytest.raises(ModelError, match=r"g\.onnx: gives values that are not finite"):
        opened(table("g.onnx", np.full((9, 1, SIDE, SIDE), np.inf)))


def test_a_job_does_not_go_on_with_other_assumptions(call: Call) -> None:
    path = table("g.onnx", photos(0, 1))
    assert call("gan-sample", "--model", path, "--n", 4, "-q", "job/").code == 0
    assert json.loads(Path("job/request.json").read_text())["read_as"]["images"]["range"] == [0, 1]
    other = call("gan-sample", "--model", path, "--n", 4, "-q", "--range=-1:1", "job/")
    assert other.refused("a different request: read_as")


@pytest.mark.parametrize(
    "random",
    [
        node("RandomNormalLike", ["t"], ["r"]),
        node("RandomUniformLike", ["t"], ["r"]),
        node("Bernoulli", ["h"], ["r"]),
        node("Dropout", ["t", "p", "yes"], ["r"]),
    ],
)
def test_random_numbers_in_a_graph_are_refused_by_name_or_said(random: onnx.NodeProto, call: Call) -> None:
    after = [
        node("Abs", ["t"], ["h"]),
        random,
        node("Add", ["t", "r"], ["sum"]),
        node("Tanh", ["sum"], ["m"]),
        node("Reshape", ["m", "s"], ["image"]),
    ]
    path = generator(after=after, p=np.float32(0.5), yes=np.array(True))
    assert call("gan-sample", "--model", path, "x.png").refused(random.op_type, "be repeated", "--unrepeatable")
    done = call("gan-sample", "--model", path, "--unrepeatable", "--n", 3, "--json", "x.npy")
    assert json.loads(done.out)["read_as"]["repeatable"] is False
    assert "NOT REPEATABLE" in done.err


def test_random_numbers_are_found_in_subgraphs_and_functions() -> None:
    shape = np.array([1])
    branch = onnx.helper.make_graph(
        [node("RandomNormal", [], ["b"], shape=[1])], "branch", [], [value("b", FLOAT, [1])]
    )
    flag = np.array(True)
    nodes = [node("If", ["flag"], ["b"], then_branch=branch, else_branch=branch), node("Add", ["z", "b"], ["o"])]
    path = save("if.onnx", nodes, [value("z", FLOAT, [1])], [value("o", FLOAT, [1])], flag=flag, shape=shape)
    assert read_model_file(path).random_ops == {"RandomNormal"}
    model = onnx.load(path)
    noise = [node("Multinomial", ["x"], ["y"])]
    function = onnx.helper.make_function("own", "f", ["x"], ["y"], noise, [onnx.helper.make_opsetid("", 15)])
    model.functions.append(function)
    onnx.save(model, path)
    assert read_model_file(path).random_ops == {"RandomNormal", "Multinomial"}


def test_dropout_that_does_nothing_is_no_random_number() -> None:
    after = [node("Dropout", ["t", "p"], ["d"]), node("Reshape", ["d", "s"], ["image"])]
    path = generator(after=after, p=np.float32(0.5))
    assert not read_model_file(path).random_ops
    assert close(drawn(path), pixels(expected()))


def test_a_file_of_ours_that_draws_random_numbers_is_refused(unconditional_model: Path) -> None:
    model = onnx.load(unconditional_model)
    model.graph.node.insert(0, node("RandomNormalLike", ["latents"], ["unused"]))
    onnx.save(model, "ours.onnx")
    with pytest.raises(ModelError, match=r"ours\.onnx: its graph draws random numbers \(RandomNormalLike\)"):
        Generator.load("ours.onnx", "cpu")
    with pytest.raises(InputError, match=r"--unrepeatable: .* has a manifest"):
        opened("ours.onnx", unrepeatable=True)


@pytest.mark.parametrize("batch", ["n", 4])
def test_an_image_that_depends_on_its_batch_is_found(batch: str | int, call: Call) -> None:
    """As with batch norm that was exported in training mode."""
    before = [
        node("ReduceMean", ["z0"], ["m"], axes=[0], keepdims=1),
        node("Sub", ["z0", "m"], ["z"]),
    ]
    shape = (-1 if batch == "n" else 4, 3, SIDE, SIDE)
    path = generator(before=before, inputs=[value("z0", FLOAT, [batch, DIM])], shape=shape)
    refused = call("gan-sample", "--model", path, "x.png")
    assert refused.refused("depends on the others in its batch", "--unrepeatable")
    done = call("gan-sample", "--model", path, "--unrepeatable", "--json", "x.png")
    assert json.loads(done.out)["read_as"]["repeatable"] is False


def test_rounding_that_differs_with_the_batch_is_no_dependence() -> None:
    before = [
        node("ReduceMean", ["z0"], ["m"], axes=[0], keepdims=1),
        node("Mul", ["m", "tiny"], ["e"]),
        node("Sub", ["z0", "e"], ["z"]),
    ]
    path = generator(before=before, inputs=[value("z0", FLOAT, ["n", DIM])], tiny=np.float32(1e-4))
    assert opened(path).signature.foreign.repeatable


def test_what_was_assumed_is_said_by_every_command(call: Call, random_features: Path) -> None:
    images = np.repeat(photos(0, 1, k=200)[:, :1], 4, axis=2).repeat(4, axis=3)[:, :, :28, :28]
    path = table("g.onnx", images)
    Path("real").mkdir()
    from PIL import Image

    for i, image in enumerate(images):
        Image.fromarray((image[0] * 255).astype(np.uint8)).save(f"real/{i}.png")
    words = "no manifest: taking 'z' for 200 latents from N(0, 1), 'image' for nchw images in [0, 1]"
    told = {"output": "image", "layout": "nchw", "range": [0, 1]}
    for output in ("x.png", "x.gif"):
        done = call("gan-sample", "--model", path, "--n", 4, "--json", output)
        assert words in done.err
        assert json.loads(done.out)["read_as"]["images"] == told
    done = call("gan-info", path, "--json")
    assert words in done.out
    assert json.loads(done.out)["read_as"]["images"] == told
    arguments = ("gan-eval", path, "real", "--features", random_features, "--n", 150)
    done = call(*arguments, "--json")
    assert words in done.err
    assert json.loads(done.out)["results"][path]["read_as"]["images"] == told
    assert words in call(*arguments).err
    said = call(*arguments, "--range", "0:255", "--json")
    assert json.loads(said.out)["results"][path]["read_as"]["images"]["range"] == [0, 255]


def test_a_file_with_a_manifest_takes_no_such_flags(call: Call, conditional_model: Path, random_features: Path) -> None:
    for command in (
        ("gan-sample", "--model", conditional_model, "x.png"),
        ("gan-info", conditional_model),
    ):
        assert call(*command, "--range", "0:1", "--layout", "nchw").refused("--range, --layout", "has a manifest")
    arguments = ("--features", random_features, "--n", 100, "--classes", 3)
    assert call("gan-eval", conditional_model, "mnist", *arguments).refused("--classes", "without a manifest")
    assert call("gan-eval", conditional_model, "ring8", "--range", "0:1").refused("--range", "points")
    assert call("gan-info", "--doctor", "--range", "0:1").refused("--doctor")


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--range", "1:0"], "range 1:0: must be two numbers, the lower one first"),
        (["--range", "white"], "--range white: give the values"),
        (["--range", "0:inf"], "range 0:inf"),
        (["--layout", "hwc"], "layout 'hwc': choose one of nchw, nhwc"),
        (["--distribution", "cauchy"], "distribution 'cauchy': choose one of normal, uniform"),
        (["--input", "psi"], "--input psi: give NAME=VALUE"),
        (["--input", "psi=0.5"], "--input psi: no such input"),
        (["--classes", "3"], "--classes: g.onnx has no input for labels"),
    ],
)
def test_flags_that_make_no_sense_get_one_line(call: Call, flags: list[str], words: str) -> None:
    assert call("gan-sample", "--model", generator(), *flags, "x.png").refused(words)


def test_flags_reach_the_generator(call: Call) -> None:
    path = generator(
        before=[node("Mul", ["z0", "psi"], ["z"])],
        inputs=[value("z0", FLOAT, ["n", DIM]), value("psi", FLOAT, [])],
    )
    done = call("gan-sample", "--model", path, "--n", N, "--input", "psi=0.5", "--range=-1:1", "x.npy", "--json")
    assert json.loads(done.out)["read_as"]["inputs"] == {"psi": 0.5}
    np.testing.assert_array_equal(np.load("x.npy"), drawn(path, inputs={"psi": 0.5}))


def test_a_network_that_is_no_generator_is_described_and_refused(call: Call) -> None:
    nodes = [node("GlobalAveragePool", ["photo"], ["p"]), node("Flatten", ["p"], ["logits"])]
    inputs = [value("photo", FLOAT, ["n", 3, "h", "w"])]
    path = save("c.onnx", nodes, inputs, [value("logits", FLOAT, ["n", 3])])
    told = call("gan-info", path)
    assert (told.code, "which input takes the latents" in told.out) == (0, True)
    assert call("gan-sample", "--model", path, "x.png").refused("photo float32 [n, 3, h, w]", "logits float32 [n, 3]")


def mistaken() -> dict[str, tuple[bytes, str]]:
    """What is named .onnx by mistake, and what it must be called."""
    checkpoint = io.BytesIO()
    with zipfile.ZipFile(checkpoint, "w") as archive:
        archive.writestr("model/data.pkl", b"\x80\x02}q")
        archive.writestr("model/data/0", bytes(5000))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("g.onnx", bytes(100))
    lfs = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
    tensors = json.dumps({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    return {
        "lfs": (lfs, "a Git LFS pointer"),
        "html": (b"\n<!DOCTYPE html><html><body>Not found</body></html>", "a web page"),
        "xml": (b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", "an XML document"),
        "pth": (checkpoint.getvalue(), "a PyTorch checkpoint"),
        "zip": (packed.getvalue(), "a ZIP archive"),
        "pkl": (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.", "a Python pickle"),
        "gz": (gzip.compress(bytes(100)), "a gzip file"),
        "safetensors": (len(tensors).to_bytes(8, "little") + tensors + bytes(4), "a safetensors file"),
        "tflite": (b"\x1c\0\0\0TFL3" + bytes(50), "a TensorFlow Lite model"),
        "ort": (b"\x1c\0\0\0ORTM" + bytes(50), "a model in ORT format"),
        "pb": (b"\n\x16\n\x01z\x12\x0bPlaceholder*\x04\n\x00\x12\x00", "a TensorFlow graph"),
        "h5": (b"\x89HDF\r\n\x1a\n" + bytes(50), "an HDF5 file"),
        "json": (b'{"message": "not found"}', "a JSON document"),
        "text": (b"Entry not found", "a text file"),
        "zeros": (bytes(10_000), "nothing but zero bytes"),
        "empty": (b"", "the file is empty"),
    }


def test_files_named_onnx_by_mistake_are_called_what_they_are(call: Call) -> None:
    Path("exported").mkdir()
    for name, (content, kind) in mistaken().items():
        path = Path(f"exported/{name}.onnx")
        path.write_bytes(content)
        for command in (("gan-sample", "x.png", "--model", path), ("gan-info", path)):
            assert call(*command).refused(f"exported/{name}.onnx: ", kind), name
    _, remarks = default_model()
    assert "shipped" in remarks[-1]
    assert len(remarks) == len(mistaken()) + 1


def test_the_newest_of_the_exported_files_is_passed_over_aloud_where_it_draws_random_numbers() -> None:
    Path("exported").mkdir()
    after = [node("RandomNormalLike", ["t"], ["r"]), node("Reshape", ["r", "s"], ["image"])]
    generator("exported/noisy.onnx", after=after)
    model, remarks = default_model()
    assert model.path.name == "mnist.onnx"
    assert "skipped: exported/noisy.onnx: its graph draws random numbers" in remarks[0]


AXES = st.one_of(st.sampled_from([1, 2, 3, 4, 10, 28]), st.sampled_from(["", "n", "h"]))
NAMES = st.sampled_from(["z", "c", "label", "psi", "noise", "image", "second"])
PORTS = st.lists(
    st.builds(Port, NAMES, st.sampled_from([0, 1, 2, 6, 7, 8, 9, 10, 11, 16]), st.lists(AXES, max_size=5).map(tuple)),
    max_size=4,
    unique_by=lambda port: port.name,
)


@settings(max_examples=400, deadline=None)
@given(inputs=PORTS, outputs=PORTS, dim=st.sampled_from([None, 10]), named=NAMES | st.none())
def test_any_graph_is_fed_as_it_declares_or_refused_in_one_line(
    inputs: list, outputs: list, dim: int | None, named: str | None
) -> None:
    nothing: frozenset[str] = frozenset()
    model = ModelFile(
        Path("any.onnx"), b"", "", 8, {"": 15}, "", {}, tuple(inputs), tuple(outputs), False, nothing, nothing
    )
    try:
        ports = choose_ports(model, Assumptions(latent_dim=dim, latents_input=named, classes=dim))
    except GanEdgeError as error:
        assert "any.onnx" in str(error) or "--" in str(error)
        return
    n = ports.fixed_batch or 3
    feeds = ports.feeds(np.zeros((n, ports.dim), np.float32), np.zeros(n, np.int64))
    assert set(feeds) == {port.name for port in inputs}
    for port in inputs:
        shape = feeds[port.name].shape
        assert len(shape) == len(port.shape)
        assert all(isinstance(axis, str) or axis == size for axis, size in zip(port.shape[1:], shape[1:], strict=True))


def test_features_that_are_drawn_at_random_are_refused(random_features: Path, call: Call) -> None:
    model = onnx.load(random_features)
    model.graph.node.insert(0, node("RandomUniform", [], ["unused"], shape=[1]))
    onnx.save(model, "features.onnx")
    refused = call("gan-eval", "x.npy", "mnist", "--features", "features.onnx")
    assert refused.refused("features.onnx: its graph draws random numbers (RandomUniform)")


@pytest.mark.parametrize(
    "said",
    [
        {"range": 5}, {"range": (1,)}, {"range": "0:1"}, {"range": ("a", "b")}, {"range": (1e-45, 2e-45)},
        {"latent_dim": "16"}, {"latent_dim": 2.5}, {"classes": True}, {"inputs": {"psi": "0.5"}}, {"inputs": None},
        {"inputs": {"psi": float("nan")}},
    ],
)  # fmt: skip
def test_assumptions_of_a_wrong_type_are_bad_input(said: dict) -> None:
    with pytest.raises(InputError, match="must be"):
        Assumptions(**said)


def test_a_range_may_be_any_pair_of_numbers() -> None:
    assert Assumptions(range=np.array([0, 255])).range == (0.0, 255.0)  # type: ignore[arg-type]


def test_a_layout_that_no_output_has_is_refused_by_its_name() -> None:
    with pytest.raises(InputError, match=r"--layout nhwc: .*no output that can be so"):
        opened(generator(), layout="nhwc")


def test_complex_latents_are_refused() -> None:
    with pytest.raises(InputError, match="not an array of real numbers"):
        opened(generator())(np.zeros((2, DIM), complex))
