"""The explorers of what is inside, driven from Python: state, numbers on screen, complaints."""

import json
import subprocess
import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

import slimlab
from slimlab import analysis, data, evaluate, pretrain, skeleton, widgets
from slimlab.encoder import EncoderConfig, FeatureEncoder
from slimlab.evaluate import Features, random_encoder
from slimlab.plot import shaded
from tests.conftest import make_store


@pytest.fixture(scope="module")
def encoder():
    return random_encoder(EncoderConfig(width=32, depth=2, heads=2, patch_frames=8, frames=32, init_std=None))


@pytest.fixture(scope="module")
def two(synthetic):
    return int(np.flatnonzero(synthetic.column("people") == 2)[0])


def painted(stage, panel=0):
    """Colours (F, M, V, 3) and sizes (F, M, V) that the browser was sent."""
    clips, _, people, joints = stage.shape
    colors = np.frombuffer(stage.colors, np.uint8).reshape(clips, -1, people, joints, 3)[panel]
    sizes = np.frombuffer(stage.sizes, np.float32).reshape(clips, -1, people, joints)[panel]
    return colors, sizes


class TestAttention:
    def test_a_runs_snapshots_are_on_a_slider(self, synthetic, tmp_path):
        quick = pretrain.Config(steps=4, batch_size=4, width=32, depth=2, prototypes=16, evaluations=1, snapshots=2)
        run = pretrain.fit(synthetic[:16], quick, folder=tmp_path / "run", progress=False)
        a = widgets.AttentionExplorer(synthetic, run, index=3, query=(1, 2))
        assert list(a._controls["snapshot"].options) == ["step 2", "step 4"] and a.snapshot == "step 4"
        shown = {}
        for step in (4, 2):
            a._controls["snapshot"].value = f"step {step}"
            look = analysis.inside(slimlab.load_encoder(run.snapshots[step]), synthetic, 3)
            expected = 100 * analysis.attention_map(look.attention[:, 0], (1, 2), look.steps, len(look.skeleton))[-1].mean(dim=0)
            np.testing.assert_allclose(a.values[0], expected, atol=1e-4)
            assert a.stage.scene["titles"][0].endswith(f"step {step}")
            shown[step] = a.values[0]
        assert np.abs(shown[2] - shown[4]).max() > 0
        b = widgets.AttentionExplorer(synthetic, run)
        b.restore(a.state())
        np.testing.assert_array_equal(b.values[0], a.values[0])
        with pytest.raises(ValueError, match="snapshot 'step 3' is not there; there are step 2, step 4"):
            a.snapshot = "step 3"
        with pytest.raises(ValueError, match="give a run"):
            widgets.AttentionExplorer(synthetic, slimlab.load_encoder(run.folder), snapshot="step 2")

    def test_what_is_on_screen_is_the_querys_attention(self, synthetic, encoder):
        a = widgets.AttentionExplorer(synthetic, encoder, index=3)
        a.layer, a.head, a.query = 0, 1, (2, 7)
        look = analysis.inside(encoder, synthetic, 3)
        row = look.attention[0, 0, 1, 1 + 4 + 2 * 25 + 7]
        expected = 100 * row[5:].reshape(4, 25)
        np.testing.assert_allclose(a.values[0], expected, rtol=1e-5)
        _, sizes = painted(a.stage)
        for frame in (0, 9, 31):
            np.testing.assert_allclose(
                np.argsort(sizes[frame, 0]), np.argsort(expected[frame // 8].numpy(), kind="stable"), atol=0
            )
        assert a.stage.rings == [[0, 7]] and a.grid.ring == [2, 7] and a.gallery.panel == 1
        a.rolled = True
        rolled = analysis.rollout(look.attention[:, 0])[0][1 + 4 + 57, 5:].reshape(4, 25)
        np.testing.assert_allclose(a.values[0], 100 * rolled, rtol=1e-4)
        assert a.gallery.panel == -1

    def test_clicks_choose_query_person_and_head(self, synthetic, encoder, two):
        a = widgets.AttentionExplorer(synthetic, encoder, index=two)
        a.grid.clicked = {"panel": 0, "step": 3, "joint": 4, "count": 1}
        assert a.query == (3, 4)
        a.gallery.clicked = {"panel": 2, "step": 0, "joint": 0, "count": 1}
        assert (a.layer, a.head) == (1, 0)
        a.stage.clicked = {"clip": 0, "person": 1, "joint": 9, "frame": 17, "count": 1}
        assert (a.person, a.query) == (1, (2, 9)) and a.stage.rings == [[1, 9]]
        colors, _ = painted(a.stage)
        assert len(np.unique(colors[0, 0], axis=0)) == 1 < len(np.unique(colors[0, 1], axis=0))  # the other person is grey
        a.stage.frame = 25
        assert a.grid.now == 3
        a.index = 0  # one person: the second one's place is taken by the first
        assert a.stage.shape[2] == 1 and len(a.distances()) == 4 and a.figure() is not None

    def test_masked_beside_unmasked_and_two_encoders(self, synthetic, encoder):
        other = random_encoder(EncoderConfig(width=16, depth=3, heads=2, patch_frames=16, frames=64, init_std=None), seed=1)
        a = widgets.AttentionExplorer(synthetic, encoder, other=other, titles=("eights", "sixteens"), ratio=0.5)
        assert a.stage.shape[0] == 4 and a.grid.scene["titles"][2] == "sixteens"
        assert sum(len(c) for c in a.grid.scene["crossed"]) == 50 + 25  # half of 4 x 25 and of 2 x 25 cells
        a.query = (3, 7)
        np.testing.assert_allclose(
            a.values[2].sum(), 100 * float(a.looks[2].attention[1, 0, :, 5 + 25 + 7, 5:].sum(-1).mean()), rtol=1e-4
        )
        a.ratio = 0.0
        assert a.stage.shape[0] == 2 and len(a.distances()) == 2 * 2 + 3 * 2

    def test_what_is_not_there_is_named(self, synthetic, encoder):
        a = widgets.AttentionExplorer(synthetic, encoder)
        for name, value in (("layer", 2), ("head", 2), ("index", 132), ("query", (4, 0)), ("query", "cell")):
            before = getattr(a, name)
            with pytest.raises(ValueError):
                setattr(a, name, value)
            assert getattr(a, name) == before
        with pytest.raises(ValueError, match="no setting 'colour'"):
            widgets.AttentionExplorer(synthetic, encoder, colour="red")

    def test_another_body_and_a_figure(self, synthetic):
        clip = np.random.default_rng(0).normal(size=(40, 1, 17, 3)).astype(np.float32)
        store = make_store([clip, clip[:20]], skeleton.COCO)
        small = random_encoder(EncoderConfig(skeleton=skeleton.COCO, width=16, depth=1, heads=2, patch_frames=8, frames=16))
        a = widgets.AttentionExplorer(store, small)
        a.index = 1
        figure = a.figure()
        assert len(figure.data) == 2 * 17 and plt.get_fignums() == []


class TestFeatures:
    def test_components_and_likeness(self, synthetic, encoder):
        f = widgets.FeatureExplorer(synthetic, encoder, index=5)
        look = analysis.inside(encoder, synthetic, 5)
        expected = analysis.token_pca(look.tokens[1]).colours(look.tokens[1, 0])
        np.testing.assert_allclose(f.values[1], expected, atol=1e-5)
        colors, _ = painted(f.stage, panel=1)
        np.testing.assert_allclose(colors[20, 0] / 255, expected[20 // 8], atol=0.003)
        f.over = "clips"
        assert not np.allclose(f.values[1], expected, atol=0.05)
        f.grid.clicked = {"panel": 0, "step": 1, "joint": 7, "count": 1}
        assert f.mode == "similarity" and f.values[0][1, 7] == pytest.approx(1, abs=1e-5)
        f.stage.clicked = {"clip": 0, "person": 0, "joint": 3, "frame": 30, "count": 1}
        assert f.cell == (3, 3) and "head at step 3" in f.note.value
        assert "cosine" in f.figure().data.columns
        with pytest.raises(ValueError, match="should be"):
            f.cell = (4, 0)


class TestEmbedding:
    def test_what_cannot_be_placed_is_a_sentence_and_the_next_method_a_picture(self, synthetic):
        e = widgets.EmbeddingExplorer(synthetic, {"alike": torch.ones(len(synthetic), 16)})
        e.method = "tsne"
        assert "all 132 features are the same" in e.note.value and e._planes_box.children == ()
        e.method = "pca"
        assert "no picture" not in e.note.value and len(e._planes_box.children) == 1

    def test_a_single_labelled_clip_has_no_neighbour_and_says_so(self, synthetic):
        one = make_store(
            [np.full((9, 1, 25, 3), i, np.float32) for i in range(1, 10)], label=[3] + [-1] * 8, subject=np.arange(9)
        )
        e = widgets.EmbeddingExplorer(one, torch.eye(9))
        e.by = "correct"
        assert "There is no picture" in e.note.value
        e.by = "subject"
        assert len(e._planes_box.children) == 1

    @pytest.mark.integration
    def test_features_of_a_collapsed_encoder_do_not_end_the_kernel(self):
        code = (
            "import torch; from slimlab import data, widgets\n"
            "store = data.synthetic(clips=66)[:50]\n"
            "e = widgets.EmbeddingExplorer(store, torch.ones(50, 16), method='tsne')\n"
            "e.method = 'umap'\n"
            "print(e.note.value)"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert done.returncode == 0 and "all 50 features are the same" in done.stdout, done.stderr

    def test_choosing_plays_and_colours_follow(self, synthetic):
        f = evaluate.raw_features(synthetic, frames=8)
        e = widgets.EmbeddingExplorer(synthetic, f)
        e.views[0].selected = [5, 3, 9, 11, 20, 21, 22, 23]
        assert e.selected == [3, 5, 9, 11, 20, 21, 22, 23] and e.stage.shape[0] == 6
        assert e.views[0].selected == e.selected and "8 clips chosen, 6 of them play" in e.told.value
        e.views[0].clicked = {"index": 7, "count": 1}
        similar = torch.cosine_similarity(f.x, f.x[7:8], dim=1)
        similar[7] = 2
        assert e.selected == similar.argsort(descending=True)[:6].tolist()
        e.by = "correct"
        knn = evaluate.knn(Features(f.x[1:], f.labels[1:], None), Features(f.x[:1], f.labels[:1], None), k=1)
        assert e._values()[0] == ("right" if knn.predictions[0] == f.labels[0] else "wrong")
        assert len(np.unique(np.frombuffer(e.views[0].groups, np.uint16))) == 2
        e.by = "label_name"
        codes = np.frombuffer(e.views[0].groups, np.uint16)
        np.testing.assert_array_equal(codes, np.unique(synthetic.column("label_name").astype(str), return_inverse=True)[1])
        assert len(e.figure().data) == len(synthetic) and "shuffled" in e.note.value
        e.selected = []
        assert e.views[0].selected == []

    def test_linked_planes_are_turned_onto_each_other(self, synthetic):
        f = evaluate.raw_features(synthetic, frames=8)
        turn = torch.linalg.qr(torch.randn(f.x.shape[1], f.x.shape[1], generator=torch.Generator().manual_seed(0)))[0]
        e = widgets.EmbeddingExplorer(synthetic, {"turned": f.x @ turn, "plain": f})
        assert e.source == "plain"
        plain = e.plane.xy
        e.source, e.beside = "turned", "plain"
        np.testing.assert_allclose(e.plane.xy, plain, atol=1e-2 * plain.std())
        np.testing.assert_array_equal(np.frombuffer(e.views[1].xy, np.float32).reshape(-1, 2), plain)
        for name, value in (("source", "absent"), ("by", "height"), ("method", "lda"), ("selected", [132])):
            with pytest.raises((ValueError, Exception), match=r"not there|cannot color|lda|not among"):
                setattr(e, name, value)
        with pytest.raises(ValueError, match="same clips"):
            widgets.EmbeddingExplorer(synthetic, f.x[:5])

    def test_a_selection_is_labelled_left_out_exported_and_taken_back(self, synthetic, tmp_path):
        before = synthetic.labels.copy()
        e = widgets.EmbeddingExplorer(synthetic, evaluate.raw_features(synthetic, frames=8))
        assert e._buttons["label"].disabled and e._buttons["undo"].disabled
        for act in (e.exclude, lambda: e.assign("x"), lambda: e.export(tmp_path / "x.csv")):
            with pytest.raises(ValueError, match="no clips are selected"):
                act()
        e.selected = [3, 5, 7]
        with pytest.raises(Exception, match="give a text"):
            e.assign("  ")
        e.assign("mine")
        assert e.edited.column("label_name")[[3, 5, 7]].tolist() == ["mine"] * 3 and len(e.edited) == len(synthetic)
        assert "mine" in e.legend.value and not e._buttons["undo"].disabled
        e.selected = [5, 9]
        e.exclude()
        assert e.selected == [] and len(e.edited) == len(synthetic) - 2 and e.views[0].hidden == [5, 9]
        assert not {5, 9} & set(e.nearest(3, k=len(synthetic))) and len(e.nearest(3, k=len(synthetic))) == len(synthetic) - 2
        assert len(e.figure().data) == len(synthetic) - 2 and "mine" in set(e.figure().data["label_name"])
        e.undo()
        assert e.views[0].hidden == [] and len(e.edited) == len(synthetic) and "mine" in e.edited.label_names
        e.undo()
        e.undo()  # nothing left: nothing happens
        assert e.edits == [] and e.edited is synthetic and "mine" not in e.legend.value
        e.redo()
        e.redo()
        e.redo()
        assert len(e.edits) == 2 and len(e.edited) == len(synthetic) - 2 and e._buttons["redo"].disabled
        e.undo()
        e.selected = [1]
        e.assign("other")  # a new change: what was taken back is gone
        assert e._buttons["redo"].disabled and len(e.edits) == 2
        e.selected = [3, 7]
        read = data.open(e.export(tmp_path / "made" / "clips"))
        assert len(read) == 2 and set(read.column("label_name")) == {"mine"}
        assert e.export(tmp_path / "clips.csv").read_text().count("mine") >= 2
        e._name.value, e._path.value = "from the page", str(tmp_path / "made" / "clips")
        e._buttons["label"].click()
        assert e.edits[-1] == ("label", "from the page", [3, 7])
        e._buttons["export"].click()  # the folder is there already
        assert "made/clips" in e._done.value and "written" not in e._done.value
        np.testing.assert_array_equal(synthetic.labels, before)

    def test_zoom_is_shared_and_resting_on_a_point_sends_its_motion(self, synthetic):
        f = evaluate.raw_features(synthetic, frames=8)
        e = widgets.EmbeddingExplorer(synthetic, {"a": f, "b": f.x[:, :20]})
        e.beside = "a"
        e.views[1].view = [0.1, 0.2, 4.0]
        assert e.view == e.views[0].view == [0.1, 0.2, 4.0] and e.views[0].link == e.views[1].link != ""
        for bad in ([0, 0], [0, 0, 0.1], [0, float("nan"), 1], "abc"):
            with pytest.raises(Exception, match=r"view|List"):
                e.views[0].view = bad
        e.views[0].hovered = 6
        sent = e.views[0].preview
        frames, people, joints = sent["shape"]
        points = np.frombuffer(sent["points"], np.float32).reshape(frames, people, joints, 2)
        assert sent["index"] == 6 and frames <= 60 and joints == len(synthetic.skeleton)
        assert np.nanmin(points) >= 0 and np.nanmax(points) <= 1 and np.nanmax(points[..., 1]) > 0.8
        head, foot = (synthetic.skeleton.names.index(n) for n in ("head", "left_foot"))
        assert (points[:, 0, head, 1] < points[:, 0, foot, 1]).all()  # the head above: y grows downward on the page


def test_a_scatter_needs_one_text_and_one_group_for_each_point():
    with pytest.raises(ValueError, match="3 points, 2 groups and 3 texts"):
        widgets.Scatter().show(np.zeros((3, 2)), np.zeros(2), ["a", "b", "c"])


class TestRetrieval:
    def test_cells_hits_and_misses(self, synthetic):
        train, test = data.split(synthetic)
        sides = evaluate.raw_features(train, 8), evaluate.raw_features(test, 8)
        r = widgets.RetrievalViewer(train, test, features=sides, k=3)
        truth, called = r.result.labels.numpy(), r.result.predictions.numpy()
        r.show = "misses"
        np.testing.assert_array_equal(r.listed, np.flatnonzero(truth != called))
        assert r.index == r.listed[0] and not r.hits[0]
        true, predicted = int(truth[r.listed[2]]), int(called[r.listed[2]])
        r.matrix.clicked = {"panel": 0, "step": predicted, "joint": true, "count": 1}
        assert r.cell == (true, predicted) and r.matrix.ring == [predicted, true]
        np.testing.assert_array_equal(r.listed, np.flatnonzero((truth == true) & (called == predicted)))
        np.testing.assert_array_equal(r.neighbours, evaluate.knn(*sides, k=3).neighbours[r.index])
        titles = r.stage.scene["titles"]
        assert len(titles) == 4 and [t[0] for t in titles[1:]] == ["✓" if h else "✗" for h in r.hits]
        if len(r.listed) > 1:
            r.index = int(r.listed[-1])
        r.show = "hits"
        assert len(r.listed) == 0 and "no query" in r.note.value
        r.cell = ()
        assert len(r.figure().data) == 4
        for name, value in (("cell", (0, 22)), ("index", 66)):
            with pytest.raises(ValueError):
                setattr(r, name, value)
        with pytest.raises(ValueError, match="same clips"):
            widgets.RetrievalViewer(train, test[:5], features=sides)


class TestPrototypes:
    def test_of_a_run(self, synthetic, quick, tmp_path):
        train, test = data.split(synthetic)
        run = pretrain.fit(train, quick, folder=tmp_path / "run", progress=False)
        p = widgets.PrototypeExplorer(run, test, k=3)
        usage = p.prototypes.usage()
        assert usage[p.prototype] == usage.max() and p.stage.shape[0] == 3
        drawn = np.frombuffer(p.usage.points, np.float32).reshape(2, 16)[1]
        np.testing.assert_allclose(drawn / 100, usage.sort(descending=True).values, atol=1e-6)
        np.testing.assert_allclose(p.assigned.sum(dim=1), 1, atol=1e-5)
        p.usage.clicked = {"panel": 0, "index": 1, "count": 1}
        assert usage[p.prototype] == usage.sort().values[-2] and p.usage.chosen == [0, 1]
        named = p.assignment.scene["ticks"]
        p.assignment.clicked = {"panel": 0, "step": 3, "joint": 9, "count": 1}
        assert str(p.prototype) == named[3] and p.usage.chosen == [0, 3]
        cell = np.frombuffer(p.assignment.colors, np.uint8).reshape(16, 32, 3)[3, 9]  # column by column
        expected = shaded(p.assigned.numpy(), (0, float(p.assigned.max())))[9, p.prototype]
        np.testing.assert_array_equal(cell, expected)
        for which in ("usage", "assignment", "nearest"):
            assert len(p.figure(which).data) > 0
        with pytest.raises(ValueError, match="choose usage"):
            p.figure("all")
        p.kind = "cells"
        _, sizes = painted(p.stage)
        first = p.nearest.iloc[0]
        marked = np.argwhere(sizes > 1)
        assert set(marked[:, 2]) == {first["joint"]} and set(marked[:, 0] // 16) == {first["step"]}
        with pytest.raises(ValueError, match="none of the 16"):
            p.prototype = 16
        e = widgets.EmbeddingExplorer(test, run)
        assert list(e._given)[-1] == "step 12" and e.source == "step 12"
        np.testing.assert_allclose(e._features("step 12"), evaluate.features(run.encoder, test).x, atol=1e-5)


def test_without_an_encoder_they_look_into_small():
    people = data.ui_prmd()[::200]
    encoder = slimlab.pretrained("small", skeleton=people.skeleton)
    a, f = widgets.AttentionExplorer(people), widgets.FeatureExplorer(people)
    assert a.values[0].shape == (8, len(people.skeleton))
    np.testing.assert_allclose(f.look.tokens, analysis.inside(encoder, people, 0).tokens)
    r = widgets.RetrievalViewer(people[::2], people[1::2], k=2)
    np.testing.assert_allclose(r.features[0].x, evaluate.features(encoder, people[::2]).x, atol=1e-5)


def test_the_prototypes_of_small_before_another_body():
    people = data.ui_prmd()[::200]
    p = widgets.PrototypeExplorer(pretrain.pretrained_run(), people, k=2)
    encoder = slimlab.pretrained("small", skeleton=people.skeleton)
    of_small = analysis.prototypes(encoder, pretrain.pretrained_run().teacher.cls_head, people)
    np.testing.assert_allclose(p.prototypes.embedding, of_small.embedding, atol=1e-6)
    assert len(p.prototypes.usage()) == 256 and len(p.nearest) == 2


def test_a_packed_run_in_the_plane_of_another_body():
    people, run = data.ui_prmd()[::100], pretrain.pretrained_run()
    e = widgets.EmbeddingExplorer(people, run)
    assert e.source == "last step" and "no picture" not in e.note.value
    encoder = slimlab.pretrained("small", skeleton=people.skeleton)
    np.testing.assert_allclose(e._features("last step"), evaluate.features(encoder, people).x, atol=1e-5)


def test_the_shipped_encoder_and_real_recordings(utd):
    encoder = slimlab.pretrained("tiny-v1", skeleton=utd.skeleton)  # the same joints in another order
    a = widgets.AttentionExplorer(utd[:20], encoder, index=3, query=(0, 5))
    assert a.values[0].shape[1] == 20 and 0 < a.values[0].sum() <= 100.01


class TestEmbeddingOfOthers:
    """What is told of the clips, not of the picture."""

    def test_edits_and_a_selection_are_of_their_clips_alone(self, synthetic):
        f = evaluate.raw_features(synthetic, frames=8)
        e = widgets.EmbeddingExplorer(synthetic, f)
        e.selected = [0, 1]
        e.assign("mine")
        state = json.loads(json.dumps(e.state()))
        backwards = np.arange(len(synthetic))[::-1].copy()
        other = widgets.EmbeddingExplorer(synthetic[backwards], f.rows(backwards))
        with pytest.raises(ValueError, match="edits and selected are of other clips"):
            other.restore(state)
        assert other.edits == [] and other.selected == []
        other.restore(state | {"edits": [], "selected": [], "by": "subject"})  # the remedy
        assert other.by == "subject"
        again = widgets.EmbeddingExplorer(synthetic, f)
        again.restore(state)
        assert again.state() == state

    def test_correct_is_by_the_labels_as_they_are_now(self, synthetic):
        e = widgets.EmbeddingExplorer(synthetic, evaluate.raw_features(synthetic, frames=8), by="correct")
        assert "wrong" in e._values()
        e.selected = list(range(len(synthetic)))
        e.assign("all the same")
        assert set(e._values()) == {"right"}
        e.selected = [4]
        e.exclude()
        assert e._values()[4] == "no label"

    def test_any_network_of_features(self, synthetic):
        class Means(FeatureEncoder):
            config, has_cls = EncoderConfig(width=2, depth=1, heads=1, frames=8), False

            def __init__(self):
                super().__init__()
                self.place = torch.nn.Parameter(torch.zeros(1))

            def features(self, x, people=None, blocks=1, pool="cls+mean", combine="concat", seen=None):
                return x.mean(dim=(2, 3)).flatten(1)

        assert widgets.EmbeddingExplorer(synthetic, Means()).plane.xy.shape == (len(synthetic), 2)

    def test_a_column_of_one_value(self, synthetic):
        e = widgets.EmbeddingExplorer(synthetic, evaluate.raw_features(synthetic, frames=8), by="split")
        assert e.by == "split" == e._controls["by"].value
        e = widgets.EmbeddingExplorer(synthetic, evaluate.raw_features(synthetic, frames=8))
        with pytest.raises(ValueError, match="cannot color by 'split'; choose one of label_name, subject"):
            e.by = "split"
        assert e.by == "label_name"
        one = synthetic[synthetic.labels == 0]
        assert widgets.EmbeddingExplorer(one, evaluate.raw_features(one, frames=8)).by == "label_name"
