function showHead() {
  document.title = `${data.name} · gan-edge`;
  for (const element of document.querySelectorAll("[data-text]")) element.textContent = data[element.dataset.text];
  find("progress").value = data.progress;
  find("#tiles").append(...data.tiles.map(({ label, value, detail }) =>
    make("div", {}, make("dt", {}, label), make("dd", {}, value), make("dd", {}, detail))));
  find("#notices").append(
    ...data.warnings.map(({ at, text }) => make("p", { className: "notice warning" }, `⚠ ${text} (${at})`)),
    ...data.hints.map((text) => make("p", { className: "notice" }, text)),
  );
}

function showSamples() {
  const tags = ["img", "figcaption", "button", "input"];
  const [image, caption, button, slider] = tags.map((tag) => find(`#samples ${tag}`));
  const last = data.samples.length - 1;
  let timer = null;

  function show() {
    const sample = data.samples[slider.value];
    image.src = sample.picture;
    image.alt = `Grid of samples ${sample.caption}`;
    caption.textContent = sample.caption;
    slider.setAttribute("aria-valuetext", sample.caption);
  }

  function play(on) {
    clearInterval(timer);
    timer = on ? setInterval(() => (Number(slider.value) < last ? step() : play(false)), 350) : null;
    button.textContent = on ? "❚❚" : "▶";
    button.setAttribute("aria-label", on ? "Pause" : "Play");
  }

  function step() {
    slider.stepUp();
    show();
  }

  slider.max = slider.value = last;
  slider.addEventListener("input", () => { play(false); show(); });
  button.addEventListener("click", () => {
    if (!timer && Number(slider.value) === last) slider.value = 0;
    show();
    play(!timer);
  });
  image.addEventListener("load", () => image.classList.toggle("pixels", image.naturalWidth < image.clientWidth));
  find("#samples").hidden = last < 0;
  if (last >= 0) show();
}

function showScores({ title, columns, rows }) {
  find("#scores").append(make("h3", {}, title), table([["", ...columns], ...rows]));
}

function showSettings() {
  find("#settings").append(...data.settings.map(({ title, rows }) => make("div", { className: "card" },
    make("h3", {}, title),
    make("dl", {}, ...rows.flatMap(([name, value, changed]) => [
      make("dt", {}, name),
      make("dd", changed ? { className: "changed", title: "differs from the recipe's table" } : {}, value),
    ])))));
}

/* A line may end before a flag, or after an argument in Python, not within one. */
function showCommand() {
  const words = data.command.split(/(?<= )(?=--)|(?<=, )/);
  find("pre").append(...words.map((word) => make("span", {}, word)));
}

function copyCommand({ target }) {
  const command = find("pre");
  const done = (text) => { target.textContent = text; setTimeout(() => { target.textContent = "Copy"; }, 2000); };
  const select = () => { getSelection().selectAllChildren(command); done("Selected"); };
  if (!navigator.clipboard) return select();
  return navigator.clipboard.writeText(command.textContent).then(() => done("Copied"), select);
}

showHead();
showSamples();
showCommand();
showSettings();
if (data.scores) showScores(data.scores);
find("#scores").hidden = !data.scores;
find(".command button").addEventListener("click", copyCommand);
const written = new Date(document.lastModified).toLocaleString("en-GB", { dateStyle: "long", timeStyle: "short" });
find("footer").textContent = `gan-edge · written ${written} · reload for what has come since`;
