"""The class scores, in whatever a network returns."""

import json
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
    parts = dict(enumerate(output)) if isinstance(output, (tuple, list)) else output
    parts = parts if isinstance(parts, Mapping) else getattr(output, "__dict__", {})
    shapes = {
        key: tuple(part.shape) if isinstance(part, Tensor) else type(part).__name__ for key, part in parts.items()
    }
    fitting = [key for key, shape in shapes.items() if isinstance(shape, tuple) and len(shape) == 2]
    fitting.sort(key=lambda key: key not in ("logits", "scores"))
    either = " or ".join(json.dumps(key, default=str) for key in fitting)
    remedy = f"pass scores={either}" if fitting else "pass scores= with a function of it"
    remedy = "leave out scores=" if isinstance(output, Tensor) else remedy
    said = f" ({cause!r})" if callable(scores) and cause else ""
    what = f"one tensor {tuple(output.shape)}" if isinstance(output, Tensor) else f"{type(output).__name__} {shapes}"
    raise VizkitError(
        f"{name} returns {what}. With scores={scores!r} there are no class scores, (1, classes), in it{said}: {remedy}."
    ) from cause
