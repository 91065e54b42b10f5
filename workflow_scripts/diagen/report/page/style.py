"""The page's style sheet: one column of cards, one accent color, light, dark and print."""

STYLE = """
:root {
  color-scheme: light;
  --ink: #1b1c20; --faint: #5d6068; --line: #dddad3; --ground: #f6f4ef; --card: #fffefb; --accent: #0a5c6b;
  --good: #006b4a; --bad: #b03a12; --wash: #e3eef0;
  --gray: #868686; --blue: #0072b2; --sky: #56b4e9; --green: #009e73; --orange: #e69f00; --red: #d55e00;
  --pink: #cc79a7; --brown: #9a6a00; --violet: #7a7fb0;
  --shade: #0003; --shadow: 0 1px 2px #2221, 0 6px 24px -12px #2223;
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    color-scheme: dark;
    --ink: #eceae5; --faint: #a7aab1; --line: #383b42; --ground: #131417; --card: #1c1e22; --accent: #7cc7d6;
    --good: #5fd0a2; --bad: #ff9a76; --wash: #1f3136;
    --gray: #a3a3a3; --blue: #3f9fe0; --sky: #8fd0f7; --green: #2fbf93; --orange: #f0b236; --red: #f2803a;
    --pink: #e09bc1; --brown: #c79a3a; --violet: #a3a8d8;
    --shade: #000a; --shadow: none;
  }
}
* { box-sizing: border-box; }
html { scroll-padding-top: 4rem; -webkit-text-size-adjust: 100%; }
@media (prefers-reduced-motion: no-preference) { html { scroll-behavior: smooth; } }
body { margin: 0; background: var(--ground); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", "Liberation Sans", "DejaVu Sans", sans-serif; }
.page { max-width: 75rem; margin: 0 auto; padding: 0 clamp(1rem, 4vw, 2.5rem); }
h1, h2, h3, h4 { line-height: 1.2; overflow-wrap: anywhere; text-wrap: balance; margin: 0; }
h1 { font-size: clamp(2rem, 6vw, 3.4rem); font-weight: 750; letter-spacing: -.035em; }
h2 { font-size: clamp(1.5rem, 3.4vw, 2.1rem); font-weight: 720; letter-spacing: -.025em; }
h3 { font-size: 1.15rem; font-weight: 680; letter-spacing: -.01em; margin: 2.2rem 0 .5rem; }
h4 { font-size: .95rem; font-weight: 650; margin: 0 0 .4rem; }
p { max-width: 44rem; margin: .6rem 0; overflow-wrap: anywhere; text-wrap: pretty; }
a { color: var(--accent); text-underline-offset: .15em; }
code { font: .88em/1.4 ui-monospace, "Liberation Mono", "DejaVu Sans Mono", monospace; overflow-wrap: anywhere;
  background: var(--wash); padding: .1em .35em; border-radius: 4px; }
small { font-size: .8rem; color: var(--faint); display: block; font-weight: 400; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; border-radius: 4px; }
.faint { color: var(--faint); }
.label { font-size: .78rem; font-weight: 650; letter-spacing: .07em; text-transform: uppercase; color: var(--faint); }
.skip { position: absolute; left: -99rem; }
.skip:focus { left: 1rem; top: 1rem; background: var(--card); padding: .5rem 1rem; z-index: 9; }
header.page { padding-top: clamp(1.6rem, 5vw, 3.4rem); padding-bottom: 1.2rem; }
header .label { color: var(--accent); }
header p { font-size: 1.1rem; color: var(--faint); margin-top: .8rem; max-width: 52rem; }
nav { position: sticky; top: 0; z-index: 5; background: var(--ground); border-bottom: 1px solid var(--line); }
nav ul { display: flex; gap: .15rem; list-style: none; margin: 0 auto; overflow-x: auto; scrollbar-width: none;
  padding-top: .45rem; padding-bottom: .45rem; }
nav a { display: block; white-space: nowrap; padding: .35rem .7rem; border-radius: 99px; text-decoration: none;
  color: var(--faint); font-size: .9rem; font-weight: 550; }
nav a:hover { color: var(--ink); background: var(--wash); }
nav a[aria-current] { color: var(--card); background: var(--accent); }
main > section { padding: clamp(2rem, 5vw, 3.4rem) 0 0; }
main > section + section { margin-top: clamp(2rem, 5vw, 3.4rem); border-top: 1px solid var(--line); }
footer { color: var(--faint); font-size: .9rem; }
footer div { margin-top: 4rem; border-top: 1px solid var(--line); padding: 1.4rem 0 3rem; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 14px; box-shadow: var(--shadow);
  padding: clamp(1rem, 2.5vw, 1.6rem); margin: 1.1rem 0; min-width: 0; break-inside: avoid; }
.grid { display: grid; gap: 1.1rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr));
  margin: 1.1rem 0; }
.grid > .card { margin: 0; }
.note { border-left: 4px solid var(--bad); padding: .1rem 0 .1rem .9rem; }
.good { color: var(--good); } .bad { color: var(--bad); }
figure { margin: 0; min-width: 0; break-inside: avoid; }
.chart .plot { width: 100%; overflow: hidden; }
.chart .plot svg { display: block; max-width: 100%; height: auto; }
.chart .plot.vega-embed { display: block; padding: 0; }
.chart .title { font-size: .95rem; font-weight: 650; margin: 0 0 .4rem; }
figcaption { color: var(--faint); font-size: .88rem; line-height: 1.45; margin-top: .5rem; max-width: 46rem; }
.key { display: flex; flex-wrap: wrap; gap: .3rem 1.1rem; list-style: none; margin: 0 0 1rem; padding: 0;
  font-size: .92rem; }
.key li { display: flex; align-items: center; gap: .4rem; }
.table { margin: 1.1rem 0; min-width: 0; }
.table .tools { display: flex; flex-wrap: wrap; align-items: baseline; gap: .2rem .5rem; margin-bottom: .35rem; }
.table .name { font-weight: 650; font-size: .95rem; margin-right: auto; }
.table .tools button { font: inherit; font-size: .8rem; color: var(--accent); background: none; cursor: pointer;
  border: 1px solid var(--line); border-radius: 6px; padding: .15rem .55rem; }
.table .tools button:hover { background: var(--wash); }
.copied { font-size: .8rem; color: var(--good); min-width: 3.5rem; }
.copied:empty { display: none; }
.scroll { overflow-x: auto; border: 1px solid var(--line); border-radius: 10px;
  background: linear-gradient(90deg, var(--card) 30%, transparent) 0 0 / 3rem 100% local,
    linear-gradient(270deg, var(--card) 30%, transparent) 100% 0 / 3rem 100% local,
    linear-gradient(90deg, var(--shade), transparent) 0 0 / .9rem 100% scroll,
    linear-gradient(270deg, var(--shade), transparent) 100% 0 / .9rem 100% scroll, var(--card);
  background-repeat: no-repeat; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; line-height: 1.35;
  font-variant-numeric: tabular-nums; }
th, td { padding: .5rem .8rem; text-align: right; vertical-align: top; white-space: nowrap; }
th.text, td.text, tbody th { text-align: left; }
td.text { white-space: normal; min-width: 8rem; overflow-wrap: anywhere; }
tbody th { font-weight: 600; white-space: normal; min-width: 8rem; overflow-wrap: break-word; }
thead th { color: var(--faint); font-weight: 600; border-bottom: 1px solid var(--line); padding: .2rem .3rem;
  vertical-align: bottom;
  white-space: normal; min-width: 5.6rem; }
thead button { font: inherit; color: inherit; background: none; border: 0; cursor: pointer; padding: .3rem .5rem;
  text-align: inherit; }
thead button::after { content: "↕"; opacity: .35; margin-left: .3em; }
thead [aria-sort=ascending] button::after { content: "↑"; opacity: 1; }
thead [aria-sort=descending] button::after { content: "↓"; opacity: 1; }
thead [aria-sort=ascending], thead [aria-sort=descending] { color: var(--ink); }
tbody tr + tr > * { border-top: 1px solid var(--line); }
tbody tr.marked > * { background: var(--wash); }
tbody tr.marked small { color: var(--ink); }
[data-alarm] { color: var(--bad); font-weight: 650; }
img.thumbnail { display: block; width: 100%; aspect-ratio: 1; object-fit: contain; border-radius: 8px;
  background: var(--wash); }
img.thumbnail.small { image-rendering: pixelated; }
details { margin: 1.1rem 0; }
summary { cursor: pointer; font-weight: 600; color: var(--accent); }
@media (max-width: 40rem) {
  body { font-size: 15px; }
  th, td { padding: .4rem .55rem; }
}
@media print {
  @page { margin: 14mm 12mm; }
  :root { --ground: #fff; --card: #fff; --shadow: none; }
  body { font-size: 10pt; }
  nav, .tools button, .skip, thead button::after { display: none !important; }
  .page { max-width: none; padding: 0; }
  main > section { padding-top: 1.2rem; }
  main > section + section { margin-top: 1.2rem; }
  h2, h3, h4, .tools { break-after: avoid; }
  tr, li { break-inside: avoid; }
  .scroll { overflow: visible; border-radius: 0; }
  .scroll { background: none; border: 0; }
  table small { font-size: .85em; }
  table { font-size: 8.5pt; } th, td, thead th, tbody th, td.text { padding: .25rem .35rem; white-space: normal;
  min-width: 0; }
  thead button { padding: 0; }
  a { color: inherit; }
}
"""
