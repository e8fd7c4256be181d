"""BVH: places against SciPy's rotations joint by joint; units and hierarchy named; damage refused."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from slimlab import data
from slimlab.data import DataError

TEXT = """HIERARCHY
ROOT Hips
{
  OFFSET 0 90 0
  CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
  JOINT LeftUpLeg
  {
    OFFSET 10 -5 0
    CHANNELS 3 Yrotation Xrotation Zrotation
    JOINT LeftFoot
    {
      OFFSET 0 -80 0
      CHANNELS 0
      End Site
      {
        OFFSET 0 -5 10
      }
    }
  }
  JOINT RightUpLeg
  {
    OFFSET -10 -5 0
    CHANNELS 3 Zrotation Xrotation Yrotation
  }
}
MOTION
Frames: 3
Frame Time: 0.025
"""
VALUES = np.random.default_rng(0).uniform(-90, 90, (3, 12)).round(3)


def write(path, values=VALUES, head=TEXT):
    path.parent.mkdir(exist_ok=True)
    path.write_text(head + "\n".join(" ".join(map(str, row)) for row in values) + "\n")
    return path


def test_places_by_scipy(tmp_path):
    store = data.open(write(tmp_path / "walk.bvh"))
    assert store.skeleton.names == ("Hips", "LeftUpLeg", "LeftFoot", "RightUpLeg")
    assert store.skeleton.parents == (-1, 0, 1, 0) and store.skeleton.mirror == ((1, 3),)
    assert store.fps == pytest.approx(40) and store.table["flags"][0] == "unit-cm"
    for t, v in enumerate(VALUES):
        hips = Rotation.from_euler("ZXY", v[3:6], degrees=True)  # upper case: each about the axes already turned
        leg = hips * Rotation.from_euler("YXZ", v[6:9], degrees=True)
        up = v[:3] + hips.apply([10, -5, 0])
        expected = [v[:3], up, up + leg.apply([0, -80, 0]), v[:3] + hips.apply([-10, -5, 0])]
        np.testing.assert_allclose(store[0].joints[t, 0], np.array(expected) / 100, atol=1e-6)


def test_a_joint_of_rotations_is_never_unseen(tmp_path):
    still = VALUES.copy()
    still[:, :3] = 0  # the root stays at the origin, which in a file of places would say that it was not seen
    store = data.open(write(tmp_path / "still.bvh", still))
    assert not store[0].joints[:, 0, 0].any() and store[0].seen.all() and not store.has_unseen
    assert "zero-joints" not in store.table["flags"][0]


def test_folders_are_classes_and_bodies_must_agree(tmp_path):
    for name in ("bow/a", "bow/b", "punch/c"):
        write(tmp_path / f"{name}.bvh")
    store = data.convert(tmp_path, tmp_path / "store")
    assert store.table["label_name"].tolist() == ["bow", "bow", "punch"]
    write(tmp_path / "punch" / "d.bvh", head=TEXT.replace("LeftFoot", "LeftAnkle"))
    with pytest.raises(DataError, match="other joints than in"):
        data.open(tmp_path, format="bvh")


def test_a_folder_without_any_is_named(tmp_path):
    with pytest.raises(DataError, match=r"no file whose name ends in \.bvh"):
        data.open(tmp_path, format="bvh")
    with pytest.raises(DataError, match="no such file"):
        data.open(tmp_path / "absent", format="bvh")


def test_bandai_namco(real_data):
    store = data.open(real_data / "raw_samples" / "bandai_dataset-1_bow_happy_001.bvh")
    assert store.skeleton.names[0] == "Hips" and len(store.skeleton) == 21 and store.table["frames"][0] == 138
    assert set(store.skeleton.parts) == {"trunk", "left arm", "right arm", "left leg", "right leg"}
    x = store[0].joints[:, 0]
    names = store.skeleton.names
    height = x[0, names.index("Head"), 1] - x[0, names.index("Foot_L"), 1]
    assert 1.2 < height < 1.8 and store.table["flags"][0] == "unit-cm"
    bones = np.linalg.norm(x[:, 1:] - x[:, list(store.skeleton.parents[1:])], axis=2)
    assert (bones.std(axis=0) < 0.01).all()  # a body, not a cloud


@pytest.mark.parametrize(
    "old, new, says",
    [
        ("MOTION", "MOTOIN", "no MOTION"),
        ("Frames: 3", "Frames: 4000000000", "numbers are not"),
        ("CHANNELS 3 Y", "CHANNELS 3 W", "CHANNELS"),
        ("OFFSET 0 -80 0", "OFFSET 0 nan 0", "OFFSET"),
        ("Frame Time: 0.025", "Frame Time: 0", "frame time"),
        ("HIERARCHY\n", "", "HIERARCHY"),
        ("  JOINT RightUpLeg\n  {", "  JOINT RightUpLeg\n", "no sound BVH"),
        ("RightUpLeg", "LeftUpLeg", "both called"),
    ],
)
def test_damage_is_named(tmp_path, old, new, says):
    with pytest.raises(DataError, match=says):
        data.open(write(tmp_path / "a.bvh", head=TEXT.replace(old, new)))
