"use strict";
const UNITS = [[1, 180, "seconds"], [60, 3 * 3600, "minutes"], [3600, 3 * 86400, "hours"], [86400, Infinity, "days"]];
const moments = data.plots.flatMap((plot) => plot.lines.flatMap((line) => line.seconds));
const [unitSeconds, , unitName] = UNITS.find(([, limit]) => moments.every((seconds) => seconds <= limit));
const touch = matchMedia("(pointer: coarse)").matches;
const CONFIG = { displayModeBar: false, responsive: true, doubleClick: "reset" };

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const axis = () => find("#axis :checked").value;
const along = ({ images, seconds }) => (axis() === "images" ? images : seconds.map((x) => x / unitSeconds));
const isKnown = ({ real }) => real !== null && real.value !== null;
const scaleOf = (plot) => (plot.log ? (y) => Math.log10(Math.max(y, 1e-3)) : (y) => y);

/* Whether the real images are above most values, and not below. */
const isCeiling = ({ values, real }) => values.reduce((sum, y) => sum + Math.sign(real.value - y), 0) >= 0;

/* One line of a plot, and the real images beside it: a dashed line for the usual n, a bar for any other. */
function traces(line, index, end) {
  const shade = colour(["accent", "second", "third"][index % 3]);
  const errors = { array: line.deviations, thickness: 1, width: 0, color: shade };
  const trace = {
    x: along(line), y: line.values, name: line.name, line: { color: shade, width: 2 }, ...looks(line, shade),
    error_y: line.deviations.some((value) => value !== null) ? errors : {},
  };
  return isKnown(line) ? [real(line, shade, end), trace] : [trace];
}

function looks({ kind, values }, shade) {
  if (kind === "log") return { mode: "lines" };
  if (kind === "best") return { mode: "markers", marker: { color: colour("third"), symbol: "star", size: 14 } };
  const size = values.length > 60 ? 3 : 6;
  if (kind === "evaluations") return { mode: "lines+markers", marker: { color: shade, size } };
  return { mode: "markers", marker: { color: shade, symbol: "diamond", size: 10 } };
}

function real(line, shade, end) {
  const { name, value } = line.real;
  const shared = { name: `${name}, ${line.name}`, showlegend: false, cliponaxis: false };
  if (line.kind === "single") {
    const marker = { symbol: "line-ew", size: 8, line: { color: shade, width: 2 } };
    return { ...shared, mode: "markers", x: along(line), y: line.values.map(() => value), marker };
  }
  const look = { color: colour("soft"), dash: "dash", width: 1.5 };
  return { ...shared, mode: "lines", x: [0, end], y: [value, value], line: look };
}

/* What a dashed line is, on that side of it from which the values do not come. */
function label(line, scale) {
  const { name, value } = line.real;
  const figure = Number(value.toPrecision(3)).toLocaleString("en", { maximumFractionDigits: 5 });
  const place = { x: 0, xanchor: "left", y: scale(value), yanchor: isCeiling(line) ? "bottom" : "top" };
  return { ...place, text: `${name}: ${figure}`, showarrow: false, font: { size: 11 } };
}

/* Where there was a warning; its first word beside it where there is room. */
function mark({ images, seconds, text }, room) {
  const [x] = along({ images: [images], seconds: [seconds] });
  const look = { color: colour("warning"), width: 1.5, dash: "dot" };
  const place = { textposition: "end", textangle: 0, xanchor: "left", yanchor: "top" };
  const word = { ...place, text: text.split(":")[0], font: { color: colour("warning"), size: 11 } };
  return { type: "line", x0: x, x1: x, y0: 0, y1: 1, yref: "paper", line: look, label: room ? word : {} };
}

/* From zero to the largest value, with room for the labels of dashed lines. */
function range(plot, labelled) {
  const drawn = plot.lines.flatMap(({ values, deviations }) => values.flatMap((y, i) => [y, y + deviations[i]]));
  const real = plot.lines.filter(isKnown).map((line) => line.real.value);
  const known = [...drawn, ...real].filter((y) => y !== null).map(scaleOf(plot));
  const [low, high] = [Math.min(...known, ...(plot.log ? [] : [0])), Math.max(...known)];
  const room = (high - low || 1) * 0.16;
  const sides = labelled.map(isCeiling);
  return [low - (sides.includes(false) ? room : room / 4), high + (sides.includes(true) ? room : room / 3)];
}

/* Labels that are written out: plotly's own say 2 and 5 for 20 and 50. */
function logarithmic([low, high]) {
  const digits = high - low > 2.5 ? [1] : high - low > 1 ? [1, 2, 5] : [1, 1.5, 2, 3, 4, 5, 6, 8];
  const tickvals = [-3, -2, -1, 0, 1, 2, 3, 4].flatMap((power) => digits.map((digit) => Number(`${digit}e${power}`)));
  return { type: "log", tickmode: "array", tickvals, ticktext: tickvals.map((value) => value.toLocaleString("en")) };
}

function layout(plot, end) {
  const labelled = plot.lines.filter((line) => line.kind === "evaluations" && isKnown(line));
  const shown = range(plot, labelled);
  const line = colour("line");
  const grid = { gridcolor: line, linecolor: line, zerolinecolor: line, fixedrange: touch, nticks: 6 };
  const overImages = axis() === "images";
  const ticks = overImages ? { tickformat: "~s", hoverformat: ",.0f" } : { hoverformat: ",.5~g" };
  const title = { text: overImages ? "images seen" : unitName, standoff: 6 };
  return {
    autosize: true, margin: { l: 48, r: 14, t: 10, b: 40 },
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: "system-ui, sans-serif", size: 12, color: colour("soft") },
    hovermode: "x", hoverlabel: { namelength: -1 }, dragmode: touch ? false : "zoom",
    showlegend: plot.group === "main" && plot.lines[0].name !== "",
    legend: { orientation: "h", x: 1, xanchor: "right", y: 1, yanchor: "bottom" },
    xaxis: { ...grid, ...ticks, title, range: [0, end * 1.04] },
    yaxis: { ...grid, automargin: true, hoverformat: ".4~g", range: shown, ...(plot.log ? logarithmic(shown) : {}) },
    annotations: labelled.map((line) => label(line, scaleOf(plot))),
    shapes: data.warnings.map((warning) => mark(warning, plot.group === "main")),
  };
}

function draw(plot) {
  const end = Math.max(...plot.lines.flatMap(along));
  return Plotly.react(plot.place, plot.lines.flatMap((line, i) => traces(line, i, end)), layout(plot, end), CONFIG);
}

async function drawAll() {
  for (const plot of data.plots) {
    await draw(plot);
    await new Promise((resolve) => setTimeout(resolve));  // the page stays alive meanwhile
  }
  document.body.dataset.drawn = axis();
}

for (const plot of data.plots) {
  plot.place = make("div");
  const title = make("h3", {}, plot.title, make("span", {}, plot.note));
  find(`[data-group=${plot.group}]`).append(make("div", { className: "plot" }, title, plot.place));
}
find("#quality").hidden = !data.scores;
find("#machine").hidden = !data.plots.some((plot) => plot.group === "machine");
find("#axis span").textContent = unitName;
find("#axis").addEventListener("change", drawAll);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
drawAll();
