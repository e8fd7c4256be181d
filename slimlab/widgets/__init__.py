"""Explorers for JupyterLab and Notebook. What each shows is a plain function of `slimlab.plot` first."""

from slimlab.widgets.stage import Stage

__all__ = ["Stage"]
