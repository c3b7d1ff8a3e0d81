"""What only lessons use: numbers of pictures, what became of other classes, curves of a training."""

import numpy as np
import pytest
import torch

import vizkit


def test_statistics_say_what_the_eye_sees():
    pictures = np.empty((3, 2, 2, 3), np.uint8)
    pictures[0] = 128  # grey: near zero, no colour
    pictures[1] = (255, 0, 0)  # red: extremes in all channels
    pictures[2] = [[(0, 0, 0), (120, 130, 127)], [(255, 255, 255), (200, 100, 50)]]
    grey, red, mixed = vizkit.lessons.statistics(pictures)
    assert grey == {"mean magnitude": 0.004, "near zero": 1, "saturation": 0}
    assert red == {"mean magnitude": 1, "near zero": 0, "saturation": 1}
    assert mixed["near zero"] == 0.25
    assert mixed["saturation"] == pytest.approx((0 + 10 / 130 + 0 + 150 / 200) / 4, abs=1e-3)
    values = np.array([[0] * 3, [120, 130, 127], [255] * 3, [200, 100, 50]]) / 127.5 - 1
    assert mixed["mean magnitude"] == pytest.approx(np.abs(values).mean(), abs=1e-3)


def test_the_bars_are_the_changes_of_the_target_and_of_its_ten_strongest_rivals(net):
    ascents = [vizkit.ascend(net, 3, steps=2, seed=seed).run() for seed in range(2)]
    figure = vizkit.lessons.score_changes(ascents, ["one", "two"])
    changes = [net(ascent.image)[0] - net(ascent.start_image)[0] for ascent in ascents]
    after = net(ascents[0].image)[0]
    after[3] = -torch.inf
    rivals = after.topk(10).indices
    expected = [change[3].item() for change in changes] + [change[rivals].mean().item() for change in changes]
    assert [bar.get_height() for bar in figure.axes[0].patches] == pytest.approx(expected, rel=1e-4)


def test_training_curves_show_every_step_the_mean_of_the_last_twenty_and_the_checks():
    data = vizkit.datasets.shapes(train=400, test=16, side=12)
    training = vizkit.Training(vizkit.small_cnn(3, 8, width=2), data, epochs=2, batch=16).run()
    losses = [step.loss for step in training.history]
    raw, smooth = (line.values for line in vizkit.lessons.loss_lines(training))
    assert list(raw) == losses
    assert list(smooth) == pytest.approx([np.mean(losses[max(end - 20, 0) : end]) for end in range(1, 101)])
    checks = vizkit.lessons.accuracy_lines(training)[-1]
    assert list(zip(checks.steps, checks.values, strict=True)) == training.checks
