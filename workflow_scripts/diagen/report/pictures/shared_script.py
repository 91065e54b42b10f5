"""JavaScript that shows thumbnails from sheets: prefix of the scripts of all sections with pictures."""

SHARED = r"""
const pictures = (window.diagenPictures ??= (() => {
  const KEPT = 24; // sheets without a visible thumbnail that stay decoded
  const BUDGET = 6; // milliseconds per frame for decoding
  const text = (id) => document.getElementById(id).textContent;
  const layout = JSON.parse(text("pictures-layout"));
  const perSheet = layout.columns ** 2;
  const sheets = new Map(); // by number, those used last at the end: { url, users }
  const waiting = new Set();
  let scheduled = false;

  const bytes = (base64) => {
    if (Uint8Array.fromBase64) return Uint8Array.fromBase64(base64);
    const binary = atob(base64), array = new Uint8Array(binary.length);
    for (let i = 0; i < binary.length; i++) array[i] = binary.charCodeAt(i);
    return array;
  };
  const size = (thumb) => layout.distinct[layout.sizes.length ? layout.sizes[thumb] : 0];

  function evict() {
    let unused = 0;
    for (const sheet of sheets.values()) unused += sheet.url && !sheet.users.size ? 1 : 0;
    for (const [number, sheet] of sheets) {
      if (unused <= KEPT) return;
      if (sheet.url && !sheet.users.size) {
        URL.revokeObjectURL(sheet.url);
        sheets.delete(number);
        unused--;
      }
    }
  }
  function decode() {
    scheduled = false;
    const start = performance.now();
    for (const number of waiting) {
      waiting.delete(number);
      const sheet = sheets.get(number);
      if (!sheet || !sheet.users.size) {
        sheets.delete(number);
        continue;
      }
      sheet.url = URL.createObjectURL(new Blob([bytes(text(`sheet${number}`))], { type: "image/webp" }));
      for (const element of sheet.users) element.style.backgroundImage = `url(${sheet.url})`;
      if (performance.now() - start > BUDGET) break;
    }
    evict();
    if (waiting.size) schedule();
  }
  function schedule() {
    if (!scheduled) requestAnimationFrame(decode);
    scheduled = true;
  }
  function use(number, element) {
    const sheet = sheets.get(number) ?? { url: null, users: new Set() };
    sheets.delete(number);
    sheets.set(number, sheet);
    sheet.users.add(element);
    if (sheet.url) element.style.backgroundImage = `url(${sheet.url})`;
    else {
      waiting.add(number);
      schedule();
    }
  }

  return {
    layout,
    text,
    decoded: () => [...sheets.values()].filter((sheet) => sheet.url).length,
    // The width and height at which the longer edge has `box` pixels.
    fitted(thumb, box) {
      const [width, height] = size(thumb), scale = box / Math.max(width, height);
      return [width * scale, height * scale];
    },
    // The largest multiple of small images near `wanted` pixels, so that their pixels stay square.
    near(wanted) {
      const edge = Math.max(...layout.edges);
      return layout.exact && edge < wanted ? edge * Math.max(1, Math.round(wanted / edge)) : wanted;
    },
    // An element whose background is the thumbnail, in a box of `box` pixels; its sheet is decoded soon.
    image(thumb, box) {
      const element = document.createElement("span");
      element.className = "picture";
      this.show(element, thumb, box);
      return element;
    },
    show(element, thumb, box) {
      this.release(element);
      const [width, height] = size(thumb), scale = box / Math.max(width, height);
      const sheet = Math.floor(thumb / perSheet), cell = thumb % perSheet, edge = layout.edges[sheet] * scale;
      const rows = Math.ceil(Math.min(perSheet, layout.count - sheet * perSheet) / layout.columns);
      const [x, y] = [cell % layout.columns, Math.floor(cell / layout.columns)];
      Object.assign(element.style, {
        width: `${width * scale}px`, height: `${height * scale}px`, backgroundImage: "",
        backgroundSize: `${edge * layout.columns}px ${edge * rows}px`,
        backgroundPosition: `${-x * edge}px ${-y * edge}px`,
        imageRendering: layout.exact && Number.isInteger(scale) ? "pixelated" : "auto",
      });
      element.sheet = sheet;
      use(sheet, element);
    },
    // To call before elements with thumbnails are dropped.
    release(root) {
      for (const element of [root, ...root.querySelectorAll(".picture")]) {
        if (element.sheet === undefined) continue;
        sheets.get(element.sheet)?.users.delete(element);
        element.sheet = undefined;
      }
      if (!scheduled) evict();
    },
  };
})());
const text = pictures.text;
const make = (name, className, content) => {
  const element = document.createElement(name);
  if (className) element.className = className;
  if (content !== undefined) element.textContent = content;
  return element;
};
"""
