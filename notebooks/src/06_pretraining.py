# %% [markdown]
# # 06 · Pre-training, live
#
# **After this lesson** you can set up a run and say what each setting does, watch it, stop it and go on to the same numbers,
# read its curves, find everything that it left on disk, judge it beside its controls, and tell a broken run from a young one.
# **Needs** lesson 05; no GPU. **Takes** about 45 minutes with its three exercises; the machine's part is printed at the end.
#
# The paper ([arXiv 2603.10648](https://arxiv.org/abs/2603.10648), section 4.1) trains 187,500 steps of 768 clips. Here it is
# about a minute of 32, on the machine in front of you: long enough to see every curve move, far too short for the numbers of
# the paper.
#
# Unless you ask for other data, the clips are of real people: ten of them did ten rehabilitation exercises before a Kinect v2,
# correctly and then incorrectly on purpose (UI-PRMD, public domain, in the package). A class is an exercise done correctly or
# done incorrectly; training sees no class.

# %%
import math

import numpy as np
import pandas as pd
from IPython.display import display

import slimlab
from slimlab import analysis, data, evaluate, lessons, plot, pretrain, widgets
from slimlab.pretrain.monitor import MONITOR_CLIPS
from slimlab.pretrain.schedules import schedule

here = lessons.begin("06_pretraining")  # or data="synthetic", or your own: data="~/UTD-MHAD/Skeleton"
store, quick = here.store[:: 3 if here.quick else 1], here.quick
train, test = data.split(store, "cross-subject")  # the encoder never sees a test clip, and no label at all
print(f"{len(train)} training clips, {len(test)} test clips of other subjects")

# %% [markdown]
# ## The settings, in one place
# What is not named here has the preset's value (`pretrain.PRESETS["tiny"]`; how they were chosen: docs/small_scale.md).
#
# Four numbers change on the way (section 4.1): learning rate, the teacher's momentum and temperature, weight decay. Every
# schedule is a fraction of the run, so that a short run has the shape of a long one. *Predict: where is the learning rate
# highest, and where does the teacher follow fastest?*

# %%
known = here.synthetic or "exercise" in store.table  # see the text below
same_action = {"mirror": known, "rotation": (0.3, 1.2 if here.synthetic else 0.3, 0.3)}  # rad about x, y (up), z
weights = {"glcl_weight": 1.0, "mfp_weight": 0.25, "koleo_weight": 0.02}
config = pretrain.Config(
    preset="tiny",  # width 64, 3 blocks, 2 heads, 32 frames in tokens of 16; "paper": the paper's
    seed=here.seed,  # of everything random: weights, order of clips, views, masks
    **({"steps": 20} if quick else {"minutes": 1.2}),  # or steps=…; `minutes` are turned into steps before the run starts
    batch_size=32,  # clips a step; Sinkhorn balances prototypes over these, so it should not be tiny
    prototypes=128,  # per head; 65,536 in the paper
    teacher_temperature=(0.02, 0.02),  # first, last; lesson 05 says why so low
    momentum=(0.97, 1.0),  # of the teacher, first and last
    mask_ratio=(0.5, 0.9),  # of the hidden tokens, stratified over the batch
    **weights,  # of the three losses
    **same_action,
)

# %%
shape = config if quick else pretrain.Config(**{**config.to_dict(), "minutes": None, "steps": 600})
plot.schedules(shape, title=f"tiny, over {shape.steps} steps")

# %% [markdown]
# `mirror` and `rotation` say what makes *no difference* to an action. An exercise done with the other arm is the same exercise.
# UTD-MHAD has "swipe left" and "swipe right" as two classes, so your own data are not mirrored. The people of UI-PRMD face the
# camera and are turned by a little only; those of the synthetic set do not, and are turned further about the vertical axis. An
# augmentation is a statement about the data, not a knob.
#
# Beside it the paper's schedules, 187,500 steps of them:

# %%
paper = pretrain.Config(preset="paper")
assert max(schedule(paper, s)["lr"] for s in range(0, paper.steps, 500)) <= paper.lr + 1e-12
plot.schedules(paper, title=f"the paper's: {paper.steps:,} steps, highest rate {paper.lr:.2e}")

# %% [markdown]
# Linear warm-up, then half a cosine. At step $s$ of $S$, with warm-up over the part $w$ of the run and $u = (s/S - w)/(1 - w)$:
#
# $$\eta_s = \begin{cases} \eta_\text{max}\,\frac{s + 1}{w S} & \text{while that is below } \eta_\text{max} \\
# \eta_\text{min} + (\eta_\text{max} - \eta_\text{min})\,\tfrac12 (1 + \cos \pi u) & \text{then} \end{cases}
# \qquad \eta_\text{max} = \eta_\text{base} \sqrt{B / 1024}$$


# %% tags=["exercise", "raises-exception"]
# Exercise 1 · difficulty 1 of 3 · about 10 minutes
def rate(step, steps, highest, lowest, warmup):
    """The learning rate at a step (0-based); warmup: the part of the run, 0..1, in which it rises."""
    raise NotImplementedError


lessons.check_schedule(rate)

# %% [markdown]
# <details><summary>Hint</summary>
#
# First compute the rising line; return it while it is below one, times `highest`. Take care where `warmup` is zero.
# </details>
# <details><summary>Common mistakes</summary>
#
# A rate of zero in step 0 (a step for nothing). A cosine that starts at step 0, so that the rate jumps where the warm-up ends.
# Ending at zero instead of `lowest`.
# </details>
# <details><summary>Solution</summary>
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
# ## Before it starts
# A run says what it will cost, from a few throw-away steps.

# %%
print(f"{len(train)} clips, {config.batch_size} a step:", pretrain.estimate(train, shape))

# %% [markdown]
# ## The run
# `stream` gives one step at a time; what stands in the loop is yours. **Stop** (■) interrupts it and writes a checkpoint; running
# the cell again goes on from there.
#
# *Predict: at which value does GLCL begin, and by how much will it have fallen after a minute? Will kNN on a left-out training
# subject rise steadily?*

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
# - **GLCL** begins at $\ln K$, the price of knowing nothing, and cannot fall below $\ln(\text{prototypes per target})$ (lesson
#   05).
# - **Prototypes per target** have to be few, **in use** many. Per batch of 32 clips (64 global views) at most 64 can be in use.
# - **Rank** ([RankMe](https://arxiv.org/abs/2210.02885)) often *falls* at first: an untrained network's features are noise in
#   many directions. A fall that ends is fine; one towards 1 is collapse of the features, and slimlab stops the run there.
#   Answers collapse at any rank: then about one prototype is *in use*, and slimlab stops the run for that, too.
# - **Leave-one-subject kNN** is the only curve that asks whether features are good *for* something. It is measured on one
#   training subject, so it jumps: the next cell prints by how much it may, by chance alone.

# %%
head, tail = metrics.head(5).mean(), metrics.tail(25).mean()
floor = math.log(tail["target_prototypes"]) / math.log(config.prototypes)
print(f"GLCL / ln K: {head['glcl_over_lnk']:.2f} -> {tail['glcl_over_lnk']:.2f}; it could fall to {floor:.2f}")
print(f"prototypes per target {tail['target_prototypes']:.1f}, in use {tail['used_prototypes']:.0f} of {config.prototypes}")
known = metrics[["step", "knn", "rank"]].dropna()
held = min(MONITOR_CLIPS, int((train.column("subject") == np.unique(train.column("subject"))[-1]).sum()))
p = known["knn"].iloc[-1]
print(f"leave-one-subject kNN {p:.2f}, give or take {math.sqrt(p * (1 - p) / held):.2f} (one standard error, {held} clips)")
learned = tail["glcl_over_lnk"] < 0.97 and tail["used_prototypes"] > 20
print("GLCL has fallen, with many prototypes in use" if learned else "too few steps, or a run that does not learn: see below")

# %% [markdown]
# RankMe is the number of directions that features use: with $\sigma_i$ the singular values of the matrix of features,
#
# $$\text{RankMe} = \exp\Big(-\sum_i p_i \log p_i\Big), \qquad p_i = \frac{\sigma_i}{\sum_j \sigma_j}.$$

# %%
trained = evaluate.features(run.encoder, test, pool="cls", combine="sum").x
untrained = evaluate.features(evaluate.random_encoder(run.encoder.config, here.seed), test, pool="cls", combine="sum").x
one_way = trained[:1] + 1e-4 * trained  # the control: all clips (nearly) the same
ranks = {"trained": trained, "untrained": untrained, "one clip for all": one_way}
ranks = {name: analysis.rankme(x) for name, x in ranks.items()}
assert ranks["one clip for all"] < 1.2
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
# Squares of the singular values (another measure, the "participation" of variances). Taking the mean away first: then collapse
# onto one direction is invisible. Forgetting the exponential.
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
# ## Stop, and go on to the same numbers
# All randomness of step $s$ comes from (seed, $s$), and a checkpoint holds student, teacher, optimiser and step. So a run that
# was stopped, or killed, gives what an uninterrupted one gives. Not nearly: the same. *Predict: in which column will the two
# tables differ all the same?*

# %%
small = pretrain.Config(preset="tiny", steps=16, evaluations=2, snapshots=1, seed=here.seed)
whole = pretrain.fit(train, small, folder=here.out / "run-whole", resume=False, progress=False)
stopped = pretrain.stream(train, small, folder=here.out / "run-stopped", resume=False)
async for step in stopped:
    if step.step == 6:
        break
await stopped.aclose()  # writes the checkpoint now; Stop, or the end of a token, does the same
half = pretrain.Run(here.out / "run-stopped")
print(half)
again = pretrain.fit(train, small, folder=half.folder, progress=False)  # goes on

# %%
timing = ["clips_per_second"]
assert half.about["status"] == "interrupted" and half.step < small.steps and len(again.metrics) == small.steps
pd.testing.assert_frame_equal(whole.metrics.drop(columns=timing), again.metrics.drop(columns=timing), check_exact=True)
both = pd.concat({"whole": whole.metrics, "stopped and resumed": again.metrics}, axis=1).swaplevel(axis=1)
both[["glcl", "mfp", "clips_per_second"]].iloc[[0, 6, 7, 15]]

# %% [markdown]
# Only the clock differs. (Bit for bit on one machine with one number of threads; another machine adds in another order.)
#
# ## The same as a widget
# `TrainingMonitor` draws the curves of runs from their folders, one over another; with a store instead of folders it also
# starts, pauses and stops one: `widgets.TrainingMonitor(train, config=config, folder=folder)`.

# %%
widgets.TrainingMonitor(folder, here.out / "run-whole")

# %% [markdown]
# ## A run is a folder
# Any number can be traced to it: settings, data and its fingerprint, the clips that were seen, the environment, every step.

# %%
kinds = {"config.json": "every setting", "run.json": "data, body, environment, status", "train_clips.csv": "what it has seen"}
kinds |= {"metrics.jsonl": "one line a step", "checkpoint.pt": "student, teacher, optimiser: to go on"}
kinds |= {"encoder": "the teacher's encoder, what the run is for", "snapshots": "the same along the way", "figures": "pictures"}
for place in sorted(run.folder.iterdir()):
    files = [place] if place.is_file() else [f for f in place.rglob("*") if f.is_file()]
    print(f"{place.name:<16} {sum(f.stat().st_size for f in files) / 1e3:8.0f} kB  {kinds.get(place.name, '')}")
print({k: run.about[k] for k in ("status", "step", "seconds", "clips", "fingerprint")})

# %% [markdown]
# The list of clips is there for one reason: `evaluate` and `Run.check_unseen` refuse a test clip that was trained on.

# %%
run.check_unseen(test)  # silent: nothing seen
try:
    run.check_unseen(train)
except pretrain.RunError as error:
    print("refused:", str(error).partition(": ")[2])

# %% [markdown]
# ## What did it learn, and when?
# Ten encoders were kept on the way. kNN on the *test* subjects (looked at, not chosen by), beside the network that the run
# started from and raw coordinates. *Predict: which of the three is highest after a minute?*


# %%
def test_knn(encoder):
    return evaluate.knn(evaluate.features(encoder, train), evaluate.features(encoder, test)).accuracy


shown = dict(list(run.snapshots.items())[:: 5 if quick else 1])
start = test_knn(evaluate.random_encoder(run.encoder.config, seed=config.seed))  # step 0: same seed, same weights
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
error = math.sqrt(0.25 / len(test))  # at most, one standard error of one accuracy
gain = scores["pre-trained encoder"] - random
print(f"{run.config.steps} steps: {gain:+.3f} over the best untrained encoder, standard error about {error:.3f}")
print("That is " + ("more" if abs(gain) > 2 * error else "less") + " than two standard errors.")
if not quick:
    record = slimlab.pretrained_record("tiny")
    print(f"The shipped encoder had {record['config']['steps']:,} steps on {record['data']}: {scores['shipped encoder']:.3f}")

# %% [markdown]
# A minute is a minute: compare with the controls, not with the paper. Half an hour on UTD-MHAD is in docs/small_scale.md, curve
# included. The shipped encoder learned the same way for longer, on synthetic motion: it never saw a person, and joints are
# matched by name. Whether that is worth more than a minute on the people themselves, the table says.
#
# ## What goes wrong, and how it shows
# Four short runs of `tiny` (80 steps on synthetic clips, shipped with slimlab). One is healthy. In the others one setting was
# changed: no balance of prototypes and no KoLeo (its answers *collapsed*; `pretrain` stops such a run after 30 steps, this one
# was left to go on), targets *too warm*, a learning *rate too high*.
#
# *Predict: which is which? Write down A to D before you read on.*

# %%
columns = ["glcl_over_lnk", "target_prototypes", "used_prototypes", "gradient", "koleo", "mfp", "rank", "knn"]
riddle = lessons.riddle()
plot.runs(riddle, columns)

# %% [markdown]
# Note what does *not* help: leave-one-subject kNN. After 80 steps and on the few clips that it is measured on, it is noise: here
# the collapsed run's is the highest of the four. The other columns tell them apart at once, long before kNN could.

# %%
by_knn = pd.Series({name: t["knn"].dropna().iloc[-1] for name, t in riddle.items()})
assert riddle[by_knn.idxmax()]["used_prototypes"].iloc[-1] < 3  # the highest kNN is the collapsed run's
pd.concat({name: t.iloc[[0, 8, 40, 79]].set_index("step") for name, t in riddle.items()})[columns[:5]].round(2)


# %% tags=["exercise", "raises-exception"]
# Exercise 3 · difficulty 2 of 3 · about 15 minutes
def diagnose(metrics):
    """A run's metrics (a DataFrame, one line a step) -> "healthy", "collapsed", "too warm" or "rate too high"."""
    raise NotImplementedError


lessons.check_diagnosis(diagnose)

# %% [markdown]
# <details><summary>Hint</summary>
#
# Look at the *first* step too. Targets that are too warm are even from the first step on; a rate too high makes them even.
# </details>
# <details><summary>Common mistakes</summary>
#
# Judging by the loss: the collapsed run's is the lowest. Judging by kNN: it is noise here. Thresholds in nats instead of
# fractions of ln K or of K.
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
# ## Summary
# Settings stand in one place, schedules are fractions of the run, a stopped run goes on to the same numbers, and a folder holds
# all of it. Read GLCL against ln K and its floor, targets against K, rank against 1, kNN against its own chance, and the result
# against the untrained network and raw coordinates.
#
# ## Test yourself
# 1. Why are schedules fractions of the run and not step numbers? What is awkward about that for a run of `minutes`?
#    <details><summary>Answer</summary>A short run is a small copy of a long one. But the steps must be known before it starts:
#    `minutes` are timed and fixed first.</details>
# 2. The loss of run X is lower than that of run Y. What do you know? <details><summary>Answer</summary>Nothing yet: other K,
#    temperature or collapse move it. Compare what stands beside it.</details>
# 3. Rank fell from 40 to 27 in the first hundred steps. Is that collapse? <details><summary>Answer</summary>No: towards 1 would
#    be, of the features. Whether the answers have collapsed, the prototypes in use say.</details>
# 4. Why must leave-one-subject kNN use training subjects, and not the test side?
#    <details><summary>Answer</summary>What settings are chosen by must not be what they are judged by.</details>
# 5. Two runs differ only in their seed, and their kNN by 0.03. With 200 judged clips, is one seed better?
#    <details><summary>Answer</summary>One standard error is about 0.03 there: no.</details>
#
# ## Further reading
# - The paper's recipe: SLiM, [arXiv 2603.10648](https://arxiv.org/abs/2603.10648), section 4.1. AdamW: [arXiv
#   1711.05101](https://arxiv.org/abs/1711.05101).
# - RankMe: Garrido et al., [arXiv 2210.02885](https://arxiv.org/abs/2210.02885).
# - What to monitor in self-supervised runs: A Cookbook of Self-Supervised Learning, [arXiv
#   2304.12210](https://arxiv.org/abs/2304.12210).

# %%
here.end()
