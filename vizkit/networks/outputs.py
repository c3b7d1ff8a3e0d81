"""The class scores, in whatever a network returns."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from ..errors import VizkitError

Scores = str | int | Callable[[Any], Tensor]  # which part of the output the class scores are


def pick_scores(output: Any, scores: Scores | None, name: str) -> Tensor:
    """The class scores in what the network called `name` returns; an error that says what there is to pick."""
    if scores is None and isinstance(output, Mapping):
        output = getattr(output, "logits", output)  # as every classifier of transformers names them
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
    shapes = {key: tuple(getattr(part, "shape", ())) or type(part).__name__ for key, part in parts.items()}
    fitting = [key for key, part in parts.items() if isinstance(part, Tensor) and part.ndim == 2]
    fitting.sort(key=lambda key: key not in ("logits", "scores"))
    either = " or ".join(json.dumps(key, default=str) for key in fitting) or "… with a function of it"
    what, remedy = f"{type(output).__name__} {shapes}", f"pass scores={either}"
    if isinstance(output, Tensor):
        what, remedy = f"one tensor {tuple(output.shape)}", "leave out scores="
    said = f" ({cause!r})" if callable(scores) and cause else ""
    what = f"{what}. With scores={scores!r} there are no class scores in it{said}"
    raise VizkitError(f"{name} returns {what}: {remedy}.") from cause
