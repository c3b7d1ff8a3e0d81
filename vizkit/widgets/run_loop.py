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
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import anywidget
import traitlets

State = Literal["ready", "running", "paused", "stopped", "finished", "interrupted", "failed"]

SLICE = 0.1  # seconds of work between two breaths: bounds how long a click waits
REST = 0.003  # seconds: a message takes several turns of the event loop, so sleep(0) would be too short
FRAME = 0.125  # seconds between two pictures


class Stopped(Exception):  # noqa: N818  # not an error
    """Raised inside a job that was asked to end."""


class Job:
    """What the loop runs; `end` is how it is to end, once somebody wants that."""

    end: State | None = None


class Clock(anywidget.AnyWidget):
    """Asks the kernel for news, again and again while `running`: each answer has a live parent message."""

    running = traitlets.Bool(False).tag(sync=True)
    answered = traitlets.Int(0).tag(sync=True)
    _esm = Path(__file__).with_name("clock.js")


class RunLoop:
    """Runs one job at a time. `publish` shows the newest state; it must be cheap to call when nothing is new.

    `start`, `toggle_pause`, `stop` and `close` may be called from any thread: ipykernel 7 answers widgets on others.
    """

    def __init__(self, publish: Callable[[], None]) -> None:
        self.state: State = "ready"
        self.error: BaseException | None = None
        self.work: Any = None  # what the newest job works on
        self.worked = 0.0  # seconds in the newest job, without the waiting between its steps
        self._publish = publish
        self._loop: asyncio.AbstractEventLoop | None = None
        with suppress(RuntimeError):  # outside a kernel there is none; in one it is running while a cell is
            self._loop = asyncio.get_running_loop()
        self._task: asyncio.Task[None] | None = None
        self._newest = self._running = Job()  # the one that was started last, and the one that the task is at
        self._closed = False
        self._slice_began = self._shown = 0.0
        self.clock: Clock | None = None
        if "google.colab" in sys.modules:
            self.clock = Clock()
            self.clock.on_msg(lambda *_: self.tick())

    @property
    def busy(self) -> bool:
        return self.state in ("running", "paused")

    def start(self, do: Callable[[], Awaitable[None]], work: Any = None) -> None:
        """Starts `do`, which works on `work`; what is still running is stopped. Outside a kernel nothing can run so."""
        if self._closed or self._loop is None:
            return
        self._loop.call_soon_threadsafe(self._spawn, do, self._begin(work))
        if self.clock:
            self.clock.running = True

    def block(self, steps: Iterable[Any]) -> None:
        """Makes all the steps here and now, in the cell that calls it, and shows on the way what is new. The kernel's
        interrupt ends it, and the cell, as it does everywhere; Stop ends the steps alone, where the kernel hears clicks
        while a cell runs (most do not)."""
        job, began = self._begin(steps), time.perf_counter()
        end: State = "failed"
        try:
            for _ in steps:
                self.worked = time.perf_counter() - began
                self._show(by_itself=True)
                if job.end:
                    break
            end = job.end or "finished"
        except KeyboardInterrupt:
            end = "interrupted"
            _interrupt_all()
            raise
        finally:
            if self._newest is job:
                self.state = end
            self._publish()

    def toggle_pause(self) -> None:
        if self.busy:
            self.state = "paused" if self.state == "running" else "running"

    def stop(self) -> None:
        self._newest.end = "stopped"

    def close(self) -> None:
        """Stops for good."""
        self._closed = True
        self.stop()
        if self.clock:
            self.clock.running = False

    async def breathe(self) -> None:
        """A job calls this between any two pieces of work. Raises `Stopped` where it has to end."""
        worked = time.perf_counter() - self._slice_began
        if worked < SLICE and self.state == "running":
            return
        self.worked += worked
        self._show()
        await asyncio.sleep(REST)
        while self.state == "paused" and not self._running.end:
            self._show()
            await asyncio.sleep(0.03)
        if self._running.end:
            raise Stopped
        self._slice_began = time.perf_counter()

    def _begin(self, work: Any) -> Job:
        """A new job, which from now on is the one that is wanted."""
        self._newest.end, self._newest = "stopped", Job()
        self.state, self.error, self.work, self.worked = "running", None, work, 0.0
        return self._newest

    def _spawn(self, do: Callable[[], Awaitable[None]], job: Job) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run(do, job, self._task))

    async def _run(self, do: Callable[[], Awaitable[None]], job: Job, before: asyncio.Task[None] | None) -> None:
        if before and not before.done():
            await asyncio.wait([before])
        self._running, self._slice_began = job, time.perf_counter()
        error: BaseException | None = None
        _listen(job)
        try:
            if not job.end:
                await do()
        except Stopped:
            pass
        except KeyboardInterrupt:
            job.end = "interrupted"
        except (Exception, SystemExit) as raised:
            error = raised
        finally:
            _listen_no_more(job)
        if self._newest is job:  # or else the state is that of the next job already
            self.error, self.state = error, "failed" if error else job.end or "finished"
        self._show(at_once=True)

    def _show(self, at_once: bool = False, by_itself: bool = False) -> None:
        """Pushes what is new, not more often than people can see; with a clock, the clock's ticks do it, except while a
        cell runs."""
        now = time.perf_counter()
        if (self.clock is None or by_itself) and not self._closed and (at_once or now - self._shown >= FRAME):
            self._shown = now
            self._publish()

    def tick(self) -> None:
        """Answers the clock with what is new."""
        if self._closed or self.clock is None:
            return
        running = self.busy
        try:
            self._publish()
        except KeyboardInterrupt:
            running = True  # for all that is known
            _interrupt_all()
        self.clock.answered += running
        self.clock.running = running  # stopped after the last news, or they would be lost


# Between messages ipykernel ignores an interrupt, so the jobs listen for it themselves, with one handler for all: it is
# the process's, as the signal is.
_listening: set[Job] = set()
_handler_before: Any = None


def _listen(job: Job) -> None:
    global _handler_before
    if threading.current_thread() is threading.main_thread():
        if not _listening and signal.getsignal(signal.SIGINT) is not _interrupt_all:
            _handler_before = signal.signal(signal.SIGINT, _interrupt_all)
        _listening.add(job)


def _listen_no_more(job: Job) -> None:
    """When the last job has ended, the handler from before is back, unless a running cell has put in its own."""
    last = _listening == {job}
    _listening.discard(job)
    if last and signal.getsignal(signal.SIGINT) is _interrupt_all:
        signal.signal(signal.SIGINT, _handler_before)


def _interrupt_all(*_: Any) -> None:
    for job in _listening:
        job.end = "interrupted"
