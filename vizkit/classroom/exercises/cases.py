"""A case for each student: what a CNN's own symmetries make of networks that were trained, and no score changes."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import permutations, product
from pathlib import Path
from typing import Any
from unicodedata import normalize

import torch
from torch import Tensor

from ..datasets import CORNERS, Dataset, shapes
from .feedback import need

NAMES = ("black", "blue", "green", "cyan", "red", "magenta", "yellow", "white")
COLOURS = dict(zip(NAMES, product((0, 255), repeat=3), strict=True))  # red, green and blue, each off or on


@dataclass(frozen=True)
class Case:
    """
    >>> case = vizkit.exercises.Case(mirrored=(3,), channels=(2, 0, 1))
    >>> case.truth([{"corner": "top left", "colour": "red"}])
    {'corner': 'top right', 'colour': 'green'}

    Three networks, and how their world is turned: pictures, kernels and words alike. A network with mirrored kernels
    gives a mirrored picture the scores that it gave the picture before.

    line_up: which three.
    order: which of them is A, which B, which C.
    mirrored: which dimensions of a picture: 2 turns top and bottom round, 3 left and right.
    channels: which of them is red now, which green, which blue.
    """

    line_up: int = 0
    order: tuple[str, ...] = ("A", "B", "C")
    mirrored: tuple[int, ...] = ()
    channels: tuple[int, ...] = (0, 1, 2)

    def moved(self, pictures: Tensor) -> Tensor:
        """Pictures of this case, (batch, channels, height, width); or the kernels that look at them."""
        return pictures[:, self.channels].flip(self.mirrored)

    def network(self, saved: Mapping[str, Any]) -> dict[str, Any]:
        """What the file of a `vizkit.small_cnn` holds, for pictures of this case."""
        weights = dict(saved["weights"])
        first, *kernels, last = (name for name, value in weights.items() if value.ndim in (2, 4))
        weights[first] = self.moved(weights[first])
        weights |= {name: weights[name].flip(self.mirrored) for name in kernels}
        # The last layer looks at a grid of 4 × 4 places.
        weights[last] = weights[last].unflatten(1, (-1, 4, 4)).flip(self.mirrored).flatten(1)
        mean, std = ([saved[name][channel] for channel in self.channels] for name in ("mean", "std"))
        return {**saved, "weights": weights, "mean": mean, "std": std}

    def truth(self, verdicts: Sequence[Mapping[str, str]]) -> dict[str, str]:
        """What is true in this case, where `verdicts` are true of the line-ups as they were trained."""
        places = torch.arange(4).view(1, 1, 2, 2).flip(self.mirrored).flatten()  # of the corners, as in a picture
        now = dict(zip((*self.order, *CORNERS), (*"ABC", *(CORNERS[place] for place in places)), strict=True))
        names = {colour: name for name, colour in COLOURS.items()}
        now |= {name: names[tuple(colour[channel] for channel in self.channels)] for colour, name in names.items()}
        return {part: now.get(word, word) for part, word in verdicts[self.line_up].items()}


MIRRORED = ((), (2,), (3,), (2, 3))
CASES = [Case(*how) for how in product(range(5), permutations("ABC"), MIRRORED, permutations(range(3)))]


def case(student: Any = "") -> Case:
    """
    >>> vizkit.exercises.case("Ada") == vizkit.exercises.case(" ada ")
    True

    The case of a student, by the name or the number; without one, the case that all can share. Who cheats in it stands
    nowhere in the package.
    """
    name = known_as(student)
    return CASES[int(hashlib.sha256(name.encode()).hexdigest(), 16) % len(CASES) if name else 0]


def new_shapes(student: Any = "") -> Dataset:
    """
    >>> vizkit.exercises.new_shapes()
    Dataset(shapes: 160 + 8 pictures, 3 × 64 × 64, 8 classes)

    Pictures that no suspect has learned from, of the kind that those of this student have.
    """
    data, moved = shapes(train=160, test=8, seed=5), case(student).moved
    return replace(data, pictures=moved(data.pictures), test_pictures=moved(data.test_pictures))


def check_student(student: Any, named: bool = False) -> None:
    """
    >>> vizkit.exercises.check_student("", named=True)
    Traceback (most recent call last):
    vizkit.classroom.exercises.feedback.NotYet: ✘ no name in STUDENT.
       Hint: it says which case is yours: write it as your teacher has it.

    Whether the case is of whoever hands it in, which shows when nbgrader grades: it runs a notebook in
    autograded/STUDENT/class_models. Without a name it is the case that all share, unless each has to be `named`.
    """
    name, owner = known_as(student), Path.cwd().parent
    hint = "it says which case is yours: write it as your teacher has it."
    need(bool(name) or not named, "no name in STUDENT.", hint)
    theirs = not name or owner.parent.name != "autograded" or name == known_as(owner.name)
    need(theirs, f'STUDENT is "{student}", but "{owner.name}" has handed this in, who has another case.', hint)


def known_as(student: Any) -> str:
    """A name as it is compared: without case, spaces around it, and the many ways to write one letter."""
    return normalize("NFKC", str(student or "")).strip().casefold()
