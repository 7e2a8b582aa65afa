"""gan-eval on a thousand real digits, in the features of a random network."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from helpers import DIGITS_TEST as TEST
from helpers import DIGITS_TRAIN as TRAIN
from helpers import Result, small_generator
from PIL import Image
from styled_formula import Styled

from gan_runtime import Generator
from gan_runtime.data import load_dataset
from gan_runtime.errors import InputError, ModelError
from gan_runtime.evaluation.features import FeatureNetwork
from gan_runtime.evaluation.networks import find_features, general_features
from gan_runtime.evaluation.reference import Reference, load_reference, measure_split
from gan_runtime.evaluation.scores import Scores, check_n, floors, score, score_test, score_train
from gan_runtime.images.choice import some_in_order
from gan_runtime.manifest import METADATA_KEY, FeaturesManifest, ImageAxes, ImageSize, Measures
from gan_runtime.models import shipped_features
from gan_trainer.export.manifest import to_json

Call = Callable[..., Result]
ROOT = Path(__file__).resolve().parents[2]
DATA = (ROOT / "data", ROOT.parent / "shared" / "data")
METRICS = ("fid", "kid", "precision", "recall", "density", "coverage", "modes", "kl", "confident")
pytestmark = pytest.mark.usefixtures("digits")


@pytest.fixture
def network(random_features: Path) -> FeatureNetwork:
    return FeatureNetwork.load(random_features, "cpu")


@pytest.fixture
def reference(network: FeatureNetwork) -> Reference:
    return load_reference("digits", network)


def measure(network: FeatureNetwork, images: np.ndarray, reference: Reference) -> Scores:
    return score(network.measure(iter([images])), reference)


def test_a_generator_with_styles_is_measured_at_a_truncation(call: Call, random_features: Path) -> None:
    Styled(size=ImageSize(28, 28, 1)).write(Path("x.onnx"))
    words = ("gan-eval", "digits", "--n", 130, "--features", random_features, "--json", "--quiet")
    usual, less = (json.loads(call(words[0], "x.onnx", *words[1:], *more).out) for more in ((), ("--truncation", 0.5)))
    sampled = ("gan-sample", "--model", "x.onnx", "--n", 130, "less.npz", "--quiet", "--truncation", 0.5)
    assert call(*sampled).code == 0
    array = json.loads(call(words[0], "less.npz", *words[1:]).out)
    found = [report["results"][name] for report, name in ((usual, "x.onnx"), (less, "x.onnx"), (array, "less.npz"))]
    assert found[1]["fid"] == found[2]["fid"] != found[0]["fid"]
    assert [result.get("truncation") for result in found] == [None, 0.5, None]
    assert call("gan-eval", "x.onnx", *words[1:-2], "--write", "--truncation", 0.5).code == 0
    assert "; styles at --truncation 0.5" in Path("x.onnx.quality.md").read_text()
    refused = call(words[0], "less.npz", *words[1:], "--truncation", 0.5)
    assert refused.refused("--truncation 0.5: less.npz is no generator")


def test_truncation_needs_styles(call: Call, conditional_model: Path, random_features: Path) -> None:
    done = call("gan-eval", conditional_model, "digits", "--features", random_features, "--truncation", 0.5)
    assert done.refused("--truncation 0.5: ", "has no styles")


def test_features_do_not_depend_on_batches_and_threads(random_features: Path) -> None:
    images = load_dataset("digits").images
    whole = FeatureNetwork.load(random_features, "cpu", threads=1).measure(iter([images]))
    pieces = FeatureNetwork.load(random_features, "cpu", threads=3).measure(iter(np.split(images, [64, 192, 448])))
    np.testing.assert_array_equal(whole.features, pieces.features)
    np.testing.assert_array_equal(whole.predicted, pieces.predicted)
    np.testing.assert_array_equal(whole.confidence, pieces.confidence)
    assert (whole.features.shape, whole.predicted.shape, whole.confidence.shape) == ((TRAIN, 128), (TRAIN,), (TRAIN,))


def test_each_number_moves_as_the_images_do(network: FeatureNetwork, reference: Reference) -> None:
    images, labels = load_dataset("digits").images, load_dataset("digits").labels
    ceiling = score_train(reference, TRAIN)
    assert ceiling.fid == pytest.approx(0, abs=1e-9)
    noisy = images ^ np.random.default_rng(0).integers(0, 64, images.shape, dtype=np.uint8)
    noise = measure(network, noisy, reference)
    assert noise.fid > 10 * score_test(reference, TEST).fid
    assert noise.precision < 0.5 * ceiling.precision
    prototypes = np.stack([images[labels == digit][0] for digit in range(10)])[np.arange(TRAIN) % 10]
    collapsed = measure(network, prototypes, reference)
    assert collapsed.coverage < 0.3 * ceiling.coverage
    assert collapsed.recall < 0.1 * ceiling.recall
    without = measure(network, images[labels != 1], reference)
    assert without.recall < ceiling.recall
    assert without.fid > score_test(reference, TEST).fid


def test_the_shipped_features_see_prototype_collapse_which_modes_do_not() -> None:
    """One picture per class: modes, KL and confidence are perfect, and recall and coverage next to nothing."""
    path = shipped_features("mnist")
    assert path is not None
    network = FeatureNetwork.load(path, "cpu")
    reference = load_reference("digits", network)
    labels = np.arange(1000) % 10
    train, clear = reference.train.dataset, reference.train.measured.confidence
    prototypes = np.stack([train.images[np.where(train.labels == digit, clear, 0).argmax()] for digit in range(10)])
    found = score(network.measure(iter([prototypes[labels]])), reference, labels)
    assert (found.modes, found.confident, found.accuracy) == (10, 1.0, 1.0)
    assert found.kl < 0.01
    assert found.precision > 0.6
    assert found.recall < 0.05
    assert found.coverage < 0.2  # of 300 images, each in a ball of five
    assert found.fid > 10 * score_test(reference, TEST).fid
    nines = train.labels != 9
    without = score(network.measure(iter([train.images[nines]])), reference)
    assert without.modes == 9
    assert without.kl > 0.1


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_the_shipped_features_read_real_images_right(name: str) -> None:
    path = shipped_features(name)
    assert path is not None
    assert path.stat().st_size < 2e6
    folder = next((data for data in DATA if (data / name).is_dir()), None)
    if folder is None:
        pytest.skip(f"{name} is not on this machine")
    test = load_dataset(name, "test", folder)
    read = FeatureNetwork.load(path, "cpu").measure(iter([test.images[:1000]])).predicted
    assert (read == test.labels[:1000]).mean() > {"mnist": 0.99, "fashion-mnist": 0.92}[name]


def test_floors_are_those_of_real_images(reference: Reference) -> None:
    floor = score_test(reference, TEST)
    assert (floor.precision, floor.recall) == (None, None)
    assert floor.fid > 0
    assert floor.accuracy is not None


def test_floors_are_kept_and_rebuilt_if_damaged(reference: Reference, tmp_path: Path) -> None:
    first = floors(reference, 200)
    assert first["test images"] == {"n": 200, **score_test(reference, 200).to_dict()}
    assert first["training images"] == {"n": 200, **score_train(reference, 200).to_dict()}
    (kept,) = (tmp_path / "cache" / "gan-edge" / "floors").iterdir()
    content = kept.read_bytes()
    at = content.index(b'"fid": ') + 10
    altered = content[:at] + (b"1" if content[at : at + 1] != b"1" else b"2") + content[at + 1 :]
    for damage in (content, content[:100], b"", b"[]", b"{}", b'{"test images": 3}', b"null", b"0", b"[{}]", altered):
        kept.write_bytes(damage)
        assert floors(reference, 200) == first
        assert kept.read_bytes() == content


def test_as_many_real_images_as_generated_ones_are_looked_at(network: FeatureNetwork, reference: Reference) -> None:
    some, distances = reference.among(150)
    assert (len(some), len(distances)) == (150, 150)
    assert reference.among(TEST)[0] is reference.test.measured.features
    again = load_reference("digits", network).among(150)
    np.testing.assert_array_equal(some, again[0])
    # n of n images of one distribution: 1 - C(2n-1-k, n) / C(2n-1, n), about 1 - 2^-k (Naeem et al. 2020)
    assert score_train(reference, 150).coverage > 0.85


def test_fewer_images_than_the_covariance_needs_are_refused(reference: Reference) -> None:
    check_n(129, 128, "x.npy")
    with pytest.raises(InputError, match="n 128: features of 128 dimensions need at least 129 images"):
        check_n(128, 128, "x.npy")


def test_too_few_images_are_refused_before_anything_is_measured(
    call: Call, random_features: Path, conditional_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("few").mkdir()
    for i in range(40):
        Image.new("L", (28, 28), 6 * i).save(f"few/{i}.png")
    monkeypatch.setattr(FeatureNetwork, "measure", lambda *_: pytest.fail("measured"))
    options = ("--features", random_features, "--quiet")
    assert call("gan-eval", conditional_model, "few", "--n", 200, *options).refused(
        "few: 40 images are too few to measure against; features of 128 dimensions need about 144"
    )
    assert call("gan-eval", conditional_model, "digits", "--n", 128, *options).refused(
        f"{conditional_model}: n 128: features of 128 dimensions need at least 129 images"
    )
    assert call("gan-eval", "few", "digits", *options).refused("few: n 40: features of 128 dimensions")


def test_the_command_prints_every_metric_beside_its_floor(
    call: Call, random_features: Path, conditional_model: Path
) -> None:
    done = call("gan-eval", conditional_model, "digits", "--n", 300, "--features", random_features, "--device", "cpu")
    assert done.code == 0, done
    header, images, *rows = done.out.splitlines()
    assert header.split() == [str(conditional_model), "test", "images", "training", "images"]
    assert images.split() == ["images", "300", "300", "300"]
    assert [row.split("  ")[0] for row in rows[:10]] == [
        *("FID", "KID x 1000", "precision", "recall", "density", "coverage"),
        *("modes", "KL of classes", "confident", "label accuracy"),
    ]
    assert "800 training images of digits" in rows[-1]


def test_json_has_the_numbers_of_the_functions(
    call: Call, random_features: Path, conditional_model: Path, network: FeatureNetwork, reference: Reference
) -> None:
    done = call(
        "gan-eval", conditional_model, "digits", "--n", 300, "--features", random_features, "--seed", 5, "--json"
    )
    report = json.loads(done.out)
    found = report["results"][str(conditional_model)]
    images = Generator.load(conditional_model, "cpu").sample(300, seed=5)
    expected = score(network.measure(iter([images])), reference, np.arange(300) % 10).to_dict()
    assert {name: found[name] for name in METRICS} == pytest.approx({name: expected[name] for name in METRICS})
    assert found["accuracy"] == expected["accuracy"]
    assert report["features"]["sha256"] == hashlib.sha256(random_features.read_bytes()).hexdigest()
    assert report["floors"]["test images"]["n"] == TEST


def test_images_from_anywhere_are_measured_alike(call: Call, random_features: Path, conditional_model: Path) -> None:
    call("gan-sample", "--n", 200, "--model", conditional_model, "out.npz")
    call("gan-sample", "--n", 200, "--model", conditional_model, "out.npy")
    call("gan-sample", "--n", 200, "--model", conditional_model, "out/")
    sources = [conditional_model, "out.npz", "out.npy", "out/"]
    done = call("gan-eval", *sources, "digits", "--n", 200, "--features", random_features, "--json")
    results = json.loads(done.out)["results"]
    values = [[results[str(source)][name] for name in METRICS] for source in sources]
    assert values[0] == values[1] == values[2] == values[3]
    accuracies = [results[str(source)]["accuracy"] for source in sources]
    assert accuracies[0] == accuracies[1] is not None
    assert accuracies[2] is accuracies[3] is None


def test_a_folder_of_pictures_is_a_data_set_too(call: Call, random_features: Path, conditional_model: Path) -> None:
    call("gan-sample", "--n", 400, "--seed", 9, "--model", conditional_model, "photos/")
    done = call("gan-eval", conditional_model, "photos/", "--n", 200, "--features", random_features, "--json")
    assert done.code == 0, done
    report = json.loads(done.out)
    train, test = report["data"]["train"], report["data"]["test"]
    assert train + test == 400
    assert 20 <= test <= 60  # 40 +- 3 standard deviations of a binomial
    assert report["floors"]["test images"]["n"] == test
    found = report["results"][str(conditional_model)]
    assert found["coverage"] > 0.5
    assert found["copied"] is found["nearer"] is None  # the file does not say what its training held out
    assert "memorisation is not measured" in done.err
    assert report["floors"]["training images"]["nearer"] == 1.0
    everything = call(
        "gan-eval", conditional_model, "photos/", "--n", 200, "--features", random_features, "--json", "--hold-out", 0
    )
    data = json.loads(everything.out)["data"]
    assert (data["train"], data["test"], data["hold_out"]) == (400, 67, 0)


def test_reference_features_are_kept_and_rebuilt_if_damaged(network: FeatureNetwork, tmp_path: Path) -> None:
    dataset = load_dataset("digits")
    first = measure_split(dataset, network)
    (kept,) = (tmp_path / "cache" / "gan-edge" / "features").iterdir()
    before = kept.stat().st_mtime_ns
    np.testing.assert_array_equal(measure_split(dataset, network).features, first.features)
    assert kept.stat().st_mtime_ns == before
    content = bytearray(kept.read_bytes())
    content[len(content) // 2] ^= 1
    method = bytearray(content)
    method[method.index(b"PK\x01\x02") + 10] = 8  # a member that claims to be deflated
    header = content.replace(b"'descr'", b"'descr(")
    for damage in (bytes(content), content[:1000], b"", b"hello", bytes(method), bytes(header), bytes(len(content))):
        kept.write_bytes(damage)
        np.testing.assert_array_equal(measure_split(dataset, network).features, first.features)
        assert len(kept.read_bytes()) == len(content)


@pytest.mark.parametrize("changed", ["device", "ONNX Runtime", "processor"])
def test_what_another_device_or_version_says_is_not_taken_from_the_cache(
    network: FeatureNetwork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: str
) -> None:
    before = floors(load_reference("digits", network), 200)
    kinds = [tmp_path / "cache" / "gan-edge" / kind for kind in ("features", "floors")]
    assert [len(list(kind.iterdir())) for kind in kinds] == [2, 1]
    assert floors(load_reference("digits", network), 200) == before
    assert [len(list(kind.iterdir())) for kind in kinds] == [2, 1]
    if changed == "device":
        network = replace(network, session=replace(network.session, device="cuda"))
    elif changed == "ONNX Runtime":
        monkeypatch.setattr("onnxruntime.__version__", "9.9.9")
    else:
        monkeypatch.setattr("gan_runtime.evaluation.features.cpu_kind", lambda: "another")
    floors(load_reference("digits", network), 200)
    assert [len(list(kind.iterdir())) for kind in kinds] == [4, 2]


def test_sources_called_as_floors_are_have_their_own_columns(call: Call, random_features: Path) -> None:
    images = load_dataset("digits").images
    for name in ("test images", "training images"):
        Path(name).mkdir()
        for i in range(150):
            Image.fromarray(images[i, :, :, 0]).save(Path(name) / f"{i:03}.png")
    arguments = ("test images", "training images", "test images", "digits", "--features", random_features)
    done = call("gan-eval", *arguments, "--write")
    header, counts, *rows = done.out.splitlines()
    assert header.count("test images") == header.count("training images") == 2  # of three, one was named twice
    assert counts.split() == ["images", "150", "150", "150", "150"]
    precision = next(row for row in rows if row.startswith("precision")).split()
    assert precision[1] == precision[2] != precision[3] == "-"  # a floor has none
    assert "|  | test images | test images | training images |" in Path("test images.quality.md").read_text()


def test_the_card(call: Call, random_features: Path, conditional_model: Path, tmp_path: Path) -> None:
    model = tmp_path / "own.onnx"
    model.write_bytes(conditional_model.read_bytes())
    done = call("gan-eval", model, "digits", "--n", 200, "--features", random_features, "--write")
    assert f"card: {tmp_path / 'own.onnx.quality.md'}" in done.err
    text = (tmp_path / "own.onnx.quality.md").read_text()
    assert "| FID |" in text
    assert "| own.onnx | test images | training images |" in text
    assert json.loads((tmp_path / "own.onnx.quality.json").read_text())["results"]["own.onnx"]["n"] == 200


def test_the_picture_shows_copies_for_what_they_are(call: Call, random_features: Path) -> None:
    images = load_dataset("digits").images[100:300]
    np.save("copies.npy", images)
    done = call("gan-eval", "copies.npy", "digits", "--features", random_features, "--picture", "near.png")
    assert done.code == 0, done
    picture = np.asarray(Image.open("near.png"))
    assert picture.shape == (16 * 30 - 2, 12 * 30 - 2)
    shown = images[some_in_order(200, 16)[0], :, :, 0]  # some of all, not the first
    np.testing.assert_array_equal(picture[:28, :28], shown)
    np.testing.assert_array_equal(picture[:28, 30:58], shown)


def test_the_picture_shows_the_closest_pairs(call: Call, random_features: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (200, 28, 28, 1), np.uint8)
    images[150] = load_dataset("digits").images[7]  # one copy among noise
    np.save("noise.npy", images)
    done = call("gan-eval", "noise.npy", "digits", "--features", random_features, "--picture", "near.png")
    assert done.code == 0, done
    lower = np.asarray(Image.open("near.png"))[8 * 30 :]
    np.testing.assert_array_equal(lower[:28, :28], images[150, :, :, 0])
    np.testing.assert_array_equal(lower[:28, 30:58], images[150, :, :, 0])


def test_a_source_that_repeats_training_images_is_reported(call: Call, random_features: Path) -> None:
    np.save("copies.npy", load_dataset("digits").images[:200])
    done = call("gan-eval", "copies.npy", "digits", "--features", random_features, "--json")
    assert "copies.npy: repeats training images" in done.err
    assert json.loads(done.out)["results"]["copies.npy"]["memorised"] is True
    np.save("unseen.npy", load_dataset("digits", "test").images[:200])
    done = call("gan-eval", "unseen.npy", "digits", "--features", random_features, "--json")
    assert "repeats" not in done.err
    assert json.loads(done.out)["results"]["unseen.npy"]["memorised"] is False


def other_features(path: Path, source: Path, inputs: dict[str, str], outputs: dict[str, str]) -> Path:
    """`source` without its manifest, and with other names of its inputs and outputs."""
    model = onnx.load(source)
    del model.metadata_props[:]
    names = inputs | outputs
    for value in (*model.graph.input, *model.graph.output):
        value.name = names.get(value.name, value.name)
    for node in model.graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    onnx.save(model, path)
    return path


def test_features_of_others_are_taken_by_the_names_of_the_contract(random_features: Path, tmp_path: Path) -> None:
    own = other_features(tmp_path / "theirs.onnx", random_features, {}, {})
    network = FeatureNetwork.load(own, "cpu")
    assert (network.name, network.dim, network.classes) == ("theirs", 128, 10)
    for inputs, outputs in (({"images": "x"}, {}), ({}, {"features": "f"})):
        with pytest.raises(
            ModelError, match=r"no feature network: it has .* it needs the input 'images' and the output"
        ):
            FeatureNetwork.load(other_features(tmp_path / "bad.onnx", random_features, inputs, outputs))
    assert FeatureNetwork.load(other_features(own, random_features, {}, {"logits": "l"}), "cpu").classes == 0


def any_features(path: Path, **axes: int | str) -> Path:
    """Mean, mean square, maximum and minimum of images of any size, without logits."""
    h, w, c = (axes.get(name, name) for name in "hwc")
    text = f"""<ir_version: 8, opset_import: ["": 17]>
        statistics (uint8[n, {h}, {w}, {c}] images) => (float[n, 4] features) {{
            grey = Cast <to = 1> (images)
            square = Mul (grey, grey)
            mean = ReduceMean <axes = [1, 2, 3], keepdims = 0> (grey)
            power = ReduceMean <axes = [1, 2, 3], keepdims = 0> (square)
            largest = ReduceMax <axes = [1, 2, 3], keepdims = 0> (grey)
            least = ReduceMin <axes = [1, 2, 3], keepdims = 0> (grey)
            shape = Constant <value_ints = [4, -1]> ()
            all = Concat <axis = 0> (mean, power, largest, least)
            columns = Reshape (all, shape)
            features = Transpose <perm = [1, 0]> (columns)
        }}"""
    onnx.save(onnx.parser.parse_model(text), path)
    return path


def described(path: Path, manifest: FeaturesManifest) -> Path:
    model = onnx.load(path)
    onnx.helper.set_model_props(model, {METADATA_KEY: to_json(manifest)})
    onnx.save(model, path)
    return path


def test_features_may_take_images_of_any_size_and_have_no_classes(tmp_path: Path) -> None:
    network = FeatureNetwork.load(any_features(tmp_path / "any.onnx"), "cpu")
    assert (network.size, network.dim, network.classes) == (ImageAxes(), 4, 0)
    for shape in ((5, 28, 28, 1), (70, 3, 9, 3)):
        images = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
        found = network.measure(iter([images]))
        assert (found.predicted, found.confidence) == (None, None)
        values = images.reshape(len(images), -1).astype(np.float64)
        expected = np.stack([values.mean(1), (values**2).mean(1), values.max(1), values.min(1)], 1)
        np.testing.assert_allclose(found.features, expected, rtol=1e-5)
        assert found.at(slice(1, 3)).features.shape == (2, 4)
        assert found.at(slice(1, 3)).predicted is None
    grey = FeatureNetwork.load(any_features(tmp_path / "grey.onnx", c=1), "cpu")
    assert grey.size == ImageAxes(channels=1)
    with pytest.raises(InputError, match=r"8 x 8 x 3 images; .*grey.onnx takes any x any x 1"):
        grey.measure(iter([np.zeros((2, 8, 8, 3), np.uint8)]))


def without(document: dict[str, Any], key: str) -> dict[str, Any]:
    """A copy of nested dicts without `key`, the path of which has dots."""
    first, _, rest = key.partition(".")
    copy = dict(document)
    if rest:
        return copy | {first: without(copy[first], rest)}
    del copy[first]
    return copy


@pytest.mark.parametrize("missing", ["inputs.images", "inputs.images.channels", "output", "output.names", "training"])
@pytest.mark.parametrize("source", ["any", "mnist"])
def test_what_an_older_manifest_does_not_say_the_graph_says(source: str, missing: str, tmp_path: Path) -> None:
    path = shipped_features(source)
    assert path is not None
    model, network = onnx.load(path), FeatureNetwork.load(path, "cpu", 1)
    document = json.loads(network.model.metadata[METADATA_KEY])
    onnx.helper.set_model_props(model, {METADATA_KEY: json.dumps(without(document, missing))})
    onnx.save(model, tmp_path / "old.onnx")
    old = FeatureNetwork.load(tmp_path / "old.onnx", "cpu", 1)
    assert (old.name, old.size, old.dim, old.classes) == (network.name, network.size, network.dim, network.classes)
    images = np.arange(3 * 28 * 28, dtype=np.uint8).reshape(3, 28, 28, 1)
    np.testing.assert_array_equal(old.measure(iter([images])).features, network.measure(iter([images])).features)


@pytest.mark.parametrize("missing", ["format_version", "name", "task", "inputs", "output.dim"])
def test_a_manifest_of_features_without_what_is_needed_is_refused(
    call: Call, missing: str, digits: str, tmp_path: Path, random_features: Path
) -> None:
    model = onnx.load(random_features)
    document = json.loads(next(entry.value for entry in model.metadata_props if entry.key == METADATA_KEY))
    onnx.helper.set_model_props(model, {METADATA_KEY: json.dumps(without(document, missing))})
    onnx.save(model, "old.onnx")
    np.save("images.npy", np.zeros((200, 28, 28, 1), np.uint8))
    refused = call("gan-eval", "images.npy", digits, "--features", "old.onnx", "--n", 200, "--quiet")
    assert refused.refused("old.onnx: its manifest is damaged", f"'{missing.rpartition('.')[2]}' is missing")


def test_images_too_small_for_a_network_of_any_size_are_refused_in_one_line(call: Call, tmp_path: Path) -> None:
    text = """<ir_version: 8, opset_import: ["": 17]>
        corner (uint8[n, h, w, c] images) => (float[n, 4] features) {
            colour = Cast <to = 1> (images)
            grey = ReduceMean <axes = [3], keepdims = 0> (colour)
            places = Constant <value_ints = [30, 31]> ()
            rows = Gather <axis = 1> (grey, places)
            part = Gather <axis = 2> (rows, places)
            shape = Constant <value_ints = [-1, 4]> ()
            features = Reshape (part, shape)
        }"""
    onnx.save(onnx.parser.parse_model(text), "corner.onnx")
    images = np.random.default_rng(0).integers(0, 255, (300, 28, 28, 3), np.uint8)
    np.save("images.npy", images)
    Path("photos").mkdir()
    for number, image in enumerate(images):
        Image.fromarray(image).save(f"photos/{number}.png")
    small = call(
        "gan-eval", "images.npy", "photos", "--features", "corner.onnx", "--n", 300, "--device", "cpu", "--quiet"
    )
    assert small.refused("corner.onnx: failed on cpu", "images of 28 x 28 x 3 may be too small", "larger --size")
    fine = call(
        "gan-eval", "photos", "photos", "--features", "corner.onnx", "--n", 300, "--size", 32, "--device", "cpu"
    )
    assert fine.code == 0, fine


def test_large_networks_and_images_get_few_images_per_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = FeatureNetwork.load(any_features(tmp_path / "any.onnx"), "cpu")
    runs: list[int] = []

    def run(self: FeatureNetwork, outputs: list[str], feeds: dict[str, Any], n: int, chunk: int) -> list[Any]:
        runs.append(n)
        return [np.zeros((n, self.dim), np.float32)]

    def runs_of(*shape: int) -> list[int]:
        runs.clear()
        network.measure(iter([np.zeros(shape, np.uint8)]))
        return sorted(runs, reverse=True)

    monkeypatch.setattr(FeatureNetwork, "run", run)
    assert runs_of(70, 28, 28, 1) == [64, 6]
    assert runs_of(30, 64, 64, 3) == [21, 9]
    assert runs_of(3, 256, 256, 3) == [1] * 3
    assert runs_of(5, 2000, 2000, 3) == [1] * 5
    for module in ("image_reader", "evaluation.features"):
        monkeypatch.setattr(f"gan_runtime.{module}.LARGE", 1)
    assert runs_of(9, 8, 8, 3) == [4, 4, 1]
    assert runs_of(9, 299, 299, 3) == [4, 4, 1]


@pytest.mark.parametrize(
    ("manifest", "fits"),
    [
        (FeaturesManifest(name="any"), True),
        (FeaturesManifest(name="any", images=ImageAxes(channels=1), output=Measures(4)), True),
        (FeaturesManifest(name="any", images=ImageAxes(channels=3), output=Measures(4)), False),
        (FeaturesManifest(name="any", images=ImageAxes(28, 28, 1), output=Measures(4)), False),
        (FeaturesManifest(name="any", images=ImageAxes(channels=1), output=Measures(5)), False),
        (FeaturesManifest(name="any", images=ImageAxes(channels=1), output=Measures(4, 10)), False),
    ],
)
def test_the_manifest_of_features_of_any_size_is_checked(
    tmp_path: Path, manifest: FeaturesManifest, fits: bool
) -> None:
    path = described(any_features(tmp_path / "any.onnx", c=1), manifest)
    if fits:
        network = FeatureNetwork.load(path, "cpu")
        assert (network.name, network.size, network.dim, network.classes) == ("any", ImageAxes(channels=1), 4, 0)
    else:
        with pytest.raises(ModelError, match="its graph and its manifest do not agree"):
            FeatureNetwork.load(path, "cpu")


def test_without_classes_the_metrics_of_classes_are_absent(call: Call, conditional_model: Path, tmp_path: Path) -> None:
    options = ("--features", any_features(tmp_path / "any.onnx"), "--n", 200)
    for _ in range(2):  # the second time the features of the data and the floors come from the cache
        report = json.loads(call("gan-eval", conditional_model, "digits", *options, "--json").out)
        columns = [*report["results"].values(), *report["floors"].values()]
        assert len(columns) == 3
        for column in columns:
            assert column["fid"] is not None
            assert not {"modes", "kl", "confident", "accuracy"} & set(column)
    table = call("gan-eval", conditional_model, "digits", *options).out
    assert "FID" in table
    for title in ("modes", "KL of classes", "confident", "label accuracy"):
        assert title not in table


def test_a_network_of_any_size_measures_at_the_size_of_the_images(
    call: Call, conditional_model: Path, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for i in range(40):
            pixels = rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / name / f"{i}.png")
    np.save("small.npy", rng.integers(0, 256, (40, 30, 30, 3), dtype=np.uint8))
    options = ("--features", any_features(tmp_path / "any.onnx"), "--n", 40, "--json")

    def size_of(*sources: object) -> str:
        done = call("gan-eval", *sources, *options)
        assert done.code == 0, done
        size: str = json.loads(done.out)["size"]
        return size

    assert size_of("a", "b") == "64 x 64 x 3"  # as gan-train reads pictures
    assert size_of("a", "b", "--size", 40) == "40 x 40 x 3"
    assert size_of("a", "small.npy", "b") == "30 x 30 x 3"
    assert size_of("a", "digits") == "28 x 28 x 1"
    assert size_of("a", conditional_model, "b") == "28 x 28 x 1"
    assert call("gan-eval", "small.npy", "b", *options, "--size", 32).refused("small.npy", "32, 32, 3")
    assert call("gan-eval", "a", "digits", *options, "--size", 32).refused("--size", "digits")


def test_a_file_is_measured_against_what_it_was_trained_on(call: Call, random_features: Path) -> None:
    import torch

    from gan_trainer.export import export

    for data, classes in (("mnist", 10), ("photos", 4)):
        torch.manual_seed(0)
        network = small_generator(classes)
        export(network, f"{data}.onnx", latent_dim=16, classes=classes, training={"data": data})
    options = ("--features", random_features, "--n", 200)
    assert call("gan-eval", "mnist.onnx", "digits", *options).refused(
        "mnist.onnx: was trained on mnist; measure it against that, not digits"
    )
    found = json.loads(call("gan-eval", "photos.onnx", "digits", *options, "--json").out)["results"]["photos.onnx"]
    assert found["accuracy"] is None  # of four other classes


def named(path: str, names: str) -> str:
    import torch

    from gan_trainer.export import export

    torch.manual_seed(0)
    export(small_generator(10), path, latent_dim=16, classes=10, class_names=tuple(names))
    return path


def test_classes_are_matched_by_their_names(call: Call, random_features: Path, network: FeatureNetwork) -> None:
    options = ("digits", "--features", random_features, "--n", 200, "--json")
    other, unknown = named("other.onnx", "9876543210"), named("unknown.onnx", "abcdefghij")
    done = call("gan-eval", other, unknown, *options)
    found = json.loads(done.out)["results"]
    predicted = network.measure(iter([Generator.load(other).sample(200)])).predicted
    assert found[other]["accuracy"] == np.mean(predicted == 9 - np.arange(200) % 10)
    assert found[unknown]["accuracy"] is None
    assert "unknown.onnx: its classes are not called as those of digits; label accuracy is left out" in done.err


def test_features_with_other_classes_measure_all_but_the_classes(
    call: Call, conditional_model: Path, tmp_path: Path
) -> None:
    """As a published network with a thousand classes does."""
    import torch

    from gan_runtime.manifest import ImageSize
    from gan_trainer.features.export import export_features
    from gan_trainer.features.network import FeatureNetwork as Network

    torch.manual_seed(0)
    export_features(
        Network(1, 40), tmp_path / "f.onnx", size=ImageSize(28, 28, 1), class_names=tuple(map(str, range(40)))
    )
    done = call("gan-eval", conditional_model, "digits", "--n", 200, "--features", tmp_path / "f.onnx", "--json")
    assert done.code == 0, done
    report = json.loads(done.out)
    found, real = report["results"][str(conditional_model)], report["floors"]["test images"]
    assert found["fid"] > real["fid"]
    assert (found["accuracy"], real["accuracy"]) == (None, None)


def test_floors_have_as_many_images_as_there_are(call: Call, random_features: Path) -> None:
    images = load_dataset("digits").images
    np.save("some.npy", images[:150])
    np.save("more.npy", images[:250])
    done = call("gan-eval", "some.npy", "more.npy", "digits", "--features", random_features, "--json")
    assert "the reference values use 150 images" in done.err
    assert [column["n"] for column in json.loads(done.out)["floors"].values()] == [150, 150]


def test_the_folder_that_one_stands_in(
    call: Call, random_features: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shots").mkdir()
    for i, image in enumerate(load_dataset("digits").images[:150]):
        Image.fromarray(image[:, :, 0]).save(tmp_path / "shots" / f"{i}.png")
    monkeypatch.chdir(tmp_path / "shots")
    assert call("gan-eval", ".", "digits", "--features", random_features, "--write").code == 0
    assert (tmp_path / "shots.quality.md").read_text().startswith("# shots\n")


def test_places_that_cannot_be_written_are_refused_first(
    call: Call, random_features: Path, conditional_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FeatureNetwork, "measure", None)
    options = ("--features", random_features, "--n", 200, "--picture")
    assert call("gan-eval", conditional_model, "digits", *options, "no/x.png").refused("no/x.png", "does not exist")
    assert call("gan-eval", conditional_model, "digits", *options, "x.jpg").refused(
        "x.jpg: --picture writes PNG files; end the name in .png"
    )


def test_a_model_beside_a_folder_is_no_feature_network(tmp_path: Path) -> None:
    (tmp_path / "photos.onnx").write_bytes(b"a generator")
    assert shipped_features(str(tmp_path / "photos")) is None
    assert find_features(str(tmp_path / "photos"), quiet=True) == general_features()


def test_bad_input_is_one_clear_line(
    call: Call, random_features: Path, conditional_model: Path, tmp_path: Path
) -> None:
    def refused(*arguments: object, features: Path = random_features, words: tuple[str, ...] = ()) -> None:
        assert call("gan-eval", *arguments, "--features", features, "--device", "cpu").refused(*words)

    refused("digits", words=("name the sources", "gan-eval x.onnx mnist"))
    refused(conditional_model, "nowhere", words=("'nowhere'", "mnist"))
    refused("nowhere.onnx", "digits", words=("nowhere.onnx",))
    refused("nowhere", "digits", words=("nowhere", "no folder"))
    refused(conditional_model, "digits", "--n", 100, words=("n 100", "at least 129"))
    refused(
        conditional_model, "digits", features=conditional_model, words=("task 'generate'", "name a feature network")
    )
    refused(conditional_model, "digits", features=Path("nowhere.onnx"), words=("nowhere.onnx",))
    refused(random_features, "digits", words=("task 'features'", "name a generator"))
    (tmp_path / "empty").mkdir()
    refused("empty", "digits", words=("empty", "holds no picture"))
    np.save("small.npy", np.zeros((200, 32, 32, 1), np.uint8))
    refused("small.npy", "digits", words=("small.npy: 32 x 32 x 1 images", "takes 28 x 28 x 1"))
    np.save("float.npy", np.zeros((200, 28, 28, 1)))
    refused("float.npy", "digits", words=("float.npy: float64", "uint8"))
    (tmp_path / "bad.npz").write_bytes(b"hello")
    refused("bad.npz", "digits", words=("bad.npz",))
    assert call("gan-eval", conditional_model, "photos.zip").refused("'photos.zip'", "a folder or .zip of images")
    refused(conditional_model, "digits", "--hold-out", 0.2, words=("--hold-out: digits has test images of its own",))
