"""Looks inside the shipped weights `small` beside the same network untrained, on UI-PRMD, for docs/inside.md.

    python benchmarks/inside_table.py [--out docs/inside]

Odd subjects are the gallery, even ones are judged. Leaves attention, token PCA, token paths, prototypes, embeddings, and what
kNN loses without each part of the body, time step, head, layer and the registers (`analysis.ablate`), each with its CSV.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
import torch

import slimlab
from slimlab import analysis, data, evaluate, plot, pretrain
from slimlab._system.cache import replace_file
from slimlab.analysis import projection

EXERCISE = "standing shoulder abduction"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("docs/inside"))
    a = parser.parse_args()
    people = data.ui_prmd()
    train, test = data.split(people, "cross-subject")
    small = slimlab.pretrained("small", skeleton=people.skeleton)
    run = pretrain.pretrained_run()
    encoders = {"small": small, "untrained": evaluate.random_encoder(small.config, 0).eval()}
    clip = int((test.table["exercise"] == EXERCISE).to_numpy().argmax())
    some = test[np.sort(np.random.default_rng(0).permutation(len(test))[:400])]
    lines = []
    for name, encoder in encoders.items():
        look = analysis.inside(encoder, test, clip)
        figures = {
            "attention": plot.attention(look, "cls", layer=look.layers - 1, title=f"{name}: CLS, last layer"),
            "heads": plot.attention_heads(look, title=f"{name}: CLS, every head"),
            "token_pca": plot.token_pca(look, title=f"{name}: token PCA"),
            "token_paths": plot.token_paths(look, title=f"{name}: tokens through time"),
        }
        read = evaluate.features(encoder, some)
        found = projection.fit(read.x, method="tsne", labels=read.labels, metric="cosine")
        by = some.table["exercise"].to_numpy()
        figures["embedding"] = plot.embedding(found, read, by, title=f"{name}: t-SNE of CLS and mean token, by exercise")
        for kind, figure in figures.items():
            plot.save(figure, a.out / f"{kind}_{name}.png")
        far = analysis.attention_distances(encoder, some[:100])
        pca = analysis.token_pca(look.tokens[-1])
        tokens = look.tokens[-1, 0]  # (T', V, D)
        total = float((tokens - tokens.mean(dim=(0, 1))).square().sum())
        of_joint = float((tokens.mean(dim=0) - tokens.mean(dim=(0, 1))).square().sum()) * tokens.shape[0] / total
        of_step = float((tokens.mean(dim=1) - tokens.mean(dim=(0, 1))).square().sum()) * tokens.shape[1] / total
        even = analysis.uniform_distance(people.skeleton, look.steps)
        lines.append(
            {
                "encoder": name,
                "token variance: which joint": of_joint,
                "token variance: which moment": of_step,
                "token variance: joint and moment together": 1 - of_joint - of_step,
                "first three components": float(pca.explained.sum()),
                "attention: time steps, least head": float(far["steps"].min()),
                "attention: time steps, most": float(far["steps"].max()),
                "attention: time steps, spread evenly": even[1],
                "attention: bones, least head": float(far["hops"].min()),
                "attention: bones, most": float(far["hops"].max()),
                "attention: bones, spread evenly": even[0],
                "effective rank of features": analysis.rankme(read.x),
            }
        )
    for which, head in (("clips", "cls_head"), ("cells", "token_head")):
        networks = {"small": run.teacher, "untrained": _untrained(run)}
        for name, network in networks.items():
            store = some if which == "clips" else some[:40]
            found = analysis.prototypes(_fitting(network.encoder, people), getattr(network, head), store, kind=which)
            plot.save(plot.prototype_usage(found), a.out / f"prototypes_{which}_{name}.png")
            words = f"prototypes nearest to any of {'clips' if which == 'clips' else 'tokens'}"
            next(line for line in lines if line["encoder"] == name)[words] = int((found.usage() > 0).sum())
    numbers = pd.DataFrame(lines).set_index("encoder").T
    replace_file(a.out / "numbers.csv", lambda f: numbers.to_csv(f, float_format="%.4f"))
    print(numbers.round(3).to_string())
    lost = analysis.ablate(small, train[::4], test[::4], ["parts", "steps", "heads", "layers", "registers"])
    plot.save(plot.ablation(lost, title="UI-PRMD, exercise and correct: kNN loses"), a.out / "ablation.png")
    print(lost.round(3).to_string(index=False))
    classes = pd.DataFrame({e: _by_exercise(small, test[test.table["exercise"] == e]) for e in test.table["exercise"].unique()})
    replace_file(a.out / "occlusion_by_exercise.csv", lambda f: classes.T.to_csv(f, float_format="%.4f"))
    print(classes.T.round(3).to_string())


def _fitting(encoder, people):
    """The encoder on the body of these clips."""
    return (
        encoder if encoder.config.skeleton.names == people.skeleton.names else slimlab.weights.on_body(encoder, people.skeleton)
    )


def _untrained(run):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return pretrain.networks.Networks(run.config, run.teacher.encoder.config.skeleton).eval()


def _by_exercise(encoder, clips) -> pd.Series:
    """Mean change of the features with each part of the body hidden, and with as many random tokens."""
    found = analysis.occlude(encoder, clips[:40], by="parts").table().set_index("unit")
    return pd.concat([found["change"], pd.Series({"as many random tokens": found["control"].mean()})])


if __name__ == "__main__":
    main()
