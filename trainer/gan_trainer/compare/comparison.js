const { plot } = data;
const known = plot.lines.flatMap(({ x }) => x);
const axis = {
  name: data.over, log: true, along: ({ x }) => x, begin: Math.min(...known) / 1.1, end: Math.max(...known) * 1.1,
};

function drawCurves() {
  draw(plot, axis);
  document.body.dataset.drawn = true;
}

document.title = find("h1").textContent = data.title;
find("#table").append(table(data.table));
find("#remarks").append(...data.remarks.map((text) => make("p", {}, text)));
find("img").src = data.samples;
find("#curves").hidden = !plot.lines.length;
if (plot.lines.length) {
  find("#curves").append(card(plot));
  drawCurves();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawCurves);
}
