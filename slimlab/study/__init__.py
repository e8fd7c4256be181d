"""Studies: a question about a setting, answered by runs with several seeds, controls and intervals."""

from slimlab.study.sweep import StudyError, product, read, sweep

__all__ = ["StudyError", "product", "read", "sweep"]
