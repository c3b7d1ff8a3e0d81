"""Compare: several regularizers on one class, from the same start, side by side on one timeline."""

from collections.abc import Mapping
from typing import Any

import ipywidgets as W

from ..ascent import Ascent
from ..networks import Classifier, load
from ..recipes import as_recipe
from ..regularization import Regularizer, side_by_side
from .cards import CardPanel
from .controls import ClassPicker
from .parts import field


class Compare(CardPanel):
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
        recipe: str | None = None,
        pull: bool | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(net or load(), list(regularizers), pull)
        batch = side_by_side(list(regularizers.values()))
        everything = shared + batch if shared else batch
        self._recipe = as_recipe(recipe, self.net).but(**settings | {"regularizer": everything})
        self.picker = ClassPicker()
        self.picker.show(self.net, self.net.index(target))
        self.steps = field(W.BoundedIntText, "Steps", value=self._recipe.steps, min=1, max=100_000)
        self.seed = field(W.BoundedIntText, "Seed", value=0, min=0, max=2**31 - 1)
        for card in self.cards:
            card.add_class("vizkit-compared")
        chosen = W.VBox([self.picker, self.steps, self.seed])
        chosen.add_class("vizkit-controls")
        score = W.VBox([self.curve])
        score.add_class("vizkit-score")
        self._arrange([chosen, *self.cards], [], [score])

    def _new_ascent(self) -> Ascent:
        targets = [self.picker.target] * len(self._names)
        return self._recipe.ascend(self.net, targets, steps=self.steps.value, seed=self.seed.value)
