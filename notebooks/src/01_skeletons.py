# %% [markdown]
# # 01 · Skeletons: bodies as data, and what a sensor does to them
#
# **After this lesson** you can say what a skeleton clip is, number by number; build a pose from its bones; check the parts and
# mirror pairs of any body in a picture; recognise the faults of a Kinect by eye and by a figure; and clean a set without
# hiding what you did. **Needs** Python and NumPy; no GPU, no download. **Takes** about 60 minutes of yours; what the machine
# took is printed at the end.

# %%
import numpy as np
import pandas as pd

from slimlab import data, lessons, plot, skeleton, widgets
from slimlab.data import clean

here = lessons.begin("01_skeletons")
store = here.store
body = store.skeleton

# %% [markdown]
# ## A clip is numbers
# The clips are recordings of ten people who did ten rehabilitation exercises before a Kinect v2, correctly and then incorrectly
# on purpose: UI-PRMD ([Vakanski et al. 2018](https://www.mdpi.com/2306-5729/3/1/2)), public domain, in the package. For motion
# made by a program write `data="synthetic"` above, for your own data a path.
#
# `joints` has the shape (T, M, V, 3): frames, people, joints, and x, y, z in metres. y points up. A Kinect reports x to its left
# and z away from it; the authors of a set may turn that, and those of UI-PRMD did: x to the camera's right, z towards it.
# (Pictures assume a Kinect's axes, so they show these people from behind.) A joint or a person that was not seen is 0 0 0.
# Nothing else is known: no picture, no face, no floor.

# %%
clip = store[here.example]
print(clip, "->", clip.joints.shape, clip.joints.dtype)
name = store.table["label_name"][here.example] or "unlabelled"
figure = plot.frames_strip(clip, body, title=f"{clip.name}: {name}")
plot.save(figure, here.out / "figures" / "clip.pdf")
figure

# %% [markdown]
# Blue is the left of the body, orange its right, grey the floor under its lowest joint. The same clip moves below: play it, turn
# it, choose another. What the widget shows is a plain function too, `plot.player(clip, body)`, and a page for others is
# `plot.save(plot.player(clip, body), "clip.html")`.

# %%
widgets.ClipPlayer(store, index=here.example)

# %% [markdown]
# ## A body is a tree
# A skeleton names its joints and gives each a parent. `slimlab` reads everything else from there; the number of joints is
# nowhere in the library but in such a declaration. Numbers in the picture are the joints' indices, colours their parts, dashed
# lines join left and right, the ring is the joint that clips are centered on.

# %%
plot.anatomy(body, clip, title=f"{len(body)} joints as declared or inferred")

# %% [markdown]
# ### From bones to places
# A **bone** is the vector from the parent to the joint, $b_j = p_j - p_{\mathrm{parent}(j)}$; the root keeps its place,
# $b_{\mathrm{root}} = p_{\mathrm{root}}$. Going back is *forward kinematics*, a sum over a joint and all its ancestors:
#
# $$p_j = \sum_{i \in \{j\} \cup \mathrm{anc}(j)} b_i$$
#
# Both are matrices of zeros and ones (and minus ones), so a whole batch is one product. That is how SLiM's bone scaling (arXiv
# 2603.10648, section 3.3) changes proportions and keeps directions.

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
# A loop over the joints by number is tempting. In UI-PRMD's body it is right: every joint has a higher number than its parent. In
# the body of NTU RGB+D, which is Kinect v2's with 25 joints, the neck and both shoulders have lower numbers than the joint they
# hang from. A synthetic clip has that body.
#
# *Predict: if bones are added up in the order of the joints' numbers, how many joints of either body end in the wrong place?*

# %%
other = data.synthetic(clips=22)
poses = {"this store's body": (body, pose), "Kinect v2, 25 joints": (other.skeleton, other[1].joints[10, 0])}
for what, (tree, places) in poses.items():
    by_number = tree.to_bones @ places
    for joint, parent in enumerate(tree.parents):
        if parent >= 0:
            by_number[joint] += by_number[parent]
    wrong = np.flatnonzero(np.linalg.norm(by_number - places, axis=1) > 1e-3)
    in_order = tree.from_bones @ tree.to_bones @ places  # the control: in the tree's order
    assert np.allclose(in_order, places, atol=1e-4)
    print(f"{what}: {len(wrong)} of {len(tree)} joints are wrong: {', '.join(tree.names[j] for j in wrong)}")

# %%
both = np.stack([places, by_number])[:, None]  # two frames (2, 1, V, 3): as it is, and by number
pair = data.Clip(both, np.ones((2, 1), dtype=bool), -1, "right, and by number")
plot.frames_strip(pair, other.skeleton, title="Kinect v2: the pose, and the same bones added up by number")

# %% [markdown]
# The joints that moved were placed on a parent that did not stand yet, so they hang from the origin. The authors' released code
# does this in its bone scaling, at a factor of 1 too; slimlab goes by the tree (`body.order`).


# %% tags=["exercise", "raises-exception"]
# Exercise 1 · difficulty 2 of 3 · about 10 minutes
def positions(bones, parents):
    """bones (V, 3), the root's being its place; parents: a list, -1 at the root -> places (V, 3)."""
    raise NotImplementedError


lessons.check_positions(positions)

# %% [markdown]
# <details><summary>Hint</summary> For each joint, walk up its parents until -1 and add the bones that you pass. </details>
# <details><summary>Common mistakes</summary> Going by the numbers; leaving out the root's own place; changing `bones` while it
# is still needed. </details>
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
# Mirroring a clip needs two things at once: negate x, and let every left joint change places with its right one. With the first
# alone, the body turns inside out: its right hand sits where a left hand belongs.
#
# *Predict: which of the two pictures below is a body that could stand there?*

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
    """names: a list of joints' names with 'left' and 'right' in them -> a list of pairs (left joint, right joint)."""
    raise NotImplementedError


lessons.check_pairs(pairs)

# %% [markdown]
# <details><summary>Hint</summary> Replace 'left' by 'right' in a name, and look for the result among the names. </details>
# <details><summary>Common mistakes</summary> Pairs twice, once from each side; a left joint without a partner. </details>
# <details><summary>Solution</summary>
#
# ```python
# def pairs(names):
#     other = {i: name.replace("left", "right") for i, name in enumerate(names) if "left" in name}
#     return [(i, names.index(name)) for i, name in other.items() if name in names]
# ```
# </details>

# %% [markdown]
# ## Bodies that are declared, and others
# The bodies of the usual formats are declared; a file with other joints gets a body inferred from its names and its tree.

# %%
usual = "KINECT_V2 KINECT_V1 H36M COCO SMPL_22 SMPL_24 HAND_21".split()
rows = {name: getattr(skeleton, name) for name in usual}
table = [(name, len(s), len(s.mirror), s.names[s.root], s.names[s.center]) for name, s in rows.items()]
pd.DataFrame(table, columns=["body", "joints", "mirror pairs", "root", "center"])

# %% [markdown]
# *Predict: if all names are taken away and only the tree is left, how many mirror pairs can still be found? And which hand is the
# left one?*

# %%
nameless = skeleton.Skeleton([f"j{j}" for j in range(len(body))], body.parents)
print(f"{len(nameless.mirror)} of {len(body.mirror)} pairs found from the tree alone")
print("parts:", ", ".join(f"{k} ({len(v)})" for k, v in nameless.parts.items()))
plot.anatomy(nameless, clip, title="the same body without its names")

# %% [markdown]
# Pairs come from names alone. Equal branches look alike: an arm may have as many joints as a leg, the fingers of a hand are no
# pairs at all, and no tree says which side is left. An inferred body is *shown*: look at it, and say what is missing with
# `Skeleton(names, parents, parts=…, mirror=…, center=…)`.
#
# ### From one body to another
# Where the joints of one body are a subset of another's, by what they are called, clips can be moved: `data.on_body`. It refuses
# to make up what is not there.

# %%
chain = body.parts[max(body.parts, key=lambda part: len(body.parts[part]))]
limb = skeleton.Skeleton([body.names[j] for j in chain], range(-1, len(chain) - 1))
assert data.on_body(store[:3], limb)[0].joints.shape[2] == len(chain)
print("one limb as a body of its own:", ", ".join(limb.names))
try:
    data.on_body(store[:3], skeleton.COCO)
except data.DataError as refusal:
    print(refusal)

# %% [markdown]
# ## What a Kinect gets wrong
# Six faults, each put into the same clip (smoothed first, so that nothing else is in it). The clean one is grey behind each.

# %%
sound = clean.smooth(store[[here.example]], 9)[0].joints[:, :1]  # (T, 1, V, 3)
dice, frames = np.random.default_rng(here.seed), len(sound)
a, b = frames // 3, frames // 2
faulty = {"sound": sound} | {k: sound.copy() for k in ("jitter", "frozen", "gap", "lost joint", "swapped sides", "longer bones")}
arm = next((j for j in body.mirror if "wrist" in body.names[j[0]] or "hand" in body.names[j[0]]), body.mirror[0])
faulty["jitter"] += dice.normal(0, 0.02, sound.shape).astype(np.float32)
faulty["frozen"][a:b] = faulty["frozen"][a]
faulty["gap"][a:b] = 0
faulty["lost joint"][a:b, 0, arm[1]] = 0
faulty["swapped sides"][a:b] = sound[a:b][:, :, body.mirror_index]
faulty["longer bones"] *= (1 + 0.3 * np.sin(np.linspace(0, 9, frames)))[:, None, None, None].astype(np.float32)

# %%
plot.tracks(faulty, joint=arm[1], fps=store.fps, title=f"{body.names[arm[1]]}, height over time")

# %% [markdown]
# ### Figures that see them
# **Jitter** is the median over joints and frames of the second difference, $|p_{t+1} - 2 p_t + p_{t-1}|$: zero for a steady
# motion, large for noise (and, a little, for fast motion). **Bone variation** is a bone's standard deviation over time divided by
# its mean length: real bones do not change. **Frozen** is the part of the frames that repeat the one before to the last digit.
#
# Each figure is read beside a control: the sound clip, which the faults were put into.
#
# *Predict: which of the six faults does each figure see? Which fault does none of them see?*

# %%
padded = data.from_arrays(
    np.stack([x.transpose(3, 0, 2, 1) for x in faulty.values()]), names=list(faulty), skeleton=body, fps=store.fps
)
figures = data.report(padded).table.set_index("clip")[["jitter", "bones", "frozen", "empty_frames", "flags", "reasons"]]
calm, shaken = figures.loc["sound", "jitter"], figures.loc["jitter", "jitter"]
assert figures.loc["frozen", "frozen"] >= (b - a - 1) / (frames - 1) and "gaps" in figures.loc["gap", "flags"]
print(f"jitter: {1000 * calm:.1f} mm in the sound clip (the control), {1000 * shaken:.1f} mm in the shaken one,")
print("where it stands out" if shaken > 2 * calm else "where it does not stand out: this clip moves fast")
figures.round(3)

# %% [markdown]
# Swapped sides keep every bone's length and leave no zero: only a jump at both ends tells, and the eye.


# %% tags=["exercise", "raises-exception"]
# Exercise 3 · difficulty 2 of 3 · about 12 minutes
def variation(joints, skeleton):
    """joints (T, V, 3) -> (V - 1,): sd over mean of each bone's length over time, in the order of skeleton.bones."""
    raise NotImplementedError


lessons.check_bone_lengths(variation)

# %% [markdown]
# <details><summary>Hint</summary> `skeleton.bones` gives (parent, joint). A joint at exactly 0 0 0 was not seen. </details>
# <details><summary>Common mistakes</summary> Counting frames in which one end is missing; dividing by nothing. </details>
# <details><summary>Solution</summary>
#
# ```python
# def variation(joints, skeleton):
#     out = []
#     for parent, joint in skeleton.bones:
#         seen = joints[:, parent].any(axis=1) & joints[:, joint].any(axis=1)
#         length = np.linalg.norm(joints[seen, joint] - joints[seen, parent], axis=1)
#         out.append(length.std() / length.mean())
#     return np.array(out)
# ```
# </details>

# %% [markdown]
# ## A report on the whole set
# `data.report` reads every clip once. A clip is worth a look where a figure is above what is usual for a Kinect; where the whole
# set is above that, its own outliers are. Nothing is changed.
#
# *Predict: which faults will it find, in recordings of one person before a Kinect?*

# %%
report = data.report(store)
figure = plot.report(report)
plot.save(figure, here.out / "figures" / "report.pdf")
print(report.summary.to_string(index=False, header=False))
figure

# %%
print(f"{len(report.look_at)} of {len(store)} clips are worth a look")
worst = report.look_at.sort_values(["reasons", "jitter"]).head(6)
worst[["clip", "label_name", "frames", "jitter", "bones", "frozen", "reasons"]].round(3)

# %%
index = int(report.table["bones"].argmax())
plot.frames_strip(store[index], body, title=f"{store[index].name}: bones vary most, by {report.table['bones'][index]:.0%}")

# %% [markdown]
# A reason is a place to look, not a verdict. The rule for *ghosts* calls a body too wide when it is much wider than people who
# stand; somebody in a side lunge is that wide, too. Play a clip before you drop it. "Heads above feet: in no one direction" is as
# harmless: in squats and lunges heads come down towards the feet.

# %% [markdown]
# ## Cleaning is a step with a name
# `clean.fill_gaps`, `drop_ghosts`, `smooth` and `align_view` each give a new store, write their name into its `source` and flag
# the clips that they changed. The old store is as it was: whoever has the name can undo it by not doing it.
#
# Smoothing over $w$ frames keeps this part of a motion of $f$ per second at $F$ frames per second:
#
# $$g(f) = \left|\frac{\sin(\pi f w / F)}{w \sin(\pi f / F)}\right|$$
#
# *Predict: how much jitter goes away with w = 5, and how much of a wave of the hand at 3 per second?*

# %%
rate, window = store.fps or 30.0, 5
gain = abs(np.sin(np.pi * 3 * window / rate) / (window * np.sin(np.pi * 3 / rate)))
few = store[here.example : here.example + 60]
before, fingerprint = data.report(few).table["jitter"].median(), few.fingerprint
smoothed = clean.smooth(few, window)
after = data.report(smoothed).table["jitter"].median()
assert few.fingerprint == fingerprint and smoothed.source.endswith(f"smooth({window})")  # reversible: nothing was overwritten
print(f"jitter: {1000 * before:.1f} -> {1000 * after:.1f} mm; of a motion 3 times a second {gain:.0%} is left")
print("flags:", sorted(set(" ".join(smoothed.column("flags")).split())), "| source:", smoothed.source)

# %%
plot.tracks({"before": few[0], f"smooth({window})": smoothed[0]}, joint=arm[1], fps=store.fps, title="what is lost with it")


# %% tags=["exercise", "raises-exception"]
# Exercise 4 · difficulty 2 of 3 · about 10 minutes
def fill(x, there):
    """x (T,), there (T,) bool: fill what is missing between two seen values with a straight line; leave the ends alone."""
    raise NotImplementedError


lessons.check_fill(fill)

# %% [markdown]
# <details><summary>Hint</summary> `np.interp(time, seen, x[seen])` draws the line; which frames may take it? </details>
# <details><summary>Common mistakes</summary> Filling before the first and after the last seen value, where nothing is known and
# NumPy repeats the nearest one. </details>
# <details><summary>Solution</summary>
#
# ```python
# def fill(x, there):
#     time, seen = np.arange(len(x)), np.flatnonzero(there)
#     inside = (time > seen[0]) & (time < seen[-1]) & ~there
#     return np.where(inside, np.interp(time, seen, x[seen]), x)
# ```
# </details>

# %%
here.end()

# %% [markdown]
# ## Summary
# A clip is (T, M, V, 3) metres; a body is a tree, from which bones, places, parts and mirror pairs follow, in any order of
# joints. A sensor's faults leave traces: noise in second differences, wrong bones in their lengths, gaps in zeros; swapped limbs
# in none of these. A report says where to look; a cleaning step has a name and a price.
#
# ## Test yourself
# 1. Why is (V, V) times (V, 3) enough to go from bones to places?
# 2. x is negated and nothing else. What is wrong with the clip?
# 3. Jitter falls by half after smoothing. Is the set better?
# 4. Why does a report on noisy data compare clips with their own set?
#
# <details><summary>Answers</summary>
#
# 1. A place is a sum of bones with weights 0 or 1: the joint's own and those of its ancestors.
# 2. Left and right limbs have changed sides but kept their names: left-handers have become a new kind of body.
# 3. Not by that alone: fast motion fell too. Measure what you want from the clips, before and after.
# 4. Against a fixed limit every clip would be listed, and a list of everything says nothing.
# </details>
#
# ## Further reading
# - Shahroudy et al., NTU RGB+D (Kinect v2's body and its faults): [arXiv 1604.02808](https://arxiv.org/abs/1604.02808)
# - Liu et al., NTU RGB+D 120: [arXiv 1905.04757](https://arxiv.org/abs/1905.04757)
# - Do et al., SLiM, section 3 (skeleton-aware augmentation): [arXiv 2603.10648](https://arxiv.org/abs/2603.10648)
