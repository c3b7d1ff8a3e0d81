"""Several class models side by side: Compare and Gallery, in one batch, from one start, on one timeline; and
AtlasMaker, the newest of an atlas."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

import ipywidgets as W

from ..ascent import Ascent, ascend
from ..atlases.atlas import Atlas
from ..atlases.folder import Entry
from ..errors import VizkitError
from ..networks import Classifier, as_classifier
from ..recipes import Recipe, as_recipe
from ..regularization import Regularizer, none, side_by_side
from .controls import MOST_STEPS, ClassPicker
from .panel import Frame, JobPanel, RunPanel
from .parts import Picture, encode

MOST = 24  # class models in one grid
NEWEST = 12  # pictures of an atlas that are to be seen


class CardPanel(RunPanel):
    """A card for each image of the batch: its picture, its name and its score; and how many steps, from which seed. A
    subclass says which classes they are of (`targets`)."""

    def __init__(self, net: Classifier, names: list[str], recipe: Recipe, seed: int, curve: bool = True) -> None:
        super().__init__(net, curve)
        self._names, self._recipe = names, recipe
        self.pictures = [Picture() for _ in names]
        self.captions = [W.HTML(caption(name)) for name in names]
        self.steps = self.field(W.BoundedIntText, "Steps", value=recipe.steps, min=0, max=MOST_STEPS)
        self.seed = self.field(W.IntText, "Seed", value=seed)
        self._say("Press Start: all of them grow at once.")
        self.steps.observe(lambda _: self._turn("steps"), "value")

    def _new_ascent(self) -> Ascent:
        return ascend(self.net, self.targets, recipe=self._recipe, seed=self.seed.value, **self._live())

    def _live(self) -> dict[str, Any]:
        return {"steps": self.steps.value}

    def _show_start(self, ascent: Ascent) -> None:
        super()._show_start(ascent)
        for widget, picture in zip(self.pictures, ascent.pictures, strict=True):
            widget.show(encode(picture), "start image")

    def _show_frame(self, frame: Frame) -> None:
        for index, name in enumerate(self._names):
            label, score = frame.ascent.labels[index], f"step {frame.step}, score {frame.seen.scores[index]:.1f}"
            named = label if name == label else f"{label}, {name}"
            self.pictures[index].show(encode(frame.pictures[index]), f"class model of {named}, {score}")
            self.captions[index].value = caption(name, score)


def caption(name: str, score: str = "") -> str:
    return f"<div class=vizkit-caption><b>{escape(name)}</b><br>{score}</div>"


def cards(pictures: Sequence[Any], captions: Sequence[Any]) -> list[Any]:
    """Each picture with its caption."""
    return [W.VBox(pair).add_class("vizkit-model") for pair in zip(pictures, captions, strict=True)]


class Compare(CardPanel):
    """
    >>> compare = vizkit.Compare({"none": None, "L2": vizkit.l2(1e-3)}, net, regularizer=vizkit.jitter(8), steps=3)
    >>> compare.run().pictures.shape
    (2, 224, 224, 3)

    One class model for each of several regularizers, in one batch: the same start image, the same views, one timeline.
    `regularizers`: {name: regularizer}; None is no regularizer. `regularizer`: what acts on all of them
    (`shared` is its old name). `net`, `target`, `recipe`, `seed` and further keywords are those of `Explorer`, `run()`
    and `ascent`, too.
    """

    def __init__(
        self,
        regularizers: Mapping[str, Regularizer | None],
        net: Any = None,
        target: Any = None,
        *,
        regularizer: Regularizer | None = None,
        shared: Regularizer | None = None,
        recipe: str | Recipe | None = None,
        seed: int = 0,
        **settings: Any,
    ) -> None:
        if not isinstance(regularizers, Mapping):
            raise VizkitError(f"Name each regularizer, as in {{'L2': vizkit.l2(1e-3)}}: not {regularizers!r}.")
        net = as_classifier(net)
        recipe = as_recipe(recipe, net).but(**settings, regularizer=regularizer or shared)
        each = [one or none() for one in regularizers.values()]
        recipe = recipe.but(regularizer=recipe.regularizer + side_by_side(each))
        super().__init__(net, [str(name) for name in regularizers], recipe, seed)
        self.picker = ClassPicker(self.field, net, target)
        chosen = W.VBox([self.picker, self.steps, self.seed]).add_class("vizkit-controls")
        self._arrange_columns(chosen, [*cards(self.pictures, self.captions), self.curve.add_class("vizkit-under")])

    @property
    def targets(self) -> list[int]:
        return [self.picker.target] * len(self._names)


class Gallery(CardPanel):
    """
    >>> gallery = vizkit.Gallery("fashion", steps=3)
    >>> gallery.run().pictures.shape
    (10, 28, 28, 3)

    The class models of several classes, in one batch, live. `target`: labels or indices, or one, as in `vizkit.ascend`
    (`targets` is its old name); None: all classes of the network. `net`, `recipe`, `seed` and further keywords are
    those of `Explorer`, `run()` and `ascent`, too. Raises `VizkitError` for more than 24 classes.
    """

    def __init__(
        self, net: Any = None, target: Any = None, *, recipe: str | Recipe | None = None, seed: int = 0, **settings: Any
    ) -> None:
        net = as_classifier(net)
        wanted = settings.pop("targets", target)
        self.targets = list(range(len(net.labels))) if wanted is None else net.indices(wanted)
        if len(self.targets) > MOST:
            raise VizkitError(f"A gallery has room for {MOST} classes, not {len(self.targets)}. Name those you want.")
        names = [net.labels[index] for index in self.targets]
        super().__init__(net, names, as_recipe(recipe, net).but(**settings), seed, curve=False)  # it would be a tangle
        chosen = self._row([self.steps, self.seed]).add_class("vizkit-few")
        self._arrange_columns(chosen, [W.Box(cards(self.pictures, self.captions)).add_class("vizkit-gallery")])


class AtlasMaker(JobPanel):
    """
    >>> maker = vizkit.AtlasMaker(vizkit.atlas("shapes", folder / "atlas", steps=3, executor=1))
    >>> maker.run()
    Atlas(shapes, 8 of 8 classes, in ...atlas)

    An atlas, live: how far it is, and its newest pictures. Last line of a cell, it shows itself; Start begins, Pause
    and Stop hold it, and Start goes on from there. `run()` makes all the classes that are left in the cell that calls
    it, live, too, and returns the atlas; there the kernel's interrupt (■) raises `KeyboardInterrupt`. What is done is
    kept.
    """

    def __init__(self, atlas: Atlas) -> None:
        super().__init__()
        self.atlas = atlas
        self._newest = deque(list(atlas.entries.values())[: -NEWEST - 1 : -1], NEWEST)  # of an earlier run
        self._shown: list[Entry] = []
        self.start.tooltip = "Make what is missing"
        self.pictures, self.captions = [Picture() for _ in range(NEWEST)], [W.HTML() for _ in range(NEWEST)]
        self._arrange([*self._driver(), W.Box(cards(self.pictures, self.captions)).add_class("vizkit-gallery")])

    def _begin(self) -> Iterator[Any]:
        self._from_here(self.atlas)
        return self._steps()

    def _steps(self) -> Iterator[Entry | None]:
        """What is done, as it comes; nothing, often enough that clicks are heard."""
        while self.atlas.step < self.atlas.steps:
            if entry := self.atlas.poll(0.05):
                self._newest.appendleft(entry)
            yield entry

    def _end(self, steps: Any) -> None:
        self.atlas.close()
        self._say(f"To search and to sort what is done, open {self.atlas.page} in a browser.")

    def _render(self) -> None:
        super()._render()
        done, total = self.atlas.step, self.atlas.steps
        self.start.disabled = self.loop.busy or done >= total
        self._show_progress(done, total, self.atlas.device, "picture")
        for place, entry in enumerate(newest := list(self._newest)):
            if newest != self._shown and not entry.failure:
                self.pictures[place].show(encode(self.atlas.picture(entry.index)), f"class model of {entry.label}")
            self.captions[place].value = caption(entry.label, entry.failure or f"score {entry.score:.1f}")
        self._shown = newest
