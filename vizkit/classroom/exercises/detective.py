"""Exercise 4, detective: three small CNNs, one of which cheats. The answers lie here as checksums only."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...networks import Classifier, small_network
from .feedback import Function, answer, compare, need, right, toy

# The checksums of the right verdict's parts, each salted with which part it is; and where to look for a part.
RIGHT = {"380439f19944c9df", "fc606b5ad933847a", "771947da759aca49", "b03b59f1084ada8c"}
HINTS = {
    "network": "which one shows the same thing, in the same place, in a class model where the others show none?",
    "class": "look along the row of your network: in which picture is there something that is no part of a shape?",
    "corner": "vizkit's pictures are not turned or mirrored: top is top, left is left.",
    "colour": "one of red, green, blue, yellow, magenta, cyan, white, black: what the corner has most of.",
}


def suspects() -> dict[str, Classifier]:
    """
    >>> vizkit.exercises.suspects()["A"]
    Classifier('A', 8 classes, 3 × 64 × 64)

    Three small CNNs, A, B and C, trained on pictures of coloured shapes. One of them cheats.
    """
    files = {name: Path(__file__).with_name(f"detective-{name.lower()}.pt") for name in "ABC"}
    return {name: small_network(file, f'vizkit.exercises.suspects()["{name}"]', name) for name, file in files.items()}


def checksum(part: str, value: object) -> str:
    """What the verdict is compared by: a part of it, salted."""
    return hashlib.sha256(f"vizkit detective: {part} {str(value).strip().casefold()}".encode()).hexdigest()[:16]


def check_verdict(verdict: Any, *parts: str) -> None:
    """
    >>> vizkit.exercises.check_verdict({"network": "D"}, "network")
    Traceback (most recent call last):
    vizkit.classroom.exercises.feedback.NotYet: ✘ the network is not right yet.
       Hint: ...

    Whether these parts of the verdict are right: "network", "class", "corner", "colour".
    """
    for part in parts:
        value = verdict.get(part) if isinstance(verdict, dict) else None
        need(value is not None, f"no {part} in your verdict yet.", HINTS[part])
        need(checksum(part, value) in RIGHT, f"the {part} is not right yet.", HINTS[part])
        right(f"the {part} is right")


def check_class_models(class_models: Function, seed: int = 0) -> None:
    """
    >>> def class_models(net, steps):
    ...     return vizkit.ascend(net, net.labels, steps=steps, learning_rate=1.0).run().pictures
    >>> vizkit.exercises.check_class_models(class_models)
    ✔ class_models gives one picture for each class, in their order

    A class model of every class of a network.
    """
    net, _ = toy(seed)
    pictures = answer(class_models, net, 12)
    hint = "`.pictures` of an ascent that has run, or a list with the `.picture` of each."
    need(isinstance(pictures, (list, tuple, np.ndarray)), f"class_models gives a {type(pictures).__name__}.", hint)
    wanted, shape = (len(net.labels), net.height, net.width, 3), np.shape(pictures)
    hint = "one picture for every class: how many classes has net.labels?"
    need(shape == wanted, f"class_models gives shape {shape}, not {wanted}.", hint)
    as_seen = torch.as_tensor(np.asarray(pictures)).movedim(-1, 1) / 255
    differ = not torch.equal(as_seen[:1].expand_as(as_seen), as_seen)
    need(differ, "all the pictures are the same.", "each has to climb the score of another class.")
    own = net(net.normalise(as_seen)).argmax(dim=0).tolist() == list(range(len(net.labels)))
    hint = "the first picture is for the first of net.labels, and so on. Did every ascent run()?"
    need(own, "not every class has its highest score in its own picture.", hint)
    right("class_models gives one picture for each class, in their order")


def check_paint(paint: Function, seed: int = 0) -> None:
    """
    >>> def paint(pictures, rows, columns, colour):
    ...     painted = pictures.copy()
    ...     painted[:, rows, columns] = colour
    ...     return painted
    >>> vizkit.exercises.check_paint(paint)
    ✔ paint puts the colour where it belongs, and leaves the rest, and the originals, alone

    A rectangle of one colour in every picture.
    """
    chance = np.random.default_rng(seed)
    pictures = chance.integers(0, 256, (12, 12, 12, 3), dtype=np.uint8)
    top, left = chance.integers(0, 6, 2).tolist()
    rows, columns, colour = slice(top, top + 3), slice(left + 1, left + 6), (10, 200, 90)

    def painted(*place: Any) -> Tensor:
        expected = pictures.copy()
        expected[place] = colour
        return torch.from_numpy(expected)

    given, everywhere = pictures.copy(), slice(None)
    got = answer(paint, given, rows, columns, colour)
    hint = "then there is no before to compare with. Copy first."
    need(bool((given == pictures).all()), "paint has changed the pictures it was given.", hint)
    axes = "pictures are (count, height, width, 3). `:` stands for all of a dimension."
    mistakes = [
        (painted(everywhere, columns, rows), "rows and columns have changed places.", axes),
        (painted(rows, columns), "the wrong axis: it is whole rows of some of the pictures.", axes),
        (painted(0, rows, columns), "only the first picture is painted.", axes),
        (torch.from_numpy(pictures), "nothing is painted.", "pictures[:, rows, columns] are the pixels to paint."),
    ]
    praise = "paint puts the colour where it belongs, and leaves the rest, and the originals, alone"
    got = torch.from_numpy(np.array(got, float)) if isinstance(got, np.ndarray) else got
    compare("paint", got, painted(everywhere, rows, columns), mistakes, praise)
