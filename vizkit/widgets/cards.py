"""Several class models side by side, in one batch, on one timeline."""

from html import escape
from typing import Any

import ipywidgets as W

from ..ascent import Ascent
from ..networks import Classifier
from .panel import RunPanel
from .parts import Picture, encode


class CardPanel(RunPanel):
    """A card for each image of the batch: its picture, its name and its score."""

    def __init__(self, net: Classifier, names: list[str], pull: bool | None = None) -> None:
        super().__init__(net, pull)
        self._names = names
        self.pictures = [Picture() for _ in names]
        self.captions = [W.HTML(_caption(name)) for name in names]
        self.cards: list[Any] = [W.VBox(pair) for pair in zip(self.pictures, self.captions, strict=True)]

    def _show_start(self) -> None:
        if not self.pictures[0].image.value:
            for widget, picture in zip(self.pictures, self._new_ascent().pictures, strict=True):
                widget.show(encode(picture), "start image")

    def _show_frame(self, ascent: Ascent, step: int) -> None:
        scores = ascent.history[step].scores
        for index, name in enumerate(self._names):
            label, score = ascent.labels[index], f"step {step}, score {scores[index]:.1f}"
            named = label if name == label else f"{label}, {name}"
            self.pictures[index].show(encode(ascent.frames[step][index]), f"class model of {named}, {score}")
            self.captions[index].value = _caption(name, score)


def _caption(name: str, score: str = "") -> str:
    return f"<div class=vizkit-caption><b>{escape(name)}</b><br>{score}</div>"
