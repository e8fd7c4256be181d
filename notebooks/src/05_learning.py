# %% [markdown]
# # 05 · Teacher, student, prototypes, losses
#
# **After this lesson** you can explain what the teacher is and why SLiM predicts prototypes, do Sinkhorn-Knopp by hand and say
# what each half of an iteration is for, tell from two numbers whether a target can teach anything, write every loss of SLiM,
# provoke a collapse, and tell a collapse of answers from a collapse of features.
#
# **Needs** softmax, cross-entropy and gradients; lessons 03 and 04; no GPU. The [glossary](../docs/glossary.md) explains the
# words. **Takes** about 90 minutes with its three exercises; the last cell prints the machine's share.
#
# SLiM ([arXiv 2603.10648](https://arxiv.org/abs/2603.10648), section 3.2) has no decoder and no label. Its loss comes from a
# second network. The **teacher** sees the global views of a clip without masks and assigns them to **prototypes**. The
# **student** sees masked views and short views, and must give the same assignments. Nothing so far stops both networks from
# giving the same answer to every clip. This lesson is about what stops them.

# %%
import numpy as np
import pandas as pd
import torch

import slimlab
from slimlab import analysis, data, evaluate, lessons, losses, masking, plot, pretrain, weights, widgets
from slimlab.analysis import projection
from slimlab.pretrain.monitor import FEW_PROTOTYPES, LOW_RANK
from slimlab.pretrain.networks import Networks
from slimlab.pretrain.schedules import schedule

here = lessons.begin("05_learning")  # or data="synthetic", or your own: data="~/UTD-MHAD/Skeleton"
store, quick = here.store, here.quick
body, dice = store.skeleton, torch.Generator().manual_seed(here.seed)
config = pretrain.Config(preset="tiny")  # its sizes: width 64, 128 prototypes

# %% [markdown]
# You are here: the losses, with the teacher and the targets that they compare the student with.

# %%
plot.method("losses")

# %% [markdown]
# ## What each of the two sees
# The teacher sees two global views, which cover 50 to 100 % of the clip (80 to 100 % in `tiny`), augmented but not masked. The
# student sees the same global views, half of them masked, and short local views. It is asked two questions: how did the teacher
# assign the clip, and how did it assign each hidden token?
#
# The clips show real people. Ten of them did ten rehabilitation exercises before a Kinect v2, correctly and then incorrectly
# on purpose (UI-PRMD, public domain, part of the package).

# %%
mask = masking.semantic_tubes(1, 8, body, ratio=0.6, generator=dice)[0]
clip = store[here.example]
plot.mask_on_body(clip, mask.numpy(), body, title="a masked view on the paper's grid: the teacher sees the pink tokens, too")

# %% [markdown]
# The training runs of this lesson are of the preset `tiny`. Its views of 32 frames make tokens of 16 frames: two time steps. For
# what needs eight time steps, the lesson looks into the shipped weights `small`.
#
# ## Why prototypes, and not features?
# The student could simply predict the teacher's feature of a hidden token, with the squared error as its loss. But an answer to
# a hidden token is often uncertain. Suppose that a hidden arm is either up or down, with equal chances and opposite features.

# %%
up, down = torch.tensor([1.0, 0.0]), torch.tensor([-1.0, 0.0])  # the teacher's feature in the two cases
feature = (up + down) / 2  # the best answer under the squared error is the mean
print(f"best feature: {feature.tolist()}, at distance {(feature - up).norm():.0f} from both cases: neither up nor down")
cases, answer = torch.eye(2), torch.zeros(2, 2)  # one prototype for each case; logits that give both the same share
loss = losses.cross_entropy(answer, cases, 0.1).mean()
print(f"best assignment: {answer[0].softmax(0).tolist()}, cross-entropy {loss:.2f} = ln 2: one of the two, nothing else")

# %% [markdown]
# An assignment to prototypes can say *one of these two*; a single feature cannot. There are two more reasons, which this lesson
# works out below: assignments can be balanced over a batch, so that the same answer to everything is ruled out; and a
# temperature can sharpen them. The authors measured the effect at equal settings (table 10, NTU-60, mean of both protocols):
#
# | the student predicts, at hidden tokens | linear accuracy |
# |---|---|
# | the teacher's features, squared error | 86.92 |
# | coordinates, squared error, with a decoder | 86.96 |
# | the teacher's features, with a predictor head | 87.59 |
# | the teacher's assignment to prototypes, cross-entropy | 90.17 |
#
# ## The teacher follows
# The teacher learns nothing by gradient. After each step, every weight moves a little towards the student's: the teacher is an
# *exponential moving average* (EMA) of the student (section 3.2; [mean teacher](https://arxiv.org/abs/1703.01780)).
#
# $$\theta_t \leftarrow m\,\theta_t + (1 - m)\,\theta_s, \qquad m: 0.994 \rightarrow 1 \text{ on a cosine (the paper)}$$
#
# A teacher with momentum $m$ averages over about $1/(1-m)$ steps. In the next picture, one weight of the student walks at random
# for 400 steps. *Predict: which of the three teachers is farthest behind, and which is steadiest? What is a teacher with
# $m = 0$?*

# %%
walk = pd.Series(torch.randn(400, generator=dice).cumsum(0).numpy())  # one weight of the student
teachers = {f"m = {m}: {1 / (1 - m):.0f} steps": walk.ewm(alpha=1 - m, adjust=False).mean() for m in (0.9, 0.97, 0.994)}
curves = pd.DataFrame({"student": walk} | teachers)
table = {name: pd.DataFrame({"step": walk.index, "weight": line}) for name, line in curves.items()}
plot.runs(table, ["weight"], smooth=1, title="one weight of the student, and teachers that follow it")

# %%
rows = {name: ((walk - line).abs().mean(), line.diff().std()) for name, line in curves.items()}
pd.DataFrame(rows, index=["behind the student", "change from step to step"]).T.round(2)

# %% [markdown]
# A slow teacher is steady, and no single step can drag it along. With $m = 0$, the teacher is the student itself. But a slow
# teacher also keeps its random start for longer. What is left of the start after $n$ steps is the product of their momenta. The
# paper trains for 187,500 steps. *Predict: how much of the start is left after the 2,000 steps of `tiny`, if momentum begins at
# 0.994? And after 450?*

# %%
left = {}
for first in (0.994, config.momentum[0]):
    for length in (450, 2000):
        plan = pretrain.Config(preset="tiny", steps=length, momentum=(first, 1.0))
        left[f"{first} -> 1", f"{length:,} steps"] = np.prod([schedule(plan, s)["momentum"] for s in range(length)])
table = pd.Series(left).unstack(sort=False)
table.style.format("{:.2%}").set_caption("part of the teacher that is still its random start")

# %% [markdown]
# This is the argument for 0.97 in `tiny`, whose runs are short. One run of each, 450 steps on UTD-MHAD, was measured: momentum
# from 0.99 reached kNN .648 and linear probe .662, momentum from 0.97 reached .653 and .713
# ([small scale](../docs/small_scale.md)). 0.994 was not tried.


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
# - `t = m * t + …` makes a new tensor and leaves the network as it was.
# - Without `torch.no_grad()`, the teacher would keep a graph of all steps so far.
# - `t.data = s.data` makes both share memory: from then on, they are one network.
# - Momentum on the wrong side: it is the part of the *teacher* that stays.
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
# A **head** (section 3.2) maps a feature to a point on a sphere in $E$ dimensions. It compares this point with $K$ learned
# directions $c_k$ of the same space, the prototypes. Each prototype also has a learned length $s_k$. The products are the
# **logits**:
#
# $$\ell_k = s_k \cos(h(x), c_k), \qquad h: \text{three linear layers with GELU, then L2 normalization}$$
#
# All lengths are 1 at the start, so the first logits are cosines. No prototype has a meaning then. There are two heads, one for
# the clip (its CLS token) and one for tokens.

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
# In $E$ dimensions, random directions have cosines with a standard deviation of $1/\sqrt{E}$, so the logits are *small*. Remember
# this number: it sets how low the temperature must be. *Predict: how does training change it? Do the lengths $s_k$ grow?*

# %%
long = pretrain.pretrained_run("small")  # comes with slimlab, with its heads
trained = slimlab.pretrained("small", skeleton=body).eval()
head = long.teacher.cls_head
with torch.no_grad():
    after = head(evaluate.features(trained, people[some], pool="cls", combine="sum").x)
low, high = float(head.norms.min()), float(head.norms.max())
print(f"after {long.step:,} steps of `small`: standard deviation {after.std():.3f}, largest logit {after.max():.2f};", end=" ")
print(f"1/√E = {long.config.head_bottleneck**-0.5:.3f}; lengths, 1 at the start, are {low:.2f} to {high:.2f}")

# %% [markdown]
# The logits of `small` spread more widely than those of an untrained head, although its lengths have not grown: features and
# prototypes have moved towards each other.
#
# ## Sinkhorn-Knopp, half an iteration at a time
# How do logits become a target? A softmax would allow all clips to choose the same prototype. Sinkhorn-Knopp ([arXiv
# 2006.09882](https://arxiv.org/abs/2006.09882); SLiM, section 3.2) looks for the matrix nearest to $\exp(\ell / \tau)$ that
# satisfies two constraints. The rows of the matrix are the $N$ clips of the batch, its columns the $K$ prototypes. The *column
# constraint*: every prototype is used equally often over the batch. The *row constraint*: every clip is assigned once. The
# algorithm alternates between them:
#
# $$Q_{nk} \leftarrow \frac{Q_{nk}}{K \sum_{n'} Q_{n'k}} \;\text{(columns)}, \qquad
# Q_{nk} \leftarrow \frac{Q_{nk}}{N \sum_{k'} Q_{nk'}} \;\text{(rows)}$$
#
# *Predict: once the columns are even, are the rows even, too? And once the rows are, are the columns still even?*

# %%
small_batch = logits[::5, :16][:12] + 0.15 * (torch.arange(16) == 3)  # one prototype is nearest to nearly all clips
stages = analysis.sinkhorn_stages(small_batch, temperature=0.07, iterations=3)
shown = [stages[i] for i in (0, 1, 2, 6)]
plot.assignments(shown, title="blue: sums of columns (prototypes), orange: sums of rows (clips), dotted: even")

# %%
uneven = {name: (float(q.sum(0).std() * 16), float(q.sum(1).std() * 12)) for name, q in stages}
assert uneven["columns 1"][0] < 1e-6 < uneven["columns 1"][1]  # one constraint at a time
assert uneven["rows 1"][1] < 1e-6 < uneven["rows 1"][0]
pd.DataFrame(uneven, index=["columns: sd of sums, 0 is even", "rows"]).T.round(4)

# %% [markdown]
# Each half violates what the other half has satisfied, but by less every time. The paper makes three iterations. The control is
# the plain softmax of the same logits: it satisfies the row constraint alone.

# %%
softmax = (small_batch.double() / 0.07).softmax(dim=1) / 12
pair = [("softmax: rows alone", softmax), ("Sinkhorn, 3 iterations", stages[-1][1])]
print(f"most used prototype: softmax {softmax.sum(0).max():.2f}, Sinkhorn {stages[-1][1].sum(0).max():.2f} of all assignments")
assert torch.allclose(stages[-1][1] * 12, losses.sinkhorn_knopp(small_batch, 0.07).double(), atol=1e-5)  # the library's
plot.assignments(pair, title="the control: without the column constraint one prototype is used far more than the others")


# %% tags=["exercise", "raises-exception"]
# Exercise 2 · difficulty 2 of 3 · about 15 minutes
def sinkhorn(logits, temperature, iterations=3):
    """Logits (N, K) -> assignments (N, K): rows sum to one, prototypes are used evenly."""
    raise NotImplementedError


lessons.check_sinkhorn(sinkhorn)

# %% [markdown]
# <details><summary>Hint</summary>
#
# Start from `exp(logits / temperature)`. The factors 1/K and 1/N of the equations cancel, because you end with rows that sum to
# one.
# </details>
# <details><summary>Common mistakes</summary>
#
# - Rows before columns: the result then has even columns, and rows that do not sum to one.
# - Forgetting the temperature, or multiplying by it.
# - Overflow: `exp` of logits / 0.02 is easily too large. Subtract the largest logit first, which changes no assignment. It has to
#   be the largest of the whole matrix: to subtract each row's own weighs the rows differently when columns are summed.
# - `q / q.sum(dim=1)` without `keepdim=True`: PyTorch then divides the columns, or fails where $N \ne K$.
# - `q /= …` on the logits that were given: the caller still needs them.
# - A fixed number of iterations, or going on until both constraints hold: use the argument.
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
# Over how many prototypes does one target $q$ spread? The exponential of its entropy counts them: 1 is a decision, $K$ says
# nothing. The count also bounds the loss. No student $p$ can get below the entropy of its target,
#
# $$-\sum_k q_k \log p_k \;\ge\; H(q) = \ln(\text{prototypes per target}),$$
#
# and a student that knows nothing and answers evenly pays $\ln K$. The difference is all there is to learn.
#
# *Predict: the paper has 65,536 prototypes and teacher temperatures of 0.04 to 0.07. Over which share of them does a target of an
# untrained head spread?*

# %%
temperatures = np.geomspace(0.005, 0.3, 25)
spread, heads = {}, {}
for count in (16, 128, 1024):
    torch.manual_seed(here.seed)
    heads[count] = losses.PrototypeHead(config.width, count, config.head_hidden, config.head_bottleneck, init_std=None)
    with torch.no_grad():
        own = heads[count](features)
    each = [analysis.effective_prototypes(losses.sinkhorn_knopp(own, t)) / count for t in temperatures]
    spread[f"K = {count}"] = pd.DataFrame({"step": temperatures, "share of prototypes in one target": each})

# %%
figure = plot.runs(spread, ["share of prototypes in one target"], smooth=1)
figure.axes[0].set(xlabel="teacher temperature", xscale="log")
for t in (0.02, 0.04, 0.07):
    figure.axes[0].axvline(t, color="0.6", linestyle=":")
figure

# %%
heads[65_536] = losses.PrototypeHead(config.width)  # the paper's head on top of tiny's features
rows = []
for count, temperature in ((65_536, 0.07), (65_536, 0.04), (1024, 0.04), (128, 0.07), (128, 0.02)):
    with torch.no_grad():
        target = losses.sinkhorn_knopp(heads[count](features), temperature)
    rows.append({"K": count, "temperature": temperature, "prototypes per target": analysis.effective_prototypes(target)})
table = pd.DataFrame(rows)
table["to learn (nats)"] = np.log(table["K"] / table["prototypes per target"])
table.style.format({"prototypes per target": "{:,.0f}", "temperature": "{:.2f}", "to learn (nats)": "{:.2f}"})

# %% [markdown]
# At the paper's temperatures, an untrained head gives targets that are nearly even, so there is little to learn at first. Over
# many steps, features and prototypes move towards each other, and the logits spread (you saw it for `small`). A short run of a
# small network cannot wait for that. `tiny` has 128 prototypes and a temperature of 0.02, and `small` has 256 and 0.01. Every
# step logs `target_prototypes`, the prototypes per target.
#
# ## GLCL: views of one clip agree
# The first loss is GLCL, the **global-local contrastive loss**. The teacher assigns the two global views. The student sees them,
# too, and $n$ local views. It must predict each teacher's assignment from every *other* view (section 3.2). These are $2 + 2n$
# cross-entropies, each a mean over the batch:
#
# $$\mathcal{L}_\text{GLCL} = \frac{1}{2 + 2n} \sum_{t \in \{1, 2\}} \sum_{s \ne t}
# -\frac{1}{B}\sum_b \sum_k q^{(t)}_{bk} \log p^{(s)}_{bk}$$
#
# Here $q$ comes from Sinkhorn at the teacher's temperature, and $p$ = softmax(student's logits / 0.1).

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
# The sum leaves out the two terms with $s = t$, in which a view would predict its own assignment.
#
# ## MFP: hidden tokens
# The second loss is MFP, **masked feature prediction** (MFM in the first preprint). For each hidden token of a masked global
# view, the student predicts how the teacher, which *sees* this token, assigns it. MFP is a mean over each view's hidden tokens
# $M_v$, and then over all $2B$ global views of the batch. Views without a mask count zero (section 3.2):
#
# $$\mathcal{L}_\text{MFP} = \frac{1}{2B}\sum_v \frac{1}{|M_v|} \sum_{i \in M_v} -\sum_k q_{vik} \log p_{vik}$$

# %%
x, _ = evaluate.prepare(views.globals.flatten(0, 1), networks.encoder.config)  # (2B, 3, T, V, 1)
hidden = torch.zeros(len(x), x.shape[2] // config.patch_frames, len(body), dtype=torch.bool)
hidden[::2] = masking.semantic_tubes(batch, hidden.shape[1], body, torch.linspace(0.5, 0.9, batch), generator=dice)
with torch.no_grad():
    wanted = losses.sinkhorn_knopp(networks.token_head(networks.encoder(x).tokens[:, 0][hidden]), 0.02)  # (tokens, K)
    guessed = networks.token_head(networks.encoder(x, mask=hidden[:, None]).tokens[:, 0][hidden])
mfp = losses.masked_feature_loss(guessed, wanted, hidden)
print(f"MFP {mfp:.3f}; {len(wanted)} hidden tokens in {batch} of {len(hidden)} views; half of ln K = {np.log(128) / 2:.3f}")

# %% [markdown]
# Half of the views have no mask here and count zero, so an even answer would cost half of $\ln K$. The untrained student costs
# more: at its temperature of 0.1 it does not answer evenly, and what it says is wrong.
#
# Why does the mean over each view come first? A view with nine tenths of its tokens hidden has almost twice as many hidden tokens
# as a view with half of them hidden. In one mean over all tokens, the hardest views would count most.


# %% tags=["exercise", "raises-exception"]
# Exercise 3 · difficulty 2 of 3 · about 20 minutes
def masked_loss(student_logits, teacher_targets, mask, temperature=0.1):
    """Logits and targets (tokens, K) in the order of mask.nonzero(); mask (views, T', V) bool -> a scalar."""
    raise NotImplementedError


lessons.check_masked_loss(masked_loss)

# %% [markdown]
# <details><summary>Hint</summary>
#
# `mask.nonzero()[:, 0]` is the view of each token. In a view with $m$ hidden tokens, each weighs $1/m$. Sum up, and divide by
# the number of all views, those without hidden tokens included.
# </details>
# <details><summary>Common mistakes</summary>
#
# - `.mean()` over all tokens at once.
# - Dividing by the masked views alone. In a loop, the mean of a view without hidden tokens is NaN: such a view counts zero.
# - The softmax where its logarithm belongs, or the logarithm of a mean.
# - Detaching the student's logits: the value is right, and nothing learns.
#
# A loop over the views is right, but slow.
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
# ## Which hidden tokens are hard?
# The weights `small` come with their student and teacher, on eight time steps. We hide half of each clip in tubes and compute the
# loss of each hidden token. A token can be hard for two reasons: it lies in a long run of hidden time steps, or its limb moves
# independently of the others. The control gives each token the target of another hidden token, drawn at random.
#
# *Predict: how does the loss change with the length of the run? Which limb is hardest?*

# %%
encoders = [weights.on_body(n.encoder, body).eval() for n in (long.teacher, long.student)]
given = evaluate.inputs(encoders[0], people, range(0, len(people), 6))
x = torch.stack([given.x[i, ..., given.people[i].nonzero()[0, 0], None] for i in range(len(given.x))])  # (B, 3, T, V, 1)
hidden = masking.semantic_tubes(len(x), 8, body, 0.5, generator=dice)
with torch.inference_mode():
    seen = long.teacher.token_head(encoders[0](x).tokens[:, 0][hidden])
    guessed = long.student.token_head(encoders[1](x, mask=hidden[:, None]).tokens[:, 0][hidden])
wanted = losses.sinkhorn_knopp(seen, long.config.teacher_temperature[1])  # (tokens, K)


# %%
def run_lengths(mask):
    """(n, T', V): for each hidden token, how many time steps the run lasts in which its joint is hidden."""
    before, after = torch.zeros(2, *mask.shape, dtype=torch.long)
    for t in range(mask.shape[1]):
        u = mask.shape[1] - 1 - t
        before[:, t] = mask[:, t] * (1 + (before[:, t - 1] if t else 0))
        after[:, u] = mask[:, u] * (1 + (after[:, u + 1] if t else 0))
    return before + after - mask.long()


# %%
part = np.array(list(body.parts))[body.part_of][hidden.nonzero()[:, 2].numpy()]
of_others = wanted[torch.randperm(len(wanted), generator=dice)]
table = pd.DataFrame({"time steps hidden": run_lengths(hidden)[hidden].numpy(), "part": part})
table["MFP"] = losses.cross_entropy(guessed, wanted, 0.1).numpy()
table["control: another token's target"] = losses.cross_entropy(guessed, of_others, 0.1).numpy()
table["tokens"] = 1
ways = {by: table.groupby(by).agg({"tokens": "size"} | dict.fromkeys(table.columns[2:4], "mean")) for by in table.columns[:2]}
print(f"ln K = {np.log(long.config.prototypes):.2f}: the loss of an even answer")
pd.concat(ways).round(2)

# %%
long_run, by_part = table["time steps hidden"] > 4, ways["part"]["MFP"]
short, long_ones = table["MFP"][~long_run].mean(), table["MFP"][long_run].mean()
print(f"MFP in runs of 1 to 4 steps {short:.2f}, of 5 to 8 steps {long_ones:.2f};", end=" ")
print(f"by part from {by_part.min():.2f} ({by_part.idxmin()}) to {by_part.max():.2f} ({by_part.idxmax()})")

# %% [markdown]
# Compare the two halves of the table: does the loss differ more between run lengths or between limbs? A row with few tokens comes
# from few clips, so compare the two groups of run lengths in the printed line, too. Lesson 04 measured how hard a mask makes
# *interpolation*. A network need not interpolate: other joints, and what it knows about motion, help it, too.
#
# ## KoLeo: keep your distance
# The third loss, **KoLeo** (after the Kozachenko-Leonenko estimator of entropy, [arXiv
# 1806.03198](https://arxiv.org/abs/1806.03198)), looks at the features themselves. For one global view at a time, it takes the
# distance of each feature to its nearest neighbor in the batch, on the sphere:
#
# $$\mathcal{L}_\text{KoLeo} = -\frac{1}{B} \sum_b \log \min_{c \ne b} \lVert z_b - z_c \rVert$$
#
# *Predict: two dozen points lie in a bunch on a circle, and this loss alone moves them. Where do they go?*

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
# KoLeo spreads the points over the circle. In small doses (a weight of 0.1 in the paper, 0.02 in `tiny`) it keeps features apart.
# It does not know which clips belong together, so alone it would spread noise just as well. The whole loss (section 3.2) is
#
# $$\mathcal{L} = \mathcal{L}_\text{GLCL} + \mathcal{L}_\text{MFP}
# + 0.1\,(\mathcal{L}_\text{KoLeo}^{(1)} + \mathcal{L}_\text{KoLeo}^{(2)})$$
#
# No coordinate is reconstructed anywhere.
#
# ## What a low loss does not say
# Two made-up batches of 16 clips. In the first one, all clips have the same target; in the second, each clip has its own. In
# both, a student guesses every target. *Predict: which of the two has the lower GLCL?*

# %%
made_up = {"the same target for all": torch.eye(128)[[7] * 16], "a target for each": torch.eye(128)[:16]}
for name, target in made_up.items():
    glcl = losses.global_local_loss([40 * target] * 4, [target] * 2)  # four views; logits that hit every target
    print(f"{name:<24} GLCL {glcl:.2f}, prototypes in use {analysis.used_prototypes(target):.0f}")

# %% [markdown]
# The loss cannot tell a perfect student from one that answers everything in the same way. *Prototypes in use* can. It counts the
# prototypes over which the most likely answers of a batch spread.
#
# A **collapse** comes in two kinds. The *answers* collapse when all clips get the same target. The *features* collapse when all
# clips get nearly the same feature; then the **rank**, the effective number of directions that the features use (RankMe), is
# near one. Neither implies the other:

# %%
apart, bunched = torch.randn(64, 64, generator=dice), 1 + 0.005 * torch.randn(64, 64, generator=dice)  # features
with torch.no_grad():
    of_apart, of_bunched = (losses.sinkhorn_knopp(networks.cls_head(x), 0.02) for x in (apart, bunched))
made_up = {"healthy": (apart, of_apart), "answers collapsed": (apart, torch.eye(128)[[7] * 64])}
made_up["features collapsed"] = (bunched, of_bunched)
rows = {name: (analysis.rankme(x), analysis.used_prototypes(q)) for name, (x, q) in made_up.items()}
pd.DataFrame(rows, index=["rank of features", "prototypes in use"]).T.round(1)

# %% [markdown]
# In the last row, Sinkhorn spreads the answers over many prototypes although the features hardly differ: it enlarges whatever
# differences there are. Two kinds of collapse need two monitors.
#
# ## A collapse, provoked and cured
# Now with real runs: the same data, seed and network, and two switches. Targets are a plain *softmax* of the teacher's logits, or
# *Sinkhorn*. *KoLeo* is off or on. A fifth run has targets that are too warm (a temperature of 0.1).
#
# slimlab stops a collapsed run and says which kind it is: *answers* where fewer than two prototypes are in use for many steps in
# a row (30 in runs as short as these), *features* where the rank is below 1.5 in two measurements in a row. The networks of a
# stopped run stay in memory, so we can look at them.
#
# *Predict for each run: where does GLCL go? How many prototypes are in use at the end? Which run has the lowest loss?*

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
    rows[-1] |= {"rank": analysis.rankme(x), "mean cosine of two clips": float((x @ x.T).mean())}
table = pd.DataFrame(rows).set_index("run")
table.round(2)

# %%
for name, row in table.iterrows():
    kinds = [k for k, bad in {"answers": row["in use"] < FEW_PROTOTYPES, "features": row["rank"] < LOW_RANK}.items() if bad]
    found = f"collapsed: {' and '.join(kinds)}" if kinds else "no collapse"
    print(f"{name:<20} {found}" + (f"; slimlab stopped it ({stopped[name].kind})" if name in stopped else ""))
lowest = table["GLCL"].idxmin()
print(f"lowest GLCL: {lowest}, {table['GLCL'].min():.2f}, with {table.loc[lowest, 'in use']:.1f} prototypes in use")
print(f"GLCL too warm: {table.loc['Sinkhorn, too warm', 'GLCL']:.2f}; an even answer: {np.log(config.prototypes):.2f}")

# %% [markdown]
# Compare the rows with your predictions.
# - **Softmax, no KoLeo**: nothing balances the prototypes. Agreeing on one prototype is the easiest way to a low loss. Look at
#   the rank as well: would it have told you?
# - **Softmax, KoLeo**: KoLeo keeps features apart and does not look at prototypes. Compare its rank and its prototypes in use
#   with the row above.
# - **Sinkhorn, no KoLeo**: the column constraint forbids the one answer. This is the main cure.
# - **Sinkhorn, KoLeo**: both, as in the paper.
# - **Sinkhorn, too warm**: a collapse is not the only way to learn nothing. Compare *per target* with 128 and GLCL with ln K.
#
# A loss that falls says nothing by itself. *Prototypes in use*, *prototypes per target* and *rank* are its controls.

# %%
folded = teachers["softmax, no KoLeo"]
plot.prototype_usage(analysis.prototypes(folded.encoder, folded.cls_head, people))

# %%
cure = teachers["Sinkhorn, KoLeo"]
plot.prototype_usage(analysis.prototypes(cure.encoder, cure.cls_head, people))

# %% [markdown]
# What do the prototypes of the last run gather after so few steps? Click a bar, and the clips nearest to that prototype play. Do
# they show one action, one subject, or one direction in which people face? (Lesson 06 trains longer.)

# %%
widgets.PrototypeExplorer(runs["Sinkhorn, KoLeo"], people)

# %% [markdown]
# ## Prototypes of a longer run
# The run of `small` was far longer, and saw synthetic motion only. Its head reads features, not joints, so it can assign the
# clips of these people, too. *Purity* is the share of clips that have the most frequent action of their prototype. With few
# clips for each prototype, purity is high by chance, so it needs a control: the same with shuffled labels.
#
# *Predict: does the head use more prototypes for these clips behind its trained encoder than behind an untrained one? Do the
# clips of one prototype show one action?*


# %%
def purity(found, labels):
    """Share of the clips whose label is the most frequent one of their prototype."""
    counts = pd.crosstab(found.nearest.numpy(), labels[found.table["clip"].to_numpy()])
    return counts.max(axis=1).sum() / len(found)


encoders = {"small": trained, "the same, untrained": evaluate.random_encoder(trained.config, here.seed)}
sorted_by = {name: analysis.prototypes(e, head, people) for name, e in encoders.items()}
shuffled = np.random.default_rng(here.seed).permutation(people.labels)
rows = {n: [p.in_use(), purity(p, people.labels), purity(p, shuffled)] for n, p in sorted_by.items()}
columns = [f"in use, of {long.config.prototypes}", "purity", "purity, labels shuffled"]
pd.DataFrame(rows, index=columns).T.round(2)

# %%
often = int(sorted_by["small"].usage().argmax())
plot.prototype_nearest(sorted_by["small"], often, people, title=f"small: nearest to its most used prototype, {often}")

# %% [markdown]
# With *tokens*, the explorer shows the other head: which joint, at which of the eight time steps, is nearest to a prototype? Does
# a prototype of tokens stand for a joint, for a moment of the motion, or for both?

# %%
widgets.PrototypeExplorer(long, people)

# %% [markdown]
# ## Summary
# - The teacher is a slow average of the student. It sees global views without masks and assigns clips and tokens to prototypes.
# - An assignment can name several possible answers. It can be balanced over a batch (Sinkhorn-Knopp) and sharpened (temperature).
# - $\ln K - \ln(\text{prototypes per target})$ is what there is to learn from a target.
# - GLCL makes views of one clip agree, MFP predicts hidden tokens, and KoLeo keeps features apart.
# - Without balance, the loss can go to zero while nothing is learned. Prototypes in use show a collapse of answers; the rank
#   shows a collapse of features.
#
# **Next:** lesson 06 puts the parts together and trains, live: schedules, a run that you can stop and resume, and curves that you
# now know how to read.
#
# ## Test yourself
# 1. Is a GLCL of zero good news? <details><summary>Answer</summary>It alone says nothing. It means that every target is one-hot
#    and that the student guesses it. All clips may have the same target, or each clip its own: look at the prototypes in
#    use.</details>
# 2. A run has GLCL / ln K = 0.99 after 300 steps. Which number do you look at, and which setting do you change first?
#    <details><summary>Answer</summary>Prototypes per target. If they are near K, lower the teacher's temperature (or K). If
#    they are few, look at the learning rate.</details>
# 3. Why does Sinkhorn need a batch, and what happens with a batch of two clips? <details><summary>Answer</summary>"Used equally
#    often" is a statement about many samples. With two clips, each must take half of all prototypes, whatever it
#    shows.</details>
# 4. What is the teacher if $m = 1$ from the first step on? Could the student still learn something?
#    <details><summary>Answer</summary>The random start, for ever. The student can learn to predict the assignments of a random
#    network from partial views, and no more.</details>
# 5. KoLeo keeps features apart. Why is it no cure for collapsed answers? <details><summary>Answer</summary>It looks at the
#    encoder's features. The head behind them can still send all of them to one prototype, as in the made-up row "answers
#    collapsed".</details>
# 6. A monitor shows a feature rank of 14. Can the run have collapsed? <details><summary>Answer</summary>Yes: its answers can
#    have, at any rank. Look at the prototypes in use.</details>
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
