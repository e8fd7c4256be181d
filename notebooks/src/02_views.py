# %% [markdown]
# # 02 · Views and augmentations
#
# **After this lesson** you can cut global and local views from a clip; pick frames where an interval is too short or too long;
# change a body as other people and other cameras would; and check in code that a change kept what it had to keep. You also solve
# a case: fourteen joints that moved although nothing was to happen.
#
# **Needs** Python and PyTorch, lesson 01 or the quickstart; no GPU. **Takes** about 80 minutes with its three exercises; the last
# line prints the machine's time.

# %%
import numpy as np
import pandas as pd
import torch

from slimlab import augment, data, lessons, plot, pretrain, skeleton, widgets
from slimlab.released import faults, naive

here = lessons.begin("02_views")  # or data="synthetic", or your own: data="~/UTD-MHAD/Skeleton"
store, quick = here.store, here.quick
body = store.skeleton

# %% [markdown]
# You are here: at **the views**, which are cut from a clip and augmented before any network sees them.

# %%
plot.method("views")

# %% [markdown]
# ## A clip
# A clip is a body that moves: joints in meters, frame after frame, of one person or two. The library stores it as
# `joints (T, M, V, 3)`: frames, people, joints, axes. Networks take `x (B, 3, T, V, M)`. Left limbs are blue, right ones orange.
#
# Unless you ask for other data, the clips are UI-PRMD's: ten people who did ten rehabilitation exercises in front of a Kinect v2,
# correctly and incorrectly on purpose (public domain, in the package).

# %%
index = here.example
clip = store[index]
name = store.label_names[clip.label] if clip.label >= 0 else clip.name
print(clip, f"\ny is up; {store.fps or 'an unknown number of'} frames a second")
plot.frames_strip(clip, body, title=f"{clip.name}: {name}")


# %%
def batch(clip, people=1):
    """(1, 3, T, V, M) meters, the first people of a clip, its first frame's center joint at the origin."""
    x = torch.from_numpy(clip.joints[clip.valid.any(axis=1), :people]).permute(3, 0, 2, 1)[None]
    return augment.center(x.contiguous(), body)


x = batch(clip)
print("joints", clip.joints.shape, "-> x", tuple(x.shape))

# %% [markdown]
# ## Views: longer and shorter parts of one motion
# SLiM learns without labels. Its only supervision is the assumption that two pieces of one clip show the same action. Training
# needs two networks (lesson 05, [glossary](../docs/glossary.md)). The **teacher** sees long pieces with nothing masked. The
# **student** must predict the teacher's answers from other pieces, or from the same ones partly masked. These pieces are
# **views** (section 3.1 of [the paper](https://arxiv.org/abs/2603.10648)):
#
# - Two **global** views of 64 frames. Each comes from a random interval that covers a part $r \sim U(0.5, 1)$ of the clip.
#   Teacher and student see them.
# - Eight **local** views, four *inside* each global view's interval $[s, s + \ell)$: one of 32 frames from 35–70 % of it, two of
#   16 frames from 15–40 %, one of 8 frames from 5–20 %. The student alone sees them.
#
# These are the settings of the authors' released code. The first preprint had three local views, one of each length, all inside
# the first global view (`pretrain.PREPRINT_VIEWS`). [Paper, released code and slimlab](../docs/fidelity.md) lists such
# differences.
#
# To see which frames a view reads, we give the sampler a clip that is a clock: every coordinate is the number of its frame.


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
# Each tick is a frame that is read. A local view has fewer frames and also covers less time: the student sees a short part of a
# wave, and must predict what the teacher answers for half of the clip or more.
#
# *Predict: how much of a global view's time does the other global view share, on average? And how often does a local view lie
# inside the* other *global view as well?*

# %%
many = data.sample_views(clock(150), [0] * (200 if quick else 2000), dice)
ends = [(v.min(axis=1), v.max(axis=1)) for v in map(frames_read, many.globals)]
cover = np.concatenate([last - first + 1 for first, last in ends]) / 150
shared = np.minimum(ends[0][1], ends[1][1]) - np.maximum(ends[0][0], ends[1][0])
part = np.clip(shared, 0, None) / (ends[0][1] - ends[0][0])
print(f"a global view covers {cover.min():.0%} to {cover.max():.0%} of the clip, {cover.mean():.0%} on average")
print(f"of global view 1, view 2 shows {part.mean():.0%} on average, at least {part.min():.0%}")

# %%
for local in many.locals:
    low, high = (f(frames_read(local[0]), axis=1) for f in (np.min, np.max))
    own, other = (np.mean((low >= a - 1) & (high <= b + 1)) for a, b in ends)
    span = (high - low + 1).max() / 150
    print(f"{local.shape[3]:>2} frames, up to {span:.0%} of the clip: inside their own view {own:.0%}, the other one {other:.0%}")

# %% [markdown]
# A local view lies in its own global view by construction. How often it also lies in the other is chance, our **control**. The
# loss of lesson 05 compares each local view with *both* global ones, so some comparisons are between moments that share no frame.
#
# ## Picking frames
# A network takes exactly 64 frames, but an interval has as many as it has. For an interval of $\ell$ frames and a window of $w$
# there are three cases (the released code has the same three, with small differences in each):
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
# Random picking is an augmentation of its own: it changes the tempo locally, and two views of one interval differ. The controls
# are a second draw with another seed, and a third with the same seed again.

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
# All views of a clip show the same person before the same camera. **Skeleton-aware augmentation** (section 3.3) varies both. It
# makes three changes, each with probability 0.5 on every view. The first is a mirror, in which your right hand is a left hand: it
# negates $x$ **and** lets left and right joints change places. With $\sigma$ for the table of left and right,
#
# $$ x'_v = \mathrm{diag}(-1, 1, 1)\; x_{\sigma(v)} . $$
#
# *Predict: what is wrong with negating $x$ alone, as one flips a picture?*

# %%
moment = int((x[0, :, :, :, 0] - x[0, :, :1, :, 0]).norm(dim=0).mean(dim=1).argmax())  # furthest from the first frame


def pose(x):
    return x[0, :, moment, :, 0].T.numpy()  # (V, 3)


mirrored, flipped = augment.mirror(x, body), naive.flip(x)
panels = {"recorded": pose(x), "mirrored": pose(mirrored), "flipped without\nchanging sides": pose(flipped)}
plot.poses(panels, body, ghost=pose(x), title="left is blue")

# %% [markdown]
# Look at the colors. In the middle, the body looks as if it had used the other hand. On the right, the left arm hangs on the
# right side, which no camera ever records. A network trained on such bodies would have to learn two kinds of body.
#
# The tables below measure what a change kept. The check `sides` asks whether a rotation suffices to bring the body back to the
# recorded one, or whether that takes a reflection.

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
# A bare flip changes no bone's length, so a test of bone lengths does not notice it: **choose the invariant that the fault
# breaks**. Mirroring is also a statement about the *task*. Where "swipe left" and "swipe right" are two classes, it destroys the
# difference that matters (`Config(mirror=False)`).
#
# ## Bone-aware scaling
# People's limbs differ in length. Let $b_u = x_u - x_{\mathrm{parent}(u)}$ be the bone that ends at joint $u$, and $f_u$ its
# factor. Trunk, arms and legs draw one factor each from $U(0.85, 1.15)$; left and right share theirs. The pose is rebuilt from
# the root:
#
# $$ x'_v = x_{\mathrm{root}} + \sum_{u \in \mathrm{path}(\mathrm{root} \to v)} f_u\, b_u . $$
#
# Bone directions stay, bone lengths change by exactly $f$, and the root keeps its path. The control scales the axes instead,
# which is what scaling means for pictures.
#
# *Predict: under axis scaling, does an upper arm keep its length through a clip?*


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
# Under axis scaling, an arm is long while it points to the side and short while it hangs. Bone lengths then change as the person
# moves, and a network could read the pose from them. (Bones below 1 cm are left out: a ratio of such lengths means little.)
#
# Is 0.85 to 1.15 a sensible range? Compare it with the people of this data set.

# %%
table = plot.limb_lengths(store)
outside = ((table["ratio"] < 0.85) | (table["ratio"] > 1.15)).mean()
print(f"{table['subject'].nunique()} subjects; {outside:.0%} of their limbs lie outside 0.85 to 1.15 of the mean")
plot.limbs(table, (0.85, 1.15), "the limbs of the subjects, and the range of bone scaling")

# %% [markdown]
# ## The case of the fourteen joints
# The authors' released code scales bones, too. The first experiment to make with any augmentation is the setting in which nothing
# may happen: **every factor at 1**. The case is about a body with the 25 joints of NTU RGB+D, in the order in which a Kinect v2
# numbers them. UI-PRMD's body has 22 joints in another order; we use a synthetic Kinect body here and test yours below.
#
# *Predict: at factor 1, how far do joints move?*

# %%
case = store if body == skeleton.KINECT_V2 else data.synthetic(clips=22)
suspect, evidence = case.skeleton, case[1]
seen = torch.from_numpy(evidence.joints[:, :1]).permute(3, 0, 2, 1)[None].contiguous()  # (1, 3, T, V, 1)
seen = augment.center(seen, suspect)
print(f"case: {case}")

# %%
ones = torch.ones(1, len(suspect.parts))
right, wrong = augment.scale_bones(seen, suspect, ones), lessons.released_scaling(seen, suspect, ones)
off = (wrong - seen).norm(dim=1)[0, :, :, 0]  # (T, V) m
moved = (off.amax(dim=0) > 1e-3).nonzero().flatten().tolist()
print(f"ours moves {int(((right - seen).norm(dim=1).amax(dim=(0, 1, 3)) > 1e-3).sum())} of {len(suspect)} joints,", end=" ")
print(f"the released way {len(moved)}, by {100 * off[:, moved].mean():.0f} cm on average")

# %%
moment = int(off.sum(dim=1).argmax())
panels = {"as recorded": pose(seen), "ours, all factors 1": pose(right), "released, all factors 1": pose(wrong)}
plot.poses(panels, suspect, ghost=pose(seen), title=f"frame {moment}, where it is worst")

# %% [markdown]
# Head and arms have slid down: the head sits where the shoulders were. Which joints moved, and what do they have in common?

# %%
witness = {"name": suspect.names, "parent": suspect.parents, "moved by (cm)": (100 * off.mean(dim=0)).round(decimals=1)}
pd.DataFrame(witness).rename_axis("joint")

# %% [markdown]
# *Predict: name your suspect before you read on. Legs and spine did not move, and all others moved by the same distance. Take the
# topmost joints of those that moved: what do they have in common that no other joint has?*

# %%
late = [j for j, p in enumerate(suspect.parents) if p > j]
for j in late:
    print(f"joint {j:>2} hangs from joint {suspect.parents[j]}: {suspect.names[j]} from {suspect.names[suspect.parents[j]]}")

# %% [markdown]
# These are the joints whose parent has a higher number. The released code rebuilds joints in the order of their numbers:
#
# ```python
# for joint in range(1, V):                       # 1, 2, 3, 4, ...
#     new[joint] = new[parent[joint]] + factor * bone[joint]
# ```
#
# When the loop comes to joint 2, joint 20 has no new place yet: `new[20]` is still **zero**, the origin. So joints 2, 4 and 8,
# neck and both shoulders, are placed at the origin plus a bone, and all joints that hang from them follow. If this loop is the
# culprit, it must account for exactly those joints that moved, no more and no less, and for the distance: that of joint 20 from
# the origin.

# %%
blamed = np.flatnonzero(suspect.from_bones[:, late].any(axis=1)).tolist()  # a late joint is an ancestor, or the joint itself
assert moved == blamed
distance = seen[0, :, :, 20, 0].norm(dim=0)  # (T,) m
assert len(moved) == 14 and late == [2, 4, 8] and (off[:, moved] - distance[:, None]).abs().max() < 1e-4
print(f"{len(late)} late joints and all that hangs from them: {len(blamed)} of {len(suspect)} joints.")
print(f"Joint 20 is {100 * distance.mean():.1f} cm from the origin. Case closed.")

# %% [markdown]
# Would the loop do this to any body?

# %%
bodies = {n: getattr(skeleton, n) for n in ("KINECT_V2", "KINECT_V1", "H36M", "COCO")} | {"this store": body}
for name, other in bodies.items():
    faulty = faults.IndexOrdered(**other.to_dict())  # the same body, rebuilt in index order
    changed = np.any(faulty.from_bones != other.from_bones, axis=1).sum()
    print(f"{name:<10} {changed:>3} of {len(other)} joints would move")

# %% [markdown]
# Skeletons in which no joint moves are the **control**. Their joints are numbered from the root outwards, and for them the same
# loop is right; so it can be written, and tested, without anybody noticing. On Kinect v2, too, the fault is easy to overlook.
# Pre-training puts the middle of the spine at the origin. The origin then lies *inside* the body, the wrong pose still resembles
# a person, and no loss complains.

# %%
found = plot.invariants(seen, wrong, suspect)[checks]
same = [b for b in suspect.bones if b[1] not in late]
print(f"bones whose length is untouched: {len(same)} of {len(suspect.bones)}; a test that looks at a forearm sees nothing.")
found

# %% [markdown]
# slimlab sums each joint's ancestors with a matrix, `skeleton.from_bones`, so the order of the numbers does not matter.
#
# What does the fault cost in accuracy? [A study](../docs/studies.md#what-does-the-wrong-bone-scaling-cost) on UTD-MHAD found no
# measurable cost: with the joints in Kinect v2's order, 600 steps and three seeds, kNN was 0.037 *higher* with the fault and the
# linear probe 0.003 lower. At that size the fault may act as one more augmentation. The reason to mend it is that the correct
# version does what it says. `Config(released_quirks="bone_scaling")` trains with this fault alone, and `released_quirks=True`
# with all known faults of the released code (`faults.NAMES`).
#
# Now mend it yourself.


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
# The function that you were given is the released loop. It has to work for any tree, also for one that is numbered backwards.
#
# <details><summary>Hint</summary>
#
# A joint can be placed once its parent has been. Either make an order first: the root, then every joint whose parent is in the
# list, until all are. Or go up from each joint to the root and add up scaled bones on the way.
# </details>
# <details><summary>Common mistakes</summary>
#
# - Sorting joints by their *parent's number*. (Sorting by the *number of ancestors* works.)
# - Repeating the loop twice: that mends Kinect v2, but not every tree.
# - Adding a scaled bone to the parent's old place: each bone then has its length, but limbs come apart.
# - Scaling places instead of bones: a hand then moves with the whole distance from the origin.
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
# For another camera, or a person who does not face it, everything turns about the origin: $x' = R_z R_y R_x\, x$. The paper turns
# by any angle about the vertical axis and tilts by up to 30 degrees, and the presets `paper` and `small` follow it. The released
# pre-training code turns by at most 0.3 rad about each axis, as the preset `tiny` does. A rotation keeps every distance between
# joints. A shear, common in skeleton pipelines, does not.

# %%
for preset in ("paper", "small", "tiny"):
    degrees = np.rad2deg(np.broadcast_to(pretrain.Config(preset=preset).rotation, 3))
    print(f"{preset:<5} turns by at most {degrees.round().astype(int)} degrees about x, y (up) and z")

# %%
moment = int((x[0, :, :, :, 0] - x[0, :, :1, :, 0]).norm(dim=0).mean(dim=1).argmax())
turned, sheared = augment.rotate(x, torch.tensor([[0.0, 0.6, 0.0]])), naive.shear(x, torch.tensor([0.3]))
panels = {"recorded": pose(x), "turned by 0.6 rad\nabout the vertical": pose(turned), "sheared by 0.3": pose(sheared)}
plot.poses(panels, body, ghost=pose(x), title="rotation keeps distances, shear does not")


# %%
def distances(x):
    """(T, V, V) meters between the joints of the first person."""
    points = x[0, :, :, :, 0].permute(1, 2, 0).double()
    return torch.cdist(points, points, compute_mode="donot_use_mm_for_euclid_dist")


for name, changed in {"turned": turned, "sheared": sheared}.items():
    print(f"{name:<8} distances between joints change by {100 * (distances(changed) - distances(x)).abs().max():.4f} cm at most")
assert (distances(turned) - distances(x)).abs().max() < 1e-4

# %% [markdown]
# ## All three, as in training
# `augment.skeleton_aware` draws mirroring, scaling and rotation anew for every view, each with probability 0.5. It applies them
# to a whole batch as two matrix products, because mirroring and scaling are linear in the *joints* and rotation is linear in the
# *axes*.
#
# *Predict: which share of the views is left exactly as it was?*

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
# Training also adds changes that are not about the body. Global view 1 always gets Gaussian noise on every joint, with a standard
# deviation of 1 cm on each axis. Global view 2 gets 5 cm with p = 0.1, and loses an axis with p = 0.2. Local views get 1 cm with
# p = 0.5. Compare the noise with what joints do anyway:

# %%
step = (x[:, :, 1:] - x[:, :, :-1]).norm(dim=1)  # m a frame
noisy = augment.jitter(x, 0.01, torch.Generator().manual_seed(here.seed))
print(f"from frame to frame a joint moves {100 * step.median():.1f} cm (median), {100 * step.quantile(0.95):.1f} cm (95 %)")
print(f"noise of 1 cm on each axis moves it {100 * (noisy - x).norm(dim=1).median():.1f} cm")
plot.invariants(x, noisy, body)[checks]

# %% [markdown]
# Noise changes the lengths of bones, most of all of short ones. That is on purpose: a sensor's joints are no more certain than
# that. Sides survive.
#
# ## Try it yourself
# The recorded clip, an augmented one and a naive augmentation move in step, with the checks below each. Set every factor to 1 and
# choose "bones rebuilt in index order": that is the case above. (Nothing happens if your body is numbered from the root
# outwards.)

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
# Make a list `source` with `source[v] = v`, exchange the two entries of every pair, and take `joints[:, source]`. Then change the
# sign of one coordinate.
# </details>
# <details><summary>Common mistakes</summary>
#
# - `out[:, a], out[:, b] = out[:, b], out[:, a]` swaps nothing: both right sides are views of one tensor, and the second is read
#   after the first has been overwritten.
# - Negating $x$ of the pairs only: the head changes its side, too.
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
# Use `rng.uniform(low, high)` and `rng.integers(n)`, which gives 0 to n - 1. In how many places can a view of `length` frames
# begin?
# </details>
# <details><summary>Common mistakes</summary>
#
# - Counting `begin` from the global view instead of from the clip.
# - `rng.integers(span - length)`: the last place never comes, and where length = span it raises an error.
# - Taking the part of the *clip*: a local view could then be longer than its global view.
# - `int` instead of `round`: lengths are then half a frame too short on average.
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
# - Two global views cover 50 to 100 % of a clip. Eight local views of 32, 16 and 8 frames lie inside them. An interval shorter
#   than the window is interpolated; from up to twice as many frames a monotone subset is drawn; from more, one frame of each bin.
# - Skeleton-aware means that the result is a body that somebody could have, before a camera that could stand there. Mirroring
#   lets left and right change places, scaling works on bones, rotation keeps distances.
# - Run every augmentation with the setting that must change nothing. This test found fourteen displaced joints in published code.
# - Choose the invariant that the fault breaks: a flip keeps bone lengths, a shear keeps sides.
#
# **Next: [lesson 03](03_encoder.ipynb), tokens and encoder.** A view is still a block of coordinates. Lesson 03 cuts it into
# tokens, eight frames of one joint each, and opens the network that reads them. Masks come after that, because they hide tokens.
#
# ## Test yourself
# **1.** Why does a local view lie inside a global view's interval instead of anywhere in the clip?
#
# <details><summary>Answer</summary>
#
# The student's answer for the local view has to agree with the teacher's for the global one. Taken from elsewhere, the local view
# might show another part of the motion. (For the *other* global view that still happens.)
# </details>
#
# **2.** Which check exposes a bare flip, and which one an axis scaling? Which check passes both?
#
# <details><summary>Answer</summary>
#
# `sides` exposes the flip. The checks of bone lengths expose axis scaling, because the ratio of a bone's lengths before and after
# varies over time. The check that absent people and joints stay at zero passes both.
# </details>
#
# **3.** A clip has 41 frames. How are frames picked for a 64-frame view of 80 % of it? And for an 8-frame view of 20 % of that?
#
# <details><summary>Answer</summary>
#
# 80 % of 41 are 33 frames, fewer than 64, so they are interpolated. 20 % of 33 are 7 frames, but no 8-frame view is cut shorter
# than 8 frames. From 8 frames for a window of 8, all are taken, in order.
# </details>
#
# **4.** Does it matter whether scaling or rotation comes first? And mirroring or rotation?
#
# <details><summary>Answer</summary>
#
# Scaling and rotation can change places: one mixes joints, the other mixes axes. Mirroring and rotation cannot: a turn to the
# left, seen in a mirror, is a turn to the right.
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
