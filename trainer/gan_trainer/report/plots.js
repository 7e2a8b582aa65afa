const UNITS = [[1, 180, "seconds"], [60, 3 * 3600, "minutes"], [3600, 3 * 86400, "hours"], [86400, Infinity, "days"]];
const moments = data.plots.flatMap((plot) => plot.lines.flatMap((line) => line.seconds));
const [unitSeconds, , unitName] = UNITS.find(([, limit]) => moments.every((seconds) => seconds <= limit));

/* What the plots are over: images seen, or time. All have the same ends, so that they can be read together. */
function axis() {
  const overImages = find("#axis :checked").value === "images";
  const along = overImages ? ({ images }) => images : ({ seconds }) => seconds.map((x) => x / unitSeconds);
  const end = Math.max(...data.plots.flatMap((plot) => plot.lines.flatMap(along)));
  return { name: overImages ? "images seen" : unitName, along, begin: 0, end: end * 1.04 };
}

function drawAll() {
  const over = axis();
  const marks = data.warnings.map(({ images, seconds, text }) =>
    ({ x: over.along({ images: [images], seconds: [seconds] })[0], text }));
  for (const plot of data.plots)  // the words only where there is room
    draw(plot, over, plot.named ? marks : marks.map(({ x }) => ({ x, text: "" })));
  document.body.dataset.drawn = find("#axis :checked").value;
}

for (const plot of data.plots) {
  plot.named = plot.group === "main";
  find(`[data-group=${plot.group}]`).append(card(plot));
}
find("#quality").hidden = !data.scores;
find("#machine").hidden = !data.plots.some((plot) => plot.group === "machine");
find("#axis span").textContent = unitName;
find("#axis").addEventListener("change", drawAll);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
drawAll();
