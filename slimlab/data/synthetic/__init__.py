"""Synthetic motion: actions by forward kinematics, recorded by moving cameras."""

from slimlab.data.synthetic.clips import synthetic

__all__ = ["synthetic"]
