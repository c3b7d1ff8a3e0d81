"""Curves that grow, drawn by the page itself: sharp at every size, with their numbers where the mouse is."""

import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import anywidget
import numpy as np
import traitlets

from ..figures import Line

EVERY = 0.2  # seconds between two drawings of a curve
MOST = 400  # points of a line that are sent: more than the pixels that it has across


class Curves(anywidget.AnyWidget):
    """Lines over the steps, with names above them; `measured` is what goes upwards."""

    shown = traitlets.Dict().tag(sync=True)
    _esm = Path(__file__).with_name("curves.js")

    def __init__(self, measured: str) -> None:
        super().__init__()
        self._measured, self._drawn = measured, 0.0
        self.add_class("vizkit-curves")

    def grow(self, lines: Callable[[], Sequence[Line]], at_once: bool, **how: Any) -> None:
        """Shows them anew, if it is time to. `how`: how many steps there is room for, `reach`; what is always in sight,
        `least` and `most`; the `marks`, each with its number, step and words; the `words` for those who cannot see it,
        if they are other than where each line begins and ends."""
        if at_once or time.perf_counter() - self._drawn > EVERY:
            self._drawn = time.perf_counter()
            self.shown = {"measured": self._measured, "lines": [_plain(line) for line in lines()], **how}


def _plain(line: Line) -> dict[str, Any]:
    """A line as JSON holds it, which knows no NaN; of very many points as many as one can see."""
    chosen = np.unique(np.linspace(0, len(line.steps) - 1, min(MOST, len(line.steps))).round().astype(int))
    values = [float(f"{line.values[one]:.6g}") for one in chosen]
    points = [[line.steps[one], value] for one, value in zip(chosen, values, strict=True) if math.isfinite(value)]
    return {"label": line.label, "colour": line.colour, "style": line.style, "faint": line.faint, "points": points}
