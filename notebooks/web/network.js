// The encoder in the browser: a clip becomes the network's input, and ONNX Runtime's answer becomes features. Coordinates are
// frames * joints * 3 numbers in meters, as the recording has them: x, y (up), z.

// From base64.
function bytes(text) {
  const letters = atob(text), out = new Uint8Array(letters.length);
  for (let i = 0; i < out.length; i++) out[i] = letters.charCodeAt(i);
  return out;
}

// 16-bit integers times `unit`, in meters.
export const coordinates = (text, unit) => Float32Array.from(new Int16Array(bytes(text).buffer), (n) => n * unit);

export const floats = (text) => new Float32Array(bytes(text).buffer);

// Turned about the vertical through the origin, by degrees: `augment.rotate` with (0, angle, 0).
export function turned(x, degrees) {
  const angle = (degrees * Math.PI) / 180, c = Math.cos(angle), s = Math.sin(angle);
  const out = new Float32Array(x.length);
  for (let i = 0; i < x.length; i += 3) {
    out[i] = c * x[i] + s * x[i + 2];
    out[i + 1] = x[i + 1];
    out[i + 2] = -s * x[i] + c * x[i + 2];
  }
  return out;
}

// What the encoder takes: every frame centered at one joint, scaled, axis first (3, frames, joints).
export function prepared(x, joints, center, scale) {
  const frames = x.length / (3 * joints), out = new Float32Array(x.length);
  for (let t = 0; t < frames; t++) {
    for (let j = 0; j < joints; j++) {
      for (let axis = 0; axis < 3; axis++) {
        const i = (t * joints + j) * 3 + axis, middle = (t * joints + center) * 3 + axis;
        out[(axis * frames + t) * joints + j] = (x[i] - x[middle]) * scale;
      }
    }
  }
  return out;
}

// CLS and the mean token: the features by which clips are compared.
export function features({ cls, tokens }) {
  const width = cls.length, out = new Float32Array(2 * width), count = tokens.length / width;
  out.set(cls);
  for (let i = 0; i < tokens.length; i++) out[width + (i % width)] += tokens[i] / count;
  return out;
}

// run(weights, which, x, mask) -> { cls, tokens, attention, logits }, one after another: a session answers one question at a time.
export async function open(ort, wasm, content) {
  ort.env.wasm.numThreads = 1; // threads need a server that isolates the page
  ort.env.wasm.wasmBinary = wasm;
  const sessions = {};
  let queue = Promise.resolve();
  async function session(weights, which) {
    const networks = content.weights[weights].networks;
    const key = `${weights}/${which in networks ? which : "teacher"}`;
    sessions[key] ??= await ort.InferenceSession.create(bytes(networks[key.split("/")[1]]));
    return sessions[key];
  }
  async function answer(weights, which, x, mask) {
    const { frames, joints, steps } = content;
    const found = await (await session(weights, which)).run({
      x: new ort.Tensor("float32", x, [1, 3, frames, joints, 1]),
      mask: new ort.Tensor("bool", mask, [1, 1, steps, joints]),
    });
    return Object.fromEntries(Object.entries(found).map(([name, tensor]) => [name, tensor.data]));
  }
  return {
    run(...question) {
      const now = queue.then(() => answer(...question));
      queue = now.catch(() => {});
      return now;
    },
  };
}
