"""Small files that unpack to, or speak of, far more than they hold; each opened and converted in this one process.

    python tests/data/readers/bombs.py FOLDER

Exit status 1 where one is anything but refused, or the process grows by more than 1 GB.
"""

import io
import resource
import sys
import zipfile
from pathlib import Path

import numpy as np

from slimlab import data
from slimlab.data.readers import files

folder, size = Path(sys.argv[1]), files.LIMIT


def header(shape, descr):
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": descr, "fortran_order": False, "shape": shape})
    return file.getvalue()


def zipped(name, members):
    with zipfile.ZipFile(folder / name, "w", zipfile.ZIP_DEFLATED) as z:
        for member, (start, unit, total) in members.items():
            with z.open(member, "w", force_zip64=True) as f:
                f.write(start)
                block = unit * (1 + (1 << 20) // max(1, len(unit)))
                while total > 0:
                    f.write(block[:total])
                    total -= len(block)


kinds = {
    "numbers": {"0002-L.txt": (b"0 " * 150 + b"\n", b"0 ", size - 400)},
    "more": {"0002-L.txt": (b"0 " * 150 + b"\n", b"0 ", size + 1)},
    "lines": {"S001C001P001R001A001.skeleton": (b"9\n", b"1\n", size - 2)},
    "bodies": {"S001C001P001R001A001.skeleton": (b"1\n9999999\n", b"1 0\n25\n" + b"0 0 0 \n" * 25, size - 99)},
    "lists": {"a01_s01_e00_v01.json": (b'{"skeletons": [', b"[],", size - 20)},
    "nested": {"a01_s01_e00_v01.json": (b'{"skeletons": ', b"[", size - 20)},
    "joints": {"a.bvh": (b"HIERARCHY ROOT a { CHANNELS 1 Xposition ", b"JOINT a { ", size - 99)},
    "frames": {
        "a.bvh": (
            b"HIERARCHY ROOT a { CHANNELS 1 Xposition "
            + b"".join(b"JOINT j%d { }" % i for i in range(900))
            + b" } MOTION Frames: 30000000 Frame Time: 1\n",
            b"0 ",
            60_000_000,
        )
    },
    "mat": {"a1_s1_t1_skeleton.mat": (b" " * 126 + b"IM", b"\0", size - 128)},
}
for name, members in kinds.items():
    zipped(f"{name}.zip", members)
long, wide = 1 << 31, 1 << 27
zipped(
    "clips.npz",
    {"frame_offsets.npy": (header((long // 8,), "<i8"), b"\0", long), "joints.npy": (header((0, 2, 3), "<f4"), b"", 0)},
)
zipped(
    "one.npz",
    {
        "joints.npy": (header((long // 24, 2, 3), "<f4"), b"\0", long // 24 * 24),
        "frame_offsets.npy": (header((2,), "<i8"), b"\0", 16),
    },
)
zipped(
    "people.npz",
    {
        "joints.npy": (header((1, wide // 24, 2, 3), "<f4"), b"\0", wide // 24 * 24),
        "frame_offsets.npy": (header((2,), "<i8"), b"\0", 16),
    },
)
zipped(
    "ntu.npz",
    {
        "x_train.npy": (header((1, wide // 600, 150), "<f4"), b"\0", wide // 600 * 600),
        "y_train.npy": (header((1, 2), "<f8"), b"\0", 16),
    },
)
(folder / "wide.csv").write_text(
    "clip,frame,person,"
    + ",".join(f"j{i}_{a}" for i in range(20) for a in "xyz")
    + "\n"
    + "".join(f"c,{f},{p}" + ",1" * 60 + "\n" for f, p in ((0, 0), (999999, 63)))
)
tree = "clip,frame,person,joint,parent,x,y,z\n" + "".join(
    f"c,{f},{p},j{j},{'j0' if j else ''},1,1,1\n" for f, p in ((0, 0), (999_999, 1)) for j in range(900)
)
(folder / "long.csv").write_text(tree)
(folder / "stack.pkl").write_bytes(b"\x80\x04" + b"]" * 40_000_000 + b".")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
there = sorted(p.name for p in folder.iterdir())
for name in there:
    for use in (data.open, lambda p: data.convert(p, folder / "store", progress=False)):
        try:
            use(folder / name)
            print("READ", name)
        except data.DataError as error:
            assert name in str(error), error
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(f"{name} {grown:.0f} MB {resource.getrusage(resource.RUSAGE_SELF).ru_utime:.1f} s")
    assert grown < 1024, (name, grown)
assert sorted(p.name for p in folder.iterdir()) == there
print("bounded")
