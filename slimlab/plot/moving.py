"""What changes over time, as `Bodies`: a mask, attention, student beside teacher, occlusion. `player` and `animate` draw them."""

from __future__ import annotations

import numpy as np
from matplotlib.colors import to_rgb

from slimlab.analysis import Agreement, Inside, Occlusion
from slimlab.data import Clip
from slimlab.plot.looking import Query, attention_values, layer_name, query_name
from slimlab.plot.masks import Masking, connected, tube_colors
from slimlab.plot.scene import Bodies, bodies, by_side, shaded
from slimlab.skeleton import Skeleton

REMAINS = "#B3B3B3"  # visible joints of a body whose masked joints have colors
LARGEST = 1.8  # how much larger than usual a joint of the largest value is drawn


def masked_bodies(clip: Clip | np.ndarray, mask: Masking | np.ndarray, skeleton: Skeleton, fps: float | None = None) -> Bodies:
    """A masked body, one color a tube and grey where visible, beside what the student sees of it.

    Args:
        clip: A Clip or an array (F, M, V, 3) in meters.
        mask: From `draw_mask`, or (T', V) bool; then a tube is a connected run. Its T' steps spread evenly over the F frames.
        skeleton: The clip's body.
        fps: Frames per second of the clip; None: 30.

    Raises:
        ValueError: The mask does not fit the body.
    """
    cells = mask.tubes if isinstance(mask, Masking) else np.asarray(mask)
    if cells.ndim != 2 or cells.shape[1] != len(skeleton):
        raise ValueError(f"masked_bodies: the mask is {cells.shape}; this body needs (T', {len(skeleton)})")
    tubes = cells if isinstance(mask, Masking) else connected(cells, skeleton)
    joints = clip.joints if isinstance(clip, Clip) else np.asarray(clip)
    now = _over(tubes, len(joints))  # (F, V)
    people = joints.shape[1]
    painted = np.where(now[..., None] > 0, tube_colors(now), np.round(255 * np.array(to_rgb(REMAINS))))  # (F, V, 3)
    hidden = np.repeat(now[:, None] > 0, people, axis=1)  # (F, M, V)
    return bodies(
        [clip, clip],
        skeleton,
        colors=[np.repeat(painted[:, None], people, axis=1), by_side(skeleton, people)[None]],
        sizes=[np.ones(hidden.shape), 1 - hidden],
        titles=[f"{(tubes > 0).mean():.0%} masked, one color a tube", "what the student sees"],
        fps=fps,
    )


def attention_bodies(
    inside: Inside,
    query: Query = "cls",
    layer: int = -1,
    head: int | None = None,
    person: int = 0,
    rolled: bool = False,
    fps: float | None = None,
) -> Bodies:
    """Where a query looks over time, in % of its attention; arguments as of `plot.attention`. Other people stay grey.

    Masked tokens look like all others: the encoder attends to them too.
    """
    values = attention_values(inside, query, layer, head, person, rolled)
    title = f"{query_name(inside, query)} at {layer_name(inside, layer, head, rolled)}"
    return _valued(
        inside.joints.numpy(), values, inside.skeleton, person, (0.0, float(values.max())), "attention (%)", title, fps
    )


def agreement_bodies(found: Agreement, fps: float | None = None) -> Bodies:
    """Teacher, student, and how well they agree over time (`analysis.agreement`): three bodies in step.

    The teacher sees everything; from the student the masked tokens are hidden. On the third body, a color says which part of the
    prototypes the student puts behind the teacher's nearest: 1 is agreement, 0.5 chance. Larger joints were masked.
    """
    joints, skeleton = found.joints.numpy(), found.skeleton  # (T, 1, V, 3)
    hidden = _over(found.mask.numpy(), len(joints))[:, None]  # (T, 1, V)
    values = _over(found.values.numpy(), len(joints))[:, None]
    sides = by_side(skeleton)[None]
    scene = bodies(
        [joints] * 3,
        skeleton,
        titles=["what the teacher sees", f"what the student sees ({hidden.mean():.0%} masked)", "how well the student predicts"],
        fps=fps,
    )
    bar = (0.0, 1.0, "prototypes behind the teacher's")
    sizes = [np.ones(hidden.shape), 1 - hidden, np.where(hidden, 1.5, 0.8)]
    return scene.painted([sides, sides, shaded(values, (0.0, 1.0))], sizes, bar)


def occlusion_bodies(
    found: Occlusion, joints: Clip | np.ndarray, skeleton: Skeleton, clip: int | None = None, fps: float | None = None
) -> Bodies:
    """How much hiding each token's unit changes the features (`analysis.occlude`), over time on the body.

    Args:
        found: Units by joints, parts, steps or tokens. A token takes the mean of the units that hold it.
        joints: The body that shows it: a Clip or (F, M, V, 3) in meters, such as the clip that was occluded.
        skeleton: Its body.
        clip: Row of `found.change`; None: the mean over its clips.
        fps: Frames per second; None: 30.

    Raises:
        ValueError: The units are of another body.
    """
    hidden = found.hidden.numpy()  # (U, T', V)
    if hidden.shape[2] != len(skeleton):
        raise ValueError(f"occlusion_bodies: units of {hidden.shape[2]} joints, the body has {len(skeleton)}")
    change = (found.change.mean(dim=0) if clip is None else found.change[clip]).double().numpy()  # (U,)
    count = hidden.sum(axis=0)  # (T', V)
    values = np.where(count, np.tensordot(change, hidden, 1) / np.maximum(count, 1), np.nan)
    top = max(float(np.nanmax(values)), 1e-12)
    shown = joints.joints if isinstance(joints, Clip) else np.asarray(joints)
    name = "change of the features\n(cosine distance)"
    return _valued(shown, values, skeleton, None, (0.0, top), name, "what hiding it changes", fps, joints)


def _valued(
    joints: np.ndarray,
    values: np.ndarray,
    skeleton: Skeleton,
    person: int | None,
    limits: tuple[float, float],
    label: str,
    title: str,
    fps: float | None,
    clip: Clip | np.ndarray | None = None,
) -> Bodies:
    """Values (T', V) of a person (None: of everyone) as colors and sizes of the body; everybody else is grey."""
    frames, people = joints.shape[:2]
    now = np.repeat(_over(values, frames)[:, None], people, axis=1)  # (F, M, V)
    if person is not None:
        now[:, np.arange(people) != person] = np.nan
    part = np.nan_to_num((now - limits[0]) / max(limits[1] - limits[0], 1e-12)).clip(0, 1)
    scene = bodies(joints if clip is None else clip, skeleton, titles=[title], fps=fps)
    return scene.painted(shaded(now, limits), 0.8 + (LARGEST - 0.8) * part, (*limits, label))


def _over(values: np.ndarray, frames: int) -> np.ndarray:
    """(T', …) of time steps -> (F, …) of frames, each step held for its share."""
    return values[np.arange(frames) * len(values) // frames]
