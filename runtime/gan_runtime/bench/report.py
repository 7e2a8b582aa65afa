"""What was measured as a document and as a table."""

from typing import Any

from gan_runtime import __version__
from gan_runtime.bench.measured import Measured, Row
from gan_runtime.bench.recommend import is_busy, recommended, row_of_auto, spread
from gan_runtime.bench.setting import Setting
from gan_runtime.bench.work import Work
from gan_runtime.devices.memory import available_memory
from gan_runtime.devices.processors import available_cpus, cpu_name
from gan_runtime.onnx_runtime import import_onnxruntime

AUTO, BEST = "auto", "recommended"
FLAGS = {"batch": "--batch-size {}", "threads": "--threads {}", "tile": "--tile {}"}
SAMPLED = ("generate", "points", None)  # tasks of files whose batches gan-sample lets one choose


def report_of(work: Work, measured: Measured) -> dict[str, Any]:
    """The results as JSON. Speeds are per second, memory and sizes in bytes, times in seconds."""
    model, chosen = work.model, recommended(measured)
    return {
        "model": {
            "path": str(model.model.path),
            "sha256": model.model.sha256,
            "task": model.manifest.task if model.manifest else None,
            "bytes": model.model.size,
            "flops": work.flops or None,
        },
        "work": work.what,
        "unit": work.unit,
        "device": model.session.device,
        "host": {
            "processor": cpu_name(),
            "processors": available_cpus(),
            "free_memory": available_memory(),
            "busy": is_busy(measured),
            "spread": round(spread(measured), 4),
            "others": None if measured.others is None else round(measured.others, 4),
        },
        "limits": [
            {"threads": threads, "flops": limit.operations, "by": limit.by, "bandwidth": limit.bandwidth}
            for threads, limit in measured.limits.items()
        ],
        "rows": [_row(row, measured) for row in measured.rows],
        "left_out": [_setting(setting) for setting in measured.left_out],
        "auto": _setting(measured.automatic),
        "recommended": _setting(chosen.setting),
        "gain": chosen.rate / row_of_auto(measured).rate,
        "rounds": len(chosen.times.seconds),
        "versions": {"gan-edge": __version__, "onnxruntime": import_onnxruntime().__version__},
    }


def _row(row: Row, measured: Measured) -> dict[str, Any]:
    limit, seconds = measured.limits.get(row.setting.threads), row.times.median
    return {
        **_setting(row.setting),
        "seconds": seconds,
        "fastest": min(row.times.seconds),
        "slowest": max(row.times.seconds),
        "per_second": row.rate,
        "memory": row.memory,
        "flops": row.operations / seconds or None,
        "of_peak": limit and (row.operations / seconds / limit.operations or None),
        "weights_per_second": row.read / seconds,
        "of_bandwidth": limit and row.read / seconds / limit.bandwidth,
        "marks": [
            mark
            for mark, setting in ((AUTO, measured.automatic), (BEST, recommended(measured).setting))
            if row.setting == setting
        ],
    }


def _setting(setting: Setting) -> dict[str, int]:
    found = {"batch": setting.batch, "threads": setting.threads, "tile": setting.tile}
    return {name: value for name, value in found.items() if value is not None}


def text_of(report: dict[str, Any]) -> str:
    """The report as plain text."""
    return "\n\n".join(["\n".join(_head(report)), table(report), "\n".join(verdict(report))])


def verdict(report: dict[str, Any]) -> list[str]:
    """What is recommended, and whether the host was too busy to say."""
    changed = {name: value for name, value in report["recommended"].items() if report["auto"][name] != value}
    flags = FLAGS if report["model"]["task"] in SAMPLED else FLAGS | {"batch": "batches of {} in Python,"}
    choice = " ".join(flags[name].format(value) for name, value in changed.items()).rstrip(",")
    lines = [f"recommended: {choice}, {report['gain']:.2f} times as fast as auto"]
    if not changed:
        lines = ["recommended: auto; no other setting was measurably faster"]
    if report["host"]["busy"]:
        lines = [f"recommended: auto; this host was busy ({_busy(report['host'])}): measure again when it is idle"]
    if report["left_out"]:
        names = "; ".join(_named(one) for one in report["left_out"])
        lines.append(f"not measured, because a call takes too long: {names}; more --seconds include them")
    return lines


def _named(setting: dict[str, int]) -> str:
    """A setting in words. Of tiles, there is one for each thread, so that the batch says nothing."""
    size = f"tile {setting['tile']}" if "tile" in setting else f"batch {setting['batch']}"
    return f"{size} with {_threads(setting['threads'])}"


def _busy(host: dict[str, Any]) -> str:
    others = host["others"]
    used = "" if others is None else f", other programs used {100 * others:.0f} % of the processors"
    return f"rounds differ by {100 * host['spread']:.0f} %{used}"


def table(report: dict[str, Any]) -> str:
    """One line per setting, in aligned columns."""
    tiled = any("tile" in row for row in report["rows"])
    unit = {"megapixels": "MP/s"}.get(report["unit"], f"{report['unit']}/s")
    first = ["tile" if tiled else "batch", "threads"]
    header = [*first, "ms", "fastest-slowest", unit, "memory", "GFLOP/s", "of peak", "of bandwidth", ""]
    cells = [header, *(_cells(row, first) for row in report["rows"])]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join(c.rjust(w) for c, w in zip(row[:-1], widths, strict=False)) + f"  {row[-1]}" for row in cells
    )


def _cells(row: dict[str, Any], first: list[str]) -> list[str]:
    return [
        *(f"{row[name]:,}" for name in first),
        f"{1e3 * row['seconds']:,.2f}",
        f"{1e3 * row['fastest']:,.2f}-{1e3 * row['slowest']:,.2f}",
        f"{row['per_second']:,.{0 if row['per_second'] >= 100 else 2}f}",
        "?" if row["memory"] is None else f"{row['memory'] / 1e6:,.0f} MB",
        "?" if row["flops"] is None else f"{row['flops'] / 1e9:,.1f}",
        "?" if row["of_peak"] is None else f"{100 * row['of_peak']:.0f} %",
        "?" if row["of_bandwidth"] is None else f"{100 * row['of_bandwidth']:.0f} %",
        ", ".join(row["marks"]),
    ]


def _head(report: dict[str, Any]) -> list[str]:
    model, host, unit = report["model"], report["host"], report["unit"]
    free = "" if host["free_memory"] is None else f", {host['free_memory'] / 1e9:.1f} GB of memory free"
    per = "pixel of the input" if unit == "megapixels" else unit.rstrip("s")
    operations = "operations unknown (exported by an older gan-edge, or by another tool)"
    if model["flops"]:
        operations = f"{model['flops'] / 1e6:,.3f} MFLOP per {per}"
    return [
        f"model: {model['path']}, {model['bytes'] / 1e6:.1f} MB, {operations}",
        f"work: {report['work']}",
        f"host: {host['processor']}, {host['processors']} processors allowed{free}, device {report['device']}",
        *(
            f"limits with {_threads(limit['threads'])}: {limit['flops'] / 1e9:,.1f} GFLOP/s in float32 "
            f"({limit['by']}), {limit['bandwidth'] / 1e9:,.1f} GB/s (copy)"
            for limit in report["limits"]
        ),
    ]


def _threads(number: int) -> str:
    return f"{number} thread{'s' * (number != 1)}"
