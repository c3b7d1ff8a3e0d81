"""torch as vizkit computes under it, whatever a notebook has set for all of torch."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

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
