# %% [markdown]
# # 08 · Embeddings, honestly
#
# **After this lesson** you can make a picture of features with PCA, t-SNE and UMAP, say how far each can be trusted, show the
# same features in ways that look different and noise that looks like clusters, hold every picture against its controls, and put
# two checkpoints into one plane. **Needs** what a feature is (lesson 00); no GPU. **Takes** about 50 minutes with its three
# exercises; the machine's part is printed at the end. UMAP compiles itself when it is first imported: that alone takes a
# quarter of a minute or more.
#
# Most papers on skeleton features, SLiM's kin among them, end with a coloured cloud. This lesson is about what such a cloud
# shows, and about what it cannot.
#
# The clips are of real people: ten of them did ten rehabilitation exercises before a Kinect v2, correctly and then incorrectly
# on purpose (UI-PRMD, public domain, in the package). The encoder, `small`, learned from synthetic motion and never saw them.

# %%
import numpy as np
import pandas as pd

import slimlab
from slimlab import analysis, data, evaluate, lessons, plot, pretrain, widgets
from slimlab.analysis import projection

here = lessons.begin("11_embeddings")  # or data="synthetic", or your own: data="~/UTD-MHAD/Skeleton"
store, quick = here.store[here.store.column("people") > 0], here.quick
train, test = data.split(store, "cross-subject")

# %%
some = np.random.default_rng(here.seed).permutation(len(test))[: 60 if quick else 330]
clips = test[np.sort(some)]  # t-SNE and UMAP of a few hundred points take seconds
trained = slimlab.pretrained("small", skeleton=store.skeleton)  # a warning names joints that it takes from their parent
features = evaluate.features(trained, clips)
labels = features.labels.numpy()
print(f"{len(features)} clips, {features.x.shape[1]} dimensions each, {len(np.unique(labels))} actions")

# %% [markdown]
# ## A picture, to begin with
# Every number above the picture is a measure of the *picture*, computed for you: how much of the variance the plane holds,
# whether neighbours in the plane are neighbours among the features (*trustworthiness*), how many neighbours were kept, and
# how often neighbours share a label, beside the same for the features and for shuffled labels.

# %%
flat = projection.fit(features.x, labels=labels)
by = "exercise" if "exercise" in store.table else "label_name"  # other data: by action
plot.embedding(flat, features, by, title="shipped encoder, PCA (no encoder ever saw what the colours stand for)")

# %% [markdown]
# ## Three ways to flatten
# - **PCA** turns the cloud and looks at it from where it is widest. Linear, the same every time; distances are shadows of
#   distances.
# - **t-SNE** ([JMLR 2008](https://www.jmlr.org/papers/v9/vandermaaten08a.html)) keeps *neighbourhoods*: it gives each point a
#   probability of choosing another as neighbour, in the features ($p$) and in the plane ($q$), and minimises
#
# $$\mathrm{KL}(P \,\Vert\, Q) = \sum_{i \ne j} p_{ij} \log \frac{p_{ij}}{q_{ij}}, \qquad
# q_{ij} \propto (1 + \lVert y_i - y_j \rVert^2)^{-1}$$
#
# - **UMAP** ([arXiv 1802.03426](https://arxiv.org/abs/1802.03426)) does much the same on a graph of nearest neighbours.
#
# *Predict: which has the highest trustworthiness? Which shows the most separate islands, and are these the same thing?*

# %%
methods = ("pca", "tsne") if quick else ("pca", "tsne", "umap")  # UMAP: a slow first import, once in a session
planes = {method: projection.fit(features.x, method, seed=here.seed, labels=labels) for method in methods}
plot.planes({m.upper(): p for m, p in planes.items()}, labels, title="the same features; colour: action")

# %%
table = pd.DataFrame({m.upper(): p.quality for m, p in planes.items()}).T
flattered = table["label_agreement"] - table["of_features"]
print("the plane, minus the features:", flattered.round(3).to_dict())
print("highest trustworthiness:", table["trustworthiness"].idxmax())
table.round(3)

# %% [markdown]
# `of_features` is what a picture should be read against: the share of equal labels among the ten nearest *features*.
# `of_chance` is the floor: the plane with labels shuffled. Two axes of PCA seldom reach the features. t-SNE and UMAP may come out
# *above* them: they pull neighbourhoods together and even out densities. The picture then looks better than the features are.
#
# ## Trust: what the number is
# Of each point's $k$ nearest in the plane, those that are *not* among its $k$ nearest features are intruders; each costs as many
# points as its rank $r(i, j)$ among the features is too far (Venna and Kaski 2001):
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
scattered = np.random.default_rng(here.seed).permutation(shown.xy)  # the control: every clip in another's place
print(f"t-SNE {trust(features.x, shown.xy):.3f}; the same picture with its points exchanged {trust(features.x, scattered):.3f}")

# %% [markdown]
# One half is what exchanged points get: trustworthiness lives between about 0.5 and 1, so 0.8 is not "80 % right".


# %% tags=["exercise", "raises-exception"]
# Exercise 1 · difficulty 1 of 3 · about 15 minutes
def agreement(xy, labels, k):
    """xy (N, 2), labels (N,): the share of each point's k nearest others that have its label, a mean over points."""
    raise NotImplementedError


lessons.check_agreement(agreement)

# %% [markdown]
# <details><summary>Hint</summary>
#
# `((xy[:, None] - xy) ** 2).sum(axis=2)` are all squared distances. Nobody is his own neighbour.
# </details>
# <details><summary>Common mistakes</summary>
#
# Counting the point itself, which always agrees. Asking whether the *majority* agrees: that is kNN's accuracy, another number.
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
# t-SNE starts from PCA here, so that its seed matters little; UMAP's matters more. *Perplexity* is about how many
# neighbours each point has. *Predict: the same features at perplexity 3, 30 and 100. Where do you see the most clusters?*

# %%
sizes = {f"perplexity {p}": projection.fit(features.x, "tsne", seed=here.seed, labels=labels, perplexity=p) for p in (3, 30, 100)}
other = here.seed + 1
sizes["perplexity 30, another seed"] = projection.fit(features.x, "tsne", seed=other, labels=labels)
both = () if quick else (here.seed, other)
seeds = {f"UMAP, seed {n}": projection.fit(features.x, "umap", seed=n, labels=labels) for n in both}
plot.planes(sizes | seeds, labels, title="the same features")

# %% [markdown]
# The number of islands is a setting. Nor do the size of an island and the distance between two islands mean anything: t-SNE evens
# densities out. What may be compared is measured below the picture, not seen in it:

# %%
table = pd.DataFrame({name: p.quality for name, p in (sizes | seeds).items()}).T


def moved(first, second):
    """How far the median point moves from one plane to the other laid onto it, in parts of the picture's width."""
    return float(np.median(np.linalg.norm(projection.align(second, first.xy).xy - first.xy, axis=1)) / np.ptp(first.xy))


by = moved(sizes["perplexity 30"], sizes["perplexity 30, another seed"])
print(f"another seed moves a point by {by:.0%} of the width, t-SNE")
if seeds:
    print(f"and by {moved(*seeds.values()):.0%}, UMAP")
table[["trustworthiness", "neighbours_kept", "label_agreement"]].round(3)

# %% [markdown]
# ## Noise that makes clusters
# Now with features that are *nothing*: as many points in as many dimensions from a normal distribution, no groups at all.
# *Predict: what will t-SNE at a small perplexity make of them?*

# %%
rng = np.random.default_rng(here.seed)
noise = rng.normal(size=features.x.shape)
few = {f"noise, perplexity {p}": projection.fit(noise, "tsne", seed=here.seed, labels=labels, perplexity=p) for p in (2, 5, 30)}
few["noise, PCA"] = projection.fit(noise, labels=labels)
plot.planes(few, title="pure noise: no point belongs to any other")

# %% [markdown]
# Clumps and strings appear from nothing. And with colours? Take the clumps for groups, give each its own colour, and the picture
# looks like a result. That is the trap: *a cluster in a picture is evidence only if something that was not used to make the
# picture agrees with it.* Labels are such a thing, and shuffled labels are the control for that.

# %%
from sklearn.cluster import KMeans

clumps = KMeans(8, n_init=4, random_state=0).fit_predict(few["noise, perplexity 2"].xy)
shuffled = rng.permutation(labels)
colours = {"noise, its own clumps": clumps, "noise, actions": labels, "features, actions": labels, "features, shuffled": shuffled}
pictures = {}
for name, own in colours.items():
    x, perplexity = (noise, 2) if name.startswith("noise") else (features.x, 30)
    pictures[name] = projection.fit(x, "tsne", seed=here.seed, labels=own, perplexity=perplexity)  # computed once, measured anew
plot.planes(pictures, colours, title="colours: by what?")

# %%
same = {name: p.quality["label_agreement"] for name, p in pictures.items()}
above = same["features, actions"] / max(same["noise, actions"], same["features, shuffled"])
print(f"actions agree {above:.1f} times as often among features as among noise, or shuffled; clumps agree with their own picture")
pd.Series(same, name="same colour among the ten nearest").round(3)

# %% [markdown]
# The first line means nothing, however high it is: the colours were read off the picture. The third is
# the only one that says something about the encoder, and it says it *beside* the second and the fourth.


# %% tags=["exercise", "raises-exception"]
# Exercise 2 · difficulty 2 of 3 · about 15 minutes
def shuffled_control(measure, labels, times, seed):
    """measure(labels in another order), `times` times: a list or array of numbers; the same seed gives the same."""
    raise NotImplementedError


lessons.check_shuffled(shuffled_control)

# %% [markdown]
# <details><summary>Hint</summary>
#
# One generator, made once from the seed; `permutation` gives a shuffled copy.
# </details>
# <details><summary>Common mistakes</summary>
#
# `rng.choice` or `rng.integers` draw new labels: classes then change their sizes, and large classes agree by chance more often.
# `rng.shuffle` changes the labels that were given. A generator made inside the loop gives one and the same shuffle.
# </details>
# <details><summary>Solution</summary>
#
# ```python
# import numpy as np
#
#
# def shuffled_control(measure, labels, times, seed):
#     rng = np.random.default_rng(seed)
#     return [measure(rng.permutation(labels)) for _ in range(times)]
# ```
# </details>

# %% [markdown]
# ## The control that is left out most often
# The same network, untrained, through the same projection. *Predict: a cloud without structure?*

# %%
untrained = evaluate.features(evaluate.random_encoder(trained.config), clips)
raw = evaluate.raw_features(clips)
kinds = {"trained": features, "untrained": untrained, "raw coordinates": raw}
maps = {name: projection.fit(f.x, "tsne", seed=here.seed, labels=labels) for name, f in kinds.items()}
plot.planes(maps, labels, title="t-SNE, colour: action")

# %%
rows = {
    name: {"among features": p.quality["of_features"], "in the plane": p.quality["label_agreement"]} for name, p in maps.items()
}
rows["shuffled labels"] = {"among features": np.nan, "in the plane": maps["trained"].quality["of_chance"]}
table = pd.DataFrame(rows).T
above = table.loc["untrained", "in the plane"] / table.loc["shuffled labels", "in the plane"]
print(f"An untrained network agrees {above:.1f} times as often as chance.")
gained = table.loc["trained", "among features"] - table.loc["untrained", "among features"]
print(f"Training is worth {gained:+.3f} in label agreement, among the features; a plane shows what it keeps of that.")
table.round(3)

# %% [markdown]
# A random network keeps much of its input's geometry. The difference between two pictures is the result, one picture is not.
#
# ## Coloured by what one would rather not see
# An action of UI-PRMD is two things, the exercise and whether it is done correctly. The same plane, coloured by these, by
# subject and, where there are several, by camera. If colours of the last two make islands, neighbours are neighbours for the
# wrong reason. *Predict, for the trained encoder: exercise, correct or not, subject; which agrees most among neighbours, compared
# with chance?*

# %%
columns = ["exercise", "correct"] if "exercise" in clips.table else ["label_name"]
columns = [c for c in (*columns, "subject", "camera") if len(np.unique(clips.column(c).astype(str))) > 1]
groups = {c.replace("label_name", "action"): np.unique(clips.column(c).astype(str), return_inverse=True)[1] for c in columns}
colours, pictures = {}, {}
for kind in ("trained", "raw coordinates"):
    for name, own in groups.items():
        colours[f"{kind}, by {name}"] = own
        pictures[f"{kind}, by {name}"] = projection.fit(
            kinds[kind].x, "tsne", seed=here.seed, labels=own
        )  # computed once, measured anew
plot.planes(pictures, colours, columns=len(groups), title="one plane, different colours")

# %%
rows = {}
for name, own in groups.items():
    chance = float((np.bincount(own) / len(own)) @ (np.bincount(own) / len(own)))
    rows[name] = {"chance": chance}
    for kind, f in kinds.items():
        rows[name][kind] = projection.quality(f.x, maps[kind].xy, own)["of_features"] / chance
table = pd.DataFrame(rows).T
table.style.format("{:.2f}").set_caption("agreement among the ten nearest features, in multiples of chance")

# %% [markdown]
# A factor of one is "says nothing about it". Read across: what training did to what people do, and what to who they are. A good
# encoder raises the first rows and lowers that of the subject (and of the camera: the synthetic set has three at different
# angles).
#
# ## Two checkpoints, one plane
# PCA axes have no sign, and t-SNE may turn as it likes, so two pictures of two encoders cannot be compared by eye until one is
# laid onto the other: shift, turn or mirror, and one scale, as near as can be (*Procrustes*). With both centered,
#
# $$U \Sigma V^\top = X^\top Y, \qquad X \mapsto \frac{\operatorname{tr} \Sigma}{\lVert X \rVert^2}\, X\, U V^\top .$$
#
# A few more steps of pre-training from the shipped weights, on the training subjects. *Predict: PCA or t-SNE, which of the two
# planes can be laid onto its predecessor?*

# %%
steps = 3 if quick else 16
short = {"steps": steps, "batch_size": 16, "snapshots": 1, "evaluations": 1}
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
# The control is the same plane with its clips exchanged, aligned as well as can be: what the best fit of nothing looks like.
# Near 0 in the last column two planes lie on one another, near 1 they have nothing in common. PCA follows the features. t-SNE
# may too, or it may deal its islands anew, and no turning brings them back: what seems to have *moved* there is mostly the
# picture. To follow training, take PCA, or fit one plane and place later features in it
# (`plane.transform`).


# %% tags=["exercise", "raises-exception"]
# Exercise 3 · difficulty 3 of 3 · about 20 minutes
def procrustes(xy, reference):
    """xy (N, 2) shifted, turned or mirrored, and scaled, as near to reference (N, 2) as can be; row i belongs to row i."""
    raise NotImplementedError


lessons.check_procrustes(procrustes)

# %% [markdown]
# <details><summary>Hint</summary>
#
# Center both; `np.linalg.svd(x.T @ y)` returns u, s and *the transpose of* v; the turn is `u @ v` with what it returns.
# </details>
# <details><summary>Common mistakes</summary>
#
# Turning the wrong way (`(u @ v).T`). Forcing the determinant to one: an embedding may be mirrored. Forgetting the scale, or to
# add the reference's mean at the end.
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
# ## Look, then count
# Drag a line around points and those clips play; click one and it plays with its nearest. The slider goes from the untrained
# encoder to the shipped one and its snapshots, planes aligned. Find a clip among strangers: is it the encoder's mistake, the
# picture's, or the label's?

# %%
layers = {"untrained": untrained, "shipped": features, f"{steps} steps on": later}
explorer = widgets.EmbeddingExplorer(clips, layers, method="pca" if quick else "tsne")
explorer

# %%
rank = {name: analysis.rankme(f.x) for name, f in layers.items()}
print("directions in use (RankMe):", {name: round(r, 1) for name, r in rank.items()}, "; any plane shows two")
knn = evaluate.knn(evaluate.features(trained, train), features).accuracy
print(f"and the number that no picture replaces: kNN accuracy {knn:.3f} on {len(clips)} clips of subjects never seen")

# %% [markdown]
# ## Summary
# A plane of features is a sketch. Trustworthiness, neighbours kept and label agreement say how far it goes; perplexity decides
# how many islands there are; noise makes islands too. The result is a difference to a control (shuffled labels, untrained
# network, raw coordinates), and it is measured among the features.
#
# ## Test yourself
# 1. Two islands lie far apart in a t-SNE. What follows?
#    <details><summary>Answer</summary>That their points are no near neighbours. Not how far apart they are.</details>
# 2. A picture has trustworthiness 0.97 and label agreement 0.3. Who is to blame, the projection or the encoder?
#    <details><summary>Answer</summary>The encoder (or the labels): the picture shows its neighbourhoods faithfully. Look at
#    `of_features`.</details>
# 3. Why is the agreement of colours with clusters that were found in the same picture no evidence?
#    <details><summary>Answer</summary>The colours come from the picture; they would agree with noise as well.</details>
# 4. You compare two encoders by t-SNE side by side. Name three controls or steps that the comparison needs.
#    <details><summary>Answer</summary>Same clips and settings; alignment; the untrained network; shuffled labels; numbers among
#    features; several seeds.</details>
# 5. Neighbours agree in subject six times as often as by chance. What would you try in pre-training?
#    <details><summary>Answer</summary>Augmentations that change what differs between subjects (bone lengths, speed,
#    mirroring), more subjects, smaller crops.</details>
#
# ## Further reading
# - How to Use t-SNE Effectively: Wattenberg et al., [Distill 2016](https://distill.pub/2016/misread-tsne/).
# - Initialisation, not the method, decides about global structure: Kobak and Linderman,
#   [Nature Biotechnology 2021](https://www.nature.com/articles/s41587-020-00809-z).
# - UMAP: [arXiv 1802.03426](https://arxiv.org/abs/1802.03426).

# %%
here.end()
