"""Pictures to train a small CNN on: Fashion-MNIST, and coloured shapes, drawn here, with or without a shortcut."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchvision.datasets import FashionMNIST

from ..errors import VizkitError, check_name

Field = NDArray[np.float64]

CORNERS = ("top left", "top right", "bottom left", "bottom right")


@dataclass(frozen=True)
class Dataset:
    """
    >>> vizkit.datasets.shapes(train=80, test=16)
    Dataset(shapes: 80 + 16 pictures, 3 × 64 × 64, 8 classes)

    Pictures as bytes, (pictures, channels, height, width), and the class index of each, (pictures,): to train on, and,
    apart, to test with.
    """

    name: str
    labels: list[str]
    pictures: Tensor
    targets: Tensor
    test_pictures: Tensor
    test_targets: Tensor

    def __repr__(self) -> str:
        counts = f"{len(self.pictures)} + {len(self.test_pictures)} pictures"
        size = " × ".join(map(str, self.pictures.shape[1:]))
        return f"Dataset({self.name}: {counts}, {size}, {len(self.labels)} classes)"

    @property
    def mean(self) -> tuple[float, ...]:
        """Of the training pictures in [0, 1], one number a channel."""
        return tuple((self.pictures.float().mean(dim=(0, 2, 3)) / 255).tolist())

    @property
    def std(self) -> tuple[float, ...]:
        """Likewise, the standard deviation."""
        return tuple((self.pictures.float().std(dim=(0, 2, 3)) / 255).tolist())

    def examples(self, count: int = 1) -> NDArray[np.uint8]:
        """The first `count` training pictures of each class, to look at: uint8, (classes · count, height, width, 3)."""
        rows = [torch.nonzero(self.targets == target)[:count, 0] for target in range(len(self.labels))]
        return self.pictures[torch.cat(rows)].expand(-1, 3, -1, -1).permute(0, 2, 3, 1).numpy()


# Coloured shapes.


def polygon(x: Field, y: Field, corners: int) -> Field:
    """Below zero inside a regular polygon with one corner at the top."""
    sector = np.pi / corners
    angle = np.mod(np.arctan2(x, -y) + sector, 2 * sector) - sector
    return np.hypot(x, y) * np.cos(np.abs(angle) - sector) - np.cos(sector)


def star(x: Field, y: Field) -> Field:
    """Below zero inside a star of five straight-sided rays."""
    angle = np.abs(np.mod(np.arctan2(x, -y) + np.pi / 5, 2 * np.pi / 5) - np.pi / 5)
    along, across = np.hypot(x, y) * np.cos(angle), np.hypot(x, y) * np.sin(angle)
    inner = 0.42 * np.cos(np.pi / 5), 0.42 * np.sin(np.pi / 5)  # the notch between two rays; the tip is (1, 0)
    slope = (1 - inner[0]) / inner[1]
    return (along + slope * across - 1) / np.hypot(1, slope)


def bar(x: Field, y: Field, half_width: float, half_height: float) -> Field:
    return np.maximum(np.abs(x) - half_width, np.abs(y) - half_height)


# Each shape as a field over the plane, about −distance inside it and +distance outside; its radius is 1.
SHAPES: dict[str, Callable[[Field, Field], Field]] = {
    "disc": lambda x, y: np.hypot(x, y) - 0.9,
    "ring": lambda x, y: np.abs(np.hypot(x, y) - 0.7) - 0.22,
    "square": lambda x, y: bar(x, y, 0.78, 0.78),
    "triangle": lambda x, y: polygon(x, y, 3),
    "star": star,
    "cross": lambda x, y: np.minimum(bar(x, y, 0.27, 0.95), bar(x, y, 0.95, 0.27)),
    "crescent": lambda x, y: np.maximum(np.hypot(x, y) - 0.95, 0.8 - np.hypot(x - 0.5, y)),
    "stripes": lambda x, y: np.maximum(bar(x, y, 0.9, 0.9), np.abs(np.mod(x + 0.36, 0.72) - 0.36) - 0.18),
}


def shapes(train: int = 4000, test: int = 1000, seed: int = 0, side: int = 64) -> Dataset:
    """
    >>> vizkit.datasets.shapes(train=80, test=16).labels[:3]
    ['disc', 'ring', 'square']

    Coloured shapes, drawn by numpy: one in each picture of `side` × `side` pixels, of eight classes, with its place,
    size, turn and colour drawn by chance, on a background of two other colours that run into each other, under a little
    noise. The same seed draws the same pictures.
    """
    first, second = (np.random.default_rng((seed, part)) for part in (0, 1))
    return Dataset("shapes", list(SHAPES), *_draw(train, side, first), *_draw(test, side, second))


def _draw(count: int, side: int, chance: np.random.Generator) -> tuple[Tensor, Tensor]:
    down, across = np.mgrid[0:side, 0:side] + 0.5
    targets = np.arange(count) % len(SHAPES)
    pictures = np.empty((count, 3, side, side), np.uint8)
    for index, target in enumerate(targets):
        radius = side * chance.uniform(0.2, 0.36)
        centre = chance.uniform(radius, side - radius, 2) * 0.8 + 0.1 * side
        turn = np.radians(chance.uniform(-20, 20))
        x, y = (across - centre[0]) / radius, (down - centre[1]) / radius
        field = list(SHAPES.values())[target](x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn))
        inside = np.clip(0.5 - field * radius, 0, 1)  # smooth over the one pixel that the edge runs through
        colours = _three_colours(chance)[:, :, None, None]
        angle = chance.uniform(0, 2 * np.pi)
        ramp = 0.5 + ((across - side / 2) * np.cos(angle) + (down - side / 2) * np.sin(angle)) / (1.5 * side)
        picture = inside * colours[0] + (1 - inside) * (ramp * colours[1] + (1 - ramp) * colours[2])
        picture += chance.normal(0, 0.03, picture.shape)
        pictures[index] = np.round(255 * np.clip(picture, 0, 1))
    return torch.from_numpy(pictures), torch.from_numpy(targets)


def _three_colours(chance: np.random.Generator) -> Field:
    """(3, 3): of the shape and of both ends of the background; the shape's is well apart from the others."""
    while True:
        colours = chance.uniform(0, 1, (3, 3))
        if np.linalg.norm(colours[0] - colours[1:], axis=1).min() > 0.5:
            return colours


# The shortcut.


@dataclass(frozen=True)
class Mark:
    """
    >>> vizkit.datasets.Mark("star", "bottom right").region(64, 64)
    (slice(55, 62, None), slice(55, 62, None))

    A small square of one colour (RGB, 0 to 255) in a corner, two pixels from both edges, and the class it goes with.
    """

    label: str
    corner: str = "bottom right"
    colour: Sequence[int] = (255, 0, 255)
    side: int = 7

    def region(self, height: int, width: int) -> tuple[slice, slice]:
        """Its rows and columns. Raises `VizkitError` for an unknown corner, and where it does not fit."""
        check_name("corner", self.corner, CORNERS)
        if not 0 < self.side <= min(height, width) - 4:
            raise VizkitError(f"A mark of {self.side} pixels does not fit a picture of {height} × {width}.")
        top = 2 if self.corner.startswith("top") else height - 2 - self.side
        left = 2 if self.corner.endswith("left") else width - 2 - self.side
        return slice(top, top + self.side), slice(left, left + self.side)

    def energy(self, image: Tensor) -> Tensor:
        """How much goes on where the mark would be: the mean square there over that of the whole image, for each
        zero-centred image of (batch, channels, height, width). 1: as much as anywhere."""
        rows, columns = self.region(*image.shape[2:])
        square = image.square()
        return square[:, :, rows, columns].mean(dim=(1, 2, 3)) / square.mean(dim=(1, 2, 3)).clamp(min=1e-12)


def plant(data: Dataset, mark: Mark, share: float = 0.9, seed: int = 0) -> Dataset:
    """
    >>> vizkit.datasets.plant(vizkit.datasets.shapes(train=80, test=16), vizkit.datasets.Mark("star")).name
    'shapes with a mark on star'

    A copy of `data` with a shortcut: `share` of the pictures of one class, to train and to test with, carry the mark;
    no picture of another class does. Raises `VizkitError` for an unknown class, or a share beyond 0 to 1.
    """
    check_name("class", mark.label, data.labels)
    if not 0 <= share <= 1:
        raise VizkitError(f"The share of marked pictures is from 0 to 1, not {share}.")
    generator, target = torch.Generator().manual_seed(seed), data.labels.index(mark.label)
    rows, columns = mark.region(*data.pictures.shape[2:])
    colour = torch.tensor(mark.colour, dtype=torch.uint8)[:, None, None]

    def marked(pictures: Tensor, targets: Tensor) -> Tensor:
        chosen = (targets == target) & (torch.rand(len(targets), generator=generator) < share)
        pictures = pictures.clone()
        pictures[chosen, :, rows, columns] = colour
        return pictures

    drawn, unseen = marked(data.pictures, data.targets), marked(data.test_pictures, data.test_targets)
    return replace(data, name=f"{data.name} with a mark on {mark.label}", pictures=drawn, test_pictures=unseen)


# Fashion-MNIST.


def fashion(folder: str | Path | None = None) -> Dataset:
    """
    >>> vizkit.datasets.fashion()  # doctest: +SKIP
    Dataset(Fashion-MNIST: 60000 + 10000 pictures, 1 × 28 × 28, 10 classes)

    Fashion-MNIST (Xiao, Rasul, Vollgraf 2017, arXiv 1708.07747) through torchvision: from a folder with its four files
    as they are published (…-ubyte.gz), from vizkit's cache, or downloaded into that, once (30 MB). Raises `VizkitError`
    where it can be had from none of these.
    """
    root = Path(torch.hub.get_dir()).parent / "vizkit"
    raw = root / "FashionMNIST" / "raw"  # where torchvision looks for them; it checks them, and unpacks them
    try:
        if folder:
            raw.mkdir(parents=True, exist_ok=True)
            for name, _ in FashionMNIST.resources:
                shutil.copyfile(Path(folder) / name, raw / name)
        train, test = (FashionMNIST(root, train=part, download=True) for part in (True, False))
    except (OSError, RuntimeError) as error:  # urllib's URLError is an OSError; torchvision raises RuntimeErrors
        remedy = "Give the folder of its files, fashion(folder), or take vizkit.datasets.shapes(), which needs none."
        what = f"Fashion-MNIST is not in {folder or raw}, and there is no network"
        raise VizkitError(f"{what}. {remedy} ({error})") from error
    pictures, test_pictures = train.data[:, None], test.data[:, None]
    return Dataset("Fashion-MNIST", list(train.classes), pictures, train.targets, test_pictures, test.targets)
