"""torch as vizkit computes under it, whatever a notebook has set for all of torch."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch


@contextmanager
def own_torch() -> Iterator[None]:
    """Gradients on, no autocast, float32, on the CPU unless said otherwise; afterwards all is as it was before."""
    usual, elsewhere = torch.get_default_dtype(), torch.get_default_device().type != "cpu"
    # A device mode costs a moment in every operation: only where it has to be.
    device = torch.device("cpu") if elsewhere else nullcontext()
    cpu, cuda = torch.autocast("cpu", enabled=False), torch.autocast("cuda", enabled=False)
    try:
        torch.set_default_dtype(torch.float32)
        with torch.inference_mode(False), torch.enable_grad(), cpu, cuda, device:
            yield
    finally:
        torch.set_default_dtype(usual)


@contextmanager
def in_threads(count: Any) -> Iterator[None]:
    """As many threads of torch on the CPU as a picture was made with, where there are as many; None: as it is."""
    usual = torch.get_num_threads()
    torch.set_num_threads(min(count or usual, os.cpu_count() or usual))
    try:
        yield
    finally:
        torch.set_num_threads(usual)
