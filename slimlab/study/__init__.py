"""Studies: a question about a setting, answered by runs with several seeds, controls and intervals."""

from slimlab.study.report import Report, compare, report, summary
from slimlab.study.sweep import StudyError, product, read, sweep

__all__ = ["Report", "StudyError", "compare", "product", "read", "report", "summary", "sweep"]
