"""Synthetic motion: actions by forward kinematics, recorded by moving cameras."""

from slimlab.data.synthetic.clips import synthetic
from slimlab.data.synthetic.varied import varied

__all__ = ["synthetic", "varied"]
