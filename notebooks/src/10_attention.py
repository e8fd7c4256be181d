# %% [markdown]
# # 07 · Attention, and what registers do
#
# **After this lesson** you can draw where a joint, a token or CLS looks, on the body and head by head, compute attention from q
# and k, measure how far it reaches, roll it out over the layers, see what masking changes, and say, with numbers and controls,
# whether registers do anything in this small model. **Needs** lesson 03 (tokens, encoder); no GPU. **Takes** about 50 minutes
# with its three exercises; the machine's part is printed at the end.
#
# SLiM's encoder ([arXiv 2603.10648](https://arxiv.org/abs/2603.10648), section 3.1) reads CLS, four registers and one token
# for each joint and stretch of time. Its fused attention kernel shows nothing; slimlab computes attention explicitly when asked.
#
# Attention is *where numbers are read from*, not why a decision was made. Every picture below has a control: the same network,
# untrained. A pattern that is in both was put there by the architecture and the data, not by learning.
#
# The encoder is `small`: a small network on the paper's grid of eight time steps, pre-trained on synthetic motion. The clips are
# of real people: ten of them did ten rehabilitation exercises before a Kinect v2, correctly and then incorrectly on purpose
# (UI-PRMD, public domain, in the package).

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
trained = slimlab.pretrained("small", skeleton=body).eval()  # a warning names joints that it takes from their parent
both = {"trained": trained, "untrained": evaluate.random_encoder(trained.config, here.seed).eval()}  # the encoder and its control

# %% [markdown]
# ## One joint's view
# The joint that moves most in this clip, at the step at which it moves most, in the last layer. Brighter and larger is more
# attention; what is missing to 100 % goes to CLS and the registers. The grid has a column for each of the eight time steps.
#
# *Predict: does a moving joint look at itself, at its neighbours on the limb, or at the other side of the body? At its own
# moment, or before and after it?*

# %%
index = here.example
look, blank = (analysis.inside(e, store, index) for e in both.values())
steps, joints = look.steps, len(body)
paces = look.joints[1:, 0].sub(look.joints[:-1, 0]).norm(dim=-1)  # (T - 1, V) metres from frame to frame
travel = paces.sum(dim=0)  # (V,) metres
joint = int(travel.argmax())
moment = int(paces[:, joint].argmax()) // look.patch_frames
cell = (moment, joint)
print(f"{look.name}: {body.names[joint]} moves {travel[joint]:.1f} m, fastest at step {moment} (the first is 0);")
print(f"{steps} time steps x {joints} joints = {steps * joints} tokens")
plot.attention(look, cell, title=f"trained: where the {body.names[joint]} looks, last layer, mean of heads")

# %%
plot.attention(blank, cell, title="the control: the same network, untrained")


# %%
def reach(look):
    """(V,) share of the token's attention on each joint, last layer."""
    map_ = analysis.attention_map(look.attention[-1, 0].mean(dim=0), cell, steps, joints)
    return map_.sum(dim=0) / map_.sum()


table = pd.DataFrame({name: reach(x) for name, x in (("trained", look), ("untrained", blank))}, index=list(body.names))
print(f"evenly: {1 / joints:.3f} a joint; trained: itself {table['trained'].iloc[joint]:.3f}")
table.sort_values("trained", ascending=False).head(6).round(3)

# %% [markdown]
# ## Attention over time
# The same numbers, asked of time: how much of what a token takes from tokens comes from so many steps away, over what it would be
# if attention were spread evenly? All tokens of the clip, a mean over heads, last layer.
#
# *Predict: is it more than even at distance 0? Does it fall with the distance? And in the untrained network, whose queries and
# keys are turned by time as well?*


# %%
def over_time(look, layer=-1):
    """T' numbers: the share of the tokens' attention that goes so many steps away, over the share if spread evenly."""
    among = look.attention[layer, 0].mean(dim=0)[-steps * joints :, -steps * joints :]  # (T' V, T' V)
    among = among / among.sum(dim=-1, keepdim=True)
    between = among.view(steps, joints, steps, joints).sum(dim=3).mean(dim=1)  # (T', T') from step to step
    away = (torch.arange(steps)[:, None] - torch.arange(steps)).abs()
    return [float(between[away == d].mean() * steps) for d in range(steps)]


# %%
evenly = over_time(replace(look, attention=torch.ones_like(look.attention)))
assert np.allclose(evenly, 1, atol=1e-4)  # the measure itself prefers no distance
lines = {name: over_time(x) for name, x in (("trained", look), ("untrained", blank))}
shown = {n: pd.DataFrame({"step": range(steps), "attention, evenly = 1": line}) for n, line in lines.items()}
figure = plot.runs(shown, ["attention, evenly = 1"], smooth=1, title="attention by distance in time, last layer")
figure.axes[0].set_xlabel("distance in time steps")
figure.axes[0].axhline(1, color="0.6", linestyle=":")
figure

# %%
near = {name: line[0] / np.mean(line[1:]) for name, line in lines.items()}
print("own moment over the other moments:", {name: f"{ratio:.2f}" for name, ratio in near.items()})
print("The trained network looks", "more" if near["trained"] > near["untrained"] else "less", end=" ")
print("at its own moment than the untrained one, in this clip and layer.")

# %% [markdown]
# ## From q and k
# Each head (width $d$) makes a query and a key of every token. How much token $i$ takes from token $j$ (section 3.1, and
# [arXiv 1706.03762](https://arxiv.org/abs/1706.03762)):
#
# $$A_{ij} = \frac{\exp(q_i \cdot k_j / \sqrt{d})}{\sum_{j'} \exp(q_i \cdot k_{j'} / \sqrt{d})}$$
#
# Before that, q and k are turned by an angle that goes with the time step (rotary embedding); CLS and registers are not. A view
# of a *single* time step is turned by zero, so there we can redo by hand what the encoder does.

# %%
single = evaluate.inputs(trained, store, [index], trained.config.patch_frames)  # one time step
with torch.no_grad():
    out = trained(single.x, people=single.people, return_intermediates=True)
    block, into = trained.blocks[-1], out.intermediates[-2].tokens[0, 0]  # (N, D), what enters the last block
    q, k, _ = block.attn.qkv(block.norm1(into)).view(len(into), 3, block.attn.heads, -1).permute(1, 2, 0, 3)  # (heads, N, d)
weights = out.intermediates[-1].attention[0, 0]  # (heads, N, N), the library's
i, j, other = 0, 1 + trained.config.registers + joint, 1 + trained.config.registers  # CLS, that joint, the first joint
odds = ((q[0, i] * (k[0, j] - k[0, other])).sum() / q.shape[-1] ** 0.5).exp()
assert torch.allclose(weights[0, i, j] / weights[0, i, other], odds, rtol=1e-3)  # the sum over j' cancels in a ratio
print(f"CLS takes {odds:.2f} times as much from the {body.names[joint]} as from the {body.names[0]} (head 1)")


# %% tags=["exercise", "raises-exception"]
# Exercise 1 · difficulty 1 of 3 · about 10 minutes
def attention(q, k):
    """q, k (…, heads, N, d) -> weights (…, heads, N, N); row i: what token i takes from each token."""
    raise NotImplementedError


lessons.check_attention(attention)

# %% [markdown]
# <details><summary>Hint</summary>
#
# One matrix product with the last two axes of k swapped, one division, one softmax.
# </details>
# <details><summary>Common mistakes</summary>
#
# `softmax(dim=-2)`: then what each *key* gives sums to one. Dividing by $d$ instead of its root. $d$ is a head's width, not the
# model's.
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def attention(q, k):
#     return (q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5).softmax(dim=-1)
# ```
# </details>

# %% [markdown]
# ## Heads
# The paper's network has 64 maps (8 layers of 8 heads), this one has 16 (4 layers of 4). Each panel is a grid like the one above
# (time to the right, joints downwards, by part), in its own range: look for columns, which are moments, and for rows, which are
# joints. *Predict: will heads of an untrained network look different from one another?*

# %%
plot.attention_heads(look, "cls", title="trained: CLS, every head and layer")

# %%
plot.attention_heads(blank, "cls", title="the control, untrained: CLS, every head and layer")

# %% [markdown]
# Where both have structure, learning is not what made it: an untrained network attends by chance to some joints, because joint
# embeddings are random directions. What learning may add is that the map *depends on the clip*. So: of how the map varies from
# token to token, how much is the same in every clip?


# %%
def fixed_share(encoder, count=8 if quick else 64):
    """Variance over tokens of the clips' mean map, over the variance of all maps: 1 if every clip has the same."""
    seen = [analysis.inside(encoder, store, int(i)) for i in np.linspace(0, len(store) - 1, count)]
    maps = torch.stack([analysis.attention_map(s.attention[-1, 0].mean(dim=0), "cls", steps, joints) for s in seen])
    return float(maps.mean(dim=0).var() / maps.var())


fixed = {name: fixed_share(encoder) for name, encoder in both.items()}
print({f"{name}, same in all clips": f"{share:.0%}" for name, share in fixed.items()})

# %% [markdown]
# ## What registers get
# Registers are extra tokens without a place on the body. In large image models they take up what would otherwise be written over
# unimportant patches ([arXiv 2309.16588](https://arxiv.org/abs/2309.16588)): *artefacts*, tokens of a norm many times that of the
# rest, which attract attention. Does that happen here? Three measurements.
#
# **One: attention.** How much of what CLS and the tokens take comes from registers? Attended evenly, it would be the last line.
# *Predict: more or less than evenly?*


# %%
def shares(encoder, count=4 if quick else 32):
    """(L, 2): what CLS and what tokens take from the registers, a mean over heads and clips."""
    seen = [analysis.inside(encoder, store, int(i)) for i in np.linspace(0, len(store) - 1, count)]
    taken = torch.stack([s.attention[:, 0, :, :, 1 : 1 + s.registers].sum(dim=-1).mean(dim=1) for s in seen])  # (clips, L, N)
    return torch.stack([taken[..., 0].mean(0), taken[..., 1 + look.registers :].mean(dim=(0, -1))], dim=1)


rows = {f"{name}, layer {i + 1}": row.tolist() for name, e in both.items() for i, row in enumerate(shares(e))}
rows["evenly"] = [look.registers / look.attention.shape[-1]] * 2
table = pd.DataFrame(rows, index=["CLS takes from registers", "tokens take from registers"]).T
table.style.format("{:.1%}")

# %% [markdown]
# **Two: norms.** Bars are the middle 98 % of the tokens, crosses the largest one. Artefacts would be crosses far above their bar.

# %%
norms = {name: analysis.token_norms(e, store[:: 16 if quick else 4]) for name, e in both.items()}
plot.token_norms(norms["trained"], title="trained: norms before the final normalisation")

# %%
rows = {}
for name, table in norms.items():
    last = table[(table["layer"] == trained.config.depth - 1) & (table["kind"] == "cell")]
    middle, largest = last["norm"].median(), last.loc[last["norm"].idxmax()]
    rows[name] = {
        "median token": middle,
        "largest / median": largest["norm"] / middle,
        "the largest is": body.names[int(largest["joint"])],
    }
    rows[name]["tokens above 3 x median"] = float((last["norm"] > 3 * middle).mean())
table = pd.DataFrame(rows).T
worst = table.loc["trained", "tokens above 3 x median"]
print("No artefacts: no token above three medians." if worst == 0 else f"{worst:.2%} of the tokens are above three medians.")
table

# %% [markdown]
# **Three: take them away.** The same weights, encoded without registers. *Predict: what does that cost in kNN?*


# %%
def without_registers(encoder):
    """The same weights in an encoder that has none."""
    bare = Encoder(replace(encoder.config, registers=0)).eval()
    bare.load_state_dict(encoder.state_dict() | {"register_tokens": bare.register_tokens.data})
    return bare


train, test = data.split(store[:: 4 if quick else 1], "cross-subject")
candidates = {f"{n}, {how}": f(e) for n, e in both.items() for how, f in (("with", lambda e: e), ("without", without_registers))}
found = {name: evaluate.knn(evaluate.features(e, train), evaluate.features(e, test)) for name, e in candidates.items()}
error = (0.25 / len(test)) ** 0.5
change = found["trained, without"].accuracy - found["trained, with"].accuracy
moved = (found["trained, with"].neighbours != found["trained, without"].neighbours).double().mean()
print({name: round(result.accuracy, 3) for name, result in found.items()}, f"one standard error is at most {error:.3f}")
print(f"Without registers kNN of the trained encoder changes by {change:+.3f}; {moved:.0%} of the clips get another neighbour.")

# %% [markdown]
# An honest reading of the three, on this small model: look at your own numbers above. Where registers get little attention,
# there are no artefacts to take up, and taking them away costs less than the error, that is no argument against registers in
# the paper's network (width 256, 8 layers, far longer training): this network is then too small to show what they are for. What
# slimlab gives you is the measurement; repeat it on released weights with `slimlab.load_encoder(…)`.

# %%
print(f"The change of kNN without registers is {'less' if abs(change) < 2 * error else 'more'} than two standard errors.")
plot.attention(look, "register 0", title="trained: where the first register looks")

# %% [markdown]
# ## How far heads look
# The *mean attention distance* ([arXiv 2010.11929](https://arxiv.org/abs/2010.11929), figure 7), here in bones between joints
# and in time steps. With $h_{ij}$ the hops between tokens $i$ and $j$, and attention among tokens renormalised:
#
# $$D = \frac{1}{|C|} \sum_{i \in C} \frac{\sum_{j \in C} A_{ij}\, h_{ij}}{\sum_{j \in C} A_{ij}}$$
#
# *Predict: in an untrained network, is it near the dotted line (attention spread evenly)? And after training, do heads look
# nearer or farther than that, on the body and in time?*

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
# The joints' tokens are the *last* steps * V tokens, time step by time step. `hops.repeat(steps, steps)` is the
# distance between any two.
# </details>
# <details><summary>Common mistakes</summary>
#
# Not dividing by what is left of a row once CLS and the registers are cut off: the less a head looks at tokens, the "nearer" it
# would seem. `repeat_interleave` instead of `repeat`.
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
# ## Roll-out
# One layer's attention says what is read *from the layer below*, whose tokens have been mixed already. Roll-out
# ([arXiv 2005.00928](https://arxiv.org/abs/2005.00928)) follows it down to the input: average the heads, leave half of each token
# where it is (the residual connection), and multiply up:
#
# $$R_1 = \tfrac12 (A_1 + I), \qquad R_l = \tfrac12 (A_l + I)\, R_{l-1}$$
#
# *Predict: is the rolled-out map of CLS sharper or more even than the last layer's own?*

# %%
rolled = analysis.rollout(look.attention[:, 0])  # (L, N, N)
assert torch.allclose(rolled.sum(dim=-1), torch.ones_like(rolled[..., 0]), atol=1e-4)
plot.attention(look, "cls", rolled=True, title="trained: CLS, rolled out over all layers")


# %%
def effective(rows):
    """Tokens that a row of attention spreads over: exp of its entropy."""
    p = rows.flatten() / rows.sum()
    return float(torch.special.entr(p).sum().exp())


rows = {}
for name, x in (("trained", look), ("untrained", blank)):
    own = analysis.attention_map(x.attention[-1, 0].mean(dim=0), "cls", steps, joints)
    far = analysis.attention_map(analysis.rollout(x.attention[:, 0])[-1], "cls", steps, joints)
    rows[name] = {"last layer": effective(own), "rolled out": effective(far), "all tokens": steps * joints}
pd.DataFrame(rows).T.round(1)


# %% tags=["exercise", "raises-exception"]
# Exercise 3 · difficulty 2 of 3 · about 15 minutes
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
# The order of the factors. Leaving out the identity: then a token would forget itself in every layer, which no residual network
# does. Adding it without halving.
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
# ## Masked against unmasked
# In pre-training, tokens are hidden behind the mask token. Does the encoder know that there is nothing to see? The same token,
# once with everything in sight and once with semantic tubes over most of the body.
#
# *Predict: do hidden tokens (marked ×) get less attention than their number would say?*

# %%
dice = torch.Generator().manual_seed(here.seed)
hidden = masking.semantic_tubes(1, steps, body, ratio=0.6, generator=dice)[0]
masked = analysis.inside(trained, store, index, mask=hidden)
plot.attention(masked, "cls", title="trained: CLS, last layer, 60 % of the tokens hidden")

# %%
rows = {}
for name, encoder in both.items():
    for what, mask in (("in sight", None), ("hidden", hidden)):
        seen = analysis.inside(encoder, store, index, mask=mask)
        map_ = analysis.attention_map(seen.attention[:, 0].mean(dim=1), "cls", steps, joints)  # (L, T', V)
        share = (map_ * hidden).sum(dim=(1, 2)) / map_.sum(dim=(1, 2))
        rows[f"{name}, these tokens {what}"] = share.tolist()
table = pd.DataFrame(rows, index=[f"layer {i + 1}" for i in range(look.layers)]).T
print(f"CLS's attention on the masked tokens; they are {hidden.float().mean():.0%} of all")
table.style.format("{:.0%}")

# %% [markdown]
# Compare a row with the one before it: the same tokens, before and after hiding, in the same network. That difference is the
# effect of the mask; the first number alone would say where CLS looks anyway.
#
# ## What tokens hold
# The first three principal components of the tokens as red, green and blue ([arXiv 2304.07193](https://arxiv.org/abs/2304.07193),
# figure 1): alike in colour is alike in features. *Predict: are colours arranged by joint, by time or by side of the body?*

# %%
plot.token_pca(look, title="trained: token PCA, last layer")

# %% [markdown]
# With eight steps a joint's tokens are a path through the features. In the plane of the first two components (grey: all tokens),
# dots grow from the first step to the last.
#
# *Predict: which joint's path is the longest? And in the untrained network?*

# %%
plot.token_paths(look, title="trained: the last joint of every part, step by step")

# %%
plot.token_paths(blank, title="the control: the same network, untrained")

# %%
paths = {n: x.tokens[-1, 0].diff(dim=0).norm(dim=-1).sum(dim=0) for n, x in (("trained", look), ("untrained", blank))}  # (V,)
follows = {name: float(np.corrcoef(travel, path)[0, 1]) for name, path in paths.items()}
print("longest path:", {name: body.names[int(path.argmax())] for name, path in paths.items()})
print("correlation of a token's path with the way of its joint:", {name: round(r, 2) for name, r in follows.items()})


# %%
def explained(look):
    """Share of the tokens' variance between joints, and between time steps, in the last layer of one clip."""
    tokens = look.tokens[-1, 0]  # (T', V, D)
    whole = tokens.flatten(0, 1).var(dim=0, unbiased=False).sum()
    by_joint, by_time = (tokens.mean(dim=d).var(dim=0, unbiased=False).sum() / whole for d in (0, 1))
    return {"which joint": float(by_joint), "which moment": float(by_time), "the rest": float(1 - by_joint - by_time)}


table = pd.DataFrame({"trained": explained(look), "untrained": explained(blank)})
print("the largest part of a token's variance:", {name: table[name].idxmax() for name in table})
table.style.format("{:.0%}")

# %% [markdown]
# The joint embedding is added to every token, so an untrained token can know *which joint it is* as well as a trained one. A
# picture of tokens that is neatly arranged by body part is therefore no evidence of learning. What learning adds is the
# difference between the two columns.
#
# ## By hand
# Click a joint on the body or a token of the grid to make it the query; choose head, layer, roll-out and masked tokens. The
# untrained encoder stands beside. Below it: token colours, and likeness to a token that you click.

# %%
widgets.AttentionExplorer(store, trained, index=index, other=both["untrained"], titles=("trained", "untrained"))

# %%
widgets.FeatureExplorer(store, trained, index=index)

# %% [markdown]
# ## Summary
# Attention is a softmax of q and k, a few lines. On the body and over time it makes fine pictures; what they are worth shows
# beside the untrained network, beside attention spread evenly, and over many clips. Three measurements say whether registers do
# anything in a model of this size. What tokens hold, joint or moment, is measured beside an untrained network, too.
#
# ## Test yourself
# 1. A paper shows one attention map in which the moving hand is bright. Which two controls do you ask for?
#    <details><summary>Answer</summary>The same map of an untrained network, and of other clips: it may be bright
#    always.</details>
# 2. Why are CLS and registers cut off, and rows renormalised, before a distance is computed?
#    <details><summary>Answer</summary>They have no place on the body; a head that looks at them would otherwise seem to look
#    near.</details>
# 3. What would artefacts look like in the picture of norms? Why look before the final normalisation?
#    <details><summary>Answer</summary>Single crosses far above their bar. The final LayerNorm gives all tokens about the same
#    norm.</details>
# 4. Roll-out averages heads. What can it not show? <details><summary>Answer</summary>That one head looks here and another
#    there; and signs: what is read may be added or subtracted.</details>
# 5. Spread evenly over eight time steps, attention reaches 2.6 steps far on average. Why not 4, half of the clip?
#    <details><summary>Answer</summary>Only tokens at the ends have all of the clip on one side; a token in the middle is never
#    more than four steps from anything. A head at 2.6 steps has the control's value and says nothing.</details>
#
# ## Further reading
# - Registers: Darcet et al., [arXiv 2309.16588](https://arxiv.org/abs/2309.16588). Roll-out: Abnar and Zuidema, [arXiv
#   2005.00928](https://arxiv.org/abs/2005.00928). Attention distance: ViT, [arXiv
#   2010.11929](https://arxiv.org/abs/2010.11929).
# - Attention is not explanation: Jain and Wallace, [arXiv 1902.10186](https://arxiv.org/abs/1902.10186); and the answer to it,
#   [arXiv 1908.04626](https://arxiv.org/abs/1908.04626).
# - Rotary embedding: [arXiv 2104.09864](https://arxiv.org/abs/2104.09864).

# %%
here.end()
