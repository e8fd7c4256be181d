"""SLiM once more, as naively as it can be written: NumPy, float64, a loop for every "for each" of the paper.

Written from the paper's formulas (arXiv 2603.10648) and the released settings alone; nothing of slimlab is used. A body is its
parents and parts, weights are a dict of arrays under their released names.
"""

import math

import numpy as np


def encode(weights, x, heads, mask=None):
    """One person: x (3, T, V), mask (T/8, V) bool. Returns CLS (D,), registers (R, D), tokens (T/8, V, D), normed."""
    w = {name: np.asarray(value, dtype=np.float64) for name, value in weights.items()}
    x = np.asarray(x, dtype=np.float64)
    kernel = w["patch_embed.proj.weight"]  # (D, 3, 8, 1)
    span, width = kernel.shape[2], kernel.shape[0]
    steps, joints, registers = x.shape[1] // span, x.shape[2], w["register_tokens"].shape[1]
    rows, times = [w["cls_token"][0, 0] + w["pos_embed"][0, 0], *w["register_tokens"][0]], [0] * (1 + registers)
    for t in range(steps):
        for v in range(joints):
            cell = np.zeros(width)
            for frame in range(span):
                cell += kernel[:, :, frame, 0] @ x[:, t * span + frame, v]
            cell += w["patch_embed.proj.bias"]
            if mask is not None and mask[t, v]:
                cell = w["mask_token"][0]
            rows.append(cell + w["pos_embed"][0, 1 + v])
            times.append(t)
    rows = np.stack(rows)  # (N, D)
    depth = 1 + max(int(name.split(".")[1]) for name in w if name.startswith("blocks."))
    for block in range(depth):
        part = {name.removeprefix(f"blocks.{block}."): value for name, value in w.items() if name.startswith(f"blocks.{block}.")}
        qkv = _norm(rows, part["norm1.weight"], part["norm1.bias"]) @ part["attn.qkv.weight"].T + part["attn.qkv.bias"]
        q, k, v = qkv[:, :width], qkv[:, width : 2 * width], qkv[:, 2 * width :]
        size, attended = width // heads, []
        for head in range(heads):
            of_head = slice(head * size, (head + 1) * size)
            scores = _turn(q[:, of_head], times) @ _turn(k[:, of_head], times).T / math.sqrt(size)
            attended.append(softmax(scores) @ v[:, of_head])
        rows = rows + np.concatenate(attended, axis=1) @ part["attn.proj.weight"].T + part["attn.proj.bias"]
        both = _norm(rows, part["norm2.weight"], part["norm2.bias"]) @ part["mlp.w12.weight"].T + part["mlp.w12.bias"]
        first, second = both[:, : both.shape[1] // 2], both[:, both.shape[1] // 2 :]
        rows = rows + (first / (1 + np.exp(-first)) * second) @ part["mlp.w3.weight"].T + part["mlp.w3.bias"]
    rows = _norm(rows, w["norm.weight"], w["norm.bias"])
    return rows[0], rows[1 : 1 + registers], rows[1 + registers :].reshape(steps, joints, width)


def _norm(rows, weight, bias):
    centered = rows - rows.mean(axis=1, keepdims=True)
    return centered / np.sqrt((centered**2).mean(axis=1, keepdims=True) + 1e-6) * weight + bias


def _turn(rows, times):
    """Half-split rotation, base 10000; at time 0, where CLS and registers stand as well, nothing turns."""
    half = rows.shape[1] // 2
    angle = np.array(times)[:, None] * 10000.0 ** (-np.arange(half) / half)
    a, b = rows[:, :half], rows[:, half:]
    return np.concatenate([a * np.cos(angle) - b * np.sin(angle), b * np.cos(angle) + a * np.sin(angle)], axis=1)


def softmax(scores):
    """Rows of (N, K)."""
    e = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def sinkhorn(logits, temperature, iterations=3):
    """(N, K) -> rows that sum to one: columns to 1/K, rows to 1/N, in turn."""
    q = np.asarray(logits, dtype=np.float64) / temperature
    q = np.exp(q - q.max())  # one shift for all: it cancels in the first division
    q /= q.sum()
    samples, prototypes = q.shape
    for _ in range(iterations):
        for column in range(prototypes):
            q[:, column] /= q[:, column].sum() * prototypes
        for row in range(samples):
            q[row] /= q[row].sum() * samples
    return q * samples


def centered(logits, center, temperature, momentum=0.9):
    """Targets (N, K) by the running center, and the center after this batch."""
    logits = np.asarray(logits, dtype=np.float64)
    return softmax((logits - center) / temperature), momentum * center + (1 - momentum) * logits.mean(axis=0)


def cross_entropy(logits, target, temperature):
    """Of one sample: two vectors (K,)."""
    scaled = [v / temperature for v in np.asarray(logits, dtype=np.float64).tolist()]
    top = max(scaled)
    log_sum = top + math.log(sum(math.exp(v - top) for v in scaled))
    return -sum(t * (v - log_sum) for t, v in zip(np.asarray(target, dtype=np.float64).tolist(), scaled, strict=True))


def glcl(student, teacher, temperature):
    """Views of (B, K), globals first: 2 + 2n terms, each a mean over the batch, each weighing 1 / (2 + 2n)."""
    total, local = 0.0, len(student) - 2
    for t, targets in enumerate(teacher):
        for s, logits in enumerate(student):
            if s != t:
                each = [cross_entropy(logits[b], targets[b], temperature) for b in range(len(targets))]
                total += sum(each) / len(each) / (2 + 2 * local)
    return total


def mfp(student, teacher, mask, temperature):
    """Masked cells (cells, K) in the order of mask (2B, T', V): a mean over each view's cells, then over all 2B views."""
    total, cell = 0.0, 0
    for view in np.asarray(mask):
        each = []
        for _ in range(int(view.sum())):
            each.append(cross_entropy(student[cell], teacher[cell], temperature))
            cell += 1
        total += sum(each) / len(each) if each else 0.0
    return total / len(mask)


def koleo(features):
    """-mean log(distance to the nearest neighbour + 1e-6) of L2-normalised features (B, D)."""
    unit = [f / np.linalg.norm(f) for f in np.asarray(features, dtype=np.float64)]
    nearest = [min(np.linalg.norm(a - b) for j, b in enumerate(unit) if j != i) for i, a in enumerate(unit)]
    return -sum(math.log(d + 1e-6) for d in nearest) / len(unit)


def recipe(step, steps=187_500, batch=768, released=True):
    """What the paper's schedules say at a step (an epoch is 1,250 of them): lr, weight_decay, momentum, temperature."""
    epoch, top = step / 1250 * (187_500 / steps), 2e-4 * math.sqrt(batch / 1024)

    def cosine(first, last, part):
        return last + (first - last) * (1 + math.cos(math.pi * part)) / 2

    warm = (step + (0 if released else 1)) / (20 / 150 * steps)  # the released code begins at zero
    return {
        "lr": top * warm if warm < 1 else cosine(top, 1e-6, (epoch - 20) / 130),
        "weight_decay": cosine(0.04, 0.2, epoch / 150),
        "momentum": cosine(0.994, 1.0, epoch / 150),
        "temperature": 0.04 + 0.03 * min(1.0, epoch / 30),
    }


def tubes(steps, joints, parts, goal, rng, shapes=None):
    """Semantic tubes as the authors draw them, one mask (steps, joints); it gives up after ten failed proposals in a row.

    parts  chains of joints; shapes  collects (joints, duration) of every tube taken.
    """
    mask, failures = np.zeros((steps, joints), dtype=bool), 0
    while mask.sum() < goal and failures < 10:
        missing = goal - mask.sum()
        chain = parts[rng.integers(len(parts))]
        length = rng.integers(1, len(chain) + 1)
        first = rng.integers(len(chain) - length + 1)
        most = min(missing, 4 * joints)  # half the 64-frame grid
        area = rng.uniform(min(steps, most), max(steps, most))
        duration = int(np.clip(round(area / length), 1, steps))
        begin = rng.integers(steps - duration + 1)
        tube = np.zeros_like(mask)
        tube[begin : begin + duration, list(chain[first : first + length])] = True
        added = (tube & ~mask).sum()
        if 0 < added <= missing:
            mask |= tube
            failures = 0
            if shapes is not None:
                shapes.append((length, duration))
        else:
            failures += 1
    return mask


def crop(room, bounds, shortest, rng):
    """(start, length) of a random interval of `room` frames: a uniform part of it, uniformly placed."""
    length = min(max(round(rng.uniform(*bounds) * room), shortest), room)
    return int(rng.integers(room - length + 1)), length


def pick(length, window, rng):
    """`window` places in 0 .. length-1: interpolated, a random subset in order, or one from each of equal bins."""
    if length < window:
        return np.linspace(0, length - 1, window)
    if length < 2 * window:
        return np.sort(rng.choice(length, window, replace=False)).astype(float)
    edges = [math.ceil(length * i / window) for i in range(window + 1)]
    return np.array([rng.integers(edges[i], edges[i + 1]) for i in range(window)], dtype=float)


def views(valid, rng, local_views, globals_range=(0.5, 1.0), window=64, parents=2):
    """Places in time of the views of one clip (valid >= 16 frames), and each view's interval (start, length).

    Two global views, then for each of the first `parents` of them its local ones: [(frames, places, interval)].
    """
    outer = [crop(valid, globals_range, 16, rng) for _ in range(2)]
    out = [(window, start + pick(length, window, rng), (start, length)) for start, length in outer]
    for start, length in outer[:parents]:
        for frames, count, part in local_views:
            for _ in range(count):
                inner, size = crop(length, part, min(16, frames), rng)
                out.append((frames, start + inner + pick(size, frames, rng), (start + inner, size)))
    return out


def rebuilt_in_index_order(pose, parents, factors):
    """The released bone scaling of one pose (V, 3): joint after joint by index, though a parent may not be there yet."""
    out = np.zeros_like(pose)
    for joint, parent in enumerate(parents):
        bone = pose[joint] - (pose[parent] if parent >= 0 else 0)
        out[joint] = (out[parent] + factors[joint] * bone) if parent >= 0 else pose[joint]
    return out
