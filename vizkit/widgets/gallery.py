"""Gallery: the class models of several classes, or of all, growing side by side."""

from collections.abc import Sequence
from typing import Any

import ipywidgets as W

from ..ascent import Ascent
from ..errors import VizkitError
from ..networks import Classifier, load
from ..recipes import as_recipe
from .cards import CardPanel
from .parts import field

MOST = 24  # classes in one gallery


class Gallery(CardPanel):
    """
    >>> gallery = vizkit.Gallery(vizkit.load("fashion"), steps=3)
    >>> gallery.run().pictures.shape
    (10, 28, 28, 3)

    The class models of `targets` (labels or indices; None: all classes of the network), in one batch, live. `recipe`:
    the name of a recipe; None takes the one that suits the network. Further keywords are those of `vizkit.ascend`;
    `run()` and `ascent` are as in `Explorer`. Raises `VizkitError` for more than 24 classes.
    """

    def __init__(
        self,
        net: Classifier | None = None,
        targets: Sequence[str | int] | None = None,
        *,
        recipe: str | None = None,
        seed: int = 0,
        pull: bool | None = None,
        **settings: Any,
    ) -> None:
        net = net or load()
        self._targets = [net.index(target) for target in (targets or range(len(net.labels)))]
        if len(self._targets) > MOST:
            raise VizkitError(
                f"A gallery has room for {MOST} classes, not {len(self._targets)}. Name those you want: "
                'vizkit.Gallery(net, ["flamingo", "ostrich"]).'
            )
        self._recipe = as_recipe(recipe, net).but(**settings)
        super().__init__(net, [net.labels[index] for index in self._targets], pull)
        self.curve = None  # so many would be a tangle
        self.steps = field(W.BoundedIntText, "Steps", value=self._recipe.steps, min=1, max=100_000)
        self.seed = field(W.BoundedIntText, "Seed", value=seed, min=0, max=2**31 - 1)
        chosen, grid = W.VBox([self.steps, self.seed]), W.Box(self.cards)
        chosen.add_class("vizkit-controls")
        grid.add_class("vizkit-gallery")
        self._arrange([chosen, grid], [], [])

    def _new_ascent(self) -> Ascent:
        return self._recipe.ascend(self.net, self._targets, steps=self.steps.value, seed=self.seed.value)
