// Points in the plane on a canvas: hover, click, lasso. Traits: see scatter.py.

const bytes = (view) => view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength);
const TOP = 26, EDGE = 14, REACH = 12, SHAPES = 8;

function shape(context, kind, x, y, r) {
  // circle, square, diamond, triangles (up, down, left, right), star: the order of the legend's
  const polygon = (corners, turn, inner = 1) => {
    for (let i = 0; i < corners; i++) {
      const angle = turn + (2 * Math.PI * i) / corners, far = i % 2 ? r * inner : r;
      context.lineTo(x + far * Math.cos(angle), y + far * Math.sin(angle));
    }
  };
  const up = -Math.PI / 2;
  context.beginPath();
  if (kind === 0) context.arc(x, y, r * 0.9, 0, 2 * Math.PI);
  else if (kind === 7) polygon(10, up, 0.45);
  else if (kind < 3) polygon(4, kind === 1 ? Math.PI / 4 : up);
  else polygon(3, [up, -up, Math.PI, 0][kind - 3]);
  context.closePath();
  context.fill();
}

function inside(path, x, y) {
  let within = false;
  for (let i = 0, j = path.length - 1; i < path.length; j = i++) {
    const [ax, ay] = path[i], [bx, by] = path[j];
    if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) within = !within;
  }
  return within;
}

function render({ model, el }) {
  const canvas = document.createElement("canvas"), points = document.createElement("canvas");
  canvas.className = "slimlab-scatter";
  canvas.style.cssText = "display:block;width:100%;cursor:crosshair;touch-action:none";
  el.append(canvas);
  const context = canvas.getContext("2d");
  let xy, groups, texts = null, places = new Float32Array(0), stale = true, hovered = -1, path = null;

  function read() {
    xy = new Float32Array(bytes(model.get("xy")));
    groups = new Uint16Array(bytes(model.get("groups")));
    texts = null; // decoded when first hovered
  }
  function place(wide, tall) {
    const low = [Infinity, Infinity], high = [-Infinity, -Infinity];
    xy.forEach((v, i) => { low[i % 2] = Math.min(low[i % 2], v); high[i % 2] = Math.max(high[i % 2], v); });
    const scale = Math.min((wide - 2 * EDGE) / (high[0] - low[0] || 1), (tall - TOP - EDGE) / (high[1] - low[1] || 1));
    places = new Float32Array(xy.length);
    for (let i = 0; i < xy.length; i += 2) {
      places[i] = wide / 2 + (xy[i] - (low[0] + high[0]) / 2) * scale;
      places[i + 1] = (TOP + tall - EDGE) / 2 - (xy[i + 1] - (low[1] + high[1]) / 2) * scale;
    }
  }
  function paint(wide, tall, ratio) { // all points, kept as a picture until they or the chosen ones change
    place(wide, tall);
    const palette = model.get("palette"), count = groups.length, r = count < 2000 ? 4.5 : count < 8000 ? 3 : 2;
    const cell = Math.ceil(2 * (r + 1) * ratio), atlas = document.createElement("canvas");
    atlas.width = cell * palette.length;
    atlas.height = cell * SHAPES;
    const marks = atlas.getContext("2d", { willReadFrequently: true });
    palette.forEach((colour, c) => {
      marks.fillStyle = colour;
      for (let s = 0; s < SHAPES; s++) shape(marks, s, (c + 0.5) * cell, (s + 0.5) * cell, r * ratio);
    });
    points.width = canvas.width;
    points.height = canvas.height;
    // Stamped by hand into one picture: 20,000 calls of drawImage take many times as long where no GPU draws them.
    const to = points.getContext("2d"), picture = to.createImageData(canvas.width, canvas.height), out = picture.data.fill(255);
    const stamp = marks.getImageData(0, 0, atlas.width, atlas.height).data, chosen = new Uint8Array(count);
    for (const i of model.get("selected")) chosen[i] = 1;
    const some = model.get("selected").length > 0;
    const put = (alpha, which) => {
      for (let i = 0; i < count; i++) {
        if (chosen[i] !== which) continue;
        const c = (groups[i] % palette.length) * cell, s = (Math.floor(groups[i] / palette.length) % SHAPES) * cell;
        const left = Math.round(places[2 * i] * ratio - cell / 2), top = Math.round(places[2 * i + 1] * ratio - cell / 2);
        for (let y = 0; y < cell; y++) {
          let from = ((s + y) * atlas.width + c) * 4, at = ((top + y) * canvas.width + left) * 4;
          for (let x = 0; x < cell; x++, from += 4, at += 4) {
            const share = (stamp[from + 3] / 255) * alpha;
            if (share) for (let k = 0; k < 3; k++) out[at + k] += (stamp[from + k] - out[at + k]) * share;
          }
        }
      }
    };
    put(some ? 0.13 : 0.85, 0);
    put(1, 1);
    to.putImageData(picture, 0, 0);
    stale = false;
  }
  function draw() {
    const ratio = window.devicePixelRatio || 1, wide = canvas.clientWidth, tall = model.get("height");
    canvas.style.height = `${tall}px`;
    if (!wide) return;
    const width = Math.round(wide * ratio), height = Math.round(tall * ratio);
    if (canvas.width !== width || canvas.height !== height) {
      canvas.width = width;
      canvas.height = height;
      stale = true;
    }
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    if (stale) paint(wide, tall, ratio);
    context.drawImage(points, 0, 0, wide, tall);
    context.strokeStyle = "#ccc";
    context.lineWidth = 1;
    context.strokeRect(0.5, TOP - 4.5, wide - 1, tall - TOP + 3);
    context.fillStyle = "#333";
    context.font = "13px sans-serif";
    context.fillText(model.get("title"), 4, 15, wide - 8);
    if (path) {
      context.beginPath();
      path.forEach(([x, y]) => context.lineTo(x, y));
      context.fillStyle = "rgba(0,114,178,0.10)";
      context.fill();
      context.strokeStyle = "#333";
      context.stroke();
    } else if (hovered >= 0) tip(wide);
    Object.assign(canvas.dataset, { points: groups.length, chosen: model.get("selected").length });
  }
  function tip(wide) {
    texts ??= new TextDecoder().decode(bytes(model.get("texts"))).split("\n");
    const x = places[2 * hovered], y = places[2 * hovered + 1];
    context.strokeStyle = "black";
    context.lineWidth = 1.5;
    context.beginPath();
    context.arc(x, y, 7, 0, 2 * Math.PI);
    context.stroke();
    context.font = "12px sans-serif";
    const long = context.measureText(texts[hovered]).width, at = Math.max(4, Math.min(x + 10, wide - long - 8));
    context.fillStyle = "rgba(255,255,255,0.93)";
    context.fillRect(at - 4, y - 26, long + 8, 18);
    context.fillStyle = "black";
    context.fillText(texts[hovered], at, y - 13);
  }
  function spot(event) {
    const frame = canvas.getBoundingClientRect();
    return [event.clientX - frame.left, event.clientY - frame.top];
  }
  function near([x, y]) {
    let best = -1, least = REACH * REACH;
    for (let i = 0; i < places.length; i += 2) {
      const d = (places[i] - x) ** 2 + (places[i + 1] - y) ** 2;
      if (d < least) { least = d; best = i / 2; }
    }
    return best;
  }
  function choose(path) {
    const long = Math.max(...path.map(([x, y]) => Math.hypot(x - path[0][0], y - path[0][1])));
    const index = near(path[0]);
    if (long < 5 && index >= 0) {
      model.set("clicked", { index, count: (model.get("clicked").count || 0) + 1 });
    } else {
      const chosen = [];
      if (long >= 5) for (let i = 0; i < groups.length; i++) if (inside(path, places[2 * i], places[2 * i + 1])) chosen.push(i);
      model.set("selected", chosen);
    }
    model.save_changes();
  }
  let due = false;
  const ask = () => {
    if (due) return;
    due = true;
    requestAnimationFrame(() => { due = false; draw(); });
  };
  const renew = () => { read(); stale = true; ask(); };
  const repaint = () => { stale = true; ask(); };
  canvas.onpointerdown = (event) => { path = [spot(event)]; canvas.setPointerCapture(event.pointerId); };
  canvas.onpointermove = (event) => {
    if (path) path.push(spot(event));
    else hovered = near(spot(event));
    ask();
  };
  canvas.onpointerup = () => { if (path) choose(path); path = null; ask(); };
  canvas.onpointercancel = () => { path = null; ask(); };
  canvas.onpointerleave = () => { hovered = -1; ask(); };
  const heard = [["change:xy", renew], ["change:groups", renew], ["change:texts", renew], ["change:selected", repaint], ["change:title", ask], ["change:height", repaint]];
  for (const [name, act] of heard) model.on(name, act);
  const watch = new ResizeObserver(ask);
  watch.observe(el);
  renew();
  return () => { watch.disconnect(); for (const [name, act] of heard) model.off(name, act); };
}

export default { render };
