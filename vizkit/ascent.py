"""The engine: a class model grows one step at a time. No input or output, no widgets, no plotting."""

import math
import numbers
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from .classifiers import Classifier
from .errors import Diverged, VizkitError
from .images import Basis, Pictures, as_basis, start_parameters, to_pictures
from .regularizers import Regularizer, none

Objective = Literal["score", "probability", "log_probability"]
OptimizerMaker = Callable[[list[Tensor]], torch.optim.Optimizer]

OBJECTIVES: tuple[Objective, ...] = ("score", "probability", "log_probability")
# Each optimizer by name: its class, what else it is told, and the learning rate where none is given.
OPTIMIZERS: dict[str, tuple[type[torch.optim.Optimizer], dict[str, Any], float]] = {
    "ascent": (torch.optim.SGD, {}, 6.0),
    "momentum": (torch.optim.SGD, {"momentum": 0.9}, 1.0),
    "adam": (torch.optim.Adam, {}, 0.05),
    "nadam": (torch.optim.NAdam, {}, 0.05),
    "rmsprop": (torch.optim.RMSprop, {}, 0.05),
}
FRAME_BYTES = 64 * 2**20


@dataclass(frozen=True)
class Step:
    """
    >>> step = next(vizkit.ascend(net, "flamingo", steps=1))
    >>> step.index, len(step.scores)
    (0, 1)

    What one step saw, before its update. `index` counts the updates made before it; the tuples hold one number an
    image of the batch: raw class `scores`, `penalties`, `probabilities` (softmax), the strongest other class in
    `rivals` and its score in `rival_scores`. `score` and `probability` are those of the first image.
    """

    index: int
    scores: tuple[float, ...]
    penalties: tuple[float, ...]
    probabilities: tuple[float, ...]
    rivals: tuple[int, ...]
    rival_scores: tuple[float, ...]

    @property
    def score(self) -> float:
        return self.scores[0]

    @property
    def probability(self) -> float:
        return self.probabilities[0]


class Ascent:
    """
    >>> ascent = vizkit.ascend(net, "flamingo", steps=2)
    >>> for step in ascent:
    ...     print(step.index)
    0
    1

    An ascent: iterate it for a step at a time, or `run()` it. Made by `vizkit.ascend`. Between steps you may set
    `regularizer`, `learning_rate`, `objective` and `steps`; they act on the next step. `initial` is what the first
    three were at the first step, `changes` when each was turned to what: (step, knob, value).

    After each step: `picture` (uint8, (height, width, 3)), `pictures` (of the whole batch), `image` (zero-centred,
    (batch, channels, height, width)), `start_image` (what it started from), `history` (a `Step` for every step, and,
    once it has finished, a last look at the result),
    `frames` ({step index: pictures}, thinned so that they never take more than 64 MB).
    """

    def __init__(
        self,
        net: Classifier,
        targets: list[int],
        regularizer: Regularizer,
        steps: int,
        seed: int,
        learning_rate: float | None,
        optimizer: str | OptimizerMaker,
        start: Any,
        objective: Objective,
        basis: Basis,
    ) -> None:
        self.net, self.targets, self.seed, self.start, self.basis = net, targets, seed, start, basis
        self.optimizer = optimizer
        self.regularizer, self.steps, self.objective = regularizer, steps, objective
        self.learning_rate = learning_rate  # None: the optimizer's own
        self.history: list[Step] = []
        self.frames: dict[int, Pictures] = {}
        self.changes: list[tuple[int, str, Any]] = []
        self._generator = torch.Generator().manual_seed(seed)
        self._parameters = start_parameters(net, basis, start, len(targets), self._generator).requires_grad_(True)
        self._last_good = self._parameters.detach().clone()
        self.start_image = self.image
        self._optimizer = self._new_optimizer()
        self._index = torch.tensor(targets, device=net.device)[:, None]
        self.initial = self._seen_knobs = self._knobs()
        self._stride, self._closed = 1, False

    def __repr__(self) -> str:
        labels = ", ".join(self.labels)
        return f"Ascent({labels!r} on {self.net.name}, step {self.step} of {self.steps}, {self.regularizer})"

    # What it has made so far.

    @property
    def labels(self) -> list[str]:
        """The class label of every image of the batch."""
        return [self.net.labels[index] for index in self.targets]

    @property
    def step(self) -> int:
        """How many updates have been made."""
        return len(self.history) - self.finished

    @property
    def finished(self) -> bool:
        """Whether the history closes with a look at the result; a further step reopens it."""
        return self._closed

    @property
    def image(self) -> Tensor:
        """The zero-centred images, (batch, channels, height, width)."""
        with torch.no_grad():
            return self.basis.decode(self.net, self._parameters).detach().clone()

    @property
    def pictures(self) -> Pictures:
        """The class models: uint8, (batch, height, width, 3)."""
        return to_pictures(self.net, self.image)

    @property
    def picture(self) -> Pictures:
        """The first class model: uint8, (height, width, 3)."""
        picture: Pictures = self.pictures[0]
        return picture

    # The knobs: checked when they are set, so that a bad value changes nothing.

    @property
    def regularizer(self) -> Regularizer:
        return self._regularizer

    @regularizer.setter
    def regularizer(self, value: Regularizer) -> None:
        if not isinstance(value, Regularizer):
            hint = f" Call it: {getattr(value, 'name', 'vizkit.l2')}(1e-4)." if callable(value) else ""
            raise VizkitError(f"A regularizer is something like vizkit.l2(1e-4), not {value!r}.{hint}")
        if any(isinstance(part.strength, tuple) and len(part.strength) != len(self.targets) for part in value.parts):
            raise VizkitError(f"{value} has {value.batch} strengths for a batch of {len(self.targets)} image(s).")
        self._regularizer = value

    @property
    def learning_rate(self) -> float:
        return self._learning_rate

    @learning_rate.setter
    def learning_rate(self, value: float | None) -> None:
        if value is None and isinstance(self.optimizer, str):
            value = OPTIMIZERS[self.optimizer][2]
        elif value is None:
            value = 0.0  # the maker of a custom optimizer sets its own
        elif not (isinstance(value, numbers.Real) and 0 < value <= 1e38):
            raise VizkitError(f"The learning rate must be a finite number above 0, not {value}. Try 1.")
        self._learning_rate = float(value)

    @property
    def steps(self) -> int:
        return self._steps

    @steps.setter
    def steps(self, value: int) -> None:
        if not _is_whole(value) or value < 0:
            raise VizkitError(f"steps must be a whole number from 0 up, not {value!r}. Try 200.")
        self._steps = int(value)

    @property
    def objective(self) -> Objective:
        return self._objective

    @objective.setter
    def objective(self, value: Objective) -> None:
        if value not in OBJECTIVES:
            raise VizkitError(f'No objective "{value}". Known: {", ".join(OBJECTIVES)}.')
        self._objective = value

    def _knobs(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("regularizer", "learning_rate", "objective")}

    # The steps.

    def __iter__(self) -> Iterator[Step]:
        return self

    def __next__(self) -> Step:
        if self.step >= self.steps:
            self.finish()
            raise StopIteration
        if self._closed:
            self.history.pop()
            self._closed = False
        self._note_changes()
        index = self.step

        image = self.basis.decode(self.net, self._parameters)
        view = self.regularizer.view(image, step=index, generator=self._generator, **self._range)
        scores = self.net(view)
        penalties = self.regularizer.penalty(image, **self._range)
        total = (_value(scores, self._index, self.objective) - penalties).sum()
        (gradient,) = torch.autograd.grad(total, image, retain_graph=image is not self._parameters)
        step = self._record(index, image, scores, penalties)
        self._keep_frame(index, image)

        self._last_good.copy_(self._parameters.detach())
        if image is self._parameters:
            self._parameters.grad = gradient
        else:
            (self._parameters.grad,) = torch.autograd.grad(image, self._parameters, gradient)
        try:
            self._optimizer.step()
            self._project(gradient, index)
        except BaseException:  # an interrupt, too, leaves no half a step behind
            self._restore()
            raise
        if not math.isfinite(self._parameters.detach().sum()):  # one bad value makes the sum bad
            self._give_up("The image is no longer finite", index)
        self.history.append(step)
        return step

    def run(self, progress: bool = False) -> "Ascent":
        """
        >>> vizkit.ascend(net, "flamingo", steps=2).run().picture.shape
        (224, 224, 3)

        All the steps that are left; `progress` writes a line that counts them to standard error.
        """
        began, first = time.perf_counter(), self.step
        for step in self:
            if progress:
                done = step.index + 1
                left = (time.perf_counter() - began) / (done - first) * (self.steps - done)
                sys.stderr.write(f"\rstep {done} of {self.steps}, score {step.score:.1f}, {left:.0f} s left ")
        if progress:
            sys.stderr.write("\n")
        return self

    def finish(self) -> Step:
        """Stops here, and closes the history with a look at the result as it is: no view, no update."""
        if not self._closed:
            with torch.no_grad():
                image = self.basis.decode(self.net, self._parameters)
                look = self._record(self.step, image, self.net(image), self.regularizer.penalty(image, **self._range))
            self._keep_frame(self.step, image, always=True)
            self.history.append(look)
            self._closed = True
        return self.history[-1]

    @property
    def _range(self) -> dict[str, Tensor]:
        return {"low": self.net.low, "high": self.net.high}

    def _project(self, gradient: Tensor, index: int) -> None:
        if self.regularizer.projects:
            with torch.no_grad():
                image = self.basis.decode(self.net, self._parameters)
                image = self.regularizer.project(
                    image, step=index, generator=self._generator, gradient=gradient, **self._range
                )
                self._parameters.copy_(self.basis.encode(self.net, image))

    def _record(self, index: int, image: Tensor, scores: Tensor, penalties: Tensor) -> Step:
        """What this step saw, checked to be finite."""
        with torch.no_grad():
            scores = scores.detach()
            own = scores.gather(1, self._index)
            others = scores.scatter(1, self._index, -math.inf).max(dim=1) if scores.shape[1] > 1 else None
            table = torch.stack(
                [
                    own[:, 0],
                    penalties.detach(),
                    scores.softmax(dim=1).gather(1, self._index)[:, 0],
                    others.values if others else own[:, 0],
                    (others.indices if others else self._index[:, 0]).to(own.dtype),
                ]
            ).tolist()
        if not all(map(math.isfinite, table[1])):
            self._give_up(f"The penalty of {self.regularizer} is not finite", index)
        if not all(map(math.isfinite, table[0])):
            self._give_up("The class score is not finite", index)
        own_scores, penalty, probability, rival_scores, rivals = map(tuple, table)
        return Step(index, own_scores, penalty, probability, tuple(map(int, rivals)), rival_scores)

    def _keep_frame(self, index: int, image: Tensor, always: bool = False) -> None:
        """Every `stride`-th step's pictures; when they take too much memory, every second is dropped."""
        if index % self._stride and not always:
            return
        self.frames[index] = to_pictures(self.net, image)
        if len(self.frames) > max(4, FRAME_BYTES // self.frames[index].nbytes):
            self._stride *= 2
            self.frames = {k: v for k, v in self.frames.items() if k % self._stride == 0 or k == index}

    def _note_changes(self) -> None:
        knobs = self._knobs()
        if self.history:
            self.changes += [(self.step, name, v) for name, v in knobs.items() if v != self._seen_knobs[name]]
        else:
            self.initial = knobs
        self._seen_knobs = knobs
        if self.learning_rate:
            for group in self._optimizer.param_groups:
                group["lr"] = self.learning_rate

    def _new_optimizer(self) -> torch.optim.Optimizer:
        if callable(self.optimizer):
            return self.optimizer([self._parameters])
        maker, options, _ = OPTIMIZERS[self.optimizer]
        return maker([self._parameters], lr=self.learning_rate, maximize=True, **options)  # type: ignore[call-arg]

    def _restore(self) -> None:
        with torch.no_grad():
            self._parameters.copy_(self._last_good)
        self._parameters.grad = None
        self._optimizer = self._new_optimizer()

    def _give_up(self, what: str, index: int) -> None:
        """Back to the last good image, with a fresh optimizer, and an error that says which knob to turn."""
        self._restore()
        raise Diverged(
            f"{what} at step {index}. The last good image is kept. "
            f"Lower the learning rate (now {self.learning_rate:g}) or the strength of {self.regularizer}."
        )


def ascend(
    net: Classifier,
    target: str | int | Sequence[str | int],
    *,
    regularizer: Regularizer | None = None,
    steps: int = 200,
    seed: int = 0,
    learning_rate: float | None = None,
    optimizer: str | OptimizerMaker = "ascent",
    start: Any = "random",
    objective: Objective = "score",
    basis: str | Basis = "pixels",
) -> Ascent:
    """
    >>> vizkit.ascend(net, "flamingo", regularizer=vizkit.l2(1e-4), steps=3).run()
    Ascent('flamingo' on efficientnet_lite0, step 3 of 3, vizkit.l2(0.0001))

    Gradient ascent on the image: I* = argmax S_c(I) − λ R(I), with S_c the raw class score (Simonyan, Vedaldi,
    Zisserman 2014, arXiv 1312.6034, section 2). Returns an `Ascent` that has made no step yet.

    target: a class label or index, or several, which grow in one batch, each as it would alone.
    regularizer: one or a sum, such as `vizkit.l2(1e-4) + vizkit.jitter(8)`; `vizkit.l2([0, 1e-4, 1e-3])` makes one
        image a strength. None: no regularizer.
    seed: of all randomness. The same seed gives the same image, bit for bit, on the same machine.
    learning_rate: None takes the optimizer's own default.
    optimizer: "ascent" (plain), "momentum", "adam", "nadam", "rmsprop", or a function that makes a torch optimizer
        from a list of tensors; such an optimizer must maximise.
    start: "random" (zero-centred noise), "zero", a picture (see `vizkit.images.from_picture`) or a zero-centred tensor.
    objective: "score", or, to compare, "probability" or "log_probability".
    basis: what is moved: "pixels", "fourier", or one with settings, such as `vizkit.Fourier(exponent=1.3)`.

    Raises `VizkitError` for a value that cannot be, before anything starts; a step raises `Diverged` when the score,
    the penalty or the image is no longer finite.
    """
    if not isinstance(net, Classifier):
        raise VizkitError(f"ascend takes a Classifier first, not {type(net).__name__}: vizkit.Classifier(module, …).")
    listed = [target] if isinstance(target, str) or not isinstance(target, Iterable) else list(target)
    if not listed:
        raise VizkitError("No class to ascend: the list of targets is empty.")
    targets = [net.index(one) for one in listed]
    if regularizer is None:
        regularizer = none()
    if len(targets) == 1 and isinstance(regularizer, Regularizer):
        targets *= regularizer.batch
    if not _is_whole(seed):
        raise VizkitError(f"A seed is a whole number, not {seed!r}.")
    if not callable(optimizer) and optimizer not in OPTIMIZERS:
        raise VizkitError(f'No optimizer "{optimizer}". Known: {", ".join(OPTIMIZERS)}.')
    return Ascent(
        net, targets, regularizer, steps, int(seed), learning_rate, optimizer, start, objective, as_basis(basis)
    )


def _is_whole(value: Any) -> bool:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def _value(scores: Tensor, index: Tensor, objective: Objective) -> Tensor:
    """What the ascent climbs, an image each: (batch,)."""
    if objective == "probability":
        scores = scores.softmax(dim=1)
    elif objective == "log_probability":
        scores = scores.log_softmax(dim=1)
    return scores.gather(1, index)[:, 0]
