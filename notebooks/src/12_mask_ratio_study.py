# %% [markdown]
# # 12 · A study: which mask is best, and how sure is that?
#
# **After this lesson** you can turn a question about a setting into a sweep with controls, seeds and intervals, stop the sweep
# and resume it, say what its table shows and what it does not, and compute how many seeds a question needs.
#
# **Needs** lessons 04 (masking) and 07 (evaluation); no GPU. **Takes** about 75 minutes with its three exercises; the last code
# cell prints the machine time.
#
# A published table has a best row. Would the same row be best with another seed, or on other people? If not, the table does not
# tell you which setting to use. This lesson asks SLiM's own question, which mask is best, at a scale where two CPU cores can
# answer it. The [glossary](../docs/glossary.md) explains the words of the field.

# %%
import itertools

import numpy as np
import pandas as pd
from scipy import stats

from slimlab import data, evaluate, lessons, plot, study, widgets
from slimlab.pretrain import Config

here = lessons.begin("12_mask_ratio_study")  # or data="synthetic", or your own: data="~/UTD-MHAD/Skeleton"
store, quick = here.store, here.quick

# %% [markdown]
# You are here: the study measures the features at the end of the method, and varies the masks at its beginning.

# %%
plot.method("features")

# %% [markdown]
# ## The question
# A mask hides $|M| = \mathrm{round}(\rho\, T' V)$ of the $T' \times V$ tokens of a view. Two settings describe it. The **ratio**
# $\rho$ says how many tokens are hidden, and the **strategy** says which ones:
#
# - *semantic tubes*, the paper's strategy, hide runs of joints along a limb for a span of time;
# - *random tokens* are hidden independently of each other;
# - *joint tubes* hide single joints for the whole view.
#
# The paper ([arXiv 2603.10648](https://arxiv.org/abs/2603.10648), table 5a) varies both on NTU RGB+D 60. Its rows read "masks of
# the global views / masks of the local views". STM is semantic tube masking; "limited" masks hide independent joints instead of
# tubes. *Predict, before you look: how many points do tubes gain over independent joints? Is a fixed ratio of 90 % better than
# ratios between 50 and 90 %?*

# %%
study.paper.published("5a")

# %% [markdown]
# Top-1 accuracy in percent, as printed. The table prints no spread over seeds and no interval over people, so it does not say
# whether a difference of one point would come out again.
#
# We ask the same at a small scale. Unless you ask for other data, the clips are recordings of real people: ten people did ten
# rehabilitation exercises in front of a Kinect v2, correctly and, on purpose, incorrectly (UI-PRMD, public domain, part of
# slimlab). The preset `tiny` reads 32 frames in tokens of 16 frames, so its grid has only $T' = 2$ time steps:

# %%
tiny = Config(preset="tiny")
steps = tiny.global_frames // tiny.patch_frames
words = {"semantic_tubes": "semantic tubes", "random_cells": "random tokens", "joint_tubes": "joint tubes"}
draws = {f"{words[s]}, {r}": plot.draw_mask(s, store.skeleton, steps, r, seed=here.seed) for s in words for r in (0.3, 0.7)}
plot.mask_gallery(draws, store.skeleton)

# %% [markdown]
# Rows are joints, and the two columns are time steps. On two steps a tube cannot be long, so the strategies resemble each other
# more than on the paper's eight steps. That is a first reason why an answer found here need not be the paper's. The explorer
# draws the same masks on a moving body. Change strategy and ratio; then set `view (frames)` to 128 to see a grid of eight steps.

# %%
widgets.MaskExplorer(store, ratio=0.7, frames=tiny.global_frames, patch_frames=tiny.patch_frames)

# %% [markdown]
# ## From the question to variants
# What should differ between runs, all else equal? A **variant** changes some settings of a base configuration; all other
# settings, and the seed, stay equal. `study.product` makes all combinations of the values that it is given.
#
# Two controls belong to a study of masks. The first is a variant in which nothing is masked. It has to change one more setting:
# MFP (masked feature prediction, lesson 05) is a loss on masked tokens, so without masks its weight is zero. This variant
# therefore shows what masks *and* their loss add together. The second control is the encoder before its first step; every row
# of the table carries its accuracy, for the same seed.

# %%
nothing = {"mask_globals": 0.0, "mask_locals": False, "mfp_weight": 0.0}  # no masked token, so no MFP
variants = [nothing, *study.product({"masking": ("semantic_tubes", "random_cells"), "mask_ratio": (0.3, 0.9)})]
base = Config(preset="tiny", steps=3 if quick else 25, mask_locals=True, evaluations=1, snapshots=1)
pd.DataFrame(variants).astype(object).fillna("as the base")

# %% [markdown]
# The base sets `mask_locals=True`, which `tiny` does not. The reason lies in the other loss, GLCL (global-local contrastive
# loss): in each of its pairs, the student sees one view and predicts what the teacher makes of another. *Predict: in how many
# of these pairs does a mask hide anything from the student?*

# %%
local = 2 * sum(view[1] for view in base.local_views)  # local views of a clip, over its two global views
for name, config in (("tiny", tiny), ("the base", base)):
    masked = 2 * config.mask_globals + 2 * local * config.mask_locals
    print(f"{name}: the student's view is masked in {masked:g} of {2 + 2 * local} pairs, on average")

# %% [markdown]
# With the placement of `tiny` the ratio would hardly reach GLCL. The base therefore masks as the paper does: half of the global
# views and all local views.
#
# ## A miniature, live
# We run two seeds and a few steps, which shows how a sweep works and is far too little to learn from. A seed decides the
# initial weights, the order of the clips, the views and the masks. Odd subjects train, even subjects test.
#
# **Stop** the cell whenever you like. Run it again, and it resumes in the middle of the interrupted run: each run is a folder,
# and the table is built from the folders. If you open the notebook a second time, the two kernels share the runs.

# %%
train, test = data.split(store, "cross-subject")
if quick:
    few = np.random.default_rng(here.seed).permutation(len(test))[:110]
    train, test, variants = train[few % len(train)], test[few], variants[:2]
folder = here.out / f"sweep-{train.fingerprint[:6]}-{base.steps}"
seeds = (here.seed, here.seed + 1)
table = study.sweep(train, variants, seeds=seeds, base=base, folder=folder, test=test)
table[["variant", "seed", "knn", "probe", "held_out_knn", "untrained_knn", "seconds"]].round(3)

# %% [markdown]
# A second call finds every row and trains nothing. A row also holds what is needed to repeat it.

# %%
again = study.sweep(train, variants, seeds=seeds, base=base, folder=folder, test=test, progress=False)
pd.testing.assert_frame_equal(again, table)
table.loc[0, ["changes", "train", "test", "split", "protocol", "slimlab", "commit", "torch", "threads", "run"]].to_frame("row 0")

# %% [markdown]
# *Predict: after so few steps, is the difference between two variants larger than the difference between two untrained encoders
# that differ in their seed alone?*

# %%
names = {"mask_globals=0.0, mask_locals=False, mfp_weight=0.0": "nothing masked"}
names |= words | {f"masking={s}, mask_ratio={r}": f"{words[s]}, {r}" for s in words for r in (0.3, 0.5, 0.7, 0.9)}
variants_range = np.ptp(table.groupby("variant")["knn"].mean())
seeds_range = np.ptp(table["untrained_knn"])
print(f"kNN, largest difference between variants: {variants_range:.3f}; between untrained encoders: {seeds_range:.3f}")
plot.study(table, names=names)

# %% [markdown]
# A dot is a seed, a circle is the mean over seeds, and a bar is an interval over the test subjects (explained below). Squares
# are the controls. However tempting the order of the circles looks, so few steps and seeds allow no conclusion.
#
# ## Two kinds of luck
# The accuracy of a variant, over $S$ seeds and over test subjects $p$ with $n_p$ clips each, is
#
# $$\bar a = \frac{1}{S}\sum_s \frac{\sum_p n_p\, a_{sp}}{\sum_p n_p}.$$
#
# Other seeds would give another $\bar a$, and so would other people. Clips of one subject resemble each other, so we must not
# treat clips as independent. The **bootstrap over subjects** resamples people instead: draw $P$ of the $P$ subjects with
# replacement, each with all their clips, compute the accuracy, and repeat. The middle 95 % of these accuracies are the
# interval.


# %% tags=["exercise", "raises-exception"]
# Exercise 1 · difficulty 2 of 3 · about 20 minutes
def interval(accuracy, clips, rng, draws):
    """(low, high): 95 % bootstrap interval over subjects; accuracy (P,) and clips (P,) of each, rng a NumPy generator."""
    raise NotImplementedError


lessons.check_subject_interval(interval)

# %% [markdown]
# <details><summary>Hint</summary>
#
# `rng.integers(0, P, (draws, P))` gives the subjects of every draw. Index both arrays with it. A subject has `accuracy * clips`
# hits.
# </details>
# <details><summary>Common mistakes</summary>
#
# - Drawing clips instead of subjects. The interval comes out far too narrow.
# - Averaging accuracies without the numbers of clips. A subject with 20 clips would count as much as one with 200.
# - Drawing without replacement. Every draw is then the same set of subjects.
# - Leaving out 5 % at each end. That is a 90 % interval.
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def interval(accuracy, clips, rng, draws):
#     drawn = rng.integers(0, len(clips), (draws, len(clips)))
#     values = (accuracy * clips)[drawn].sum(axis=1) / clips[drawn].sum(axis=1)
#     low, high = np.quantile(values, [0.025, 0.975])
#     return low, high
# ```
# </details>

# %% [markdown]
# ## The full study
# The full study has twelve masks and the variant without masks, on UTD-MHAD (odd subjects train, even subjects test). It would
# take your machine too long to wait for. slimlab contains its table; `python benchmarks/studies.py mask-ratio UTD_MHAD` makes
# the table again.

# %%
full = lessons.finished_study()  # docs/studies/mask-ratio.csv
done = full.groupby("variant", sort=False)["knn"].count()
cpu, people = full["cpu_seconds"].sum() / 60, sum(c.startswith("clips@") for c in full.columns)
print(f"{len(full)} runs of {len(done)} variants, {full['steps'].iloc[0]} steps each; at least {done.min()} seeds a variant")
first = full.iloc[0]
print(f"{first['train_clips']} training clips, {first['test_clips']} test clips of {people} subjects; {cpu:.0f} CPU minutes")

# %% [markdown]
# *Predict, before you look: which strategy is best, at which ratio, and by how much? How far below is "nothing masked"?*

# %%
figure = plot.study(full, "mask_ratio", "masking", names=names)
plot.save(figure, here.out / "figures" / "mask-ratio.pdf")
figure

# %%
study.report(full, names=names)

# %% [markdown]
# The intervals of the variants overlap widely. That does **not** yet mean that the variants are equally good. All of them were
# tested on the same people and trained with the same seeds, and a subject who is hard to recognize is hard for every variant.
# We therefore compare variants **in pairs**: same seed, same subject, all other settings equal. Only the difference counts.

# %%
asked = [("masking", "semantic_tubes", "random_cells"), ("masking", "semantic_tubes", "joint_tubes"), ("mask_ratio", 0.9, 0.5)]
compared = pd.concat([study.compare(full, *question) for question in asked], ignore_index=True)
shown = ["a", "b", "score", "pairs", "difference", "low", "high", "p", "smallest_p", "seeds_low", "seeds_high", "better"]
compared[shown].round(3)

# %% [markdown]
# - `low` to `high` is the interval of the difference over subjects; `seeds_low` to `seeds_high` is the interval over seeds.
# - `better` is the number of pairs in which a was ahead.
# - `p` is the p-value of a test that flips the sign of whole subjects' differences. With four subjects it cannot be smaller
#   than `smallest_p`, however large the difference is.
#
# So no difference on this test side can be significant at 5 %. We say that a difference is *seen*, not that it is shown, and
# define the word before we look: a difference is SEEN if both intervals leave out zero.

# %%
for line in compared.to_dict("records"):
    clear = [line["low"] > 0 or line["high"] < 0, line["seeds_low"] > 0 or line["seeds_high"] < 0]
    word = "SEEN" if all(clear) else "not seen"
    range_ = f"{line['low']:+.3f} to {line['high']:+.3f} over subjects"
    print(f"{line['score']:<6}{line['a']} over {line['b']}: {line['difference']:+.3f} ({range_}), {word}")

# %% [markdown]
# We made several comparisons at once, and each interval can miss the truth by luck. *Predict: how likely is it that at least one
# of these intervals over subjects does?*

# %%
miss = 1 - evaluate.bootstrap_coverage(people)  # lesson 07: with few subjects, a 95 % interval holds less than 95 %
print(f"one interval over {people} subjects misses the truth with probability {miss:.0%};", end=" ")
print(f"at least one of {len(compared)} independent ones with {1 - (1 - miss) ** len(compared):.0%}")

# %% [markdown]
# The comparisons are not independent, so the second number is a rough guide. It explains why SEEN asks for two intervals, and
# why a study should ask few questions and write them down beforehand.
#
# The sign-flip test behind `p` is short enough to write. If a and b were equally good, each paired difference $d_i$ could as
# well have had the other sign. So compute $\sum_i \pm d_i$ for all $2^S$ patterns of signs, and count how many of these sums
# are at least as far from zero as the one that was seen.


# %% tags=["exercise", "raises-exception"]
# Exercise 2 · difficulty 3 of 3 · about 20 minutes
def p_value(a, b):
    """Two-sided p of the paired difference a - b, (S,) numbers each: the part of all 2^S sign patterns at least as extreme."""
    raise NotImplementedError


lessons.check_sign_flips(p_value)

# %% [markdown]
# <details><summary>Hint</summary>
#
# `itertools.product([1, -1], repeat=S)` gives all patterns. A matrix product with `a - b` gives all sums.
# </details>
# <details><summary>Common mistakes</summary>
#
# - Counting one side alone. A difference in the other direction would have impressed you as much.
# - `>` instead of `>=`. The pattern that was seen counts, too.
# - Comparing sums of floats exactly. Sums that are equal on paper differ by rounding, so allow for 1e-12.
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def p_value(a, b):
#     d = a - b
#     sums = np.array(list(itertools.product([1, -1], repeat=len(d)))) @ d
#     return float((np.abs(sums) >= abs(d.sum()) - 1e-12).mean())
# ```
# </details>

# %% [markdown]
# With three seeds the smallest possible p is 2/8: the pattern that was seen, and its mirror image. *Predict: how many seeds does
# it take until p can fall below 0.05?*

# %%
fewest = next(s for s in range(1, 20) if 2 / 2**s < 0.05)
print(f"{fewest} seeds: 2 / 2^{fewest} = {2 / 2**fewest:.3f}; one fewer gives {2 / 2 ** (fewest - 1):.4f} at best")

# %% [markdown]
# ## Who may choose
# The highest circle in the figure is the best of 13 variants on the *test* side. The best of many is lucky as well as good, so
# its accuracy there is too high. An honest choice uses people of the training side. The column `held_out_knn` is the kNN
# accuracy of one training subject against the others. (Pre-training saw that subject's clips, without labels.)


# %% tags=["exercise", "raises-exception"]
# Exercise 3 · difficulty 1 of 3 · about 10 minutes
def chosen(table):
    """(variant, accuracy): the variant with the highest mean `held_out_knn` over seeds, and its mean test accuracy `knn`."""
    raise NotImplementedError


lessons.check_chosen(chosen)

# %% [markdown]
# <details><summary>Hint</summary>
#
# `table.groupby("variant")` and `mean()`; then `idxmax()` of one column and `.loc` in the other.
# </details>
# <details><summary>Common mistakes</summary>
#
# - Taking the variant of the single best run. With three seeds a variant, the highest of all runs is mostly luck.
# - Choosing on the test side. The accuracy is then the highest of many.
# - Reporting the accuracy that chose. It flatters for the same reason.
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def chosen(table):
#     means = table.groupby("variant")[["held_out_knn", "knn"]].mean()
#     variant = means["held_out_knn"].idxmax()
#     return variant, means.loc[variant, "knn"]
# ```
# </details>

# %% [markdown]
# The library's `study.best` makes the same choice. *Predict: by how much does choosing on the test side flatter here?*

# %%
means = full.groupby("variant", sort=False)[["held_out_knn", "knn", "probe"]].mean()
fair, lucky = study.best(full), study.best(full, by="knn")
said = {variant: names.get(variant, variant) for variant in (fair, lucky)}
print(f"chosen on a training subject: {said[fair]}: kNN {means.loc[fair, 'knn']:.3f} on the test side")
print(f"chosen on the test side:      {said[lucky]}: kNN {means.loc[lucky, 'knn']:.3f}")
print(f"choosing on the test side would have flattered by {means.loc[lucky, 'knn'] - means.loc[fair, 'knn']:.3f}")
assert means.loc[fair, "knn"] <= means.loc[lucky, "knn"]

# %% [markdown]
# Even if both choices agree, only the first may be reported: nobody knows beforehand whether they will.
#
# ## How large is a difference due to the seed alone?
# Two runs of the *same* variant differ in their seed alone. Every difference between variants has to be read beside theirs; this
# is the control of the whole study. *Predict: is it smaller or larger than the differences between strategies above?*

# %%
same = [abs(a - b) for _, runs in full.groupby("variant") for a, b in itertools.combinations(runs["knn"].dropna(), 2)]
strategy = compared.query("score == 'knn'")[["difference", "pairs"]]
print(f"two runs, same variant: {np.mean(same):.3f} on average, {np.max(same):.3f} at most ({len(same)} pairs)")
print("strategies and ratios:", ", ".join(f"{abs(d):.3f} (mean over {n:.0f} pairs)" for d, n in strategy.to_numpy()))

# %% [markdown]
# A mean over many pairs varies less than a single pair, so the second line may be smaller and still mean something. How many
# seeds does a question need, then? Let $\sigma_d$ be the standard deviation of the paired differences. The 95 % interval of a
# difference $\delta$ leaves out zero once $t_{S-1}\, \sigma_d / \sqrt{S} < \delta$, where $t_{S-1}$ is Student's quantile for $S$
# seeds.
#
# Pairing makes $\sigma_d$ smaller if the two variants of a seed have something in common, such as the initial weights and the
# order of the clips. If they had nothing in common, $\sigma_d$ would be $\sqrt{2}$ times the spread of one variant.
# *Predict: how much do they have in common?*

# %%
cells = full.assign(ratio=pd.to_numeric(full["mask_ratio"], errors="coerce")).dropna(subset=["ratio", "knn"])
wide = cells.pivot(index=["ratio", "seed"], columns="masking", values="knn").dropna()
paired = wide["semantic_tubes"] - wide["random_cells"]
sd, alone = paired.std(ddof=1), wide["semantic_tubes"].groupby("ratio").std(ddof=1).mean()
print(f"sd over seeds: {alone:.3f} of a variant, {sd:.3f} of a paired difference; {alone * 2**0.5:.3f} if nothing were shared")
for delta in (0.05, 0.02, 0.01):
    half = {s: stats.t.ppf(0.975, s - 1) * sd / np.sqrt(s) for s in range(2, 200)}  # of the interval over s seeds
    needed = next((s for s, width in half.items() if width < delta), "200 or more")
    print(f"to see a difference of {delta}: {needed} seeds")

# %% [markdown]
# Three seeds see only large differences. Compare the last two numbers of the first line: the closer they are, the less pairing by
# seed helps. Pairing costs nothing, so do it, but it does not replace seeds. And no number of seeds replaces people: with four
# test subjects, the interval over subjects stays as wide as it is.
#
# ## Does it say what the paper says?
# The paper finds semantic tubes at ratios of 0.5 to 0.9 best. This study shows the lines marked SEEN above, and nothing else.
# Where it does not show the paper's order, the paper need not be wrong. These settings differ:

# %%
rows = ["steps", "batch_size", "width", "depth", "patch_frames", "global_frames", "local_views", "mfp_weight", "prototypes"]
settings = {"this study": Config(preset="tiny", steps=int(full["steps"].iloc[0])), "the paper": Config(preset="paper")}
pd.DataFrame({name: [str(getattr(config, row)) for row in rows] for name, config in settings.items()}, index=rows)

# %% [markdown]
# - **Scale.** The paper trains longer, on larger batches, with a larger network, and on 40,091 clips instead of 431.
# - **Grid.** Here a view has two time steps instead of eight, and a tube cannot be long. A local view has one step, on which
#   joint tubes *are* random tokens.
# - **Weight.** MFP, the loss that masks exist for, counts a quarter of what it counts in the paper.
# - **Measure.** kNN and linear probe read pooled features, and four people decide.

# %%
here.end()

# %% [markdown]
# ## Summary
# - A study consists of variants, seeds and controls. Each run is a folder and the table is built from the folders, so a study
#   can be stopped, shared and checked.
# - There are two kinds of luck, seeds and people. An interval over subjects resamples people with all their clips.
# - Compare variants in pairs, on the same seeds and people. Overlapping intervals of single variants do not answer the question.
# - Choose settings on training subjects; report on the test side.
# - With four test subjects and three seeds no test can reach 0.05. Say "seen", and say what it would take to show it.
#
# **Next.** [Lesson 13](13_paper.ipynb) asks the same questions of the paper's own table: from a file and weights to a row of
# it, and who chose that row.
#
# ## Test yourself
# 1. The intervals of two variants overlap by half. Are the variants equally good?
# 2. Why is the untrained encoder measured again for each seed?
# 3. A colleague runs 20 variants with one seed and keeps the best on the test side. Which two things are wrong?
# 4. The probe rises by 0.01 in 3 of 3 seeds. What is the smallest possible p, and what would you do?
# 5. Why does a study of the mask ratio mask the local views, too?
# 6. The variant without masks is as good as the one with semantic tubes. May you conclude that masks are useless?
#
# <details><summary>Answers</summary>
#
# 1. The intervals do not tell. What both variants have in common, such as hard people, cancels only in the paired difference.
# 2. The seed decides its initial weights, and with them its accuracy. What pre-training adds is measured against the encoder
#    that it began with.
# 3. The test side made the choice, and the best of 20 single runs is lucky: the spread over seeds is as large as many effects.
# 4. 2/2³ = 0.25. Run more seeds (six can reach 0.031), and test on more people: another protocol, or leave-one-subject-out.
# 5. Otherwise a mask hides something in few of the pairs that GLCL compares, and the ratio has little to act on.
# 6. No. That variant lacks MFP, too; the grid has two time steps; and the intervals allow a gain as well as a loss.
# </details>
#
# ## Further reading
# - Do, Chen, Youk, Kim, "Less is More", NeurIPS 2026, [arXiv 2603.10648](https://arxiv.org/abs/2603.10648): the method and its
#   ablations.
# - Bouthillier et al., "Accounting for Variance in Machine Learning Benchmarks", [arXiv
#   2103.03098](https://arxiv.org/abs/2103.03098).
# - Agarwal et al., "Deep Reinforcement Learning at the Edge of the Statistical Precipice", [arXiv
#   2108.13264](https://arxiv.org/abs/2108.13264): few runs, intervals, and what to report.
# - Tong et al., "VideoMAE", [arXiv 2203.12602](https://arxiv.org/abs/2203.12602): tube masking and high ratios in video.
