"""A moving body, or several side by side, as one plotly figure: it plays in a notebook and in an exported page.

Two traces a clip change from frame to frame: all its bones (one line with gaps) and all its joints. Everything else stands
still. Hovering is off: in three dimensions it stalls the browser.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from slimlab.data import Clip
from slimlab.plot.markup import plotly_text
from slimlab.plot.scene import SCALE, Bodies, bodies, shaded
from slimlab.plot.style import LEFT, RIGHT
from slimlab.skeleton import Skeleton

# where the viewer stands, in units of the stage's size: right, away, up
CAMERAS = {"front": (0.0, -1.5, 0.2), "oblique": (0.9, -1.2, 0.4), "side": (1.5, 0.0, 0.2), "top": (0.0, -0.01, 1.7)}
SPEEDS = (1.0, 0.5, 0.25, 2.0)
MOST_CLIPS = 8  # a browser keeps at most 16 three-dimensional scenes alive


def player(
    clips: Bodies | Clip | np.ndarray | Sequence[Clip | np.ndarray],
    skeleton: Skeleton | None = None,
    camera: str = "front",
    trails: Sequence[int] = (),
    names: bool = False,
    speed: float = 1.0,
    height: int = 520,
    **painting: Any,
) -> go.Figure:
    """One or several clips as moving bodies, in step, with scrubber, play, pause, speeds and camera presets.

    clips     a Clip, an array (F, M, V, 3), a list of them, or `Bodies`
    camera    front, oblique, side or top
    trails    joints that draw their path; names: write the joints' names (slower)
    speed     of the first play button; 1 is the recording's own
    painting  colors, sizes, values, limits, label, titles, fps: see `bodies`

    Raises ValueError for an unknown camera, more than 8 clips, or shapes that do not fit.
    """
    if camera not in CAMERAS:
        raise ValueError(f"camera '{camera}' is unknown; choose one of {', '.join(CAMERAS)}")
    if not isinstance(clips, Bodies):
        if skeleton is None:
            raise ValueError("player: give the skeleton of these clips, such as store.skeleton")
        clips = bodies(clips, skeleton, **painting)
    count = len(clips.joints)
    if count > MOST_CLIPS:
        raise ValueError(f"player: {count} clips; a page shows at most {MOST_CLIPS} side by side")
    low, high = extent(clips)
    fig = go.Figure()
    for c in range(count):
        scene = {"scene": f"scene{c + 1 if c else ''}", "hoverinfo": "skip", "showlegend": False}
        fig.add_trace(go.Mesh3d(**_floor(low, high), color="#E9E9E6", opacity=0.7, **scene))
        for joint in trails:
            x, y, z = clips.joints[c, :, :, joint].transpose(2, 1, 0)  # (M, F)
            gap = np.pad(np.stack([x, y, z]), ((0, 0), (0, 0), (0, 1)), constant_values=np.nan).reshape(3, -1)
            fig.add_trace(
                go.Scatter3d(
                    x=gap[0], y=gap[1], z=gap[2], mode="lines", line={"color": "#E69F00", "width": 2}, opacity=0.5, **scene
                )
            )
    for c in range(count):
        scene = {"scene": f"scene{c + 1 if c else ''}", "hoverinfo": "skip", "showlegend": False}
        bones, joints = traces(clips, c, 0, names=names)
        fig.add_trace(go.Scatter3d(mode="lines", **bones, **scene))
        fig.add_trace(go.Scatter3d(mode="markers+text" if names else "markers", **joints, **scene))
    still = count * (1 + len(trails))
    moving = list(range(still, still + 2 * count))
    changes = clips.colors.shape[1] > 1 or clips.sizes.shape[1] > 1
    fig.frames = [
        go.Frame(
            data=[{"type": "scatter3d", **t} for c in range(count) for t in traces(clips, c, f, paint=changes)],
            traces=moving,
            name=str(f),
        )
        for f in range(len(clips))
    ]
    if clips.bar is not None:
        fig.add_trace(_bar(clips.bar))
    fig.update_layout(_layout(clips, low, high, camera, speed, height))
    return fig


def traces(clips: Bodies, clip: int, frame: int, paint: bool = True, names: bool = False) -> tuple[dict, dict]:
    """Bones and joints of one clip at one frame, as properties of two Scatter3d traces; without `paint` places alone."""
    sizes = clips.sizes[clip, min(frame, clips.sizes.shape[1] - 1)]  # (M, V)
    x = np.where(sizes[..., None] > 0, clips.joints[clip, frame], np.nan)  # (M, V, 3)
    order = np.array(clips.skeleton.bones).reshape(-1, 2)  # (V-1, 2)
    ends = x[:, order]  # (M, V-1, 2, 3)
    line = np.concatenate([ends, np.full_like(ends[:, :, :1], np.nan)], axis=2).reshape(-1, 3)  # a gap after each bone
    points = x.reshape(-1, 3)
    bones: dict[str, Any] = {"x": line[:, 0], "y": line[:, 1], "z": line[:, 2]}
    joints: dict[str, Any] = {"x": points[:, 0], "y": points[:, 1], "z": points[:, 2]}
    if paint:
        colours = clips.colors[clip, min(frame, clips.colors.shape[1] - 1)]  # (M, V, 3)
        text = np.array([f"rgb({r},{g},{b})" for r, g, b in colours.reshape(-1, 3)]).reshape(colours.shape[:2])
        bones["line"] = {"color": np.repeat(text[:, order[:, 1]].ravel(), 3), "width": 6}
        joints["marker"] = {"color": text.ravel(), "size": 6 * sizes.ravel(), "opacity": 1, "line": {"width": 0}}
    if names:
        joints["text"] = list(clips.skeleton.names) * len(x)
        joints["textfont"] = {"size": 9, "color": "#555"}
    return bones, joints


def extent(clips: Bodies) -> tuple[np.ndarray, np.ndarray]:
    """The corners (3,), (3,) of a stage that holds every clip: metres, at least one by one by one, the floor at zero."""
    points = clips.joints[np.isfinite(clips.joints).all(axis=-1)]  # (points, 3)
    low, high = np.percentile(points, [0.2, 99.8], axis=0)
    half = np.maximum(np.maximum(-low, high)[:2] + 0.12, 0.5)
    return np.array([*-half, 0.0]), np.array([*half, max(high[2] + 0.12, 1.0)])


def _floor(low: np.ndarray, high: np.ndarray) -> dict:
    x, y = (low[0], high[0], high[0], low[0]), (low[1], low[1], high[1], high[1])
    return {"x": x, "y": y, "z": (0, 0, 0, 0), "i": (0, 0), "j": (1, 2), "k": (2, 3)}


def _bar(bar: tuple[float, float, str]) -> go.Scatter3d:
    """An invisible point that carries the colour bar."""
    stops = np.linspace(0, 1, 17)
    colours = [f"rgb({r},{g},{b})" for r, g, b in shaded(stops, (0, 1), SCALE)]
    marker = {"color": [bar[0]], "cmin": bar[0], "cmax": bar[1], "colorscale": list(zip(stops, colours, strict=True))}
    marker |= {
        "showscale": True,
        "opacity": 0,
        "colorbar": {"title": {"text": plotly_text(bar[2]), "side": "right"}, "thickness": 12, "len": 0.7},
    }
    return go.Scatter3d(x=[0], y=[0], z=[0], mode="markers", marker=marker, hoverinfo="skip", showlegend=False)


def _layout(clips: Bodies, low: np.ndarray, high: np.ndarray, camera: str, speed: float, height: int) -> dict:
    count, size = len(clips.joints), high - low
    hidden = {"visible": False, "showspikes": False}
    aspect = dict(zip("xyz", size / size.max(), strict=True))
    layout: dict = {"height": height, "margin": {"l": 0, "r": 0, "t": 34, "b": 0}, "paper_bgcolor": "white", "hovermode": False}
    for c in range(count):
        layout[f"scene{c + 1 if c else ''}"] = {
            **{f"{axis}axis": {**hidden, "range": [low[i], high[i]]} for i, axis in enumerate("xyz")},
            "aspectmode": "manual",
            "aspectratio": aspect,
            "camera": _camera(camera),
            "domain": {"x": [c / count, (c + 1) / count], "y": [0.04, 1]},
            "dragmode": "orbit",
        }
    layout["annotations"] = [
        {
            "text": plotly_text(title),
            "x": (c + 0.5) / count,
            "y": 1,
            "yshift": 26,
            "xref": "paper",
            "yref": "paper",
            "showarrow": False,
        }
        for c, title in enumerate(clips.titles)
    ]
    if clips.skeleton.mirror and clips.bar is None:
        key = f"<span style='color:{LEFT}'>left</span> <span style='color:{RIGHT}'>right</span>"
        layout["annotations"] += [
            {"text": key, "x": 0, "y": 1, "xref": "paper", "yref": "paper", "showarrow": False, "xshift": 8}
        ]
    layout["sliders"] = [
        {
            "steps": [{"method": "animate", "label": str(f), "args": [[str(f)], _now()]} for f in range(len(clips))],
            "currentvalue": {"prefix": "frame ", "font": {"size": 12}},
            "x": 0.3,
            "len": 0.68,
            "y": 0.02,
            "pad": {"t": 0, "b": 8},
            "minorticklen": 0,
            "ticklen": 0,
            "font": {"size": 1},
        }
    ]
    speeds = (speed, *(s for s in SPEEDS if s != speed))
    play = [{"label": f"▶ {s:g}×", "method": "animate", "args": [None, _playing(clips.fps * s)]} for s in speeds]
    views = [
        {
            "label": name,
            "method": "relayout",
            "args": [{f"scene{c + 1 if c else ''}.camera": _camera(name) for c in range(count)}],
        }
        for name in (camera, *(n for n in CAMERAS if n != camera))
    ]
    pause = {"label": "❚❚", "method": "animate", "args": [[None], _now()]}
    place = {"y": 0.02, "yanchor": "top", "showactive": False, "pad": {"t": 4, "b": 4}, "xanchor": "left"}
    layout["updatemenus"] = [
        {"type": "dropdown", "direction": "up", "x": 0.0, "buttons": views, **place},
        {"type": "dropdown", "direction": "up", "x": 0.105, "buttons": play, **place},
        {"type": "buttons", "direction": "right", "x": 0.2, "buttons": [play[0] | {"label": "▶"}, pause], **place},
    ]
    return layout


def _camera(name: str) -> dict:
    up = {"x": 0, "y": 1, "z": 0} if name == "top" else {"x": 0, "y": 0, "z": 1}
    return {"eye": dict(zip("xyz", CAMERAS[name], strict=True)), "up": up, "center": {"x": 0, "y": 0, "z": -0.04}}


def _now() -> dict:
    return {"mode": "immediate", "frame": {"duration": 0, "redraw": True}, "transition": {"duration": 0}}


def _playing(frames_per_second: float) -> dict:
    return {"fromcurrent": True, "frame": {"duration": 1000 / frames_per_second, "redraw": True}, "transition": {"duration": 0}}
