"""What only lessons use: what the eye sees, in numbers; what an ascent did to other classes; a training, live; and
predict, then look: a question before a picture, and pictures to be named before their names are told."""

from collections.abc import Sequence
from html import escape
from typing import Any

import ipywidgets as W
import numpy as np
from matplotlib.figure import Figure
from matplotlib.offsetbox import AnnotationBbox, OffsetImage

from ..ascent import Ascent
from ..errors import check_name
from ..figures import COLOURS, GREY, Line, plain_plot
from ..images import Pictures
from ..judging import Opinion
from ..widgets.panel import JobPanel, close, replace_panels_of_this_cell
from ..widgets.parts import Curves, Page, Picture, encode, note
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
        axes.bar_label(bars, fmt="%+.1f", color=GREY, padding=2)
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


class Trainer(JobPanel):
    """
    >>> data = vizkit.datasets.shapes(train=256, test=64)
    >>> trainer = vizkit.Trainer(vizkit.Training(vizkit.small_cnn(3, 8, size=64), data, epochs=1))
    >>> trainer.run().step
    4

    A training, live: loss and accuracy as they go. Last line of a cell, it shows itself; Start begins, Pause and Stop
    hold it, and Start goes on from there. `run()` makes all the steps that are left in the cell that calls it, live,
    too, and returns the training; there the kernel's interrupt (■) raises `KeyboardInterrupt`. What has been learned is
    kept.
    """

    def __init__(self, training: Training) -> None:
        super().__init__()
        self.training = training
        self.start.tooltip = "Train, or go on with it"
        self.loss, self.accuracy = Curves("loss"), Curves("accuracy")
        curves = W.Box([self.loss, self.accuracy], layout=self._wide).add_class("vizkit-columns")
        self._arrange([curves.add_class("vizkit-training"), *self._driver()])

    def _begin(self) -> Training:
        return self._from_here(self.training)

    def _render(self) -> None:
        super()._render()
        training = self.training
        self.start.disabled = self.loop.busy or training.step >= training.steps
        self.start.description = "Go on" if 0 < training.step < training.steps and not self.loop.busy else "Start"
        self._show_progress(training.step, training.steps, str(training.device))
        checked = f", {training.checks[-1][1]:.1%} of unseen pictures right" if training.checks else ""
        words = f"curve: step {training.step} of {training.steps}{checked}"
        at_once, reach = not self.loop.busy, training.steps
        self.loss.grow(lambda: loss_lines(training), at_once, reach=reach, least=0, words=f"loss {words}")
        how = {"least": 0, "most": 1, "words": f"accuracy {words}"}
        self.accuracy.grow(lambda: accuracy_lines(training), at_once, reach=reach, **how)


# Predict, then look.


class Asked(W.VBox):
    """What is asked, under its question. Nothing of it stays in the notebook's file."""

    def __init__(self, question: str, parts: Sequence[Any]) -> None:
        replace_panels_of_this_cell(self)
        self.question = question
        asked = W.HTML(f"<div class=vizkit-caption><b>{escape(question)}</b></div>")
        super().__init__([Page(layout={"display": "none"}), asked, *parts])
        self.add_class("vizkit")

    def __repr__(self) -> str:
        return f"{self.question} Run this cell to answer."

    def close(self) -> None:
        """Closes all that it is made of."""
        if self.comm is not None:
            close(self)


class Prediction(Asked):
    """
    >>> greyest = vizkit.lessons.Prediction("Which picture will be the greyest?", ["none", "L2", "L1"])
    >>> greyest.came("L2")
    Which picture will be the greyest? It came: L2. Nobody has said anything.

    A question with a few answers to click, asked before the picture that answers it. The first answer is kept (`said`;
    None before it). Last line of a cell, it shows itself.
    """

    def __init__(self, question: str, answers: Sequence[str]) -> None:
        self.said: str | None = None
        self._came = ""
        self.buttons = [W.Button(description=answer) for answer in answers]
        for button in self.buttons:
            button.on_click(self._on_click)
        self.outcome = W.HTML()
        super().__init__(question, [W.HBox(self.buttons).add_class("vizkit-row"), self.outcome])

    def __repr__(self) -> str:
        return f"{self.question} {self._told()}"

    def came(self, answer: str) -> "Prediction":
        """What came, beside what was said, and a line to copy, so that the answers of a class can be counted: question,
        what was said and what came, with tabs between. A click that waited for the end of a cell still counts. Raises
        `VizkitError` for an answer that could not be given."""
        check_name("answer", answer, [button.description for button in self.buttons])
        self._came = answer
        self._show()
        return self

    def _on_click(self, button: W.Button) -> None:
        if self.said is None:
            self.said, button.button_style = button.description, "primary"
            self._show()

    def _told(self) -> str:
        guess = f"You said: {self.said}." if self.said else "Nobody has said anything."
        return f"It came: {self._came}. {guess}" if self._came else guess

    def _show(self) -> None:
        for button in self.buttons:
            button.disabled = button.description != self.said
        line = escape("\t".join([self.question, self.said or "–", self._came]))
        copied = f"{note('To count what a class has said, gather this line:')}<pre class=vizkit-code>{line}</pre>"
        self.outcome.value = f"<div class=vizkit-caption>{escape(self._told())}</div>{copied if self._came else ''}"


class Naming(Asked):
    """
    >>> naming = vizkit.lessons.Naming(np.zeros((2, 8, 8, 3), np.uint8), ["lemon", "tarantula"])
    >>> naming.named
    ['–', '–']

    Pictures, uint8 (batch, height, width, 3), without their names, `labels`, each with a list to choose one from, in
    which `others` stand, too. Last line of a cell, it shows itself.
    """

    def __init__(self, pictures: Pictures, labels: Sequence[str], others: Sequence[str] = ()) -> None:
        self.pictures, self.labels = pictures, list(labels)
        options = ["–", *sorted({*labels, *others}), "none of these"]
        self.fields, cards = [], []
        for number, picture in enumerate(pictures, 1):
            shown = Picture()
            shown.show(encode(picture), f"picture {number}, to be named")
            self.fields.append(W.Dropdown(description=str(number), options=options, layout={"width": "auto"}))
            cards.append(W.VBox([shown, self.fields[-1]]))
        super().__init__("What is each of these?", [W.Box(cards).add_class("vizkit-gallery")])

    @property
    def named(self) -> list[str]:
        """What each picture was taken for; "–" where nobody has said anything."""
        return [field.value for field in self.fields]

    def against(self, opinions: Sequence[Opinion]) -> Figure:
        """Who sees what: for each picture, the probability that a judge gives its class (see `vizkit.second_opinion`),
        in blue where it was named, too, and in orange where it was not."""
        figure, axes = plain_plot(7, 0.6 * len(self.labels) + 0.9)
        order = np.argsort([opinion.probability for opinion in opinions])
        for row, index in enumerate(order):
            name, opinion = self.named[index], opinions[index]
            axes.barh(row, opinion.probability, color=COLOURS[name != self.labels[index]], height=0.7)
            thumbnail = OffsetImage(self.pictures[index], zoom=34 / len(self.pictures[index]))
            beside = AnnotationBbox(thumbnail, (0, row), xybox=(-19, 0), boxcoords="offset points", frameon=False)
            axes.add_artist(beside)
            axes.text(opinion.probability, row, f"  judge: {opinion.seen}; you: {name}", color=GREY, va="center")
        axes.set_yticks(range(len(order)), [self.labels[index] for index in order], color=GREY)
        axes.tick_params(axis="y", pad=40, length=0)
        axes.set(xlim=(0, 1.6), xticks=(0, 0.5, 1))
        axes.set_xlabel("the judge's probability\nblue: you named it, too; orange: you did not", color=GREY)
        return figure
