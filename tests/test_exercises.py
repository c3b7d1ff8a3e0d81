"""Exercises that check themselves: every typical mistake gets its own hint, and nbgrader's own run its exact points."""

import inspect
import itertools
import os
import re
import runpy
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import nbformat
import pytest
import torch

import vizkit
from vizkit import exercises

COURSE = Path(__file__).parent.parent / "notebooks" / "exercises"
ASSIGNMENT = "class_models"
SOURCES = sorted((COURSE / "source" / ASSIGNMENT).glob("*.ipynb"))
ALL = (1, 2, 3)


@pytest.fixture(autouse=True)
def own_catalogue(monkeypatch):
    monkeypatch.setattr(vizkit.regularizers, "_known", vizkit.regularizers.catalogue())


def said(check, *arguments, **named):
    """What a check that fails says."""
    with pytest.raises(exercises.NotYet) as failure:
        check(*arguments, **named)
    return str(failure.value)


# The checks themselves.


@pytest.mark.parametrize("name", [name for name in exercises.__all__ if name.startswith("check")])
def test_a_check_opens_its_docstring_with_an_example_that_is_wrong_and_returns_nothing(name):
    """A tooltip shows the docstring. nbgrader takes a number at the end of a cell for partial credit."""
    check = getattr(exercises, name)
    assert check.__doc__.strip().startswith(">>>")
    assert "✘" in check.__doc__
    assert "✔" not in check.__doc__
    assert inspect.signature(check).return_annotation is None


def leaf(image):
    return image.detach().clone().requires_grad_(True)


def gradient(image, number):
    return torch.autograd.grad(number, image)[0]


def of_score(net, image, target):
    x = leaf(image)
    return gradient(x, net(x)[:, target].sum())


def of_probability(net, image, target):
    x = leaf(image)
    return gradient(x, net(x).softmax(1)[:, target].sum())


def not_zeroed(net, image, target):
    image.requires_grad_(True)
    net(image)[:, target].sum().backward()
    return image.grad


def no_sum(net, image, target):
    x = leaf(image)
    net(x)[:, target].backward()
    return x.grad


def no_notes(net, image, target):
    net(image)[:, target].sum().backward()
    return image.grad


def of_a_copy(net, image, target):
    image.requires_grad_(True)
    x = image.clone()
    net(x)[:, target].sum().backward()
    return x.grad


def what_backward_returns(net, image, target):
    image.requires_grad_(True)
    return net(image)[:, target].sum().backward()


def first_only(net, image, target):
    x = leaf(image)
    return gradient(x, net(x)[0, target])


def cross_entropy(reduction):
    def of_cross_entropy(net, image, target):
        x, targets = leaf(image), torch.full((len(image),), target)
        return gradient(x, torch.nn.functional.cross_entropy(net(x), targets, reduction=reduction))

    return of_cross_entropy


def emptied_too_late(net, image, target):
    image = leaf(image)
    net(image)[:, target].sum().backward()
    found = image.grad
    image.grad.zero_()
    return found


def as_in_training(net, image, target):
    net.zero_grad()


def shares(of=lambda said, targets: targets):
    """Right answers: of the images of each class, or of those that are called so."""

    def accuracy_by_class(net, images, targets):
        said = net(images).argmax(dim=1)
        return torch.stack([(said == targets)[of(said, targets) == k].float().mean() for k in range(4)])

    return accuracy_by_class


def not_written(*_):
    raise NotImplementedError


FUNCTIONS = [
    ("check_class_score", lambda net, image, c: net(image).softmax(1)[:, c], "this is the probability"),
    ("check_class_score", lambda net, image, c: net(image).log_softmax(1)[:, c], "the log-probability"),
    ("check_class_score", lambda net, image, c: net(image)[c], "the wrong axis"),
    ("check_class_score", lambda net, image, c: net(image).max(1).values, "the highest score"),
    ("check_class_score", lambda net, image, c: net(image), "scores of all classes"),
    ("check_class_score", lambda net, image, c: net(image)[0, c], "the first image only"),
    ("check_class_score", lambda net, image, c: None, "returns nothing"),
    ("check_class_score", lambda net, image, c: "7", "gives a str"),
    ("check_class_score", lambda net, image, c: net(image)[:, :2], "has shape (4, 2), not (4,)"),
    ("check_class_score", lambda net, image, c: net(image)[:, c] + 1, "not right, by up to 1"),
    ("check_class_score", lambda net, image, c: net(image)[99], "counts the images"),
    ("check_class_score", lambda net: None, "stopped with TypeError"),
    ("check_class_score", not_written, "is not written yet"),
    ("check_class_score", 3, "is not a function"),
    ("check_class_score", torch.zeros(4), "this is not a function but a Tensor"),
    ("check_class_score", lambda net, image, c: net(image)[:, c - 1], "the score of the class before"),
    ("check_class_score", lambda net, image, c: [scores[c] for scores in net(image)], "gives a list"),
    ("check_class_score", lambda net, image, c: [].append(c), "`list.append(x)`"),
    ("check_gradient_by_hand", lambda x, w, v, c: -w.T @ (v[c] * (w @ x > 0)), "the sign is turned round"),
    ("check_gradient_by_hand", lambda x, w, v, c: w.T @ v[c], "the ReLU is missing"),
    ("check_gradient_by_hand", lambda x, w, v, c: w.T @ (v[c] * (w @ x).relu()), "multiplied by their values"),
    ("check_gradient_by_hand", lambda x, w, v, c: w @ (v[c] * (w @ x > 0)), "the wrong axis: w"),
    ("check_gradient_by_hand", lambda x, w, v, c: w.T @ (v[:, c] * (w @ x > 0)), "a column of v"),
    ("check_gradient_by_hand", lambda x, w, v, c: w.T @ (v[c] * (w @ x)), "multiplied by their values"),
    ("check_gradient_by_hand", lambda x, w, v, c: w.T @ (v[c] * (x > 0)), "which pixels are above zero"),
    ("check_gradient_by_hand", lambda x, w, v, c: (w.T @ v[c]) * (x > 0), "which pixels are above zero"),
    ("check_pixel_gradient", lambda *a: -of_score(*a), "points downhill"),
    ("check_pixel_gradient", of_probability, "the gradient of the probability"),
    ("check_pixel_gradient", lambda *a: of_score(*a) / 4, "a mean instead of a sum"),
    ("check_pixel_gradient", not_zeroed, "adds to what is already in .grad"),
    ("check_pixel_gradient", no_sum, "backward starts from one number"),
    ("check_pixel_gradient", no_notes, "torch follows only tensors that were told so"),
    ("check_pixel_gradient", lambda net, image, c: image + of_score(net, image, c), "a step already"),
    ("check_pixel_gradient", of_a_copy, "the very tensor that was told requires_grad_"),
    ("check_pixel_gradient", what_backward_returns, "`x.backward()`"),
    ("check_pixel_gradient", first_only, "only the first image has a gradient"),
    ("check_pixel_gradient", cross_entropy(reduction="mean"), "the gradient of the cross-entropy"),
    ("check_pixel_gradient", cross_entropy(reduction="sum"), "the gradient of the cross-entropy"),
    ("check_pixel_gradient", emptied_too_late, "all zeros"),
    ("check_pixel_gradient", lambda *a: of_score(*a) / of_score(*a).std(), "scaled to spread 1"),
    ("check_pixel_gradient", as_in_training, "its weights are frozen"),
    ("check_uphill", lambda image, g, rate: image - rate * g, "goes downhill"),
    ("check_uphill", lambda image, g, rate: image, "no pixel has moved"),
    ("check_uphill", lambda image, g, rate: image + rate * (g - 0.01 * image), "no known mistake"),
    ("check_uphill", lambda image, g, rate: image + g, "the learning rate is not used"),
    ("check_uphill", lambda image, g, rate: rate * g, "the move alone"),
    ("check_uphill", lambda image, g, rate: image + rate * g.sign(), "only the gradient's sign"),
    ("check_score_changes", lambda net, a, b: net(a)[0] - net(b)[0], "the sign is turned round"),
    ("check_score_changes", lambda net, a, b: (net(b).softmax(1) - net(a).softmax(1))[0], "of the probabilities"),
    ("check_score_changes", lambda net, a, b: (net(b) - net(a))[0].abs(), "the sign is lost"),
    ("check_accuracy_by_class", shares(of=lambda said, targets: said), "calls so, not of what is so"),
    ("check_accuracy_by_class", lambda *a: 1 - shares()(*a), "these are the mistakes"),
    ("check_accuracy_by_class", lambda *a: shares()(*a) / 4, "divided by all images"),
    ("check_accuracy_by_class", lambda net, x, c: (net(x).argmax(1) == c).float().mean(), "one number for all classes"),
    ("check_fallen", lambda change, rivals: [i for i in rivals if change[i] > 0], "that have risen"),
    ("check_fallen", lambda change, rivals: (change < 0).nonzero()[:, 0], "other classes are listed"),
    ("check_fallen", lambda change, rivals: [p for p, i in enumerate(rivals) if change[i] < 0], "places in the list"),
    ("check_fallen", lambda change, rivals: rivals, "all rivals"),
    ("check_fallen", lambda change, rivals: 4, "gives a int"),
    ("check_fallen", lambda change, rivals: (i for i in rivals if change[i] < 0), "gives a generator"),
    ("check_fallen", lambda change, rivals: filter(lambda i: change[i] < 0, rivals), "gives a filter"),
    ("check_fallen", lambda change, rivals: [float(i) for i in rivals if change[i] < 0], "list of class indices"),
    ("check_fallen", lambda change, rivals: [i for i in rivals if change[i] < 0] * 2, "listed twice"),
    ("check_fallen", lambda change, rivals: [], "a `return` inside the loop"),
    ("check_fallen", lambda change, rivals: [i for i in rivals if change[i] < 0][:1], "a `return` inside the loop"),
]

PENALTIES = [
    ("l2", lambda image: image.square().mean(ALL), "a mean instead of a sum: too small by the number of values, 576"),
    ("l2", lambda image: image.square().sum(ALL).sqrt(), "a square root too many"),
    ("l2", lambda image: image.abs().sum(ALL), "absolute values instead of squares"),
    ("l2", lambda image: image.square().sum(), "one number for the whole batch"),
    ("l2", lambda image: -image.square().sum(ALL), "the sign is turned round"),
    ("l2", lambda image: image.square().sum(ALL).detach(), "no gradient"),
    ("l2", lambda image: image.square().sum((0, 1, 2)), "has shape (16,)"),
    ("l2", lambda image: 1e-3 * image.square().sum(ALL), "0.001 times what the formula gives"),
    ("l2", lambda image: torch.tensor([(x**2).sum() for x in image]), "torch.stack keeps it"),
    ("l1", lambda image: image.square().sum(ALL), "squared instead of absolute"),
    ("l1", lambda image: image.abs().mean(ALL), "a mean instead of a sum"),
    ("l1", lambda image: image.sum(ALL), "no absolute value"),
    ("l1", lambda image: image.sum(ALL).abs(), "the absolute value of the sum"),
    ("l1", lambda image: image.relu().sum(ALL), "only values above zero"),
    (
        "total_variation",
        lambda image: sum(image.diff(dim=d).square().sum(ALL) for d in (2, 3)),
        "squared instead of absolute",
    ),
    ("total_variation", lambda image: image.diff(dim=2).abs().sum(ALL), "only neighbours below"),
    ("total_variation", lambda image: image.diff(dim=3).abs().sum(ALL), "only neighbours to the right"),
    ("total_variation", lambda image: sum(image.diff(dim=d).abs().sum(ALL) for d in (1, 2)), "the wrong axis"),
    (
        "total_variation",
        lambda image: sum(image.diff(dim=d).abs().mean(ALL) for d in (2, 3)),
        "a mean instead of a sum",
    ),
    ("total_variation", lambda image: sum(image.diff(dim=d).sum(ALL) for d in (2, 3)), "cancel"),
    (
        "total_variation",
        lambda image: sum((image - image.roll(1, d)).abs().sum(ALL) for d in (2, 3)),
        "edges are taken",
    ),
    ("total_variation", lambda image: sum(image.diff(dim=d).sum(ALL).abs() for d in (2, 3)), "taken of the sum"),
    (
        "total_variation",
        lambda image: torch.hypot(image.diff(dim=2)[..., :-1], image.diff(dim=3)[:, :, :-1]).sum(ALL),
        "√(down² + right²)",
    ),
]


@pytest.mark.parametrize(("check", "mistaken", "hint"), FUNCTIONS, ids=[f"{c}: {h}" for c, _, h in FUNCTIONS])
def test_a_mistake_is_known_by_its_value(check, mistaken, hint):
    for seed in range(3):  # the hidden tests' seeds
        message = said(getattr(exercises, check), mistaken, seed=seed)
        assert hint in message
        assert "Hint: " in message


@pytest.mark.parametrize(("name", "mistaken", "hint"), PENALTIES, ids=[f"{n}: {h}" for n, _, h in PENALTIES])
def test_a_mistake_in_a_regularizer_is_known_by_its_value(name, mistaken, hint):
    mistaken.__name__ = f"my_{name}"
    mine = vizkit.regularizer("penalty")(mistaken)
    for seed in range(3):
        assert hint in said(getattr(exercises, f"check_{name}"), mine, seed=seed)
    assert "no regularizer yet" in said(getattr(exercises, f"check_{name}"), mistaken)


def both(**changed):
    def make_both(net, start, target, steps):
        target = changed.get("target", target)
        how = {"start": start, "steps": steps, "optimizer": "adam", "learning_rate": 0.01}
        return {
            name: vizkit.ascend(net, target, **how | {"objective": name} | changed.get(name, {})).run()
            for name in ("score", "probability")
        }

    return make_both


@pytest.mark.parametrize(
    ("make_both", "hint"),
    [
        (lambda *_: [], "no dictionary"),
        (lambda *_: {"score": 1, "probability": 2}, "not an ascent"),
        (both(probability={"objective": "score"}), 'the ascent called "probability" climbs the score'),
        (both(target=0), "climbs class 0"),
        (both(score={"start": "zero"}), "does not begin at the start image"),
        (both(score={"steps": 1}), "has made 1 steps"),
        (both(score={"learning_rate": 1.0}), "score has the learning_rate 1.0, not 0.01"),
        (both(score={"learning_rate": 10}, probability={"learning_rate": 10}), "score has the learning_rate 10"),
        (both(score={"learning_rate": None}), "score has the learning_rate 0.05, not 0.01"),
        (both(score={"optimizer": "ascent"}), "score has the optimizer ascent, not adam"),
        (both(probability={"regularizer": vizkit.l2(1e-3)}), "probability has the regularizer"),
        (both(score={"seed": 1}), "score has the seed 1, not 0"),
        (lambda net, start, c, n: {o: vizkit.ascend(net, c).run(n) for o in ("score", "probability")}, "steps=…"),
    ],
)
def test_two_ascents_that_cannot_be_compared_are_sent_back(make_both, hint):
    for seed in range(3):
        assert hint in said(exercises.check_make_both, make_both, seed=seed)


HOW = {"learning_rate": 1.0}  # in the notebook there is more


def models(targets=range(4), **changed):
    return lambda net, steps: vizkit.ascend(net, targets, **{"steps": steps, **HOW, **changed}).run().pictures


def painted(place, copy=True):
    def paint(pictures, rows, columns, colour):
        pictures = pictures.copy() if copy else pictures
        pictures[place(rows, columns)] = colour
        return pictures

    return paint


EVERY = slice(None)


@pytest.mark.parametrize(
    ("check", "mistaken", "hint"),
    [
        (
            exercises.check_paint,
            painted(lambda rows, columns: (EVERY, rows, columns), copy=False),
            "has changed the pictures",
        ),
        (exercises.check_paint, painted(lambda rows, columns: (EVERY, columns, rows)), "have changed places"),
        (exercises.check_paint, painted(lambda rows, columns: (rows, columns)), "the wrong axis"),
        (exercises.check_paint, painted(lambda rows, columns: (0, rows, columns)), "only the first picture"),
        (exercises.check_paint, lambda pictures, *_: pictures.copy(), "nothing is painted"),
        (exercises.check_paint, lambda pictures, *_: pictures[0], "has shape (12, 12, 3)"),
        (exercises.check_paint, lambda pictures, *_: pictures.astype(float), "paint gives float64, not uint8"),
    ],
)
def test_a_detective_whose_paint_runs_is_told_where(check, mistaken, hint):
    for seed in range(3):
        assert hint in said(check, mistaken, seed=seed)


@pytest.mark.parametrize(
    ("mistaken", "hint"),
    [
        (models([0]), "shape (1, 12, 16, 3), not (4, 12, 16, 3)"),
        (lambda net, steps: vizkit.ascend(net, 0), "gives a Ascent"),
        (models([1, 1, 1, 1], start="zero"), "all the pictures are the same"),
        (lambda net, steps: vizkit.ascend(net, net.labels, start="zero", **HOW).pictures, "has every ascent run()?"),
        (lambda net, steps: models()(net, steps) / 255, "float64, not uint8"),
        (models([3, 2, 1, 0]), "not the pictures that `how` makes"),
        (models(learning_rate=None), "not the pictures that `how` makes"),  # `how` is not handed on
        (models(recipe="small"), "not the pictures that `how` makes"),
        (models(steps=1), "not the pictures that `how` makes"),
        (models(steps=200), "not the pictures that `how` makes"),
    ],
)
def test_a_line_up_that_is_not_as_asked_is_sent_back(mistaken, hint):
    for seed in range(3):
        assert hint in said(exercises.check_class_models, mistaken, HOW, seed=seed)


TRAINED = runpy.run_path(str(COURSE / "truths.py"))["trained"]()  # what is true of each line-up of exercise 4


def test_whether_a_verdict_is_true_is_told_only_to_those_who_know_it(capsys):
    """A loop over all verdicts finds nothing out: to a check without the truth each is as good as another."""
    words = exercises.detective.WORDS
    for values in itertools.product(*words.values()):
        exercises.check_verdict(dict(zip(words, values, strict=True)), *words)
    truth = TRAINED[0]
    capsys.readouterr()
    exercises.check_verdict(truth, *words, truth=truth)
    assert capsys.readouterr().out.startswith("✔ your verdict")
    for part in words:
        other = next(word for word in words[part] if word != truth[part])
        assert f"the {part} is not right" in said(exercises.check_verdict, truth | {part: other}, part, truth=truth)
        assert f"no {part} in your verdict" in said(exercises.check_verdict, truth | {part: None}, part)
        assert f"there is no {part} other" in said(exercises.check_verdict, {part: "other"}, part)


@pytest.mark.parametrize("corner", ["top right", "Top-Right", "upper right", " upper_right "])
@pytest.mark.parametrize("colour", ["colour", "color", "Color"])
def test_a_verdict_may_be_spelt_otherwise(corner, colour):
    verdict = {"network": "b", "class": "Ring", "corner": corner, colour: "YELLOW"}
    as_asked = {"network": "B", "class": "ring", "corner": "top right", "colour": "yellow"}
    assert exercises.plain(verdict) == as_asked
    exercises.check_verdict(verdict, *as_asked, truth=as_asked)


@pytest.mark.parametrize("prediction", [None, {}, {"score": 1}, {"score": 11, "probability": 0}, {"score": True}])
def test_a_prediction_has_to_be_made(prediction):
    assert "no prediction yet" in said(exercises.check_prediction, prediction)


def test_an_explorer_that_is_not_as_asked_is_sent_back():
    net, _ = exercises.feedback.toy()
    net.labels[:] = ["tiger", "strawberry", "fig", "lemon"]

    @vizkit.regularizer("penalty")
    def my_l1(image):
        return image.abs().sum(dim=ALL)

    def of(target, regularizer):
        return said(exercises.check_in_explorer, vizkit.Explorer(net, target, regularizer=regularizer), "my_l1")

    assert "not an Explorer" in said(exercises.check_in_explorer, None)
    assert "the Explorer's regularizer is vizkit.l1(0.003)" in of("strawberry", vizkit.l1(0.003))
    assert "the Explorer's regularizer is vizkit.my_l1(5)" in of("strawberry", my_l1(5))
    assert "its class is tiger, not strawberry" in of("tiger", my_l1(0.003))


@pytest.mark.parametrize("name", "ABC")
def test_the_code_of_a_suspects_class_model_makes_the_same_picture(name):
    """What *Show the code* says of a suspect is Python that runs."""
    ascent = vizkit.ascend(exercises.suspects()[name], "star", steps=2).run()
    found = {}
    exec(ascent.code(), found)
    assert (found["ascent"].picture == ascent.picture).all()


def test_what_a_student_writes_to_stderr_or_is_warned_of_costs_no_points(capsys):
    def class_score(net, image, target):
        sys.stderr.write("looking")
        torch.zeros(2, 3, 4).T  # noqa: B018  # deprecated, and torch says so
        return net(image)[:, target]

    exercises.check_class_score(class_score)
    assert capsys.readouterr().err == ""


# The notebooks, and nbgrader.


def cells_of(path, kind):
    """The cells of a notebook that nbgrader knows as one kind, by their id."""
    cells = nbformat.read(path, as_version=4).cells
    known = [cell for cell in cells if cell.metadata.get("nbgrader", {}).get(kind)]
    return {cell.metadata.nbgrader.grade_id: cell for cell in known}


def solution_region(cell):
    """The lines that students do not get."""
    region = re.search(r"### BEGIN SOLUTION\n(.*?)### END SOLUTION", cell.source, re.DOTALL)[1]
    return [line.strip() for line in region.splitlines() if line.strip()]


def solution_in(cell):
    """A solution cell as a student would hand it in."""
    return "\n".join(line for line in cell.source.splitlines() if not line.strip().startswith("###"))


def test_every_exercise_is_worth_ten_points_and_every_check_is_repeated_afresh_with_other_inputs_if_there_are_any():
    for path in SOURCES:
        tests = cells_of(path, "grade")
        assert sum(cell.metadata.nbgrader.points for cell in tests.values()) == 10
        for name, cell in tests.items():
            check = re.search(r"check_\w+", cell.source)[0]
            hidden = cell.source.partition("### BEGIN HIDDEN TESTS")[2]
            assert "del sys.modules[module]" in hidden, name
            assert f"afresh.{check}(" in hidden, name
            assert ("seed=2" in hidden) == ("seed" in inspect.signature(getattr(exercises, check)).parameters), name


def test_the_ids_that_nbgrader_goes_by_are_unique():
    for path in SOURCES:
        ids = [c.metadata.nbgrader.grade_id for c in nbformat.read(path, 4).cells if "nbgrader" in c.metadata]
        assert len(ids) == len(set(ids))


# Wrong solutions: of two students, each of whom has every second part of each notebook wrong, and all else right. The
# notebook, the solution cell, what stands there, and the hint.
ONE = [
    ("1", "class-score", "return net(image).softmax(1)[:, target]", "this is the probability"),
    (
        "1",
        "pixel-gradient",
        "image.requires_grad_(True)\nnet(image)[:, target].sum().backward()\nreturn image.grad",
        "adds to what is already in .grad",
    ),
    ("2", "l2", "return image.square().mean(dim=(1, 2, 3))", "a mean instead of a sum"),
    (
        "2",
        "total-variation",
        "return image.diff(dim=1).abs().sum(dim=(1, 2, 3)) + image.diff(dim=2).abs().sum(dim=(1, 2, 3))",
        "the wrong axis",
    ),
    ("3", "make-both", 'return {"score": 1, "probability": 2}', "not an ascent"),
    ("3", "fallen", "return [index for index in rivals if changes[index] > 0]", "have risen"),
    ("4", "class-models", "return vizkit.ascend(net, net.labels, steps=steps).run().pictures", "`how` makes"),
    ("4", "mark", 'mark = {"corner": "top right", "colour": "magenta"}', "the colour is not right"),
    ("4", "paint", "pictures[:, rows, columns] = colour\nreturn pictures", "has changed the pictures"),
]
OTHER = [
    ("1", "gradient-by-hand", "return w.T @ v[target]", "the ReLU is missing"),
    ("1", "uphill", "return image - learning_rate * gradient", "goes downhill"),
    ("2", "l1", "return image.square().sum(dim=(1, 2, 3))", "squared instead of absolute"),
    ("2", "explorer", 'explorer = vizkit.Explorer(net, "strawberry")', "make it anew"),
    ("3", "prediction", 'prediction = {"score": 3}', "no prediction yet for the probability"),
    ("3", "score-changes", "return net(before)[0] - net(after)[0]", "the sign is turned round"),
    ("4", "verdict", 'verdict = {"network": "A", "class": "ring"}', "the network is not right"),
    (
        "4",
        "accuracy-by-class",
        "return (net(images).argmax(dim=1) == targets).float().mean()",
        "one number for all classes",
    ),
]
WRONG = {"one": ONE, "other": OTHER}
# And of one who solves nothing, but sees to it that no check can fail.
CHEAT = """
for name in dir(exercises):
    if name.startswith("check_"):
        setattr(exercises, name, lambda *arguments, **named: None)
"""


# And of six more, in exercise 4, each with a case of their own: what they have wrong, or do to their notebook.
CARELESS = [
    ("4", "verdict", 'verdict = {"network": "B", "class": "disc"}', "the class is not right"),
    ("4", "mark", 'mark = {"Corner": "Lower-Right", "color": "blue"}', "the colour is not right"),
    ("4", "paint", "painted = pictures.copy()\npainted[:, columns, rows] = colour\nreturn painted", "changed places"),
]
ENDLESS = [("4", "paint", "while True:\n    pass", "")]
# The verdict that no check refuses: but the checks do not know the truth.
LOOP = """
for network in "ABC":
    for label in suspects[network].labels:
        try:
            exercises.check_verdict({"network": network, "class": label}, "network", "class")
            verdict = {"network": network, "class": label}
        except AssertionError:
            pass
"""
LOOPING = [("4", "verdict", LOOP, "is not right")]


def hand_in(course, student, notebook, wrong=(), name="", whole=True, change=None):
    """A student's notebook: the release, with the reference solutions filled in, but for the wrong ones. What is not
    `whole` comes without what is neither graded nor locked, as the pictures at the end: its verdict is then not looked
    for, but the truth. `change` makes of its cells those that are handed in."""
    document = nbformat.read(course / "release" / ASSIGNMENT / notebook.name, as_version=4)
    solutions = cells_of(notebook, "solution")
    truth = exercises.case(name).truth(TRAINED)
    answers = {"verdict": f"verdict = {truth}", "mark": f"mark = {truth}"} if wrong or not whole else {}
    answers |= {name: code for number, name, code, _ in wrong if notebook.name.startswith(number)}
    for cell in document.cells:
        grade_id = cell.metadata.get("nbgrader", {}).get("grade_id")
        if cell.id == "name":
            cell.source = f'STUDENT = "{name}"'
        if grade_id in solutions:
            assert "raise NotImplementedError" in cell.source
            cell.source = solution_in(solutions[grade_id])
        if grade_id in answers and grade_id in solutions:
            source = solutions[grade_id].source
            opening = re.search(r"\A.*?(?=^ *### BEGIN SOLUTION)", source, re.DOTALL | re.MULTILINE)[0]
            cell.source = opening + textwrap.indent(answers[grade_id], "    " if "def " in opening else "")
    if wrong or not whole:
        document.cells = [cell for cell in document.cells if "nbgrader" in cell.metadata or cell.id == "name"]
    if change:
        document.cells = change(document.cells)
    write(document, course, student, notebook)


def write(document, course, student, notebook):
    folder = course / "submitted" / student / ASSIGNMENT
    folder.mkdir(parents=True, exist_ok=True)
    nbformat.write(document, folder / notebook.name)


def hand_in_a_cheat(course, notebook):
    """The release, with one change: its first solution cell replaces every check."""
    document = nbformat.read(course / "release" / ASSIGNMENT / notebook.name, as_version=4)
    document.cells = [cell for cell in document.cells if "nbgrader" in cell.metadata or cell.id == "name"]
    first = next(cell for cell in document.cells if cell.metadata.get("nbgrader", {}).get("solution"))
    first.source = CHEAT + first.source
    write(document, course, "cheat", notebook)


def place_of(cells, grade_id):
    return next(n for n, cell in enumerate(cells) if cell.metadata.get("nbgrader", {}).get("grade_id") == grade_id)


def without_a_check(cells):
    place = place_of(cells, "test-paint")
    return cells[:place] + cells[place + 1 :]


def with_a_cell_twice(cells):
    """As JupyterLab pastes it: the metadata comes along, the cell's own id does not."""
    place = place_of(cells, "paint")
    return [*cells[: place + 1], nbformat.from_dict(cells[place] | {"id": "sloppy"}), *cells[place + 1 :]]


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """The course, released and graded by nbgrader: the reference, the untouched release, the cheat, the wrong
    solutions, and those who have a case of their own. It stands there twice, so that two cores grade at the same time;
    then come those with whom nbgrader has to be helped."""
    folder = tmp_path_factory.mktemp("course")
    first, second = folder / "first", folder / "second"
    shutil.copytree(COURSE / "source", first / "source")
    shutil.copy(COURSE / "nbgrader_config.py", first)
    wait_for(nbgrader(first, "generate_assignment", ASSIGNMENT))
    shutil.copytree(first, second)
    shutil.copytree(second / "release" / ASSIGNMENT, second / "submitted" / "untouched" / ASSIGNMENT)
    for notebook in SOURCES:
        hand_in(first, "reference", notebook)
        for half, (student, wrong) in zip((first, second), WRONG.items(), strict=True):
            hand_in(half, student, notebook, wrong)
        hand_in_a_cheat(second, notebook)

    detective = exercise("4")
    hand_in(second, "genius", detective, name="Genius")
    hand_in(first, "careless", detective, CARELESS, name="careless")
    hand_in(first, "deleting", detective, name="deleting", whole=False, change=without_a_check)
    hand_in(second, "impostor", detective, name="genius", whole=False)
    hand_in(first, "looper", detective, LOOPING, name="looper")
    for running in [nbgrader(half, "autograde", ASSIGNMENT) for half in (first, second)]:
        wait_for(running)

    hand_in(first, "sloppy", detective, name="sloppy", whole=False, change=with_a_cell_twice)
    hand_in(second, "endless", detective, ENDLESS, name="endless")
    alone = [
        nbgrader(first, "autograde", ASSIGNMENT, "--student", "sloppy"),
        nbgrader(second, "autograde", ASSIGNMENT, "--student", "endless", "--Execute.timeout=40"),
    ]
    assert alone[0].wait() != 0
    assert "exists multiple times" in (first / "autograde.log").read_text()
    hand_in(first, "sloppy", detective, name="sloppy", whole=False)
    wait_for(nbgrader(first, "autograde", ASSIGNMENT, "--student", "sloppy", "--force"))
    wait_for(alone[1])
    return folder


def nbgrader(folder, *command):
    with (folder / f"{command[0]}.log").open("w") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "nbgrader", *command], cwd=folder, env=environment(folder), stdout=log, stderr=log
        )


def wait_for(running):
    assert running.wait() == 0, "nbgrader failed: see its log in the course's folder"


def environment(folder):
    """nbgrader starts `alembic`, which has to be found beside this Python."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return os.environ | {"PATH": path, "JUPYTER_CONFIG_DIR": str(folder / ".jupyter"), "OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="module")
def grades(course):
    return points(course)


def points(course):
    """What nbgrader's gradebooks say: {student: {notebook: {the id of a test cell: (points, of how many)}}}."""
    from nbgrader.api import Gradebook

    found = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", environment(course)["PATH"])
        for database in course.glob("*/gradebook.db"):
            with Gradebook(f"sqlite:///{database}") as gradebook:
                for submission in gradebook.assignment_submissions(ASSIGNMENT):
                    # What has no check waits for the teacher's hand.
                    assert submission.needs_manual_grade == (submission.student.id == "deleting")
                    found[submission.student.id] = {
                        notebook.name: {grade.name: (grade.score, grade.max_score) for grade in notebook.grades}
                        for notebook in submission.notebooks
                    }
    return found


def exercise(number):
    """The source notebook of that number."""
    (found,) = (path for path in SOURCES if path.name.startswith(number))
    return found


def graded(course, student, notebook):
    (path,) = course.glob(f"*/autograded/{student}/{ASSIGNMENT}/{notebook.name}")
    return nbformat.read(path, as_version=4)


def outputs(document, kind):
    return [output for cell in document.cells for output in cell.get("outputs", []) if output.output_type == kind]


@pytest.mark.notebook
@pytest.mark.parametrize("notebook", SOURCES, ids=lambda path: path.stem)
def test_the_release_holds_no_solution(course, notebook):
    released = (course / "first" / "release" / ASSIGNMENT / notebook.name).read_text()
    assert "HIDDEN TESTS" not in released
    assert "SOLUTION" not in released
    cells = "\n".join(cell.source for cell in nbformat.reads(released, as_version=4).cells)
    for cell in cells_of(notebook, "solution").values():
        for line in solution_region(cell):
            assert len(line) < 20 or line not in cells, line


@pytest.mark.notebook
@pytest.mark.parametrize("notebook", SOURCES, ids=lambda path: path.stem)
def test_the_reference_gets_every_point_and_runs_from_top_to_bottom(course, grades, notebook):
    given = grades["reference"][notebook.stem]
    assert set(given) == set(cells_of(notebook, "grade"))
    assert all(score == most for score, most in given.values())
    document = graded(course, "reference", notebook)
    assert outputs(document, "error") == []
    assert [o.text for o in outputs(document, "stream") if o.name == "stderr"] == []
    shown = outputs(document, "execute_result")[-1:] + outputs(document, "display_data")[-1:]
    assert any("image/png" in output.data for output in shown)


@pytest.mark.notebook
@pytest.mark.parametrize("notebook", SOURCES, ids=lambda path: path.stem)
@pytest.mark.parametrize("student", ["untouched", "cheat"])
def test_whoever_solves_nothing_gets_no_point(grades, student, notebook):
    given = grades[student][notebook.stem]
    assert set(given) == set(cells_of(notebook, "grade"))
    assert all(score == 0 for score, _ in given.values())


@pytest.mark.notebook
@pytest.mark.parametrize("notebook", SOURCES, ids=lambda path: path.stem)
@pytest.mark.parametrize("student", WRONG)
def test_a_wrong_solution_loses_its_own_points_and_gets_its_own_hint_which_is_not_the_solution(
    course, grades, student, notebook
):
    wrong = [(name, hint) for number, name, _, hint in WRONG[student] if notebook.name.startswith(number)]
    given = grades[student][notebook.stem]
    assert {test for test, (score, most) in given.items() if score != most} == {f"test-{name}" for name, _ in wrong}
    assert not any(given[f"test-{name}"][0] for name, _ in wrong)
    errors = outputs(graded(course, student, notebook), "error")
    for error, (name, hint) in zip(errors, wrong, strict=True):
        assert error.ename == "NotYet"
        assert hint in error.evalue
        assert error.traceback == error.evalue.splitlines()  # the message, and no traceback
        solution = solution_region(cells_of(notebook, "solution")[name])
        assert not [line for line in solution if len(line) > 10 and line in error.evalue]


@pytest.mark.notebook
@pytest.mark.parametrize(
    ("student", "lost", "hints"),
    [
        ("genius", [], []),
        ("careless", ["verdict", "mark", "paint"], [hint for *_, hint in CARELESS]),
        ("sloppy", [], []),
        ("deleting", ["paint"], []),
        ("endless", ["paint"], ["KeyboardInterrupt", "CellTimeoutError"]),
        ("impostor", ["verdict", "mark"], ['STUDENT is "genius", but "impostor" has handed this in'] * 2),
        ("looper", ["verdict"], ["is not right"]),
    ],
)
def test_with_a_case_of_their_own_each_student_gets_what_they_deserve(course, grades, student, lost, hints):
    """The brilliant one solves it by looking; the others do what students do. See above."""
    notebook = exercise("4")
    checks = cells_of(notebook, "grade")
    deserved = {
        name: 0 if name.removeprefix("test-") in lost else cell.metadata.nbgrader.points
        for name, cell in checks.items()
    }
    assert {name: score for name, (score, _) in grades[student][notebook.stem].items()} == deserved
    errors = outputs(graded(course, student, notebook), "error")
    assert len(errors) == len(hints)
    for error, hint in zip(errors, hints, strict=True):
        assert hint in f"{error.ename}: {error.evalue}"
