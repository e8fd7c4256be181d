# %% [markdown]
# # 08 · SLiM from your own parts
#
# **After this lesson** you can write a transformer block, a prototype head and GLCL (global-local contrastive loss), assemble an
# encoder that runs released weights, carry out one whole training step, and find a wrong part by comparing with a reference.
# **Needs** lessons 03, 04, 05 and 07, or their solutions, which stand in for what you have skipped; no GPU. **Takes** about
# 100 minutes with its four exercises; the last cell prints the machine's share.
#
# In earlier lessons each function passed its check and was put away. Here they run: everything that learns below is your code.
# The library computes the same beside it, and each comparison states how far apart the two may be. SLiM is
# [arXiv 2603.10648](https://arxiv.org/abs/2603.10648), section 3; its words are in the [glossary](../docs/glossary.md).

# %%
import pandas as pd
import torch
import torch.nn.functional as F
from torch import nn

import slimlab
from slimlab import data, evaluate, lessons, losses, plot, pretrain, widgets
from slimlab.lessons import own_slim
from slimlab.lessons.own_slim import Weights

here = lessons.begin("08_own_slim")  # or data="synthetic", or your own: data="~/UTD-MHAD/Skeleton"
store, quick = here.store, here.quick
body = store.skeleton

# %% [markdown]
# You are here: the whole method.

# %%
plot.method(None)

# %% [markdown]
# ## What you have written
# A function that passes its check is kept in `out/own/`. `lessons.own` loads it and checks it again. Where nothing is kept, the
# lesson's solution stands in, and its line says so. The function is kept alone: a helper or an import belongs inside it.

# %%
from types import SimpleNamespace

my = SimpleNamespace()
for name in ("patchify", "rotary", "tube_mask", "sinkhorn", "masked_loss", "follow", "knn_votes"):
    setattr(my, name, lessons.own(name))

# %% [markdown]
# ## Attention
# Tokens exchange information in attention alone. A linear layer makes a query, a key and a value of each token, and $h$ heads cut
# them into vectors of size $d = D / h$. Each head computes
#
# $$ \mathrm{softmax}\!\left(\frac{(Rq)(Rk)^\top}{\sqrt d}\right) v , $$
#
# where $R$ is the rotation by time of lesson 03. The heads' outputs are joined, and a last linear layer mixes them.


# %% tags=["exercise", "raises-exception"]
# Exercise 1 · difficulty 2 of 3 · about 25 minutes
def attend(x, layer, turn):
    """x (B, N, D) -> (B, N, D). layer.qkv makes q of all heads, then k, then v; layer.proj is last; layer.heads is a number.

    turn(q) rotates (B, heads, N, d) by the tokens' times.
    """
    raise NotImplementedError


lessons.check_attend(attend)

# %% [markdown]
# <details><summary>Hint</summary>
#
# `layer.qkv(x).view(B, N, 3, heads, d)` names every axis; `permute` brings the 3 to the front and the heads before the tokens.
# </details>
# <details><summary>Common mistakes</summary>
#
# - `view(B, heads, N, d)`, which mixes tokens and heads: view as (B, N, heads, d), then transpose.
# - Cutting the output of `qkv` head by head: the shapes are right, but released weights do not fit.
# - Turning the values too. Dividing by $\sqrt D$. The softmax over queries.
# - A reshape to (B, N, D) while the heads still stand before the tokens.
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def attend(x, layer, turn):
#     batch, length, width = x.shape
#     q, k, v = layer.qkv(x).view(batch, length, 3, layer.heads, -1).permute(2, 0, 3, 1, 4)  # each (B, heads, N, d)
#     q, k = turn(q), turn(k)
#     weights = (q @ k.transpose(-2, -1) / (width / layer.heads) ** 0.5).softmax(dim=-1)  # (B, heads, N, N)
#     return layer.proj((weights @ v).transpose(1, 2).reshape(batch, length, width))
# ```
# </details>

# %% [markdown]
# ## A block
# A *pre-norm* block adds two terms to its input, and a LayerNorm stands in front of each of them, not behind:
#
# $$ y = x + \mathrm{attend}(\mathrm{norm}_1(x)), \qquad z = y + W_3\big(\mathrm{SiLU}(g) \odot u\big),
# \qquad (g, u) = W_{12}\,\mathrm{norm}_2(y) . $$
#
# The second is a SwiGLU ([arXiv 2002.05202](https://arxiv.org/abs/2002.05202)): the gate $g$ decides how much of $u$ passes.
# $W_{12}$ computes both at once, the gate in the first half of its output.


# %% tags=["exercise", "raises-exception"]
# Exercise 2 · difficulty 2 of 3 · about 15 minutes
def block(x, layer, attend):
    """x (B, N, D) -> (B, N, D). layer has norm1, norm2, mlp.w12 and mlp.w3, each callable; attend(x) is the attention."""
    raise NotImplementedError


lessons.check_block(block)

# %% [markdown]
# <details><summary>Hint</summary>
#
# Three lines: the first residual; gate and value; the second residual. `chunk(2, dim=-1)` cuts a tensor in two.
# </details>
# <details><summary>Common mistakes</summary>
#
# - The norm behind the sum (post-norm), which the first transformers had.
# - Calling `layer.mlp`: it holds the weights `w12` and `w3`, and computes nothing. What it computes is your exercise.
# - Gate and value swapped; a sigmoid or a GELU for SiLU. All of them train, and none fits the weights.
# - The MLP reads $x$ where it should read $y$. `x += …` changes the tokens of whoever called.
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def block(x, layer, attend):
#     x = x + attend(layer.norm1(x))
#     gate, value = layer.mlp.w12(layer.norm2(x)).chunk(2, dim=-1)
#     return x + layer.mlp.w3(F.silu(gate) * value)
# ```
# </details>

# %% [markdown]
# ## Weights under names
# A state dict is a table of names and tensors. If yours has the library's names and shapes, weights can change sides. `Weights`
# holds what it is given and computes nothing.

# %%
my.attend, my.block = lessons.own("attend"), lessons.own("block")


def layer_weights(c):
    attn = Weights(qkv=nn.Linear(c.width, 3 * c.width), proj=nn.Linear(c.width, c.width), heads=c.heads)
    mlp = Weights(w12=nn.Linear(c.width, 2 * c.hidden), w3=nn.Linear(c.hidden, c.width))
    return Weights(norm1=nn.LayerNorm(c.width, eps=1e-6), attn=attn, norm2=nn.LayerNorm(c.width, eps=1e-6), mlp=mlp)


def encoder_weights(c):
    first = {"cls_token": (1, 1), "register_tokens": (1, c.registers), "mask_token": (1,), "pos_embed": (1, 1 + len(c.skeleton))}
    learned = {name: nn.Parameter(torch.zeros(*size, c.width)) for name, size in first.items()}
    cut = Weights(proj=nn.Conv2d(3, c.width, (c.patch_frames, 1)))
    blocks = nn.ModuleList(layer_weights(c) for _ in range(c.depth))
    return Weights(**learned, patch_embed=cut, blocks=blocks, norm=nn.LayerNorm(c.width, eps=1e-6), config=c)


# %%
shipped = slimlab.pretrained("small", skeleton=body)  # joints go by name, as the warning says
mine = encoder_weights(shipped.config)
mine.load_state_dict(shipped.state_dict())

# %% [markdown]
# ## Your encoder
# `embed` makes tokens (lesson 03): the mask token replaces an embedding *before* the joint embedding is added. `encode` puts CLS
# and registers in front, at time 0, and runs the blocks.


# %%
def embed(w, x, mask=None):
    """x (B, 3, T, V), mask (B, T', V) bool or None -> tokens (B, T', V, D)."""
    proj = w.patch_embed.proj
    tokens = F.linear(my.patchify(x, w.config.patch_frames).to(x), proj.weight.flatten(1), proj.bias)
    if mask is not None:
        tokens = torch.where(mask[..., None], w.mask_token, tokens)
    return tokens + w.pos_embed[:, None, 1:]


def turning(time):
    """Your rotary embedding, for (B, heads, N, d) at times (N,)."""
    return lambda q: my.rotary(q.flatten(0, -2), time.repeat(q[..., 0, 0].numel())).view_as(q).to(q)


# %%
def encode(w, x, mask=None):
    """x (B, 3, T, V), mask (B, T', V) bool or None -> CLS (B, D), tokens (B, T', V, D)."""
    tokens = embed(w, x, mask)
    first = torch.cat([w.cls_token + w.pos_embed[:, :1], w.register_tokens], dim=1)  # (1, 1 + registers, D)
    sequence = torch.cat([first.expand(len(x), -1, -1), tokens.flatten(1, 2)], dim=1)  # (B, N, D)
    steps, joints = tokens.shape[1:3]
    turn = turning(torch.cat([torch.zeros(first.shape[1]), torch.arange(float(steps)).repeat_interleave(joints)]))
    for layer in w.blocks:
        sequence = my.block(sequence, layer, lambda y, attn=layer.attn: my.attend(y, attn, turn))
    sequence = w.norm(sequence)
    return sequence[:, 0], sequence[:, first.shape[1] :].unflatten(1, (steps, joints))


# %% [markdown]
# *Predict: one clip through both, with half of its tokens hidden. How far apart are the two: not at all, by a rounding, or by
# a few percent?* The control is the same code with weights that never learned.

# %%
view = data.test_view(store, [here.example], shipped.config.frames)[0]
x, _ = evaluate.prepare(view, shipped.config)
steps = shipped.config.frames // shipped.config.patch_frames
mask = my.tube_mask(steps, body, 0.5, torch.Generator().manual_seed(here.seed))
untrained = encoder_weights(shipped.config)
untrained.load_state_dict(evaluate.random_encoder(shipped.config, here.seed).state_dict())

# %%
with torch.inference_mode():
    theirs = shipped(x[..., :1], mask=mask)
    pairs = {"yours": encode(mine, x[..., 0], mask[None]), "the control": encode(untrained, x[..., 0], mask[None])}
for name, (cls, tokens) in pairs.items():
    apart = {"CLS": (cls - theirs.cls[:, 0]).abs().max(), "tokens": (tokens - theirs.tokens[:, 0]).abs().max()}
    print(f"{name:<12}", {part: f"{float(value):.1e}" for part, value in apart.items()})
assert torch.allclose(pairs["yours"][0], theirs.cls[:, 0], atol=1e-4)
assert torch.allclose(pairs["yours"][1], theirs.tokens[:, 0], atol=1e-4)

# %% [markdown]
# Sums of float32 numbers depend on their order, and the library's kernels add in another order than you do. That leaves
# a difference in the last digits, and the assertion allows for it: 0.0001.
#
# ## The head
# A head turns a feature into logits over $K$ prototypes (lesson 05). An MLP maps the feature to $u$; the cosine of $u$ with each
# prototype $c_k$ is multiplied by a learned norm $n_k$:
#
# $$ \ell_k = n_k\, \frac{u \cdot c_k}{\lVert u \rVert\, \lVert c_k \rVert} . $$


# %% tags=["exercise", "raises-exception"]
# Exercise 3 · difficulty 1 of 3 · about 10 minutes
def prototype_logits(x, head):
    """x (…, D) -> (…, K). head.mlp is callable, head.prototypes (K, E), head.norms (K, 1)."""
    raise NotImplementedError


lessons.check_prototype_logits(prototype_logits)

# %% [markdown]
# <details><summary>Hint</summary> `F.normalize(…, dim=-1)` gives rows of length one; one matrix product compares all with all.
# </details>
# <details><summary>Common mistakes</summary>
#
# - `F.normalize(…)` without `dim`: it normalizes axis 1, which is the last one only where there are two.
# - Multiplying with the norms *before* the prototypes are brought to length one, which undoes the norms.
# - Normalizing over the batch (`dim=0`). A softmax at the end: temperatures come later, in the losses.
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def prototype_logits(x, head):
#     embedding = F.normalize(head.mlp(x), dim=-1)
#     return embedding @ (F.normalize(head.prototypes, dim=-1) * head.norms).T
# ```
# </details>

# %% [markdown]
# ## GLCL
# The teacher assigns the two global views. The student predicts each of these assignments $q^{(t)}$ from every *other* view:
# $2 + 2n$ cross-entropies with $n$ local views for each global one, each a mean over the batch,
#
# $$ \mathcal{L}_\text{GLCL} = \frac{1}{2 + 2n} \sum_{t \in \{1, 2\}} \sum_{s \ne t}
# -\frac{1}{B}\sum_b \sum_k q^{(t)}_{bk} \log p^{(s)}_{bk} . $$


# %% tags=["exercise", "raises-exception"]
# Exercise 4 · difficulty 2 of 3 · about 20 minutes
def glcl(student_logits, teacher_targets, temperature=0.1):
    """Views of the student, globals first, each (B, K); targets of the two global views, each (B, K) -> a scalar."""
    raise NotImplementedError


lessons.check_glcl(glcl)

# %% [markdown]
# <details><summary>Hint</summary> Two loops, a condition, a list of terms. `log_softmax` never takes the logarithm of zero.
# </details>
# <details><summary>Common mistakes</summary>
#
# - A view that predicts itself: teacher's view 1 and student's view 1 show the same crop.
# - Leaving out the *other* global view as well. Dividing by the number of views instead of the number of terms.
# - `.mean()` over batch *and* prototypes: the loss is right up to a factor $K$, and next to KoLeo it vanishes.
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def glcl(student_logits, teacher_targets, temperature=0.1):
#     terms = []
#     for t, target in enumerate(teacher_targets):
#         for s, logits in enumerate(student_logits):
#             if s != t:
#                 log_p = (logits / temperature).log_softmax(dim=-1)
#                 terms.append(-(target * log_p).sum(dim=-1).mean())
#     return torch.stack(terms).mean()
# ```
# </details>

# %% [markdown]
# ## A step: the losses
# All parts are there. The method fits into one function: the teacher encodes the global views without masks and assigns clips and
# tokens. The student encodes all views, some of them with a mask. MFP (masked feature prediction) compares the two at the hidden
# tokens. KoLeo, which keeps features apart (lesson 05), is the one loss that comes from the library.

# %%
my.prototype_logits, my.glcl = lessons.own("prototype_logits"), lessons.own("glcl")


def terms_of(student, teacher, batch, temperature):
    """GLCL, MFP and KoLeo of a batch: batch.views, globals first, each (views * B, 3, T, V, 1), and batch.masks."""
    with torch.no_grad():
        cls, tokens = encode(teacher.encoder, batch.views[0].squeeze(-1), batch.unseen)
        clips = my.sinkhorn(my.prototype_logits(cls, teacher.cls_head), temperature).to(cls).chunk(2)
        hidden = my.sinkhorn(my.prototype_logits(tokens[batch.predicted], teacher.token_head), temperature).to(cls)
    seen = [encode(student.encoder, x.squeeze(-1), mask) for x, mask in zip(batch.views, batch.masks, strict=True)]
    said = [view for cls, _ in seen for view in my.prototype_logits(cls, student.cls_head).split(len(batch))]
    guessed = my.prototype_logits(seen[0][1][batch.predicted], student.token_head)
    koleo = sum(losses.koleo_loss(view) for view in seen[0][0].chunk(2))
    return {"GLCL": my.glcl(said, clips), "MFP": my.masked_loss(guessed, hidden, batch.predicted), "KoLeo": koleo}


# %% [markdown]
# ## A step: the update
# The weighted sum is differentiated; the gradient of each network is clipped; AdamW moves the student; your moving average moves
# the teacher. Rates and momentum follow the schedules of lesson 06.

# %%
from slimlab.pretrain.schedules import parameter_groups, schedule, set_rates

config = pretrain.Config(preset="tiny", steps=6 if quick else 250, seed=here.seed)


# %%


def learn(student, teacher, optimizer, batch, step):
    """One whole step. Returns the three losses."""
    now = schedule(config, step)
    terms = terms_of(student, teacher, batch, now["temperature"])
    optimizer.zero_grad()
    (config.glcl_weight * terms["GLCL"] + config.mfp_weight * terms["MFP"] + config.koleo_weight * terms["KoLeo"]).backward()
    for network in student.children():
        nn.utils.clip_grad_norm_(network.parameters(), config.gradient_clip)
    set_rates(optimizer, now["lr"], now["weight_decay"])
    optimizer.step()
    my.follow(teacher, student, now["momentum"])
    return {name: float(value.detach()) for name, value in terms.items()}


# %% [markdown]
# `own_slim.Library` is the library's trainer. It cuts the views, draws its masks with *your* tube mask, and hands out the batch,
# so that both learn from the same views and masks. Both begin with the same weights.

# %%
import copy

train, test = data.split(store, "cross-subject")  # odd subjects train, even ones test


def fresh():
    library = own_slim.Library(config, train, my.tube_mask)
    heads = {name: own_slim.head_weights(config) for name in ("cls_head", "token_head")}
    student = Weights(encoder=encoder_weights(config.encoder(body)), **heads)
    student.load_state_dict(library.student.state_dict())
    teacher = copy.deepcopy(student).requires_grad_(False)
    return student, teacher, torch.optim.AdamW(parameter_groups(student), lr=config.lr), library


# %% [markdown]
# ## One step, side by side
# How far may the two be apart after one step? The losses may differ by a rounding. For the weights we divide the length of the
# difference between the two updates by the length of the library's update. This can be more than a rounding, because AdamW
# divides every gradient by its own size: a tiny gradient that consists of rounding errors moves its weight as far as any other.
#
# *Predict: which is the smallest loss difference that you would call a mistake?*


# %%
def one_step():
    student, teacher, optimizer, library = fresh()
    before = own_slim.state(student)
    mine, theirs = learn(student, teacher, optimizer, library.batch(0), 0), library.learn(0)
    apart = {name: abs(value - theirs[name.lower()]) for name, value in mine.items()}
    apart["student"] = own_slim.update_apart(before, student, library.student)
    return apart | {"teacher": own_slim.update_apart(before, teacher, library.teacher)}


allowed = {"GLCL": 1e-4, "MFP": 1e-4, "KoLeo": 1e-4, "student": 0.01, "teacher": 0.01}
comparison = pd.DataFrame({"yours": one_step(), "allowed": allowed}).T
assert all(comparison.loc["yours", name] < limit for name, limit in allowed.items())
comparison.style.format("{:.1e}")

# %% [markdown]
# ## A wrong part
# A comparison that passes proves little unless it fails for a wrong part. Here are four mistakes, one at a time. *Predict, for
# each: which of the five columns shows it? Which one would a look at the losses never find?*

# %%
from unittest.mock import patch

wrong = {
    "rotary left out": {"rotary": lambda x, time: x},
    "softmax for Sinkhorn": {"sinkhorn": lambda logits, temperature: (logits / temperature).softmax(dim=1)},
    "mean over all tokens": {"masked_loss": lambda s, q, mask: losses.cross_entropy(s, q, 0.1).mean()},
    "teacher stands still": {"follow": lambda teacher, student, momentum: None},
}
rows = {"yours": comparison.loc["yours"]}
for name, part in wrong.items():
    with patch.multiple(my, **part):
        rows[name] = pd.Series(one_step())

# %%
table = pd.DataFrame(rows).T
for name, row in table.iterrows():
    print(f"{name:<22} beyond what is allowed: {', '.join(c for c in allowed if row[c] > allowed[c]) or 'nothing'}")
table.style.format("{:.1e}")

# %% [markdown]
# The row "yours" is the control. A teacher that stands still leaves all losses and the student of this first step as they should
# be; only a comparison of the teacher's weights finds it. That is why a comparison covers everything that a step changes.
#
# ## Some minutes of training
# Both train from the same weights on the same batches: real people, those of the training side. *Predict: will the two curves be
# one line to the end?*

# %%
from tqdm.auto import trange

student, teacher, optimizer, library = fresh()
curves = {"yours": [], "the library's": []}
for step in trange(config.steps, desc="two trainings"):
    batch = library.batch(step)
    curves["yours"].append({"step": step} | learn(student, teacher, optimizer, batch, step))
    theirs = library.learn(step)
    curves["the library's"].append({"step": step} | {name: theirs[name.lower()] for name in ("GLCL", "MFP", "KoLeo")})
curves = {name: pd.DataFrame(rows) for name, rows in curves.items()}
plot.runs(curves, ["GLCL", "MFP", "KoLeo"], smooth=1)

# %%
apart = (curves["yours"] - curves["the library's"])["GLCL"].abs()
for until in sorted({min(n, config.steps) for n in (2, 5, 20, 100, 250)}):
    print(f"steps 1 to {until:>3}: GLCL at most {apart[:until].max():.1e} apart")
ends = {name: curve.tail(max(1, config.steps // 10)).mean() for name, curve in curves.items()}
print({name: f"GLCL {end['GLCL']:.2f}, MFP {end['MFP']:.2f} at the end" for name, end in ends.items()})

# %% [markdown]
# A rounding difference grows from step to step, since each step starts from slightly different weights and AdamW amplifies small
# gradients. Two correct programs therefore part in the end, as two runs of the same program on different machines do. What must
# agree is a *single* step, and the course of the curves.
#
# ## What it has learned
# Your encoder reads the features, your kNN judges them. The controls are raw coordinates and the same network untrained.
# *Predict: after so few steps, is your encoder ahead of both?*


# %%
def features(w, side):
    """CLS and mean token (N, 2 D) of each clip, added up over its people."""
    x, mask, clip = own_slim.people_of(w, side)
    with torch.inference_mode():
        cls, tokens = encode(w.encoder, x, mask)
        read = torch.cat([cls, tokens.mean(dim=(1, 2))], dim=1)
        return torch.zeros(len(side), read.shape[1]).index_add_(0, clip, read)


def accuracy(given, asked, k=5):
    similarity = F.normalize(asked, dim=1) @ F.normalize(given, dim=1).T
    votes = my.knn_votes(similarity, torch.from_numpy(train.labels), len(store.label_names), k, 0.07)
    return float((votes.argmax(dim=1) == torch.from_numpy(test.labels)).double().mean())


# %%
read = {"raw coordinates": lambda side: evaluate.raw_features(side).x}
read["untrained network"] = lambda side: features(fresh()[1], side)
read["yours"] = lambda side: features(teacher, side)
read["the library's"] = lambda side: evaluate.features(library.encoder, side, combine="sum").x
table = pd.Series({name: accuracy(of(train), of(test)) for name, of in read.items()}, name="your kNN, k = 5")
print(f"chance {1 / len(store.label_names):.2f}; {test.table['subject'].nunique()} subjects test, {len(test)} clips")
table.to_frame().style.format("{:.3f}")

# %%
gains = {name: table["yours"] - table[name] for name in ("raw coordinates", "untrained network", "the library's")}
print(f"after {config.steps} steps, your SLiM against: " + ", ".join(f"{name} {gain:+.3f}" for name, gain in gains.items()))

# %% [markdown]
# A few hundred steps on a few hundred clips decide nothing about the method; lesson 07 says what an accuracy on so few subjects
# is worth. Your row and the library's give a scale: nothing but rounding tells these two networks apart. A gain that is not
# clearly larger than their difference proves nothing, not even against the untrained network. That your program learns, and
# learns as the library does, is shown by the curves above.
#
# Your weights fit into the library's encoder, so all its tools are open to them.

# %%
from slimlab.encoder import Encoder

twin = Encoder(config.encoder(body))
twin.load_state_dict(teacher.encoder.state_dict())
widgets.FeatureExplorer(store, twin.eval(), here.example)

# %% [markdown]
# ## Summary
# Eleven functions are the method: patches, rotation, attention and a block make the encoder; a tube mask hides; a head and
# Sinkhorn assign; two losses compare; a moving average follows; kNN judges. With the library's names for its weights, your
# encoder runs the shipped ones. One step from the same start, compared in losses *and* weights, finds mistakes that no loss
# curve shows.
#
# **Next**, lesson 09 changes one line of this, the loss, and gets the other methods of the field: contrastive learning, DINO,
# BYOL, masked autoencoders, JEPA. What would collapse each of them, and what prevents it?
#
# ## Test yourself
# 1. Gate and value are swapped in your block, and you train from scratch. Does it learn? Where do you notice?
#    <details><summary>Answer</summary>It learns: the halves are symmetric before training. You notice when you load weights that
#    others have trained.</details>
# 2. Why are the losses compared absolutely, and the updates relatively? <details><summary>Answer</summary>A loss has a known
#    scale, a few nats. The size of an update depends on the learning rate, which the warm-up makes small in the first
#    step.</details>
# 3. Losses and the student agree after one step, but not after two. Which parts do you suspect?
#    <details><summary>Answer</summary>What acts from one step to the next: the teacher's update, the schedules, and the
#    optimizer's state (its moments, or gradients that were not set to zero).</details>
# 4. Why would a comparison of curves with different masks not do? <details><summary>Answer</summary>Other masks give other losses
#    in every step, so that nothing but the rough course can be compared, and a mistake that costs little stays hidden.</details>
#
# ## Further reading
# - The method: SLiM, [arXiv 2603.10648](https://arxiv.org/abs/2603.10648). The transformer: [arXiv
#   1706.03762](https://arxiv.org/abs/1706.03762); pre-norm against post-norm: [arXiv
#   2002.04745](https://arxiv.org/abs/2002.04745).
# - SwiGLU: [arXiv 2002.05202](https://arxiv.org/abs/2002.05202). AdamW: [arXiv
#   1711.05101](https://arxiv.org/abs/1711.05101).

# %%
here.end()
