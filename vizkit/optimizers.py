"""The optimizer of our own."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor


class HalfAdam(torch.optim.Optimizer):
    """
    >>> vizkit.optimizers.HalfAdam([torch.zeros(1, 3)], lr=0.03).defaults["betas"]
    (0.5, 0.99)

    Adam that divides each number's step by the geometric mean of its own size and the whole image's, so that strong
    frequencies keep part of their lead: whole shapes before texture. It is Padam (Chen & Gu 2018, arXiv 1806.06763) at
    power 1/4, times the same power of the image's mean. Each image of a batch, along the first dimension, is alone.
    """

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float = 0.035,
        betas: tuple[float, float] = (0.5, 0.99),
        maximize: bool = False,
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "maximize": maximize})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """One step, from the gradients as they are."""
        for group in self.param_groups:
            first, second = group["betas"]
            sign = 1 if group["maximize"] else -1
            for parameter in group["params"]:
                state, gradient = self.state[parameter], parameter.grad
                if not state:
                    state.update(step=0, mean=torch.zeros_like(parameter), square=torch.zeros_like(parameter))
                state["step"] += 1
                state["mean"].mul_(first).add_(gradient, alpha=1 - first)
                state["square"].mul_(second).addcmul_(gradient, gradient, value=1 - second)
                mean = state["mean"] / (1 - first ** state["step"])
                square = state["square"] / (1 - second ** state["step"])
                whole = square.flatten(1).mean(dim=1).reshape(-1, *[1] * (square.ndim - 1))
                parameter.add_(mean / ((square * whole) ** 0.25 + 1e-12), alpha=sign * group["lr"])
