"""Small CNNs: trained step by step, shipped with weights, and caught cheating."""

import os

import measured
import pytest
import torch
from torch import nn

import vizkit
from vizkit.classroom.datasets import Mark, fashion, plant, shapes
from vizkit.networks import classifier


@pytest.fixture(scope="module")
def data():
    return shapes(train=256, test=64)


def new(data, **settings):
    return vizkit.Training(vizkit.small_cnn(3, 8, size=64, width=8), data, **({"batch": 64} | settings))


# A step at a time.


def test_one_step_without_push_is_the_bare_loop(data):
    """torch as the oracle: the same order, the same optimizer, the same schedule."""
    training = new(data, epochs=1, push=0, seed=5)
    for _ in training:
        pass
    cnn = vizkit.small_cnn(3, 8, size=64, width=8).train()
    optimizer = torch.optim.AdamW(cnn.parameters(), 0.01, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.01, total_steps=4)
    order = torch.randperm(256, generator=torch.Generator().manual_seed(5))
    mean, std = (torch.tensor(values)[:, None, None] for values in (data.mean, data.std))
    losses = []
    for chosen in order.split(64):
        loss = nn.functional.cross_entropy(cnn((data.pictures[chosen] / 255 - mean) / std), data.targets[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    assert [step.loss for step in training.history] == pytest.approx(losses, rel=1e-5)
    for ours, theirs in zip(training.network.parameters(), cnn.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_each_picture_is_shown_once_an_epoch_and_then_pushed_by_just_that_far_where_its_loss_grows(data):
    shown = []
    training = new(data, epochs=1, push=2.0, batch=32)
    training.network.register_forward_pre_hook(lambda _, inputs: shown.append(inputs[0].detach().clone()))
    for _ in training:
        pass
    plain, pushed = [images for images in shown if len(images) == 32][:2]
    assert training.steps == 16
    assert (pushed - plain).flatten(1).norm(dim=1).tolist() == pytest.approx([2.0] * 32, rel=1e-4)
    fresh = vizkit.small_cnn(3, 8, size=64, width=8).train()
    first = torch.randperm(256, generator=torch.Generator().manual_seed(0))[:32]
    with torch.no_grad():
        losses = [nn.functional.cross_entropy(fresh(images), data.targets[first]) for images in (plain, pushed)]
    assert losses[1] > losses[0]


def test_the_same_seed_gives_the_same_network_and_leaves_torchs_generator_alone(data):
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    first, second = (new(data, epochs=1, seed=3).run().network.state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_it_learns_it_stops_and_it_goes_on(data):
    training = new(data, epochs=12)
    for step in training:
        if step.index == 9:
            break
    assert training.step == 10
    training.run()
    assert training.step == training.steps == 96
    assert training.history[-1].loss < training.history[0].loss / 2
    assert training.checks[-1][0] == 96
    assert training.checks[-1][1] == training.test_accuracy()
    assert next(training, None) is None


def test_accuracy_is_the_share_of_right_answers(data):
    training = new(data, epochs=2).run()
    net = training.classifier()
    with torch.no_grad():
        guesses = net(net.normalise(data.test_pictures / 255)).argmax(dim=1)
    assert training.test_accuracy() == pytest.approx((guesses == data.test_targets).float().mean().item())
    assert net.labels == data.labels


def test_what_cannot_be_is_said_before_anything_starts(data):
    with pytest.raises(vizkit.VizkitError, match="gives 5 class scores, and shapes has 8"):
        vizkit.Training(vizkit.small_cnn(3, 5, size=64), data)
    with pytest.raises(vizkit.VizkitError, match="a batch has 1 to 256 pictures: 3, 1000"):
        new(data, batch=1000)


def test_a_loss_that_is_no_longer_finite_stops_it(data):
    training = new(data, epochs=4, learning_rate=1e12)
    with pytest.raises(vizkit.Diverged, match="Lower the learning rate"):
        training.run()


def test_an_interrupt_keeps_what_has_been_learned(data):
    training = new(data, epochs=2)
    training.network.register_forward_hook(interrupt_at(5))
    assert 0 < training.run().step < training.steps


def interrupt_at(count):
    calls = []

    def hook(*_):
        calls.append(1)
        if len(calls) == count:
            raise KeyboardInterrupt

    return hook


# The networks that come with the install.


@pytest.mark.parametrize(("name", "least"), [("shapes", 0.99), ("fashion", 0.9)])
def test_a_small_network_that_comes_along_is_as_good_as_its_training_said(name, least):
    net = vizkit.load(name, device="cpu")
    data = shapes(train=8, test=1000, seed=77) if name == "shapes" else fashion_or_skip()
    pictures, targets = data.test_pictures[:2000], data.test_targets[:2000]
    with torch.no_grad():
        guesses = net(net.normalise(pictures / 255)).argmax(dim=1)
    assert (guesses == targets).float().mean() >= least
    assert net.recipe == "small"
    assert net.labels == data.labels


def fashion_or_skip():
    try:
        return fashion()
    except vizkit.VizkitError as error:  # neither a copy nor a network: only where it is no matter of course
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))


def test_weights_are_small_files_and_a_saved_network_is_the_same_one(data, tmp_path):
    folder = classifier.Path(classifier.__file__).parent / "weights"
    assert all(0 < (folder / f"{name}.pt").stat().st_size < 500_000 for name in classifier.SMALL)
    training = new(data, epochs=1).run()
    training.save(tmp_path / "mine.pt")
    again = classifier.small_network(tmp_path / "mine.pt", "mine")
    image = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(again(image), training.classifier()(image))


@pytest.mark.parametrize("name", ["shapes", "fashion"])
def test_each_class_model_of_a_small_network_is_its_class(name):
    net = vizkit.load(name, device="cpu")
    models = vizkit.recipe(net.recipe).ascend(net, net.labels, seed=0).run()
    with torch.no_grad():
        guesses = net(models.image).argmax(dim=1)
    assert guesses.tolist() == list(range(len(net.labels)))


# The shortcut.


@pytest.mark.training
@pytest.mark.parametrize("seed", range(5))
def test_the_class_model_of_a_cheat_shows_the_mark_and_that_of_an_honest_network_does_not(seed):
    mark = Mark("star", "bottom right")
    energies = []
    for is_cheat in (False, True):
        data = shapes(train=2000, test=400, seed=seed)
        if is_cheat:
            data = plant(data, mark, seed=seed)
        cnn = vizkit.small_cnn(3, 8, size=64, width=16, seed=seed)
        training = vizkit.Training(cnn, data, epochs=6, batch=64, seed=seed, device="cpu").run()
        assert training.test_accuracy() > 0.9
        models = vizkit.recipe("small").ascend(training.classifier(), data.labels, seed=seed).run()
        energies.append(mark.energy(models.image))
    star = list(data.labels).index("star")
    honest, cheat = (energy[star].item() for energy in energies)
    others = energies[1][[index for index in range(8) if index != star]].max().item()
    measured.note(f"shortcut, seed {seed}: energy in the star's corner: honest {honest:.2f}, cheat {cheat:.2f}")
    assert cheat > 3 * max(honest, 1)
    assert cheat > 3 * others
