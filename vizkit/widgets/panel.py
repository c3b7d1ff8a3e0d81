"""What the widgets share: a job that is driven by buttons, and an ascent with its timeline, curve, files and code."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple
from warnings import catch_warnings, simplefilter
from weakref import WeakSet

import ipywidgets as W
from IPython import get_ipython
from IPython.display import display

from .. import figures
from ..ascent import Ascent, Step
from ..errors import VizkitError
from ..images import Pictures
from ..networks import Classifier
from ..saved import write_whole
from .parts import Curves, Page, download_link, error_text, note, unused_name
from .run_loop import RunLoop
from .words import HELP


class JobPanel(W.VBox):
    """One job at a time, live. A subclass says what is done: `_begin()` gives the steps that there are to make, and
    `_end(steps)` is called after the last; and what there is to see (`_render`).

    A panel made in a cell closes those that an earlier run of the same cell has left.
    """

    def __init__(self) -> None:
        super().__init__()
        self.loop = RunLoop(self._publish)
        self.loops = [self.loop]  # and those of what a job has to wait for
        self._job: Any = None  # what is made, and knows its step
        self._begun = 0  # the step at which it was last started, or went on
        self._in_cell = False  # whether the run is that of a cell, whose clicks wait for its end
        replace_panels_of_this_cell(self)
        self._wide = W.Layout(width="auto")
        self._lock = threading.RLock()  # callbacks may come from another thread than the run
        self._rendering = False
        self.start = self._button("Start", "play", "Begin anew with these knobs", self._on_start)
        self.start.button_style = "primary"
        self.pause = self._button("Pause", "pause", "Hold the run, or let it go on", self._on_pause)
        self.stop = self._button("Stop", "stop", "End the run here", self._on_stop)
        self.progress = W.FloatProgress(min=0, max=1)
        self.remaining, self.message = W.HTML(), W.HTML()
        self.add_class("vizkit")

    def __repr__(self) -> str:
        return f"{type(self).__name__}: a live widget. Run this cell to see it."  # where a page shows none

    def close(self) -> None:
        """Ends the run, and closes all widgets of the panel: the page and ipywidgets keep nothing of it."""
        if self.comm is not None:  # or else it is closed already, or was never made
            for loop in self.loops:
                loop.close()
            close(self)

    def run(self) -> Any:
        """All the steps, in this cell, live; then what made them. The kernel's interrupt (■) ends them early, with a
        KeyboardInterrupt as in any cell; what was made until then is kept and shown."""
        steps = self._begin()
        self._in_cell = True
        try:
            self.loop.block(steps)
        finally:
            self._in_cell = False
            self._end(steps)
            self._publish()
        return self._job

    def field(self, kind: type, label: str, **traits: Any) -> Any:
        """A control with its label at the left, as wide as its column. All share a layout: each is a channel of its own
        to the page, and some pages have room for no more than 250 (JupyterLab's "Comms over subshells: per comm" gives
        each a thread)."""
        made = kind(description=label, layout=self._wide, **traits)
        made.tooltip = HELP[label]
        if not made.has_trait("tooltip"):  # ipywidgets 7
            made.description_tooltip = HELP[label]
        return made

    def _button(self, label: str, icon: str, tooltip: str, action: Callable[..., None], *given: Any) -> Any:
        made = W.Button(description=label, icon=icon, tooltip=tooltip)
        made.on_click(lambda _: self._attempt(lambda: action(*given)))
        made.on_click(lambda _: self._publish())
        return made

    def _driver(self) -> list[Any]:
        """What drives the job, and how far it is."""
        buttons, progress = self._row([self.start, self.pause, self.stop]), self._row([self.progress, self.remaining])
        return [self._row([buttons, progress]), self.message]

    def _row(self, parts: list[Any]) -> Any:
        return W.HBox(parts, layout=self._wide).add_class("vizkit-row")

    def _arrange(self, parts: list[Any]) -> None:
        """Puts everything in its place, and shows it for the first time."""
        clocks = [loop.clock for loop in self.loops if loop.clock]
        self.children = [Page(layout={"display": "none"}), *parts, *clocks]
        self._publish()

    def _from_here(self, job: Any) -> Any:
        """The job, which is what is made from now on."""
        self._job, self._begun = job, job.step
        self._say("")
        return job

    def _end(self, steps: Any) -> None:
        """Nothing, unless a subclass says so."""

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
        state, busy = self.loop.state, self.loop.busy
        waiting = any(loop.busy for loop in self.loops[1:])  # for what is on its way, which Stop gives up
        self.start.disabled = busy or waiting
        self.stop.disabled = self._in_cell or not (busy or waiting)
        self.pause.disabled = self._in_cell if busy else waiting or not self._can_go_on
        goes_on = state == "paused" or (not busy and self._can_go_on)
        self.pause.description, self.pause.icon = ("Go on", "play") if goes_on else ("Pause", "pause")
        for loop in self.loops:
            if loop.error:
                self._say(error_text(loop.error), alert=True)
                loop.error = None  # it is said once

    def _show_progress(self, done: int, total: int, place: str, what: str = "step") -> None:
        """How far the job is, in steps, or what they are."""
        left = self.loop.worked / max(done - self._begun, 1) * (total - done)
        duration = f"{left:.0f} s" if left < 100 else f"{left / 60:.0f} min"
        ends = "; ■ ends this cell" if self._in_cell else ""
        texts = {"ready": f"{total - done} {what}s to go on {place}" if total else ""}
        texts["paused"] = f"paused at {what} {done} of {total}"
        texts["running"] = f"{what} {done} of {total}, {duration} left on {place}{ends}"
        self.progress.value = done / max(total, 1)
        text = texts.get(self.loop.state, f"{self.loop.state} at {what} {done}")
        self.remaining.value = note(text, often=self.loop.busy)

    def _say(self, text: str, alert: bool = False, link: str = "") -> None:
        self.message.value = note(text, alert, link) if text else ""

    # What a person does.

    def _on_start(self) -> None:
        steps = self._begin()
        self.loop.start(lambda: self._work(steps), steps)

    def _on_stop(self) -> None:
        for loop in self.loops:
            loop.stop()  # the run shows its end itself

    @property
    def _can_go_on(self) -> bool:
        """Whether there is a job that has ended, and can be carried further: `_begin_again` then gives its steps."""
        return False

    def _on_pause(self) -> None:
        if self.loop.busy:
            self.loop.toggle_pause()
        elif self._can_go_on:
            steps = self._begin_again()
            self.loop.start(lambda: self._work(steps), steps)

    def _attempt(self, action: Callable[[], Any]) -> None:
        """What goes wrong with it is a sentence in the panel."""
        try:
            action()
        except (VizkitError, RuntimeError, OSError) as error:
            self._say(error_text(error), alert=True)

    async def _work(self, steps: Iterator[Any]) -> None:
        """All the steps, with a breath after each."""
        try:
            for _ in steps:
                await self.loop.breathe()
        finally:
            self._end(steps)


def replace_panels_of_this_cell(panel: Any) -> None:
    """Closes what an earlier run of the same cell has left; panels of one run of a cell live side by side. The shell
    remembers them, each as long as it lives: outside a cell nobody does."""
    shell = get_ipython()
    parent = getattr(shell, "parent_header", None) or {}
    cell = parent.get("metadata", {}).get("cellId") or parent.get("content", {}).get("code")
    if not cell:
        return
    run, cells = parent.get("header", {}).get("msg_id"), vars(shell).setdefault("_vizkit_panels", {})
    if cells.get(cell, (run,))[0] != run:
        for old in cells.pop(cell)[1]:
            old.close()
            # Out keeps what the last line of a cell gave: of a closed panel it need not.
            for number in [number for number, output in shell.user_ns["_oh"].items() if output is old]:
                del shell.user_ns["_oh"][number]
                for kept in (shell.user_ns, shell.user_ns_hidden):
                    kept.pop(f"_{number}", None)
    cells.setdefault(cell, (run, WeakSet()))[1].add(panel)


def close(widget: Any) -> None:
    """Closes a widget with all that it is made of, layouts and styles, whether it has found its place or not."""
    W.Widget.close(widget)
    for part in [*vars(widget).values(), *widget.trait_values(sync=True).values()]:
        for one in part if isinstance(part, (list, tuple)) else [part]:
            if isinstance(one, W.Widget) and one.comm is not None and not isinstance(one, JobPanel):
                close(one)


class Frame(NamedTuple):
    """One moment of an ascent: what a step has seen, and the pictures of the batch."""

    ascent: Ascent
    step: int
    seen: Step
    pictures: Pictures

    @property
    def is_last(self) -> bool:
        """Whether it is the look at the whole picture that closes a run."""
        return self.ascent.finished and self.step == self.ascent.step


class RunPanel(JobPanel):
    """One ascent at a time, live. A subclass says what is run (`_new_ascent`), what the knobs say that act in a run
    (`_live`), how a frame looks (`_show_frame(frame)`) and what there is to see before the first step
    (`_show_start(ascent)`).

    `run()` makes all the steps in the cell that calls it and returns the ascent; `ascent` is the newest.
    """

    def __init__(self, net: Classifier, curve: bool = True) -> None:
        super().__init__()
        self.net = net
        self.ascent: Ascent | None = None
        self._following = True  # the picture is the newest, not one that the timeline was moved to
        self._shown: Frame | None = None
        self.code = W.HTML()
        # Made long, then shortened: the End key of the browser's slider knows only the length it was made with.
        self.timeline = self.field(W.IntSlider, "Timeline", min=0, max=100_000).add_class("vizkit-timeline")
        self.timeline.observe(lambda _: self._on_scrub(), "value")
        self.save_png = self._button("Save PNG", "download", "The picture, with its settings inside", self._save, "png")
        self.save_gif = self._button("Save GIF", "film", "The whole run as an animation", self._save, "gif")
        self.show_code = self._button("Show the code", "code", "Python that makes exactly this picture", self._on_code)
        self.curve: Any = Curves("class score") if curve else None
        self._still: Any = None  # the picture in the notebook's file, once the widget is on a page
        self._names: list[str] = []  # of the images, for the curve; without any, it shows the class labels

    @property
    def growing(self) -> bool:
        """Whether a run is going, so that knobs act on it."""
        return self.loop.busy and self.loop.work is self.ascent

    def _arrange_columns(self, controls: Any, stage: list[Any], buttons: Sequence[Any] = (), *below: Any) -> None:
        """What is chosen at the left; beside it what drives the run, what grows, and what is done with it."""
        self._show_start(self._new_ascent())  # what cannot be is an error here, rather than at Start
        files = self._row([*buttons, self.save_png, self.save_gif, self.show_code])
        grown = W.Box(stage, layout=self._wide).add_class("vizkit-columns")
        parts = [*self._driver(), grown, self.timeline, files, self.code, *below]
        show = W.VBox(parts, layout=self._wide).add_class("vizkit-show")
        self._arrange([W.Box([controls, show], layout=self._wide).add_class("vizkit-columns")])

    def _begin(self) -> Ascent:
        self.ascent, self._following = self._new_ascent(), True
        self.ascent.quiet = True  # what it has to say, the panel says
        self._shown = None
        self._show_start(self.ascent)
        return self._from_here(self.ascent)

    @property
    def _can_go_on(self) -> bool:
        return self.ascent is not None and bool(self.ascent.history)

    def _begin_again(self) -> Ascent:
        """The same picture, carried further by as many steps as the knob says, with the knobs as they are now."""
        ascent = self._job
        ascent.turn(**self._live() | {"steps": ascent.step + self._live()["steps"]})
        self._following = True
        return self._from_here(ascent)

    def _end(self, ascent: Ascent) -> None:
        with suppress(Exception):  # what is wrong with it, the step that failed has said
            ascent.finish()
        if ascent.doubt:
            self._say(ascent.doubt, alert=True)
        if self._still and ascent is self.ascent and ascent.history:
            self._still.update(ascent)

    def _turn(self, knob: str) -> None:
        """Turns a live knob of the run that is going, if one is: it acts on the next step."""
        ascent = self.ascent
        if ascent and self.growing:
            said = self._live()
            # Whoever turns a knob wants to see what that does: the run has as many steps again.
            again = max(ascent.steps, ascent.step + said["steps"])
            self._attempt(lambda: ascent.turn(**{"steps": again, knob: said[knob]}))

    # What a person sees.

    def _render(self) -> None:
        super()._render()
        for control in (self.save_png, self.save_gif, self.timeline):
            control.disabled = not self._can_go_on
        if self.ascent is None:
            self._show_progress(0, 0, "")
            return
        # As all is at this moment: in another thread the run may be making a step.
        ascent, frames, history = self.ascent, dict(self.ascent.frames), self.ascent.history[:]
        kept = sorted(step for step in frames if step < len(history))
        if kept:
            step = kept[-1] if self._following else max([kept[0], *(one for one in kept if one <= self.timeline.value)])
            self.timeline.max = max(ascent.steps if self.growing else kept[-1], 1)
            if self._following:
                self.timeline.value = step
            if self._shown is None or self._shown[:2] != (ascent, step):
                self._shown = Frame(ascent, step, history[step], frames[step])
                self._show_frame(self._shown)
            self._draw_curve(ascent)
        self._show_progress(ascent.step, ascent.steps, str(ascent.net.device))
        if self.code.value:
            self._show_code()

    def _show_start(self, ascent: Ascent) -> None:
        """An ascent that has made no step: an axis for its curve."""
        self._draw_curve(ascent)

    def _draw_curve(self, ascent: Ascent) -> None:
        if self.curve:
            how = {"measured": ascent.net.measured, "reach": figures.reach(ascent), "marks": figures.turned(ascent)}
            self.curve.grow(lambda: figures.score_lines(ascent, self._names), not self.growing, **how)

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        """The widget; before it goes the picture, which stays in the notebook's file for viewers without widgets. Where
        the widget lives, its style sheet hides that picture."""
        if hasattr(get_ipython(), "kernel"):
            with suppress(VizkitError):
                self._still = display(self.ascent or self._new_ascent(), display_id=True)
        return super()._repr_mimebundle_(**kwargs)

    # What a person does.

    def _on_scrub(self) -> None:
        with self._lock:
            if not self._rendering and self.ascent and self.ascent.frames:
                self._following = self.timeline.value >= max(list(self.ascent.frames))
                self._publish()

    def _save(self, ending: str) -> None:
        """Makes a file beside the notebook, and offers it for download, where no file can be made, too."""
        if self.ascent is None:
            return
        self.save_png.disabled = self.save_gif.disabled = True  # until it is done: impatient clicks make no more files
        name = unused_name([*self.ascent.labels, *self._names], ending)
        self._say(f"Saving {name} …")
        with TemporaryDirectory() as folder, catch_warnings(record=True) as doubts:
            simplefilter("always")
            write = Ascent.save if ending == "png" else figures.gif
            path = write(self.ascent, Path(folder, name))
            content = path.read_bytes()
        what = "" if self._following else f": the last picture, of step {self.ascent.step}"
        said, lost = f"Saved {name}{what}.", False
        try:
            write_whole(name, content)
        except OSError as error:
            said, lost = f"{name} cannot be written here: {error.strerror}.", True
        warned = [str(doubt.message).replace(str(path), str(name)) for doubt in doubts]
        self._say(" ".join([said, *warned]), lost, download_link(name, content))

    def _on_code(self) -> None:
        if self.code.value:
            self.code.value = ""
        else:
            self._show_code()

    def _show_code(self) -> None:
        """The code of what was made until now, while it is made, too."""
        made, what = self.ascent, ""
        if made is None:
            made, what = self._new_ascent(), "# What Start makes, with the knobs as they were when you asked.\n"
        elif not self._following:
            what = f"# Makes the last picture, of step {made.step}.\n"
        self.code.value = f"<pre class=vizkit-code>{escape(what + made.code())}</pre>"
