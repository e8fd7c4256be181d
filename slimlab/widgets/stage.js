// Bodies that move, on a canvas. The kernel sends the motion once; playing, turning, trails and names happen here.
// Traits: see stage.py. One redraw per animation frame, whatever changed.

const PRESETS = { front: [0, 0.12], oblique: [0.65, 0.28], side: [Math.PI / 2, 0.12], top: [0, Math.PI / 2 - 0.01] };
const SPEEDS = [0.25, 0.5, 1, 2, 4];
const TELL = 150; // ms between messages to the kernel while playing

function render({ model, el }) {
  const root = make("div", {}, el, "slimlab-stage");
  root.dataset.lmSuppressShortcuts = "true"; // JupyterLab leaves our keys alone
  const canvas = make("canvas", { tabIndex: 0 }, root);
  canvas.setAttribute("role", "img");
  const controls = make("div", {}, root, "slimlab-controls");
  const play = make("button", { title: "play or pause (space)" }, controls, "slimlab-play");
  const scrub = make("input", { type: "range", min: 0, step: 1, title: "frame (arrow keys)" }, controls, "slimlab-scrub");
  const readout = make("span", {}, controls, "slimlab-readout");
  const speed = make("select", { title: "speed" }, controls, "slimlab-speed");
  const camera = make("select", { title: "camera; drag to turn, wheel to zoom, double click to reset" }, controls, "slimlab-camera");
  const trails = make("select", { title: "paths of joints" }, controls, "slimlab-trails");
  const label = make("label", { title: "joint names" }, controls);
  const names = make("input", { type: "checkbox" }, label, "slimlab-names");
  label.append(" names");
  for (const s of SPEEDS) make("option", { value: s, textContent: `${s}×` }, speed);
  for (const name of Object.keys(PRESETS)) make("option", { value: name, textContent: name }, camera);
  for (const control of controls.querySelectorAll("button, input[type=range], select")) control.setAttribute("aria-label", control.title.split(/[;(]/)[0].trim());
  const context = canvas.getContext("2d");
  const { theme, undress } = dressed(root, () => ask()), ours = handed(canvas);

  // ---- what the kernel sent
  let scene, joints, colors, sizes, shape, at = model.get("frame"), told = at, toldAt = 0;
  function load() {
    shape = model.get("shape"); // clips, frames, people, joints
    scene = model.get("scene");
    joints = new Float32Array(bytes(model.get("joints")));
    scrub.max = shape[1] - 1;
    at = Math.min(at, shape[1] - 1);
    trails.replaceChildren();
    make("option", { value: "", textContent: "no trails" }, trails);
    make("option", { value: scene.ends.join(), textContent: "limb ends" }, trails);
    scene.names.forEach((name, j) => make("option", { value: String(j), textContent: name }, trails));
    make("option", { value: "other", textContent: "chosen", hidden: true }, trails);
    fit();
  }
  function paint() {
    colors = new Uint8Array(bytes(model.get("colors")));
    sizes = new Float32Array(bytes(model.get("sizes")));
  }
  const frame = () => Math.max(0, Math.min(Math.floor(at), shape[1] - 1));
  const place = (clip, f, person, joint) => (((clip * shape[1] + f) * shape[2] + person) * shape[3] + joint) * 3;
  function painted(array, clip, f, person, joint, width) {
    const frames = array.length / (width * shape[0] * shape[2] * shape[3]);
    return (((clip * frames + Math.min(f, frames - 1)) * shape[2] + person) * shape[3] + joint) * width;
  }

  // ---- the camera: an orbit around the middle of the stage; all clips share it
  let yaw = 0, pitch = 0, zoom = 1, scale = 1, far = 5, middle = [0, 0, 0], width = 0, height = 0;
  function look() {
    [yaw, pitch] = PRESETS[model.get("camera")] || PRESETS.front;
    zoom = 1;
    fit();
  }
  function fit() {
    if (!scene || !width) return;
    const [low, high] = scene.extent;
    middle = low.map((l, i) => (l + high[i]) / 2);
    far = 1.6 * Math.hypot(...low.map((l, i) => high[i] - l));
    scale = 1;
    let right = 1e-9, up = 1e-9; // every moment that fits has to; a few joints that a sensor threw away need not
    const points = joints.length / 3, step = Math.max(1, Math.floor(points / 3000));
    const reach = [];
    for (let i = 0; i < points; i += step) {
      const at = joints.subarray(3 * i, 3 * i + 3);
      if (!Number.isNaN(at[0]) && at.every((x, k) => x >= low[k] - 0.15 && x <= high[k] + 0.15)) reach.push(project(at));
    }
    for (const p of reach) {
      right = Math.max(right, Math.abs(p[0]));
      up = Math.max(up, Math.abs(p[1]));
    }
    scale = Math.min((0.45 * width) / shape[0] / right, (0.45 * (height - 44)) / up);
  }
  function project(p) { // metres -> pixels from the middle of the panel, and the distance from the viewer
    const x = p[0] - middle[0], y = p[1] - middle[1], z = p[2] - middle[2];
    const cy = Math.cos(yaw), sy = Math.sin(yaw), cp = Math.cos(pitch), sp = Math.sin(pitch);
    const right = cy * x + sy * y, away = -sy * x + cy * y;
    const depth = far + away * cp - z * sp, up = z * cp + away * sp;
    const k = (scale * zoom * far) / Math.max(depth, 0.1 * far);
    return [right * k, -up * k, depth, k];
  }

  // ---- drawing
  let spots = []; // where joints are on the canvas, for hovering and clicking
  function draw() {
    const ratio = window.devicePixelRatio || 1;
    if (!width || !scene) return;
    if (canvas.width !== Math.round(width * ratio)) canvas.width = Math.round(width * ratio);
    if (canvas.height !== Math.round(height * ratio)) canvas.height = Math.round(height * ratio);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.fillStyle = theme.paper;
    context.fillRect(0, 0, width, height);
    context.lineCap = "round";
    spots = [];
    for (let clip = 0; clip < shape[0]; clip++) panel(clip, frame());
    context.textAlign = "left";
    context.font = "12px sans-serif";
    let x = 10;
    for (const [text, colour] of scene.bar ? [] : scene.legend) {
      context.fillStyle = theme.readable(colour);
      context.fillText(text, x, height - 10);
      x += context.measureText(text).width + 12;
    }
    if (scene.bar) bar(scene.bar);
    const under = pointer && nearest(pointer); // of this frame: what was there may be hidden or gone by now
    if (under) tip(under);
    scrub.value = frame();
    const seconds = (frame() / model.get("fps")).toFixed(2);
    readout.textContent = `${String(frame()).padStart(3, "\u2007")} · ${seconds} s`;
    Object.assign(root.dataset, { frame: frame(), playing: model.get("playing"), clips: shape[0], drawn: spots.length, under: under ? scene.names[under.joint] : "" });
    const label = `${scene.titles.filter(Boolean).join("; ") || "a body"}: moving bodies. Space plays and pauses, arrow keys go from frame to frame, plus and minus zoom, Shift with arrow keys turns.`;
    if (canvas.getAttribute("aria-label") !== label) canvas.setAttribute("aria-label", label);
  }

  function panel(clip, f) {
    const wide = width / shape[0], left = clip * wide;
    context.save();
    context.beginPath();
    context.rect(left, 0, wide, height);
    context.clip();
    context.translate(left + wide / 2, height / 2 + 2);
    floor();
    for (const joint of model.get("trails")) trail(clip, f, joint);
    const shapes = [];
    for (let person = 0; person < shape[2]; person++) {
      const points = [];
      for (let joint = 0; joint < shape[3]; joint++) {
        const i = place(clip, f, person, joint);
        const hidden = Number.isNaN(joints[i]) || sizes[painted(sizes, clip, f, person, joint, 1)] === 0;
        points.push(hidden ? null : project(joints.subarray(i, i + 3)));
      }
      const colour = (joint) => {
        const i = painted(colors, clip, f, person, joint, 3);
        return `rgb(${colors[i]},${colors[i + 1]},${colors[i + 2]})`;
      };
      for (const [parent, joint] of scene.bones) {
        const [a, b] = [points[parent], points[joint]];
        if (!a || !b) continue;
        shadow(clip, f, person, parent, joint);
        shapes.push({ depth: (a[2] + b[2]) / 2, a, b, thick: 0.022 * (a[3] + b[3]), colour: colour(joint) });
      }
      points.forEach((p, joint) => {
        if (!p) return;
        const size = sizes[painted(sizes, clip, f, person, joint, 1)];
        shapes.push({ depth: p[2] - 0.03, p, radius: 0.028 * p[3] * size, colour: colour(joint) });
        spots.push({ x: p[0] + left + wide / 2, y: p[1] + height / 2 + 2, clip, person, joint });
        if (model.get("rings").some(([m, v]) => m === person && v === joint)) {
          shapes.push({ depth: p[2] - 0.1, p, radius: 0.028 * p[3] * size + 4, colour: "none" });
        }
      });
    }
    shapes.sort((a, b) => b.depth - a.depth).forEach(solid);
    if (model.get("names")) nameAll(clip);
    context.restore();
    context.fillStyle = theme.ink;
    context.textAlign = "center";
    context.font = "13px sans-serif";
    context.fillText(scene.titles[clip], left + wide / 2, 17, wide - 12);
  }

  function solid(s) { // with a rim, so that what is in front stands off
    if (s.p) {
      if (s.colour === "none") circle(s.p, s.radius, null, theme.strong); // a ring lets its joint's colour through
      else { circle(s.p, s.radius + 1, theme.rim); circle(s.p, s.radius, s.colour); }
      return;
    }
    line([s.a, s.b], theme.rim, s.thick + 2.5);
    line([s.a, s.b], s.colour, s.thick);
  }
  function circle(p, radius, fill, stroke) {
    context.beginPath();
    context.arc(p[0], p[1], radius, 0, 2 * Math.PI);
    if (fill) { context.fillStyle = fill; context.fill(); }
    if (stroke) { context.strokeStyle = stroke; context.lineWidth = 2; context.stroke(); }
  }
  function line(points, colour, thick) {
    context.strokeStyle = colour;
    context.lineWidth = thick;
    context.beginPath();
    points.forEach((p, i) => (i ? context.lineTo(p[0], p[1]) : context.moveTo(p[0], p[1])));
    context.stroke();
  }
  function floor() { // half-metre squares
    const [low, high] = scene.extent;
    const corners = [[low[0], low[1]], [high[0], low[1]], [high[0], high[1]], [low[0], high[1]]].map(([x, y]) => project([x, y, 0]));
    context.fillStyle = theme.floor;
    context.beginPath();
    corners.forEach((p, i) => (i ? context.lineTo(p[0], p[1]) : context.moveTo(p[0], p[1])));
    context.fill();
    for (let x = Math.ceil(2 * low[0]) / 2; x <= high[0]; x += 0.5) line([project([x, low[1], 0]), project([x, high[1], 0])], theme.tile, 1);
    for (let y = Math.ceil(2 * low[1]) / 2; y <= high[1]; y += 0.5) line([project([low[0], y, 0]), project([high[0], y, 0])], theme.tile, 1);
  }
  function shadow(clip, f, person, parent, joint) {
    const [a, b] = [parent, joint].map((j) => {
      const i = place(clip, f, person, j);
      return project([joints[i], joints[i + 1], 0]);
    });
    line([a, b], theme.shadow, 0.05 * a[3]);
  }
  function trail(clip, f, joint) {
    const frames = Math.round(model.get("fps") * model.get("trail_seconds"));
    for (let person = 0; person < shape[2]; person++) {
      for (let g = Math.max(1, f - frames); g <= f; g++) {
        const [i, j] = [place(clip, g - 1, person, joint), place(clip, g, person, joint)];
        if (Number.isNaN(joints[i]) || Number.isNaN(joints[j]) || sizes[painted(sizes, clip, g, person, joint, 1)] === 0) continue;
        const ends = [project(joints.subarray(i, i + 3)), project(joints.subarray(j, j + 3))];
        line(ends, `rgba(230,159,0,${(1 - (f - g) / (frames + 1)).toFixed(2)})`, 2);
      }
    }
  }
  function nameAll(clip) { // beside the joint, pushed down where it would cover another name
    const taken = [], wide = width / shape[0];
    context.font = "10px sans-serif";
    context.textAlign = "left";
    context.fillStyle = theme.ink;
    for (const s of spots.filter((s) => s.clip === clip && s.person === 0).sort((a, b) => a.y - b.y)) {
      const x = s.x - clip * wide - wide / 2, y = s.y - height / 2 - 2, right = x >= 0;
      const text = scene.names[s.joint].replaceAll("_", " "), long = context.measureText(text).width;
      const tx = right ? x + 16 : x - 16 - long;
      let ty = y + 3;
      while (taken.some(([l, r, u]) => tx < r && tx + long > l && Math.abs(u - ty) < 10)) ty += 2;
      taken.push([tx, tx + long, ty]);
      line([[x, y], [right ? tx - 2 : tx + long + 2, ty - 3]], theme.faint, 0.7);
      context.fillText(text, tx, ty);
    }
  }
  function bar({ low, high, label: text, stops }) {
    const top = 40, tall = height - 80, x = width - 62;
    const gradient = context.createLinearGradient(0, top + tall, 0, top);
    stops.forEach((rgb, i) => gradient.addColorStop(i / (stops.length - 1), `rgb(${rgb})`));
    context.fillStyle = gradient;
    context.fillRect(x, top, 10, tall);
    context.fillStyle = theme.ink;
    context.font = "11px sans-serif";
    context.fillText(high.toPrecision(3), x + 14, top + 8);
    context.fillText(low.toPrecision(3), x + 14, top + tall);
    context.save();
    context.translate(x - 5, top + tall / 2);
    context.rotate(-Math.PI / 2);
    context.textAlign = "center";
    context.fillText(text, 0, 0);
    context.restore();
  }
  function tip(spot) {
    const text = scene.names[spot.joint].replaceAll("_", " ");
    context.font = "12px sans-serif";
    const long = context.measureText(text).width, x = Math.min(spot.x + 10, width - long - 12);
    context.fillStyle = theme.veil;
    context.fillRect(x - 3, spot.y - 24, long + 6, 16);
    context.fillStyle = theme.strong;
    context.fillText(text, x, spot.y - 12);
  }

  // ---- time
  let due = false, before = null, pointer = null;
  function ask() {
    if (!due) { due = true; requestAnimationFrame(tick); }
  }
  function tick(now) {
    due = false;
    if (model.get("playing") && root.isConnected) {
      if (before !== null) at += ((now - before) / 1000) * model.get("fps") * model.get("speed");
      if (at >= shape[1]) at = model.get("loop") ? at % shape[1] : shape[1] - 1;
      before = now;
      if (now - toldAt > TELL) { toldAt = now; tell(); }
      ask();
    } else before = null;
    draw();
  }
  function tell() {
    if (frame() === told) return;
    told = frame();
    model.set("frame", told);
    model.save_changes();
  }
  function start(playing) {
    if (!playing) tell();
    model.set("playing", playing);
    model.save_changes();
  }
  function go(f) {
    at = Math.max(0, Math.min(f, shape[1] - 1));
    ask();
    if (performance.now() - toldAt > TELL) { toldAt = performance.now(); tell(); }
  }

  // ---- hands
  play.onclick = () => start(!model.get("playing"));
  scrub.oninput = () => go(Number(scrub.value));
  scrub.onchange = () => { go(Number(scrub.value)); tell(); };
  const choose = (trait, value) => { model.set(trait, value); model.save_changes(); };
  speed.onchange = () => choose("speed", Number(speed.value));
  camera.onchange = () => choose("camera", camera.value);
  trails.onchange = () => choose("trails", trails.value ? trails.value.split(",").map(Number) : []);
  names.onchange = () => choose("names", names.checked);
  canvas.onkeydown = (event) => {
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key], key = event.key;
    if (key === " ") start(!model.get("playing"));
    else if (steps && event.shiftKey) turn(0.15 * steps[0], 0.1 * steps[1]);
    else if (steps && steps[0]) { go(frame() + steps[0]); tell(); }
    else if ("+=-".includes(key) && !event.ctrlKey && !event.metaKey) closer(key === "-" ? 0.8 : 1.25);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  let grip = null;
  const fingers = new Map();
  const spot = (event) => {
    const box = canvas.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };
  function grab() { // from here on, all movement is from this view
    const at = [...fingers.values()], middle = (axis) => at.reduce((sum, p) => sum + p[axis], 0) / at.length;
    return { x: middle("x"), y: middle("y"), apart: at.length > 1 ? Math.hypot(at[0].x - at[1].x, at[0].y - at[1].y) : 0 };
  }
  function turn(across, along) {
    yaw -= across;
    pitch = Math.max(-0.2, Math.min(Math.PI / 2, pitch + along));
    ask();
  }
  const closer = (factor) => { zoom = Math.max(0.4, Math.min(6, zoom * factor)); ask(); };
  const nearest = ({ x, y }) => {
    const away = (s) => Math.hypot(s.x - x, s.y - y);
    return spots.reduce((best, s) => (away(s) < (best ? away(best) : 12) ? s : best), null);
  };
  canvas.onpointerdown = (event) => {
    fingers.set(event.pointerId, spot(event));
    grip = { ...grab(), yaw, pitch, zoom, moved: fingers.size > 1 };
    canvas.setPointerCapture(event.pointerId);
  };
  canvas.onpointermove = (event) => {
    if (fingers.has(event.pointerId)) {
      if (!ours(event)) return;
      fingers.set(event.pointerId, spot(event));
      const at = grab();
      if (Math.hypot(at.x - grip.x, at.y - grip.y) > 4) [grip.moved, pointer] = [true, null];
      yaw = grip.yaw - (at.x - grip.x) * 0.008;
      pitch = Math.max(-0.2, Math.min(Math.PI / 2, grip.pitch + (at.y - grip.y) * 0.006));
      if (grip.apart) zoom = Math.max(0.4, Math.min(6, (grip.zoom * at.apart) / grip.apart));
    } else pointer = spot(event);
    ask();
  };
  const release = (event) => {
    fingers.delete(event.pointerId);
    grip = fingers.size ? { ...grab(), yaw, pitch, zoom, moved: true } : null; // the finger that is left goes on from here
  };
  canvas.onpointerup = (event) => {
    const found = grip && !grip.moved && nearest(spot(event));
    release(event);
    if (!found) return;
    const { clip, person, joint } = found;
    choose("clicked", { clip, person, joint, frame: frame(), count: (model.get("clicked").count || 0) + 1 });
  };
  canvas.onpointercancel = release;
  canvas.onpointerleave = () => { pointer = null; ask(); };
  canvas.ondblclick = () => { look(); ask(); };
  canvas.addEventListener("wheel", (event) => {
    closer(Math.exp(-event.deltaY * 0.001));
    event.preventDefault();
    ask();
  }, { passive: false });

  // ---- the kernel's word
  function settings() {
    play.textContent = model.get("playing") ? "❚❚" : "▶";
    speed.value = String(model.get("speed"));
    camera.value = model.get("camera");
    const chosen = model.get("trails").join();
    trails.value = chosen;
    if (trails.value !== chosen) trails.value = "other";
    names.checked = model.get("names");
  }
  const listeners = {
    "change:joints change:shape change:scene": () => { load(); paint(); },
    "change:colors change:sizes": paint,
    "change:frame": () => { if (model.get("frame") !== told) at = told = model.get("frame"); },
    "change:camera": look,
    "change:height": resize,
  };
  const redraw = () => { settings(); ask(); };
  for (const [events, act] of Object.entries(listeners)) model.on(events, act);
  model.on("change", redraw);
  function resize() {
    canvas.style.height = `${model.get("height")}px`;
    [width, height] = [canvas.clientWidth, canvas.clientHeight];
    fit();
    ask();
  }
  load();
  paint();
  look();
  const watch = new ResizeObserver(resize);
  watch.observe(canvas);
  redraw();
  return () => {
    watch.disconnect();
    for (const [events, act] of Object.entries(listeners)) model.off(events, act);
    model.off("change", redraw);
    undress();
  };
}

export default { render };
