"""Studies: a question about a setting, answered by runs with several seeds, controls and intervals."""

from slimlab.study import paper
from slimlab.study.labels import from_scratch, label_curve
from slimlab.study.report import Report, best, compare, load, report, summary
from slimlab.study.sweep import StudyError, product, read, sweep

__all__ = [
    "Report",
    "StudyError",
    "best",
    "compare",
    "from_scratch",
    "label_curve",
    "load",
    "paper",
    "product",
    "read",
    "report",
    "summary",
    "sweep",
]
