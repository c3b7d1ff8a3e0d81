"""Exercise 4, detective: three small CNNs, one of which may cheat. Which one stands nowhere in the package."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...ascent import ascend
from ...networks import Classifier, read, small_network
from ..datasets import CORNERS, SHAPES
from .cases import COLOURS, case
from .feedback import Function, answer, compare, need, right, toy

BYTES = "pictures are bytes, 0 to 255, not numbers from 0 to 1: leave them as they are."
# The parts of a verdict, and the words for each, where nobody cheats, too; where to look for it; and other spellings.
WORDS = {"network": tuple("ABC"), "class": tuple(SHAPES), "corner": CORNERS, "colour": tuple(COLOURS)}
WORDS = {part: (*words, "none") for part, words in WORDS.items()}
HINTS = {
    "network": "which one shows the same thing, in the same place, in a class model where the others show none?",
    "class": "look along the row of your network: in which picture is there something that is no part of a shape?",
    "corner": "vizkit's pictures are not turned or mirrored: top is top, left is left.",
    "colour": "look at the middle of the mark, not at its rim. Between two colours, the proof decides.",
}
SPELLINGS = {"-": " ", "_": " ", "upper": "top", "lower": "bottom", "color": "colour"}


def suspects(student: Any = "") -> dict[str, Classifier]:
    """
    >>> vizkit.exercises.suspects(student="Ada")["A"]
    Classifier('A', 8 classes, 3 × 64 × 64)

    Three small CNNs, A, B and C, trained on pictures of coloured shapes. One of them may cheat. Each `student` has a
    case of their own, always the same; without a name it is one that all can share.
    """
    own, given = case(student), repr(student) if student else ""
    files = {name: f"detective-{own.line_up}{trained}.pt" for name, trained in zip("ABC", own.order, strict=True)}
    saved = {name: own.network(read(Path(__file__).with_name(file))) for name, file in files.items()}
    return {name: small_network(saved[name], f'vizkit.exercises.suspects({given})["{name}"]', name) for name in saved}


def plain(verdict: Mapping[str, Any]) -> dict[str, str]:
    """
    >>> vizkit.exercises.plain({"network": "b", "color": "Red", "corner": "upper-right"})
    {'network': 'B', 'colour': 'red', 'corner': 'top right'}

    A verdict in the words of the exercise, however they are spelt; without the parts that are still None.
    """

    def usual(text: Any) -> str:
        text = str(text).strip().casefold()
        for spelt, meant in SPELLINGS.items():
            text = text.replace(spelt, meant)
        return text.upper() if len(text) == 1 else text  # a network's name

    return {usual(part): usual(value) for part, value in verdict.items() if value is not None}


def check_verdict(verdict: Any, *parts: str, truth: Mapping[str, str] | None = None) -> None:
    """
    >>> vizkit.exercises.check_verdict({"network": "D"}, "network")
    Traceback (most recent call last):
    vizkit.classroom.exercises.feedback.NotYet: ✘ there is no network D.
       Hint: it is one of A, B, C, none.

    Whether these parts of the verdict are there: "network", "class", "corner", "colour". Whether they are true, it can
    tell only where the truth is given, as in a teacher's hidden tests: what a check knew, a loop would find out.
    """
    said = plain(verdict) if isinstance(verdict, dict) else {}
    for part in parts:
        need(part in said, f"no {part} in your verdict yet.", HINTS[part])
        need(said[part] in WORDS[part], f"there is no {part} {said[part]}.", f"it is one of {', '.join(WORDS[part])}.")
        need(not truth or truth[part] == said[part], f"the {part} is not right.", HINTS[part])
    right(f"your verdict: {', '.join(f'{part} {said[part]}' for part in parts)}. The proof will show if it is true")


def check_class_models(class_models: Function, how: Mapping[str, Any], seed: int = 0) -> None:
    """
    >>> vizkit.exercises.check_class_models(lambda net, steps: net.labels, how={"learning_rate": 1.0})
    Traceback (most recent call last):
    vizkit.classroom.exercises.feedback.NotYet: ✘ class_models gives a list of shape (4,), not (4, 12, 16, 3).
       Hint: ...

    A class model of every class of a network, made with the settings `how`: in one batch, or one by one.
    """
    (net, _), steps = toy(seed), 8 + seed
    pictures = answer(class_models, net, steps)
    wanted, got = (len(net.labels), net.height, net.width, 3), np.asarray(pictures)
    seen = f"class_models gives a {type(pictures).__name__} of shape {got.shape}, not {wanted}."
    need(got.shape == wanted, seen, "one for each class: `.pictures` of one ascent, or a list of `.picture`s.")
    need(got.dtype == np.uint8, f"class_models gives {got.dtype}, not uint8.", BYTES)
    differ = bool((got != got[:1]).any())
    need(differ, "all the pictures are the same.", "has every ascent run()? Does each climb another class?")

    settings = {**how, "steps": steps}
    together = ascend(net, net.labels, **settings).run().pictures
    alone = np.stack([ascend(net, label, **settings).run().picture for label in net.labels])
    as_asked = any(np.allclose(got, expected, atol=2) for expected in (together, alone))
    hint = "hand both on, steps=steps and **how, and the classes in the order of net.labels."
    need(as_asked, f"these are not the pictures that `how` makes in {steps} steps.", hint)
    right("class_models gives one picture for each class, in their order")


def check_paint(paint: Function, seed: int = 0) -> None:
    """
    >>> vizkit.exercises.check_paint(lambda pictures, rows, columns, colour: pictures)
    Traceback (most recent call last):
    vizkit.classroom.exercises.feedback.NotYet: ✘ paint: nothing is painted.
       Hint: ...

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
    got = np.asarray(answer(paint, given, rows, columns, colour))
    hint = "then there is no before to compare with. Copy first."
    need(bool((given == pictures).all()), "paint has changed the pictures it was given.", hint)
    need(got.dtype == np.uint8, f"paint gives {got.dtype}, not uint8.", BYTES)
    axes = "pictures are (count, height, width, 3). `:` stands for all of a dimension."
    mistakes = [
        (painted(everywhere, columns, rows), "rows and columns have changed places.", axes),
        (painted(rows, columns), "the wrong axis: it is whole rows of some of the pictures.", axes),
        (painted(0, rows, columns), "only the first picture is painted.", axes),
        (torch.from_numpy(pictures), "nothing is painted.", "pictures[:, rows, columns] are the pixels to paint."),
    ]
    praise = "paint puts the colour where it belongs, and leaves the rest, and the originals, alone"
    compare("paint", torch.from_numpy(got), painted(everywhere, rows, columns), mistakes, praise)


def check_accuracy_by_class(accuracy_by_class: Function, seed: int = 0) -> None:
    """
    >>> vizkit.exercises.check_accuracy_by_class(lambda net, images, targets: (net(images).argmax(1) == targets).sum())
    Traceback (most recent call last):
    vizkit.classroom.exercises.feedback.NotYet: ✘ accuracy_by_class has shape (), not (4,).
       Hint: which dimension counts what? ...

    The share that a network gets right, of the images of each class.
    """
    net, _ = toy(seed)
    images, targets = torch.randn(80, 3, 12, 16, generator=torch.Generator().manual_seed(seed)), torch.arange(80) % 4
    said = net(images).argmax(dim=1)

    def shares(of: Tensor) -> Tensor:
        return torch.stack([(said == targets)[of == index].float().mean() for index in range(4)])

    mistakes = [
        (shares(said), "of what the network calls so, not of what is so.", "choose the images by targets."),
        (1 - shares(targets), "these are the mistakes.", "an accuracy is the share that is right."),
        (shares(targets) / 4, "each is divided by all images.", "divide by how many there are of that class."),
        ((said == targets).float().mean(), "this is one number for all classes.", "look at each class alone."),
    ]
    got = answer(accuracy_by_class, net, images.clone(), targets.clone())
    got = torch.tensor(got) if isinstance(got, list) else got
    compare("accuracy_by_class", got, shares(targets), mistakes, "accuracy_by_class gives each class its share")
