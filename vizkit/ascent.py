"""The engine: a class model grows one step at a time."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from . import saved
from .bases import as_start, start_parameters
from .errors import Diverged, VizkitError, check_name, is_whole, warn
from .images import Pictures, png, tile, to_pictures
from .networks import Classifier, as_classifier, watched
from .own_torch import in_threads, own_torch
from .progress import make_all
from .recipes import Recipe, as_recipe
from .regularization import Regularizer
from .settings import LIVE, Settings

FRAME_BYTES = 64 * 2**20  # of all frames together, where four of them are not more


@dataclass(frozen=True)
class Step:
    """
    >>> step = next(vizkit.ascend(net, "flamingo", steps=1))
    >>> step.index, len(step.scores)
    (0, 1)

    What one step saw, before its update. `index` counts the updates made before it; the tuples hold one number an
    image of the batch: raw class `scores`, `penalties`, `probabilities` (softmax), the strongest other class in
    `rivals` and its score in `rival_scores`, each a mean over the views. `score` and `probability` are those of the
    first image.
    """

    index: int
    scores: tuple[float, ...]
    penalties: tuple[float, ...]
    probabilities: tuple[float, ...]
    rivals: tuple[int, ...]
    rival_scores: tuple[float, ...]

    def __str__(self) -> str:
        return f"score {self.score:.1f}"

    @property
    def score(self) -> float:
        return self.scores[0]

    @property
    def probability(self) -> float:
        return self.probabilities[0]


def knob(name: str) -> Any:
    """A setting that may be set on an ascent at any time, and acts on the next step."""
    return property(lambda ascent: getattr(ascent.settings, name), lambda ascent, value: ascent.turn(**{name: value}))


class Ascent(Iterator[Step]):
    """
    >>> ascent = vizkit.ascend(net, "flamingo", steps=2)
    >>> for step in ascent:
    ...     print(step.index)
    0
    1

    An ascent: iterate it for a step at a time, or `run()` it. Made by `vizkit.ascend`. Between steps you may set
    `regularizer`, `learning_rate`, `objective` and `steps`, or several with `turn()`; they act on the next step.
    `initial` are the settings of the first step, `changes` says when a knob was turned to what: (step, knob, value);
    `labels` are the classes, one an image of the batch.

    After each step: `picture` (uint8, (height, width, 3)), `pictures` (of the whole batch), `image` (zero-centred,
    (batch, channels, height, width)), `start_image` (what it started from), `history` (a `Step` for every step, and,
    once it has `finished`, a last look at the result; a further step reopens it), `scores` (those of the history,
    (steps, batch)), `frames` ({step index: pictures}, thinned so that they take no more than 64 MB, or four frames),
    `doubt` (a sentence, where a run came to nothing; it warns of it, unless it is to be `quiet`).
    """

    regularizer: Regularizer = knob("regularizer")
    learning_rate: float = knob("learning_rate")
    objective: str = knob("objective")
    steps: int = knob("steps")

    @own_torch()
    def __next__(self) -> Step:
        """One step: forward, backward, update."""
        settings = self._begin()
        image = self.basis.decode(self.net, self._parameters)
        shown = settings.regularizer.view(image, step=self.step, **self._known)
        scores, penalties = self._look(image, shown, settings.regularizer)
        goal = self._climbed(scores).mean(dim=0) - penalties
        gradient, uphill = torch.autograd.grad(goal.sum(), (image, self._parameters))
        seen = self._seen(scores, penalties), self._frame(image)
        self._update(uphill, gradient)
        return self._keep(*seen)

    @own_torch()
    def __init__(self, net: Classifier, targets: list[int], settings: Settings, seed: int) -> None:
        self.net, self.targets, self.seed, self.basis = net, targets, seed, settings.basis
        self.labels = [net.labels[index] for index in targets]
        # What regularizers may know, beside the step.
        self._known = {"low": net.low, "high": net.high, "sides": (net.height, net.width), "seed": seed}
        settings = self._fitting(replace(settings, start=as_start(net, settings.start)))
        self.history: list[Step] = []
        self.frames: dict[int, Pictures] = {}
        self.changes: list[saved.Change] = []
        generator = torch.Generator().manual_seed(seed)
        self._parameters = start_parameters(net, self.basis, settings.start, len(targets), generator)
        self._parameters.requires_grad_(True)
        self._last_good = self._parameters.detach().clone()
        self._optimizer = settings.make_optimizer(self._parameters)
        if settings.learning_rate is None:  # an optimizer of people's own brings it along
            settings = settings.but(learning_rate=float(self._optimizer.param_groups[0]["lr"]))
        self.settings = self.initial = self._acting = settings
        self.start_image = self.image
        self._index = torch.tensor(targets, device=net.device)[:, None]
        self._stride, self.finished, self._one_back = 1, False, False
        self.doubt, self.quiet = "", False

    def __repr__(self) -> str:
        made = f"{', '.join(self.labels)!r} on {self.net.name}, step {self.step} of {self.steps}"
        return f"Ascent({made}, {self.regularizer})"

    def _repr_png_(self) -> bytes:
        return png(tile(self.pictures))

    # What it has made so far.

    @property
    def step(self) -> int:
        """How many updates have been made."""
        return len(self.history) - self.finished

    @property
    def scores(self) -> NDArray[np.float64]:
        """The class scores of the history: (steps, batch), and one row more once it has finished."""
        return np.array([step.scores for step in self.history]).reshape(-1, len(self.targets))

    @property
    def image(self) -> Tensor:
        """The zero-centred images, (batch, channels, height, width)."""
        with own_torch(), torch.no_grad():
            return self.basis.decode(self.net, self._parameters).detach().clone()

    @property
    def pictures(self) -> Pictures:
        """The class models: uint8, (batch, height, width, 3)."""
        return to_pictures(self.net, self.image)

    @property
    def picture(self) -> Pictures:
        """The first class model: uint8, (height, width, 3)."""
        return self.pictures[0]

    # What is done with it.

    def run(self, *, progress: bool = False) -> "Ascent":
        """
        >>> vizkit.ascend(net, "flamingo", steps=2).run().picture.shape
        (224, 224, 3)

        All the steps that are left; `progress` prints a line that counts them, over and over itself.
        """
        make_all(self, self, str, progress)
        return self

    def turn(self, **knobs: Any) -> None:
        """
        >>> vizkit.ascend(net, "flamingo").turn(regularizer=vizkit.l2(1e-3), learning_rate=1.0)

        Turns several knobs at once, all of them or, where a value cannot be, none: a `VizkitError`.
        """
        for name in knobs:
            check_name("knob to turn on its way", name, LIVE)
        self.settings = self._fitting(self.settings.but(**knobs))

    def finish(self) -> Step:
        """Stops here, and closes the history with a look at the whole image, at the network's own size: no view, no
        update."""
        if not self.finished:
            with own_torch(), torch.no_grad():
                image = self.basis.decode(self.net, self._parameters)
                look = self._seen(*self._look(image, self.net.fitted(image), self.regularizer))
            self._keep(look, to_pictures(self.net, image))
            self.finished = True
            self.doubt = self._doubt()
            if self.doubt and not self.quiet:
                warn(self.doubt)
        return self.history[-1]

    def restart_optimizer(self) -> None:
        """The optimizer forgets the steps before: from here on it climbs as if the image were a start."""
        self._optimizer = self.settings.make_optimizer(self._parameters)
        self.changes.append((self.step, saved.RESTART, None))

    def code(self) -> str:
        """
        >>> print(vizkit.ascend(net, "flamingo", steps=3, regularizer=vizkit.l2(1e-4)).code())
        import vizkit
        <BLANKLINE>
        net = vizkit.load()
        ascent = vizkit.ascend(
            net,
            'flamingo',
            regularizer=vizkit.l2(0.0001),
            steps=3,
            seed=0,
        ).run()

        Python that makes the same pictures, the knobs turned on the way included.
        """
        return saved.write(self.record(facts={}))

    def save(self, path: str | Path) -> Path:
        """
        >>> vizkit.ascend(net, "flamingo", steps=3).run().save(folder / "flamingo.png").name
        'flamingo.png'

        Writes the class model (a batch side by side) as a PNG that holds all it takes to make it again, by
        `vizkit.reproduce(path)`. Warns where there is something that it cannot hold.
        """
        return saved.save(path, tile(self.pictures), self.record())

    def record(self, facts: Mapping[str, Any] | None = None) -> saved.Run:
        """
        >>> vizkit.ascend(net, "flamingo", steps=3).record().targets
        ['flamingo']

        What was made, whatever was turned since, as data: all that it takes to make the pictures again, and `facts`,
        which tell its network from another; None: what the network tells of itself, and a few of its scores.
        """
        made, settings, changes = self.step, self.initial, list(self.changes)
        if not self.history:
            settings = self.settings
        elif settings.schedule != "fading":
            settings = settings.but(steps=made)
        elif made != self._acting.steps:  # the learning rate depends on how many there were to be
            changes.append((made, "steps", made))
        labels = self.net.labels
        names = [labels[index] if labels.count(labels[index]) == 1 else index for index in self.targets]
        facts = self.facts() if facts is None else facts
        return saved.Run(self.net.code, names, self.seed, settings, tuple(changes), facts)

    def facts(self) -> dict[str, Any]:
        """
        >>> list(vizkit.ascend(net, "flamingo").facts())
        ['classes', 'input', 'mean and std', 'labels', 'scores', 'threads']

        What tells its network from another: its classes, what the net tells, and a few scores of the start image; and
        in how many threads torch works: sums in another order are rounded otherwise, which shows after a few steps.
        """
        with own_torch(), torch.no_grad():
            scores = self.net(self.start_image[:1])[0, :8].nan_to_num(neginf=-1e9).tolist()
        return {"classes": self.labels} | self.net.facts | {"scores": scores, "threads": torch.get_num_threads()}

    # Bookkeeping.

    def _fitting(self, settings: Settings) -> Settings:
        batch = len(self.targets)
        if settings.regularizer.batch not in (1, batch):
            raise VizkitError(f"{settings.regularizer} is for {settings.regularizer.batch} images, not for {batch}.")
        if settings.regularizer.asks("activations") and not self.net.remembers:
            why = "has none that remembers its training: take another regularizer, or a recipe by its name"
            raise VizkitError(f"{settings.regularizer} reads what batch norms see, and {self.net.name} {why}.")
        return settings

    def _begin(self) -> Settings:
        """The settings of the next step; what differs from before is written down. Ends the ascent after the last."""
        if self.step >= self.steps:
            self.finish()
            raise StopIteration
        if self.finished:
            self.history.pop()
            self.finished = False
        now, before = self.settings, self._acting
        if not self.history:
            self.initial, self.changes = now, []
        for name in LIVE if self.history else ():
            # How many steps there will be matters only to a learning rate that fades.
            if getattr(now, name) != getattr(before, name) and (name != "steps" or now.schedule == "fading"):
                self.changes.append((self.step, name, getattr(now, name)))
        self._acting = now
        return now

    def _look(self, image: Tensor, shown: Tensor, regularizer: Regularizer) -> tuple[Tensor, Tensor]:
        """The scores, (views, batch, classes), of what is shown of images, and the penalties of these, (batch,)."""
        views, batch = len(shown) // len(image), len(image)
        with watched(self.net.network, views, batch, regularizer.asks("activations")) as activations:
            scores = self.net(shown).reshape(views, batch, -1)
        return scores, regularizer.penalty(image, activations=activations, step=self.step, **self._known)

    def _climbed(self, scores: Tensor) -> Tensor:
        """What the ascent climbs, of scores (views, batch, classes): (views, batch)."""
        if self._acting.objective != "score":
            scores = self.net.probabilities(scores, log=self._acting.objective == "log_probability")
        return scores.gather(2, self._index.expand(len(scores), -1, -1))[:, :, 0]

    def _seen(self, scores: Tensor, penalties: Tensor) -> Step:
        """What this step saw, checked to be finite; `scores`: (views, batch, classes)."""
        with torch.no_grad():
            mean, probabilities = scores.mean(dim=0), self.net.probabilities(scores).mean(dim=0)
            # Of one class alone the rival is that it is not there: the score zero, of which it is as likely as not.
            others = mean.scatter(1, self._index, -math.inf) if mean.shape[1] > 1 else torch.zeros_like(mean)
            rivals = others.max(dim=1)
            own, probability = (of.gather(1, self._index)[:, 0] for of in (mean, probabilities))
            seen = torch.stack([own, penalties, probability, rivals.values, rivals.indices.to(own.dtype)]).tolist()
        for what, numbers in ("penalty", seen[1]), ("class score", seen[0]):
            if not all(map(math.isfinite, numbers)):
                self._give_up(f"The {what} is not finite")
        own_scores, costs, chances, rival_scores, indices = map(tuple, seen)
        return Step(self.step, own_scores, costs, chances, tuple(map(int, indices)), rival_scores)

    def _frame(self, image: Tensor) -> Pictures | None:
        """The pictures of every `stride`-th step."""
        return None if self.step % self._stride else to_pictures(self.net, image)

    def _update(self, uphill: Tensor, gradient: Tensor) -> None:
        """One step of the optimizer, uphill, and the projections; the image before is kept until this one is good."""
        settings, regularizer = self._acting, self._acting.regularizer
        if settings.schedule == "progress":
            # To first order a step of r / |g|² raises the objective by r: Yosinski et al. 2015, in their code.
            square = uphill.square().flatten(1).sum(dim=1).clamp(min=1e-20)
            uphill = uphill / square.reshape(-1, *[1] * (uphill.ndim - 1))
        self._last_good.copy_(self._parameters.detach())
        self._one_back = False
        try:
            for group in self._optimizer.param_groups:
                group["lr"] = settings.learning_rate_at(self.step)
                # The goal is what is signed, not the optimizer: it descends, unless it was told otherwise.
                self._parameters.grad = uphill if group.get("maximize") else -uphill
            self._optimizer.step()
            if regularizer.acts("projection"):
                with torch.no_grad():
                    image = self.basis.decode(self.net, self._parameters)
                    image = regularizer.project(image, gradient=gradient, step=self.step, **self._known)
                    self._parameters.copy_(self.basis.encode(self.net, image))
        except BaseException:  # an interrupt, too, leaves no half a step behind
            self._go_back()
            raise
        if not math.isfinite(self._parameters.detach().sum()):  # one bad value makes the sum bad
            self._give_up("The image is no longer finite")
        self._one_back = True

    def _keep(self, seen: Step, frame: Pictures | None) -> Step:
        """Remembers a step; when the frames take too much memory, every second is dropped."""
        self.history.append(seen)
        if frame is not None:
            self.frames[seen.index] = frame
            if len(self.frames) > max(4, FRAME_BYTES // frame.nbytes):
                self._stride *= 2
                self.frames = {k: v for k, v in self.frames.items() if k % self._stride == 0 or k == seen.index}
        return seen

    def _doubt(self) -> str:
        """What a run has come to, where that is nothing, and which knob to turn."""
        made, rate = self.step, f"the learning rate (now {self.learning_rate:g})"
        now, start = self.image, self.start_image
        shown, before = to_pictures(self.net, now), to_pictures(self.net, start)
        for at, label in enumerate(self.labels if made and not self.changes else ()):
            if torch.equal(now[at], start[at]) or (made >= 8 and (shown[at] == before[at]).all()):
                return f"{label} has not moved, or by less than a grey level. Raise {rate}, or take another start."
            goals = [step.scores[at] if self.objective == "score" else step.probabilities[at] for step in self.history]
            paid = any(step.penalties[at] for step in self.history)  # a strong penalty may well cost the score more
            if made >= 8 and not paid and max(goals[1:]) <= goals[0]:
                return f"{label} has not risen. Lower {rate}, or the strength of {self.regularizer}."
        return ""

    def _go_back(self) -> None:
        """To the last good image, as if the update after it had never been made, and with a fresh optimizer."""
        with torch.no_grad():
            self._parameters.copy_(self._last_good)
        if self._one_back:
            self.history.pop()
            self._one_back = False
        self.changes = [(min(at, self.step), name, value) for at, name, value in self.changes]
        self.restart_optimizer()

    def _give_up(self, what: str) -> None:
        step = self.step
        self._go_back()
        remedy = f"Lower the learning rate (now {self.learning_rate:g}) or the strength of {self.regularizer}."
        raise Diverged(f"{what} at step {step}. The last good image is kept. {remedy}")


def ascend(net: Any, target: Any, *, recipe: str | Recipe | None = None, seed: int = 0, **settings: Any) -> Ascent:
    """
    >>> vizkit.ascend(net, "flamingo", regularizer=vizkit.l2(1e-4), steps=3).run()
    Ascent('flamingo' on efficientnet_lite0, step 3 of 3, vizkit.l2(0.0001))

    Gradient ascent on the image (Erhan et al. 2009, report 1341, Université de Montréal): I* = argmax S_c(I) − λ R(I),
    with S_c the raw class score (Simonyan, Vedaldi, Zisserman 2013, arXiv 1312.6034, section 2). Returns an `Ascent`
    that has made no step yet.

    net: a `Classifier`; None takes the built-in one, a name the one that `vizkit.load` has by it.
    target: a class label or index, or several, which grow in one batch, each as it would alone.
    recipe: a name, such as "vizkit", or a `Recipe`: the settings where nothing else is given. None: those below.
    regularizer: one or a sum, such as `vizkit.l2(1e-4) + vizkit.jitter(8)`; `vizkit.l2([0, 1e-4, 1e-3])` makes one
        image a strength. None: no regularizer.
    steps: 200.
    seed: of all randomness. The same seed gives the same image, bit for bit, on the same machine.
    learning_rate: None takes the optimizer's own default.
    optimizer: "ascent" (plain), "momentum", "adam", "nadam", "rmsprop", "half_adam" (see `vizkit.settings`), or a
        function that makes a torch optimizer from a list of tensors, such as `torch.optim.Adagrad`: all of them climb.
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
    net = as_classifier(net)
    targets = net.indices(target)
    if masked := [net.labels[index] for index in targets if not net.climbable[index]]:
        raise VizkitError(f"{net.name} masks {', '.join(masked)}: the score is -inf, whatever the picture.")
    if not is_whole(seed) or not -(2**63) <= seed < 2**63:
        raise VizkitError(f"A seed is a whole number of 64 bits, not {seed!r}.")
    chosen = (Settings() if recipe is None else as_recipe(recipe, net)).but(**settings)
    if len(targets) == 1:
        targets *= chosen.regularizer.batch
    return Ascent(net, targets, chosen, int(seed))


def reproduce(path: str | Path, net: Any = None, *, progress: bool = False, **yours: Any) -> Ascent:
    """
    >>> file = vizkit.ascend(net, "flamingo", steps=3).run().save(folder / "saved.png")
    >>> vizkit.reproduce(file, net)
    Ascent('flamingo' on efficientnet_lite0, step 3 of 3, vizkit.none())

    Makes the ascent of a PNG that `Ascent.save` wrote again, from the file alone, without running anything in it. `net`
    is needed where it was your own CNN, and an `optimizer`, `basis` or `start` where the file could not hold yours.
    `progress` as in `Ascent.run`. Raises `VizkitError` for a file without settings, or with settings that are damaged,
    and where `net` is not the network of the file: other labels, another input, other scores.
    """
    run = saved.load_run(path, yours)
    is_theirs, net = net is not None, saved.read_network(run.network) if net is None else as_classifier(net)
    try:
        ascent = ascend(net, run.targets, seed=run.seed, **vars(run.settings))
        if is_theirs:
            saved.check_same(path, run.facts, ascent.facts())
        with in_threads(run.facts.get("threads")):
            make_all(_replay(ascent, run.changes), ascent, str, progress)
    except (TypeError, RuntimeError, OverflowError) as error:
        raise VizkitError(f"The settings in {path} do not fit {net.name}: {error}") from error
    return ascent


def _replay(ascent: Ascent, changes: tuple[saved.Change, ...]) -> Iterator[Step]:
    while not ascent.finished:
        for _, name, value in (change for change in changes if change[0] == ascent.step):
            ascent.restart_optimizer() if name == saved.RESTART else ascent.turn(**{name: value})
        try:
            yield from islice(ascent, 1)
        except Diverged:  # as it did then, in a file of version 0.1.0, which does not say so
            ascent.finish()
