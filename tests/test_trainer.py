"""Trainer, without a browser: clicked as a page would; and runs inside a cell, live."""

import asyncio

import pytest
import torch
from test_widgets import ended, live, until

import vizkit
from vizkit.widgets import parts, run_loop


@pytest.fixture
def training():
    data = vizkit.datasets.shapes(train=64, test=16, side=16)
    return vizkit.Training(vizkit.small_cnn(3, 8, size=16, width=4), data, epochs=4, batch=8)


def test_a_new_trainer_does_not_say_that_anything_is_finished(training):
    trainer = vizkit.Trainer(training)
    assert "finished" not in trainer.remaining.value
    assert str(training.steps) in trainer.remaining.value
    assert trainer.pause.disabled
    assert trainer.stop.disabled


@live
async def test_training_starts_pauses_stops_and_goes_on_from_there(training):
    trainer = vizkit.Trainer(training)
    trainer.start.click()
    await until(lambda: training.step > 1)
    trainer.pause.click()
    await asyncio.sleep(0.05)
    held = training.step
    await asyncio.sleep(0.1)
    assert training.step == held
    assert "paused" in trainer.remaining.value
    trainer.pause.click()
    await until(lambda: training.step > held)
    trainer.stop.click()
    await ended(trainer)
    stopped = training.step
    assert stopped < training.steps
    assert f"stopped at step {stopped}" in trainer.remaining.value
    assert trainer.start.description == "Go on"
    trainer.start.click()
    await ended(trainer)
    assert [step.index for step in training.history] == list(range(training.steps))
    assert trainer.start.disabled
    assert f"{training.checks[-1][1]:.1%} of unseen pictures right" in trainer.accuracy.shown["words"]


def at_frame(trainer, number, action, monkeypatch):
    """Draws after every step, and acts at a drawing; gives the drawings."""
    monkeypatch.setattr(run_loop, "FRAME", 0.0)
    monkeypatch.setattr(parts, "EVERY", 0.0)
    drawn = []

    def on_frame(change):
        drawn.append(change["new"])
        if len(drawn) == number:
            action()

    trainer.loss.observe(on_frame, "shown")
    return drawn


def test_a_run_in_a_cell_draws_on_the_way_and_hears_stop(training, monkeypatch):
    trainer = vizkit.Trainer(training)
    drawn = at_frame(trainer, 4, lambda: trainer.stop.click(), monkeypatch)
    assert trainer.run().step == 4
    assert "stopped at step 4" in trainer.remaining.value
    assert [step for step, _ in drawn[-1]["lines"][0]["points"]] == [1, 2, 3, 4]
    monkeypatch.undo()
    assert trainer.run().step == training.steps
    assert "finished" in trainer.remaining.value


def test_an_interrupt_ends_the_cell_and_the_next_run_goes_on_from_there(training, monkeypatch):
    def interrupt():
        raise KeyboardInterrupt

    trainer = vizkit.Trainer(training)
    at_frame(trainer, 4, interrupt, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        trainer.run()
    assert "interrupted at step 4" in trainer.remaining.value
    monkeypatch.undo()
    assert trainer.run().step == training.steps
    assert [step.index for step in training.history] == list(range(training.steps))


def test_a_training_that_fails_says_so_and_the_cell_has_the_error(training):
    torch.nn.init.constant_(training.network[0].weight, float("nan"))
    trainer = vizkit.Trainer(training)
    with pytest.raises(vizkit.Diverged):
        trainer.run()
    assert trainer.loop.state == "failed"
    assert not trainer.start.disabled


@live
async def test_a_click_that_leads_to_a_failure_is_answered_in_the_panel(training):
    torch.nn.init.constant_(training.network[0].weight, float("nan"))
    trainer = vizkit.Trainer(training)
    trainer.start.click()
    await ended(trainer)
    assert "learning rate" in trainer.message.value
