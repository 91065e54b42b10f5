"""The style sheet of the map."""

STYLE = """
#feature-map .plot { display: grid; grid-template-columns: minmax(0, 1fr) 12.5rem; gap: 1.2rem; align-items: start;
  margin: .8rem 0; }
#feature-map .field { background: var(--card); border: 1px solid var(--line); border-radius: 10px; overflow: hidden; }
#feature-map canvas { display: block; width: 100%; max-height: 85vh; touch-action: manipulation; cursor: crosshair;
  border-radius: 10px; }
#feature-map canvas:focus-visible, #feature-map button:focus-visible { outline: 2px solid var(--accent);
  outline-offset: -2px; }
#feature-map .pointed { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: .7rem;
  min-height: 15.5rem; }
#feature-map .image { height: 176px; display: flex; align-items: center; justify-content: center; }
#feature-map .picture { display: block; background-repeat: no-repeat; border-radius: 4px;
  background-color: var(--line); }
#feature-map .what { font-size: .85rem; margin: .5rem 0 0; line-height: 1.4; overflow-wrap: anywhere;
  color: var(--faint); }
#feature-map .what b { display: block; color: var(--ink); }
#feature-map .legend { display: flex; flex-wrap: wrap; gap: .4rem; margin: .5rem 0; }
#feature-map .classes { max-height: 11rem; overflow-y: auto; }
#feature-map button { font: inherit; font-size: .85rem; display: inline-flex; align-items: center; gap: .4rem;
  color: var(--ink); background: var(--card); border: 1px solid var(--line); border-radius: 999px;
  padding: .25rem .75rem; cursor: pointer; }
#feature-map button:hover { border-color: var(--accent); }
#feature-map button span { color: var(--faint); font-variant-numeric: tabular-nums; }
#feature-map button[aria-pressed=false] { text-decoration: line-through; background: none; color: var(--faint); }
#feature-map button[aria-pressed=false] i, #feature-map button[aria-pressed=false] svg { opacity: .35; }
#feature-map svg { width: 1em; height: 1em; flex: none; }
#feature-map i { width: .8em; height: .8em; border-radius: 50%; flex: none; }
#feature-map summary { cursor: pointer; }
#feature-map .wide { overflow-x: auto; }
#feature-map table { border-collapse: collapse; font-size: .85rem; margin: .5rem 0; }
#feature-map th, #feature-map td { padding: .2rem .9rem .2rem 0; text-align: right;
  font-variant-numeric: tabular-nums; }
#feature-map th:first-child { text-align: left; }
#feature-map thead th { color: var(--faint); font-weight: 500; border-bottom: 1px solid var(--line); }
#feature-map tbody th { font-weight: 500; }
@media (max-width: 45rem) {
  #feature-map .plot { grid-template-columns: 1fr; }
  #feature-map .pointed { display: flex; gap: .8rem; min-height: 0; align-items: start; }
  #feature-map .image { flex: none; width: 128px; height: 128px; }
  #feature-map .what { margin: 0; }
}
@media print {
  #feature-map .pointed, #feature-map details { display: none; }
  #feature-map .plot { grid-template-columns: 1fr; }
  #feature-map .map { break-inside: avoid; }
}
"""
