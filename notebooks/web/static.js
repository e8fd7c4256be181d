// Draws what a notebook's kernel would: plotly figures, and widgets as they stood when the lesson was run. The canvas
// widgets (anywidget) bring their own code in their state and go on working; sliders, menus and buttons only show their value.

const seen = new Map();

function onScreen(element, enter, leave) {
  seen.set(element, { enter, leave });
  watch.observe(element);
}

const watch = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    const act = seen.get(entry.target);
    if (entry.isIntersecting) act.enter(); else act.leave();
  }
}, { rootMargin: "600px" });

// a browser keeps sixteen three-dimensional scenes alive: figures far off the screen are let go
for (const element of document.querySelectorAll(".figure")) {
  const figure = JSON.parse(element.querySelector("script").textContent);
  let drawn = false;
  onScreen(element, () => {
    if (drawn) return;
    drawn = true;
    const { data, layout, frames, config } = figure;
    Plotly.newPlot(element, data, layout, { responsive: true, ...config }).then(() => frames && Plotly.addFrames(element, frames));
  }, () => {
    if (drawn) Plotly.purge(element);
    drawn = false;
  });
}

const { models: states, code } = JSON.parse(document.getElementById("widgets")?.textContent || '{"models":{},"code":[]}');
const modules = code.map((text) => URL.createObjectURL(new Blob([text], { type: "text/javascript" })));
const models = new Map();

function model(reference) {
  const id = reference.replace("IPY_MODEL_", "");
  if (!models.has(id) && states[id]) models.set(id, made(states[id]));
  return models.get(id);
}

function made({ model_name, state, buffers }) {
  const values = structuredClone(state), heard = [];
  for (const { path, data } of buffers || []) {
    const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
    let at = values;
    for (const step of path.slice(0, -1)) at = at[step] ??= {};
    at[path.at(-1)] = new DataView(bytes.buffer);
  }
  const self = {
    name: model_name,
    get: (key) => values[key],
    set(key, value) {
      if (values[key] === value) return;
      values[key] = value;
      for (const [event, act] of [...heard]) if (event === `change:${key}` || event === "change") act(self, value);
    },
    on(events, act) { for (const event of events.split(" ")) heard.push([event, act]); },
    off(events, act) {
      for (let i = heard.length - 1; i >= 0; i--)
        if ((!events || events.split(" ").includes(heard[i][0])) && (!act || heard[i][1] === act)) heard.splice(i, 1);
    },
    save_changes() {}, // nobody listens
    send() {},
  };
  return self;
}

function make(tag, properties = {}, children = []) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

// What the lessons' own HTML is made of. Any other element, such as one that a label of the data brings, becomes text.
const TAGS = new Set(("A B BR CAPTION CODE DETAILS DIV EM H1 H2 H3 H4 HR I LI OL P PRE SMALL SPAN STRONG STYLE SUB SUMMARY SUP TABLE TBODY TD "
  + "TFOOT TH THEAD TR UL").split(" "));
const ATTRIBUTES = new Set("border class colspan href id open rowspan scope style title".split(" "));

function markup(text) {
  const { body, head } = new DOMParser().parseFromString(text ?? "", "text/html"); // inert: nothing in it runs or is loaded
  body.prepend(...head.childNodes);
  for (const element of [...body.querySelectorAll("*")]) {
    if (!TAGS.has(element.tagName)) { element.replaceWith(element.outerHTML); continue; }
    for (const { name, value } of [...element.attributes])
      if (!ATTRIBUTES.has(name) || (name === "href" && !/^(https?:|#|[\w./-]+$)/i.test(value))) element.removeAttribute(name);
  }
  return [...body.childNodes];
}

function named(it, element) {
  const text = it.get("description");
  return text ? make("label", { className: "named" }, [make("span", { textContent: text }), element]) : element;
}

const value = (it) => { const v = it.get("value"); return typeof v === "number" ? String(+v.toPrecision(4)) : String(v ?? ""); };
const range = (it) => {
  const slide = make("input", { type: "range", disabled: true, min: it.get("min"), max: it.get("max"), step: it.get("step") ?? "any" });
  slide.value = it.get("value");
  return named(it, make("span", {}, [slide, make("output", { textContent: value(it) })]));
};
const options = (it) => it.get("_options_labels") || [];
const pick = (it) => {
  const index = it.get("index"), text = Array.isArray(index) ? index.map((i) => options(it)[i]).join(", ") : options(it)[index];
  return named(it, make("select", { disabled: true }, [make("option", { textContent: text ?? "" })]));
};
const box = (it) => make("input", { type: "checkbox", disabled: true, checked: it.get("value") });
const press = (it) => make("button", { disabled: true, textContent: it.get("description"), title: it.get("tooltip") || "" });
const line = (it) => named(it, make("input", { disabled: true, value: value(it) }));
const folds = (it) => make("div", {}, part(it).map((child, i) => make("details", { open: it.get("selected_index") === i }, [
  make("summary", { textContent: (it.get("titles") || [])[i] || "more" }), child,
])));
const part = (it) => (it.get("children") || []).map(draw);

const kinds = {
  VBox: (it) => make("div", { className: "column" }, part(it)),
  HBox: (it) => make("div", { className: "row" }, part(it)),
  Box: (it) => make("div", { className: "row" }, part(it)),
  GridBox: (it) => make("div", { className: "row" }, part(it)),
  Accordion: folds, Tab: folds,
  Stack: (it) => make("div", {}, part(it).slice(it.get("selected_index") ?? 0, (it.get("selected_index") ?? 0) + 1)),
  HTML: (it) => named(it, make("div", {}, markup(it.get("value")))),
  HTMLMath: (it) => named(it, make("div", {}, markup(it.get("value")))),
  Label: (it) => make("span", { textContent: it.get("value") }),
  IntSlider: range, FloatSlider: range, FloatLogSlider: range, Play: () => make("span"),
  SelectionSlider: pick, Dropdown: pick, Select: pick, SelectMultiple: pick, RadioButtons: pick, ToggleButtons: pick,
  IntRangeSlider: line, FloatRangeSlider: line,
  Checkbox: (it) => named(it, box(it)), Valid: (it) => named(it, box(it)),
  ToggleButton: press, Button: press,
  Text: line, Textarea: line, IntText: line, FloatText: line, BoundedIntText: line, BoundedFloatText: line, Combobox: line,
  FloatProgress: (it) => named(it, make("progress", { value: it.get("value"), max: it.get("max") })),
  IntProgress: (it) => named(it, make("progress", { value: it.get("value"), max: it.get("max") })),
  Image: (it) => make("img", { alt: "", src: URL.createObjectURL(new Blob([it.get("value")], { type: `image/${it.get("format")}` })) }),
  Output: (it) => make("div", {}, (it.get("outputs") || []).map(output)),
};

function output({ data = {}, text }) {
  if (data["image/png"]) return make("img", { alt: "", src: `data:image/png;base64,${[data["image/png"]].flat().join("")}` });
  if (data["text/html"]) return make("div", {}, markup([data["text/html"]].flat().join("")));
  return make("pre", { textContent: [text ?? data["text/plain"] ?? ""].flat().join("") });
}

const LAYOUT = "width min_width max_width height min_height max_height display flex flex_flow flex_direction align_items align_self "
  + "justify_content margin padding border overflow visibility grid_template_columns grid_gap gap";

function draw(reference) {
  const it = model(reference);
  if (!it) return make("span");
  const kind = it.name.replace(/Model$/, "");
  const element = kind === "Any" ? canvas(it) : (kinds[kind] || ((m) => make("i", { textContent: `(${m.name})` })))(it);
  const layout = it.get("layout") && model(it.get("layout"));
  if (layout) for (const name of LAYOUT.split(" ")) {
    const given = layout.get(name);
    if (given) element.style[name.replace(/_(\w)/g, (_, letter) => letter.toUpperCase())] = given;
  }
  return element;
}

function canvas(it) {
  const element = make("div", { className: "canvas" });
  if (it.get("_css")) document.head.append(make("style", { textContent: it.get("_css") }));
  import(modules[it.get("_esm")]).then(async (module) => {
    const widget = typeof module.default === "function" ? await module.default() : module.default;
    await widget.initialize?.({ model: it });
    await widget.render?.({ model: it, el: element });
  });
  return element;
}

const answers = "input[type=range], select:not(.canvas select), button:disabled";
for (const place of document.querySelectorAll(".widget")) {
  place.append(draw(place.dataset.model));
  const asks = [...place.querySelectorAll(answers)].some((e) => e.disabled);
  if (!asks) continue;
  const note = make("p", { className: "still", textContent: "The grey controls answer in the notebook, not on this page." });
  const { live } = document.body.dataset;
  if (live) note.append(" Masks, tokens, attention and prototypes answer in ", make("a", { href: live, textContent: "SLiM in your browser" }), ".");
  place.append(note);
}
