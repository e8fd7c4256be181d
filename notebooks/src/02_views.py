# %% [markdown]
# # 02 · Views and augmentations
#
# **After this lesson** you can say what a clip is, cut global and local views from it, pick frames where it is too short or too
# long, change a body the way other people and other cameras would, and check in code that a change kept what it had to keep.
# You will also have solved a case: fourteen joints that moved although nothing was to happen.
#
# **Needs** Python and PyTorch, lesson 01 or the quickstart; no GPU. **Takes** about 60 minutes with its three exercises;
# the machine's share is printed at the end.

# %%
import numpy as np
import torch

from slimlab import augment, data, lessons, plot, skeleton, widgets
from slimlab.released import faults, naive

here = lessons.begin("02_views")  # or data="synthetic", or your own: data="~/UTD-MHAD/Skeleton"
store, quick = here.store, here.quick
body = store.skeleton

# %% [markdown]
# ## A clip
# A clip is a body that moves: joints in metres, frame after frame, of one person or two. The library keeps it as
# `joints (T, M, V, 3)`, frames, people, joints, axes; networks take `x (B, 3, T, V, M)`. Left limbs are blue, right ones orange.
#
# Unless you ask for other data, these are real people: ten of them did ten rehabilitation exercises before a Kinect v2,
# correctly and then incorrectly on purpose (UI-PRMD, public domain, in the package).

# %%
index = here.example
clip = store[index]
name = store.label_names[clip.label] if clip.label >= 0 else clip.name
print(clip, f"\ny is up; {store.fps or 'an unknown number of'} frames a second")
plot.frames_strip(clip, body, title=f"{clip.name}: {name}")


# %%
def batch(clip, people=1):
    """(1, 3, T, V, M) metres, the first people of a clip, its first frame's center joint at the origin."""
    x = torch.from_numpy(clip.joints[clip.valid.any(axis=1), :people]).permute(3, 0, 2, 1)[None]
    return augment.center(x.contiguous(), body)


x = batch(clip)
print("joints", clip.joints.shape, "-> x", tuple(x.shape))

# %% [markdown]
# ## Views: the same motion, more of it or less
# SLiM learns without labels. Its only teacher is the sentence *two pieces of one clip show the same action*. So it cuts
# **views** (section 3.1 of [the paper](https://arxiv.org/abs/2603.10648)):
#
# - two **global** views of 64 frames, each from a random interval that covers a part $r \sim U(0.5, 1)$ of the clip,
# - and **local** ones *inside* a global view's interval $[s, s + \ell)$, at three granularities: 32 frames from 35–70 % of it,
#   twice 16 frames from 15–40 %, 8 frames from 5–20 %. Four a global view, eight in all (the released setting).
#
# To see which frames a view reads, give the sampler a clip that is a clock: every coordinate is the number of its frame.


# %%
def clock(*lengths):
    """A store of clips whose coordinates are their frames' numbers, from 1, in cm."""
    x = np.zeros((len(lengths), 3, max(lengths), len(body), 1))
    for i, frames in enumerate(lengths):
        x[i, :, :frames] = (np.arange(frames) + 1)[:, None, None] / 100
    return data.from_arrays(x, skeleton=body)


def frames_read(view):
    """(B, 3, T, V, 1) -> (B, T): which frames of the clock a view shows."""
    return 100 * view[:, 0, :, 0, 0].numpy() - 1


# %%
dice = torch.Generator().manual_seed(here.seed)
views = data.sample_views(clock(150), [0], dice)
shown = {}
for g in range(2):
    shown[f"global view {g + 1}"] = frames_read(views.globals[g])[0]
    for local in views.locals:
        own = local.chunk(2)[g]  # the first half lies inside global view 1, the second inside view 2
        for i in range(len(own)):
            shown[f"local, {own.shape[3]} frames, in {g + 1}{'ab'[i] if len(own) > 1 else ''}"] = frames_read(own[i])[0]
plot.view_timeline(shown, 150, "ten views of a clip of 150 frames")

# %% [markdown]
# Each tick is a frame that is read. A local view is shorter *in time*, not only in frames: the student sees a snatch of a
# wave and has to say what the teacher says of the whole.
#
# *Predict: how much of a global view's time does the other global view share, on average? And how often does a local view lie
# inside the* other *global view as well?*

# %%
many = data.sample_views(clock(150), [0] * (200 if quick else 2000), dice)
ends = [(v.min(axis=1), v.max(axis=1)) for v in map(frames_read, many.globals)]
shared = np.minimum(ends[0][1], ends[1][1]) - np.maximum(ends[0][0], ends[1][0])
part = np.clip(shared, 0, None) / (ends[0][1] - ends[0][0])
print(f"of global view 1, view 2 shows {part.mean():.0%} on average, at least {part.min():.0%}")
for local in many.locals:
    low, high = (f(frames_read(local[0]), axis=1) for f in (np.min, np.max))
    own, other = (np.mean((low >= a - 1) & (high <= b + 1)) for a, b in ends)
    print(f"{local.shape[3]:>2} frames: inside their own global view {own:.0%}, inside the other one too {other:.0%}")

# %% [markdown]
# Within their own is the rule; the other is chance, and the **control** for it. The loss of lesson 05 compares each local view
# with *both* global ones, so that some comparisons are between moments that share no frame.
#
# ## Picking frames
# A network takes exactly 64 frames; an interval has as many as it has. With $\ell$ frames for a window of $w$ the released
# code does one of three things:
#
# | interval | frames read |
# |---|---|
# | $\ell < w$ | $w$ places spread evenly over it, **interpolated** between frames |
# | $w \le \ell < 2w$ | a random **monotone subset**: $w$ different frames, in order |
# | $\ell \ge 2w$ | one random frame from each of $w$ equal **bins** |

# %%
lengths = (40, 100, 250)
whole = data.sample_views(clock(*lengths), [0, 1, 2], dice, global_range=(1.0, 1.0), local_views=())
read = frames_read(whole.globals[0])
plot.view_timeline({f"{n} frames": r for n, r in zip(lengths, read, strict=True)}, 250, "64 frames from clips of three lengths")

# %%
spread, subset, bins = read.round(3)
assert np.allclose(np.diff(spread), (40 - 1) / (64 - 1), atol=2e-3) and spread[-1] == 39  # evenly, with fractions
assert (np.diff(subset) >= 1).all() and (subset == subset.round()).all()  # different frames, in order
edges = np.arange(65) * 250 / 64
assert (bins >= np.floor(edges[:-1])).all() and (bins < np.ceil(edges[1:])).all()  # one from each bin
counts = store.frame_counts()
for name, which in {"interpolated": counts < 64, "subset": (counts >= 64) & (counts < 128), "bins": counts >= 128}.items():
    print(f"{name:<13} {which.mean():5.0%} of this store's clips, where a view takes the whole clip")

# %% [markdown]
# Random picking is an augmentation of its own: it changes the tempo a little, here and there, and two views of one interval
# differ. The control is a second draw, and the same seed again.

# %%
three = (here.seed, here.seed + 1, here.seed)
first, second, again = (data.sample_views(store, [index], torch.Generator().manual_seed(s)).globals[0] for s in three)
print(f"another seed: {(first - second).abs().max():.2f} m apart at most; the same seed: {(first - again).abs().max():.2f} m")
assert torch.equal(first, again) and not torch.equal(first, second)

# %%
views = data.sample_views(store, [index], torch.Generator().manual_seed(here.seed))
shortest = views.locals[-1][0, 0]  # (3, 8, V, 1)
glimpse = data.Clip(shortest.permute(1, 3, 2, 0).numpy(), np.ones((8, 1), bool), -1, "")
plot.frames_strip(glimpse, body, title="all that the student sees of this clip in an 8-frame view")

# %% [markdown]
# ## Mirroring
# Views alone teach little about *who* moves and *who* watches. Skeleton-aware augmentation (section 3.3) adds three changes, each
# with probability 0.5 on every view. The first is a mirror. In a mirror your right hand is a left hand: negate $x$ **and** let
# the joints change names, $\sigma$ being the table of left and right,
#
# $$ x'_v = \mathrm{diag}(-1, 1, 1)\; x_{\sigma(v)} . $$
#
# *Predict: what is wrong with negating $x$ alone, as pictures are flipped?*

# %%
moment = int((x[0, :, :, :, 0] - x[0, :, :1, :, 0]).norm(dim=0).mean(dim=1).argmax())  # furthest from the first frame


def pose(x):
    return x[0, :, moment, :, 0].T.numpy()  # (V, 3)


mirrored, flipped = augment.mirror(x, body), naive.flip(x)
panels = {"recorded": pose(x), "mirrored": pose(mirrored), "flipped without\nchanging sides": pose(flipped)}
plot.poses(panels, body, ghost=pose(x), title="left is blue")

# %% [markdown]
# Look at the colours. In the middle the body looks as if it had used the other hand. On the right it is impossible: its left arm
# hangs on its right side. No camera ever records such a body, so a network would spend itself on telling two kinds of body
# apart. The checks below measure that: `sides` asks whether turning the body suffices to bring it back, or a reflection is
# needed.

# %%
checks = ["check", "holds", "says"]
plot.invariants(x, mirrored, body, mirrored=True)[checks]

# %%
plot.invariants(x, flipped, body)[checks]

# %%
twice = (augment.mirror(mirrored, body) - x).abs().max()
assert twice == 0  # mirror twice = identity
sided = [n for n in store.label_names if "left" in n or "right" in n]
print(f"mirrored twice: {twice} m from where it was")
print("classes that differ by side, so that mirroring would mix them up:", ", ".join(sided) or "none here")

# %% [markdown]
# No bone changes its length under a bare flip, so a test of bone lengths passes it: **choose the invariant that the fault
# breaks**. And mirroring is a statement about the *task*: where "swipe left" and "swipe right" are two classes, it destroys
# what you want to know (`Config(mirror=False)`).
#
# ## Bone-aware scaling
# People differ in their limbs. Let $b_u = x_u - x_{\mathrm{parent}(u)}$ be the bone that ends at joint $u$, and $f_u$ the factor
# of its limb: trunk, arms and legs draw one each from $U(0.85, 1.15)$, left and right share it. The pose is rebuilt from the
# root,
#
# $$ x'_v = x_{\mathrm{root}} + \sum_{u \in \mathrm{path}(\mathrm{root} \to v)} f_u\, b_u . $$
#
# Directions of bones stay, their lengths change by exactly $f$, and the root keeps its path. The control scales the axes instead,
# which is what "scaling" means for pictures.
#
# *Predict: under axis scaling, will an upper arm keep its length through a clip?*


# %%
def factors(**of):
    """(1, parts): a factor for each part whose name contains one of these words, 1 for the others."""
    return torch.tensor([[next((f for word, f in of.items() if word in part), 1.0) for part in body.parts]])


long_arms = augment.scale_bones(x, body, factors(arm=1.15, leg=0.85))
stretched = naive.stretch(x, torch.tensor([[1.15, 0.85, 1.0]]))
panels = {"recorded": pose(x), "arms x 1.15,\nlegs x 0.85": pose(long_arms), "x times 1.15,\ny times 0.85": pose(stretched)}
plot.poses(panels, body, ghost=pose(x), title="other people, and a stretched picture")

# %%
kept = plot.invariants(x, long_arms, body)
for line in kept[kept["check"].str.startswith("bones")].itertuples():
    wanted = 1.15 if "arm" in line.check else 0.85 if "leg" in line.check else 1.0
    low, high = (float(v) for v in line.says[2:].split(" to "))
    assert abs(low - wanted) < 2e-3 and abs(high - wanted) < 2e-3  # exactly the factor, in every frame
assert kept["holds"].all()
kept[checks]

# %%
plot.invariants(x, stretched, body)[checks]

# %% [markdown]
# Where axes are scaled, an arm is long while it points to the side and short while it hangs: bones breathe as the person moves,
# and the network could read the pose from lengths. (Bones below 1 cm have no length worth a ratio and are left out.)
#
# Is 0.85 to 1.15 a sensible range? Ask the subjects of this store.

# %%
table = plot.limb_lengths(store)
outside = ((table["ratio"] < 0.85) | (table["ratio"] > 1.15)).mean()
print(f"{table['subject'].nunique()} subjects; {outside:.0%} of their limbs lie outside 0.85 to 1.15 of the mean")
plot.limbs(table, (0.85, 1.15), "subjects differ by about as much")

# %% [markdown]
# ## The case of the fourteen joints
# Now a story with a body. The authors' released code scales bones too. Somebody ran it with **every factor at 1**, where nothing
# may happen. It is the first experiment to make with any augmentation. The body in the case has the 25 joints of NTU RGB+D, which
# a Kinect v2 numbers in an order of its own. UI-PRMD's has 22 in another order, so a synthetic clip plays the part, and the body
# of this store gets its verdict below.
#
# *Predict: at factor 1, how far do joints move?*

# %%
case = store if body == skeleton.KINECT_V2 else data.synthetic(clips=22)
suspect, evidence = case.skeleton, case[1]
seen = torch.from_numpy(evidence.joints[:, :1]).permute(3, 0, 2, 1)[None].contiguous()  # (1, 3, T, V, 1)
seen = augment.center(seen, suspect)
ones = torch.ones(1, len(suspect.parts))
right, wrong = augment.scale_bones(seen, suspect, ones), naive.scale_bones_by_index(seen, suspect, ones)
off = (wrong - seen).norm(dim=1)[0, :, :, 0]  # (T, V) m
moved = (off.amax(dim=0) > 1e-3).nonzero().flatten().tolist()
print(f"case: {case}")
print(f"ours moves {int(((right - seen).norm(dim=1).amax(dim=(0, 1, 3)) > 1e-3).sum())} of {len(suspect)} joints,", end=" ")
print(f"the released way {len(moved)}, by {100 * off[:, moved].mean():.0f} cm on average")

# %%
moment = int(off.sum(dim=1).argmax())
panels = {"as recorded": pose(seen), "ours, all factors 1": pose(right), "released, all factors 1": pose(wrong)}
plot.poses(panels, suspect, ghost=pose(seen), title=f"frame {moment}, where it is worst")

# %% [markdown]
# Head and arms have slid down: the head sits where the shoulders were. Who moved, and what do they have in common?

# %%
print("moved:", ", ".join(suspect.names[j] for j in moved))
print("\njoint  parent   (parents with a higher number)")
late = [j for j, p in enumerate(suspect.parents) if p > j]
for j in late:
    print(f"{j:>3} <- {suspect.parents[j]:>3}     {suspect.names[j]} hangs from {suspect.names[suspect.parents[j]]}")

# %% [markdown]
# There is the clue. The released loop rebuilds joints in the order of their numbers:
#
# ```python
# for joint in range(1, V):                       # 1, 2, 3, 4, ...
#     new[joint] = new[parent[joint]] + factor * bone[joint]
# ```
#
# When it comes to joint 2, joint 20 has not been placed yet: `new[20]` is still **zero**, the origin. So 2, 4 and 8, neck and
# both shoulders, hang on the origin, and all that hangs from them comes along. If this is the culprit, it must account for
# exactly those who moved, no more and no less.

# %%
blamed = np.flatnonzero(suspect.from_bones[:, late].any(axis=1)).tolist()  # a late joint is an ancestor, or the joint itself
assert moved == blamed
print(f"{len(late)} late joints and all that hangs from them: {len(blamed)} of {len(suspect)} joints. Case closed.")
assert len(moved) == 14 and late == [2, 4, 8]
bodies = {n: getattr(skeleton, n) for n in ("KINECT_V2", "KINECT_V1", "H36M", "COCO")} | {"this store": body}
for name, other in bodies.items():
    faulty = faults.IndexOrdered(**other.to_dict())  # the same body, rebuilt in index order
    changed = np.any(faulty.from_bones != other.from_bones, axis=1).sum()
    print(f"{name:<10} {changed:>3} of {len(other)} joints would move")

# %% [markdown]
# Bodies at which nobody would move are the **control**: where joints are numbered from the root outwards the very same loop
# is right, which is how such a loop comes to be written. Why did nobody see it? Pre-training puts the middle of the spine at
# the origin. The origin is then *inside* the body, the wrong pose still looks somewhat like a person, and a training loss
# goes down all the same.

# %%
found = plot.invariants(seen, wrong, suspect)[checks]
same = [b for b in suspect.bones if b[1] not in late]
print(f"bones whose length is untouched: {len(same)} of {len(suspect.bones)}; a test that looks at a forearm sees nothing.")
found

# %% [markdown]
# slimlab adds each joint's ancestors up by a matrix, `skeleton.from_bones`, which no order of numbers can disturb. (What
# the fault costs in accuracy is not known; `Config(released_quirks=True)` trains with it.) Your turn:


# %% tags=["exercise", "raises-exception"]
# Exercise 1 · difficulty 2 of 3 · about 15 minutes
def scale_bones(joints, parents, factors):
    """joints (T, V, 3), parents (V numbers, -1 at the root, in ANY order), factors (V,) -> (T, V, 3)."""
    out = torch.zeros_like(joints)
    for joint, parent in enumerate(parents):
        if parent < 0:
            out[:, joint] = joints[:, joint]
        else:
            out[:, joint] = out[:, parent] + factors[joint] * (joints[:, joint] - joints[:, parent])
    return out


lessons.check_bone_scaling(scale_bones)

# %% [markdown]
# This time the function is not empty: it is the released loop. Mend it for any tree, also for one that is numbered backwards.
#
# <details><summary>Hint</summary>
#
# A joint can be placed once its parent has been. Either make an order first (root, then everything whose parent is in the
# list, until all are), or go up from each joint to the root and add up scaled bones on the way.
# </details>
# <details><summary>Common mistakes</summary>
#
# - Sorting joints by their *number of ancestors* is fine; sorting them by their *parent's number* is not.
# - Adding a scaled bone to the parent's old place: every bone then has its length, but the limbs come apart further out.
# - Scaling places instead of bones: then a hand moves twice, with its own factor and with the arm's.
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def scale_bones(joints, parents, factors):
#     """joints (T, V, 3), parents (V numbers, -1 at the root, in ANY order), factors (V,) -> (T, V, 3)."""
#     order = [parents.index(-1)]
#     for joint in order:  # grows while we walk along it
#         order += [child for child, parent in enumerate(parents) if parent == joint]
#     out = joints.clone()
#     for joint in order[1:]:
#         parent = parents[joint]
#         out[:, joint] = out[:, parent] + factors[joint] * (joints[:, joint] - joints[:, parent])
#     return out
# ```
# </details>

# %% [markdown]
# ## Rotation
# Another camera, or a person who does not face it: turn everything about the origin, $x' = R_z R_y R_x\, x$. The paper
# turns by any angle about the vertical axis and tilts by up to 30 degrees; the released code turns by at most 0.3 rad about each
# axis, and so does the preset `tiny`. A rotation keeps every distance between joints; a shear, common in skeleton pipelines, does
# not.

# %%
moment = int((x[0, :, :, :, 0] - x[0, :, :1, :, 0]).norm(dim=0).mean(dim=1).argmax())
turned, sheared = augment.rotate(x, torch.tensor([[0.0, 0.6, 0.0]])), naive.shear(x, torch.tensor([0.3]))
panels = {"recorded": pose(x), "turned by 0.6 rad\nabout the vertical": pose(turned), "sheared by 0.3": pose(sheared)}
plot.poses(panels, body, ghost=pose(x), title="a camera further to the side, and a body of rubber")


# %%
def distances(x):
    """(T, V, V) metres between the joints of the first person."""
    points = x[0, :, :, :, 0].permute(1, 2, 0).double()
    return torch.cdist(points, points, compute_mode="donot_use_mm_for_euclid_dist")


for name, changed in {"turned": turned, "sheared": sheared}.items():
    print(f"{name:<8} distances between joints change by {100 * (distances(changed) - distances(x)).abs().max():.4f} cm at most")
assert (distances(turned) - distances(x)).abs().max() < 1e-4

# %% [markdown]
# ## All of it, as training does it
# `augment.skeleton_aware` draws mirroring, scaling and rotation anew for every view, each with probability 0.5, and applies a
# whole batch as two matrix products: mirroring and scaling are linear in the *joints*, rotation in the *axes*.
#
# *Predict: what share of the views is left exactly as it was?*

# %%
frame = x[:, :, moment : moment + 1]
drawn = augment.skeleton_aware(frame.expand(4000, -1, -1, -1, -1), body, torch.Generator().manual_seed(here.seed))
same = ((drawn - frame).abs().amax(dim=(1, 2, 3, 4)) < 1e-6).double().mean()
error = (0.5**3 * (1 - 0.5**3) / len(drawn)) ** 0.5
print(f"untouched: {same:.3f}; 0.5 x 0.5 x 0.5 = {0.5**3}, give or take {error:.3f} (one standard error, {len(drawn)} draws)")
plot.poses(
    {f"draw {i + 1}": drawn[i, :, 0, :, 0].T.numpy() for i in range(7)}, body, ghost=pose(x), title="one pose, seven draws"
)

# %% [markdown]
# Three kinds of change are not about the body. Global view 1 gets Gaussian noise of 1 cm on every joint, global view 2 seldom
# gets more, or loses one axis. Compare the noise with what joints do anyway:

# %%
step = (x[:, :, 1:] - x[:, :, :-1]).norm(dim=1)  # m a frame
noisy = augment.jitter(x, 0.01, torch.Generator().manual_seed(here.seed))
print(f"from frame to frame a joint moves {100 * step.median():.1f} cm (median), {100 * step.quantile(0.95):.1f} cm (95 %)")
print(f"noise of 1 cm on each axis moves it {100 * (noisy - x).norm(dim=1).median():.1f} cm")
plot.invariants(x, noisy, body)[checks]

# %% [markdown]
# Noise breaks bones' lengths, those of short bones badly (a thumb has few centimetres): on purpose, because a sensor's joints are
# no more certain than that. Sides survive.
#
# ## Try it yourself
# Original, augmented and a naive augmentation move in step; what each has to keep stands below it. Set every factor to 1
# against "bones rebuilt in index order": that is the case above (where your body's numbers are in order, nothing happens).

# %%
widgets.AugmentationExplorer(store, index)


# %% tags=["exercise", "raises-exception"]
# Exercise 2 · difficulty 1 of 3 · about 10 minutes
def mirror(joints, pairs):
    """joints (T, V, 3), pairs [(left, right), …] -> (T, V, 3): as seen in a mirror."""
    raise NotImplementedError


lessons.check_mirror(mirror)

# %% [markdown]
# <details><summary>Hint</summary>
#
# Make a list `source` with `source[v] = v`, exchange the two entries of every pair, and take `joints[:, source]`. Then change
# a sign.
# </details>
# <details><summary>Common mistakes</summary>
#
# - `out[:, a], out[:, b] = out[:, b], out[:, a]` swaps nothing: both right sides are views, and the second is read after the
#   first has been written. Python's swap is for names, not for views of one tensor.
# - Negating $x$ of the pairs only: the head stands on the other side too.
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def mirror(joints, pairs):
#     """joints (T, V, 3), pairs [(left, right), …] -> (T, V, 3): as seen in a mirror."""
#     source = list(range(joints.shape[1]))
#     for left, right in pairs:
#         source[left], source[right] = right, left
#     return joints[:, source] * torch.tensor([-1.0, 1.0, 1.0])
# ```
# </details>


# %% tags=["exercise", "raises-exception"]
# Exercise 3 · difficulty 2 of 3 · about 15 minutes
def local_interval(start, span, low, high, shortest, rng):
    """(begin, length) in whole frames of a local view inside the global view that has `span` frames from frame `start` on.

    length: a part of span, uniform in low..high, rounded; at least `shortest` frames, at most span
    begin: uniform among all frames at which a view of this length stays inside; rng: a numpy Generator
    """
    raise NotImplementedError


lessons.check_local_interval(local_interval)

# %% [markdown]
# <details><summary>Hint</summary>
#
# `rng.uniform(low, high)` and `rng.integers(n)` (which gives 0 to n - 1). In how many places can a view of `length` frames begin?
# </details>
# <details><summary>Common mistakes</summary>
#
# - Counting `begin` from the global view instead of from the clip.
# - `rng.integers(span - length)`: the last place never comes, and where length = span it raises an error.
# - Taking the part of the *clip*: a local view could then be longer than the global view that it is to lie in.
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def local_interval(start, span, low, high, shortest, rng):
#     """(begin, length) in whole frames of a local view inside the global view that has `span` frames from frame `start` on."""
#     length = min(span, max(shortest, round(rng.uniform(low, high) * span)))
#     return start + int(rng.integers(span - length + 1)), length
# ```
# </details>

# %% [markdown]
# ## Summary
# - Two global views cover 50–100 % of a clip, eight local ones lie inside them at 32, 16 and 8 frames. Too short an interval is
#   interpolated, up to twice the window a monotone subset is drawn, beyond that one frame from each bin.
# - Skeleton-aware means: the result is a body that somebody could have, before a camera that could stand there. Mirroring changes
#   names along with sides, scaling works on bones, rotation keeps distances.
# - Run an augmentation with the setting that must change nothing. That test found fourteen displaced joints in published code.
# - Choose the invariant that the fault breaks: a flip keeps bone lengths, a shear keeps sides.
#
# ## Test yourself
# **1.** Why does a local view lie inside a global view's interval instead of anywhere in the clip?
#
# <details><summary>Answer</summary>
#
# The student's local view has to agree with what the teacher says of the global one. Were it taken from elsewhere, the
# teacher's sentence might be about another part of the motion (for the *other* global view that still happens).
# </details>
#
# **2.** Which invariant exposes a bare flip, which one an axis scaling, and which of those listed above passes both?
#
# <details><summary>Answer</summary>
#
# The flip: sides. Axis scaling: the length ratios of one bone over time. Neither moves absent people: `nobody moved in`
# passes both.
# </details>
#
# **3.** A clip of 41 frames: which way of picking is used for a 64-frame view of 80 % of it? And for an 8-frame view of 20 %
# of that?
#
# <details><summary>Answer</summary>
#
# 80 % of 41 are 33 frames, fewer than 64: interpolated. 20 % of 33 are 7, but no 8-frame view is cut shorter than 8
# frames: 8 frames for a window of 8, so all of them, in order.
# </details>
#
# **4.** Does it matter whether scaling or rotation comes first? And mirroring or rotation?
#
# <details><summary>Answer</summary>
#
# Scaling and rotation commute: one mixes joints, the other axes. Mirroring and rotation do not: a turn to the left, seen
# in a mirror, is a turn to the right.
# </details>
#
# ## Further reading
# - SLiM, [arXiv 2603.10648](https://arxiv.org/abs/2603.10648), sections 3.1 and 3.3.
# - Multi-crop and local-to-global views: SwAV, [arXiv 2006.09882](https://arxiv.org/abs/2006.09882); DINO,
#   [arXiv 2104.14294](https://arxiv.org/abs/2104.14294).
# - Augmentations for skeletons, with shear and jitter: AimCLR, [arXiv 2112.03590](https://arxiv.org/abs/2112.03590).
# - NTU RGB+D and its 25 joints: [arXiv 1604.02808](https://arxiv.org/abs/1604.02808).

# %%
here.end()
