"""The one mechanism for all regularizers.

A regularizer acts in one of three places of a step: a *penalty* is a number per image that is subtracted from the
class score; a *view* changes what the network is shown in this step; a *projection* changes the image after the
update. All work on zero-centred images, (batch, channels, height, width), and treat each image alone.

What a regularizer's function needs it asks for by name, among: `image`, `strength`, `step` (0, 1, …), `generator`
(randomness that follows from the ascent's seed, the step and the regularizer's name alone), `gradient` (of the step's
objective with respect to the image), `low` and `high` (the valid range: what black and white are in this network's
input), `views` (how many views of each image an earlier view has made). Others, with defaults, are its options.
"""

import inspect
import math
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import torch
from torch import Tensor

from .errors import VizkitError

Place = Literal["penalty", "view", "projection"]
Strength = float | tuple[float, ...]
CONTEXT = ("image", "strength", "step", "generator", "low", "high", "views", "gradient")

_catalogue: dict[str, "Kind"] = {}


@dataclass(frozen=True)
class Kind:
    """
    >>> vizkit.l2.place, vizkit.l2.strengths
    ('penalty', (1e-06, 0.1))

    What a regularizer does, where, and how strongly it sensibly can; call it with a strength to get a `Regularizer`.
    Made by `@vizkit.regularizer`.
    """

    name: str
    place: Place
    function: Callable[..., Tensor]
    strengths: tuple[float, float] | None
    default: float
    options: dict[str, Any]
    asks: frozenset[str]

    def __call__(self, strength: float | Sequence[float] | None = None, **options: Any) -> "Regularizer":
        unknown = options.keys() - self.options.keys()
        if unknown:
            raise VizkitError(f"{self.name} has no option {sorted(unknown)}; it has {sorted(self.options) or 'none'}.")
        if self.strengths is None:
            if strength is not None and (not isinstance(strength, (list, tuple)) or set(strength) - {0, 1}):
                raise VizkitError(
                    f"{self.name} takes no strength: write vizkit.{self.name}(), or 0 or 1 for each of several images."
                )
            strength = 1.0 if strength is None else strength
        return Regularizer((Part(self, _checked(self.default if strength is None else strength, self), options),))


@dataclass(frozen=True)
class Part:
    """One regularizer of a sum: what it is, how strong (a number, or one an image), and options that differ."""

    kind: Kind
    strength: Strength
    options: dict[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        plain = self.kind.strengths is None and not isinstance(self.strength, tuple)
        strength = [] if plain else [as_code(self.strength)]
        return f"vizkit.{self.kind.name}({', '.join(strength + [f'{k}={v!r}' for k, v in self.options.items()])})"

    def __call__(self, **context: Any) -> Tensor:
        """What the function gives; with one strength an image, each image gets its own, and the same randomness."""
        if self.kind.place == "penalty" or not isinstance(self.strength, tuple):
            return self._on(self.strength, context)
        results, nths = [], context.get("nth", 0)
        for index, strength in enumerate(self.strength):
            # Several views an image stand view by view: those of one image are as many rows apart as there are images.
            one = {k: v[index :: len(self.strength)] if k in ("image", "gradient") else v for k, v in context.items()}
            if isinstance(nths, tuple):
                one["nth"] = nths[index]
            results.append(self._on(strength, one))
        views = max(map(len, results))  # of strength 0 it has one: as often as the others, its mean is the same
        return torch.stack([r.repeat(views // len(r), 1, 1, 1) for r in results], dim=1).flatten(0, 1)

    def _on(self, strength: Strength, context: dict[str, Any]) -> Tensor:
        if strength == 0 and self.kind.place != "penalty":
            return context["image"]  # type: ignore[no-any-return]
        known = context | {"strength": strength}
        if "seed" in context and "generator" in self.kind.asks:
            # Randomness of its own, by name: no other part and no other image of the batch changes what it draws.
            name = f"{context['seed']} {context['step']} {self.kind.name} {context['nth']}"
            known["generator"] = torch.Generator().manual_seed(zlib.crc32(name.encode()))
        result = self.kind.function(**{name: known[name] for name in self.kind.asks if name in known}, **self.options)
        image: Tensor = context["image"]
        expected = image.shape[:1] if self.kind.place == "penalty" else image.shape
        fits = isinstance(result, Tensor) and (
            result.ndim == 4 and result.shape[1] == image.shape[1] and len(result) % len(image) == 0
            if self.kind.place == "view"
            else result.shape == expected
        )
        if not fits:
            got = tuple(result.shape) if isinstance(result, Tensor) else type(result).__name__
            raise VizkitError(
                f"The {self.kind.place} {self.kind.name} must return shape {tuple(expected)} for images of shape "
                f"{tuple(image.shape)}, not {got}."
                + (" Sum over all but the first dimension." if self.kind.place == "penalty" else "")
            )
        return result


@dataclass(frozen=True)
class Regularizer:
    """
    >>> vizkit.l2(1e-4) + vizkit.jitter(8)
    vizkit.l2(0.0001) + vizkit.jitter(8)

    A sum of regularizers, each with its strength. It never changes: `with_strength` gives a new one.
    """

    parts: tuple[Part, ...] = ()

    def __add__(self, other: "Regularizer") -> "Regularizer":
        return Regularizer(self.parts + other.parts) if isinstance(other, Regularizer) else NotImplemented

    def __repr__(self) -> str:
        return " + ".join(map(repr, self.parts)) or "vizkit.none()"

    def with_strength(self, strength: float | Sequence[float], part: int = 0) -> "Regularizer":
        """The same sum with another strength for one of its parts."""
        changed = replace(self.parts[part], strength=_checked(strength, self.parts[part].kind))
        return Regularizer((*self.parts[:part], changed, *self.parts[part + 1 :]))

    @property
    def batch(self) -> int:
        """How many images its strengths are for: 1 where every strength is a plain number."""
        return max((len(part.strength) for part in self.parts if isinstance(part.strength, tuple)), default=1)

    def penalty(self, image: Tensor, **context: Any) -> Tensor:
        """What is subtracted from the class score of each image, strengths included: shape (batch,)."""
        total = image.new_zeros(len(image))
        for _, part in self._at("penalty"):
            # The strength multiplies from outside, so that a penalty is the plain formula on the image.
            total = total + torch.as_tensor(part.strength, dtype=image.dtype, device=image.device) * part(
                image=image, **context
            )
        return total

    def view(self, image: Tensor, **context: Any) -> Tensor:
        """What the network is shown in this step."""
        batch = len(image)
        for nth, part in self._at("view"):
            image = part(image=image, nth=nth, views=len(image) // batch, **context)
        return image

    def project(self, image: Tensor, **context: Any) -> Tensor:
        """The image after the update, put right."""
        for nth, part in self._at("projection"):
            image = part(image=image, nth=nth, **context)
        return image

    @property
    def projects(self) -> bool:
        """Whether any part is a projection."""
        return any(self._at("projection"))

    @property
    def views(self) -> bool:
        """Whether any part is a view."""
        return any(self._at("view"))

    def _at(self, place: Place) -> Iterator[tuple[int, Part]]:
        """The parts that act there; each with a number, that tells parts of the same kind apart."""
        for index, part in enumerate(self.parts):
            if part.kind.place == place:
                yield self._nth(index), part

    def _nth(self, index: int) -> Any:
        """How many parts of its kind stand before it; one number an image, where strengths of 0 make them differ."""
        part = self.parts[index]
        before = [other.strength for other in self.parts[:index] if other.kind is part.kind]
        if not isinstance(part.strength, tuple):
            return len(before)
        return tuple(
            sum(not isinstance(strength, tuple) or strength[image] != 0 for strength in before)
            for image in range(len(part.strength))
        )


def regularizer(
    place: Place = "penalty", *, strengths: tuple[float, float] | None = (1e-6, 1e-1), default: float | None = None
) -> Callable[[Callable[..., Tensor]], Kind]:
    """
    >>> @vizkit.regularizer("penalty", strengths=(1e-6, 1e-2))
    ... def roughness(image):
    ...     return image.diff(dim=-1).square().sum(dim=(1, 2, 3))
    >>> roughness(1e-3)
    vizkit.roughness(0.001)

    Makes a regularizer of a plain function, and puts it on the Explorer's list. `strengths` is the sensible range,
    for a slider, and None where there is nothing to set; `default` is the strength when none is given (by default the
    middle of the range, on a log scale). A penalty takes `image` and returns one number an image, (batch,); a view or
    a projection returns images, and may ask by name for what `vizkit.regularization` lists. Raises `VizkitError` for an
    argument that is neither one of those names nor has a default.
    """
    if place not in ("penalty", "view", "projection"):
        raise VizkitError(f'A regularizer acts as "penalty", "view" or "projection", not "{place}".')
    if strengths is not None and not (len(strengths) == 2 and 0 <= strengths[0] < strengths[1]):
        raise VizkitError(f"strengths must be (low, high) with 0 <= low < high, not {strengths}.")

    def make(function: Callable[..., Tensor]) -> Kind:
        parameters = inspect.signature(function).parameters.values()
        known = {"penalty": ("image", "low", "high"), "view": CONTEXT[:-1], "projection": CONTEXT}[place]
        options = {p.name: p.default for p in parameters if p.name not in known}
        unknown = [name for name, value in options.items() if value is inspect.Parameter.empty]
        if unknown:
            raise VizkitError(
                f"{function.__name__} asks for {unknown}, which a {place} cannot have. "
                f"Known: {', '.join(known)}; give the others a default."
            )
        asks = frozenset(p.name for p in parameters if p.name in known)
        low, high = strengths or (0.0, 0.0)
        middle = default if default is not None else math.sqrt(max(low, 1e-4 * high) * high)
        kind = Kind(function.__name__, place, function, strengths, middle, options, asks)
        object.__setattr__(kind, "__doc__", function.__doc__)
        _catalogue[kind.name] = kind
        return kind

    return make


def catalogue() -> dict[str, Kind]:
    """
    >>> list(vizkit.regularizers.catalogue())[:3]
    ['l2', 'l1', 'lp']

    Every regularizer by name: vizkit's own, then yours.
    """
    return dict(_catalogue)


def none() -> Regularizer:
    """
    >>> vizkit.none() + vizkit.l2(1e-4)
    vizkit.l2(0.0001)

    No regularizer at all: the score alone.
    """
    return Regularizer()


def _checked(strength: float | Sequence[float], kind: Kind) -> Strength:
    if hasattr(strength, "tolist"):  # of numpy or torch
        strength = strength.tolist()
    values = tuple(strength) if isinstance(strength, Sequence) else (strength,)
    values = tuple(v.item() if hasattr(v, "item") else v for v in values)
    if not values or not all(isinstance(v, (int, float)) and 0 <= v <= sys.float_info.max for v in values):
        low, high = kind.strengths or (0, 0)
        raise VizkitError(
            f"The strength of {kind.name} must be a finite number from 0 up, or one an image, not {strength!r}. "
            f"Sensible: {low:g} to {high:g}."
        )
    return values if len(values) > 1 else values[0]


def as_code(strength: Strength) -> str:
    """A strength as it is written in Python: 8 for 8.0, and a list for one an image."""
    if isinstance(strength, tuple):
        return "[" + ", ".join(map(as_code, strength)) + "]"
    return repr(int(strength)) if strength == int(strength) else repr(strength)
