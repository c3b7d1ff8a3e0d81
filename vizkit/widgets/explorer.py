"""The Explorer: choose a network, a class and a regularizer, press Start, and watch the class model grow."""

import asyncio
import contextlib
import threading
import time
from html import escape
from pathlib import Path
from typing import Any

import ipywidgets as W

from .. import classifiers, figures
from ..ascent import Ascent, Step
from ..classifiers import Classifier
from ..errors import Diverged, VizkitError
from ..recipes import Recipe
from ..recipes import recipe as recipe_of_name
from ..reproduction import code_of
from .controls import Controls
from .parts import button, download_link, encode, error_text, note, style, unused_name
from .run_loop import RunLoop

CURVE_EVERY = 0.4  # seconds between two drawings of the curve: it costs more than the picture and changes less


class Explorer(W.VBox):
    """
    >>> explorer = vizkit.Explorer(net, "flamingo", steps=3)
    >>> explorer.run().picture.shape
    (224, 224, 3)

    All of vizkit with knobs. Last line of a cell, it shows itself. `net`: your own `Classifier`; None takes the
    built-in CNN. `target`: the class chosen at first. `recipe`: the name of the preset it opens with. Other keywords
    are those of `vizkit.ascend` that the knobs show, such as `steps` or `regularizer`.

    `run()` makes all the steps and returns the ascent, for notebooks that run without a person; `ascent` is the newest.
    """

    def __init__(
        self,
        net: Classifier | None = None,
        target: str | int | None = None,
        *,
        recipe: str = "vizkit",
        pull: bool | None = None,
        **settings: Any,
    ) -> None:
        self.net = net or classifiers.load()
        self.ascent: Ascent | None = None
        self._arrived: Classifier | None = None  # a network that was loaded, and not yet shown
        self._own = self.net
        self._lock = threading.RLock()  # callbacks may come from another thread than the run
        self._rendering = False
        self._following = True  # the picture is the newest, not one that the timeline was moved to
        self._worked = self._curve_drawn = 0.0
        self._shown: tuple[Any, ...] = ()
        self.loop = RunLoop(self._publish, pull)
        self._build()
        chosen = recipe_of_name(recipe)
        self.controls.set(Recipe(**(chosen.keywords | settings)))
        self.controls.preset.value = "–" if settings else recipe
        self._show_network(self.net, target)
        self._publish()
        clock = [self.loop.clock] if self.loop.clock else []
        rows = [self._columns, self._run_row, self._progress_row, self.timeline, self._keep_row]
        super().__init__([style(), *rows, self.message, self.code, self.strip, *clock])
        self.add_class("vizkit")

    def run(self) -> Ascent:
        """All the steps that the knobs ask for, then the ascent; the widget shows the result."""
        self.ascent = self._new_ascent()
        self.ascent.run()
        self._publish()
        return self.ascent

    # What a person sees.

    def _build(self) -> None:
        self.controls = Controls(self.net, self._on_knob)
        self.controls.network.observe(self._on_network, "value")
        self.picture = W.Image(format="jpeg")
        self.caption = W.HTML()
        self.curve = W.Image(format="png")
        self._figure = figures.live_figure()
        self.start = button("Start", "play", "Begin anew with these knobs", self._on_start, "primary")
        self.pause = button("Pause", "pause", "Hold the run, or let it go on", self._on_pause)
        self.stop = button("Stop", "stop", "End the run here", self._on_stop)
        self.progress = W.FloatProgress(min=0, max=1)
        self.remaining = W.HTML()
        # Made long, then shortened: the End key of the browser's slider knows only the length it was made with.
        self.timeline = W.IntSlider(description="Timeline", min=0, max=100_000, style={"description_width": "88px"})
        self.timeline.observe(self._on_scrub, "value")
        self.keep = button("Keep", "thumb-tack", "Add this picture to the strip below", self._on_keep)
        self.save_png = button("Save PNG", "download", "The picture, with its settings inside", self._on_save_png)
        self.save_gif = button("Save GIF", "film", "The whole run as an animation", self._on_save_gif)
        self.show_code = button("Show the code", "code", "The lines that make exactly this picture", self._on_code)
        self.message, self.code, self.strip = W.HTML(), W.HTML(), W.Box()
        stage, score = W.VBox([self.picture, self.caption]), W.VBox([self.curve])
        self._columns = W.Box([self.controls, stage, score])
        self._run_row = W.HBox([self.start, self.pause, self.stop])
        self._progress_row = W.HBox([self.progress, self.remaining])
        self._keep_row = W.HBox([self.keep, self.save_png, self.save_gif, self.show_code])
        for box, name in [
            (self.controls, "controls"),
            (stage, "stage"),
            (score, "score"),
            (self._columns, "columns"),
            (self._run_row, "row"),
            (self._progress_row, "row"),
            (self._keep_row, "row"),
            (self.picture, "picture"),
            (self.timeline, "timeline"),
            (self.strip, "strip"),
        ]:
            box.add_class(f"vizkit-{name}")

    def _publish(self) -> None:
        """Brings every widget up to date with the run; called by the run loop, and by people's clicks."""
        with self._lock:
            self._rendering = True
            try:
                if self._arrived:
                    self._show_network(self._arrived)
                    self._arrived = None
                    self._say(f"{self.net.name} is ready. Choose a class and press Start.")
                self._render_buttons()
                if self.ascent and self.ascent.history:
                    self._render_run(self.ascent)
                elif not self.picture.value:
                    self._render_start()
            finally:
                self._rendering = False

    def _render_buttons(self) -> None:
        state, made = self.loop.state, self.ascent is not None
        self.start.disabled = self.loop.busy
        self.pause.disabled = self.stop.disabled = not self.loop.busy
        self.pause.description = "Go on" if state == "paused" else "Pause"
        self.pause.icon = "play" if state == "paused" else "pause"
        for control in (self.keep, self.save_png, self.save_gif, self.timeline):
            control.disabled = not made
        if state == "failed" and self.loop.error:
            self._say(error_text(self.loop.error), alert=True)
            self.controls.network.value = self.net.name  # in case it was a network that could not be loaded

    def _render_start(self) -> None:
        """Before the first run: the start image, and what to do."""
        with contextlib.suppress(VizkitError):
            self.picture.format, self.picture.value = encode(self._new_ascent().picture)
        self.caption.value = note("The start image. Choose a class and press Start.")

    def _render_run(self, ascent: Ascent) -> None:
        frames, history = ascent.frames, ascent.history
        newest = max(list(frames))
        shown = newest if self._following else max(i for i in list(frames) if i <= max(self.timeline.value, 0))
        self.timeline.max = max(ascent.steps if self.loop.busy else newest, 1)
        if self._following and self.timeline.value != newest:
            self.timeline.value = newest
        if self._shown != (ascent, shown):
            self._shown = (ascent, shown)
            self.picture.format, self.picture.value = encode(frames[shown][0])
            self.caption.value = _caption(ascent, history[shown])
        self.progress.value = ascent.step / max(ascent.steps, 1)
        self.remaining.value = note(self._remaining(ascent))
        ended, now = not self.loop.busy, time.perf_counter()
        if now - self._curve_drawn > CURVE_EVERY or ended:
            self._curve_drawn = now
            figures.draw_score_curve(self._figure.axes[0], ascent)
            self.curve.value = figures.png(self._figure)

    def _remaining(self, ascent: Ascent) -> str:
        done, total = ascent.step, ascent.steps
        if not self.loop.busy:
            word = {"ready": "finished", "failed": "failed"}.get(self.loop.state, self.loop.state)
            return f"{word} at step {done}"
        if self.loop.state == "paused":
            return f"paused at step {done} of {total}"
        left = self._worked / max(done, 1) * (total - done)
        return f"step {done} of {total}, {left:.0f} s left"

    def _show_network(self, net: Classifier, target: str | int | None = None) -> None:
        """The labels of `net` in the list; the class stays chosen where the network has one of that name."""
        if target is None and self.controls.picker.label in net.labels:
            target = net.labels.index(self.controls.picker.label)
        if target is None:
            target = net.labels.index("flamingo") if "flamingo" in net.labels else 0
        self.net = net
        self.controls.picker.show(net, net.index(target))

    # What a person does.

    def _new_ascent(self) -> Ascent:
        self._worked = 0.0
        return self.controls.recipe().ascend(self.net, self.controls.picker.target, seed=self.controls.seed.value)

    def _on_start(self, _: Any) -> None:
        try:
            ascent = self._new_ascent()
        except (VizkitError, RuntimeError) as error:
            self._say(error_text(error), alert=True)
            return
        self.ascent, self._following = ascent, True
        self._say("")
        self.code.value = ""
        self.loop.start(lambda: self._grow(ascent))
        self._publish()

    async def _grow(self, ascent: Ascent) -> None:
        try:
            while True:
                began = time.perf_counter()
                if next(ascent, None) is None:
                    break
                self._worked += time.perf_counter() - began
                await self.loop.breathe()
        finally:
            with contextlib.suppress(Diverged):
                ascent.finish()

    def _on_pause(self, _: Any) -> None:
        self.loop.toggle_pause()
        self._publish()

    def _on_stop(self, _: Any) -> None:
        self.loop.stop()  # the run shows its end when it is there

    def _on_knob(self) -> None:
        """Strength, learning rate and the like act on the very next step of a run."""
        ascent = self.ascent
        if ascent is None or not self.loop.busy:
            return
        recipe = self.controls.recipe()
        try:
            ascent.regularizer, ascent.learning_rate = recipe.regularizer, recipe.learning_rate
            ascent.objective = recipe.objective
            ascent.steps = max(recipe.steps, ascent.step)
        except VizkitError as error:
            self._say(error_text(error), alert=True)

    def _on_network(self, change: Any) -> None:
        name = change["new"]
        if name == self.net.name:
            return
        self._say(f"Loading {name} …")
        self.loop.start(lambda: self._load(name))
        self._publish()

    async def _load(self, name: str) -> None:
        """In a thread, since it may download; the run loop publishes what arrived."""
        if name == self._own.name:
            self._arrived = self._own
        else:
            self._arrived = await asyncio.get_running_loop().run_in_executor(None, classifiers.load, name)

    def _on_scrub(self, change: Any) -> None:
        with self._lock:
            if self._rendering or not self.ascent or not self.ascent.frames:
                return
            self._following = change["new"] >= max(list(self.ascent.frames))
            self._publish()

    def _on_keep(self, _: Any) -> None:
        ascent = self.ascent
        if ascent is None or not self._shown:
            return
        step = ascent.history[self._shown[1]]
        kind, data = encode(ascent.frames[step.index][0])
        text = f"<b>{escape(ascent.labels[0])}</b><br>{escape(str(ascent.regularizer).replace('vizkit.', ''))}"
        text += (
            f"<br>{escape(ascent.net.name)}, {ascent.basis.name}, {ascent.settings.optimizer} {ascent.learning_rate:g}"
        )
        text += f"<br>seed {ascent.seed}, step {step.index}, score {step.score:.1f}"
        card = W.VBox([W.Image(format=kind, value=data), W.HTML(f"<div class=vizkit-note>{text}</div>")])
        card.add_class("vizkit-card")
        self.strip.children = (*self.strip.children, card)

    def _on_save_png(self, _: Any) -> None:
        self._save(figures.save, "png")

    def _on_save_gif(self, _: Any) -> None:
        self._save(figures.gif, "gif")

    def _save(self, write: Any, ending: str) -> None:
        """Writes a file beside the notebook, and offers it for download."""
        ascent = self.ascent
        if ascent is None:
            return
        try:
            path = write(ascent, unused_name(Path(ascent.labels[0]), ending))
        except (OSError, VizkitError) as error:
            self._say(error_text(error), alert=True)
            return
        self.message.value = note(f"Saved {path.name}", link=download_link(path))

    def _on_code(self, _: Any) -> None:
        if self.code.value:
            self.code.value = ""
            return
        try:
            self.code.value = f"<pre class=vizkit-code>{escape(code_of(self.ascent or self._new_ascent()))}</pre>"
        except VizkitError as error:
            self._say(error_text(error), alert=True)

    def _say(self, text: str, alert: bool = False) -> None:
        self.message.value = note(text, alert=alert) if text else ""

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        """The widget, and beside it the picture, for viewers without widgets."""
        bundle: dict[str, Any] = super()._repr_mimebundle_(**kwargs)
        if self.ascent and self.ascent.history:
            bundle["image/png"] = encode(self.ascent.picture, "png")[1]
        return bundle


def _caption(ascent: Ascent, step: Step) -> str:
    """What was measured of the picture that is shown."""
    rival = ascent.net.labels[step.rivals[0]]
    return (
        f"<div class=vizkit-caption><b>{escape(ascent.labels[0])}</b> step {step.index}<br>"
        f"score <b>{step.score:.1f}</b> &nbsp; probability <b>{step.probability:.3f}</b><br>"
        f"strongest rival: {escape(rival)} {step.rival_scores[0]:.1f}</div>"
    )
