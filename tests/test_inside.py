"""The units of a layer as classes: torch's own module, run by hand, is the oracle."""

import threading

import pytest
import torch
from torch import nn

import vizkit
from vizkit import VizkitError

SMALL = {"size": 32, "mean": 0.5, "std": 0.25, "device": "cpu"}


def cnn(inplace=True):
    """Convolution, batch norm and activation, twice; with statistics as after a training."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layers = nn.Sequential(
            nn.Conv2d(3, 6, 3, padding=1),
            nn.BatchNorm2d(6),
            nn.ReLU(inplace),
            nn.Sequential(nn.Conv2d(6, 8, 3, 2), nn.BatchNorm2d(8), nn.Hardswish(inplace)),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(8, 5),
        )
        for layer in layers.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.weight.data.uniform_(-1, 1)  # below zero, too: there folding turns a sign
                layer.running_mean.normal_()
                layer.running_var.uniform_(0.5, 2)
    return layers.eval()


def images(net, count=2):
    return torch.randn(count, net.channels, net.height, net.width, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("inplace", [False, True])
def test_a_score_is_the_mean_of_a_unit_over_all_places_before_its_activation(inplace):
    module = cnn(inplace)
    net = vizkit.Classifier(module, **SMALL)
    x = images(net)
    with torch.no_grad():
        first = module[0](x)
        second = module[1](first)
        third = module[3][1](module[3][0](torch.relu(second)))
        whole = module(x)
    expected = {"0": first, "1": second, "2": second, "3": third, "3.1": third, "3.2": third}
    for name, values in expected.items():
        torch.testing.assert_close(net.inside(name)(x), values.mean((2, 3)), rtol=1e-4, atol=1e-5)
        centre = values[:, :, values.shape[2] // 2, values.shape[3] // 2]
        torch.testing.assert_close(net.inside(name, at="centre")(x), centre, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(net.inside("6")(x), whole, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(net(x), whole, rtol=1e-4, atol=1e-5)  # which is still what it was


def test_layers_are_in_the_order_of_the_data_with_their_units():
    net = vizkit.Classifier(cnn(), **SMALL)
    assert net.layers() == {
        "0": 6,
        "1": 6,
        "2": 6,
        "3.0": 8,
        "3.1": 8,
        "3.2": 8,
        "3": 8,
        "4": 8,
        "5": 8,
        "6": 5,
    }
    assert net.inside("3").layers() == net.layers()
    assert net.inside("3").inside("0").labels[4] == "channel 4 of layer 0"


def test_the_built_in_network():
    net = vizkit.load(device="cpu")
    inside, x = net.inside("14"), images(net, 1)
    with torch.no_grad():
        torch.testing.assert_close(inside(x), net.network[:15](x).mean((2, 3)), rtol=1e-3, atol=1e-4)
    assert inside.labels[4] == "channel 4 of layer 14"
    assert next(iter(inside.find("4"))) == 4
    assert next(iter(net.inside("4").find("4"))) == 4  # and not whatever has the layer's number in its name
    assert repr(inside) == "Classifier('efficientnet_lite0, layer 14', 192 classes, 3 × 224 × 224)"
    assert inside.remembers
    before = net.layers()
    assert list(before)[-1] == "21"
    silent = net.inside("18")  # it ends in a ReLU6: what goes into that can be climbed, whatever the start
    start = silent(torch.zeros(1, 3, 224, 224))[0]
    unit = int(start.argmin())
    assert start[unit] < 0
    ascent = vizkit.ascend(silent, unit, recipe="vizkit", steps=3, start="zero").run()
    assert ascent.scores[-1, 0] > ascent.scores[0, 0]


def test_what_comes_after_the_layer_is_not_run_and_nothing_stays_on_any_module():
    ran = []

    class Loud(nn.Linear):
        def forward(self, x):
            ran.append(len(x))
            return super().forward(x)

    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), Loud(4, 2))
    inside = vizkit.Classifier(module, **SMALL).inside("1")
    ran.clear()
    vizkit.ascend(inside, 0, steps=3).run()
    assert ran == []
    hooks = [
        layer._forward_hooks or layer._forward_pre_hooks for layer in [*module.modules(), *inside.network.modules()]
    ]
    assert not any(hooks)


class Odd(nn.Module):
    """What people build: a layer that runs twice, some with several outputs, one that is never run, one of numbers."""

    def __init__(self):
        super().__init__()
        self.same = nn.Conv2d(3, 3, 3, padding=1)
        self.pair, self.never, self.rounds = Pair(), nn.Conv2d(3, 3, 1), Rounds()
        self.recurrent, self.head = nn.LSTM(32, 7), nn.Linear(7, 4)
        self.pool, self.twice = nn.AdaptiveAvgPool1d(5), nn.Identity()

    def forward(self, x):
        self.twice(x.flatten(0, 1))  # the first time by rows of another number, the second one an image each
        x, _ = self.pair(self.same(self.same(self.twice(x))))
        self.rounds(x)
        self.pool(x.flatten(2))
        rows, _ = self.recurrent(x.mean(1).transpose(0, 1))
        return self.head(rows[-1])


class Pair(nn.Module):
    def forward(self, x):
        return x.tanh(), {"more": x}


class Rounds(nn.Module):
    def forward(self, x):
        return x.argmax(1)


def test_a_layer_that_runs_twice_counts_the_first_time_and_of_several_outputs_the_first():
    torch.manual_seed(0)
    module = Odd().eval()
    net = vizkit.Classifier(module, **SMALL)
    x = images(net)
    with torch.no_grad():
        torch.testing.assert_close(net.inside("same")(x), module.same(x).mean((2, 3)))
        last = module.same(module.same(x)).tanh()
        torch.testing.assert_close(net.inside("pair")(x), last.mean((2, 3)))
        torch.testing.assert_close(net.inside("pool")(x), module.pool(last.flatten(2)).mean(2))
    assert net.layers() == {
        "same": 3,
        "pair": 3,
        "pool": 3,
        "head": 4,
    }  # rows come first out of the recurrent one, not images


@pytest.mark.parametrize(
    ("layer", "why"),
    [
        ("pari", r'"pari" is no layer of Odd\. Nearest that can be: pair'),
        ("", r'"" cannot be climbed'),
        (14, r'"14" is no layer'),
        ("never", r'"never" cannot be climbed.*All: net\.layers\(\)'),
        ("twice", r'"twice" cannot be climbed'),
        ("rounds", r'"rounds" cannot be climbed'),
        ("recurrent", r'"recurrent" cannot be climbed'),
    ],
)
def test_a_layer_that_cannot_be_climbed_is_a_sentence(layer, why):
    net = vizkit.Classifier(Odd(), **SMALL)
    with pytest.raises(VizkitError, match=why):
        net.inside(layer)


def test_a_unit_without_places_has_no_centre_and_a_place_is_one_of_two():
    net = vizkit.Classifier(cnn(), **SMALL)
    with pytest.raises(VizkitError, match="no rows and columns"):
        net.inside("6", at="centre")
    with pytest.raises(VizkitError, match=r'No at "middle"\. Known: mean, centre'):
        net.inside("3", at="middle")


class Cast(nn.Module):
    """A network that computes in its own precision."""

    def __init__(self):
        super().__init__()
        self.inner = cnn().bfloat16()

    def forward(self, x):
        return self.inner(x.bfloat16())


def test_a_network_in_half_precision_has_layers_too():
    module = Cast().eval()
    net = vizkit.Classifier(module, **SMALL)
    assert net.layers()["inner.3"] == 8
    x = images(net)
    with torch.no_grad():
        torch.testing.assert_close(
            net.inside("inner.0")(x), module.inner[0](x.bfloat16()).float().mean((2, 3)), atol=0.02, rtol=0.1
        )


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
def test_a_program_has_no_layers_to_look_into():
    x = torch.zeros(1, 3, 32, 32)
    for program in (torch.jit.script(cnn()), torch.jit.trace(cnn(), x)):
        net = vizkit.Classifier(program, **SMALL)
        assert net.layers() == {}
        with pytest.raises(VizkitError, match=r'"3" cannot be climbed of .*Nearest that can be: none'):
            net.inside("3")


@pytest.mark.libraries
@pytest.mark.parametrize("layer", ["features.1.0.attn", "features.3.1", "features.5.0.norm1", "norm", "permute"])
def test_channels_may_be_the_last_axis(layer):
    from torchvision.models import swin_t

    torch.manual_seed(0)
    module = swin_t(weights=None, num_classes=3).eval()
    net = vizkit.Classifier(module, size=(224, 160), mean=0.5, std=0.25, device="cpu")
    x, seen = images(net, 2), []
    module.get_submodule(layer).register_forward_hook(lambda *those: seen.append(those[-1]))
    with torch.no_grad():
        module(x)
        places = (2, 3) if layer == "permute" else (1, 2)
        torch.testing.assert_close(net.inside(layer)(x), seen[0].mean(places), rtol=1e-3, atol=1e-4)


def test_of_tokens_it_is_the_mean_and_the_centre_is_that_of_their_grid():
    from torchvision.models import VisionTransformer

    torch.manual_seed(0)
    how = {"num_layers": 2, "num_heads": 2, "hidden_dim": 16, "mlp_dim": 32, "num_classes": 4}
    module = VisionTransformer(image_size=32, patch_size=8, **how).eval()
    nn.init.normal_(module.heads.head.weight)  # untrained, it is zero
    net = vizkit.Classifier(module, **SMALL)
    name, x, seen = "encoder.layers.encoder_layer_1", images(net), []
    assert net.layers()[name] == 16
    module.get_submodule(name).register_forward_hook(lambda *those: seen.append(those[-1]))
    with torch.no_grad():
        module(x)
        torch.testing.assert_close(net.inside(name)(x), seen[0].mean(1), rtol=1e-4, atol=1e-5)
        centre = seen[0][:, 1 + 2 * 4 + 2]  # after the class token, the third of four in the third row
        torch.testing.assert_close(net.inside(name, at="centre")(x), centre, rtol=1e-4, atol=1e-5)


def test_two_threads_may_look_into_one_network_at_once():
    net = vizkit.load("shapes", device="cpu")
    insides = [net.inside(name) for name in ("0", "4", "8")]
    expected = [vizkit.ascend(one, 0, steps=20).run().image for one in insides]
    made = {}

    def make(index):
        made[index] = vizkit.ascend(insides[index], 0, steps=20).run().image

    threads = [threading.Thread(target=make, args=(index,)) for index in (0, 1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(torch.allclose(made[index], expected[index], atol=1e-4) for index in (0, 1, 2))


def test_everything_works_on_units_at_once(tmp_path):
    inside = vizkit.load("shapes", device="cpu").inside("4")
    ascent = vizkit.ascend(inside, [0, 3], recipe="small", steps=4).run()
    file = ascent.save(tmp_path / "units.png")
    assert 'net = vizkit.load("shapes").inside("4")' in ascent.code()
    assert (vizkit.reproduce(file).pictures == ascent.pictures).all()
    with pytest.raises(VizkitError, match='No class "channel 0 of layer 4"'):
        vizkit.reproduce(file, inside.inside("8"))
    assert vizkit.figures.score_curve(ascent).axes[0].get_ylabel() == "value of the unit"
    assert vizkit.figures.score_curve(vizkit.ascend("shapes", 0)).axes[0].get_ylabel() == "class score"
    gallery = vizkit.Gallery(inside, [0, 1], steps=2)
    assert gallery.run().labels == ["channel 0 of layer 4", "channel 1 of layer 4"]
    compare = vizkit.Compare({"none": None, "L2": vizkit.l2(1e-3)}, inside, 3, steps=2)
    assert len(compare.run().pictures) == 2
    yours = vizkit.Classifier(cnn(), **SMALL).inside("3", at="centre")
    assert yours.code == 'vizkit.Classifier(...).inside("3", at="centre")  # yours'
    saved = vizkit.ascend(yours, 1, steps=2).run().save(tmp_path / "yours.png")
    with pytest.raises(VizkitError, match="somebody's own CNN"):
        vizkit.reproduce(saved)
    assert vizkit.reproduce(saved, yours).step == 2
