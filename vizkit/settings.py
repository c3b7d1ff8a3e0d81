"""Everything that can be set about an ascent, checked when it is set, so that a bad value changes nothing."""

import numbers
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor

from .bases import Basis, Pixels, as_basis
from .errors import VizkitError
from .regularization import Regularizer, none


class HalfAdam(torch.optim.Optimizer):
    """
    >>> vizkit.settings.HalfAdam([torch.zeros(1, 3)], lr=0.03).defaults["betas"]
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


Objective = Literal["score", "probability", "log_probability"]
Schedule = Literal["constant", "fading", "progress"]
OptimizerMaker = Callable[[list[Tensor]], torch.optim.Optimizer]

OBJECTIVES: tuple[Objective, ...] = ("score", "probability", "log_probability")
SCHEDULES: tuple[Schedule, ...] = ("constant", "fading", "progress")
# Each optimizer by name: its class, what else it is told, and the learning rate where none is given.
OPTIMIZERS: dict[str, tuple[type[torch.optim.Optimizer], dict[str, Any], float]] = {
    "ascent": (torch.optim.SGD, {}, 6.0),
    "momentum": (torch.optim.SGD, {"momentum": 0.9}, 1.0),
    "adam": (torch.optim.Adam, {}, 0.05),
    "nadam": (torch.optim.NAdam, {}, 0.05),
    "rmsprop": (torch.optim.RMSprop, {}, 0.05),
    "half_adam": (HalfAdam, {}, 0.035),
}


@dataclass(frozen=True)
class Settings:
    """
    >>> vizkit.settings.Settings(regularizer=vizkit.l2(1e-4)).learning_rate
    6.0

    The settings of an ascent; `vizkit.ascend` says what each means. They never change: `dataclasses.replace` makes
    others. Raises `VizkitError` for a value that cannot be.
    """

    regularizer: Regularizer = field(default_factory=none)
    steps: int = 200
    optimizer: str | OptimizerMaker = "ascent"
    optimizer_options: dict[str, Any] = field(default_factory=dict)
    learning_rate: float = None  # type: ignore[assignment]  # None: the optimizer's own
    schedule: Schedule = "constant"
    start: Any = "random"
    objective: Objective = "score"
    basis: Basis = field(default_factory=Pixels)

    def __post_init__(self) -> None:
        regularizer = self.regularizer
        if not isinstance(regularizer, Regularizer):
            hint = f" Call it: {getattr(regularizer, 'name', 'vizkit.l2')}(1e-4)." if callable(regularizer) else ""
            raise VizkitError(f"A regularizer is something like vizkit.l2(1e-4), not {regularizer!r}.{hint}")
        if not is_whole(self.steps) or self.steps < 0:
            raise VizkitError(f"steps must be a whole number from 0 up, not {self.steps!r}. Try 200.")
        if not callable(self.optimizer):
            _check_name("optimizer", self.optimizer, OPTIMIZERS)
        _check_name("objective", self.objective, OBJECTIVES)
        _check_name("schedule", self.schedule, SCHEDULES)
        taken = {"lr", "maximize", "params", "capturable", "differentiable"} & set(self.optimizer_options)
        if taken:
            raise VizkitError(f"vizkit sets {sorted(taken)} itself: not among optimizer_options.")
        rate = self.learning_rate
        if rate is None:  # the maker of an optimizer of one's own sets it there
            rate = 0.0 if callable(self.optimizer) else OPTIMIZERS[self.optimizer][2]
        elif not (isinstance(rate, numbers.Real) and (0 < rate <= 1e38 or (rate == 0 and callable(self.optimizer)))):
            raise VizkitError(f"The learning rate must be a finite number above 0, not {rate}. Try 1.")
        for name, value in (
            ("steps", int(self.steps)),
            ("learning_rate", float(rate)),
            ("basis", as_basis(self.basis)),
        ):
            object.__setattr__(self, name, value)

    def make_optimizer(self, parameters: Tensor) -> torch.optim.Optimizer:
        """A fresh optimizer, which climbs."""
        if callable(self.optimizer):
            return self.optimizer([parameters])
        maker, options, _ = OPTIMIZERS[self.optimizer]
        options = options | {"lr": self.learning_rate, "maximize": True}
        try:
            return maker([parameters], **(options | self.optimizer_options))
        except (TypeError, ValueError) as error:
            raise VizkitError(
                f"{self.optimizer} does not take the options {self.optimizer_options}: {error}."
            ) from error

    def learning_rate_at(self, step: int) -> float:
        """The learning rate of a step: constant, or fading to a fifth of it at the last."""
        if self.schedule != "fading":
            return self.learning_rate
        return self.learning_rate * (1 - 0.8 * step / max(self.steps - 1, 1))


def is_whole(value: Any) -> bool:
    """Whether it is an integer, of Python or numpy, and no truth value."""
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def _check_name(kind: str, name: Any, known: Any) -> None:
    if not isinstance(name, str) or name not in known:
        raise VizkitError(f'No {kind} "{name}". Known: {", ".join(known)}.')
