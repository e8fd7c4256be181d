"""Every explorer on Kinect v1, Kinect v2 and a body read from BVH, one person and two: shown, operated, drawn for a paper."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from slimlab import data, evaluate, masking, pretrain, widgets
from slimlab.skeleton import KINECT_V1, Skeleton
from tests.conftest import make_store

CHAINS = (("Spine", "Neck", "Head"), *((f"{s}Arm", f"{s}ForeArm", f"{s}Hand") for s in ("Left", "Right")))
CHAINS += tuple((f"{s}UpLeg", f"{s}Leg", f"{s}Foot") for s in ("Left", "Right"))


def bvh(path):
    """A body of 16 joints that turns all of them, as a motion-capture program writes it."""
    lines, rng = (
        ["HIERARCHY", "ROOT Hips", "{", "OFFSET 0 90 0", "CHANNELS 3 Zrotation Xrotation Yrotation"],
        np.random.default_rng(0),
    )
    for chain in CHAINS:
        side, down = {"L": 1, "R": -1}.get(chain[0][0], 0), -40 if chain[-1].endswith("Foot") else 25
        for name in chain:
            lines += [f"JOINT {name}", "{", f"OFFSET {15 * side} {down} 0", "CHANNELS 3 Zrotation Xrotation Yrotation"]
        lines += ["End Site", "{", "OFFSET 0 0 5", "}", *"}" * len(chain)]
    lines += ["}", "MOTION", "Frames: 40", "Frame Time: 0.0333"]
    angles = rng.uniform(-25, 25, (1, 48)) * np.sin(np.linspace(0, 6, 40))[:, None]
    path.write_text("\n".join(lines + [" ".join(f"{v:.3f}" for v in row) for row in angles]) + "\n")
    return data.open(path)


@pytest.fixture(scope="module", params=["v1", "v2", "bvh"])
def body(request, tmp_path_factory):
    """The body, and a clip (40, 1, V, 3) of it."""
    if request.param == "bvh":
        store = bvh(tmp_path_factory.mktemp("bvh") / "turns.bvh")
        return store.skeleton, store[0].joints
    store = data.synthetic(clips=22)
    store = data.on_body(store, KINECT_V1) if request.param == "v1" else store
    return store.skeleton, store[0].joints[:40, :1]


@pytest.fixture(scope="module", params=[1, 2], ids=["one person", "two people"])
def run_and_store(request, body, tmp_path_factory):
    skeleton, clip = body
    shifts = np.random.default_rng(0).normal(scale=0.3, size=(8, request.param, 3)).astype(np.float32)
    clips = [np.concatenate([clip + s for s in each], axis=1) for each in shifts]  # (40, M, V, 3)
    store = make_store(clips, skeleton, label=[0, 1] * 4, label_name=["turn", "other"] * 4, subject=[0, 0, 1, 1, 2, 2, 3, 3])
    sizes = dict(width=16, depth=2, prototypes=8, head_hidden=16, head_bottleneck=8, global_frames=32)
    config = pretrain.Config(steps=2, batch_size=4, evaluations=1, snapshots=1, **sizes)
    return pretrain.fit(store, config, folder=tmp_path_factory.mktemp("run") / "run", progress=False), store, request.param


def drawn(explorer, *which):
    """Each figure for a paper has its data beside it."""
    for name in which or (None,):
        assert len((explorer.figure(name) if name else explorer.figure()).data) > 0
    assert plt.get_fignums() == []


def test_clips_masks_and_augmentations(run_and_store):
    _, store, people = run_and_store
    joints = len(store.skeleton)
    player = widgets.ClipPlayer(store, 1, others=[0], trails=[joints - 1], names=True)
    assert player.stage.shape == [2, 40, people, joints] and len(player.animation().frames) == 40
    drawn(player)
    masks = widgets.MaskExplorer(store, frames=32)
    for strategy in masking.STRATEGIES:
        masks.strategy.value = strategy
        assert abs(masks.mask.mean() - 0.7) < 0.5 / masks.mask.size + 1e-9 and masks.stage.shape == [2, 32, people, joints]
    masks.toggle(0, joints - 1)
    drawn(masks, "body", "grid", "strategies")
    changes = widgets.AugmentationExplorer(store)
    changes.scales[0].value = 1.2
    holds = changes.readings.groupby("of")["holds"].all()
    assert holds["augmented"] and holds["augment"] and changes.stage.shape[2:] == [people, joints]
    drawn(changes)


def test_attention_and_features(run_and_store):
    run, store, people = run_and_store
    joints = len(store.skeleton)
    attention = widgets.AttentionExplorer(store, run.encoder, other=run.encoder, ratio=0.5)
    attention.stage.clicked = {"clip": 0, "person": people - 1, "joint": joints - 1, "frame": 20, "count": 1}
    assert attention.query == (1, joints - 1) and attention.person == people - 1 and attention.stage.shape[0] == 4
    assert all(v.shape == (2, joints) for v in attention.values)
    drawn(attention)
    features = widgets.FeatureExplorer(store, run.encoder)
    features.grid.clicked = {"panel": 0, "step": 1, "joint": joints - 1, "count": 1}
    assert features.values[0][1, joints - 1] == pytest.approx(1, abs=1e-5)
    drawn(features)


def test_prototypes_embedding_retrieval_and_training(run_and_store):
    run, store, people = run_and_store
    prototypes = widgets.PrototypeExplorer(run, store, k=3)
    for kind in ("clips", "cells"):
        prototypes.kind = kind
        assert prototypes.stage.shape[0] == 3 and prototypes.stage.shape[2:] == [people, len(store.skeleton)]
        drawn(prototypes, "usage", "assignment", "nearest")
    names = store.skeleton.names
    part = store.skeleton.parts[max(store.skeleton.parts, key=lambda p: len(store.skeleton.parts[p]))]
    limb = Skeleton([names[j] for j in part], range(-1, len(part) - 1))
    other = widgets.PrototypeExplorer(run, data.on_body(store, limb), k=3)  # its joints go by name
    assert other.stage.shape[0] == 3 and other.stage.shape[3] == len(part)
    embedding = widgets.EmbeddingExplorer(store, run)
    embedding.views[0].clicked = {"index": 3, "count": 1}
    assert embedding.selected[0] == 3 and embedding.stage.shape[2] == people
    drawn(embedding)
    train, test = data.split(store, train_subjects=[0, 1])
    sides = [evaluate.features(run.encoder, s) for s in (train, test)]
    drawn(widgets.RetrievalViewer(train, test, features=tuple(sides), k=2), "neighbours", "confusion")
    monitor = widgets.TrainingMonitor(store, config=run.began, folder=run.folder)
    assert monitor.sample.stage.shape == [2, 32, 1, len(store.skeleton)]
    drawn(monitor)
    drawn(monitor.sample)
