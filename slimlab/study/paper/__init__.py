"""The paper's tables: what was published, and the same question asked of slimlab at any scale.

"Less is More: Compact-Token Masked Feature Prediction for Skeleton Representation Learning", NeurIPS 2026 (arXiv 2603.10648).
`published` gives the printed figures of tables 1 to 5 and 7 to 11 (those of 8 are in 3); `run` trains and evaluates the rows of
those in `TRAINED`, or judges given weights. Table 3 is counted: `slimlab.analysis.cost.table`.
"""

from slimlab.study.paper.running import Comparison, Part, planned, run
from slimlab.study.paper.tables import TABLES, TRAINED, Table, accuracies, published

__all__ = ["TABLES", "TRAINED", "Comparison", "Part", "Table", "accuracies", "planned", "published", "run"]
