# %% [markdown]
# # 10 · Attention, and what registers do
#
# **After this lesson** you can draw where a joint, a token or CLS looks, and compute attention from q and k. You can measure how
# far it reaches on the body and in time, test whether CLS follows the action, and roll attention out over the layers. You can
# find out what the features depend on, by hiding joints and limbs and taking out heads, and you can say, with numbers and
# controls, whether registers do anything in a small model. **Needs** lesson 03 (tokens, encoder) and kNN from lesson 07; no GPU.
# **Takes** about 120 minutes with its four exercises; the last cell prints the machine's part.
#
# SLiM's encoder ([arXiv 2603.10648](https://arxiv.org/abs/2603.10648), section 3.1) reads a CLS token, four registers and one
# token for each joint and stretch of time. Its fused attention kernel does not return the attention weights; slimlab computes
# them explicitly when asked.
#
# Attention says *where numbers are read from*. It does not say why a decision was made. Every picture below has a control: the
# same network, untrained. A pattern that appears in both comes from the architecture and the data, not from learning.
#
# The encoder is `small`: a small network on the paper's grid of eight time steps, pre-trained on synthetic motion. The clips show
# real people: ten of them did ten rehabilitation exercises in front of a Kinect v2, first correctly and then incorrectly on
# purpose (UI-PRMD, public domain, in the package). The [glossary](../docs/glossary.md) explains the words of the field.

# %%
from dataclasses import replace

import numpy as np
import pandas as pd
import torch

import slimlab
from slimlab import analysis, data, evaluate, lessons, masking, plot, widgets
from slimlab.encoder import Encoder

here = lessons.begin("10_attention")  # or data="synthetic", or your own: data="~/UTD-MHAD/Skeleton"
store, quick = here.store[here.store.column("people") > 0], here.quick
body = store.skeleton

# %% [markdown]
# You are here: inside the encoder.

# %%
plot.method("encoder")

# %%
trained = slimlab.pretrained("small", skeleton=body).eval()  # a warning names joints that it takes from their parent
both = {"trained": trained, "untrained": evaluate.random_encoder(trained.config, here.seed).eval()}  # the encoder and its control
print(f"{trained.config.depth} layers of {trained.config.heads} heads, {trained.config.registers} registers")

# %% [markdown]
# ## One joint's view
# We take the joint that moves most in this clip, at the time step at which it moves most, in the last layer. Brighter and larger
# means more attention. The shares add up to less than 100 %; the rest goes to CLS and the registers. The grid has one column per
# time step.
#
# *Predict: does a moving joint attend to itself, to its neighbors on the limb, or to the other side of the body? To its own time
# step, or to others?*

# %%
index = here.example
look, blank = (analysis.inside(e, store, index) for e in both.values())
steps, joints = look.steps, len(body)
paces = look.joints[1:, 0].sub(look.joints[:-1, 0]).norm(dim=-1)  # (T - 1, V) meters from frame to frame
travel = paces.sum(dim=0)  # (V,) meters
joint = int(travel.argmax())
moment = int(paces[:, joint].argmax()) // look.patch_frames
cell = (moment, joint)
print(f"{look.name}: {body.names[joint]} moves {travel[joint]:.1f} m, fastest at step {moment} (the first is 0);")
print(f"{steps} time steps x {joints} joints = {steps * joints} tokens")
plot.attention(look, cell, title=f"trained: where the {body.names[joint]} looks, last layer, mean of heads")

# %%
plot.attention(blank, cell, title="the control: the same network, untrained")

# %% [markdown]
# ## From q and k
# Each head (width $d$) makes a query $q_i$ and a key $k_i$ from every token $i$. The share that token $i$ reads from token $j$ is
# ([arXiv 1706.03762](https://arxiv.org/abs/1706.03762))
#
# $$A_{ij} = \frac{\exp(q_i \cdot k_j / \sqrt{d})}{\sum_{j'} \exp(q_i \cdot k_{j'} / \sqrt{d})}$$


# %% tags=["exercise", "raises-exception"]
# Exercise 1 · difficulty 1 of 3 · about 10 minutes
def attention(q, k):
    """q, k (…, heads, N, d) -> weights (…, heads, N, N); row i: what token i reads from each token."""
    raise NotImplementedError


lessons.check_attention(attention)

# %% [markdown]
# <details><summary>Hint</summary>
#
# One matrix product with the last two axes of k swapped, one division, one softmax.
# </details>
# <details><summary>Common mistakes</summary>
#
# `softmax(dim=-2)`: then the columns sum to one, not the rows. A division by $d$ instead of its root. The width of the model in
# place of $d$, the width of one head.
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def attention(q, k):
#     return (q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5).softmax(dim=-1)
# ```
# </details>

# %% [markdown]
# The encoder first rotates q and k by an angle that is proportional to the time step (rotary embedding, lesson 03); CLS and
# registers are not rotated. A view of a *single* time step is rotated by zero, so its weights follow from q and k alone. The
# ratio of two weights of one row does not depend on the sum below the fraction.

# %%
single = evaluate.inputs(trained, store, [index], trained.config.patch_frames)  # one time step
with torch.no_grad():
    out = trained(single.x, people=single.people, seen=single.seen, return_intermediates=True)
    block, into = trained.blocks[-1], out.intermediates[-2].tokens[0, 0]  # (N, D), what enters the last block
    q, k, _ = block.attn.qkv(block.norm1(into)).view(len(into), 3, block.attn.heads, -1).permute(1, 2, 0, 3)  # (heads, N, d)
weights = out.intermediates[-1].attention[0, 0]  # (heads, N, N), of the library
first = 1 + trained.config.registers  # the place of the first joint's token
score = (q[0, 0] * (k[0, first + joint] - k[0, first])).sum() / q.shape[-1] ** 0.5  # query: CLS, head 1
ratio = (weights[0, 0, first + joint] / weights[0, 0, first]).log()
assert torch.allclose(ratio, score, atol=1e-2)
print(f"head 1, CLS: log of the share of the {body.names[joint]} over that of the {body.names[0]}")
print(f"  by q and k {score:.2f}, by the encoder {ratio:.2f}")

# %% [markdown]
# ## Heads
# Each panel is a grid like the one above (time to the right, joints downwards, by part), in its own range. Look for columns,
# which are moments, and for rows, which are joints. *Predict: do the heads of an untrained network look different from one
# another?*

# %%
plot.attention_heads(look, "cls", title="trained: CLS, every head and layer")

# %%
plot.attention_heads(blank, "cls", title="the control, untrained: CLS, every head and layer")

# %% [markdown]
# An untrained network prefers some joints by chance, because the joint embeddings are random directions. Learning can make the
# map *depend on the clip*. We measure the opposite: how much of the variance from token to token is the same in every clip.


# %%
def fixed_share(encoder, count=8 if quick else 64):
    """Variance over tokens of the clips' mean map, over the variance of all maps: 1 if every clip has the same map."""
    seen = [analysis.inside(encoder, store, int(i)) for i in np.linspace(0, len(store) - 1, count)]
    maps = torch.stack([analysis.attention_map(s.attention[-1, 0].mean(dim=0), "cls", steps, joints) for s in seen])
    return float(maps.mean(dim=0).var() / maps.var())


fixed = {name: fixed_share(encoder) for name, encoder in both.items()}
print({f"{name}, the same in all clips": f"{share:.0%}" for name, share in fixed.items()})

# %% [markdown]
# ## How far heads look
# The *mean attention distance* ([arXiv 2010.11929](https://arxiv.org/abs/2010.11929), figure 7) says how far away the tokens are
# that a head reads. Here it counts bones between joints, and time steps. Let $h_{ij}$ be the distance between tokens $i$ and $j$,
# and let $C$ be the tokens without CLS and registers, which have no place:
#
# $$D = \frac{1}{|C|} \sum_{i \in C} \frac{\sum_{j \in C} A_{ij}\, h_{ij}}{\sum_{j \in C} A_{ij}}$$
#
# *Predict: is an untrained network near the dotted line (attention spread evenly)? After training, do heads look nearer or
# farther than that, on the body and in time?*

# %%
some = store[:: 16 if quick else 5]
distances = {name: analysis.attention_distances(e, some) for name, e in both.items()}
plot.attention_distance(distances["trained"], body, steps, title="trained: mean attention distance of each head")

# %%
for what, even in zip(("hops", "steps"), analysis.uniform_distance(body, steps), strict=True):
    apart = {name: f"{(t[what] - even).abs().mean():.2f}" for name, t in distances.items()}
    print(f"evenly {even:.2f} {what}; heads differ from that by {apart['trained']} (trained), {apart['untrained']} (untrained)")
columns = {n: t.set_index(["layer", "head"])[["hops", "steps"]] for n, t in distances.items()}
pd.concat(columns, axis=1).round(2)


# %% tags=["exercise", "raises-exception"]
# Exercise 2 · difficulty 2 of 3 · about 20 minutes
def mean_distance(attention, hops, steps):
    """attention (heads, N, N), hops (V, V), N = 1 + registers + steps * V -> (heads,) mean hops among tokens."""
    raise NotImplementedError


lessons.check_distance(mean_distance)

# %% [markdown]
# <details><summary>Hint</summary>
#
# The joints' tokens are the *last* steps * V tokens, time step by time step. The table of distances between any two of them
# repeats `hops` in both directions.
# </details>
# <details><summary>Common mistakes</summary>
#
# Rows that are not divided by what is left of them without CLS and the registers: a head that looks at those would seem to
# look near. `repeat_interleave` instead of `repeat`. The first tokens instead of the last.
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def mean_distance(attention, hops, steps):
#     tokens = steps * len(hops)
#     among = attention[:, -tokens:, -tokens:]
#     among = among / among.sum(dim=-1, keepdim=True)
#     return (among * hops.repeat(steps, steps)).sum(dim=-1).mean(dim=-1)
# ```
# </details>

# %% [markdown]
# ## Attention by time lag
# A mean distance of 2.6 steps can mean "everywhere" or "always two to three steps away". So we ask for every lag: how much of a
# token's attention goes to tokens that many steps away, relative to attention spread evenly? The numbers are means over heads
# and over many clips.
#
# *Predict: in which layer does a token prefer its own time step? Does the untrained network, which rotates q and k as well,
# prefer anything?*

# %%
clips = np.r_[index, np.linspace(0, len(store) - 1, 8 if quick else 48).astype(int)]  # the clip above, and many others
given = evaluate.inputs(trained, store, clips)


@torch.no_grad()
def maps_of(encoder, shift=0):
    """(L, clips, N, N) attention of every layer, mean of heads; clips are moved on by `shift` time steps, in a circle."""
    frames = shift * encoder.config.patch_frames
    seen = None if given.seen is None else given.seen.roll(frames, dims=1)
    out = encoder(given.x.roll(frames, dims=2), people=given.people, seen=seen, return_intermediates=True)
    return torch.stack([i.attention[:, 0].mean(dim=1) for i in out.intermediates])


# %%
def by_lag(maps):
    """(L, T'): attention that goes so many steps away, relative to attention spread evenly."""
    among = maps[..., -steps * joints :, -steps * joints :]
    among = (among / among.sum(dim=-1, keepdim=True)).unflatten(-1, (steps, joints)).unflatten(-3, (steps, joints))
    between = among.sum(dim=-1).mean(dim=(1, 3))  # (L, T', T') from step to step
    away = (torch.arange(steps)[:, None] - torch.arange(steps)).abs()
    return torch.stack([between[:, away == lag].mean(dim=1) * steps for lag in range(steps)], dim=1)


maps = {name: maps_of(encoder) for name, encoder in both.items()}
assert torch.allclose(by_lag(torch.ones_like(maps["trained"][:1, :1])), torch.ones(steps), atol=1e-4)  # prefers no lag
lags = {name: by_lag(m) for name, m in maps.items()}

# %%
layers = [f"layer {i + 1}" for i in range(look.layers)]
shown = {n: pd.DataFrame({"step": range(steps)} | dict(zip(layers, lag.tolist(), strict=True))) for n, lag in lags.items()}
figure = plot.runs(shown, layers, smooth=1, title=f"attention by time lag, evenly = 1, {len(clips)} clips")
for ax in figure.axes:
    ax.set_xlabel("lag (time steps)")
    ax.axhline(1, color="0.6", linestyle=":")
figure

# %%
own = {name: (lag[:, 0] / lag[:, 1:].mean(dim=1)).tolist() for name, lag in lags.items()}
strongest = int(np.argmax(own["trained"]))
print(f"{layers[strongest]} prefers the own time step most: {own['trained'][strongest]:.2f} times the other steps", end=", ")
print(f"untrained {own['untrained'][strongest]:.2f}")
pd.DataFrame(own, index=layers).T.round(2).rename_axis("own time step over the other steps")

# %% [markdown]
# ## Does CLS follow the action?
# Take as the peak of an action the moment at which the body is farthest from its first pose. A CLS token that looks for the
# action should attend to this moment. Below is the clip of the first picture.
#
# *Predict: does the trained CLS attend to the farthest pose? Does the untrained one?*


# %%
def over_time(maps):
    """(L, clips, T') share of CLS's attention on each time step."""
    share = analysis.attention_map(maps, "cls", steps, joints).sum(dim=-1)
    return share / share.sum(dim=-1, keepdim=True)


shares = {name: over_time(m) for name, m in maps.items()}
away = (given.x - given.x[:, :, :1])[..., 0].norm(dim=1).mean(dim=-1)  # (clips, T) mean distance of joints from the first pose
away = away.unflatten(1, (steps, -1)).mean(dim=-1)
away = away / away.sum(dim=-1, keepdim=True)
curves = {"distance from the first pose": away[0]} | {f"CLS, {n}": s[-1, 0] for n, s in shares.items()}
table = {n: pd.DataFrame({"step": range(steps), "share": c.tolist()}) for n, c in curves.items()}
plot.runs(table, ["share"], smooth=1, title=f"{look.name}: share of each time step, last layer")

# %% [markdown]
# One clip is an anecdote. Over many clips we correlate the two curves. The control is the distance curve of *other* clips: if
# it correlates as well, CLS prefers certain places in every clip, such as the middle.


# %%
def correlation(a, b):
    """Mean over clips of the correlation over time steps."""
    a, b = (v - v.mean(dim=-1, keepdim=True) for v in (a, b))
    return float(torch.nn.functional.cosine_similarity(a, b, dim=-1).mean())


# %%
rows = {}
for name, share in shares.items():
    rows[f"{name}, own clip"] = [correlation(s, away) for s in share]
    rows[f"{name}, other clips"] = [np.mean([correlation(s, away.roll(n, dims=0)) for n in range(7, 42, 7)]) for s in share]
table = pd.DataFrame(rows, index=layers).T
gap = table.loc["trained, own clip"] - table.loc["trained, other clips"]
print(f"trained, own clip minus other clips: {gap.iloc[-1]:+.2f} in the last layer, at most {gap.max():+.2f} ({gap.idxmax()})")
table.round(2)

# %% [markdown]
# A correlation can have many causes, so we intervene. We move every clip on by two time steps, in a circle. If CLS follows the
# *content*, its attention moves on by two steps as well. If it prefers a *place* in the clip, its attention stays.
#
# Both are possible: CLS is not rotated but the keys of the tokens are, so a query of CLS can prefer a fixed time step.
#
# *Predict: which of the two, in the trained and in the untrained network?*

# %%
rows = {}
for name, encoder in both.items():
    moved = over_time(maps_of(encoder, shift=2))
    rows[f"{name}: moves with the clip"] = [correlation(m, s.roll(2, dims=-1)) for m, s in zip(moved, shares[name], strict=True)]
    rows[f"{name}: stays in place"] = [correlation(m, s) for m, s in zip(moved, shares[name], strict=True)]
table = pd.DataFrame(rows, index=layers).T
for name in both:
    follows, stays = (table.loc[f"{name}: {what}"] for what in ("moves with the clip", "stays in place"))
    print(f"{name}: attention moves with the clip rather than stays in {int((follows > stays).sum())} of {len(layers)} layers")
table.round(2)

# %% [markdown]
# ## Attention is not importance
# What a token reads is not yet what it needs: a value may be small, or the same information may also come from elsewhere. To
# learn what the features *depend on*, we take something away and look at what changes. This is an **intervention**. The encoder
# knows one way to go without a token, the mask token of its pre-training, so we hide tokens behind it
# ([occlusion, arXiv 1311.2901](https://arxiv.org/abs/1311.2901)).


# %% tags=["exercise", "raises-exception"]
# Exercise 3 · difficulty 2 of 3 · about 15 minutes
def hiding_effect(encode, tokens, fill, units):
    """How much hiding each unit changes the features -> (U,): 1 - cosine of a clip's features, with and without, mean over clips.

    encode  tokens (N, T', V, D) -> features (N, F)
    fill    (D,) what stands in place of a hidden token
    units   (U, T', V) bool, True: tokens that are hidden together, in every clip
    """
    raise NotImplementedError


lessons.check_hiding(hiding_effect)

# %% [markdown]
# <details><summary>Hint</summary>
#
# `torch.where(unit[..., None], fill, tokens)` makes new tokens and leaves the old ones as they are.
# </details>
# <details><summary>Common mistakes</summary>
#
# - `tokens[:, unit] = fill`: the next unit then finds this one hidden as well, and so does the caller.
# - Zeros instead of `fill`: zero is a value like others, and the network never saw it in this place.
# - The cosine of mean features: changes in different directions cancel. Take the cosine of each clip, then the mean.
# - Hiding all tokens but the unit.
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def hiding_effect(encode, tokens, fill, units):
#     clean, out = encode(tokens), []
#     for unit in units:
#         hidden = encode(torch.where(unit[..., None], fill, tokens))
#         out.append((1 - torch.nn.functional.cosine_similarity(hidden, clean, dim=1)).mean())
#     return torch.stack(out)
# ```
# </details>

# %% [markdown]
# `analysis.occlude` does this to an encoder and a store of clips: it hides each joint in turn, for the whole clip, and reads CLS.
# A cross is the control: as many random tokens.
#
# *Predict: which joints move the features most when they are hidden? Are they the joints that move most?*

# %%
shown = store[clips]
hidden_joints = {name: analysis.occlude(e, shown, by="joints", pool="cls", seed=here.seed) for name, e in both.items()}
plot.occlusion(hidden_joints["trained"], title=f"trained: CLS, each joint hidden, mean over {len(clips)} clips")

# %%
plot.occlusion(hidden_joints["untrained"], title="the control: the same network, untrained")

# %% [markdown]
# Now both maps side by side: how much attention CLS pays to a joint, and how far CLS moves when the joint is hidden. The rank
# correlation over joints is 1 if attention orders joints as the effect of hiding does, and 0 if attention says nothing about it.
# There are two controls: the untrained network, and the effects in *other* clips. If those correlate as well, attention says
# which joints matter in general, and nothing about this clip.
#
# *Predict: is the rank correlation nearer to 1 or to 0?*


# %%
def ranks(values):
    """(clips, V) -> the place of each joint in the order of its clip."""
    return values.argsort(dim=1).argsort(dim=1).double()


# %%
effect, received, rows = {}, {}, {}
ways = given.x[..., 0].diff(dim=2).norm(dim=1).sum(dim=1)  # (clips, V) how far each joint moves
for name, m in maps.items():
    received[name] = analysis.attention_map(m[-1], "cls", steps, joints).sum(dim=1)  # (clips, V)
    effect[name] = hidden_joints[name].change
    others = np.mean([correlation(ranks(received[name]), ranks(effect[name].roll(n, dims=0))) for n in range(7, 42, 7)])
    rows[name] = {
        "attention and effect": correlation(ranks(received[name]), ranks(effect[name])),
        "effect in other clips": others,
    }
    rows[name]["motion and effect"] = correlation(ranks(ways), ranks(effect[name]))

# %%
table = pd.DataFrame(rows).T
agreement = table.loc["trained", "attention and effect"]
word = (
    "orders joints much as hiding does"
    if agreement > 0.7
    else "is a poor guide to it"
    if agreement < 0.4
    else "tells a part of it"
)
print(f"trained: attention in the last layer {word} (rank correlation {agreement:+.2f})")
table.rename_axis("rank correlation over joints, mean over clips").round(2)

# %%
rows, dice = {}, torch.Generator().manual_seed(here.seed)
for name in both:
    most, least = received[name].argmax(dim=1), received[name].argmin(dim=1)
    chosen = {"most attention": most, "least attention": least, "random": torch.randint(joints, (len(clips),), generator=dice)}
    rows[name] = {what: float(effect[name].gather(1, j[:, None]).mean()) for what, j in chosen.items()}
    rows[name]["largest effect"] = float(effect[name].max(dim=1).values.mean())
    same = (effect[name].argmax(dim=1) == most).double().mean()
    print(f"{name}: in {same:.0%} of the clips the joint with the most attention is the one whose hiding changes most")
pd.DataFrame(rows).T.rename_axis("change of CLS when this joint is hidden").round(4)

# %% [markdown]
# A map of attention that is bright in one place does not say that the features depend on that place; only the intervention does.
# It has limits of its own. Hiding one joint hides little if its neighbors tell the same, so the effects of single joints do not
# add up to that of a limb.
#
# ## Hiding a limb
# A limb has more joints than one, and hiding more changes more. So the control must hide **as many joints**: random ones,
# for all time steps, five draws.
#
# *Predict: what moves CLS more, a hidden limb, or as many hidden joints that are spread over the body?*


# %%
def moves_cls(encoder, hidden):
    """Mean over clips of 1 - cosine of CLS, before and after the joints `hidden` become mask tokens in every step."""
    mask = torch.zeros(steps, joints, dtype=torch.bool)
    mask[:, list(hidden)] = True
    with torch.no_grad():
        before, after = (encoder(given.x, mask=m, people=given.people, seen=given.seen).cls[:, 0] for m in (None, mask))
    return float((1 - torch.nn.functional.cosine_similarity(before, after, dim=-1)).mean())


# %%
rows = {}
for part, of_part in body.parts.items():
    rows[part] = {"joints": len(of_part)}
    for name, encoder in both.items():
        spread = [torch.randperm(joints, generator=dice)[: len(of_part)].tolist() for _ in range(5)]
        rows[part] |= {
            name: moves_cls(encoder, of_part),
            f"{name}, random joints": np.mean([moves_cls(encoder, j) for j in spread]),
        }
table = pd.DataFrame(rows).T
for name in both:
    more = list(table.index[table[name] > table[f"{name}, random joints"]])
    print(f"{name}: a limb changes more than as many random joints for {len(more)} of {len(table)} parts: {more}")
table.style.format("{:.3f}").format("{:.0f}", subset=["joints"])

# %% [markdown]
# The features moved. Does it *matter*? `analysis.ablate` asks kNN: the gallery stays whole, and the test clips lose one limb or
# one time step. Points are what kNN loses, bars are intervals over the test subjects, and crosses are as many random tokens.
#
# *Predict: which limb does kNN need most for these exercises? Is a time step or a limb dearer?*

# %%
train, test = data.split(store[:: 4 if quick else 1], "cross-subject")
sides = (train[:: 1 if quick else 2], test[:: 1 if quick else 2])
cut = analysis.ablate(trained, *sides, by=("parts", "steps"), seed=here.seed)
plot.ablation(cut, title="what kNN loses; crosses: as many random tokens hidden")

# %%
dearest = cut[cut["encoder"] == "given"].nlargest(1, "lost").iloc[0]
sure = "an interval over subjects that leaves out zero" if dearest["low"] > 0 else "an interval over subjects that holds zero"
print(f"the dearest is {dearest['what']}: kNN loses {dearest['lost']:+.3f}, with {sure};", end=" ")
print(f"as many random tokens cost {dearest['control']:+.3f}")
beside = cut.pivot(index=["by", "what"], columns="encoder", values="lost").loc[(dearest["by"], dearest["what"])]
print(f"the same hidden from the untrained network costs {beside['untrained']:+.3f}")

# %% [markdown]
# Read the points of the untrained network with care. It never learned what a mask token means, so hiding hurts it for that reason
# alone. Compare its points with the crosses of its own color, not with the trained network's points.

# %% [markdown]
# ## Taking out a head
# `analysis.without` gives the same encoder without a head: its output weights are zero
# ([arXiv 1905.10650](https://arxiv.org/abs/1905.10650)). *Predict: is one head indispensable? Is it in the first layers or in
# the last?*

# %%
rows = {}
for name, encoder in both.items():
    with torch.no_grad():
        whole = encoder(given.x, people=given.people, seen=given.seen).cls[:, 0]
        for layer in range(look.layers):
            for head in range(trained.config.heads):
                bare = analysis.without(encoder, heads=[(layer, head)])
                after = bare(given.x, people=given.people, seen=given.seen).cls[:, 0]
                change = 1 - torch.nn.functional.cosine_similarity(whole, after, dim=-1)
                rows[f"layer {layer + 1}, head {head + 1}", name] = float(change.mean())
heads = pd.Series(rows).unstack()[list(both)]
strongest, weakest = heads["trained"].idxmax(), heads["trained"].idxmin()
print(f"trained: CLS moves most without {strongest} ({heads['trained'].max():.3f}), least without {weakest}", end=" ")
print(f"({heads['trained'].min():.3f}); untrained at most {heads['untrained'].max():.3f}")
heads.sort_values("trained", ascending=False).head(6).round(3)

# %%
gallery, asked = (evaluate.features(trained, side) for side in sides)
intact = evaluate.knn(gallery, asked)
for which in (strongest, weakest):  # the second is the control: taking out *a* head
    layer, head = (int(word.split()[1]) - 1 for word in which.split(", "))
    bare = analysis.without(trained, heads=[(layer, head)])
    found = evaluate.knn(*(evaluate.features(bare, side, cache=None) for side in sides))
    d = evaluate.paired(found, intact, sides[1])
    print(f"without {which}: kNN {d.difference:+.3f} [{d.low:+.3f}, {d.high:+.3f}] over {d.units} subjects")

# %% [markdown]
# A large change of CLS with little loss in kNN means that all clips move together, and neighbors stay neighbors. That is why both
# are measured.
#
# ## From one clip into another
# **Patching** ([arXiv 2202.05262](https://arxiv.org/abs/2202.05262)) asks the question the other way round. Take two clips, put
# the tokens of one limb of the *source* into the *target* behind some layer, and let the remaining layers go on. If CLS becomes
# that of the source, the difference between the clips was in that limb, at that layer: recovered 1. If nothing changes: 0.
#
# *Predict: one arm goes up in the source; the target shows another exercise. In which part is the difference, and up to which
# layer? Where is it after the last layer?*

# %%
other = int(np.flatnonzero(store.labels != store.labels[index])[-1])  # a clip of another class, of the last subject
patched = {
    name: analysis.patch(e, store, index, other).pivot(index="unit", columns="layer", values="recovered")
    for name, e in both.items()
}
print(f"from {store.column('clip')[index]} into {store.column('clip')[other]}")
for name, table in patched.items():
    first = table.drop(index=["CLS", "registers"])[0]
    print(f"{name}: behind layer 1, {first.idxmax()} recovers most, {first.max():.2f}; CLS {table.loc['CLS', 0]:.2f}")
assert all(abs(table.loc["CLS"].iloc[-1] - 1) < 1e-3 for table in patched.values())  # behind the last layer CLS is all there is
pd.concat({name: t.rename(columns=lambda i: f"layer {i + 1}") for name, t in patched.items()}, axis=1).round(2)

# %% [markdown]
# By construction, CLS recovers everything behind the last layer, since nothing follows that could mix it. The parts' numbers
# before that are of this pair of clips; the untrained columns say how much of them any network would show.
#
# ## By hand: take something away
# Click a token to hide it, or a head to take it out; pull a joint with the sliders. The neighbors of the clip may change with
# it. The explorer begins with the joint of the first picture hidden.

# %%
widgets.InterventionExplorer(shown, trained, index=0, hidden=tuple((t, joint) for t in range(steps)))

# %% [markdown]
# ## Roll-out
# The attention of one layer says what it reads *from the layer below*, whose tokens are mixtures already. Roll-out ([arXiv
# 2005.00928](https://arxiv.org/abs/2005.00928)) follows attention down to the input: average the heads, let each token keep half
# of itself (the residual connection), and multiply the layers:
#
# $$R_1 = \tfrac12 (A_1 + I), \qquad R_l = \tfrac12 (A_l + I)\, R_{l-1}$$
#
# *Predict: with every layer, does the rolled-out map of CLS become sharper or more even?*

# %%
rolled = analysis.rollout(look.attention[:, 0])  # (L, N, N)
assert torch.allclose(rolled.sum(dim=-1), torch.ones_like(rolled[..., 0]), atol=1e-4)
plot.attention(look, "cls", rolled=True, title="trained: CLS, rolled out over all layers")

# %% [markdown]
# How many tokens does a map spread over? The exponential of its entropy counts them. We compute it for the map of each layer
# alone, and rolled out from that layer to the input, as a mean over clips.


# %%
def tokens_of(maps):
    """(L,) tokens that CLS's map spreads over, a mean over clips."""
    p = analysis.attention_map(maps, "cls", steps, joints).flatten(-2)
    p = p / p.sum(dim=-1, keepdim=True)
    return torch.special.entr(p).sum(dim=-1).exp().mean(dim=1).tolist()


# %%
rows = {}
for name, m in maps.items():
    rows[f"{name}, the layer alone"] = tokens_of(m)
    rows[f"{name}, rolled out"] = tokens_of(analysis.rollout(m[..., None, :, :]))
table = pd.DataFrame(rows, index=layers).T
begins, ends = table.loc["trained, rolled out"].iloc[[0, -1]]
word = "more even" if ends > begins else "sharper"
print(f"rolled out over more layers, the trained map becomes {word}: {begins:.0f} -> {ends:.0f} tokens")
table.rename_axis(f"tokens, of {steps * joints}").round(1)


# %% tags=["exercise", "raises-exception"]
# Exercise 4 · difficulty 2 of 3 · about 15 minutes
def rollout(attention):
    """attention (L, heads, N, N), first layer first -> (N, N): followed through all layers; rows sum to one."""
    raise NotImplementedError


lessons.check_rollout(rollout)

# %% [markdown]
# <details><summary>Hint</summary>
#
# Row $i$ of the result says what output token $i$ is made of. The last layer is the leftmost factor.
# </details>
# <details><summary>Common mistakes</summary>
#
# The wrong order of the factors. No identity: a token would then forget itself in every layer, although the residual connection
# keeps it. The identity added without halving.
# </details>
# <details><summary>Solution</summary>
#
# ```python
# import torch
#
#
# def rollout(attention):
#     out = torch.eye(attention.shape[-1])
#     for layer in attention.mean(dim=1):
#         out = (layer + torch.eye(len(layer))) / 2 @ out
#     return out
# ```
# </details>

# %% [markdown]
# ## What registers get
# Registers are extra tokens without a place on the body. Large image models write information over unimportant patches; such
# patches get a norm many times that of the others and attract attention. They are called *artifacts*, and registers take their
# place ([arXiv 2309.16588](https://arxiv.org/abs/2309.16588)). Does that happen here? Three measurements.
#
# **One: attention.** How much of the attention of CLS and of the tokens goes to registers? The last row shows attention spread
# evenly. *Predict: more or less than evenly?*


# %%
def to_registers(maps):
    """(L, 2): share of the attention of CLS and of the tokens that goes to the registers, a mean over clips."""
    taken = maps[..., 1 : 1 + look.registers].sum(dim=-1).mean(dim=1)  # (L, N)
    return torch.stack([taken[:, 0], taken[:, 1 + look.registers :].mean(dim=1)], dim=1)


rows = {f"{name}, layer {i + 1}": row.tolist() for name, m in maps.items() for i, row in enumerate(to_registers(m))}
rows["evenly"] = [look.registers / look.attention.shape[-1]] * 2
table = pd.DataFrame(rows, index=["CLS to registers", "tokens to registers"]).T
table.style.format("{:.1%}")

# %% [markdown]
# **Two: norms.** Bars show the middle 98 % of the tokens, crosses the largest one. Artifacts would be crosses far above their
# bar.

# %%
norms = {name: analysis.token_norms(e, store[:: 16 if quick else 4]) for name, e in both.items()}
plot.token_norms(norms["trained"], title="trained: norms before the final normalization")

# %%
rows = {}
for name, table in norms.items():
    last = table[(table["layer"] == trained.config.depth - 1) & (table["kind"] == "cell")]
    middle, largest = last["norm"].median(), last.loc[last["norm"].idxmax()]
    rows[name] = {"median token": middle, "largest / median": largest["norm"] / middle}
    rows[name] |= {"the largest is": body.names[int(largest["joint"])]}
    rows[name] |= {"tokens above 3 x median": float((last["norm"] > 3 * middle).mean())}
table = pd.DataFrame(rows).T
worst = table.loc["trained", "tokens above 3 x median"]
print("No artifacts: no token is above three medians." if worst == 0 else f"{worst:.2%} of the tokens are above three medians.")
table

# %% [markdown]
# **Three: an intervention.** The same weights, without registers. *Predict: what does that cost in kNN?*


# %%
def without_registers(encoder):
    """The same weights in an encoder that has no registers."""
    bare = Encoder(replace(encoder.config, registers=0)).eval()
    bare.load_state_dict(encoder.state_dict() | {"register_tokens": bare.register_tokens.data})
    return bare


candidates = {f"{n}, {how}": f(e) for n, e in both.items() for how, f in (("with", lambda e: e), ("without", without_registers))}
found = {name: evaluate.knn(evaluate.features(e, train), evaluate.features(e, test)) for name, e in candidates.items()}

# %%
print({name: round(result.accuracy, 3) for name, result in found.items()})
for name in both:
    difference = evaluate.paired(found[f"{name}, without"], found[f"{name}, with"], test)
    moved = (found[f"{name}, with"].neighbours != found[f"{name}, without"].neighbours).double().mean()
    print(f"{name}, without minus with: {difference.difference:+.3f} [{difference.low:+.3f}, {difference.high:+.3f}]", end=" ")
    print(f"over {difference.units} subjects; {moved:.0%} of the test clips get another nearest neighbor")

# %% [markdown]
# Read the three together, in your own output. This network does not need its registers if they get little attention, if there
# are no artifacts for them to take up, and if removing them changes kNN by less than its interval. That is no argument against
# registers in the paper's network (width 256, 8 layers, far longer training): a network without artifacts cannot show what
# registers are for. You can repeat the measurement on released weights with `slimlab.load_encoder(…)`.
#
# ## Masked and unmasked
# In pre-training, tokens are hidden behind the mask token. Does the encoder know that there is nothing to see? We look at the
# same tokens twice, once visible and once hidden by semantic tubes over most of the body.
#
# *Predict: do hidden tokens (marked ×) get less attention than their number would suggest?*

# %%
hidden = masking.semantic_tubes(1, steps, body, ratio=0.6, generator=dice)[0]
masked = analysis.inside(trained, store, index, mask=hidden)
plot.attention(masked, "cls", title="trained: CLS, last layer, 60 % of the tokens hidden")

# %%
rows = {}
for name, encoder in both.items():
    for what, mask in (("visible", None), ("hidden", hidden)):
        seen = analysis.inside(encoder, store, index, mask=mask)
        map_ = analysis.attention_map(seen.attention[:, 0].mean(dim=1), "cls", steps, joints)  # (L, T', V)
        share = (map_ * hidden).sum(dim=(1, 2)) / map_.sum(dim=(1, 2))
        rows[f"{name}, these tokens {what}"] = share.tolist()
table = pd.DataFrame(rows, index=layers).T
print(f"CLS's attention on the tokens of the mask, which are {hidden.float().mean():.0%} of all")
table.style.format("{:.0%}")

# %% [markdown]
# Compare a row with the one above it: the same tokens in the same network, visible and hidden. The difference is the effect of
# the mask. The second row alone would not tell it, because CLS may look elsewhere anyway.
#
# ## Tokens as colors and as trajectories
# The first three principal components of the tokens are drawn as red, green and blue
# ([arXiv 2304.07193](https://arxiv.org/abs/2304.07193), figure 1): similar colors mean similar features. *Predict: are colors
# arranged by joint, by time or by side of the body?*

# %%
plot.token_pca(look, title="trained: token PCA, last layer")

# %% [markdown]
# With eight time steps, the tokens of a joint form a path through feature space. The next picture shows such paths in the plane
# of the first two components; all tokens are gray, and dots grow from the first step to the last.
#
# *Predict: which joint has the longest path? And in the untrained network?*

# %%
plot.token_paths(look, title="trained: the last joint of every part, step by step")

# %%
plot.token_paths(blank, title="the control: the same network, untrained")

# %% [markdown]
# Does a token move because its joint moves? Over many clips we correlate, across joints, the length of each token's path with
# the length of its joint's way. The control takes the way from another clip.

# %%
rows = {}
for name, encoder in both.items():
    with torch.no_grad():
        tokens = encoder(given.x, people=given.people, seen=given.seen).tokens[:, 0]  # (clips, T', V, D)
    paths = tokens.diff(dim=1).norm(dim=-1).sum(dim=1)  # (clips, V)
    others = np.mean([correlation(paths, ways.roll(n, dims=0)) for n in range(7, 42, 7)])
    rows[name] = {"its own clip": correlation(paths, ways), "other clips (control)": others}
pd.DataFrame(rows).T.rename_axis("correlation of a token's path with its joint's way").round(2)


# %%
def explained(look):
    """Share of the tokens' variance between joints and between time steps, last layer, one clip."""
    tokens = look.tokens[-1, 0]  # (T', V, D)
    whole = tokens.flatten(0, 1).var(dim=0, unbiased=False).sum()
    by_joint, by_time = (tokens.mean(dim=d).var(dim=0, unbiased=False).sum() / whole for d in (0, 1))
    return {"which joint": float(by_joint), "which moment": float(by_time), "the rest": float(1 - by_joint - by_time)}


table = pd.DataFrame({"trained": explained(look), "untrained": explained(blank)})
print("the largest part of the tokens' variance:", {name: table[name].idxmax() for name in table})
table.style.format("{:.0%}")

# %% [markdown]
# The joint embedding is added to every token, so an untrained token can tell *which joint it is*. A picture of tokens that is
# neatly arranged by body part is therefore no evidence of learning. The difference between the two columns is.
#
# ## By hand
# Click a joint on the body or a token of the grid to make it the query; choose head, layer, roll-out and masked tokens. The
# untrained encoder is on the right. The second widget shows token colors, and the similarity to a token that you click.

# %%
widgets.AttentionExplorer(store, trained, index=index, other=both["untrained"], titles=("trained", "untrained"))

# %%
widgets.FeatureExplorer(store, trained, index=index)

# %% [markdown]
# ## Summary
# Attention is a softmax of q and k, a few lines of code. Its pictures become evidence beside an untrained network, beside
# attention spread evenly, over many clips, and under interventions: move the clip, hide a joint or a limb, take out a head or
# the registers, patch one clip into another. An intervention needs a control of the same size. Roll-out over more layers, lags
# and paths in time need a grid with more than one or two time steps, which is why this lesson uses `small`.
#
# **Next:** this lesson looked at the tokens of one clip. Lesson 11 looks at the features of many clips, as a map in the plane,
# and asks how far such a map can be trusted.
#
# ## Test yourself
# 1. A paper shows one attention map in which the moving hand is bright. Which two controls do you ask for?
#    <details><summary>Answer</summary>The same map of an untrained network, and maps of other clips: the hand may be bright in
#    all of them.</details>
# 2. Why are CLS and registers cut off, and rows renormalized, before a distance is computed?
#    <details><summary>Answer</summary>They have no place on the body. A head that looks at them would otherwise seem to look
#    near.</details>
# 3. CLS's attention is high in the middle of the clip, and so is the motion. How do you find out whether one follows the other?
#    <details><summary>Answer</summary>Compare with the motion of other clips, and move the clip in time: attention that
#    follows the content moves along.</details>
# 4. What would artifacts look like in the picture of norms? Why look before the final normalization?
#    <details><summary>Answer</summary>Single crosses far above their bar. The final LayerNorm gives all tokens about the same
#    norm.</details>
# 5. Spread evenly over eight time steps, attention reaches 2.6 steps far on average. Why not 4, half of the clip?
#    <details><summary>Answer</summary>Only tokens at the ends have the whole clip on one side. A token in the middle is never
#    more than four steps from another. A head at 2.6 has the value of the control.</details>
# 6. Hiding the right arm moves CLS twice as far as hiding the neck. Is the arm more important?
#    <details><summary>Answer</summary>Not yet shown: the arm has more joints. Compare with as many random joints, with the
#    untrained network, and look at kNN.</details>
#
# ## Further reading
# - What hiding shows: Zeiler and Fergus, [arXiv 1311.2901](https://arxiv.org/abs/1311.2901). Taking out heads: Michel et al.,
#   [arXiv 1905.10650](https://arxiv.org/abs/1905.10650). Patching: Meng et al., [arXiv
#   2202.05262](https://arxiv.org/abs/2202.05262).
# - Registers: Darcet et al., [arXiv 2309.16588](https://arxiv.org/abs/2309.16588). Roll-out: Abnar and Zuidema, [arXiv
#   2005.00928](https://arxiv.org/abs/2005.00928). Attention distance: ViT, [arXiv
#   2010.11929](https://arxiv.org/abs/2010.11929).
# - Attention is not explanation: Jain and Wallace, [arXiv 1902.10186](https://arxiv.org/abs/1902.10186); and the answer to it,
#   [arXiv 1908.04626](https://arxiv.org/abs/1908.04626).
# - Rotary embedding: [arXiv 2104.09864](https://arxiv.org/abs/2104.09864).

# %%
here.end()
