/* What is painted on a plot beside its lines: real images, warnings, deviations, and the symbols of single values. */
const SYMBOLS = { best: Array(5).fill([9, 4]).flat(), single: [7, 7, 7, 7] };  // a star, a diamond: radii of corners

/* Run `paint` with the canvas clipped to the area between the axes. */
function within({ ctx, bbox }, paint) {
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  ctx.font = `${11 * uPlot.pxRatio}px system-ui, sans-serif`;
  paint();
  ctx.restore();
}

function stroke({ ctx }, shade, dash, ...points) {
  Object.assign(ctx, { strokeStyle: shade, lineWidth: 1.5 * uPlot.pxRatio });
  ctx.setLineDash(dash.map((length) => length * uPlot.pxRatio));
  ctx.beginPath();
  for (const [x, y] of points) ctx.lineTo(x, y);
  ctx.stroke();
}

/* What real images score: a dashed line, and its name on the side from which the values do not come. */
function drawReal(chart, plot, lines) {
  const { ctx, bbox } = chart;
  for (const line of lines.filter(hasFloor)) {
    const y = chart.valToPos(shownOn(plot)(line.real.value), "y", true);
    stroke(chart, colour("soft"), [6, 4], [bbox.left, y], [bbox.left + bbox.width, y]);
    const above = isCeiling(line);
    Object.assign(ctx, { fillStyle: colour("soft"), textAlign: "left", textBaseline: above ? "bottom" : "top" });
    const text = `${line.real.name}: ${figure(line.real.value, 3)}`;
    ctx.fillText(text, bbox.left + 4 * uPlot.pxRatio, y + (above ? -3 : 3) * uPlot.pxRatio);
  }
}

/* A vertical line with its text up to the first colon. */
function drawMarks(chart, marks) {
  const { ctx, bbox } = chart;
  for (const { x, text } of marks) {
    const left = chart.valToPos(x, "x", true);
    stroke(chart, colour("warning"), [2, 3], [left, bbox.top], [left, bbox.top + bbox.height]);
    const flip = left > bbox.left + bbox.width * 0.8;
    Object.assign(ctx, { fillStyle: colour("warning"), textAlign: flip ? "right" : "left", textBaseline: "top" });
    ctx.fillText(text.split(":")[0], left + (flip ? -4 : 4) * uPlot.pxRatio, bbox.top + 4 * uPlot.pxRatio);
  }
}

/* Deviations, and the symbols of single values, each with a bar for the real images. */
function drawPoints(chart, plot, line, index, axis) {
  if (!chart.series[index].show) return;
  const height = (value) => chart.valToPos(shownOn(plot)(value), "y", true);
  const bar = (x, low, high) => stroke(chart, line.shade, [], [x, height(low)], [x, height(high)]);
  axis.along(line).forEach((at, i) => {
    const [x, value, deviation] = [chart.valToPos(at, "x", true), line.values[i], line.deviations?.[i]];
    if (value === null) return;
    if (deviation) bar(x, value - deviation, value + deviation);
    if (!(line.kind in SYMBOLS)) return;
    fillPolygon(chart.ctx, line.shade, x, height(value), SYMBOLS[line.kind]);
    const [y, half] = [height(isKnown(line) ? line.real.value : value), 6 * uPlot.pxRatio];
    if (isKnown(line)) stroke(chart, line.shade, [], [x - half, y], [x + half, y]);
  });
}

/* Corners at equal angles, the first one on top. */
function fillPolygon(ctx, shade, x, y, radii) {
  ctx.fillStyle = shade;
  ctx.beginPath();
  radii.forEach((radius, corner) => {
    const angle = (2 * Math.PI * corner) / radii.length;
    const length = radius * uPlot.pxRatio;
    ctx.lineTo(x + length * Math.sin(angle), y - length * Math.cos(angle));
  });
  ctx.fill();
}
