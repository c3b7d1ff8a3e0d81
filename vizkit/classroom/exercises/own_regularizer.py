"""Exercise 2, your own regularizer: values and gradients against the plain formulas, and the Explorer."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ...regularization import Kind
from .feedback import answer, compare, need, right, toy

Penalty = Callable[[Tensor], Tensor]
Mistaken = list[tuple[Penalty, str, str]]  # a formula, what to say of it, and a hint
ALL = (1, 2, 3)
LABEL = "strawberry"  # the class that the Explorer is asked to show
BATCH = "which dimensions are summed? The first counts the images: it has to stay."
SIGN = "a penalty is subtracted for you. Extreme values have to cost."
THREAD = "torch has to follow it. .item(), .detach(), no_grad and torch.tensor(…) cut the thread; torch.stack keeps it."
STRENGTH = "is a strength in your function? λ is multiplied for you: my_l2(0.001) is a thousandth of the sum."
MEAN_HINT = "the formula has a sum in it. A mean changes what a strength means whenever the image's size changes."


def check_l2(l2: Any, seed: int = 0) -> None:
    """
    >>> vizkit.exercises.check_l2(vizkit.l1)
    Traceback (most recent call last):
    vizkit.classroom.exercises.feedback.NotYet: ✘ my_l2: absolute values instead of squares.
       Hint: ...

    The sum of the squares.
    """
    mistakes: Mistaken = [
        (lambda x: x.square().sum(ALL).sqrt(), "a square root too many.", "this penalty is the squared length."),
        (lambda x: x.abs().sum(ALL), "absolute values instead of squares.", "that is L1. Its turn comes next."),
        (lambda x: x.sum(ALL).square(), "the square of the sum.", "square first, then add up."),
        (lambda x: x.sum(ALL), "no square in it.", "a negative value must cost as much as a positive one."),
        (lambda x: x.square().sum(ALL) / 2, "half of it.", "the formula has no ½."),
    ]
    _check("my_l2", l2, lambda x: x.square().sum(ALL), mistakes, seed)


def check_l1(l1: Any, seed: int = 0) -> None:
    """
    >>> vizkit.exercises.check_l1(vizkit.l2)
    Traceback (most recent call last):
    vizkit.classroom.exercises.feedback.NotYet: ✘ my_l1: squared instead of absolute values.
       Hint: ...

    The sum of the absolute values.
    """
    mistakes: Mistaken = [
        (lambda x: x.square().sum(ALL), "squared instead of absolute values.", "in L1 every value pays the same toll."),
        (lambda x: x.sum(ALL), "no absolute value in it.", "a negative value must cost as much as a positive one."),
        (lambda x: x.sum(ALL).abs(), "the absolute value of the sum.", "absolute values first, then add up."),
        (lambda x: x.relu().sum(ALL), "only values above zero count.", "what is darker than grey has to pay, too."),
    ]
    _check("my_l1", l1, lambda x: x.abs().sum(ALL), mistakes, seed)


def check_total_variation(total_variation: Any, seed: int = 0) -> None:
    """
    >>> vizkit.exercises.check_total_variation(vizkit.l1)
    Traceback (most recent call last):
    vizkit.classroom.exercises.feedback.NotYet: ✘ my_total_variation: the numbers are not right, by up to ...
       Hint: ...

    The sum of the absolute differences of neighbours, below and to the right.
    """

    def along(*dims: int, each: Penalty = torch.abs, whole: Penalty = lambda x: x.sum(ALL)) -> Penalty:
        return lambda x: torch.stack([whole(each(x.diff(dim=d))) for d in dims]).sum(0)

    def round_the_edge(x: Tensor) -> Tensor:
        return (x - x.roll(1, 2)).abs().sum(ALL) + (x - x.roll(1, 3)).abs().sum(ALL)

    def isotropic(x: Tensor) -> Tensor:
        return torch.hypot(x.diff(dim=2)[..., :-1], x.diff(dim=3)[..., :-1, :]).sum(ALL)

    low = "one big edge should cost no more than many small ones that climb as high."
    axes = "an image is (batch, channels, height, width). Neighbours lie along the last two."
    wrong = "the wrong axis: colours of one pixel are taken for neighbours."
    roll = "roll brings the last row before the first. Pixels at the edge have fewer neighbours."
    late = "the absolute value is taken of the sum, in which a step up and a step down have cancelled."
    cancel = "no absolute value in it: a step up and a step down cancel."
    mistakes: Mistaken = [
        (along(2, 3, each=torch.square), "squared instead of absolute differences.", low),
        (along(2), "only neighbours below are counted.", "each pixel has a neighbour to the right, too."),
        (along(3), "only neighbours to the right are counted.", "each pixel has one below, too."),
        *((along(*dims), wrong, axes) for dims in ((1, 2), (1, 3), (1, 2, 3))),
        (along(2, 3, whole=lambda x: x.mean(ALL)), "a mean instead of a sum.", MEAN_HINT),
        (along(2, 3, each=torch.clone), cancel, "both are edges, and both have to cost."),
        (along(2, 3, each=torch.clone, whole=lambda x: x.sum(ALL).abs()), late, "absolute values first, then add up."),
        (isotropic, "this is √(down² + right²), added up.", "each difference has an absolute value of its own."),
        (round_the_edge, "the image's edges are taken for neighbours.", roll),
    ]
    _check("my_total_variation", total_variation, along(2, 3), mistakes, seed)


def check_in_explorer(explorer: Any, mine: str = "my_total_variation", strength: float = 0.003) -> None:
    """
    >>> vizkit.exercises.check_in_explorer(vizkit.Explorer(net, "strawberry"), mine="l1")
    Traceback (most recent call last):
    vizkit.classroom.exercises.feedback.NotYet: ✘ the Explorer's regularizer is ...
       Hint: make it anew, with regularizer=l1(0.003).

    Whether a regularizer of one's own is chosen in the Explorer, with that strength and for that class.
    """
    from ...widgets import Explorer

    seen = f"this is a {type(explorer).__name__}, not an Explorer."
    need(isinstance(explorer, Explorer), seen, "vizkit.Explorer(net, …) makes one.")
    regularizer, wanted = explorer.controls.regularizer(), f"{mine}({strength:g})"
    chosen = f"vizkit.{wanted}" in map(str, regularizer.parts)
    need(chosen, f"the Explorer's regularizer is {regularizer}.", f"make it anew, with regularizer={wanted}.")
    shown = explorer.net.labels[explorer.controls.picker.target]
    need(shown == LABEL, f"its class is {shown}, not {LABEL}.", f'vizkit.Explorer(net, "{LABEL}", …) shows that one.')
    right(f"the Explorer is for {LABEL}, with {wanted}")


def _check(name: str, mine: Any, formula: Penalty, mistakes: Mistaken, seed: int) -> None:
    """Value and gradient on a batch of images; then the same at another size."""
    hint = f'put @vizkit.regularizer("penalty", …) above `def {name}`.'
    need(isinstance(mine, Kind), f"{name} is no regularizer yet.", hint)
    _, images = toy(seed, batch=3 + seed % 2)
    leaf, value = images.clone().requires_grad_(True), formula(images)
    count = images[0].numel()
    known = [(wrong(images), seen, hint) for wrong, seen, hint in mistakes]
    known += [(value / count, f"a mean instead of a sum: too small by the number of values, {count}.", MEAN_HINT)]
    known += [(value.sum(), "one number for the whole batch.", BATCH), (-value, "the sign is turned round.", SIGN)]
    got = answer(mine.function, leaf)
    if isinstance(got, Tensor) and got.shape == value.shape:
        factor = float((got.detach() / value).mean())
        known.append((value * factor, f"{factor:.3g} times what the formula gives.", STRENGTH))
    compare(name, got, value, known, f"{name} gives one number for each image")
    need(got.requires_grad, f"{name} has the right value but no gradient.", THREAD)
    gradient, expected = (torch.autograd.grad(number.sum(), leaf)[0] for number in (got, formula(leaf)))
    compare(f"the gradient of {name}", gradient, expected, [], "its gradient is right, too")
