"""The class scores, in whatever a network returns."""

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from ..errors import VizkitError

Scores = str | int | Callable[[Any], Tensor]  # which part of the output the class scores are


def pick_scores(output: Any, scores: Scores | None, name: str) -> Tensor:
    """The class scores in what the network called `name` returns; an error that says what there is to pick."""
    if isinstance(output, Tensor) and scores is None:
        return output
    picked, cause = None, None
    try:
        if callable(scores):
            picked = scores(output)
        elif isinstance(scores, str) and not isinstance(output, (Mapping, Tensor)):
            picked = getattr(output, scores)
        elif not isinstance(output, Tensor):
            picked = output[scores]
    except Exception as error:
        cause = error
    if isinstance(picked, Tensor):
        return picked
    said = f" ({cause!r})" if callable(scores) and cause else ""
    raise VizkitError(
        f"{name} returns {_listed(output)}. With scores={scores!r}, no class scores are found in it{said}: pass the key "
        "of what is (1, classes), or a function that makes it of all this; leave out scores= where it is one tensor."
    ) from cause


def _listed(output: Any) -> str:
    """Such as: dict {'logits': (1, 10), 'features': (1, 64)}."""
    if isinstance(output, Tensor):
        return f"one tensor {tuple(output.shape)}"
    parts = dict(enumerate(output)) if isinstance(output, (tuple, list)) else output
    parts = parts if isinstance(parts, Mapping) else getattr(output, "__dict__", {})
    shapes = {
        key: tuple(part.shape) if isinstance(part, Tensor) else type(part).__name__ for key, part in parts.items()
    }
    return f"{type(output).__name__} {shapes}"
