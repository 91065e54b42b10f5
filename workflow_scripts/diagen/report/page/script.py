"""The page's script: it draws charts, sorts and copies tables, and marks the section that is read."""

SCRIPT = r"""
const figures = [...document.querySelectorAll("figure.chart")];
const face = getComputedStyle(document.body).fontFamily; // the one that text is measured with
const text = { labelColor: "var(--faint)", titleColor: "var(--faint)", labelFontSize: 12, titleFontSize: 12,
  titleFontWeight: 500, labelFont: face, titleFont: face };
const config = {
  background: "transparent", font: face, padding: 2, aria: false,
  view: { stroke: null, continuousHeight: 240 },
  axis: { ...text, domainColor: "var(--line)", gridColor: "var(--line)", tickColor: "var(--line)", domain: false,
    ticks: false, labelPadding: 6, titlePadding: 10, labelLimit: 150, aria: false },
  legend: { ...text, aria: false }, mark: { tooltip: false, aria: false }, text: { fill: "var(--ink)", fontSize: 12 },
  rule: { strokeCap: "round" },
};
const options = { actions: false, renderer: "svg", ast: true, config, tooltip: { theme: "custom" } };
for (const figure of figures) {
  const plot = figure.querySelector(".plot");
  const description = plot.getAttribute("aria-label");
  window.vegaEmbed(plot, JSON.parse(figure.querySelector(".spec").textContent), options).then(() => {
    // Vega replaces these by a role for which screen readers say less.
    plot.setAttribute("role", "img");
    plot.setAttribute("aria-label", description);
    plot.removeAttribute("aria-roledescription");
    plot.querySelector("svg").setAttribute("aria-hidden", "true");
    plot.style.minHeight = "";
  });
}

const compare = new Intl.Collator("en", { numeric: true }).compare;
function sortBy(table, column, descending) {
  const body = table.tBodies[0];
  const numeric = [...body.rows].some((row) => row.cells[column].dataset.number !== undefined);
  const keyed = [...body.rows].map((row) => {
    const { number, text } = row.cells[column].dataset;
    return { row, text: text ?? "", number: number ? Number(number) : NaN };
  });
  keyed.sort((one, other) => {
    if (!numeric) return compare(one.text, other.text) * (descending ? -1 : 1);
    const known = Number.isNaN(one.number) - Number.isNaN(other.number);
    return known || (one.number - other.number) * (descending ? -1 : 1) || 0;
  });
  body.append(...keyed.map((each) => each.row));
}
const lines = (table) => [...table.rows].map((row) => [...row.cells].map((cell) =>
  (cell.dataset.text ?? cell.textContent).replace(/\s+/g, " ").trim()));
const formats = {
  csv: (rows) => rows.map((row) => row.map((cell) => /[",\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell)
    .join(",")).join("\n") + "\n",
  markdown: ([head, ...rows]) => [head, head.map((_, column) => column ? "---:" : "---"), ...rows]
    .map((row) => `| ${row.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`).join("\n") + "\n",
};
async function copy(content) {
  try {
    await navigator.clipboard.writeText(content);
  } catch { // not allowed for this page
    const area = document.createElement("textarea");
    area.value = content;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
}
for (const holder of document.querySelectorAll("div.table")) {
  const table = holder.querySelector("table");
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => {
    // Numbers begin with the largest, names with the first.
    const first = head.classList.contains("text") || column === 0 ? "ascending" : "descending";
    const second = first === "ascending" ? "descending" : "ascending";
    const order = head.getAttribute("aria-sort") === first ? second : first;
    heads.forEach((each) => each.setAttribute("aria-sort", each === head ? order : "none"));
    sortBy(table, column, order === "descending");
  }));
  for (const button of holder.querySelectorAll("[data-copy]")) {
    button.addEventListener("click", async () => {
      await copy(formats[button.dataset.copy](lines(table)));
      const status = holder.querySelector(".copied");
      status.textContent = "Copied";
      setTimeout(() => { status.textContent = ""; }, 2000);
    });
  }
}

const links = new Map([...document.querySelectorAll("nav a")].map((link) => [link.hash.slice(1), link]));
const sections = [...document.querySelectorAll("main > section")];
function markSection() {
  const line = window.innerHeight / 4;
  const current = sections.filter((section) => section.getBoundingClientRect().top <= line).at(-1) ?? sections[0];
  for (const [identifier, link] of links) {
    if (identifier !== current.id) link.removeAttribute("aria-current");
    else if (!link.hasAttribute("aria-current")) {
      link.setAttribute("aria-current", "true");
      const bar = link.closest("ul");
      bar.scrollLeft = link.offsetLeft - bar.offsetLeft - bar.clientWidth / 2 + link.clientWidth / 2;
    }
  }
}
let waiting = false;
addEventListener("scroll", () => {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => { waiting = false; markSection(); });
}, { passive: true });
markSection();

let opened = [];
addEventListener("beforeprint", () => {
  opened = [...document.querySelectorAll("details:not([open])")];
  opened.forEach((each) => { each.open = true; });
});
addEventListener("afterprint", () => opened.forEach((each) => { each.open = false; }));
"""
