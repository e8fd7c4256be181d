"""Collectives for training in several processes. Every function is a no-op in a single process.

Every process runs the same program on its shard of a batch. Inside `processes()` sums, nearest neighbours and Sinkhorn's
columns go over the whole batch. torchrun starts the processes: https://pytorch.org/docs/stable/elastic/run.html
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor


class PeerLost(RuntimeError):
    """Another process of the job is gone."""


PATIENCE = timedelta(minutes=30)  # that one process may keep the others waiting


def world_size() -> int:
    """The number of processes; 1 outside `processes`."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """The number of this process, from 0; rank 0 alone writes files and prints."""
    return dist.get_rank() if world_size() > 1 else 0


def started() -> int:
    """How many processes torchrun started, joined or not yet."""
    return int(os.environ.get("WORLD_SIZE", "1"))


@contextmanager
def processes(device: torch.device | str | None = None) -> Iterator[torch.device | None]:
    """Join the processes that torchrun started; gives this one's device. Without torchrun it gives `device` and joins nothing.

    On CUDA each process of a machine takes the GPU of its local number (nccl); on the CPU the cores are shared (gloo), which
    also carries what GPU processes keep on the CPU.
    Raises ValueError where a machine has fewer GPUs than processes.
    """
    if started() < 2 or world_size() > 1:
        yield None if device is None else torch.device(device)
        return
    kind = torch.device(device).type if device is not None else "cuda" if torch.cuda.is_available() else "cpu"
    own = torch.device(kind)
    if kind == "cuda":
        local = int(os.environ["LOCAL_RANK"])
        if local >= torch.cuda.device_count():
            raise ValueError(f"process {local} of this machine finds {torch.cuda.device_count()} GPUs; start one process a GPU")
        own = torch.device("cuda", local)
        torch.cuda.set_device(own)
    dist.init_process_group("cpu:gloo,cuda:nccl" if kind == "cuda" else "gloo", timeout=PATIENCE)
    try:
        yield own
    finally:
        dist.destroy_process_group()


def shard(count: int, of: int | None = None, which: int | None = None) -> slice:
    """The rows of `count` that belong to this process: contiguous, in the order of the ranks, and as even as possible."""
    of, which = world_size() if of is None else of, rank() if which is None else which
    each, more = divmod(count, of)
    start = which * each + min(which, more)
    return slice(start, start + each + (which < more))


def all_reduce_sum(x: Tensor) -> Tensor:
    """Sum over the processes, without a gradient."""
    return _reduced(x, "sum")


def all_reduce_max(x: Tensor) -> Tensor:
    """Maximum over the processes, without a gradient."""
    return _reduced(x, "max")


def _reduced(x: Tensor, how: str) -> Tensor:
    if world_size() == 1:
        return x
    out = x.detach().clone()
    dist.all_reduce(out, dist.ReduceOp.SUM if how == "sum" else dist.ReduceOp.MAX)
    return out


@contextmanager
def together() -> Iterator[None]:
    """Raises PeerLost where, in the body, another process turns out to be gone."""
    try:
        yield
    except RuntimeError as error:
        if world_size() > 1 and (isinstance(error, dist.DistError) or "gloo" in str(error).lower()):
            raise PeerLost(
                f"another process of this job has ended ({str(error).splitlines()[0]}); its own output says why. The "
                "checkpoint holds the run's last step: start the same command again, and it resumes from there"
            ) from error
        raise


def barrier() -> None:
    """Wait until every process has reached this call."""
    if world_size() > 1:
        dist.barrier()


def all_gather(x: Tensor) -> Tensor:
    """(n, …) of every process, in their order: (sum of n, …). Every process may bring another n.

    With a gradient: where each process then computes the same loss, its rows get `world_size()` times that loss's gradient, which
    the mean over processes that DistributedDataParallel takes turns into the loss's own.
    """
    return x if world_size() == 1 else _Gather.apply(x)  # pyright: ignore[reportReturnType]


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        counts = torch.zeros(world_size(), dtype=torch.long, device=x.device)
        counts[rank()] = len(x)
        ctx.counts = all_reduce_sum(counts).tolist()
        most = x.new_zeros(max(ctx.counts), *x.shape[1:])  # collectives want one size
        most[: len(x)] = x
        parts = [torch.empty_like(most) for _ in ctx.counts]
        dist.all_gather(parts, most)
        return torch.cat([part[:n] for part, n in zip(parts, ctx.counts, strict=True)])

    @staticmethod
    def backward(ctx, *gradients: Tensor) -> Tensor:
        return all_reduce_sum(gradients[0].contiguous()).split(ctx.counts)[rank()]
