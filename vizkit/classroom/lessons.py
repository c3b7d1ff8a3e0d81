"""What only lessons use: what the eye sees, in numbers; what an ascent did to other classes; how a training went."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from ..ascent import Ascent
from ..figures.curves import COLOURS, GREY, Line, plain_plot
from ..images import Pictures
from .predictions import Naming, Prediction  # noqa: F401  part of what lessons use
from .training import Training


def statistics(pictures: Pictures) -> list[dict[str, float]]:
    """
    >>> vizkit.lessons.statistics(np.full((1, 8, 8, 3), 255, np.uint8))
    [{'mean magnitude': 1.0, 'near zero': 0.0, 'saturation': 0.0, 'roughness': 0.0}]

    What the eye sees, in numbers, for each picture, uint8 (batch, height, width, 3). With x = −1 for black, 0 for grey
    and 1 for white: the mean magnitude |x|; the share of pixels whose channels are all near zero, |x| < 0.1; the mean
    saturation, (largest − smallest channel) / largest; the roughness, the mean difference of neighbours in x.
    """
    differences = [np.abs(np.diff(pictures / 127.5, axis=axis)).mean(axis=(1, 2, 3)) for axis in (1, 2)]
    x = np.abs(pictures / 127.5 - 1)
    largest, smallest = pictures.max(axis=3).astype(float), pictures.min(axis=3)
    each = {
        "mean magnitude": x.mean(axis=(1, 2, 3)),
        "near zero": (x < 0.1).all(axis=3).mean(axis=(1, 2)),
        "saturation": ((largest - smallest) / np.maximum(largest, 1)).mean(axis=(1, 2)),
        "roughness": np.mean(differences, axis=0),
    }
    return [{name: round(float(values[at]), 3) for name, values in each.items()} for at in range(len(pictures))]


def score_changes(ascents: Sequence[Ascent], names: Sequence[str], rival: str) -> Figure:
    """
    >>> lemon = vizkit.ascend(net, "lemon", steps=3).run()
    >>> vizkit.lessons.score_changes([lemon], ["score"], "orange").axes[0].get_ylabel()
    'change of the score'

    From the start image to the result: by how much the target's score changed, and that of a rival, a pair of bars for
    each ascent.
    """
    figure, axes = plain_plot(6, 3.2)
    for group, label in enumerate((ascents[0].labels[0], rival)):
        index, places = ascents[0].net.index(label), np.arange(len(ascents)) + 0.4 * group - 0.2
        heights = [(one.net(one.image) - one.net(one.start_image))[0, index].item() for one in ascents]
        bars = axes.bar(places, heights, 0.38, color=COLOURS[group], label=label)
        axes.bar_label(bars, fmt="%+.1f", color=GREY)
    axes.axhline(0, color=GREY, linewidth=0.8)
    axes.set_xticks(range(len(ascents)), names)
    axes.set_ylabel("change of the score", color=GREY)
    axes.margins(y=0.15)
    axes.legend(frameon=False, labelcolor=GREY, fontsize=9)
    return figure


def loss_lines(training: Training) -> list[Line]:
    """The loss of every step, and its mean over the last 20."""
    return _with_mean([step.loss for step in training.history[:]])


def accuracy_lines(training: Training) -> list[Line]:
    """The accuracy on the pictures of every step, and its mean over the last 20; and that on unseen pictures."""
    lines = _with_mean([step.accuracy for step in training.history[:]])
    if training.checks:
        steps, values = zip(*training.checks, strict=True)
        label = f"unseen pictures: {values[-1]:.1%}"
        lines += [Line(label, steps, values, COLOURS[1]), Line("", steps, values, COLOURS[1], "o")]
    return lines


def _with_mean(values: Sequence[float]) -> list[Line]:
    steps = range(1, len(values) + 1)
    return [Line("", steps, values, faint=True), Line("in training, running mean", steps, running_mean(values))]


def running_mean(values: Sequence[float], width: int = 20) -> list[float]:
    """At each place the mean of the last `width` values."""
    total = np.cumsum([0.0, *values])
    return [float(total[i] - total[max(i - width, 0)]) / min(i, width) for i in range(1, len(total))]
