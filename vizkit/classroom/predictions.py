"""Predict, then look: a question before a picture, and pictures to be named before their names are told."""

from collections.abc import Sequence
from html import escape
from typing import Any

import ipywidgets as W
import numpy as np
from matplotlib.figure import Figure
from matplotlib.offsetbox import AnnotationBbox, OffsetImage

from ..errors import check_name
from ..figures.curves import COLOURS, GREY, plain_plot
from ..images import Pictures
from ..judging import Opinion
from ..widgets.cells import replace_panels_of_this_cell
from ..widgets.panel import close
from ..widgets.parts import Page, Picture, encode, note


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
