"""What every check says: a short line for what is right; for what is not, what was seen, and a hint.

A typical mistake is known by its value: the check computes what that mistake gives, and compares.
"""

import contextlib
import io
import re
import sys
import warnings
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from ...networks import Classifier

Function = Callable[..., Any]  # a student's: nobody knows what it takes and gives
Mistake = tuple[Tensor, str, str]  # a typical one: the value that it gives, what to say of it, and a hint

# What torch and Python say of a beginner's mistake, and what it means.
MEANINGS = {
    "does not require grad": "torch follows only tensors that were told so, before the forward pass.",
    "only for scalar outputs": "backward starts from one number, but here are several scores, one an image. In which "
    "one number are the gradients of all of them? An image's pixels move only its own score.",
    "out of bounds": "the first dimension of the scores counts the images, the second counts the classes.",
    "must match the size|shapes cannot be multiplied|size mismatch": "print the .shape of both. What counts what?",
    "leaf Variable": "in-place changes (+=, -=) are not allowed on a tensor that requires a gradient. Make a new one.",
    "not a leaf Tensor": "torch fills only the .grad of the very tensor that was told requires_grad_. Ask that one.",
    "no attribute 'zero_grad'": "its weights are frozen and have no gradient. The only one to empty is image.grad.",
    r"run\(\) takes": "the number of steps belongs into vizkit.ascend(…, steps=…). run() makes all of them.",
}


class NotYet(AssertionError):  # noqa: N818  # the message is for a student: it is not yet right
    """Something in an exercise is not right yet; the message says what was seen, and gives a hint."""

    def __init__(self, seen: str, hint: str) -> None:
        super().__init__(f"✘ {seen}\n   Hint: {hint}")

    def _render_traceback_(self) -> list[str]:
        """The message alone: in a notebook, forty lines of a check's insides help nobody."""
        return str(self).splitlines()


def right(what: str) -> None:
    """Says what is right."""
    sys.stdout.write(f"✔ {what}\n")


def need(met: bool, seen: str, hint: str) -> None:
    """Goes on where it is met; `NotYet` where it is not."""
    if not met:
        raise NotYet(seen, hint)


def meaning(said: str, otherwise: str) -> str:
    """What an error or a warning means, where it is one that beginners meet."""
    return next((hint for pattern, hint in MEANINGS.items() if re.search(pattern, said)), otherwise)


def answer(function: Function, *arguments: Any) -> Any:
    """What a student's function returns. Its warnings go nowhere: nbgrader takes a line on stderr for a failure."""
    name = getattr(function, "__name__", "this")
    need(callable(function), f"{name} is not a function but a {type(function).__name__}.", "start it with `def`.")
    try:
        with warnings.catch_warnings(record=True) as warned, contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("always")
            result = function(*arguments)
    except NotImplementedError:
        hint = "write your code where the cell says so, take the `raise` line away, and run that cell."
        raise NotYet(f"{name} is not written yet.", hint) from None
    except Exception as error:
        said = str(error).splitlines()[0] if str(error) else ""
        hint = meaning(str(error), "call it yourself in a cell of your own: the traceback there shows the line.")
        raise NotYet(f"{name} stopped with {type(error).__name__}: {said}", hint) from None
    hint = "it needs a `return` with the result. (`x.backward()`, `print(x)` and `list.append(x)` have none: None.)"
    hint = meaning(" ".join(str(warning.message) for warning in warned), hint)
    need(result is not None and result is not ..., f"{name} returns nothing.", hint)
    return result


def compare(name: str, got: Any, expected: Tensor, mistakes: Iterable[Mistake], praise: str) -> None:
    """Praise where it is right; `NotYet`, with the hint of the mistake that gives this very value, where it is not."""
    if isinstance(got, (int, float)):
        got = torch.tensor(float(got))
    hint = "it has to be a tensor. Of several, torch.stack makes one."
    need(isinstance(got, Tensor), f"{name} gives a {type(got).__name__}.", hint)
    got = got.detach().cpu()
    if same(got, expected):
        return right(praise)
    for value, seen, hint in mistakes:
        need(not same(got, value), f"{name}: {seen}", hint)
    hint = "which dimension counts what? One is summed or picked that should not be, or the other way round."
    need(got.shape == expected.shape, f"{name} has shape {tuple(got.shape)}, not {tuple(expected.shape)}.", hint)
    far = float((got - expected).abs().max())
    hint = "no known mistake gives these. A formula: try four pixels, on paper. Code: print what each line of it gives."
    raise NotYet(f"{name}: the numbers are not right, by up to {far:.3g}.", hint)


def same(value: Tensor, other: Tensor) -> bool:
    """Whether both have one shape and, up to rounding, the same numbers."""
    value, other = value.detach().double(), other.detach().double()
    far = 1e-4 * float(other.abs().max())
    return value.shape == other.shape and torch.allclose(value, other, rtol=1e-3, atol=far)


def toy(seed: int = 0, batch: int = 4) -> tuple[Classifier, Tensor]:
    """
    >>> net, images = vizkit.exercises.feedback.toy()
    >>> net(images).shape
    torch.Size([4, 4])

    A small CNN with random weights, and images for it. It has as many classes as there are images, so that a mixed-up
    dimension gives a wrong number rather than torch's own error; and a class's scores of them add up to zero, so that
    no class is the highest for all of them and could be mixed up with the target.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        convolution, linear = nn.Conv2d(3, 8, 3, padding=1), nn.Linear(128, batch)
        for layer in (convolution, linear):
            nn.init.normal_(layer.weight, std=0.3)
        images = torch.randn(batch, 3, 12, 16)
    cnn = nn.Sequential(convolution, nn.ReLU(), nn.AdaptiveAvgPool2d(4), nn.Flatten(), linear)
    linear.bias.data -= cnn(images).mean(dim=0).detach()
    return Classifier(cnn, size=(12, 16), mean=(0.5,) * 3, std=(0.25,) * 3, device="cpu"), images
