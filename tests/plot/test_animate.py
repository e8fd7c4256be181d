"""Moving bodies as files: how many pictures, how long, in which colors, and what happens where it cannot be."""

import itertools
import sys

import numpy as np
import pytest
from PIL import Image

from slimlab import __main__ as cli
from slimlab import plot
from slimlab._extras import MissingExtra
from slimlab.analysis import Agreement, Occlusion
from slimlab.skeleton import KINECT_V2

SMALL = {"size": (2.4, 2.0), "dpi": 50}
GREEN = (0, 158, 115)


@pytest.fixture
def walk():
    """(20, 1, 25, 3): a body that moves to the side."""
    x = np.random.default_rng(0).normal(size=(1, 1, 25, 3)).astype(np.float32) * 0.3
    return x + np.linspace(0, 1, 20, dtype=np.float32)[:, None, None, None] * np.array([1, 0, 0], np.float32) + [0, 1, 2]


def pictures(path):
    """Every picture of a file as (H, W, 3), and its milliseconds."""
    with Image.open(path) as image:
        out = []
        for i in range(getattr(image, "n_frames", 1)):
            image.seek(i)
            image.load()
            out.append((np.asarray(image.convert("RGB")).astype(int), image.info.get("duration")))
    return out


def has(picture, color):
    return bool((np.abs(picture - np.array(color)).max(axis=-1) <= 2).any())


@pytest.mark.parametrize("suffix", [".gif", ".apng", ".png"])
def test_pictures_durations_and_size(walk, tmp_path, suffix):
    path = plot.animate(walk, tmp_path / f"a{suffix}", KINECT_V2, fps=15, **SMALL)  # 20 frames of 1/30 s
    shown = pictures(path)
    assert len(shown) == 10 and shown[0][0].shape == (100, 120, 3)
    assert sum(ms for _, ms in shown) == pytest.approx(1000 * 20 / 30, abs=5)
    assert all((a != b).any() for (a, _), (b, _) in itertools.pairwise(shown))
    assert (shown[0][0][0, 0] == 255).all()
    again = plot.animate(walk, tmp_path / f"b{suffix}", KINECT_V2, fps=15, **SMALL)
    assert path.read_bytes() == again.read_bytes()


def test_colors_come_at_their_time(walk, tmp_path):
    colors = np.zeros((20, 1, 25, 3), np.uint8)
    colors[10:] = GREEN
    scene = plot.bodies(walk, KINECT_V2, colors=colors)
    shown = pictures(plot.animate(scene, tmp_path / "a.gif", fps=30, **SMALL))
    assert [has(p, GREEN) for p, _ in shown] == [False] * 10 + [True] * 10


def test_slow_motion_lasts_longer_and_a_gif_can_end(walk, tmp_path):
    path = plot.animate(walk, tmp_path / "a.gif", KINECT_V2, speed=0.5, loop=False, **SMALL)
    assert sum(ms for _, ms in pictures(path)) == pytest.approx(2000 * 20 / 30, abs=70)
    assert b"NETSCAPE" not in path.read_bytes()
    assert b"NETSCAPE" in plot.animate(walk, tmp_path / "b.gif", KINECT_V2, **SMALL).read_bytes()


def test_what_is_masked_has_its_tube_and_is_hidden_from_the_student(walk):
    mask = np.zeros((4, 25), bool)
    mask[1, 3] = True
    scene = plot.masked_bodies(walk, mask, KINECT_V2)
    hidden = scene.sizes[1, :, 0, 3] == 0
    np.testing.assert_array_equal(hidden, (np.arange(20) // 5) == 1)
    tube = scene.colors[0, :, 0, 3]
    assert (tube[5:10] == plot.tube_colors(np.array(1))).all() and (tube[10:] == tube[0]).all() and (tube[5] != tube[0]).any()
    assert scene.sizes[0].all() and scene.sizes[1].sum() == 20 * 25 - 5
    with pytest.raises(ValueError, match=r"needs \(T', 25\)"):
        plot.masked_bodies(walk, plot.draw_mask("semantic_tubes", plot.bodies(walk, KINECT_V2).skeleton).tubes[:, :7], KINECT_V2)


def test_student_beside_teacher_and_occlusion_over_time(walk):
    torch = pytest.importorskip("torch")
    mask, values = torch.zeros(2, 25, dtype=torch.bool), torch.ones(2, 25)
    mask[1, 3], values[1, 3] = True, 0.0
    found = Agreement(torch.tensor(walk, dtype=torch.float32), values, values > 0.5, 0.5, mask, KINECT_V2, "walk")
    scene = plot.agreement_bodies(found)
    assert scene.sizes[1, :, 0, 3].tolist() == [1.0] * 10 + [0.0] * 10 and scene.bar is not None
    assert (scene.colors[2, 10, 0, 3] != scene.colors[2, 9, 0, 3]).any()
    hidden = torch.zeros(2, 2, 25, dtype=torch.bool)
    hidden[0, 0], hidden[1, 1] = True, True
    change = torch.tensor([[0.1, 0.4]])
    scene = plot.occlusion_bodies(Occlusion(["0", "1"], hidden, change, change > 0, change), walk, KINECT_V2)
    assert scene.bar[1] == pytest.approx(0.4) and (scene.sizes[0, 10:] > scene.sizes[0, 9]).all()


@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
def test_a_video_can_be_read(walk, tmp_path, suffix):
    ffmpeg = pytest.importorskip("imageio_ffmpeg")
    path = plot.animate(walk, tmp_path / f"a{suffix}", KINECT_V2, fps=30, size=(2.42, 2.02), dpi=50)
    frames, seconds = ffmpeg.count_frames_and_secs(str(path))
    assert frames == 20 and seconds == pytest.approx(20 / 30, abs=0.05)
    reader = ffmpeg.read_frames(str(path))
    assert all(n % 2 == 0 for n in next(reader)["size"])


def test_a_missing_ffmpeg_is_named_before_work_starts(walk, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(MissingExtra, match=r"need ffmpeg or imageio_ffmpeg: pip install 'slimlab\[video\]'$"):
        plot.animate(walk, tmp_path / "a.mp4", KINECT_V2)
    assert not list(tmp_path.iterdir())


def test_an_ffmpeg_that_fails_is_quoted_and_leaves_nothing(walk, tmp_path, monkeypatch):
    monkeypatch.setattr("slimlab.plot.animation.find_ffmpeg", lambda: sys.executable)  # which knows no -y
    with pytest.raises(RuntimeError, match="ended with status"):
        plot.animate(walk, tmp_path / "a.mp4", KINECT_V2, **SMALL)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "name, given, message",
    [
        ("a.avi", {}, "ends in '.avi'; choose one of .gif"),
        ("a.gif", {"camera": "below"}, "choose one of front"),
        ("a.gif", {"fps": 0}, "fps = 0"),
        ("a.gif", {"fps": 60}, "at most 50"),
        ("a.gif", {"speed": float("nan")}, "speed = nan"),
        ("a.gif", {"dpi": 5000}, "32 to 4096"),
        ("a.gif", {"size": (20, 20), "speed": 0.001}, "huge GIF"),
        ("a.gif", {"grid": 1}, "numbered 0 to 0"),
    ],
)
def test_bad_input_gets_one_error_and_no_file(walk, tmp_path, name, given, message):
    with pytest.raises(ValueError, match=message):
        plot.animate(walk, tmp_path / name, KINECT_V2, **given)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", [".gif", ".apng", ".mp4"])
def test_an_interruption_leaves_the_old_file(walk, tmp_path, monkeypatch, suffix):
    if suffix == ".mp4":
        pytest.importorskip("imageio_ffmpeg")
    path = tmp_path / f"a{suffix}"
    path.write_bytes(b"old")
    move, calls = plot.animation._move, []

    def stop(*given):
        calls.append(1)
        if len(calls) > 15:
            raise KeyboardInterrupt
        move(*given)

    monkeypatch.setattr("slimlab.plot.animation._move", stop)
    with pytest.raises(KeyboardInterrupt):
        plot.animate(walk, path, KINECT_V2, fps=30, **SMALL)
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


def test_names_from_data_are_no_equations(walk, tmp_path):
    scene = plot.bodies(walk, KINECT_V2, titles=["$x_{ \n" + "long " * 90])
    assert plot.animate(scene, tmp_path / "a.gif", title="$\\frac{", **SMALL).exists()


def test_from_the_shell(tmp_path, capsys):
    path = tmp_path / "a.gif"
    assert cli.main(["animate", "ui-prmd", str(path), "--clip", "3", "--mask", "0.7", "--fps", "5", "--dpi", "40"]) == 0
    assert capsys.readouterr().out.strip() == str(path) and len(pictures(path)) > 3
    assert cli.main(["animate", "ui-prmd", str(path), "--masking", "time_blocks"]) == 1  # without --mask
    assert cli.main(["animate", "ui-prmd", str(path), "--clip", "999999"]) == 1
    assert "has the clips 0 to 1999" in capsys.readouterr().err


@pytest.mark.parametrize("suffix", [".gif", ".mp4"])
def test_a_colon_in_the_name_of_a_folder(walk, tmp_path, monkeypatch, suffix):
    """ffmpeg takes what stands before a colon for a protocol."""
    if suffix == ".mp4":
        pytest.importorskip("imageio_ffmpeg")
    monkeypatch.chdir(tmp_path)
    path = plot.animate(walk[:3], f"run:12/a{suffix}", KINECT_V2, **SMALL)
    assert path.stat().st_size > 0 and [p.name for p in path.parent.iterdir()] == [path.name]


def test_a_motion_that_hardly_moves_on_is_refused(walk, tmp_path):
    with pytest.raises(ValueError, match=r"20,000,000,000 pictures are more than 1,000,000; lower fps, raise speed"):
        plot.animate(walk, tmp_path / "a.apng", KINECT_V2, speed=1e-9, **SMALL)
