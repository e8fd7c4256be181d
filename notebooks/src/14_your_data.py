# %% [markdown]
# # 14 · Your own data: from a file to features, without fooling yourself
#
# **After this lesson** you can open clips in the formats that people have, check an unknown body in a picture, convert a set
# into a store, find copies and leaks before they flatter you, choose a protocol, and compute features whose accuracy stands
# beside its controls. You can fine-tune with few labels, move an encoder to another body, and fuse streams. The
# [glossary](../docs/glossary.md) explains the words.
#
# **Needs** lesson 01 (bodies and faults); lesson 07 helps. No GPU, no download. **Takes** about 95 minutes with its three
# exercises; the last code cell prints the machine time.
#
# The lesson writes small files in several formats and reads them back. So it runs anywhere, and you see what each format keeps.
# The clips are synthetic, made by a program, because four of the seven formats expect the 25 joints of a Kinect v2.
# `data="ui-prmd"` gives recordings of real people in the formats that can hold their 22 joints. Set `SLIMLAB_DATA` to a file or
# folder of your own to follow the lesson with it.

# %%
import shutil
import time

import numpy as np
import pandas as pd
import torch

import slimlab
from slimlab import analysis, data, evaluate, lessons, plot, pretrain, skeleton, widgets
from slimlab.data import clean

here = lessons.begin("14_your_data", default="synthetic")  # or data="ui-prmd", or your own: data="~/recordings"
store, quick = here.store[:132] if here.quick else here.store, here.quick
body, files = store.skeleton, here.out / "files"
shutil.rmtree(files, ignore_errors=True)  # of an earlier run of this lesson

# %% [markdown]
# You are here: at the beginning of the method, where a clip comes in.

# %%
plot.method("clip")

# %% [markdown]
# ## One call
# `data.open(path)` recognizes the format; `format=` overrides the choice. It returns a `ClipStore`, or raises one `DataError`
# that names the file, the place in it, and what to do. *Predict: a format may lose people, names, classes or subjects. Which of
# the formats below keeps the least?*

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
# Every format returns the same motion. What it returns *beside* the motion differs. BVH files and PKU-MMD's texts name no
# subject, and a BVH file has no place for a class. What a format does not keep, no protocol can use: without subjects there is
# no cross-subject split. [data/README.md](../data/README.md) says what each reader does to the clips.
#
# ### A file that is not what it claims to be
# *Predict: a pickle is a program that Python runs when it loads the file. What happens if the downloaded `.pkl` is hostile?*

# %%
import os
import pickle


class Trap:
    def __reduce__(self):
        return os.system, ("echo you should not read this",)


size = (files / "trap.pkl").write_bytes(pickle.dumps({"annotations": [Trap()], "split": {}}))
print(f"trap.pkl: {size} bytes, written and not opened yet")

# %%
cut = files / "cut.npz"
cut.write_bytes(written["ragged"].read_bytes()[:-5000])
for path in (files / "trap.pkl", cut, files / "nothing.csv"):
    try:
        data.open(path)
    except data.DataError as complaint:
        print(f"- {complaint}\n")

# %% [markdown]
# Nothing was run. slimlab reads pickles with an interpreter of its own, which knows plain containers, text, numbers and arrays
# and refuses everything else. The control is the sound `.pkl` above, which it opened.
#
# ## A body that nobody declared
# The joints of your sensor may have any names. We remove the names, as in a file that only numbers its joints, and look at what
# slimlab proposes.

# %%
unknown = skeleton.Skeleton([f"marker {j}" for j in range(len(body))], body.parents)
plot.anatomy(unknown, few[1], title="inferred from the tree alone: is it right?")

# %% [markdown]
# *Predict: masks, mirroring and scaling will use what the picture shows. Which of its mistakes would make training worse, and
# which only look odd?*
#
# Parts come from the forks of the tree. No mirror pair is proposed, because a tree does not tell an arm from a leg, and mirroring
# would exchange the two. You can see it at a glance, so say what is true and look again:

# %%
corrected = skeleton.Skeleton(
    unknown.names, unknown.parents, parts=body.parts, mirror=body.mirror, center=body.center
)  # for your own body: lists of joint numbers, read off the picture
plot.anatomy(corrected, few[1], title="corrected")

# %%
print(f"mirror pairs: {len(unknown.mirror)} proposed, {len(corrected.mirror)} given")
own = data.from_arrays(few[1].joints[:, :1].transpose(3, 0, 2, 1), skeleton=corrected, names=["mine"])
assert own.skeleton == corrected and own[0].joints.shape[2] == len(body)

# %% [markdown]
# Arrays are often padded: every clip has the length of the longest one, with zeros behind its end. The zeros must go before
# anything reads them as a person who stands at the origin.


# %% tags=["exercise", "raises-exception"]
# Exercise 1 · difficulty 1 of 3 · about 10 minutes
def trim(x):
    """x (3, T, V, M), a clip padded with zero frames at its end -> (T', M, V, 3) without them; gaps stay, one frame at least."""
    raise NotImplementedError


lessons.check_trim(trim)

# %% [markdown]
# <details><summary>Hint</summary>
#
# Transpose first. `x.any(axis=(1, 2, 3))` then says which frames are used.
# </details>
# <details><summary>Common mistakes</summary>
#
# - Dropping every zero frame, also the gaps in the middle: time then jumps.
# - Dropping zero frames at the beginning: the clip then begins too late.
# - Looking at the first person alone: the second one may stay longer.
# - Returning nothing for a clip of zeros.
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def trim(x):
#     x = x.transpose(1, 3, 2, 0)
#     used = np.flatnonzero(x.any(axis=(1, 2, 3)))
#     return x[: used[-1] + 1 if len(used) else 1]
# ```
# </details>

# %% [markdown]
# ## A store
# `data.convert` streams a source into a folder of memory maps. It needs little memory for a source of any size, shows a progress
# bar, and resumes after an interruption. A store opens at once, and several processes can share it. In a terminal:
# `python -m slimlab convert SOURCE data/mine`.
#
# *Predict: half precision takes half the space. By how many millimeters does it move a joint that is three meters away?*

# %%
for dtype in ("float32", "float16"):
    shutil.rmtree(files / dtype, ignore_errors=True)
    data.convert(written["ragged"], files / dtype, dtype=dtype)
begin = time.perf_counter()
full, half = data.open(files / "float32"), data.open(files / "float16")
opened = (time.perf_counter() - begin) / 2
size = [sum(f.stat().st_size for f in (files / d).glob("joints.npy")) / 1e3 for d in ("float32", "float16")]
print(f"{size[0]:.0f} kB and {size[1]:.0f} kB; opened in {1000 * opened:.0f} ms")

# %%
moved = max(np.abs(a.joints - b.joints).max() for a, b in zip(full, half, strict=True))
farthest = max(np.abs(clip.joints).max() for clip in full)
assert full.fingerprint == data.open(written["ragged"]).fingerprint  # float32 loses nothing
assert moved <= farthest * 2**-11  # half a unit in the last of 11 bits
print(f"half precision moves a coordinate by {1000 * moved:.1f} mm at most; the farthest one is {farthest:.1f} m from the origin")

# %% [markdown]
# ## Look before you train
# Published sets contain copies, frozen clips and ghosts (bodies that are no people). To see that the report finds such faults, we
# plant three of them: a clip under a second subject's name, a clip that freezes, and a clip that shakes. *Predict: which of the
# three is hardest to find?*

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
shaken = "jitter" in found["reasons"].iloc[1]
print(f"{len(report.look_at)} of {len(planted)} clips are worth a look, among them the frozen clip and the copy;")
print("the shaken clip is one of them, too:" if shaken else "the shaken clip is not, because the others shake as much:")
found[["clip", "subject", "jitter", "frozen", "copies", "reasons"]].round(3)

# %%
look = planted[report.look_at.index.to_numpy()]
widgets.ClipPlayer(look)

# %% [markdown]
# ## Leaks
# A result about people whom the model has never seen needs two things: no subject is on both sides, and no copy of a test clip is
# among the training clips. `data.split` compares coordinates, not names, so it also finds a renamed copy.

# %%
train, test = data.split(store, "cross-subject")
leaky = lessons.with_copies(train, test, every=3)  # a third of the test clips, under other names, by somebody who trains
both = data.report(leaky).summary.set_index("what")["value"].get("clips that another one copies")
print(f"{len(leaky) - len(train)} test clips smuggled in; the report on the training side alone finds {both} copies")
try:
    data.splits.checked(leaky, test, "cross-subject")
except data.DataError as refusal:
    print(refusal)

# %% [markdown]
# The report cannot find the leak, because the training side alone contains each clip once. Only a comparison of the two sides
# can.
#
# *Predict: we classify by the nearest neighbor on raw coordinates. By how much does accuracy rise when a third of the test clips
# is in the training side? Work it out before you run the cell.*

# %%
judge = evaluate.raw_features(test)
honest = evaluate.knn(evaluate.raw_features(train), judge).accuracy
flattered = evaluate.knn(evaluate.raw_features(leaky), judge).accuracy
share = (len(leaky) - len(train)) / len(test)
expected = honest + share * (1 - honest)  # a smuggled clip is its own nearest neighbor, and becomes right if it was not
print(f"accuracy {honest:.3f} without the leak (the control), {flattered:.3f} with it; expected about {expected:.3f}")

# %% [markdown]
# The last two numbers need not agree: a smuggled clip can also become the nearest neighbor of a *different* test clip, rightly or
# wrongly.


# %% tags=["exercise", "raises-exception"]
# Exercise 2 · difficulty 2 of 3 · about 15 minutes
def sides(subjects, digests, held_out):
    """Clip numbers (train, test): held_out subjects test; a training clip with the digest of a test clip is left out.

    A digest is a short text that two clips share if their coordinates are equal; that of a clip without coordinates is empty."""
    raise NotImplementedError


lessons.check_sides(sides)

# %% [markdown]
# <details><summary>Hint</summary>
#
# `np.isin` twice: first for the subjects, then for the digests of the test side.
# </details>
# <details><summary>Common mistakes</summary>
#
# - Looking for copies by name.
# - Leaving out both copies. The test clip may stay.
# - Taking two clips with an empty digest for copies of each other.
# - Returning masks instead of numbers.
# </details>
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
# With few subjects, the accuracy of one split depends on who happens to test. `data.leave_one_out` and `data.folds` test on every
# subject in turn. The spread between subjects says how far a single number can be trusted. *Predict: how far apart are the
# easiest and the hardest subject?*

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
# A cleaning step is worth what it changes in the end. We fill gaps and smooth, and measure both stores in the same way.
#
# *Predict: does smoothing over five frames help the nearest neighbor on raw coordinates?*

# %%
steps = {"as it is": store, "fill_gaps | smooth(5)": clean.smooth(clean.fill_gaps(store), 5)}
rows = []
for step, cleaned in steps.items():
    train, test = data.split(cleaned, "cross-subject")
    accuracy = evaluate.knn(evaluate.raw_features(train), evaluate.raw_features(test)).accuracy
    rows.append((step, accuracy, 1000 * data.report(cleaned[:60]).table["jitter"].median()))
pd.DataFrame(rows, columns=["store", "kNN, raw coordinates", "jitter (mm)"]).round(3)

# %% [markdown]
# Here you saw both test accuracies before choosing. For a paper, choose on held-out training subjects.
#
# ## Weights for another body
# A trained encoder turns each clip into a vector. The shipped encoder learned on Kinect v2 bodies, and only its joint
# embeddings depend on the body: one row for each joint (lesson 03). slimlab carries these rows over by the names of the joints.
# A joint without a counterpart takes the row of its parent, and a warning names it. In the exercise, parents may come after
# their children, as in NTU's own order.


# %% tags=["exercise", "raises-exception"]
# Exercise 3 · difficulty 2 of 3 · about 15 minutes
def carry(rows, names, new_names, parents):
    """rows (V, D) of the joints `names` -> (V', D) for a body of joints `new_names`; parents: a number for each of them, -1 for
    the root. The nearest joint upwards that has a counterpart gives its row; the root has one."""
    raise NotImplementedError


lessons.check_carry(carry)

# %% [markdown]
# <details><summary>Hint</summary>
#
# Ask for each joint on its own: is its name among `names`? If not, ask the same of its parent. A function that calls itself does
# it in two lines.
# </details>
# <details><summary>Common mistakes</summary>
#
# - Going by numbers instead of names.
# - Filling rows in index order: the parent's row may still be empty.
# - Using the mean of all rows, or zeros, where a joint has no counterpart.
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def carry(rows, names, new_names, parents):
#     def place(joint):
#         return names.index(new_names[joint]) if new_names[joint] in names else place(parents[joint])
#
#     return rows[[place(joint) for joint in range(len(new_names))]]
# ```
# </details>

# %% [markdown]
# ## Features
# The controls stand beside the shipped encoder. On this lesson's synthetic clips it has an advantage that it will not have on
# yours: it learned from synthetic motion of the same kind, though of other people. ([Results](../docs/results.md) has its
# accuracy on recordings of real people, where raw coordinates are sometimes better.) *Predict: which row will be best on your
# own data?*

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
    analysis.projection.fit(features.x), features, title="test clips, colored by class (never seen in training)"
)
plot.save(figure, here.out / "figures" / "embedding.pdf")
figure

# %% [markdown]
# ## Fine-tuning, or a probe?
# A linear probe trains one layer on frozen features. *Fine-tuning* trains the whole network with it, on the labeled clips. Two
# controls belong beside it: a network that is trained with the same labels from a random start, for as many steps, and the probe
# on raw coordinates. All ways get the same labeled clips. We train for few steps, so the learning rates of fine-tuning are far
# higher than the paper's, which belong to 20,000 steps. They were chosen among four pairs on one training subject of the
# synthetic set.
#
# *Predict: with one labeled clip per class, which is best, the probe or fine-tuning? With all labels?*

# %%
mirrored = here.synthetic or "exercise" in store.table  # of your own data we do not know whether left and right differ
same = {"mirror": mirrored, "rotation": (0.3, 1.2 if here.synthetic else 0.3, 0.3)}  # as in lesson 00
equal = {"steps": 4 if quick else 60, "batch_size": 64, "seed": here.seed, **same}
rows = {}
for amount in (1, 5, None):
    few = np.arange(len(train)) if amount is None else evaluate.few_labels(train, per_class=amount, seed=here.seed)
    ways = {"probe, raw coordinates": sides_of["control: raw coordinates"], "probe, shipped": sides_of["shipped encoder"]}
    row = {name: evaluate.linear_probe(given.rows(few), asked).accuracy for name, (given, asked) in ways.items()}
    tuned = evaluate.finetune(encoder, train[few], test, head_lr=0.3, encoder_lr=0.1, **equal)
    scratch = evaluate.supervised(encoder.config, train[few], **equal | {"batch_size": 32})  # two views of each; its own rate
    row["fine-tuned, shipped"] = tuned.accuracy
    row["control: labels alone, from random"] = evaluate.linear_probe(
        *(evaluate.features(scratch, side, cache=None) for side in (train[few], test))
    ).accuracy
    rows["all" if amount is None else f"{amount} a class"] = row

# %%
table = pd.DataFrame(rows).T
for amount, row in table.iterrows():
    print(f"{amount}: best is '{row.idxmax()}' ({row.max():.3f});", end=" ")
    print(f"fine-tuning minus probe {row['fine-tuned, shipped'] - row['probe, shipped']:+.3f}")
table.rename_axis("labeled clips").round(3)

# %% [markdown]
# One draw of labels and one seed: a difference of a few hundredths is luck. `evaluate.label_curve` repeats the probe over draws,
# and lesson 07 shows a finished study with three.
#
# ## To another body
# Do features that were learned on one body and one data set serve on another? The shipped encoder learned on synthetic clips of
# 25 joints. `evaluate.transfer` gives its joint embeddings to the joints of the same name, trains nothing but a probe, and puts
# the controls beside it. One more control asks whether the *names* matter: the same encoder with its joint embeddings exchanged
# at random.
#
# *Predict: does the shipped encoder beat raw coordinates on the other set? What do exchanged names cost?*

# %%
other = data.ui_prmd()[::4] if here.synthetic else data.synthetic(clips=440)  # the other set; UI-PRMD shows real people
other = other[:: 4 if quick else 1]
source, exchanged = slimlab.pretrained("tiny"), slimlab.pretrained("tiny")
order = torch.randperm(len(source.config.skeleton), generator=torch.Generator().manual_seed(here.seed))
with torch.no_grad():
    exchanged.pos_embed[..., -len(order) :, :] = source.pos_embed[..., -len(order) :, :][..., order, :]
elsewhere = data.split(other, "cross-subject")
moved = evaluate.transfer({"shipped encoder": source, "control: names exchanged": exchanged}, *elsewhere, seed=here.seed)
print(f"from {len(source.config.skeleton)} joints of synthetic motion to: {other}")
moved[["features", "joints", "kNN", "kNN_low", "kNN_high", "probe", "probe_low", "probe_high"]].round(3)

# %%
score = moved.set_index("features")["probe"]
for name in ("raw coordinates", "control: names exchanged"):
    print(f"probe on the shipped features minus {name}: {score['shipped encoder'] - score[name]:+.3f}")

# %% [markdown]
# The intervals are over the test subjects; look at them before you believe a difference. If the encoder with exchanged names does
# no worse, then matching by name gained nothing here, whatever else the features brought along. An encoder that loses to raw
# coordinates here may still be worth pre-training further on the other set.
#
# ## Joint, bone, motion
# Many papers report three **streams** ([arXiv 2104.14761](https://arxiv.org/abs/2104.14761)): the joints; the *bones*, each joint
# minus its parent; the *motion*, the differences of successive frames. One encoder is trained for each, and their class
# probabilities are added (*fusion*). Averaging several networks often helps even if all see the same. So the control is three
# encoders of the joint stream that differ in their seed.
#
# *Predict: which stream is best alone? Does fusing three streams beat fusing three seeds?*

# %%
short = {"steps": 4 if quick else 60, "evaluations": 0, "snapshots": 1, **same}
kinds = {"joint": here.seed, "bone": here.seed, "motion": here.seed} | {
    f"joint, seed {here.seed + i}": here.seed + i for i in (1, 2)
}
probes, rows = {}, {}
for name, seed in kinds.items():
    config = pretrain.Config(preset="tiny", stream=name.split(",")[0], seed=seed, **short)
    folder = here.out / f"{config.stream}-{seed}-{train.fingerprint[:6]}-{config.steps}"
    trained = pretrain.fit(train, config, folder=folder, progress=False).encoder
    for row, network in {"pre-trained": trained, "untrained": evaluate.random_encoder(trained.config, seed)}.items():
        probes[name, row] = evaluate.linear_probe(*(evaluate.features(network, side) for side in (train, test)))
        rows.setdefault(name, {})[row] = probes[name, row].accuracy

# %%
fused = {
    "three streams": ("joint", "bone", "motion"),
    "control: three seeds of joint": [n for n in kinds if n.startswith("joint")],
}
votes = {}
for name, members in fused.items():
    for row in ("pre-trained", "untrained"):
        votes[name, row] = evaluate.fuse([probes[member, row] for member in members])
        rows.setdefault(name, {})[row] = votes[name, row].accuracy
pd.DataFrame(rows).T.rename_axis("linear probe").round(3)

# %%
gain = evaluate.paired(*(votes[name, "pre-trained"] for name in fused), test)
print(f"three streams minus three seeds: {gain.difference:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}] over {gain.units} subjects")
print(f"three seeds minus one: {rows['control: three seeds of joint']['pre-trained'] - rows['joint']['pre-trained']:+.3f}")
print(
    f"each was pre-trained for {short['steps']} steps only; a fused number stands for three trainings and three networks in use"
)

# %% [markdown]
# Compare the two columns of the table first. Where pre-training is not above the untrained network after so few steps, the rows
# say something about fusion and nothing about pre-training.

# %%
path = data.export(test[:10], here.out / "ten_clips.csv")
page = plot.save(plot.player(test[0], body, fps=store.fps), here.out / "clip.html")
print(f"for others: {path.name}, {path.stat().st_size / 1e6:.1f} MB; {page.name} plays in any browser")
here.end()

# %% [markdown]
# ## Summary
# - One call opens a file, or says what is wrong with it. A format may keep the motion and lose the subjects.
# - Check an inferred body in its picture, and state its parts and mirror pairs yourself.
# - Convert once, look at the report before you train, and measure what a cleaning step changes.
# - No subject and no copy may be on both sides. With few subjects, test on each in turn.
# - A number stands beside its controls: fine-tuning beside the probe and a random start, transfer beside raw coordinates, three
#   streams beside three seeds.
#
# A recorded body is personal: limb lengths and gait tell people apart. Treat stores, features and embeddings as confidentially as
# the recordings, and read the terms of what you downloaded ([data/README.md](../data/README.md)).
#
# **What comes after the course.** You have built the method, measured it, and opened your own data. Three ways on: pre-train on
# your recordings (`slimlab pretrain data/mine --preset small`) and compare with this lesson's controls; ask a question of
# your own in the form of lesson 12; or train a table of the paper on your clips (`slimlab paper --list`). The page
# [for teachers](../docs/teaching.md) lists projects with a rubric, which also serves to judge your own.
#
# ## Test yourself
# 1. Your format names no subjects. Which protocols are left?
# 2. A split refuses two clips although their names differ. Why is it right?
# 3. Why does slimlab show an inferred body instead of using it silently?
# 4. A cleaning step raises the accuracy on the test side. May you keep it?
# 5. Your body has a joint that the encoder has never seen. What does the encoder know about it?
#
# <details><summary>Answers</summary>
#
# 1. The file's own sides, and cross-view or cross-setup where cameras or setups are known. None of them is about new people.
# 2. It compares coordinates. The same numbers on both sides are the same recording, whatever its name is.
# 3. A tree alone does not tell an arm from a leg, or left from right. You can, at a glance.
# 4. Only if you chose it on held-out training subjects. Otherwise the test side chose it.
# 5. Where it moves, and that it belongs to its nearest known ancestor: the two have the same embedding, so masked tokens of both
#    look alike.
# </details>
#
# ## Further reading
# - Shahroudy et al., NTU RGB+D and its protocols: [arXiv 1604.02808](https://arxiv.org/abs/1604.02808)
# - Liu et al., PKU-MMD: [arXiv 1703.07475](https://arxiv.org/abs/1703.07475)
# - Duan et al., PYSKL, the format of the `.pkl`: [arXiv 2205.09443](https://arxiv.org/abs/2205.09443)
# - Yan et al., ST-GCN, the pair of `.npy` and `.pkl`: [arXiv 1801.07455](https://arxiv.org/abs/1801.07455)
