# %% [markdown]
# # 00 · Quickstart: SLiM in five minutes
#
# **After this lesson** you can look at a skeleton clip and at what masking hides of it, pre-train a small encoder that never sees
# a label, and say what it knows beside what it has to beat. **Needs** PyTorch, two CPU cores, no GPU, no download.
# **Takes** about 20 minutes; what the machine takes stands in the last line.
#
# SLiM ("Less is More", [arXiv 2603.10648](https://arxiv.org/abs/2603.10648)) learns skeleton motion without labels and without
# a decoder: a *student* sees cropped and masked clips and has to predict how a slowly following *teacher*, who sees them whole,
# sorts them among *prototypes*. No coordinate is ever reconstructed.

# %%
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
# ## A body
# Ten people did ten rehabilitation exercises before a Kinect, each of them correctly and then incorrectly on purpose. The
# recordings are called UI-PRMD ([Vakanski et al. 2018](https://www.mdpi.com/2306-5729/3/1/2)), are in the public domain, and
# come with slimlab. This lesson takes three of the ten repetitions of everything: 600 clips of 20 classes, a class being an
# exercise done correctly or done incorrectly.
#
# `data="synthetic"` in the cell above gives motion made by a program instead: 22 actions, ten subjects, three cameras. A path
# there, such as UTD-MHAD's `Skeleton` folder, gives your own data. So does `SLIMLAB_DATA`, set before you start.

# %%
body = store.skeleton
clip = store[here.example]
figure = plot.frames_strip(clip, body, title=f"{clip.name}: {store.label_names[clip.label]}")
plot.save(figure, out / "figures" / "clip.pdf")
figure

# %% [markdown]
# Left limbs are blue, right ones orange, the grey line is the floor. The body is declared once and drives everything: masks,
# augmentation, embeddings, pictures. Play the clip, turn the body with the mouse, choose another clip:

# %%
widgets.ClipPlayer(store, index=here.example)

# %%
for part, joints in body.parts.items():
    print(f"{part:<10}", ", ".join(body.names[j] for j in joints))

# %% [markdown]
# ## What the student does not see
# In the paper a clip has 64 frames, and eight frames of one joint make one *token*: a grid of $T' = 8$ time steps and one row
# for each of $V$ joints. A mask ratio $r$ hides $\mathrm{round}(r\,T'V)$ of them (section 3.2).
# **Semantic tube masking** hides runs of joints along a limb over a stretch of time, so that a hidden wrist cannot be guessed
# from the elbow beside it or from the frame before.
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
# Pink is hidden. The control is masking without structure: random tokens at the same ratio leave each hidden token a visible
# neighbour to copy from.

# %%
control = masking.random_cells(1, steps, body, ratio=0.7, generator=dice)[0]
plot.mask_on_body(clip, control.numpy(), body, title="the control: random tokens, same ratio")


# %% tags=["exercise", "raises-exception"]
# Exercise 1 · difficulty 1 of 3 · about 3 minutes
def visible_tokens(steps, joints, ratio):
    """How many tokens of a grid of steps x joints stay visible."""
    raise NotImplementedError


lessons.check_visible_tokens(visible_tokens)

# %% [markdown]
# <details><summary>Hint</summary>
#
# The grid has steps times joints tokens; `round` gives a whole number of hidden ones.
#
# </details>
# <details><summary>Common mistakes</summary>
#
# Returning the hidden ones; `int(…)`, which cuts off instead of rounding; rounding the visible ones, which differs where the
# number ends in a half.
#
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def visible_tokens(steps, joints, ratio):
#     return steps * joints - round(ratio * steps * joints)
# ```
#
# </details>

# %% [markdown]
# ## Training, live
# Odd subjects train, even ones test: the encoder never sees a test clip, and no label at all. The paper trains 187,500 steps
# of 768 clips on GPUs; the preset `tiny` is the same method (both losses, tubes, teacher and student) with a network of width 64,
# clips of 32 frames and tokens of 16, so that two cores learn something in minutes. The loop below is the whole of it;
# **Stop** interrupts it, and running the cell again goes on where it stopped, to the same numbers.
#
# Two settings say what makes no difference to an action. An exercise done with the other arm is the same exercise, so clips of
# the two sets that come with slimlab are mirrored. Your own are not: UTD-MHAD has "swipe left" and "swipe right" as two classes.
# And the people of UI-PRMD face the camera, so clips are turned by a little only; those of the synthetic set do not, and are
# turned further about the vertical axis.
#
# *Predict: after a minute or two, will the features beat a plain comparison of raw coordinates? Write your guess down.*

# %%
train, test = data.split(store, "cross-subject")
minutes = float(os.environ.get("SLIMLAB_MINUTES", "2"))
budget = {"steps": 30} if quick else {"minutes": minutes}
known = here.synthetic or "exercise" in store.table  # of your own data we do not know whether left and right differ
same = {"mirror": known, "rotation": (0.3, 1.2 if here.synthetic else 0.3, 0.3)}  # rad about x, y (up), z
config = pretrain.Config(preset="tiny", seed=here.seed, **budget, **same)
folder = out / f"run-{train.fingerprint[:6]}-{here.seed}{'-quick' if quick else ''}"
print(f"{len(train)} training clips, {len(test)} test clips of other subjects")

# %%
picture, line = display(display_id=True), display(display_id=True)
async for step in pretrain.stream(train, config, folder=folder):
    if step.step % 10 == 0 or step.step == step.steps - 1:
        line.update(step)
    if step.step % 80 == 0 or step.step == step.steps - 1:
        picture.update(plot.losses(step.run.metrics))

# %% [markdown]
# Read the curves: **GLCL** starts at ln K, where the student knows nothing about the teacher's assignments, and has to fall.
# **Prototypes per target** must be few of the K: as long as a target spreads over most of them, it means nothing. **Prototypes in
# use** must be many: about one is collapse of the *answers*, every clip the same target. **Feature rank** near one is collapse of
# the *features*, every clip the same vector. slimlab stops a run at either. **Leave-one-subject kNN** is measured on one training
# subject against the others.

# %%
run = pretrain.Run(folder)
metrics = run.metrics
plot.save(plot.losses(metrics), out / "figures" / "training.pdf")
assert metrics["step"].tolist() == list(range(run.config.steps))
first, last = metrics["glcl_over_lnk"].iloc[[0, -1]]
print(f"{run.config.steps} steps; GLCL / ln K: {first:.2f} -> {last:.2f}")

# %% [markdown]
# ## What did it learn?
# Two readings of frozen features: the label of the nearest training clip (**kNN**, k = 1), and a **linear probe**. Beside them
# stand the controls that every such number needs: raw coordinates, and encoders that never learned anything. The *shipped*
# encoder has the same size and recipe, but learned for longer, without labels, on synthetic motion: it never saw a person.

# %%
shipped = slimlab.pretrained("tiny", skeleton=body)  # joints go by name; a warning names those that have no counterpart
record = slimlab.pretrained_record("tiny")
print(record["command"], f"-> {record['config']['steps']} steps, {record['seconds'] / 60:.0f} min")

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
print(f"After {run.config.steps} steps of {run.config.batch_size} clips.")
print(f"The shipped encoder reaches {scores['shipped encoder']:.3f}.")

# %% [markdown]
# Do not be disappointed where raw coordinates are ahead: they compare clips frame by frame, aligned in time, which on clean
# clips cut to one exercise is hard to beat; and this is a small network after a very short training. The honest question here is
# what training adds to the same network untrained.
#
# *Predict: which mistakes are more frequent, one exercise for another, or the incorrect form of an exercise for its correct
# form?* The first ten classes are the correct ones, in the same order as the incorrect ones after them, so that mistakes of the
# second kind lie on two lines parallel to the diagonal, ten classes from it. (Of UI-PRMD; your own classes have their own order.)

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
# The number above asks of each test clip: which training clip points most nearly the same way, and has it the same label? Its
# measure is the cosine $\cos(a, b) = a \cdot b \,/\, (\lVert a \rVert \lVert b \rVert)$.


# %% tags=["exercise", "raises-exception"]
# Exercise 2 · difficulty 2 of 3 · about 8 minutes
def nearest_label(x, labels, queries):
    """For each of queries (Q, F) the label of the row of x (N, F) with the largest cosine: (Q,)."""
    raise NotImplementedError


lessons.check_nearest_label(nearest_label)

# %% [markdown]
# <details><summary>Hint</summary>
#
# `F.normalize(x, dim=1)` gives rows of length one; then one product of matrices holds all cosines, (Q, N).
#
# </details>
# <details><summary>Common mistakes</summary>
#
# Leaving the lengths in, so that long features win; `argmax` over the queries instead of the training clips; returning the place
# instead of the label.
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
# The plane of the two main components, coloured by exercise (no encoder ever saw that colour): your encoder, the shipped one, and
# the untrained network as a control. *Predict: will the control look like noise?*

# %%
by = "exercise" if "exercise" in store.table else "label_name"  # other data: by action
figure = plot.embedding(projection.fit(features[1].x), features[1], by, title="pre-trained")
plot.save(figure, out / "figures" / "embedding.pdf")
figure

# %%
known = evaluate.features(shipped, test)
plot.embedding(projection.fit(known.x), known, by, title="shipped encoder")

# %%
untrained_features = evaluate.features(evaluate.random_encoder(run.encoder.config, here.seed), test)
plane = projection.fit(untrained_features.x)
plot.embedding(plane, untrained_features, by, title="control: same network, untrained")

# %% [markdown]
# It does not: a random network keeps much of its input's geometry. A pretty map is no evidence of learning; compare it with
# its control and with the table.

# %% [markdown]
# ## Summary
# A clip becomes a grid of tokens; a student that sees part of it learns to sort clips as its teacher does, without labels and
# without coordinates to reconstruct. What it learned is read from frozen features, and a number means something beside its
# controls: raw coordinates, the same network untrained, chance.
#
# ## Test yourself
# <details><summary>Why can a hidden wrist not simply be guessed under semantic tubes, but often under random tokens?</summary>
#
# A tube hides a run of the limb over a stretch of time: the elbow beside it and the moment before are hidden too. Random tokens
# leave neighbours to copy from.
#
# </details>
# <details><summary>What is the teacher, and does it learn?</summary>
#
# A running mean of the student's weights. It gets no gradient; it sees the clip whole and gives the targets.
#
# </details>
# <details><summary>Why does the table hold an encoder that never learned anything?</summary>
#
# A random network keeps much of its input's geometry and scores far above chance. Only what lies above it was learned.
#
# </details>
# <details><summary>Why are training and test split by subject and not by clip?</summary>
#
# Clips of one subject are alike; with the same people on both sides a method may recognise the person, not the action.
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
# **Try next.** Set `minutes` to 5 and run again from there; or in a terminal:
#
# ```
# python -m slimlab pretrain DATA --preset tiny --minutes 5 --folder runs/mine
# python -m slimlab evaluate runs/mine DATA
# ```

# %%
print(f"figures {out / 'figures'}, run {folder}")
here.end()
