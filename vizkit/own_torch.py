"""torch as vizkit computes under it, whatever a notebook has set for all of torch."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import torch


@contextmanager
def own_torch() -> Iterator[None]:
    """Gradients on, no autocast, float32, on the CPU unless said otherwise; afterwards all is as it was before."""
    usual, on_cpu = torch.get_default_dtype(), torch.get_default_device().type == "cpu"
    on_the_cpu = (
        nullcontext() if on_cpu else torch.device("cpu")
    )  # it costs a moment each operation: only where it has to
    no_autocast = torch.autocast("cpu", enabled=False), torch.autocast("cuda", enabled=False)
    try:
        torch.set_default_dtype(torch.float32)
        with torch.inference_mode(False), torch.enable_grad(), no_autocast[0], no_autocast[1], on_the_cpu:
            yield
    finally:
        torch.set_default_dtype(usual)
