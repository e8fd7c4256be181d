"""pyskl's pickles: the key points that went in; whatever else a pickle holds is refused and never run."""

import argparse
import os
import pickle
import subprocess

import numpy as np
import pytest

from slimlab import data
from slimlab.data import DataError
from slimlab.data.readers.pickles import Array, Pickle
from slimlab.skeleton import COCO, KINECT_V2

RNG = np.random.default_rng(0)


def annotation(clip, **more):
    """One of pyskl's from a Clip."""
    return {
        "frame_dir": clip.name,
        "label": int(clip.label),
        "total_frames": len(clip.joints),
        "keypoint": np.ascontiguousarray(clip.joints.transpose(1, 0, 2, 3)),
        **more,
    }


def written(tmp_path, content, protocol=2):
    path = tmp_path / "set.pkl"
    path.write_bytes(pickle.dumps(content, protocol))
    return path


@pytest.mark.parametrize("protocol", range(6))
def test_3d_key_points_of_every_protocol(tmp_path, synthetic, protocol):
    clips = synthetic[:9]
    names = list(clips.column("clip"))
    split = {"xsub_train": names[:5], "xsub_val": names[5:], "xview_train": names[1:], "xview_val": names[:1]}
    store = data.open(written(tmp_path, {"split": split, "annotations": [annotation(c) for c in clips]}, protocol))
    assert store.skeleton == KINECT_V2 and store.column("split").tolist() == ["train"] * 5 + ["test"] * 4
    for column in ("clip", "label", "subject", "camera", "setup", "frames", "people", "flags"):
        assert store.table[column].tolist() == clips.table[column].tolist(), column
    assert store.table["label_name"][0] == "drink water"
    for a, b in zip(store, clips, strict=True):
        np.testing.assert_array_equal(a.joints, b.joints)


def test_2d_key_points_are_flat_and_flagged(tmp_path):
    pixels = RNG.uniform(100, 900, (2, 7, 17, 2)).astype(np.float16)
    score = RNG.uniform(0.1, 1, (2, 7, 17)).astype(np.float16)
    score[0, 3, 4] = 0
    pixels[1, 5:] = 0
    entry = {"frame_dir": "v_a/x", "label": np.int64(3), "img_shape": (1080, 1920), "keypoint": pixels, "keypoint_score": score}
    store = data.convert(written(tmp_path, {"split": {"train1": ["v_a/x"], "test1": []}, "annotations": [entry]}), tmp_path / "s")
    assert store.skeleton == COCO and store.table["flags"][0] == "2d zero-joints" and store.labels[0] == 3
    assert store.table["split"][0] == "train" and store.table["clip"][0] == "x"
    clip = store[0]
    assert not clip.joints[..., 2].any() and clip.valid.tolist() == [[True, True]] * 5 + [[True, False]] * 2
    for m, t, v in ((0, 0, 0), (1, 4, 16), (0, 6, 9)):
        x, y = (float(p) for p in pixels[m, t, v])
        np.testing.assert_allclose(clip.joints[t, m, v], [(x - 960) / 1080, (540 - y) / 1080, 0], atol=1e-6)
    assert not clip.joints[3, 0, 4].any()


def test_arrays_stay_in_the_file_until_they_are_read(tmp_path):
    content = {
        "a": np.asfortranarray(RNG.normal(size=(40, 30))),
        "b": np.arange(5, dtype=">i4"),
        "c": np.float32(1.5),
        "d": [True, None],
    }
    for protocol in range(6):
        file = Pickle(written(tmp_path, content, protocol))
        got = file.load()
        assert (
            isinstance(got["a"], Array) and got["a"].shape == (40, 30) and (protocol == 0 or not isinstance(got["a"].raw, bytes))
        )
        np.testing.assert_array_equal(got["a"].read(file), content["a"])
        np.testing.assert_array_equal(got["b"].read(file), content["b"])
        assert got["c"] == 1.5 and got["d"] == [True, None]


class Call:
    """Pickles as a call of `function` with `arguments`."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


HOSTILE = {
    "os.system": lambda mark: Call(os.system, f"touch {mark}"),
    "eval": lambda mark: Call(eval, f"open({str(mark)!r}, 'w').close()"),
    "exec in a subprocess": lambda mark: Call(subprocess.call, ["touch", str(mark)]),
    "open": lambda mark: Call(open, str(mark), "w"),
    "within an annotation": lambda mark: {"annotations": [{"keypoint": Call(os.system, f"touch {mark}")}], "split": {}},
    "getattr": lambda mark: Call(getattr, "text", "join"),
    "a class with state": lambda mark: argparse.Namespace(a=1),
    "a bytearray of 1 TB": lambda mark: Call(bytearray, 1 << 40),
    "an array by its constructor": lambda mark: Call(np.ndarray, (1 << 40,)),
    "an array of objects": lambda mark: {
        "annotations": [{"keypoint": np.array([Call(os.system, f"touch {mark}")], dtype=object)}]
    },
    "a loader of arrays": lambda mark: Call(np.load, str(mark)),
    "a set": lambda mark: {1, 2},
}


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_pickle_is_refused_and_not_run(tmp_path, kind, protocol):
    mark = tmp_path / "was_here"
    path = written(tmp_path, HOSTILE[kind](mark), protocol)
    for use in (lambda: data.open(path), lambda: data.convert(path, tmp_path / "store")):
        with pytest.raises(DataError) as caught:
            use()
        assert str(path) in str(caught.value) and "pickle" in str(caught.value) and "\n" not in str(caught.value)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["set.pkl"]


@pytest.mark.parametrize(
    "program",
    [
        b"cos\nsystem\n(S'touch was_here'\ntR.",  # by hand, protocol 0
        b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x01x\x85R.",  # STACK_GLOBAL
        b"(S'touch was_here'\nios\nsystem\n.",  # INST
        b"(cos\nsystem\nS'x'\no.",  # OBJ
        b"\x82\x01.",  # an extension code
        b"Pid\n.",  # a persistent id
        b"cnumpy\ndtype\n(S'f4'\ntR(dS'x'\nI1\nsb.",  # state of a dtype that is none
        b"cnumpy\ndtype\n(S'O'\ntR.",
        b"c__builtin__\neval\n.",
        b"r" + b"\xff" * 4 + b".",  # memo without a value
        b"N" + b"r" + b"\xff\xff\xff\x7f" + b".",  # a memo of two thousand million places
        b"(" * 1000 + b"\x85" * 50_000 + b".",
        b"}" + b"N" + b"\x85" * 100_000 + b"Ns.",  # a key nested so deep that hashing it would end the process
        b"\x8e" + b"\xff" * 8 + b".",  # bytes of 2**64
        b"\x96" + b"\xff" * 7 + b"\x0f.",
    ],
)
def test_programs_by_hand_are_refused(tmp_path, program, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "set.pkl").write_bytes(program)
    with pytest.raises(DataError, match=r"set\.pkl"):
        data.open(tmp_path / "set.pkl")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["set.pkl"]


@pytest.mark.parametrize(
    "change, says",
    [
        (lambda a: a.pop("keypoint"), "'keypoint' is no array"),
        (lambda a: a.update(keypoint=np.ones((1, 4, 18, 3), np.float32)), "18 joints x 3 coordinates"),
        (lambda a: a.update(keypoint=np.ones((1, 4, 17, 2), np.float32)), "those before have 25 x 3"),
        (lambda a: a.update(keypoint_score=np.ones((1, 4), np.float32)), "does not fit"),
        (lambda a: a.update(label="wave"), "'label' is no integer"),
        (lambda a: a.update(label=10**12), "'label' is no integer"),
        (lambda a: a.update(frame_dir=("a",)), "the clip's name, is no text"),
        (lambda a: a["keypoint"].__setitem__((0, 2, 3, 1), np.nan), "frame 2, person 0, joint 3: y is not a number"),
    ],
)
def test_wrong_annotations_are_named(tmp_path, synthetic, change, says):
    entries = [annotation(c) for c in synthetic[:3]]
    change(entries[1])
    with pytest.raises(DataError, match=says) as caught:
        data.open(written(tmp_path, {"annotations": entries, "split": {}}))
    assert "set.pkl" in str(caught.value)


def test_other_pickles_are_named(tmp_path):
    for content in ([], {"a": 1}, 7, {"annotations": {}}, [1, 2]):
        with pytest.raises(DataError, match="no list of annotations"):
            data.open(written(tmp_path, content))
    flat = {"keypoint": np.ones((1, 4, 17, 2), np.float32), "label": 0}
    with pytest.raises(DataError, match="without an 'img_shape'"):
        data.open(written(tmp_path, [flat]))
    assert data.open(written(tmp_path, [flat | {"img_shape": (10, 10)}])).table["clip"][0] == "clip_000000"
