"""Zero-centred images and pictures.

A *zero-centred image* is what the network takes: normalised, (batch, channels, height, width). A *picture* is what a
person sees: 8 bits, (batch, height, width, 3).
"""

import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor
from torch.nn import functional as F
from torchvision.transforms.functional import pil_to_tensor

from .errors import VizkitError
from .networks import Classifier

Pictures = NDArray[np.uint8]
LARGEST = 2048  # pixels a side of a photo that is kept: no network sees more of it


def to_pictures(net: Classifier, image: Tensor) -> Pictures:
    """
    >>> vizkit.images.to_pictures(net, net.blank()).shape
    (1, 224, 224, 3)

    Zero-centred images as pictures: uint8, (batch, height, width, 3); values beyond black and white are cut off. One
    channel is shown as gray, two as red and green, the first three of more as red, green and blue.
    """
    values = torch.addcmul(255 * net.mean, image.detach(), 255 * net.std)
    pictures = values.round_().clamp_(0, 255).to(torch.uint8)
    if pictures.shape[1] == 2:
        pictures = F.pad(pictures, (0, 0, 0, 0, 0, 1))
    return pictures[:, :3].expand(-1, 3, -1, -1).permute(0, 2, 3, 1).cpu().numpy()


def from_picture(net: Classifier, picture: Any) -> Tensor:
    """
    >>> vizkit.images.from_picture(net, np.zeros((10, 20, 3), np.uint8)).shape
    torch.Size([1, 3, 224, 224])

    A photo (see `as_photo`) as a zero-centred image, (1, channels, height, width): the largest part in its middle that
    has the shape of the network's input, resized to it. Or, as torch has pictures, a tensor of bytes, ([batch,]
    channels, height, width). Raises `VizkitError` for what is none of these, and where the network takes neither one
    channel nor three and the picture is not of just its shape.
    """
    shape = (net.channels, net.height, net.width)
    if isinstance(picture, Tensor) and picture.ndim in (3, 4) and picture.shape[-3] in (1, 3, net.channels):
        several = picture.detach().cpu().reshape(-1, *picture.shape[-3:]).numpy()
        if several.shape[1:] == shape:
            return net.normalise(torch.from_numpy(_as_bytes(several)).to(net.device) / 255)
        return torch.cat([from_picture(net, one) for one in several])
    if net.channels not in (1, 3):
        raise VizkitError(f"{net.name} takes {net.channels} channels, a photo has 3. Pass a tensor of shape {shape}.")
    photo = as_photo(picture).convert("RGB" if net.channels == 3 else "L")
    fitted = ImageOps.fit(photo, (net.width, net.height), Image.Resampling.BICUBIC)
    return net.normalise(pil_to_tensor(fitted)[None].to(net.device) / 255).contiguous()


def as_photo(picture: Any, name: str = "") -> Image.Image:
    """
    >>> vizkit.images.as_photo(np.zeros((10, 20, 3), np.uint8)).size
    (20, 10)

    A photo as it is meant to be seen, in RGB: turned upright where its camera says how, on white where it is
    transparent. From a path, an open file, a PIL image, or an array of bytes or of values in [0, 1]: (height, width),
    (height, width, 3), or, as torch has them, (3, height, width). Raises `VizkitError` for what is none of these;
    `name` is what it calls the file. A file of more than 2048 pixels a side is made smaller.
    """
    if isinstance(picture, Image.Image):
        return _in_rgb(picture)
    if not isinstance(picture, (str, Path)) and not hasattr(picture, "read"):
        return _photo_of_array(np.asarray(picture.detach().cpu() if isinstance(picture, Tensor) else picture))
    try:
        with Image.open(picture) as opened:
            # Before any copy is made: it may have 100 million pixels.
            opened.thumbnail((LARGEST, LARGEST), Image.Resampling.BOX)
            return _in_rgb(opened)
    except Exception as error:  # of a damaged file, Pillow raises whatever its decoders do
        reason = "no format that is known" if isinstance(error, UnidentifiedImageError) else str(error).rstrip(".")
        raise VizkitError(f"{name or picture} cannot be read as a picture: {reason}.") from error


def _in_rgb(image: Image.Image) -> Image.Image:
    image = ImageOps.exif_transpose(image)
    if image.mode[0] in "IF":  # 16 or 32 bits: Pillow would cut off what is above 255
        array = np.asarray(image)
        deep = array.dtype.kind in "iu" and array.max() > 1
        return _photo_of_array(array / 65535 if deep else array)
    image = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")


def _photo_of_array(array: NDArray[Any]) -> Image.Image:
    if array.ndim == 3 and array.shape[0] in (1, 3) and array.shape[2] not in (1, 3):
        array = np.moveaxis(array, 0, 2)
    if array.ndim not in (2, 3) or array.size == 0 or (array.ndim == 3 and array.shape[2] not in (1, 3)):
        raise VizkitError(f"A picture has shape (height, width) or (height, width, 3), not {array.shape}.")
    array = _as_bytes(array)
    return Image.fromarray(array[:, :, 0] if array.shape[2:] == (1,) else array).convert("RGB")


def _as_bytes(array: NDArray[Any]) -> NDArray[np.uint8]:
    """Bytes, of bytes, of whole numbers up to 255, or of values in [0, 1]."""
    if array.dtype == np.uint8:
        return array
    if array.dtype.kind not in "buif" or array.size == 0:
        raise VizkitError(f"A picture holds bytes (uint8) or values in [0, 1], not {array.shape} of {array.dtype}.")
    low, high = array.min(), array.max()
    if array.dtype.kind in "ui" and low >= 0 and 1 < high <= 255:
        return array.astype(np.uint8)
    if not (low >= 0 and high <= 1):
        found = f"goes from {low:g} to {high:g}. Divide by 255, or pass a zero-centred tensor."
        raise VizkitError(f"A picture holds bytes (uint8) or values in [0, 1]; this {array.dtype} array {found}")
    return np.round(array * 255.0).astype(np.uint8)


def png(picture: Pictures) -> bytes:
    """A picture as a PNG file; one of few pixels is enlarged, so that a page shows them as they are."""
    image = Image.fromarray(picture)
    if max(image.size) <= 96:
        image = ImageOps.scale(image, 448 // max(image.size), Image.Resampling.NEAREST)
    return to_file(image, "png")


def to_file(image: Image.Image, kind: str, **how: Any) -> bytes:
    """An image as a file of that kind; `how` is what Pillow is told."""
    stream = io.BytesIO()
    image.save(stream, kind, **how)
    return stream.getvalue()


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
