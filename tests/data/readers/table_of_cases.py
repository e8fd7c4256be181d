"""What becomes of every file in the folder of real cases, a line each.

python -m tests.data.readers.table_of_cases FOLDER
"""

import sys
import warnings
from pathlib import Path

from slimlab import data

LABELS = {"22_foreign_checkpoint", "23_tsne_identical_features", "24_windows_label_pkl", "25_widget_without_kernel"}  # no clips


def outcome(folder: Path) -> str:
    """What `data.open` gives for the folder's files, or the refusal's first words."""
    found = sorted(f for f in folder.rglob("*") if f.is_file() and f.suffix not in (".md", ".py"))
    if not found or folder.name in LABELS:
        return "no file of clips"
    inner = sorted(f for f in folder.iterdir() if f.is_dir())
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            store = data.open(inner[0] if inner else found[0])
        except data.DataError as error:
            return f"refused: {str(error).removeprefix(str(folder)).lstrip('/')[:100]}"
    flags = " ".join(sorted({f for text in store.table["flags"] for f in text.split()}))
    clips = f"{len(store)} clip{'s' * (len(store) > 1)}, {len(store[0].joints)} frames, {len(store.skeleton)} joints"
    return f"read: {clips}, {flags or 'no flags'}{'; warns' * bool(warned)}"


def table(folder: Path) -> dict[str, str]:
    """Case -> what becomes of it."""
    return {case.name: outcome(case) for case in sorted(folder.iterdir()) if case.is_dir()}


if __name__ == "__main__":
    for name, text in table(Path(sys.argv[1])).items():
        print(f"{name:28} {text}")
