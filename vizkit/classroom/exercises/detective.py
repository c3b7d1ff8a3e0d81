"""Exercise 4, detective: three small CNNs, one of which cheats. The answers lie here as checksums only."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ...networks import Classifier, small_network
from .feedback import NotYet, answer, right, toy

PARTS = {  # a hint for each part of the verdict, which says where to look
    "network": "which one shows the same thing, in the same place, in a class model where the others show none?",
    "class": "look along the row of your network: in which picture is there something that is no part of a shape?",
    "corner": "vizkit's pictures are not turned or mirrored: top is top, left is left.",
    "colour": "one of red, green, blue, yellow, magenta, cyan, white, black: what the corner has most of.",
}
VERDICT = {
    "network": "380439f19944c9df",
    "class": "fc606b5ad933847a",
    "corner": "771947da759aca49",
    "colour": "b03b59f1084ada8c",
}


def suspects() -> dict[str, Classifier]:
    """
    >>> vizkit.exercises.suspects()["A"]
    Classifier('A', 8 classes, 3 × 64 × 64)

    Three small CNNs, A, B and C, trained on pictures of coloured shapes. One of them cheats.
    """
    found = {}
    for name in "ABC":
        found[name] = small_network(
            Path(__file__).with_name(f"detective-{name.lower()}.pt"), f'vizkit.exercises.suspects()["{name}"]'
        )
        found[name].name = name
    return found


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
        if value is None:
            raise NotYet(f"no {part} in your verdict yet.", PARTS[part])
        if checksum(part, value) != VERDICT[part]:
            raise NotYet(f"the {part} is not right yet.", PARTS[part])
        right(f"the {part} is right")


def check_class_models(class_models: Callable[..., Any], seed: int = 0) -> None:
    """
    >>> def class_models(net, steps):
    ...     return vizkit.ascend(net, net.labels, steps=steps, learning_rate=1.0).run().pictures
    >>> vizkit.exercises.check_class_models(class_models)
    ✔ class_models gives one picture for each class, in their order

    A class model of every class of a network.
    """
    net, _ = toy(seed)
    pictures = answer(class_models, net, 12)
    if not isinstance(pictures, (list, tuple, np.ndarray)):
        hint = "`.pictures` of an ascent that has run, or a list with the `.picture` of each."
        raise NotYet(f"class_models gives a {type(pictures).__name__}.", hint)
    wanted = (len(net.labels), net.height, net.width, 3)
    shape = np.shape(np.asarray(pictures))
    if shape != wanted:
        hint = "one picture for every class: how many classes has net.labels?"
        raise NotYet(f"class_models gives shape {shape}, not {wanted}.", hint)
    with torch.no_grad():
        as_seen = torch.as_tensor(np.asarray(pictures)).movedim(-1, 1) / 255
        scores = net(net.normalise(as_seen))
    if torch.equal(as_seen[:1].expand_as(as_seen), as_seen):
        raise NotYet("all the pictures are the same.", "each has to climb the score of another class.")
    if scores.argmax(dim=0).tolist() != list(range(len(scores))):
        hint = "the first picture is for the first of net.labels, and so on. Did every ascent run()?"
        raise NotYet("not every class has its highest score in its own picture.", hint)
    right("class_models gives one picture for each class, in their order")


def check_paint(paint: Callable[..., Any], seed: int = 0) -> None:
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
    given = pictures.copy()
    expected = pictures.copy()
    expected[:, rows, columns] = colour
    got = answer(paint, given, rows, columns, colour)
    if not isinstance(got, np.ndarray) or got.shape != pictures.shape:
        raise NotYet(f"paint gives {getattr(got, 'shape', type(got).__name__)}.", f"all pictures: {pictures.shape}.")
    if not (given == pictures).all():
        raise NotYet(
            "paint has changed the pictures it was given.", "then there is no before to compare with. Copy first."
        )
    if (got == expected).all():
        return right("paint puts the colour where it belongs, and leaves the rest, and the originals, alone")
    for place, seen in (
        ((slice(None), columns, rows), "rows and columns have changed places."),
        ((rows, columns), "the wrong axis: it is whole rows of some of the pictures."),
        ((0, rows, columns), "only the first picture is painted."),
    ):
        wrong = pictures.copy()
        wrong[place] = colour
        if (got == wrong).all():
            raise NotYet(f"paint: {seen}", "pictures are (count, height, width, 3). `:` stands for all of a dimension.")
    raise NotYet(
        f"paint: {int((got != expected).any(-1).sum())} pixels are not right.", "pictures[:, rows, columns] are those."
    )
