"""The Explorer, without a browser: widgets are set and clicked as a page would."""

import asyncio
import base64
import dataclasses
import errno
import functools
import html
import io
import os
import sys
import threading
import time
import types
from datetime import datetime
from pathlib import Path

import ipywidgets as W
import numpy as np
import pytest
import torch
from conftest import GRAY, RGB
from PIL import Image

import vizkit
from vizkit import VizkitError, judging
from vizkit.networks import downloaded
from vizkit.recipes import recipes
from vizkit.settings import Settings
from vizkit.widgets import explorer as explorer_module
from vizkit.widgets import panel as panel_module
from vizkit.widgets.words import in_words

QUICK = {"steps": 4}
HTML = "<img src=x onerror=alert(1)>"


def live(test):
    """Runs the coroutine `test` on an event loop, as a kernel has one; what hangs fails."""

    @functools.wraps(test)
    def run(**fixtures):
        asyncio.run(asyncio.wait_for(test(**fixtures), 120))

    return run


async def until(condition):
    while not condition():
        await asyncio.sleep(0.002)


async def ended(explorer):
    await until(lambda: not any(loop.busy for loop in explorer.loops))
    await asyncio.sleep(0.02)  # its last news


def all_widgets(widget):
    yield widget
    for child in getattr(widget, "children", ()):
        yield from all_widgets(child)


def shown(image):
    """What a W.Image or a Picture holds, as an array."""
    image = getattr(image, "image", image)
    with Image.open(io.BytesIO(image.value)) as picture:
        assert picture.format == image.format.upper()
        return np.array(picture)


@pytest.fixture
def explorer(tiny):
    return vizkit.Explorer(tiny, "star", **QUICK)


@pytest.fixture
def catalogue(monkeypatch):
    """Regularizers that a test makes are gone after it."""
    monkeypatch.setattr(vizkit.regularizers, "_known", vizkit.regularizers.catalogue())


# The panel.


def test_a_new_explorer_shows_the_start_image_and_what_to_do(tiny, explorer):
    assert explorer.ascent is None
    assert "Press ▶ Start" in explorer.invitation.value
    start = recipes()["small"].ascend(tiny, "star").picture
    assert np.array_equal(shown(explorer.picture)[14::28, 14::28], start)
    assert not explorer.start.disabled
    for control in (explorer.pause, explorer.stop, explorer.keep, explorer.save_png, explorer.save_gif):
        assert control.disabled


def test_run_returns_the_ascent_and_shows_its_result(tiny, explorer):
    ascent = explorer.run()
    assert explorer.ascent is ascent
    assert (ascent.labels, ascent.step, ascent.finished) == (["star"], 4, True)
    assert torch.equal(ascent.image, recipes()["small"].ascend(tiny, "star", **QUICK).run().image)
    assert np.array_equal(shown(explorer.picture)[14::28, 14::28], ascent.picture)
    result = ascent.history[-1]
    for words in (
        "<b>star</b> step 4",
        f"{result.score:.1f}",
        f"{result.probability:.3f}",
        tiny.labels[result.rivals[0]],
    ):
        assert words in explorer.caption.value
    assert explorer.curve.shown["lines"][0]["points"][-1][0] == 3
    assert (explorer.progress.value, explorer.timeline.value, explorer.timeline.max) == (1, 4, 4)
    assert "finished at step 4" in explorer.remaining.value


def test_the_notebook_s_file_keeps_the_newest_picture(explorer, monkeypatch):
    kept, still = [], types.SimpleNamespace(update=lambda made: kept.append(made))
    monkeypatch.setattr(panel_module, "get_ipython", lambda: types.SimpleNamespace(kernel=1))
    monkeypatch.setattr(panel_module, "display", lambda made, display_id: kept.append(made) or still)
    explorer._repr_mimebundle_()
    assert kept[0].step == 0
    made = explorer.run()
    assert kept[1:] == [made]
    with Image.open(io.BytesIO(kept[1]._repr_png_())) as picture:  # which is what a notebook asks for
        assert np.array_equal(np.array(picture)[14::28, 14::28], explorer.ascent.picture)


def test_the_timeline_shows_an_early_frame(explorer):
    ascent = explorer.run()
    explorer.timeline.value = 1
    assert np.array_equal(shown(explorer.picture)[14::28, 14::28], ascent.frames[1][0])
    assert "step 1<" in explorer.caption.value
    explorer.timeline.value = 4
    assert np.array_equal(shown(explorer.picture)[14::28, 14::28], ascent.picture)


def test_run_shows_its_result_wherever_the_timeline_was(explorer):
    explorer.run()
    explorer.timeline.value = 1
    explorer.controls.seed.value = 1
    ascent = explorer.run()
    assert np.array_equal(shown(explorer.picture)[14::28, 14::28], ascent.picture)
    assert explorer.timeline.value == 4


def test_keywords_of_ascend_set_the_knobs(tiny):
    wanted = {"steps": 7, "optimizer": "momentum", "learning_rate": 0.25, "objective": "probability", "start": "zero"}
    wanted["schedule"] = "constant"
    explorer = vizkit.Explorer(
        tiny, 3, regularizer=vizkit.l2(1e-3) + vizkit.jitter(4), basis="pixels", seed=5, **wanted
    )
    ascent = explorer.run()
    plain = vizkit.ascend(tiny, 3, regularizer=vizkit.l2(1e-3) + vizkit.jitter(4), basis="pixels", seed=5, **wanted)
    assert torch.equal(ascent.image, plain.run().image)


@pytest.mark.parametrize(
    "settings",
    [
        {"recipe": "no such recipe"},
        {"target": "moon"},
        {"regularizer": vizkit.l2([1e-3, 1e-2])},
        {"steps": -1},
        {"learning_rate": float("nan")},
        {"start": np.zeros((12, 16, 5), np.uint8)},
        {"start": torch.zeros(1, 3, 5, 5)},
        {"start": "no/such/photo.png"},
        {"no_such_knob": 1},
    ],
    ids=lambda settings: next(iter(settings)),
)
def test_what_the_knobs_cannot_show_is_an_error(tiny, settings):
    with pytest.raises((VizkitError, TypeError)):  # TypeError: Python's own, for an unknown keyword
        vizkit.Explorer(tiny, **settings)


def as_acts(regularizer):
    """Its parts in the order in which they act."""
    places = ["penalty", "view", "projection"]
    return vizkit.regularization.Regularizer(
        (tuple(sorted(regularizer.parts, key=lambda part: places.index(part.kind.place))),)
    )


@pytest.mark.parametrize("name", recipes())
def test_the_knobs_say_what_a_recipe_set_them_to(explorer, name):
    """Regularizers in the order in which they act: this is no difference."""
    wanted = Settings(**{one.name: getattr(recipes()[name], one.name) for one in dataclasses.fields(Settings)})
    wanted = wanted.but(regularizer=as_acts(wanted.regularizer))
    explorer.controls.set(recipes()[name])
    assert explorer.controls.settings() == wanted
    explorer.controls.set(Settings())
    explorer.controls.preset.value = name
    assert explorer.controls.settings() == wanted


def test_every_knob_lands_in_the_recipe(explorer):
    knobs = explorer.controls
    knobs.set(Settings())
    knobs.steps.value, knobs.objective.value, knobs.start.value = 17, "log_probability", "zero"
    knobs.optimizer.value = "adam"
    assert knobs.learning_rate.value == 0.05  # the optimizer's own
    knobs.learning_rate.slider.value = 0.3
    knobs.basis.value = "fourier"
    knobs.penalties.rows[0].kind.value = "l2"
    knobs.penalties.rows[0].strength.slider.value = 3e-4
    knobs.projections.rows[0].kind.value = "clamp"
    assert knobs.settings() == Settings(
        steps=17,
        objective="log_probability",
        start="zero",
        optimizer="adam",
        learning_rate=0.3,
        basis=vizkit.Fourier(),
        regularizer=vizkit.l2(3e-4) + vizkit.clamp(),
    )
    knobs.seed.value = 9
    knobs.picker.choice.value = 1
    assert (explorer.run().seed, explorer.ascent.targets) == (9, [1])


def test_what_a_person_turns_while_a_preset_is_being_set_outlasts_it(explorer):
    """In another thread, as pages are answered: the preset comes to the steps only after they were turned."""
    knobs, threads = explorer.controls, []

    def person():
        knobs.steps.value = 2000

    def in_the_middle(change):
        if not threads:
            threads.append(threading.Thread(target=person))
            threads[0].start()
            while knobs.steps.value != 2000:
                time.sleep(0.001)

    knobs.penalties.rows[0].kind.observe(in_the_middle, "value")
    knobs.preset.value = "simonyan"
    threads[0].join(60)
    assert (knobs.steps.value, knobs.preset.value, knobs.penalties.rows[0].kind.value) == (2000, "–", "l2")
    assert knobs.settings().start == "zero"  # the rest is simonyan's


def test_typing_filters_the_classes_and_nonsense_keeps_the_list(explorer):
    picker = explorer.controls.picker
    assert [label for label, _ in picker.choice.options] == ["circle", "square", "star", "cross"]
    assert picker.choice.label == "star"
    picker.query.value = "S"
    assert [label for label, _ in picker.choice.options] == ["square", "star", "cross"]
    picker.query.value = "CRO"
    assert (picker.choice.options, picker.target, picker.choice.label) == ((("cross", 3),), 3, "cross")
    assert picker.guess.value == ""
    picker.query.value = "xyzzy"
    assert (picker.choice.options, picker.target) == ((("cross", 3),), 3)
    assert "No class “xyzzy”, and none is near." in picker.guess.value
    picker.query.value = "sqare"  # spelling
    assert picker.choice.label == "square"
    assert "No class “sqare”. Nearest:" in picker.guess.value
    picker.query.value = "qua"  # inside a word
    assert picker.choice.label == "square"
    assert "No class “qua”. Nearest:" in picker.guess.value
    picker.query.value = ""
    assert (len(picker.choice.options), picker.choice.label) == (4, "square")


def test_a_label_that_several_classes_share_is_told_apart(make_cnn):
    net = vizkit.Classifier(make_cnn(3, 3), ["crane", "crane", "box"], **RGB, device="cpu")
    explorer = vizkit.Explorer(net, 1, **QUICK)
    assert explorer.controls.picker.choice.options == (("crane (0)", 0), ("crane (1)", 1), ("box", 2))
    assert explorer.run().targets == [1]


def test_ones_own_small_gray_cnn_is_shown_enlarged(gray):
    explorer = vizkit.Explorer(gray, **QUICK)
    ascent = explorer.run()
    assert explorer.picture.image.format == "png"
    assert np.array_equal(shown(explorer.picture), ascent.picture.repeat(16, axis=0).repeat(16, axis=1))
    assert explorer.controls.network.value == gray.name
    assert (ascent.picture[..., 0] == ascent.picture[..., 2]).all()


def test_a_large_picture_goes_out_as_a_jpeg_of_its_own_size(make_cnn):
    net = vizkit.Classifier(make_cnn(3, 4), **(RGB | {"size": (100, 120)}), device="cpu")
    explorer = vizkit.Explorer(net, **QUICK)
    picture = explorer.run().picture
    assert explorer.picture.image.format == "jpeg"
    assert np.abs(shown(explorer.picture).astype(int) - picture).mean() < 8


# A photo to start from.


def photo(*shape):
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def upload(explorer, name, content, version):
    """What a page does once a person has picked a file, in the words of ipywidgets 7 or 8."""
    picker, file = explorer.controls.photo.upload, {"name": name, "type": "image/png", "size": len(content)}
    if version == 7:
        explorer.take_photo({name: {"metadata": file, "content": content}})
    else:
        picker.value = ({**file, "content": memoryview(content), "last_modified": datetime.now()},)


def png_of(array):
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, format="png")
    return stream.getvalue()


def stage(explorer):
    return shown(explorer.picture)[14::28, 14::28]


@pytest.mark.parametrize("version", [7, 8])
def test_an_uploaded_photo_is_shown_at_once_and_its_class_model_can_be_made_again(
    tiny, explorer, version, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    knobs, first = explorer.controls, explorer.picture.image.value
    assert knobs.photo.layout.display == "none"
    knobs.start.value = "photo"
    assert knobs.photo.layout.display == ""
    explorer.start.click()
    assert "Press Choose a photo" in explorer.message.value
    assert 'role="alert"' in explorer.message.value
    assert (explorer.ascent, explorer.loop.state, explorer.picture.image.value) == (None, "ready", first)
    given = photo(40, 30, 3)
    upload(explorer, "<cat>.png", png_of(given), version)
    expected = vizkit.ascend(tiny, "star", start=given)
    assert np.array_equal(stage(explorer), expected.picture)
    assert (explorer.message.value, explorer.picture.words.value) == ("", "start image: photo")
    assert "&lt;cat&gt;.png, 30 × 40" in knobs.photo.note.value
    upload(explorer, "notes.txt", b"no picture", version)
    assert "notes.txt cannot be read as a picture" in explorer.message.value
    assert "The photo before it stays." in explorer.message.value
    assert np.array_equal(stage(explorer), expected.picture)
    for basis in ("pixels", "fourier"):
        knobs.basis.value = basis
        ascent = explorer.run()
        assert torch.equal(ascent.initial.start, expected.start_image)
        assert "start=photo" in ascent.code()
        explorer.save_png.click()
        assert torch.equal(vizkit.reproduce(max(tmp_path.iterdir(), key=os.path.getmtime), tiny).image, ascent.image)
        assert np.array_equal(stage(explorer), ascent.picture)
    knobs.preset.value = "simonyan"
    assert knobs.start.value == "zero"
    assert np.array_equal(stage(explorer), ascent.picture)
    knobs.start.value = "photo"  # it is still there
    assert np.array_equal(stage(explorer), expected.picture)


def test_a_start_without_its_photo_leaves_the_class_model_on_show(explorer):
    explorer.run()
    before = explorer.caption.value, bytes(explorer.picture.image.value)
    for start in ("photo", "random", "photo"):
        explorer.controls.start.value = start
        assert (explorer.caption.value, bytes(explorer.picture.image.value)) == before
    explorer.keep.click()
    assert len(explorer.strip.children) == 1


def test_a_photo_given_in_code_is_the_start(tiny, tmp_path):
    given = photo(40, 30, 3)
    Image.fromarray(given).save(tmp_path / "cat.png")
    tensor = torch.randn(1, 3, 12, 16, generator=torch.Generator().manual_seed(0))
    for start in (given, given / 255, Image.fromarray(given), tmp_path / "cat.png", str(tmp_path / "cat.png"), tensor):
        explorer = vizkit.Explorer(tiny, "star", start=start, recipe="simonyan", steps=2)
        expected = vizkit.ascend(tiny, "star", start=start)
        assert explorer.controls.start.value == "photo"
        assert np.array_equal(stage(explorer), expected.picture)
        assert torch.equal(explorer.run().start_image, expected.start_image)


@live
async def test_another_network_gets_the_photo_in_its_own_size(tiny, make_cnn, monkeypatch):
    other = vizkit.Classifier(make_cnn(1, 3), ["moon", "star", "sun"], **GRAY, name="alexnet", device="cpu")
    monkeypatch.setattr(explorer_module, "load", lambda name: other)
    given = photo(40, 30, 3)
    explorer = vizkit.Explorer(tiny, "star", start=given, **QUICK)
    explorer.controls.network.value = "alexnet"
    await ended(explorer)
    assert np.array_equal(shown(explorer.picture)[8::16, 8::16], vizkit.ascend(other, "star", start=given).picture)
    assert torch.equal(explorer.run().initial.start, vizkit.images.from_picture(other, given))


@live
async def test_a_photo_uploaded_during_a_run_waits_for_the_next(tiny):
    explorer = vizkit.Explorer(tiny, "star", steps=100_000)
    explorer.start.click()
    await until(lambda: explorer.ascent.step > 1)
    explorer.controls.start.value = "photo"
    upload(explorer, "cat.png", png_of(photo(40, 30, 3)), 8)
    assert explorer.picture.words.value != "start image: photo"
    explorer.controls.penalties.rows[0].kind.value = "lp"  # a knob still acts
    explorer.stop.click()
    await ended(explorer)
    assert explorer.ascent.regularizer.parts[0] == vizkit.lp(1e-5).parts[0]
    assert explorer.message.value == ""


def test_images_come_with_words(tiny, explorer):
    assert explorer.picture.words.value == "start image: random"
    ascent = explorer.run()
    explorer.keep.click()
    words = f"class model of star on {tiny.name}, step 4, score {ascent.history[-1].score:.1f}"
    assert explorer.picture.words.value == explorer.strip.children[0].children[0].words.value == words


@live
async def test_html_in_a_label_or_a_name_is_never_markup(make_cnn, tmp_path, monkeypatch, catalogue):
    monkeypatch.chdir(tmp_path)

    @vizkit.regularizer("penalty")
    def bad(image):
        raise RuntimeError(HTML)

    net = vizkit.Classifier(make_cnn(1, 3), [HTML, f"b {HTML}", "c"], **GRAY, name=HTML, device="cpu")
    explorer = vizkit.Explorer(net, HTML, **QUICK)

    def check():
        pages = [widget for widget in all_widgets(explorer) if isinstance(widget, W.HTML | W.HTMLMath)]
        assert len(pages) > 5
        assert not [page.value for page in pages if "<img" in page.value]
        return "".join(page.value for page in pages)

    check()
    for target in (0, 1, 2):
        explorer.controls.picker.choice.value = target
        explorer.run()
        for button in (explorer.keep, explorer.save_png, explorer.save_gif, explorer.show_code):
            button.click()
            check()
        explorer.show_code.click()
    explorer.controls.penalties.rows[0].kind.value = "bad"
    explorer.start.click()
    await ended(explorer)
    assert "&lt;img src=x onerror=alert(1)&gt;" in explorer.message.value
    check()
    monkeypatch.setattr(explorer_module, "load", lambda name: net)
    explorer.controls.network.value = "vgg11"
    await ended(explorer)
    assert "is ready" in check()
    monkeypatch.setattr(explorer_module, "load", lambda name: (_ for _ in ()).throw(VizkitError(HTML)))
    explorer.controls.network.value = "alexnet"
    await ended(explorer)
    assert "alert(1)" in check()


# A person at work.


@live
async def test_start_grows_the_same_class_model_as_three_lines_of_python(tiny):
    explorer = vizkit.Explorer(tiny, "star", steps=40)
    explorer.start.click()
    assert (explorer.start.disabled, explorer.pause.disabled, explorer.stop.disabled) == (True, False, False)
    await ended(explorer)
    assert explorer.loop.state == "finished"
    assert (explorer.start.disabled, explorer.pause.disabled, explorer.stop.disabled) == (False, False, True)
    assert explorer.pause.description == "Go on"
    assert torch.equal(explorer.ascent.image, recipes()["small"].ascend(tiny, "star", steps=40).run().image)
    assert np.array_equal(shown(explorer.picture)[14::28, 14::28], explorer.ascent.picture)
    assert "finished at step 40" in explorer.remaining.value


@live
async def test_pause_holds_the_step_a_knob_acts_on_the_next_and_stop_ends_it(tiny):
    explorer = vizkit.Explorer(tiny, "star", regularizer=vizkit.l2(1e-4), steps=100_000)
    explorer.start.click()
    await until(lambda: explorer.ascent.step > 3)
    explorer.pause.click()
    await until(lambda: "paused" in explorer.remaining.value)
    held = explorer.ascent.step
    assert explorer.pause.description == "Go on"
    explorer.controls.penalties.rows[0].strength.slider.value = 1e-2
    explorer.controls.learning_rate.slider.value = 0.3
    explorer.controls.views.rows[0].kind.value = "jitter"
    await asyncio.sleep(0.1)
    assert explorer.ascent.step == held
    explorer.pause.click()
    await until(lambda: explorer.ascent.step > held + 3)
    explorer.stop.click()
    await ended(explorer)
    ascent = explorer.ascent
    assert (explorer.loop.state, ascent.finished) == ("stopped", True)
    assert f"stopped at step {ascent.step}" in explorer.remaining.value
    changes = {knob: (step, value) for step, knob, value in ascent.changes}
    regularizer, steps = vizkit.l2(1e-2) + vizkit.jitter(8), held + 100_000  # as many again
    assert changes == {"regularizer": (held, regularizer), "learning_rate": (held, 0.3), "steps": (held, steps)}
    names = {}
    exec(ascent.code().replace(tiny.code, "NET"), {"NET": tiny}, names)
    assert torch.equal(names["ascent"].image, ascent.image)


@live
async def test_a_finished_run_goes_on_with_the_knobs_as_they_are_then(tiny):
    explorer = vizkit.Explorer(tiny, "star", steps=12)
    assert (explorer.pause.description, explorer.pause.disabled) == ("Pause", True)
    explorer.start.click()
    await ended(explorer)
    explorer.controls.penalties.rows[0].kind.value = "l2"
    explorer.pause.click()
    assert (explorer.pause.description, explorer.start.disabled) == ("Pause", True)
    await ended(explorer)
    ascent, changed = explorer.ascent, explorer.controls.regularizer()
    assert (explorer.loop.state, ascent.step, ascent.regularizer) == ("finished", 24, changed)
    assert sorted(ascent.changes) == [(12, "regularizer", changed), (12, "steps", 24)]
    assert [(number, step) for number, step, _ in explorer.curve.shown["marks"]] == [(1, 12)]
    assert "l2(0.001)" in explorer.curve.shown["marks"][0][2]
    names = {}
    exec(ascent.code().replace(tiny.code, "NET"), {"NET": tiny}, names)
    assert torch.equal(names["ascent"].image, ascent.image)


@live
async def test_a_knob_that_is_turned_gives_the_run_as_many_steps_again(tiny):
    explorer = vizkit.Explorer(tiny, "star", steps=1000)
    explorer.start.click()
    await until(lambda: explorer.ascent.step > 5)
    explorer.pause.click()
    await until(lambda: "paused" in explorer.remaining.value)
    turned = explorer.ascent.step
    explorer.controls.penalties.rows[0].kind.value = "l2"
    assert (explorer.ascent.steps, explorer.controls.steps.value) == (turned + 1000, 1000)
    explorer.controls.steps.value = turned + 2
    assert explorer.ascent.steps == turned + 2
    explorer.pause.click()
    await ended(explorer)
    assert explorer.ascent.step == turned + 2


@live
async def test_before_the_first_step_there_is_an_invitation_and_a_class_that_waits_says_so(tiny):
    explorer = vizkit.Explorer(tiny, "star", steps=100_000)
    picker = explorer.controls.picker
    assert explorer.invitation.layout.display != "none"
    assert [line["points"] for line in explorer.curve.shown["lines"]] == [[]]  # axes alone
    explorer.start.click()
    await until(lambda: explorer.ascent.step > 3)
    picker.choice.value = 0
    await until(lambda: "waits for the next Start" in picker.guess.value)
    assert explorer.invitation.layout.display == "none"
    picker.choice.value = 2
    await until(lambda: not picker.guess.value)
    picker.choice.value = 0
    await until(lambda: picker.guess.value)
    explorer.stop.click()
    await ended(explorer)
    assert not picker.guess.value


def test_a_score_is_said_to_be_of_what_was_looked_at(explorer, tiny):
    explorer.run()
    assert "score of the whole picture" in explorer.caption.value
    explorer.timeline.value = 1
    assert "score of what is shown" in explorer.caption.value
    plain = vizkit.Explorer(tiny, "star", recipe="simonyan", steps=2)
    plain.run()
    assert "<br>score <b>" in plain.caption.value


def test_every_control_explains_itself(explorer):
    knobs = [one for one in all_widgets(explorer) if getattr(one, "description", "") and hasattr(one, "tooltip")]
    assert len(knobs) > 25
    assert [one.description for one in knobs if not one.tooltip] == []


def test_what_acts_beside_the_penalty_in_front_is_said_in_words(explorer):
    controls = explorer.controls
    controls.preset.value = "vizkit"
    rest = "Shown: 2 random parts of it, turned by up to 10°; mirrored or not; a square hidden."
    assert (controls.penalties.rows[0].kind.value, rest in controls.others.value) == ("none", True)
    controls.penalties.rows[0].kind.value = "l1"
    assert (controls.preset.value, controls.preset.label) == ("–", "vizkit, changed")
    assert controls.regularizer().parts[0] == vizkit.l1(1e-3).parts[0]
    controls.preset.value = "vizkit"  # the way back
    assert (controls.preset.label, controls.penalties.rows[0].kind.value) == ("vizkit", "none")
    for kind in vizkit.regularizers.catalogue().values():  # each can be said, with one step, one view, one pixel
        assert "{" not in in_words(kind(1 if kind.strengths else None).parts[0])


def test_a_preset_whose_knobs_are_turned_back_is_that_preset_again(explorer):
    controls = explorer.controls
    controls.preset.value = "vizkit"
    knobs = {controls.steps: 65, controls.optimizer: "adam", controls.penalties.rows[0].kind: "l1"}
    for knob, turned in knobs.items():
        before, knob.value = knob.value, turned
        assert (controls.preset.value, controls.preset.label) == ("–", "vizkit, changed")
        knob.value = before
        assert (controls.preset.value, controls.preset.options[0][0]) == ("vizkit", "–")


HELD = ("network", "preset", "schedule", "optimizer", "basis")  # knobs that could be taken to act in a run


@live
async def test_what_cannot_act_in_a_run_is_out_of_reach_and_changes_nothing_in_it(tiny):
    explorer = vizkit.Explorer(tiny, "star", steps=100_000)
    knobs = explorer.controls
    assert not any(getattr(knobs, name).disabled for name in HELD)
    explorer.start.click()
    await until(lambda: explorer.ascent.step > 1)
    ascent, before = explorer.ascent, explorer.ascent.settings
    assert all(getattr(knobs, name).disabled for name in HELD)
    # Whatever a page sends nevertheless, and what is meant for the next run:
    knobs.optimizer.value, knobs.basis.value, knobs.schedule.value = "adam", "phase", "progress"
    knobs.start.value, knobs.seed.value, knobs.picker.choice.value = "zero", 7, 0
    assert ascent.settings == before
    knobs.preset.value = "simonyan"
    assert ascent.settings == before
    knobs.steps.value = 90_000  # a live knob takes nothing else along
    assert ascent.settings == before.but(steps=90_000)
    made = ascent.step
    await until(lambda: ascent.step > made)  # what was turned is written down with the next step
    explorer.stop.click()
    await ended(explorer)
    assert ascent.changes == [(ascent.changes[0][0], "steps", 90_000)]
    assert not any(getattr(knobs, name).disabled for name in HELD)


@live
async def test_the_end_of_one_run_is_not_told_of_the_next(tiny):
    explorer = vizkit.Explorer(tiny, "star", steps=100_000)
    explorer.start.click()
    await until(lambda: explorer.ascent.step > 1)
    explorer.stop.click()
    await ended(explorer)
    explorer.controls.steps.value = 3
    explorer.run()
    assert "finished at step 3" in explorer.remaining.value


@live
async def test_start_again_while_it_runs_leaves_one_run(tiny):
    explorer = vizkit.Explorer(tiny, "star", steps=100_000)
    explorer.start.click()
    await until(lambda: explorer.ascent.step > 2)
    first = explorer.ascent
    explorer.controls.steps.value = 5
    explorer.start.click()
    await ended(explorer)
    assert explorer.ascent is not first
    assert explorer.ascent.step == 5
    step = first.step
    await asyncio.sleep(0.1)
    assert (first.step, first.finished) == (step, True)


BROKEN = {
    "raises": (lambda image: {}["no such thing"], "KeyError"),
    "NaN": (lambda image: image.sum(dim=(1, 2, 3)) * torch.nan, "not finite"),
    "shape": (lambda image: image.sum(), "must return shape"),
    "no tensor": (lambda image: None, "NoneType"),
    "exits": (lambda image: sys.exit("enough"), "SystemExit: enough"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_regularizer_is_a_sentence_in_the_panel_and_the_explorer_goes_on(tiny, catalogue, caplog, capfd, kind):
    function, words = BROKEN[kind]
    function.__name__ = "broken"
    vizkit.regularizer("penalty")(function)

    async def person():
        explorer = vizkit.Explorer(tiny, "star", **QUICK)
        explorer.start.click()
        await ended(explorer)
        good = explorer.ascent
        explorer.controls.penalties.rows[0].kind.value = "broken"
        explorer.start.click()
        await ended(explorer)
        assert explorer.loop.state == "failed"
        assert 'role="alert"' in explorer.message.value
        assert words in explorer.message.value
        assert "Traceback" not in explorer.message.value
        for button in (explorer.keep, explorer.save_gif, explorer.show_code, explorer.pause, explorer.stop):
            if not button.disabled:
                button.click()
        explorer.timeline.value = 1
        explorer.controls.penalties.rows[0].kind.value = "none"
        explorer.start.click()
        assert explorer.message.value == ""
        await ended(explorer)
        assert explorer.loop.state == "finished"
        assert explorer.ascent is not good
        assert explorer.ascent.step == 4
        assert explorer.message.value == ""

    asyncio.run(asyncio.wait_for(person(), 120))
    assert "Traceback" not in caplog.text + "".join(capfd.readouterr())


@live
async def test_after_a_failure_run_tells_of_itself_alone(tiny, catalogue):
    @vizkit.regularizer("penalty")
    def broken(image):
        raise ValueError("why")

    explorer = vizkit.Explorer(tiny, "star", **QUICK)
    explorer.controls.penalties.rows[0].kind.value = "broken"
    explorer.start.click()
    await ended(explorer)
    explorer.controls.penalties.rows[0].kind.value = "none"
    explorer.run()
    assert explorer.message.value == ""
    assert "finished at step 4" in explorer.remaining.value


@live
async def test_a_regularizer_of_ones_own_is_on_the_list_with_a_slider_of_its_own_range(tiny, catalogue):
    before = vizkit.Explorer(tiny, "star", **QUICK)

    @vizkit.regularizer("projection", strengths=(0.5, 20), default=3)
    def darken(image, strength, low):
        return torch.maximum(image - strength, low)

    explorer = vizkit.Explorer(tiny, "star", **QUICK)
    row = explorer.controls.projections.rows[0]
    assert "darken" in row.kind.options
    assert "darken" not in explorer.controls.views.rows[0].kind.options
    assert "darken" not in before.controls.projections.rows[0].kind.options
    row.kind.value = "darken"
    slider = row.strength.slider
    numbers = [number for _, number in slider.options]
    assert (numbers[0], numbers[-1], slider.value) == (0.5, 20, 3)
    assert explorer.controls.regularizer().parts[-1] == darken(3).parts[0]
    explorer.controls.set(Settings(regularizer=darken(20), steps=3))
    explorer.start.click()
    await ended(explorer)
    assert explorer.ascent.picture.max() == 0


def unreachable(name):
    raise VizkitError(f"The weights of {name} are not on this machine.")


@live
async def test_a_network_that_cannot_be_loaded_is_a_sentence_and_the_old_one_stays(tiny, monkeypatch):
    explorer = vizkit.Explorer(tiny, "star", **QUICK)
    monkeypatch.setattr(explorer_module, "load", unreachable)
    explorer.controls.network.value = "alexnet"
    assert "loading alexnet" in explorer.remaining.value
    await ended(explorer)
    assert "The weights of alexnet are not on this machine." in explorer.message.value
    assert 'role="alert"' in explorer.message.value
    assert explorer.controls.network.value == explorer.net.name == tiny.name
    explorer.start.click()
    await ended(explorer)
    assert (explorer.loop.state, explorer.ascent.net) == ("finished", tiny)


@live
async def test_another_network_brings_its_classes_and_ones_own_can_be_chosen_again(tiny, make_cnn, monkeypatch):
    other = vizkit.Classifier(make_cnn(1, 3), ["moon", "star", "sun"], **GRAY, name="alexnet", device="cpu")
    monkeypatch.setattr(explorer_module, "load", lambda name: other)
    explorer = vizkit.Explorer(tiny, "star", **QUICK)
    explorer.controls.network.value = "alexnet"
    await ended(explorer)
    assert explorer.net is other
    assert "alexnet is ready" in explorer.message.value
    assert [label for label, _ in explorer.controls.picker.choice.options] == ["moon", "star", "sun"]
    assert explorer.controls.picker.choice.label == "star"  # the class of that name
    assert explorer.run().targets == [1]
    explorer.controls.network.value = tiny.name
    await ended(explorer)
    assert explorer.net is tiny
    assert explorer.run().labels == ["star"]


# Keep, save, show.


@live
async def test_loading_has_a_state_and_an_end_of_its_own(tiny, make_cnn, monkeypatch):
    other = vizkit.Classifier(make_cnn(1, 3), ["moon", "star", "sun"], **GRAY, name="alexnet", device="cpu")
    third = vizkit.Classifier(make_cnn(1, 3), ["moon", "star", "sun"], **GRAY, name="vgg11", device="cpu")
    gate = threading.Event()

    def load(name):
        assert gate.wait(60)
        return {"alexnet": other, "vgg11": third}[name]

    monkeypatch.setattr(explorer_module, "load", load)
    monkeypatch.setattr(explorer_module, "downloaded", lambda name: (20.0, 80.0))
    explorer = vizkit.Explorer(tiny, "star", **QUICK)
    explorer.start.click()
    await ended(explorer)
    line, network = explorer.remaining.value, explorer.controls.network
    assert "finished at step 4" in line

    network.value = "alexnet"
    await until(lambda: "loading alexnet, 20 of 80 MB, 0 s" in explorer.remaining.value)
    lines = []
    explorer.remaining.observe(lambda change: lines.append(change["new"]), "value")
    explorer.start.observe(lambda change: lines.append("Start"), "disabled")
    await asyncio.sleep(0.3)  # nothing flickers
    assert not [line for line in lines if "loading alexnet" not in line]
    assert (explorer.progress.value, explorer.start.disabled, explorer.stop.disabled) == (0.25, True, False)
    explorer.timeline.value = 1  # the run before can be looked at meanwhile
    assert "step 1" in explorer.caption.value
    explorer.stop.click()
    await ended(explorer)
    assert (network.value, explorer.net, explorer.remaining.value) == (tiny.name, tiny, line)

    network.value = "alexnet"
    network.value = tiny.name  # a second thought: the one that was there stays
    gate.set()
    await ended(explorer)
    await asyncio.sleep(0.2)
    assert (network.value, explorer.net, explorer.message.value) == (tiny.name, tiny, "")

    gate.clear()
    network.value = "alexnet"
    network.value = "vgg11"  # another thought: the last one counts
    gate.set()
    await ended(explorer)
    assert (network.value, explorer.net, explorer.remaining.value) == ("vgg11", third, line)


@live
async def test_it_looks_at_the_units_of_a_layer_and_back_at_the_classes():
    net = vizkit.load("shapes", device="cpu")
    explorer = vizkit.Explorer(net, "star")
    knobs = explorer.controls
    assert [(label, layer) for label, layer in knobs.look.options][:2] == [
        ("the classes", ""),
        ("layer 0, 24 units", "0"),
    ]
    explorer.start.click()
    await ended(explorer)
    assert "probability" in explorer.caption.value
    knobs.look.value = "4"
    await ended(explorer)
    assert explorer.net.name == "shapes, layer 4"
    assert (knobs.network.value, knobs.look.value, knobs.preset.value) == ("shapes", "4", "small")
    assert "activations" not in {ask for part in knobs.regularizer().parts for ask in part.kind.asks}
    knobs.picker.query.value = "7"
    assert explorer.net.labels[knobs.picker.target] == "channel 7 of layer 4"
    explorer.start.click()
    await ended(explorer)
    assert "channel 7 of layer 4" in explorer.caption.value
    assert "probability" not in explorer.caption.value  # a unit has none
    assert explorer.curve.shown["measured"] == "value of the unit"
    again = {}
    exec(explorer.ascent.code(), again)
    assert (again["ascent"].pictures == explorer.ascent.pictures).all()
    knobs.look.value = ""
    await ended(explorer)
    assert (explorer.net, explorer.net.labels[knobs.picker.target]) == (net, "star")
    knobs.look.value = "4"
    knobs.network.value = "fashion"  # a second thought
    await ended(explorer)
    assert (explorer.net.name, knobs.look.value) == ("fashion", "")
    assert knobs.look.options[1] == ("layer 0, 32 units", "0")
    opened = vizkit.Explorer(net.inside("8"), 3, steps=2)
    assert (opened.controls.network.value, opened.controls.look.value, opened.controls.picker.target) == (
        "shapes",
        "8",
        3,
    )


@live
async def test_a_network_can_be_named_by_typing(tiny, net, monkeypatch):
    def load(name):
        if name != "timm/resnet18":
            raise vizkit.VizkitError(f"No network {name}.")
        return vizkit.Classifier(net.network, size=64, mean=0.5, std=0.5, name=name, device="cpu")

    monkeypatch.setattr(explorer_module, "load", load)
    explorer = vizkit.Explorer(tiny, "star", **QUICK)
    knobs = explorer.controls
    assert knobs.other.layout.display == "none"
    knobs.network.value = knobs.network.options[-1]
    assert (knobs.network.value, knobs.other.layout.display) == (tiny.name, "")
    knobs.other.value = "timm/resnt"
    await ended(explorer)
    assert "No network timm/resnt" in explorer.message.value
    assert (explorer.net, knobs.network.value, knobs.other.layout.display) == (tiny, tiny.name, "")
    knobs.other.value = " timm/resnet18 "
    await ended(explorer)
    assert (explorer.net.name, knobs.network.value, knobs.other.layout.display) == (*["timm/resnet18"] * 2, "none")
    knobs.network.value = tiny.name
    await ended(explorer)
    assert explorer.net is tiny
    assert "timm/resnet18" in knobs.network.options  # it is on the list now


def test_a_download_is_told_of_in_megabytes(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    (tmp_path / "checkpoints").mkdir()
    assert downloaded("alexnet") == (0, 0)
    (tmp_path / "checkpoints" / "alexnet-owt-7be5be79.pth.0123.partial").write_bytes(bytes(3_000_000))
    there, whole = downloaded("alexnet")
    assert (there, round(whole)) == (3, 233)
    assert downloaded("vgg11") == (0, 0)
    stale = tmp_path / "checkpoints" / "alexnet-owt-7be5be79.pth.4567.partial"  # of a download that broke off
    stale.write_bytes(bytes(9_000_000))
    os.utime(stale, (0, 0))
    assert downloaded("alexnet")[0] == 3
    assert downloaded("efficientnet_lite0") == (0, 0)


def test_in_a_cell_the_buttons_that_cannot_be_heard_are_off_and_the_line_says_what_ends_it(tiny, catalogue):
    seen = []

    @vizkit.regularizer("penalty")
    def look(image):
        explorer._publish()
        seen.append((explorer.stop.disabled, explorer.pause.disabled, "■ ends this cell" in explorer.remaining.value))
        return image.square().sum(dim=(1, 2, 3))

    explorer = vizkit.Explorer(tiny, "star", regularizer=look(1e-3), **QUICK)
    explorer.run()
    assert set(seen) == {(True, True, True)}
    assert "■" not in explorer.remaining.value
    assert not explorer.pause.disabled  # Go on


@live
async def test_an_error_in_ones_own_code_is_told_with_its_place(tiny, catalogue):
    line = sys._getframe().f_lineno + 4

    @vizkit.regularizer("penalty")
    def colourful(image):
        return {}["colour"]

    explorer = vizkit.Explorer(tiny, "star", **QUICK)
    explorer.controls.penalties.rows[0].kind.value = "colourful"
    explorer.start.click()
    await ended(explorer)
    assert f"KeyError: 'colour' (in colourful, line {line})" in html.unescape(explorer.message.value)


def test_keep_adds_the_picture_on_show_with_its_settings(explorer):
    explorer.keep.click()
    assert explorer.strip.children == ()
    ascent = explorer.run()
    explorer.keep.click()
    explorer.timeline.value = 1
    explorer.controls.seed.value = 7  # of the next run, not of this picture
    explorer.keep.click()
    explorer.timeline.value = 4
    explorer.run()
    explorer.keep.click()
    for card, frame, words in zip(
        explorer.strip.children,
        (ascent.frames[4][0], ascent.frames[1][0], explorer.ascent.picture),
        ("seed 0, step 4", "seed 0, step 1", "seed 7, step 4"),
        strict=True,
    ):
        picture, text, _ = card.children
        assert np.array_equal(shown(picture)[14::28, 14::28], frame)
        for word in (words, "<b>star</b>", "jitter", "fourier", "half_adam 0.1"):
            assert word in text.value
    first, second, third = explorer.strip.children
    second.children[-1].click()  # Remove
    assert explorer.strip.children == (first, third)
    assert second.comm is None


@live
async def test_a_kept_picture_has_the_settings_that_made_it_whatever_is_turned_later(tiny, monkeypatch):
    explorer = vizkit.Explorer(tiny, "star", regularizer=vizkit.l2(1e-3), **QUICK)
    explorer.run()
    loading = threading.Event()
    monkeypatch.setattr(explorer_module, "load", lambda name: loading.wait(60) and tiny)
    explorer.controls.network.value = "alexnet"
    explorer.controls.penalties.rows[0].strength.slider.value = 3e-2
    explorer.keep.click()
    loading.set()
    await ended(explorer)
    assert "l2(0.001)" in explorer.strip.children[0].children[1].value


def test_saving_writes_files_beside_the_notebook_and_never_overwrites(tiny, explorer, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for button in (explorer.save_png, explorer.save_gif):
        button.click()
    assert not list(tmp_path.iterdir())
    first = explorer.run()
    explorer.save_png.click()
    assert "Saved star.png" in explorer.message.value
    assert 'download="star.png" href="data:image/png;base64,' in explorer.message.value
    explorer.save_gif.click()
    explorer.controls.seed.value = 1
    second = explorer.run()
    explorer.save_png.click()
    explorer.save_gif.click()
    assert "Saved star-2.gif" in explorer.message.value
    assert {path.name for path in tmp_path.iterdir()} == {"star.png", "star.gif", "star-2.png", "star-2.gif"}
    (tmp_path / "star-3.png").symlink_to("nowhere")
    explorer.save_png.click()
    assert "Saved star-4.png" in explorer.message.value
    for name, ascent in (("star.png", first), ("star-2.png", second)):
        assert torch.equal(vizkit.reproduce(name, tiny).image, ascent.image)


def test_where_no_file_can_be_written_there_is_a_sentence_and_the_download(tiny, explorer, tmp_path, monkeypatch):
    folder = tmp_path / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()
    ascent = explorer.run()
    for button, kind in ((explorer.save_gif, "gif"), (explorer.save_png, "png")):
        button.click()
        assert 'role="alert"' in explorer.message.value
        assert f'download="star.{kind}"' in explorer.message.value
    content = base64.b64decode(explorer.message.value.partition("base64,")[2].partition('"')[0])
    (tmp_path / "downloaded.png").write_bytes(content)
    assert torch.equal(vizkit.reproduce(tmp_path / "downloaded.png", tiny).image, ascent.image)


def test_a_full_disk_leaves_no_broken_file(explorer, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    explorer.run()
    write = Path.write_bytes

    def write_half(path, content):
        if path.absolute().is_relative_to(tmp_path):
            write(path, content[: len(content) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(path, content)

    monkeypatch.setattr(Path, "write_bytes", write_half)
    for button in (explorer.save_png, explorer.save_gif):
        button.click()
        assert "No space left" in explorer.message.value
        assert "download it" in explorer.message.value
    assert not list(tmp_path.iterdir())


def test_a_file_is_named_after_its_labels_in_their_order_and_never_at_length(make_cnn, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    labels = [f"b{'r' * 20}ead", "über/ähre", "zebra", *(f"a very long label, number {n}" for n in range(17))]
    net = vizkit.Classifier(make_cnn(1, 20), labels, **GRAY, device="cpu")
    few = vizkit.Gallery(net, [2, 1, 2], steps=1)
    many = vizkit.Gallery(net, steps=1)
    for gallery in (few, many):
        gallery.run()
        gallery.save_png.click()
        gallery.save_gif.click()
    long = f"b{'r' * 20}ead-über-ähre-zebra-a-very-long-label-n"
    assert {path.stem for path in tmp_path.iterdir()} == {"zebra-über-ähre", long}
    assert len(list(tmp_path.iterdir())) == 4


def test_saving_says_what_the_file_cannot_hold(tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    explorer = vizkit.Explorer(tiny, "star", **QUICK)
    explorer.run()
    explorer.ascent = vizkit.ascend(tiny, "star", optimizer=torch.optim.Adagrad, steps=2).run()
    explorer.save_png.click()
    assert "Saved star.png" in explorer.message.value
    assert "optimizer" in explorer.message.value
    assert "/tmp" not in explorer.message.value
    assert (tmp_path / "star.png").exists()


def test_show_the_code_toggles_the_lines_that_make_this_picture(tiny, explorer):
    def code():
        return html.unescape(explorer.code.value.partition(">")[2].rpartition("<")[0])

    explorer.show_code.click()
    assert code().startswith("# What Start makes, with the knobs as they were")
    assert "steps=4" in code()
    explorer.show_code.click()
    assert explorer.code.value == ""
    ascent = explorer.run()
    explorer.controls.seed.value = 5
    explorer.show_code.click()
    assert code() == ascent.code()
    explorer.timeline.value = 1  # an earlier picture on show: it says which one it makes
    assert code() == "# Makes the last picture, of step 4.\n" + ascent.code()
    explorer.timeline.value = 4
    explorer.pause.click()  # outside a kernel nothing can go on by itself
    explorer._begin_again()
    explorer.run()
    assert code() == explorer.ascent.code()  # what stays open follows


@live
async def test_a_click_between_start_and_the_first_step_does_no_harm(tiny, tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    explorer = vizkit.Explorer(tiny, "star", **QUICK)
    explorer.run()
    explorer.start.click()  # nothing awaited: no step is made yet
    assert explorer.ascent.step == 0
    for button in (explorer.keep, explorer.save_gif, explorer.save_png, explorer.show_code):
        button.click()
    explorer.timeline.value = 1
    await ended(explorer)
    assert explorer.loop.state == "finished"
    assert explorer.ascent.step == 4
    assert "Exception" not in caplog.text


# On Colab.


@pytest.fixture
def colab(monkeypatch):
    """What vizkit knows Colab by: there, a clock in the page asks for what is new."""
    monkeypatch.setitem(sys.modules, "google.colab", types.ModuleType("google.colab"))


@pytest.mark.usefixtures("colab")
@live
async def test_an_explorer_on_colab_changes_its_picture_in_ticks_alone(tiny):
    explorer = vizkit.Explorer(tiny, "star", steps=30)
    assert explorer.loop.clock in explorer.children
    before = explorer.picture.image.value
    explorer.start.click()
    await until(lambda: not explorer.loop.busy)
    await asyncio.sleep(0.02)
    assert explorer.picture.image.value == before
    explorer.loop.tick()
    assert np.array_equal(shown(explorer.picture)[14::28, 14::28], explorer.ascent.picture)
    assert not explorer.loop.clock.running


# A frame that another thread shows.


@pytest.mark.usefixtures("colab")
@live
async def test_on_colab_a_network_that_cannot_be_loaded_is_told_of_in_a_tick(tiny, monkeypatch):
    explorer = vizkit.Explorer(tiny, "star", **QUICK)
    monkeypatch.setattr(explorer_module, "load", unreachable)
    explorer.controls.network.value = "alexnet"
    await ended(explorer)
    assert explorer.message.value == ""  # the page would never have heard of it
    explorer.loader.tick()
    assert "The weights of alexnet are not on this machine." in explorer.message.value
    assert (explorer.controls.network.value, explorer.loader.clock.running) == (tiny.name, False)


@live
async def test_pictures_are_shown_from_another_thread_while_frames_come_and_go(tiny, monkeypatch):
    monkeypatch.setattr(vizkit.ascent, "FRAME_BYTES", 12 * 16 * 3 * 8)  # eight frames: every few steps half of them go
    explorer = vizkit.Explorer(tiny, "star", steps=100_000)
    failed, stop = [], threading.Event()

    def click():
        try:
            while not stop.is_set():
                explorer.timeline.value = (explorer.timeline.value * 7 + 3) % 50
                explorer.keep.click()
                explorer.pause.click()
                explorer.pause.click()
        except Exception as error:
            failed.append(error)

    explorer.start.click()
    await until(lambda: explorer.ascent.step > 1)
    thread = threading.Thread(target=click)
    thread.start()
    await until(lambda: explorer.ascent.step > 150 or failed)
    stop.set()
    thread.join()
    explorer.stop.click()
    await ended(explorer)
    assert failed == []


def test_a_frame_whose_step_is_not_written_down_yet_is_no_error(explorer):
    ascent = explorer.run()
    ascent.frames = ascent.frames | {9: ascent.frames[4]}
    explorer.timeline.value = 2
    assert "step 2<" in explorer.caption.value
    explorer.timeline.value = explorer.timeline.max
    assert "step 4<" in explorer.caption.value


# The second opinion.


def test_the_judge_is_asked_once_for_each_picture_and_not_for_classes_it_does_not_know(net, tiny, monkeypatch):
    asked, loaded = [], []
    monkeypatch.setattr(judging, "default_judge", lambda: loaded.append(1))
    monkeypatch.setattr(judging, "second_opinion", lambda pictures, target: asked.append(target) or ["it may be"])
    explorer = vizkit.Explorer(tiny, "star", steps=2)
    explorer.run()
    assert (asked, loaded) == ([], [])
    explorer = vizkit.Explorer(net, "flamingo", steps=2)
    explorer.run()
    explorer.timeline.value = 0
    assert "it may be" not in explorer.caption.value
    explorer.timeline.value = 2
    explorer.keep.click()
    assert "it may be" in explorer.caption.value
    assert "it may be" in explorer.strip.children[0].children[1].value
    assert asked == [net.labels.index("flamingo")]
    explorer.run()
    assert len(asked) == 2
