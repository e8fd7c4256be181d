// Points in the plane on a canvas: zoom, pan, box and lasso, density, hover with a moving body. Traits: see scatter.py.
// Each frame stamps all points into one picture by hand: 20,000 calls of drawImage take many times as long without a GPU.

const TOP = 26, EDGE = 14, REACH = 12, SHAPES = 8, CLICK = 5; // px
const LOWEST = 0.5, HIGHEST = 200; // zoom
const REST = 150; // ms without a gesture before the kernel hears of it
const CELL = 2; // px, side of a cell of the density
const HELP = "Arrow keys move, plus and minus zoom, 0 shows everything, Enter chooses the point in the middle, Escape lets go.";

function outline(context, kind, x, y, r) {
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
  const root = make("div", {}, el, "slimlab-plane");
  root.dataset.lmSuppressShortcuts = "true"; // JupyterLab leaves our keys alone
  const tools = make("div", {}, root, "slimlab-tools");
  tools.setAttribute("role", "toolbar");
  tools.setAttribute("aria-label", "tools of the plane");
  const tool = (name, text, title, act) => {
    const made = make("button", { type: "button", textContent: text, title, onclick: act }, tools, `slimlab-${name}`);
    made.setAttribute("aria-label", title);
    return made;
  };
  const modes = {
    lasso: tool("lasso", "lasso", "choose by drawing a line around points", () => choose("mode", "lasso")),
    box: tool("box", "box", "choose by drawing a box", () => choose("mode", "box")),
    pan: tool("pan", "move", "move the plane by dragging", () => choose("mode", "pan")),
  };
  const how = make("select", { title: "what a lasso or box does; Shift adds, Alt takes away" }, tools, "slimlab-how");
  how.setAttribute("aria-label", how.title);
  for (const [value, text] of [["new", "choose"], ["add", "add"], ["subtract", "take away"]]) make("option", { value, textContent: text }, how);
  tool("closer", "+", "zoom in", () => zoomAt(wide / 2, (TOP + tall - EDGE) / 2, 1.5));
  tool("farther", "−", "zoom out", () => zoomAt(wide / 2, (TOP + tall - EDGE) / 2, 1 / 1.5));
  tool("reset", "all", "show everything", () => look([0, 0, 1]));
  const dense = tool("density", "density", "show how many points lie where", () => choose("density", !model.get("density")));
  const holder = make("div", {}, root, "slimlab-holder");
  const canvas = make("canvas", { tabIndex: 0 }, holder, "slimlab-scatter");
  canvas.setAttribute("role", "application");
  const bubble = make("canvas", {}, holder, "slimlab-bubble");
  const said = make("span", {}, root, "slimlab-said");
  said.setAttribute("aria-live", "polite");
  const context = canvas.getContext("2d"), points = document.createElement("canvas"), to = points.getContext("2d");

  let xy, groups, texts = null, gone, chosen = new Uint8Array(0), middle = [0, 0], extent = [1, 1];
  let places = new Float32Array(0), stale = true, hovered = -1, wide = 0, tall = 0, ratio = 1, unit = 1;
  let stamps = null, picture = null;
  const ours = handed(canvas), { theme, undress } = dressed(root, () => { stamps = null; stale = true; ask(); });

  // ---- what the kernel sent
  function read() {
    xy = new Float32Array(bytes(model.get("xy")));
    groups = new Uint16Array(bytes(model.get("groups")));
    texts = null; // decoded when first hovered
    const low = [Infinity, Infinity], high = [-Infinity, -Infinity];
    for (let i = 0; i < xy.length; i++) {
      const axis = i & 1;
      if (xy[i] < low[axis]) low[axis] = xy[i];
      if (xy[i] > high[axis]) high[axis] = xy[i];
    }
    middle = [0, 1].map((i) => (xy.length ? (low[i] + high[i]) / 2 : 0));
    extent = [0, 1].map((i) => (xy.length ? high[i] - low[i] : 1) || 1);
    mark();
  }
  function mark() {
    chosen = new Uint8Array(groups.length);
    gone = new Uint8Array(groups.length);
    for (const i of model.get("hidden")) gone[i] = 1;
    for (const i of model.get("selected")) chosen[i] = 1;
  }
  // ---- where everything is: view is [x, y, zoom], the middle in parts of the larger extent
  function place() {
    const [cx, cy, zoom] = model.get("view"), span = Math.max(...extent);
    unit = Math.min((wide - 2 * EDGE) / extent[0], (tall - TOP - EDGE) / extent[1]) * span;
    if (places.length !== xy.length) places = new Float32Array(xy.length);
    const scale = (unit * zoom) / span, left = wide / 2 - cx * unit * zoom, top = (TOP + tall - EDGE) / 2 + cy * unit * zoom;
    for (let i = 0; i < xy.length; i += 2) {
      places[i] = left + (xy[i] - middle[0]) * scale;
      places[i + 1] = top - (xy[i + 1] - middle[1]) * scale;
    }
  }
  const LINKED = "slimlab-plane"; // views of one group in one page follow each other without the kernel
  let gesture = -Infinity, owed = 0, own = false;
  function look(view, follow = false) {
    const [x, y, zoom] = view, away = 1.5;
    const kept = [Math.max(-away, Math.min(away, x)), Math.max(-away, Math.min(away, y)), Math.max(LOWEST, Math.min(HIGHEST, zoom))];
    own = true;
    model.set("view", kept);
    own = false;
    gesture = performance.now();
    stale = true;
    ask();
    if (follow) return;
    if (model.get("link")) window.dispatchEvent(new CustomEvent(LINKED, { detail: { link: model.get("link"), view: kept, from: model } }));
    clearTimeout(owed);
    owed = setTimeout(() => model.save_changes(), REST);
  }
  function linked(event) {
    const { link, view, from } = event.detail;
    if (from !== model && link === model.get("link")) look(view, true);
  }
  function zoomAt(x, y, factor) {
    const [cx, cy, zoom] = model.get("view"), next = Math.max(LOWEST, Math.min(HIGHEST, zoom * factor));
    const right = (x - wide / 2) / unit, up = ((TOP + tall - EDGE) / 2 - y) / unit;
    look([cx + right / zoom - right / next, cy + up / zoom - up / next, next]);
  }
  function panBy(dx, dy) {
    const [cx, cy, zoom] = model.get("view");
    look([cx - dx / (unit * zoom), cy + dy / (unit * zoom), zoom]);
  }

  // ---- drawing
  function cut(radius) { // each marker as a list of offsets and shares of cover
    const side = Math.ceil(2 * (radius + 1)), sheet = document.createElement("canvas");
    sheet.width = sheet.height = side;
    const marker = sheet.getContext("2d", { willReadFrequently: true });
    const shapes = [];
    for (let s = 0; s < SHAPES; s++) {
      marker.clearRect(0, 0, side, side);
      outline(marker, s, side / 2, side / 2, radius);
      const data = marker.getImageData(0, 0, side, side).data, dx = [], dy = [], cover = [];
      for (let i = 0; i < side * side; i++) {
        if (data[4 * i + 3]) { dx.push((i % side) - (side >> 1)); dy.push(Math.floor(i / side) - (side >> 1)); cover.push(data[4 * i + 3] / 255); }
      }
      const offset = Int32Array.from(dx, (x, k) => 4 * (dy[k] * canvas.width + x));
      shapes.push({ dx: Int16Array.from(dx), dy: Int16Array.from(dy), cover: Float32Array.from(cover), offset });
    }
    const colours = model.get("palette").map((c) => (theme.dark && c === "#000000" ? rgb(theme.ink) : rgb(c)));
    return { key: `${radius} ${canvas.width} ${theme.dark}`, side, shapes, colours };
  }
  function paint() {
    place();
    const [W, H] = [canvas.width, canvas.height], count = groups.length, zoom = model.get("view")[2];
    const plain = count < 2000 ? 4.5 : count < 8000 ? 3 : 2, grown = Math.min(5, plain * Math.max(1, Math.min(2, zoom ** 0.3)));
    const radius = Math.round(2 * grown * ratio) / 2;
    if (!stamps || stamps.key !== `${radius} ${W} ${theme.dark}`) stamps = cut(radius);
    if (!picture || picture.width !== W || picture.height !== H) {
      points.width = W;
      points.height = H;
      picture = to.createImageData(W, H);
    }
    const out = picture.data, some = model.get("selected").length > 0, half = stamps.side / 2 + 1;
    const [r, g, b] = theme.rgb;
    new Uint32Array(out.buffer).fill((255 << 24) | (b << 16) | (g << 8) | r);
    const put = (alpha, which) => {
      for (let i = 0; i < count; i++) {
        if (chosen[i] !== which || gone[i]) continue;
        const x = Math.round(places[2 * i] * ratio), y = Math.round(places[2 * i + 1] * ratio);
        if (x < -half || y < -half || x > W + half || y > H + half) continue;
        const colour = stamps.colours[groups[i] % stamps.colours.length];
        const { dx, dy, cover, offset } = stamps.shapes[Math.floor(groups[i] / stamps.colours.length) % SHAPES];
        const whole = x > half && y > half && x < W - half && y < H - half, start = 4 * (y * W + x);
        for (let k = 0; k < cover.length; k++) {
          if (!whole && (x + dx[k] < 0 || x + dx[k] >= W || y + dy[k] < 0 || y + dy[k] >= H)) continue;
          const at = start + offset[k], share = cover[k] * alpha;
          out[at] += (colour[0] - out[at]) * share;
          out[at + 1] += (colour[1] - out[at + 1]) * share;
          out[at + 2] += (colour[2] - out[at + 2]) * share;
        }
      }
    };
    if (model.get("density")) shade(out, W, H);
    else put(some ? 0.13 : 0.85, 0);
    put(1, 1);
    to.putImageData(picture, 0, 0);
    stale = false;
  }
  function shade(out, W, H) { // counts in cells, blurred, as paper to blue
    const cell = Math.max(1, Math.round(CELL * ratio)), across = Math.ceil(W / cell), down = Math.ceil(H / cell);
    let counts = new Float32Array(across * down);
    for (let i = 0; i < groups.length; i++) {
      const x = Math.floor((places[2 * i] * ratio) / cell), y = Math.floor((places[2 * i + 1] * ratio) / cell);
      if (!gone[i] && x >= 0 && y >= 0 && x < across && y < down) counts[y * across + x]++;
    }
    const blur = (from, length, step, lines, jump, reach) => {
      const into = new Float32Array(from.length);
      for (let line = 0; line < lines; line++) {
        let sum = 0;
        for (let k = -reach; k < length; k++) {
          if (k + reach < length) sum += from[line * jump + (k + reach) * step];
          if (k - reach - 1 >= 0) sum -= from[line * jump + (k - reach - 1) * step];
          if (k >= 0) into[line * jump + k * step] = sum;
        }
      }
      return into;
    };
    for (let pass = 0; pass < 2; pass++) {
      counts = blur(counts, across, 1, down, across, 4);
      counts = blur(counts, down, across, across, 1, 4);
    }
    let most = 0;
    for (const v of counts) if (v > most) most = v;
    if (!most) return;
    const ramp = new Uint32Array(256), [r, g, b] = theme.rgb, deep = theme.dark ? [120, 200, 255] : [0, 66, 122];
    for (let v = 0; v < 256; v++) {
      const share = Math.sqrt(v / 255), mix = (from, end) => Math.round(from + (end - from) * share);
      ramp[v] = (255 << 24) | (mix(b, deep[2]) << 16) | (mix(g, deep[1]) << 8) | mix(r, deep[0]);
    }
    const pixels = new Uint32Array(out.buffer);
    for (let y = 0; y < H; y++) {
      const row = Math.floor(y / cell) * across;
      for (let x = 0; x < W; x++) pixels[y * W + x] = ramp[Math.round((255 * Math.max(0, counts[row + Math.floor(x / cell)])) / most)];
    }
  }
  function draw() {
    ratio = window.devicePixelRatio || 1;
    wide = canvas.clientWidth;
    tall = model.get("height");
    canvas.style.height = `${tall}px`;
    if (!wide) return;
    const width = Math.round(wide * ratio), height = Math.round(tall * ratio);
    if (canvas.width !== width || canvas.height !== height) {
      canvas.width = width;
      canvas.height = height;
      stale = true;
    }
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    if (stale) paint();
    context.drawImage(points, 0, 0, wide, tall);
    context.fillStyle = theme.paper;
    context.fillRect(0, 0, wide, TOP - 5);
    context.strokeStyle = theme.line;
    context.lineWidth = 1;
    context.strokeRect(0.5, TOP - 4.5, wide - 1, tall - TOP + 3);
    context.fillStyle = theme.ink;
    context.font = "13px sans-serif";
    context.fillText(model.get("title"), 4, 15, wide - 8);
    if (path && path.length > 1) {
      context.beginPath();
      path.forEach(([x, y]) => context.lineTo(x, y));
      context.closePath();
      context.fillStyle = "rgba(0,114,178,0.15)";
      context.fill();
      context.strokeStyle = theme.ink;
      context.stroke();
    } else if (hovered >= 0) tip();
    words();
  }
  function words() {
    const count = groups.length - model.get("hidden").length, some = model.get("selected").length, [x, y, zoom] = model.get("view");
    const label = `${model.get("title")}: ${count} points in a plane, ${some} chosen, zoom ${zoom.toFixed(1)}. ${HELP}`;
    if (canvas.getAttribute("aria-label") !== label) canvas.setAttribute("aria-label", label);
    Object.assign(canvas.dataset, { points: count, chosen: some, view: [x, y, zoom].map((v) => v.toFixed(4)).join() });
    const told = `${some} chosen`;
    if (said.textContent !== told) said.textContent = told;
  }
  function tip() {
    texts ??= new TextDecoder().decode(bytes(model.get("texts"))).split("\n");
    const x = places[2 * hovered], y = places[2 * hovered + 1];
    context.strokeStyle = theme.strong;
    context.lineWidth = 1.5;
    context.beginPath();
    context.arc(x, y, 7, 0, 2 * Math.PI);
    context.stroke();
    context.font = "12px sans-serif";
    const long = context.measureText(texts[hovered]).width, at = Math.max(4, Math.min(x + 10, wide - long - 8));
    context.fillStyle = theme.paper;
    context.globalAlpha = 0.93;
    context.fillRect(at - 4, y - 26, long + 8, 18);
    context.globalAlpha = 1;
    context.fillStyle = theme.strong;
    context.fillText(texts[hovered], at, y - 13);
  }

  // ---- the clip under the pointer, as a small body that moves
  let asked = 0, motion = null, begun = 0, playing = false;
  function point(index) {
    if (index === hovered) return;
    hovered = index;
    clearTimeout(asked);
    hush();
    asked = setTimeout(() => {
      if (model.get("hovered") === hovered) return play();
      model.set("hovered", hovered);
      model.save_changes();
    }, REST);
    ask();
  }
  function hush() {
    motion = null;
    bubble.style.display = "none";
    delete root.dataset.preview;
  }
  function play() {
    const given = model.get("preview");
    if (hovered < 0 || given.index !== hovered || !given.points || motion) return;
    motion = { ...given, points: new Float32Array(bytes(given.points)) };
    const side = 120, x = places[2 * hovered], y = places[2 * hovered + 1];
    bubble.width = bubble.height = side * ratio;
    const left = x + 16 + side < wide ? x + 16 : x - 16 - side, top = Math.max(2, Math.min(tall - side - 2, y));
    bubble.style.cssText = `display:block;left:${Math.max(0, left)}px;top:${top}px;width:${side}px;height:${side}px`;
    root.dataset.preview = hovered;
    begun = performance.now();
    if (!playing) { playing = true; requestAnimationFrame(move); }
  }
  function move(now) {
    if (!motion || !root.isConnected) { playing = false; return; }
    const { shape: [frames, people, joints], bones, fps, points: at, ends } = motion, side = 120;
    const frame = Math.floor(((now - begun) / 1000) * fps + frames) % frames;
    const pen = bubble.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.fillStyle = theme.paper;
    pen.fillRect(0, 0, side, side);
    pen.lineWidth = 2;
    pen.lineCap = "round";
    for (let person = 0; person < people; person++) {
      const spot = (joint) => {
        const i = 2 * ((frame * people + person) * joints + joint);
        return [at[i] * (side - 16) + 8, at[i + 1] * (side - 16) + 8];
      };
      bones.forEach(([a, b], k) => {
        const [from, end] = [spot(a), spot(b)];
        if (Number.isNaN(from[0]) || Number.isNaN(end[0])) return;
        pen.strokeStyle = ends[k] || theme.ink;
        pen.beginPath();
        pen.moveTo(...from);
        pen.lineTo(...end);
        pen.stroke();
      });
    }
    root.dataset.previewFrame = frame;
    requestAnimationFrame(move);
  }

  // ---- hands: one pointer chooses or moves, two move and zoom
  let path = null, grip = null, op = "new", mode = "lasso";
  const fingers = new Map();
  function choose(trait, value) {
    model.set(trait, value);
    model.save_changes();
  }
  function spot(event) {
    const frame = canvas.getBoundingClientRect();
    return [event.clientX - frame.left, event.clientY - frame.top];
  }
  function near([x, y]) {
    let best = -1, least = REACH * REACH;
    for (let i = 0; i < places.length; i += 2) {
      const d = (places[i] - x) ** 2 + (places[i + 1] - y) ** 2;
      if (d < least && !gone[i / 2]) { least = d; best = i / 2; }
    }
    return best;
  }
  function take(found) { // what was circled, under the operation of the gesture
    const set = op === "new" ? new Set() : new Set(model.get("selected"));
    for (const i of found) op === "subtract" ? set.delete(i) : set.add(i);
    choose("selected", [...set].sort((a, b) => a - b));
  }
  function circled() {
    const found = [];
    for (let i = 0; i < groups.length; i++) if (!gone[i] && inside(path, places[2 * i], places[2 * i + 1])) found.push(i);
    return found;
  }
  function click(index) {
    if (index < 0) { if (op === "new") choose("selected", []); }
    else if (op !== "new") take([index]);
    else choose("clicked", { index, count: (model.get("clicked").count || 0) + 1 });
  }
  const between = () => {
    const [[ax, ay], [bx, by]] = [...fingers.values()];
    return { x: (ax + bx) / 2, y: (ay + by) / 2, apart: Math.hypot(ax - bx, ay - by) };
  };
  canvas.onpointerdown = (event) => {
    const at = spot(event);
    fingers.set(event.pointerId, at);
    canvas.setPointerCapture(event.pointerId);
    point(-1);
    if (fingers.size === 2) { path = null; grip = between(); return; }
    op = event.shiftKey ? "add" : event.altKey ? "subtract" : how.value;
    mode = event.button === 1 ? "pan" : model.get("mode");
    if (event.button === 1) event.preventDefault();
    path = mode === "pan" ? null : [at];
    grip = { x: at[0], y: at[1], from: at, far: false };
  };
  canvas.onpointermove = (event) => {
    const at = spot(event);
    if (!fingers.has(event.pointerId)) { point(near(at)); return; }
    if (!ours(event)) return;
    fingers.set(event.pointerId, at);
    if (fingers.size === 2) {
      const now = between();
      panBy(now.x - grip.x, now.y - grip.y);
      zoomAt(now.x, now.y, now.apart / Math.max(1, grip.apart));
      grip = now;
      return;
    }
    if (!grip || !grip.from) return;
    grip.far ||= Math.hypot(at[0] - grip.from[0], at[1] - grip.from[1]) >= CLICK;
    if (mode === "pan") { if (grip.far) panBy(at[0] - grip.x, at[1] - grip.y); }
    else if (mode === "box") path = [grip.from, [at[0], grip.from[1]], at, [grip.from[0], at[1]]];
    else path.push(at);
    [grip.x, grip.y] = at;
    ask();
  };
  canvas.onpointerup = (event) => {
    const two = fingers.size > 1;
    fingers.delete(event.pointerId);
    if (!two && grip && grip.from) {
      if (!grip.far) click(near(grip.from));
      else if (path) take(circled());
    }
    path = grip = null;
    ask();
  };
  canvas.onpointercancel = (event) => { fingers.delete(event.pointerId); path = grip = null; ask(); };
  canvas.onpointerleave = () => { point(-1); ask(); };
  canvas.addEventListener("wheel", (event) => {
    const [x, y] = spot(event);
    zoomAt(x, y, Math.exp(-Math.max(-200, Math.min(200, event.deltaY * (event.deltaMode ? 30 : 1))) * (event.ctrlKey ? 0.01 : 0.002)));
    event.preventDefault();
  }, { passive: false });
  canvas.onkeydown = (event) => {
    const step = 40, middle = [wide / 2, (TOP + tall - EDGE) / 2];
    const acts = {
      ArrowLeft: () => panBy(step, 0), ArrowRight: () => panBy(-step, 0), ArrowUp: () => panBy(0, step), ArrowDown: () => panBy(0, -step),
      "+": () => zoomAt(...middle, 1.25), "=": () => zoomAt(...middle, 1.25), "-": () => zoomAt(...middle, 0.8), 0: () => look([0, 0, 1]),
      Escape: () => { path = grip = null; choose("selected", []); },
      Enter: () => {
        let best = -1, least = Infinity;
        for (let i = 0; i < groups.length; i++) {
          const d = (places[2 * i] - middle[0]) ** 2 + (places[2 * i + 1] - middle[1]) ** 2;
          if (d < least && !gone[i]) { least = d; best = i; }
        }
        op = event.shiftKey ? "add" : event.altKey ? "subtract" : "new";
        if (best >= 0) click(best);
      },
    };
    if (!acts[event.key] || event.ctrlKey || event.metaKey) return;
    acts[event.key]();
    event.preventDefault();
    event.stopPropagation();
  };

  // ---- one redraw per animation frame, whatever changed
  let due = false;
  function ask() {
    if (due) return;
    due = true;
    requestAnimationFrame(() => { due = false; draw(); });
  }
  function settings() {
    for (const [name, made] of Object.entries(modes)) made.setAttribute("aria-pressed", String(model.get("mode") === name));
    dense.setAttribute("aria-pressed", String(model.get("density")));
    canvas.style.cursor = model.get("mode") === "pan" ? "grab" : "crosshair";
  }
  const renew = () => { read(); hush(); stale = true; ask(); };
  const repaint = () => { mark(); settings(); stale = true; ask(); };
  const turned = () => { if (!own && performance.now() - gesture > 2 * REST) { stale = true; ask(); } };
  const heard = [
    ["change:xy", renew], ["change:groups", renew], ["change:texts", renew], ["change:title", ask], ["change:view", turned],
    ["change:preview", play],
    ...["selected", "hidden", "height", "mode", "density"].map((name) => [`change:${name}`, repaint]),
  ];
  for (const [name, act] of heard) model.on(name, act);
  window.addEventListener(LINKED, linked);
  const watch = new ResizeObserver(ask);
  watch.observe(root);
  read();
  settings();
  ask();
  return () => {
    watch.disconnect();
    undress();
    clearTimeout(owed);
    clearTimeout(asked);
    window.removeEventListener(LINKED, linked);
    for (const [name, act] of heard) model.off(name, act);
  };
}

export default { render };
