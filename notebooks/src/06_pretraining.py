# %% [markdown]
# # 06 · Pre-training, live
#
# **After this lesson** you can set up a run and say what each setting does. You can watch it, stop it, resume it exactly and
# find everything that it leaves on disk. You can read its curves, judge it beside its controls, and tell a broken run from a
# young one. **Needs** lesson 05; no GPU. **Takes** about 90 minutes with its three exercises; the last cell prints the machine's
# part.
#
# The paper ([arXiv 2603.10648](https://arxiv.org/abs/2603.10648), section 4.1) trains 187,500 steps with batches of 768 clips.
# Here we train for about a minute with batches of 32. This is long enough to see every curve move, and far too short for the
# numbers of the paper.
#
# The clips show real people: ten of them did ten rehabilitation exercises in front of a Kinect v2, first correctly and then
# incorrectly on purpose (UI-PRMD, public domain, in the package). A class is an exercise done correctly, or an exercise done
# incorrectly. Training does not see the classes. The [glossary](../docs/glossary.md) explains the words of the field.

# %%
import copy
import math

import numpy as np
import pandas as pd
import torch
from IPython.display import display

import slimlab
from slimlab import analysis, data, evaluate, lessons, losses, plot, pretrain, widgets

here = lessons.begin("06_pretraining")  # or data="synthetic", or your own: data="~/UTD-MHAD/Skeleton"
store, quick = here.store[:: 3 if here.quick else 1], here.quick
train, test = data.split(store, "cross-subject")  # the encoder never sees a test clip
print(f"{len(train)} training clips, {len(test)} test clips of other subjects")

# %% [markdown]
# You are here: all of it. A run repeats this picture once in every step.

# %%
plot.method(None)

# %% [markdown]
# ## The settings, in one place
# A setting that is not named below has the value of its preset, here `tiny` (docs/small_scale.md says how the values of `tiny`
# were chosen).
#
# The three loss weights belong to lesson 05. GLCL is the *global-local contrastive loss*: the student's CLS token of one view
# predicts the teacher's assignment of another view. MFP is *masked feature prediction*: the student predicts the teacher's
# assignment of each hidden token. KoLeo (named after Kozachenko and Leonenko) pushes each feature away from its nearest neighbor.

# %%
from slimlab.pretrain.monitor import MONITOR_CLIPS
from slimlab.pretrain.schedules import schedule
from slimlab.pretrain.trainer import Trainer

symmetric = here.synthetic or "exercise" in store.table  # see the text below
same_action = {"mirror": symmetric, "rotation": (0.3, 1.2 if here.synthetic else 0.3, 0.3)}  # rad about x, y (up), z
weights = {"glcl_weight": 1.0, "mfp_weight": 0.25, "koleo_weight": 0.02}

# %%
config = pretrain.Config(
    preset="tiny",  # width 64, 3 blocks, 2 heads, 32 frames in tokens of 16
    seed=here.seed,  # of everything random: weights, order of clips, views, masks
    **({"steps": 20} if quick else {"minutes": 1.2}),  # `minutes` are turned into steps before the run starts
    batch_size=32,  # clips per step
    prototypes=128,  # per head; 65,536 in the paper
    teacher_temperature=(0.02, 0.02),  # first and last value; lesson 05 says why so low
    momentum=(0.97, 1.0),  # of the teacher, first and last value
    mask_ratio=(0.5, 0.9),  # of the hidden tokens, stratified over the batch
    **weights,
    **same_action,
)

# %% [markdown]
# `mirror` and `rotation` state what makes *no difference* to an action. An exercise done with the other arm is the same exercise.
# UTD-MHAD has "swipe left" and "swipe right" as two classes; your own data are therefore not mirrored here. The people of UI-PRMD
# face the camera, so their clips are turned by 0.3 rad at most. The people of the synthetic set do not, and their clips are
# turned further about the vertical axis. An augmentation is a statement about the data.
#
# ## Four schedules
# Four numbers may change while a run goes on (section 4.1): the learning rate, the teacher's momentum, the teacher's temperature
# and the weight decay. Every schedule is a function of the fraction of the run that has passed. A short run therefore has the
# shape of a long one.
#
# *Predict: where is the learning rate highest, and where does the teacher follow the student fastest? Which of the four schedules
# of `tiny` are constant?*

# %%
shape = config if quick else pretrain.Config(**{**config.to_dict(), "minutes": None, "steps": 600})
paper = pretrain.Config(preset="paper")
for name, c in (("tiny", shape), ("paper", paper)):
    values = pd.DataFrame([schedule(c, s) for s in range(0, c.steps, max(1, c.steps // 200))])
    fixed = [column for column in values if values[column].nunique() == 1]
    moving = [column for column in values if column not in fixed]
    print(f"{name}: {', '.join(moving)} change; {', '.join(fixed) or 'none'} constant")
plot.schedules(shape, title=f"tiny, over {shape.steps} steps")

# %%
assert max(schedule(paper, s)["lr"] for s in range(0, paper.steps, 500)) <= paper.lr + 1e-12
plot.schedules(paper, title=f"the paper: {paper.steps:,} steps, highest learning rate {paper.lr:.2e}")

# %% [markdown]
# The learning rate first rises linearly. In step 0 it is above zero already, and it grows by the same amount in each step until
# it reaches its highest value where the warm-up ends. From there it follows half a period of a cosine to its lowest value. The
# cosine depends on the fraction of the *remaining* run that has passed when a step begins. The highest value is
# $\eta_\text{base} \sqrt{B / 1024}$ for batches of $B$ clips.


# %% tags=["exercise", "raises-exception"]
# Exercise 1 · difficulty 1 of 3 · about 15 minutes
def rate(step, steps, highest, lowest, warmup):
    """The learning rate at a step (0-based); warmup: the fraction of the run, 0..1, in which it rises."""
    raise NotImplementedError


lessons.check_schedule(rate)

# %% [markdown]
# <details><summary>Hint</summary>
#
# First compute the rising line as a factor of `highest`. Return it where the factor is below one. A `warmup` of zero must not
# divide by zero.
# </details>
# <details><summary>Common mistakes</summary>
#
# A rate of zero in step 0: that step learns nothing. A cosine that starts at step 0: the rate jumps where the warm-up ends.
# A rate that ends at zero instead of `lowest`.
# </details>
# <details><summary>Solution</summary>
#
# With warm-up over the fraction $w$ of $S$ steps and $u = (s/S - w)/(1 - w)$:
#
# $$\eta_s = \begin{cases} \eta_\text{max}\,\frac{s + 1}{w S} & \text{while that is below } \eta_\text{max} \\
# \eta_\text{min} + (\eta_\text{max} - \eta_\text{min})\,\tfrac12 (1 + \cos \pi u) & \text{then} \end{cases}$$
#
# ```python
# import math
#
#
# def rate(step, steps, highest, lowest, warmup):
#     rise = (step + 1) / max(1.0, warmup * steps)
#     if rise < 1:
#         return highest * rise
#     part = max(0.0, (step / steps - warmup) / (1 - warmup))
#     return lowest + (highest - lowest) * 0.5 * (1 + math.cos(math.pi * part))
# ```
# </details>

# %% [markdown]
# ## Five settings without a curve
# **One: one random person.** A clip may show two people. Each time a clip is drawn for training, one of its people is chosen at
# random, and all views of that step show this person. At test time both people are encoded. The recordings above show one person
# each, so we look at a synthetic clip with two.

# %%
pairs = data.synthetic(clips=66)
pairs = pairs[pairs.column("people") == 2]
dice = torch.Generator().manual_seed(here.seed)
views = data.sample_views(pairs, np.zeros(200, dtype=int), dice)  # 200 times the same clip
places, times = np.unique(views.origin.numpy().round(2), axis=0, return_counts=True)
print(f"200 draws of one clip: {len(places)} people, chosen {times.tolist()} times; each view holds {views.globals.shape[-1]}")

# %% [markdown]
# **Two: a smaller learning rate for the patch embedding** (`patch_lr_factor`, 0.2 in the paper, 1 in `tiny`). The first layer
# feeds every token, so its changes reach everything behind it.
#
# **Three: frozen prototypes** (`frozen_prototypes`, the first epoch of 150 in the paper, none in `tiny`). At the start features
# are random. Prototypes that stand still do not adapt to random features.
#
# We take one step with each of them, and one without. *Predict: by which factor does the movement of each weight change?*

# %%
settings = {"tiny": {}, "patch_lr_factor=0.2": {"patch_lr_factor": 0.2}, "frozen_prototypes=0.5": {"frozen_prototypes": 0.5}}
parts = {"patch embedding": "encoder.patch_embed.proj.weight", "block 1": "encoder.blocks.0.attn.qkv.weight"}
parts |= {"prototypes": "cls_head.prototypes"}
rows = {}
for name, changed in settings.items():
    trainer = Trainer(pretrain.Config(preset="tiny", steps=20, seed=here.seed, **changed), store.skeleton)
    before = copy.deepcopy(trainer.student.state_dict())
    trainer.step(train, np.arange(32), 0)
    after = trainer.student.state_dict()
    rows[name] = {part: float((after[key] - before[key]).abs().median()) for part, key in parts.items()}
moved = pd.DataFrame(rows).T
assert moved.loc["frozen_prototypes=0.5", "prototypes"] == 0
(moved / moved.loc["tiny"]).rename_axis("median movement of a weight in step 0, tiny = 1").round(2)

# %% [markdown]
# **Four: gradient clipping** (`gradient_clip`, 3.0). If the norm of a network's gradient exceeds this limit, the gradient is
# scaled down to it. Encoder and heads are clipped separately, so that a large gradient in one of them does not slow down the
# others. The metrics record the norm before clipping, over all three networks, as `gradient`.
#
# **Five: Sinkhorn or a running center** (`targets="centering"`). Both prevent that one prototype takes all clips. Sinkhorn
# balances each batch. A running center needs no balancing: it keeps the mean of the teacher's logits over past batches, with
# momentum 0.9, and subtracts it before the softmax. It is zero at first and has to catch up.
#
# *Predict: the logits below prefer prototype 3. How many batches does the running center need to catch up with Sinkhorn?*

# %%
count, temperature = 32, 0.07
center, rows = losses.RunningCenter(count), {}
for batch in range(31):
    logits = 0.1 * torch.randn(64, count, generator=dice) + 0.5 * (torch.arange(count) == 3)
    targets = center(logits, temperature)
    if batch in (0, 5, 10, 30):
        both = {"running center": targets, "Sinkhorn": losses.sinkhorn_knopp(logits, temperature)}
        both["plain softmax (control)"] = (logits / temperature).softmax(dim=1)
        rows[f"batch {batch}"] = {name: analysis.used_prototypes(t) for name, t in both.items()}
    center.update()
pd.DataFrame(rows).T.rename_axis(f"prototypes in use, of {count}").round(1)

# %% [markdown]
# ## Preprint, paper, released code
# Three sources describe the method, and they differ. slimlab names the differences instead of hiding them. The first preprint
# cuts one local view of each length from the first global view alone; the released code cuts more, from both. The paper
# turns clips by any angle about the vertical axis (figure 4f); the released code turns by 0.3 rad. Masked feature prediction
# is called MFM, masked feature modeling, in the preprint. Where the paper is silent, the preset `paper` follows the released code
# (`details="released"`). Its known mistakes are made only if you ask for them (`released_quirks=True`).


# %%
def locals_of(views):
    """Local views per clip: (frames, views per global view, fraction of its interval, global views that have them)."""
    return sum(view[1] * (view[3] if len(view) > 3 else 2) for view in views)


views = {"preprint": pretrain.PREPRINT_VIEWS, "preset paper": paper.local_views, "tiny": config.local_views}
print("local views per clip:", {name: locals_of(v) for name, v in views.items()})
print("largest rotation about the vertical axis (rad):", {"paper": paper.rotation[1], "released": pretrain.RELEASED_ROTATION})
ours, theirs = config.to_dict(), paper.to_dict()
differ = [name for name in ours if ours[name] != theirs[name] and name not in ("preset", "minutes")]
pd.DataFrame({"tiny, as above": [ours[n] for n in differ], "preset paper": [theirs[n] for n in differ]}, index=differ)

# %% [markdown]
# ## Before it starts
# A few throw-away steps tell what a run will cost.

# %%
print(f"{len(train)} clips, {config.batch_size} per step:", pretrain.estimate(train, shape))

# %% [markdown]
# ## The run
# `stream` yields after each step, and the body of the loop is yours. **Stop** (■) interrupts it and writes a checkpoint. If you
# run the cell again, the run resumes.
#
# *Predict: at which value does GLCL start, and by how much has it fallen after a minute? Does kNN on a held-out training subject
# rise steadily?*

# %%
folder = here.out / f"run-{train.fingerprint[:6]}-{here.seed}{'-quick' if quick else ''}"
picture, line = display(display_id=True), display(display_id=True)
async for step in pretrain.stream(train, config, folder=folder):
    if step.step % 10 == 0 or step.step == step.steps - 1:
        line.update(step)
    if step.step % 100 == 20 or step.step == step.steps - 1:
        picture.update(plot.losses(step.run.metrics))

# %%
run = pretrain.Run(folder)
metrics = run.metrics
assert metrics["step"].tolist() == list(range(run.config.steps))
plot.save(plot.losses(metrics), here.out / "figures" / "training.pdf")
plot.losses(metrics)

# %% [markdown]
# ## Reading the curves
# - **GLCL** starts near $\ln K$, which is the loss of a student that spreads its answer evenly over $K$ prototypes. It cannot
#   fall below the entropy of the targets, $\ln(\text{prototypes per target})$ (lesson 05).
# - **Prototypes per target** must stay far below $K$, or a target says nothing. They need not fall: in the healthy run at the
#   end of this lesson they rise.
# - **Prototypes in use** should be many. A batch of 32 clips has 64 global views, so at most 64 prototypes can be in use.
# - **Rank** ([RankMe](https://arxiv.org/abs/2210.02885)) often *falls* at first, because the features of an untrained network are
#   noise in many directions. A fall that ends is fine.
# - **Leave-one-subject kNN** is the only curve that says whether the features are useful. It is measured on one training subject,
#   so it is noisy. The next cell prints by how much it varies by chance.
#
# *Collapse* has two forms. If the **features** collapse, all features point in one direction and the rank approaches one. If the
# **answers** collapse, nearly all clips get the same prototype, and the rank need not fall. slimlab monitors both and stops a
# run in either case.

# %%
first, last = metrics.head(5).mean(), metrics.tail(25).mean()
floor = math.log(last["target_prototypes"]) / math.log(config.prototypes)
print(f"GLCL / ln K: {first['glcl_over_lnk']:.2f} -> {last['glcl_over_lnk']:.2f}; its floor is now {floor:.2f}")
print(f"prototypes per target: {first['target_prototypes']:.1f} -> {last['target_prototypes']:.1f}, of {config.prototypes}")
print(f"prototypes in use: {first['used_prototypes']:.0f} -> {last['used_prototypes']:.0f}")
unclipped = (metrics["gradient"] <= config.gradient_clip).mean()
print(f"gradient norm: {unclipped:.0%} of the steps are within the limit of {config.gradient_clip:g} for certain")
learned = last["glcl_over_lnk"] < 0.97 and last["used_prototypes"] > 20
print("GLCL has fallen, with many prototypes in use" if learned else "too few steps, or a run that does not learn: see below")

# %%
measured = metrics[["step", "knn", "rank"]].dropna()
held = min(MONITOR_CLIPS, int((train.column("subject") == np.unique(train.column("subject"))[-1]).sum()))
p = measured["knn"].iloc[-1]
print(f"leave-one-subject kNN {p:.2f}, standard error {math.sqrt(p * (1 - p) / held):.2f} ({held} clips)")
print(f"rank {measured['rank'].iloc[0]:.1f} -> {measured['rank'].iloc[-1]:.1f}, of {config.width}")

# %% [markdown]
# RankMe counts the directions that features use. With $\sigma_i$ the singular values of the matrix of features,
#
# $$\text{RankMe} = \exp\Big(-\sum_i p_i \log p_i\Big), \qquad p_i = \frac{\sigma_i}{\sum_j \sigma_j}.$$
#
# *Predict: which has the higher rank, a trained or an untrained network?*

# %%
trained = evaluate.features(run.encoder, test, pool="cls", combine="sum").x
untrained = evaluate.features(evaluate.random_encoder(run.encoder.config, here.seed), test, pool="cls", combine="sum").x
one_way = trained[:1] + 1e-4 * trained  # the control: all features nearly the same
ranks = {"trained": trained, "untrained": untrained, "one feature for all clips": one_way}
ranks = {name: analysis.rankme(x) for name, x in ranks.items()}
assert ranks["one feature for all clips"] < 1.2
pd.Series(ranks, name=f"RankMe of {len(test)} test clips, width {config.width}").round(1)


# %% tags=["exercise", "raises-exception"]
# Exercise 2 · difficulty 1 of 3 · about 10 minutes
def rank(features):
    """RankMe of features (N, F): a number between 1 and min(N, F)."""
    raise NotImplementedError


lessons.check_rank(rank)

# %% [markdown]
# <details><summary>Hint</summary>
#
# `torch.linalg.svdvals`; `torch.special.entr(p)` is $-p \log p$, and 0 at 0.
# </details>
# <details><summary>Common mistakes</summary>
#
# The squares of the singular values: that is another measure. Features with their mean subtracted: a collapse to one direction
# then becomes invisible. The entropy without the exponential.
# </details>
# <details><summary>Solution</summary>
#
# ```python
# import torch
#
#
# def rank(features):
#     singular = torch.linalg.svdvals(features)
#     p = singular / singular.sum()
#     return float(torch.special.entr(p).sum().exp())
# ```
# </details>

# %% [markdown]
# ## Stop, and resume exactly
# All randomness of step $s$ comes from the pair (seed, $s$), and a checkpoint holds student, teacher, optimizer and step. An
# interrupted run therefore gives the same numbers as an uninterrupted one, bit for bit. *Predict: in which column do the two
# tables differ all the same?*

# %%
small = pretrain.Config(preset="tiny", steps=16, evaluations=2, snapshots=1, seed=here.seed)
whole = pretrain.fit(train, small, folder=here.out / "run-whole", resume=False, progress=False)
stopped = pretrain.stream(train, small, folder=here.out / "run-stopped", resume=False)
async for step in stopped:
    if step.step == 6:
        break
await stopped.aclose()  # writes the checkpoint now, as Stop does
half = pretrain.Run(here.out / "run-stopped")
print(half)
again = pretrain.fit(train, small, folder=half.folder, progress=False)  # resumes

# %%
timing = ["clips_per_second"]
assert half.about["status"] == "interrupted" and half.step < small.steps and len(again.metrics) == small.steps
pd.testing.assert_frame_equal(whole.metrics.drop(columns=timing), again.metrics.drop(columns=timing), check_exact=True)
both = pd.concat({"whole": whole.metrics, "stopped and resumed": again.metrics}, axis=1).swaplevel(axis=1)
both[["glcl", "mfp", "clips_per_second"]].iloc[[0, 6, 7, 15]]

# %% [markdown]
# Only the speed differs. (The numbers are the same on one machine with one number of threads. Another machine adds in another
# order and gives slightly different ones.)
#
# ## The same as a widget
# `TrainingMonitor` draws the curves of several runs from their folders. With a store instead of folders it also starts, pauses
# and stops a run: `widgets.TrainingMonitor(train, config=config, folder=folder)`.

# %%
widgets.TrainingMonitor(folder, here.out / "run-whole")

# %% [markdown]
# ## A run is a folder
# Every number can be traced to a folder: settings, data and its fingerprint, the clips that were seen, the environment, every
# step.

# %%
kinds = {"config.json": "every setting", "run.json": "data, body, environment, status", "train_clips.csv": "the training clips"}
kinds |= {"metrics.jsonl": "one line per step", "checkpoint.pt": "student, teacher, optimizer: to resume"}
kinds |= {"encoder": "the teacher's encoder, the result", "snapshots": "encoders along the way", "figures": "pictures"}
for place in sorted(run.folder.glob("[!.]*")):
    files = [place] if place.is_file() else [f for f in place.rglob("*") if f.is_file()]
    print(f"{place.name:<16} {sum(f.stat().st_size for f in files) / 1e3:8.0f} kB  {kinds.get(place.name, '')}")
print({k: run.about[k] for k in ("status", "step", "seconds", "clips", "fingerprint")})

# %% [markdown]
# The list of training clips has one purpose: `Run.check_unseen` refuses a test clip that was trained on.

# %%
run.check_unseen(test)  # silent: nothing seen
try:
    run.check_unseen(train)
except pretrain.RunError as error:
    print("refused:", str(error).partition(": ")[2])

# %% [markdown]
# ## What did it learn, and when?
# The run keeps encoders along the way. We evaluate them with kNN on the *test* subjects; nothing is selected by these numbers.
# The two controls are the network before its first step and raw coordinates. *Predict: which of the three is highest after a
# minute?*


# %%
def test_knn(encoder):
    return evaluate.knn(evaluate.features(encoder, train), evaluate.features(encoder, test)).accuracy


shown = dict(list(run.snapshots.items())[:: 5 if quick else 1])
start = test_knn(evaluate.random_encoder(run.encoder.config, seed=config.seed))  # the weights of step 0: the same seed
line = [(0, start), *((n, test_knn(slimlab.load_encoder(f))) for n, f in shown.items())]
raw = evaluate.knn(evaluate.raw_features(train), evaluate.raw_features(test)).accuracy
tables = {"this run": pd.DataFrame(line, columns=["step", "kNN, test subjects"])}
for name, value in {"untrained": start, "raw coordinates": raw}.items():
    tables[name] = pd.DataFrame({"step": [0, run.config.steps], "kNN, test subjects": [value, value]})
plot.runs(tables, ["kNN, test subjects"], smooth=1)

# %%
others = {} if quick else {"shipped encoder": slimlab.pretrained("tiny", skeleton=store.skeleton)}
table = evaluate.compare(run.encoder, train, test, here.seed, others=others)
table.style.format(precision=3).hide(axis="index").set_caption(f"accuracy; chance is {1 / len(store.label_names):.3f}")

# %%
scores = table.set_index("features")["kNN"]
random = scores[scores.index.str.startswith("random")].max()
error = math.sqrt(0.25 / len(test))  # an upper bound of the standard error of one accuracy
gain = scores["pre-trained encoder"] - random
print(f"{run.config.steps} steps: {gain:+.3f} over the better untrained encoder; one standard error is at most {error:.3f}")
print("That is " + ("more" if abs(gain) > 2 * error else "less") + " than two standard errors.")

# %% [markdown]
# A standard error over clips is a rough measure, because clips of one person resemble each other. Lesson 07 does better.
#
# The shipped encoder `tiny` has the same size. Its training differs in more than its length; the next cell lists how. It never
# saw a real person, and its joints are matched to these bodies by name.

# %%
record = slimlab.pretrained_record("tiny")
theirs, ours = pretrain.Config(**record["config"]).to_dict(), run.config.to_dict()
print(f"trained on {record['data']}; here: {len(train)} clips of {len(np.unique(train.column('subject')))} people")
if not quick:
    print(f"kNN on these test clips: shipped {scores['shipped encoder']:.3f}, this run {scores['pre-trained encoder']:.3f}")
differ = [n for n in ours if ours[n] != theirs[n]]
pd.DataFrame({"shipped": [theirs[n] for n in differ], "this run": [ours[n] for n in differ]}, index=differ)

# %% [markdown]
# Compare a run of a minute with its controls, not with the paper. docs/small_scale.md has half an hour on UTD-MHAD, with its
# curve.
#
# ## What goes wrong, and how it shows
# slimlab ships the curves of four short runs of `tiny` (80 steps on synthetic clips). One is healthy. In each of the others, one
# thing was changed:
#
# - *collapsed*: the prototypes are not balanced and KoLeo is off. `pretrain` stops such a run after 30 steps; this one was
#   allowed to continue.
# - *too warm*: the temperature of the targets is too high.
# - *rate too high*: the learning rate is.
#
# The table does not tell the learning rate, because that would give one of them away. *Predict: which run is which? Write down A
# to D before you read on.*

# %%
columns = ["glcl_over_lnk", "target_prototypes", "used_prototypes", "gradient", "koleo", "mfp", "rank", "knn"]
riddle = lessons.riddle()
plot.runs(riddle, columns)

# %%
rows = {}
for name, t in riddle.items():
    ends = {"GLCL / ln K": "glcl_over_lnk", "per target": "target_prototypes", "in use": "used_prototypes"}
    rows[name] = {f"{words}, {when}": t[c].iloc[i] for words, c in ends.items() for when, i in (("first", 0), ("last", -1))}
    rows[name] |= {words: t[c].dropna().iloc[-1] for words, c in (("rank, last", "rank"), ("kNN, last", "knn"))}
pd.DataFrame(rows).T.round(2)


# %% tags=["exercise", "raises-exception"]
# Exercise 3 · difficulty 3 of 3 · about 25 minutes
def diagnose(metrics):
    """Metrics of a run (a DataFrame, one row per step) -> "healthy", "collapsed", "too warm" or "rate too high"."""
    raise NotImplementedError


lessons.check_diagnosis(diagnose)

# %% [markdown]
# <details><summary>Hint</summary>
#
# Judge a collapse by the last steps: a run may begin well, and a run may begin badly and recover. Targets that are too warm are
# even from the first step on. A rate that is too high makes sharp targets even, and flattens the features. The check also
# gives runs with another number of prototypes; `glcl / glcl_over_lnk` is $\ln K$.
# </details>
# <details><summary>Common mistakes</summary>
#
# Judging by the loss: the collapsed run has the lowest. Judging by kNN: it is noise here. Judging by the first step alone, or by
# the learning rate, which is a setting and no symptom. Thresholds in nats or in prototypes instead of fractions of ln K or of K.
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def diagnose(metrics):
#     first, last = metrics.iloc[0], metrics.tail(10).mean()
#     if last["used_prototypes"] < 3:
#         return "collapsed"
#     if last["glcl_over_lnk"] < 0.95:
#         return "healthy"
#     return "too warm" if first["target_prototypes"] > 0.5 * last["target_prototypes"] else "rate too high"
# ```
# </details>

# %% [markdown]
# Two columns mislead. Leave-one-subject kNN is measured on few clips and is noise after 80 steps. The rank stays far above one in
# every run, although one of them has collapsed: its answers have, its features have not.

# %%
by_knn = pd.Series({name: t["knn"].dropna().iloc[-1] for name, t in riddle.items()})
best = riddle[by_knn.idxmax()]
print(f"highest kNN: run {by_knn.idxmax()}, with {best['used_prototypes'].iloc[-1]:.1f} prototypes in use at the end")
ranks = {name: float(t["rank"].dropna().iloc[-1]) for name, t in riddle.items()}
print("ranks at the end:", {name: round(value, 1) for name, value in ranks.items()})

# %% [markdown]
# ## Summary
# All settings stand in one place, schedules depend on the fraction of the run, a stopped run resumes exactly, and a folder holds
# all of it. Read GLCL against ln K and its floor, prototypes per target and in use against K, rank against one, kNN against its
# own chance variation, and the result against the untrained network and raw coordinates.
#
# **Next:** this lesson judged a run by kNN accuracies, with a standard error that is too simple. Lesson 07 asks what such a
# number is worth: how the protocol moves it, and what it says about people who were not recorded.
#
# ## Test yourself
# 1. Why are schedules functions of the fraction of the run? What is awkward about that for a run of `minutes`?
#    <details><summary>Answer</summary>A short run is then a small copy of a long one. But the number of steps must be known
#    before the run starts, so `minutes` are timed and turned into steps first.</details>
# 2. The loss of run X is lower than that of run Y. What do you know? <details><summary>Answer</summary>Nothing yet. Another K,
#    another temperature or a collapse changes the loss as well. Compare prototypes per target and in use.</details>
# 3. The rank fell from 40 to 27 in the first hundred steps. Is that collapse? <details><summary>Answer</summary>Not of the
#    features: their rank would approach one. Whether the answers have collapsed, only the prototypes in use can tell.</details>
# 4. Why does the monitor use a training subject for kNN, and not the test side?
#    <details><summary>Answer</summary>Settings are chosen by this curve. A number that chose a setting cannot judge it.</details>
# 5. Two runs differ only in their seed, and their kNN differs by 0.03 on 200 clips. Is one seed better?
#    <details><summary>Answer</summary>Not measurably. One standard error is about 0.03 there, for each of the two.</details>
#
# ## Further reading
# - The paper's recipe: SLiM, [arXiv 2603.10648](https://arxiv.org/abs/2603.10648), section 4.1. AdamW: [arXiv
#   1711.05101](https://arxiv.org/abs/1711.05101).
# - The running center: DINO, [arXiv 2104.14294](https://arxiv.org/abs/2104.14294), section 3.1.
# - RankMe: Garrido et al., [arXiv 2210.02885](https://arxiv.org/abs/2210.02885).
# - What to monitor in self-supervised runs: A Cookbook of Self-Supervised Learning, [arXiv
#   2304.12210](https://arxiv.org/abs/2304.12210).

# %%
here.end()
