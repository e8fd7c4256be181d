"""Which clips a step takes, and their views; on a GPU those of the next step while it works on this one.

All randomness of step s comes from (seed, s), so views made ahead are those that would have been made in time.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch

from slimlab._system import distributed
from slimlab.data import ClipStore, Views, sample_views
from slimlab.pretrain.config import Config

Cut = Callable[..., Views]
Sampled = tuple[Views, torch.Generator]  # the generator as it stands after them, for what comes next


def generator(seed: int, purpose: int, number: int) -> torch.Generator:
    """A CPU generator for one purpose at one step; different arguments give independent streams."""
    state = np.random.SeedSequence([seed, purpose, number]).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(state >> 1))


def clips_of_step(clips: int, batch: int, seed: int, step: int) -> np.ndarray:
    """Positions (batch,) of the step's clips: every clip once an epoch, in an order that only seed and epoch decide."""
    places = np.arange(step * batch, (step + 1) * batch)
    orders = {e: torch.randperm(clips, generator=generator(seed, 0, e)).numpy() for e in np.unique(places // clips).tolist()}
    return np.array([orders[p // clips][p % clips] for p in places.tolist()])


def views_of_step(config: Config, store: ClipStore, clips: np.ndarray, step: int, *, cut: Cut = sample_views) -> Sampled:
    """Views of this process's share of the clips, before any augmentation. Raises ValueError where a clip is empty.

    cut  what cuts the views out of the clips: called as `data.sample_views`
    """
    rng, own = generator(config.seed, 1, step), distributed.shard(len(clips))
    how = (config.global_frames, config.global_range, config.local_views, own, config.details == "released")
    return cut(store, clips, rng, *how), rng


class Sampler:
    """`views_of_step`, called once a step; where it works ahead, a thread makes the next step's views meanwhile.

    ahead  None: on CUDA alone, where the views are also put into pinned memory, from which they are copied while the device
           works. On a CPU the thread would take the cores that train
    cut    as in `views_of_step`
    """

    def __init__(self, device: torch.device | str, ahead: bool | None = None, *, cut: Cut = sample_views) -> None:
        self.cut = cut
        self.pinned = torch.device(device).type == "cuda"
        self.ahead = self.pinned if ahead is None else ahead
        self.made_ahead = 0  # how often views were there when they were asked for
        self._thread: ThreadPoolExecutor | None = None
        self._next: tuple[tuple, Future[Sampled]] | None = None

    def __call__(self, config: Config, store: ClipStore, clips: np.ndarray, step: int) -> Sampled:
        """As `views_of_step`. Only the order of `clips_of_step` is foreseen; other clips are sampled when asked for."""
        waiting, self._next = self._next, None
        if waiting is not None and waiting[0] == _key(config, store, clips, step):
            found = waiting[1].result()
            self.made_ahead += 1
        else:
            found = self._made(config, store, clips, step)
        if self.ahead and np.array_equal(clips, clips_of_step(len(store), len(clips), config.seed, step)):
            following = clips_of_step(len(store), len(clips), config.seed, step + 1)
            self._thread = self._thread or ThreadPoolExecutor(1, "views")
            future = self._thread.submit(self._made, config, store, following, step + 1)
            self._next = _key(config, store, following, step + 1), future
        return found

    def _made(self, config: Config, store: ClipStore, clips: np.ndarray, step: int) -> Sampled:
        views, rng = views_of_step(config, store, clips, step, cut=self.cut)
        if self.pinned:
            pinned = [x.pin_memory() for x in views.locals]
            views = Views(views.globals.pin_memory(), pinned, views.origin.pin_memory(), [x.pin_memory() for x in views.seen])
        return views, rng


def _key(config: Config, store: ClipStore, clips: np.ndarray, step: int) -> tuple:
    """Everything that views depend on."""
    how = config.seed, config.global_frames, config.global_range, config.local_views, config.details
    return *how, id(store.arrays), store.clips.tobytes(), clips.tobytes(), step
