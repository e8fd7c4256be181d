"""How long `import slimlab` takes beyond torch's own import, and what it brings along.

    python benchmarks/startup.py [--repeats 5]

The budget is 1.5 s. Each import runs in a fresh interpreter; torch alone, in turns with it, is the reference.
"""

import argparse
import subprocess
import sys

import numpy as np
from _report import report

TIMED = "import sys, time; b = time.perf_counter(); import torch; t = time.perf_counter(); {}; e = time.perf_counter(); "
TIMED += "print(t - b, e - t, len(sys.modules), *[m for m in {} if m in sys.modules])"
HEAVY = ("plotly", "ipywidgets", "umap", "sklearn", "matplotlib", "pandas")
CASES = {"torch alone": "pass", "slimlab": "import slimlab", "slimlab.widgets": "import slimlab.widgets"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    a = parser.parse_args()
    found = {name: [] for name in CASES}
    for _ in range(a.repeats):
        for name, text in CASES.items():
            command = [sys.executable, "-c", TIMED.format(text, HEAVY)]
            found[name].append(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())
    rows = []
    for name, runs in found.items():
        seconds = np.array([run[:2] for run in runs], dtype=float)
        rows.append(
            {
                "import": name,
                "torch, s": float(np.median(seconds[:, 0])),
                "beyond torch, s": float(np.median(seconds[:, 1])),
                "modules": int(runs[0][2]),
                "brings": " ".join(runs[0][3:]),
            }
        )
    report("startup", rows, f"median of {a.repeats} fresh interpreters; budget 1.5 s beyond torch")


if __name__ == "__main__":
    main()
