"""The second opinion, and the network that gives it."""

import numpy as np
import pytest
import skimage.data
from PIL import Image

import vizkit
from vizkit import VizkitError


def photograph(name):
    """The middle of a real photograph, as a picture."""
    image = Image.fromarray(getattr(skimage.data, name)()).convert("RGB")
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return np.array(image.crop((left, top, left + side, top + side)).resize((224, 224)))


def test_the_judge_knows_real_photographs():
    pictures = np.stack([photograph("coffee"), photograph("chelsea")])
    coffee, cat = vizkit.second_opinion(pictures, ["espresso", "Egyptian cat"])
    assert (coffee.rank, cat.rank) == (1, 1)
    assert coffee.probability > 0.6
    wrong = vizkit.second_opinion(pictures[:1], "Egyptian cat")[0]
    assert wrong.rank > 1
    assert wrong.seen == "espresso"
    assert "sees espresso" in str(wrong)


def test_probability_and_rank_are_those_of_the_judges_scores(net):
    picture = photograph("chelsea")[None]
    scores = net(vizkit.images.from_picture(net, picture[0]))[0]
    for target in (281, 285, 7):
        opinion = vizkit.second_opinion(picture, target, judge=net)[0]
        assert opinion.probability == pytest.approx(float(scores.softmax(0)[target]), abs=1e-4)
        assert opinion.rank == 1 + int((scores > scores[target]).sum())


def test_a_picture_of_our_recipe_convinces_the_judge_and_a_classical_one_does_not(net):
    ours = vizkit.recipe("vizkit").ascend(net, "golden retriever").run()
    classical = vizkit.recipe("simonyan").ascend(net, "golden retriever", steps=64, learning_rate=6.0).run()
    assert vizkit.second_opinion(ours.pictures, "golden retriever")[0].probability > 0.5
    assert vizkit.second_opinion(classical.pictures, "golden retriever")[0].probability < 0.1


def test_as_many_targets_as_pictures_and_only_classes_that_the_judge_knows(tiny):
    pictures = np.zeros((2, 16, 16, 3), np.uint8)
    with pytest.raises(VizkitError, match="3 targets for 2"):
        vizkit.second_opinion(pictures, ["flamingo"] * 3)
    with pytest.raises(VizkitError, match='No class "star"'):
        vizkit.second_opinion(pictures, "star")
    assert len(vizkit.second_opinion(pictures, "star", judge=tiny)) == 2
