"""What is optimised, and how it becomes a picture.

A *zero-centred image* is what the network takes: normalised, (batch, channels, height, width). A *picture* is what a
person sees: 8 bits, (batch, height, width, 3). A *basis* says which numbers the ascent moves: the pixels themselves,
or the image's frequencies.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor
from torch.nn import functional

from .classifiers import Classifier
from .errors import VizkitError

Pictures = NDArray[np.uint8]


def to_pictures(net: Classifier, image: Tensor) -> Pictures:
    """
    >>> vizkit.images.to_pictures(net, net.blank()).shape
    (1, 224, 224, 3)

    Zero-centred images as pictures: uint8, (batch, height, width, 3); gray images get three equal channels, values
    beyond black and white are cut off.
    """
    values = torch.addcmul(255 * net.mean, image.detach(), 255 * net.std)
    pictures = values.round_().clamp_(0, 255).to(torch.uint8).expand(-1, 3, -1, -1)
    return pictures.permute(0, 2, 3, 1).cpu().numpy()


def from_picture(net: Classifier, picture: Any) -> Tensor:
    """
    >>> vizkit.images.from_picture(net, np.zeros((10, 20, 3), np.uint8)).shape
    torch.Size([1, 3, 224, 224])

    A photo (see `as_photo`) as a zero-centred image, (1, channels, height, width): the largest part in its middle that
    has the shape of the network's input, resized to it.
    """
    photo = as_photo(picture).convert("RGB" if net.channels == 3 else "L")
    fitted = ImageOps.fit(photo, (net.width, net.height), Image.Resampling.BICUBIC)
    values = torch.from_numpy(np.array(fitted, dtype=np.float32) / 255).to(net.device)
    return net.normalise(values.reshape(1, net.height, net.width, -1).permute(0, 3, 1, 2))


def as_photo(picture: Any, name: str = "") -> Image.Image:
    """
    >>> vizkit.images.as_photo(np.zeros((10, 20, 3), np.uint8)).size
    (20, 10)

    A photo as it is meant to be seen, in RGB: turned upright where its camera says how, on white where it is
    transparent. From a path, an open file, a PIL image, or an array (height, width[, 3]) of bytes or of values in
    [0, 1]. Raises `VizkitError` for what is none of these; `name` is what it calls the file.
    """
    if isinstance(picture, Image.Image):
        return _in_rgb(picture)
    if not isinstance(picture, (str, Path)) and not hasattr(picture, "read"):
        return _photo_of_array(np.asarray(picture.detach().cpu() if isinstance(picture, Tensor) else picture))
    file: str | Path | BinaryIO = picture
    try:
        with Image.open(file) as opened:
            return _in_rgb(opened)
    except Exception as error:  # of a damaged file, Pillow raises whatever its decoders do
        reason = "no format that is known" if isinstance(error, UnidentifiedImageError) else error
        raise VizkitError(f"{name or file} cannot be read as a picture: {reason}.") from error


def _in_rgb(image: Image.Image) -> Image.Image:
    image = ImageOps.exif_transpose(image)
    if image.mode[0] in "IF":  # 16 or 32 bits: Pillow would cut off what is above 255
        array = np.asarray(image)
        deep = array.dtype.kind in "iu" and array.max() > 1
        return _photo_of_array(array / 65535 if deep else array)
    if "A" not in image.getbands() and "transparency" not in image.info:
        return image.convert("RGB")
    image = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")


def _photo_of_array(array: NDArray[Any]) -> Image.Image:
    if array.ndim not in (2, 3) or array.size == 0 or (array.ndim == 3 and array.shape[2] not in (1, 3)):
        hint = " Put the channels last: permute(1, 2, 0)." if array.ndim == 3 and array.shape[0] in (1, 3) else ""
        raise VizkitError(f"A picture has shape (height, width) or (height, width, 3), not {array.shape}.{hint}")
    if array.dtype.kind not in "buif":
        raise VizkitError(f"A picture holds bytes (uint8) or values in [0, 1], not {array.dtype}.")
    if array.dtype != np.uint8:
        low, high = array.min(), array.max()
        if not (low >= 0 and high <= 1):
            remedy = "Divide by 255, or pass a zero-centred tensor."
            if array.dtype.kind in "iu" and low >= 0 and high <= 255:
                remedy = "Make it bytes: array.astype('uint8')."
            raise VizkitError(
                f"A picture holds bytes (uint8) or values in [0, 1]; this {array.dtype} array goes from {low:g} to "
                f"{high:g}. {remedy}"
            )
        array = np.round(array * 255.0).astype(np.uint8)
    return Image.fromarray(array[:, :, 0] if array.shape[2:] == (1,) else array).convert("RGB")


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


def tile(pictures: Sequence[Pictures] | Pictures, columns: int | None = None, gap: int = 2) -> Pictures:
    """One picture, (height, width, 3), of several of the same size, row by row with a white `gap` between."""
    columns = columns or (len(pictures) if len(pictures) <= 4 else math.ceil(math.sqrt(len(pictures))))
    height, width = pictures[0].shape[:2]
    rows = math.ceil(len(pictures) / columns)
    sheet = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap, 3), 255, np.uint8)
    for index, picture in enumerate(pictures):
        top, left = index // columns * (height + gap), index % columns * (width + gap)
        sheet[top : top + height, left : left + width] = picture
    return sheet


def statistics(pictures: Pictures) -> list[dict[str, float]]:
    """
    >>> vizkit.images.statistics(np.full((1, 8, 8, 3), 255, np.uint8))
    [{'mean magnitude': 1.0, 'near zero': 0.0, 'saturation': 0.0}]

    What the eye sees, in numbers, for each picture, uint8 (batch, height, width, 3). With x = −1 for black, 0 for grey
    and 1 for white: the mean magnitude |x|; the share of pixels whose channels are all near zero, |x| < 0.1; the mean
    saturation, (largest − smallest channel) / largest.
    """
    x = pictures / 127.5 - 1
    largest, smallest = pictures.max(axis=3).astype(float), pictures.min(axis=3)
    saturation = (largest - smallest) / np.maximum(largest, 1)
    return [
        {
            "mean magnitude": round(float(np.abs(x[index]).mean()), 3),
            "near zero": round(float((np.abs(x[index]) < 0.1).all(axis=2).mean()), 3),
            "saturation": round(float(saturation[index].mean()), 3),
        }
        for index in range(len(pictures))
    ]
