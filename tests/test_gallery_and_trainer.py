"""Gallery, without a browser: clicked as a page would; and what suits a network."""

import pytest
from test_widgets import ended, live, shown, until

import vizkit

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
