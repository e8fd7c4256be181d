// The page "SLiM in your browser": what is chosen and painted goes through the encoder, and every view is drawn from its answer.
// The bodies and the grids are the explorers' own canvases (slimlab/widgets); notebooks/browser_page.py puts the page together.

const GREY = [178, 178, 178], MASKED = "#CC79A7";
const VIEWS = ["mask", "tokens", "attention", "prototypes"];
const KEPT = 30; // places on the map of masks drawn before

// What a canvas of the explorers calls its model: values with listeners.
function traits(values) {
  const heard = [];
  return {
    get: (key) => values[key],
    set(key, value) {
      if (values[key] === value) return;
      values[key] = value;
      for (const [event, act] of [...heard]) if (event === `change:${key}` || event === "change") act();
    },
    put(more) { for (const [key, value] of Object.entries(more)) this.set(key, value); },
    on(events, act) { for (const event of events.split(" ")) heard.push([event, act]); },
    off(events, act) { for (let i = heard.length - 1; i >= 0; i--) if (events.split(" ").includes(heard[i][0]) && heard[i][1] === act) heard.splice(i, 1); },
    save_changes() {},
  };
}

const view = (array) => new DataView(array.buffer, array.byteOffset, array.byteLength);
const rgb = (text) => [1, 3, 5].map((i) => parseInt(text.slice(i, i + 2), 16));
const percent = (share) => `${(100 * share).toFixed(0)} %`;
const spaced = (text) => text.replaceAll("_", " ");

function make(tag, properties, parent) {
  const element = Object.assign(document.createElement(tag), properties);
  parent?.append(element);
  return element;
}

export default async function start({ ort, canvas: shared, masks, network, stage, cells, wasm, content }) {
  const { frames, joints, steps, patch, body, clips, gallery } = content, count = steps * joints;
  const $ = (selector) => document.querySelector(selector);
  const machine = await network.open(ort, wasm, content);
  const shown = { joints: body.names.length, parts: Object.values(body.parts) };
  for (const weights of Object.values(content.weights)) {
    weights.features = network.floats(weights.features); // (clips, F)
    weights.width = weights.features.length / gallery.label.length;
    weights.xy = network.floats(weights.xy);
  }
  clips.forEach((clip) => { clip.x = network.coordinates(clip.joints, content.unit); });

  // ---- what is chosen
  let byHand = false; // whether the mask was changed since it was drawn
  const now = { clip: 0, turn: 0, weights: "trained", strategy: "semantic_tubes", ratio: 0.5, seed: 0, view: "mask", query: [0, 0], layer: -1, head: -1, which: "masked" };
  let mask = new Uint8Array(count), tubes = new Int32Array(count), whole = null, hidden = null, student = null, trail = [];

  // ---- the answers
  let asked = 0, busy = false, teacher = { input: "" }; // the answer to a whole clip, and which clip it was
  const took = {};
  async function answer() { // asks again where something was changed meanwhile
    asked += 1;
    if (busy) return;
    busy = true;
    try { await serve(); } finally { busy = false; }
    document.body.dataset.answered = String(asked);
    document.body.dataset.took = took.answer.toFixed(1);
  }
  async function serve() {
    for (let served = 0; served < asked;) {
      served = asked;
      const begin = performance.now();
      const x = network.prepared(network.turned(clips[now.clip].x, now.turn), joints, body.center, content.scale);
      const nothing = new Uint8Array(count), given = mask.slice(), input = [now.weights, now.clip, now.turn].join();
      // all that belongs to this question is named before the network is asked: the settings change while it thinks
      if (teacher.input !== input) teacher = { input, says: await machine.run(now.weights, "teacher", x, nothing) };
      if (served !== asked) continue;
      const found = await machine.run(now.weights, "teacher", x, given);
      const theirs = now.view === "prototypes" ? await machine.run(now.weights, "student", x, given) : null;
      if (served !== asked) continue;
      [whole, hidden, student] = [teacher.says, found, theirs];
      took.answer = performance.now() - begin;
      place();
      draw();
    }
  }
  function redraw() { // another mask
    tubes = new Int32Array(count);
    byHand = false;
    const motion = masks.motionMagnitude(clips[now.clip].x, joints, patch);
    mask = masks.draw(now.strategy, steps, shown, now.ratio, now.seed, motion, tubes);
    mask.forEach((cell, i) => { if (cell && !tubes[i]) tubes[i] = 1; });
    answer();
  }
  function afresh() { // another input
    trail = [];
    answer();
  }

  // ---- neighbors and the map
  const cosine = (f, table, row) => {
    let dot = 0, norm = 0;
    for (let i = 0, at = row * f.length; i < f.length; i++, at++) { dot += f[i] * table[at]; norm += table[at] * table[at]; }
    return dot / (Math.hypot(...f) * Math.sqrt(norm));
  };
  function nearest(f) { // of other people, as a test on new subjects has it
    const { features } = content.weights[now.weights], self = clips[now.clip].subject, best = [];
    for (let row = 0; row < gallery.label.length; row++) if (gallery.subject[row] !== self) best.push([cosine(f, features, row), row]);
    return best.sort((one, other) => other[0] - one[0]).slice(0, 5).map(([, row]) => row);
  }
  function onMap(f) {
    const { mean, axes } = content.weights[now.weights];
    return axes.map((axis) => axis.reduce((sum, a, i) => sum + a * (f[i] - mean[i]), 0));
  }
  let places = null;
  function place() {
    const [plain, covered] = [whole, hidden].map(network.features);
    places = { plain: onMap(plain), covered: onMap(covered), plainNear: nearest(plain), coveredNear: nearest(covered), features: covered };
    trail = [...trail, places.covered].slice(-KEPT);
  }

  const canvas = $("#map canvas"), pen = canvas.getContext("2d");
  const { theme } = shared.dressed(canvas, () => drawMap());
  let spots = [], pointed = null;
  const colour = (label) => (theme.dark ? theme.readable(content.colors[label % content.colors.length], 2.5) : content.colors[label % content.colors.length]);
  function drawMap() {
    const ratio = window.devicePixelRatio || 1, [width, height] = [canvas.clientWidth, canvas.clientHeight];
    if (!width || !places) return;
    [canvas.width, canvas.height] = [Math.round(width * ratio), Math.round(height * ratio)];
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    const { xy } = content.weights[now.weights], every = [...trail, places.plain, places.covered];
    const low = [Infinity, Infinity], high = [-Infinity, -Infinity];
    const stretch = (p) => p.forEach((v, k) => { low[k] = Math.min(low[k], v); high[k] = Math.max(high[k], v); });
    for (let i = 0; i < xy.length; i += 2) stretch([xy[i], xy[i + 1]]);
    every.forEach(stretch);
    const scale = Math.min((width - 40) / (high[0] - low[0]), (height - 40) / (high[1] - low[1]));
    const at = ([x, y]) => [width / 2 + scale * (x - (low[0] + high[0]) / 2), height / 2 - scale * (y - (low[1] + high[1]) / 2)];
    const dot = ([x, y], radius, fill, stroke) => {
      pen.beginPath();
      pen.arc(x, y, radius, 0, 2 * Math.PI);
      if (fill) { pen.fillStyle = fill; pen.fill(); }
      if (stroke) { pen.strokeStyle = stroke; pen.lineWidth = 1.5; pen.stroke(); }
    };
    const line = (a, b, style, thick) => {
      pen.strokeStyle = style;
      pen.lineWidth = thick;
      pen.beginPath();
      pen.moveTo(...a);
      pen.lineTo(...b);
      pen.stroke();
    };
    spots = [];
    pen.globalAlpha = theme.dark ? 0.75 : 0.55;
    gallery.label.forEach((label, row) => {
      const p = at([xy[2 * row], xy[2 * row + 1]]);
      spots.push([...p, row]);
      dot(p, 2.6, colour(gallery.exercise[label]));
    });
    pen.globalAlpha = 1;
    for (const clip of clips) dot(spots[clip.row], 4, colour(gallery.exercise[clip.label]), theme.ink); // those that the page has
    const [plain, covered] = [at(places.plain), at(places.covered)];
    trail.slice(0, -1).forEach((p) => dot(at(p), 2.5, null, MASKED));
    places.coveredNear.forEach((row) => { line(covered, spots[row].slice(0, 2), "rgba(204,121,167,0.8)", 1); dot(spots[row], 4, colour(gallery.exercise[gallery.label[row]]), MASKED); });
    line(plain, covered, theme.ink, 2);
    dot(plain, 6, theme.paper, theme.ink);
    dot(plain, 3.5, colour(gallery.exercise[clips[now.clip].label]));
    dot(covered, 6, MASKED, theme.paper);
    pen.font = "12px sans-serif";
    for (const [p, text] of [[plain, "whole"], [covered, "masked"]]) {
      pen.strokeStyle = theme.paper;
      pen.lineWidth = 4;
      pen.strokeText(text, p[0] + 9, p[1] + 4);
      pen.fillStyle = theme.ink;
      pen.fillText(text, p[0] + 9, p[1] + 4);
    }
    if (pointed !== null) {
      const [x, y, row] = spots[pointed], text = named(row), long = pen.measureText(text).width, left = Math.max(6, Math.min(x + 10, width - long - 10));
      dot([x, y], 7, null, theme.strong);
      pen.fillStyle = theme.veil;
      pen.fillRect(left - 4, Math.max(y - 24, 2), long + 8, 18);
      pen.fillStyle = theme.strong;
      pen.fillText(text, left, Math.max(y - 24, 2) + 13);
    }
    document.querySelectorAll("#map .legend i").forEach((mark, i) => { mark.style.background = colour(i); });
    const label = `Map of ${spots.length} clips; the chosen one is ${named(clips[now.clip].row)}. Arrow keys go from point to point, N to the next neighbor of the masked clip, Enter opens.`;
    if (canvas.getAttribute("aria-label") !== label) canvas.setAttribute("aria-label", label);
  }
  const named = (row) => `${gallery.names[gallery.label[row]]} (person ${gallery.subject[row]})`;

  // ---- a point of the map: by pointer or key it is pointed at, and opened
  const told = $("#map .said");
  const own = (row) => { // the clip that opens: the point's own, or the page's of its class
    const here = clips.findIndex((clip) => clip.row === row);
    return here >= 0 ? here : clips.findIndex((clip) => clip.label === gallery.label[row]);
  };
  function point(row) {
    if (row === pointed) return;
    pointed = row;
    const opens = row === null ? null : clips[own(row)];
    told.textContent = row === null ? "" : opens.row === row ? `${named(row)}: opens.` : `${named(row)}: not on this page; opens person ${opens.subject} of this class.`;
    drawMap();
  }
  function open(row) {
    const select = $("#clip");
    select.value = String(own(row));
    select.onchange();
  }
  const under = (event) => {
    const box = canvas.getBoundingClientRect(), [x, y] = [event.clientX - box.left, event.clientY - box.top];
    let best = null, near = event.pointerType === "touch" ? 22 : 12;
    spots.forEach(([a, b], i) => { const away = Math.hypot(a - x, b - y); if (away < near) [best, near] = [i, away]; });
    return best;
  };
  canvas.onpointermove = (event) => point(under(event));
  canvas.onpointerleave = () => point(null);
  canvas.onclick = (event) => {
    const row = under(event);
    point(row);
    if (row !== null) open(row);
  };
  canvas.onkeydown = (event) => {
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key], from = pointed ?? clips[now.clip].row;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (way) {
      let best = null, least = Infinity; // ahead, and rather straight ahead than near
      spots.forEach(([x, y], row) => {
        const [dx, dy] = [x - spots[from][0], y - spots[from][1]], ahead = dx * way[0] + dy * way[1], aside = Math.abs(dx * way[1] + dy * way[0]);
        if (row !== from && ahead > 1 && aside <= ahead && ahead + 2 * aside < least) [best, least] = [row, ahead + 2 * aside];
      });
      if (best !== null || pointed === null) point(best ?? from);
    } else if (event.key === "n" || event.key === "N") point(places.coveredNear[(places.coveredNear.indexOf(pointed) + 1) % places.coveredNear.length]);
    else if (event.key === "Enter" || event.key === " ") open(from);
    else if (event.key === "Escape") point(null);
    else return;
    event.preventDefault();
  };
  function listNeighbors() {
    const box = $(".neighbors"), mine = clips[now.clip].label, buttons = () => [...box.querySelectorAll("button")];
    const focused = buttons().indexOf(document.activeElement);
    box.replaceChildren();
    for (const [title, rows] of [["nearest to the whole clip", places.plainNear], ["nearest to the masked clip", places.coveredNear]]) {
      const part = make("div", {}, box), same = rows.filter((row) => gallery.label[row] === mine).length;
      make("h3", { textContent: `${title}: ${same} of ${rows.length} of its class` }, part);
      const list = make("ol", {}, part);
      for (const row of rows) make("button", { textContent: named(row), title: "open the clip, or the page's of its class", onclick: () => open(row) }, make("li", { className: gallery.label[row] === mine ? "same" : "other" }, list));
    }
    if (focused >= 0) buttons()[focused]?.focus();
  }

  // ---- colors of tokens, (count, 3)
  function viridis(share) {
    const at = Math.max(0, Math.min(1, share)) * (content.viridis.length - 1), i = Math.min(Math.floor(at), content.viridis.length - 2);
    return content.viridis[i].map((c, k) => c + (at - i) * (content.viridis[i + 1][k] - c));
  }
  const answered = () => (now.which === "whole" ? whole : hidden);
  function tokenColors({ tokens }) {
    const { rgb: map } = content.weights[now.weights], width = tokens.length / count;
    return Array.from({ length: count }, (_, cell) => map.axes.map((axis, k) => {
      let sum = 0;
      for (let i = 0; i < width; i++) sum += axis[i] * (tokens[cell * width + i] - map.mean[i]);
      return 255 * Math.max(0, Math.min(1, (sum - map.low[k]) / (map.high[k] - map.low[k])));
    }));
  }
  function attended() { // (count,) from the chosen token, of the chosen layer and head
    const { attention } = answered(), { layers, heads, first } = content, length = first + count;
    const query = first + now.query[0] * joints + now.query[1], out = new Float32Array(count);
    const layer = now.layer < 0 ? layers - 1 : now.layer;
    const chosen = now.head < 0 ? [...Array(heads).keys()] : [now.head];
    for (const head of chosen) {
      const row = ((layer * heads + head) * length + query) * length + first;
      for (let i = 0; i < count; i++) out[i] += attention[row + i] / chosen.length;
    }
    return out;
  }
  function best(logits) { // the nearest prototype of each token
    const K = logits.length / count;
    return Array.from({ length: count }, (_, cell) => {
      let top = 0;
      for (let k = 1; k < K; k++) if (logits[cell * K + k] > logits[cell * K + top]) top = k;
      return top;
    });
  }
  // The share of prototypes that the student puts behind the teacher's: at the token itself, and on average for the teacher's
  // prototypes of the other masked tokens; `analysis.agreement`.
  function standing(logits, targets, where) {
    const K = logits.length / count;
    let own = 0, every = 0;
    for (const cell of where) {
      const values = logits.subarray(cell * K, (cell + 1) * K), place = new Float32Array(K);
      [...values.keys()].sort((a, b) => values[a] - values[b]).forEach((k, rank) => { place[k] = rank / (K - 1); });
      own += place[targets[cell]];
      for (const other of where) every += place[targets[other]];
    }
    const pairs = where.length * (where.length - 1);
    return { own: own / where.length, elsewhere: pairs ? (every - own) / pairs : NaN };
  }
  function prototypeColors(prototypes, palette) {
    return prototypes.map((k) => palette.get(k) || GREY);
  }

  // ---- drawing
  const front = (x) => { // the stage's axes: right, away, up from the floor, the person in the middle
    const out = new Float32Array(x.length);
    let floor = Infinity;
    const middle = [0, 2].map((axis) => { let sum = 0; for (let i = axis; i < x.length; i += 3) sum += x[i]; return (3 * sum) / x.length; });
    for (let i = 1; i < x.length; i += 3) floor = Math.min(floor, x[i]);
    for (let i = 0; i < x.length; i += 3) out.set([middle[0] - x[i], x[i + 2] - middle[1], x[i + 1] - floor], i);
    return out;
  };
  const people = traits({ joints: view(new Float32Array(0)), shape: [2, frames, 1, joints], colors: null, sizes: null, scene: null, fps: 15, frame: 0, playing: false, loop: true,
    speed: 1, camera: "oblique", trails: [], trail_seconds: 1, names: false, height: 330, clicked: {}, rings: [] });
  const grid = traits({ colors: view(new Uint8Array(0)), scene: {}, ring: [], now: -1, panel: -1, height: 400, clicked: {} });
  let mounted = false;

  function paint(cell) { // (count,) -> every frame of the left body: what is masked; of the right: the colors of the view
    const right = new Uint8Array(2 * frames * joints * 3), size = new Float32Array(2 * frames * joints).fill(1);
    for (let t = 0; t < frames; t++) {
      const step = Math.floor(t / patch);
      for (let j = 0; j < joints; j++) {
        const at = step * joints + j, i = t * joints + j;
        right.set(body.sides[j], 3 * i);
        if (mask[at]) size[i] = 0;
        right.set(cell[at].map(Math.round), 3 * (frames * joints + i));
      }
    }
    return { colors: view(right), sizes: view(size) };
  }
  function scene(x, titles, legend) {
    const low = [-0.5, -0.5, 0], high = [0.5, 0.5, 1];
    for (let i = 0; i < x.length; i++) { low[i % 3] = Math.min(low[i % 3], x[i] - 0.1); high[i % 3] = Math.max(high[i % 3], x[i] + 0.1); }
    low[2] = 0;
    return { names: body.names, bones: body.bones, ends: body.ends, titles, extent: [low, high], legend, bar: null };
  }
  const hex = (text) => rgb(text);
  const tubeColors = () => Array.from(tubes, (n, cell) => (mask[cell] ? hex(content.tubes[(Math.max(n, 1) - 1) % content.tubes.length]) : GREY));

  function draw() {
    if (!hidden || !whole) return; // the answer draws
    const crossed = [];
    for (let cell = 0; cell < count; cell++) if (mask[cell]) crossed.push([Math.floor(cell / joints), cell % joints]);
    const share = crossed.length / count;
    let colors, titles, texts = [], ring = [], says, right = "";
    if (now.view === "mask") {
      colors = [tubeColors()];
      titles = ["one square is a token: a joint over eight frames"];
      says = `${percent(share)} of ${count} tokens are masked. The student sees the rest alone; the teacher sees them all. To mask and free tokens, click or drag on the squares, or click a joint of the body on the right.`;
      right = `masked (${byHand ? "by hand" : spaced(now.strategy)})`;
    } else if (now.view === "tokens") {
      colors = [tokenColors(whole), tokenColors(hidden)];
      titles = ["tokens of the whole clip", "tokens of the masked clip"];
      says = "Each token's features as a color: their first three principal components over all clips. Tokens of similar features have similar colors. On the right, masked tokens (crosses) have no input of their own; what they know, they know from the others.";
      right = "tokens of the masked clip";
    } else if (now.view === "attention") {
      const values = attended(), top = Math.max(...values), uniform = 1 / (content.first + count);
      colors = [Array.from(values, (v) => viridis(v / top))];
      const covered = now.which === "masked" && mask[now.query[0] * joints + now.query[1]] ? ", masked" : "";
      titles = [`attention of ${spaced(body.names[now.query[1]])} at step ${now.query[0]}${covered} (click another token)`];
      texts = [Array.from({ length: steps }, (_, t) => Array.from({ length: joints }, (_, j) => `${(100 * values[t * joints + j]).toFixed(2)} %`))];
      ring = now.query;
      const onto = values.reduce((sum, v, cell) => sum + (mask[cell] ? v : 0), 0), all = values.reduce((sum, v) => sum + v, 0);
      says = `The brightest token gets ${(100 * top).toFixed(1)} % of the attention; if all ${content.first + count} were alike, each would get ${(100 * uniform).toFixed(1)} %. CLS and registers get ${percent(1 - all)}. ${share ? `Masked tokens are ${percent(share)} of the joints' tokens and get ${percent(onto / all)} of the attention to those.` : ""} Attention shows where values come from. Whether they matter, hiding them shows.`;
      right = "attention";
    } else {
      const teacher = best(whole.logits), guess = student ? best(student.logits) : teacher;
      const often = new Map();
      for (const k of teacher) often.set(k, (often.get(k) || 0) + 1);
      const palette = new Map([...often].sort((a, b) => b[1] - a[1]).slice(0, content.tubes.length).map(([k], i) => [k, hex(content.tubes[i])]));
      colors = [prototypeColors(teacher, palette), prototypeColors(guess, palette)];
      titles = ["teacher, whole clip", "student, masked clip"];
      texts = [teacher, guess].map((each) => Array.from({ length: steps }, (_, t) => Array.from({ length: joints }, (_, j) => `prototype ${each[t * joints + j]}`)));
      const where = crossed.map(([t, j]) => t * joints + j), ranks = student && where.length ? standing(student.logits, teacher, where) : null;
      const hit = where.filter((cell) => teacher[cell] === guess[cell]).length;
      says = ranks
        ? `Masked feature prediction: at each masked token the student has to find the teacher's prototype, of ${whole.logits.length / count}. It puts it ahead of ${percent(ranks.own)} of the others (50 % by chance), and the teacher's prototypes of the other masked tokens ahead of ${percent(ranks.elsewhere)}; ${hit} of ${where.length} are first. Colors: the teacher's most frequent prototypes in this clip; all others are grey. ${content.weights[now.weights].prototypes}`
        : "Masked feature prediction: at each masked token the student has to find the teacher's prototype. Mask something to see it try.";
      right = "prototypes of the student";
    }
    const order = shown.parts.flat();
    let edge = 0;
    grid.put({
      colors: view(Uint8Array.from(colors.flat(2).map(Math.round))),
      scene: { steps, order, edges: shown.parts.slice(0, -1).map((part) => (edge += part.length)), names: body.names, titles, columns: 2, labels: true,
        crossed: now.view === "mask" ? [[]] : colors.length > 1 ? [[], crossed] : [crossed], texts, bars: null, paint: now.view === "mask" },
      ring,
      now: Math.floor(people.get("frame") / patch),
    });
    const x = front(network.turned(clips[now.clip].x, now.turn)), both = new Float32Array(2 * x.length);
    both.set(x);
    both.set(x, x.length);
    const legend = now.view === "mask" ? [["grey: visible", "#777"], ["colors: masked, one a tube", content.tubes[0]]] : [];
    people.put({ joints: view(both), ...paint(colors.at(-1)), scene: scene(x, ["what the student sees", right], legend), fps: clips[now.clip].fps,
      rings: now.view === "attention" ? [[0, now.query[1]]] : [] });
    if (!mounted) {
      mounted = true;
      stage.default.render({ model: people, el: $("#bodies") });
      cells.default.render({ model: grid, el: $("#grid") });
    }
    $("#says").textContent = says;
    drawMap();
    listNeighbors();
    Object.assign(document.body.dataset, { view: now.view, masked: crossed.length });
  }

  // ---- hands
  function options(select, pairs, act) {
    for (const [value, text] of pairs) make("option", { value, textContent: text }, select);
    select.onchange = () => act(select.value);
  }
  options($("#clip"), clips.map((clip, i) => [i, `${gallery.names[clip.label]}, person ${clip.subject}`]), (value) => {
    now.clip = Number(value);
    people.set("frame", 0);
    trail = [];
    redraw();
  });
  options($("#weights"), Object.entries(content.weights).map(([name, w]) => [name, w.title]), (value) => { now.weights = value; afresh(); });
  options($("#strategy"), Object.keys(masks.STRATEGIES).map((name) => [name, spaced(name)]), (value) => { now.strategy = value; trail = []; redraw(); });
  function slider(id, act, text) {
    const input = $(id), tell = () => { input.nextElementSibling.value = text(Number(input.value)); };
    input.oninput = () => { tell(); act(Number(input.value)); };
    tell();
  }
  slider("#turn", (value) => { now.turn = value; answer(); }, (value) => `${value}°`);
  slider("#ratio", (value) => { now.ratio = value; redraw(); }, percent);
  $("#again").onclick = () => { now.seed += 1; redraw(); };
  $("#none").onclick = () => { byHand = true; mask = new Uint8Array(count); tubes = new Int32Array(count); answer(); };
  const tabs = VIEWS.map((name) => make("button", { textContent: name, onclick: () => choose(name) }, $(".tabs")));
  tabs.forEach((tab, i) => {
    tab.setAttribute("role", "tab");
    tab.onkeydown = (event) => { // as everywhere with tabs: arrow keys go from one to the next
      const to = { ArrowLeft: i - 1, ArrowRight: i + 1, Home: 0, End: tabs.length - 1 }[event.key], next = tabs[(to + tabs.length) % tabs.length];
      if (!next) return;
      next.focus();
      choose(VIEWS[tabs.indexOf(next)]);
      event.preventDefault();
    };
  });
  function choose(name) {
    now.view = name;
    tabs.forEach((tab, i) => {
      tab.setAttribute("aria-selected", String(VIEWS[i] === name));
      tab.tabIndex = VIEWS[i] === name ? 0 : -1;
    });
    const box = $("#choices");
    box.replaceChildren();
    const pick = (title, pairs, key, convert = Number) => {
      const select = make("select", {}, make("label", { textContent: title }, box));
      options(select, pairs, (value) => { now[key] = convert(value); draw(); });
      select.value = String(now[key]);
    };
    if (name === "attention") {
      pick("layer", Array.from({ length: content.layers }, (_, i) => [i === content.layers - 1 ? -1 : i, i + 1]), "layer");
      pick("head", [[-1, "mean of all"], ...Array.from({ length: content.heads }, (_, i) => [i, i + 1])], "head");
      pick("clip", [["masked", "masked"], ["whole", "whole"]], "which", String);
    }
    if (name === "prototypes" && !student) answer(); else draw();
  }
  function pressed(step, joint) {
    if (now.view === "mask") {
      const cell = step * joints + joint;
      mask = mask.slice();
      byHand = true;
      mask[cell] = 1 - mask[cell];
      tubes[cell] = mask[cell] ? Math.max(...tubes) + 1 : 0;
      answer();
    } else if (now.view === "attention") {
      now.query = [step, joint];
      draw();
    }
  }
  grid.on("change:clicked", () => { const { step, joint } = grid.get("clicked"); pressed(step, joint); });
  people.on("change:clicked", () => { const { joint, frame } = people.get("clicked"); pressed(Math.floor(frame / patch), joint); });
  people.on("change:frame", () => grid.set("now", Math.floor(people.get("frame") / patch)));
  new ResizeObserver(drawMap).observe(canvas);
  const legend = make("div", { className: "legend" });
  content.exercises.forEach((name) => { const item = make("span", {}, legend); make("i", {}, item); item.append(name); });
  $("#map").append(legend);

  // for tests and for the curious: the features on the screen, and the encoder on any input
  window.slim = { now, asked: () => asked, standing: () => standing(student.logits, best(whole.logits), [...mask.keys()].filter((cell) => mask[cell])), features: () => places.features, whole: () => network.features(whole), run: machine.run, prepared: network.prepared, turned: network.turned, clips, get mask() { return mask; } };
  choose("mask");
  redraw();
  $("main").hidden = false;
  $("#state").hidden = true;
}
