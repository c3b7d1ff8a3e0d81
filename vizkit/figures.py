"""Curves, grids, film strips and files. matplotlib's object API only: nothing here touches a global figure."""

import io
import math
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from PIL import Image

from .ascent import Ascent
from .errors import VizkitError
from .images import Pictures, tile
from .saved import RESTART, write_whole

# Okabe & Ito's palette, told apart by colour-blind readers; the first is the target, the second its rival.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
GREY = "#757575"  # reads on white and on black: the figures have no background of their own


class NotebookFigure(Figure):
    """A figure that a notebook shows without pyplot."""

    def __init__(self, width: float, height: float) -> None:
        super().__init__(figsize=(width, height), dpi=120, layout="constrained", facecolor="none")
        FigureCanvasAgg(self)

    def _repr_png_(self) -> bytes:
        return png(self)


def png(figure: Figure) -> bytes:
    """The figure as a PNG file; in half the time that `savefig` takes."""
    canvas, stream = FigureCanvasAgg(figure), io.BytesIO()
    canvas.draw()  # type: ignore[no-untyped-call]
    pixels = np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
    Image.fromarray(pixels).save(stream, format="png", compress_level=1)
    return stream.getvalue()


def score_curve(ascent: Ascent, names: Sequence[str] = ()) -> Figure:
    """
    >>> vizkit.figures.score_curve(vizkit.ascend(net, "flamingo", steps=3).run()).axes[0].get_xlabel()
    'step'

    The class score of every step, with the strongest rival and what the regularizer subtracts; a dotted line marks
    each step at which a knob was turned. Where views were shown, a dot is the score of the finished picture itself.
    `names` stand in for the class labels, where several images are of one class.
    """
    figure = NotebookFigure(6, 3.4)
    draw_score_curve(figure.add_subplot(), ascent, names)
    return figure


def live_figure(columns: int = 1) -> Figure:
    """A figure with axes at fixed places, to draw into again and again: twice as fast as `score_curve`."""
    figure = NotebookFigure(5.0 * columns, 3.9)
    figure.set_layout_engine("none")
    for column in range(columns):
        figure.add_axes(((column + 0.14) / columns, 0.13, 0.82 / columns, 0.78))
    return figure


def draw_score_curve(axes: Axes, ascent: Ascent, names: Sequence[str] = ()) -> None:
    """Draws the curves of `score_curve` into existing axes, after clearing them."""
    axes.clear()
    history = ascent.history[:]
    result = (
        history.pop() if ascent.finished and ascent.regularizer.acts("view") else None
    )  # seen whole: another measure
    steps = [step.index for step in history]
    for image, label in enumerate(names or ascent.labels):
        axes.plot(steps, [step.scores[image] for step in history], color=COLOURS[image % 6], linewidth=2, label=label)
    if history and len(ascent.labels) == 1:
        rival = f"strongest rival: {ascent.net.labels[history[-1].rivals[0]]}"
        axes.plot(steps, [s.rival_scores[0] for s in history], "--", color=COLOURS[1], label=rival)
        if any(step.penalties[0] for step in history):
            axes.plot(steps, [s.penalties[0] for s in history], color=COLOURS[2], linestyle=":", label="penalty")
    drawn = list(axes.lines)
    for image, score in enumerate(result.scores if result else ()):
        axes.plot(ascent.step, score, "o", color=COLOURS[image % 6], clip_on=False)
    for step, knob, value in ascent.changes:
        axes.axvline(step, color=GREY, linestyle=":", linewidth=1)
        text = f"{knob.replace('_', ' ')} {value:g}" if isinstance(value, float) else str(value).replace("vizkit.", "")
        text = text if knob != RESTART else "optimizer begins anew"
        axes.text(step, 0.02, text, transform=axes.get_xaxis_transform(), rotation=90, ha="right", size=8, color=GREY)
    if history:  # a penalty can dwarf the scores: it does not stretch the axis
        values = [value for step in ascent.history for value in (*step.scores, *step.rival_scores)]
        margin = 0.05 * (max(values) - min(values)) + 0.5
        axes.set_ylim(min(values) - margin, max(values) + margin)
    reach = 64 * 2 ** math.ceil(math.log2(max(ascent.step, 1) / 64)) if ascent.step > 64 else 64
    axes.set_xlim(0, max(1, min(reach, max(ascent.steps, ascent.step))))  # grows in jumps
    axes.set_xlabel("step", color=GREY)
    axes.set_ylabel("class score", color=GREY)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    _plain(axes)
    axes.grid(color=GREY, alpha=0.25, linewidth=0.6)
    if history:
        place: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (-0.02, 1.0), "ncols": 3, "frameon": False}
        legend = axes.legend(drawn, ["-"] * len(drawn), labelcolor=GREY, fontsize=9, handlelength=1.4, **place)
        for written, line in zip(legend.get_texts(), drawn, strict=True):
            written.set(text=line.get_label(), parse_math=False)  # a label is what it is, not a formula


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
    kept = _kept_frames(ascent)
    chosen = [kept[round(at)] for at in np.linspace(0, len(kept) - 1, min(frames, len(kept)))]
    captions = [f"step {step}" for step in chosen]
    return grid([ascent.frames[step][0] for step in chosen], captions, columns=len(chosen))


def gif(ascent: Ascent, path: str | Path, seconds: float = 6.0) -> Path:
    """
    >>> ascent = vizkit.ascend(net, ["flamingo", "ostrich"], steps=3).run()
    >>> vizkit.figures.gif(ascent, folder / "two.gif").name
    'two.gif'

    Writes the ascent as an animation of about `seconds`, the batch side by side; the last frame stays a while.
    """
    kept = _kept_frames(ascent)
    chosen = kept[:: math.ceil(len(kept) / 100)]
    chosen += kept[-1:] if chosen[-1] != kept[-1] else []
    images = [Image.fromarray(tile(ascent.frames[step])) for step in chosen]
    duration = [max(20, round(1000 * seconds / len(images)))] * (len(images) - 1) + [2000]
    stream = io.BytesIO()
    images[0].save(stream, format="GIF", save_all=True, append_images=images[1:], duration=duration, loop=0)
    return write_whole(path, stream.getvalue())


def _plain(axes: Axes) -> None:
    """Two axes, no box, and a colour that reads on white and on black."""
    axes.tick_params(colors=GREY)
    axes.set_facecolor("none")
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(GREY)


def _kept_frames(ascent: Ascent) -> list[int]:
    if not ascent.frames:
        raise VizkitError("This ascent has made no step yet: call its run() first.")
    return sorted(ascent.frames)


save = Ascent.save  # its first address
