# %% [markdown]
# # 10 · A study: which mask is best, and how sure is that?
#
# **After this lesson** you can turn a question about a setting into a sweep with controls, seeds and intervals, stop it and
# let it go on, read what it says and what it does not, and say how many seeds an answer needs.
#
# **Needs** lessons 04 (masking) and 07 (evaluation) or what they teach; no GPU.
#
# **Takes** about 50 minutes of reading and trying; the last cell prints the machine time.
#
# A published table has a best line. Whether that line would be best again, with another seed or on other people, decides if
# you should believe it. This lesson asks SLiM's own question (arXiv 2603.10648, its ablation of masking) on a small scale.

# %%
import itertools

import numpy as np
import pandas as pd
from scipy import stats

from slimlab import data, lessons, plot, study, widgets
from slimlab.pretrain import Config

here = lessons.begin("12_mask_ratio_study")  # or data="synthetic", or your own: data="~/UTD-MHAD/Skeleton"
store, quick = here.store, here.quick

# %% [markdown]
# ## The question
# A mask hides $|M| = \mathrm{round}(\rho\, T' V)$ of the $T' \times V$ tokens of a view. Two things can be chosen: the
# **ratio** $\rho$ and the **strategy**, that is which tokens. *Semantic tubes* hide runs of joints along a limb for a while,
# *random tokens* any tokens, *joint tubes* single joints for all of the time. The paper masks with semantic tubes at ratios of
# 0.5 to 0.9 and reports that they are best.
#
# Unless you ask for other data, the clips are of real people: ten of them did ten rehabilitation exercises before a Kinect v2,
# correctly and then incorrectly on purpose (UI-PRMD, public domain, in the package). `tiny` looks at 32 frames in tokens of 16,
# so its grid has $T' = 2$ steps only:

# %%
tiny = Config(preset="tiny")
steps = tiny.global_frames // tiny.patch_frames
strategies = ("semantic_tubes", "random_cells", "joint_tubes")
draws = {f"{s}, {r}": plot.draw_mask(s, store.skeleton, steps, r, seed=here.seed) for s in strategies for r in (0.3, 0.7)}
plot.mask_gallery(draws, store.skeleton)

# %% [markdown]
# Joint by joint (rows), in two steps of time (columns). With so few steps the strategies are closer to each other than in the
# paper's grid of 8 steps: a first reason why an answer found here need not be the paper's. The explorer shows them on the
# moving body; change strategy and ratio, and `view (frames)` to 64 to see a longer grid.

# %%
widgets.MaskExplorer(store, ratio=0.7, frames=tiny.global_frames, patch_frames=tiny.patch_frames)

# %% [markdown]
# ## From the question to variants
# What has to differ, and nothing else? A **variant** is a change of the configuration. `study.product` makes all combinations.
# Two controls belong to them: a variant in which *nothing* is masked, and the encoder before its first step (every row of the
# table carries it, with the same seed).
#
# One decision hides here. In `tiny` only half of the two global views are masked, and no local view: of the pairs of views
# that GLCL compares, few have a mask. A study of the ratio would then study something that hardly acts. So the base of the
# study takes the paper's placement: half of the global views *and all local ones* are masked.

# %%
nothing = {"mask_globals": 0.0, "mask_locals": False, "mfp_weight": 0.0}
variants = [nothing, *study.product({"masking": ("semantic_tubes", "random_cells"), "mask_ratio": (0.3, 0.9)})]
base = Config(preset="tiny", steps=3 if quick else 25, mask_locals=True, evaluations=1, snapshots=1)
pairs = 2 + 2 * len(base.local_views) * 2  # GLCL: each global view against the other one and against every local view
print(f"{len(variants)} variants; GLCL compares {pairs} pairs of views, in {pairs - 2} of them the student's view is a local one")
pd.DataFrame(variants).astype(object).fillna("as the base")

# %% [markdown]
# ## A miniature, live
# Two seeds, a few steps a run: enough to see the machinery, far too little to learn from. A seed decides initialisation, order
# of clips, views and masks. Odd subjects train, even ones test. **Stop** it whenever you like: running the cell again goes on in
# the middle of the run, because each run is a folder and the table is built from the folders. Start the same notebook a second
# time, and the two share the work.

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
# Asked again, it does nothing: all rows are there. And a row holds what is needed to make it again.

# %%
again = study.sweep(train, variants, seeds=seeds, base=base, folder=folder, test=test, progress=False)
pd.testing.assert_frame_equal(again, table)
table.loc[0, ["changes", "train", "test", "split", "protocol", "slimlab", "commit", "torch", "threads", "run"]].to_frame("row 0")

# %% [markdown]
# *Predict: in a figure of these few runs, will any variant stand clear of the encoder that never learned?*

# %%
names = {"mask_globals=0.0, mask_locals=False, mfp_weight=0.0": "nothing masked"}
names |= {f"masking={s}, mask_ratio={r}": f"{s.replace('_', ' ')}, {r}" for s in strategies for r in (0.3, 0.5, 0.7, 0.9)}
variants_range = np.ptp(table.groupby("variant")["knn"].mean())
seeds_range = np.ptp(table["untrained_knn"])
print(f"kNN, largest difference of two variants: {variants_range:.3f}; untrained encoder, from seed to seed: {seeds_range:.3f}")
plot.study(table, names=names)

# %% [markdown]
# A dot is a seed, a circle their mean, the bar an interval over the test subjects (below). The squares are controls. The
# printed line holds the differences of the variants against what another initialisation does to a network that never learned.
# However tempting the order of the circles is: with so few steps and seeds nothing can be concluded from it.
#
# ## Two kinds of luck
# The accuracy of a variant, over seeds $s$ and test subjects $p$ with $n_p$ clips each, is
# $$\bar a = \frac{1}{S}\sum_s \frac{\sum_p n_p\, a_{sp}}{\sum_p n_p}.$$
# Other seeds would give other $a$ (the spread over seeds), and other *people* would too. Clips of one subject resemble each
# other, so people are drawn, not clips: the **bootstrap over subjects** draws $P$ of them with replacement, with all their
# clips, again and again, and takes the middle 95 % of the accuracies that come out.
#
# ## The full study
# 12 masks and the variant without, on UTD-MHAD (odd subjects train, even ones test), would take your machine too long to wait
# for. Its table comes with slimlab; `python benchmarks/studies.py mask-ratio UTD_MHAD` makes it again.

# %%
full = lessons.finished_study()  # docs/studies/mask-ratio.csv
done = full.groupby("variant", sort=False)["knn"].count()
cpu = full["cpu_seconds"].sum() / 60
print(
    f"{len(full)} runs of {len(done)} variants, {full['steps'].iloc[0]} steps each, {done.min()} to {done.max()} seeds a variant"
)
first = full.iloc[0]
print(f"{first['train_clips']} training, {first['test_clips']} test clips; {cpu:.0f} CPU minutes; commit {first['commit']}")

# %% [markdown]
# *Predict, before you look: which strategy is on top, at which ratio, and by how much? Is "nothing masked" far below?*

# %%
figure = plot.study(full, "mask_ratio", "masking", names=names)
plot.save(figure, here.out / "figures" / "mask-ratio.pdf")
figure

# %%
study.report(full, names=names)

# %% [markdown]
# The bars of the variants overlap widely. That does **not** yet mean that they are alike: all variants were tested on the same
# people and made with the same seeds, and what is hard about subject 2 is hard for all. So variants are compared **in pairs**:
# same seed, same subject, all else alike, and only the difference is looked at.

# %%
asked = [("masking", "semantic_tubes", "random_cells"), ("masking", "semantic_tubes", "joint_tubes"), ("mask_ratio", 0.9, 0.5)]
compared = pd.concat([study.compare(full, *question) for question in asked], ignore_index=True)
shown = ["a", "b", "score", "pairs", "difference", "low", "high", "p", "smallest_p", "seeds_low", "seeds_high", "better"]
compared[shown].round(3)

# %% [markdown]
# Three things to read. `low` to `high` is the interval of the difference over subjects, `seeds_low` to `seeds_high` over
# seeds. `better` says in how many pairs a was ahead. `p` flips the signs of whole subjects: with four of them it can never
# fall below `smallest_p`, however large the difference; UTD-MHAD's test side is too small for a 5 % test, and honest words
# are "seen", not "shown". The token says it for each comparison, by one rule: seen, if both intervals keep clear of zero.

# %%
for line in compared.to_dict("records"):
    clear = [line["low"] > 0 or line["high"] < 0, line["seeds_low"] > 0 or line["seeds_high"] < 0]
    word = "SEEN" if all(clear) else "not seen"
    range_ = f"{line['low']:+.3f} to {line['high']:+.3f} over subjects"
    print(f"{line['score']:<6}{line['a']} over {line['b']}: {line['difference']:+.3f} ({range_}), {word}")

# %% [markdown]
# ## What may be chosen by what
# The highest circle of the figure is the best of 13 on the *test* side, and the best of many is lucky as well as good. An
# honest choice is made on people of the training side: `held_out_knn` is the kNN of one training subject against the
# others. The test accuracy of the variant so chosen is a fair figure; the highest test accuracy is not.

# %%
means = full.groupby("variant", sort=False)[["held_out_knn", "knn", "probe"]].mean()
fair, lucky = study.best(full), study.best(full, by="knn")
said = {variant: names.get(variant, variant) for variant in (fair, lucky)}
print(f"chosen on a training subject: {said[fair]}: kNN {means.loc[fair, 'knn']:.3f} on the test side")
print(f"highest on the test side:       {said[lucky]}: kNN {means.loc[lucky, 'knn']:.3f}, by which nothing may be chosen")
assert means.loc[fair, "knn"] <= means.loc[lucky, "knn"]

# %% [markdown]
# ## The control of the controls: how large is nothing?
# How far apart do two runs of the *same* variant come, that differ by their seed alone? Every difference between variants has to
# be read beside that. *Predict: smaller or larger than the differences between strategies above?*

# %%
same = [
    abs(a - b) for _, runs in full.groupby("variant") for a, b in itertools.combinations(runs["knn"].dropna(), 2)
]  # what a mask cannot have caused
strategy = compared.query("score == 'knn'")["difference"].abs()
print(f"same variant, other seed: {np.mean(same):.3f} on average, {np.max(same):.3f} at most ({len(same)} pairs)")
print(f"strategies and ratios, means over their pairs: {', '.join(f'{d:.3f}' for d in strategy)}")

# %% [markdown]
# How many seeds does a question need, then? If the paired differences have standard deviation $\sigma_d$, a difference $\delta$
# stands clear of its 95 % interval once $t_{S-1}\, \sigma_d / \sqrt{S} < \delta$, where $t_{S-1}$ is Student's quantile. What
# the variants of a seed share (the encoder they start from, the order of clips) cancels in $\sigma_d$; what each draws for itself
# does not. If variants shared nothing, $\sigma_d$ would be $\sqrt{2}$ times the spread of one variant. *Predict: how much is
# shared?*

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
# Three seeds, the usual number, see only large differences. And where little is shared, pairing by seed helps little: it costs
# nothing, so it is done, but it is no substitute for seeds. No number of seeds helps against four subjects.
#
# ## Does it say what the paper says?
# The paper finds semantic tubes at 0.5 to 0.9 best. The lines marked SEEN above are what this study can add. Where it does
# not see the paper's order, there are reasons that have nothing to do with the paper being wrong:
#
# - **Scale.** A few hundred steps of 32 clips against 187,500 of 768; a network of width 64; 431 training clips against
#   40,091.
# - **Grid.** Two time steps instead of eight. A tube cannot be long, so hiding a limb "for a while" and hiding single tokens
#   are nearly the same thing; local views of one step have no time at all, and on them joint tubes *are* random tokens.
# - **Weight.** `tiny` gives MFP a quarter of the paper's weight: what the mask hides counts for less.
# - **Ruler.** kNN and probe read pooled features, and four people judge.


# %% tags=["exercise", "raises-exception"]
# Exercise 1 · difficulty 1 of 3 · about 5 minutes
def chosen(table):
    """(variant, accuracy): the variant with the highest mean `held_out_knn` over seeds, and its mean test accuracy `knn`."""
    raise NotImplementedError


lessons.check_chosen(chosen)

# %% [markdown]
# <details><summary>Hint</summary>
#
# `table.groupby("variant")` and `mean()`; then `idxmax()` of one column, and `.loc` in the other.
# </details>
# <details><summary>Common mistakes</summary>
#
# Taking the variant of the single best run: with three seeds a variant, the highest of all runs is mostly luck. Reporting the
# accuracy by which was chosen: it is the highest of many and flatters.
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


# %% tags=["exercise", "raises-exception"]
# Exercise 2 · difficulty 2 of 3 · about 10 minutes
def interval(accuracy, clips, rng, draws):
    """(low, high): 95 % bootstrap interval over subjects; accuracy (P,) and clips (P,) of each, rng a NumPy generator."""
    raise NotImplementedError


lessons.check_subject_interval(interval)

# %% [markdown]
# <details><summary>Hint</summary>
#
# `rng.integers(0, P, (draws, P))` gives the subjects of every draw. With them index both arrays: hits are `accuracy *
# clips`.
# </details>
# <details><summary>Common mistakes</summary>
#
# Drawing clips: the interval comes out far too narrow. Averaging accuracies without clips: a subject with 20 clips would
# count as much as one with 200. Drawing without replacement: every draw is the same.
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


# %% tags=["exercise", "raises-exception"]
# Exercise 3 · difficulty 3 of 3 · about 15 minutes
def p_value(a, b):
    """Two-sided p of the paired difference a - b, (S,) figures each: the part of all 2^S sign patterns at least as extreme."""
    raise NotImplementedError


lessons.check_sign_flips(p_value)

# %% [markdown]
# <details><summary>Hint</summary>
#
# `itertools.product([1, -1], repeat=S)` gives all patterns; a matrix product with `a - b` gives all sums.
# </details>
# <details><summary>Common mistakes</summary>
#
# One side alone: a difference the other way would have impressed you as much. `>` instead of `>=`: the pattern that was seen
# counts too; and since sums of floats differ by their order, allow for 1e-12.
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
# With three seeds the smallest p that exercise 3 can give is 2/8. With how many could it fall below 0.05?

# %%
fewest = next(s for s in range(1, 20) if 2 / 2**s < 0.05)
print(f"{fewest} seeds: 2 / 2^{fewest} = {2 / 2**fewest:.3f}; one fewer gives {2 / 2 ** (fewest - 1):.4f} at best")
here.end()

# %% [markdown]
# ## Summary
# - A study is variants, seeds and controls; each run is a folder, and the table is built from the folders, so that it can be
#   stopped, shared and checked.
# - Two kinds of luck: seeds and people. Intervals over subjects draw people with all their clips.
# - Variants are compared in pairs on the same seeds and people; overlapping bars do not answer that question.
# - Choose by training subjects, report on the test side.
# - With four test subjects and three seeds a test cannot reach 0.05. Say "seen", and say how it could be shown.
#
# ## Test yourself
# 1. Two variants' bars overlap by half. Are the variants alike?
# 2. Why is the untrained encoder computed anew for each seed?
# 3. A colleague runs 20 variants with one seed and keeps the best on the test side. What two things are wrong?
# 4. The probe rises by 0.01 in 3 of 3 seeds. What is the smallest possible p, and what would you do?
# 5. Why does a study of the mask ratio need masked local views at this scale?
#
# <details><summary>Answers</summary>
#
# 1. It cannot be said from the bars: what they share (hard people) cancels in the paired difference.
# 2. Its accuracy depends on the initialisation, which the seed decides; the gain of pre-training is over the encoder it began
#    with.
# 3. The choice was made by the test side, and the best of 20 single runs is lucky: a seed's spread is as large as many
#    effects.
# 4. 2/2³ = 0.25. More seeds (six reach 0.031), and more test subjects: another protocol, or leave-one-subject-out.
# 5. Otherwise the mask touches few of the pairs that GLCL compares, and the ratio has little to act on.
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
