# %% [markdown]
# # 09 · The landscape: other methods, one loss line each
#
# **After this lesson** you can write the losses of contrastive learning, BYOL and DINO, say for each method of the field what
# it predicts, what would collapse it and what prevents that, read a table of methods, and say what the paper's table 10 does
# and does not show. **Needs** lesson 05, and the quickstart's idea of kNN; no GPU. **Takes** about 80 minutes with its three
# exercises; the last cell prints the machine's share.
#
# Self-supervised methods differ in one question: *what has to be predicted?* The answer decides what may go wrong. If the target
# is computed by a network, the easiest prediction is one that is the same for everybody: a **collapse**. SLiM ([arXiv
# 2603.10648](https://arxiv.org/abs/2603.10648)) combines two answers, MFP (masked feature prediction) and GLCL (global-local
# contrastive loss); the [glossary](../docs/glossary.md) explains the words. Here its neighbors run on the same data.

# %%
import math

import pandas as pd
import torch
import torch.nn.functional as F

from slimlab import evaluate, lessons, losses, plot, pretrain, study, widgets
from slimlab.analysis import cost
from slimlab.baselines import mae, matched
from slimlab.data import split
from slimlab.lessons import landscape

here = lessons.begin("09_landscape")  # or data="synthetic", or your own: data="~/UTD-MHAD/Skeleton"
store, quick = here.store, here.quick
body = store.skeleton

# %% [markdown]
# You are here: the whole method. This lesson changes what it predicts, and keeps the rest.

# %%
plot.method(None)

# %% [markdown]
# ## One batch for all
# Each method below gets the same views of the same clips, the same encoder (`tiny`, of width 64) and the same first weights. A
# `Pair` holds two augmented views, and which tokens of the first one are hidden. The clips are of real people (UI-PRMD).

# %%
config = pretrain.Config(preset="tiny", seed=here.seed)
train, test = split(store, "cross-subject")  # odd subjects train, even ones test
batches = landscape.pairs(train, config, 6 if quick else 100)
torch.manual_seed(here.seed)
start = landscape.Network(config, body)
first = batches[0]
print(
    f"{len(batches)} batches; views {tuple(first.a.shape)}, {first.hidden.double().mean():.0%} of the first view's tokens hidden"
)

# %% [markdown]
# ## Contrastive: which of these is the same clip?
# Embeddings $a_i$ and $b_i$ of the two views of clip $i$ are brought to length one. View $a_i$ has to find $b_i$ among all
# $b_j$ of the batch, its **negatives**, and the other way round ([InfoNCE, arXiv 1807.03748](https://arxiv.org/abs/1807.03748);
# MoCo, [arXiv 1911.05722](https://arxiv.org/abs/1911.05722)):
#
# $$ \mathcal{L} = -\frac{1}{2B} \sum_i \left[ \log \frac{e^{a_i \cdot b_i / \tau}}{\sum_j e^{a_i \cdot b_j / \tau}}
# + \log \frac{e^{a_i \cdot b_i / \tau}}{\sum_j e^{a_j \cdot b_i / \tau}} \right] . $$


# %% tags=["exercise", "raises-exception"]
# Exercise 1 · difficulty 2 of 3 · about 20 minutes
def info_nce(a, b, temperature):
    """Embeddings (B, E) of two views of the same clips, of any length -> a scalar."""
    raise NotImplementedError


lessons.check_info_nce(info_nce)

# %% [markdown]
# <details><summary>Hint</summary>
#
# One matrix of scores (B, B); the right answers lie on its diagonal. Each direction is a cross-entropy with classes 0 to B - 1.
# </details>
# <details><summary>Common mistakes</summary>
#
# - One direction only, or the sum of both. Products instead of cosines. A temperature that multiplies.
# - Leaving the partner out of the sum below the fraction.
# - Negatives from the same view as well: that is SimCLR's variant (arXiv 2002.05709), with $2B - 2$ negatives.
# - `detach` on one side: MoCo's second view comes from a momentum encoder, here both learn.
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def info_nce(a, b, temperature):
#     scores = F.normalize(a, dim=1) @ F.normalize(b, dim=1).T / temperature  # (B, B)
#     own = torch.arange(len(a))
#     return (F.cross_entropy(scores, own) + F.cross_entropy(scores.T, own)) / 2
# ```
# </details>

# %% [markdown]
# ## Prototypes: which kind is it?
# SwAV ([arXiv 2006.09882](https://arxiv.org/abs/2006.09882)) asks no longer *which clip* but *which prototype*. One view predicts
# the assignment of the other, and Sinkhorn (lesson 05) keeps the assignments in balance over the batch. DINO ([arXiv
# 2104.14294](https://arxiv.org/abs/2104.14294)) takes the assignments from a teacher, and replaces Sinkhorn by *centering*: the
# mean logits of all clips, the center $c$, are subtracted from the logits $\ell_n$ before the softmax,
#
# $$ q_n = \mathrm{softmax}\big((\ell_n - c) / \tau\big), \qquad c \leftarrow m\, c + (1 - m)\, \frac1N \sum_n \ell_n . $$
#
# A prototype that all clips favor then loses its advantage. A low temperature, *sharpening*, works against the opposite collapse,
# the even answer.


# %% tags=["exercise", "raises-exception"]
# Exercise 2 · difficulty 1 of 3 · about 15 minutes
def centered(logits, center, temperature, momentum):
    """Teacher's logits (N, K), the center so far (K,) -> targets (N, K) by that center, and the new center (K,)."""
    raise NotImplementedError


lessons.check_centered(centered)

# %% [markdown]
# <details><summary>Hint</summary> Two results in a tuple. The targets use the center as it was before this batch.
# </details>
# <details><summary>Common mistakes</summary>
#
# - The batch's own mean in place of the running one: a small batch is a poor estimate.
# - The center subtracted after the division by the temperature; momentum given to the batch; a sum for the mean.
# - Changing `center` in place: the caller's targets of the next batch would change with it.
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def centered(logits, center, temperature, momentum):
#     targets = ((logits - center) / temperature).softmax(dim=1)
#     return targets, momentum * center + (1 - momentum) * logits.mean(dim=0)
# ```
# </details>

# %% [markdown]
# ## BYOL: no negatives at all
# BYOL ([arXiv 2006.07733](https://arxiv.org/abs/2006.07733)) lets the student's embedding of one view pass a *predictor*, two
# more layers, and compares the result $p$ with the teacher's embedding $t$ of the *other* view. Both have length one:
#
# $$ \mathcal{L} = \tfrac12 \left[ (2 - 2\, p_1 \cdot \mathrm{sg}(t_2)) + (2 - 2\, p_2 \cdot \mathrm{sg}(t_1)) \right]
# \quad \text{(mean over the batch)} . $$
#
# sg is the *stop-gradient*: the target does not move towards the prediction.


# %% tags=["exercise", "raises-exception"]
# Exercise 3 · difficulty 2 of 3 · about 15 minutes
def byol(predicted, targets):
    """Student's predictions and teacher's targets, each a list of two views (B, E) of any length -> a scalar."""
    raise NotImplementedError


lessons.check_byol(byol)

# %% [markdown]
# <details><summary>Hint</summary> `F.cosine_similarity(…, dim=1)`; `tensor.detach()` is the stop-gradient.
# </details>
# <details><summary>Common mistakes</summary>
#
# - A view compared with its own target: two crops of one clip are never compared then.
# - No stop-gradient. With a frozen teacher nothing is lost by it, until a target comes from a network that learns.
# - `F.mse_loss` of unit vectors: it averages over the numbers of a vector too, and is smaller by a factor E.
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def byol(predicted, targets):
#     cosines = [F.cosine_similarity(predicted[v], targets[1 - v].detach(), dim=1).mean() for v in (0, 1)]
#     return 2 - 2 * (cosines[0] + cosines[1]) / 2
# ```
# </details>

# %% [markdown]
# ## Masked: the rest of the clip
# A masked autoencoder (MAE, [arXiv 2111.06377](https://arxiv.org/abs/2111.06377)) predicts the hidden tokens' *coordinates*.
# JEPA (joint-embedding predictive architecture, [arXiv 2301.08243](https://arxiv.org/abs/2301.08243)) predicts the teacher's
# *features* of them; SLiM's MFP the teacher's *prototypes*.
#
# Here are seven losses, one line each. `s` is the student, `t` its moving average, `v` a `Pair`. For brevity the lines for SwAV
# and DINO predict one view from the other only, and all masked ones let the encoder see mask tokens, as SimMIM does ([arXiv
# 2111.09886](https://arxiv.org/abs/2111.09886)).

# %%
my = {name: lessons.own(name) for name in ("info_nce", "byol", "sinkhorn")}


def cross(logits, targets):
    return losses.cross_entropy(logits, targets.detach(), 0.1).mean()


def balanced(logits):
    return my["sinkhorn"](logits.detach(), 0.02).to(logits)


# %%
def features(tokens):
    return F.layer_norm(tokens, tokens.shape[-1:])  # without weights: a target cannot shrink


def frames(x):
    return mae.network.patches(x[..., 0], config.patch_frames)  # (B, T', V, 3 * frames)


# %%
methods = {
    "InfoNCE": lambda s, t, v: my["info_nce"](s.embed(v.a), s.embed(v.b), 0.1),
    "SwAV": lambda s, t, v: cross(s.logits(v.a), balanced(s.logits(v.b))),
    "DINO": lambda s, t, v: cross(s.logits(v.a), t.center(t.logits(v.b), 0.02)),
    "BYOL": lambda s, t, v: my["byol"]([s.predict(s.embed(x)) for x in (v.a, v.b)], [t.embed(x) for x in (v.a, v.b)]),
    "MAE": lambda s, t, v: F.mse_loss(s.coordinates(v.a, v.hidden)[v.asked], frames(v.a)[v.asked]),
    "JEPA": lambda s, t, v: F.mse_loss(s.guess(v.a, v.hidden)[v.asked], features(t.tokens(v.a))[v.asked]),
    "SLiM's MFP": lambda s, t, v: cross(s.token_logits(v.a, v.hidden)[v.asked], balanced(t.token_logits(v.a)[v.asked])),
}
pd.Series({name: float(loss(start, start, first).detach()) for name, loss in methods.items()}, name="before training").round(3)

# %% [markdown]
# ## What does a constant answer pay?
# The laziest network gives everybody the same answer: one embedding, one favorite prototype, the center of the body. `Constant`
# is that network, and the same seven lines say what it pays.
#
# *Predict: for which of the seven is the constant answer free? And what does it pay where it is not?*

# %%
lazy = landscape.Constant(config, body)
pays = pd.Series({name: float(loss(lazy, lazy, first).detach()) for name, loss in methods.items()}, name="a constant pays")
known = {"ln B": math.log(len(first.a)), "ln K": math.log(config.prototypes)}
known["mean square of the hidden coordinates"] = float(frames(first.a)[first.asked].square().mean())
assert abs(pays["InfoNCE"] - known["ln B"]) < 1e-4 and max(pays["BYOL"], pays["JEPA"]) < 1e-5
assert min(pays["SwAV"], pays["DINO"], pays["SLiM's MFP"]) > known["ln K"] - 1e-4
print({name: round(value, 3) for name, value in known.items()})
pays.round(3)

# %% [markdown]
# - **InfoNCE**: $\ln B$. A constant cannot tell the partner from the negatives.
# - **Prototypes**: at least $\ln K$. Balanced or centered targets of a constant are even, and an even target costs that much. The
#   favorite makes it worse.
# - **MAE**: the mean square of the coordinates around the body's center. The target is data, and no network can flatten it.
# - **BYOL, JEPA**: nothing. A collapsed network has the lowest loss there is. What may keep training away from it is not the loss
#   but the way it is minimized: the stop-gradient, a predictor, and a teacher that follows slowly.
#
# ## Train them, with and without
# Each method trains on the same batches from the same weights. Four of them also train without what protects them from collapse.
# We judge the encoder's features on test subjects by their rank (RankMe, lesson 06), the mean cosine of two clips, and kNN. We
# read CLS where the loss acts on CLS, and the mean token otherwise. The controls are raw coordinates, and the network before
# training, read in both ways.
#
# *Predict, for each of the four without protection: does it collapse in so few batches?*

# %%
without = {
    "InfoNCE, no negatives": lambda s, t, v: 2 - 2 * F.cosine_similarity(s.embed(v.a), s.embed(v.b), dim=1).mean(),
    "SwAV, no balance": lambda s, t, v: cross(s.logits(v.a), (s.logits(v.b) / 0.02).softmax(dim=1)),
    "BYOL, no predictor": lambda s, t, v: my["byol"]([s.embed(v.a), s.embed(v.b)], [t.embed(v.a), t.embed(v.b)]),
    "JEPA, its own target": lambda s, t, v: F.mse_loss(s.guess(v.a, v.hidden)[v.asked], features(s.tokens(v.a))[v.asked]),
}
reads = dict.fromkeys(("MAE", "JEPA", "SLiM's MFP", "JEPA, its own target"), "mean")
networks, curves = {}, {}
for name, loss in (methods | without).items():
    networks[name], values = landscape.trained(start, loss, batches, config)
    curves[name] = pd.DataFrame({"step": range(len(values)), "loss": values})

# %%
rows = {f"start, {kind}": landscape.judge(start, kind, train, test) for kind in ("cls", "mean")}
for name, network in networks.items():
    rows[name] = {"loss": curves[name]["loss"].tail(10).mean()} | landscape.judge(network, reads.get(name, "cls"), train, test)
    if name.startswith(("SwAV", "DINO")):
        rows[name]["prototypes in use"] = landscape.in_use(network, test)
rows["raw coordinates"] = {"kNN": evaluate.knn(evaluate.raw_features(train), evaluate.raw_features(test), k=5).accuracy}
table = pd.DataFrame(rows).T[["loss", "rank", "mean cosine", "prototypes in use", "kNN"]]
table.style.format("{:.2f}", na_rep="–")

# %%
for name in without:
    method = name.split(",")[0]
    whole, bare = table.loc[method], table.loc[name]
    signs = {"features": lambda row: row["mean cosine"] > 0.99 or row["rank"] < 2}
    signs["answers"] = lambda row: row["prototypes in use"] < 2
    seen = [sign for sign, of in signs.items() if of(bare) and not of(whole)]  # what the whole method shows too, tells nothing
    came = f"signs of a collapse of its {' and '.join(seen)}" if seen else "no sign of a collapse that the whole method lacks"
    known = table.loc[f"start, {reads.get(name, 'cls')}", "kNN"]
    came += "" if not seen or bare["kNN"] < known else f", but its kNN is not below that of the start ({known:.2f})"
    print(f"{name}: rank {bare['rank']:.1f} (whole: {whole['rank']:.1f}), cosine {bare['mean cosine']:.2f}", end="")
    print(f" ({whole['mean cosine']:.2f}), loss {bare['loss']:.3f}, kNN {bare['kNN']:.2f} ({whole['kNN']:.2f}): {came}")

# %% [markdown]
# A mean cosine near one is a sign and no proof: features may share a large constant part and still differ in the rest, and then
# kNN can tell clips apart. So the lines above name signs, and kNN beside them.
#
# They compare a method with itself, so they are silent about a sign that both show. A *whole* method can collapse,
# too. SwAV's targets are balanced within each batch. DINO's are balanced only as far as the running center keeps up: if a
# favorite prototype grows faster than the center follows, sharpening makes it the answer for everybody.
#
# *Predict: after so few batches, do SwAV and DINO answer with many prototypes?*

# %%
for name in ("SwAV", "DINO"):
    row, before = table.loc[name], landscape.in_use(start, test)
    used = row["prototypes in use"]
    verdict = "its answers have collapsed" if used < 2 else "no collapse of its answers"
    if row["rank"] < 2 or row["mean cosine"] > 0.99:
        verdict += ", and its features show a sign of it, too"
    print(f"{name}: {used:.1f} of {config.prototypes} prototypes in use, {before:.1f} before training: {verdict}", end="; ")
    print(f"rank {row['rank']:.1f}, kNN {row['kNN']:.2f} (start {table.loc['start, cls', 'kNN']:.2f})")

# %% [markdown]
# A collapse in so short a run says that this run went wrong, not that the method does: temperature, momentum of the center,
# batch size and length all differ from the paper's. The question to ask of your own run is the same: how many prototypes are in
# use?
#
# Read the loss column against the kNN column. Losses of different methods cannot be compared, and within one method the lower
# loss may belong to the network that knows less. A loss is a means to train; rank, use of prototypes and kNN with its controls
# say what came of it. So few batches and one seed cannot rank methods; lesson 07 says how far kNN on so few subjects moves by
# chance.

# %%
widgets.EmbeddingExplorer(
    test, {name: evaluate.features(networks[name].encoder, test) for name in ("InfoNCE", "InfoNCE, no negatives")}
)

# %% [markdown]
# ## Why prototypes?
# The paper's table 10 changes only what is predicted at hidden tokens. *Predict, before you look: what gains more, to leave out
# the decoder or to predict prototypes?*

# %%
printed = study.paper.published("10")
gain = printed["mean"] - printed["mean"].iloc[0]
printed.assign(**{"over coordinates": gain}).style.format("{:.2f}")

# %% [markdown]
# Predicting the teacher's features without a decoder gains nothing over coordinates with one; a predictor adds a little; the
# teacher's *prototypes* make the difference. The authors conclude that the gain comes from the assignment to prototypes, not from
# leaving out the decoder or from predicting features. The table measures that for their settings, on NTU RGB+D 60. *Why* is not
# measured. A possible reason stands above: balance over the batch makes a constant answer expensive.
#
# `slimlab.baselines.matched` trains the four in one loop, everything else alike. Here it runs for a few batches, enough to see
# that it does, and too few to compare.

# %%
short = {"steps": 4 if quick else 40, "evaluations": 0, "snapshots": 1, "seed": here.seed}
rows = {}
for predicts in matched.PREDICTS:
    folder = here.out / f"matched-{matched.PREDICTS.index(predicts)}-{train.fingerprint[:6]}-{short['steps']}-{here.seed}"
    settings = matched.Config(preset="tiny", predicts=predicts, **short)
    run = pretrain.fit(train, settings, folder=folder, method=matched.METHOD, progress=False)
    sides = (evaluate.features(run.encoder, side) for side in (train, test))
    rows[predicts] = {"MFP, first step": run.metrics["mfp"].iloc[0], "last": run.metrics["mfp"].iloc[-1]}
    rows[predicts] |= {"s a batch": 32 / run.metrics["clips_per_second"].median(), "kNN": evaluate.knn(*sides, k=5).accuracy}
pd.DataFrame(rows).T.round(3)

# %% [markdown]
# `slimlab paper 10 DATA --steps 3000 --seeds 3` asks the table's question on your data, with intervals over subjects.
#
# ## MAE and SLiM, side by side
# Now the two whole methods: SLiM's `tiny`, and the MAE of the MAMP family ([arXiv 2308.07092](https://arxiv.org/abs/2308.07092))
# at the same width and depth. The MAE's encoder sees a tenth of the tokens, and a decoder predicts the motion of the rest. Both
# get the same number of batches of the same size.
#
# *Predict: which takes longer for a batch? Which costs more in use? Which has the higher kNN after so many batches?*

# %%
length = {"steps": 6 if quick else 120, "evaluations": 0, "snapshots": 1, "seed": here.seed}
both = {
    "SLiM": (pretrain.Config(preset="tiny", **length), {}),
    "MAE": (mae.Config(preset="tiny", **length), {"method": mae.METHOD}),
}
runs = {}
for name, (settings, method) in both.items():
    folder = here.out / f"{name}-{train.fingerprint[:6]}-{length['steps']}-{here.seed}"
    runs[name] = pretrain.fit(train, settings, folder=folder, **method)
plot.runs({name: run.metrics for name, run in runs.items()}, ["loss"], smooth=5, title="two losses that cannot be compared")

# %%
torch.manual_seed(here.seed)
untrained = {
    "SLiM": evaluate.random_encoder(runs["SLiM"].encoder.config, here.seed),
    "MAE": mae.Encoder(runs["MAE"].encoder.config),
}
rows = {"raw coordinates": {"kNN": table.loc["raw coordinates", "kNN"]}}
for name, run in runs.items():
    encoder, c = run.encoder, run.encoder.config
    rows[name] = {"batches": run.config.steps, "s a batch": 32 / run.metrics["clips_per_second"].median()}
    rows[name] |= {"tokens": c.frames // c.patch_frames * len(body), "GFLOPs in use": cost.flops(encoder) / 1e9}
    for column, network in (("kNN", encoder), ("kNN, untrained", untrained[name])):
        sides = (evaluate.features(network, side) for side in (train, test))
        rows[name][column] = evaluate.knn(*sides, k=5).accuracy
side_by_side = pd.DataFrame(rows).T[["batches", "s a batch", "tokens", "GFLOPs in use", "kNN", "kNN, untrained"]]
side_by_side.style.format("{:.3g}", na_rep="–")

# %%
slim, masked = side_by_side.loc["SLiM"], side_by_side.loc["MAE"]
subjects, raw = len(set(test.column("subject"))), side_by_side.loc["raw coordinates", "kNN"]
print(f"a batch: the MAE takes {masked['s a batch'] / slim['s a batch']:.1f} times SLiM's time;", end=" ")
print(f"in use it costs {masked['GFLOPs in use'] / slim['GFLOPs in use']:.1f} times as much")
print(f"kNN on {subjects} subjects: SLiM {slim['kNN']:.3f}, MAE {masked['kNN']:.3f}, raw coordinates {raw:.3f}")
for name, row in (("SLiM", slim), ("MAE", masked)):
    print(f"  {name} against its own untrained network: {row['kNN'] - row['kNN, untrained']:+.3f}")

# %% [markdown]
# What this shows: both train in the same loop, and what a batch and a feature cost at this size. Which is the better method it
# does not show: two short runs, one seed, a few subjects. The grids differ too, 64 frames in steps of four for the MAE, 32 in
# steps of sixteen for `tiny`. In the paper's comparison at full length SLiM leads (below).
#
# ## The field
# Linear evaluation on NTU RGB+D 60, cross-subject, as SLiM's table 1 prints it, for the skeleton methods; methods for images have
# no number there. Table 3 of the paper lists their numbers of tokens.

# %%
landscape.field().style.format({"NTU-60 X-Sub": "{:.1f}"}, na_rep="–")

# %% [markdown]
# Along "against collapse" the table falls into three groups: negatives, balance or another constraint *in* the loss; data as
# the target; stop-gradient and momentum. Beware of the accuracy column: encoders, tokens, epochs and batch sizes differ from
# row to row. Table 10 is the comparison in which they do not.
#
# ## Summary
# Methods differ in what they predict: the partner among negatives, a prototype, a feature, coordinates. A constant answer is
# expensive where the loss forbids it, and free where only the dynamics of training do. The value of a loss does not tell whether
# a collapse has happened; rank, prototypes in use and kNN with controls do. In the paper it is the prototype assignment that
# gains, not the missing decoder.
#
# **Next**, lesson 10 looks inside a trained encoder: where does attention look, and which of its patterns were there before
# training?
#
# ## Test yourself
# 1. A BYOL run has a loss of 0.001 after ten steps. Good news? <details><summary>Answer</summary>Most likely a collapse: a
#    constant pays nothing. Look at the rank or the mean cosine.</details>
# 2. Why does InfoNCE want large batches, and BYOL not? <details><summary>Answer</summary>The batch supplies InfoNCE's
#    negatives, so few clips make an easy question. BYOL compares a clip with itself alone.</details>
# 3. Your batch of 32 holds 20 clips of one class. Which method is told something false?
#    <details><summary>Answer</summary>InfoNCE pushes clips of one class apart, as negatives of each other. Sinkhorn spreads
#    them over prototypes, as if classes were balanced. MAE does not mind.</details>
# 4. Can a MAE's features collapse? <details><summary>Answer</summary>Not to a constant without paying the variance of the data.
#    They may be useless all the same: interpolating a joint needs no idea of the action.</details>
# 5. A paper removes the decoder, predicts prototypes, and gains three points. Which experiment do you ask for?
#    <details><summary>Answer</summary>One change at a time, as in table 10: features without a decoder, prototypes, and
#    coordinates, all else alike.</details>
#
# ## Further reading
# - Contrastive: MoCo, [arXiv 1911.05722](https://arxiv.org/abs/1911.05722); for skeletons AimCLR,
#   [arXiv 2112.03590](https://arxiv.org/abs/2112.03590), and CMD, [arXiv 2208.12448](https://arxiv.org/abs/2208.12448).
# - Why BYOL and its kin do not collapse: SimSiam, [arXiv 2011.10566](https://arxiv.org/abs/2011.10566).
# - Masked tokens as prototypes: iBOT, [arXiv 2111.07832](https://arxiv.org/abs/2111.07832).
# - Skeletons, masked: SkeletonMAE, [arXiv 2209.02399](https://arxiv.org/abs/2209.02399); MAMP,
#   [arXiv 2308.07092](https://arxiv.org/abs/2308.07092); GFP, [arXiv 2509.03609](https://arxiv.org/abs/2509.03609); S-JEPA, ECCV
#   2024, [doi 10.1007/978-3-031-73411-3_21](https://doi.org/10.1007/978-3-031-73411-3_21).

# %%
here.end()
