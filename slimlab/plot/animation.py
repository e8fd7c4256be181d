"""A moving body, or several in step, as a file for a talk: GIF, APNG, MP4 or WebM. It draws the same `Bodies` as `plot.player`.

Seen in parallel projection. What stands still is drawn once; each frame adds bones, joints and the time.
"""

from __future__ import annotations

import math
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import IO, Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from PIL import Image
from tqdm.auto import tqdm

from slimlab import _extras
from slimlab._system.cache import replace_file
from slimlab.data import Clip
from slimlab.plot.body import time_joint_grid
from slimlab.plot.player import CAMERAS, extent
from slimlab.plot.scene import SCALE, Bodies, bodies, by_side
from slimlab.plot.style import LEFT, RIGHT, styled
from slimlab.skeleton import Skeleton

FORMATS = (".gif", ".apng", ".png", ".mp4", ".webm")
USUAL_FPS = {".gif": 15.0}  # at most, where the caller says nothing; a GIF grows with every frame
MOST_FPS = {".gif": 50.0}  # browsers slow a GIF with shorter frames down to ten a second
COLUMNS = 4
HEIGHT = 3.0  # inches of a body's panel
WIDEST = 4096  # pixels; what video players decode
MOST_PIXELS = {".gif": 200_000_000, ".apng": 100_000_000, ".png": 100_000_000}  # of all frames, which Pillow holds in memory
MOST_PICTURES = 1_000_000  # nine hours of 30 a second
LARGE = 10_000_000  # bytes
LONG = 200  # frames; more have a progress bar
PALETTE_FRAMES = 12  # that a GIF's colors are chosen from
FREE = 255  # index of no color: a GIF's pixels that did not change
FLOOR = "#E9E9E6"


def animate(
    clips: Bodies | Clip | np.ndarray | Sequence[Clip | np.ndarray],
    path: str | Path,
    skeleton: Skeleton | None = None,
    *,
    fps: float | None = None,
    speed: float = 1.0,
    size: tuple[float, float] | None = None,
    dpi: float = 100,
    camera: str = "front",
    title: str = "",
    grid: int | None = None,
    loop: bool = True,
    progress: bool | None = None,
    **painting: Any,
) -> Path:
    """Write moving bodies as .gif, .apng (or .png), .mp4 or .webm, by the file's suffix. Equal input gives equal GIFs and APNGs.

    Args:
        clips: A Clip, an array (F, M, V, 3) in meters, a list of them, or `Bodies`: from `bodies`, `masked_bodies`,
            `attention_bodies`, `agreement_bodies` or `occlusion_bodies`.
        path: The file; it appears when it is whole.
        skeleton: Needed unless `clips` are `Bodies`.
        fps: Pictures per second in the file; frames are repeated or left out, the motion keeps its tempo. None: the clips'
            own, in a GIF at most 15. Clips and arrays count as 30 frames a second; `Bodies` say theirs: `bodies(…, fps=25)`.
        speed: 0.5 is slow motion.
        size: Width and height in inches; None: 3 inches a row of bodies, four bodies a row. Pixel counts become even.
        dpi: Pixels per inch.
        camera: front, oblique, side or top.
        title: Above all.
        grid: Also draw the colors of this clip's first person on the grid of time and joints, with a line at the current frame.
        loop: A GIF or APNG starts again for ever; videos leave that to the player.
        progress: Show a progress bar; None: for more than 200 pictures.
        painting: colors, sizes, values, limits, label, titles of `bodies`.

    Returns:
        The path.

    Raises:
        ValueError: An unknown suffix or camera, numbers that make no sense, or a GIF or APNG that would be huge.
        MissingExtra: A video without ffmpeg.
        RuntimeError: ffmpeg failed; its last words are quoted.
    """
    path = Path(path)
    kind = path.suffix.lower()
    if kind not in FORMATS:
        raise ValueError(f"animate: {path.name} ends in '{path.suffix}'; choose one of {', '.join(FORMATS)}")
    if camera not in CAMERAS:
        raise ValueError(f"camera '{camera}' is unknown; choose one of {', '.join(CAMERAS)}")
    for name, value in {"fps": fps, "speed": speed, "dpi": dpi}.items():
        if value is not None and not (math.isfinite(value) and value > 0):
            raise ValueError(f"animate: {name} = {value}; give a number above 0")
    program = find_ffmpeg() if kind in (".mp4", ".webm") else ""
    if not isinstance(clips, Bodies):
        if skeleton is None:
            raise ValueError("animate: give the skeleton of these clips, such as store.skeleton")
        clips = bodies(clips, skeleton, **painting)
    elif painting:
        raise ValueError(f"animate: {', '.join(painting)}: Bodies have theirs; use Bodies.painted")
    if grid is not None and grid not in range(len(clips.joints)):
        raise ValueError(f"animate: grid = {grid}, but the clips are numbered 0 to {len(clips.joints) - 1}")
    fps = float(fps or min(clips.fps, USUAL_FPS.get(kind, math.inf)))
    if fps > MOST_FPS.get(kind, math.inf):
        raise ValueError(f"animate: fps = {fps:g}; a GIF plays at most {MOST_FPS[kind]:g}: lower fps, or write .apng or .mp4")
    pixels = _pixels(clips, size, dpi, grid)
    count = max(1, round(len(clips) / (clips.fps * speed) * fps))
    if count > MOST_PICTURES:
        raise ValueError(f"animate: {count:,} pictures are more than {MOST_PICTURES:,}; lower fps, raise speed, or cut the clip")
    if count * pixels[0] * pixels[1] > MOST_PIXELS.get(kind, math.inf):
        raise ValueError(
            f"animate: {count} pictures of {pixels[0]} x {pixels[1]} make a huge {kind[1:].upper()}; "
            "lower fps or dpi, cut the clip, or write .mp4"
        )
    shown = np.minimum((np.arange(count) * clips.fps * speed / fps + 1e-6).astype(int), len(clips) - 1)
    draw = _painter(clips, pixels, dpi, camera, title, grid)
    bar = tqdm(shown, desc=path.name, disable=count <= LONG if progress is None else not progress, leave=False)
    pictures = (draw(int(frame)) for frame in bar)
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind == ".gif":
        colors = _palette([draw(int(f)) for f in shown[np.linspace(0, count - 1, min(count, PALETTE_FRAMES)).astype(int)]])
        replace_file(path, partial(_write_gif, pictures, colors, count, fps, loop))
    elif kind in (".apng", ".png"):
        replace_file(path, partial(_write_apng, pictures, fps, loop))
    else:
        replace_file(path, partial(_write_video, pictures, pixels, fps, program, kind[1:]))
    if kind == ".gif" and (large := path.stat().st_size) > LARGE:
        warnings.warn(f"{path} has {large / 1e6:.0f} MB; lower fps or dpi, or write .mp4", stacklevel=2)
    return path


def find_ffmpeg() -> str:
    """The ffmpeg of the package imageio-ffmpeg, else the system's. Raises MissingExtra where there is neither."""
    try:
        import imageio_ffmpeg

        return imageio_ffmpeg.get_ffmpeg_exe()
    except (ImportError, RuntimeError):  # RuntimeError: the package came without its program
        found = shutil.which("ffmpeg")
    if found is None:
        raise _extras.MissingExtra("videos need ffmpeg or imageio_ffmpeg: pip install 'slimlab[video]'")
    return found


def _pixels(clips: Bodies, size: tuple[float, float] | None, dpi: float, grid: int | None) -> tuple[int, int]:
    """Width and height of a picture, even numbers. Raises ValueError where a side is longer than 4,096 or shorter than 32."""
    count = len(clips.joints)
    if size is None:
        low, high = extent(clips)
        panel = HEIGHT * min(max((high - low)[0] / (high - low)[2], 0.55), 1.5)
        rows, columns = -(-count // COLUMNS), min(count, COLUMNS)
        extra = 0.8 * (clips.bar is not None) + 3.2 * (grid is not None)
        size = (columns * max(panel, 2.1) + extra, rows * (HEIGHT + 0.3) + 0.4)
    width, height = (2 * round(dpi * side / 2) for side in size)
    if not 32 <= min(width, height) <= max(width, height) <= WIDEST:
        raise ValueError(f"animate: a picture of {width} x {height} pixels; change size or dpi: 32 to {WIDEST} a side")
    return width, height


@styled
def _painter(
    clips: Bodies, pixels: tuple[int, int], dpi: float, camera: str, title: str, grid: int | None
) -> Callable[[int], np.ndarray]:
    """A function frame -> (height, width, 3) uint8."""
    width, height = pixels
    fig = Figure(figsize=((width + 0.01) / dpi, (height + 0.01) / dpi), dpi=dpi, layout="constrained", facecolor="white")
    canvas = FigureCanvasAgg(fig)
    count = len(clips.joints)
    rows, columns = -(-count // COLUMNS), min(count, COLUMNS)
    cells = fig.add_gridspec(rows, columns + (grid is not None), width_ratios=[1.0] * columns + [1.5] * (grid is not None))
    panels = [fig.add_subplot(cells[c // COLUMNS, c % COLUMNS]) for c in range(count)]
    across, up, away = _axes_of(camera)
    keyed = False
    for c, ax in enumerate(panels):
        _stage(ax, clips, across, up)
        room = width * 72 / dpi / (columns + 1.5 * (grid is not None)) / 4.6  # characters, of 4.6 points on average
        ax.set_title(_short(clips.titles[c], int(room)), fontsize=8.5)
        if not keyed and clips.skeleton.mirror and (clips.colors[c] == by_side(clips.skeleton, clips.colors.shape[2])).all():
            keyed = True
            for y, side, color in ((1.0, "left", LEFT), (0.92, "right", RIGHT)):
                ax.text(0.01, y, side, color=color, fontsize=8, va="top", transform=ax.transAxes)
    fig.suptitle(_short(title, int(width * 72 / dpi / 5)), fontsize=9)
    if clips.bar is not None:
        low, high, name = clips.bar
        scale = ScalarMappable(Normalize(low, max(high, low + 1e-12)), matplotlib.colormaps[SCALE])
        fig.colorbar(scale, ax=panels, label=name, shrink=0.8, pad=0.02)
    cursor = None
    if grid is not None:
        ax = fig.add_subplot(cells[:, -1])
        cells_shown = np.broadcast_to(clips.colors[grid, :, 0], (len(clips), *clips.colors.shape[3:]))  # (F, V, 3)
        time_joint_grid(ax, cells_shown, clips.skeleton)
        ticks = np.arange(0, len(clips) / clips.fps, max(1.0, round(len(clips) / clips.fps / 4)))
        ax.set_xticks(ticks * clips.fps - 0.5, [f"{t:g}" for t in ticks])
        ax.set_xlabel("seconds")
        cursor = ax.axvline(0, color="black", linewidth=1.4, animated=True)
    bones = [LineCollection([], linewidths=2.0, capstyle="round", animated=True) for _ in panels]
    dots = [ax.scatter([], [], linewidths=0, animated=True) for ax in panels]
    for ax, lines in zip(panels, bones, strict=True):
        ax.add_collection(lines, autolim=False)
    clock = fig.text(0.005, 0.01, "", fontsize=7.5, color="0.35", va="bottom", animated=True)
    clock.set_in_layout(False)
    canvas.draw()
    fig.set_layout_engine("none")
    still = canvas.copy_from_bbox(fig.bbox)

    def draw(frame: int) -> np.ndarray:
        canvas.restore_region(still)
        for c, ax in enumerate(panels):
            _move(bones[c], dots[c], clips, c, frame, across, up, away)
            ax.draw_artist(bones[c])
            ax.draw_artist(dots[c])
        if cursor is not None and cursor.axes is not None:
            cursor.set_xdata([frame, frame])
            cursor.axes.draw_artist(cursor)
        clock.set_text(f"{frame / clips.fps:.1f} s")
        clock.draw(canvas.get_renderer())
        return np.asarray(canvas.buffer_rgba())[..., :3].copy()

    return draw


def _axes_of(camera: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Unit vectors (3,) of the picture, to the right, up, and away from the viewer, in the stage's coordinates."""
    away = -np.array(CAMERAS[camera])
    away /= np.linalg.norm(away)
    across = np.cross(away, [0.0, 1.0, 0.0] if camera == "top" else [0.0, 0.0, 1.0])
    across /= np.linalg.norm(across)
    return across, np.cross(across, away), away


def _stage(ax: Axes, clips: Bodies, across: np.ndarray, up: np.ndarray) -> None:
    """The same meters in every panel and frame, equal aspect, and the floor."""
    low, high = extent(clips)
    corners = np.array([[x, y, z] for x in (low[0], high[0]) for y in (low[1], high[1]) for z in (low[2], high[2])])
    x, y = corners @ across, corners @ up
    ax.set(xlim=(x.min(), x.max()), ylim=(y.min(), y.max()), aspect="equal", xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    floor = np.array([[low[0], low[1]], [high[0], low[1]], [high[0], high[1]], [low[0], high[1]]])
    floor = np.column_stack([floor, np.zeros(4)])
    ax.fill(floor @ across, floor @ up, color=FLOOR, zorder=0, linewidth=0)


def _move(lines: Any, dots: Any, clips: Bodies, c: int, frame: int, across, up, away) -> None:
    """Bones and joints of one clip at one frame, the nearer ones last."""
    sizes = clips.sizes[c, min(frame, clips.sizes.shape[1] - 1)]  # (M, V)
    colors = clips.colors[c, min(frame, clips.colors.shape[1] - 1)] / 255.0  # (M, V, 3)
    x = np.where(sizes[..., None] > 0, clips.joints[c, frame], np.nan)  # (M, V, 3)
    flat, depth = np.stack([x @ across, x @ up], axis=-1), x @ away  # (M, V, 2), (M, V)
    pairs = np.array(clips.skeleton.bones).reshape(-1, 2)
    ends, ink = flat[:, pairs].reshape(-1, 2, 2), colors[:, pairs[:, 1]].reshape(-1, 3)
    far = depth[:, pairs].mean(axis=2).ravel()
    order = np.argsort(-far, kind="stable")
    order = order[np.isfinite(far[order])]
    lines.set_segments(ends[order])
    lines.set_color(ink[order])
    order = np.argsort(-depth.ravel(), kind="stable")
    order = order[np.isfinite(depth.ravel()[order])]
    dots.set_offsets(flat.reshape(-1, 2)[order])
    dots.set_sizes((4.2 * sizes.ravel()[order]) ** 2)
    dots.set_facecolors(colors.reshape(-1, 3)[order])


def _short(text: str, room: int) -> str:
    """One line of at most `room` characters: a long name would run into its neighbor's."""
    text = " ".join("".join(c if c.isprintable() else " " for c in str(text)).split())
    return text if len(text) <= max(room, 8) else text[: max(room, 8) - 1] + "…"


def _palette(pictures: Sequence[np.ndarray]) -> np.ndarray:
    """(K, 3) uint8, at most 255 colors of some pictures: the most frequent exactly, the rest by median cut."""
    codes, counts = np.unique(np.concatenate([_codes(p).ravel() for p in pictures]), return_counts=True)
    order = np.argsort(-counts.astype(np.int64), kind="stable")
    rgb = _colors(codes)[order]
    if len(rgb) <= FREE:
        return rgb
    cut = Image.fromarray(rgb[None, 128:]).quantize(FREE - 128, method=Image.Quantize.MEDIANCUT).getpalette() or []
    return np.concatenate([rgb[:128], np.array(cut[: 3 * (FREE - 128)], dtype=np.uint8).reshape(-1, 3)])


def _codes(picture: np.ndarray) -> np.ndarray:
    """(…, 3) uint8 -> (…) one number a color."""
    wide = picture.astype(np.int32)
    return wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2]


def _colors(codes: np.ndarray) -> np.ndarray:
    """The inverse of `_codes`."""
    return np.stack([codes >> 16, codes >> 8 & 255, codes & 255], axis=-1).astype(np.uint8)


def _indexed(pictures: Iterable[np.ndarray], palette: np.ndarray) -> Iterator[Image.Image]:
    """Every pixel in the palette's nearest color. Pillow's own search drops the two lowest bits, and white turns grey."""
    nearest = np.full(1 << 24, FREE, dtype=np.uint8)  # of every color that was met
    for picture in pictures:
        codes = _codes(picture)
        new = np.unique(codes[nearest[codes] == FREE])
        away = _colors(new).astype(np.int32)[:, None] - palette.astype(np.int32)  # (new, K, 3)
        nearest[new] = (away**2).sum(axis=-1).argmin(axis=1)
        image = Image.fromarray(nearest[codes])
        image.putpalette(palette.tobytes())
        yield image


def _write_gif(pictures: Iterable[np.ndarray], palette: np.ndarray, count: int, fps: float, loop: bool, file: IO[bytes]) -> None:
    frames = _indexed(pictures, palette)
    ends = np.round(100 * np.arange(count + 1) / fps).astype(int)  # hundredths of a second; the whole lasts as long as the motion
    how: dict[str, Any] = {"loop": 0} if loop else {}
    first = next(frames)
    first.save(file, "GIF", save_all=True, append_images=frames, duration=(10 * np.diff(ends)).tolist(), optimize=True, **how)


def _write_apng(pictures: Iterable[np.ndarray], fps: float, loop: bool, file: IO[bytes]) -> None:
    first, *others = (Image.fromarray(p) for p in pictures)  # Pillow goes through them twice
    first.save(file, "PNG", save_all=True, append_images=others, duration=1000 / fps, loop=0 if loop else 1)


def _write_video(
    pictures: Iterable[np.ndarray], pixels: tuple[int, int], fps: float, program: str, kind: str, file: IO[bytes]
) -> None:
    """Send raw pictures to ffmpeg, which writes over `file` by its name."""
    codec = {
        "mp4": "-c:v libx264 -crf 20 -preset medium -movflags +faststart",  # starts to play before it is loaded
        "webm": "-c:v libvpx-vp9 -crf 30 -b:v 0 -deadline good -cpu-used 3",
    }[kind]
    rate = str(Fraction(fps).limit_denominator(10_000))
    given = f"-f rawvideo -pix_fmt rgb24 -s {pixels[0]}x{pixels[1]} -r {rate} -i -"
    words = f"-y -hide_banner -loglevel error {given} -an {codec} -pix_fmt yuv420p -fflags +bitexact -f {kind}"
    with tempfile.TemporaryFile() as said:
        place = f"file:{file.name}"  # else a colon in the name of a folder would end the name of a protocol
        running = subprocess.Popen([program, *words.split(), place], stdin=subprocess.PIPE, stdout=said, stderr=said)
        assert running.stdin is not None
        try:
            for picture in pictures:
                running.stdin.write(picture.tobytes())
            running.stdin.close()
        except BrokenPipeError:  # ffmpeg ended early; its status and last words are below
            pass
        except BaseException:
            running.kill()
            running.wait()
            raise
        status = running.wait()
        said.seek(0)
        text = said.read().decode(errors="replace").strip()
    if status:
        raise RuntimeError(f"ffmpeg ({program}) ended with status {status}: {text.splitlines()[-1] if text else 'no message'}")
