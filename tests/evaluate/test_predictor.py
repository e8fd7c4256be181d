"""Labels for new clips: as the probe gives them, saved and loaded, and frame by frame."""

import io
import json
from dataclasses import replace

import numpy as np
import pytest

from slimlab import data, evaluate, skeleton, weights
from slimlab.__main__ import main
from slimlab.data import DataError
from slimlab.encoder import EncoderConfig
from slimlab.evaluate import predictor
from tests.conftest import counting_clip, make_store

CONFIG = EncoderConfig(
    width=16, depth=1, heads=2, frames=16, patch_frames=8, init_std=None, centering="every_frame", input_scale=3.0
)


@pytest.fixture(scope="module")
def sides(synthetic):
    return data.split(synthetic, "cross-subject")


@pytest.fixture(scope="module")
def fitted(sides):
    return evaluate.fit_predictor(evaluate.random_encoder(CONFIG, 1), sides[0])


def test_labels_are_the_linear_probes(fitted, sides):
    train, test = sides
    found = fitted.predict(test)
    read = [evaluate.features(fitted.encoder, side) for side in sides]
    expected = evaluate.linear_probe(*read)
    assert found["label"].tolist() == [test.label_names[i] for i in expected.predictions.tolist()]
    np.testing.assert_allclose(found["confidence"], expected.scores.softmax(dim=1).amax(dim=1), atol=1e-4)
    assert (found["confidence"] >= found["second_confidence"]).all() and (found["label"] != found["second_label"]).all()
    assert fitted.about["clips"] == len(train) and 0 <= fitted.about["held_out"] <= 1
    assert fitted.about["held_out_by"] == "held-out subjects"


def test_two_classes_and_clips_without_a_label(synthetic):
    two = synthetic[synthetic.labels < 2]
    some = evaluate.fit_predictor(evaluate.random_encoder(CONFIG, 1), two)
    read = evaluate.features(some.encoder, two)
    expected = evaluate.linear_probe(read, read)
    np.testing.assert_allclose(some.logits(read.x).log_softmax(dim=1), expected.scores, atol=1e-3)
    with pytest.raises(DataError, match="single class"):
        evaluate.fit_predictor(some.encoder, synthetic[synthetic.labels == 0])
    empty = make_store([np.zeros((9, 1, 25, 3), np.float32), counting_clip(20)])
    said = evaluate.fit_predictor(some.encoder, two.with_people(2)).predict(empty.with_people(2))
    assert said["label"][0] == "" and said["confidence"][0] == 0 and said["label"][1] != ""


def test_a_saved_predictor_says_the_same(fitted, sides, tmp_path):
    again = evaluate.load_predictor(fitted.save(tmp_path / "p"))
    assert again.predict(sides[1]).equals(fitted.predict(sides[1])) and again.about == fitted.about
    about = json.loads((tmp_path / "p" / "predictor.json").read_text())
    (tmp_path / "p" / "predictor.json").write_text(json.dumps(about | {"names": ["one"]}))
    with pytest.raises(ValueError, match=r"p: no predictor \(the probe is .* for 1 classes"):
        evaluate.load_predictor(tmp_path / "p")
    with pytest.raises(FileNotFoundError, match="slimlab predict --save"):
        evaluate.load_predictor(tmp_path / "absent")


def test_what_does_not_fit_is_refused(fitted, synthetic):
    x = data.test_view(synthetic, np.arange(40), 16)[0][..., :1].numpy()
    one = data.from_arrays(x, labels=synthetic.labels[:40], subjects=synthetic.column("subject")[:40])
    single = evaluate.fit_predictor(fitted.encoder, one)
    with pytest.raises(DataError, match=r"up to 2 people; .* at most 1; fit it on clips of as many"):
        single.predict(synthetic)
    wider = evaluate.fit_predictor(fitted.encoder, one.with_people(2))  # the remedy
    assert len(wider.predict(synthetic[:5])) == 5
    with pytest.raises(ValueError, match="made for 25 joints"):
        single.predict(data.on_body(synthetic[:2], skeleton.KINECT_V1))


def test_frames_one_by_one_are_the_window_as_a_clip(fitted, synthetic):
    clip = next(c for c in synthetic if c.joints.shape[1] == 1 and len(c.joints) > 50)
    live = evaluate.Live(fitted, window=32, stride=4)
    said = [live.push(frame) for frame in clip.joints]
    answers = [s for s in said if s is not None]
    assert [s["frame"] for s in answers] == list(range(31, len(clip.joints), 4)) and said[30] is None
    window = clip.joints[4:36].transpose(3, 0, 2, 1)  # the second answer's
    expected = fitted.predict(data.from_arrays(window)).iloc[0]
    assert answers[1]["label"] == expected["label"]
    assert answers[1]["confidence"] == pytest.approx(expected["confidence"], abs=1e-5)
    assert len(live.latencies) == len(answers) and evaluate.Live(fitted, 2, 1).push(np.zeros((25, 3))) is None
    with pytest.raises(ValueError, match=r"a frame is \(1, 20, 3\)"):
        live.push(np.zeros((20, 3)))
    with pytest.raises(ValueError, match="window 1 must be at least 2"):
        evaluate.Live(fitted, 1)


def test_the_commands(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["predict", "tiny", "synthetic", "--labels", "synthetic", "--save", "p", "--out", "labels.csv"]) == 0
    assert "accuracy on held-out subjects" in capsys.readouterr().out
    assert len((tmp_path / "labels.csv").read_text().splitlines()) == 961
    data.export(data.synthetic(clips=22)[:2], tmp_path / "two.npz", "ragged")
    assert main(["predict", "p", "two.npz"]) == 0 and (tmp_path / "two.labels.csv").exists()
    capsys.readouterr()
    assert main(["predict", "p", "two.npz", "--save", "q"]) == 1 and "give --labels DATA" in capsys.readouterr().err
    monkeypatch.setattr("sys.stdin", io.StringIO("0 " * 75 + "\n1 2 x\n"))
    assert main(["stream", "p"]) == 1 and "line 2: " in capsys.readouterr().err
    data.export(data.on_body(data.synthetic(clips=22), skeleton.KINECT_V1)[:1], tmp_path / "v1.npz", "ragged")
    assert main(["stream", "p", "v1.npz"]) == 1 and "made for 25 joints" in capsys.readouterr().err
    assert main(["stream", "p", "two.npz", "--window", "40", "--stride", "20"]) == 0
    said = capsys.readouterr()
    assert len(said.out.splitlines()[0].split("\t")) == 4 and "ms median" in said.err


def test_files_of_others_stay(fitted, sides, tmp_path):
    """A predictor of PyTorch leaves an encoder.onnx alone, and a predictor.json that is none is not replaced."""
    (tmp_path / "encoder.onnx").write_bytes(b"mine")
    again = evaluate.load_predictor(fitted.save(tmp_path))
    assert (tmp_path / "encoder.onnx").read_bytes() == b"mine" and again.predict(sides[1]).equals(fitted.predict(sides[1]))
    fitted.save(tmp_path)  # a predictor is replaced
    for content in ('{"theirs": 1}', "no JSON"):
        (tmp_path / "predictor.json").write_text(content)
        with pytest.raises(FileExistsError, match=r"predictor\.json: Predictor\.save did not write this file"):
            fitted.save(tmp_path)
        assert (tmp_path / "predictor.json").read_text() == content
        with pytest.raises(ValueError, match=r"predictor\.json: damaged"):
            evaluate.load_predictor(tmp_path)


def test_a_long_stream_keeps_the_times_of_its_last_answers(fitted, monkeypatch):
    monkeypatch.setattr(predictor, "KEPT", 3)
    live = evaluate.Live(fitted, window=2, stride=1)
    assert sum(live.push(np.ones((25, 3))) is not None for _ in range(6)) == 5 and len(live.latencies) == 3


def test_a_frame_that_is_not_finite_is_not_taken(fitted):
    live, frame = evaluate.Live(fitted, window=2, stride=1), np.ones((25, 3))
    live.push(frame)
    frame[3, 1] = np.nan
    with pytest.raises(ValueError, match="frame 1, person 0, joint head: is not finite"):
        live.push(frame)
    assert live.push(np.ones((25, 3))) is not None


def test_tables_are_checked_before_the_work(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data.export(data.synthetic(clips=22)[:2], tmp_path / "two.npz", "ragged")
    for words, message in (
        (["predict", "nowhere", "two.npz", "--out", "x.npz"], "x.npz: should end in .csv"),
        (["embed", "nowhere", "two.npz", "--out", "x.txt"], "x.txt: should end in .csv or .npz"),
        (["report", "two.npz", "--out", "x.npz"], "x.npz: should end in .csv"),
        (["predict", "nowhere", "two.npz", "--people", "2"], "give --labels DATA"),
        (["predict", "nowhere", "two.npz", "--pool", "cls"], "give --labels DATA"),
        (["predict", "nowhere", "--labels", "synthetic", "--out", "x.csv"], "give FILE"),
    ):
        assert main(words) == 1 and message in capsys.readouterr().err
    assert main(["embed", "tiny", "two.npz", "--out", "new/x.csv"]) == 0 and (tmp_path / "new" / "x.csv").exists()


def test_a_probe_of_another_encoder_is_refused(fitted, tmp_path):
    folder = fitted.save(tmp_path / "p")
    about = json.loads((folder / "predictor.json").read_text())
    for change, message in (
        ({"people": 0}, "0 people"),
        ({"pool": "nonsense"}, "pool is one of"),
        ({"people": 1}, "gives 32 features, the"),
    ):
        (folder / "predictor.json").write_text(json.dumps(about | change))
        with pytest.raises(ValueError, match=f"no predictor .*{message}"):
            evaluate.load_predictor(folder)
    (folder / "predictor.json").write_text(json.dumps(about))
    weights.save_encoder(evaluate.random_encoder(replace(CONFIG, width=32), 1), folder / "encoder")
    with pytest.raises(ValueError, match="the encoder gives 128 features, the probe reads 64"):
        evaluate.load_predictor(folder)
