"""Splits: which clips train and which test.

NTU RGB+D protocols: Shahroudy et al. 2016 (https://arxiv.org/abs/1604.02808), Liu et al. 2019
(https://arxiv.org/abs/1905.04757). UTD-MHAD's authors train on odd subjects and test on even ones.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from slimlab.data.errors import DataError
from slimlab.data.store import ClipStore

NTU60 = frozenset([1, 2, 4, 5, 8, 9, 13, 14, 15, 16, 17, 18, 19, 25, 27, 28, 31, 34, 35, 38])
NTU120 = NTU60 | {45, 46, 47, 49, 50, *range(52, 60), 70, 74, 78, *range(80, 87), 89, *range(91, 96), 97, 98, 100, 103}
PROTOCOLS = (
    "cross-subject cross-view cross-setup ntu60-xsub ntu60-xview ntu120-xsub ntu120-xset ucla-xview pku-xview file".split()
)  # fmt: skip


def split(
    store: ClipStore,
    protocol: str = "cross-subject",
    train_subjects: Collection[int] | None = None,
    allow: str | Collection[str] = (),
) -> tuple[ClipStore, ClipStore]:
    """(train, test), two stores over the same arrays.

    cross-subject  `train_subjects` train, the others test; by default odd subjects train and even ones test
    cross-view     the camera with the lowest number tests, the others train (NTU: 2 and 3 train, 1 tests)
    cross-setup    even setups train, odd ones test
    ntu60-xsub, ntu60-xview, ntu120-xsub, ntu120-xset  the benchmarks' own lists
    ucla-xview     NW-UCLA: cameras 1 and 2 train, 3 tests
    pku-xview      PKU-MMD: the middle and right camera (2, 3) train, the left one (1) tests
    file           what the file itself says

    allow  "duplicates": the same coordinates may lie on both sides; "subjects": so may a subject where the file's own sides
           say so. (Cross-view and cross-setup share subjects by their definition.)

    Raises DataError where the protocol is unknown, its column is, one side would be empty, or the test side leaks.
    """
    allow = {allow} if isinstance(allow, str) else set(allow)
    if not allow <= {"duplicates", "subjects"}:
        raise DataError(f"allow is {', '.join(sorted(allow))}; it may hold duplicates, subjects")
    if protocol not in PROTOCOLS:
        raise DataError(f"protocol '{protocol}' is unknown; choose one of {', '.join(PROTOCOLS)}")
    if train_subjects is not None and protocol != "cross-subject":
        raise DataError(f"train_subjects goes with 'cross-subject', not with '{protocol}'")
    if protocol == "file":
        side = store.column("split")
        in_train, in_test = side == "train", side == "test"
        if not (in_train.any() and in_test.any()):
            raise DataError(f"{store.source}: has no train and test side of its own; choose another protocol")
        return checked(store[in_train], store[in_test], protocol, {"subjects"} - allow, allow)
    column = "camera" if "view" in protocol else "setup" if protocol in ("cross-setup", "ntu120-xset") else "subject"
    values = store.column(column)
    if (values < 0).any():
        name = store.column("clip")[int(np.argmax(values < 0))]
        raise DataError(
            f"{store.source}: clip '{name}' has no known {column}, so '{protocol}' cannot place it; "
            f"protocols that may fit: {', '.join(_possible(store)) or 'none'}"
        )
    in_train = {
        "cross-subject": lambda: np.isin(values, list(train_subjects)) if train_subjects is not None else values % 2 == 1,
        "cross-view": lambda: values != values.min(),
        "cross-setup": lambda: values % 2 == 0,
        "ntu60-xsub": lambda: np.isin(values, list(NTU60)),
        "ntu60-xview": lambda: np.isin(values, [2, 3]),
        "ucla-xview": lambda: np.isin(values, [1, 2]),
        "pku-xview": lambda: np.isin(values, [2, 3]),
        "ntu120-xsub": lambda: np.isin(values, list(NTU120)),
        "ntu120-xset": lambda: values % 2 == 0,
    }[protocol]()
    if in_train.all() or not in_train.any():
        empty = "test" if in_train.all() else "training"
        there = ", ".join(map(str, sorted(set(values.tolist()))[:20]))
        raise DataError(f"{store.source}: '{protocol}' leaves the {empty} side empty; {column}s here: {there}")
    return checked(store[in_train], store[~in_train], protocol, (), allow)


def checked(
    train: ClipStore, test: ClipStore, protocol: str, unseen: Collection[str] = (), allow: Collection[str] = ()
) -> tuple[ClipStore, ClipStore]:
    """(train, test) as given. Raises DataError where a clip's coordinates are on both sides, or a subject that must not be.

    unseen  {"subjects"} where no subject of the training side may test; allow  {"duplicates"} lets copies pass
    """
    first = {d: n for d, n in zip(train.recordings(), train.column("clip"), strict=True) if d}
    copies = [(first[d], n) for d, n in zip(test.recordings(), test.column("clip"), strict=True) if d in first]
    if copies and "duplicates" not in allow:
        raise DataError(
            f"{train.source}: '{protocol}' puts the same coordinates on both sides, {len(copies)} times: training clip "
            f"'{copies[0][0]}' is test clip '{copies[0][1]}'. Leave one of each out (data.report lists them under 'copies'), or "
            "say allow='duplicates'"
        )
    both = sorted((set(train.column("subject")) & set(test.column("subject"))) - {-1})
    if both and "subjects" in unseen:
        raise DataError(
            f"{train.source}: '{protocol}' has subjects on both sides ({', '.join(map(str, both[:10]))}); its figures would "
            "not be about new people. Choose 'cross-subject', or say allow='subjects'"
        )
    return train, test


def _possible(store: ClipStore) -> list[str]:
    known = {c: bool((store.column(c) >= 0).all()) for c in ("subject", "camera", "setup")}
    out = [p for p, c in (("cross-subject", "subject"), ("cross-view", "camera"), ("cross-setup", "setup")) if known[c]]
    return out + (["file"] if (store.column("split") != "").any() else [])
