"""Figures hold the data they show, read on any page, and never touch pyplot; files hold the exact picture."""

import io
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
from conftest import RGB
from matplotlib.colors import to_rgb
from matplotlib.text import Text
from PIL import Image

import vizkit
from vizkit import VizkitError, figures


@pytest.fixture
def ascent(tiny):
    """Eight steps with a penalty; two knobs turned on the way."""
    ascent = vizkit.ascend(tiny, "star", regularizer=vizkit.l2(1e-3), learning_rate=0.5, steps=8)
    for step in ascent:
        if step.index == 2:
            ascent.learning_rate = 0.25
        if step.index == 4:
            ascent.regularizer = vizkit.l1(1e-2)
    return ascent


def lines(axes):
    """The curves by label; the marks of the knobs have none."""
    return {line.get_label(): line for line in axes.get_lines() if not line.get_label().startswith("_")}


def frames_of(path):
    """(picture, milliseconds) of every frame of a GIF."""
    with Image.open(path) as animation:
        for index in range(getattr(animation, "n_frames", 1)):
            animation.seek(index)
            yield np.array(animation.convert("RGB")), animation.info.get("duration")


# Score curve.


def test_the_score_curve_holds_the_history_and_marks_every_turned_knob(tiny, ascent):
    (axes,) = figures.score_curve(ascent).axes
    rival = tiny.labels[ascent.history[-1].rivals[0]]
    shown = lines(axes)
    expected = {
        "star": [step.score for step in ascent.history],
        f"strongest rival: {rival}": [step.rival_scores[0] for step in ascent.history],
    }
    assert {label: list(line.get_ydata()) for label, line in shown.items()} == expected
    assert all(list(line.get_xdata()) == list(range(9)) for line in shown.values())
    marks = [line.get_xdata()[0] for line in axes.get_lines() if line.get_label().startswith("_")]
    assert marks == [3, 5]
    assert [text.get_text().strip() for text in axes.texts] == ["1", "2"]
    assert axes.get_xlabel() == "step\n1: learning rate 0.25\n2: l1(0.01), no l2"
    assert axes.get_ylabel() == "class score"
    assert [text.get_text() for text in axes.get_legend().get_texts()] == list(expected)


def test_a_knob_that_is_dragged_is_turned_once_and_going_on_is_told(tiny):
    ascent = vizkit.ascend(tiny, "star", recipe="small", steps=20)
    for step in ascent:
        if 3 <= step.index < 8:
            ascent.turn(regularizer=vizkit.l2(step.index / 100) + vizkit.jitter(1), steps=step.index + 20)
        if step.index == 17:
            ascent.regularizer = vizkit.jitter(1)
    ascent.steps += 5
    ascent.run()
    assert figures.turned(ascent) == [
        (1, 4, "l2(0.07), no scale_and_rotate, no l1, no natural_statistics"),
        (2, 18, "no l2"),
        (3, 27, "on to step 32"),
    ]


def test_a_penalty_does_not_stretch_the_axis(tiny):
    heavy = vizkit.ascend(tiny, "star", regularizer=vizkit.l2(1e3), learning_rate=1e-5, steps=3).run()
    (axes,) = figures.score_curve(heavy).axes
    assert max(heavy.history[0].penalties) > 100 > axes.get_ylim()[1]


def test_a_batch_draws_a_line_an_image(tiny):
    ascent = vizkit.ascend(tiny, ["star", "cross", "circle"], steps=3).run()
    (axes,) = figures.score_curve(ascent).axes
    shown = lines(axes)
    assert list(shown) == ["star", "cross", "circle"]
    for image, line in enumerate(shown.values()):
        assert list(line.get_ydata()) == [step.scores[image] for step in ascent.history]
    assert len({line.get_color() for line in shown.values()}) == 3


def test_the_whole_curve_lies_within_its_axes(tiny):
    ascent = vizkit.ascend(tiny, "star", steps=200)
    for steps in (0, 70, 10):  # not begun, stopped early, asked for fewer steps than it has made
        while ascent.step < steps:
            next(ascent)
        ascent.steps = steps or 200
        (axes,) = figures.score_curve(ascent).axes
        assert axes.get_xlim()[0] == 0
        assert axes.get_xlim()[1] >= ascent.step
        if steps:
            low, high = axes.get_ylim()
            scores = [score for step in ascent.history for score in (step.score, step.rival_scores[0])]
            assert low < min(scores) < max(scores) < high


@pytest.mark.parametrize("label", ["$\\frac$", "50$ or 60$", "_hidden", "a\nb", "<b>"], ids=repr)
def test_a_label_is_shown_as_it_is_written(make_cnn, label):
    net = vizkit.Classifier(make_cnn(3, 2), [label, "$\\other$"], **(RGB | {"size": 12}), device="cpu")
    ascent = vizkit.ascend(net, 0, steps=2).run()
    figure = figures.score_curve(ascent)
    assert figure._repr_png_().startswith(b"\x89PNG")
    texts = figure.axes[0].get_legend().get_texts()
    assert [text.get_text() for text in texts] == [label, "strongest rival: $\\other$"]
    assert not any(text.get_parse_math() for text in texts)
    assert figures.grid(ascent.pictures, [label])._repr_png_().startswith(b"\x89PNG")


# Grid and film strip.


def shown_in(figure):
    return [np.asarray(axes.images[0].get_array()) for axes in figure.axes]


def test_a_grid_shows_every_picture_over_its_caption():
    pictures = np.random.default_rng(0).integers(0, 256, (5, 6, 8, 3), np.uint8)
    figure = figures.grid(pictures, captions=list("abcd"), columns=3)
    assert np.array_equal(shown_in(figure), pictures)
    assert [axes.get_xlabel() for axes in figure.axes] == [*"abcd", ""]
    assert {axes.get_subplotspec().get_gridspec().get_geometry() for axes in figure.axes} == {(2, 3)}
    assert len(figures.grid(list(pictures[:1])).axes) == 1


def test_a_grid_of_one_picture_and_of_none():
    picture = np.zeros((12, 16, 3), np.uint8)
    assert len(figures.grid(picture).axes) == len(figures.grid([picture]).axes) == 1
    for none in ([], np.zeros((0, 12, 16, 3), np.uint8)):
        with pytest.raises(VizkitError, match="one picture or more"):
            figures.grid(none)


def test_a_film_strip_goes_from_the_first_step_to_the_last(ascent):
    figure = figures.film_strip(ascent, frames=3)
    assert [axes.get_xlabel() for axes in figure.axes] == ["step 0", "step 4", "step 8"]
    assert np.array_equal(shown_in(figure), [ascent.frames[step][0] for step in (0, 4, 8)])
    assert len(figures.film_strip(ascent, frames=100).axes) == 9


def test_a_run_without_a_step_has_no_film(tiny, tmp_path):
    ascent = vizkit.ascend(tiny, "star", steps=3)
    for draw in (figures.film_strip, lambda run: figures.gif(run, tmp_path / "none.gif")):
        with pytest.raises(VizkitError, match="step"):
            draw(ascent)
    assert not list(tmp_path.iterdir())


# In a notebook.


def test_a_figure_shows_itself_in_a_notebook_and_pyplot_never_learns_of_it(ascent):
    code = "import sys, vizkit; vizkit.figures.grid; print('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "False"
    from matplotlib import pyplot

    before = pyplot.get_fignums()
    for figure in (figures.score_curve(ascent), figures.film_strip(ascent)):
        with Image.open(io.BytesIO(figure._repr_png_())) as picture:
            assert picture.format == "PNG"
            assert picture.convert("RGBA").getpixel((0, 0))[3] == 0  # no background of its own
    assert pyplot.get_fignums() == before


def luminance(colour):
    """Relative luminance, WCAG 2.2."""
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in to_rgb(colour)]
    return float(np.dot([0.2126, 0.7152, 0.0722], linear))


def test_every_text_of_a_figure_reads_on_white_and_on_black(ascent):
    texts = []
    for figure in (figures.score_curve(ascent), figures.film_strip(ascent)):
        figure._repr_png_()  # now the ticks have their labels
        texts += [text for text in figure.findobj(Text) if text.get_text() and text.get_visible()]
    assert len(texts) > 20
    for text in texts:
        own = luminance(text.get_color())
        assert min(1.05 / (own + 0.05), (own + 0.05) / 0.05) >= 4, text


# Files.


def test_a_gif_plays_the_run_and_stays_on_its_last_frame(ascent, tmp_path):
    path = figures.gif(ascent, tmp_path / "star.gif", seconds=1.8)
    frames = list(frames_of(path))
    assert path == tmp_path / "star.gif"
    assert len(frames) == 9
    assert all(picture.shape == (12, 16, 3) for picture, _ in frames)
    assert all(not np.array_equal(one[0], other[0]) for one, other in pairwise(frames))
    assert [duration for _, duration in frames] == [200] * 8 + [2000]
    with Image.open(path) as animation:
        assert animation.info["loop"] == 0
    difference = frames[-1][0].astype(int) - ascent.picture  # 256 colours are enough for 192 pixels
    assert np.abs(difference).max() <= 8


def test_a_gif_of_a_batch_shows_the_images_side_by_side(tiny, tmp_path):
    ascent = vizkit.ascend(tiny, ["star", "cross"], learning_rate=50, steps=3).run()
    path = figures.gif(ascent, str(tmp_path / "two.gif"))
    last = list(frames_of(path))[-1][0]
    assert last.shape == (12, 34, 3)
    for shown, made in zip((last[:, :16], last[:, 18:]), ascent.pictures, strict=True):
        assert np.abs(shown.astype(int) - made).mean() < 8
    assert not np.array_equal(*ascent.pictures)


def test_a_gif_of_one_frame_and_one_of_very_many(tiny, tmp_path):
    still = vizkit.ascend(tiny, "star", steps=0).run()
    assert len(list(frames_of(figures.gif(still, tmp_path / "still.gif")))) == 1
    long = vizkit.ascend(tiny, "star", steps=333).run()
    frames = list(frames_of(figures.gif(long, tmp_path / "long.gif")))
    assert 80 <= len(frames) <= 101
    assert np.abs(frames[-1][0].astype(int) - long.picture).max() <= 8
