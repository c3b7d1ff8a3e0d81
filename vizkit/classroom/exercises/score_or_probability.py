"""Exercise 3, score or probability: two ascents that differ in what they climb, and which classes fall."""

import operator
from typing import Any

import torch

from ...ascent import Ascent, ascend
from .feedback import Function, Mistake, NotYet, answer, compare, need, right, toy

OBJECTIVES = ("score", "probability")


def check_prediction(prediction: Any) -> None:
    """
    >>> vizkit.exercises.check_prediction({"score": 5})
    Traceback (most recent call last):
    vizkit.classroom.exercises.feedback.NotYet: ✘ no prediction yet for the probability.
       Hint: a whole number from 0 to 10. ...

    Whether a prediction has been made; not whether it will come true.
    """
    hint = "a whole number from 0 to 10. There is no wrong one: it only has to be made before you measure."
    for objective in OBJECTIVES:
        number = prediction.get(objective) if isinstance(prediction, dict) else None
        made = isinstance(number, int) and not isinstance(number, bool) and 0 <= number <= 10
        need(made, f"no prediction yet for the {objective}.", hint)
    score, probability = (prediction[objective] for objective in OBJECTIVES)
    right(f"your prediction: {score} of 10 fall with the score, {probability} with the probability")


def check_make_both(make_both: Function, seed: int = 0) -> None:
    """
    >>> vizkit.exercises.check_make_both(lambda net, start, target, steps: {"score": 1, "probability": 2})
    Traceback (most recent call last):
    vizkit.classroom.exercises.feedback.NotYet: ✘ score is a int, not an ascent.
       Hint: vizkit.ascend(…).run() returns one.

    Two ascents that may differ in their objective only.
    """
    net, images = toy(seed)
    start, target, steps = images[:1], 1 + seed % 3, 4 + seed % 3
    both = answer(make_both, net, start.clone(), target, steps)
    named = isinstance(both, dict) and set(both) == set(OBJECTIVES)
    need(named, "make_both returns no dictionary of both.", f"its keys have to be {' and '.join(OBJECTIVES)}.")
    for name, ascent in both.items():
        seen = f"{name} is a {type(ascent).__name__}, not an ascent."
        need(isinstance(ascent, Ascent), seen, "vizkit.ascend(…).run() returns one.")
        climbs = ascent.settings.objective
        hint = "what an ascent climbs is its objective. Without one, it is the score."
        need(climbs == name, f'the ascent called "{name}" climbs the {climbs}.', hint)
    right("one ascent climbs the score, the other the probability")
    asked = ascend(net, target, start=start, steps=steps, optimizer="adam", learning_rate=0.01)
    for name, ascent in both.items():
        climbed = ", ".join(map(str, ascent.targets))
        need(ascent.targets == [target], f"{name} climbs class {climbed}, not {target}.", "it is given: target.")
        begins = ascent.start_image.shape == start.shape and torch.allclose(ascent.start_image, start, atol=1e-4)
        need(begins, f"{name} does not begin at the start image.", "hand it on: start=…")
        hint = "hand steps on, and run() the ascent: it does nothing before."
        need(ascent.step == steps, f"{name} has made {ascent.step} steps, not {steps}.", hint)
        has, asks = ({**vars(one.settings), "seed": one.seed} for one in (ascent, asked))
        hint = "set what the text says and nothing else, or nobody can say which difference did it."
        for knob in ("optimizer", "learning_rate", "regularizer", "basis", "schedule", "seed"):
            need(repr(has[knob]) == repr(asks[knob]), f"{name} has the {knob} {has[knob]}, not {asks[knob]}.", hint)
    right("everything else about them is the same")


def check_score_changes(score_changes: Function, seed: int = 0) -> None:
    """
    >>> vizkit.exercises.check_score_changes(lambda net, before, after: after - before)
    Traceback (most recent call last):
    vizkit.classroom.exercises.feedback.NotYet: ✘ score_changes has shape (1, 3, 12, 16), not (4,).
       Hint: which dimension counts what? ...

    The scores after, less those before.
    """
    net, images = toy(seed)
    before, after = net(images[:1])[0], net(images[1:2])[0]
    of_probability = after.softmax(0) - before.softmax(0)
    hint = "they add up to zero: some fall whenever one rises. Measure the raw scores."
    mistakes: list[Mistake] = [
        (before - after, "the sign is turned round.", "a class that has risen must come out above zero."),
        (of_probability, "these are changes of the probabilities.", hint),
        ((after - before).abs(), "the sign is lost.", "then rising and falling look alike."),
        (after / before, "this is how many times as high.", "a change is a difference."),
        (after, "these are the scores after.", "and where were they before?"),
        ((after - before)[None], "shape (1, classes).", "take the first, and only, image: one number a class."),
    ]
    got = answer(score_changes, net, images[:1].clone(), images[1:2].clone())
    praise = "score_changes says by how much each class's score has changed"
    compare("score_changes", got, after - before, mistakes, praise)


def check_fallen(fallen: Function, seed: int = 0) -> None:
    """
    >>> vizkit.exercises.check_fallen(lambda changes, rivals: rivals)
    Traceback (most recent call last):
    vizkit.classroom.exercises.feedback.NotYet: ✘ fallen: all rivals are listed.
       Hint: only those whose score has fallen.

    Those of the rivals whose score has fallen, by class index.
    """
    changes = torch.randn(40, generator=torch.Generator().manual_seed(seed))
    rivals = torch.randperm(40, generator=torch.Generator().manual_seed(seed + 1))[:10].tolist()
    got = answer(fallen, changes.clone(), list(rivals))
    try:
        found, count = {operator.index(index) for index in got}, len(got)
    except TypeError:
        raise NotYet(f"fallen gives a {type(got).__name__}.", "it has to be a list of class indices.") from None

    fell = {index for index, change in enumerate(changes) if change < 0}
    risen, down, front = set(rivals) - fell, fell & set(rivals), fell & set(range(len(rivals)))
    places = {place for place, index in enumerate(rivals) if index in fell}
    first = {next(index for index in rivals if index in fell)}
    which, named = "which sign has the change of one that fell?", "a class is named by its index among all the classes."
    once = "is there a `return` inside the loop? It ends the function at once: it belongs below the loop."
    mistakes = [
        (set(), "the list is empty.", once),
        (first, "only the first is listed.", once),
        (risen, "these are the ones that have risen.", which),
        (fell, "other classes are listed as well.", "only the rivals are asked for."),
        (places, "these are places in the list of rivals.", named),
        (front, "the first ten classes were looked at.", "rivals holds the indices to look up in changes."),
        (set(rivals), "all rivals are listed.", "only those whose score has fallen."),
        (found, f"{len(found ^ down)} classes too many or too few.", "a change below zero is a fall."),
    ]
    for listed, seen, hint in mistakes:
        need(found == down or found != listed, f"fallen: {seen}", hint)
    need(count == len(found), "fallen: some are listed twice.", "go through the rivals once.")
    right("fallen lists the rivals whose score has fallen")
