"""How a long job and its widgets share one kernel.

The job is one asyncio task on the kernel's main loop. It calls `breathe` as often as it can; there the loop takes in
what people clicked, shows the newest state, and waits or stops if asked to. In Jupyter the task pushes what is new. On
Google Colab, whose page drops every message that does not answer one of its own, a clock in the browser asks for it.
"""

import asyncio
import signal
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Literal

import anywidget
import traitlets
from IPython import get_ipython

State = Literal["ready", "running", "paused", "stopped", "finished", "interrupted", "failed"]

SLICE = 0.06  # seconds of work between two breaths: bounds how long a click waits
REST = 0.005  # seconds: a message takes several turns of the event loop, so sleep(0) would be too short
FRAME = 0.125  # seconds between two pictures


class Stopped(Exception):  # noqa: N818  # not an error
    """Raised inside a job that was asked to stop; `interrupted` if by the kernel's interrupt."""

    def __init__(self, state: State) -> None:
        self.state: State = state


class Clock(anywidget.AnyWidget):
    """Asks the kernel for news, again and again while `running`: each answer has a live parent message."""

    running = traitlets.Bool(False).tag(sync=True)
    answered = traitlets.Int(0).tag(sync=True)
    _esm = """
    function initialize({ model }) {
      let count = 0, asked = 0, timer = null, gone = false;
      const ask = () => {
        clearTimeout(timer);
        if (gone || !model.get("running")) return;
        asked = performance.now();
        try { model.send({ tick: ++count }); } catch (error) { gone = true; return; }  // the kernel was restarted
        timer = setTimeout(ask, 2000);                                                 // no answer: ask again
      };
      const wait = () => {  // a question every 125 ms; where the answer takes longer than that, soon after it
        clearTimeout(timer);
        timer = setTimeout(ask, Math.max(20, asked + 125 - performance.now()));
      };
      model.on("change:answered", wait);
      model.on("change:running", wait);
      wait();
      return () => { gone = true; clearTimeout(timer); };
    }
    export default { initialize, render() {} };
    """


class RunLoop:
    """Runs one job at a time. `publish` shows the newest state; it must be cheap to call when nothing is new.

    `start`, `toggle_pause`, `stop` and `close` may be called from any thread: ipykernel 7 answers widgets on others.
    A loop made in a cell closes the loops that an earlier run of the same cell has left.
    """

    def __init__(self, publish: Callable[[], None], pull: bool | None = None) -> None:
        self.state: State = "ready"
        self.error: BaseException | None = None
        self._publish = publish
        self._loop = _main_loop()
        self._task: asyncio.Task[None] | None = None
        self._newest = 0  # the number of the job that was started last
        self._wanted = 0  # the number of the job that is to go on; 0 for none
        self._interrupted = self._closed = False
        self._slice_began = self._shown = 0.0
        self.clock: Clock | None = None
        if pull if pull is not None else "google.colab" in sys.modules:
            self.clock = Clock()
            self.clock.on_msg(self._tick)
        _replace_loops_of_this_cell(self)

    @property
    def busy(self) -> bool:
        return self.state in ("running", "paused")

    def start(self, job: Callable[[], Awaitable[None]]) -> None:
        """Starts `job`; one that is still running is stopped."""
        if self._closed:
            return
        self._newest += 1
        self._wanted = self._newest
        self.state, self.error = "running", None
        self._loop.call_soon_threadsafe(self._spawn, job, self._newest)
        if self.clock:
            self.clock.running = True

    def block(self, steps: Iterable[Any]) -> None:
        """Makes all the steps here and now, in the cell that calls it, and shows on the way what is new. The kernel's
        interrupt ends it; Stop, too, where the kernel hears clicks while a cell runs (most do not)."""
        self._newest += 1
        number = self._wanted = self._newest
        self.state, self.error = "running", None
        end: State = "failed"
        try:
            for _ in steps:
                self._show(by_itself=True)
                while self._waits(number):
                    time.sleep(REST)
                if self._wanted != number:
                    break
            end = "finished" if self._wanted == number else "stopped"
        except KeyboardInterrupt:
            end = "interrupted"
        finally:
            if self._newest == number:
                self.state = end
            self._publish()

    def _waits(self, number: int) -> bool:
        return self.state == "paused" and self._wanted == number

    def toggle_pause(self) -> None:
        if self.busy:
            self.state = "paused" if self.state == "running" else "running"

    def stop(self) -> None:
        self._wanted = 0

    def clear(self) -> None:
        """Forgets how the last job ended, once none is running."""
        if not self.busy:
            self.state, self.error = "ready", None

    def close(self) -> None:
        """Stops for good."""
        self._closed = True
        self.stop()
        if self.clock:
            self.clock.running = False

    async def breathe(self) -> None:
        """A job calls this between any two pieces of work. Raises `Stopped` where it has to end."""
        if time.perf_counter() - self._slice_began < SLICE and self.state == "running":
            return
        self._show()
        await asyncio.sleep(REST)
        while True:
            if self._interrupted:
                raise Stopped("interrupted")
            if self._wanted != self._running:
                raise Stopped("stopped")
            if self.state != "paused":
                break
            self._show()
            await asyncio.sleep(0.03)
        self._slice_began = time.perf_counter()

    def _spawn(self, job: Callable[[], Awaitable[None]], number: int) -> None:
        before = self._task

        async def after_the_one_before() -> None:
            if before and not before.done():
                await asyncio.wait([before])
            await self._run(job, number)

        self._task = self._loop.create_task(after_the_one_before())

    async def _run(self, job: Callable[[], Awaitable[None]], number: int) -> None:
        self._running, self._interrupted, self._slice_began = number, False, time.perf_counter()
        # Between messages ipykernel ignores an interrupt, so the run listens for it itself.
        listens = threading.current_thread() is threading.main_thread()
        before = signal.signal(signal.SIGINT, self._interrupt) if listens else None
        end: State = "finished"
        try:
            if self._wanted == number:
                await job()
            else:
                end = "stopped"
        except Stopped as stopped:
            end = stopped.state
        except KeyboardInterrupt:
            end = "interrupted"
        except Exception as error:
            end, self.error = "failed", error
        finally:
            if listens:
                signal.signal(signal.SIGINT, before)
        if self._newest == number:  # or else the state is that of the next job already
            self.state = end
        self._show(at_once=True)

    def _interrupt(self, *_: Any) -> None:
        self._interrupted = True

    def _show(self, at_once: bool = False, by_itself: bool = False) -> None:
        """Pushes what is new, not more often than people can see; with a clock, the clock's ticks do it, except while a
        cell runs."""
        now = time.perf_counter()
        if (self.clock is None or by_itself) and not self._closed and (at_once or now - self._shown >= FRAME):
            self._shown = now
            self._publish()

    def _tick(self, _widget: Any, _content: Any, _buffers: Any) -> None:
        if self._closed or self.clock is None:
            return
        try:
            ended = not self.busy
            self._publish()
            if ended:
                self.clock.running = False  # after the last news, or they would be lost
                return
        except KeyboardInterrupt:
            self._interrupted = True
        self.clock.answered += 1


_loops_of_cells: dict[str, tuple[str, list[RunLoop]]] = {}


def _replace_loops_of_this_cell(loop: RunLoop) -> None:
    """Closes what an earlier run of the same cell has left; loops of one run of a cell live side by side."""
    shell = get_ipython()
    parent = getattr(shell, "parent_header", None) or {}
    metadata = parent.get("metadata", {})
    cell = str(metadata.get("cellId") or parent.get("content", {}).get("code", ""))
    message = str(parent.get("header", {}).get("msg_id", ""))
    last_message, loops = _loops_of_cells.get(cell, (message, []))
    if last_message != message:
        for old in loops:
            old.close()
        loops = []
    _loops_of_cells[cell] = (message, [*loops, loop])


def _main_loop() -> asyncio.AbstractEventLoop:
    """The kernel's event loop, which is running while a cell is; outside a kernel, any."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.new_event_loop()
