"""The style sheet of the gallery."""

STYLE = """
#gallery .paper { display: block; }
#gallery .screen { display: none; }
#gallery.live .paper { display: none; }
#gallery.live .screen { display: block; }
#gallery .picture { display: block; background-repeat: no-repeat; background-color: var(--line); border-radius: 4px; }
#gallery details { margin: .6rem 0; }
#gallery summary { cursor: pointer; }
#gallery .wide { overflow-x: auto; }
#gallery table { border-collapse: collapse; font-size: .85rem; margin: .5rem 0; }
#gallery th, #gallery td { padding: .2rem .7rem .2rem 0; text-align: right; font-variant-numeric: tabular-nums; }
#gallery th:first-child { text-align: left; }
#gallery thead th { color: var(--faint); font-weight: 500; border-bottom: 1px solid var(--line); }
#gallery tbody th { font-weight: 500; }
#gallery form { display: flex; flex-wrap: wrap; gap: .6rem .8rem; align-items: end; margin: 1rem 0 .5rem; }
#gallery label, #gallery fieldset { display: flex; flex-direction: column; gap: .2rem; font-size: .8rem;
  color: var(--faint); min-width: 0; }
#gallery fieldset { border: 0; margin: 0; padding: 0; flex-direction: row; flex-wrap: wrap; align-items: center;
  width: 12.2rem; height: 3.35rem; align-content: space-between; }
#gallery legend { padding: 0; margin-bottom: .45rem; }
#gallery legend output { color: var(--ink); font-variant-numeric: tabular-nums; }
#gallery input[type=range] { width: 5.8rem; margin: 0; accent-color: var(--accent); height: 1.6rem; }
#gallery select, #gallery input[type=search], #gallery button:not(.tile) { font: inherit; font-size: .9rem;
  color: var(--ink); background: var(--card); border: 1px solid var(--line); border-radius: 6px; padding: .35rem .6rem;
  height: 2.2rem; max-width: 15rem; }
#gallery input[type=search] { width: 9rem; }
#gallery button:not(.tile) { cursor: pointer; }
#gallery button:not(.tile):hover:enabled, #gallery select:hover { border-color: var(--accent); }
#gallery button:disabled { opacity: .45; cursor: default; }
#gallery :focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
#gallery .count { font-weight: 600; margin: .5rem 0; font-variant-numeric: tabular-nums; }
#gallery .scroller { height: min(78vh, 60rem); overflow-y: auto; border: 1px solid var(--line); border-radius: 10px;
  background: var(--card); padding: 0 .9rem; contain: strict; position: relative; }
#gallery .canvas { position: relative; }
#gallery .none { color: var(--faint); padding: 2rem 0; text-align: center; }
#gallery .row { position: absolute; left: 0; right: 0; top: 0; display: flex; gap: 24px; contain: layout style; }
#gallery .row h3 { margin: 0; padding-top: 14px; font-size: 1rem; line-height: 20px; height: 40px; flex: 1;
  white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
#gallery .row h3 span { font-weight: 400; font-size: .85rem; color: var(--faint); margin-left: .7rem; }
#gallery .guide { flex: none; padding-top: 24px; }
#gallery .guide .picture { box-shadow: 0 0 0 2px var(--card), 0 0 0 4px var(--accent); }
#gallery .guide .caption { margin-top: 6px; }
#gallery .right { flex: 1; min-width: 0; }
#gallery .generator { margin: 0; font-size: .8rem; line-height: 24px; height: 24px; color: var(--faint);
  white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
#gallery .tiles { display: grid; gap: 10px; }
#gallery .tile { display: block; font: inherit; color: inherit; text-align: left; border: 0; padding: 0; margin: 0;
  background: none; cursor: zoom-in; border-radius: 4px; min-width: 0; height: fit-content; position: relative; }
#gallery .frame { display: block; position: relative; }
#gallery .tile:hover .frame > .picture:first-child { box-shadow: 0 0 0 2px var(--accent); }
#gallery .inset { position: absolute; left: 4px; bottom: 4px; box-shadow: 0 0 0 2px var(--card); }
#gallery .caption { display: block; font-size: 11px; line-height: 15px; height: 15px; color: var(--faint);
  white-space: nowrap; overflow: hidden; text-overflow: ellipsis; font-variant-numeric: tabular-nums; }
#gallery .frame + .caption { margin-top: 2px; }
#gallery .prompt { height: 30px; white-space: normal; display: -webkit-box; -webkit-box-orient: vertical;
  -webkit-line-clamp: 2; }
#gallery .wrapped { height: auto; white-space: normal; }
#gallery .bar { display: block; height: 3px; border-radius: 2px; background: var(--line);
  margin: 1px 0; }
#gallery .bar i { display: block; height: 100%; border-radius: 2px; background: var(--accent); }
#gallery dialog { width: min(44rem, calc(100vw - 1.5rem)); max-height: calc(100vh - 2rem);
  border: 1px solid var(--line); border-radius: 12px; padding: 1.1rem 1.3rem 1.3rem;
  background: var(--card); color: var(--ink); overflow: auto; }
#gallery dialog::backdrop { background: rgb(0 0 0 / .55); }
#gallery dialog header { display: flex; justify-content: space-between; gap: 1rem; align-items: start; }
#gallery dialog h3 { margin: .2rem 0 .8rem; font-size: 1.05rem; }
#gallery .pair { display: flex; gap: 1.2rem; align-items: end; flex-wrap: wrap; }
#gallery figure { margin: 0; }
#gallery figcaption { font-size: .8rem; color: var(--faint); margin-top: .3rem; }
#gallery .steps { display: flex; gap: .5rem; margin: .8rem 0; }
#gallery dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: .3rem 1rem; margin: 0;
  font-size: .88rem; }
#gallery dt { color: var(--faint); }
#gallery dd { margin: 0; overflow-wrap: anywhere; }
#gallery dd.code { font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: .8rem; }
#gallery .paper h3 { margin: .8rem 0 .3rem; font-size: 1rem; break-after: avoid; }
#gallery .paper ul { list-style: none; padding: 0; margin: 0; display: flex; flex-wrap: wrap; gap: .5rem; }
#gallery .paper li { width: 96px; font-size: 10px; line-height: 1.3; color: var(--faint); break-inside: avoid; }
#gallery .paper img { display: block; width: 96px; height: 96px; object-fit: contain; border-radius: 3px; }
#gallery .paper li:first-child img { outline: 2px solid var(--accent); }
@media (max-width: 35rem) {
  #gallery label { flex: 1 1 40%; }
  #gallery select, #gallery input[type=search] { width: 100%; max-width: none; }
  #gallery .row { gap: 12px; }
  #gallery .scroller { padding: 0 .5rem; }
  #gallery dl { grid-template-columns: 1fr; gap: 0; }
  #gallery dd { margin-bottom: .5rem; }
}
@media print {
  #gallery.live .paper { display: block; }
  #gallery.live .screen { display: none; }
  #gallery details, #gallery .live { display: none; }
}
"""
