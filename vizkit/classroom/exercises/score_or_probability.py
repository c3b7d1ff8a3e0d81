"""Exercise 3, score or probability: two ascents that differ in what they climb, and which classes fall."""

from collections.abc import Callable
from typing import Any

import torch

from ...ascent import Ascent
from .feedback import Mistake, NotYet, answer, compare, right, toy

OBJECTIVES = ("score", "probability")


def check_prediction(prediction: Any) -> None:
    """
    >>> vizkit.exercises.check_prediction({"score": 5, "probability": 5})
    ✔ your prediction: 5 of 10 fall with the score, 5 with the probability

    Whether a prediction has been made; not whether it will come true.
    """
    for objective in OBJECTIVES:
        number = prediction.get(objective) if isinstance(prediction, dict) else None
        if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= 10:
            hint = "a whole number from 0 to 10. There is no wrong one: it only has to be made before you measure."
            raise NotYet(f"no prediction yet for the {objective}.", hint)
    said = [f"{prediction['score']} of 10 fall with the score", f"{prediction['probability']} with the probability"]
    right(f"your prediction: {', '.join(said)}")


def check_make_both(make_both: Callable[..., Any], seed: int = 0) -> None:
    """
    >>> def make_both(net, start, target, steps):
    ...     how = dict(start=start, steps=steps, optimizer="adam", learning_rate=0.02)
    ...     return {
    ...         objective: vizkit.ascend(net, target, objective=objective, **how).run()
    ...         for objective in ("score", "probability")
    ...     }
    >>> vizkit.exercises.check_make_both(make_both)
    ✔ one ascent climbs the score, the other the probability
    ✔ everything else about them is the same

    Two ascents that may differ in their objective only.
    """
    net, images = toy(seed)
    start, target, steps = images[:1], 1 + seed % 3, 4 + seed % 3
    both = answer(make_both, net, start.clone(), target, steps)
    if not isinstance(both, dict) or set(both) != set(OBJECTIVES):
        raise NotYet("make_both returns no dictionary of both.", f"its keys have to be {' and '.join(OBJECTIVES)}.")
    for name, ascent in both.items():
        if not isinstance(ascent, Ascent):
            raise NotYet(f"{name} is a {type(ascent).__name__}, not an ascent.", "vizkit.ascend(…).run() returns one.")
        if ascent.settings.objective != name:
            hint = "what an ascent climbs is its objective. Without one, it is the score."
            raise NotYet(f'the ascent called "{name}" climbs the {ascent.settings.objective}.', hint)
    right("one ascent climbs the score, the other the probability")
    for name, ascent in both.items():
        if ascent.targets != [target]:
            raise NotYet(f"{name} climbs class {ascent.targets[0]}, not {target}.", "the class is given: target.")
        if not torch.allclose(ascent.start_image, start, atol=1e-4):
            raise NotYet(f"{name} does not begin at the start image.", "hand it on: start=…")
        if ascent.step != steps:
            hint = "hand steps on, and run() the ascent: it does nothing before."
            raise NotYet(f"{name} has made {ascent.step} steps, not {steps}.", hint)
    first, second = (both[name].settings for name in OBJECTIVES)
    for knob in ("optimizer", "learning_rate", "regularizer", "basis", "schedule"):
        if repr(getattr(first, knob)) != repr(getattr(second, knob)):
            raise NotYet(f"the two differ in {knob}, too.", "then nobody can say which difference did it.")
    right("everything else about them is the same")


def check_score_changes(score_changes: Callable[..., Any], seed: int = 0) -> None:
    """
    >>> vizkit.exercises.check_score_changes(lambda net, before, after: net(after)[0] - net(before)[0])
    ✔ score_changes says by how much each class's score has changed

    The scores after, less those before.
    """
    net, images = toy(seed)
    before, after = net(images[:1])[0], net(images[1:2])[0]
    mistakes = [
        Mistake(before - after, "the sign is turned round.", "a class that has risen must come out above zero."),
        Mistake(
            after.softmax(0) - before.softmax(0),
            "these are changes of the probabilities.",
            "they add up to zero: some fall whenever one rises. Measure the raw scores.",
        ),
        Mistake((after - before).abs(), "the sign is lost.", "then rising and falling look alike."),
        Mistake(after / before, "this is how many times as high.", "a change is a difference."),
        Mistake(after, "these are the scores after.", "and where were they before?"),
        Mistake((after - before)[None], "shape (1, classes).", "take the first, and only, image: one number a class."),
    ]
    got = answer(score_changes, net, images[:1].clone(), images[1:2].clone())
    praise = "score_changes says by how much each class's score has changed"
    compare("score_changes", got, after - before, mistakes, praise)


def check_fallen(fallen: Callable[..., Any], seed: int = 0) -> None:
    """
    >>> vizkit.exercises.check_fallen(lambda changes, rivals: [index for index in rivals if changes[index] < 0])
    ✔ fallen lists the rivals whose score has fallen

    Those of the rivals whose score has fallen, by class index.
    """
    changes = torch.randn(40, generator=torch.Generator().manual_seed(seed))
    rivals = torch.randperm(40, generator=torch.Generator().manual_seed(seed + 1))[:10].tolist()
    expected = {index for index in rivals if changes[index] < 0}
    mistakes = [
        (set(rivals) - expected, "these are the ones that have risen.", "which sign has the change of one that fell?"),
        (
            {i for i in range(40) if changes[i] < 0},
            "other classes are listed as well.",
            "only the rivals are asked for.",
        ),
        (
            {place for place, index in enumerate(rivals) if changes[index] < 0},
            "these are places in the list of rivals.",
            "a class is named by its index among all the classes.",
        ),
        (
            {place for place in range(10) if changes[place] < 0},
            "the first ten classes were looked at.",
            "rivals holds the indices to look up in changes.",
        ),
        (set(rivals), "all rivals are listed.", "only those whose score has fallen."),
    ]
    got = answer(fallen, changes.clone(), list(rivals))
    try:
        found = {int(index) for index in got}
    except (TypeError, ValueError):
        raise NotYet(f"fallen gives a {type(got).__name__}.", "it has to be a list of class indices.") from None
    if found == expected:
        return right("fallen lists the rivals whose score has fallen")
    for value, seen, hint in mistakes:
        if found == value:
            raise NotYet(f"fallen: {seen}", hint)
    raise NotYet(f"fallen: {len(found ^ expected)} classes too many or too few.", "a change below zero is a fall.")
