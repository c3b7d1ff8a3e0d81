"""What only lessons use: numbers of pictures, what became of other classes, curves of a training."""

import numpy as np
import pytest

import vizkit


def test_statistics_say_what_the_eye_sees():
    pictures = np.empty((3, 2, 2, 3), np.uint8)
    pictures[0] = 128  # grey: near zero, no colour
    pictures[1] = (255, 0, 0)  # red: extremes in all channels
    pictures[2] = [[(0, 0, 0), (120, 130, 127)], [(255, 255, 255), (200, 100, 50)]]
    grey, red, mixed = vizkit.lessons.statistics(pictures)
    assert grey == {"mean magnitude": 0.004, "near zero": 1, "saturation": 0, "roughness": 0}
    assert red == {"mean magnitude": 1, "near zero": 0, "saturation": 1, "roughness": 0}
    assert mixed["near zero"] == 0.25
    assert mixed["saturation"] == pytest.approx((0 + 10 / 130 + 0 + 150 / 200) / 4, abs=1e-3)
    values = np.array([[0] * 3, [120, 130, 127], [255] * 3, [200, 100, 50]]) / 127.5 - 1
    assert mixed["mean magnitude"] == pytest.approx(np.abs(values).mean(), abs=1e-3)
    neighbours = [(values[0], values[1]), (values[2], values[3]), (values[0], values[2]), (values[1], values[3])]
    assert mixed["roughness"] == pytest.approx(np.abs([a - b for a, b in neighbours]).mean(), abs=1e-3)


def test_the_bars_are_the_changes_of_the_target_and_of_its_rival(net):
    ascents = [vizkit.ascend(net, 3, steps=2, seed=seed).run() for seed in range(2)]
    figure = vizkit.lessons.score_changes(ascents, ["one", "two"], net.labels[7])
    changes = [net(ascent.image)[0] - net(ascent.start_image)[0] for ascent in ascents]
    expected = [change[index].item() for index in (3, 7) for change in changes]
    assert [bar.get_height() for bar in figure.axes[0].patches] == pytest.approx(expected, rel=1e-4)
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == [net.labels[3], net.labels[7]]


def test_the_first_answer_is_kept_and_stands_beside_what_came():
    question = vizkit.lessons.Prediction("Is <it> so?", ["yes", "no"])
    yes, no = question.buttons
    no.click()
    yes.click()
    assert (question.said, no.button_style, yes.button_style, yes.disabled) == ("no", "primary", "", True)
    assert not no.disabled  # so that it can be read
    assert repr(question) == "Is <it> so? You said: no."
    assert repr(question.came("yes")) == "Is <it> so? It came: yes. You said: no."
    assert "<pre class=vizkit-code>Is &lt;it&gt; so?\tno\tyes</pre>" in question.outcome.value
    with pytest.raises(vizkit.VizkitError, match=r'No answer "maybe"\. Known: yes, no\.'):
        question.came("maybe")


def test_where_nobody_has_answered_it_says_so_and_a_click_on_its_way_still_counts():
    question = vizkit.lessons.Prediction("Is it so?", ["yes", "no"])
    question.came("yes")
    assert question.buttons[0].disabled
    assert repr(question).endswith("It came: yes. Nobody has said anything.")
    question.buttons[0].click()  # made while a cell ran: it arrives after the end of it
    assert repr(question).endswith("It came: yes. You said: yes.")


def test_names_given_to_pictures_stand_against_the_judges():
    pictures, labels = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), np.uint8), ["a", "b", "b"]
    naming = vizkit.lessons.Naming(pictures, labels, ["c"])
    assert naming.fields[0].options == ("–", "a", "b", "c", "none of these")
    naming.fields[0].value, naming.fields[2].value = "a", "c"
    assert naming.named == ["a", "–", "c"]
    opinions = [vizkit.judging.Opinion(label, p, 1, label, p) for label, p in zip(labels, (0.2, 0.9, 0.5), strict=True)]
    axes = naming.against(opinions).axes[0]
    assert [bar.get_width() for bar in axes.patches] == [0.2, 0.5, 0.9]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["a", "b", "b"]
    blue, orange, also_orange = [bar.get_facecolor() for bar in axes.patches]
    assert blue != orange == also_orange
    assert axes.texts[1].get_text().strip() == "judge: b; you: c"
    naming.close()
    assert naming.fields[0].comm is None


def test_training_curves_show_every_step_the_mean_of_the_last_twenty_and_the_checks():
    data = vizkit.datasets.shapes(train=400, test=16, side=12)
    training = vizkit.Training(vizkit.small_cnn(3, 8, width=2), data, epochs=2, batch=16).run()
    losses = [step.loss for step in training.history]
    raw, smooth = (line.values for line in vizkit.lessons.loss_lines(training))
    assert list(raw) == losses
    assert list(smooth) == pytest.approx([np.mean(losses[max(end - 20, 0) : end]) for end in range(1, 101)])
    checks = vizkit.lessons.accuracy_lines(training)[-1]
    assert list(zip(checks.steps, checks.values, strict=True)) == training.checks
