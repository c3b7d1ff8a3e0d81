"""Pictures side by side: grids, film strips, animations."""

import math
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from ..ascent import Ascent
from ..errors import VizkitError
from ..images import Pictures, tile, to_file
from ..saved import write_whole
from .curves import GREY, NotebookFigure


def grid(pictures: Sequence[Any] | Pictures, captions: Sequence[str] = (), columns: int | None = None) -> Figure:
    """
    >>> vizkit.figures.grid(np.zeros((4, 8, 8, 3), np.uint8), captions=["a", "b", "c", "d"])
    <NotebookFigure size 528x576 with 4 Axes>

    Pictures, each uint8 (height, width, 3) or a PIL image, side by side with a caption under each.
    """
    if isinstance(pictures, np.ndarray) and pictures.ndim == 3:  # one picture
        pictures = pictures[None]
    if not len(pictures):
        raise VizkitError("A grid takes one picture or more, and got none.")
    columns = columns or math.ceil(math.sqrt(len(pictures)))
    rows = math.ceil(len(pictures) / columns)
    enlarged = min(max(1.0, columns / 5), 1.8)  # a wide figure is shown smaller, and its captions with it
    figure = NotebookFigure(2.2 * columns, (2.2 + 0.2 * enlarged if captions else 2.2) * rows)
    for index, picture in enumerate(pictures):
        axes = figure.add_subplot(rows, columns, index + 1)
        picture = np.asarray(picture)
        axes.imshow(picture, interpolation="nearest" if len(picture) < 64 else "antialiased")
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
        if index < len(captions):
            lines = [textwrap.fill(line, int(32 / enlarged)) for line in captions[index].splitlines()]
            axes.set_xlabel("\n".join(lines), fontsize=9 * enlarged, color=GREY, parse_math=False)
    return figure


def film_strip(ascent: Ascent, frames: int = 6) -> Figure:
    """
    >>> vizkit.figures.film_strip(vizkit.ascend(net, "flamingo", steps=3).run(), frames=2)
    <NotebookFigure size 528x288 with 2 Axes>

    How the first class model came about: `frames` pictures, evenly spread from the first step to the last.
    """
    chosen = _kept_frames(ascent, frames)
    captions = [f"step {step}" for step in chosen]
    return grid([ascent.frames[step][0] for step in chosen], captions, columns=len(chosen))


def gif(ascent: Ascent, path: str | Path, seconds: float = 6.0) -> Path:
    """
    >>> ascent = vizkit.ascend(net, ["flamingo", "ostrich"], steps=3).run()
    >>> vizkit.figures.gif(ascent, folder / "two.gif").name
    'two.gif'

    Writes the ascent as an animation of about `seconds`, the batch side by side; the last frame stays a while.
    """
    images = [Image.fromarray(tile(ascent.frames[step])) for step in _kept_frames(ascent, most=100)]
    duration = [max(20, round(1000 * seconds / len(images)))] * (len(images) - 1) + [2000]
    animation = to_file(images[0], "gif", save_all=True, append_images=images[1:], duration=duration, loop=0)
    return write_whole(path, animation)


def _kept_frames(ascent: Ascent, most: int) -> list[int]:
    """The steps of as many frames, or of all that there are, evenly spread from the first to the last."""
    if not ascent.frames:
        raise VizkitError("This ascent has made no step yet: call its run() first.")
    kept = sorted(ascent.frames)
    return [kept[round(at)] for at in np.linspace(0, len(kept) - 1, min(most, len(kept)))]
