"""HTML pages in a real browser, where there is one: Chromium or Chrome without a window."""

import html
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
VIRTUAL_MS = 600_000  # the page's own time: skipped where nothing happens, used up on a busy host
PROBE = """<script>
const errors = [];
for (const kind of ["error", "unhandledrejection", "securitypolicyviolation"])
  addEventListener(kind, (event) => errors.push(`${kind}: ${event.message ?? event.reason ?? event.blockedURI}`));
const until = (done) => new Promise((resolve) => {
  const timer = setInterval(() => { if (done()) { clearInterval(timer); resolve(); } }, 20);
});
/* Whether a line of a plot has left pixels of its colour on the canvas. */
function coloured(plot, i) {
  const canvas = plot.place.querySelector("canvas");
  const shade = colour(SHADES[shadeOf(plot.lines[i], i)]).match(/[0-9a-f]{2}/g).map((part) => parseInt(part, 16));
  const { data: pixels } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  for (let at = 0; at < pixels.length; at += 4)
    if (pixels[at + 3] === 255 && shade.every((part, j) => Math.abs(part - pixels[at + j]) < 8)) return true;
  return false;
}
/* What is shown beside a pointer at some image of the run. */
function values(plot, image) {
  plot.chart.setCursor({ left: plot.chart.valToPos(image, "x"), top: 9 });
  return [...plot.place.querySelectorAll(".values div")].map((row) => row.textContent);
}
/* Hide a line by its button; whether its colour is gone. */
async function hides(plot) {
  plot.key.querySelector("button").click();
  await until(() => !plot.chart.series[1].show && !coloured(plot, 0));
  return coloured(plot, 1);
}
addEventListener("DOMContentLoaded", async () => {
  await until(() => document.body.dataset.drawn);
  const found = await (async () => { %s })();
  const size = { width: innerWidth, needed: document.documentElement.scrollWidth };
  parent.postMessage({ errors, ...size, ...found }, "*");
});
</script>"""
FRAMES = """<!doctype html><iframe src="probed.html" style="width: 1280px; height: 900px"></iframe><pre></pre>
<script>
const found = [];
onmessage = ({ data }) => {
  found.push(data);
  document.querySelector("pre").textContent = JSON.stringify(found);
  if (found.length === 1) {
    const frame = document.createElement("iframe");
    Object.assign(frame, { src: "probed.html", style: "width: 390px; height: 844px" });
    document.body.prepend(frame);
  }
};
</script>"""


def frames(page: Path, script: str, folder: Path) -> list[dict[str, Any]]:
    """What `script`, the body of a JavaScript function, returns in a page at the width of a desk and of a phone.

    Neither has errors, or is wider than the screen.
    """
    (folder / "probed.html").write_text(
        page.read_text("utf-8").replace("<head>", f"<head>{PROBE % script}", 1), "utf-8"
    )
    (folder / "frames.html").write_text(FRAMES)
    options = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
    ]
    options += [f"--user-data-dir={folder / 'profile'}", "--dump-dom"]
    address = (folder / "frames.html").as_uri()
    shown = subprocess.run(
        [str(BROWSER), *options, f"--virtual-time-budget={VIRTUAL_MS}", "--window-size=1400,900", address],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    found = json.loads(html.unescape(shown.stdout.split("<pre>")[1].split("</pre>")[0]) or "[]")
    assert sorted(frame["width"] for frame in found) == [390, 1280]
    for frame in found:
        assert frame["errors"] == []
        assert frame["needed"] <= frame["width"]
    return found
