# %% [markdown]
# # 05 · Teacher, student, prototypes, losses
#
# **After this lesson** you can say what the teacher is and why it does not run away, do Sinkhorn-Knopp by hand and say what each
# half of an iteration is for, tell from two numbers whether targets can teach anything, write every loss of SLiM, and provoke a
# collapse and cure it. **Needs** softmax, cross-entropy and gradients; lessons 03 and 04; no GPU. **Takes** about 60 minutes
# with its three exercises; the machine's part is printed at the end.
#
# SLiM ([arXiv 2603.10648](https://arxiv.org/abs/2603.10648), section 3.2) has no decoder and no label. So where does a loss
# come from? From a second network, the *teacher*, which sees the clip whole and sorts it among *prototypes*; the *student* sees
# crops and masked clips and has to come to the same answer. Nothing in that sentence forbids that both always give one and
# the same answer. What forbids it is the subject of this lesson.
#
# In the authors' comparison (table 10, NTU-60) it is the prototypes that gain: predicting the teacher's features themselves
# reaches 86.92 (87.59 with a predictor head), coordinates with a decoder 86.96, its assignments to prototypes 90.17.

# %%
import numpy as np
import pandas as pd
import torch

import slimlab
from slimlab import analysis, data, evaluate, lessons, losses, masking, plot, pretrain, widgets
from slimlab.analysis import projection
from slimlab.pretrain.trainer import Networks

here = lessons.begin("05_learning")  # or data="synthetic", or your own: data="~/UTD-MHAD/Skeleton"
store, quick = here.store, here.quick
body, dice = store.skeleton, torch.Generator().manual_seed(here.seed)
config = pretrain.Config(preset="tiny")  # its sizes: width 64, 128 prototypes

# %% [markdown]
# ## What each of the two sees
# The teacher gets this clip whole. The student gets it with pink tokens hidden (and, beside it, short crops), and is asked: how
# did the teacher sort the clip, and how each hidden token?
#
# The clips are of real people: ten of them did ten rehabilitation exercises before a Kinect v2, correctly and then incorrectly
# on purpose (UI-PRMD, public domain, in the package).

# %%
steps = config.global_frames // config.patch_frames
mask = masking.semantic_tubes(1, 4 * steps, body, ratio=0.6, generator=dice)[0]
clip = store[here.example]
plot.mask_on_body(clip, mask.numpy(), body, title="the student's view; the teacher sees all of it")

# %% [markdown]
# ## The teacher follows
# The teacher learns nothing by gradient. After each step every weight moves a little towards the student's, an *exponential
# moving average* (section 3.2; [mean teacher](https://arxiv.org/abs/1703.01780)):
#
# $$\theta_t \leftarrow m\,\theta_t + (1 - m)\,\theta_s, \qquad m: 0.994 \rightarrow 1 \text{ on a cosine (the paper)}$$
#
# A teacher with momentum $m$ averages over about $1/(1-m)$ steps. *Predict: the student's weight below walks at random for 400
# steps. Which of three momenta hardly leaves the start? And what would a teacher with $m = 0$ be?*

# %%
walk = pd.Series(torch.randn(400, generator=dice).cumsum(0).numpy())  # one weight of the student
teachers = {f"m = {m}: {1 / (1 - m):.0f} steps": walk.ewm(alpha=1 - m, adjust=False).mean() for m in (0.9, 0.97, 0.994)}
curves = pd.DataFrame({"student": walk} | teachers)
lags = {name: (walk - line).abs().mean() for name, line in curves.items()}
print("behind the student, on average:", {name: round(lag, 2) for name, lag in lags.items()})
table = {name: pd.DataFrame({"step": walk.index, "weight": line}) for name, line in curves.items()}
plot.runs(table, ["weight"], smooth=1, title="one weight of the student, and teachers that follow it")

# %% [markdown]
# Slow is what makes it a teacher: an average over many students is steadier than each of them, and it cannot be dragged to
# a shortcut in one step. At 187,500 steps 0.994 is fast; in the few hundred steps of `tiny` it would be too slow to ever leave
# its random start, so `tiny` begins at 0.97. With $m = 0$ the teacher is the student itself.


# %% tags=["exercise", "raises-exception"]
# Exercise 1 · difficulty 1 of 3 · about 10 minutes
def follow(teacher, student, momentum):
    """Move every parameter of the teacher (an nn.Module) in place, towards the student's. Returns nothing."""
    raise NotImplementedError


lessons.check_ema(follow)

# %% [markdown]
# <details><summary>Hint</summary>
#
# `zip(teacher.parameters(), student.parameters())` gives the pairs. `tensor.mul_(a).add_(other, alpha=b)` changes a tensor in
# place; `lerp_` does both at once.
# </details>
# <details><summary>Common mistakes</summary>
#
# `t = m * t + …` makes a new tensor and leaves the network as it was. Without `torch.no_grad()` the teacher would carry a graph
# of all steps so far. `t.data = s.data` makes them share memory: from then on they are one network.
# </details>
# <details><summary>Solution</summary>
#
# ```python
# @torch.no_grad()
# def follow(teacher, student, momentum):
#     for t, s in zip(teacher.parameters(), student.parameters()):
#         t.mul_(momentum).add_(s, alpha=1 - momentum)
# ```
# </details>

# %% [markdown]
# ## Prototypes
# A *head* (section 3.2) turns a feature into a point on a sphere, and its cosines with $K$ learned directions, the prototypes,
# are the *logits*. No prototype has a meaning at the start. There are two heads, one for the clip (its CLS token), one for
# tokens.
#
# $$\ell_k = \cos(h(x), c_k), \qquad h: \text{three linear layers with GELU, then L2 normalisation}$$

# %%
torch.manual_seed(here.seed)
networks = Networks(config, body)  # encoder and the two heads, untrained
people = store[store.column("people") > 0][:: 4 if quick else 1]
some = np.linspace(0, len(people) - 1, 2 * config.batch_size).astype(int)  # of all classes
features = evaluate.features(networks.encoder, people[some], pool="cls", combine="sum").x
with torch.no_grad():
    logits = networks.cls_head(features)  # (N, K)
assert logits.abs().max() <= 1.001
print(f"{tuple(logits.shape)} logits, standard deviation {logits.std():.3f}; 1/√E = {config.head_bottleneck**-0.5:.3f}")

# %% [markdown]
# Directions at random in $E$ dimensions have cosines with a standard deviation of $1/\sqrt{E}$: logits are *small*. Keep this
# number; it decides below which temperatures can work.
#
# ## Sinkhorn-Knopp, half an iteration at a time
# From logits to a target: a softmax would let all clips choose one prototype. Sinkhorn-Knopp
# ([arXiv 2006.09882](https://arxiv.org/abs/2006.09882); SLiM, section 3.2) looks for the matrix nearest to
# $\exp(\ell / \tau)$ in which every prototype is used equally often *over the batch* and every clip is assigned once. It
# alternates between the two wishes:
#
# $$Q_{nk} \leftarrow \frac{Q_{nk}}{K \sum_{n'} Q_{n'k}} \;\text{(columns)}, \qquad
# Q_{nk} \leftarrow \frac{Q_{nk}}{N \sum_{k'} Q_{nk'}} \;\text{(rows)}$$
#
# *Predict: after the columns are evened out, are the rows even too? And after the rows, are the columns still even?*

# %%
some = logits[::5, :16][:12] + 0.15 * (torch.arange(16) == 3)  # a small batch, in which one prototype is liked by all
stages = analysis.sinkhorn_stages(some, temperature=0.07, iterations=3)
shown = [stages[i] for i in (0, 1, 2, 6)]
plot.assignments(shown, title="blue: sums of columns (prototypes), orange: sums of rows (clips), dotted: even")

# %%
uneven = {name: (float(q.sum(0).std() * 16), float(q.sum(1).std() * 12)) for name, q in stages}
assert uneven["columns 1"][0] < 1e-6 < uneven["columns 1"][1]  # one wish at a time
assert uneven["rows 1"][1] < 1e-6 < uneven["rows 1"][0]
pd.DataFrame(uneven, index=["columns: sd of sums, 0 is even", "rows"]).T.round(4)

# %% [markdown]
# Each half spoils what the other has done, but less every time. Three iterations are enough here. The control is the plain
# softmax of the same logits: its rows sum to one as well, and the favourite takes what it likes.

# %%
softmax = (some.double() / 0.07).softmax(dim=1) / 12
pair = [("softmax: rows alone", softmax), ("Sinkhorn, 3 iterations", stages[-1][1])]
print(f"most used prototype: softmax {softmax.sum(0).max():.2f}, Sinkhorn {stages[-1][1].sum(0).max():.2f} of all answers")
assert torch.allclose(stages[-1][1] * 12, losses.sinkhorn_knopp(some, 0.07).double(), atol=1e-5)  # the library's
plot.assignments(pair, title="the control: without the columns' wish one prototype is used far more than the others")


# %% tags=["exercise", "raises-exception"]
# Exercise 2 · difficulty 2 of 3 · about 15 minutes
def sinkhorn(logits, temperature, iterations=3):
    """Logits (N, K) -> assignments (N, K): rows sum to one, prototypes are used evenly."""
    raise NotImplementedError


lessons.check_sinkhorn(sinkhorn)

# %% [markdown]
# <details><summary>Hint</summary>
#
# Start from `exp(logits / temperature)`. In each iteration divide every column by its sum, then every row by its sum. The
# factors 1/K and 1/N cancel if you end with rows that sum to one.
# </details>
# <details><summary>Common mistakes</summary>
#
# Rows before columns (the result then has even columns, and rows that do not sum to one). Forgetting the temperature.
# `exp` of logits / 0.02 overflows easily: subtract the largest first, which changes nothing in the result.
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def sinkhorn(logits, temperature, iterations=3):
#     scaled = logits.double() / temperature
#     q = (scaled - scaled.amax()).exp()
#     for _ in range(iterations):
#         q = q / q.sum(dim=0, keepdim=True)
#         q = q / q.sum(dim=1, keepdim=True)
#     return q.to(logits.dtype)
# ```
# </details>

# %% [markdown]
# ## Does a target say anything?
# How many prototypes does one target spread over? The exponential of its entropy counts them: 1 is a decision, $K$ is
# a shrug. And it bounds the loss: a student cannot get below the entropy of what it is asked for,
#
# $$\text{GLCL} \;\ge\; H(\text{target}) = \ln(\text{prototypes per target}),$$
#
# while a student that knows nothing and spreads its answer evenly pays $\ln K$. The distance between the two is all there is to
# learn.
#
# *Predict: the paper has 65,536 prototypes and teacher temperatures of 0.04 to 0.07. With 1,024 prototypes and 0.07, how many
# does a target of this untrained network spread over?*

# %%
temperatures = np.geomspace(0.005, 0.3, 25)
spread = {}
for count in (16, 128, 1024):
    torch.manual_seed(here.seed)
    head = losses.PrototypeHead(config.width, count, config.head_hidden, config.head_bottleneck, init_std=None)
    with torch.no_grad():
        own = head(features)
    each = [analysis.effective_prototypes(losses.sinkhorn_knopp(own, t)) / count for t in temperatures]
    spread[f"K = {count}"] = pd.DataFrame({"step": temperatures, "share of prototypes in one target": each})
figure = plot.runs(spread, ["share of prototypes in one target"], smooth=1)
figure.axes[0].set(xlabel="teacher temperature", xscale="log")
for t in (0.02, 0.04, 0.07):
    figure.axes[0].axvline(t, color="0.6", linestyle=":")
figure


# %%
def per_target(count, temperature):
    share = spread[f"K = {count}"]
    return count * float(np.interp(temperature, temperatures, share["share of prototypes in one target"]))


rows = [{"K": k, "temperature": t, "per target": per_target(k, t)} for k, t in ((1024, 0.07), (1024, 0.04), (128, 0.02))]
table = pd.DataFrame(rows)
table["to learn (nats)"] = np.log(table["K"] / table["per target"])
table.round(2)

# %% [markdown]
# At 0.07 a target is close to even: there is next to nothing between $\ln K$ and the floor, and a gradient of next to nothing. In
# the paper's 187,500 steps the logits grow until these temperatures bite; in a few hundred steps of a small network they
# do not, and GLCL stays at $\ln K$: *nothing is learned and nothing looks broken*. That is why `tiny` has 128 prototypes and
# a temperature of 0.02, and why slimlab logs `target_prototypes` and GLCL / ln K in every step.
#
# ## GLCL: views of one clip agree
# Teacher: the two global views. Student: those and $n$ local views. Every teacher's view is predicted from every *other*
# view (section 3.2), $2 + 2n$ cross-entropies, each a mean over the batch:
#
# $$\mathcal{L}_\text{GLCL} = \frac{1}{2 + 2n} \sum_{t \in \{1, 2\}} \sum_{s \ne t}
# -\frac{1}{B}\sum_b \sum_k q^{(t)}_{bk} \log p^{(s)}_{bk}$$
#
# with $q$ by Sinkhorn at the teacher's temperature and $p$ = softmax(student's logits / 0.1).

# %%
batch = 16
clips = np.linspace(0, len(people) - 1, batch).astype(int)
views = data.sample_views(people, clips, dice, config.global_frames, config.global_range, config.local_views)
logits = []
with torch.no_grad():
    for group in (views.globals, *views.locals):  # each (views, B, 3, T, V, 1)
        x, _ = evaluate.prepare(group.flatten(0, 1), networks.encoder.config)
        logits += networks.cls_head(networks.encoder(x).cls[:, 0]).split(batch)
targets = losses.sinkhorn_knopp(torch.cat(logits[:2]), config.teacher_temperature[0]).chunk(2)
terms = {(t, s): float(losses.cross_entropy(logits[s], targets[t], 0.1).mean()) for t in range(2) for s in range(len(logits))}

# %%
grid = pd.Series(terms).unstack()
grid.index, grid.columns = (
    ["teacher: global 1", "teacher: global 2"],
    ["global 1", "global 2", "local 1", "local 2"][: len(logits)],
)
others = [value for (t, s), value in terms.items() if s != t]
assert len(others) == 2 + 2 * (len(logits) - 2)
loss = losses.global_local_loss(logits, targets)
assert abs(float(loss) - np.mean(others)) < 1e-5  # the equation is the library's function
print(f"GLCL {loss:.3f}, the mean of {len(others)} terms; ln K = {np.log(config.prototypes):.3f}")
grid.round(3)

# %% [markdown]
# The two diagonal terms (a view that predicts itself) are left out: they ask for nothing. Half of the student's global views
# are masked, so even a teacher's own crop is never simply repeated.
#
# ## MFP: hidden tokens
# For each hidden token of a masked global view the student predicts how the *teacher, who sees it*, sorts that token. A mean over
# each view's hidden tokens, then over all $2B$ views of the batch (section 3.2; unmasked views count zero):
#
# $$\mathcal{L}_\text{MFP} = \frac{1}{2B}\sum_v \frac{1}{|M_v|} \sum_{i \in M_v} -\sum_k q_{vik} \log p_{vik}$$

# %%
x, _ = evaluate.prepare(views.globals.flatten(0, 1), networks.encoder.config)  # (2B, 3, T, V, 1)
hidden = torch.zeros(len(x), steps, len(body), dtype=torch.bool)
hidden[::2] = masking.semantic_tubes(batch, steps, body, torch.linspace(0.5, 0.9, batch), generator=dice)  # half of the views
with torch.no_grad():
    wanted = losses.sinkhorn_knopp(networks.token_head(networks.encoder(x).tokens[:, 0][hidden]), 0.02)  # (tokens, K)
    guessed = networks.token_head(networks.encoder(x, mask=hidden[:, None]).tokens[:, 0][hidden])
each = losses.cross_entropy(guessed, wanted, 0.1).split(hidden.flatten(1).sum(1).tolist())  # a tuple of views
by_hand = sum(cells.mean() for cells in each if len(cells)) / len(hidden)
assert torch.allclose(by_hand, losses.masked_feature_loss(guessed, wanted, hidden), atol=1e-5)
print(f"MFP {by_hand:.3f}; {len(wanted)} hidden tokens in {batch} of {len(hidden)} views; half of ln K = {np.log(128) / 2:.3f}")

# %% [markdown]
# Why the mean in each view first? A view with nine tenths hidden has almost twice the tokens of one with half; counted token by
# token, the hardest views would rule.


# %% tags=["exercise", "raises-exception"]
# Exercise 3 · difficulty 2 of 3 · about 20 minutes
def masked_loss(student_logits, teacher_targets, mask, temperature=0.1):
    """Logits and targets (tokens, K) in the order of mask.nonzero(); mask (views, T', V) bool -> a scalar."""
    raise NotImplementedError


lessons.check_masked_loss(masked_loss)

# %% [markdown]
# <details><summary>Hint</summary>
#
# `mask.nonzero()[:, 0]` is each token's view. A token of a view with $m$ hidden tokens weighs $1/m$; sum, and divide by the
# number of views, those without hidden tokens included.
# </details>
# <details><summary>Common mistakes</summary>
#
# `.mean()` over all tokens; dividing by the masked views alone; softmax where its logarithm belongs; a loop over views, which is
# right and slow.
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def masked_loss(student_logits, teacher_targets, mask, temperature=0.1):
#     loss = -(teacher_targets * (student_logits / temperature).log_softmax(dim=-1)).sum(dim=-1)
#     tokens = mask.flatten(1).sum(dim=1)
#     view = mask.nonzero()[:, 0]
#     return (loss / tokens[view]).sum() / len(mask)
# ```
# </details>

# %% [markdown]
# ## KoLeo: keep your distance
# The last term looks at the features themselves ([arXiv 1806.03198](https://arxiv.org/abs/1806.03198)), one global view at a
# time: the distance of each to its nearest neighbour in the batch, on the sphere.
#
# $$\mathcal{L}_\text{KoLeo} = -\frac{1}{B} \sum_b \log \min_{c \ne b} \lVert z_b - z_c \rVert$$
#
# *Predict: two dozen points in a bunch on a circle, moved by this loss alone. Where do they go?*

# %%
angle = (0.2 * torch.randn(24, generator=dice)).requires_grad_()
mover = torch.optim.Adam([angle], lr=0.1)
planes = {}
for step in range(601):
    points = torch.stack([angle.cos(), angle.sin()], dim=1)
    loss = losses.koleo_loss(points)
    if step in (0, 50, 600):
        planes[f"step {step}, KoLeo {loss.detach():.2f}"] = projection.Projection(points.detach().numpy(), {}, "pca")
    mover.zero_grad()
    loss.backward()
    mover.step()
plot.planes(planes, shared=True, title="points on a circle under KoLeo alone")

# %% [markdown]
# They spread as evenly as they can. In small doses (0.1 in the paper, 0.02 in `tiny`) this keeps features apart; alone it would
# spread noise just as well, because it does not know which clips belong together.
#
# All of it (section 3.2):
#
# $$\mathcal{L} = \mathcal{L}_\text{GLCL} + \mathcal{L}_\text{MFP}
# + 0.1\,(\mathcal{L}_\text{KoLeo}^{(1)} + \mathcal{L}_\text{KoLeo}^{(2)})$$
#
# No coordinate is reconstructed anywhere.
#
# ## A collapse, provoked and cured
# Same data, same seed, same network; two switches. Targets: a plain *softmax* of the teacher's logits, or *Sinkhorn*. *KoLeo* off
# or on. And one run whose targets are too warm (0.1).
#
# slimlab stops a run that has collapsed, and says so by name: *answers* where fewer than two prototypes are in use for many
# steps in a row (30 in a run as short as this), *features* where their rank stays near one. The two are not the same. The
# stopped run's networks are still in memory, so we can look at what has become of them.
#
# *Predict, for each: where does GLCL go? How many prototypes are in use at the end? Which run has the lowest loss?*

# %%
length = {"steps": 6 if quick else 80, "evaluations": 1 if quick else 4, "snapshots": 1, "seed": here.seed}
off, warm = {"koleo_weight": 0.0}, {"teacher_temperature": (0.1, 0.1)}
settings = {"softmax, no KoLeo": {"targets": "softmax"} | off, "softmax, KoLeo": {"targets": "softmax"}}
settings |= {"Sinkhorn, no KoLeo": off, "Sinkhorn, KoLeo": {}, "Sinkhorn, too warm": warm}

# %%
runs, teachers, stopped = {}, {}, {}
for name, changed in settings.items():
    called = f"run-{name.replace(', ', '-').replace(' ', '_')}"
    folder = here.out / f"{called}-{store.fingerprint[:6]}-{length['steps']}-{here.seed}"
    try:
        for step in pretrain.steps(people, pretrain.Config(preset="tiny", **length, **changed), folder=folder):
            teachers[name] = step.trainer.teacher
    except pretrain.Collapsed as collapse:
        stopped[name] = collapse
        print(f"{name}: {collapse.reason}\n")
    runs[name] = pretrain.Run(folder)
    if name not in teachers:  # finished when this cell was run before
        teachers[name] = runs[name].teacher

# %%
if quick:
    print("6 steps are too few to call a run collapsed: only runs of 30 steps or more can be stopped")
plot.runs({name: run.metrics for name, run in runs.items()})

# %%
rows = []
for name, run in runs.items():
    x = evaluate.features(teachers[name].encoder, people, pool="cls", combine="sum").x
    own = analysis.prototypes(teachers[name].encoder, teachers[name].cls_head, people)
    x = torch.nn.functional.normalize(x, dim=1)
    last = run.metrics.tail(5).mean()
    rows.append({"run": name, "GLCL": last["glcl"], "per target": last["target_prototypes"], "in use": own.in_use()})
    rows[-1] |= {"mean cosine of two clips": float((x @ x.T).mean()), "rank": analysis.rankme(x)}
table = pd.DataFrame(rows).set_index("run")
table.round(2)

# %%
collapsed, cured, too_warm = (table.loc[n] for n in ("softmax, no KoLeo", "Sinkhorn, KoLeo", "Sinkhorn, too warm"))
for name, collapse in stopped.items():
    print(f"{name}: stopped, since its {collapse.kind} collapsed")
lowest = table["GLCL"].idxmin()
print(f"lowest GLCL: {lowest}, {table['GLCL'].min():.2f}, with {table.loc[lowest, 'in use']:.1f} prototypes in use")
print(f"GLCL too warm: {too_warm['GLCL']:.2f}; of answers that say nothing: {np.log(config.prototypes):.2f}")
print(f"in use: {collapsed['in use']:.1f} collapsed, {cured['in use']:.1f} cured, of {config.prototypes}, same seed")

# %% [markdown]
# Read the table row by row.
# - **Softmax, no KoLeo**: everybody agrees on one prototype; the loss is the lowest of all and worth nothing. slimlab stops the
#   run because its *answers* have collapsed. Features drift together too: two clips point more the same way. Their rank is
#   above one all the same, and would not have given the collapse away.
# - **Softmax, KoLeo**: features are kept apart, but the *answers* have collapsed all the same: KoLeo does not look at
#   prototypes. Half a cure.
# - **Sinkhorn, no KoLeo**: prototypes are used, features are fairly well spread. The main cure.
# - **Both**: the cure of the paper.
# - **Too warm**: no collapse. Targets are so even that there is nothing to learn from them, and GLCL stays at ln K.
#
# A loss that falls says nothing by itself. *Prototypes in use*, *prototypes per target* and *rank* are its controls.

# %%
folded = teachers["softmax, no KoLeo"]
folded = analysis.prototypes(folded.encoder, folded.cls_head, people)
plot.prototype_usage(folded)

# %%
cure = analysis.prototypes(runs["Sinkhorn, KoLeo"].teacher.encoder, runs["Sinkhorn, KoLeo"].teacher.cls_head, people)
plot.prototype_usage(cure)

# %% [markdown]
# What do the prototypes of the cured run gather after so few steps? Click a bar, and the clips nearest to that prototype play.
# Do they show one action, one subject, one way to face? (Lesson 06 trains longer.)

# %%
widgets.PrototypeExplorer(runs["Sinkhorn, KoLeo"], people)

# %% [markdown]
# ## Prototypes of a longer run
# The weights `small` come with the heads of their run, which was far longer and saw synthetic motion only. A head reads features,
# not joints, so it can sort the clips of these people, too. Purity is the share of clips that have the most frequent action of
# their prototype; with few clips a prototype it is high by chance, so it needs a control: the same with shuffled labels.
#
# *Predict: does the long run use more prototypes for these clips than the same head before an untrained encoder? Do the clips of
# a prototype show one action?*


# %%
def purity(found, labels):
    """Share of the clips whose label is the most frequent one of their prototype."""
    counts = pd.crosstab(found.nearest.numpy(), labels[found.table["clip"].to_numpy()])
    return counts.max(axis=1).sum() / len(found)


long = pretrain.pretrained_run("small")
encoder, head = slimlab.pretrained("small", skeleton=body), long.teacher.cls_head
encoders = {"small": encoder, "the same, untrained": evaluate.random_encoder(encoder.config, here.seed)}
sorted_by = {name: analysis.prototypes(e, head, people) for name, e in encoders.items()}
shuffled = np.random.default_rng(here.seed).permutation(people.labels)
rows = {n: [p.in_use(), purity(p, people.labels), purity(p, shuffled)] for n, p in sorted_by.items()}
columns = [f"in use, of {long.config.prototypes}", "purity", "purity, labels shuffled"]
pd.DataFrame(rows, index=columns).T.round(2)

# %%
often = int(sorted_by["small"].usage().argmax())
plot.prototype_nearest(sorted_by["small"], often, people, title=f"small: nearest to its most used prototype, {often}")

# %% [markdown]
# With *tokens*, the explorer shows the other head: which joint at which of eight time steps is nearest to a prototype. Does a
# prototype of tokens stand for a joint, for a moment of the motion, or for both?

# %%
widgets.PrototypeExplorer(long, people)

# %% [markdown]
# ## Summary
# The teacher is a slow average of the student. Both sort clips and tokens among prototypes; Sinkhorn makes the answers use all
# prototypes, over the batch; the temperature decides whether a target says anything, and $\ln K - \ln(\text{per target})$ is what
# is there to learn. GLCL makes views of one clip agree, MFP hidden tokens, KoLeo keeps features apart. Without balance the loss
# goes to zero and the knowledge with it.
#
# ## Test yourself
# 1. Why is a GLCL of zero bad news? <details><summary>Answer</summary>Cross-entropy is at least the target's entropy; zero
#    means one-hot targets that are always guessed: everybody gives the same answer.</details>
# 2. A run has GLCL / ln K = 0.99 after 300 steps. Which number do you look at, and which setting do you change first?
#    <details><summary>Answer</summary>Prototypes per target. If they are near K, lower the teacher's temperature (or K); if
#    they are few, look at the learning rate.</details>
# 3. Why does Sinkhorn need a batch, and what happens with a batch of 2? <details><summary>Answer</summary>"Used equally often"
#    is a statement about many samples. With two, each gets its own half of the prototypes, whatever it shows.</details>
# 4. What is the teacher if $m = 1$ from the first step on? Could the student still learn something?
#    <details><summary>Answer</summary>The random start, for ever. The student can learn to copy a random network from partial
#    views, which is a little, and no more.</details>
# 5. KoLeo keeps features apart. Why is it no cure for collapsed prototypes? <details><summary>Answer</summary>It looks at the
#    encoder's features. The head behind them can still send all of them to one prototype, as the second run shows.</details>
#
# ## Further reading
# - Sinkhorn assignments: Caron et al., SwAV, [arXiv 2006.09882](https://arxiv.org/abs/2006.09882).
# - Teacher, student, centering and sharpening: Caron et al., DINO, [arXiv 2104.14294](https://arxiv.org/abs/2104.14294).
# - Masked tokens as targets: Zhou et al., iBOT, [arXiv 2111.07832](https://arxiv.org/abs/2111.07832); both with KoLeo: DINOv2,
#   [arXiv 2304.07193](https://arxiv.org/abs/2304.07193).
# - The mean teacher: Tarvainen and Valpola, [arXiv 1703.01780](https://arxiv.org/abs/1703.01780). RankMe: [arXiv
#   2210.02885](https://arxiv.org/abs/2210.02885).

# %%
here.end()
