"""torch as vizkit computes under it, whatever a notebook has set for all of torch."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch


@contextmanager
def own_torch() -> Iterator[None]:
    """Gradients on, no autocast, float32, on the CPU unless said otherwise; afterwards all is as it was before."""
    usual = torch.get_default_dtype()
    with ExitStack() as stack:
        for one in (torch.inference_mode(False), torch.enable_grad()):
            stack.enter_context(one)
        for kind in ("cpu", "cuda"):
            if torch.is_autocast_enabled(kind):
                stack.enter_context(torch.autocast(kind, enabled=False))
        if torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))
        if usual != torch.float32:
            stack.callback(torch.set_default_dtype, usual)
            torch.set_default_dtype(torch.float32)
        yield
