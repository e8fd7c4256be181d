"""The controls that explorers share. A slider speaks when it is let go, so that no queue of old values builds up."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import ipywidgets as W

from slimlab.data import ClipStore
from slimlab.plot.markup import html_text
from slimlab.pretrain.run import Run

WIDE = {"description_width": "auto"}


def slider(name: str, value: float, low: float, high: float, step: float, **kwargs) -> Any:
    """A slider for whole numbers or, with a fractional step, for others."""
    kind = W.IntSlider if isinstance(step, int) else W.FloatSlider
    return kind(value, min=low, max=high, step=step, description=name, continuous_update=False, style=WIDE, **kwargs)


def choice(name: str, options: Iterable, value: Any) -> Any:
    """One of several options."""
    return W.Dropdown(options=list(options), value=value, description=name, style=WIDE, layout={"width": "auto"})


def button(name: str, act: Callable[[], Any], tooltip: str = "", icon: str = "") -> W.Button:
    """A button that calls `act`."""
    made = W.Button(description=name, tooltip=tooltip, icon=icon, layout={"width": "auto", "flex": "0 0 auto"})
    made.on_click(lambda _: act())
    return made


def snapshots(run: Run) -> dict[str, Path]:
    """The encoders that a run kept along the way, as "step 100" -> folder for `load_encoder`; of a run without any, the last."""
    return {f"step {step}": folder for step, folder in run.snapshots.items()} or {"last step": run.folder}


class ClipChooser(W.HBox):
    """Which clip: an action to jump to, and a number. `index` is the clip; `observe(f, "value")` on `.number`."""

    def __init__(self, store: ClipStore, index: int = 0) -> None:
        if not len(store):
            raise ValueError("the store is empty; there is no clip to show")
        self.store = store
        self.number = slider("clip", range(len(store))[index], 0, len(store) - 1, 1, layout={"width": "380px"})
        present = sorted({int(label) for label in store.labels if label >= 0})
        self.action = choice("action", [("any", -1), *((store.label_names[k], k) for k in present)], -1)
        self.about = W.HTML()
        self.action.observe(self._to_action, "value")
        self.number.observe(lambda _: self._tell(), "value")
        self._tell()
        super().__init__([self.number, self.action, self.about], layout={"align_items": "center"})

    @property
    def index(self) -> int:
        return self.number.value

    @index.setter
    def index(self, value: int) -> None:
        self.number.value = range(len(self.store))[value]

    def title(self, index: int) -> str:
        """A clip's name and action."""
        line = self.store.table.iloc[index]
        return f"{line['clip']}: {line['label_name']}" if line["label_name"] else str(line["clip"])

    def _to_action(self, change) -> None:
        if change["new"] >= 0 and self.store.labels[self.index] != change["new"]:
            self.index = int((self.store.labels == change["new"]).argmax())

    def _tell(self) -> None:
        line = self.store.table.iloc[self.index]
        if self.action.value not in (-1, int(line["label"])):
            self.action.value = -1
        known = [f"{what} {line[what]}" for what in ("subject", "camera", "setup") if line[what] >= 0]
        flags = [f"flags: {line['flags']}"] if line["flags"] else []
        self.about.value = html_text(", ".join([f"{line['frames']} frames", f"{line['people']} people", *known, *flags]))
