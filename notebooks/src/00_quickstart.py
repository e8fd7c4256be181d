# %% [markdown]
# # 00 · Quickstart: SLiM from a clip to a result
#
# **After this lesson** you can look at a skeleton clip and at what masking hides of it, pre-train a small encoder without labels,
# and judge its accuracy beside that of encoders that learned nothing. **Needs** PyTorch and two CPU cores; no GPU, no download.
# **Takes** about 55 minutes with its two exercises. Two of these minutes are training; the last line prints the machine's time.
#
# **Why learn without labels?** Recording motion is cheap. Labeling it is not: a person has to watch every clip and decide what it
# shows. *Self-supervised* learning trains an encoder on recordings alone and needs labels only afterwards, to use what it
# learned. [One of our studies](../docs/studies.md#how-many-labels-do-the-features-need) compares both ways on UTD-MHAD, a set
# with 27 classes. With one labeled clip per class, a classifier on features learned without labels reaches an accuracy of 0.64.
# The same network trained on these labeled clips alone reaches 0.59. With all labels, training with labels wins: 0.89 against
# 0.85.
#
# **What does it learn from?** SLiM ("Less is More", [arXiv 2603.10648](https://arxiv.org/abs/2603.10648)) trains two networks of
# the same shape. The *teacher* sees long crops of a clip with nothing masked. It sorts each crop, and each small piece of it,
# among *prototypes*: directions in feature space that are learned as well. The *student* sees crops of the same clip with parts
# masked, and must predict how the teacher sorted them. The student learns by gradient descent. The teacher follows it: its
# weights are a running average of the student's. Nothing reconstructs a coordinate. The [glossary](../docs/glossary.md) explains
# all terms.

# %%
import json
import os

import torch
import torch.nn.functional as F
from IPython.display import display

import slimlab
from slimlab import data, evaluate, lessons, masking, plot, pretrain, widgets
from slimlab.analysis import projection

here = lessons.begin("00_quickstart")  # or data="synthetic", or your own: data="~/UTD-MHAD/Skeleton"
store, quick, out = here.store, here.quick, here.out

# %% [markdown]
# You are here: at **the clip**, with which everything begins. Each lesson opens with this picture of the method.

# %%
plot.method("clip")

# %% [markdown]
# ## A body
# Ten people did ten rehabilitation exercises in front of a Kinect, first correctly and then incorrectly on purpose. These
# recordings are called UI-PRMD ([Vakanski et al. 2018](https://www.mdpi.com/2306-5729/3/1/2)), are in the public domain, and come
# with slimlab. There are 20 classes: each exercise done correctly is one, and done incorrectly another. This lesson takes three
# of the ten repetitions of each class by each person, 600 clips.
#
# With `data="synthetic"` in the cell above you get motion made by a program instead: 22 actions, ten subjects, three cameras.
# With a path, such as UTD-MHAD's `Skeleton` folder, you get your own data. Setting `SLIMLAB_DATA` before you start does the same.

# %%
body = store.skeleton
clip = store[here.example]
figure = plot.frames_strip(clip, body, title=f"{clip.name}: {store.label_names[clip.label]}")
plot.save(figure, out / "figures" / "clip.pdf")
figure

# %% [markdown]
# Left limbs are blue, right ones orange, and the gray line is the floor. The body is declared once, as a tree of joints with body
# parts; masks, augmentations, embeddings and pictures all read that declaration. Play the clip below, turn the body with the
# mouse, choose another clip:

# %%
widgets.ClipPlayer(store, index=here.example)

# %%
for part, joints in body.parts.items():
    print(f"{part:<10}", ", ".join(body.names[j] for j in joints))

# %% [markdown]
# ## What the student does not see
# In the paper a view has 64 frames, and eight frames of one joint make one *token*. The tokens form a grid of $T' = 8$ time steps
# and $V$ joints. A mask ratio $r$ hides $\mathrm{round}(r\,T'V)$ of them (section 3.2). **Semantic tube masking** hides tubes:
# runs of joints along one body part, over a stretch of time. A hidden wrist then has less often a visible elbow beside it, or a
# visible moment before it, from which it could be guessed.
#
# *Predict before you run the cell: at a ratio of 0.7, how many of the tokens stay visible?*

# %%
paper = pretrain.Config(preset="paper")
steps = paper.global_frames // paper.patch_frames
dice = torch.Generator().manual_seed(here.seed)
mask = masking.semantic_tubes(1, steps, body, ratio=0.7, generator=dice)[0]
visible = int((~mask).sum())
assert visible == steps * len(body) - round(0.7 * steps * len(body))  # the budget is met exactly
title = f"semantic tubes: {visible} of {mask.numel()} tokens stay visible"
figure = plot.mask_on_body(clip, mask.numpy(), body, title=title)
plot.save(figure, out / "figures" / "mask.pdf")
figure

# %% [markdown]
# Pink is hidden. The control is masking without structure: single tokens at random, at the same ratio.

# %%
control = masking.random_cells(1, steps, body, ratio=0.7, generator=dice)[0]
plot.mask_on_body(clip, control.numpy(), body, title="the control: random tokens, same ratio")

# %% [markdown]
# Which mask is harder to fill in? One measure needs no network: the share of hidden tokens that have a **visible neighbor**. A
# token's neighbors are the same joint one step before and one step after, and at the same step the joint's parent and its
# children in the body's tree.
#
# *Predict: which share is it under random tokens, and which under tubes? Then write the function that finds these tokens.*


# %% tags=["exercise", "raises-exception"]
# Exercise 1 · difficulty 2 of 3 · about 15 minutes
def has_visible_neighbor(mask, parents):
    """mask (T', V) bool tensor, True is hidden; parents: list of V joints, -1 at the root -> (T', V) bool."""
    raise NotImplementedError


lessons.check_visible_neighbor(has_visible_neighbor)

# %% [markdown]
# <details><summary>Hint</summary>
#
# Begin with `near`, all False, and let every visible token mark its neighbors in it. For time, shift the grid by one step:
# `near[1:] |= …`. For the body, loop over joints and parents; a bone has two ends. At last keep the hidden tokens.
#
# </details>
# <details><summary>Common mistakes</summary>
#
# - Marking visible tokens, too.
# - `torch.roll` in time: it makes the last step a neighbor of the first.
# - Taking joints with consecutive numbers for neighbors.
# - Marking the child of a bone, but not its parent.
# - Reading the root's parent, -1, as an index: Python then takes the last joint.
#
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def has_visible_neighbor(mask, parents):
#     visible, near = ~mask, torch.zeros_like(mask)
#     near[1:] |= visible[:-1]  # the step before
#     near[:-1] |= visible[1:]  # the step after
#     for joint, parent in enumerate(parents):
#         if parent >= 0:
#             near[:, joint] |= visible[:, parent]
#             near[:, parent] |= visible[:, joint]
#     return mask & near
# ```
#
# </details>

# %% [markdown]
# The library counts the same over a thousand masks of each kind:

# %%
for name in ("random_cells", "semantic_tubes"):
    masks = masking.STRATEGIES[name](1000, steps, body, ratio=0.7, generator=dice)
    share = lessons.with_visible_neighbor(masks, body).sum() / masks.sum()
    print(f"{name:<15} {share:.0%} of the hidden tokens have a visible neighbor")

# %% [markdown]
# ## Training, live
# Subjects with odd numbers train, those with even numbers test. The encoder sees no clip of a test subject and no label at all.
# The preset `tiny` has the parts of the paper's method at a size at which two cores learn something in minutes: a network of
# width 64, views of 32 frames, tokens of 16 frames, long crops that cover 80 to 100 % of a clip (50 to 100 % in the paper).
#
# Two settings encode what does not change an action's meaning in this data set. The first is mirroring: an exercise done with the
# other arm is the same exercise. Other sets differ: UTD-MHAD has "swipe left" and "swipe right" as two classes. So clips of your
# own are not mirrored. The second is rotation: UI-PRMD's people face the camera, so clips are turned by small angles. The people
# of the synthetic set do not, so their clips are turned further about the vertical axis.
#
# *Predict: after two minutes, will the features beat a plain comparison of raw coordinates? Write your guess down.*

# %%
train, test = data.split(store, "cross-subject")
minutes = float(os.environ.get("SLIMLAB_MINUTES", "2"))
budget = {"steps": 30} if quick else {"minutes": minutes}
mirrored = here.synthetic or "exercise" in store.table  # of your own data we do not know whether left and right differ
same = {"mirror": mirrored, "rotation": (0.3, 1.2 if here.synthetic else 0.3, 0.3)}  # rad about x, y (up), z
config = pretrain.Config(preset="tiny", seed=here.seed, **budget, **same)
folder = out / f"run-{train.fingerprint[:6]}-{here.seed}{'-quick' if quick else ''}"
print(f"{len(train)} training clips, {len(test)} test clips of other subjects")
print(f"the paper trains {paper.steps:,} steps of {paper.batch_size} clips")

# %% [markdown]
# `pretrain.stream` yields one step after another: it draws views and masks, runs both networks, and updates their weights.
# Lessons 02 to 06 open it up. **Stop** interrupts the loop. Running the cell again resumes exactly: an interrupted run gives the
# same numbers as an uninterrupted one.

# %%
picture, line = display(display_id=True), display(display_id=True)
async for step in pretrain.stream(train, config, folder=folder):
    if step.step % 10 == 0 or step.step == step.steps - 1:
        line.update(step)
    if step.step % 80 == 0 or step.step == step.steps - 1:
        picture.update(plot.losses(step.run.metrics))

# %% [markdown]
# Read the curves. K is the number of prototypes, 128 in `tiny`.
#
# - **GLCL**, the global-local contrastive loss: how badly the student predicts, from one view of a clip, the prototypes that the
#   teacher assigns to another view. A student that finds all K prototypes equally likely has a loss of ln K, the dotted line.
# - **MFP**, masked feature prediction: the same for each hidden token.
# - **KoLeo**: a small third term that pushes the features of different clips apart. Lesson 05 explains all three.
# - **Prototypes per target**: over how many prototypes the teacher spreads one answer. It may rise early in a run, and should end
#   far below K. A target that is spread over all of them says nothing.
# - **Prototypes in use**: over how many prototypes the answers of a whole batch spread. About one is collapse of the *answers*:
#   every clip gets the same target, which is easy to predict and worth nothing.
# - **Feature rank**: in how many directions the features differ. Near one is collapse of the *features*: every clip has the same.
#   Either kind of collapse can occur without the other, and slimlab stops a run at either.
# - **Leave-one-subject kNN**: accuracy on one training subject when the others are known.

# %%
run = pretrain.Run(folder)
metrics = run.metrics
plot.save(plot.losses(metrics), out / "figures" / "training.pdf")
assert metrics["step"].tolist() == list(range(run.config.steps))
for name in ("glcl_over_lnk", "mfp", "target_prototypes", "used_prototypes", "rank"):
    known = metrics[name].dropna()
    print(f"{name:<18} {known.iloc[0]:6.2f} at the beginning, {known.iloc[-1]:6.2f} at the end")
print(f"{run.config.steps} steps of {run.config.batch_size} clips, K = {run.config.prototypes} prototypes")

# %% [markdown]
# ## What did it learn?
# Labels enter now, and the encoder no longer changes. Two simple classifiers read its features. **kNN** (k nearest neighbors,
# here k = 1) gives a test clip the label of the training clip with the most similar feature. A **linear probe** is a linear
# classifier trained on the features of the training clips: it measures how well straight boundaries in feature space separate the
# classes.
#
# A number needs controls beside it. Here they are raw coordinates, and encoders that learned nothing. There is also the *shipped*
# encoder: the same network, trained without labels on other data with other settings. The cell prints which.

# %%
shipped = slimlab.pretrained("tiny", skeleton=body)  # joints go by name; a warning names those that have no counterpart
record = slimlab.pretrained_record("tiny")
print(f"shipped: {record['data']}, {record['seconds'] / 60:.0f} min")
print(f"yours:   {len(train)} clips of {train.table['subject'].nunique()} people, no labels")
theirs, mine = record["config"], json.loads(json.dumps(run.config.to_dict()))
for name, own in mine.items():
    if theirs.get(name, own) != own:
        print(f"{name}: shipped {theirs[name]}, yours {own}")

# %%
others = {"shipped encoder": shipped}
table = evaluate.compare(run.encoder, train, test, here.seed, others=others)
table.to_csv(out / "figures" / "results.csv", index=False)
caption = f"accuracy; chance is {1 / len(store.label_names):.3f}"
table.style.format(precision=3).hide(axis="index").set_caption(caption)

# %%
scores = table.set_index("features")["kNN"]
trained, raw = scores["pre-trained encoder"], scores["raw coordinates"]
untrained = scores[scores.index.str.startswith("random")].max()
print(f"kNN: trained {trained:.3f}, best untrained {untrained:.3f}, raw coordinates {raw:.3f}.")
change = "gained" if trained > untrained else "lost"
print(f"Training {change} {abs(trained - untrained):.3f} over an encoder that learned nothing.")
print("Raw coordinates are " + ("still ahead." if raw >= trained else "behind."))
print(f"The shipped encoder reaches {scores['shipped encoder']:.3f}.")

# %% [markdown]
# Raw coordinates may still be ahead, and that is no failure of the run. They compare two clips frame by frame, aligned in time,
# which suits clips that are clean and cut to one exercise; and this training is short. What the table can tell you is how much
# training added to the same network untrained.
#
# *Predict: which mistake is more frequent, one exercise taken for another, or the incorrect form of an exercise for its correct
# form?* In UI-PRMD's confusion matrix the second kind is easy to see. The ten correct classes come first, and the ten incorrect
# ones follow in the same order, so these mistakes lie on two lines ten classes away from the diagonal. (Classes of your own have
# their own order.)

# %%
features = evaluate.features(run.encoder, train), evaluate.features(run.encoder, test)
result = evaluate.knn(*features)
assert abs(result.accuracy - trained) < 1e-9
figure = plot.confusion(result, store.label_names, title="kNN on subjects never seen")
plot.save(figure, out / "figures" / "confusion.pdf")
figure

# %%
counts = result.confusion  # (true, predicted)
if "exercise" in store.table:  # of UI-PRMD: class 10 + i is the incorrect form of class i
    form = int(counts.trace(10) + counts.trace(-10))
    print(f"{form} of {int(counts.sum() - counts.trace())} mistakes take one form of an exercise for its other form")

# %% [markdown]
# ## The nearest clip, by hand
# For each test clip, kNN asks which training clip's feature points most nearly in the same direction, and takes its label. The
# measure is the cosine $\cos(a, b) = a \cdot b \,/\, (\lVert a \rVert \lVert b \rVert)$.


# %% tags=["exercise", "raises-exception"]
# Exercise 2 · difficulty 2 of 3 · about 10 minutes
def nearest_label(x, labels, queries):
    """For each of queries (Q, F) the label of the row of x (N, F) with the largest cosine: (Q,)."""
    raise NotImplementedError


lessons.check_nearest_label(nearest_label)

# %% [markdown]
# <details><summary>Hint</summary>
#
# `F.normalize(x, dim=1)` gives rows of length one. One matrix product then holds all cosines, (Q, N).
#
# </details>
# <details><summary>Common mistakes</summary>
#
# - Leaving the lengths in, so that long features win.
# - `argmax` over the queries instead of over the training clips.
# - Returning the index of the clip instead of its label.
#
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def nearest_label(x, labels, queries):
#     cosine = F.normalize(queries, dim=1) @ F.normalize(x, dim=1).T  # (Q, N)
#     return labels[cosine.argmax(dim=1)]
# ```
#
# </details>

# %% [markdown]
# ## A map of the test clips
# The next pictures show features in the plane of their two main components, colored by exercise. No encoder ever saw these
# colors. There are three encoders: yours, the shipped one, and as the control the same network untrained. *Predict: will the
# control look like noise?*

# %%
by = "exercise" if "exercise" in store.table else "label_name"  # other data: by action
figure = plot.embedding(projection.fit(features[1].x), features[1], by, title="pre-trained")
plot.save(figure, out / "figures" / "embedding.pdf")
figure

# %%
of_shipped = evaluate.features(shipped, test)
plot.embedding(projection.fit(of_shipped.x), of_shipped, by, title="shipped encoder")

# %%
untrained_features = evaluate.features(evaluate.random_encoder(run.encoder.config, here.seed), test)
plane = projection.fit(untrained_features.x)
plot.embedding(plane, untrained_features, by, title="control: same network, untrained")

# %% [markdown]
# An untrained network is a fixed function of its input: clips with similar coordinates get similar features. So its map has
# structure, too. A pretty map is no evidence of learning; compare it with its control and with the table.

# %% [markdown]
# ## Summary
# A clip becomes a grid of tokens. A student that sees part of it learns to predict how its teacher sorts the clip and the hidden
# tokens among prototypes, without labels and without reconstructing coordinates. Simple classifiers on frozen features measure
# what it learned. Such a number means something beside its controls: raw coordinates, the same network untrained, chance.
#
# **Next: [lesson 01](01_skeletons.ipynb), skeletons.** Masks, augmentations and tokens all read the body's tree, and the encoder
# learns whatever the sensor recorded, faults included. So the course begins with what a clip is, number by number.
#
# ## Test yourself
# <details><summary>Why is a hidden wrist harder to guess under semantic tubes than under random tokens?</summary>
#
# A tube hides a run of the limb over a stretch of time, so the elbow beside it and the moment before are hidden more often.
# The count above says how often a hidden token has a visible neighbor under both.
#
# </details>
# <details><summary>What is the teacher, and does it learn?</summary>
#
# Its weights are a running average of the student's; it gets no gradient. It sees long crops with nothing masked, and gives the
# targets.
#
# </details>
# <details><summary>Why does the table hold an encoder that learned nothing?</summary>
#
# An untrained network keeps much of its input's geometry and can score far above chance. Only what lies above it was learned.
#
# </details>
# <details><summary>Why are training and test split by subject and not by clip?</summary>
#
# Clips of one subject are alike. With the same people on both sides, a method can score by recognizing the person.
#
# </details>
#
# ## Further reading
# - Do, Chen, Youk, Kim: *Less is More: Compact-Token Masked Feature Prediction for Skeleton Representation Learning*,
#   NeurIPS 2026, [arXiv 2603.10648](https://arxiv.org/abs/2603.10648): sections 3.1 to 3.3.
# - Caron et al.: *Emerging Properties in Self-Supervised Vision Transformers* (DINO),
#   [arXiv 2104.14294](https://arxiv.org/abs/2104.14294): where teacher, student and prototypes come from.
# - Shahroudy et al.: *NTU RGB+D: A Large Scale Dataset for 3D Human Activity Analysis*,
#   [arXiv 1604.02808](https://arxiv.org/abs/1604.02808): the body and the protocols.
#
# **Try next.** Set `minutes` to 5 and run again from there, or use a terminal:
#
# ```
# python -m slimlab pretrain DATA --preset tiny --minutes 5 --folder runs/mine
# python -m slimlab evaluate runs/mine DATA
# ```

# %%
print(f"figures {out / 'figures'}, run {folder}")
here.end()
