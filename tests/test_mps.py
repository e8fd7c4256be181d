"""An Apple GPU with the oldest torch that pyproject.toml allows: every operation that reaches it has a kernel there.

No such device is needed: operations are recorded on the CPU and looked up in torch's own table of kernels.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torchgen
import yaml
from torch.utils._python_dispatch import TorchDispatchMode

from slimlab import analysis, evaluate, weights
from slimlab.evaluate.rank import rankme
from slimlab.pretrain import PRESETS
from slimlab.pretrain.trainer import Trainer

TABLE = Path(torchgen.__file__).parent / "packaged" / "ATen" / "native" / "native_functions.yaml"
EVERYWHERE = {"CompositeImplicitAutograd", "CompositeExplicitAutograd", "CompositeExplicitAutogradNonFunctional"}
# kernels that came to MPS after torch 2.6: pull requests 147914 (2.7), 172994 and 174062 (2026) of pytorch/pytorch
LATER = ("special_entr", "special_log_ndtr", "special_ndtri", "cauchy_")
# chosen for the CPU alone; MPS has its own form of attention
OF_THE_CPU = ("_scaled_dot_product_flash_attention_for_cpu", "_scaled_dot_product_flash_attention_for_cpu_backward")


class Recorded(TorchDispatchMode):
    """Names of the operations inside, and of those that gave float64, which MPS does not have."""

    def __init__(self):
        super().__init__()
        self.names, self.doubles = set(), set()

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        out = operation(*args, **(kwargs or {}))
        if operation.namespace == "aten":
            name = operation._schema.name.removeprefix("aten::")
            self.names.add(name + (f".{operation._overloadname}" if operation._overloadname != "default" else ""))
            for value in out if isinstance(out, tuple | list) else (out,):
                if isinstance(value, torch.Tensor) and value.dtype == torch.float64:
                    self.doubles.add(name)
        return out


@pytest.fixture(scope="module")
def kernels():
    """Operation -> the device keys that it has kernels for, as torch declares them."""
    entries = {e["func"].split("(")[0]: e for e in yaml.safe_load(TABLE.read_text())}

    def keys(name):
        entry = entries[name]
        if "structured_delegate" in entry:
            return keys(entry["structured_delegate"])
        return {key.strip() for line in entry.get("dispatch", {"CompositeImplicitAutograd": 0}) for key in line.split(",")}

    return {name: keys(name) for name in entries}


def missing(names, kernels) -> set[str]:
    """Those that an Apple GPU with torch 2.6 cannot compute."""
    known = {n for n in names if n.split(".")[0] not in OF_THE_CPU}
    return {n for n in known if not kernels[n] & (EVERYWHERE | {"MPS"}) or n.split(".")[0] in LATER}


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_step_of_pre_training(synthetic, kernels, precision):
    trainer, clips = Trainer(replace(PRESETS["tiny"], precision=precision), synthetic.skeleton), np.arange(8)
    views = trainer.sampler(trainer.config, synthetic, clips, 0)  # drawn on the CPU, in float64, whatever the device
    trainer.sampler = lambda *_: views
    trainer.step(synthetic, clips, 0)  # rotary tables are computed on the CPU and kept
    with Recorded() as found:
        trainer.step(synthetic, clips, 1)
    assert len(found.names) > 100 and {"_fused_adamw_", "xlogy.Tensor"} <= found.names
    assert not missing(found.names, kernels)
    assert found.doubles <= {"_to_copy", "mul", "round"}  # counts of masked tokens, on the CPU


def test_evaluation_and_a_look_inside(synthetic, kernels):
    encoder, store = evaluate.random_encoder(weights.pretrained("tiny").config), synthetic[:24]
    evaluate.features(encoder, store, cache=None)
    with Recorded() as found:
        x = evaluate.features(encoder, store, pool="time+part", cache=None).x
        rankme(x)
        analysis.attention_distances(encoder, store)
    assert not missing(found.names, kernels) and not found.doubles


def test_it_finds_what_is_missing(kernels):
    with Recorded() as found:
        torch.special.entr(torch.ones(2)) + torch.ones(2).double()
        torch.geqrf(torch.ones(2, 2))
    assert missing(found.names, kernels) == {"special_entr", "geqrf"} and "_to_copy" in found.doubles
