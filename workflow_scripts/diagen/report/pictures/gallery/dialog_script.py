"""JavaScript of the gallery's keys and of the dialog that shows where an image comes from."""

DIALOG = r"""
// Keys move the focus from tile to tile; only the active one is reached with Tab.
let active = 0;
function activate(place, focus = true) {
  place = Math.max(0, Math.min(shown.length - 1, place));
  const old = canvas.querySelector('.tile[tabindex="0"]');
  if (old) old.tabIndex = -1;
  active = place;
  const row = rows[rowOf[place]];
  const line = Math.floor((place - row.from) / columns) * lineHeight(row) + (row.grouped ? LABEL : 0);
  const [start, end] = [row.top + (line > LABEL ? line : 0), row.top + line + lineHeight(row)];
  if (start < scroller.scrollTop) scroller.scrollTop = start;
  else if (end > scroller.scrollTop + scroller.clientHeight) scroller.scrollTop = end - scroller.clientHeight;
  render();
  const element = [...canvas.querySelectorAll(".tile")].find((each) => each.place === place);
  if (!element) return;
  element.tabIndex = 0;
  if (focus) element.focus({ preventScroll: true });
}
canvas.addEventListener("keydown", (event) => {
  const at = event.target.place;
  if (at === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
  const page = Math.max(1, Math.floor(scroller.clientHeight / lineHeight(rows[rowOf[at]]))) * columns;
  const to = { ArrowRight: at + 1, ArrowLeft: at - 1, ArrowDown: at + columns, ArrowUp: at - columns,
    Home: 0, End: shown.length - 1, PageDown: at + page, PageUp: at - page }[event.key];
  if (to === undefined) return;
  event.preventDefault();
  activate(to);
});
canvas.addEventListener("click", (event) => {
  const element = event.target.closest(".tile");
  if (!element) return;
  activate(element.place, false);
  open(element.place);
});

// The dialog.
const dialog = find("dialog");
let opened = 0, names = null, hashes = null;
function open(place) {
  opened = place;
  describe(shown[place]);
  find("back").disabled = place === 0;
  find("forth").disabled = place === shown.length - 1;
  if (!dialog.open) dialog.showModal();
}
function describe(i) {
  names ??= JSON.parse(text("gallery-names"));
  hashes ??= JSON.parse(text("gallery-hashes"));
  const g = images.guide[i], [dataset, seed, shots] = data.cells[guides.cell[g]];
  const className = data.classes[guides.class[g]], generator = data.generators[images.generator[i]];
  const wide = dialog.ownerDocument.documentElement.clientWidth > 700;
  find("title").textContent = `${className}: image ${images.number[i] + 1} of guide image ${guides.number[g] + 1}`;
  pictures.show(find("large"), images.thumb[i], pictures.near(wide ? 320 : 224));
  pictures.show(find("source"), guides.thumb[g], pictures.near(wide ? 128 : 96));
  find("large").setAttribute("aria-label", `synthetic image of ${className}: ${data.prompts[images.prompt[i]]}`);
  find("source").setAttribute("aria-label", `the guide image, a real photo of ${className}`);
  const rows = [
    ["Prompt", data.prompts[images.prompt[i]]], ["Generator", generator.label], ["Used by", generator.users]];
  for (const { label, generator: of, weighting: table } of data.methods) {
    if (of !== images.generator[i] || table < 0) continue;
    const { weight, confidence } = data.weights[table];
    if (weight[i] === null) continue;
    rows.push([`Weight (${label})`, `${few(weight[i])}, from confidence q = ${few(confidence[i])}`]);
  }
  rows.push(
    ["Noise", data.levels[images.level[i]] ? `standard deviation ${data.levels[images.level[i]]}` : "none"],
    ["Strength", generator.strength], ["Guidance scale", generator.guidance], ["Steps", generator.steps],
    ["Noise seed", images.noiseSeed[i]], ["Image seed", images.imageSeed[i]],
    ["Cell", `${data.datasets[dataset]}, ${data.draws[seed]}, ${shots} shots`],
    ["Guide image", guides.path[g], "code"], ["File in the store", names[i], "code"], ["SHA-256", hashes[i], "code"],
  );
  const pairs = rows.map(([term, value, kind]) => [make("dt", "", term), make("dd", kind ?? "", String(value))]);
  find("facts").replaceChildren(...pairs.flat());
}
find("back").addEventListener("click", () => step(-1));
find("forth").addEventListener("click", () => step(1));
find("close").addEventListener("click", () => dialog.close());
function step(by) {
  const place = opened + by;
  if (place < 0 || place >= shown.length) return;
  activate(place, false);
  open(place);
}
dialog.addEventListener("keydown", (event) => {
  if (event.key === "ArrowLeft") step(-1);
  if (event.key === "ArrowRight") step(1);
});
dialog.addEventListener("click", (event) => {
  if (event.target === dialog) dialog.close();
});
dialog.addEventListener("close", () => activate(opened));
"""
