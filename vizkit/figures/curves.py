"""Score curves, in matplotlib's object API: nothing here touches a global figure."""

import io
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from PIL import Image

from ..ascent import Ascent
from ..regularization import Regularizer
from ..saved import RESTART

# Okabe & Ito's palette, told apart by colour-blind readers; the first is the target, the second its rival.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
DRAG = 8  # steps between two turns of a knob that are one
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

    The class score of every step, with the strongest rival; a dotted line with a number marks each step at which a
    knob was turned, and below stands to what. Where views were shown, a dot is the score of the whole picture in the
    end. `names` stand in for the class labels, where several images are of one class.
    """
    figure = NotebookFigure(6, 3.4)
    axes = figure.add_subplot()
    draw_score_curve(axes, ascent, names)
    axes.set_xlabel("\n".join(["step", *(f"{number}: {words}" for number, _, words in turned(ascent))]), color=GREY)
    return figure


def turned(ascent: Ascent) -> list[tuple[int, int, str]]:
    """Every turn of a knob: its number, from 1 on, the first step that it acted on, and to what; a knob that was
    dragged has been turned once, to where it was let go."""
    found: list[tuple[int, str, str]] = []
    now, before, last = ascent.initial.regularizer, ascent.initial.regularizer, -DRAG
    with_others = {step for step, knob, _ in ascent.changes if knob != "steps"}  # which give a run more steps
    for step, knob, value in ascent.changes:
        if knob == "steps" and step in with_others:
            continue
        if found and found[-1][1] == knob and step - last < DRAG:
            step_of_turn = found.pop()[0]
        else:
            step_of_turn, before = step, now
        words = f"{knob.replace('_', ' ')} {value:g}" if isinstance(value, float) else str(value)
        if isinstance(value, Regularizer):
            words, now = _difference(before, value), value
        words = {"steps": f"on to step {value}", RESTART: "the optimizer begins anew"}.get(knob, words)
        found.append((step_of_turn, knob, words))
        last = step
    return [(number, step, words) for number, (step, _, words) in enumerate(found, 1)]


def _difference(before: Regularizer, after: Regularizer) -> str:
    """In words, what a regularizer has become."""
    if after.batch > 1 or before.batch > 1:
        return str(after).replace("vizkit.", "")
    new = [str(part) for part in after.parts if part not in before.parts]
    kinds = [part.kind.name for part in after.parts]
    gone = [f"no {part.kind.name}" for part in before.parts if part.kind.name not in kinds]
    return ", ".join(new + gone).replace("vizkit.", "")


def live_figure(columns: int = 1) -> Figure:
    """A figure with axes at fixed places, to draw into again and again: twice as fast as `score_curve`."""
    figure = NotebookFigure(4.2 * columns, 4.2)
    figure.set_layout_engine("none")
    for column in range(columns):
        figure.add_axes(((column + 0.15) / columns, 0.12, 0.82 / columns, 0.74))
    return figure


def draw_score_curve(axes: Axes, ascent: Ascent, names: Sequence[str] = ()) -> None:
    """Draws the curves of `score_curve` into existing axes, after clearing them."""
    axes.clear()
    history = ascent.history[:]
    seen_whole = ascent.finished and ascent.regularizer.acts("view")  # the result: another measure than of its views
    result = history.pop() if seen_whole else None
    steps = [step.index for step in history]
    for image, label in enumerate(names or ascent.labels):
        axes.plot(steps, [step.scores[image] for step in history], color=COLOURS[image % 6], linewidth=2, label=label)
    if history and len(ascent.labels) == 1 < len(ascent.net.labels):
        rival = f"strongest rival: {ascent.net.labels[history[-1].rivals[0]]}"
        axes.plot(steps, [s.rival_scores[0] for s in history], "--", color=COLOURS[1], label=rival)
    drawn = list(axes.lines)
    for image, score in enumerate(result.scores if result else ()):
        (dot,) = axes.plot(ascent.step, score, "o", color=COLOURS[image % 6], clip_on=False, label="the whole picture")
        drawn += [dot] if image == 0 else []
    for number, step, _ in turned(ascent):
        axes.axvline(step, color=GREY, linestyle=":", linewidth=1)
        placed: dict[str, Any] = {"transform": axes.get_xaxis_transform(), "ha": "left", "va": "top"}
        axes.text(step, 1, f" {number}", color=GREY, size=11, **placed)
    if history:
        values = [value for step in ascent.history for value in (*step.scores, *step.rival_scores)]
        margin = 0.05 * (max(values) - min(values)) + 0.5
        axes.set_ylim(min(values) - margin, max(values) + margin)
    reach = 64 * 2 ** math.ceil(math.log2(max(ascent.step, 1) / 64)) if ascent.step > 64 else 64
    axes.set_xlim(0, max(1, min(reach, max(ascent.steps, ascent.step))))  # grows in jumps
    step_axes(axes, "class score")
    if not history:
        axes.set_yticks([])
    legend_above(axes, drawn, columns=2)


def step_axes(axes: Axes, measured: str) -> None:
    """Steps across, what is measured upwards, and a faint grid."""
    axes.set_xlabel("step", color=GREY)
    axes.set_ylabel(measured, color=GREY)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.grid(color=GREY, alpha=0.25, linewidth=0.6)
    plain_axes(axes)


def legend_above(axes: Axes, lines: Sequence[Line2D], columns: int) -> None:
    """Names the lines, if there are any, above the axes."""
    if lines:
        place: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (-0.02, 1.0), "ncols": columns}
        style: dict[str, Any] = {"frameon": False, "labelcolor": GREY, "fontsize": 9, "handlelength": 1.4}
        legend = axes.legend(lines, ["-"] * len(lines), **place, **style)
        for written, line in zip(legend.get_texts(), lines, strict=True):
            written.set(text=line.get_label(), parse_math=False)  # a label is what it is, not a formula


def plain_axes(axes: Axes) -> None:
    """Two axes, no box, and a colour that reads on white and on black."""
    axes.tick_params(colors=GREY)
    axes.set_facecolor("none")
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(GREY)
