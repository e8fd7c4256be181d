"""AugmentationExplorer: a clip and what became of it, in step, with the promises that an augmentation has to keep."""

from __future__ import annotations

from typing import Any

import ipywidgets as W
import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from torch import Tensor

from slimlab import augment, plot
from slimlab.data import Clip, ClipStore
from slimlab.plot.invariants import invariants, laws
from slimlab.plot.markup import html_text
from slimlab.released import naive
from slimlab.widgets.controls import ClipChooser, choice, slider
from slimlab.widgets.stage import Stage
from slimlab.widgets.state import Stateful
from slimlab.widgets.stills import Still

CONTRASTS = (
    "nothing",
    "bones rebuilt in index order",
    "flip without changing sides",
    "each axis scaled by itself",
    "shear",
    "noise on every joint",
)


def _readable(color: str) -> str:
    """The color, nearer to that of the page's words: readable on light and on dark paper."""
    return f"color-mix(in srgb, {color} 60%, var(--jp-ui-font-color1, #222))"


GREEN, RED = _readable("#00926E"), _readable("#D55E00")


class AugmentationExplorer(Stateful, Still, W.VBox):
    """The clip, SLiM's augmentations of it (`augment`), and a naive one (`naive`) for contrast, in step.

    Under each stands what has to hold (`plot.invariants`), green where it does and red where it does not. Colours on the body
    are joints' names: left blue, right orange. `.augmented`, `.contrast` (1, 3, T, V, M); `.readings`, a table of both.
    """

    def __init__(self, store: ClipStore, index: int = 0) -> None:
        self.store, body = store, store.skeleton
        self.chooser = ClipChooser(store, index)
        self.mirror = W.Checkbox(True, description="mirror", indent=False, layout={"width": "90px"})
        groups = {int(g): name for name, g in reversed(list(zip(body.parts, body.part_groups, strict=True)))}
        shared = {g: name.removeprefix("left ") + ("s" if name.startswith("left ") else "") for g, name in groups.items()}
        self.scales = [slider(shared[g], 1.0, 0.7, 1.3, 0.05, layout={"width": "230px"}) for g in sorted(shared)]
        self.angles = [
            slider(f"turn about {axis} (°)", 0, -90, 90, 5, layout={"width": "270px"}) for axis in ("x", "y (up)", "z")
        ]
        self.against = choice("against", CONTRASTS, CONTRASTS[1])
        self.strength = slider("strength", 0.15, 0.0, 0.5, 0.05, layout={"width": "230px"})
        self.table = W.HTML()
        self._load()
        self._apply()
        self.stage = Stage(self._bodies(), height=400)
        self._read()
        self.chooser.number.observe(lambda _: self._reload(), "value")
        for control in (self.mirror, *self.scales, *self.angles, self.against, self.strength):
            control.observe(lambda _: self.redraw(), "value")
        row = {"flex_flow": "row wrap", "align_items": "center"}
        super().__init__(
            [
                self.chooser,
                W.HBox([self.mirror, *self.scales, *self.angles], layout=row),
                W.HBox([self.against, self.strength], layout=row),
                self.stage,
                self.table,
            ]
        )

    def redraw(self) -> None:
        """Apply the settings anew and show the result."""
        self._apply()
        self.stage.show(self._bodies())
        self._read()

    def _settings(self) -> dict[str, tuple[Any, str]]:
        scales = {f"scale of {s.description}": (s, "value") for s in self.scales}
        angles = {a.description: (a, "value") for a in self.angles}
        rest = {"against": (self.against, "value"), "strength": (self.strength, "value")}
        return {"index": (self.chooser.number, "value"), "mirror": (self.mirror, "value")} | scales | angles | rest

    def _call(self) -> str:
        return "AugmentationExplorer(store)"

    @property
    def factors(self) -> Tensor:
        """(1, parts) of the bone scaling; mirrored limbs share one."""
        groups = torch.from_numpy(self.store.skeleton.part_groups)
        return torch.tensor([s.value for s in self.scales])[groups][None]

    @property
    def rotation(self) -> Tensor:
        """(1, 3) rad."""
        return torch.deg2rad(torch.tensor([[float(a.value) for a in self.angles]]))

    def _load(self) -> None:
        clip = self.store[self.chooser.index]
        x = torch.from_numpy(clip.joints).permute(3, 0, 2, 1)[None].contiguous()  # (1, 3, T, V, M)
        self.seen = torch.from_numpy(clip.seen).permute(0, 2, 1)[None]  # (1, T, V, M)
        self.x = augment.center(x, self.store.skeleton, seen=self.seen)

    def _reload(self) -> None:
        self._load()
        self.redraw()

    def _apply(self) -> None:
        x, body = self.x, self.store.skeleton
        out = augment.scale_bones(x, body, self.factors, self.seen)
        out = augment.mirror(out, body) if self.mirror.value else out
        self.augmented = augment.rotate(out, self.rotation)
        strength = torch.tensor([self.strength.value])
        contrasts = {
            "bones rebuilt in index order": lambda: naive.scale_bones_by_index(x, body, self.factors),
            "flip without changing sides": lambda: naive.flip(x),
            "each axis scaled by itself": lambda: naive.stretch(x, 1 + strength[:, None] * torch.tensor([1.0, -1.0, 0.5])),
            "shear": lambda: naive.shear(x, strength),
            "noise on every joint": lambda: augment.jitter(x, strength / 5, torch.Generator().manual_seed(0), seen=self.seen),
        }
        make = contrasts.get(self.against.value)
        self.contrast = make() if make else None

    def _bodies(self) -> plot.Bodies:
        shown = [("as recorded", self.x), ("augmented", self.augmented)]
        if self.contrast is not None:
            shown.append((self.against.value, self.contrast))
        there = (self.x != 0).any(dim=1).any(dim=2)[0].numpy()  # (T, M)
        index = self.chooser.index
        off = there[:, :, None, None] * np.float32(1)  # (T, M, 1, 1) m: the centered joint, at the origin, is there too
        clips = [Clip(x[0].permute(1, 3, 2, 0).numpy() + off, there, int(self.store.labels[index]), name) for name, x in shown]
        return plot.bodies(clips, self.store.skeleton, fps=self.store.fps)

    def figure(self, **given) -> Figure:
        """What is shown, for a paper: `plot.augmented`."""
        after = {"augmented": self.augmented}
        if self.contrast is not None:
            after[self.against.value] = self.contrast
        mirrored = ("augmented",) if self.mirror.value else ()
        settings: dict[str, Any] = {"title": self.chooser.title(self.chooser.index)} | given
        return plot.augmented(self.x, after, self.store.skeleton, mirrored, **settings)

    @property
    def readings(self) -> pd.DataFrame:
        """A line a check: of, check, value, limit, holds, says."""
        tables = [*self._measured(), laws(self.x, self.store.skeleton, self.rotation).assign(of="augment")]
        return pd.concat(tables, ignore_index=True)

    def _measured(self) -> list[pd.DataFrame]:
        body = self.store.skeleton
        found = [invariants(self.x, self.augmented, body, mirrored=self.mirror.value).assign(of="augmented")]
        if self.contrast is not None:
            found.append(invariants(self.x, self.contrast, body).assign(of=self.against.value))
        return found

    def _read(self) -> None:
        columns = []
        for name, lines in self.readings.groupby("of", sort=False):
            checks: list[Any] = list(lines.itertuples())
            rows = "".join(
                f"<tr style='color:{GREEN if line.holds else RED}'><td>{'✓' if line.holds else '✗'}</td>"
                f"<td>{html_text(line.check)}</td>"
                f"<td style='padding-left:10px'>{html_text(line.says)}</td></tr>"
                for line in checks
            )
            columns.append(f"<div><b>{html_text(name)}</b><table>{rows}</table></div>")
        style = "display:flex;flex-wrap:wrap;gap:8px 32px;line-height:1.4;white-space:nowrap"
        self.table.value = f"<div class='slimlab-readings' style='{style}'>{''.join(columns)}</div>"
