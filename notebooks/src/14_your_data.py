# %% [markdown]
# # 11 · Your own data: from a file to features, without fooling yourself
#
# **After this lesson** you can open clips in the formats that people have, check an unknown body in a picture, convert a set into
# a store, find copies and leaks before they flatter you, choose a protocol, and take features whose numbers stand beside their
# controls. **Needs** lesson 01 (bodies and faults); no GPU, no download. **Takes** about 50 minutes of yours; what the machine
# took is printed at the end.
#
# The lesson writes small files in those formats itself, from clips that it has, and reads them back: so it runs anywhere, and
# you see what each format keeps. The clips are synthetic, made by a program, because four of the seven formats hold only the 25
# joints of a Kinect v2, and two people. `data="ui-prmd"` gives recordings of real people, with the formats that can hold their
# 22 joints. Set `SLIMLAB_DATA` to a file or folder of your own to follow along with it.

# %%
import shutil
import time

import numpy as np
import pandas as pd

import slimlab
from slimlab import analysis, data, evaluate, lessons, plot, skeleton, widgets
from slimlab.data import clean

here = lessons.begin("14_your_data", default="synthetic")  # or data="ui-prmd", or your own: data="~/recordings"
store = here.store[:132] if here.quick else here.store
body = store.skeleton
files = here.out / "files"
shutil.rmtree(here.out / "files", ignore_errors=True)  # of an earlier reading of this lesson

# %% [markdown]
# ## One call
# `data.open(path)` recognises the format; `format=` overrides it. It gives a `ClipStore`, or one `DataError` that says which
# file, which place in it, and what to do.

# %%
few = store[:6]
written = lessons.write_samples(few, files)
rows = []
for format, path in written.items():
    read = data.on_body(data.open(path), body)  # a format may order the joints by its own rule
    same = sum(any(lessons.alike(clip, other, 1e-3) for other in read) for clip in few)
    named = sum(int(n in set(read.column("clip"))) for n in few.column("clip"))
    rows.append((format, path.name, len(read), same, named, len(set(read.labels)), (read.column("subject") >= 0).all()))
    assert len(read) == len(few) and same == len(few), format
columns = ["format", "written as", "clips", "first person the same", "names kept", "classes", "subjects known"]
pd.DataFrame(rows, columns=columns)

# %%
read = data.open(written["csv"])
plot.frames_strip(read[1], read.skeleton, title=f"{read[1].name}, back from {written['csv'].name}")

# %% [markdown]
# What comes back is the same motion; what comes back *with* it differs. Formats forget: PKU-MMD's texts name no subject, the
# pair of `.npy` and `.pkl` no class names. What a format forgets, no protocol can use: without subjects there is no
# cross-subject split. [data/README.md](../data/README.md) lists what each reader does to the clips.
#
# ### A file that is no such file
# *Predict: a pickle is a program that Python runs when it loads it. What happens when the downloaded `.pkl` is hostile?*

# %%
import os
import pickle


class Trap:
    def __reduce__(self):
        return os.system, ("echo you should not read this",)


(files / "trap.pkl").write_bytes(pickle.dumps({"annotations": [Trap()], "split": {}}))

# %%
cut = files / "cut.npz"
cut.write_bytes(written["ragged"].read_bytes()[:-5000])
for path in (files / "trap.pkl", cut, files / "nothing.csv"):
    try:
        data.open(path)
    except data.DataError as complaint:
        print(f"- {complaint}\n")

# %% [markdown]
# Nothing was run: slimlab reads pickles with an interpreter that knows plain containers, text, numbers and arrays, and refuses
# the rest. The control is that the sound `.pkl` above did open.
#
# ## A body that nobody declared
# Your sensor's joints may be called anything. Take the names away, as in a file that numbers its joints, and look at what is
# proposed.

# %%
unknown = skeleton.Skeleton([f"marker {j}" for j in range(len(body))], body.parents)
plot.anatomy(unknown, few[1], title="inferred from the tree alone: is it right?")

# %% [markdown]
# *Predict: the picture shows what masks, mirroring and scaling will use. Which mistakes in it would make training worse, and
# which would only look odd?*
#
# Parts come from the forks of the tree, and no pair is proposed: pairs that join an arm with a leg would let mirroring make
# monsters. Say what is true, and look again:

# %%
corrected = skeleton.Skeleton(
    unknown.names, unknown.parents, parts=body.parts, mirror=body.mirror, center=body.center
)  # for your own body: lists of joint numbers, read off the picture
plot.anatomy(corrected, few[1], title="corrected")

# %%
print(f"mirror pairs: {len(unknown.mirror)} proposed, {len(corrected.mirror)} given")
own = data.from_arrays(few[1].joints[:, :1].transpose(3, 0, 2, 1), skeleton=corrected, names=["mine"])
assert own.skeleton == corrected and own[0].joints.shape[2] == len(body)


# %% tags=["exercise", "raises-exception"]
# Exercise 1 · difficulty 1 of 3 · about 8 minutes
def trim(x):
    """x (3, T, V, M), a clip padded with zero frames at its end -> (T', M, V, 3) without them; gaps stay, one frame at least."""
    raise NotImplementedError


lessons.check_trim(trim)

# %% [markdown]
# <details><summary>Hint</summary> Transpose first; `x.any(axis=(1, 2, 3))` says which frames are used. </details>
# <details><summary>Common mistakes</summary> Dropping every zero frame, also the gaps in the middle: then time jumps. A clip of
# zeros alone. </details>
# <details><summary>Solution</summary>
#
# ```python
# def trim(x):
#     x = x.transpose(1, 3, 2, 0)
#     used = np.flatnonzero(x.any(axis=(1, 2, 3)))
#     return x[: max(1, used[-1] + 1 if len(used) else 1)]
# ```
# </details>

# %% [markdown]
# ## A store
# `data.convert` streams a source into a folder of memory maps: however large the source, it takes little memory, shows a bar, and
# goes on where it was if it is interrupted. The store opens at once and is shared between processes. In a terminal:
# `python -m slimlab convert SOURCE data/mine`.
#
# *Predict: half precision takes half the space. How far, in millimetres, does it move a joint that stands three metres away?*

# %%
for dtype in ("float32", "float16"):
    shutil.rmtree(files / dtype, ignore_errors=True)
    data.convert(written["ragged"], files / dtype, dtype=dtype)
begin = time.perf_counter()
full, half = data.open(files / "float32"), data.open(files / "float16")
opened = (time.perf_counter() - begin) / 2
moved = max(np.abs(a.joints - b.joints).max() for a, b in zip(full, half, strict=True))
size = [sum(f.stat().st_size for f in (files / d).glob("joints.npy")) / 1e3 for d in ("float32", "float16")]
print(f"{size[0]:.0f} kB and {size[1]:.0f} kB; opened in {1000 * opened:.0f} ms")
print(f"half precision moves a joint by {1000 * moved:.1f} mm at most")
assert full.fingerprint == data.open(written["ragged"]).fingerprint
farthest = max(np.abs(clip.joints).max() for clip in full)
assert moved <= farthest * 2**-11  # half a unit in the last of 11 bits

# %% [markdown]
# ## Look before you train
# Sets in circulation hold copies, ghosts and frozen clips. To see that the report finds them, plant three faults: a clip that
# another subject "did" too, one that freezes, one that shakes.

# %%
some = store[: min(len(store), 120)]
clips = [clip.joints for clip in some]
dice = np.random.default_rng(here.seed)
clips[3] = np.repeat(clips[3][:1], len(clips[3]), axis=0)
clips[5] = clips[5] + dice.normal(0, 0.15, clips[5].shape).astype(np.float32) * (clips[5] != 0)
clips.append(clips[8])
planted = lessons.with_clips(some, clips, copy_of=8)
report = data.report(planted)
plot.report(report)

# %%
found = report.table.iloc[[3, 5, 8, len(planted) - 1]]
assert "frozen" in found["reasons"].iloc[0] and "copy" in found["reasons"].iloc[2]
print(f"{len(report.look_at)} of {len(planted)} clips are worth a look. The frozen one and the copy are among them;")
print("the shaken one is " + ("too:" if "jitter" in found["reasons"].iloc[1] else "not, the others shake as much:"))
found[["clip", "subject", "jitter", "frozen", "copies", "reasons"]].round(3)

# %%
look = planted[report.look_at.index.to_numpy()]
widgets.ClipPlayer(look)

# %% [markdown]
# ## Leaks
# A result on people that the model has never seen needs that nobody is on both sides, and no copy of a test clip either. `split`
# checks coordinates, not names, so a renamed copy does not get through.

# %%
train, test = data.split(store, "cross-subject")
leaky = lessons.with_copies(train, test, every=3)  # a third of the test clips, under other names, by somebody who trains
both = data.report(leaky).summary.set_index("what")["value"].get("clips that another one copies")
print(f"{len(leaky) - len(train)} test clips smuggled in; the report on the training side alone sees {both} copies")
try:
    data.splits.checked(leaky, test, "cross-subject")
except data.DataError as refusal:
    print(refusal)

# %% [markdown]
# *Predict: raw coordinates, nearest neighbour. By how much does the accuracy rise when a third of the test clips are smuggled
# into training? Work it out before you run it.*

# %%
judge = evaluate.raw_features(test)
honest = evaluate.knn(evaluate.raw_features(train), judge).accuracy
flattered = evaluate.knn(evaluate.raw_features(leaky), judge).accuracy
share = (len(leaky) - len(train)) / len(test)
expected = honest + share * (1 - honest)  # the smuggled ones become right, where they were not
print(f"accuracy {honest:.3f} honest (the control), {flattered:.3f} with the leak; expected about {expected:.3f}")
word = "flatters" if flattered > honest else "does not flatter"
print(f"here the leak {word}; a copy can also become the wrong nearest neighbour of another clip")


# %% tags=["exercise", "raises-exception"]
# Exercise 2 · difficulty 2 of 3 · about 12 minutes
def sides(subjects, digests, held_out):
    """Clip numbers (train, test): held_out subjects test; a training clip with the digest of a test clip is left out."""
    raise NotImplementedError


lessons.check_sides(sides)

# %% [markdown]
# <details><summary>Hint</summary> `np.isin` twice: subjects first, then digests of the test side. An empty digest is a clip of
# nobody and no copy. </details>
# <details><summary>Common mistakes</summary> Looking for copies by name; leaving out both copies; masks instead of
# numbers. </details>
# <details><summary>Solution</summary>
#
# ```python
# def sides(subjects, digests, held_out):
#     testing = np.isin(subjects, held_out)
#     known = [d for d in digests[testing] if d]
#     return np.flatnonzero(~testing & ~np.isin(digests, known)), np.flatnonzero(testing)
# ```
# </details>

# %% [markdown]
# ## A protocol
# One split of few subjects is a coin toss. `data.leave_one_out` and `data.folds` test on everybody in turn; the spread between
# subjects says how far a single number can be trusted. `evaluate.few_labels` keeps a part of the labels.

# %%
people = [
    (int(test.column("subject")[0]), len(test), evaluate.knn(evaluate.raw_features(train), evaluate.raw_features(test)).accuracy)
    for train, test in data.leave_one_out(store, "subject")
]
each = pd.DataFrame(people, columns=["subject", "clips", "accuracy"]).round(3)
spread = each["accuracy"].agg(["mean", "min", "max"])
print("raw coordinates: {:.3f} on average, from {:.3f} to {:.3f}".format(*spread))
each

# %% [markdown]
# ## Clean, or not
# Cleaning is worth what it changes in the end. Fill gaps and smooth, and measure with the same control.
#
# *Predict: does smoothing over five frames help the nearest neighbour on raw coordinates?*

# %%
steps = {"as it is": store, "fill_gaps | smooth(5)": clean.smooth(clean.fill_gaps(store), 5)}
rows = []
for step, cleaned in steps.items():
    train, test = data.split(cleaned, "cross-subject")
    accuracy = evaluate.knn(evaluate.raw_features(train), evaluate.raw_features(test)).accuracy
    rows.append((step, accuracy, 1000 * data.report(cleaned[:60]).table["jitter"].median()))
pd.DataFrame(rows, columns=["store", "kNN, raw coordinates", "jitter (mm)"]).round(3)

# %% [markdown]
# The choice was made looking at the test side here, to show it. For a paper, decide it on held-out training subjects.
#
# ## Features
# A trained encoder gives each clip a vector. The shipped one learned on synthetic Kinect v2 bodies; its joint embeddings are
# carried over to your body by the joints' names. Beside it stand what it has to beat.

# %%
encoder = slimlab.pretrained("tiny", skeleton=body)
train, test = data.split(store, "cross-subject")
sides_of = {
    "shipped encoder": [evaluate.features(encoder, side) for side in (train, test)],
    "control: raw coordinates": [evaluate.raw_features(side) for side in (train, test)],
    "control: untrained": [evaluate.features(evaluate.random_encoder(encoder.config, here.seed), side) for side in (train, test)],
}
table = [(name, evaluate.knn(*f).accuracy, f[0].x.shape[1]) for name, f in sides_of.items()]
pd.DataFrame(table, columns=["features", "kNN", "numbers a clip"]).round(3)

# %%
features = sides_of["shipped encoder"][1]
figure = plot.embedding(
    analysis.projection.fit(features.x), features, title="test clips, coloured by class (never seen in training)"
)
plot.save(figure, here.out / "figures" / "embedding.pdf")
figure

# %%
path = data.export(test[:10], here.out / "ten_clips.csv")
page = plot.save(plot.player(test[0], body, fps=store.fps), here.out / "clip.html")
print(f"for others: {path.name}, {path.stat().st_size / 1e6:.1f} MB; {page.name} plays in any browser")
here.end()

# %% [markdown]
# ## Summary
# One call opens a file or says what is wrong with it. Check an inferred body in its picture. Convert once, report before you
# train, clean by name and measure what it did. Nobody and nothing on both sides; every subject in turn where they are few. A
# number stands beside its controls.
#
# A recorded body is personal: limb lengths and gait tell people apart. Keep stores, features and embeddings as private as the
# recordings, and read the terms of what you downloaded ([data/README.md](../data/README.md)).
#
# ## Test yourself
# 1. Your format names no subjects. Which protocols are left?
# 2. A split refuses two clips although their names differ. Why is it right?
# 3. Why is an inferred body shown instead of used silently?
# 4. A cleaning step raises the accuracy on the test side. May you keep it?
#
# <details><summary>Answers</summary>
#
# 1. The file's own sides, cross-view or cross-setup where those are known; nothing that speaks of new people.
# 2. It compares coordinates: the same numbers on both sides are the same recording, whatever it is called.
# 3. A tree alone does not tell an arm from a leg or left from right; you do, in a glance.
# 4. Only if you chose it on held-out training subjects; otherwise the test side chose it.
# </details>
#
# ## Further reading
# - Shahroudy et al., NTU RGB+D and its protocols: [arXiv 1604.02808](https://arxiv.org/abs/1604.02808)
# - Liu et al., PKU-MMD: [arXiv 1703.07475](https://arxiv.org/abs/1703.07475)
# - Duan et al., PYSKL, the format of the `.pkl`: [arXiv 2205.09443](https://arxiv.org/abs/2205.09443)
# - Yan et al., ST-GCN, the pair of `.npy` and `.pkl`: [arXiv 1801.07455](https://arxiv.org/abs/1801.07455)
