"""Make the page "SLiM in your browser", one file: python notebooks/browser_page.py OUT.html [--weights small] [--runtime FOLDER]

The encoder runs in the reader's browser, by ONNX Runtime Web: its files come from npm when the page is made, and go into the page
with the weights, the clips and the explorers' canvases, so that it opens from a disk without a server or a network. The clips are
UI-PRMD's, of the package. The masks are slimlab/masking.py in JavaScript (web/masks.js).
"""

import argparse
import base64
import gzip
import hashlib
import json
import shutil
import subprocess
import tarfile
import tempfile
import warnings
from pathlib import Path

import jinja2
import numpy as np
import torch
from torch import Tensor, nn

import slimlab
from slimlab import data, evaluate, pretrain
from slimlab._system.cache import replace_file
from slimlab.data import ClipStore
from slimlab.encoder import Encoder
from slimlab.losses import PrototypeHead
from slimlab.masking import STRATEGIES
from slimlab.plot import shaded
from slimlab.plot.masks import TUBES
from slimlab.plot.scene import by_side
from slimlab.plot.style import PALETTE
from slimlab.pretrain.networks import Networks
from slimlab.weights import on_body
from slimlab.weights.exporting import quiet_exporter

HERE = Path(__file__).parent
WEB = HERE / "web"
WIDGETS = Path(slimlab.__file__).parent / "widgets"
RUNTIME = "onnxruntime-web@1.30.0"
SHA256 = {  # of its files in dist/
    "ort.wasm.bundle.min.mjs": "11e64bd8ffe11bd1a2a2f0d6275fdfbbba7262f0b76b99b53d228a8a22ef3d90",
    "ort-wasm-simd-threaded.wasm": "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2",
}
FILES = tuple(SHA256)
UNIT = 1e-4  # meters; coordinates are kept as 16-bit integers of it
EXERCISES = 10
COLORS = (*PALETTE[:6], "#882255", "#000000", "#999933", "#AA4499")  # of exercises; the last ones by Paul Tol


class Looking(nn.Module):
    """What the page asks of a network: one person's clip x (1, 3, T, V, 1) and mask (1, 1, T/8, V) -> CLS (D,), tokens
    (T/8 * V * D,), attention (layers * heads * N * N,), and the token head's logits (T/8 * V * K,)."""

    def __init__(self, encoder: Encoder, head: PrototypeHead) -> None:
        super().__init__()
        self.encoder, self.head = encoder, head

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, ...]:
        out = self.encoder(x, mask=mask, return_intermediates=True)
        attention = torch.cat([i.attention.flatten() for i in out.intermediates or []])
        return out.cls.flatten(), out.tokens.flatten(), attention, self.head(out.tokens).flatten()


def main() -> None:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--weights", default="small", help="shipped weights that came with their run")
    parser.add_argument("--runtime", type=Path, help=f"a folder that has {' and '.join(FILES)}; None: {RUNTIME} from npm")
    args = parser.parse_args()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "joints without a counterpart")  # UI-PRMD's toes and collars, known
        write(args.out, args.weights, args.runtime)
    print(f"open {args.out} in a browser ({args.out.stat().st_size / 1e6:.1f} MB)")


def write(out: Path, weights: str = "small", runtime: Path | None = None, course: str = "") -> None:
    """Write the page to `out`; course: the address of the course's index, beside it. RuntimeError: npm is missing, or what it
    gave is not the runtime."""
    code, wasm = (runtime_file(name, runtime) for name in FILES)
    modules = {name: (WEB / f"{name}.js").read_bytes() for name in ("masks", "network", "page")}
    shared = (WIDGETS / "canvas.js").read_bytes()
    modules |= {name: shared + (WIDGETS / f"{name}.js").read_bytes() for name in ("stage", "cells")}
    modules |= {"canvas": shared, "ort": code}
    parts = {
        "code": {name: packed(text) for name, text in modules.items()},
        "wasm": packed(wasm),
        "content": packed(json.dumps(content(weights)).encode()),
    }
    style = (WEB / "slim.css").read_text(encoding="utf-8") + (WIDGETS / "stage.css").read_text(encoding="utf-8")
    template = jinja2.Environment(loader=jinja2.FileSystemLoader(WEB), undefined=jinja2.StrictUndefined, autoescape=True)
    page = template.get_template("slim.html").render(style=style, parts=json.dumps(parts), course=course, **words(weights))
    replace_file(out, lambda f: f.write(page.encode()))


def words(weights: str) -> dict[str, str]:
    """What the page says of itself."""
    run = pretrain.pretrained_run(weights)
    count = sum(p.numel() for p in run.teacher.encoder.parameters())
    about = (
        f"The weights {weights} ({count:,} numbers) were trained on synthetic motion alone, without labels; the people are "
        "recordings that the network never saw."
    )
    note = (
        "People: UI-PRMD (Vakanski et al. 2018), Kinect skeletons of ten rehabilitation exercises, each done well and badly. The "
        "map shows CLS and mean token in the plane of their first two principal components; neighbors are by cosine, of other "
        "people alone."
    )
    return {"about": about, "note": note}


def content(weights: str) -> dict:
    """Clips, networks, features of all clips and colors, as JSON takes them."""
    run = pretrain.pretrained_run(weights)
    store = data.ui_prmd()
    body, frames = store.skeleton, run.teacher.encoder.config.frames
    networks = {
        "trained": {"teacher": run.teacher, "student": run.student},
        "untrained": {"teacher": untrained(run)},
    }
    titles = {"trained": f"{weights}: trained", "untrained": "the same network, untrained"}
    said = {"trained": "", "untrained": "An untrained network asks itself; compare it with the trained one."}
    given = {}
    for name, each in networks.items():
        encoder = on_body(each["teacher"].encoder, body).eval()
        given[name] = {
            "title": titles[name],
            "prototypes": said[name],
            "networks": {who: encoded(onnx(n, store)) for who, n in each.items()},
            **places(encoder, store),
        }
    config = run.teacher.encoder.config
    table = store.table
    return {
        "frames": frames,
        "joints": len(body),
        "patch": config.patch_frames,
        "steps": frames // config.patch_frames,
        "scale": config.input_scale,
        "layers": config.depth,
        "heads": config.heads,
        "first": 1 + config.registers,
        "unit": UNIT,
        "body": {
            "names": list(body.names),
            "parts": {part: list(joints) for part, joints in body.parts.items()},
            "bones": [list(bone) for bone in body.bones],
            "ends": [j for j in range(len(body)) if j not in body.parents],
            "center": body.center,
            "sides": by_side(body)[0].tolist(),
        },
        "clips": clips(store, frames),
        "gallery": {
            "label": table.label.tolist(),
            "subject": table.subject.tolist(),
            "names": list(store.label_names),
            "exercise": [label % EXERCISES for label in range(len(store.label_names))],
        },
        "exercises": list(store.label_names[:EXERCISES]),
        "colors": list(COLORS),
        "tubes": list(TUBES),
        "viridis": shaded(np.linspace(0, 1, 17), (0, 1)).tolist(),
        "strategies": list(STRATEGIES),
        "weights": given,
    }


def untrained(run: pretrain.Run) -> Networks:
    """The run's network as it might have begun, of seed 0: the control."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Networks(run.config, run.teacher.encoder.config.skeleton).eval()


def clips(store: ClipStore, frames: int) -> list[dict]:
    """One clip of each class, of different people: its test view in whole units."""
    chosen = []
    for label in range(len(store.label_names)):
        rows = np.flatnonzero(store.labels == label)
        chosen.append(int(rows[len(rows) * (label % EXERCISES) // EXERCISES]))
    x, _, seen = data.test_view(store, chosen, frames)
    assert seen[..., 0].all(), "the page knows no unseen joints"
    assert x[..., 0].abs().max() < UNIT * 2**15, "a coordinate is beyond 16 bits; take a larger UNIT"
    whole = (x[..., 0].permute(0, 2, 3, 1) / UNIT).round().short().numpy()  # (C, T, V, 3)
    seconds = store.table.frames.to_numpy()[chosen] / (store.fps or 30.0)
    return [
        {
            "row": int(i),
            "label": int(store.labels[i]),
            "subject": int(store.table.subject[i]),
            "fps": frames / float(s),
            "joints": encoded(each.tobytes()),
        }
        for i, s, each in zip(chosen, seconds, whole, strict=True)
    ]


def onnx(networks: Networks, store: ClipStore) -> bytes:
    """The network as `Looking`, on this store's body."""
    encoder = on_body(networks.encoder, store.skeleton)
    config = encoder.config
    steps, joints = config.frames // config.patch_frames, len(store.skeleton)
    example = torch.zeros(1, 3, config.frames, joints, 1), torch.zeros(1, 1, steps, joints, dtype=torch.bool)
    with quiet_exporter():
        program = torch.onnx.export(
            Looking(encoder, networks.token_head).eval(),
            example,
            input_names=["x", "mask"],
            output_names=["cls", "tokens", "attention", "logits"],
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    model = program.model_proto
    for part in (
        model,
        model.graph,
        *model.graph.node,
        *model.graph.initializer,
    ):  # the exporter's notes, with paths of this machine
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    return model.SerializeToString(deterministic=True)


@torch.inference_mode()
def places(encoder: Encoder, store: ClipStore) -> dict:
    """Features of all clips; their plane; the colors' axes of tokens."""
    x = evaluate.features(encoder, store, cache=None).x[:, : 2 * encoder.config.width]  # (N, F): the first person
    mean = x.mean(dim=0)
    axes = torch.linalg.svd(x - mean, full_matrices=False).Vh[:2]  # (2, F)
    some = np.arange(0, len(store), 20)
    given = evaluate.inputs(encoder, store, some)
    tokens = encoder(given.x, people=given.people, seen=given.seen).tokens[:, 0].flatten(0, 2)  # (tokens, D)
    middle = tokens.mean(dim=0)
    colors = torch.linalg.svd(tokens - middle, full_matrices=False).Vh[:3]  # (3, D)
    seen = (tokens - middle) @ colors.T  # (tokens, 3)
    low, high = torch.quantile(seen, torch.tensor([0.02, 0.98]), dim=0)
    return {
        "features": encoded(x.numpy().astype("<f4").tobytes()),
        "xy": encoded(((x - mean) @ axes.T).numpy().astype("<f4").tobytes()),
        "mean": mean.tolist(),
        "axes": axes.tolist(),
        "rgb": {"mean": middle.tolist(), "axes": colors.tolist(), "low": low.tolist(), "high": high.tolist()},
    }


def runtime_file(name: str, folder: Path | None) -> bytes:
    """One of ONNX Runtime Web's files, of a folder or of npm's package, which is kept beside other caches."""
    if folder is not None:
        return (folder / name).read_bytes()
    kept = HERE.parent / "out" / "npm" / RUNTIME
    if not (kept / name).exists():
        if shutil.which("npm") is None:
            raise RuntimeError(f"the page needs {RUNTIME}: install npm, or give a folder with its dist files as --runtime")
        with tempfile.TemporaryDirectory() as place:
            done = subprocess.run(["npm", "pack", "--silent", RUNTIME], cwd=place, capture_output=True, text=True)
            found = list(Path(place).glob("*.tgz"))
            if done.returncode or not found:
                raise RuntimeError(f"npm pack {RUNTIME} failed: {done.stderr.strip()[-500:]}")
            kept.mkdir(parents=True, exist_ok=True)
            with tarfile.open(found[0]) as archive:
                for wanted in FILES:
                    member = archive.extractfile(f"package/dist/{wanted}")
                    if member is None:
                        raise RuntimeError(f"{RUNTIME} has no dist/{wanted}")
                    content = member.read()
                    replace_file(kept / wanted, lambda f, content=content: f.write(content))
    found = (kept / name).read_bytes()
    if hashlib.sha256(found).hexdigest() != SHA256[name]:
        raise RuntimeError(f"{kept / name} is not the file of {RUNTIME}; delete {kept} and make the page again")
    return found


def packed(content: bytes) -> str:
    """Compressed, as text; the same text for the same content."""
    return encoded(gzip.compress(content, mtime=0))


def encoded(content: bytes) -> str:
    return base64.b64encode(content).decode()


if __name__ == "__main__":
    main()
