"""What every live widget shares: Start, Pause, Stop, progress, a timeline over the frames, files, messages."""

import contextlib
import threading
import time
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any

import ipywidgets as W

from .. import figures
from ..ascent import Ascent
from ..classifiers import Classifier
from ..errors import Diverged, VizkitError
from ..reproduction import code_of
from .parts import button, download_link, encode, error_text, note, style, unused_name
from .run_loop import RunLoop

CURVE_EVERY = 0.4  # seconds between two drawings of the curve: it costs more than the picture and changes less


class RunPanel(W.VBox):
    """One ascent at a time, live. A subclass says what is run (`_new_ascent`) and how a frame looks (`_show_frame`).

    `run()` makes all the steps and returns the ascent, for notebooks that run without a person; `ascent` is the newest.
    """

    def __init__(self, net: Classifier, pull: bool | None = None) -> None:
        self.net = net
        self.ascent: Ascent | None = None
        self.loop = RunLoop(self._publish, pull)
        self._lock = threading.RLock()  # callbacks may come from another thread than the run
        self._rendering = False
        self._following = True  # the picture is the newest, not one that the timeline was moved to
        self._worked = self._curve_drawn = 0.0
        self._shown: tuple[Ascent, int] | None = None  # the frame on show
        self.start = button("Start", "play", "Begin anew with these knobs", self._on_start, "primary")
        self.pause = button("Pause", "pause", "Hold the run, or let it go on", self._on_pause)
        self.stop = button("Stop", "stop", "End the run here", self._on_stop)
        self.progress = W.FloatProgress(min=0, max=1)
        self.remaining, self.message, self.code = W.HTML(), W.HTML(), W.HTML()
        # Made long, then shortened: the End key of the browser's slider knows only the length it was made with.
        self.timeline = W.IntSlider(description="Timeline", min=0, max=100_000, style={"description_width": "88px"})
        self.timeline.observe(self._on_scrub, "value")
        self.save_png = button("Save PNG", "download", "The picture, with its settings inside", self._on_save_png)
        self.save_gif = button("Save GIF", "film", "The whole run as an animation", self._on_save_gif)
        self.show_code = button("Show the code", "code", "The lines that make exactly this picture", self._on_code)
        self.curve = W.Image(format="png")
        self._figure = figures.live_figure()
        self._names: list[str] = []  # of the images, for the curve; without any, it shows the class labels
        super().__init__()
        self.add_class("vizkit")

    def _arrange(self, columns: list[Any], more_buttons: list[Any], below: list[Any]) -> None:
        """Puts everything in its place: columns, what drives the run, what to do with the result."""
        rows = [
            W.HBox([self.start, self.pause, self.stop]),
            W.HBox([self.progress, self.remaining]),
            W.HBox([*more_buttons, self.save_png, self.save_gif, self.show_code]),
        ]
        for row in rows:
            row.add_class("vizkit-row")
        self.timeline.add_class("vizkit-timeline")
        box = W.Box(columns)
        box.add_class("vizkit-columns")
        clock = [self.loop.clock] if self.loop.clock else []
        self.children = [style(), box, *rows[:2], self.timeline, rows[2], self.message, self.code, *below, *clock]
        self._publish()

    def run(self) -> Ascent:
        """All the steps that are asked for, then the ascent; the widget shows the result."""
        self.loop.clear()
        self._say("")
        self.ascent, self._following = self._new_ascent(), True
        self.ascent.run()
        self._publish()
        return self.ascent

    # For the subclass.

    def _new_ascent(self) -> Ascent:
        raise NotImplementedError

    def _show_frame(self, ascent: Ascent, step: int) -> None:
        raise NotImplementedError

    def _show_start(self) -> None:
        """What there is to see before the first run."""

    # What a person sees.

    def _publish(self) -> None:
        """Brings every widget up to date with the run; called by the run loop, and by people's clicks."""
        with self._lock:
            self._rendering = True
            try:
                self._render()
            finally:
                self._rendering = False

    def _render(self) -> None:
        state, made = self.loop.state, self.ascent is not None
        self.start.disabled = self.loop.busy
        self.pause.disabled = self.stop.disabled = not self.loop.busy
        self.pause.description = "Go on" if state == "paused" else "Pause"
        self.pause.icon = "play" if state == "paused" else "pause"
        for control in (self.save_png, self.save_gif, self.timeline):
            control.disabled = not made
        if state == "failed" and self.loop.error:
            self._say(error_text(self.loop.error), alert=True)
        if self.ascent and self.ascent.history:
            self._render_run(self.ascent)
        elif not made:
            self._show_start()

    def _render_run(self, ascent: Ascent) -> None:
        frames = list(ascent.frames)
        newest = max(frames)
        shown = newest if self._following else max(step for step in frames if step <= max(self.timeline.value, 0))
        self.timeline.max = max(ascent.steps if self.loop.busy else newest, 1)
        if self._following and self.timeline.value != newest:
            self.timeline.value = newest
        if self._shown != (ascent, shown):
            self._shown = (ascent, shown)
            self._show_frame(ascent, shown)
        self.progress.value = ascent.step / max(ascent.steps, 1)
        self.remaining.value = note(self._remaining(ascent))
        now = time.perf_counter()
        if now - self._curve_drawn > CURVE_EVERY or not self.loop.busy:
            self._curve_drawn = now
            figures.draw_score_curve(self._figure.axes[0], ascent, self._names)
            self.curve.value = figures.png(self._figure)

    def _remaining(self, ascent: Ascent) -> str:
        done, total, state = ascent.step, ascent.steps, self.loop.state
        if not self.loop.busy:
            return f"{'finished' if state == 'ready' else state} at step {done}"
        if state == "paused":
            return f"paused at step {done} of {total}"
        left = self._worked / max(done, 1) * (total - done)
        return f"step {done} of {total}, {left:.0f} s left on {ascent.net.device}"

    def _say(self, text: str, alert: bool = False) -> None:
        self.message.value = note(text, alert=alert) if text else ""

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        """The widget, and beside it the picture, for viewers without widgets."""
        bundle: dict[str, Any] = super()._repr_mimebundle_(**kwargs)
        if self.ascent and self.ascent.history:
            bundle["image/png"] = encode(self.ascent.picture, "png")[1]
        return bundle

    # What a person does.

    def _attempt(self, action: Callable[[], Any]) -> Any:
        """What `action` returns; where it fails, None and a sentence in the panel."""
        try:
            return action()
        except (VizkitError, RuntimeError, OSError) as error:
            self._say(error_text(error), alert=True)
            return None

    def _on_start(self, _: Any) -> None:
        ascent = self._attempt(self._new_ascent)
        if ascent is None:
            return
        self.ascent, self._following, self._worked = ascent, True, 0.0
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

    def _on_scrub(self, change: Any) -> None:
        with self._lock:
            if self._rendering or not self.ascent or not self.ascent.frames:
                return
            self._following = change["new"] >= max(list(self.ascent.frames))
            self._publish()

    def _on_save_png(self, _: Any) -> None:
        self._save(figures.save, "png")

    def _on_save_gif(self, _: Any) -> None:
        self._save(figures.gif, "gif")

    def _save(self, write: Callable[[Ascent, Path], Path], ending: str) -> None:
        """Writes a file beside the notebook, and offers it for download."""
        ascent = self.ascent
        path = ascent and self._attempt(lambda: write(ascent, unused_name("-".join(set(ascent.labels)), ending)))
        if path:
            self.message.value = note(f"Saved {path.name}", link=download_link(path))

    def _on_code(self, _: Any) -> None:
        if self.code.value:
            self.code.value = ""
            return
        code = self._attempt(lambda: code_of(self.ascent or self._new_ascent()))
        if code:
            self.code.value = f"<pre class=vizkit-code>{escape(code)}</pre>"
