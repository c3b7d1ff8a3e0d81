"""Every regularizer: penalties, views, projections, and people's own. What they are is in `regularization`."""

import math
import sys
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Generator, Tensor
from torch.nn import functional as F
from torchvision.transforms import functional as vision

from .errors import VizkitError, check_name
from .networks import Activations, resized
from .regularization import Function, Kind, Place, Range, as_kind

__all__ = ["clamp", "clip_small_contribution", "clip_small_norm", "crops", "cut_out", "decay", "fit", "gaussian_blur"]
__all__ += ["jitter", "l1", "l2", "lp", "mirror", "natural_statistics", "noise", "pad", "regularizer", "resize"]
__all__ += ["round_to_bytes", "scale_and_rotate", "shake", "soft_threshold", "total_variation"]


_known: dict[str, Kind] = {}


def regularizer(
    place: Place | Function = "penalty", *, strengths: Range | None = (1e-6, 1e-1), default: float | None = None
) -> Any:
    """
    >>> @vizkit.regularizer("penalty", strengths=(1e-6, 1e-2))
    ... def roughness(image):
    ...     return image.diff(dim=-1).square().sum(dim=(1, 2, 3))
    >>> roughness(1e-3)
    vizkit.roughness(0.001)

    Makes a regularizer of a plain function, and puts it on the Explorer's list. `strengths` is the sensible range,
    for a slider, and None where there is nothing to set; `default` is the strength when none is given (by default the
    middle of the range, on a log scale). A penalty takes `image` and returns one number an image, (batch,); a view or
    a projection returns images, and may ask by name for what `vizkit.regularization` lists. Without brackets,
    `@vizkit.regularizer` makes a penalty. Raises `VizkitError` for an argument that is neither one of those names nor
    has a default, and for a name that vizkit has already: presets and saved pictures go by it.
    """
    if callable(place):
        return regularizer()(place)

    def make(function: Function) -> Kind:
        made = as_kind(function, place, strengths, default)
        if made.name in vars(sys.modules[__package__]):
            raise VizkitError(f"vizkit has a {made.name} of its own. Call yours otherwise, such as my_{made.name}.")
        _known[made.name] = made
        return made

    return make


kind: Callable[..., Callable[[Function], Kind]] = regularizer  # always with brackets


@kind("penalty", strengths=(1e-5, 3e-2), default=1e-3)
def l2(image: Tensor, low: Tensor | None = None, about: str = "grey", mean: bool = False) -> Tensor:
    """
    >>> vizkit.l2(1e-4).penalty(torch.full((1, 3, 2, 2), 2.0))
    tensor([0.0048])

    The squared length of the image, Σ x², a sum over pixels and channels: extreme values cost most, so pictures turn
    greyer. Simonyan, Vedaldi, Zisserman 2013 (arXiv 1312.6034), section 2. `about="black"` measures from black instead
    of from zero, which is mid-grey or the mean colour; `mean=True` takes the mean instead of the sum.
    """
    return _total(_from(image, low, about).square(), mean)


@kind("penalty", strengths=(1e-5, 3e-2), default=1e-3)
def l1(image: Tensor, low: Tensor | None = None, about: str = "grey", mean: bool = False) -> Tensor:
    """
    >>> vizkit.l1(1e-4).penalty(torch.full((1, 3, 2, 2), -2.0))
    tensor([0.0024])

    Σ |x|, a sum over pixels and channels: every value pays the same toll, so many pixels end near zero. Zero is grey in
    a zero-centred image; with `about="black"` they end near black. `mean=True` takes the mean instead of the sum.
    """
    return _total(_from(image, low, about).abs(), mean)


@kind("penalty", strengths=(1e-8, 1e-2), default=1e-5)
def lp(image: Tensor, p: float = 6.0) -> Tensor:
    """
    >>> vizkit.lp(1e-4, p=4).penalty(torch.full((1, 3, 2, 2), 2.0))
    tensor([0.0192])

    Σ |x|ᵖ, a sum over pixels and channels; a large p leaves all but the extremes alone. Mahendran & Vedaldi 2015
    (arXiv 1412.0035), section 2.1, with p = 6.
    """
    return _total(image.abs().pow(p), mean=False)


@kind("penalty", strengths=(1e-5, 3e-2), default=1e-3)
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


@kind("penalty", strengths=(0.1, 100), default=16)
def natural_statistics(activations: Sequence[Activations], layers: int = 5) -> Tensor:
    """
    >>> vizkit.natural_statistics(16)
    vizkit.natural_statistics(16)

    How far each channel is from what it was on photographs, as the last `layers` batch norms of the network remember
    it: the squared distance of its mean and of its spread, over places and views, in spreads; the mean over channels,
    the sum of both, the mean over layers. For networks with batch norm. Yin et al. 2020 (arXiv 1912.08795,
    DeepInversion), section 3.2, there over a batch of many classes; here of each image alone.
    """
    costs = []
    for values, mean, spread, scale in activations[-max(int(layers), 1) :]:
        variance, own = torch.var_mean(values.flatten(3), dim=(0, 3), correction=0)
        own_spread = (variance + 1e-6 * spread.square() + 1e-12).sqrt()  # at zero a root has no slope
        far = torch.stack([own - mean, own_spread - spread]) / scale
        costs.append(far.square().sum(dim=0).mean(dim=1))
    return torch.stack(costs).mean(dim=0)


@kind("view", strengths=(1, 32), default=8)
def jitter(image: Tensor, strength: float, generator: Generator, one_sided: bool = False) -> Tensor:
    """
    >>> vizkit.jitter(8)
    vizkit.jitter(8)

    Shows the network the image rolled by up to `strength` pixels, anew each step, so that no detail can rely on its
    exact place; `one_sided` rolls down and right only. Mordvintsev et al. 2015 (DeepDream).
    """
    reach = round(strength)
    down, right = torch.randint(0 if one_sided else -reach, reach + 1, (2,), generator=generator).tolist()
    return image.roll((down, right), dims=(2, 3))


@kind("view", strengths=(1, 45), default=10)
def scale_and_rotate(image: Tensor, strength: float, generator: Generator, scale: float = 0.1) -> Tensor:
    """
    >>> vizkit.scale_and_rotate(10, scale=0.1)
    vizkit.scale_and_rotate(10, scale=0.1)

    Shows the network the image turned by up to `strength` degrees and scaled by 1 ± `scale`, anew each step; what
    lies beyond the edge is mirrored. Olah, Mordvintsev, Schubert 2017 (Feature Visualization), "transformation
    robustness".
    """
    turn, size = (2 * torch.rand(2, generator=generator) - 1).tolist()
    return _window(image, turn=strength * turn, side=1 / (1 + scale * size))


@kind("view", strengths=(0.1, 1), default=0.5)
def crops(
    image: Tensor,
    strength: float,
    generator: Generator,
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


@kind("view", strengths=None)
def mirror(image: Tensor, generator: Generator, views: int = 1) -> Tensor:
    """
    >>> vizkit.mirror()
    vizkit.mirror()

    Shows the network the image or, every other time, its mirror image: most things have no left and right.
    """
    flips = (torch.rand(views, generator=generator) < 0.5).tolist()
    return torch.cat([view.flip(-1) if flip else view for view, flip in zip(image.chunk(views), flips, strict=True)])


@kind("view", strengths=(0.05, 0.6), default=0.3)
def cut_out(image: Tensor, strength: float, generator: Generator, low: Tensor, high: Tensor, views: int = 1) -> Tensor:
    """
    >>> vizkit.cut_out(0.3)
    vizkit.cut_out(0.3)

    Hides a random square of `strength` of the image's side behind mid-grey, anew in each view and step: no single
    detail may carry the whole score. DeVries & Taylor 2017 (arXiv 1708.04552), there for training.
    """
    height, width = image.shape[-2:]
    tall, wide = round(strength * height), round(strength * width)
    shown = torch.ones(views, 1, 1, height, width, dtype=torch.bool, device=image.device)
    for view in shown:
        top = int(torch.randint(height - tall + 1, (1,), generator=generator))
        left = int(torch.randint(width - wide + 1, (1,), generator=generator))
        view[..., top : top + tall, left : left + wide] = False
    mask = shown.expand(-1, len(image) // views, -1, -1, -1).flatten(0, 1)
    return torch.where(mask, image, (low + high) / 2)


@kind("view", strengths=(0.01, 1), default=0.05)
def noise(
    image: Tensor, strength: float, generator: Generator, views: int = 1, uniform: float = 0.0, each_view: bool = False
) -> Tensor:
    """
    >>> vizkit.noise(0.05)
    vizkit.noise(0.05)

    Shows the network the image with normal noise of this standard deviation: patterns finer than it do not count.
    Smilkov et al. 2017 (arXiv 1706.03825), there for saliency. `uniform` adds even noise, so many times as wide;
    with `each_view` every view of an image has noise of its own.
    """
    shape = (views if each_view else 1, 1, *image.shape[1:])
    drawn = torch.randn(shape, generator=generator)
    if uniform:
        drawn = drawn + uniform * (torch.rand(shape, generator=generator) - 0.5)
    return (image.reshape(len(drawn), -1, *image.shape[1:]) + strength * drawn.to(image.device)).flatten(0, 1)


@kind("view", strengths=(1, 64), default=12)
def pad(image: Tensor, strength: float, low: Tensor, high: Tensor) -> Tensor:
    """
    >>> vizkit.pad(12)
    vizkit.pad(12)

    Shows the network the image with a mid-grey frame of `strength` pixels, which later views may shift into sight.
    Lucid (lucid/optvis/transform.py).
    """
    grey = (low + high) / 2
    return F.pad(image - grey, [round(strength)] * 4) + grey


@kind("view", strengths=(16, 512), default=224)
def resize(image: Tensor, strength: float) -> Tensor:
    """
    >>> vizkit.resize(224)
    vizkit.resize(224)

    Shows the network the image at `strength` pixels a side, bilinear; `fit` does so at the network's own size.
    """
    return resized(image, (round(strength), round(strength)), smooth=False)


@kind("view", strengths=None)
def fit(image: Tensor, sides: tuple[int, int]) -> Tensor:
    """
    >>> vizkit.fit()
    vizkit.fit()

    Shows the network the image at the size that the network is made for.
    """
    return resized(image, sides)


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


@kind("projection", strengths=(0.1, 4), default=0.5)
def gaussian_blur(image: Tensor, strength: float, step: int, every: int = 1, first: int | None = None) -> Tensor:
    """
    >>> vizkit.gaussian_blur(0.5, every=4)
    vizkit.gaussian_blur(0.5, every=4)

    Blurs the image after every `every`-th step, with a standard deviation of `strength` pixels, mirrored at the edges:
    high frequencies are what an ascent overdoes. The first time after the step of index `first`, by default
    `every` − 1. Yosinski et al. 2015 (arXiv 1506.06579), section 3.
    """
    if (step - (every - 1 if first is None else first)) % max(every, 1):
        return image
    sides = list(image.shape[-2:])
    radius = min(round(4 * strength), min(sides) - 1)
    # The mirror stands beyond the last pixel, as in scipy, where that of the blur itself stands on it.
    image = vision.pad(image, [radius], padding_mode="symmetric")
    return vision.center_crop(vision.gaussian_blur(image, [2 * radius + 1] * 2, [strength] * 2), sides)


@kind("projection", strengths=(1e-4, 0.3), default=0.01)
def decay(image: Tensor, strength: float) -> Tensor:
    """
    >>> vizkit.decay(0.01)
    vizkit.decay(0.01)

    Pulls every value towards zero: x becomes (1 − strength) · x. Yosinski et al. 2015, section 3: L2 decay.
    """
    return image * (1 - strength)


@kind("projection", strengths=(1, 95), default=20)
def clip_small_norm(image: Tensor, strength: float) -> Tensor:
    """
    >>> vizkit.clip_small_norm(50)
    vizkit.clip_small_norm(50)

    Sets to zero the pixels whose norm over the channels is below the image's `strength`-th percentile. Yosinski et
    al. 2015, section 3.
    """
    return _keep_largest(image, image.square().sum(dim=1, keepdim=True).sqrt(), strength)


@kind("projection", strengths=(1, 95), default=20)
def clip_small_contribution(image: Tensor, strength: float, gradient: Tensor) -> Tensor:
    """
    >>> vizkit.clip_small_contribution(90)
    vizkit.clip_small_contribution(90)

    Sets to zero the pixels whose contribution to the score, |Σ x · gradient| over the channels, is below the image's
    `strength`-th percentile. Yosinski et al. 2015, section 3.
    """
    return _keep_largest(image, (image * gradient).sum(dim=1, keepdim=True).abs(), strength)


@kind("projection", strengths=(1e-5, 0.5), default=0.01)
def soft_threshold(image: Tensor, strength: float) -> Tensor:
    """
    >>> vizkit.soft_threshold(0.01)
    vizkit.soft_threshold(0.01)

    Moves every value towards zero by `strength`, and stops there: L1's exact zeros, where the penalty only comes near
    (the proximal step of L1; Beck & Teboulle 2009, section 1).
    """
    return image.sign() * (image.abs() - strength).clamp(min=0)


@kind("projection", strengths=None)
def clamp(image: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """
    >>> vizkit.clamp()
    vizkit.clamp()

    Keeps the image to values that a picture can have: from black to white, in every channel.
    """
    return torch.maximum(torch.minimum(image, high), low)


@kind("projection", strengths=None)
def round_to_bytes(image: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """
    >>> vizkit.round_to_bytes()
    vizkit.round_to_bytes()

    Makes the image one that 8 bits can hold: cut off at black and white, and rounded to 256 levels a channel.
    """
    levels = ((clamp.function(image, low, high) - low) / (high - low) * 255).round()
    return low + levels / 255 * (high - low)


@kind("projection", strengths=(1, 16), default=4)
def shake(image: Tensor, strength: float, generator: Generator, turn: float = 1.0) -> Tensor:
    """
    >>> vizkit.shake(4)
    vizkit.shake(4)

    Rolls the image itself by up to `strength` pixels and turns it by up to `turn` degrees, and never undoes it, unlike
    the view `jitter`. tf-keras-vis (tf_keras_vis/activation_maximization/input_modifiers.py).
    """
    angle = turn * float(2 * torch.rand(1, generator=generator) - 1)
    return _window(jitter.function(image, strength, generator), turn=angle)


def _from(image: Tensor, low: Tensor | None, about: str) -> Tensor:
    """The image measured from zero, which is grey, or from black."""
    check_name("value to measure a penalty from", about, ("grey", "black"))
    return image if about == "grey" or low is None else image - low


def _total(values: Tensor, mean: bool) -> Tensor:
    return values.mean(dim=(1, 2, 3)) if mean else values.sum(dim=(1, 2, 3))


def _keep_largest(image: Tensor, measure: Tensor, percentile: float) -> Tensor:
    threshold = torch.quantile(measure.flatten(1), min(percentile, 100) / 100, dim=1)
    return image * (measure >= threshold[:, None, None, None])


def catalogue() -> dict[str, Kind]:
    """
    >>> list(vizkit.regularizers.catalogue())[:3]
    ['l2', 'l1', 'lp']

    Every regularizer by name: vizkit's own, then yours.
    """
    return dict(_known)
