"""Train the features of a folder or archive of images, and report how they judge distorted images."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gan_runtime.terminal.text import note

if TYPE_CHECKING:
    from gan_runtime.data import Dataset
    from gan_runtime.evaluation.features import FeatureNetwork
    from gan_runtime.model_file import ModelFile
    from gan_trainer.features.judgement import Verdict
    from gan_trainer.features.own import OwnImages

IMAGES = 32_000  # seen in training


def train_own(
    data: str,
    output: Path | None,
    images: int | None,
    mirror: bool,
    pictures: dict[str, Any],
    seed: int,
    threads: int | None,
    quiet: bool,
) -> dict[str, Any]:
    """Train, export, judge, and return the report."""
    from dataclasses import asdict

    from gan_runtime.data import load_dataset
    from gan_runtime.data.picture_options import picture_options
    from gan_runtime.devices.processors import available_cpus
    from gan_runtime.evaluation.features import FeatureNetwork
    from gan_runtime.evaluation.networks import general_features
    from gan_runtime.terminal.progress import progress
    from gan_trainer.features.contrastive import Contrast
    from gan_trainer.features.own import accuracy, own_images, train_own_features
    from gan_trainer.runs.folder import software

    began, threads = time.perf_counter(), threads or available_cpus()
    target = output or _kept_for(data, bool(pictures.get("follow_links")), quiet)
    own = own_images(load_dataset(data, pictures=picture_options(data, **pictures), quiet=quiet), mirror)
    recipe = Contrast(steps=max(1, (images or IMAGES) // Contrast.batch_size))
    with progress(f"training features of {data}", recipe.steps, "steps", quiet=quiet) as advance:
        network = train_own_features(own, recipe, seed, threads, lambda step, losses: advance(1))
    about: dict[str, Any] = {
        "images": len(own.dataset.images),
        "held_out": len(own.split.held_out),
        "repeated": own.split.repeated,
        "seconds": round(time.perf_counter() - began, 1),
    }
    if own.dataset.classes:
        about["accuracy"] = accuracy(network, own)
    made_with = {"recipe": asdict(recipe), "mirror": mirror, "seed": seed}
    file = _exported(network, target, own.dataset, made_with | {"software": software()} | about)
    networks = {"own": file.path, "general": general_features()}
    verdicts = {
        title: _judged(title, FeatureNetwork.load(path, "cpu", threads), own, quiet) for title, path in networks.items()
    }
    if output is not None and not quiet:
        note(f"gan-train and gan-eval use it with --features {output}")
    written = {"output": str(file.path), "sha256": file.sha256, "bytes": len(file.content)}
    return written | about | {"judged": {title: _facts(verdict) for title, verdict in verdicts.items()}}


def _exported(network: Any, path: Path, dataset: "Dataset", training: dict[str, Any]) -> "ModelFile":
    from gan_runtime.manifest import ImageAxes
    from gan_trainer.features.export import export_features

    return export_features(
        network,
        path,
        size=ImageAxes(),
        class_names=dataset.classes,
        name=dataset.name,
        training={"data": dataset.name, "digest": dataset.digest} | training,
        rows=16,
    )


def _kept_for(data: str, follow_links: bool, quiet: bool) -> Path:
    """Where gan-train and gan-eval find the features of these pictures. Raises InputError without a cache folder."""
    from gan_runtime.data.content import digest_of_content
    from gan_runtime.errors import InputError, OutputError
    from gan_runtime.evaluation.networks import own_folder, own_path

    folder = own_folder()
    if folder is None:
        raise InputError("there is no cache folder to keep the features in; name a file with --output")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: {error.strerror or error}; name a file with --output") from None
    return own_path(folder, digest_of_content(Path(data), follow_links=follow_links, quiet=quiet))


def _judged(title: str, network: "FeatureNetwork", images: "OwnImages", quiet: bool) -> "Verdict":
    from gan_runtime.terminal.progress import progress
    from gan_trainer.features.own import judge_features, measured_images

    with progress(f"judging the features {title}", measured_images(images), "images", quiet=quiet) as advance:
        return judge_features(network, images, advance)


def _facts(verdict: "Verdict") -> dict[str, Any]:
    from gan_trainer.features.distortions import FAMILIES

    families = zip(FAMILIES.items(), verdict.fid, verdict.kid, strict=True)
    return {
        "distortions": {
            family: {"strengths": [0.0, *strengths], "fid": fid, "kid": kid}
            for (family, (_, strengths)), fid, kid in families
        },
        "steps": verdict.steps,
        "violations": dict(zip(("fid", "kid"), verdict.violations, strict=True)),
        "weakest": verdict.weakest,
        "floor": verdict.floor,
        "real": {"recall": verdict.recall, "coverage": verdict.coverage},
        "repeated": {"recall": verdict.recall_repeated, "coverage": verdict.coverage_repeated},
    }


def table(report: dict[str, Any]) -> str:
    """The report as plain text."""
    titles = list(report["judged"])
    own = report["judged"][titles[0]]
    lines = [report["output"], "", f"{'':10}{'FID of real images, then as the distortion grows':48}KID x 1000"]
    for family, values in own["distortions"].items():
        fid, kid = (" ".join(f"{value:8.3f}" for value in row) for row in (values["fid"], _thousand(values["kid"])))
        lines.append(f"{family:10}{fid}  {kid}")
    rows = {"": titles} | {
        f"steps of {own['steps']} at which FID falls": _column(report, "{violations[fid]}"),
        f"steps of {own['steps']} at which KID falls": _column(report, "{violations[kid]}"),
        "FID of weakest distortion over real": _column(report, "{weakest:.2f}"),
        "FID of real over medium distortion": _column(report, "{floor:.2f}"),
        "real images: recall, coverage": _column(report, "{real[recall]:.2f}, {real[coverage]:.2f}"),
        "repeated images: recall, coverage": _column(report, "{repeated[recall]:.2f}, {repeated[coverage]:.2f}"),
    }
    lines += ["", *(f"{title:38}{'  '.join(f'{value:12}' for value in row)}".rstrip() for title, row in rows.items())]
    if "accuracy" in report:
        lines.append(f"{report['accuracy']:.2%} of the {report['held_out']:,} held-out images get their class")
    return "\n".join(lines)


def _thousand(values: list[float]) -> list[float]:
    return [1000 * value for value in values]


def _column(report: dict[str, Any], form: str) -> list[str]:
    return [form.format(**facts) for facts in report["judged"].values()]
