"""The Explorer: choose a network, a class and a regularizer, press Start, and watch the class model grow."""

import asyncio
import contextlib
import threading
from html import escape
from typing import Any

import ipywidgets as W

from .. import judging
from ..ascent import Ascent
from ..errors import VizkitError
from ..networks import Classifier, load
from ..recipes import as_recipe
from .controls import Controls
from .panel import RunPanel
from .parts import Picture, button, encode, note


class Explorer(RunPanel):
    """
    >>> explorer = vizkit.Explorer(net, "flamingo", steps=3)
    >>> explorer.run().picture.shape
    (224, 224, 3)

    All of vizkit with knobs. Last line of a cell, it shows itself. `net`: your own `Classifier`; None takes the
    built-in CNN. `target`: the class chosen at first. `recipe`: the name of the preset it opens with; None takes the
    one that suits the network. Other keywords
    are those of `vizkit.ascend` that the knobs show, such as `steps` or `regularizer`.

    `run()` makes all the steps and returns the ascent, for notebooks that run without a person; `ascent` is the newest.
    """

    def __init__(
        self,
        net: Classifier | None = None,
        target: str | int | None = None,
        *,
        recipe: str | None = None,
        seed: int = 0,
        pull: bool | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(net or load(), pull)
        self._own = self.net
        self._arrived: Classifier | None = None  # a network that was loaded, and not yet shown
        self.controls = Controls(self.net, self._on_knob)
        self.controls.network.observe(self._on_network, "value")
        self.controls.start.observe(self._on_start_image, "value")
        self.controls.photo.upload.observe(self._on_upload, "value")
        self.picture, self.caption, self.strip = Picture(), W.HTML(), W.Box()
        self.keep = button("Keep", "thumb-tack", "Add this picture to the strip below", self._on_keep)
        stage, score = W.VBox([self.picture, self.caption]), W.VBox([self.curve])
        parts = {"controls": self.controls, "stage": stage, "score": score, "picture": self.picture}
        for name, part in (parts | {"strip": self.strip}).items():
            part.add_class(f"vizkit-{name}")
        recipe = recipe or as_recipe(None, self.net).name
        self.controls.set(as_recipe(recipe, self.net).but(**settings))
        self.controls.preset.value = "–" if settings else recipe
        self.controls.seed.value = seed
        self._show_network(self.net, target)
        self._new_ascent()  # what cannot be is an error here, rather than at Start
        self._arrange([self.controls, stage, score], [self.keep], [self.strip])
        threading.Thread(target=judging.default_judge).start()  # so that it is there when the first picture is done

    # What a person sees.

    def _render(self) -> None:
        if self._arrived:
            self._show_network(self._arrived)
            self._arrived = None
            if self.ascent is None:
                self._show_start_image()
            self._say(f"{self.net.name} is ready. Choose a class and press Start.")
        super()._render()
        self.keep.disabled = self.ascent is None
        if self.loop.state == "failed":
            self.controls.network.value = self.net.name  # in case it was a network that could not be loaded

    def _show_start(self) -> None:
        if not self.caption.value:
            self._show_start_image()

    def _show_start_image(self) -> None:
        """The start image, and what to do."""
        with contextlib.suppress(VizkitError):
            self.picture.show(encode(self._new_ascent().picture), f"start image: {self.controls.start.value}")
        self.caption.value = note("The start image. Choose a class and press Start.")
        self._shown = None  # no frame of a run is

    def _show_frame(self, ascent: Ascent, step: int) -> None:
        """The picture, and what was measured of it."""
        seen = ascent.history[step]
        self.picture.show(encode(ascent.frames[step][0]), _words(ascent, step))
        opinion = f"<br>{escape(self._opinion(ascent, step))}"
        self.caption.value = (
            f"<div class=vizkit-caption><b>{escape(ascent.labels[0])}</b> step {step}<br>"
            f"score <b>{seen.score:.1f}</b> &nbsp; probability <b>{seen.probability:.3f}</b><br>"
            f"strongest rival: {escape(ascent.net.labels[seen.rivals[0]])} {seen.rival_scores[0]:.1f}{opinion}</div>"
        )

    def _opinion(self, ascent: Ascent, step: int) -> str:
        """What a second network says of the finished picture, if it knows the same classes."""
        if not ascent.finished or step < ascent.step or ascent.net.labels != judging.default_judge().labels:
            return ""
        return str(judging.second_opinion(ascent.pictures[:1], ascent.targets[0])[0])

    def _show_network(self, net: Classifier, target: str | int | None = None) -> None:
        """The labels of `net` in the list; the class stays chosen where the network has one of that name."""
        if target is None:
            wanted = self.controls.picker.label or "flamingo"
            target = net.labels.index(wanted) if wanted in net.labels else 0
        if self.controls.preset.value == as_recipe(None, self.net).name:
            self.controls.preset.value = as_recipe(None, net).name
        self.net = net
        self.controls.picker.show(net, net.index(target))

    # What a person does.

    def _new_ascent(self) -> Ascent:
        knobs = self.controls
        start = knobs.start_image(self.net)
        return knobs.recipe().ascend(self.net, knobs.picker.target, seed=knobs.seed.value, start=start)

    def _on_knob(self) -> None:
        """Strength, learning rate and the like act on the very next step of a run."""
        ascent = self.ascent
        if ascent is None or ascent.finished or not self.loop.busy:
            return

        def turn() -> None:
            recipe = self.controls.recipe()
            ascent.regularizer, ascent.learning_rate = recipe.regularizer, recipe.learning_rate
            ascent.objective, ascent.steps = recipe.objective, max(recipe.steps, ascent.step)

        self._attempt(turn)

    def _on_start_image(self, _: Any) -> None:
        """Another start is shown at once, but not in place of a class model, unless it is a photo."""
        if not self.loop.busy and (self.ascent is None or self.controls.start.value == "photo"):
            self._show_start_image()

    def _on_upload(self, _: Any) -> None:
        self._say("")
        self._attempt(self.controls.photo.take_upload)
        self._on_start_image(_)

    def _on_network(self, change: Any) -> None:
        name = change["new"]
        if name != self.net.name:
            self._say(f"Loading {name} …")
            self.loop.start(lambda: self._load(name))
            self._publish()

    async def _load(self, name: str) -> None:
        """In a thread, since it may download; the run loop publishes what arrived."""
        if name == self._own.name:
            self._arrived = self._own
        else:
            self._arrived = await asyncio.get_running_loop().run_in_executor(None, load, name)

    def _on_keep(self, _: Any) -> None:
        if self._shown is None:
            return
        ascent, step = self._shown
        picture = Picture()
        picture.show(encode(ascent.frames[step][0]), _words(ascent, step))
        lines = [
            str(ascent.regularizer).replace("vizkit.", ""),
            f"{ascent.net.name}, {ascent.basis.name}, {ascent.settings.optimizer} {ascent.learning_rate:g}",
            f"seed {ascent.seed}, step {step}, score {ascent.history[step].score:.1f}",
            self._opinion(ascent, step),
        ]
        text = "<br>".join([f"<b>{escape(ascent.labels[0])}</b>", *map(escape, filter(None, lines))])
        card = W.VBox([picture, W.HTML(f"<div class=vizkit-note>{text}</div>")])
        card.add_class("vizkit-card")
        self.strip.children = (*self.strip.children, card)


def _words(ascent: Ascent, step: int) -> str:
    """A frame for those who cannot see it."""
    score = ascent.history[step].score
    return f"class model of {ascent.labels[0]} on {ascent.net.name}, step {step}, score {score:.1f}"
