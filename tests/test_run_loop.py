"""The run loop, by itself: jobs that count their steps, and what becomes of them."""

import asyncio
import os
import signal
import threading

import pytest
from test_widgets import colab, live, until  # noqa: F401  # colab: a fixture

from vizkit.widgets import run_loop
from vizkit.widgets.run_loop import RunLoop


class Job:
    """Counts its steps, and breathes after each, until told to end."""

    def __init__(self, loop, steps=10**9, error=None):
        self.loop, self.steps, self.error, self.made, self.alive = loop, steps, error, 0, False

    async def __call__(self):
        self.alive = True
        try:
            while self.made < self.steps:
                self.made += 1
                await self.loop.breathe()
            if self.error:
                raise self.error
        finally:
            self.alive = False


@pytest.fixture
def eager(monkeypatch):
    """A loop that takes a breath after every step, and publishes at each."""
    monkeypatch.setattr(run_loop, "SLICE", 0)
    monkeypatch.setattr(run_loop, "FRAME", 0)


@pytest.mark.usefixtures("eager")
@live
async def test_the_loop_starts_pauses_goes_on_and_stops():
    states = []
    loop = RunLoop(lambda: states.append(loop.state))
    job = Job(loop)
    assert (loop.state, loop.busy) == ("ready", False)
    loop.toggle_pause()  # nothing to pause
    assert loop.state == "ready"
    loop.start(job)
    assert (loop.state, loop.busy, job.made) == ("running", True, 0)
    await until(lambda: job.made > 2)
    loop.toggle_pause()
    await until(lambda: states[-1] == "paused")
    held = job.made
    await asyncio.sleep(0.1)
    assert (job.made, loop.busy) == (held, True)
    loop.toggle_pause()
    await until(lambda: job.made > held + 2)
    loop.toggle_pause()
    loop.stop()  # while paused
    await until(lambda: not loop.busy)
    await until(lambda: states[-1] == "stopped")
    assert (loop.state, job.alive) == ("stopped", False)


@pytest.mark.usefixtures("eager")
@live
async def test_the_loop_tells_of_a_job_that_finishes_and_of_one_that_fails():
    told = []
    loop = RunLoop(lambda: told.append((loop.state, loop.error)))
    loop.start(Job(loop, steps=3))
    await until(lambda: not loop.busy)
    assert told[-1] == (loop.state, loop.error) == ("finished", None)
    error = ZeroDivisionError("why")
    loop.start(Job(loop, steps=3, error=error))
    await until(lambda: not loop.busy)
    assert told[-1] == (loop.state, loop.error) == ("failed", error)
    loop.start(Job(loop, steps=3))
    assert loop.error is None
    await until(lambda: not loop.busy)
    assert loop.state == "finished"


@pytest.mark.usefixtures("eager")
@live
async def test_the_loop_stops_the_first_job_before_the_second_begins():
    loop = RunLoop(lambda: None)
    first, second = Job(loop), Job(loop, steps=5)
    loop.start(first)
    await until(lambda: first.made > 2)
    together = []

    async def watched():
        together.append(first.alive)
        await second()

    loop.start(watched)
    assert loop.state == "running"
    await until(lambda: not loop.busy)
    assert (together, first.alive, second.made, loop.state) == ([False], False, 5, "finished")


@pytest.mark.usefixtures("eager")
@live
async def test_the_loop_of_many_impatient_clicks_runs_only_the_last_job():
    loop = RunLoop(lambda: None)
    jobs = [Job(loop, steps=5) for _ in range(5)]
    for job in jobs:
        loop.start(job)
    await until(lambda: not loop.busy)
    assert [job.made for job in jobs] == [0, 0, 0, 0, 5]
    unlucky = Job(loop)
    loop.start(unlucky)
    loop.stop()
    await until(lambda: not loop.busy)
    assert (loop.state, unlucky.made) == ("stopped", 0)


@pytest.mark.usefixtures("eager")
@live
async def test_the_loop_takes_an_interrupt_and_puts_the_old_handler_back():
    loop = RunLoop(lambda: None)
    mine = signal.signal(signal.SIGINT, lambda *_: None)
    before = signal.getsignal(signal.SIGINT)
    try:
        for paused in (False, True):
            job = Job(loop)
            loop.start(job)
            await until(lambda job=job: job.made > 2)
            if paused:
                loop.toggle_pause()
                await asyncio.sleep(0.05)
            assert signal.getsignal(signal.SIGINT) is not before
            os.kill(os.getpid(), signal.SIGINT)
            await until(lambda: not loop.busy)
            assert (loop.state, job.alive) == ("interrupted", False)
            assert signal.getsignal(signal.SIGINT) is before
        loop.start(Job(loop, steps=3, error=ValueError()))
        await until(lambda: not loop.busy)
        assert signal.getsignal(signal.SIGINT) is before
    finally:
        signal.signal(signal.SIGINT, mine)


@pytest.mark.usefixtures("eager")
@live
async def test_the_loop_makes_no_step_and_publishes_nothing_once_it_is_closed():
    published = []
    loop = RunLoop(lambda: published.append(1))
    job, late = Job(loop), Job(loop)
    loop.start(job)
    await until(lambda: job.made > 2)
    loop.close()
    made, told = job.made, len(published)
    loop.start(late)
    await until(lambda: not job.alive)
    await asyncio.sleep(0.05)
    assert (job.made, late.made, len(published), loop.busy) == (made, 0, told, False)


@pytest.mark.usefixtures("eager")
@live
async def test_the_loop_may_be_started_and_stopped_from_another_thread():
    threads = []
    loop = RunLoop(lambda: threads.append(threading.current_thread()))

    async def other(call, *arguments):
        thread = threading.Thread(target=call, args=arguments)
        thread.start()
        await until(lambda: not thread.is_alive())

    for end, state in ((loop.stop, "stopped"), (loop.close, "stopped")):
        job = Job(loop)
        await other(loop.start, job)
        await until(lambda job=job: job.made > 2)
        await other(loop.toggle_pause)
        assert loop.state == "paused"
        await other(loop.toggle_pause)
        await other(end)
        await until(lambda: not loop.busy)
        assert (loop.state, job.alive) == (state, False)
    assert set(threads) == {threading.main_thread()}


@pytest.mark.usefixtures("eager", "colab")
@live
async def test_the_loop_in_pull_mode_publishes_in_ticks_alone_and_its_clock_stops_after_the_end():
    published = []
    loop = RunLoop(lambda: published.append((loop.state, loop.clock.running)))
    assert not loop.clock.running
    job = Job(loop)
    loop.start(job)
    assert loop.clock.running
    await until(lambda: job.made > 5)
    assert published == []
    loop.tick()
    assert published == [("running", True)]
    assert loop.clock.answered == 1
    loop.stop()
    await until(lambda: not loop.busy)
    await asyncio.sleep(0.02)
    assert (len(published), loop.clock.running) == (1, True)  # the last news is still to be told
    loop.tick()
    assert published[1:] == [("stopped", True)]
    assert not loop.clock.running
    loop.start(Job(loop, steps=2))
    assert loop.clock.running
    loop.close()
    loop.tick()
    assert (len(published), loop.clock.running) == (2, False)


@pytest.mark.usefixtures("eager", "colab")
@live
async def test_the_loop_answers_a_tick_that_an_interrupt_hits():
    def publish():
        raise KeyboardInterrupt

    loop = RunLoop(publish)
    job = Job(loop)
    loop.start(job)
    await until(lambda: job.made > 2)
    loop.tick()
    assert loop.clock.answered == 1
    await until(lambda: not loop.busy)
    assert loop.state == "interrupted"


@pytest.mark.usefixtures("eager")
@live
@pytest.mark.parametrize("first_to_end", [0, 1])
async def test_an_interrupt_reaches_every_run_and_the_old_handler_comes_back_in_whatever_order_they_end(first_to_end):
    loops = [RunLoop(lambda: None), RunLoop(lambda: None)]
    jobs = [Job(loop) for loop in loops]
    before = signal.signal(signal.SIGINT, mine := lambda *_: None)
    try:
        for loop, job in zip(loops, jobs, strict=True):
            loop.start(job)
            await until(lambda job=job: job.made > 2)
        loops[first_to_end].stop()
        await until(lambda: not jobs[first_to_end].alive)
        assert signal.getsignal(signal.SIGINT) is not mine
        os.kill(os.getpid(), signal.SIGINT)
        await until(lambda: not any(job.alive for job in jobs))
        await asyncio.sleep(0.02)
        assert (loops[first_to_end].state, loops[1 - first_to_end].state) == ("stopped", "interrupted")
        assert signal.getsignal(signal.SIGINT) is mine
        for loop, job in zip(loops, jobs, strict=True):
            loop.start(job)
        await until(lambda: all(job.alive for job in jobs))
        os.kill(os.getpid(), signal.SIGINT)
        await until(lambda: not any(job.alive for job in jobs))
        await asyncio.sleep(0.02)
        assert [loop.state for loop in loops] == ["interrupted"] * 2
        assert signal.getsignal(signal.SIGINT) is mine
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("eager")
@live
async def test_a_handler_that_a_running_cell_has_put_in_is_left_alone():
    loop = RunLoop(lambda: None)
    job = Job(loop)
    before = signal.getsignal(signal.SIGINT)
    try:
        loop.start(job)
        await until(lambda: job.made > 2)
        signal.signal(signal.SIGINT, cells := lambda *_: None)
        loop.stop()
        await until(lambda: not job.alive)
        assert signal.getsignal(signal.SIGINT) is cells
    finally:
        signal.signal(signal.SIGINT, before)


def test_an_interrupt_in_a_cell_ends_the_cell_and_is_told_of():
    def steps():
        yield 1
        raise KeyboardInterrupt

    told = []
    loop = RunLoop(lambda: told.append(loop.state))
    with pytest.raises(KeyboardInterrupt):
        loop.block(steps())
    assert told[-1] == loop.state == "interrupted"
