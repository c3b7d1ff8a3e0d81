"""Curves as the page draws them: what is sent to it."""

import json
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

import vizkit
from vizkit.figures import Line
from vizkit.widgets import parts


def sent(*lines, **how):
    drawn = parts.Curves("score")
    drawn.grow(lambda: lines, True, reach=10, words="words", **how)
    return json.loads(json.dumps(drawn.shown, allow_nan=False))


def test_a_line_goes_out_as_its_points_and_a_very_long_one_as_many_as_one_can_see():
    (short, long) = sent(Line("<b>", [3, 4], [0.12345678, -2.0], "#123456", "--"), Line("", range(9000), range(9000)))[
        "lines"
    ]
    assert (short["label"], short["colour"], short["style"]) == ("<b>", "#123456", "--")
    assert short["points"] == [[3, 0.123457], [4, -2.0]]
    steps = [step for step, _ in long["points"]]
    assert (steps[0], steps[-1], len(steps)) == (0, 8999, parts.MOST)
    assert np.diff(steps).max() <= 24


def test_a_line_without_points_and_one_with_numbers_that_json_does_not_know():
    empty, broken = sent(Line("a", [], []), Line("b", [0, 1, 2], [1.0, float("nan"), float("inf")]))["lines"]
    assert (empty["points"], broken["points"]) == ([], [[0, 1.0]])


def test_they_are_drawn_no_more_often_than_one_can_see_but_at_the_end_at_once():
    drawn, calls = parts.Curves("score"), []
    for at_once in (False, False, False, True):
        drawn.grow(lambda: calls.append(1) or [], at_once, reach=1, words="")
    assert len(calls) == 2


@pytest.mark.parametrize("penalty", [None, vizkit.jitter(1)])
def test_the_page_draws_what_the_figure_draws(tiny, penalty):
    explorer = vizkit.Explorer(tiny, "star", regularizer=penalty, steps=6)
    ascent = explorer.run()
    (axes,) = vizkit.figures.score_curve(ascent).axes
    figure = [line.get_xydata() for line in axes.get_lines()]
    page = [line["points"] for line in explorer.curve.shown["lines"]]
    assert len(figure) == len(page) == (3 if penalty else 2)  # the score, its rival, and the whole picture
    for one, other in zip(figure, page, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3)
    assert explorer.curve.shown["reach"] == axes.get_xlim()[1]


def test_those_who_cannot_see_a_curve_hear_where_each_line_begins_and_ends(tiny, node, tmp_path):
    module = tmp_path / "curves.mjs"
    module.write_text(Path(parts.__file__).with_name("curves.js").read_text())

    def heard(explorer):
        code = f"import {{ spoken }} from '{module.as_uri()}'; console.log(spoken({json.dumps(explorer.curve.shown)}))"
        command = [node, "--input-type=module", "-e", code]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    explorer = vizkit.Explorer(tiny, "star", regularizer=vizkit.jitter(1), steps=6)
    assert heard(explorer) == "class score: empty axes, before the first step"
    *steps, result = explorer.run().history
    number = r"(-?[\d.]+)"
    rival = re.escape(f"strongest rival: {tiny.labels[steps[-1].rivals[0]]}")
    words = (
        f"class score: star from {number} to {number}, {rival} from {number} to {number}, the whole picture {number}"
    )
    numbers = [float(one) for one in re.fullmatch(words, heard(explorer)).groups()]
    ends = [steps[0].score, steps[-1].score, steps[0].rival_scores[0], steps[-1].rival_scores[0], result.score]
    assert numbers == pytest.approx(ends, abs=0.06)
