"""Skeleton-aware augmentations (SLiM, arXiv 2603.10648, section 3.3): mirroring, bone scaling, rotation, noise.

Every function takes x (B, 3, T, V, M) in metres, works on the device of x and leaves absent people (all zero) at zero.
A joint that was not seen is no coordinate: it is at zero, stays there and moves no other joint. Which joints were seen comes with
the view as `seen`; without it, joints at zero were not.
Mirroring and bone scaling are linear in the joints, rotation in the axes, so `skeleton_aware` applies a batch of different
draws as two batched matrix products; views with an unseen joint are scaled anew.
"""

from __future__ import annotations

import torch
from torch import Tensor

from slimlab.skeleton import Skeleton

CENTERINGS = ("none", "first_frame", "every_frame")
SCALINGS = ("bones", "axes")
Rows = tuple[int, Tensor]  # how many views the whole batch has, and which of them are at hand: several processes share a batch


def present(x: Tensor) -> Tensor:
    """(B, 1, T, 1, M) bool: where a person is there, which is where not all of the coordinates are zero."""
    return x.abs().sum(dim=1, keepdim=True).sum(dim=3, keepdim=True) != 0  # faster than any(), and exact: nothing cancels


def shown(x: Tensor, seen: Tensor) -> Tensor:
    """(B, T, V, M) bool: the joints that were seen, of people who are there in x; seen as of a view, True where nobody is."""
    return seen & present(x)[:, 0]


def find_seen(x: Tensor, skeleton: Skeleton | None = None, origin: Tensor | None = None) -> Tensor:
    """(B, T, V, M) bool: where joints were seen in recorded x, before centering or augmentation, where only x is at hand.

    A joint was not seen where its three coordinates are exactly zero or one of them is not a number. With `skeleton`, the
    center joint of a person who has it at zero in every frame was seen: those are root-centered clips.
    origin  (B, 3) where the whole clip's center joint is: elsewhere than at zero, x is no root-centered clip
    """
    out = x.abs().sum(dim=1) > 0  # faster than any(), and exact: nothing cancels; false for NaN
    if skeleton is None:
        return out
    rooted = (x[:, :, :, skeleton.center] == 0).all(dim=1).all(dim=1)  # (B, M)
    if origin is not None:
        rooted = rooted & (origin.to(x.device) == 0).all(dim=1)[:, None]
    out[:, :, skeleton.center] |= rooted[:, None] & out.any(dim=2)
    return out


def fill_unseen(x: Tensor, seen: Tensor) -> Tensor:
    """x (B, 3, T, V, M) where unseen joints (seen (B, T, V, M) False) lie on the line between the moments that show them.

    Before the first such moment and after the last one a joint stays where that one shows it; a joint that is never seen is at
    zero. A frame without the person shows nothing.
    """
    known = shown(x, seen)
    frames = x.shape[2]
    time = torch.arange(frames, device=x.device).view(1, -1, 1, 1)
    before = torch.where(known, time, -1).cummax(dim=1).values  # (B, T, V, M), -1: none
    after = torch.where(known, time, frames).flip(1).cummin(dim=1).values.flip(1)  # `frames`: none
    return fill_between(x, seen, known, before, after)


def fill_between(x: Tensor, seen: Tensor, known: Tensor, before: Tensor, after: Tensor) -> Tensor:
    """`fill_unseen` once it is known when each joint was shown last and will be shown next.

    known, before, after  (B, T, V, M): `shown`; the last frame up to here that is known, -1 without one; the next, T without one
    """
    frames = x.shape[2]
    time = torch.arange(frames, device=x.device).view(1, -1, 1, 1)
    low = torch.where(before < 0, after, before).clamp(max=frames - 1)
    high = torch.where(after == frames, before, after).clamp(min=0)
    part = (time - low).to(x.dtype) / (high - low).clamp(min=1)
    low, high = (x.gather(2, place[:, None].expand(-1, 3, -1, -1, -1)) for place in (low, high))  # (B, 3, T, V, M)
    filled = torch.where(known.any(dim=1, keepdim=True)[:, None], torch.lerp(low, high, part[:, None]), 0)
    return torch.where(seen[:, None], x, filled)


def seen_after(x: Tensor, skeleton: Skeleton, before: Tensor | None = None) -> Tensor:
    """(B, T, V, M) bool: where joints are seen in x, which was centered or augmented since.

    A seen joint may then be at zero, as the center joint is, so `before` tells: which were seen in the recorded x. Without it,
    the center joint counts as seen wherever its person is, as it does in any clip without unseen joints.
    """
    out = find_seen(x)
    if before is None:
        out[:, :, skeleton.center] |= out.any(dim=2)
        return out
    partner = before[:, :, torch.from_numpy(skeleton.mirror_index).to(x.device)]  # which of both stands here, x does not tell
    return out | (before & partner)


def mirror(x: Tensor, skeleton: Skeleton) -> Tensor:
    """Negate the x axis and let left and right joints change places. Twice is the identity.

    A body without mirror pairs, such as one hand, is mirrored as a whole: a left hand becomes a right one.
    """
    swapped = x[:, :, :, torch.from_numpy(skeleton.mirror_index).to(x.device)]
    return swapped * torch.tensor([-1.0, 1.0, 1.0], dtype=x.dtype, device=x.device).view(3, 1, 1, 1)


def scale_bones(x: Tensor, skeleton: Skeleton, factors: Tensor, seen: Tensor | None = None) -> Tensor:
    """Scale every bone by the factor of the part its joint belongs to; factors (B, parts), order of `skeleton.parts`.

    Bone directions and the root's path stay; bone lengths change by exactly the factor. The pose is rebuilt as a sum over
    each joint's ancestors, so index order does not matter. (The authors' code rebuilds in index order, which on Kinect v2
    moves 14 of 25 joints even at factor 1.)

    A bone with an unseen end is not scaled: a joint whose parent was not seen keeps its place relative to the nearest ancestor
    that was seen, or its place where none was.
    seen  (B, T, V, M) bool, of x as it is here; None: `seen_after(x, skeleton)`
    """
    factors = factors.to(x)
    scaled = torch.einsum("bctvm,bwv->bctwm", x, _scaling(skeleton, factors))
    return _without_unseen(scaled, x, skeleton, factors, seen)


def rotate(x: Tensor, angles: Tensor) -> Tensor:
    """Turn about the x, then the y, then the z axis through the origin; angles (B, 3) rad."""
    return torch.einsum("bdc,bctvm->bdtvm", _rotation(angles.to(x)), x)


def jitter(
    x: Tensor,
    std: float | Tensor,
    generator: torch.Generator | None = None,
    rows: Rows | None = None,
    seen: Tensor | None = None,
) -> Tensor:
    """Add Gaussian noise of `std` metres, a number or one per clip (B,). Absent people and unseen joints stay at zero, and a
    clip in the plane (all z zero) in its plane.

    rows  see `skeleton_aware`
    seen  (B, T, V, M) bool, of x as it is here; None: where x is not zero. In centered clips the center joint may be at zero
          and seen: give `seen_after(x, skeleton)`
    """
    std = torch.as_tensor(std, dtype=x.dtype, device=x.device).view(-1, 1, 1, 1, 1)
    free = torch.ones(len(x), 3, dtype=x.dtype, device=x.device)
    free[:, 2] = ~planar(x)
    there = find_seen(x) if seen is None else seen
    return torch.where(there[:, None], x + _normal(x, generator, rows) * (std * free.view(-1, 3, 1, 1, 1)), 0)


def center(
    x: Tensor,
    skeleton: Skeleton,
    how: str = "first_frame",
    origin: Tensor | None = None,
    seen: Tensor | None = None,
) -> Tensor:
    """Move people to the origin by their center joint.

    how     "first_frame": where each person's center joint is in the first frame that shows it (the path is kept);
            "every_frame": in each frame (the path is lost), in a frame that does not show it where it is in the nearest that
            does; "none"
    origin  (B, 3): with "first_frame", this place instead
    seen    (B, T, V, M) bool; None: `find_seen(x, skeleton, origin)`
    Frames without the person and unseen joints stay zero; a person whose center joint is never seen stays in place. (The
    authors' code moves them to minus the origin, and takes the origin of a person who is late from an empty frame.) Raises
    ValueError for another `how`.
    """
    if how not in CENTERINGS:
        raise ValueError(f"centering '{how}' is unknown; choose one of {', '.join(CENTERINGS)}")
    if how == "none":
        return x
    there = (find_seen(x, skeleton, origin) if seen is None else seen)[:, None]  # (B, 1, T, V, M)
    if how == "first_frame" and origin is not None:
        return torch.where(there, x - origin.to(x).view(-1, 3, 1, 1, 1), 0)
    known = there[:, :, :, skeleton.center : skeleton.center + 1]  # (B, 1, T, 1, M)
    middle = x[:, :, :, skeleton.center : skeleton.center + 1]  # (B, 3, T, 1, M)
    frame = known.float().argmax(dim=2, keepdim=True) if how == "first_frame" else _nearest(known)
    middle = middle.gather(2, frame.expand(-1, 3, -1, -1, -1))  # (B, 3, 1 or T, 1, M)
    middle = torch.where(known.any(dim=2, keepdim=True), middle, 0)
    return torch.where(there, x - middle, 0)


def planar(x: Tensor) -> Tensor:
    """(B,) bool: clips in the plane, every z exactly zero, as 2-D key points are kept."""
    return x[:, 2].abs().flatten(1).sum(dim=1) == 0


def skeleton_aware(
    x: Tensor,
    skeleton: Skeleton,
    generator: torch.Generator,
    probability: float = 0.5,
    scale: tuple[float, float] = (0.85, 1.15),
    angle: float | tuple[float, float, float] = 0.3,
    mirrors: bool | str = True,
    rows: Rows | None = None,
    seen: Tensor | None = None,
    scaling: str = "bones",
) -> Tensor:
    """Mirroring, bone scaling and rotation, each with `probability` and drawn anew for each of the B views.

    generator  a CPU generator: the same seed gives the same draws on every device
    scale      bounds of the limb factors; mirrored limbs share theirs
    angle      most radians about each axis; clips in the plane (all z zero) are turned in their plane alone
    mirrors    False where left and right are different classes (UTD-MHAD's swipes); "joints": left and right joints change places
               and no axis its sign, which leaves the body twisted
    rows       (n, which): x holds these rows of a batch of n; it is drawn for all n, so that a share is treated as in the whole
    seen       (B, T, V, M) bool, of x as it is here; None: `seen_after(x, skeleton)`
    scaling    "bones", or "axes": one factor for each axis, so that a bone's length depends on where it points
    """
    batch, joints = (len(x) if rows is None else rows[0]), len(skeleton)
    chance = torch.rand(3, batch, generator=generator) < probability
    groups = int(skeleton.part_groups.max()) + 1
    factors = scale[0] + (scale[1] - scale[0]) * torch.rand(batch, groups, generator=generator)
    of_axes = torch.ones(batch, 3)
    if scaling == "axes":
        of_axes = scale[0] + (scale[1] - scale[0]) * torch.rand(batch, 3, generator=generator)
        of_axes, factors = torch.where(chance[0, :, None], of_axes, 1.0), torch.ones_like(factors)
    factors = torch.where(chance[0, :, None], factors, 1.0)[:, skeleton.part_groups]  # (B, parts)
    limits = torch.as_tensor(angle).expand(3)
    angles = (2 * torch.rand(batch, 3, generator=generator) - 1) * limits * chance[1, :, None]
    if rows is not None:
        chance, batch = chance[:, rows[1]], len(x)
        factors, of_axes, angles = factors[rows[1]], of_axes[rows[1]], angles[rows[1]]

    whole = torch.eye(
        joints
    )  # a view that is not scaled is not rebuilt, which only a faulty rebuilding can tell (slimlab.released)
    over_joints = torch.where(chance[0, :, None, None], _scaling(skeleton, factors), whole)  # (B, V, V)
    chance[2] &= bool(mirrors)
    mirrored = over_joints[:, torch.from_numpy(skeleton.mirror_index)]
    over_joints = torch.where(chance[2, :, None, None], mirrored, over_joints)
    over_axes = _rotation(angles)  # (B, 3, 3)
    in_plane = _rotation(angles * torch.tensor([0.0, 0.0, 1.0]))
    sign = torch.tensor([-1.0, 1.0, 1.0]).expand(batch, 3)
    if mirrors == "joints":
        sign = torch.ones_like(sign)
    sign = (torch.where(chance[2, :, None], sign, 1.0) * of_axes)[:, None, :]  # (B, 1, 3)
    over_joints, over_axes = over_joints.to(x), (over_axes * sign).to(x)
    over_axes = torch.where(planar(x)[:, None, None], (in_plane * sign).to(x), over_axes)
    mirrors_now = chance[2].to(x.device)
    people, frames = x.shape[4], x.shape[2]
    flat = x.permute(0, 1, 2, 4, 3).reshape(batch, 3 * frames * people, joints)
    flat = torch.bmm(flat, over_joints.transpose(1, 2))  # (B, 3*T*M, V)
    moved = flat.view(batch, 3, frames, people, joints)
    which, known = _incomplete(x, skeleton, seen)
    if len(which):
        few = _scaled(x[which], skeleton, factors.to(x)[which], known)
        index = torch.from_numpy(skeleton.mirror_index).to(x.device)
        few = torch.where(mirrors_now[which].view(-1, 1, 1, 1, 1), few[:, :, :, index], few)
        moved[which] = few.permute(0, 1, 2, 4, 3)
    flat = torch.bmm(over_axes, moved.view(batch, 3, -1))  # (B, 3, T*M*V)
    return flat.view(batch, 3, frames, people, joints).permute(0, 1, 2, 4, 3)  # (B, 3, T, V, M)


def drop_axis(x: Tensor, chosen: Tensor) -> Tensor:
    """Set one axis to zero; chosen (B,) holds 0, 1, 2, or -1 for none. An extra of the second global view."""
    keep = chosen.to(x.device)[:, None] != torch.arange(3, device=x.device)  # (B, 3)
    return x * keep.view(-1, 3, 1, 1, 1)


def _nearest(shown: Tensor) -> Tensor:
    """shown (B, 1, T, 1, M) bool -> for each frame the number of the nearest that shows it, the earlier of two; 0 without any."""
    frames = shown.shape[2]
    time = torch.arange(frames, device=shown.device).view(1, 1, -1, 1, 1)
    before = torch.where(shown, time, -frames).cummax(dim=2).values
    after = torch.where(shown, time, 3 * frames).flip(2).cummin(dim=2).values.flip(2)
    nearest = torch.where(time - before <= after - time, before, after)
    return torch.where(shown.any(dim=2, keepdim=True), nearest, 0)


def _incomplete(x: Tensor, skeleton: Skeleton, seen: Tensor | None) -> tuple[Tensor, Tensor]:
    """The views in which a person lacks a joint (N,), and what is seen in them (N, T, V, M)."""
    known = seen_after(x, skeleton) if seen is None else seen
    lacks = (known.any(dim=2) != known.all(dim=2)).flatten(1).any(dim=1)
    which = lacks.nonzero().squeeze(1)
    return which, known[which]


def _without_unseen(scaled: Tensor, x: Tensor, skeleton: Skeleton, factors: Tensor, seen: Tensor | None) -> Tensor:
    """scaled, save the views in which a joint was not seen: those are x with the bones between seen joints scaled."""
    which, known = _incomplete(x, skeleton, seen)
    if len(which):
        scaled[which] = _scaled(x[which], skeleton, factors[which], known)
    return scaled


def _scaled(x: Tensor, skeleton: Skeleton, factors: Tensor, seen: Tensor) -> Tensor:
    """Each joint moves by the sum of what its ancestors' bones grow by; a bone grows where both of its ends are seen."""
    parents = torch.tensor(skeleton.parents, device=x.device)
    parents[skeleton.root] = skeleton.root
    of_joint = factors[:, torch.from_numpy(skeleton.part_of).to(x.device)].view(len(x), 1, 1, -1, 1)  # (B, 1, 1, V, 1)
    seen = seen[:, None]  # (N, 1, T, V, M)
    x = torch.where(seen, x, 0)
    grows = torch.where(seen & seen[:, :, :, parents], (x - x[:, :, :, parents]) * (of_joint - 1), 0)
    moves = torch.einsum("bctvm,wv->bctwm", grows, torch.from_numpy(skeleton.from_bones).to(x))
    return torch.where(seen, x + moves, 0)


def _normal(x: Tensor, generator: torch.Generator | None, rows: Rows | None = None) -> Tensor:
    """Standard normal noise like x, drawn where the generator lives, so that a CPU seed means the same everywhere."""
    device = x.device if generator is None else generator.device
    shape = x.shape if rows is None else (rows[0], *x.shape[1:])
    noise = torch.randn(shape, generator=generator, dtype=x.dtype, device=device)
    return (noise if rows is None else noise[rows[1]]).to(x.device)


def _scaling(skeleton: Skeleton, factors: Tensor) -> Tensor:
    """(B, V, V): positions -> bones, bones times factor, bones -> positions."""
    if factors.ndim != 2 or factors.shape[1] != len(skeleton.parts):
        raise ValueError(
            f"scale_bones: factors are {tuple(factors.shape)}; give (B, {len(skeleton.parts)}), one for each of "
            f"{', '.join(skeleton.parts)}"
        )
    of_joint = factors[:, torch.from_numpy(skeleton.part_of).to(factors.device)]  # (B, V)
    of_joint = of_joint.index_fill(1, torch.tensor([skeleton.root], device=factors.device), 1.0)
    to_bones = torch.from_numpy(skeleton.to_bones).to(factors)
    from_bones = torch.from_numpy(skeleton.from_bones).to(factors)
    return from_bones @ (of_joint[:, :, None] * to_bones)


def _rotation(angles: Tensor) -> Tensor:
    """(B, 3, 3) from (B, 3) rad: Rz Ry Rx."""
    c, s = angles.cos(), angles.sin()
    one, zero = torch.ones_like(c[:, 0]), torch.zeros_like(c[:, 0])

    def matrix(*rows) -> Tensor:
        return torch.stack(rows, dim=-1).view(-1, 3, 3)

    x = matrix(one, zero, zero, zero, c[:, 0], -s[:, 0], zero, s[:, 0], c[:, 0])
    y = matrix(c[:, 1], zero, s[:, 1], zero, one, zero, -s[:, 1], zero, c[:, 1])
    z = matrix(c[:, 2], -s[:, 2], zero, s[:, 2], c[:, 2], zero, zero, zero, one)
    return z @ y @ x
