# %% [markdown]
# # 07 · What is a number worth?
#
# **After this lesson** you can read frozen features with kNN, a linear probe, few labels and retrieval. You know how the choice
# of a protocol moves a number, you can put an interval on it, and you can say what the interval is worth. You can show what a
# split by clip hides, and find the clips behind a number. **Needs** a rough idea of what an encoder is (lesson 03), and of means
# and standard deviations; no GPU. **Takes** about 100 minutes with its four exercises; the last cell prints the machine's part.
#
# Evaluation is where papers differ most and say least. Nothing is pre-trained in this lesson: the encoder is one of those that
# come with slimlab. Every number has a control beside it.
#
# The clips show real people: ten of them did ten rehabilitation exercises in front of a Kinect v2, first correctly and then
# incorrectly on purpose (UI-PRMD, public domain, in the package). A class is an exercise done correctly, or an exercise done
# incorrectly, so there are twenty. Five people are the training side and five the test side. The
# [glossary](../docs/glossary.md) explains the words of the field.

# %%
import numpy as np
import pandas as pd
import torch

import slimlab
from slimlab import evaluate, lessons, plot, study, widgets
from slimlab.data import split

here = lessons.begin("07_evaluation")  # or data="synthetic", or your own: data="~/UTD-MHAD/Skeleton"
store, quick = here.store[:: 3 if here.quick else 1], here.quick
train, test = split(store, "cross-subject")  # odd subjects train, even ones test
names = list(store.label_names)
chance = 1 / len(names)
print(f"{len(train)} training clips, {len(test)} test clips, {len(names)} classes")

# %% [markdown]
# You are here: pre-training is over. The teacher's encoder is frozen, and we read its features.

# %%
plot.method("features")

# %%
encoder = slimlab.pretrained("small", skeleton=store.skeleton)  # joints are matched by name; a warning tells which are not
record = slimlab.pretrained_record("small")
print(f"it learned from {record['data']}, and never saw these clips")
given, asked = (evaluate.features(encoder, side) for side in (train, test))
print(f"features: {tuple(given.x.shape)} and {tuple(asked.x.shape)}, computed once and kept on disk by content")

# %% [markdown]
# ## Nearest neighbors
# A query is a test clip, and the gallery is the training side. Features $q$ and $x_i$ are scaled to length 1. The $k$ most
# similar gallery clips vote,
#
# $$ \hat y = \arg\max_c \sum_{i \in \mathrm{NN}_k(q)} [y_i = c]\;
# \frac{e^{q \cdot x_i / \tau}}{\sum_{j \in \mathrm{NN}_k(q)} e^{q \cdot x_j / \tau}}, $$
#
# with $\tau = 0.07$ (SLiM, section 4; Wu et al., [arXiv 1805.01978](https://arxiv.org/abs/1805.01978)). The code is
# `slimlab/evaluate/knn.py`. The picture shows a query in the top row and its three nearest gallery clips below.

# %%
nearest = evaluate.knn(given, asked, k=3)
wrong = nearest.clips()  # test clips that were taken for another class
query = int(wrong[0]) if len(wrong) else 0
plot.neighbours(test, query, train, nearest.neighbours[query].tolist(), title="a query and its three nearest gallery clips")

# %% [markdown]
# *Predict: with more neighbors, does accuracy rise or fall? A higher temperature gives all neighbors nearly the same vote; does
# that help or hurt at large k?*

# %%
ks = [k for k in (1, 5, 20, 100) if k <= len(train)]
grid = evaluate.knn_grid(given, asked, ks, (0.02, 0.07, 0.5))
knn_table = pd.DataFrame({f"temperature {t:g}": [grid[k, t].accuracy for k in ks] for t in (0.02, 0.07, 0.5)}, index=ks)
spread = max(r.accuracy for r in grid.values()) - min(r.accuracy for r in grid.values())
print(f"same features, same clips: k and temperature alone move kNN by {spread:.3f}")
assert len({grid[1, t].accuracy for t in (0.02, 0.07, 0.5)}) == 1
knn_table.rename_axis("k").style.format(precision=3)

# %% [markdown]
# At k = 1 the temperature cannot matter, because one neighbor has all the votes. Each number of this table is a legitimate "kNN
# accuracy". A number without its k and temperature can therefore not be compared with anything.


# %% tags=["exercise", "raises-exception"]
# Exercise 1 · difficulty 2 of 3 · about 15 minutes
def knn_votes(similarity, labels, classes, k, temperature):
    """similarity (N, G), labels (G,) -> votes (N, classes); each row sums to 1."""
    raise NotImplementedError


lessons.check_knn_votes(knn_votes)

# %% [markdown]
# <details><summary>Hint</summary> `similarity.topk(k, dim=1)` gives the k largest values and their places; `scatter_add_` adds
# weights to the columns that their labels name. </details>
# <details><summary>Common mistakes</summary> Softmax over the whole gallery instead of the k; `votes[rows, labels] = weights`,
# which keeps only one of several neighbors of a class. </details>
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
# An accuracy alone says little. Raw coordinates already separate many classes, and a network that never learned passes much of
# that on.
#
# The table has two columns of accuracies: kNN with k = 1, and a linear probe, which the next section explains.
#
# *Predict: how far above chance is an untrained encoder?*

# %%
table = evaluate.compare(encoder, train, test, here.seed, details=True)
columns = ["features", "kNN", "kNN_low", "kNN_high", "probe", "probe_low", "probe_high"]
print(f"chance: {chance:.3f}; low, high: 95 % interval over the {len(np.unique(test.column('subject')))} test subjects")
table[columns].style.format(precision=3).hide(axis="index")

# %%
# the encoder's row also says how to compute its numbers again
made_of = ["train", "test", "train_subjects", "test_subjects", "weights", "seed", "k", "pool", "slimlab", "torch"]
table[made_of].iloc[-1].to_frame("value")

# %% [markdown]
# ## Linear probe
# A linear probe is a linear classifier on frozen features,
#
# $$ \min_{W, b} \; \sum_i -\log \mathrm{softmax}(W x_i + b)_{y_i} + \tfrac{1}{2C} \lVert W \rVert^2. $$
#
# It measures what a linear decision can read from the features (`slimlab/evaluate/probe.py`). Features are first standardized
# with the mean and the standard deviation of the **training** side.
#
# Three choices move the accuracy: which tokens are read, how several people are combined, and on which clips the best probe of a
# grid is selected. The pool "time+part" keeps one mean token for each time step and body part. (Where every clip shows one
# person, adding people and concatenating them give the same.)
#
# *Predict: which of the three choices moves the accuracy most?*

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
print(f"selecting the best probe on the test side adds {flattered - chosen:+.3f}; the encoder is the same")
assert flattered >= chosen  # the largest of the same candidates, on the very clips that judge


# %% tags=["exercise", "raises-exception"]
# Exercise 2 · difficulty 1 of 3 · about 10 minutes
def standardize(train, test):
    """(N, F), (M, F) -> both standardized without a leak; a column that never changes is only shifted."""
    raise NotImplementedError


lessons.check_standardize(standardize)

# %% [markdown]
# <details><summary>Hint</summary> Only one side is known before the test begins. `std(0, correction=0)` divides by N.
# </details>
# <details><summary>Common mistakes</summary> Mean and deviation of both sides together: a test clip then changes how other test
# clips are classified. Each side with its own mean: a difference between the sides disappears, such as the size of their
# people. </details>
# <details><summary>Solution</summary>
#
# ```python
# def standardize(train, test):
#     mean, sd = train.mean(0), train.std(0, correction=0)
#     sd = torch.where(sd > 1e-6, sd, 1.0)
#     return (train - mean) / sd, (test - mean) / sd
# ```
# </details>

# %% [markdown]
# ## Few labels
# Pre-training needs no labels. How much does it help if only few clips are labeled? All features below get the same labeled
# clips.
#
# *Predict: where is the gap to raw coordinates larger, with one label per class or with all of them?*

# %%
amounts = {"per_class": (1,), "fractions": (0.05, 0.1, 0.25, 1.0)}
curve = evaluate.label_curve(encoder, train, test, **amounts, seeds=1 if quick else 3, classifiers=("kNN",))
plot.label_curve(curve)

# %%
mean = curve.groupby(["labels", "features"], sort=False)["accuracy"].mean().unstack()
gain = mean["pre-trained encoder"] - mean["raw coordinates"]
print("pre-trained minus raw coordinates, kNN: " + ", ".join(f"{g:+.3f} at {amount}" for amount, g in gain.items()))
print(f"the gap is largest at {gain.abs().idxmax()}")

# %% [markdown]
# The other question is what pre-training adds to training *with* labels. It takes too long to compute here, so we read a finished
# table ([study](../docs/studies.md#how-many-labels-do-the-features-need)): UTD-MHAD with 27 classes, linear probe, three draws of
# the labeled clips. The network is pre-trained without labels on the training side, or trained from scratch on the labeled clips
# alone; the controls are the untrained network and raw coordinates.
#
# *Predict: from how many labels per class on is training with labels at least as good?*

# %%
full = lessons.finished_study("labels")
means = full.groupby(["labels", "features"], sort=False)["probe"].mean().unstack()
ahead = means["pre-trained here, 3,000 steps"] - means["with labels, from scratch"]
print("pre-trained minus from scratch: " + ", ".join(f"{d:+.3f} with {n} a class" for n, d in ahead.items()))
plot.study(full, "labels", "features")

# %%
pairs = study.compare(full, "features", "pre-trained here, 3,000 steps", "with labels, from scratch")
sure = pairs[pairs["score"] == "probe"].iloc[0]
print(f"over all amounts: {sure['difference']:+.3f} [{sure['low']:+.3f}, {sure['high']:+.3f}] over subjects,", end=" ")
print(f"ahead in {sure['better']} of {sure['pairs']:.0f} pairs")
means.round(3)

# %% [markdown]
# In this table the order depends on the number of labels, and an average over all amounts hides that. Lesson 14 fine-tunes a
# network itself.

# %% [markdown]
# ## Retrieval
# For each query the whole gallery is ranked by similarity. The **precision** at a rank is the fraction of relevant clips up to
# that rank; a clip is relevant if it has the query's class. **Average precision** is the mean of the precisions at the ranks of
# the relevant clips, and **mAP** is its mean over queries. **Recall@k** is the fraction of queries with a relevant clip among
# the first k. 1-NN depends on the first rank alone, and mAP on *all* relevant clips, so the two can disagree.
#
# *Predict: which features have the higher mAP? And what is the mAP of shuffled labels, the control?*

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
# <details><summary>Hint</summary> `relevant.cumsum(0)` counts the relevant clips up to each rank. </details>
# <details><summary>Common mistakes</summary> A mean over all ranks; a division by the size of the gallery; ranks that start at 0.
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
# The accuracy should hold for people who were not recorded. Clips of one subject may resemble each other, so the unit to resample
# is the **subject**, with all of its clips. Draw $P$ subjects with replacement; subject $p$ is drawn $m_p$ times, and
#
# $$ a^* = \frac{\sum_p m_p\, h_p}{\sum_p m_p\, n_p}, \qquad \sum_p m_p = P, $$
#
# where $h_p$ of the $n_p$ clips are classified correctly. Up to nine subjects, slimlab goes through all $P^P$ draws
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
each = evaluate.by_subject(nearest, test)
each.style.format({"accuracy": "{:.3f}"}).hide(axis="index")

# %% [markdown]
# Is the interval over clips too narrow? That depends on how much subjects differ. If all clips were independent, the accuracies
# of the subjects would still differ a little, by chance. We compare the two.

# %%
p, per_subject = nearest.accuracy, each["clips"].mean()
seen, by_chance = each["accuracy"].std(ddof=1), (p * (1 - p) / per_subject) ** 0.5
print(f"standard deviation over subjects: {seen:.3f}; of independent clips it would be {by_chance:.3f}")
verdict = "more: an interval over clips is too narrow" if seen > by_chance else "no more: the data show no effect of the subject"
print(f"these subjects differ {verdict}; but {len(each)} subjects are few to measure a spread")

# %% [markdown]
# A bootstrap of few subjects can only reuse the subjects it has, so it contains the true value less often than it claims. The t
# interval is correct if accuracies of subjects are normally distributed. How many subjects are enough?

# %%
counts = (3, 4, 5, 8, 10, 20, 40)
worth = pd.Series({n: evaluate.bootstrap_coverage(n) for n in counts}, name="a 95 % bootstrap interval holds the truth")
smallest = pd.Series({n: 2 / 2**n for n in counts}, name="smallest p of a paired test")
assert smallest[4] > 0.05 and smallest[5] > 0.05 > smallest[8]
pd.concat([worth, smallest], axis=1).rename_axis("subjects").style.format({worth.name: "{:.0%}", smallest.name: "{:.2g}"})

# %% [markdown]
# Is the encoder better than raw coordinates on these clips? The paired test flips the sign of the difference of whole subjects.
# McNemar's test counts the clips that only one of the two classifies correctly. It assumes that clips are independent, which
# clips of one subject are not.

# %%
raw = evaluate.knn(raw_given, raw_asked, k=1)
difference = evaluate.paired(nearest, raw, test)
print("encoder minus raw coordinates:", difference)
verdict = "is" if difference.p < 0.05 else "is not"
print(f"over subjects the difference {verdict} significant at 0.05; no p below {difference.smallest_p:.3g} was possible")
print(f"clips that only one has right: encoder {difference.only_a}, raw {difference.only_b}; p = {difference.mcnemar_p:.2g}")
assert difference.p >= difference.smallest_p - 1e-9
difference.table.style.format(dict.fromkeys(("a", "b", "difference"), "{:.3f}")).hide(axis="index")

# %% [markdown]
# ## A split by clip, or by subject?
# A random split assigns clips to the two sides, so that clips of one person lie on both. What does that change, if nothing else
# changes? We classify every clip with the same features, each time from the other half of the clips:
#
# - **by subject**: the halves are the two sides above, and nobody is in both;
# - **by clip**: the halves are random, with as many clips of each class as above, a mean over five draws;
# - **by clip, others only**: the same random halves, but a query never meets clips of its own subject.
#
# *Predict: in which of the three is the accuracy highest? In the split by clip, how often is the nearest clip one of the same
# person, and is it then more often right?*


# %%
def halves(features, first, own=True):
    """(N,) 1 where a clip is classified correctly from the other half, and (N,) 1 where its nearest clip is of its subject."""
    right, same = np.zeros(len(features)), np.zeros(len(features))
    who = features.table["subject"].to_numpy()
    for gallery, queries in ((first, ~first), (~first, first)):
        for person in np.unique(who[queries]):
            of, at = np.flatnonzero(gallery & (own | (who != person))), np.flatnonzero(queries & (who == person))
            result = evaluate.knn(features.rows(of), features.rows(at), k=1)
            right[at] = (result.predictions == result.labels).numpy()
            same[at] = who[of[result.neighbours[:, 0].numpy()]] == person
    return right, same


# %%
sides = np.isin(store.column("subject"), np.unique(train.column("subject")))
dice = np.random.default_rng(here.seed)
by_class = pd.Series(sides).groupby(store.labels)
draws = [by_class.transform(dice.permutation).to_numpy() for _ in range(2 if quick else 5)]
kinds = {"pre-trained encoder": evaluate.features(encoder, store), "raw coordinates": evaluate.raw_features(store)}
kinds["untrained encoder"] = evaluate.features(evaluate.random_encoder(encoder.config, here.seed), store)
splits = {name: {"by subject": halves(x, sides)} for name, x in kinds.items()}
for name, x in kinds.items():
    splits[name]["by clip"] = np.mean([halves(x, draw) for draw in draws], axis=0)
    splits[name]["by clip, others only"] = np.mean([halves(x, draw, own=False) for draw in draws], axis=0)
assert all(of[how][1].max() == 0 for of in splits.values() for how in ("by subject", "by clip, others only"))

# %%
who, rows = store.column("subject"), {}
for name, of in splits.items():
    intervals = {how: evaluate.over_subjects(right, who) for how, (right, _) in of.items()}
    rows[name] = {how: f"{i.mean:.3f} [{i.low:.3f}, {i.high:.3f}]" for how, i in intervals.items()}
    gap = evaluate.paired(of["by clip"][0], of["by subject"][0], who)
    rows[name] |= {"by clip minus by subject": f"{gap.difference:+.3f} [{gap.low:+.3f}, {gap.high:+.3f}]", "p": f"{gap.p:.2g}"}
    right, own = halves(kinds[name], draws[0])
    print(
        f"{name}, by clip: the nearest clip is of the same person in {of['by clip'][1].mean():.0%} of the queries, and right in"
    )
    print(f"  {right[own == 1].mean():.0%} of these; where it is of another person, in {right[own == 0].mean():.0%}")
print(f"kNN, k = 1, {len(store)} clips, 95 % intervals over {len(np.unique(who))} subjects, p by flipping subjects")
pd.DataFrame(rows).T

# %% [markdown]
# The clips, the features and the sizes of the halves are the same in all columns. In random halves a query meets clips of its own
# person, and the gallery holds more people. The third column removes the first of these differences. Clips of one person resemble
# each other whatever the person does: they help where they repeat the action of the query, and mislead where they show another
# action. In either case, a split by clip answers the question "how well does this work for people in the training set?". If the
# question is about new people, split by subject.


# %% tags=["exercise", "raises-exception"]
# Exercise 4 · difficulty 2 of 3 · about 20 minutes
def across_subjects(x, labels, subjects):
    """x (N, F), labels (N,), subjects (N,) -> (N,) whether the most similar clip of *another* subject has the clip's label."""
    raise NotImplementedError


lessons.check_across_subjects(across_subjects)

# %% [markdown]
# <details><summary>Hint</summary> One matrix holds the cosines of all pairs of clips. Which of its entries must never be chosen?
# </details>
# <details><summary>Common mistakes</summary> Only the clip itself is excluded: the other clips of its subject remain. Excluded
# entries set to 0: where all other cosines are negative, 0 wins. Features that are not scaled to length 1: long ones win.
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def across_subjects(x, labels, subjects):
#     x = torch.nn.functional.normalize(x, dim=1)
#     cosine = x @ x.T
#     cosine[subjects[:, None] == subjects] = -torch.inf
#     return labels[cosine.argmax(dim=1)] == labels
# ```
# </details>

# %% [markdown]
# ## Worse recordings
# The training clips stay clean, and the test clips get worse (as in table 11 of the paper). We begin with **missing joints**. An
# unseen joint has no coordinates. slimlab leaves it out of centering, and the encoder gets the mask token in its place (lesson
# 03). A file may say that a joint was not seen, or put it in its parent's place, or at zero as if it had been seen. The same
# random joints are missing all through a clip in all three cases.
#
# *Predict: how many of the joints may be missing until kNN loses a tenth? Which of the three ways costs the encoder least? And
# raw coordinates, which know no mask token?*

# %%
ways = ["missing joints", "missing joints, parent's place", "missing joints, zeros"]
others = len(store.skeleton) - 1  # the center joint stays
lost = (2, 8) if quick else (1, 4, 8, 12)
missing = evaluate.robustness(
    encoder, train, test, {way: [n / others for n in lost] for way in ways}, classifiers=("kNN",), seed=here.seed
)
missing["severity"] = (missing["severity"] * others).round().astype(int)
missing["unit"] = f"joints missing, of {others + 1}"
plot.robustness(missing)

# %%
by_count = missing.pivot(index="severity", columns=["corruption", "features"], values="accuracy")
for way in ways:
    for kind in missing["features"].unique():
        of = by_count[way, kind]
        few = of.index[of < of.loc[0] - 0.1]
        when = f"loses more than 0.1 with {few[0]} missing" if len(few) else "never loses more than 0.1 here"
        print(f"{way + ',':<31} {kind:<34} {when}")
by_count["missing joints"].rename_axis(index="joints missing").round(3)

# %% [markdown]
# Other faults: *Predict: which hurts the encoder more than raw coordinates, noise, or a camera that stands 90 degrees to the
# side?*

# %%
faults = {"noise": (0.05,), "view rotation": (45, 90)}
if not quick:
    faults |= {"noise": (0.01, 0.03, 0.05), "view rotation": (15, 45, 90), "dropped frames": (0.5, 0.75)}
    faults |= {"frame rate": (2, 4, 8), "occluded limb": (0.25, 0.5, 1.0)}
robust = evaluate.robustness(encoder, train, test, faults, classifiers=("kNN",), seed=here.seed)
plot.robustness(robust)

# %%
worst = robust.groupby(["corruption", "features"], sort=False)["accuracy"].agg(["first", "last"])
lost = (worst["first"] - worst["last"]).unstack()[["raw coordinates", "pre-trained encoder"]]
turned = record["config"]["rotation"]
turned = turned if isinstance(turned, float) else turned[1]
print(f"in its training the encoder saw clips turned by up to {np.degrees(turned):.0f} degrees about the vertical axis")
print("accuracy lost from clean to the worst severity:")
lost.style.format(precision=3)

# %% [markdown]
# Such a curve says as much about the augmentations of a method as about the method. Raw coordinates were never turned.
#
# ## The clips behind the number
# A confusion is a set of clips, and you can look at them. First the classes with the lowest recall, and what they are taken for.

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
# The same as a widget: click a cell of the matrix to list its clips, and a query to play it beside its neighbors.

# %%
widgets.RetrievalViewer(train, test, features=(given, asked))

# %% [markdown]
# ## Summary
# - A number needs its features (blocks, pool, people), its classifier (k, temperature, or how the probe was selected), its split
#   and its controls. `evaluate.run` and `compare(…, details=True)` write them into the row.
# - Selection on the test side flatters. Select on held-out training subjects.
# - The unit is the subject. A split by clip measures something else, and a bootstrap interval over few subjects is too narrow.
#   With five subjects or fewer, no paired test can reach 0.05.
# - Behind every cell of a confusion matrix there are clips. Look at them.
#
# **Next:** you can now judge an encoder. In lesson 08 you build one: SLiM from your own parts, with the functions that you wrote
# in the exercises, and you judge it with the tools of this lesson.
#
# ## Test yourself
# <details><summary>1. Two papers report kNN 0.72 and 0.74. What do you ask first?</summary>
# k and temperature, what the features are (blocks, pool, people), the test view, on which clips the settings were selected, and
# how many subjects the difference rests on. </details>
# <details><summary>2. When is an interval over clips too narrow?</summary>
# If subjects differ by more than independent clips would. It treats clips of one subject as independent; a new subject brings a
# whole set of clips that are all easier or all harder. </details>
# <details><summary>3. McNemar gives p = 0.001, the sign flip 0.125, with four subjects. Which is right?</summary>
# Both, about different things. For these four people the difference is no accident of the clips. Whether it holds for others,
# four people cannot show. </details>
# <details><summary>4. How can features have the better 1-NN and the worse mAP?</summary>
# Each clip has one very close neighbor (the same motion in the same rhythm), but the rest of its class is far away.
# </details>
# <details><summary>5. You report the best of 52 probes on the test side. What should the text say?</summary>
# That it was selected on the test side, from how many, and what a selection on held-out subjects gives. </details>
# <details><summary>6. A colleague splits by clip and reports 0.98. Which two numbers do you ask for?</summary>
# The accuracy of the same features in a split by subject, and that of raw coordinates in both. </details>
#
# ## Further reading
# - Wu et al. 2018, the weighted kNN: [arXiv 1805.01978](https://arxiv.org/abs/1805.01978)
# - Oquab et al. 2023, DINOv2, whose linear grid the field uses: [arXiv 2304.07193](https://arxiv.org/abs/2304.07193)
# - Kumar et al. 2022, fine-tuning can distort features: [arXiv 2202.10054](https://arxiv.org/abs/2202.10054)
# - Song et al. 2019, skeletons with occluded joints: [arXiv 1905.06774](https://arxiv.org/abs/1905.06774)
# - Do et al. 2026, SLiM, section 4: [arXiv 2603.10648](https://arxiv.org/abs/2603.10648)

# %%
here.end()
