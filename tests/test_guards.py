"""No wrong picture in silence: the kinds of networks, labels, files and notebooks that people have reported."""

import random
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import RGB, small_cnn
from PIL import Image, PngImagePlugin
from random_networks import Around, Subclassed, network
from torch import nn
from torch.nn import functional as F

import vizkit
from vizkit import VizkitError

RAW = {"size": 32, "mean": 0, "std": 1}


def cnn(classes=5):
    return small_cnn(3, classes)


def pictures(count=4, channels=3, side=32):
    """Noise and smooth ones, zero-centred."""
    generator = torch.Generator().manual_seed(0)
    smooth = F.interpolate(torch.rand(count, channels, 3, 3, generator=generator), size=side, mode="bilinear")
    return torch.cat([torch.rand(count, channels, side, side, generator=generator), smooth]) * 4 - 2


def silent(make):
    """What it makes, without a word."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return make()


def agree(net, module, images=None):
    images = pictures() if images is None else images
    with torch.no_grad():
        torch.testing.assert_close(net(images), module.eval()(images), rtol=1e-4, atol=1e-5)


# Is the copy the network?


HOOKS = {
    "normalises before": lambda m: m.register_forward_pre_hook(lambda m, given: ((given[0] - 0.5) / 0.25,)),
    "with keywords": lambda m: m.register_forward_pre_hook(lambda m, a, k: ((a[0] * 2,), k), with_kwargs=True),
    "scales a layer": lambda m: m[0].register_forward_hook(lambda m, given, result: result * 3),
    "replaces the scores": lambda m: m.register_forward_hook(lambda m, given, result: result - 1),
    "rounds a layer": lambda m: m[1].register_forward_hook(lambda m, given, result: result * 0.5 + 0.1),
}


@pytest.mark.parametrize("kind", HOOKS)
def test_hooks_that_are_part_of_the_network_stay_part_of_it(kind):
    module = cnn()
    HOOKS[kind](module)
    net = silent(lambda: vizkit.Classifier(module, **RAW, device="cpu"))
    agree(net, module)


def test_hooks_that_only_watch_are_left_out():
    module, seen = cnn().eval(), []
    module[0].register_forward_hook(lambda *what: seen.append(what))
    net = vizkit.Classifier(module, **RGB, device="cpu")
    seen.clear()
    vizkit.ascend(net, 0, steps=3).run()
    assert not seen
    agree(net, module)


def patched():
    module = cnn()
    before = module.forward
    module.forward = lambda image: before(image) * 2
    return module, module


def reaches_out():
    outside = cnn()
    return Around(lambda s, x: outside(x), nn.Identity()), outside


def reaches_a_leaf():
    outside = nn.Conv2d(3, 3, 3, padding=1)
    return Around(lambda s, x: s.layer(outside(x)), cnn()), outside


def made_anew():
    return Around(lambda s, x: s.layer(nn.Conv2d(3, 3, 1)(x)), cnn()), nn.Identity()


@pytest.mark.parametrize("make", [patched, reaches_out, reaches_a_leaf, made_anew])
def test_a_layer_that_the_copy_does_not_hold_is_refused_before_it_runs(make):
    module, outside = make()
    before = {name: value.clone() for name, value in outside.state_dict().items()}
    with pytest.raises(VizkitError, match=r"runs a layer that it does not hold.*self\.layer"):
        vizkit.Classifier(module, **RGB, device="cpu")
    assert all(torch.equal(value, before[name]) for name, value in outside.state_dict().items())


def test_layers_without_weights_and_in_plain_lists_are_no_trouble():
    module = Around(
        lambda s, x: nn.Flatten()(nn.ReLU()(s.parts["a"][0](x))), nn.Identity(), parts={"a": [cnn().eval()]}
    )
    net = silent(lambda: vizkit.Classifier(module, **RGB, device="cpu"))
    agree(net, module)


class Clamped(nn.BatchNorm2d):
    def forward(self, x):
        return super().forward(x).clamp(-0.5, 0.5)


def with_a_forward_of_its_own(width):
    layer = nn.BatchNorm2d(width)
    layer.forward = lambda x: F.relu(x) * 1.5
    return layer


@pytest.mark.parametrize("make", [Subclassed, Clamped, with_a_forward_of_its_own])
def test_what_only_looks_like_a_batch_norm_is_not_folded(make):
    module = nn.Sequential(nn.Conv2d(3, 16, 3), make(16), nn.MaxPool2d(4), nn.Flatten(), nn.Linear(16 * 49, 5))
    agree(silent(lambda: vizkit.Classifier(module, **RGB, device="cpu")), module)


@pytest.mark.parametrize("mask", [-1e9, -1e30, 1e6])
def test_one_large_score_hides_nothing(mask):
    large = torch.tensor([0, 0, 0, mask, mask])
    wrong = Around(lambda s, x: s.layer[3:](F.dropout(s.layer[:3](x))) + large, cnn())
    with pytest.raises(VizkitError, match="draws or remembers"):
        vizkit.Classifier(wrong, **RGB, device="cpu")
    act = nn.Sequential(nn.Conv2d(3, 8, 3), Subclassed(8), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(32, 5))
    module = Around(lambda s, x: s.layer(x) + large, act)
    agree(silent(lambda: vizkit.Classifier(module, **RGB, device="cpu")), module)


# Is it a function?


class Remembers(nn.Module):
    def __init__(self):
        super().__init__()
        self.cnn, self.mean = cnn(), torch.zeros(1)

    def forward(self, x):
        self.mean = 0.9 * self.mean + 0.1 * x.mean().detach()
        return self.cnn(x - self.mean)


DRAWS = {
    "dropout that is always on": lambda: Around(lambda s, x: s.layer[3:](F.dropout(s.layer[:3](x))), cnn()),
    "noise": lambda: Around(lambda s, x: s.layer(x + 0.1 * torch.randn_like(x)), cnn()),
    "noise of numpy": lambda: Around(lambda s, x: s.layer(x * float(np.random.rand())), cnn()),
    "a random crop": lambda: Around(lambda s, x: s.layer(x.roll(random.randint(1, 30), -1)), cnn()),
    "a layer that drops out in eval mode": lambda: Around(lambda s, x: s.layer(nn.Dropout(0.5)(x)), cnn()),
    "a coin": lambda: Around(lambda s, x: s.layer(x.flip(-1) if torch.rand(()) < 0.5 else x), cnn()),
    "a coin of python": lambda: Around(lambda s, x: s.layer(x.flip(-1) if random.random() < 0.5 else x), cnn()),
    "a running mean": Remembers,
}


@pytest.mark.parametrize("kind", DRAWS)
def test_a_forward_that_draws_or_remembers_is_refused(kind):
    with pytest.raises(VizkitError, match="draws or remembers"):
        vizkit.Classifier(DRAWS[kind](), **RGB, device="cpu")


SETTINGS = {
    "no grad": torch.no_grad,
    "inference": torch.inference_mode,
    "autocast": lambda: torch.autocast("cpu"),
    "another device": lambda: torch.device("meta"),
}


@pytest.mark.parametrize("kind", [*SETTINGS, "double"])
def test_what_a_notebook_has_set_for_all_of_torch_changes_no_picture(kind):
    def made():
        net = vizkit.Classifier(module, **RGB, device="cpu")
        ascents = [vizkit.ascend(net, 1, recipe=recipe, steps=2).run() for recipe in (None, "vizkit", "ozbulak")]
        return [ascent.image for ascent in ascents], net(images)

    module, images = cnn(), pictures()
    expected, scores = made()
    if kind == "double":
        torch.set_default_dtype(torch.float64)
        try:
            given, theirs = made()
            assert torch.get_default_dtype() == torch.float64
        finally:
            torch.set_default_dtype(torch.float32)
    else:
        with SETTINGS[kind]():
            given, theirs = made()
    assert all(torch.equal(*both) for both in zip(given, expected, strict=True))
    torch.testing.assert_close(theirs.float(), scores.detach(), rtol=0.05, atol=0.05)  # autocast is theirs


# Is the gradient the score's?


def held_back(s, x):
    with torch.no_grad():
        frozen = s.other(x)
    return s.layer(x) * 0.01 + frozen


class Backwards(torch.autograd.Function):
    @staticmethod
    def forward(context, x):
        return x.clone()

    @staticmethod
    def backward(context, gradient):
        return -gradient


class Viewed(torch.autograd.Function):
    """Its backward asks for the usual memory layout."""

    @staticmethod
    def forward(context, x):
        return x * 2

    @staticmethod
    def backward(context, gradient):
        return gradient.view(len(gradient), -1).mul(2).view(gradient.shape)


WRONG_WAY = {
    "a branch without gradient": lambda: Around(held_back, cnn(), other=small_cnn(3, 5)[:4].append(nn.Linear(64, 5))),
    "a backward of its own": lambda: Around(lambda s, x: s.layer(Backwards.apply(x)), cnn()),
    "a part that is rounded": lambda: Around(lambda s, x: s.layer(x * 0.01 + (x * 9).round() / 9), cnn()),
}


@pytest.mark.parametrize("kind", WRONG_WAY)
def test_a_gradient_that_is_not_the_scores_is_doubted(kind):
    with pytest.warns(UserWarning, match="gradient of Around is not that of its scores"):
        vizkit.Classifier(WRONG_WAY[kind](), **RGB, device="cpu")


def dead(classes=5):
    module = cnn(classes)
    module[-1].bias.data += 5
    module[-1].bias.data[1] = -50
    return nn.Sequential(module, nn.ReLU())


def test_an_ascent_that_comes_to_nothing_says_so_and_names_the_knob():
    net = vizkit.Classifier(dead(), **RGB, device="cpu")
    with pytest.warns(UserWarning, match=r"class 1 has not moved.*learning rate.*start"):
        still = vizkit.ascend(net, [0, 1], steps=5).run()
    assert torch.equal(still.image[1], still.start_image[1])
    assert not torch.equal(still.image[0], still.start_image[0])
    net = vizkit.Classifier(cnn(), **RGB, device="cpu")
    with pytest.warns(UserWarning, match=r"less than a grey level.*learning rate"):
        vizkit.ascend(net, 1, steps=9, learning_rate=1e-4).run()
    with pytest.warns(UserWarning, match="has not risen. Lower the learning rate"):
        vizkit.ascend(net, 1, steps=9, regularizer=vizkit.decay(0.9), start=3 * pictures(1)[:1]).run()
    silent(lambda: vizkit.ascend(net, 1, steps=9).run())
    silent(lambda: vizkit.ascend(net, 1, steps=0).run())


def test_the_explorer_says_it_too():
    explorer = vizkit.Explorer(vizkit.Classifier(dead(), **RGB, device="cpu"), 1, recipe=vizkit.Recipe(steps=5))
    explorer.run()
    assert "class 1 has not moved" in explorer.message.value


# Are these raw class scores?


SQUASHED = {
    "sigmoid": nn.Sigmoid(),
    "hardsigmoid": nn.Hardsigmoid(),
    "tanh": nn.Tanh(),
    "logsigmoid": nn.LogSigmoid(),
    "sigmoid, then a view": nn.Sequential(nn.Sigmoid(), nn.Unflatten(1, (-1, 1)), nn.Flatten()),
    "by hand": Around(lambda s, x: 1 / (1 + torch.exp(-x)), nn.Identity()),
    "clamped": Around(lambda s, x: x.sigmoid().clamp(0.01, 0.99), nn.Identity()),
}


@pytest.mark.parametrize("classes", [1, 5])
@pytest.mark.parametrize("kind", SQUASHED)
def test_scores_that_went_through_a_sigmoid_or_the_like_are_doubted(kind, classes):
    with pytest.warns(UserWarning, match="raw"):
        vizkit.Classifier(nn.Sequential(cnn(classes), SQUASHED[kind]), **RGB, device="cpu")


def test_raw_scores_that_happen_to_lie_between_0_and_1_are_not():
    module = cnn()
    module[-1].weight.data.mul_(0.01)
    module[-1].bias.data.fill_(0.5)
    silent(lambda: vizkit.Classifier(module, **RGB, device="cpu"))
    silent(lambda: vizkit.Classifier(Around(lambda s, x: s.layer(x) * 0.5 + 0.2, module), **RGB, device="cpu"))


def test_one_score_has_a_probability_of_its_own_and_no_rival():
    net = vizkit.Classifier(cnn(1), **RGB, device="cpu")
    ascent = vizkit.ascend(net, 0, steps=5, objective="probability").run()
    step = ascent.history[-1]
    assert not torch.equal(ascent.image, ascent.start_image)
    assert step.probability == pytest.approx(float(torch.tensor(step.score).sigmoid()))
    assert step.rival_scores == (0.0,)
    explorer = vizkit.Explorer(net, steps=2)
    explorer.run()
    assert "rival" not in explorer.caption.value
    assert "rival" not in str(explorer.curve.shown["lines"])


def test_many_labels_each_have_a_probability_of_their_own():
    net = vizkit.Classifier(cnn(), **RGB, device="cpu", exclusive=False)
    scores = net(pictures())
    assert torch.equal(net.probabilities(scores), scores.sigmoid())
    assert torch.allclose(net.probabilities(scores, log=True), scores.sigmoid().log())
    step = vizkit.ascend(net, 2, steps=1).run().history[-1]
    assert step.probability == pytest.approx(float(torch.tensor(step.score).sigmoid()))
    seen = vizkit.second_opinion(np.zeros((32, 32, 3), np.uint8), 2, net)[0]
    assert seen.probability == pytest.approx(
        float(net(net.normalise(torch.zeros(1, 3, 32, 32))).sigmoid()[0, 2]), rel=1e-4
    )


def test_masked_classes_leave_the_others_alone():
    mask = torch.tensor([0, 0, 0, 0, -torch.inf])
    net = silent(lambda: vizkit.Classifier(Around(lambda s, x: s.layer(x) + mask, cnn()), **RGB, device="cpu"))
    assert vizkit.ascend(net, 1, steps=9, learning_rate=1.0).run().doubt == ""
    with pytest.raises(VizkitError, match="masks class 4"):
        vizkit.ascend(net, [1, 4])
    with pytest.raises(VizkitError, match="not finite"):
        vizkit.Classifier(Around(lambda s, x: s.layer(x) + torch.nan * mask, cnn()), **RGB, device="cpu")


SQUEEZED = {
    "one class": (lambda s: s[:, 0], 1, r"scores=lambda s: s\.reshape\(-1, 1\)"),
    "of a batch of one": (lambda s: s.squeeze(), 5, r"scores=lambda s: s\.reshape\(-1, 5\)"),
}


@pytest.mark.parametrize("kind", SQUEEZED)
def test_a_squeezed_output_is_called_that_and_what_it_says_helps(kind):
    squeeze, classes, remedy = SQUEEZED[kind]
    module = Around(lambda s, x: squeeze(s.layer(x)), cnn(classes))
    with pytest.raises(VizkitError, match=remedy) as raised:
        vizkit.Classifier(module, **RGB, device="cpu")
    code = str(raised.value).split("scores=")[-1].rstrip(".")
    assert vizkit.Classifier(module, **RGB, device="cpu", scores=eval(code))(pictures()).shape == (8, classes)


# Input, channels, precision, device.


@pytest.mark.parametrize(
    ("mean", "std"), [([123.7, 116.3, 103.5], [58.4, 57.1, 57.4]), (127.5, 127.5), ([0.5] * 3, 255)]
)
def test_mean_and_std_of_bytes_are_refused(mean, std):
    with pytest.raises(VizkitError, match="divide both by 255"):
        vizkit.Classifier(cnn(), size=32, mean=mean, std=std, device="cpu")


def stem_last():
    return Around(lambda s, x: s.layer(s.stem(x)).mean((2, 3)), nn.Conv2d(8, 5, 1), stem=nn.Conv2d(3, 8, 3))


def test_how_many_channels_is_tried_and_asked_for_where_several_fit():
    assert vizkit.Classifier(stem_last(), size=32, mean=0.5, std=0.5, device="cpu").channels == 3
    linear = nn.Sequential(nn.Flatten(), nn.Linear(64, 5))
    assert vizkit.Classifier(linear, size=8, mean=np.float32(0.5), std=torch.tensor(0.5), device="cpu").channels == 1
    widens = Around(lambda s, x: s.layer(x.expand(-1, 3, -1, -1)), cnn())
    with pytest.raises(VizkitError, match=r"1 or 3 channels.*lists"):
        vizkit.Classifier(widens, size=32, mean=0.1307, std=0.3081, device="cpu")
    assert vizkit.Classifier(widens, size=32, mean=[0.1307], std=[0.3081], device="cpu").channels == 1


def test_weights_of_five_dimensions_and_a_backward_that_wants_the_usual_layout_work():
    volume = Around(lambda s, x: s.layer(x.unsqueeze(1)).mean((2, 3, 4)), nn.Conv3d(1, 5, 3))
    views = Around(lambda s, x: s.layer(Viewed.apply(s.a(x))).mean((2, 3)), nn.Conv2d(8, 5, 3), a=nn.Conv2d(3, 8, 3))
    for module in (volume, views):
        agree(silent(lambda module=module: vizkit.Classifier(module, **RGB, device="cpu")), module)


def test_a_network_that_casts_or_holds_constants_keeps_its_precision():
    casts = Around(lambda s, x: s.layer(x.bfloat16()), cnn().bfloat16())
    constants = Around(lambda s, x: s.layer(x * s.scale[0]), cnn().double(), scale=[torch.tensor(1.5).double()[None]])
    for module in (casts, constants):
        net = silent(lambda module=module: vizkit.Classifier(module, **RGB, device="cpu"))
        assert net(pictures()).dtype == torch.float32
        assert not vizkit.ascend(net, 1, steps=2).run().doubt


@pytest.mark.parametrize("device", ["cuda:99", "mps", "tpu", "nonsense", 99])
def test_a_device_that_is_not_there_is_named(device):
    with pytest.raises(VizkitError, match=f"No device {device!r} here.*cpu"):
        vizkit.Classifier(cnn(), **RGB, device=device)


# Labels.


def test_labels_in_any_order_that_can_be_told_become_text():
    labels = ["a", "b", "c", "d", "e"]
    for given in (tuple(labels), np.array(labels), dict.fromkeys(labels).keys(), (label for label in labels)):
        net = vizkit.Classifier(cnn(), given, **RGB, device="cpu")
        assert net.labels == labels
        assert {type(label) for label in net.labels} == {str}
        assert "np.str_" not in vizkit.ascend(net, "b", steps=1).code()
    assert vizkit.Classifier(cnn(), range(5), **RGB, device="cpu").index("3") == 3
    for wrong in (set(labels), frozenset(labels), 5, 1.5, labels[:4], dict.fromkeys(labels), "abcde", [[1]] * 5):
        with pytest.raises(VizkitError, match="labels must be 5 strings"):
            vizkit.Classifier(cnn(), wrong, **RGB, device="cpu")


def test_a_label_is_found_as_people_write_it():
    net = vizkit.Classifier(cnn(), ["cat\n", " caf\u00e9", "ﬁsh", "\uff24og", "e"], **RGB, device="cpu")
    assert [net.index(one) for one in ("cat", "cafe\u0301", "fish", "dog", "CAT ")] == [0, 1, 2, 3, 0]
    alike = vizkit.Classifier(cnn(), ["c\u0430t", *"bcde"], **RGB, device="cpu")
    with pytest.raises(VizkitError, match=r"Nearest: c\\u0430t \(0\)"):
        alike.index("cat")
    french = vizkit.Classifier(cnn(), ["\u00e9pagneul", *"bcde"], **RGB, device="cpu")
    with pytest.raises(VizkitError, match=r"Nearest: \u00e9pagneul \(0\)"):  # a difference that one sees
        french.index("epagneul")


def test_many_classes_open_an_explorer_in_linear_time():
    class Counted(str):
        compared = 0

        def __eq__(self, other):
            Counted.compared += 1
            return str.__eq__(self, other)

        __hash__ = str.__hash__

    net = vizkit.Classifier(
        nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 9000)), **RGB, device="cpu"
    )
    net.labels = [Counted(f"class {index}") for index in range(9000)]
    explorer = vizkit.Explorer(net)
    explorer.controls.picker.query.value = "class 12"
    assert len(explorer.controls.picker.choice.options) == 111
    assert Counted.compared < 20 * 9000


# Is it the same network, later?


def saved_by(net, folder):
    return vizkit.ascend(net, "b", steps=2).run().save(folder / "b.png")


def test_reproduce_tells_another_network_from_that_of_the_file(tmp_path):
    own = {"labels": list("abcde"), **RGB, "device": "cpu"}
    file = saved_by(vizkit.Classifier(cnn(), **own), tmp_path)
    silent(lambda: vizkit.reproduce(file, vizkit.Classifier(cnn(), **own)))
    other = cnn()
    other[-1].weight.data *= 1.01
    wrong = {
        "labels": (cnn(), {"labels": list("edcba")}),
        "input": (cnn(), {"size": (32, 40)}),
        "mean and std": (cnn(), {"std": 0.25}),
        "scores": (other, {}),
    }
    for name, (module, change) in wrong.items():
        with pytest.raises(VizkitError, match=rf"another network \({name}\): "):
            vizkit.reproduce(file, vizkit.Classifier(module, **(own | change)))
    old = Path(__file__).parent / "saved_by_0.1.0" / "cs231n.png"  # of class 2, which is a star
    with pytest.raises(VizkitError, match=r"another network \(classes\): "):
        vizkit.reproduce(old, vizkit.Classifier(cnn(), [f"no star {index}" for index in range(5)], **RGB, device="cpu"))
    with Image.open(file) as picture:
        damaged = PngImagePlugin.PngInfo()
        damaged.add_text("vizkit", picture.info["vizkit"])
        damaged.add_text("vizkit network", '{"scores": ["x", null]}')
        picture.save(tmp_path / "damaged.png", pnginfo=damaged)
    with pytest.raises(VizkitError, match=r"network \(scores\): "):
        vizkit.reproduce(tmp_path / "damaged.png", vizkit.Classifier(cnn(), **own))
    with pytest.raises(VizkitError, match="nowhere"):
        vizkit.reproduce(tmp_path / "nowhere.png")
    with pytest.raises(VizkitError):
        vizkit.reproduce(tmp_path)


def test_of_two_sets_of_weights_it_is_said_which_was_taken_and_the_other_can_be(tmp_path):
    raw, smooth = cnn(), cnn()
    smooth[-1].bias.data += 1
    for name in ("state_dict_ema", "ema", "model_ema", "best"):
        torch.save({"state_dict": raw.state_dict(), name: smooth.state_dict(), "epoch": 3}, tmp_path / "e.pt")
        with pytest.warns(UserWarning, match=f"several sets.*'state_dict' is taken.*key='{name}'"):
            assert torch.equal(vizkit.load_weights(cnn(), tmp_path / "e.pt")[-1].bias, raw[-1].bias)
        again = silent(lambda name=name: vizkit.load_weights(cnn(), tmp_path / "e.pt", key=name))
        assert torch.equal(again[-1].bias, smooth[-1].bias)
    with pytest.raises(VizkitError, match="holds no state dict"):
        vizkit.load_weights(cnn(), tmp_path / "e.pt", key="nothing")


def test_of_two_networks_in_one_table_it_is_said_which_was_taken(tmp_path):
    student, teacher = cnn(), cnn()
    teacher[-1].bias.data += 1
    both = names(student.state_dict(), "student.{}".format) | names(teacher.state_dict(), "the_teacher.{}".format)
    torch.save(both, tmp_path / "both.pt")
    with pytest.warns(UserWarning, match=r"'student\.' is taken, not \['the_teacher\.'\]"):
        assert torch.equal(vizkit.load_weights(cnn(), tmp_path / "both.pt")[-1].bias, student[-1].bias)


def test_what_the_network_has_no_place_for_is_left_out_and_named(tmp_path):
    torch.save(cnn().state_dict() | {"loss.weight": torch.ones(3), "n": torch.tensor(3)}, tmp_path / "more.pt")
    with pytest.warns(UserWarning, match=r"no place for \['loss\.weight'\]"):
        vizkit.load_weights(cnn(), tmp_path / "more.pt")


def names(state, change):
    return {change(name): value for name, value in state.items()}


WRAPPED = {
    "averaged": lambda m: torch.optim.swa_utils.AveragedModel(m).state_dict(),
    "a wrapper inside its names": lambda m: names(m.state_dict(), lambda name: name.replace(".", ".module.", 1)),
    "beside a loss": lambda m: names(m.state_dict(), "net.{}".format) | {"loss.weight": torch.ones(3)},
    "student and teacher": lambda m: (
        names(m.state_dict(), "student.backbone.{}".format) | names({"x.y": torch.ones(2)}, "head.{}".format)
    ),
    "beside numbers of numpy": lambda m: {"state_dict": m.state_dict(), "best": np.float64(0.9), "all": np.arange(3)},
}


@pytest.mark.parametrize("kind", WRAPPED)
def test_weights_are_found_among_other_things(kind, tmp_path):
    trained = cnn()
    trained[-1].bias.data += 1
    torch.save(WRAPPED[kind](trained), tmp_path / "w.pt")
    module = silent(lambda: vizkit.load_weights(cnn(), tmp_path / "w.pt"))
    assert all(torch.equal(*both) for both in zip(module.parameters(), trained.parameters(), strict=True))


def test_a_file_of_something_else_is_called_what_it_is(tmp_path):
    contents = {
        "lfs.pth": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "Git LFS.*git lfs pull"),
        "keras.h5": (b"\x89HDF\r\n\x1a\n", "another framework"),
        "net.onnx": (b"\x08\x07\x12\x07pytorch", "another framework"),
    }
    for name, (content, message) in contents.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(VizkitError, match=message) as raised:
            vizkit.load_weights(cnn(), tmp_path / name)
        assert "weights_only" not in str(raised.value)


# The doors.


def test_a_module_where_a_classifier_is_meant_is_said_to_be_one_at_every_door(tmp_path):
    file = vizkit.ascend("shapes", 0, steps=0).save(tmp_path / "x.png")
    doors = [
        lambda: vizkit.ascend(cnn(), 0),
        lambda: vizkit.Explorer(cnn()),
        lambda: vizkit.Compare({"none": None}, cnn()),
        lambda: vizkit.Gallery(cnn()),
        lambda: vizkit.second_opinion(np.zeros((8, 8, 3), np.uint8), 0, cnn()),
        lambda: vizkit.reproduce(file, cnn()),
    ]
    for door in doors:
        with pytest.raises(VizkitError, match=r"vizkit\.Classifier\(module, …\)"):
            door()


def test_the_judge_takes_a_picture_in_any_form():
    picture = vizkit.ascend("shapes", 0, steps=1).run().picture
    tensor = torch.from_numpy(picture.copy()).permute(2, 0, 1)
    forms = [picture, picture[None], picture / 255, tensor, tensor[None] / 255, [picture], picture.astype(np.int64)]
    expected = vizkit.second_opinion(picture[None], "disc", vizkit.load("shapes"))
    for form in forms:
        assert vizkit.second_opinion(form, "disc", "shapes") == expected
    for wrong in (tensor / 127.5 - 1, np.zeros((4, 4, 7)), "nowhere.png"):
        with pytest.raises(VizkitError):
            vizkit.second_opinion(wrong, "disc", "shapes")


@pytest.mark.parametrize("ending", ["webp", "bmp", "tiff", "PNG", "jfif"])
def test_a_photo_is_taken_by_its_path_in_every_format(ending, tmp_path):
    path = tmp_path / f"photo.{ending}"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)).save(path)
    net = vizkit.Classifier(cnn(), **RGB, device="cpu")
    same = [vizkit.ascend(net, 1, start=start, steps=1).start_image for start in (path, str(path))]
    assert torch.equal(*same)
    with pytest.raises(VizkitError, match="A start is one of"):
        vizkit.ascend(net, 1, start="noise")


# Whatever people build.


@pytest.mark.parametrize("number", range(100))
def test_a_network_by_chance_is_itself_or_refused(number):
    module, channels, size, _ = network(number)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    modes, state = [layer.training for layer in module.modules()], torch.get_rng_state()
    doubts = []
    try:
        with warnings.catch_warnings(record=True) as doubts:
            warnings.simplefilter("always")
            net = vizkit.Classifier(module, size=size, mean=[0.5] * channels, std=[0.25] * channels, device="cpu")
    except VizkitError:
        net = None
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert modes == [layer.training for layer in module.modules()]
    assert torch.equal(state, torch.get_rng_state())
    if net is None:
        return
    generator = torch.Generator().manual_seed(number)
    coarse = F.interpolate(torch.rand(3, channels, 3, 3, generator=generator), size=size, mode="bilinear")
    images = net.normalise(torch.cat([torch.rand(3, channels, *size, generator=generator), coarse]))
    precision = next((one.dtype for one in module.parameters() if one.is_floating_point()), torch.float32)
    with torch.no_grad():
        expected, given = module.eval()(images.to(precision)).float(), net(images)
    finite = expected.nan_to_num(neginf=0.0)
    loose = 1 if precision.itemsize >= 4 else 100
    allowed = loose * (2e-3 * (finite.amax(0) - finite.amin(0)) + 5e-6 * finite.abs())
    assert ((given == expected) | ((given - expected).abs() <= allowed)).all()

    target = int(net.climbable.nonzero()[0, 0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        first, second = (vizkit.ascend(net, target, steps=9, learning_rate=0.05).run() for _ in "ab")
    if not doubts:
        assert torch.equal(first.image, second.image)
        assert first.history[-1].score > first.history[0].score or first.doubt or loose > 1
