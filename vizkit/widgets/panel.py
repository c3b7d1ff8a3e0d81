"""What every live ascent shares: a timeline over the frames, the score curve, files, code."""

import contextlib
import time
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any

import ipywidgets as W

from .. import figures
from ..ascent import Ascent
from ..errors import Diverged
from ..networks import Classifier
from .job import CURVE_EVERY, JobPanel, row
from .parts import Picture, button, curve_words, download_link, encode, note, unused_name


class RunPanel(JobPanel):
    """One ascent at a time, live. A subclass says what is run (`_new_ascent`) and how a frame looks (`_show_frame`).

    `run()` makes all the steps in the cell that calls it and returns the ascent; `ascent` is the newest.
    """

    def __init__(self, net: Classifier, pull: bool | None = None) -> None:
        self.net = net
        self.ascent: Ascent | None = None
        self._following = True  # the picture is the newest, not one that the timeline was moved to
        self._curve_drawn = 0.0
        self._shown: tuple[Ascent, int] | None = None  # the frame on show
        super().__init__(pull)
        self.code = W.HTML()
        # Made long, then shortened: the End key of the browser's slider knows only the length it was made with.
        self.timeline = W.IntSlider(description="Timeline", min=0, max=100_000, style={"description_width": "88px"})
        self.timeline.observe(self._on_scrub, "value")
        self.save_png = button("Save PNG", "download", "The picture, with its settings inside", self._on_save_png)
        self.save_gif = button("Save GIF", "film", "The whole run as an animation", self._on_save_gif)
        self.show_code = button("Show the code", "code", "The lines that make exactly this picture", self._on_code)
        self.curve: Picture | None = Picture()
        self._figure = figures.live_figure()
        self._names: list[str] = []  # of the images, for the curve; without any, it shows the class labels

    def _arrange(self, columns: list[Any], more_buttons: list[Any], below: list[Any]) -> None:
        """Columns, what drives the run, what to do with the result."""
        self.timeline.add_class("vizkit-timeline")
        box = W.Box(columns)
        box.add_class("vizkit-columns")
        files = row(*more_buttons, self.save_png, self.save_gif, self.show_code)
        super()._arrange(box, *self._drive(), self.timeline, files, self.message, self.code, *below)

    def run(self) -> Ascent:
        """All the steps that are asked for, in this cell, live; then the ascent. The kernel's interrupt (■) ends it
        early."""
        self._say("")
        ascent = self.ascent = self._new_ascent()
        self._following, self._worked = True, 0.0
        self.loop.block(self._timed(ascent))
        ascent.finish()
        self._publish()
        return ascent

    # For the subclass.

    def _new_ascent(self) -> Ascent:
        raise NotImplementedError

    def _show_frame(self, ascent: Ascent, step: int) -> None:
        raise NotImplementedError

    def _show_start(self) -> None:
        """What there is to see before the first run."""

    # What a person sees.

    def _render(self) -> None:
        super()._render()
        made = self.ascent is not None
        for control in (self.save_png, self.save_gif, self.timeline):
            control.disabled = not made
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
        self._show_progress(ascent.step, ascent.steps, str(ascent.net.device))
        now = time.perf_counter()
        if self.curve and (now - self._curve_drawn > CURVE_EVERY or not self.loop.busy):
            self._curve_drawn = now
            figures.draw_score_curve(self._figure.axes[0], ascent, self._names)
            self.curve.show(("png", figures.png(self._figure)), curve_words(ascent, self._names))

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        """The widget, and beside it the picture, for viewers without widgets."""
        bundle: dict[str, Any] = super()._repr_mimebundle_(**kwargs)
        if self.ascent and self.ascent.history:
            bundle["image/png"] = encode(self.ascent.picture, "png")[1]
        return bundle

    # What a person does.

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
            await self._breathing(ascent)
        finally:
            with contextlib.suppress(Diverged):
                ascent.finish()

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
        code = self._attempt(lambda: (self.ascent or self._new_ascent()).code())
        if code:
            self.code.value = f"<pre class=vizkit-code>{escape(code)}</pre>"
