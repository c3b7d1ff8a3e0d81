"""Everything that can be set about an ascent, checked when it is set, so that a bad value changes nothing."""

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import torch
from torch import Tensor

from .bases import Basis, Pixels, as_basis
from .errors import VizkitError, check_name, is_finite, is_whole
from .regularization import Kind, Regularizer, none

Some = TypeVar("Some", bound="Settings")

OBJECTIVES = ("score", "probability", "log_probability")
SCHEDULES = ("constant", "fading", "progress")
LIVE = ("regularizer", "learning_rate", "objective", "steps")  # the settings that may be turned while an ascent runs


class HalfAdam(torch.optim.Optimizer):
    """
    >>> vizkit.settings.HalfAdam([torch.zeros(1, 3)], lr=0.03).defaults["betas"]
    (0.5, 0.99)

    Adam that divides each number's step by the geometric mean of its own size and the whole image's, so that strong
    frequencies keep part of their lead: whole shapes before texture. It is Padam (Chen & Gu 2018, arXiv 1806.06763) at
    power 1/4, times the same power of the image's mean. Each image of a batch, along the first dimension, is alone.
    """

    def __init__(self, params: Iterable[Tensor], lr: float = 0.035, betas: tuple[float, float] = (0.5, 0.99)) -> None:
        super().__init__(params, {"lr": lr, "betas": betas})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """One step, from the gradients as they are."""
        for group in self.param_groups:
            first, second = group["betas"]
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
                parameter.add_(mean / ((square * whole) ** 0.25 + 1e-12), alpha=-group["lr"])


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

    The settings of an ascent; `vizkit.ascend` says what each means. They never change: `but` makes others. Raises
    `VizkitError` for a value that cannot be. The list of these fields is the one list of settings: the keywords of
    `vizkit.ascend`, the knobs of the Explorer, and what is written into files and code all follow it.
    """

    regularizer: Regularizer = field(default_factory=none)
    steps: int = 200
    optimizer: str | Callable[[list[Tensor]], torch.optim.Optimizer] = "ascent"
    optimizer_options: dict[str, Any] = field(default_factory=dict)
    learning_rate: float = None  # type: ignore[assignment]  # None: the optimizer's own
    schedule: str = "constant"
    start: Any = "random"
    objective: str = "score"
    basis: Basis = field(default_factory=Pixels)

    def __post_init__(self) -> None:
        regularizer = none() if self.regularizer is None else self.regularizer
        if not isinstance(regularizer, Regularizer):
            hint = f" Call it: {regularizer.name}({regularizer.default:g})." if isinstance(regularizer, Kind) else ""
            raise VizkitError(f"A regularizer is something like vizkit.l2(1e-4), not {regularizer!r:.200}.{hint}")
        if not is_whole(self.steps) or self.steps < 0:
            raise VizkitError(f"steps must be a whole number from 0 up, not {self.steps!r}. Try 200.")
        rate = self.learning_rate
        if not callable(self.optimizer):
            check_name("optimizer", self.optimizer, OPTIMIZERS)
            rate = OPTIMIZERS[self.optimizer][2] if rate is None else rate
        check_name("objective", self.objective, OBJECTIVES)
        check_name("schedule", self.schedule, SCHEDULES)
        options = self.optimizer_options or {}
        if not isinstance(options, dict):
            raise VizkitError(f'optimizer_options are like {{"betas": (0.5, 0.99)}}, not {options!r}.')
        if taken := {"lr", "maximize", "params", "capturable", "differentiable"} & options.keys():
            raise VizkitError(f"vizkit sets {sorted(taken)} itself: not among optimizer_options.")
        if rate is not None and (not is_finite(rate) or rate <= 0):
            raise VizkitError(f"The learning rate must be a finite number above 0, not {rate!r}. Try 1.")
        rate, basis = rate if rate is None else float(rate), as_basis(self.basis)
        fitted = {"regularizer": regularizer, "steps": int(self.steps), "optimizer_options": options}
        vars(self).update(fitted, learning_rate=rate, basis=basis)  # frozen from here on

    def but(self: Some, **changes: Any) -> Some:
        """
        >>> vizkit.recipe("vizkit").but(steps=128).steps
        128

        These settings, some of them changed; another optimizer brings its own learning rate and options.
        """
        for name in changes:
            check_name("setting", name, vars(self))
        own: dict[str, Any] = {"optimizer_options": {}, "learning_rate": None} if "optimizer" in changes else {}
        return replace(self, **(own | changes)) if changes else self

    def make_optimizer(self, parameters: Tensor) -> torch.optim.Optimizer:
        """A fresh optimizer, which descends as torch's do. One of people's own brings its rate where none is set."""
        try:
            if callable(self.optimizer):
                made = self.optimizer([parameters])
            else:
                maker, options, _ = OPTIMIZERS[self.optimizer]
                made = maker([parameters], **({"lr": self.learning_rate} | options | self.optimizer_options))
        except Exception as error:
            given = f"with the options {self.optimizer_options}" if self.optimizer_options else ""
            raise VizkitError(f"The optimizer {self.optimizer} cannot be made {given}: {error}") from error
        if not isinstance(made, torch.optim.Optimizer):
            raise VizkitError(f"An optimizer is a torch.optim.Optimizer, not {type(made).__name__}.")
        if inspect.signature(made.step).parameters["closure"].default is inspect.Parameter.empty:
            raise VizkitError(f"{type(made).__name__} looks at the score several times a step. Take one like Adam.")
        return made

    def learning_rate_at(self, step: int) -> float:
        """The learning rate of a step: constant, or fading to a fifth of it at the last."""
        faded = 0.8 * step / max(self.steps - 1, 1) if self.schedule == "fading" else 0
        return self.learning_rate * (1 - faded)
