"""MaskExplorer: what a masking strategy hides, on the moving body and on the grid of time steps and joints."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ipywidgets as W
import numpy as np
from matplotlib.figure import Figure

from slimlab import masking, plot
from slimlab.data import Clip, ClipStore, test_view
from slimlab.plot.markup import html_text
from slimlab.plot.masks import DRAWS, Masking
from slimlab.plot.style import MASKED
from slimlab.pretrain.run import replace_file
from slimlab.widgets.cells import Cells
from slimlab.widgets.controls import ClipChooser, button, choice, slider
from slimlab.widgets.stage import Stage
from slimlab.widgets.state import Stateful
from slimlab.widgets.stills import Still

GREY = 178  # a visible joint, darker than the grid's visible tokens: it stands on white
LEGEND = [("in color: masked, one color a tube", MASKED), ("grey: visible", "#888888")]
STUDENT = "what the student sees"


class MaskExplorer(Stateful, Still, W.VBox):
    """Masks on any store's clips, as `plot.draw_mask`, `plot.mask_grid` and `plot.mask_on_body` make them.

    The clip is shown as the encoder gets it: the test view of `frames` frames, `patch_frames` to a time step. Controls: strategy,
    ratio, seed, frames, and what stands beside: what a masked student sees, or another strategy at the same ratio. A click on a
    token of the grid masks or frees it (a cross marks it); the next draw forgets what was edited.
    `.mask` (T', V) bool may be set; `.drawn` is the draw as it came; `.save(path)` writes mask and figure.
    """

    def __init__(
        self,
        store: ClipStore,
        index: int = 0,
        strategy: str = "semantic_tubes",
        ratio: float = 0.7,
        seed: int = 0,
        frames: int = 64,
        patch_frames: int = 8,
    ) -> None:
        self.store, self.patch_frames, self._frames = store, patch_frames, frames
        if frames < patch_frames or frames % patch_frames:
            raise ValueError(f"frames is {frames}; give a multiple of patch_frames, {patch_frames}")
        lengths = sorted({frames, *(patch_frames * k for k in (1, 2, 3, 4, 6, 8, 12, 16))})
        self.chooser = ClipChooser(store, index)
        self.strategy = choice("strategy", masking.STRATEGIES, strategy)
        self.ratio = slider("ratio", ratio, 0.0, 1.0, 0.05)
        self.seed = slider("seed", seed, 0, 99, 1)
        self.frames = choice("view (frames)", lengths, frames)
        self.beside = choice("beside", [STUDENT, *masking.STRATEGIES], STUDENT)
        self.reading, self.saved = W.HTML(), W.HTML()
        self.path = W.Text("out/mask", description="save as", continuous_update=False, layout={"width": "260px"})
        self.save_button = button("save", self._save_clicked, "mask as .npz and .csv, figure as .pdf", "download")
        self._load()
        self.stage = Stage(self._bodies, height=360)
        self.grid = Cells(height=430, now=0, layout={"flex": "1 1 0", "min_width": "0"})
        self.runs = W.HTML(layout={"width": "230px"})
        self.gallery = Cells(height=260, layout={"width": "100%"})
        self.more = W.Accordion([self.gallery], titles=["all strategies at this ratio and seed; a click chooses one"])
        self.redraw()
        self.grid.on_cell(lambda _, step, joint: self.toggle(step, joint))
        self.gallery.on_cell(lambda panel, *_: setattr(self.strategy, "value", list(masking.STRATEGIES)[panel]))
        for control, act in (
            (self.chooser.number, self._reload),
            (self.frames, self._reload),
            (self.strategy, self.redraw),
            (self.ratio, self.redraw),
            (self.seed, self.redraw),
            (self.beside, self._show),
        ):
            control.observe(lambda _, act=act: act(), "value")
        self.more.observe(lambda _: self._show_gallery(), "selected_index")
        self.stage.observe(self._move_cursor, "frame")
        settings = W.HBox([self.strategy, self.ratio, self.seed, self.frames, self.beside], layout={"flex_flow": "row wrap"})
        export = W.HBox([self.path, self.save_button, self.saved])
        super().__init__([self.chooser, settings, self.reading, self.stage, W.HBox([self.grid, self.runs]), self.more, export])

    @property
    def steps(self) -> int:
        """T', the time steps of the grid."""
        return self.frames.value // self.patch_frames

    @property
    def mask(self) -> np.ndarray:
        """(T', V) bool, True is masked, with the tokens that were edited by hand."""
        return self._mask.copy()

    @mask.setter
    def mask(self, value: np.ndarray) -> None:
        value = np.asarray(value, dtype=bool)
        if value.shape != self._mask.shape:
            raise ValueError(f"mask: shape {value.shape}; this view has (T', V) = {self._mask.shape}")
        self._mask = value
        self._show()

    def _settings(self) -> dict[str, tuple[Any, str]]:
        controls = ("frames", "strategy", "ratio", "seed", "beside")
        values = {name: (getattr(self, name), "value") for name in controls}
        return (
            {"index": (self.chooser.number, "value")}
            | values
            | {
                "edited": (self, "edited"),
                "gallery": (self.more, "selected_index"),  # 0: open, None: closed
            }
        )

    def _call(self) -> str:
        return f"MaskExplorer(store, frames={self._frames}, patch_frames={self.patch_frames})"

    @property
    def edited(self) -> list[tuple[int, int]]:
        """(step, joint) of the tokens that were changed by hand; may be set."""
        return [(int(step), int(joint)) for step, joint in np.argwhere(self._mask != self.drawn.mask)]

    @edited.setter
    def edited(self, value: Sequence[Sequence[int]]) -> None:
        changed = self.drawn.mask.copy()
        for step, joint in value:
            if not (0 <= step < self.steps and 0 <= joint < len(self.store.skeleton)):
                raise ValueError(f"token {(step, joint)} should be (step, joint), below {changed.shape}")
            changed[step, joint] ^= True
        self.mask = changed

    def toggle(self, step: int, joint: int) -> None:
        """Mask a visible token, or free a masked one."""
        changed = self.mask
        changed[step, joint] ^= True
        self.mask = changed

    def redraw(self) -> None:
        """Draw the mask anew from strategy, ratio and seed; edited tokens are forgotten."""
        self.drawn = self._draw(self.strategy.value)
        self._mask = self.drawn.mask
        self._show()

    def figure(self, which: str = "body", **given) -> Figure:
        """For a paper: "body" (`plot.mask_on_body`), "grid" (`plot.mask_grid`), "strategies" (`plot.mask_gallery`)."""
        body, clip = self.store.skeleton, self.view()
        if which == "body":
            settings: dict[str, Any] = {"title": f"{clip.name} under {self.drawn.strategy.replace('_', ' ')}"} | given
            return plot.mask_on_body(clip, self._mask, body, **settings)
        if which == "grid":
            return plot.mask_grid(self._shown(), body, **given)
        if which == "strategies":
            return plot.mask_gallery({name: self._draw(name) for name in masking.STRATEGIES}, body, **given)
        raise ValueError(f"figure '{which}' is unknown; choose body, grid or strategies")

    def save(self, path: str | Path) -> Path:
        """Write <path>.npz (mask, strategy, ratio, seed, joint names), <path>.csv (a line a token) and <path>.pdf."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        d, body = self.drawn, self.store.skeleton
        about = {"strategy": d.strategy, "ratio": d.ratio, "seed": d.seed, "edited": int((self._mask != d.mask).sum())}
        plot.save(self.figure(), path.with_suffix(".pdf"), data=plot.mask_table(self._mask, body))
        content: dict[str, Any] = {"mask": self._mask, "joints": np.array(body.names), "about": np.array(json.dumps(about))}
        replace_file(path.with_suffix(".npz"), lambda f: np.savez(f, **content))
        return path.with_suffix(".npz")

    def view(self) -> Clip:
        """The view on the screen as a clip."""
        i = self.chooser.index
        return Clip(self._joints, self._there, int(self.store.labels[i]), self.store[i].name, self._seen)

    def _load(self) -> None:
        """The chosen clip's view, how much its tokens move, and its bodies, twice."""
        index, frames = self.chooser.index, self.frames.value
        x, _, seen = test_view(self.store, [index], frames)  # (1, 3, T, V, M), (1, T, V, M)
        self._joints = x[0].permute(1, 3, 2, 0).numpy()  # (T, M, V, 3)
        there = (self._joints != 0).any(axis=(2, 3))  # (T, M)
        self._seen, self._there = seen[0].permute(0, 2, 1).numpy() & there[..., None], there
        self.motion = masking.motion_magnitude(x[..., :1], self.patch_frames)  # (1, T', V)
        clip = self.view()
        seconds = int(self.store.column("frames")[index]) / (self.store.fps or 30.0)
        titles = [self.chooser.title(index), ""]
        self._bodies = plot.bodies([clip, clip], self.store.skeleton, titles=titles, fps=frames / max(seconds, 1e-3))

    def _reload(self) -> None:
        self._load()
        self.stage.show(self._bodies)
        self.grid.now = self.stage.frame // self.patch_frames
        self.redraw()

    def _draw(self, strategy: str) -> Masking:
        motion = self.motion if strategy == "motion_aware" else None
        return plot.draw_mask(strategy, self.store.skeleton, self.steps, self.ratio.value, self.seed.value, motion)

    def _shown(self) -> Masking:
        """The draw, with what was edited by hand."""
        d = self.drawn
        edited = self._mask != d.mask
        if not edited.any():
            return d
        tubes = np.where(self._mask & ~edited, d.tubes, np.where(self._mask, d.tubes.max() + 1, 0))
        return Masking(d.strategy, d.ratio, d.seed, self._mask, tubes, d.frequency)

    def _show(self) -> None:
        """One message for the bodies, one for the grid."""
        shown = self._shown()
        body, people = self.store.skeleton, self._joints.shape[1]
        each = np.arange(self.frames.value) // self.patch_frames  # (T,) the step of every frame
        colours, sizes = self._painted(shown, people), np.ones((len(each), people, len(body)))
        if self.beside.value == STUDENT:
            beside = np.broadcast_to(plot.by_side(body, people), colours.shape)
            left = np.where(self._mask[each], 0.0, 1.0)[:, None].repeat(people, axis=1)
        else:
            beside, left = self._painted(self._draw(self.beside.value), people), sizes
        name = self.strategy.value.replace("_", " ")
        with self.stage.hold_sync():
            self.stage.retitle([f"{self.chooser.title(self.chooser.index)} · {name}", self.beside.value.replace("_", " ")])
            self.stage.paint([colours, beside], [sizes, left], legend=LEGEND)
        edited: list[Any] = np.argwhere(self._mask != self.drawn.mask).tolist()
        self.grid.show(
            plot.tube_colors(shown.tubes)[None],
            body,
            ["one token: a joint at a time step; a click masks or frees it"],
            crossed=[edited],
            bars=shown.frequency,
            bars_title=f"how often masked, {DRAWS} draws",
        )
        self._read(shown)
        self._show_gallery()

    def _painted(self, drawn: Masking, people: int) -> np.ndarray:
        """(T, M, V, 3): every frame in the colours of its step's tubes."""
        tubes = drawn.tubes[np.arange(self.frames.value) // self.patch_frames]  # (T, V)
        colours = np.where(tubes[..., None] > 0, plot.tube_colors(tubes), GREY)  # (T, V, 3)
        return colours[:, None].repeat(people, axis=1)

    def _show_gallery(self) -> None:
        if self.more.selected_index is None:
            return
        draws = {name: self._draw(name) for name in masking.STRATEGIES}
        colours = np.stack([plot.tube_colors(d.tubes) for d in draws.values()])  # (strategies, T', V, 3)
        titles = [f"{name.replace('_', ' ')}, {d.mask.mean():.3f}" for name, d in draws.items()]
        self.gallery.panel = list(draws).index(self.strategy.value)
        self.gallery.show(colours, self.store.skeleton, titles, labels=False)

    def _read(self, shown: Masking) -> None:
        cells, masked = self._mask.size, int(self._mask.sum())
        runs = plot.run_lengths(self._mask)
        edited = int((self._mask != self.drawn.mask).sum())
        numbers = [
            f"asked <b>{self.ratio.value:.2f}</b>, achieved <b>{masked / cells:.3f}</b> ({masked} of {cells} tokens)",
            f"{len(np.unique(shown.tubes[shown.tubes > 0]))} "
            + ("tubes" if shown.strategy == "semantic_tubes" else "connected runs"),
            f"masked runs of {runs.mean():.1f} steps on average" if len(runs) else "nothing masked",
        ]
        self.reading.value = " · ".join(numbers + ([f"<b>{edited} tokens edited</b>"] if edited else []))
        self.runs.value = run_histogram(runs, self.steps)

    def _move_cursor(self, change) -> None:
        self.grid.now = change["new"] // self.patch_frames

    def _save_clicked(self) -> None:
        try:
            self.saved.value = html_text(f"written: {self.save(self.path.value)}")
        except OSError as error:
            self.saved.value = html_text(f"{self.path.value}: cannot be written ({error.strerror}); choose another place")


def run_histogram(lengths: np.ndarray, steps: int) -> str:
    """Masked runs by their length in time steps, 1 to `steps`, as bars in HTML."""
    counts = np.bincount(lengths, minlength=steps + 1)[1:]
    bars = "".join(
        f"<div style='flex:1;text-align:center;font-size:10px;line-height:14px'>{count or ''}"
        f"<div style='height:{90 * count / max(counts.max(), 1):.0f}px;background:{MASKED};margin:0 1px'></div>{length}</div>"
        for length, count in enumerate(counts.tolist(), start=1)
    )
    title = "<div style='font-size:12px;line-height:20px'>masked runs, by length in steps</div>"
    return f"{title}<div class='slimlab-runs' style='display:flex;align-items:flex-end'>{bars}</div>"
