# %% [markdown]
# # 03 · Semantic tube masking
#
# **After this lesson** you can say why hiding random tokens teaches little about motion, write the masking of SLiM and two
# others, check whether a mask hides what it was asked to hide, and read from pictures what a strategy does to every joint.
#
# **Needs** Python and PyTorch, lesson 01 or the quickstart; no GPU. **Takes** about 60 minutes with its three exercises;
# the machine's share is printed at the end.

# %%
import numpy as np
import torch

from slimlab import analysis, augment, data, lessons, masking, plot, widgets
from slimlab.released import faults

here = lessons.begin("04_masking")  # or data="synthetic", or your own: data="~/UTD-MHAD/Skeleton"
store, quick = here.store, here.quick
body = store.skeleton

# %% [markdown]
# ## Tokens
# Lesson 03 cuts 64 frames of a body with $V$ joints into a grid of $T' \times V$ **tokens**, one joint for eight frames, $T' =
# 8$. Masking hides some of them from the student, who has to say what the teacher, who sees them all, says of them. Which
# ones to hide is the question of this lesson. The obvious answer, from masked autoencoders: any, at random.
#
# Unless you ask for other data, the clips are of real people: ten of them did ten rehabilitation exercises before a Kinect v2,
# correctly and then incorrectly on purpose (UI-PRMD, public domain, in the package).

# %%
steps, ratio, index = 8, 0.7, here.example
clip = store[index]
dice = torch.Generator().manual_seed(here.seed)
random = masking.random_cells(1, steps, body, ratio, dice)[0]
plot.mask_on_body(clip, random.numpy(), body, title="random tokens: pink is hidden")

# %%
tubes = masking.semantic_tubes(1, steps, body, ratio, dice)[0]
assert tubes.sum() == random.sum()  # the same number of tokens
plot.mask_on_body(clip, tubes.numpy(), body, title="semantic tubes, the same number of tokens")

# %% [markdown]
# ## Are random tokens too easy?
# The claim of the paper (section 3.2): a lone hidden token can be copied from its neighbours, so that a network need not
# understand the motion. That can be measured **without any network**. Guess each hidden token $(t, v)$ as the mean of its
# neighbours, the tokens before and after and those along the bones, where hidden neighbours are guessed likewise:
#
# $$ \min_{d}\ \sum_{(i, j)\ \mathrm{neighbours}} \lVert d_i - d_j \rVert^2 \quad \text{with } d_i \text{ given where token } i
# \text{ is visible.} $$
#
# Along one joint's time this *is* linear interpolation: a straight line between the last visible token and the next. ($d$ is a
# joint's mean place in the token minus its place in the average pose, so that "no idea" is $d = 0$.)

# %%
x, people, _ = data.test_view(store, range(0, len(store), 12 if quick else 4))
alone = people[:, 0] & (people.sum(dim=1) == 1)  # clips with one person
x = augment.center(x[alone][..., :1], body)  # (B, 3, 64, V, 1)
values = analysis.cells(x).double()  # (B, 8, V, 3) m
values = values - values.mean(dim=(0, 1))  # minus the average pose

# %% [markdown]
# One clip first. *Predict: at 70 % hidden, by how many centimetres does the guess miss, random tokens against tubes?*

# %%
pace = masking.motion_magnitude(x, 8).mean(dim=(1, 2)).argsort()
typical, most, missed = int(pace[len(pace) // 2]), int(pace[-1]), {}  # the clips of median and of most motion
for name, mask in {"random_cells": random, "semantic_tubes": tubes}.items():
    guessed = analysis.guess(values[[typical]], mask[None], body)
    error = 100 * (guessed - values[[typical]]).norm(dim=-1)[0]  # (T', V) cm
    missed[name] = np.where(mask.numpy(), error.numpy(), np.nan)
plot.guess_maps(missed, body, title="one clip: how far the guess is off")

# %% [markdown]
# One clip and one mask prove nothing. So: many clips, one mask each, every strategy at the same ratio, guesses from time
# alone, from the body alone, from both. And a **control** that must not depend on the strategy: the average pose, which uses
# no neighbour at all. If one strategy merely hid what moves more, its control would be higher too.

# %%
table = analysis.guess_errors(store, [ratio], clips=16 if quick else 64, seed=here.seed)
shown = table.pivot(index="strategy", columns="guess", values="error").round(1)
shown["best"] = shown[["time", "body", "time and body"]].min(axis=1)
shown.sort_values("best")

# %%
control, best = shown["average pose"], shown["best"]
easier = best["semantic_tubes"] / best["random_cells"]
print(f"random tokens: the best guess misses by {best['random_cells']:.1f} cm, semantic tubes: {best['semantic_tubes']:.1f} cm,")
print(f"{easier:.1f} times as much. The control differs by {control['semantic_tubes'] / control['random_cells'] - 1:+.0%}.")
print(f"By this measure random tokens are {'easier than' if easier > 1 else 'NOT easier than'} tubes here.")

# %% [markdown]
# Random tokens are the easiest of all: whatever is hidden has visible company in time *and* along the limb. Each structured
# strategy takes one of the two away (`joint_tubes` time, `time_blocks` the body), tubes much of both. Motion-aware masking
# picks tokens that move, but lone ones: nearly as easy as random ones.
#
# *Predict: can one not simply hide more random tokens? At which ratio do they become as hard as tubes at 0.5?*

# %%
ratios = (0.3, 0.7) if quick else (0.3, 0.5, 0.7, 0.9)
many = analysis.guess_errors(store, ratios, guesses=("time and body",), clips=8 if quick else 48, seed=here.seed)
line = {s: t["error"].to_numpy() for s, t in many[many["guess"] == "time and body"].groupby("strategy")}
for at, tubes_miss, random_miss in zip(ratios, line["semantic_tubes"], line["random_cells"], strict=True):
    print(f"{at}: tubes {tubes_miss:.1f} cm, random tokens {random_miss:.1f} cm")
plot.guess_errors(many)

# %% [markdown]
# Bars are two standard errors over clips, dotted lines the control. Find the height of the tubes at 0.5, and go to the right
# until the line of random tokens gets there: one reason why masked autoencoders mask up to 90 %.
#
# **Harder is not better.** Where a line meets its dotted control, nothing that is visible says where the hidden joints were,
# and no network could know either: look at whole body parts. A good mask leaves a task that is *possible, but not by
# copying*. Whether tubes are the right middle is an empirical question; lesson 12 puts it to training.
#
# ## The algorithm, step by step
# A **tube** is a contiguous run of joints along one limb, over a stretch of time steps. Until the budget
# $b = \mathrm{round}(\rho\, T' V)$ is reached (section 3.2 and the released code):
#
# 1. draw a **part** $p$ uniformly, a **length** $n \sim U\{1, \dots, |p|\}$, and where along $p$'s chain the run begins;
# 2. draw an **area** $a \sim U(T', m)$, $m$ being what is still missing, at most half of the 64-frame grid;
# 3. the **duration** is $\mathrm{clip}(\mathrm{round}(a / n), 1, T')$, the start uniform;
# 4. accept the tube if it hides at least one new token and at most $m$.

# %%
order = torch.zeros(1, steps, len(body), dtype=torch.int64)  # is filled with each token's tube
masking.semantic_tubes(1, steps, body, ratio, torch.Generator().manual_seed(here.seed), tubes=order)
plot.mask_growth(order[0].numpy(), body, title=f"asked: {masking.budget(ratio, steps, len(body)).item()} tokens")

# %% [markdown]
# Large tubes come first, because much is missing and the area is drawn up to that; small ones fill the rest. On the body, the
# same mask:

# %%
plot.mask_on_body(clip, (order[0] > 0).numpy(), body, title="the finished mask")

# %% [markdown]
# ## Asked and achieved
# Towards the end most proposals are too large. The released code **gives up after ten failures in a row** and returns what it
# has; slimlab trims the last tubes to what is missing. *Predict: how often does giving up miss the budget at ratio 0.5? At 0.9?*

# %%
n = 200 if quick else 2000
for grid in (8, 1):
    for asked in (0.5, 0.7, 0.9):
        goal = masking.budget(asked, grid, len(body))
        for who, make in {"released": faults.semantic_tubes, "slimlab": masking.semantic_tubes}.items():
            got = make(n, grid, body, asked, torch.Generator().manual_seed(here.seed)).sum(dim=(1, 2))
            part = got.double() / (grid * len(body))
            print(f"{8 * grid:>2} frames, {asked}: {who:<8} misses {(got < goal).double().mean():4.0%},", end=" ")
            print(f"mean {part.mean():.3f}, lowest {part.min():.3f}")
            assert who == "released" or (got == goal).all()  # ours hides exactly what it was asked to

# %%
dice = torch.Generator().manual_seed(here.seed)
asked = 0.3 + 0.6 * torch.rand(n, generator=dice)
goals = masking.budget(asked, steps, len(body)) / (steps * len(body))  # what a grid of whole tokens can give
makers = {"released: gives up": faults.semantic_tubes, "slimlab: trims": masking.semantic_tubes}
draws = {who: make(n, steps, body, asked, dice).double().mean(dim=(1, 2)) for who, make in makers.items()}
plot.asked_achieved({who: (goals.numpy(), got.numpy()) for who, got in draws.items()}, title=f"{n} masks")

# %% [markdown]
# The mean hardly moves, so a log of the mean ratio shows nothing; the tail is long. Somebody who compares "ratio 0.9" across two
# codes compares two different things. **Log what was achieved, not what was asked.**
#
# ## What a strategy does to each joint
# Averaged over many masks: how often is each token hidden? *Predict: is every joint hidden equally often under tubes?*

# %%
n = 100 if quick else 1000
moving = x[torch.arange(n) % len(x)]  # (n, 3, 64, V, 1): motion-aware masking looks at clips
masks = {}
for name, make in masking.STRATEGIES.items():
    known = masking.known_of(name, moving, 8)
    masks[name] = make(n, steps, body, ratio, generator=dice, **known).numpy()
plot.mask_frequency(masks, body, title=f"how often each token is hidden, asked {ratio}")

# %%
often = {name: m.mean(axis=(0, 1)) for name, m in masks.items()}
for name in ("semantic_tubes", "random_cells"):
    low, high = often[name].argmin(), often[name].argmax()
    print(f"{name:<15} least: {body.names[low]} {often[name][low]:.2f}, most: {body.names[high]} {often[name][high]:.2f}")
ends = [chain[i] for chain in body.parts.values() for i in (0, -1)]
inner = [j for j in range(len(body)) if j not in ends]
outer, middle = (often["semantic_tubes"][joints].mean() for joints in (ends, inner))
print(f"tubes hide the ends of a chain {outer:.2f} of the time, its inside {middle:.2f}")
uneven = {name: np.ptp(often[name]) for name in ("semantic_tubes", "random_cells")}
print(f"largest difference of two joints: tubes {uneven['semantic_tubes']:.2f}, control {uneven['random_cells']:.2f}")

# %% [markdown]
# Tubes favour the middle of a chain and the middle of time, for the same reason as any window that slides inside a range: more
# windows cover the middle. The ends of the chains are seen more often than the rest. The **control**, random tokens, is even up
# to chance.
#
# How long does a joint stay hidden?

# %%
lengths = {name: np.concatenate([plot.run_lengths(m) for m in masks[name]]).mean() for name in masks}
print(f"mean run: {lengths['semantic_tubes']:.1f} tokens in tubes, {lengths['random_cells']:.1f} in random tokens")
plot.mask_runs(masks, title="runs of hidden tokens")

# %% [markdown]
# ## Masking what moves
# MAMP ([arXiv 2308.07092](https://arxiv.org/abs/2308.07092)) draws tokens by motion: with $m$ the mean path of a joint in a
# token, divided by the clip's largest, tokens are taken without replacement with probabilities $\mathrm{softmax}(m / \tau)$,
# $\tau = 0.8$.
#
# *Predict: at 90 %, how much more often is the token that moves most hidden than one at rest? And at 30 %?*

# %%
motion = masking.motion_magnitude(x[[most]], 8)  # (1, 8, V)
relative = (motion / motion.max()).flatten().numpy()
fast, slow = relative > np.quantile(relative, 0.9), relative < np.quantile(relative, 0.1)
for asked in (0.3, 0.9):
    known = {"motion": motion.expand(n, -1, -1)}
    aware = masking.motion_aware(n, steps, body, asked, generator=dice, **known).flatten(1).double().mean(dim=0).numpy()
    control = masking.random_cells(n, steps, body, asked, generator=dice).flatten(1).double().mean(dim=0).numpy()
    print(f"asked {asked}: fastest tenth {aware[fast].mean():.2f}, slowest tenth {aware[slow].mean():.2f}", end="; ")
    print(f"control, random tokens: {control[fast].mean():.2f} and {control[slow].mean():.2f}")

# %%
drawn = masking.motion_aware(1, steps, body, 0.3, generator=torch.Generator().manual_seed(here.seed), motion=motion)[0]
chosen = int(torch.arange(0, len(store), 12 if quick else 4)[alone][most])
plot.mask_on_body(store[chosen], drawn.numpy(), body, title="motion-aware, 0.3: hidden tokens follow the motion")

# %% [markdown]
# With $\tau = 0.8$ and motion in 0..1 the odds between the fastest and the slowest token are $e^{1/0.8} = 3.5$ at most; and
# where 90 % are hidden, nearly everything is taken anyway. What is "motion-aware" at 30 % is close to random at 90 %, which
# is where MAMP uses it.
#
# ## One ratio, or many
# SLiM draws the ratio anew for every masked view, from 0.5 to 0.9. A batch of $n$ masked views gets **stratified** ratios:
# the range is cut into $n$ bins, one ratio comes from each, in random order. *Predict: what does that do to the mean ratio of
# a batch of 16?*

# %%
dice, batches = torch.Generator().manual_seed(here.seed), 200 if quick else 2000
strata = torch.stack([masking.stratified_ratios(16, (0.5, 0.9), dice) for _ in range(batches)])
plain = 0.5 + 0.4 * torch.rand(batches, 16, generator=dice)
for name, ratios in {"stratified": strata, "independent": plain}.items():
    widest = (ratios.sort(dim=1).values.diff(dim=1)).amax(dim=1).mean()
    print(f"{name:<12} sd of the batch mean {ratios.mean(dim=1).std():.4f}, widest gap between ratios {widest:.3f}")
assert (strata.sort(dim=1).values.sub(0.5).mul(16 / 0.4).floor().long() == torch.arange(16)).double().mean() > 0.99  # one a bin

# %% [markdown]
# Every batch sees easy and hard masks in the same proportion, so the loss fluctuates less for a reason that has nothing to do
# with learning. The order has to be random. The released code forgets to shuffle for local views: those of global view 1
# always get the lower half of the range, those of view 2 the upper one.

# %%
sorted_ratios = torch.stack([masking.stratified_ratios(8, (0.5, 0.9), dice, shuffle=False) for _ in range(200)])
shuffled = torch.stack([masking.stratified_ratios(8, (0.5, 0.9), dice) for _ in range(200)])
for name, ratios in {"not shuffled (released)": sorted_ratios, "shuffled": shuffled}.items():
    first, second = ratios[:, :4].mean(), ratios[:, 4:].mean()  # local views of global view 1, of view 2
    print(f"{name:<24} local views in view 1: mean ratio {first:.2f}, in view 2: {second:.2f}")

# %% [markdown]
# ## Try it yourself
# Move the ratio to 0.9, change the strategy, and watch the hands. Below the grid stands what was asked and what was achieved;
# a click on a token hides or frees it.

# %%
widgets.MaskExplorer(store, index)


# %% tags=["exercise", "raises-exception"]
# Exercise 1 · difficulty 3 of 3 · about 25 minutes
def tube_mask(steps, skeleton, ratio, generator):
    """(steps, V) bool, True is hidden: semantic tubes on one clip's grid, as in the four steps above.

    skeleton.parts: name -> joints in chain order. Give up after ten failed proposals in a row.
    """
    raise NotImplementedError


lessons.check_tube_mask(tube_mask)

# %% [markdown]
# <details><summary>Hint</summary>
#
# A helper saves lines: `int(torch.randint(low, high, (), generator=generator))`. Joints of a run: `chain[first : first +
# length]`. The area's bounds swap when less than `steps` tokens are missing, so take `min` and `max` of the two. `tube &
# ~mask` is what a proposal adds.
# </details>
# <details><summary>Common mistakes</summary>
#
# - Slicing `range(V)` instead of a part's chain: joint 7 and joint 8 of a Kinect are two different hands.
# - Counting the tube's tokens instead of the *new* ones when comparing with the budget.
# - Drawing the duration uniformly: tubes then have all areas alike, however much is missing.
# - Forgetting `generator=`: the mask cannot be made again.
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def tube_mask(steps, skeleton, ratio, generator):
#     """(steps, V) bool, True is hidden: semantic tubes on one clip's grid, as in the four steps above."""
#
#     def uniform(low, high):
#         return low + (high - low) * float(torch.rand((), generator=generator))
#
#     mask = torch.zeros(steps, len(skeleton), dtype=torch.bool)
#     goal, failed = round(ratio * steps * len(skeleton)), 0
#     parts = list(skeleton.parts.values())
#     while mask.sum() < goal and failed < 10:
#         missing = goal - int(mask.sum())
#         chain = parts[int(uniform(0, len(parts)))]
#         length = int(uniform(1, len(chain) + 1))
#         first = int(uniform(0, len(chain) - length + 1))
#         most = min(missing, 4 * len(skeleton))
#         area = uniform(min(steps, most), max(steps, most))
#         duration = min(max(round(area / length), 1), steps)
#         start = int(uniform(0, steps - duration + 1))
#         tube = torch.zeros_like(mask)
#         tube[start : start + duration, list(chain[first : first + length])] = True
#         added = int((tube & ~mask).sum())
#         if 0 < added <= missing:
#             mask, failed = mask | tube, 0
#         else:
#             failed += 1
#     return mask
# ```
# </details>


# %% tags=["exercise", "raises-exception"]
# Exercise 2 · difficulty 1 of 3 · about 10 minutes
def stratified_ratios(n, low, high, generator):
    """(n,) ratios in random order, one from each of n equal bins of low..high."""
    raise NotImplementedError


lessons.check_stratified_ratios(stratified_ratios)

# %% [markdown]
# <details><summary>Hint</summary>
#
# Number the bins 0 to n - 1, in the order of `torch.randperm(n, generator=generator)`, and add a uniform number to each. What
# is left is a change of scale.
# </details>
# <details><summary>Common mistakes</summary>
#
# - Sorting n independent uniform numbers: they rise, but bins stay empty.
# - Taking the middle of each bin: every batch then has the same n ratios.
# - Leaving the bins in order: the first clip of every batch is always masked least.
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def stratified_ratios(n, low, high, generator):
#     """(n,) ratios in random order, one from each of n equal bins of low..high."""
#     bins = torch.randperm(n, generator=generator)
#     return low + (high - low) * (bins + torch.rand(n, generator=generator)) / n
# ```
# </details>


# %% tags=["exercise", "raises-exception"]
# Exercise 3 · difficulty 2 of 3 · about 15 minutes
def joint_tubes(steps, joints, ratio, generator):
    """(steps, joints) bool, True is hidden: random joints over all time, exactly round(ratio * steps * joints) tokens.

    Where whole joints do not give the number, the last joint is hidden from one end of the clip, as far as needed.
    """
    raise NotImplementedError


lessons.check_joint_tubes(joint_tubes)

# %% [markdown]
# <details><summary>Hint</summary>
#
# How many whole joints fit into the budget, and how many tokens are left over? `divmod` says both. Take the joints from a
# random permutation.
# </details>
# <details><summary>Common mistakes</summary>
#
# - `round(ratio * joints)` whole joints: with 25 joints and 0.7 that is 18 of them, 144 tokens instead of 140.
# - Hiding the leftover tokens anywhere: they become the lone tokens that tubes are to avoid.
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def joint_tubes(steps, joints, ratio, generator):
#     """(steps, joints) bool, True is hidden: random joints over all time, exactly round(ratio * steps * joints) tokens."""
#     whole, left_over = divmod(round(ratio * steps * joints), steps)
#     order = torch.randperm(joints, generator=generator)
#     mask = torch.zeros(steps, joints, dtype=torch.bool)
#     mask[:, order[:whole]] = True
#     if left_over:
#         mask[:left_over, order[whole]] = True
#     return mask
# ```
# </details>

# %% [markdown]
# ## Summary
# - A lone hidden token can be interpolated, along time or along the limb. Measured without a network, random tokens are the
#   easiest of six strategies at any ratio; the average pose as a control shows that this is not because they hide less
#   motion.
# - A semantic tube hides a run of joints along one limb over a stretch of time: neither the neighbour in time nor the one on
#   the limb is left.
# - Hardest is not best: what nothing visible determines cannot be learned.
# - The released generator gives up and misses its budget now and then; log what was achieved. Ratios are stratified over a
#   batch, and shuffled.
# - Tubes hide the middle of chains and of time more often than the ends.
#
# ## Test yourself
# **1.** Why does the table need the column "average pose"?
#
# <details><summary>Answer</summary>
#
# To separate two explanations. If tubes hid tokens that move more, any guess would miss by more there. The average pose looks
# at no neighbour: it misses about equally under both, so the difference comes from the neighbours.
# </details>
#
# **2.** Guessing from *time* helps next to nothing under `joint_tubes`, guessing from the *body* next to nothing under
# `time_blocks`. Why?
#
# <details><summary>Answer</summary>
#
# A joint hidden over all time has no visible token in its own time (but for the one that is trimmed), and a step in which all
# joints are hidden has none on the body. With no visible token connected, the guess is the average pose.
# </details>
#
# **3.** Somebody reports that ratio 0.9 works better with code A than with code B. What do you ask first?
#
# <details><summary>Answer</summary>
#
# Which ratios the two codes *achieved*, mean and tail; then how many seeds.
# </details>
#
# **4.** A student gets a view of 8 frames, one time step. What is left of a tube?
#
# <details><summary>Answer</summary>
#
# A run of joints along a limb. In time there is nothing to hide and nothing to interpolate.
# </details>
#
# ## Further reading
# - SLiM, [arXiv 2603.10648](https://arxiv.org/abs/2603.10648), section 3.2.
# - Random tokens and 75 %: MAE, [arXiv 2111.06377](https://arxiv.org/abs/2111.06377). Tubes and 90 % in video: VideoMAE,
#   [arXiv 2203.12602](https://arxiv.org/abs/2203.12602), whose section 3.2 argues from redundancy in time as this lesson does.
# - Skeletons: SkeletonMAE, [arXiv 2307.08476](https://arxiv.org/abs/2307.08476); MAMP, [arXiv
#   2308.07092](https://arxiv.org/abs/2308.07092).

# %%
here.end()
