"""AtlasMaker: an atlas on its way, its newest pictures, and what drives it."""

from collections import deque
from collections.abc import Iterator
from typing import Any

import ipywidgets as W

from ..atlases.atlas import Atlas
from ..atlases.folder import Entry
from .grids import caption
from .panel import JobPanel
from .parts import Picture, encode

NEWEST = 12  # pictures that are to be seen


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
        self.atlas, self._begun = atlas, 0
        self._newest = deque(list(atlas.entries.values())[: -NEWEST - 1 : -1], NEWEST)  # of an earlier run
        self._shown: list[Entry] = []
        self.start.tooltip = "Make what is missing"
        self.pictures, self.captions = [Picture() for _ in range(NEWEST)], [W.HTML() for _ in range(NEWEST)]
        pairs = zip(self.pictures, self.captions, strict=True)
        cards = [W.VBox(pair).add_class("vizkit-model") for pair in pairs]
        self._arrange([*self._driver(), W.Box(cards).add_class("vizkit-gallery")])

    def run(self) -> Atlas:
        super().run()
        return self.atlas

    def _begin(self) -> Iterator[Any]:
        self._begun = self.atlas.step
        self._say("")
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
        self._show_progress(done, total, self.atlas.device, self._begun, "picture")
        for place, entry in enumerate(newest := list(self._newest)):
            if newest != self._shown and not entry.failure:
                self.pictures[place].show(encode(self.atlas.picture(entry.index)), f"class model of {entry.label}")
            self.captions[place].value = caption(entry.label, entry.failure or f"score {entry.score:.1f}")
        self._shown = newest
