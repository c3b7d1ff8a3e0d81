"""What an ascent moves, and where it starts.

A *basis* says which numbers the ascent moves: the pixels themselves, or the image's frequencies.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor
from torch.nn import functional

from .errors import VizkitError
from .images import from_picture
from .networks import Classifier


class Basis(Protocol):
    """Which numbers the ascent moves. `decode` is differentiable; `encode` is its inverse, as far as there is one."""

    name: ClassVar[str]

    def random(self, net: Classifier, generator: torch.Generator) -> Tensor:
        """A random start for one image: parameters, (1, …)."""

    def decode(self, net: Classifier, parameters: Tensor) -> Tensor:
        """From parameters, (batch, …), to zero-centred images."""

    def encode(self, net: Classifier, image: Tensor) -> Tensor:
        """From zero-centred images to parameters."""


@dataclass(frozen=True)
class Pixels:
    """
    >>> vizkit.Pixels(spread=0.1)
    Pixels(spread=0.1)

    The pixels themselves: what is optimised is what the network sees. A random start is normal noise about zero, with a
    standard deviation of `spread`.
    """

    spread: float = 0.1
    name: ClassVar[str] = "pixels"

    def random(self, net: Classifier, generator: torch.Generator) -> Tensor:
        return self.spread * torch.randn(net.blank().shape, generator=generator).to(net.device)

    def decode(self, net: Classifier, parameters: Tensor) -> Tensor:
        return parameters

    def encode(self, net: Classifier, image: Tensor) -> Tensor:
        return image


# The colour covariance of natural pictures, its root (Lucid, lucid/optvis/param/color.py), by largest column norm.
_COLOUR = torch.tensor([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]])
_COLOUR = _COLOUR / _COLOUR.norm(dim=0).max()


@dataclass(frozen=True)
class Fourier:
    """
    >>> vizkit.Fourier(exponent=1.3).decode(net, torch.zeros(1, 3, 224, 113, 2)).shape
    torch.Size([1, 3, 224, 224])

    The image's frequencies, each weighed by 1 / frequency^`exponent` as in natural pictures, so that coarse shapes
    move as readily as fine texture; a sigmoid keeps the picture valid. `decorrelate` moves along the colours in which
    natural pictures vary. A random start is normal noise of standard deviation `spread` on each frequency. `size` is
    the image's side, by default the network's. Olah, Mordvintsev, Schubert 2017 (Feature Visualization),
    "preconditioning"; Lucid's param.spatial.

    `from_mean`: a random start lies about the network's zero, the mean colour, and not about mid-grey.
    `standardise` gives the values before colour and sigmoid mean 0 and deviation 1: Fel et al. 2023 (arXiv 2306.06805).
    """

    exponent: float = 1.0
    spread: float = 0.01
    decorrelate: bool = True
    size: int | None = None
    standardise: bool = False
    from_mean: bool = False
    name: ClassVar[str] = "fourier"

    def random(self, net: Classifier, generator: torch.Generator) -> Tensor:
        height, width = _shape(net, self.size)
        shape = (1, net.channels, height, width // 2 + 1, 2)
        noise = self.spread * torch.randn(shape, generator=generator).to(net.device)
        return noise + self.encode(net, net.blank()) if self.from_mean else noise

    def decode(self, net: Classifier, parameters: Tensor) -> Tensor:
        spectrum = torch.view_as_complex(parameters) * self._scale(net)
        values = torch.fft.irfft2(spectrum, s=_shape(net, self.size), norm="ortho") / 4
        if self.standardise:
            values = _standardised(values)
        if self._in_colour(net):
            values = torch.einsum("oc,bchw->bohw", _COLOUR.to(net.device), values)
        return _squash(net, values)

    def encode(self, net: Classifier, image: Tensor) -> Tensor:
        values = _unsquash(net, _fitted(image, _shape(net, self.size)))
        if self._in_colour(net):
            values = torch.einsum("oc,bchw->bohw", torch.linalg.inv(_COLOUR).to(net.device), values)
        spectrum = torch.fft.rfft2(values * 4, norm="ortho") / self._scale(net)
        return torch.view_as_real(spectrum).contiguous()

    def _in_colour(self, net: Classifier) -> bool:
        return self.decorrelate and net.channels == 3

    def _scale(self, net: Classifier) -> Tensor:
        """(height, width // 2 + 1): 1 / f^exponent, with the root mean square that exponent 1 has."""
        scale, reference = (_falling(_shape(net, self.size), exponent) for exponent in (self.exponent, 1.0))
        weights: Tensor = scale * (reference.square().mean() / scale.square().mean()).sqrt()
        return weights.to(net.device)


@dataclass(frozen=True)
class Phase:
    """
    >>> vizkit.Phase().decode(net, torch.zeros(1, 3, 224, 113)).shape
    torch.Size([1, 3, 224, 224])

    Only the phase of each frequency moves; its magnitude is fixed, so that no frequency can be overdone: MACO, Fel et
    al. 2023 (arXiv 2306.06805), section 3.1. The magnitude is 1 / frequency^`exponent`, or the `spectrum` of pictures
    of your own (see `spectrum_of`). `size` is as in `Fourier`.
    """

    exponent: float = 1.0
    size: int | None = None
    spectrum: Tensor | None = None
    name: ClassVar[str] = "phase"

    def random(self, net: Classifier, generator: torch.Generator) -> Tensor:
        height, width = _shape(net, self.size)
        turns = torch.rand((1, net.channels, height, width // 2 + 1), generator=generator)
        return (2 * math.pi * turns - math.pi).to(net.device)

    def decode(self, net: Classifier, parameters: Tensor) -> Tensor:
        shape = _shape(net, self.size)
        magnitude = _falling(shape, self.exponent) if self.spectrum is None else self.spectrum
        if magnitude.shape[-2:] != parameters.shape[-2:]:
            raise VizkitError(f"The spectrum is of pictures of another size; it must end in {parameters.shape[-2:]}.")
        spectrum = torch.polar(magnitude.to(net.device).expand_as(parameters), parameters)
        return _squash(net, _standardised(torch.fft.irfft2(spectrum, s=shape, norm="ortho")))

    def encode(self, net: Classifier, image: Tensor) -> Tensor:
        values = _unsquash(net, _fitted(image, _shape(net, self.size)))
        phase: Tensor = torch.fft.rfft2(values).angle()
        return phase


def spectrum_of(net: Classifier, pictures: Sequence[Any]) -> Tensor:
    """
    >>> vizkit.images.spectrum_of(net, [np.zeros((64, 64, 3), np.uint8)]).shape
    torch.Size([3, 224, 113])

    The mean magnitude of each frequency over pictures (see `from_picture`): the natural `spectrum` for `Phase`.
    """
    return torch.stack([torch.fft.rfft2(from_picture(net, one)[0]).abs() for one in pictures]).mean(dim=0)


def _shape(net: Classifier, size: int | None) -> tuple[int, int]:
    return (size, size) if size else (net.height, net.width)


def _falling(shape: tuple[int, int], exponent: float) -> Tensor:
    """1 / frequency^exponent for every frequency of a real image of this shape: (height, width // 2 + 1)."""
    down, across = torch.fft.fftfreq(shape[0])[:, None], torch.fft.rfftfreq(shape[1])[None, :]
    falling: Tensor = (down.square() + across.square()).sqrt().clamp(min=1 / max(shape)) ** -exponent
    return falling


def _standardised(values: Tensor) -> Tensor:
    mean = values.mean(dim=(1, 2, 3), keepdim=True)
    return (values - mean) / (values.std(dim=(1, 2, 3), keepdim=True) + 1e-5)


def _squash(net: Classifier, values: Tensor) -> Tensor:
    """Any values as a zero-centred image, by a sigmoid from black to white."""
    return net.normalise(values.sigmoid())


def _unsquash(net: Classifier, image: Tensor) -> Tensor:
    return torch.logit(net.denormalise(image), eps=1e-3)  # black and white lie at ± infinity: stop just short


def _fitted(image: Tensor, shape: tuple[int, int]) -> Tensor:
    if image.shape[-2:] == shape:
        return image
    return functional.interpolate(image, size=shape, mode="bilinear", align_corners=False)


BASES: dict[str, type[Pixels] | type[Fourier] | type[Phase]] = {
    "pixels": Pixels,
    "fourier": Fourier,
    "phase": Phase,
}
STARTS = ("random", "bytes", "zero")


def as_basis(basis: str | Basis) -> Basis:
    """The basis of a name, "pixels", "fourier" or "phase", with its default settings; a basis stays what it is."""
    if not isinstance(basis, str):
        if not hasattr(basis, "decode"):
            raise VizkitError(f"A basis is a name or something like vizkit.Pixels(), not {basis!r}.")
        return basis
    if basis not in BASES:
        raise VizkitError(f'No basis "{basis}". Known: {", ".join(BASES)}.')
    return BASES[basis]()


def as_start(net: Classifier, start: Any) -> str | Tensor:
    """One of `STARTS`, or the start image that was given as a zero-centred tensor of our own."""
    if isinstance(start, str) and start in STARTS:
        return start
    if isinstance(start, Tensor):
        return start.detach().to(net.device, torch.float32, copy=True)
    if isinstance(start, str) and not start.lower().endswith((".png", ".jpg", ".jpeg")):
        raise VizkitError(f'A start is one of {", ".join(STARTS)}, a tensor, a picture or its path, not "{start}".')
    return from_picture(net, start)


def start_parameters(
    net: Classifier, basis: Basis, start: str | Tensor, batch: int, generator: torch.Generator
) -> Tensor:
    """The parameters that an ascent starts from, (batch, …): the same random start for every image of the batch."""
    if isinstance(start, str):
        if start == "random":
            one = basis.random(net, generator)
        elif start == "bytes":
            picture = torch.randint(0, 256, net.blank().shape, generator=generator) / 255
            one = basis.encode(net, net.normalise(picture.to(net.device)))
        else:
            one = basis.encode(net, net.blank())
    else:
        shape = (net.channels, net.height, net.width)
        if start.ndim != 4 or tuple(start.shape[1:]) != shape or len(start) not in (1, batch):
            raise VizkitError(
                f"A start tensor is zero-centred, of shape {shape} times 1 or {batch}, not {tuple(start.shape)}."
            )
        if not start.isfinite().all():
            raise VizkitError("The start image holds values that are not finite. Clean it before the ascent.")
        one = basis.encode(net, start)
    return one.expand(batch, *one.shape[1:]).clone()
