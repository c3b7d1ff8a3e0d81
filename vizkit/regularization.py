"""What a regularizer is.

A regularizer acts in one of three places of a step: a *penalty* is a number per image that is subtracted from the
class score; a *view* changes what the network is shown in this step; a *projection* changes the image after the
update. All work on zero-centred images, (batch, channels, height, width), and treat each image alone.

What a regularizer's function needs it asks for by name, among: `image`, `strength`, `step` (0, 1, …), `generator`
(randomness that follows from the ascent's seed, the step and the regularizer's name alone), `gradient` (of the step's
objective with respect to the image), `activations` (what every batch norm of the network sees in this step, from the
first to the last, and what it saw in training: a list of `networks.activations.Activations`), `low` and `high` (the
valid range: what black and white are in this network's input), `sides` (height and width of the network's input),
`views` (how many views of each image an earlier view has made). Others, with defaults, are its options.
"""

import inspect
import math
import pickle
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Literal, overload

import cloudpickle
import torch
from torch import Tensor

from .errors import VizkitError, check_name, is_finite, is_like
from .networks import Activations

Place = Literal["penalty", "view", "projection"]
Function = Callable[..., Tensor]
Range = tuple[float, float]  # of strengths: from low to high
CONTEXT: dict[Place, tuple[str, ...]] = {  # what a function may ask for in each place
    "penalty": ("image", "low", "high", "activations"),
    "view": ("image", "strength", "step", "generator", "low", "high", "sides", "views"),
    "projection": ("image", "strength", "step", "generator", "low", "high", "sides", "gradient"),
}


@dataclass(frozen=True)
class Kind:
    """
    >>> vizkit.l2.place, vizkit.l2.strengths
    ('penalty', (1e-05, 0.03))

    What a regularizer does, where, and how strongly it sensibly can. Called with a strength, or a list with one for
    each image, it gives a `Regularizer`; called with images, (batch, channels, height, width), what its plain formula
    gives for them.
    """

    name: str
    place: Place
    function: Function
    strengths: Range | None
    default: float
    options: dict[str, Any]
    asks: dict[str, Any]  # of what it may know of a step: what it asks for, with its default if it has one

    @overload
    def __call__(self, strength: float | Sequence[float] | None = None, **options: Any) -> "Regularizer": ...
    @overload
    def __call__(self, strength: Tensor, **options: Any) -> Any: ...
    def __call__(self, strength: Any = None, **options: Any) -> Any:
        for name, value in options.items():
            check_name(f"option of {self.name}", name, self.options)
            if not is_like(value, self.options[name]):
                raise VizkitError(f"{name} of {self.name} is like {self.options[name]!r}, not {value!r}.")
        if isinstance(strength, Tensor) and strength.ndim == 4:
            return Part(self, self.default, options)(strength)
        if hasattr(strength, "tolist"):  # of numpy or torch
            if strength.ndim > 1:
                raise VizkitError(f"{self.name} takes a strength, or images in 4-d, not {tuple(strength.shape)}.")
            strength = strength.tolist()
        if isinstance(strength, Sequence) and not isinstance(strength, str) and len(strength):
            return side_by_side([self._part(one, options) for one in strength])
        return self._part(self.default if strength is None else strength, options)

    def __reduce__(self) -> str | tuple[Any, ...]:
        """To another process vizkit's own go by their names, and people's with the code of their functions, which no
        module there need have."""
        if self.__module__.startswith(f"{__package__}."):
            return self.name
        return _as_it_was, (cloudpickle.dumps(self.function), self.place, self.strengths, self.default)

    def _part(self, strength: Any, options: dict[str, Any]) -> "Regularizer":
        if self.strengths is None and strength not in (0, 1):
            raise VizkitError(f"{self.name} takes no strength: write vizkit.{self.name}(), not {strength!r}.")
        strength = getattr(strength, "item", lambda: strength)()
        if not is_finite(strength) or strength < 0:
            low, high = self.strengths or (0, 1)
            usual = f"a finite number from 0 up, or one an image, sensibly {low:g} to {high:g}"
            raise VizkitError(f"The strength of {self.name} must be {usual}, not {strength!r}.")
        return Regularizer(((Part(self, strength, options),),))


@dataclass(frozen=True)
class Part:
    """One regularizer of a sum: what it is, how strong, and options that differ from the usual."""

    kind: Kind
    strength: float
    options: dict[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        whole = repr(int(self.strength) if self.strength == int(self.strength) else self.strength)
        strength = [] if self.kind.strengths is None and self.strength else [whole]
        return f"vizkit.{self.kind.name}({', '.join(strength + [f'{k}={v!r}' for k, v in self.options.items()])})"

    def __call__(self, image: Tensor, *, seed: int = 0, nth: int = 0, **context: Any) -> Tensor:
        """What the function gives; `nth` tells parts of the same kind apart."""
        kind = self.kind
        if self.strength == 0 and kind.place != "penalty":
            return image
        known = {"step": 0} | context | {"image": image, "strength": self.strength}
        if "generator" in kind.asks and "generator" not in context:
            # Randomness of its own, by name: no other part and no other image of the batch changes what it draws.
            name = f"{seed} {known['step']} {kind.name} {nth}"
            known["generator"] = torch.Generator().manual_seed(zlib.crc32(name.encode()))
        needed = (name for name, usual in kind.asks.items() if usual is inspect.Parameter.empty)
        if missing := sorted(name for name in needed if known.get(name) is None):
            raise VizkitError(f"{kind.name} has to know {', '.join(f'{one}=…' for one in missing)}, as an ascent does.")
        result = kind.function(**{name: known[name] for name in kind.asks.keys() & known.keys()}, **self.options)
        expected = image.shape[:1] if kind.place == "penalty" else image.shape
        if kind.place == "view" and isinstance(result, Tensor) and result.ndim == 4 and len(result):  # of any size
            expected = (len(result) // len(image) * len(image), image.shape[1], *result.shape[2:])  # type: ignore[assignment]
        if getattr(result, "shape", None) != expected:
            got = tuple(result.shape) if isinstance(result, Tensor) else type(result).__name__
            hint = " Sum over all but the first dimension." if kind.place == "penalty" else ""
            wanted = f"shape {tuple(expected)} for images of shape {tuple(image.shape)}"
            raise VizkitError(f"The {kind.place} {kind.name} must return {wanted}, not {got}.{hint}")
        return result


@dataclass(frozen=True)
class Regularizer:
    """
    >>> vizkit.l2(1e-4) + vizkit.jitter(8)
    vizkit.l2(0.0001) + vizkit.jitter(8)

    A sum of regularizers, each with its strength: one for all images, or, `side_by_side`, one for each. It never
    changes: adding gives a new one.
    """

    each: tuple[tuple[Part, ...], ...] = ((),)  # the parts of every sum

    def __add__(self, other: "Regularizer") -> "Regularizer":
        if not isinstance(other, Regularizer):
            return NotImplemented
        if self.batch > 1 and other.batch not in (1, self.batch):
            raise VizkitError(f"{self} is for {self.batch} images, {other} for {other.batch}.")
        mine, others = self.each * (other.batch // self.batch or 1), other.each * (self.batch // other.batch or 1)
        return Regularizer(tuple(one + added for one, added in zip(mine, others, strict=True)))

    def __radd__(self, other: Any) -> "Regularizer":
        return self if other == 0 else NotImplemented  # so that sum([...]) works

    def __repr__(self) -> str:
        sums = [" + ".join(map(repr, parts)) or "vizkit.none()" for parts in self.each]
        return sums[0] if self.batch == 1 else f"vizkit.side_by_side([{', '.join(sums)}])"

    @property
    def parts(self) -> tuple[Part, ...]:
        """The parts of the sum; of the first image's, where each has its own."""
        return self.each[0]

    @property
    def batch(self) -> int:
        """How many images it is for; 1: any number."""
        return len(self.each)

    def acts(self, place: Place) -> bool:
        """Whether any part acts there."""
        return any(part.kind.place == place for parts in self.each for part in parts)

    def asks(self, name: str) -> bool:
        """Whether any part asks for it."""
        return any(name in part.kind.asks for parts in self.each for part in parts)

    def without(self, name: str) -> "Regularizer":
        """What is left without the parts that ask for it."""
        return Regularizer(tuple(tuple(part for part in parts if name not in part.kind.asks) for parts in self.each))

    def penalty(self, image: Tensor, *, activations: Sequence[Activations] = (), **context: Any) -> Tensor:
        """What is subtracted from the class score of each image, strengths included: shape (batch,)."""
        if self.batch > 1:
            each = [(one, its, [layer.of(its) for layer in activations]) for one, its in self._alike()]
            return torch.cat([one.penalty(image[its], activations=theirs, **context) for one, its, theirs in each])
        context["activations"] = activations or None
        # The strength multiplies from outside, so that a penalty is the plain formula on the image.
        costs = (part.strength * part(image, **context) for _, part in self._at("penalty"))
        return sum(costs, image.new_zeros(len(image)))

    def view(self, image: Tensor, **context: Any) -> Tensor:
        """What the network is shown in this step: (views · batch, channels, height, width), view by view."""
        if self.batch > 1:
            each = [(one.view(image[its], **context), len(image[its])) for one, its in self._alike()]
            shown = [views.reshape(-1, count, *views.shape[1:]) for views, count in each]
            if len({views.shape[2:] for views in shown}) > 1:
                raise VizkitError(f"The images of one batch are shown in one size, and here they differ: {self}.")
            most = math.lcm(*map(len, shown))  # whoever has fewer views shows them more often: their mean is the same
            return torch.cat([views.repeat(most // len(views), 1, 1, 1, 1) for views in shown], dim=1).flatten(0, 1)
        batch = len(image)
        for nth, part in self._at("view"):
            image = part(image, nth=nth, views=len(image) // batch, **context)
        return image

    def project(self, image: Tensor, *, gradient: Tensor | None = None, **context: Any) -> Tensor:
        """The image after the update, put right."""
        if self.batch > 1:
            slices = [(one, its, gradient if gradient is None else gradient[its]) for one, its in self._alike()]
            return torch.cat([one.project(image[its], gradient=uphill, **context) for one, its, uphill in slices])
        for nth, part in self._at("projection"):
            image = part(image, nth=nth, gradient=gradient, **context)
        return image

    def _at(self, place: Place) -> Iterator[tuple[int, Part]]:
        """The parts that act there; each with the number of parts of its kind that stand before it."""
        for index, part in enumerate(self.parts):
            if part.kind.place == place:
                yield sum(other.kind is part.kind for other in self.parts[:index]), part

    def _alike(self) -> Iterator[tuple["Regularizer", slice]]:
        """Neighbours that have the same sum, together; each image has the same randomness, as if it grew alone."""
        start = 0
        for parts, alike in groupby(self.each):
            stop = start + len(list(alike))
            yield Regularizer((parts,)), slice(start, stop)
            start = stop


def side_by_side(regularizers: Sequence[Regularizer]) -> Regularizer:
    """
    >>> vizkit.side_by_side([vizkit.none(), vizkit.l2(1e-3)]) + vizkit.jitter(8)
    vizkit.side_by_side([vizkit.jitter(8), vizkit.l2(0.001) + vizkit.jitter(8)])

    One regularizer for a batch, in which each image gets its own of the list.
    """
    if not regularizers or not all(isinstance(one, Regularizer) and one.batch == 1 for one in regularizers):
        raise VizkitError(f"side_by_side takes regularizers like vizkit.l2(1e-4), one an image, not {regularizers!r}.")
    return Regularizer(tuple(one.parts for one in regularizers))


def none() -> Regularizer:
    """
    >>> vizkit.none() + vizkit.l2(1e-4)
    vizkit.l2(0.0001)

    No regularizer at all: the score alone.
    """
    return Regularizer()


def _as_it_was(function: bytes, *how: Any) -> Kind:
    return as_kind(pickle.loads(function), *how)


def as_kind(function: Function, place: Place, strengths: Range | None, default: float | None) -> Kind:
    """The `Kind` that a plain function is; see `vizkit.regularizer`."""
    check_name("place of a step", place, CONTEXT)
    if strengths is not None and not (len(strengths) == 2 and 0 <= strengths[0] < strengths[1]):
        raise VizkitError(f"strengths must be (low, high) with 0 <= low < high, not {strengths}.")
    name, known = getattr(function, "__name__", type(function).__name__), CONTEXT[place]
    given = {p.name: p.default for p in inspect.signature(function).parameters.values()}
    asks = {one: usual for one, usual in given.items() if one in known}
    options = {one: usual for one, usual in given.items() if one not in known}
    unknown = [one for one, usual in options.items() if usual is inspect.Parameter.empty]
    if unknown:
        hint = f"Known: {', '.join(known)}; give the others a default."
        raise VizkitError(f"{name} asks for {unknown}, which a {place} cannot have. {hint}")
    low, high = strengths or (1.0, 1.0)
    middle = default if default is not None else math.sqrt(max(low, 1e-4 * high) * high)
    made = Kind(name, place, function, strengths, middle, options, asks)
    vars(made).update(__doc__=function.__doc__, __module__=function.__module__)
    return made
