"""JavaScript of the gallery: its filters, and what starts it."""

from diagen.report.pictures.gallery.dialog_script import DIALOG
from diagen.report.pictures.gallery.rows_script import ROWS
from diagen.report.pictures.shared_script import SHARED

FILTERS = r"""
const root = document.getElementById("gallery");
root.classList.add("live");
const find = (name) => root.querySelector(`[data-part="${name}"]`);
const data = JSON.parse(text("gallery-data"));
const { guides, images } = data;
const total = images.guide.length;
const GAP = 10, HEADING = 40, LABEL = 24, MARGIN = 500, LINE = 15, BAR = 5;
const scroller = find("scroller"), canvas = find("canvas"), count = find("count"), form = find("filters");
const few = (value) => (value === null ? "" : Number(value.toPrecision(2)).toString());

// The weighting of a generator's images without a chosen method: that of its last method with weights.
const usual = data.generators.map((_, generator) => {
  const weighted = data.methods.filter((method) => method.generator === generator && method.weighting >= 0);
  return weighted.length ? weighted.at(-1).weighting : -1;
});
let weighting = usual;
const weightOf = (i) => {
  const table = weighting[images.generator[i]];
  return table < 0 ? null : data.weights[table].weight[i];
};
const largest = data.weights.reduce((most, { weight }) => weight.reduce((a, b) => Math.max(a, b ?? 0), most), 0);

// Filters.
const control = (name) => form.elements.namedItem(name);
const chosen = (name) => (control(name)?.value ? Number(control(name).value) : -1);
let shown = new Int32Array(0);
function filter() {
  const [dataset, className, method, level] = ["dataset", "class", "method", "level"].map(chosen);
  const seed = control("seed")?.value ?? "", shots = control("shots")?.value ?? "";
  const words = control("words").value.trim().toLowerCase();
  const cells = data.cells.map(
    ([d, s, n]) => (dataset < 0 || d === dataset) && (!seed || s === Number(seed)) && (!shots || n === Number(shots)));
  const guide = guides.cell.map((cell, g) => cells[cell] && (className < 0 || guides.class[g] === className));
  const prompts = data.prompts.map((prompt) => !words || prompt.toLowerCase().includes(words));
  const generator = method < 0 ? -1 : data.methods[method].generator;
  weighting = method < 0 ? usual : usual.map(() => data.methods[method].weighting);
  let [low, high] = weightRange();
  const all = low <= 0 && high >= largest;
  const found = [];
  for (let i = 0; i < total; i++) {
    if (!guide[images.guide[i]] || !prompts[images.prompt[i]]) continue;
    if (generator >= 0 && images.generator[i] !== generator) continue;
    if (level >= 0 && images.level[i] !== level) continue;
    if (!all) {
      const weight = weightOf(i);
      if (weight === null || weight < low || weight > high) continue;
    }
    found.push(i);
  }
  const order = control("order").value;
  if (order !== "guide") {
    const sign = order === "high" ? -1 : 1;
    const keys = new Float64Array(total);
    for (const i of found) keys[i] = sign * (weightOf(i) ?? sign * Infinity); // images without a weight come last
    found.sort((a, b) => (keys[a] < keys[b] ? -1 : keys[a] > keys[b] ? 1 : a - b));
  }
  shown = Int32Array.from(found);
  const used = new Set(found.map((i) => images.guide[i])).size;
  const plural = (number, noun) => `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
  const number = shown.length.toLocaleString("en");
  count.textContent = `${number} of ${plural(total, "image")}, from ${plural(used, "guide image")}`;
  find("none").hidden = shown.length > 0;
}
function weightRange() {
  if (!control("low")) return [0, Infinity];
  const [low, high] = [control("low"), control("high")].map((input) => Number(input.value) / 100 * largest);
  find("range").textContent = `${few(Math.min(low, high))} to ${few(Math.max(low, high))}`;
  return [Math.min(low, high), Math.max(low, high) + (Math.max(low, high) >= largest ? 1 : 0)];
}
"""

START = r"""
// Start.
let pending = 0;
form.addEventListener("input", () => {
  cancelAnimationFrame(pending);
  pending = requestAnimationFrame(() => {
    filter();
    refresh();
  });
});
form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("reset", () => requestAnimationFrame(() => {
  filter();
  refresh();
}));
scroller.addEventListener("scroll", render, { passive: true });
let width = 0;
new ResizeObserver(() => {
  if (canvas.clientWidth === width || !canvas.clientWidth) return;
  width = canvas.clientWidth;
  refresh({ keepPlace: true });
}).observe(scroller);
filter();
refresh();
"""

GALLERY = SHARED + FILTERS + ROWS + DIALOG + START
