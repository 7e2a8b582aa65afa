/* A plot of lines by uPlot: logarithmic and linear scales, a common zoom along the horizontal axis. */
const SHADES = ["accent", "second", "third", ...[4, 5, 6, 7, 8, 9, 10, 11, 12].map((number) => `shade-${number}`)];
const LEAST = 1e-3;  // what a logarithmic axis shows of smaller values
const NEAR = 30;  // pixels: a line without a value this near to the pointer tells none
const FONT = "12px system-ui, sans-serif";
const touch = matchMedia("(pointer: coarse)").matches;

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const shadeOf = ({ kind, shade }, index) => (kind === "best" ? 2 : shade ?? index);
const isKnown = ({ real }) => Boolean(real) && real.value !== null;
const hasFloor = (line) => line.kind === "evaluations" && isKnown(line);
const short = (value) => value.toLocaleString("en", { notation: "compact", maximumSignificantDigits: 4 });
const sizeOf = ({ clientWidth, clientHeight }) => ({ width: clientWidth, height: clientHeight });
const shownOn = (plot) => (y) => (plot.log && y !== null ? Math.max(y, LEAST) : y);

/* Whether the real images are above most values, and not below. */
const isCeiling = ({ values, real }) => values.reduce((sum, y) => sum + Math.sign(real.value - y), 0) >= 0;

/* A card with the plot's title, the key to its lines, and the place where `draw` draws it. */
function card(plot) {
  plot.place = make("div");
  plot.key = make("div", { className: "key" });
  const title = make("h3", {}, plot.title, make("span", {}, plot.note));
  return make("div", { className: "plot" }, title, plot.key, plot.place);
}

/* Draw a plot, or draw it again. `axis` has name, log, begin, end, and along(line), the coordinates of a line's values.
   `marks` are vertical lines, each with x and text. */
function draw(plot, axis, marks = []) {
  plot.chart?.destroy();
  plot.observer?.disconnect();
  const lines = plot.lines.map((line, i) => ({ ...line, shade: colour(SHADES[shadeOf(line, i) % SHADES.length]) }));
  const columns = uPlot.join(lines.map((line) => [axis.along(line), line.values.map(shownOn(plot))]));
  plot.chart = new uPlot(options(plot, lines, axis, marks), columns, plot.place);
  plot.observer = new ResizeObserver(() => plot.chart.setSize(sizeOf(plot.place)));
  plot.observer.observe(plot.place);
  showKey(plot, lines);
}

function options(plot, lines, axis, marks) {
  const horizontal = { label: axis.name, labelFont: FONT, labelSize: 18, size: 28 };
  return {
    ...sizeOf(plot.place),
    legend: { show: false },
    cursor: {
      drag: { x: !touch, y: false }, y: false, hover: { prox: NEAR, skip: [null] },
      sync: { key: axis.name, scales: ["x", null] },
    },
    scales: {
      x: { time: false, distr: axis.log ? 3 : 1, range: whole(axis) },
      y: { distr: plot.log ? 3 : 1, range: (_chart, low, high) => range(plot, low, high) },
    },
    axes: [ticks(axis.log, horizontal), ticks(plot.log, { size: widest })],
    series: [{}, ...lines.map(looks)],
    hooks: {
      init: [(chart) => chart.over.append(make("div", { className: "values" }))],
      drawAxes: [(chart) => within(chart, () => { drawReal(chart, plot, lines); drawMarks(chart, marks); })],
      draw: [(chart) => within(chart, () => lines.forEach((line, i) => drawPoints(chart, plot, line, i + 1, axis)))],
      setCursor: [(chart) => showValues(chart, plot, lines, axis)],
    },
  };
}

function looks({ kind, shade, values }) {
  if (kind in SYMBOLS) return { paths: () => null, points: { show: false }, stroke: shade };
  if (kind === "faint") return { width: 1, stroke: `${shade}70`, points: { show: false } };
  const points = { show: kind !== "log" || values.length === 1, size: values.length > 60 ? 4 : 7, fill: shade };
  return { width: 2, stroke: shade, points };
}

/* The whole axis, unless a part was chosen. */
function whole({ begin, end }) {
  return ({ data: [known] }, low, high) =>
    (known.length === 1 || (low === known[0] && high === known.at(-1)) ? [begin, end] : [low, high]);
}

/* From zero, or the least value on a logarithmic scale, to the largest, with room for the words beside dashed lines. */
function range(plot, low, high) {
  const [to, from] = plot.log ? [Math.log10, (y) => 10 ** y] : [Number, Number];
  const real = plot.lines.filter(isKnown).map((line) => shownOn(plot)(line.real.value));
  const ends = plot.lines.flatMap(({ values, deviations = [] }) => values.map((y, i) => y + (deviations[i] ?? NaN)));
  const known = [low, high, ...real, ...(plot.log ? [] : [0, ...ends])].filter(Number.isFinite).map(to);
  if (!known.length) return [0.1, 1];
  const [least, most] = [Math.min(...known), Math.max(...known)];
  const room = (most - least || 1) * 0.16;
  const ceilings = plot.lines.filter(hasFloor).map(isCeiling);
  const [below, above] = [ceilings.includes(false) ? room : room / 4, ceilings.includes(true) ? room : room / 3];
  return [from(least - below), from(most + above)];
}

function ticks(log, settings) {
  const line = colour("line");
  const look = {
    ...settings, stroke: colour("soft"), font: FONT, gap: 6, ticks: { show: false },
    grid: { stroke: line, width: 1 }, border: { show: true, stroke: line, width: 1 },
    space: (_chart, _axis, _low, _high, length) => Math.max(24, length / 6),
    values: (_chart, splits) => splits.map(short),
  };
  const round = { splits: (_chart, _axis, low, high) => powers(low, high), filter: (_chart, splits) => splits };
  return log ? { ...look, ...round } : look;
}

/* Round numbers on a logarithmic axis: the powers of ten, and others between them where there is room. */
function powers(low, high) {
  const [first, last] = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))];
  const decades = Math.log10(high / low);
  const digits = decades > 2.5 ? [1] : decades > 1 ? [1, 2, 5] : [1, 1.5, 2, 3, 4, 5, 6, 8];
  const exponents = Array.from({ length: last - first + 1 }, (_, i) => first + i);
  const all = exponents.flatMap((exponent) => digits.map((digit) => Number(`${digit}e${exponent}`)));
  return all.filter((value) => value >= low && value <= high);
}

/* Width of the numbers at a vertical axis, in pixels. */
const widest = (_chart, words) => 14 + 7 * Math.max(2, ...(words ?? []).map((word) => word.length));
