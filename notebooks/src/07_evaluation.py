# %% [markdown]
# # 09 · What is a number worth?
#
# **After this lesson** you can read frozen features with kNN, a linear probe, few labels and retrieval; you know how a choice
# of protocol moves a number; you can put an interval on it and say what the interval is worth; and you can find the clips
# behind it. **Needs** lesson 03 or a rough idea of what an encoder is, means and standard deviations; no GPU. **Takes** about
# 60 minutes of yours; the last cell prints what the machine took.
#
# Evaluation is where papers differ most and say least. Nothing is pre-trained here: the encoder is the one that comes with
# slimlab. Every number stands beside a control.
#
# The clips are of real people: ten of them did ten rehabilitation exercises before a Kinect v2, correctly and then incorrectly
# on purpose (UI-PRMD, public domain, in the package). A class is an exercise done correctly or done incorrectly, so there are
# twenty; five people train the classifiers and five test them.

# %%
import numpy as np
import pandas as pd
import torch

import slimlab
from slimlab import evaluate, lessons, plot, widgets
from slimlab.data import split

here = lessons.begin("07_evaluation")  # or data="synthetic", or your own: data="~/UTD-MHAD/Skeleton"
store, quick = here.store[:: 3 if here.quick else 1], here.quick
train, test = split(store, "cross-subject")  # odd subjects train, even ones test
names = list(store.label_names)
chance = 1 / len(names)
print(f"{len(train)} training clips, {len(test)} test clips, {len(names)} classes")

# %%
encoder = slimlab.pretrained("small", skeleton=store.skeleton)  # joints go by name, as the warning says
record = slimlab.pretrained_record("small")
print(f"it learned from {record['data']}, and never saw these clips")
given, asked = (evaluate.features(encoder, side) for side in (train, test))
print(f"features: {tuple(given.x.shape)} and {tuple(asked.x.shape)}, read once, kept on disk by content")

# %% [markdown]
# ## Nearest neighbours
# A query is a test clip. Features $q$ and $x_i$ are brought to length 1, and the $k$ most similar training clips vote,
#
# $$ \hat y = \arg\max_c \sum_{i \in \mathrm{NN}_k(q)} [y_i = c]\;
# \frac{e^{q \cdot x_i / \tau}}{\sum_{j \in \mathrm{NN}_k(q)} e^{q \cdot x_j / \tau}}, $$
#
# with $\tau = 0.07$ (SLiM, section 4; Wu et al., [arXiv 1805.01978](https://arxiv.org/abs/1805.01978)). The code that
# computes it is `slimlab/evaluate/knn.py`. Here is a query, top row, and what was found for it.

# %%
nearest = evaluate.knn(given, asked, k=3)
wrong = nearest.clips()  # test clips that were taken for another class
query = int(wrong[0]) if len(wrong) else 0
plot.neighbours(test, query, train, nearest.neighbours[query].tolist(), title="a query that went wrong")

# %% [markdown]
# *Predict: with more neighbours, does accuracy rise or fall? And does a higher temperature, which makes all neighbours equal,
# help or hurt at large k?*

# %%
ks = [k for k in (1, 5, 20, 100) if k <= len(train)]
grid = evaluate.knn_grid(given, asked, ks, (0.02, 0.07, 0.5))
knn_table = pd.DataFrame({f"temperature {t:g}": [grid[k, t].accuracy for k in ks] for t in (0.02, 0.07, 0.5)}, index=ks)
spread = max(r.accuracy for r in grid.values()) - min(r.accuracy for r in grid.values())
print(f"same features, same clips: k and temperature alone move kNN by {spread:.3f}")
knn_table.rename_axis("k").style.format(precision=3)

# %% [markdown]
# At k = 1 the temperature cannot matter: one neighbour has all the votes. Each number of that table is a legitimate "kNN
# accuracy", which is why a number without its k and temperature cannot be compared with anything.

# %%
assert len({grid[1, t].accuracy for t in (0.02, 0.07, 0.5)}) == 1


# %% tags=["exercise", "raises-exception"]
# Exercise 1 · difficulty 2 of 3 · about 15 minutes
def knn_votes(similarity, labels, classes, k, temperature):
    """similarity (N, G), labels (G,) -> votes (N, classes); each row sums to 1."""
    raise NotImplementedError


lessons.check_knn_votes(knn_votes)

# %% [markdown]
# <details><summary>Hint</summary> `similarity.topk(k, dim=1)` gives the k largest and where they stand; `scatter_add_` adds
# weights to the columns that their labels name. </details>
# <details><summary>Common mistakes</summary> Softmax over the whole gallery instead of the k; `votes[rows, labels] = weights`,
# which keeps only one of several neighbours of a class. </details>
# <details><summary>Solution</summary>
#
# ```python
# def knn_votes(similarity, labels, classes, k, temperature):
#     near, place = similarity.topk(k, dim=1)
#     weights = (near / temperature).softmax(dim=1)
#     votes = torch.zeros(len(similarity), classes)
#     return votes.scatter_add_(1, labels[place], weights)
# ```
# </details>

# %% [markdown]
# ## The controls
# A number alone says nothing. Raw coordinates know a lot; a network that never learned passes much of that on.
#
# *Predict: how far above chance is a random encoder?*

# %%
table = evaluate.compare(encoder, train, test, here.seed, details=True)
columns = ["features", "kNN", "kNN_low", "kNN_high", "probe", "probe_low", "probe_high"]
print(f"chance: {chance:.3f}; low, high: 95 % interval over the {len(np.unique(test.column('subject')))} test subjects")
table[columns].style.format(precision=3).hide(axis="index")

# %%
# the encoder's row holds what is needed to make its number again
made_of = ["train", "test", "train_subjects", "test_subjects", "weights", "seed", "k", "pool", "slimlab", "torch"]
table[made_of].iloc[-1].to_frame("value")

# %% [markdown]
# ## Linear probe
# A linear classifier on frozen features,
#
# $$ \min_{W, b} \; \sum_i -\log \mathrm{softmax}(W x_i + b)_{y_i} + \tfrac{1}{2C} \lVert W \rVert^2, $$
#
# tells what can be read off with a straight cut (`slimlab/evaluate/probe.py`). Features are standardised first, by the
# **training** side's mean and deviation.
#
# *Predict: which choice moves the figure most: which tokens are read and how they are pooled, or who chooses the best of a grid?*
# ("time+part" keeps a mean token for each time step and part of the body; where clips show one person, people summed or
# concatenated is the same.)

# %%
rows = {}
for combine in ("concat", "sum"):
    for pool in ("cls+mean", "cls", "time+part"):
        sides = (evaluate.features(encoder, side, pool=pool, combine=combine) for side in (train, test))
        rows[f"logistic regression, people: {combine}, {pool}"] = evaluate.linear_probe(*sides).accuracy
steps = 50 if quick else 600
both = evaluate.run(encoder, train, test, "slim-linear-cached", views="deterministic", steps=steps, select=evaluate.SELECTIONS)
for choice in both.itertuples():
    rows[f"paper's grid, {steps} steps, best of {choice.candidates} on {choice.selected_on}"] = choice.accuracy
pd.Series(rows).to_frame("accuracy").style.format(precision=3)

# %%
chosen, flattered = both["accuracy"]
print(f"choosing the best probe on the test split adds {flattered - chosen:+.3f}; no clip was classified by a better encoder")
assert flattered >= chosen  # the largest of the same candidates, on the very clips that judge


# %% tags=["exercise", "raises-exception"]
# Exercise 2 · difficulty 1 of 3 · about 10 minutes
def standardise(train, test):
    """(N, F), (M, F) -> both standardised without a leak; a column that never changes is only shifted."""
    raise NotImplementedError


lessons.check_standardise(standardise)

# %% [markdown]
# <details><summary>Hint</summary> Only one side is known before the test begins. `std(0, correction=0)` divides by N.
# </details>
# <details><summary>Common mistakes</summary> Mean and deviation of both sides together: the test clips then change how they
# are classified themselves. Each side by its own: two subjects of different size become alike. </details>
# <details><summary>Solution</summary>
#
# ```python
# def standardise(train, test):
#     mean, sd = train.mean(0), train.std(0, correction=0)
#     sd = torch.where(sd > 1e-6, sd, 1.0)
#     return (train - mean) / sd, (test - mean) / sd
# ```
# </details>

# %% [markdown]
# ## Few labels
# Pre-training needs none. What is it worth when labels are few? The same clips keep their label for every line.
#
# *Predict: where is the gap to raw coordinates larger, at one label a class or at all of them?*

# %%
amounts = {"per_class": (1,), "fractions": (0.05, 0.1, 0.25, 1.0)}
curve = evaluate.label_curve(encoder, train, test, **amounts, seeds=1 if quick else 3, classifiers=("kNN",))
plot.label_curve(curve)

# %%
mean = curve.groupby(["labels", "features"], sort=False)["accuracy"].mean().unstack()
gain = mean["pre-trained encoder"] - mean["raw coordinates"]
print("pre-trained minus raw coordinates, kNN: " + ", ".join(f"{g:+.3f} at {amount}" for amount, g in gain.items()))

# %% [markdown]
# ## Retrieval
# The whole gallery is ranked for each query. **Average precision** is the mean, over the gallery's clips of the query's class,
# of the precision at their rank, and **mAP** its mean over queries; **recall@k** is the part of queries with a hit among the
# first k. 1-NN looks at the first rank alone; mAP wants *all* clips of a class near, so it can disagree.

# %%
found = {"pre-trained encoder": evaluate.retrieval(given, asked)}
raw_given, raw_asked = evaluate.raw_features(train), evaluate.raw_features(test)
found["raw coordinates"] = evaluate.retrieval(raw_given, raw_asked)
lines = {n: {"mAP": r.mean_average_precision} | {f"recall@{k}": v for k, v in r.recall.items()} for n, r in found.items()}
shuffled = np.random.default_rng(here.seed).permutation(len(train))
lines["labels shuffled"] = {
    "mAP": evaluate.retrieval(evaluate.Features(given.x, given.labels[shuffled], None), asked).mean_average_precision
}
pd.DataFrame(lines).T.style.format(precision=3, na_rep="")


# %% tags=["exercise", "raises-exception"]
# Exercise 3 · difficulty 2 of 3 · about 10 minutes
def average_precision(relevant):
    """relevant (G,) bool, best rank first -> a number; NaN where nothing is relevant."""
    raise NotImplementedError


lessons.check_average_precision(average_precision)

# %% [markdown]
# <details><summary>Hint</summary> `relevant.cumsum(0)` counts the hits up to each rank. </details>
# <details><summary>Common mistakes</summary> Averaging over all ranks; dividing by the size of the gallery; ranks from 0.
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def average_precision(relevant):
#     rank = torch.arange(1, len(relevant) + 1)
#     return ((relevant.cumsum(0) / rank) * relevant).sum() / relevant.sum()
# ```
# </details>

# %% [markdown]
# ## How sure?
# The figure is meant for people who were not recorded. Clips of one subject may resemble each other, so the thing to resample
# is the **subject**, with all their clips. With $P$ subjects drawn with replacement, subject $p$ comes $m_p$ times, and
#
# $$ a^* = \frac{\sum_p m_p\, h_p}{\sum_p m_p\, n_p}, \qquad \sum_p m_p = P, $$
#
# where $h_p$ of the $n_p$ clips are right. Up to nine subjects all $P^P$ draws are gone through
# (`slimlab/evaluate/statistics.py`).
#
# *Predict: which interval is the widest: bootstrap over subjects, Student's t over subjects, or bootstrap over clips?*

# %%
nearest = evaluate.knn(given, asked, k=1)
subjects = evaluate.over_subjects(nearest, test)
student = evaluate.over_subjects(nearest, test, method="t")
clips = evaluate.over_subjects(nearest, np.arange(len(test)), draws=2000)  # each clip a unit of its own
for name, i in (("bootstrap over subjects", subjects), ("Student's t over subjects", student), ("over clips", clips)):
    print(f"{name:28s} {i.mean:.3f} [{i.low:.3f}, {i.high:.3f}]")
wide = {name: i.high - i.low for name, i in (("bootstrap", subjects), ("t", student), ("clips", clips))}
print("from narrow to wide:", " < ".join(sorted(wide, key=wide.__getitem__)), "|", subjects.note)
evaluate.by_subject(nearest, test).style.format({"accuracy": "{:.3f}"}).hide(axis="index")

# %% [markdown]
# With few subjects the bootstrap can only reshuffle what it has, and its interval holds the truth less often than it says.
# The t interval is honest if subjects are roughly normal, and wide where they differ. Over clips: where subjects differ by
# more than chance, that interval is too narrow; where the table above shows them alike it can even be the wider one, but a
# few subjects who happen to agree say little about the next. How many does one need?

# %%
counts = (3, 4, 5, 8, 10, 20, 40)
worth = pd.Series({n: evaluate.bootstrap_coverage(n) for n in counts}, name="a 95 % bootstrap interval holds the truth")
smallest = pd.Series({n: 2 / 2**n for n in counts}, name="smallest p of a paired test")
assert smallest[4] > 0.05 and smallest[5] > 0.05 > smallest[8]
pd.concat([worth, smallest], axis=1).rename_axis("subjects").style.format({worth.name: "{:.0%}", smallest.name: "{:.2g}"})

# %% [markdown]
# Is the encoder better than raw coordinates on these clips? The paired test flips the sign of whole subjects; McNemar's
# test counts clips that one of the two alone has right, and takes them as independent, which they are not.

# %%
raw = evaluate.knn(raw_given, raw_asked, k=1)
difference = evaluate.paired(nearest, raw, test)
print("encoder minus raw coordinates:", difference)
difference.table.style.format(dict.fromkeys(("a", "b", "difference"), "{:.3f}")).hide(axis="index")

# %%
verdict = "is" if difference.p < 0.05 else "is not"
print(f"by subjects the difference {verdict} shown at 0.05; no p below {difference.smallest_p:.3g} was possible")
print(f"clips that one alone has right: encoder {difference.only_a}, raw {difference.only_b}; p = {difference.mcnemar_p:.2g}")
assert difference.p >= difference.smallest_p

# %% [markdown]
# ## Worse recordings
# Training clips stay clean, test clips get worse. *Predict: which hurts the encoder more than raw coordinates: noise, or a
# camera that walks around by 90 degrees? And a joint that the camera misses: does it matter how the file gives it, as not seen,
# in its parent's place, or at zero?* (The paper's table 11.)

# %%
ways = ["missing joints", "missing joints, parent's place", "missing joints, zeros"]
faults = dict.fromkeys(ways, (0.32,) if quick else (0.12, 0.2, 0.32))
faults |= {"noise": (0.05,), "view rotation": (45, 90)}
if not quick:
    faults |= {"noise": (0.01, 0.03, 0.05), "view rotation": (15, 45, 90), "dropped frames": (0.5, 0.75)}
    faults |= {"frame rate": (2, 4, 8), "occluded limb": (0.25, 0.5, 1.0)}
robust = evaluate.robustness(encoder, train, test, faults, classifiers=("kNN",), seed=here.seed)
plot.robustness(robust)

# %%
worst = robust.groupby(["corruption", "features"], sort=False)["accuracy"].agg(["first", "last"])
lost = (worst["first"] - worst["last"]).unstack()[["raw coordinates", "pre-trained encoder"]]
print("accuracy lost from clean to the worst severity:")
lost.style.format(precision=3)

# %% [markdown]
# In training, the shipped encoder saw clips turned about the vertical axis by as much as the next line says; raw coordinates
# know nothing of that. A curve says as much about what a method was trained with as about the method.

# %%
turned = record["config"]["rotation"]
turned = turned if isinstance(turned, float) else turned[1]
print(f"turned by up to {np.degrees(turned):.0f} degrees about the vertical axis in training")

# %% [markdown]
#
# ## The clips behind the number
# A confusion is not a number but a set of clips. First the classes that do worst, and what they are taken for.

# %%
by_class = nearest.table(names)
by_class.sort_values("recall").head(6).style.format(precision=3).hide(axis="index")

# %%
plot.confusion(nearest, names)

# %%
wrong = nearest.confusion - np.diag(nearest.confusion.diagonal())
true, predicted = np.unravel_index(wrong.argmax(), wrong.shape)
behind = nearest.clips(int(true), int(predicted))
print(f"{names[true]} taken for {names[predicted]}, {len(behind)} clips: {', '.join(test.column('clip')[behind][:4])} …")
query = int(behind[0]) if len(behind) else 0
plot.neighbours(test, query, train, nearest.neighbours[query].tolist())

# %% [markdown]
# The same on the screen: click a cell of the matrix, its clips are listed; a query plays beside its neighbours.

# %%
widgets.RetrievalViewer(train, test, features=(given, asked))

# %% [markdown]
# ## Summary
# - A number needs its features (blocks, pool, people), its classifier (k, temperature, or how the probe was chosen), its sides
#   and its controls. `evaluate.run` and `compare(…, details=True)` write them into the row.
# - Choosing on the test split flatters. Choose on held-out training subjects.
# - The unit is the subject. With four or five of them a bootstrap interval is too narrow and no paired test can reach 0.05.
# - Behind every cell of a confusion matrix there are clips. Look at them.
#
# ## Test yourself
# <details><summary>1. Two papers report kNN 0.72 and 0.74. What do you ask first?</summary>
# k and temperature, what the features are (blocks, pool, people), the test view, who chose the settings, and how many
# subjects the difference rests on. </details>
# <details><summary>2. When is an interval over clips too narrow?</summary>
# Where subjects differ. It treats clips of one subject as independent; another subject would bring a whole set of clips
# that are all easier or all harder. </details>
# <details><summary>3. McNemar gives p = 0.001, the sign flip 0.125, with four subjects. Which is right?</summary>
# Both, about different things: for these four people the difference is no accident of the clips; whether it holds for others
# four people cannot show. </details>
# <details><summary>4. How can features have the better 1-NN and the worse mAP?</summary>
# Each clip has one very close neighbour (the same motion in the same rhythm), but the rest of its class lies far away.
# </details>
# <details><summary>5. You report the best of 52 probes on the test split. What should the text say?</summary>
# That it was chosen on the test split, out of how many, and what the choice on held-out subjects gives. </details>
#
# ## Further reading
# - Wu et al. 2018, the weighted kNN: [arXiv 1805.01978](https://arxiv.org/abs/1805.01978)
# - Oquab et al. 2023, DINOv2, whose linear grid the field uses: [arXiv 2304.07193](https://arxiv.org/abs/2304.07193)
# - Kumar et al. 2022, fine-tuning can distort features: [arXiv 2202.10054](https://arxiv.org/abs/2202.10054)
# - Song et al. 2019, skeletons with occluded joints: [arXiv 1905.06774](https://arxiv.org/abs/1905.06774)
# - Do et al. 2026, SLiM, section 4: [arXiv 2603.10648](https://arxiv.org/abs/2603.10648)

# %%
here.end()
