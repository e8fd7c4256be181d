// Grids of time steps and joints on a canvas; a click names the cell, and so do arrow keys and Enter. Traits: see cells.py.

const GAP = 18, TOP = 20, BOTTOM = 18, BARS = 190;

function render({ model, el }) {
  const canvas = document.createElement("canvas");
  canvas.className = "slimlab-cells";
  canvas.tabIndex = 0;
  canvas.dataset.lmSuppressShortcuts = "true"; // JupyterLab leaves our keys alone
  canvas.setAttribute("role", "img");
  canvas.style.cssText = "display:block;width:100%;cursor:pointer";
  el.append(canvas);
  const context = canvas.getContext("2d"), { theme, undress } = dressed(canvas, () => ask()), ours = handed(canvas, () => paints());
  let boxes = [], hovered = null;

  function layout() {
    const scene = model.get("scene"), wide = canvas.clientWidth;
    const columns = Math.min(scene.columns, scene.titles.length) || 1, rows = Math.ceil(scene.titles.length / columns);
    const left = scene.labels ? 92 : 16, room = scene.bars ? BARS : 0;
    const width = (wide - left - room - GAP * (columns - 1) - 4) / columns;
    const height = model.get("height") / rows - TOP - BOTTOM;
    boxes = scene.titles.map((_, p) => ({
      x: left + (p % columns) * (width + GAP), y: TOP + Math.floor(p / columns) * (height + TOP + BOTTOM), width, height,
    }));
  }
  function draw() {
    const scene = model.get("scene"), { steps, order, names } = scene;
    if (!order) return; // nothing shown yet
    const joints = order.length, ratio = window.devicePixelRatio || 1, tall = model.get("height");
    canvas.style.height = `${tall}px`;
    if (!canvas.clientWidth) return;
    canvas.width = Math.round(canvas.clientWidth * ratio);
    canvas.height = Math.round(tall * ratio);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.fillStyle = theme.paper;
    context.fillRect(0, 0, canvas.clientWidth, tall);
    layout();
    if (hovered && !reaches(hovered)) hovered = null; // a scene before had it
    if (last && !reaches(last)) last = null;
    const colours = new Uint8Array(bytes(model.get("colors")));
    boxes.forEach((box, p) => {
      const w = box.width / steps, h = box.height / joints, chosen = p === model.get("panel") && boxes.length > 1;
      context.font = `${chosen ? "bold " : ""}12px sans-serif`;
      context.fillStyle = theme.ink;
      context.textAlign = "left";
      context.fillText(scene.titles[p], box.x, box.y - 6, box.width);
      for (let t = 0; t < steps; t++) {
        order.forEach((joint, row) => {
          const i = ((p * steps + t) * joints + joint) * 3;
          context.fillStyle = `rgb(${colours[i]},${colours[i + 1]},${colours[i + 2]})`;
          context.fillRect(box.x + t * w, box.y + row * h, w + 0.5, h + 0.5);
        });
      }
      context.fillStyle = theme.dark ? theme.faint : theme.paper;
      for (const edge of scene.edges) context.fillRect(box.x, box.y + edge * h - 0.75, box.width, 1.5);
      for (const [t, joint] of scene.crossed[p] || []) {
        const x = box.x + (t + 0.5) * w, y = box.y + (order.indexOf(joint) + 0.5) * h, r = Math.min(w, h, 8) / 3;
        context.beginPath();
        context.moveTo(x - r, y - r); context.lineTo(x + r, y + r); context.moveTo(x - r, y + r); context.lineTo(x + r, y - r);
        for (const [colour, thick] of [["white", 3], ["#222", 1]]) { // to be seen on any cell
          context.strokeStyle = colour;
          context.lineWidth = thick;
          context.stroke();
        }
      }
      const ring = model.get("ring");
      if (ring.length) outline(box.x + ring[0] * w, box.y + order.indexOf(ring[1]) * h, w, h, "#CC79A7", 2.5);
      const now = model.get("now");
      if (now >= 0 && now < steps) outline(box.x + now * w, box.y, w, box.height, theme.now, 1);
      if (scene.whole) outline(box.x, box.y, box.width, box.height, theme.line, 1);
      if (chosen) outline(box.x - 2, box.y - 2, box.width + 4, box.height + 4, theme.strong, 1.5);
      context.fillStyle = theme.soft;
      context.font = "10px sans-serif";
      context.textAlign = "center";
      if (scene.labels) {
        const every = Math.ceil(18 / w);
        for (let t = 0; t < steps; t += every) context.fillText(scene.ticks ? scene.ticks[t] : String(t), box.x + (t + 0.5) * w, box.y + box.height + 12);
        if (box.x < 100) {
          context.textAlign = "right";
          const skip = Math.ceil(10 / h);
          order.forEach((joint, row) => {
            if (row % skip === 0) context.fillText(names[joint].replaceAll("_", " "), box.x - 5, box.y + (row + 0.5) * h + 3, 84);
          });
        }
      }
    });
    if (scene.bars) bars(scene, boxes[boxes.length - 1]);
    if (hovered && document.activeElement === canvas) {
      const box = boxes[hovered.panel], w = box.width / steps, h = box.height / joints;
      outline(box.x + hovered.step * w, box.y + order.indexOf(hovered.joint) * h, w, h, theme.strong, 1.5);
    }
    if (hovered) tip();
    canvas.style.touchAction = scene.paint ? "pan-y" : "auto";
    canvas.setAttribute("aria-label", `${scene.titles.join("; ")}: ${joints} rows by ${steps} columns. ${hovered ? told() : ""}`);
    Object.assign(canvas.dataset, { panels: boxes.length, ring: model.get("ring").join() });
  }
  function reaches({ panel, step, joint }) {
    const { steps, order } = model.get("scene");
    return panel < boxes.length && step < steps && order.includes(joint);
  }
  function bars({ order, bars: { values, title } }, box) { // from 0 to 1, a row each
    const x = box.x + box.width + GAP, full = BARS - GAP - 8, h = box.height / order.length;
    context.textAlign = "left";
    context.font = "12px sans-serif";
    context.fillStyle = theme.ink;
    context.fillText(title, x, box.y - 6, full);
    context.fillStyle = theme.floor;
    context.fillRect(x, box.y, full, box.height);
    context.fillStyle = theme.faint;
    order.forEach((joint, row) => context.fillRect(x, box.y + row * h + 1, values[joint] * full, Math.max(h - 2, 1)));
    context.font = "10px sans-serif";
    context.textAlign = "center";
    for (const value of [0, 0.5, 1]) context.fillText(String(value), x + value * full, box.y + box.height + 12);
  }
  function outline(x, y, w, h, colour, thick) {
    context.strokeStyle = colour;
    context.lineWidth = thick;
    context.strokeRect(x, y, w, h);
  }
  function told() {
    const { panel, step, joint } = hovered, { whole, names, texts } = model.get("scene");
    return whole ? texts[panel][step][joint] : `${names[joint].replaceAll("_", " ")}, step ${step}${texts[panel] ? `: ${texts[panel][step][joint]}` : ""}`;
  }
  function tip() {
    const { x, y } = hovered, text = told();
    context.font = "12px sans-serif";
    context.textAlign = "left";
    const long = context.measureText(text).width, at = Math.max(0, Math.min(x + 10, canvas.clientWidth - long - 10));
    context.fillStyle = theme.veil;
    context.fillRect(at - 4, y - 26, long + 8, 18);
    context.fillStyle = theme.strong;
    context.fillText(text, at, y - 13);
  }
  function cell(event) {
    const { steps, order } = model.get("scene"), frame = canvas.getBoundingClientRect();
    const x = event.clientX - frame.left, y = event.clientY - frame.top;
    const panel = boxes.findIndex((b) => x >= b.x && x < b.x + b.width && y >= b.y && y < b.y + b.height);
    if (panel < 0) return null;
    const box = boxes[panel];
    const step = Math.floor(((x - box.x) / box.width) * steps), row = Math.floor(((y - box.y) / box.height) * order.length);
    return { panel, step, joint: order[row], x, y };
  }
  let due = false;
  const ask = () => {
    if (due) return;
    due = true;
    requestAnimationFrame(() => { due = false; draw(); });
  };
  let last = null; // the cell that a dragging pointer was in
  function click(at) {
    if (!at) return;
    last = at;
    model.set("clicked", { panel: at.panel, step: at.step, joint: at.joint, count: (model.get("clicked").count || 0) + 1 });
    model.save_changes();
  }
  const paints = () => model.get("scene").paint;
  canvas.onclick = (event) => { if (!paints()) click(cell(event)); };
  let touched = null; // where a finger is that may yet turn out to scroll the page
  canvas.onpointerdown = (event) => {
    if (!paints()) return;
    if (event.pointerType === "mouse") click(cell(event));
    else touched = cell(event);
  };
  canvas.onpointermove = (event) => {
    hovered = cell(event);
    if (paints() && event.buttons === 1 && ours(event)) {
      if (touched) click(touched);
      touched = null;
      const other = hovered && last && (hovered.step !== last.step || hovered.joint !== last.joint || hovered.panel !== last.panel);
      if (other) click(hovered); // where cells are painted, each that it enters
    }
    ask();
  };
  canvas.onpointerup = () => {
    if (touched) click(touched);
    touched = null;
  };
  canvas.onpointercancel = () => {
    touched = hovered = null;
    ask();
  };
  canvas.onkeydown = (event) => {
    const { steps, order, titles } = model.get("scene");
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!order || !(way || event.key === "Enter" || event.key === " ")) return;
    let { panel, step, joint } = hovered || last || { panel: 0, step: 0, joint: order[0] };
    if (way) {
      step += way[0];
      panel = Math.max(0, Math.min(panel + Math.floor(step / steps), titles.length - 1));
      step = ((step % steps) + steps) % steps;
      joint = order[Math.max(0, Math.min(order.indexOf(joint) + way[1], order.length - 1))];
    }
    const box = boxes[panel];
    hovered = { panel, step, joint, x: box.x + ((step + 0.5) / steps) * box.width, y: box.y + ((order.indexOf(joint) + 0.5) / order.length) * box.height };
    if (!way) click(hovered);
    event.preventDefault();
    event.stopPropagation();
    ask();
  };
  canvas.onpointerleave = () => { hovered = null; ask(); };
  model.on("change", ask);
  const watch = new ResizeObserver(ask);
  watch.observe(el);
  ask();
  return () => { watch.disconnect(); undress(); model.off("change", ask); };
}

export default { render };
