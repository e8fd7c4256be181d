// What the canvases share; script.py puts it before the code of each: the colors of the page around, and fingers.

export const bytes = (view) => view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength);

export function make(tag, properties, parent, className) {
  const element = Object.assign(document.createElement(tag), properties);
  if (className) element.className = className;
  parent?.append(element);
  return element;
}

// ---- colors
const probe = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
const known = new Map(); // CSS color -> [r, g, b, alpha]
function rgba(colour) {
  if (!known.has(colour)) {
    probe.clearRect(0, 0, 1, 1);
    probe.fillStyle = colour;
    probe.fillRect(0, 0, 1, 1);
    known.set(colour, [...probe.getImageData(0, 0, 1, 1).data]);
  }
  return known.get(colour);
}
export const rgb = (colour) => rgba(colour).slice(0, 3);
function luminance(parts) { // of sRGB, as WCAG 2 defines it
  const [r, g, b] = parts.map((v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
function contrast(one, other) {
  const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}

const LIGHT = { dark: false, strong: "black", ink: "#333", soft: "#666", faint: "#6e6e6e", line: "#ccc", grid: "#eeeeec", floor: "#f1f1ee",
  tile: "#ddddd8", rim: "white", shadow: "rgba(0,0,0,0.10)", now: "rgba(0,0,0,0.55)", note: "#A0527F" };
const DARK = { dark: true, strong: "white", ink: "#ddd", soft: "#aaa", faint: "#8c8c8c", line: "#666", grid: "#333", floor: "#2a2a2a",
  tile: "#3c3c3c", rim: "#8c8c8c", shadow: "rgba(0,0,0,0.5)", now: "rgba(255,255,255,0.7)", note: "#e3a6c8" };

// The colors of JupyterLab, VS Code or the page behind `root`, as they are now: `theme` is kept up to date, `changed` is told.
export function dressed(root, changed) {
  const theme = {};
  function behind() {
    const style = getComputedStyle(root);
    for (const name of ["--jp-layout-color0", "--vscode-editor-background", "--page"]) if (style.getPropertyValue(name).trim()) return style.getPropertyValue(name).trim();
    for (let element = root; element; element = element.parentElement) {
      const { backgroundColor } = getComputedStyle(element);
      if (rgba(backgroundColor)[3] > 127) return backgroundColor;
    }
    return "white";
  }
  function read() {
    const paper = behind(), parts = rgb(paper), dark = parts[0] + parts[1] + parts[2] < 384;
    if (paper === theme.paper) return;
    const readable = new Map();
    Object.assign(theme, dark ? DARK : LIGHT, { paper, rgb: parts, veil: `rgba(${parts},0.93)` });
    theme.readable = (colour, least = 4.5) => { // the color, or as near to it as can be told from the paper: 4.5 for words, 3 for lines
      const key = `${colour} ${least}`;
      if (!readable.has(key)) {
        const from = rgb(colour), to = rgb(theme.strong), mixed = (share) => from.map((v, k) => Math.round(v + share * (to[k] - v)));
        let share = 0;
        while (share < 1 && contrast(mixed(share), parts) < least) share += 0.05;
        readable.set(key, share ? `rgb(${mixed(Math.min(1, share))})` : colour);
      }
      return readable.get(key);
    };
    root.dataset.theme = dark ? "dark" : "light";
    if (watching) changed();
  }
  let watching = false;
  const shown = new ResizeObserver(read); // where `root` is put in the page only now
  shown.observe(root);
  const watch = new MutationObserver(read), scheme = window.matchMedia("(prefers-color-scheme: dark)");
  for (const element of [document.body, document.documentElement]) watch.observe(element, { attributes: true });
  watch.observe(document.head, { childList: true, subtree: true }); // a theme's style sheet
  scheme.addEventListener("change", read);
  document.addEventListener("load", read, true); // of a style sheet
  read();
  watching = true;
  return { theme, undress() { shown.disconnect(); watch.disconnect(); scheme.removeEventListener("change", read); document.removeEventListener("load", read, true); } };
}

// ---- fingers
const HOLD = 250, SLACK = 4; // ms, px

// One finger that swipes up or down scrolls the page. It belongs to the canvas once it sets out sideways or has rested a moment
// first; so do two fingers, and every mouse. Returns ours(event): whether a pointer that is down belongs to the canvas by now.
// wanted: whether a drag means anything to the canvas; else all fingers are the page's.
export function handed(canvas, wanted = () => true) {
  const down = new Map();
  canvas.style.touchAction = "pan-y";
  canvas.addEventListener("pointerdown", ({ pointerId, pointerType, clientX: x, clientY: y, timeStamp: time }) => {
    if (!wanted()) return;
    down.set(pointerId, { x, y, time, ours: pointerType === "mouse" });
    if (down.size > 1) for (const one of down.values()) one.ours = true;
  });
  for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, (event) => down.delete(event.pointerId));
  function ours({ pointerId, clientX, clientY, timeStamp }) {
    const one = down.get(pointerId);
    if (!one || one.ours) return !!one;
    const [across, along] = [Math.abs(clientX - one.x), Math.abs(clientY - one.y)];
    if (Math.hypot(across, along) <= SLACK) return false;
    one.out ??= timeStamp; // when it set out
    one.ours = across > along || one.out - one.time > HOLD;
    return one.ours;
  }
  canvas.addEventListener("pointermove", ours);
  canvas.addEventListener("touchmove", (event) => { // what is ours does not scroll
    if ([...down.values()].some((one) => one.ours)) event.preventDefault();
  }, { passive: false });
  canvas.addEventListener("contextmenu", (event) => { if (event.pointerType === "touch") event.preventDefault(); }); // a finger that rests
  return ours;
}
