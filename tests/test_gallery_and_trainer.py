"""Gallery and Trainer, without a browser: clicked as a page would; and runs inside a cell, live."""

import asyncio
import io

import numpy as np
import pytest
from PIL import Image
from test_widgets import ended, live, shown, until

import vizkit
from vizkit.classroom.datasets import shapes


@pytest.fixture
def training():
    data = shapes(train=256, test=64)
    return vizkit.Training(vizkit.small_cnn(3, 8, size=64, width=8), data, epochs=3, batch=32)


# Gallery.


def test_a_gallery_shows_each_class_with_its_name_score_and_words(tiny):
    gallery = vizkit.Gallery(tiny, steps=4)
    assert [caption.value.count("score") for caption in gallery.captions] == [0] * 4
    models = gallery.run()
    assert models.labels == tiny.labels
    alone = vizkit.recipe("small").ascend(tiny, tiny.labels, steps=4).run()
    for index, label in enumerate(tiny.labels):
        assert (models.pictures[index] == alone.pictures[index]).all()
        assert (shown(gallery.pictures[index])[14::28, 14::28] == alone.pictures[index]).all()
        assert label in gallery.captions[index].value
        score = f"step 4, score {models.history[-1].scores[index]:.1f}"
        assert score in gallery.captions[index].value
        assert gallery.pictures[index].words.value == f"class model of {label}, {score}"


@live
async def test_a_gallery_grows_while_it_is_watched_and_its_timeline_goes_back(tiny):
    gallery = vizkit.Gallery(tiny, ["star", 0], steps=2000)
    gallery.start.click()
    await until(lambda: gallery.ascent.step > 2)
    assert gallery.loop.state == "running"
    gallery.stop.click()
    await ended(gallery)
    gallery.timeline.value = 0
    assert "step 0" in gallery.captions[1].value
    assert gallery.ascent.labels == ["star", "circle"]
    assert not gallery.save_png.disabled


def test_too_many_classes_for_a_gallery_are_named_instead(net):
    with pytest.raises(vizkit.VizkitError, match=r"room for 24 classes, not 1000\. Name those you want"):
        vizkit.Gallery(net)
    with pytest.raises(vizkit.VizkitError, match='No class "flamigo"'):
        vizkit.Gallery(net, ["flamigo"])


# What suits a network.


def test_small_and_large_networks_open_with_the_recipe_that_suits_them(net, tiny):
    assert vizkit.Explorer(tiny).controls.preset.value == "small"
    explorer = vizkit.Explorer(net)
    assert explorer.controls.preset.value == "vizkit"
    explorer._show_network(tiny)
    assert explorer.controls.preset.value == "small"
    assert explorer.controls.recipe().basis == vizkit.recipe("small").basis


def test_a_preset_that_somebody_chose_stays_when_the_network_changes(net, tiny):
    explorer = vizkit.Explorer(net)
    explorer.controls.preset.value = "ozbulak"
    explorer._show_network(tiny)
    assert explorer.controls.preset.value == "ozbulak"


# Trainer.


@live
async def test_training_starts_pauses_stops_and_goes_on_from_there(training):
    trainer = vizkit.Trainer(training)
    assert trainer.pause.disabled
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
    assert f"{training.checks[-1][1]:.1%} of unseen pictures right" in trainer.curve.words.value


def test_a_run_in_a_cell_draws_on_the_way_and_hears_stop(training, monkeypatch):
    trainer = vizkit.Trainer(training)
    monkeypatch.setattr(vizkit.widgets.run_loop, "FRAME", 0.0)
    monkeypatch.setattr(vizkit.widgets.trainer, "CURVE_EVERY", 0.0)
    drawn = []

    def on_frame(change):
        drawn.append(change["new"])
        if len(drawn) == 4:
            trainer.stop.click()

    trainer.curve.image.observe(on_frame, "value")
    assert trainer.run().step == 4
    assert "stopped at step 4" in trainer.remaining.value
    with Image.open(io.BytesIO(drawn[-1])) as picture:
        assert np.array(picture).std() > 5
    assert trainer.run().step == training.steps
    assert "finished" in trainer.remaining.value


def test_a_training_that_fails_says_so_and_the_cell_has_the_error(training):
    training._optimizer.param_groups[0]["lr"] = float("nan")
    training.network[0].weight.data.fill_(float("nan"))
    trainer = vizkit.Trainer(training)
    with pytest.raises(vizkit.Diverged):
        trainer.run()
    assert trainer.loop.state == "failed"
    assert not trainer.start.disabled


@live
async def test_a_click_that_leads_to_a_failure_is_answered_in_the_panel(training):
    training.network[0].weight.data.fill_(float("nan"))
    trainer = vizkit.Trainer(training)
    trainer.start.click()
    await ended(trainer)
    assert "Lower the learning rate" in trainer.message.value
