// Masks on the token grid, as slimlab/masking.py draws them: for a page that has no kernel. A mask is a Uint8Array of steps * joints
// cells, step by step, 1 where masked; the budget round(ratio * steps * joints) is reached exactly. A body is
// { joints: how many, parts: [[joints of a chain], ...] }. tests/test_masks_page.py holds these functions to Python's.

export const PATIENCE = 10; // failed proposals in a row before a tube may be trimmed
export const ROUNDS = 200; // proposals before random tokens complete a mask
const f32 = Math.fround;

// Uniform numbers in 0..1 from a seed: sfc32 (PractRand), mixed twelve times.
export function uniform(seed) {
  let [a, b, c, d] = [seed | 0, 0x9e3779b9, 0x243f6a88, 1];
  const next = () => {
    const t = (((a + b) | 0) + d) | 0;
    d = (d + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + t | 0;
    return f32((t >>> 8) / 16777216);
  };
  for (let i = 0; i < 12; i++) next();
  return next;
}

// Python's round: halves go to the even neighbor.
export function roundEven(x) {
  const floor = Math.floor(x), rest = x - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 !== 0) ? floor + 1 : floor;
}

export const budget = (ratio, steps, joints) => roundEven(ratio * steps * joints);

const count = (mask) => mask.reduce((sum, cell) => sum + cell, 0);

// One clip under semantic tube masking, proposal by proposal: `one_semantic_tube_mask`. draw() gives a proposal's numbers,
// at least five of them. `tubes`, where given, takes the number of the proposal that masked a token, from 1.
export function semanticTubes(steps, body, masked, draw, tubes = null) {
  const mask = new Uint8Array(steps * body.joints);
  let missing = masked, failures = 0;
  for (let turn = 1; turn <= ROUNDS && missing > 0; turn++) {
    const [part, length, place, area, begin] = draw();
    // a body part, a run of its joints along the chain
    const chain = body.parts[Math.floor(f32(part * body.parts.length))];
    const joints = Math.floor(f32(length * chain.length)) + 1;
    const first = Math.floor(f32(place * (chain.length - joints + 1)));
    // an area between one joint over all time and what is missing, and the duration that gives it
    const most = Math.min(missing, 4 * body.joints);
    const low = Math.min(most, steps), high = Math.max(most, steps);
    const size = f32(low + f32((high - low) * area));
    const duration = Math.min(Math.max(roundEven(f32(size / joints)), 1), steps);
    const start = Math.floor(f32(begin * (steps - duration + 1)));
    // joint by joint along time, so that a trimmed tube stays a tube
    let fresh = [];
    for (let joint = 0; joint < body.joints; joint++) {
      if (chain.indexOf(joint) < first || chain.indexOf(joint) >= first + joints) continue;
      for (let step = start; step < start + duration; step++) {
        const cell = step * body.joints + joint;
        if (!mask[cell]) fresh.push(cell);
      }
    }
    if (fresh.length > missing && failures >= PATIENCE) fresh = fresh.slice(0, missing);
    if (fresh.length > 0 && fresh.length <= missing) {
      for (const cell of fresh) {
        mask[cell] = 1;
        if (tubes) tubes[cell] = turn;
      }
      missing -= fresh.length;
      failures = 0;
    } else failures += 1;
  }
  return mask;
}

// The numbers 0 to n - 1 in an order drawn by `next`.
function shuffled(n, next) {
  const order = Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = Math.floor(next() * (i + 1));
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}

function complete(mask, goal, next) {
  const free = [...mask.keys()].filter((cell) => !mask[cell]), missing = goal - count(mask);
  for (const i of shuffled(free.length, next).slice(0, Math.max(0, missing))) mask[free[i]] = 1;
  return mask;
}

// Whole joints in this order; the last one from either end of time, as far as the budget goes.
function jointByJoint(order, goal, steps, joints, next) {
  const mask = new Uint8Array(steps * joints), backwards = next() < 0.5;
  let left = goal;
  for (const joint of order) {
    for (let t = 0; t < steps && left > 0; t++, left--) mask[(backwards ? steps - 1 - t : t) * joints + joint] = 1;
  }
  return mask;
}

function timeBlocks(steps, body, goal, next) {
  const { joints } = body, mask = new Uint8Array(steps * joints), backwards = next() < 0.5;
  const long = Math.ceil(goal / joints), start = Math.floor(next() * (steps - long + 1));
  let left = goal;
  for (let into = 0; into < long; into++) {
    const step = backwards ? steps - 1 - start - into : start + into;
    for (const joint of shuffled(joints, next)) {
      if (left-- > 0) mask[step * joints + joint] = 1;
    }
  }
  return mask;
}

// Tokens that move more are masked more often: the largest of log-probability plus Gumbel noise.
function motionAware(steps, body, goal, next, motion) {
  const temperature = 0.8;
  const mask = new Uint8Array(steps * body.joints);
  const top = Math.max(1e-10, ...(motion || [0]));
  const keys = Array.from(mask, (_, cell) => {
    const logit = motion ? motion[cell] / (temperature * top) : 0;
    return logit - Math.log(-Math.log(Math.max(next(), 1e-20)));
  });
  const order = keys.map((key, cell) => [key, cell]).sort((one, other) => other[0] - one[0]);
  for (const [, cell] of order.slice(0, goal)) mask[cell] = 1;
  return mask;
}

export const STRATEGIES = {
  semantic_tubes: (steps, body, goal, next, _motion, tubes) =>
    complete(semanticTubes(steps, body, goal, () => [next(), next(), next(), next(), next()], tubes), goal, next),
  random_cells: (steps, body, goal, next) => complete(new Uint8Array(steps * body.joints), goal, next),
  joint_tubes: (steps, body, goal, next) => jointByJoint(shuffled(body.joints, next), goal, steps, body.joints, next),
  body_parts: (steps, body, goal, next) =>
    jointByJoint(shuffled(body.parts.length, next).flatMap((part) => body.parts[part]), goal, steps, body.joints, next),
  time_blocks: timeBlocks,
  motion_aware: motionAware,
};

// One mask. motion: how far each token moves, for `motion_aware`; tubes: see `semanticTubes`.
export function draw(strategy, steps, body, ratio, seed, motion = null, tubes = null) {
  return STRATEGIES[strategy](steps, body, budget(ratio, steps, body.joints), uniform(seed), motion, tubes);
}

// How far each token's joint moves from frame to frame on average, from x of frames * joints * 3; `motion_magnitude`.
export function motionMagnitude(x, joints, patch) {
  const frames = x.length / (3 * joints), out = new Float32Array((frames / patch) * joints);
  for (let t = 0; t + 1 < frames; t++) {
    for (let j = 0; j < joints; j++) {
      const i = (t * joints + j) * 3, next = i + 3 * joints;
      out[Math.floor(t / patch) * joints + j] += Math.hypot(x[next] - x[i], x[next + 1] - x[i + 1], x[next + 2] - x[i + 2]) / patch;
    }
  }
  return out;
}
