"""Run a script in several gloo processes, as torchrun starts them."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def torchrun(count: int, *command: str, **environment: str) -> subprocess.CompletedProcess:
    """`torchrun --nproc-per-node count command…`, one thread a process so that two of them round as one does."""
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}"]
    own = {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "TORCH_CPP_LOG_LEVEL": "ERROR"}
    return subprocess.run(
        [*launcher, *map(str, command)], capture_output=True, text=True, env=os.environ | own | environment, timeout=300
    )
