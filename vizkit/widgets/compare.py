"""Compare: several regularizers on one class, from the same start, side by side on one timeline."""

from collections.abc import Mapping
from html import escape
from typing import Any

import ipywidgets as W

from .. import classifiers
from ..ascent import Ascent
from ..classifiers import Classifier
from ..mechanism import Regularizer
from ..recipes import Recipe
from ..recipes import recipe as recipe_of_name
from ..regularizers import side_by_side
from .controls import ClassPicker, field
from .panel import RunPanel
from .parts import encode


class Compare(RunPanel):
    """
    >>> compare = vizkit.Compare({"none": vizkit.none(), "L2": vizkit.l2(1e-3)}, net, steps=3)
    >>> compare.run().pictures.shape
    (2, 224, 224, 3)

    One class model for each of several regularizers, in one batch: the same start image, the same views, one timeline.
    `regularizers`: {name: regularizer}. `shared`: what acts on all of them. `net`, `target`, `recipe` and further
    keywords are those of `Explorer`; `run()` and `ascent`, too.
    """

    def __init__(
        self,
        regularizers: Mapping[str, Regularizer],
        net: Classifier | None = None,
        target: str | int = "flamingo",
        *,
        shared: Regularizer | None = None,
        recipe: str = "vizkit",
        pull: bool | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(net or classifiers.load(), pull)
        self._names = list(regularizers)
        batch = side_by_side(list(regularizers.values()))
        everything = shared + batch if shared else batch
        self._recipe = Recipe(**recipe_of_name(recipe).overridden(settings | {"regularizer": everything}))
        self.picker = ClassPicker()
        self.picker.show(self.net, self.net.index(target))
        self.steps = field(W.BoundedIntText, "Steps", value=self._recipe.steps, min=1, max=100_000)
        self.seed = field(W.BoundedIntText, "Seed", value=0, min=0, max=2**31 - 1)
        self.pictures = [W.Image(format="jpeg") for _ in self._names]
        self.captions = [W.HTML(f"<div class=vizkit-caption><b>{escape(name)}</b></div>") for name in self._names]
        cards = [W.VBox(pair) for pair in zip(self.pictures, self.captions, strict=True)]
        for card in cards:
            card.add_class("vizkit-compared")
        chosen = W.VBox([self.picker, self.steps, self.seed])
        chosen.add_class("vizkit-controls")
        score = W.VBox([self.curve])
        score.add_class("vizkit-score")
        self._arrange([chosen, *cards], [], [score])

    def _new_ascent(self) -> Ascent:
        targets = [self.picker.target] * len(self._names)
        return self._recipe.ascend(self.net, targets, steps=self.steps.value, seed=self.seed.value)

    def _show_start(self) -> None:
        if not self.pictures[0].value:
            for widget, picture in zip(self.pictures, self._new_ascent().pictures, strict=True):
                widget.format, widget.value = encode(picture)

    def _show_frame(self, ascent: Ascent, step: int) -> None:
        seen = ascent.history[step]
        for index, name in enumerate(self._names):
            self.pictures[index].format, self.pictures[index].value = encode(ascent.frames[step][index])
            self.captions[
                index
            ].value = (
                f"<div class=vizkit-caption><b>{escape(name)}</b><br>step {step}, score {seen.scores[index]:.1f}</div>"
            )
