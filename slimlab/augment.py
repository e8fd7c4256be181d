"""Skeleton-aware augmentations (SLiM, arXiv 2603.10648, section 3.3): mirroring, bone scaling, rotation, noise.

Every function takes x (B, 3, T, V, M) in metres, works on the device of x and leaves absent people (all zero) at zero.
Mirroring and bone scaling are linear in the joints, rotation in the axes, so `skeleton_aware` applies a batch of different
draws as two batched matrix products, without branches.
"""

from __future__ import annotations

import torch
from torch import Tensor

from slimlab.skeleton import Skeleton

CENTRINGS = ("none", "first_frame", "every_frame")
Rows = tuple[int, Tensor]  # how many views the whole batch has, and which of them are at hand: several processes share a batch


def present(x: Tensor) -> Tensor:
    """(B, 1, T, 1, M) bool: where a person is there, which is where not all of the coordinates are zero."""
    return x.abs().sum(dim=1, keepdim=True).sum(dim=3, keepdim=True) != 0  # faster than any(), and exact: nothing cancels


def mirror(x: Tensor, skeleton: Skeleton) -> Tensor:
    """Negate the x axis and let left and right joints change places. Twice is the identity."""
    swapped = x[:, :, :, torch.from_numpy(skeleton.mirror_index).to(x.device)]
    return swapped * torch.tensor([-1.0, 1.0, 1.0], dtype=x.dtype, device=x.device).view(3, 1, 1, 1)


def scale_bones(x: Tensor, skeleton: Skeleton, factors: Tensor) -> Tensor:
    """Scale every bone by the factor of the part its joint belongs to; factors (B, parts), order of `skeleton.parts`.

    Bone directions and the root's path stay; bone lengths change by exactly the factor. The pose is rebuilt as a sum over
    each joint's ancestors, so index order does not matter. (The authors' code rebuilds in index order, which on Kinect v2
    moves 14 of 25 joints even at factor 1.)
    """
    return torch.einsum("bctvm,bwv->bctwm", x, _scaling(skeleton, factors.to(x)))


def rotate(x: Tensor, angles: Tensor) -> Tensor:
    """Turn about the x, then the y, then the z axis through the origin; angles (B, 3) rad."""
    return torch.einsum("bdc,bctvm->bdtvm", _rotation(angles.to(x)), x)


def jitter(x: Tensor, std: float | Tensor, generator: torch.Generator | None = None, rows: Rows | None = None) -> Tensor:
    """Add Gaussian noise of `std` metres, a number or one per clip (B,). Absent people stay absent.

    rows  see `skeleton_aware`
    """
    std = torch.as_tensor(std, dtype=x.dtype, device=x.device).view(-1, 1, 1, 1, 1)
    there = present(x)
    return x + _normal(x, generator, rows) * std * there


def center(x: Tensor, skeleton: Skeleton, how: str = "first_frame", origin: Tensor | None = None) -> Tensor:
    """Move people to the origin by their centre joint.

    how     "first_frame": where each person's centre joint is in the first frame that shows the person (the path is kept);
            "every_frame": in each frame (the path is lost); "none"
    origin  (B, 3): with "first_frame", this place instead
    Frames without the person stay zero. (The authors' code moves them to minus the origin, and takes the origin of a person
    who is late from an empty frame.) Raises ValueError for another `how`.
    """
    if how not in CENTRINGS:
        raise ValueError(f"centring '{how}' is unknown; choose one of {', '.join(CENTRINGS)}")
    if how == "none":
        return x
    there = present(x)
    middle = x[:, :, :, skeleton.center : skeleton.center + 1]  # (B, 3, T, 1, M)
    if how == "first_frame":
        if origin is not None:
            middle = origin.to(x).view(-1, 3, 1, 1, 1)
        else:
            first = there.float().argmax(dim=2, keepdim=True)  # (B, 1, 1, 1, M)
            middle = middle.gather(2, first.expand(-1, 3, -1, -1, -1))  # (B, 3, 1, 1, M)
    return torch.where(there, x - middle, x)


def skeleton_aware(
    x: Tensor,
    skeleton: Skeleton,
    generator: torch.Generator,
    probability: float = 0.5,
    scale: tuple[float, float] = (0.85, 1.15),
    angle: float | tuple[float, float, float] = 0.3,
    mirrors: bool = True,
    rows: Rows | None = None,
) -> Tensor:
    """Mirroring, bone scaling and rotation, each with `probability` and drawn anew for each of the B views.

    generator  a CPU generator: the same seed gives the same draws on every device
    scale      bounds of the limb factors; mirrored limbs share theirs
    angle      most radians about each axis
    mirrors    False where left and right are different classes (UTD-MHAD's swipes)
    rows       (n, which): x holds these rows of a batch of n; it is drawn for all n, so that a share is treated as in the whole
    """
    batch, joints = (len(x) if rows is None else rows[0]), len(skeleton)
    chance = torch.rand(3, batch, generator=generator) < probability
    groups = int(skeleton.part_groups.max()) + 1
    factors = scale[0] + (scale[1] - scale[0]) * torch.rand(batch, groups, generator=generator)
    factors = torch.where(chance[0, :, None], factors, 1.0)[:, skeleton.part_groups]  # (B, parts)
    limits = torch.as_tensor(angle).expand(3)
    angles = (2 * torch.rand(batch, 3, generator=generator) - 1) * limits * chance[1, :, None]
    if rows is not None:
        chance, factors, angles, batch = chance[:, rows[1]], factors[rows[1]], angles[rows[1]], len(x)

    whole = torch.eye(joints)  # a view that is not scaled is not rebuilt, which only a faulty rebuilding can tell (quirks.py)
    over_joints = torch.where(chance[0, :, None, None], _scaling(skeleton, factors), whole)  # (B, V, V)
    chance[2] &= mirrors
    mirrored = over_joints[:, torch.from_numpy(skeleton.mirror_index)]
    over_joints = torch.where(chance[2, :, None, None], mirrored, over_joints)
    over_axes = _rotation(angles)  # (B, 3, 3)
    sign = torch.tensor([-1.0, 1.0, 1.0]).expand(batch, 3)
    over_axes = over_axes * torch.where(chance[2, :, None], sign, 1.0)[:, None, :]

    over_joints, over_axes = over_joints.to(x), over_axes.to(x)
    people, frames = x.shape[4], x.shape[2]
    flat = x.permute(0, 1, 2, 4, 3).reshape(batch, 3 * frames * people, joints)
    flat = torch.bmm(flat, over_joints.transpose(1, 2))  # (B, 3*T*M, V)
    flat = torch.bmm(over_axes, flat.reshape(batch, 3, -1))  # (B, 3, T*M*V)
    return flat.view(batch, 3, frames, people, joints).permute(0, 1, 2, 4, 3)  # (B, 3, T, V, M)


def drop_axis(x: Tensor, chosen: Tensor) -> Tensor:
    """Set one axis to zero; chosen (B,) holds 0, 1, 2, or -1 for none. An extra of the second global view."""
    keep = chosen.to(x.device)[:, None] != torch.arange(3, device=x.device)  # (B, 3)
    return x * keep.view(-1, 3, 1, 1, 1)


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
