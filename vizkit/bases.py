"""What an ascent moves, and where it starts.

A *basis* says which numbers the ascent moves: the pixels themselves, or the image's frequencies. `random` gives a
start of one image: parameters, (1, …); `decode`, which is differentiable, makes zero-centred images of parameters,
(batch, …); `encode` is its inverse, as far as there is one. What has these three and a `name` is a basis, too.
"""

import math
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Generator, Tensor

from .errors import VizkitError, check_name, is_like, is_whole
from .images import from_picture
from .networks import Classifier, resized
from .own_torch import own_torch


class Plain:
    """A basis of plain values: checked when it is made, and printed as the code that makes it."""

    def __post_init__(self) -> None:
        for one in fields(self):  # type: ignore[arg-type]
            value = getattr(self, one.name)
            sides = value if isinstance(value, (tuple, list)) and len(value) == 2 else (value,)
            whole = value is None or all(is_whole(side) and 0 < side < 2**15 for side in sides)
            fits = whole if one.name == "size" else is_like(value, one.default)
            if not fits or (one.name == "scale" and value <= 0):
                raise VizkitError(f"{one.name} of {type(self).__name__} is like {one.default!r}, not {value!r}.")

    def __repr__(self) -> str:
        given = [(one.name, getattr(self, one.name), one.default) for one in fields(self)]  # type: ignore[arg-type]
        return f"vizkit.{type(self).__name__}({', '.join(f'{name}={v!r}' for name, v, usual in given if v != usual)})"


@dataclass(frozen=True, repr=False)
class Pixels(Plain):
    """
    >>> vizkit.Pixels(spread=0.2)
    vizkit.Pixels(spread=0.2)

    The pixels themselves: what is optimised is what the network sees. A random start is normal noise about zero, with a
    standard deviation of `spread`.
    """

    spread: float = 0.1
    name: ClassVar[str] = "pixels"

    def random(self, net: Classifier, generator: Generator) -> Tensor:
        return self.spread * torch.randn(net.blank().shape, generator=generator).to(net.device)

    def decode(self, net: Classifier, parameters: Tensor) -> Tensor:
        return parameters

    def encode(self, net: Classifier, image: Tensor) -> Tensor:
        return image


@dataclass(frozen=True, repr=False)
class Fourier(Plain):
    """
    >>> vizkit.Fourier(exponent=1.3).decode(net, torch.zeros(1, 3, 224, 113, 2)).shape
    torch.Size([1, 3, 224, 224])

    The image's frequencies, each weighed by 1 / frequency^`exponent` as in natural pictures, so that coarse shapes
    move as readily as fine texture; a sigmoid keeps the picture valid. `decorrelate` moves along the colours in which
    natural pictures vary. A random start is normal noise of standard deviation `spread` on each frequency. Olah,
    Mordvintsev, Schubert 2017 (Feature Visualization), "preconditioning"; Lucid's param.spatial.

    The image is `scale` times as high and wide as the network's input, or has `size` pixels at its longer side, or is
    of just the `size` (height, width).
    `from_mean`: a random start lies about the network's zero, the mean colour, and not about mid-grey.
    `standardise` gives the values before colour and sigmoid mean 0 and deviation 1: Fel et al. 2023 (arXiv 2306.06805).
    """

    exponent: float = 1.0
    spread: float = 0.01
    decorrelate: bool = True
    size: int | tuple[int, int] | None = None
    standardise: bool = False
    from_mean: bool = False
    scale: float = 1.0
    name: ClassVar[str] = "fourier"

    def random(self, net: Classifier, generator: Generator) -> Tensor:
        mean = self.encode(net, net.blank())
        noise = self.spread * torch.randn(mean.shape, generator=generator).to(net.device)
        return noise + mean if self.from_mean else noise

    def decode(self, net: Classifier, parameters: Tensor) -> Tensor:
        sides = _sides(net, self)
        spectrum = torch.view_as_complex(parameters) * _weights(sides, self.exponent, net.device)
        values = torch.fft.irfft2(spectrum, s=sides, norm="ortho") / 4
        if self.standardise:
            values = _standardised(values)
        return _squash(net, values, self.decorrelate)

    def encode(self, net: Classifier, image: Tensor) -> Tensor:
        weights = _weights(_sides(net, self), self.exponent, net.device)
        spectrum = torch.fft.rfft2(_unsquash(net, image, self) * 4, norm="ortho") / weights
        return torch.view_as_real(spectrum).contiguous()


@dataclass(frozen=True, repr=False)
class Phase(Plain):
    """
    >>> vizkit.Phase().decode(net, torch.zeros(1, 3, 224, 113)).shape
    torch.Size([1, 3, 224, 224])

    Only the phase of each frequency moves; its magnitude is fixed at 1 / frequency^`exponent`, so that no frequency can
    be overdone: MACO, Fel et al. 2023 (arXiv 2306.06805), section 3.1. `size`, `scale` and `decorrelate` are as in
    `Fourier`. `standardise` gives the phases mean 0 and deviation 1, and starts from normal ones, as the authors' code
    does; without it a start has any phase as likely as any other.
    """

    exponent: float = 1.0
    size: int | tuple[int, int] | None = None
    decorrelate: bool = False
    standardise: bool = False
    scale: float = 1.0
    name: ClassVar[str] = "phase"

    def random(self, net: Classifier, generator: Generator) -> Tensor:
        shape = self.encode(net, net.blank()).shape
        if self.standardise:
            return torch.randn(shape, generator=generator).to(net.device)
        return (2 * math.pi * torch.rand(shape, generator=generator) - math.pi).to(net.device)

    def decode(self, net: Classifier, parameters: Tensor) -> Tensor:
        sides = _sides(net, self)
        phases = _standardised(parameters) if self.standardise else parameters
        spectrum = torch.polar(_falling(sides, self.exponent).to(net.device).expand_as(phases), phases)
        values = _standardised(torch.fft.irfft2(spectrum, s=sides, norm="ortho"))
        return _squash(net, values, self.decorrelate)

    def encode(self, net: Classifier, image: Tensor) -> Tensor:
        return torch.fft.rfft2(_unsquash(net, image, self)).angle()


def _sides(net: Classifier, basis: Fourier | Phase) -> tuple[int, int]:
    """Height and width of the image: of the shape that the network takes."""
    if isinstance(basis.size, (tuple, list)):
        return basis.size[0], basis.size[1]
    factor = basis.size / max(net.height, net.width) if basis.size else basis.scale
    return max(1, round(factor * net.height)), max(1, round(factor * net.width))


@lru_cache(maxsize=8)
@own_torch()
def _weights(sides: tuple[int, int], exponent: float, device: torch.device) -> Tensor:
    """(height, width // 2 + 1): 1 / f^exponent, with the root mean square that exponent 1 has. Computed once, as every
    step needs it."""
    scale, reference = (_falling(sides, one) for one in (exponent, 1.0))
    return (scale * (reference.square().mean() / scale.square().mean()).sqrt()).to(device)


@own_torch()
def _falling(sides: tuple[int, int], exponent: float) -> Tensor:
    """1 / frequency^exponent for every frequency of a real image of this shape: (height, width // 2 + 1)."""
    down, across = torch.fft.fftfreq(sides[0])[:, None], torch.fft.rfftfreq(sides[1])
    return (down.square() + across.square()).sqrt().clamp(min=1 / max(sides)) ** -exponent


def _standardised(values: Tensor) -> Tensor:
    mean = values.mean(dim=(1, 2, 3), keepdim=True)
    return (values - mean) / (values.std(dim=(1, 2, 3), keepdim=True) + 1e-5)


# The colour covariance of natural pictures, its root (Lucid, lucid/optvis/param/color.py), by largest column norm.
_COLOUR = torch.tensor([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]], dtype=torch.float32)
_COLOUR = _COLOUR / _COLOUR.norm(dim=0).max()


def _squash(net: Classifier, values: Tensor, decorrelated: bool) -> Tensor:
    """Any values as a zero-centred image: in the colours of natural pictures, by a sigmoid from black to white."""
    if decorrelated and net.channels == 3:
        values = torch.einsum("oc,bchw->bohw", _COLOUR.to(net.device), values)
    return net.normalise(values.sigmoid())


def _unsquash(net: Classifier, image: Tensor, basis: Fourier | Phase) -> Tensor:
    picture = net.denormalise(resized(image, _sides(net, basis), smooth=False))
    values = torch.logit(picture, eps=1e-3)  # black and white lie at ± infinity: stop just short
    if basis.decorrelate and net.channels == 3:
        values = torch.einsum("oc,bchw->bohw", torch.linalg.inv(_COLOUR).to(net.device), values)
    return values


Basis = Pixels | Fourier | Phase
BASES: dict[str, type[Basis]] = {"pixels": Pixels, "fourier": Fourier, "phase": Phase}
STARTS = ("random", "bytes", "zero")


def as_basis(basis: str | Basis) -> Basis:
    """The basis of a name, "pixels", "fourier" or "phase", with its default settings; a basis stays what it is."""
    if not isinstance(basis, str):
        if isinstance(basis, type) or not hasattr(basis, "decode"):
            raise VizkitError(f"A basis is a name or something like vizkit.Pixels(), not {basis!r}.")
        return basis
    check_name("basis", basis, BASES)
    return BASES[basis]()


def as_start(net: Classifier, start: Any) -> str | Tensor:
    """One of `STARTS`, or the start image that was given, as a zero-centred tensor of our own. What holds whole numbers
    is a picture."""
    if isinstance(start, str) and start in STARTS:
        return start
    if isinstance(start, Tensor) and start.is_floating_point():
        return start.detach().to(net.device, torch.float32, copy=True, memory_format=torch.contiguous_format)
    if isinstance(start, str) and not Path(start).suffix and not Path(start).exists():
        raise VizkitError(f'A start is one of {", ".join(STARTS)}, a tensor, a picture or its path, not "{start}".')
    return from_picture(net, start)


def start_parameters(net: Classifier, basis: Basis, start: str | Tensor, batch: int, generator: Generator) -> Tensor:
    """The parameters that an ascent starts from, (batch, …): the same random start for every image of the batch."""
    if isinstance(start, Tensor):
        given, shape = tuple(start.shape), (net.channels, net.height, net.width)
        if given not in ((1, *shape), (batch, *shape)):
            raise VizkitError(f"A start tensor is zero-centred, of shape {shape} times 1 or {batch}, not {given}.")
        if not start.isfinite().all():
            raise VizkitError("The start image holds values that are not finite. Clean it before the ascent.")
        one = basis.encode(net, start)
    elif start == "random":
        one = basis.random(net, generator)
    elif start == "bytes":
        picture = torch.randint(0, 256, net.blank().shape, generator=generator) / 255
        one = basis.encode(net, net.normalise(picture.to(net.device)))
    else:
        one = basis.encode(net, net.blank())
    return one.expand(batch, *one.shape[1:]).clone()
