/* The values beside the pointer, and the key to the lines. */
const SIGNS = { best: "★", single: "◆" };
const figure = (value, digits = 4) =>
  Number(value.toPrecision(digits)).toLocaleString("en", { maximumFractionDigits: 6 });

function showValues(chart, plot, lines, axis) {
  const { idx, idxs, left } = chart.cursor;
  const box = chart.over.lastChild;
  box.hidden = idx === null || idx === undefined || left < 0;
  if (box.hidden) return;
  const rows = lines.flatMap((line, i) =>
    (line.kind === "faint" || !chart.series[i + 1].show ? [] : told(plot, line, chart.data[i + 1][idxs[i + 1]])));
  const at = chart.data[0][idx];
  box.replaceChildren(make("div", {}, `${figure(at, Number.isInteger(at) ? 15 : 4)} ${axis.name}`), ...rows);
  const beside = left > chart.over.clientWidth / 2 ? "- 100% - 12px" : "+ 12px";
  box.style.transform = `translate(calc(${left}px ${beside}), 4px)`;
}

/* A value with the name of its line, and what as many real images score. */
function told(plot, line, value) {
  if (value === null || value === undefined) return [];
  const row = make("div", {}, `${line.name || plot.title}: ${figure(value)}`);
  row.style.color = line.shade;
  if (line.kind !== "single" || !isKnown(line)) return [row];
  return [row, make("div", {}, `${line.real.name}: ${figure(line.real.value)}`)];
}

/* The names of the lines; each is a button that hides its line, and faint ones of the same colour. */
function showKey(plot, lines) {
  const named = plot.named ? lines.filter(({ name }) => name) : [];
  plot.key.hidden = !named.length;
  plot.key.replaceChildren(...named.map((line) => {
    const sign = make("span", {}, SIGNS[line.kind] ?? "━");
    sign.style.color = line.shade;
    const button = make("button", { type: "button", ariaPressed: "true" }, sign, line.name);
    button.addEventListener("click", () => {
      const show = button.ariaPressed !== "true";
      button.ariaPressed = String(show);
      lines.forEach((other, i) => {
        const same = other === line || (other.kind === "faint" && other.shade === line.shade);
        if (same) plot.chart.setSeries(i + 1, { show });
      });
    });
    return button;
  }));
}
