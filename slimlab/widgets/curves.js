// Panels of lines or bars on a canvas; hovering says the values, a click names the bar. Traits: see curves.py.

const LEFT = 46, RIGHT = 10, TOP = 22, BOTTOM = 20, LEGEND = 22;

function ticks(low, high, count) { // round numbers from low to high, with their texts
  const rough = (high - low) / count, ten = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].find((m) => m * ten >= rough) * ten, out = [];
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9) + (step / ten === 2.5 ? 1 : 0));
  for (let i = Math.ceil(low / step - 1e-6); i * step <= high + 1e-6 * step; i++) {
    out.push([i * step, digits > 4 && i ? (i * step).toExponential(1) : (i * step).toFixed(digits > 4 ? 0 : digits)]);
  }
  return out;
}
function number(v) {
  const size = Math.abs(v);
  if (size && (size < 1e-3 || size >= 1e6)) return v.toExponential(1);
  return String(Number(v.toPrecision(size >= 1000 ? 5 : 3)));
}

function render({ model, el }) {
  const canvas = document.createElement("canvas");
  canvas.className = "slimlab-curves";
  canvas.setAttribute("role", "img");
  canvas.dataset.lmSuppressShortcuts = "true"; // JupyterLab leaves our keys alone
  canvas.style.cssText = "display:block;width:100%";
  el.append(canvas);
  const context = canvas.getContext("2d"), { theme, undress } = dressed(canvas, () => ask());
  const drawn = (colour) => (theme.dark ? theme.readable(colour, 3) : colour);
  let panels = [], hovered = null;

  function read() { // lines with their numbers, and each panel's range
    const scene = model.get("scene"), all = new Float32Array(bytes(model.get("points")));
    let at = 0;
    const take = (n) => all.subarray(at, (at += n));
    panels = (scene.panels || []).map((panel) => {
      const lines = panel.lines.map((line) => ({ ...line, x: take(line.count), y: take(line.count) }));
      let [x0, x1, y0, y1] = [Infinity, -Infinity, Infinity, -Infinity];
      for (const { x, y } of lines) {
        for (const v of x) { x0 = Math.min(x0, v); x1 = Math.max(x1, v); }
        for (const v of y) if (!Number.isNaN(v)) { y0 = Math.min(y0, v); y1 = Math.max(y1, v); }
      }
      if (panel.zero || panel.bars) [y0, y1] = [Math.min(0, y0), Math.max(0, y1)];
      for (const level of panel.levels) [y0, y1] = [Math.min(y0, level.y), Math.max(y1, level.y)];
      if (!(x1 > x0)) [x0, x1] = Number.isFinite(x0) ? [x0 - 1, x0 + 1] : [0, 1];
      if (panel.bars) [x0, x1] = [x0 - 0.5, x1 + 0.5];
      if (!(y1 > y0)) [y0, y1] = Number.isFinite(y0) ? [y0 - (Math.abs(y0) || 1) * 0.1, y0 + (Math.abs(y0) || 1) * 0.1] : [0, 1];
      return { ...panel, lines, x0, x1, y0, y1: y1 + 0.06 * (y1 - y0) };
    });
    if (scene.together) { // one time axis for all panels
      const known = panels.filter((p) => p.lines.some((l) => l.count));
      const x0 = Math.min(...known.map((p) => p.x0)), x1 = Math.max(...known.map((p) => p.x1), ...scene.marks.map((m) => m.x));
      if (known.length) for (const p of panels) [p.x0, p.x1] = [x0, x1];
    }
  }
  function layout(wide, tall) {
    const scene = model.get("scene"), columns = Math.min(scene.columns, panels.length) || 1;
    const rows = Math.ceil(panels.length / columns), top = scene.legend.length ? LEGEND : 0;
    const w = wide / columns, h = (tall - top - 14) / rows;
    panels.forEach((p, i) => {
      const [row, column] = [Math.floor(i / columns), i % columns];
      p.box = { x: column * w + LEFT, y: top + row * h + TOP, width: w - LEFT - RIGHT, height: h - TOP - BOTTOM };
      p.last = i + columns >= panels.length;
      p.px = (x) => p.box.x + ((x - p.x0) / (p.x1 - p.x0)) * p.box.width;
      p.py = (y) => p.box.y + p.box.height - ((y - p.y0) / (p.y1 - p.y0)) * p.box.height;
    });
  }
  function write(text, x, y, { align = "left", colour = theme.ink, font = "10px sans-serif", most } = {}) {
    context.font = font;
    context.fillStyle = colour;
    context.textAlign = align;
    context.fillText(text, x, y, most);
  }
  function rule(x0, y0, x1, y1, colour, dash = []) {
    context.strokeStyle = colour;
    context.lineWidth = 1;
    context.setLineDash(dash);
    context.beginPath();
    context.moveTo(x0, y0);
    context.lineTo(x1, y1);
    context.stroke();
    context.setLineDash([]);
  }
  function draw() {
    const ratio = window.devicePixelRatio || 1, wide = canvas.clientWidth, tall = model.get("height"), scene = model.get("scene");
    canvas.style.height = `${tall}px`;
    if (!wide || !scene.panels) return;
    canvas.width = Math.round(wide * ratio);
    canvas.height = Math.round(tall * ratio);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.fillStyle = theme.paper;
    context.fillRect(0, 0, wide, tall);
    layout(wide, tall);
    let x = LEFT;
    for (const [text, colour] of scene.legend) {
      write("━ " + text, x, 14, { colour: theme.readable(colour), font: "12px sans-serif" });
      x += context.measureText("━ " + text).width + 16;
    }
    panels.forEach((p, i) => panel(p, i, scene));
    if (scene.x_title) write(scene.x_title, wide / 2, tall - 4, { align: "center", colour: theme.soft, font: "11px sans-serif" });
    if (hovered && !panels[hovered.panel]) hovered = null; // a scene before had it
    if (hovered) tip(wide);
    const points = panels.reduce((n, p) => n + p.lines.reduce((m, l) => m + l.count, 0), 0);
    const acts = panels.some(clickable), said = hovered ? texts().map(([text]) => text).join("; ") : "";
    canvas.tabIndex = acts ? 0 : -1;
    const label = `${panels.map((p) => p.title).join("; ")}. ${acts ? "Arrow keys move, Enter chooses. " : ""}${said}`;
    if (canvas.getAttribute("aria-label") !== label) canvas.setAttribute("aria-label", label);
    Object.assign(canvas.dataset, { panels: panels.length, points, chosen: model.get("chosen").join(), cursor: model.get("cursor").join() });
  }
  function panel(p, index, scene) {
    const { x, y, width, height } = p.box, empty = !p.lines.some((l) => l.count);
    write(p.title, x - 30, y - 8, { font: "12px sans-serif", most: width + 34 });
    if (empty) write("nothing yet", x + width / 2, y + height / 2, { align: "center", colour: theme.faint });
    for (const [tick, text] of empty || !p.ticks ? [] : ticks(p.y0, p.y1, Math.max(2, height / 34))) {
      rule(x, p.py(tick), x + width, p.py(tick), theme.grid);
      write(text, x - 5, p.py(tick) + 3, { align: "right", colour: theme.soft });
    }
    rule(x, y + height, x + width, y + height, theme.line);
    if (!empty && (p.last || !scene.together)) {
      for (const [tick, text] of ticks(p.x0, p.x1, Math.max(2, width / 80))) {
        if (Number.isInteger(tick)) write(text, p.px(tick), y + height + 13, { align: "center", colour: theme.soft });
      }
    }
    for (const level of empty ? [] : p.levels) {
      rule(x, p.py(level.y), x + width, p.py(level.y), theme.faint, [3, 3]);
      write(level.text, x + width, p.py(level.y) - 3, { align: "right", colour: theme.soft });
    }
    for (const mark of scene.marks) {
      const at = p.px(mark.x);
      if (empty || at < x || at > x + width) continue;
      rule(at, y, at, y + height, "#CC79A7", [4, 2]);
      const right = at < x + width / 2;
      if (index === 0) write(mark.text, at + (right ? 3 : -3), y + 9, { colour: theme.note, align: right ? "left" : "right" });
    }
    context.save();
    context.beginPath();
    context.rect(x - 4, y - 4, width + 8, height + 8);
    context.clip();
    for (const line of p.lines) (p.bars ? bars : curve)(p, line, index);
    context.restore();
    const [now] = model.get("cursor");
    if (now >= p.x0 && now <= p.x1) {
      context.fillStyle = "#D55E00";
      context.fillRect(p.px(now) - 0.75, y - 4, 1.5, height + 8);
    }
  }
  function bars(p, line, index) {
    const [at, chosen] = model.get("chosen"), w = Math.max(1, (p.box.width / (p.x1 - p.x0)) * 0.86), foot = p.py(0);
    line.x.forEach((v, i) => {
      context.fillStyle = at === index && chosen === i ? "#CC79A7" : drawn(line.colour);
      context.fillRect(p.px(v) - w / 2, p.py(line.y[i]), w, Math.max(foot - p.py(line.y[i]), 0.5));
      if (at === index && chosen === i) write("▼", p.px(v), Math.max(p.py(line.y[i]) - 2, p.box.y + 6), { align: "center", colour: theme.note });
    });
  }
  function curve(p, line) {
    context.strokeStyle = context.fillStyle = drawn(line.colour);
    context.lineWidth = line.width;
    context.lineJoin = "round";
    context.beginPath();
    let broken = true;
    line.x.forEach((v, i) => {
      if (Number.isNaN(line.y[i])) broken = broken || line.gaps;
      else { context[broken ? "moveTo" : "lineTo"](p.px(v), p.py(line.y[i])); broken = false; }
    });
    context.stroke();
    if (!line.dots && line.count !== 1) return;
    line.x.forEach((v, i) => {
      if (Number.isNaN(line.y[i])) return;
      context.beginPath();
      context.arc(p.px(v), p.py(line.y[i]), 2.6, 0, 2 * Math.PI);
      context.fill();
    });
  }
  function nearest(line, x) { // place of the point nearest in x
    let best = -1;
    line.x.forEach((v, i) => { if (best < 0 || Math.abs(v - x) < Math.abs(line.x[best] - x)) best = i; });
    return best;
  }
  const clickable = (p) => p.bars || model.get("pickable");
  const under = () => panels[hovered.panel].lines.map((line) => [line, nearest(line, hovered.x)]).filter(([, i]) => i >= 0);
  function texts() { // what there is at the pointer, with its colors
    const p = panels[hovered.panel], found = under();
    const out = found.map(([line, i]) => [line.texts ? line.texts[i] : `${line.name ? line.name + ": " : ""}${number(line.y[i])}`, theme.readable(line.colour)]);
    if (found.length && !p.bars) out.unshift([`${model.get("scene").x_title} ${number(found[0][0].x[found[0][1]])}`, theme.ink]);
    return out;
  }
  function tip(wide) {
    const p = panels[hovered.panel], found = under(), said = texts();
    if (!found.length) return;
    const [first, place] = found[0], at = p.px(first.x[place]);
    rule(at, p.box.y, at, p.box.y + p.box.height, theme.faint);
    context.font = "11px sans-serif";
    const long = Math.max(...said.map(([text]) => context.measureText(text).width));
    const left = Math.max(2, Math.min(at + 8, wide - long - 12));
    context.fillStyle = theme.veil;
    context.fillRect(left - 3, p.box.y, long + 8, 15 * said.length + 4);
    said.forEach(([text, colour], i) => write(text, left + 1, p.box.y + 13 + 15 * i, { colour, font: "11px sans-serif" }));
  }
  function place(event) {
    const frame = canvas.getBoundingClientRect(), x = event.clientX - frame.left, y = event.clientY - frame.top;
    const panel = panels.findIndex(({ box: b }) => b && x >= b.x && x <= b.x + b.width && y >= b.y - 6 && y <= b.y + b.height + 6);
    if (panel < 0) return null;
    const p = panels[panel];
    return { panel, x: p.x0 + ((x - p.box.x) / p.box.width) * (p.x1 - p.x0) };
  }
  let due = false;
  const ask = () => {
    if (due) return;
    due = true;
    requestAnimationFrame(() => { due = false; draw(); });
  };
  const renew = () => { read(); ask(); };
  function click(at) {
    if (at && !panels[at.panel].bars && model.get("pickable")) {
      model.set("picked", { ...at, count: (model.get("picked").count || 0) + 1 });
      model.save_changes();
    }
    if (!at || !panels[at.panel].bars) return;
    const index = nearest(panels[at.panel].lines[0], at.x);
    if (index < 0) return;
    model.set("clicked", { panel: at.panel, index, count: (model.get("clicked").count || 0) + 1 });
    model.save_changes();
  }
  canvas.onclick = (event) => click(place(event));
  canvas.onkeydown = (event) => {
    const way = { ArrowLeft: -1, ArrowRight: 1 }[event.key], shift = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (!(way || shift || event.key === "Enter" || event.key === " ") || !panels.some(clickable)) return;
    let at = hovered || { panel: panels.findIndex(clickable), x: -Infinity };
    if (shift) for (let i = at.panel + shift; panels[i]; i += shift) if (clickable(panels[i])) { at = { panel: i, x: at.x }; break; }
    const p = panels[at.panel], line = p.lines.find((l) => l.count);
    if (line && (way || at.x === -Infinity)) {
      const by = p.bars ? 1 : Math.max(1, Math.round(line.count / 50)); // a curve has more points than one cares to walk
      const next = at.x === -Infinity ? 0 : nearest(line, at.x) + way * by;
      at = { panel: at.panel, x: line.x[Math.max(0, Math.min(line.count - 1, next))] };
    }
    hovered = at;
    if (event.key === "Enter" || event.key === " ") click(at);
    event.preventDefault();
    event.stopPropagation();
    ask();
  };
  canvas.onpointermove = (event) => {
    hovered = place(event);
    canvas.style.cursor = hovered && clickable(panels[hovered.panel]) ? "pointer" : "default";
    ask();
  };
  canvas.onpointerleave = () => { hovered = null; ask(); };
  const heard = [["change:points", renew], ["change:scene", renew], ["change:chosen", ask], ["change:cursor", ask], ["change:height", ask]];
  for (const [name, act] of heard) model.on(name, act);
  const watch = new ResizeObserver(ask);
  watch.observe(el);
  renew();
  return () => { watch.disconnect(); undress(); for (const [name, act] of heard) model.off(name, act); };
}

export default { render };
