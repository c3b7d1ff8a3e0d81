"""Every regularizer, and the one mechanism for all.

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
from typing import Any, Literal, get_args

import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision.transforms.functional import gaussian_blur as torchvision_blur

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
    a projection returns images, and may ask by name for what `vizkit.regularizers` lists. Raises `VizkitError` for an
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


@regularizer("penalty", strengths=(1e-6, 1e-1), default=1e-4)
def l2(image: Tensor, low: Tensor | None = None, about: str = "grey", mean: bool = False) -> Tensor:
    """
    >>> vizkit.l2(1e-4).penalty(torch.full((1, 3, 2, 2), 2.0))
    tensor([0.0048])

    The squared length of the image, Σ x², a sum over pixels and channels: extreme values cost most, so pictures turn
    greyer. Simonyan, Vedaldi, Zisserman 2014 (arXiv 1312.6034), section 2. `about="black"` measures from black instead
    of from zero, which is mid-grey or the mean colour; `mean=True` takes the mean instead of the sum.
    """
    return _total(_from(image, low, about).square(), mean)


@regularizer("penalty", strengths=(1e-6, 1e-1), default=1e-4)
def l1(image: Tensor, low: Tensor | None = None, about: str = "grey", mean: bool = False) -> Tensor:
    """
    >>> vizkit.l1(1e-4).penalty(torch.full((1, 3, 2, 2), -2.0))
    tensor([0.0024])

    Σ |x|, a sum over pixels and channels: every value pays the same toll, so many pixels end near zero. Zero is grey in
    a zero-centred image; with `about="black"` they end near black. `mean=True` takes the mean instead of the sum.
    """
    return _total(_from(image, low, about).abs(), mean)


@regularizer("penalty", strengths=(1e-8, 1e-2), default=1e-5)
def lp(image: Tensor, p: float = 6.0) -> Tensor:
    """
    >>> vizkit.lp(1e-4, p=4).penalty(torch.full((1, 3, 2, 2), 2.0))
    tensor([0.0192])

    Σ |x|ᵖ, a sum over pixels and channels; a large p leaves all but the extremes alone. Mahendran & Vedaldi 2015
    (arXiv 1412.0035), section 2.1, with p = 6.
    """
    return _total(image.abs().pow(p), mean=False)


@regularizer("penalty", strengths=(1e-6, 1e-1), default=1e-3)
def total_variation(image: Tensor, mean: bool = False) -> Tensor:
    """
    >>> vizkit.total_variation(1e-3).penalty(torch.eye(2).reshape(1, 1, 2, 2))
    tensor([0.0040])

    Σ |x − its right neighbour| + |x − the neighbour below|, a sum over pixels and channels: noise costs, edges less.
    `mean=True` divides it by the number of pixels and channels.
    """
    across = image.diff(dim=-1).abs().sum(dim=(1, 2, 3))
    down = image.diff(dim=-2).abs().sum(dim=(1, 2, 3))
    return (across + down) / (image[0].numel() if mean else 1)


@regularizer("view", strengths=(1, 32), default=8)
def jitter(image: Tensor, strength: float, generator: torch.Generator, one_sided: bool = False) -> Tensor:
    """
    >>> vizkit.jitter(8)
    vizkit.jitter(8)

    Shows the network the image rolled by up to `strength` pixels, anew each step, so that no detail can rely on its
    exact place; `one_sided` rolls down and right only. Mordvintsev et al. 2015 (DeepDream).
    """
    reach = round(strength)
    down, right = torch.randint(0 if one_sided else -reach, reach + 1, (2,), generator=generator).tolist()
    return image.roll((down, right), dims=(2, 3))


@regularizer("view", strengths=(1, 45), default=10)
def scale_and_rotate(image: Tensor, strength: float, generator: torch.Generator, scale: float = 0.1) -> Tensor:
    """
    >>> vizkit.scale_and_rotate(10, scale=0.1)
    vizkit.scale_and_rotate(10, scale=0.1)

    Shows the network the image turned by up to `strength` degrees and scaled by 1 ± `scale`, anew each step; what
    lies beyond the edge is mirrored. Olah, Mordvintsev, Schubert 2017 (Feature Visualization), "transformation
    robustness".
    """
    turn, size = (2 * torch.rand(2, generator=generator) - 1).tolist()
    return _window(image, turn=strength * turn, side=1 / (1 + scale * size))


@regularizer("view", strengths=(0.1, 1), default=0.5)
def crops(
    image: Tensor,
    strength: float,
    generator: torch.Generator,
    largest: float = 1.0,
    turn: float = 0.0,
    count: int = 1,
    size: float = 1.0,
    centre_spread: float | None = None,
) -> Tensor:
    """
    >>> vizkit.crops(0.5, count=2)
    vizkit.crops(0.5, count=2)

    Shows the network `count` random parts of the image, whose side is `strength` to `largest` of the image's, turned by
    up to `turn` degrees and resized to `size` of its side; the class score is then the mean over them. The parts lie
    inside the image, or, with `centre_spread`, about its centre with that standard deviation, in sides. What every part
    shows must be the thing itself. Fel et al. 2023 (arXiv 2306.06805), section 3.
    """
    views = []
    for _ in range(count):
        share, down, right, angle = torch.rand(4, generator=generator).tolist()
        side = strength + (largest - strength) * share
        shift = [(1 - side) * (2 * down - 1), (1 - side) * (2 * right - 1)]
        if centre_spread is not None:
            shift = (2 * centre_spread * torch.randn(2, generator=generator)).clamp(side - 1, 1 - side).tolist()
        views.append(_window(image, turn * (2 * angle - 1), side, shift, size))
    return torch.cat(views)


@regularizer("view", strengths=None)
def mirror(image: Tensor, generator: torch.Generator, views: int = 1) -> Tensor:
    """
    >>> vizkit.mirror()
    vizkit.mirror()

    Shows the network the image or, every other time, its mirror image: most things have no left and right.
    """
    flips = (torch.rand(views, generator=generator) < 0.5).tolist()
    return torch.cat([view.flip(-1) if flip else view for view, flip in zip(image.chunk(views), flips, strict=True)])


@regularizer("view", strengths=(0.05, 0.6), default=0.3)
def cut_out(
    image: Tensor, strength: float, generator: torch.Generator, low: Tensor, high: Tensor, views: int = 1
) -> Tensor:
    """
    >>> vizkit.cut_out(0.3)
    vizkit.cut_out(0.3)

    Hides a random square of `strength` of the image's side behind mid-grey, anew in each view and step: no single
    detail may carry the whole score. DeVries & Taylor 2017 (arXiv 1708.04552), there for training.
    """
    height, width = image.shape[-2:]
    tall, wide = round(strength * height), round(strength * width)
    shown = torch.ones(views, 1, 1, height, width, device=image.device)
    for view in shown:
        top = int(torch.randint(height - tall + 1, (1,), generator=generator))
        left = int(torch.randint(width - wide + 1, (1,), generator=generator))
        view[..., top : top + tall, left : left + wide] = 0
    mask = shown.expand(-1, len(image) // views, -1, -1, -1).flatten(0, 1)
    return image * mask + (low + high) / 2 * (1 - mask)


@regularizer("view", strengths=(0.01, 1), default=0.05)
def noise(image: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """
    >>> vizkit.noise(0.05)
    vizkit.noise(0.05)

    Shows the network the image with normal noise of this standard deviation: patterns finer than it do not count.
    Smilkov et al. 2017 (arXiv 1706.03825), there for saliency.
    """
    return image + strength * torch.randn(image.shape[1:], generator=generator).to(image.device)


@regularizer("view", strengths=(1, 64), default=12)
def pad(image: Tensor, strength: float, low: Tensor, high: Tensor) -> Tensor:
    """
    >>> vizkit.pad(12)
    vizkit.pad(12)

    Shows the network the image with a mid-grey frame of `strength` pixels, which later views may shift into sight.
    Lucid (lucid/optvis/transform.py).
    """
    grey = (low + high) / 2
    return F.pad(image - grey, [round(strength)] * 4) + grey


@regularizer("view", strengths=(16, 512), default=224)
def resize(image: Tensor, strength: float) -> Tensor:
    """
    >>> vizkit.resize(224)
    vizkit.resize(224)

    Shows the network the image at `strength` pixels a side, bilinear.
    """
    return F.interpolate(image, size=[round(strength)] * 2, mode="bilinear", align_corners=False)


def _window(
    image: Tensor, turn: float = 0.0, side: float = 1.0, shift: Sequence[float] = (0.0, 0.0), size: float = 1.0
) -> Tensor:
    """A window on the image, with `side` of its side, `turn`ed in degrees, its centre at `shift` (down, right, in
    [−1, 1]), at `size` times the resolution; bilinear, mirrored at the edges."""
    height, width = image.shape[-2:]
    cosine, sine = side * math.cos(math.radians(turn)), side * math.sin(math.radians(turn))
    down, right = shift
    matrix = image.new_tensor([[cosine, -sine * height / width, right], [sine * width / height, cosine, down]])
    shape = [*image.shape[:2], round(size * height), round(size * width)]
    grid = F.affine_grid(matrix.expand(len(image), 2, 3), shape, align_corners=False)
    return F.grid_sample(image, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


@regularizer("projection", strengths=(0.1, 4), default=0.5)
def gaussian_blur(image: Tensor, strength: float, step: int, every: int = 1, first: int | None = None) -> Tensor:
    """
    >>> vizkit.gaussian_blur(0.5, every=4)
    vizkit.gaussian_blur(0.5, every=4)

    Blurs the image after every `every`-th step, with a standard deviation of `strength` pixels, mirrored at the edges:
    high frequencies are what an ascent overdoes. The first time after the step of index `first`, by default
    `every` − 1. Yosinski et al. 2015 (arXiv 1506.06579), section 4.
    """
    if (step - (every - 1 if first is None else first)) % max(every, 1):
        return image
    radius = min(round(4 * strength), min(image.shape[-2:]) - 1)
    if not radius:
        return image
    for dim in (2, 3):  # the mirror stands beyond the last pixel, as in scipy, where torchvision's stands on it
        ends = image.narrow(dim, 0, radius).flip(dim), image.narrow(dim, -radius, radius).flip(dim)
        image = torch.cat([ends[0], image, ends[1]], dim)
    blurred: Tensor = torchvision_blur(image, [2 * radius + 1] * 2, [strength] * 2)
    return blurred[:, :, radius:-radius, radius:-radius]


@regularizer("projection", strengths=(1e-4, 0.3), default=0.01)
def decay(image: Tensor, strength: float) -> Tensor:
    """
    >>> vizkit.decay(0.01)
    vizkit.decay(0.01)

    Pulls every value towards zero: x becomes (1 − strength) · x. Yosinski et al. 2015, section 4: L2 decay.
    """
    return image * (1 - strength)


@regularizer("projection", strengths=(1, 95), default=20)
def clip_small_norm(image: Tensor, strength: float) -> Tensor:
    """
    >>> vizkit.clip_small_norm(50)
    vizkit.clip_small_norm(50)

    Sets to zero the pixels whose norm over the channels is below the image's `strength`-th percentile. Yosinski et
    al. 2015, section 4.
    """
    return _keep_largest(image, image.square().sum(dim=1, keepdim=True).sqrt(), strength)


@regularizer("projection", strengths=(1, 95), default=20)
def clip_small_contribution(image: Tensor, strength: float, gradient: Tensor) -> Tensor:
    """
    >>> vizkit.clip_small_contribution(90)
    vizkit.clip_small_contribution(90)

    Sets to zero the pixels whose contribution to the score, |Σ x · gradient| over the channels, is below the image's
    `strength`-th percentile. Yosinski et al. 2015, section 4.
    """
    return _keep_largest(image, (image * gradient).sum(dim=1, keepdim=True).abs(), strength)


@regularizer("projection", strengths=(1e-5, 0.5), default=0.01)
def soft_threshold(image: Tensor, strength: float) -> Tensor:
    """
    >>> vizkit.soft_threshold(0.01)
    vizkit.soft_threshold(0.01)

    Moves every value towards zero by `strength`, and stops there: L1's exact zeros, where the penalty only comes near
    (the proximal step of L1; Beck & Teboulle 2009, section 1).
    """
    return image.sign() * (image.abs() - strength).clamp(min=0)


@regularizer("projection", strengths=None)
def clamp(image: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """
    >>> vizkit.clamp()
    vizkit.clamp()

    Keeps the image to values that a picture can have: from black to white, in every channel.
    """
    return torch.maximum(torch.minimum(image, high), low)


@regularizer("projection", strengths=None)
def round_to_bytes(image: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """
    >>> vizkit.round_to_bytes()
    vizkit.round_to_bytes()

    Makes the image one that 8 bits can hold: cut off at black and white, and rounded to 256 levels a channel.
    """
    levels = ((clamp.function(image, low, high) - low) / (high - low) * 255).round()
    return low + levels / 255 * (high - low)


@regularizer("projection", strengths=(1, 16), default=4)
def shake(image: Tensor, strength: float, generator: torch.Generator, turn: float = 1.0) -> Tensor:
    """
    >>> vizkit.shake(4)
    vizkit.shake(4)

    Rolls the image itself by up to `strength` pixels and turns it by up to `turn` degrees, and never undoes it, unlike
    the view `jitter`. tf-keras-vis (tf_keras_vis/activation_maximization/input_modifiers.py).
    """
    angle = turn * float(2 * torch.rand(1, generator=generator) - 1)
    rolled: Tensor = jitter.function(image, strength, generator)
    return _window(rolled, turn=angle)


def side_by_side(regularizers: Sequence[Regularizer]) -> Regularizer:
    """
    >>> vizkit.regularizers.side_by_side([vizkit.none(), vizkit.l2(1e-3), vizkit.l1(1e-3)])
    vizkit.l2([0, 0.001, 0]) + vizkit.l1([0, 0, 0.001])

    One regularizer for a batch, in which each image gets its own of the list.
    """

    merged: list[Part] = []
    for index, one in enumerate(regularizers):
        for place in get_args(Place):
            at = -1  # where this one's last part stands: the next one must come after it
            for _, part in one._at(place):
                if isinstance(part.strength, tuple):
                    raise VizkitError("side_by_side takes regularizers with one strength each.")
                alike = [i for i, m in enumerate(merged) if i > at and (m.kind, m.options) == (part.kind, part.options)]
                at = alike[0] if alike else len(merged)
                if not alike:
                    merged.append(replace(part, strength=(0,) * len(regularizers)))
                before = merged[at].strength
                after = tuple(part.strength if i == index else s for i, s in enumerate(before))  # type: ignore[arg-type]
                merged[at] = replace(part, strength=after)
    return Regularizer(tuple(merged))


def _from(image: Tensor, low: Tensor | None, about: str) -> Tensor:
    """The image measured from zero, which is grey, or from black."""
    if about not in ("grey", "black"):
        raise VizkitError(f'A penalty is about "grey" or "black", not {about!r}.')
    return image if about == "grey" or low is None else image - low


def _total(values: Tensor, mean: bool) -> Tensor:
    return values.mean(dim=(1, 2, 3)) if mean else values.sum(dim=(1, 2, 3))


def _keep_largest(image: Tensor, measure: Tensor, percentile: float) -> Tensor:
    threshold = torch.quantile(measure.flatten(1), min(percentile, 100) / 100, dim=1)
    return image * (measure >= threshold[:, None, None, None])


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
