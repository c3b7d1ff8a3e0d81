"""The engine: a class model grows one step at a time. No input or output, no widgets, no plotting."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from .bases import Basis, as_start, start_parameters
from .errors import Diverged, VizkitError
from .images import Pictures, to_pictures
from .networks import Classifier
from .progress import counted
from .regularization import Regularizer, none
from .settings import Objective, OptimizerMaker, Schedule, Settings, is_whole

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


def knob(name: str) -> Any:
    """A setting that may be set on an ascent at any time, and acts on the next step."""

    def get(ascent: "Ascent") -> Any:
        return getattr(ascent.settings, name)

    def set_(ascent: "Ascent", value: Any) -> None:
        ascent.settings = replace(ascent.settings, **{name: value})

    return property(get, set_)


class Ascent:
    """
    >>> ascent = vizkit.ascend(net, "flamingo", steps=2)
    >>> for step in ascent:
    ...     print(step.index)
    0
    1

    An ascent: iterate it for a step at a time, or `run()` it. Made by `vizkit.ascend`. Between steps you may set
    `regularizer`, `learning_rate`, `objective` and `steps`; they act on the next step. `initial` are the settings of
    the first step, `changes` says when a knob was turned to what: (step, knob, value).

    After each step: `picture` (uint8, (height, width, 3)), `pictures` (of the whole batch), `image` (zero-centred,
    (batch, channels, height, width)), `best_pictures` (those of the highest score on the way), `start_image` (what it
    started from), `history` (a `Step` for every step, and, once it has finished, a last look at the result), `frames`
    ({step index: pictures}, thinned so that they never take more than 64 MB), `transparency` (where the gradient has
    worked: its magnitude, summed over steps and channels, (batch, height, width)).
    """

    regularizer: Regularizer = knob("regularizer")
    learning_rate: float = knob("learning_rate")
    objective: Objective = knob("objective")
    steps: int = knob("steps")

    def __init__(self, net: Classifier, targets: list[int], settings: Settings, seed: int) -> None:
        settings = replace(settings, start=as_start(net, settings.start))
        self.net, self.targets, self.seed, self.basis = net, targets, seed, settings.basis
        self.settings = self.initial = self._acting = settings
        self.history: list[Step] = []
        self.frames: dict[int, Pictures] = {}
        self.changes: list[tuple[int, str, Any]] = []
        generator = torch.Generator().manual_seed(seed)
        self._parameters = start_parameters(net, self.basis, settings.start, len(targets), generator)
        self._parameters.requires_grad_(True)
        self._last_good = self._parameters.detach().clone()
        self._best, self._best_scores = self._last_good.clone(), [-math.inf] * len(targets)
        self.start_image = self.image
        self.transparency = torch.zeros_like(self.start_image[:, 0])
        self._optimizer = settings.make_optimizer(self._parameters)
        self._index = torch.tensor(targets, device=net.device)[:, None]
        self._stride, self._closed = 1, False

    def __repr__(self) -> str:
        labels = ", ".join(self.labels)
        return f"Ascent({labels!r} on {self.net.name}, step {self.step} of {self.steps}, {self.regularizer})"

    # What it has made so far.

    @property
    def settings(self) -> Settings:
        """All settings as they are now."""
        return self._settings

    @settings.setter
    def settings(self, value: Settings) -> None:
        lengths = {len(part.strength) for part in value.regularizer.parts if isinstance(part.strength, tuple)}
        if lengths - {len(self.targets)}:
            raise VizkitError(
                f"{value.regularizer} has {max(lengths)} strengths for a batch of {len(self.targets)} image(s)."
            )
        self._settings = value

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

    @property
    def best_pictures(self) -> Pictures:
        """The pictures of the highest class score so far, as the views showed them: Yosinski et al. 2015."""
        with torch.no_grad():
            return to_pictures(self.net, self.basis.decode(self.net, self._best))

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
        index, settings = self.step, self._acting

        image = self.basis.decode(self.net, self._parameters)
        view = settings.regularizer.view(image, step=index, seed=self.seed, **self._range)
        scores = self.net(view)
        scores = scores.reshape(-1, len(image), scores.shape[-1])  # (views, batch, classes): mostly one view an image
        penalties = settings.regularizer.penalty(image, **self._range)
        total = (_value(scores, self._index, settings.objective).mean(dim=0) - penalties).sum()
        (gradient,) = torch.autograd.grad(total, image, retain_graph=image is not self._parameters)
        step = self._record(index, image, scores.detach().mean(dim=0), penalties)
        self._keep_frame(index, image)
        self._keep_best(step)
        self.transparency += gradient.abs().sum(dim=1)

        self._last_good.copy_(self._parameters.detach())
        uphill = gradient  # for pixels; for another basis, carried on to its parameters
        if image is not self._parameters:
            (uphill,) = torch.autograd.grad(image, self._parameters, gradient)
        try:
            self._update(uphill, index)
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

        All the steps that are left; `progress` prints a line that counts them, over and over itself.
        """
        for _ in counted(self, lambda step: f"score {step.score:.1f}") if progress else self:
            pass
        return self

    def finish(self) -> Step:
        """Stops here, and closes the history with a look at the result as it is: no view, no update."""
        if not self._closed:
            with torch.no_grad():
                image = self.basis.decode(self.net, self._parameters)
                penalties = self.regularizer.penalty(image, **self._range)
                look = self._record(self.step, image, self.net(image), penalties)
            self._keep_frame(self.step, image, always=True)
            if not self.regularizer.views:  # or else it is another measure than the steps'
                self._keep_best(look)
            self.history.append(look)
            self._closed = True
        return self.history[-1]

    @property
    def _range(self) -> dict[str, Tensor]:
        return {"low": self.net.low, "high": self.net.high}

    def _update(self, gradient: Tensor, index: int) -> None:
        """One step of the optimizer, uphill."""
        settings = self._acting
        if settings.schedule == "progress":
            # To first order a step of r / |g|² raises the objective by r: Yosinski et al. 2015, in their code.
            square = gradient.square().flatten(1).sum(dim=1).clamp(min=1e-20)
            gradient = gradient / square.reshape(-1, *[1] * (gradient.ndim - 1))
        self._parameters.grad = gradient
        if settings.learning_rate:
            for group in self._optimizer.param_groups:
                group["lr"] = settings.learning_rate_at(index)
        self._optimizer.step()

    def _project(self, gradient: Tensor, index: int) -> None:
        regularizer = self._acting.regularizer
        if regularizer.projects:
            with torch.no_grad():
                image = self.basis.decode(self.net, self._parameters)
                image = regularizer.project(image, step=index, seed=self.seed, gradient=gradient, **self._range)
                self._parameters.copy_(self.basis.encode(self.net, image))

    def _record(self, index: int, image: Tensor, scores: Tensor, penalties: Tensor) -> Step:
        """What this step saw, checked to be finite."""
        with torch.no_grad():
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

    def _keep_best(self, step: Step) -> None:
        for image, score in enumerate(step.scores):
            if score > self._best_scores[image]:
                self._best_scores[image] = score
                self._best[image].copy_(self._parameters[image].detach())

    def _note_changes(self) -> None:
        """From here on the settings as they are now act; what differs from before is written down."""
        now, before = self.settings, self._acting
        if not self.history:
            self.initial = now
        elif now is not before:
            for name in ("regularizer", "learning_rate", "objective", "steps"):
                if name == "steps" and now.schedule != "fading":
                    continue  # it matters only to a learning rate that fades
                if getattr(now, name) != getattr(before, name):
                    self.changes.append((self.step, name, getattr(now, name)))
        self._acting = now

    def _restore(self) -> None:
        with torch.no_grad():
            self._parameters.copy_(self._last_good)
        self._parameters.grad = None
        self._optimizer = self.settings.make_optimizer(self._parameters)

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
    optimizer_options: dict[str, Any] | None = None,
    schedule: Schedule = "constant",
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
    optimizer: "ascent" (plain), "momentum", "adam", "nadam", "rmsprop", "half_adam" (see `vizkit.settings`), or a
        function that makes a torch optimizer from a list of tensors; such an optimizer must maximise.
    optimizer_options: what else it is told, such as {"betas": (0.5, 0.99)}.
    schedule: "constant"; "fading", down to a fifth of the learning rate at the last step; or "progress", where the
        learning rate is the rise of the objective that each step aims at (Yosinski et al. 2015).
    start: "random" (zero-centred noise), "bytes" (each from 0 to 255, evenly), "zero", a picture (see
        `vizkit.images.from_picture`) or a zero-centred tensor.
    objective: "score", or, to compare, "probability" or "log_probability".
    basis: what is moved: "pixels", "fourier", "phase", or one with settings, such as `vizkit.Fourier(exponent=1.3)`.

    Raises `VizkitError` for a value that cannot be, before anything starts; a step raises `Diverged` when the score,
    the penalty or the image is no longer finite.
    """
    if not isinstance(net, Classifier):
        raise VizkitError(f"ascend takes a Classifier first, not {type(net).__name__}: vizkit.Classifier(module, …).")
    listed = [target] if isinstance(target, str) or not isinstance(target, Iterable) else list(target)
    if not listed:
        raise VizkitError("No class to ascend: the list of targets is empty.")
    targets = [net.index(one) for one in listed]
    if not is_whole(seed) or not -(2**63) <= seed < 2**63:
        raise VizkitError(f"A seed is a whole number of 64 bits, not {seed!r}.")
    settings = Settings(
        regularizer=none() if regularizer is None else regularizer,
        steps=steps,
        optimizer=optimizer,
        optimizer_options=optimizer_options or {},
        learning_rate=learning_rate,  # type: ignore[arg-type]  # None becomes the optimizer's own
        schedule=schedule,
        start=start,
        objective=objective,
        basis=basis,  # type: ignore[arg-type]  # a name becomes the basis of that name
    )
    if len(targets) == 1:
        targets *= settings.regularizer.batch
    return Ascent(net, targets, settings, int(seed))


def _value(scores: Tensor, index: Tensor, objective: Objective) -> Tensor:
    """What the ascent climbs, of scores (views, batch, classes): (views, batch)."""
    if objective == "probability":
        scores = scores.softmax(dim=2)
    elif objective == "log_probability":
        scores = scores.log_softmax(dim=2)
    return scores.gather(2, index.expand(len(scores), -1, -1))[:, :, 0]
