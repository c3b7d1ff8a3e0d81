"""Exercise 1, one step uphill: the forward pass, the backward pass and the update, each against torch's own answer."""

import torch
from torch import Tensor

from .feedback import Function, Mistake, answer, compare, toy


def check_class_score(class_score: Function, seed: int = 0) -> None:
    """
    >>> vizkit.exercises.check_class_score(lambda net, image, target: "a spider")
    Traceback (most recent call last):
    vizkit.classroom.exercises.feedback.NotYet: ✘ class_score gives a str.
       Hint: it has to be a tensor. ...

    The forward pass.
    """
    net, images = toy(seed)
    scores, target = net(images), 1 + seed % 3
    probability, before = scores.softmax(1)[:, target], "a class model climbs the number before the softmax."
    axis = "the wrong axis: these are all the scores of one image."
    mistakes: list[Mistake] = [
        (probability, "this is the probability.", before),
        (scores.log_softmax(1)[:, target], "this is the log-probability.", "take the number before any softmax."),
        (scores[target], axis, "scores have shape (images, classes). You want one class of every image."),
        (scores.max(1).values, "this is the highest score, of whichever class.", "the class is given: target."),
        (scores[:, target - 1], "this is the score of the class before.", "indices start at 0: target is one of them."),
        (scores, "these are the scores of all classes.", "pick out the one of the target."),
        (scores[0, target], "this is the score of the first image only.", "there may be several images."),
        (scores[:, target].sum(), "the scores are added up to one number.", "give one score for each image."),
    ]
    praise = "class_score gives the raw score of the class, one for each image"
    compare("class_score", answer(class_score, net, images.clone(), target), scores[:, target], mistakes, praise)


def check_gradient_by_hand(gradient_by_hand: Function, seed: int = 0) -> None:
    """
    >>> vizkit.exercises.check_gradient_by_hand(lambda x, w, v, target: x)
    Traceback (most recent call last):
    vizkit.classroom.exercises.feedback.NotYet: ✘ gradient_by_hand: the numbers are not right, by up to ...
       Hint: no known mistake gives these. A formula: try four pixels, on paper. ...

    The backward pass through two layers, by the chain rule; the numbers count, however they were found.
    """
    # As many pixels as hidden units and classes: a matrix that stands the wrong way round shows by its numbers.
    size, target = 5 + seed % 3, 2
    generator = torch.Generator().manual_seed(seed)
    x, (w, v) = torch.randn(size, generator=generator), torch.randn(2, size, size, generator=generator)
    x.requires_grad_(True)
    hidden = w @ x
    scores = v @ hidden.relu()
    (expected,) = torch.autograd.grad(scores[target], x, retain_graph=True)
    (of_probability,) = torch.autograd.grad(scores.softmax(0)[target], x)
    on, lit = (hidden > 0).float(), (x > 0).float()
    turned = "the other way round: rows of w are hidden units, rows of v are classes."
    times = "the hidden units are multiplied by their values."
    slope = "the slope of a ReLU is 0 or 1, whatever the value."
    pixels = "this asks which pixels are above zero."
    place = "what goes into the ReLU? Its slope depends on that, not on the image."
    mistakes: list[Mistake] = [
        (-expected, "the sign is turned round.", "does the score rise or fall when the pixel rises?"),
        (w.T @ v[target], "the ReLU is missing.", "a hidden unit below zero passes nothing on, not even a gradient."),
        *((w.T @ (v[target] * values), times, slope) for values in (hidden, hidden.relu())),
        (w.T @ (v[target] * lit), pixels, place),
        (w.T @ v[target] * lit, pixels, place),
        (w @ (v[target] * on), "the wrong axis: w is used as in the forward pass.", turned),
        (w.T @ (v[:, target] * on), "the wrong axis: this is a column of v.", turned),
        (w.T @ (v.sum(0) * on), "this is the gradient of all scores together.", "only the target's row of v counts."),
        (of_probability, "this is the gradient of the probability.", "there is no softmax in S."),
    ]
    got = answer(gradient_by_hand, x.detach().clone(), w.clone(), v.clone(), target)
    compare("gradient_by_hand", got, expected, mistakes, "gradient_by_hand agrees with torch's own gradient")


def check_pixel_gradient(pixel_gradient: Function, seed: int = 0) -> None:
    """
    >>> vizkit.exercises.check_pixel_gradient(lambda net, image, target: torch.zeros_like(image))
    Traceback (most recent call last):
    vizkit.classroom.exercises.feedback.NotYet: ✘ pixel_gradient: all zeros.
       Hint: ...

    The backward pass through a whole CNN, by torch; twice, with one image.
    """
    net, images = toy(seed)
    target, leaf = 1 + seed % 3, images.clone().requires_grad_(True)

    def of(number: Tensor) -> Tensor:
        return torch.autograd.grad(number, leaf, retain_graph=True)[0]

    scores = net(leaf)
    expected = of(scores[:, target].sum())
    probability, logarithm = of(scores.softmax(1)[:, target].sum()), of(scores.log_softmax(1)[:, target].sum())
    others = "it also rises when other classes fall. Start from the number before the softmax."
    small = f"too small by the factor {len(images)}, the number of images: a mean instead of a sum."
    training = "this is the gradient of the cross-entropy, which training descends."
    alone = "an image's gradient must not depend on how many others are in the batch."
    mistakes: list[Mistake] = [
        (-expected, "the sign is turned round: this points downhill.", "what do you call backward on?"),
        (probability, "this is the gradient of the probability.", others),
        (logarithm, "this is the gradient of the log-probability.", "start from the number before any softmax."),
        (expected / len(images), small, alone),
        (of(scores.sum()), "this is the gradient of all classes' scores.", "pick the target before backward."),
        (of(scores[target].sum()), "the wrong axis: the scores of one image.", "scores are (images, classes)."),
        (images + expected, "this is a step already.", "only the gradient is asked for here."),
        (of(scores[0, target]), "only the first image has a gradient.", "every image of the batch needs its own."),
        *((-logarithm / n, training, "climb the score itself.") for n in (1, len(images))),
        (torch.zeros_like(images), "all zeros.", "was .grad emptied after it was read? Return a .clone() of it."),
        (expected / expected.std(), "this is scaled to spread 1.", "leave it as it is: the loop below scales it."),
    ]
    image = images.clone()
    first = answer(pixel_gradient, net, image, target)
    first = first.clone() if isinstance(first, Tensor) else first
    compare("pixel_gradient", first, expected, mistakes, "pixel_gradient is the gradient of the class score")
    twice = (2 * expected, "twice the gradient.", "backward adds to what is already in .grad. Start from an empty one.")
    again, praise = "pixel_gradient, called again with the same image", "and gives the same when it is called again"
    compare(again, answer(pixel_gradient, net, image, target), expected, [twice, *mistakes], praise)


def check_uphill(uphill: Function, seed: int = 0) -> None:
    """
    >>> vizkit.exercises.check_uphill(lambda image, gradient, learning_rate: image)
    Traceback (most recent call last):
    vizkit.classroom.exercises.feedback.NotYet: ✘ uphill: no pixel has moved.
       Hint: ...

    The update.
    """
    (_, images), (_, gradient) = toy(seed), toy(seed + 100)  # of one size, so that whatever else is added shows
    rate = 0.5 + seed % 3
    move = rate * gradient
    mistakes: list[Mistake] = [
        (images - move, "the step goes downhill: its sign is wrong.", "training goes down a loss. And a class model?"),
        (images + gradient, "the learning rate is not used.", "it says how far to go along the gradient."),
        (move, "this is the move alone.", "where does one arrive who starts at image and makes this move?"),
        (images + rate * gradient.sign(), "only the gradient's sign is used.", "a steeper pixel moves further."),
        (images + rate, "the gradient is not used.", "every pixel moves by its own gradient."),
        (images * (1 + move), "the move is multiplied with the image.", "a step is added."),
        (images, "no pixel has moved.", "where does one arrive who starts at image and goes uphill?"),
    ]
    moved = answer(uphill, images.clone(), gradient.clone(), rate)
    compare("uphill", moved, images + move, mistakes, "uphill moves every pixel uphill, in proportion to its gradient")
