"""The results as a bar chart."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

WIDTH, LEFT, RIGHT, LINE, TOP = 960, 220, 260, 30, 84  # pixels
PAPER, INK, BAR, AUTO, BEST = "white", "black", (170, 190, 215), (60, 110, 180), (70, 150, 80)
SIZE, TITLE = 15, 17  # of the text


def chart(report: dict[str, Any]) -> NDArray[np.uint8]:
    """A bar per setting: its median speed, a line from the slowest to the fastest round, its share of the peak.

    Returns:
        uint8 [height, 960, 3].
    """
    rows = report["rows"]
    image = Image.new("RGB", (WIDTH, TOP + LINE * len(rows) + LINE), PAPER)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(SIZE)
    name, host = report["model"]["path"].replace("\\", "/").rsplit("/", 1)[-1], report["host"]
    draw.text((16, 14), f"{name}: {report['work']}, {report['unit']} per second", INK, ImageFont.load_default(TITLE))
    busy = "; the host was busy" if host["busy"] else ""
    draw.text((16, 42), f"{host['processor']}, {host['processors']} processors, {report['device']}{busy}", INK, font)
    amounts = [row["per_second"] * row["seconds"] for row in rows]
    scale = (WIDTH - LEFT - RIGHT) / max(amount / row["fastest"] for amount, row in zip(amounts, rows, strict=True))
    for number, (row, amount) in enumerate(zip(rows, amounts, strict=True)):
        _bar(draw, font, TOP + LINE * number, row, amount, scale)
    return np.asarray(image)


def _bar(draw: Any, font: Any, top: int, row: dict[str, Any], amount: float, scale: float) -> None:
    marks, middle = row["marks"], top + LINE // 2 - 4
    colour = BEST if "recommended" in marks else AUTO if "auto" in marks else BAR
    draw.rectangle((LEFT, top, LEFT + scale * row["per_second"], top + LINE - 8), colour)
    draw.line((LEFT + scale * amount / row["slowest"], middle, LEFT + scale * amount / row["fastest"], middle), INK, 2)
    kind = "tile" if "tile" in row else "batch"
    label = f"{kind} {row[kind]:,}, {row['threads']} thread{'s' * (row['threads'] != 1)}"
    draw.text((LEFT - 10, middle), label, INK, font, anchor="rm")
    share = "" if row["of_peak"] is None else f", {100 * row['of_peak']:.0f} % of the peak"
    said = f"{row['per_second']:,.{0 if row['per_second'] >= 100 else 2}f}{share}"
    end = LEFT + scale * amount / row["fastest"]
    draw.text((end + 8, middle), said + (f" ({', '.join(marks)})" if marks else ""), INK, font, anchor="lm")
