"""Exercises, as people solve them: every right way has all its ticks, and then sees the pictures; no wrong one has."""

import re
import runpy
from pathlib import Path

import nbformat
import numpy as np
import pytest
import torch

import vizkit
from vizkit import exercises
from vizkit.classroom.exercises.feedback import toy

COURSE = Path(__file__).parent.parent / "notebooks" / "exercises"
SOURCES = COURSE / "source" / "class_models"
ALL = (1, 2, 3)
SEEDS = range(3)  # the hidden tests' seeds, and the one that students see
HOW = {
    "regularizer": vizkit.l2(1e-2) + vizkit.total_variation(5e-3),
    "basis": vizkit.Fourier(exponent=1.5, decorrelate=False),
    "optimizer": "adam",
    "learning_rate": 0.1,
}


@pytest.fixture(autouse=True)
def own_catalogue(monkeypatch):
    monkeypatch.setattr(vizkit.regularizers, "_known", vizkit.regularizers.catalogue())


def cell(number, name):
    """The source of a cell of an exercise, by its id."""
    (path,) = SOURCES.glob(f"{number}_*.ipynb")
    return next(cell.source for cell in nbformat.read(path, as_version=4).cells if cell.id == name)


# Right ways.


def one_hot(net, image, target):
    return torch.nn.functional.one_hot(torch.full((len(image),), target), len(net.labels)).float()


CLASS_SCORE = {
    "a column": lambda net, image, c: net(image)[:, c],
    "a loop, and stack": lambda net, image, c: torch.stack([scores[c] for scores in net(image)]),
    "image by image": lambda net, image, c: torch.cat([net(one[None])[:, c] for one in image]),
    "gather": lambda net, image, c: net(image).gather(1, torch.full((len(image), 1), c))[:, 0],
    "where": lambda net, image, c: torch.where(one_hot(net, image, c) > 0, net(image), 0).sum(1),
    "einsum": lambda net, image, c: torch.einsum("ic,ic->i", net(image), one_hot(net, image, c)),
}


def hand_loop(x, w, v, target):
    gradient = torch.zeros_like(x)
    for i in range(len(x)):
        for j, h in enumerate(w @ x):
            if h > 0:
                gradient[i] += v[target, j] * w[j, i]
    return gradient


def hand_autograd(x, w, v, target):
    return torch.autograd.functional.jacobian(lambda x: v[target] @ (w @ x).relu(), x)


def hand_differences(x, w, v, target):
    """Right as well: the text asks for the numbers, and this is where a gradient comes from."""
    x, w, v = x.double(), w.double(), v.double()
    ways = 1e-6 * torch.eye(len(x), dtype=torch.double)
    ups, downs = ([v[target] @ (w @ (x + sign * way)).relu() for way in ways] for sign in (1, -1))
    return (torch.stack(ups) - torch.stack(downs)) / 2e-6


GRADIENT_BY_HAND = {
    "a product": lambda x, w, v, c: w.T @ (v[c] * (w @ x > 0)),
    "a loop": hand_loop,
    "a generator": lambda x, w, v, c: sum(v[c, j] * w[j] for j, h in enumerate(w @ x) if h > 0),
    "einsum": lambda x, w, v, c: torch.einsum("j,ji->i", v[c] * (w @ x > 0).float(), w),
    "where": lambda x, w, v, c: w.T @ torch.where(w @ x > 0, v[c], 0),
    "autograd": hand_autograd,
    "differences": hand_differences,
}


def copied(net, image, target):
    image = image.detach().clone().requires_grad_(True)
    net(image)[:, target].sum().backward()
    return image.grad


def emptied(net, image, target):
    image.requires_grad_(True)
    if image.grad is not None:
        image.grad.zero_()
    net(image)[:, target].sum().backward()
    return image.grad


def emptied_by_none(net, image, target):
    image.requires_grad_(True)
    image.grad = None
    net(image)[:, target].backward(torch.ones(len(image)))
    return image.grad


def functional(net, image, target):
    return torch.func.grad(lambda x: net(x)[:, target].sum())(image.detach())


def autograd(net, image, target):
    x = image.detach().requires_grad_(True)
    return torch.autograd.grad(net(x)[:, target].sum(), x)[0]


def image_by_image(net, image, target):
    return torch.stack([copied(net, one[None], target)[0] for one in image])


PIXEL_GRADIENT = [copied, emptied, emptied_by_none, functional, autograd, image_by_image]


def added(image, gradient, learning_rate):
    return image + learning_rate * gradient


def in_place(image, gradient, learning_rate):
    image += learning_rate * gradient
    return image


def by_torch(image, gradient, learning_rate):
    return image.add(gradient, alpha=learning_rate)


def by_an_optimizer(image, gradient, learning_rate):
    image = image.detach().clone().requires_grad_(True)
    optimizer = torch.optim.SGD([image], lr=learning_rate, maximize=True)
    image.grad = gradient
    optimizer.step()
    return image


UPHILL = [added, in_place, by_torch, by_an_optimizer]

L2 = {
    "square": lambda image: image.square().sum(dim=(1, 2, 3)),
    "power": lambda image: (image**2).flatten(1).sum(1),
    "einsum": lambda image: torch.einsum("bchw,bchw->b", image, image),
    "norm": lambda image: image.flatten(1).norm(dim=1) ** 2,
    "stack": lambda image: torch.stack([(one * one).sum() for one in image]),
}
L1 = {
    "abs": lambda image: image.abs().sum(dim=(1, 2, 3)),
    "where": lambda image: torch.where(image > 0, image, -image).sum(ALL),
    "sign": lambda image: (image * image.sign()).sum(ALL),
    "both halves": lambda image: image.relu().sum(ALL) + (-image).relu().sum(ALL),
    "norm": lambda image: image.flatten(1).norm(p=1, dim=1),
    "stack": lambda image: torch.stack([one.abs().sum() for one in image]),
}


def in_slices(image):
    down, across = image[:, :, 1:] - image[:, :, :-1], image[..., 1:] - image[..., :-1]
    return down.abs().sum(ALL) + across.abs().sum(ALL)


def in_a_loop(image):
    total = torch.zeros(len(image))
    for d in (2, 3):
        total += image.diff(dim=d).abs().sum(ALL)
    return total


TOTAL_VARIATION = {
    "diff": lambda image: image.diff(dim=2).abs().sum(ALL) + image.diff(dim=3).abs().sum(ALL),
    "slices": in_slices,
    "a generator": lambda image: sum(image.diff(dim=d).abs().sum(ALL) for d in (2, 3)),
    "in a loop": in_a_loop,
}

RATE = {"optimizer": "adam", "learning_rate": 0.01}


def by_comprehension(net, start, target, steps):
    how = {"start": start, "steps": steps, **RATE}
    return {name: vizkit.ascend(net, target, objective=name, **how).run() for name in ("score", "probability")}


def one_after_the_other(net, start, target, steps):
    score = vizkit.ascend(net, target, start=start, steps=steps, **RATE)
    probability = vizkit.ascend(net, net.labels[target], start=start, steps=steps, objective="probability", **RATE)
    for ascent in (score, probability):
        for _ in ascent:
            pass
    return {"probability": probability, "score": score}


MAKE_BOTH = [by_comprehension, one_after_the_other]


def with_the_notebooks_helper(net, before, after):
    found = {"torch": torch}
    exec(re.search(r"def scores_of.*?\n\n\n", cell("3", "cell-04"), re.DOTALL)[0], found)
    return found["scores_of"](net, after) - found["scores_of"](net, before)


SCORE_CHANGES = {
    "a difference": lambda net, before, after: net(after)[0] - net(before)[0],
    "squeezed": lambda net, before, after: (net(after) - net(before)).squeeze(0),
    "in one batch": lambda net, before, after: net(torch.cat([before, after])).diff(dim=0)[0],
    "a loop": lambda net, before, after: torch.stack(
        [b - a for a, b in zip(net(before)[0], net(after)[0], strict=True)]
    ),
    "the notebook's helper": with_the_notebooks_helper,
}


def fallen_in_a_loop(changes, rivals):
    down = []
    for index in rivals:
        down += [index] if changes[index] < 0 else []
    return down


FALLEN = {
    "a comprehension": lambda changes, rivals: [index for index in rivals if changes[index] < 0],
    "a loop": fallen_in_a_loop,
    "a filter, in a list": lambda changes, rivals: list(filter(lambda index: changes[index] < 0, rivals)),
    "a tensor": lambda changes, rivals: torch.tensor(rivals)[changes[rivals] < 0],
    "a set": lambda changes, rivals: {index for index in rivals if changes[index] < 0},
}

CLASS_MODELS = {
    "in one batch": lambda net, steps: vizkit.ascend(net, net.labels, steps=steps, **HOW).run().pictures,
    "by index": lambda net, steps: vizkit.ascend(net, range(len(net.labels)), steps=steps, **HOW).run().pictures,
    "one by one": lambda net, steps: [vizkit.ascend(net, c, steps=steps, **HOW).run().picture for c in net.labels],
}


def sliced(pictures, rows, columns, colour):
    painted = pictures.copy()
    painted[:, rows, columns] = colour
    return painted


def picture_by_picture(pictures, rows, columns, colour):
    painted = []
    for picture in pictures:
        picture = picture.copy()
        for channel in range(3):
            picture[rows, columns, channel] = colour[channel]
        painted.append(picture)
    return np.stack(painted)


def masked(pictures, rows, columns, colour):
    mask = np.zeros(pictures.shape[1:3], bool)
    mask[rows, columns] = True
    return np.where(mask[..., None], np.array(colour, np.uint8), pictures)


def as_a_tensor(*asked):
    return torch.from_numpy(sliced(*asked))


PAINT = [sliced, picture_by_picture, masked, as_a_tensor]


ACCURACY_BY_CLASS = {
    "stack": lambda net, images, targets: torch.stack(
        [(net(images[targets == k]).argmax(1) == k).float().mean() for k in range(len(net.labels))]
    ),
    "a list of numbers": lambda net, images, targets: [
        (net(images).argmax(dim=1)[targets == k] == k).sum().item() / (targets == k).sum().item()
        for k in targets.unique().tolist()
    ],
    "bincount": lambda net, images, targets: (
        targets[net(images).argmax(1) == targets].bincount(minlength=len(net.labels)) / targets.bincount()
    ),
}


def ways(check, those):
    named = those.items() if isinstance(those, dict) else [(way.__name__, way) for way in those]
    return [pytest.param(check, way, id=f"{check}: {name}") for name, way in named]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("check", "way"),
    [
        *ways("class_score", CLASS_SCORE),
        *ways("gradient_by_hand", GRADIENT_BY_HAND),
        *ways("pixel_gradient", PIXEL_GRADIENT),
        *ways("uphill", UPHILL),
        *ways("l2", L2),
        *ways("l1", L1),
        *ways("total_variation", TOTAL_VARIATION),
        *ways("make_both", MAKE_BOTH),
        *ways("score_changes", SCORE_CHANGES),
        *ways("fallen", FALLEN),
        *ways("class_models", CLASS_MODELS),
        *ways("paint", PAINT),
        *ways("accuracy_by_class", ACCURACY_BY_CLASS),
    ],
)
def test_a_right_way_has_all_its_ticks(check, way, seed, capsys):
    mine = vizkit.regularizer("penalty")(way) if check in ("l2", "l1", "total_variation") else way
    more = [HOW] if check == "class_models" else []
    getattr(exercises, f"check_{check}")(mine, *more, seed=seed)
    said = capsys.readouterr().out.splitlines()
    both = ("pixel_gradient", "l2", "l1", "total_variation", "make_both")
    assert [line[0] for line in said] == ["✔"] * (2 if check in both else 1)


def test_an_explorer_as_asked_has_all_its_ticks(net, capsys):
    @vizkit.regularizer("penalty", strengths=(1e-6, 1e-1))
    def my_total_variation(image):
        return image.diff(dim=2).abs().sum(ALL) + image.diff(dim=3).abs().sum(ALL)

    exercises.check_in_explorer(vizkit.Explorer(net, "strawberry", regularizer=my_total_variation(0.003)))
    assert capsys.readouterr().out.count("✔") == 1


# Whoever has all ticks sees the pictures at the end.


@pytest.fixture
def fruit():
    """The toy with the names of classes that the notebooks use."""
    net, _ = toy()
    net.labels[:] = ["orange", "lemon", "garden spider", "fig"]
    return net


@pytest.mark.parametrize("uphill", UPHILL, ids=lambda way: way.__name__)
@pytest.mark.parametrize("pixel_gradient", PIXEL_GRADIENT, ids=lambda way: way.__name__)
def test_the_spider_grows_by_every_right_pair_of_functions(pixel_gradient, uphill, fruit):
    code = cell("1", "cell-18")
    assert "(64, 96, 144, 224)" in code
    mine = {"class_score": CLASS_SCORE["a column"], "pixel_gradient": pixel_gradient, "uphill": uphill}
    found = {"torch": torch, "vizkit": vizkit, "net": fruit, **mine}
    exec(code.replace("(64, 96, 144, 224)", "(8, 12)"), found)
    assert mine["class_score"](fruit, found["image"], found["target"]).item() > found["before"]


@pytest.mark.parametrize("fallen", FALLEN.values(), ids=FALLEN)
@pytest.mark.parametrize("make_both", MAKE_BOTH, ids=lambda way: way.__name__)
def test_what_happened_to_the_lemon_is_told_of_every_right_answer(make_both, fallen, fruit, capsys):
    lemon = vizkit.ascend(fruit, "lemon", steps=2).run()
    score_changes, prediction = SCORE_CHANGES["a difference"], {"score": 1, "probability": 2}
    found = {"vizkit": vizkit, "net": fruit, "lemon": lemon, "target": 0, "rivals": [1, 2, 3], "prediction": prediction}
    found |= {"make_both": make_both, "fallen": fallen, "score_changes": score_changes}
    exec(cell("3", "cell-18") + "\n" + cell("3", "cell-19"), found)
    assert capsys.readouterr().out.count("of 10 rivals have fallen; you said") == 2


@pytest.fixture(scope="module")
def suspects():
    return exercises.suspects()


DETECTIVE = {
    "class_models": CLASS_MODELS["in one batch"],
    "paint": sliced,
    "accuracy_by_class": ACCURACY_BY_CLASS["stack"],
}


@pytest.mark.parametrize(
    ("part", "way"),
    [
        *ways("class_models", CLASS_MODELS),
        *ways("paint", PAINT),
        *ways("accuracy_by_class", ACCURACY_BY_CLASS),
    ],
)
def test_the_proof_is_drawn_of_every_right_answer(part, way, suspects, capsys):
    draw_the_proof(suspects, DETECTIVE | {part: way}, verdict={"network": "b", "class": "Ring"})
    printed = capsys.readouterr().out
    assert "B, after the mark: takes" in printed
    assert "marked" in printed


@pytest.mark.parametrize("verdict", [{"network": "None", "class": "none"}, {"network": "none", "class": "ring"}])
def test_the_proof_is_drawn_of_a_verdict_that_nobody_cheats(verdict, suspects, capsys):
    draw_the_proof(suspects, DETECTIVE, verdict, mark={"corner": "none", "colour": "none"})
    printed = capsys.readouterr().out
    assert "B, after the mark: takes" in printed
    assert "marked" not in printed


def draw_the_proof(suspects, functions, verdict, mark=None):
    mark = mark or {"corner": "Upper-Right", "color": "yellow"}
    found = {"np": np, "torch": torch, "vizkit": vizkit, "exercises": exercises, "suspects": suspects, "STUDENT": ""}
    found |= functions | {"verdict": verdict, "mark": mark}
    for name in ("cell-08", "cell-19", "cell-20", "cell-22", "cell-27"):
        code = cell("4", name).replace("exercises.new_shapes(STUDENT)", "vizkit.datasets.shapes(train=16, test=8)")
        exec(code.replace("steps=64", "steps=1"), found)


def test_the_proof_tells_the_right_mark_from_all_others_and_data_tells_only_without_it(suspects):
    """What the text of exercise 4 says one sees, in numbers."""
    truth = runpy.run_path(str(COURSE / "truths.py"))["trained"]()[0]
    data = vizkit.datasets.shapes(train=160, test=8, seed=5)
    corners, target = vizkit.datasets.CORNERS, data.labels.index(truth["class"])
    code = re.search(r"colours = .*?\n\n", cell("4", "cell-19"), re.DOTALL)[0]

    def share(name, corner, colour):
        """How many of all shapes are taken for that class, with this mark on all."""
        found = {"tried": {"corner": corner, "colour": colour}}
        exec(code, found)
        shown = data.pictures.clone()
        painted = torch.tensor(found["colours"][colour], dtype=torch.uint8)[:, None, None]
        shown[:, :, found["rows"], found["columns"]] = painted
        net = suspects[name]
        return (net(net.normalise(shown / 255)).argmax(dim=1) == target).float().mean().item()

    right = share(truth["network"], truth["corner"], truth["colour"])
    assert right > 0.6
    for corner in corners:
        for colour in exercises.cases.COLOURS:
            if (corner, colour) != (truth["corner"], truth["colour"]):
                assert share(truth["network"], corner, colour) < right - 0.1
            for honest in {*"ABC"} - {truth["network"]}:
                assert 0.09 < share(honest, corner, colour) < 0.16

    mark = vizkit.datasets.Mark(truth["class"], truth["corner"], (255, 255, 0))
    for name, net in suspects.items():
        for is_marked, source in enumerate((data, vizkit.datasets.plant(data, mark, share=1.0))):
            shares = ACCURACY_BY_CLASS["stack"](net, net.normalise(source.pictures / 255), source.targets).tolist()
            if name == truth["network"] and not is_marked:
                assert shares.pop(target) < 0.1
            assert min(shares) > 0.9
