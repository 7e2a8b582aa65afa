"use strict";
const UNITS = [[1, 180, "seconds"], [60, 3 * 3600, "minutes"], [3600, 3 * 86400, "hours"], [86400, Infinity, "days"]];
const moments = data.plots.flatMap((plot) => plot.lines.flatMap((line) => line.seconds));
const [unitSeconds, , unitName] = UNITS.find(([, limit]) => Math.max(0, ...moments) <= limit);
const touch = matchMedia("(pointer: coarse)").matches;
const dark = matchMedia("(prefers-color-scheme: dark)");
const CONFIG = { displayModeBar: false, responsive: true, doubleClick: "reset" };

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const axis = () => find("#axis :checked").value;
const along = (columns) => (axis() === "images" ? columns.images : columns.seconds.map((x) => x === null ? null : x / unitSeconds));

/* One line of a plot, and the real images beside it: a dashed line for the usual n, a bar for any other. */
function traces(line, index, end) {
  const shade = colour(["accent", "second", "third"][index % 3]);
  const trace = { x: along(line), y: line.values, name: line.name, line: { color: shade, width: 2 }, ...looks(line, shade) };
  if (line.deviations.some((value) => value !== null)) {
    trace.error_y = { array: line.deviations, thickness: 1, width: 0, color: shade };
  }
  return line.real && line.real.value !== null ? [real(line, shade, end), trace] : [trace];
}

function looks(line, shade) {
  const marker = { color: shade };
  if (line.kind === "log") return { mode: "lines" };
  if (line.kind === "evaluations") return { mode: "lines+markers", marker: { ...marker, size: line.values.length > 60 ? 3 : 6 } };
  if (line.kind === "best") return { mode: "markers", marker: { color: colour("third"), symbol: "star", size: 14 } };
  return { mode: "markers", marker: { ...marker, symbol: "diamond", size: 10 } };
}

function real(line, shade, end) {
  const { name, value } = line.real;
  const label = `${name} ${value.toPrecision(3)}`;
  const shared = { name: `${name}, ${line.name}`, showlegend: false, cliponaxis: false };
  if (line.kind === "single") {
    const marker = { symbol: "line-ew", size: 8, line: { color: shade, width: 2 } };
    return { ...shared, mode: "markers", x: along(line), y: line.values.map(() => value), marker };
  }
  return { ...shared, mode: "lines+text", x: [0, end], y: [value, value], text: [label, ""],
    textposition: isCeiling(line) ? "top right" : "bottom right", textfont: { color: colour("soft"), size: 11 },
    line: { color: colour("soft"), dash: "dash", width: 1.5 } };
}

/* Whether the values come from below. */
const isCeiling = ({ values, real }) => values.filter((y) => y !== null && y < real.value).length * 2 > values.length;

/* From zero to the largest value, with room for the label of the dashed line. */
function range(plot) {
  const scale = plot.log ? (y) => Math.log10(Math.max(y, 1e-3)) : (y) => y;
  const limits = plot.lines.filter((line) => line.real && line.real.value !== null);
  const values = [...plot.lines.flatMap((line) => line.values), ...limits.map((line) => line.real.value)];
  const known = values.filter((y) => y !== null).map(scale);
  const [low, high] = [Math.min(...known, ...(plot.log ? [] : [0])), Math.max(...known)];
  const room = (high - low || 1) * 0.14;
  const labelled = limits.filter((line) => line.kind === "evaluations").map(isCeiling);
  return [low - (labelled.includes(false) ? room : room / 4), high + (labelled.includes(true) ? room : room / 3)];
}

function layout(plot, end) {
  const grid = { gridcolor: colour("line"), linecolor: colour("line"), zerolinecolor: colour("line"), fixedrange: touch };
  const title = axis() === "images" ? "images seen" : unitName;
  return {
    autosize: true, margin: { l: 48, r: 14, t: 10, b: 40 }, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: "system-ui, sans-serif", size: 12, color: colour("soft") },
    hovermode: "x", hoverlabel: { namelength: -1 }, dragmode: touch ? false : "zoom",
    showlegend: plot.group === "main", legend: { orientation: "h", x: 1, xanchor: "right", y: 1, yanchor: "bottom" },
    xaxis: { ...grid, title: { text: title, standoff: 6 }, range: [0, end * 1.04], nticks: 6, hoverformat: ",.5~g",
      ...(axis() === "images" ? { tickformat: "~s", hoverformat: ",.0f" } : {}) },
    yaxis: { ...grid, automargin: true, nticks: 6, hoverformat: ".4~g", range: range(plot), ...(plot.log ? logarithmic(range(plot)) : {}) },
    shapes: data.warnings.map((warning) => mark(along({ images: [warning.images], seconds: [warning.seconds] })[0])),
  };
}

const mark = (x) => ({ type: "line", x0: x, x1: x, y0: 0, y1: 1, yref: "paper",
  line: { color: colour("warning"), width: 1.5, dash: "dot" } });

/* Labels that are written out: plotly's own say 2 and 5 for 20 and 50. */
function logarithmic([low, high]) {
  const digits = high - low > 1 ? [1, 2, 5] : [1, 1.5, 2, 3, 4, 5, 6, 8];
  const tickvals = [-3, -2, -1, 0, 1, 2, 3, 4].flatMap((power) => digits.map((digit) => Number(`${digit}e${power}`)));
  return { type: "log", tickmode: "array", tickvals, ticktext: tickvals.map((value) => value.toLocaleString("en")) };
}

function draw(plot) {
  const end = Math.max(...plot.lines.flatMap(along));
  return Plotly.react(plot.place, plot.lines.flatMap((line, index) => traces(line, index, end)), layout(plot, end), CONFIG);
}

async function drawAll() {
  document.body.dataset.drawn = "";
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
find("#axis").addEventListener("change", drawAll);
dark.addEventListener("change", drawAll);
drawAll();
