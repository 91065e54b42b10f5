"""JavaScript of the gallery's list, which holds only its visible rows."""

ROWS = r"""
// Rows: a heading for each class of a cell, then one for each guide image and generator, with its images.
let rows = [], box = 0, columns = 1, guideBox = 0, narrow = false, rowOf = new Int32Array(0);
// The height of what is written below an image: nothing that all images of a generator have in common.
function captionHeight({ generator, grouped }) {
  const any = (has) => (grouped ? has(generator) : data.generators.some((_, each) => has(each)));
  const [noisy, weighted] = [any((each) => data.generators[each].noisy), any((each) => weighting[each] >= 0)];
  const prompts = !narrow && any((each) => data.generators[each].varied);
  return (noisy + weighted + 2 * prompts + !grouped) * LINE + weighted * BAR + 2;
}
const lineHeight = (row) => box + captionHeight(row) + GAP;
function arrange() {
  const width = canvas.clientWidth;
  narrow = width < 560;
  box = pictures.near(narrow ? 88 : 112);
  const grouped = control("order").value === "guide";
  guideBox = grouped ? (narrow ? Math.min(72, box) : box) : 0;
  columns = Math.max(1, Math.floor((width - (grouped ? guideBox + 24 : 0) + GAP) / (box + GAP)));
  rows = [];
  rowOf = new Int32Array(shown.length);
  let top = grouped ? 0 : 14;
  const add = (row, height) => {
    rows.push({ ...row, top, height });
    top += height;
  };
  let heading = "";
  for (let from = 0; from < shown.length; ) {
    const guide = images.guide[shown[from]], generator = images.generator[shown[from]];
    let to = from + 1;
    if (grouped) {
      while (to < shown.length && images.guide[shown[to]] === guide && images.generator[shown[to]] === generator) to++;
      const key = `${guides.cell[guide]} ${guides.class[guide]}`;
      if (key !== heading) add({ guide, heading: true }, HEADING);
      heading = key;
    } else to = Math.min(shown.length, from + columns);
    rowOf.fill(rows.length, from, to);
    const row = { guide, generator, from, to, grouped };
    const lines = Math.ceil((to - from) / columns) * lineHeight(row);
    add(row, grouped ? Math.max(lines, guideBox + 2 * LINE + 8) + LABEL + 6 : lines);
    from = to;
  }
  canvas.style.height = `${top}px`;
}

const mounted = new Map();
function render() {
  const from = scroller.scrollTop - MARGIN, to = scroller.scrollTop + scroller.clientHeight + MARGIN;
  let first = 0, last = rows.length;
  while (first < last) {
    const middle = (first + last) >> 1;
    if (rows[middle].top + rows[middle].height < from) first = middle + 1;
    else last = middle;
  }
  const wanted = new Set();
  for (let r = first; r < rows.length && rows[r].top <= to; r++) wanted.add(r);
  for (const [r, element] of mounted) {
    if (wanted.has(r) || element.contains(document.activeElement)) continue;
    pictures.release(element);
    element.remove();
    mounted.delete(r);
  }
  let before = null; // rows stay in their order, which is that of reading aloud
  for (const r of [...wanted].reverse()) {
    if (!mounted.has(r)) {
      mounted.set(r, build(r));
      canvas.insertBefore(mounted.get(r), before);
    }
    before = mounted.get(r);
  }
}
function build(r) {
  const row = rows[r], element = make("div", "row");
  element.style.transform = `translateY(${row.top}px)`;
  const [dataset, seed, shots] = data.cells[guides.cell[row.guide]], className = data.classes[guides.class[row.guide]];
  if (row.heading) {
    const heading = make("h3", "", className);
    const place = `${data.datasets.length > 1 ? data.datasets[dataset] + ", " : ""}${shots} shots, ${data.draws[seed]}`;
    heading.append(make("span", "", place));
    element.append(heading);
    return element;
  }
  const tiles = make("div", "tiles");
  tiles.style.gridTemplateColumns = `repeat(${columns}, ${box}px)`;
  for (let place = row.from; place < row.to; place++) tiles.append(tile(place, row.grouped));
  if (!row.grouped) {
    element.append(tiles);
    return element;
  }
  const name = data.generators[row.generator].users, number = guides.number[row.guide] + 1;
  element.setAttribute("role", "group");
  element.setAttribute("aria-label", `${name}: ${row.to - row.from} images from guide image ${number} of ${className}`);
  const guide = make("div", "guide");
  guide.style.width = `${guideBox}px`;
  const picture = pictures.image(guides.thumb[row.guide], guideBox);
  picture.setAttribute("role", "img");
  picture.setAttribute("aria-label", `guide image ${number}, a real photo of ${className}`);
  guide.append(picture, make("span", "caption wrapped", `guide image ${number}`));
  const right = make("div", "right");
  right.append(make("p", "generator", name), tiles);
  element.append(guide, right);
  return element;
}
function tile(place, grouped) {
  const i = shown[place], weight = weightOf(i), element = make("button", "tile");
  element.type = "button";
  element.place = place;
  element.tabIndex = place === active ? 0 : -1;
  const [frame, level] = [make("span", "frame"), data.levels[images.level[i]]];
  frame.style.height = `${box}px`;
  frame.append(pictures.image(images.thumb[i], box));
  if (!grouped) {
    const inset = pictures.image(guides.thumb[images.guide[i]], 32);
    inset.classList.add("inset");
    frame.append(inset);
  }
  const { noisy, varied } = data.generators[images.generator[i]], prompt = data.prompts[images.prompt[i]];
  element.append(frame);
  if (!grouped) element.append(make("span", "caption", data.classes[guides.class[images.guide[i]]]));
  const facts = noisy ? [level ? `noise ${level}` : "no noise"] : [];
  if (weight !== null) facts.push(`weight ${few(weight)}`);
  element.append(...facts.map((fact) => make("span", "caption", fact)));
  if (weight !== null) {
    const bar = make("span", "bar"), part = make("i");
    part.style.width = `${100 * weight / largest}%`;
    bar.append(part);
    element.append(bar);
  }
  if (varied && !narrow) element.append(make("span", "caption prompt", prompt));
  element.setAttribute("aria-label", [
    data.classes[guides.class[images.guide[i]]], prompt, level ? `noise ${level}` : "no noise",
    ...(weight === null ? [] : [`weight ${few(weight)}`])].join(", "));
  return element;
}

function clear() {
  for (const element of mounted.values()) {
    pictures.release(element);
    element.remove();
  }
  mounted.clear();
}
function refresh({ keepPlace = false } = {}) {
  clear();
  arrange();
  active = keepPlace ? Math.min(active, Math.max(0, shown.length - 1)) : 0;
  if (!keepPlace) scroller.scrollTop = 0;
  render();
}
"""
