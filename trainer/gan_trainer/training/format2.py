"""Checkpoints and configurations of format 2, which had a field for each network instead of dictionaries."""

from typing import Any

SYSTEMS = {"latent": "gan", "joint": "bigan", "autoencoder": "vae"}
NETWORKS = ("generator", "discriminator", "encoder")
OPTIMIZERS = {"g": "g_optimizer", "d": "d_optimizer"}
COUNTERS = ("g_steps", "d_steps")
LOSSES = ("d_loss", "g_loss")
TIMES = ("cpu_seconds", "eval_seconds")  # missing in the first checkpoints of format 2


def from_format_2(saved: dict[str, Any]) -> dict[str, Any]:
    """The same checkpoint in format 3. Raises KeyError or TypeError where it is damaged."""
    has_average = bool(saved["config"]["recipe"]["ema_half_life"])
    sums, counts = saved["meter"]["sum"], saved["meter"]["counts"]
    counted = [i for i in range(len(LOSSES)) if counts[i]]
    kept = ("format", "gan_edge", "config", "step", "images_seen", "seconds", "rng")
    return {
        **{name: saved[name] for name in kept},
        **{name: saved.get(name, 0.0) for name in TIMES},
        "images_before": saved.get("images_before", 0),
        "networks": {name: saved[name] for name in NETWORKS if name in saved},
        "averages": {"generator": saved["average"]} if has_average else {},
        "optimizers": {new: saved[old] for new, old in OPTIMIZERS.items() if old in saved},
        "extra": {},
        "counters": {name: saved.get(name, 0) for name in COUNTERS},
        "meter": {
            "sums": {LOSSES[i]: sums[i].clone() for i in counted},
            "counts": {LOSSES[i]: counts[i] for i in counted},
        },
    }


def system_of(recipe: dict[str, Any]) -> dict[str, Any]:
    """The fields of a recipe with its `system`, which format 2 called `family`."""
    rest = {name: value for name, value in recipe.items() if name != "family"}
    return rest | {"system": SYSTEMS[recipe["family"]]} if "family" in recipe else rest
