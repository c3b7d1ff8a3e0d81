"""The Explorer: choose a network, a class and a regularizer, press Start, and watch the class model grow."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from html import escape
from typing import Any

import ipywidgets as W

from .. import judging
from ..ascent import Ascent, ascend
from ..errors import VizkitError
from ..networks import Classifier, as_classifier, downloaded, load
from ..recipes import Recipe, as_recipe
from ..settings import LIVE
from .controls import NO_PRESET, OTHER, Controls
from .panel import Frame, RunPanel, close
from .parts import Picture, encode, hand_back_memory, note
from .run_loop import SLICE, RunLoop


class Explorer(RunPanel):
    """
    >>> explorer = vizkit.Explorer(net, "flamingo", steps=3)
    >>> explorer.run().picture.shape
    (224, 224, 3)

    All of vizkit with knobs. Last line of a cell, it shows itself. `net`: your own `Classifier`, or a network's name;
    None takes the built-in CNN. `target`: the class chosen at first; None takes the flamingo, where there is one.
    `recipe`: what the knobs open with, a name or a `Recipe`; None takes the one that suits the network. Other keywords
    are those of `vizkit.ascend` that the knobs show, such as `steps` or `regularizer`.

    `run()` makes all the steps and returns the ascent, for notebooks that run without a person; `ascent` is the newest.
    """

    def __init__(
        self, net: Any = None, target: Any = None, *, recipe: str | Recipe | None = None, seed: int = 0, **settings: Any
    ) -> None:
        super().__init__(as_classifier(net))
        self._own = self.net.whole or self.net
        self.loader = RunLoop(self._publish)  # a network on its way is no run: it has a state of its own
        self.loops.append(self.loader)
        self._arrived: Classifier | None = None
        self._judged: tuple[Any, ...] = ()  # an ascent, its last step, and the second opinion of what came out
        self.controls = Controls(self.net, target, self.field, self._turn)
        self.controls.seed.value = seed
        self._targets: dict[str, int] = {}  # the class that was chosen of each network
        self.controls.network.observe(self._on_network, "value")
        self.controls.other.observe(lambda change: self._fetch(change["new"].strip()), "value")
        self.controls.look.observe(self._on_look, "value")
        self.controls.start.observe(lambda _: self._on_start_image(), "value")
        self.controls.photo.upload.observe(lambda change: self.take_photo(change["new"]), "value")
        self.picture, self.caption = Picture().add_class("vizkit-picture"), W.HTML()
        self.invitation = W.HTML("<span>Press ▶ Start: the class model grows here.</span>")
        self.invitation.add_class("vizkit-invitation")
        self.picture.children += (self.invitation,)
        self.strip = W.Box().add_class("vizkit-strip")
        self.keep = self._button("Keep", "thumb-tack", "Add this picture to the strip below", self._on_keep)
        self.controls.set(as_recipe(recipe, self.net).but(**settings))
        stage = W.VBox([self.picture, self.caption]).add_class("vizkit-stage")
        grown = [stage, self.curve.add_class("vizkit-stage")]
        self._arrange_columns(self.controls, grown, [self.keep], self.strip)
        hand_back_memory()

    # What a person sees.

    def _render(self) -> None:
        arrived, self._arrived = self._arrived, None
        if arrived:
            self._show_network(arrived)
            self._on_start_image()
            self._say(f"{self.net.name} is ready. Choose a class and press Start.")
        super()._render()
        if not self.loader.busy:  # the network on the list is the one that is there, whatever became of another
            self.controls.network.value = (self.net.whole or self.net).name
            self.controls.look.value = self.net.layer
        self.keep.disabled = self._shown is None
        self.controls.hold(self.growing, self.ascent.targets[0] if self.ascent else 0)

    def _show_progress(self, *how_far: Any) -> None:
        """Of a network that is on its way: how much of a download is there, and for how long it has been coming."""
        if self.loader.busy:
            name = str(self.loader.work)
            there, whole = downloaded(name)
            megabytes = f", {there:.0f}{f' of {whole:.0f}' if whole else ''} MB" if there else ""
            self.progress.value = there / (whole or 1)
            self.remaining.value = note(f"loading {name}{megabytes}, {self.loader.worked:.0f} s", often=True)
        else:
            super()._show_progress(*how_far)

    def _show_start(self, ascent: Ascent) -> None:
        """The start image, and, before the first run, what to do."""
        super()._show_start(ascent)
        self.picture.show(encode(ascent.picture), f"start image: {self.controls.start.value}")
        self.caption.value = note("The start image.")
        self.invitation.layout.display = "none" if self.ascent or self.controls.start.value == "photo" else ""

    def _show_frame(self, frame: Frame) -> None:
        """The picture, and what was measured of it."""
        ascent, seen = frame.ascent, frame.seen
        self.picture.show(encode(frame.pictures[0]), _words(frame))
        named = f"<b>{escape(ascent.labels[0])}</b> step {frame.step}"
        score = f"{_measured(frame)} <b>{seen.score:.1f}</b>"
        score += "" if ascent.net.layer else f" &nbsp; probability <b>{seen.probability:.3f}</b>"  # a unit has none
        rival = f"strongest rival: {escape(ascent.net.labels[seen.rivals[0]])} {seen.rival_scores[0]:.1f}"
        lines = [named, score, rival if len(ascent.net.labels) > 1 else "", escape(self._opinion(frame))]
        self.caption.value = f"<div class=vizkit-caption>{'<br>'.join(filter(None, lines))}</div>"

    def _opinion(self, frame: Frame) -> str:
        """What a second network says of the finished picture, if it knows the same classes; it is asked once."""
        ascent, step = frame.ascent, frame.step
        asked = frame.is_last and judging.judge_knows(ascent.net)
        if asked and self._judged[:2] != (ascent, step):
            self._judged = ascent, step, str(judging.second_opinion(frame.pictures[:1], ascent.targets[0])[0])
        return self._judged[2] if asked else ""

    def _show_network(self, net: Classifier) -> None:
        """The classes of `net`; where nobody has turned a knob, what suits it instead of what suited the last."""
        preset = self.controls.preset.value
        if preset != NO_PRESET:
            self.controls.set(as_recipe(None if preset == as_recipe(None, self.net).name else preset, net))
        self._targets[self.net.name] = self.controls.picker.target
        self.net = net
        self.controls.other.layout.display, self.controls.other.value = "none", ""
        self.controls.show_network(net)
        self.controls.picker.show(net, self._targets.get(net.name))

    # What a person does.

    def _begin(self) -> Ascent:
        ascent = super()._begin()
        if judging.judge_knows(ascent.net):  # so that the judge is there when the picture is done
            threading.Thread(target=_fetch_judge, daemon=True).start()
        return ascent

    def _live(self) -> dict[str, Any]:
        settings = self.controls.settings()
        return {name: getattr(settings, name) for name in LIVE}

    def _new_ascent(self) -> Ascent:
        knobs = self.controls
        start = knobs.photo.photo if knobs.start.value == "photo" else knobs.start.value
        if start is None:
            raise VizkitError("There is no photo yet. Press Choose a photo, under Start from, and pick a picture file.")
        settings = vars(knobs.settings()) | {"start": start}
        return ascend(self.net, knobs.picker.target, seed=knobs.seed.value, **settings)

    def _on_start_image(self) -> None:
        """Another start is shown at once, but not in place of a class model, unless it is a photo."""
        if self.loop.busy:
            return
        self._shown = None  # what is on show may be no frame of the run
        with contextlib.suppress(VizkitError):  # there may be no photo yet
            if self.ascent is None or self.controls.start.value == "photo":
                self._show_start(self._new_ascent())
                return
        if not self._rendering:
            self._publish()

    def take_photo(self, files: Any) -> None:
        """What somebody has uploaded, as ipywidgets gives it, is the photo to start from."""
        self._say("")
        self._attempt(lambda: self.controls.photo.take(files))
        self._on_start_image()

    def _on_network(self, change: Any) -> None:
        name = change["new"]
        if name == OTHER:
            self.controls.other.layout.display = ""
            self._publish()
        elif name == (self.net.whole or self.net).name:  # also while another one is on its way
            self.loader.stop()
        else:
            self._fetch(name)

    def _on_look(self, change: Any) -> None:
        whole, layer = self.net.whole or self.net, change["new"]
        if layer == self.net.layer:
            self.loader.stop()
        elif layer is not None and not self._rendering:
            self._fetch(f"layer {layer}" if layer else whole.name, lambda: whole.inside(layer) if layer else whole)

    def _fetch(self, name: str, make: Callable[[], Classifier] | None = None) -> None:
        """Another network, which comes in a thread, since it may be downloaded."""
        if name:
            self._say("")
            usual = (lambda: self._own) if name == self._own.name else (lambda: load(name))
            self.loader.start(lambda: self._load(make or usual), name)
            self._publish()

    async def _load(self, make: Callable[[], Classifier]) -> None:
        """One that was given up may still come, for nothing."""
        loading = asyncio.create_task(asyncio.to_thread(make))
        while not loading.done():
            await asyncio.wait([loading], timeout=SLICE)
            await self.loader.breathe()
        self._arrived = loading.result()

    def _on_keep(self) -> None:
        frame = self._shown
        if frame is None:
            return
        ascent, picture = frame.ascent, Picture()
        picture.show(encode(frame.pictures[0]), _words(frame))
        regularizer = str(ascent.regularizer).replace("vizkit.", "")
        how = f"{ascent.net.name}, {ascent.basis.name}, {ascent.settings.optimizer} {ascent.learning_rate:g}"
        result = f"seed {ascent.seed}, step {frame.step}, score {frame.seen.score:.1f}"
        lines = [regularizer, how, result, self._opinion(frame)]
        text = "<br>".join([f"<b>{escape(ascent.labels[0])}</b>", *map(escape, filter(None, lines))])
        card, remove = W.VBox(), W.Button(description="Remove", tooltip="Take it off the strip")
        card.children = picture, W.HTML(f"<div class=vizkit-note>{text}</div>"), remove
        remove.on_click(lambda _: self._on_remove(card))
        self.strip.children = (*self.strip.children, card.add_class("vizkit-card"))

    def _on_remove(self, card: Any) -> None:
        self.strip.children = tuple(other for other in self.strip.children if other is not card)
        close(card)


def _fetch_judge() -> None:
    judging.default_judge()
    hand_back_memory()


def _measured(frame: Frame) -> str:
    """What its score is the score of."""
    if not frame.ascent.regularizer.acts("view"):
        return "score"
    return f"score of {'the whole picture' if frame.is_last else 'what is shown'}"


def _words(frame: Frame) -> str:
    """A frame for those who cannot see it."""
    ascent = frame.ascent
    return f"class model of {ascent.labels[0]} on {ascent.net.name}, step {frame.step}, score {frame.seen.score:.1f}"
