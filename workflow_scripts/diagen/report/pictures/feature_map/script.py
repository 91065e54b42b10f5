"""JavaScript of the map: draws the points, and shows the image of one."""

from diagen.report.pictures.shared_script import SHARED

MAP = (
    SHARED
    + r"""
const REAL = 0, UNCOMMON = 1, COMPARED = 2, SHOWN = 3, GUIDE = 4;
const RADIUS = { [REAL]: 3, [UNCOMMON]: 3.6, [COMPARED]: 3.2, [SHOWN]: 4, [GUIDE]: 6.5 };
const REACH = 24; // pixels around the pointer in which a point is found
const EDGE = 14; // pixels left free around the points

function star(context, x, y, radius) {
  for (let corner = 0; corner < 10; corner++) {
    const angle = Math.PI * (corner / 5 - 0.5), length = corner % 2 ? radius * 0.45 : radius;
    context.lineTo(x + length * Math.cos(angle), y + length * Math.sin(angle));
  }
  context.closePath();
}
function isDark(context, color) {
  context.fillStyle = color; // the canvas turns it into hexadecimal digits
  const [red, green, blue] = [1, 3, 5].map((start) => parseInt(context.fillStyle.slice(start, start + 2), 16));
  return 0.3 * red + 0.6 * green + 0.1 * blue < 128;
}
function mark(context, kind, x, y, r, color, ground) {
  context.beginPath();
  context.strokeStyle = context.fillStyle = color;
  context.lineWidth = 1.2;
  if (kind === REAL) context.arc(x, y, r, 0, 2 * Math.PI);
  else if (kind === UNCOMMON) {
    for (const [dx, dy] of [[0, -r], [r, 0], [0, r], [-r, 0]]) context.lineTo(x + dx, y + dy);
    context.closePath();
  } else if (kind === COMPARED) {
    context.moveTo(x - r, y - r);
    context.lineTo(x + r, y + r);
    context.moveTo(x + r, y - r);
    context.lineTo(x - r, y + r);
    context.lineWidth = 1.8;
  } else if (kind === SHOWN) {
    for (const [dx, dy] of [[0, -r], [r, 0.8 * r], [-r, 0.8 * r]]) context.lineTo(x + dx, y + dy);
    context.closePath();
  } else star(context, x, y, r);
  if (kind === GUIDE || kind === SHOWN) {
    context.fill();
    context.strokeStyle = ground;
    context.lineWidth = kind === GUIDE ? 1.5 : 0.8;
  }
  context.stroke();
}

function start(map, number) {
  const data = JSON.parse(text(`feature-map-${number}`));
  const canvas = map.querySelector("canvas"), context = canvas.getContext("2d");
  const box = map.querySelector(".image"), what = map.querySelector(".what");
  const hidden = { kind: new Set(), class: new Set() };
  const swatches = [...map.querySelectorAll("[data-class] i")];
  let color = [], emphasized = -1, selected = -1, width = 0, height = 0;
  const visible = (i) => !hidden.kind.has(data.kind[i]) && !hidden.class.has(data.class[i]);
  const x = (i) => EDGE + data.x[i] / data.width * (width - 2 * EDGE);
  const y = (i) => EDGE + data.y[i] / data.height * (height - 2 * EDGE);

  function draw() {
    const ratio = window.devicePixelRatio || 1;
    width = canvas.clientWidth;
    height = canvas.clientHeight;
    if (!width) return;
    canvas.width = width * ratio;
    canvas.height = height * ratio;
    context.scale(ratio, ratio);
    const style = getComputedStyle(map);
    const [ground, ink] = ["--card", "--ink"].map((name) => style.getPropertyValue(name).trim());
    color = data.colors.map((both) => both[Number(isDark(context, ground))]);
    swatches.forEach((swatch, number) => (swatch.style.background = color[number]));
    const zoom = Math.max(0.75, Math.min(1.3, width / 700));
    for (let i = 0; i < data.x.length; i++) {
      if (!visible(i)) continue;
      const usual = data.kind[i] <= UNCOMMON ? 0.75 : 0.95;
      context.globalAlpha = emphasized >= 0 && data.class[i] !== emphasized ? 0.12 : usual;
      mark(context, data.kind[i], x(i), y(i), RADIUS[data.kind[i]] * zoom, color[data.class[i]], ground);
    }
    context.globalAlpha = 1;
    if (selected < 0) return;
    mark(context, data.kind[selected], x(selected), y(selected), RADIUS[data.kind[selected]] * zoom + 2,
      color[data.class[selected]], ground);
    context.beginPath();
    context.arc(x(selected), y(selected), RADIUS[data.kind[selected]] * zoom + 7, 0, 2 * Math.PI);
    context.strokeStyle = ink;
    context.lineWidth = 2;
    context.stroke();
  }
  let frame = 0;
  const redraw = () => {
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(draw);
  };

  function select(i) {
    if (i === selected) return;
    selected = i;
    pictures.release(box);
    box.replaceChildren();
    if (i < 0) what.textContent = "The image of a point appears here.";
    else {
      const picture = pictures.image(data.thumb[i], Math.min(box.clientHeight, pictures.near(box.clientHeight)));
      picture.setAttribute("role", "img");
      picture.setAttribute("aria-label", data.classes[data.class[i]]);
      box.append(picture);
      what.replaceChildren(make("b", "", data.classes[data.class[i]]), data.texts[data.text[i]]);
    }
    redraw();
  }
  function nearest(left, top) {
    let found = -1, best = REACH ** 2;
    for (let i = 0; i < data.x.length; i++) {
      if (!visible(i)) continue;
      const distance = (x(i) - left) ** 2 + (y(i) - top) ** 2;
      if (distance <= best) [found, best] = [i, distance]; // of equals the one drawn last, which lies on top
    }
    return found;
  }
  // The nearest point in a direction; sideways counts double, so that a key and its opposite mostly undo each other.
  function beside(dx, dy) {
    let found = -1, best = Infinity;
    for (let i = 0; i < data.x.length; i++) {
      if (i === selected || !visible(i)) continue;
      const [right, down] = [x(i) - x(selected), y(i) - y(selected)];
      const along = right * dx + down * dy, across = Math.abs(right * dy - down * dx);
      if (along <= 0 || across > along) continue;
      if (along + 2 * across < best) [found, best] = [i, along + 2 * across];
    }
    return found;
  }
  const central = () => {
    let found = -1, best = Infinity;
    for (let i = 0; i < data.x.length; i++) {
      const distance = visible(i) ? Math.hypot(x(i) - width / 2, y(i) - height / 2) : Infinity;
      if (distance < best) [found, best] = [i, distance];
    }
    return found;
  };

  const at = (event) => nearest(event.offsetX, event.offsetY);
  canvas.addEventListener("pointermove", (event) => {
    const i = event.pointerType === "mouse" ? at(event) : -1;
    if (i >= 0) select(i);
  });
  canvas.addEventListener("pointerdown", (event) => select(at(event)));
  canvas.addEventListener("focus", () => {
    if (selected < 0 && canvas.matches(":focus-visible")) select(central());
  });
  canvas.addEventListener("keydown", (event) => {
    const direction = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] }[event.key];
    if (event.key === "Escape") select(-1);
    else if (!direction) return;
    else if (selected < 0 || !visible(selected)) select(central());
    else {
      const i = beside(...direction);
      if (i >= 0) select(i);
    }
    event.preventDefault();
  });

  const buttons = [...map.querySelectorAll("button[aria-pressed]")];
  const press = (button, on) => {
    const [set, value] = "kind" in button.dataset
      ? [hidden.kind, Number(button.dataset.kind)] : [hidden.class, Number(button.dataset.class)];
    button.setAttribute("aria-pressed", String(on));
    if (on) set.delete(value);
    else set.add(value);
  };
  const update = () => {
    if (selected >= 0 && !visible(selected)) select(-1);
    redraw();
  };
  for (const button of buttons) {
    button.addEventListener("click", () => {
      press(button, button.getAttribute("aria-pressed") === "false");
      update();
    });
    if (!("class" in button.dataset)) continue;
    const emphasize = (value) => () => {
      emphasized = value;
      redraw();
    };
    button.addEventListener("pointerenter", emphasize(Number(button.dataset.class)));
    button.addEventListener("pointerleave", emphasize(-1));
    button.addEventListener("blur", emphasize(-1));
  }
  const every = map.querySelector("[data-all]"), classes = buttons.filter((button) => "class" in button.dataset);
  every.addEventListener("click", () => {
    const on = hidden.class.size > 0;
    classes.forEach((button) => press(button, on));
    update();
  });
  new ResizeObserver(redraw).observe(canvas);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  new MutationObserver(redraw).observe(document.documentElement, { attributes: true });
  draw();
}
document.querySelectorAll("#feature-map .map").forEach(start);
"""
)
