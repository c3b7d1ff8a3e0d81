"""Compare and Gallery, without a browser: clicked as a page would; what all panels take, and what suits a network."""

import numpy as np
import pytest
import torch
from test_widgets import ended, live, shown, until

import vizkit
from vizkit.widgets import explorer as explorer_module

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


@pytest.mark.parametrize(
    ("target", "labels"),
    [
        ("star", ["star"]),
        (np.array([0, 2]), ["circle", "star"]),
        (torch.tensor([3, 1]), ["cross", "square"]),
        (torch.tensor(2), ["star"]),
        (np.int64(1), ["square"]),
    ],
    ids=str,
)
def test_a_gallery_takes_its_targets_as_an_ascent_does(tiny, target, labels):
    for gallery in (vizkit.Gallery(tiny, target, steps=1), vizkit.Gallery(tiny, targets=target, steps=1)):
        assert gallery.run().labels == labels


# Compare.


def test_compare_makes_what_each_regularizer_makes_alone(tiny):
    views = vizkit.jitter(2)
    each = {"none": None, "L2": vizkit.l2(1e-2), "L1": vizkit.l1(1e-2)}
    compare = vizkit.Compare(each, tiny, "star", regularizer=views, recipe="small", seed=3, steps=4)
    models = compare.run()
    for index, one in enumerate(each.values()):
        total = views + (one or vizkit.none())
        alone = vizkit.ascend(tiny, "star", recipe="small", regularizer=total, seed=3, steps=4).run()
        assert np.array_equal(models.pictures[index], alone.picture)
        assert np.array_equal(shown(compare.pictures[index])[14::28, 14::28], alone.picture)
    assert [caption.value.split("</b>")[0].split("<b>")[1] for caption in compare.captions] == list(each)
    assert compare.pictures[1].words.value.startswith("class model of star, L2, step 4")


def test_compare_calls_by_its_old_name_what_acts_on_all(tiny):
    each = {"L2": vizkit.l2(1e-2), "L1": vizkit.l1(1e-2)}
    new = vizkit.Compare(each, tiny, 2, regularizer=vizkit.jitter(2), steps=3).run()
    old = vizkit.Compare(each, tiny, 2, shared=vizkit.jitter(2), steps=3).run()
    assert np.array_equal(new.pictures, old.pictures)


def test_regularizers_to_compare_have_names(tiny):
    for unnamed in ([vizkit.l2(1e-2)], vizkit.l2(1e-2)):
        with pytest.raises(vizkit.VizkitError, match=r"Name each .*vizkit\.l2\(0\.01\)"):
            vizkit.Compare(unnamed, tiny)


@live
async def test_steps_turned_while_a_grid_grows_act_on_it(tiny):
    for panel in (vizkit.Compare({"none": None}, tiny, steps=100_000), vizkit.Gallery(tiny, steps=100_000)):
        panel.start.click()
        await until(lambda panel=panel: panel.ascent.step > 2)
        panel.steps.value = wanted = panel.ascent.step + 5
        await ended(panel)
        assert (panel.loop.state, panel.ascent.step) == ("finished", wanted)


# What all of them take.


PANELS = {
    "Explorer": vizkit.Explorer,
    "Compare": lambda *given, **settings: vizkit.Compare({"L2": vizkit.l2(1e-3)}, *given, **settings),
    "Gallery": vizkit.Gallery,
}


@pytest.mark.parametrize("panel", PANELS.values(), ids=PANELS)
def test_every_panel_takes_the_same_keywords(tiny, panel):
    """A network or its name, a target or none, a recipe or its name, no regularizer, a seed, settings."""
    mine = vizkit.Recipe(steps=2, learning_rate=0.5, start="zero", name="mine")
    ascent = panel(tiny, target="star", recipe=mine, seed=4, objective="probability").run()
    assert set(ascent.labels) == {"star"}
    assert (ascent.seed, ascent.step, ascent.learning_rate) == (4, 2, 0.5)
    assert (ascent.initial.start, ascent.objective) == ("zero", "probability")
    assert panel("fashion", 3, recipe="simonyan", regularizer=None, steps=1).run().net.name == "fashion"
    assert panel(tiny, recipe=vizkit.recipe("lucid"), regularizer=None, basis="pixels", steps=1).run().step == 1
    with pytest.raises(vizkit.VizkitError, match="lucidd"):
        panel(tiny, recipe="lucidd")


def test_without_a_target_it_is_a_flamingo_where_there_is_one(net, tiny):
    for make, index in ((tiny, 0), (net, net.labels.index("flamingo"))):
        assert vizkit.Explorer(make).controls.picker.target == index
        assert vizkit.Compare({"none": None}, make).picker.target == index


def test_a_recipe_that_is_no_preset_sets_the_knobs_and_is_called_none(tiny):
    lucid = vizkit.recipe("lucid")
    assert vizkit.Explorer(tiny, recipe=lucid).controls.preset.value == "lucid"
    explorer = vizkit.Explorer(tiny, recipe=lucid.but(steps=7))
    assert explorer.controls.preset.value == "–"
    assert (explorer.controls.steps.value, explorer.controls.basis.value) == (7, lucid.basis.name)


# What suits a network.


@live
async def test_small_and_large_networks_open_with_the_recipe_that_suits_them(net, tiny, monkeypatch):
    monkeypatch.setattr(explorer_module, "load", lambda name: net)
    explorer = vizkit.Explorer(tiny)
    knobs = explorer.controls
    for name, suited in ((net.name, "vizkit"), (tiny.name, "small")):
        assert knobs.preset.value != suited
        knobs.network.value = name
        await ended(explorer)
        assert knobs.preset.value == suited
        assert knobs.settings().basis == vizkit.recipe(suited).basis


@pytest.mark.parametrize(
    "turn",
    [
        lambda knobs: setattr(knobs.preset, "value", "ozbulak"),
        lambda knobs: setattr(knobs.steps, "value", 17),
        lambda knobs: setattr(
            knobs.penalties.rows[0].strength.slider, "value", knobs.penalties.rows[0].strength.slider.options[-1][1]
        ),
        lambda knobs: setattr(knobs.penalties.rows[0].kind, "value", "lp"),
        lambda knobs: setattr(knobs.learning_rate.slider, "value", knobs.learning_rate.slider.options[0][1]),
        lambda knobs: setattr(knobs.optimizer, "value", "rmsprop"),
        lambda knobs: setattr(knobs.schedule, "value", "progress"),
        lambda knobs: setattr(knobs.basis, "value", "phase"),
        lambda knobs: setattr(knobs.start, "value", "zero"),
        lambda knobs: setattr(knobs.objective, "value", "probability"),
    ],
    ids=["preset", "steps", "strength", "kind", "rate", "optimizer", "schedule", "basis", "start", "objective"],
)
@live
async def test_what_somebody_turned_stays_when_the_network_changes(net, tiny, turn, monkeypatch):
    monkeypatch.setattr(explorer_module, "load", lambda name: net)
    explorer = vizkit.Explorer(tiny)
    knobs = explorer.controls
    turn(knobs)
    chosen, turned = knobs.preset.value, knobs.settings()
    assert chosen in ("ozbulak", "–")
    knobs.network.value = net.name
    await ended(explorer)
    assert (explorer.net, knobs.preset.value, knobs.settings()) == (net, chosen, turned)
    if chosen == "–":
        knobs.preset.value = "small"  # chosen again, it sets the knobs again
        assert knobs.settings() == vizkit.Explorer(tiny).controls.settings() != turned
