"""What there is to see, as figures and files: score curves, grids, film strips, animations. Loaded when it is first
asked for, since matplotlib takes a moment; in its object API: nothing here touches a global figure."""

import io
import math
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from PIL import Image

from ..ascent import Ascent
from ..errors import VizkitError
from ..images import Pictures, tile, to_file
from ..regularization import Regularizer
from ..saved import RESTART, write_whole

save = Ascent.save  # its first address

# Okabe & Ito's palette, told apart by colour-blind readers; the first is the target, the second its rival.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
DRAG = 8  # steps between two turns of a knob that are one
GREY = "#757575"  # reads on white and on black: the figures have no background of their own


class NotebookFigure(Figure):
    """A figure that a notebook shows without pyplot."""

    def __init__(self, width: float, height: float) -> None:
        super().__init__(figsize=(width, height), dpi=120, layout="constrained", facecolor="none")

    def _repr_png_(self) -> bytes:
        stream = io.BytesIO()
        self.savefig(stream, format="png")
        return stream.getvalue()

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """Its words, for those who cannot see it: a file and a handout have them beside the picture."""
        texts = [[axes.get_ylabel(), axes.get_xlabel(), *axes.get_legend_handles_labels()[1]] for axes in self.axes]
        words = ["; ".join(filter(None, one)).replace("\n", ", ") for one in texts]
        return {}, {"image/png": {"alt": ". ".join(filter(None, words)) or "pictures"}}


class Line(NamedTuple):
    """A line of a plot: at which steps it has which values. `style` is as matplotlib has it: "-", "--", or "o"."""

    label: str
    steps: Sequence[float]
    values: Sequence[float]
    colour: str = COLOURS[0]
    style: str = "-"
    faint: bool = False


def score_curve(ascent: Ascent, names: Sequence[str] = ()) -> Figure:
    """
    >>> vizkit.figures.score_curve(vizkit.ascend(net, "flamingo", steps=3).run()).axes[0].get_xlabel()
    'step'

    The class score of every step, with the strongest rival; a dotted line with a number marks each step at which a
    knob was turned, and below stands to what. Where views were shown, a dot is the score of the whole picture in the
    end. `names` stand in for the class labels, where several images are of one class.
    """
    figure, axes = plain_plot(6, 3.4)
    named = []
    for label, steps, values, colour, style, _ in score_lines(ascent, names):
        drawn = axes.plot(steps, values, style, color=colour, linewidth=2, label=label, clip_on=False)
        named += drawn if label else []
    for number, step, _ in turned(ascent):
        axes.axvline(step, color=GREY, linestyle=":", linewidth=1)
        axes.text(step, 1, f" {number}", transform=axes.get_xaxis_transform(), va="top", color=GREY, size=11)
    axes.set_xlim(0, reach(ascent))
    axes.set_ylabel(ascent.net.measured, color=GREY)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.grid(color=GREY, alpha=0.25, linewidth=0.6)
    if ascent.history:
        place: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (-0.02, 1.0), "ncols": 2}
        legend = axes.legend(named, ["-"] * len(named), frameon=False, labelcolor=GREY, fontsize=9, **place)
        for written, line in zip(legend.get_texts(), named, strict=True):
            written.set(text=line.get_label(), parse_math=False)  # a label is what it is, not a formula
    axes.set_xlabel("\n".join(["step", *(f"{number}: {words}" for number, _, words in turned(ascent))]), color=GREY)
    return figure


def score_lines(ascent: Ascent, names: Sequence[str] = ()) -> list[Line]:
    """The class scores of every step, a line an image, with the strongest rival of one image alone; where views were
    shown, the scores of the whole pictures in the end, dots, of which the first is named."""
    history = ascent.history[:]
    seen_whole = ascent.finished and ascent.regularizer.acts("view")  # the result: another measure than of its views
    result = history.pop() if seen_whole else None
    steps = [step.index for step in history]
    lines = [
        Line(label, steps, [step.scores[image] for step in history], COLOURS[image % 6])
        for image, label in enumerate(names or ascent.labels)
    ]
    if history and len(ascent.labels) == 1 < len(ascent.net.labels):
        rival = f"strongest rival: {ascent.net.labels[history[-1].rivals[0]]}"
        lines.append(Line(rival, steps, [step.rival_scores[0] for step in history], COLOURS[1], "--"))
    for image, score in enumerate(result.scores if result else ()):
        lines.append(Line("" if image else "the whole picture", [ascent.step], [score], COLOURS[image % 6], "o"))
    return lines


def reach(ascent: Ascent) -> int:
    """How many steps a curve has room for, so that it need not move with every step: it grows in jumps."""
    room = 64 * 2 ** math.ceil(math.log2(max(ascent.step, 64) / 64))
    return max(1, min(room, max(ascent.steps, ascent.step)))


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


def plain_plot(width: float, height: float) -> tuple[Figure, Axes]:
    """A figure with two axes, no box, in a colour that reads on white and on black."""
    figure = NotebookFigure(width, height)
    axes = figure.add_subplot()
    axes.tick_params(colors=GREY)
    axes.set_facecolor("none")
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(GREY)
    return figure, axes


# Pictures side by side.


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
