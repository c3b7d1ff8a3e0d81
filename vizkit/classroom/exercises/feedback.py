"""What every check says: a short line for what is right; for what is not, what was seen, and a hint.

A typical mistake is known by its value: the check computes what that mistake gives, and compares.
"""

import contextlib
import io
import re
import sys
import warnings
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ...networks import Classifier

# What torch says of a beginner's mistake, and what it means.
TORCH_SAYS = {
    "does not require grad": "torch follows only tensors that were told so, before the forward pass.",
    "only for scalar outputs": "backward starts from one number, but here are several scores, one an image. An image's "
    "pixels move only its own score: which one number has the gradients of all of them in it?",
    "out of bounds": "the first dimension of the scores counts the images, the second counts the classes.",
    "must match the size|shapes cannot be multiplied|size mismatch": "print the .shape of what you combine. Which "
    "dimension counts what?",
    "leaf Variable": "in-place changes (+=, -=) are not allowed on a tensor that requires a gradient. Make a new one.",
}


class NotYet(AssertionError):  # noqa: N818  # the message is for a student: it is not yet right
    """Something in an exercise is not right yet; the message says what was seen, and gives a hint."""

    def __init__(self, seen: str, hint: str) -> None:
        super().__init__(f"✘ {seen}\n   Hint: {hint}")

    def _render_traceback_(self) -> list[str]:
        """The message alone: in a notebook, forty lines of a check's insides help nobody."""
        return str(self).splitlines()


class Mistake(NamedTuple):
    """A typical mistake: the value that it gives, what to say of it, and a hint that is not the solution."""

    value: Tensor
    seen: str
    hint: str


def right(what: str) -> None:
    """Says what is right."""
    sys.stdout.write(f"✔ {what}\n")


def answer(function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    """What a student's function returns. Its warnings go nowhere: nbgrader takes a line on stderr for a failure."""
    name = getattr(function, "__name__", None) or getattr(function, "name", "this")
    if not callable(function):
        raise NotYet(f"{name} is not a function but a {type(function).__name__}.", "start it with `def`.")
    try:
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            result = function(*arguments, **named)
    except NotImplementedError:
        hint = "write your code where the cell says so, take the `raise` line away, and run that cell."
        raise NotYet(f"{name} is not written yet.", hint) from None
    except Exception as error:
        said = str(error).splitlines()[0] if str(error) else ""
        fits = (hint for pattern, hint in TORCH_SAYS.items() if re.search(pattern, str(error)))
        raise NotYet(
            f"{name} stopped with {type(error).__name__}: {said}",
            next(fits, "call it yourself in a cell of your own: the traceback there shows the line."),
        ) from None
    if result is None or result is ...:
        raise NotYet(f"{name} returns nothing.", "its last line has to be a `return` with the result.")
    return result


def compare(name: str, got: Any, expected: Tensor, mistakes: Iterable[Mistake], praise: str) -> None:
    """Praise where it is right; `NotYet`, with the hint of the mistake that gives this very value, where it is not."""
    if isinstance(got, (int, float)):
        got = torch.tensor(float(got))
    if not isinstance(got, Tensor):
        raise NotYet(f"{name} gives a {type(got).__name__}.", "it has to be a tensor.")
    got = got.detach().cpu()
    if same(got, expected):
        return right(praise)
    for mistake in mistakes:
        if same(got, mistake.value):
            raise NotYet(f"{name}: {mistake.seen}", mistake.hint)
    if got.shape != expected.shape:
        raise NotYet(
            f"{name} has shape {tuple(got.shape)}, not {tuple(expected.shape)}.",
            "which dimension counts what? One is summed or picked that should not be, or the other way round.",
        )
    far = float((got - expected).abs().max())
    hint = "no mistake that we know gives these numbers. Try it on an image of four pixels, with pen and paper."
    raise NotYet(f"{name}: the numbers are not right, by up to {far:.3g}.", hint)


def same(value: Tensor, other: Tensor) -> bool:
    """Whether both have one shape and, up to rounding, the same numbers."""
    size = float(other.detach().abs().max())
    close = value.shape == other.shape and torch.allclose(
        value.detach().double(), other.detach().double(), rtol=1e-3, atol=1e-4 * size
    )
    return bool(close)


def toy(seed: int = 0, batch: int = 4) -> tuple[Classifier, Tensor]:
    """
    >>> net, images = vizkit.exercises.feedback.toy()
    >>> net(images).shape
    torch.Size([4, 4])

    A small CNN with random weights, and images for it. It has as many classes as there are images, so that a mixed-up
    dimension gives a wrong number rather than torch's own error.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        layers = [
            nn.Conv2d(3, 8, 3, padding=1),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(4),
            nn.Flatten(),
            nn.Linear(128, batch),
        ]
        for layer in (layers[0], layers[-1]):
            nn.init.normal_(layer.weight, std=0.3)  # type: ignore[arg-type]
        images = torch.randn(batch, 3, 12, 16)
        net = Classifier(nn.Sequential(*layers), size=(12, 16), mean=(0.5,) * 3, std=(0.25,) * 3, device="cpu")
    return net, images
