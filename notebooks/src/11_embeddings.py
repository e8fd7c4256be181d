# %% [markdown]
# # 11 · Embeddings, honestly
#
# **After this lesson** you can draw features with PCA, t-SNE and UMAP and say how far each picture can be trusted. You can show
# the same features in ways that look different, and noise that looks like clusters, and hold every picture against its controls.
# You can lay two checkpoints into one plane, and say after how much of a clip its action is recognized. **Needs** what a feature
# is (lesson 00) and kNN (lesson 07); no GPU. **Takes** about 90 minutes with its three exercises; the last cell prints the
# machine's part. UMAP compiles itself when it is first imported, which takes a quarter of a minute or more.
#
# Many papers end with a colored cloud of points. This lesson is about what such a cloud shows, and about what it cannot show.
#
# The clips show real people: ten of them did ten rehabilitation exercises in front of a Kinect v2, first correctly and then
# incorrectly on purpose (UI-PRMD, public domain, in the package). The encoder, `small`, learned from synthetic motion and never
# saw them. The [glossary](../docs/glossary.md) explains the words of the field.

# %%
import numpy as np
import pandas as pd
import torch

import slimlab
from slimlab import analysis, data, evaluate, lessons, plot, pretrain, widgets
from slimlab.analysis import projection

here = lessons.begin("11_embeddings")  # or data="synthetic", or your own: data="~/UTD-MHAD/Skeleton"
store, quick = here.store[here.store.column("people") > 0], here.quick
train, test = data.split(store, "cross-subject")

# %% [markdown]
# You are here: at the output of the frozen encoder.

# %%
plot.method("features")

# %%
some = np.random.default_rng(here.seed).permutation(len(test))[: 60 if quick else 330]
clips = test[np.sort(some)]  # t-SNE and UMAP of a few hundred points take seconds
trained = slimlab.pretrained("small", skeleton=store.skeleton)  # a warning names joints that it takes from their parent
features = evaluate.features(trained, clips)
labels = features.labels.numpy()
print(f"{len(features)} clips, {features.x.shape[1]} dimensions each, {len(np.unique(labels))} actions")

# %% [markdown]
# ## A first picture
# The numbers above the picture are measures of the *picture*:
#
# - the share of the variance that the plane holds;
# - *trustworthiness*: whether neighbors in the plane are neighbors among the features;
# - the share of neighbors that are kept;
# - how often neighbors share a label, in the plane, among the features, and with shuffled labels.

# %%
flat = projection.fit(features.x, labels=labels)
by = "exercise" if "exercise" in store.table else "label_name"  # other data: by action
plot.embedding(flat, features, by, title="shipped encoder, PCA (colors: not known to the encoder)")

# %% [markdown]
# ## Three projections
# - **PCA** projects onto the plane of largest variance. It is linear and always gives the same picture.
# - **t-SNE** ([JMLR 2008](https://www.jmlr.org/papers/v9/vandermaaten08a.html)) keeps *neighborhoods*. For each pair of points it
#   defines a probability of being neighbors, among the features ($p$) and in the plane ($q$), and minimizes
#
# $$\mathrm{KL}(P \,\Vert\, Q) = \sum_{i \ne j} p_{ij} \log \frac{p_{ij}}{q_{ij}}, \qquad
# q_{ij} \propto (1 + \lVert y_i - y_j \rVert^2)^{-1}$$
#
# - **UMAP** ([arXiv 1802.03426](https://arxiv.org/abs/1802.03426)) also keeps neighborhoods. It works on a graph of nearest
#   neighbors.
#
# *Predict: which projection has the highest trustworthiness? Which shows the most separate islands? Is it the same one?*

# %%
methods = ("pca", "tsne") if quick else ("pca", "tsne", "umap")  # UMAP: a slow first import, once per session
planes = {method: projection.fit(features.x, method, seed=here.seed, labels=labels) for method in methods}
plot.planes({m.upper(): p for m, p in planes.items()}, labels, title="the same features; color: action")

# %%
table = pd.DataFrame({m.upper(): p.quality for m, p in planes.items()}).T
flattered = table["label_agreement"] - table["of_features"]
print("highest trustworthiness:", table["trustworthiness"].idxmax())
print("label agreement in the plane minus among the features:", flattered.round(3).to_dict())
print("better than the features themselves:", ", ".join(flattered.index[flattered > 0]) or "none")
table.round(3)

# %% [markdown]
# Read a picture against `of_features`, the share of equal labels among the ten nearest *features*, and against `of_chance`, the
# same in the plane with shuffled labels. A projection can lie *above* the features, because it pulls neighborhoods together and
# evens out densities. The picture then looks better than the features are.
#
# ## What trustworthiness measures
# Take the $k$ nearest points of each point in the plane. Those that are *not* among its $k$ nearest features are intruders. Let
# $r(i, j)$ be the rank of an intruder among the features; it costs $r(i, j) - k$ (Venna and Kaski 2001):
#
# $$T(k) = 1 - \frac{2}{N k (2N - 3k - 1)} \sum_i \sum_{j \in U_k(i)} (r(i, j) - k)$$


# %%
def trust(x, xy, k=5):
    """The equation, point by point."""
    far, near = (((v[:, None] - v) ** 2).sum(axis=2) for v in (np.asarray(x, np.float64), np.asarray(xy, np.float64)))
    ranks = far.argsort(axis=1).argsort(axis=1)  # the point itself: 0, its nearest: 1
    nearest = near.argsort(axis=1)[:, 1 : k + 1]
    intruders = np.maximum(np.take_along_axis(ranks, nearest, axis=1) - k, 0)
    n = len(x)
    return 1 - 2 * intruders.sum() / (n * k * (2 * n - 3 * k - 1))


shown = planes["tsne"]
assert abs(trust(features.x, shown.xy) - shown.quality["trustworthiness"]) < 2e-3  # scikit-learn's
scattered = np.random.default_rng(here.seed).permutation(shown.xy)  # the control: every clip in the place of another
print(f"t-SNE {trust(features.x, shown.xy):.3f}; the same picture with its points exchanged {trust(features.x, scattered):.3f}")

# %% [markdown]
# The second number is the control: a picture that knows nothing about the features. Trustworthiness starts there and not at
# zero, so 0.8 does not mean "80 % right".


# %% tags=["exercise", "raises-exception"]
# Exercise 1 · difficulty 1 of 3 · about 15 minutes
def agreement(xy, labels, k):
    """xy (N, 2), labels (N,): the share of each point's k nearest others that have its label, a mean over points."""
    raise NotImplementedError


lessons.check_agreement(agreement)

# %% [markdown]
# <details><summary>Hint</summary>
#
# Begin with all squared distances. No point is its own neighbor.
# </details>
# <details><summary>Common mistakes</summary>
#
# Counting the point itself, which always agrees. Asking whether the *majority* of the neighbors agrees: that is nearly the
# accuracy of kNN, a different number.
# </details>
# <details><summary>Solution</summary>
#
# ```python
# import numpy as np
#
#
# def agreement(xy, labels, k):
#     distance = ((xy[:, None] - xy) ** 2).sum(axis=2)
#     np.fill_diagonal(distance, np.inf)
#     nearest = distance.argsort(axis=1)[:, :k]
#     return (labels[nearest] == labels[:, None]).mean()
# ```
# </details>

# %% [markdown]
# ## Seeds and perplexity
# *Perplexity* is roughly the number of neighbors that t-SNE considers for each point. Here t-SNE starts from PCA, which reduces
# the influence of its seed. *Predict: the same features at perplexity 3, 30 and 100; where do you see the most clusters? Which
# moves more with another seed, t-SNE or UMAP?*

# %%
sizes = {f"perplexity {p}": projection.fit(features.x, "tsne", seed=here.seed, labels=labels, perplexity=p) for p in (3, 30, 100)}
other = here.seed + 1
sizes["perplexity 30, another seed"] = projection.fit(features.x, "tsne", seed=other, labels=labels)
both = () if quick else (here.seed, other)
seeds = {f"UMAP, seed {n}": projection.fit(features.x, "umap", seed=n, labels=labels) for n in both}
plot.planes(sizes | seeds, labels, title="the same features")

# %% [markdown]
# The number of islands depends on a setting. The size of an island and the distance between two islands are not reliable either,
# because t-SNE evens out densities. Compare measurements instead of pictures:

# %%
table = pd.DataFrame({name: p.quality for name, p in (sizes | seeds).items()}).T


def moved(first, second):
    """How far the median point moves from one plane to the other laid onto it, as a fraction of the picture's width."""
    return float(np.median(np.linalg.norm(projection.align(second, first.xy).xy - first.xy, axis=1)) / np.ptp(first.xy))


print(f"another seed moves a point by {moved(*list(sizes.values())[1::2]):.0%} of the width, t-SNE")
if seeds:
    print(f"and by {moved(*seeds.values()):.0%}, UMAP")
table[["trustworthiness", "neighbours_kept", "label_agreement"]].round(3)

# %% [markdown]
# ## Noise that makes clusters
# Now we draw features at random: as many points in as many dimensions from one normal distribution, without any groups.
# *Predict: what does t-SNE make of them at a small perplexity?*

# %%
rng = np.random.default_rng(here.seed)
noise = rng.normal(size=features.x.shape)
few = {f"noise, perplexity {p}": projection.fit(noise, "tsne", seed=here.seed, labels=labels, perplexity=p) for p in (2, 5, 30)}
few["noise, PCA"] = projection.fit(noise, labels=labels)
plot.planes(few, title="pure noise: no point belongs to any other")

# %% [markdown]
# Every clump and string in this picture comes from nothing. If each clump gets its own color, the picture looks like a result.
# That is the trap: *a cluster in a picture is evidence only if something agrees with it that was not used to make the picture.*
# Labels are such a thing, and shuffled labels are their control.

# %%
from sklearn.cluster import KMeans

clumps = KMeans(8, n_init=4, random_state=0).fit_predict(few["noise, perplexity 2"].xy)
shuffled = rng.permutation(labels)
colors = {"noise, its own clumps": clumps, "noise, actions": labels, "features, actions": labels, "features, shuffled": shuffled}
pictures = {}
for name, own in colors.items():
    x, perplexity = (noise, 2) if name.startswith("noise") else (features.x, 30)
    pictures[name] = projection.fit(x, "tsne", seed=here.seed, labels=own, perplexity=perplexity)  # computed once, measured anew
plot.planes(pictures, colors, title="colors: by what?")

# %%
same = {name: p.quality["label_agreement"] for name, p in pictures.items()}
above = same["features, actions"] / max(same["noise, actions"], same["features, shuffled"])
print(f"actions agree {above:.1f} times as often among features as among noise or with shuffled labels")
pd.Series(same, name="same color among the ten nearest").round(3)

# %% [markdown]
# The first row means nothing, however high it is, because the colors were read off the picture. Only the third row says something
# about the encoder, and only in comparison with the second and the fourth.
#
# A finer control shuffles labels only *within groups*, for example among the clips of one subject. It keeps everything that the
# labels and the features owe to the subject, and removes only what they owe to the action.


# %% tags=["exercise", "raises-exception"]
# Exercise 2 · difficulty 2 of 3 · about 20 minutes
def shuffled_control(measure, labels, groups, times, seed):
    """measure(labels shuffled within each group), `times` times: `times` numbers; the same seed gives the same."""
    raise NotImplementedError


lessons.check_shuffled(shuffled_control)

# %% [markdown]
# <details><summary>Hint</summary>
#
# One generator, made once from the seed; `permutation` gives a shuffled copy. The clips of a group need not stand together.
# </details>
# <details><summary>Common mistakes</summary>
#
# `rng.choice` or `rng.integers` draw new labels: classes then change their sizes. `np.roll` shifts the labels in a circle: clips
# that stand together keep equal labels. `rng.shuffle` changes the labels that were given. A generator made inside the loop gives
# the same shuffle every time. One shuffle of all labels exchanges them between groups.
# </details>
# <details><summary>Solution</summary>
#
# ```python
# import numpy as np
#
#
# def shuffled_control(measure, labels, groups, times, seed):
#     rng, values = np.random.default_rng(seed), []
#     for _ in range(times):
#         other = labels.copy()
#         for group in np.unique(groups):
#             members = np.flatnonzero(groups == group)
#             other[members] = labels[rng.permutation(members)]
#         values.append(measure(other))
#     return values
# ```
# </details>

# %% [markdown]
# ## The untrained network
# This control is easily left out: the same network, untrained, in the same projection. *Predict: a cloud without structure?*

# %%
untrained = evaluate.features(evaluate.random_encoder(trained.config, here.seed), clips)
raw = evaluate.raw_features(clips)
kinds = {"trained": features, "untrained": untrained, "raw coordinates": raw}
maps = {name: projection.fit(f.x, "tsne", seed=here.seed, labels=labels) for name, f in kinds.items()}
plot.planes(maps, labels, title="t-SNE, color: action")

# %%
rows = {
    name: {"among features": p.quality["of_features"], "in the plane": p.quality["label_agreement"]} for name, p in maps.items()
}
rows["shuffled labels"] = {"among features": np.nan, "in the plane": maps["trained"].quality["of_chance"]}
table = pd.DataFrame(rows).T
above = table.loc["untrained", "in the plane"] / table.loc["shuffled labels", "in the plane"]
print(f"The labels of an untrained network's neighbors agree {above:.1f} times as often as shuffled ones.")
gained = table.loc["trained", "among features"] - table.loc["untrained", "among features"]
print(f"Training changes the label agreement by {gained:+.3f} among the features.")
table.round(3)

# %% [markdown]
# A random network keeps part of the geometry of its input. The result is the difference between two pictures; one picture alone
# shows no result.
#
# ## Colored by something else
# An action of UI-PRMD has two parts, the exercise and whether it is done correctly. We color the same plane by these, by subject
# and, where there are several, by camera. Islands of one subject or camera are neighbors for the wrong reason. *Predict for the
# trained encoder: do neighbors agree most, relative to chance, in exercise, in correctness or in subject?*

# %%
columns = ["exercise", "correct"] if "exercise" in clips.table else ["label_name"]
columns = [c for c in (*columns, "subject", "camera") if len(np.unique(clips.column(c).astype(str))) > 1]
groups = {c.replace("label_name", "action"): np.unique(clips.column(c).astype(str), return_inverse=True)[1] for c in columns}
colors, pictures = {}, {}
for kind in ("trained", "raw coordinates"):
    for name, own in groups.items():
        colors[f"{kind}, by {name}"] = own
        plane = projection.fit(kinds[kind].x, "tsne", seed=here.seed, labels=own)  # computed once, measured anew
        pictures[f"{kind}, by {name}"] = plane
plot.planes(pictures, colors, columns=len(groups), title="one plane, different colors")

# %%
rows = {}
for name, own in groups.items():
    chance = float((np.bincount(own) / len(own)) @ (np.bincount(own) / len(own)))
    rows[name] = {"chance": chance}
    for kind, f in kinds.items():
        rows[name][kind] = projection.quality(f.x, maps[kind].xy, own)["of_features"] / chance
table = pd.DataFrame(rows).T
print(f"trained: neighbors agree most in the {table['trained'].idxmax()}, relative to chance")
table.style.format("{:.2f}").set_caption("agreement among the ten nearest features, in multiples of chance")

# %% [markdown]
# A factor of one says that neighbors know nothing about this column. Read each row from untrained to trained: it tells what
# training did to the information about actions, and about people. To recognize the actions of new people, an encoder should
# raise the factor of the action and lower that of the subject.
#
# ## Two checkpoints, one plane
# The axes of PCA have no sign, and a t-SNE can be rotated at will. Two pictures of two encoders can therefore be compared only
# after one is laid onto the other by a shift, a rotation or reflection, and one scale (*Procrustes*). With $X$ and $Y$ both
# centered,
#
# $$U \Sigma V^\top = X^\top Y, \qquad X \mapsto \frac{\operatorname{tr} \Sigma}{\lVert X \rVert^2}\, X\, U V^\top .$$
#
# We continue pre-training from the shipped weights for a few steps, on the training subjects. *Predict: which of the two planes,
# PCA or t-SNE, can be laid onto its predecessor?*

# %%
steps = 3 if quick else 16
short = {"steps": steps, "batch_size": 16, "snapshots": 1, "evaluations": 1, "mirror": "exercise" in store.table}
config = pretrain.Config(preset="small", base_lr=pretrain.Config().base_lr / 4, **short)
folder = here.out / f"run-{train.fingerprint[:6]}-{steps}"
run = pretrain.fit(train, config, folder=folder, start=trained, progress=False)
later = evaluate.features(run.encoder, clips)
pairs = {}
for method in ("pca", "tsne"):
    old, new = (projection.fit(f.x, method, seed=here.seed, labels=labels) for f in (features, later))
    pairs |= {f"{method}, shipped": old, f"{method}, {steps} steps on": projection.align(new, old.xy)}
plot.planes(pairs, labels, title="two checkpoints, the second aligned to the first")

# %%
rows = {}
for method in ("pca", "tsne"):
    place, aligned = (pairs[f"{method}, {when}"].xy for when in ("shipped", f"{steps} steps on"))
    nobody = projection.align(projection.Projection(rng.permutation(aligned), {}, method), place).xy  # clips exchanged
    rows[method] = {n: float(np.sqrt(((xy - place) ** 2).sum(1).mean())) for n, xy in (("aligned", aligned), ("control", nobody))}
table = pd.DataFrame(rows).T
table["part of the control"] = table["aligned"] / table["control"]
for method, part in table["part of the control"].items():
    word = "lies on its predecessor" if part < 0.4 else "has nothing in common with it" if part > 0.9 else "keeps a part of it"
    print(f"{method}: the later plane {word} ({part:.2f} of the control)")
table.round(2)

# %% [markdown]
# The control is the same plane with its clips exchanged, aligned in the same way. A last column near 0 means that the planes
# agree, near 1 that they have nothing in common. If a t-SNE cannot be aligned, what seems to have *moved* may be the picture and
# not the features. To follow training, use PCA, or fit one plane and place later features in it (`plane.transform`).


# %% tags=["exercise", "raises-exception"]
# Exercise 3 · difficulty 3 of 3 · about 20 minutes
def procrustes(xy, reference):
    """xy (N, 2) shifted, rotated or reflected, and scaled, as near to reference (N, 2) as possible; row i belongs to row i."""
    raise NotImplementedError


lessons.check_procrustes(procrustes)

# %% [markdown]
# <details><summary>Hint</summary>
#
# Center both. `np.linalg.svd` returns u, s and *the transpose of* v.
# </details>
# <details><summary>Common mistakes</summary>
#
# The inverse rotation. A determinant forced to one: an embedding may be reflected. No scale, or the ratio of the two sizes in its
# place. The mean of the reference not added at the end.
# </details>
# <details><summary>Solution</summary>
#
# ```python
# import numpy as np
#
#
# def procrustes(xy, reference):
#     x, y = xy - xy.mean(axis=0), reference - reference.mean(axis=0)
#     u, s, v = np.linalg.svd(x.T @ y)
#     return s.sum() / (x**2).sum() * x @ (u @ v) + reference.mean(axis=0)
# ```
# </details>

# %% [markdown]
# ## When is an action recognized?
# The encoder accepts any number of time steps up to eight. So we can show it the beginning of a clip and ask what it knows by
# then. First as a picture: one plane, fitted on whole clips, and the features of the beginnings placed in it.
#
# *Predict: after how many of the eight time steps do the colors separate?*


# %%
@torch.inference_mode()
def beginnings(encoder, side, steps):
    """Features of the first time steps of every clip's test view; without an encoder the coordinates themselves."""
    rows, frames = [], steps * trained.config.patch_frames
    for start in range(0, len(side), 64):
        x, people, seen = evaluate.inputs(trained, side, np.arange(start, min(start + 64, len(side))))
        x, seen = x[:, :, :frames], None if seen is None else seen[:, :frames]
        rows.append(x.flatten(1) if encoder is None else encoder.features(x, people, seen=seen))
    return evaluate.Features(torch.cat(rows), torch.from_numpy(side.labels), side.table)


# %%
pictures = {}
for count in (1, 2, 4, 8):
    part = beginnings(trained, clips, count)
    xy = flat.transform(part.x)
    pictures[f"{count} of 8 time steps"] = projection.Projection(xy, projection.quality(part.x, xy, labels, here.seed), "pca")
plot.planes(pictures, clips.column(by), shared=True, title="beginnings of clips in the plane of whole clips")

# %% [markdown]
# Then as a number: kNN accuracy on test subjects, where the gallery shows the same beginning as the query. Two controls are the
# untrained network and the coordinates of the same frames. A third control tells a short input from an early one: the whole clip
# in as few frames.
#
# *Predict: which curve rises most between the first and the last time step? Is the whole clip in 8 frames better or worse than
# the first 8 frames?*

# %%
counts = (1, 8) if quick else (1, 2, 3, 4, 6, 8)
encoders = {"trained": trained, "untrained": evaluate.random_encoder(trained.config, here.seed), "raw coordinates": None}
found = {name: {n: evaluate.knn(beginnings(e, train, n), beginnings(e, test, n)) for n in counts} for name, e in encoders.items()}
whole = {n: [evaluate.features(trained, side, frames=n * trained.config.patch_frames) for side in (train, test)] for n in counts}
found["trained, whole clip in as few frames"] = {n: evaluate.knn(*sides) for n, sides in whole.items()}
lines = {name: pd.DataFrame({"step": counts, "kNN": [r.accuracy for r in of.values()]}) for name, of in found.items()}
figure = plot.runs(lines, ["kNN"], smooth=1, title="kNN accuracy, test subjects")
figure.axes[0].set_xlabel("time steps seen, of 8")
figure

# %%
for name, of in found.items():
    enough = next(n for n in counts if of[n].accuracy >= 0.9 * of[8].accuracy)
    print(f"{name}: {of[1].accuracy:.3f} after one step, {of[8].accuracy:.3f} after all; 90 % of that after {enough}")
for n in (counts[0], counts[-1]):
    d = evaluate.paired(found["trained"][n], found["untrained"][n], test)
    print(f"trained minus untrained after {n}: {d.difference:+.3f} [{d.low:+.3f}, {d.high:+.3f}] over {d.units} subjects")

# %% [markdown]
# A curve that is high after one time step means that clips differ in their first frames already: in the starting pose, or in the
# way they were recorded. What a curve gains afterwards is due to the motion.
#
# ## Look, then count
# Drag a line around points, and those clips play. Click a point, and it plays with its nearest clips. The slider goes from the
# untrained encoder to the shipped one and the one trained further, with aligned planes. Find a clip among strangers. Is it a
# mistake of the encoder, of the picture or of the label?

# %%
layers = {"untrained": untrained, "shipped": features, f"{steps} steps on": later}
explorer = widgets.EmbeddingExplorer(clips, layers, method="pca" if quick else "tsne")
explorer

# %%
rank = {name: analysis.rankme(f.x) for name, f in layers.items()}
print("directions in use (RankMe):", {name: round(r, 1) for name, r in rank.items()}, "; any plane shows two")
knn = evaluate.knn(evaluate.features(trained, train), features).accuracy
print(f"the number that no picture replaces: kNN accuracy {knn:.3f} on {len(clips)} clips of subjects never seen")

# %% [markdown]
# ## Summary
# A plane of features is a sketch. Trustworthiness, neighbors kept and label agreement say how far it can be trusted. Perplexity
# changes the number of islands, and noise makes islands too. The result is a difference to a control (shuffled labels, untrained
# network, raw coordinates), measured among the features. Beginnings of clips show when the features know an action.
#
# **Next:** you can now measure and picture an encoder. Lesson 12 uses all of it in a study: one question, how the mask ratio
# changes what is learned, from a prediction to a figure with intervals.
#
# ## Test yourself
# 1. Two islands are far apart in a t-SNE. What follows?
#    <details><summary>Answer</summary>Their points are not near neighbors. How far apart they are does not follow.</details>
# 2. A picture has trustworthiness 0.97 and label agreement 0.3. Is this due to the projection or to the encoder?
#    <details><summary>Answer</summary>To the encoder (or the labels): the picture shows the neighborhoods faithfully. Look at
#    `of_features`.</details>
# 3. Why is the agreement of colors with clusters that were found in the same picture no evidence?
#    <details><summary>Answer</summary>The colors come from the picture. They would agree with noise as well.</details>
# 4. You compare two encoders by t-SNE side by side. Name three controls or steps that the comparison needs.
#    <details><summary>Answer</summary>The same clips and settings; alignment; the untrained network; shuffled labels; numbers
#    among features; several seeds.</details>
# 5. Neighbors share their subject six times as often as by chance. What would you try in pre-training?
#    <details><summary>Answer</summary>Augmentations that change what differs between subjects (bone lengths, speed,
#    mirroring), and more subjects. Then measure again.</details>
# 6. An encoder recognizes 90 % of the actions from the first eight frames. What do you suspect?
#    <details><summary>Answer</summary>That the clips differ in their starting pose or their recording. Raw coordinates of the
#    same frames tell.</details>
#
# ## Further reading
# - How to Use t-SNE Effectively: Wattenberg et al., [Distill 2016](https://distill.pub/2016/misread-tsne/).
# - Initialization is critical for preserving global structure: Kobak and Linderman,
#   [Nature Biotechnology 2021](https://www.nature.com/articles/s41587-020-00809-z).
# - UMAP: [arXiv 1802.03426](https://arxiv.org/abs/1802.03426).

# %%
here.end()
