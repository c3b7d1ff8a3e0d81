"""What every widget with a long job shares: Start, Pause, Stop, progress, messages."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import ipywidgets as W

from ..errors import VizkitError
from .parts import button, error_text, note, style
from .run_loop import RunLoop

CURVE_EVERY = 0.4  # seconds between two drawings of a curve: it costs more than a picture and changes less


class JobPanel(W.VBox):
    """One job at a time, live. A subclass says what Start does (`_on_start`) and what there is to see (`_render`)."""

    def __init__(self, pull: bool | None = None) -> None:
        self.loop = RunLoop(self._publish, pull)
        self._lock = threading.RLock()  # callbacks may come from another thread than the run
        self._rendering = False
        self._worked = 0.0  # seconds in steps, without the waiting between them
        self.start = button("Start", "play", "Begin anew with these knobs", self._on_start, "primary")
        self.pause = button("Pause", "pause", "Hold the run, or let it go on", self._on_pause)
        self.stop = button("Stop", "stop", "End the run here", self._on_stop)
        self.progress = W.FloatProgress(min=0, max=1)
        self.remaining, self.message = W.HTML(), W.HTML()
        super().__init__()
        self.add_class("vizkit")

    def __repr__(self) -> str:
        return f"{type(self).__name__}: a live widget. Run this cell to see it."  # where a page shows none

    def _arrange(self, *rows: Any) -> None:
        """Puts everything in its place, and shows it for the first time."""
        self.children = [style(), *rows, *([self.loop.clock] if self.loop.clock else [])]
        self._publish()

    def _drive(self) -> tuple[Any, Any]:
        """The rows that drive the job, and tell how far it is."""
        return row(self.start, self.pause, self.stop), row(self.progress, self.remaining)

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
        state = self.loop.state
        self.start.disabled = self.loop.busy
        self.pause.disabled = self.stop.disabled = not self.loop.busy
        self.pause.description = "Go on" if state == "paused" else "Pause"
        self.pause.icon = "play" if state == "paused" else "pause"
        if state == "failed" and self.loop.error:
            self._say(error_text(self.loop.error), alert=True)

    def _show_progress(self, done: int, total: int, place: str, begun: int = 0) -> None:
        """How far the job is; `begun` is where this run of it began."""
        state = self.loop.state
        if not self.loop.busy:
            text = f"{'finished' if state == 'ready' else state} at step {done}"
        elif state == "paused":
            text = f"paused at step {done} of {total}"
        else:
            left = self._worked / max(done - begun, 1) * (total - done)
            text = f"step {done} of {total}, {left:.0f} s left on {place}"
        self.progress.value = done / max(total, 1)
        self.remaining.value = note(text, often=self.loop.busy)

    def _say(self, text: str, alert: bool = False) -> None:
        self.message.value = note(text, alert=alert) if text else ""

    # What a person does.

    def _on_start(self, _: Any) -> None:
        raise NotImplementedError

    def _on_pause(self, _: Any) -> None:
        self.loop.toggle_pause()
        self._publish()

    def _on_stop(self, _: Any) -> None:
        self.loop.stop()  # the run shows its end when it is there

    def _attempt(self, action: Callable[[], Any]) -> Any:
        """What `action` returns; where it fails, None and a sentence in the panel."""
        try:
            return action()
        except (VizkitError, RuntimeError, OSError) as error:
            self._say(error_text(error), alert=True)
            return None

    def _timed(self, steps: Iterator[Any]) -> Iterator[Any]:
        """The same steps, with the time that they take added up."""
        while True:
            began = time.perf_counter()
            step = next(steps, None)
            if step is None:
                return
            self._worked += time.perf_counter() - began
            yield step

    async def _breathing(self, steps: Iterator[Any]) -> None:
        """All the steps, with a breath after each."""
        for _ in self._timed(steps):
            await self.loop.breathe()


def row(*widgets: Any) -> Any:
    """Widgets side by side."""
    box = W.HBox(widgets)
    box.add_class("vizkit-row")
    return box
