# %% [markdown]
# # 01 · Skeletons: bodies as data, and what a sensor does to them
#
# **After this lesson** you can say what a skeleton clip is, number by number; build a pose from its bones in any order of joints;
# check the parts and mirror pairs of a body in a picture; recognize a Kinect's faults by eye and by a measure; and clean a data
# set without hiding what you did. **Needs** Python and NumPy; no GPU, no download. **Takes** about 75 minutes with its four
# exercises; the last line prints the machine's time. The [glossary](../docs/glossary.md) explains the words.

# %%
import numpy as np
import pandas as pd

from slimlab import data, lessons, plot, skeleton, widgets
from slimlab.data import clean

here = lessons.begin("01_skeletons")
store = here.store
body = store.skeleton

# %% [markdown]
# You are here: at **the clip**, the input of everything that follows.

# %%
plot.method("clip")

# %% [markdown]
# ## A clip is numbers
# These clips show ten people who did ten rehabilitation exercises in front of a Kinect v2, first correctly and then incorrectly
# on purpose: UI-PRMD ([Vakanski et al. 2018](https://www.mdpi.com/2306-5729/3/1/2)), public domain, in the package. For motion
# made by a program write `lessons.begin("01_skeletons", data="synthetic")` above; for your own data give a path.
#
# `joints` has the shape (T, M, V, 3): frames, people, joints, and x, y, z in meters. The y axis points up. A Kinect's x points to
# its left and its z away from it. Authors of a data set may turn these axes. In UI-PRMD, x points to the camera's right and z
# towards it. (Pictures assume a Kinect's axes, so they show these people from behind.) A joint or a person that the sensor did
# not see is 0 0 0. A clip holds nothing else: no image, no face, no floor.

# %%
clip = store[here.example]
print(clip, "->", clip.joints.shape, clip.joints.dtype)
name = store.table["label_name"][here.example] or "unlabeled"
figure = plot.frames_strip(clip, body, title=f"{clip.name}: {name}")
plot.save(figure, here.out / "figures" / "clip.pdf")
figure

# %% [markdown]
# The left side of the body is blue and the right side orange. The gray line is drawn at the height of the lowest joint. The same
# clip moves below: play it, turn it, choose another. The widget shows what the function `plot.player(clip, body)` draws;
# `plot.save(plot.player(clip, body), "clip.html")` makes a page of it for others.

# %%
widgets.ClipPlayer(store, index=here.example)

# %% [markdown]
# ## A body is a tree
# A skeleton gives each joint a name and a parent. The one joint without a parent is the **root**. A skeleton also has body parts,
# mirror pairs and a center joint, on which clips are centered. They are declared with it, or inferred from names and tree. In the
# picture, numbers are the joints' indices, colors are body parts, dashed lines join left and right, and the ring marks the center
# joint.

# %%
plot.anatomy(body, clip, title=f"{len(body)} joints as declared or inferred")

# %% [markdown]
# ### From bones to places
# A **bone** is the vector from the parent to the joint, $b_j = p_j - p_{\mathrm{parent}(j)}$; the root keeps its place,
# $b_{\mathrm{root}} = p_{\mathrm{root}}$. Going back is *forward kinematics*, a sum over a joint and all its ancestors:
#
# $$p_j = \sum_{i \in \{j\} \cup \mathrm{anc}(j)} b_i$$
#
# Both directions are matrix products with matrices of 0, 1 and -1, so one product converts a whole batch. SLiM's bone scaling
# (arXiv 2603.10648, section 3.3) uses them to change a body's proportions without changing the directions of its bones.

# %%
pose = clip.joints[len(clip.joints) // 2, 0]  # (V, 3)
bones = body.to_bones @ pose
again = body.from_bones @ bones
assert np.allclose(again, pose, atol=1e-5)
lengths = np.linalg.norm(bones, axis=1)
parents, joints = np.array(body.bones).T
longest = joints[lengths[joints].argmax()]
print(f"longest bone: {body.names[body.parents[longest]]} to {body.names[longest]}, {lengths[longest]:.2f} m")

# %% [markdown]
# The matrices come from the tree. Without them, a pose can be built joint by joint. A joint's number is only its place in a list:
# some bodies are numbered from the root outwards, others are not, and your function should not care.
#
# *Predict: in which order must a loop visit the joints?*


# %% tags=["exercise", "raises-exception"]
# Exercise 1 · difficulty 2 of 3 · about 10 minutes
def positions(bones, parents):
    """bones (V, 3), the root's being its place; parents: a list in any order, -1 at the root -> places (V, 3)."""
    raise NotImplementedError


lessons.check_positions(positions)

# %% [markdown]
# <details><summary>Hint</summary> For each joint, walk up its parents until -1 and add the bones that you pass. </details>
# <details><summary>Common mistakes</summary>
#
# - Going through the joints by their numbers, once or a few times: in some trees a parent comes after its child.
# - Leaving out the root's own place.
# - Changing `bones` while it is still needed.
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def positions(bones, parents):
#     out = np.zeros_like(bones)
#     for joint in range(len(bones)):
#         at = joint
#         while at >= 0:
#             out[joint] += bones[at]
#             at = parents[at]
#     return out
# ```
# </details>

# %% [markdown]
# ## Left and right
# Mirroring a clip takes two steps: negate x, and let each left joint change places with its right one. The first step alone makes
# a body that nobody has: its right hand sits where a left hand belongs.
#
# *Predict: which of the second and third picture below shows a body that could stand there?*

# %%
flipped = clip.joints * np.array([-1, 1, 1], dtype=np.float32)
mirrored = flipped[:, :, body.mirror_index]
middle = len(clip.joints) // 2
three = np.stack([clip.joints[middle], flipped[middle], mirrored[middle]])[:, :1]  # (3, 1, V, 3)
strip = data.Clip(three, np.ones((3, 1), dtype=bool), -1, "three")
plot.frames_strip(strip, body, title="original; x negated; x negated and sides swapped")

# %%
left, right = max(body.mirror, key=lambda pair: abs(np.diff(clip.joints[middle, 0, list(pair), 0])[0]))  # farthest apart in x
sign = np.sign(clip.joints[middle, 0, left, 0] - clip.joints[middle, 0, right, 0])
kept = np.sign(mirrored[middle, 0, left, 0] - mirrored[middle, 0, right, 0])
lost = np.sign(flipped[middle, 0, left, 0] - flipped[middle, 0, right, 0])
print(f"{body.names[left]} is on its own side of {body.names[right]}: mirrored {kept == sign}, x negated alone {lost == sign}")
assert kept == sign and lost != sign


# %% tags=["exercise", "raises-exception"]
# Exercise 2 · difficulty 1 of 3 · about 8 minutes
def pairs(names):
    """names: joints' names, with 'left' or 'right' somewhere in those of one side -> list of pairs (left joint, right joint)."""
    raise NotImplementedError


lessons.check_pairs(pairs)

# %% [markdown]
# <details><summary>Hint</summary> Replace 'left' by 'right' in a name, and look for the result among the names. </details>
# <details><summary>Common mistakes</summary>
#
# - Each pair twice, once from each side.
# - A left joint without a partner: `names.index` then raises an error.
# - Looking for `left_` at the beginning alone: other bodies have `wrist_left`.
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def pairs(names):
#     other = {i: name.replace("left", "right") for i, name in enumerate(names) if "left" in name}
#     return [(i, names.index(name)) for i, name in other.items() if name in names]
# ```
# </details>

# %% [markdown]
# ## Declared bodies and inferred ones
# The bodies of the usual formats are declared in `slimlab.skeleton`. For a file with other joints, `slimlab` infers the body from
# the joints' names and tree.

# %%
usual = "KINECT_V2 KINECT_V1 H36M COCO SMPL_22 SMPL_24 HAND_21".split()
rows = {name: getattr(skeleton, name) for name in usual}
table = [(name, len(s), len(s.mirror), s.names[s.root], s.names[s.center]) for name, s in rows.items()]
pd.DataFrame(table, columns=["body", "joints", "mirror pairs", "root", "center"])

# %% [markdown]
# *Predict: if we take all names away and keep only the tree, how many mirror pairs can still be found? Can the left hand be
# told?*

# %%
nameless = skeleton.Skeleton([f"j{j}" for j in range(len(body))], body.parents)
print(f"{len(nameless.mirror)} of {len(body.mirror)} pairs found from the tree alone")
print("parts:", ", ".join(f"{k} ({len(v)})" for k, v in nameless.parts.items()))
plot.anatomy(nameless, clip, title="the same body without its names")

# %% [markdown]
# Pairs come from names alone, because equal branches look alike: an arm may have as many joints as a leg, fingers of one hand are
# not mirror pairs, and no tree says which side is left. So look at the picture of an inferred body, and state what is missing:
# `Skeleton(names, parents, parts=…, mirror=…, center=…)`.
#
# ### From one body to another
# `data.on_body` moves clips to another body where that body's joints are a subset of theirs. It matches joints by name, and
# refuses to invent a joint.

# %%
chain = body.parts[max(body.parts, key=lambda part: len(body.parts[part]))]
limb = skeleton.Skeleton([body.names[j] for j in chain], range(-1, len(chain) - 1))
assert data.on_body(store[:3], limb)[0].joints.shape[2] == len(chain)
print("one part as a body of its own:", ", ".join(limb.names))
try:
    data.on_body(store[:3], skeleton.COCO)
except data.DataError as refusal:
    print(refusal)

# %% [markdown]
# ## What a Kinect gets wrong
# We put six faults into the same clip, one at a time. The clip is smoothed first, so that it holds no noise of its own. In each
# panel below, the sound clip is gray.

# %%
sound = clean.smooth(store[[here.example]], 9)[0].joints[:, :1]  # (T, 1, V, 3)
frames = len(sound)
a, b = frames // 3, frames // 2
faulty = {"sound": sound} | {k: sound.copy() for k in ("jitter", "frozen", "gap", "lost joint", "swapped sides", "longer bones")}
arm = next((j for j in body.mirror if "wrist" in body.names[j[0]] or "hand" in body.names[j[0]]), body.mirror[0])
faulty["jitter"] += np.random.default_rng(here.seed).normal(0, 0.02, sound.shape).astype(np.float32)
faulty["frozen"][a:b] = faulty["frozen"][a]
faulty["gap"][a:b] = 0
faulty["lost joint"][a:b, 0, arm[1]] = 0
faulty["swapped sides"][a:b] = sound[a:b][:, :, body.mirror_index]
faulty["longer bones"] *= (1 + 0.3 * np.sin(np.linspace(0, 9, frames)))[:, None, None, None].astype(np.float32)

# %%
plot.tracks(faulty, joint=arm[1], fps=store.fps, title=f"{body.names[arm[1]]}, height over time")

# %% [markdown]
# ### Measures that see them
# Three measures, each read beside a control, the sound clip:
#
# - **Jitter**: the second difference $|p_{t+1} - 2 p_t + p_{t-1}|$, median over joints and frames. It is zero for steady motion
#   and large for noise. Fast motion raises it, too.
# - **Bone variation**: the standard deviation of a bone's length over time, divided by its mean; median over bones. Real bones do
#   not change their length.
# - **Frozen**: the share of frames that repeat the frame before to the last digit.
#
# *Predict: which faults does each measure see? Which faults does none of the three see?*

# %%
padded = data.from_arrays(
    np.stack([x.transpose(3, 0, 2, 1) for x in faulty.values()]), names=list(faulty), skeleton=body, fps=store.fps
)
measures = ["jitter", "bones", "frozen"]
found = data.report(padded).table.set_index("clip")[[*measures, "empty_frames", "flags"]]
assert found.loc["frozen", "frozen"] >= (b - a - 1) / (frames - 1) and "gaps" in found.loc["gap", "flags"]
found.round(4)

# %%
print("seen by: more than twice the sound clip's value")
for fault in list(faulty)[1:]:
    seen = [name for name in measures if found.loc[fault, name] > 2 * found.loc["sound", name]]
    print(f"{fault:<14} seen by: {', '.join(seen) or 'none':<14} flags: {found.loc[fault, 'flags'] or 'none'}")

# %% [markdown]
# The three measures skip what was not seen, so they cannot see gaps and lost joints. For those, slimlab looks for zeros and sets
# flags. Swapped sides leave no zeros and hardly change a bone's length, as left and right limbs are nearly equally long. What
# remains is a jump at both ends:

# %%
for name in ("sound", "swapped sides"):
    hand = faulty[name][:, 0, arm[1]]
    print(f"{name:<14} {body.names[arm[1]]} moves {np.linalg.norm(np.diff(hand, axis=0), axis=1).max():.2f} m in a frame at most")


# %% tags=["exercise", "raises-exception"]
# Exercise 3 · difficulty 2 of 3 · about 12 minutes
def variation(joints, skeleton):
    """joints (T, V, 3) -> (V - 1,): sd over mean of each bone's length over time, in the order of skeleton.bones.

    A joint at exactly 0 0 0 was not seen in that frame. A bone that no frame shows: np.nan.
    """
    raise NotImplementedError


lessons.check_bone_lengths(variation)

# %% [markdown]
# <details><summary>Hint</summary> `skeleton.bones` gives pairs (parent, joint). Which frames show both? </details>
# <details><summary>Common mistakes</summary>
#
# - Counting frames in which one end is missing, or dropping frames in which some other joint is.
# - Taking a joint for missing because one of its coordinates is zero.
# - 0 for a bone that no frame shows: it would look perfect.
# - The bones in the order of the joints' numbers.
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def variation(joints, skeleton):
#     out = np.full(len(skeleton.bones), np.nan)
#     for i, (parent, joint) in enumerate(skeleton.bones):
#         seen = joints[:, parent].any(axis=1) & joints[:, joint].any(axis=1)
#         if seen.any():
#             length = np.linalg.norm(joints[seen, joint] - joints[seen, parent], axis=1)
#             out[i] = length.std() / length.mean()
#     return out
# ```
# </details>

# %% [markdown]
# ## A report on the whole set
# `data.report` reads every clip once, changes nothing, and lists the clips that deserve a look. A clip is listed if a measure
# exceeds a limit that is usual for a Kinect, or if it has a flag, a ghost or a copy. If a quarter of the set exceeds that limit,
# only the set's own outliers are listed.
#
# *Predict: what will it find in recordings of one person in front of a Kinect?*

# %%
report = data.report(store)
figure = plot.report(report)
plot.save(figure, here.out / "figures" / "report.pdf")
print(report.summary.to_string(index=False, header=False))
figure

# %%
print(f"{len(report.look_at)} of {len(store)} clips are worth a look")
print(report.look_at.value_counts(["reasons", "label_name"]).head(8).to_string())

# %%
index = int(report.table["bones"].argmax())
plot.frames_strip(store[index], body, title=f"{store[index].name}: bones vary most, by {report.table['bones'][index]:.0%}")

# %% [markdown]
# A reason says where to look; it is no verdict. The rule for *ghosts*, bodies that a sensor sees where nobody is, calls a body
# too wide if its width exceeds 0.8 of its height in 70 % of its frames. (The rule is that of NTU RGB+D's [usual
# preprocessing](https://github.com/Uason-Chen/CTR-GCN).) Somebody in a side lunge is that wide. So play a clip before you drop
# it. The report's line "heads above feet: in no one direction" is harmless in UI-PRMD, too: in squats, lunges and when sitting
# down, heads come down towards the feet.

# %% [markdown]
# ## Cleaning is a step with a name
# `clean.fill_gaps`, `drop_ghosts`, `smooth` and `align_view` each return a new store. They write their name into its `source` and
# flag the clips that they changed. The original store is unchanged; use it to undo the step.
#
# Smoothing over $w$ frames damps a motion that repeats $f$ times a second. At $F$ frames a second, this share of it remains:
#
# $$g(f) = \left|\frac{\sin(\pi f w / F)}{w \sin(\pi f / F)}\right|$$
#
# *Predict: how much jitter does w = 5 remove, and how much of a hand that waves three times a second?*

# %%
rate, window = store.fps or 30.0, 5
gain = abs(np.sin(np.pi * 3 * window / rate) / (window * np.sin(np.pi * 3 / rate)))
few = store[here.example : here.example + 60]
before, fingerprint = data.report(few).table["jitter"].median(), few.fingerprint
smoothed = clean.smooth(few, window)
after = data.report(smoothed).table["jitter"].median()
assert few.fingerprint == fingerprint and smoothed.source.endswith(f"smooth({window})")  # reversible: nothing was overwritten
print(f"jitter: {1000 * before:.1f} -> {1000 * after:.1f} mm; {gain:.0%} of a motion at 3 per second remains")
print("flags:", sorted(set(" ".join(smoothed.column("flags")).split())), "| source:", smoothed.source)

# %%
plot.tracks({"before": few[0], f"smooth({window})": smoothed[0]}, joint=arm[1], fps=store.fps, title="what is lost with it")


# %% tags=["exercise", "raises-exception"]
# Exercise 4 · difficulty 2 of 3 · about 10 minutes
def fill(x, there):
    """x (T,), there (T,) bool -> (T,): where `there` is False between two seen values, a straight line; the rest as it is.

    Missing entries of x may hold any number, seen ones may be zero, and nothing may be seen at all.
    """
    raise NotImplementedError


lessons.check_fill(fill)

# %% [markdown]
# <details><summary>Hint</summary> `np.interp(time, seen, x[seen])` draws the line; which frames may take it? </details>
# <details><summary>Common mistakes</summary>
#
# - Filling before the first and after the last seen value: nothing is known there, and `np.interp` repeats the nearest value.
# - Looking for zeros in `x` instead of using `there`.
# - Asking for the first seen frame where there is none.
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def fill(x, there):
#     time, seen = np.arange(len(x)), np.flatnonzero(there)
#     if len(seen) == 0:
#         return x
#     inside = (time > seen[0]) & (time < seen[-1]) & ~there
#     return np.where(inside, np.interp(time, seen, x[seen]), x)
# ```
# </details>

# %%
here.end()

# %% [markdown]
# ## Summary
# A clip is an array (T, M, V, 3) in meters. A body is a tree, from which bones and places follow in any order of joints. Its
# parts and mirror pairs are declared, or inferred from names. A sensor's faults leave traces: noise in second differences, wrong
# bones in their lengths, gaps and lost joints in zeros. Swapped sides leave none of these. A report says where to look. A
# cleaning step has a name and a price.
#
# **Next: [lesson 02](02_views.ipynb), views.** You now know what a body must keep: its tree, its sides, the lengths of its bones.
# Lesson 02 cuts clips into views and changes bodies on purpose, and measures whether each change keeps these.
#
# ## Test yourself
# 1. Why is a product (V, V) times (V, 3) enough to go from bones to places?
# 2. Somebody negates x and does nothing else. What is wrong with the clip?
# 3. Jitter falls by half after smoothing. Is the set better?
# 4. Why does a report on noisy data compare clips with their own set?
#
# <details><summary>Answers</summary>
#
# 1. A place is a sum of bones with weights 0 or 1: the joint's own bone and those of its ancestors.
# 2. Every left joint now lies on the right: no person has this body.
# 3. Jitter alone cannot tell: fast motion was damped as well. Measure what you need from the clips, before and after.
# 4. A fixed limit would list nearly every clip, and a list of everything says nothing.
# </details>
#
# ## Further reading
# - Shahroudy et al., NTU RGB+D (Kinect v2's body and its faults): [arXiv 1604.02808](https://arxiv.org/abs/1604.02808)
# - Liu et al., NTU RGB+D 120: [arXiv 1905.04757](https://arxiv.org/abs/1905.04757)
# - Do et al., SLiM, section 3 (skeleton-aware augmentation): [arXiv 2603.10648](https://arxiv.org/abs/2603.10648)
